// The official ConvexHttpClient, and the HTTP API as other programs use it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConvexHttpClient } from "convex/browser";
import { anyApi } from "convex/server";
import { ConvexError } from "convex/values";
import { timestamp } from "./support/raw.js";
import { Server, within } from "./support/server.js";

let server, client;

before(async () => {
  server = await Server.start();
  client = new ConvexHttpClient(server.url);
});

after(() => server?.stop());

async function post(path, body, headers = {}) {
  const answer = await fetch(server.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {}
  return { status: answer.status, headers: answer.headers, text, json };
}

test("queries, mutations and consistent queries", async () => {
  assert.equal(await within(client.query(anyApi.counters.get, { name: "http" })), 0);
  assert.equal(await within(client.mutation(anyApi.counters.add, { name: "http", by: 3 })), 3);
  assert.equal(await within(client.query(anyApi.counters.get, { name: "http" })), 3);
  assert.equal(await within(client.consistentQuery(anyApi.counters.get, { name: "http" })), 3);
});

test("concurrent mutations through one and through many clients are all applied", async () => {
  const clients = Array.from({ length: 10 }, () => new ConvexHttpClient(server.url));
  await Promise.all(
    clients.flatMap((one) => Array.from({ length: 10 }, () => within(one.mutation(anyApi.counters.add, { name: "many", by: 1 })))),
  );
  assert.equal(await within(client.query(anyApi.counters.get, { name: "many" })), 100);
});

test("errors: 200 with status error, data only for application errors", async () => {
  await assert.rejects(within(client.mutation(anyApi.errors.plain, {})), /plain failure/);
  await assert.rejects(within(client.mutation(anyApi.errors.data, { data: { code: 1 } })), (error) => {
    assert.ok(error instanceof ConvexError);
    assert.deepEqual(error.data, { code: 1 });
    return true;
  });
  const plain = await post("/api/mutation", { path: "errors:plain", args: {} });
  assert.equal(plain.status, 200);
  assert.equal(plain.json.status, "error");
  assert.ok(!("errorData" in plain.json));
  const data = await post("/api/mutation", { path: "errors:data", args: { data: null } });
  assert.equal(data.status, 200);
  assert.equal(data.json.errorData, null);
  const action = await post("/api/action", { path: "no:action", args: {} });
  assert.equal(action.status, 200);
  assert.equal(action.json.status, "error");
});

test("infrastructure errors are JSON with code and message", async () => {
  const cases = [
    ["/api/query", "{not json", 400],
    ["/api/query", { path: "counters:get", args: { name: "x" }, format: "yaml" }, 400],
    ["/api/query", { args: {} }, 400],
    ["/api/run/onlyone", { args: {} }, 400],
  ];
  for (const [path, body, status] of cases) {
    const answer = await post(path, body);
    assert.equal(answer.status, status, `${path} ${JSON.stringify(body)}: ${answer.text}`);
    assert.equal(typeof answer.json?.code, "string", answer.text);
    assert.equal(typeof answer.json?.message, "string", answer.text);
  }
  const key = await post("/api/function", { path: "counters:get", args: { name: "x" } });
  assert.ok([401, 403].includes(key.status), key.text);
  const wrong = await post("/api/query", { path: "counters:get", args: { name: "x" } }, { Authorization: "Convex no|such" });
  assert.ok([401, 403].includes(wrong.status), wrong.text);
});

test("arguments as an object or in an array, every form of a result", async () => {
  for (const args of [{ name: "forms" }, [{ name: "forms" }]]) {
    const answer = await post("/api/query", { path: "counters:get", args });
    assert.equal(answer.json.value, 0);
    assert.equal(answer.json.status, "success");
  }
  const value = { $integer: "AQAAAAAAAAA=" };
  const forms = { convex_encoded_json: value, json: "1" };
  for (const [format, expected] of Object.entries(forms)) {
    const answer = await post("/api/query", { path: "values:echo", args: { value }, format });
    assert.deepEqual(answer.json.value, expected, answer.text);
  }
  const run = await post("/api/run/counters/get", { args: { name: "forms" } });
  assert.equal(run.json.value, 0);
  const got = await fetch(`${server.url}/api/query?path=counters:get&args=${encodeURIComponent('{"name":"forms"}')}&format=json`);
  assert.equal((await got.json()).value, 0);
});

test("query_ts, query_at_ts and query_batch", async () => {
  await within(client.mutation(anyApi.counters.add, { name: "past", by: 1 }));
  const { json: now } = await post("/api/query_ts", "");
  assert.ok(timestamp(now.ts) > 0n);
  await within(client.mutation(anyApi.counters.add, { name: "past", by: 1 }));
  const past = await post("/api/query_at_ts", { path: "counters:get", args: { name: "past" }, ts: now.ts });
  assert.equal(past.json.value, 1);
  const queries = ["past", "past"].map((name) => ({ path: "counters:get", args: { name } }));
  const batch = await post("/api/query_batch", { queries });
  assert.deepEqual(batch.json.results.map((result) => result.value), [2, 2]);
});

test("an admin key opens internal functions, nothing else does", async () => {
  const refused = await post("/api/mutation", { path: "counters:resetAll", args: {} });
  assert.match(refused.json.errorMessage, /Could not find public function for 'counters:resetAll'/);
  const key = (await server.run("keys", "create")).split(/\s+/).find((word) => /^[A-Za-z0-9_-]+\|[A-Za-z0-9_-]+$/.test(word));
  assert.ok(key, "keys create prints name|secret while the server runs");
  const allowed = await post("/api/function", { path: "counters:resetAll", args: {} }, { Authorization: `Convex ${key}` });
  assert.equal(allowed.json?.status, "success", allowed.text);
});

test("CORS mirrors the origin", async () => {
  const headers = { Origin: "http://app.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,convex-client" };
  const answer = await fetch(`${server.url}/api/query`, { method: "OPTIONS", headers });
  assert.ok(answer.ok);
  assert.equal(answer.headers.get("access-control-allow-origin"), "http://app.example");
  assert.equal(answer.headers.get("access-control-allow-credentials"), "true");
  assert.match(answer.headers.get("access-control-allow-headers") ?? "", /convex-client/i);
});

test("the small routes", async () => {
  for (const path of ["/version", "/instance_name", "/health", "/metrics"]) {
    const answer = await fetch(server.url + path);
    assert.equal(answer.status, 200, path);
    await answer.text();
  }
});
