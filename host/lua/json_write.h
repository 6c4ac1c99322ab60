/* JSON, writing; the other half of native.json. */
#ifndef PGO_LUA_JSON_WRITE_H
#define PGO_LUA_JSON_WRITE_H

#include <lua5.4/lua.h>

/* Marks the table on top as an array. [-0, +0, e] */
void pgo_json_mark_array(lua_State *L);
int pgo_json_encode(lua_State *L);
int pgo_json_encode_secret(lua_State *L);

#endif
