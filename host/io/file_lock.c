/* Locks on files, as ops: a lock belongs to the open file, so it goes with the process that has it,
 * however that ends, and is seen by every process that sees the file, whatever else it sees. */
#include "io/file_run.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

int pgo_file_run_lock(pgo_file *file) {
    file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        return pgo_file_fail(file, "open");
    }
    struct flock wanted = whole;
    file->found = fcntl(file->fd, F_OFD_SETLK, &wanted) == 0;
    return file->found || errno == EAGAIN || errno == EACCES ? 0 : pgo_file_fail(file, "lock");
}

int pgo_file_run_is_locked(pgo_file *file) {
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        return errno == ENOENT ? 0 : pgo_file_fail(file, "open");
    }
    struct flock wanted = whole;
    if (fcntl(file->fd, F_OFD_GETLK, &wanted)) {
        return pgo_file_fail(file, "look for a lock on");
    }
    file->found = wanted.l_type != F_UNLCK;
    return 0;
}
