#!/usr/bin/env python3
"""Writes fees.json: vectors of PROTOCOL §3's fee formulas, computed with Python's big integers.

The formulas are written out here a second time, from the text and not from chain/fees.c; only the rule that u64 values
saturate at 2^64 - 1 and wei amounts at 2^256 - 1, step by step, is shared. Run it from anywhere: the output is the same.
"""
import json
import os

U64 = (1 << 64) - 1
U256 = (1 << 256) - 1
state = 0x9E3779B97F4A7C15


def rnd(bits):
    """Deterministic pseudo-random number of up to `bits` bits, log-uniform."""
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    width = (state >> 33) % bits + 1
    value = 0
    for _ in range((width + 31) // 32):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        value = (value << 32) | (state >> 32)
    return value & ((1 << width) - 1)


def s64(v):
    return min(v, U64)


def s256(v):
    return min(v, U256)


def exp_bps(x):
    r = s64(10000 + x // 4)
    for divisor in (30000, 20000, 10000):
        r = s64(10000 + s64(r * x) // divisor)
    return r


def after(backlog, speed, dt):
    return max(0, backlog - s64(speed * dt))


def exponent(backlog, m):
    excess = max(0, backlog - s64(m["tolerance"] * m["speed"]))
    return s64(10000 * excess) // s64(m["inertia"] * m["speed"])


def da_per_gas(p, da_backlog):
    if p["wei"] == 0:
        return 0
    v = s256(s256(p["wei"] * p["kNum"]) * exp_bps(exponent(da_backlog, p["da"])))
    return v // (p["kDen"] * 10000)


def price(p, gas_backlog, da_backlog):
    unit = max(p["min"], p["unit"])
    extra = s256(unit * (exp_bps(exponent(gas_backlog, p["gas"])) - 10000)) // 10000
    return s256(s256(p["min"] + extra) + da_per_gas(p, da_backlog))


def sample(gas_price, length, nonzeros, extra):
    if length < 1024:
        return None
    nonzeros = min(nonzeros, length)
    gas = s64(s64(s64(4 * (length - nonzeros)) + s64(16 * nonzeros)) + s64(30 + s64(6 * -(-length // 32))))
    return s256(gas_price * s64(gas + extra)) // length


def next_price(old, samples):
    m = sorted(samples)[3]
    if old < 8:
        return m
    step = old // 8
    return min(max(m, old - step), s256(old + step))


def surcharge(unit, base, cap, backlog, meter):
    return min(cap, s256(s256(unit * (exp_bps(exponent(backlog, meter)) - 10000)) // 10000 + base))


DEFAULTS = {
    "min": 10000000, "unit": 100000000, "kNum": 1, "kDen": 40, "wei": 0,
    "gas": {"speed": 100000000, "tolerance": 10, "inertia": 102},
    "da": {"speed": 90000, "tolerance": 60, "inertia": 300},
}


def params(**changes):
    return {**DEFAULTS, **changes}


def random_params():
    meter = lambda: {"speed": rnd(40) + 1, "tolerance": rnd(20), "inertia": rnd(20) + 1}
    return {"min": rnd(96), "unit": rnd(96), "kNum": rnd(32), "kDen": rnd(32) + 1, "wei": rnd(96), "gas": meter(),
            "da": meter()}


def text(v):
    if isinstance(v, dict):
        return {k: text(x) for k, x in v.items()}
    if isinstance(v, list):
        return [text(x) for x in v]
    return str(v)


def main():
    xs = [0, 1, 2, 3, 4, 99, 100, 9999, 10000, 10001, 20000, 30000, 50000, 100000, 1000000, 10**9, 10**15, 10**18,
          U64 // 30000, U64 // 4, U64 - 1, U64] + [rnd(64) for _ in range(100)]
    price_cases = [(params(), 0, 0), (params(), 10**9, 0), (params(), 10**9 + 1, 0), (params(), 11 * 10**9, 0),
                   (params(), 10**11, 0), (params(wei=10**9), 0, 0), (params(wei=10**9), 0, 90000 * 60),
                   (params(wei=10**9), 0, 90000 * 360), (params(wei=39, kDen=40), 0, 0), (params(min=0), 0, 0),
                   (params(min=0), 12 * 10**9, 0), (params(min=0, kNum=0, wei=10**12), 12 * 10**9, 10**9),
                   (params(min=5 * 10**8), 12 * 10**9, 0), (params(), U64, U64), (params(wei=U256), 0, 0),
                   (params(wei=U256 // 2, min=U256), U64, U64)]
    price_cases += [(random_params(), rnd(64), rnd(64)) for _ in range(200)]
    samples = [(10**9, 1023, 1000, 0), (10**9, 1024, 0, 0), (10**9, 1024, 1024, 0), (10**9, 1025, 2000, 0),
               (10**7, 90000, 81234, 123456), (0, 5000, 4000, 0), (1, 1024, 3, U64), (U256, 4096, 4096, 7),
               (1, U64, U64, U64)]
    samples += [(rnd(200), rnd(20), rnd(20), rnd(64)) for _ in range(100)]
    nexts = [(0, [0] * 8), (0, [0, 0, 0, 0, 9, 9, 9, 9]), (0, [0, 0, 0, 9, 9, 9, 9, 9]), (7, [1000] * 8), (8, [1000] * 8),
             (8, [0] * 8), (1000, [1, 2, 3, 1100, 1200, 6, 7000, 8]), (1000, [1005] * 8), (U256, [U256] * 8),
             (U256 - 1, [U256] * 8), (64, [8, 7, 6, 5, 4, 3, 2, 1])]
    nexts += [(rnd(90), [rnd(90) for _ in range(8)]) for _ in range(100)]
    decays = [(0, 1, 1), (10, 1, 3), (10, 1, 10), (10, 1, 11), (U64, U64, 1), (U64, U64, 2), (U64, 1, U64 - 1)]
    decays += [(rnd(64), rnd(40), rnd(30)) for _ in range(50)]
    tolls = [(10**8, 0, 10**9, 0), (10**8, 5, 10**9, 10**10), (10**8, 5, 10**20, 10**12), (0, 7, 10**9, U64),
             (0, 7, 3, 0), (U256, U256, U256, U64)]
    tolls += [(rnd(100), rnd(100), rnd(100), rnd(64)) for _ in range(50)]
    out = {
        "exp": [{"x": x, "e": exp_bps(x)} for x in xs],
        "price": [{"params": p, "gasBacklog": g, "daBacklog": d, "daPerGas": da_per_gas(p, d), "price": price(p, g, d)}
                  for p, g, d in price_cases],
        "sample": [{"gasPrice": g, "length": n, "nonzeros": z, "extraGas": e, "sample": sample(g, n, z, e)}
                   for g, n, z, e in samples],
        "next": [{"old": o, "samples": s, "next": next_price(o, s)} for o, s in nexts],
        "decay": [{"backlog": b, "speed": s, "dt": t, "after": after(b, s, t)} for b, s, t in decays],
        "surcharge": [{"unit": u, "base": b, "cap": c, "backlog": k, "price": surcharge(u, b, c, k, DEFAULTS["gas"])}
                      for u, b, c, k in tolls],
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fees.json")
    with open(path, "w") as f:
        json.dump({k: [text(c) for c in v] for k, v in out.items()}, f, separators=(",", ":"))
        f.write("\n")


main()
