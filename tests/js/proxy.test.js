// The connection is cut at every message boundary of one conversation: each mutation is applied exactly once for the
// JavaScript client, plain and with the adapter, and every subscription is right again.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { anyApi } from "convex/server";
import { connections } from "./support/connections.js";
import { CuttingProxy } from "./support/proxy.js";
import { eventually, Server, within } from "./support/server.js";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const quiet = { logVerbose() {}, log() {}, warn() {}, error() {} };

/** Subscribes, writes, subscribes more, writes again; returns what the subscriptions show at the end. */
async function converse(url, round, options) {
  const client = new ConvexClient(url, { ...options, logger: quiet });
  const [counter, list] = [`${round} counter`, `${round} list`];
  const shown = {};
  try {
    client.onUpdate(anyApi.counters.get, { name: counter }, (count) => (shown.count = count));
    const answers = [within(client.mutation(anyApi.counters.add, { name: counter, by: 1 }), "the first write", 60)];
    answers.push(within(client.mutation(anyApi.counters.add, { name: counter, by: 10 }), "the second write", 60));
    client.onUpdate(anyApi.messages.list, { channel: list }, (found) => (shown.rows = found.map((row) => row.body)));
    answers.push(within(client.mutation(anyApi.messages.send, { channel: list, body: "a" }), "the third write", 60));
    await Promise.all(answers);
    const failed = within(client.mutation(anyApi.errors.data, { data: round }), "the failure", 60);
    await assert.rejects(failed, (error) => error.data === round);
    await within(client.mutation(anyApi.messages.send, { channel: list, body: "b" }), "the last write", 60);
    await eventually(() => shown.count === 11 && shown.rows?.length === rows.length, "the final state", 60);
    return { counts: await answers[0].then((first) => [first]), shown };
  } finally {
    await client.close();
  }
}

/** What the list of a round shows in the end; all but the first two rows are there from the beginning. */
const rows = ["b", "a", ...Array.from({ length: 8 }, (_, at) => `the row ${at} of a list that is worth a diff`)];

async function fill(round) {
  const http = new ConvexHttpClient(server.url);
  for (const body of rows.slice(2).reverse()) await http.mutation(anyApi.messages.send, { channel: `${round} list`, body });
}

async function stored(round) {
  const http = new ConvexHttpClient(server.url);
  const count = await http.query(anyApi.counters.get, { name: `${round} counter` });
  const list = await http.query(anyApi.messages.list, { channel: `${round} list` });
  return { count, rows: list.map((row) => row.body) };
}

for (const { name, options } of connections) {
  test(`a cut at any message boundary loses nothing and repeats nothing, ${name}`, { timeout: 300_000 }, () => cutEverywhere(name, options));
}

async function cutEverywhere(name, options) {
  const whole = await CuttingProxy.start(server.port);
  await fill(name);
  await converse(whole.url, name, options);
  const boundaries = whole.passed;
  await whole.stop();
  assert.ok(boundaries > 10, `${boundaries} messages`);
  assert.equal(whole.diffs > 0, name === "with diffs", `${whole.diffs} diffs`);

  const round = async (cutAfter) => {
    const proxy = await CuttingProxy.start(server.port, cutAfter);
    const here = `${name} ${cutAfter}`;
    await fill(here);
    const { counts, shown } = await converse(proxy.url, here, options);
    assert.deepEqual(counts, [1], `${here}: the first write's answer`);
    assert.deepEqual(shown, { count: 11, rows }, `${here}: what the client shows`);
    assert.deepEqual(await stored(here), { count: 11, rows }, `${here}: what is stored`);
    await proxy.stop();
    return proxy.cuts;
  };
  // Reconnecting takes a second or so of the client's own backoff, so rounds run side by side.
  const cuts = await Promise.all(Array.from({ length: boundaries }, (_, at) => round(at + 1)));
  assert.ok(cuts.filter((count) => count === 1).length >= boundaries - 3, `cuts: ${cuts}`);
}
