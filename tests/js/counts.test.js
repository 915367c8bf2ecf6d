// Counts, sums and leaderboards of Extrovertly on the sample data, through the official clients: each is what one would count
// by hand, and changes with the document that changes it, and with no other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { connections } from "./support/connections.js";
import { eventually, Server } from "./support/server.js";

let server, http;

before(async () => {
  server = await Server.start("academy", []);
  http = new ConvexHttpClient(server.url);
});

after(() => server?.stop());

const query = (path, args = {}) => http.query(path, args);
const mutation = (path, args) => http.mutation(path, args);
const all = (module) => query(`${module}:list`, { limit: 1000 });
const createUser = (name) => mutation("users:createUser", { email: `${name}@example.com`, username: name, firstName: name });

test("what is counted is what is there", async () => {
  const [{ _id: userId }] = await query("users:list", { limit: 1 });
  const count = async (path, args, wanted = () => true) => (await query(path, { ...args, limit: 1000 })).filter(wanted).length;
  const missions = async (status) => (await query("userMissions:list", { userId, status })).length;
  const answers = (status) => count("eventAttendees:listByUser", { userId }, (one) => one.status === status);
  assert.deepEqual(await query("dashboard:ofUser", { userId }), {
    journalEntries: (await query("journalEntries:getUserJournalEntries", { userId })).length,
    missionsAssigned: await missions("assigned"),
    missionsInProgress: await missions("in_progress"),
    missionsCompleted: await missions("completed"),
    eventsGoing: await answers("going"),
    eventsAttended: await answers("attended"),
    goalsActive: await count("socialGoals:listByUser", { userId }, ({ status }) => status === "active"),
  });

  const [users, events] = [await all("users"), await all("events")];
  const totals = await query("dashboard:totals");
  assert.deepEqual([totals.users, totals.events], [users.length, events.length]);
  assert.ok(totals.journalEntries > 1000 && totals.missionsTaken > totals.missions && totals.answers > 0, JSON.stringify(totals));

  const best = users.toSorted((a, b) => b.totalPoints - a.totalPoints || b._creationTime - a._creationTime);
  const places = best.map(({ _id, username, totalPoints }, n) => ({ rank: n + 1, userId: _id, username, totalPoints }));
  assert.deepEqual(await query("users:leaderboard", {}), places.slice(0, 10));
  assert.deepEqual(await query("users:leaderboard", { limit: 1000 }), places);
  for (const n of [0, 7, users.length - 1]) {
    assert.deepEqual(await query("users:rank", { id: places[n].userId }), { rank: n + 1, of: users.length });
  }

  const earned = new Map();
  for (const { userId, pointsEarned } of await all("progressTracking")) earned.set(userId, [...(earned.get(userId) ?? []), pointsEarned]);
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const ranking = await query("progressTracking:listByPointsEarned", { limit: 1000 });
  assert.equal(ranking.length, earned.size);
  for (const { userId, points, days } of ranking) {
    assert.deepEqual([points, days], [sum(earned.get(userId)), earned.get(userId).length]);
    assert.deepEqual(await query("progressTracking:sumByUser", { userId }), { days, points, bestDay: Math.max(...earned.get(userId)) });
  }
  assert.ok(ranking.every(({ points }, n) => n === 0 || points <= ranking[n - 1].points), "the best first");
  const nobody = await createUser("without days");
  assert.deepEqual(await query("progressTracking:sumByUser", { userId: nobody }), { days: 0, points: 0, bestDay: null });
  await mutation("users:remove", { id: nobody });
  assert.equal(await query("users:rank", { id: nobody }), null);
});

for (const { name, options } of connections) test(`counts and places are live, ${name}`, async () => {
  const socket = new ConvexClient(server.url, options);
  try {
    const userId = await createUser(`counted ${name}`);
    const mission = { title: "Climb", description: "d", difficulty: "advanced", category: "c", points: 1000, isActive: true };
    const missionId = await mutation("missions:create", mission);
    const shown = {};
    const follow = (key, path, args) => socket.onUpdate(path, args, (value) => (shown[key] ??= []).push(value));
    follow("board", "users:leaderboard", { limit: 1 });
    follow("rank", "users:rank", { id: userId });
    follow("user", "dashboard:ofUser", { userId });
    follow("totals", "dashboard:totals", {});
    await eventually(() => Object.keys(shown).length === 4, "the first results");
    const now = (key) => shown[key].at(-1);
    const before = structuredClone({ user: now("user"), totals: now("totals") });
    assert.ok(now("rank").rank > 1 && now("rank").rank <= now("rank").of, JSON.stringify(now("rank")));

    // Twenty missions completed at once: no point is lost, and the user is the first.
    const taken = [];
    for (let n = 0; n < 20; n++) taken.push(await mutation("userMissions:assignMission", { userId, missionId }));
    await eventually(() => now("user").missionsAssigned === 20, "the missions");
    await Promise.all(taken.map((id) => mutation("userMissions:setStatus", { id, status: "completed" })));
    await eventually(() => now("user").missionsCompleted === 20 && now("user").missionsAssigned === 0, "the missions done");
    await eventually(() => now("board")[0].userId === userId && now("board")[0].totalPoints === 20_000, "the first place");
    await eventually(() => now("rank").rank === 1, "the user's own place");
    await eventually(() => now("totals").missionsTaken === before.totals.missionsTaken + 20, "the total");

    // What another user writes changes the total and not the user's own numbers.
    const other = await createUser(`other ${name}`);
    await eventually(() => now("totals").users === before.totals.users + 1, "a user more");
    const states = shown.user.length;
    await mutation("journalEntries:create", { userId: other, content: "c", mood: "calm", isPrivate: true });
    await eventually(() => now("totals").journalEntries === before.totals.journalEntries + 1, "an entry more");
    await mutation("journalEntries:create", { userId, content: "c", mood: "calm", isPrivate: true });
    await eventually(() => now("user").journalEntries === 1, "the user's own entry");
    assert.equal(shown.user.length, states + 1);
    await mutation("users:remove", { id: other });
    await mutation("users:remove", { id: userId });
    await eventually(() => now("board")[0].userId !== userId && now("rank") === null, "the place is free");
  } finally {
    await socket.close();
  }
});
