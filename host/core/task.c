/* Scopes and tasks as an intrusive tree. Cancelling walks down to the tasks and asks their ops to
 * end; it never resumes anything itself. */
#include "core/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pgo_scope_init(pgo_scope *scope, pgo_loop *loop, pgo_scope *parent, bool shield) {
    memset(scope, 0, sizeof *scope);
    scope->loop = loop;
    scope->parent = parent;
    scope->shield = shield;
    if (parent != NULL) {
        scope->next = parent->first_child;
        if (scope->next != NULL) {
            scope->next->prev = scope;
        }
        parent->first_child = scope;
    }
}

static void on_deadline(uv_timer_t *timer) {
    pgo_scope *scope = timer->data;
    if (!scope->cancelled) {
        scope->timed_out = true;
        pgo_scope_cancel(scope, "timeout");
    }
}

static void free_timer(uv_handle_t *handle) {
    free(handle);
}

int pgo_scope_deadline(pgo_scope *scope, double seconds, pgo_err *err) {
    assert(scope->deadline == NULL);
    uv_timer_t *timer = malloc(sizeof *timer);
    if (timer == NULL) {
        return pgo_fail(err, PGO_E_NOMEM, "a deadline");
    }
    uv_timer_init(&scope->loop->uv, timer);
    timer->data = scope;
    scope->deadline = timer;
    /* libuv counts from the loop's cached time, which is old after a long computation. */
    uv_update_time(&scope->loop->uv);
    uv_timer_start(timer, on_deadline, pgo_milliseconds(seconds), 0);
    return 0;
}

static void interrupt(pgo_scope *scope) {
    for (pgo_task *task = scope->first_task; task != NULL; task = task->next) {
        if (task->op != NULL) {
            pgo_op_cancel(task->op);
        }
    }
    for (pgo_scope *child = scope->first_child; child != NULL; child = child->next) {
        if (!child->shield) {
            interrupt(child);
        }
    }
}

void pgo_scope_cancel(pgo_scope *scope, const char *reason) {
    if (scope->cancelled) {
        return;
    }
    scope->cancelled = true;
    scope->reason = strdup(reason != NULL ? reason : "cancelled");
    interrupt(scope);
}

pgo_scope *pgo_scope_cause(pgo_scope *scope) {
    for (; scope != NULL; scope = scope->parent) {
        if (scope->cancelled) {
            return scope;
        }
        if (scope->shield) {
            return NULL;
        }
    }
    return NULL;
}

void pgo_scope_close(pgo_scope *scope) {
    assert(scope->first_child == NULL && scope->first_task == NULL);
    if (scope->deadline != NULL) {
        uv_close((uv_handle_t *)scope->deadline, free_timer);
        scope->deadline = NULL;
    }
    if (scope->prev != NULL) {
        scope->prev->next = scope->next;
    } else if (scope->parent != NULL) {
        scope->parent->first_child = scope->next;
    }
    if (scope->next != NULL) {
        scope->next->prev = scope->prev;
    }
    free(scope->reason);
    scope->reason = NULL;
    scope->parent = scope->next = scope->prev = NULL;
}

static void link_task(pgo_task *task, pgo_scope *scope) {
    task->scope = scope;
    task->prev = NULL;
    task->next = scope->first_task;
    if (task->next != NULL) {
        task->next->prev = task;
    }
    scope->first_task = task;
}

static void unlink_task(pgo_task *task) {
    if (task->prev != NULL) {
        task->prev->next = task->next;
    } else {
        task->scope->first_task = task->next;
    }
    if (task->next != NULL) {
        task->next->prev = task->prev;
    }
    task->next = task->prev = NULL;
}

void pgo_task_init(pgo_task *task, pgo_scope *scope, void (*resume)(pgo_task *task)) {
    memset(task, 0, sizeof *task);
    task->resume = resume;
    link_task(task, scope);
}

void pgo_task_enter(pgo_task *task, pgo_scope *scope) {
    unlink_task(task);
    link_task(task, scope);
}

void pgo_task_leave(pgo_task *task) {
    assert(task->op == NULL);
    unlink_task(task);
    task->scope = NULL;
}

static void op_done(pgo_op *op, void *arg) {
    (void)op;
    pgo_task *task = arg;
    task->op = NULL;
    task->resume(task);
}

void pgo_task_wait(pgo_task *task, pgo_op *op) {
    assert(task->op == NULL);
    task->op = op;
    pgo_op_start(op, op_done, task);
}
