/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only owners change the chain's parameters, within bounds, each change in its log; the list
 * of owners stays dense; an upgrade that is planned here is what a block's start activates. */
#include "base/keccak.h"
#include "base/limits.h"
#include "tests/lib/chain/call_rig.h"

#include <criterion/criterion.h>

static const bytes nothing = {NULL, 0};

static void with_owner(struct call_rig *r) {
    call_rig_init(r);
    u256 at = U256_ZERO, key = u256_from_addr(&r->sender);
    sys_set_addr(r->w, SYS_OWNER_AT, &at, &r->sender);
    sys_set_u64(r->w, SYS_OWNER_INDEX_PLUS_1, &key, 1);
    sys_set_u64(r->w, SYS_OWNER_COUNT, NULL, 1);
}

static enum evm_status act(struct call_rig *r, uint32_t selector, u256 a, u256 b, u256 c) {
    const u256 words[3] = {a, b, c};
    return call_rig_call(r, SYSTEM_OWNER, selector, words, 3, nothing).status;
}

static u256 n(uint64_t v) {
    return u256_from_u64(v);
}

Test(system_owner, parameters) {
    static const struct {
        uint32_t selector;
        enum system_field field;
        uint64_t min, max; /* max 0: 128 bits */
    } rows[] = {
        {0xa0188cdb, SYS_MIN_BASE_FEE, 0, 0},
        {0x55e8b866, SYS_CONGESTION_UNIT, 0, 0},
        {0xbf4e36ab, SYS_PARENT_WEI_PER_BYTE, 0, 0},
        {0xed2fb584, SYS_SURCHARGE_CAP, 0, 0},
        {0x4d7a060d, SYS_SPEED_LIMIT, 1, UINT64_MAX},
        {0x3fd62a29, SYS_INERTIA, 1, UINT64_MAX},
        {0x198e7157, SYS_TOLERANCE, 0, UINT64_MAX},
        {0xae105c80, SYS_BLOCK_GAS_LIMIT, LIMIT_BLOCK_GAS_MIN, LIMIT_BLOCK_GAS_MAX},
    };
    struct call_rig r;
    with_owner(&r);
    const u256 two128 = {{0, 0, 1, 0}}, below = {{UINT64_MAX, UINT64_MAX, 0, 0}},
               two64 = {{0, 1, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t s = rows[i].selector;
        bool is_price = rows[i].max == 0;
        u256 top = is_price ? below : n(rows[i].max);
        cr_expect_eq(act(&r, s, top, n(0), n(0)), EVM_SUCCESS, "%zu", i);
        u256 got = sys_get(r.w, rows[i].field, NULL);
        cr_expect(u256_eq(&got, &top));
        cr_expect_eq(act(&r, s, n(rows[i].min), n(0), n(0)), EVM_SUCCESS);
        got = sys_get(r.w, rows[i].field, NULL);
        cr_expect_eq(got.w[0], rows[i].min);
        cr_expect_eq(act(&r, s, is_price ? two128 : two64, n(0), n(0)), EVM_REVERT);
        if (rows[i].min > 0)
            cr_expect_eq(act(&r, s, n(rows[i].min - 1), n(0), n(0)), EVM_REVERT);
        if (!is_price && rows[i].max != UINT64_MAX)
            cr_expect_eq(act(&r, s, n(rows[i].max + 1), n(0), n(0)), EVM_REVERT);
        addr20 owner = r.sender;
        r.sender.b[19] ^= 1;
        cr_expect_eq(act(&r, s, top, n(0), n(0)), EVM_REVERT);
        r.sender = owner;
    }
    call_rig_clear(&r);
}

Test(system_owner, pairs_and_meters) {
    struct call_rig r;
    with_owner(&r);
    cr_assert_eq(act(&r, 0x61ab64ba, n(3), n(0), n(0)), EVM_REVERT); /* k with denominator 0 */
    cr_assert_eq(act(&r, 0x61ab64ba, n(3), n(7), n(0)), EVM_SUCCESS);
    cr_assert(sys_get_u64(r.w, SYS_K_NUM, NULL) == 3 && sys_get_u64(r.w, SYS_K_DEN, NULL) == 7);
    cr_assert_eq(act(&r, 0xb3ddd43e, n(0), n(1), n(1)), EVM_REVERT);
    cr_assert_eq(act(&r, 0xb3ddd43e, n(1), n(1), n(0)), EVM_REVERT);
    cr_assert_eq(act(&r, 0xb3ddd43e, n(5), n(0), n(6)), EVM_SUCCESS);
    cr_assert(sys_get_u64(r.w, SYS_DA_SPEED_LIMIT, NULL) == 5 &&
              sys_get_u64(r.w, SYS_DA_TOLERANCE, NULL) == 0 &&
              sys_get_u64(r.w, SYS_DA_INERTIA, NULL) == 6);
    cr_assert_eq(act(&r, 0xfcdde2b4, n(9), n(0), n(0)), EVM_SUCCESS);
    u256 fees = call_rig_word(&r, SYSTEM_OWNER_PUBLIC, 0x2d9125e9, 0);
    cr_assert_eq(fees.w[0], 9);
    u256 infra = call_rig_word(&r, SYSTEM_OWNER_PUBLIC, 0xee95a824, 0);
    cr_assert(u256_is_zero(&infra));
    call_rig_clear(&r);
}

Test(system_owner, acts_are_logged) {
    struct call_rig r;
    with_owner(&r);
    cr_assert_eq(act(&r, 0xa0188cdb, n(5), n(0), n(0)), EVM_SUCCESS);
    size_t count;
    const struct world_log *l = world_logs(r.w, &count);
    cr_assert(count == 1 && l->topic_count == 3);
    hash32 topic;
    static const char event[] = "OwnerActs(bytes4,address,bytes)";
    keccak256(&topic, event, strlen(event));
    cr_expect(hash32_eq(&topic, &l->topics[0]));
    cr_expect_eq(be32_load(l->topics[1].b), 0xa0188cdb);
    cr_expect_eq(memcmp(l->topics[2].b + 12, r.sender.b, 20), 0);
    cr_expect(l->data.len == 64 + 128 && be64_load(l->data.ptr + 56) == 100);
    cr_expect_eq(be32_load(l->data.ptr + 64), 0xa0188cdb);
    call_rig_clear(&r);
}

static bool is_owner(struct call_rig *r, uint64_t a) {
    return call_rig_word(r, SYSTEM_OWNER_PUBLIC, 0x26ef7f68, a).w[0] == 1;
}

static uint64_t listed(struct call_rig *r, uint64_t *out, size_t max) {
    struct evm_result o = call_rig_call(r, SYSTEM_OWNER_PUBLIC, 0x516b4e0f, NULL, 0, nothing);
    cr_assert_eq(o.status, EVM_SUCCESS);
    uint64_t count = be64_load(o.output.ptr + 56);
    cr_assert(o.output.len == 64 + 32 * count && count <= max);
    for (uint64_t i = 0; i < count; i++)
        out[i] = be64_load(o.output.ptr + 64 + 32 * i + 24);
    return count;
}

Test(system_owner, owners) {
    struct call_rig r;
    with_owner(&r);
    memset(&r.sender, 0, 20);
    r.sender.b[19] = 1;
    cr_assert_eq(act(&r, 0x481f8dbf, n(1), n(0), n(0)), EVM_REVERT); /* no owner yet */
    r.sender = (addr20){{0xca, 0x11}};
    uint64_t got[80];
    for (uint64_t a = 1; a <= 3; a++)
        cr_assert_eq(act(&r, 0x481f8dbf, n(a), n(0), n(0)), EVM_SUCCESS);
    cr_assert_eq(act(&r, 0x481f8dbf, n(2), n(0), n(0)), EVM_SUCCESS); /* already one */
    cr_assert_eq(listed(&r, got, 80), 4);
    cr_assert(got[1] == 1 && got[2] == 2 && got[3] == 3);
    cr_assert_eq(act(&r, 0x8792701a, n(1), n(0), n(0)), EVM_SUCCESS);
    cr_assert(!is_owner(&r, 1) && is_owner(&r, 2) && is_owner(&r, 3));
    cr_assert(listed(&r, got, 80) == 3 && got[1] == 3 && got[2] == 2);
    cr_assert_eq(act(&r, 0x8792701a, n(1), n(0), n(0)), EVM_REVERT);
    cr_assert_eq(act(&r, 0x8792701a, n(2), n(0), n(0)), EVM_SUCCESS); /* the last in the list */
    cr_assert(listed(&r, got, 80) == 2 && got[1] == 3);
    for (uint64_t a = 100; a < 100 + 62; a++)
        cr_assert_eq(act(&r, 0x481f8dbf, n(a), n(0), n(0)), EVM_SUCCESS);
    cr_assert_eq(act(&r, 0x481f8dbf, n(999), n(0), n(0)), EVM_REVERT); /* 64 are enough */
    call_rig_clear(&r);
}

Test(system_owner, upgrades) {
    struct call_rig r;
    with_owner(&r);
    cr_assert_eq(act(&r, 0x8c882e9f, n(1), n(600), n(0)), EVM_REVERT); /* not newer */
    cr_assert_eq(act(&r, 0x8c882e9f, n(2), n(500), n(0)), EVM_REVERT); /* not in the future */
    cr_assert_eq(act(&r, 0x8c882e9f, n(2), n(501), n(0)), EVM_SUCCESS);
    struct evm_result o = call_rig_call(&r, SYSTEM_OWNER_PUBLIC, 0x81ef944c, NULL, 0, nothing);
    cr_assert(o.output.len == 64 && be64_load(o.output.ptr + 24) == 2 &&
              be64_load(o.output.ptr + 56) == 501);
    cr_assert(sys_get_u64(r.w, SYS_SCHEDULED_VERSION, NULL) == 2 &&
              sys_get_u64(r.w, SYS_SCHEDULED_BLOCK, NULL) == 501);
    cr_assert_eq(act(&r, 0x8c882e9f, n(0), n(0), n(0)), EVM_SUCCESS);
    cr_assert_eq(sys_get_u64(r.w, SYS_SCHEDULED_VERSION, NULL), 0);
    call_rig_clear(&r);
}
