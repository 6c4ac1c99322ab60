/* Pumps a child's pipes: stdout and stderr into a stream or a bounded buffer, a stream or memory
 * into stdin. Owns the pipe handles and a reference to each stream. Knows nothing of exits and
 * signals. */
#include "io/process_pipe.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_more(pgo_pipe_reader *reader);

static void when_room(pgo_stream *stream, void *arg) {
    pgo_pipe_reader *reader = arg;
    if (pgo_stream_closed(stream)) {
        pgo_pipe_read_close(reader);
        reader->owner.changed(reader->owner.arg);
    } else if (reader->paused && pgo_stream_room(stream) > 0) {
        read_more(reader);
    }
}

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *memory) {
    pgo_pipe_reader *reader = handle->data;
    (void)suggested;
    memory->base = reader->chunk;
    memory->len = sizeof reader->chunk;
    if (reader->stream) {
        size_t room = 0;
        memory->base = pgo_stream_reserve(reader->stream, &room);
        memory->len = room;
    }
}

static void cut_to_limit(pgo_pipe_reader *reader) {
    pgo_buffer *kept = &reader->kept;
    if (kept->length <= reader->limit)
        return;
    memmove(kept->data, kept->data + kept->length - reader->limit, reader->limit);
    kept->length = reader->limit;
    kept->data[kept->length] = 0;
    reader->truncated = true;
}

/* Keeps the first or the last `limit` bytes. The last ones are cut only at twice the limit, so that
 * a chatty child does not have its tail moved at every line. */
static int keep(pgo_pipe_reader *reader, const char *data, size_t length) {
    if (reader->keep_last) {
        int failed = pgo_buffer_append(&reader->kept, data, length);
        if (reader->kept.length > 2 * reader->limit)
            cut_to_limit(reader);
        return failed;
    }
    size_t room = reader->limit - reader->kept.length;
    reader->truncated = reader->truncated || length > room;
    return pgo_buffer_append(&reader->kept, data, length < room ? length : room);
}

static void when_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *memory) {
    pgo_pipe_reader *reader = handle->data;
    if (length == UV_ENOBUFS) {
        uv_read_stop(handle);
        reader->paused = true;
        return;
    }
    if (length < 0) { /* the end; an error on a pipe means that nobody writes to it any more */
        pgo_pipe_read_close(reader);
        reader->owner.changed(reader->owner.arg);
        return;
    }
    reader->seen += (uint64_t)length;
    if (!reader->stream) {
        if (keep(reader, memory->base, (size_t)length))
            reader->truncated = true;
        return;
    }
    pgo_stream_commit(reader->stream, (size_t)length);
    if (pgo_stream_room(reader->stream) == 0) {
        uv_read_stop(handle);
        reader->paused = true;
    }
}

static void read_more(pgo_pipe_reader *reader) {
    reader->paused = uv_read_start((uv_stream_t *)&reader->handle, give_memory, when_read) != 0;
}

static void read_closed(uv_handle_t *handle) {
    pgo_pipe_reader *reader = handle->data;
    reader->owner.closed(reader->owner.arg);
}

int pgo_pipe_read(pgo_pipe_reader *reader, pgo_loop *loop, int fd, pgo_stream *stream,
                  pgo_err *err) {
    int failed = uv_pipe_init(&loop->uv, &reader->handle, 0);
    if (failed) {
        close(fd);
        return pgo_fail_uv(err, PGO_E_SPAWN, failed, "pipe");
    }
    reader->handle.data = reader;
    reader->open = true;
    failed = uv_pipe_open(&reader->handle, fd);
    if (failed) {
        close(fd);
        pgo_pipe_read_close(reader);
        return pgo_fail_uv(err, PGO_E_SPAWN, failed, "pipe");
    }
    if (stream) {
        reader->stream = pgo_stream_ref(stream);
        pgo_stream_on_room(stream, when_room, reader);
    }
    read_more(reader);
    return 0;
}

void pgo_pipe_read_close(pgo_pipe_reader *reader) {
    if (!reader->open)
        return;
    reader->open = false;
    reader->done = true;
    uv_close((uv_handle_t *)&reader->handle, read_closed);
    if (reader->stream)
        pgo_stream_on_room(reader->stream, NULL, NULL);
    else
        cut_to_limit(reader);
}

void pgo_pipe_read_end(pgo_pipe_reader *reader, const pgo_err *err) {
    pgo_pipe_read_close(reader);
    if (!reader->stream)
        return;
    pgo_stream_end(reader->stream, err);
    pgo_stream_unref(reader->stream);
    reader->stream = NULL;
}

/* --- stdin --- */

static void write_more(pgo_pipe_writer *writer);

static void when_written(uv_write_t *request, int status) {
    pgo_pipe_writer *writer = request->data;
    writer->busy = false;
    if (!writer->open)
        return;
    if (status < 0) { /* the child does not want more: that is its right */
        pgo_pipe_write_close(writer);
        return;
    }
    if (!writer->stream) {
        pgo_pipe_write_close(writer);
        return;
    }
    pgo_stream_consume(writer->stream, writer->length);
    write_more(writer);
}

static void when_data(pgo_stream *stream, void *arg) {
    (void)stream;
    write_more(arg);
}

static void send_bytes(pgo_pipe_writer *writer, const char *data, size_t length) {
    uv_buf_t memory = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
    writer->length = length;
    writer->busy = true;
    writer->request.data = writer;
    if (uv_write(&writer->request, (uv_stream_t *)&writer->handle, &memory, 1, when_written) != 0) {
        writer->busy = false;
        pgo_pipe_write_close(writer);
    }
}

static void write_more(pgo_pipe_writer *writer) {
    const pgo_err *failed = NULL;
    size_t length = 0;
    if (!writer->open || writer->busy)
        return;
    const char *data = pgo_stream_peek(writer->stream, &length);
    if (length > 0) {
        send_bytes(writer, data, length < (1u << 30) ? length : 1u << 30);
    } else if (pgo_stream_ended(writer->stream, &failed)) {
        if (failed) {
            pgo_err_copy(&writer->err, failed);
            writer->owner.changed(writer->owner.arg);
        }
        pgo_pipe_write_close(writer);
    }
}

static void write_closed(uv_handle_t *handle) {
    pgo_pipe_writer *writer = handle->data;
    if (writer->data) {
        explicit_bzero(writer->data, writer->length);
        free(writer->data);
        writer->data = NULL;
    }
    writer->owner.closed(writer->owner.arg);
}

static int begin_writing(pgo_pipe_writer *writer, pgo_stream *stream, const void *data,
                         size_t length, pgo_err *err) {
    if (stream) {
        writer->stream = pgo_stream_ref(stream);
        pgo_stream_on_data(stream, when_data, writer);
        return 0;
    }
    writer->data = malloc(length + 1);
    if (!writer->data)
        return pgo_fail(err, PGO_E_NOMEM, "no memory for a program's input");
    memcpy(writer->data, data, length);
    send_bytes(writer, writer->data, length);
    return 0;
}

int pgo_pipe_write(pgo_pipe_writer *writer, pgo_loop *loop, int fd, pgo_stream *stream,
                   const void *data, size_t length, pgo_err *err) {
    int failed = uv_pipe_init(&loop->uv, &writer->handle, 0);
    if (failed) {
        close(fd);
        return pgo_fail_uv(err, PGO_E_SPAWN, failed, "pipe");
    }
    writer->handle.data = writer;
    writer->open = true;
    failed = uv_pipe_open(&writer->handle, fd);
    if (failed) {
        close(fd);
        pgo_pipe_write_close(writer);
        return pgo_fail_uv(err, PGO_E_SPAWN, failed, "pipe");
    }
    failed = begin_writing(writer, stream, data, length, err);
    if (failed)
        pgo_pipe_write_close(writer);
    return failed;
}

void pgo_pipe_write_close(pgo_pipe_writer *writer) {
    if (!writer->open)
        return;
    writer->open = false;
    /* The handle first: a write that is under way reads the stream's memory. */
    uv_close((uv_handle_t *)&writer->handle, write_closed);
    if (!writer->stream)
        return;
    pgo_stream_on_data(writer->stream, NULL, NULL);
    pgo_stream_close(writer->stream);
    pgo_stream_unref(writer->stream);
    writer->stream = NULL;
}
