/* Tasks that are Lua coroutines. The tree is core/task.h; groups, map, retry are Lua
 * (pgorch/task.lua). */
#ifndef PGO_LUA_TASK_H
#define PGO_LUA_TASK_H

#include "lua/host.h"

typedef struct pgo_lua_task {
    pgo_task task;
    pgo_host *host;
    lua_State *co;
    int anchor; /* registry reference that keeps the coroutine alive while it runs */
    int arguments;
    pgo_job first; /* its first resume */
} pgo_lua_task;

/* Takes a function and `arguments` values from L's stack and runs them as a task in `scope` on a
 * later turn. The function must not raise: what comes out of it is a bug, and ends the process. */
void pgo_lua_spawn(lua_State *L, pgo_scope *scope, int arguments);

#endif
