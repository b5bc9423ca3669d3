// From a deposit on the parent to a validator that knows nothing but the parent.
import { ethers } from "ethers";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi, sequencerInboxAbi } from "./lib/contracts.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const ROUNDS = Number(process.env.ROUNDS ?? 20);

/** Both nodes have the same blocks up to the validator's head, which must reach `number`. */
async function sameBlocks(seq, validator, number) {
  await validator.atBlock(number);
  for (let i = 0; i <= number; i++) assert.equal(await validator.hashOf(i), await seq.hashOf(i), `block ${i}`);
}

const headOf = async (node) => Number((await node.head()).number);

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.user);
  const sequencerInbox = new ethers.Contract(w.at.sequencerInbox, sequencerInboxAbi, w.user);
  const batches = async () => (await sequencerInbox.batchCount()).toNumber();
  let seq = await check("a sequencer starts", () => w.sequencer());
  if (!seq) return;
  let user = w.user.connect(seq.provider);
  const transfer = async () => (await user.sendTransaction({ to: w.owner.address, value: 1 })).wait();
  /** A transfer, and the batch that brings it to the parent: on a slow machine an earlier block may have gone in one of its own. */
  const posted = async () => {
    const receipt = await transfer();
    await until("the batch", async () => (await seq.batchOf(receipt.blockNumber)) !== undefined);
    return receipt;
  };

  await check("a deposit arrives", async () => {
    await (await inbox["depositEth()"]({ value: ether("3") })).wait();
    await until("the deposit", async () => (await seq.provider.getBalance(user.address)).eq(ether("3")));
  });
  await check("a transfer is posted, a report about the batch alone is not", async () => {
    const receipt = await posted();
    const count = await batches();
    await seq.atBlock(receipt.blockNumber + 1); // the report's
    await new Promise((resolve) => setTimeout(resolve, 2000)); // two times the age
    assert.equal(await batches(), count);
  });
  const validator = await check("a validator rebuilds the blocks from the parent alone", async () => {
    const v = await w.newValidator();
    const { blockNumber } = await posted();
    await sameBlocks(seq, v, blockNumber);
    return v;
  });
  await check("it takes no transactions", async () => {
    const raw = await user.signTransaction(await user.populateTransaction({ to: user.address, value: 1 }));
    const { error } = await validator.call("eth_sendRawTransaction", [raw]);
    assert.match(error.message, /validator/);
  });
  await check("safe and finalized follow the parent, and never pass the head", async () => {
    const tag = async (node, t) => Number((await node.rpc("eth_getBlockByNumber", [t, false])).number);
    await w.parent.mine(40);
    const head = await headOf(validator);
    for (const node of [seq, validator])
      await until("finality", async () => (await tag(node, "safe")) >= head && (await tag(node, "finalized")) >= head);
  });
  await check("a killed sequencer goes on where it was", async () => {
    await transfer();
    await seq.stop("SIGKILL");
    seq = await w.sequencer();
    user = w.user.connect(seq.provider);
    const { blockNumber } = await posted();
    await sameBlocks(seq, validator, blockNumber);
  });
  await check(`${ROUNDS} batches of deposits and transfers, a kill in the middle`, async () => {
    let last;
    for (let i = 0; i < ROUNDS; i++) {
      if (i % 3 === 0) await (await inbox["depositEth()"]({ value: ether("0.1") })).wait();
      for (let k = 0; k < 5; k++) last = await transfer();
      const before = await batches();
      await until("the batch", async () => (await batches()) > before);
      if (i !== ROUNDS >> 1) continue;
      await seq.stop("SIGKILL");
      seq = await w.sequencer();
      user = w.user.connect(seq.provider);
    }
    await sameBlocks(seq, validator, last.blockNumber);
  });
  await check("an empty validator in the reference tier has the same blocks", async () => {
    const v = await w.newValidator(["--tier", "reference", "--recover", "libsecp256k1"], "second");
    await sameBlocks(seq, v, await headOf(validator));
    assert.equal((await v.stop()).code, 0);
  });
  await check("an empty folder is made whole again by the sequencer itself", async () => {
    const { blockNumber: last } = await posted();
    assert.equal((await seq.stop()).code, 0);
    seq = await w.sequencer([], "sequencer-again");
    user = w.user.connect(seq.provider);
    await seq.atBlock(last); // it answers while it still rebuilds them from the parent
    const { blockNumber } = await posted();
    await sameBlocks(seq, validator, blockNumber);
  });
  await check("a parent that is away stops neither a start nor reads, and all goes on when it is back", async () => {
    const head = await headOf(seq), hash = await seq.hashOf(head);
    assert.equal((await seq.stop()).code, 0);
    w.parent.child.kill("SIGSTOP");
    seq = await w.sequencer([], "sequencer-again");
    user = w.user.connect(seq.provider);
    assert.equal(await seq.hashOf(head), hash);
    w.parent.child.kill("SIGCONT");
    const { blockNumber } = await posted();
    await sameBlocks(seq, validator, blockNumber);
  });
  await check("segments that are final go; the deposit in them is still told, and both go on", async () => {
    const flags = ["--history-seconds", "2", "--log-segment-kib", "8", "--checkpoint-rows", "100"];
    const { blockNumber: last } = await posted();
    assert.equal((await seq.stop()).code, 0);
    seq = await w.sequencer(flags, "sequencer-small");
    user = w.user.connect(seq.provider);
    await seq.atBlock(last);
    const gone = async (number) => (await seq.call("eth_getBlockByNumber", [ethers.utils.hexValue(number), false])).error?.code === 4444;
    // The validator is asked, who keeps everything: here the block may be gone already.
    const txsOf = async (n) => (await validator.rpc("eth_getBlockByNumber", [ethers.utils.hexValue(n), true])).transactions;
    let deposit;
    for (let n = 1; !deposit; n++) deposit = (await txsOf(n)).find((t) => t.type === "0x64");
    const told = () => Promise.all(["eth_getTransactionByHash", "eth_getTransactionReceipt"].map((m) => seq.rpc(m, [deposit.hash])));
    const before = await told();
    const block = Number(deposit.blockNumber);
    for (let i = 0; i < 30; i++) await transfer();
    await posted();
    await w.parent.mine(80);
    await until("the segment", async () => (await transfer()) && gone(block));
    const finalized = Number((await seq.rpc("eth_getHeaderByNumber", ["finalized"])).number);
    assert.ok(finalized > block && !(await gone(finalized)), "what is not final went");
    assert.deepEqual(await told(), before);
    await seq.stop("SIGKILL");
    seq = await w.sequencer(flags, "sequencer-small");
    user = w.user.connect(seq.provider);
    assert.deepEqual(await told(), before);
    const { blockNumber } = await posted();
    await validator.atBlock(blockNumber);
    assert.equal(await validator.hashOf(blockNumber), await seq.hashOf(blockNumber));
  });
  await check("all stop", async () => {
    assert.equal((await seq.stop()).code, 0);
    assert.equal((await validator.stop()).code, 0);
  });
}
