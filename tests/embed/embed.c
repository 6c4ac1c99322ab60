/* Another program that embeds pgorch: it includes nothing but <pgorch.h> and Lua's API, runs two
 * hosts on two threads, adds a module, cancels from another thread, and finds nothing left open.
 * Prints TAP. */
#include <pgorch.h>

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int number, failures;

static void ok(int passed, const char *what) {
    failures += !passed;
    printf("%sok %d - %s\n", passed ? "" : "not ", ++number, what);
}

static int answer(lua_State *L) {
    lua_pushinteger(L, 42);
    return 1;
}

static int open_answer(lua_State *L) {
    lua_pushcfunction(L, answer);
    return 1;
}

static pgorch *new_host(void) {
    char error[512];
    pgorch *host = NULL;
    if (pgorch_new(&host, NULL, error, sizeof error) != 0) {
        printf("Bail out! %s\n", error);
    }
    return host;
}

static void *run_a_host(void *arg) {
    pgorch *host = new_host();
    int status = pgorch_eval(host, "require('pgorch.task').sleep(0.05) return 3", "sleeper");
    *(int *)arg = status == 3 && pgorch_free(host) == 0;
    return NULL;
}

static void *cancel_soon(void *host) {
    usleep(100 * 1000);
    pgorch_cancel(host);
    return NULL;
}

int main(void) {
    pgorch *host = new_host();
    pgorch_preload(host, "answer", open_answer);
    ok(pgorch_eval(host, "return require('answer')()", "module") == 42,
       "a module of the program's own is required");
    ok(pgorch_eval(host, "return 7", "again") == 7, "a host runs more than one script");
    ok(strlen(pgorch_version()) > 0, "the version is known");
    ok(pgorch_free(host) == 0, "nothing is left open");

    int results[2] = {0, 0};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, run_a_host, &results[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    ok(results[0] && results[1], "two hosts live side by side");

    host = new_host();
    pthread_t canceller;
    pthread_create(&canceller, NULL, cancel_soon, host);
    const char *wait = "local ok, err = pcall(require('pgorch.task').sleep, 60) return err.id == "
                       "'PGO-CANCELED' and 5 or 0";
    ok(pgorch_eval(host, wait, "waiter") == 5, "another thread stops what waits");
    pthread_join(canceller, NULL);
    ok(pgorch_free(host) == 0, "nothing is left open after that either");
    printf("1..%d\n", number);
    return failures > 0;
}
