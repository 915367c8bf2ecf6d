// Who is using the page: a choice among the users, in place of signing in.
import type { Doc, Id } from "../convex/_generated/dataModel";
import { hrefOf, type Place } from "./route";

const nameOf = (user: Doc<"users">) => (user.lastName ? `${user.firstName} ${user.lastName}` : user.firstName);

export const byName = (a: Doc<"users">, b: Doc<"users">) => nameOf(a).localeCompare(nameOf(b), "en");

/** The choice stays in the address. */
export function People(props: { users: Doc<"users">[] | undefined; user: Id<"users"> | undefined; place: Place }) {
  const { users, user, place } = props;
  const known = users?.some((one) => one._id === user);
  return (
    <label className="people">
      <span>User</span>
      <select
        value={user ?? ""}
        disabled={!users?.length}
        onChange={(event) => (location.hash = hrefOf(place, event.target.value as Id<"users">))}
      >
        {user !== undefined && !known && <option value={user}>Somebody else</option>}
        {users?.map((one) => (
          <option key={one._id} value={one._id}>
            {nameOf(one)}
          </option>
        ))}
      </select>
    </label>
  );
}
