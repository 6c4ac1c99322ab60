/* What the pg_*.c files share and nobody else sees. */
#ifndef PGO_IO_PG_PRIVATE_H
#define PGO_IO_PG_PRIVATE_H

#include "io/pg.h"

#include <libpq-fe.h>

#define PGO_PG_NOTICES 100

/* How to connect. Shared by a connection and those that cancel for it. */
struct pgo_pg_params {
    unsigned refs;
    char *host, *port;         /* comma lists; "" for libpq's default */
    char **keywords, **values; /* all else that goes to libpq; owned; NULL at the end */
    size_t count;
    char *ca_pem; /* NULL: none */
    double timeout;
    char *where; /* "host:port/dbname as user" for messages */
};

int pgo_pg_params_new(pgo_pg_params **params, const pgo_pg_options *options,
                      pgo_err *err) PGO_MUSTCHECK;
pgo_pg_params *pgo_pg_params_ref(pgo_pg_params *params);
void pgo_pg_params_unref(pgo_pg_params *params); /* the last one wipes what is secret */

struct pgo_pg {
    unsigned refs;
    pgo_loop *loop;
    PGconn *pg; /* NULL once closed */
    pgo_pg_params *params;
    uv_poll_t *poll; /* freed by its close callback */
    int watched;     /* events that it waits for */
    pgo_op *user;    /* the op at work */
    /* Called when the socket is ready, a cancel has settled, or the connection was closed. */
    void (*step)(pgo_pg *conn, pgo_op *user);
    unsigned long serial;          /* of the last statement sent */
    unsigned sets;                 /* sets of rows seen of it */
    bool in_set, copying;          /* what of it comes now */
    bool feeding;                  /* it takes COPY data now */
    bool told_to_stop;             /* the server was */
    bool running;                  /* it has not been read to its end */
    bool safe_to_cancel;           /* it is a plain read outside a transaction */
    bool gave_up;                  /* closed because what ran could not be stopped */
    int64_t affected;              /* of it */
    pgo_err err;                   /* of it: the first */
    unsigned cancels;              /* on their way to the server: none may hit a later statement */
    struct pgo_pg_stop *stop;      /* the cancel that an op of this connection began itself */
    char *notices[PGO_PG_NOTICES]; /* ring */
    size_t notice_count;
};

pgo_pg *pgo_pg_new(pgo_loop *loop, pgo_pg_params *params); /* NULL: out of memory */
/* Waits for UV_READABLE and UV_WRITABLE. */
int pgo_pg_watch(pgo_pg *conn, int events, pgo_err *err) PGO_MUSTCHECK;
void pgo_pg_pause(pgo_pg *conn); /* waits for neither */
/* Gives the poll handle up. Before whatever may close the socket: libuv must let go of it first. */
void pgo_pg_unwatch(pgo_pg *conn);
void pgo_pg_notice_receive(void *conn, const PGresult *result);

/* A one-shot timer on the heap; NULL when it cannot be had. Stop frees it by the loop. */
uv_timer_t *pgo_pg_timer(pgo_loop *loop, double seconds, uv_timer_cb fired, void *data);
void pgo_pg_timer_stop(uv_timer_t **timer);

/* Puts a CA where libpq can read it by a path, but not in a file; *fd is the caller's to close. */
int pgo_pg_ca_open(const char *pem, int *fd, char *path, size_t size, pgo_err *err) PGO_MUSTCHECK;

/* --- errors --- */
/* libpq's text as one line, without the "ERROR:  " furniture; owned by the caller, NULL: no memory.
 */
char *pgo_pg_one_line(const char *text);
/* A failed connection attempt, from libpq's verbose text. */
int pgo_pg_fail_connect(pgo_err *err, const pgo_pg_params *params, const char *text);
/* A failed statement. `result` may be NULL: then it is the connection that failed. */
int pgo_pg_fail_query(pgo_err *err, const pgo_pg *conn, const PGresult *result);

/* --- query, copy --- */
#define PGO_PG_BATCH_ROWS 200
/* Reads what can be read now. Nothing new is read before all that was read has been taken: libpq's
 * memory would grow. */
void pgo_pg_read_some(pgo_pg_query *query);
void pgo_pg_rows_clear(pgo_pg_query *query);
/* Moves what is there into the stream, or nowhere. True at the end of the rows. */
bool pgo_pg_copy_pump(pgo_pg_query *query);
/* Room is waited for: nothing may be read from the server now. */
bool pgo_pg_copy_blocked(const pgo_pg_query *query);
void pgo_pg_copy_begin(pgo_pg_query *query);
void pgo_pg_copy_end(pgo_pg_query *query, const pgo_err *err);
/* COPY ... FROM STDIN. The server asks for data: false when this op has none to give. */
bool pgo_pg_feed_accept(pgo_pg_query *query);
/* Notes what the server is about to say. Before anything that reads. */
void pgo_pg_feed_listen(pgo_pg_query *query);
/* Data is given, and nothing has come back: there is nothing to read. */
bool pgo_pg_feed_silent(const pgo_pg_query *query);
/* Moves what can be moved to the server. True when the end was sent, or the connection lost. */
bool pgo_pg_feed_pump(pgo_pg_query *query);
/* Whether these bytes, the beginning of some messages, hold the end of the COPY: an ErrorResponse,
 * or the ReadyForQuery after one. */
bool pgo_pg_tells_the_end(const unsigned char *bytes, size_t length);
void pgo_pg_feed_begin(pgo_pg_query *query);
void pgo_pg_feed_end(pgo_pg_query *query);
/* Cancels the running statement on behalf of its own op; closes the connection if that fails. */
void pgo_pg_stop_begin(pgo_pg *conn);
void pgo_pg_stop_end(pgo_pg *conn);

#endif
