// The surface of the adapter's socket: what the official clients, and others, use of a WebSocket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hullWebSocket } from "@hull/client";

/** An underlying socket that a test drives. */
class Driven {
  static made = [];
  readyState = 0;
  sent = [];
  binaryType = "blob";
  bufferedAmount = 3;
  protocol = "p";
  extensions = "e";

  constructor(...args) {
    this.args = args;
    [this.url] = args;
    Driven.made.push(this);
  }

  send(data) {
    this.sent.push(data);
  }

  close(...why) {
    this.closed = why;
  }
}

function opened() {
  const socket = new (hullWebSocket({ WebSocket: Driven }))("ws://x/api/sync");
  const under = Driven.made.at(-1);
  under.readyState = 1;
  return { socket, under };
}

const misfit = '{"type":"Transition","startVersion":{},"endVersion":{},"modifications":[{"type":"QueryDiff","queryId":3}]}';

test("the address asks for diffs, and the rest goes to the underlying class", () => {
  const Hull = hullWebSocket({ WebSocket: Driven });
  const asked = (...args) => (new Hull(...args), Driven.made.at(-1).args);
  assert.deepEqual(asked("ws://x/api/1.48.0/sync"), ["ws://x/api/1.48.0/sync?diffs=1"]);
  assert.deepEqual(asked(new URL("wss://x/sync?a=1"), ["p"], { headers: {} }), ["wss://x/sync?a=1&diffs=1", ["p"], { headers: {} }]);
});

test("without a WebSocket there is an error when one is made, and not before", () => {
  const known = globalThis.WebSocket;
  try {
    delete globalThis.WebSocket;
    const Hull = hullWebSocket();
    assert.throws(() => new Hull("ws://x"), /hullWebSocket\(\{ WebSocket \}\)/);
    globalThis.WebSocket = Driven;
    assert.equal(new Hull("ws://x").url, "ws://x?diffs=1");
  } finally {
    if (known) globalThis.WebSocket = known;
    else delete globalThis.WebSocket;
  }
});

test("events reach handlers and listeners", () => {
  const { socket, under } = opened();
  const heard = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket[`on${type}`] = (event) => heard.push(["on", event.type, event.data]);
    socket.addEventListener(type, (event) => heard.push(["listener", event.type, event.data]));
  }
  const handler = { handleEvent: () => heard.push(["object"]) };
  socket.addEventListener("message", handler);
  socket.addEventListener("message", () => heard.push(["once"]), { once: true });
  under.onopen({ type: "open" });
  under.onmessage({ type: "message", data: '{"type":"Ping"}' });
  socket.removeEventListener("message", handler);
  socket.onerror = null;
  under.onmessage({ type: "message", data: "2" });
  under.onerror({ type: "error" });
  under.onclose({ type: "close" });
  assert.deepEqual(heard, [
    ["on", "open", undefined], ["listener", "open", undefined],
    ["on", "message", '{"type":"Ping"}'], ["listener", "message", '{"type":"Ping"}'], ["object"], ["once"],
    ["on", "message", "2"], ["listener", "message", "2"],
    ["listener", "error", undefined],
    ["on", "close", undefined], ["listener", "close", undefined],
  ]);
});

test("state and calls are those of the underlying socket", () => {
  const { socket, under } = opened();
  socket.binaryType = "arraybuffer";
  socket.send("x");
  socket.close(1000, "done");
  assert.deepEqual([under.binaryType, under.sent, under.closed], ["arraybuffer", ["x"], [1000, "done"]]);
  const { url, readyState, bufferedAmount, protocol, extensions, binaryType } = socket;
  assert.deepEqual([url, readyState, bufferedAmount, protocol, extensions, binaryType], ["ws://x/api/sync?diffs=1", 1, 3, "p", "e", "arraybuffer"]);
  const states = ({ CONNECTING, OPEN, CLOSING, CLOSED }) => [CONNECTING, OPEN, CLOSING, CLOSED];
  assert.deepEqual([states(socket), states(socket.constructor)], [[0, 1, 2, 3], [0, 1, 2, 3]]);
});

test("a full value is asked for on an open socket alone", () => {
  const { socket, under } = opened();
  const heard = [];
  socket.onmessage = ({ data }) => heard.push(data);
  under.onmessage({ data: misfit });
  assert.deepEqual(under.sent, ['{"type":"QueryResync","queryId":3}']);
  assert.deepEqual(heard, ['{"type":"Ping"}']);
  const other = opened();
  other.under.readyState = 2;
  other.under.onmessage({ data: misfit });
  assert.deepEqual(other.under.sent, []);
});
