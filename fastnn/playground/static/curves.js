// The loss on both parts of the data, from the first update on.

import { colours, fresh } from "./colours.js";
import { short } from "./numbers.js";

const MOST = 2000; // points of a curve; of more, every other one is left out

export class Curves {
  constructor(canvas) {
    this.canvas = canvas;
  }

  begin() {
    this.points = [];
    this.apart = 0; // updates between two points
  }

  add({ updates, train, heldOut }) {
    if (train.loss === null || heldOut.loss === null) return; // not finite
    const last = this.points.at(-1);
    if (last && updates - last[0] < this.apart) this.latest = [updates, train.loss, heldOut.loss];
    else {
      this.points.push([updates, train.loss, heldOut.loss]);
      this.latest = null;
    }
    if (this.points.length > MOST) {
      this.points = this.points.filter((_, i) => i % 2 === 0);
      this.apart = this.points.at(-1)[0] / this.points.length;
    }
  }

  draw() {
    const { context, width, height } = fresh(this.canvas);
    if (!this.points.length) return;
    const shown = this.latest ? [...this.points, this.latest] : this.points;
    const [left, right, top, bottom] = [34, width - 8, 8, height - 22];
    const most = nice(Math.max(...shown.map(([, a, b]) => Math.max(a, b))) || 1);
    const end = Math.max(1, shown.at(-1)[0]);
    const x = (updates) => left + ((right - left) * updates) / end;
    const y = (loss) => bottom - ((bottom - top) * Math.min(loss, most)) / most;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.muted;
    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y(most * share)) + 0.5;
      line(context, [[left, at], [right, at]]);
      context.textAlign = "right";
      context.fillText(short(most * share), left - 6, at + 4);
    }
    context.textAlign = "left";
    context.fillText("0", left, height - 5);
    context.textAlign = "right";
    context.fillText(`update ${shown.at(-1)[0].toLocaleString("en")}`, right, height - 5);
    context.lineWidth = 2;
    context.lineJoin = "round";
    for (const [column, colour, dashes] of [[2, colours.orange, [5, 3]], [1, colours.blue, []]]) {
      context.strokeStyle = colour;
      context.setLineDash(dashes);
      line(context, shown.map((point) => [x(point[0]), y(point[column])]));
      context.setLineDash([]);
      context.beginPath();
      context.fillStyle = colour;
      context.arc(x(shown.at(-1)[0]), y(shown.at(-1)[column]), 2.5, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

function line(context, points) {
  context.beginPath();
  points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
  context.stroke();
}

/** The next number of the form 1, 2, 5 · 10ⁿ. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= value * 0.999);
}
