/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: wal.c wal_open.c wal_read.c, which are one unit. */
#include "state/log.h"
#include "state/wal_internal.h"
#include "tests/lib/state/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static char dir[FIXTURE_PATH_MAX], log_dir[FIXTURE_PATH_MAX + 8];
static const uint32_t segment = 16384;

static void setup(void) {
    fixture_dir_make(dir);
    (void)snprintf(log_dir, sizeof log_dir, "%s/log", dir);
}
static void teardown(void) {
    fixture_dir_remove(dir);
}

static struct wal *open_log(uint32_t bytes_per_segment) {
    struct wal *l = NULL;
    struct err_ctx ec = {0};
    struct wal_options o = {
        .disk = disk_posix(), .dir = log_dir, .prefix = "wal", .segment_bytes = bytes_per_segment};
    enum err e = wal_open(&l, &o, &ec);
    cr_assert_eq(e, ERR_OK, "%s", ec.text);
    return l;
}

/* Record i has a payload of a length and content that follow from i. */
static bytes payload_of(uint64_t i, uint8_t out[2000]) {
    struct fixture_rng r = fixture_rng_of(i);
    size_t len = i % 5 == 0 ? 0 : fixture_rng_below(&r, 900);
    fixture_rng_fill(&r, out, len);
    return bytes_of(out, len);
}

static void append_range(struct wal *l, uint64_t from, uint64_t to, struct log_pos *out_pos) {
    uint8_t b[2000];
    for (uint64_t i = from; i <= to; i++) {
        struct log_record r;
        cr_assert_eq(wal_append(l, LOG_BLOCK, i / 50, payload_of(i, b), &r), ERR_OK);
        cr_assert_eq(r.seq, i);
        if (out_pos != NULL)
            out_pos[i] = r.pos;
    }
}

struct expect {
    uint64_t next;
};
static enum err expect_next(void *ctx, const struct log_record *r) {
    struct expect *e = ctx;
    uint8_t b[2000];
    bytes want = payload_of(e->next, b);
    cr_assert_eq(r->seq, e->next);
    cr_assert_eq(r->epoch, e->next / 50);
    cr_assert_eq(r->kind, LOG_BLOCK);
    cr_assert(r->payload.len == want.len &&
              (want.len == 0 || memcmp(r->payload.ptr, want.ptr, want.len) == 0));
    e->next++;
    return ERR_OK;
}

static void expect_range(struct wal *l, uint64_t from, uint64_t to) {
    struct expect e = {from};
    struct err_ctx ec = {0};
    cr_assert_eq(wal_each(l, from, expect_next, &e, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(e.next, to + 1);
    cr_assert_eq(wal_last_seq(l), to);
}

TestSuite(wal, .init = setup, .fini = teardown, .timeout = 60);

/* A part of a record is those bytes of it. */
static void expect_part(struct wal *l, const struct log_record *r) {
    uint8_t part[64];
    size_t from = (size_t)r->seq % (r->payload.len + 1), got = 0;
    size_t want = r->payload.len - from < sizeof(part) ? r->payload.len - from : sizeof(part);
    cr_assert_eq(wal_read_part(l, part, want, r->pos, from, &got, NULL), ERR_OK);
    cr_assert_eq(got, want);
    cr_assert_eq(memcmp(part, r->payload.ptr + from, want), 0);
}

/* Goal: what was appended comes back, in order and by position, before and after a restart, over
 * many segments. */
Test(wal, append_read_reopen) {
    enum { N = 400 };
    static struct log_pos pos[N + 1];
    struct wal *l = open_log(segment);
    cr_assert_eq(wal_last_seq(l), 0);
    append_range(l, 1, N / 2, pos);
    expect_range(l, 1, N / 2);
    uint64_t synced = 0;
    cr_assert_eq(wal_sync(l, &synced, NULL), ERR_OK);
    cr_assert_eq(synced, N / 2);
    wal_close(l);
    l = open_log(segment);
    append_range(l, N / 2 + 1, N, pos);
    expect_range(l, 1, N);
    expect_range(l, 123, N);
    cr_assert(pos[N].segment > 5);
    struct buf b;
    buf_init(&b, 1 << 20);
    for (uint64_t i = N; i > 0; i--) {
        struct log_record r;
        cr_assert_eq(wal_read(l, &b, pos[i], &r, NULL), ERR_OK);
        struct expect e = {i};
        cr_assert_eq(expect_next(&e, &r), ERR_OK);
        expect_part(l, &r);
    }
    struct log_record r;
    uint8_t part[8];
    size_t got;
    cr_assert_eq(wal_read(l, &b, (struct log_pos){99, 64}, &r, NULL), ERR_NOT_FOUND);
    cr_assert_eq(wal_read_part(l, part, 8, (struct log_pos){99, 64}, 0, &got, NULL), ERR_NOT_FOUND);
    cr_assert_eq(wal_read_part(l, part, 8, pos[N], UINT32_MAX, &got, NULL), ERR_OK);
    cr_assert_eq(got, 0);
    cr_assert_eq(wal_read(l, &b, (struct log_pos){pos[7].segment, pos[7].offset + 8}, &r, NULL),
                 ERR_CORRUPT);
    buf_clear(&b);
    wal_close(l);
}

/* Goal: pruning removes whole segments and nothing else; the rest is readable after a restart. */
Test(wal, prune) {
    enum { N = 400 };
    static struct log_pos pos[N + 1];
    struct wal *l = open_log(segment);
    append_range(l, 1, N, pos);
    cr_assert_eq(wal_sync(l, NULL, NULL), ERR_OK);
    uint64_t before = wal_bytes(l);
    cr_assert_eq(wal_prune(l, 200, NULL), ERR_OK);
    cr_assert(wal_bytes(l) < before);
    uint64_t first = wal_first_seq(l);
    cr_assert(first > 1 && first <= 200);
    struct buf b;
    buf_init(&b, 1 << 20);
    struct log_record r;
    uint8_t part[8];
    size_t got;
    cr_assert_eq(wal_read(l, &b, pos[1], &r, NULL), ERR_PRUNED);
    cr_assert_eq(wal_read_part(l, part, 8, pos[1], 0, &got, NULL), ERR_PRUNED);
    cr_assert_eq(wal_segment_seq(l, 0), first);
    cr_assert_eq(wal_segment_of(l, 1), wal_segment_of(l, first));
    cr_assert_eq(wal_segment_seq(l, pos[N].segment + 1), N + 1);
    for (uint64_t seq = first; seq <= N; seq++) {
        cr_assert_eq(wal_segment_of(l, seq), pos[seq].segment);
        cr_assert_leq(wal_segment_seq(l, pos[seq].segment), seq);
    }
    cr_assert_eq(wal_segment_of(l, N + 1), pos[N].segment);
    cr_assert_eq(wal_read(l, &b, pos[200], &r, NULL), ERR_OK);
    buf_clear(&b);
    struct expect e = {1};
    cr_assert_eq(wal_each(l, 1, expect_next, &e, NULL), ERR_PRUNED);
    wal_close(l);
    l = open_log(segment);
    cr_assert_eq(wal_first_seq(l), first);
    expect_range(l, first, N);
    cr_assert_eq(wal_prune(l, N + 1, NULL), ERR_OK); /* the current segment stays */
    append_range(l, N + 1, N + 10, NULL);
    cr_assert_eq(wal_last_seq(l), N + 10);
    wal_close(l);
}

static void segment_path(uint32_t number, char out[FIXTURE_PATH_MAX + 64]) {
    (void)snprintf(out, FIXTURE_PATH_MAX + 64, "%s/wal-%08u.seg", log_dir, number);
}

/* Goal: wherever the file is cut inside the last, unsynced group, the records before it are kept
 * and writing goes on. */
Test(wal, torn_tail) {
    enum { N = 20 };
    static struct log_pos pos[N + 1];
    struct wal *l = open_log(segment);
    append_range(l, 1, N - 3, pos);
    cr_assert_eq(wal_sync(l, NULL, NULL), ERR_OK);
    append_range(l, N - 2, N, pos); /* one window of three records */
    wal_close(l);
    char path[FIXTURE_PATH_MAX + 64];
    segment_path(0, path);
    size_t len;
    uint8_t *whole = fixture_file_read(path, &len), *torn = malloc(len);
    struct fixture_rng rng = fixture_rng_of(fixture_seed(7));
    for (int round = 0; round < 300; round++) {
        memcpy(torn, whole, len);
        /* A 512-byte sector of the window lost, or a byte of it changed, or all from a point on. */
        size_t at = pos[N - 2].offset + fixture_rng_below(&rng, pos[N].offset - pos[N - 2].offset);
        switch (round % 3) {
        case 0:
            at = at < 512 + pos[N - 2].offset ? pos[N - 2].offset : at;
            memset(torn + at, 0, 512);
            break;
        case 1:
            torn[at] ^= (uint8_t)(1 + fixture_rng_below(&rng, 255));
            break;
        default:
            memset(torn + at, 0, len - at);
        }
        fixture_file_write(path, torn, len);
        l = open_log(segment);
        uint64_t last = wal_last_seq(l);
        cr_assert(last >= N - 3 && last <= N, "round %d: last %llu", round,
                  (unsigned long long)last);
        cr_assert_eq(wal_synced_seq(l), last);
        expect_range(l, 1, last);
        append_range(l, last + 1, N + 5, NULL);
        wal_close(l);
        l = open_log(segment);
        expect_range(l, 1, N + 5);
        wal_close(l);
    }
    free(whole);
    free(torn);
}

/* Goal: any changed byte of a record that was durable once is refused, with segment and offset in
 * the message. */
Test(wal, damage_is_refused) {
    enum { N = 30, BAD = 15 };
    static struct log_pos pos[N + 1];
    struct wal *l = open_log(1 << 20);
    for (uint64_t i = 1; i <= N; i++) {
        append_range(l, i, i, pos);
        cr_assert_eq(wal_sync(l, NULL, NULL), ERR_OK);
    }
    wal_close(l);
    char path[FIXTURE_PATH_MAX + 64], where[64];
    segment_path(0, path);
    (void)snprintf(where, sizeof where, "offset %u", pos[BAD].offset);
    size_t len;
    uint8_t *whole = fixture_file_read(path, &len);
    for (uint32_t at = pos[BAD].offset; at < pos[BAD + 1].offset; at += 3) {
        /* Zeros of the alignment after the payload carry nothing. */
        uint8_t b[2000];
        if (at >= pos[BAD].offset + LOG_HEADER_BYTES + payload_of(BAD, b).len)
            break;
        whole[at] ^= 0x40;
        fixture_file_write(path, whole, len);
        struct wal_options o = {.disk = disk_posix(), .dir = log_dir, .prefix = "wal"};
        struct err_ctx ec = {0};
        cr_assert_eq(wal_open(&l, &o, &ec), ERR_CORRUPT, "byte %u", at);
        cr_assert(strstr(ec.text, "wal-00000000.seg") != NULL && strstr(ec.text, where) != NULL,
                  "%s", ec.text);
        whole[at] ^= 0x40;
    }
    fixture_file_write(path, whole, len);
    l = open_log(0);
    expect_range(l, 1, N);
    wal_close(l);
    free(whole);
}

/* Goal: damage in a segment that is not read at the opening is found by the walk; a missing or
 * exchanged segment by the opening. */
Test(wal, damage_in_old_segments) {
    enum { N = 400 };
    struct wal *l = open_log(segment);
    append_range(l, 1, N, NULL);
    cr_assert_eq(wal_sync(l, NULL, NULL), ERR_OK);
    wal_close(l);
    char path[FIXTURE_PATH_MAX + 64], other[FIXTURE_PATH_MAX + 64];
    segment_path(2, path);
    size_t len;
    uint8_t *whole = fixture_file_read(path, &len);
    whole[3000] ^= 1;
    fixture_file_write(path, whole, len);
    l = open_log(segment);
    struct expect e = {1};
    struct err_ctx ec = {0};
    cr_assert_eq(wal_each(l, 1, expect_next, &e, &ec), ERR_CORRUPT);
    cr_assert(strstr(ec.text, "segment 2") != NULL, "%s", ec.text);
    wal_close(l);
    whole[3000] ^= 1;
    fixture_file_write(path, whole, len);
    struct wal_options o = {.disk = disk_posix(), .dir = log_dir, .prefix = "wal"};
    cr_assert_eq(remove(path), 0);
    cr_assert_eq(wal_open(&l, &o, &ec), ERR_CORRUPT);
    segment_path(3, other);
    size_t other_len;
    uint8_t *copy = fixture_file_read(other, &other_len);
    fixture_file_write(path, copy, other_len);
    cr_assert_eq(wal_open(&l, &o, &ec), ERR_CORRUPT);
    fixture_file_write(path, whole, len);
    l = open_log(segment);
    expect_range(l, 1, N);
    wal_close(l);
    free(whole);
    free(copy);
}

/* Goal: record-like bytes inside a payload are never taken for a record, even when the record
 * around them is torn. */
Test(wal, records_inside_payloads) {
    struct wal *l = open_log(1 << 20);
    append_range(l, 1, 3, NULL);
    cr_assert_eq(wal_sync(l, NULL, NULL), ERR_OK);
    wal_close(l);
    char path[FIXTURE_PATH_MAX + 64];
    segment_path(0, path);
    size_t len;
    uint8_t *whole = fixture_file_read(path, &len);
    /* The whole log so far as a payload, with its sequence numbers raised: a checksum without
     * position would hold for the first. */
    l = open_log(1 << 20);
    struct log_record r;
    cr_assert_eq(wal_append(l, LOG_BLOCK, 0, bytes_of(whole, 4000), &r), ERR_OK);
    wal_close(l);
    free(whole);
    whole = fixture_file_read(path, &len);
    whole[r.pos.offset] ^= 1;
    fixture_file_write(path, whole, len);
    l = open_log(1 << 20);
    cr_assert_eq(wal_last_seq(l), 3);
    wal_close(l);
    free(whole);
}

/* Goal: limits. A record may be as long as the largest segment, one byte more is refused and
 * changes nothing; one that is longer than the chosen size gets a segment of its own length. */
Test(wal, limits) {
    struct wal *l = open_log(segment);
    uint8_t *big = calloc(1, LOG_SEGMENT_MAX_BYTES); /* pages that nobody touches cost nothing */
    size_t max = segment - LOG_SEGMENT_HEADER_BYTES - LOG_HEADER_BYTES;
    const size_t lens[] = {max, max, 1, 10 * (size_t)segment, 2, max + 1, 3};
    const uint32_t segments[] = {0, 1, 2, 3, 4, 5, 6};
    size_t most = LOG_SEGMENT_MAX_BYTES - LOG_SEGMENT_HEADER_BYTES - LOG_HEADER_BYTES;
    cr_assert_eq(wal_append(l, LOG_KV, 0, bytes_of(big, most + 1), NULL), ERR_TOO_LARGE);
    struct log_record r = {0};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        cr_assert_eq(wal_append(l, LOG_KV, 0, bytes_of(big, lens[i]), &r), ERR_OK);
        cr_assert_eq(r.pos.segment, segments[i], "record %zu is in segment %u", i, r.pos.segment);
    }
    wal_close(l);
    l = open_log(segment);
    cr_assert_eq(wal_last_seq(l), ARRAY_LEN(lens));
    struct wal_segment longest = l->segments[3];
    cr_assert_eq(longest.bytes, 10 * (size_t)segment + LOG_SEGMENT_HEADER_BYTES + LOG_HEADER_BYTES);
    cr_assert_eq(l->segments[4].bytes, segment);
    struct buf b;
    buf_init(&b, 1 << 20);
    cr_assert_eq(wal_read(l, &b, (struct log_pos){3, LOG_SEGMENT_HEADER_BYTES}, &r, NULL), ERR_OK);
    cr_assert_eq(r.payload.len, 10 * (size_t)segment);
    buf_clear(&b);
    wal_close(l);
    free(big);
}

struct syncer {
    struct wal *log;
    _Atomic bool stop;
    uint64_t syncs;
};
static void *sync_thread(void *ctx) {
    struct syncer *s = ctx;
    uint64_t before = 0;
    while (!atomic_load(&s->stop)) {
        uint64_t want = wal_last_seq(s->log), got = 0;
        cr_assert_eq(wal_sync(s->log, &got, NULL), ERR_OK);
        cr_assert(got >= want && got >= before);
        before = got;
        if (wal_prepare_due(s->log))
            wal_prepare(s->log);
        s->syncs++;
    }
    return NULL;
}

/* Walks what is there and reads single records while the log grows and loses its oldest segments.
 */
static enum err walk_one(void *ctx, const struct log_record *r) {
    struct expect *e = ctx;
    if (e->next == 0)
        e->next = r->seq;
    return expect_next(ctx, r);
}
static void *read_thread(void *ctx) {
    struct syncer *s = ctx;
    struct buf b;
    buf_init(&b, 1 << 20);
    while (!atomic_load(&s->stop)) {
        struct expect e = {0};
        enum err got = wal_each(s->log, wal_first_seq(s->log), walk_one, &e, NULL);
        cr_assert(got == ERR_OK || got == ERR_PRUNED || got == ERR_NOT_FOUND);
        struct log_record r;
        got = wal_read(s->log, &b, (struct log_pos){(uint32_t)(s->syncs % 90), 64}, &r, NULL);
        cr_assert(got == ERR_OK || got == ERR_NOT_FOUND || got == ERR_PRUNED);
        uint64_t synced = wal_synced_seq(s->log);
        if (synced > 500)
            cr_assert_eq(wal_prune(s->log, synced - 500, NULL), ERR_OK);
        s->syncs++;
    }
    buf_clear(&b);
    return NULL;
}

/* Goal: appending beside syncs, walks, reads and pruning from other threads, over rotations, loses
 * nothing. */
Test(wal, other_threads) {
    struct syncer s = {.log = open_log(segment)}, reader = {.log = s.log};
    pthread_t t, u;
    cr_assert_eq(pthread_create(&t, NULL, sync_thread, &s), 0);
    cr_assert_eq(pthread_create(&u, NULL, read_thread, &reader), 0);
    append_range(s.log, 1, 3000, NULL);
    atomic_store(&s.stop, true);
    atomic_store(&reader.stop, true);
    cr_assert_eq(pthread_join(t, NULL), 0);
    cr_assert_eq(pthread_join(u, NULL), 0);
    uint64_t first = wal_first_seq(s.log);
    wal_close(s.log);
    struct wal *l = open_log(segment);
    cr_assert_eq(wal_first_seq(l), first);
    expect_range(l, first, 3000);
    wal_close(l);
}

/* A disk that counts what is written, and writes for which the system needs what a block of the
 * file had: those that end inside of one, or begin there and did not go on from the write before.
 * What a write covers of the one before (zeros behind a record) is not counted again. */
static struct {
    uint64_t bytes, parts;
    struct disk_file *file; /* of the last write */
    uint64_t end;           /* of it */
} written;
static enum err counted_pwrite(struct disk *d, struct disk_file *f, const void *ptr, size_t len,
                               uint64_t offset) {
    (void)d;
    uint64_t end = offset + len, size = 0;
    uint64_t had = f == written.file && offset < written.end ? written.end : offset;
    cr_assert_eq(disk_posix()->size(disk_posix(), f, &size), ERR_OK);
    written.parts += (offset % 4096 != 0 && offset == had) || (end % 4096 != 0 && end != size);
    written.bytes += end > had && had - offset < 4096 ? end - had : len;
    written.file = f;
    written.end = end;
    return disk_posix()->pwrite(disk_posix(), f, ptr, len, offset);
}

/* Appends records of 8 KiB until a segment more is there; what was written meanwhile. */
static uint64_t append_over_rotation(struct wal *l, bool prepares) {
    static uint8_t payload[8192];
    uint32_t first = wal_segment_of(l, wal_last_seq(l) + 1);
    uint64_t before = written.bytes;
    while (wal_segment_of(l, wal_last_seq(l) + 1) == first) {
        cr_assert_eq(wal_append(l, LOG_KV, 0, bytes_of(payload, sizeof payload), NULL), ERR_OK);
        typeof(written) appended = written;
        if (prepares && wal_prepare_due(l))
            wal_prepare(l);
        written = appended;
    }
    cr_assert_eq(written.parts, 0);
    return written.bytes - before;
}

/* Goal: who appends writes its records and one header when the next segment was got ready by steps,
 * all of the zeros when it was not, and none in a log that goes without; always whole blocks, so
 * that the system reads nothing for it. */
Test(wal, prepare) {
    enum { SEGMENT = 4 << 20 };
    for (int unfilled = 0; unfilled < 2; unfilled++) {
        struct disk d = *disk_posix();
        d.pwrite = counted_pwrite;
        struct wal *l = NULL;
        struct wal_options o = {.disk = &d,
                                .dir = log_dir,
                                .prefix = unfilled ? "un" : "wal",
                                .segment_bytes = SEGMENT,
                                .unfilled = unfilled};
        cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
        cr_assert(!wal_prepare_due(l));
        uint64_t records = append_over_rotation(l, true);
        cr_assert_leq(records, SEGMENT + 16384);
        cr_assert_geq(records, SEGMENT - 16384);
        records = append_over_rotation(l, false);
        cr_assert_geq(records, unfilled ? SEGMENT - 16384 : 2 * SEGMENT - 16384);
        cr_assert_leq(records, unfilled ? SEGMENT + 16384 : 2 * SEGMENT + 16384);
        uint64_t last = wal_last_seq(l);
        wal_close(l);
        cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
        cr_assert_eq(wal_last_seq(l), last);
        wal_close(l);
        written.parts = 0; /* what opening writes again it has just read */
    }
}

/* A disk whose sync fails from a point on. */
static int syncs_left;
static enum err failing_sync(struct disk *d, struct disk_file *f) {
    (void)d;
    (void)f;
    return syncs_left-- > 0 ? ERR_OK : ERR_IO;
}

/* Goal: after a failed sync nothing is promised any more. */
Test(wal, failed_sync_is_final) {
    struct disk d = *disk_posix();
    d.sync = failing_sync;
    syncs_left = 3;
    struct wal *l = NULL;
    struct wal_options o = {.disk = &d, .dir = log_dir, .prefix = "wal", .segment_bytes = segment};
    cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
    syncs_left = 1;
    append_range(l, 1, 1, NULL);
    uint64_t synced = 0;
    cr_assert_eq(wal_sync(l, &synced, NULL), ERR_OK);
    append_range(l, 2, 2, NULL);
    struct err_ctx ec = {0};
    cr_assert_eq(wal_sync(l, &synced, &ec), ERR_IO);
    cr_assert_eq(synced, 1);
    cr_assert_eq(wal_synced_seq(l), 1);
    cr_assert_eq(wal_append(l, LOG_KV, 0, bytes_of("x", 1), NULL), ERR_IO);
    syncs_left = 100;
    cr_assert_eq(wal_sync(l, &synced, &ec), ERR_IO);
    wal_close(l);
}

/* A disk that reports a failure once, as a system does, with others waiting to sync: what they are
 * told then is of no worth. */
static _Atomic int good_syncs, late_syncs;
static enum err once_failing_sync(struct disk *d, struct disk_file *f) {
    (void)d;
    (void)f;
    int left = atomic_fetch_sub(&good_syncs, 1);
    if (left > 0)
        return ERR_OK;
    if (left < 0) {
        atomic_fetch_add(&late_syncs, 1);
        return ERR_OK;
    }
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); /* until they wait */
    return ERR_IO;
}
static void *sync_until_failed(void *ctx) {
    struct wal *l = ctx;
    while (wal_sync(l, NULL, NULL) == ERR_OK)
        continue;
    return NULL;
}

/* Goal: when the sync of a full segment fails, no other thread syncs that file once more and takes
 * its records for durable. */
Test(wal, failed_rotation_is_final) {
    enum { ROUNDS = 300, THREADS = 3, FIRST = 2 };
    static uint8_t payload[6000];
    struct disk d = *disk_posix();
    d.sync = once_failing_sync;
    for (int i = 0; i < ROUNDS; i++) {
        char prefix[16];
        (void)snprintf(prefix, sizeof prefix, "r%d", i);
        struct wal *l = NULL;
        struct wal_options o = {
            .disk = &d, .dir = log_dir, .prefix = prefix, .segment_bytes = segment};
        atomic_store(&good_syncs, 100);
        cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
        for (int k = 0; k < FIRST; k++)
            cr_assert_eq(wal_append(l, LOG_KV, 0, bytes_of(payload, sizeof payload), NULL), ERR_OK);
        atomic_store(&good_syncs, 0);
        pthread_t t[THREADS];
        for (int k = 0; k < THREADS; k++)
            cr_assert_eq(pthread_create(&t[k], NULL, sync_until_failed, l), 0);
        enum err e = wal_append(l, LOG_KV, 0, bytes_of(payload, sizeof payload), NULL);
        for (int k = 0; k < THREADS; k++)
            cr_assert_eq(pthread_join(t[k], NULL), 0);
        cr_assert_eq(e, ERR_IO);
        cr_assert_eq(wal_synced_seq(l), 0);
        cr_assert_eq(atomic_load(&late_syncs), 0, "round %d", i);
        wal_close(l);
    }
}

/* A disk under a system's memory: what is written is read back at once, and reaches the disk with a
 * sync. A failing one loses it, yet memory keeps it and knows it as written. One file. */
static struct {
    uint8_t disk[16384]; /* what is there when the power comes back */
    bool dirty[4];       /* blocks of memory */
    bool fails;
    uint64_t bytes; /* written */
} below;
static enum err cached_pwrite(struct disk *d, struct disk_file *f, const void *ptr, size_t len,
                              uint64_t offset) {
    (void)d;
    cr_assert(len > 0 && offset + len <= sizeof below.disk);
    for (uint64_t i = offset / 4096; i <= (offset + len - 1) / 4096; i++)
        below.dirty[i] = true;
    below.bytes += len;
    return disk_posix()->pwrite(disk_posix(), f, ptr, len, offset);
}
static enum err cached_sync(struct disk *d, struct disk_file *f) {
    size_t got;
    (void)d;
    for (size_t i = 0; i < ARRAY_LEN(below.dirty); i++) {
        if (below.dirty[i] && !below.fails)
            cr_assert_eq(
                disk_posix()->pread(disk_posix(), f, below.disk + 4096 * i, 4096, 4096 * i, &got),
                ERR_OK);
        below.dirty[i] = false;
    }
    return below.fails ? ERR_IO : ERR_OK;
}
static void power_fails(void) {
    char path[FIXTURE_PATH_MAX + 32];
    struct disk_file *f;
    (void)snprintf(path, sizeof path, "%s/wal-00000000.seg", log_dir);
    cr_assert_eq(disk_posix()->open(disk_posix(), &f, path, false, NULL), ERR_OK);
    cr_assert_eq(disk_posix()->pwrite(disk_posix(), f, below.disk, sizeof below.disk, 0), ERR_OK);
    disk_posix()->close(disk_posix(), f);
}

/* Goal: what a restart finds after a failed sync, and counts as durable from then on, is on the
 * disk; and no more is written for it than what nothing proves to have been there. */
Test(wal, what_counts_after_a_failed_sync_is_durable) {
    enum { SYNCED = 8, N = 20 };
    static struct log_pos pos[N + 1];
    struct disk d = *disk_posix();
    d.pwrite = cached_pwrite;
    d.sync = cached_sync;
    struct wal *l = NULL;
    struct wal_options o = {.disk = &d, .dir = log_dir, .prefix = "wal", .segment_bytes = segment};
    cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
    append_range(l, 1, SYNCED, pos);
    cr_assert_eq(wal_sync(l, NULL, NULL), ERR_OK);
    append_range(l, SYNCED + 1, N, pos);
    below.fails = true;
    cr_assert_eq(wal_sync(l, NULL, NULL), ERR_IO);
    uint32_t end = l->end;
    wal_close(l);
    cr_assert_eq(pos[N].segment, 0);
    cr_assert_gt(pos[N].offset, pos[SYNCED].offset + 4096);

    below.fails = false;
    below.bytes = 0;
    cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
    cr_assert_eq(wal_synced_seq(l), N);
    wal_close(l);
    power_fails();
    l = open_log(segment);
    expect_range(l, 1, N);
    wal_close(l);
    cr_assert_eq(below.bytes, end - pos[SYNCED + 1].offset);
}
