#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes our own state-test cases to tests/vectors/state, without expected values:

    tests/vectors/gen_state.py && build/callipter statetest --fill tests/vectors/state

The second command signs the transactions and fills in what this build computes in both tiers. It is for a build that passes the
public corpora; what it pins is that later builds do not drift. The cases are small programs and transactions over Cancun,
Prague and Osaka: each test has one pre-state, lists of data, gas limits and values, and one case per fork and combination.
Deterministic: the same script gives the same files.
"""
import json
import os

FORKS = ["Cancun", "Prague", "Osaka"]
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # the usual development mnemonic's first
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
KEY2 = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
SENDER2 = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
FIRST_CREATED = "0x5fbdb2315678afecb367f032d93f642f64180aa3"  # by SENDER with nonce 0
COINBASE = "0x00000000000000000000000000000000c01bba5e"
A = "0x000000000000000000000000000000000000aaaa"
B = "0x000000000000000000000000000000000000bbbb"
C = "0x000000000000000000000000000000000000cccc"
EMPTY = "0x000000000000000000000000000000000000eeee"
ETHER = 10**18
U256 = 2**256

files = {}


class Rng:
    """splitmix64"""

    def __init__(self, seed):
        self.s = seed

    def next(self):
        self.s = (self.s + 0x9E3779B97F4A7C15) % 2**64
        z = self.s
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n


def hexn(v):
    return "0x%x" % v


def hexb(b):
    return "0x" + bytes(b).hex()


def word(v):
    return (v % U256).to_bytes(32, "big")


OPS = {n: i for i, n in enumerate("STOP ADD MUL SUB DIV SDIV MOD SMOD ADDMOD MULMOD EXP SIGNEXTEND".split())}
OPS.update({n: 0x10 + i for i, n in enumerate("LT GT SLT SGT EQ ISZERO AND OR XOR NOT BYTE SHL SHR SAR CLZ".split())})
OPS.update({n: 0x30 + i for i, n in enumerate(
    "ADDRESS BALANCE ORIGIN CALLER CALLVALUE CALLDATALOAD CALLDATASIZE CALLDATACOPY CODESIZE CODECOPY GASPRICE EXTCODESIZE "
    "EXTCODECOPY RETURNDATASIZE RETURNDATACOPY EXTCODEHASH BLOCKHASH COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID "
    "SELFBALANCE BASEFEE BLOBHASH BLOBBASEFEE".split())})
OPS.update({n: 0x50 + i for i, n in enumerate(
    "POP MLOAD MSTORE MSTORE8 SLOAD SSTORE JUMP JUMPI PC MSIZE GAS JUMPDEST TLOAD TSTORE MCOPY PUSH0".split())})
OPS.update({"KECCAK256": 0x20, "CREATE": 0xF0, "CALL": 0xF1, "CALLCODE": 0xF2, "RETURN": 0xF3, "DELEGATECALL": 0xF4,
            "CREATE2": 0xF5, "STATICCALL": 0xFA, "REVERT": 0xFD, "INVALID": 0xFE, "SELFDESTRUCT": 0xFF})
for n in range(1, 17):
    OPS["DUP%d" % n] = 0x7F + n
    OPS["SWAP%d" % n] = 0x8F + n
for n in range(5):
    OPS["LOG%d" % n] = 0xA0 + n


def push(v):
    if v == 0:
        return bytes([0x5F])
    b = v.to_bytes((v.bit_length() + 7) // 8, "big")
    return bytes([0x5F + len(b)]) + b


def asm(*items):
    """Names are opcodes, numbers are pushed, "0x..." addresses are pushed as 20 bytes, bytes stand for themselves."""
    out = b""
    for i in items:
        if isinstance(i, bytes):
            out += i
        elif isinstance(i, int):
            out += push(i)
        elif i.startswith("0x"):
            out += bytes([0x73]) + bytes.fromhex(i[2:])
        else:
            out += bytes([OPS[i]])
    return out


def store(slot, *program):
    """Stores what the program leaves on the stack."""
    return asm(*program, slot, "SSTORE")


def account(code=b"", balance=0, nonce=None, storage=None):
    if nonce is None:
        nonce = 1 if code else 0
    return {"nonce": hexn(nonce), "balance": hexn(balance), "code": hexb(code),
            "storage": {hexn(k): hexn(v) for k, v in (storage or {}).items()}}


def test(group, name, pre, to=A, data=(b"",), gas=(200000,), value=(0,), forks=FORKS, tx=None, env=None, fee=None, pairs=None):
    """One test. `pairs`: the combinations (data, gas, value) by index; else all."""
    accounts = {SENDER: account(balance=1000 * ETHER)}
    accounts.update(pre)
    transaction = {"nonce": "0x0", "gasLimit": [hexn(g) for g in gas], "to": to or "", "value": [hexn(v) for v in value],
                   "data": [hexb(d) for d in data], "sender": SENDER, "secretKey": KEY}
    transaction.update(fee or {"gasPrice": "0xa"})
    transaction.update(tx or {})
    environment = {"currentCoinbase": COINBASE, "currentGasLimit": "0x2625a00", "currentNumber": "0x1", "currentTimestamp": "0x3e8",
                   "currentRandom": "0x" + "5a" * 32, "currentDifficulty": "0x0", "currentBaseFee": "0x7",
                   "currentExcessBlobGas": "0x0"}
    environment.update(env or {})
    if pairs is None:
        pairs = [(d, g, v) for d in range(len(data)) for g in range(len(gas)) for v in range(len(value))]
    post = [{"indexes": {"data": d, "gas": g, "value": v}} for d, g, v in pairs]
    tests = files.setdefault(group, {})
    assert name not in tests, name
    tests[name] = {"env": environment, "pre": accounts, "transaction": transaction,
                   "post": {f: json.loads(json.dumps(post)) for f in forks}}


# --- instructions ------------------------------------------------------------------------------------------------

EDGES = [0, 1, 2, 31, 255, 256, 2**64 - 1, 2**128, 2**255 - 1, 2**255, U256 - 2, U256 - 1]


def operands(rng, count, n):
    out = []
    for _ in range(count):
        row = [EDGES[rng.below(len(EDGES))] if rng.below(3) else rng.next() * rng.next() * rng.next() % U256 for _ in range(n)]
        out.append(b"".join(word(v) for v in row))
    return out


def load(i):
    return asm(32 * i, "CALLDATALOAD")


def arithmetic():
    rng = Rng(1)
    binary = ("ADD MUL SUB DIV SDIV MOD SMOD EXP SIGNEXTEND LT GT SLT SGT EQ AND OR XOR BYTE SHL SHR SAR").split()
    for op in binary:
        code = store(1, load(1), load(0), op) + store(2, "GAS")
        test("arithmetic", op, {A: account(code)}, data=operands(rng, 12, 2))
    for op in ("ADDMOD", "MULMOD"):
        code = store(1, load(2), load(1), load(0), op) + store(2, "GAS")
        test("arithmetic", op, {A: account(code)}, data=operands(rng, 16, 3))
    for op in ("ISZERO", "NOT", "CLZ"):  # CLZ is undefined before Osaka
        code = store(1, load(0), op) + store(2, "GAS")
        test("arithmetic", op, {A: account(code)}, data=operands(rng, 10, 1))


def environment():
    for op in ("ADDRESS ORIGIN CALLER CALLVALUE CALLDATASIZE CODESIZE GASPRICE RETURNDATASIZE COINBASE TIMESTAMP NUMBER PREVRANDAO "
               "GASLIMIT CHAINID SELFBALANCE BASEFEE BLOBBASEFEE PC MSIZE GAS").split():
        test("environment", op, {A: account(store(1, op) + store(2, "GAS"), balance=9)}, data=(b"", b"abc"), value=(0, 7))
    targets = [word(int(x, 16)) for x in (A, B, EMPTY, SENDER, COINBASE, "0x1", "0xdead")]
    for op in ("BALANCE", "EXTCODESIZE", "EXTCODEHASH"):
        code = store(1, load(0), op) + store(2, load(0), op) + store(3, "GAS")
        test("environment", op, {A: account(code, balance=3), B: account(b"\x60\x01", balance=5)}, data=targets)
    code = asm(16, 0, 0, load(0), "EXTCODECOPY") + store(1, 0, "MLOAD") + store(2, "GAS")
    test("environment", "EXTCODECOPY", {A: account(code), B: account(bytes(range(40)))}, data=targets)
    code = store(1, load(0), "BLOCKHASH") + store(2, load(0), "BLOBHASH")
    test("environment", "BLOCKHASH", {A: account(code)}, data=[word(v) for v in (0, 43, 44, 299, 300, 301, U256 - 1)],
         env={"currentNumber": "0x12c"})


def memory():
    places = [0, 1, 31, 32, 1000, 2**16, 2**32, 2**64, U256 - 1]
    for op, program in {
            "MLOAD": asm(load(0), "MLOAD"), "MSTORE": asm(load(1), load(0), "MSTORE", "MSIZE"),
            "MSTORE8": asm(load(1), load(0), "MSTORE8", "MSIZE"), "KECCAK256": asm(load(1), load(0), "KECCAK256"),
            "CALLDATACOPY": asm(load(1), 4, load(0), "CALLDATACOPY", load(0), "MLOAD"),
            "CODECOPY": asm(load(1), 1, load(0), "CODECOPY", load(0), "MLOAD"),
            "MCOPY": asm(7, 3, "MSTORE", load(1), 5, load(0), "MCOPY", load(0), "MLOAD"),
            "RETURNDATACOPY": asm(load(1), 0, load(0), "RETURNDATACOPY", "MSIZE")}.items():
        data = [word(p) + word(n) for p in places for n in (0, 33)]
        test("memory", op, {A: account(store(1, program) + store(2, "GAS"))}, data=data, forks=FORKS[1:])


def flow():
    programs = {
        "loop": asm(20, "JUMPDEST", 1, "SWAP1", "SUB", "DUP1", 2, "JUMPI") + store(1, "GAS"),
        "jump_into_push": asm(4, "JUMP", bytes([0x61, 0x5B, 0x5B])),
        "jump_to_end": asm(3, "JUMP"),
        "jump_far": asm(2**64, "JUMP"),
        "underflow": asm("ADD"),
        "overflow": asm(*([1] * 1025)),
        "full_stack": asm(*([1] * 1024)),
        "undefined": bytes([0x0C]),
        "invalid": asm("INVALID"),
        "cut_push": bytes([0x7F, 1, 2]),
        "dup_swap": asm(1, 2, 3, "DUP3", "SWAP2", "DUP1", "SWAP3") + asm(1, "SSTORE", 2, "SSTORE", 3, "SSTORE"),
        "return_code": asm(42, 0, "MSTORE", 32, 0, "RETURN"),
        "revert_code": store(1, 5) + asm(32, 0, "REVERT"),
        "conditional": asm(load(0), 7, "JUMPI", "STOP", "JUMPDEST") + store(1, 9),
    }
    for name, code in programs.items():
        test("flow", name, {A: account(code)}, data=(b"", word(1)), gas=(100000, 21300))


def storage():
    for original in (0, 1):
        for first in (0, 1, 2):
            for second in (0, 1, 2):
                code = store(1, first) + store(1, second) + store(2, "GAS")
                test("storage", "sstore_%d%d%d" % (original, first, second),
                     {A: account(code, storage={1: original} if original else {})}, gas=(100000, 23300))
    code = store(1, 1, "SLOAD") + store(2, 1, "SLOAD") + store(3, "GAS")
    test("storage", "cold_and_warm", {A: account(code, storage={1: 77})})
    code = asm(5, 1, "TSTORE") + store(1, 1, "TLOAD") + store(2, 2, "TLOAD") + store(3, "GAS")
    test("storage", "transient", {A: account(code, storage={2: 9})})
    code = asm(0, 0, 0, 0, 0, B, "GAS", "CALL") + store(1, 1, "TLOAD")
    test("storage", "transient_of_another", {A: account(code), B: account(asm(5, 1, "TSTORE"))})
    clear = b"".join(store(i, 0) for i in range(1, 9))
    test("storage", "many_refunds", {A: account(clear, storage={i: i for i in range(1, 9)})})
    for topics in range(5):
        code = asm(7, 0, "MSTORE", *range(1, topics + 1), load(1), load(0), "LOG%d" % topics) + store(1, "GAS")
        test("storage", "log%d" % topics, {A: account(code)}, data=[word(0) + word(n) for n in (0, 1, 32, 100)])


# --- calls and creations ------------------------------------------------------------------------------------------

CALLEES = {
    "nothing": b"",
    "returns": asm(7, 0, "MSTORE", 40, 0, "RETURN"),
    "reverts": asm(7, 0, "MSTORE", 40, 0, "REVERT"),
    "invalid": asm("INVALID"),
    "stores": store(1, 7),
    "logs": asm(32, 0, "LOG0"),
    "context": store(1, "CALLER") + store(2, "CALLVALUE") + store(3, "ADDRESS"),
    "destroys": asm(C, "SELFDESTRUCT"),
    "burns": asm("JUMPDEST", 0, "JUMP"),
    "deep": asm(0, 0, 0, 0, 0, "ADDRESS", "GAS", "CALL") + store(1, "GAS"),
}


def calls():
    for name, callee in CALLEES.items():
        for kind in ("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"):
            arguments = [32, 64, 4, 0] + ([load(0)] if kind in ("CALL", "CALLCODE") else [])
            code = store(10, *arguments, B, load(1), kind) + store(11, "RETURNDATASIZE") + store(12, 64, "MLOAD") + store(13, "GAS")
            data = [word(v) + word(g) for v in (0, 1, 10**6) for g in (U256 - 1, 2301)]
            if len(arguments) == 4:
                data = data[:2]
            test("calls", "%s_%s" % (kind.lower(), name), {A: account(code, balance=1000), B: account(callee, balance=5)},
                 data=data, forks=FORKS[1:] if name != "destroys" else FORKS, gas=(400000,))
    code = store(1, 0, 0, 0, 0, 1, EMPTY, "GAS", "CALL") + store(2, EMPTY, "BALANCE")
    test("calls", "to_absent_with_value", {A: account(code, balance=5)})
    code = asm(0, 0, 0, 0, 0, B, "GAS", "CALL", 0, 0, "REVERT")
    test("calls", "caller_reverts", {A: account(code), B: account(CALLEES["stores"])})


INITS = {
    "empty": b"",
    "ok": asm(0x6001, 0, "MSTORE", 2, 30, "RETURN"),
    "stores": store(1, 5) + asm(0, 0, "RETURN"),
    "reverts": asm(32, 0, "REVERT"),
    "invalid": asm("INVALID"),
    "prefix_ef": asm(0xEF, 0, "MSTORE8", 1, 0, "RETURN"),
    "too_large": asm(24577, 0, "RETURN"),
    "largest": asm(24576, 0, "RETURN"),
    "destroys": asm(C, "SELFDESTRUCT"),
    "context": store(1, "CALLER") + store(2, "ORIGIN") + store(3, "CODESIZE") + store(4, "CALLVALUE"),
    "calls_back": asm(0, 0, 0, 0, 0, "CALLER", 5000, "CALL") + store(1, "GAS"),
}


def creations():
    for name, init in INITS.items():
        gas = (6000000,) if name == "largest" else (300000, 54000)
        test("creations", "tx_" + name, {}, to=None, data=(init,), gas=gas, value=(0, 3))
    test("creations", "tx_collision_code", {FIRST_CREATED: account(b"\x00", nonce=1)}, to=None, data=(INITS["ok"],))
    test("creations", "tx_collision_nonce", {FIRST_CREATED: account(nonce=1)}, to=None, data=(INITS["ok"],))
    test("creations", "tx_collision_storage", {FIRST_CREATED: account(storage={1: 1})}, to=None, data=(INITS["ok"],))
    test("creations", "tx_on_balance", {FIRST_CREATED: account(balance=7)}, to=None, data=(INITS["ok"],), value=(1,))
    for kind in ("CREATE", "CREATE2"):
        for name, init in INITS.items():
            salt = [9] if kind == "CREATE2" else []
            make = asm("CALLDATASIZE", 0, 0, "CALLDATACOPY")
            code = make + store(20, *salt, "CALLDATASIZE", 0, "CALLVALUE", kind) + store(21, "RETURNDATASIZE")
            code += store(22, 20, "SLOAD", "EXTCODESIZE") + store(23, "GAS")
            twice = make + asm(*salt, "CALLDATASIZE", 0, 0, kind, "POP") + code
            gas = (8000000,) if name == "largest" else (500000,)
            test("creations", "%s_%s" % (kind.lower(), name), {A: account(code, balance=4)}, data=(init,), gas=gas, value=(0, 1))
            if name in ("ok", "stores", "empty", "destroys"):
                test("creations", "%s_twice_%s" % (kind.lower(), name), {A: account(twice)}, data=(init,), gas=gas)


# --- precompiles --------------------------------------------------------------------------------------------------

def precompiles():
    rng = Rng(2)

    def noise(n):
        return bytes(rng.next() & 0xFF for _ in range(n))

    g1 = word(1) + word(2)
    signature = bytes.fromhex("18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c"
                              "000000000000000000000000000000000000000000000000000000000000001c"
                              "73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75f"
                              "eeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549")
    modexp = word(1) + word(2) + word(3) + bytes([3, 1, 0, 1, 0, 7])
    blake = (12).to_bytes(4, "big") + noise(208) + b"\x01"
    inputs = {1: [signature, signature[:100], noise(128)], 2: [b"", b"abc", noise(100)], 3: [b"", noise(33)],
              4: [b"", noise(70)], 5: [b"", modexp, word(0) + word(0) + word(0), word(32) + word(1) + word(32) + noise(65)],
              6: [b"", g1 + g1, g1, noise(128)], 7: [g1 + word(5), g1 + word(U256 - 1), noise(96)],
              8: [b"", bytes(192), noise(191), noise(192)], 9: [blake, blake[:-1], blake[:-1] + b"\x02", bytes(213)],
              10: [b"", noise(192)], 0x100: [b"", bytes(160), noise(160)]}
    sizes = {11: 256, 12: 160, 13: 512, 14: 288, 15: 384, 16: 64, 17: 128}
    for number, size in sizes.items():
        inputs[number] = [b"", bytes(size), noise(size), bytes(size - 1)]
    for number, rows in inputs.items():
        copy = asm("CALLDATASIZE", 0, 0, "CALLDATACOPY")
        code = copy + store(1, 64, 0, "CALLDATASIZE", 0, 0, number, "GAS", "CALL") + store(2, "RETURNDATASIZE")
        code += store(3, 0, "MLOAD") + store(4, 32, "MLOAD") + store(5, "GAS")
        test("precompiles", "p%03x" % number, {A: account(code)}, data=rows, gas=(1000000,))
        test("precompiles", "p%03x_direct" % number, {}, to="0x%040x" % number, data=rows, gas=(1000000, 60000), value=(1,))


# --- transactions -------------------------------------------------------------------------------------------------

def transactions():
    touch = store(1, 1, "SLOAD") + store(2, B, "BALANCE") + store(3, "GAS")
    pre = {A: account(touch, storage={1: 5}), B: account(balance=1)}
    one = [{"address": A, "storageKeys": ["0x" + word(1).hex()]}]
    lists = [[], one, one + [{"address": B, "storageKeys": []}], one * 3 + [{"address": COINBASE, "storageKeys": ["0x" + word(9).hex()] * 4}]]
    test("transactions", "type0", pre, data=(b"", b"\x00\x01"), value=(0, 1), gas=(100000, 21000, 20999))
    test("transactions", "type0_unprotected", pre, tx={"protected": False})
    test("transactions", "type1", pre, data=[b""] * 4, tx={"accessLists": lists}, gas=(100000, 23000))
    fees = [(7, 0), (7, 7), (100, 3), (100, 100), (6, 0), (7, 8), (2**200, 1)]
    for cap, tip in fees:
        test("transactions", "type2_%x_%x" % (cap, tip), pre, data=[b"", b"\x01"], tx={"accessLists": lists[:2]},
             fee={"maxFeePerGas": hexn(cap), "maxPriorityFeePerGas": hexn(tip)})
    for count, version in ((1, 1), (6, 1), (7, 1), (9, 1), (10, 1), (0, 1), (1, 2)):
        hashes = ["0x%02x%062x" % (version, i) for i in range(count)]
        code = store(1, load(0), "BLOBHASH") + store(2, "BLOBBASEFEE")
        test("transactions", "type3_%d_%d" % (count, version), {A: account(code)}, data=[word(0), word(5)],
             tx={"blobVersionedHashes": hashes, "maxFeePerBlobGas": "0x1"},
             fee={"maxFeePerGas": "0x64", "maxPriorityFeePerGas": "0x1"})
    test("transactions", "nonce_high", pre, tx={"nonce": "0x1"})
    test("transactions", "nonce_low", {**pre, SENDER: account(balance=ETHER, nonce=2)}, tx={"nonce": "0x1"})
    test("transactions", "nonce_max", pre, tx={"nonce": hexn(2**64 - 1)})
    test("transactions", "sender_has_code", {**pre, SENDER: account(b"\x00", balance=ETHER)})
    test("transactions", "poor", {**pre, SENDER: account(balance=200000 * 10 + 5)}, value=(5, 6))
    test("transactions", "gas_above_block", pre, gas=(0x2625A01,))
    test("transactions", "gas_cap", pre, gas=(2**24, 2**24 + 1))
    floor = [b"\x01" * n for n in (0, 100, 1000)] + [b"\x00" * n for n in (100, 1000)]
    test("transactions", "calldata_floor", {}, to=EMPTY, data=floor, gas=(70000, 25000, 61000))
    test("transactions", "to_itself", {}, to=SENDER, value=(0, 9))
    test("transactions", "to_coinbase", {}, to=COINBASE, value=(0, 9))


def set_code():
    def auth(target, nonce=0, chain=0, key=KEY2):
        return {"chainId": hexn(chain), "address": target, "nonce": hexn(nonce), "secretKey": key}

    fee = {"maxFeePerGas": "0x64", "maxPriorityFeePerGas": "0x2"}
    runs = store(1, "ADDRESS") + store(2, "CALLER") + store(3, "CODESIZE") + store(4, "GAS")
    zero = "0x" + "00" * 20
    rows = {
        "delegates": ([auth(B)], {}), "chain": ([auth(B, chain=1)], {}), "other_chain": ([auth(B, chain=2)], {}),
        "stale": ([auth(B, nonce=1)], {}), "twice": ([auth(B), auth(C, nonce=1)], {}), "repeated": ([auth(B), auth(C)], {}),
        "clears": ([auth(zero)], {SENDER2: account(bytes.fromhex("ef0100" + B[2:]), nonce=0)}),
        "own": ([auth(B, nonce=1, key=KEY)], {}), "contract": ([auth(B)], {SENDER2: account(b"\x60\x00")}),
        "to_precompile": ([auth("0x%040x" % 4)], {}), "to_itself": ([auth(SENDER2)], {}), "rich": ([auth(B)], {SENDER2: account(balance=8)}),
        "chained": ([auth(SENDER)], {SENDER: account(bytes.fromhex("ef0100" + B[2:]), balance=ETHER, nonce=0)}), "none": ([], {}),
    }
    for name, (auths, extra) in rows.items():
        for to, label in ((SENDER2, "authority"), (A, "caller")):
            caller = store(9, 0, 0, 0, 0, 1, SENDER2, 60000, "CALL") + store(10, SENDER2, "EXTCODEHASH") + store(11, SENDER2, "EXTCODESIZE")
            pre = {A: account(caller, balance=3), B: account(runs), C: account(asm(0, 0, "REVERT"))}
            pre.update(extra)
            test("set_code", "%s_%s" % (name, label), pre, to=to, gas=(400000, 60000), fee=fee,
                 tx={"authorizationList": json.loads(json.dumps(auths))})


# --- random programs ----------------------------------------------------------------------------------------------

def random_programs():
    rng = Rng(3)
    names = [n for n in OPS if n not in ("STOP", "JUMP", "JUMPI", "INVALID", "SELFDESTRUCT", "REVERT", "RETURN")]
    for number in range(150):
        code = b""
        for _ in range(6):
            code += push(rng.next() if rng.below(2) else rng.below(300))
        for _ in range(60):
            k = rng.below(10)
            if k < 4:
                code += push([rng.below(64), rng.next(), int(A, 16), int(B, 16)][rng.below(4)])
            elif k < 5:
                code += asm(rng.below(64), "MSTORE")
            elif k < 6:
                code += asm(rng.below(4), "SSTORE")
            else:
                code += bytes([OPS[names[rng.below(len(names))]]])
        code += [asm(64, 0, "RETURN"), asm(64, 0, "REVERT"), asm(C, "SELFDESTRUCT"), b""][rng.below(4)]
        callee = list(CALLEES.values())[rng.below(len(CALLEES))]
        test("random", "r%03d" % number, {A: account(code, balance=100, storage={1: 5}), B: account(callee, balance=3)},
             data=(bytes(rng.below(256) for _ in range(36)),), gas=(300000,), value=(rng.below(2),))


def main():
    for family in (arithmetic, environment, memory, flow, storage, calls, creations, precompiles, transactions, set_code, random_programs):
        family()
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "state")
    os.makedirs(folder, exist_ok=True)
    cases = 0
    for group, tests in files.items():
        cases += sum(len(p) for t in tests.values() for p in t["post"].values())
        with open(os.path.join(folder, group + ".json"), "w", encoding="ascii") as f:
            json.dump(tests, f, separators=(",", ":"))
    print(cases, "cases in", len(files), "files")


if __name__ == "__main__":
    main()
