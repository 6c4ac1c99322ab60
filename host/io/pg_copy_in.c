/* COPY ... FROM STDIN: bytes from a stream to the server, in pieces as large as the stream has
 * them. libpq never holds more than one piece, and the next is taken once it has gone out, so the
 * server's pace is the producer's. Owns nothing; what comes back is pg_read.c's. */
#include "io/pg_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE 262144u

/* --- what the server says meanwhile --- */

/* Nothing is taken away. 0: nothing is there. -1: the connection has ended, which libpq will tell.
 */
static int peek(PGconn *pg, unsigned char *bytes, int size) {
    SSL *ssl = PQsslStruct(pg, "OpenSSL");
    if (!ssl) {
        ssize_t length = recv(PQsocket(pg), bytes, (size_t)size, MSG_PEEK | MSG_DONTWAIT);
        bool none = length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        return length > 0 ? (int)length : none ? 0 : -1;
    }
    int length = SSL_peek(ssl, bytes, size);
    int why = length > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, length);
    ERR_clear_error();
    bool none = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
    return length > 0 ? length : none ? 0 : -1;
}

static size_t message_length(const unsigned char *at) {
    return (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | (size_t)at[4];
}

bool pgo_pg_tells_the_end(const unsigned char *bytes, size_t length) {
    while (length >= 6) {
        size_t size = message_length(bytes);
        if (bytes[0] == 'E' || bytes[0] == 'Z') {
            return bytes[0] == 'E' ? bytes[5] == 'S' && size < (1u << 20) : size == 5;
        }
        bool passing = bytes[0] == 'N' || bytes[0] == 'S' || bytes[0] == 'A';
        if (!passing || size < 4 || size + 1 >= length) {
            return false;
        }
        bytes += size + 1;
        length -= size + 1;
    }
    return false;
}

/* A COPY that has failed on the server must not be fed to its end: the server would throw gigabytes
 * away. But in this state libpq passes on notices only; an error it keeps, and says nothing of it.
 * So what is about to be read is looked at first. (libpq reads by itself when the socket is full:
 * an error that comes in just then is found by the ReadyForQuery that follows, or else at the end.)
 */
void pgo_pg_feed_listen(pgo_pg_query *query) {
    unsigned char bytes[4096];
    pgo_pg *conn = query->conn;
    if (!conn->feeding || !conn->pg) {
        return;
    }
    int length = peek(conn->pg, bytes, sizeof bytes);
    query->heard = length != 0;
    if (length > 0 && pgo_pg_tells_the_end(bytes, (size_t)length)) {
        query->refused = true;
    }
}

bool pgo_pg_feed_silent(const pgo_pg_query *query) {
    return query->conn->feeding && !query->heard;
}

/* --- feeding --- */

/* No memory: the server would wait for ever. */
static void give_up(pgo_pg *conn) {
    conn->gave_up = true;
    pgo_pg_close(conn);
}

/* `reason` NULL: a good end. True: the answer may be read. */
static bool end(pgo_pg_query *query, const char *reason) {
    pgo_pg *conn = query->conn;
    if (PQputCopyEnd(conn->pg, reason) != 1 && PQstatus(conn->pg) == CONNECTION_OK) {
        give_up(conn);
        return false;
    }
    pgo_stream_on_data(query->feed, NULL, NULL);
    return true;
}

static bool end_with_stream(pgo_pg_query *query) {
    const pgo_err *err = NULL;
    if (!pgo_stream_ended(query->feed, &err)) {
        return false;
    }
    if (err) {
        query->feed_failed = true;
        pgo_err_copy(&query->feed_err, err);
    }
    return end(query, err ? "what was to be copied could not be read to its end" : NULL);
}

/* One piece. False: there is none, or the connection has ended. */
static bool put(pgo_pg_query *query) {
    size_t length;
    const char *data = pgo_stream_peek(query->feed, &length);
    if (!data) {
        return false;
    }
    length = length < PIECE ? length : PIECE;
    if (PQputCopyData(query->conn->pg, data, (int)length) != 1) {
        give_up(query->conn);
        return false;
    }
    query->copy_bytes += length;
    pgo_stream_consume(query->feed, length);
    return true;
}

bool pgo_pg_feed_pump(pgo_pg_query *query) {
    pgo_pg *conn = query->conn;
    if (conn->told_to_stop) { /* it looks up only when something comes */
        return end(query, "cancelled");
    }
    if (query->refused) {
        return end(query, "the COPY has failed already");
    }
    int waiting = 0;
    do {
        waiting = PQflush(conn->pg);
        if (waiting < 0 || PQstatus(conn->pg) != CONNECTION_OK) {
            return true; /* PQgetResult will tell */
        }
    } while (waiting == 0 && put(query));
    query->stalled = waiting == 0;
    return conn->pg && query->stalled && end_with_stream(query);
}

bool pgo_pg_feed_accept(pgo_pg_query *query) {
    if (!query->feed || query->copied || query->draining) {
        return false;
    }
    query->copied = query->conn->feeding = true;
    return true;
}

/* Bytes have come, or their end. */
static void on_data(pgo_stream *stream, void *arg) {
    pgo_pg_query *query = arg;
    pgo_pg *conn = query->conn;
    (void)stream;
    if (conn->feeding && query->stalled && conn->user == &query->op) {
        conn->step(conn, conn->user);
    }
}

void pgo_pg_feed_begin(pgo_pg_query *query) {
    pgo_stream_on_data(query->feed, on_data, query);
}

void pgo_pg_feed_end(pgo_pg_query *query) {
    if (!query->feed_foreign) {
        pgo_stream_on_data(query->feed, NULL, NULL);
        pgo_stream_close(query->feed); /* after a failure: the producer stops */
    }
}
