/* Statements: sent, and read row by row in bounded batches, so that a huge result neither fills the
 * memory nor holds the loop. What an op leaves unread stays on the wire; the next statement throws
 * it away first. Owns the statement's text until release; COPY's bytes are pg_copy.c's. */
#include "io/pg_private.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BATCH_ROWS 200
#define BATCH_BYTES 262144u

static pgo_pg_query *from_op(pgo_op *op) {
    return (pgo_pg_query *)(void *)op;
}

/* --- the end --- */

static void clear_rows(pgo_pg_query *query) {
    for (size_t i = 0; i < query->row_count; i++) {
        PQclear(query->rows[i]);
    }
    query->row_count = query->row_bytes = 0;
}

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
        clear_rows(query);
    }
    if (query->stream) {
        pgo_pg_copy_end(query, status ? &query->op.err : NULL);
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
    } else if (failed) {
        pgo_err_move(&query->op.err, &conn->err);
        finish(query, query->op.err.code);
    } else if (query->stream && !query->copied) {
        finish(query,
               pgo_fail(&query->op.err, PGO_E_INVALID, "not a COPY ... TO STDOUT statement"));
    } else {
        finish(query, 0);
    }
}

/* --- reading --- */

/* The first error of a statement is the one that matters. */
static void note_invalid(pgo_pg *conn, const char *message) {
    if (conn->err.code == 0) {
        pgo_fail(&conn->err, PGO_E_INVALID, "%s", message);
    }
}

static void keep_row(pgo_pg_query *query, PGresult *row) {
    pgo_pg *conn = query->conn;
    if (!conn->in_set) {
        conn->in_set = true;
        conn->sets++;
    }
    if (!query->discard && conn->sets > 1) {
        note_invalid(conn, "several of the statements return rows: run them one by one");
    }
    if (query->discard || conn->err.code != 0) {
        query->dropped = true;
        PQclear(row);
        return;
    }
    query->row_bytes += PQresultMemorySize(row);
    query->rows[query->row_count++] = row;
}

static void take_result(pgo_pg_query *query, PGresult *result) {
    pgo_pg *conn = query->conn;
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        keep_row(query, result);
        return;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        conn->in_set = false;
        conn->affected = strtoll(PQcmdTuples(result), NULL, 10);
        break;
    case PGRES_EMPTY_QUERY:
        break;
    case PGRES_COPY_OUT:
        conn->copying = true;
        if (!query->stream && !query->draining) {
            note_invalid(conn, "COPY ... TO STDOUT needs copy_out");
        }
        break;
    case PGRES_COPY_IN:
        note_invalid(conn, "COPY ... FROM STDIN cannot be used here");
        (void)PQputCopyEnd(conn->pg, "not supported");
        break;
    default:
        if (conn->err.code == 0) {
            pgo_pg_fail_query(&conn->err, conn, result);
        }
    }
    PQclear(result);
}

static bool is_full(const pgo_pg_query *query) {
    bool failed = query->conn->err.code != 0; /* its rows are not wanted any more */
    return !failed && (query->row_count >= BATCH_ROWS || query->row_bytes >= BATCH_BYTES);
}

/* Takes what libpq has in memory. `bad`: the socket is dead, so libpq will not wait, but say why.
 */
static void collect(pgo_pg_query *query, bool bad) {
    pgo_pg *conn = query->conn;
    while (conn->pg && conn->running && !is_full(query)) {
        if (conn->copying) {
            if (!pgo_pg_copy_pump(query) && (!bad || pgo_pg_copy_blocked(query))) {
                return;
            }
            conn->copying = false;
        }
        if (!bad && PQisBusy(conn->pg)) {
            return;
        }
        PGresult *result = PQgetResult(conn->pg);
        if (!result) {
            conn->running = false;
            return;
        }
        take_result(query, result);
        if (conn->err.code != 0 && query->row_count > 0) { /* nobody will get them */
            query->dropped = true;
            clear_rows(query);
        }
    }
}

static void drop_notifications(pgo_pg *conn) {
    for (PGnotify *one = PQnotifies(conn->pg); one; one = PQnotifies(conn->pg)) {
        PQfreemem(one);
    }
}

/* Reads what can be read now. Nothing new is read before all that was read has been taken: libpq's
 * memory would grow. */
static void read_some(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    collect(query, false);
    if (conn->running && query->row_count == 0 && !pgo_pg_copy_blocked(query)) {
        bool bad = !PQconsumeInput(conn->pg);
        drop_notifications(conn);
        collect(query, bad);
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
    conn->in_set = conn->copying = false;
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
    if (PQflush(conn->pg) == 1 ||
        tls_pending(conn)) { /* a socket is nearly always writable: soon */
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
    read_some(query);
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
        (void)PQflush(conn->pg);
        read_some(query);
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
    clear_rows(query);
    free(query->rows);
    free(query->values);
    query->rows = NULL;
    query->values = NULL;
    pgo_buffer_wipe(&query->text);
    pgo_stream_unref(query->stream);
    query->stream = NULL;
    pgo_pg_unref(query->conn);
    query->conn = NULL;
}

static const pgo_op_type query_type = {"pg.query", query_start, query_cancel, query_release};
static const pgo_op_type copy_type = {"pg.copy", query_start, query_cancel, query_release};

/* --- making one --- */

static int init(pgo_pg_query *query, pgo_pg *conn, const pgo_op_type *type) {
    memset(query, 0, sizeof *query);
    pgo_op_init(&query->op, type, conn->loop);
    query->conn = pgo_pg_ref(conn);
    query->rows = calloc(BATCH_ROWS, sizeof *query->rows);
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

int pgo_pg_copy_init(pgo_pg_query *query, pgo_pg *conn, const char *sql, pgo_stream *stream,
                     pgo_err *err) {
    int status = init(query, conn, &copy_type);
    query->stream = pgo_stream_ref(stream);
    query->discard = true;
    if (status || copy_texts(query, sql, 0, NULL)) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    return 0;
}

/* --- the batch --- */

size_t pgo_pg_row_count(const pgo_pg_query *query) {
    return query->row_count;
}

int pgo_pg_column_count(const pgo_pg_query *query, size_t row) {
    return PQnfields(query->rows[row]);
}

const char *pgo_pg_column_name(const pgo_pg_query *query, size_t row, int column) {
    return PQfname(query->rows[row], column);
}

const char *pgo_pg_value(const pgo_pg_query *query, size_t row, int column, size_t *length,
                         unsigned *type) {
    const PGresult *result = query->rows[row];
    *type = PQftype(result, column);
    *length = (size_t)PQgetlength(result, 0, column);
    return PQgetisnull(result, 0, column) ? NULL : PQgetvalue(result, 0, column);
}
