/* Files on the pool: a link is not followed out of a tree, a failed write leaves nothing behind,
 * and an op that is cancelled while it waits gives everything back. */
#include "support.h"

#include "io/file.h"
#include "io/file_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note_done(pgo_op *op, void *arg) {
    (void)op;
    *(bool *)arg = true;
}

/* Runs it to its end; returns its status. */
static int finish(pgo_loop *loop, pgo_op *op) {
    bool done = false;
    pgo_op_start(op, note_done, &done);
    pgo_loop_run_until(loop, &done);
    assert_true(done);
    return op->status;
}

static char *temporary(pgo_loop *loop) {
    pgo_file file = {0};
    pgo_file_mkdtemp(&file, loop, "/tmp/pgorch-test-");
    assert_int_equal(finish(loop, &file.op), 0);
    char *path = strdup(file.data.data);
    pgo_op_release(&file.op);
    return path;
}

static void remove_tree(pgo_loop *loop, const char *path) {
    pgo_file file = {0};
    pgo_file_remove_tree(&file, loop, path);
    assert_int_equal(finish(loop, &file.op), 0);
    pgo_op_release(&file.op);
}

static void in(const char *folder, const char *name, char path[static 256]) {
    snprintf(path, 256, "%s/%s", folder, name);
}

static void removing_a_tree_leaves_what_links_point_to(void **state) {
    pgo_loop *loop = *state;
    char *keep = temporary(loop), *gone = temporary(loop), path[256];
    in(keep, "file", path);
    assert_int_equal(mkdir(path, 0700), 0);
    in(gone, "link", path);
    assert_int_equal(symlink(keep, path), 0);
    remove_tree(loop, gone);
    assert_int_not_equal(access(gone, F_OK), 0);
    in(keep, "file", path);
    assert_int_equal(access(path, F_OK), 0);
    in(keep, "link", path);
    assert_int_equal(symlink("/tmp", path), 0);
    remove_tree(loop, path); /* the link itself */
    assert_int_equal(access("/tmp", F_OK), 0);
    remove_tree(loop, keep);
    free(keep);
    free(gone);
}

static void a_failed_write_leaves_no_temporary_file(void **state) {
    pgo_loop *loop = *state;
    char *folder = temporary(loop), path[256];
    in(folder, "taken", path);
    assert_int_equal(mkdir(path, 0700), 0);
    pgo_file file = {0};
    pgo_file_write(&file, loop, path, "x", 1, 0600, true);
    assert_int_equal(finish(loop, &file.op), PGO_E_IO);
    assert_non_null(strstr(file.op.err.message, path));
    pgo_op_release(&file.op);
    file = (pgo_file){0};
    pgo_file_list(&file, loop, folder);
    assert_int_equal(finish(loop, &file.op), 0);
    assert_int_equal(file.count, 1);
    assert_string_equal(file.names[0], "taken");
    pgo_op_release(&file.op);
    remove_tree(loop, folder);
    free(folder);
}

static void an_op_may_be_cancelled_at_any_point(void **state) {
    pgo_loop *loop = *state;
    bool done = false;
    pgo_file file = {0};
    pgo_file_read(&file, loop, "/etc/passwd", 1 << 20);
    pgo_op_start(&file.op, note_done, &done);
    pgo_op_cancel(&file.op);
    pgo_loop_run_until(loop, &done);
    assert_true(file.op.status == 0 || file.op.status == PGO_E_CANCELED);
    pgo_op_release(&file.op);
}

static void a_cancelled_sink_stops_its_producer(void **state) {
    pgo_loop *loop = *state;
    pgo_stream *stream = pgo_stream_new(loop, 0);
    pgo_sink_options options = {.create = true, .mode = 0600};
    pgo_sink sink = {0};
    bool done = false;
    pgo_sink_init(&sink, loop, stream, "/dev/null", &options);
    pgo_op_start(&sink.op, note_done, &done);
    uv_run(&loop->uv, UV_RUN_ONCE);
    pgo_op_cancel(&sink.op);
    pgo_loop_run_until(loop, &done);
    assert_int_equal(sink.op.status, PGO_E_CANCELED);
    assert_true(pgo_stream_closed(stream));
    pgo_op_release(&sink.op);
    pgo_stream_unref(stream);
}

static void sources_that_nobody_reads_are_ended(void **state) {
    pgo_loop *loop = *state;
    pgo_sources set = {0};
    for (int turns = 0; turns < 4; turns++) {
        pgo_file file = {0};
        pgo_stream *stream = NULL;
        pgo_file_open(&file, loop, "/etc/passwd");
        assert_int_equal(finish(loop, &file.op), 0);
        assert_int_equal(pgo_source_start(&set, loop, file.fd, file.path, 0, -1, &stream, NULL), 0);
        file.fd = -1;
        pgo_op_release(&file.op);
        for (int i = 0; i < turns; i++) {
            uv_run(&loop->uv, UV_RUN_NOWAIT);
        }
        pgo_sources_end(&set);
        pgo_stream_unref(stream);
        assert_null(set.first);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(removing_a_tree_leaves_what_links_point_to, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_no_temporary_file, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(an_op_may_be_cancelled_at_any_point, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(a_cancelled_sink_stops_its_producer, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(sources_that_nobody_reads_are_ended, setup_loop,
                                        teardown_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
