/* Bookkeeping of the op contract: exactly one completion, always from the ready queue. */
#include "core/op.h"

#include <assert.h>
#include <string.h>

static void deliver(pgo_job *job) {
    pgo_op *op = job->arg;
    op->state = PGO_OP_DONE;
    op->done(op, op->arg); /* may free the op */
}

void pgo_op_init(pgo_op *op, const pgo_op_type *type, pgo_loop *loop) {
    memset(op, 0, sizeof *op);
    op->type = type;
    op->loop = loop;
    op->state = PGO_OP_NEW;
    op->job.run = deliver;
    op->job.arg = op;
}

void pgo_op_start(pgo_op *op, pgo_op_done done, void *arg) {
    assert(op->state == PGO_OP_NEW);
    op->done = done;
    op->arg = arg;
    op->state = PGO_OP_RUNNING;
    op->type->start(op);
}

void pgo_op_cancel(pgo_op *op) {
    if (op->state != PGO_OP_RUNNING || op->cancel_requested) {
        return;
    }
    op->cancel_requested = true;
    if (op->type->cancel != NULL) {
        op->type->cancel(op);
    }
}

void pgo_op_complete(pgo_op *op, int status) {
    assert(op->state == PGO_OP_RUNNING);
    op->status = status;
    op->state = PGO_OP_COMPLETED;
    pgo_loop_post(op->loop, &op->job);
}

void pgo_op_fail(pgo_op *op, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pgo_vfail(&op->err, code, format, args);
    va_end(args);
    pgo_op_complete(op, code);
}

void pgo_op_release(pgo_op *op) {
    assert(op->state != PGO_OP_RUNNING && op->state != PGO_OP_COMPLETED);
    if (op->type == NULL) {
        return;
    }
    if (op->type->release != NULL) {
        op->type->release(op);
    }
    pgo_err_clear(&op->err);
    op->type = NULL;
}
