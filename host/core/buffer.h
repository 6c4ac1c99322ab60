/* Growable bytes. Always followed by a NUL that is not counted, so `data` is a C string too. */
#ifndef PGO_CORE_BUFFER_H
#define PGO_CORE_BUFFER_H

#include "core/error.h"

#include <stddef.h>

typedef struct pgo_buffer {
    char *data; /* owned; NULL while nothing was ever added */
    size_t length, capacity;
} pgo_buffer;

/* All return 0 or PGO_E_NOMEM and leave the buffer as it was on failure. */
int pgo_buffer_reserve(pgo_buffer *buffer, size_t more) PGO_MUSTCHECK;
int pgo_buffer_append(pgo_buffer *buffer, const void *data, size_t length) PGO_MUSTCHECK;
int pgo_buffer_puts(pgo_buffer *buffer, const char *text) PGO_MUSTCHECK;
int pgo_buffer_printf(pgo_buffer *buffer, const char *format, ...) PGO_MUSTCHECK
    __attribute__((format(printf, 2, 3)));
void pgo_buffer_clear(pgo_buffer *buffer); /* length 0, memory kept */
void pgo_buffer_free(pgo_buffer *buffer);  /* memory given back */
void pgo_buffer_wipe(pgo_buffer *buffer);  /* zeroed, then given back: for secrets */

#endif
