/* The public API: one host from pgorch_new to pgorch_free. Owns the loop, the Lua state and the
 * signals. */
#include "lua/host.h"
#include "lua/await.h"
#include "lua/task.h"

#include <pgorch.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIGNALS = 3 };

struct pgorch {
    pgo_host host;
    uv_async_t cancel;
    uv_signal_t signals[SIGNALS];
    bool handles_signals;
    bool finished;
    int status;
};

const char *pgorch_version(void) {
    return PGORCH_VERSION;
}

static void on_cancel(uv_async_t *async) {
    pgorch *it = async->data;
    pgo_scope_cancel(&it->host.root, "stopped");
}

void pgorch_cancel(pgorch *it) {
    uv_async_send(&it->cancel);
}

static void leave_at_once(const pgo_host *host) {
    const char *words = host->last_words;
    pgo_buffer clean = {0};
    if (words != NULL && pgo_redact(host->redactor, words, strlen(words), &clean) == 0 &&
        clean.length > 0) {
        fprintf(stderr, "\n%s\n", clean.data);
    }
    _exit(130);
}

static void on_signal(uv_signal_t *handle, int number) {
    pgo_host *host = &((pgorch *)handle->data)->host;
    host->signals++;
    if (host->signals >= host->leaves_at) {
        leave_at_once(host);
    }
    if (host->signal == 0) {
        host->signal = number;
        pgo_scope_cancel(&host->root, "interrupted");
    }
}

/* Ctrl-C, which a script may have asked for. */
static void on_interrupt(uv_signal_t *handle, int number) {
    pgo_host *host = &((pgorch *)handle->data)->host;
    if (host->interrupt == NULL) {
        on_signal(handle, number);
    } else if (!pgo_lua_interrupt(host)) {
        leave_at_once(host);
    }
}

static void watch_signals(pgorch *it) {
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&it->host.loop.uv, &it->signals[i]);
        it->signals[i].data = it;
        uv_signal_start(&it->signals[i], numbers[i] == SIGINT ? on_interrupt : on_signal,
                        numbers[i]);
        uv_unref((uv_handle_t *)&it->signals[i]);
    }
    it->handles_signals = true;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write */
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); /* a core would hold every secret */
}

static int open_host(pgorch *it, pgo_err *err) {
    pgo_host *host = &it->host;
    host->leaves_at = 2;
    int rc = pgo_loop_init(&host->loop, err);
    if (rc < 0) {
        return rc;
    }
    host->loop.host = host;
    pgo_scope_init(&host->root, &host->loop, NULL, false);
    uv_async_init(&host->loop.uv, &it->cancel, on_cancel);
    it->cancel.data = it;
    uv_unref((uv_handle_t *)&it->cancel);
    host->redactor = pgo_redactor_new();
    if (host->redactor == NULL) {
        return pgo_fail(err, PGO_E_NOMEM, "the redactor");
    }
    return pgo_lua_open(host, err);
}

int pgorch_new(pgorch **out, const pgorch_options *options, char *error, size_t error_size) {
    pgo_err err = PGO_ERR_INIT;
    pgorch *it = calloc(1, sizeof *it);
    if (it == NULL || open_host(it, &err) < 0) {
        snprintf(error, error_size, "%s", err.message != NULL ? err.message : "out of memory");
        pgo_err_clear(&err);
        if (it != NULL && it->host.loop.host != NULL) {
            pgorch_free(it);
        } else {
            free(it);
        }
        return -1;
    }
    if (options != NULL && options->handle_signals) {
        watch_signals(it);
    }
    *out = it;
    return 0;
}

/* finish(status)   [-0, +0, e]  what the root task calls last; upvalue 1 is the host */
static int finish(lua_State *L) {
    pgorch *it = lua_touserdata(L, lua_upvalueindex(1));
    it->status = (int)luaL_checkinteger(L, 1);
    it->finished = true;
    return 0;
}

struct call {
    pgorch *it;
    const char *entry; /* a function of pgorch.root */
    int count;
    char **values;
};

/* Pushes root[entry] and its arguments (finish, strings), and starts them as the root task. */
static int start(lua_State *L) {
    struct call *call = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "pgorch.root");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, call->entry);
    lua_pushlightuserdata(L, call->it);
    lua_pushcclosure(L, finish, 1);
    lua_createtable(L, call->count, 0);
    for (int i = 0; i < call->count; i++) {
        lua_pushstring(L, call->values[i]);
        lua_rawseti(L, -2, i + 1);
    }
    pgo_lua_spawn(L, &call->it->host.root, 2);
    return 0;
}

static int run(pgorch *it, const char *entry, int count, char **values) {
    lua_State *L = it->host.L;
    struct call call = {it, entry, count, values};
    it->finished = false;
    lua_pushcfunction(L, start);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "pgorch: %s\n", luaL_tolstring(L, -1, NULL));
        lua_settop(L, 0);
        return 1;
    }
    pgo_loop_run_until(&it->host.loop, &it->finished);
    if (!it->finished) {
        fprintf(stderr, "pgorch: PGO-BUG: the program waits for something that cannot happen\n");
        return 1;
    }
    return it->status;
}

int pgorch_main(pgorch *it, int argc, char **argv) {
    return run(it, "main", argc - 1, argv + 1);
}

int pgorch_eval(pgorch *it, const char *source, const char *name) {
    char *values[] = {(char *)(size_t)source, (char *)(size_t)name};
    return run(it, "eval", 2, values);
}

void pgorch_preload(pgorch *it, const char *name, int (*open)(struct lua_State *)) {
    lua_State *L = it->host.L;
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void close_handles(pgorch *it) {
    uv_close((uv_handle_t *)&it->cancel, NULL);
    for (int i = 0; it->handles_signals && i < SIGNALS; i++) {
        uv_close((uv_handle_t *)&it->signals[i], NULL);
    }
    pgo_lua_run_closers(&it->host);
    pgo_crew_free(it->host.crew);
}

int pgorch_free(pgorch *it) {
    pgo_host *host = &it->host;
    int left = 0;
    if (host->live_tasks > 0) {
        left += (int)host->live_tasks;
        fprintf(stderr, "left open: %u tasks\n", host->live_tasks);
    }
    if (host->L != NULL) {
        lua_gc(host->L, LUA_GCCOLLECT); /* userdata close their handles while the loop still runs */
        lua_gc(host->L, LUA_GCCOLLECT);
    }
    close_handles(it);
    if (left == 0) { /* what a task holds that nobody waits for may stay open for ever */
        pgo_loop_run(&host->loop);
        pgo_scope_close(&host->root);
    }
    left += pgo_loop_close(&host->loop, stderr);
    pgo_lua_close(host);
    pgo_redactor_free(host->redactor);
    free(it);
    return left;
}
