// Two real browser windows keep one list in step: on the server's own page, and on a page with the official bundle,
// plain and with the adapter.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchBrowser, openPage } from "./support/browser.js";
import { freePort, Server } from "./support/server.js";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start("academy", []), launchBrowser()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("the server's own page", { timeout: 120_000 }, async () => {
  const [one, two] = [await openPage(browser, server.url), await openPage(browser, server.url)];
  for (const page of [one, two]) await page.locator("#list[aria-busy=false]").waitFor();
  const text = `Written in one window ${process.pid}`;
  for (const input of await one.locator("#add input").all()) await input.fill(text);
  await one.locator("#add button").click();
  const row = two.locator("#list li", { hasText: text });
  await row.waitFor();
  assert.equal(await row.count(), 1);
  const back = `Written in the other ${process.pid}`;
  for (const input of await two.locator("#add input").all()) await input.fill(back);
  await two.locator("#add button").click();
  await one.locator("#list li", { hasText: back }).waitFor();

  await server.end("SIGKILL");
  await one.locator("#state[data-state=lost]").waitFor();
  await server.launch();
  await one.locator("#state[data-state=open]").waitFor({ timeout: 60_000 });
  assert.equal(await one.locator("#list li", { hasText: back }).count(), 1);

  for (const page of [one, two]) {
    const elsewhere = page.requested.filter((url) => !url.startsWith(server.url) && !url.startsWith("data:"));
    assert.deepEqual(elsewhere, [], "the page loads nothing from elsewhere");
    const problems = page.problems.filter((problem) => !/WebSocket|ERR_CONNECTION_REFUSED/.test(problem));
    assert.deepEqual(problems, []);
    await page.close();
  }
});

test("the chat's own page", { timeout: 120_000 }, async () => {
  const chat = await Server.start("chat", []);
  try {
    const [ada, bo] = [await openPage(browser, chat.url), await openPage(browser, chat.url)];
    const say = async (page, author, body) => {
      await page.locator("[name=author]").fill(author);
      await page.locator("[name=body]").fill(body);
      await page.locator("#say button").click();
    };
    await say(ada, "Ada", "Is anybody here?");
    await bo.locator("#messages li", { hasText: "Ada Is anybody here?" }).waitFor();
    await bo.locator("#room").fill("tea");
    await bo.locator("#room").press("Tab");
    await bo.locator("#messages:empty").waitFor({ state: "attached" });
    await say(bo, "Bo", "<b>Yes</b>");
    await bo.locator("#messages li", { hasText: "Bo <b>Yes</b>" }).waitFor();
    assert.equal(await ada.locator("#messages li").count(), 1, "the other room is not shown");
    await say(bo, "Bo", "   ");
    await bo.locator("#error", { hasText: "1 to 2,000 characters" }).waitFor();
    assert.deepEqual([...ada.problems, ...bo.problems], []);
  } finally {
    await chat.stop();
  }
});

const bundles = {
  "the official browser bundle from the npm package": "{}",
  "the official browser bundle with the adapter": "{ webSocketConstructor: hullWebSocket() }",
};
for (const [name, options] of Object.entries(bundles)) test(name, { timeout: 120_000 }, async () => {
  const bundle = await readFile(new URL("./node_modules/convex/dist/browser.bundle.js", import.meta.url));
  const html = `<!doctype html><meta charset="utf-8"><title>Missions</title><link rel="icon" href="data:,">
    <ul id="list"></ul><script src="/convex.js"></script><script type="module">
    import { hullWebSocket } from "/client/index.js";
    const list = document.querySelector("#list");
    const client = new convex.ConvexClient("${server.url}", ${options});
    client.onUpdate("missions:list", {}, (rows) => {
      list.replaceChildren(...rows.map((row) => Object.assign(document.createElement("li"), { textContent: row.title })));
      list.dataset.ready = rows.length;
    });
    window.create = (title) => client.mutation("missions:create", {
      title, description: "From a page with the official bundle", difficulty: "beginner", category: "test", points: 1,
      isActive: true,
    });
    </script>`;
  const port = await freePort();
  const pages = http.createServer(async (request, response) => {
    response.setHeader("Content-Type", request.url === "/" ? "text/html" : "text/javascript");
    if (request.url === "/") response.end(html);
    else if (request.url === "/convex.js") response.end(bundle);
    else response.end(await readFile(new URL(path.basename(request.url), import.meta.resolve("@hull/client"))));
  });
  await new Promise((resolve) => pages.listen(port, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${port}/`;
    const [one, two] = [await openPage(browser, url), await openPage(browser, url)];
    for (const page of [one, two]) await page.locator("#list[data-ready]").waitFor();
    const title = `Written with ${name} ${process.pid}`;
    const id = await one.evaluate((text) => window.create(text), title);
    assert.match(id, /^[0-9a-z]{31,37}$/);
    await two.locator("#list li", { hasText: title }).waitFor();
    await one.locator("#list li", { hasText: title }).waitFor();
    const diffs = two.received.some((message) => message.includes('"QueryDiff"'));
    assert.equal(diffs, options.includes("hullWebSocket"), "diffs come where they were asked for");
    assert.deepEqual([...one.problems, ...two.problems], []);
  } finally {
    pages.close();
    pages.closeAllConnections();
  }
});
