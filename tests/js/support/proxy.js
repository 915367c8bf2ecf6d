// A TCP proxy between a websocket client and the server that knows where a message ends, and can cut there.
import net from "node:net";
import { freePort } from "./server.js";

export class CuttingProxy {
  /** `cutAfter`: how many messages (both ways together, over all connections) pass before everything is cut once. */
  static async start(serverPort, cutAfter = Infinity) {
    const proxy = new CuttingProxy();
    proxy.cutAfter = cutAfter;
    proxy.passed = 0;
    proxy.cuts = 0;
    /** How many bytes the server sent, and how many messages with diffs. */
    proxy.bytes = 0;
    proxy.diffs = 0;
    proxy.sockets = new Set();
    proxy.port = await freePort();
    proxy.listener = net.createServer((client) => proxy.#connect(client, serverPort));
    await new Promise((resolve) => proxy.listener.listen(proxy.port, "127.0.0.1", resolve));
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  #connect(client, serverPort) {
    const server = net.connect(serverPort, "127.0.0.1");
    for (const [from, to] of [[client, server], [server, client]]) {
      this.sockets.add(from);
      const messages = new Messages();
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        for (const [piece, whole] of messages.split(bytes)) {
          if (to.destroyed) return;
          to.write(piece);
          if (from === server) this.#sent(piece);
          if (whole && ++this.passed === this.cutAfter) return this.cut();
        }
      });
      from.on("close", () => (this.sockets.delete(from), to.destroy()));
      from.on("error", () => to.destroy());
    }
  }

  #sent(piece) {
    this.bytes += piece.length;
    if (piece.includes('"QueryDiff"')) this.diffs++;
  }

  /** Drops every connection, without a goodbye. What was written before is delivered. */
  cut() {
    this.cuts++;
    for (const socket of this.sockets) socket.destroySoon();
  }

  /** Drops every connection and takes no other, until `back`. */
  async away() {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    this.cut();
    await closed;
  }

  async back() {
    await new Promise((resolve) => this.listener.listen(this.port, "127.0.0.1", resolve));
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

/** Splits a byte stream of one direction at the ends of websocket messages; control frames pass uncounted. */
class Messages {
  constructor() {
    this.pending = Buffer.alloc(0);
    this.upgraded = false;
  }

  /** Yields [bytes, whether a text message ends here]. */
  *split(bytes) {
    this.pending = Buffer.concat([this.pending, bytes]);
    if (!this.upgraded) {
      const end = this.pending.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.upgraded = true;
      yield [this.#take(end + 4), false];
    }
    for (;;) {
      const length = this.#frameLength();
      if (length === undefined || this.pending.length < length) return;
      const text = (this.pending[0] & 0x8f) === 0x81;
      yield [this.#take(length), text];
    }
  }

  #take(length) {
    const piece = this.pending.subarray(0, length);
    this.pending = this.pending.subarray(length);
    return piece;
  }

  #frameLength() {
    const bytes = this.pending;
    if (bytes.length < 2) return undefined;
    const mask = bytes[1] & 0x80 ? 4 : 0;
    const short = bytes[1] & 0x7f;
    if (short < 126) return 2 + mask + short;
    if (short === 126) return bytes.length < 4 ? undefined : 4 + mask + bytes.readUInt16BE(2);
    return bytes.length < 10 ? undefined : 10 + mask + Number(bytes.readBigUInt64BE(2));
  }
}
