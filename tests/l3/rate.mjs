// node rate.mjs [TRANSFERS] [POLL_MS]: how many transfers a second a parent takes for good. They are sequenced while the poster's account
// is empty; then it can pay, and the time between full batches is taken.
import { ethers } from "ethers";
import { inboxAbi } from "./lib/contracts.mjs";
import { CHAIN_ID, until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const SENDERS = 20, PER_REQUEST = 50, PARENT_BLOCK_S = "0.25";
const [transfers = 6000, pollMs = 1000] = process.argv.slice(2).map(Number);

const w = await World.start({ parentArgs: ["--block-time", PARENT_BLOCK_S] });
const setBalance = (value) => w.parent.rpc("anvil_setBalance", [w.poster.address, ethers.utils.hexValue(ether(value))]);
const seq = await w.sequencer(["--parent-poll-ms", String(pollMs), "--batch-max-age", "5"]);
const unposted = async () => Number(/node_unposted_bytes (\d+)$/m.exec(await (await fetch(`${seq.url}/metrics`)).text())[1]);
const fees = { type: 2, chainId: CHAIN_ID, gasLimit: 21000, maxFeePerGas: 1e9, maxPriorityFeePerGas: 0 };

await (await new ethers.Contract(w.at.inbox, inboxAbi, w.owner)["depositEth()"]({ value: ether("30") })).wait();
await until("the deposit", async () => (await seq.provider.getBalance(w.owner.address)).gt(0));
const senders = Array.from({ length: SENDERS }, () => ethers.Wallet.createRandom());
for (const [nonce, { address: to }] of senders.entries())
  await seq.rpc("eth_sendRawTransaction", [await w.owner.signTransaction({ ...fees, nonce, to, value: ether("0.5") })]);
const raws = [];
for (let i = 0; i < transfers; i++) {
  const to = ethers.utils.hexlify(ethers.utils.randomBytes(20)), value = ether("0.001").add(i);
  raws.push(await senders[i % SENDERS].signTransaction({ ...fees, nonce: Math.floor(i / SENDERS), to, value }));
}
await until("all to be on the parent", async () => (await unposted()) === 0, 60000);
await setBalance("0");
for (let i = 0; i < raws.length; i += PER_REQUEST) {
  const calls = raws.slice(i, i + PER_REQUEST).map((raw, id) => ({ jsonrpc: "2.0", id, method: "eth_sendRawTransaction", params: [raw] }));
  const reply = await fetch(seq.url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(calls) });
  for (const { error } of await reply.json()) if (error) throw new Error(error.message);
}
const backlog = await unposted();
await setBalance("1000");
await until("all to be on the parent", async () => (await unposted()) === 0, 600000);

const lines = seq.err.matchAll(/^(\S+Z) .*batch is in the chain.* first_block=(\d+) last_block=(\d+)/gm);
const full = [...lines].slice(2, -1).map(([, at, first, last]) => ({ at: Date.parse(at), first: Number(first), last: Number(last) }));
if (full.length < 3) throw new Error("too few full batches: give it more transfers");
let held = 0;
for (let n = full[1].first; n <= full.at(-1).last; n++)
  held += Number(await seq.rpc("eth_getBlockTransactionCountByNumber", [ethers.utils.hexValue(n)]));
const batches = full.length - 1, ms = full.at(-1).at - full[0].at;
console.log(`${backlog} bytes of ${transfers} transfers; a batch holds ${Math.round(held / batches)}, ` +
  `the next comes after ${Math.round(ms / batches)} ms: ${Math.round(held / (ms / 1000))} transfers/s`);
await seq.stop("SIGKILL");
process.exit();
