/* A block of memory outside Lua, as a value: a part of an upload on its way from a stream to a
 * request. */
#ifndef PGO_LUA_BYTES_H
#define PGO_LUA_BYTES_H

#include <lua5.4/lua.h>
#include <stddef.h>

struct pgo_bytes {
    size_t length, capacity;
    char *data;    /* owned; NULL once freed */
    unsigned pins; /* ops that read it now; while there are any it cannot be freed */
};

/* Pushes an empty block with room for `capacity` bytes. Raises PGO-NOMEM. */
struct pgo_bytes *pgo_lua_new_bytes(lua_State *L, size_t capacity);
/* NULL if the value is none. Borrowed: lives as long as the value is on the stack. */
struct pgo_bytes *pgo_lua_test_bytes(lua_State *L, int index);

/* A function of native.bytes, in bytes_md5.c. */
int pgo_lua_bytes_md5(lua_State *L);

#endif
