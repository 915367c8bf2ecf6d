// All courses that are ready, each with how much of it the user has done.
import { useQuery } from "convex/react";
import { api } from "../../convex/_generated/api";
import type { Doc, Id } from "../../convex/_generated/dataModel";
import { Loading } from "../loading";
import { hrefOf } from "../route";
import { Share } from "./share";

export function Courses({ user }: { user: Id<"users"> }) {
  const courses = useQuery(api.courses.list, { status: "ready" });
  const overall = useQuery(api.progress.getUserOverallProgress, { userId: user });
  const shares = overall && new Map(overall.courses.map((share) => [share.courseId, share]));

  return (
    <>
      <title>Courses · Academy</title>
      <div className="head">
        <h1>Courses</h1>
        {overall && <p className="lead">{begun(overall.courses.length, overall.completed)}</p>}
      </div>
      {courses === undefined ? (
        <Loading />
      ) : courses.length === 0 ? (
        <div className="empty">
          <p>There are no courses yet. They appear here as soon as one is ready.</p>
        </div>
      ) : (
        <ul className="cards">
          {courses.map((course) => (
            <Card key={course._id} course={course} user={user} share={shares && (shares.get(course._id) ?? null)} />
          ))}
        </ul>
      )}
    </>
  );
}

function begun(courses: number, items: number): string {
  if (courses === 0) return "Pick one to begin with.";
  return `You have done ${items} ${items === 1 ? "item" : "items"} in ${courses} ${courses === 1 ? "course" : "courses"}.`;
}

type CardProps = {
  course: Doc<"courses">;
  user: Id<"users">;
  /** Null when the user has not begun the course, undefined as long as that is not known. */
  share: { completed: number; total: number } | null | undefined;
};

function Card({ course, user, share }: CardProps) {
  return (
    <li className="card">
      <h2>
        <a href={hrefOf({ page: "course", course: course._id }, user)}>{course.name}</a>
      </h2>
      {course.description && <p>{course.description}</p>}
      {share ? (
        <Share of={course.name} completed={share.completed} total={share.total} />
      ) : (
        <p className="share">{share === null && "Not begun"}</p>
      )}
    </li>
  );
}
