/* Growable bytes. */
#include "core/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pgo_buffer_reserve(pgo_buffer *buffer, size_t more) {
    if (more > SIZE_MAX - buffer->length - 1) {
        return PGO_E_NOMEM;
    }
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity) {
        return 0;
    }
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    char *data = malloc(capacity);
    if (data == NULL) {
        return PGO_E_NOMEM;
    }
    if (buffer->data != NULL) { /* not realloc: what it leaves behind may be a secret */
        memcpy(data, buffer->data, buffer->length);
        explicit_bzero(buffer->data, buffer->capacity);
        free(buffer->data);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->data[buffer->length] = '\0';
    return 0;
}

int pgo_buffer_append(pgo_buffer *buffer, const void *data, size_t length) {
    int rc = pgo_buffer_reserve(buffer, length);
    if (rc == 0) {
        if (length > 0) {
            memcpy(buffer->data + buffer->length, data, length);
        }
        buffer->length += length;
        buffer->data[buffer->length] = '\0';
    }
    return rc;
}

int pgo_buffer_puts(pgo_buffer *buffer, const char *text) {
    return pgo_buffer_append(buffer, text, strlen(text));
}

int pgo_buffer_printf(pgo_buffer *buffer, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        return PGO_E_NOMEM;
    }
    int rc = pgo_buffer_append(buffer, text, (size_t)length);
    free(text);
    return rc;
}

void pgo_buffer_clear(pgo_buffer *buffer) {
    buffer->length = 0;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

void pgo_buffer_free(pgo_buffer *buffer) {
    free(buffer->data);
    *buffer = (pgo_buffer){0};
}

void pgo_buffer_wipe(pgo_buffer *buffer) {
    if (buffer->data != NULL) {
        explicit_bzero(buffer->data, buffer->capacity);
    }
    pgo_buffer_free(buffer);
}
