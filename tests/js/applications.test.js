// Every function of the five applications, through the official ConvexHttpClient; and a live query of each application,
// through the official ConvexClient, plain and with the adapter. What the server has and nobody called is an error.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { ConvexError } from "convex/values";
import { extrovertly } from "./applications/extrovertly.js";
import { practiceZone } from "./applications/practice-zone.js";
import { connections } from "./support/connections.js";
import { eventually, Server, within } from "./support/server.js";

let server, client, admin;
const called = new Set();

before(async () => {
  server = await Server.start("academy");
  client = new ConvexHttpClient(server.url);
  admin = (await server.run("keys", "create")).match(/[\w-]+\|[\w-]+/)[0];
});

after(() => server?.stop());

function query(path, args = {}) {
  called.add(path);
  return within(client.query(path, args), path);
}

function mutation(path, args = {}) {
  called.add(path);
  return within(client.mutation(path, args), path);
}

/** Calls an internal function, which only an admin may. */
async function internal(path, args) {
  called.add(path);
  const answer = await fetch(`${server.url}/api/mutation`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Convex ${admin}` },
    body: JSON.stringify({ path, args, format: "json" }),
  });
  const { status, value, errorMessage } = await answer.json();
  assert.equal(status, "success", errorMessage);
  return value;
}

const refused = (code) => (error) => {
  assert.ok(error instanceof ConvexError, `${error}`);
  assert.equal(error.data.code, code);
  return true;
};

const createUser = (name) =>
  mutation("users:createUser", { email: `${name}@example.com`, username: name, firstName: name });

extrovertly({ query, mutation, refused });
practiceZone({ query, mutation, refused, createUser });

test("videos: the library and its background job", async () => {
  const video = { youtubeVideoId: "dQw4w9WgXcQ", title: "A video", url: "https://youtu.be/dQw4w9WgXcQ", durationInSeconds: 212 };
  const id = await mutation("videos:createVideo", video);
  const kept = await query("videos:get", { id });
  assert.deepEqual({ ...kept, ...video, status: "pending", notes: null, quiz: null }, kept);
  await assert.rejects(mutation("videos:createVideo", video), refused("VideoExists"));
  assert.deepEqual(await query("videos:getByYoutubeVideoId", { youtubeVideoId: video.youtubeVideoId }), kept);
  assert.deepEqual(await query("videos:list"), [kept]);
  await assert.rejects(mutation("videos:retryFailedVideo", { videoId: id }), refused("NotFailed"));

  await assert.rejects(mutation("videoProcessing:updateVideoStatus", { videoId: id, status: "failed" }), /function/);
  await internal("videoProcessing:updateVideoStatus", { videoId: id, status: "failed", errorMessage: "no transcript" });
  const [failed] = await query("videos:getVideosByStatus", { status: "failed" });
  assert.equal(failed.errorMessage, "no transcript");
  await mutation("videos:retryFailedVideo", { videoId: id });
  const again = await query("videos:get", { id });
  assert.equal(again.status, "pending");
  assert.ok(!("errorMessage" in again));
  await internal("videoProcessing:updateVideoContent", { videoId: id, notes: { text: "…" }, quiz: [], status: "completed" });
  assert.deepEqual((await query("videos:get", { id })).notes, { text: "…" });
  assert.deepEqual(await query("videos:getVideosByStatus", { status: "pending", limit: 5 }), []);
});

test("courses: structure, and what a learner has completed of it", async () => {
  const courseId = await mutation("courses:createCourse", { name: "Full Stack Development", description: "Learn web development", createdBy: "ada" });
  const course = await query("courses:get", { id: courseId });
  assert.equal(course.status, "draft");
  assert.equal(course.isPublished, false);
  await mutation("courses:updateCourse", { id: courseId, isPublished: true, status: "ready" });
  assert.equal((await query("courses:list", { status: "ready" }))[0]._id, courseId);
  assert.equal((await query("courses:listByCreator", { createdBy: "ada" })).length, 1);
  assert.deepEqual(await query("courses:listByCreator", { createdBy: "bo" }), []);

  const videoId = await mutation("videos:createVideo", { youtubeVideoId: "x1", title: "X", url: "https://youtu.be/x1" });
  const second = await mutation("chapters:createChapter", { courseId, name: "Second", order: 2, videoId });
  const first = await mutation("chapters:createChapter", { courseId, name: "Introduction", order: 1 });
  await mutation("chapters:updateChapter", { id: second, description: "More" });
  assert.deepEqual((await query("chapters:getChaptersByCourse", { courseId })).map((chapter) => chapter.name), ["Introduction", "Second"]);
  assert.equal((await query("chapters:getChaptersByVideo", { videoId }))[0]._id, second);

  const text = await mutation("contentItems:create", { chapterId: first, type: "text", textContent: "<h1>Welcome</h1>", order: 2 });
  const video = await mutation("contentItems:createContentItem", { chapterId: first, type: "video", videoId, order: 1 });
  const quiz = await mutation("contentItems:create", { chapterId: second, type: "quiz", quizData: { questions: [] }, order: 1 });
  await assert.rejects(mutation("contentItems:create", { chapterId: first, type: "resource", order: 3 }), refused("ContentMissing"));
  await mutation("contentItems:updateContentItem", { id: text, textContent: "<h1>Hello</h1>" });
  const items = await query("contentItems:getContentItemsByChapter", { chapterId: first });
  assert.deepEqual(items.map((item) => item._id), [video, text]);
  const structure = await query("courses:getCourseWithStructure", { courseId });
  assert.deepEqual(structure.chapters.map(({ chapter, contentItems }) => [chapter.name, contentItems.map((item) => item.type)]), [
    ["Introduction", ["video", "text"]],
    ["Second", ["quiz"]],
  ]);

  const learner = { userId: "user123", courseId };
  await mutation("progress:markCompleted", { ...learner, contentItemId: video, completed: true });
  await mutation("progress:markCompleted", { ...learner, contentItemId: quiz, completed: true });
  assert.deepEqual(await query("progress:getUserCourseProgress", learner), { completed: 2, total: 3, percentage: 67 });
  await mutation("progress:markCompleted", { ...learner, contentItemId: quiz, completed: false });
  assert.deepEqual(await query("progress:getUserCourseProgress", learner), { completed: 1, total: 3, percentage: 33 });
  assert.deepEqual((await query("progress:getUserProgress", learner)).map((row) => row.completed), [true, false]);
  const overall = await query("progress:getUserOverallProgress", { userId: "user123" });
  assert.deepEqual(overall, { completed: 1, total: 3, percentage: 33, courses: [{ courseId, completed: 1, total: 3, percentage: 33 }] });
  const other = await mutation("courses:createCourse", { name: "Another" });
  await assert.rejects(mutation("progress:markCompleted", { ...learner, courseId: other, contentItemId: text, completed: true }), refused("OtherCourse"));

  await mutation("contentItems:deleteContentItem", { id: text });
  assert.deepEqual(await query("progress:getUserCourseProgress", learner), { completed: 1, total: 2, percentage: 50 });
  await mutation("chapters:deleteChapter", { id: second });
  assert.deepEqual(await query("contentItems:getContentItemsByChapter", { chapterId: second }), []);
  await mutation("courses:deleteCourse", { id: courseId });
  assert.equal(await query("courses:getCourseWithStructure", { courseId }), null);
  assert.deepEqual(await query("contentItems:getContentItemsByChapter", { chapterId: first }), []);
});

test("scenarios: progress and metrics change together", async () => {
  const scenario = (title) => ({
    title, description: "At the counter", role: "barista", difficulty: "easy", instructions: "Order something", context: "A café",
    visibility: "public", isActive: true, createdAt: 1, updatedAt: 1,
  });
  const coffee = await mutation("scenarios:create", scenario("Order a coffee"));
  const train = await mutation("scenarios:create", scenario("Miss a train"));
  const [ada, bo] = [await createUser("ada"), await createUser("bo")];
  assert.deepEqual((await query("scenarios:list")).map((one) => one.title), ["Miss a train", "Order a coffee"]);
  await mutation("scenarios:update", { id: train, title: "Catch a train" });
  assert.equal((await query("scenarios:get", { id: train })).title, "Catch a train");
  assert.equal(await query("scenarios:progressOf", { userId: ada, scenarioId: coffee }), null);

  await mutation("scenarios:attempt", { userId: ada, scenarioId: coffee });
  await mutation("scenarios:complete", { userId: ada, scenarioId: coffee });
  await mutation("scenarios:complete", { userId: bo, scenarioId: coffee });
  const progress = await query("scenarios:progressOf", { userId: ada, scenarioId: coffee });
  assert.deepEqual([progress.timesAttempted, progress.timesCompleted], [2, 1]);
  assert.ok(progress.lastCompletedAt >= progress.createdAt);

  await mutation("scenarios:setSaved", { userId: ada, scenarioId: coffee, saved: true });
  await mutation("scenarios:setSaved", { userId: ada, scenarioId: coffee, saved: true });
  await mutation("scenarios:setSaved", { userId: bo, scenarioId: coffee, saved: true });
  await mutation("scenarios:setSaved", { userId: bo, scenarioId: train, saved: true });
  const ranked = await query("scenarios:mostSaved", { limit: 2 });
  assert.deepEqual(ranked.map(({ scenario, metadata }) => [scenario._id, metadata.amountSavedCount]), [[coffee, 2], [train, 1]]);
  assert.deepEqual((await query("scenarios:savedByUser", { userId: bo })).map((one) => one._id), [train, coffee]);
  assert.equal((await query("scenarios:savedBy", { scenarioId: coffee })).length, 2);
  await mutation("scenarios:setSaved", { userId: bo, scenarioId: coffee, saved: false });
  assert.equal((await query("scenarios:savedBy", { scenarioId: coffee }))[0].userId, ada);
  assert.ok(!("savedAt" in (await query("scenarios:progressOf", { userId: bo, scenarioId: coffee }))));

  await mutation("scenarios:rate", { userId: ada, scenarioId: coffee, rating: 2 });
  await mutation("scenarios:rate", { userId: bo, scenarioId: coffee, rating: 5 });
  await mutation("scenarios:rate", { userId: ada, scenarioId: coffee, rating: 4 });
  await assert.rejects(mutation("scenarios:rate", { userId: ada, scenarioId: coffee, rating: 6 }), refused("InvalidRating"));
  await mutation("scenarios:setNotes", { userId: ada, scenarioId: coffee, notes: "again tomorrow" });
  const metadata = await query("scenarios:metadataOf", { scenarioId: coffee });
  const { amountSavedCount, totalTimesUsed, totalAttempts, averageRating, ratingsCount } = metadata;
  assert.deepEqual({ amountSavedCount, totalTimesUsed, totalAttempts, averageRating, ratingsCount }, {
    amountSavedCount: 1, totalTimesUsed: 2, totalAttempts: 3, averageRating: 4.5, ratingsCount: 2,
  });
  assert.ok(Math.abs(metadata.completionRate - 200 / 3) < 1e-9);
  const [own] = await query("scenarios:progressOfUser", { userId: ada });
  assert.equal(own.userNotes, "again tomorrow");
});

test("scenarios: the old tables move into the new ones", async () => {
  const scenarioId = (await query("scenarios:list", { limit: 1 }))[0]._id;
  const before = await query("scenarios:metadataOf", { scenarioId });
  const userId = await createUser("cy");
  await internal("scenarios:recordOldOutcome", { userId, scenarioId, saved: true, completed: true });
  await internal("scenarios:recordOldOutcome", { userId, scenarioId, saved: true, completed: false });
  assert.equal(await internal("scenarios:migrate", { limit: 1 }), 2);
  assert.equal(await internal("scenarios:migrate", {}), 2);
  assert.equal(await internal("scenarios:migrate", {}), 0);
  const progress = await query("scenarios:progressOf", { userId, scenarioId });
  assert.deepEqual([progress.timesAttempted, progress.timesCompleted, progress.isSaved], [2, 1, true]);
  const after = await query("scenarios:metadataOf", { scenarioId });
  assert.deepEqual([after.totalAttempts - before.totalAttempts, after.amountSavedCount - before.amountSavedCount], [2, 1]);
});

test("skills: milestones and practice keep count", async () => {
  const milestone = (id) => ({
    id, title: "Variables", description: "Store input in a variable", estimatedTime: 30, icon: "code",
    doThisNow: { prompt: "Print Even or Odd", reps: 3, sets: 1, successCriteria: "It runs" },
  });
  const skill = (milestones) => ({
    userQuery: "learn python", skillName: "Python", skillType: "abstract",
    deconstructionData: {
      levels: [{ level: 1, title: "Level 1: Foundation", description: "First steps", milestones }],
      totalEstimatedTime: 120, difficulty: "beginner",
    },
  });
  await assert.rejects(mutation("skillDeconstructions:create", skill([milestone("a"), milestone("a")])), refused("MilestoneTwice"));
  const id = await mutation("skillDeconstructions:create", skill([milestone("milestone_1"), milestone("milestone_2")]));
  assert.equal((await query("skillDeconstructions:get", { id })).deconstruction_data.levels[0].milestones[1].id, "milestone_2");
  assert.equal((await query("skillDeconstructions:list"))[0]._id, id);
  assert.equal((await query("skillDeconstructions:listByType", { skillType: "abstract", skillName: "Python" })).length, 1);
  assert.equal((await query("skillDeconstructions:listByType", { skillType: "physical" })).length, 0);

  await assert.rejects(mutation("milestoneProgress:start", { skillDeconstructionId: id, milestoneId: "nine" }), refused("NotFound"));
  const progress = await mutation("milestoneProgress:start", { skillDeconstructionId: id, milestoneId: "milestone_1" });
  assert.equal(await mutation("milestoneProgress:start", { skillDeconstructionId: id, milestoneId: "milestone_1" }), progress);
  const practise = () => mutation("practiceActivities:start", { milestoneProgressId: progress, activityType: "code_challenge", title: "Even or odd" });
  const [one, two] = [await practise(), await practise()];
  await mutation("practiceActivities:fail", { id: one, userNotes: "off by one" });
  await mutation("practiceActivities:complete", { id: two, completionTime: 12, difficultyRating: 3 });
  await assert.rejects(mutation("practiceActivities:complete", { id: two }), refused("AlreadyCompleted"));
  await assert.rejects(mutation("practiceActivities:complete", { id: one, difficultyRating: 6 }), refused("InvalidRating"));
  const activities = await query("practiceActivities:listByMilestoneProgress", { milestoneProgressId: progress });
  assert.deepEqual(activities.map((activity) => activity.completed), [false, true]);
  assert.equal((await query("practiceActivities:listByCompleted", { completed: true }))[0].completion_time, 12);
  const row = await query("milestoneProgress:get", { id: progress });
  assert.deepEqual([row.practice_attempts, row.practice_completions, row.status], [2, 1, "in_progress"]);

  await mutation("milestoneProgress:fail", { id: progress, notes: "tired" });
  await assert.rejects(mutation("milestoneProgress:complete", { id: progress }), refused("NotInProgress"));
  await mutation("milestoneProgress:start", { skillDeconstructionId: id, milestoneId: "milestone_1" });
  await mutation("milestoneProgress:complete", { id: progress });
  await assert.rejects(mutation("milestoneProgress:start", { skillDeconstructionId: id, milestoneId: "milestone_1" }), refused("AlreadyCompleted"));
  assert.equal((await query("milestoneProgress:listByStatus", { status: "completed" }))[0]._id, progress);
  assert.equal((await query("milestoneProgress:listCompletedSince", { since: row.created_at })).length, 1);
  assert.equal((await query("milestoneProgress:listBySkill", { skillDeconstructionId: id })).length, 1);
  const opts = { paginationOpts: { numItems: 5, cursor: null } };
  const ofSkill = await query("milestoneProgress:listBySkillPaginated", { skillDeconstructionId: id, ...opts });
  assert.deepEqual([ofSkill.page[0]._id, ofSkill.page.length, ofSkill.isDone], [progress, 1, true]);

  const roadmap = await mutation("roadmaps:create", {});
  await mutation("roadmaps:deconstruct", { id: roadmap, skillDeconstructionId: id });
  assert.equal((await query("roadmaps:listBySkill", { skillDeconstructionId: id }))[0].is_deconstructed, true);
  await mutation("skillDeconstructions:remove", { id });
  assert.equal(await query("milestoneProgress:get", { id: progress }), null);
  assert.deepEqual(await query("practiceActivities:listByMilestoneProgress", { milestoneProgressId: progress }), []);
  assert.ok(!("skill_deconstruction_id" in (await query("roadmaps:get", { id: roadmap }))));
});

for (const { name, options } of connections) test(`a live query of each application shows what is written, ${name}`, async () => {
  const socket = new ConvexClient(server.url, options);
  const creations = {
    "missions:list": () => mutation("missions:create", { title: "Live", description: "d", difficulty: "beginner", category: "c", points: 1, isActive: true }),
    "practiceTracks:list": () => mutation("practiceTracks:create", { slug: `live ${name}`, title: "t", description: "d", level: 1, order: 1, tags: [], status: "live" }),
    "scenarios:list": () => mutation("scenarios:create", {
      title: "Live", description: "d", role: "r", difficulty: "easy", instructions: "i", context: "c", visibility: "public", isActive: true, createdAt: 1, updatedAt: 1,
    }),
    "skillDeconstructions:list": () => mutation("skillDeconstructions:create", {
      userQuery: "q", skillName: "Live", skillType: "physical", deconstructionData: { levels: [], totalEstimatedTime: 1, difficulty: "beginner" },
    }),
    "courses:list": () => mutation("courses:createCourse", { name: "Live" }),
  };
  try {
    for (const [path, create] of Object.entries(creations)) {
      let shown;
      const stop = socket.onUpdate(path, {}, (rows) => (shown = rows.map((row) => row._id)));
      await eventually(() => shown, `the first result of ${path}`);
      const before = shown;
      const id = await create();
      await eventually(() => shown.length === before.length + 1 && shown.includes(id), `the new row of ${path}`);
      stop();
    }
  } finally {
    await socket.close();
  }
});

test("each function of the server was called", async () => {
  const answer = await fetch(`${server.url}/api/hull/functions`, { headers: { Authorization: `Convex ${admin}` } });
  const { functions } = await answer.json();
  assert.ok(functions.length > 100, `${functions.length} functions`);
  assert.deepEqual(functions.filter(({ path }) => !called.has(path)).map(({ path }) => path), []);
  assert.deepEqual(functions.filter(({ doc }) => doc === "").map(({ path }) => path), [], "each says what it does");
});
