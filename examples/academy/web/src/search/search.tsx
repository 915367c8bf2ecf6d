// A search while one types: what is found, best first, and kept in step with the database.
import type { Id } from "../../convex/_generated/dataModel";
import { AMONG, type Among, type Place, replaceWith } from "../route";
import { Events, Goals, Journal, Missions } from "./results";

const NAMES: Record<Among, string> = { events: "Events", journal: "Journal", missions: "Missions", goals: "Goals" };

export function Search({ user, place }: { user: Id<"users">; place: Extract<Place, { page: "search" }> }) {
  const { text, among } = place;
  const move = (change: Partial<typeof place>) => replaceWith({ ...place, ...change }, user);

  return (
    <>
      <title>Search · Academy</title>
      <div className="head">
        <h1>Search</h1>
        <p className="lead">Words in any order; the last one may be unfinished. What is written meanwhile appears by itself.</p>
      </div>
      <form role="search" className="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          <span className="hidden">Search for</span>
          <input
            type="search"
            value={text}
            placeholder="For example: walk, or story ni"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => move({ text: event.target.value })}
          />
        </label>
        <fieldset className="moods">
          <legend>Among</legend>
          {AMONG.map((one) => (
            <label key={one}>
              <input type="radio" name="among" checked={one === among} onChange={() => move({ among: one })} />
              <span>{NAMES[one]}</span>
            </label>
          ))}
        </fieldset>
      </form>
      {text.trim() === "" ? (
        <div className="empty">
          <p>Type a word, and what has it is listed here.</p>
        </div>
      ) : among === "events" ? (
        <Events text={text} />
      ) : among === "journal" ? (
        <Journal text={text} user={user} />
      ) : among === "missions" ? (
        <Missions text={text} />
      ) : (
        <Goals text={text} user={user} />
      )}
    </>
  );
}
