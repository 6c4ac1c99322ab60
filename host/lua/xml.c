/* native.xml: expat parses, a tree of Lua tables comes out: {name=, text=, attributes=, [i]=child}.
 * A document type is refused, so entities that expand without end cannot be declared. */
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <expat.h>

#define PARSER_TYPE "pgorch.xml.parser"
#define DEEPEST 100
#define TYPE 2 /* stack index of the nodes' metatable */
#define ROOT 4 /* of the outermost element, once it is closed; open elements lie above */

typedef struct {
    lua_State *L;
    XML_Parser expat;
    int depth;
    const char *refused; /* why the parser was stopped, or NULL */
} parser;

static int parser_gc(lua_State *L) {
    parser *self = lua_touserdata(L, 1);
    if (self->expat != NULL) {
        XML_ParserFree(self->expat);
        self->expat = NULL;
    }
    return 0;
}

static void stop(parser *self, const char *why) {
    self->refused = why;
    XML_StopParser(self->expat, XML_FALSE);
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    stop(arg, "a document type is not accepted");
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes) {
    parser *self = arg;
    lua_State *L = self->L;
    if (++self->depth > DEEPEST) {
        stop(self, "nested too deep");
    }
    if (self->refused != NULL) { /* expat may call a few handlers more after it was stopped */
        return;
    }
    luaL_checkstack(L, 8, "XML nested too deep");
    lua_createtable(L, 0, 3);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "name");
    lua_newtable(L);
    for (int i = 0; attributes[i] != NULL; i += 2) {
        lua_pushstring(L, attributes[i + 1]);
        lua_setfield(L, -2, attributes[i]);
    }
    lua_setfield(L, -2, "attributes");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "text");
    lua_pushvalue(L, TYPE);
    lua_setmetatable(L, -2);
}

static void on_text(void *arg, const XML_Char *text, int length) {
    parser *self = arg;
    lua_State *L = self->L;
    if (self->refused != NULL) {
        return;
    }
    lua_getfield(L, -1, "text");
    lua_pushlstring(L, text, (size_t)length);
    lua_concat(L, 2);
    lua_setfield(L, -2, "text");
}

static void on_end(void *arg, const XML_Char *name) {
    parser *self = arg;
    lua_State *L = self->L;
    (void)name;
    if (self->refused != NULL) {
        return;
    }
    if (--self->depth == 0) {
        lua_replace(L, ROOT);
    } else {
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
}

static parser *new_parser(lua_State *L) {
    parser *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (parser){.L = L};
    if (luaL_newmetatable(L, PARSER_TYPE)) {
        lua_pushcfunction(L, parser_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    self->expat = XML_ParserCreate("UTF-8");
    if (self->expat == NULL) {
        pgo_raisef(L, PGO_E_NOMEM, "an XML parser");
    }
    XML_SetUserData(self->expat, self);
    XML_SetElementHandler(self->expat, on_start, on_end);
    XML_SetCharacterDataHandler(self->expat, on_text);
    XML_SetStartDoctypeDeclHandler(self->expat, on_doctype);
    return self;
}

/* parse(text, metatable) -> root element   [-0, +1, e]  PGO-XML */
static int xml_parse(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    luaL_checktype(L, TYPE, LUA_TTABLE);
    luaL_argcheck(L, length <= 64u << 20, 1, "more XML than can be read at once");
    lua_settop(L, TYPE);
    parser *self = new_parser(L);
    lua_pushnil(L); /* ROOT */
    if (XML_Parse(self->expat, text, (int)length, true) != XML_STATUS_OK) {
        const char *why =
            self->refused != NULL ? self->refused : XML_ErrorString(XML_GetErrorCode(self->expat));
        return pgo_raisef(L, PGO_E_XML, "not XML: line %lu: %s",
                          (unsigned long)XML_GetCurrentLineNumber(self->expat), why);
    }
    lua_settop(L, ROOT);
    return 1;
}

static const luaL_Reg functions[] = {{"parse", xml_parse}, {NULL, NULL}};

int luaopen_pgorch_native_xml(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
