/* native.resource: the files embedded in the binary. */
#include "lua/host.h"
#include "lua/modules.h"

#include <string.h>

/* read(path) -> string | nil   [-0, +1, e]  "pgorch/sql/tables.sql", "recipes/vultr.lua" */
static int resource_read(lua_State *L) {
    size_t length;
    const char *data = pgo_resource(luaL_checkstring(L, 1), &length);
    if (data == NULL) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, data, length);
    }
    return 1;
}

/* list(prefix) -> sorted array of paths   [-0, +1, e] */
static int resource_list(lua_State *L) {
    size_t length;
    const char *prefix = luaL_optlstring(L, 1, "", &length);
    lua_newtable(L);
    lua_Integer count = 0;
    const char *path;
    for (size_t i = 0; (path = pgo_resource_path(i)) != NULL; i++) {
        if (strncmp(path, prefix, length) == 0) {
            lua_pushstring(L, path);
            lua_rawseti(L, -2, ++count);
        }
    }
    return 1;
}

static const luaL_Reg functions[] = {
    {"read", resource_read}, {"list", resource_list}, {NULL, NULL}};

int luaopen_pgorch_native_resource(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
