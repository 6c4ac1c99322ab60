/* native.fs: files for scripts. Every call waits on the uv pool, never on the loop. A mode is
 * written as in a shell: Lua has no octal numbers, so the digits of 0600 are read as octal ones. */
#include "io/file.h"
#include "io/file_stream.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <string.h>
#include <unistd.h>

/* --- arguments --- */

static const char *check_path(lua_State *L, int index) {
    size_t length;
    const char *path = pgo_lua_check_text(L, index, &length);
    if (length == 0 || strlen(path) != length) {
        pgo_raisef(L, PGO_E_INVALID, length == 0 ? "a path is empty" : "a path holds a NUL");
    }
    return path;
}

static mode_t mode_of(lua_State *L, lua_Integer digits) {
    lua_Integer mode = 0;
    lua_Integer place = 1;
    for (lua_Integer left = digits; left > 0; left /= 10, place *= 8) {
        if (left % 10 > 7 || digits > 7777) {
            pgo_raisef(L, PGO_E_INVALID, "%d is not a mode: it is written as in a shell, 0600",
                       (int)digits);
        }
        mode += left % 10 * place;
    }
    if (digits < 0) {
        pgo_raisef(L, PGO_E_INVALID, "a mode cannot be negative");
    }
    return (mode_t)mode;
}

static lua_Integer digits_of(mode_t mode) {
    lua_Integer digits = 0;
    lua_Integer place = 1;
    for (mode_t left = mode; left > 0; left /= 8, place *= 10) {
        digits += (lua_Integer)(left % 8) * place;
    }
    return digits;
}

static mode_t mode_option(lua_State *L, int options, lua_Integer otherwise) {
    bool given = lua_istable(L, options);
    return mode_of(L, given ? pgo_opt_integer(L, options, "mode", otherwise) : otherwise);
}

static bool flag_option(lua_State *L, int options, const char *name, bool otherwise) {
    return lua_istable(L, options) ? pgo_opt_boolean(L, options, name, otherwise) : otherwise;
}

static pgo_file *new_file(lua_State *L) {
    return pgo_lua_op(L, sizeof(pgo_file));
}

/* --- whole files --- */

static int push_data(lua_State *L, pgo_op *op) {
    pgo_file *file = (pgo_file *)op;
    lua_pushlstring(L, file->data.data != NULL ? file->data.data : "", file->data.length);
    return 1;
}

/* read(path, limit = 16 MiB) -> string   [-0, +1, e]  PGO-LIMIT when there is more */
static int fs_read(lua_State *L) {
    const char *path = check_path(L, 1);
    lua_Integer limit = luaL_optinteger(L, 2, 16 << 20);
    luaL_argcheck(L, limit >= 0, 2, "a limit cannot be negative");
    pgo_file *file = new_file(L);
    pgo_file_read(file, pgo_lua_loop(L), path, (size_t)limit);
    return pgo_await(L, &file->op, push_data);
}

/* write(path, data, {mode = 0600, sync = true})   [-0, +0, e]  all of it or nothing */
static int fs_write(lua_State *L) {
    size_t length;
    const char *path = check_path(L, 1), *data = pgo_lua_check_text(L, 2, &length);
    mode_t mode = mode_option(L, 3, 600);
    bool sync = flag_option(L, 3, "sync", true);
    pgo_file *file = new_file(L);
    pgo_file_write(file, pgo_lua_loop(L), path, data, length, mode, sync);
    return pgo_await(L, &file->op, NULL);
}

/* append(path, data, {mode = 0600, sync = false})   [-0, +0, e] */
static int fs_append(lua_State *L) {
    size_t length;
    const char *path = check_path(L, 1), *data = pgo_lua_check_text(L, 2, &length);
    mode_t mode = mode_option(L, 3, 600);
    bool sync = flag_option(L, 3, "sync", false);
    pgo_file *file = new_file(L);
    pgo_file_append(file, pgo_lua_loop(L), path, data, length, mode, sync);
    return pgo_await(L, &file->op, NULL);
}

/* --- names --- */

static int push_found(lua_State *L, pgo_op *op) {
    lua_pushboolean(L, ((pgo_file *)op)->found);
    return 1;
}

/* exists(path) -> boolean   [-0, +1, e] */
static int fs_exists(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_stat_of(file, pgo_lua_loop(L), path, true);
    return pgo_await(L, &file->op, push_found);
}

static int push_stat(lua_State *L, pgo_op *op) {
    pgo_file *file = (pgo_file *)op;
    if (!file->found) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, (lua_Integer)file->stat.size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, digits_of(file->stat.mode));
    lua_setfield(L, -2, "mode");
    lua_pushnumber(L, file->stat.mtime);
    lua_setfield(L, -2, "mtime");
    lua_pushinteger(L, file->stat.uid);
    lua_setfield(L, -2, "uid");
    lua_pushstring(L, file->stat.type);
    lua_setfield(L, -2, "type");
    return 1;
}

/* stat(path, {follow = true}) -> {size, mode, mtime, uid, type} | nil   [-0, +1, e] */
static int fs_stat(lua_State *L) {
    const char *path = check_path(L, 1);
    bool follow = flag_option(L, 2, "follow", true);
    pgo_file *file = new_file(L);
    pgo_file_stat_of(file, pgo_lua_loop(L), path, follow);
    return pgo_await(L, &file->op, push_stat);
}

static int push_names(lua_State *L, pgo_op *op) {
    pgo_file *file = (pgo_file *)op;
    lua_createtable(L, (int)file->count, 0);
    for (size_t i = 0; i < file->count; i++) {
        lua_pushstring(L, file->names[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* list(path) -> sorted names   [-0, +1, e] */
static int fs_list(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_list(file, pgo_lua_loop(L), path);
    return pgo_await(L, &file->op, push_names);
}

/* mkdir(path, {mode = 0700, parents = true})   [-0, +0, e] */
static int fs_mkdir(lua_State *L) {
    const char *path = check_path(L, 1);
    mode_t mode = mode_option(L, 2, 700);
    bool parents = flag_option(L, 2, "parents", true);
    pgo_file *file = new_file(L);
    pgo_file_mkdir(file, pgo_lua_loop(L), path, mode, parents);
    return pgo_await(L, &file->op, NULL);
}

/* mkdtemp(prefix) -> path   [-0, +1, e]  prefix is a path; six characters are added */
static int fs_mkdtemp(lua_State *L) {
    const char *prefix = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_mkdtemp(file, pgo_lua_loop(L), prefix);
    return pgo_await(L, &file->op, push_data);
}

/* remove(path) -> whether there was something   [-0, +1, e]  a file or an empty folder */
static int fs_remove(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_remove(file, pgo_lua_loop(L), path);
    return pgo_await(L, &file->op, push_found);
}

/* remove_tree(path)   [-0, +0, e]  never follows a symbolic link */
static int fs_remove_tree(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_remove_tree(file, pgo_lua_loop(L), path);
    return pgo_await(L, &file->op, NULL);
}

/* rename(from, to)   [-0, +0, e] */
static int fs_rename(lua_State *L) {
    const char *from = check_path(L, 1), *to = check_path(L, 2);
    pgo_file *file = new_file(L);
    pgo_file_rename(file, pgo_lua_loop(L), from, to);
    return pgo_await(L, &file->op, NULL);
}

/* chmod(path, mode)   [-0, +0, e] */
static int fs_chmod(lua_State *L) {
    const char *path = check_path(L, 1);
    mode_t mode = mode_of(L, luaL_checkinteger(L, 2));
    pgo_file *file = new_file(L);
    pgo_file_chmod(file, pgo_lua_loop(L), path, mode);
    return pgo_await(L, &file->op, NULL);
}

/* chown(path, user)   [-0, +0, e]  by name; the group becomes the user's own */
static int fs_chown(lua_State *L) {
    const char *path = check_path(L, 1), *user = luaL_checkstring(L, 2);
    pgo_file *file = new_file(L);
    pgo_file_chown(file, pgo_lua_loop(L), path, user);
    return pgo_await(L, &file->op, NULL);
}

static int push_free_space(lua_State *L, pgo_op *op) {
    lua_pushinteger(L, (lua_Integer)((pgo_file *)op)->free_bytes);
    return 1;
}

/* free_space(path) -> bytes   [-0, +1, e]  what may still be written on that file system */
static int fs_free_space(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_free_space(file, pgo_lua_loop(L), path);
    return pgo_await(L, &file->op, push_free_space);
}

/* --- locks --- */

#define LOCK_TYPE "pgorch.file_lock"

static int push_lock(lua_State *L, pgo_op *op) {
    pgo_file *file = (pgo_file *)op;
    if (!file->found) {
        lua_pushnil(L);
        return 1;
    }
    int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
    *fd = file->fd;
    file->fd = -1;
    luaL_setmetatable(L, LOCK_TYPE);
    return 1;
}

/* lock(path) -> lock | nil   [-0, +1, e]  nil: it is locked. The file is made where there is none;
 * the lock is given back by lock:close(), and at the latest when the process ends */
static int fs_lock(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_lock(file, pgo_lua_loop(L), path);
    return pgo_await(L, &file->op, push_lock);
}

/* is_locked(path) -> boolean   [-0, +1, e]  by whatever process, this one too */
static int fs_is_locked(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_file *file = new_file(L);
    pgo_file_is_locked(file, pgo_lua_loop(L), path);
    return pgo_await(L, &file->op, push_found);
}

/* lock:close()   [-0, +0, e]  idempotent */
static int lock_close(lua_State *L) {
    int *fd = luaL_checkudata(L, 1, LOCK_TYPE);
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
    return 0;
}

static const luaL_Reg lock_methods[] = {{"close", lock_close}, {NULL, NULL}};

static const luaL_Reg lock_metamethods[] = {
    {"__gc", lock_close}, {"__close", lock_close}, {NULL, NULL}};

/* --- streams --- */

typedef struct {
    pgo_file file;
    lua_Integer offset, length;
} source_op;

static void end_sources(void *set) {
    pgo_sources_end(set);
}

/* The running sources of this host, kept in the registry. [-0, +0, e] */
static pgo_sources *sources(lua_State *L) {
    static const char key;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    pgo_sources *set = lua_touserdata(L, -1);
    if (set == NULL) {
        set = lua_newuserdatauv(L, sizeof *set, 0);
        *set = (pgo_sources){0};
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
        pgo_lua_at_close(L, end_sources, set);
    }
    lua_pop(L, 1);
    return set;
}

static lua_Integer bytes_of(const source_op *op) {
    uint64_t offset = (uint64_t)op->offset, size = op->file.stat.size;
    uint64_t rest = size > offset ? size - offset : 0;
    return op->length >= 0 ? op->length : (lua_Integer)rest;
}

static int push_source(lua_State *L, pgo_op *base) {
    source_op *op = (source_op *)base;
    pgo_err err = PGO_ERR_INIT;
    pgo_stream *stream = NULL;
    int fd = op->file.fd;
    op->file.fd = -1;
    if (pgo_source_start(sources(L), base->loop, fd, op->file.path, (uint64_t)op->offset,
                         op->length, &stream, &err) < 0) {
        return pgo_raise(L, &err);
    }
    pgo_lua_push_stream(L, stream);
    pgo_stream_unref(stream);
    lua_pushinteger(L, bytes_of(op));
    return 2;
}

/* source(path, {offset = 0, length = to the end}) -> stream, bytes   [-0, +2, e] */
static int fs_source(lua_State *L) {
    const char *path = check_path(L, 1);
    bool given = lua_istable(L, 2);
    lua_Integer offset = given ? pgo_opt_integer(L, 2, "offset", 0) : 0;
    lua_Integer length = given ? pgo_opt_integer(L, 2, "length", -1) : -1;
    luaL_argcheck(L, offset >= 0, 2, "an offset cannot be negative");
    sources(L);
    source_op *op = pgo_lua_op(L, sizeof *op);
    pgo_file_open(&op->file, pgo_lua_loop(L), path);
    op->offset = offset;
    op->length = length;
    return pgo_await(L, &op->file.op, push_source);
}

static void wanted_digests(lua_State *L, int options, pgo_sink_options *to) {
    if (lua_getfield(L, options, "digests") == LUA_TTABLE) {
        for (lua_Integer i = 1; lua_geti(L, -1, i) == LUA_TSTRING; i++) {
            const char *name = lua_tostring(L, -1);
            to->md5 = to->md5 || strcmp(name, "md5") == 0;
            to->sha256 = to->sha256 || strcmp(name, "sha256") == 0;
            if (strcmp(name, "md5") != 0 && strcmp(name, "sha256") != 0) {
                pgo_raisef(L, PGO_E_INVALID, "there is no digest %s here: md5 or sha256", name);
            }
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int push_sunk(lua_State *L, pgo_op *base) {
    pgo_sink *sink = (pgo_sink *)base;
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)sink->bytes);
    lua_setfield(L, -2, "bytes");
    if (sink->options.md5) {
        lua_pushstring(L, sink->md5);
        lua_setfield(L, -2, "md5");
    }
    if (sink->options.sha256) {
        lua_pushstring(L, sink->sha256);
        lua_setfield(L, -2, "sha256");
    }
    return 1;
}

/* sink(path, stream, {offset, create = true, mode = 0600, sync = false, digests = {"md5",
 * "sha256"}})
 * -> {bytes, md5, sha256}   [-0, +1, e]  without an offset, what the file held before is dropped */
static int fs_sink(lua_State *L) {
    const char *path = check_path(L, 1);
    pgo_stream *stream = pgo_lua_check_stream(L, 2);
    pgo_sink_options options = {.create = flag_option(L, 3, "create", true),
                                .sync = flag_option(L, 3, "sync", false),
                                .mode = mode_option(L, 3, 600),
                                .truncate = true};
    if (lua_istable(L, 3)) {
        lua_Integer offset = pgo_opt_integer(L, 3, "offset", -1);
        options.truncate = offset < 0;
        options.offset = offset < 0 ? 0 : (uint64_t)offset;
        wanted_digests(L, 3, &options);
    }
    pgo_sink *sink = pgo_lua_op(L, sizeof *sink);
    pgo_sink_init(sink, pgo_lua_loop(L), stream, path, &options);
    return pgo_await(L, &sink->op, push_sunk);
}

static const luaL_Reg functions[] = {{"read", fs_read},     {"write", fs_write},
                                     {"append", fs_append}, {"exists", fs_exists},
                                     {"stat", fs_stat},     {"list", fs_list},
                                     {"mkdir", fs_mkdir},   {"mkdtemp", fs_mkdtemp},
                                     {"remove", fs_remove}, {"remove_tree", fs_remove_tree},
                                     {"rename", fs_rename}, {"chmod", fs_chmod},
                                     {"chown", fs_chown},   {"free_space", fs_free_space},
                                     {"source", fs_source}, {"sink", fs_sink},
                                     {"lock", fs_lock},     {"is_locked", fs_is_locked},
                                     {NULL, NULL}};

int luaopen_pgorch_native_fs(lua_State *L) {
    pgo_lua_new_type(L, LOCK_TYPE, lock_methods, lock_metamethods);
    luaL_newlib(L, functions);
    return 1;
}
