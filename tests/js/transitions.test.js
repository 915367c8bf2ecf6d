// What the adapter gives to the client for what the server says: passed on, unpacked, held back, merged.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf } from "../../crates/client/js/hash.js";
import { Transitions } from "../../crates/client/js/transitions.js";

const version = (ts, querySet = 1) => ({ querySet, identity: 0, ts: Buffer.from([ts, 0, 0, 0, 0, 0, 0, 0]).toString("base64") });

/** A Transition from one moment to another. */
const transition = (from, to, ...modifications) =>
  JSON.stringify({ type: "Transition", startVersion: version(from), endVersion: version(to), modifications, clientClockSkew: 5, serverTs: 1000 + to });

const rest = { logLines: [], journal: null };
const updated = (queryId, value, result) => ({ type: "QueryUpdated", queryId, value, result, ...rest });
const failed = (queryId) => ({ type: "QueryFailed", queryId, errorMessage: "no", ...rest });
const removed = (queryId) => ({ type: "QueryRemoved", queryId });
const diff = (queryId, base, result, next, patch, more = rest) => ({ type: "QueryDiff", queryId, base, result, hash: hashOf(next), diff: patch, ...more });

const ping = { type: "Ping" };
const given = (answer) => JSON.parse(answer.text);
const nothing = (answer) => assert.deepEqual([given(answer), answer.resync], [ping, []]);
const passes = (transitions, text) => assert.deepEqual(transitions.receive(text), { text, resync: [] });

/** Queries 0 and 1, whose values `[1, 2]` and `"a"` were told as results 10 and 20. */
function begun() {
  const transitions = new Transitions();
  passes(transitions, transition(0, 1, updated(0, [1, 2], 10), updated(1, "a", 20)));
  return transitions;
}

/** Tells query 0 a diff that can't be applied. */
function broken() {
  const transitions = begun();
  const answer = transitions.receive(transition(1, 2, diff(0, 10, 11, [9], { list: [2, [3]] }), updated(1, "b", 21)));
  assert.deepEqual([given(answer), answer.resync], [ping, [0]]);
  return transitions;
}

test("a diff becomes the result", () => {
  const transitions = begun();
  const answer = transitions.receive(transition(1, 2, diff(0, 10, 11, [1, 2, 3], { list: [2, [3]] }, { logLines: ["[LOG] x"], journal: "j" })));
  const { modifications, ...head } = given(answer);
  assert.deepEqual(head, (({ modifications: _, ...others }) => others)(JSON.parse(transition(1, 2))));
  assert.deepEqual(modifications, [{ ...updated(0, [1, 2, 3], 11), logLines: ["[LOG] x"], journal: "j" }]);
  const next = given(transitions.receive(transition(2, 3, updated(1, "b", 21), diff(0, 11, 12, [3], { list: [-2, 1] }), failed(2))));
  assert.deepEqual(next.modifications, [updated(1, "b", 21), updated(0, [3], 12), failed(2)]);
});

test("what holds no diff is passed on as it came", () => {
  const transitions = begun();
  passes(transitions, ` ${transition(1, 2, updated(1, "b", 21), failed(0))}`);
  for (const text of [
    '{ "type": "Ping" }', '{"type":"MutationResponse","requestId":0,"result":"Transition"}', '{"type":"AuthError","error":"\\"Transition"}',
    'no json "Transition"', '{"type":"Transition"}', '"Transition"', "null", '{"type":"TransitionChunk"}',
  ]) passes(transitions, text);
  const bytes = new ArrayBuffer(1);
  assert.equal(transitions.receive(bytes).text, bytes);
});

test("a server that knows no diffs is left alone", () => {
  const transitions = new Transitions();
  const { result: _, ...plain } = updated(0, [1], 0);
  passes(transitions, transition(0, 1));
  passes(transitions, transition(1, 2, failed(7)));
  passes(transitions, transition(2, 3, plain));
  // Nothing is looked at from now on.
  passes(transitions, transition(3, 4, diff(0, undefined, 1, [1], {})));
});

const misfits = {
  "another base": diff(0, 9, 11, [1, 2, 3], { list: [2, [3]] }),
  "a patch that does not fit": diff(0, 10, 11, [1], { list: [3] }),
  "another hash": diff(0, 10, 11, [1, 2], { list: [2, [3]] }),
  "no hash": { ...diff(0, 10, 11, [1, 2], {}), hash: undefined },
  "no patch": { ...diff(0, 10, 11, [1, 2], {}), diff: undefined },
  "a query that has no result": diff(5, 10, 11, [1, 2], {}),
  "neither result nor base": { ...diff(5, 10, 11, [1, 2], {}), base: undefined },
  "a patch deeper than the stack": diff(0, 10, 11, [1, 2], "DEEP"),
};
for (const [name, misfit] of Object.entries(misfits)) {
  test(`held back until the full value comes: ${name}`, () => {
    const transitions = begun();
    const { queryId } = misfit;
    const deep = `${'{"list":[1,'.repeat(20_000)}{}${"]}".repeat(20_000)}`;
    const answer = transitions.receive(transition(1, 2, misfit).replace('"DEEP"', deep));
    assert.deepEqual([given(answer), answer.resync], [ping, [queryId]]);
    nothing(transitions.receive(transition(2, 3, diff(queryId, 11, 12, [], { list: [-3] }), updated(1, "c", 22))));
    passes(transitions, '{"type":"MutationResponse","requestId":0,"success":true,"result":null,"ts":"AwAAAAAAAAA=","logLines":[]}');
    passes(transitions, '{"type":"Ping"}');
    const merged = transitions.receive(transition(3, 4, updated(queryId, [], 12)));
    assert.deepEqual(merged.resync, []);
    assert.deepEqual(given(merged), JSON.parse(transition(1, 4, updated(1, "c", 22), updated(queryId, [], 12))));
    const after = given(transitions.receive(transition(4, 5, diff(queryId, 12, 13, [7], { list: [[7]] }))));
    assert.deepEqual(after.modifications, [updated(queryId, [7], 13)]);
  });
}

test("other queries go on while one is asked for", () => {
  const transitions = broken();
  nothing(transitions.receive(transition(2, 3, diff(1, 21, 22, "bc", { text: [1, 0, "c"] }))));
  nothing(transitions.receive(transition(3, 4, diff(1, 22, 23, "bcd", { text: [2, 0, "d"] }), updated(2, null, 30))));
  const merged = given(transitions.receive(transition(4, 5, updated(0, [9], 12))));
  const expected = JSON.parse(transition(1, 5, updated(1, "bcd", 23), updated(2, null, 30), updated(0, [9], 12)));
  assert.deepEqual(merged, expected);
});

test("two queries asked for, one after the other", () => {
  const transitions = broken();
  const second = transitions.receive(transition(2, 3, diff(1, 99, 100, "", {})));
  assert.deepEqual([given(second), second.resync], [ping, [1]]);
  nothing(transitions.receive(transition(3, 4, updated(0, [9], 12))));
  nothing(transitions.receive(transition(4, 5, diff(0, 12, 13, [9, 9], { list: [1, [9]] }))));
  const merged = given(transitions.receive(transition(5, 6, updated(1, "z", 101))));
  assert.deepEqual(merged, JSON.parse(transition(1, 6, updated(1, "z", 101), updated(0, [9, 9], 13))));
});

for (const [name, release] of Object.entries({ "its failure": failed(0), "its removal": removed(0) })) {
  test(`a query asked for is released by ${name}, and has no base then`, () => {
    const transitions = broken();
    const merged = given(transitions.receive(transition(2, 3, release)));
    assert.deepEqual(merged, JSON.parse(transition(1, 3, updated(1, "b", 21), release)));
    const again = transitions.receive(transition(3, 4, diff(0, 10, 14, [1, 2], {})));
    assert.deepEqual([given(again), again.resync], [ping, [0]]);
  });
}

/** Cuts a message into parts. */
function chunked(text, parts, transitionId = "t") {
  const length = Math.ceil(text.length / parts);
  return Array.from({ length: parts }, (_, partNumber) =>
    JSON.stringify({ type: "TransitionChunk", chunk: text.slice(partNumber * length, (partNumber + 1) * length), partNumber, totalParts: parts, transitionId }));
}

test("a large Transition is collected", () => {
  const transitions = begun();
  const whole = transition(1, 2, updated(0, ["\u{1F600}".repeat(50)], 11));
  const parts = chunked(whole, 3);
  nothing(transitions.receive(parts[0]));
  passes(transitions, '{"type":"Ping"}');
  nothing(transitions.receive(parts[1]));
  assert.deepEqual(transitions.receive(parts[2]), { text: whole, resync: [] });
  const [first, second] = chunked(transition(2, 3, diff(0, 11, 12, [], { list: [-1] })), 2);
  nothing(transitions.receive(first));
  assert.deepEqual(given(transitions.receive(second)), JSON.parse(transition(2, 3, updated(0, [], 12))));
});

test("parts that do not follow each other go to the client, which refuses them", () => {
  const transitions = begun();
  const [zero, one, two] = chunked(transition(1, 2, removed(0)), 3);
  passes(transitions, one);
  nothing(transitions.receive(zero));
  passes(transitions, two);
  passes(transitions, chunked(transition(1, 2), 3, "another")[1]);
  nothing(transitions.receive(zero));
  nothing(transitions.receive(one));
  assert.deepEqual(given(transitions.receive(two)), JSON.parse(transition(1, 2, removed(0))));
});
