/* native.json, reading: jansson parses, Lua values are made from its tree, which a userdata owns
 * meanwhile. Fields that are named secret become secrets here, before Lua could see their text. */
#include "lua/json.h"

#include "lua/await.h"
#include "lua/json_write.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <jansson.h>
#include <string.h>

#define TREE_TYPE "pgorch.json.tree"

static int tree_gc(lua_State *L) {
    json_t **root = lua_touserdata(L, 1);
    json_decref(*root);
    *root = NULL;
    return 0;
}

static json_t **new_tree(lua_State *L) {
    json_t **root = lua_newuserdatauv(L, sizeof(json_t *), 0);
    *root = NULL;
    if (luaL_newmetatable(L, TREE_TYPE)) {
        lua_pushcfunction(L, tree_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return root;
}

typedef struct {
    int secrets;    /* index of the set of names, or 0 */
    bool keep_null; /* null in an object is json.null, not an absent field */
} reader;

static void push_value(lua_State *L, const reader *how, json_t *value, bool secret);

static bool names_secret(lua_State *L, const reader *how, const char *key) {
    if (how->secrets == 0) {
        return false;
    }
    bool named = lua_getfield(L, how->secrets, key) != LUA_TNIL;
    lua_pop(L, 1);
    return named;
}

static void push_object(lua_State *L, const reader *how, json_t *object, bool secret) {
    const char *key;
    json_t *value;
    lua_createtable(L, 0, (int)json_object_size(object));
    json_object_foreach(object, key, value) {
        if (json_is_null(value) && !how->keep_null) {
            continue;
        }
        push_value(L, how, value, secret || names_secret(L, how, key));
        lua_setfield(L, -2, key);
    }
}

static void push_array(lua_State *L, const reader *how, json_t *array, bool secret) {
    size_t i;
    json_t *value;
    lua_createtable(L, (int)json_array_size(array), 0);
    json_array_foreach(array, i, value) {
        push_value(L, how, value, secret);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    pgo_json_mark_array(L);
}

static void push_string(lua_State *L, json_t *value, bool secret) {
    if (secret) {
        pgo_lua_push_secret(L, json_string_value(value), json_string_length(value));
    } else {
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
    }
}

static void push_value(lua_State *L, const reader *how, json_t *value, bool secret) {
    luaL_checkstack(L, 4, "JSON nested too deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, how, value, secret);
        break;
    case JSON_ARRAY:
        push_array(L, how, value, secret);
        break;
    case JSON_STRING:
        push_string(L, value, secret);
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    }
}

/* Pushes {name = true} of options.secrets and returns whether "*" is among them. */
static bool push_names(lua_State *L, int options) {
    lua_newtable(L);
    int names = lua_gettop(L);
    if (options != 0 && lua_getfield(L, options, "secrets") == LUA_TTABLE) {
        for (lua_Integer i = 1; lua_geti(L, names + 1, i) == LUA_TSTRING; i++) {
            lua_pushboolean(L, true);
            lua_settable(L, names);
        }
    }
    lua_settop(L, names);
    bool all = lua_getfield(L, names, "*") != LUA_TNIL;
    lua_settop(L, names);
    return all;
}

/* jansson quotes the text it stumbled on, which may be a password: only its reason and place are
 * told. */
static int raise_unreadable(lua_State *L, const json_error_t *error) {
    const char *near = strstr(error->text, " near ");
    int length = near != NULL ? (int)(near - error->text) : (int)strlen(error->text);
    return pgo_raisef(L, PGO_E_JSON, "not JSON: line %d, column %d: %.*s", error->line,
                      error->column, length, error->text);
}

void pgo_lua_push_json(lua_State *L, const char *text, size_t length, int options,
                       bool all_secret) {
    options = options != 0 ? lua_absindex(L, options) : 0;
    int base = lua_gettop(L);
    reader how = {0};
    how.keep_null = options != 0 && pgo_opt_boolean(L, options, "nulls", false);
    all_secret = push_names(L, options) || all_secret;
    how.secrets = base + 1;
    json_t **root = new_tree(L);
    json_error_t error;
    *root = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (*root == NULL) {
        raise_unreadable(L, &error);
        return;
    }
    push_value(L, &how, *root, all_secret);
    json_decref(*root);
    *root = NULL;
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

/* decode(text | secret, {secrets = {name...}, nulls = false}?) -> value   [-0, +1, e] */
static int json_decode(lua_State *L) {
    size_t length;
    bool secret = pgo_lua_is_secret(L, 1);
    const char *text = pgo_lua_check_text(L, 1, &length);
    lua_settop(L, 2);
    pgo_lua_push_json(L, text, length, lua_istable(L, 2) ? 2 : 0, secret);
    return 1;
}

/* array(table?) -> table   [-0, +1, e]  encodes as [], even when empty */
static int json_array_of(lua_State *L) {
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    pgo_json_mark_array(L);
    return 1;
}

static const luaL_Reg functions[] = {{"decode", json_decode},
                                     {"encode", pgo_json_encode},
                                     {"encode_secret", pgo_json_encode_secret},
                                     {"array", json_array_of},
                                     {NULL, NULL}};

int luaopen_pgorch_native_json(lua_State *L) {
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
