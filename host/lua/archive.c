/* native.archive: makes compressed archives out of uncompressed ones, for lua/pgorch/archive.lua.
 * Reading a head is in archive_head.c, writing data in archive_rows.c. */
#include "io/archive.h"
#include "lua/archive.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#define PRESS_TYPE "pgorch.archive.press"

typedef struct {
    pgo_archive_plan plan;
    pgo_archive_head head;
    bool used, done, ahead;
} press;

/* recompress{engine = "auto", level = 0, threads = 0} -> press   [-0, +1, e] */
static int archive_recompress(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *engine = pgo_opt_string(L, 1, "engine", NULL);
    lua_Integer level = pgo_opt_integer(L, 1, "level", 0);
    lua_Integer threads = pgo_opt_integer(L, 1, "threads", 0);
    press *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (press){0};
    luaL_setmetatable(L, PRESS_TYPE);
    pgo_err err = PGO_ERR_INIT;
    if (level < 0 || level > 100 || threads < 0 || threads > 4096) {
        return pgo_raisef(L, PGO_E_INVALID, "level %d, threads %d: there is no such number of them",
                          (int)level, (int)threads);
    }
    if (pgo_archive_plan_init(&self->plan, engine, (int)level, (unsigned)threads, &err) < 0) {
        return pgo_raise(L, &err);
    }
    self->plan.ahead = &self->ahead;
    return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t count) {
    lua_pushinteger(L, (lua_Integer)count);
    lua_setfield(L, -2, name);
}

/* The press is still the first argument of the call that waited. */
static int push_counts(lua_State *L, pgo_op *base) {
    const struct pgo_archive_counts *counts = &((pgo_archive *)base)->counts;
    press *self = luaL_checkudata(L, 1, PRESS_TYPE);
    self->done = true;
    lua_createtable(L, 0, 4);
    set_count(L, "bytes", counts->bytes);
    set_count(L, "raw", counts->raw);
    set_count(L, "blocks", counts->blocks);
    lua_createtable(L, 0, PGO_DEFLATE_ENGINES);
    for (int i = 0; i < PGO_DEFLATE_ENGINES; i++) {
        set_count(L, pgo_deflate_name((enum pgo_deflate_engine)i), counts->pieces[i]);
    }
    lua_setfield(L, -2, "engines");
    return 1;
}

/* press:run(from, to, {keep_end = false}) -> {bytes, raw, blocks, engines}   [-0, +1, e]  waits;
 * once
 */
static int press_run(lua_State *L) {
    press *self = luaL_checkudata(L, 1, PRESS_TYPE);
    pgo_stream *from = pgo_lua_check_stream(L, 2), *to = pgo_lua_check_stream(L, 3);
    bool keep_end = pgo_opt_boolean(L, 4, "keep_end", false);
    luaL_argcheck(L, from != to, 3, "an archive cannot be written into the stream it comes from");
    if (self->used) {
        return pgo_raisef(L, PGO_E_INVALID, "an archive is made once: take another");
    }
    pgo_err err = PGO_ERR_INIT;
    pgo_archive *op = pgo_lua_op(L, sizeof *op);
    if (pgo_archive_init(op, pgo_lua_loop(L), pgo_lua_crew(L), &self->plan, &self->head, from, to,
                         keep_end, &err) < 0) {
        return pgo_raise(L, &err);
    }
    self->used = true;
    return pgo_await(L, &op->op, push_counts);
}

/* press:ahead(enough)   [-0, +0, e]  whether who reads the archive has enough of it for a while, so
 * that smaller pieces are worth their time. Engine "auto" goes by it; at any time */
static int press_ahead(lua_State *L) {
    press *self = luaL_checkudata(L, 1, PRESS_TYPE);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    self->ahead = lua_toboolean(L, 2);
    return 0;
}

/* press:head_size() -> bytes | nil   [-0, +1, e]  nil until the head is known */
static int press_head_size(lua_State *L) {
    const press *self = luaL_checkudata(L, 1, PRESS_TYPE);
    if (self->head.complete) {
        lua_pushinteger(L, (lua_Integer)self->head.raw.length);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* press:head(at = 0, most = all) -> bytes   [-0, +1, e]  with the places of the data; after run. A
 * large one is had in parts, so that no second one is in memory. */
static int press_head(lua_State *L) {
    const press *self = luaL_checkudata(L, 1, PRESS_TYPE);
    if (!self->done) {
        return pgo_raisef(L, PGO_E_INVALID,
                          "the places of an archive's data are known when it is whole");
    }
    lua_Integer size = (lua_Integer)self->head.raw.length, at = luaL_optinteger(L, 2, 0);
    lua_Integer most = luaL_optinteger(L, 3, size);
    luaL_argcheck(L, at >= 0 && at <= size, 2, "past the head's end");
    luaL_argcheck(L, most >= 0, 3, "a number of bytes is needed");
    pgo_lua_push_head_bytes(L, &self->head, (size_t)at,
                            (size_t)(most < size - at ? most : size - at));
    return 1;
}

static int press_gc(lua_State *L) {
    press *self = lua_touserdata(L, 1);
    pgo_archive_head_free(&self->head);
    return 0;
}

static const luaL_Reg functions[] = {{"read_head", pgo_lua_archive_read_head},
                                     {"recompress", archive_recompress},
                                     {"rows", pgo_lua_archive_rows},
                                     {"objects", pgo_lua_archive_objects},
                                     {NULL, NULL}};

static const luaL_Reg methods[] = {{"run", press_run},
                                   {"ahead", press_ahead},
                                   {"head_size", press_head_size},
                                   {"head", press_head},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", press_gc}, {NULL, NULL}};

int luaopen_pgorch_native_archive(lua_State *L) {
    pgo_lua_archive_head_type(L);
    pgo_lua_archive_rows_type(L);
    pgo_lua_new_type(L, PRESS_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
