// What the adapter of crates/client/js costs in Node: a Transition with the diff of one changed row of a list of 500
// documents of about 300 bytes is applied, checked and written in full, beside what the official client does with it.
//
//   node benches/adapter.js
import { hashOf } from "../crates/client/js/hash.js";
import { Transitions } from "../crates/client/js/transitions.js";

const ROWS = 500, CHANGES = 5000;
const version = { querySet: 1, identity: 0, ts: "AAAAAAAAAAA=" };
const rest = { queryId: 0, logLines: [], journal: null };
const transition = (modification) =>
  JSON.stringify({ type: "Transition", startVersion: version, endVersion: version, modifications: [{ ...modification, ...rest }] });

const list = Array.from({ length: ROWS }, (_, at) => ({
  _creationTime: 1_700_000_000_000.25 + at,
  _id: `k57a8f3c2d9e1b4a6f8c0d2e4b6a8f${String(at).padStart(3, "0")}`,
  author: "Ada Lovelace",
  body: "The Analytical Engine weaves algebraic patterns, just as the Jacquard loom weaves flowers and leaves.",
  isPinned: false,
  likes: at,
  summary: "A note on the engine",
  tags: ["engines", "looms"],
}));

/** The messages of a server whose query changes one row at a time. */
function messages() {
  const all = [transition({ type: "QueryUpdated", value: list, result: 1 })];
  for (let change = 1; change <= CHANGES; change++) {
    const at = (change * 37) % ROWS;
    list[at] = { ...list[at], likes: change };
    const steps = [at, { set: { likes: change } }, ROWS - 1 - at].filter((step) => step !== 0);
    all.push(transition({ type: "QueryDiff", base: change, result: change + 1, hash: hashOf(list), diff: { list: steps } }));
  }
  return all;
}

function timed(times, run) {
  const start = performance.now();
  const result = run();
  times.push((performance.now() - start) * 1000);
  return result;
}

const transitions = new Transitions();
const [adapter, parsing] = [[], []];
let bytes = 0;
for (const message of messages()) {
  const { text, resync } = timed(adapter, () => transitions.receive(message));
  if (resync.length > 0) throw new Error("a diff did not fit");
  const { value } = timed(parsing, () => JSON.parse(text)).modifications[0];
  if (value.length !== ROWS) throw new Error(`${value.length} rows`);
  bytes = text.length;
}

const microseconds = (time) => `${Math.round(time)} us`.padStart(9);
const show = (what, times) => {
  const sorted = times.toSorted((left, right) => left - right);
  const at = (part) => microseconds(sorted[Math.floor(sorted.length * part)]);
  console.log(`${what.padEnd(34)} median ${at(0.5)}, 90 % ${at(0.9)}`);
};
console.log(`${ROWS} rows, ${Math.round(bytes / ROWS)} bytes each, ${CHANGES} changes of one row, node ${process.version}`);
console.log(`the full value, parsed and kept  ${microseconds(adapter[0])}; the first diff ${microseconds(adapter[1])}`);
show("a diff: apply, hash, text", adapter.slice(2));
show("the client's JSON.parse of that", parsing.slice(2));
