/* The registry of native modules, and what their files share to declare userdata types. */
#ifndef PGO_LUA_MODULES_H
#define PGO_LUA_MODULES_H

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>

#define PGO_MODULE(name) int luaopen_pgorch_native_##name(lua_State *L);
#include "lua/modules.def"
#undef PGO_MODULE

/* Makes the metatable `type`: methods under __index, and metamethods ("__gc" and so on; NULL:
 * none). Its __metatable is locked. [-0, +0, e] */
void pgo_lua_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
                      const luaL_Reg *metamethods);
/* Adds event() to the table on top of the stack. [-0, +0, e] */
void pgo_lua_event_functions(lua_State *L);

#endif
