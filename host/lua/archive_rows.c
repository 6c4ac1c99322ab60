/* The data of an archive as Lua has it made: rows and large objects that several connections read.
 * lua/pgorch/dump/readers.lua says what stands around them. */
#include "io/archive_rows.h"
#include "lua/archive.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#define ROWS_TYPE "pgorch.archive.rows"

/* rows(to) -> rows   [-0, +1, e] */
int pgo_lua_archive_rows(lua_State *L) {
    pgo_stream *to = pgo_lua_check_stream(L, 1);
    pgo_archive_rows *rows = lua_newuserdatauv(L, sizeof *rows, 0);
    pgo_archive_rows_init(rows, to);
    luaL_setmetatable(L, ROWS_TYPE);
    return 1;
}

static int push_rows_bytes(lua_State *L, pgo_op *base) {
    lua_pushinteger(L, (lua_Integer)((pgo_archive_rows_op *)base)->bytes);
    return 1;
}

/* rows:take(from) -> bytes   [-0, +1, e]  waits; several at once. The rows are still the first
 * argument of the call that waits. */
static int rows_take(lua_State *L) {
    pgo_archive_rows *rows = luaL_checkudata(L, 1, ROWS_TYPE);
    pgo_stream *from = pgo_lua_check_stream(L, 2);
    luaL_argcheck(L, from != rows->to, 2, "rows cannot be written into the stream they come from");
    pgo_archive_rows_op *op = pgo_lua_op(L, sizeof *op);
    pgo_archive_rows_take(op, pgo_lua_loop(L), rows, from);
    return pgo_await(L, &op->op, push_rows_bytes);
}

static int rows_gc(lua_State *L) {
    pgo_archive_rows_free(lua_touserdata(L, 1));
    return 0;
}

static int push_objects_bytes(lua_State *L, pgo_op *base) {
    lua_pushinteger(L, (lua_Integer)((pgo_archive_objects *)base)->bytes);
    return 1;
}

/* objects(from, to) -> bytes   [-0, +1, e]  waits */
int pgo_lua_archive_objects(lua_State *L) {
    pgo_stream *from = pgo_lua_check_stream(L, 1), *to = pgo_lua_check_stream(L, 2);
    luaL_argcheck(L, from != to, 2, "an object cannot be written into the stream it comes from");
    pgo_archive_objects *op = pgo_lua_op(L, sizeof *op);
    pgo_archive_objects_take(op, pgo_lua_loop(L), from, to);
    return pgo_await(L, &op->op, push_objects_bytes);
}

static const luaL_Reg methods[] = {{"take", rows_take}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", rows_gc}, {NULL, NULL}};

void pgo_lua_archive_rows_type(lua_State *L) {
    pgo_lua_new_type(L, ROWS_TYPE, methods, metamethods);
}
