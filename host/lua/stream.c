/* native.stream: the stream as Lua sees it. Moving bytes is C's work; Lua reads small texts,
 * counts, and cuts blocks for uploads. */
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <string.h>

/* --- reading: one op for read, read_all and take --- */

enum read_mode { SOME, ALL, BLOCK };

typedef struct {
    pgo_op op;
    pgo_stream *stream;
    enum read_mode mode;
    size_t wanted;           /* SOME, BLOCK: at most this many; ALL: the limit */
    pgo_buffer text;         /* SOME, ALL */
    struct pgo_bytes *block; /* BLOCK: borrowed from the Lua stack below the op */
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

/* A second reader or writer would take the callback of the first, which would wait for ever. */
static bool refuse_second(pgo_op *base, const pgo_stream *from, const pgo_stream *to) {
    bool read = from != NULL && pgo_stream_is_read(from);
    if (read || (to != NULL && pgo_stream_is_written(to))) {
        pgo_op_fail(base, PGO_E_INVALID, "the stream is being %s already",
                    read ? "read" : "written to");
        return true;
    }
    return false;
}

static void read_start(pgo_op *base) {
    read_op *op = (read_op *)base;
    if (refuse_second(base, op->stream, NULL)) {
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
    op->stream = NULL;
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
        lua_pushvalue(L, 3);
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

static size_t check_size(lua_State *L, int index, lua_Integer otherwise) {
    lua_Integer size = luaL_optinteger(L, index, otherwise);
    luaL_argcheck(L, size >= 0, index, "a size cannot be negative");
    return (size_t)size;
}

/* stream:read(max = 64 KiB) -> string | nil at the end   [-0, +1, e] */
static int stream_read(lua_State *L) {
    size_t max = check_size(L, 2, 65536);
    return pgo_await(L, &new_read(L, SOME, max)->op, push_text);
}

/* stream:read_all(limit = 16 MiB) -> string   [-0, +1, e]  PGO-LIMIT when there is more */
static int stream_read_all(lua_State *L) {
    size_t limit = check_size(L, 2, 16 << 20);
    return pgo_await(L, &new_read(L, ALL, limit + 1)->op, push_text);
}

/* stream:take(size) -> bytes | nil   [-0, +1, e]  waits until `size` bytes are there, or the end */
static int stream_take(lua_State *L) {
    size_t size = check_size(L, 2, 0);
    lua_settop(L, 2);
    struct pgo_bytes *block = pgo_lua_new_bytes(L, size); /* stays at index 3 */
    read_op *op = new_read(L, BLOCK, size);
    op->block = block;
    return pgo_await(L, &op->op, push_block);
}

/* --- moving bytes on: write (from memory) and pipe (from another stream) --- */

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
    if (refuse_second(base, op->from, op->to)) {
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
static int stream_write(lua_State *L) {
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
static int stream_pipe(lua_State *L) {
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
static int stream_drain(lua_State *L) {
    pgo_stream *from = pgo_lua_check_stream(L, 1);
    move_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &move_type, pgo_lua_loop(L));
    op->from = pgo_stream_ref(from);
    return pgo_await(L, &op->op, push_moved);
}

/* --- the rest does not wait --- */

/* new(capacity = 256 KiB) -> stream   [-0, +1, e] */
static int stream_new(lua_State *L) {
    size_t capacity = check_size(L, 1, 0);
    pgo_stream **slot = lua_newuserdatauv(L, sizeof(pgo_stream *), 0);
    *slot = NULL;
    luaL_setmetatable(L, PGO_STREAM_TYPE);
    *slot = pgo_stream_new(pgo_lua_loop(L), capacity);
    return *slot != NULL ? 1 : pgo_raisef(L, PGO_E_NOMEM, "a stream");
}

/* stream:finish()   [-0, +0, e]  the producer's good end */
static int stream_finish(lua_State *L) {
    pgo_stream_end(pgo_lua_check_stream(L, 1), NULL);
    return 0;
}

/* stream:fail(error | message)   [-0, +0, e]  the producer's bad end: the reader raises it */
static int stream_fail(lua_State *L) {
    pgo_stream *stream = pgo_lua_check_stream(L, 1);
    const char *id = NULL, *message = NULL;
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "id");
        lua_getfield(L, 2, "message");
        id = lua_tostring(L, -2);
        message = lua_tostring(L, -1);
    } else {
        message = luaL_tolstring(L, 2, NULL);
    }
    int code = id != NULL ? pgo_error_find(id) : 0;
    pgo_err err = PGO_ERR_INIT;
    pgo_fail(&err, code != 0 ? code : PGO_E_IO, "%s",
             message != NULL ? message : "the producer failed");
    pgo_stream_end(stream, &err);
    pgo_err_clear(&err);
    return 0;
}

/* stream:close()   [-0, +0, e]  the consumer gives up */
static int stream_close(lua_State *L) {
    pgo_stream_close(pgo_lua_check_stream(L, 1));
    return 0;
}

/* stream:total() -> bytes produced so far   [-0, +1, e] */
static int stream_total(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)pgo_stream_total(pgo_lua_check_stream(L, 1)));
    return 1;
}

static int stream_gc(lua_State *L) {
    pgo_stream **slot = lua_touserdata(L, 1);
    pgo_stream_unref(*slot);
    *slot = NULL;
    return 0;
}

static const luaL_Reg functions[] = {{"new", stream_new}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"read", stream_read},
                                   {"read_all", stream_read_all},
                                   {"take", stream_take},
                                   {"write", stream_write},
                                   {"pipe", stream_pipe},
                                   {"drain", stream_drain},
                                   {"finish", stream_finish},
                                   {"fail", stream_fail},
                                   {"close", stream_close},
                                   {"total", stream_total},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", stream_gc}, {NULL, NULL}};

int luaopen_pgorch_native_stream(lua_State *L) {
    pgo_lua_new_type(L, PGO_STREAM_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
