/* Child processes: started without a shell, each in a session of its own, never outliving pgorch.
 *
 * A process has ended when it has exited and its output pipes are at their end; if something it
 * left behind keeps a pipe open, two seconds without a byte after the exit count as the end. Knows
 * libuv; all of it runs on the loop's thread, because the death signal is bound to the thread that
 * forks. */
#ifndef PGO_IO_PROCESS_H
#define PGO_IO_PROCESS_H

#include "core/buffer.h"
#include "core/op.h"
#include "core/stream.h"

#include <stdint.h>

/* --- the environment of a child --- */

typedef struct pgo_env {
    char **list; /* owned, NULL-terminated "NAME=value" */
    size_t count;
} pgo_env;

/* Adds this process's own environment, without the names in `drop` (NULL-terminated, or NULL). */
int pgo_env_inherit(pgo_env *env, const char *const *drop) PGO_MUSTCHECK;
/* Sets NAME, in place of one that is there. PGO_E_NOMEM, or PGO_E_INVALID for a name that cannot be
 * one or a value with a NUL. */
int pgo_env_set(pgo_env *env, const char *name, const char *value, size_t length) PGO_MUSTCHECK;
void pgo_env_remove(pgo_env *env, const char *name);
const char *pgo_env_get(const pgo_env *env, const char *name); /* NULL when it is not there */
/* Overwrites every value (they may be passwords) and frees all. */
void pgo_env_wipe(pgo_env *env);

/* --- what to start --- */

typedef enum pgo_stdio {
    PGO_STDIO_NULL,    /* /dev/null */
    PGO_STDIO_INHERIT, /* pgorch's own */
    PGO_STDIO_STREAM,  /* to or from `stream` */
    PGO_STDIO_MEMORY,  /* stdin: from `data`; stdout and stderr: kept, up to `limit` bytes */
} pgo_stdio;

typedef struct pgo_stdio_plan {
    pgo_stdio kind;
    pgo_stream *stream; /* borrowed for the call; the process takes its own reference */
    const void *data;   /* copied, and wiped after use */
    size_t length;
    size_t limit; /* stdout keeps its first bytes, stderr its last */
} pgo_stdio_plan;

typedef struct pgo_process_options {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in the child's PATH */
    pgo_env *env;            /* borrowed for the call */
    const char *folder;      /* to start in; NULL: pgorch's own */
    const char *user;        /* to become; NULL: none */
    int death_signal;        /* sent by the kernel when pgorch ends; 0: none */
    bool keep_terminal; /* stay in pgorch's session and group, for a command that uses the terminal
                         */
    bool check;         /* an exit code other than 0 ends the streams with an error, so that half
                         * a dump is never taken for a whole one */
    double timeout;     /* seconds; 0: none */
    pgo_stdio_plan in, out, err;
} pgo_process_options;

/* --- a process --- */

typedef struct pgo_process pgo_process;

typedef struct pgo_process_result {
    int pid;
    int64_t code; /* exit code; 0 when a signal ended it */
    int signal;   /* 0 when it exited by itself */
    double seconds;
    bool truncated; /* a limit was reached, or something kept a pipe open after the exit */
    pgo_buffer out, err;
} pgo_process_result;

/* Starts it. One reference for the caller. That the program could not be executed is known a moment
 * later: the waits below then fail with PGO_E_SPAWN. */
int pgo_process_spawn(pgo_loop *loop, const pgo_process_options *options, pgo_process **process,
                      pgo_err *err) PGO_MUSTCHECK;
/* Gives the reference back. A process that still runs is killed, with its group. NULL is fine. */
void pgo_process_unref(pgo_process *process);

/* Sends a signal to its whole group. False when it has exited already. */
bool pgo_process_signal(pgo_process *process, int number);
/* SIGTERM to the group now, SIGKILL after five seconds. Idempotent. */
void pgo_process_terminate(pgo_process *process);
bool pgo_process_alive(const pgo_process *process);
/* Fills *err with PGO_E_PROCESS: how it ended, code and signal. Only for one that has ended. */
void pgo_process_describe(const pgo_process *process, pgo_err *err);
/* Lives as long as the process does; complete once a wait for the end has succeeded. */
pgo_process_result *pgo_process_get_result(pgo_process *process);

/* --- waiting --- */

typedef enum pgo_process_event { PGO_PROCESS_STARTED, PGO_PROCESS_ENDED } pgo_process_event;

typedef struct pgo_process_wait {
    pgo_op op;
    pgo_process *process; /* a reference of its own */
    pgo_process_event event;
    bool owns; /* cancelling the wait terminates the process, and waits for that */
    struct pgo_process_wait *next;
} pgo_process_wait;

/* Fails with PGO_E_SPAWN (the program did not start), PGO_E_TIMEOUT, the error of the stream that
 * fed stdin, or PGO_E_CANCELED. An exit code other than 0 is a result, not a failure. */
void pgo_process_wait_init(pgo_process_wait *wait, pgo_process *process, pgo_process_event event,
                           bool owns);

/* --- signals by name --- */
const char *pgo_signal_name(int number); /* "TERM"; "?" for one without a name */
int pgo_signal_number(const char *name); /* "TERM", "SIGTERM"; 0 when unknown */

#endif
