/* File operations as ops. The blocking calls run on the uv pool, so the loop never waits for a
 * disk.
 *
 * Usage: zero a pgo_file, call one of the set-up functions, start file.op. Afterwards the results
 * are in the fields named below. Everything passed in is copied. Errors are PGO_E_IO with the path
 * and the reason
 * ("write /x/y: no space left on device"); the detail is the errno's name ("ENOSPC"). */
#ifndef PGO_IO_FILE_H
#define PGO_IO_FILE_H

#include "core/buffer.h"
#include "core/op.h"

#include <stdint.h>
#include <sys/types.h>

typedef struct pgo_file_stat {
    uint64_t size;
    mode_t mode;  /* permission bits only */
    double mtime; /* seconds since the epoch */
    uid_t uid;
    const char *type; /* "file", "directory", "link", "socket", "fifo", "device"; static */
} pgo_file_stat;

typedef struct pgo_file pgo_file;
struct pgo_file {
    pgo_op op;
    uv_work_t work;
    int (*run)(pgo_file *file); /* on a pool thread: 0, or op.err filled and its code */
    char *path, *other;         /* owned */
    size_t limit;
    mode_t mode;
    bool sync, parents, follow;

    /* results, owned by the op unless taken */
    pgo_buffer data;    /* read: the bytes; mkdtemp: the path */
    bool found;         /* stat, remove: whether there was something; lock, is_locked */
    pgo_file_stat stat; /* stat, open */
    char **names;       /* list: `count` names, sorted, without . and .. */
    size_t count;
    uint64_t free_bytes; /* free_space: what an unprivileged user may still write */
    int fd;              /* open, lock: take it by setting the field to -1 */
};

void pgo_file_read(pgo_file *file, pgo_loop *loop, const char *path, size_t limit);
/* Atomic: a temporary file beside it, then rename; with `sync` the bytes and the folder are on the
 * disk when the op is done. A failure leaves the former file as it was. */
void pgo_file_write(pgo_file *file, pgo_loop *loop, const char *path, const void *data,
                    size_t length, mode_t mode, bool sync);
void pgo_file_append(pgo_file *file, pgo_loop *loop, const char *path, const void *data,
                     size_t length, mode_t mode, bool sync);
void pgo_file_stat_of(pgo_file *file, pgo_loop *loop, const char *path, bool follow);
/* With `parents` the folders above are made too, and one that exists is fine. */
void pgo_file_mkdir(pgo_file *file, pgo_loop *loop, const char *path, mode_t mode, bool parents);
/* `prefix` is a path; six random characters are added. The folder is 0700. */
void pgo_file_mkdtemp(pgo_file *file, pgo_loop *loop, const char *prefix);
void pgo_file_list(pgo_file *file, pgo_loop *loop, const char *path);
void pgo_file_remove(pgo_file *file, pgo_loop *loop,
                     const char *path); /* a file or an empty folder */
/* Removes the folder and all below. Symbolic links are removed, never followed. Missing is fine. */
void pgo_file_remove_tree(pgo_file *file, pgo_loop *loop, const char *path);
void pgo_file_rename(pgo_file *file, pgo_loop *loop, const char *from, const char *to);
void pgo_file_chmod(pgo_file *file, pgo_loop *loop, const char *path, mode_t mode);
/* To a user by name, and that user's own group. */
void pgo_file_chown(pgo_file *file, pgo_loop *loop, const char *path, const char *user);
void pgo_file_free_space(pgo_file *file, pgo_loop *loop, const char *path);
void pgo_file_open(pgo_file *file, pgo_loop *loop,
                   const char *path); /* for reading; a regular file */
/* Makes the file where there is none, and locks it for as long as `fd` is open; `found`: it did.
 * Not: another open file has the lock. */
void pgo_file_lock(pgo_file *file, pgo_loop *loop, const char *path);
/* `found`: an open file has the lock, of whatever process. Changes nothing; no file: no. */
void pgo_file_is_locked(pgo_file *file, pgo_loop *loop, const char *path);

/* For those who do file work on the pool themselves: fills err from errno. Returns PGO_E_IO. */
int pgo_fail_errno(pgo_err *err, const char *verb, const char *path, int error);

#endif
