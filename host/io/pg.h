/* PostgreSQL on the loop: connect, query, stream rows, COPY out and in, cancel, close.
 * One connection serves one op at a time; a second is refused with PGO_E_INVALID. libpq does the
 * protocol, always non-blocking. No message ever holds a password or the text of a statement. */
#ifndef PGO_IO_PG_H
#define PGO_IO_PG_H

#include "core/buffer.h"
#include "core/op.h"
#include "core/stream.h"

#include <stdint.h>

typedef struct pgo_pg pgo_pg; /* a connection; counted references */
typedef struct pgo_pg_params pgo_pg_params;

/* Everything is copied. NULL or "" means: libpq's own default. */
typedef struct pgo_pg_options {
    const char *host; /* a name, an address, a socket directory; or a comma list of them */
    const char *port; /* one, or as many as hosts */
    const char *user, *password, *dbname;
    const char *sslmode;      /* default: verify-full when there is a ca_pem */
    const char *ca_pem;       /* certificates that the server's must be signed by */
    const char *const *extra; /* further libpq settings: keyword, value, ..., NULL; may be NULL */
    double connect_timeout;   /* seconds, name lookup included; 0: 10 */
} pgo_pg_options;

/* libpq's own version, as PostgreSQL counts: 150013 is 15.13. Any thread. */
int pgo_pg_library_version(void);

/* --- connecting --- */
typedef struct pgo_pg_connect {
    pgo_op op;
    pgo_pg *
        conn; /* after success: one reference, which release drops unless it was taken (set NULL) */
    /* private */
    pgo_pg_params *params;
    struct pgo_pg_lookup *lookup;
    uv_timer_t *timer;
    pgo_buffer hosts, addresses, ports;
    size_t next, count;
    double timeout;
    int ca_fd;
    char ca_path[32]; /* of ca_fd, for libpq; "": there is no CA */
    pgo_err lookup_err;
} pgo_pg_connect;

/* Fails with PGO_E_INVALID for settings that cannot be right, PGO_E_NOMEM. Op errors:
 * PGO_E_DNS, PGO_E_PG_CONNECT, PGO_E_PG_AUTH, PGO_E_TLS, PGO_E_INVALID, PGO_E_CANCELED. */
int pgo_pg_connect_init(pgo_pg_connect *connect, pgo_loop *loop, const pgo_pg_options *options,
                        pgo_err *err) PGO_MUSTCHECK;
/* A second connection with the settings of `like`. */
void pgo_pg_connect_init_like(pgo_pg_connect *connect, const pgo_pg *like, double timeout);

pgo_pg *pgo_pg_ref(pgo_pg *conn);
void pgo_pg_unref(pgo_pg *conn); /* the last one closes it; NULL is fine */
/* Idempotent, at any time: an op at work on it completes with PGO_E_CLOSED. Finishes by the loop.
 */
void pgo_pg_close(pgo_pg *conn);

enum pgo_pg_state {
    PGO_PG_CLOSED, /* by us */
    PGO_PG_BROKEN, /* by the other side */
    PGO_PG_BUSY,   /* a statement is running, or its rows were not all read */
    PGO_PG_IDLE,
    PGO_PG_TRANSACTION, /* inside a transaction */
    PGO_PG_FAILED       /* inside a transaction that failed: only ROLLBACK helps */
};
enum pgo_pg_state pgo_pg_state(const pgo_pg *conn);

typedef struct pgo_pg_facts {
    int server_version;                     /* 150018 */
    int pid;                                /* of the server process */
    const char *user, *dbname, *host, *tls; /* tls: "TLSv1.3" or NULL. Valid until close */
} pgo_pg_facts;
void pgo_pg_facts_get(const pgo_pg *conn, pgo_pg_facts *facts); /* zeroes after close */

/* The last 100 notices, oldest first: one line each. NULL when there is no such one. */
const char *pgo_pg_notice(const pgo_pg *conn, size_t index);

/* --- queries --- */
enum { PGO_PG_DISCARD = 1 }; /* rows are read and thrown away; the op completes at the end */

typedef struct pgo_pg_query {
    pgo_op op;
    /* after success */
    bool finished;        /* false: there is more, ask with pgo_pg_query_init_next */
    unsigned long serial; /* names the statement */
    int64_t affected; /* once finished: rows that the last statement inserted, changed, returned */
    uint64_t copy_bytes; /* of a COPY: out of the server, or into it */
    /* private */
    pgo_pg *conn;
    pgo_buffer text; /* the statement and its parameters */
    const char **values;
    int value_count;
    bool next, discard, sent, draining, canceled, dropped;
    void **rows; /* PGresult of one row each */
    size_t row_count, row_bytes;
    pgo_stream *stream; /* COPY out goes there */
    bool copied, reader_gone;
    pgo_stream *feed; /* COPY in comes from there */
    bool feed_foreign, feed_failed, heard, refused;
    bool stalled; /* it is the stream that is waited for, not the server */
    pgo_err feed_err;
} pgo_pg_query;

/* Completes with the first batch of rows (bounded), or at the end. With count 0 several statements
 * may be given, separated by semicolons; at most one of them may return rows unless they are
 * discarded. A NULL value is SQL NULL; values must hold no zero byte. All is copied, and wiped on
 * release. Rows left from an earlier statement are thrown away first. Op errors: PGO_E_PG_QUERY
 * (sqlstate, detail), PGO_E_PG_LOST, PGO_E_CLOSED, PGO_E_CANCELED (the statement was stopped, the
 * connection is usable), PGO_E_INVALID. */
int pgo_pg_query_init(pgo_pg_query *query, pgo_pg *conn, int flags, const char *sql, size_t count,
                      const char *const *values, pgo_err *err) PGO_MUSTCHECK;
/* The next batch of the statement `serial`; PGO_E_INVALID when another was begun in between. */
int pgo_pg_query_init_next(pgo_pg_query *query, pgo_pg *conn, unsigned long serial, int flags,
                           pgo_err *err) PGO_MUSTCHECK;
/* COPY ... TO STDOUT into `stream` (a reference is taken), which is ended, with the error if there
 * is one. PGO_E_CLOSED when its consumer gives up: the statement is then cancelled. */
int pgo_pg_copy_init(pgo_pg_query *query, pgo_pg *conn, const char *sql, pgo_stream *stream,
                     pgo_err *err) PGO_MUSTCHECK;
/* COPY ... FROM STDIN out of `stream` (a reference is taken) until its end; `affected` is the
 * number of rows. A bad end of the stream aborts the COPY and is the op's error. When the COPY
 * fails the stream is closed, so that its producer stops. */
int pgo_pg_copy_in_init(pgo_pg_query *query, pgo_pg *conn, const char *sql, pgo_stream *stream,
                        pgo_err *err) PGO_MUSTCHECK;

/* The batch; valid until release. */
size_t pgo_pg_row_count(const pgo_pg_query *query);
int pgo_pg_column_count(const pgo_pg_query *query, size_t row);
const char *pgo_pg_column_name(const pgo_pg_query *query, size_t row, int column);
/* Text form, NULL for SQL NULL; *type is the type's oid. */
const char *pgo_pg_value(const pgo_pg_query *query, size_t row, int column, size_t *length,
                         unsigned *type);

/* --- cancelling what runs --- */
typedef struct pgo_pg_cancel {
    pgo_op op;
    bool sent; /* after success: the server was told; false: nothing was running */
    /* private */
    pgo_pg *victim, *second;
    pgo_pg_connect connect;
    pgo_pg_query query;
    bool connecting, querying;
    struct pgo_pg_last_resort *last;
    uv_timer_t *timer;
} pgo_pg_cancel;

/* From any task: over a second connection within 5 s, else by PQcancel within another 5 s. The op
 * at work on `conn` then fails with sqlstate 57014. */
void pgo_pg_cancel_init(pgo_pg_cancel *cancel, pgo_pg *conn);

/* --- text --- */
/* Visits the settings of "postgres://..." or "host=... dbname=...". PGO_E_INVALID messages never
 * show any part of `uri`. */
int pgo_pg_uri_parse(const char *uri,
                     void (*visit)(void *arg, const char *keyword, const char *value), void *arg,
                     pgo_err *err) PGO_MUSTCHECK;
/* PGSSLMODE for "sslmode"; NULL when there is none. Static. */
const char *pgo_pg_env_name(const char *keyword);
/* Appends text as an SQL literal. */
int pgo_pg_literal(pgo_buffer *out, const char *text, size_t length) PGO_MUSTCHECK;
/* Writes a CA to a new 0600 file in dir, for a client program; *path is the caller's to free. */
int pgo_pg_ca_write(const char *dir, const char *pem, char **path, pgo_err *err) PGO_MUSTCHECK;

#endif
