/* The options table of process.run and process.spawn, turned into a running process. */
#ifndef PGO_LUA_PROCESS_OPTIONS_H
#define PGO_LUA_PROCESS_OPTIONS_H

#include "io/process.h"

#include <lua5.4/lua.h>

/* Starts what the table at `index` describes. One reference for the caller. With `streams`, the
 * word "stream" for stdin, stdout or stderr makes one, which replaces the value in its slot (index
 * + 1 .. index + 3). Raises PGO-INVALID, PGO-SECRET-MARKER, PGO-SPAWN. */
pgo_process *pgo_lua_start_process(lua_State *L, int index, bool streams);

/* hide(name)   [-0, +0, e]  children no longer inherit that variable: it holds a secret */
int pgo_lua_hide_variable(lua_State *L);

#endif
