/* Rows from several streams into one: chunks of whole rows, in turns. A row ends with the one line
 * feed in it: COPY writes those of the data as \n, whatever the encoding. */
#include "io/archive_rows.h"

#include <string.h>

#define LEAST_ROOM 4096u /* a chunk for every few bytes would be too many */

void pgo_archive_number(char number[static PGO_ARCHIVE_INT], uint32_t value) {
    bool negative = value > INT32_MAX;
    uint32_t size = negative ? 0u - value : value;
    number[0] = (char)negative;
    for (int i = 1; i < PGO_ARCHIVE_INT; i++) {
        number[i] = (char)(size & 0xff);
        size >>= 8;
    }
}

void pgo_archive_rows_init(pgo_archive_rows *rows, pgo_stream *to) {
    *rows = (pgo_archive_rows){.to = pgo_stream_ref(to)};
}

void pgo_archive_rows_free(pgo_archive_rows *rows) {
    pgo_stream_unref(rows->to);
    rows->to = NULL;
}

/* --- who is at work --- */

static void append(pgo_archive_rows *rows, pgo_archive_rows_op *op) {
    op->next = NULL;
    *(rows->last ? &rows->last->next : &rows->first) = op;
    rows->last = op;
    rows->count++;
}

static void remove_op(pgo_archive_rows *rows, pgo_archive_rows_op *op) {
    pgo_archive_rows_op *before = NULL, *each = rows->first;
    while (each != op) {
        before = each;
        each = each->next;
    }
    *(before ? &before->next : &rows->first) = op->next;
    rows->last = rows->last == op ? before : rows->last;
    rows->count--;
}

static void leave(pgo_archive_rows_op *op, int status) {
    pgo_archive_rows *rows = op->rows;
    remove_op(rows, op);
    pgo_stream_on_data(op->from, NULL, NULL);
    if (status < 0) {
        pgo_stream_close(op->from);
    }
    if (rows->amid == op) {
        rows->amid = NULL;
        rows->broken = true;
    }
    if (!rows->first) {
        pgo_stream_on_room(rows->to, NULL, NULL);
    }
    pgo_op_complete(&op->op, status);
}

/* --- rows --- */

/* How many of these bytes go now: whole rows, or as much of one as there is. */
static size_t whole_rows(const char *data, size_t length) {
    const char *end = memrchr(data, '\n', length);
    return end ? (size_t)(end - data) + 1 : length;
}

static bool take_some(pgo_archive_rows_op *op) {
    pgo_archive_rows *rows = op->rows;
    size_t length, room = pgo_stream_room(rows->to);
    const char *data = pgo_stream_peek(op->from, &length);
    if (!data || room < LEAST_ROOM) {
        return false;
    }
    char number[PGO_ARCHIVE_INT];
    room -= sizeof number;
    length = whole_rows(data, length < room ? length : room);
    rows->amid = data[length - 1] == '\n' ? NULL : op;
    pgo_archive_number(number, (uint32_t)length);
    pgo_stream_write(rows->to, number, sizeof number);
    pgo_stream_write(rows->to, data, length);
    pgo_stream_consume(op->from, length);
    op->bytes += length;
    return true;
}

static bool take_end(pgo_archive_rows_op *op) {
    const pgo_err *err = NULL;
    if (!pgo_stream_ended(op->from, &err)) {
        return false;
    }
    if (err) {
        pgo_err_copy(&op->op.err, err);
        leave(op, err->code);
    } else if (op->rows->amid == op) {
        leave(op,
              pgo_fail(&op->op.err, PGO_E_ARCHIVE, "what was read ends in the middle of a row"));
    } else {
        leave(op, 0);
    }
    return true;
}

static bool refused(pgo_archive_rows_op *op) {
    if (!op->rows->broken && !pgo_stream_closed(op->rows->to)) {
        return false;
    }
    leave(op, pgo_fail(&op->op.err, PGO_E_CLOSED,
                       op->rows->broken ? "a row that was being written has failed"
                                        : "whoever reads the stream has closed it"));
    return true;
}

/* Whether anything has changed by it. */
static bool serve(pgo_archive_rows_op *op) {
    pgo_archive_rows *rows = op->rows;
    if (refused(op)) {
        return true;
    }
    if (rows->amid && rows->amid != op) {
        return false;
    }
    bool moved = take_some(op);
    if (take_end(op)) {
        return true;
    }
    if (moved && rows->amid != op) { /* others first, next time */
        remove_op(rows, op);
        append(rows, op);
    }
    return moved;
}

static void serve_all(pgo_archive_rows *rows) {
    bool moved;
    do {
        moved = false;
        pgo_archive_rows_op *op = rows->first, *next;
        for (unsigned left = rows->count; op && left > 0; left--, op = next) {
            next = op->next;
            moved = serve(op) || moved;
        }
    } while (moved);
}

static void when_news(pgo_stream *stream, void *arg) {
    (void)stream;
    serve_all(arg);
}

/* --- the op --- */

static void start(pgo_op *base) {
    pgo_archive_rows_op *op = (pgo_archive_rows_op *)base;
    pgo_archive_rows *rows = op->rows;
    bool written = !rows->first && pgo_stream_is_written(rows->to);
    if (written || pgo_stream_is_read(op->from)) {
        pgo_op_fail(base, PGO_E_INVALID, "a stream of the rows is in use already");
        return;
    }
    append(rows, op);
    pgo_stream_on_data(op->from, when_news, rows);
    pgo_stream_on_room(rows->to, when_news, rows);
}

static void cancel(pgo_op *base) {
    pgo_archive_rows_op *op = (pgo_archive_rows_op *)base;
    pgo_archive_rows *rows = op->rows;
    leave(op, pgo_fail(&base->err, PGO_E_CANCELED, "cancelled"));
    serve_all(rows);
}

static void release(pgo_op *base) {
    pgo_archive_rows_op *op = (pgo_archive_rows_op *)base;
    pgo_stream_unref(op->from);
    op->from = NULL;
}

static const pgo_op_type type = {"archive.rows", start, cancel, release};

void pgo_archive_rows_take(pgo_archive_rows_op *op, pgo_loop *loop, pgo_archive_rows *rows,
                           pgo_stream *from) {
    *op = (pgo_archive_rows_op){.rows = rows, .from = pgo_stream_ref(from)};
    pgo_op_init(&op->op, &type, loop);
}
