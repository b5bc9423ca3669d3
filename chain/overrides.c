/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/overrides.h"

#include "state/world.h"

const struct account_override *overrides_find(const struct call_overrides *o, const addr20 *a) {
    for (size_t i = 0; i < o->account_count; i++)
        if (addr20_eq(&o->accounts[i].addr, a))
            return &o->accounts[i];
    return NULL;
}

/* Drops all slots, and nothing else of the account. */
static void clear_storage(struct world *w, const addr20 *a) {
    uint64_t nonce = world_nonce(w, a);
    bytes code = world_code(w, a); /* lives as long as the world's cache */
    world_create(w, a);
    world_set_nonce(w, a, nonce);
    world_set_code(w, a, code);
}

static void apply_account(const struct account_override *o, struct world *w) {
    const addr20 *a = &o->addr;
    if (o->has_nonce)
        world_set_nonce(w, a, o->nonce);
    if (o->has_code)
        world_set_code(w, a, o->code);
    if (o->has_balance)
        world_set_balance(w, a, &o->balance);
    if (o->storage == STORAGE_REPLACED)
        clear_storage(w, a);
    for (size_t i = 0; i < o->slot_count; i++)
        world_set_storage(w, a, &o->slots[i].slot, &o->slots[i].value);
}

void overrides_apply(const struct call_overrides *o, struct world *w) {
    if (o->account_count == 0)
        return;
    world_tx_begin(w);
    for (size_t i = 0; i < o->account_count; i++)
        apply_account(&o->accounts[i], w);
    world_tx_end(w);
}
