// Blind retries against a node that is killed at random: each item is minted once. RETRIES= requests in all (default 800), ITEMS= items
// (default 100), SEED=.
import { Api, adminKey, request } from "./lib/api.mjs";
import { Node, tempDir } from "./lib/node.mjs";
import { Random } from "./lib/random.mjs";
import { assert, check } from "./lib/suite.mjs";
import { until } from "./lib/wait.mjs";

const RETRIES = Number(process.env.RETRIES ?? 800);
const ITEMS = Number(process.env.ITEMS ?? 100);
const SEED = Number(process.env.SEED ?? 1);
const WORKERS = 16;
const FRUITLESS = 3; // lives of the node, one after the other, that may be too short for an answer on a slow machine
const slug = "crash";
const player = `0x${"ab".repeat(20)}`;
const word = (n) => `0x${n.toString(16).padStart(64, "0")}`;

/** Even items have an Idempotency-Key and no reference, odd ones a reference and no key. */
function mint(node, path, key, i) {
  const keyed = i % 2 === 0;
  const item = { to: player, id: 1, ...(keyed ? {} : { referenceId: word(i + 1) }) };
  return request(node, "POST", path, { key, body: { items: [item] }, headers: keyed ? { "idempotency-key": `item-${i}` } : {}, signal: AbortSignal.timeout(60000) });
}

export async function run() {
  const dir = tempDir();
  const random = new Random(SEED);
  let node = await Node.start(dir);
  const api = await Api.of(node);
  const made = await api.do("universe_create", { key: adminKey(node), body: { slug, gas: "1000000000000000000" } });
  const sk = made.secretKey.secret;
  const { contract } = await api.do("universe_deploy", { path: { slug }, key: sk, body: { template: "items", name: "Items", symbol: "ITM" } });
  await api.do("universe_defineClasses", { path: { slug, address: contract.address }, key: sk, body: { classes: [{ id: 1, name: "Gem" }] } });
  const path = `/v1/u/${slug}/contracts/${contract.address}/mints`;

  const acks = new Map(); // item -> answer that was seen first
  const statuses = new Map();
  let requests = 0, answers = 0, kills = 0, done = false, starting = Promise.resolve();
  const worker = async () => {
    while (!done) {
      await starting;
      const i = random.below(ITEMS);
      requests++;
      try {
        const r = await mint(node, path, sk, i);
        answers++;
        statuses.set(r.status, (statuses.get(r.status) ?? 0) + 1);
        if (r.status !== 201) continue;
        const [item] = r.body.items;
        assert.ok(["minted", "exists"].includes(item.status), r.text);
        if (i % 2 === 0 && acks.has(i)) assert.equal(r.text, acks.get(i), `item ${i} has another answer than before`);
        acks.set(i, r.text);
      } catch (e) {
        if (e.code === "ERR_ASSERTION") throw e; // else the node was killed
      }
    }
  };
  const killer = async () => {
    for (let fruitless = 0; !done; ) {
      const before = answers;
      await new Promise((resolve) => setTimeout(resolve, 50 + random.below(400)));
      fruitless = answers === before ? fruitless + 1 : 0;
      if (fruitless > FRUITLESS) await until("an answer", () => answers > before);
      if (requests < RETRIES || acks.size < ITEMS || kills < 3) {
        const begun = node.stop("SIGKILL").then(() => Node.start(dir)).then((n) => void (node = n));
        starting = begun;
        await begun;
        kills++;
      } else {
        done = true;
      }
    }
  };
  await check(`api_crash: ${RETRIES} blind requests for ${ITEMS} items (SEED=${SEED})`, async () => {
    await Promise.all([killer(), ...Array.from({ length: WORKERS }, worker)]);
    // What is still under way comes to its end; then all are asked for once more.
    for (let i = 0; i < ITEMS; i++)
      for (;;) {
        const r = await mint(node, path, sk, i);
        if (r.status === 409) continue;
        assert.equal(r.status, 201, r.text);
        if (i % 2 === 0 && acks.has(i)) assert.equal(r.text, acks.get(i));
        break;
      }
    const supply = await request(node, "POST", `/v1/u/${slug}/contracts/${contract.address}/call`, { key: sk, body: { fn: "balanceOf", args: [player, 1] } });
    console.log(`     ${requests} requests, ${kills} kills, answers ${JSON.stringify(Object.fromEntries(statuses))}`);
    assert.deepEqual(Object.values(supply.body.outputs), [String(ITEMS)]);
  });
  await node.stop();
}
