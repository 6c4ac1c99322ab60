/* native.process: options table -> child process -> result table. Owns the started process of a
 * spawn; its pleasant face is pgorch/process.lua. */
#include "io/process.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/process_options.h"
#include "lua/value.h"

#include <string.h>

#define PROCESS_TYPE "pgorch.process"
#define CHILDREN_KEY "pgorch.children"

enum { TAIL_LINES = 5 };

/* --- results --- */

static void push_text(lua_State *L, const pgo_buffer *text) {
    lua_pushlstring(L, text->data ? text->data : "", text->length);
}

/* Where the last lines of a text begin. */
static size_t last_lines(const char *text, size_t length) {
    size_t at = length;
    for (int lines = 0; at > 0; at--) {
        if (text[at - 1] == '\n' && ++lines == TAIL_LINES)
            break;
    }
    return at;
}

/* Pushes the last lines of stderr, or nil when there are none. Secrets are masked before it is cut:
 * one may lie across the cut. */
static void push_tail(lua_State *L, const pgo_buffer *text) {
    size_t end = text->length;
    while (end > 0 && strchr("\r\n ", text->data[end - 1]))
        end--;
    if (end == 0) {
        lua_pushnil(L);
        return;
    }
    pgo_buffer *redacted = pgo_lua_scratch(L);
    if (pgo_redact(pgo_lua_host(L)->redactor, text->data, end, redacted) < 0)
        pgo_raisef(L, PGO_E_NOMEM, "redacting");
    size_t begin = last_lines(redacted->data, redacted->length);
    lua_pushlstring(L, redacted->data + begin, redacted->length - begin);
    lua_remove(L, -2);
}

static int push_result(lua_State *L, pgo_process *process) {
    const pgo_process_result *result = pgo_process_get_result(process);
    lua_createtable(L, 0, 8);
    lua_pushinteger(L, result->signal ? 128 + result->signal : (lua_Integer)result->code);
    lua_setfield(L, -2, "code");
    if (result->signal) {
        lua_pushstring(L, pgo_signal_name(result->signal));
        lua_setfield(L, -2, "signal");
    }
    push_text(L, &result->out);
    lua_setfield(L, -2, "stdout");
    push_text(L, &result->err);
    lua_setfield(L, -2, "stderr");
    push_tail(L, &result->err);
    lua_setfield(L, -2, "tail");
    lua_pushnumber(L, result->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushboolean(L, result->truncated);
    lua_setfield(L, -2, "truncated");
    return 1;
}

/* Raises PGO-PROCESS unless it ended well. */
static void check_result(lua_State *L, pgo_process *process) {
    const pgo_process_result *result = pgo_process_get_result(process);
    if (result->code == 0 && result->signal == 0)
        return;
    push_tail(L, &result->err);
    pgo_err err = PGO_ERR_INIT;
    pgo_process_describe(process, &err);
    pgo_err_detail(&err, lua_tostring(L, -1));
    pgo_raise(L, &err);
}

/* --- run --- */

typedef struct run_op {
    pgo_process_wait wait;
    bool check;
} run_op;

static int push_run(lua_State *L, pgo_op *op) {
    run_op *run = (run_op *)op;
    if (run->check)
        check_result(L, run->wait.process);
    return push_result(L, run->wait.process);
}

/* run{argv..., options} -> result   [-0, +1, e] */
static int process_run(lua_State *L) {
    run_op *run = pgo_lua_op(L, sizeof *run);
    pgo_process *process = pgo_lua_start_process(L, 1, false);
    pgo_process_wait_init(&run->wait, process, PGO_PROCESS_ENDED, true);
    pgo_process_unref(process);
    run->check = pgo_opt_boolean(L, 1, "check", true);
    return pgo_await(L, &run->wait.op, push_run);
}

/* --- spawn --- */

/* A process that a script holds. The list lets the host kill what a script forgot. */
typedef struct held_process {
    pgo_process *process;
    struct held_process **list, *next;
} held_process;

static void drop(held_process *held) {
    held_process **link = held->list;
    while (link && *link && *link != held)
        link = &(*link)->next;
    if (link && *link)
        *link = held->next;
    held->list = NULL;
    pgo_process_unref(held->process);
    held->process = NULL;
}

static void drop_all(void *list) {
    held_process **first = list;
    while (*first)
        drop(*first);
}

static int held_gc(lua_State *L) {
    drop(lua_touserdata(L, 1));
    return 0;
}

static pgo_process *check_process(lua_State *L) {
    held_process *held = luaL_checkudata(L, 1, PROCESS_TYPE);
    if (!held->process)
        pgo_raisef(L, PGO_E_CLOSED, "the process was closed");
    return held->process;
}

static held_process *new_held(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, CHILDREN_KEY);
    held_process **list = lua_touserdata(L, -1);
    lua_pop(L, 1);
    held_process *held = lua_newuserdatauv(L, sizeof *held, 0);
    *held = (held_process){.list = list, .next = *list};
    luaL_setmetatable(L, PROCESS_TYPE);
    *list = held;
    return held;
}

static int push_started(lua_State *L, pgo_op *op) {
    (void)op;
    lua_settop(L, 5); /* the process, the options, three streams */
    lua_pushinteger(L, pgo_process_get_result(check_process(L))->pid);
    lua_replace(L, 2);
    return 5;
}

/* spawn{argv..., options} -> process, pid, stdin, stdout, stderr   [-0, +5, e] */
static int process_spawn(lua_State *L) {
    lua_settop(L, 4); /* the options, and a place for each stream */
    held_process *held = new_held(L);
    lua_insert(L, 1);
    held->process = pgo_lua_start_process(L, 2, true);
    pgo_process_wait *wait = pgo_lua_op(L, sizeof *wait);
    pgo_process_wait_init(wait, held->process, PGO_PROCESS_STARTED, true);
    return pgo_await(L, &wait->op, push_started);
}

static int push_ended(lua_State *L, pgo_op *op) {
    return push_result(L, ((pgo_process_wait *)op)->process);
}

/* process:wait() -> result   [-0, +1, e]  a cancelled wait leaves the process running */
static int held_wait(lua_State *L) {
    pgo_process *process = check_process(L);
    pgo_process_wait *wait = pgo_lua_op(L, sizeof *wait);
    pgo_process_wait_init(wait, process, PGO_PROCESS_ENDED, false);
    return pgo_await(L, &wait->op, push_ended);
}

/* process:check()   [-0, +0, e]  raises PGO-PROCESS unless it ended well */
static int held_check(lua_State *L) {
    check_result(L, check_process(L));
    return 0;
}

/* process:kill(signal = "TERM") -> boolean   [-0, +1, e]  false when it had exited */
static int held_kill(lua_State *L) {
    pgo_process *process = check_process(L);
    const char *name = luaL_optstring(L, 2, "TERM");
    int number = pgo_signal_number(name);
    if (number == 0)
        return pgo_raisef(L, PGO_E_INVALID, "there is no signal %s", name);
    lua_pushboolean(L, pgo_process_signal(process, number));
    return 1;
}

/* process:terminate()   [-0, +0, e]  SIGTERM now, SIGKILL after five seconds */
static int held_terminate(lua_State *L) {
    pgo_process_terminate(check_process(L));
    return 0;
}

/* process:alive() -> boolean   [-0, +1, e] */
static int held_alive(lua_State *L) {
    held_process *held = luaL_checkudata(L, 1, PROCESS_TYPE);
    lua_pushboolean(L, held->process && pgo_process_alive(held->process));
    return 1;
}

static const luaL_Reg functions[] = {
    {"run", process_run}, {"spawn", process_spawn}, {"hide", pgo_lua_hide_variable}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"wait", held_wait},   {"check", held_check},
                                   {"kill", held_kill},   {"terminate", held_terminate},
                                   {"alive", held_alive}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", held_gc}, {NULL, NULL}};

int luaopen_pgorch_native_process(lua_State *L) {
    pgo_lua_new_type(L, PROCESS_TYPE, methods, metamethods);
    held_process **list = lua_newuserdatauv(L, sizeof(held_process *), 0);
    *list = NULL;
    lua_setfield(L, LUA_REGISTRYINDEX, CHILDREN_KEY);
    pgo_lua_at_close(L, drop_all, list);
    luaL_newlib(L, functions);
    return 1;
}
