// A tick shows before the server has confirmed it: the item's row and the course's share change together, as
// `progress:markCompleted` will change them.
import type { OptimisticLocalStore } from "convex/browser";
import { api } from "../../convex/_generated/api";
import type { Doc, Id } from "../../convex/_generated/dataModel";

type Tick = { userId: string; courseId: Id<"courses">; contentItemId: Id<"contentItems">; completed: boolean };

export function showTick(store: OptimisticLocalStore, { userId, courseId, contentItemId, completed }: Tick) {
  const of = { userId, courseId };
  const rows = store.getQuery(api.progress.getUserProgress, of);
  const share = store.getQuery(api.progress.getUserCourseProgress, of);
  if (!rows || doneItems(rows).has(contentItemId) === completed) return;

  const known = rows.find((row) => row.contentItemId === contentItemId);
  const row = { _id: `new:${contentItemId}` as Id<"progress">, _creationTime: Date.now(), ...known, ...of, contentItemId, completed };
  store.setQuery(api.progress.getUserProgress, of, known ? rows.map((one) => (one === known ? row : one)) : [...rows, row]);

  if (!share) return;
  const done = share.completed + (completed ? 1 : -1);
  const percentage = share.total === 0 ? 0 : Math.round((100 * done) / share.total);
  store.setQuery(api.progress.getUserCourseProgress, of, { ...share, completed: done, percentage });
}

/** The items that these rows say are done. */
export function doneItems(rows: Doc<"progress">[]): Set<Id<"contentItems">> {
  return new Set(rows.flatMap((row) => (row.completed && row.contentItemId ? [row.contentItemId] : [])));
}
