/* A line from standard input: what comes after it stays there, and the descriptor is given back as
 * it was. */
#include "support.h"

#include "io/tty.h"

#include <fcntl.h>
#include <unistd.h>

static void count(pgo_op *op, void *arg) {
    (void)op;
    ++*(int *)arg;
}

static void a_pipe_is_read_by_lines_and_left_as_it_was(void **state) {
    int ends[2], done = 0, own = dup(STDIN_FILENO);
    char rest[16];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(write(ends[1], "yes\nmore", 8), 8);
    int before = fcntl(STDIN_FILENO, F_GETFL);
    pgo_tty_line line;
    pgo_tty_line_init(&line, *state, NULL, NULL);
    pgo_op_start(&line.op, count, &done);
    pgo_loop_run(*state);
    assert_int_equal(done, 1);
    assert_string_equal(line.text.data, "yes");
    pgo_op_release(&line.op);
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL), before);
    assert_int_equal(read(STDIN_FILENO, rest, sizeof rest), 4);
    if (own >= 0) {
        dup2(own, STDIN_FILENO);
        close(own);
    }
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pipe_is_read_by_lines_and_left_as_it_was, setup_loop,
                                        teardown_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
