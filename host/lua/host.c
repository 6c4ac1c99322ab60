/* native.host: what a script may know of the process it runs in. */
#include "lua/host.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* last_words(text)   [-0, +0, e]  printed when a second Ctrl-C ends the process at once; nil:
 * nothing */
static int host_last_words(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    const char *text = luaL_optstring(L, 1, NULL);
    char *copy = text != NULL ? strdup(text) : NULL;
    free(host->last_words);
    host->last_words = copy;
    return 0;
}

/* interrupted() -> name of the first signal | nil, how many have come   [-0, +2, e] */
static int host_interrupted(lua_State *L) {
    const pgo_host *host = pgo_lua_host(L);
    if (host->signal == 0) {
        lua_pushnil(L);
    } else {
        lua_pushfstring(L, "SIG%s", sigabbrev_np(host->signal));
    }
    lua_pushinteger(L, host->signals);
    return 2;
}

/* leaves_at(n)   [-0, +0, e]  the n-th signal ends the process at once; the second, unless a
 * command says otherwise that answers more of them itself */
static int host_leaves_at(lua_State *L) {
    lua_Integer number = luaL_checkinteger(L, 1);
    luaL_argcheck(L, number >= 2 && number <= 9, 1, "between 2 and 9");
    pgo_lua_host(L)->leaves_at = (int)number;
    return 0;
}

/* executable() -> path   [-0, +1, e]  of the running program */
static int host_executable(lua_State *L) {
    char path[4096];
    size_t length = sizeof path;
    if (uv_exepath(path, &length) < 0) {
        return pgo_raisef(L, PGO_E_IO, "the path of the running program is not known");
    }
    lua_pushlstring(L, path, length);
    return 1;
}

/* getenv(name) -> string | nil   [-0, +1, e] */
static int host_getenv(lua_State *L) {
    const char *value = getenv(luaL_checkstring(L, 1));
    lua_pushstring(L, value);
    return 1;
}

/* getenv_secret(name) -> secret | nil   [-0, +1, e]  the value never becomes a Lua string */
static int host_getenv_secret(lua_State *L) {
    const char *value = getenv(luaL_checkstring(L, 1));
    if (value == NULL) {
        lua_pushnil(L);
    } else {
        pgo_lua_push_secret(L, value, strlen(value));
    }
    return 1;
}

/* environ() -> {name = value}   [-0, +1, e] */
static int host_environ(lua_State *L) {
    lua_newtable(L);
    for (char **each = environ; each != NULL && *each != NULL; each++) {
        const char *equals = strchr(*each, '=');
        if (equals != NULL) {
            lua_pushlstring(L, *each, (size_t)(equals - *each));
            lua_pushstring(L, equals + 1);
            lua_rawset(L, -3);
        }
    }
    return 1;
}

/* user() -> {uid, gid, name, home}   [-0, +1, e] */
static int host_user(lua_State *L) {
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)geteuid());
    lua_setfield(L, -2, "uid");
    lua_pushinteger(L, (lua_Integer)getegid());
    lua_setfield(L, -2, "gid");
    struct passwd *entry = getpwuid(geteuid());
    if (entry != NULL) {
        lua_pushstring(L, entry->pw_name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, entry->pw_dir);
        lua_setfield(L, -2, "home");
    }
    return 1;
}

/* has_user(name) -> boolean   [-0, +1, e] */
static int host_has_user(lua_State *L) {
    lua_pushboolean(L, getpwnam(luaL_checkstring(L, 1)) != NULL);
    return 1;
}

/* pid() -> integer   [-0, +1, -] */
static int host_pid(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

/* hostname() -> string   [-0, +1, -] */
static int host_hostname(lua_State *L) {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    lua_pushstring(L, name);
    return 1;
}

/* cwd() -> path   [-0, +1, e] */
static int host_cwd(lua_State *L) {
    char path[4096];
    lua_pushstring(L, getcwd(path, sizeof path) != NULL ? path : ".");
    return 1;
}

/* is_alive(pid) -> boolean   [-0, +1, e]  whether a process with that number exists */
static int host_is_alive(lua_State *L) {
    lua_pushboolean(L, uv_kill((int)luaL_checkinteger(L, 1), 0) != UV_ESRCH);
    return 1;
}

static const luaL_Reg functions[] = {
    {"last_words", host_last_words}, {"interrupted", host_interrupted},
    {"leaves_at", host_leaves_at},   {"executable", host_executable},
    {"getenv", host_getenv},         {"getenv_secret", host_getenv_secret},
    {"environ", host_environ},       {"user", host_user},
    {"has_user", host_has_user},     {"pid", host_pid},
    {"hostname", host_hostname},     {"cwd", host_cwd},
    {"is_alive", host_is_alive},     {NULL, NULL}};

int luaopen_pgorch_native_host(lua_State *L) {
    luaL_newlib(L, functions);
    lua_pushliteral(L, PGORCH_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
