/* What process.c (the life of a process) and process_spawn.c (its birth) share. */
#ifndef PGO_IO_PROCESS_INNER_H
#define PGO_IO_PROCESS_INNER_H

#include "io/process.h"
#include "io/process_pipe.h"

struct pgo_process {
    pgo_loop *loop;
    char *program;          /* owned; for messages */
    unsigned refs, handles; /* freed when both are 0 */
    uv_process_t child;
    uv_timer_t grace, linger, limit; /* SIGTERM to SIGKILL, exit to end of pipes, the timeout */
    pgo_pipe_reader status, out, err;
    pgo_pipe_writer in;
    uint64_t began; /* uv_hrtime */
    uint64_t bytes; /* seen by both pipes at the last look of `linger` */
    double timeout;
    bool keep_terminal, check;
    bool executed, exited, ended, terminating;
    pgo_err failure; /* why it did not start, or what cut it short */
    pgo_process_result result;
    pgo_process_wait *waits;
};

/* The callbacks that process_spawn.c installs. */
void pgo_process_on_exit(uv_process_t *child, int64_t code, int number);
void pgo_process_on_change(void *process);
void pgo_process_on_closed(void *process);
void pgo_process_on_handle_closed(uv_handle_t *handle);
void pgo_process_on_limit(uv_timer_t *timer);

/* The path of pgorch-exec, owned by the caller; NULL when it is nowhere. */
char *pgo_process_find_stub(void);

#endif
