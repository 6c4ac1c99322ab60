/* The command line: argv in, exit status out. Everything else is behind the public API. */
#include <pgorch.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* Started with standard descriptors closed, the loop's own would take their numbers and get what is
 * printed. */
static void occupy_standard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            abort();
    }
}

/* Large blocks are the system's again once they are freed. By itself malloc would soon take such
 * from its heap, whose holes keep half as much again as the parts of an upload need. */
static void give_large_blocks_back(void) {
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

int main(int argc, char **argv) {
    occupy_standard_descriptors();
    give_large_blocks_back();
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
