// The generated types under the real TypeScript compiler, the generated references under the official client, and the
// official command line's function-spec.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ConvexHttpClient } from "convex/browser";
import { binary, Server, within } from "./support/server.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const generatedNames = ["api.d.ts", "api.js", "dataModel.d.ts", "server.d.ts"];
let server, key, folder;

before(async () => {
  server = await Server.start("testbed", []);
  key = (await server.run("keys", "create")).split("\n").at(-1);
  folder = await mkdtemp(path.join(os.tmpdir(), "hull-types-"));
});

after(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a program in a folder to its end. */
async function run(program, args, cwd) {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => (out += text));
  child.stderr.on("data", (text) => (err += text));
  const code = await within(new Promise((resolve) => child.once("exit", resolve)), `${program} ${args}`, 120);
  return { code, out, err };
}

/** A frontend's folder with the fixtures, the packages of the tests, and what an application generates. */
async function frontend(application) {
  const project = path.join(folder, application);
  await cp(path.join(here, "types"), project, { recursive: true });
  await symlink(path.join(here, "node_modules"), path.join(project, "node_modules"));
  await writeFile(path.join(project, "package.json"), '{ "type": "module", "dependencies": { "convex": "*" } }\n');
  const generated = await run(binary(application), ["codegen", "--out", "convex/_generated"], project);
  assert.equal(generated.code, 0, generated.err);
  return project;
}

/** Compiles one file; returns the errors as `line TS…`, sorted, and all that was said. */
async function compile(project, file, options = {}) {
  const config = JSON.parse(await readFile(path.join(project, "tsconfig.json"), "utf8"));
  config.files = [file];
  Object.assign(config.compilerOptions, options);
  await writeFile(path.join(project, "tsconfig.one.json"), JSON.stringify(config));
  const tsc = path.join(here, "node_modules/typescript/bin/tsc");
  const { code, out, err } = await run(process.execPath, [tsc, "-p", "tsconfig.one.json", "--pretty", "false"], project);
  const found = [...out.matchAll(/^([^\s(]+)\((\d+),\d+\): error (TS\d+)/gm)];
  assert.equal(code === 0, found.length === 0, out + err);
  for (const [, where] of found) assert.equal(where, file, out);
  return { errors: found.map(([, , line, error]) => `${line} ${error}`), out };
}

test("the types of the academy accept right uses", async () => {
  const project = await frontend("academy");
  for (const options of [
    {},
    { module: "nodenext", moduleResolution: "nodenext" },
    { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true },
  ]) {
    const { errors, out } = await compile(project, "right.tsx", options);
    assert.deepEqual(errors, [], out);
  }
});

test("the types of the academy refuse wrong uses, each with its own error, and nothing else", async () => {
  const project = path.join(folder, "academy");
  const source = await readFile(path.join(project, "wrong.tsx"), "utf8");
  const lines = source.split("\n");
  const expected = lines.flatMap((line, at) => {
    const error = line.match(/\/\/ (TS\d+)$/);
    return error ? [`${at + 1} ${error[1]}`] : [];
  });
  assert.ok(expected.length > 20, `${expected.length} wrong lines`);
  const { errors, out } = await compile(project, "wrong.tsx");
  assert.deepEqual(errors, expected, out);
  // Without these lines nothing is wrong, so it is they that are refused.
  const rest = lines.filter((line) => !/\/\/ TS\d+$/.test(line));
  await writeFile(path.join(project, "rest.tsx"), rest.join("\n"));
  assert.deepEqual((await compile(project, "rest.tsx")).errors, []);
});

test("every type of value is the TypeScript type that the client gives it", async () => {
  const project = await frontend("testbed");
  assert.deepEqual((await compile(project, "every.ts")).errors, []);
  const { api } = await import(pathToFileURL(path.join(project, "convex/_generated/api.js")));
  const client = new ConvexHttpClient(server.url);
  const message = await within(client.mutation(api.messages.send, { channel: "types", body: "x" }));
  const value = {
    any: { deep: [1n, null] },
    big: 7n,
    bytes: new Uint8Array([1, 2, 3]).buffer,
    float: 0.5,
    list: ["a", null],
    message,
    mood: "very_bad",
    nullable: null,
    record: { a: 1 },
    shape: { kind: "path", points: [1, 2] },
    text: "text",
    truth: true,
    whole: 3,
    "with space": 1,
  };
  assert.deepEqual(await within(client.query(api.types.every, value)), value);
  assert.equal(await within(client.query(api.types.every.exactly, { whole: true })), 1n);
});

test("both commands write the same files, and --check names those that are not up to date", async () => {
  const project = path.join(folder, "testbed");
  const data = ["--data-dir", path.join(server.directory, "data")];
  const ways = [
    [binary("testbed"), []],
    [binary("hull"), data],
    [binary("hull"), ["--url", server.url, "--admin-key", key]],
  ];
  const out = path.join(project, "convex/_generated");
  const read = () => Promise.all(generatedNames.map((name) => readFile(path.join(out, name), "utf8")));
  const texts = await read();
  assert.deepEqual((await readdir(out)).sort(), generatedNames);
  for (const text of texts) assert.ok(text.includes("generated by hull codegen") && text.endsWith("\n"));
  for (const [program, args] of ways) {
    const check = () => run(program, ["codegen", "--out", "convex/_generated", "--check", ...args], project);
    assert.deepEqual({ ...(await check()), out: "" }, { code: 0, out: "", err: "" });
    await writeFile(path.join(out, "api.d.ts"), `${texts[0]}\n`);
    await rm(path.join(out, "server.d.ts"));
    const stale = await check();
    assert.equal(stale.code, 8, stale.err);
    assert.match(stale.err, /api\.d\.ts.*server\.d\.ts/);
    assert.ok(!/api\.js|dataModel/.test(stale.err), stale.err);
    const written = await run(program, ["codegen", ...args], project);
    assert.match(written.out, /api\.d\.ts\twritten\n.*api\.js\tunchanged\n.*dataModel\.d\.ts\tunchanged\n.*server\.d\.ts\twritten\n/);
    assert.deepEqual(await read(), texts);
    assert.equal((await check()).code, 0);
  }
});

test("npx convex function-spec prints what hull function-spec prints", async () => {
  const project = path.join(folder, "spec");
  await mkdir(project);
  await writeFile(path.join(project, "package.json"), '{ "dependencies": { "convex": "*" } }\n');
  await symlink(path.join(here, "node_modules"), path.join(project, "node_modules"));
  const convex = path.join(here, "node_modules/convex/bin/main.js");
  const address = ["--url", server.url, "--admin-key", key];
  const official = await run(process.execPath, [convex, "function-spec", ...address], project);
  assert.equal(official.code, 0, official.err);
  const ours = await run(binary("hull"), ["function-spec", ...address], project);
  assert.equal(ours.code, 0, ours.err);
  const spec = JSON.parse(ours.out);
  assert.deepEqual(JSON.parse(official.out), spec);
  assert.equal(spec.url, server.url);
  const get = spec.functions.find((one) => one.identifier === "messages.js:list");
  assert.deepEqual(get.args, { type: "object", value: { channel: { fieldType: { type: "string" }, optional: false } } });
  assert.equal(get.returns.value.value._id.fieldType.tableName, "messages");
  const exactly = spec.functions.find((one) => one.identifier === "types/every.js:exactly");
  assert.deepEqual(exactly.returns.value[0], { type: "literal", value: { $integer: "AQAAAAAAAAA=" } });

  // Without a key there is no such function.
  const body = JSON.stringify({ path: "_system/cli/modules:apiSpec", args: {} });
  const asked = await fetch(`${server.url}/api/query`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  const answer = await asked.json();
  assert.equal(answer.errorMessage, "Could not find public function for '_system/cli/modules:apiSpec'.");
});
