/* Writing a file so that a crash leaves the old one or the new one, never half of it; and
 * appending. Runs on a pool thread; owns the temporary file until it has been renamed. */
#include "io/file_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(pgo_file *file, int fd) {
    size_t done = 0;
    while (done < file->data.length) {
        ssize_t n = write(fd, file->data.data + done, file->data.length - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int error = errno;
            pgo_fail(&file->op.err, PGO_E_IO, "write %s: %s after %zu of %zu bytes", file->path,
                     uv_strerror(-error), done, file->data.length);
            pgo_err_detail(&file->op.err, uv_err_name(-error));
            return PGO_E_IO;
        }
        done += (size_t)n;
    }
    return 0;
}

/* A new name is durable only once its folder is. */
static int sync_folder(pgo_file *file) {
    const char *slash = strrchr(file->path, '/');
    size_t length = slash ? (size_t)(slash - file->path) : 0;
    char *folder = !slash ? strdup(".") : length ? strndup(file->path, length) : strdup("/");
    if (!folder) {
        return pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
    }
    int code = 0, fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system that cannot sync a folder; nothing more can be done there. */
    if (fd < 0 || (fsync(fd) && errno != EINVAL)) {
        code = pgo_fail_errno(&file->op.err, "sync", folder, errno);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(folder);
    return code;
}

static int fill_and_rename(pgo_file *file, int fd, const char *temporary) {
    int code = write_all(file, fd);
    if (!code && fchmod(fd, file->mode)) {
        code = pgo_file_fail(file, "chmod");
    }
    if (!code && file->sync && fsync(fd)) {
        code = pgo_file_fail(file, "sync");
    }
    /* close may be where a network file system reports that the disk is full */
    if (close(fd) && !code) {
        code = pgo_file_fail(file, "close");
    }
    if (!code && rename(temporary, file->path)) {
        code = pgo_file_fail(file, "rename to");
    }
    if (code) {
        unlink(temporary);
    }
    return code;
}

int pgo_file_run_write(pgo_file *file) {
    size_t length = strlen(file->path);
    char *temporary = malloc(length + sizeof ".XXXXXX");
    if (!temporary) {
        return pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
    }
    memcpy(temporary, file->path, length);
    memcpy(temporary + length, ".XXXXXX", sizeof ".XXXXXX");
    int fd = mkostemp(temporary, O_CLOEXEC);
    int code = fd < 0 ? pgo_file_fail(file, "write") : fill_and_rename(file, fd, temporary);
    if (!code && file->sync) {
        code = sync_folder(file);
    }
    free(temporary);
    return code;
}

int pgo_file_run_append(pgo_file *file) {
    int fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, file->mode);
    if (fd < 0) {
        return pgo_file_fail(file, "open");
    }
    int code = write_all(file, fd);
    if (!code && file->sync && fsync(fd)) {
        code = pgo_file_fail(file, "sync");
    }
    if (close(fd) && !code) {
        code = pgo_file_fail(file, "close");
    }
    return code;
}
