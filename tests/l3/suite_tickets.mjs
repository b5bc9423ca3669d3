// Deposits, tickets and withdrawals as the unmodified @arbitrum/sdk makes and follows them; a validator derives the same blocks.
import { ethers } from "ethers";
import {
  ChildTransactionReceipt, EthBridger, ParentToChildMessageGasEstimator, ParentToChildMessageStatus, ParentTransactionReceipt,
} from "@arbitrum/sdk";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi } from "./lib/contracts.mjs";
import { network } from "./lib/sdk.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const RETRYABLE = "0x000000000000000000000000000000000000006E";
const tickets = new ethers.utils.Interface([
  "function getTimeout(bytes32) view returns (uint256)",
]);

/** Reverts without calldata until some has been sent: storage 0. */
const GATE = "36600f575f54600d575f5ffd005b005b60015f5500";
const GATE_INIT = `0x60${(GATE.length / 2).toString(16)}600a5f3960${(GATE.length / 2).toString(16)}5ff3${GATE}`;

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  const seq = await check("a sequencer starts", () => w.sequencer());
  if (!seq) return;
  const user = w.user, child = seq.provider, onChild = user.connect(child);
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, user);
  const bridger = new EthBridger(await network(w));
  const estimator = new ParentToChildMessageGasEstimator(child);
  const receiptOf = async (tx) => new ParentTransactionReceipt(await (await tx).wait());

  await check("the SDK's deposit arrives under the hash that it computed", async () => {
    const receipt = await bridger.deposit({ amount: ether("5"), parentSigner: user }).then((tx) => tx.wait());
    const { complete, childTxReceipt } = await receipt.waitForChildTransactionReceipt(child);
    assert.ok(complete && childTxReceipt.status === 1 && childTxReceipt.type === 0x64);
    assert.ok((await child.getBalance(user.address)).eq(ether("5")));
    const tx = await child.send("eth_getTransactionByHash", [childTxReceipt.transactionHash]);
    assert.deepEqual([tx.type, tx.gas, tx.v, tx.input], ["0x64", "0x0", "0x0", "0x"]);
    assert.match(tx.requestId, /^0x[0-9a-f]{64}$/);
  });

  await check("depositTo: a ticket that redeems itself, with the SDK's own estimates", async () => {
    const to = ethers.Wallet.createRandom().address;
    const receipt = await bridger
      .depositTo({ amount: ether("1"), destinationAddress: to, parentSigner: user, childProvider: child })
      .then((tx) => tx.wait());
    const { complete, childTxReceipt, message } = await receipt.waitForChildTransactionReceipt(child);
    assert.ok(complete && childTxReceipt.type === 0x68 && (await child.getBalance(to)).eq(ether("1")));
    const submit = await child.send("eth_getTransactionByHash", [message.retryableCreationId]);
    const retry = await child.send("eth_getTransactionByHash", [childTxReceipt.transactionHash]);
    assert.equal(ethers.utils.getAddress(submit.to), RETRYABLE);
    assert.equal(submit.input.slice(0, 10), "0xc9f95d32");
    assert.deepEqual([submit.type, submit.retryTo, retry.type, retry.ticketId], ["0x69", to.toLowerCase(), "0x68", submit.hash]);
    assert.ok(BigInt(submit.depositValue) > BigInt(submit.retryValue));
    assert.deepEqual([retry.refundTo, retry.blockHash], [submit.refundTo, submit.blockHash]);
    const trace = (tx, options) => child.send("debug_traceTransaction", [tx.hash, options]);
    for (const [tx, receiver] of [[submit, RETRYABLE.toLowerCase()], [retry, to.toLowerCase()]]) {
      const frame = await trace(tx, { tracer: "callTracer" });
      assert.deepEqual([frame.type, frame.from, frame.to], ["CALL", tx.from, receiver]);
    }
    // Escrow holds the value between the two.
    const diff = { tracer: "prestateTracer", tracerConfig: { diffMode: true } };
    const between = (await trace(submit, diff)).post, after = await trace(retry, diff);
    const [escrow] = Object.keys(between).filter((a) => between[a].balance === submit.retryValue);
    assert.equal(after.pre[escrow].balance, submit.retryValue);
    assert.equal(after.post[to.toLowerCase()].balance, submit.retryValue);
    const block = await child.send("debug_traceBlockByHash", [submit.blockHash, { tracer: "callTracer" }]);
    assert.deepEqual(block.map((t) => t.txHash), [submit.hash, retry.hash]);
  });

  const gate = await check("a contract stands on the chain", async () => {
    const { contractAddress } = await (await onChild.sendTransaction({ data: GATE_INIT })).wait();
    return contractAddress;
  });
  /** A ticket with these limits, whose retry calls the gate. */
  const ticket = async (gasLimit, extra = {}) => {
    const fee = await estimator.estimateSubmissionFee(w.parent.provider, await w.parent.provider.getGasPrice(), 0);
    const maxFeePerGas = (await child.getGasPrice()).mul(6);
    const value = fee.add(7).add(maxFeePerGas.mul(gasLimit));
    const args = [extra.to ?? gate, 7, fee, user.address, user.address, gasLimit, maxFeePerGas, extra.data ?? "0x"];
    const receipt = await receiptOf(inbox.unsafeCreateRetryableTicket(...args, { value }));
    const [message] = await receipt.getParentToChildMessages(onChild);
    await message.waitForStatus();
    return message;
  };
  const statusOf = async (m) => (await m.waitForStatus()).status;

  await check("a ticket whose retry fails is redeemed by hand later", async () => {
    const m = await ticket(100000);
    assert.equal(await statusOf(m), ParentToChildMessageStatus.FUNDS_DEPOSITED_ON_CHILD);
    assert.equal((await child.getBalance(gate)).toNumber(), 0);
    await (await onChild.sendTransaction({ to: gate, data: "0x01" })).wait();
    const redeemed = await (await m.redeem()).waitForRedeem();
    assert.equal(redeemed.status, 1);
    assert.equal(await statusOf(m), ParentToChildMessageStatus.REDEEMED);
    assert.equal((await child.getBalance(gate)).toNumber(), 7);
    const data = tickets.encodeFunctionData("getTimeout", [m.retryableCreationId]);
    const { error } = await seq.call("eth_call", [{ to: RETRYABLE, data }, "latest"]);
    assert.deepEqual([error.code, error.data], [3, "0x80698456"]); // NoTicketWithID()
  });

  await check("a ticket without gas is kept alive, then cancelled by its beneficiary", async () => {
    const m = await ticket(0, { to: user.address });
    assert.equal(await statusOf(m), ParentToChildMessageStatus.FUNDS_DEPOSITED_ON_CHILD);
    const before = await m.getTimeout();
    assert.equal(await m.getBeneficiary(), user.address);
    await (await m.keepAlive({})).wait();
    assert.equal((await m.getTimeout()).sub(before).toNumber(), 604800);
    const cancelled = await (await m.cancel({})).wait();
    assert.equal(cancelled.status, 1);
    await assert.rejects(m.redeem());
  });

  await check("a ticket creates a contract", async () => {
    const m = await ticket(200000, { to: ethers.constants.AddressZero, data: GATE_INIT });
    // The constructor takes no notice of the value.
    assert.equal(await statusOf(m), ParentToChildMessageStatus.REDEEMED);
    const { childTxReceipt } = await m.getSuccessfulRedeem();
    assert.equal(await child.getCode(childTxReceipt.contractAddress), `0x${GATE}`);
  });

  await check("unsigned transactions run as the alias of who sent them", async () => {
    const sum = (BigInt(user.address) + 0x1111000000000000000000000000000000001111n) % (1n << 160n);
    const alias = ethers.utils.getAddress(`0x${sum.toString(16).padStart(40, "0")}`);
    const nonce = await child.getTransactionCount(alias); // its retries raised it
    const to = ethers.Wallet.createRandom().address;
    const price = (await child.getGasPrice()).mul(3);
    await (await onChild.sendTransaction({ to: alias, value: ether("0.5") })).wait();
    await (await inbox.sendUnsignedTransaction(50000, price, nonce, to, 11, "0x")).wait();
    await (await inbox.sendContractTransaction(50000, price, to, 13, "0x")).wait();
    await (await inbox.sendL1FundedUnsignedTransaction(50000, price, nonce + 2, to, "0x", { value: 17 })).wait();
    await (await inbox.sendL1FundedContractTransaction(50000, price, to, "0x", { value: 19 })).wait();
    await until("all four", async () => (await child.getBalance(to)).eq(11 + 13 + 17 + 19));
    assert.equal(await child.getTransactionCount(alias), nonce + 4);
  });

  await check("a withdrawal has a message that can be proved", async () => {
    const tx = await bridger.withdraw({ amount: ether("0.25"), childSigner: onChild, destinationAddress: user.address, from: user.address });
    const receipt = new ChildTransactionReceipt(await tx.wait());
    const [event] = receipt.getChildToParentEvents();
    assert.ok(event.callvalue.eq(ether("0.25")) && event.position.eq(0));
    const block = await child.send("eth_getBlockByHash", [receipt.blockHash, false]);
    assert.deepEqual([block.sendCount, block.sendRoot === ethers.constants.HashZero], ["0x1", false]);
  });

  await check("a validator in the reference tier derives the same blocks", async () => {
    const v = await w.newValidator(["--tier", "reference"]);
    // Reports about batches alone would not be posted.
    const { blockNumber: number } = await (await onChild.sendTransaction({ to: user.address, value: 1 })).wait();
    await v.atBlock(number);
    for (let i = 0; i <= number; i++) assert.equal(await v.hashOf(i), await seq.hashOf(i), `block ${i}`);
    assert.equal((await v.stop()).code, 0);
  });
  await check("the sequencer stops", async () => assert.equal((await seq.stop()).code, 0));
}
