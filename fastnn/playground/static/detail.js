// The unit that is looked at: its picture in large, and the numbers that make it.

import { paint } from "./colours.js";
import { short } from "./numbers.js";

const INTRODUCTION = "Point at a unit, or move to it with the arrow keys. Its picture shows what it puts out at each "
  + "place of the plane: blue above 0, orange below, pale near 0.";
const DEAD = " It is dead: where it puts out 0, no gradient reaches its weights.";

export class Detail {
  constructor(diagram) {
    this.diagram = diagram;
    this.picture = document.getElementById("detail-picture");
    this.title = document.getElementById("detail-title");
    this.text = document.getElementById("detail-text");
    this.table = document.getElementById("detail-table");
  }

  begin(run) {
    this.run = run;
    this.title.textContent = "Look at a unit";
    this.text.textContent = INTRODUCTION;
    this.table.hidden = true;
    this.picture.hidden = true;
    this.shown = null;
    // Room for the unit with the most weights, so that nothing below moves from one to another.
    this.table.closest(".detail").style.setProperty("--most", Math.max(...run.units.slice(0, -1)));
  }

  draw(frame) {
    const unit = this.diagram.chosen;
    if (!unit) return;
    this.picture.hidden = false;
    const size = this.run.unitPoints ** 2;
    const picture = frame.units.subarray(unit.number * size, (unit.number + 1) * size);
    paint(this.picture, picture);
    const scale = frame.scales[unit.number] / 127;
    let [low, high] = [Infinity, -Infinity];
    for (const value of picture) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const range = `over the plane from ${short(low * scale)} to ${short(high * scale)}`;
    if (this.shown !== unit) this.#begin(unit);
    if (unit.column === 0) {
      this.#say(`What comes in: ${this.run.names[unit.row]}${this.run.file ? ", standardised" : ""}, ${range}.`);
      return;
    }
    const { inputs, weights, biases } = this.diagram.layers[unit.column - 1];
    const bias = frame.parameters[biases + unit.row];
    const sum = `bias ${short(bias)} + the sum of weight · what comes in`;
    const { activation } = this.run.settings;
    const isOutput = unit.column === this.run.units.length - 1;
    const formula = isOutput || activation === "identity" ? sum : `${activation}(${sum})`;
    const isDead = !isOutput && low === 0 && high === 0;
    const meaning = isOutput ? this.#meaning() : isDead ? DEAD : "";
    this.#say(`It puts out ${formula}: ${range}.${meaning}`);
    const start = weights + unit.row * inputs;
    const largest = Math.max(1e-12, ...frame.parameters.subarray(start, start + inputs).map(Math.abs));
    this.rows.forEach(({ weight, bar, gradient }, i) => {
      const value = frame.parameters[start + i];
      weight.textContent = short(value);
      gradient.textContent = short(frame.gradients[start + i]);
      bar.style.width = `${(50 * Math.abs(value)) / largest}%`;
      bar.className = value < 0 ? "bar negative" : "bar positive";
    });
  }

  #meaning() {
    const { classes, names, file } = this.run;
    const named = (place) => (file ? classes[place] : `class ${classes[place]}`); // as the legend has them
    if (classes.length > 2) return " The class whose output is largest is predicted.";
    if (classes.length === 2) return ` Above 0, ${named(1)} is more likely than ${named(0)}.`;
    return ` That is ${names[2]}, in standard deviations from its mean.`;
  }

  /** Only what has changed, and only its text: a screen reader may be reading it. */
  #say(text) {
    if (this.text.textContent !== text) this.text.textContent = text;
  }

  #begin(unit) {
    this.shown = unit;
    this.title.textContent = this.diagram.name(unit);
    this.table.hidden = unit.column === 0;
    this.rows = [];
    if (unit.column === 0) return;
    const body = this.table.tBodies[0];
    body.replaceChildren();
    for (const { column, row } of this.diagram.units[unit.column - 1]) {
      const line = body.insertRow();
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = column === 0 ? this.run.names[row] : `unit ${row + 1}`;
      line.append(name);
      const weight = line.insertCell();
      const bar = document.createElement("span");
      line.insertCell().append(bar);
      this.rows.push({ weight, bar, gradient: line.insertCell() });
    }
  }
}
