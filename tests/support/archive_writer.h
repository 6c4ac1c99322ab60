/* Writes small custom archives of version 1.16, uncompressed, for the tests. */
#ifndef PGO_TESTS_ARCHIVE_WRITER_H
#define PGO_TESTS_ARCHIVE_WRITER_H

#include "core/buffer.h"

#include <stdlib.h>
#include <string.h>

static inline void put_bytes(pgo_buffer *out, const void *bytes, size_t length) {
    if (pgo_buffer_append(out, bytes, length) < 0) {
        abort();
    }
}

static inline void put_int(pgo_buffer *out, long value) {
    unsigned long size = (unsigned long)(value < 0 ? -value : value);
    char bytes[5] = {value < 0};
    for (int i = 1; i < 5; i++, size >>= 8) {
        bytes[i] = (char)(size & 0xff);
    }
    put_bytes(out, bytes, sizeof bytes);
}

static inline void put_text(pgo_buffer *out, const char *text) { /* NULL is NULL */
    put_int(out, text != NULL ? (long)strlen(text) : -1);
    put_bytes(out, text, text != NULL ? strlen(text) : 0);
}

static inline void put_entry(pgo_buffer *out, int id, const char *desc, bool data) {
    static const char place[8] = {0};
    put_int(out, id);
    put_int(out, data);
    put_text(out, "0");
    put_text(out, "0");
    put_text(out, "tag");
    put_text(out, desc);
    put_int(out, 3);
    for (int i = 0; i < 6; i++) { /* defn, drop, copy, namespace, tablespace, tableam */
        put_text(out, i < 3 ? "" : NULL);
    }
    put_int(out, 0);
    put_text(out, "owner");
    put_text(out, "false");
    put_text(out, "7");
    put_text(out, NULL);
    put_bytes(out, data ? "\1" : "\3", 1);
    put_bytes(out, place, sizeof place);
}

static inline void put_header(pgo_buffer *out, int entries) {
    put_bytes(out, "PGDMP\1\20\0\4\10\1\0", 12);
    for (int i = 0; i < 7; i++) {
        put_int(out, i);
    }
    put_text(out, "db");
    put_text(out, "17.1");
    put_text(out, "17.1");
    put_int(out, entries);
}

static inline void put_block(pgo_buffer *out, char type, int id) {
    put_bytes(out, &type, 1);
    put_int(out, id);
}

static inline void put_chunk(pgo_buffer *out, const void *bytes, size_t length) {
    put_int(out, (long)length);
    put_bytes(out, bytes, length);
}

#endif
