// Patches, hashes and texts of the adapter, on random values: what is applied is what was meant, to the bit.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf } from "../../crates/client/js/hash.js";
import { apply } from "../../crates/client/js/patch.js";
import { textOf } from "../../crates/client/js/text.js";
import { patchOf } from "./support/patches.js";
import { randomFrom, randomlyChanged, randomRows, randomValue } from "./support/random.js";

/** Another copy, as it would come over the wire. */
const copy = (value) => JSON.parse(textOf(value));

/** Applies a patch that came over the wire and checks all that must hold of it. */
function applied(old, next, random, what) {
  const patch = patchOf(old, next, random);
  const [before, diff] = [structuredClone(old), copy(patch)];
  const result = apply(old, diff);
  assert.deepStrictEqual(result, next, `${what}: ${textOf(patch)}`);
  assert.equal(hashOf(result), hashOf(copy(next)), `${what}: the hash`);
  assert.deepStrictEqual(copy(result), next, `${what}: the text`);
  assert.deepStrictEqual(old, before, `${what}: the old value is as it was`);
  assert.deepStrictEqual(diff, patch, `${what}: the patch is as it was`);
  return result;
}

test("a patch between two random values", () => {
  for (let seed = 0; seed < 2000; seed++) {
    const random = randomFrom(seed);
    const old = copy(randomValue(random));
    const next = random(3) ? randomlyChanged(random, old) : randomValue(random);
    applied(old, next, random, `seed ${seed}`);
  }
});

test("one edit of a list after the other", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = randomFrom(10_000 + seed);
    let list = copy(randomRows(random, random(60)));
    for (let edit = 0; edit < 30; edit++) {
      let next = randomlyChanged(random, list);
      if (!Array.isArray(next)) next = list.toReversed();
      list = applied(list, next, random, `seed ${seed}, edit ${edit}`);
    }
  }
});

test("different values have different hashes, whatever the order of their keys", () => {
  const hashes = new Map();
  const ordered = (value) => {
    if (Array.isArray(value)) return value.map(ordered);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.keys(value).sort().map((key) => [key, ordered(value[key])]));
  };
  for (let seed = 0; seed < 5000; seed++) {
    const value = randomValue(randomFrom(20_000 + seed), 2);
    const text = textOf(ordered(value));
    const hash = hashOf(value);
    assert.match(hash, /^[0-9a-f]{16}$/);
    assert.equal(hashOf(copy(ordered(value))), hash, text);
    assert.equal(hashes.get(hash) ?? text, text, "one hash for two values");
    hashes.set(hash, text);
  }
  assert.ok(hashes.size > 1000);
});

test("a new field stands where the server would write it", () => {
  assert.deepEqual(Object.keys(apply({ _id: "1", a: 1, c: 3 }, { set: { b: 2, A: 0 }, unset: ["a"] })), ["A", "_id", "b", "c"]);
});
