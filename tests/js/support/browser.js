// Headless Chromium from the system's packages, driven by playwright-core.
import { chromium } from "playwright-core";

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page whose errors are collected in `page.problems`, and websocket messages in `page.received`. */
export async function openPage(browser, url) {
  const page = await (await browser.newContext()).newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`${error}`));
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.requested = [];
  page.on("request", (request) => page.requested.push(request.url()));
  page.received = [];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => page.received.push(`${payload}`)));
  await page.goto(url);
  return page;
}
