// A server without a network: it speaks the sync protocol with diffs, and damages some of them on their way.
import { hashOf } from "../../../crates/client/js/hash.js";
import { textOf } from "../../../crates/client/js/text.js";
import { patchOf } from "./patches.js";

const ZERO = { querySet: 0, identity: 0, ts: 0 };

/** The number of a result, unique in the process. */
let results = 1;

export class MockServer {
  /**
   * `values`: the results of the queries now, by the path of their function.
   * `damaged(diff)`: a QueryDiff as it arrives.
   */
  constructor({ values, random, damaged = (diff) => diff }) {
    Object.assign(this, { values, random, damaged });
    this.sockets = new Set();
    this.counts = { full: 0, diffs: 0, resyncs: 0 };
    const server = this;
    /** Stands for `globalThis.WebSocket`. */
    this.WebSocket = class extends MockSocket {
      constructor(url) {
        super(url, server);
      }
    };
  }

  /** Gives some queries other results, and tells everyone. */
  change(values) {
    for (const [path, value] of Object.entries(values)) this.values[path] = value;
    for (const socket of this.sockets) socket.tell();
  }

  /** Cuts all connections. */
  cut() {
    for (const socket of this.sockets) socket.end(1006);
  }
}

/** One connection: what the client sees of a WebSocket, and the server's session behind it. */
class MockSocket {
  readyState = 0;
  #server;
  #version = ZERO;
  #querySet = 0;
  /** Query → its path, and the number and value of the result that was told last. */
  #queries = new Map();
  #removed = [];

  constructor(url, server) {
    this.url = url;
    this.#server = server;
    setImmediate(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      server.sockets.add(this);
      this.onopen({ type: "open" });
    });
  }

  send(text) {
    const message = JSON.parse(text);
    if (message.type === "ModifyQuerySet") {
      for (const { type, queryId, udfPath } of message.modifications) {
        if (type === "Add") this.#queries.set(queryId, { path: udfPath });
        else if (this.#queries.delete(queryId)) this.#removed.push({ type: "QueryRemoved", queryId });
      }
      this.#querySet = message.newVersion;
      setImmediate(() => this.tell());
    } else if (message.type === "QueryResync") {
      this.#server.counts.resyncs++;
      const query = this.#queries.get(message.queryId);
      if (query === undefined) return;
      query.result = undefined;
      // Sometimes other changes come first.
      if (this.#server.random(3) > 0) setImmediate(() => this.tell());
      else query.late = 3;
    }
  }

  close() {
    this.end(1000);
  }

  end(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#server.sockets.delete(this);
    setImmediate(() => this.onclose({ type: "close", code, reason: "" }));
  }

  /** Sends a Transition to this moment. */
  tell() {
    if (this.readyState !== 1) return;
    const modifications = this.#removed.splice(0);
    for (const [queryId, query] of this.#queries) {
      if (query.late > 0 && query.late-- > 1) modifications.push(...this.#wrongDiff(queryId, query));
      else modifications.push(...this.#modification(queryId, query));
    }
    const end = { ...this.#version, querySet: this.#querySet, ts: this.#version.ts + 1 };
    const message = { type: "Transition", startVersion: wire(this.#version), endVersion: wire(end), modifications };
    this.#version = end;
    this.onmessage({ type: "message", data: textOf(message) });
  }

  #modification(queryId, query) {
    const value = this.#server.values[query.path];
    const known = query.result;
    if (known?.value === value) return [];
    query.result = { number: results++, value };
    const rest = { queryId, result: query.result.number, logLines: [], journal: null };
    const { counts, random, damaged } = this.#server;
    if (known === undefined || random(20) === 0) {
      counts.full++;
      return [{ type: "QueryUpdated", value, ...rest }];
    }
    counts.diffs++;
    return [damaged({ type: "QueryDiff", base: known.number, hash: hashOf(value), diff: patchOf(known.value, value, random), ...rest })];
  }

  /** A diff that was under way when the client asked for the full value. */
  #wrongDiff(queryId, query) {
    query.result = undefined;
    return [{ type: "QueryDiff", queryId, base: 0, result: 0, hash: "", diff: {}, logLines: [], journal: null }];
  }
}

function wire({ ts, ...rest }) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(ts));
  return { ...rest, ts: bytes.toString("base64") };
}
