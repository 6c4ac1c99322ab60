/* Reading a stream from Lua: some bytes, all of them, or a block of a size. One op for the three.
 */
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/stream.h"
#include "lua/value.h"

#include <string.h>

enum read_mode { SOME, ALL, BLOCK };

typedef struct {
    pgo_op op;
    pgo_stream *stream;
    enum read_mode mode;
    size_t wanted;           /* SOME, BLOCK: at most this many; ALL: the limit */
    pgo_buffer text;         /* SOME, ALL */
    struct pgo_bytes *block; /* BLOCK: borrowed from the Lua stack below the op */
    pgo_stream *also;        /* BLOCK: gets the same bytes; or NULL */
    bool at_end;
} read_op;

static size_t have(const read_op *op) {
    return op->mode == BLOCK ? op->block->length : op->text.length;
}

static void read_finish(read_op *op, int status) {
    pgo_stream_on_data(op->stream, NULL, NULL);
    pgo_op_complete(&op->op, status);
}

static int keep(read_op *op, const char *data, size_t length) {
    if (op->mode != BLOCK) {
        return pgo_buffer_append(&op->text, data, length);
    }
    if (op->also != NULL) {
        pgo_stream_write(op->also, data, length); /* it has room, or nobody reads it any more */
    }
    memcpy(op->block->data + op->block->length, data, length);
    op->block->length += length;
    return 0;
}

static void read_more(pgo_stream *stream, void *arg) {
    read_op *op = arg;
    size_t length;
    const char *data;
    while (have(op) < op->wanted && (data = pgo_stream_peek(stream, &length)) != NULL) {
        size_t piece = length < op->wanted - have(op) ? length : op->wanted - have(op);
        if (keep(op, data, piece) < 0) {
            read_finish(op, pgo_fail(&op->op.err, PGO_E_NOMEM, "reading a stream"));
            return;
        }
        pgo_stream_consume(stream, piece);
    }
    const pgo_err *err;
    if (op->mode == ALL && have(op) == op->wanted) {
        read_finish(op, pgo_fail(&op->op.err, PGO_E_LIMIT, "more than %zu bytes", op->wanted - 1));
    } else if (have(op) == op->wanted || (op->mode == SOME && have(op) > 0)) {
        read_finish(op, 0);
    } else if (pgo_stream_ended(stream, &err)) {
        op->at_end = true;
        if (err != NULL) {
            pgo_err_copy(&op->op.err, err);
        }
        read_finish(op, op->op.err.code);
    }
}

static void read_start(pgo_op *base) {
    read_op *op = (read_op *)base;
    if (pgo_stream_refuse_second(base, op->stream, NULL)) {
        return;
    }
    pgo_stream_on_data(op->stream, read_more, op);
    size_t length;
    if (op->wanted == 0 && op->mode != ALL) {
        read_finish(op, 0);
    } else if (pgo_stream_peek(op->stream, &length) == NULL && pgo_stream_closed(op->stream)) {
        read_finish(op, pgo_fail(&base->err, PGO_E_CLOSED, "the stream was closed"));
    }
}

static void read_cancel(pgo_op *base) {
    read_finish((read_op *)base, pgo_fail(&base->err, PGO_E_CANCELED, "cancelled"));
}

static void read_release(pgo_op *base) {
    read_op *op = (read_op *)base;
    pgo_buffer_free(&op->text);
    pgo_stream_unref(op->stream);
    pgo_stream_unref(op->also);
    op->stream = op->also = NULL;
}

static const pgo_op_type read_type = {"stream.read", read_start, read_cancel, read_release};

static int push_text(lua_State *L, pgo_op *base) {
    read_op *op = (read_op *)base;
    if (op->mode == SOME && op->at_end && op->text.length == 0) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, op->text.data != NULL ? op->text.data : "", op->text.length);
    }
    return 1;
}

static int push_block(lua_State *L, pgo_op *base) {
    read_op *op = (read_op *)base;
    if (op->block->length == 0) {
        lua_pushnil(L);
    } else {
        lua_pushvalue(L, 5);
    }
    return 1;
}

static read_op *new_read(lua_State *L, enum read_mode mode, size_t wanted) {
    pgo_stream *stream = pgo_lua_check_stream(L, 1);
    read_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &read_type, pgo_lua_loop(L));
    op->stream = pgo_stream_ref(stream);
    op->mode = mode;
    op->wanted = wanted;
    return op;
}

/* stream:read(max = 64 KiB) -> string | nil at the end   [-0, +1, e] */
int pgo_lua_stream_read(lua_State *L) {
    size_t max = pgo_lua_check_size(L, 2, 65536);
    return pgo_await(L, &new_read(L, SOME, max)->op, push_text);
}

/* stream:read_all(limit = 16 MiB) -> string   [-0, +1, e]  PGO-LIMIT when there is more */
int pgo_lua_stream_read_all(lua_State *L) {
    size_t limit = pgo_lua_check_size(L, 2, 16 << 20);
    return pgo_await(L, &new_read(L, ALL, limit + 1)->op, push_text);
}

/* A block that was used before, emptied: its pages are there already. */
static struct pgo_bytes *check_used(lua_State *L, int index, size_t size) {
    struct pgo_bytes *used = pgo_lua_test_bytes(L, index);
    luaL_argcheck(L, used != NULL && used->capacity == size && used->pins == 0, index,
                  "a block of that size is needed that nobody uses");
    used->length = 0;
    lua_pushvalue(L, index);
    return used;
}

/* stream:take(size, also = nil, used = nil) -> bytes | nil   [-0, +1, e]  waits until `size` bytes
 * are there, or the end. `also` is a stream that gets them, too, as they come; it must have room
 * for all. `used` is a block of that size which is filled again, and returned */
int pgo_lua_stream_take(lua_State *L) {
    size_t size = pgo_lua_check_size(L, 2, 0);
    pgo_stream *also = lua_isnoneornil(L, 3) ? NULL : pgo_lua_check_stream(L, 3);
    luaL_argcheck(L, also == NULL || pgo_stream_closed(also) || pgo_stream_room(also) >= size, 3,
                  "the other stream has not the room for so much");
    lua_settop(L, 4);
    struct pgo_bytes *block = /* stays at index 5 */
        lua_isnil(L, 4) ? pgo_lua_new_bytes(L, size) : check_used(L, 4, size);
    read_op *op = new_read(L, BLOCK, size);
    op->block = block;
    op->also = also != NULL ? pgo_stream_ref(also) : NULL;
    return pgo_await(L, &op->op, push_block);
}
