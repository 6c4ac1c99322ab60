/* Finds the exec stub: beside the library or program that this code is in, or where the install
 * puts it. Looks only there, never in PATH: what it finds is run with pgorch's rights. */
#include "io/process_inner.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = {
    "pgorch-exec", "../libexec/pgorch/pgorch-exec",
    "../../libexec/pgorch/pgorch-exec", /* from lib/x86_64-linux-gnu */
    "../pgorch-exec",                   /* from the tests' folder of a build */
};

/* `folder` is the path of a file; its last part is cut off. */
static char *look_beside(char *folder) {
    char *slash = strrchr(folder, '/');
    if (!slash)
        return NULL;
    *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        if (access(path, X_OK) == 0)
            return realpath(path, NULL);
    }
    return NULL;
}

char *pgo_process_find_stub(void) {
    char file[PATH_MAX];
    Dl_info info;
    char *found = NULL;
    if (dladdr((void *)(uintptr_t)pgo_process_find_stub, &info) && info.dli_fname &&
        realpath(info.dli_fname, file))
        found = look_beside(file);
    if (!found) {
        ssize_t length = readlink("/proc/self/exe", file, sizeof file - 1);
        if (length > 0) {
            file[length] = 0;
            found = look_beside(file);
        }
    }
    return found;
}
