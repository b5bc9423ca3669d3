// The commands that ask a running node: `callipter universe` and `callipter key`, each word of them on a real node, its answers held
// against the API's own; who may not, what is not there, what is written wrongly, a node that is not there.
import { execFileSync, spawn } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { Api, adminKey, request } from "./lib/api.mjs";
import { BINARY, Node, tempDir } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

const SECRET = { secret: /^sk_[0-9a-f]{16}_[0-9a-f]{64}$/, publishable: /^pk_[0-9a-f]{16}_[0-9a-f]{64}$/ };

/** Runs the binary: {status, out, err}. `stdout`: a descriptor in place of what is read. */
function command(args, env = {}, stdout = "pipe") {
  const { CALLIPTER_API_KEY, CALLIPTER_URL, ...rest } = process.env;
  const child = spawn(BINARY, args, { env: { ...rest, ...env }, stdio: ["ignore", stdout, "pipe"] });
  const said = { out: "", err: "" };
  child.stdout?.on("data", (d) => (said.out += d));
  child.stderr.on("data", (d) => (said.err += d));
  return new Promise((resolve) => child.on("close", (status, signal) => resolve({ status: status ?? signal, ...said })));
}

/** The command of one node, asked as somebody: `as` is {key} for the environment, {file} or {datadir}. */
const asker = (node, as) => (...args) =>
  command([...args, "--url", node.url, ...(as.file ? ["--key-file", as.file] : []), ...(as.datadir ? ["--datadir", as.datadir] : [])], as.key ? { CALLIPTER_API_KEY: as.key } : {});

/** What a success prints, without its last line break. */
async function out(running) {
  const r = await running;
  assert.equal(r.status, 0, JSON.stringify(r));
  return r.out.replace(/\n$/, "");
}

/** "name  value" lines as an object. */
const lines = (text) => Object.fromEntries(text.split("\n").map((l) => /^(\S+)\s+(.*)$/.exec(l).slice(1)));

/** A table as objects. */
function rows(text) {
  const [head, ...rest] = text.split("\n");
  const at = [...head.matchAll(/\S+/g)].map((m) => m.index);
  const cut = (l) => at.map((from, i) => l.slice(from, at[i + 1]).trim());
  return rest.map((l) => Object.fromEntries(cut(l).map((v, i) => [cut(head)[i], v])));
}

async function refused(running, code, words) {
  const r = await running;
  assert.equal(r.status, 1, JSON.stringify(r));
  assert.match(r.err, new RegExp(`^callipter \\w+ \\w+: .*${words}.* \\(${code}, request \\w+\\)\n$`));
  assert.equal(r.out, "");
}

async function universes(api, dir) {
  const { node } = api;
  const admin = asker(node, { datadir: dir });
  const nobody = asker(node, {});
  const made = await admin("universe", "create", "arena", "--gas", "1000000000000000000", "--metadata-uri", "ipfs://x y", "--idempotency-key", "make arena");
  const told = lines(await out(made));
  assert.match(told.secretKey, SECRET.secret);
  assert.match(told.publishableKey, SECRET.publishable);
  assert.match(made.err, /^callipter universe create: .*shown this once/);
  assert.ok(![told.secretKey, told.publishableKey].some((s) => made.err.includes(s)));
  assert.deepEqual([told.slug, told.status, told.metadataUri, told.gasAccount], ["arena", "active", "ipfs://x y", "1000000000000000000"]);
  assert.equal((await api.do("universe_whoami", { key: told.secretKey })).key.universe, "arena");

  // The same request is done once, and its secrets are not said again.
  const again = await admin("universe", "create", "arena", "--gas", "1000000000000000000", "--metadata-uri", "ipfs://x y", "--idempotency-key", "make arena");
  const { secretKey, publishableKey, ...universe } = told;
  assert.deepEqual([again.status, lines(again.out.trim())], [0, universe]);
  assert.match(again.err, /were shown when it was made/);
  await refused(admin("universe", "create", "arena"), "conflict", "'arena' is taken");
  await refused(asker(node, { key: told.secretKey })("universe", "create", "other"), "forbidden", "lacks the scope");
  await refused(nobody("universe", "show", "nowhere"), "not-found", "'nowhere'");

  const shown = lines(await out(nobody("universe", "show", "arena")));
  const { body } = await request(node, "GET", "/v1/u/arena");
  assert.deepEqual([shown.id, shown.owner, shown.signer, shown.url], [String(body.id), body.owner, body.signer, body.url]);
  assert.equal(Date.parse(shown.createdAt), body.createdAt * 1000);
  assert.equal(await out(nobody("universe", "show", "arena", "--json")), (await request(node, "GET", "/v1/u/arena")).text);
  await out(admin("universe", "create", "second", "--owner", `0x${"12".repeat(20)}`));
  assert.deepEqual(rows(await out(nobody("universe", "list"))).map((u) => u.slug), ["arena", "second"]);
  assert.deepEqual(rows(await out(nobody("universe", "list", "--after", "1", "--limit=5"))).map((u) => u.slug), ["second"]);
  assert.equal(lines(await out(nobody("universe", "show", "second"))).pendingOwner, `0x${"12".repeat(20)}`);
  return { sk: told.secretKey, pk: told.publishableKey };
}

async function decisions(api, { sk, pk }) {
  const { node } = api;
  const owner = asker(node, { key: sk });
  const status = async () => (await api.do("universe_get", { path: { slug: "arena" } })).status;
  assert.equal(lines(await out(owner("universe", "pause", "arena"))).status, "success");
  assert.equal(await status(), "paused");
  await refused(asker(node, { key: pk })("universe", "resume", "arena"), "forbidden", "lacks the scope");
  assert.equal(await status(), "paused");
  assert.equal(JSON.parse(await out(owner("universe", "resume", "arena", "--json"))).status, "success");
  assert.equal(await status(), "active");

  const sent = rows(await out(owner("universe", "policy", "arena", "--policy-max-gas", "1000000", "--policy-allow-value=true", "--budget-limit", "5000", "--budget-window", "60")));
  assert.deepEqual(sent.map((s) => s.status), ["success", "success"]);
  const gas = lines(await out(asker(node, { key: pk })("universe", "gas", "arena")));
  assert.deepEqual([gas["policy.maxGas"], gas["policy.allowValue"], gas["budget.limit"], gas["budget.window"]], ["1000000", "true", "5000", "60"]);
  const half = await owner("universe", "policy", "arena", "--budget-limit", "7");
  assert.deepEqual([half.status, /--budget-window is needed/.test(half.err)], [2, true]);

  const items = lines(await out(owner("universe", "deploy", "arena", "--template", "items", "--name", "Items", "--symbol", "ITM")))["contract.address"];
  await out(owner("universe", "deploy", "arena", "--template", "erc20", "--name", "Gold", "--symbol", "GLD", "--decimals", "0"));
  await refused(owner("universe", "deploy", "arena", "--template", "erc999", "--name", "x", "--symbol", "x"), "invalid-request", "template");
  const first = await asker(node, {})("universe", "contracts", "arena", "--limit", "1");
  assert.deepEqual(rows(await out(first)).map((c) => [c.address, c.template, c.standard]), [[items, "items", "erc1155"]]);
  const after = /there are more: --after (\S+)\n$/.exec(first.err)[1];
  assert.deepEqual(rows(await out(asker(node, {})("universe", "contracts", "arena", "--after", after))).map((c) => c.symbol), ["GLD"]);
  const more = await owner("universe", "targets", "arena", "--add", `${items}:play(uint256,address),${items}:0x12345678`, "--remove", `${items}:0x12345678`);
  assert.deepEqual(rows(await out(more)).map((s) => s.status), ["success", "success"]);
}

async function keys(api, { sk }, dir) {
  const { node } = api;
  const file = `${dir}/owner.key`;
  writeFileSync(file, `${sk}\n`, { mode: 0o600 });
  const owner = asker(node, { file });
  const made = await owner("key", "create", "arena", "--kind", "secret", "--label", "the shop", "--scopes", "read,keys", "--expires-at", "2100-01-31");
  const secret = await out(made);
  assert.match(secret, SECRET.secret); // stdout has it and nothing else
  const id = secret.split("_")[1];
  assert.match(made.err, new RegExp(`^callipter key create: this is the secret of key ${id};.*\n$`));
  assert.ok(!made.err.includes(secret));

  const who = asker(node, { key: secret });
  assert.deepEqual([lines(await out(who("key", "whoami"))).id, lines(await out(who("key", "whoami"))).scopes], [id, "read,keys"]);
  const shown = lines(await out(owner("key", "show", "arena", id)));
  assert.deepEqual([shown.label, shown.expiresAt, shown.kind], ["the shop", "2100-01-31T00:00:00Z", "secret"]);
  assert.deepEqual(JSON.parse(await out(owner("key", "show", "arena", id, "--json"))), (await api.do("universe_listKeys", { path: { slug: "arena" }, key: sk })).find((k) => k.id === id));
  const listed = rows(await out(owner("key", "list", "arena")));
  assert.deepEqual(listed.map((k) => k.kind).sort(), ["publishable", "secret", "secret"]);
  assert.deepEqual([listed.find((k) => k.id === id).label, listed.find((k) => k.id === id).revokedAt], ["the shop", "-"]);

  const raw = JSON.parse(await out(owner("key", "rotate", "arena", id, "--overlap-ms", "0", "--json")));
  assert.match(raw.secret, SECRET.secret);
  await refused(who("key", "whoami"), "unauthenticated", "expired");
  const fresh = asker(node, { key: raw.secret });
  await refused(fresh("key", "create", "arena", "--kind", "secret", "--scopes", "mint"), "forbidden", "'mint'");
  assert.notEqual(lines(await out(fresh("key", "revoke", "arena", raw.key.id))).revokedAt, undefined);
  await refused(fresh("key", "whoami"), "unauthenticated", "revoked");
  const readable = await out(owner("key", "create", "arena", "--kind=publishable"));
  assert.match(readable, SECRET.publishable);
  await refused(asker(node, { key: readable })("key", "list", "arena"), "forbidden", "lacks the scope");
  await refused(owner("key", "list", "second"), "forbidden", "another universe");
  await refused(owner("key", "revoke", "arena", "0123456789abcdef"), "not-found", "no such key");
  await refused(owner("key", "create", "arena", "--kind", "odd"), "invalid-request", "secret or publishable");
  assert.deepEqual(await owner("key", "show", "arena", "0123456789abcdef"), { status: 1, out: "", err: "callipter key show: there is no such key\n" });
  const problem = await owner("key", "create", "arena", "--kind", "odd", "--json");
  assert.deepEqual([problem.status, JSON.parse(problem.out).code], [1, "invalid-request"]);
}

/** Written wrongly: 2, and the node has not been asked. Not there: 3. */
async function wrong(api, { sk }) {
  const { node } = api;
  const env = { CALLIPTER_API_KEY: sk, CALLIPTER_URL: node.url };
  const cases = ["key", "key frob", "key list", "key list arena more", "key show arena", `key list arena --key ${sk}`, "key list arena --key-file /nowhere", "key list arena --datadir /nowhere",
    "key create arena", "key create arena --kind secret --expires-at soon", "key rotate arena 0123456789abcdef --overlap-ms -1", "universe", "universe show ARENA", "universe create arena --owner 0x12",
    "universe list --limit many", "universe list --url ftp://x", `universe list --url http://${sk}@${node.address}`, "universe policy arena --policy-active yes", "universe targets arena --add x", "universe pause arena --json=1"];
  const before = await api.node.rpc("eth_blockNumber");
  for (const c of cases) {
    const r = await command(c.split(" "), env);
    assert.deepEqual([r.status, r.out, /usage: callipter (key|universe)/.test(r.err)], [2, "", true], `${c}: ${JSON.stringify(r)}`);
  }
  const bare = await command(["key", "list", "arena"], { CALLIPTER_URL: node.url });
  assert.deepEqual([bare.status, /an API key is needed/.test(bare.err)], [2, true]);
  assert.equal(await api.node.rpc("eth_blockNumber"), before);

  const gone = await command(["universe", "list"], { CALLIPTER_URL: "http://127.0.0.1:1" });
  assert.deepEqual([gone.status, gone.out, /no answer of a node/.test(gone.err)], [3, "", true]);
  const elsewhere = await command(["universe", "list", "--url", `${node.url}/metrics`], env);
  assert.deepEqual([elsewhere.status, /HTTP status 404/.test(elsewhere.err)], [3, true]);
  // A secret that cannot be written is no success.
  const full = openSync("/dev/full", "w");
  const lost = await command(["key", "create", "arena", "--kind", "secret"], env, full);
  closeSync(full);
  assert.deepEqual([lost.status, /key create: the node has answered, but that cannot be written\n/.test(lost.err)], [4, true]);
}

/** https:, by an authority of the operator's own. */
async function encrypted() {
  const dir = tempDir();
  const [cert, key] = [`${dir}/cert.pem`, `${dir}/key.pem`];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const node = await Node.start(undefined, ["--tls-cert", cert, "--tls-key", key]);
  const env = { CALLIPTER_URL: `https://${node.address}`, CALLIPTER_API_KEY: adminKey(node) };
  assert.equal(lines(await out(command(["key", "whoami", "--ca-file", cert], env))).kind, "admin");
  const stranger = await command(["key", "whoami"], env);
  assert.deepEqual([stranger.status, stranger.out], [3, ""]);
  assert.doesNotMatch(stranger.err, /ak_/);
  const plain = await command(["key", "whoami"], { ...env, CALLIPTER_URL: `http://${node.address}` });
  assert.equal(plain.status, 3);
  await node.stop();
}

export async function run() {
  const dir = tempDir();
  const node = await Node.start(`${dir}/data`);
  const api = await Api.of(node);
  const own = await check("cli: universes are created, listed and shown", () => universes(api, `${dir}/data`));
  if (!own) throw new Error("there is no universe for the rest");
  await check("cli: pause, policy, targets, contracts", () => decisions(api, own));
  await check("cli: API keys are made, shown, turned and revoked; a secret is on stdout alone", () => keys(api, own, dir));
  await check("cli: wrong usage is 2, no node is 3, an answer that cannot be written is told", () => wrong(api, own));
  await check("cli: https", encrypted);
  await node.stop();
}
