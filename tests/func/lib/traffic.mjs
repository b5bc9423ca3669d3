// Random transactions from a seed: types 0, 1, 2 and 4, creations, calls of what was created, precompiles, transfers, delegations;
// some with too little gas. What comes next depends on the seed and on the receipts handed back, and on nothing else.
import { privateKeyToAccount } from "viem/accounts";
import { PRECOMPILES, PrecompileInputs } from "./precompile_inputs.mjs";
import { ProgramWriter, forwarder, initCode } from "./program.mjs";
import { Random } from "./random.mjs";

const GWEI = 10n ** 9n;
const N_SECP = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const GAS_CAP = 1 << 24; // EIP-7825
const LEAST_FAILING = 0.33; // of the transactions: below it, the next ones get too little gas
const POOL = 60; // contracts that are called; newer ones push out older ones
const FIRST_SYSTEM = 100; // Callipter's system addresses begin at 0x64; the forwarder calls what its first word names
const addressOf = (n) => "0x" + n.toString(16).padStart(40, "0");

/** What a transaction costs before its first instruction, and the least that it may offer (EIP-2028, 2930, 3860, 7623, 7702). */
export function leastGas(tx) {
  const data = Buffer.from((tx.data ?? "0x").slice(2), "hex");
  const zeros = data.filter((b) => b === 0).length;
  const tokens = zeros + 4 * (data.length - zeros);
  let gas = 21000 + 4 * tokens;
  if (!tx.to) gas += 32000 + 2 * Math.ceil(data.length / 32);
  for (const entry of tx.accessList ?? []) gas += 2400 + 1900 * entry.storageKeys.length;
  gas += 25000 * (tx.authorizationList ?? []).length;
  return Math.max(gas, 21000 + 10 * tokens);
}

export class Traffic {
  /** `chain`: {chainId, price: of a unit of gas, nonceOf(address), balanceOf(address)}; `keys`: funded accounts. Half of them delegate,
   * and code may then send away all they have; so these pay exactly the price, that fees never make two chains' balances differ. */
  constructor(seed, chain, keys) {
    this.r = new Random(seed);
    this.faults = new Random(seed);
    this.made = 0;
    this.failed = 0;
    Object.assign(this, chain);
    this.accounts = keys.map((k) => privateKeyToAccount(k));
    this.steady = this.accounts.slice(0, keys.length >> 1);
    this.delegating = this.accounts.slice(keys.length >> 1);
    // Authorities that send nothing. Their first wei comes before all else: Anvil returns EIP-7702's 12,500 gas for an authority that
    // does not exist too, which the standard does only for one that does.
    this.bystanders = [...Array(4)].map(() => privateKeyToAccount("0x01" + this.r.hex(31)));
    this.inputs = new PrecompileInputs(this.r);
    this.unfunded = [...this.bystanders];
    this.pool = [];
    this.forwarder = undefined;
    this.touched = new Set([...this.accounts, ...this.bystanders].map((a) => a.address.toLowerCase()));
    this.writer = new ProgramWriter(this.r, () => this.target());
  }

  fresh() {
    const a = addressOf(BigInt("0xa" + this.r.hex(19)));
    this.touched.add(a);
    return a;
  }

  anyone() {
    return this.r.pick(this.r.chance(70) ? this.accounts : this.bystanders).address.toLowerCase();
  }

  /** An address for a program to use. */
  target() {
    const r = this.r;
    if (this.pool.length && r.chance(70)) return r.pick(this.pool);
    return r.weighted([[6, () => this.anyone()], [2, () => this.fresh()], [2, () => this.forwarder ?? this.anyone()]])();
  }

  /** Takes over what a receipt shows: contracts of the transaction, and those that programs logged. */
  learn(receipt) {
    this.made++;
    if (receipt.status === "0x0") this.failed++;
    const add = (a) => {
      this.touched.add(a);
      if (this.pool.length < POOL) this.pool.push(a);
      else this.pool[this.r.below(POOL)] = a;
    };
    if (receipt.status === "0x1" && receipt.contractAddress) {
      if (!this.forwarder) this.forwarder = receipt.contractAddress;
      add(receipt.contractAddress);
    }
    for (const log of receipt.logs) {
      if (log.topics.length !== 1 || log.data !== "0x" || !/^0x0{24}/.test(log.topics[0])) continue;
      if (BigInt(log.topics[0]) >> 80n) add("0x" + log.topics[0].slice(26));
    }
  }

  async authorization(sender) {
    const r = this.r;
    const who = r.pick(r.chance(50) ? this.delegating : this.bystanders);
    const right = (await this.nonceOf(who.address)) + (who.address === sender.address ? 1 : 0);
    const chainId = r.weighted([[6, this.chainId], [3, 0], [1, this.chainId + 1]]);
    const nonce = r.chance(85) ? right : r.below(5);
    const to = r.weighted([
      [12, () => (this.pool.length ? r.pick(this.pool) : this.anyone())],
      [2, () => addressOf(0n)],
      [1, () => addressOf(BigInt(r.pick(PRECOMPILES)))],
      [2, () => this.anyone()],
    ])();
    const signed = await who.signAuthorization({ address: to, chainId, nonce });
    if (!r.chance(5)) return signed;
    return r.chance(50) // a high s, which EIP-7702 refuses; another signer
      ? { ...signed, s: "0x" + (N_SECP - BigInt(signed.s)).toString(16).padStart(64, "0"), yParity: 1 - signed.yParity }
      : { ...signed, nonce: signed.nonce + 1 };
  }

  calldata() {
    const r = this.r;
    const words = r.below(5);
    let out = "";
    for (let i = 0; i < words; i++) out += r.chance(50) ? r.hex(32) : r.below(FIRST_SYSTEM).toString(16).padStart(64, "0");
    return "0x" + out + r.hex(r.chance(20) ? r.below(40) : 0);
  }

  creation() {
    const init = this.forwarder === undefined ? initCode(forwarder()) : this.writer.init();
    return { data: "0x" + init, value: this.r.chance(20) ? BigInt(this.r.below(1000)) : 0n };
  }

  precompile() {
    const address = this.r.pick(PRECOMPILES);
    const input = this.inputs.make(address);
    if (this.r.chance(15)) return { to: addressOf(BigInt(address)), data: "0x" + input };
    return { to: this.forwarder, data: "0x" + address.toString(16).padStart(64, "0") + input };
  }

  /** The first wei of a bystander. */
  alms() {
    return { to: this.unfunded.pop().address, data: "0x", value: 1n };
  }

  transfer() {
    const to = this.r.chance(50) ? this.fresh() : this.anyone();
    return { to, data: this.r.chance(80) ? "0x" : this.calldata(), value: BigInt(this.r.below(10 ** 9)) };
  }

  call() {
    const to = this.r.pick(this.pool);
    return { to, data: this.calldata(), value: this.r.chance(20) ? BigInt(this.r.below(10 ** 6)) : 0n };
  }

  accessList() {
    const list = [];
    for (let i = this.r.below(4); i > 0; i--) {
      const storageKeys = [...Array(this.r.below(4))].map(() => "0x" + word(this.r.below(16)));
      list.push({ address: this.target(), storageKeys });
    }
    return list;
  }

  fees(tx, sender) {
    const r = this.r;
    const top = GWEI / 10n + BigInt(r.below(10 ** 9));
    const exact = this.delegating.includes(sender);
    if (tx.type === "legacy" || tx.type === "eip2930") return { gasPrice: exact ? this.price : top };
    return { maxFeePerGas: top, maxPriorityFeePerGas: exact ? 0n : BigInt(r.below(10 ** 9)) % (top + 1n) };
  }

  async sender() {
    const who = this.r.pick(this.accounts);
    const poor = this.delegating.includes(who) && (await this.balanceOf(who.address)) < 10n ** 18n;
    return poor ? this.r.pick(this.steady) : who;
  }

  kind() {
    if (this.unfunded.length) return "alms";
    if (this.forwarder === undefined || this.pool.length < 5) return "creation";
    return this.r.weighted([[15, "creation"], [47, "call"], [24, "precompile"], [6, "transfer"], [8, "delegation"]]);
  }

  /** The next transaction: {sender, tx, raw}. */
  async next() {
    const r = this.r;
    const sender = await this.sender();
    const kind = this.kind();
    const tx = kind === "delegation" ? (r.chance(60) ? this.call() : this.transfer()) : this[kind]();
    tx.type = kind === "delegation" ? "eip7702" : r.weighted([[3, "legacy"], [3, "eip2930"], [5, "eip1559"]]);
    if (kind === "delegation") {
      tx.authorizationList = [];
      for (let i = r.between(1, 3); i > 0; i--) tx.authorizationList.push(await this.authorization(sender));
    }
    if (tx.type !== "legacy") tx.accessList = r.chance(60) ? [] : this.accessList();
    Object.assign(tx, this.fees(tx, sender), { chainId: this.chainId, nonce: await this.nonceOf(sender.address) });
    const least = leastGas(tx);
    const few = this.failed < LEAST_FAILING * this.made;
    const starved = this.pool.length >= 5 && (r.chance(33) || few);
    tx.gas = BigInt(Math.min(starved ? least + r.below(r.pick([10, 3000, 60000])) : least + r.between(300000, 3000000), GAS_CAP));
    if (tx.to) this.touched.add(tx.to);
    return { sender, tx, raw: await sender.signTransaction(tx) };
  }

  /** A transaction that no chain may take: {why, raw}. Its choices do not move the others'. */
  async refused() {
    const r = this.faults;
    const sender = r.pick(this.steady);
    const nonce = await this.nonceOf(sender.address);
    const tx = { to: sender.address, data: "0x01", value: 1n, type: "eip1559", chainId: this.chainId, nonce, accessList: [] };
    Object.assign(tx, { maxFeePerGas: GWEI, maxPriorityFeePerGas: 0n, gas: BigInt(leastGas(tx) + 100000) });
    const faults = {
      "nonce used": () => nonce > 0 && (tx.nonce = nonce - 1),
      "gas below the least": () => Object.assign(tx, { data: "0x", gas: 20999n }), // with data, Anvil takes it and never mines it
      "gas above EIP-7825's cap": () => (tx.gas = BigInt(GAS_CAP + 1)),
      "more than the sender has": () => (tx.value = 1n << 90n),
      "other chain": () => (tx.chainId += 1),
      "init code too long": () => Object.assign(tx, { to: undefined, data: "0x" + "00".repeat(49153), gas: 1n << 23n }),
    };
    const why = r.pick(Object.keys(faults));
    if (faults[why]() === false) return undefined;
    return { why, raw: await sender.signTransaction(tx) };
  }
}

const word = (n) => BigInt(n).toString(16).padStart(64, "0");
