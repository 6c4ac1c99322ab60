/* native.json, writing: straight into a scratch buffer, keys sorted, so that the same value is
 * always the same text. Secrets are refused, or unwrapped into a text that is itself a secret;
 * never anything between.
 */
#include "lua/json_write.h"

#include "core/utf8.h"
#include "lua/await.h"
#include "lua/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_TYPE "pgorch.json.array"
#define DEEPEST 200

/* Where in the value the writer is: a chain through the C stack, read only to name a field in an
 * error. */
typedef struct place {
    const struct place *above;
    const char *key; /* NULL: an index */
    lua_Integer index;
} place;

typedef struct {
    lua_State *L;
    pgo_buffer *out;
    bool unwrap; /* secrets are written, and `secret` is set */
    bool secret;
    int indent; /* 0: on one line */
} writer;

static void write_value(writer *to, int index, const place *at, int depth);

void pgo_json_mark_array(lua_State *L) {
    luaL_newmetatable(L, ARRAY_TYPE);
    lua_setmetatable(L, -2);
}

static bool is_marked_array(lua_State *L, int index) {
    if (!lua_getmetatable(L, index)) {
        return false;
    }
    luaL_getmetatable(L, ARRAY_TYPE);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void append_place(pgo_buffer *path, const place *at) {
    if (at == NULL) {
        return;
    }
    append_place(path, at->above);
    const char *dot = path->length > 0 ? "." : "";
    int rc = at->key != NULL ? pgo_buffer_printf(path, "%s%s", dot, at->key)
                             : pgo_buffer_printf(path, "[%lld]", (long long)at->index);
    (void)rc; /* a shorter path is still a message */
}

static void refuse(writer *to, const place *at, const char *why) {
    pgo_buffer *path = pgo_lua_scratch(to->L);
    append_place(path, at);
    if (path->length > 0) {
        pgo_raisef(to->L, PGO_E_JSON, "field `%s`: %s", path->data, why);
    } else {
        pgo_raisef(to->L, PGO_E_JSON, "%s", why);
    }
}

static void put(writer *to, const char *text, size_t length) {
    if (pgo_buffer_append(to->out, text, length) < 0) {
        pgo_raisef(to->L, PGO_E_NOMEM, "JSON");
    }
}

static void put_text(writer *to, const char *text) {
    put(to, text, strlen(text));
}

static void new_line(writer *to, int depth) {
    if (to->indent == 0) {
        return;
    }
    put(to, "\n", 1);
    for (int i = 0; i < depth * to->indent; i++) {
        put(to, " ", 1);
    }
}

static void write_escape(writer *to, unsigned char byte) {
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if ((char)byte == letters[i]) {
            put(to, (char[]){'\\', letters[i + 1]}, 2);
            return;
        }
    }
    char escape[8];
    put(to, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", byte));
}

static void write_string(writer *to, const char *text, size_t length, const place *at) {
    const unsigned char *bytes = (const unsigned char *)text;
    put(to, "\"", 1);
    size_t plain = 0, i = 0;
    while (i < length) {
        size_t step = pgo_utf8_length(bytes + i, length - i);
        if (step == 0) {
            refuse(to, at, "the text is not UTF-8; send it as base64");
        }
        if (bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\') {
            put(to, text + plain, i - plain);
            write_escape(to, bytes[i]);
            plain = i + 1;
        }
        i += step;
    }
    put(to, text + plain, length - plain);
    put(to, "\"", 1);
}

static void write_number(writer *to, int index, const place *at) {
    char text[64];
    if (lua_isinteger(to->L, index)) {
        put(to, text,
            (size_t)snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(to->L, index)));
        return;
    }
    double value = lua_tonumber(to->L, index);
    if (!isfinite(value)) {
        refuse(to, at, "JSON has no NaN and no infinity");
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    put_text(to, text);
    if (strpbrk(text, ".e") == NULL) {
        put_text(to, ".0"); /* so that it is read back as a float */
    }
}

static void write_array(writer *to, int index, const place *at, int depth) {
    lua_Integer count = luaL_len(to->L, index);
    put(to, "[", 1);
    for (lua_Integer i = 1; i <= count; i++) {
        place here = {at, NULL, i};
        if (i > 1) {
            put(to, ",", 1);
        }
        new_line(to, depth + 1);
        lua_geti(to->L, index, i);
        write_value(to, lua_gettop(to->L), &here, depth + 1);
        lua_pop(to->L, 1);
    }
    if (count > 0) {
        new_line(to, depth);
    }
    put(to, "]", 1);
}

typedef struct {
    const char *text; /* borrowed from the table */
    size_t length;
} key;

static int compare_keys(const void *a, const void *b) {
    const key *left = a, *right = b;
    int order = memcmp(left->text, right->text,
                       left->length < right->length ? left->length : right->length);
    return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

static void write_object(writer *to, int index, size_t count, const place *at, int depth) {
    key *keys = lua_newuserdatauv(to->L, count * sizeof *keys + 1, 0);
    size_t n = 0;
    for (lua_pushnil(to->L); lua_next(to->L, index) != 0; lua_pop(to->L, 1)) {
        keys[n].text = lua_tolstring(to->L, -2, &keys[n].length);
        n++;
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    put(to, "{", 1);
    for (size_t i = 0; i < n; i++) {
        place here = {at, keys[i].text, 0};
        if (i > 0) {
            put(to, ",", 1);
        }
        new_line(to, depth + 1);
        write_string(to, keys[i].text, keys[i].length, &here);
        put(to, ": ", to->indent > 0 ? 2 : 1);
        lua_pushlstring(to->L, keys[i].text, keys[i].length);
        lua_rawget(to->L, index);
        write_value(to, lua_gettop(to->L), &here, depth + 1);
        lua_pop(to->L, 1);
    }
    if (n > 0) {
        new_line(to, depth);
    }
    put(to, "}", 1);
    lua_pop(to->L, 1);
}

/* A table is an array if it is marked as one or has 1..n and nothing else, an object if all keys
 * are text. */
static void write_table(writer *to, int index, const place *at, int depth) {
    lua_State *L = to->L;
    size_t texts = 0, numbers = 0;
    if (depth > DEEPEST) {
        refuse(to, at, "nested too deep, or in a circle");
    }
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        int type = lua_type(L, -2);
        texts += type == LUA_TSTRING;
        numbers += type == LUA_TNUMBER;
        if (type != LUA_TSTRING && type != LUA_TNUMBER) {
            refuse(to, at, "a table's keys must be text, or 1 to n");
        }
    }
    bool array = numbers > 0 || is_marked_array(L, index);
    if (array && (texts > 0 || numbers != (size_t)luaL_len(L, index))) {
        refuse(to, at,
               "neither an array (1 to n, without gaps) nor an object (keys that are text)");
    }
    if (array) {
        write_array(to, index, at, depth);
    } else {
        write_object(to, index, texts, at, depth);
    }
}

static void write_secret(writer *to, int index, const place *at) {
    if (!to->unwrap) {
        refuse(to, at,
               "a secret is not written as JSON; json.encode_secret gives a text that is a secret "
               "too");
    }
    size_t length;
    const char *text = pgo_lua_check_text(to->L, index, &length);
    to->secret = true;
    write_string(to, text, length, at);
}

static void write_text(writer *to, int index, const place *at) {
    size_t length;
    /* What is unwrapped is meant to be sent, so the mask of a secret is refused as everywhere
     * outward. */
    const char *text = to->unwrap ? pgo_lua_check_text(to->L, index, &length)
                                  : lua_tolstring(to->L, index, &length);
    write_string(to, text, length, at);
}

static void write_value(writer *to, int index, const place *at, int depth) {
    lua_State *L = to->L;
    luaL_checkstack(L, 8, "JSON nested too deep");
    int type = lua_type(L, index);
    if (type == LUA_TNIL || (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL)) {
        put_text(to, "null");
    } else if (type == LUA_TBOOLEAN) {
        put_text(to, lua_toboolean(L, index) ? "true" : "false");
    } else if (type == LUA_TNUMBER) {
        write_number(to, index, at);
    } else if (type == LUA_TSTRING) {
        write_text(to, index, at);
    } else if (type == LUA_TTABLE) {
        write_table(to, index, at, depth);
    } else if (pgo_lua_is_secret(L, index)) {
        write_secret(to, index, at);
    } else {
        lua_pushfstring(L, "a %s is no JSON value", luaL_typename(L, index));
        refuse(to, at, lua_tostring(L, -1));
    }
}

static int encode(lua_State *L, bool unwrap) {
    luaL_checkany(L, 1);
    lua_settop(L, 2);
    writer to = {.L = L, .unwrap = unwrap};
    to.indent = pgo_opt_boolean(L, 2, "pretty", false) ? 2 : 0;
    to.out = pgo_lua_scratch(L);
    write_value(&to, 1, NULL, 0);
    if (to.secret) {
        pgo_lua_push_secret(L, to.out->data, to.out->length);
    } else {
        lua_pushlstring(L, to.out->data, to.out->length);
    }
    pgo_buffer_wipe(to.out);
    return 1;
}

/* encode(value, {pretty = false}?) -> text   [-0, +1, e]  raises on a secret, naming the field */
int pgo_json_encode(lua_State *L) {
    return encode(L, false);
}

/* encode_secret(value, {pretty = false}?) -> text | secret   [-0, +1, e]  a secret if one is in it
 */
int pgo_json_encode_secret(lua_State *L) {
    return encode(L, true);
}
