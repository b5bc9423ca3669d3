/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the fee formulas against vectors that tests/vectors/fees/generate.py computed with big
 * integers, and the properties that no single vector shows. */
#include "chain/fees.h"

#include <criterion/criterion.h>
#include <jansson.h>

static json_t *load(const char *name, json_t **out_doc) {
    json_error_t je;
    json_t *doc = json_load_file("tests/vectors/fees/fees.json", 0, &je);
    cr_assert_not_null(doc, "%s", je.text);
    json_t *list = json_object_get(doc, name);
    cr_assert(json_array_size(list) > 5);
    *out_doc = doc;
    return list;
}

static u256 dec(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    cr_assert_not_null(s, "%s", key);
    u256 v = U256_ZERO, ten = u256_from_u64(10);
    for (; *s >= '0' && *s <= '9'; s++) {
        u256 d = u256_from_u64((uint64_t)(*s - '0'));
        v = u256_mul(&v, &ten);
        v = u256_add(&v, &d);
    }
    return v;
}

static uint64_t dec64(const json_t *o, const char *key) {
    u256 v = dec(o, key);
    cr_assert(u256_fits_u64(&v));
    return v.w[0];
}

static struct fee_meter meter(const json_t *o) {
    return (struct fee_meter){dec64(o, "speed"), dec64(o, "tolerance"), dec64(o, "inertia")};
}

Test(fees, exponential) {
    json_t *doc, *list = load("exp", &doc), *c;
    size_t i;
    json_array_foreach(list, i, c)
        cr_expect_eq(fee_exp_bps(dec64(c, "x")), dec64(c, "e"), "vector %zu", i);
    json_decref(doc);
    uint64_t last = 0;
    for (uint64_t x = 0; x < 300000; x += 7) { /* never falls */
        uint64_t e = fee_exp_bps(x);
        cr_assert(e >= last && e >= FEE_BPS);
        last = e;
    }
}

Test(fees, price) {
    json_t *doc, *list = load("price", &doc), *c;
    size_t i;
    json_array_foreach(list, i, c) {
        const json_t *p = json_object_get(c, "params");
        struct fee_params f = {
            .min_base_fee_wei = dec(p, "min"),
            .congestion_unit_wei = dec(p, "unit"),
            .gas = meter(json_object_get(p, "gas")),
            .da = meter(json_object_get(p, "da")),
            .k_num = dec64(p, "kNum"),
            .k_den = dec64(p, "kDen"),
            .parent_wei_per_byte = dec(p, "wei"),
        };
        u256 da = fee_da_per_gas(&f, dec64(c, "daBacklog")), want_da = dec(c, "daPerGas");
        cr_expect(u256_eq(&da, &want_da), "vector %zu", i);
        u256 price = fee_price(&f, dec64(c, "gasBacklog"), dec64(c, "daBacklog"));
        u256 want = dec(c, "price");
        cr_expect(u256_eq(&price, &want), "vector %zu", i);
    }
    json_decref(doc);
}

Test(fees, decay) {
    json_t *doc, *list = load("decay", &doc), *c;
    size_t i;
    json_array_foreach(list, i, c) {
        struct fee_meter m = {.speed_limit = dec64(c, "speed")};
        uint64_t left = fee_backlog_after(dec64(c, "backlog"), &m, dec64(c, "dt"));
        cr_expect_eq(left, dec64(c, "after"), "vector %zu", i);
    }
    json_decref(doc);
    cr_assert_eq(fee_backlog_add(UINT64_MAX - 1, 5), UINT64_MAX);
    cr_assert_eq(fee_backlog_add(3, 5), 8);
}

Test(fees, samples) {
    json_t *doc, *list = load("sample", &doc), *c;
    size_t i;
    json_array_foreach(list, i, c) {
        u256 price = dec(c, "gasPrice"), got;
        bool has = fee_data_sample(&got, &price, dec64(c, "length"), dec64(c, "nonzeros"),
                                   dec64(c, "extraGas"));
        const char *want_text = json_string_value(json_object_get(c, "sample"));
        cr_expect_eq(has, strcmp(want_text, "None") != 0, "vector %zu", i);
        if (!has)
            continue;
        u256 want = dec(c, "sample");
        cr_expect(u256_eq(&got, &want), "vector %zu", i);
    }
    json_decref(doc);
}

Test(fees, next_data_price) {
    json_t *doc, *list = load("next", &doc), *c;
    size_t i;
    json_array_foreach(list, i, c) {
        u256 samples[FEE_DATA_SAMPLES], old = dec(c, "old"), want = dec(c, "next");
        const json_t *s = json_object_get(c, "samples");
        for (size_t k = 0; k < FEE_DATA_SAMPLES; k++) {
            json_t *one = json_pack("{sO}", "v", json_array_get(s, k));
            samples[k] = dec(one, "v");
            json_decref(one);
        }
        u256 got = fee_data_price_next(&old, samples);
        cr_expect(u256_eq(&got, &want), "vector %zu", i);
    }
    json_decref(doc);
}

Test(fees, surcharge) {
    json_t *doc, *list = load("surcharge", &doc), *c;
    size_t i;
    json_array_foreach(list, i, c) {
        struct fee_surcharge s = {
            .meter = {100000000, 10, 102},
            .unit_wei = dec(c, "unit"),
            .base_wei = dec(c, "base"),
            .cap_wei = dec(c, "cap"),
        };
        u256 got = fee_surcharge_price(&s, dec64(c, "backlog")), want = dec(c, "price");
        cr_expect(u256_eq(&got, &want), "vector %zu", i);
    }
    json_decref(doc);
}
