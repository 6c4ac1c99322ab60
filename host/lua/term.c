/* native.term: standard output and error, redacted; the terminal's size; a line typed by a person,
 * with an editor too. */
#include "io/tty.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int put(lua_State *L, FILE *file) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    pgo_buffer *out = pgo_lua_scratch(L);
    if (pgo_redact(pgo_lua_host(L)->redactor, text, length, out) < 0) {
        return pgo_raisef(L, PGO_E_NOMEM, "printing");
    }
    fwrite(out->data != NULL ? out->data : "", 1, out->length, file);
    fflush(file);
    return 0;
}

/* out(text)   [-0, +0, e] */
static int term_out(lua_State *L) {
    return put(L, stdout);
}

/* err(text)   [-0, +0, e] */
static int term_err(lua_State *L) {
    return put(L, stderr);
}

/* is_tty(0|1|2) -> boolean   [-0, +1, e] */
static int term_is_tty(lua_State *L) {
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* Of the terminal that either of the two goes to. */
static bool find_window(struct winsize *size) {
    return ioctl(2, TIOCGWINSZ, size) == 0 || ioctl(1, TIOCGWINSZ, size) == 0;
}

/* width() -> columns   [-0, +1, -]  80 when unknown */
static int term_width(lua_State *L) {
    struct winsize size;
    lua_pushinteger(L, find_window(&size) && size.ws_col > 0 ? size.ws_col : 80);
    return 1;
}

/* height() -> lines   [-0, +1, -]  24 when unknown */
static int term_height(lua_State *L) {
    struct winsize size;
    lua_pushinteger(L, find_window(&size) && size.ws_row > 0 ? size.ws_row : 24);
    return 1;
}

static int push_line(lua_State *L, pgo_op *op) {
    pgo_tty_line *line = (pgo_tty_line *)op;
    if (line->at_end && line->text.length == 0) {
        lua_pushnil(L);
    } else {
        lua_pushlstring(L, line->text.data != NULL ? line->text.data : "", line->text.length);
    }
    return 1;
}

/* line() -> string | nil at the end of input   [-0, +1, e]  from standard input, without its
 * newline */
static int term_line(lua_State *L) {
    pgo_tty_line *line = pgo_lua_op(L, sizeof *line);
    pgo_tty_line_init(line, pgo_lua_loop(L), NULL, NULL);
    return pgo_await(L, &line->op, push_line);
}

/* --- an editor of lines --- */

#define EDITOR_TYPE "pgorch.editor"

static pgo_editor *check_editor(lua_State *L) {
    pgo_editor **box = luaL_checkudata(L, 1, EDITOR_TYPE);
    if (*box == NULL) {
        pgo_raisef(L, PGO_E_CLOSED, "the editor of lines was closed");
    }
    return *box;
}

/* editor() -> editor   [-0, +1, e]  raises PGO-INVALID where this is no terminal */
static int term_editor(lua_State *L) {
    pgo_err err = PGO_ERR_INIT;
    pgo_editor **box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = NULL;
    luaL_setmetatable(L, EDITOR_TYPE);
    *box = pgo_editor_new(&err);
    return *box != NULL ? 1 : pgo_raise(L, &err);
}

/* editor:line(prompt) -> string | nil at the end of input   [-0, +1, e] */
static int editor_line(lua_State *L) {
    pgo_editor *editor = check_editor(L);
    const char *prompt = luaL_checkstring(L, 2); /* both stay on the stack */
    pgo_tty_line *line = pgo_lua_op(L, sizeof *line);
    pgo_tty_line_init(line, pgo_lua_loop(L), editor, prompt);
    return pgo_await(L, &line->op, push_line);
}

/* editor:remember(text)   [-0, +0, e]  the arrow keys bring it back */
static int editor_remember(lua_State *L) {
    pgo_err err = PGO_ERR_INIT;
    if (pgo_editor_remember(check_editor(L), luaL_checkstring(L, 2), &err) < 0) {
        return pgo_raise(L, &err);
    }
    return 0;
}

/* editor:close()   [-0, +0, e]  the terminal is as it was */
static int editor_close(lua_State *L) {
    pgo_editor **box = luaL_checkudata(L, 1, EDITOR_TYPE);
    pgo_editor_free(*box);
    *box = NULL;
    return 0;
}

static const luaL_Reg editor_methods[] = {
    {"line", editor_line}, {"remember", editor_remember}, {"close", editor_close}, {NULL, NULL}};

static const luaL_Reg editor_metamethods[] = {
    {"__gc", editor_close}, {"__close", editor_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"out", term_out},       {"err", term_err},   {"is_tty", term_is_tty}, {"width", term_width},
    {"height", term_height}, {"line", term_line}, {"editor", term_editor}, {NULL, NULL}};

int luaopen_pgorch_native_term(lua_State *L) {
    pgo_lua_new_type(L, EDITOR_TYPE, editor_methods, editor_metamethods);
    luaL_newlib(L, functions);
    return 1;
}
