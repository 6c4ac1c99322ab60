/* Folders: making, listing and removing them. Runs on a pool thread. Removing never follows a
 * symbolic link: it goes by folder descriptors, not by paths that somebody could swap meanwhile. */
#include "io/file_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_one(pgo_file *file, const char *path) {
    struct stat found;
    if (mkdir(path, file->mode) == 0) {
        return 0;
    }
    int error = errno;
    if (error == EEXIST && file->parents && stat(path, &found) == 0 && S_ISDIR(found.st_mode)) {
        return 0;
    }
    return pgo_fail_errno(&file->op.err, "mkdir", path, error);
}

int pgo_file_run_mkdir(pgo_file *file) {
    int code = 0;
    if (file->parents && file->path[0]) {
        for (char *at = strchr(file->path + 1, '/'); at && !code; at = strchr(at + 1, '/')) {
            *at = '\0';
            code = make_one(file, file->path);
            *at = '/';
        }
    }
    return code ? code : make_one(file, file->path);
}

int pgo_file_run_mkdtemp(pgo_file *file) {
    if (pgo_buffer_puts(&file->data, file->path) || pgo_buffer_puts(&file->data, "XXXXXX")) {
        return pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
    }
    return mkdtemp(file->data.data) ? 0 : pgo_file_fail(file, "make a temporary folder");
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(pgo_file *file, size_t *capacity, const char *name) {
    if (file->count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 32;
        char **grown = realloc(file->names, more * sizeof *grown);
        if (!grown) {
            return pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
        }
        file->names = grown;
        *capacity = more;
    }
    file->names[file->count] = strdup(name);
    if (!file->names[file->count]) {
        return pgo_fail(&file->op.err, PGO_E_NOMEM, "out of memory");
    }
    file->count++;
    return 0;
}

int pgo_file_run_list(pgo_file *file) {
    size_t capacity = 0;
    int code = 0;
    DIR *folder = opendir(file->path);
    if (!folder) {
        return pgo_file_fail(file, "list");
    }
    struct dirent *entry;
    while (!code && (errno = 0, entry = readdir(folder))) {
        code = is_dots(entry->d_name) ? 0 : add_name(file, &capacity, entry->d_name);
    }
    if (!code && errno) {
        code = pgo_file_fail(file, "list");
    }
    closedir(folder);
    if (file->count) {
        qsort(file->names, file->count, sizeof *file->names, by_name);
    }
    return code;
}

/* Every child of the folder `fd` (taken over). 0, or an errno with *name naming the child (in
 * `place`). */
static int empty_folder(int fd, char place[static NAME_MAX + 1]);

static int remove_child(int at, const char *name, char place[static NAME_MAX + 1]) {
    int error = 0;
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    error = errno; /* EISDIR on Linux, EPERM elsewhere */
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        error = empty_folder(fd, place);
        if (error) {
            return error;
        }
        error = unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
    }
    if (error) {
        memcpy(place, name, strlen(name) + 1);
    }
    return error;
}

static int empty_folder(int fd, char place[static NAME_MAX + 1]) {
    int error = 0;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        error = errno;
        close(fd);
        return error;
    }
    struct dirent *entry;
    while (!error && (errno = 0, entry = readdir(folder))) {
        error = is_dots(entry->d_name) ? 0 : remove_child(dirfd(folder), entry->d_name, place);
    }
    closedir(folder);
    return error;
}

int pgo_file_run_remove_tree(pgo_file *file) {
    char place[NAME_MAX + 1] = "";
    int error = 0, fd = open(file->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        error = empty_folder(fd, place);
        if (!error && rmdir(file->path) && errno != ENOENT) {
            error = errno;
        }
    } else if (unlink(file->path) && errno != ENOENT) {
        error = errno;
    }
    if (!error) {
        return 0;
    }
    pgo_fail_errno(&file->op.err, "remove all of", file->path, error);
    if (place[0]) {
        pgo_err_detail(&file->op.err, place);
    }
    return PGO_E_IO;
}
