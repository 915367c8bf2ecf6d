// Random values of the wire and random changes to them, the same for the same seed.

/** A generator of whole numbers below a bound, from a seed. */
export function randomFrom(seed) {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const KEYS = ["a", "b", "name", "body", "_id", "__proto__", "constructor", "toString", "toJSON", "", "0", "10", "é", "\u{1F600}", "value", "from"];
const TEXTS = ["", "a", "plain words", "grüße", "\u{1F600}\u{1F601}", "\u0000\n\"\\", "x".repeat(100), "日本語".repeat(9)];
const NUMBERS = [0, -0, 1, -1, 0.1, 1e21, 5e-324, 1.7976931348623157e308, 2 ** 53, 1700000000000.25];
const SPECIALS = [{ $integer: "AQAAAAAAAAA=" }, { $float: "AAAAAAAA+H8=" }, { $bytes: "" }, { $bytes: "AP8=" }];

/** Whether an object stands for one value, as `{"$integer": …}` does. */
export const isSpecial = (object) => Object.keys(object).length === 1 && Object.keys(object)[0].startsWith("$");

const pick = (random, list) => list[random(list.length)];

export function randomText(random) {
  return Array.from({ length: random(4) }, () => pick(random, TEXTS)).join("");
}

/** A value as JSON.parse gives it. */
export function randomValue(random, depth = 3) {
  const kind = random(depth > 0 ? 12 : 7);
  if (kind < 2) return pick(random, [null, true, false]);
  if (kind < 4) return pick(random, NUMBERS);
  if (kind < 6) return randomText(random);
  if (kind < 7) return { ...pick(random, SPECIALS) };
  if (kind < 10) return randomObject(random, depth - 1);
  return Array.from({ length: random(6) }, () => randomValue(random, depth - 1));
}

export function randomObject(random, depth = 2) {
  return Object.fromEntries(Array.from({ length: random(6) }, () => [pick(random, KEYS), randomValue(random, depth)]));
}

/** Rows with an id of their own. */
export function randomRows(random, length) {
  return Array.from({ length }, () => randomRow(random));
}

let rows = 0;

function randomRow(random) {
  return { ...randomObject(random, 1), _id: `row ${rows++}` };
}

/** Another value that has much in common with this one; the value itself stays as it is. */
export function randomlyChanged(random, value) {
  if (random(8) === 0) return randomValue(random);
  if (typeof value === "string") {
    const at = random(value.length + 1);
    return (value.slice(0, at) + randomText(random) + value.slice(at + random(5))).toWellFormed();
  }
  if (Array.isArray(value)) return changedList(random, value);
  if (typeof value !== "object" || value === null || isSpecial(value)) return randomValue(random, 1);
  const fields = new Map(Object.entries(value));
  for (let change = random(3); change >= 0; change--) {
    const key = random(2) ? pick(random, KEYS) : pick(random, [...fields.keys(), "a"]);
    if (random(3) === 0) fields.delete(key);
    else if (fields.has(key)) fields.set(key, randomlyChanged(random, fields.get(key)));
    else fields.set(key, randomValue(random, 1));
  }
  return Object.fromEntries(fields);
}

function changedList(random, list) {
  const changed = [...list];
  for (let change = random(4); change >= 0; change--) {
    const at = random(changed.length + 1);
    const kind = random(5);
    if (kind === 0) changed.splice(at, 0, random(2) ? randomRow(random) : randomValue(random, 1));
    else if (kind === 1) changed.splice(at, random(4));
    else if (kind === 2 && changed.length > 0) changed.splice(at, 0, ...changed.splice(random(changed.length), 1));
    else if (kind === 3 && changed.length > 0) changed.splice(at, 0, pick(random, changed));
    else if (at < changed.length) changed[at] = randomlyChanged(random, changed[at]);
  }
  return changed;
}

/** A value that the official client takes, and that its own encoding leaves as it is. */
export function clean(value) {
  if (Array.isArray(value)) return value.map(clean);
  if (Object.is(value, -0)) return 0;
  if (typeof value !== "object" || value === null) return value;
  if (isSpecial(value)) return value;
  const fields = Object.entries(value).filter(([name]) => /^(?!\$|__proto__$)[ -~]*$/.test(name));
  return Object.fromEntries(fields.sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, field]) => [name, clean(field)]));
}
