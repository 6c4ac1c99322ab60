/* native.stream: the stream as Lua sees it. Moving bytes is C's work (stream_move.c); Lua reads
 * small texts and cuts blocks for uploads (stream_read.c), counts, and says how a stream ends. */
#include "lua/stream.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

size_t pgo_lua_check_size(lua_State *L, int index, lua_Integer otherwise) {
    lua_Integer size = luaL_optinteger(L, index, otherwise);
    luaL_argcheck(L, size >= 0, index, "a size cannot be negative");
    return (size_t)size;
}

/* A second reader or writer would take the callback of the first, which would wait for ever. */
bool pgo_stream_refuse_second(pgo_op *base, const pgo_stream *from, const pgo_stream *to) {
    bool read = from != NULL && pgo_stream_is_read(from);
    if (read || (to != NULL && pgo_stream_is_written(to))) {
        pgo_op_fail(base, PGO_E_INVALID, "the stream is being %s already",
                    read ? "read" : "written to");
        return true;
    }
    return false;
}

/* new(capacity = 256 KiB) -> stream   [-0, +1, e] */
static int stream_new(lua_State *L) {
    size_t capacity = pgo_lua_check_size(L, 1, 0);
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

static const luaL_Reg methods[] = {{"read", pgo_lua_stream_read},
                                   {"read_all", pgo_lua_stream_read_all},
                                   {"take", pgo_lua_stream_take},
                                   {"write", pgo_lua_stream_write},
                                   {"pipe", pgo_lua_stream_pipe},
                                   {"drain", pgo_lua_stream_drain},
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
