// Damaged diffs through the adapter to the official client: it is told results of the server and nothing else, in the
// order in which they were, and the last of them at the end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hullWebSocket } from "@hull/client";
import { ConvexClient } from "convex/browser";
import { convexToJson } from "convex/values";
import { textOf } from "../../crates/client/js/text.js";
import { MockServer } from "./support/mock.js";
import { clean, randomFrom, randomlyChanged, randomRows, randomText, randomValue } from "./support/random.js";
import { eventually } from "./support/server.js";

/** Damages a part of a JSON value somewhere. */
function damage(value, random) {
  const inner = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (inner.length === 0 || random(4) === 0) {
    if (typeof value === "number" && random(2)) return value + random(5) - 2;
    if (typeof value === "string" && random(2)) return value.slice(1) + randomText(random);
    return randomValue(random);
  }
  const key = inner[random(inner.length)];
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const kind = random(5);
  if (Array.isArray(copy) && kind === 0) copy.splice(Number(key), 1);
  else if (Array.isArray(copy) && kind === 1) copy.splice(Number(key), 0, copy[random(copy.length)]);
  else if (!Array.isArray(copy) && kind === 2) delete copy[key];
  else copy[key] = damage(copy[key], random);
  return copy;
}

/** A QueryDiff as it might arrive; what names the query and what nobody checks (logs) stays whole. */
function damagedDiff(diff, random) {
  const copy = structuredClone(diff);
  switch (random(5)) {
    case 0:
      copy.base = random(2) ? diff.base + 1 : randomValue(random);
      return copy;
    case 1:
      copy.hash = random(2) ? diff.hash.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")) : randomValue(random);
      return copy;
    case 2:
      copy.result = randomValue(random);
      return copy;
    case 3:
      delete copy[["base", "hash", "diff", "result"][random(4)]];
      return copy;
    default:
      copy.diff = damage(diff.diff, random);
      return copy;
  }
}

/** Changes results at random while the client listens, until it shows the last ones. */
async function converse({ client, server, paths, history, random, noise }) {
  const shown = {};
  for (const path of paths) {
    let at = 0;
    const take = (value) => {
      const text = textOf(convexToJson(value));
      const found = history[path].indexOf(text, at);
      if (found < 0) noise.push(`${path} was never ${text}, or it was earlier`);
      else at = found;
      shown[path] = text;
    };
    client.onUpdate(path, {}, take, (error) => noise.push(error));
  }
  await eventually(() => paths.every((path) => path in shown), "the first results");
  for (let change = 0; change < 40; change++) {
    const chosen = paths.filter(() => random(2));
    const changed = Object.fromEntries(chosen.map((path) => [path, clean(randomlyChanged(random, server.values[path]))]));
    for (const path of chosen) history[path].push(textOf(changed[path]));
    server.change(changed);
    if (random(4)) await new Promise(setImmediate);
  }
  server.damaged = (diff) => diff;
  const last = (path) => shown[path] === history[path].at(-1);
  await eventually(() => (server.change({}), paths.every(last)), "the last results");
}

async function round(seed) {
  const random = randomFrom(seed);
  const start = () => clean(random(3) ? randomRows(random, random(40)) : randomValue(random));
  const paths = ["a:list", "b:list", "c:list"];
  const server = new MockServer({
    values: Object.fromEntries(paths.map((path) => [path, start()])),
    random,
    damaged: (diff) => (random(3) === 0 ? damagedDiff(diff, random) : diff),
  });
  const history = Object.fromEntries(paths.map((path) => [path, [textOf(server.values[path])]]));
  const noise = [];
  const logger = { logVerbose() {}, log() {}, warn: (...words) => noise.push(words), error: (...words) => noise.push(words) };
  const options = { webSocketConstructor: hullWebSocket({ WebSocket: server.WebSocket }), logger, unsavedChangesWarning: false };
  const client = new ConvexClient("http://mock.invalid", options);
  try {
    await converse({ client, server, paths, history, random, noise });
    assert.deepEqual(noise, [], `seed ${seed}`);
  } finally {
    await client.close();
  }
  return server.counts;
}

test("no damaged diff shows a wrong value, and each is recovered from", async () => {
  const sum = { full: 0, diffs: 0, resyncs: 0 };
  for (let seed = 0; seed < 100; seed++) {
    const counts = await round(seed);
    for (const name of Object.keys(sum)) sum[name] += counts[name];
  }
  assert.ok(sum.diffs > 2000 && sum.resyncs > 200 && sum.full < sum.diffs, JSON.stringify(sum));
});
