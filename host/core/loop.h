/* The event loop: a uv_loop_t, a ready queue, and a close that proves nothing was left open.
 * One loop belongs to one thread; all functions here run on it unless they say otherwise. */
#ifndef PGO_CORE_LOOP_H
#define PGO_CORE_LOOP_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

/* A callback that waits in the ready queue. Embed it; it must stay valid while `queued`. */
typedef struct pgo_job pgo_job;
struct pgo_job {
    pgo_job *next;
    void (*run)(pgo_job *job);
    void *arg;
    bool queued;
};

typedef struct pgo_loop {
    uv_loop_t uv;
    uv_idle_t idle;
    pgo_job *head, *tail;
    void *host; /* whoever owns the loop; the floors above use it */
} pgo_loop;

int pgo_loop_init(pgo_loop *loop, pgo_err *err) PGO_MUSTCHECK;
/* Runs `job` on a later turn of the loop, in order of posting. Posting a queued job does nothing.
 */
void pgo_loop_post(pgo_loop *loop, pgo_job *job);
void pgo_loop_unpost(pgo_loop *loop, pgo_job *job); /* takes it out again; fine when not queued */
/* Runs until nothing is left to do. */
void pgo_loop_run(pgo_loop *loop);
/* Runs until *stop is true, or nothing is left to do. */
void pgo_loop_run_until(pgo_loop *loop, const bool *stop);
/* Seconds as a timer takes them: rounded; 0 for what is not positive; at most 2^53 for what is huge
 * or infinite, which is as good as never. */
uint64_t pgo_milliseconds(double seconds);
/* Closes the loop's own handles. Returns the number of handles that others left open; each is
 * named on `report` (may be NULL). 0 means uv_loop_close succeeded. */
int pgo_loop_close(pgo_loop *loop, FILE *report);

#endif
