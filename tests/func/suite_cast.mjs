// Foundry's cast, unmodified: deploys, sends, calls, reads receipts, logs and blocks, sees a revert.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { promisify } from "node:util";
import { contract } from "./lib/compile.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

// The program itself: npm's wrapper around it loses the exit status.
const here = path.dirname(fileURLToPath(import.meta.url));
const arch = process.arch === "x64" ? "amd64" : process.arch;
const cast = path.join(here, `node_modules/@foundry-rs/cast-${process.platform}-${arch}/bin/cast`);
const run1 = promisify(execFile);

export async function run() {
  const node = await Node.start();
  const [alice, bob] = devAccounts(node);
  const offline = async (...args) => (await run1(cast, args)).stdout.trim();
  const ask = (command, ...args) => offline(command, "--rpc-url", node.url, ...args); // --create takes all that follows
  const send = async (...args) =>
    JSON.parse(await ask("send", "--json", "--private-key", alice.key, "--timeout", "60", ...args));
  const number = async (...args) => BigInt((await ask("call", ...args)).split(" ")[0]);

  await check("cast: chain id, client, balance", async () => {
    assert.equal(await ask("chain-id"), "41337");
    assert.match(await ask("client"), /^callipter\//);
    assert.equal(await ask("balance", alice.address, "--ether"), "10000.000000000000000000");
  });

  const deploy = async (name) => {
    const c = contract(name);
    const args = await offline("abi-encode", "constructor(address)", alice.address);
    const receipt = await send("--create", c.bytecode + args.slice(2));
    assert.equal(receipt.status, "0x1");
    return receipt.contractAddress;
  };

  const coin = await check("cast: deploys an ERC-20", () => deploy("Coin"));
  if (coin)
    await check("cast: ERC-20 mint, transfer, balance, receipt, logs, block", async () => {
      await send(coin, "mint(address,uint256)", alice.address, "1000");
      const moved = await send(coin, "transfer(address,uint256)", bob.address, "400");
      assert.equal(await number(coin, "balanceOf(address)(uint256)", bob.address), 400n);
      const receipt = JSON.parse(await ask("receipt", "--json", moved.transactionHash));
      assert.equal(receipt.blockHash, moved.blockHash);
      assert.equal(receipt.logs.length, 1);
      const transfer = "Transfer(address indexed,address indexed,uint256)";
      const logs = JSON.parse(await ask("logs", "--json", "--from-block", "0", "--address", coin, transfer));
      assert.equal(logs.length, 2);
      const block = JSON.parse(await ask("block", "--json", receipt.blockHash));
      assert.deepEqual(block.transactions, [moved.transactionHash]);
      const tx = JSON.parse(await ask("tx", "--json", moved.transactionHash));
      assert.equal(tx.to, coin.toLowerCase());
      assert.equal(BigInt(await ask("storage", coin, "2")), 1000n); // ERC20._totalSupply
    });

  if (coin)
    await check("cast: shows reverts", async () => {
      const fail = await ask("call", coin, "fail(string)", "so it is").catch((e) => e.stderr);
      assert.match(fail, /so it is/);
      const estimate = await ask("estimate", "--from", bob.address, coin, "mint(address,uint256)", bob.address, "1").catch(
        (e) => e.stderr,
      );
      assert.match(estimate, /execution reverted/);
      assert.match(estimate, /0x118cdaa7/); // OwnableUnauthorizedAccount(address)
    });

  const items = await check("cast: deploys an ERC-1155", () => deploy("Items"));
  if (items)
    await check("cast: ERC-1155 mint, batch mint, transfer", async () => {
      await send(items, "mint(address,uint256,uint256)", alice.address, "1", "10");
      await send(items, "mintBatch(address,uint256[],uint256[])", alice.address, "[2,3,4]", "[20,30,40]");
      const transfer = "safeTransferFrom(address,address,uint256,uint256,bytes)";
      await send(items, transfer, alice.address, bob.address, "3", "7", "0x");
      assert.equal(await number(items, "balanceOf(address,uint256)(uint256)", alice.address, "3"), 23n);
      assert.equal(await number(items, "balanceOf(address,uint256)(uint256)", bob.address, "3"), 7n);
    });

  await check("cast: sending synchronously (EIP-7966)", async () => {
    const receipt = JSON.parse(
      await ask("send", "--json", "--sync", "--private-key", bob.key, alice.address, "--value", "1"),
    );
    assert.equal(receipt.status, "0x1");
  });

  await check("cast: nonce too low is its error", async () => {
    const e = await send(bob.address, "--value", "1", "--nonce", "0").catch((x) => x.stderr);
    assert.match(e, /nonce too low/);
  });

  await node.stop();
}
