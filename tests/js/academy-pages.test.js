// The lists of the sample data in pages, with the official usePaginatedQuery: all of a list by and by, and live.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Window } from "happy-dom";
import WebSocket from "ws";
import { connections } from "./support/connections.js";
import { eventually, Server } from "./support/server.js";

const window = new Window({ url: "http://localhost/" });
for (const name of ["document", "navigator", "HTMLElement", "HTMLIFrameElement", "Node", "Event", "MouseEvent"]) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
}
globalThis.window = window;

const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { ConvexProvider, ConvexReactClient, usePaginatedQuery } = await import("convex/react");
const { ConvexHttpClient } = await import("convex/browser");
const { anyApi } = await import("convex/server");

const cleanups = [];
let server, http;

before(async () => {
  server = await Server.start("academy", []);
  http = new ConvexHttpClient(server.url);
});

after(async () => {
  for (const cleanup of cleanups) await cleanup();
  await server?.stop();
  await window.happyDOM.close();
});

const functionAt = (path) => path.split(":").reduce((place, name) => place[name], anyApi);
const ids = (documents) => documents.map(({ _id }) => _id);

/** Renders a list in pages; what the hook returned last is in `last`. */
function show(client, path, args, initialNumItems) {
  const shown = {};
  function List() {
    shown.last = usePaginatedQuery(functionAt(path), args, { initialNumItems });
    return null;
  }
  const root = createRoot(document.createElement("div"));
  root.render(createElement(ConvexProvider, { client }, createElement(List)));
  shown.close = () => root.unmount();
  return shown;
}

/** Loads page after page until the list ends. */
async function loadAll(shown, numItems) {
  await eventually(() => shown.last && shown.last.status !== "LoadingFirstPage", "the first page");
  while (shown.last.status !== "Exhausted") {
    const before = shown.last.results.length;
    shown.last.loadMore(numItems);
    await eventually(() => shown.last.status === "Exhausted" || (shown.last.status === "CanLoadMore" && shown.last.results.length > before), "a page");
  }
}

for (const { name, options } of connections) test(`each list of the sample data is complete, page by page, ${name}`, { timeout: 120_000 }, async () => {
  const client = new ConvexReactClient(server.url, { webSocketConstructor: WebSocket, unsavedChangesWarning: false, ...options });
  cleanups.unshift(() => client.close());
  const [{ _id: userId }] = await http.query("users:list", { limit: 1 });
  const [{ _id: conversationId }] = await http.query("coachConversations:listByUser", { userId });
  const lists = [
    ["journalEntries:getUserJournalEntriesPaginated", { userId }, "journalEntries:getUserJournalEntries", { userId }, 5],
    ["events:listPaginated", {}, "events:list", { limit: 1000 }, 60],
    ["missions:listPaginated", {}, "missions:list", {}, 40],
    ["userMissions:listPaginated", { userId, status: "completed" }, "userMissions:list", { userId, status: "completed" }, 2],
    ["coachMessages:listByConversationPaginated", { conversationId }, "coachMessages:listByConversation", { conversationId }, 2],
    ["moodTracking:listByUserPaginated", { userId }, "moodTracking:listByUser", { userId }, 3],
    ["socialGoals:listByUserPaginated", { userId }, "socialGoals:listByUser", { userId }, 1],
  ];
  for (const [path, args, whole, wholeArgs, numItems] of lists) {
    const shown = show(client, path, args, numItems);
    await loadAll(shown, numItems);
    const expected = ids(await http.query(whole, wholeArgs));
    assert.ok(expected.length > numItems, `${path}: more than a page`);
    assert.deepEqual(ids(shown.last.results), expected, path);
    shown.close();
  }

  // Pages are live: what is written comes into the page where it belongs, what is removed leaves it.
  const shown = show(client, "journalEntries:getUserJournalEntriesPaginated", { userId }, 4);
  await eventually(() => shown.last?.status === "CanLoadMore", "the first page");
  shown.last.loadMore(4);
  await eventually(() => shown.last.status === "CanLoadMore" && shown.last.results.length === 8, "the second page");
  const before = ids(shown.last.results);
  const id = await http.mutation("journalEntries:create", { userId, content: "In pages.", mood: "calm", isPrivate: true });
  await eventually(() => shown.last.results.length === 9 && shown.last.results[0]._id === id, "the new entry");
  await http.mutation("journalEntries:remove", { id: before[5] });
  await eventually(() => shown.last.results.length === 8, "an entry less");
  assert.deepEqual(ids(shown.last.results), [id, ...before.toSpliced(5, 1)]);
  shown.close();
});
