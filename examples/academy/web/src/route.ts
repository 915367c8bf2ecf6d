// Where the page is, in the part of the address after `#`: `#/courses`, `#/courses/ID`, `#/journal`, each with
// `?user=ID`. The address is the only place that knows it, so a link, a reload and the back button all keep it.
import { useSyncExternalStore } from "react";
import type { Id } from "../convex/_generated/dataModel";

export type Place =
  | { page: "courses" }
  | { page: "course"; course: Id<"courses"> }
  | { page: "journal" };

export type Route = { place: Place; user: Id<"users"> | undefined };

/** What an address stands for; one that stands for nothing is the list of courses. */
export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?");
  const [, page, id] = path.split("/");
  const user = new URLSearchParams(search).get("user");
  return { place: placeOf(page, id), user: user ? (user as Id<"users">) : undefined };
}

function placeOf(page: string | undefined, id: string | undefined): Place {
  if (page === "journal") return { page };
  if (page === "courses" && id) return { page: "course", course: decoded(id) as Id<"courses"> };
  return { page: "courses" };
}

/** Somebody may have typed the address. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a place, for `href`. */
export function hrefOf(place: Place, user: Id<"users"> | undefined): string {
  const path = place.page === "course" ? `courses/${encodeURIComponent(place.course)}` : place.page;
  return `#/${path}${user ? `?user=${encodeURIComponent(user)}` : ""}`;
}

/** Where the page is now. */
export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => location.hash));
}

function subscribe(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}
