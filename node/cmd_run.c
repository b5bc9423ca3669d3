/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter run`: wires the parts together, serves until told to stop. */
#include "base/check.h"
#include "base/cpu.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/secp.h"
#include "node/commands.h"
#include "node/config.h"
#include "node/datadir.h"
#include "node/forward.h"
#include "node/headroom.h"
#include "node/metrics.h"
#include "node/outbox.h"
#include "node/print_profile.h"
#include "node/prune.h"
#include "node/readmit.h"
#include "node/recover.h"
#include "node/reload.h"
#include "node/replay.h"
#include "node/secrets.h"
#include "node/sequencer.h"
#include "node/settlement.h"
#include "node/threads.h"
#include "node/version.h"
#include "rpc/rpc.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    KIB = 1 << 10,
    MIB = 1 << 20,
    PUBLIC_URL_MAX = 256,
    DRAIN_MS = 500, /* at a stop, for replies to reach their clients */
    DRAIN_STEP_MS = 10,
    MAPPED_FROM_BYTES = 256 << 10,
    KEPT_FREE_BYTES = 8 << 20,
};

struct run {
    struct config config;
    struct genesis genesis;
    struct ledger ledger;
    struct pool pool;
    struct sequencer *sequencer;
    struct settlement *settlement; /* NULL: the parent is not followed */
    struct outbox *outbox;
    struct forward *forward; /* NULL: nothing is handed on */
    struct secrets secrets;
    char public_url[PUBLIC_URL_MAX];
    struct rpc_server *rpc;
    struct node_commands commands;
    struct dev_account dev_accounts[GENESIS_DEV_ACCOUNTS];
    struct event_base *base;
    struct event *events[4]; /* SIGTERM, SIGINT, failure, SIGHUP */
    struct reload reload;
    struct thread_map threads;
    int failed_fd;
    bool has_genesis, has_ledger, has_pool, is_temp;
    char dir[DATADIR_PATH_MAX];
    struct evm_profile *profile; /* of a replay; NULL: nothing is counted */
};

_Static_assert(LOG_SEGMENT_MIN_BYTES == 4 * KIB && LOG_SEGMENT_MAX_BYTES == 1048576 * KIB,
               "node/config.def has the limits of --log-segment-kib");

/* --- starting ------------------------------------------------------------------------------ */
static void set_up_log(const struct config *c) {
    struct log_config lc = {.fd = STDERR_FILENO, .rate_per_s = LOG_RATE_DEFAULT};
    enum err e = log_level_parse(&lc.level, c->log_level);
    CHECK(e == ERR_OK); /* config_parse saw to it */
    if (strcmp(c->log_format, "json") == 0)
        lc.format = LOG_FORMAT_JSON;
    log_configure(&lc);
}

static enum err load_genesis(struct run *r, struct err_ctx *ec) {
    if (r->config.chain[0] != '\0')
        TRY(genesis_load(&r->genesis, r->config.chain, ec));
    else
        genesis_dev(&r->genesis);
    r->has_genesis = true;
    return genesis_check_backing(&r->genesis, r->config.unbacked_alloc, ec);
}

static enum err choose_dir(struct run *r, struct err_ctx *ec) {
    if (r->config.datadir[0] == '\0') {
        TRY(datadir_make_temp(r->dir, ec));
        r->is_temp = true;
        return ERR_OK;
    }
    int n = snprintf(r->dir, sizeof(r->dir), "%s", r->config.datadir);
    if (n < 0 || (size_t)n >= sizeof(r->dir))
        FAIL(ec, ERR_CONFIG, "--datadir: the path is longer than %d bytes", DATADIR_PATH_MAX - 1);
    return ERR_OK;
}

static enum err open_ledger(struct run *r, struct err_ctx *ec) {
    uint64_t window_s = r->config.history_seconds;
    if (window_s == 0)
        CHECK(prune_mode(&window_s, r->config.mode) == ERR_OK);
    struct ledger_options lo = {
        .disk = disk_posix(),
        .dir = r->dir,
        .genesis = &r->genesis,
        .cache_bytes = r->config.cache_mib * MIB,
        .window_s = window_s,
        .checkpoint_rows = (size_t)r->config.checkpoint_rows,
        .log_segment_bytes = (uint32_t)(r->config.log_segment_kib * KIB),
        .tier = strcmp(r->config.tier, "reference") == 0 ? EVM_TIER_REFERENCE : EVM_TIER_FAST,
        .profile = r->profile,
    };
    TRY(ledger_open(&r->ledger, &lo, ec));
    r->has_ledger = true;
    return ERR_OK;
}

static enum err open_for_replay(struct run *r, struct err_ctx *ec) {
    if (r->config.profile != 0 && (r->profile = evm_profile_new()) == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for --profile");
    return open_ledger(r, ec);
}

static enum err open_chain(struct run *r, struct err_ctx *ec) {
    struct recover_stats stats;
    struct readmission pooled = {
        .pool = &r->pool, .ledger = &r->ledger, .now_ms = clock_realtime_ms(clock_posix())};
    TRY(open_ledger(r, ec));
    pool_init(&r->pool, config_pool_limits(&r->config));
    r->has_pool = true;
    TRY(recover_run(&r->ledger, &stats, readmit_record, &pooled, ec));
    if (readmit_end(&pooled) != ERR_OK)
        FAIL(ec, ERR_NOMEM, "out of memory for transactions that wait");
    if (pooled.forgotten != 0)
        log_warn("recover", "too many transactions waited: the latest are forgotten",
                 log_u64("count", pooled.forgotten));
    log_info("recover", "at the log's end", log_u64("block", r->ledger.head.number),
             log_u64("replayed_blocks", stats.blocks), log_u64("took_ms", stats.took_ms));
    return ERR_OK;
}

static void on_failed(void *ctx) {
    struct run *r = ctx;
    uint64_t one = 1;
    ssize_t n = write(r->failed_fd, &one, sizeof(one));
    (void)n;
}

static enum err start_sequencer(struct run *r, struct err_ctx *ec) {
    if (r->config.parent_url[0] != '\0')
        TRY(settlement_new(&r->settlement, &r->config, &r->ledger, r->dir, ec));
    struct sequencer_options so = {
        .settle = r->settlement != NULL ? settlement_settle(r->settlement) : NULL,
        .headroom_bid = r->config.headroom_bid,
        .ledger = &r->ledger,
        .pool = &r->pool,
        .clock = clock_posix(),
        .crew_threads = r->threads.crew,
        .policy = config_sequencer_policy(&r->config),
        .failed = on_failed,
        .failed_ctx = r,
    };
    TRY(sequencer_start(&r->sequencer, &so, ec));
    sequencer_commands(r->sequencer, &r->commands);
    if (r->settlement != NULL)
        r->commands.parent = settlement_parent(r->settlement);
    if (r->config.dev) {
        for (uint32_t i = 0; i < GENESIS_DEV_ACCOUNTS; i++)
            genesis_dev_account(i, r->dev_accounts[i].key, &r->dev_accounts[i].address);
        r->commands.dev_accounts = r->dev_accounts;
        r->commands.dev_account_count = GENESIS_DEV_ACCOUNTS;
    }
    return ERR_OK;
}

/* The operator's key of a development chain is its first account's. */
static void use_dev_operator(struct run *r) {
    struct signers *s = &r->secrets.signers;
    if (!r->config.dev || s->has_operator)
        return;
    memcpy(s->operator_key, r->dev_accounts[0].key, 32);
    s->has_operator = true;
}

static enum err start_api(struct run *r, struct err_ctx *ec) {
    struct secrets_options so = {.dir = r->dir,
                                 .admin_key_file = r->config.admin_key_file,
                                 .signer_password = r->config.signer_password,
                                 .operator_key = r->config.operator_key,
                                 .chain_id = r->genesis.config.chain_id};
    TRY(secrets_open(&r->secrets, &so, ec));
    use_dev_operator(r);
    struct outbox_options oo = {.store = r->ledger.store,
                                .node = &r->commands,
                                .signers = &r->secrets.signers,
                                .clock = clock_posix(),
                                .chain_id = r->genesis.config.chain_id,
                                .requests_max = r->config.idempotency_max};
    TRY(outbox_start(&r->outbox, &oo, ec));
    outbox_commands(r->outbox, &r->commands);
    r->commands.public_url = r->public_url;
    r->commands.api_pepper = r->secrets.pepper;
    r->commands.admin_key = r->secrets.admin_key;
    return ERR_OK;
}

static enum err start_forward(struct run *r, struct err_ctx *ec) {
    const struct config *c = &r->config;
    if (c->forward_urls[0] == '\0')
        return ERR_OK;
    struct forward_options fo = {.urls = c->forward_urls,
                                 .connections = (size_t)c->forward_connections,
                                 .max = (size_t)c->forward_max,
                                 .timeout_ms = (uint32_t)c->forward_ms,
                                 .reply_bytes_max = (size_t)c->http_reply_mib * MIB,
                                 .clock = clock_posix(),
                                 .read = sequencer_read_form,
                                 .read_ctx = r->sequencer};
    TRY(forward_start(&r->forward, &fo, ec));
    forward_commands(r->forward, &r->commands);
    return ERR_OK;
}

static enum err start_rpc(struct run *r, struct err_ctx *ec) {
    const struct config *c = &r->config;
    struct rpc_options ro = {
        .base = r->base,
        .listen = c->http,
        .tls_cert = c->tls_cert,
        .tls_key = c->tls_key,
        .connections_max = (size_t)c->http_connections,
        .readers = r->threads.readers,
        .policy = config_rpc_policy(c),
        .store = r->ledger.store,
        .source = {.log = r->ledger.log, .receipts = r->ledger.receipts},
        .chain = r->genesis.config,
        .commands = &r->commands,
        .client_version = callipter_client_version(),
    };
    return rpc_server_open(&r->rpc, &ro, ec);
}

/* Known once the port is. */
static enum err set_public_url(struct run *r, struct err_ctx *ec) {
    int n = r->config.public_url[0] != '\0'
                ? snprintf(r->public_url, PUBLIC_URL_MAX, "%s", r->config.public_url)
                : snprintf(r->public_url, PUBLIC_URL_MAX, "http%s://%s",
                           r->config.tls_cert[0] != '\0' ? "s" : "", rpc_server_address(r->rpc));
    if (n < 0 || n >= PUBLIC_URL_MAX)
        FAIL(ec, ERR_CONFIG, "--public-url is longer than %d characters", PUBLIC_URL_MAX - 1);
    while (n > 0 && r->public_url[n - 1] == '/')
        r->public_url[--n] = '\0';
    return ERR_OK;
}

static void on_stop(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    event_base_loopbreak(ctx);
}

/* Without a file there is nothing to read again, and a hang-up is that of the terminal: it ends the
 * node as SIGTERM does. Before it serves and while it stops, the signal is forgotten. */
static void on_hang_up(evutil_socket_t fd, short what, void *ctx) {
    struct run *r = ctx;
    if (r->config.config[0] == '\0')
        on_stop(fd, what, r->base);
    else if (r->reload.rpc != NULL)
        (void)reload_config(&r->reload);
}

static enum err start_events(struct run *r, struct err_ctx *ec) {
    r->base = event_base_new();
    r->failed_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->base == NULL || r->failed_fd < 0)
        FAIL(ec, ERR_IO, "cannot make an event loop: %s", strerror(errno));
    r->events[0] = evsignal_new(r->base, SIGTERM, on_stop, r->base);
    r->events[1] = evsignal_new(r->base, SIGINT, on_stop, r->base);
    r->events[2] = event_new(r->base, r->failed_fd, EV_READ, on_stop, r->base);
    r->events[3] = evsignal_new(r->base, SIGHUP, on_hang_up, r);
    for (size_t i = 0; i < ARRAY_LEN(r->events); i++)
        if (r->events[i] == NULL || event_add(r->events[i], NULL) != 0)
            FAIL(ec, ERR_NOMEM, "cannot register the node's events");
    signal(SIGPIPE, SIG_IGN);
    return ERR_OK;
}

static enum err start(struct run *r, struct err_ctx *ec) {
    set_up_log(&r->config);
    TRY(cpu_self_test(ec));
    if (strcmp(r->config.recover, "libsecp256k1") == 0)
        secp_recover_use(SECP_RECOVERY_LIBRARY);
    log_info("node", "starting", log_str("version", callipter_client_version()),
             log_str("cpu", cpu_describe()));
    r->threads = thread_map_of(thread_cores(), (size_t)r->config.http_readers,
                               (size_t)r->config.crew_threads);
    log_info("node", "threads", log_u64("cores", r->threads.cores),
             log_u64("readers", r->threads.readers), log_u64("crew", r->threads.crew));
    node_metrics_register();
    metric_set(&node_headroom, HEADROOM_FULL); /* until it is measured */
    TRY(start_events(r, ec));
    TRY(load_genesis(r, ec));
    TRY(choose_dir(r, ec));
    if (r->config.replay[0] != '\0')
        return open_for_replay(r, ec);
    TRY(open_chain(r, ec));
    TRY(start_sequencer(r, ec));
    if (r->settlement != NULL)
        TRY(settlement_start(r->settlement, r->sequencer, ec));
    if (strcmp(r->config.role, "validator") != 0) /* which sends nothing */
        TRY(start_api(r, ec));
    TRY(start_forward(r, ec));
    atomic_store(&r->ledger.may_drop, true);
    TRY(start_rpc(r, ec));
    TRY(set_public_url(r, ec));
    r->reload.rpc = r->rpc;
    r->reload.sequencer = r->sequencer;
    r->reload.pool = &r->pool;
    return ERR_OK;
}

/* --- serving ------------------------------------------------------------------------------- */
static void print_dev_accounts(const struct run *r) {
    printf("Development accounts, 10000 ETH each (mnemonic: %s)\n", GENESIS_DEV_MNEMONIC);
    for (size_t i = 0; i < r->commands.dev_account_count; i++) {
        char addr[41] = {0}, key[65] = {0};
        for (size_t k = 0; k < 20; k++)
            snprintf(addr + 2 * k, 3, "%02x", r->dev_accounts[i].address.b[k]);
        for (size_t k = 0; k < 32; k++)
            snprintf(key + 2 * k, 3, "%02x", r->dev_accounts[i].key[k]);
        printf("  (%zu) 0x%s  key 0x%s\n", i, addr, key);
    }
    if (r->secrets.admin_key[0] != '\0' && r->config.admin_key_file[0] == '\0')
        printf("API key of the operator: %s\n", r->secrets.admin_key);
    printf("JSON-RPC: http%s://%s  chain id %" PRIu64 "%s%s\n",
           r->config.tls_cert[0] != '\0' ? "s" : "", rpc_server_address(r->rpc),
           r->genesis.config.chain_id, r->is_temp ? "  (temporary folder, removed at exit)" : "",
           "");
}

/* Lets replies that are ready reach their clients. */
static void drain(struct run *r) {
    uint64_t end = clock_monotonic_ns(clock_posix()) + (uint64_t)DRAIN_MS * 1000000;
    while (rpc_server_busy(r->rpc) && clock_monotonic_ns(clock_posix()) < end) {
        struct timeval step = {.tv_usec = DRAIN_STEP_MS * 1000};
        event_base_loopexit(r->base, &step);
        event_base_dispatch(r->base);
    }
}

/* False if the node had failed. */
static bool stop(struct run *r) {
    bool ok = true;
    struct err_ctx ec;
    r->reload.rpc = NULL;
    if (r->rpc != NULL)
        rpc_server_drain(r->rpc);
    outbox_stop(r->outbox);
    forward_stop(r->forward);
    if (r->settlement != NULL && r->sequencer != NULL)
        settlement_stop(r->settlement);
    if (r->sequencer != NULL)
        ok = sequencer_stop(r->sequencer);
    if (r->rpc != NULL) {
        drain(r);
        rpc_server_close(r->rpc);
    }
    outbox_free(r->outbox);
    forward_free(r->forward);
    sequencer_free(r->sequencer);
    settlement_free(r->settlement);
    secrets_wipe(&r->secrets);
    if (r->has_ledger && ok && !r->is_temp) {
        enum err e = ledger_checkpoint(&r->ledger, UINT64_MAX, &ec);
        if (e != ERR_OK) /* the log has it all */
            log_warn("node", "no checkpoint at the stop", log_error_code(e),
                     log_str("why", ec.text));
    }
    if (r->has_ledger)
        ledger_close(&r->ledger);
    if (r->has_pool)
        pool_clear(&r->pool);
    if (r->has_genesis)
        genesis_clear(&r->genesis);
    for (size_t i = 0; i < ARRAY_LEN(r->events); i++)
        if (r->events[i] != NULL)
            event_free(r->events[i]);
    if (r->base != NULL)
        event_base_free(r->base);
    if (r->failed_fd >= 0)
        close(r->failed_fd);
    if (r->is_temp)
        datadir_remove_temp(r->dir);
    reload_clear(&r->reload);
    config_clear(&r->config);
    return ok;
}

/* --- replaying ----------------------------------------------------------------------------- */
static void print_replay(const struct run *r, const struct replay_stats *s) {
    char hash[65] = {0};
    double seconds = (double)(s->took_ns > 0 ? s->took_ns : 1) / 1e9;
    hex_encode(hash, r->ledger.head_hash.b, 32);
    printf("replayed blocks=%" PRIu64 " txs=%" PRIu64 " gas=%" PRIu64 " rewinds=%" PRIu64
           " seconds=%.3f txs_per_s=%.0f mgas_per_s=%.1f tier=%s\n",
           s->blocks, s->txs, s->gas, s->rewinds, seconds, (double)s->txs / seconds,
           (double)s->gas / 1e6 / seconds, r->config.tier);
    if (s->unsealed)
        printf("the hash of the last block is not in the log: it was not compared\n");
    printf("head block=%" PRIu64 " hash=0x%s\n", r->ledger.head.number, hash);
}

static int replay(struct run *r) {
    struct err_ctx ec = {.text = ""};
    struct replay_stats stats;
    enum err e = replay_log(&r->ledger, r->config.replay, &stats, &ec);
    if (e != ERR_OK)
        fprintf(stderr, "callipter run: replay: %s\n", ec.err == e ? ec.text : err_text(e));
    print_replay(r, &stats);
    if (r->profile != NULL)
        print_profile(r->profile, (size_t)r->config.profile);
    fflush(stdout);
    ledger_close(&r->ledger); /* without the checkpoint of a stop: replay makes its own */
    r->has_ledger = false;
    (void)stop(r);
    evm_profile_free(r->profile);
    return e == ERR_OK ? 0 : 1;
}

/* Each connection is a descriptor: as many as the system lets this process have. */
static void raise_descriptor_limit(void) {
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == l.rlim_max)
        return;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &l) != 0)
        log_warn("node", "the limit of open files stays", log_str("reason", strerror(errno)));
}

/* Rows that wait for a checkpoint lie in large pieces which one thread takes and another gives
 * back. Mapped one by one they leave no holes behind; what the allocator would otherwise learn is
 * to keep them in its heaps, which grew by a third under load. */
static void choose_allocation(void) {
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES);
}

int cmd_run(int argc, char **argv) {
    static struct run r; /* large, and one */
    struct err_ctx ec;
    r.failed_fd = -1;
    enum err e = config_parse(&r.config, argc, argv, getenv, &ec);
    if (e != ERR_OK) {
        fprintf(stderr, "callipter run: %s\nSee callipter run --help.\n", ec.text);
        return 2;
    }
    if (r.config.help) {
        config_print_help(stdout);
        return 0;
    }
    if (r.config.print_config) {
        config_print_sample(stdout, &r.config);
        config_clear(&r.config);
        return 0;
    }
    r.reload = (struct reload){.argc = argc, .argv = argv, .env = getenv, .started = &r.config};
    raise_descriptor_limit();
    choose_allocation();
    e = start(&r, &ec);
    if (e != ERR_OK) {
        fprintf(stderr, "callipter run: %s\n", ec.err == e ? ec.text : err_text(e));
        (void)stop(&r);
        return e == ERR_CONFIG ? 2 : 1;
    }
    if (r.config.replay[0] != '\0')
        return replay(&r);
    if (r.config.dev)
        print_dev_accounts(&r);
    printf("ready http=%s chain=%" PRIu64 " block=%" PRIu64 "\n", rpc_server_address(r.rpc),
           r.genesis.config.chain_id, store_durable(r.ledger.store));
    fflush(stdout);
    event_base_dispatch(r.base);
    log_info("node", "stopping");
    bool ok = stop(&r);
    log_info("node", "stopped");
    return ok ? 0 : 1;
}
