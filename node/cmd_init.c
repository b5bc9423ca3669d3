/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter init`: makes block 0 of a genesis file in a data folder and prints its hash. */
#include "node/commands.h"

#include "base/hex.h"
#include "node/args.h"
#include "node/ledger.h"

#include <inttypes.h>
#include <stdio.h>

static const char usage_text[] =
    "usage: callipter init --chain GENESIS.json --datadir DIR [--unbacked-alloc]\n"
    "\n"
    "Makes the data folder with block 0 and prints the block's hash. On a folder that has the same "
    "chain it\n"
    "changes nothing; another chain's is refused. `callipter run` does the same when it finds "
    "none.\n";

enum { CACHE_BYTES = 64 << 20 };

static enum err make(const struct genesis *g, const char *datadir, struct err_ctx *ec) {
    struct ledger l;
    struct ledger_options o = {
        .disk = disk_posix(), .dir = datadir, .genesis = g, .cache_bytes = CACHE_BYTES};
    TRY(ledger_open(&l, &o, ec));
    char hash[65] = {0};
    hex_encode(hash, l.genesis_hash.b, 32);
    printf("chain %" PRIu64 "\nblock 0 0x%s\n", g->config.chain_id, hash);
    if (l.head.number > 0)
        printf("the folder is at block %" PRIu64 " or later\n", l.head.number);
    ledger_close(&l);
    return ERR_OK;
}

static enum err init(const char *chain, const char *datadir, bool unbacked, struct err_ctx *ec) {
    static struct genesis g; /* large */
    TRY(genesis_load(&g, chain, ec));
    enum err e = genesis_check_backing(&g, unbacked, ec);
    if (e == ERR_OK)
        e = make(&g, datadir, ec);
    genesis_clear(&g);
    return e;
}

int cmd_init(int argc, char **argv) {
    const char *chain = NULL, *datadir = NULL;
    bool unbacked = false, help = false;
    const struct arg args[] = {{"chain", &chain, NULL},
                               {"datadir", &datadir, NULL},
                               {"unbacked-alloc", NULL, &unbacked},
                               {"help", NULL, &help}};
    struct err_ctx ec = {.text = ""};
    enum err e = args_parse(argc, argv, args, ARRAY_LEN(args), NULL, 0, &ec);
    if (e == ERR_OK && help) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (e != ERR_OK || chain == NULL || datadir == NULL) {
        fprintf(stderr, "%s%s%s", ec.text, ec.text[0] != '\0' ? "\n" : "", usage_text);
        return 2;
    }
    e = init(chain, datadir, unbacked, &ec);
    if (e == ERR_OK)
        return 0;
    fprintf(stderr, "callipter init: %s\n", ec.err == e ? ec.text : err_text(e));
    return 1;
}
