// Starts the real server process on a free port with a data directory of its own, and stops it.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");

/** The path of a binary that cargo built; `HULL_TEST_PROFILE=release` takes the other profile. */
export function binary(name) {
  return path.join(target, process.env.HULL_TEST_PROFILE ?? "debug", name);
}

/** A port that is free at this moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const listener = net.createServer().once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

/** A server process. It can be killed and started again on the same port and directory. */
export class Server {
  constructor(name, args) {
    this.name = name;
    this.args = args;
    this.output = "";
  }

  /** Starts `testbed` (the tests' own application) or `academy`. */
  static async start(name = "testbed", args = ["--no-sample"]) {
    const server = new Server(name, args);
    server.directory = await mkdtemp(path.join(os.tmpdir(), "hull-js-"));
    server.port = await freePort();
    await server.launch();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get webSocketUrl() {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** Starts the process and waits until it answers. */
  async launch() {
    const all = ["--port", String(this.port), "--data-dir", path.join(this.directory, "data"), ...this.args];
    this.process = spawn(binary(this.name), all, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on("data", (text) => (this.output = (this.output + text).slice(-20000)));
    }
    this.exited = new Promise((resolve) => {
      this.process.once("error", (error) => resolve(`${error}`));
      this.process.once("exit", (code, signal) => resolve(signal ?? code));
    });
    let over;
    this.exited.then((how) => (over = how));
    const until = Date.now() + 60_000;
    while (Date.now() < until) {
      if (over !== undefined) throw new Error(`${this.name} ended (${over}): ${this.output}`);
      const healthy = await fetch(`${this.url}/health`).then((answer) => answer.ok, () => false);
      if (healthy) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`${this.name} does not answer: ${this.output}`);
  }

  /** Kills it at once (SIGKILL) or asks it to stop. */
  async end(signal = "SIGTERM") {
    this.process.kill(signal);
    return this.exited;
  }

  /** Runs another command of the same binary on the same directory and returns what it printed. */
  async run(...args) {
    const child = spawn(binary(this.name), [...args, "--data-dir", path.join(this.directory, "data")]);
    let out = "";
    child.stdout.on("data", (text) => (out += text));
    child.stderr.on("data", (text) => (out += text));
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${out}`);
    return out.trim();
  }

  /** Stops it and removes its data. */
  async stop() {
    await this.end("SIGKILL");
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Waits until `condition` returns something true, and returns that. */
export async function eventually(condition, what = "the condition", seconds = 20) {
  const until = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < until) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${what} did not come true in ${seconds} s${last ? `: ${last}` : ""}`);
}

/** Fails when `promise` takes longer than it should. */
export function within(promise, what = "an answer", seconds = 15) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come in ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
