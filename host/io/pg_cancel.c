/* Cancelling what runs on a connection: pg_cancel_backend over a second connection with the same
 * settings (encrypted, unlike libpq's own way before 17), and if that does not come through in 5 s,
 * PQcancel in a thread of its own, since it blocks. Owns the second connection and the thread. */
#include "io/pg_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_SECONDS 5.0
#define STOP_SECONDS 15.0 /* both ways, and then the server has to act on it */

/* Behind a pooler the process id is not the server's. The name makes a foreign process's unlikely.
 */
static const char cancel_sql[] = "select pg_cancel_backend(pid) from pg_stat_activity "
                                 "where pid = $1::int and application_name = $2";

/* PQcancel waits for the server without a limit. When that takes too long the thread is left alone
 * with this block, and frees it in its own time. */
struct pgo_pg_last_resort {
    uv_thread_t thread;
    uv_async_t *ended; /* the loop's; not touched by a thread that was left */
    atomic_flag first; /* set by whichever comes first: its end, or our leaving */
    PGcancel *handle;
    bool sent;
    char message[256];
};

static pgo_pg_cancel *from_op(pgo_op *op) {
    return (pgo_pg_cancel *)(void *)op;
}

/* From here on the next statement is safe. op.err is filled if status is not 0. */
static void finish(pgo_pg_cancel *cancel, int status) {
    pgo_pg *victim = cancel->victim;
    pgo_pg_timer_stop(&cancel->timer);
    if (cancel->second) {
        pgo_pg_close(cancel->second);
    }
    victim->cancels--;
    victim->told_to_stop = victim->told_to_stop || cancel->sent;
    pgo_op_complete(&cancel->op, status);
    if (victim->step && victim->user) {
        victim->step(victim, victim->user);
    }
}

/* --- the last resort --- */

static void free_last_resort(struct pgo_pg_last_resort *last) {
    PQfreeCancel(last->handle);
    free(last);
}

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

static void run_last_resort(void *arg) {
    struct pgo_pg_last_resort *last = arg;
    last->sent = PQcancel(last->handle, last->message, sizeof last->message) == 1;
    if (atomic_flag_test_and_set(&last->first)) {
        free_last_resort(last);
    } else {
        uv_async_send(last->ended);
    }
}

static void fail(pgo_pg_cancel *cancel, const char *message) {
    char *line = pgo_pg_one_line(message);
    pgo_fail(&cancel->op.err, PGO_E_PG_CONNECT, "cannot cancel what runs on %s: %s",
             cancel->victim->params->where, line ? line : "");
    cancel->op.err.retryable = true;
    free(line);
    finish(cancel, PGO_E_PG_CONNECT);
}

static void last_resort_ended(uv_async_t *async) {
    pgo_pg_cancel *cancel = async->data;
    struct pgo_pg_last_resort *last = cancel->last;
    cancel->last = NULL;
    uv_thread_join(&last->thread);
    uv_close((uv_handle_t *)async, free_handle);
    cancel->sent = last->sent;
    if (last->sent) {
        finish(cancel, 0);
    } else {
        fail(cancel, last->message);
    }
    free_last_resort(last);
}

static void last_resort_late(uv_timer_t *timer) {
    pgo_pg_cancel *cancel = timer->data;
    struct pgo_pg_last_resort *last = cancel->last;
    if (atomic_flag_test_and_set(&last->first)) {
        return; /* it has just ended: last_resort_ended comes */
    }
    cancel->last = NULL;
    uv_async_t *ended = last->ended;
    pthread_detach(last->thread);
    uv_close((uv_handle_t *)ended, free_handle);
    fail(cancel, "the server does not answer");
}

/* Fills cancel->last and starts the thread; NULL, or what went wrong. */
static const char *start_last_resort(pgo_pg_cancel *cancel) {
    struct pgo_pg_last_resort *last = calloc(1, sizeof *last);
    uv_async_t *ended = malloc(sizeof *ended);
    const char *wrong = "out of memory";
    if (!last || !ended || uv_async_init(&cancel->op.loop->uv, ended, last_resort_ended) < 0) {
        free(ended);
        goto out;
    }
    ended->data = cancel;
    last->ended = ended;
    wrong = "the connection is closed";
    last->handle = cancel->victim->pg ? PQgetCancel(cancel->victim->pg) : NULL;
    if (last->handle) {
        wrong = uv_thread_create(&last->thread, run_last_resort, last) < 0 ? "no thread can be had"
                                                                           : NULL;
    }
    if (wrong) {
        uv_close((uv_handle_t *)ended, free_handle);
    }
out:
    if (wrong && last) {
        free_last_resort(last);
    }
    cancel->last = wrong ? NULL : last;
    return wrong;
}

static void use_last_resort(pgo_pg_cancel *cancel) {
    pgo_pg_timer_stop(&cancel->timer);
    const char *wrong = start_last_resort(cancel);
    if (wrong) {
        fail(cancel, wrong);
        return;
    }
    cancel->timer = pgo_pg_timer(cancel->op.loop, LIMIT_SECONDS, last_resort_late, cancel);
}

/* --- the second connection --- */

static void on_queried(pgo_op *op, void *arg) {
    pgo_pg_cancel *cancel = arg;
    size_t length;
    unsigned type;
    bool row = op->status == 0 && pgo_pg_row_count(&cancel->query) > 0;
    const char *value = row ? pgo_pg_value(&cancel->query, 0, 0, &length, &type) : NULL;
    cancel->querying = false;
    pgo_pg_timer_stop(&cancel->timer);
    if (value && *value == 't') {
        cancel->sent = true;
        finish(cancel, 0);
    } else {
        use_last_resort(cancel);
    }
}

static void on_connected(pgo_op *op, void *arg) {
    pgo_pg_cancel *cancel = arg;
    pgo_pg *victim = cancel->victim;
    cancel->connecting = false;
    if (op->status < 0 || !victim->pg) {
        use_last_resort(cancel);
        return;
    }
    cancel->second = cancel->connect.conn;
    cancel->connect.conn = NULL;
    char pid[16];
    const char *name = PQparameterStatus(victim->pg, "application_name");
    snprintf(pid, sizeof pid, "%d", PQbackendPID(victim->pg));
    const char *values[] = {pid, name ? name : ""};
    if (pgo_pg_query_init(&cancel->query, cancel->second, 0, cancel_sql, 2, values, NULL)) {
        use_last_resort(cancel);
        return;
    }
    cancel->querying = true;
    pgo_op_start(&cancel->query.op, on_queried, cancel);
}

static void limit_reached(uv_timer_t *timer) {
    pgo_pg_cancel *cancel = timer->data;
    if (cancel->connecting) {
        pgo_op_cancel(&cancel->connect.op);
    } else if (cancel->querying) {
        pgo_pg_close(cancel->second);
    }
}

static void cancel_start(pgo_op *op) {
    pgo_pg_cancel *cancel = from_op(op);
    pgo_pg *victim = cancel->victim;
    if (!victim->pg || !victim->running) {
        pgo_op_complete(op, 0);
        return;
    }
    victim->cancels++;
    cancel->timer = pgo_pg_timer(op->loop, LIMIT_SECONDS, limit_reached, cancel);
    pgo_pg_connect_init_like(&cancel->connect, victim, LIMIT_SECONDS);
    cancel->connecting = true;
    pgo_op_start(&cancel->connect.op, on_connected, cancel);
}

static void cancel_release(pgo_op *op) {
    pgo_pg_cancel *cancel = from_op(op);
    pgo_op_release(&cancel->connect.op);
    pgo_op_release(&cancel->query.op);
    pgo_pg_unref(cancel->second);
    pgo_pg_unref(cancel->victim);
    cancel->second = cancel->victim = NULL;
}

/* It ends by itself, soon: hurrying it would leave the statement running. */
static const pgo_op_type cancel_type = {"pg.cancel", cancel_start, NULL, cancel_release};

void pgo_pg_cancel_init(pgo_pg_cancel *cancel, pgo_pg *conn) {
    memset(cancel, 0, sizeof *cancel);
    pgo_op_init(&cancel->op, &cancel_type, conn->loop);
    cancel->victim = pgo_pg_ref(conn);
}

/* --- the cancel that an op asks for itself --- */

struct pgo_pg_stop {
    pgo_pg_cancel cancel;
    pgo_pg *conn; /* held by cancel */
    uv_timer_t *timer;
    bool settled, ended; /* the cancel has done its part; what ran has ended */
};

static void free_stop(struct pgo_pg_stop *stop) {
    if (stop->settled && stop->ended) {
        pgo_op_release(&stop->cancel.op);
        free(stop);
    }
}

static void give_up(pgo_pg *conn) {
    conn->gave_up = true;
    pgo_pg_close(conn);
}

static void stop_timed_out(uv_timer_t *timer) {
    give_up(timer->data);
}

static void stop_settled(pgo_op *op, void *arg) {
    struct pgo_pg_stop *stop = arg;
    if (op->status < 0 && !stop->ended) {
        give_up(stop->conn); /* ends it: not settled yet, so it is not freed in there */
    }
    stop->settled = true;
    free_stop(stop);
}

void pgo_pg_stop_begin(pgo_pg *conn) {
    if (conn->stop || !conn->running) {
        return;
    }
    struct pgo_pg_stop *stop = calloc(1, sizeof *stop);
    if (!stop) {
        give_up(conn);
        return;
    }
    conn->stop = stop;
    stop->conn = conn;
    stop->timer = pgo_pg_timer(conn->loop, STOP_SECONDS, stop_timed_out, conn);
    pgo_pg_cancel_init(&stop->cancel, conn);
    pgo_op_start(&stop->cancel.op, stop_settled, stop);
}

void pgo_pg_stop_end(pgo_pg *conn) {
    struct pgo_pg_stop *stop = conn->stop;
    if (stop) {
        conn->stop = NULL;
        pgo_pg_timer_stop(&stop->timer);
        stop->ended = true;
        free_stop(stop);
    }
}
