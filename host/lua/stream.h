/* What the files of native.stream share: stream.c has the surface, stream_read.c and stream_move.c
 * what waits. */
#ifndef PGO_LUA_STREAM_H
#define PGO_LUA_STREAM_H

#include "core/op.h"
#include "core/stream.h"

#include <lua5.4/lua.h>

/* The size at `index`, or `otherwise`; a negative one raises. */
size_t pgo_lua_check_size(lua_State *L, int index, lua_Integer otherwise);
/* Completes the op with an error, and says so, when somebody reads `from` or writes to `to`
 * already. Either may be NULL. */
bool pgo_stream_refuse_second(pgo_op *op, const pgo_stream *from, const pgo_stream *to);

/* Methods of the stream; what they take and give is above each. */
int pgo_lua_stream_read(lua_State *L);
int pgo_lua_stream_read_all(lua_State *L);
int pgo_lua_stream_take(lua_State *L);
int pgo_lua_stream_write(lua_State *L);
int pgo_lua_stream_pipe(lua_State *L);
int pgo_lua_stream_drain(lua_State *L);

#endif
