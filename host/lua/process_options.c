/* Reads the options of a process. Secrets reach a child by its environment or its stdin, in memory
 * that is wiped once the child is started; on a command line they are refused. Keeps nothing. */
#include "lua/process_options.h"
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/value.h"

#include <stdlib.h>
#include <string.h>

#define LAUNCH_TYPE "pgorch.launch"
#define HIDDEN_KEY "pgorch.hidden"

/* What must be given back when an option raises. */
typedef struct launch {
    pgo_env env;
    const char **names;
    pgo_process_options options;
} launch;

static int launch_gc(lua_State *L) {
    launch *it = lua_touserdata(L, 1);
    pgo_env_wipe(&it->env);
    free(it->names);
    it->names = NULL;
    return 0;
}

static launch *new_launch(lua_State *L) {
    launch *it = lua_newuserdatauv(L, sizeof *it, 0);
    memset(it, 0, sizeof *it);
    if (luaL_newmetatable(L, LAUNCH_TYPE)) {
        lua_pushcfunction(L, launch_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return it;
}

static void check_env(lua_State *L, const char *name, int failed) {
    if (failed == PGO_E_INVALID)
        pgo_raisef(L, failed, "the environment variable `%s` cannot be set to that", name);
    if (failed)
        pgo_raisef(L, failed, "an environment");
}

/* Pushes the table of hidden names. */
static void push_hidden(lua_State *L) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, HIDDEN_KEY);
}

int pgo_lua_hide_variable(lua_State *L) {
    luaL_checkstring(L, 1);
    push_hidden(L);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    return 0;
}

static void inherit_env(lua_State *L, launch *it) {
    size_t count = 0, i = 0;
    push_hidden(L);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        count++;
    it->names = calloc(count + 1, sizeof *it->names);
    if (!it->names) {
        pgo_raisef(L, PGO_E_NOMEM, "an environment");
        return;
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        it->names[i++] = lua_tostring(L, -2);
    check_env(L, "", pgo_env_inherit(&it->env, it->names));
    lua_pop(L, 1);
}

/* env = {NAME = text | number | secret | false}; false takes the variable away */
static void read_env(lua_State *L, int index, launch *it) {
    if (!pgo_opt_boolean(L, index, "env_clear", false))
        inherit_env(L, it);
    if (lua_getfield(L, index, "env") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            size_t length;
            if (lua_type(L, -2) != LUA_TSTRING)
                pgo_raisef(L, PGO_E_INVALID, "env takes NAME = value");
            const char *name = lua_tostring(L, -2);
            if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
                pgo_env_remove(&it->env, name);
                continue;
            }
            const char *value = pgo_lua_check_text(L, -1, &length);
            check_env(L, name, pgo_env_set(&it->env, name, value, length));
        }
    }
    lua_pop(L, 1);
    it->options.env = &it->env;
}

/* Leaves a table of the strings and the array on the stack. */
static void read_argv(lua_State *L, int index, launch *it) {
    lua_Integer count = luaL_len(L, index);
    if (count < 1)
        pgo_raisef(L, PGO_E_INVALID, "no program is given");
    lua_createtable(L, (int)count, 0);
    const char **argv = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *argv, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        size_t length;
        lua_geti(L, index, i);
        if (pgo_lua_is_secret(L, -1))
            pgo_raisef(L, PGO_E_INVALID,
                       "argument %d of %s is a secret: secrets never go on a "
                       "command line; pass it by env or stdin",
                       (int)i - 1, i > 1 ? argv[0] : "?");
        argv[i - 1] = pgo_lua_check_text(L, -1, &length);
        if (strlen(argv[i - 1]) != length)
            pgo_raisef(L, PGO_E_INVALID, "an argument of %s holds a zero byte", argv[0]);
        lua_rawseti(L, -3, i);
    }
    argv[count] = NULL;
    it->options.argv = argv;
}

/* Makes a stream, puts its value into `slot`. The value keeps it alive. */
static pgo_stream *make_stream(lua_State *L, int slot) {
    pgo_stream *stream = pgo_stream_new(pgo_lua_loop(L), 0);
    if (!stream)
        pgo_raisef(L, PGO_E_NOMEM, "a stream");
    pgo_lua_push_stream(L, stream);
    pgo_stream_unref(stream);
    lua_replace(L, slot);
    return stream;
}

static bool is_word(lua_State *L, const char *word) {
    return lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), word) == 0;
}

/* stdin = text | secret | bytes | stream; "stream" in spawn; nothing: empty */
static void read_input(lua_State *L, int index, int slot, launch *it) {
    pgo_stdio_plan *plan = &it->options.in;
    lua_getfield(L, index, "stdin");
    if (lua_isnil(L, -1)) {
        plan->kind = it->options.keep_terminal ? PGO_STDIO_INHERIT : PGO_STDIO_NULL;
    } else if (slot && is_word(L, "stream")) {
        plan->kind = PGO_STDIO_STREAM;
        plan->stream = make_stream(L, slot);
    } else if (pgo_lua_test_stream(L, -1)) {
        plan->kind = PGO_STDIO_STREAM;
        plan->stream = pgo_lua_test_stream(L, -1);
    } else {
        const struct pgo_bytes *bytes = pgo_lua_test_bytes(L, -1);
        plan->kind = PGO_STDIO_MEMORY;
        plan->data = bytes ? bytes->data : pgo_lua_check_text(L, -1, &plan->length);
        plan->length = bytes ? bytes->length : plan->length;
        return; /* stays on the stack: the text of a number is in no table */
    }
    lua_pop(L, 1); /* the options table keeps it */
}

/* stdout, stderr = "capture" | "null" | "inherit" | stream; "stream" in spawn */
static void read_output(lua_State *L, int index, const char *name, int slot, const launch *it,
                        pgo_stdio_plan *plan) {
    lua_getfield(L, index, name);
    plan->kind = PGO_STDIO_MEMORY;
    if (lua_isnil(L, -1)) {
        plan->kind = it->options.keep_terminal ? PGO_STDIO_INHERIT : PGO_STDIO_MEMORY;
    } else if (pgo_lua_test_stream(L, -1)) {
        plan->kind = PGO_STDIO_STREAM;
        plan->stream = pgo_lua_test_stream(L, -1);
    } else if (slot && is_word(L, "stream")) {
        plan->kind = PGO_STDIO_STREAM;
        plan->stream = make_stream(L, slot);
    } else if (is_word(L, "null")) {
        plan->kind = PGO_STDIO_NULL;
    } else if (is_word(L, "inherit")) {
        plan->kind = PGO_STDIO_INHERIT;
    } else if (!is_word(L, "capture")) {
        pgo_raisef(L, PGO_E_INVALID, "option `%s` takes \"capture\", \"null\", \"inherit\"%s", name,
                   slot ? ", \"stream\" or a stream" : " or a stream");
    }
    lua_pop(L, 1);
}

static void read_death_signal(lua_State *L, int index, launch *it) {
    const char *name = pgo_opt_string(L, index, "death_signal", "KILL");
    it->options.death_signal = pgo_signal_number(name);
    if (it->options.death_signal == 0 && strcmp(name, "none") != 0)
        pgo_raisef(L, PGO_E_INVALID, "there is no signal %s", name);
}

static void read_options(lua_State *L, int index, bool streams, launch *it) {
    pgo_process_options *options = &it->options;
    lua_Integer limit = pgo_opt_integer(L, index, "limit", 1 << 20);
    if (limit < 0)
        pgo_raisef(L, PGO_E_INVALID, "a limit cannot be negative");
    options->folder = pgo_opt_string(L, index, "cwd", NULL);
    options->user = pgo_opt_string(L, index, "user", NULL);
    options->timeout = pgo_opt_number(L, index, "timeout", 0);
    options->check = pgo_opt_boolean(L, index, "check", true);
    options->keep_terminal = pgo_opt_boolean(L, index, "terminal", false);
    options->out.limit = options->err.limit = (size_t)limit;
    read_death_signal(L, index, it);
    read_input(L, index, streams ? index + 1 : 0, it);
    read_output(L, index, "stdout", streams ? index + 2 : 0, it, &options->out);
    read_output(L, index, "stderr", streams ? index + 3 : 0, it, &options->err);
    read_env(L, index, it);
    read_argv(L, index, it);
}

pgo_process *pgo_lua_start_process(lua_State *L, int index, bool streams) {
    pgo_err err = PGO_ERR_INIT;
    pgo_process *process = NULL;
    luaL_checktype(L, index, LUA_TTABLE);
    int top = lua_gettop(L);
    launch *it = new_launch(L);
    read_options(L, index, streams, it);
    int failed = pgo_process_spawn(pgo_lua_loop(L), &it->options, &process, &err);
    pgo_env_wipe(&it->env);
    if (failed)
        pgo_raise(L, &err);
    lua_settop(L, top);
    return process;
}
