/* The pipes between pgorch and a child: one end each, pumped to or from a stream or memory, with
 * back-pressure. Internal to process*.c; a pipe is embedded in its process and never outlives it.
 */
#ifndef PGO_IO_PROCESS_PIPE_H
#define PGO_IO_PROCESS_PIPE_H

#include "core/buffer.h"
#include "core/stream.h"

/* Who owns the pipe. Both callbacks come from the loop, never from inside a call made here. */
typedef struct pgo_pipe_owner {
    void (*changed)(void *arg); /* the pipe has come to its end, or its input failed */
    void (*closed)(void *arg);  /* the handle is gone; balances one successful open */
    void *arg;
} pgo_pipe_owner;

/* What a child writes. */
typedef struct pgo_pipe_reader {
    uv_pipe_t handle;
    pgo_pipe_owner owner;
    bool open, paused, done;
    bool keep_last; /* of more than `limit` bytes, keep the last ones rather than the first */
    bool truncated;
    uint64_t seen; /* bytes that have come */
    size_t limit;
    pgo_buffer kept; /* where there is no stream; the owner takes or frees it */
    pgo_stream *stream;
    char chunk[16384];
} pgo_pipe_reader;

/* Takes `fd`, also on failure. `stream` may be NULL (bytes are kept up to the limit). */
int pgo_pipe_read(pgo_pipe_reader *reader, pgo_loop *loop, int fd, pgo_stream *stream,
                  pgo_err *err) PGO_MUSTCHECK;
/* Stops and closes. The stream's consumer does not see the end yet: whether it is a good one is
 * known only when the program has exited. Idempotent. */
void pgo_pipe_read_close(pgo_pipe_reader *reader);
/* Closes, and ends the stream, with `err` if there is one. Idempotent. */
void pgo_pipe_read_end(pgo_pipe_reader *reader, const pgo_err *err);

/* What a child reads. */
typedef struct pgo_pipe_writer {
    uv_pipe_t handle;
    pgo_pipe_owner owner;
    bool open, busy;
    uv_write_t request;
    pgo_stream *stream;
    char *data; /* owned; wiped */
    size_t length;
    pgo_err err; /* what the stream failed with: the child must not take it for a good end */
} pgo_pipe_writer;

/* Takes `fd`, also on failure. Either `stream`, or `data` which is copied. */
int pgo_pipe_write(pgo_pipe_writer *writer, pgo_loop *loop, int fd, pgo_stream *stream,
                   const void *data, size_t length, pgo_err *err) PGO_MUSTCHECK;
/* Closes: the child sees the end. The stream's producer is told. Idempotent. */
void pgo_pipe_write_close(pgo_pipe_writer *writer);

#endif
