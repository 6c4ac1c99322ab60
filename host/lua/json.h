/* JSON for other bindings: replies are decoded before their text ever becomes a Lua string. */
#ifndef PGO_LUA_JSON_H
#define PGO_LUA_JSON_H

#include <lua5.4/lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Decodes `text` and pushes the value; raises PGO-JSON. `options` is the index of an options table
 * as json.decode takes it, or 0. all_secret: every string in it becomes a secret. */
void pgo_lua_push_json(lua_State *L, const char *text, size_t length, int options, bool all_secret);

#endif
