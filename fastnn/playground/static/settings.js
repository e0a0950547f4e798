// The form: what the user has chosen, as the text of a link, and back.

const LEARNING_RATES = ["0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0", "3.0", "10.0"];
const MOST_LAYERS = 6;
const MOST_UNITS = 12;
const ACTIVATIONS = ["identity", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "hard_swish",
  "softsign", "tanh", "sigmoid", "softplus"];
export const OPTIMIZERS = {
  sgd: ["SGD", "Plain descent: each weight steps against its gradient."],
  momentum: ["SGD with momentum", "A ball that rolls: nine tenths of the last step go into the next."],
  adam: ["Adam", "Steps of about the learning rate, whatever the size of the gradient."],
  adamw: ["AdamW", "Adam, with weights that shrink a little at each step."],
  nadam: ["NAdam", "Adam that looks ahead along its momentum."],
  radam: ["RAdam", "Adam that begins carefully, until it knows how gradients vary."],
  rmsprop: ["RMSprop", "Steps divided by how large the gradients were lately."],
  adagrad: ["Adagrad", "Steps divided by all gradients so far: they get ever shorter."],
  lion: ["Lion", "Only the sign of the momentum counts: every weight steps equally far."],
};

export class SettingsForm {
  wrong = ""; // why the run is not the one that the form shows
  #layers = [];
  #table = "";

  constructor(form, whenChanged) {
    this.form = form;
    this.whenChanged = whenChanged;
    this.#options("activation", ACTIVATIONS.map((name) => [name, name.replaceAll("_", " ")]));
    this.#options("optimizer", Object.entries(OPTIMIZERS).map(([name, [label]]) => [name, label]));
    this.#options("learning_rate", LEARNING_RATES.map((rate) => [rate, String(Number(rate))]));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", ({ target }) => this.#showNumber(target));
    form.addEventListener("change", ({ target }) => this.#changed(target));
    this.#element("fewer").addEventListener("click", () => this.#resize(this.#layers.slice(0, -1)));
    this.#element("more").addEventListener("click", () =>
      this.#resize([...this.#layers, this.#layers.at(-1) ?? 8].slice(0, MOST_LAYERS)));
  }

  #element(id) {
    return this.form.querySelector(`#${id}`);
  }

  #options(id, pairs) {
    this.#element(id).replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
  }

  #changed(target) {
    if (target.id === "file" || (target.name === "data" && target.value === "table" && !this.#table)) {
      this.#showParts();
      const [file] = target.files ?? [];
      if (!file) {
        this.wrong = "Choose the CSV file of your table first.";
        return;
      }
      this.whenFile(file).finally(() => (target.value = "")); // so that it may be chosen again once it is put right
      return;
    }
    const { layer } = target.dataset;
    if (layer && target.checkValidity()) this.#layers[Number(layer)] = Number(target.value);
    this.#showParts();
    const wrong = [...this.form.elements].find((control) => !control.checkValidity());
    if (wrong) {
      const name = wrong.getAttribute("aria-label") ?? wrong.labels[0].textContent;
      const expected = `a whole number from ${wrong.min} to ${wrong.max}`;
      this.complain(`${name} must be ${expected}; got ${wrong.value || "nothing"}`, wrong);
      return;
    }
    if (target.type === "number") target.value = String(Number(target.value)); // browsers take 3e1 for a number too
    this.whenChanged();
  }

  /** Shows what is wrong, at the control. */
  complain(message, control) {
    this.accept();
    this.wrong = message;
    control?.setAttribute("aria-invalid", "true");
    control?.setAttribute("aria-errormessage", "alert");
    this.whenWrong(message);
  }

  /** Takes back what `complain` has shown. */
  accept() {
    this.wrong = "";
    this.form.querySelectorAll("[aria-invalid]").forEach((control) => {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-errormessage");
    });
  }

  control(field) {
    const places = { layers: "more", columns: "column-x" };
    const found = places[field] ? this.#element(places[field]) : this.form.elements[field];
    return found instanceof RadioNodeList ? found[0] : found;
  }

  takeTable(key) {
    this.#table = key;
    this.showColumns([], []);
    this.form.elements.data.value = "table";
    this.#showParts();
    this.whenChanged();
  }

  /** Shows the columns of the table, and which of them are chosen. */
  showColumns(header, chosen) {
    this.#element("columns").hidden = !header.length;
    this.#columns().forEach((select, i) => {
      const { options } = select;
      const isSame = options.length === header.length && header.every((name, at) => options[at].text === name);
      if (!isSame) select.replaceChildren(...header.map((name, at) => new Option(name, at)));
      if (header.length) select.value = chosen[i];
    });
  }

  #columns() {
    return [...this.form.querySelectorAll("#columns select")];
  }

  /** The text of a link to what the form shows. */
  query() {
    const text = new URLSearchParams(new FormData(this.form));
    text.set("layers", this.#layers.join("-"));
    if (text.get("data") === "table") {
      text.set("table", this.#table);
      text.set("columns", this.#columns().map((select) => select.value).filter(Boolean).join("-"));
    }
    return text.toString();
  }

  /** Shows settings. */
  show(settings) {
    for (const [name, value] of Object.entries(settings)) {
      const control = this.form.elements[name];
      if (!control) continue;
      if (name === "learning_rate") this.#showRate(value);
      else control.value = value;
      if (control.type === "range") this.#showNumber(control);
    }
    this.#table = settings.table;
    this.#showLayers(settings.layers ? settings.layers.split("-").map(Number) : []);
    this.#showParts();
  }

  #showRate(value) {
    const select = this.#element("learning_rate");
    const found = [...select.options].find((option) => Number(option.value) === Number(value));
    if (!found) select.add(new Option(String(Number(value)), value));
    select.value = found ? found.value : value;
  }

  #showNumber(control) {
    const output = this.form.querySelector(`output[for="${control.id}"]`);
    if (!output) return;
    const text = "percent" in output.dataset ? `${Math.round(control.value * 100)} %` : control.value;
    output.textContent = text;
    control.setAttribute("aria-valuetext", text);
  }

  #showParts() {
    const isTable = this.form.elements.data.value === "table";
    this.#element("file-part").hidden = !isTable;
    this.#element("columns").hidden = !isTable || !this.#columns()[0].options.length;
    this.form.querySelectorAll(".drawn").forEach((part) => (part.hidden = isTable));
    this.#element("batch-size-part").hidden = this.form.elements.batch.value !== "mini";
    this.#element("optimizer-hint").textContent = OPTIMIZERS[this.form.elements.optimizer.value]?.[1] ?? "";
  }

  #resize(layers) {
    this.#showLayers(layers);
    this.whenChanged();
  }

  #showLayers(layers) {
    const isSame = layers.length === this.#layers.length;
    this.#layers = layers;
    this.#element("layer-count").textContent = String(layers.length);
    // Not `disabled`, which would take the focus away from whoever has just pressed it.
    this.#element("fewer").setAttribute("aria-disabled", String(layers.length === 0));
    this.#element("more").setAttribute("aria-disabled", String(layers.length === MOST_LAYERS));
    const group = this.#element("layers");
    if (isSame) {
      group.querySelectorAll("input").forEach((input, i) => (input.value = layers[i]));
      return;
    }
    group.replaceChildren(...layers.map((units, i) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      Object.assign(input, { type: "number", min: 1, max: MOST_UNITS, value: units, required: true });
      input.dataset.layer = i;
      input.setAttribute("aria-label", `Units of layer ${i + 1}`);
      label.append(`layer ${i + 1}`, input);
      return label;
    }));
  }
}
