/* What comes back of a statement: rows one by one into a bounded batch, so that a huge result
 * neither fills the memory nor holds the loop; counts; the first error. Owns the batch's rows. */
#include "io/pg_private.h"

#include <stdlib.h>

#define BATCH_BYTES 262144u
#define COPY_READS 16 /* libpq takes 16 KiB at a time: what a stream holds */

void pgo_pg_rows_clear(pgo_pg_query *query) {
    for (size_t i = 0; i < query->row_count; i++) {
        PQclear(query->rows[i]);
    }
    query->row_count = query->row_bytes = 0;
}

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

static void refuse_data(pgo_pg *conn) {
    if (PQputCopyEnd(conn->pg, "nothing is there to be copied") != 1) {
        conn->gave_up = true; /* it would ask for ever */
        pgo_pg_close(conn);
    }
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
        if (!pgo_pg_feed_accept(query)) {
            note_invalid(conn, "COPY ... FROM STDIN needs copy_in, one for each");
            refuse_data(conn);
        }
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
    return !failed && (query->row_count >= PGO_PG_BATCH_ROWS || query->row_bytes >= BATCH_BYTES);
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
        if (conn->feeding) {
            if (!pgo_pg_feed_pump(query) && !bad) {
                return;
            }
            conn->feeding = false;
            continue; /* it may have been closed */
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
            pgo_pg_rows_clear(query);
        }
    }
}

static void drop_notifications(pgo_pg *conn) {
    for (PGnotify *one = PQnotifies(conn->pg); one; one = PQnotifies(conn->pg)) {
        PQfreemem(one);
    }
}

static bool may_read(const pgo_pg_query *query) {
    bool waits = pgo_pg_copy_blocked(query) || pgo_pg_feed_silent(query);
    return query->conn->running && query->row_count == 0 && !waits;
}

void pgo_pg_read_some(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    uint64_t before;
    pgo_pg_feed_listen(query);
    collect(query, false);
    int reads = 0;
    do { /* of COPY all that is there, not 16 KiB for each turn of the loop */
        before = query->copy_bytes;
        if (may_read(query)) {
            bool bad = !PQconsumeInput(conn->pg);
            drop_notifications(conn);
            collect(query, bad);
        }
    } while (conn->copying && query->copy_bytes > before && ++reads < COPY_READS);
}

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
