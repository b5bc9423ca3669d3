/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a copy of an open ledger's folder opens at the same block, whatever the checkpoint; a
 * folder that holds something is never touched. */
#include "node/backup.h"

#include "base/disk.h"
#include "base/secp.h"
#include "node/keydir.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static void add_blocks(struct node_chain *c, size_t count, uint64_t *nonce) {
    for (size_t i = 0; i < count; i++) {
        struct tx *tx = node_chain_transfer(c, 0, 1, (*nonce)++, 10);
        node_chain_block(c, &tx, 1);
    }
}

/* The chain of `c` moves to the folder `to`, which has blocks up to its present head. */
static void expect_same(struct node_chain *c, const char *to) {
    struct recover_stats stats;
    struct err_ctx ec = {.text = ""};
    hash32 head = c->ledger.head_hash;
    uint64_t number = c->ledger.head.number;
    ledger_close(&c->ledger);
    struct ledger_options o = {
        .disk = disk_posix(), .dir = to, .genesis = &c->genesis, .cache_bytes = 64 << 20};
    cr_assert_eq(ledger_open(&c->ledger, &o, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(c, &stats, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(stats.blocks, 4);
    cr_expect_eq(c->ledger.head.number, number);
    cr_expect(hash32_eq(&c->ledger.head_hash, &head));
}

static void add_key(const char *dir) {
    char keys[DATADIR_PATH_MAX], path[DATADIR_PATH_MAX];
    struct scrypt_params light = {.n = 4096, .r = 8, .p = 1};
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(datadir_path(keys, dir, DATADIR_KEYSTORE, &ec), ERR_OK);
    cr_assert_eq(keydir_add(path, keys, (const uint8_t[32]){[31] = 1}, "secret", &light,
                            (const uint8_t[64]){0}, 0, &ec),
                 ERR_OK, "%s", ec.text);
}

static enum err count_key(void *ctx, const addr20 *address, const char *path) {
    addr20 want;
    (void)path;
    cr_assert_eq(secp_address_of_key(&want, (const uint8_t[32]){[31] = 1}), ERR_OK);
    cr_expect(addr20_eq(address, &want));
    (*(int *)ctx)++;
    return ERR_OK;
}

static void expect_key(const char *dir) {
    char keys[DATADIR_PATH_MAX];
    int count = 0;
    cr_assert_eq(datadir_path(keys, dir, DATADIR_KEYSTORE, NULL), ERR_OK);
    cr_expect_eq(keydir_each(keys, count_key, &count, NULL), ERR_OK);
    cr_expect_eq(count, 1);
}

Test(backup, opens_at_the_same_block) {
    struct node_chain c;
    struct backup b;
    struct err_ctx ec = {.text = ""};
    char to[128], partial[160];
    uint64_t nonce = 0;
    node_chain_init(&c);
    snprintf(to, sizeof(to), "%s-backup", c.dir);
    snprintf(partial, sizeof(partial), "%s.partial", to);
    add_blocks(&c, 5, &nonce);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    add_blocks(&c, 4, &nonce);
    add_key(c.dir);
    cr_assert_eq(backup_begin(&b, c.dir, to, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(access(to, F_OK), -1);
    cr_assert_eq(backup_finish(&b, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(access(partial, F_OK), -1);
    cr_expect_eq(backup_begin(&b, c.dir, to, &ec), ERR_EXISTS);
    cr_expect_eq(access(to, F_OK), 0);
    expect_key(to);
    expect_same(&c, to);
    node_chain_clear(&c);
    datadir_remove_temp(to);
}

Test(backup, leaves_nothing_after_an_error) {
    struct node_chain c;
    struct backup b;
    struct err_ctx ec = {.text = ""};
    char to[128];
    node_chain_init(&c);
    snprintf(to, sizeof(to), "%s/backup/", c.dir);
    cr_expect_eq(backup_begin(&b, "/nonexistent", to, &ec), ERR_NOT_FOUND);
    cr_assert_eq(backup_begin(&b, c.dir, to, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(access(b.partial, F_OK), 0);
    backup_abandon(&b);
    cr_expect_eq(access(b.partial, F_OK), -1);
    cr_expect_eq(access(b.to, F_OK), -1);
    cr_expect_eq(backup_begin(&b, c.dir, "", &ec), ERR_TOO_LARGE);
    node_chain_clear(&c);
}
