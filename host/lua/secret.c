/* native.secret: a secret in Lua is a userdata that can be passed on and joined, never read. */
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <string.h>

/* new(text) -> secret   [-0, +1, e] */
static int secret_new(lua_State *L) {
    if (!pgo_lua_is_secret(L, 1)) {
        size_t length;
        const char *text = luaL_checklstring(L, 1, &length);
        pgo_lua_push_secret(L, text, length);
    } else {
        lua_settop(L, 1);
    }
    return 1;
}

/* is(value) -> boolean   [-0, +1, -] */
static int secret_is(lua_State *L) {
    lua_pushboolean(L, pgo_lua_is_secret(L, 1));
    return 1;
}

/* redact(text) -> text   [-0, +1, e]  with every known secret masked */
static int secret_redact(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    pgo_buffer *out = pgo_lua_scratch(L);
    if (pgo_redact(pgo_lua_host(L)->redactor, text, length, out) < 0) {
        return pgo_raisef(L, PGO_E_NOMEM, "redacting");
    }
    lua_pushlstring(L, out->data != NULL ? out->data : "", out->length);
    return 1;
}

/* a .. b -> secret   [-0, +1, e] */
static int secret_concat(lua_State *L) {
    size_t left_length, right_length;
    const char *left = pgo_lua_check_text(L, 1, &left_length);
    const char *right = pgo_lua_check_text(L, 2, &right_length);
    pgo_buffer *both = pgo_lua_scratch(L);
    if (pgo_buffer_append(both, left, left_length) < 0 ||
        pgo_buffer_append(both, right, right_length) < 0) {
        return pgo_raisef(L, PGO_E_NOMEM, "a secret");
    }
    pgo_lua_push_secret(L, both->data, both->length);
    return 1;
}

static int secret_tostring(lua_State *L) {
    char marker[48];
    pgo_secret_marker(pgo_lua_test_secret(L, 1), marker);
    lua_pushstring(L, marker);
    return 1;
}

static int secret_len(lua_State *L) {
    size_t length;
    pgo_secret_data(pgo_lua_test_secret(L, 1), &length);
    lua_pushinteger(L, (lua_Integer)length);
    return 1;
}

static int secret_eq(lua_State *L) {
    size_t left_length, right_length;
    pgo_secret *left = pgo_lua_test_secret(L, 1), *right = pgo_lua_test_secret(L, 2);
    const char *a = left != NULL ? pgo_secret_data(left, &left_length) : NULL;
    const char *b = right != NULL ? pgo_secret_data(right, &right_length) : NULL;
    lua_pushboolean(L, a != NULL && b != NULL && left_length == right_length &&
                           memcmp(a, b, left_length) == 0);
    return 1;
}

static int secret_gc(lua_State *L) {
    pgo_secret **slot = lua_touserdata(L, 1);
    if (*slot != NULL) {
        pgo_secret_unref(*slot);
        *slot = NULL;
    }
    return 0;
}

static const luaL_Reg functions[] = {
    {"new", secret_new}, {"is", secret_is}, {"redact", secret_redact}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__concat", secret_concat}, {"__tostring", secret_tostring},
                                       {"__len", secret_len},       {"__eq", secret_eq},
                                       {"__gc", secret_gc},         {NULL, NULL}};

int luaopen_pgorch_native_secret(lua_State *L) {
    pgo_lua_new_type(L, PGO_SECRET_TYPE, NULL, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
