/* The Lua state of a host: which libraries a script sees, where `require` looks, how it is closed.
 */
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <lua5.4/lualib.h>
#include <stdlib.h>
#include <string.h>

#if LUA_VERSION_RELEASE_NUM == 50405
#error "Lua 5.4.5 changed lua_resetthread in a patch release: use 5.4.4, or 5.4.6 and later"
#endif

pgo_host *pgo_lua_host(lua_State *L) {
    pgo_host *host;
    memcpy(&host, lua_getextraspace(L), sizeof(host));
    return host;
}

pgo_loop *pgo_lua_loop(lua_State *L) {
    return &pgo_lua_host(L)->loop;
}

pgo_crew *pgo_lua_crew(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    pgo_err err = PGO_ERR_INIT;
    if (host->crew == NULL && pgo_crew_new(&host->crew, &host->loop, 0, &err) < 0) {
        pgo_raise(L, &err);
    }
    return host->crew;
}

struct pgo_closer {
    struct pgo_closer *next;
    void (*fn)(void *arg);
    void *arg;
};

void pgo_lua_at_close(lua_State *L, void (*fn)(void *arg), void *arg) {
    pgo_host *host = pgo_lua_host(L);
    struct pgo_closer *closer = malloc(sizeof *closer);
    if (closer == NULL) {
        pgo_raisef(L, PGO_E_NOMEM, "the host");
        return;
    }
    *closer = (struct pgo_closer){host->closers, fn, arg};
    host->closers = closer;
}

void pgo_lua_run_closers(pgo_host *host) {
    while (host->closers != NULL) {
        struct pgo_closer *closer = host->closers;
        host->closers = closer->next;
        closer->fn(closer->arg);
        free(closer);
    }
}

void pgo_lua_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
                      const luaL_Reg *metamethods) {
    luaL_newmetatable(L, type);
    if (metamethods != NULL) {
        luaL_setfuncs(L, metamethods, 0);
    }
    if (methods != NULL) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* print(...)   [-0, +0, e]  to standard output, redacted */
static int l_print(lua_State *L) {
    int count = lua_gettop(L);
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1) {
            luaL_addchar(&line, '\t');
        }
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "pgorch.native.term");
    lua_getfield(L, -1, "out");
    lua_pushvalue(L, -4);
    lua_call(L, 1, 0);
    return 0;
}

/* A searcher of `require`: pgorch.a.b is the embedded pgorch/a/b.lua or pgorch/a/b/init.lua. */
static int search_embedded(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    luaL_gsub(L, name, ".", "/");
    const char *base = lua_tostring(L, -1);
    static const char *const forms[] = {"%s.lua", "%s/init.lua"};
    for (int i = 0; i < 2; i++) {
        const char *path = lua_pushfstring(L, forms[i], base);
        size_t length;
        const char *source = pgo_resource(path, &length);
        if (source != NULL) {
            lua_pushfstring(L, "@%s", path);
            if (luaL_loadbufferx(L, source, length, lua_tostring(L, -1), "t") != LUA_OK) {
                return lua_error(L);
            }
            lua_pushstring(L, path);
            return 2;
        }
    }
    lua_pushfstring(L, "no embedded file %s.lua", base);
    return 1;
}

static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},          {LUA_LOADLIBNAME, luaopen_package},
    {LUA_COLIBNAME, luaopen_coroutine}, {LUA_TABLIBNAME, luaopen_table},
    {LUA_STRLIBNAME, luaopen_string},   {LUA_MATHLIBNAME, luaopen_math},
    {LUA_UTF8LIBNAME, luaopen_utf8},    {LUA_DBLIBNAME, luaopen_debug},
    {LUA_OSLIBNAME, luaopen_os},        {NULL, NULL}};

/* Of os only what reads clocks and dates: files, processes and the environment have modules of
 * their own. */
static void trim_os(lua_State *L) {
    static const char *const removed[] = {"execute", "exit",      "getenv", "remove",
                                          "rename",  "setlocale", "tmpname"};
    lua_getglobal(L, LUA_OSLIBNAME);
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, removed[i]);
    }
    lua_pop(L, 1);
}

static const luaL_Reg native[] = {
#define PGO_MODULE(name) {"pgorch.native." #name, luaopen_pgorch_native_##name},
#include "lua/modules.def"
#undef PGO_MODULE
    {NULL, NULL}};

/* package: preloaded modules and embedded files only; nothing is taken from the working directory.
 */
static void set_searchers(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_rawgeti(L, -1, 1);
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -3, "searchers");
    lua_pushliteral(L, "");
    lua_setfield(L, -3, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -3, "cpath");
    lua_pushnil(L);
    lua_setfield(L, -3, "loadlib");
    lua_pop(L, 2);
}

static int open_all(lua_State *L) {
    for (const luaL_Reg *library = libraries; library->func != NULL; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    trim_os(L);
    set_searchers(L);
    static const char *const unsafe[] = {"dofile", "loadfile"};
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        lua_pushnil(L);
        lua_setglobal(L, unsafe[i]);
    }
    for (const luaL_Reg *module = native; module->func != NULL; module++) {
        luaL_requiref(L, module->name, module->func, 0);
        lua_pop(L, 1);
    }
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
    return 0;
}

int pgo_lua_open(pgo_host *host, pgo_err *err) {
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        return pgo_fail(err, PGO_E_NOMEM, "the Lua state");
    }
    host->L = L;
    memcpy(lua_getextraspace(L), &host, sizeof(host));
    lua_pushcfunction(L, open_all);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        pgo_fail(err, PGO_E_BUG, "the Lua libraries: %s", luaL_tolstring(L, -1, NULL));
        pgo_lua_close(host);
        return PGO_E_BUG;
    }
    return 0;
}

void pgo_lua_close(pgo_host *host) {
    if (host->L != NULL) {
        lua_close(host->L);
        host->L = NULL;
    }
    free(host->last_words);
    host->last_words = NULL;
}
