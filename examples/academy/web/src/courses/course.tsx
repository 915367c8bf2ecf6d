// A course with its chapters and items. Ticks show at once, here and in every other window of the same user.
import { useMutation, useQuery } from "convex/react";
import { useState } from "react";
import { api } from "../../convex/_generated/api";
import type { Doc, Id } from "../../convex/_generated/dataModel";
import { messageOf } from "../errors";
import { Loading } from "../loading";
import { hrefOf } from "../route";
import { Item } from "./item";
import { doneItems, showTick } from "./progress";
import { Share } from "./share";

type Failures = ReadonlyMap<Id<"contentItems">, string>;

export function Course({ user, course: courseId }: { user: Id<"users">; course: Id<"courses"> }) {
  const structure = useQuery(api.courses.getCourseWithStructure, { courseId });
  const rows = useQuery(api.progress.getUserProgress, { userId: user, courseId });
  const share = useQuery(api.progress.getUserCourseProgress, { userId: user, courseId });
  const mark = useMutation(api.progress.markCompleted).withOptimisticUpdate(showTick);
  const [failures, setFailures] = useState<Failures>(new Map());

  if (structure === null) {
    return (
      <div className="empty">
        <title>Academy</title>
        <h1>This course is gone</h1>
        <p>
          <a href={hrefOf({ page: "courses" }, user)}>To the courses</a>
        </p>
      </div>
    );
  }
  if (!structure || !rows || !share) return <Loading />;

  const { course, chapters } = structure;
  const done = doneItems(rows);
  const there = new Set(chapters.flatMap(({ contentItems }) => contentItems.map((item) => item._id)));

  function fail(item: Id<"contentItems">, why: string | undefined) {
    setFailures((now) => {
      const next = new Map(now);
      if (why === undefined) next.delete(item);
      else next.set(item, why);
      return next;
    });
  }

  function tick(item: Doc<"contentItems">, completed: boolean) {
    fail(item._id, undefined);
    mark({ userId: user, courseId, contentItemId: item._id, completed }).catch((error: unknown) =>
      fail(item._id, messageOf(error)),
    );
  }

  return (
    <>
      <title>{`${course.name} · Academy`}</title>
      <div className="course">
        <div className="aside">
          <nav aria-label="Back">
            <a className="back" href={hrefOf({ page: "courses" }, user)}>
              <span aria-hidden="true">←</span> All courses
            </a>
          </nav>
          <div className="head">
            <h1>{course.name}</h1>
            {course.description && <p className="lead">{course.description}</p>}
            <Share of={course.name} completed={share.completed} total={share.total} live />
          </div>
        </div>
        <div>
          {[...failures].map(([item, why]) => !there.has(item) && <Failure key={item} why={why} />)}
          {chapters.length === 0 && (
            <div className="empty">
              <p>This course has no chapters yet.</p>
            </div>
          )}
          {chapters.map(({ chapter, contentItems }) => (
            <section key={chapter._id} className="chapter" aria-labelledby={`chapter-${chapter._id}`}>
              <h2 id={`chapter-${chapter._id}`}>{chapter.name}</h2>
              <span className="count">
                {contentItems.filter((item) => done.has(item._id)).length} of {contentItems.length}
              </span>
              {chapter.description && <p>{chapter.description}</p>}
              <ul className="items">
                {contentItems.map((item) => (
                  <Item key={item._id} item={item} done={done.has(item._id)} onTick={(now) => tick(item, now)}>
                    {failures.has(item._id) && <Failure why={failures.get(item._id)} />}
                  </Item>
                ))}
              </ul>
            </section>
          ))}
        </div>
      </div>
    </>
  );
}

function Failure({ why }: { why: string | undefined }) {
  return (
    <p className="error" role="alert">
      This could not be saved: {why}
    </p>
  );
}
