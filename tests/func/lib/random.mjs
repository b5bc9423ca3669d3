// A seeded generator: the same seed gives the same numbers on every machine. sfc32, seeded by splitmix32.
export class Random {
  constructor(seed) {
    let x = BigInt.asUintN(64, BigInt(seed));
    const next = () => {
      x = BigInt.asUintN(64, x + 0x9e3779b97f4a7c15n);
      let z = BigInt.asUintN(64, (x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      return Number((z ^ (z >> 31n)) & 0xffffffffn) | 0;
    };
    this.s = [next(), next(), next(), 1];
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32() {
    const [a, b, c, d] = this.s;
    const t = (((a + b) | 0) + d) | 0;
    this.s = [b ^ (b >>> 9), (c + (c << 3)) | 0, (((c << 21) | (c >>> 11)) + t) | 0, (d + 1) | 0];
    return t >>> 0;
  }

  /** An integer in [0, n). */
  below(n) {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }

  /** An integer in [low, high]. */
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** One of the values of [[weight, value], ...]. */
  weighted(table) {
    let n = this.below(table.reduce((sum, [w]) => sum + w, 0));
    for (const [w, value] of table) {
      if (n < w) return value;
      n -= w;
    }
    throw new Error("no weight");
  }

  bytes(n) {
    return Uint8Array.from({ length: n }, () => this.u32() & 0xff);
  }

  hex(n) {
    return Buffer.from(this.bytes(n)).toString("hex");
  }
}
