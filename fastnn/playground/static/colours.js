// Colours of the page, and of signed numbers: orange below 0, the card's own colour at 0, blue above.

const NAMES = ["surface", "ink", "muted", "grid", "blue", "orange"];
const CLASSES = 8;
export let colours = {};
let signed; // 256 colours as the four bytes of a pixel, for -128 … 127
let byClass; // as many for each class: from the card's colour to its own

/** Reads the colours that the style sheet has for the present scheme. */
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  colours = Object.fromEntries(NAMES.map((name) => [name, read(name)]));
  colours.classes = Array.from({ length: CLASSES }, (_, i) => read(`class-${i}`));
  signed = new Uint32Array(256);
  for (let value = -128; value < 128; value++) {
    signed[value + 128] = mixed(colours.surface, value < 0 ? colours.orange : colours.blue, Math.abs(value) / 127);
  }
  byClass = colours.classes.map((colour) =>
    Uint32Array.from({ length: 128 }, (_, i) => mixed(colours.surface, colour, i / 127)));
}

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function mixed(from, to, share) {
  const [a, b] = [channels(from), channels(to)];
  const [red, green, blue] = a.map((value, i) => Math.round(value + (b[i] - value) * Math.min(1, share)));
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The colour of class `i` of `n`: of two, 1 is blue, as what is above 0. */
export function classColour(i, n) {
  return n === 2 ? [colours.orange, colours.blue][i] : colours.classes[i % CLASSES];
}

/** Paints a square picture of signed bytes; `softly`: how much of the colour it may have. */
export function paint(canvas, values, softly = 1, winners = null) {
  const side = Math.sqrt(values.length);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  const pixels = new Uint32Array(image.data.buffer);
  if (winners?.length) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = byClass[winners[i]][Math.round(values[i] * softly)];
  } else {
    for (let i = 0; i < pixels.length; i++) pixels[i] = signed[128 + Math.round(values[i] * softly)];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A context whose units are those of the style sheet, on an empty canvas of the size that the page gives it. */
export function fresh(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
