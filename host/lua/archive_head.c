/* The head of an archive as Lua sees it: read from a stream, then asked for its facts and, some at
 * a time, for its entries: making 100,000 tables at once would hold the loop. */
#include "io/archive_head.h"
#include "lua/archive.h"
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/modules.h"
#include "lua/stream.h"
#include "lua/value.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_TYPE "pgorch.archive.head"

typedef struct {
    pgo_op op;
    pgo_stream *stream;
    pgo_archive_head head;
} head_op;

static void finish(head_op *op, int status) {
    pgo_stream_on_data(op->stream, NULL, NULL);
    pgo_op_complete(&op->op, status);
}

static void read_more(pgo_stream *stream, void *arg) {
    head_op *op = arg;
    const pgo_err *err = NULL;
    const char *data;
    size_t length, taken;
    int status = 0;
    while (status == 0 && !op->head.complete && (data = pgo_stream_peek(stream, &length)) != NULL) {
        status = pgo_archive_head_feed(&op->head, data, length, &taken, &op->op.err);
        pgo_stream_consume(stream, taken);
    }
    if (status < 0 || op->head.complete) {
        finish(op, status);
    } else if (pgo_stream_ended(stream, &err)) {
        if (err != NULL) {
            pgo_err_copy(&op->op.err, err);
        }
        finish(op, err != NULL ? err->code : pgo_archive_head_cut_short(&op->head, &op->op.err));
    }
}

static void head_start(pgo_op *base) {
    head_op *op = (head_op *)base;
    if (!pgo_stream_refuse_second(base, op->stream, NULL)) {
        pgo_stream_on_data(op->stream, read_more, op);
    }
}

static void head_cancel(pgo_op *base) {
    finish((head_op *)base, pgo_fail(&base->err, PGO_E_CANCELED, "cancelled"));
}

static void head_release(pgo_op *base) {
    head_op *op = (head_op *)base;
    pgo_archive_head_free(&op->head);
    pgo_stream_unref(op->stream);
    op->stream = NULL;
}

static const pgo_op_type head_type = {"archive.read_head", head_start, head_cancel, head_release};

static int push_head(lua_State *L, pgo_op *base) {
    head_op *op = (head_op *)base;
    pgo_archive_head *head = lua_newuserdatauv(L, sizeof *head, 0);
    *head = op->head;
    op->head = (pgo_archive_head){0};
    luaL_setmetatable(L, HEAD_TYPE);
    return 1;
}

/* read_head(stream) -> head   [-0, +1, e]  waits; what follows the head stays in the stream */
int pgo_lua_archive_read_head(lua_State *L) {
    pgo_stream *stream = pgo_lua_check_stream(L, 1);
    head_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &head_type, pgo_lua_loop(L));
    op->stream = pgo_stream_ref(stream);
    return pgo_await(L, &op->op, push_head);
}

/* --- what it says --- */

static void set_text(lua_State *L, const char *name, pgo_archive_text text) {
    if (text.text != NULL) {
        lua_pushlstring(L, text.text, text.length);
        lua_setfield(L, -2, name);
    }
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* head:facts() -> {version, format, compression, dbname, server_version, dump_version, count}
 * [-0, +1, e] */
static int head_facts(lua_State *L) {
    static const char *const compressions[] = {"none", "gzip", "lz4", "zstd"};
    const pgo_archive_head *head = luaL_checkudata(L, 1, HEAD_TYPE);
    lua_createtable(L, 0, 8);
    lua_pushfstring(L, "1.%d", head->minor);
    lua_setfield(L, -2, "version");
    lua_pushliteral(L, "custom");
    lua_setfield(L, -2, "format");
    lua_pushstring(L, compressions[head->compression]);
    lua_setfield(L, -2, "compression");
    set_text(L, "dbname", head->dbname);
    set_text(L, "server_version", head->server_version);
    set_text(L, "dump_version", head->dump_version);
    set_integer(L, "count", (lua_Integer)head->count);
    return 1;
}

static void set_texts(lua_State *L, const pgo_archive_entry *e) {
    set_text(L, "tableoid", e->tableoid);
    set_text(L, "oid", e->oid);
    set_text(L, "tag", e->tag);
    set_text(L, "desc", e->desc);
    set_text(L, "defn", e->defn);
    set_text(L, "drop", e->drop);
    set_text(L, "copy", e->copy);
    set_text(L, "namespace", e->nsp);
    set_text(L, "tablespace", e->tablespace);
    set_text(L, "tableam", e->tableam);
    set_text(L, "owner", e->owner);
}

static void set_dependencies(lua_State *L, const pgo_archive_head *head, size_t at) {
    int id, count = 0;
    lua_newtable(L);
    while (pgo_archive_head_dependency(head, &at, &id)) {
        lua_pushinteger(L, id);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "dependencies");
}

static const char *section_name(int section) {
    static const char *const names[] = {"none", "pre-data", "data", "post-data"};
    return section >= 1 && section <= 4 ? names[section - 1] : "unknown";
}

static void push_entry(lua_State *L, const pgo_archive_head *head, size_t index) {
    static const char *const data[] = {"unset", "set", "none"};
    pgo_archive_entry entry;
    pgo_archive_head_entry(head, index, &entry);
    lua_createtable(L, 0, 19);
    set_integer(L, "id", entry.id);
    lua_pushboolean(L, entry.had_data);
    lua_setfield(L, -2, "had_data");
    set_texts(L, &entry);
    lua_pushstring(L, section_name(entry.section));
    lua_setfield(L, -2, "section");
    if (entry.relkind != 0) {
        char kind = (char)entry.relkind;
        lua_pushlstring(L, &kind, 1);
        lua_setfield(L, -2, "relkind");
    }
    set_dependencies(L, head, entry.dependencies);
    lua_pushstring(L, data[entry.flag - PGO_ARCHIVE_DATA_UNSET]);
    lua_setfield(L, -2, "data");
    if (entry.flag == PGO_ARCHIVE_DATA_SET) {
        set_integer(L, "offset", (lua_Integer)entry.offset);
    }
}

/* head:entries(first, last) -> list of entries   [-0, +1, e] */
static int head_entries(lua_State *L) {
    const pgo_archive_head *head = luaL_checkudata(L, 1, HEAD_TYPE);
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    luaL_argcheck(L, first >= 1 && last <= (lua_Integer)head->count, 2,
                  "there are not so many entries");
    lua_newtable(L);
    for (lua_Integer i = first; i <= last; i++) {
        push_entry(L, head, (size_t)i - 1);
        lua_rawseti(L, -2, i - first + 1);
    }
    return 1;
}

/* head:take() -> bytes   [-0, +1, e]  the head as the file has it. It may be large, and is not
 * copied: what stays has no entries any more. */
static int head_take(lua_State *L) {
    pgo_archive_head *head = luaL_checkudata(L, 1, HEAD_TYPE);
    struct pgo_bytes *bytes = pgo_lua_new_bytes(L, 0);
    free(bytes->data);
    bytes->data = head->raw.data;
    bytes->length = bytes->capacity = head->raw.length;
    head->raw = (pgo_buffer){0};
    pgo_archive_head_free(head);
    return 1;
}

void pgo_lua_push_head_bytes(lua_State *L, const pgo_archive_head *head, size_t at, size_t length) {
    struct pgo_bytes *bytes = pgo_lua_new_bytes(L, length);
    memcpy(bytes->data, head->raw.data + at, length);
    bytes->length = length;
}

static int head_gc(lua_State *L) {
    pgo_archive_head_free(lua_touserdata(L, 1));
    return 0;
}

static const luaL_Reg methods[] = {
    {"facts", head_facts}, {"entries", head_entries}, {"take", head_take}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", head_gc}, {NULL, NULL}};

void pgo_lua_archive_head_type(lua_State *L) {
    pgo_lua_new_type(L, HEAD_TYPE, methods, metamethods);
}
