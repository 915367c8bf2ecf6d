// The hash that says whether a patched value is the server's: 64 bits in two lanes, over the JSON of the wire.
//
// Guarantees: equal values have equal hashes, whatever the order of their keys; the elements of arrays (the rows of a
// list) keep theirs as long as they live, so hashing a list again costs its changed rows and a step for each other.
// The bytes are defined in crates/sync/DIFF.md. Values are never changed once hashed: patches copy what they change.

const A = 0x243f6a88, B = 0x85a308d3, FACTOR_A = 0x9e3779b1, FACTOR_B = 0x85ebca77;
const NULL = 0, FALSE = 1, TRUE = 2, NUMBER = 3, STRING = 4, ARRAY = 5, OBJECT = 6, FIELD = 7;

/** Both lanes of the hash that was finished last. */
let a = 0, b = 0;

/** The hashes of array elements: object → { a, b }. */
const kept = new WeakMap();

const double = new DataView(new ArrayBuffer(8));
const encoder = new TextEncoder();

/** The hash of a value as parsed from the wire: 16 lower-case hexadecimal digits. */
export function hashOf(value) {
  hash(value);
  return hex(a) + hex(b);
}

const hex = (lane) => (lane >>> 0).toString(16).padStart(8, "0");

function mixA(x, word) {
  x = Math.imul(x ^ word, FACTOR_A);
  return (x << 15) | (x >>> 17);
}

function mixB(y, word) {
  y = Math.imul(y ^ word, FACTOR_B);
  return (y << 13) | (y >>> 19);
}

function final(x) {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

function finish(x, y) {
  a = final(x);
  b = final(y);
}

/** Leaves the hash of a value in `a` and `b`. */
function hash(value) {
  switch (typeof value) {
    case "string":
      return hashString(value);
    case "number":
      return hashNumber(value);
    case "boolean":
      return value ? finish(A + TRUE, B + TRUE) : finish(A + FALSE, B + FALSE);
  }
  if (value === null) return finish(A + NULL, B + NULL);
  return Array.isArray(value) ? hashArray(value) : hashObject(value);
}

function hashNumber(value) {
  double.setFloat64(0, value, true);
  const low = double.getInt32(0, true), high = double.getInt32(4, true);
  finish(mixA(mixA(A + NUMBER, low), high), mixB(mixB(B + NUMBER, low), high));
}

function hashString(text) {
  const { length } = text, whole = length & ~3;
  let x = mixA(A + STRING, length), y = mixB(B + STRING, length), at = 0;
  for (; at < whole; at += 4) {
    const one = text.charCodeAt(at), two = text.charCodeAt(at + 1);
    const three = text.charCodeAt(at + 2), four = text.charCodeAt(at + 3);
    if ((one | two | three | four) > 0x7f) return hashBytes(encoder.encode(text));
    const word = one | (two << 8) | (three << 16) | (four << 24);
    // mixA and mixB by hand: most of a first hash is spent here, before anything is compiled.
    x = Math.imul(x ^ word, FACTOR_A);
    x = (x << 15) | (x >>> 17);
    y = Math.imul(y ^ word, FACTOR_B);
    y = (y << 13) | (y >>> 19);
  }
  let last = 0;
  for (let shift = 0; at < length; at++, shift += 8) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return hashBytes(encoder.encode(text));
    last |= unit << shift;
  }
  if (whole < length) {
    x = mixA(x, last);
    y = mixB(y, last);
  }
  finish(x, y);
}

function hashBytes(bytes) {
  const { length } = bytes;
  let x = mixA(A + STRING, length), y = mixB(B + STRING, length);
  for (let at = 0; at < length; at += 4) {
    // What is beyond the end is undefined, and counts as 0.
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    x = mixA(x, word);
    y = mixB(y, word);
  }
  finish(x, y);
}

function hashArray(array) {
  let x = A + ARRAY, y = B + ARRAY;
  for (const element of array) {
    hashElement(element);
    x = mixA(mixA(x, a), b);
    y = mixB(mixB(y, a), b);
  }
  finish(mixA(x, array.length), mixB(y, array.length));
}

function hashElement(element) {
  if (typeof element !== "object" || element === null) return hash(element);
  const known = kept.get(element);
  if (known === undefined) {
    hash(element);
    kept.set(element, { a, b });
  } else {
    ({ a, b } = known);
  }
}

function hashObject(object) {
  const keys = Object.keys(object);
  let sumA = 0, sumB = 0;
  for (const key of keys) {
    hashString(key);
    const x = mixA(mixA(A + FIELD, a), b), y = mixB(mixB(B + FIELD, a), b);
    hash(object[key]);
    finish(mixA(mixA(x, a), b), mixB(mixB(y, a), b));
    sumA = (sumA + a) | 0;
    sumB = (sumB + b) | 0;
  }
  const x = mixA(mixA(mixA(A + OBJECT, sumA), sumB), keys.length);
  const y = mixB(mixB(mixB(B + OBJECT, sumA), sumB), keys.length);
  finish(x, y);
}
