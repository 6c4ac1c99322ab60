/* A stream written to a file: chunks are gathered on the loop, hashed and written on the uv pool.
 * Owns the descriptor, the chunk and a reference to the stream; closes the stream if it gives up.
 */
#include "io/file.h"
#include "io/file_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

static void pump(pgo_stream *stream, void *arg);

/* --- on the pool --- */

static int step_open(pgo_sink *sink) {
    int flags = O_WRONLY | O_CLOEXEC | (sink->options.create ? O_CREAT : 0) |
                (sink->options.truncate ? O_TRUNC : 0);
    sink->fd = open(sink->path, flags, sink->options.mode);
    return sink->fd < 0 ? pgo_fail_errno(&sink->op.err, "open", sink->path, errno) : 0;
}

static int step_write(pgo_sink *sink) {
    size_t done = 0;
    while (done < sink->length) {
        ssize_t n = pwrite(sink->fd, sink->chunk + done, sink->length - done,
                           (off_t)(sink->options.offset + sink->bytes));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int error = errno;
            pgo_fail(&sink->op.err, PGO_E_IO, "write %s: %s after %llu bytes", sink->path,
                     uv_strerror(-error), (unsigned long long)sink->bytes);
            pgo_err_detail(&sink->op.err, uv_err_name(-error));
            return PGO_E_IO;
        }
        done += (size_t)n;
        sink->bytes += (uint64_t)n;
    }
    for (int i = 0; i < 2; i++) {
        if (sink->digests[i] != NULL) {
            pgo_digest_update(sink->digests[i], sink->chunk, sink->length);
        }
    }
    return 0;
}

static int finish_digest(pgo_sink *sink, int which, char *hex) {
    unsigned char raw[PGO_DIGEST_MAX];
    size_t length = 0;
    if (sink->digests[which] == NULL) {
        return 0;
    }
    int code = pgo_digest_finish(sink->digests[which], raw, &length, &sink->op.err);
    pgo_hex(raw, code < 0 ? 0 : length, hex);
    return code;
}

static int step_close(pgo_sink *sink) {
    int code = finish_digest(sink, 0, sink->md5);
    if (!code) {
        code = finish_digest(sink, 1, sink->sha256);
    }
    if (!code && sink->options.sync && fsync(sink->fd)) {
        code = pgo_fail_errno(&sink->op.err, "sync", sink->path, errno);
    }
    if (close(sink->fd) && !code) {
        code = pgo_fail_errno(&sink->op.err, "close", sink->path, errno);
    }
    sink->fd = -1;
    return code;
}

/* --- on the loop --- */

static void end(pgo_sink *sink, int code) {
    pgo_stream_on_data(sink->stream, NULL, NULL);
    if (code) {
        pgo_stream_close(sink->stream);
    }
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    sink->fd = -1;
    pgo_op_complete(&sink->op, code);
}

static void end_cancelled(pgo_sink *sink) {
    pgo_err_clear(&sink->op.err);
    end(sink, pgo_fail(&sink->op.err, PGO_E_CANCELED, "cancelled: write %s after %llu bytes",
                       sink->path, (unsigned long long)sink->bytes));
}

static void on_step(uv_work_t *work) {
    pgo_sink *sink = work->data;
    sink->failed = sink->step(sink);
}

static void on_after(uv_work_t *work, int status) {
    pgo_sink *sink = work->data;
    sink->working = false;
    if (sink->step == step_close && !sink->failed && status == 0) {
        end(sink, 0);
    } else if (sink->op.cancel_requested || status) {
        end_cancelled(sink);
    } else if (sink->failed) {
        end(sink, sink->failed);
    } else {
        pump(sink->stream, sink);
    }
}

static void run_step(pgo_sink *sink, int (*step)(pgo_sink *)) {
    sink->step = step;
    sink->working = true;
    sink->work.data = sink;
    int failed = uv_queue_work(&sink->op.loop->uv, &sink->work, on_step, on_after);
    if (!failed) {
        return;
    }
    sink->working = false;
    end(sink, pgo_fail(&sink->op.err, PGO_E_IO, "write %s: %s", sink->path, uv_strerror(failed)));
}

static void pump(pgo_stream *stream, void *arg) {
    pgo_sink *sink = arg;
    const pgo_err *err = NULL;
    const char *data;
    size_t length;
    if (sink->working || sink->op.state != PGO_OP_RUNNING) {
        return;
    }
    sink->length = 0;
    while (sink->length < CHUNK && (data = pgo_stream_peek(stream, &length)) && length) {
        size_t n = length < CHUNK - sink->length ? length : CHUNK - sink->length;
        memcpy(sink->chunk + sink->length, data, n);
        pgo_stream_consume(stream, n);
        sink->length += n;
    }
    if (sink->length) {
        run_step(sink, step_write);
    } else if (pgo_stream_ended(stream, &err)) {
        if (err) {
            pgo_err_copy(&sink->op.err, err);
            end(sink, err->code);
        } else {
            run_step(sink, step_close);
        }
    }
}

static int begin_digests(pgo_sink *sink) {
    int code = 0;
    if (sink->options.md5) {
        code = pgo_digest_new(&sink->digests[0], "md5", &sink->op.err);
    }
    if (!code && sink->options.sha256) {
        code = pgo_digest_new(&sink->digests[1], "sha256", &sink->op.err);
    }
    return code;
}

static void start(pgo_op *op) {
    pgo_sink *sink = (pgo_sink *)op;
    sink->chunk = malloc(CHUNK);
    if (!sink->chunk || !sink->path) {
        end(sink, pgo_fail(&op->err, PGO_E_NOMEM, "out of memory"));
    } else if (begin_digests(sink)) {
        end(sink, op->err.code);
    } else {
        pgo_stream_on_data(sink->stream, pump, sink);
        run_step(sink, step_open);
    }
}

static void cancel(pgo_op *op) {
    pgo_sink *sink = (pgo_sink *)op;
    if (!sink->working) {
        end_cancelled(sink);
    } else {
        pgo_stream_close(sink->stream); /* the rest follows when the pool is done */
    }
}

static void release(pgo_op *op) {
    pgo_sink *sink = (pgo_sink *)op;
    for (int i = 0; i < 2; i++) {
        pgo_digest_free(sink->digests[i]);
        sink->digests[i] = NULL;
    }
    pgo_stream_unref(sink->stream);
    free(sink->path);
    free(sink->chunk);
    sink->stream = NULL;
    sink->path = sink->chunk = NULL;
}

static const pgo_op_type sink_type = {"file.sink", start, cancel, release};

void pgo_sink_init(pgo_sink *sink, pgo_loop *loop, pgo_stream *stream, const char *path,
                   const pgo_sink_options *options) {
    pgo_op_init(&sink->op, &sink_type, loop);
    sink->stream = pgo_stream_ref(stream);
    sink->path = strdup(path);
    sink->options = *options;
    sink->fd = -1;
}
