// The universes' API: a game from an empty chain to a player's transfer; every route with every kind of key; idempotency; secrets that
// appear nowhere.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { createPublicClient, createWalletClient, http, parseAbi } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import WebSocket from "ws";
import { Api, adminKey, operations, request } from "./lib/api.mjs";
import { BINARY, Node, READY_MS, devAccounts, tempDir } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { chainOf } from "./lib/viem.mjs";

const callipter = (args) => spawnSync(BINARY, args, { encoding: "utf8" });
const LONGEST_POLL_MS = 30000;
const word = (n) => `0x${n.toString(16).padStart(64, "0")}`;
const address = (n) => `0x${n.toString(16).padStart(40, "0")}`;

/** A universe with an items contract: its keys and the contract's address. */
export async function universe(api, slug, { gas = "1000000000000000000", key = adminKey(api.node) } = {}) {
  const made = await api.do("universe_create", { key, body: { slug, gas } });
  const [sk, pk] = [made.secretKey.secret, made.publishableKey.secret];
  const items = await api.do("universe_deploy", { path: { slug }, key: sk, body: { template: "items", name: "Items", symbol: "ITM" } });
  return { slug, sk, pk, items: items.contract.address };
}

async function game(api) {
  const { sk, pk, slug, items } = await universe(api, "arena");
  const at = { slug, address: items };
  const classes = Array.from({ length: 10 }, (_, i) => ({ id: i + 1, maxSupply: i === 9 ? 3 : 0, name: `Sword ${i}`, rarity: i > 7 ? "epic" : "common", variations: ["red", "blue"], attributes: { damage: i } }));
  const defined = await api.do("universe_defineClasses", { path: at, key: sk, body: { classes } });
  assert.deepEqual(defined.classes.map((c) => c.status), Array(10).fill("defined"));
  const again = await api.do("universe_defineClasses", { path: at, key: sk, body: { classes: classes.slice(0, 2) } });
  assert.deepEqual(again.classes.map((c) => c.status), ["exists", "exists"]);

  const list = Array.from({ length: 1000 }, (_, i) => ({ referenceId: word(i + 1), to: address(1 + (i % 10)), id: 1 + (i % 3) }));
  const minted = await api.do("universe_mint", { path: at, key: sk, body: { items: list } });
  assert.equal(minted.minted, 1000);
  assert.ok(new Set(minted.items.map((i) => i.transaction)).size > 1, "1,000 items do not fit one transaction");
  const twice = await api.do("universe_mint", { path: at, key: sk, body: { items: [...list.slice(0, 3), { to: address(1), id: 1, referenceId: word(5000) }, { to: address(1), id: 1, referenceId: word(5000) }] } });
  assert.deepEqual(twice.items.map((i) => i.status), ["exists", "exists", "exists", "minted", "exists"]);

  const over = await api.call("universe_mint", { path: at, key: sk, body: { items: [{ to: address(1), id: 10, amount: 4 }] } });
  assert.deepEqual([over.status, over.body.code, over.body.revert.name], [422, "reverted", "SupplyExceeded"]);
  assert.equal(over.body.requestId, over.requestId);
  const { outputs } = await api.do("universe_call", { path: at, key: pk, body: { fn: "balanceOf", args: { account: address(1), id: 1 } } });
  const total = list.filter((i) => i.to === address(1) && i.id === 1).length + 1;
  assert.deepEqual(Object.values(outputs), [String(total)]);
}

/** What tokens are, at the addresses that the contracts themselves give. */
async function metadata(api) {
  const { sk, pk, slug, items } = await universe(api, "meta");
  const at = { slug, address: items };
  const about = { name: "Bow", description: "of yew", image: "ipfs://x", rarity: "epic", attributes: { range: 7, "two words": true } };
  await api.do("universe_defineClasses", { path: at, key: sk, body: { classes: [{ id: "300", ...about }] } });
  const { outputs } = await api.do("universe_call", { path: at, key: pk, body: { fn: "uri", args: [300] } });
  const [uri] = Object.values(outputs);
  assert.equal(uri, `${api.node.url}/v1/u/${slug}/contracts/${items}/metadata/{id}`);
  const told = await fetch(uri.replace("{id}", (300).toString(16).padStart(64, "0"))).then((r) => r.json());
  assert.deepEqual([told.name, told.description, told.image], ["Bow", "of yew", "ipfs://x"]);
  assert.deepEqual(told.attributes, [{ trait_type: "rarity", value: "epic" }, { trait_type: "range", value: 7 }, { trait_type: "two words", value: true }]);
  assert.deepEqual(await api.do("universe_getMetadata", { path: { ...at, id: "300" } }), told);
  assert.equal((await api.call("universe_getMetadata", { path: { ...at, id: "301" } })).status, 404);

  const art = await api.do("universe_deploy", { path: { slug }, key: sk, body: { template: "erc721", name: "Art", symbol: "ART" }, headers: { "idempotency-key": "art" } });
  const again = await api.do("universe_deploy", { path: { slug }, key: sk, body: { template: "erc721", name: "Art", symbol: "ART" }, headers: { "idempotency-key": "art" } });
  assert.deepEqual(again, art);
  const path = { slug, address: art.contract.address };
  await api.do("universe_defineClasses", { path, key: sk, body: { classes: [{ id: 2, name: "Picture" }] } });
  const id = String(2n * 2n ** 64n + 5n);
  await api.do("universe_mint", { path, key: sk, body: { items: [{ to: address(1), id, referenceId: word(1) }] } });
  const [tokenUri] = Object.values((await api.do("universe_call", { path, key: pk, body: { fn: "tokenURI", args: [id] } })).outputs);
  assert.equal((await fetch(tokenUri).then((r) => r.json())).name, "Picture");
  const coin = await api.do("universe_deploy", { path: { slug }, key: sk, body: { template: "erc20", name: "Gold", symbol: "GLD", cap: "1000", decimals: 0 } });
  const gold = { slug, address: coin.contract.address };
  await api.do("universe_mint", { path: gold, key: sk, body: { items: [{ to: address(4), amount: "600", referenceId: word(1) }] } });
  const over = await api.call("universe_mint", { path: gold, key: sk, body: { items: [{ to: address(4), amount: "401" }] } });
  assert.equal(over.status, 422);
  assert.equal((await api.call("universe_deploy", { path: { slug }, key: sk, body: { template: "erc20", name: "x", symbol: "x", decimals: 256 } })).status, 400);
  const list = await pages(api, "universe_listContracts", { path: { slug }, query: { limit: 2 } });
  assert.deepEqual(list.map((c) => [c.template, c.standard]), [["items", "erc1155"], ["erc721", "erc721"], ["erc20", "erc20"]]);
  const listed = await api.do("universe_list", {});
  assert.ok(listed.some((u) => u.slug === slug) && listed.every((u, i) => u.id === i + 1));
}

/** All items of a list that comes in pages. */
async function pages(api, name, { query = {}, ...args }) {
  const all = [];
  for (let after; ; ) {
    const page = await api.do(name, { ...args, query: after ? { ...query, after } : query });
    all.push(...page.items);
    if (!page.next) return all;
    after = page.next;
  }
}

/** Who has what, as the contracts themselves say. */
async function holdings(api) {
  const { sk, pk, slug, items } = await universe(api, "have");
  const path = { slug, address: items };
  const classes = Array.from({ length: 5 }, (_, i) => ({ id: i + 1, name: `Gem ${i}`, maxSupply: 1000 }));
  await api.do("universe_defineClasses", { path, key: sk, body: { classes } });
  const list = Array.from({ length: 300 }, (_, i) => ({ to: address(5000 + (i % 30)), id: 1 + (i % 5), amount: 1 + (i % 7) }));
  await api.do("universe_mint", { path, key: sk, body: { items: list } });
  const sum = (f) => list.filter(f).reduce((n, i) => n + i.amount, 0);

  for (const player of [5000, 5017]) {
    const have = await pages(api, "universe_inventory", { path: { slug, player: address(player) }, key: pk, query: { limit: 1 } });
    const ids = [...new Set(list.filter((i) => i.to === address(player)).map((i) => i.id))].sort();
    assert.deepEqual(have.map((h) => [h.contract, h.id, h.amount]), ids.map((id) => [items, String(id), String(sum((i) => i.to === address(player) && i.id === id))]));
  }
  const holders = await pages(api, "universe_holders", { path, key: pk, query: { id: 1, limit: 4 } });
  assert.equal(holders.length, 6);
  assert.deepEqual(holders.map((h) => BigInt(h.amount)), holders.map((h) => BigInt(h.amount)).sort((a, b) => Number(b - a)));
  assert.equal(holders.reduce((n, h) => n + Number(h.amount), 0), sum((i) => i.id === 1));
  const told = await pages(api, "universe_listClasses", { path, key: pk, query: { limit: 2 } });
  assert.deepEqual(told.map((k) => [k.id, k.supply, k.maxSupply, k.about.name]), classes.map((k) => [String(k.id), String(sum((i) => i.id === k.id)), "1000", k.name]));
  assert.equal((await api.call("universe_holders", { path, key: pk, query: { after: "zz" } })).status, 400);
}

/** Events by cursor, each once and in order; a poll that waits is answered by the next block. */
async function events(api) {
  const { sk, pk, slug, items } = await universe(api, "tape");
  const path = { slug, address: items };
  await api.do("universe_defineClasses", { path, key: sk, body: { classes: [{ id: 1, name: "Gem" }] } });
  const whole = { path: { slug }, key: pk };
  const seen = [];
  let next;
  const read = async (query) => {
    const page = await api.do("universe_events", { ...whole, query: { ...query, ...(next ? { after: next } : {}) } });
    seen.push(...page.items);
    next = page.next;
    return page;
  };
  while ((await read({ limit: 3 })).more);
  assert.ok(seen.some((e) => e.name === "ClassDefined" && e.args.id === "1" && e.contract === items));
  const before = seen.length;
  const waiting = read({ waitMs: LONGEST_POLL_MS });
  const begun = performance.now();
  await api.do("universe_mint", { path, key: sk, body: { items: [{ to: address(6), id: 1, amount: 2 }] } });
  await waiting;
  assert.ok(performance.now() - begun < LONGEST_POLL_MS * 0.9, "the poll is answered by the block");
  const minted = seen.slice(before).find((e) => e.name === "TransferSingle");
  assert.deepEqual([minted.kind, minted.args.to, minted.args.value, minted.universe], ["log", address(6), "2", slug]);
  const nothing = performance.now();
  assert.equal((await read({ waitMs: 300 })).items.length, 0);
  assert.ok(performance.now() - nothing > 290);
  const all = await api.do("universe_events", { ...whole, query: { limit: 1000 } });
  assert.deepEqual(all.items, seen);
  assert.deepEqual(all.items.map((e) => e.cursor), all.items.map((e) => e.cursor).sort());
  const logs = await api.node.rpc("eth_getLogs", [{ fromBlock: "0x0", address: items }]);
  const mine = all.items.filter((e) => e.contract === items);
  assert.deepEqual(mine.map((e) => [e.tx, e.logIndex, e.raw.topics, e.raw.data]), logs.map((l) => [l.transactionHash, Number(l.logIndex), l.topics, l.data]));
  const one = await api.do("universe_events", { ...whole, query: { contract: items, limit: 1000 } });
  assert.deepEqual(one.items, mine);
  assert.equal((await api.call("universe_events", { ...whole, query: { after: "nonsense" } })).status, 400);

  // The same as a stream, from the middle on, and what comes while it is open.
  const half = all.items[Math.floor(all.items.length / 2)].cursor;
  const stop = new AbortController();
  const res = await fetch(`${api.node.url}/v1/u/${slug}/events`, { signal: stop.signal, headers: { authorization: `Bearer ${pk}`, accept: "text/event-stream", "last-event-id": half } });
  assert.deepEqual([res.status, res.headers.get("content-type")], [200, "text/event-stream"]);
  const rest = all.items.slice(all.items.findIndex((e) => e.cursor === half) + 1);
  const got = [];
  let text = "", sent = false;
  for await (const chunk of res.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      if (id === undefined) continue;
      got.push(JSON.parse(data));
      assert.equal(got.at(-1).cursor, id);
    }
    if (got.length < rest.length) continue;
    if (got.length > rest.length) break;
    if (!sent) api.do("universe_mint", { path, key: sk, body: { items: [{ to: address(6), id: 1, amount: 9 }] } });
    sent = true;
  }
  stop.abort();
  assert.deepEqual(got.slice(0, rest.length), rest);
  assert.equal(got.at(rest.length).args.value, "9");
  // The same over a WebSocket, whose keys come with the handshake.
  const ws = new WebSocket(`${api.node.url.replace("http", "ws")}/u/${slug}`, { headers: { "x-api-key": pk } });
  await new Promise((resolve, reject) => ((ws.onopen = resolve), (ws.onerror = reject)));
  const told = [];
  let id, ended, enough;
  const complete = new Promise((resolve) => (enough = resolve));
  ws.onmessage = ({ data }) => {
    const m = JSON.parse(data);
    if (m.id === 1) id = m.result ?? assert.fail(data);
    if (m.id === 2) ended = m.result;
    if (m.method) assert.equal(m.params.subscription, id, data);
    if (m.method === "universe_subscription") told.push(m.params.result);
    if (told.length === got.length - 1 && !ended) ws.send(JSON.stringify({ jsonrpc: "2.0", id: 2, method: "universe_unsubscribe", params: [id] }));
    if (ended !== undefined) enough();
  };
  ws.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "universe_subscribe", params: [{ after: got[0].cursor }] }));
  await complete;
  assert.deepEqual(told, got.slice(1));
  assert.equal(ended, true);
  ws.close();
  const plain = await api.node.call("universe_subscribe", [{ slug }]);
  assert.equal(plain.error.code, -32601, "only over a WebSocket");
  const refused = await fetch(`${api.node.url}/v1/u/${slug}/events`, { headers: { accept: "text/event-stream" } });
  assert.deepEqual([refused.status, refused.headers.get("content-type")], [401, "application/problem+json"]);
}

async function wallet(api) {
  const { sk, pk, slug, items } = await universe(api, "players");
  const player = privateKeyToAccount(generatePrivateKey());
  await api.do("universe_defineClasses", { path: { slug, address: items }, key: sk, body: { classes: [{ id: 1, name: "Gem" }] } });
  await api.do("universe_mint", { path: { slug, address: items }, key: sk, body: { items: [{ to: player.address, id: 1, amount: 5 }] } });
  const url = `${api.node.url}/u/${slug}`;
  const chain = chainOf(api.node, { rpcUrls: { default: { http: [url] } } });
  const client = createPublicClient({ chain, transport: http(url), pollingInterval: 20, cacheTime: 0 });
  const w = createWalletClient({ chain, transport: http(url), account: player });
  const abi = await api.do("universe_getAbi", { path: { slug, address: items } });
  const hash = await w.writeContract({ address: items, abi, functionName: "safeTransferFrom", args: [player.address, address(77), 1n, 2n, "0x"] });
  assert.equal((await client.waitForTransactionReceipt({ hash })).status, "success");
  assert.equal(await client.getBalance({ address: player.address }), 0n, "the player has never had anything");
  assert.equal(await client.readContract({ address: items, abi, functionName: "balanceOf", args: [address(77), 1n] }), 2n);
  const status = await api.do("universe_txStatus", { path: { slug, hash } });
  assert.equal(status.status, "success");
  const gas = await api.do("universe_gas", { path: { slug }, key: pk });
  assert.ok(BigInt(gas.gasAccount) < 10n ** 18n, "the universe has paid");
  assert.equal((await request(api.node, "POST", "/u/nowhere", { body: {} })).status ?? 0, 404);
}

async function idempotency(api) {
  const { sk, slug, items } = await universe(api, "twice");
  const path = { slug, address: items };
  const keyed = (k) => ({ "idempotency-key": k });
  await api.do("universe_defineClasses", { path, key: sk, body: { classes: [{ id: 1, name: "Gem" }] }, headers: keyed("classes") });
  const body = { items: [{ to: address(9), id: 1, amount: 1 }] };
  const first = await api.call("universe_mint", { path, key: sk, body, headers: keyed("a") });
  const second = await api.call("universe_mint", { path, key: sk, body, headers: keyed("a") });
  assert.deepEqual([first.status, first.replayed, second.status, second.replayed], [201, false, 201, true]);
  assert.equal(second.text, first.text);
  const other = await api.call("universe_mint", { path, key: sk, body: { items: [{ to: address(8), id: 1 }] }, headers: keyed("a") });
  assert.deepEqual([other.status, other.body.code], [422, "idempotency-mismatch"]);
  const engine = await api.call("universe_mint", { path, key: sk, body, headers: { "x-idempotency-key": "a" } });
  assert.equal(engine.replayed, true);

  // A refusal is not remembered: nothing was done.
  const refused = await api.call("universe_mint", { path, key: sk, body: { items: [{ to: address(9), id: 99 }] }, headers: keyed("b") });
  assert.equal(refused.status, 422);
  await api.do("universe_mint", { path, key: sk, body, headers: keyed("b") });

  // Twenty at once with one key: one does it, the others are told so or get its answer.
  const many = await Promise.all(Array.from({ length: 20 }, () => api.call("universe_mint", { path, key: sk, body, headers: keyed("c") })));
  assert.ok(many.every((r) => r.status === 201 || (r.status === 409 && r.body.code === "in-flight")), JSON.stringify(many.map((r) => r.status)));
  assert.equal(new Set(many.filter((r) => r.status === 201).map((r) => r.text)).size, 1);
  const { outputs } = await api.do("universe_call", { path, key: sk, body: { fn: "balanceOf", args: [address(9), 1] } });
  assert.deepEqual(Object.values(outputs), ["3"]);

  // Another universe's or another key's name is another request.
  const fresh = await api.do("universe_createKey", { path: { slug }, key: sk, body: { kind: "secret", scopes: ["mint"] } });
  const mine = await api.call("universe_mint", { path, key: fresh.secret, body, headers: keyed("a") });
  assert.deepEqual([mine.status, mine.replayed], [201, false]);

  // What came with a WebSocket's handshake names none of its calls.
  const ws = new WebSocket(`${api.node.url.replace("http", "ws")}/u/${slug}`, { headers: { "x-api-key": sk, ...keyed("d") } });
  const told = [];
  await new Promise((resolve, reject) => {
    ws.onerror = reject;
    ws.onopen = () => [2, 3].forEach((amount, id) => ws.send(JSON.stringify({ jsonrpc: "2.0", id, method: "universe_mint", params: [{ slug, ...path, items: [{ to: address(9), id: 1, amount }] }] })));
    ws.onmessage = ({ data }) => told.push(JSON.parse(data)) === 2 && resolve();
  });
  assert.deepEqual(told.map((m) => m.result?.minted), [1, 1], JSON.stringify(told));
  ws.close();
}

/** A deployment whose last step fails is told as failed, and the contract is listed for what it is. */
async function halfDeployed(api) {
  const { node } = api;
  const [operator, owner] = devAccounts(node);
  const slug = "revoked", DEPLOY = 1n;
  const made = await api.do("universe_create", { key: adminKey(node), body: { slug, gas: "1000000000000000000", owner: owner.address } });
  const { id } = await api.do("universe_get", { path: { slug } });
  const chain = chainOf(node);
  const w = createWalletClient({ chain, transport: http(node.url), account: privateKeyToAccount(owner.key) });
  const abi = parseAbi(["function acceptOwnership(uint64 id)", "function setRole(uint64 id, address account, uint64 bits, uint64 expiry)"]);
  const registry = (functionName, args) => w.writeContract({ address: "0x0000000000000000000000000000000000007500", abi, functionName, args });
  await registry("acceptOwnership", [BigInt(id)]);
  await registry("setRole", [BigInt(id), operator.address, DEPLOY, 0n]);
  const body = { template: "items", name: "Late", symbol: "LTE" };
  const r = await api.call("universe_deploy", { path: { slug }, key: made.secretKey.secret, body });
  assert.equal(r.status, 422, r.text);
  const list = await api.do("universe_listContracts", { path: { slug } });
  assert.deepEqual((list.items ?? list).map((c) => [c.template, c.name]), [["items", "Late"]]);
}

/** Fifty callers of one account, none of whom knows a nonce. */
async function nonces(api) {
  const { sk, slug, items } = await universe(api, "nonces");
  const path = { slug, address: items };
  await api.do("universe_defineClasses", { path, key: sk, body: { classes: [{ id: 1, name: "Gem", maxSupply: 150 }] } });
  const one = (i) => api.call("universe_mint", { path, key: sk, body: { items: [{ to: address(500 + i), id: 1 }] }, headers: { "idempotency-key": `n${i}` } });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
  const good = answers.filter((r) => r.status === 201 && r.body.minted === 1).length;
  assert.equal(good, 150, JSON.stringify(answers.map((r) => r.status)));
  const supply = await api.do("universe_call", { path, key: sk, body: { fn: "totalSupply(uint256)", args: [1] } });
  assert.deepEqual(Object.values(supply.outputs), ["150"]);
}

async function keys(api) {
  const { sk, pk, slug } = await universe(api, "keys");
  const path = { slug };
  const made = await api.do("universe_createKey", { path, key: sk, body: { kind: "secret", label: "shop", scopes: ["read", "keys"] } });
  assert.match(made.secret, /^sk_[0-9a-f]{16}_[0-9a-f]{64}$/);
  assert.deepEqual((await api.do("universe_whoami", { key: made.secret })).key.scopes, ["read", "keys"]);
  const more = await api.call("universe_createKey", { path, key: made.secret, body: { kind: "secret", scopes: ["mint"] } });
  assert.equal(more.status, 403, "a key cannot give what it does not have");
  const rotated = await api.do("universe_rotateKey", { path: { slug, key: made.key.id }, key: sk, body: { overlapMs: 0 } });
  assert.deepEqual((await api.do("universe_whoami", { key: rotated.secret })).key.scopes, ["read", "keys"]);
  await api.do("universe_revokeKey", { path: { slug, key: rotated.key.id }, key: sk });
  const revoked = await api.call("universe_whoami", { key: rotated.secret });
  assert.deepEqual([revoked.status, revoked.body.code], [401, "unauthenticated"]);
  const listed = await api.do("universe_listKeys", { path, key: sk });
  assert.deepEqual(listed.map((k) => k.kind).sort(), ["publishable", "secret", "secret", "secret"]);
  assert.ok(listed.every((k) => !("secret" in k) && !("hash" in k)));
  const stolen = await api.call("universe_whoami", { key: pk.replace("pk_", "sk_") });
  assert.equal(stolen.status, 401, "a key's kind is part of it");
  const admin = await api.call("universe_createKey", { path, key: sk, body: { kind: "secret", scopes: ["admin"] } });
  assert.equal(admin.status, 403);
}

/** Keys that are changed side by side: what was revoked stays so; what has ended is not kept for ever; what is temporary stays so. */
async function keyChanges(api) {
  const { sk, slug } = await universe(api, "changes");
  const create = (body = {}, key = sk) => api.do("universe_createKey", { path: { slug }, key, body: { kind: "secret", ...body } });
  const revoke = (id) => api.do("universe_revokeKey", { path: { slug, key: id }, key: sk });
  for (let i = 0; i < 40; i++) {
    const made = await create();
    const both = [() => api.call("universe_rotateKey", { path: { slug, key: made.key.id }, key: sk, body: {} }), () => revoke(made.key.id)];
    const [rotated] = (await Promise.all((i % 2 ? both : both.reverse()).map((f) => f()))).filter((r) => "status" in r);
    assert.equal((await api.call("universe_whoami", { key: made.secret })).status, 401, `round ${i}: ${JSON.stringify(rotated.body)}`);
    if (rotated.status === 201) await revoke(rotated.body.key.id);
    else assert.deepEqual([rotated.status, rotated.body.detail], [400, "the key has ended already"]);
  }
  for (let i = 0; i < 70; i++) await revoke((await create()).key.id);
  const listed = await api.do("universe_listKeys", { path: { slug }, key: sk });
  assert.deepEqual([listed.length, listed.filter((k) => k.revokedAt).length], [2 + 64, 64]);

  const end = Date.now() + 3600000;
  const short = await create({ expiresAt: end, scopes: ["read", "keys"] });
  const again = await api.do("universe_rotateKey", { path: { slug, key: short.key.id }, key: short.secret, body: {} });
  assert.equal(again.key.expiresAt, end);
  const child = await create({ scopes: ["read"] }, short.secret);
  assert.equal(child.key.expiresAt, end);
  const early = await create({ scopes: ["read"], expiresAt: end - 1000 }, short.secret);
  assert.equal(early.key.expiresAt, end - 1000);
}

/** Changes of one policy side by side, each of which names one field: none takes another's back. */
async function policies(api) {
  const { sk, slug } = await universe(api, "policies");
  const change = async (policy) => {
    for (;;) {
      const r = await api.call("universe_setPolicy", { path: { slug }, key: sk, body: { policy } });
      if (r.status === 200) return;
      assert.deepEqual([r.status, r.body.code], [409, "in-flight"]);
    }
  };
  for (let i = 0; i < 10; i++) {
    const want = { active: i % 2 === 0, maxDataBytes: 1000 + i, maxGas: String(30000 + i), expiry: String(4000000000 + i) };
    await Promise.all(Object.entries(want).map(([name, value]) => change({ [name]: value })));
    const { policy } = await api.do("universe_gas", { path: { slug }, key: sk });
    for (const name in want) assert.equal(String(policy[name]), String(want[name]), `round ${i}: ${name}`);
  }
}

/** A universe has 256 ABIs: one more is refused, but one of them can be replaced. */
async function abis(api) {
  const { sk, slug } = await universe(api, "abis");
  const deploy = () => api.do("universe_deploy", { path: { slug }, key: sk, body: { template: "erc20", name: "Gold", symbol: "GLD" } });
  const upload = (address, name) => api.call("universe_setAbi", { path: { slug, address }, key: sk, body: { abi: [{ type: "function", name, inputs: [], outputs: [], stateMutability: "view" }] } });
  const contracts = [];
  while (contracts.length < 257) contracts.push(...(await Promise.all(Array.from({ length: Math.min(32, 257 - contracts.length) }, deploy))).map((d) => d.contract.address));
  for (const address of contracts.slice(0, 256)) assert.equal((await upload(address, "before")).status, 200);
  const over = await upload(contracts[256], "before");
  assert.deepEqual([over.status, over.body.detail], [429, "a universe has at most 256 ABIs"]);
  assert.equal((await upload(contracts[0], "after")).status, 200);
  assert.equal((await api.do("universe_getAbi", { path: { slug, address: contracts[0] } }))[0].name, "after");
}

/** What was opened with a key ends with it: calls and events of a WebSocket, a stream over HTTP. */
async function openConnections(api) {
  const { sk, slug, items } = await universe(api, "open");
  const at = { slug, address: items };
  await api.do("universe_defineClasses", { path: at, key: sk, body: { classes: [{ id: 1, name: "Gem" }] } });
  const { key, secret } = await api.do("universe_createKey", { path: { slug }, key: sk, body: { kind: "secret" } });
  const ws = new WebSocket(`${api.node.url.replace("http", "ws")}/u/${slug}`, { headers: { authorization: `Bearer ${secret}` } });
  await new Promise((resolve, reject) => ((ws.onopen = resolve), (ws.onerror = reject)));
  const waiting = new Map(), notices = [];
  let noticed;
  ws.onmessage = ({ data }) => {
    const m = JSON.parse(data);
    if (m.method) notices.push(m.params);
    else waiting.get(m.id)(m);
    if (m.params?.error) noticed();
  };
  const ended = new Promise((resolve) => (noticed = resolve));
  const ask = (id, method, params = []) => new Promise((resolve) => (waiting.set(id, resolve), ws.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }))));
  assert.equal((await ask(1, "universe_whoami")).result.key.id, key.id);
  assert.ok((await ask(2, "universe_subscribe", [{}])).result);
  const stream = await fetch(`${api.node.url}/v1/u/${slug}/events`, { headers: { authorization: `Bearer ${secret}`, accept: "text/event-stream" } });
  const streamed = stream.text(); // its end

  await api.do("universe_revokeKey", { path: { slug, key: key.id }, key: sk });
  const args = [{ address: items, items: [{ to: address(1), id: 1 }] }];
  for (const [id, method, params] of [[3, "universe_whoami"], [4, "universe_mint", args], [5, "universe_get"], [6, "universe_createKey", [{ kind: "secret" }]]])
    assert.deepEqual((await ask(id, method, params)).error?.code, -32041, method);
  assert.ok((await ask(7, "eth_blockNumber")).result, "what takes no key goes on");
  for (let i = 1; i < 3; i++) await api.do("universe_mint", { path: at, key: sk, body: { items: [{ to: address(i), id: 1, amount: 7000 + i }] } });
  await ended;
  const after = [JSON.stringify(notices), await streamed].filter((text) => text.includes("7002"));
  assert.deepEqual(after, [], "at most what was asked for before the key ended");
  ws.close();
}

/** Every route with every kind of key: who lacks the scope gets 401 or 403 whatever he asks for, and nobody else does. */
async function matrix(api) {
  const mine = await universe(api, "mine");
  const theirs = await universe(api, "theirs");
  const dead = await api.do("universe_createKey", { path: { slug: "mine" }, key: mine.sk, body: { kind: "secret" } });
  await api.do("universe_revokeKey", { path: { slug: "mine", key: dead.key.id }, key: mine.sk });
  const old = await api.do("universe_createKey", { path: { slug: "mine" }, key: mine.sk, body: { kind: "secret" } });
  await api.do("universe_rotateKey", { path: { slug: "mine", key: old.key.id }, key: mine.sk, body: { overlapMs: 0 } });
  const single = {};
  for (const scope of ["read", "tx", "mint", "transfer", "schema", "deploy", "sponsor", "keys", "pause"])
    single[scope] = (await api.do("universe_createKey", { path: { slug: "mine" }, key: mine.sk, body: { kind: "secret", scopes: [scope] } })).secret;
  const who = { none: undefined, wrong: `${mine.sk.slice(0, -1)}${mine.sk.endsWith("0") ? "1" : "0"}`, theirs: theirs.sk, pk: mine.pk, revoked: dead.secret, expired: old.secret, sk: mine.sk, admin: adminKey(api.node), ...single };
  const path = { slug: "mine", address: mine.items, hash: word(1), key: "0000000000000001", id: "1", player: address(1) };
  let cells = 0;
  for (const { verb, path: form, op } of operations(api.doc))
    for (const [name, key] of Object.entries(who)) {
      const target = form.replaceAll(/\{(\w+)\}/g, (_, p) => path[p]);
      // Bodies that no route takes: who may ask is told that, and nothing changes.
      const r = await request(api.node, verb, target, { key, body: verb === "GET" ? undefined : { nonsense: 1 } });
      const scope = op["x-scope"];
      const dead = ["wrong", "revoked", "expired"].includes(name);
      const bound = form.includes("{slug}");
      const may = !dead && (scope === "public" || (key && (scope === "any" || name === "admin" || (scope !== "admin" && (name === "sk" || name === scope || (name === "theirs" && !bound) || (name === "pk" && scope === "read"))))));
      const where = `${verb} ${form} (${scope}) with ${name}: ${r.status} ${r.text}`;
      if (dead || (!key && !may)) assert.equal(r.status, 401, where);
      else if (!may) assert.equal(r.status, 403, where);
      else assert.ok(![401, 403].includes(r.status), where);
      cells++;
    }
  // The same rules over JSON-RPC.
  for (const { op } of operations(api.doc)) {
    const args = { ...path, nonsense: 1 };
    const r = await fetch(api.node.url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: op.operationId, params: [args] }) }).then((x) => x.json());
    assert.equal(r.error.code === -32041, op["x-scope"] !== "public", `${op.operationId}: ${JSON.stringify(r)}`);
  }
  assert.ok(cells > 300, `${cells} cells`);
}

/** All files of a folder but those in `secrets/`. */
const filesOf = (dir) => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && path.basename(f.parentPath ?? f.path) !== "secrets").map((f) => path.join(f.parentPath ?? f.path, f.name));

/** What a program says that is started with these arguments and ends. */
function said(args) {
  const r = spawnSync(BINARY, ["run", ...args], { encoding: "utf8", timeout: 60000 });
  return { status: r.status, text: r.stdout + r.stderr };
}

/** Answers to everything that an API key can ask, right and wrong, with keys where they belong and where they do not. */
async function provoke(api, { slug, items, sk, pk, admin }) {
  const texts = [];
  const wrong = (kind) => `${kind}k_feedfacecafebeef_${"c0ffee11".repeat(8)}`;
  const keep = async (verb, target, options) => void texts.push(JSON.stringify(await request(api.node, verb, target, options)));
  for (const { verb, path: form, op } of operations(api.doc)) {
    const target = form.replaceAll(/\{(\w+)\}/g, (_, p) => ({ slug, address: items, hash: word(1), key: "0000000000000001", id: "1", player: address(1) })[p]);
    const body = verb === "GET" ? undefined : {};
    for (const headers of [{ authorization: `Bearer ${wrong("s")}` }, { "x-api-key": wrong("p") }, { authorization: wrong("a") }, { authorization: `Basic ${wrong("s")}` }, { authorization: `Bearer ${sk}x` }])
      await keep(verb, target, { headers, body });
    for (const name of ["token", "key", "api_key"])
      for (const key of [sk, admin, wrong("s")]) await keep(verb, `${target}?${name}=${key}`, { body });
    if (op.operationId === "universe_createKey") continue; // whose answer is a new secret
    for (const key of [sk, pk, admin]) {
      await keep(verb, target, { key, body: verb === "GET" ? undefined : { nonsense: 1 } });
      await keep(verb, target, { headers: { "x-api-key": key }, body });
    }
  }
  for (const target of ["/", `/u/${slug}`, "/v1/nowhere", `/?token=${sk}`, `/u/${slug}?token=${sk}`, `/nowhere?token=${admin}`])
    for (const key of [wrong("s"), sk, admin])
      for (const body of [{ jsonrpc: "2.0", id: 1, method: "universe_whoami" }, { jsonrpc: "2.0", id: 1, method: "universe_mint", params: [{ slug, address: items, items: [] }] }, { jsonrpc: "2.0", id: 1, method: "rpc.discover" }, 7])
        await keep("POST", target, { key, body });
  for (const target of ["/metrics", "/livez", "/readyz", `/metrics?token=${sk}`]) texts.push(await fetch(`${api.node.url}${target}`).then((r) => r.text()));
  for (const headers of [{ "x-api-key": sk }, { "x-api-key": wrong("s") }, { authorization: `Bearer ${admin}` }, {}])
    for (const tail of ["", `?token=${sk}`]) {
      const ws = new WebSocket(`${api.node.url.replace("http", "ws")}/u/${slug}${tail}`, { headers });
      await new Promise((resolve) => {
        ws.on("unexpected-response", (_, res) => (texts.push(JSON.stringify(res.headers)), res.on("data", (d) => texts.push(String(d))).on("end", resolve)));
        ws.on("error", (e) => (texts.push(e.message), resolve()));
        ws.on("close", (code, why) => (texts.push(String(why)), resolve()));
        ws.on("message", (d) => texts.push(String(d)) && JSON.parse(d).id === 2 && ws.close());
        ws.on("open", () => [["universe_subscribe", [{}]], ["universe_whoami", []]].forEach(([method, params], i) => ws.send(JSON.stringify({ jsonrpc: "2.0", id: i + 1, method, params }))));
      });
    }
  return texts;
}

/** Secrets in every field that takes one: no answer, no log, no print-out and no error has them. */
async function canary(operator) {
  const dir = tempDir(), data = `${dir}/data`;
  const hex = (n) => randomBytes(n).toString("hex");
  const text = { "admin-key-file": `ak_${hex(8)}_${hex(32)}`, "operator-key": operator.slice(2), "signer-password": `canary-${hex(16)}`, "key-password": `canary-${hex(16)}` };
  const args = ["--log-level", "debug", "--universe-rate", "0"];
  for (const [name, value] of Object.entries(text)) {
    writeFileSync(`${dir}/${name}`, `${value}\n`, { mode: 0o600 });
    args.push(`--${name}`, `${dir}/${name}`);
  }
  const admin = text["admin-key-file"];
  const node = await Node.start(data, args);
  const api = await Api.of(node);
  const own = await universe(api, "canary", { key: admin });
  const { sk, pk, slug, items } = own;
  const at = { slug, address: items };
  const more = await api.do("universe_createKey", { path: { slug }, key: sk, body: { kind: "secret" }, headers: { "idempotency-key": "more" } });
  await api.call("universe_createKey", { path: { slug }, key: sk, body: { kind: "secret" }, headers: { "idempotency-key": "more" } });
  const turned = await api.do("universe_rotateKey", { path: { slug, key: more.key.id }, key: sk, body: { overlapMs: 60000 } });
  const texts = [];
  const keep = async (name, rest) => texts.push((await api.call(name, { path: at, key: sk, ...rest })).text);
  await keep("universe_defineClasses", { body: { classes: [{ id: 1, name: "Gem", maxSupply: 5 }] } });
  await keep("universe_mint", { body: { items: [{ to: address(3), id: 1, amount: 2, referenceId: word(1) }] }, headers: { "idempotency-key": "m" } });
  await keep("universe_mint", { body: { items: [{ to: address(3), id: 1, amount: 9 }] } });
  await keep("universe_listKeys", { path: { slug } });
  texts.push(...(await provoke(api, { ...own, admin })));
  assert.equal((await node.stop()).code, 0);

  const pepper = readFileSync(`${data}/secrets/pepper`, "utf8").trim();
  const secrets = { ...text, pepper, sk: sk.split("_")[2], more: more.secret.split("_")[2], turned: turned.secret.split("_")[2], wrong: "c0ffee11", admin: admin.split("_")[2] };
  const clean = (what, where, but = []) => {
    for (const [name, secret] of Object.entries(secrets))
      if (!but.includes(name)) assert.ok(!what.toLowerCase().includes(secret.toLowerCase()), `${where} has ${name}`);
  };
  assert.throws(() => clean(JSON.stringify(own), "what was made"), /has sk/); // it is seen where it is
  assert.ok(texts.length > 600, `${texts.length} answers`);
  for (const t of texts) clean(t, `an answer, ${t.slice(0, 80)},`);
  assert.match(node.err, /DEBUG|INFO/);
  clean(node.err, "the log");
  clean(node.out, "the output", ["operator-key"]); // a development account's, which is printed for everybody
  for (const file of filesOf(data)) clean(readFileSync(file, "latin1"), file);

  const dev = ["--dev", "--http", "127.0.0.1:0"];
  for (const more of [["--print-config"], ["--help"], ["--no-such-flag"]]) clean(said([...dev, ...args, ...more]).text, more[0]);
  // A file that holds something else, and the secret itself where its file's name belongs.
  const url = "http://127.0.0.1:1/canary";
  for (const name of ["admin-key-file", "operator-key", "poster-key", "member-key", "proposer-key", "tls-key", "parent-deployment"]) {
    secrets.odd = `canary${hex(12)}`;
    writeFileSync(`${dir}/odd`, `${secrets.odd}\n`);
    const flags = [...dev, "--tls-cert", `${dir}/odd`, "--tls-key", `${dir}/odd`, `--${name}`, `${dir}/odd`].filter((_, i) => name === "tls-key" || i < 3 || i > 6);
    if (["poster-key", "member-key", "proposer-key", "parent-deployment"].includes(name)) flags.push("--parent-url", url);
    const r = said(flags);
    assert.notEqual(r.status, 0, name);
    clean(r.text, `--${name} with another file`);
    for (const value of [hex(32), `0x${hex(32)}`, `ak_${hex(8)}_${hex(32)}`]) {
      if (name === "parent-deployment") continue;
      secrets.given = value;
      for (const also of [[], ["--print-config"]]) {
        const given = said([...dev, ...also, `--${name}`, value]);
        assert.notEqual(given.status, 0, name);
        clean(given.text, `--${name} with the secret itself`);
      }
    }
  }
}

/** A universe that asks for too much is told so; another one, and its own wallets, are not. */
async function shares() {
  const node = await Node.start(undefined, ["--universe-rate", "5"]);
  const api = await Api.of(node);
  const [a, b] = [await universe(api, "busy"), await universe(api, "calm")];
  let r;
  for (let i = 0; i < 1000 && r?.status !== 429; i++) r = await api.call("universe_listKeys", { path: { slug: "busy" }, key: a.sk });
  const told = await fetch(`${node.url}/v1/u/busy/keys`, { headers: { authorization: `Bearer ${a.sk}` } });
  assert.deepEqual([r.status, r.body.code, told.status, told.headers.get("retry-after")], [429, "limit-exceeded", 429, "1"]);
  assert.equal(told.headers.get("x-ratelimit-limit"), "10");
  assert.equal((await api.call("universe_listKeys", { path: { slug: "calm" }, key: b.sk })).status, 200);
  assert.equal((await api.call("universe_get", { path: { slug: "busy" } })).status, 200);
  // A large ABI costs more than a small one.
  const upload = (u, n) => api.call("universe_setAbi", { path: { slug: u.slug, address: u.items }, key: u.sk, body: { abi: Array.from({ length: n }, (_, i) => ({ type: "function", name: `f${i}`, inputs: [], outputs: [], stateMutability: "view" })) } });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal((await upload(b, 100)).status, 200);
  const large = await upload(b, 100);
  assert.deepEqual([large.status, large.body.code], [429, "limit-exceeded"]);
  assert.equal((await upload(b, 0)).status, 200);
  await node.stop();
}

/** A universe that can pay for a part of what is asked for: the answer says which items are minted, and they are. */
async function partly(api) {
  const list = Array.from({ length: 1000 }, () => ({ to: address(11), id: 1 }));
  const classes = (u) => api.do("universe_defineClasses", { path: { slug: u.slug, address: u.items }, key: u.sk, body: { classes: [{ id: 1, name: "Gem" }] } });
  const mint = (u) => api.call("universe_mint", { path: { slug: u.slug, address: u.items }, key: u.sk, body: { items: list } });
  const left = async (u) => BigInt((await api.do("universe_gas", { path: { slug: u.slug }, key: u.pk })).gasAccount);
  const rich = await universe(api, "rich");
  const gas = [await left(rich)];
  await classes(rich);
  gas.push(await left(rich));
  assert.equal((await mint(rich)).body.minted, 1000);
  gas.push(await left(rich));
  const poor = await universe(api, "poor", { gas: String(gas[0] - gas[1] + ((gas[1] - gas[2]) * 7n) / 10n) });
  await classes(poor);
  const r = await mint(poor);
  assert.equal(r.status, 201, r.text);
  assert.ok(r.body.minted > 0 && r.body.minted < 1000, r.text.slice(-100));
  const has = await api.do("universe_inventory", { path: { slug: poor.slug, player: address(11) }, key: poor.pk });
  assert.deepEqual(has.items.map((i) => i.amount), [String(r.body.minted)]);
  assert.equal(r.body.items.filter((i) => i.status === "minted").length, r.body.minted);
  assert.equal(r.body.items.filter((i) => i.status === "failed").length, 1000 - r.body.minted);
}

/** Thousands follow one universe, over both transports: others are served as before, and each is told of each event, and of it alone. */
async function followers() {
  const SOCKETS = 260, OF_ONE = 16, STREAMS = 1100;
  const all = SOCKETS * OF_ONE + STREAMS;
  const node = await Node.start(undefined, ["--http-connections", "2000"]);
  const api = await Api.of(node);
  const { slug, sk, pk, items } = await universe(api, "crowd");
  const elsewhere = await universe(api, "calm");
  for (const u of [{ slug, items, sk }, elsewhere]) await api.do("universe_defineClasses", { path: { slug: u.slug, address: u.items }, key: u.sk, body: { classes: [{ id: 1, name: "Gem" }] } });
  const after = (await api.do("universe_events", { path: { slug }, key: pk, query: { limit: 1000 } })).next;
  const told = { sockets: 0, streams: 0, other: [] };
  let changed = () => {}, begun = 0;
  const until = async (what, holds) => {
    for (const end = Date.now() + READY_MS; !holds(); ) {
      assert.ok(Date.now() < end, `${what}: ${begun} of ${all} began, ${JSON.stringify({ ...told, other: told.other.slice(0, 2) })}`);
      await new Promise((resolve) => ((changed = resolve), setTimeout(resolve, 100)));
    }
  };
  const sockets = Array.from({ length: SOCKETS }, () => {
    const ws = new WebSocket(`${node.url.replace("http", "ws")}/u/${slug}`, { headers: { "x-api-key": pk } });
    ws.onopen = () => ws.send(JSON.stringify(Array.from({ length: OF_ONE }, (_, id) => ({ jsonrpc: "2.0", id, method: "universe_subscribe", params: [{ after }] }))));
    ws.onmessage = ({ data }) => {
      const m = JSON.parse(data);
      if (Array.isArray(m)) begun += m.filter((r) => r.result).length;
      else if (m.params.result?.name === "TransferSingle") told.sockets++;
      else told.other.push(data);
      changed();
    };
    return ws;
  });
  const { hostname, port } = new URL(node.url);
  const streams = Array.from({ length: STREAMS }, () => {
    const s = net.connect(Number(port), hostname);
    let text = "";
    s.on("data", (d) => {
      if (text === "") begun++;
      const from = text.length;
      text += d;
      if (!text.startsWith("HTTP/1.1 200")) told.other.push(text);
      told.streams += text.split('"name":"TransferSingle"').length - text.slice(0, from).split('"name":"TransferSingle"').length;
      changed();
    });
    s.on("close", () => told.other.push("a stream has ended"));
    s.write(`GET /v1/u/${slug}/events?after=${after} HTTP/1.1\r\nHost: ${hostname}\r\nX-Api-Key: ${pk}\r\nAccept: text/event-stream\r\n\r\n`);
    return s;
  });
  await until("followers come", () => begun === all);
  const mint = (u, key) => api.do("universe_mint", { path: { slug: u.slug, address: u.items }, key, body: { items: [{ to: address(5), id: 1 }] } });
  await mint(elsewhere, elsewhere.sk);
  assert.deepEqual([told.sockets, told.streams], [0, 0]);
  for (let n = 1; n <= 2; n++) {
    await mint({ slug, items }, sk);
    await until(`event ${n}`, () => told.sockets + told.streams >= n * all);
    assert.deepEqual(told, { sockets: n * SOCKETS * OF_ONE, streams: n * STREAMS, other: [] });
  }
  for (const s of streams) s.removeAllListeners("close").destroy();
  for (const ws of sockets) ws.terminate();
  await node.stop();
}

async function documents(api) {
  assert.equal(api.doc.openapi, "3.1.0");
  const names = operations(api.doc).map((o) => o.op.operationId);
  assert.equal(new Set(names).size, names.length);
  const rpc = await api.node.rpc("rpc.discover");
  for (const name of [...names, "eth_chainId", "eth_call"]) assert.ok(rpc.methods.some((m) => m.name === name), `${name} is missing`);
  const named = (r) => (r.error ? [r.error.code, r.error.message] : r.result);
  const a = await api.node.call("universe_get", { slug: "arena" });
  const b = await api.node.call("universe_get", [{ slug: "arena" }]);
  assert.deepEqual(named(a), named(b));
  assert.deepEqual(a.result, await api.do("universe_get", { path: { slug: "arena" } }));
  const at = await fetch(`${api.node.url}/u/arena`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "universe_get" }) }).then((r) => r.json());
  assert.deepEqual(at.result, a.result);
  const id = await request(api.node, "GET", "/v1/u/arena", { headers: { "x-request-id": "abc-1" } });
  assert.equal(id.requestId, "abc-1");
  for (const [path, status] of [["/v1/nowhere", 404], ["/v1/u/UPPER", 400], ["/v1/u/arena/", 404]])
    assert.equal((await request(api.node, "GET", path)).status, status, path);
  assert.equal((await request(api.node, "DELETE", "/v1/u/arena")).status, 405);
}

export async function run() {
  const dir = tempDir();
  let node = await Node.start(dir);
  let api = await Api.of(node);
  await check("api: from a universe to 1,000 items", () => game(api));
  await check("api: documents describe what is served", () => documents(api));
  await check("api: three kinds of tokens, and what they are", () => metadata(api));
  await check("api: who has what", () => holdings(api));
  await check("api: events by cursor", () => events(api));
  await check("api: a wallet with nothing plays through /u/<slug>", () => wallet(api));
  await check("api: idempotency keys", () => idempotency(api));
  await check("api: two hundred callers of one account", () => nonces(api));
  await check("api: keys with scopes, rotated and revoked", () => keys(api));
  await check("api: keys that are changed side by side, and those that have ended", () => keyChanges(api));
  await check("api: changes of a policy side by side", () => policies(api));
  await check("api: as many ABIs as a universe has", () => abis(api));
  await check("api: what a key has opened ends with it", () => openConnections(api));
  await check("api: every route with every kind of key", () => matrix(api));
  await check("api: no secret is repeated", () => canary(devAccounts(node)[0].key));
  await check("api: one universe's hurry is its own", shares);
  await check("api: half a deployment", () => halfDeployed(api));
  await check("api: what is minted of a batch is told", () => partly(api));
  await check("api: thousands follow a universe", followers);
  await check("api: keys and requests outlive a stop", async () => {
    const { sk, slug, items } = await universe(api, "stays");
    const path = { slug, address: items };
    await api.do("universe_defineClasses", { path, key: sk, body: { classes: [{ id: 1, name: "Gem" }] } });
    const send = () => api.call("universe_mint", { path, key: sk, body: { items: [{ to: address(3), id: 1 }] }, headers: { "idempotency-key": "x" } });
    const before = await send();
    await node.stop();
    node = await Node.start(dir);
    api = await Api.of(node);
    const after = await send();
    assert.deepEqual([after.status, after.replayed, after.text], [201, true, before.text]);
  });
  await check("api: read models made again from the log, in both tiers, have the same digests", async () => {
    const head = await node.rpc("eth_blockNumber", []);
    const live = await node.rpc("debug_tableDigests", [head]);
    const earlier = await node.rpc("debug_tableDigests", [`0x${(Number(head) >> 1).toString(16)}`]);
    assert.equal(live.number, head);
    assert.notEqual(earlier.all, live.all);
    await node.stop();
    for (const tier of ["fast", "reference"]) {
      const again = tempDir();
      const r = callipter(["run", "--dev", "--replay", dir, "--datadir", again, "--tier", tier]);
      assert.equal(r.status, 0, r.stderr);
      const other = await Node.start(again);
      assert.deepEqual(await other.rpc("debug_tableDigests", [head]), live, tier);
      assert.deepEqual(await other.rpc("debug_tableDigests", [earlier.number]), earlier, tier);
      await other.stop();
      const d = callipter(["db", "digest", "--datadir", again, "--block", String(Number(head))]);
      assert.equal(d.status, 0, d.stderr);
      const printed = Object.fromEntries([...d.stdout.matchAll(/^(\w+) +(0x\w{64}) (\d+) rows$/gm)].map((m) => [m[1], m[2]]));
      assert.deepEqual(printed, live.tables);
      for (const name of ["ucon", "ucnl", "uevt", "ucls", "tbal", "thld", "town", "tsup"])
        assert.match(d.stdout, new RegExp(`^${name} +0x\\w{64} [1-9]\\d* rows$`, "m"), `${name} is empty`);
    }
  });
}
