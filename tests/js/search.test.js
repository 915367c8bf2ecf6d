// The searches of Extrovertly on the sample data, through the official clients: each search index finds what has the words
// and nothing else, within its filters; what is typed letter by letter is found; results are live, and marked.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { connections } from "./support/connections.js";
import { eventually, Server } from "./support/server.js";

let server, http, user;

before(async () => {
  server = await Server.start("academy", []);
  http = new ConvexHttpClient(server.url);
  [user] = await http.query("users:list", { limit: 1 });
});

after(() => server?.stop());

const ids = (documents) => documents.map(({ _id }) => _id);
const sorted = (documents) => ids(documents).toSorted();
const tokens = (text) => text.toLowerCase().match(/[\p{Alphabetic}\p{N}]+/gu) ?? [];

/** Whether a text has one of the words, or one that begins as the last of them. */
function has(text, term) {
  const words = tokens(term);
  return tokens(text).some((token) => words.includes(token) || token.startsWith(words.at(-1)));
}

/** How often live queries have run again, as the server counts it. */
async function reruns() {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return Number(metrics.match(/^hull_query_reruns_total(?:\{\S*\})? (\d+)/m)?.[1] ?? 0);
}

const fields = { title: "Kite building", description: "d", date: "2026-05-01", time: "10:00", category: "crafts", price: 0, isActive: true };
const createEvent = (changes) => http.mutation("events:create", { ...fields, comfortLevel: "low", ...changes });

test("events:searchEvents finds titles, within category and comfort level", async () => {
  const events = await http.query("events:list", { limit: 1000 });
  for (const searchTerm of ["walk", "stage breakfast", "for beginners", "Board", "CHOIR", "pot", "nothing-has-this", "…", ""]) {
    const expected = searchTerm.match(/\p{L}/u) ? events.filter(({ title }) => has(title, searchTerm)) : [];
    for (const category of [undefined, "food", "games"]) {
      for (const comfortLevel of [undefined, "low", "high"]) {
        const filters = { ...(category && { category }), ...(comfortLevel && { comfortLevel }) };
        const wanted = expected.filter((event) => Object.entries(filters).every(([field, value]) => event[field] === value));
        const found = await http.query("events:searchEvents", { searchTerm, ...filters });
        assert.deepEqual(sorted(found), sorted(wanted), `${searchTerm} ${JSON.stringify(filters)}`);
      }
    }
  }
  assert.ok((await http.query("events:searchEvents", { searchTerm: "breakfast", category: "food" })).length > 3);
});

test("what has more of the words comes first, and of equals the newest", async () => {
  const titles = ["Zither evening", "Zither and lute", "Zither evening with a lute", "Lute evening in town"];
  const made = [];
  for (const title of titles) made.push(await createEvent({ title }));
  const found = await http.query("events:searchEvents", { searchTerm: "zither lute" });
  assert.deepEqual(found.slice(0, 2).map(({ title }) => title), ["Zither and lute", "Zither evening with a lute"]);
  assert.deepEqual(sorted(found), made.toSorted());
  const [older, newer] = [await createEvent({ title: "Ocarina class" }), await createEvent({ title: "Ocarina class" })];
  assert.deepEqual(ids(await http.query("events:searchEvents", { searchTerm: "ocarina" })), [newer, older]);
});

test("a journal is searched within its user and privacy", async () => {
  const entries = await http.query("journalEntries:getUserJournalEntries", { userId: user._id });
  const search = (args) => http.query("journalEntries:searchContent", { userId: user._id, limit: 1000, ...args });
  for (const searchTerm of ["talked about work", "nerv", "coffee", "my hands"]) {
    const expected = entries.filter(({ content }) => has(content, searchTerm));
    assert.deepEqual(sorted(await search({ searchTerm })), sorted(expected), searchTerm);
    for (const isPrivate of [true, false]) {
      const some = expected.filter((entry) => entry.isPrivate === isPrivate);
      assert.deepEqual(sorted(await search({ searchTerm, isPrivate })), sorted(some), `${searchTerm}, private: ${isPrivate}`);
    }
  }
  assert.equal((await search({ searchTerm: "the", limit: 3 })).length, 3);
});

test("missions and goals are searched by their titles", async () => {
  const missions = await http.query("missions:list", {});
  for (const [args, expected] of [
    [{ searchTerm: "ask" }, (mission) => has(mission.title, "ask")],
    [{ searchTerm: "a frie" }, (mission) => has(mission.title, "a frie")],
    [{ searchTerm: "say", difficulty: "beginner" }, (mission) => has(mission.title, "say") && mission.difficulty === "beginner"],
    [{ searchTerm: "in", category: "work", difficulty: "advanced" }, (mission) => has(mission.title, "in") && mission.category === "work" && mission.difficulty === "advanced"],
  ]) {
    const found = await http.query("missions:searchMissions", { ...args, limit: 1000 });
    assert.deepEqual(sorted(found), sorted(missions.filter(expected)), JSON.stringify(args));
  }
  const userId = user._id;
  const create = (title, status) => http.mutation("socialGoals:create", { userId, title, status, currentValue: 0 });
  await Promise.all([create("Whistle in public", "active"), create("Whistle a tune", "paused")]);
  const goals = await http.query("socialGoals:listByUser", { userId });
  for (const [args, expected] of [
    [{ searchTerm: "whis" }, (goal) => has(goal.title, "whis")],
    [{ searchTerm: "whistle", status: "paused" }, (goal) => has(goal.title, "whistle") && goal.status === "paused"],
    [{ searchTerm: "the a in", status: "active" }, (goal) => has(goal.title, "the a in") && goal.status === "active"],
  ]) {
    const found = await http.query("socialGoals:searchGoals", { userId, ...args });
    assert.deepEqual(sorted(found), sorted(goals.filter(expected)), JSON.stringify(args));
  }
});

test("pages of a search are together all of it, and say which parts matched", async () => {
  const of = { userId: user._id };
  for (const [path, whole, args, field] of [
    ["events:searchEventsPaginated", "events:searchEvents", { searchTerm: "walk evening g" }, "title"],
    ["events:searchEventsPaginated", "events:searchEvents", { searchTerm: "for people", comfortLevel: "low" }, "title"],
    ["journalEntries:searchContentPaginated", "journalEntries:searchContent", { ...of, searchTerm: "i was ner" }, "content"],
    ["missions:searchMissionsPaginated", "missions:searchMissions", { searchTerm: "a q" }, "title"],
    ["socialGoals:searchGoalsPaginated", "socialGoals:searchGoals", { ...of, searchTerm: "in" }, "title"],
  ]) {
    const found = [];
    for (let cursor = null, isDone = false; !isDone; ) {
      const result = await http.query(path, { ...args, paginationOpts: { numItems: 4, cursor } });
      found.push(...result.page);
      ({ continueCursor: cursor, isDone } = result);
    }
    assert.ok(found.length > 0, path);
    const expected = await http.query(whole, { ...args, ...(whole !== "events:searchEvents" && { limit: 1000 }) });
    assert.deepEqual(ids(found.map(({ document }) => document)), ids(expected), path);
    for (const { document, marks } of found) {
      const words = tokens(args.searchTerm);
      const marked = marks.map(({ start, end }) => document[field].slice(start, end).toLowerCase());
      const matching = tokens(document[field]).filter((token) => words.includes(token) || token.startsWith(words.at(-1)));
      assert.deepEqual(marked, matching, document[field]);
    }
  }
});

for (const { name, options } of connections) test(`a search is live, letter by letter, ${name}`, async () => {
  const socket = new ConvexClient(server.url, options);
  const word = `xylo${name.replaceAll(/\W/g, "")}`;
  const states = [];
  try {
    const first = await createEvent({ title: `Evening of the ${word}phone` });
    let shown;
    const stop = socket.onUpdate("events:searchEvents", { searchTerm: word }, (events) => states.push((shown = ids(events))));
    await eventually(() => shown?.length === 1, "the first result");

    // The drums do not match: nothing is pushed for them, and the search does not run again.
    const runs = await reruns();
    const other = await createEvent({ title: "Evening of the drums" });
    const second = await createEvent({ title: `A ${word.toUpperCase()} class` });
    await eventually(() => shown.length === 2, "the event that matches");
    assert.deepEqual(states, [[first], [second, first]], "a whole word is a better match than the beginning of one");
    assert.equal(await reruns(), runs + 1);

    // Each letter more is another search; all of them are there at once.
    const typed = {};
    for (let length = 2; length <= word.length; length++) {
      const searchTerm = word.slice(0, length);
      socket.onUpdate("events:searchEvents", { searchTerm }, (events) => (typed[searchTerm] = ids(events)));
    }
    const letters = word.length - 1;
    await eventually(() => Object.keys(typed).length === letters, "a result for each beginning");
    for (const [searchTerm, found] of Object.entries(typed)) {
      for (const id of [first, second]) assert.ok(found.includes(id), searchTerm);
    }

    const goal = await http.mutation("socialGoals:create", { userId: user._id, title: `Buy a ${word}`, currentValue: 0, status: "active" });
    const before = states.length;
    const third = await createEvent({ title: `Third ${word}`, comfortLevel: "high" });
    await eventually(() => shown.includes(third), "one more");
    assert.equal(states.length, before + 1, "a goal is no event");
    assert.ok(!shown.includes(goal) && !shown.includes(other));
    await eventually(() => Object.values(typed).every((found) => found.includes(third)), "one more for each beginning");
    stop();
  } finally {
    await socket.close();
  }
});

test("an entry that is changed comes and goes, and other users' entries change nothing", async () => {
  const socket = new ConvexClient(server.url);
  try {
    const userId = user._id;
    const [{ _id: stranger }] = (await http.query("users:list", { limit: 2 })).slice(1);
    const states = [];
    socket.onUpdate("journalEntries:searchContent", { userId, searchTerm: "marzipan" }, (entries) => states.push(ids(entries)));
    await eventually(() => states.length === 1, "the first result");
    const runs = await reruns();
    const write = (userId, content) => http.mutation("journalEntries:create", { userId, content, mood: "calm", isPrivate: true });
    await write(stranger, "I made marzipan.");
    const id = await write(userId, "I made gingerbread.");
    await http.mutation("journalEntries:update", { id, content: "I made marzipan, and more." });
    await eventually(() => states.length === 2, "the entry with the word");
    await http.mutation("journalEntries:update", { id, content: "I made nothing at all." });
    await eventually(() => states.length === 3, "the entry without it");
    const again = await write(userId, "Marzipan again.");
    await eventually(() => states.length === 4, "another entry");
    await http.mutation("journalEntries:remove", { id: again });
    await eventually(() => states.length === 5, "its removal");
    assert.deepEqual(states, [[], [id], [], [again], []]);
    assert.equal(await reruns(), runs + 4, "only what matches, within the user, runs it again");
  } finally {
    await socket.close();
  }
});
