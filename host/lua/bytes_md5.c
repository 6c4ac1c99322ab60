/* MD5 of several blocks at once, on the crew: parts of an upload that wait for theirs. */
#include "io/digest.h"
#include "io/md5_lanes.h"
#include "lua/await.h"
#include "lua/bytes.h"

typedef struct {
    pgo_op op;
    pgo_work work;
    pgo_crew *crew;
    size_t count, length;
    struct pgo_bytes *blocks[PGO_MD5_LANES]; /* borrowed from the Lua stack, pinned */
    unsigned char raw[PGO_MD5_LANES][PGO_MD5_SIZE];
} md5_op;

/* On a thread of the crew. */
static void md5_work(pgo_work *work) {
    md5_op *op = work->arg;
    const void *messages[PGO_MD5_LANES];
    for (size_t i = 0; i < op->count; i++) {
        messages[i] = op->blocks[i]->data;
    }
    pgo_md5_lanes(messages, op->count, op->length, op->raw);
}

static void md5_done(pgo_work *work) {
    md5_op *op = work->arg;
    for (size_t i = 0; i < op->count; i++) {
        op->blocks[i]->pins--;
    }
    pgo_op_complete(&op->op, 0);
}

static void md5_start(pgo_op *base) {
    md5_op *op = (md5_op *)base;
    for (size_t i = 0; i < op->count; i++) {
        op->blocks[i]->pins++;
    }
    op->work = (pgo_work){.work = md5_work, .done = md5_done, .arg = op};
    pgo_crew_submit(op->crew, &op->work);
}

static const pgo_op_type md5_type = {"bytes.md5", md5_start, NULL, NULL};

static int push_md5(lua_State *L, pgo_op *base) {
    md5_op *op = (md5_op *)base;
    char hex[PGO_DIGEST_HEX];
    lua_createtable(L, (int)op->count, 0);
    for (size_t i = 0; i < op->count; i++) {
        pgo_hex(op->raw[i], PGO_MD5_SIZE, hex);
        lua_pushstring(L, hex);
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static struct pgo_bytes *check_block(lua_State *L, lua_Integer i) {
    lua_geti(L, 1, i);
    struct pgo_bytes *block = pgo_lua_test_bytes(L, -1);
    luaL_argcheck(L, block != NULL && block->data != NULL, 1, "a list of blocks is needed");
    lua_pop(L, 1);
    return block;
}

/* md5{block, ...} -> {hex, ...}   [-0, +1, e]  waits; one to eight, all of one length. The table is
 * not to be changed meanwhile: it keeps the blocks */
int pgo_lua_bytes_md5(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_Integer count = luaL_len(L, 1);
    luaL_argcheck(L, count >= 1 && count <= PGO_MD5_LANES, 1, "one to eight blocks");
    md5_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &md5_type, pgo_lua_loop(L));
    op->crew = pgo_lua_crew(L);
    op->count = (size_t)count;
    for (lua_Integer i = 1; i <= count; i++) {
        op->blocks[i - 1] = check_block(L, i);
        op->length = op->blocks[i - 1]->length;
        luaL_argcheck(L, op->length == op->blocks[0]->length, 1, "blocks of one length");
    }
    return pgo_await(L, &op->op, push_md5);
}
