/* The birth of a process: pipes, environment, the exec stub's command line, fork. Owns everything
 * only until the fork; from then on process.c does. Must run on the loop's thread. */
#include "io/process_inner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_LIMIT = 500, PIPE_SIZE = 1 << 20 };

/* What the fork needs and nobody keeps. */
typedef struct birth {
    uv_stdio_container_t stdio[4];
    int theirs[4]; /* the child's ends of pipes, -1 where there is none; closed after the fork */
    const char **argv;
    char *stub;
    char parent[24], death_signal[12];
} birth;

/* Real pipes, not the socket pairs of UV_CREATE_PIPE: a program may open /dev/stdout. */
static int make_pipe(birth *b, int index, bool child_reads, int *ours, pgo_err *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return pgo_fail(err, PGO_E_SPAWN, "no pipe for a program: %s", strerror(errno));
#ifdef F_SETPIPE_SZ
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE); /* fewer turns of the loop; refused is no harm */
#endif
    b->theirs[index] = ends[child_reads ? 0 : 1];
    *ours = ends[child_reads ? 1 : 0];
    b->stdio[index].flags = UV_INHERIT_FD;
    b->stdio[index].data.fd = b->theirs[index];
    return 0;
}

static int open_reader(pgo_process *p, birth *b, int index, pgo_pipe_reader *reader,
                       const pgo_stdio_plan *plan, pgo_err *err) {
    int fd = -1;
    reader->owner = (pgo_pipe_owner){pgo_process_on_change, pgo_process_on_closed, p};
    reader->limit = plan->limit;
    reader->done = true;
    if (plan->kind == PGO_STDIO_INHERIT) {
        b->stdio[index].flags = UV_INHERIT_FD;
        b->stdio[index].data.fd = index;
    }
    if (plan->kind != PGO_STDIO_STREAM && plan->kind != PGO_STDIO_MEMORY)
        return 0;
    int failed = make_pipe(b, index, false, &fd, err);
    if (failed)
        return failed;
    reader->done = false;
    failed = pgo_pipe_read(reader, p->loop, fd, plan->stream, err);
    p->handles += reader->handle.data != NULL;
    return failed;
}

static int open_writer(pgo_process *p, birth *b, const pgo_stdio_plan *plan, pgo_err *err) {
    int fd = -1;
    p->in.owner = (pgo_pipe_owner){pgo_process_on_change, pgo_process_on_closed, p};
    if (plan->kind == PGO_STDIO_INHERIT) {
        b->stdio[0].flags = UV_INHERIT_FD;
        b->stdio[0].data.fd = 0;
    }
    if (plan->kind != PGO_STDIO_STREAM && plan->kind != PGO_STDIO_MEMORY)
        return 0;
    int failed = make_pipe(b, 0, true, &fd, err);
    if (failed)
        return failed;
    failed = pgo_pipe_write(&p->in, p->loop, fd, plan->stream, plan->data, plan->length, err);
    p->handles += p->in.handle.data != NULL;
    return failed;
}

static int open_pipes(pgo_process *p, birth *b, const pgo_process_options *options, pgo_err *err) {
    const pgo_stdio_plan status = {.kind = PGO_STDIO_MEMORY, .limit = STATUS_LIMIT};
    p->err.keep_last = true;
    int failed = open_writer(p, b, &options->in, err);
    if (!failed)
        failed = open_reader(p, b, 1, &p->out, &options->out, err);
    if (!failed)
        failed = open_reader(p, b, 2, &p->err, &options->err, err);
    if (!failed)
        failed = open_reader(p, b, 3, &p->status, &status, err);
    return failed;
}

/* The stub's command line; its form is told in stub/exec.c. */
static int build_argv(birth *b, const pgo_process_options *options, pgo_err *err) {
    size_t count = 0;
    while (options->argv[count])
        count++;
    b->stub = pgo_process_find_stub();
    if (!b->stub)
        return pgo_fail(err, PGO_E_SPAWN,
                        "could not start %s: pgorch-exec is missing; it belongs "
                        "beside pgorch, or in libexec/pgorch",
                        options->argv[0]);
    b->argv = calloc(count + 6, sizeof *b->argv);
    if (!b->argv)
        return pgo_fail(err, PGO_E_NOMEM, "no memory to start a program");
    snprintf(b->parent, sizeof b->parent, "%ld", (long)getpid());
    snprintf(b->death_signal, sizeof b->death_signal, "%d", options->death_signal);
    b->argv[0] = b->stub;
    b->argv[1] = b->parent;
    b->argv[2] = b->death_signal;
    b->argv[3] = options->user ? options->user : "-";
    b->argv[4] = options->folder ? options->folder : "-";
    memcpy(b->argv + 5, options->argv, count * sizeof *b->argv);
    return 0;
}

/* Another user's home: the stub fills these in, so pgorch's own must not be inherited. */
static void forget_identity(pgo_env *env) {
    static const char *const names[] = {"HOME", "USER", "LOGNAME"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *own = getenv(names[i]);
        const char *given = pgo_env_get(env, names[i]);
        if (own && given && strcmp(own, given) == 0)
            pgo_env_remove(env, names[i]);
    }
}

static int start_child(pgo_process *p, birth *b, const pgo_process_options *options, pgo_err *err) {
    uv_process_options_t start = {
        .exit_cb = pgo_process_on_exit,
        .file = b->stub,
        .args = (char **)(uintptr_t)b->argv,
        .env = options->env->list,
        .stdio = b->stdio,
        .stdio_count = 4,
        .flags = options->keep_terminal ? 0 : UV_PROCESS_DETACHED,
    };
    char *nothing[] = {NULL};
    if (!start.env)
        start.env = nothing;
    p->child.data = p;
    int failed = uv_spawn(&p->loop->uv, &p->child, &start);
    p->handles++; /* also after a failure, says libuv, the handle has to be closed */
    if (!failed) {
        p->result.pid = p->child.pid;
        return 0;
    }
    p->exited = true;
    uv_close((uv_handle_t *)&p->child, pgo_process_on_handle_closed);
    return pgo_fail(err, PGO_E_SPAWN, "could not start %s: %s", p->program, uv_strerror(failed));
}

static void init_timers(pgo_process *p, const pgo_process_options *options) {
    uv_timer_t *timers[] = {&p->grace, &p->linger, &p->limit};
    for (int i = 0; i < 3; i++) {
        uv_timer_init(&p->loop->uv, timers[i]);
        timers[i]->data = p;
        p->handles++;
    }
    p->timeout = options->timeout;
    /* libuv counts from the loop's cached time, which is old after a long computation. */
    uv_update_time(&p->loop->uv);
    if (options->timeout > 0)
        uv_timer_start(&p->limit, pgo_process_on_limit, pgo_milliseconds(options->timeout), 0);
}

static void finish_birth(birth *b) {
    for (int i = 0; i < 4; i++) {
        if (b->theirs[i] >= 0)
            close(b->theirs[i]);
    }
    free(b->argv);
    free(b->stub);
}

int pgo_process_spawn(pgo_loop *loop, const pgo_process_options *options, pgo_process **process,
                      pgo_err *err) {
    birth b = {.theirs = {-1, -1, -1, -1}};
    pgo_process *p = calloc(1, sizeof *p);
    if (!p)
        return pgo_fail(err, PGO_E_NOMEM, "no memory to start a program");
    p->loop = loop;
    p->refs = 1;
    p->began = uv_hrtime();
    p->keep_terminal = options->keep_terminal;
    p->check = options->check;
    p->program = strdup(options->argv[0]);
    init_timers(p, options);
    int failed = p->program ? 0 : pgo_fail(err, PGO_E_NOMEM, "no memory to start a program");
    if (!failed)
        failed = build_argv(&b, options, err);
    if (!failed)
        failed = open_pipes(p, &b, options, err);
    if (!failed && options->user)
        forget_identity(options->env);
    if (!failed)
        failed = start_child(p, &b, options, err);
    finish_birth(&b);
    if (!failed) {
        *process = p;
        return 0;
    }
    p->exited = true;
    if (err)
        pgo_err_copy(&p->failure, err); /* for whoever reads its streams */
    pgo_process_unref(p);
    return failed;
}
