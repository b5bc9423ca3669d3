/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/system_state.h"

#include "base/check.h"
#include "base/keccak.h"

static const uint32_t address_low[] = {
#define SYSTEM_ADDRESS(id, low, name) low,
#include "chain/system_slots.def"
};
static const char *const address_names[] = {
#define SYSTEM_ADDRESS(id, low, name) name,
#include "chain/system_slots.def"
};
static const struct system_map_info maps[] = {
#define SYSTEM_MAP(id, address, number, key_words, key)                                            \
    {#id, key, SYSTEM_##address, number, key_words},
#include "chain/system_slots.def"
};

/* The address of a map, for the rows of its fields. */
enum {
#define SYSTEM_MAP(id, address, number, key_words, key) MAP_ADDRESS_##id = SYSTEM_##address,
#include "chain/system_slots.def"
};
static const struct system_field_info fields[] = {
#define SYSTEM_SCALAR(id, address, slot, shift, bits, meaning)                                     \
    {#id, meaning, SYSTEM_##address, -1, slot, shift, bits},
#define SYSTEM_FIELD(id, map, word, shift, bits, meaning)                                          \
    {#id, meaning, (enum system_address)MAP_ADDRESS_##map, SYSTEM_MAP_##map, word, shift, bits},
#include "chain/system_slots.def"
};
_Static_assert(ARRAY_LEN(fields) == SYSTEM_FIELD_COUNT, "one row per field");

#define SYSTEM_MAP(id, address, number, key_words, key)                                            \
    _Static_assert((key_words) >= 1 && (key_words) <= SYSTEM_KEY_WORDS_MAX, #id);                  \
    _Static_assert((number) >= 0x10000, #id);
#define SYSTEM_SCALAR(id, address, slot, shift, bits, meaning)                                     \
    _Static_assert((slot) < 0x10000, #id);                                                         \
    _Static_assert((bits) > 0 && (shift) + (bits) <= 256, #id);
#define SYSTEM_FIELD(id, map, word, shift, bits, meaning)                                          \
    _Static_assert((bits) > 0 && (shift) + (bits) <= 256, #id);
#include "chain/system_slots.def"

const struct system_map_info *system_map_info(enum system_map m) {
    CHECK(m < SYSTEM_MAP_COUNT);
    return &maps[m];
}

const struct system_field_info *system_field_info(enum system_field f) {
    CHECK(f < SYSTEM_FIELD_COUNT);
    return &fields[f];
}

addr20 system_address(enum system_address a) {
    CHECK(a < SYSTEM_ADDRESS_COUNT);
    addr20 r;
    memset(&r, 0, sizeof r);
    be32_store(r.b + 16, address_low[a]);
    return r;
}

const char *system_address_name(enum system_address a) {
    CHECK(a < SYSTEM_ADDRESS_COUNT);
    return address_names[a];
}

int system_address_find(const addr20 *a) {
    if (be64_load(a->b) != 0 || be64_load(a->b + 8) != 0)
        return -1;
    uint32_t low = be32_load(a->b + 16);
    for (int i = 0; i < SYSTEM_ADDRESS_COUNT; i++)
        if (address_low[i] == low)
            return i;
    return -1;
}

u256 system_slot(enum system_field f, const u256 *key) {
    const struct system_field_info *i = system_field_info(f);
    if (i->map < 0) {
        CHECK(key == NULL);
        return u256_from_u64(i->word);
    }
    const struct system_map_info *m = &maps[i->map];
    CHECK(key != NULL);
    uint8_t preimage[32 * (1 + SYSTEM_KEY_WORDS_MAX)];
    u256 number = u256_from_u64(m->number);
    u256_to_be32(preimage, &number);
    for (size_t k = 0; k < m->key_words; k++)
        u256_to_be32(preimage + 32 * (k + 1), &key[k]);
    hash32 h;
    keccak256(&h, preimage, 32 * (1 + (size_t)m->key_words));
    u256 base = u256_from_be32(h.b), word = u256_from_u64(i->word);
    return u256_add(&base, &word);
}

/* The lowest `bits` bits set; bits in [1, 256]. */
static u256 low_mask(unsigned bits) {
    u256 shift = u256_from_u64(256 - bits), all = U256_MAX;
    return u256_shr(&shift, &all);
}

u256 system_part(enum system_field f, const u256 *word) {
    const struct system_field_info *i = system_field_info(f);
    u256 shift = u256_from_u64(i->shift), mask = low_mask(i->bits);
    u256 v = u256_shr(&shift, word);
    return u256_and(&v, &mask);
}

u256 sys_get(struct world *w, enum system_field f, const u256 *key) {
    addr20 a = system_address(system_field_info(f)->address);
    u256 slot = system_slot(f, key);
    u256 v = world_storage(w, &a, &slot);
    return system_part(f, &v);
}

uint64_t sys_get_u64(struct world *w, enum system_field f, const u256 *key) {
    CHECK(system_field_info(f)->bits <= 64);
    u256 v = sys_get(w, f, key);
    return v.w[0];
}

addr20 sys_get_addr(struct world *w, enum system_field f, const u256 *key) {
    CHECK(system_field_info(f)->bits == 160);
    u256 v = sys_get(w, f, key);
    return u256_to_addr(&v);
}

void sys_set(struct world *w, enum system_field f, const u256 *key, const u256 *v) {
    const struct system_field_info *i = system_field_info(f);
    CHECK(u256_bit_len(v) <= i->bits);
    addr20 a = system_address(i->address);
    u256 slot = system_slot(f, key);
    u256 shift = u256_from_u64(i->shift), mask = low_mask(i->bits);
    mask = u256_shl(&shift, &mask);
    mask = u256_not(&mask);
    u256 old = world_storage(w, &a, &slot);
    u256 rest = u256_and(&old, &mask), part = u256_shl(&shift, v);
    u256 merged = u256_or(&rest, &part);
    if (!u256_eq(&merged, &old))
        world_set_storage(w, &a, &slot, &merged);
}

void sys_set_u64(struct world *w, enum system_field f, const u256 *key, uint64_t v) {
    u256 wide = u256_from_u64(v);
    sys_set(w, f, key, &wide);
}

void sys_set_addr(struct world *w, enum system_field f, const u256 *key, const addr20 *v) {
    u256 wide = u256_from_addr(v);
    sys_set(w, f, key, &wide);
}

void sys_add(struct world *w, enum system_field f, const u256 *key, const u256 *d) {
    u256 v = sys_get(w, f, key), sum;
    bool overflow = u256_add_overflow(&sum, &v, d);
    CHECK(!overflow);
    sys_set(w, f, key, &sum);
}

void system_accounts_create(struct world *w) {
    static const uint8_t code[] = {0xfe};
    for (int i = 0; i < SYSTEM_ADDRESS_COUNT; i++) {
        addr20 a = system_address((enum system_address)i);
        world_create(w, &a);
        world_set_nonce(w, &a, 1);
        world_set_code(w, &a, bytes_of(code, sizeof code));
    }
}
