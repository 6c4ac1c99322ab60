/* native.error: the table of errors, and error tables made in Lua. */
#include "lua/await.h"
#include "lua/modules.h"

/* describe(id) -> {id, kind, what, cure} | nil   [-0, +1, e] */
static int error_describe(lua_State *L) {
    int code = pgo_error_find(luaL_checkstring(L, 1));
    if (code == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 4);
    lua_pushstring(L, pgo_error_id(code));
    lua_setfield(L, -2, "id");
    lua_pushstring(L, pgo_error_kind(code));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, pgo_error_what(code));
    lua_setfield(L, -2, "what");
    lua_pushstring(L, pgo_error_cure(code));
    lua_setfield(L, -2, "cure");
    return 1;
}

/* ids() -> array of every id   [-0, +1, e] */
static int error_ids(lua_State *L) {
    lua_createtable(L, PGO_ERROR_COUNT, 0);
    for (int i = 0; i < PGO_ERROR_COUNT; i++) {
        lua_pushstring(L, pgo_error_id(-(i + 1)));
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* mark(table) -> table   [-0, +1, e]  makes it an error table (its tostring is one line) */
static int error_mark(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    pgo_push_error_type(L);
    lua_setmetatable(L, 1);
    return 1;
}

/* is(value) -> boolean   [-0, +1, -] */
static int error_is(lua_State *L) {
    bool same = false;
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        pgo_push_error_type(L);
        same = lua_rawequal(L, -1, -2);
    }
    lua_pushboolean(L, same);
    return 1;
}

static const luaL_Reg functions[] = {{"describe", error_describe},
                                     {"ids", error_ids},
                                     {"mark", error_mark},
                                     {"is", error_is},
                                     {NULL, NULL}};

int luaopen_pgorch_native_error(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
