// The Practice Zone: thirteen tables whose functions are alike, and the rules of attempts, reviews and selection.
import assert from "node:assert/strict";
import { test } from "node:test";

const DAY = 86_400_000;

export function practiceZone({ query, mutation, refused, createUser }) {
  const ids = (documents) => documents.map((document) => document._id);

  /** Makes a document twice; `get`, `list` and what lists along an index find both, newest first, and what is alike in no field none. */
  async function table(module, document, lists, other) {
    const first = await mutation(`${module}:create`, document);
    const second = await mutation(`${module}:create`, document);
    const { _id, _creationTime, ...kept } = await query(`${module}:get`, { id: first });
    assert.deepEqual([_id, kept], [first, document]);
    assert.deepEqual(ids(await query(`${module}:list`, { limit: 2 })), [second, first]);
    for (const [name, field] of Object.entries(lists)) {
      assert.deepEqual(ids(await query(`${module}:${name}`, { [field]: document[field], limit: 2 })), [second, first], `${module}:${name}`);
      assert.deepEqual(await query(`${module}:${name}`, { [field]: other[field] }), [], `${module}:${name}`);
    }
    await assert.rejects(mutation(`${module}:create`, { ...document, unknown: 1 }), /ArgumentValidationError[^]*unknown/);
    return [first, second];
  }

  test("practice zone: what each table lists", async () => {
    const [ada, bo] = [await createUser("zone-ada"), await createUser("zone-bo")];
    const track = { slug: "content", title: "t", description: "d", level: 1, order: 1, tags: [], status: "live" };
    const [, content] = await table("practiceTracks", track, { listByLevel: "level", listByStatus: "status" }, { level: 3, status: "archived" });
    assert.equal((await query("practiceTracks:getBySlug", { slug: "content" }))._id, content, "the newest of one name");
    assert.equal(await query("practiceTracks:getBySlug", { slug: "nothing" }), null);
    const empty = await mutation("practiceTracks:create", { ...track, slug: "empty", level: 2, status: "draft" });

    const project = {
      trackId: content, slug: "launch", version: "1.0.0", title: "t", summary: "s", estTimeMinutes: 30, defaultDifficulty: 3,
      recommendedSkills: [], status: "live", createdBy: ada, updatedBy: ada, createdAt: 1, updatedAt: 1, visibility: "seasonal",
    };
    const [unused, launch] = await table("practiceProjects", project, { listByTrack: "trackId", listByStatus: "status" }, { trackId: empty, status: "deprecated" });
    assert.equal((await query("practiceProjects:getBySlug", { slug: "launch" }))._id, launch);

    const scenario = {
      trackId: content, slug: "startup", title: "t", narrative: "n", variables: { industry: "i", audience: "a", goal: "g", hooks: ["h"] },
      tags: [], createdBy: ada, createdAt: 1, status: "draft",
    };
    const [quiet, startup] = await table("practiceScenarios", scenario, { listByTrack: "trackId", listByStatus: "status" }, { trackId: empty, status: "retired" });
    assert.equal((await query("practiceScenarios:getBySlug", { slug: "startup" }))._id, startup);

    const template = {
      type: "multiple-choice", title: "t", description: "d", schema: { type: "object", n: 1 }, rubric: { rubricId: "r", weights: { clarity: 2 }, maxScore: 10 },
      aiEvaluation: { enabled: true, modelHints: { provider: "p", model: "m" } }, recommendedTime: 5, skills: ["planning"], authorId: ada,
      createdAt: 1, updatedAt: 2, status: "live",
    };
    const [bare, choice] = await table("practiceItemTemplates", template, { listByType: "type", listByStatus: "status" }, { type: "none", status: "deprecated" });

    const step = { projectId: launch, order: 2, templateId: choice, scenarioId: startup, params: { n: [1] }, required: true, timeEstimate: 5, skills: [], version: "1.0.0" };
    const late = await mutation("practiceActivities:create", { ...step, order: 3 });
    const steps = await table("practiceActivities", step, { listByTemplate: "templateId" }, { templateId: bare });
    assert.deepEqual(ids(await query("practiceActivities:listByProject", { projectId: launch })), [...steps, late], "by their order");

    const item = {
      templateId: choice, scenarioId: startup, params: { choices: ["a", "b"] }, version: "1.0.0", elo: 1500, eloDeviation: 350, difficultyBand: "core",
      tags: ["x"], createdBy: ada, createdAt: 1, status: "retired",
    };
    const lists = { listByTemplate: "templateId", listByScenario: "scenarioId", listByStatus: "status" };
    const [untried, tried] = await table("practiceItems", item, lists, { templateId: bare, scenarioId: quiet, status: "experimental" });

    const attempt = {
      userId: ada, itemId: tried, projectId: launch, response: { choice: "a" }, rubricScores: { clarity: 1, constraints: 2, iteration: 3, tool: 4 },
      score: 8, correct: true, timeMs: 1200, startedAt: 1, completedAt: 2, metadata: { mode: "solo", difficultyBand: "core" },
    };
    await table("practiceAttempts", attempt, { listByUser: "userId", listByItem: "itemId", listByProject: "projectId" }, { userId: bo, itemId: untried, projectId: unused });
    const skill = { userId: ada, skillId: "evaluation", rating: 1400, deviation: 200, lastUpdated: 1 };
    await table("practiceUserSkills", skill, { listByUser: "userId", listBySkill: "skillId" }, { userId: bo, skillId: "none" });

    const card = { userId: ada, itemId: tried, dueAt: 5, stability: 6, difficulty: 0, lapseCount: 0, createdAt: 1, updatedAt: 1 };
    const [old] = await table("practiceReviewDeck", card, { listByUser: "userId" }, { userId: bo });
    const early = await mutation("practiceReviewDeck:create", { ...card, userId: bo, dueAt: 4 });
    assert.deepEqual(ids(await query("practiceReviewDeck:listByDue", { before: 5, limit: 2 })), [early, old], "everybody's, the longest overdue first");

    const preferences = { userId: ada, interests: ["i"], goals: [], timeBudget: "deep", challengeMode: true, updatedAt: 1 };
    const [, newest] = await table("practiceUserPreferences", preferences, {}, {});
    assert.equal((await query("practiceUserPreferences:getByUser", { userId: ada }))._id, newest);
    assert.equal(await query("practiceUserPreferences:getByUser", { userId: bo }), null);

    const creation = { authorId: ada, type: "item", baseId: launch, draftData: { a: { b: 1 } }, status: "draft" };
    await table("practiceCreations", creation, { listByAuthor: "authorId", listByStatus: "status" }, { authorId: bo, status: "rejected" });
    const run = { itemId: tried, attempts: 5, meanScore: 3.5, standardError: 1, lastRunAt: 1, settled: false };
    await table("practiceCalibrationRuns", run, { listByItem: "itemId", listBySettled: "settled" }, { itemId: untried, settled: true });
    const flag = { contentType: "item", contentId: tried, reporterId: ada, reason: "r", status: "open", createdAt: 1 };
    await table("practiceModerationFlags", flag, { listByContent: "contentId", listByStatus: "status" }, { contentId: untried, status: "dismissed" });
  });

  test("practice zone: attempts move ratings, reviews schedule, selection follows", async () => {
    const cy = await createUser("zone-cy");
    const template = await mutation("practiceItemTemplates:create", {
      type: "prompt-draft", title: "t", description: "d", schema: {}, rubric: { rubricId: "r", weights: {}, maxScore: 10 }, aiEvaluation: { enabled: false },
      recommendedTime: 5, skills: ["drawing"], authorId: cy, createdAt: 1, updatedAt: 1, status: "live",
    });
    const item = (elo) => mutation("practiceItems:create", {
      templateId: template, params: {}, version: "1.0.0", elo, eloDeviation: 350, difficultyBand: "core", tags: [], createdBy: cy, createdAt: 1, status: "live",
    });
    const [easy, fitting, hard] = [await item(1100), await item(1500), await item(1900)];
    const next = async () => ids(await query("practiceItems:selectNextItems", { userId: cy, skillId: "drawing" }));
    assert.deepEqual(await next(), [fitting, easy, hard], "a beginner of 1500 answers three of four right at 1309");

    const attempt = { userId: cy, itemId: fitting, response: "a", score: 8, correct: true, timeMs: 1200, startedAt: 1, completedAt: 2 };
    const recorded = await mutation("practiceAttempts:record", attempt);
    assert.equal((await query("practiceAttempts:get", { id: recorded.attemptId })).score, 8);
    assert.deepEqual([recorded.elo, recorded.skills[0].rating].map(Math.round), [1338, 1662], "two beginners by Glicko");
    assert.equal((await query("practiceItems:get", { id: fitting })).elo, recorded.elo);
    assert.equal((await query("practiceUserSkills:listByUser", { userId: cy }))[0].rating, recorded.skills[0].rating);
    assert.ok(!(await next()).includes(fitting), "what was answered right does not come again");

    for (const [quality, days] of [[4, 1], [4, 6], [4, 15], [2, 1]]) {
      const card = await mutation("practiceReviewDeck:review", { userId: cy, itemId: easy, quality });
      assert.equal(card.stability, days);
      const before = card.dueAt;
      assert.deepEqual(await query("practiceReviewDeck:due", { userId: cy, before: before - DAY / 2 }), []);
      assert.deepEqual(ids(await query("practiceReviewDeck:due", { userId: cy, before })), [card._id]);
    }
    await assert.rejects(mutation("practiceReviewDeck:review", { userId: cy, itemId: easy, quality: 6 }), refused("InvalidQuality"));
  });
}
