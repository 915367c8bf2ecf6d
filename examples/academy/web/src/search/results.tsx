// What a search has found, for each thing that can be searched. The server says which parts matched.
import { type UsePaginatedQueryResult, usePaginatedQuery } from "convex/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { api } from "../../convex/_generated/api";
import type { Doc, Id } from "../../convex/_generated/dataModel";
import { Loading } from "../loading";
import { Marked, type Mark } from "./marked";

const FIRST = { initialNumItems: 10 };

type Found<T> = { document: T; marks: Mark[] };

export function Events({ text }: { text: string }) {
  const [comfort, setComfort] = useState<Doc<"events">["comfortLevel"] | "">("");
  const found = usePaginatedQuery(
    api.events.searchEventsPaginated,
    { searchTerm: text, ...(comfort && { comfortLevel: comfort }) },
    FIRST,
  );
  return (
    <>
      <label className="narrow">
        <span>Comfort level</span>
        <select value={comfort} onChange={(event) => setComfort(event.target.value as typeof comfort)}>
          <option value="">any</option>
          <option value="low">low</option>
          <option value="medium">medium</option>
          <option value="high">high</option>
        </select>
      </label>
      <List found={found} name={["event", "events"]}>
        {({ document: event, marks }) => (
          <>
            <h2>
              <Marked text={event.title} marks={marks} />
            </h2>
            <p>{event.description}</p>
            <p className="facts">
              <time dateTime={`${event.date}T${event.time}`}>
                {event.date}, {event.time}
              </time>
              {event.location && <span>{event.location}</span>}
              <span>{event.comfortLevel} comfort level</span>
            </p>
          </>
        )}
      </List>
    </>
  );
}

export function Journal({ text, user }: { text: string; user: Id<"users"> }) {
  const found = usePaginatedQuery(api.journalEntries.searchContentPaginated, { searchTerm: text, userId: user }, FIRST);
  return (
    <List found={found} name={["entry", "entries"]}>
      {({ document: entry, marks }) => (
        <>
          <p className="facts">
            <time dateTime={new Date(entry._creationTime).toISOString()}>{DATE.format(entry._creationTime)}</time>
            <span className="mood" data-mood={entry.mood}>
              {entry.mood}
            </span>
            {entry.isPrivate && <span>private</span>}
          </p>
          <p className="text">
            <Marked text={entry.content} marks={marks} />
          </p>
        </>
      )}
    </List>
  );
}

export function Missions({ text }: { text: string }) {
  const found = usePaginatedQuery(api.missions.searchMissionsPaginated, { searchTerm: text }, FIRST);
  return (
    <List found={found} name={["mission", "missions"]}>
      {({ document: mission, marks }) => (
        <>
          <h2>
            <Marked text={mission.title} marks={marks} />
          </h2>
          <p>{mission.description}</p>
          <p className="facts">
            <span>{mission.difficulty}</span>
            <span>{mission.points} points</span>
            {mission.timeEstimate && <span>{mission.timeEstimate}</span>}
          </p>
        </>
      )}
    </List>
  );
}

export function Goals({ text, user }: { text: string; user: Id<"users"> }) {
  const found = usePaginatedQuery(api.socialGoals.searchGoalsPaginated, { searchTerm: text, userId: user }, FIRST);
  return (
    <List found={found} name={["goal", "goals"]}>
      {({ document: goal, marks }) => (
        <>
          <h2>
            <Marked text={goal.title} marks={marks} />
          </h2>
          {goal.description && <p>{goal.description}</p>}
          <p className="facts">
            <span>{goal.status}</span>
            {goal.targetValue !== undefined && (
              <span>
                {goal.currentValue} of {goal.targetValue}
              </span>
            )}
          </p>
        </>
      )}
    </List>
  );
}

type ListProps<T> = {
  found: UsePaginatedQueryResult<Found<T>>;
  /** What one result is called, and several. */
  name: [string, string];
  children: (found: Found<T>) => ReactNode;
};

function List<T extends { _id: string }>({ found, name, children }: ListProps<T>) {
  const { status, loadMore } = found;
  const waiting = status === "LoadingFirstPage";
  const results = useLast(found.results, waiting);
  if (results === undefined) return <Loading />;
  const count = `${results.length} ${results.length === 1 ? name[0] : name[1]}`;
  return (
    <>
      <p className="count" role="status">
        {results.length === 0 ? `No ${name[1]}` : status === "CanLoadMore" ? `The first ${count}` : count}
      </p>
      <ol className="results" aria-label="Results" aria-busy={waiting}>
        {results.map((one) => (
          <li key={one.document._id}>{children(one)}</li>
        ))}
      </ol>
      {(status === "CanLoadMore" || status === "LoadingMore") && (
        <button type="button" className="plain more" aria-disabled={status === "LoadingMore"} onClick={() => loadMore(20)}>
          Show more
        </button>
      )}
    </>
  );
}

/** What was found for the text before, while the answer for the new one is under way. */
function useLast<T>(results: T[], waiting: boolean): T[] | undefined {
  const last = useRef<T[]>(undefined);
  useEffect(() => {
    if (!waiting) last.current = results;
  });
  return waiting ? last.current : results;
}

const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
