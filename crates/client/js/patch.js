// Patches: what changed between two results of one query, over the JSON of the wire (crates/sync/DIFF.md).
//
// Guarantees: `apply` returns the new value or throws `Unfit`; it never changes the old value or the patch, and what
// did not change is shared between old and new. Keys such as `__proto__` are keys like any other.

/** A patch that is malformed, or made for another value. */
export class Unfit extends Error {}

/**
 * Applies a patch.
 * @param {unknown} old the value that the patch was made for, as parsed JSON
 * @param {unknown} patch the patch, as parsed JSON; its parts may become parts of the new value
 * @returns {unknown} the new value
 * @throws {Unfit}
 */
export function apply(old, patch) {
  check(isObject(patch), "a patch is an object");
  const keys = Object.keys(patch);
  if (keys.length === 0) return old;
  if (keys.length > 1 || keys[0] in FIELDS) return applyFields(old, patch, keys);
  switch (keys[0]) {
    case "value":
      return patch.value;
    case "list":
      return applyList(old, patch.list);
    case "text":
      return applyText(old, patch.text);
  }
  throw new Unfit(`no form of a patch: ${keys[0]}`);
}

const FIELDS = { __proto__: null, set: true, unset: true, patch: true };

function check(condition, rule) {
  if (!condition) throw new Unfit(rule);
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

/** `{"$integer": …}` and its like stand for one value and have no fields. */
function isSpecial(value) {
  const keys = Object.keys(value);
  return keys.length === 1 && keys[0].startsWith("$");
}

function applyFields(old, patch, forms) {
  check(forms.every((form) => form in FIELDS), "only set, unset and patch go together");
  check(isObject(old) && !isSpecial(old), "the old value is an object");
  const { set = {}, unset = [], patch: inner = {} } = patch;
  check(isObject(set) && Array.isArray(unset) && isObject(inner), "set and patch are objects, unset is a list");
  const fields = new Map(Object.entries(old));
  const named = new Set();
  const name = (key) => {
    check(typeof key === "string" && !named.has(key), "each key is named once");
    named.add(key);
  };
  for (const key of unset) {
    name(key);
    check(fields.delete(key), "what is unset was there");
  }
  for (const [key, change] of Object.entries(inner)) {
    name(key);
    check(fields.has(key), "what is patched was there");
    fields.set(key, apply(fields.get(key), change));
  }
  let added = false;
  for (const [key, value] of Object.entries(set)) {
    name(key);
    check(!key.startsWith("$"), "no field begins with $");
    added ||= !fields.has(key);
    fields.set(key, value);
  }
  // The server writes keys in order, and so does this, lest a new field comes last only because it is new.
  return Object.fromEntries(added ? [...fields].sort(([left], [right]) => (left < right ? -1 : 1)) : fields);
}

function applyList(old, steps) {
  check(Array.isArray(old), "the old value is a list");
  check(Array.isArray(steps), "a list of steps");
  const list = [];
  const used = new Uint8Array(old.length);
  const take = (index, change) => {
    check(used[index]++ === 0, "an old element goes to one place");
    list.push(change === undefined ? old[index] : apply(old[index], change));
  };
  let at = 0;
  for (const step of steps) {
    if (typeof step === "number") {
      check(Number.isSafeInteger(step) && step !== 0, "a step is a whole number and not 0");
      const end = at + Math.abs(step);
      check(end <= old.length, "a step ends within the old list");
      for (let index = at; step > 0 && index < end; index++) take(index);
      at = end;
    } else if (Array.isArray(step)) {
      for (const value of step) list.push(value);
    } else {
      check(isObject(step), "a step is a number, a list or an object");
      if (Object.hasOwn(step, "from")) {
        take(origin(step, old), step.patch);
      } else {
        check(at < old.length, "a step ends within the old list");
        take(at++, step);
      }
    }
  }
  check(at === old.length, "the steps reach the end of the old list");
  return list;
}

/** The index of `{"from": index}` or `{"from": index, "patch": …}`. */
function origin(step, old) {
  check(Object.keys(step).length === (Object.hasOwn(step, "patch") ? 2 : 1), "from goes with patch alone");
  check(isCount(step.from) && step.from < old.length, "from is an index of the old list");
  return step.from;
}

function applyText(old, parts) {
  check(typeof old === "string", "the old value is a string");
  check(Array.isArray(parts) && parts.length === 3, "text has three parts");
  const [at, removed, inserted] = parts;
  check(isCount(at) && isCount(removed) && typeof inserted === "string", "text is a position, a count and a string");
  check(at + removed <= old.length, "text ends within the old string");
  check(!cutsPair(old, at) && !cutsPair(old, at + removed), "no surrogate pair is cut");
  return old.slice(0, at) + inserted + old.slice(at + removed);
}

function cutsPair(text, at) {
  if (at === 0 || at === text.length) return false;
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}
