/* File operations on the uv pool: set-up, the op's life, and the calls that take one path.
 * Owns copies of what it is given; what writes is in file_write.c, what walks folders in
 * file_tree.c. */
#include "io/file.h"
#include "io/file_run.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int pgo_fail_errno(pgo_err *err, const char *verb, const char *path, int error) {
    pgo_fail(err, PGO_E_IO, "%s %s: %s", verb, path, uv_strerror(-error));
    pgo_err_detail(err, uv_err_name(-error));
    return PGO_E_IO;
}

int pgo_file_fail(pgo_file *file, const char *verb) {
    return pgo_fail_errno(&file->op.err, verb, file->path, errno);
}

/* --- the op --- */

static void on_work(uv_work_t *work) {
    pgo_file *file = work->data;
    file->op.status = file->run(file);
}

static void on_after(uv_work_t *work, int status) {
    pgo_file *file = work->data;
    if (status == UV_ECANCELED) {
        pgo_op_fail(&file->op, PGO_E_CANCELED, "cancelled before it began: %s", file->path);
    } else {
        pgo_op_complete(&file->op, file->op.status);
    }
}

static void start(pgo_op *op) {
    pgo_file *file = (pgo_file *)op;
    if (op->err.code) {
        pgo_op_complete(op, op->err.code);
        return;
    }
    file->work.data = file;
    int failed = uv_queue_work(&op->loop->uv, &file->work, on_work, on_after);
    if (failed) {
        pgo_op_fail(op, PGO_E_IO, "%s: %s", file->path, uv_strerror(failed));
    }
}

static void cancel(pgo_op *op) {
    /* Once a pool thread has it, it runs to its end: files answer, or the machine has worse
     * trouble. */
    (void)uv_cancel((uv_req_t *)&((pgo_file *)op)->work);
}

static void release(pgo_op *op) {
    pgo_file *file = (pgo_file *)op;
    pgo_buffer_wipe(&file->data);
    for (size_t i = 0; i < file->count; i++) {
        free(file->names[i]);
    }
    free(file->names);
    free(file->path);
    free(file->other);
    if (file->fd >= 0) {
        close(file->fd);
    }
    file->names = NULL;
    file->path = file->other = NULL;
    file->count = 0;
    file->fd = -1;
}

static const pgo_op_type file_type = {"file", start, cancel, release};

static void set_up(pgo_file *file, pgo_loop *loop, const char *path, int (*run)(pgo_file *)) {
    pgo_op_init(&file->op, &file_type, loop);
    file->fd = -1;
    file->run = run;
    file->path = strdup(path);
    if (!file->path) {
        pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
    }
}

static void set_data(pgo_file *file, const void *data, size_t length) {
    if (pgo_buffer_append(&file->data, data, length)) {
        pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory: %zu bytes for a file", length);
    }
}

static void set_other(pgo_file *file, const char *other) {
    file->other = strdup(other);
    if (!file->other) {
        pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
    }
}

/* --- what runs on the pool --- */

static int fill_stat(pgo_file *file, const struct stat *from) {
    const char *type = "device";
    switch (from->st_mode & S_IFMT) {
    case S_IFREG:
        type = "file";
        break;
    case S_IFDIR:
        type = "directory";
        break;
    case S_IFLNK:
        type = "link";
        break;
    case S_IFSOCK:
        type = "socket";
        break;
    case S_IFIFO:
        type = "fifo";
        break;
    default:
        break;
    }
    file->found = true;
    file->stat = (pgo_file_stat){
        .size = (uint64_t)from->st_size,
        .mode = from->st_mode & 07777,
        .mtime = (double)from->st_mtim.tv_sec + (double)from->st_mtim.tv_nsec / 1e9,
        .uid = from->st_uid,
        .type = type,
    };
    return 0;
}

static int run_stat(pgo_file *file) {
    struct stat found;
    int failed = file->follow ? stat(file->path, &found) : lstat(file->path, &found);
    if (failed && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    return failed ? pgo_file_fail(file, "stat") : fill_stat(file, &found);
}

static int run_open(pgo_file *file) {
    struct stat found;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        return pgo_file_fail(file, "open");
    }
    if (fstat(file->fd, &found)) {
        return pgo_file_fail(file, "stat");
    }
    if (!S_ISREG(found.st_mode)) {
        return pgo_fail(&file->op.err, PGO_E_IO, "open %s: not a regular file", file->path);
    }
    return fill_stat(file, &found);
}

enum { PIECE = 65536 }; /* bytes of one read */

/* Not by size: files in /proc say 0. */
static int read_all(pgo_file *file) {
    for (;;) {
        if (pgo_buffer_reserve(&file->data, PIECE)) {
            return pgo_fail(&file->op.err, PGO_E_NOMEM, "read %s: out of memory", file->path);
        }
        ssize_t n = read(file->fd, file->data.data + file->data.length, PIECE);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return pgo_file_fail(file, "read");
        }
        file->data.length += (size_t)n;
        file->data.data[file->data.length] = '\0';
        if (file->data.length > file->limit) {
            return pgo_fail(&file->op.err, PGO_E_LIMIT, "read %s: more than %zu bytes", file->path,
                            file->limit);
        }
        if (n == 0) {
            return 0;
        }
    }
}

static int run_read(pgo_file *file) {
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        return pgo_file_fail(file, "open");
    }
    int code = read_all(file);
    close(file->fd);
    file->fd = -1;
    return code;
}

static int run_remove(pgo_file *file) {
    file->found = remove(file->path) == 0;
    return file->found || errno == ENOENT ? 0 : pgo_file_fail(file, "remove");
}

static int run_rename(pgo_file *file) {
    return rename(file->path, file->other) ? pgo_file_fail(file, "rename") : 0;
}

static int run_chmod(pgo_file *file) {
    return chmod(file->path, file->mode) ? pgo_file_fail(file, "chmod") : 0;
}

static int run_chown(pgo_file *file) {
    struct passwd entry, *found = NULL;
    char text[4096];
    int failed = getpwnam_r(file->other, &entry, text, sizeof text, &found);
    if (failed) {
        return pgo_fail_errno(&file->op.err, "look up user", file->other, failed);
    }
    if (!found) {
        return pgo_fail(&file->op.err, PGO_E_IO, "chown %s: there is no user %s", file->path,
                        file->other);
    }
    return chown(file->path, found->pw_uid, found->pw_gid) ? pgo_file_fail(file, "chown") : 0;
}

static int run_free_space(pgo_file *file) {
    struct statvfs found;
    if (statvfs(file->path, &found)) {
        return pgo_file_fail(file, "free space of");
    }
    file->free_bytes = (uint64_t)found.f_bavail * (uint64_t)found.f_frsize;
    return 0;
}

/* --- set-up --- */

void pgo_file_read(pgo_file *file, pgo_loop *loop, const char *path, size_t limit) {
    set_up(file, loop, path, run_read);
    file->limit = limit;
}

void pgo_file_write(pgo_file *file, pgo_loop *loop, const char *path, const void *data,
                    size_t length, mode_t mode, bool sync) {
    set_up(file, loop, path, pgo_file_run_write);
    set_data(file, data, length);
    file->mode = mode;
    file->sync = sync;
}

void pgo_file_append(pgo_file *file, pgo_loop *loop, const char *path, const void *data,
                     size_t length, mode_t mode, bool sync) {
    set_up(file, loop, path, pgo_file_run_append);
    set_data(file, data, length);
    file->mode = mode;
    file->sync = sync;
}

void pgo_file_stat_of(pgo_file *file, pgo_loop *loop, const char *path, bool follow) {
    set_up(file, loop, path, run_stat);
    file->follow = follow;
}

void pgo_file_mkdir(pgo_file *file, pgo_loop *loop, const char *path, mode_t mode, bool parents) {
    set_up(file, loop, path, pgo_file_run_mkdir);
    file->mode = mode;
    file->parents = parents;
}

void pgo_file_mkdtemp(pgo_file *file, pgo_loop *loop, const char *prefix) {
    set_up(file, loop, prefix, pgo_file_run_mkdtemp);
}

void pgo_file_list(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, pgo_file_run_list);
}

void pgo_file_remove(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, run_remove);
}

void pgo_file_remove_tree(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, pgo_file_run_remove_tree);
}

void pgo_file_rename(pgo_file *file, pgo_loop *loop, const char *from, const char *to) {
    set_up(file, loop, from, run_rename);
    set_other(file, to);
}

void pgo_file_chmod(pgo_file *file, pgo_loop *loop, const char *path, mode_t mode) {
    set_up(file, loop, path, run_chmod);
    file->mode = mode;
}

void pgo_file_chown(pgo_file *file, pgo_loop *loop, const char *path, const char *user) {
    set_up(file, loop, path, run_chown);
    set_other(file, user);
}

void pgo_file_free_space(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, run_free_space);
}

void pgo_file_open(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, run_open);
}

void pgo_file_lock(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, pgo_file_run_lock);
}

void pgo_file_is_locked(pgo_file *file, pgo_loop *loop, const char *path) {
    set_up(file, loop, path, pgo_file_run_is_locked);
}
