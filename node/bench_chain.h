/* SPDX-License-Identifier: Apache-2.0 */
/* What load is made of, the same on every program that is measured: accounts with funds, an ERC-20
 * and an ERC-1155 of OpenZeppelin's code, transactions signed beforehand; and afterwards every
 * receipt and every balance compared with what was sent. Keys and addresses come from fixed text:
 * two runs send the same bytes. */
#ifndef NODE_BENCH_CHAIN_H
#define NODE_BENCH_CHAIN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"
#include "node/bench_client.h"

enum bench_work {
    BENCH_TRANSFER,   /* 1 wei to an account that exists */
    BENCH_ERC20,      /* 1000 units of BenchCoin */
    BENCH_MINT,       /* one unit of one id of BenchItems */
    BENCH_MINT_BATCH, /* ten ids of BenchItems */
    BENCH_DEPLOY,     /* a contract of BenchCoin's code */
    BENCH_WORK_COUNT
};
enum {
    BENCH_CHAIN_ID = 31337, /* the peer's default */
    BENCH_CHAIN_MAX = 100000,
    BENCH_BATCH_IDS = 10,
    /* Wei of the crowd's maker and of a recipient at the start, coins of a sender and a recipient;
     * units of BenchCoin in a transfer. */
    BENCH_CROWD_WEI = 100000000,
    BENCH_RECIPIENT_WEI = 1,
    BENCH_SENDER_COINS = 1000000000,
    BENCH_RECIPIENT_COINS = 1,
    BENCH_COINS_SENT = 1000,
};
/* "transfer", "ERC-20 transfer", ... */
const char *bench_work_name(enum bench_work w);
/* Items that one transaction makes. */
size_t bench_work_items(enum bench_work w);

struct bench_sender {
    uint8_t key[32];
    addr20 addr;
    uint64_t nonce;
    u256 balance;   /* what it must have, by the receipts seen so far */
    uint64_t coins; /* transfers of BenchCoin made */
};
struct bench_recipient {
    addr20 addr;
    uint64_t got[BENCH_WORK_COUNT]; /* transactions for it */
};

/* What one mint made, as its receipt tells. */
struct bench_item {
    uint32_t id, recipient, units;
};

/* As many senders as recipients: `count`. */
struct bench_chain {
    size_t count;
    struct bench_sender *senders;
    struct bench_recipient *recipients;
    size_t next;            /* transaction: its sender is next % count */
    uint64_t checked_block; /* the newest whose receipts were looked at, or do not count */
    uint64_t rng;
    /* Ids count up: each mint is of ids that nobody has had, so that it costs the same on every
     * chain, however many accounts that has and however often it was minted on before. */
    uint64_t next_item;
    struct bench_item *items; /* of the receipts seen so far; not those of the crowd */
    size_t item_count, item_cap;
    /* Accounts that BENCH_CROWD made; and whether transactions go to them instead of the
     * recipients, which then get nothing. */
    uint64_t crowd;
    bool far;
};

void bench_chain_new(struct bench_chain *c, size_t count);
/* The same chain, to be gone on with on another node from the same folder. */
void bench_chain_clone(struct bench_chain *out, const struct bench_chain *c);
void bench_chain_free(struct bench_chain *c);

/* Writes block 0 in geth's format: 10^6 ether for each sender, 1 wei for each recipient, coins for
 * both, the contracts. `peer`: without this program's own section. ERR_IO. */
enum err bench_chain_write_genesis(const struct bench_chain *c, const char *path, bool peer,
                                   struct err_ctx *ec) MUST_USE;

struct bench_tx {
    bytes raw; /* in the arena */
    hash32 hash;
    enum bench_work work;
    uint32_t sender, recipient;
    bool far;      /* the recipient is one of the crowd */
    uint64_t item; /* first id that it mints */
};
/* Signs the next transaction. ERR_SIGNATURE. */
enum err bench_chain_sign(struct bench_tx *out, struct bench_chain *c, struct arena *a,
                          enum bench_work w, struct err_ctx *ec) MUST_USE;
/* Signs one that makes accounts [from, to), which nobody has a key of, with 1 wei each. At most
 * BENCH_CROWD_STEP at once. */
enum { BENCH_CROWD_STEP = 400 };
enum err bench_chain_sign_crowd(struct bench_tx *out, struct bench_chain *c, struct arena *a,
                                uint64_t from, uint64_t to, struct err_ctx *ec) MUST_USE;

/* Four bytes: what a call of this function begins with. */
void bench_put_selector(struct buf *b, const char *signature);
/* Appends to `items`. */
void bench_chain_note_item(struct bench_chain *c, struct bench_item item);

/* The contracts' addresses as text, "0x...". */
extern const char BENCH_COIN[], BENCH_ITEMS[], BENCH_CROWD[];
/* How many accounts BENCH_CROWD has made, as its balance tells. */
enum err bench_chain_crowd(uint64_t *out, struct bench_client *client, struct err_ctx *ec) MUST_USE;

/* Reads the receipts of all blocks since the last look: there is one of each transaction and of no
 * other, it succeeded, and its fee is taken from what its sender must have. *out_gas is the gas
 * that they used. ERR_MISMATCH names the first that is wrong. */
enum err bench_chain_check_receipts(struct bench_chain *c, struct bench_client *client,
                                    const struct bench_tx *txs, size_t n, uint64_t *out_gas,
                                    struct err_ctx *ec) MUST_USE;
/* Compares the nonce of every sender with what was signed. ERR_MISMATCH. */
enum err bench_chain_check_nonces(const struct bench_chain *c, struct bench_client *client,
                                  struct err_ctx *ec) MUST_USE;
/* Compares every sender's and recipient's balances, in ether and coins, and every item that was
 * minted with what they must be. ERR_MISMATCH. */
enum err bench_chain_check_balances(struct bench_chain *c, struct bench_client *client,
                                    struct err_ctx *ec) MUST_USE;

#endif
