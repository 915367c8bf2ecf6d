// The likely incompatibilities of a server of this protocol, one test each, on the wire and without a client between.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { ConvexClient } from "convex/browser";
import { anyApi } from "convex/server";
import { compareValues } from "convex/values";
import { connections } from "./support/connections.js";
import { RawClient, timestamp } from "./support/raw.js";
import { eventually, Server, within } from "./support/server.js";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const rust = { path: "/api/sync", headers: { "Convex-Client": "rust-0.10.4" } };

describe("pitfalls", { concurrency: 8 }, () => {
  test("1: a Transition follows every answer, with nothing subscribed, and when the mutation failed", async () => {
    const client = await RawClient.open(server);
    await client.reach(client.modify());
    const calls = [
      ["counters:add", { name: "p1", by: 1 }],
      ["counters:get", { name: "p1" }],
      ["errors:plain", {}],
      ["errors:data", { data: "no" }],
      ["errors:panic", {}],
      ["no:such", {}],
      ["counters:nothing", { name: "p1" }],
    ];
    for (const [path, args] of calls) {
      const answer = await client.response(client.mutate(path, args));
      if (answer.success) await client.passing(answer.ts);
      else await client.next("Transition");
    }
    const action = { type: "Action", requestId: client.requests++, udfPath: "counters:add", args: [{}] };
    client.send(action);
    const answer = await client.next("ActionResponse");
    assert.equal(answer.success, false);
    assert.equal(answer.requestId, action.requestId);
    await client.close();
  });

  test("2 and 5: answers come before their Transition, and each Transition is one snapshot", async () => {
    const client = await RawClient.open(server);
    await client.reach(
      client.modify(client.add(0, "counters:get", { name: "left" }), client.add(1, "counters:get", { name: "right" })),
    );
    const writers = await Promise.all([RawClient.open(server), RawClient.open(server), RawClient.open(server)]);
    for (let round = 0; round < 100; round++) {
      for (const one of [client, ...writers]) one.mutate("counters:addPair", { left: "left", right: "right", by: 1 });
    }
    const results = new Map();
    let [seen, reached, answered, last] = [0, 0n, 0, undefined];
    for (let at = 0; last !== 400 || answered < 100; at++) {
      await eventually(() => at < client.received.length, "another message");
      const message = client.received[at];
      if (message.type === "MutationResponse") {
        answered++;
        assert.ok(message.success, JSON.stringify(message));
        assert.ok(timestamp(message.ts) > reached, "the answer comes before a Transition that reaches its timestamp");
      } else if (message.type === "Transition") {
        seen++;
        reached = timestamp(message.endVersion.ts);
        for (const change of message.modifications) results.set(change.queryId, change.value);
        assert.equal(results.get(0), results.get(1), "both counters are of one moment");
        last = results.get(0);
      }
    }
    assert.ok(seen > 1);
    for (const one of [client, ...writers]) await one.close();
  });

  test("2b: the answer's Transition holds what the mutation wrote", async () => {
    const client = await RawClient.open(server);
    await client.reach(client.modify(client.add(0, "counters:get", { name: "own write" })));
    for (let round = 1; round <= 50; round++) {
      const { ts } = await client.response(client.mutate("counters:add", { name: "own write", by: 1 }));
      await client.passing(ts);
      assert.equal(client.results.get(0).value, round);
    }
    await client.close();
  });

  test("3 and 4: an empty change of the query set is answered, and versions form a chain from zero", async () => {
    const client = await RawClient.open(server);
    const first = await client.reach(client.modify());
    assert.deepEqual(first.startVersion, { querySet: 0, identity: 0, ts: "AAAAAAAAAAA=" });
    await client.reach(client.modify());
    await client.reach(client.modify(client.add(0, "counters:get", { name: "p3" }), client.add(1, "counters:get", { name: "x" })));
    client.authenticate({ tokenType: "None" });
    await client.next((message) => message.endVersion?.identity === 1, "the new identity");
    client.mutate("counters:add", { name: "p3", by: 1 });
    client.modify({ type: "Remove", queryId: 1 });
    client.authenticate({ tokenType: "None" });
    client.mutate("counters:add", { name: "p3", by: 1 });
    await client.reach(client.modify(client.add(2, "counters:get", { name: "p3" }), { type: "Remove", queryId: 2 }));
    await eventually(() => client.version.identity === 2 && client.results.get(0).value === 2, "everything");
    assert.deepEqual([...client.results.keys()], [0]);
    await client.close();
  });

  test("7: an idle connection hears a Ping message within 20 seconds", async () => {
    const client = await RawClient.open(server);
    await client.reach(client.modify());
    await client.next("Ping", "a Ping", 20);
    await client.close();
  });

  test("8: a replayed mutation gives its first answer again, and a failed one runs again", async () => {
    const sessionId = randomUUID();
    const first = await RawClient.open(server, { sessionId });
    const id = first.mutate("counters:add", { name: "p8", by: 1 });
    const answer = await first.response(id);
    const failing = await first.response(first.mutate("errors:oddMutation", { name: "p8" }));
    assert.equal(failing.success, false);
    first.socket.terminate();
    const second = await RawClient.open(server, { sessionId, connectionCount: 1 });
    await second.reach(second.modify(second.add(0, "counters:get", { name: "p8" })));
    const again = await second.response(second.mutate("counters:add", { name: "p8", by: 1 }, id));
    assert.deepEqual(again, answer, "result, log lines and timestamp are the first ones");
    await second.passing(again.ts);
    assert.equal(second.results.get(0).value, 1);
    await second.response(second.mutate("counters:add", { name: "p8", by: 1 }, 50));
    const rerun = await second.response(second.mutate("errors:oddMutation", { name: "p8" }, 1));
    assert.equal(rerun.success, true, "a failure is not remembered");
    await second.close();
  });

  test("9: every request is answered once, on the socket that sent it", async () => {
    const sessionId = randomUUID();
    const first = await RawClient.open(server, { ...rust, sessionId });
    const other = await RawClient.open(server, rust);
    for (let id = 0; id < 50; id++) first.mutate("counters:add", { name: "p9", by: 1 });
    other.mutate("counters:add", { name: "p9 other", by: 1 });
    await first.response(49);
    await other.response(0);
    await first.response(first.mutate("counters:add", { name: "p9", by: 1 }, 50));
    const ids = first.received.filter((message) => message.type === "MutationResponse").map((message) => message.requestId);
    assert.deepEqual(ids, Array.from({ length: 51 }, (_, id) => id), "in the order they were sent");
    assert.equal(other.received.filter((message) => message.type === "MutationResponse").length, 1);
    await first.close();
    await other.close();
  });

  test("10: what a client can recover from is no FatalError", async () => {
    const wrong = [
      (client) => client.send({ type: "ModifyQuerySet", baseVersion: 7, newVersion: 8, modifications: [] }),
      (client) => client.modify({ type: "Remove", queryId: 99 }),
      (client) => client.send({ type: "Authenticate", baseVersion: 5, tokenType: "None" }),
    ];
    for (const step of wrong) {
      const client = await RawClient.open(server);
      await client.reach(client.modify());
      step(client);
      const { code, reason } = await within(client.closed, "the end of the connection");
      assert.ok(code >= 1000 && code !== 1005 && code !== 1006, `closed with ${code}`);
      assert.ok(reason.length > 0 && Buffer.byteLength(reason) <= 123, reason);
      assert.ok(!client.received.some((message) => message.type === "FatalError"), reason);
    }
    const client = await RawClient.open(server);
    await client.reach(client.modify(client.add(0, "my-mod:f", {}), client.add(1, "", {}), client.add(2, "a:b:c", {})));
    for (const id of [0, 1, 2]) assert.equal(client.results.get(id).type, "QueryFailed");
    const answer = await client.response(client.mutate("my-mod:f"));
    assert.equal(answer.success, false);
    await client.close();
  });

  test("11: errorData is there for application errors alone", async () => {
    const client = await RawClient.open(server);
    for (const path of ["errors:plain", "errors:panic", "no:such"]) {
      const answer = await client.response(client.mutate(path));
      assert.equal(answer.success, false);
      assert.equal(typeof answer.result, "string");
      assert.ok(!("errorData" in answer), JSON.stringify(answer));
    }
    const answer = await client.response(client.mutate("errors:data", { data: null }));
    assert.equal(answer.success, false);
    assert.ok("errorData" in answer && answer.errorData === null, JSON.stringify(answer));
    await client.reach(client.modify(client.add(0, "errors:queryData", { data: { a: 1 } }), client.add(1, "no:such")));
    assert.deepEqual(client.results.get(0).errorData, { a: 1 });
    assert.equal(client.results.get(0).type, "QueryFailed");
    assert.ok(!("errorData" in client.results.get(1)));
    await client.close();
  });

  test("12: log lines carry their level, and times are numbers or absent", async () => {
    const client = await RawClient.open(server);
    await client.reach(client.modify(client.add(0, "logs:read")));
    const answer = await client.response(client.mutate("logs:write"));
    await client.passing(answer.ts);
    const lines = [...answer.logLines, ...client.results.get(0).logLines];
    assert.ok(lines.length >= 6, JSON.stringify(lines));
    for (const line of lines) assert.match(line, /^\[(LOG|INFO|WARN|ERROR|DEBUG)\] /);
    for (const message of client.received.filter((one) => one.type === "Transition")) {
      for (const field of ["serverTs", "clientClockSkew"]) {
        if (field in message) assert.ok(Number.isInteger(message[field]), `${field}: ${message[field]}`);
      }
    }
    await client.close();
  });

  test("13: every result carries its journal, and a journal sent with a query is accepted", async () => {
    const client = await RawClient.open(server);
    const queries = [
      client.add(0, "counters:get", { name: "p13" }, { journal: null }),
      client.add(1, "counters:get", { name: "p13 b" }, { journal: "kept by the client" }),
      client.add(2, "no:such", {}),
    ];
    await client.reach(client.modify(...queries));
    for (const id of [0, 1, 2]) {
      const { journal } = client.results.get(id);
      assert.ok(journal === null || typeof journal === "string", JSON.stringify(client.results.get(id)));
    }
    await client.close();
  });

  test("14: a large result comes in chunks to the JavaScript client, and whole to others", async () => {
    const length = 12_000_000;
    const client = await RawClient.open(server);
    await client.reach(client.modify(client.add(0, "big:text", { length })));
    assert.equal(client.results.get(0).value.length, length);
    const chunks = client.received.filter((message) => message.type === "TransitionChunk");
    assert.ok(chunks.length >= 3, `${chunks.length} chunks`);
    assert.equal(new Set(chunks.map((chunk) => chunk.transitionId)).size, 1);
    await client.close();
    for (const options of [rust, { path: "/api/1.27.0/sync" }]) {
      const other = await RawClient.open(server, options);
      await other.reach(other.modify(other.add(0, "big:text", { length })));
      assert.ok(!other.received.some((message) => message.type === "TransitionChunk"));
      assert.equal(other.results.get(0).value.length, length);
      await other.close();
    }
    for (const { name, options } of connections) {
      const official = new ConvexClient(server.url, options);
      const text = await within(official.query(anyApi.big.text, { length }), `the large result, ${name}`, 30);
      assert.equal(text.length, length);
      await official.close();
    }
  });

  test("15: every value survives the way there and back, and values sort as the client sorts them", async () => {
    const plain = new ConvexClient(server.url);
    const values = [
      null, true, false, 0, -0, 5, -5, 0.1, 1e308, NaN, Infinity, -Infinity, 0n, -1n, 2n ** 63n - 1n, -(2n ** 63n),
      "", "ascii", "\u{1F600}", "\uFFFF", "\u{10000}", "\u0000", new ArrayBuffer(0), new Uint8Array([0, 255]).buffer,
      [], [1, 1n, "1", [null]], {}, { a: 1, b: { c: [] } }, { "": 1 },
    ];
    for (const { name, options } of connections) {
      const client = new ConvexClient(server.url, options);
      let live;
      client.onUpdate(anyApi.values.sorted, {}, (rows) => (live = rows));
      for (const value of values) {
        const back = await within(client.query(anyApi.values.echo, { value }));
        assert.ok(Object.is(back, value) || assert.deepStrictEqual(back, value) === undefined);
      }
      for (const [index, value] of values.entries()) {
        await within(client.mutation(anyApi.values.store, { key: `p15 ${name} ${index}`, value }));
      }
      const sorted = (await within(client.query(anyApi.values.sorted, {}))).filter((row) => row.key.startsWith(`p15 ${name} `));
      assert.equal(sorted.length, values.length);
      for (let at = 1; at < sorted.length; at++) {
        assert.ok(compareValues(sorted[at - 1].value, sorted[at].value) <= 0, `at ${at}`);
      }
      const kept = await within(plain.query(anyApi.values.sorted, {}));
      await eventually(() => live?.length === kept.length, "the live query");
      assert.deepStrictEqual(live, kept);
      await client.close();
    }
    await plain.close();
    const raw = await RawClient.open(server);
    const bad = [{ $float: "AAAAAAAA8D8=" }, { $integer: "AQ==" }, { $no: 1 }, { a: { $bytes: "?" } }];
    for (const value of bad) {
      const answer = await raw.response(raw.mutate("values:store", { key: "bad", value }));
      assert.equal(answer.success, false, JSON.stringify(value));
    }
    await raw.close();
  });
});

test("6: timestamps go on after a restart and after a kill, and an old client is welcome", async () => {
  const client = await RawClient.open(server);
  let { ts } = await client.response(client.mutate("counters:add", { name: "p6", by: 1 }));
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    await server.end(signal);
    await server.launch();
    const next = await RawClient.open(server, { maxObservedTimestamp: ts });
    const reached = await next.reach(next.modify(next.add(0, "counters:get", { name: "p6" })));
    assert.ok(timestamp(reached.endVersion.ts) >= timestamp(ts), "the first Transition is not older than what was seen");
    const answer = await next.response(next.mutate("counters:add", { name: "p6", by: 1 }));
    assert.ok(timestamp(answer.ts) > timestamp(ts));
    ts = answer.ts;
    await next.close();
  }
});
