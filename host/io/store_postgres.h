/* The parts of the record's PostgreSQL home: the link (store_postgres_link.c: connecting, what
 * errors mean; store_postgres_run.c: one statement) and the requests (store_postgres.c:
 * transactions, what is repeated). */
#ifndef PGO_IO_STORE_POSTGRES_H
#define PGO_IO_STORE_POSTGRES_H

#include "io/store_home.h"

#include <libpq-fe.h>

#define PGO_LINK_SETTINGS 64

typedef struct pgo_link {
    pgo_store_home home;
    PGconn *conn;                                                          /* NULL: not connected */
    char *keywords[PGO_LINK_SETTINGS + 1], *values[PGO_LINK_SETTINGS + 1]; /* owned, wiped */
    size_t count;
    char *where;   /* "host:port/database as user" for messages */
    bool given_up; /* the last request waited in vain: those that follow try once */
} pgo_link;

/* What is known of something that failed. */
enum pgo_link_end {
    PGO_LINK_DONE,
    PGO_LINK_REFUSED, /* by the server, or it can never work: there is no use in trying again */
    PGO_LINK_AGAIN,   /* another transaction was in the way; this one was rolled back */
    PGO_LINK_LOST     /* the connection is gone */
};

/* Takes the settings of op->place; connects to nothing. */
int pgo_link_init(pgo_link *link, pgo_store_op *op) PGO_MUSTCHECK;
void pgo_link_free(pgo_link *link); /* what it holds, not itself */

/* Connects unless it is connected. LOST: worth another try. Fills op->op.err. */
enum pgo_link_end pgo_link_connect(pgo_link *link, pgo_store_op *op);
void pgo_link_drop(pgo_link *link); /* without a word to the server */

/* Runs one statement, or several without parameters. The answer goes to op->rows and op->changes.
 * Waits for a bounded time. */
enum pgo_link_end pgo_link_run(pgo_link *link, pgo_store_op *op,
                               const pgo_store_statement *statement);
/* The same without a trace in op but its error. *value: the first column of the last row set's
 * first row, "" when there is none; may be NULL. */
enum pgo_link_end pgo_link_value(pgo_link *link, pgo_store_op *op, const char *sql, char *value,
                                 size_t size);

/* Both fill op->op.err. A lost connection is dropped. */
enum pgo_link_end pgo_link_failed(pgo_link *link, pgo_store_op *op, const PGresult *result);
enum pgo_link_end pgo_link_lost(pgo_link *link, pgo_store_op *op, const char *text);

#endif
