/* native.bytes: blocks of memory outside Lua. They are cut from streams, hashed by the crew, sent
 * by HTTP. */
#include "lua/bytes.h"
#include "io/digest.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_TYPE "pgorch.bytes"

struct pgo_bytes *pgo_lua_new_bytes(lua_State *L, size_t capacity) {
    struct pgo_bytes *bytes = lua_newuserdatauv(L, sizeof *bytes, 0);
    *bytes = (struct pgo_bytes){0};
    luaL_setmetatable(L, BYTES_TYPE);
    bytes->data = malloc(capacity > 0 ? capacity : 1);
    if (bytes->data == NULL) {
        pgo_raisef(L, PGO_E_NOMEM, "a block of %zu bytes", capacity);
    }
    bytes->capacity = capacity;
    return bytes;
}

struct pgo_bytes *pgo_lua_test_bytes(lua_State *L, int index) {
    return luaL_testudata(L, index, BYTES_TYPE);
}

static struct pgo_bytes *check_bytes(lua_State *L) {
    return luaL_checkudata(L, 1, BYTES_TYPE);
}

/* bytes:free()   [-0, +0, e]  gives the memory back now */
static int bytes_free(lua_State *L) {
    struct pgo_bytes *bytes = check_bytes(L);
    if (bytes->pins > 0) {
        return pgo_raisef(L, PGO_E_INVALID, "the block is still in use");
    }
    free(bytes->data);
    *bytes = (struct pgo_bytes){0};
    return 0;
}

/* bytes:string() -> string   [-0, +1, e]  for small ones */
static int bytes_string(lua_State *L) {
    struct pgo_bytes *bytes = check_bytes(L);
    lua_pushlstring(L, bytes->data != NULL ? bytes->data : "", bytes->length);
    return 1;
}

/* bytes:overwrite(from)   [-0, +0, e]  what `from` holds replaces the beginning of this block, as
 * far as both reach */
static int bytes_overwrite(lua_State *L) {
    struct pgo_bytes *bytes = check_bytes(L), *from = pgo_lua_test_bytes(L, 2);
    luaL_argcheck(L, from != NULL, 2, "a block of bytes is needed");
    if (bytes->pins > 0) {
        return pgo_raisef(L, PGO_E_INVALID, "the block is still in use");
    }
    size_t length = from->length < bytes->length ? from->length : bytes->length;
    if (length > 0) {
        memmove(bytes->data, from->data, length);
    }
    return 0;
}

static int bytes_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check_bytes(L)->length);
    return 1;
}

/* --- digests, on the crew: 16 MiB take 50 ms, which the loop does not have --- */

#define MOST_DIGESTS 3

typedef struct {
    pgo_op op;
    pgo_work work;
    pgo_crew *crew;
    struct pgo_bytes *bytes; /* borrowed from the Lua stack, pinned */
    size_t count;
    struct {
        char name[16];
        char hex[PGO_DIGEST_HEX];
    } results[MOST_DIGESTS];
    int status;
} digest_op;

/* On a thread of the crew. */
static void digest_work(pgo_work *work) {
    digest_op *op = work->arg;
    unsigned char raw[PGO_DIGEST_MAX];
    size_t length;
    for (size_t i = 0; i < op->count && op->status == 0; i++) {
        op->status = pgo_digest_of(op->results[i].name, op->bytes->data, op->bytes->length, raw,
                                   &length, &op->op.err);
        if (op->status == 0) {
            pgo_hex(raw, length, op->results[i].hex);
        }
    }
}

static void digest_done(pgo_work *work) {
    digest_op *op = work->arg;
    op->bytes->pins--;
    pgo_op_complete(&op->op, op->status);
}

static void digest_start(pgo_op *base) {
    digest_op *op = (digest_op *)base;
    op->bytes->pins++;
    op->work = (pgo_work){.work = digest_work, .done = digest_done, .arg = op};
    pgo_crew_submit(op->crew, &op->work);
}

static const pgo_op_type digest_type = {"bytes.digests", digest_start, NULL, NULL};

static int push_digests(lua_State *L, pgo_op *base) {
    digest_op *op = (digest_op *)base;
    lua_createtable(L, 0, (int)op->count);
    for (size_t i = 0; i < op->count; i++) {
        lua_pushstring(L, op->results[i].hex);
        lua_setfield(L, -2, op->results[i].name);
    }
    return 1;
}

/* bytes:digests{"md5", "sha256"} -> {md5 = hex, sha256 = hex}   [-0, +1, e]  waits */
static int bytes_digests(lua_State *L) {
    struct pgo_bytes *bytes = check_bytes(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_argcheck(L, bytes->data != NULL, 1, "the block was freed");
    lua_Integer count = luaL_len(L, 2);
    luaL_argcheck(L, count >= 1 && count <= MOST_DIGESTS, 2, "one to three names of digests");
    digest_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &digest_type, pgo_lua_loop(L));
    op->crew = pgo_lua_crew(L);
    op->bytes = bytes;
    op->count = (size_t)count;
    for (size_t i = 0; i < op->count; i++) {
        lua_geti(L, 2, (lua_Integer)i + 1);
        snprintf(op->results[i].name, sizeof op->results[i].name, "%s", luaL_checkstring(L, -1));
        lua_pop(L, 1);
    }
    return pgo_await(L, &op->op, push_digests);
}

/* new(string) -> bytes   [-0, +1, e] */
static int bytes_new(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    struct pgo_bytes *bytes = pgo_lua_new_bytes(L, length);
    memcpy(bytes->data, text, length);
    bytes->length = length;
    return 1;
}

static const luaL_Reg functions[] = {{"new", bytes_new}, {"md5", pgo_lua_bytes_md5}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"free", bytes_free},
                                   {"string", bytes_string},
                                   {"overwrite", bytes_overwrite},
                                   {"digests", bytes_digests},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__len", bytes_len}, {"__gc", bytes_free}, {"__close", bytes_free}, {NULL, NULL}};

int luaopen_pgorch_native_bytes(lua_State *L) {
    pgo_lua_new_type(L, BYTES_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
