/* Streams: order, bounds, back-pressure, the end, a consumer that leaves; and the crew's threads.
 */
#include "support.h"

#include "core/crew.h"
#include "core/stream.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 1000, TOTAL = 100003 };

typedef struct {
    size_t sent, received;
    int ends;
    const pgo_err *err;
} traffic;

static unsigned char byte_at(size_t position) {
    return (unsigned char)(position * 31 + position / 251);
}

static void produce(pgo_stream *stream, void *arg) {
    traffic *t = arg;
    while (t->sent < TOTAL) {
        char piece[77];
        size_t length = TOTAL - t->sent < sizeof piece ? TOTAL - t->sent : sizeof piece;
        for (size_t i = 0; i < length; i++) {
            piece[i] = (char)byte_at(t->sent + i);
        }
        size_t taken = pgo_stream_write(stream, piece, length);
        t->sent += taken;
        if (taken < length) {
            return;
        }
    }
    pgo_stream_end(stream, NULL);
}

static void consume(pgo_stream *stream, void *arg) {
    traffic *t = arg;
    size_t length;
    const char *data;
    while ((data = pgo_stream_peek(stream, &length)) != NULL) {
        assert_true(length <= CAPACITY);
        size_t some = length > 13 ? length - 7 : length;
        for (size_t i = 0; i < some; i++) {
            assert_int_equal((unsigned char)data[i], byte_at(t->received + i));
        }
        t->received += some;
        pgo_stream_consume(stream, some);
    }
    if (pgo_stream_ended(stream, &t->err)) {
        t->ends++;
        pgo_stream_on_data(stream, NULL, NULL);
    }
}

static void bytes_arrive_once_in_order_and_within_bounds(void **state) {
    traffic t = {0};
    pgo_stream *stream = pgo_stream_new(*state, CAPACITY);
    pgo_stream_on_room(stream, produce, &t);
    pgo_stream_on_data(stream, consume, &t);
    pgo_loop_run(*state);
    assert_int_equal(t.received, TOTAL);
    assert_int_equal(t.ends, 1);
    assert_null(t.err);
    assert_int_equal(pgo_stream_total(stream), TOTAL);
    pgo_stream_unref(stream);
}

static void an_error_comes_after_the_last_byte(void **state) {
    traffic t = {0};
    pgo_err err = PGO_ERR_INIT;
    pgo_stream *stream = pgo_stream_new(*state, CAPACITY);
    pgo_fail(&err, PGO_E_NET, "reset");
    char first = (char)byte_at(0);
    assert_int_equal(pgo_stream_write(stream, &first, 1), 1);
    pgo_stream_end(stream, &err);
    pgo_err_clear(&err);
    pgo_stream_on_data(stream, consume, &t);
    pgo_loop_run(*state);
    assert_int_equal(t.received, 1);
    assert_non_null(t.err);
    assert_int_equal(t.err->code, PGO_E_NET);
    pgo_stream_unref(stream);
}

static void note_room(pgo_stream *stream, void *arg) {
    *(bool *)arg = pgo_stream_closed(stream);
}

static void a_producer_learns_that_nobody_reads(void **state) {
    bool closed = false;
    char full[CAPACITY] = {0};
    pgo_stream *stream = pgo_stream_new(*state, CAPACITY);
    assert_int_equal(pgo_stream_write(stream, full, sizeof full), sizeof full);
    pgo_stream_on_room(stream, note_room, &closed);
    pgo_loop_run(*state);
    assert_false(closed); /* full: not called */
    pgo_stream_close(stream);
    pgo_loop_run(*state);
    assert_true(closed);
    assert_int_equal(pgo_stream_write(stream, full, 1), 0);
    pgo_stream_unref(stream);
}

typedef struct {
    pgo_work work;
    uint64_t input, output;
    bool handed_back;
} sum;

static void add_up(pgo_work *work) {
    sum *s = work->arg;
    for (uint64_t i = 1; i <= s->input; i++) {
        s->output += i;
    }
}

static void take_back(pgo_work *work) {
    ((sum *)work->arg)->handed_back = true;
}

static void a_crew_does_all_its_work(void **state) {
    enum { PIECES = 50 };
    sum *sums = calloc(PIECES, sizeof *sums);
    pgo_crew *crew;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_crew_new(&crew, *state, 3, &err), 0);
    for (int i = 0; i < PIECES; i++) {
        sums[i].work = (pgo_work){.work = add_up, .done = take_back, .arg = &sums[i]};
        sums[i].input = 1000 + (uint64_t)i;
        pgo_crew_submit(crew, &sums[i].work);
    }
    pgo_loop_run(*state); /* ends by itself once all is handed back */
    for (int i = 0; i < PIECES; i++) {
        assert_true(sums[i].handed_back);
        assert_int_equal(sums[i].output, sums[i].input * (sums[i].input + 1) / 2);
    }
    pgo_crew_free(crew);
    free(sums);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_arrive_once_in_order_and_within_bounds, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(an_error_comes_after_the_last_byte, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(a_producer_learns_that_nobody_reads, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(a_crew_does_all_its_work, setup_loop, teardown_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
