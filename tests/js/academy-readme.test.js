// The commands of examples/academy/README.md, pasted one after the other while a server with the small sample runs.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { binary, Server } from "./support/server.js";

let server, blocks;

before(async () => {
  const readme = await readFile(new URL("../../examples/academy/README.md", import.meta.url), "utf8");
  blocks = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, text]) => text.trim());
  server = await Server.start("academy", []);
});

after(() => server?.stop());

test("the commands of the README do what it says", async () => {
  const starts = /^cargo run --release(?! -- watch| -p academy --example)/;
  assert.equal(blocks.filter((text) => starts.test(text)).length, 1, "one block starts the server");
  // An example that draws on a terminal is none of them.
  const commands = blocks.filter((text) => !starts.test(text) && !text.includes("--example"));
  const script = commands.join("\n").replaceAll("http://127.0.0.1:3210", server.url);
  // What is typed there is the binary that was built; a watch ends after its first answer.
  const prelude = `set -euo pipefail
    cargo() { [ "$1 $2 $3" = "run --release --" ]; "$ACADEMY" "\${@:4}" --url "${server.url}" --count 1; }
    hull() { "$HULL" "$@"; }`;
  const env = {
    ...process.env, ACADEMY: binary("academy"), HULL: binary("hull"), HULL_DATA_DIR: path.join(server.directory, "data"), RUST_LOG: "error",
  };
  const { stdout } = await promisify(execFile)("bash", ["-c", `${prelude}\n${script}`], { env, timeout: 120_000, maxBuffer: 1 << 26 });
  const answers = stdout.split("\n").filter((line) => line.startsWith('{"status"')).map((line) => JSON.parse(line));
  const shown = script.split("\n").filter((line) => line.startsWith("call ")).length;
  assert.equal(answers.length, shown);
  for (const { status, errorMessage } of answers) assert.equal(status, "success", errorMessage);
  const values = answers.map(({ value }) => value).filter((value) => value !== null);
  for (const value of values) assert.notDeepEqual(value, [], "every list has something");

  const completed = answers.at(-1).value;
  assert.ok(completed.courses.some(({ percentage }) => percentage === 100), "the course of the README is completed");
  assert.ok(answers.some(({ value }) => value?.totalPoints > 0), "the mission gave its points");
});
