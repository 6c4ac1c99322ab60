/* The durable record: one SQLite file or one schema of a PostgreSQL database, on one thread of its
 * own, so that neither an fsync nor a slow server holds the loop. Requests are served in order. A
 * batch is one transaction and is on the disk once its op is done. The SQL is what both understand,
 * with parameters $1, $2, ... Knows tables and rows, nothing of runs and steps. */
#ifndef PGO_IO_STORE_H
#define PGO_IO_STORE_H

#include "core/op.h"

#include <stdint.h>

typedef struct pgo_store pgo_store;

typedef struct pgo_store_value {
    enum { PGO_STORE_NULL, PGO_STORE_INTEGER, PGO_STORE_REAL, PGO_STORE_TEXT } type;
    int64_t integer;
    double real;
    char *text; /* owned, NUL-terminated; NULL unless type is TEXT */
    size_t length;
} pgo_store_value;

typedef struct pgo_store_statement {
    char *sql;               /* owned; may hold several statements, which share the parameters */
    pgo_store_value *params; /* $1 is params[0] */
    size_t count, capacity;
    int needs; /* PGO_E_... when the statement touches no row; 0: it need not */
} pgo_store_statement;

typedef struct pgo_store_rows {
    size_t columns, count, capacity; /* count and capacity in rows */
    char **names;                    /* one for each column */
    pgo_store_value *values;         /* count * columns, row by row */
} pgo_store_rows;

/* A request. Fill it between init and pgo_op_start; read the answer after done. */
typedef struct pgo_store_op {
    pgo_op op;
    pgo_store *store; /* its own reference */
    enum { PGO_STORE_OPEN, PGO_STORE_BATCH, PGO_STORE_QUERY } kind;
    char *place;                     /* open; wiped on release */
    pgo_store_statement *statements; /* batch, query */
    size_t count, capacity;
    pgo_store_rows rows; /* answer of the last statement that gives rows */
    int64_t changes;     /* rows changed by the last statement that changes any */
    int64_t touched;     /* private: rows given or changed by the statement at hand */
    int status;
    struct pgo_store_op *next;
} pgo_store_op;

/* Starts the thread. One reference for the caller. */
int pgo_store_new(pgo_store **store, pgo_loop *loop, pgo_err *err) PGO_MUSTCHECK;
pgo_store *pgo_store_ref(pgo_store *store);
/* The last one closes the database, joins the thread and closes the handle (needs one more run of
 * the loop). Every op holds a reference until it is released. NULL is fine. */
void pgo_store_unref(pgo_store *store);

/* A path: opens or creates the file (0600) and the folders above it (0700). postgres://...:
 * connects with what the URL says; names in SQL are then those of the schema pgorch, which a batch
 * may make. No error shows any part of the URL but host, port, database and user. */
int pgo_store_open(pgo_store_op *op, pgo_store *store, const char *place) PGO_MUSTCHECK;
/* kind BATCH: all statements in one transaction, or none; no two batches of the same record run at
 * the same time, wherever they come from. kind QUERY: reads, without a transaction of its own. */
void pgo_store_begin(pgo_store_op *op, pgo_store *store, int kind);

/* Adds a statement, then its parameters $1, $2, ... All return 0 or PGO_E_NOMEM. */
int pgo_store_add(pgo_store_op *op, const char *sql) PGO_MUSTCHECK;
/* Of the last statement: the batch fails with `code` and leaves nothing if it touches no row. */
void pgo_store_needs(pgo_store_op *op, int code);
int pgo_store_bind_null(pgo_store_op *op) PGO_MUSTCHECK;
int pgo_store_bind_integer(pgo_store_op *op, int64_t value) PGO_MUSTCHECK;
int pgo_store_bind_real(pgo_store_op *op, double value) PGO_MUSTCHECK;
int pgo_store_bind_text(pgo_store_op *op, const char *text, size_t length) PGO_MUSTCHECK;

#endif
