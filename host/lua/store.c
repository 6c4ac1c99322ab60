/* native.store: the durable record of runs as rows and transactions. Every text that goes in passes
 * the redactor, and a secret is refused, so that nothing secret can reach the disk. What runs and
 * steps are is known to pgorch/store.lua alone. */
#include "io/store.h"

#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <string.h>

#define STORE_TYPE "pgorch.store"
#define OPEN_KEY "pgorch.stores"

/* The list lets the host close what a script still holds at its end: the thread and its handle must
 * go while the loop still runs. */
typedef struct connection {
    pgo_store *store; /* NULL once closed */
    struct connection *next, **link;
} connection;

static void let_go(connection *conn) {
    if (conn->link != NULL) {
        *conn->link = conn->next;
        if (conn->next != NULL) {
            conn->next->link = conn->link;
        }
    }
    conn->link = NULL;
    pgo_store *store = conn->store;
    conn->store = NULL;
    pgo_store_unref(store);
}

static void let_all_go(void *list) {
    connection **first = list;
    while (*first != NULL) {
        let_go(*first);
    }
}

static connection *check_open(lua_State *L) {
    connection *conn = luaL_checkudata(L, 1, STORE_TYPE);
    if (conn->store == NULL) {
        pgo_raisef(L, PGO_E_CLOSED, "the record of runs is closed");
    }
    return conn;
}

static void check(lua_State *L, int rc) {
    if (rc < 0) {
        pgo_raisef(L, rc, "a request to the record of runs");
    }
}

/* --- requests --- */

static int bind_text(lua_State *L, pgo_store_op *op, int index) {
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    pgo_buffer *clean = pgo_lua_scratch(L);
    int rc = pgo_redact(pgo_lua_host(L)->redactor, text, length, clean);
    if (rc == 0) {
        rc = pgo_store_bind_text(op, clean->data != NULL ? clean->data : "", clean->length);
    }
    lua_pop(L, 1);
    return rc;
}

static void bind_value(lua_State *L, pgo_store_op *op, int index) {
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        check(L, pgo_store_bind_null(op));
        break;
    case LUA_TBOOLEAN:
        check(L, pgo_store_bind_integer(op, lua_toboolean(L, index)));
        break;
    case LUA_TNUMBER:
        check(L, lua_isinteger(L, index) ? pgo_store_bind_integer(op, lua_tointeger(L, index))
                                         : pgo_store_bind_real(op, lua_tonumber(L, index)));
        break;
    case LUA_TSTRING:
        check(L, bind_text(L, op, index));
        break;
    default:
        pgo_raisef(L, PGO_E_INVALID, "a %s cannot be stored",
                   pgo_lua_is_secret(L, index) ? "secret" : luaL_typename(L, index));
    }
}

/* `needs` names the error of a statement that touches no row. */
static void set_needs(lua_State *L, pgo_store_op *op, int statement) {
    if (lua_getfield(L, statement, "needs") != LUA_TNIL) {
        int code = pgo_error_find(luaL_checkstring(L, -1));
        luaL_argcheck(L, code != 0, 2, "`needs` is no error id");
        pgo_store_needs(op, code);
    }
    lua_pop(L, 1);
}

/* Adds {sql, parameter...; n = how many elements, needs = id} at the top of the stack. */
static void add_statement(lua_State *L, pgo_store_op *op) {
    int statement = lua_gettop(L);
    luaL_checktype(L, statement, LUA_TTABLE);
    lua_Integer count = pgo_opt_integer(L, statement, "n", (lua_Integer)lua_rawlen(L, statement));
    lua_rawgeti(L, statement, 1);
    check(L, pgo_store_add(op, luaL_checkstring(L, -1)));
    lua_pop(L, 1);
    set_needs(L, op, statement);
    for (lua_Integer i = 2; i <= count; i++) {
        lua_rawgeti(L, statement, i);
        bind_value(L, op, lua_gettop(L));
        lua_pop(L, 1);
    }
}

static void push_value(lua_State *L, const pgo_store_value *value) {
    switch (value->type) {
    case PGO_STORE_INTEGER:
        lua_pushinteger(L, value->integer);
        break;
    case PGO_STORE_REAL:
        lua_pushnumber(L, value->real);
        break;
    case PGO_STORE_TEXT:
        lua_pushlstring(L, value->text, value->length);
        break;
    case PGO_STORE_NULL:
        lua_pushnil(L);
        break;
    }
}

/* [-0, +2, e]  the rows, each keyed by column, and how many the last change touched */
static int push_answer(lua_State *L, pgo_op *base) {
    const pgo_store_op *op = (const pgo_store_op *)base;
    const pgo_store_rows *rows = &op->rows;
    lua_createtable(L, (int)rows->count, 0);
    for (size_t i = 0; i < rows->count; i++) {
        lua_createtable(L, 0, (int)rows->columns);
        for (size_t column = 0; column < rows->columns; column++) {
            push_value(L, &rows->values[i * rows->columns + column]);
            lua_setfield(L, -2, rows->names[column]);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, op->changes);
    return 2;
}

static int push_connection(lua_State *L, pgo_op *base) {
    lua_getfield(L, LUA_REGISTRYINDEX, OPEN_KEY);
    connection **first = lua_touserdata(L, -1);
    connection *conn = lua_newuserdatauv(L, sizeof *conn, 0);
    *conn = (connection){0};
    luaL_setmetatable(L, STORE_TYPE);
    conn->store = pgo_store_ref(((pgo_store_op *)base)->store);
    conn->next = *first;
    conn->link = first;
    if (conn->next != NULL) {
        conn->next->link = &conn->next;
    }
    *first = conn;
    return 1;
}

/* open(path or postgres URL, which may be a secret) -> conn   [-0, +1, e] */
static int store_open(lua_State *L) {
    const char *place = pgo_lua_check_text(L, 1, NULL);
    pgo_store_op *op = pgo_lua_op(L, sizeof *op);
    pgo_store *store;
    pgo_err err = PGO_ERR_INIT;
    if (pgo_store_new(&store, pgo_lua_loop(L), &err) < 0) {
        return pgo_raise(L, &err);
    }
    int rc = pgo_store_open(op, store, place);
    pgo_store_unref(store); /* the op has its own */
    check(L, rc);
    return pgo_await(L, &op->op, push_connection);
}

/* conn:batch({{sql, parameter...; n=, needs=}...}) -> rows, changes   [-0, +2, e]  one transaction,
 * on the disk */
static int store_batch(lua_State *L) {
    connection *conn = check_open(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    pgo_store_op *op = pgo_lua_op(L, sizeof *op);
    pgo_store_begin(op, conn->store, PGO_STORE_BATCH);
    int anchor = lua_gettop(L);
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
        add_statement(L, op);
        lua_settop(L, anchor);
    }
    lua_settop(L, anchor);
    return pgo_await(L, &op->op, push_answer);
}

/* conn:query(sql, parameter...) -> rows, changes   [-0, +2, e]  outside of any transaction */
static int store_query(lua_State *L) {
    connection *conn = check_open(L);
    const char *sql = luaL_checkstring(L, 2);
    int last = lua_gettop(L);
    pgo_store_op *op = pgo_lua_op(L, sizeof *op);
    pgo_store_begin(op, conn->store, PGO_STORE_QUERY);
    check(L, pgo_store_add(op, sql));
    for (int i = 3; i <= last; i++) {
        bind_value(L, op, i);
    }
    return pgo_await(L, &op->op, push_answer);
}

/* conn:close()   [-0, +0, e]  idempotent; does not wait, what was written is on the disk already */
static int store_close(lua_State *L) {
    let_go(luaL_checkudata(L, 1, STORE_TYPE));
    return 0;
}

static const luaL_Reg methods[] = {
    {"batch", store_batch}, {"query", store_query}, {"close", store_close}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", store_close}, {"__close", store_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"open", store_open}, {NULL, NULL}};

int luaopen_pgorch_native_store(lua_State *L) {
    pgo_lua_new_type(L, STORE_TYPE, methods, metamethods);
    connection **first = lua_newuserdatauv(L, sizeof(connection *), 0);
    *first = NULL;
    lua_setfield(L, LUA_REGISTRYINDEX, OPEN_KEY);
    pgo_lua_at_close(L, let_all_go, first);
    luaL_newlib(L, functions);
    return 1;
}
