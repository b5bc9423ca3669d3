/* SPDX-License-Identifier: Apache-2.0 */
/* Transaction vectors ($CORPORA/transaction_tests): each envelope must decode to the given hash,
 * sender and intrinsic gas, or be refused for the given reason, in form or by the checks of a block
 * with room for it. The sender is given every balance and the nonce that the transaction names, so
 * that only the transaction itself can be at fault.
 *
 *   tx_vectors [FOLDER]     default: $CORPORA/transaction_tests */
#include "base/check.h"
#include "node/testfile.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { REASON_MAX = 512, PATH_MAX_BYTES = 4096, FOLDERS_MAX = 256 };

struct counts {
    unsigned passed, failed;
};

struct judge {
    struct arena arena;
    struct world *world;
    struct counts counts;
};

/* The verdict of a block of `fork` on a transaction. */
static enum tx_verdict check(struct judge *j, const struct eth_fork *fork, const struct tx *tx) {
    struct header h = {.number = 1, .gas_limit = INT64_MAX};
    struct exec x = {.world = j->world, .chain_id = 1};
    eth_exec_begin(&x, fork, &h);
    world_reset(j->world, (struct state_reader){0});
    world_block_begin(j->world, 1);
    world_tx_begin(j->world);
    world_set_balance(j->world, &tx->sender, &U256_MAX);
    world_set_nonce(j->world, &tx->sender, tx->nonce);
    world_tx_end(j->world);
    struct tx_charge charge;
    enum tx_verdict v = tx_check(&x, tx, &charge);
    /* Of what no block and no balance has room for, only a price that overflows by itself is the
     * transaction's fault. */
    u256 gas = u256_from_u64(tx->gas_limit), fee;
    if (v == TX_GAS_LIMIT_BLOCK ||
        (v == TX_INSUFFICIENT_FUNDS && !u256_mul_overflow(&fee, &gas, &tx->max_fee)))
        v = TX_OK;
    return v;
}

static const char *judge_exception(char reason[REASON_MAX], const char *expected, enum err e,
                                   enum tx_verdict v) {
    if (e == ERR_OK && v == TX_OK)
        return "was accepted";
    bool named = e != ERR_OK ? testfile_names_decode_error(expected, e)
                             : testfile_names_verdict(expected, v);
    if (named)
        return NULL;
    (void)snprintf(reason, REASON_MAX, "was refused as %s, expected %s",
                   e != ERR_OK ? err_name(e) : tx_verdict_name(v), expected);
    return reason;
}

static const char *judge_result(char reason[REASON_MAX], struct judge *j, const char *fork_name,
                                bytes envelope, const json_t *result) {
    struct eth_fork fork;
    if (testfile_fork(&fork, fork_name, NULL) != ERR_OK)
        return "unknown fork";
    struct tx tx;
    enum tx_verdict v = TX_OK;
    enum err e = tx_decode(&tx, &j->arena, envelope, fork.revision >= EVM_CANCUN, NULL);
    /* A type that the fork lacks is refused as such, whatever its body. */
    if (envelope.len != 0 && envelope.ptr[0] == TX_SET_CODE && fork.revision < EVM_PRAGUE)
        e = ERR_UNSUPPORTED;
    if (e == ERR_OK)
        e = tx_recover_sender(&tx);
    if (e == ERR_OK)
        v = check(j, &fork, &tx);
    const char *expected = json_string_value(json_object_get(result, "exception"));
    if (expected != NULL)
        return judge_exception(reason, expected, e, v);
    if (e != ERR_OK || v != TX_OK) {
        (void)snprintf(reason, REASON_MAX, "was refused as %s",
                       e != ERR_OK ? err_name(e) : tx_verdict_name(v));
        return reason;
    }
    hash32 hash;
    addr20 sender;
    uint64_t gas;
    if (testfile_fixed(hash.b, sizeof hash.b, result, "hash") != ERR_OK ||
        testfile_fixed(sender.b, sizeof sender.b, result, "sender") != ERR_OK ||
        testfile_u64(&gas, result, "intrinsicGas") != ERR_OK)
        return "the vector is malformed";
    if (!hash32_eq(&hash, &tx.hash))
        return "has another hash";
    if (!addr20_eq(&sender, &tx.sender))
        return "has another sender";
    return gas == tx_intrinsic_gas(&tx, fork.revision).gas ? NULL : "has other intrinsic gas";
}

/* What was decoded must encode to the same bytes. */
static const char *judge_round_trip(struct judge *j, bytes envelope) {
    struct tx tx;
    if (tx_decode(&tx, &j->arena, envelope, true, NULL) != ERR_OK)
        return NULL;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    tx_encode(&b, &tx);
    bool same = !b.overflow && b.len == envelope.len && memcmp(b.ptr, envelope.ptr, b.len) == 0;
    buf_clear(&b);
    hash32 digest = tx_signing_hash(&tx);
    if (!same)
        return "encodes to other bytes";
    return hash32_eq(&digest, &tx.sighash) ? NULL : "has two signing hashes";
}

static void judge_test(struct judge *j, const char *path, const char *name, const json_t *test) {
    bytes envelope;
    const char *fork;
    json_t *result, *results = json_object_get(test, "result");
    bool readable = testfile_bytes(&envelope, &j->arena, test, "txbytes") == ERR_OK &&
                    json_object_size(results) != 0;
    const char *bad = readable ? judge_round_trip(j, envelope) : "the vector is malformed";
    char reason[REASON_MAX];
    if (readable) {
        json_object_foreach(results, fork, result) {
            if (bad == NULL)
                bad = judge_result(reason, j, fork, envelope, result);
        }
    }
    if (bad == NULL) {
        j->counts.passed++;
        return;
    }
    j->counts.failed++;
    printf("FAIL %s %s: %s\n", path, name, bad);
}

static void judge_file(struct judge *j, const char *path) {
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error), *test;
    const char *name;
    if (file == NULL) {
        printf("FAIL %s: unreadable: %s\n", path, error.text);
        j->counts.failed++;
        return;
    }
    json_object_foreach(file, name, test) {
        judge_test(j, path, name, test);
        arena_reset(&j->arena);
    }
    json_decref(file);
}

/* Folders of one level below `root`, and files in either. */
static bool judge_folders(struct judge *j, const char *root) {
    char folders[FOLDERS_MAX][PATH_MAX_BYTES];
    size_t count = 1;
    (void)snprintf(folders[0], sizeof folders[0], "%s", root);
    for (size_t i = 0; i < count; i++) {
        DIR *d = opendir(folders[i]);
        if (d == NULL)
            return false;
        for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
            char path[PATH_MAX_BYTES];
            struct stat st;
            if (e->d_name[0] == '.' ||
                snprintf(path, sizeof path, "%s/%s", folders[i], e->d_name) >= (int)sizeof path ||
                stat(path, &st) != 0)
                continue;
            if (S_ISDIR(st.st_mode) && count < FOLDERS_MAX)
                memcpy(folders[count++], path, sizeof path);
            else if (!S_ISDIR(st.st_mode))
                judge_file(j, path);
        }
        (void)closedir(d);
    }
    return true;
}

int main(int argc, char **argv) {
    const char *corpora = getenv("CORPORA");
    char folder[PATH_MAX_BYTES];
    if (argc > 1) {
        (void)snprintf(folder, sizeof folder, "%s", argv[1]);
    } else if (corpora != NULL && corpora[0] != '\0') {
        (void)snprintf(folder, sizeof folder, "%s/transaction_tests", corpora);
    } else {
        printf("transaction vectors: CORPORA is not set\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    static struct judge j;
    arena_init(&j.arena, 1 << 20, 1 << 28);
    j.world = world_new((struct state_reader){0});
    CHECK(j.world != NULL);
    if (!judge_folders(&j, folder)) {
        printf("FAIL %s: unreadable\n", folder);
        j.counts.failed++;
    }
    printf("transaction vectors: %u passed, %u failed\n", j.counts.passed, j.counts.failed);
    world_free(j.world);
    arena_clear(&j.arena);
    return j.counts.failed == 0 && j.counts.passed != 0 ? 0 : 1;
}
