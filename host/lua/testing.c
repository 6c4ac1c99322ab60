/* native.testing: what only tests ask of the program: what is open in it, and a sudden end. */
#include "lua/host.h"
#include "lua/modules.h"

#include <signal.h>
#include <unistd.h>

/* die()   [-0, +0, -]  at once, as by kill -9: for tests of what a killed process leaves */
static int testing_die(lua_State *L) {
    (void)L;
    kill(getpid(), SIGKILL);
    return 0;
}

/* What the program keeps for its whole life, once it was needed: timers of its own loop, the
 * channels of its threads. */
static bool is_kept(uv_handle_type type) {
    return type == UV_ASYNC || type == UV_IDLE || type == UV_SIGNAL || type == UV_TIMER;
}

static void count_handle(uv_handle_t *handle, void *arg) {
    int *counts = arg;
    uv_handle_type type = uv_handle_get_type(handle);
    if (!uv_is_closing(handle) && !is_kept(type)) {
        counts[type]++;
    }
}

/* open() -> {tasks = 1, tcp = 2, ...}   [-0, +1, e]  handles that are open now, by their kind */
static int testing_open(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    int counts[UV_HANDLE_TYPE_MAX] = {0};
    uv_walk(&host->loop.uv, count_handle, counts);
    lua_newtable(L);
    for (int type = 0; type < UV_HANDLE_TYPE_MAX; type++) {
        if (counts[type] > 0) {
            lua_pushinteger(L, counts[type]);
            lua_setfield(L, -2, uv_handle_type_name((uv_handle_type)type));
        }
    }
    lua_pushinteger(L, (lua_Integer)host->live_tasks);
    lua_setfield(L, -2, "tasks");
    return 1;
}

static const luaL_Reg functions[] = {{"die", testing_die}, {"open", testing_open}, {NULL, NULL}};

int luaopen_pgorch_native_testing(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
