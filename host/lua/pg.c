/* native.pg: PostgreSQL connections for lua/pgorch/pg.lua (its texts: pg_text.c). Values cross as
 * text; int, float and bool columns become Lua values here. Secrets are unwrapped on the way out,
 * in any field or parameter. */
#include "io/pg.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/pg_text.h"
#include "lua/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONN_TYPE "pgorch.pg"

typedef struct {
    pgo_pg *pg;
} conn_box;

static pgo_pg *check_conn(lua_State *L) {
    conn_box *box = luaL_checkudata(L, 1, CONN_TYPE);
    return box->pg;
}

/* --- connect --- */

/* The field as text, left on the stack so that it stays; NULL if there is none. */
static const char *text_field(lua_State *L, int index, const char *name) {
    if (lua_getfield(L, index, name) == LUA_TNIL) {
        return NULL;
    }
    size_t length;
    const char *text = pgo_lua_check_text(L, -1, &length);
    if (strlen(text) != length) {
        pgo_raisef(L, PGO_E_INVALID, "database option `%s` holds a zero byte", name);
    }
    return text;
}

/* The table `extra`: keyword, value, ..., NULL in memory of the Lua stack. */
static const char *const *extra_field(lua_State *L, int index) {
    if (lua_getfield(L, index, "extra") != LUA_TTABLE) {
        return NULL;
    }
    int table = lua_gettop(L);
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        count++;
    }
    const char **list = lua_newuserdatauv(L, (2 * count + 1) * sizeof *list, 0);
    luaL_checkstack(L, (int)(2 * count) + 4, "database options");
    size_t at = 0;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) { /* ... key value: the value stays below the next key */
        list[at++] = luaL_checkstring(L, -2);
        list[at++] = pgo_lua_check_text(L, -1, NULL);
        lua_pushvalue(L, -2);
    }
    list[at] = NULL;
    return list;
}

static int push_conn(lua_State *L, pgo_op *op) {
    pgo_pg_connect *connect = (pgo_pg_connect *)(void *)op;
    conn_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->pg = connect->conn;
    connect->conn = NULL;
    luaL_setmetatable(L, CONN_TYPE);
    return 1;
}

/* connect{host, port, user, password, dbname, sslmode, ca_pem, connect_timeout, extra} -> conn
 * [-0, +1, e] */
static int pg_connect(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, 20, "database options");
    pgo_pg_options options = {
        .host = text_field(L, 1, "host"),
        .port = text_field(L, 1, "port"),
        .user = text_field(L, 1, "user"),
        .password = text_field(L, 1, "password"),
        .dbname = text_field(L, 1, "dbname"),
        .sslmode = text_field(L, 1, "sslmode"),
        .ca_pem = text_field(L, 1, "ca_pem"),
        .connect_timeout = pgo_opt_number(L, 1, "connect_timeout", 10),
    };
    options.extra = extra_field(L, 1);
    pgo_pg_connect *connect = pgo_lua_op(L, sizeof *connect);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_pg_connect_init(connect, pgo_lua_loop(L), &options, &err) < 0) {
        return pgo_raise(L, &err);
    }
    return pgo_await(L, &connect->op, push_conn);
}

/* --- rows to Lua --- */

/* The types' oids, fixed in pg_type.dat since ever. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701
};

static void push_value(lua_State *L, const pgo_pg_query *query, size_t row, int column) {
    size_t length;
    unsigned type;
    const char *value = pgo_pg_value(query, row, column, &length, &type);
    if (value == NULL) {
        lua_pushnil(L);
        return;
    }
    switch (type) {
    case OID_BOOL:
        lua_pushboolean(L, value[0] == 't');
        break;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        lua_pushinteger(L, strtoll(value, NULL, 10));
        break;
    case OID_FLOAT4:
    case OID_FLOAT8:
        lua_pushnumber(L, strtod(value, NULL));
        break;
    default:
        lua_pushlstring(L, value, length);
    }
}

static void push_row(lua_State *L, const pgo_pg_query *query, size_t row) {
    int columns = pgo_pg_column_count(query, row);
    lua_createtable(L, 0, columns);
    for (int column = 0; column < columns; column++) {
        lua_pushstring(L, pgo_pg_column_name(query, row, column));
        push_value(L, query, row, column);
        lua_rawset(L, -3);
    }
}

static int push_end(lua_State *L, const pgo_pg_query *query) {
    lua_pushboolean(L, query->finished);
    lua_pushinteger(L, (lua_Integer)query->serial);
    lua_pushinteger(L, query->affected);
    return 4;
}

static int push_rows(lua_State *L, pgo_op *op) {
    const pgo_pg_query *query = (const pgo_pg_query *)(const void *)op;
    size_t count = pgo_pg_row_count(query);
    lua_createtable(L, (int)count, 0);
    for (size_t row = 0; row < count; row++) {
        push_row(L, query, row);
        lua_rawseti(L, -2, (lua_Integer)row + 1);
    }
    return push_end(L, query);
}

static int push_cell(lua_State *L, pgo_op *op) {
    const pgo_pg_query *query = (const pgo_pg_query *)(const void *)op;
    if (pgo_pg_row_count(query) > 0 && pgo_pg_column_count(query, 0) > 0) {
        push_value(L, query, 0, 0);
    } else {
        lua_pushnil(L);
    }
    return push_end(L, query);
}

static const char *const shapes[] = {"rows", "cell", "none", NULL};
static const pgo_push shape_push[] = {push_rows, push_cell, push_cell};
static const int shape_flags[] = {0, 0, PGO_PG_DISCARD};

/* --- statements --- */

static const char *number_text(lua_State *L, int index) {
    if (lua_isinteger(L, index)) {
        return lua_tostring(L, index);
    }
    char text[40];
    double number = lua_tonumber(L, index);
    snprintf(text, sizeof text, "%.17g", number); /* Lua's own form drops digits */
    lua_pushstring(L, isnan(number) ? "NaN" : text);
    lua_replace(L, index);
    return lua_tostring(L, index);
}

static const char *parameter(lua_State *L, int index, int position) {
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return NULL;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? "t" : "f";
    case LUA_TNUMBER:
        return number_text(L, index);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL) {
            return NULL; /* pg.null */
        }
        break;
    case LUA_TSTRING:
    case LUA_TUSERDATA:
        if (lua_type(L, index) == LUA_TSTRING || pgo_lua_is_secret(L, index)) {
            size_t length;
            const char *text = pgo_lua_check_text(L, index, &length);
            if (strlen(text) != length) {
                pgo_raisef(L, PGO_E_INVALID,
                           "parameter $%d holds a zero byte, which PostgreSQL's text "
                           "cannot",
                           position);
            }
            return text;
        }
        break;
    default:
        break;
    }
    pgo_raisef(L, PGO_E_INVALID,
               "parameter $%d is a %s: give a string, number, boolean, secret or nil", position,
               luaL_typename(L, index));
    return NULL;
}

static const char *check_sql(lua_State *L, int index) {
    size_t length;
    const char *sql = pgo_lua_check_text(L, index, &length);
    if (strlen(sql) != length) {
        pgo_raisef(L, PGO_E_INVALID, "the statement holds a zero byte");
    }
    return sql;
}

/* conn:start(shape, sql, ...) -> rows | value, finished, serial, affected   [-0, +4, e] */
static int conn_start(lua_State *L) {
    pgo_pg *pg = check_conn(L);
    int shape = luaL_checkoption(L, 2, NULL, shapes);
    const char *sql = check_sql(L, 3);
    int count = lua_gettop(L) - 3;
    const char **values = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *values, 0);
    for (int i = 0; i < count; i++) {
        values[i] = parameter(L, 4 + i, i + 1);
    }
    pgo_pg_query *query = pgo_lua_op(L, sizeof *query);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_pg_query_init(query, pg, shape_flags[shape], sql, (size_t)count, values, &err) < 0) {
        return pgo_raise(L, &err);
    }
    return pgo_await(L, &query->op, shape_push[shape]);
}

/* conn:next(shape, serial) -> rows | value, finished, serial, affected   [-0, +4, e] */
static int conn_next(lua_State *L) {
    pgo_pg *pg = check_conn(L);
    int shape = luaL_checkoption(L, 2, NULL, shapes);
    unsigned long serial = (unsigned long)luaL_checkinteger(L, 3);
    pgo_pg_query *query = pgo_lua_op(L, sizeof *query);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_pg_query_init_next(query, pg, serial, shape_flags[shape], &err) < 0) {
        return pgo_raise(L, &err);
    }
    return pgo_await(L, &query->op, shape_push[shape]);
}

static int push_copied(lua_State *L, pgo_op *op) {
    const pgo_pg_query *query = (const pgo_pg_query *)(const void *)op;
    lua_pushinteger(L, (lua_Integer)query->copy_bytes);
    lua_pushinteger(L, query->affected);
    return 2;
}

static int push_copied_in(lua_State *L, pgo_op *op) {
    lua_pushinteger(L, ((const pgo_pg_query *)(const void *)op)->affected);
    return 1;
}

typedef int copy_init(pgo_pg_query *query, pgo_pg *pg, const char *sql, pgo_stream *stream,
                      pgo_err *err);

static int copy_by(lua_State *L, copy_init *init, pgo_push push) {
    pgo_pg *pg = check_conn(L);
    const char *sql = check_sql(L, 2);
    pgo_stream *stream = pgo_lua_check_stream(L, 3);
    pgo_pg_query *query = pgo_lua_op(L, sizeof *query);
    pgo_err err = PGO_ERR_INIT;
    if (init(query, pg, sql, stream, &err) < 0) {
        return pgo_raise(L, &err);
    }
    return pgo_await(L, &query->op, push);
}

/* conn:copy(sql, stream) -> bytes, rows   [-0, +2, e] */
static int conn_copy(lua_State *L) {
    return copy_by(L, pgo_pg_copy_init, push_copied);
}

/* conn:copy_in(sql, stream) -> rows   [-0, +1, e] */
static int conn_copy_in(lua_State *L) {
    return copy_by(L, pgo_pg_copy_in_init, push_copied_in);
}

static int push_sent(lua_State *L, pgo_op *op) {
    lua_pushboolean(L, ((const pgo_pg_cancel *)(const void *)op)->sent);
    return 1;
}

/* conn:cancel() -> was something running   [-0, +1, e] */
static int conn_cancel(lua_State *L) {
    pgo_pg *pg = check_conn(L);
    pgo_pg_cancel *cancel = pgo_lua_op(L, sizeof *cancel);
    pgo_pg_cancel_init(cancel, pg);
    return pgo_await(L, &cancel->op, push_sent);
}

/* --- the connection --- */

/* conn:close()   [-0, +0, -]  also at <close>; finishes by the loop */
static int conn_close(lua_State *L) {
    pgo_pg_close(check_conn(L));
    return 0;
}

static int conn_gc(lua_State *L) {
    conn_box *box = luaL_checkudata(L, 1, CONN_TYPE);
    pgo_pg_unref(box->pg);
    box->pg = NULL;
    return 0;
}

/* conn:state() -> "closed" | "broken" | "busy" | "idle" | "transaction" | "failed"   [-0, +1, e] */
static int conn_state(lua_State *L) {
    static const char *const names[] = {
        [PGO_PG_CLOSED] = "closed",
        [PGO_PG_BROKEN] = "broken",
        [PGO_PG_BUSY] = "busy",
        [PGO_PG_IDLE] = "idle",
        [PGO_PG_TRANSACTION] = "transaction",
        [PGO_PG_FAILED] = "failed",
    };
    lua_pushstring(L, names[pgo_pg_state(check_conn(L))]);
    return 1;
}

static void set_text(lua_State *L, const char *name, const char *value) {
    if (value != NULL) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, name);
    }
}

/* conn:facts() -> {server_version, pid, user, dbname, host, tls}   [-0, +1, e] */
static int conn_facts(lua_State *L) {
    pgo_pg_facts facts;
    pgo_pg_facts_get(check_conn(L), &facts);
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, facts.server_version);
    lua_setfield(L, -2, "server_version");
    lua_pushinteger(L, facts.pid);
    lua_setfield(L, -2, "pid");
    set_text(L, "user", facts.user);
    set_text(L, "dbname", facts.dbname);
    set_text(L, "host", facts.host);
    set_text(L, "tls", facts.tls);
    return 1;
}

/* conn:notices() -> array of lines   [-0, +1, e] */
static int conn_notices(lua_State *L) {
    const pgo_pg *pg = check_conn(L);
    const char *line;
    lua_newtable(L);
    for (size_t i = 0; (line = pgo_pg_notice(pg, i)) != NULL; i++) {
        lua_pushstring(L, line);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* library_version() -> integer   [-0, +1, -]  of libpq: 150013 is 15.13 */
static int pg_library_version(lua_State *L) {
    lua_pushinteger(L, pgo_pg_library_version());
    return 1;
}

static const luaL_Reg functions[] = {
    {"connect", pg_connect}, {"library_version", pg_library_version}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"start", conn_start},     {"next", conn_next},
                                   {"copy", conn_copy},       {"copy_in", conn_copy_in},
                                   {"cancel", conn_cancel},   {"close", conn_close},
                                   {"state", conn_state},     {"facts", conn_facts},
                                   {"notices", conn_notices}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", conn_gc}, {"__close", conn_close}, {NULL, NULL}};

int luaopen_pgorch_native_pg(lua_State *L) {
    pgo_lua_new_type(L, CONN_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    pgo_lua_pg_text_functions(L);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
