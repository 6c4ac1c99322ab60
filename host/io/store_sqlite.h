/* What the store's thread does with SQLite. Internal to the store: everything here runs on its
 * thread, but for the two functions on values. */
#ifndef PGO_IO_STORE_SQLITE_H
#define PGO_IO_STORE_SQLITE_H

#include "io/store.h"

#include <sqlite3.h>

/* Serves one request, fills its answer or op->err, returns 0 or PGO_E_... */
int pgo_store_serve(sqlite3 **db, pgo_store_op *op) PGO_MUSTCHECK;
void pgo_store_shut(sqlite3 **db); /* closes it if it is open */

/* Makes *value a copy of the text. 0 or PGO_E_NOMEM. */
int pgo_store_value_text(pgo_store_value *value, const char *text, size_t length) PGO_MUSTCHECK;
void pgo_store_rows_clear(pgo_store_rows *rows);

#endif
