/* The answers of the store: values and rows, the same from both homes. Owns their memory. */
#include "io/store_home.h"

#include <stdlib.h>
#include <string.h>

int pgo_store_value_text(pgo_store_value *value, const char *text, size_t length) {
    char *copy = malloc(length + 1);
    if (!copy) {
        return PGO_E_NOMEM;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    *value = (pgo_store_value){.type = PGO_STORE_TEXT, .text = copy, .length = length};
    return 0;
}

int pgo_store_rows_begin(pgo_store_rows *rows, size_t columns) {
    pgo_store_rows_clear(rows);
    rows->names = calloc(columns ? columns : 1, sizeof *rows->names);
    if (!rows->names) {
        return PGO_E_NOMEM;
    }
    rows->columns = columns;
    return 0;
}

int pgo_store_rows_name(pgo_store_rows *rows, size_t column, const char *name) {
    rows->names[column] = name ? strdup(name) : NULL;
    return rows->names[column] ? 0 : PGO_E_NOMEM;
}

pgo_store_value *pgo_store_rows_add(pgo_store_rows *rows) {
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 16;
        size_t size = capacity * (rows->columns ? rows->columns : 1) * sizeof *rows->values;
        pgo_store_value *grown = realloc(rows->values, size);
        if (!grown) {
            return NULL;
        }
        rows->values = grown;
        rows->capacity = capacity;
    }
    pgo_store_value *row = &rows->values[rows->count * rows->columns];
    memset(row, 0, rows->columns * sizeof *row);
    rows->count++; /* from here on clear() frees what the row holds so far */
    return row;
}

void pgo_store_rows_clear(pgo_store_rows *rows) {
    for (size_t i = 0; i < rows->count * rows->columns; i++) {
        free(rows->values[i].text);
    }
    for (size_t i = 0; rows->names && i < rows->columns; i++) {
        free(rows->names[i]);
    }
    free(rows->values);
    free(rows->names);
    *rows = (pgo_store_rows){0};
}

int pgo_store_rows_nomem(pgo_store_op *op) {
    return pgo_fail(&op->op.err, PGO_E_NOMEM, "no memory for the rows of a query");
}

int pgo_store_touched(pgo_store_op *op, const pgo_store_statement *statement) {
    if (!statement->needs || op->touched > 0) {
        return 0;
    }
    return pgo_fail(&op->op.err, statement->needs, "%s", pgo_error_what(statement->needs));
}
