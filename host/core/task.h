/* The task tree: scopes, and tasks that wait for one op at a time.
 *
 * A scope may be cancelled; cancel is level-triggered: every await in it, and in the scopes below,
 * fails from then on. A shield stops a cancellation from above. What a task *is* (a Lua coroutine,
 * a C state machine) is not known here: the owner gives a resume function. */
#ifndef PGO_CORE_TASK_H
#define PGO_CORE_TASK_H

#include "core/op.h"

typedef struct pgo_scope pgo_scope;
typedef struct pgo_task pgo_task;

struct pgo_scope {
    pgo_loop *loop;
    pgo_scope *parent;
    pgo_scope *first_child, *next, *prev; /* scopes whose parent is this one */
    pgo_task *first_task;                 /* tasks whose innermost scope is this one */
    bool shield;
    bool cancelled;
    bool timed_out; /* cancelled by its own deadline */
    char *reason;   /* owned; why it was cancelled */
    uv_timer_t *deadline;
};

/* Embeds the scope in the tree. `parent` may be NULL (the root). */
void pgo_scope_init(pgo_scope *scope, pgo_loop *loop, pgo_scope *parent, bool shield);
/* Cancels with "timeout" after so many seconds. Once per scope. */
int pgo_scope_deadline(pgo_scope *scope, double seconds, pgo_err *err) PGO_MUSTCHECK;
/* Cancels the scope; ops of the tasks below are asked to end, up to the next shield. Idempotent. */
void pgo_scope_cancel(pgo_scope *scope, const char *reason);
/* The nearest scope, from `scope` upward and not past a shield, that is cancelled; or NULL. */
pgo_scope *pgo_scope_cause(pgo_scope *scope);
/* Takes it out of the tree. It must have no tasks and no scopes below. */
void pgo_scope_close(pgo_scope *scope);

struct pgo_task {
    pgo_scope *scope;
    pgo_task *next, *prev; /* in its scope */
    pgo_op *op;            /* what it waits for, or NULL */
    void (*resume)(pgo_task *task);
};

void pgo_task_init(pgo_task *task, pgo_scope *scope, void (*resume)(pgo_task *task));
void pgo_task_enter(pgo_task *task, pgo_scope *scope); /* moves it to another scope */
void pgo_task_leave(pgo_task *task);                   /* it has ended */
/* Starts `op` and calls task->resume once it is done. The caller has checked pgo_scope_cause. */
void pgo_task_wait(pgo_task *task, pgo_op *op);

#endif
