// Block 0's state by a second implementation: the accounts that a genesis file (genesis/README.md) asks for, from the tables of the sources and
// the rules of their documents, and their trie by @ethereumjs/mpt.
import { readFileSync } from "node:fs";
import { createMPT } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import { bytesToHex, hexToBytes } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";

const root = new URL("../../../", import.meta.url);
const source = (path) => readFileSync(new URL(path, root), "utf8");
const word = (n) => BigInt(n).toString(16).padStart(64, "0");
const keccak = (hex) => bytesToHex(keccak_256(hexToBytes(hex)));
const trimmed = (n) => (BigInt(n) === 0n ? "0x" : BigInt(n));

/** The rows NAME(a, b, ...) of a table, texts without their quotes. */
function table(path, name) {
  const text = source(path).replace(/\/\*.*?\*\//gs, "");
  const rows = [];
  for (const m of text.matchAll(new RegExp(`^${name}\\(((?:"[^"]*"|[^")])*)\\)`, "gm")))
    rows.push(m[1].match(/"[^"]*"|[^,"]+/g).map((f) => f.trim().replace(/^"|"$/g, "")).filter((f) => f !== ""));
  return rows;
}

const system = "chain/system_slots.def";
const addresses = new Map(table(system, "SYSTEM_ADDRESS").map(([id, low]) => [id, `0x${BigInt(low).toString(16).padStart(40, "0")}`]));
const maps = new Map(table(system, "SYSTEM_MAP").map(([id, address, number]) => [id, { address, number }]));
const fields = new Map();
for (const [id, address, slot, shift, bits] of table(system, "SYSTEM_SCALAR"))
  fields.set(id, { address, at: () => BigInt(slot), shift: BigInt(shift), bits: BigInt(bits) });
for (const [id, map, index, shift, bits] of table(system, "SYSTEM_FIELD")) {
  const { address, number } = maps.get(map);
  const at = (key) => BigInt(keccak(`0x${word(number)}${key.map(word).join("")}`)) + BigInt(index);
  fields.set(id, { address, at, shift: BigInt(shift), bits: BigInt(bits) });
}

export const predeploys = table("genesis/predeploys.def", "PREDEPLOY").map(([id, name, address, nonce, optional, codeHash, file]) => ({
  id,
  name,
  address: `0x${address}`,
  nonce: BigInt(nonce),
  optional: optional === "true",
  codeHash: `0x${codeHash}`,
  code: `0x${source(`genesis/predeploys/${file}`).trim()}`,
  storage: new Map(),
}));
for (const [id, key, value] of table("genesis/predeploys.def", "PREDEPLOY_SLOT"))
  predeploys.find((p) => p.id === id).storage.set(BigInt(key), BigInt(value));

const presets = new Map(
  [...table("genesis/params.def", "PARAM_U64"), ...table("genesis/params.def", "PARAM_WEI")].map((f) => [f[0], BigInt(f[2])]),
);

class State {
  accounts = new Map();

  at(address) {
    const a = address.toLowerCase().replace(/^(0x)?/, "0x");
    if (!this.accounts.has(a)) this.accounts.set(a, { nonce: 0n, balance: 0n, code: "0x", storage: new Map() });
    return this.accounts.get(a);
  }

  /** Sets a field of the system's storage; `key` holds the key of its map, if it is in one. */
  set(id, value, ...key) {
    const f = fields.get(id);
    const { storage } = this.at(addresses.get(f.address));
    const slot = f.at(key);
    const mask = ((1n << f.bits) - 1n) << f.shift;
    storage.set(slot, ((storage.get(slot) ?? 0n) & ~mask) | (BigInt(value) << f.shift));
  }
}

function writePrices(s, file, params, owners) {
  const names = { MIN_BASE_FEE: "minBaseFee", CONGESTION_UNIT: "congestionUnit", SPEED_LIMIT: "speedLimit", TOLERANCE: "tolerance" };
  Object.assign(names, { INERTIA: "inertia", DA_SPEED_LIMIT: "daSpeedLimit", DA_TOLERANCE: "daTolerance", DA_INERTIA: "daInertia" });
  Object.assign(names, { K_NUM: "kNum", K_DEN: "kDen", PARENT_WEI_PER_BYTE: "parentWeiPerByte", SURCHARGE_CAP: "surchargeCap" });
  for (const [id, key] of Object.entries({ ...names, UNIVERSE_BOND: "universeBond", VERSION: "version" })) s.set(id, params(key));
  for (let i = 0; i < 8; i++) s.set("DATA_SAMPLE", params("parentWeiPerByte"), i);
  s.set("NETWORK_FEE_ACCOUNT", file.callipter.networkFeeAccount ?? owners[0] ?? addresses.get("PRICING"));
  s.set("BLOCK_GAS_LIMIT", file.gasLimit ?? 1 << 26);
}

function writeChain(s, file, owners) {
  const { evmNumber, parentChainId, universeCreation, creators = [] } = file.callipter;
  s.set("CHAIN_ID", file.config.chainId);
  s.set("PARENT_CHAIN_ID", parentChainId ?? 0);
  s.set("EVM_NUMBER_PARENT", evmNumber === "parent" ? 1 : 0);
  s.set("OWNER_COUNT", owners.length);
  owners.forEach((a, i) => {
    s.set("OWNER_AT", a, i);
    s.set("OWNER_INDEX_PLUS_1", i + 1, a);
  });
  s.set("UNIVERSE_CREATION_OPEN", universeCreation === "open" ? 1 : 0);
  s.set("CREATOR_COUNT", creators.length);
  for (const a of creators) s.set("CREATOR_FLAG", 1, a);
  for (const p of predeploys) s.set("UNATTRIBUTABLE_FLAG", 1, p.address);
  s.set("REGISTRY_FACTORY", predeploys.find((p) => p.id === "UNIVERSE_FACTORY").address);
}

/** Map from address to {nonce, balance, code, storage: Map from slot to value} of a parsed genesis file. */
export function genesisState(file) {
  const s = new State();
  const owners = file.callipter.owners ?? [];
  for (const a of addresses.values()) Object.assign(s.at(a), { nonce: 1n, code: "0xfe" });
  writePrices(s, file, (key) => BigInt(file.callipter[key] ?? presets.get(key)), owners);
  writeChain(s, file, owners);
  for (const p of predeploys)
    if (!p.optional || !file.callipter.predeploys || file.callipter.predeploys.includes(p.name))
      Object.assign(s.at(p.address), { nonce: p.nonce, code: p.code, storage: new Map(p.storage) });
  let supply = 0n;
  for (const [address, given] of Object.entries(file.alloc ?? {})) {
    const a = s.at(address);
    supply += BigInt(given.balance ?? 0);
    a.balance = BigInt(given.balance ?? 0);
    if (given.nonce !== undefined) a.nonce = BigInt(given.nonce);
    if (given.code !== undefined) a.code = given.code;
    for (const [k, v] of Object.entries(given.storage ?? {})) a.storage.set(BigInt(k), BigInt(v));
  }
  s.set("SUPPLY_GENESIS", supply);
  return s.accounts;
}

/** {root, storage: Map from address to its storage root} of such accounts. */
export async function stateRoot(accounts) {
  const trie = await createMPT();
  const storage = new Map();
  for (const [address, a] of accounts) {
    const slots = await createMPT();
    for (const [k, v] of a.storage) if (v !== 0n) await slots.put(hexToBytes(keccak(`0x${word(k)}`)), RLP.encode(v));
    storage.set(address, bytesToHex(slots.root()));
    if (a.nonce === 0n && a.balance === 0n && a.code === "0x") continue; // empty: not in the state (EIP-161)
    const row = [trimmed(a.nonce), trimmed(a.balance), slots.root(), hexToBytes(keccak(a.code))];
    await trie.put(hexToBytes(keccak(address)), RLP.encode(row));
  }
  return { root: bytesToHex(trie.root()), storage };
}
