/* What one host is: a loop, a Lua state, and what the floors below keep for it. There are no
 * globals: every binding reaches its host through the Lua state's extra space. */
#ifndef PGO_LUA_HOST_H
#define PGO_LUA_HOST_H

#include "core/crew.h"
#include "core/secret.h"
#include "core/task.h"

#include <lua5.4/lua.h>

typedef struct pgo_host {
    pgo_loop loop;
    lua_State *L;
    pgo_scope root;              /* cancelled by the first signal, or by pgo_host_cancel */
    struct pgo_event *interrupt; /* Ctrl-C sets it, and cancels nothing; kept by the registry */
    pgo_redactor *redactor;
    pgo_crew *crew;               /* made on first use: pgo_lua_crew */
    struct pgo_lua_task *current; /* whose coroutine runs now; NULL on the loop itself */
    unsigned live_tasks;
    void *http; /* the HTTP client's connections, made on first use by host/lua/http.c */
    struct pgo_closer *closers; /* see pgo_lua_at_close */
    int signal;                 /* the signal that interrupted it first, or 0 */
    int signals;                /* how many have come */
    int leaves_at;              /* with which of them the process ends at once */
    char *last_words;           /* owned; printed when a second signal ends the process at once */
} pgo_host;

pgo_host *pgo_lua_host(lua_State *L);
pgo_loop *pgo_lua_loop(lua_State *L);
pgo_crew *pgo_lua_crew(lua_State *L); /* raises when threads cannot be had */

/* Tells the script that has asked for Ctrl-C. False when it has not heard of the one before yet. */
bool pgo_lua_interrupt(pgo_host *host);

/* Calls fn(arg) on the loop's thread when the host closes, after the last task, while the loop
 * still runs (so that handles can be closed). Latest first. Raises when out of memory. */
void pgo_lua_at_close(lua_State *L, void (*fn)(void *arg), void *arg);
void pgo_lua_run_closers(pgo_host *host);

/* A state with the standard library as recipes see it (no io, a small os), the native modules and
 * the embedded Lua files. 0, or a negative code with err filled. */
int pgo_lua_open(pgo_host *host, pgo_err *err) PGO_MUSTCHECK;
/* Nothing may run any more. */
void pgo_lua_close(pgo_host *host);

/* A file that was embedded at build time, by its path below lua/ ("pgorch/task.lua") or
 * "recipes/vultr.lua". NULL when there is none. Static memory. */
const char *pgo_resource(const char *path, size_t *length);
/* The i-th path, NULL past the end. */
const char *pgo_resource_path(size_t index);

#endif
