/* Loaded into pgorch by LD_PRELOAD (tests/faults/kills.lua): ends or holds it after a write to the
 * record of runs. Wraps fdatasync and fsync of the record's two files. After each that was really
 * done:
 *
 * - PGORCH_KILL_AT=N: the Nth ends the process with SIGKILL.
 * - PGORCH_HOLD_SYNC=1: a line `store write N` goes to stderr, and the thread waits for a byte on
 *   stdin.
 *
 * In other programs than pgorch, its children among them, it does nothing. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static long kill_at;
static bool hold;
static atomic_long done;

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* What a link of /proc/self names, "" when it cannot be read. */
static void read_link(const char *link, char *path, size_t size) {
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = '\0';
}

static bool is_record(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    read_link(link, path, sizeof path);
    return ends_with(path, "/state.db-wal") || ends_with(path, "/state.db");
}

static void wait_for_answer(long number) {
    char byte;
    dprintf(STDERR_FILENO, "store write %ld\n", number);
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
    }
}

static int after(int fd, int status) {
    if (status != 0 || (kill_at == 0 && !hold) || !is_record(fd)) {
        return status;
    }
    long number = atomic_fetch_add(&done, 1) + 1;
    if (number == kill_at) {
        kill(getpid(), SIGKILL);
    }
    if (hold) {
        wait_for_answer(number);
    }
    return status;
}

__attribute__((visibility("default"))) int fdatasync(int fd) {
    return after(fd, real_fdatasync(fd));
}

__attribute__((visibility("default"))) int fsync(int fd) {
    return after(fd, real_fsync(fd));
}

/* pgorch-exec, which starts the program, hands everything on; pgorch's own children get nothing of
 * it. */
__attribute__((constructor)) static void begin(void) {
    char path[4096];
    const char *at = getenv("PGORCH_KILL_AT");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
    read_link("/proc/self/exe", path, sizeof path);
    if (!ends_with(path, "/pgorch")) {
        return;
    }
    kill_at = at ? strtol(at, NULL, 10) : 0;
    hold = getenv("PGORCH_HOLD_SYNC") != NULL;
    unsetenv("LD_PRELOAD");
}
