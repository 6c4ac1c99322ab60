/* Processes: what comes out, how they end, and that nothing is left behind. */
#include "io/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    pgo_loop loop;
    pgo_env env;
    pgo_process *process;
    pgo_process_wait wait;
    bool done;
};

static int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    signal(SIGPIPE, SIG_IGN);
    *state = w;
    return pgo_loop_init(&w->loop, NULL) || pgo_env_inherit(&w->env, NULL);
}

/* Every test ends with the loop proved empty. */
static int teardown(void **state) {
    struct world *w = *state;
    pgo_process_unref(w->process);
    pgo_env_wipe(&w->env);
    pgo_loop_run(&w->loop);
    int left = pgo_loop_close(&w->loop, stderr);
    free(w);
    return left;
}

static void on_done(pgo_op *op, void *arg) {
    (void)op;
    ((struct world *)arg)->done = true;
}

static const char *const *shell(const char *script) {
    static const char *argv[4];
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    return argv;
}

static pgo_process_options captured(struct world *w, const char *script) {
    return (pgo_process_options){
        .argv = shell(script),
        .env = &w->env,
        .out = {.kind = PGO_STDIO_MEMORY, .limit = 1 << 20},
        .err = {.kind = PGO_STDIO_MEMORY, .limit = 1 << 20},
    };
}

static void start(struct world *w, const pgo_process_options *options) {
    pgo_err err = PGO_ERR_INIT;
    if (pgo_process_spawn(&w->loop, options, &w->process, &err)) {
        fail_msg("%s", err.message);
    }
    pgo_process_wait_init(&w->wait, w->process, PGO_PROCESS_ENDED, true);
    pgo_op_start(&w->wait.op, on_done, w);
}

static int finish(struct world *w) {
    pgo_loop_run_until(&w->loop, &w->done);
    assert_true(w->done);
    return w->wait.op.status;
}

static void output_and_exit_code_are_kept(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "echo out; echo err >&2; exit 7");
    start(w, &options);
    assert_int_equal(finish(w), 0);
    const pgo_process_result *r = pgo_process_get_result(w->process);
    assert_int_equal(r->code, 7);
    assert_string_equal(r->out.data, "out\n");
    assert_string_equal(r->err.data, "err\n");
    assert_false(r->truncated);
    pgo_op_release(&w->wait.op);
}

static void limits_keep_the_first_and_the_last(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "seq 1 100000; seq 1 100000 >&2");
    options.out.limit = options.err.limit = 11;
    start(w, &options);
    assert_int_equal(finish(w), 0);
    const pgo_process_result *r = pgo_process_get_result(w->process);
    assert_string_equal(r->out.data, "1\n2\n3\n4\n5\n6");
    assert_string_equal(r->err.data, "999\n100000\n");
    assert_true(r->truncated);
    pgo_op_release(&w->wait.op);
}

static void a_program_that_is_not_there_is_named(void **state) {
    struct world *w = *state;
    const char *argv[] = {"no-such-program", NULL};
    pgo_process_options options = captured(w, "");
    options.argv = argv;
    start(w, &options);
    assert_int_equal(finish(w), PGO_E_SPAWN);
    assert_string_equal(w->wait.op.err.message,
                        "could not start no-such-program: it was not found in PATH");
    pgo_op_release(&w->wait.op);
}

static void a_folder_that_is_not_there_is_named(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "true");
    options.folder = "/nowhere/at/all";
    start(w, &options);
    assert_int_equal(finish(w), PGO_E_SPAWN);
    assert_non_null(strstr(w->wait.op.err.message, "/nowhere/at/all: No such file"));
    pgo_op_release(&w->wait.op);
}

static void stdin_from_memory_arrives_whole(void **state) {
    struct world *w = *state;
    size_t size = 3 << 20;
    char *data = malloc(size);
    memset(data, 'x', size);
    pgo_process_options options = captured(w, "wc -c");
    options.in = (pgo_stdio_plan){.kind = PGO_STDIO_MEMORY, .data = data, .length = size};
    start(w, &options);
    free(data); /* it was copied */
    assert_int_equal(finish(w), 0);
    assert_string_equal(pgo_process_get_result(w->process)->out.data, "3145728\n");
    pgo_op_release(&w->wait.op);
}

static void stdin_that_nobody_reads_is_no_failure(void **state) {
    struct world *w = *state;
    static const char data[1 << 21];
    pgo_process_options options = captured(w, "exec 0<&-; sleep 0.05; echo fine");
    options.in = (pgo_stdio_plan){.kind = PGO_STDIO_MEMORY, .data = data, .length = sizeof data};
    start(w, &options);
    assert_int_equal(finish(w), 0);
    assert_string_equal(pgo_process_get_result(w->process)->out.data, "fine\n");
    pgo_op_release(&w->wait.op);
}

static void cancel_ends_the_whole_group(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "sleep 30 & sleep 30 & wait");
    start(w, &options);
    usleep(50000);
    pgo_op_cancel(&w->wait.op);
    uint64_t began = uv_hrtime();
    assert_int_equal(finish(w), PGO_E_CANCELED);
    assert_true(uv_hrtime() - began < 1500000000u);
    /* Its background jobs held the pipe: the end of that is theirs. */
    assert_false(pgo_process_get_result(w->process)->truncated);
    pgo_op_release(&w->wait.op);
}

static void timeout_is_told_as_such(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "sleep 30");
    options.timeout = 0.1;
    start(w, &options);
    assert_int_equal(finish(w), PGO_E_TIMEOUT);
    assert_string_equal(w->wait.op.err.message, "sh did not end within 0.1 s");
    pgo_op_release(&w->wait.op);
}

static void a_pipe_kept_open_does_not_hang(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "echo before; sleep 60 & exit 0");
    start(w, &options);
    uint64_t began = uv_hrtime();
    assert_int_equal(finish(w), 0);
    assert_true(uv_hrtime() - began < 4000000000u);
    const pgo_process_result *r = pgo_process_get_result(w->process);
    assert_string_equal(r->out.data, "before\n");
    assert_true(r->truncated);
    pgo_op_release(&w->wait.op);
}

static void a_slow_reader_loses_nothing(void **state) {
    struct world *w = *state;
    pgo_stream *stream = pgo_stream_new(&w->loop, 4096);
    pgo_process_options options = captured(w, "head -c 100000 /dev/zero");
    options.out = (pgo_stdio_plan){.kind = PGO_STDIO_STREAM, .stream = stream};
    start(w, &options);
    uint64_t until = uv_hrtime() + 2500000000u; /* longer than the time after the exit */
    while (uv_hrtime() < until) {
        uv_run(&w->loop.uv, UV_RUN_NOWAIT);
        usleep(20000);
    }
    size_t length, total = 0;
    while (!pgo_stream_ended(stream, NULL)) {
        if (pgo_stream_peek(stream, &length)) {
            pgo_stream_consume(stream, length);
            total += length;
        }
        uv_run(&w->loop.uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(total, 100000);
    assert_int_equal(finish(w), 0);
    assert_false(pgo_process_get_result(w->process)->truncated);
    pgo_stream_unref(stream);
    pgo_op_release(&w->wait.op);
}

static void half_an_output_never_looks_whole(void **state) {
    struct world *w = *state;
    const pgo_err *err = NULL;
    pgo_stream *stream = pgo_stream_new(&w->loop, 0);
    pgo_process_options options = captured(w, "echo half; exec 1>&-; sleep 0.1; kill -KILL $$");
    options.out = (pgo_stdio_plan){.kind = PGO_STDIO_STREAM, .stream = stream};
    options.check = true;
    start(w, &options);
    assert_int_equal(finish(w), 0);
    pgo_stream_consume(stream, 5);
    assert_true(pgo_stream_ended(stream, &err));
    assert_non_null(err);
    assert_int_equal(err->code, PGO_E_PROCESS);
    assert_string_equal(err->message, "sh was ended by signal KILL");
    pgo_stream_unref(stream);
    pgo_op_release(&w->wait.op);
}

static void a_broken_input_stops_the_program(void **state) {
    struct world *w = *state;
    pgo_err broken = PGO_ERR_INIT;
    pgo_stream *stream = pgo_stream_new(&w->loop, 0);
    pgo_process_options options = captured(w, "cat; sleep 30");
    options.in = (pgo_stdio_plan){.kind = PGO_STDIO_STREAM, .stream = stream};
    start(w, &options);
    assert_int_equal(pgo_stream_write(stream, "some", 4), 4);
    pgo_fail(&broken, PGO_E_NET, "the download broke");
    pgo_stream_end(stream, &broken);
    assert_int_equal(finish(w), PGO_E_NET);
    assert_string_equal(w->wait.op.err.message, "the download broke");
    pgo_err_clear(&broken);
    pgo_stream_unref(stream);
    pgo_op_release(&w->wait.op);
}

static void dropping_the_last_reference_kills(void **state) {
    struct world *w = *state;
    pgo_process_options options = captured(w, "sleep 30");
    assert_int_equal(pgo_process_spawn(&w->loop, &options, &w->process, NULL), 0);
    int pid = pgo_process_get_result(w->process)->pid;
    pgo_process_unref(w->process);
    w->process = NULL;
    pgo_loop_run(&w->loop);
    assert_int_equal(kill(pid, 0), -1);
}

static void the_environment_is_ours_to_choose(void **state) {
    struct world *w = *state;
    setenv("PGO_TEST_TOKEN", "hidden", 1);
    const char *drop[] = {"PGO_TEST_TOKEN", NULL};
    pgo_env_wipe(&w->env);
    assert_int_equal(pgo_env_inherit(&w->env, drop), 0);
    assert_int_equal(pgo_env_set(&w->env, "PGPASSWORD", "s3cret", 6), 0);
    assert_int_equal(pgo_env_set(&w->env, "PGPASSWORD", "better", 6), 0);
    assert_int_equal(pgo_env_set(&w->env, "A=B", "x", 1), PGO_E_INVALID);
    pgo_process_options options = captured(w, "echo $PGPASSWORD$PGO_TEST_TOKEN; pwd; ulimit -c");
    options.folder = "/";
    start(w, &options);
    assert_int_equal(finish(w), 0);
    assert_string_equal(pgo_process_get_result(w->process)->out.data, "better\n/\n0\n");
    pgo_op_release(&w->wait.op);
}

static void another_user_has_its_own_home(void **state) {
    struct world *w = *state;
    if (geteuid() != 0) {
        skip();
    }
    pgo_process_options options = captured(w, "id -un; echo $HOME");
    options.user = "nobody";
    options.folder = "/";
    options.death_signal = SIGKILL;
    start(w, &options);
    assert_int_equal(finish(w), 0);
    assert_string_equal(pgo_process_get_result(w->process)->out.data, "nobody\n/nonexistent\n");
    pgo_op_release(&w->wait.op);
}

static void children_end_with_their_parent(void **state) {
    struct world *w = *state;
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t middle = fork();
    if (middle == 0) { /* a pgorch that starts a child and is killed */
        pgo_loop loop;
        pgo_process *process;
        pgo_process_options options = captured(w, "exec sleep 30");
        options.death_signal = SIGKILL;
        if (pgo_loop_init(&loop, NULL) || pgo_process_spawn(&loop, &options, &process, NULL)) {
            _exit(1);
        }
        int pid = pgo_process_get_result(process)->pid;
        usleep(200000);
        dprintf(report[1], "%d\n", pid);
        kill(getpid(), SIGKILL);
    }
    char line[32] = "";
    close(report[1]);
    assert_true(read(report[0], line, sizeof line - 1) > 0);
    close(report[0]);
    int pid = atoi(line);
    assert_true(pid > 1);
    char path[64], stat[128] = "";
    for (int i = 0; i < 100 && !strstr(stat, ") Z");
         i++) { /* gone, or a zombie that nobody reaps */
        usleep(20000);
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = fopen(path, "r");
        if (!file || !fgets(stat, sizeof stat, file)) {
            strcpy(stat, ") Z");
        }
        if (file) {
            fclose(file);
        }
    }
    assert_non_null(strstr(stat, ") Z"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(output_and_exit_code_are_kept),        CASE(limits_keep_the_first_and_the_last),
        CASE(a_program_that_is_not_there_is_named), CASE(a_folder_that_is_not_there_is_named),
        CASE(stdin_from_memory_arrives_whole),      CASE(stdin_that_nobody_reads_is_no_failure),
        CASE(cancel_ends_the_whole_group),          CASE(timeout_is_told_as_such),
        CASE(a_pipe_kept_open_does_not_hang),       CASE(a_slow_reader_loses_nothing),
        CASE(half_an_output_never_looks_whole),     CASE(a_broken_input_stops_the_program),
        CASE(dropping_the_last_reference_kills),    CASE(the_environment_is_ours_to_choose),
        CASE(another_user_has_its_own_home),        CASE(children_end_with_their_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
