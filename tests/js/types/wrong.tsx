// How a frontend must not use the generated types of the academy: each line that ends with the number of an error is
// refused with exactly that error, and every other line is accepted.
import { ConvexHttpClient } from "convex/browser";
import { useMutation, useQuery } from "convex/react";
import { api, internal } from "./convex/_generated/api.js";
import type { Doc, Id } from "./convex/_generated/dataModel.js";
import { query } from "./convex/_generated/server.js"; // TS2305

export function Wrong({ userId, missionId }: { userId: Id<"users">; missionId: Id<"missions"> }) {
  // Arguments: a wrong name, a wrong type, another table's id, a plain string for an id, none at all, too many.
  useQuery(api.journalEntries.getUserJournalEntries, { user: userId }); // TS2353
  useQuery(api.achievements.list, { limit: "5" }); // TS2322
  useQuery(api.journalEntries.getUserJournalEntries, { userId: missionId }); // TS2322
  useQuery(api.journalEntries.getUserJournalEntries, { userId: "a string" }); // TS2322
  useQuery(api.journalEntries.getUserJournalEntries, {}); // TS2345
  useQuery(api.journalEntries.getUserJournalEntries); // TS2554
  useQuery(api.journalEntries.getUserJournalEntries, { userId, limit: 5 }); // TS2353
  useQuery(api.courses.list, { status: "finished" }); // TS2322

  // Fields of a new document: one is missing, one is null, which is not absence.
  const create = useMutation(api.journalEntries.create);
  create({ userId, content: "hello", isPrivate: true }); // TS2741
  create({ userId, content: "hello", mood: "calm", isPrivate: true, tags: null }); // TS2322

  // Functions: internal ones are in no public API and can't be called as public ones; a mutation is no query.
  useMutation(api.scenarios.migrate); // TS2339
  useMutation(internal.scenarios.migrate); // TS2345
  useQuery(api.journalEntries.remove, { id: "x" as Id<"journalEntries"> }); // TS2345
  useQuery(api.journalEntries.nothing, {}); // TS2339
  useQuery(api.nowhere.list, {}); // TS2339

  // Results: a field that no document has, a field of another type, an answer that is not there yet, one that is null.
  const entries = useQuery(api.journalEntries.getUserJournalEntries, { userId });
  const user = useQuery(api.users.get, { id: userId });
  entries?.[0]?.author; // TS2339
  const length: number | undefined = entries?.[0]?.content; // TS2322
  entries.length; // TS18048
  user.email; // TS18049
  const mission: Doc<"missions"> | undefined = entries?.[0]; // TS2322
}

export async function wrongOverHttp(client: ConvexHttpClient, id: Id<"users">): Promise<void> {
  const user = await client.query(api.users.get, { id });
  await client.mutation(api.journalEntries.remove, { id }); // TS2322
  const email: string = user.email; // TS18047
}

export type NoTable = Doc<"nothing">; // TS2344
export type NoId = Id<"nothing">; // TS2344
