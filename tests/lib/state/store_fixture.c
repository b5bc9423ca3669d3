/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/store_fixture.h"

#include "base/check.h"
#include "base/keccak.h"

#include <stdio.h>

char fixture_store_dir[FIXTURE_PATH_MAX];

void fixture_store_setup(void) {
    fixture_dir_make(fixture_store_dir);
}
void fixture_store_teardown(void) {
    fixture_dir_remove(fixture_store_dir);
}

struct store *fixture_store_open(bool allow_wipe) {
    struct store *s = NULL;
    struct err_ctx ec = {0};
    struct store_options o = {.dir = fixture_store_dir,
                              .map_bytes = 1ULL << 32,
                              .no_sync = true,
                              .history_rows = 60,
                              .allow_wipe = allow_wipe};
    if (store_open(&s, &o, &ec) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", ec.text);
        abort();
    }
    return s;
}

void fixture_block_begin(struct store *s) {
    store_block_begin(s, store_head(s) + 1);
}

void fixture_block_end(struct store *s) {
    uint64_t block = store_head(s) + 1;
    struct store_applied at = {.seq = block + 1, .block = block};
    store_block_commit(s, &at);
    store_set_durable(s, block);
}

void fixture_put(struct store *s, const char *key, const char *value) {
    bytes k = bytes_of(key, strlen(key));
    if (value == NULL)
        store_del(s, TABLE_TXL, k);
    else
        store_put(s, TABLE_TXL, k, bytes_of(value, strlen(value)));
}

const char *fixture_get(struct store_view *v, const char *key) {
    static char text[STORE_VALUE_MAX_BYTES + 1];
    bytes value;
    if (!store_get(v, TABLE_TXL, bytes_of(key, strlen(key)), &value))
        return NULL;
    CHECK(value.len < sizeof text);
    if (value.len > 0)
        memcpy(text, value.ptr, value.len);
    text[value.len] = 0;
    return text;
}

const char *fixture_get_at(struct store *s, uint64_t block, const char *key) {
    struct store_view *v;
    CHECK(store_view_open(&v, s, block) == ERR_OK);
    const char *value = fixture_get(v, key);
    store_view_close(v);
    return value;
}

void fixture_table_digest(struct store_view *v, enum table_id table, hash32 *out) {
    struct keccak_ctx k;
    keccak256_begin(&k);
    struct store_cursor *c = store_cursor_open(v, table);
    bytes key, value;
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more;
         more = store_cursor_next(c, &key, &value)) {
        uint8_t len[4];
        be32_store(len, (uint32_t)key.len);
        keccak256_update(&k, len, 4);
        keccak256_update(&k, key.ptr, key.len);
        be32_store(len, (uint32_t)value.len);
        keccak256_update(&k, len, 4);
        keccak256_update(&k, value.ptr, value.len);
    }
    store_cursor_close(c);
    keccak256_end(&k, out);
}

hash32 fixture_digest(struct store *s, uint64_t block, enum table_id table) {
    struct store_view *v;
    hash32 h;
    CHECK(store_view_open(&v, s, block) == ERR_OK);
    fixture_table_digest(v, table, &h);
    store_view_close(v);
    return h;
}
