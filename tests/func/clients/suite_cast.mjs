// Foundry's cast beyond the small suite: every cell of the table of clients, each by the command that a user would type.
import { execFile, spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert } from "../lib/suite.mjs";
import { collect } from "../lib/wait.mjs";
import { provoke } from "./errors.mjs";
import { feature } from "./matrix.mjs";
import { plain, tokens } from "./tokens.mjs";

const FEATURE = (ids, name, fn) => feature("cast", ids, name, fn);
const here = path.dirname(fileURLToPath(import.meta.url));
const cast = path.join(here, "../node_modules/@foundry-rs/cast-linux-amd64/bin/cast");
const run1 = promisify(execFile);
const offline = async (...args) => (await run1(cast, args, { maxBuffer: 1 << 24 })).stdout.trim();
const TRANSFER = "Transfer(address indexed,address indexed,uint256)";

const text = (v) => (Array.isArray(v) ? `[${v.map(text)}]` : String(v));
/** "name(types)(types of results)", as cast wants it. */
function signature(abi, name) {
  const f = abi.find((x) => x.type === "function" && x.name === name);
  const types = (list) => `(${list.map((x) => x.type).join(",")})`;
  return `${name}${types(f.inputs)}${f.outputs.length ? types(f.outputs) : ""}`;
}

export async function run() {
  const node = await Node.start();
  const [alice, bob, carol, dave] = devAccounts(node);
  const at = (url, command, ...args) => offline(command, "--rpc-url", url, ...args); // --create takes all that follows
  const ask = (command, ...args) => at(node.url, command, ...args);
  const sendAs = async (who, ...args) => JSON.parse(await ask("send", "--json", "--private-key", who.key, "--timeout", "60", ...args));
  const failure = (promise) =>
    promise.then(
      () => assert.fail("did not fail"),
      (e) => e.stderr,
    );
  const count = async (who) => Number(await ask("nonce", who.address));

  const deploy = async (name, args = [alice.address]) => {
    const c = contract(name);
    const encoded = args.length ? (await offline("abi-encode", "constructor(address)", ...args)).slice(2) : "";
    const receipt = await sendAs(alice, "--create", c.bytecode + encoded);
    assert.equal(receipt.status, "0x1");
    return { address: receipt.contractAddress, abi: c.abi };
  };
  const send = async (c, method, args) => {
    const receipt = await sendAs(alice, c.address, signature(c.abi, method).replace(/\)\(.*/, ")"), ...args.map(text));
    assert.equal(receipt.status, "0x1");
    return receipt;
  };
  const { coin } = await tokens("cast", {
    deploy,
    send,
    read: async (c, method, args) => plain((await ask("call", c.address, signature(c.abi, method), ...args.map(text))).split(" ")[0]),
    alice: alice.address,
    bob: bob.address,
  });

  await FEATURE(["http"], "logs by signature and block range", async () => {
    const logs = JSON.parse(await ask("logs", "--json", "--from-block", "0", "--address", coin.address, TRANSFER));
    assert.equal(logs.length, 2);
    assert.equal(BigInt(logs[1].data), 300n);
    const one = JSON.parse(await ask("logs", "--json", "--from-block", logs[1].blockNumber, "--address", coin.address, TRANSFER));
    assert.deepEqual(one, [logs[1]]);
  });
  await FEATURE(["ws"], "logs --subscribe over a WebSocket", async () => {
    const seen = collect();
    const args = ["logs", "--subscribe", "--json", "--rpc-url", `ws://${node.address}`, "--address", coin.address, TRANSFER];
    const child = spawn(cast, args, { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (d) => {
      out += d;
      for (let m; (m = /\{"address".*?\}(?=,|\n|\]|$)/s.exec(out)); out = out.slice(m.index + m[0].length)) seen.add(JSON.parse(m[0]));
    });
    child.on("exit", () => seen.fail(new Error(`cast has ended: ${out}`)));
    const sent = [];
    await seen.until(async () => {
      sent.push((await send(coin, "transfer", [bob.address, 9n])).transactionHash);
      return seen.items.length > 0;
    });
    assert.ok(sent.includes(seen.items[0].transactionHash));
    assert.equal(BigInt(seen.items[0].data), 9n);
    child.removeAllListeners("exit");
    child.kill();
  });
  await FEATURE(["custom"], "a custom error with its arguments, a reason", async () => {
    const refused = await failure(ask("estimate", "--from", bob.address, coin.address, "mint(address,uint256)", bob.address, "1"));
    const data = /0x118cdaa7[0-9a-f]{64}/.exec(refused)[0];
    const decoded = await offline("decode-error", "--sig", "OwnableUnauthorizedAccount(address)", data);
    assert.equal(decoded.toLowerCase(), bob.address);
    assert.match(await failure(ask("call", coin.address, "fail(string)", "so it is")), /execution reverted: so it is/);
  });
  await FEATURE(["fifty"], "fifty processes send from one account at once", async () => {
    const first = await count(dave);
    const hashes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ask("send", "--async", "--private-key", dave.key, "--nonce", String(first + i), "--gas-limit", "21000", bob.address, "--value", "1")),
    );
    assert.equal(new Set(hashes).size, 50);
    const receipts = await Promise.all(hashes.map((h) => ask("receipt", "--json", h)));
    assert.ok(receipts.every((r) => JSON.parse(r).status === "0x1"));
    assert.equal(await count(dave), first + 50);
  });
  await FEATURE(["speedup"], "a waiting transaction is sped up", async () => {
    const first = await count(carol);
    const waiting = (gwei) =>
      ask("send", "--async", "--private-key", carol.key, "--nonce", String(first + 1), "--gas-limit", "21000", "--gas-price", `${gwei}gwei`, "--priority-gas-price", "0.1gwei", bob.address, "--value", "7");
    const slow = await waiting(1);
    assert.match(await failure(waiting(1.05)), /replacement transaction underpriced/);
    const fast = await waiting(2);
    assert.equal((await sendAs(carol, "--nonce", String(first), bob.address)).status, "0x1");
    assert.equal(JSON.parse(await ask("receipt", "--json", fast)).status, "0x1");
    assert.match(await failure(ask("tx", slow)), /not found/);
  });
  await FEATURE(["delegation"], "delegations (EIP-7702): send --auth with an address, and one from wallet sign-auth", async () => {
    const logic = await deploy("Account", []);
    const code = `0xef0100${logic.address.slice(2).toLowerCase()}`;
    assert.equal((await sendAs(bob, alice.address, "--auth", logic.address)).type, "0x4");
    assert.equal(await ask("code", bob.address), code);
    const signed = await offline("wallet", "sign-auth", logic.address, "--private-key", carol.key, "--rpc-url", node.url);
    assert.equal((await sendAs(alice, dave.address, "--auth", signed)).status, "0x1");
    assert.equal(await ask("code", carol.address), code);
    const notHim = await failure(ask("call", "--from", alice.address, bob.address, "execute(address[],bytes[])", "[]", "[]"));
    const data = /0x[0-9a-f]{72}/.exec(notHim)[0];
    assert.equal((await offline("decode-error", "--sig", "NotTheAccount(address)", data)).toLowerCase(), alice.address);
  });
  await FEATURE(["errors"], "each error of the table comes with its code and text", () =>
    provoke("cast", {
      ask: (made) =>
        made.method === "eth_sendRawTransaction" && made.params[0].length < 100000 // the longest argument of a program is 128 KiB
          ? at(made.node.url, "publish", made.params[0])
          : new Promise((resolve, reject) => {
              const child = execFile(cast, ["rpc", "--rpc-url", made.node.url, "--raw", made.method], (e, stdout, stderr) => (e ? reject(Object.assign(e, { stderr })) : resolve(stdout)));
              child.stdin.end(JSON.stringify(made.params));
            }),
      typesOf: (e, row) => [new RegExp(`error code ${row.code}: `).test(e.stderr) && "server returned an error response", e.stderr.includes("Max retries exceeded HTTP error 429") && "Max retries exceeded HTTP error 429"],
      textOf: (e) => e.stderr,
    }),
  );
  await node.stop();
}
