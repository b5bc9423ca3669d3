// bridge/ in C against the real contracts: what it reads is what was sent, what it posts is taken, what it signs confirms.
// $BRIDGE_TOOL checks every accumulator itself and fails if one differs.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { assert, check } from "../func/lib/suite.mjs";
import { abis, GENESIS_HASH, Parent, roles, viem } from "./lib/parent.mjs";

const tool = process.env.BRIDGE_TOOL;
const DELAY_BLOCKS = 200; // as in the genesis file of lib/parent.mjs

function runTool(args, input = "") {
  const r = spawnSync(tool, args, { input, encoding: "utf8", maxBuffer: 1 << 26 });
  if (r.status !== 0) throw new Error(`bridge-tool ${args[0]}: status ${r.status}, ${r.signal}: ${r.stderr}`);
  return r.stdout.trim().split("\n");
}

class Chain {
  constructor(parent) {
    this.p = parent;
    this.d = parent.deployment;
    this.where = [parent.url, String(parent.peer.chainId)];
    this.inboxes = [this.d.bridge, this.d.sequencerInbox];
  }

  follow() {
    const lines = runTool(["follow", ...this.where, ...this.inboxes, String(this.d.deployedAtBlock)]);
    const delayed = [];
    const batches = [];
    for (const line of lines) {
      const m = /^delayed (\d+) kind (\d+) sender (0x\w+) block (\d+) data (0x\w*)$/.exec(line);
      const b = /^batch (\d+) location (\d) delayed (\d+):(.*)$/.exec(line);
      if (m) delayed.push({ kind: Number(m[2]), sender: m[3], block: Number(m[4]), data: m[5] });
      else if (b) batches.push({ location: Number(b[2]), delayed: Number(b[3]), items: b[4].trim().split(" ") });
      else throw new Error(`unexpected line ${line}`);
    }
    return { delayed, batches };
  }

  post(lines, from = roles.batchPoster) {
    return runTool(["post", ...this.where, ...this.inboxes, from.key], lines.map((l) => `${l}\n`).join(""))[0];
  }

  async stamps() {
    const head = await this.p.public.getBlock();
    // What the parent's EVM calls block.number: an Arbitrum chain says so in its blocks.
    return { timestamp: Number(head.timestamp), block: Number(head.l1BlockNumber ?? head.number) };
  }
}

const alias = (a) => viem.toHex((BigInt(a) + 0x1111000000000000000000000000000000001111n) % 2n ** 160n, { size: 20 });
const word = (v) => viem.toHex(BigInt(v), { size: 32 });

export async function run() {
  if (!tool) throw new Error("BRIDGE_TOOL is not set: make test-parent");
  await runOn("bridge on Anvil", { own: false });
  await runOn("bridge on a node of ours", { own: true });
}

async function runOn(name, { own }) {
  const p = await Parent.start({ own });
  const c = new Chain(p);
  const to = "0x00000000000000000000000000000000deadbeef";
  const send = (name, args, value) => p.write(roles.user, "inbox", name, args, { value });
  try {
    await check(`${name}: message 0 and batch 0 as the deployment left them`, async () => {
      const { delayed, batches } = c.follow();
      assert.equal(delayed.length, 1);
      assert.equal(delayed[0].kind, 11);
      assert.ok(viem.hexToString(viem.slice(delayed[0].data, 65)).includes(GENESIS_HASH));
      assert.deepEqual(batches, [{ location: 1, delayed: 1, items: ["d0"] }]);
    });

    await check(`${name}: delayed messages of every kind that users send`, async () => {
      const user = roles.user.address;
      const gas = [100000n, 200000000n];
      await send("depositEth", [], viem.parseEther("1"));
      const ticket = [to, 5n, viem.parseEther("0.01"), user, user, ...gas, "0x1234"];
      await send("createRetryableTicket", ticket, viem.parseEther("0.1"));
      await send("sendUnsignedTransaction", [...gas, 7n, to, 99n, "0xabcd"]);
      await send("sendContractTransaction", [...gas, to, 98n, "0xef"]);
      await send("sendL1FundedUnsignedTransaction", [...gas, 8n, to, "0x01"], 555n);
      await send("sendL1FundedContractTransaction", [...gas, to, "0x02"], 556n);
      await send("sendL2Message", ["0x04c0ffee"]);
      await send("sendL2MessageFromOrigin", ["0x04c0ffee05"]);
      const { delayed } = c.follow();
      assert.deepEqual(
        delayed.map((m) => m.kind),
        [11, 12, 9, 3, 3, 7, 7, 3, 3],
      );
      for (const m of delayed.slice(1)) assert.equal(m.sender, alias(user));
      assert.equal(delayed[1].data, viem.concat([user, word(viem.parseEther("1"))]).toLowerCase());
      assert.equal(viem.slice(delayed[2].data, 0, 32), word(to));
      assert.equal(viem.slice(delayed[2].data, 288), "0x1234");
      assert.equal(viem.slice(delayed[3].data, 0, 1), "0x00");
      assert.equal(viem.slice(delayed[4].data, 0, 1), "0x01");
      assert.equal(delayed[7].data, "0x04c0ffee");
      assert.equal(delayed[8].data, "0x04c0ffee05");
    });

    await check(`${name}: a batch is taken and read back, its report follows`, async () => {
      const { timestamp, block } = await c.stamps();
      const lines = [`m ${timestamp} ${block} 0x04aa`, "d", "d", `m ${timestamp + 1} ${block} 0x04bb`, "d"];
      assert.match(c.post(lines), /^mined/);
      const { delayed, batches } = c.follow();
      assert.deepEqual(batches[1], {
        location: 0,
        delayed: 4,
        items: [`m${timestamp}:${block}:0x04aa`, "d1", "d2", `m${timestamp + 1}:${block}:0x04bb`, "d3"],
      });
      assert.equal(delayed.at(-1).kind, 13);
      assert.equal(delayed.at(-1).sender, roles.batchPoster.address.toLowerCase());
      assert.equal(await p.read("bridge", "sequencerReportedSubMessageCount"), 6n);
    });

    await check(`${name}: stamps outside of the contract's bounds are clamped to them`, async () => {
      const { timestamp, block } = await c.stamps();
      assert.match(c.post([`m 5 1 0x04`, `m ${timestamp + 1000000} ${block + 1000} 0x05`]), /^mined/);
      const mined = await c.stamps();
      const { items } = c.follow().batches.at(-1);
      assert.equal(items[0], `m${mined.timestamp - 86400}:${Math.max(1, mined.block - DELAY_BLOCKS)}:0x04`);
      assert.equal(items[1], `m${mined.timestamp + 3600}:${mined.block + 12}:0x05`);
    });

    await check(`${name}: the largest batch is within the contract's bound`, async () => {
      const { timestamp, block } = await c.stamps();
      // A node of ours takes no transaction over 85,000 bytes, an Arbitrum One over 95,000.
      const noise = `0x${randomBytes(own ? 83000 : 87000).toString("hex")}`;
      assert.match(c.post([`m ${timestamp} ${block} ${noise}`]), /^mined/);
      assert.equal(c.follow().batches.at(-1).items[0], `m${timestamp}:${block}:${noise}`);
    });

    await check(`${name}: a refusal has its reason, and nothing is sent`, async () => {
      const before = await p.public.getTransactionCount({ address: roles.stranger.address });
      // NotBatchPoster()
      assert.equal(c.post(["m 1 1 0x04"], roles.stranger), "refused: custom error 0x2dd9fc97");
      assert.equal(await p.public.getTransactionCount({ address: roles.stranger.address }), before);
    });

    // There it would take as long as on Ethereum: the number grows by one in twelve seconds.
    if (!own) await check(`${name}: forced inclusion, and batches go on after it`, async () => {
      const { delayed } = c.follow();
      const target = delayed.length;
      await p.peer.rpc("anvil_mine", [`0x${(DELAY_BLOCKS + 5).toString(16)}`]);
      const events = await p.public.getContractEvents({
        address: c.d.bridge,
        abi: abis.bridge,
        eventName: "MessageDelivered",
        fromBlock: BigInt(c.d.deployedAtBlock),
      });
      const last = events[target - 1];
      const { kind, baseFeeL1, sender, messageDataHash, timestamp } = last.args;
      const args = [BigInt(target), kind, [last.blockNumber, timestamp], baseFeeL1, sender, messageDataHash];
      await p.write(roles.stranger, "sequencerInbox", "forceInclusion", args);
      const forced = c.follow().batches.at(-1);
      assert.equal(forced.location, 2);
      assert.deepEqual(
        forced.items,
        Array.from({ length: target - 4 }, (_, i) => `d${i + 4}`),
      );
      const now = await c.stamps();
      assert.match(c.post([`m ${now.timestamp} ${now.block} 0x0477`]), /^mined/);
      assert.deepEqual(c.follow().batches.at(-1).items, [`m${now.timestamp}:${now.block}:0x0477`]);
    });

    await check(`${name}: assertions one after the other up to the last batch`, async () => {
      const keys = roles.members.slice(0, 2).map((m) => m.key);
      const confirm = (blockHash, sendRoot) =>
        runTool([
          "confirm",
          ...c.where,
          c.d.rollup,
          c.d.confirmer,
          String(c.d.deployedAtBlock),
          blockHash,
          sendRoot,
          roles.stranger.key,
          ...keys,
        ]).at(-1);
      assert.equal(confirm(GENESIS_HASH, viem.zeroHash), "confirmed to batch 1");
      const count = c.follow().batches.length;
      const blockHash = viem.keccak256("0x01");
      const sendRoot = viem.keccak256("0x02");
      assert.equal(confirm(blockHash, sendRoot), `confirmed to batch ${count}`);
      assert.equal(await p.read("outbox", "roots", [sendRoot]), blockHash);
    });
  } finally {
    await p.stop();
  }
}
