/* SPDX-License-Identifier: Apache-2.0 */
/* Trie vectors ($CORPORA/trie): roots of plain and secure tries, keys applied in the given order or
 * in any, with deletions; and neighbours of keys. Roots come from mpt_root over what is left; those
 * of secure tries also from the state trie, one change at a time. Neighbours are asked of a store's
 * cursor, which is what walks tries' keys here.
 *
 *   trie_vectors [FOLDER]     default: $CORPORA/trie */
#include "base/hex.h"
#include "state/store.h"
#include "state/trie_internal.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAIRS_MAX = 1024, KEY_MAX = 64, VALUE_MAX = 128, PATH_MAX_BYTES = 4096 };

static unsigned passed, failed;

static void verdict(const char *file, const char *name, const char *complaint) {
    if (complaint == NULL) {
        passed++;
        return;
    }
    failed++;
    printf("FAIL %s %s: %s\n", file, name, complaint);
}

/* --- roots ---------------------------------------------------------------------------------- */

struct pair {
    uint8_t key[KEY_MAX], value[VALUE_MAX];
    size_t key_len, value_len;
};

/* What the vector has built so far, sorted; and the same as a state trie when keys are hashes. */
struct content {
    struct pair pairs[PAIRS_MAX];
    size_t count;
    struct state_trie *trie;
};

/* "0x..." is hex, anything else its own bytes. */
static size_t text_bytes(uint8_t *out, size_t cap, const char *s) {
    size_t len = strlen(s);
    if (strncmp(s, "0x", 2) == 0) {
        CHECK(hex_decode(out, cap, &len, s, len) == ERR_OK);
        return len;
    }
    CHECK(len <= cap);
    memcpy(out, s, len);
    return len;
}

static int key_cmp(const struct pair *a, const struct pair *b) {
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int c = memcmp(a->key, b->key, n);
    return c != 0 ? c : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static void apply_to_trie(struct content *c, const struct pair *p, bool existed) {
    struct titem item = {.key = p->key, .existed = existed};
    if (p->value_len > 0) {
        item.value = p->value;
        item.value_len = (uint32_t)p->value_len;
    }
    tree_update(c->trie, &c->trie->accounts, &item, 1);
    trie_run_hashes(c->trie);
}

/* A value of null deletes. */
static void apply(struct content *c, const char *key, const json_t *value, bool secure) {
    struct pair p = {.key_len = text_bytes(p.key, sizeof p.key, key)};
    if (secure) {
        hash32 h = keccak256_bytes(bytes_of(p.key, p.key_len));
        memcpy(p.key, h.b, 32);
        p.key_len = 32;
    }
    if (json_is_string(value))
        p.value_len = text_bytes(p.value, sizeof p.value, json_string_value(value));
    size_t at = 0;
    while (at < c->count && key_cmp(&c->pairs[at], &p) < 0)
        at++;
    bool existed = at < c->count && key_cmp(&c->pairs[at], &p) == 0;
    if (secure)
        apply_to_trie(c, &p, existed);
    size_t tail = (c->count - at) * sizeof p;
    if (existed && p.value_len > 0) {
        c->pairs[at] = p;
    } else if (existed) {
        memmove(&c->pairs[at], &c->pairs[at + 1], tail - sizeof p);
        c->count--;
    } else if (p.value_len > 0) {
        CHECK(c->count < PAIRS_MAX);
        memmove(&c->pairs[at + 1], &c->pairs[at], tail);
        c->pairs[at] = p;
        c->count++;
    }
}

static void run_root(const char *file, const char *name, const json_t *test, bool secure) {
    static struct content c;
    static struct mpt_pair pairs[PAIRS_MAX];
    const json_t *in = json_object_get(test, "in"), *value;
    c.count = 0;
    c.trie = state_trie_new((struct trie_source){NULL, NULL}, 0);
    if (json_is_object(in)) {
        const char *key;
        json_object_foreach((json_t *)(uintptr_t)in, key, value) {
            apply(&c, key, value, secure);
        }
    } else {
        size_t i;
        json_array_foreach(in, i, value) {
            apply(&c, json_string_value(json_array_get(value, 0)), json_array_get(value, 1),
                  secure);
        }
    }
    for (size_t i = 0; i < c.count; i++)
        pairs[i] = (struct mpt_pair){bytes_of(c.pairs[i].key, c.pairs[i].key_len),
                                     bytes_of(c.pairs[i].value, c.pairs[i].value_len)};
    hash32 want, root;
    const char *text = json_string_value(json_object_get(test, "root"));
    const char *complaint = NULL;
    mpt_root(&root, pairs, c.count);
    if (text == NULL || hex_decode_fixed(want.b, sizeof want.b, text) != ERR_OK)
        complaint = "no root in the vector";
    else if (!hash32_eq(&root, &want))
        complaint = "mpt_root gives another root";
    state_trie_root(c.trie, &root);
    if (complaint == NULL && secure && !hash32_eq(&root, &want))
        complaint = "the state trie gives another root";
    state_trie_free(c.trie);
    verdict(file, name, complaint);
}

/* --- neighbours ----------------------------------------------------------------------------- */

static bytes text_of(const json_t *s) {
    return bytes_of(json_string_value(s), json_string_length(s));
}

static bool same(bool found, bytes got, bytes want) {
    if (want.len == 0)
        return !found;
    return found && got.len == want.len && memcmp(got.ptr, want.ptr, got.len) == 0;
}

static bool equal(bytes a, bytes b) {
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* The keys right before and right after `key`, which may itself be there. */
static const char *ask(struct store_cursor *c, bytes key, bytes want_prev, bytes want_next) {
    bytes k, v;
    bool found = key.len > 0 && store_cursor_seek_le(c, key, &k, &v);
    if (found && equal(k, key))
        found = store_cursor_prev(c, &k, &v);
    if (!same(found, k, want_prev))
        return "another key before";
    found = store_cursor_seek(c, key, &k, &v);
    if (found && equal(k, key))
        found = store_cursor_next(c, &k, &v);
    if (!same(found, k, want_next))
        return "another key after";
    return NULL;
}

static const char *ask_all(struct store *s, const json_t *test) {
    const json_t *in = json_object_get(test, "in"), *tests = json_object_get(test, "tests"), *e;
    const char *complaint = NULL;
    struct store_applied at = {.seq = 1};
    struct store_view *v;
    size_t i;
    store_block_begin(s, 0);
    json_array_foreach(in, i, e) {
        store_put(s, TABLE_HNUM, text_of(e), bytes_of("x", 1));
    }
    store_block_commit(s, &at);
    store_set_durable(s, 0);
    if (store_view_open(&v, s, 0) != ERR_OK)
        return "no view of the store";
    struct store_cursor *c = store_cursor_open(v, TABLE_HNUM);
    json_array_foreach(tests, i, e) {
        if (complaint == NULL)
            complaint = ask(c, text_of(json_array_get(e, 0)), text_of(json_array_get(e, 1)),
                            text_of(json_array_get(e, 2)));
    }
    store_cursor_close(c);
    store_view_close(v);
    return complaint;
}

static void remove_folder(const char *path) {
    DIR *d = opendir(path);
    if (d == NULL)
        return;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
    (void)rmdir(path);
}

static void run_neighbours(const char *file, const char *name, const json_t *test) {
    const char *base = getenv("TEST_DIR");
    char dir[PATH_MAX_BYTES];
    struct store *s;
    struct err_ctx ec;
    (void)snprintf(dir, sizeof dir, "%s/trie-vectors-XXXXXX", base != NULL ? base : "/tmp");
    CHECK(mkdtemp(dir) != NULL);
    if (store_open(&s, &(struct store_options){.dir = dir, .map_bytes = 1 << 24, .no_sync = true},
                   &ec) != ERR_OK) {
        verdict(file, name, ec.text);
    } else {
        verdict(file, name, ask_all(s, test));
        store_close(s);
    }
    remove_folder(dir);
}

/* --- files ---------------------------------------------------------------------------------- */

static void run_file(const char *folder, const char *file) {
    char path[PATH_MAX_BYTES + 256];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    json_t *all = json_load_file(path, 0, &error), *test;
    if (all == NULL) {
        verdict(file, "the file", error.text);
        return;
    }
    bool secure = strstr(file, "secure") != NULL;
    const char *name;
    json_object_foreach(all, name, test) {
        if (json_object_get(test, "tests") != NULL)
            run_neighbours(file, name, test);
        else
            run_root(file, name, test, secure);
    }
    json_decref(all);
}

static int is_json(const struct dirent *e) {
    size_t n = strlen(e->d_name);
    return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

int main(int argc, char **argv) {
    const char *corpora = getenv("CORPORA");
    char folder[PATH_MAX_BYTES];
    if (argc > 2 || (argc < 2 && (corpora == NULL || corpora[0] == 0))) {
        printf("trie vectors skipped: CORPORA is not set\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    (void)snprintf(folder, sizeof folder, argc > 1 ? "%s" : "%s/trie",
                   argc > 1 ? argv[1] : corpora);
    struct dirent **files;
    int n = scandir(folder, &files, is_json, alphasort);
    if (n <= 0) {
        fprintf(stderr, "trie_vectors: no vectors in %s\n", folder);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        run_file(folder, files[i]->d_name);
        free(files[i]);
    }
    free(files);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
