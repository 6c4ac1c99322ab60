/* A stream: a bounded queue of bytes between one producer and one consumer on the loop's thread.
 * Processes, HTTP bodies, files and COPY all meet here, so back-pressure, counting, the end and
 * failure are written once. Bytes never pass through Lua. Reference-counted: each side and each
 * Lua handle holds one reference. Callbacks come from the ready queue, never from inside a call. */
#ifndef PGO_CORE_STREAM_H
#define PGO_CORE_STREAM_H

#include "core/loop.h"

#include <stdint.h>

typedef struct pgo_stream pgo_stream;
typedef void (*pgo_stream_fn)(pgo_stream *stream, void *arg);

#define PGO_STREAM_CAPACITY (256u * 1024u)

/* One reference for the caller. capacity 0 means PGO_STREAM_CAPACITY. NULL: out of memory. */
pgo_stream *pgo_stream_new(pgo_loop *loop, size_t capacity);
pgo_stream *pgo_stream_ref(pgo_stream *stream);
void pgo_stream_unref(pgo_stream *stream); /* NULL is fine */

/* --- producer --- */
/* Takes as much as there is room for, returns how much. 0 when full, or when the consumer closed.
 */
size_t pgo_stream_write(pgo_stream *stream, const void *data, size_t length);
size_t pgo_stream_room(const pgo_stream *stream);
/* For readers that fill memory directly: where the next bytes may go (contiguous), then how many
 * came. */
char *pgo_stream_reserve(pgo_stream *stream, size_t *length);
void pgo_stream_commit(pgo_stream *stream, size_t length);
/* No more bytes. err NULL: a good end. Otherwise the consumer sees a copy of it after the last
 * byte. */
void pgo_stream_end(pgo_stream *stream, const pgo_err *err);
/* Called whenever room has appeared, or the consumer closed. NULL removes it. Set: called once soon
 * if there is room already. */
void pgo_stream_on_room(pgo_stream *stream, pgo_stream_fn fn, void *arg);
bool pgo_stream_closed(const pgo_stream *stream); /* the consumer gave up: stop producing */

/* --- consumer --- */
/* The next contiguous bytes, valid until consume/unref; NULL with *length 0 when none are there
 * now. */
const char *pgo_stream_peek(const pgo_stream *stream, size_t *length);
void pgo_stream_consume(pgo_stream *stream, size_t length);
/* Called whenever more bytes have come, or the end. Take all you can each time (peek until NULL:
 * the ring may wrap): what you leave does not call again. NULL removes it. Set: called once soon if
 * there is something already. */
void pgo_stream_on_data(pgo_stream *stream, pgo_stream_fn fn, void *arg);
/* True when the producer ended and every byte was consumed. *err (may be NULL) then points to its
 * error, or is NULL after a good end. Also true, with PGO_E_CLOSED, when somebody else closed the
 * consumer's side before the end: what came until then is not the whole. */
bool pgo_stream_ended(const pgo_stream *stream, const pgo_err **err);
/* Gives up: what is queued is dropped, the producer is told through on_room. */
void pgo_stream_close(pgo_stream *stream);

/* Whether somebody waits for bytes, or for room. One of each is all that a stream can serve. */
bool pgo_stream_is_read(const pgo_stream *stream);
bool pgo_stream_is_written(const pgo_stream *stream);
/* Bytes that have been produced so far. */
uint64_t pgo_stream_total(const pgo_stream *stream);

#endif
