/* COPY ... TO STDOUT: rows from libpq straight into a stream's memory. While the stream is full
 * nothing is read, so the server waits too. Owns nothing: what does not fit stays with libpq.
 * PQgetlineAsync, old as it is, is the one call that neither allocates nor copies twice per row. */
#include "io/pg_private.h"

#include <limits.h>

static bool unwanted(const pgo_pg_query *query) {
    return !query->stream || query->draining || query->canceled || query->reader_gone;
}

/* Fills `into`. Fewer bytes than `size`: nothing more is there now; *over: nor will be. */
static size_t take(pgo_pg_query *query, char *into, size_t size, bool *over) {
    size_t taken = 0;
    while (taken < size) {
        size_t most = size - taken < INT_MAX ? size - taken : INT_MAX;
        int length = query->conn->pg ? PQgetlineAsync(query->conn->pg, into + taken, (int)most) : 0;
        if (length < 0) { /* the end, or an error that PQgetResult will tell after this: */
            char *none = NULL;
            (void)PQgetCopyData(query->conn->pg, &none, 1);
            *over = true;
        }
        if (length <= 0) {
            break;
        }
        taken += (size_t)length;
    }
    return taken;
}

static bool throw_away(pgo_pg_query *query) {
    char nowhere[8192];
    bool over = false;
    size_t taken;
    do {
        taken = take(query, nowhere, sizeof nowhere, &over);
        query->dropped = query->dropped || taken > 0;
    } while (taken == sizeof nowhere);
    return over;
}

bool pgo_pg_copy_pump(pgo_pg_query *query) {
    bool over = false;
    size_t room = 0, taken = 0;
    query->stalled = false;
    query->copied = !query->draining;
    if (query->stream && pgo_stream_closed(query->stream) && !query->reader_gone) {
        query->reader_gone = true;
        pgo_pg_stop_begin(query->conn);
    }
    while (!over && taken == room && !unwanted(query)) {
        char *into = pgo_stream_reserve(query->stream, &room);
        if (!into) {
            query->stalled = true;
            return false;
        }
        taken = take(query, into, room, &over);
        pgo_stream_commit(query->stream, taken);
        query->copy_bytes += taken;
    }
    return over || (unwanted(query) && throw_away(query));
}

bool pgo_pg_copy_blocked(const pgo_pg_query *query) {
    return query->stalled && !unwanted(query) && !pgo_stream_closed(query->stream);
}

/* Room has appeared, or the reader has gone. */
static void on_room(pgo_stream *stream, void *arg) {
    pgo_pg_query *query = arg;
    pgo_pg *conn = query->conn;
    bool waiting = query->stalled || pgo_stream_closed(stream);
    if (waiting && conn->user == &query->op) {
        conn->step(conn, conn->user);
    }
}

void pgo_pg_copy_begin(pgo_pg_query *query) {
    pgo_stream_on_room(query->stream, on_room, query);
}

void pgo_pg_copy_end(pgo_pg_query *query, const pgo_err *err) {
    pgo_stream_on_room(query->stream, NULL, NULL);
    pgo_stream_end(query->stream, err);
}
