/* Moving bytes through streams: from Lua's memory (write), from another stream (pipe), to nowhere
 * (drain). */
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/stream.h"
#include "lua/value.h"

#include <string.h>

typedef struct {
    pgo_op op;
    pgo_stream *from, *to;   /* from NULL: the text below */
    const char *text;        /* borrowed from the Lua stack */
    struct pgo_bytes *block; /* whose memory `text` is, pinned; or NULL */
    size_t length, at;
    uint64_t moved;
    bool keep_open; /* pipe: the end is not passed on */
} move_op;

static void move_finish(move_op *op, int status) {
    if (op->from != NULL) {
        pgo_stream_on_data(op->from, NULL, NULL);
    }
    if (op->to != NULL) {
        pgo_stream_on_room(op->to, NULL, NULL);
    }
    if (op->block != NULL) {
        op->block->pins--;
    }
    pgo_op_complete(&op->op, status);
}

static const char *next_piece(move_op *op, size_t *length) {
    if (op->from != NULL) {
        return pgo_stream_peek(op->from, length);
    }
    *length = op->length - op->at;
    return *length > 0 ? op->text + op->at : NULL;
}

static void consumed(move_op *op, size_t length) {
    if (op->from != NULL) {
        pgo_stream_consume(op->from, length);
    }
    op->at += length;
    op->moved += length;
}

static void move_end(move_op *op) {
    const pgo_err *err = NULL;
    if (op->from == NULL) {
        if (op->at == op->length) {
            move_finish(op, 0);
        }
    } else if (pgo_stream_ended(op->from, &err)) {
        if (op->to != NULL && !op->keep_open) {
            pgo_stream_end(op->to, err);
        }
        if (err != NULL) {
            pgo_err_copy(&op->op.err, err);
        }
        move_finish(op, err != NULL ? err->code : 0);
    }
}

/* The other side may leave while nothing comes: whoever feeds us must learn it at once. */
static bool move_refused(move_op *op) {
    bool over = op->from != NULL ? pgo_stream_ended(op->from, NULL) : op->at == op->length;
    if (over || op->to == NULL || !pgo_stream_closed(op->to)) {
        return false;
    }
    if (op->from != NULL) {
        pgo_stream_close(op->from);
    }
    move_finish(op, pgo_fail(&op->op.err, PGO_E_CLOSED, "whoever reads the stream has closed it"));
    return true;
}

static void move(pgo_stream *stream, void *arg) {
    (void)stream;
    move_op *op = arg;
    if (op->op.state != PGO_OP_RUNNING) {
        return;
    }
    if (move_refused(op)) {
        return;
    }
    size_t length;
    const char *data;
    while ((data = next_piece(op, &length)) != NULL) {
        size_t piece = op->to != NULL ? pgo_stream_write(op->to, data, length) : length;
        if (piece == 0) {
            return; /* on_room calls again */
        }
        consumed(op, piece);
    }
    move_end(op);
}

static void move_start(pgo_op *base) {
    move_op *op = (move_op *)base;
    if (pgo_stream_refuse_second(base, op->from, op->to)) {
        return;
    }
    if (op->block != NULL) {
        op->block->pins++;
    }
    if (op->from != NULL) {
        pgo_stream_on_data(op->from, move, op);
    }
    if (op->to != NULL) {
        pgo_stream_on_room(op->to, move, op);
    }
    if (op->from == NULL) {
        move(op->to, op);
    }
}

static void move_cancel(pgo_op *base) {
    move_finish((move_op *)base, pgo_fail(&base->err, PGO_E_CANCELED, "cancelled"));
}

static void move_release(pgo_op *base) {
    move_op *op = (move_op *)base;
    pgo_stream_unref(op->from);
    pgo_stream_unref(op->to);
    op->from = op->to = NULL;
}

static const pgo_op_type move_type = {"stream.write", move_start, move_cancel, move_release};

static int push_moved(lua_State *L, pgo_op *base) {
    lua_pushinteger(L, (lua_Integer)((move_op *)base)->moved);
    return 1;
}

/* stream:write(string | secret | bytes) -> count   [-0, +1, e]  waits for room */
int pgo_lua_stream_write(lua_State *L) {
    pgo_stream *stream = pgo_lua_check_stream(L, 1);
    struct pgo_bytes *bytes = pgo_lua_test_bytes(L, 2);
    size_t length = bytes != NULL ? bytes->length : 0;
    const char *text = bytes != NULL ? bytes->data : pgo_lua_check_text(L, 2, &length);
    move_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &move_type, pgo_lua_loop(L));
    op->to = pgo_stream_ref(stream);
    op->text = text;
    op->block = bytes;
    op->length = length;
    return pgo_await(L, &op->op, push_moved);
}

/* stream:pipe(to, {keep_open=}) -> count   [-0, +1, e]  until the end, which is passed on unless
 * keep_open */
int pgo_lua_stream_pipe(lua_State *L) {
    pgo_stream *from = pgo_lua_check_stream(L, 1), *to = pgo_lua_check_stream(L, 2);
    bool keep_open = pgo_opt_boolean(L, 3, "keep_open", false);
    luaL_argcheck(L, from != to, 2, "a stream cannot be piped into itself");
    move_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &move_type, pgo_lua_loop(L));
    op->from = pgo_stream_ref(from);
    op->to = pgo_stream_ref(to);
    op->keep_open = keep_open;
    return pgo_await(L, &op->op, push_moved);
}

/* stream:drain() -> count   [-0, +1, e]  reads to the end and drops it */
int pgo_lua_stream_drain(lua_State *L) {
    pgo_stream *from = pgo_lua_check_stream(L, 1);
    move_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &move_type, pgo_lua_loop(L));
    op->from = pgo_stream_ref(from);
    return pgo_await(L, &op->op, push_moved);
}
