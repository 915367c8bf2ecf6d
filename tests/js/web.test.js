// The React application of examples/academy/web, built and driven in real windows: one writes, the other follows; the
// server goes out of reach and comes back; the keyboard alone does everything; nothing needs more than a phone's width.
// Screenshots of each page are left in tests/artifacts/web.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ConvexHttpClient } from "convex/browser";
import { launchBrowser } from "./support/browser.js";
import { activeControl, controls, faintTexts, focusIsSeen, outline, tabTo } from "./support/controls.js";
import { CuttingProxy } from "./support/proxy.js";
import { binary, eventually, Server } from "./support/server.js";
import { serveSite } from "./support/site.js";

const web = fileURLToPath(new URL("../../examples/academy/web", import.meta.url));
const pictures = fileURLToPath(new URL("../artifacts/web", import.meta.url));
const builtFor = "http://127.0.0.1:3210";

let server, proxy, browser, http, user, course;
const sites = {};

before(async () => {
  mkdirSync(pictures, { recursive: true });
  const npm = (...args) => execFileSync("npm", args, { cwd: web, stdio: ["ignore", "pipe", "inherit"] });
  if (!existsSync(path.join(web, "node_modules"))) npm("ci", "--no-audit", "--no-fund", "--ignore-scripts");
  npm("run", "--silent", "build");

  [server, browser] = await Promise.all([Server.start("academy", []), launchBrowser()]);
  proxy = await CuttingProxy.start(server.port);
  sites.direct = await serveSite(path.join(web, "dist"), { builtFor, server: server.url });
  sites.cut = await serveSite(path.join(web, "dist"), { builtFor, server: proxy.url });

  http = new ConvexHttpClient(server.url);
  user = await http.mutation("users:createUser", { email: "web@example.com", username: "web", firstName: "Web" });
  [course] = await http.query("courses:list", { status: "ready" });
});

after(async () => {
  await browser?.close();
  for (const site of Object.values(sites)) await site.stop();
  await proxy?.stop();
  await server?.stop();
});

const hashOf = (place) => `#/${place}${place.includes("?") ? "&" : "?"}user=${user}`;

/** A window of its own; its problems are looked at when it is closed. */
async function open(place, { site = sites.direct, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`${error}`));
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.diffs = 0;
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => (page.diffs += payload.includes('"QueryDiff"'))));
  await page.goto(`${site.url}${hashOf(place)}`);
  await page.locator(`main h1`).waitFor();
  return page;
}

async function close(...pages) {
  for (const page of pages) {
    const problems = page.problems.filter((problem) => !/WebSocket|ERR_CONNECTION_REFUSED/.test(problem));
    await page.context().close();
    assert.deepEqual(problems, []);
  }
}

const boxes = (page) => page.locator(".items").getByRole("checkbox");
const share = (page) => page.locator(".head .share");
const entries = (page, text) => page.getByRole("list", { name: "Entries" }).locator("> li", { hasText: text });
const journal = () => http.query("journalEntries:getUserJournalEntries", { userId: user });
const written = async (text) => (await journal()).filter(({ content }) => content === text).length;

async function add(page, text, mood = "proud") {
  const form = page.getByRole("form", { name: "A new entry" });
  await form.getByRole("textbox").fill(text);
  await form.getByRole("radio", { name: mood }).check();
  await form.getByRole("button", { name: "Add" }).click();
}

test("the committed types are those of the server's functions and tables", () => {
  const out = path.join(web, "convex/_generated");
  execFileSync(binary("academy"), ["codegen", "--out", out, "--check"], { stdio: ["ignore", "ignore", "pipe"] });
});

test("the development server shows it", { timeout: 120_000 }, async () => {
  process.env.VITE_CONVEX_URL = server.url;
  const { createServer } = await import(pathToFileURL(path.join(web, "node_modules/vite/dist/node/index.js")));
  const vite = await createServer({ root: web, logLevel: "error", server: { port: 0 } });
  try {
    await vite.listen();
    const page = await open("courses", { site: { url: vite.resolvedUrls.local[0] } });
    await page.getByRole("link", { name: course.name }).waitFor();
    await close(page);
  } finally {
    await vite.close();
    delete process.env.VITE_CONVEX_URL;
  }
});

test("a tick in one window moves the progress of the other", { timeout: 120_000 }, async () => {
  const [one, two] = [await open("courses"), await open(`courses/${course._id}`)];
  await one.getByRole("link", { name: course.name }).click();
  await one.getByRole("heading", { level: 1, name: course.name }).waitFor();
  const total = await boxes(one).count();
  assert.equal(await share(one).innerText(), `0 of ${total} done`);
  await boxes(one).nth(0).check();
  await boxes(one).nth(2).check();
  for (const page of [one, two]) await share(page).getByText(`2 of ${total} done`).waitFor();
  assert.deepEqual(await Promise.all([0, 1, 2].map((n) => boxes(two).nth(n).isChecked())), [true, false, true]);
  assert.equal(await two.locator(".count").first().innerText(), "2 of 3");

  await boxes(two).nth(0).uncheck();
  await share(one).getByText(`1 of ${total} done`).waitFor();
  assert.equal(await boxes(one).nth(0).isChecked(), false);
  await one.getByRole("link", { name: "All courses" }).click();
  const card = one.locator(".card", { hasText: course.name });
  await card.getByText(`1 of ${total} done`).waitFor();
  await boxes(two).nth(1).check();
  await card.getByText(`2 of ${total} done`).waitFor();
  await close(one, two);
});

test("an entry shows at once, and is the same row when the server has confirmed it", { timeout: 120_000 }, async () => {
  const [one, two] = [await open("journal"), await open("journal")];
  await one.getByText("Nothing here yet").waitFor();
  await add(one, "I spoke first.");
  for (const page of [one, two]) await entries(page, "I spoke first.").waitFor();

  // Every state of the list from now on: how many rows have the text, and which of them are not confirmed.
  await one.evaluate(() => {
    window.states = [];
    const look = () => {
      const rows = [...document.querySelectorAll(".entry")].filter((row) => row.textContent.includes("The second"));
      const first = document.querySelector(".entry");
      if (rows.length > 0) window.row ??= rows[0];
      window.states.push(rows.map((row) => [row === first, row === window.row, row.dataset.unconfirmed]));
    };
    new MutationObserver(look).observe(document.querySelector("main"), { subtree: true, childList: true, attributes: true });
  });
  await add(one, "The second");
  await one.locator(".entry[data-unconfirmed=false]", { hasText: "The second" }).waitFor();
  await entries(two, "The second").waitFor();
  const states = (await one.evaluate(() => window.states)).filter((rows) => rows.length > 0);
  assert.deepEqual(states[0], [[true, true, "true"]], "shown before it is confirmed");
  assert.deepEqual(states.at(-1), [[true, true, "false"]], "the same row, at the same place");
  assert.deepEqual(states.filter((rows) => rows.length !== 1 || !rows[0][0] || !rows[0][1]), []);
  assert.equal(await two.locator(".entry[data-arrived=true]").count(), 2, "what came from elsewhere is pointed out");
  assert.equal(await one.locator(".entry[data-arrived=true]").count(), 0);

  const edit = entries(two, "The second").getByRole("button", { name: /^Edit/ });
  await edit.click();
  const form = two.getByRole("form", { name: /^The entry of/ });
  await form.getByRole("textbox").fill("The second, changed");
  await form.getByRole("radio", { name: "curious" }).check();
  await form.getByRole("button", { name: "Save" }).click();
  await entries(one, "The second, changed").getByText("curious").waitFor();
  assert.match(await activeControl(two), /^button Edit the entry of/, "the focus is back where the form was opened");
  await close(one, two);
});

test("two windows that change one entry hear of each other", { timeout: 120_000 }, async () => {
  await http.mutation("journalEntries:create", { userId: user, content: "Shared", mood: "calm", isPrivate: false });
  const [one, two] = [await open("journal"), await open("journal")];
  const edit = async (page) => {
    await entries(page, "Shared").getByRole("button", { name: /^Edit/ }).click();
    return page.getByRole("form", { name: /^The entry of/ });
  };
  const [mine, theirs] = [await edit(one), await edit(two)];
  await mine.getByRole("textbox").fill("Mine");
  await theirs.getByRole("textbox").fill("Theirs");
  await theirs.getByRole("button", { name: "Save" }).click();
  await mine.getByText("Changed in another window meanwhile, to: “Theirs”").waitFor();
  assert.equal(await mine.getByRole("textbox").inputValue(), "Mine", "what was written is kept");
  await mine.getByRole("button", { name: "Save" }).click();
  await entries(two, "Mine").waitFor();

  const [{ _id: id }] = await journal();
  await entries(one, "Mine").getByRole("button", { name: /^Edit/ }).click();
  await one.getByRole("form", { name: /^The entry of/ }).getByRole("textbox").fill("Still mine");
  await one.getByRole("link", { name: "Courses" }).click();
  await http.mutation("journalEntries:remove", { id });
  await one.getByRole("link", { name: "Journal" }).click();
  const kept = one.getByRole("form", { name: "An entry that was removed" });
  assert.equal(await kept.getByRole("textbox").inputValue(), "Still mine");
  await kept.getByRole("button", { name: "Add it as new" }).click();
  await entries(two, "Still mine").waitFor();
  await close(one, two);
});

test("what the server refuses is kept beside the reason", { timeout: 120_000 }, async () => {
  const page = await open("journal");
  const form = page.getByRole("form", { name: "A new entry" });
  await form.getByRole("button", { name: "Add" }).click();
  await form.getByRole("alert").getByText("Write a few words first.").waitFor();
  assert.match(await activeControl(page), /^textbox What happened/);

  const before = await page.getByRole("list", { name: "Entries" }).locator("> li").count();
  await add(page, "x".repeat(1_100_000));
  const refused = page.getByRole("form", { name: "An entry that was not saved" });
  await refused.getByRole("alert").waitFor();
  assert.match(await refused.getByRole("alert").innerText(), /1 MiB|1048576|too large/i);
  assert.equal((await refused.getByRole("textbox").inputValue()).length, 1_100_000);
  assert.equal(await page.getByRole("list", { name: "Entries" }).locator("> li").count(), before);
  await refused.getByRole("textbox").fill("Shorter");
  await refused.getByRole("button", { name: "Try again" }).click();
  await page.locator(".entry[data-unconfirmed=false]", { hasText: "Shorter" }).waitFor();
  assert.equal(await refused.count(), 0);
  assert.match(page.problems.splice(0).join(), /Value is too large/, "the client says so on the console too");
  await close(page);

  // An item that is removed while a tick of it waits has no place left: the reason stands above the chapters.
  const one = await open(`courses/${course._id}`, { site: sites.cut });
  const { chapters } = await http.query("courses:getCourseWithStructure", { courseId: course._id });
  const [item] = chapters.at(-1).contentItems.slice(-1);
  await proxy.away();
  await one.getByText("Reconnecting…").waitFor();
  await boxes(one).last().check();
  await http.mutation("contentItems:deleteContentItem", { id: item._id });
  await proxy.back();
  await online(one);
  await one.getByRole("alert").getByText("there is no content item").waitFor({ timeout: 60_000 });
  assert.match(one.problems.splice(0).join(), /NotFound/);
  await close(one);
});

test("a tick that the server refuses is taken back, with the reason beside it", { timeout: 120_000 }, async () => {
  const other = (await http.query("courses:list", {})).find(({ _id }) => _id !== course._id)._id;
  const page = await open("courses");
  // The page's own request, but for another course than the item's.
  await page.routeWebSocket(/sync/, (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((text) => upstream.send(text.includes("markCompleted") ? text.replace(course._id, other) : text));
  });
  await page.reload();
  await page.getByRole("link", { name: course.name }).click();
  const item = page.locator(".item").nth(3);
  await item.getByRole("checkbox").click();
  await item.getByRole("alert").getByText(`belongs to course ${course._id}`).waitFor();
  assert.equal(await item.getByRole("checkbox").isChecked(), false);
  assert.match(page.problems.splice(0).join(), /OtherCourse/);
  await close(page);
});

/** What a browser says when its network is back; the client then tries at once. */
const online = (page) => page.evaluate(() => dispatchEvent(new Event("online")));

test("out of reach, the page says so and goes on; what was written arrives once", { timeout: 120_000 }, async () => {
  const [one, two] = [await open("journal", { site: sites.cut }), await open("journal")];
  const line = one.locator(".connection");
  await one.getByRole("list", { name: "Entries" }).waitFor();
  assert.equal(await line.innerText(), "");
  await proxy.away();
  await line.getByText("Reconnecting…").waitFor();
  const texts = [1, 2, 3].map((n) => `Written out of reach ${n}`);
  for (const text of texts) await add(one, text);
  assert.equal(await one.locator(".entry[data-unconfirmed=true]").count(), 3);
  await line.getByText("3 changes are waiting.").waitFor();
  assert.equal(await entries(two, "Written out of reach").count(), 0);

  await proxy.back();
  await online(one);
  await eventually(async () => (await line.innerText()) === "", "the connection", 60);
  for (const text of texts) await entries(two, text).waitFor();
  await eventually(async () => (await one.locator(".entry[data-unconfirmed=true]").count()) === 0, "the answers");
  assert.deepEqual(await Promise.all(texts.map(written)), [1, 1, 1]);
  for (const page of [one, two]) assert.equal(await entries(page, "Written out of reach").count(), 3);
  assert.ok(two.diffs > 0, "the list came as what changed in it");

  // The request passes, its answer does not: the client asks again, and the server does it once.
  const cuts = proxy.cuts;
  proxy.cutAfter = proxy.passed + 1;
  await add(one, "Cut before the answer");
  await eventually(() => proxy.cuts > cuts, "the cut");
  await online(one);
  await one.locator(".entry[data-unconfirmed=false]", { hasText: "Cut before the answer" }).waitFor({ timeout: 60_000 });
  await entries(two, "Cut before the answer").waitFor();
  assert.equal(await written("Cut before the answer"), 1);
  await close(one, two);
});

test("the keyboard alone ticks an item and adds an entry", { timeout: 120_000 }, async () => {
  const page = await open("courses");
  await page.getByRole("link", { name: course.name }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await activeControl(page), "link Skip to the content");
  await focusIsSeen(page);
  await page.keyboard.press("Enter");
  assert.equal(await activeControl(page), "main ");
  await tabTo(page, `link ${course.name}`);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: course.name }).waitFor();
  assert.equal(await activeControl(page), "main ", "a new page begins at its content");
  await tabTo(page, /^checkbox /);
  const name = await activeControl(page);
  await page.keyboard.press("Space");
  await share(page).getByText(/^3 of/).waitFor();
  assert.equal(await activeControl(page), name, "the focus stays");

  await tabTo(page, "link Journal", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Journal" }).waitFor();
  assert.equal(await activeControl(page), "main ");
  await tabTo(page, /^textbox What happened/);
  await page.keyboard.type("Without a mouse");
  await tabTo(page, /^radio /);
  await page.keyboard.press("ArrowRight");
  await tabTo(page, "checkbox Private");
  await page.keyboard.press("Space");
  await tabTo(page, "button Add");
  await page.keyboard.press("Enter");
  await page.locator(".entry[data-unconfirmed=false]", { hasText: "Without a mouse" }).waitFor();
  await tabTo(page, /^button Edit the entry/);
  await page.keyboard.press("Enter");
  assert.match(await activeControl(page), /^textbox Your entry/);
  await page.keyboard.press("End");
  await page.keyboard.type(" at all");
  await page.keyboard.press("Control+Enter");
  await page.locator(".entry .text", { hasText: "Without a mouse at all" }).waitFor();
  assert.match(await activeControl(page), /^button Edit the entry/);
  const [{ content, isPrivate }] = await journal();
  assert.deepEqual([content, isPrivate], ["Without a mouse at all", false]);
  await close(page);
});

test("another user has another journal, and the address remembers who", { timeout: 120_000 }, async () => {
  const page = await open("journal");
  const people = page.getByRole("combobox", { name: "User" });
  assert.equal(await people.inputValue(), user);
  const other = (await http.query("users:list", { limit: 5 })).find(({ _id }) => _id !== user)._id;
  await people.selectOption(other);
  await entries(page, "Without a mouse at all").waitFor({ state: "detached" });
  assert.ok(page.url().endsWith(`#/journal?user=${other}`));
  await page.reload();
  await page.getByRole("list", { name: "Entries" }).waitFor();
  assert.equal(await people.inputValue(), other);
  await page.goBack();
  await entries(page, "Without a mouse at all").waitFor();
  await close(page);
});

const results = (page, text) => page.getByRole("list", { name: "Results" }).locator("> li", { hasText: text });
const marks = (row) => row.locator("mark").allInnerTexts();
const createEvent = (title, comfortLevel = "low") =>
  http.mutation("events:create", { title, comfortLevel, description: "d", date: "2026-05-01", time: "10:00", category: "stage", price: 0, isActive: true });

test("a search follows what is typed and what is written, marked, in every window", { timeout: 120_000 }, async () => {
  const [one, two] = [await open("search"), await open("search?q=banjo")];
  await one.getByText("Type a word").waitFor();
  const box = one.getByRole("searchbox", { name: "Search for" });
  await box.pressSequentially("story ni");
  await results(one, "Story night").first().waitFor();
  assert.deepEqual(await marks(results(one, "Story night").first()), ["Story", "night"]);
  assert.ok(await box.evaluate((input) => input === document.activeElement), "typing goes on");

  await two.getByText("No events").waitFor();
  await createEvent("Drums for all");
  await createEvent("Banjo <b>and</b> banjolele");
  await results(two, "Banjo <b>and</b>").waitFor();
  assert.deepEqual(await marks(results(two, "Banjo")), ["Banjo", "banjolele"]);
  assert.equal(await two.locator("main").getByRole("status").innerText(), "1 event");
  await box.fill("ban");
  await results(one, "Banjo").waitFor();
  await createEvent("Five banjos", "high");
  for (const page of [one, two]) await results(page, "Five banjos").waitFor();
  assert.deepEqual(await marks(results(one, "Five banjos")), ["banjos"]);
  await one.getByRole("combobox", { name: "Comfort level" }).selectOption("high");
  await results(one, "banjolele").waitFor({ state: "detached" });
  assert.equal(await results(one, "Five banjos").count(), 1);

  await one.getByRole("radio", { name: "Journal" }).check();
  await one.getByText("No entries").waitFor();
  const entry = { userId: user, content: "I heard a banjo, 🪕 and bands.", mood: "calm", isPrivate: true };
  const id = await http.mutation("journalEntries:create", entry);
  await results(one, "I heard").waitFor();
  assert.deepEqual(await marks(results(one, "I heard")), ["banjo", "bands"]);
  await http.mutation("journalEntries:remove", { id });
  await one.getByText("No entries").waitFor();

  await box.fill("for");
  await one.getByRole("radio", { name: "Events" }).check();
  await one.getByText("The first 10 events").waitFor();
  await one.getByRole("button", { name: "Show more" }).click();
  await one.getByText("The first 30 events").waitFor();
  await one.getByRole("radio", { name: "Missions" }).check();
  await box.fill("thank");
  await results(one, "Thank somebody").first().waitFor();
  assert.deepEqual(await marks(results(one, "Thank somebody").first()), ["Thank"]);

  await one.reload();
  await results(one, "Thank somebody").first().waitFor();
  assert.equal(await box.inputValue(), "thank", "the address keeps what is searched for");
  await close(one, two);
});

test("the keyboard alone searches", { timeout: 120_000 }, async () => {
  const page = await open("courses");
  await tabTo(page, "link Search");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
  assert.equal(await activeControl(page), "main ");
  await tabTo(page, "searchbox Search for");
  await page.keyboard.type("for");
  await page.getByText("The first 10 events").waitFor();
  assert.equal(await activeControl(page), "searchbox Search for");
  await tabTo(page, "radio Events");
  await page.keyboard.press("ArrowRight");
  assert.equal(await activeControl(page), "radio Journal");
  await page.keyboard.press("ArrowLeft");
  await page.getByText("The first 10 events").waitFor();
  await tabTo(page, "button Show more");
  await page.keyboard.press("Enter");
  await page.getByText("The first 30 events").waitFor();
  assert.equal(await activeControl(page), "button Show more", "the focus stays");
  await tabTo(page, "searchbox Search for", "Shift+Tab");
  await page.keyboard.press("Escape");
  await page.getByText("Type a word").waitFor();
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: "Courses" }).waitFor();
  await close(page);
});

/** Each kind of page, and what is there when it is complete. */
const places = () => ({
  courses: ["courses", ".card progress"],
  course: [`courses/${course._id}`, ".item .body a"],
  journal: ["journal", ".entry .tags"],
  search: ["search?q=walk+for", ".results mark"],
  nothing: ["courses/nothing-100%", "[role=alert]"],
});

async function visit(page, [place, complete]) {
  await page.evaluate((hash) => (location.hash = hash), hashOf(place));
  await page.locator(complete).first().waitFor();
}

test("every control has a name, and every page an order", { timeout: 120_000 }, async () => {
  const long = `https://example.com/${"a-very-long-address-".repeat(8)}`;
  const tags = ["rest", "x".repeat(60)];
  await http.mutation("journalEntries:create", { userId: user, content: long, mood: "hopeful", isPrivate: true, tags });
  const page = await open("courses");
  for (const [name, place] of Object.entries(places())) {
    await visit(page, place);
    if (name === "journal") await page.getByRole("button", { name: /^Edit/ }).first().click();
    const found = await controls(page);
    assert.ok(found.length > 4, `${name}: ${found.length} controls`);
    assert.deepEqual(found.filter((control) => control.name === ""), [], `${name}: controls without a name`);
    const { headings, landmarks, twice } = await outline(page);
    assert.equal(headings[0], 1, name);
    assert.deepEqual(headings.filter((level, n) => level > (headings[n - 1] ?? 0) + 1), [], `${name}: ${headings}`);
    assert.deepEqual(landmarks, ["banner", "main"], name);
    assert.deepEqual(twice, [], `${name}: ids that are there twice`);
  }
  assert.match(page.problems.splice(0).join(), /courses:getCourseWithStructure/, "the client logs the query that failed");
  await close(page);
});

test("a phone's width is enough, texts are legible, and pictures are left", { timeout: 120_000 }, async () => {
  const sizes = { wide: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };
  for (const [size, viewport] of Object.entries(sizes)) {
    const page = await open("courses", { viewport, reducedMotion: "reduce" });
    const fits = async (name) => {
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(needed <= viewport.width, `${name} needs ${needed} of ${viewport.width} pixels`);
    };
    for (const [name, place] of Object.entries(places())) {
      await visit(page, place);
      await fits(name);
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: path.join(pictures, `${name}-${size}-${colorScheme}.png`), fullPage: true });
        assert.deepEqual(await faintTexts(page), [], `${name}, ${colorScheme}: texts of too little contrast`);
      }
      if (name !== "journal") continue;
      await page.getByRole("button", { name: /^Edit/ }).first().click();
      await fits("an entry that is edited");
    }
    assert.match(page.problems.splice(0).join(), /courses:getCourseWithStructure/);
    await close(page);
  }
});
