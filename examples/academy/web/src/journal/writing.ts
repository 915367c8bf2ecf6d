// What happens to drafts: adding and changing entries. Both show at once. What the server refuses comes back as a draft
// with the reason, so that nothing written is lost, also when the journal is not shown at that moment.
import { useMutation } from "convex/react";
import { api } from "../../convex/_generated/api";
import type { Doc, Id } from "../../convex/_generated/dataModel";
import { messageOf } from "../errors";
import { useKept } from "../kept";
import { type Draft, draftOf, EMPTY, fieldsOf } from "./draft";

type Entry = Doc<"journalEntries">;
type EntryId = Id<"journalEntries">;

/** A new entry that the server refused. */
export type Refused = { key: string; draft: Draft; why: string };
/** An entry that is being changed: as it was when that began, and as it shall be. */
export type Edit = { before: Entry; draft: Draft; why?: string };

const NONE: Refused[] = [];
const NO_EDITS: Record<EntryId, Edit> = {};
const NO_KEYS: Record<EntryId, string> = {};

/** Ids of entries that the server has not confirmed yet. */
let unconfirmed = 0;
export const isUnconfirmed = (id: EntryId) => id.startsWith("new:");

export function useWriting(userId: Id<"users">) {
  const list = { userId };
  const create = useMutation(api.journalEntries.create);
  const update = useMutation(api.journalEntries.update);
  const [draft, setDraft] = useKept(`draft ${userId}`, EMPTY);
  const [refused, setRefused] = useKept(`refused ${userId}`, NONE);
  const [edits, setEdits] = useKept(`edits ${userId}`, NO_EDITS);
  const [keys, setKeys] = useKept(`keys ${userId}`, NO_KEYS);

  /** The entry is in the list from now on, under an id of its own until the server has given it one. */
  function add(draft: Draft) {
    const key = `new:${++unconfirmed}` as EntryId;
    const _creationTime = Date.now();
    const show = create.withOptimisticUpdate((store, fields) => {
      const entries = store.getQuery(api.journalEntries.getUserJournalEntries, list);
      if (!entries) return;
      const entry = { _id: key, _creationTime, ...fields };
      store.setQuery(api.journalEntries.getUserJournalEntries, list, [entry, ...entries]);
    });
    show({ userId, ...fieldsOf(draft) }).then(
      (id) => setKeys((now) => ({ ...now, [id]: key })),
      (error: unknown) => setRefused((now) => [{ key, draft, why: messageOf(error) }, ...now]),
    );
  }

  const change = (id: EntryId, edit: Edit | undefined) =>
    setEdits((now) => {
      const { [id]: _, ...others } = now;
      return edit ? { ...others, [id]: edit } : others;
    });

  function save(edit: Edit) {
    const id = edit.before._id;
    change(id, undefined);
    const show = update.withOptimisticUpdate((store, { id, ...fields }) => {
      const entries = store.getQuery(api.journalEntries.getUserJournalEntries, list);
      const changed = entries?.map((entry) => (entry._id === id ? { ...entry, ...fields } : entry));
      if (changed) store.setQuery(api.journalEntries.getUserJournalEntries, list, changed);
    });
    show({ id, ...fieldsOf(edit.draft) }).catch((error: unknown) =>
      setEdits((now) => ({ ...now, [id]: { ...(now[id] ?? edit), why: messageOf(error) } })),
    );
  }

  return {
    draft,
    setDraft: (draft: Draft) => setDraft(() => draft),
    refused,
    revise: (key: string, draft: Draft) =>
      setRefused((now) => now.map((one) => (one.key === key ? { ...one, draft } : one))),
    discard: (key: string) => setRefused((now) => now.filter((one) => one.key !== key)),
    edits,
    begin: (before: Entry) => change(before._id, { before, draft: draftOf(before) }),
    change,
    add,
    save,
    /** What a row of the list is known by: it stays the same row when the server confirms it. */
    keyOf: (id: EntryId): string => keys[id] ?? id,
    isOwn: (id: EntryId) => isUnconfirmed(id) || id in keys,
  };
}
