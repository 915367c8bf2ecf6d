// The vectors of crates/sync/DIFF.md: this implementation and the server's agree on each value, hash and refusal.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { hashOf } from "../../crates/client/js/hash.js";
import { apply, Unfit } from "../../crates/client/js/patch.js";
import { textOf } from "../../crates/client/js/text.js";

const file = new URL("../../crates/sync/tests/diff-vectors.json", import.meta.url);
const { vectors, refused } = JSON.parse(await readFile(file, "utf8"));

test("each patch makes the new value of the old one", () => {
  assert.ok(vectors.length > 50);
  for (const vector of vectors) {
    const [old, next, patch] = [vector.old, vector.new, vector.patch].map((text) => JSON.parse(text));
    assert.equal(hashOf(old), vector.oldHash, `${vector.name}: the old hash`);
    const result = apply(old, patch);
    assert.deepStrictEqual(result, next, vector.name);
    assert.equal(hashOf(result), vector.newHash, `${vector.name}: the new hash`);
    assert.deepStrictEqual(JSON.parse(textOf(result)), next, `${vector.name}: the text`);
    assert.deepStrictEqual(old, JSON.parse(vector.old), `${vector.name}: the old value is as it was`);
  }
});

test("what does not fit is refused", () => {
  assert.ok(refused.length > 50);
  for (const { name, old, patch } of refused) {
    assert.throws(() => apply(JSON.parse(old), JSON.parse(patch)), Unfit, name);
  }
});
