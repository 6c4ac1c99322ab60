/* Errors as values, and the one table of what can go wrong. Owns nothing but the strings in a
 * pgo_err. */
#include "core/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct entry {
    const char *id, *kind, *what, *cure;
};

static const struct entry table[] = {
#define PGO_ERROR(symbol, id, kind, what, cure) {id, kind, what, cure},
#include "core/error.def"
#undef PGO_ERROR
};

static const struct entry *entry_of(int code) {
    int index = -code - 1;
    return index >= 0 && index < PGO_ERROR_COUNT ? &table[index] : &table[PGO_I_BUG];
}

const char *pgo_error_id(int code) {
    return entry_of(code)->id;
}

const char *pgo_error_kind(int code) {
    return entry_of(code)->kind;
}

const char *pgo_error_what(int code) {
    return entry_of(code)->what;
}

const char *pgo_error_cure(int code) {
    return entry_of(code)->cure;
}

int pgo_error_find(const char *id) {
    for (int i = 0; i < PGO_ERROR_COUNT; i++) {
        if (strcmp(table[i].id, id) == 0) {
            return -(i + 1);
        }
    }
    return 0;
}

int pgo_vfail(pgo_err *err, int code, const char *format, va_list args) {
    if (err == NULL) {
        return code;
    }
    char *message = NULL;
    if (vasprintf(&message, format, args) < 0) {
        message = NULL; /* pgo_error_what stands in */
    }
    pgo_err_clear(err);
    err->code = code;
    err->message = message;
    return code;
}

int pgo_fail(pgo_err *err, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pgo_vfail(err, code, format, args);
    va_end(args);
    return code;
}

int pgo_fail_uv(pgo_err *err, int code, int uv_error, const char *what) {
    return pgo_fail(err, code, "%s: %s", what, uv_strerror(uv_error));
}

void pgo_err_detail(pgo_err *err, const char *detail) {
    free(err->detail);
    err->detail = detail ? strdup(detail) : NULL;
}

void pgo_err_clear(pgo_err *err) {
    free(err->message);
    free(err->detail);
    *err = PGO_ERR_INIT;
}

void pgo_err_move(pgo_err *to, pgo_err *from) {
    if (to != from) {
        pgo_err_clear(to);
        *to = *from;
        *from = PGO_ERR_INIT;
    }
}

void pgo_err_copy(pgo_err *to, const pgo_err *from) {
    pgo_err copy = *from;
    copy.message = from->message ? strdup(from->message) : NULL;
    copy.detail = from->detail ? strdup(from->detail) : NULL;
    pgo_err_move(to, &copy);
}
