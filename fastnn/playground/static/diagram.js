// The network: a picture of each unit, and a line for each weight.

import { colours, fresh, paint } from "./colours.js";

const CAPTION = 24; // pixels above the units
const HIGHEST = 470;
const LARGEST = 46;

/** Where the weights and biases of each layer lie among all parameters. */
export function layersOf(units) {
  let offset = 0;
  return units.slice(1).map((outputs, i) => {
    const layer = { inputs: units[i], outputs, weights: offset, biases: offset + units[i] * outputs };
    offset = layer.biases + outputs;
    return layer;
  });
}

export class Diagram {
  constructor(element, whenChosen) {
    this.element = element;
    this.whenChosen = whenChosen;
    this.shows = "parameters";
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", "Units; the arrow keys move between them");
    element.addEventListener("keydown", (event) => this.#move(event));
    new ResizeObserver(() => this.frame && this.#arrange()).observe(element);
  }

  begin(run) {
    this.run = run;
    this.layers = layersOf(run.units);
    this.frame = null;
    this.edges = document.createElement("canvas");
    this.edges.setAttribute("aria-hidden", "true");
    this.captions = run.units.map((_, column) => {
      const caption = document.createElement("span");
      caption.className = "caption";
      caption.setAttribute("aria-hidden", "true");
      return caption;
    });
    let number = 0;
    this.units = run.units.map((count, column) => Array.from({ length: count }, (_, row) =>
      this.#unit({ column, row, number: number++ })));
    this.element.replaceChildren(this.edges, ...this.captions, ...this.units.flat().map(({ button }) => button));
    this.chosen = null;
    this.units[Math.min(1, this.units.length - 1)][0].button.tabIndex = 0;
  }

  #unit(place) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "unit";
    button.tabIndex = -1;
    button.setAttribute("aria-label", this.name(place));
    button.setAttribute("aria-describedby", "detail-text");
    const canvas = document.createElement("canvas");
    button.append(canvas);
    const choose = () => this.choose(place);
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && choose());
    button.addEventListener("focus", choose);
    button.addEventListener("click", choose);
    return { ...place, button, canvas };
  }

  name({ column, row }) {
    if (column === 0) return `Feature ${this.run.names[row]}`;
    if (column < this.run.units.length - 1) return `Layer ${column}, unit ${row + 1}`;
    const { classes } = this.run;
    return classes.length > 2 ? `Output for ${classes[row]}` : "Output";
  }

  choose({ column, row }) {
    this.units.flat().forEach((unit) => {
      const isChosen = unit.column === column && unit.row === row;
      unit.button.classList.toggle("chosen", isChosen);
      unit.button.tabIndex = isChosen ? 0 : -1;
    });
    this.chosen = this.units[column][row];
    this.whenChosen();
    this.#drawEdges();
  }

  #move(event) {
    const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!steps || !this.chosen) return;
    event.preventDefault();
    const column = Math.max(0, Math.min(this.units.length - 1, this.chosen.column + steps[0]));
    const row = Math.max(0, Math.min(this.units[column].length - 1, this.chosen.row + steps[1]));
    this.units[column][row].button.focus();
  }

  draw(frame) {
    const isFirst = !this.frame;
    this.frame = frame;
    const size = this.run.unitPoints ** 2;
    for (const { number, canvas } of this.units.flat()) {
      paint(canvas, frame.units.subarray(number * size, (number + 1) * size));
    }
    if (isFirst) this.#arrange();
    else this.#drawEdges();
  }

  #arrange() {
    const width = this.element.clientWidth;
    const columns = this.units.length;
    const rows = Math.max(...this.run.units);
    const isWide = width / columns > 72;
    this.captions.forEach((caption, column) => {
      const [long, brief] = column === 0 ? ["features", "in"] : column === columns - 1 ? ["output", "out"]
        : [`layer ${column}`, String(column)];
      caption.textContent = isWide ? long : brief;
    });
    const size = Math.round(Math.max(16, Math.min(LARGEST, HIGHEST / rows - 7, (width / columns) * 0.62)));
    const pitch = size + Math.max(6, Math.min(16, size / 3));
    const height = CAPTION + rows * pitch;
    this.size = size;
    this.element.style.height = `${height}px`;
    this.centres = this.units.map((units, column) => {
      const x = size / 2 + 6 + ((width - size - 12) * column) / (columns - 1);
      this.captions[column].style.left = `${x}px`;
      return units.map(({ button }, row) => {
        const y = CAPTION + (height - CAPTION) / 2 + (row - (units.length - 1) / 2) * pitch;
        const pixels = { left: x - size / 2, top: y - size / 2, width: size, height: size };
        for (const [name, value] of Object.entries(pixels)) button.style[name] = `${value}px`;
        return [x, y];
      });
    });
    this.#drawEdges();
  }

  /** The larger a weight is among all, the thicker its line; those of the chosen unit lie over all others. */
  #drawEdges() {
    if (!this.frame || !this.centres) return;
    const { context } = fresh(this.edges);
    const values = this.frame[this.shows];
    let largest = 1e-12;
    for (const { inputs, outputs, weights } of this.layers) {
      for (let i = weights; i < weights + inputs * outputs; i++) largest = Math.max(largest, Math.abs(values[i]));
    }
    this.largest = largest;
    const { chosen } = this;
    const touches = (column, row, input) => chosen && ((chosen.column === column + 1 && chosen.row === row)
      || (chosen.column === column && chosen.row === input));
    for (const isOver of chosen ? [false, true] : [false]) {
      this.layers.forEach(({ inputs, outputs, weights, biases }, column) => {
        for (let row = 0; row < outputs; row++) {
          for (let input = 0; input < inputs; input++) {
            const own = touches(column, row, input);
            if (chosen && own !== isOver) continue;
            const share = values[weights + row * inputs + input] / largest;
            this.#edge(context, this.centres[column][input], this.centres[column + 1][row], share, own ? 1 : 0.85);
          }
          if (!isOver) this.#bias(context, this.centres[column + 1][row], values[biases + row] / largest);
        }
      });
    }
  }

  #edge(context, [x0, y0], [x1, y1], share, opacity) {
    const size = Math.min(1, Math.abs(share));
    const [from, to] = [x0 + this.size / 2, x1 - this.size / 2];
    const bend = (to - from) * 0.45;
    context.globalAlpha = opacity * (0.12 + 0.88 * Math.sqrt(size));
    context.strokeStyle = share < 0 ? colours.orange : colours.blue;
    context.lineWidth = 0.6 + 4.4 * size;
    context.beginPath();
    context.moveTo(from, y0);
    context.bezierCurveTo(from + bend, y0, to - bend, y1, to, y1);
    context.stroke();
    context.globalAlpha = 1;
  }

  #bias(context, [x, y], share) {
    const size = Math.min(1, Math.abs(share));
    context.fillStyle = share < 0 ? colours.orange : colours.blue;
    context.beginPath();
    context.arc(x - this.size / 2 - 1, y + this.size / 2 + 1, 1.2 + 3 * Math.sqrt(size), 0, 2 * Math.PI);
    context.fill();
  }
}
