/* The op: from the input to pieces, from pieces to the output, in turns that never hold the loop.
 */
#include "io/archive_line.h"

#include <stdlib.h>

/* --- the end --- */

static void complete_if_idle(pgo_archive *archive) {
    if (archive->failing && archive->pressing == 0 && archive->op.state == PGO_OP_RUNNING) {
        pgo_op_complete(&archive->op, archive->op.err.code);
    }
}

static void let_go(pgo_archive *archive) {
    pgo_stream_on_data(archive->from, NULL, NULL);
    pgo_stream_on_room(archive->to, NULL, NULL);
}

/* op.err says why. What the crew has in hand cannot be taken back: the op ends when that is done.
 */
void pgo_archive_fail(pgo_archive *archive) {
    if (!archive->failing) {
        archive->failing = true;
        let_go(archive);
        if (!archive->keep_end) {
            pgo_stream_end(archive->to, &archive->op.err);
        }
        pgo_stream_close(archive->from);
    }
    complete_if_idle(archive);
}

static void succeed(pgo_archive *archive) {
    let_go(archive);
    archive->counts.blocks = archive->blocks.count;
    archive->counts.raw = pgo_stream_total(archive->from);
    if (!archive->keep_end) {
        pgo_stream_end(archive->to, NULL);
    }
    pgo_op_complete(&archive->op, 0);
}

/* --- input --- */

static int begin_blocks(pgo_archive *archive) {
    if (archive->head->compression != PGO_ARCHIVE_PLAIN) {
        return pgo_fail(
            &archive->op.err, PGO_E_ARCHIVE,
            "at byte 11: the archive is compressed already; pg_dump -Fc -Z0 makes one that is not");
    }
    pgo_archive_head_set_gzip(archive->head);
    pgo_archive_blocks_init(&archive->blocks, archive->head);
    return 0;
}

static int take(pgo_archive *archive, const char *data, size_t length, size_t *taken) {
    pgo_err *err = &archive->op.err;
    if (archive->head->complete) {
        return pgo_archive_blocks_feed(&archive->blocks, data, length, taken, err);
    }
    int status = pgo_archive_head_feed(archive->head, data, length, taken, err);
    return status == 0 && archive->head->complete ? begin_blocks(archive) : status;
}

static int read_input(pgo_archive *archive) {
    const char *data;
    size_t length, taken;
    int status = 0;
    while (status == 0 && (!archive->head->complete || pgo_archive_line_fill(archive)) &&
           (data = pgo_stream_peek(archive->from, &length)) != NULL) {
        status = take(archive, data, length, &taken);
        pgo_stream_consume(archive->from, taken);
        if (status == 0 && archive->blocks.full) {
            pgo_archive_line_submit(archive);
        }
    }
    return status;
}

/* The end of the input, once: is it one, and is it good? */
static int read_end(pgo_archive *archive, bool *ended) {
    const pgo_err *err = NULL;
    *ended = pgo_stream_ended(archive->from, &err);
    if (!*ended) {
        return 0;
    }
    if (err != NULL) {
        pgo_err_copy(&archive->op.err, err);
        return err->code;
    }
    if (!archive->head->complete) {
        return pgo_archive_head_cut_short(archive->head, &archive->op.err);
    }
    int status = pgo_archive_blocks_end(&archive->blocks, &archive->op.err);
    if (status == 0 && archive->filling != NULL && archive->filling->piece.count > 0) {
        pgo_archive_line_submit(archive);
    }
    return status;
}

/* --- output --- */

static bool write_some(pgo_archive *archive, const pgo_buffer *bytes, size_t *sent) {
    size_t some = pgo_stream_write(archive->to, bytes->data + *sent, bytes->length - *sent);
    *sent += some;
    archive->counts.bytes += some;
    return *sent == bytes->length;
}

/* Everything before this piece has gone out: its places in the file are known. */
static void join(pgo_archive *archive, struct pgo_archive_task *task) {
    pgo_archive_piece *piece = &task->piece;
    pgo_archive_piece_join(piece, &archive->run);
    for (size_t i = 0; i < piece->count; i++) {
        if (piece->steps[i].kind == PGO_ARCHIVE_BLOCK) {
            pgo_archive_head_set_offset(archive->head, piece->steps[i].entry,
                                        archive->counts.bytes + piece->steps[i].at);
        }
    }
    task->joined = true;
}

static void write_output(pgo_archive *archive) {
    if (!archive->head->complete ||
        !write_some(archive, &archive->head->raw, &archive->head_sent)) {
        return;
    }
    struct pgo_archive_task *task;
    while ((task = archive->first) != NULL && task->finished) {
        if (!task->joined) {
            join(archive, task);
        }
        if (!write_some(archive, &task->piece.out, &archive->piece_sent)) {
            return; /* on_room calls again */
        }
        pgo_archive_line_recycle(archive);
    }
}

void pgo_archive_turn(pgo_archive *archive) {
    bool ended = false;
    if (archive->failing || archive->op.state != PGO_OP_RUNNING) {
        return;
    }
    pgo_archive_line_look(archive);
    int status = read_input(archive);
    write_output(archive);
    if (status == 0 && archive->spare != NULL) {
        status = read_input(archive); /* into what has just become free */
    }
    pgo_archive_line_look(archive);
    if (status == 0) {
        status = read_end(archive, &ended);
    }
    if (status < 0) {
        pgo_archive_fail(archive);
    } else if (ended && archive->first == NULL && archive->head_sent == archive->head->raw.length) {
        succeed(archive);
    } else if (pgo_stream_closed(archive->to)) {
        pgo_fail(&archive->op.err, PGO_E_CLOSED, "whoever reads the stream has closed it");
        pgo_archive_fail(archive);
    }
}

/* --- the op --- */

static void when_news(pgo_stream *stream, void *arg) {
    (void)stream;
    pgo_archive_turn(arg);
}

static void start(pgo_op *base) {
    pgo_archive *archive = (pgo_archive *)base;
    if (pgo_stream_is_read(archive->from) || pgo_stream_is_written(archive->to)) {
        pgo_op_fail(base, PGO_E_INVALID, "a stream of the archive is in use already");
        return;
    }
    pgo_stream_on_data(archive->from, when_news, archive);
    pgo_stream_on_room(archive->to, when_news, archive);
}

static void cancel(pgo_op *base) {
    pgo_archive *archive = (pgo_archive *)base;
    if (!archive->failing) {
        pgo_fail(&base->err, PGO_E_CANCELED, "cancelled");
        pgo_archive_fail(archive);
    }
}

static void release(pgo_op *base) {
    pgo_archive *archive = (pgo_archive *)base;
    pgo_archive_line_close(archive);
    pgo_stream_unref(archive->from);
    pgo_stream_unref(archive->to);
    uv_mutex_destroy(&archive->mutex);
}

static const pgo_op_type type = {"archive.run", start, cancel, release};

int pgo_archive_init(pgo_archive *archive, pgo_loop *loop, pgo_crew *crew,
                     const pgo_archive_plan *plan, pgo_archive_head *head, pgo_stream *from,
                     pgo_stream *to, bool keep_end, pgo_err *err) {
    *archive = (pgo_archive){0};
    pgo_op_init(&archive->op, &type, loop);
    uv_mutex_init(&archive->mutex);
    archive->plan = *plan;
    archive->crew = crew;
    archive->head = head;
    archive->from = pgo_stream_ref(from);
    archive->to = pgo_stream_ref(to);
    archive->keep_end = keep_end;
    int status = pgo_archive_line_open(archive, err);
    if (status < 0) {
        pgo_op_release(&archive->op);
    }
    return status;
}
