/* Statements: sent, read to their end or to the end of a batch, cancelled. What an op leaves unread
 * stays on the wire; the next statement throws it away first. Owns the statement's text until
 * release; reading is pg_read.c's, COPY's bytes are pg_copy.c's. */
#include "io/pg_private.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static pgo_pg_query *from_op(pgo_op *op) {
    return (pgo_pg_query *)(void *)op;
}

/* --- the end --- */

/* op.err is filled if status is not 0. */
static void finish(pgo_pg_query *query, int status) {
    pgo_pg *conn = query->conn;
    if (conn->user == &query->op) {
        conn->user = NULL;
        conn->step = NULL;
        pgo_pg_stop_end(conn);
        pgo_pg_unwatch(conn); /* an idle connection holds no handle of the loop's */
    }
    if (status) {
        pgo_pg_rows_clear(query);
    }
    if (query->stream) {
        pgo_pg_copy_end(query, status ? &query->op.err : NULL);
    }
    if (query->feed) {
        pgo_pg_feed_end(query);
    }
    pgo_op_complete(&query->op, status);
}

static void finish_canceled(pgo_pg_query *query) {
    finish(query, pgo_fail(&query->op.err, PGO_E_CANCELED, "the statement was cancelled"));
}

static void finish_closed(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    if (query->canceled) {
        finish_canceled(query);
    } else if (conn->gave_up) {
        pgo_fail(&query->op.err, PGO_E_PG_LOST,
                 "the connection to %s was given up: "
                 "what ran on it could not be stopped",
                 conn->params->where);
        query->op.err.retryable = true;
        finish(query, PGO_E_PG_LOST);
    } else {
        finish(query, pgo_fail(&query->op.err, PGO_E_CLOSED, "the connection to %s was closed",
                               conn->params->where));
    }
}

/* The statement was read to its end. */
static void finish_read(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    bool failed = conn->err.code != 0;
    query->finished = true;
    query->affected = conn->affected;
    if (query->canceled && (failed || query->dropped)) {
        finish_canceled(query);
    } else if (query->reader_gone) {
        finish(query, pgo_fail(&query->op.err, PGO_E_CLOSED, "the reader of the COPY has gone"));
    } else if (query->feed_failed) { /* the server only repeats that it was aborted */
        pgo_err_move(&query->op.err, &query->feed_err);
        finish(query, query->op.err.code);
    } else if (failed) {
        pgo_err_move(&query->op.err, &conn->err);
        finish(query, query->op.err.code);
    } else if ((query->stream || query->feed) && !query->copied) {
        finish(query, pgo_fail(&query->op.err, PGO_E_INVALID, "not a COPY ... %s statement",
                               query->stream ? "TO STDOUT" : "FROM STDIN"));
    } else {
        finish(query, 0);
    }
}

/* --- sending --- */

/* Whether dropping the statement half-read changes nothing: a plain read. (Of INSERT ... RETURNING
 * a cancel would undo the insert, inside a transaction any cancel would fail it.) */
static bool is_read(const char *sql) {
    static const char *const words[] = {"select", "table", "values", NULL};
    sql += strspn(sql, " \t\r\n(");
    for (size_t i = 0; words[i]; i++) {
        if (strncasecmp(sql, words[i], strlen(words[i])) == 0) {
            return true;
        }
    }
    return false;
}

static int send_statement(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    const char *sql = query->text.data;
    conn->safe_to_cancel = PQtransactionStatus(conn->pg) == PQTRANS_IDLE && is_read(sql);
    int sent = query->value_count > 0 ? PQsendQueryParams(conn->pg, sql, query->value_count, NULL,
                                                          query->values, NULL, NULL, 0)
                                      : PQsendQuery(conn->pg, sql);
    if (!sent || !PQsetSingleRowMode(conn->pg)) {
        return pgo_pg_fail_query(&query->op.err, conn, NULL);
    }
    pgo_err_clear(&conn->err);
    conn->affected = 0;
    conn->sets = 0;
    conn->in_set = conn->copying = conn->feeding = conn->told_to_stop = false;
    conn->running = query->sent = true;
    query->serial = ++conn->serial;
    return 0;
}

/* --- the state machine --- */

/* Decrypted bytes that libpq had no room for. No poll reports them, the socket being empty already.
 */
static bool tls_pending(const pgo_pg *conn) {
    SSL *ssl = PQsslStruct(conn->pg, "OpenSSL");
    return ssl && SSL_pending(ssl) > 0;
}

static void wait_for_more(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    if (!conn->running || pgo_pg_copy_blocked(query)) { /* for a cancel, or for room */
        pgo_pg_pause(conn);
        return;
    }
    int events = UV_READABLE;
    bool unsent = PQflush(conn->pg) == 1 || (conn->feeding && !query->stalled);
    if (unsent || tls_pending(conn)) { /* a socket is nearly always writable: soon */
        events |= UV_WRITABLE;
    }
    if (pgo_pg_watch(conn, events, &query->op.err)) {
        conn->gave_up = true; /* it can be waited for no more */
        pgo_pg_close(conn);
    }
}

/* What an earlier statement left is thrown away. True when nothing is left of it. */
static bool drained(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    bool discard = query->discard;
    query->discard = true;
    pgo_pg_read_some(query);
    query->discard = discard;
    if (conn->running || conn->cancels > 0) {
        return false;
    }
    pgo_pg_stop_end(conn);
    query->draining = query->dropped = false;
    return true;
}

/* False when it finished instead. */
static bool begun(pgo_pg_query *query) {
    if (query->canceled) {
        finish_canceled(query);
        return false;
    }
    if (send_statement(query)) {
        finish(query, query->op.err.code);
        return false;
    }
    return true;
}

static void query_step(pgo_pg *conn, pgo_op *op) {
    pgo_pg_query *query = from_op(op);
    if (!conn->pg) {
        finish_closed(query);
        return;
    }
    if (query->draining && !drained(query)) {
        wait_for_more(query);
        return;
    }
    if (!conn->pg || (!query->next && !query->sent && !begun(query))) {
        return; /* finished meanwhile */
    }
    if (conn->running) {
        if (!conn->feeding) { /* feeding listens first */
            (void)PQflush(conn->pg);
        }
        pgo_pg_read_some(query);
    }
    if (conn->pg && conn->running && query->row_count > 0 && conn->err.code == 0) {
        finish(query, 0);
    } else if (conn->pg && !conn->running && conn->cancels == 0) {
        finish_read(query);
    } else if (conn->pg) {
        wait_for_more(query);
    }
}

static bool refuse(pgo_pg_query *query) {
    const pgo_pg *conn = query->conn;
    pgo_err *err = &query->op.err;
    query->feed_foreign = query->feed && pgo_stream_is_read(query->feed); /* whatever else is so */
    if (!conn->pg) {
        finish_closed(query);
    } else if (conn->user) {
        finish(query, pgo_fail(err, PGO_E_INVALID,
                               "two tasks use the connection to %s at once: "
                               "each needs its own",
                               conn->params->where));
    } else if (query->next && query->serial != conn->serial) {
        finish(query, pgo_fail(err, PGO_E_INVALID,
                               "another statement was run on the connection while "
                               "rows were being read from it: use a second connection"));
    } else if (query->feed_foreign) {
        finish(query, pgo_fail(err, PGO_E_INVALID, "the stream is being read already"));
    } else {
        return false;
    }
    return true;
}

static void query_start(pgo_op *op) {
    pgo_pg_query *query = from_op(op);
    pgo_pg *conn = query->conn;
    if (refuse(query)) {
        return;
    }
    conn->user = op;
    conn->step = query_step;
    if (query->stream) {
        pgo_pg_copy_begin(query);
    }
    if (query->feed) {
        pgo_pg_feed_begin(query);
    }
    if (!query->next && (conn->running || conn->cancels > 0)) {
        query->draining = true;
        if (conn->safe_to_cancel) {
            pgo_pg_stop_begin(conn);
        }
    }
    if (conn->user == op) { /* not closed meanwhile */
        query_step(conn, op);
    }
}

static void query_cancel(pgo_op *op) {
    pgo_pg_query *query = from_op(op);
    query->canceled = true;
    query->discard = true;
    pgo_pg_stop_begin(query->conn);
}

static void query_release(pgo_op *op) {
    pgo_pg_query *query = from_op(op);
    pgo_pg_rows_clear(query);
    free(query->rows);
    free(query->values);
    query->rows = NULL;
    query->values = NULL;
    pgo_buffer_wipe(&query->text);
    pgo_stream_unref(query->stream);
    pgo_stream_unref(query->feed);
    query->stream = query->feed = NULL;
    pgo_err_clear(&query->feed_err);
    pgo_pg_unref(query->conn);
    query->conn = NULL;
}

static const pgo_op_type query_type = {"pg.query", query_start, query_cancel, query_release};
static const pgo_op_type copy_type = {"pg.copy", query_start, query_cancel, query_release};
static const pgo_op_type copy_in_type = {"pg.copy_in", query_start, query_cancel, query_release};

/* --- making one --- */

static int init(pgo_pg_query *query, pgo_pg *conn, const pgo_op_type *type) {
    memset(query, 0, sizeof *query);
    pgo_op_init(&query->op, type, conn->loop);
    query->conn = pgo_pg_ref(conn);
    query->rows = calloc(PGO_PG_BATCH_ROWS, sizeof *query->rows);
    return query->rows ? 0 : PGO_E_NOMEM;
}

/* One block for all texts, sized first, so that no copy of a secret is left behind by growing. */
static int copy_texts(pgo_pg_query *query, const char *sql, size_t count,
                      const char *const *values) {
    size_t total = strlen(sql) + 1;
    for (size_t i = 0; i < count; i++) {
        total += values[i] ? strlen(values[i]) + 1 : 0;
    }
    query->values = calloc(count + 1, sizeof *query->values);
    if (!query->values || pgo_buffer_reserve(&query->text, total) ||
        pgo_buffer_append(&query->text, sql, strlen(sql) + 1)) {
        return PGO_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (values[i]) {
            query->values[i] = query->text.data + query->text.length;
            if (pgo_buffer_append(&query->text, values[i], strlen(values[i]) + 1)) {
                return PGO_E_NOMEM;
            }
        }
    }
    query->value_count = (int)count;
    return 0;
}

int pgo_pg_query_init(pgo_pg_query *query, pgo_pg *conn, int flags, const char *sql, size_t count,
                      const char *const *values, pgo_err *err) {
    int status = init(query, conn, &query_type);
    query->discard = (flags & PGO_PG_DISCARD) != 0;
    if (count > 65535) {
        return pgo_fail(err, PGO_E_INVALID, "a statement takes at most 65535 parameters");
    }
    if (status || copy_texts(query, sql, count, values)) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    return 0;
}

int pgo_pg_query_init_next(pgo_pg_query *query, pgo_pg *conn, unsigned long serial, int flags,
                           pgo_err *err) {
    if (init(query, conn, &query_type)) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    query->discard = (flags & PGO_PG_DISCARD) != 0;
    query->next = true;
    query->serial = serial;
    return 0;
}

/* Rows of any statement but the COPY are thrown away. */
static int init_copy(pgo_pg_query *query, pgo_pg *conn, const pgo_op_type *type, const char *sql,
                     pgo_err *err) {
    int status = init(query, conn, type);
    query->discard = true;
    if (status || copy_texts(query, sql, 0, NULL)) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    return 0;
}

int pgo_pg_copy_init(pgo_pg_query *query, pgo_pg *conn, const char *sql, pgo_stream *stream,
                     pgo_err *err) {
    int status = init_copy(query, conn, &copy_type, sql, err);
    query->stream = pgo_stream_ref(stream);
    return status;
}

int pgo_pg_copy_in_init(pgo_pg_query *query, pgo_pg *conn, const char *sql, pgo_stream *stream,
                        pgo_err *err) {
    int status = init_copy(query, conn, &copy_in_type, sql, err);
    query->feed = pgo_stream_ref(stream);
    return status;
}
