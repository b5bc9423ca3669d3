// Secrets of nodes that post, propose and sign, and keys in URLs: no log, answer or print-out has them.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ethers } from "ethers";
import { Api, itemList, makeGame, mint } from "../../scripts/l3/game.mjs";
import { BINARY } from "../func/lib/node.mjs";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi, rollupAbi } from "./lib/contracts.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const hex = (n) => randomBytes(n).toString("hex");
/** http://HOST with a name and a password, or with a key in the query. */
const withPassword = (url, password) => url.replace("http://", `http://me:${password}@`);

/** What a node says to whoever asks: figures, readiness, errors of every kind. */
async function answers(node, key) {
  const texts = [];
  for (const target of ["/metrics", "/readyz", "/livez", `/metrics?token=${key}`, `/v1/whoami?token=${key}`, "/v1/openapi.json"])
    texts.push(await (await fetch(node.url + target)).text());
  const hash = ethers.utils.id("any");
  const claim = { batchCount: "0x1", blockHash: hash, sendRoot: hash, expectedHash: hash };
  for (const [method, params] of [["callipter_signAssertion", [claim]], ["eth_sendRawTransaction", ["0x02"]], ["universe_whoami", []], ["rpc.discover", []],
    ["eth_getBlockByNumber", ["0xffffff", false]], ["web3_clientVersion", []], ["eth_accounts", []], ["debug_tableDigests", ["latest"]]])
    texts.push(JSON.stringify(await node.call(method, params)));
  return texts;
}

export async function run() {
  const w = await check("the contracts are on the parent, with a committee of two out of three", () => World.start({ threshold: 2 }));
  if (!w) return;
  const secrets = {
    "poster key": w.poster.privateKey.slice(2), "operator key": w.owner.privateKey.slice(2), "proposer key": w.proposer.privateKey.slice(2),
    "password in a URL": `canary${hex(12)}`, "key in a path": `canary${hex(12)}`, "key in a query": `canary${hex(12)}`,
    "keystore password": `canary ${hex(12)}`, "signer password": `canary ${hex(12)}`, "admin key": `ak_${hex(8)}_${hex(32)}`,
  };
  w.members.forEach((m, i) => (secrets[`member key ${i}`] = m.privateKey.slice(2)));
  const file = (name, text) => {
    writeFileSync(path.join(w.dir, name), `${text}\n`, { mode: 0o600 });
    return path.join(w.dir, name);
  };
  const clean = (what, text) => {
    const low = text.toLowerCase();
    for (const [name, secret] of Object.entries(secrets)) assert.ok(!low.includes(secret.toLowerCase()), `${what} has the ${name}`);
    const basic = Buffer.from(`me:${secrets["password in a URL"]}`).toString("base64");
    assert.ok(!text.includes(basic), `${what} has the password in a URL, as base64`);
  };
  w.parentUrl = `http://127.0.0.1:1/v3/${secrets["key in a path"]},${withPassword(w.parent.url, secrets["password in a URL"])}`;
  const keystore = await w.poster.encrypt(secrets["keystore password"], { scrypt: { N: 1024 } });
  const debug = ["--log-level", "debug", "--delayed-finality", "latest", "--batch-max-age", "1"];
  const seqArgs = [...debug, "--poster-key", file("poster.json", keystore), "--key-password", file("password", secrets["keystore password"]),
    "--operator-key", w.keyFile(w.owner), "--admin-key-file", file("admin", secrets["admin key"]), "--signer-password", file("signer", secrets["signer password"])];
  const start = (name, args) => w.newValidator(["--role", "sequencer", ...args], name);
  const seq = await check("a sequencer whose poster is in a keystore, and whose parent needs a password", () => start("sequencer", seqArgs));
  if (!seq) return;
  const token = `/?token=${secrets["key in a query"]}`;
  const seqUrl = withPassword(seq.url, secrets["password in a URL"]), away = `http://127.0.0.1:1/v3/${secrets["key in a path"]}`;
  const memberArgs = (i) => [...debug, ...w.member(i), "--sequencer-url", seqUrl, "--forward-urls", `${away},${seqUrl}`];
  const first = await check("a member, whose log is JSON", () => w.newValidator([...memberArgs(0), "--log-format", "json"], "member"));
  const proposerArgs = [...memberArgs(1), "--proposer-key", w.keyFile(w.proposer), "--member-urls", `${first.url}${token},http://127.0.0.1:1${token}`];
  const proposer = await check("a member that proposes, and one of whose peers is away", () => w.newValidator(proposerArgs, "proposer"));
  if (!proposer) return;
  const nodes = { seq, first, proposer };

  await check("a game is made, posted and confirmed", async () => {
    await (await new ethers.Contract(w.at.inbox, inboxAbi, w.owner)["depositEth()"]({ value: ether("3") })).wait();
    await until("the deposit", async () => (await seq.provider.getBalance(w.owner.address)).gt(0));
    const asked = { slug: "hush", owner: w.owner.address, gas: ether("1"), classes: 2, supply: 0 };
    const game = await makeGame(seq.url, secrets["admin key"], asked);
    secrets["API key"] = game.api.key.split("_")[2];
    const [hash] = await mint(game, itemList(0, 20, 2, () => w.user.address));
    await assert.rejects(new Api(seq.url, `${game.api.key}0`).get("/v1/whoami"), (e) => (clean("a refusal", e.message), true));
    const { blockNumber } = await seq.rpc("eth_getTransactionReceipt", [hash]);
    const rollup = new ethers.Contract(w.at.rollup, rollupAbi, w.user);
    await until("an assertion over it", async () => {
      const last = (await rollup.queryFilter(rollup.filters.AssertionConfirmed())).at(-1);
      const block = last && (await seq.rpc("eth_getBlockByHash", [last.args.blockHash, false]));
      return block && Number(block.number) >= Number(blockNumber);
    });
  });
  await check("a member hands a transaction on, past an endpoint that is away", async () => {
    const nonce = await seq.provider.getTransactionCount(w.owner.address), gasPrice = await seq.provider.getGasPrice();
    const raw = await w.owner.signTransaction({ chainId: seq.chainId, nonce, to: w.user.address, value: 1, gasLimit: 100000, gasPrice });
    assert.ok(await seq.rpc("eth_getTransactionReceipt", [await proposer.rpc("eth_sendRawTransaction", [raw])]));
    assert.match(proposer.err, /an endpoint gave no answer/);
  });
  await check("no answer has a secret, with everybody up and with a member and the parent away", async () => {
    for (const [name, node] of Object.entries(nodes)) for (const text of await answers(node, secrets["admin key"])) clean(`an answer of ${name}`, text);
    const said = proposer.err.length;
    await first.stop();
    await w.owner.connect(seq.provider).sendTransaction({ to: w.user.address, value: 1 });
    await until("the proposer's complaint", () => /does not sign/.test(proposer.err.slice(said)));
    await w.parent.stop();
    const before = seq.err.length;
    await until("the sequencer's complaint about its parent", () => /parent/.test(seq.err.slice(before)));
    for (const node of [seq, proposer]) for (const text of await answers(node, secrets["admin key"])) clean("an answer", text);
  });
  await check("no log and no print-out has one", async () => {
    for (const node of [proposer, seq]) await node.stop();
    for (const [name, node] of Object.entries(nodes)) {
      assert.ok(node.err.length > 1000, `${name} has said little`);
      clean(`the log of ${name}`, node.err);
      clean(`the output of ${name}`, node.out);
      for (const flag of ["--print-config", "--help"]) {
        const { status, stdout, stderr } = spawnSync(BINARY, ["run", ...node.args, flag], { encoding: "utf8" });
        assert.equal(status, 0, stderr);
        clean(`${flag} of ${name}`, stdout + stderr);
      }
    }
    // Wrong passwords and wrong keys are refused without a word of what they are.
    for (const [flag, text] of [["--key-password", `canary wrong ${hex(8)}`], ["--poster-key", `canary${hex(12)}`], ["--operator-key", `canary${hex(12)}`], ["--admin-key-file", `canary${hex(12)}`], ["--signer-password", `canary${hex(12)}`]]) {
      secrets.wrong = text;
      const args = [...w.common("sequencer"), "--http", "127.0.0.1:0", ...seqArgs, flag, file("wrong", text)];
      const { status, stdout, stderr } = spawnSync(BINARY, ["run", ...args], { encoding: "utf8", timeout: 60000 });
      assert.ok(status > 0, `${flag}: ${stderr}`);
      clean(`a start with another ${flag}`, stdout + stderr);
    }
  });
}
