/* A file read into a stream: one chunk is read ahead on the uv pool while the consumer eats the
 * last one. Owns the descriptor, the chunk and one reference to the stream; frees itself when it
 * has ended. */
#include "io/file.h"
#include "io/file_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

struct pgo_source {
    pgo_source *next, **link;
    pgo_loop *loop;
    pgo_stream *stream;
    uv_work_t work;
    bool working, over; /* over: the file has no more bytes for us */
    int fd;
    uint64_t offset, left;
    bool exact; /* `left` was asked for: fewer is an error */
    pgo_err err;
    size_t at, length; /* of the chunk */
    char *path;
    char chunk[CHUNK];
};

static void unlink_source(pgo_source *source) {
    if (source->link != NULL) {
        *source->link = source->next;
    }
    if (source->link != NULL && source->next != NULL) {
        source->next->link = source->link;
    }
    source->link = NULL;
}

static void free_source(pgo_source *source) {
    unlink_source(source);
    if (source->stream) {
        pgo_stream_on_room(source->stream, NULL, NULL);
        pgo_stream_end(source->stream, source->err.code ? &source->err : NULL);
        pgo_stream_unref(source->stream);
    }
    if (source->fd >= 0) {
        close(source->fd);
    }
    pgo_err_clear(&source->err);
    free(source->path);
    free(source);
}

static void on_read(uv_work_t *work) {
    pgo_source *source = work->data;
    size_t want = source->left < CHUNK ? (size_t)source->left : CHUNK;
    ssize_t n = 0;
    do {
        n = want ? pread(source->fd, source->chunk, want, (off_t)source->offset) : 0;
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        pgo_fail_errno(&source->err, "read", source->path, errno);
    } else if (n == 0 && source->exact && source->left) {
        pgo_fail(&source->err, PGO_E_IO, "read %s: it ends %llu bytes early", source->path,
                 (unsigned long long)source->left);
    }
    source->at = 0;
    source->length = n > 0 ? (size_t)n : 0;
    source->offset += source->length;
    source->left -= source->length;
    source->over = n <= 0 || source->left == 0;
}

static void pump(pgo_stream *stream, void *arg);

static void on_after(uv_work_t *work, int status) {
    pgo_source *source = work->data;
    source->working = false;
    if (status == UV_ECANCELED) {
        pgo_fail(&source->err, PGO_E_CANCELED, "cancelled: read %s", source->path);
        source->over = true;
    }
    pump(source->stream, source);
}

/* Moves what there is, then reads on or ends. Waits for room by the stream's own callback. */
static void pump(pgo_stream *stream, void *arg) {
    pgo_source *source = arg;
    if (source->working) {
        return;
    }
    if (source->at < source->length) {
        source->at +=
            pgo_stream_write(stream, source->chunk + source->at, source->length - source->at);
    }
    if (pgo_stream_closed(stream) || (source->at == source->length && source->over)) {
        free_source(source);
        return;
    }
    if (source->at < source->length) {
        return;
    }
    source->working = true;
    source->work.data = source;
    int failed = uv_queue_work(&source->loop->uv, &source->work, on_read, on_after);
    if (failed) {
        source->working = false;
        pgo_fail(&source->err, PGO_E_IO, "read %s: %s", source->path, uv_strerror(failed));
        free_source(source);
    }
}

int pgo_source_start(pgo_sources *set, pgo_loop *loop, int fd, const char *path, uint64_t offset,
                     int64_t length, pgo_stream **stream, pgo_err *err) {
    pgo_source *source = calloc(1, sizeof *source);
    if (!source) {
        close(fd);
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    source->fd = fd;
    source->loop = loop;
    source->offset = offset;
    source->exact = length >= 0;
    source->left = length >= 0 ? (uint64_t)length : UINT64_MAX;
    source->path = strdup(path);
    source->stream = pgo_stream_new(loop, 0);
    if (!source->path || !source->stream) {
        free_source(source);
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    source->next = set->first;
    source->link = &set->first;
    if (set->first) {
        set->first->link = &source->next;
    }
    set->first = source;
    *stream = pgo_stream_ref(source->stream);
    pgo_stream_on_room(source->stream, pump, source);
    return 0;
}

void pgo_sources_end(pgo_sources *set) {
    pgo_source *source = set->first;
    set->first = NULL;
    while (source != NULL) {
        pgo_source *next = source->next;
        source->link = NULL; /* no longer in a list: free_source leaves its neighbours alone */
        pgo_stream_close(source->stream);
        if (!source->working) {
            free_source(source);
        }
        source = next;
    }
}
