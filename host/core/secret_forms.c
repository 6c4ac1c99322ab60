/* Derives the spellings of a secret: what URLs, Basic authentication, JSON replies, conninfo
 * strings and SQL error messages would show of it. Knows nothing of matching; every intermediate
 * copy is wiped. */
#include "core/secret_forms.h"

#include "core/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_SPELLED ((size_t)16 * 1024)
#define WIDEST 6 /* one byte becomes at most \u00XX */

/* Writes the spelling of one byte to `out`, returns its length. */
typedef size_t (*spell)(unsigned char byte, char out[static WIDEST + 1]);

static bool is_unreserved(unsigned char byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static size_t as_is(unsigned char byte, char *out) {
    out[0] = (char)byte;
    return 1;
}

static size_t escaped_by(char escape, unsigned char byte, char *out) {
    out[0] = escape;
    out[1] = (char)byte;
    return 2;
}

static size_t hex_as(const char *format, unsigned char byte, char *out) {
    return (size_t)snprintf(out, WIDEST + 1, format, byte);
}

static size_t percent_upper(unsigned char byte, char *out) {
    return is_unreserved(byte) ? as_is(byte, out) : hex_as("%%%02X", byte, out);
}

static size_t percent_lower(unsigned char byte, char *out) {
    return is_unreserved(byte) ? as_is(byte, out) : hex_as("%%%02x", byte, out);
}

/* encodeURIComponent, the URL type of Go, and forms (a space is '+') each spare other bytes. */
static size_t percent_sparing(const char *spared, unsigned char byte, char *out) {
    return byte != 0 && strchr(spared, byte) ? as_is(byte, out) : percent_upper(byte, out);
}

static size_t component(unsigned char byte, char *out) {
    return percent_sparing("!'()*", byte, out);
}

static size_t user_info(unsigned char byte, char *out) {
    return percent_sparing("$&+,;=", byte, out);
}

static size_t form(unsigned char byte, char *out) {
    return byte == ' ' ? as_is('+', out) : percent_upper(byte, out);
}

static size_t path_upper(unsigned char byte, char *out) {
    return byte == '/' ? as_is(byte, out) : percent_upper(byte, out);
}

static size_t path_lower(unsigned char byte, char *out) {
    return byte == '/' ? as_is(byte, out) : percent_lower(byte, out);
}

static size_t json(unsigned char byte, char *out) {
    static const char short_for[] = "\bb\ff\nn\rr\tt";
    if (byte == '"' || byte == '\\')
        return escaped_by('\\', byte, out);
    if (byte >= 0x20)
        return as_is(byte, out);
    for (size_t i = 0; i + 1 < sizeof short_for; i += 2)
        if ((char)byte == short_for[i])
            return escaped_by('\\', (unsigned char)short_for[i + 1], out);
    return hex_as("\\u%04x", byte, out);
}

/* Rails and Go spell these so that JSON may stand inside HTML: Heroku's replies do. */
static size_t json_in_html(unsigned char byte, char *out) {
    return byte == '<' || byte == '>' || byte == '&' ? hex_as("\\u%04x", byte, out)
                                                     : json(byte, out);
}

static size_t json_slashed(unsigned char byte, char *out) {
    return byte == '/' ? escaped_by('\\', byte, out) : json(byte, out);
}

static size_t sql(unsigned char byte, char *out) {
    return byte == '\'' ? escaped_by('\'', byte, out) : as_is(byte, out);
}

static size_t sql_escape_string(unsigned char byte, char *out) { /* E'...' */
    return byte == '\\' ? escaped_by('\\', byte, out) : sql(byte, out);
}

static size_t conninfo(unsigned char byte, char *out) {
    return byte == '\\' || byte == '\'' ? escaped_by('\\', byte, out) : as_is(byte, out);
}

static const spell spellings[] = {
    percent_upper, percent_lower,     component, user_info,    form,
    path_upper,    path_lower,        json,      json_in_html, json_slashed,
    sql,           sql_escape_string, conninfo,
};

static void wipe(char *text, size_t length) {
    if (text)
        explicit_bzero(text, length);
    free(text);
}

static int give_spelled(spell each, const char *data, size_t length, pgo_form_fn fn, void *arg) {
    size_t room = length * WIDEST + 1, at = 0;
    char *text = malloc(room);
    if (!text)
        return PGO_E_NOMEM;
    for (size_t i = 0; i < length; i++)
        at += each((unsigned char)data[i], text + at);
    int rc = at == length && memcmp(text, data, length) == 0 ? 0 : fn(arg, text, at);
    wipe(text, room);
    return rc;
}

static size_t base64(const char *in, size_t length, const char *alphabet, char *out) {
    const unsigned char *bytes = (const unsigned char *)in;
    size_t at = 0;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned bits = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0u);
        out[at++] = alphabet[bits >> 18];
        out[at++] = alphabet[bits >> 12 & 63];
        out[at++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        out[at++] = left > 2 ? alphabet[bits & 63] : '=';
    }
    return at;
}

/* `padded` holds `shift` bytes that stand for whatever precedes the value (a user name), then the
 * value. Characters that depend on bytes before or after the value are left off. */
static int give_shifted(const char *padded, size_t shift, size_t length, const char *alphabet,
                        char *out, pgo_form_fn fn, void *arg) {
    static const size_t foreign[] = {0, 2, 3};
    size_t end = base64(padded, shift + length, alphabet, out), start = foreign[shift];
    size_t rest = (shift + length) % 3;
    size_t whole = rest == 0 ? end : end - 4 + rest;
    int rc = fn(arg, out + start, whole - start);
    if (rc == 0 && rest)
        rc = fn(arg, out + start, whole + 1 - start); /* the value ends the text, unpadded */
    if (rc == 0 && rest)
        rc = fn(arg, out + start, end - start); /* and padded */
    return rc;
}

/* In base64 a text looks different at each of the three places it can have in a group of three
 * bytes. With the colon in front it is what Basic authentication shows, "user:password". */
static int give_base64(const char *data, size_t length, bool colon, pgo_form_fn fn, void *arg) {
    static const char *const alphabets[] = {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
    size_t total = length + colon, padded_room = total + 2, out_room = (padded_room + 2) / 3 * 4;
    char *padded = calloc(1, padded_room), *out = malloc(out_room);
    int rc = padded && out ? 0 : PGO_E_NOMEM;
    for (size_t shift = 0; shift < 3 && rc == 0; shift++) {
        if (colon)
            padded[shift] = ':';
        memcpy(padded + shift + colon, data, length);
        for (size_t i = 0; i < 2 && rc == 0; i++)
            rc = give_shifted(padded, shift, total, alphabets[i], out, fn, arg);
        memset(padded, 0, shift + colon);
    }
    wipe(padded, padded_room);
    wipe(out, out_room);
    return rc;
}

int pgo_secret_forms(const char *data, size_t length, pgo_form_fn fn, void *arg) {
    int rc = fn(arg, data, length);
    if (length > LONGEST_SPELLED)
        return rc;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings && rc == 0; i++)
        rc = give_spelled(spellings[i], data, length, fn, arg);
    if (rc == 0)
        rc = give_base64(data, length, false, fn, arg);
    if (rc == 0)
        rc = give_base64(data, length, true, fn, arg);
    return rc;
}
