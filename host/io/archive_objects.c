/* Large objects: from the rows of a binary COPY to the runs of an archive. Every length that the
 * server says is looked at: what makes no sense ends the op. */
#include "io/archive_rows.h"

#include <string.h>

/* What a row has before its bytes: the number of columns, then lengths and values of two of them,
 * and the length of the third. */
enum { HEADER = 19, COUNT = 2, ROW = COUNT + 4 + 4 + 4 + 8 + 4 };

static uint32_t number_at(const unsigned char *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static int senseless(pgo_archive_objects *op, const char *what) {
    return pgo_fail(&op->op.err, PGO_E_ARCHIVE, "large objects as the server sends them: %s", what);
}

static void frame(pgo_archive_objects *op, uint32_t value) {
    pgo_archive_number(op->framing + op->framed, value);
    op->framed += PGO_ARCHIVE_INT;
}

/* --- what comes in --- */

static int read_header(pgo_archive_objects *op) {
    static const char expected[HEADER] = "PGCOPY\n\377\r\n"; /* no flags, no extension */
    if (memcmp(op->fixed, expected, HEADER) != 0) {
        return senseless(op, "no beginning of a binary COPY");
    }
    op->state = PGO_OBJECTS_ROW;
    return 0;
}

/* Another object begins, or this one goes on. */
static int read_place(pgo_archive_objects *op, uint32_t oid, uint64_t at) {
    if (at > 0) {
        return oid == op->oid && at == op->at ? 0 : senseless(op, "a piece is out of its order");
    }
    if (oid <= op->oid) {
        return senseless(op, "an object is out of its order");
    }
    if (op->oid != 0) {
        frame(op, 0);
    }
    frame(op, oid);
    op->oid = oid;
    op->at = 0;
    return 0;
}

static int read_row(pgo_archive_objects *op) {
    const unsigned char *b = op->fixed + COUNT;
    uint32_t length = number_at(b + 20);
    uint64_t at = (uint64_t)number_at(b + 12) << 32 | number_at(b + 16);
    if (op->fixed[0] != 0 || op->fixed[1] != 3 || number_at(b) != 4 || number_at(b + 8) != 8 ||
        length > INT32_MAX) {
        return senseless(op, "not the columns that were asked for");
    }
    int status = read_place(op, number_at(b + 4), at);
    if (status == 0 && length > 0) {
        frame(op, length);
        op->left = length;
        op->state = PGO_OBJECTS_BYTES;
    }
    return status;
}

static int read_trailer(pgo_archive_objects *op) {
    if (op->oid != 0) {
        frame(op, 0);
    }
    op->state = PGO_OBJECTS_OVER;
    return 0;
}

static bool is_trailer(const pgo_archive_objects *op) {
    return op->state == PGO_OBJECTS_ROW && op->have == COUNT && op->fixed[0] == 0xff &&
           op->fixed[1] == 0xff;
}

/* Some bytes of fixed length. The number of columns is looked at by itself: it may be the end. */
static int take_fixed(pgo_archive_objects *op, const char *data, size_t length, size_t *taken) {
    size_t whole = op->state == PGO_OBJECTS_HEADER ? HEADER : ROW;
    size_t wanted = (whole == ROW && op->have < COUNT ? COUNT : whole) - op->have;
    *taken = length < wanted ? length : wanted;
    memcpy(op->fixed + op->have, data, *taken);
    op->have += *taken;
    bool trailer = is_trailer(op);
    if (op->have < whole && !trailer) {
        return 0;
    }
    op->have = 0;
    return trailer ? read_trailer(op) : whole == ROW ? read_row(op) : read_header(op);
}

/* --- what goes out --- */

/* False: there is no room. */
static bool write_framing(pgo_archive_objects *op) {
    op->sent += pgo_stream_write(op->to, op->framing + op->sent, op->framed - op->sent);
    if (op->sent < op->framed) {
        return false;
    }
    op->sent = op->framed = 0;
    return true;
}

static size_t pass_on(pgo_archive_objects *op, const char *data, size_t length) {
    size_t some = pgo_stream_write(op->to, data, length < op->left ? length : (size_t)op->left);
    op->left -= some;
    op->at += some;
    op->bytes += some;
    if (op->left == 0) {
        op->state = PGO_OBJECTS_ROW;
    }
    return some;
}

/* --- the op --- */

static void finish(pgo_archive_objects *op, int status) {
    pgo_stream_on_data(op->from, NULL, NULL);
    pgo_stream_on_room(op->to, NULL, NULL);
    if (status < 0) {
        pgo_stream_close(op->from);
    }
    pgo_op_complete(&op->op, status);
}

static int move(pgo_archive_objects *op) {
    size_t length, taken;
    const char *data;
    int status = 0;
    while (status == 0 && write_framing(op) &&
           (data = pgo_stream_peek(op->from, &length)) != NULL) {
        if (op->state == PGO_OBJECTS_OVER) {
            return senseless(op, "something comes behind the end");
        }
        if (op->state == PGO_OBJECTS_BYTES) {
            taken = pass_on(op, data, length);
        } else {
            status = take_fixed(op, data, length, &taken);
        }
        pgo_stream_consume(op->from, taken);
        if (taken == 0) {
            break; /* on_room calls again */
        }
    }
    return status;
}

static int read_end(pgo_archive_objects *op, bool *ended) {
    const pgo_err *err = NULL;
    *ended = pgo_stream_ended(op->from, &err) && op->framed == 0;
    if (*ended && err) {
        pgo_err_copy(&op->op.err, err);
        return err->code;
    }
    return *ended && op->state != PGO_OBJECTS_OVER ? senseless(op, "no end") : 0;
}

static void when_news(pgo_stream *stream, void *arg) {
    (void)stream;
    pgo_archive_objects *op = arg;
    bool ended = false;
    int status = pgo_stream_closed(op->to)
                     ? pgo_fail(&op->op.err, PGO_E_CLOSED, "whoever reads the stream has closed it")
                     : move(op);
    if (status == 0) {
        status = read_end(op, &ended);
    }
    if (status < 0 || ended) {
        finish(op, status);
    }
}

static void start(pgo_op *base) {
    pgo_archive_objects *op = (pgo_archive_objects *)base;
    if (pgo_stream_is_read(op->from) || pgo_stream_is_written(op->to)) {
        pgo_op_fail(base, PGO_E_INVALID, "a stream of the large objects is in use already");
        return;
    }
    pgo_stream_on_data(op->from, when_news, op);
    pgo_stream_on_room(op->to, when_news, op);
}

static void cancel(pgo_op *base) {
    finish((pgo_archive_objects *)base, pgo_fail(&base->err, PGO_E_CANCELED, "cancelled"));
}

static void release(pgo_op *base) {
    pgo_archive_objects *op = (pgo_archive_objects *)base;
    pgo_stream_unref(op->from);
    pgo_stream_unref(op->to);
    op->from = op->to = NULL;
}

static const pgo_op_type type = {"archive.objects", start, cancel, release};

void pgo_archive_objects_take(pgo_archive_objects *op, pgo_loop *loop, pgo_stream *from,
                              pgo_stream *to) {
    *op = (pgo_archive_objects){.from = pgo_stream_ref(from), .to = pgo_stream_ref(to)};
    pgo_op_init(&op->op, &type, loop);
}
