/* What the store's thread asks of a home of the record: SQLite or PostgreSQL. Internal to the
 * store. Everything here runs on its thread, but for freeing what an op holds. */
#ifndef PGO_IO_STORE_HOME_H
#define PGO_IO_STORE_HOME_H

#include "io/store.h"

typedef struct pgo_store_home {
    /* Serves a batch or a query: fills its answer or op->op.err, returns 0 or PGO_E_... */
    int (*serve)(struct pgo_store_home *home, pgo_store_op *op);
    void (*shut)(struct pgo_store_home *home); /* closes it and frees the home */
} pgo_store_home;

/* Each opens what op->place names. *home is set after success only. */
int pgo_store_sqlite(pgo_store_home **home, pgo_store_op *op) PGO_MUSTCHECK;
int pgo_store_postgres(pgo_store_home **home, pgo_store_op *op) PGO_MUSTCHECK;

/* --- what both do alike --- */

/* Makes *value a copy of the text. 0 or PGO_E_NOMEM. */
int pgo_store_value_text(pgo_store_value *value, const char *text, size_t length) PGO_MUSTCHECK;

/* Rows of so many columns; what was there is dropped. 0 or PGO_E_NOMEM. */
int pgo_store_rows_begin(pgo_store_rows *rows, size_t columns) PGO_MUSTCHECK;
int pgo_store_rows_name(pgo_store_rows *rows, size_t column, const char *name) PGO_MUSTCHECK;
/* One more row, all NULL; valid until the next one. NULL: no memory. */
pgo_store_value *pgo_store_rows_add(pgo_store_rows *rows);
void pgo_store_rows_clear(pgo_store_rows *rows);
int pgo_store_rows_nomem(pgo_store_op *op); /* fails the op */

/* Fails the op with the statement's own error where it touched no row although it had to. */
int pgo_store_touched(pgo_store_op *op, const pgo_store_statement *statement) PGO_MUSTCHECK;

#endif
