// Where the page is, in the part of the address after `#`: `#/courses`, `#/courses/ID`, `#/journal`, `#/search?q=TEXT&in=events`,
// each with `user=ID` as well. The address is the only place that knows it, so a link, a reload and the back button all keep it.
import { useSyncExternalStore } from "react";
import type { Id } from "../convex/_generated/dataModel";

export type Place =
  | { page: "courses" }
  | { page: "course"; course: Id<"courses"> }
  | { page: "journal" }
  | { page: "search"; text: string; among: Among };

/** What is searched. */
export const AMONG = ["events", "journal", "missions", "goals"] as const;
export type Among = (typeof AMONG)[number];

export type Route = { place: Place; user: Id<"users"> | undefined };

/** What an address stands for; one that stands for nothing is the list of courses. */
export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?");
  const [, page, id] = path.split("/");
  const settings = new URLSearchParams(search);
  const user = settings.get("user");
  return { place: placeOf(page, id, settings), user: user ? (user as Id<"users">) : undefined };
}

function placeOf(page: string | undefined, id: string | undefined, settings: URLSearchParams): Place {
  if (page === "journal") return { page };
  if (page === "search") {
    const among = AMONG.find((one) => one === settings.get("in")) ?? "events";
    return { page, text: settings.get("q") ?? "", among };
  }
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
  const settings = new URLSearchParams();
  if (place.page === "search" && place.text) settings.set("q", place.text);
  if (place.page === "search" && place.among !== "events") settings.set("in", place.among);
  if (user) settings.set("user", user);
  return `#/${path}${settings.size > 0 ? `?${settings}` : ""}`;
}

/** Which page a place is on: it stays the same while one types what to search for. */
export function pageOf(place: Place): string {
  return place.page === "course" ? `course ${place.course}` : place.page;
}

/** Changes the address without a step to go back to. */
export function replaceWith(place: Place, user: Id<"users"> | undefined) {
  history.replaceState(history.state, "", hrefOf(place, user));
  // Browsers tell of a step only.
  dispatchEvent(new Event("hashchange"));
}

/** Where the page is now. */
export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => location.hash));
}

function subscribe(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}
