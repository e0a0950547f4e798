// The plane of the two features: what the network puts out everywhere, its boundary, and the points.

import { classColour, colours, fresh, paint } from "./colours.js";

const SOFTLY = 0.6; // so that points stand out

export class Plane {
  constructor(element) {
    this.surface = element.querySelector(".surface");
    this.points = element.querySelector(".points");
  }

  begin(run) {
    this.run = run;
    this.grid = document.createElement("canvas");
  }

  draw(frame) {
    this.frame = frame;
    paint(this.grid, frame.plane, SOFTLY, frame.winners);
    const { context, width, height } = fresh(this.surface);
    context.imageSmoothingEnabled = !frame.winners.length;
    context.drawImage(this.grid, 0, 0, width, height);
    if (this.run.classes.length === 2) boundary(context, frame.plane, this.run.planePoints, width);
  }

  /** Draws the points, which stay where they are. */
  drawPoints() {
    const { context, width, height } = fresh(this.points);
    const { plane, train, heldOut, classes } = this.run;
    const [[left, right], [bottom, top]] = plane;
    const many = train.X.length + heldOut.X.length > 700;
    const size = (many ? 2.2 : 3.4) * Math.min(1, width / 340 + 0.15);
    for (const [part, isHeldOut] of [[heldOut, true], [train, false]]) {
      part.X.forEach(([x, y], i) => {
        const target = part.y[i];
        context.beginPath();
        mark(context, classes.length ? target : 1, ((x - left) / (right - left)) * width,
          (1 - (y - bottom) / (top - bottom)) * height, size);
        const colour = classes.length ? classColour(target, classes.length) : shade(target);
        context.lineWidth = isHeldOut ? 1.6 : 1;
        context.fillStyle = isHeldOut ? colours.surface : colour;
        context.strokeStyle = isHeldOut ? colour : colours.surface;
        context.fill();
        context.stroke();
      });
    }
  }
}

/** Each class has a shape too, for those who do not tell the colours apart. */
export function mark(context, shape, x, y, size) {
  const s = size * 0.95;
  if (shape % 4 === 1) context.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape % 4 === 0) context.rect(x - s * 0.92, y - s * 0.92, s * 1.84, s * 1.84);
  else {
    const corners = shape % 4 === 2 ? [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]]
      : [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]];
    corners.forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + dx * s, y + dy * s));
    context.closePath();
  }
}

function shade(target) {
  const colour = target < 0 ? colours.orange : colours.blue;
  return `color-mix(in srgb, ${colour} ${Math.min(100, Math.abs(target) * 50)}%, ${colours.muted})`;
}

/** The line on which a grid of values is 0, piece by piece (marching squares). */
function boundary(context, values, side, width) {
  const cell = width / side;
  context.beginPath();
  for (let row = 0; row + 1 < side; row++) {
    for (let column = 0; column + 1 < side; column++) {
      const at = row * side + column;
      const [a, b, c, d] = [values[at], values[at + 1], values[at + side + 1], values[at + side]];
      if (a >= 0 === b >= 0 && b >= 0 === c >= 0 && c >= 0 === d >= 0) continue;
      const crossings = [];
      const edge = (from, to, x0, y0, x1, y1) => {
        if (from >= 0 === to >= 0) return;
        const share = from / (from - to);
        crossings.push([x0 + (x1 - x0) * share, y0 + (y1 - y0) * share]);
      };
      edge(a, b, 0, 0, 1, 0);
      edge(b, c, 1, 0, 1, 1);
      edge(c, d, 1, 1, 0, 1);
      edge(d, a, 0, 1, 0, 0);
      crossings.forEach(([x, y], i) =>
        context[i % 2 ? "lineTo" : "moveTo"]((column + 0.5 + x) * cell, (row + 0.5 + y) * cell));
    }
  }
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.5;
  context.stroke();
}
