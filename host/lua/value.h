/* Values that cross the border: secrets, streams, options. */
#ifndef PGO_LUA_VALUE_H
#define PGO_LUA_VALUE_H

#include "core/secret.h"
#include "core/stream.h"
#include "lua/host.h"

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>

#define PGO_SECRET_TYPE "pgorch.secret"
#define PGO_STREAM_TYPE "pgorch.stream"

/* A string or number, or a secret's value. Every primitive that sends something out takes its text
 * here: a plain string that holds a secret's marker is refused (PGO-SECRET-MARKER). Borrowed: lives
 * as long as the value is on the stack. */
const char *pgo_lua_check_text(lua_State *L, int index, size_t *length);
bool pgo_lua_is_secret(lua_State *L, int index);
pgo_secret *pgo_lua_test_secret(lua_State *L, int index); /* borrowed; NULL if it is none */
void pgo_lua_push_secret(lua_State *L, const void *data, size_t length);

pgo_stream *pgo_lua_check_stream(lua_State *L, int index); /* borrowed */
pgo_stream *pgo_lua_test_stream(lua_State *L, int index);  /* NULL if it is none */
void pgo_lua_push_stream(lua_State *L,
                         pgo_stream *stream); /* the userdata takes its own reference */

/* Pushes an empty buffer that is wiped and freed with its userdata: scratch memory that survives an
 * error. */
pgo_buffer *pgo_lua_scratch(lua_State *L);

/* Fields of an options table. A missing or nil field gives `otherwise`; a wrong type raises
 * PGO-INVALID. */
double pgo_opt_number(lua_State *L, int index, const char *name, double otherwise);
lua_Integer pgo_opt_integer(lua_State *L, int index, const char *name, lua_Integer otherwise);
bool pgo_opt_boolean(lua_State *L, int index, const char *name, bool otherwise);
/* Borrowed from the table. */
const char *pgo_opt_string(lua_State *L, int index, const char *name, const char *otherwise);

#endif
