/* Signals by name, as people write them: "TERM" or "SIGTERM". Sends none. */
#include "io/process.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

const char *pgo_signal_name(int number) {
    const char *name = sigabbrev_np(number);
    return name ? name : "?";
}

int pgo_signal_number(const char *name) {
    if (strncasecmp(name, "SIG", 3) == 0) {
        name += 3;
    }
    for (int number = 1; number < NSIG; number++) {
        if (strcasecmp(pgo_signal_name(number), name) == 0) {
            return number;
        }
    }
    return 0;
}
