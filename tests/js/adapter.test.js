// Diffs as they flow from the server through the adapter to the official clients: how many bytes they are, and what
// happens when they are damaged on their way.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hullWebSocket } from "@hull/client";
import { BaseConvexClient, ConvexClient, ConvexHttpClient } from "convex/browser";
import { ConvexReactClient } from "convex/react";
import { anyApi } from "convex/server";
import { convexToJson, jsonToConvex } from "convex/values";
import WebSocket from "ws";
import { textOf } from "../../crates/client/js/text.js";
import { CuttingProxy } from "./support/proxy.js";
import { clean, randomFrom, randomlyChanged, randomRows, randomValue } from "./support/random.js";
import { eventually, Server, within } from "./support/server.js";

let server, http;
const cleanups = [];

before(async () => {
  server = await Server.start();
  http = new ConvexHttpClient(server.url);
});

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await server?.stop();
});

/**
 * The adapter over a socket whose incoming messages go through `change`. `options` are for a client's constructor;
 * `diffs` and `resyncs` count what was said.
 */
function watched(change = (text) => text) {
  const seen = { diffs: 0, resyncs: 0 };
  class Watched extends WebSocket {
    constructor(url) {
      super(url, { perMessageDeflate: false });
    }
    set onmessage(listener) {
      super.onmessage = ({ data }) => {
        if (data.includes('"QueryDiff"')) seen.diffs++;
        listener({ data: change(data) });
      };
    }
    send(data) {
      if (data.includes('"QueryResync"')) seen.resyncs++;
      super.send(data);
    }
  }
  seen.options = { webSocketConstructor: hullWebSocket({ WebSocket: Watched }), unsavedChangesWarning: false };
  return seen;
}

/** Fills a channel with messages, whose rows are about 300 bytes; returns the ids, the newest first. */
async function fill(channel, count) {
  const client = new ConvexClient(server.url);
  const send = (_, at) => client.mutation(anyApi.messages.send, { channel, body: text(at) });
  const ids = await within(Promise.all(Array.from({ length: count }, send)), "the messages", 60);
  await client.close();
  return ids.reverse();
}

const text = (at) => `The message number ${at}. ${"It weaves patterns as a loom weaves flowers and leaves. ".repeat(3)}`;

/** Subscribes an official client to a channel through a proxy that counts bytes. */
async function follow(channel, options) {
  const proxy = await CuttingProxy.start(server.port);
  const client = new ConvexClient(proxy.url, options);
  cleanups.push(() => proxy.stop(), () => client.close());
  const follower = { proxy, client };
  client.onUpdate(anyApi.messages.list, { channel }, (rows) => (follower.rows = rows));
  return follower;
}

test("a change costs what changed, on the wire", async () => {
  const channel = "bytes";
  const ids = await fill(channel, 500);
  const plain = await follow(channel, {});
  const diffs = await follow(channel, watched().options);
  const both = [plain, diffs];
  await eventually(() => both.every(({ rows }) => rows?.length === 500), "the first results");

  const cost = async (change, shown) => {
    const before = both.map(({ proxy }) => proxy.bytes);
    await change();
    await eventually(() => both.every(({ rows }) => shown(rows)), "the change");
    assert.deepStrictEqual(diffs.rows, plain.rows);
    const [full, diff] = both.map(({ proxy }, at) => proxy.bytes - before[at]);
    assert.ok(full > 100_000, `${full} bytes in full`);
    return diff / full;
  };
  const edited = await cost(
    () => http.mutation(anyApi.messages.edit, { id: ids[250], body: text(249).replace("loom", "weaver's loom") }),
    (rows) => rows[250].body.includes("weaver"),
  );
  assert.ok(edited < 0.01, `a changed row: ${edited}`);
  const inserted = await cost(() => http.mutation(anyApi.messages.send, { channel, body: text(500) }), (rows) => rows.length === 501);
  assert.ok(inserted < 0.02, `a row at the top: ${inserted}`);
  const removed = await cost(() => http.mutation(anyApi.messages.remove, { id: ids[100] }), (rows) => rows.length === 500);
  assert.ok(removed < 0.01, `a row less: ${removed}`);
});

/** Subscribes each kind of official client to a channel; what it gives back shows the rows. */
const clients = {
  ConvexClient(url, channel, options) {
    const client = new ConvexClient(url, options);
    let rows;
    client.onUpdate(anyApi.messages.list, { channel }, (found) => (rows = found));
    return { rows: () => rows, close: () => client.close() };
  },
  ConvexReactClient(url, channel, options) {
    const client = new ConvexReactClient(url, options);
    const watch = client.watchQuery(anyApi.messages.list, { channel });
    const stop = watch.onUpdate(() => {});
    return { rows: () => watch.localQueryResult(), close: () => (stop(), client.close()) };
  },
  BaseConvexClient(url, channel, options) {
    const client = new BaseConvexClient(url, () => {}, options);
    client.subscribe("messages:list", { channel });
    return { rows: () => client.localQueryResult("messages:list", { channel }), close: () => client.close() };
  },
};
for (const [name, subscribe] of Object.entries(clients)) {
  test(`${name} gets diffs, and shows what is stored`, async () => {
    const seen = watched();
    const ids = await fill(name, 20);
    const client = subscribe(server.url, name, seen.options);
    try {
      await eventually(() => client.rows()?.length === 20, "the first result");
      for (const [at, id] of ids.entries()) {
        if (at % 3 === 0) await http.mutation(anyApi.messages.edit, { id, body: `edited ${at}` });
        if (at % 3 === 1) await http.mutation(anyApi.messages.remove, { id });
        if (at % 3 === 2) await http.mutation(anyApi.messages.send, { channel: name, body: text(at) });
        const stored = await http.query(anyApi.messages.list, { channel: name });
        await eventually(() => JSON.stringify(client.rows()) === JSON.stringify(stored), `step ${at}`);
      }
      assert.ok(seen.diffs >= 15, `${seen.diffs} diffs`);
      assert.equal(seen.resyncs, 0);
    } finally {
      await client.close();
    }
  });
}

test("random changes of a value: the server's diffs and the adapter agree on each", async () => {
  const seen = watched();
  const [plain, diffs] = [new ConvexClient(server.url), new ConvexClient(server.url, seen.options)];
  try {
    for (let seed = 0; seed < 20; seed++) {
      const random = randomFrom(30_000 + seed);
      const key = `random ${seed}`;
      const shown = {};
      plain.onUpdate(anyApi.values.get, { key }, (value) => (shown.plain = value));
      diffs.onUpdate(anyApi.values.get, { key }, (value) => (shown.diffs = value));
      let value = clean(random(3) ? randomRows(random, 30) : randomValue(random));
      for (let change = 0; change < 15; change++) {
        await within(http.mutation(anyApi.values.put, { key, value: jsonToConvex(value) }));
        const same = () => [shown.plain, shown.diffs].every((one) => one !== undefined && textOf(convexToJson(one)) === textOf(value));
        await eventually(same, `seed ${seed}, change ${change}: ${textOf(value)}`);
        value = clean(randomlyChanged(random, value));
      }
    }
    assert.ok(seen.diffs >= 100, `${seen.diffs} diffs`);
    assert.equal(seen.resyncs, 0);
  } finally {
    await plain.close();
    await diffs.close();
  }
});

test("damaged diffs: what is shown was there, and the server sends the whole result again", async () => {
  const random = randomFrom(7);
  const channel = "damaged";
  await fill(channel, 10);
  let damaged = 0;
  const seen = watched((message) => {
    if (!message.includes('"QueryDiff"') || random(2)) return message;
    damaged++;
    const forms = [
      [/"hash":"./, '"hash":"z'],
      [/"base":\d/, '"base":99'],
      [/"diff":\{/, '"diff":{"unset":["_id"],'],
      [/"diff":\{.*?(\d)/, (found) => `${found}0`],
    ];
    return message.replace(...forms[random(forms.length)]);
  });
  const client = new ConvexClient(server.url, seen.options);
  try {
    const problems = [];
    let rows;
    client.onUpdate(anyApi.messages.list, { channel }, (found) => {
      rows = found;
      // Messages are sent in order, so whatever is shown ends with all that were sent before.
      found.forEach(({ body }, at) => body === text(found.length - 1 - at) || problems.push(`${body} is ${at} of ${found.length}`));
    });
    await eventually(() => rows?.length === 10, "the first result");
    for (let at = 10; at < 60; at++) {
      const sent = client.mutation(anyApi.messages.send, { channel, body: text(at) });
      if (random(3)) await within(sent, "the answer, whose Transition may have been held back");
    }
    await eventually(() => rows.length === 60, "the last result");
    assert.deepEqual(problems, []);
    assert.ok(damaged >= 10, `${damaged} damaged diffs`);
    assert.ok(seen.resyncs >= 5, `${seen.resyncs} full results asked for`);
  } finally {
    await client.close();
  }
});

test("results and diffs that come in chunks are given in one piece", async () => {
  const value = (letter) => ["a".repeat(100_000), letter.repeat(900_000)];
  await http.mutation(anyApi.values.put, { key: "chunks", value: value("b") });
  const chunks = { full: 0, diffs: 0 };
  const { options } = watched((message) => {
    if (message.startsWith('{"type":"TransitionChunk"')) chunks[message.includes("QueryDiff") ? "diffs" : "full"]++;
    return message;
  });
  const socket = new options.webSocketConstructor(`${server.webSocketUrl}/api/1.48.0/sync`);
  try {
    const given = [];
    socket.onmessage = ({ data }) => given.push(JSON.parse(data));
    await within(new Promise((resolve) => (socket.onopen = resolve)), "the connection");
    const say = (message) => socket.send(JSON.stringify(message));
    say({ type: "Connect", sessionId: "00000000-0000-4000-8000-000000000000", connectionCount: 0, lastCloseReason: null });
    const queries = [0, 1, 2, 3, 4, 5, 6, 7];
    const add = (queryId) => ({ type: "Add", queryId, udfPath: "values:get", args: [{ key: "chunks" }] });
    say({ type: "ModifyQuerySet", baseVersion: 0, newVersion: 1, modifications: queries.map(add) });
    const results = () => given.filter(({ type }) => type === "Transition").map(({ modifications }) => modifications);
    await eventually(() => results().length === 1, "the first results");
    await http.mutation(anyApi.values.put, { key: "chunks", value: value("c") });
    await eventually(() => results().length === 2, "the change");
    for (const [at, letter] of ["b", "c"].entries()) {
      const found = results()[at];
      assert.deepEqual(found.map(({ type, queryId }) => [type, queryId]), queries.map((query) => ["QueryUpdated", query]));
      for (const one of found) assert.deepEqual(one.value, value(letter));
    }
    assert.deepEqual(chunks, { full: 2, diffs: 2 });
    assert.ok(given.every(({ type }) => type === "Transition" || type === "Ping"), "no chunk is given");
  } finally {
    socket.close();
  }
});
