// A small client of the sync protocol: live queries and mutations over one websocket.
//
// Guarantees: a query's callback is told every change of its answer, all answers of one moment together; a mutation's
// promise settles once, after the live queries show it; after a lost connection everything is asked for again, and a
// mutation that was already applied is not applied twice (the server knows it by session and request number).

const INITIAL_BACKOFF = 100, MAX_BACKOFF = 16_000, SILENCE = 45_000;
const ZERO = { querySet: 0, identity: 0, ts: "AAAAAAAAAAA=" };

/** A timestamp of the protocol: base64 of eight little-endian bytes. */
function timestamp(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0)).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const same = (a, b) => a.querySet === b.querySet && a.identity === b.identity && a.ts === b.ts;

/** A version 4 UUID; `crypto.randomUUID` exists on https and localhost only. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** What the wire calls a value, as JavaScript: integers become BigInt, bytes a Uint8Array. */
export function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0].startsWith("$")) {
    const bytes = Uint8Array.from(atob(value[keys[0]]), c => c.charCodeAt(0));
    if (keys[0] === "$bytes") return bytes;
    const view = new DataView(bytes.buffer);
    if (keys[0] === "$integer") return view.getBigInt64(0, true);
    if (keys[0] === "$float") return view.getFloat64(0, true);
  }
  return Object.fromEntries(keys.map(key => [key, decode(value[key])]));
}

export class ServerError extends Error {
  constructor(message, data) {
    super(message);
    this.data = data;
  }
}

export class Hull {
  #url; #socket = null; #session = uuid(); #connections = 0; #closeReason = "InitialConnect"; #backoff = INITIAL_BACKOFF;
  #queries = new Map(); #nextQuery = 0; #querySet = 0; #version = ZERO;
  #requests = new Map(); #nextRequest = 0; #maxObserved = null;
  #silence = 0; #retry = 0; #onState;

  /** Connects to the server at `url` (http or https); `onState` hears "connecting", "open" and "lost". */
  constructor(url, onState = () => {}) {
    this.#url = new URL("/api/sync", url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#onState = onState;
    addEventListener("online", () => this.#socket === null && this.#connect());
    this.#connect();
  }

  /** Keeps a query live: `onValue` gets each new answer, `onError` a ServerError. Returns a function that ends it. */
  subscribe(path, args, onValue, onError = () => {}) {
    const queryId = this.#nextQuery++;
    const query = { path, args, onValue, onError, journal: null };
    this.#queries.set(queryId, query);
    this.#modify([this.#add(queryId, query)]);
    return () => this.#queries.delete(queryId) && this.#modify([{ type: "Remove", queryId }]);
  }

  /** Runs a mutation; the promise gives its result once the live queries show it. */
  mutation(path, args) {
    return new Promise((resolve, reject) => {
      const requestId = this.#nextRequest++;
      const message = { type: "Mutation", requestId, udfPath: path, args: [args] };
      this.#requests.set(requestId, { message, resolve, reject, result: null });
      this.#send(message);
    });
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#onState("connecting");
    const socket = this.#socket = new WebSocket(this.#url);
    socket.onopen = () => {
      this.#version = ZERO;
      this.#querySet = 0;
      this.#heard();
      this.#send({
        type: "Connect", sessionId: this.#session, connectionCount: this.#connections++,
        lastCloseReason: this.#closeReason, clientTs: Date.now(),
        ...(this.#maxObserved === null ? {} : { maxObservedTimestamp: this.#maxObserved }),
      });
      this.#modify([...this.#queries].map(([queryId, query]) => this.#add(queryId, query)));
      for (const { message } of this.#requests.values()) this.#send(message);
      this.#onState("open");
    };
    socket.onmessage = event => {
      this.#heard();
      this.#receive(JSON.parse(event.data));
    };
    socket.onclose = event => {
      if (this.#socket === socket) this.#lost(event.reason || "OnClose");
    };
  }

  #lost(reason) {
    clearTimeout(this.#silence);
    this.#closeReason = reason;
    this.#socket = null;
    this.#onState("lost");
    this.#retry = setTimeout(() => this.#connect(), this.#backoff * (0.5 + Math.random()));
    this.#backoff = Math.min(this.#backoff * 2, MAX_BACKOFF);
  }

  /** The server says something at least every 15 seconds; long silence means that it can't be reached. */
  #heard() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#abandon("InactiveServer"), SILENCE);
  }

  #abandon(reason) {
    const socket = this.#socket;
    if (socket === null) return;
    this.#lost(reason);
    socket.close();
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #add(queryId, { path, args, journal }) {
    return { type: "Add", queryId, udfPath: path, args: [args], ...(journal === null ? {} : { journal }) };
  }

  #modify(modifications) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const baseVersion = this.#querySet, newVersion = ++this.#querySet;
    this.#send({ type: "ModifyQuerySet", baseVersion, newVersion, modifications });
  }

  #receive(message) {
    switch (message.type) {
      case "Transition": return this.#transition(message);
      case "MutationResponse": return this.#response(message);
      case "AuthError":
      case "FatalError":
        console.error(message.error);
        return this.#abandon(message.type);
    }
  }

  #response({ requestId, success, result, ts, errorData }) {
    const request = this.#requests.get(requestId);
    if (request === undefined) return;
    if (success) {
      request.result = { ts: timestamp(ts), value: result };
    } else {
      this.#requests.delete(requestId);
      request.reject(new ServerError(result, errorData));
    }
  }

  #transition({ startVersion, endVersion, modifications }) {
    if (!same(startVersion, this.#version)) return this.#abandon("StartVersionMismatch");
    this.#version = endVersion;
    this.#backoff = INITIAL_BACKOFF;
    const now = timestamp(endVersion.ts);
    if (this.#maxObserved === null || now > timestamp(this.#maxObserved)) this.#maxObserved = endVersion.ts;
    const settled = [...this.#requests].filter(([, { result }]) => result !== null && result.ts <= now);
    for (const [requestId] of settled) this.#requests.delete(requestId);
    for (const { type, queryId, value, journal, errorMessage, errorData } of modifications) {
      const query = this.#queries.get(queryId);
      if (query === undefined || type === "QueryRemoved") continue;
      if (journal !== undefined) query.journal = journal;
      if (type === "QueryUpdated") query.onValue(decode(value));
      else query.onError(new ServerError(errorMessage, errorData));
    }
    for (const [, { resolve, result }] of settled) resolve(decode(result.value));
  }
}
