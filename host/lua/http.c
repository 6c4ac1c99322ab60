/* native.http: one request, from an options table to an answer. Retries, redirects and JSON are
 * pgorch/http.lua's. Owns the connections of the host, until it closes. */
#include "io/http.h"
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_TYPE "pgorch.http.progress"

/* Counts of a request that may still be running. */
typedef struct progress {
    const pgo_http *http; /* NULL before and after */
    uint64_t sent, received;
} progress;

/* The userdata's user value is a table that keeps body and progress. */
typedef struct request_op {
    pgo_http http;
    struct pgo_bytes *block; /* the body's block: it cannot be freed while we send it */
    progress *progress;
    bool started;
} request_op;

static void close_multi(void *arg) {
    pgo_host *host = arg;
    pgo_http_multi_free(host->http);
    host->http = NULL;
}

static pgo_http_multi *check_multi(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    if (!host->http) {
        pgo_err err = PGO_ERR_INIT;
        pgo_http_multi *multi = NULL;
        if (pgo_http_multi_new(&multi, &host->loop, &err))
            pgo_raise(L, &err);
        host->http = multi;
        pgo_lua_at_close(L, close_multi, host);
    }
    return host->http;
}

/* --- options --- */

/* A text that may be a secret; NULL when there is none. Borrowed from the table. */
static const char *opt_text(lua_State *L, int index, const char *name, size_t *length) {
    const char *text = NULL;
    *length = 0;
    if (lua_getfield(L, index, name) != LUA_TNIL)
        text = pgo_lua_check_text(L, -1, length);
    lua_pop(L, 1);
    return text;
}

static bool is_secret_field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    bool secret = pgo_lua_is_secret(L, -1);
    lua_pop(L, 1);
    return secret;
}

static pgo_stream *opt_stream(lua_State *L, int index, const char *name) {
    pgo_stream *stream = NULL;
    if (lua_getfield(L, index, name) != LUA_TNIL) {
        stream = pgo_lua_test_stream(L, -1);
        if (!stream)
            pgo_raisef(L, PGO_E_INVALID, "option `%s` needs a stream", name);
    }
    lua_pop(L, 1);
    return stream;
}

static double opt_seconds(lua_State *L, int index, const char *name, double otherwise) {
    double seconds = pgo_opt_number(L, index, name, otherwise);
    if (seconds < 0 || seconds > 1e6)
        pgo_raisef(L, PGO_E_INVALID, "option `%s` is no number of seconds", name);
    return seconds;
}

/* headers = {Name = text | number | secret}; a secret is a credential */
static void add_headers(lua_State *L, int index, request_op *op) {
    pgo_err err = PGO_ERR_INIT;
    if (lua_getfield(L, index, "headers") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            size_t length;
            if (lua_type(L, -2) != LUA_TSTRING)
                pgo_raisef(L, PGO_E_INVALID, "headers takes Name = value");
            const char *name = lua_tostring(L, -2);
            bool secret = pgo_lua_is_secret(L, -1);
            const char *value = pgo_lua_check_text(L, -1, &length);
            if (pgo_http_add_header(&op->http, name, value, length, secret, &err))
                pgo_raise(L, &err);
        }
    }
    lua_pop(L, 1);
}

/* The body is kept in the table at index + 2. body = text | secret | bytes | stream (of `length`
 * bytes, or in chunks) */
static void read_body(lua_State *L, int index, request_op *op, pgo_http_request *request) {
    if (lua_getfield(L, index, "body") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    struct pgo_bytes *bytes = pgo_lua_test_bytes(L, -1);
    request->body = pgo_lua_test_stream(L, -1);
    request->body_length = (int64_t)pgo_opt_integer(L, index, "length", -1);
    if (bytes) {
        request->data = bytes->data;
        request->length = bytes->length;
        op->block = bytes;
    } else if (!request->body) {
        request->data = pgo_lua_check_text(L, -1, &request->length);
    }
    lua_setfield(L, index + 2, "body");
}

static void read_progress(lua_State *L, int index, request_op *op) {
    if (lua_getfield(L, index, "progress") != LUA_TNIL)
        op->progress = luaL_checkudata(L, -1, PROGRESS_TYPE);
    lua_setfield(L, index + 2, "progress");
}

static void read_options(lua_State *L, int index, request_op *op, pgo_http_request *request) {
    size_t length;
    request->url = opt_text(L, index, "url", &length);
    request->confidential = is_secret_field(L, index, "url") || is_secret_field(L, index, "body");
    if (!request->url || strlen(request->url) != length)
        pgo_raisef(L, PGO_E_INVALID, "option `url` is missing or holds a zero byte");
    request->method = pgo_opt_string(L, index, "method", "GET");
    request->ca_pem = opt_text(L, index, "ca_pem", &request->ca_pem_length);
    request->into = opt_stream(L, index, "into");
    read_body(L, index, op, request);
    read_progress(L, index, op);
    bool streams = request->into || request->body;
    lua_Integer limit = pgo_opt_integer(L, index, "limit", 16 << 20);
    request->limit = limit > 0 ? (size_t)limit : 0;
    request->timeout = opt_seconds(L, index, "timeout", streams ? 0 : 60);
    request->connect_timeout = opt_seconds(L, index, "connect_timeout", 10);
    request->stall_timeout = opt_seconds(L, index, "stall_timeout", 60);
    request->http1 = pgo_opt_boolean(L, index, "http1", streams);
    request->compressed = pgo_opt_boolean(L, index, "compressed", false);
    for (const char *c = request->method; *c; c++) {
        if (*c < 'A' || *c > 'Z')
            pgo_raisef(L, PGO_E_INVALID, "option `method` is written in capitals: GET, PUT");
    }
}

/* --- the answer --- */

/* Pushes {lower-case name = value}; a repeated header is one, joined with ", ". */
static void push_headers(lua_State *L, const pgo_http *http) {
    size_t at = 0;
    const char *name, *value;
    lua_newtable(L);
    while ((name = pgo_http_next_header(http, &at, &value))) {
        if (lua_getfield(L, -1, name) == LUA_TSTRING) {
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
            lua_remove(L, -2);
        } else {
            lua_pop(L, 1);
            lua_pushstring(L, value);
        }
        lua_setfield(L, -2, name);
    }
}

static int push_answer(lua_State *L, pgo_op *base) {
    request_op *op = (request_op *)base;
    const pgo_http *http = &op->http;
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, http->status);
    lua_setfield(L, -2, "status");
    push_headers(L, http);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, http->body.data ? http->body.data : "", http->body.length);
    lua_setfield(L, -2, "body");
    lua_pushnumber(L, http->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushinteger(L, (lua_Integer)http->received);
    lua_setfield(L, -2, "bytes");
    lua_pushinteger(L, (lua_Integer)http->sent);
    lua_setfield(L, -2, "sent");
    return 1;
}

/* --- the op --- */

static void start_request(pgo_op *base) {
    request_op *op = (request_op *)base;
    op->started = true;
    if (op->block)
        op->block->pins++;
    if (op->progress)
        op->progress->http = &op->http;
    pgo_http_type.start(base);
}

static void cancel_request(pgo_op *base) {
    pgo_http_type.cancel(base);
}

static void release_request(pgo_op *base) {
    request_op *op = (request_op *)base;
    if (op->started && op->block)
        op->block->pins--;
    if (op->started && op->progress) {
        op->progress->sent += op->http.sent;
        op->progress->received += op->http.received;
        op->progress->http = NULL;
    }
    pgo_http_type.release(base);
}

static const pgo_op_type request_type = {"http.request", start_request, cancel_request,
                                         release_request};

/* request{method, url, headers, body, ...} -> {status, headers, body, seconds, bytes, sent}
 * [-0, +1, e]  PGO-INVALID, -DNS, -NET, -TLS, -TIMEOUT, -LIMIT */
static int http_request(lua_State *L) {
    pgo_err err = PGO_ERR_INIT;
    pgo_http_request request = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    pgo_http_multi *multi = check_multi(L);
    request_op *op = pgo_lua_op(L, sizeof *op);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 2, 1);
    pgo_http_init(&op->http, multi);
    op->http.op.type = &request_type;
    read_options(L, 1, op, &request);
    add_headers(L, 1, op);
    if (pgo_http_prepare(&op->http, &request, &err))
        return pgo_raise(L, &err);
    return pgo_await(L, &op->http.op, push_answer);
}

/* --- progress --- */

/* progress() -> progress   [-0, +1, e]  to be given to requests, one after the other */
static int http_progress(lua_State *L) {
    progress *counts = lua_newuserdatauv(L, sizeof *counts, 0);
    *counts = (progress){0};
    luaL_setmetatable(L, PROGRESS_TYPE);
    return 1;
}

/* progress:sent() -> bytes   [-0, +1, e]  of bodies, now; repeated ones count again */
static int progress_sent(lua_State *L) {
    const progress *counts = luaL_checkudata(L, 1, PROGRESS_TYPE);
    uint64_t total = counts->sent + (counts->http ? counts->http->sent : 0);
    lua_pushinteger(L, (lua_Integer)total);
    return 1;
}

/* progress:received() -> bytes   [-0, +1, e] */
static int progress_received(lua_State *L) {
    const progress *counts = luaL_checkudata(L, 1, PROGRESS_TYPE);
    uint64_t total = counts->received + (counts->http ? counts->http->received : 0);
    lua_pushinteger(L, (lua_Integer)total);
    return 1;
}

/* --- URLs --- */

/* Pushes a text, as a secret if `like` is one. */
static void push_like(lua_State *L, int like, const char *text, size_t length) {
    if (pgo_lua_is_secret(L, like))
        pgo_lua_push_secret(L, text, length);
    else
        lua_pushlstring(L, text, length);
}

/* join(base, location) -> url | nil   [-0, +1, e]  a secret if the base is one */
static int http_join(lua_State *L) {
    const char *base = pgo_lua_check_text(L, 1, NULL), *location = pgo_lua_check_text(L, 2, NULL);
    pgo_buffer *scratch = pgo_lua_scratch(L);
    char *joined = pgo_http_join(base, location);
    bool found = joined && pgo_buffer_puts(scratch, joined) == 0;
    free(joined);
    if (!found)
        lua_pushnil(L);
    else
        push_like(L, 1, scratch->data, scratch->length);
    return 1;
}

/* origin(url) -> "https://host:port"   [-0, +1, e] */
static int http_origin(lua_State *L) {
    pgo_http_origin origin;
    pgo_err err = PGO_ERR_INIT;
    if (pgo_http_parse_origin(pgo_lua_check_text(L, 1, NULL), &origin, &err))
        return pgo_raise(L, &err);
    lua_pushstring(L, origin.text);
    return 1;
}

/* escape(text) -> text   [-0, +1, e]  everything but A-Z a-z 0-9 - . _ ~; of a secret, a secret */
static int http_escape(lua_State *L) {
    static const char hex[] = "0123456789ABCDEF";
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    pgo_buffer *out = pgo_lua_scratch(L);
    if (pgo_buffer_reserve(out, 3 * length + 1))
        return pgo_raisef(L, PGO_E_NOMEM, "escaping");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        char coded[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (pgo_buffer_append(out, plain ? &text[i] : coded, plain ? 1 : 3))
            return pgo_raisef(L, PGO_E_NOMEM, "escaping");
    }
    push_like(L, 1, out->data ? out->data : "", out->length);
    return 1;
}

static const luaL_Reg functions[] = {{"request", http_request}, {"progress", http_progress},
                                     {"join", http_join},       {"origin", http_origin},
                                     {"escape", http_escape},   {NULL, NULL}};

static const luaL_Reg progress_methods[] = {
    {"sent", progress_sent}, {"received", progress_received}, {NULL, NULL}};

int luaopen_pgorch_native_http(lua_State *L) {
    pgo_lua_new_type(L, PROGRESS_TYPE, progress_methods, NULL);
    luaL_newlib(L, functions);
    return 1;
}
