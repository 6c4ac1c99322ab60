/* Secrets, streams and options as they cross the border. */
#include "lua/value.h"
#include "lua/await.h"

#include <string.h>

/* --- secrets --- */

pgo_secret *pgo_lua_test_secret(lua_State *L, int index) {
    pgo_secret **secret = luaL_testudata(L, index, PGO_SECRET_TYPE);
    return secret != NULL ? *secret : NULL;
}

bool pgo_lua_is_secret(lua_State *L, int index) {
    return pgo_lua_test_secret(L, index) != NULL;
}

void pgo_lua_push_secret(lua_State *L, const void *data, size_t length) {
    pgo_secret **slot = lua_newuserdatauv(L, sizeof(pgo_secret *), 0);
    *slot = NULL;
    luaL_setmetatable(L, PGO_SECRET_TYPE);
    *slot = pgo_secret_new(pgo_lua_host(L)->redactor, data, length);
    if (*slot == NULL) {
        pgo_raisef(L, PGO_E_NOMEM, "a secret");
    }
}

const char *pgo_lua_check_text(lua_State *L, int index, size_t *length) {
    pgo_secret *secret = pgo_lua_test_secret(L, index);
    if (secret != NULL) {
        return pgo_secret_data(secret, length);
    }
    size_t count;
    const char *text = luaL_checklstring(L, index, &count);
    if (pgo_redactor_has_marker(pgo_lua_host(L)->redactor, text, count)) {
        pgo_raisef(L, PGO_E_SECRET_MARKER, "a value holds the mask of a secret, not the secret");
    }
    if (length != NULL) {
        *length = count;
    }
    return text;
}

/* --- streams --- */

pgo_stream *pgo_lua_test_stream(lua_State *L, int index) {
    pgo_stream **stream = luaL_testudata(L, index, PGO_STREAM_TYPE);
    return stream != NULL ? *stream : NULL;
}

pgo_stream *pgo_lua_check_stream(lua_State *L, int index) {
    pgo_stream **stream = luaL_checkudata(L, index, PGO_STREAM_TYPE);
    return *stream;
}

void pgo_lua_push_stream(lua_State *L, pgo_stream *stream) {
    pgo_stream **slot = lua_newuserdatauv(L, sizeof(pgo_stream *), 0);
    *slot = NULL;
    luaL_setmetatable(L, PGO_STREAM_TYPE);
    *slot = pgo_stream_ref(stream);
}

/* --- scratch --- */

static int scratch_gc(lua_State *L) {
    pgo_buffer_wipe(lua_touserdata(L, 1));
    return 0;
}

pgo_buffer *pgo_lua_scratch(lua_State *L) {
    pgo_buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
    *buffer = (pgo_buffer){0};
    if (luaL_newmetatable(L, "pgorch.scratch")) {
        lua_pushcfunction(L, scratch_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return buffer;
}

/* --- options --- */

/* Pushes the field and says whether it is there; a wrong type raises. */
static bool field(lua_State *L, int index, const char *name, int type) {
    if (!lua_istable(L, index)) {
        lua_pushnil(L);
        return false;
    }
    int found = lua_getfield(L, index, name);
    if (found != LUA_TNIL && found != type) {
        pgo_raisef(L, PGO_E_INVALID, "option `%s` is a %s where a %s is needed", name,
                   luaL_typename(L, -1), lua_typename(L, type));
    }
    return found != LUA_TNIL;
}

double pgo_opt_number(lua_State *L, int index, const char *name, double otherwise) {
    double value = field(L, index, name, LUA_TNUMBER) ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return value;
}

lua_Integer pgo_opt_integer(lua_State *L, int index, const char *name, lua_Integer otherwise) {
    lua_Integer value = otherwise;
    if (field(L, index, name, LUA_TNUMBER)) {
        int exact;
        value = lua_tointegerx(L, -1, &exact);
        if (!exact) {
            pgo_raisef(L, PGO_E_INVALID, "option `%s` needs a whole number", name);
        }
    }
    lua_pop(L, 1);
    return value;
}

bool pgo_opt_boolean(lua_State *L, int index, const char *name, bool otherwise) {
    bool value = field(L, index, name, LUA_TBOOLEAN) ? lua_toboolean(L, -1) : otherwise;
    lua_pop(L, 1);
    return value;
}

const char *pgo_opt_string(lua_State *L, int index, const char *name, const char *otherwise) {
    const char *value = field(L, index, name, LUA_TSTRING) ? lua_tostring(L, -1) : otherwise;
    lua_pop(L, 1);
    return value;
}
