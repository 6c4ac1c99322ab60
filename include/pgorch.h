/* pgorch: moving PostgreSQL databases with scripts. This header is the whole public API, and its
 * manual.
 *
 * A host is an event loop with a Lua 5.4 state in it. It belongs to the thread that made it;
 * several may live in one process, each on a thread of its own. Nothing here prints or exits,
 * except pgorch_main and pgorch_eval, which are the command line as functions.
 *
 *     pgorch *host;
 *     char error[512];
 *     if (pgorch_new(&host, NULL, error, sizeof error) != 0) { ... }
 *     int status = pgorch_main(host, argc, argv);
 *     int left_open = pgorch_free(host);      // 0: everything was closed
 *
 * Modules: pgorch_preload makes a C function what `require NAME` gives to scripts. It may use the
 * Lua 5.4 C API that pgorch was built with. */
#ifndef PGORCH_H
#define PGORCH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGORCH_API __attribute__((visibility("default")))

/* Grows by new fields at the end; `size` tells which of them the caller knows. */
typedef struct pgorch_options {
    size_t size;        /* sizeof(pgorch_options) */
    int handle_signals; /* 1: INT, TERM and HUP stop the work safely, a second one leaves at once
                           (exit 130) */
} pgorch_options;

typedef struct pgorch pgorch;
struct lua_State;

/* Makes a host. options may be NULL (no signals). Returns 0, or -1 with a sentence in `error`. */
PGORCH_API int pgorch_new(pgorch **host, const pgorch_options *options, char *error,
                          size_t error_size);

/* Runs a command line ("pgorch run ...": argv[0] is the program's name) and returns its exit
 * status. */
PGORCH_API int pgorch_main(pgorch *host, int argc, char **argv);

/* Runs Lua source as a task: it may wait. `name` is shown in errors. Its first result, if an
 * integer, is the exit status; an error is printed on standard error and gives 1. */
PGORCH_API int pgorch_eval(pgorch *host, const char *source, const char *name);

/* `require name` will call this function. Before pgorch_main or pgorch_eval. */
PGORCH_API void pgorch_preload(pgorch *host, const char *name, int (*open)(struct lua_State *));

/* Asks everything that runs to stop, as the first Ctrl-C does. From any thread, also while a call
 * runs. */
PGORCH_API void pgorch_cancel(pgorch *host);

/* Closes the host. Returns how many handles, tasks or threads of it were left open: 0 unless
 * pgorch, or a module, has a bug. Each is named on standard error. */
PGORCH_API int pgorch_free(pgorch *host);

PGORCH_API const char *pgorch_version(void);

#ifdef __cplusplus
}
#endif

#endif
