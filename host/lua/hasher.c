/* native.hasher: a digest of more than fits in memory, block by block, each on the crew. */
#include "io/digest.h"
#include "lua/await.h"
#include "lua/bytes.h"
#include "lua/modules.h"

#define HASHER_TYPE "pgorch.hasher"

typedef struct {
    pgo_digest *digest; /* owned; NULL once finished */
    bool busy;
} hasher;

typedef struct {
    pgo_op op;
    pgo_work work;
    pgo_crew *crew;
    hasher *hasher;          /* borrowed from the Lua stack */
    struct pgo_bytes *bytes; /* borrowed from the Lua stack, pinned */
} update_op;

/* On a thread of the crew. */
static void update_work(pgo_work *work) {
    update_op *op = work->arg;
    pgo_digest_update(op->hasher->digest, op->bytes->data, op->bytes->length);
}

static void update_done(pgo_work *work) {
    update_op *op = work->arg;
    op->bytes->pins--;
    op->hasher->busy = false;
    pgo_op_complete(&op->op, 0);
}

static void update_start(pgo_op *base) {
    update_op *op = (update_op *)base;
    op->bytes->pins++;
    op->hasher->busy = true;
    op->work = (pgo_work){.work = update_work, .done = update_done, .arg = op};
    pgo_crew_submit(op->crew, &op->work);
}

static const pgo_op_type update_type = {"hasher.update", update_start, NULL, NULL};

static hasher *check_hasher(lua_State *L) {
    hasher *self = luaL_checkudata(L, 1, HASHER_TYPE);
    if (self->digest == NULL || self->busy) {
        pgo_raisef(L, PGO_E_INVALID, "the digest is %s",
                   self->busy ? "still being computed" : "finished already");
    }
    return self;
}

/* new(name) -> hasher   [-0, +1, e] */
static int hasher_new(lua_State *L) {
    const char *algorithm = luaL_checkstring(L, 1);
    hasher *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (hasher){0};
    luaL_setmetatable(L, HASHER_TYPE);
    pgo_err err = PGO_ERR_INIT;
    return pgo_digest_new(&self->digest, algorithm, &err) < 0 ? pgo_raise(L, &err) : 1;
}

/* hasher:update(bytes)   [-0, +0, e]  waits */
static int hasher_update(lua_State *L) {
    hasher *self = check_hasher(L);
    struct pgo_bytes *bytes = pgo_lua_test_bytes(L, 2);
    luaL_argcheck(L, bytes != NULL && bytes->data != NULL, 2, "a block of bytes is needed");
    lua_settop(L, 2);
    update_op *op = pgo_lua_op(L, sizeof *op);
    pgo_op_init(&op->op, &update_type, pgo_lua_loop(L));
    op->crew = pgo_lua_crew(L);
    op->hasher = self;
    op->bytes = bytes;
    return pgo_await(L, &op->op, NULL);
}

/* hasher:finish() -> hex   [-0, +1, e]  once */
static int hasher_finish(lua_State *L) {
    hasher *self = check_hasher(L);
    unsigned char raw[PGO_DIGEST_MAX];
    char hex[PGO_DIGEST_HEX];
    size_t length;
    pgo_err err = PGO_ERR_INIT;
    int rc = pgo_digest_finish(self->digest, raw, &length, &err);
    pgo_digest_free(self->digest);
    self->digest = NULL;
    if (rc < 0) {
        return pgo_raise(L, &err);
    }
    pgo_hex(raw, length, hex);
    lua_pushstring(L, hex);
    return 1;
}

static int hasher_gc(lua_State *L) {
    hasher *self = lua_touserdata(L, 1);
    pgo_digest_free(self->digest);
    self->digest = NULL;
    return 0;
}

static const luaL_Reg functions[] = {{"new", hasher_new}, {NULL, NULL}};

static const luaL_Reg methods[] = {
    {"update", hasher_update}, {"finish", hasher_finish}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", hasher_gc}, {NULL, NULL}};

int luaopen_pgorch_native_hasher(lua_State *L) {
    pgo_lua_new_type(L, HASHER_TYPE, methods, metamethods);
    luaL_newlib(L, functions);
    return 1;
}
