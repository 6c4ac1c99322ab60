/* The command line: argv in, exit status out. Everything else is behind the public API. */
#include <pgorch.h>

#include <stdio.h>

int main(int argc, char **argv) {
    pgorch_options options = {.size = sizeof options, .handle_signals = 1};
    char error[512];
    pgorch *host;
    if (pgorch_new(&host, &options, error, sizeof error) != 0) {
        fprintf(stderr, "pgorch: %s\n", error);
        return 1;
    }
    int status = pgorch_main(host, argc, argv);
    int left_open = pgorch_free(host);
    return status == 0 && left_open > 0 ? 1 : status;
}
