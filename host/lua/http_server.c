/* native.http_server: the accept loop's pieces. pgorch/http_server.lua makes a server with a
 * handler of them. A server is closed before its memory goes: by the task that accepts from it. */
#include "io/http_server.h"
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/modules.h"
#include "lua/task.h"
#include "lua/value.h"

#include <string.h>

#define SERVER_TYPE "pgorch.http_server"
#define EXCHANGE_TYPE "pgorch.exchange"

static pgo_http_server *check_server(lua_State *L) {
    return *(pgo_http_server **)luaL_checkudata(L, 1, SERVER_TYPE);
}

static pgo_exchange *check_exchange(lua_State *L) {
    return *(pgo_exchange **)luaL_checkudata(L, 1, EXCHANGE_TYPE);
}

/* --- server --- */

/* listen{host = "127.0.0.1", port = 0, cert_pem =, key_pem =} -> server   [-0, +1, e] */
static int server_listen(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *host = pgo_opt_string(L, 1, "host", "127.0.0.1");
    const char *cert = pgo_opt_string(L, 1, "cert_pem", NULL);
    const char *key = pgo_opt_string(L, 1, "key_pem", NULL);
    lua_Integer port = pgo_opt_integer(L, 1, "port", 0);
    if (port < 0 || port > 65535 || (cert == NULL) != (key == NULL)) {
        return pgo_raisef(L, PGO_E_INVALID, "%s",
                          port < 0 || port > 65535 ? "a port is between 0 and 65535"
                                                   : "TLS takes both cert_pem and key_pem");
    }
    pgo_http_server **slot = lua_newuserdatauv(L, sizeof(pgo_http_server *), 0);
    *slot = NULL;
    luaL_setmetatable(L, SERVER_TYPE);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_http_server_open(slot, pgo_lua_loop(L), host, (uint16_t)port, cert, key, &err) < 0) {
        return pgo_raise(L, &err);
    }
    return 1;
}

/* server:port() -> integer   [-0, +1, e] */
static int server_port(lua_State *L) {
    lua_pushinteger(L, pgo_http_server_port(check_server(L)));
    return 1;
}

static int push_exchange(lua_State *L, pgo_op *op) {
    pgo_http_accept *accept = (pgo_http_accept *)op;
    if (accept->exchange == NULL) {
        lua_pushnil(L);
        return 1;
    }
    pgo_exchange **slot = lua_newuserdatauv(L, sizeof(pgo_exchange *), 0);
    *slot = accept->exchange;
    accept->exchange = NULL;
    luaL_setmetatable(L, EXCHANGE_TYPE);
    return 1;
}

/* server:accept() -> exchange | nil when the server has closed   [-0, +1, e] */
static int server_accept(lua_State *L) {
    pgo_http_server *server = check_server(L);
    pgo_http_accept *accept = pgo_lua_op(L, sizeof *accept);
    pgo_http_accept_init(accept, pgo_lua_loop(L), server);
    return pgo_await(L, &accept->op, push_exchange);
}

/* server:close()   [-0, +0, e]  cuts what is not over; idempotent */
static int server_close(lua_State *L) {
    pgo_http_server *server = check_server(L);
    pgo_http_close *close_op = pgo_lua_op(L, sizeof *close_op);
    pgo_http_close_init(close_op, pgo_lua_loop(L), server);
    return pgo_await(L, &close_op->op, NULL);
}

static int server_gc(lua_State *L) {
    pgo_http_server **slot = lua_touserdata(L, 1);
    if (*slot != NULL && pgo_http_server_closed(*slot)) {
        pgo_http_server_free(*slot);
        *slot = NULL;
    }
    return 0;
}

/* --- the request --- */

/* Sets headers[lower-case name], joined with ", " when the name came before. [-0, +0, e] */
static void add_header(lua_State *L, int headers, const char *name, const char *value) {
    luaL_Buffer lower;
    luaL_buffinit(L, &lower);
    for (const char *at = name; *at != '\0'; at++) {
        luaL_addchar(&lower, (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at));
    }
    luaL_pushresult(&lower);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, headers) == LUA_TSTRING) {
        lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
        lua_replace(L, -2);
    } else {
        lua_pop(L, 1);
        lua_pushstring(L, value);
    }
    lua_rawset(L, headers);
}

static void push_headers(lua_State *L, const pgo_exchange *exchange) {
    lua_newtable(L);
    lua_newtable(L);
    int lower = lua_gettop(L) - 1, raw = lua_gettop(L);
    const char *name, *value;
    for (size_t i = 0; (name = pgo_exchange_header(exchange, i, &value)) != NULL; i++) {
        add_header(L, lower, name, value);
        lua_createtable(L, 2, 0);
        lua_pushstring(L, name);
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, raw, (lua_Integer)i + 1);
    }
}

static void push_peer(lua_State *L, const pgo_exchange *exchange) {
    uint16_t port = 0;
    lua_createtable(L, 0, 2);
    lua_pushstring(L, pgo_exchange_peer(exchange, &port));
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, port);
    lua_setfield(L, -2, "port");
}

/* exchange:request() -> {method, path, query, headers, raw_headers, body, remote}   [-0, +1, e] */
static int exchange_request(lua_State *L) {
    pgo_exchange *exchange = check_exchange(L);
    const char *target = pgo_exchange_target(exchange), *query = strchr(target, '?');
    lua_createtable(L, 0, 8);
    lua_pushstring(L, pgo_exchange_method(exchange));
    lua_setfield(L, -2, "method");
    lua_pushlstring(L, target, query != NULL ? (size_t)(query - target) : strlen(target));
    lua_setfield(L, -2, "path");
    lua_pushstring(L, query != NULL ? query + 1 : "");
    lua_setfield(L, -2, "query");
    push_headers(L, exchange);
    lua_setfield(L, -3, "raw_headers");
    lua_setfield(L, -2, "headers");
    pgo_lua_push_stream(L, pgo_exchange_body(exchange));
    lua_setfield(L, -2, "body");
    push_peer(L, exchange);
    lua_setfield(L, -2, "remote");
    return 1;
}

/* --- the answer --- */

static pgo_reply check_reply(lua_State *L, int index) {
    lua_Integer status = pgo_opt_integer(L, index, "status", 200);
    pgo_reply reply = {.status = status >= 0 && status < 1000 ? (unsigned)status : 0,
                       .length = pgo_opt_integer(L, index, "length", -1),
                       .cut_after = pgo_opt_integer(L, index, "cut_after", -1),
                       .drop = pgo_opt_boolean(L, index, "drop", false)};
    if (lua_getfield(L, index, "body") != LUA_TNIL) {
        struct pgo_bytes *bytes = pgo_lua_test_bytes(L, -1);
        reply.stream = pgo_lua_test_stream(L, -1);
        if (bytes != NULL) {
            reply.data = bytes->data;
            reply.size = bytes->length;
        } else if (reply.stream == NULL) {
            reply.data = pgo_lua_check_text(L, -1, &reply.size);
        }
    }
    return reply; /* the body stays on the stack */
}

static void send_header(lua_State *L, pgo_respond *respond, const char *name, int value) {
    pgo_err err = PGO_ERR_INIT;
    size_t length;
    const char *text = pgo_lua_check_text(L, value, &length);
    if (strlen(text) != length) {
        pgo_raisef(L, PGO_E_INVALID, "the header %s holds a NUL", name);
    } else if (pgo_respond_header(respond, name, text, &err) < 0) {
        pgo_raise(L, &err);
    }
}

/* A value that is an array is sent once for each item. [-0, +0, e] */
static void send_headers(lua_State *L, pgo_respond *respond, int reply) {
    if (lua_getfield(L, reply, "headers") != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    int headers = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, headers) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            pgo_raisef(L, PGO_E_INVALID, "headers are a table by name");
        }
        const char *name = lua_tostring(L, -2);
        if (!lua_istable(L, -1)) {
            send_header(L, respond, name, lua_gettop(L));
            continue;
        }
        int values = lua_gettop(L);
        for (lua_Integer i = 1; lua_geti(L, values, i) != LUA_TNIL; i++) {
            send_header(L, respond, name, lua_gettop(L));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int push_sent(lua_State *L, pgo_op *op) {
    lua_pushboolean(L, ((pgo_respond *)op)->sent);
    return 1;
}

/* exchange:respond{status = 200, headers, body, length, cut_after, drop} -> sent   [-0, +1, e]
 * waits until the answer has gone out; false: cut, by either side. Raises before anything is sent.
 */
static int exchange_respond(lua_State *L) {
    pgo_exchange *exchange = check_exchange(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    pgo_reply reply = check_reply(L, 2);
    pgo_respond *respond = pgo_lua_op(L, sizeof *respond);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_respond_init(respond, pgo_lua_loop(L), exchange, &reply, &err) < 0) {
        return pgo_raise(L, &err);
    }
    send_headers(L, respond, 2);
    return pgo_await(L, &respond->op, push_sent);
}

/* exchange:cut()   [-0, +0, e]  ends the connection now; harmless when it is over */
static int exchange_cut(lua_State *L) {
    pgo_exchange_cut(check_exchange(L));
    return 0;
}

/* exchange:over() -> boolean   [-0, +1, e]  answered whole, or one side has ended the connection */
static int exchange_over(lua_State *L) {
    lua_pushboolean(L, pgo_exchange_over(check_exchange(L)));
    return 1;
}

static int exchange_gc(lua_State *L) {
    pgo_exchange **slot = lua_touserdata(L, 1);
    pgo_exchange_unref(*slot);
    *slot = NULL;
    return 0;
}

/* --- the accept loop's task --- */

/* spawn(fn, ...)   [-0, +0, e]  runs fn, which must not raise, as a task in the caller's scope. The
 * caller sees to it that it ends before the scope does. */
static int spawn(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (host->current == NULL || host->current->co != L) {
        return pgo_raisef(L, PGO_E_AWAIT, "a server needs a task, and cannot be started here");
    }
    pgo_lua_spawn(L, host->current->task.scope, lua_gettop(L) - 1);
    return 0;
}

static const luaL_Reg functions[] = {{"listen", server_listen}, {"spawn", spawn}, {NULL, NULL}};

static const luaL_Reg server_methods[] = {
    {"port", server_port}, {"accept", server_accept}, {"close", server_close}, {NULL, NULL}};

static const luaL_Reg exchange_methods[] = {{"request", exchange_request},
                                            {"respond", exchange_respond},
                                            {"cut", exchange_cut},
                                            {"over", exchange_over},
                                            {NULL, NULL}};

static const luaL_Reg server_metamethods[] = {{"__gc", server_gc}, {NULL, NULL}};
static const luaL_Reg exchange_metamethods[] = {{"__gc", exchange_gc}, {NULL, NULL}};

int luaopen_pgorch_native_http_server(lua_State *L) {
    pgo_lua_new_type(L, SERVER_TYPE, server_methods, server_metamethods);
    pgo_lua_new_type(L, EXCHANGE_TYPE, exchange_methods, exchange_metamethods);
    luaL_newlib(L, functions);
    return 1;
}
