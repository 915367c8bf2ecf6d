// The websocket that the official client is given: the underlying one, with diffs unpacked on the way in.
//
// Guarantees: opens, errors and closes pass as they come; a message event carries `data` as a string, as JSON.parse
// wants it; each socket starts with nothing, and what it kept goes when it closes.

import { Transitions } from "./transitions.js";

const OPEN = 1;

/**
 * A class to be given to a client of the sync protocol as its `webSocketConstructor`.
 * @param {{ WebSocket?: Function }} [options] the underlying class; `globalThis.WebSocket` when absent
 */
export function hullWebSocket(options = {}) {
  return class HullWebSocket {
    static CONNECTING = 0;
    static OPEN = OPEN;
    static CLOSING = 2;
    static CLOSED = 3;
    CONNECTING = 0;
    OPEN = OPEN;
    CLOSING = 2;
    CLOSED = 3;

    onopen = null;
    onmessage = null;
    onerror = null;
    onclose = null;

    #socket;
    #transitions = new Transitions();
    #listeners = new Map();

    constructor(url, ...rest) {
      // Only now: a page that is rendered on a server may be configured where there is no WebSocket.
      const Base = options.WebSocket ?? globalThis.WebSocket;
      if (typeof Base !== "function") {
        throw new TypeError("there is no WebSocket here; name one, such as the class of the package ws: hullWebSocket({ WebSocket })");
      }
      this.#socket = new Base(askingForDiffs(String(url)), ...rest);
      this.#socket.onopen = (event) => this.#emit("open", event);
      this.#socket.onerror = (event) => this.#emit("error", event);
      this.#socket.onmessage = (event) => this.#receive(event.data);
      this.#socket.onclose = (event) => {
        this.#transitions = null;
        this.#emit("close", event);
      };
    }

    #receive(data) {
      const { text, resync } = this.#transitions.receive(data);
      for (const queryId of resync) {
        if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify({ type: "QueryResync", queryId }));
      }
      this.#emit("message", { type: "message", data: text, target: this, currentTarget: this });
    }

    #emit(type, event) {
      this[`on${type}`]?.(event);
      for (const [listener, once] of [...(this.#listeners.get(type) ?? [])]) {
        if (once) this.removeEventListener(type, listener);
        if (typeof listener === "function") listener.call(this, event);
        else listener.handleEvent(event);
      }
    }

    addEventListener(type, listener, { once = false } = {}) {
      if (!listener) return;
      if (!this.#listeners.has(type)) this.#listeners.set(type, new Map());
      this.#listeners.get(type).set(listener, once);
    }

    removeEventListener(type, listener) {
      this.#listeners.get(type)?.delete(listener);
    }

    send(data) {
      this.#socket.send(data);
    }

    close(...why) {
      this.#socket.close(...why);
    }

    get url() {
      return this.#socket.url;
    }

    get readyState() {
      return this.#socket.readyState;
    }

    get bufferedAmount() {
      return this.#socket.bufferedAmount;
    }

    get protocol() {
      return this.#socket.protocol;
    }

    get extensions() {
      return this.#socket.extensions;
    }

    get binaryType() {
      return this.#socket.binaryType;
    }

    set binaryType(type) {
      this.#socket.binaryType = type;
    }
  };
}

function askingForDiffs(url) {
  return `${url}${url.includes("?") ? "&" : "?"}diffs=1`;
}
