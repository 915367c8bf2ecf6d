// How a frontend uses the generated types of the academy; all of it is accepted.
import { ConvexHttpClient } from "convex/browser";
import { useMutation, useQueries, useQuery } from "convex/react";
import type { FunctionArgs, FunctionReturnType, WithoutSystemFields } from "convex/server";
import { api, internal } from "./convex/_generated/api.js";
import type { DataModel, Doc, Id, TableNames } from "./convex/_generated/dataModel.js";
import type { DatabaseReader, MutationCtx, QueryCtx } from "./convex/_generated/server.js";

/** Whether two types are the same one; `any` is the same as nothing else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>() {}

export function Journal({ userId }: { userId: Id<"users"> }) {
  const entries = useQuery(api.journalEntries.getUserJournalEntries, { userId });
  same<Same<typeof entries, Array<Doc<"journalEntries">> | undefined>>();
  const create = useMutation(api.journalEntries.create).withOptimisticUpdate((store, draft) => {
    const current = store.getQuery(api.journalEntries.getUserJournalEntries, { userId: draft.userId }) ?? [];
    const row: Doc<"journalEntries"> = { ...draft, _id: "draft" as Id<"journalEntries">, _creationTime: 0 };
    store.setQuery(api.journalEntries.getUserJournalEntries, { userId: draft.userId }, [row, ...current]);
  });
  const write = () => create({ userId, content: "hello", mood: "calm", isPrivate: true, tags: ["a"] });
  const paused = useQuery(api.users.get, "skip");
  same<Same<typeof paused, Doc<"users"> | null | undefined>>();
  return (
    <ul onClick={() => write().then((id: Id<"journalEntries">) => id)}>
      {entries?.map((entry) => <li key={entry._id}>{entry.content.length + (entry.wordCount ?? 0)}</li>)}
    </ul>
  );
}

export function Course({ courseId }: { courseId: Id<"courses"> }) {
  const course = useQuery(api.courses.getCourseWithStructure, { courseId });
  const many = useQueries({ list: { query: api.courses.list, args: { status: "ready" } } });
  const first: Doc<"contentItems"> | undefined = course?.chapters[0]?.contentItems[0];
  same<Same<Doc<"contentItems">["type"], "video" | "text" | "quiz" | "assignment" | "resource">>();
  return <p title={course?.course.name}>{first?.type === "quiz" ? String(many.list) : first?.textContent}</p>;
}

export async function overHttp(client: ConvexHttpClient, userId: Id<"users">) {
  const missions = await client.query(api.missions.list, { difficulty: "beginner" });
  same<Same<typeof missions, Array<Doc<"missions">>>>();
  const nothing = await client.mutation(api.journalEntries.remove, { id: "x" as Id<"journalEntries"> });
  same<Same<typeof nothing, null>>();
  return client.query(api.users.get, { id: userId });
}

// What functions take and return, without calling them; internal ones have types too.
export const entry: WithoutSystemFields<Doc<"journalEntries">> = {
  userId: "u" as Id<"users">,
  content: "",
  mood: "",
  isPrivate: false,
};
export const args: FunctionArgs<typeof api.journalEntries.create> = entry;
same<Same<FunctionReturnType<typeof internal.scenarios.migrate>, number>>();
same<Same<FunctionArgs<typeof internal.scenarios.migrate>, { limit?: number }>>();

// The data model, as code that is shared between a frontend and functions written in TypeScript uses it.
same<Same<Extract<TableNames, "users" | "nothing">, "users">>();
same<Same<DataModel["progress"]["indexes"]["by_userId_courseId"], ["userId", "courseId", "_creationTime"]>>();
export async function shared(ctx: QueryCtx, db: DatabaseReader, writer: MutationCtx, userId: Id<"users">) {
  const user = await ctx.db.get(userId);
  const entries = db.query("journalEntries").withIndex("by_user_id", (q) => q.eq("userId", userId));
  await writer.db.patch(userId, { firstName: user?.lastName ?? "" });
  return entries.collect();
}
