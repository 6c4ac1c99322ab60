/* pgorch-exec: the few system calls between fork and exec that have to happen in the child.
 *
 *     pgorch-exec PARENT SIGNAL USER FOLDER PROGRAM [ARGUMENT...]
 *
 * It becomes USER, asks the kernel to send SIGNAL when pgorch ends, goes to FOLDER, and turns into
 * PROGRAM (found through PATH). "-" leaves a thing as it is. A failure is one line on descriptor 3,
 * which closes by itself when the program starts. It never outlives a pgorch that has ended. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { STATUS_FD = 3, FIRST_ARGUMENT = 5, NOT_STARTED = 127 };

static void refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void refuse(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vdprintf(STATUS_FD, format, args);
    va_end(args);
    _exit(NOT_STARTED);
}

/* Sockets of the parent's libraries do not all close on exec. A child that held one would keep a
 * connection open that pgorch believes to be closed. */
static void close_inherited(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    if (close_range(STATUS_FD + 1, ~0u, 0) == 0)
        return;
#endif
    long last = sysconf(_SC_OPEN_MAX);
    for (int fd = STATUS_FD + 1; fd < (last > 0 && last < 65536 ? last : 65536); fd++)
        close(fd);
}

static void become(const char *name) {
    const struct passwd *user = getpwnam(name);
    if (!user)
        refuse("there is no user %s", name);
    if (user->pw_uid != geteuid()) {
        if (initgroups(name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
            refuse("cannot become the user %s: %s", name, strerror(errno));
    }
    setenv("HOME", user->pw_dir, 0);
    setenv("USER", name, 0);
    setenv("LOGNAME", name, 0);
}

/* A change of user clears the death signal, so this comes after it; the parent may have ended
 * before the signal was set, so its pid is looked at after that. */
static void die_with(pid_t parent, int death_signal) {
#ifdef __linux__
    if (death_signal > 0 && prctl(PR_SET_PDEATHSIG, death_signal) != 0)
        refuse("cannot set the death signal: %s", strerror(errno));
#endif
    if (death_signal > 0 && getppid() != parent)
        refuse("pgorch has ended");
}

static void reset_signals(void) {
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(int argc, char **argv) {
    if (argc <= FIRST_ARGUMENT || fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC) != 0) {
        fputs("pgorch-exec is started by pgorch, not by hand\n", stderr);
        return NOT_STARTED;
    }
    close_inherited();
    if (strcmp(argv[3], "-") != 0)
        become(argv[3]);
    die_with((pid_t)strtol(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10));
    if (strcmp(argv[4], "-") != 0 && chdir(argv[4]) != 0)
        refuse("cannot go to %s: %s", argv[4], strerror(errno));
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    reset_signals();
    const char *program = argv[FIRST_ARGUMENT];
    execvp(program, argv + FIRST_ARGUMENT);
    if (errno == ENOENT && !strchr(program, '/'))
        refuse("it was not found in PATH");
    refuse("%s", strerror(errno));
}
