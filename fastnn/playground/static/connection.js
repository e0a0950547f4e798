// Questions to the server, and its answers: one to each, in order.

export const LOST = "The playground has ended: start fastnn playground again, and reload this page.";

export class Connection {
  #waiting = [];
  #socket;

  constructor(whenLost) {
    this.#socket = new WebSocket(`ws://${location.host}/run`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) =>
      this.#waiting.shift().resolve(typeof data === "string" ? JSON.parse(data) : decoded(data));
    this.#socket.onclose = () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(LOST));
      whenLost(LOST);
    };
    this.opened = new Promise((resolve) => (this.#socket.onopen = resolve));
  }

  /** Resolves to a frame, {python}, or {error, field}. */
  async ask(question) {
    await this.opened;
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) return reject(new Error(LOST));
      this.#waiting.push({ resolve, reject });
      this.#socket.send(JSON.stringify(question));
    });
  }
}

const KINDS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };

/** A frame: what its header says, with its arrays by name. */
function decoded(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let offset = 4 + length;
  for (const [name, kind, size] of frame.arrays) {
    frame[name] = new KINDS[kind](buffer, offset, size);
    offset += frame[name].byteLength;
  }
  return frame;
}
