// What one connection was told: turns Transitions with diffs into the ones that the official client knows.
//
// Guarantees: the client is told results of the server and nothing else. A Transition whose diff does not fit (another
// base, another hash, malformed) is held back, and all later ones with it, until the server has sent that query in full;
// then they are one Transition, of the moment of the last. Answers and pings are never held back. A message without
// diffs is passed on as the very string that came. From a server that knows no diffs, nothing is kept.

import { hashOf } from "./hash.js";
import { apply } from "./patch.js";
import { transitionText } from "./text.js";

/** Stands for a message that is collected or held back: the official client notes that the server is alive. */
const PING = '{"type":"Ping"}';

export class Transitions {
  /** Query → `{ result, value }` as the server told it last. */
  #results = new Map();
  /** Queries that were asked for in full. */
  #asked = new Set();
  /** What is held back, `{ head, modifications }`, the latter by query. */
  #held = null;
  #chunks = [];
  /** Whether the server knows no diffs; undefined before its first result. */
  #plain;

  /**
   * Takes a message of the server.
   * @param {string} text
   * @returns {{ text: string, resync: number[] }} what the client is given instead, and the queries to ask for in full
   */
  receive(text) {
    // A large answer that is no Transition is not parsed for nothing.
    if (this.#plain || typeof text !== "string" || !text.includes('"Transition')) return pass(text);
    const message = parse(text);
    if (message?.type === "TransitionChunk") return this.#collect(message, text);
    return this.#take(message, text);
  }

  /** Collects the parts of a large Transition, and takes it when it is whole. */
  #collect({ chunk, partNumber, totalParts, transitionId }, text) {
    const [first] = this.#chunks;
    const begins = partNumber === 0;
    const follows = first?.transitionId === transitionId && this.#chunks.length === partNumber;
    if (begins) this.#chunks = [];
    else if (!follows) return pass(text);
    this.#chunks.push({ chunk, transitionId });
    if (this.#chunks.length < totalParts) return pass(PING);
    const whole = this.#chunks.map((part) => part.chunk).join("");
    this.#chunks = [];
    return this.#take(parse(whole), whole);
  }

  #take(message, text) {
    if (message?.type !== "Transition" || !Array.isArray(message.modifications)) return pass(text);
    const { modifications, ...head } = message;
    const resync = [];
    const told = [];
    let changed = false;
    for (const modification of modifications) {
      if (modification.type !== "QueryDiff") {
        this.#note(modification);
        told.push(modification);
        continue;
      }
      changed = true;
      const { queryId } = modification;
      const updated = this.#asked.has(queryId) ? undefined : this.#updated(modification);
      if (updated !== undefined) {
        told.push(updated);
      } else if (!this.#asked.has(queryId)) {
        this.#asked.add(queryId);
        resync.push(queryId);
      }
    }
    if (this.#asked.size === 0 && this.#held === null) {
      return { text: changed ? transitionText(head, told) : text, resync };
    }
    this.#held = merge(this.#held, head, told);
    if (this.#asked.size > 0) return { text: PING, resync };
    const held = this.#held;
    this.#held = null;
    return { text: transitionText(held.head, [...held.modifications.values()]), resync };
  }

  /** Keeps what a modification without a diff says. */
  #note({ type, queryId, value, result }) {
    this.#asked.delete(queryId);
    this.#results.delete(queryId);
    if (type !== "QueryUpdated") return;
    this.#plain ??= result === undefined;
    if (result !== undefined) this.#results.set(queryId, { result, value });
  }

  /** What a QueryDiff says in full; undefined when it does not fit. */
  #updated({ diff, base, hash, ...rest }) {
    const known = this.#results.get(rest.queryId);
    if (known === undefined || known.result !== base) return undefined;
    let value;
    try {
      value = apply(known.value, diff);
      if (hashOf(value) !== hash) return undefined;
    } catch {
      // Unfit, or nested so deeply that the stack ends.
      return undefined;
    }
    this.#results.set(rest.queryId, { result: rest.result, value });
    return { ...rest, type: "QueryUpdated", value };
  }
}

function pass(text) {
  return { text, resync: [] };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One Transition for two that follow each other: the last that is said of each query, from the first to the last version. */
function merge(held, head, told) {
  const modifications = held?.modifications ?? new Map();
  for (const modification of told) modifications.set(modification.queryId, modification);
  return { head: { ...head, startVersion: (held?.head ?? head).startVersion }, modifications };
}
