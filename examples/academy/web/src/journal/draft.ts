// What a person writes before it is an entry.
import type { Doc } from "../../convex/_generated/dataModel";

export type Draft = { content: string; mood: string; isPrivate: boolean };

/** The moods to choose from. An entry may have another one; it is kept and offered when that entry is edited. */
export const MOODS = ["calm", "happy", "proud", "hopeful", "curious", "nervous", "tired"];

export const EMPTY: Draft = { content: "", mood: "calm", isPrivate: true };

export function draftOf({ content, mood, isPrivate }: Doc<"journalEntries">): Draft {
  return { content, mood, isPrivate };
}

/** The fields of an entry that a draft decides. */
export function fieldsOf({ content, mood, isPrivate }: Draft) {
  const text = content.trim();
  return { content: text, mood, isPrivate, wordCount: text.split(/\s+/).length };
}
