// Clients that follow a universe's events, each by another way, and keep books: what stands, and who has what.
import { strict as assert } from "node:assert";
import WebSocket from "ws";

const ZERO = `0x${"0".repeat(40)}`;
const PAGE = 7; // small, so that pages are turned
const STOP_MS = 1000;
const before = (a, b) => a.block - b.block || a.txIndex - b.txIndex || a.logIndex - b.logIndex;

class Follower {
  /** `at`: {url, slug, key}. Goes on after the cursor of `from`, another follower's books, or begins at the first event. */
  constructor(at, from) {
    Object.assign(this, at, { told: [], journal: [...(from?.journal ?? [])], cursor: from?.cursor, stopper: new AbortController() });
    this.name = this.constructor.name;
    this.running = this.run().catch((e) => {
      if (!this.stopper.signal.aborted) this.failed = e;
    });
  }

  books() {
    return { journal: [...this.journal], cursor: this.cursor };
  }

  /** What every envelope must keep to: an event comes after the one before, or a `reorg` took back what is above its block. */
  take(event) {
    this.told.push(event);
    this.cursor = event.cursor;
    if (event.kind === "reorg") {
      this.journal = this.journal.filter((e) => e.block <= event.block);
      return;
    }
    assert.equal(event.kind, "log");
    const last = this.journal.at(-1);
    assert.ok(!last || before(last, event) < 0, `${this.name}: block ${event.block} after ${last?.block}, and no reorg between them`);
    this.journal.push(event);
  }

  /** Who has what of ERC-1155 tokens, of what stands: "player id" to amount. */
  holdings() {
    const have = new Map();
    const add = (who, id, n) => {
      const name = `${who} ${id}`;
      if (who !== ZERO) have.set(name, (have.get(name) ?? 0n) + n);
      if (have.get(name) === 0n) have.delete(name);
    };
    for (const { name, args } of this.journal)
      if (name === "TransferSingle" || name === "TransferBatch")
        (args.ids ?? [args.id]).forEach((id, i) => {
          const n = BigInt((args.values ?? [args.value])[i]);
          add(args.from, id, -n);
          add(args.to, id, n);
        });
    return have;
  }

  async stop() {
    this.stopper.abort();
    this.close?.();
    // Node.js 18 may forget the signal of a stream that it reads: that one ends with the process.
    await Promise.race([this.running, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
    if (this.failed) throw this.failed;
  }
}

class LongPoll extends Follower {
  async run() {
    while (!this.stopper.signal.aborted) {
      const query = new URLSearchParams({ waitMs: 5000, limit: PAGE, ...(this.cursor ? { after: this.cursor } : {}) });
      const res = await fetch(`${this.url}/v1/u/${this.slug}/events?${query}`, {
        signal: this.stopper.signal, headers: { authorization: `Bearer ${this.key}` },
      });
      const page = await res.json();
      assert.equal(res.status, 200, JSON.stringify(page));
      for (const e of page.items) this.take(e);
      this.cursor = page.next;
    }
  }
}

class Stream extends Follower {
  async run() {
    const headers = { authorization: `Bearer ${this.key}`, accept: "text/event-stream" };
    if (this.cursor) headers["last-event-id"] = this.cursor;
    const res = await fetch(`${this.url}/v1/u/${this.slug}/events`, { signal: this.stopper.signal, headers });
    assert.equal(res.status, 200);
    let text = "";
    for await (const chunk of res.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        if (id === undefined) continue;
        const event = JSON.parse(data);
        assert.equal(event.cursor, id);
        this.take(event);
      }
    }
    assert.ok(this.stopper.signal.aborted, "the stream ended");
  }
}

class Socket extends Follower {
  async run() {
    const ws = new WebSocket(`${this.url.replace("http", "ws")}/u/${this.slug}`, { headers: { "x-api-key": this.key } });
    this.close = () => ws.close();
    await new Promise((resolve, reject) => {
      const query = { slug: this.slug, ...(this.cursor ? { after: this.cursor } : {}) };
      ws.on("open", () => ws.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "universe_subscribe", params: [query] })));
      ws.on("error", reject);
      ws.on("close", (code) => (this.stopper.signal.aborted ? resolve() : reject(new Error(`closed with ${code}`))));
      ws.on("message", (data) => {
        try {
          const m = JSON.parse(data);
          assert.equal(m.error, undefined, String(data));
          if (m.method === "universe_subscription") this.take(m.params.result);
        } catch (e) {
          reject(e);
        }
      });
    });
  }
}

/** One follower by each way. */
export const followers = (at, from) => [LongPoll, Stream, Socket].map((Way) => new Way(at, from?.books?.() ?? from));
