/* The part of native.pg that needs no connection. */
#ifndef PGO_LUA_PG_TEXT_H
#define PGO_LUA_PG_TEXT_H

#include <lua5.4/lua.h>

/* Adds dsn, literal, env_name and ca_file to the table on top of the stack. [-0, +0, e] */
void pgo_lua_pg_text_functions(lua_State *L);

#endif
