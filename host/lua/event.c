/* Events: set once, waited for by any number of tasks, in order of arrival. Joins, semaphores and
 * channels are made of them in pgorch/task.lua. */
#include "lua/await.h"
#include "lua/modules.h"

#include <string.h>

#define EVENT_TYPE "pgorch.event"

typedef struct wait_op {
    pgo_op op;
    struct wait_op *next;
    struct pgo_event *event; /* on the waiting coroutine's stack, below the op */
} wait_op;

typedef struct pgo_event {
    bool set;
    wait_op *waiting;
} event;

static void wait_start(pgo_op *base) {
    wait_op *op = (wait_op *)base;
    if (op->event->set) {
        pgo_op_complete(base, 0);
        return;
    }
    wait_op **end = &op->event->waiting;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = op;
}

static void wait_cancel(pgo_op *base) {
    wait_op *op = (wait_op *)base;
    for (wait_op **each = &op->event->waiting; *each != NULL; each = &(*each)->next) {
        if (*each == op) {
            *each = op->next;
            pgo_op_fail(base, PGO_E_CANCELED, "cancelled");
            return;
        }
    }
}

static const pgo_op_type wait_type = {"task.wait", wait_start, wait_cancel, NULL};

static event *check_event(lua_State *L) {
    return luaL_checkudata(L, 1, EVENT_TYPE);
}

/* event() -> event   [-0, +1, e] */
static int event_new(lua_State *L) {
    event *it = lua_newuserdatauv(L, sizeof *it, 0);
    memset(it, 0, sizeof *it);
    luaL_setmetatable(L, EVENT_TYPE);
    return 1;
}

static void set_event(event *it) {
    it->set = true;
    wait_op *op = it->waiting;
    it->waiting = NULL;
    while (op != NULL) {
        wait_op *next = op->next;
        pgo_op_complete(&op->op, 0);
        op = next;
    }
}

/* event:set()   [-0, +0, e]  wakes all that wait; later waits return at once */
static int event_set(lua_State *L) {
    set_event(check_event(L));
    return 0;
}

/* on_interrupt(event|nil)   [-0, +0, e]  Ctrl-C sets it from now on, and cancels nothing; where it
 * is set already, the process is left at once. nil: as before */
static int on_interrupt(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    static const char key;
    host->interrupt = lua_isnoneornil(L, 1) ? NULL : check_event(L);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    return 0;
}

bool pgo_lua_interrupt(pgo_host *host) {
    if (host->interrupt->set) {
        return false;
    }
    set_event(host->interrupt);
    return true;
}

/* event:is_set() -> boolean   [-0, +1, e] */
static int event_is_set(lua_State *L) {
    lua_pushboolean(L, check_event(L)->set);
    return 1;
}

/* event:wait()   [-0, +0, e] */
static int event_wait(lua_State *L) {
    event *it = check_event(L);
    wait_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &wait_type, pgo_lua_loop(L));
    op->event = it;
    return pgo_await(L, &op->op, NULL);
}

static const luaL_Reg methods[] = {
    {"set", event_set}, {"is_set", event_is_set}, {"wait", event_wait}, {NULL, NULL}};

void pgo_lua_event_functions(lua_State *L) {
    pgo_lua_new_type(L, EVENT_TYPE, methods, NULL);
    lua_pushcfunction(L, event_new);
    lua_setfield(L, -2, "event");
    lua_pushcfunction(L, on_interrupt);
    lua_setfield(L, -2, "on_interrupt");
}
