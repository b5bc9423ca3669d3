/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_universe.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/map.h"
#include "rpc/api_handlers.h"
#include "rpc/json_writer.h"

#include <stdio.h>

enum { SLUG_CACHE_MAX = 1 << 16, SLUG_KEY_BYTES = 16, METADATA_MAX_BYTES = 1024 };

/* --- ids ----------------------------------------------------------------------------------- */
/* Universes that were found: slugs are never given anew. Names that are none are looked up each
 * time. Per store, as a process (a test) may have had another. */
static struct {
    pthread_mutex_t lock;
    const struct store *store;
    struct map ids;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void slug_key(char out[SLUG_KEY_BYTES], const char *slug) {
    memset(out, 0, SLUG_KEY_BYTES);
    memcpy(out, slug, strnlen(slug, API_SLUG_MAX));
}

static uint64_t find_known(const struct store *s, const char key[SLUG_KEY_BYTES]) {
    pthread_mutex_lock(&known.lock);
    const uint64_t *id = known.store == s ? map_get(&known.ids, key) : NULL;
    uint64_t found = id != NULL ? *id : 0;
    pthread_mutex_unlock(&known.lock);
    return found;
}

static void keep_known(const struct store *s, const char key[SLUG_KEY_BYTES], uint64_t id) {
    pthread_mutex_lock(&known.lock);
    if (known.store != s) {
        map_clear(&known.ids);
        map_init(&known.ids, SLUG_KEY_BYTES, sizeof(uint64_t), SLUG_CACHE_MAX, map_seed_random());
        known.store = s;
    }
    (void)!map_put(&known.ids, key, &id);
    pthread_mutex_unlock(&known.lock);
}

static u256 slug_word(const char *slug) {
    uint8_t be[32] = {0};
    memcpy(be + 32 - API_SLUG_MAX, slug, strnlen(slug, API_SLUG_MAX));
    return u256_from_be32(be);
}

static uint64_t read_id(struct store_view *v, const char *slug) {
    struct state_reader r = store_state_reader(v);
    addr20 registry = system_address(SYSTEM_REGISTRY);
    struct account acct = {0};
    hash32 h;
    uint8_t be[32];
    u256 word = U256_ZERO, key = slug_word(slug), slot = system_slot(SYS_SLUG_UNIVERSE, &key);
    keccak256(&h, registry.b, 20);
    if (!r.ops->account(r.ctx, &acct, &h) || acct.store_id == 0)
        return 0;
    u256_to_be32(be, &slot);
    keccak256(&h, be, 32);
    r.ops->storage(r.ctx, &word, acct.store_id, &h);
    word = system_part(SYS_SLUG_UNIVERSE, &word);
    return u256_sat_u64(&word);
}

uint64_t api_universe_id(const struct rpc_context *cx, const char *slug) {
    char key[SLUG_KEY_BYTES];
    struct store_view *v = NULL;
    if (!api_slug_ok(slug, strlen(slug)))
        return 0;
    slug_key(key, slug);
    uint64_t id = find_known(cx->store, key);
    if (id != 0 || store_view_open(&v, cx->store, store_durable(cx->store)) != ERR_OK)
        return id;
    id = read_id(v, slug);
    store_view_close(v);
    if (id != 0)
        keep_known(cx->store, key, id);
    return id;
}

/* --- the registry's fields ----------------------------------------------------------------- */
struct world *api_world(struct rpc_call *c) {
    struct chain *chain = rpc_executor(c, rpc_head_number(c));
    return chain != NULL ? chain_world(chain) : NULL;
}

static struct api_universe read_universe(struct world *w, uint64_t id, const char *slug) {
    u256 key = u256_from_u64(id);
    return (struct api_universe){
        .id = id,
        .slug = slug,
        .owner = sys_get_addr(w, SYS_UNIVERSE_OWNER, &key),
        .pending_owner = sys_get_addr(w, SYS_UNIVERSE_PENDING_OWNER, &key),
        .status = (enum universe_status)sys_get_u64(w, SYS_UNIVERSE_STATUS, &key),
        .created_at = sys_get_u64(w, SYS_UNIVERSE_CREATED_AT, &key),
        .gas_account = sys_get(w, SYS_UNIVERSE_GAS_ACCOUNT, &key),
    };
}

bool api_universe_load(struct rpc_call *c, struct api_universe *out) {
    struct world *w = api_world(c);
    if (w == NULL)
        return false;
    u256 slug = slug_word(api_slug(c));
    uint64_t id = sys_get_u64(w, SYS_SLUG_UNIVERSE, &slug);
    if (id == 0) {
        api_fail(c, API_NOT_FOUND, "there is no universe '%s'", api_slug(c));
        return false;
    }
    *out = read_universe(w, id, api_slug(c));
    return true;
}

static const char *status_name(enum universe_status s) {
    switch (s) {
    case UNIVERSE_ACTIVE:
        return "active";
    case UNIVERSE_PAUSED:
        return "paused";
    case UNIVERSE_ARCHIVED:
        return "archived";
    case UNIVERSE_NONE:
        break;
    }
    return "none";
}

static void print_metadata(struct rpc_call *c, struct json_writer *w, uint64_t id) {
    struct world *world = api_world(c);
    u256 key[2] = {u256_from_u64(id), U256_ZERO};
    uint8_t text[METADATA_MAX_BYTES + 32];
    uint64_t len = world != NULL ? sys_get_u64(world, SYS_UNIVERSE_META_LEN, key) : 0;
    if (len > METADATA_MAX_BYTES)
        len = 0;
    for (uint64_t at = 0; at < len; at += 32) {
        key[1] = u256_from_u64(at / 32);
        u256 word = sys_get(world, SYS_META_WORD, key);
        u256_to_be32(text + at, &word);
    }
    jw_key(w, "metadataUri");
    jw_str(w, (const char *)text, (size_t)len);
}

static void print_dec(struct json_writer *w, const char *name, const u256 *v) {
    char text[79];
    jw_m_text(w, name, u256_to_dec(text, v));
}

void api_universe_print(struct rpc_call *c, struct json_writer *w, const struct api_universe *u) {
    const struct node_commands *node = c->cx->node;
    addr20 signer;
    char url[512];
    jw_object(w);
    jw_key(w, "id");
    jw_int(w, (int64_t)u->id);
    jw_m_text(w, "slug", u->slug);
    jw_m_addr(w, "owner", &u->owner);
    if (!addr20_is_zero(&u->pending_owner))
        jw_m_addr(w, "pendingOwner", &u->pending_owner);
    jw_m_text(w, "status", status_name(u->status));
    print_metadata(c, w, u->id);
    jw_key(w, "createdAt");
    jw_int(w, (int64_t)u->created_at);
    if (node->signer != NULL && node->signer(node->outbox, u->slug, &signer))
        jw_m_addr(w, "signer", &signer);
    print_dec(w, "gasAccount", &u->gas_account);
    snprintf(url, sizeof(url), "%s/u/%s", node->public_url != NULL ? node->public_url : "",
             u->slug);
    jw_m_text(w, "url", url);
    jw_object_end(w);
}

bool api_contract(struct rpc_call *c, const struct api_universe *u, addr20 *out) {
    struct world *w = api_world(c);
    if (w == NULL)
        return false;
    CHECK(api_address(api_arg(c, "address"), out));
    if (universe_of(w, out) == u->id)
        return true;
    api_fail(c, API_NOT_FOUND, "the contract does not belong to the universe '%s'", u->slug);
    return false;
}

bool api_next_price(struct rpc_call *c, u256 *out) {
    uint64_t head = rpc_head_number(c);
    struct index_head h;
    struct chain *chain = rpc_executor(c, head);
    if (chain == NULL || index_head(&h, rpc_head_view(c), head) != ERR_OK)
        return false;
    *out = chain_next_price(chain, &h.header, c->cx->node->now(c->cx->node->ctx));
    return true;
}

/* --- routes -------------------------------------------------------------------------------- */
void api_universe_get(struct rpc_call *c) {
    struct api_universe u;
    struct json_writer w;
    if (!api_universe_load(c, &u))
        return;
    jw_init(&w, &c->result);
    api_universe_print(c, &w, &u);
}

enum { LIST_MAX = 100 };

void api_universe_list(struct rpc_call *c) {
    struct world *world = api_world(c);
    uint64_t after = 0, limit = LIST_MAX;
    struct json_writer w;
    if (world == NULL)
        return;
    bool ok = (api_arg(c, "after") == NULL || api_u64(api_arg(c, "after"), &after)) &&
              (api_arg(c, "limit") == NULL || api_u64(api_arg(c, "limit"), &limit));
    CHECK(ok);
    uint64_t count = sys_get_u64(world, SYS_UNIVERSE_COUNT, NULL);
    jw_init(&w, &c->result);
    jw_array(&w);
    for (uint64_t i = 0, id = after + 1; i < limit && i < LIST_MAX && id > after && id <= count;
         i++, id++) {
        char slug[API_SLUG_MAX + 1] = {0};
        uint8_t be[32];
        u256 key = u256_from_u64(id), word = sys_get(world, SYS_UNIVERSE_SLUG, &key);
        u256_to_be32(be, &word);
        memcpy(slug, be + 32 - API_SLUG_MAX, API_SLUG_MAX);
        struct api_universe u = read_universe(world, id, slug);
        api_universe_print(c, &w, &u);
    }
    jw_array_end(&w);
}

static void print_policy(struct json_writer *w, struct world *world, const u256 *key) {
    jw_key(w, "policy");
    jw_object(w);
    static const struct {
        const char *name;
        enum system_field field;
    } flags[] = {{"active", SYS_POLICY_ACTIVE},
                 {"allowValue", SYS_POLICY_ALLOW_VALUE},
                 {"allowSetCode", SYS_POLICY_ALLOW_SET_CODE},
                 {"allowCreate", SYS_POLICY_ALLOW_CREATE}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        jw_key(w, flags[i].name);
        jw_bool(w, sys_get_u64(world, flags[i].field, key) != 0);
    }
    jw_key(w, "maxDataBytes");
    jw_int(w, (int64_t)sys_get_u64(world, SYS_POLICY_MAX_DATA, key));
    u256 v = sys_get(world, SYS_POLICY_EXPIRY, key);
    print_dec(w, "expiry", &v);
    v = sys_get(world, SYS_POLICY_MAX_GAS, key);
    print_dec(w, "maxGas", &v);
    v = sys_get(world, SYS_POLICY_MAX_COST, key);
    print_dec(w, "maxCost", &v);
    jw_object_end(w);
}

static void print_budget(struct json_writer *w, const char *name, const u256 *limit,
                         uint64_t window, const u256 *spent) {
    if (window == 0)
        return;
    jw_key(w, name);
    jw_object(w);
    print_dec(w, "limit", limit);
    jw_key(w, "window");
    jw_int(w, (int64_t)window);
    print_dec(w, "spent", spent);
    jw_object_end(w);
}

void api_gas_get(struct rpc_call *c) {
    struct api_universe u;
    struct json_writer w;
    u256 price;
    if (!api_universe_load(c, &u) || !api_next_price(c, &price))
        return;
    struct world *world = api_world(c);
    u256 key = u256_from_u64(u.id);
    uint64_t now = c->cx->node->now(c->cx->node->ctx);
    u256 surcharge = universe_surcharge(world, u.id, now);
    jw_init(&w, &c->result);
    jw_object(&w);
    print_dec(&w, "gasAccount", &u.gas_account);
    print_dec(&w, "price", &price);
    print_dec(&w, "surcharge", &surcharge);
    print_policy(&w, world, &key);
    u256 limit = sys_get(world, SYS_BUDGET_LIMIT, &key);
    u256 spent = sys_get(world, SYS_BUDGET_SPENT, &key);
    uint64_t seconds = sys_get_u64(world, SYS_BUDGET_SECONDS, &key);
    spent =
        universe_budget_spent(&spent, sys_get_u64(world, SYS_BUDGET_WINDOW, &key), seconds, now);
    print_budget(&w, "budget", &limit, seconds, &spent);
    limit = sys_get(world, SYS_USER_BUDGET_LIMIT, &key);
    print_budget(&w, "userBudget", &limit, sys_get_u64(world, SYS_USER_BUDGET_SECONDS, &key),
                 &U256_ZERO);
    jw_object_end(&w);
}
