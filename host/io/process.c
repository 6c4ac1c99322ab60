/* The life of a process: exec failure, exit, end of pipes, termination, and those who wait for it.
 * Owns the process until both the last reference and the last handle are gone. Signals only groups
 * of children that it has started and not yet seen the end of. */
#include "io/process_inner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 5000, LINGER_MS = 2000 };

static void free_if_unused(pgo_process *p) {
    if (p->refs > 0 || p->handles > 0)
        return;
    pgo_buffer_wipe(&p->result.out);
    pgo_buffer_wipe(&p->result.err);
    pgo_buffer_free(&p->status.kept);
    pgo_buffer_wipe(&p->out.kept);
    pgo_buffer_wipe(&p->err.kept);
    pgo_err_clear(&p->in.err);
    pgo_err_clear(&p->failure);
    free(p->program);
    free(p);
}

void pgo_process_on_closed(void *process) {
    pgo_process *p = process;
    p->handles--;
    free_if_unused(p);
}

void pgo_process_on_handle_closed(uv_handle_t *handle) {
    pgo_process_on_closed(handle->data);
}

void pgo_process_describe(const pgo_process *p, pgo_err *err) {
    const pgo_process_result *r = &p->result;
    if (r->signal)
        pgo_fail(err, PGO_E_PROCESS, "%s was ended by signal %s", p->program,
                 pgo_signal_name(r->signal));
    else
        pgo_fail(err, PGO_E_PROCESS, "%s ended with exit code %d", p->program, (int)r->code);
    err->status = r->signal ? 128 + r->signal : (long)r->code; /* as a shell says it */
    err->signal = r->signal;
}

static void end_streams(pgo_process *p) {
    pgo_err failed = PGO_ERR_INIT;
    if (p->failure.code)
        pgo_err_copy(&failed, &p->failure);
    else if (p->check && (p->result.code || p->result.signal))
        pgo_process_describe(p, &failed);
    pgo_pipe_read_end(&p->out, failed.code ? &failed : NULL);
    pgo_pipe_read_end(&p->err, failed.code ? &failed : NULL);
    pgo_err_clear(&failed);
}

static void close_handles(pgo_process *p) {
    uv_timer_t *timers[] = {&p->grace, &p->linger, &p->limit};
    for (int i = 0; i < 3; i++) {
        if (!uv_is_closing((uv_handle_t *)timers[i]))
            uv_close((uv_handle_t *)timers[i], pgo_process_on_handle_closed);
    }
    pgo_pipe_write_close(&p->in);
    pgo_pipe_read_end(&p->status, NULL);
    end_streams(p);
}

static void finish_wait(pgo_process *p, pgo_process_wait *wait) {
    if (p->failure.code) {
        pgo_err_copy(&wait->op.err, &p->failure);
        pgo_op_complete(&wait->op, p->failure.code);
    } else if (wait->op.cancel_requested) {
        pgo_op_fail(&wait->op, PGO_E_CANCELED, "%s was stopped", p->program);
    } else {
        pgo_op_complete(&wait->op, 0);
    }
}

static void wake(pgo_process *p) {
    pgo_process_wait **link = &p->waits;
    while (*link) {
        pgo_process_wait *wait = *link;
        bool due = p->ended || (wait->event == PGO_PROCESS_STARTED && p->executed);
        if (due) {
            *link = wait->next;
            finish_wait(p, wait);
        } else {
            link = &wait->next;
        }
    }
}

static void end(pgo_process *p) {
    if (p->ended)
        return;
    p->ended = true;
    close_handles(p);
    p->result.seconds = (double)(uv_hrtime() - p->began) / 1e9;
    p->result.truncated = p->result.truncated || p->out.truncated || p->err.truncated;
    p->result.out = p->out.kept;
    p->result.err = p->err.kept;
    p->out.kept = p->err.kept = (pgo_buffer){0};
    wake(p);
}

static void fail_once(pgo_process *p, const pgo_err *err) {
    if (!p->failure.code)
        pgo_err_copy(&p->failure, err);
}

/* Everything that happens to a process ends here. */
void pgo_process_on_change(void *process) {
    pgo_process *p = process;
    if (p->ended)
        return;
    if (p->status.done && !p->executed) {
        p->executed = true;
        if (p->status.kept.length > 0)
            pgo_fail(&p->failure, PGO_E_SPAWN, "could not start %s: %s", p->program,
                     p->status.kept.data);
        else
            wake(p);
    }
    if (p->in.err.code && !p->failure.code) {
        fail_once(p, &p->in.err);
        pgo_process_terminate(p);
    }
    /* A program may close its output and go on. */
    if (p->executed && !p->failure.code && !p->check && p->out.done)
        pgo_pipe_read_end(&p->out, NULL);
    if (p->executed && !p->failure.code && !p->check && p->err.done)
        pgo_pipe_read_end(&p->err, NULL);
    if (p->exited && p->status.done && p->out.done && p->err.done)
        end(p);
}

/* Something that the program left behind holds a pipe. What it wrote before is not lost: time
 * counts only while we wait for bytes, not while a slow consumer makes the pipe wait for us. */
static void on_linger(uv_timer_t *timer) {
    pgo_process *p = timer->data;
    uint64_t bytes = p->out.seen + p->err.seen;
    bool held = (!p->out.done && p->out.paused) || (!p->err.done && p->err.paused);
    if ((held && !p->terminating) || bytes != p->bytes) {
        p->bytes = bytes;
        uv_timer_start(timer, on_linger, LINGER_MS, 0);
        return;
    }
    p->result.truncated = true;
    if (!p->keep_terminal)
        kill(-p->result.pid, SIGKILL);
    end(p);
}

void pgo_process_on_exit(uv_process_t *child, int64_t code, int number) {
    pgo_process *p = child->data;
    p->exited = true;
    p->result.code = code;
    p->result.signal = number;
    uv_close((uv_handle_t *)child, pgo_process_on_handle_closed);
    uv_timer_stop(&p->grace);
    uv_timer_stop(&p->limit);
    pgo_pipe_write_close(&p->in);
    pgo_process_on_change(p);
    if (p->ended)
        return;
    if (p->terminating && !p->keep_terminal)
        kill(-p->result.pid, SIGKILL); /* the rest of the group was asked as well */
    p->bytes = p->out.seen + p->err.seen;
    uv_timer_start(&p->linger, on_linger, LINGER_MS, 0);
}

bool pgo_process_signal(pgo_process *p, int number) {
    if (p->exited)
        return false;
    return kill(p->keep_terminal ? p->result.pid : -p->result.pid, number) == 0;
}

static void on_grace(uv_timer_t *timer) {
    pgo_process_signal(timer->data, SIGKILL);
}

void pgo_process_terminate(pgo_process *p) {
    if (p->ended || (p->terminating && !p->exited))
        return;
    p->terminating = true;
    if (p->exited) { /* only its pipes are still open */
        if (!p->keep_terminal)
            kill(-p->result.pid, SIGKILL);
        p->result.truncated = true;
        end(p);
        return;
    }
    pgo_process_signal(p, SIGTERM);
    uv_timer_start(&p->grace, on_grace, GRACE_MS, 0);
}

void pgo_process_on_limit(uv_timer_t *timer) {
    pgo_process *p = timer->data;
    if (!p->failure.code)
        pgo_fail(&p->failure, PGO_E_TIMEOUT, "%s did not end within %g s", p->program, p->timeout);
    pgo_process_terminate(p);
}

bool pgo_process_alive(const pgo_process *p) {
    return !p->exited;
}

pgo_process_result *pgo_process_get_result(pgo_process *p) {
    return &p->result;
}

void pgo_process_unref(pgo_process *p) {
    if (!p || --p->refs > 0)
        return;
    if (!p->ended) {
        pgo_process_signal(p, SIGKILL);
        p->out.kept.length = p->err.kept.length = 0;
        close_handles(p);
    }
    free_if_unused(p);
}

/* --- waiting --- */

static void wait_start(pgo_op *op) {
    pgo_process_wait *wait = (pgo_process_wait *)op;
    pgo_process *p = wait->process;
    if (p->ended || (wait->event == PGO_PROCESS_STARTED && p->executed && !p->failure.code)) {
        finish_wait(p, wait);
        return;
    }
    wait->next = p->waits;
    p->waits = wait;
}

static void wait_cancel(pgo_op *op) {
    pgo_process_wait *wait = (pgo_process_wait *)op;
    if (wait->owns) {
        pgo_process_terminate(wait->process);
        return;
    }
    pgo_process_wait **link = &wait->process->waits;
    while (*link && *link != wait)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = wait->next;
    pgo_op_fail(op, PGO_E_CANCELED, "waiting for %s was cancelled", wait->process->program);
}

static void wait_release(pgo_op *op) {
    pgo_process_unref(((pgo_process_wait *)op)->process);
}

static const pgo_op_type wait_type = {"process.wait", wait_start, wait_cancel, wait_release};

void pgo_process_wait_init(pgo_process_wait *wait, pgo_process *p, pgo_process_event event,
                           bool owns) {
    pgo_op_init(&wait->op, &wait_type, p->loop);
    p->refs++;
    wait->process = p;
    wait->event = event;
    wait->owns = owns;
    wait->next = NULL;
}
