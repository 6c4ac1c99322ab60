/* The border between ops and coroutines, and error tables. Owns nothing. */
#include "lua/await.h"
#include "lua/task.h"

#include <string.h>

#define OP_TYPE "pgorch.op"
#define ERROR_TYPE "pgorch.error"

static int op_gc(lua_State *L) {
    pgo_op *op = lua_touserdata(L, 1);
    if (op->type != NULL && (op->state == PGO_OP_NEW || op->state == PGO_OP_DONE)) {
        pgo_op_release(op);
    }
    return 0;
}

void *pgo_lua_op(lua_State *L, size_t size) {
    void *op = lua_newuserdatauv(L, size, 1);
    memset(op, 0, size);
    if (luaL_newmetatable(L, OP_TYPE)) {
        lua_pushcfunction(L, op_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return op;
}

/* The error a task sees when a scope above it was cancelled. */
static int raise_cancelled(lua_State *L, const pgo_scope *cause) {
    return pgo_raisef(L, PGO_E_CANCELED, "%s", cause->reason != NULL ? cause->reason : "cancelled");
}

static int after(lua_State *L, int status, lua_KContext context) {
    (void)status;
    pgo_op *op = (pgo_op *)context; // NOLINT(performance-no-int-to-ptr)
    if (op->status < 0) {
        pgo_scope *cause = pgo_scope_cause(pgo_lua_host(L)->current->task.scope);
        bool from_above = op->status == PGO_E_CANCELED && cause != NULL;
        pgo_push_err(L, &op->err);
        pgo_op_release(op);
        return from_above ? raise_cancelled(L, cause) : lua_error(L);
    }
    pgo_push push;
    memcpy(&push, lua_touserdata(L, -1), sizeof(push));
    lua_pop(L, 1);
    int results = push != NULL ? push(L, op) : 0;
    pgo_op_release(op);
    return results;
}

int pgo_await(lua_State *L, pgo_op *op, pgo_push push) {
    pgo_host *host = pgo_lua_host(L);
    if (!lua_isyieldable(L) || host->current == NULL || host->current->co != L) {
        return pgo_raisef(L, PGO_E_AWAIT, "%s waits, and cannot be called here", op->type->name);
    }
    pgo_scope *cause = pgo_scope_cause(host->current->task.scope);
    if (cause != NULL) {
        return raise_cancelled(L, cause);
    }
    memcpy(lua_newuserdatauv(L, sizeof(push), 0), &push, sizeof(push));
    pgo_task_wait(&host->current->task, op);
    return lua_yieldk(L, 0, (lua_KContext)op, after);
}

static void set_string(lua_State *L, const char *name, const char *value) {
    if (value != NULL && value[0] != '\0') {
        lua_pushstring(L, value);
        lua_setfield(L, -2, name);
    }
}

static int error_tostring(lua_State *L) {
    lua_getfield(L, 1, "id");
    lua_getfield(L, 1, "message");
    const char *id = lua_tostring(L, -2), *message = lua_tostring(L, -1);
    lua_pushfstring(L, "%s: %s", id != NULL ? id : "PGO-BUG", message != NULL ? message : "?");
    return 1;
}

void pgo_push_error_type(lua_State *L) {
    if (luaL_newmetatable(L, ERROR_TYPE)) {
        lua_pushcfunction(L, error_tostring);
        lua_setfield(L, -2, "__tostring");
    }
}

void pgo_push_err(lua_State *L, const pgo_err *err) {
    int code = err->code != 0 ? err->code : PGO_E_BUG;
    lua_createtable(L, 0, 8);
    set_string(L, "id", pgo_error_id(code));
    set_string(L, "kind", pgo_error_kind(code));
    set_string(L, "message", err->message != NULL ? err->message : pgo_error_what(code));
    set_string(L, "detail", err->detail);
    set_string(L, "sqlstate", err->sqlstate);
    lua_pushboolean(L, err->retryable);
    lua_setfield(L, -2, "retryable");
    if (err->status != 0) {
        lua_pushinteger(L, err->status);
        lua_setfield(L, -2, "status");
    }
    if (err->signal != 0) {
        lua_pushinteger(L, err->signal);
        lua_setfield(L, -2, "signal");
    }
    pgo_push_error_type(L);
    lua_setmetatable(L, -2);
}

int pgo_raise(lua_State *L, pgo_err *err) {
    pgo_push_err(L, err);
    pgo_err_clear(err);
    return lua_error(L);
}

int pgo_raisef(lua_State *L, int code, const char *format, ...) {
    pgo_err err = PGO_ERR_INIT;
    va_list args;
    va_start(args, format);
    pgo_vfail(&err, code, format, args);
    va_end(args);
    return pgo_raise(L, &err);
}
