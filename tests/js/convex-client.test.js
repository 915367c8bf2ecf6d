// The official ConvexClient, unmodified, plain and with the adapter: live queries, mutations, optimistic updates, errors.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ConvexClient } from "convex/browser";
import { anyApi } from "convex/server";
import { ConvexError } from "convex/values";
import { connections } from "./support/connections.js";
import { eventually, Server, within } from "./support/server.js";

for (const { name, options } of connections) describe(`ConvexClient, ${name}`, () => {
  let server, client, other;

  before(async () => {
    server = await Server.start();
    client = new ConvexClient(server.url, options);
    other = new ConvexClient(server.url, options);
  });

  after(async () => {
    await client?.close();
    await other?.close();
    await server?.stop();
  });

  test("a subscription sees what another client writes", async () => {
    const seen = [];
    const stop = client.onUpdate(anyApi.messages.list, { channel: "a" }, (rows) => seen.push(rows.map((row) => row.body)));
    await eventually(() => seen.length === 1, "the first result");
    assert.deepEqual(seen[0], []);
    const id = await within(other.mutation(anyApi.messages.send, { channel: "a", body: "one" }));
    assert.match(id, /^[0-9a-z]{31,37}$/);
    await within(other.mutation(anyApi.messages.send, { channel: "b", body: "elsewhere" }));
    await within(other.mutation(anyApi.messages.send, { channel: "a", body: "two" }));
    await eventually(() => seen.at(-1).length === 2, "both rows");
    assert.deepEqual(seen.at(-1), ["two", "one"]);
    stop();
    await within(other.mutation(anyApi.messages.send, { channel: "a", body: "three" }));
    await within(client.query(anyApi.messages.list, { channel: "a" }));
    assert.ok(seen.at(-1).length <= 2, "nothing arrives after the end of a subscription");
  });

  test("a client reads its own write", async () => {
    for (let round = 1; round <= 20; round++) {
      const count = await within(client.mutation(anyApi.counters.add, { name: "own", by: 1 }));
      assert.equal(count, round);
      assert.equal(await within(client.query(anyApi.counters.get, { name: "own" })), round);
    }
  });

  test("an optimistic update shows at once, and gives way to the server's answer without a flicker", async () => {
    const seen = [];
    client.onUpdate(anyApi.counters.get, { name: "optimistic" }, (count) => seen.push(count));
    await eventually(() => seen.length === 1, "the first result");
    const optimistic = {
      optimisticUpdate: (store, { by }) => {
        const current = store.getQuery(anyApi.counters.get, { name: "optimistic" });
        store.setQuery(anyApi.counters.get, { name: "optimistic" }, (current ?? 0) + by);
      },
    };
    const done = client.mutation(anyApi.counters.add, { name: "optimistic", by: 5 }, optimistic);
    await eventually(() => seen.at(-1) === 5, "the optimistic value", 2);
    assert.equal(await within(done), 5);
    await Promise.all(
      Array.from({ length: 20 }, () => within(client.mutation(anyApi.counters.add, { name: "optimistic", by: 1 }, optimistic))),
    );
    await eventually(() => seen.at(-1) === 25, "the final value");
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b), "the counter never steps back");
    assert.equal(Math.max(...seen), 25, "no update is ever applied twice");
  });

  test("a failed mutation rolls its optimistic update back", async () => {
    const seen = [];
    client.onUpdate(anyApi.counters.get, { name: "rolled back" }, (count) => seen.push(count));
    await eventually(() => seen.length === 1, "the first result");
    const optimistic = {
      optimisticUpdate: (store) => store.setQuery(anyApi.counters.get, { name: "rolled back" }, 99),
    };
    const failed = client.mutation(anyApi.errors.plain, {}, optimistic);
    await assert.rejects(within(failed), /plain failure/);
    await eventually(() => seen.at(-1) === 0, "the old value");
  });

  test("errors reach the caller: text as text, data as data", async () => {
    await assert.rejects(within(client.mutation(anyApi.errors.plain, {})), (error) => {
      assert.ok(!(error instanceof ConvexError));
      return /plain failure/.test(error.message);
    });
    for (const data of ["closed", { code: 7, why: ["a", null] }, null, 0, 12n]) {
      await assert.rejects(within(client.mutation(anyApi.errors.data, { data })), (error) => {
        assert.ok(error instanceof ConvexError, `${error}`);
        assert.deepEqual(error.data, data);
        return true;
      });
    }
    await assert.rejects(within(client.mutation(anyApi.errors.panic, {})));
    await assert.rejects(within(client.mutation(anyApi.no.such, {})), /Could not find public function for 'no:such'/);
    await assert.rejects(within(client.mutation(anyApi.counters.add, { name: 1, by: 1 })), /ArgumentValidationError/);
    await assert.rejects(within(client.mutation(anyApi.counters.get, { name: "x" })));
    await assert.rejects(within(client.action(anyApi.counters.get, { name: "x" })));
    assert.equal(await within(client.mutation(anyApi.counters.add, { name: "after errors", by: 1 })), 1);
  });

  test("a query that fails recovers when its data changes", async () => {
    const seen = [];
    client.onUpdate(
      anyApi.errors.oddCounter,
      { name: "odd" },
      (count) => seen.push(count),
      (error) => seen.push(error.message),
    );
    await eventually(() => seen.at(-1) === 0, "the first value");
    await within(client.mutation(anyApi.counters.add, { name: "odd", by: 1 }));
    await eventually(() => /the counter is odd/.test(seen.at(-1)), "the failure");
    await within(client.mutation(anyApi.counters.add, { name: "odd", by: 1 }));
    await eventually(() => seen.at(-1) === 2, "the recovery");
  });

  test("log lines and answers make no noise", async () => {
    const noise = [];
    const logger = Object.fromEntries(["logVerbose", "log", "warn", "error"].map((level) => [level, (...words) => {
      if (level !== "logVerbose") noise.push([level, ...words].join(" "));
    }]));
    const quiet = new ConvexClient(server.url, { ...options, logger });
    await within(quiet.mutation(anyApi.logs.write, {}));
    assert.ok(noise.some((line) => line.includes("a plain line")), noise.join("\n"));
    assert.ok(!noise.some((line) => /Could not parse|took more than/.test(line)), noise.join("\n"));
    await quiet.close();
  });

  test("a client that was away comes back with everything right", async () => {
    const seen = [];
    client.onUpdate(anyApi.counters.get, { name: "away" }, (count) => seen.push(count));
    await within(client.mutation(anyApi.counters.add, { name: "away", by: 1 }));
    await server.end("SIGKILL");
    const during = client.mutation(anyApi.counters.add, { name: "away", by: 10 });
    await server.launch();
    assert.equal(await within(during, "the mutation that waited", 40), 11);
    await eventually(() => seen.at(-1) === 11, "the new value");
    assert.equal(await within(other.query(anyApi.counters.get, { name: "away" }), "an answer", 40), 11);
  });
});
