// What an operator does: watch, replay, back up, configure, keep keys.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import plainHttp from "node:http";
import https from "node:https";
import { Wallet, encryptKeystoreJson } from "ethers";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { contract } from "./lib/compile.mjs";
import { BINARY, Node, devAccounts, tempDir } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { until } from "./lib/wait.mjs";
import { clients } from "./lib/viem.mjs";

/** Runs the binary to its end: {status, stdout, stderr}. */
function callipter(args, options = {}) {
  return spawnSync(BINARY, args, { encoding: "utf8", timeout: 120000, ...options });
}

/** {name: value} of the samples, and the names that have a TYPE. */
async function metrics(node) {
  const res = await fetch(`${node.url}/metrics`);
  assert.equal(res.status, 200);
  assert.match(res.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const types = new Set();
  const values = {};
  for (const line of (await res.text()).trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type) types.add(type[1]);
    if (line.startsWith("#")) continue;
    const sample = /^([a-z][a-z0-9_]*)(\{[a-z]+="[^"]*"\})? (-?\d+)$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    assert.ok(types.has(sample[1]) || types.has(sample[1].replace(/_(bucket|sum|count)$/, "")), `no TYPE: ${line}`);
    values[sample[1] + (sample[2] ?? "")] = Number(sample[3]);
  }
  return values;
}

async function watched() {
  const node = await Node.start();
  const [alice, bob] = devAccounts(node);
  for (let i = 0; i < 5; i++)
    await node.rpc("eth_sendTransaction", [{ from: alice.address, to: bob.address, value: "0x1", gas: "0x5208" }]);
  await node.call("foo_bar");
  const m = await metrics(node);
  for (const stage of ["recover", "execute", "seal", "log_sync", "send_to_durable"])
    assert.ok(m[`callipter_node_${stage}_us_count`] >= 1, stage);
  assert.equal(m.callipter_node_txs_total, 5);
  assert.equal(m.callipter_node_gas_total, 5 * 21000);
  assert.equal(m.callipter_node_send_to_durable_us_count, 5);
  assert.equal(m['callipter_node_send_to_durable_us_bucket{le="+Inf"}'], 5);
  assert.equal(m['callipter_rpc_calls_total{method="eth_sendTransaction"}'], 5);
  assert.equal(m['callipter_rpc_calls_total{method="unknown"}'], 1);
  assert.equal(m.callipter_rpc_errors_total, 1);
  assert.equal(m.callipter_state_durable_block, Number(await node.rpc("eth_blockNumber")));
  assert.ok(m.callipter_rpc_connections >= 1);
  assert.equal(m.callipter_rpc_websockets, 0);
  for (const path of ["/livez", "/readyz"]) {
    const res = await fetch(node.url + path);
    assert.deepEqual([res.status, await res.text()], [200, "ok\n"]);
  }
  await node.stop();
}

/** Transfers of all types, creations, token calls, precompiles, reverts, a delegation, a filled nonce gap. */
async function mixedTraffic(node, { client, wallets }, rounds) {
  const c = contract("Coin");
  const hash = await wallets[0].deployContract({ ...c, args: [wallets[0].account.address] });
  const { contractAddress: coin } = await client.getTransactionReceipt({ hash });
  for (let round = 0; round < rounds; round++)
    await Promise.all(
      wallets.map(async (w, i) => {
        const to = wallets[(i + 1) % wallets.length].account.address;
        const send = (tx) => w.sendTransaction({ gas: 200000n, ...tx });
        await send({ to, value: BigInt(round), type: "legacy" });
        await send({ to, type: "eip2930", accessList: [{ address: coin, storageKeys: [`0x${"00".repeat(32)}`] }] });
        await send({ to: `0x${(1 + ((round + i) % 17)).toString(16).padStart(40, "0")}`, data: `0x${"ab".repeat(192)}` });
        await send({ data: "0x6001600055600160015560006000fd" }); // a creation that reverts
        await send({ data: "0x600b600c600039600b6000f3600054600101600055" + "00".repeat(2), to: undefined });
        if (i === 0) await w.writeContract({ address: coin, abi: c.abi, functionName: "mint", args: [to, 1000n] });
        else await send({ to: coin, data: "0xa9059cbb" + to.slice(2).padStart(64, "0") + "5".padStart(64, "0") });
        if (round === 0) {
          const fresh = privateKeyToAccount(generatePrivateKey());
          const auth = await fresh.signAuthorization({ contractAddress: coin, chainId: node.chainId, nonce: 0 });
          await send({ to: fresh.address, authorizationList: [auth] });
          const nonce = await client.getTransactionCount({ address: w.account.address });
          await send({ to, nonce: nonce + 1 });
          await send({ to, nonce });
        }
      }),
    );
}

async function replayed() {
  const source = tempDir();
  const node = await Node.start(source);
  await mixedTraffic(node, clients(node), 3);
  const head = await node.rpc("eth_getBlockByNumber", ["latest", false]);
  const replay = (args, env = {}) =>
    callipter(["run", "--dev", "--replay", source, ...args], { env: { ...process.env, ...env } });
  const live = replay(["--datadir", tempDir()]); // while the other node runs
  assert.equal(live.status, 0, live.stderr);
  await node.stop();

  const figures = [];
  for (const cpu of ["portable", "best"])
    for (const tier of ["fast", "reference"]) {
      const dir = tempDir();
      const r = replay(["--datadir", dir, "--tier", tier], cpu === "best" ? {} : { CALLIPTER_CPU: cpu });
      assert.equal(r.status, 0, r.stderr);
      assert.match(r.stdout, new RegExp(`^head block=${Number(head.number)} hash=${head.hash}$`, "m"), `${cpu} ${tier}`);
      figures.push(`${cpu} ${/txs_per_s=\d+ mgas_per_s=\S+ tier=\S+/.exec(r.stdout)[0]}`);
      assert.doesNotMatch(r.stdout, /not compared/);
      assert.equal(callipter(["db", "verify", "--datadir", dir]).status, 0);
      const again = replay(["--datadir", dir, "--tier", tier]);
      assert.deepEqual([again.status, /empty folder/.test(again.stderr)], [1, true]);
    }
  const file = `${tempDir()}/genesis.json`;
  writeFileSync(file, JSON.stringify({ config: { chainId: node.chainId }, callipter: { owners: [devAccounts(node)[0].address] }, alloc: {} }));
  const foreign = replay(["--datadir", tempDir(), "--chain", file]);
  assert.deepEqual([foreign.status, /another block 0/.test(foreign.stderr)], [1, true], foreign.stderr);
  console.log(`     ${Number(head.number)} blocks: ${figures.join("; ")}`);
}

/** Every block of `node` up to `last` is on `other` too. */
async function sameBlocks(node, other, last) {
  for (let at = 0; at <= last; at += 500) {
    const batch = Array.from({ length: Math.min(500, last + 1 - at) }, (_, i) => ({
      id: i,
      method: "eth_getBlockByNumber",
      params: [`0x${(at + i).toString(16)}`, false],
    }));
    const [a, b] = await Promise.all([node.post(batch), other.post(batch)]);
    for (const [i, reply] of a.entries()) assert.deepEqual(b[i].result, reply.result, `block ${at + i}`);
  }
}

async function backedUp() {
  const [dir, backup, restored] = [tempDir(), `${tempDir()}/backup`, `${tempDir()}/restored`];
  const node = await Node.start(dir);
  const users = clients(node);
  const to = users.wallets[0].account.address;
  let stop = false;
  let acked = 0;
  const load = users.wallets.map(async (w) => {
    for (let nonce = 0; !stop; nonce++, acked++) await w.sendTransaction({ to, value: 1n, nonce, gas: 30000n });
  });
  while (acked < 200) await Promise.race(load.concat(node.rpc("eth_chainId")));
  const before = Number(await node.rpc("eth_blockNumber"));
  const taken = spawn(BINARY, ["db", "backup", "--datadir", dir, "--to", backup], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [taken.stdout, taken.stderr]) stream.on("data", (d) => (said += d));
  const status = await new Promise((resolve) => taken.on("exit", resolve));
  const after = acked;
  stop = true;
  await Promise.all(load);
  assert.equal(status, 0, said);
  assert.match(said, /^ok$/m);
  assert.equal(callipter(["db", "verify", "--datadir", backup]).status, 0);

  // One that was killed leaves nothing that looks like a backup, and does not stand in the way of the next.
  const killed = `${tempDir()}/backup`;
  const victim = spawn(BINARY, ["db", "backup", "--datadir", dir, "--to", killed], { stdio: "ignore" });
  const gone = new Promise((resolve) => victim.on("exit", resolve));
  while (!existsSync(`${killed}.partial`)) await new Promise((resolve) => setImmediate(resolve));
  victim.kill("SIGKILL");
  await gone;
  assert.ok(!existsSync(killed));
  assert.equal(callipter(["db", "backup", "--datadir", dir, "--to", killed]).status, 0);
  assert.ok(!existsSync(`${killed}.partial`));

  const restore = (target) => callipter(["db", "restore", "--from", backup, "--datadir", target]);
  assert.equal(restore(restored).status, 0);
  assert.match(restore(restored).stderr, /exists and is no empty folder/);
  const other = await Node.start(restored);
  assert.ok(other.block >= before, `the backup ends at block ${other.block}, it began at ${before}`);
  await sameBlocks(node, other, other.block);
  const sent = await other.rpc("eth_sendTransaction", [{ from: to, to, value: "0x1", gas: "0x5208" }]); // and it goes on
  assert.equal(Number((await other.rpc("eth_getTransactionReceipt", [sent])).blockNumber), other.block + 1);
  await other.stop();
  assert.equal(callipter(["db", "verify", "--datadir", restored]).status, 0);
  await node.stop();
  console.log(`     ${other.block} blocks; ${acked} transactions, ${after} of them before the backup was done`);
}

async function initialised() {
  const dir = tempDir();
  const file = `${dir}/genesis.json`;
  const owner = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
  const genesis = (chainId) =>
    writeFileSync(file, JSON.stringify({ config: { chainId }, callipter: { owners: [owner] }, alloc: { [owner]: { balance: "0x10" } } }));
  const init = () => callipter(["init", "--chain", file, "--datadir", `${dir}/data`]);
  genesis(4242);
  const made = init();
  assert.equal(made.status, 0, made.stderr);
  const hash = /^block 0 (0x[0-9a-f]{64})$/m.exec(made.stdout)[1];
  assert.deepEqual([init().status, init().stdout], [0, made.stdout]);
  const node = await Node.start(`${dir}/data`, ["--chain", file]);
  assert.equal((await node.rpc("eth_getBlockByNumber", ["0x0", false])).hash, hash);
  assert.equal(node.chainId, 4242);
  await node.stop();
  genesis(4243);
  assert.equal(init().status, 1);
  assert.equal(callipter(["init", "--chain", file]).status, 2);
}

async function keys() {
  const dir = tempDir();
  const [password, other] = [`${dir}/password`, `${dir}/other`];
  writeFileSync(password, "correct horse\n");
  writeFileSync(other, "battery staple\n");
  const account = (...args) => callipter(["account", args[0], "--datadir", dir, ...args.slice(1)]);
  const made = account("new", "--light", "--password-file", password);
  assert.equal(made.status, 0, made.stderr);
  const [, address, file] = /^(0x[0-9a-f]{40}) (.*)$/m.exec(made.stdout);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const wallet = await Wallet.fromEncryptedJson(readFileSync(file, "utf8"), "correct horse");
  assert.equal(wallet.address.toLowerCase(), address);

  const key = `0x${"11".repeat(32)}`;
  writeFileSync(`${dir}/key`, `${key}\n`);
  const imported = account("import", "--light", "--password-file", password, `${dir}/key`);
  assert.equal(imported.status, 0, imported.stderr);
  assert.match(imported.stdout, new RegExp(new Wallet(key).address, "i"));
  const again = account("import", "--light", "--password-file", password, `${dir}/key`);
  assert.deepEqual([again.status, /has a key of 0x[0-9a-f]{40} already/.test(again.stderr)], [1, true]);

  // A file that another wallet wrote; with the wrong password first.
  const foreign = Wallet.createRandom();
  const scrypt = { N: 4096, r: 8, p: 1 };
  writeFileSync(`${dir}/foreign`, await encryptKeystoreJson(foreign, "battery staple", { scrypt, progressCallback: () => {} }));
  const open = (from) =>
    account("import", "--light", "--password-file", password, "--from-password-file", from, `${dir}/foreign`);
  assert.match(open(password).stderr, /the password is wrong/);
  assert.equal(open(other).status, 0);
  const list = account("list");
  assert.deepEqual(list.stdout.match(/^0x[0-9a-f]{40}/gm).sort(), [address, new Wallet(key).address, foreign.address].map((a) => a.toLowerCase()).sort());
  const noTerminal = callipter(["account", "new", "--datadir", dir], { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  assert.deepEqual([noTerminal.status, /use --password-file/.test(noTerminal.stderr)], [1, true]);
}

async function configured() {
  const dir = tempDir();
  const sample = callipter(["run", "--print-config", "--dev", "--datadir", `${dir}/data`, "--call-gas", "30000"]);
  assert.equal(sample.status, 0, sample.stderr);
  writeFileSync(`${dir}/config`, sample.stdout);
  const node = await Node.start(undefined, ["--config", `${dir}/config`]);
  assert.ok(statSync(`${dir}/data/log`).isDirectory());
  await node.stop();
  writeFileSync(`${dir}/config`, "dev = true\nhttp-reader = 3\n");
  const bad = callipter(["run", "--config", `${dir}/config`]);
  assert.deepEqual([bad.status, /line 2: unknown key 'http-reader'/.test(bad.stderr)], [2, true]);
}

const HOST = "game.example";

/** The status of a request under a host name, the origin that it allows, and the issuer of the certificate. */
function ask(node, { secure = true, origin = "https://play.example" } = {}) {
  const [hostname, port] = node.address.split(":");
  return new Promise((resolve, reject) => {
    const headers = { host: HOST, origin, "content-type": "application/json" };
    const req = (secure ? https : plainHttp).request(
      { hostname, port, method: "POST", headers, agent: false, rejectUnauthorized: false },
      (res) => {
        const name = secure ? res.socket.getPeerCertificate().subject.CN : undefined;
        res.resume().on("end", () => resolve([res.statusCode, res.headers["access-control-allow-origin"], name]));
      },
    );
    req.on("error", reject).end(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }));
  });
}

function certificate(dir, name) {
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", `/CN=${name}`];
  const made = spawnSync("openssl", [...args, "-keyout", `${dir}/key.pem`, "-out", `${dir}/cert.pem`]);
  assert.equal(made.status, 0);
}

/** Sends SIGHUP and waits for what the node says about it. */
async function hangUp(node) {
  const from = node.err.length;
  node.child.kill("SIGHUP");
  const said = /node: (configuration read again.*|the configuration stays as it was.*)\n/;
  for (;;) {
    if (said.test(node.err.slice(from))) return node.err.slice(from);
    await new Promise((resolve, reject) => {
      node.child.stderr.once("data", resolve);
      node.exited.then((e) => reject(new Error(`exited with ${JSON.stringify(e)}`)));
    });
  }
}

async function reconfigured() {
  const dir = tempDir();
  certificate(dir, "first");
  const fixed = ["dev = true", `tls-cert = ${dir}/cert.pem`, `tls-key = ${dir}/key.pem`, `datadir = ${dir}/data`];
  const write = (...lines) => writeFileSync(`${dir}/config`, [...fixed, ...lines, ""].join("\n"));
  write("call-ms = 4000");
  const node = await Node.start(undefined, ["--config", `${dir}/config`, "--call-ms", "4500"]);
  node.url = `https://${node.address}`;
  assert.deepEqual(await ask(node), [403, "*", "first"]); // a name that is not listed

  write("call-ms = 4100", `http-vhosts = ${HOST}`, "http-cors = https://play.example", "log-level = debug", "cache = 600", "http-readers = 3");
  certificate(dir, "second");
  const said = await hangUp(node);
  // What a flag says stays; what needs a start is named.
  assert.match(said, /configuration read again changed=http-vhosts,http-cors,log-level\n/);
  assert.match(said, /WARN .*at the next start alone keys=http-readers,cache\n/);
  assert.deepEqual(await ask(node), [200, "https://play.example", "second"]);
  assert.deepEqual(await ask(node, { origin: "https://other.example" }), [200, undefined, "second"]);

  // A bad line, a bad value, a certificate without its key, no file at all: nothing changes, nothing ends.
  const refused = async (why) => {
    const text = await hangUp(node);
    assert.match(text, /the configuration stays as it was/);
    assert.match(text, why);
    assert.deepEqual(await ask(node), [200, "https://play.example", "second"]);
  };
  write("http-vhosts = other", "no-such-key = 1");
  await refused(/line 6: unknown key 'no-such-key'/);
  write("http-vhosts = other", "call-gas = 5");
  await refused(/call-gas: 5 is not between/);
  write("http-vhosts = other", "log-level = loud");
  await refused(/loud/);
  writeFileSync(`${dir}/cert.pem`, "nothing");
  write("http-vhosts = other");
  await refused(/tls-cert/);
  rmSync(`${dir}/config`);
  await refused(/No such file/);
  certificate(dir, "third");
  write(`http-vhosts = ${HOST}`, "log-level = error");
  node.child.kill("SIGHUP"); // says nothing at that level: only its effect can be seen
  await until("the third certificate", async () => (await ask(node))[2] === "third");
  assert.deepEqual(await ask(node), [200, "*", "third"]);
  const { code } = await node.stop();
  assert.equal(code, 0);
}

/** Limits of calls, fees and waiting transactions follow the file; without a file the signal is a closed terminal. */
async function limitsMove() {
  const dir = tempDir();
  const write = (...lines) => writeFileSync(`${dir}/config`, [...lines, ""].join("\n"));
  write("");
  const node = await Node.start(undefined, ["--config", `${dir}/config`]);
  const [alice, bob] = devAccounts(node);
  const run = (code) => node.call("eth_call", [{ to: bob.address, gas: "0x2faf080" }, "latest", { [bob.address]: { code } }]);
  const gas = async () => Number((await run("0x5a5f5260205ff3")).result); // what a call has left at its first instruction
  const large = () => run("0x620800005ff3"); // 512 KiB of zeros: more than 1 MiB in text
  assert.equal((await large()).result.length, 2 + 2 * 0x80000);
  const free = await gas();
  assert.ok(free > 49900000 && free < 50000000, `${free}`);
  const send = (nonce) => ({ from: alice.address, to: bob.address, gas: "0x5208", gasPrice: "0x2540be400", nonce });
  const waits = await node.call("eth_sendTransaction", [send("0x5")]);
  assert.ok(waits.result, JSON.stringify(waits));
  write("tx-fee-cap = 0", "pool-queued = 1", "call-gas = 30000000", "http-reply-mib = 1");
  assert.match(await hangUp(node), /changed=http-reply-mib,call-gas,tx-fee-cap,pool-queued\n/);
  const full = await node.call("eth_sendTransaction", [send("0x7")]);
  assert.ok(full.error, JSON.stringify(full));
  assert.equal(await gas(), free - 20000000);
  assert.match((await large()).error.message, /too large/);
  write("");
  assert.match(await hangUp(node), /changed=http-reply-mib,call-gas,tx-fee-cap,pool-queued\n/);
  assert.equal(await gas(), free);
  assert.equal((await large()).result.length, 2 + 2 * 0x80000);
  assert.ok((await node.call("eth_sendTransaction", [send("0x7")])).result);
  await node.stop();

  const bare = await Node.start();
  const { code, signal } = await bare.stop("SIGHUP");
  assert.deepEqual([code, signal], [0, null]);
}

async function helped() {
  const commands = ["run", "init", "account", "account new", "account list", "account import", "db", "db verify", "db stat", "db digest", "db backup"];
  commands.push("db restore", "key", "key create", "universe", "universe list", "bench", "bench keccak", "evm", "evm run", "statetest", "blocktest");
  for (const c of commands) {
    const r = callipter([...c.split(" "), "--help"]);
    assert.deepEqual([r.status, r.stderr, /^usage: callipter /.test(r.stdout)], [0, "", true], c);
  }
  const table = callipter(["run", "--help"]).stdout;
  assert.match(table, /--log-level .*\[live\]$/m);
  assert.doesNotMatch(table, /--datadir .*\[live\]$/m);
}

export async function run() {
  process.setMaxListeners(50); // a listener per temporary folder
  await check("ops: metrics, livez, readyz", watched);
  await check("ops: a log gives the same blocks on every CPU variant and in both tiers", replayed);
  await check("ops: a backup taken under load restores to the same blocks", backedUp);
  await check("ops: init makes block 0", initialised);
  await check("ops: accounts are made, imported and listed", keys);
  await check("ops: a configuration file", configured);
  await check("ops: SIGHUP takes up the file's live keys and a new certificate, and no bad file", reconfigured);
  await check("ops: SIGHUP moves limits; without a file it stops the node", limitsMove);
  await check("ops: every command explains itself", helped);
}
