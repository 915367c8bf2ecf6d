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

    // Completed all at once, each mission's points count.
    const many = await Promise.all(Array.from({ length: 20 }, () => mutation("userMissions:assignMission", { userId: ada, missionId: easy })));
    await Promise.all(many.map((id) => mutation("userMissions:setStatus", { id, status: "completed" })));
    assert.equal((await query("users:get", { id: ada })).totalPoints, 210);
    const lost = await mutation("users:createUser", { email: "lost@example.com", username: "lost", firstName: "Lost" });
    await mutation("users:remove", { id: lost });
    const orphan = await mutation("userMissions:assignMission", { userId: lost, missionId: easy });
    await mutation("userMissions:setStatus", { id: orphan, status: "completed" });
    assert.equal((await query("userMissions:get", { id: orphan })).status, "completed", "nobody is there to have the points");
  });

  test("extrovertly: the tables that only hold what they are given", async () => {
    const userId = await mutation("users:create", user("holder"));
    const event = {
      title: "Board games", description: "d", date: "2026-02-03", time: "19:00", category: "games", comfortLevel: "low", price: 0, organizerId: userId, isActive: true,
    };
    const eventId = await holds("events", event, { listByDate: "date", listByCategory: "category", listByComfortLevel: "comfortLevel", listByOrganizer: "organizerId" });
    await holds("eventAttendees", { eventId, userId, status: "going", rsvpAt: 5 }, { listByEvent: "eventId", listByUser: "userId" });
    const achievement = { title: "First step", description: "d", icon: "star", category: "start", requirements: { missions: 1 }, pointsReward: 25, isActive: true };
    const achievementId = await holds("achievements", achievement, { listByCategory: "category", listByPoints: "pointsReward" });
    await holds("userAchievements", { userId, achievementId, earnedAt: 6, progress: 1, maxProgress: 1 }, { listByUser: "userId", listByAchievement: "achievementId" });
    const conversationId = await holds("coachConversations", { userId, sessionId: "s1" }, { listByUser: "userId", listBySession: "sessionId" });
    await holds("coachMessages", { conversationId, content: "Hello", sender: "coach", messageType: "advice" }, { listByConversation: "conversationId", listBySender: "sender" });
    const progress = {
      userId, trackingDate: "2026-02-03", activitiesCompleted: 1, journalEntries: 0, eventsAttended: 1, missionsCompleted: 0, pointsEarned: 5,
    };
    await holds("progressTracking", progress, { listByUser: "userId", listByDate: "trackingDate" });
    const insight = { userId, weekStartDate: "2026-02-02", insightType: "mood", title: "t", description: "d", isRead: false };
    await holds("weeklyInsights", insight, { listByUser: "userId", listByInsightType: "insightType" });
    await holds("moodTracking", { userId, mood: "curious", intensity: 7 }, { listByUser: "userId", listByMood: "mood" });
    await holds("socialGoals", { userId, title: "Join a club", category: "club", currentValue: 0, status: "active" }, { listByUser: "userId", listByCategory: "category" });
  });

  test("extrovertly: what there is, and who has most, is counted", async () => {
    const userId = await mutation("users:create", { ...user("counted"), totalPoints: 1e9 });
    await mutation("journalEntries:create", { userId, content: "c", mood: "calm", isPrivate: true });
    await mutation("socialGoals:create", { userId, title: "t", currentValue: 0, status: "active" });
    const day = { userId, activitiesCompleted: 0, journalEntries: 0, eventsAttended: 0, missionsCompleted: 0 };
    for (const [n, pointsEarned] of [1e6, 2e6].entries()) {
      await mutation("progressTracking:create", { ...day, trackingDate: `2026-02-0${n + 1}`, pointsEarned });
    }
    const { journalEntries, goalsActive, missionsCompleted } = await query("dashboard:ofUser", { userId });
    assert.deepEqual([journalEntries, goalsActive, missionsCompleted], [1, 1, 0]);
    const { users } = await query("dashboard:totals");
    assert.equal(users, (await query("users:list", { limit: 1000 })).length);
    assert.deepEqual(await query("users:leaderboard", { limit: 1 }), [{ rank: 1, userId, username: "counted", totalPoints: 1e9 }]);
    assert.deepEqual(await query("users:rank", { id: userId }), { rank: 1, of: users });
    assert.deepEqual(await query("progressTracking:listByPointsEarned", { limit: 1 }), [{ userId, points: 3e6, days: 2 }]);
    assert.deepEqual(await query("progressTracking:sumByUser", { userId }), { days: 2, points: 3e6, bestDay: 2e6 });
  });

  test("extrovertly: what may be long comes in pages, too", async () => {
    const userId = await mutation("users:create", user("reader"));
    const organizerId = userId;
    const texts = ["one", "two", "three", "four", "five"];
    const many = async (module, documentOf) => {
      const made = [];
      for (const [n, text] of texts.entries()) made.push(await mutation(`${module}:create`, documentOf(text, n)));
      return made;
    };
    const mood = "patient";
    const entries = await many("journalEntries", (content) => ({ userId, content, mood, isPrivate: true }));
    const missions = await many("missions", (title) => ({ title, description: "d", difficulty: "advanced", category: "paging", points: 1, isActive: true }));
    const event = { description: "d", time: "19:00", category: "paging", comfortLevel: "high", price: 0, organizerId, isActive: true };
    const events = await many("events", (title, n) => ({ ...event, title, date: `2999-01-0${n + 1}` }));
    const conversations = await many("coachConversations", (sessionId) => ({ userId, sessionId }));
    const [conversationId] = conversations;
    const messages = await many("coachMessages", (content) => ({ conversationId, content, sender: "user", messageType: "text" }));
    const going = await many("eventAttendees", (_, n) => ({ eventId: events[n], userId, status: "going", rsvpAt: n }));
    const guests = await many("eventAttendees", (_, n) => ({ eventId: events[4], userId, status: "interested", rsvpAt: n }));
    const taken = await many("userMissions", (_, n) => ({ userId, missionId: missions[n], status: "skipped", assignedAt: n }));
    const moods = await many("moodTracking", (mood) => ({ userId, mood }));
    const day = { userId, activitiesCompleted: 0, journalEntries: 0, eventsAttended: 0, missionsCompleted: 0, pointsEarned: 0 };
    const days = await many("progressTracking", (_, n) => ({ ...day, trackingDate: `2999-01-0${n + 1}` }));
    const insights = await many("weeklyInsights", (title) => ({ userId, weekStartDate: "2999-01-01", insightType: "mood", title, description: "d", isRead: false }));
    const goals = await many("socialGoals", (title) => ({ userId, title, currentValue: 0, status: "active" }));
    const [achievementId] = await many("achievements", (title) => ({ title, description: "d", icon: "star", requirements: {}, pointsReward: 1, isActive: true }));
    const earned = await many("userAchievements", (_, n) => ({ userId, achievementId, earnedAt: n, progress: 1, maxProgress: 1 }));

    const newest = (made) => made.toReversed();
    await comesInPages("journalEntries:getUserJournalEntriesPaginated", { userId }, newest(entries));
    await comesInPages("journalEntries:listByMoodPaginated", { mood }, newest(entries));
    await comesInPages("missions:listPaginated", { category: "paging" }, missions);
    await comesInPages("missions:listPaginated", { category: "paging", difficulty: "advanced" }, missions);
    await comesInPages("events:listByCategoryPaginated", { category: "paging" }, newest(events));
    await comesInPages("events:listFromDatePaginated", { date: "2999-01-02" }, events.slice(1));
    await comesInPages("coachConversations:listByUserPaginated", { userId }, newest(conversations));
    await comesInPages("coachMessages:listByConversationPaginated", { conversationId }, newest(messages));
    await comesInPages("eventAttendees:listByUserPaginated", { userId }, newest([...going, ...guests]));
    await comesInPages("eventAttendees:listByEventPaginated", { eventId: events[4] }, newest([going[4], ...guests]));
    await comesInPages("userMissions:listPaginated", { userId }, newest(taken));
    await comesInPages("userMissions:listPaginated", { userId, status: "completed" }, []);
    await comesInPages("userMissions:listByMissionPaginated", { missionId: missions[2] }, [taken[2]]);
    await comesInPages("moodTracking:listByUserPaginated", { userId }, newest(moods));
    await comesInPages("progressTracking:listByUserPaginated", { userId }, newest(days));
    await comesInPages("weeklyInsights:listByUserPaginated", { userId }, newest(insights));
    await comesInPages("socialGoals:listByUserPaginated", { userId }, newest(goals));
    await comesInPages("userAchievements:listByUserPaginated", { userId }, newest(earned));
    const all = async (module, args) => ids(await query(`${module}:list${args ? "ByComfortLevel" : ""}`, { ...args, limit: 1000 }));
    await comesInPages("events:listPaginated", {}, await all("events"));
    await comesInPages("events:listByComfortLevelPaginated", { comfortLevel: "high" }, await all("events", { comfortLevel: "high" }));
    await comesInPages("users:listPaginated", {}, await all("users"));
    await comesInPages("journalEntries:listPaginated", {}, await all("journalEntries"));
  });

  test("extrovertly: what was written is found", async () => {
    const userId = await mutation("users:create", user("searcher"));
    const entry = await mutation("journalEntries:create", { userId, content: "The quokka smiled at me.", mood: "calm", isPrivate: true });
    const mission = { title: "Smile at a quokka", description: "d", difficulty: "beginner", category: "quokkas", points: 1, isActive: true };
    const missionId = await mutation("missions:create", mission);
    const event = { title: "Quokka evening", description: "d", date: "2026-02-03", time: "19:00", category: "quokkas", comfortLevel: "low", price: 0, isActive: true };
    const eventId = await mutation("events:create", event);
    const goalId = await mutation("socialGoals:create", { userId, title: "Meet a quokka", currentValue: 0, status: "active" });
    for (const [path, args, field, id] of [
      ["events:searchEvents", { category: "quokkas", comfortLevel: "low" }, "title", eventId],
      ["journalEntries:searchContent", { userId, isPrivate: true }, "content", entry],
      ["missions:searchMissions", { difficulty: "beginner", category: "quokkas" }, "title", missionId],
      ["socialGoals:searchGoals", { userId, status: "active" }, "title", goalId],
    ]) {
      const search = { ...args, searchTerm: "evening quok" };
      assert.deepEqual(ids(await query(path, search)), [id], path);
      const { page } = await query(`${path}Paginated`, { ...search, paginationOpts: { numItems: 5, cursor: null } });
      assert.deepEqual(page.map(({ document }) => document._id), [id], path);
      const [{ document, marks }] = page;
      const marked = marks.map(({ start, end }) => document[field].slice(start, end).toLowerCase());
      assert.ok(marked.includes("quokka"), `${path}: ${marked}`);
    }
  });

  /** A list in pages of two has these documents, in this order, each once. */
  async function comesInPages(path, args, expected) {
    const found = [];
    for (let cursor = null, isDone = false; !isDone; ) {
      const result = await query(path, { ...args, paginationOpts: { numItems: 2, cursor } });
      assert.ok(result.page.length <= 2, path);
      found.push(...ids(result.page));
      ({ continueCursor: cursor, isDone } = result);
    }
    assert.deepEqual(found, expected, path);
  }

  /** Creates a document and finds it by its id and along each index. */
  async function holds(module, document, lists) {
    const id = await mutation(`${module}:create`, document);
    assert.deepEqual(fields(await query(`${module}:get`, { id })), document);
    assert.equal((await query(`${module}:list`, { limit: 1 }))[0]._id, id);
    for (const [name, field] of Object.entries(lists)) {
      assert.ok(ids(await query(`${module}:${name}`, { [field]: document[field] })).includes(id), `${module}:${name}`);
    }
    return id;
  }
}
