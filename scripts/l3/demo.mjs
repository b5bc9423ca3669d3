// `make run-l3 DEMO=1`: a universe's whole story on an L3 of its own (run.mjs). ETH comes from the parent, the universe is made and
// filled through the API, a wallet that has nothing moves an item, ETH goes back to the parent. Balances are compared to the wei
// before and after each step; what differs ends it with status 1. The last line is `withdrawal executed`.
import {
  ChildToParentMessageStatus,
  EthBridger,
  getArbitrumNetworkInformationFromRollup,
  registerCustomArbitrumNetwork,
} from "@arbitrum/sdk";
import { ethers } from "ethers";
import { createPublicClient, createWalletClient, formatEther, getAddress, http, parseAbi, parseEther, toHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { roles } from "./accounts.mjs";
import { abis } from "./deploy-parent.mjs";
import { Api, itemList, makeGame, mint, registry } from "./game.mjs";
import { chainOf, startL3 } from "./run.mjs";

const CLASSES = 10;
const ITEMS = 1000;
const HOLDERS = 20;
const DEADLINE_MS = 600000;
const LOG_TAIL = 4096;
const registryAbi = parseAbi(["function depositGas(uint64 id) payable"]);
const begun = Date.now();

function fail(text) {
  throw new Error(text);
}

const step = (text) => console.log(`\n${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const show = (name, value) => console.log(`          ${name.padEnd(34)} ${value}`);

function same(name, found, wanted) {
  if (found !== wanted) fail(`${name}: ${found}, not ${wanted}`);
}

/** Prints a balance before and after, and wants the difference to be exactly `change`. */
function moved(name, before, after, change) {
  show(name, `${formatEther(before)} -> ${formatEther(after)} ETH`);
  same(`${name}: what it changed by`, after - before, change);
}

/** The parties' balances, on both chains. */
class Balances {
  constructor(l3) {
    this.l3 = l3;
  }

  onParent = (address) => this.l3.parent.public.getBalance({ address });
  onChild = (address) => this.l3.child.public.getBalance({ address });
  escrow = () => this.onParent(this.l3.deployment.bridge);
}

/** ethers' providers, which the SDK wants, and the chain as the SDK finds it on the parent. */
async function sdkOf(l3) {
  const provider = (client, url) => {
    const p = new ethers.providers.StaticJsonRpcProvider(url, client.chain.id);
    p.pollingInterval = 50;
    return p;
  };
  const parent = provider(l3.parent, l3.anvil.url);
  const child = provider(l3.child, l3.sequencer.url);
  const info = await getArbitrumNetworkInformationFromRollup(l3.deployment.rollup, parent);
  const network = { ...info, name: "callipter", chainId: l3.child.chain.id, isCustom: true, isTestnet: true, isBold: true };
  return { parent, child, bridger: new EthBridger(registerCustomArbitrumNetwork(network)) };
}

/** What transactions cost, and whom: {universe, others} in wei. Each must have succeeded. */
async function costs(l3, hashes) {
  const sum = { universe: 0n, others: 0n, gas: 0n };
  for (const hash of hashes) {
    const r = await l3.child.public.request({ method: "eth_getTransactionReceipt", params: [hash] });
    if (r?.status !== "0x1") fail(`${hash} failed`);
    const cost = BigInt(r.gasUsed) * BigInt(r.gasPriceCharged);
    sum[r.gasPayer === registry ? "universe" : "others"] += cost;
    sum.gas += BigInt(r.gasUsed);
  }
  return sum;
}

/** The operator's own deposit, then a retryable ticket that gives the studio ETH which it never had on the parent. */
async function fund(l3, sdk, balances) {
  const operator = new ethers.Wallet(roles.operator.key, sdk.parent);
  const [had, studioHad, escrow] = [
    await balances.onChild(operator.address),
    await balances.onChild(roles.user.address),
    await balances.escrow(),
  ];
  const amount = parseEther("10");
  const studioAmount = parseEther("3");
  const deposit = await (await sdk.bridger.deposit({ amount: String(amount), parentSigner: operator })).wait();
  const arrived = await deposit.waitForChildTransactionReceipt(sdk.child);
  if (!arrived.complete) fail("the deposit has not arrived");
  show("deposit, parent transaction", deposit.transactionHash);
  moved("operator on the L3", had, await balances.onChild(operator.address), amount);
  moved("bridge's escrow on the parent", escrow, await balances.escrow(), amount);

  const asked = { amount: String(studioAmount), destinationAddress: roles.user.address, parentSigner: operator, childProvider: sdk.child };
  const ticket = await (await sdk.bridger.depositTo(asked)).wait();
  if (!(await ticket.waitForChildTransactionReceipt(sdk.child)).complete) fail("the ticket was not redeemed");
  const { value } = await sdk.parent.getTransaction(ticket.transactionHash);
  show("ticket, parent transaction", ticket.transactionHash);
  moved("studio on the L3", studioHad, await balances.onChild(roles.user.address), studioAmount);
  moved("bridge's escrow on the parent", escrow + amount, await balances.escrow(), BigInt(value));
}

/** The universe, its contract and classes, and more gas from its owner. */
async function create(l3, balances) {
  const [operator, studio] = [roles.operator.address, roles.user];
  const [operatorHad, studioHad] = [await balances.onChild(operator), await balances.onChild(studio.address)];
  const gas = parseEther("1");
  const asked = { slug: "arena", owner: studio.address, gas, classes: CLASSES, supply: ITEMS };
  const game = await makeGame(l3.sequencer.url, l3.adminKey, asked);
  game.gasAccount = async () => BigInt((await game.api.get(`/v1/u/${game.slug}/gas`)).gasAccount);
  const spent = await costs(l3, game.transactions);
  show("universe", `${game.slug} (${game.id}), with its secret key; ${l3.sequencer.url}/u/${game.slug}`);
  show("items contract, asset classes", `${game.items}, ${CLASSES}`);
  moved("operator on the L3", operatorHad, await balances.onChild(operator), -gas - spent.others);
  moved("gas account", gas, await game.gasAccount(), -spent.universe);

  const more = parseEther("1");
  const before = await game.gasAccount();
  const hash = await l3.child.wallet.writeContract({
    address: registry,
    abi: registryAbi,
    functionName: "depositGas",
    args: [BigInt(game.id)],
    value: more,
    account: studio.account,
  });
  await l3.child.public.waitForTransactionReceipt({ hash });
  const paid = await costs(l3, [hash]);
  moved("gas account, fed by its owner", before, await game.gasAccount(), more);
  moved("studio on the L3", studioHad, await balances.onChild(studio.address), -more - paid.others);
  return game;
}

/** 1,000 items through the API, all paid for by the universe. The first is the player's. */
async function fill(l3, game, player) {
  const abi = await new Api(l3.sequencer.url, game.api.key).get(`${game.path}/abi`);
  const read = (functionName, args) => l3.child.public.readContract({ address: game.items, abi, functionName, args });
  const holder = (i) => toHex(0x10000 + (i % HOLDERS), { size: 20 });
  const list = itemList(0, ITEMS, CLASSES, (i) => (i === 0 ? player.address : holder(i)));
  const before = await game.gasAccount();
  const from = Date.now();
  const hashes = await mint(game, list);
  show("items minted", `${ITEMS} in ${hashes.length} transactions, ${Date.now() - from} ms`);
  const spent = await costs(l3, hashes);
  same("others paid", spent.others, 0n);
  show("gas per item", spent.gas / BigInt(ITEMS));
  moved("gas account", before, await game.gasAccount(), -spent.universe);
  let total = 0n;
  for (let id = 1; id <= CLASSES; id++) total += await read("totalSupply", [BigInt(id)]);
  same("items on the chain", total, BigInt(ITEMS));
  return { abi, read };
}

/** An unmodified viem wallet on the universe's URL, without a wei. */
async function play(l3, game, player, { abi, read }, balances) {
  const url = `${l3.sequencer.url}/u/${game.slug}`;
  const chain = chainOf(l3.child.chain.id, game.slug, url);
  const wallet = createWalletClient({ chain, transport: http(url), account: player });
  const client = createPublicClient({ chain, transport: http(url), pollingInterval: 50 });
  const to = getAddress(toHex(0x20000, { size: 20 }));
  const before = await game.gasAccount();
  same("player's balance", await balances.onChild(player.address), 0n);
  const transfer = { address: game.items, abi, functionName: "safeTransferFrom", args: [player.address, to, 1n, 1n, "0x"] };
  const hash = await wallet.writeContract(transfer);
  same("transfer", (await client.waitForTransactionReceipt({ hash })).status, "success");
  const spent = await costs(l3, [hash]);
  show("transfer, L3 transaction", hash);
  same("others paid", spent.others, 0n);
  if (spent.universe === 0n) fail("nobody paid for the transfer");
  moved("player on the L3", 0n, await balances.onChild(player.address), 0n);
  moved("gas account", before, await game.gasAccount(), -spent.universe);
  same("player's item", await read("balanceOf", [player.address, 1n]), 0n);
  same("receiver's item", await read("balanceOf", [to, 1n]), 1n);
}

/** The parent's transactions that carry block `number` of the L3: the batch with it, the newest confirmation. */
async function evidence(l3, receipt, sdk) {
  const { parent, deployment } = l3;
  const find = (address, abi, eventName, args) => parent.public.getContractEvents({ address, abi, eventName, args, fromBlock: 0n });
  const batchSequenceNumber = BigInt(await receipt.getBatchNumber(sdk.child));
  const [batch] = await find(deployment.sequencerInbox, abis.sequencerInbox, "SequencerBatchDelivered", { batchSequenceNumber });
  show(`batch ${batchSequenceNumber}, parent transaction`, batch.transactionHash);
  const confirmed = (await find(deployment.rollup, abis.rollup, "AssertionConfirmed")).at(-1);
  show("confirmation, parent transaction", confirmed.transactionHash);
}

/** ETH back to the parent, to an account that never had any there. */
async function withdraw(l3, sdk, balances) {
  const studio = new ethers.Wallet(roles.user.key, sdk.child);
  const receiver = ethers.Wallet.createRandom().address;
  const amount = parseEther("0.5");
  const [had, escrow] = [await balances.onChild(studio.address), await balances.escrow()];
  const asked = { amount: String(amount), childSigner: studio, destinationAddress: receiver, from: studio.address };
  const receipt = await (await sdk.bridger.withdraw(asked)).wait();
  const paid = await costs(l3, [receipt.transactionHash]);
  show("withdrawal, L3 transaction", receipt.transactionHash);
  moved("studio on the L3", had, await balances.onChild(studio.address), -amount - paid.others);

  const [message] = await receipt.getChildToParentMessages(new ethers.Wallet(roles.operator.key, sdk.parent));
  step("wait: the batch on the parent, both validators, the confirmer's two signatures");
  same("status", await message.waitUntilReadyToExecute(sdk.child, 100), ChildToParentMessageStatus.CONFIRMED);
  await evidence(l3, receipt, sdk);
  for (const member of l3.members) {
    const theirs = await new ethers.providers.StaticJsonRpcProvider(member.url, l3.child.chain.id).getBlock(receipt.blockNumber);
    same(`the ${member.name}'s block ${receipt.blockNumber}`, theirs.hash, receipt.blockHash);
  }

  step("execute the withdrawal on the parent");
  const executed = await (await message.execute(sdk.child)).wait();
  show("execution, parent transaction", executed.transactionHash);
  moved("receiver on the parent", 0n, await balances.onParent(receiver), amount);
  moved("bridge's escrow on the parent", escrow, await balances.escrow(), -amount);
  same("status", await message.status(sdk.child), ChildToParentMessageStatus.EXECUTED);
}

async function story(l3) {
  const balances = new Balances(l3);
  const sdk = await sdkOf(l3);
  const player = privateKeyToAccount(generatePrivateKey());
  show("L3", `${l3.sequencer.url}  chain id ${l3.child.chain.id}`);
  show("parent", `${l3.anvil.url}  chain id ${l3.parent.chain.id}`);
  step("deposits on the parent, by the SDK");
  await fund(l3, sdk, balances);
  step("a universe with its key, a contract, asset classes, by the API");
  const game = await create(l3, balances);
  step(`${ITEMS} items by the API`);
  const contract = await fill(l3, game, player);
  step("a player without ETH gives one away; the universe pays");
  await play(l3, game, player, contract, balances);
  step("a withdrawal, by the SDK");
  await withdraw(l3, sdk, balances);
}

async function main() {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
  setTimeout(() => {
    console.error(`not done after ${DEADLINE_MS / 1000} s`);
    process.exit(1);
  }, DEADLINE_MS).unref();
  console.log("a parent chain, Arbitrum's contracts, a sequencer, two validators of which both must sign");
  const l3 = await startL3();
  const nodes = [l3.sequencer, ...l3.members];
  const ended = nodes.map((node) => node.exited.then(() => fail(`the ${node.name} ended`)));
  for (const e of ended) e.catch(() => {}); // looked at below, and meant to happen once all is told
  try {
    await Promise.race([story(l3), ...ended]);
  } catch (e) {
    for (const node of nodes) if (node.errors) console.error(`--- ${node.name}\n${node.errors.slice(-LOG_TAIL)}`);
    throw e;
  }
  step("stop");
  if (!(await l3.stop())) fail("a node did not stop cleanly");
  console.log("withdrawal executed");
  process.exit(0);
}

main().catch((e) => {
  console.error(e.shortMessage ?? e.message);
  process.exit(1);
});
