/* native.clock: the time of day. Everything else about dates is arithmetic, and Lua
 * (pgorch/clock.lua). */
#include "lua/modules.h"

#include <time.h>

/* time() -> seconds since 1970, a float   [-0, +1, -] */
static int clock_time(lua_State *L) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

/* uptime() -> seconds since the machine was started, those included in which it slept; a float
 * [-0, +1, -] */
static int clock_uptime(lua_State *L) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

static const luaL_Reg functions[] = {{"time", clock_time}, {"uptime", clock_uptime}, {NULL, NULL}};

int luaopen_pgorch_native_clock(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
