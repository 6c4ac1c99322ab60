/* Archives: what four majors of pg_dump wrote, and what a test makes up, pressed by every engine,
 * holds the same tables and large objects; its places lead to their blocks; and what is no archive
 * is refused with its place. */
#include "support.h"

#include "../support/archive_reader.h"
#include "../support/archive_writer.h"
#include "io/archive_line.h"

#include <stdio.h>

/* --- pressing --- */

struct job {
    const char *data;
    size_t length, at;
    size_t cut;         /* bytes that are given at once; 0: all that there is room for */
    const pgo_err *bad; /* the input ends with this */
    pgo_buffer out;
    bool slow, leaves; /* the reader takes little at a time; goes away after some bytes */
    int ended, status;
    pgo_err err, seen; /* the op's; the output's */
    pgo_archive_head head;
    struct pgo_archive_counts counts;
    uv_timer_t timer;
    pgo_stream *from, *to;
};

static void give(pgo_stream *stream, void *arg) {
    struct job *job = arg;
    while (job->at < job->length) {
        size_t some = job->length - job->at;
        some = job->cut != 0 && some > job->cut ? job->cut : some;
        some = pgo_stream_write(stream, job->data + job->at, some);
        job->at += some;
        if (some == 0) {
            return;
        }
        if (job->cut != 0) {
            pgo_stream_on_room(stream, give, job); /* the rest on another turn */
            return;
        }
    }
    pgo_stream_end(stream, job->bad);
}

static size_t take(struct job *job, size_t most) {
    const pgo_err *err = NULL;
    const char *data;
    size_t length, taken = 0;
    while (taken < most && (data = pgo_stream_peek(job->to, &length)) != NULL) {
        length = length < most - taken ? length : most - taken;
        put_bytes(&job->out, data, length);
        pgo_stream_consume(job->to, length);
        taken += length;
    }
    if (job->leaves && job->out.length > 0) {
        pgo_stream_close(job->to);
        pgo_stream_on_data(job->to, NULL, NULL);
    } else if (pgo_stream_ended(job->to, &err)) {
        job->ended++;
        if (err != NULL) {
            pgo_err_copy(&job->seen, err);
        }
        pgo_stream_on_data(job->to, NULL, NULL);
    }
    return taken;
}

static void take_all(pgo_stream *stream, void *arg) {
    (void)stream;
    take(arg, SIZE_MAX);
}

static void take_little(uv_timer_t *timer) {
    struct job *job = timer->data;
    take(job, 4096);
    if (job->ended > 0) {
        uv_timer_stop(timer);
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void done(pgo_op *op, void *arg) {
    struct job *job = arg;
    job->status = op->status;
    job->counts = ((pgo_archive *)op)->counts;
    pgo_err_copy(&job->err, &op->err);
}

static void read_output(pgo_loop *loop, struct job *job) {
    if (job->slow) {
        uv_timer_init(&loop->uv, &job->timer);
        job->timer.data = job;
        uv_timer_start(&job->timer, take_little, 1, 1);
    } else {
        pgo_stream_on_data(job->to, take_all, job);
    }
}

static void press(pgo_loop *loop, struct job *job, const char *engine, int level) {
    pgo_archive_plan plan;
    pgo_archive archive;
    pgo_crew *crew = NULL;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_crew_new(&crew, loop, 2, &err), 0);
    assert_int_equal(pgo_archive_plan_init(&plan, engine, level, 2, &err), 0);
    job->from = pgo_stream_new(loop, 0);
    job->to = pgo_stream_new(loop, 0);
    assert_int_equal(
        pgo_archive_init(&archive, loop, crew, &plan, &job->head, job->from, job->to, false, &err),
        0);
    pgo_stream_on_room(job->from, give, job);
    read_output(loop, job);
    job->status = 1;
    pgo_op_start(&archive.op, done, job);
    pgo_loop_run(loop);
    assert_int_not_equal(job->status, 1);
    pgo_op_release(&archive.op);
    pgo_crew_free(crew);
    pgo_stream_unref(job->from);
    pgo_stream_unref(job->to);
    pgo_loop_run(loop);
}

static void clear(struct job *job) {
    pgo_buffer_free(&job->out);
    pgo_archive_head_free(&job->head);
    pgo_err_clear(&job->err);
    pgo_err_clear(&job->seen);
    *job = (struct job){0};
}

/* --- what must hold of a pressed archive --- */

static long long place_of(const char *flag) {
    long long place = 0;
    for (int i = 8; i > 0; i--) {
        place = place << 8 | (unsigned char)flag[i];
    }
    return place;
}

/* The head with places leads to the blocks, and is otherwise the head that was written first. */
static void check_places(const struct job *job, const struct archive *made) {
    const pgo_buffer *raw = &job->head.raw;
    assert_int_equal(raw->length, made->head);
    char *plain = malloc(raw->length);
    memcpy(plain, raw->data, raw->length);
    for (size_t i = 0; i < made->entry_count; i++) {
        const struct toc_entry *entry = &made->entries[i];
        const char *flag = raw->data + entry->flag_at;
        assert_int_equal(*flag, entry->block_at > 0 ? 2 : 3);
        assert_int_equal(place_of(flag), entry->block_at);
        memcpy(plain + entry->flag_at, job->out.data + entry->flag_at, 9);
    }
    assert_memory_equal(plain, job->out.data, raw->length);
    free(plain);
}

/* Byte by byte the head that came in, but for the compression. */
static void check_head(const char *data, const struct archive *given, const struct job *job) {
    static const char gzip_14[] = {1, 1, 0, 0, 0}, gzip_15[] = {1};
    size_t size = given->minor < 15 ? sizeof gzip_14 : sizeof gzip_15;
    assert_memory_equal(job->out.data, data, 11);
    assert_memory_equal(job->out.data + 11, given->minor < 15 ? gzip_14 : gzip_15, size);
    assert_memory_equal(job->out.data + 11 + size, data + 11 + size, given->head - 11 - size);
}

static void check_pressed(const char *data, size_t length, struct job *job) {
    struct archive given, made;
    if (job->status < 0) {
        fail_msg("%s", job->err.message);
    }
    assert_int_equal(job->ended, 1);
    assert_int_equal(job->seen.code, 0);
    assert_int_equal(job->counts.bytes, job->out.length);
    assert_int_equal(job->counts.raw, length);
    assert_true(read_archive(data, length, &given));
    assert_true(read_archive(job->out.data, job->out.length, &made));
    assert_true(made.gzip);
    assert_true(same_runs(&given, &made));
    check_head(data, &given, job);
    check_places(job, &made);
    free_archive(&given);
    free_archive(&made);
}

static void press_and_check(pgo_loop *loop, const pgo_buffer *data, const char *engine, int level,
                            size_t cut) {
    struct job job = {.data = data->data, .length = data->length, .cut = cut};
    press(loop, &job, engine, level);
    check_pressed(data->data, data->length, &job);
    clear(&job);
}

static const struct {
    const char *engine;
    int level;
    enum pgo_deflate_engine number;
} engines[] = {{"isal", 1, PGO_DEFLATE_ISAL},          {"isal", 2, PGO_DEFLATE_ISAL},
               {"isal", 3, PGO_DEFLATE_ISAL},          {"deflate", 1, PGO_DEFLATE_LIBDEFLATE},
               {"deflate", 6, PGO_DEFLATE_LIBDEFLATE}, {"deflate", 12, PGO_DEFLATE_LIBDEFLATE},
               {"zlib", 1, PGO_DEFLATE_ZLIB},          {"zlib", 6, PGO_DEFLATE_ZLIB},
               {"auto", 0, PGO_DEFLATE_ZLIB}};

static void press_by_all(pgo_loop *loop, const pgo_buffer *data) {
    int lowest, highest;
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        if (pgo_deflate_has(engines[i].number, &lowest, &highest)) {
            press_and_check(loop, data, engines[i].engine, engines[i].level, 0);
        }
    }
}

/* --- what pg_dump wrote --- */

static pgo_buffer read_file(const char *name) {
    pgo_buffer text = {0};
    char path[200], piece[65536];
    snprintf(path, sizeof path, "tests/fixtures/archives/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) {
        put_bytes(&text, piece, got);
    }
    fclose(file);
    return text;
}

static const char *const dumps[] = {"s15-z0.dump", "s16-z0.dump", "s17-z0.dump", "s18-z0.dump",
                                    "s17-many-lo-z0.dump"};

static void what_pg_dump_wrote_holds_the_same_afterwards(void **state) {
    for (size_t i = 0; i < sizeof dumps / sizeof *dumps; i++) {
        pgo_buffer data = read_file(dumps[i]);
        press_by_all(*state, &data);
        pgo_buffer_free(&data);
    }
}

static void it_does_not_matter_where_the_input_is_cut(void **state) {
    pgo_buffer data = read_file("s17-z0.dump");
    press_and_check(*state, &data, "auto", 0, 1);
    press_and_check(*state, &data, "auto", 0, 4099);
    pgo_buffer_free(&data);
}

/* pg_dump's own head with places is ours, but for where they lead. */
static void places_are_written_as_pg_dump_writes_them(void **state) {
    const char *heads[] = {"s15-offsets.head", "s16-offsets.head", "s17-offsets.head",
                           "s18-offsets.head"};
    for (size_t i = 0; i < 4; i++) {
        pgo_buffer data = read_file(dumps[i]), theirs = read_file(heads[i]);
        struct job job = {.data = data.data, .length = data.length};
        struct archive given;
        press(*state, &job, "auto", 0);
        assert_true(read_archive(data.data, data.length, &given));
        assert_int_equal(job.head.raw.length, theirs.length);
        size_t compression = given.minor < 15 ? 5 : 1;
        memcpy(theirs.data + 11, job.head.raw.data + 11, compression);
        for (size_t k = 0; k < given.entry_count; k++) { /* the flag counts, the place is ours */
            memcpy(theirs.data + given.entries[k].flag_at + 1,
                   job.head.raw.data + given.entries[k].flag_at + 1, 8);
        }
        assert_memory_equal(job.head.raw.data, theirs.data, theirs.length);
        free_archive(&given);
        pgo_buffer_free(&data);
        pgo_buffer_free(&theirs);
        clear(&job);
    }
}

/* --- what a test makes up --- */

static unsigned seed;

static unsigned next_random(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* A row: random bytes, or words. */
static void put_row(pgo_buffer *out, size_t length, bool random) {
    char *row = malloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        row[i] = random ? (char)next_random() : "the same words again and again\n"[i % 31];
    }
    put_chunk(out, row, length);
    free(row);
}

/* Tables that are empty, that end where a piece ends, that go over several, of data that cannot be
 * made smaller; then large objects. */
static pgo_buffer make_archive(void) {
    const size_t p = PGO_ARCHIVE_PIECE;
    const size_t rows[][4] = {{0},           {1},         {p},         {p - 1, 1, 1},  {p, p, p},
                              {p - 3, 3},    {3 * p + 7}, {100, 2000}, {p / 2, p / 2}, {7, p, 9},
                              {p + 1, p - 1}};
    const int tables = sizeof rows / sizeof *rows;
    pgo_buffer out = {0};
    put_header(&out, 2 * tables + 3);
    for (int i = 0; i < 2 * tables; i++) {
        put_entry(&out, 10 + i, "TABLE DATA", true);
    }
    put_entry(&out, 1000, "TABLE", false);
    put_entry(&out, 1001, "BLOBS", true);
    put_entry(&out, 1002, "BLOBS", true);
    for (int i = 0; i < 2 * tables; i++) {
        put_block(&out, 1, 10 + i);
        for (int k = 0; k < 4 && rows[i / 2][k] > 0; k++) {
            put_row(&out, rows[i / 2][k], i % 2 == 0);
        }
        put_int(&out, 0);
    }
    put_block(&out, 3, 1001);
    for (int i = 1; i <= 9000; i++) { /* more than the steps of a piece */
        put_int(&out, i == 5 ? -2147483647L : i);
        if (i % 3 > 0) {
            put_row(&out, 1 + (size_t)(i % 50), i % 2 == 0);
            put_row(&out, 1 + (size_t)(i % 7), i % 2 == 0);
        }
        put_int(&out, 0);
    }
    put_int(&out, 0);
    put_block(&out, 3, 1002);
    put_int(&out, 0);
    return out;
}

static void tables_go_over_pieces_and_many_are_in_one(void **state) {
    pgo_buffer data = make_archive();
    press_by_all(*state, &data);
    press_and_check(*state, &data, "auto", 0, 65537);
    pgo_buffer_free(&data);
}

static pgo_buffer make_large(size_t size) {
    pgo_buffer out = {0};
    put_header(&out, 1);
    put_entry(&out, 10, "TABLE DATA", true);
    put_block(&out, 1, 10);
    for (size_t i = 0; i < size; i += 1000) {
        put_row(&out, 1000, true);
    }
    put_int(&out, 0);
    return out;
}

/* A reader that takes 4 KiB a millisecond leaves the crew much time; one that takes all leaves it
 * none, but for what a busy machine may add. */
static void auto_goes_by_the_speed_of_the_way_out(void **state) {
    pgo_archive_plan plan;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_archive_plan_init(&plan, "auto", 0, 2, &err), 0);
    enum pgo_deflate_engine quick = plan.choices[PGO_ARCHIVE_QUICK].engine;
    enum pgo_deflate_engine small = plan.choices[PGO_ARCHIVE_SMALL].engine;
    if (quick == small) {
        skip(); /* this build has one engine alone */
    }
    pgo_buffer data = make_large(24 * PGO_ARCHIVE_PIECE);
    struct job job = {.data = data.data, .length = data.length, .slow = true};
    press(*state, &job, "auto", 0);
    check_pressed(data.data, data.length, &job);
    assert_true(job.counts.pieces[small] >= 12);
    assert_true(job.counts.pieces[quick] >= 1); /* the first */
    clear(&job);
    job = (struct job){.data = data.data, .length = data.length};
    press(*state, &job, "auto", 0);
    assert_true(job.counts.pieces[small] < 12);
    clear(&job);
    pgo_buffer_free(&data);
}

static void saved_time_is_spent_on_smaller_pieces(void **state) {
    const uint64_t ms = 1000000;
    pgo_archive_pace pace = {0};
    (void)state;
    pgo_archive_pace_learn(&pace, PGO_ARCHIVE_QUICK, 2 * ms);
    pgo_archive_pace_learn(&pace, PGO_ARCHIVE_SMALL, 7 * ms);
    pgo_archive_pace_learn(&pace, PGO_ARCHIVE_SMALLER, 12 * ms);
    pgo_archive_pace_look(&pace, false, 2, 1000 * ms);
    pgo_archive_pace_look(&pace, true, 2, 5000 * ms);
    assert_int_equal(pgo_archive_pace_choose(&pace, false),
                     PGO_ARCHIVE_QUICK);               /* it only begins to stand */
    pgo_archive_pace_look(&pace, false, 2, 5008 * ms); /* 16 ms of two threads */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pgo_archive_pace_choose(&pace, false), PGO_ARCHIVE_SMALL); /* 5 ms each */
    }
    assert_int_equal(pgo_archive_pace_choose(&pace, false), PGO_ARCHIVE_QUICK);
    assert_int_equal(pgo_archive_pace_choose(&pace, true), PGO_ARCHIVE_SMALL);
    pgo_archive_pace_look(&pace, true, 2, 6000 * ms);
    pgo_archive_pace_look(&pace, false, 2, 96000 * ms);
    assert_int_equal(pace.saved, PGO_ARCHIVE_SAVED_MOST);
    assert_int_equal(pgo_archive_pace_choose(&pace, false), PGO_ARCHIVE_SMALLER);
}

/* --- what is refused, and ends --- */

static void expect_refusal(pgo_loop *loop, const pgo_buffer *data, size_t length,
                           const char *words) {
    struct job job = {.data = data->data, .length = length};
    press(loop, &job, "zlib", 1);
    assert_int_equal(job.status, PGO_E_ARCHIVE);
    assert_int_equal(job.err.code, PGO_E_ARCHIVE);
    assert_false(job.err.retryable);
    assert_int_equal(job.ended, 1);
    assert_int_equal(job.seen.code, PGO_E_ARCHIVE);
    if (words != NULL) {
        assert_string_equal(job.err.message, words);
    }
    clear(&job);
}

static pgo_buffer make_small(char type, int id, const void *rest, size_t length) {
    pgo_buffer out = {0};
    put_header(&out, 3);
    put_entry(&out, 10, "TABLE", false);
    put_entry(&out, 11, "TABLE DATA", true);
    put_entry(&out, 12, "BLOBS", true);
    put_block(&out, 1, 11);
    put_chunk(&out, "row\n", 4);
    put_chunk(&out, "\\.\n\n\n", 5);
    put_int(&out, 0);
    put_block(&out, type, id);
    put_bytes(&out, rest, length);
    return out;
}

static const char objects[] = "\0\x2a\0\0\0"
                              "\0\3\0\0\0abc"
                              "\0\0\0\0\0"
                              "\0\0\0\0\0";

static void an_archive_that_ends_early_is_refused_wherever_it_does(void **state) {
    pgo_buffer data = make_small(3, 12, objects, sizeof objects - 1);
    press_and_check(*state, &data, "auto", 0, 0);
    for (size_t length = 0; length < data.length; length++) {
        expect_refusal(*state, &data, length, NULL);
    }
    pgo_buffer_free(&data);
}

static void garbage_is_refused_with_its_place(void **state) {
    static const struct {
        char type;
        int id;
        const char *rest;
        size_t length;
        const char *words;
    } cases[] = {
        {2, 12, "", 0, "at byte 472: there should be a block of data, but there is 2"},
        {3, 13, "", 0, "at byte 473: the data of an entry that the table of contents has not"},
        {1, 10, "", 0, "at byte 473: the data of an entry that has no data"},
        {1, 11, "", 0, "at byte 473: the data of an entry that has come before"},
        {1, 12, "\1\1\0\0\0", 5, "at byte 478: there should be the length of a chunk"},
        {1, 12, "\0\1\0\0\x40", 5, "at byte 478: there should be the length of a chunk"},
        {3, 12, "\2\1\0\0\0", 5, "at byte 478: there should be a large object's oid"},
        {3, 12, "\1\0\0\0\0", 5, "at byte 478: there should be a large object's oid"},
        {1, 12, "\0\0\0\0\0x", 6, "at byte 483: there should be a block of data, but there is 120"},
        {1, 12, "\0\2\0\0\0x", 6, "at byte 484: the archive ends in the middle of its data"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pgo_buffer data = make_small(cases[i].type, cases[i].id, cases[i].rest, cases[i].length);
        expect_refusal(*state, &data, data.length, cases[i].words);
        pgo_buffer_free(&data);
    }
    pgo_buffer data = make_small(1, 12, "", 0);
    expect_refusal(*state, &data, 472,
                   "at byte 472: the archive ends without the data of entry 12");
    pgo_buffer_free(&data);
}

static void a_compressed_archive_is_not_compressed_again(void **state) {
    pgo_buffer data = read_file("s17-zstd.head");
    expect_refusal(
        *state, &data, data.length,
        "at byte 11: the archive is compressed already; pg_dump -Fc -Z0 makes one that is not");
    pgo_buffer_free(&data);
}

static void a_bad_end_is_passed_on(void **state) {
    pgo_buffer data = make_large(4 * PGO_ARCHIVE_PIECE);
    pgo_err bad = PGO_ERR_INIT;
    pgo_fail(&bad, PGO_E_DUMP, "pg_dump ended with status 1");
    struct job job = {.data = data.data, .length = data.length - 5, .bad = &bad};
    press(*state, &job, "auto", 0);
    assert_int_equal(job.status, PGO_E_DUMP);
    assert_int_equal(job.seen.code, PGO_E_DUMP);
    assert_string_equal(job.err.message, "pg_dump ended with status 1");
    pgo_err_clear(&bad);
    clear(&job);
    pgo_buffer_free(&data);
}

static void a_reader_that_leaves_ends_it(void **state) {
    pgo_buffer data = make_large(20 * PGO_ARCHIVE_PIECE);
    struct job job = {.data = data.data, .length = data.length, .leaves = true};
    press(*state, &job, "auto", 0);
    assert_int_equal(job.status, PGO_E_CLOSED);
    clear(&job);
    pgo_buffer_free(&data);
}

static unsigned pieces_of(pgo_loop *loop, pgo_crew *crew, unsigned threads) {
    struct job job = {0};
    pgo_archive_plan plan;
    pgo_archive archive;
    pgo_err err = PGO_ERR_INIT;
    unsigned count = 0;
    assert_int_equal(pgo_archive_plan_init(&plan, NULL, 0, threads, &err), 0);
    job.from = pgo_stream_new(loop, 0);
    job.to = pgo_stream_new(loop, 0);
    assert_int_equal(
        pgo_archive_init(&archive, loop, crew, &plan, &job.head, job.from, job.to, false, &err), 0);
    for (const struct pgo_archive_task *each = archive.spare; each != NULL; each = each->next) {
        count++;
    }
    pgo_op_release(&archive.op);
    pgo_stream_unref(job.from);
    pgo_stream_unref(job.to);
    return count;
}

static void memory_does_not_grow_with_all_cores(void **state) {
    pgo_crew *crew = NULL;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_crew_new(&crew, *state, 1, &err), 0);
    assert_int_equal(pieces_of(*state, crew, 2), 8);
    assert_int_equal(pieces_of(*state, crew, 18), 40);
    assert_int_equal(pieces_of(*state, crew, 256), 40);
    pgo_crew_free(crew);
}

static void cancel_soon(uv_timer_t *timer) {
    pgo_op_cancel(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

/* Pieces are on the crew then: the op ends when they have come back. */
static void it_can_be_cancelled(void **state) {
    pgo_loop *loop = *state;
    pgo_buffer data = make_large(20 * PGO_ARCHIVE_PIECE);
    struct job job = {.data = data.data, .length = data.length};
    pgo_archive_plan plan;
    pgo_archive archive;
    pgo_crew *crew = NULL;
    pgo_err err = PGO_ERR_INIT;
    uv_timer_t timer;
    assert_int_equal(pgo_crew_new(&crew, loop, 1, &err), 0);
    assert_int_equal(pgo_archive_plan_init(&plan, "zlib", 9, 0, &err), 0);
    job.from = pgo_stream_new(loop, 0);
    job.to = pgo_stream_new(loop, 0); /* nobody reads it: it would wait for ever */
    assert_int_equal(
        pgo_archive_init(&archive, loop, crew, &plan, &job.head, job.from, job.to, false, &err), 0);
    pgo_stream_on_room(job.from, give, &job);
    pgo_op_start(&archive.op, done, &job);
    uv_timer_init(&loop->uv, &timer);
    timer.data = &archive.op;
    uv_timer_start(&timer, cancel_soon, 5, 0);
    pgo_loop_run(loop);
    assert_int_equal(job.status, PGO_E_CANCELED);
    assert_true(pgo_stream_closed(job.from));
    pgo_op_release(&archive.op);
    pgo_crew_free(crew);
    pgo_stream_unref(job.from);
    pgo_stream_unref(job.to);
    clear(&job);
    pgo_buffer_free(&data);
}

static void engines_and_levels_that_are_not_there_are_refused(void **state) {
    pgo_archive_plan plan;
    pgo_err err = PGO_ERR_INIT;
    (void)state;
    assert_int_equal(pgo_archive_plan_init(&plan, "brotli", 0, 0, &err), PGO_E_INVALID);
    assert_int_equal(pgo_archive_plan_init(&plan, "zlib", 10, 0, &err), PGO_E_INVALID);
    assert_string_equal(err.message, "engine zlib has levels 1 to 9, not 10");
    assert_int_equal(pgo_archive_plan_init(&plan, "auto", 3, 0, &err), PGO_E_INVALID);
    pgo_err_clear(&err);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_loop, teardown_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_pg_dump_wrote_holds_the_same_afterwards),
        TEST(it_does_not_matter_where_the_input_is_cut),
        TEST(places_are_written_as_pg_dump_writes_them),
        TEST(tables_go_over_pieces_and_many_are_in_one),
        TEST(auto_goes_by_the_speed_of_the_way_out),
        TEST(saved_time_is_spent_on_smaller_pieces),
        TEST(an_archive_that_ends_early_is_refused_wherever_it_does),
        TEST(garbage_is_refused_with_its_place),
        TEST(a_compressed_archive_is_not_compressed_again),
        TEST(a_bad_end_is_passed_on),
        TEST(a_reader_that_leaves_ends_it),
        TEST(memory_does_not_grow_with_all_cores),
        TEST(it_can_be_cancelled),
        TEST(engines_and_levels_that_are_not_there_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
