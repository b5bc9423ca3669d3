/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store_internal.h"

enum {
    GAP_MIN = 8,    /* equal bytes between two runs; fewer are cheaper as part of one run */
    RUN_HEAD = 4,   /* offset u16, length u16 */
    SHORT_ROW = 96, /* below this a whole row is as good */
};

/* End of the run of differing bytes that begins at `at`. */
static size_t run_end(const uint8_t *a, const uint8_t *b, size_t at, size_t len) {
    size_t end = at + 1;
    for (size_t i = end; i < len && i - end < GAP_MIN; i++)
        if (a[i] != b[i])
            end = i + 1;
    return end;
}

static size_t next_difference(const uint8_t *a, const uint8_t *b, size_t at, size_t len) {
    for (; at + 8 <= len; at += 8)
        if (memcmp(a + at, b + at, 8) != 0)
            break;
    while (at < len && a[at] == b[at])
        at++;
    return at;
}

/* False when the whole row would be no longer. */
static bool put_runs(struct buf *out, bytes old, bytes row) {
    size_t start = out->len;
    for (size_t at = next_difference(old.ptr, row.ptr, 0, old.len); at < old.len;) {
        size_t end = run_end(old.ptr, row.ptr, at, old.len);
        const uint8_t head[RUN_HEAD] = {(uint8_t)(at >> 8), (uint8_t)at, (uint8_t)((end - at) >> 8),
                                        (uint8_t)(end - at)};
        buf_append(out, head, sizeof head);
        buf_append(out, old.ptr + at, end - at);
        if (out->len - start >= old.len)
            return false;
        at = next_difference(old.ptr, row.ptr, end, old.len);
    }
    return true;
}

void undo_encode(struct buf *out, enum table_id table, struct undo_side old, struct undo_side row) {
    buf_reset(out);
    if (old.absent) {
        buf_append_byte(out, UNDO_ABSENT);
        if (table == TABLE_TXL && !row.absent && row.row.len == TXL_VALUE_BYTES)
            buf_append(out, row.row.ptr, row.row.len);
        return;
    }
    if (undo_has_runs(table) && !row.absent && old.row.len == row.row.len &&
        old.row.len >= SHORT_ROW) {
        buf_append_byte(out, UNDO_RUNS);
        if (put_runs(out, old.row, row.row))
            return;
        buf_reset(out);
    }
    buf_append_byte(out, UNDO_ROW);
    buf_append(out, old.row.ptr, old.row.len);
}

struct undo_side undo_decode(struct undo_scratch *s, bytes undo, struct undo_side row) {
    CHECK(undo.len > 0);
    if (undo.ptr[0] == UNDO_ABSENT)
        return (struct undo_side){.absent = true};
    if (undo.ptr[0] == UNDO_ROW)
        return (struct undo_side){.row = bytes_of(undo.ptr + 1, undo.len - 1)};
    CHECK(undo.ptr[0] == UNDO_RUNS);
    CHECK(!row.absent);
    CHECK(row.row.len <= sizeof s->b);
    memmove(s->b, row.row.ptr, row.row.len);
    for (size_t at = 1; at < undo.len;) {
        CHECK(undo.len - at > RUN_HEAD);
        size_t to = (size_t)undo.ptr[at] << 8 | undo.ptr[at + 1];
        size_t len = (size_t)undo.ptr[at + 2] << 8 | undo.ptr[at + 3];
        at += RUN_HEAD;
        CHECK(len <= undo.len - at);
        CHECK(to + len <= row.row.len);
        memcpy(s->b + to, undo.ptr + at, len);
        at += len;
    }
    return (struct undo_side){.row = bytes_of(s->b, row.row.len)};
}
