/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(store_cursor, .init = fixture_store_setup, .fini = fixture_store_teardown,
          .timeout = 120);

enum { KEYS = 400 };

/* The model: which keys are there at the view's block, in order (keys are numbers of fixed width).
 */
struct model {
    int value[KEYS]; /* -1: absent */
};

static void key_text(int i, char out[16]) {
    (void)snprintf(out, 16, "%05d", i * 7);
}

static void change(struct store *s, struct model *m, struct fixture_rng *r) {
    fixture_block_begin(s);
    for (uint64_t n = fixture_rng_below(r, 60); n > 0; n--) {
        char key[16], value[16];
        int i = (int)fixture_rng_below(r, KEYS);
        key_text(i, key);
        m->value[i] = fixture_rng_below(r, 3) == 0 ? -1 : (int)fixture_rng_below(r, 1000);
        (void)snprintf(value, sizeof value, "%d", m->value[i]);
        fixture_put(s, key, m->value[i] < 0 ? NULL : value);
    }
    fixture_block_end(s);
}

static int key_index(bytes key) {
    char text[16] = {0};
    memcpy(text, key.ptr, key.len < 15 ? key.len : 15);
    return (int)strtol(text, NULL, 10) / 7;
}

/* Whether the cursor's answer is key i of the model; i out of range: no row. */
static bool is_row(const struct model *m, int i, bool found, bytes key, bytes value) {
    if (i < 0 || i >= KEYS)
        return !found;
    char text[16] = {0};
    if (!found || key.len != 5 || value.len > 15)
        return false;
    memcpy(text, value.ptr, value.len);
    return key_index(key) == i && (int)strtol(text, NULL, 10) == m->value[i];
}

static int after(const struct model *m, int i) {
    for (i++; i < KEYS && m->value[i] < 0; i++)
        continue;
    return i;
}
static int before(const struct model *m, int i) {
    for (i--; i >= 0 && m->value[i] < 0; i--)
        continue;
    return i;
}

static void check(struct store_view *v, const struct model *m, struct fixture_rng *r) {
    struct store_cursor *c = store_cursor_open(v, TABLE_TXL);
    bytes key, value;
    int at = after(m, -1);
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more;
         more = store_cursor_next(c, &key, &value)) {
        cr_assert(is_row(m, at, true, key, value));
        at = after(m, at);
    }
    cr_assert_eq(at, KEYS);
    cr_assert(!store_cursor_next(c, &key, &value));
    at = before(m, KEYS);
    for (bool more = store_cursor_seek_le(c, bytes_of("9", 1), &key, &value); more;
         more = store_cursor_prev(c, &key, &value)) {
        cr_assert(is_row(m, at, true, key, value));
        at = before(m, at);
    }
    cr_assert_eq(at, -1);
    /* Random walks with turns. */
    for (int walk = 0; walk < 20; walk++) {
        char text[16];
        int i = (int)fixture_rng_below(r, KEYS);
        key_text(i, text);
        bool up = fixture_rng_below(r, 2) == 0;
        if (fixture_rng_below(r, 2) == 0)
            text[4] = (char)(text[4] + (up ? -1 : 1)); /* between keys, most times */
        bytes from = bytes_of(text, 5);
        bool found = up ? store_cursor_seek(c, from, &key, &value)
                        : store_cursor_seek_le(c, from, &key, &value);
        at = up ? i - 1 : i + 1;
        at = up ? after(m, at) : before(m, at);
        if (memcmp(text, "00000", 5) < 0)
            continue; /* a digit below '0': order is still right, the model has no such key */
        cr_assert(is_row(m, at, found, key, value), "walk from %s", text);
        for (int n = 0; n < 12 && found; n++) {
            bool next = fixture_rng_below(r, 2) == 0;
            found = next ? store_cursor_next(c, &key, &value) : store_cursor_prev(c, &key, &value);
            at = next ? after(m, at) : before(m, at);
            cr_assert(is_row(m, at, found, key, value));
        }
    }
    store_cursor_close(c);
}

/* Goal: one cursor over deltas, LMDB and overlay walks the rows of its block in both directions,
 * with tombstones and checkpoints anywhere. */
Test(store_cursor, walks) {
    enum { PINS = 8 };
    struct store *s = fixture_store_open(false);
    struct fixture_rng r = fixture_rng_of(fixture_seed(9));
    struct model now;
    memset(now.value, -1, sizeof now.value);
    static struct model then[PINS];
    struct store_view *pins[PINS] = {NULL};
    for (int round = 0; round < 250; round++) {
        change(s, &now, &r);
        size_t p = fixture_rng_below(&r, PINS);
        if (pins[p] == NULL) {
            cr_assert_eq(store_view_open(&pins[p], s, store_durable(s)), ERR_OK);
            then[p] = now;
        }
        if (fixture_rng_below(&r, 12) == 0)
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        p = fixture_rng_below(&r, PINS);
        if (pins[p] != NULL) {
            check(pins[p], &then[p], &r);
            if (fixture_rng_below(&r, 3) == 0) {
                store_view_close(pins[p]);
                pins[p] = NULL;
            }
        }
        struct store_view *own;
        cr_assert_eq(store_view_open(&own, s, UINT64_MAX), ERR_OK);
        if (round % 10 == 0)
            check(own, &now, &r);
        store_view_close(own);
    }
    for (int i = 0; i < PINS; i++)
        store_view_close(pins[i]);
    store_close(s);
}

/* Goal: a walk goes on over a checkpoint in its middle. */
Test(store_cursor, checkpoint_in_the_middle) {
    struct store *s = fixture_store_open(false);
    struct fixture_rng r = fixture_rng_of(2);
    struct model m;
    memset(m.value, -1, sizeof m.value);
    for (int i = 0; i < 30; i++)
        change(s, &m, &r);
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, s, store_durable(s)), ERR_OK);
    struct model later = m;
    for (int i = 0; i < 30; i++)
        change(s, &later, &r);
    struct store_cursor *c = store_cursor_open(v, TABLE_TXL);
    bytes key, value;
    int at = after(&m, -1), steps = 0;
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more;
         more = store_cursor_next(c, &key, &value)) {
        cr_assert(is_row(&m, at, true, key, value));
        at = after(&m, at);
        if (++steps == 40)
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    cr_assert_eq(at, KEYS);
    store_cursor_close(c);
    store_view_close(v);
    store_close(s);
}

/* Goal: the writer's own walk meets what it puts and deletes on its way, in both directions. */
Test(store_cursor, own_rows_on_the_way) {
    struct store *s = fixture_store_open(false);
    struct fixture_rng r = fixture_rng_of(4);
    struct model m;
    memset(m.value, -1, sizeof m.value);
    for (int i = 0; i < 30; i++)
        change(s, &m, &r);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    struct store_view *own;
    cr_assert_eq(store_view_open(&own, s, UINT64_MAX), ERR_OK);
    for (int round = 0; round < 40; round++) {
        bool up = round % 2 == 0;
        struct store_cursor *c = store_cursor_open(own, TABLE_TXL);
        bytes key, value;
        fixture_block_begin(s);
        bool found = up ? store_cursor_seek(c, bytes_of(NULL, 0), &key, &value)
                        : store_cursor_seek_le(c, bytes_of("9", 1), &key, &value);
        int at = up ? after(&m, -1) : before(&m, KEYS);
        while (found) {
            cr_assert(is_row(&m, at, true, key, value));
            for (uint64_t n = fixture_rng_below(&r, 3); n > 0; n--) {
                char text[16], number[16];
                int i = at - 8 + (int)fixture_rng_below(&r, 17);
                if (i < 0 || i >= KEYS)
                    continue;
                m.value[i] = fixture_rng_below(&r, 2) == 0 ? -1 : (int)fixture_rng_below(&r, 1000);
                key_text(i, text);
                (void)snprintf(number, sizeof number, "%d", m.value[i]);
                fixture_put(s, text, m.value[i] < 0 ? NULL : number);
            }
            found = up ? store_cursor_next(c, &key, &value) : store_cursor_prev(c, &key, &value);
            at = up ? after(&m, at) : before(&m, at);
        }
        cr_assert(at == (up ? KEYS : -1));
        store_cursor_close(c);
        fixture_block_end(s);
    }
    store_view_close(own);
    store_close(s);
}

/* Goal: rows of RANGE tables above the view's block are hidden in both directions, in delta and
 * LMDB. */
Test(store_cursor, range_tables) {
    struct store *s = fixture_store_open(false);
    for (uint64_t b = 0; b < 20; b++) {
        uint8_t key[8];
        be64_store(key, b);
        fixture_block_begin(s);
        store_put(s, TABLE_HDR, bytes_of(key, 8), bytes_of(key, 8));
        fixture_block_end(s);
    }
    for (int round = 0; round < 2; round++) {
        struct store_view *v;
        cr_assert_eq(store_view_open(&v, s, 12), ERR_OK);
        struct store_cursor *c = store_cursor_open(v, TABLE_HDR);
        bytes key, value;
        uint64_t want = 0;
        for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more;
             more = store_cursor_next(c, &key, &value))
            cr_assert_eq(be64_load(key.ptr), want++);
        cr_assert_eq(want, 13);
        uint8_t top[8];
        be64_store(top, UINT64_MAX);
        for (bool more = store_cursor_seek_le(c, bytes_of(top, 8), &key, &value); more;
             more = store_cursor_prev(c, &key, &value))
            cr_assert_eq(be64_load(key.ptr), --want);
        cr_assert_eq(want, 0);
        store_cursor_close(c);
        store_view_close(v);
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    store_close(s);
}
