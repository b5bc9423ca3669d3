// Many accounts at once, in every way a transaction can be sent, and what came of each: for tests that kill the node meanwhile.
import WebSocket from "ws";
import { keccak256, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { devAccounts } from "./node.mjs";
import { Random } from "./random.mjs";
import { assert } from "./suite.mjs";

const FEE = 100_000_000_000n; // far above any price that the load can cause
const TAKEN = /already known|replacement transaction underpriced|nonce too low/;
const BATCH = 8;

/** Thrown when the node went away: the end of a client, no failure. */
class Gone extends Error {}

/** A WebSocket that answers calls; `call` throws Gone when the connection ends first. */
class WsCalls {
  static async open(url) {
    const c = new WsCalls();
    c.waiting = new Map();
    c.id = 0;
    c.socket = new WebSocket(url.replace("http", "ws"));
    c.socket.on("message", (data) => {
      const reply = JSON.parse(data);
      c.waiting.get(reply.id)?.resolve(reply);
      c.waiting.delete(reply.id);
    });
    const end = () => {
      c.over = true;
      for (const w of c.waiting.values()) w.reject(new Gone());
      c.waiting.clear();
    };
    c.socket.on("close", end);
    c.socket.on("error", end);
    await new Promise((resolve, reject) => {
      c.socket.once("open", resolve);
      c.socket.once("error", () => reject(new Gone()));
    });
    return c;
  }

  post(request) {
    if (this.over) return Promise.reject(new Gone());
    return new Promise((resolve, reject) => {
      const id = ++this.id;
      this.waiting.set(id, { resolve: (r) => resolve({ ...r, id: request.id }), reject });
      this.socket.send(JSON.stringify({ ...request, id }));
    });
  }
}

/** One account: what it sent, and how far its nonces are taken. */
class Sender {
  constructor(load, index) {
    this.load = load;
    this.index = index;
    this.account = privateKeyToAccount(keccak256(toHex(`load ${load.seed} ${index}`)));
    this.waiting = new Map(); // nonce -> entry that was sent ahead of its turn
    this.rng = new Random(load.seed * 1000 + index);
  }

  /** Signs, and notes what is about to be sent. */
  async make(nonce, kind, fee = FEE) {
    const raw = await this.account.signTransaction({
      type: "eip1559",
      chainId: this.load.chainId,
      nonce,
      to: this.account.address,
      value: 1n,
      gas: 21000n,
      maxFeePerGas: fee,
      maxPriorityFeePerGas: 0n,
    });
    const entry = { hash: keccak256(raw), raw, nonce, kind, acked: false, replacedBy: undefined, from: this.account.address };
    this.load.sent.set(entry.hash, entry);
    return entry;
  }

  /** Sends entries and notes the answers; the way is this account's. */
  async send(entries) {
    const requests = entries.map((e, id) => ({ jsonrpc: "2.0", id, method: "eth_sendRawTransaction", params: [e.raw] }));
    let replies;
    if (this.index % 3 === 0) {
      replies = []; // one after the other: they may take different connections
      for (const r of requests) replies.push(await this.load.post(r));
    } else if (this.index % 3 === 1) replies = await this.load.post(requests);
    else replies = await Promise.all(requests.map((r) => this.ws.post(r)));
    for (const [i, e] of entries.entries()) {
      const r = replies[i];
      if (r.error && TAKEN.test(r.error.message) && this.mayBeThere.has(e.nonce)) continue; // sent before a kill, not answered then
      assert.ok(r.result, `account ${this.index}, nonce ${e.nonce}: ${JSON.stringify(r)}`);
      assert.equal(r.result, e.hash);
      e.acked = true;
      this.load.acked.push(e);
    }
  }

  /** A transaction ahead of its turn, perhaps replaced; it stays in `waiting` until its nonce is reached. */
  async sendAhead(nonce) {
    const first = await this.make(nonce, "queued");
    this.waiting.set(nonce, first);
    await this.send([first]);
    if (this.rng.chance(50)) return;
    const second = await this.make(nonce, "queued", (FEE * 3n) / 2n);
    first.replacedBy = second; // from now on either may be the one
    await this.send([second]);
    this.waiting.set(nonce, second);
  }

  async step() {
    const dice = this.rng.below(10);
    if (dice < 2 && Math.max(...this.waiting.keys()) < this.nonce) await this.sendAhead(this.nonce + 1 + this.rng.below(3));
    const entries = [];
    for (let n = this.rng.between(1, BATCH); n > 0; n--) {
      while (this.waiting.has(this.nonce)) this.nonce++; // it stays noted: after a kill the nonces begin anew
      entries.push(await this.make(this.nonce, "in turn"));
      this.nonce++;
    }
    await this.send(entries);
    if (dice !== 5) return;
    const reply = await this.load.post({ jsonrpc: "2.0", id: 1, method: "eth_getTransactionReceipt", params: [entries.at(-1).hash] });
    if (!entries.at(-1).acked) return;
    assert.ok(reply.result, `no receipt of ${entries.at(-1).hash} right after its acknowledgement`);
    entries.at(-1).blockHash = reply.result.blockHash;
  }

  async run() {
    try {
      if (this.index % 3 === 2) this.ws = await WsCalls.open(this.load.node.url);
      const reply = await this.load.post({
        jsonrpc: "2.0",
        id: 1,
        method: "eth_getTransactionCount",
        params: [this.account.address, "pending"],
      });
      this.nonce = Number(reply.result);
      for (const [nonce, e] of this.waiting) if (nonce < this.nonce || !e.acked) this.waiting.delete(nonce); // the rest is promised
      this.mayBeThere = new Set();
      for (let n = this.nonce; n < this.nonce + 64; n++) this.mayBeThere.add(n);
      if (this.load.first) this.mayBeThere.clear();
      while (!this.load.over) await this.step();
    } catch (e) {
      if (e instanceof Gone) return;
      this.load.over = true; // a finding: the others need not go on
      throw e;
    } finally {
      this.ws?.socket.terminate();
    }
  }
}

export class Load {
  constructor(node, accounts, seed) {
    Object.assign(this, { node, seed, chainId: node.chainId, sent: new Map(), acked: [], first: true });
    this.senders = Array.from({ length: accounts }, (_, i) => new Sender(this, i));
  }

  async fund() {
    const payer = privateKeyToAccount(devAccounts(this.node)[0].key);
    const raws = await Promise.all(
      this.senders.map((s, nonce) =>
        payer.signTransaction({
          type: "eip1559",
          chainId: this.chainId,
          nonce,
          to: s.account.address,
          value: 100n * 10n ** 18n,
          gas: 21000n,
          maxFeePerGas: FEE,
          maxPriorityFeePerGas: 0n,
        }),
      ),
    );
    const replies = await this.node.post(raws.map((raw, id) => ({ jsonrpc: "2.0", id, method: "eth_sendRawTransaction", params: [raw] })));
    for (const r of replies) assert.ok(r.result, JSON.stringify(r));
  }

  async post(body) {
    if (this.over) throw new Gone();
    try {
      return await this.node.post(body);
    } catch (e) {
      throw new Gone(String(e));
    }
  }

  /** All accounts send until the node is gone or `stop` is called; the promise is for that. */
  start(node) {
    this.node = node;
    this.over = false;
    this.running = Promise.all(this.senders.map((s) => s.run())).then(() => void (this.first = false));
    return this.running;
  }

  stop() {
    this.over = true;
    return this.running;
  }

  /** What must be true of an acknowledged transaction on any node that continues this chain; the text of a fault or undefined. */
  static fault(entry, receipt, transaction) {
    if (entry.kind === "in turn") {
      if (!receipt) return `${entry.hash} was durable and has no receipt`;
      if (entry.blockHash && receipt.blockHash !== entry.blockHash) return `${entry.hash} moved to another block`;
      return undefined;
    }
    if (receipt || transaction) return undefined;
    return entry.replacedBy ? "replaced" : `${entry.hash} waited for its nonce and is forgotten`;
  }

  /** Looks all entries up and gives the faults. */
  static async faults(node, entries) {
    const found = [];
    for (let at = 0; at < entries.length; at += 200) {
      const part = entries.slice(at, at + 200);
      const ask = (method) => node.post(part.map((e, id) => ({ jsonrpc: "2.0", id, method, params: [e.hash] })));
      const [receipts, transactions] = [await ask("eth_getTransactionReceipt"), await ask("eth_getTransactionByHash")];
      for (const [i, e] of part.entries()) {
        const fault = Load.fault(e, receipts[i].result, transactions[i].result);
        if (fault === "replaced") found.push(...(await Load.faults(node, [{ ...e.replacedBy, kind: "queued" }])));
        else if (fault) {
          const count = (tag) => node.rpc("eth_getTransactionCount", [e.from, tag]);
          found.push(`${fault} (${e.from}, nonce ${e.nonce}; now ${await count("latest")}, ${await count("pending")} pending)`);
        }
      }
    }
    return found;
  }
}
