// What a game's history leaves in the parent is enough: a node on an empty folder refuses what was already minted.
import { cpSync, readFileSync } from "node:fs";
import path from "node:path";
import { ethers } from "ethers";
import { Api, itemList, makeGame, mint } from "../../scripts/l3/game.mjs";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi } from "./lib/contracts.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const ITEMS = 1000, CLASSES = 3;
const abi = new ethers.utils.Interface([
  "function mint(bytes32 referenceId, address to, uint256 id, uint256 amount)",
  "function totalSupply(uint256 id) view returns (uint256)",
  "function MINTER_ROLE() view returns (bytes32)",
  "function grantRole(bytes32 role, address account)",
  "error ReferenceUsed(bytes32 referenceId)",
]);
const player = (i) => ethers.utils.hexZeroPad(ethers.utils.hexlify(0x6000 + (i % 40)), 20);
const reference = (n) => ethers.utils.hexZeroPad(ethers.utils.hexlify(n), 32);
const mintData = (n) => abi.encodeFunctionData("mint", [reference(n), player(n), 1, 1]);

/** Calls as the universe's signer would: what of the list is refused with ReferenceUsed, and with nothing else. */
async function refusals(node, game, list) {
  const used = [];
  for (const n of list) {
    const { error } = await node.call("eth_call", [{ from: game.signer, to: game.items, data: mintData(n) }, "latest"]);
    if (!error) continue;
    assert.equal(error.data, abi.encodeErrorResult("ReferenceUsed", [reference(n)]), JSON.stringify(error));
    used.push(n);
  }
  return used;
}

async function supply(node, game) {
  let sum = 0;
  for (let id = 1; id <= CLASSES; id++) {
    const call = { to: game.items, data: abi.encodeFunctionData("totalSupply", [id]) };
    sum += Number(await node.rpc("eth_call", [call, "latest"]));
  }
  return sum;
}

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  const args = ["--operator-key", w.keyFile(w.owner)];
  const seq = await w.sequencer(args);
  const adminKey = readFileSync(path.join(w.folder("sequencer"), "secrets/admin-key"), "utf8").trim();
  const made = await check(`${ITEMS} items minted through the API, and posted`, async () => {
    await (await new ethers.Contract(w.at.inbox, inboxAbi, w.owner)["depositEth()"]({ value: ether("3") })).wait();
    await until("the deposit", async () => (await seq.provider.getBalance(w.owner.address)).gt(0));
    const asked = { slug: "lasting", owner: w.owner.address, gas: ether("1"), classes: CLASSES, supply: 0 };
    const game = await makeGame(seq.url, adminKey, asked);
    const hashes = await mint(game, itemList(0, ITEMS, CLASSES, player));
    assert.equal(await supply(seq, game), ITEMS);
    const last = await seq.rpc("eth_getTransactionReceipt", [hashes.at(-1)]);
    const head = Number(last.blockNumber);
    const blocks = [];
    for (let i = 0; i <= head; i++) blocks.push(await seq.hashOf(i));
    const digests = await seq.rpc("debug_tableDigests", [last.blockNumber]);
    await seq.stopPosted();
    return { game, head, blocks, digests };
  });
  if (!made) return;
  const { game, head } = made;
  const sample = [1, 2, 3, 499, 500, 501, 998, 999, 1000];

  await check("an empty folder is filled from the parent alone: same blocks, same tables", async () => {
    const node = await w.newValidator(["--tier", "reference"], "rebuilt");
    await node.atBlock(head);
    for (let i = 0; i <= head; i++) assert.equal(await node.hashOf(i), made.blocks[i], `block ${i}`);
    assert.deepEqual(await node.rpc("debug_tableDigests", [ethers.utils.hexValue(head)]), made.digests);
    assert.deepEqual(await refusals(node, game, [...sample, 1001]), sample);
    assert.equal((await node.stop()).code, 0);
  });
  await check("a sequencer on an empty folder refuses every referenceId that was used, and takes a new one", async () => {
    // Of its old folder it has the secrets alone: neither blocks, nor keys, nor what it knew of requests.
    cpSync(path.join(w.folder("sequencer"), "secrets"), path.join(w.folder("anew"), "secrets"), { recursive: true });
    const node = await w.sequencer(args, "anew");
    await node.atBlock(head);
    assert.deepEqual(await refusals(node, game, [...sample, 1001]), sample);
    const lost = await fetch(`${node.url}/v1/whoami`, { headers: { authorization: `Bearer ${game.api.key}` } });
    assert.equal(lost.status, 401, "keys are not in the chain");

    const api = new Api(node.url, adminKey);
    const again = await api.post(`${game.path}/mints`, { items: itemList(0, ITEMS, CLASSES, player) });
    assert.equal(again.minted, 0);
    assert.deepEqual([...new Set(again.items.map((i) => i.status))], ["exists"]);
    assert.equal(await supply(node, game), ITEMS);
    const mixed = await api.post(`${game.path}/mints`, { items: itemList(ITEMS - 2, 4, CLASSES, player) });
    assert.deepEqual(mixed.items.map((i) => i.status), ["exists", "exists", "minted", "minted"]);
    assert.equal(await supply(node, game), ITEMS + 2);

    // A transaction that asks for it all the same is executed, and fails.
    const owner = w.owner.connect(node.provider);
    const items = new ethers.Contract(game.items, abi, owner);
    await (await items.grantRole(await items.MINTER_ROLE(), owner.address)).wait();
    const sent = await owner.sendTransaction({ to: game.items, data: mintData(7), gasLimit: 300000 });
    await until("its receipt", () => node.rpc("eth_getTransactionReceipt", [sent.hash]));
    assert.equal((await node.rpc("eth_getTransactionReceipt", [sent.hash])).status, "0x0");
    await (await owner.sendTransaction({ to: game.items, data: mintData(5000), gasLimit: 300000 })).wait();
    assert.equal(await supply(node, game), ITEMS + 3);
    assert.equal((await node.stop()).code, 0);
  });
}
