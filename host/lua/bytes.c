/* native.bytes: blocks of memory outside Lua. They are cut from streams, hashed by the crew, sent
 * by HTTP. */
#include "lua/bytes.h"
#include "lua/await.h"
#include "lua/modules.h"

#include <stdlib.h>

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

static int bytes_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check_bytes(L)->length);
    return 1;
}

static const luaL_Reg methods[] = {{"free", bytes_free}, {"string", bytes_string}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__len", bytes_len}, {"__gc", bytes_free}, {"__close", bytes_free}, {NULL, NULL}};

int luaopen_pgorch_native_bytes(lua_State *L) {
    pgo_lua_new_type(L, BYTES_TYPE, methods, metamethods);
    lua_newtable(L);
    return 1;
}
