// The unmodified @arbitrum/sdk over a withdrawal's whole life: made, unconfirmed, confirmed by the committee, executed on the parent; and
// what it asks of the chain to find where a transaction came from and in which batch it is. Tickets are in suite_tickets.mjs.
import { ethers } from "ethers";
import { ChildToParentMessageStatus, ChildTransactionReceipt, EthBridger, EthDepositMessageStatus, InboxTools, ParentToChildMessageStatus } from "@arbitrum/sdk";
import { isArbitrumChain } from "@arbitrum/sdk/dist/lib/utils/lib.js";
import { assert, check } from "../func/lib/suite.mjs";
import { sequencerInboxAbi } from "./lib/contracts.mjs";
import { network } from "./lib/sdk.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const { UNCONFIRMED, CONFIRMED, EXECUTED } = ChildToParentMessageStatus;
const POLL_MS = 100;

export async function run() {
  const w = await check("the contracts are on the parent, with a committee of two out of three", () => World.start({ threshold: 2 }));
  if (!w) return;
  const seq = await check("a sequencer starts", () => w.sequencer());
  if (!seq) return;
  const user = w.user, child = seq.provider, parent = w.parent.provider, onChild = user.connect(child);
  const net = await network(w);
  const bridger = new EthBridger(net);
  assert.ok(await isArbitrumChain(child));

  await check("a deposit leads back to its transaction on the parent", async () => {
    const receipt = await bridger.deposit({ amount: ether("5"), parentSigner: user }).then((tx) => tx.wait());
    const [message] = await receipt.getEthDeposits(child);
    const { complete, childTxReceipt } = await receipt.waitForChildTransactionReceipt(child);
    assert.ok(complete && childTxReceipt.type === 0x64 && (await child.getBalance(user.address)).eq(ether("5")));
    assert.equal(await message.status(), EthDepositMessageStatus.DEPOSITED);
    const onL3 = new ChildTransactionReceipt(childTxReceipt);
    assert.equal(await onL3.getParentDepositTransactionHash(child, parent), receipt.transactionHash);
    assert.equal(await onL3.getParentTransactionHash(child, parent), null, "it is no ticket");
  });

  await check("so does a ticket, and what redeemed it", async () => {
    const to = ethers.Wallet.createRandom().address;
    const receipt = await bridger
      .depositTo({ amount: ether("1"), destinationAddress: to, parentSigner: user, childProvider: child })
      .then((tx) => tx.wait());
    const { complete, childTxReceipt, message } = await receipt.waitForChildTransactionReceipt(child);
    assert.ok(complete && (await child.getBalance(to)).eq(ether("1")));
    assert.equal((await message.waitForStatus()).status, ParentToChildMessageStatus.REDEEMED);
    const submitted = await child.getTransactionReceipt(message.retryableCreationId);
    for (const r of [submitted, childTxReceipt]) {
      const found = await new ChildTransactionReceipt(r).getParentTransactionHash(child, parent);
      assert.equal(found, receipt.transactionHash);
    }
    assert.equal(await new ChildTransactionReceipt(submitted).getParentDepositTransactionHash(child, parent), null);
  });

  await check("a transaction signed by the SDK's InboxTools comes through the delayed inbox", async () => {
    const to = ethers.Wallet.createRandom().address;
    const tools = new InboxTools(user, net);
    const raw = await tools.signChildTx({ to, value: 1234, data: "0x" }, onChild);
    await (await tools.sendChildSignedTx(raw)).wait();
    const receipt = await child.waitForTransaction(ethers.utils.keccak256(raw));
    assert.equal(receipt.status, 1);
    assert.ok((await child.getBalance(to)).eq(1234));
  });

  /** Withdraws; gives {message, receipt, amount, to}. */
  const withdraw = async (amount, to = ethers.Wallet.createRandom().address) => {
    const tx = await bridger.withdraw({ amount, childSigner: onChild, destinationAddress: to, from: user.address });
    const receipt = await tx.wait();
    const [message] = await receipt.getChildToParentMessages(user);
    return { message, receipt, amount, to };
  };
  const withdrawals = await check("withdrawals are unconfirmed while there is no committee", async () => {
    const before = await child.getBalance(user.address);
    const list = [await withdraw(ether("0.25")), await withdraw(ether("0.5"))];
    const block = await child.send("eth_getBlockByHash", [list[1].receipt.blockHash, false]);
    assert.equal(block.sendCount, "0x2");
    let cost = ether("0.75");
    for (const { message, receipt } of list) {
      cost = cost.add(receipt.gasUsed.mul(receipt.effectiveGasPrice));
      assert.equal(await message.status(child), UNCONFIRMED);
      assert.ok((await message.getFirstExecutableBlock(child)).gt(await parent.getBlockNumber()));
      await assert.rejects(message.execute(child));
    }
    assert.ok((await child.getBalance(user.address)).eq(before.sub(cost)));
    return list;
  });
  if (!withdrawals) return;

  await check("the batch that has a withdrawal, and how deep it lies", async () => {
    const { receipt } = withdrawals[0];
    const number = await until("the batch", () => receipt.getBatchNumber(child).catch(() => undefined));
    const inbox = new ethers.Contract(w.at.sequencerInbox, sequencerInboxAbi, parent);
    const [delivered] = await inbox.queryFilter(inbox.filters.SequencerBatchDelivered(number));
    assert.ok(delivered);
    await w.parent.mine(12);
    const head = await parent.getBlockNumber();
    await until("its depth", async () => (await receipt.getBatchConfirmations(child)).gte(head - delivered.blockNumber));
    assert.ok(await receipt.isDataAvailable(child));
    assert.equal(await receipt.isDataAvailable(child, 100000), false);
  });

  const nodes = await check("a committee starts", async () => {
    const member = await w.newValidator([...w.member(0), "--sequencer-url", seq.url], "member");
    const proposing = [...w.member(1), "--proposer-key", w.keyFile(w.proposer), "--member-urls", member.url];
    return [await w.newValidator(proposing, "proposer"), member];
  });
  if (!nodes) return;

  /** Waits as the SDK does, executes, and looks at what arrived. */
  const execute = async ({ message, amount, to }) => {
    assert.equal(await message.waitUntilReadyToExecute(child, POLL_MS), CONFIRMED);
    assert.equal(await message.getFirstExecutableBlock(child), null);
    const bridgeHad = await parent.getBalance(w.at.bridge);
    const receipt = await (await message.execute(child)).wait();
    assert.equal(receipt.status, 1);
    assert.ok((await parent.getBalance(to)).eq(amount));
    assert.ok((await parent.getBalance(w.at.bridge)).eq(bridgeHad.sub(amount)));
    assert.equal(await message.status(child), EXECUTED);
    assert.equal(await message.waitUntilReadyToExecute(child, POLL_MS), EXECUTED);
    await assert.rejects(message.execute(child), "once is all");
  };
  await check("confirmed, the later one is executed first", () => execute(withdrawals[1]));
  await check("then the earlier one", () => execute(withdrawals[0]));
  await check("a third, proved in a larger tree", async () => execute(await withdraw(ether("0.125"))));
  await check("all stop", async () => {
    for (const node of [...nodes, seq]) assert.equal((await node.stop()).code, 0);
  });
}
