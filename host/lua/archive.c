/* native.archive: custom-format archives, for lua/pgorch/archive.lua. Reading a head is in
 * archive_head.c. */
#include "lua/archive.h"
#include "lua/await.h"
#include "lua/modules.h"

static const luaL_Reg functions[] = {{"read_head", pgo_lua_archive_read_head}, {NULL, NULL}};

int luaopen_pgorch_native_archive(lua_State *L) {
    pgo_lua_archive_head_type(L);
    luaL_newlib(L, functions);
    return 1;
}
