/* Errors as values. A fallible function returns 0 or a negative PGO_E_... and fills a pgo_err;
 * the number is the error's id (error.def), so there is one vocabulary in C, Lua and the docs.
 * Nobody below the command line prints an error, and no message ever holds a secret. */
#ifndef PGO_CORE_ERROR_H
#define PGO_CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define PGO_MUSTCHECK __attribute__((warn_unused_result))

enum pgo_error_index {
#define PGO_ERROR(symbol, id, kind, what, cure) PGO_I_##symbol,
#include "core/error.def"
#undef PGO_ERROR
    PGO_ERROR_COUNT
};

/* PGO_E_CANCELED, PGO_E_PG_CONNECT, ...: negative, never 0. */
enum pgo_error_code {
#define PGO_ERROR(symbol, id, kind, what, cure) PGO_E_##symbol = -(PGO_I_##symbol + 1),
#include "core/error.def"
#undef PGO_ERROR
    PGO_E_END_OF_TABLE = -9999
};

typedef struct pgo_err {
    int code;         /* PGO_E_... or 0 */
    bool retryable;   /* the same call may succeed later, unchanged */
    char sqlstate[6]; /* "" unless the server sent one */
    long status;      /* HTTP status, process exit status; 0 when there is none */
    int signal;       /* signal that ended a process; 0 when there is none */
    char *message;    /* owned; one line, no secret */
    char *detail;     /* owned; may have several lines (server DETAIL/HINT, child's stderr); NULL */
} pgo_err;

#define PGO_ERR_INIT ((pgo_err){0})

/* Fills *err (any former content is freed) and returns `code`, so that
 * `return pgo_fail(err, PGO_E_..., "...")` reads as one line. err may be NULL. */
int pgo_fail(pgo_err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int pgo_vfail(pgo_err *err, int code, const char *format, va_list args);
/* The same from a negative libuv/errno number: "open /x: no such file or directory". */
int pgo_fail_uv(pgo_err *err, int code, int uv_error, const char *what);
/* Sets the detail (copied); err keeps its code. NULL removes it. */
void pgo_err_detail(pgo_err *err, const char *detail);

void pgo_err_clear(pgo_err *err);                    /* frees, zeroes */
void pgo_err_move(pgo_err *to, pgo_err *from);       /* *from becomes empty */
void pgo_err_copy(pgo_err *to, const pgo_err *from); /* deep */

/* From the table; "PGO-BUG" and so on for a number that is not in it. Static strings. */
const char *pgo_error_id(int code);
const char *pgo_error_kind(int code);
const char *pgo_error_what(int code);
const char *pgo_error_cure(int code);
int pgo_error_find(const char *id); /* "PGO-PG-CONNECT" -> PGO_E_PG_CONNECT; 0 when unknown */

#endif
