/* The pending operation: the one contract between everything that waits and everyone who waits.
 *
 *   1. done() is called exactly once, from the loop's ready queue: never inside start or cancel.
 *   2. cancel is a request. done() still arrives, with PGO_E_CANCELED or with the real result.
 *   3. The op owns every buffer and handle it uses until done() has been called.
 *
 * An op is embedded as the first member of a struct of the caller's: `struct pgo_http { pgo_op op;
 * ... }`. The struct's memory belongs to whoever made it and must stay valid until done(). */
#ifndef PGO_CORE_OP_H
#define PGO_CORE_OP_H

#include "core/loop.h"

typedef struct pgo_op pgo_op;

typedef struct pgo_op_type {
    const char *name; /* "pg.query": shown in reports of what is still pending */
    void (*start)(
        pgo_op *op); /* begins; on failure calls pgo_op_fail/complete, which is deferred */
    void (*cancel)(pgo_op *op);  /* asked at most once, only between start and completion; NULL:
                                    cannot be hurried */
    void (*release)(pgo_op *op); /* frees what the op owns; called once, completed or never started;
                                    may be NULL */
} pgo_op_type;

typedef void (*pgo_op_done)(pgo_op *op, void *arg);

struct pgo_op {
    const pgo_op_type *type;
    pgo_loop *loop;
    pgo_op_done done;
    void *arg;
    int status; /* after completion: 0 or PGO_E_... (err filled) */
    pgo_err err;
    enum { PGO_OP_NEW, PGO_OP_RUNNING, PGO_OP_COMPLETED, PGO_OP_DONE } state;
    bool cancel_requested;
    pgo_job job;
};

void pgo_op_init(pgo_op *op, const pgo_op_type *type, pgo_loop *loop);
/* Starts it; done(op, arg) will be called. */
void pgo_op_start(pgo_op *op, pgo_op_done done, void *arg);
/* Requests an early end. Harmless before start, after completion, or twice. */
void pgo_op_cancel(pgo_op *op);

/* For implementers. Completes with success, or with op->err already filled (status = its code). */
void pgo_op_complete(pgo_op *op, int status);
/* Fills op->err and completes with it. */
void pgo_op_fail(pgo_op *op, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Frees what the op owns and its err. Not while it is running. Idempotent. */
void pgo_op_release(pgo_op *op);

#endif
