// Inputs of the precompiled contracts 0x01-0x11 and 0x100: right ones, and right ones that were damaged.
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { bn254 } from "@noble/curves/bn254.js";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";

export const PRECOMPILES = [...Array(17).keys()].map((i) => i + 1).concat(0x100);
const R_BLS = bls12_381.fields.Fr.ORDER;
const word = (n) => BigInt(n).toString(16).padStart(64, "0");
const field = (n) => BigInt(n).toString(16).padStart(128, "0"); // BLS12-381: 64 bytes, 16 of them zero
const hexOf = (bytes) => Buffer.from(bytes).toString("hex");
const POINTS = 5;

/** Points on each curve, made once per seed: multiplying is slow. */
export class PrecompileInputs {
  constructor(random) {
    this.r = random;
    const k = () => BigInt(1 + random.u32());
    const some = (curve) => [...Array(POINTS)].map(() => curve.BASE.multiply(k()));
    this.bn1 = some(bn254.G1.Point);
    this.bn2 = some(bn254.G2.Point);
    this.bls1 = some(bls12_381.G1.Point);
    this.bls2 = some(bls12_381.G2.Point);
    this.signed = [...Array(POINTS)].map(() => this.signature(secp256k1));
    this.signed256 = [...Array(POINTS)].map(() => this.signature(p256));
  }

  signature(curve) {
    const key = curve.utils.randomSecretKey(this.r.bytes(48));
    const hash = this.r.bytes(32);
    const sig = curve.sign(hash, key, { prehash: false, format: "recovered", extraEntropy: false });
    const pub = curve.getPublicKey(key, false);
    return { hash: hexOf(hash), v: 27 + sig[0], r: hexOf(sig.slice(1, 33)), s: hexOf(sig.slice(33)), xy: hexOf(pub.slice(1)) };
  }

  bnG1(p = this.r.pick(this.bn1)) {
    if (this.r.chance(5)) return word(0).repeat(2);
    const { x, y } = p.toAffine();
    return word(x) + word(y);
  }

  bnG2(p = this.r.pick(this.bn2)) {
    if (this.r.chance(5)) return word(0).repeat(4);
    const { x, y } = p.toAffine();
    return word(x.c1) + word(x.c0) + word(y.c1) + word(y.c0);
  }

  g1(p = this.r.pick(this.bls1)) {
    if (this.r.chance(5)) return field(0).repeat(2);
    const { x, y } = p.toAffine();
    return field(x) + field(y);
  }

  g2(p = this.r.pick(this.bls2)) {
    if (this.r.chance(5)) return field(0).repeat(4);
    const { x, y } = p.toAffine();
    return field(x.c0) + field(x.c1) + field(y.c0) + field(y.c1);
  }

  many(n, make) {
    let out = "";
    for (let i = 0; i < n; i++) out += make();
    return out;
  }

  /** e(P, Q) e(-P, Q) = 1, with others around it now and then. */
  pairs(g1, g2, points1, points2) {
    const [p, q] = [this.r.pick(points1), this.r.pick(points2)];
    const right = g1.call(this, p) + g2.call(this, q) + g1.call(this, p.negate()) + g2.call(this, q);
    return this.r.chance(60) ? right : right + g1.call(this) + g2.call(this);
  }

  modexp() {
    const r = this.r;
    const size = () => r.weighted([[5, () => r.below(40)], [2, () => r.below(200)], [1, () => 1024], [1, () => 1025]])();
    const [b, e, m] = [size(), size(), size()];
    const head = [b, r.chance(3) ? 1n << 60n : e, m].map(word).join("");
    const odd = r.chance(50) && m > 0 ? r.hex(m - 1) + "f1" : r.hex(m);
    return head + r.hex(b) + (r.chance(30) ? "00".repeat(Math.max(e - 2, 0)) + r.hex(Math.min(e, 2)) : r.hex(e)) + odd;
  }

  /** A constant polynomial c: commitment [c]G1, proof the point at infinity, value c at any z. */
  kzg() {
    const c = BigInt(1 + this.r.u32());
    const commitment = hexOf(bls12_381.G1.Point.BASE.multiply(c).toBytes());
    const hash = "01" + hexOf(sha256(Buffer.from(commitment, "hex"))).slice(2);
    const z = BigInt("0x" + this.r.hex(32)) % R_BLS;
    return hash + word(z) + word(c) + commitment + "c0" + "00".repeat(47);
  }

  right(address) {
    const r = this.r;
    switch (address) {
      case 0x01: {
        const s = r.pick(this.signed);
        return s.hash + word(s.v) + s.r + s.s;
      }
      case 0x02:
      case 0x03:
      case 0x04:
        return r.hex(r.below(300));
      case 0x05:
        return this.modexp();
      case 0x06:
        return this.bnG1() + this.bnG1();
      case 0x07:
        return this.bnG1() + r.hex(32);
      case 0x08:
        return r.chance(10) ? "" : this.pairs(this.bnG1, this.bnG2, this.bn1, this.bn2);
      case 0x09:
        return r.below(2000).toString(16).padStart(8, "0") + r.hex(208) + "0" + r.below(3);
      case 0x0a:
        return this.kzg();
      case 0x0b:
        return this.g1() + this.g1();
      case 0x0c:
        return this.many(r.between(1, 5), () => this.g1() + r.hex(32));
      case 0x0d:
        return this.g2() + this.g2();
      case 0x0e:
        return this.many(r.between(1, 4), () => this.g2() + r.hex(32));
      case 0x0f:
        return this.pairs(this.g1, this.g2, this.bls1, this.bls2);
      case 0x10:
        return "00".repeat(16) + "0" + r.hex(48).slice(1);
      case 0x11:
        return this.many(2, () => "00".repeat(16) + "0" + r.hex(48).slice(1));
      default: {
        const s = r.pick(this.signed256);
        return s.hash + s.r + s.s + s.xy;
      }
    }
  }

  /** Input for a precompile, hex without 0x; four in ten are damaged. */
  make(address) {
    const r = this.r;
    const text = this.right(address);
    if (r.chance(60)) return text;
    const bytes = Buffer.from(text, "hex");
    return r.weighted([
      [4, () => (bytes.length && (bytes[r.below(bytes.length)] ^= 1 + r.below(255)), bytes.toString("hex"))],
      [2, () => text.slice(0, 2 * r.below(bytes.length + 1))],
      [1, () => text + r.hex(r.between(1, 40))],
      [1, () => "ff".repeat(bytes.length)],
      [1, () => "00".repeat(bytes.length)],
    ])();
  }
}
