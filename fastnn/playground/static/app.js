// The page as a whole: what the user does, and what comes of it.

import { classColour, colours, readColours } from "./colours.js";
import { Connection, LOST } from "./connection.js";
import { Curves } from "./curves.js";
import { Detail } from "./detail.js";
import { Diagram } from "./diagram.js";
import { percent, short, steady } from "./numbers.js";
import { Plane, mark } from "./plane.js";
import { SettingsForm } from "./settings.js";

const $ = (id) => document.getElementById(id);
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const CALM_PAUSE = 500; // milliseconds between two pictures for those who do not want motion
const REPORT_PAUSE = 20_000; // between two reports to screen readers while training

const connection = new Connection((message) => fail(message));
const diagram = new Diagram($("diagram"), () => frame && detail.draw(frame));
const detail = new Detail(diagram);
const plane = new Plane($("plane"));
const curves = new Curves($("curves"));
const form = new SettingsForm($("settings"), () => begin(form.query(), false));

let run = null;
let frame = null;
let isPlaying = false;
let isEnded = false; // by divergence
let working = Promise.resolve(); // questions are asked one after another
let reported = 0;
let wanted = 0; // how often the user has changed something

/** Begins the run of a link, or says what is wrong with it; `isLink`: the form has yet to show what the text says. */
function begin(query, isLink = true) {
  pause();
  const number = ++wanted;
  return inTurn(async () => {
    if (number !== wanted) return; // the user was faster
    const answer = await connection.ask({ ask: "begin", query });
    if (answer.error) {
      form.complain(answer.error, form.control(answer.field));
      return;
    }
    ({ run } = answer);
    isEnded = false;
    if (number === wanted) {
      complain("");
      form.accept();
    }
    if (isLink && number === wanted) form.show(run.settings);
    if (run.file && number === wanted) form.showColumns(run.header, run.columns);
    history.replaceState(null, "", run.query ? `#${run.query}` : location.pathname);
    for (const part of [plane, diagram, detail, curves]) part.begin(run);
    describe();
    show(answer);
    plane.drawPoints();
    document.documentElement.dataset.ready = "true";
  });
}

function inTurn(work) {
  working = working.then(work).catch((error) => fail(error.message));
  return working;
}

/** What stays the same in a run, in words. */
function describe() {
  const { classes, names, labels, train, updatesPerEpoch, parameters } = run;
  ["x", "y"].forEach((axis, i) => {
    $(`${axis}-low`).textContent = labels[i][0].replace("-", "−");
    $(`${axis}-name`).textContent = names[i];
    $(`${axis}-high`).textContent = labels[i][1].replace("-", "−");
  });
  $("accuracy-figure").hidden = !classes.length;
  const rows = train.X.length;
  if (run.file) {
    const all = rows + run.heldOut.X.length;
    $("file-hint").textContent = `${run.file}: ${all} rows of ${names[0]} and ${names[1]}; to predict: ${names[2]}.`;
  }
  $("batch-hint").textContent = updatesPerEpoch === 1
    ? `Each update looks at all ${rows} training rows: it is an epoch.`
    : `An epoch goes over ${rows} training rows in ${updatesPerEpoch} updates.`;
  $("network-title").textContent = `Network of ${parameters} parameters`;
  legend();
}

function legend() {
  const { classes, names, file } = run;
  const full = (shape, colour) => swatch(shape, colour, true);
  const entries = classes.map((name, i) => [full(i, classColour(i, classes.length)), file ? name : `class ${name}`]);
  if (!classes.length) {
    entries.push([full(1, colours.blue), `${names[2]} above its mean`], [full(1, colours.orange), "below"]);
  }
  entries.push([full(1, colours.muted), "trained on"], [swatch(1, colours.muted, false), "held out"]);
  $("legend").replaceChildren(...entries.map(([canvas, text]) => {
    const entry = document.createElement("span");
    entry.append(canvas, text);
    return entry;
  }));
}

function swatch(shape, colour, isFull) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 24 });
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.beginPath();
  mark(context, shape, 12, 12, 8);
  context.lineWidth = 3;
  [context.fillStyle, context.strokeStyle] = [colour, colour];
  if (isFull) context.fill();
  else context.stroke();
  return canvas;
}

function show(answer) {
  frame = answer;
  curves.add(frame);
  draw();
  const { train, heldOut, epochs, updates, digest } = frame;
  $("epochs").textContent = epochs.toLocaleString("en");
  $("updates").textContent = updates.toLocaleString("en");
  $("train-loss").textContent = steady(train.loss);
  $("held-out-loss").textContent = steady(heldOut.loss);
  if (heldOut.accuracy !== undefined) $("accuracy").textContent = percent(heldOut.accuracy);
  $("digest").textContent = digest;
  document.documentElement.dataset.frames = String(Number(document.documentElement.dataset.frames ?? 0) + 1);
  if (frame.diverged) {
    isEnded = true;
    pause();
    complain(frame.diverged);
  }
}

function draw() {
  for (const part of [plane, diagram, detail, curves]) part.draw(frame);
  const [line, dots] = diagram.shows === "parameters" ? ["a weight", "biases"]
    : ["a gradient of the loss", "those of the biases"];
  const thickest = `The thickest line is ${line} of ${short(diagram.largest)}; the dots are ${dots}.`;
  $("edges-hint").textContent = `Blue is above 0, orange below. ${thickest}`;
}

// ------------------------------------------------------------------- training

function question() {
  const speed = $("speed").value;
  return speed === "update" ? { ask: "update" } : { ask: "epochs", count: Number(speed) };
}

const picture = () => new Promise((resolve) => requestAnimationFrame(resolve));
const calmPause = () => new Promise((resolve) => setTimeout(resolve, CALM_PAUSE));

/** Whether the run may go on; says why not. */
function mayGoOn() {
  const hindrance = form.wrong || (isEnded && frame.diverged);
  if (hindrance) complain(hindrance); // the form shows something else than the run; or the run is over
  return run && !hindrance;
}

async function train() {
  if (isPlaying || !mayGoOn()) return;
  isPlaying = true;
  showPlaying();
  reported = performance.now();
  report("Training");
  await inTurn(async () => {
    while (isPlaying) {
      const answer = await connection.ask(question());
      await (CALM.matches ? calmPause() : picture());
      show(answer);
      if (isPlaying && performance.now() - reported > REPORT_PAUSE) report(standing());
    }
  });
}

function pause() {
  if (!isPlaying) return;
  isPlaying = false;
  showPlaying();
  inTurn(() => report(`Paused. ${standing()}`));
}

function showPlaying() {
  $("play-text").textContent = isPlaying ? "Pause" : "Train";
  document.documentElement.dataset.playing = String(isPlaying);
}

$("play").addEventListener("click", () => (isPlaying ? pause() : train()));
$("update").addEventListener("click", () => {
  pause();
  if (!mayGoOn()) return;
  inTurn(async () => {
    show(await connection.ask({ ask: "update" }));
    report(standing());
  });
});
$("reset").addEventListener("click", async () => {
  await begin(run ? run.query : form.query());
  report("Reset: the network is as it was before its first update");
});

// ------------------------------------------------------------------- in words

function standing() {
  const { epochs, updates, train, heldOut } = frame;
  const parts = [`epoch ${epochs}, update ${updates}`, `training loss ${steady(train.loss)}`];
  parts.push(`held-out loss ${steady(heldOut.loss)}`);
  if (heldOut.accuracy !== undefined) parts.push(`accuracy ${percent(heldOut.accuracy)}`);
  return parts.join(", ");
}

/** For screen readers; and now is the time to say anew what the pictures show. */
function report(text) {
  reported = performance.now();
  $("status").textContent = text;
  if (!frame) return;
  const { updates, train, heldOut } = frame;
  const shown = heldOut.accuracy === undefined ? ""
    : `: ${percent(heldOut.accuracy)} of the held-out rows are on their side of the boundary`;
  document.querySelector("#plane .points")
    .setAttribute("aria-label", `The plane of ${run.names[0]} and ${run.names[1]}${shown}`);
  const losses = `${steady(train.loss)} on the training rows, ${steady(heldOut.loss)} on the held-out rows`;
  $("curves").setAttribute("aria-label", `Loss up to update ${updates}: ${losses}`);
}

function complain(message) {
  $("alert").textContent = message;
}

function fail(message) {
  isPlaying = false;
  showPlaying();
  complain(message);
}

form.whenWrong = (message) => {
  wanted++;
  complain(message);
};
form.whenFile = async (file) => {
  if (file.size > 1_000_000) {
    form.complain("The file must have at most 1,000 kB", $("file"));
    return;
  }
  let answer;
  try {
    const response = await fetch(`/tables?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    answer = await response.json();
  } catch {
    fail(LOST);
    return;
  }
  if (answer.error) form.complain(`${file.name}: ${answer.error}`, $("file"));
  else form.takeTable(answer.table);
};

// ---------------------------------------------------------- to take elsewhere

async function copy(text, place, what) {
  try {
    await navigator.clipboard.writeText(text);
    place.textContent = `${what} copied`;
  } catch {
    place.textContent = "The browser did not let it be copied: select it, and copy it yourself";
  }
}

$("copy-python").addEventListener("click", () => {
  pause();
  inTurn(async () => {
    const { python } = await connection.ask({ ask: "python" });
    $("python").textContent = python;
    $("script").showModal();
    await copy(python, $("copied-python"), "Code");
  });
});
$("copy-again").addEventListener("click", () => copy($("python").textContent, $("copied-python"), "Code"));
$("close").addEventListener("click", () => $("script").close());
$("copy-link").addEventListener("click", () => copy(location.href, $("copied"), "Link"));

// ------------------------------------------------------------------ beginning

function recolour() {
  readColours();
  if (!run) return;
  draw();
  plane.drawPoints();
  legend();
}

document.querySelectorAll("[name=edges]").forEach((choice) => choice.addEventListener("change", () => {
  diagram.shows = choice.value;
  if (frame) draw();
}));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
new ResizeObserver(() => {
  if (!run) return;
  plane.draw(frame);
  plane.drawPoints();
  curves.draw();
}).observe($("plane"));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is that of the run
  $("training").focus();
});
addEventListener("hashchange", () => begin(location.hash.slice(1)));

readColours();
const link = location.hash.slice(1);
await begin(link);
if (!run && link) {
  const wrong = $("alert").textContent;
  await begin(""); // what the link wants cannot be had
  complain(wrong);
}
