/* native.pg without a connection: URIs, literals, environment names, a CA as a file. A secret that
 * goes in comes out as a secret. */
#include "lua/pg_text.h"
#include "io/pg.h"
#include "lua/await.h"
#include "lua/value.h"

#include <string.h>

struct pairs {
    pgo_buffer *buffer; /* keyword, NUL, value, NUL, ... */
    bool full;
};

static void keep_pair(void *arg, const char *keyword, const char *value) {
    struct pairs *pairs = arg;
    if (pgo_buffer_append(pairs->buffer, keyword, strlen(keyword) + 1) < 0 ||
        pgo_buffer_append(pairs->buffer, value, strlen(value) + 1) < 0) {
        pairs->full = true;
    }
}

/* dsn(uri | secret) -> {host, port, user, password = secret, dbname, ...}   [-0, +1, e] */
static int pg_dsn(lua_State *L) {
    size_t length;
    const char *uri = pgo_lua_check_text(L, 1, &length);
    struct pairs pairs = {.buffer = pgo_lua_scratch(L)};
    pgo_err err = PGO_ERR_INIT;
    if (strlen(uri) != length) {
        return pgo_raisef(L, PGO_E_INVALID, "the database URI holds a zero byte");
    }
    if (pgo_buffer_reserve(pairs.buffer, 2 * length + 1024) < 0) { /* once: growing leaves copies */
        return pgo_raisef(L, PGO_E_NOMEM, "out of memory");
    }
    if (pgo_pg_uri_parse(uri, keep_pair, &pairs, &err) < 0) {
        return pgo_raise(L, &err);
    }
    if (pairs.full) {
        return pgo_raisef(L, PGO_E_NOMEM, "out of memory");
    }
    lua_newtable(L);
    const char *end = pairs.buffer->data + pairs.buffer->length;
    for (const char *keyword = pairs.buffer->data; keyword < end;) {
        const char *value = keyword + strlen(keyword) + 1;
        bool secret = strcmp(keyword, "password") == 0 || strcmp(keyword, "sslpassword") == 0;
        lua_pushstring(L, keyword);
        if (secret) {
            pgo_lua_push_secret(L, value, strlen(value));
        } else {
            lua_pushstring(L, value);
        }
        lua_rawset(L, -3);
        keyword = value + strlen(value) + 1;
    }
    return 1;
}

/* literal(text | secret) -> string | secret   [-0, +1, e] */
static int pg_literal(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    pgo_buffer *out = pgo_lua_scratch(L);
    if (memchr(text, 0, length) != NULL) {
        return pgo_raisef(L, PGO_E_INVALID, "an SQL literal cannot hold a zero byte");
    }
    if (pgo_pg_literal(out, text, length) < 0) {
        return pgo_raisef(L, PGO_E_NOMEM, "out of memory");
    }
    if (pgo_lua_is_secret(L, 1)) {
        pgo_lua_push_secret(L, out->data, out->length);
    } else {
        lua_pushlstring(L, out->data, out->length);
    }
    return 1;
}

/* env_name(keyword) -> string | nil   [-0, +1, e] */
static int pg_env_name(lua_State *L) {
    lua_pushstring(L, pgo_pg_env_name(luaL_checkstring(L, 1)));
    return 1;
}

/* ca_file(dir, pem) -> path of a new 0600 file   [-0, +1, e] */
static int pg_ca_file(lua_State *L) {
    const char *dir = luaL_checkstring(L, 1), *pem = pgo_lua_check_text(L, 2, NULL);
    char **path = lua_newuserdatauv(L, sizeof *path, 0);
    pgo_buffer *owner = pgo_lua_scratch(L);
    pgo_err err = PGO_ERR_INIT;
    if (pgo_pg_ca_write(dir, pem, path, &err) < 0) {
        return pgo_raise(L, &err);
    }
    owner->data = *path;
    owner->length = strlen(*path);
    owner->capacity = owner->length + 1;
    lua_pushlstring(L, owner->data, owner->length);
    return 1;
}

static const luaL_Reg functions[] = {{"dsn", pg_dsn},
                                     {"literal", pg_literal},
                                     {"env_name", pg_env_name},
                                     {"ca_file", pg_ca_file},
                                     {NULL, NULL}};

void pgo_lua_pg_text_functions(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
