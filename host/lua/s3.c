/* native.s3: signs requests and URLs. It takes one table, gives the request target exactly as it
 * was signed, and never sends anything (pgorch/s3.lua does). The secret key is unwrapped here only.
 */
#include "io/s3_sign.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <string.h>

#define ARGUMENT 1
#define MOST_FIELDS 64

/* Leaves the field on the stack, where its text stays valid. */
static const char *text_field(lua_State *L, const char *name, size_t *length) {
    lua_getfield(L, ARGUMENT, name);
    if (!lua_isstring(L, -1) && !pgo_lua_is_secret(L, -1)) {
        pgo_raisef(L, PGO_E_INVALID, "signing needs a text as `%s`", name);
    }
    return pgo_lua_check_text(L, -1, length);
}

/* The pairs of a table field, with room for `more`. Names and values stay on the stack. */
static pgo_s3_field *pairs_field(lua_State *L, const char *name, size_t more, size_t *count) {
    pgo_s3_field *fields = lua_newuserdatauv(L, (MOST_FIELDS + more) * sizeof *fields, 0);
    *count = 0;
    if (lua_getfield(L, ARGUMENT, name) != LUA_TTABLE) {
        return fields;
    }
    int table = lua_gettop(L);
    luaL_checkstack(L, 2 * MOST_FIELDS + 8, "too many fields to sign");
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        if (*count == MOST_FIELDS || lua_type(L, -2) != LUA_TSTRING) {
            pgo_raisef(L, PGO_E_INVALID, "`%s` to sign is at most 64 named texts", name);
        }
        pgo_s3_field *field = &fields[(*count)++];
        field->name = lua_tolstring(L, -2, &field->name_length);
        field->value = pgo_lua_check_text(L, -1, &field->value_length);
        lua_pushvalue(L, -2); /* the value stays below the key that lua_next takes */
    }
    return fields;
}

typedef struct {
    pgo_s3_key key;
    pgo_s3_request request;
    pgo_s3_field *headers; /* room for two more */
    char time[PGO_S3_TIME];
} signing;

static void read_signing(lua_State *L, signing *self) {
    luaL_checktype(L, ARGUMENT, LUA_TTABLE);
    lua_settop(L, ARGUMENT);
    luaL_checkstack(L, 32, "signing");
    memset(self, 0, sizeof *self);
    self->key.access_key = text_field(L, "access_key", NULL);
    self->key.secret_key = text_field(L, "secret_key", &self->key.secret_length);
    self->key.region = text_field(L, "region", NULL);
    self->key.service = pgo_opt_string(L, ARGUMENT, "service", "s3");
    pgo_s3_time(pgo_opt_number(L, ARGUMENT, "time", 0), self->time);
    self->key.time = self->time;
    self->request.method = text_field(L, "method", NULL);
    self->request.path = text_field(L, "path", &self->request.path_length);
    self->request.query = pairs_field(L, "query", 0, &self->request.query_count);
    self->headers = pairs_field(L, "headers", 2, &self->request.header_count);
    self->request.headers = self->headers;
}

static void add_header(signing *self, const char *name, const char *value) {
    self->headers[self->request.header_count++] =
        (pgo_s3_field){name, value, strlen(name), strlen(value)};
}

static void check(lua_State *L, int rc) {
    if (rc < 0) {
        pgo_raisef(L, PGO_E_NOMEM, "signing");
    }
}

/* Appends "/bucket/key?". */
static void put_path(lua_State *L, const signing *self, pgo_buffer *out) {
    check(L, pgo_s3_encode(out, self->request.path, self->request.path_length, true));
    check(L, pgo_buffer_puts(out, "?"));
}

/* sign{access_key, secret_key, region, service?, time, method, path, query?, headers, payload_hash}
 * -> target, headers   [-0, +2, e]  `headers` are the given ones (host among them) and what signs
 * them */
static int s3_sign(lua_State *L) {
    signing self;
    pgo_err err = PGO_ERR_INIT;
    read_signing(L, &self);
    self.request.payload_hash = text_field(L, "payload_hash", NULL);
    add_header(&self, "x-amz-date", self.time);
    add_header(&self, "x-amz-content-sha256", self.request.payload_hash);
    pgo_buffer *authorization = pgo_lua_scratch(L), *target = pgo_lua_scratch(L);
    if (pgo_s3_authorization(authorization, &self.key, &self.request, &err) < 0) {
        return pgo_raise(L, &err);
    }
    put_path(L, &self, target);
    check(L, pgo_s3_query(target, self.request.query, self.request.query_count));
    bool bare = target->data[target->length - 1] == '?';
    lua_pushlstring(L, target->data, target->length - bare);
    lua_createtable(L, 0, (int)self.request.header_count + 1);
    for (size_t i = 0; i < self.request.header_count; i++) {
        lua_pushlstring(L, self.headers[i].name, self.headers[i].name_length);
        lua_pushlstring(L, self.headers[i].value, self.headers[i].value_length);
        lua_rawset(L, -3);
    }
    lua_pushlstring(L, authorization->data, authorization->length);
    lua_setfield(L, -2, "authorization");
    return 2;
}

/* presign{access_key, secret_key, region, service?, time, method, path, query?, headers, base,
 * seconds}
 * -> url, a secret   [-0, +1, e]  `headers` are what the client must send: host, usually nothing
 * more */
static int s3_presign(lua_State *L) {
    signing self;
    pgo_err err = PGO_ERR_INIT;
    read_signing(L, &self);
    const char *base = text_field(L, "base", NULL);
    lua_Integer seconds = pgo_opt_integer(L, ARGUMENT, "seconds", 0);
    pgo_buffer *url = pgo_lua_scratch(L);
    check(L, pgo_buffer_puts(url, base));
    put_path(L, &self, url);
    if (pgo_s3_presign(url, &self.key, &self.request, (long)seconds, &err) < 0) {
        return pgo_raise(L, &err);
    }
    pgo_lua_push_secret(L, url->data, url->length);
    return 1;
}

/* encode(text, keep_slash?) -> text   [-0, +1, e]  percent-encoded as S3 wants it in paths and
 * queries */
static int s3_encode(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    bool keep_slash = lua_toboolean(L, 2);
    pgo_buffer *out = pgo_lua_scratch(L);
    check(L, pgo_s3_encode(out, text, length, keep_slash));
    lua_pushlstring(L, out->data != NULL ? out->data : "", out->length);
    return 1;
}

static const luaL_Reg functions[] = {
    {"sign", s3_sign}, {"presign", s3_presign}, {"encode", s3_encode}, {NULL, NULL}};

int luaopen_pgorch_native_s3(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
