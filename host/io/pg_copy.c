/* COPY ... TO STDOUT: rows from libpq into a stream. While the stream is full nothing is read, so
 * the server waits too. Owns the one row that did not fit. */
#include "io/pg_private.h"

static bool unwanted(const pgo_pg_query *query) {
    return !query->stream || query->draining || query->canceled || query->reader_gone;
}

static void drop_chunk(pgo_pg_query *query) {
    PQfreemem(query->chunk);
    query->chunk = NULL;
}

/* True when the row that is held has gone. */
static bool push_chunk(pgo_pg_query *query) {
    if (!query->chunk) {
        return true;
    }
    if (pgo_stream_closed(query->stream) && !query->reader_gone) {
        query->reader_gone = true;
        pgo_pg_stop_begin(query->conn);
    }
    if (!unwanted(query)) {
        query->chunk_offset += pgo_stream_write(query->stream, query->chunk + query->chunk_offset,
                                                query->chunk_length - query->chunk_offset);
        if (query->chunk_offset < query->chunk_length) {
            return false;
        }
    }
    drop_chunk(query);
    return true;
}

bool pgo_pg_copy_pump(pgo_pg_query *query) {
    query->copied = !query->draining;
    while (push_chunk(query)) {
        char *row = NULL;
        int length = query->conn->pg ? PQgetCopyData(query->conn->pg, &row, 1) : 0;
        if (length == 0) {
            return false;
        }
        if (length < 0) { /* the end, or an error that PQgetResult will tell */
            return true;
        }
        if (unwanted(query)) {
            query->dropped = true;
            PQfreemem(row);
            continue;
        }
        query->chunk = row;
        query->chunk_length = (size_t)length;
        query->chunk_offset = 0;
        query->copy_bytes += query->chunk_length;
    }
    return false;
}

bool pgo_pg_copy_blocked(const pgo_pg_query *query) {
    return query->chunk != NULL && !unwanted(query) && !pgo_stream_closed(query->stream);
}

/* Room has appeared, or the reader has gone. */
static void on_room(pgo_stream *stream, void *arg) {
    pgo_pg_query *query = arg;
    pgo_pg *conn = query->conn;
    bool waiting = query->chunk != NULL || pgo_stream_closed(stream);
    if (waiting && conn->user == &query->op) {
        conn->step(conn, conn->user);
    }
}

void pgo_pg_copy_begin(pgo_pg_query *query) {
    pgo_stream_on_room(query->stream, on_room, query);
}

void pgo_pg_copy_end(pgo_pg_query *query, const pgo_err *err) {
    drop_chunk(query);
    pgo_stream_on_room(query->stream, NULL, NULL);
    pgo_stream_end(query->stream, err);
}
