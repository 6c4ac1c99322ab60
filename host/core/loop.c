/* The loop and its ready queue. The queue is drained by an idle handle, which also keeps the loop
 * from sleeping while something is ready. Jobs posted during a drain run on the next turn. */
#include "core/loop.h"

#include <string.h>

static void drain(uv_idle_t *idle) {
    pgo_loop *loop = idle->data;
    pgo_job mark = {0}; /* nobody can take it out of the queue, so the drain surely ends */
    pgo_loop_post(loop, &mark);
    while (loop->head != NULL) {
        pgo_job *job = loop->head;
        loop->head = job->next;
        if (loop->head == NULL) {
            loop->tail = NULL;
        }
        job->queued = false;
        if (job == &mark) {
            break;
        }
        job->run(job); /* may free the job */
    }
    if (loop->head == NULL) {
        uv_idle_stop(idle);
    }
}

int pgo_loop_init(pgo_loop *loop, pgo_err *err) {
    memset(loop, 0, sizeof *loop);
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0) {
        return pgo_fail_uv(err, PGO_E_BUG, rc, "the event loop");
    }
    uv_idle_init(&loop->uv, &loop->idle);
    loop->idle.data = loop;
    loop->uv.data = loop;
    return 0;
}

void pgo_loop_post(pgo_loop *loop, pgo_job *job) {
    if (job->queued) {
        return;
    }
    job->queued = true;
    job->next = NULL;
    if (loop->tail != NULL) {
        loop->tail->next = job;
    } else {
        loop->head = job;
        uv_idle_start(&loop->idle, drain);
    }
    loop->tail = job;
}

void pgo_loop_unpost(pgo_loop *loop, pgo_job *job) {
    if (!job->queued) {
        return;
    }
    pgo_job *before = NULL;
    for (pgo_job *each = loop->head; each != job; each = each->next) {
        before = each;
    }
    if (before != NULL) {
        before->next = job->next;
    } else {
        loop->head = job->next;
    }
    if (loop->tail == job) {
        loop->tail = before;
    }
    job->queued = false;
}

void pgo_loop_run(pgo_loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void pgo_loop_run_until(pgo_loop *loop, const bool *stop) {
    while (!*stop && uv_run(&loop->uv, UV_RUN_ONCE) != 0) {
    }
}

uint64_t pgo_milliseconds(double seconds) {
    static const double most = 9007199254740992.0; /* casting more than fits is undefined */
    double wanted = seconds * 1000 + 0.5;
    return seconds > 0 ? (uint64_t)(wanted < most ? wanted : most) : 0;
}

struct leaks {
    FILE *report;
    int count;
};

static void name_leak(uv_handle_t *handle, void *arg) {
    struct leaks *leaks = arg;
    leaks->count++;
    if (leaks->report != NULL) {
        fprintf(leaks->report, "left open: %s handle%s\n",
                uv_handle_type_name(uv_handle_get_type(handle)),
                uv_is_active(handle) ? " (active)" : "");
    }
}

int pgo_loop_close(pgo_loop *loop, FILE *report) {
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* the close callbacks of what was being closed */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    struct leaks leaks = {report, 0};
    uv_walk(&loop->uv, name_leak, &leaks);
    int rc = uv_loop_close(&loop->uv);
    if (rc < 0 && leaks.count == 0) {
        leaks.count = 1; /* a request, not a handle, is still on its way */
        if (report != NULL) {
            fprintf(report, "left open: %s\n", uv_strerror(rc));
        }
    }
    return leaks.count;
}
