/* Where Lua waits: a binding fills an op, pgo_await parks the task's coroutine until it is done. */
#ifndef PGO_LUA_AWAIT_H
#define PGO_LUA_AWAIT_H

#include "core/op.h"
#include "lua/host.h"

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>

/* Pushes the results of a successful op and returns their number. It may raise. */
typedef int (*pgo_push)(lua_State *L, pgo_op *op);

/* Pushes a zeroed userdata of `size` bytes whose first member is a pgo_op. Its __gc releases the
 * op. */
void *pgo_lua_op(lua_State *L, size_t size);
/* `return pgo_await(L, op, push);`: starts the op, gives the loop back, and continues with push(),
 * or raises the op's error. The op's userdata must be on L's stack. push NULL: no results. Raises
 * PGO-AWAIT where no coroutine of a task runs, PGO-CANCELED in a cancelled scope. */
int pgo_await(lua_State *L, pgo_op *op, pgo_push push);

/* Error tables: {kind, id, message, retryable, sqlstate, status, signal, detail}. */
void pgo_push_err(lua_State *L, const pgo_err *err);
/* Raises it. *err is emptied. Never returns; the int is for `return pgo_raise(...)`. */
int pgo_raise(lua_State *L, pgo_err *err);
int pgo_raisef(lua_State *L, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The metatable of error tables, for error.c. */
void pgo_push_error_type(lua_State *L);

#endif
