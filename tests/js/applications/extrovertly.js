// Extrovertly: users, profiles, journals and missions. Each function is called, with what it must answer.
import assert from "node:assert/strict";
import { test } from "node:test";

export function extrovertly({ query, mutation, refused }) {
  const fields = ({ _id, _creationTime, ...rest }) => rest;
  const user = (name) => ({
    email: `${name}@example.com`, username: name, firstName: name, isActive: true, confidenceLevel: 3, totalPoints: 0, streakDays: 0, longestStreak: 0,
  });
  const ids = (documents) => documents.map((document) => document._id);

  /** Creates a document, changes it and looks at it before and after. */
  async function createAndUpdate(module, document, changes) {
    const id = await mutation(`${module}:create`, document);
    assert.deepEqual(fields(await query(`${module}:get`, { id })), document);
    await mutation(`${module}:update`, { id, ...changes });
    assert.deepEqual(fields(await query(`${module}:get`, { id })), { ...document, ...changes });
    return id;
  }

  async function remove(module, id) {
    await mutation(`${module}:remove`, { id });
    assert.equal(await query(`${module}:get`, { id }), null);
    await assert.rejects(mutation(`${module}:remove`, { id }), refused("NotFound"));
    await assert.rejects(mutation(`${module}:update`, { id }), refused("NotFound"));
  }

  test("extrovertly: users, profiles and journals", async () => {
    const ada = await createAndUpdate("users", user("lovelace"), { lastName: "L", confidenceLevel: 4.5 });
    const { email, username, firstName } = user("babbage");
    const ben = await mutation("users:createUser", { email, username, firstName });
    assert.deepEqual(fields(await query("users:get", { id: ben })), user("babbage"), "the starting values");
    assert.equal((await query("users:getByEmail", { email }))._id, ben);
    assert.equal((await query("users:getByUsername", { username: "lovelace" }))._id, ada);
    assert.deepEqual(ids(await query("users:list", { limit: 2 })), [ben, ada]);

    const profile = await createAndUpdate("userProfiles", { userId: ada, comfortLevels: { crowds: [1, null] } }, { bio: "b", interests: ["chess"] });
    assert.equal((await query("userProfiles:getByUser", { userId: ada }))._id, profile);
    assert.deepEqual(ids(await query("userProfiles:list")), [profile]);
    await remove("userProfiles", profile);

    const entry = { userId: ada, content: "first", mood: "calm", isPrivate: true };
    const first = await createAndUpdate("journalEntries", entry, { mood: "glad", tags: ["t"], wordCount: 1 });
    const second = await mutation("journalEntries:create", { ...entry, userId: ben });
    assert.deepEqual(ids(await query("journalEntries:getUserJournalEntries", { userId: ada })), [first]);
    assert.deepEqual(ids(await query("journalEntries:list")), [second, first]);
    assert.deepEqual(ids(await query("journalEntries:listByMood", { mood: "glad" })), [first]);
    await remove("journalEntries", second);

    await remove("users", ada);
    assert.equal(await query("journalEntries:get", { id: first }), null, "what belonged to the user is gone");
  });

  test("extrovertly: missions give their points once", async () => {
    const ada = await mutation("users:create", user("mission-ada"));
    const mission = { title: "Say hello", description: "d", difficulty: "beginner", category: "smalltalk", points: 10, isActive: true };
    const easy = await createAndUpdate("missions", mission, { tips: ["smile"], requirements: { age: 3 } });
    const hard = await mutation("missions:create", { ...mission, difficulty: "advanced" });
    assert.deepEqual(ids(await query("missions:list")), [easy, hard]);
    assert.deepEqual(ids(await query("missions:list", { difficulty: "advanced", category: "smalltalk" })), [hard]);
    await remove("missions", hard);

    const assignment = { userId: ada, missionId: easy, status: "assigned", assignedAt: 5 };
    const taken = await createAndUpdate("userMissions", assignment, { notes: "n", difficultyRating: 2 });
    const other = await mutation("userMissions:assignMission", { userId: ada, missionId: easy });
    for (const status of ["in_progress", "completed", "completed"]) await mutation("userMissions:setStatus", { id: taken, status });
    assert.equal((await query("users:get", { id: ada })).totalPoints, 10);
    assert.deepEqual(ids(await query("userMissions:list", { userId: ada, status: "completed" })), [taken]);
    assert.deepEqual(ids(await query("userMissions:listByMission", { missionId: easy })), [taken, other]);
    await remove("userMissions", other);
  });
}
