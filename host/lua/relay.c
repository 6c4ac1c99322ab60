/* native.relay: a TCP relay with an allow list. pgorch/sandbox/gate.lua makes a database's gate of
 * it. */
#include "io/relay.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#define RELAY_TYPE "pgorch.relay"
#define OPEN_KEY "pgorch.relays"

/* The list lets the host close what a script still holds at its end: the handles must go while the
 * loop still runs. */
typedef struct held_relay {
    pgo_relay *relay; /* NULL once closed */
    struct held_relay *next, **link;
} held_relay;

static void let_go(held_relay *held) {
    if (held->link != NULL) {
        *held->link = held->next;
        if (held->next != NULL) {
            held->next->link = held->link;
        }
    }
    held->link = NULL;
    pgo_relay_close(held->relay);
    held->relay = NULL;
}

static void let_all_go(void *list) {
    held_relay **first = list;
    while (*first != NULL) {
        let_go(*first);
    }
}

static pgo_relay *check_relay(lua_State *L) {
    held_relay *held = luaL_checkudata(L, 1, RELAY_TYPE);
    if (held->relay == NULL) {
        pgo_raisef(L, PGO_E_CLOSED, "the relay was closed");
    }
    return held->relay;
}

/* Pushes a userdata that is in the list and holds no relay yet. [-0, +1, e] */
static held_relay *new_held(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, OPEN_KEY);
    held_relay **first = lua_touserdata(L, -1);
    lua_pop(L, 1);
    held_relay *held = lua_newuserdatauv(L, sizeof *held, 0);
    *held = (held_relay){.next = *first, .link = first};
    luaL_setmetatable(L, RELAY_TYPE);
    if (held->next != NULL) {
        held->next->link = &held->next;
    }
    *first = held;
    return held;
}

/* open{host = "127.0.0.1", port =} -> relay   [-0, +1, e] */
static int relay_open(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *host = pgo_opt_string(L, 1, "host", "127.0.0.1");
    lua_Integer port = pgo_opt_integer(L, 1, "port", 0);
    if (port < 1 || port > 65535) {
        return pgo_raisef(L, PGO_E_INVALID, "a relay leads to a port between 1 and 65535");
    }
    held_relay *held = new_held(L);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_relay_open(&held->relay, pgo_lua_loop(L), host, (uint16_t)port, &err) < 0) {
        return pgo_raise(L, &err);
    }
    return 1;
}

/* relay:port() -> integer   [-0, +1, e] */
static int relay_port(lua_State *L) {
    lua_pushinteger(L, pgo_relay_port(check_relay(L)));
    return 1;
}

/* relay:allow(networks, after = 0)   [-0, +0, e]  texts of a list; `after` in seconds */
static int relay_allow(lua_State *L) {
    pgo_relay *relay = check_relay(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    double after = luaL_optnumber(L, 3, 0);
    lua_Integer count = luaL_len(L, 2);
    luaL_checkstack(L, (int)(count < 1 ? 0 : count) + 1, "too many networks");
    const char **networks = lua_newuserdatauv(L, sizeof *networks * (size_t)(count + 1), 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, 2, i + 1);
        networks[i] = luaL_checkstring(L, -1); /* stays on the stack */
    }
    pgo_err err = PGO_ERR_INIT;
    if (pgo_relay_allow(relay, networks, (size_t)count, after, &err) < 0) {
        return pgo_raise(L, &err);
    }
    return 0;
}

/* relay:cut(only_unlisted = false)   [-0, +0, e] */
static int relay_cut(lua_State *L) {
    pgo_relay *relay = check_relay(L);
    if (lua_toboolean(L, 2)) {
        pgo_relay_cut_unlisted(relay);
    } else {
        pgo_relay_cut(relay);
    }
    return 0;
}

/* relay:freeze(frozen)   [-0, +0, e] */
static int relay_freeze(lua_State *L) {
    pgo_relay_freeze(check_relay(L), lua_toboolean(L, 2));
    return 0;
}

/* relay:cut_after(bytes | nil)   [-0, +0, e] */
static int relay_cut_after(lua_State *L) {
    pgo_relay_cut_after(check_relay(L), luaL_optinteger(L, 2, -1));
    return 0;
}

static void set_count(lua_State *L, const char *name, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

/* relay:counts() -> {up, down, let_in, open, dropped}   [-0, +1, e] */
static int relay_counts(lua_State *L) {
    pgo_relay_counts counts = pgo_relay_count(check_relay(L));
    lua_createtable(L, 0, 5);
    set_count(L, "up", counts.up);
    set_count(L, "down", counts.down);
    set_count(L, "let_in", counts.let_in);
    set_count(L, "open", counts.open);
    set_count(L, "dropped", counts.dropped);
    return 1;
}

/* relay:close()   [-0, +0, e]  resets every connection; idempotent, does not wait */
static int relay_close(lua_State *L) {
    let_go(luaL_checkudata(L, 1, RELAY_TYPE));
    return 0;
}

static const luaL_Reg functions[] = {{"open", relay_open}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"port", relay_port},
                                   {"allow", relay_allow},
                                   {"cut", relay_cut},
                                   {"freeze", relay_freeze},
                                   {"cut_after", relay_cut_after},
                                   {"counts", relay_counts},
                                   {"close", relay_close},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", relay_close}, {"__close", relay_close}, {NULL, NULL}};

int luaopen_pgorch_native_relay(lua_State *L) {
    pgo_lua_new_type(L, RELAY_TYPE, methods, metamethods);
    held_relay **first = lua_newuserdatauv(L, sizeof(held_relay *), 0);
    *first = NULL;
    lua_setfield(L, LUA_REGISTRYINDEX, OPEN_KEY);
    pgo_lua_at_close(L, let_all_go, first);
    luaL_newlib(L, functions);
    return 1;
}
