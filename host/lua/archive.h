/* What the files of native.archive share: archive.c makes archives, archive_head.c reads heads,
 * archive_rows.c writes data that pg_dump has not read. */
#ifndef PGO_LUA_ARCHIVE_H
#define PGO_LUA_ARCHIVE_H

#include "io/archive_head.h"

#include <lua5.4/lua.h>

int pgo_lua_archive_read_head(lua_State *L); /* what it takes and gives is above it */
int pgo_lua_archive_rows(lua_State *L);
int pgo_lua_archive_objects(lua_State *L);
/* Declare the types. [-0, +0, e] */
void pgo_lua_archive_head_type(lua_State *L);
void pgo_lua_archive_rows_type(lua_State *L);
/* A copy of the head's `length` bytes from `at` on, which it has. [-0, +1, e] */
void pgo_lua_push_head_bytes(lua_State *L, const pgo_archive_head *head, size_t at, size_t length);

#endif
