// What the parent has not got yet has a bound (--da-backlog-max): who floods is refused, others are served.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ethers } from "ethers";
import { contract } from "../func/lib/compile.mjs";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi } from "./lib/contracts.mjs";
import { Universe } from "./lib/universe.mjs";
import { CHAIN_ID, until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const BOUND = 131072, HIGH = 2 * BOUND, OPEN_BLOCK = 87000, PADDING = 2000, FRAME = 9, BUSY = -32005;

/** A universe with a token whose transfers it pays for. */
async function universe(owner, slug) {
  const u = await Universe.create(owner, slug);
  const { abi, bytecode } = contract("Coin");
  const init = new ethers.ContractFactory(abi, bytecode).getDeployTransaction(owner.address).data;
  u.coin = new ethers.Contract(await u.deploy(1, init), abi, owner);
  await u.sponsor(u.coin.address, u.coin.interface.getSighash("transfer"));
  return u;
}

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.owner);
  const config = path.join(w.dir, "node.conf");
  const setBound = (bytes) => writeFileSync(config, `da-backlog-max = ${bytes}\n`);
  const start = (more = []) => w.sequencer(["--config", config, ...more]);
  setBound(BOUND);
  let seq = await start();
  const metric = async (name) => {
    const text = await (await fetch(`${seq.url}/metrics`)).text();
    return Number(new RegExp(`^callipter_${name} (\\d+)$`, "m").exec(text)[1]);
  };
  const unposted = () => metric("node_unposted_bytes");
  const posted = () => until("all to be on the parent", async () => (await unposted()) === 0, 60000);
  const deposited = async (value) => {
    const before = await seq.provider.getBalance(w.owner.address);
    await (await inbox["depositEth()"]({ value })).wait();
    await until("the deposit", async () => (await seq.provider.getBalance(w.owner.address)).gt(before));
  };
  /** A padded transfer of nothing that `u` pays for, or with u = null the owner's own: {size} in a batch, or {error}. */
  const players = new Map();
  const send = async (u, padding = PADDING, pad = ethers.utils.randomBytes) => {
    if (!players.has(u)) players.set(u, u ? ethers.Wallet.createRandom() : w.owner);
    const wallet = players.get(u);
    const nonce = await seq.provider.getTransactionCount(wallet.address);
    const call = u?.coin.interface.encodeFunctionData("transfer", [wallet.address, 0]) ?? "0x";
    const data = ethers.utils.hexConcat([call, pad(padding)]);
    const fees = { maxFeePerGas: u ? 0 : ethers.utils.parseUnits("1", "gwei"), maxPriorityFeePerGas: 0 };
    const to = u?.coin.address ?? wallet.address;
    const raw = await wallet.signTransaction({ chainId: CHAIN_ID, type: 2, nonce, to, data, gasLimit: 300000, ...fees });
    const { error } = await seq.call("eth_sendRawTransaction", [raw]);
    return { error, size: ethers.utils.hexDataLength(raw) + FRAME };
  };
  /** Until it is refused: what was taken of it. */
  const flood = async (u, pad) => {
    for (let sum = 0; ; ) {
      const { error, size } = await send(u, PADDING, pad);
      if (error) {
        assert.equal(error.code, BUSY, error.message);
        const whose = u ? `bytes of universe ${u.id}` : "bytes";
        assert.equal(error.message, `too many ${whose} are waiting for the parent chain, try again in 1000ms`);
        return sum;
      }
      sum += size;
      assert.ok(sum <= HIGH, `${sum} bytes were taken`);
    }
  };
  const served = async (u) => assert.equal((await send(u, 0)).error, undefined);
  const refused = async (u) => assert.equal((await send(u)).error?.code, BUSY);

  let arena, garden;
  const ready = await check("two universes, all of which is posted", async () => {
    await deposited(ether("10"));
    const owner = w.owner.connect(seq.provider);
    [arena, garden] = [await universe(owner, "arena"), await universe(owner, "garden")];
    await posted();
    return true;
  });
  if (!ready) return;
  await w.parent.rpc("anvil_setBalance", [w.poster.address, "0x0"]); // nothing is posted from here on
  await check("a universe that floods is refused at the bound, though it pays", async () => {
    const sum = await flood(arena);
    assert.ok(sum > BOUND - PADDING - 500 && sum <= BOUND, `${sum} bytes were taken`);
    assert.equal(await unposted(), sum);
    assert.equal(await metric("node_unposted_refusals_total"), 1);
  });
  await check("so is one whose flood comes all at once", async () => {
    const call = arena.coin.interface.encodeFunctionData("transfer", [w.owner.address, 0]);
    const data = ethers.utils.hexConcat([call, ethers.utils.randomBytes(PADDING)]);
    const fees = { maxFeePerGas: 0, maxPriorityFeePerGas: 0 };
    const tx = { chainId: CHAIN_ID, type: 2, nonce: 0, to: arena.coin.address, data, gasLimit: 300000, ...fees };
    const before = await unposted();
    setBound(HIGH);
    seq.child.kill("SIGHUP");
    await until("the higher bound", async () => !(await send(arena)).error);
    const raws = await Promise.all(Array.from({ length: 200 }, () => new ethers.Wallet(ethers.utils.randomBytes(32)).signTransaction(tx)));
    const calls = raws.map((raw, id) => ({ jsonrpc: "2.0", id, method: "eth_sendRawTransaction", params: [raw] }));
    const reply = await fetch(seq.url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(calls) });
    const codes = new Set((await reply.json()).map((r) => r.error?.code));
    assert.deepEqual(codes, new Set([undefined, BUSY]));
    const sum = await unposted();
    assert.ok(sum > before + BOUND / 2 && sum <= HIGH + OPEN_BLOCK, `${sum} bytes are there`);
  });
  await check("others are served meanwhile, and deposits arrive", async () => {
    for (const u of [garden, null]) await served(u);
    await deposited(ether("1"));
    await refused(arena);
  });
  await check("after a kill it stands where it was", async () => {
    const before = await unposted();
    await seq.stop("SIGKILL");
    seq = await start();
    assert.equal(await unposted(), before);
    await refused(arena);
    await served(garden);
  });
  await check("another that floods gets its part, and who has little is still served", async () => {
    const part = (2 * HIGH - (await unposted())) / 2;
    const sum = await flood(garden);
    assert.ok(sum > part - 2 * PADDING && sum <= part, `${sum} bytes were taken of ${part}`);
    await served(null);
    assert.ok((await unposted()) < 2 * HIGH);
  });
  await check("once it is posted all are served", async () => {
    await w.parent.rpc("anvil_setBalance", [w.poster.address, ethers.utils.hexValue(ether("100"))]);
    await posted();
    for (const u of [arena, garden, null]) await served(u);
  });
  await check("what is refused is reason to post, though it is young and fills no batch", async () => {
    await posted();
    assert.equal((await seq.stop()).code, 0);
    setBound(BOUND);
    seq = await start(["--batch-max-age", "3600"]);
    const sum = await flood(null, (n) => new Uint8Array(n));
    assert.ok(sum > BOUND - PADDING - 500 && sum <= BOUND, `${sum} bytes were taken`);
    await posted();
    await served(null);
    assert.ok((await unposted()) > 0);
  });
  await check("it stops", async () => assert.equal((await seq.stop()).code, 0));
}
