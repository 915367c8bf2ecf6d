// A maker of patches that is as simple as possible, and random where the format leaves a choice.
import { isDeepStrictEqual as same } from "node:util";
import { isSpecial } from "./random.js";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A patch that makes `next` of `old`. */
export function patchOf(old, next, random) {
  if (same(old, next) && random(4)) return {};
  if (random(10) === 0) return { value: next };
  if (typeof old === "string" && typeof next === "string") return { text: textParts(old, next) };
  if (Array.isArray(old) && Array.isArray(next)) return { list: steps(old, next, random) };
  if (isObject(old) && isObject(next) && !isSpecial(old) && !isSpecial(next)) return fields(old, next, random);
  return { value: next };
}

function fields(old, next, random) {
  const [set, patch] = [[], []];
  const unset = Object.keys(old).filter((key) => !Object.hasOwn(next, key));
  for (const [key, value] of Object.entries(next)) {
    if (!Object.hasOwn(old, key)) set.push([key, value]);
    else if (same(old[key], value)) continue;
    else if (random(3) === 0) set.push([key, value]);
    else patch.push([key, patchOf(old[key], value, random)]);
  }
  const forms = { set: Object.fromEntries(set), unset, patch: Object.fromEntries(patch) };
  // A form that is empty may be left out, but not all three: that is the patch that changes nothing.
  for (const [form, content] of Object.entries(forms)) {
    if (Object.keys(content).length === 0 && random(2) && Object.keys(forms).length > 1) delete forms[form];
  }
  return forms;
}

function textParts(old, next) {
  const [before, after] = [Array.from(old), Array.from(next)];
  let [start, end] = [0, 0];
  const shorter = Math.min(before.length, after.length);
  while (start < shorter && before[start] === after[start]) start++;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const removed = before.slice(start, before.length - end).join("");
  return [before.slice(0, start).join("").length, removed.length, after.slice(start, after.length - end).join("")];
}

function steps(old, next, random) {
  const list = [];
  const used = new Set();
  let at = 0;
  const count = (by) => {
    const last = list.at(-1);
    if (typeof last === "number" && Math.sign(last) === Math.sign(by) && random(4)) list[list.length - 1] += by;
    else list.push(by);
  };
  for (const value of next) {
    // Each old element goes to one place at most.
    const alike = (other) => same(other, value) || (other?._id !== undefined && other._id === value?._id);
    const found = old.findIndex((other, index) => !used.has(index) && alike(other));
    used.add(found);
    if (found < 0 || random(10) === 0) {
      if (Array.isArray(list.at(-1)) && random(2)) list.at(-1).push(value);
      else list.push([value]);
    } else if (found >= at && random(6)) {
      if (found > at) count(at - found);
      at = found + 1;
      if (same(old[found], value) && random(6)) count(1);
      else list.push(patchOf(old[found], value, random));
    } else if (same(old[found], value)) {
      list.push({ from: found });
    } else {
      list.push({ from: found, patch: patchOf(old[found], value, random) });
    }
  }
  if (at < old.length) count(at - old.length);
  return list;
}
