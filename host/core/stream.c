/* The bounded queue of bytes: a ring, two callbacks, an end. */
#include "core/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct side {
    pgo_stream_fn fn;
    void *arg;
    pgo_job job;
};

struct pgo_stream {
    pgo_loop *loop;
    unsigned references;
    char *ring;
    size_t capacity, head, length; /* head: where the next byte is read */
    uint64_t total;
    bool ended, closed;
    pgo_err err;
    struct side producer, consumer;
};

static void destroy(pgo_stream *stream) {
    pgo_loop_unpost(stream->loop, &stream->producer.job);
    pgo_loop_unpost(stream->loop, &stream->consumer.job);
    pgo_err_clear(&stream->err);
    free(stream->ring);
    free(stream);
}

/* A callback may drop the last reference: hold one meanwhile. */
static void call(pgo_stream *stream, struct side *side) {
    if (side->fn != NULL) {
        pgo_stream_ref(stream);
        side->fn(stream, side->arg);
        pgo_stream_unref(stream);
    }
}

static void run_producer(pgo_job *job) {
    pgo_stream *stream = job->arg;
    call(stream, &stream->producer);
}

static void run_consumer(pgo_job *job) {
    pgo_stream *stream = job->arg;
    call(stream, &stream->consumer);
}

static void notify(pgo_stream *stream, struct side *side) {
    if (side->fn != NULL) {
        pgo_loop_post(stream->loop, &side->job);
    }
}

pgo_stream *pgo_stream_new(pgo_loop *loop, size_t capacity) {
    pgo_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->capacity = capacity > 0 ? capacity : PGO_STREAM_CAPACITY;
    stream->ring = malloc(stream->capacity);
    if (stream->ring == NULL) {
        free(stream);
        return NULL;
    }
    stream->loop = loop;
    stream->references = 1;
    stream->producer.job = (pgo_job){.run = run_producer, .arg = stream};
    stream->consumer.job = (pgo_job){.run = run_consumer, .arg = stream};
    return stream;
}

pgo_stream *pgo_stream_ref(pgo_stream *stream) {
    stream->references++;
    return stream;
}

void pgo_stream_unref(pgo_stream *stream) {
    if (stream != NULL && --stream->references == 0) {
        destroy(stream);
    }
}

size_t pgo_stream_room(const pgo_stream *stream) {
    return stream->ended || stream->closed ? 0 : stream->capacity - stream->length;
}

char *pgo_stream_reserve(pgo_stream *stream, size_t *length) {
    size_t room = pgo_stream_room(stream);
    size_t tail = (stream->head + stream->length) % stream->capacity;
    size_t until_wrap = stream->capacity - tail;
    *length = room < until_wrap ? room : until_wrap;
    return *length > 0 ? stream->ring + tail : NULL;
}

void pgo_stream_commit(pgo_stream *stream, size_t length) {
    if (length == 0 || stream->closed) {
        return;
    }
    assert(length <= pgo_stream_room(stream));
    stream->length += length;
    stream->total += length;
    notify(stream, &stream->consumer);
}

size_t pgo_stream_write(pgo_stream *stream, const void *data, size_t length) {
    size_t written = 0;
    while (written < length) {
        size_t piece;
        char *into = pgo_stream_reserve(stream, &piece);
        if (into == NULL) {
            break;
        }
        if (piece > length - written) {
            piece = length - written;
        }
        memcpy(into, (const char *)data + written, piece);
        pgo_stream_commit(stream, piece);
        written += piece;
    }
    return written;
}

/* After the end there is no more room, and nothing more to peek at. A handle that Lua has not
 * collected yet, one for each of thousands of tables, keeps no memory. */
static void drop_ring_if_over(pgo_stream *stream) {
    if (stream->ended && stream->length == 0) {
        free(stream->ring);
        stream->ring = NULL;
    }
}

void pgo_stream_end(pgo_stream *stream, const pgo_err *err) {
    if (stream->ended) {
        return;
    }
    stream->ended = true;
    drop_ring_if_over(stream);
    if (err != NULL) {
        pgo_err_copy(&stream->err, err);
    }
    notify(stream, &stream->consumer);
}

void pgo_stream_on_room(pgo_stream *stream, pgo_stream_fn fn, void *arg) {
    stream->producer.fn = fn;
    stream->producer.arg = arg;
    if (fn == NULL) {
        pgo_loop_unpost(stream->loop, &stream->producer.job);
    } else if (stream->closed || pgo_stream_room(stream) > 0) {
        notify(stream, &stream->producer);
    }
}

bool pgo_stream_closed(const pgo_stream *stream) {
    return stream->closed;
}

const char *pgo_stream_peek(const pgo_stream *stream, size_t *length) {
    size_t until_wrap = stream->capacity - stream->head;
    *length = stream->length < until_wrap ? stream->length : until_wrap;
    return *length > 0 ? stream->ring + stream->head : NULL;
}

void pgo_stream_consume(pgo_stream *stream, size_t length) {
    if (length == 0 || stream->closed) { /* a close has dropped what was peeked at */
        return;
    }
    assert(length <= stream->length);
    stream->length -= length;
    stream->head = stream->length == 0 ? 0 : (stream->head + length) % stream->capacity;
    drop_ring_if_over(stream);
    notify(stream, &stream->producer);
    if (stream->ended && stream->length == 0) {
        notify(stream, &stream->consumer); /* the end itself is news */
    }
}

void pgo_stream_on_data(pgo_stream *stream, pgo_stream_fn fn, void *arg) {
    stream->consumer.fn = fn;
    stream->consumer.arg = arg;
    if (fn == NULL) {
        pgo_loop_unpost(stream->loop, &stream->consumer.job);
    } else if (stream->length > 0 || stream->ended || stream->closed) {
        notify(stream, &stream->consumer);
    }
}

bool pgo_stream_ended(const pgo_stream *stream, const pgo_err **err) {
    if (err != NULL) {
        *err = stream->err.code != 0 ? &stream->err : NULL;
    }
    return (stream->ended || stream->closed) && stream->length == 0;
}

void pgo_stream_close(pgo_stream *stream) {
    if (stream->closed) {
        return;
    }
    stream->closed = true;
    stream->length = 0;
    if (!stream->ended) {
        pgo_fail(&stream->err, PGO_E_CLOSED, "the stream was closed");
    }
    notify(stream, &stream->producer);
    notify(stream, &stream->consumer); /* another hand on the same stream may have closed it */
}

bool pgo_stream_is_read(const pgo_stream *stream) {
    return stream->consumer.fn != NULL;
}

bool pgo_stream_is_written(const pgo_stream *stream) {
    return stream->producer.fn != NULL;
}

uint64_t pgo_stream_total(const pgo_stream *stream) {
    return stream->total;
}
