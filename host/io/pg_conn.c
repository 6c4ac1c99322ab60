/* The connection object: its references, its poll handle, its notices, its end.
 * Owns the PGconn and the uv_poll_t on its socket; knows nothing of statements. */
#include "io/pg_private.h"

#include <stdlib.h>
#include <string.h>

pgo_pg *pgo_pg_new(pgo_loop *loop, pgo_pg_params *params) {
    pgo_pg *conn = calloc(1, sizeof *conn);
    if (conn) {
        conn->refs = 1;
        conn->loop = loop;
        conn->params = pgo_pg_params_ref(params);
    }
    return conn;
}

pgo_pg *pgo_pg_ref(pgo_pg *conn) {
    conn->refs++;
    return conn;
}

void pgo_pg_unref(pgo_pg *conn) {
    if (!conn || --conn->refs > 0) {
        return;
    }
    conn->refs = 1; /* close may take and give a reference */
    pgo_pg_close(conn);
    for (size_t i = 0; i < PGO_PG_NOTICES; i++) {
        free(conn->notices[i]);
    }
    pgo_err_clear(&conn->err);
    pgo_pg_params_unref(conn->params);
    free(conn);
}

void pgo_pg_close(pgo_pg *conn) {
    if (!conn->pg) {
        return;
    }
    pgo_pg_unwatch(conn);
    PQfinish(conn->pg);
    conn->pg = NULL;
    conn->running = false;
    if (conn->step && conn->user) {
        conn->step(conn, conn->user);
    }
}

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

/* A poll error (status < 0) carries no events. libpq finds out and says what happened when it
 * reads. */
static void socket_ready(uv_poll_t *poll, int status, int events) {
    pgo_pg *conn = poll->data;
    (void)events;
    if (status < 0) { /* libuv has stopped waiting */
        conn->watched = 0;
    }
    if (conn->step && conn->user) {
        conn->step(conn, conn->user);
    }
}

int pgo_pg_watch(pgo_pg *conn, int events, pgo_err *err) {
    int status = 0;
    if (!conn->poll) {
        uv_poll_t *poll = malloc(sizeof *poll);
        if (!poll) {
            return pgo_fail(err, PGO_E_NOMEM, "out of memory");
        }
        status = uv_poll_init_socket(&conn->loop->uv, poll, PQsocket(conn->pg));
        if (status < 0) {
            free(poll);
            return pgo_fail_uv(err, PGO_E_NET, status, "database socket");
        }
        poll->data = conn;
        conn->poll = poll;
    }
    if (conn->watched == events) { /* each start costs two calls of the system's */
        return 0;
    }
    status = uv_poll_start(conn->poll, events, socket_ready);
    conn->watched = status < 0 ? 0 : events;
    return status < 0 ? pgo_fail_uv(err, PGO_E_NET, status, "database socket") : 0;
}

void pgo_pg_pause(pgo_pg *conn) {
    if (conn->poll) {
        uv_poll_stop(conn->poll);
        conn->watched = 0;
    }
}

void pgo_pg_unwatch(pgo_pg *conn) {
    if (conn->poll) {
        uv_poll_stop(conn->poll);
        uv_close((uv_handle_t *)conn->poll, free_handle);
        conn->poll = NULL;
        conn->watched = 0;
    }
}

uv_timer_t *pgo_pg_timer(pgo_loop *loop, double seconds, uv_timer_cb fired, void *data) {
    uv_timer_t *timer = malloc(sizeof *timer);
    if (!timer) {
        return NULL;
    }
    uv_timer_init(&loop->uv, timer);
    timer->data = data;
    uv_update_time(&loop->uv);
    uv_timer_start(timer, fired, pgo_milliseconds(seconds), 0);
    return timer;
}

void pgo_pg_timer_stop(uv_timer_t **timer) {
    if (*timer) {
        uv_close((uv_handle_t *)*timer, free_handle);
        *timer = NULL;
    }
}

void pgo_pg_notice_receive(void *arg, const PGresult *result) {
    pgo_pg *conn = arg;
    char *line = pgo_pg_one_line(PQresultErrorMessage(result));
    size_t slot = conn->notice_count % PGO_PG_NOTICES;
    if (line) {
        free(conn->notices[slot]);
        conn->notices[slot] = line;
        conn->notice_count++;
    }
}

const char *pgo_pg_notice(const pgo_pg *conn, size_t index) {
    size_t kept = conn->notice_count < PGO_PG_NOTICES ? conn->notice_count : PGO_PG_NOTICES;
    if (index >= kept) {
        return NULL;
    }
    return conn->notices[(conn->notice_count - kept + index) % PGO_PG_NOTICES];
}

enum pgo_pg_state pgo_pg_state(const pgo_pg *conn) {
    if (!conn->pg) {
        return PGO_PG_CLOSED;
    }
    if (PQstatus(conn->pg) != CONNECTION_OK) {
        return PGO_PG_BROKEN;
    }
    if (conn->running || conn->user) {
        return PGO_PG_BUSY;
    }
    switch (PQtransactionStatus(conn->pg)) {
    case PQTRANS_INTRANS:
        return PGO_PG_TRANSACTION;
    case PQTRANS_INERROR:
        return PGO_PG_FAILED;
    case PQTRANS_ACTIVE:
        return PGO_PG_BUSY;
    case PQTRANS_IDLE:
        return PGO_PG_IDLE;
    case PQTRANS_UNKNOWN:
        break;
    }
    return PGO_PG_BROKEN;
}

void pgo_pg_facts_get(const pgo_pg *conn, pgo_pg_facts *facts) {
    *facts = (pgo_pg_facts){0};
    if (!conn->pg) {
        return;
    }
    facts->server_version = PQserverVersion(conn->pg);
    facts->pid = PQbackendPID(conn->pg);
    facts->user = PQuser(conn->pg);
    facts->dbname = PQdb(conn->pg);
    facts->host = PQhost(conn->pg);
    facts->tls = PQsslInUse(conn->pg) ? PQsslAttribute(conn->pg, "protocol") : NULL;
}
