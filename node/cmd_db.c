/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter db`: looks at data folders, and copies them. Changes nothing in those that are there.
 */
#include "node/commands.h"

#include "base/hex.h"
#include "index/digest.h"
#include "index/index.h"
#include "index/record.h"
#include "node/args.h"
#include "node/backup.h"
#include "node/datadir.h"
#include "node/ledger.h"
#include "state/log.h"
#include "state/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: callipter db verify --datadir DIR\n"
    "       callipter db stat --datadir DIR\n"
    "       callipter db digest --datadir DIR [--block N] [--from-block N]\n"
    "       callipter db backup --datadir DIR --to BACKUP\n"
    "       callipter db restore --from BACKUP --datadir DIR\n"
    "\n"
    "verify  rebuilds the state root from the flat tables, checks every record of the log, and "
    "prints both;\n"
    "        exit status 0 only if the root is that of the tables' head block\n"
    "stat    rows and sizes of tables and logs\n"
    "digest  a hash of every table that follows from the chain's messages alone, at a block (the "
    "tables' own,\n"
    "        unless given) from which history is kept; equal on all nodes of a chain. "
    "--from-block\n"
    "        leaves look-ups of transactions and logs in blocks below it out, as nodes that drop "
    "old blocks do\n"
    "backup  copies the folder while a node may be running on it, and verifies the copy; BACKUP is "
    "a folder\n"
    "        that is absent or empty\n"
    "restore makes a data folder of a backup, and verifies it; DIR is absent or empty\n"
    "\n"
    "For verify, stat and digest no node may be running on the folder. The tables are a "
    "checkpoint: they "
    "may be behind the "
    "log,\n"
    "whose later blocks the next start executes again.\n";

struct db {
    struct store *store;
    struct store_view *view; /* at the tables' head; NULL: no block yet */
    struct wal *log, *receipts;
};

static void print_hash(const char *label, const hash32 *h) {
    char hex[65] = {0};
    hex_encode(hex, h->b, 32);
    printf("%s0x%s", label, hex);
}

static enum err open_log(struct wal **out, const char *datadir, const char *prefix,
                         struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX];
    TRY(datadir_path(dir, datadir, DATADIR_LOG, ec));
    struct wal_options o = {.disk = disk_posix(), .dir = dir, .prefix = prefix, .read_only = true};
    return wal_open(out, &o, ec);
}

static enum err db_open(struct db *d, const char *datadir, struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX];
    TRY(datadir_path(dir, datadir, DATADIR_STORE, ec));
    struct store_options o = {.dir = dir, .must_exist = true};
    TRY(store_open(&d->store, &o, ec));
    TRY(open_log(&d->log, datadir, DATADIR_LOG_PREFIX, ec));
    TRY(open_log(&d->receipts, datadir, DATADIR_RECEIPTS_PREFIX, ec));
    uint64_t block = store_applied(d->store).block;
    if (block == STORE_NO_BLOCK)
        return ERR_OK;
    enum err e = store_view_open(&d->view, d->store, block);
    if (e != ERR_OK)
        FAIL(ec, e, "the tables at block %" PRIu64 " cannot be read", block);
    return ERR_OK;
}

static void db_close(struct db *d) {
    store_view_close(d->view);
    store_close(d->store);
    wal_close(d->log);
    wal_close(d->receipts);
}

/* --- verify --------------------------------------------------------------------------------- */
struct log_summary {
    uint64_t records, blocks, rewinds;
    uint64_t head; /* block that the log ends at; STORE_NO_BLOCK: it has none */
};

static enum err count_record(void *ctx, const struct log_record *r) {
    struct log_summary *s = ctx;
    s->records++;
    if (r->kind == LOG_BLOCK) {
        struct record_block b;
        TRY(record_unpack_block(&b, r->payload));
        s->blocks++;
        s->head = b.number;
    }
    if (r->kind == LOG_REWIND) {
        struct record_rewind w;
        TRY(record_unpack_rewind(&w, r->payload));
        s->rewinds++;
        s->head = w.to_block;
    }
    return ERR_OK;
}

static enum err verify_log(const struct db *d, struct err_ctx *ec) {
    struct log_summary s = {.head = STORE_NO_BLOCK};
    uint64_t first = wal_first_seq(d->log), last = wal_last_seq(d->log),
             applied = store_applied(d->store).seq;
    enum err e = wal_each(d->log, first, count_record, &s, ec);
    if (e != ERR_OK)
        return e;
    printf("log       records %" PRIu64 " to %" PRIu64 ", all good; %" PRIu64 " blocks, %" PRIu64
           " rewinds",
           first, last, s.blocks, s.rewinds);
    if (s.head != STORE_NO_BLOCK)
        printf("; ends at block %" PRIu64, s.head);
    printf("\n");
    if (applied > last && last > 0)
        FAIL(ec, ERR_CORRUPT,
             "the tables hold the effect of record %" PRIu64 ", but the log ends at %" PRIu64,
             applied, last);
    uint64_t needed = ledger_log_floor(d->store);
    if (first > needed)
        FAIL(ec, ERR_PRUNED,
             "the tables need the log from record %" PRIu64 " on, but it begins at %" PRIu64
             ": it was pruned while it was copied; copy again",
             needed, first);
    if (last > applied)
        printf("          the tables are at record %" PRIu64
               ": the next start executes the %" PRIu64 " after it\n",
               applied, last - applied);
    return ERR_OK;
}

static enum err verify_tables(const struct db *d, struct err_ctx *ec) {
    struct store_applied at = store_applied(d->store);
    if (d->view == NULL)
        FAIL(ec, ERR_NOT_FOUND, "the tables have no block yet");
    struct index_head h;
    enum err e = index_head(&h, d->view, at.block);
    if (e != ERR_OK)
        FAIL(ec, ERR_CORRUPT, "the header of block %" PRIu64 " cannot be read from the tables",
             at.block);
    printf("tables    block %" PRIu64 " ", at.block);
    print_hash("", &h.hash);
    printf("\n");
    print_hash("head      root ", &h.header.state_root);
    printf("\n");
    hash32 root;
    TRY(store_rebuild_root(d->view, &root, ec));
    print_hash("rebuilt   root ", &root);
    printf("\n");
    hash32 hash = header_hash(&h.header);
    if (!hash32_eq(&hash, &at.block_hash) || !hash32_eq(&hash, &h.hash))
        FAIL(ec, ERR_CORRUPT,
             "the header of block %" PRIu64 " has another hash than the tables' position says",
             at.block);
    if (!hash32_eq(&root, &h.header.state_root) || !hash32_eq(&root, &at.state_root))
        FAIL(ec, ERR_MISMATCH, "the root rebuilt from the tables is not that of block %" PRIu64,
             at.block);
    return ERR_OK;
}

static enum err verify(const struct db *d, struct err_ctx *ec) {
    TRY(verify_tables(d, ec));
    TRY(verify_log(d, ec));
    printf("ok\n");
    return ERR_OK;
}

/* --- stat ----------------------------------------------------------------------------------- */
static void print_log(const char *name, const struct wal *l) {
    if (wal_last_seq(l) < wal_first_seq(l)) {
        printf("%-10s no records, %" PRIu64 " bytes\n", name, wal_bytes(l));
        return;
    }
    printf("%-10s records %" PRIu64 " to %" PRIu64 ", %" PRIu64 " bytes\n", name, wal_first_seq(l),
           wal_last_seq(l), wal_bytes(l));
}

static enum err print_stat(const struct db *d, struct err_ctx *ec) {
    struct store_stats s;
    enum err e = store_stat(d->store, &s);
    if (e != ERR_OK)
        FAIL(ec, e, "the tables cannot be read");
    struct store_applied at = store_applied(d->store);
    if (d->view == NULL)
        printf("tables     no block yet");
    else
        printf("tables     block %" PRIu64 ", record %" PRIu64 ", epoch %" PRIu64
               ", undo data from block %" PRIu64,
               at.block, at.seq, at.epoch, store_first_block(d->store));
    printf(", %" PRIu64 " bytes\n", s.lmdb_bytes_used);
    for (int t = 0; t < TABLE_COUNT; t++)
        printf("  %-8s %12" PRIu64 " rows   %s -> %s\n", table_info[t].name, s.rows[t],
               table_info[t].key, table_info[t].value);
    print_log("log", d->log);
    print_log("receipts", d->receipts);
    return ERR_OK;
}

/* --- digest --------------------------------------------------------------------------------- */
static enum err number_arg(uint64_t *out, const char *text, const char *what, struct err_ctx *ec) {
    char *end;
    if (text == NULL)
        return ERR_OK;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        FAIL(ec, ERR_INVALID, "--%s wants a block number", what);
    return ERR_OK;
}

static enum err print_digest(struct db *d, const char *at, const char *from_text,
                             struct err_ctx *ec) {
    static struct index_digest digest;
    uint64_t block = store_applied(d->store).block, from = 0;
    if (d->view == NULL)
        FAIL(ec, ERR_NOT_FOUND, "the tables have no block yet");
    TRY(number_arg(&block, at, "block", ec));
    TRY(number_arg(&from, from_text, "from-block", ec));
    if (block > store_applied(d->store).block)
        FAIL(ec, ERR_NOT_FOUND, "the tables end at block %" PRIu64, store_applied(d->store).block);
    struct store_view *v;
    enum err e = store_view_open(&v, d->store, block);
    if (e != ERR_OK)
        FAIL(ec, e, "the tables at block %" PRIu64 " cannot be read: history begins at %" PRIu64,
             block, store_first_block(d->store));
    e = index_digest(&digest, v, from, NULL, NULL, ec);
    store_view_close(v);
    TRY(e);
    printf("block     %" PRIu64 " ", digest.block);
    print_hash("", &digest.block_hash);
    printf("\nfrom      %" PRIu64 "\n", digest.from);
    for (int t = 0; t < TABLE_COUNT; t++) {
        if (!digest.covered[t])
            continue;
        printf("%-9s ", table_info[t].name);
        print_hash("", &digest.tables[t]);
        printf(" %" PRIu64 " rows\n", digest.rows[t]);
    }
    print_hash("all       ", &digest.all);
    printf("\n");
    return ERR_OK;
}

/* --- copies --------------------------------------------------------------------------------- */
static enum err copy(const char *from, const char *to, struct err_ctx *ec) {
    struct backup b;
    struct db d = {0};
    TRY(backup_begin(&b, from, to, ec));
    enum err e = db_open(&d, b.partial, ec);
    if (e == ERR_OK)
        e = verify(&d, ec);
    db_close(&d);
    if (e == ERR_OK)
        e = backup_finish(&b, ec);
    if (e != ERR_OK)
        backup_abandon(&b);
    return e;
}

enum look { LOOK_VERIFY, LOOK_STAT, LOOK_DIGEST };

static enum err look(const char *datadir, enum look what, const char *block, const char *first,
                     struct err_ctx *ec) {
    struct db d = {0};
    enum err e = db_open(&d, datadir, ec);
    if (e == ERR_OK)
        e = what == LOOK_VERIFY ? verify(&d, ec)
            : what == LOOK_STAT ? print_stat(&d, ec)
                                : print_digest(&d, block, first, ec);
    db_close(&d);
    return e;
}

int cmd_db(int argc, char **argv) {
    const char *datadir = NULL, *to = NULL, *from = NULL, *block = NULL, *first = NULL;
    const struct arg args[] = {{"datadir", &datadir, NULL},
                               {"to", &to, NULL},
                               {"from", &from, NULL},
                               {"block", &block, NULL},
                               {"from-block", &first, NULL}};
    const char *what = argc >= 2 ? argv[1] : "";
    struct err_ctx ec = {0};
    if (args_help(argc, argv) || strcmp(what, "help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    bool is_verify = strcmp(what, "verify") == 0, is_stat = strcmp(what, "stat") == 0;
    bool is_digest = strcmp(what, "digest") == 0;
    bool is_backup = strcmp(what, "backup") == 0, is_restore = strcmp(what, "restore") == 0;
    bool ok = (is_verify || is_stat || is_digest || is_backup || is_restore) &&
              args_parse(argc - 1, argv + 1, args, ARRAY_LEN(args), NULL, 0, &ec) == ERR_OK &&
              datadir != NULL && (to != NULL) == is_backup && (from != NULL) == is_restore &&
              ((block == NULL && first == NULL) || is_digest);
    if (!ok) {
        if (ec.text[0] != '\0')
            fprintf(stderr, "callipter db: %s\n", ec.text);
        fputs(usage_text, stderr);
        return 2;
    }
    enum err e = is_backup    ? copy(datadir, to, &ec)
                 : is_restore ? copy(from, datadir, &ec)
                              : look(datadir,
                                     is_verify ? LOOK_VERIFY
                                     : is_stat ? LOOK_STAT
                                               : LOOK_DIGEST,
                                     block, first, &ec);
    if (e == ERR_OK)
        return 0;
    fflush(stdout);
    fprintf(stderr, "callipter db: %s\n", ec.text[0] != '\0' ? ec.text : err_text(e));
    return 1;
}
