// Bad requests. Every maker knows what it broke and therefore what must come back.
//
// A case is one of
//   {name, json, want}          a body over HTTP; want: undefined (no answer), one {id, code, text | result} or a list
//   {name, wire, status, after} bytes of a request that HTTP refuses, then the end of the connection; what follows them
//                               must not be answered. `after`: the status of a good request behind it, when it is kept
//   {name, part, end}           the beginning of a request, then "fin", "reset" or "hang"
import { SigningKey, Transaction, concat, decodeRlp, encodeRlp, getBytes, hexlify, keccak256, stripZerosLeft, toBeArray } from "ethers";

export const BODY_MAX = 5 << 20;
const TX_MAX = 85000;
const [PARSE, REQUEST, METHOD, PARAMS, SERVER] = [-32700, -32600, -32601, -32602, -32000];
const CURVE_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

const quote = JSON.stringify;
const hexOf = (n) => `0x${BigInt(n).toString(16)}`;

// --- JSON that is none, or no request ---------------------------------------------------------------------------------

const failed = (code, text, id = null) => ({ id, code, text });

/** A request that would be answered. */
function goodText(r) {
  const params = r.pick([[], [`0x${r.hex(20)}`, "latest"], [{ to: `0x${r.hex(20)}`, data: `0x${r.hex(r.between(1, 80))}` }, "latest"]]);
  return quote({ jsonrpc: "2.0", id: r.u32(), method: "eth_getBalance", params });
}

function truncatedJson(r) {
  const text = goodText(r);
  return { json: text.slice(0, r.below(text.length)), want: failed(PARSE, "parse error") };
}

function brokenJson(r) {
  const text = goodText(r);
  const at = r.between(1, text.length - 1);
  const make = {
    garbage: () => Buffer.concat([Buffer.from([0x80 | r.below(128)]), r.bytes(r.between(0, 60))]),
    trailing: () => text + r.pick(["}", "]", "x", "{}", ",", "1", '"', "\0"]),
    comma: () => text.replace("]}", ",]}"),
    quotes: () => text.replaceAll('"', "'"),
    number: () => text.replace(/"id":\d+/, `"id":${r.pick(["NaN", "01", "+1", ".5", "1.", "0x10", "Infinity", "-", "1e", "--1"])}`),
    control: () => text.replace("eth_", `eth${String.fromCharCode(r.below(32))}`),
    escape: () => text.replace("eth_", r.pick(["\\x41", "\\u12g4", "\\ud800", "\\udc00x", "\\u0000"])),
    utf8: () => Buffer.concat([Buffer.from('{"id":1,"method":"'), Buffer.from(r.pick([[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]])), Buffer.from('"}')]),
    mark: () => `\ufeff${text}`,
    colon: () => text.replace(":", r.pick([" ", "=", "::", ","])),
    cut: () => text.slice(0, at).replace(/"[^"]*$/, "") + "}}}}",
  };
  const how = r.pick(Object.keys(make));
  return { name: how, json: make[how](), want: failed(PARSE, "parse error") };
}

function deepJson(r) {
  const depth = r.weighted([[5, r.between(65, 200)], [3, r.between(201, 20000)], [1, r.between(20001, 100000)]]);
  const open = r.pick(["[", '{"a":', '[{"a":']);
  const close = { "[": "]", '{"a":': "}", '[{"a":': "}]" }[open];
  const times = open.length > 5 ? Math.ceil(depth / 2) : depth;
  const inner = open.repeat(times) + (r.chance(50) ? "1" + close.repeat(times) : "");
  const json = r.chance(50) ? inner : `{"id":1,"method":"eth_chainId","params":[${inner}]}`;
  return { json, want: failed(REQUEST, "invalid request: nested too deep") };
}

/** As deep as allowed: a request like others. */
function depthLimit(r) {
  const id = r.u32();
  const json = `{"id":${id},"method":"eth_chainId","params":[${"[".repeat(62)}${"]".repeat(62)}]}`;
  return { json, want: failed(PARAMS, "too many arguments, want at most 0", id) };
}

function noRequest(r) {
  const id = r.pick([r.u32(), `a${r.u32()}`, null, -r.u32()]);
  const bad = (o) => ({ json: quote(o), want: failed(REQUEST, "invalid request", o?.id === undefined || typeof o.id === "boolean" || (o.id !== null && typeof o.id === "object") ? null : o.id) });
  return r.pick([
    () => ({ json: quote(r.pick([1, -7, "eth_chainId", true, false, null, 1.5])), want: failed(REQUEST, "invalid request") }),
    () => ({ json: "[]", want: failed(REQUEST, "empty batch") }),
    () => bad({ id }),
    () => bad({}),
    () => bad({ jsonrpc: "2.0", id, params: [] }),
    () => bad({ id, method: r.pick([1, true, null, ["eth_chainId"], { a: 1 }]) }),
    () => bad({ id: r.pick([{}, [], { a: [] }, true, false, [1]]), method: "eth_chainId" }),
    () => bad({ id, jsonrpc: r.pick(["1.0", "2", 2, 2.5, true, null, {}, ""]), method: "eth_chainId" }),
  ])();
}

function duplicateKeys(r) {
  const json = r.pick([
    () => `{"id":${r.u32()},"id":${r.u32()},"method":"eth_chainId"}`,
    () => `{"id":1,"method":"eth_chainId","method":"net_version"}`,
    () => `{"id":1,"method":"eth_chainId","\\u006dethod":"net_version"}`,
    () => `{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"eth_chainId"}`,
    () => `{"id":1,"method":"eth_getBalance","params":["0x${r.hex(20)}"],"params":["0x${r.hex(20)}"]}`,
    () => `{"id":1,"method":"eth_call","params":[{"to":"0x${r.hex(20)}","to":"0x${r.hex(20)}"},"latest"]}`,
    () => `[{"id":1,"method":"eth_chainId"},{"id":2,"id":3,"method":"eth_chainId"}]`,
  ])();
  return { json, want: failed(REQUEST, "invalid request: duplicate key") };
}

/** Two calls of a batch with one identifier: allowed, and each is answered in its place. */
function duplicateIds(r, cx) {
  const id = r.pick([r.u32(), "x", null]);
  const calls = Array.from({ length: r.between(2, 12) }, () => r.pick(["eth_chainId", "net_version"]));
  const results = { eth_chainId: hexOf(cx.chainId), net_version: String(cx.chainId) };
  return { json: quote(calls.map((method) => ({ id, method }))), want: calls.map((m) => ({ id, result: results[m] })) };
}

// --- methods and arguments --------------------------------------------------------------------------------------------

/** The first `n` bytes as they come back: what is left of a cut character, each byte as a replacement. */
function firstBytes(s, n) {
  const all = Buffer.from(s);
  let whole = Math.min(n, all.length);
  while (whole < all.length && (all[whole] & 0xc0) === 0x80) whole--;
  return all.subarray(0, whole).toString() + "\ufffd".repeat(Math.min(n, all.length) - whole);
}

function unknownMethod(r) {
  const id = r.u32();
  const name = r.pick([
    () => `foo_${r.hex(r.between(0, 12))}`,
    () => "",
    () => "eth_chainid",
    () => "eth_chainId ",
    () => `eth_${'"\\\n\t\u0001</script>%s%n'.slice(0, r.between(1, 20))}`,
    () => "x".repeat(r.between(90, 5000)),
    () => "x".repeat(r.below(4)) + r.pick(["é", "€", "𝄞"]).repeat(r.between(20, 200)),
  ])();
  return call(id, name, [], METHOD, `the method ${firstBytes(name, 100)} does not exist/is not available`);
}

const call = (id, method, params, code, text) => ({ json: quote({ jsonrpc: "2.0", id, method, params }), want: failed(code, text, id) });

const unmarshal = (what, type) => `json: cannot unmarshal ${what} into Go value of type ${type}`;
const noHex = (r, n) => {
  const s = [...r.hex(n)];
  s[r.below(s.length)] = r.pick(["g", "z", " ", "-", "x", "_"]);
  return s.join("");
};

/** What is wrong about an argument of each type: [value, text after `invalid argument N: `]. */
const broken = {
  fixed(r, bytes, type) {
    return r.pick([
      () => [r.pick([1, 1.5, true, [], {}, [`0x${r.hex(bytes)}`]]), unmarshal("non-string", type)],
      () => ["", "empty hex string"],
      () => [r.hex(bytes), "hex string without 0x prefix"],
      () => {
        const n = r.pick([0, 1, bytes * 2 - 1, bytes * 2 + 1, bytes * 2 + 2, 5000]);
        return [`0x${r.hex(2600).slice(0, n)}`, `hex string has length ${n}, want ${bytes * 2} for ${type}`];
      },
      () => [`0x${noHex(r, bytes)}`, "invalid hex string"],
    ])();
  },
  address: (r) => broken.fixed(r, 20, "common.Address"),
  hash: (r) => broken.fixed(r, 32, "common.Hash"),
  uint(r, type, bits) {
    return r.pick([
      () => [r.pick([-1, 1.5, true, [], {}, -r.u32()]), unmarshal("non-string", type)],
      () => ["", "empty hex string"],
      () => [r.pick(["newest", "12", "x", "Latest", "latest "]), "hex string without 0x prefix"],
      () => [r.pick(["0x", "0xg", "0x1 ", "0x-1", "0x1.5", "0x1\n"]), "invalid hex string"],
      () => [`0x${"f".repeat(bits / 4)}${r.hex(1)}`, `hex number > ${bits} bits`],
    ])();
  },
  block(r) {
    const [value, text] = broken.uint(r, "hexutil.Uint64", 64);
    return [value?.constructor === Object ? [value] : value, text]; // an object may name a block
  },
  bool: (r) => [r.pick(["true", 1, 0, [], {}, "0x1"]), unmarshal("value", "bool")],
  data(r) {
    return r.pick([
      () => [r.pick([1, true, [], {}]), unmarshal("non-string", "hexutil.Bytes")],
      () => ["", "empty hex string"],
      () => [r.hex(4), "hex string without 0x prefix"],
      () => [`0x${r.hex(r.between(1, 40)).slice(1)}`, "hex string of odd length"],
      () => [`0x${noHex(r, 10)}`, "invalid hex string"],
    ])();
  },
  tx(r) {
    const wrong = (key, [value, text]) => [{ [key]: value }, text];
    return r.pick([
      () => [r.pick([1, "0x", true, [], [{}]]), unmarshal("value", "ethapi.TransactionArgs")],
      () => wrong(r.pick(["from", "to"]), broken.address(r)),
      () => wrong(r.pick(["gas", "nonce", "chainId", "type"]), broken.uint(r, "hexutil.Uint64", 64)),
      () => wrong(r.pick(["value", "gasPrice", "maxFeePerGas"]), broken.uint(r, "*hexutil.Big", 256)),
      () => wrong(r.pick(["data", "input"]), broken.data(r)),
      () => [{ accessList: r.pick([1, {}, "0x", [1], [{ address: `0x${r.hex(20)}`, storageKeys: 1 }]]) }, "invalid access list"],
      () => {
        const [address, text] = broken.address(r);
        return [{ accessList: [{ address, storageKeys: [] }] }, text];
      },
      () => [{ authorizationList: r.pick([1, {}, "0x", [1], [[]]]) }, "invalid authorization list"],
    ])();
  },
  filter(r) {
    const [block, blockText] = broken.block(r);
    const [hash, hashText] = broken.hash(r);
    return r.pick([
      () => [r.pick([1, "0x", true, []]), unmarshal("value", "filters.FilterCriteria")],
      () => [{ fromBlock: block }, blockText],
      () => [{ toBlock: block }, blockText],
      () => [{ blockHash: hash }, hashText],
      () => [{ topics: r.pick([1, {}, "0x", true]) }, "invalid topics"],
      () => [{ topics: [null, [hash]] }, hashText],
      () => [{ blockHash: `0x${r.hex(32)}`, fromBlock: "0x1" }, "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other"],
    ])();
  },
};

const good = {
  address: (r) => `0x${r.hex(20)}`,
  hash: (r) => `0x${r.hex(32)}`,
  block: () => "latest",
  bool: (r) => r.chance(50),
  data: (r) => `0x${r.hex(8)}`,
  tx: (r) => ({ to: `0x${r.hex(20)}` }),
  filter: () => ({}),
};

/** Method, types of its arguments, how many must be there, how many may. */
const methods = [
  ["eth_getBalance", ["address", "block"], 1, 2],
  ["eth_getCode", ["address", "block"], 1, 2],
  ["eth_getTransactionCount", ["address", "block"], 1, 2],
  ["eth_getBlockByNumber", ["block", "bool"], 1, 2],
  ["eth_getBlockByHash", ["hash", "bool"], 1, 2],
  ["eth_getTransactionByHash", ["hash"], 1, 1],
  ["eth_getTransactionReceipt", ["hash"], 1, 1],
  ["eth_getRawTransactionByHash", ["hash"], 1, 1],
  ["eth_getBlockTransactionCountByHash", ["hash"], 1, 1],
  ["eth_call", ["tx", "block"], 1, 4],
  ["eth_estimateGas", ["tx", "block"], 1, 4],
  ["eth_getLogs", ["filter"], 1, 1],
  ["eth_newFilter", ["filter"], 1, 1],
  ["web3_sha3", ["data"], 1, 1],
  ["eth_sendRawTransaction", ["data"], 1, 1],
  ["eth_chainId", [], 0, 0],
  ["eth_blockNumber", [], 0, 0],
];

function wrongTypes(r) {
  const [method, types] = r.pick(methods.filter(([, types]) => types.length > 0));
  const at = r.below(types.length);
  const params = types.slice(0, r.between(at + 1, types.length)).map((t) => good[t](r));
  const [value, text] = broken[types[at]](r);
  params[at] = value;
  return { name: types[at], ...call(r.u32(), method, params, PARAMS, `invalid argument ${at}: ${text}`) };
}

function arity(r) {
  const [method, types, least, most] = r.pick(methods);
  const id = r.u32();
  if (r.chance(20)) return call(id, method, r.pick([{}, { a: 1 }, "x", 1, true]), PARAMS, "non-array args");
  if (least > 0 && r.chance(50)) {
    const n = r.below(least);
    return call(id, method, [...types.slice(0, n).map((t) => good[t](r)), ...Array(r.below(2)).fill(null)], PARAMS, `missing value for required argument ${n}`);
  }
  const extra = Array.from({ length: r.between(1, 30) }, () => r.u32());
  const params = Array.from({ length: most }, (_, i) => (types[i] ? good[types[i]](r) : {}));
  return call(id, method, [...params, ...extra], PARAMS, `too many arguments, want at most ${most}`);
}

// --- envelopes --------------------------------------------------------------------------------------------------------

/** A transaction without a signature that would be taken. */
function plainTx(r, cx) {
  const type = r.below(3);
  const fee = type === 2 ? { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n } : { gasPrice: 10n ** 10n };
  return { type, chainId: cx.chainId, nonce: 1, gasLimit: 100000n, to: `0x${r.hex(20)}`, value: 1n, data: `0x${r.hex(r.below(40))}`, ...fee };
}

function sign(fields, key) {
  const tx = Transaction.from(fields);
  tx.signature = new SigningKey(key).sign(tx.unsignedHash);
  return tx;
}

/** A tip above the fee cap, which the library would not sign. */
function greedy(tx, cx) {
  const fields = [cx.chainId, 1, 10n ** 11n, 10n ** 10n, tx.gasLimit].map((n) => toBeArray(n));
  const all = [...fields, tx.to, toBeArray(tx.value), tx.data, []];
  const s = new SigningKey(cx.key).sign(keccak256(concat(["0x02", encodeRlp(all)])));
  return concat(["0x02", encodeRlp([...all, toBeArray(s.yParity), stripZerosLeft(s.r), stripZerosLeft(s.s)])]);
}

const send = (r, raw, text, code = SERVER) => call(r.u32(), "eth_sendRawTransaction", [raw], code, text);
const outOfRange = "invalid transaction v, r, s values";

function badRlp(r, cx) {
  const raw = getBytes(cx.signed[r.below(cx.signed.length)]);
  const typed = raw[0] < 0x80;
  const list = typed ? raw.subarray(1) : raw;
  const wrap = (items) => {
    const enc = getBytes(encodeRlp(items));
    return hexlify(typed ? Uint8Array.of(raw[0], ...enc) : enc);
  };
  return r.weighted([
    [6, () => send(r, hexlify(raw.subarray(0, r.between(1, raw.length - 1))), "rlp: ")],
    [1, () => send(r, "0x", "typed transaction too short")],
    [2, () => send(r, hexlify(Uint8Array.of(...raw, ...r.bytes(r.between(1, 9)))), "rlp: ")],
    [2, () => send(r, wrap([...decodeRlp(list), "0x"]), "rlp: ")],
    [2, () => send(r, wrap(decodeRlp(list).slice(0, r.between(0, 8))), "rlp: ")],
    [2, () => send(r, wrap(decodeRlp(list).map((v, i) => (i === (typed ? 1 : 0) ? "0x0001" : v))), "rlp: ")],
    [1, () => send(r, `0x${r.pick(["f8ff", "ff7fffffffffffffff", "ffffffffffffffffff", "f90000", "c1", "bfff", "80", "b90400"])}`, "rlp: ")],
    [2, () => send(r, hexlify(Uint8Array.of(r.pick([0, 3, r.between(5, 0x7f)]), ...list)), "transaction type not supported: transaction type not valid")],
  ])();
}

function oversizedTx(r) {
  const n = r.weighted([[30, r.between(TX_MAX + 1, TX_MAX + 4000)], [1, 1 << 20], [1, r.between(1 << 20, 2500000)]]);
  return send(r, `0x${r.pick(["02", "f9"])}${"00".repeat(n - 1)}`, `oversized data: transaction size ${n}, limit ${TX_MAX}`);
}

function wrongSignature(r, cx) {
  const tx = Transaction.from(cx.signed[r.below(cx.signed.length)]);
  const { r: sr, s, yParity } = tx.signature;
  const fields = decodeRlp(tx.type ? `0x${tx.serialized.slice(4)}` : tx.serialized);
  const v = tx.type ? BigInt(yParity) : 35n + 2n * BigInt(cx.chainId) + BigInt(yParity);
  const put = (v2, r2, s2) => {
    const int = (n) => (n === 0n ? "0x" : `0x${n.toString(16).padStart(n.toString(16).length + (n.toString(16).length & 1), "0")}`);
    const enc = encodeRlp([...fields.slice(0, -3), int(v2), int(r2), int(s2)]);
    return tx.type ? `0x0${tx.type}${enc.slice(2)}` : enc;
  };
  const [rr, ss] = [BigInt(sr), BigInt(s)];
  return r.pick([
    () => send(r, put(v, rr, CURVE_N - ss), outOfRange), // high s
    () => send(r, put(v, 0n, ss), outOfRange),
    () => send(r, put(v, rr, 0n), outOfRange),
    () => send(r, put(v, CURVE_N + BigInt(r.below(1000)), ss), outOfRange),
    () => send(r, put(v, rr, CURVE_N), outOfRange),
    () => send(r, put(tx.type ? BigInt(r.between(2, 255)) : BigInt(r.pick([0, 1, 26, 29, 34])), rr, ss), outOfRange),
    () => send(r, put(v, 1n << 260n, ss), "rlp: "),
    // another's signature: the sender is somebody who has nothing
    () => send(r, put(v, rr, (ss ^ BigInt(r.between(1, 1 << 30))) || 1n), "insufficient funds for gas * price + value: address 0x"),
  ])();
}

/** Well signed, by whom has funds, and still refused; nothing stays in the pool. */
function refusedTx(r, cx) {
  const base = plainTx(r, cx);
  const refused = (change, text) => send(r, sign({ ...base, ...change }, cx.key).serialized, text);
  const cap = (n) => (base.type === 2 ? { maxFeePerGas: n, maxPriorityFeePerGas: 0n } : { gasPrice: n });
  return r.pick([
    () => refused({ nonce: 0 }, "nonce too low: next nonce 1, tx nonce 0"),
    () => refused({ gasLimit: 20999n, data: "0x" }, `intrinsic gas too low: gas 20999, minimum needed 21000`),
    () => refused({ gasLimit: 21000n, data: "0x00" }, "intrinsic gas too low: gas 21000, minimum needed 21004"),
    () => refused({ gasLimit: (1n << 24n) + 1n }, "transaction gas limit too high (cap: 16777216, tx: 16777217)"),
    () => refused({ chainId: cx.chainId + r.between(1, 1000) }, "invalid chain id for signer: have "),
    () => refused({ value: 1n << BigInt(r.between(120, 250)) }, "insufficient funds for gas * price + value: address 0x"),
    () => refused(cap(1n), "max fee per gas less than block base fee: address 0x"),
    () => send(r, greedy(base, cx), "max priority fee per gas higher than max fee per gas: address 0x"),
    () => refused({ type: 0, chainId: 0, gasPrice: 10n ** 10n, maxFeePerGas: undefined, maxPriorityFeePerGas: undefined }, "only replay-protected (EIP-155) transactions allowed over RPC"),
  ])();
}

// --- batches ----------------------------------------------------------------------------------------------------------

const asItem = [unknownMethod, wrongTypes, arity, badRlp, wrongSignature];

function badBatch(r, cx) {
  const items = Array.from({ length: r.between(1, 25) }, () => r.pick(asItem)(r, cx));
  if (r.chance(30)) items.push({ json: quote(r.pick([1, "x", null, [], [[]]])), want: failed(REQUEST, "invalid request") });
  return { json: `[${items.map((i) => i.json).join(",")}]`, want: items.map((i) => i.want) };
}

function largeBatch(r) {
  const n = r.between(1001, 3000);
  const json = `[${Array.from({ length: n }, (_, i) => `{"id":${i + 7},"method":"eth_chainId"}`).join(",")}]`;
  return { json, want: [failed(REQUEST, "batch too large", 7)] };
}

/** Nothing comes back for what asks for nothing. */
function notifications(r) {
  const one = () => quote({ jsonrpc: "2.0", method: r.pick(["foo_bar", "eth_chainId", "eth_getBalance"]), params: r.pick([[], [1], {}]) });
  return { json: r.chance(50) ? one() : `[${[one(), one()].join(",")}]`, want: undefined };
}

// --- HTTP -------------------------------------------------------------------------------------------------------------

const HEAD = "POST / HTTP/1.1\r\nHost: localhost\r\n";
const inner = '{"id":99,"method":"eth_chainId"}';
export const frame = (body, headers = "") =>
  Buffer.concat([Buffer.from(`${HEAD}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`), Buffer.from(body)]);
const hidden = frame(inner);

const wire = (status, ...parts) => ({ wire: Buffer.concat(parts.map((p) => Buffer.from(p))), status });
const chunked = (r, body) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** Lengths that two readers could take differently, each with a second request inside. */
function smuggling(r) {
  const te = "Transfer-Encoding: chunked\r\n";
  const n = inner.length;
  const chunk = `${n.toString(16)}\r\n${inner}\r\n`;
  const bad = (status, head, body = "") => wire(status, HEAD, head, "\r\n", body, hidden);
  return r.pick([
    () => bad(400, `Content-Length: 4\r\n${te}`, "0\r\n\r\n"),
    () => bad(400, `${te}Content-Length: ${r.below(100)}\r\n`, "0\r\n\r\n"),
    () => bad(400, `Content-Length: ${n}\r\nContent-Length: ${r.below(9)}\r\n`, inner),
    () => bad(400, `Content-Length: ${n}\r\nContent-Length: ${n}\r\n`, inner),
    () => bad(400, `Content-Length: ${r.pick([`${n}, ${n}`, `+${n}`, `-${n}`, "0x10", "1 1", "1_0", `${n};`, "ten", "١", "99999999999999999999", ""])}\r\n`, inner),
    () => bad(501, `Transfer-Encoding: ${r.pick(["gzip", "identity", "chunked, chunked", "gzip, chunked", "xchunked", "chunked;q=1", "chunked,", "\"chunked\""])}\r\n`, chunked(r, inner)),
    () => bad(501, te + te, chunked(r, inner)),
    () => bad(400, `${r.pick(["Content-Length ", "Transfer-Encoding\t", " Content-Length", "Content\0-Length", "Content-Length\x0b", "Content(Length"])}: ${n}\r\n`, inner),
    () => bad(400, `X: a\r\n${r.pick([" ", "\t"])}Content-Length: ${n}\r\nContent-Length: 0\r\n`, inner),
    () => bad(400, `X: a${r.pick(["\0", "\x01", "\x1f", "\x7f", "\rY: b"])}\r\nContent-Length: 0\r\n`),
    () => bad(400, "Host: localhost\r\nContent-Length: 0\r\n"),
    () => wire(400, "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", hidden),
    () => wire(400, `POST / HTTP/1.0\r\nHost: localhost\r\n${te}Connection: keep-alive\r\n\r\n`, chunked(r, inner), hidden),
    () => bad(400, te, `${r.pick(["g", "0x20", "-1", "+20", "fffffffffffffffff", "", " 20", "20 20"])}\r\n${inner}\r\n0\r\n\r\n`),
    () => bad(400, te, `${n.toString(16)}\r\n${inner}${r.pick(["0\r\n\r\n", "xx0\r\n\r\n", "\n0\r\n\r\n"])}`),
    () => bad(400, te, `${n.toString(16)};a${r.pick(["\n", "\n0\r\n"])}\r\n${inner}\r\n0\r\n\r\n`),
    () => bad(400, te, `${n.toString(16)};a=\0\r\n${inner}\r\n0\r\n\r\n`),
    () => bad(400, te, `${chunk}0\r\n${r.pick(["Content-Length: 5", "Transfer-Encoding: chunked", "Host: localhost", "X: a\nY: b", "X: a\n", "X : a"])}\r\n\r\n`),
    () => bad(400, `X: a\n${r.pick(["Content-Length: 0\r\n", "Y: b\r\n", "\n"])}`),
    () => wire(400, `${HEAD}Content-Length: 0\r\n\rX`, hidden),
    () => bad(400, te, `${chunk}0\r\nX: a\r\n${r.pick([" b", "\tb"])}\r\n\r\n`),
  ])();
}

function badHead(r) {
  const line = (method, target, version) => wire(version === undefined ? 400 : version, `${method} ${target}`);
  const long = r.between(2049, 6000);
  return r.pick([
    () => wire(400, `${r.hex(r.between(2, 30))}\r\n\r\n`, hidden),
    () => wire(400, Buffer.concat([Buffer.from([0x80 | r.below(128)]), Buffer.from(r.bytes(40))]), "\r\n\r\n", hidden),
    () => wire(400, Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.from(r.bytes(64))), // a TLS greeting
    () => wire(400, "post / HTTP/1.1\r\nHost: localhost\r\n\r\n", hidden),
    () => wire(400, "GET /\r\n\r\n".replace("\r\n\r\n", " HTTX/1.1\r\n\r\n"), hidden),
    () => wire(505, `GET / HTTP/${r.pick(["2.0", "0.9", "1.2", "3.0", "9.9"])}\r\nHost: localhost\r\n\r\n`, hidden),
    () => wire(400, `GET /${r.pick(["\x01", "\x7f", "\xff", "\0", "\t"])} HTTP/1.1\r\nHost: localhost\r\n\r\n`, hidden),
    () => wire(414, `GET /${"a".repeat(long)} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    () => wire(431, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(r.between(16384, 40000))}\r\n\r\n`),
    () => wire(431, `GET / HTTP/1.1\r\nHost: localhost\r\n${"X: y\r\n".repeat(r.between(100, 400))}\r\n`, hidden),
    () => wire(431, `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n${`X: ${"y".repeat(100)}\r\n`.repeat(r.between(170, 300))}\r\n`, hidden),
    () => line("GET", "/ HTTP/1.1 x\r\nHost: localhost\r\n\r\n"),
  ])();
}

function oversizedBody(r) {
  return r.weighted([
    [40, () => wire(413, `${HEAD}Content-Length: ${BODY_MAX + 1 + r.below(1 << 30)}\r\n\r\n`, "x".repeat(r.below(5000)))],
    [40, () => wire(413, `${HEAD}Transfer-Encoding: chunked\r\n\r\n${(BODY_MAX + 1 + r.below(1 << 28)).toString(16)}\r\n`, "x".repeat(r.below(5000)))],
    [1, () => wire(413, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, ...Array.from({ length: 81 }, () => `10000\r\n${" ".repeat(65536)}\r\n`))],
  ])();
}

/** Refused, while the connection goes on. */
function refusedRequest(r) {
  const kept = (status, text) => ({ ...wire(status, text, frame(inner)), after: 200 });
  return r.pick([
    () => kept(404, frame(inner).toString().replace("POST /", `POST /${r.hex(4)}`)),
    () => kept(404, frame(inner).toString().replace("POST /", `POST http://other.example/`)),
    () => kept(405, `${r.pick(["PUT", "DELETE", "PATCH", "TRACE", "CONNECT"])} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`),
    () => kept(415, frame(inner, `Content-Type: ${r.pick(["text/plain", "application/xml", "application/jsonx", "application/x-www-form-urlencoded"])}\r\n`).toString()),
    () => kept(403, frame(inner).toString().replace("localhost", r.pick(["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example", "a".repeat(300), "[::1", "localhost@evil.example"]))),
    () => kept(426, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"),
    () => kept(400, `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${r.pick(["", "AAAA", "A".repeat(24), "!".repeat(22) + "=="])}\r\n\r\n`),
  ])();
}

/** Trailers change nothing about the request that they end. */
function trailers(r) {
  const fields = Array.from({ length: r.between(1, 60) }, () => `${r.pick(["Hos", "Expect", "Origin", "X"])}: ${"z".repeat(r.below(150))}\r\n`);
  const first = `${HEAD}Transfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n${fields.join("")}\r\n`;
  return { ...wire(200, first, frame(inner)), after: 200 };
}

/** The beginning of a request; "whole" ends its sending side after the last byte and must still be answered. */
function halfOpen(r) {
  const whole = r.pick([frame(goodText(r)), Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunked(r, inner)}`), frame(inner, "Expect: x\r\n")]);
  const end = r.weighted([[4, "fin"], [4, "reset"], [3, "hang"], [2, "whole"]]);
  return { part: end === "whole" ? whole : whole.subarray(0, r.between(1, whole.length - 1)), end };
}

const makers = [
  [10, truncatedJson], [8, brokenJson], [6, deepJson], [1, depthLimit], [8, noRequest], [8, duplicateKeys], [4, duplicateIds], [6, unknownMethod],
  [14, wrongTypes], [5, arity], [9, badRlp], [2, oversizedTx], [8, wrongSignature], [3, refusedTx], [2, badBatch], [1, largeBatch], [2, notifications],
  [10, smuggling], [6, badHead], [4, oversizedBody], [5, refusedRequest], [2, trailers], [8, halfOpen],
]; // prettier-ignore

/** The next case; its `name` is the maker's, with what it chose. */
export function badRequest(r, cx) {
  const make = r.weighted(makers);
  const c = make(r, cx);
  return { ...c, name: c.name ? `${make.name} ${c.name}` : make.name };
}

/** What makers need to know of the node: its chain, and envelopes that were never sent. To it comes `key`, of an account
 * with funds whose nonce 0 alone is used. */
export function hostileContext(r, chainId) {
  const cx = { chainId };
  // signed by somebody without funds: even whole, none of them is taken
  cx.signed = Array.from({ length: 32 }, () => sign(plainTx(r, cx), `0x${r.hex(31)}01`).serialized);
  return cx;
}
