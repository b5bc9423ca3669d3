// Bad requests by the thousand, and clients that are slow on purpose. Nothing is taken on trust: each answer is compared
// with what the request's maker says that it broke.
//   SEED= of the requests (default 1), CASES= how many (5000), SLOW= clients that send a byte a second (100), SECONDS= for (5)
//   from 20 seconds on, the deadline of a request is waited for too
import net from "node:net";
import { readFileSync } from "node:fs";
import { Crowd } from "./lib/crowd.mjs";
import { badRequest, frame, hostileContext } from "./lib/hostile.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { Random } from "./lib/random.mjs";
import { assert, check } from "./lib/suite.mjs";
import { until } from "./lib/wait.mjs";

const SEED = Number(process.env.SEED ?? 1);
const CASES = Number(process.env.CASES ?? 5000);
const SLOW = Number(process.env.SLOW ?? 100);
const SECONDS = Number(process.env.SECONDS ?? 5);
const HANGING = 64; // half-open sockets that stay
const ANSWER_MS = 60000;
const DEADLINE_MS = 29000; // no request is ended sooner, on the node's coarse clock
const GROWTH_MAX = 8 << 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A connection that shows what came: whole answers, and the end. */
class Wire {
  constructor(node) {
    const at = node.address.lastIndexOf(":");
    this.answers = [];
    this.input = Buffer.alloc(0);
    this.wake = () => {};
    this.socket = net.connect({ port: Number(node.address.slice(at + 1)), host: node.address.slice(0, at), allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on("data", (d) => {
      this.input = this.input.length ? Buffer.concat([this.input, d]) : d;
      this.parse();
      this.wake();
    });
    this.socket.on("connect", () => this.wake());
    for (const event of ["end", "close", "error"])
      this.socket.on(event, (e) => {
        this.ended = true;
        if (event === "error") this.error = e;
        this.wake();
      });
  }

  parse() {
    for (let end; (end = this.input.indexOf("\r\n\r\n")) >= 0; ) {
      const head = this.input.subarray(0, end).toString("latin1");
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
      if (this.input.length < end + 4 + length) return;
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
      this.answers.push({ status, closes: /^connection: close$/im.test(head), body: this.input.subarray(end + 4, end + 4 + length) });
      this.input = this.input.subarray(end + 4 + length);
    }
  }

  /** Waits until `done()`. */
  async until(done, what) {
    const end = performance.now() + ANSWER_MS;
    while (!done()) {
      const left = end - performance.now();
      assert.ok(left > 0, `${what}: nothing in ${ANSWER_MS} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async answer() {
    await this.until(() => this.answers.length > 0 || this.ended, "answer");
    assert.ok(this.answers.length > 0, `ended without an answer (${this.error?.code ?? "closed"})`);
    return this.answers.shift();
  }

  destroy() {
    this.socket.resetAndDestroy();
  }
}

/** Writes at once or in a few pieces. */
async function write(wire, bytes, r) {
  if (bytes.length < 2 || bytes.length > 20000 || !r.chance(15)) return void wire.socket.write(bytes);
  const cut = r.between(1, bytes.length - 1);
  wire.socket.write(bytes.subarray(0, cut));
  await new Promise(setImmediate);
  wire.socket.write(bytes.subarray(cut));
}

function compareCall(got, want) {
  assert.deepEqual(got.id, want.id, "id");
  if ("result" in want) return assert.equal(got.result, want.result);
  assert.ok(got.error, `no error but ${JSON.stringify(got).slice(0, 200)}`);
  assert.equal(got.error.code, want.code, got.error.message);
  assert.ok(got.error.message.startsWith(want.text), `"${got.error.message}" does not begin with "${want.text}"`);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function compareBody(answer, want) {
  assert.equal(answer.status, 200);
  if (want === undefined) return assert.equal(answer.body.length, 0);
  const got = JSON.parse(decoder.decode(answer.body));
  if (!Array.isArray(want)) return compareCall(got, want);
  assert.equal(got.length, want.length);
  want.forEach((w, i) => compareCall(got[i], w));
}

/** What is refused below JSON-RPC: on a connection of its own. */
async function runWire(node, c, r) {
  const w = new Wire(node);
  try {
    await write(w, c.wire, r);
    const first = await w.answer();
    assert.equal(first.status, c.status, first.body.toString().slice(0, 200));
    if (c.after) {
      assert.equal(first.closes, false);
      const second = await w.answer();
      assert.deepEqual([second.status, JSON.parse(second.body).id], [c.after, 99]);
    } else {
      assert.equal(first.closes, true);
      await w.until(() => w.ended, "end of the connection");
    }
    assert.deepEqual([w.answers.length, w.input.length], [0, 0], "more came than was asked for");
  } finally {
    w.destroy();
  }
}

/** The beginning of a request: nothing may come back, but for one that is whole. */
async function runPart(node, c, r, hanging) {
  const w = new Wire(node);
  await write(w, c.part, r);
  if (c.end === "hang") {
    w.begun = performance.now();
    hanging.push(w);
    if (hanging.length <= HANGING) return;
    const old = hanging.shift();
    old.destroy();
    if (performance.now() - old.begun >= DEADLINE_MS) return; // a slow machine
    assert.ok(!old.ended, "a half-open socket was closed before its time");
    return assert.equal(old.answers.length, 0);
  }
  if (c.end === "reset") return void setImmediate(() => w.destroy());
  w.socket.end();
  await w.until(() => w.ended, "end of the connection");
  w.destroy();
  assert.equal(w.answers.length, c.end === "whole" ? 1 : 0);
  if (c.end === "whole") assert.equal(w.answers[0].status, 200);
}

/** Sends `count` bad requests over one connection per key side by side; {failures, names}. A sender's transactions must not
 * meet in the pool: there the second would be taken for a replacement of the first. Each case has its own generator, so it can be repeated alone. */
async function storm(node, cx, seed, count) {
  const failures = [];
  const names = new Map();
  const hanging = [];
  let next = 0;
  const worker = async (key) => {
    let keep = new Wire(node);
    while (next < count && failures.length < 10) {
      const at = next++;
      const r = new Random(BigInt(seed) * 1000003n + BigInt(at));
      const c = badRequest(r, { ...cx, key });
      names.set(c.name.split(" ")[0], (names.get(c.name.split(" ")[0]) ?? 0) + 1);
      try {
        if (c.wire) await runWire(node, c, r);
        else if (c.part) await runPart(node, c, r, hanging);
        else {
          await write(keep, frame(c.json), r);
          compareBody(await keep.answer(), c.want);
        }
      } catch (e) {
        const shown = (c.json ?? c.wire ?? c.part).subarray?.(0, 300).toString("latin1") ?? c.json.slice(0, 300);
        failures.push(`case ${at} (${c.name}): ${e.message}\n  ${JSON.stringify(shown)}`);
        keep.destroy();
        keep = new Wire(node);
      }
    }
    keep.destroy();
  };
  await Promise.all(cx.keys.map(worker));
  hanging.forEach((w) => w.destroy());
  return { failures, names };
}

/** Requests that stop in the middle: after the server's 30 seconds each is told so, and its connection ends. */
async function deadlines(node, seed) {
  const r = new Random(BigInt(seed) * 7n);
  const whole = frame('{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}');
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      const w = new Wire(node), begun = performance.now();
      w.socket.write(whole.subarray(0, r.between(1, whole.length - 1)));
      const answer = await w.answer();
      assert.ok(performance.now() - begun >= DEADLINE_MS, "before its time");
      assert.deepEqual([answer.status, answer.closes], [408, true]);
      await w.until(() => w.ended, "end of the connection");
      w.destroy();
    }),
  );
}

/** Private memory in bytes: what is not of a file, and what was written of private mappings. */
function memory(node) {
  const text = readFileSync(`/proc/${node.child.pid}/smaps_rollup`, "utf8");
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)[1]) << 10;
  return { anonymous: field("Anonymous") + field("Swap"), dirty: field("Private_Dirty") };
}

async function connections(node) {
  return Number(/^callipter_rpc_connections (\d+)$/m.exec(await (await fetch(`${node.url}/metrics`)).text())[1]);
}

/** Waits until nobody is connected but who asks: less long than the node gives a request that does not come. */
const fewConnections = (node) => until("connections to end", async () => (await connections(node)) <= 3, DEADLINE_MS - 4000);

/** Round trips of one call after the other on one connection, in milliseconds, sorted. */
async function latencies(node, count, pauseMs = 0) {
  const w = new Wire(node);
  const took = [];
  const body = frame('{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}');
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    w.socket.write(body);
    assert.equal((await w.answer()).status, 200);
    took.push(performance.now() - begun);
    if (pauseMs) await sleep(pauseMs);
  }
  w.destroy();
  return took.sort((a, b) => a - b);
}

const at = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
const figures = (l) => `p50 ${at(l, 0.5).toFixed(3)} ms, p99 ${at(l, 0.99).toFixed(3)} ms`;

const PHASES = 7;
const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Phases without and with the crowd in turns, so that each is compared with its neighbours: the machine has its own mood, which
 * changes slowly next to them. The middle of the ratios counts. */
async function slow(node) {
  const phase = async () => {
    const end = performance.now() + (SECONDS * 1000) / PHASES;
    let took = [];
    while (performance.now() < end) took = took.concat(await latencies(node, 100, 2));
    return took.sort((a, b) => a - b);
  };
  const crowd = new Crowd(node.address, SLOW);
  await latencies(node, 500);
  const [without, during] = [[await phase()], []];
  for (let i = 0; i < PHASES; i++) {
    await crowd.start();
    assert.ok((await connections(node)) >= SLOW);
    during.push(await phase());
    const { open, why } = await crowd.stop();
    assert.equal(open, SLOW, `slow clients were cut off: ${why}`);
    await sleep(200);
    without.push(await phase());
  }
  crowd.end();
  const all = (phases) => phases.flat().sort((a, b) => a - b);
  console.log(`     ${SLOW} slow clients, ${PHASES} phases of ${(SECONDS / PHASES).toFixed(1)} s with them and ${PHASES + 1} without; one normal client with them: ${figures(all(during))}; without: ${figures(all(without))}`);
  for (const q of [0.5, 0.99]) {
    const ratios = during.map((d, i) => at(d, q) / ((at(without[i], q) + at(without[i + 1], q)) / 2));
    console.log(`     quantile ${q}: ${middle(ratios).toFixed(2)} times the latency without them (phases: ${ratios.map((x) => x.toFixed(2)).join(" ")})`);
    assert.ok(middle(ratios) <= 2, `quantile ${q}: ${middle(ratios).toFixed(2)} times the latency`);
  }
}

/** Forty bodies of 4 MiB whose last byte never comes: together they are more than the server keeps, one of 1 KiB still gets through. */
async function crowdOfBodies(node) {
  const [host, port] = node.address.split(":");
  const head = `POST / HTTP/1.1\r\nHost: ${node.address}\r\nContent-Type: application/json\r\nContent-Length: ${4 << 20}\r\n\r\n`;
  const before = memory(node).anonymous;
  const sockets = [];
  let refused = 0;
  for (let i = 0; i < 40; i++) {
    const socket = net.connect(Number(port), host);
    socket.on("error", () => {});
    socket.once("data", (d) => (refused += d.toString().startsWith("HTTP/1.1 503") && d.includes("too many requests are being sent")));
    sockets.push(socket);
    await new Promise((resolve) => socket.write(head + " ".repeat((4 << 20) - 1), resolve));
  }
  const end = performance.now() + ANSWER_MS;
  while (refused < 20 && performance.now() < end) await sleep(20);
  assert.ok(refused >= 20, `${refused} of 40 were refused`);
  assert.ok(memory(node).anonymous - before < 160 * 2 ** 20, "the bodies are kept");
  assert.equal(Number(await node.rpc("eth_chainId")), node.chainId);
  for (const s of sockets) s.resetAndDestroy();
  await fewConnections(node);
}

export async function run() {
  const node = await Node.start();
  const accounts = devAccounts(node);
  const pay = (from) => node.rpc("eth_sendTransaction", [{ from: from.address, to: accounts[0].address, value: "0x1", gas: "0x5208" }]);
  for (const a of accounts) await pay(a); // the first nonce of each is used
  const cx = { ...hostileContext(new Random(SEED), node.chainId), keys: accounts.map((a) => a.key) };
  console.log(`     SEED=${SEED} CASES=${CASES} SLOW=${SLOW} SECONDS=${SECONDS}`);

  await check("hostile: bad requests get the right error and leave no memory behind", async () => {
    // warm is a node whose memory a storm no longer moves: what it needs at its busiest it keeps
    let first = { anonymous: 0 };
    for (let i = 1, grown = Infinity; i <= 5 && grown > 2 ** 20; i++) {
      const warm = await storm(node, cx, SEED + i, Math.min(2000, CASES));
      assert.deepEqual(warm.failures, [], warm.failures.join("\n"));
      await fewConnections(node); // refused ones are read on for a second
      const now = memory(node);
      grown = now.anonymous - first.anonymous;
      first = now;
    }
    const { failures, names } = await storm(node, cx, SEED, CASES);
    assert.deepEqual(failures, [], failures.join("\n"));
    await fewConnections(node);
    const last = memory(node);
    const mib = (n) => (n / 2 ** 20).toFixed(2);
    console.log(`     ${[...names].map(([n, c]) => `${n} ${c}`).join(", ")}`);
    for (const kind of ["anonymous", "dirty"]) {
      console.log(`     ${kind} memory: ${mib(first[kind])} MiB, then ${mib(last[kind])} MiB (${mib(last[kind] - first[kind])})`);
      assert.ok(last[kind] - first[kind] < GROWTH_MAX, `${kind} memory grew`);
    }
  });

  await check("hostile: bodies that never end are refused when they are too many", () => crowdOfBodies(node));
  if (SECONDS >= 20) await check("hostile: half-open requests are told after 30 s", () => deadlines(node, SEED));
  await check("hostile: slow clients do not delay others", () => slow(node));

  await check("hostile: the node is as before", async () => {
    assert.equal(Number(await node.rpc("eth_chainId")), node.chainId);
    for (const { address } of accounts) assert.equal(await node.rpc("eth_getTransactionCount", [address, "pending"]), "0x1");
    await pay(accounts[1]);
    assert.deepEqual((await node.stop()).code, 0);
  });
}
