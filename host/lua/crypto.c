/* native.crypto: digests, HMAC, base64, hex, random bytes. Works on what is in memory and does not
 * wait; blocks and streams have digests of their own. What is made of a secret by a mere change of
 * spelling is a secret too; a digest or an HMAC is not. */
#include "io/digest.h"
#include "lua/await.h"
#include "lua/modules.h"
#include "lua/value.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define MOST_RANDOM 65536

static void push_like(lua_State *L, int source, const char *data, size_t length) {
    if (pgo_lua_is_secret(L, source)) {
        pgo_lua_push_secret(L, data, length);
    } else {
        lua_pushlstring(L, data, length);
    }
}

static char *scratch(lua_State *L, size_t room) {
    pgo_buffer *buffer = pgo_lua_scratch(L);
    if (pgo_buffer_reserve(buffer, room + 1) < 0) {
        pgo_raisef(L, PGO_E_NOMEM, "%zu bytes", room);
    }
    buffer->length = room; /* so that all of it is wiped */
    return buffer->data;
}

/* digest(name, text) -> raw   [-0, +1, e] */
static int crypto_digest(lua_State *L) {
    size_t length, got;
    unsigned char out[PGO_DIGEST_MAX];
    pgo_err err = PGO_ERR_INIT;
    const char *algorithm = luaL_checkstring(L, 1), *text = pgo_lua_check_text(L, 2, &length);
    if (pgo_digest_of(algorithm, text, length, out, &got, &err) < 0) {
        return pgo_raise(L, &err);
    }
    lua_pushlstring(L, (char *)out, got);
    return 1;
}

/* hmac(name, key, text) -> raw   [-0, +1, e] */
static int crypto_hmac(lua_State *L) {
    size_t key_length, length, got;
    unsigned char out[PGO_DIGEST_MAX];
    pgo_err err = PGO_ERR_INIT;
    const char *algorithm = luaL_checkstring(L, 1), *key = pgo_lua_check_text(L, 2, &key_length);
    const char *text = pgo_lua_check_text(L, 3, &length);
    if (pgo_hmac(algorithm, key, key_length, text, length, out, &got, &err) < 0) {
        return pgo_raise(L, &err);
    }
    lua_pushlstring(L, (char *)out, got);
    return 1;
}

/* hex(text | secret) -> text | secret   [-0, +1, e] */
static int crypto_hex(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    char *out = scratch(L, 2 * length);
    pgo_hex(text, length, out);
    push_like(L, 1, out, 2 * length);
    return 1;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* unhex(text | secret) -> text | secret   [-0, +1, e] */
static int crypto_unhex(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    char *out = scratch(L, length / 2);
    bool good = length % 2 == 0;
    for (size_t i = 0; good && i < length; i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        good = high >= 0 && low >= 0;
        out[i / 2] = (char)(good ? high << 4 | low : 0);
    }
    if (!good) {
        return pgo_raisef(L, PGO_E_INVALID, "not hexadecimal");
    }
    push_like(L, 1, out, length / 2);
    return 1;
}

static size_t check_small(lua_State *L, size_t length) {
    luaL_argcheck(L, length <= 64u << 20, 1, "too much to encode at once");
    return length;
}

/* base64(text | secret) -> text | secret   [-0, +1, e] */
static int crypto_base64(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    size_t room = (check_small(L, length) + 2) / 3 * 4;
    char *out = scratch(L, room);
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)length);
    push_like(L, 1, out, room);
    return 1;
}

/* The number of bytes that well-formed base64 stands for, -1 if it is none. OpenSSL's decoder takes
 * padding in the middle, and space around. */
static long decoded_length(const char *text, size_t length) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=') {
        padding++;
    }
    for (size_t i = 0; i < length - padding; i++) {
        if (text[i] == '\0' || strchr(alphabet, text[i]) == NULL) {
            return -1;
        }
    }
    return length % 4 == 0 ? (long)(length / 4 * 3 - padding) : -1;
}

/* unbase64(text | secret) -> text | secret   [-0, +1, e] */
static int crypto_unbase64(lua_State *L) {
    size_t length;
    const char *text = pgo_lua_check_text(L, 1, &length);
    long wanted = decoded_length(text, check_small(L, length));
    char *out = scratch(L, length / 4 * 3 + 3);
    if (wanted < 0 ||
        EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)length) < 0) {
        return pgo_raisef(L, PGO_E_INVALID, "not base64");
    }
    push_like(L, 1, out, (size_t)wanted);
    return 1;
}

/* random(n) -> raw bytes, fit for keys   [-0, +1, e] */
static int crypto_random(lua_State *L) {
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= MOST_RANDOM, 1, "0 to 65536 bytes");
    char *out = scratch(L, (size_t)n);
    if (n > 0 && RAND_bytes((unsigned char *)out, (int)n) != 1) {
        return pgo_raisef(L, PGO_E_IO, "OpenSSL has no random bytes");
    }
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

static const luaL_Reg functions[] = {{"digest", crypto_digest}, {"hmac", crypto_hmac},
                                     {"hex", crypto_hex},       {"unhex", crypto_unhex},
                                     {"base64", crypto_base64}, {"unbase64", crypto_unbase64},
                                     {"random", crypto_random}, {NULL, NULL}};

int luaopen_pgorch_native_crypto(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
