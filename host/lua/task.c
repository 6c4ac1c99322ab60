/* native.task: coroutines as tasks, scopes, sleep. What is built from them is pgorch/task.lua. */
#include "lua/task.h"
#include "lua/await.h"
#include "lua/modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_TYPE "pgorch.scope"

/* --- tasks --- */

static void finish(pgo_lua_task *task) {
    pgo_host *host = task->host;
    pgo_task_leave(&task->task);
    luaL_unref(host->L, LUA_REGISTRYINDEX, task->anchor);
    host->live_tasks--;
    free(task);
}

/* Lua code that runs in a task is wrapped so that it cannot raise; if it does, going on would be a
 * guess. */
static void die(pgo_lua_task *task) {
    const char *what = luaL_tolstring(task->co, -1, NULL);
    pgo_buffer text = {0};
    int rc = pgo_redact(task->host->redactor, what, strlen(what), &text);
    fprintf(stderr, "pgorch: PGO-BUG: a task ended with an error that nobody took: %s\n",
            rc == 0 ? text.data : "(out of memory)");
    abort();
}

static void run(pgo_lua_task *task, int arguments) {
    pgo_host *host = task->host;
    pgo_lua_task *outer = host->current;
    host->current = task;
    int results = 0;
    int status = lua_resume(task->co, host->L, arguments, &results);
    host->current = outer;
    if (status == LUA_YIELD && task->task.op != NULL) {
        lua_pop(task->co, results);
    } else if (status == LUA_OK) {
        finish(task);
    } else {
        if (status == LUA_YIELD) {
            lua_pushliteral(task->co, "a task yielded without waiting for anything");
        }
        die(task);
    }
}

static void resume(pgo_task *task) {
    run((pgo_lua_task *)task, 0);
}

static void first_resume(pgo_job *job) {
    pgo_lua_task *task = job->arg;
    run(task, task->arguments);
}

void pgo_lua_spawn(lua_State *L, pgo_scope *scope, int arguments) {
    pgo_host *host = pgo_lua_host(L);
    lua_State *co = lua_newthread(L);
    if (!lua_checkstack(co, arguments + 1)) { /* lua_xmove does not look */
        pgo_raisef(L, PGO_E_NOMEM, "a task with %d arguments", arguments);
        return;
    }
    lua_insert(L, -(arguments + 2));
    lua_xmove(L, co, arguments + 1);
    int anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    pgo_lua_task *task = calloc(1, sizeof *task);
    if (task == NULL) {
        luaL_unref(L, LUA_REGISTRYINDEX, anchor);
        pgo_raisef(L, PGO_E_NOMEM, "a task");
        return;
    }
    pgo_task_init(&task->task, scope, resume);
    task->host = host;
    task->co = co;
    task->anchor = anchor;
    task->arguments = arguments;
    task->first = (pgo_job){.run = first_resume, .arg = task};
    host->live_tasks++;
    pgo_loop_post(&host->loop, &task->first);
}

static pgo_lua_task *current(lua_State *L) {
    pgo_host *host = pgo_lua_host(L);
    if (host->current == NULL || host->current->co != L) {
        pgo_raisef(L, PGO_E_AWAIT, "this is not the coroutine of a task");
    }
    return host->current;
}

/* --- scopes --- */

typedef struct {
    pgo_scope scope;
    bool open;
    bool was_cancelled, was_timed_out; /* as read when it was left */
} lua_scope;

static lua_scope *check_scope(lua_State *L) {
    return luaL_checkudata(L, 1, SCOPE_TYPE);
}

/* scope_enter(shield, seconds|nil) -> scope   [-0, +1, e]  the current task is in it from now on */
static int scope_enter(lua_State *L) {
    pgo_lua_task *task = current(L);
    bool shield = lua_toboolean(L, 1);
    bool limited = !lua_isnoneornil(L, 2);
    double seconds = limited ? luaL_checknumber(L, 2) : 0;
    lua_scope *scope = lua_newuserdatauv(L, sizeof *scope, 0);
    memset(scope, 0, sizeof *scope);
    luaL_setmetatable(L, SCOPE_TYPE);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, scope); /* kept while tasks may point at it */
    pgo_scope_init(&scope->scope, &task->host->loop, task->task.scope, shield);
    pgo_err err = PGO_ERR_INIT;
    if (limited && pgo_scope_deadline(&scope->scope, seconds, &err) < 0) {
        pgo_scope_close(&scope->scope);
        return pgo_raise(L, &err);
    }
    scope->open = true;
    pgo_task_enter(&task->task, &scope->scope);
    return 1;
}

static void end_scope(lua_State *L, lua_scope *scope) {
    scope->was_cancelled = scope->scope.cancelled;
    scope->was_timed_out = scope->scope.timed_out;
    pgo_scope_close(&scope->scope);
    scope->open = false;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, scope);
}

/* scope:leave()   [-0, +0, e]  back to the scope around it; nothing may be left inside */
static int scope_leave(lua_State *L) {
    lua_scope *scope = check_scope(L);
    pgo_lua_task *task = current(L);
    if (!scope->open || task->task.scope != &scope->scope) {
        return pgo_raisef(L, PGO_E_BUG, "a scope is left by a task that is not in it");
    }
    pgo_task_enter(&task->task, scope->scope.parent);
    if (scope->scope.first_task != NULL || scope->scope.first_child != NULL) {
        return pgo_raisef(L, PGO_E_BUG, "a scope is left while something still runs in it");
    }
    end_scope(L, scope);
    return 0;
}

/* scope:close() -> boolean   [-0, +1, e]  of a scope that its task has left while something still
 * ran in it: true once nothing does */
static int scope_close(lua_State *L) {
    lua_scope *scope = check_scope(L);
    bool empty = scope->scope.first_task == NULL && scope->scope.first_child == NULL;
    if (scope->open && empty) {
        end_scope(L, scope);
    }
    lua_pushboolean(L, empty);
    return 1;
}

/* scope:cancel(reason|nil)   [-0, +0, e] */
static int scope_cancel(lua_State *L) {
    lua_scope *scope = check_scope(L);
    if (scope->open) {
        pgo_scope_cancel(&scope->scope, luaL_optstring(L, 2, "cancelled"));
    }
    return 0;
}

/* scope:cancelled() -> cancelled, timed_out   [-0, +2, e]  its own state, also after it was left */
static int scope_cancelled(lua_State *L) {
    lua_scope *scope = check_scope(L);
    lua_pushboolean(L, scope->open ? scope->scope.cancelled : scope->was_cancelled);
    lua_pushboolean(L, scope->open ? scope->scope.timed_out : scope->was_timed_out);
    return 2;
}

/* scope:spawn(fn, ...)   [-0, +0, e]  fn must not raise */
static int scope_spawn(lua_State *L) {
    lua_scope *scope = check_scope(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (!scope->open) {
        return pgo_raisef(L, PGO_E_CLOSED, "the group has ended: nothing can be started in it");
    }
    pgo_lua_spawn(L, &scope->scope, lua_gettop(L) - 2);
    return 0;
}

/* check()   [-0, +0, e]  raises if the current scope was cancelled */
static int check(lua_State *L) {
    pgo_scope *cause = pgo_scope_cause(current(L)->task.scope);
    if (cause != NULL) {
        return pgo_raisef(L, PGO_E_CANCELED, "%s",
                          cause->reason != NULL ? cause->reason : "cancelled");
    }
    return 0;
}

/* --- sleep --- */

typedef struct {
    pgo_op op;
    uv_timer_t *timer;
    uint64_t milliseconds;
    int status;
} sleep_op;

static void sleep_closed(uv_handle_t *handle) {
    sleep_op *op = handle->data;
    free(handle);
    op->timer = NULL;
    pgo_op_complete(&op->op, op->status);
}

static void sleep_over(uv_timer_t *timer) {
    uv_close((uv_handle_t *)timer, sleep_closed);
}

static void sleep_start(pgo_op *base) {
    sleep_op *op = (sleep_op *)base;
    op->timer = malloc(sizeof *op->timer);
    if (op->timer == NULL) {
        pgo_op_fail(base, PGO_E_NOMEM, "a timer");
        return;
    }
    uv_timer_init(&base->loop->uv, op->timer);
    op->timer->data = op;
    uv_update_time(&base->loop->uv);
    uv_timer_start(op->timer, sleep_over, op->milliseconds, 0);
}

static void sleep_cancel(pgo_op *base) {
    sleep_op *op = (sleep_op *)base;
    if (op->timer != NULL && !uv_is_closing((uv_handle_t *)op->timer)) {
        op->status = pgo_fail(&base->err, PGO_E_CANCELED, "cancelled");
        uv_close((uv_handle_t *)op->timer, sleep_closed);
    }
}

static const pgo_op_type sleep_type = {"task.sleep", sleep_start, sleep_cancel, NULL};

/* sleep(seconds)   [-0, +0, e] */
static int l_sleep(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    sleep_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &sleep_type, pgo_lua_loop(L));
    op->milliseconds = pgo_milliseconds(seconds);
    return pgo_await(L, &op->op, NULL);
}

/* now() -> seconds   [-0, +1, -]  monotonic */
static int l_now(lua_State *L) {
    lua_pushnumber(L, (lua_Number)uv_hrtime() / 1e9);
    return 1;
}

static const luaL_Reg scope_methods[] = {{"leave", scope_leave},   {"close", scope_close},
                                         {"cancel", scope_cancel}, {"cancelled", scope_cancelled},
                                         {"spawn", scope_spawn},   {NULL, NULL}};

static const luaL_Reg functions[] = {{"scope_enter", scope_enter},
                                     {"check", check},
                                     {"sleep", l_sleep},
                                     {"now", l_now},
                                     {NULL, NULL}};

int luaopen_pgorch_native_task(lua_State *L) {
    pgo_lua_new_type(L, SCOPE_TYPE, scope_methods, NULL);
    luaL_newlib(L, functions);
    pgo_lua_event_functions(L);
    return 1;
}
