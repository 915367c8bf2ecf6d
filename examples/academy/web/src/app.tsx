// The frame of every page: the way around, who is using it, and whether the server is in reach.
import { useQuery } from "convex/react";
import { useLayoutEffect, useRef } from "react";
import { api } from "../convex/_generated/api";
import type { Doc, Id } from "../convex/_generated/dataModel";
import { Connection } from "./connection";
import { Course } from "./courses/course";
import { Courses } from "./courses/list";
import { Boundary } from "./errors";
import { Journal } from "./journal/journal";
import { Loading } from "./loading";
import { byName, People } from "./people";
import { hrefOf, pageOf, type Place, useRoute } from "./route";
import { Search } from "./search/search";

export function App() {
  const route = useRoute();
  const listed = useQuery(api.users.list, {});
  const users = listed && [...listed].sort(byName);
  const user = route.user ?? users?.[0]?._id;
  const main = useFocusAfterMoving(pageOf(route.place));

  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <header>
        <div className="bar">
          <a className="brand" href={hrefOf({ page: "courses" }, user)}>
            <svg viewBox="0 0 32 32" aria-hidden="true">
              <rect width="32" height="32" rx="9" />
              <path d="M9 17l5 5 9-11" />
            </svg>
            Academy
          </a>
          <nav aria-label="Pages">
            <NavLink to={{ page: "courses" }} place={route.place} user={user} text="Courses" />
            <NavLink to={{ page: "journal" }} place={route.place} user={user} text="Journal" />
            <NavLink to={{ page: "search", text: "", among: "events" }} place={route.place} user={user} text="Search" />
          </nav>
          <People users={users} user={user} place={route.place} />
        </div>
      </header>
      <Connection />
      <main ref={main} tabIndex={-1}>
        <Boundary key={`${pageOf(route.place)} ${user}`} back={hrefOf({ page: "courses" }, undefined)}>
          <Content users={users} user={user} place={route.place} />
        </Boundary>
      </main>
    </>
  );
}

function NavLink(props: { to: Place; place: Place; user: Id<"users"> | undefined; text: string }) {
  const here = props.place.page === props.to.page || (props.to.page === "courses" && props.place.page === "course");
  return (
    <a href={hrefOf(props.to, props.user)} aria-current={here ? "page" : undefined}>
      {props.text}
    </a>
  );
}

function Content(props: { users: Doc<"users">[] | undefined; user: Id<"users"> | undefined; place: Place }) {
  const { users, user, place } = props;
  if (user === undefined) return users === undefined ? <Loading /> : <NoPeople />;
  if (place.page === "journal") return <Journal key={user} user={user} />;
  if (place.page === "search") return <Search key={user} user={user} place={place} />;
  if (place.page === "course") return <Course key={place.course} user={user} course={place.course} />;
  return <Courses user={user} />;
}

function NoPeople() {
  return (
    <div className="empty">
      <h1>Nobody is here yet</h1>
      <p>
        This server has no users. Start it on a new data directory without <code>--no-sample</code>, and it brings some
        along, with courses and journals.
      </p>
    </div>
  );
}

/** Whoever follows a link reads on at the top of the new page, also with a keyboard or a screen reader. */
function useFocusAfterMoving(address: string) {
  const main = useRef<HTMLElement>(null);
  const before = useRef(address);
  useLayoutEffect(() => {
    if (before.current === address) return;
    before.current = address;
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [address]);
  return main;
}
