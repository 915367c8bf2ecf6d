// The official usePaginatedQuery on a list that grows, shrinks and is reordered: the pages shown are together the
// beginning of the list at every moment, also while pages are split, connections are cut and the server is started again.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hullWebSocket } from "@hull/client";
import { Window } from "happy-dom";
import WebSocket from "ws";
import { connections } from "./support/connections.js";
import { CuttingProxy } from "./support/proxy.js";
import { randomFrom } from "./support/random.js";
import { eventually, Server, within } from "./support/server.js";

const window = new Window({ url: "http://localhost/" });
for (const name of ["document", "navigator", "HTMLElement", "HTMLIFrameElement", "Node", "Event", "MouseEvent"]) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
}
globalThis.window = window;

const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { ConvexProvider, ConvexReactClient, usePaginatedQuery } = await import("convex/react");
const { ConvexClient, ConvexHttpClient } = await import("convex/browser");
const { anyApi } = await import("convex/server");

const quiet = { logVerbose() {}, log() {}, warn() {}, error() {} };
const cleanups = [];
let server;
let http;

before(async () => {
  server = await Server.start();
  http = new ConvexHttpClient(server.url);
});

after(async () => {
  for (const cleanup of cleanups) await cleanup();
  await server?.stop();
  await window.happyDOM.close();
});

const insert = (client, seqs) => http.mutation(anyApi.ledger.insert, { client, seqs });
const all = (client) => http.query(anyApi.ledger.all, { client });
const numbers = (rows) => rows.map((row) => row.seq);

/** Renders a list in pages and keeps what the hook returned last, and everything that it has shown. */
function show(client, list, initialNumItems) {
  const shown = { last: undefined, history: [] };
  function List() {
    shown.last = usePaginatedQuery(anyApi.ledger.page, { client: list }, { initialNumItems });
    if (shown.last.status !== "LoadingFirstPage") shown.history.push(numbers(shown.last.results));
    return null;
  }
  const root = createRoot(document.createElement("div"));
  cleanups.unshift(() => root.unmount());
  root.render(createElement(ConvexProvider, { client }, createElement(List)));
  return shown;
}

function connect(url, options) {
  const client = new ConvexReactClient(url, { webSocketConstructor: WebSocket, unsavedChangesWarning: false, logger: quiet, ...options });
  cleanups.unshift(() => client.close());
  return client;
}

/** Waits until what is shown is the beginning of the list, and all of it if the hook says so. */
async function settled(shown, list) {
  await eventually(async () => {
    const { results, status } = shown.last;
    const expected = await all(list);
    assert.ok(status === "CanLoadMore" || status === "Exhausted", status);
    assert.deepEqual(numbers(results), numbers(expected.slice(0, results.length)));
    return status === "CanLoadMore" || results.length === expected.length;
  }, `the pages of ${list}`);
}

const ascending = (row) => row.every((seq, at) => at === 0 || row[at - 1] < seq);

for (const { name, options } of connections) describe(`usePaginatedQuery, ${name}`, () => {
  test("pages are loaded one after the other until the list is exhausted", async () => {
    const list = `pages ${name}`;
    await insert(list, [5, 1, 4, 2, 3, 7, 6]);
    const shown = show(connect(server.url, options), list, 3);
    await eventually(() => shown.last?.status === "CanLoadMore", "the first page");
    assert.deepEqual(numbers(shown.last.results), [1, 2, 3]);
    shown.last.loadMore(2);
    await eventually(() => shown.last.status === "CanLoadMore" && shown.last.results.length === 5, "the second page");
    shown.last.loadMore(10);
    await eventually(() => shown.last.status === "Exhausted", "the last page");
    assert.deepEqual(numbers(shown.last.results), [1, 2, 3, 4, 5, 6, 7]);
    await insert(list, [8, 0]);
    await eventually(() => shown.last.results.length === 9, "rows at both ends");
    assert.equal(shown.last.status, "Exhausted");
    assert.deepEqual(numbers(shown.last.results), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a list that grows, shrinks and is reordered has no gap and no overlap", { timeout: 120_000 }, async () => {
    const list = `random ${name}`;
    const below = randomFrom(7);
    let next = 0;
    const fresh = () => below(1000) + ++next / 1e6;
    await insert(list, Array.from({ length: 30 }, fresh));
    const shown = show(connect(server.url, options), list, 4);
    await eventually(() => shown.last?.status === "CanLoadMore", "the first page");
    for (let round = 0; round < 60; round++) {
      const rows = await all(list);
      const pick = () => rows[below(rows.length)];
      const kind = below(10);
      if (kind < 3) await insert(list, Array.from({ length: 1 + below(6) }, fresh));
      else if (kind < 5 && rows.length > 10) {
        const ids = new Set(Array.from({ length: 1 + below(6) }, () => pick()._id));
        await http.mutation(anyApi.ledger.remove, { ids: [...ids] });
      } else if (kind < 8) await http.mutation(anyApi.ledger.renumber, { id: pick()._id, seq: fresh() });
      else shown.last.loadMore(1 + below(6));
      // At times several changes meet on their way.
      if (below(2) === 0) await settled(shown, list);
    }
    await settled(shown, list);
    assert.ok(shown.history.every(ascending), "each moment shows each row once, in order");
  });

  test("a page that outgrows its size is split, and nothing is lost meanwhile", async () => {
    const list = `split ${name}`;
    await insert(list, [0, 100, 200, 300]);
    const sent = [];
    class Recording extends WebSocket {
      send(data, ...rest) {
        sent.push(String(data));
        super.send(data, ...rest);
      }
    }
    const webSocketConstructor = options.webSocketConstructor ? hullWebSocket({ WebSocket: Recording }) : Recording;
    const shown = show(connect(server.url, { webSocketConstructor }), list, 3);
    await eventually(() => shown.last?.status === "CanLoadMore", "the first page");
    for (let seq = 1; seq <= 40; seq++) await insert(list, [seq]);
    await eventually(() => shown.last.results.length === 43, "the grown pages");
    assert.deepEqual(numbers(shown.last.results), numbers((await all(list)).slice(0, 43)));
    const rows = await all(list);
    await http.mutation(anyApi.ledger.remove, { ids: rows.slice(1, 41).map((row) => row._id) });
    await eventually(() => shown.last.results.length === 3, "the shrunken pages");
    assert.deepEqual(numbers(shown.last.results), [0, 100, 200]);
    assert.ok(shown.history.every(ascending));
    const halves = sent.filter((message) => message.includes('"endCursor"'));
    assert.ok(halves.length > 0, "the client split its page");
  });

  test("cuts at any time and a restart keep pages as they were", { timeout: 120_000 }, async () => {
    const list = `cut ${name}`;
    await insert(list, [10, 20, 30, 40, 50, 60, 70]);
    const proxy = await CuttingProxy.start(server.port);
    cleanups.unshift(() => proxy.stop());
    const shown = show(connect(proxy.url, options), list, 2);
    await eventually(() => shown.last?.status === "CanLoadMore", "the first page");
    shown.last.loadMore(2);
    await eventually(() => shown.last.results.length === 4, "the second page");
    for (const seq of [15, 25, 35, 5]) {
      proxy.cut();
      await insert(list, [seq]);
      await eventually(() => numbers(shown.last.results).includes(seq), `the row ${seq}`, 60);
      await settled(shown, list);
    }
    // The second page ends behind 40, as it did in its first run.
    assert.deepEqual(numbers(shown.last.results), [5, 10, 15, 20, 25, 30, 35, 40]);
    await server.end("SIGKILL");
    await server.launch();
    await insert(list, [33]);
    await eventually(() => numbers(shown.last.results).includes(33), "the row after the restart", 60);
    assert.deepEqual(numbers(shown.last.results), [5, 10, 15, 20, 25, 30, 33, 35, 40]);
    shown.last.loadMore(9);
    await eventually(() => shown.last.status === "Exhausted", "the rest", 60);
    assert.deepEqual(numbers(shown.last.results), numbers(await all(list)));
    assert.ok(shown.history.every(ascending));
  });
});

test("a page that has more than a function may read is split until all of it is there", { timeout: 120_000 }, async () => {
  const channel = "large";
  const length = 900 * 1024;
  const sendMany = (count) => http.mutation(anyApi.messages.sendMany, { channel, count, length });
  await sendMany(2);
  const [shown, statuses] = [{}, new Set()];
  function Lengths() {
    shown.last = usePaginatedQuery(anyApi.messages.lengths, { channel }, { initialNumItems: 100 });
    return null;
  }
  const client = connect(server.url);
  const watch = client.watchQuery(anyApi.messages.lengths, { channel, paginationOpts: { numItems: 100, cursor: null, id: -1 } });
  cleanups.unshift(watch.onUpdate(() => statuses.add(watch.localQueryResult()?.pageStatus)));
  const root = createRoot(document.createElement("div"));
  cleanups.unshift(() => root.unmount());
  root.render(createElement(ConvexProvider, { client }, createElement(Lengths)));
  await eventually(() => shown.last?.status === "Exhausted" && shown.last.results.length === 2, "the first page");
  await eventually(() => statuses.size === 1, "the first result");
  await sendMany(17);
  await eventually(() => statuses.has("SplitRequired"), "a page that can't be read as a whole");
  await sendMany(17);
  await eventually(() => shown.last.status === "Exhausted" && shown.last.results.length === 36, "all of the list", 60);
  assert.ok(shown.last.results.every((one) => one === length));
});

test("a cursor of something else is an error that clients know", async () => {
  const list = "wrong cursor";
  await insert(list, [1, 2, 3]);
  const ask = (cursor) => http.query(anyApi.ledger.page, { client: list, paginationOpts: { numItems: 2, cursor, id: 1 } });
  const one = await ask(null);
  assert.equal(one.isDone, false);
  assert.deepEqual(numbers((await ask(one.continueCursor)).page), [3]);
  const invalid = (error) => {
    assert.match(error.message, /InvalidCursor/);
    assert.deepEqual(error.data, { isConvexSystemError: true, paginationError: "InvalidCursor" });
    return true;
  };
  await assert.rejects(ask(`${one.continueCursor}x`), invalid);
  const other = http.query(anyApi.ledger.page, { client: "other", paginationOpts: { numItems: 2, cursor: one.continueCursor } });
  await assert.rejects(other, invalid);
  // The same over a websocket.
  const client = new ConvexClient(server.url, { webSocketConstructor: WebSocket, logger: quiet });
  cleanups.unshift(() => client.close());
  const args = { client: "other", paginationOpts: { numItems: 2, cursor: one.continueCursor } };
  await assert.rejects(within(client.query(anyApi.ledger.page, args)), invalid);
});

test("usePaginatedQuery begins again when its cursor is refused", async () => {
  const list = "refused cursor";
  await insert(list, [1, 2, 3, 4]);
  let damaged = 0;
  class Damaging extends WebSocket {
    send(data, ...rest) {
      const text = String(data);
      const changed = damaged > 0 ? text : text.replace(/"cursor":"[^"]{4}/, '"cursor":"AAAA');
      if (changed !== text) damaged++;
      super.send(changed, ...rest);
    }
  }
  const shown = show(connect(server.url, { webSocketConstructor: Damaging }), list, 2);
  await eventually(() => shown.last?.status === "CanLoadMore", "the first page");
  const before = shown.history.length;
  shown.last.loadMore(2);
  await eventually(() => damaged === 1 && shown.history.length > before && shown.last.status === "CanLoadMore", "a new beginning");
  assert.deepEqual(numbers(shown.last.results), [1, 2]);
  shown.last.loadMore(2);
  await eventually(() => shown.last.results.length === 4, "the second page");
  assert.deepEqual(numbers(shown.last.results), [1, 2, 3, 4]);
});
