// A websocket client that sends what it is told and checks what every server must keep: the chain of versions.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

/** The number that a timestamp of the wire stands for. */
export function timestamp(text) {
  assert.equal(typeof text, "string", "a timestamp is base64 text");
  const bytes = Buffer.from(text, "base64");
  assert.equal(bytes.length, 8, "a timestamp is eight bytes");
  assert.equal(bytes.toString("base64"), text, "a timestamp is padded standard base64");
  return bytes.readBigUInt64LE();
}

export class RawClient {
  constructor(socket, { sessionId = randomUUID(), connectionCount = 0 } = {}) {
    this.socket = socket;
    this.sessionId = sessionId;
    this.connectionCount = connectionCount;
    this.received = [];
    this.read = 0;
    this.version = { querySet: 0, identity: 0, ts: timestamp("AAAAAAAAAAA=") };
    this.results = new Map();
    this.requests = 0;
    this.querySet = 0;
    this.identity = 0;
    this.chunks = [];
    this.wake = [];
    this.binaryFrames = 0;
    socket.on("message", (data, isBinary) => {
      if (isBinary) this.binaryFrames++;
      this.#take(JSON.parse(data.toString()));
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        this.closeReason = { code, reason: reason.toString() };
        resolve(this.closeReason);
        this.#notify();
      });
    });
    socket.on("error", () => {});
  }

  /** Opens a socket; `path` and `headers` say which client it pretends to be. */
  static async open(server, { path = "/api/1.48.0/sync", headers = {}, connect = true, ...options } = {}) {
    const socket = new WebSocket(`${server.webSocketUrl}${path}`, { headers, perMessageDeflate: false });
    const client = new RawClient(socket, options);
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("unexpected-response", (_, response) => reject(new Error(`HTTP ${response.statusCode}`)));
      socket.once("error", reject);
    });
    if (connect) client.connect(options);
    return client;
  }

  #notify() {
    for (const wake of this.wake.splice(0)) wake();
  }

  #take(message) {
    if (message.type === "TransitionChunk") {
      this.received.push(message);
      assert.equal(message.partNumber, this.chunks.length);
      this.chunks.push(message.chunk);
      if (this.chunks.length === message.totalParts) {
        const whole = JSON.parse(this.chunks.join(""));
        this.chunks = [];
        this.#take(whole);
      }
      return;
    }
    assert.ok(this.chunks.length === 0 || message.type === "Ping", "only a Ping may stand between chunks");
    if (message.type === "Transition") this.#transition(message);
    this.received.push(message);
    this.#notify();
  }

  #transition({ startVersion, endVersion, modifications }) {
    const start = { ...startVersion, ts: timestamp(startVersion.ts) };
    const end = { ...endVersion, ts: timestamp(endVersion.ts) };
    this.problem ??= mismatch(start, this.version);
    if (end.ts < start.ts || end.querySet < start.querySet || end.identity < start.identity) {
      this.problem ??= `versions went back: ${show(start)} to ${show(end)}`;
    }
    if (end.ts > 0x7fffffffffffffffn) this.problem ??= `the timestamp ${end.ts} is too large for a signed number`;
    this.version = end;
    for (const change of modifications) {
      if (change.type === "QueryRemoved") this.results.delete(change.queryId);
      else this.results.set(change.queryId, change);
    }
  }

  send(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  connect({ maxObservedTimestamp } = {}) {
    const { sessionId, connectionCount } = this;
    const base = { type: "Connect", sessionId, connectionCount, lastCloseReason: null, clientTs: Date.now() };
    this.send(maxObservedTimestamp === undefined ? base : { ...base, maxObservedTimestamp });
  }

  modify(...modifications) {
    this.send({ type: "ModifyQuerySet", baseVersion: this.querySet, newVersion: ++this.querySet, modifications });
    return this.querySet;
  }

  add(queryId, udfPath, args = {}, more = {}) {
    return { type: "Add", queryId, udfPath, args: [args], ...more };
  }

  authenticate(message) {
    this.send({ type: "Authenticate", baseVersion: this.identity++, ...message });
  }

  mutate(udfPath, args = {}, requestId = this.requests++) {
    this.send({ type: "Mutation", requestId, udfPath, args: [args] });
    return requestId;
  }

  /** The next message that was not handed out yet and that `accept` takes. */
  async next(accept, what = "a message", seconds = 15) {
    if (typeof accept === "string") {
      const type = accept;
      what = `a ${type}`;
      accept = (message) => message.type === type;
    }
    const until = Date.now() + seconds * 1000;
    for (;;) {
      while (this.read < this.received.length) {
        const message = this.received[this.read++];
        if (accept(message)) return message;
      }
      if (this.closeReason) throw new Error(`closed (${show(this.closeReason)}) instead of ${what}`);
      const left = until - Date.now();
      if (left <= 0) throw new Error(`${what} did not come; got ${JSON.stringify(this.received.slice(-5))}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  response(requestId) {
    return this.next(
      (message) => message.type === "MutationResponse" && message.requestId === requestId,
      `the answer of request ${requestId}`,
    );
  }

  /** The Transition that reaches a version of the query set. */
  reach(querySet) {
    return this.next(
      (message) => message.type === "Transition" && message.endVersion.querySet >= querySet,
      `query set ${querySet}`,
    );
  }

  /** The Transition at or after a timestamp of the wire. */
  passing(ts) {
    const wanted = timestamp(ts);
    return this.next(
      (message) => message.type === "Transition" && timestamp(message.endVersion.ts) >= wanted,
      `a Transition at ${wanted}`,
    );
  }

  check() {
    assert.equal(this.problem, undefined);
    assert.equal(this.binaryFrames, 0, "the server sends text only");
  }

  async close() {
    this.socket.close();
    await this.closed;
    this.check();
  }
}

function mismatch(start, version) {
  const same = start.querySet === version.querySet && start.identity === version.identity && start.ts === version.ts;
  return same ? undefined : `a Transition starts at ${show(start)}, the last ended at ${show(version)}`;
}

function show(value) {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
}
