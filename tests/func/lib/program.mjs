// Random small EVM programs: storage, memory, logs, calls, creations, self-destruction, reverts, bad jumps. What depends on the
// block or on fees (time, number, price, balances) is read but never kept, so that two chains can be compared.
//
// A program is a list of tokens: hex text, {ref: name} (PUSH2 of a position), {label: name} (JUMPDEST) or
// {data: name, hex} (bytes after the code). Statements leave the stack as they found it.

const OPS1 = { ISZERO: "15", NOT: "19", CLZ: "1e" };
const OPS2 = {
  ADD: "01", MUL: "02", SUB: "03", DIV: "04", SDIV: "05", MOD: "06", SMOD: "07", EXP: "0a", SIGNEXTEND: "0b",
  LT: "10", GT: "11", SLT: "12", SGT: "13", EQ: "14", AND: "16", OR: "17", XOR: "18", BYTE: "1a", SHL: "1b",
  SHR: "1c", SAR: "1d",
};
const OPS3 = { ADDMOD: "08", MULMOD: "09" };
// ADDRESS ORIGIN CALLER CALLVALUE CALLDATASIZE CODESIZE RETURNDATASIZE CHAINID PC MSIZE GAS
const KEPT = ["30", "32", "33", "34", "36", "38", "3d", "46", "58", "59", "5a"];
// GASPRICE COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT SELFBALANCE BASEFEE BLOBBASEFEE
export const BLOCK_CONTEXT = ["3a", "41", "42", "43", "44", "45", "47", "48", "4a"];
export const SLOTS = 16;
const MAX = (1n << 256n) - 1n;

/** The shortest PUSH of a number. */
export function push(n) {
  let h = BigInt(n).toString(16);
  if (h === "0") return "5f";
  if (h.length % 2) h = "0" + h;
  return (0x5f + h.length / 2).toString(16) + h;
}

const pushAddress = (a) => "73" + a.slice(2).toLowerCase();

/** Code of a token list; positions are resolved. Hex without 0x. */
export function assemble(tokens) {
  const at = new Map();
  let length = 0;
  for (const t of tokens) {
    if (t.label !== undefined || t.data !== undefined) at.set(t.label ?? t.data, length);
    length += typeof t === "string" ? t.length / 2 : t.ref !== undefined ? 3 : t.label !== undefined ? 1 : t.hex.length / 2;
  }
  return tokens
    .map((t) => {
      if (typeof t === "string") return t;
      if (t.ref !== undefined) return "61" + at.get(t.ref).toString(16).padStart(4, "0");
      return t.label !== undefined ? "5b" : t.hex;
    })
    .join("");
}

/** Init code that runs `first` and returns `runtime`. */
export function initCode(runtime, first = [], data = []) {
  const size = "61" + (runtime.length / 2).toString(16).padStart(4, "0");
  return assemble([...first, size, { ref: "runtime" }, "5f39", size, "5ff3", { data: "runtime", hex: runtime }, ...data]);
}

/** Writes programs from a generator of random numbers and a list of addresses to call. */
export class ProgramWriter {
  constructor(random, targets) {
    this.r = random;
    this.targets = targets; // () => address
    this.names = 0;
  }

  name() {
    return `n${this.names++}`;
  }

  number() {
    const r = this.r;
    switch (r.below(8)) {
      case 0:
        return BigInt(r.below(4));
      case 1:
        return BigInt(r.below(256));
      case 2:
        return MAX - BigInt(r.below(3));
      case 3:
        return (1n << 255n) + BigInt(r.below(3)) - 1n;
      case 4:
        return (1n << BigInt(r.below(256))) - BigInt(r.below(2));
      default:
        return BigInt("0x" + r.hex(r.between(1, 32)));
    }
  }

  /** Tokens that push one word. */
  value() {
    const r = this.r;
    return r.weighted([
      [8, () => push(this.number())],
      [3, () => push(32 * r.below(5)) + "35"], // CALLDATALOAD
      [3, () => push(r.below(SLOTS)) + "54"], // SLOAD
      [1, () => push(r.below(SLOTS)) + "5c"], // TLOAD
      [2, () => push(r.below(256)) + "51"], // MLOAD
      [2, () => r.pick(KEPT)],
    ])();
  }

  /** Takes one word from the stack. */
  sink() {
    const r = this.r;
    return r.weighted([
      [10, () => push(r.below(SLOTS)) + "55"], // SSTORE
      [1, () => push(r.below(SLOTS)) + "5d"], // TSTORE
      [4, () => push(r.below(256)) + "52"], // MSTORE
      [1, () => push(r.below(256)) + "53"], // MSTORE8
      [2, () => "50"],
    ])();
  }

  offset() {
    return this.r.chance(99) ? this.r.below(320) : this.r.pick([1 << 17, 1 << 22, (1n << 64n) - 1n, MAX]);
  }

  size() {
    return this.r.chance(99) ? this.r.below(200) : this.r.pick([1 << 16, (1n << 32n) + 1n, MAX]);
  }

  arithmetic() {
    const r = this.r;
    const [n, ops] = r.weighted([[1, [1, OPS1]], [6, [2, OPS2]], [1, [3, OPS3]]]);
    let out = "";
    for (let i = 0; i < n; i++) out += this.value();
    return [out + r.pick(Object.values(ops)) + this.sink()];
  }

  hash() {
    return [push(this.size()) + push(this.offset()) + "20" + this.sink()];
  }

  stack() {
    const depth = this.r.between(1, 6);
    let out = "";
    for (let i = 0; i < depth + 1; i++) out += this.value();
    out += (0x80 + this.r.below(depth)).toString(16) + (0x90 + this.r.below(depth)).toString(16);
    for (let i = 0; i < depth + 2; i++) out += this.r.chance(30) ? this.sink() : "50";
    return [out];
  }

  context() {
    const r = this.r;
    if (r.chance(60)) return [r.pick(KEPT) + this.sink()];
    if (r.chance(70)) return [r.pick(BLOCK_CONTEXT) + "50"];
    return [pushAddress(this.targets()) + "3115" + this.sink()]; // BALANCE ISZERO
  }

  outside() {
    const who = this.r.chance(80) ? pushAddress(this.targets()) : push(this.r.below(18));
    const r = this.r;
    return [
      r.weighted([
        [2, () => who + "3b" + this.sink()], // EXTCODESIZE
        [2, () => who + "3f" + this.sink()], // EXTCODEHASH
        [1, () => push(this.size()) + push(r.below(64)) + push(this.offset()) + who + "3c"], // EXTCODECOPY
      ])(),
    ];
  }

  copy() {
    const op = this.r.pick(["37", "39", "5e"]); // CALLDATACOPY CODECOPY MCOPY
    return [push(this.size()) + push(this.offset()) + push(this.offset()) + op];
  }

  log() {
    const n = this.r.below(5);
    let out = "";
    for (let i = 0; i < n; i++) out += this.value();
    return [out + push(this.size()) + push(this.offset()) + (0xa0 + n).toString(16)];
  }

  call() {
    const r = this.r;
    const kind = r.weighted([[5, "f1"], [1, "f2"], [2, "f4"], [2, "fa"]]); // CALL CALLCODE DELEGATECALL STATICCALL
    const out = push(r.below(64)) + push(r.below(128)) + push(r.below(128)) + push(r.below(128));
    const value = r.weighted([[6, 0n], [3, BigInt(r.below(1000))], [1, 1n << 100n]]);
    const target = r.chance(85) ? pushAddress(this.targets()) : push(r.between(1, 18));
    const gas = r.weighted([[5, "5a"], [3, push(r.below(60000))], [1, push(MAX)]]);
    let text = out + (kind === "f1" || kind === "f2" ? push(value) : "") + target + gas + kind + this.sink();
    if (r.chance(40)) text += "3d" + this.sink();
    if (r.chance(30)) text += (r.chance(90) ? "3d" : push(this.size())) + "5f" + push(r.below(256)) + "3e"; // RETURNDATACOPY
    return [text];
  }

  /** Creates a contract from bytes after the code and logs its address. */
  create(depth, data) {
    const r = this.r;
    const name = this.name();
    const init = this.init(depth - 1);
    data.push({ data: name, hex: init });
    const size = push(init.length / 2);
    const two = r.chance(50);
    const salt = two ? push(r.below(4)) : "";
    const value = push(r.chance(70) ? 0 : r.below(3));
    const call = salt + size + push(512) + value + (two ? "f5" : "f0");
    const after = "80" + "5f5fa1" + this.sink(); // DUP1, LOG1 without data
    return [size, { ref: name }, push(512) + "39" + call + after];
  }

  loop() {
    const label = this.name();
    const body = this.r.chance(50) ? this.arithmetic() : this.log();
    return [push(this.r.between(1, 5)), { label }, ...body, "6001900380", { ref: label }, "5750"];
  }

  branch(depth, data) {
    const label = this.name();
    return [this.value(), { ref: label }, "57", ...this.statement(depth, data), { label }];
  }

  statement(depth, data) {
    const make = this.r.weighted([
      [10, () => this.arithmetic()],
      [2, () => this.hash()],
      [2, () => this.stack()],
      [3, () => this.context()],
      [3, () => this.outside()],
      [2, () => this.copy()],
      [4, () => this.log()],
      [6, () => this.call()],
      [depth > 0 ? 3 : 0, () => this.create(depth, data)],
      [2, () => this.loop()],
      [2, () => this.branch(depth, data)],
    ]);
    return make();
  }

  ending() {
    const r = this.r;
    const span = () => push(r.below(100)) + push(r.below(256));
    const bad = r.weighted([
      [6, () => span() + "fd"], // REVERT
      [1, () => "fe"],
      [1, () => push(r.below(2000)) + "56"], // JUMP to anywhere
      [1, () => "01"], // on an empty stack
    ]);
    const good = r.weighted([
      [6, () => "00"],
      [5, () => span() + "f3"],
      [2, () => pushAddress(this.targets()) + "ff"], // SELFDESTRUCT
      [1, () => "30ff"],
    ]);
    if (!r.chance(52)) return [good()];
    if (r.chance(30)) return [bad()];
    const label = this.name(); // the calldata's first bit decides
    return [push(32 * r.below(2)) + "35600116", { ref: label }, "57" + good(), { label }, bad()];
  }

  /** Code of a contract, hex without 0x. */
  runtime(depth = 2) {
    const r = this.r;
    if (r.chance(4)) return this.noise();
    const data = [];
    const tokens = [];
    for (let i = r.between(1, depth > 1 ? 14 : 6); i > 0; i--) tokens.push(...this.statement(depth, data));
    return assemble([...tokens, ...this.ending(), ...data]);
  }

  /** Bytes without meaning; what depends on the block, and pushes that could name a system address, are left out. */
  noise() {
    const avoid = new Set([...BLOCK_CONTEXT, "31", "40"]);
    let out = "";
    for (let i = this.r.between(1, 60); i > 0; i--) {
      const b = this.r.hex(1);
      if (!avoid.has(b) && !/^6[4-9a-f]$/.test(b)) out += b;
    }
    return out;
  }

  /** Init code, sometimes one that fails or returns what may not be code. */
  init(depth = 2) {
    const r = this.r;
    const data = [];
    const first = [];
    for (let i = r.below(3); i > 0; i--) first.push(...this.statement(Math.max(depth, 0), data));
    const kind = r.weighted([[82, "good"], [3, "ef"], [3, "revert"], [3, "large"], [3, "empty"], [3, "noise"], [3, "destruct"]]);
    if (kind === "ef") return assemble([...first, "60ef5f5360015ff3", ...data]);
    if (kind === "revert") return assemble([...first, push(r.below(64)) + "5ffd", ...data]);
    if (kind === "large") return assemble([...first, push(r.between(24575, 24580)) + "5ff3", ...data]);
    if (kind === "empty") return assemble([...first, "00", ...data]);
    if (kind === "destruct") return assemble([...first, pushAddress(this.targets()) + "ff", ...data]);
    if (kind === "noise") return this.noise();
    return initCode(this.runtime(Math.max(depth, 0)), first, data);
  }
}

/** A contract that calls the address in the calldata's first word with the rest and half the gas, keeps success and hash of the
 * output, and logs both with the output. */
export function forwarder() {
  const copy = "602036036020" + "5f37"; // CALLDATACOPY(0, 32, size - 32)
  const call = "5f5f" + "60203603" + "5f5f" + "5f35" + "5a60011c" + "f1";
  const keep = "3d5f5f3e" + "805f55" + "3d5f20" + "80600155" + "3d5fa2";
  return copy + call + keep + "00";
}
