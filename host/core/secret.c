/* Secrets and the redactor. The redactor owns a copy of every spelling of every secret of 8 bytes
 * and more, for the host's life: a password may turn up in a child's output long after Lua dropped
 * it. All of it is zeroed before it is given back. Nothing here prints. */
#include "core/secret.h"

#include "core/secret_forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define SHORTEST 8
#define NONCE_DIGITS 16

static const char mask[] = "[secret]";

typedef struct form form;
struct form {
    form *next; /* same first byte, not longer than this one */
    size_t length;
    char data[];
};

struct pgo_redactor {
    form *forms[256]; /* by first byte, longest first */
    unsigned long long made;
    char nonce[NONCE_DIGITS + 1];
};

struct pgo_secret {
    unsigned references;
    size_t length;
    char marker[48];
    char data[];
};

pgo_redactor *pgo_redactor_new(void) {
    pgo_redactor *redactor = calloc(1, sizeof *redactor);
    unsigned char random[NONCE_DIGITS / 2];
    if (!redactor || uv_random(NULL, NULL, random, sizeof random, 0, NULL) != 0) {
        free(redactor);
        return NULL;
    }
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(redactor->nonce + 2 * i, 3, "%02x", random[i]);
    return redactor;
}

void pgo_redactor_free(pgo_redactor *redactor) {
    if (!redactor)
        return;
    for (size_t i = 0; i < 256; i++) {
        for (form *each = redactor->forms[i], *next; each; each = next) {
            next = each->next;
            explicit_bzero(each->data, each->length);
            free(each);
        }
    }
    free(redactor);
}

static int add_form(void *arg, const char *data, size_t length) {
    pgo_redactor *redactor = arg;
    if (length < SHORTEST)
        return 0;
    form **place = &redactor->forms[(unsigned char)data[0]];
    while (*place && (*place)->length > length)
        place = &(*place)->next;
    for (form *same = *place; same && same->length == length; same = same->next)
        if (memcmp(same->data, data, length) == 0)
            return 0;
    form *added = malloc(sizeof *added + length);
    if (!added)
        return PGO_E_NOMEM;
    memcpy(added->data, data, length);
    added->length = length;
    added->next = *place;
    *place = added;
    return 0;
}

pgo_secret *pgo_secret_new(pgo_redactor *redactor, const void *data, size_t length) {
    pgo_secret *secret = malloc(sizeof *secret + length + 1);
    if (!secret)
        return NULL;
    secret->references = 1;
    secret->length = length;
    if (length)
        memcpy(secret->data, data, length);
    secret->data[length] = '\0';
    snprintf(secret->marker, sizeof secret->marker, "[secret %s#%llu]", redactor->nonce,
             ++redactor->made);
    if (length >= SHORTEST && pgo_secret_forms(secret->data, length, add_form, redactor) != 0) {
        pgo_secret_unref(secret);
        return NULL;
    }
    return secret;
}

pgo_secret *pgo_secret_ref(pgo_secret *secret) {
    secret->references++;
    return secret;
}

void pgo_secret_unref(pgo_secret *secret) {
    if (!secret || --secret->references > 0)
        return;
    explicit_bzero(secret->data, secret->length);
    free(secret);
}

const char *pgo_secret_data(const pgo_secret *secret, size_t *length) {
    if (length)
        *length = secret->length;
    return secret->data;
}

void pgo_secret_marker(const pgo_secret *secret, char marker[static 48]) {
    memcpy(marker, secret->marker, sizeof secret->marker);
}

/* The nonce alone is looked for: it survives percent-encoding, JSON and SQL quoting of the marker.
 */
bool pgo_redactor_has_marker(const pgo_redactor *redactor, const void *data, size_t length) {
    return length >= NONCE_DIGITS && memmem(data, length, redactor->nonce, NONCE_DIGITS) != NULL;
}

/* Length of the longest form that begins at `text`; 0 for none. *open: a longer one may begin here,
 * but the text ends before it does. */
static size_t match(const pgo_redactor *redactor, const char *text, size_t length, bool *open) {
    *open = false;
    for (const form *each = redactor->forms[(unsigned char)text[0]]; each; each = each->next) {
        if (each->length > length)
            *open = *open || memcmp(each->data, text, length) == 0;
        else if (memcmp(each->data, text, each->length) == 0)
            return each->length;
    }
    return 0;
}

/* Redacts as much of `text` as can be decided, *taken says how much that was. Secrets that overlap
 * are masked as one, or the tail of the second would show. */
static int scan(const pgo_redactor *redactor, const char *text, size_t length, bool last,
                pgo_buffer *out, size_t *taken) {
    size_t at = 0, copied = 0, start = 0, end = 0; /* text[start..end) is covered by secrets */
    bool open = false;
    int rc = 0;
    while (at < length && rc == 0) {
        size_t found = match(redactor, text + at, length - at, &open);
        if (open && !last)
            break;
        if (found && end == 0)
            start = at;
        if (found && at + found > end)
            end = at + found;
        if (++at != end)
            continue;
        rc = pgo_buffer_append(out, text + copied, start - copied);
        if (rc == 0)
            rc = pgo_buffer_append(out, mask, sizeof mask - 1);
        copied = at;
        end = 0;
    }
    if (end)
        at = start;
    if (rc == 0)
        rc = pgo_buffer_append(out, text + copied, at - copied);
    *taken = at;
    return rc;
}

int pgo_redact(const pgo_redactor *redactor, const void *data, size_t length, pgo_buffer *out) {
    size_t taken;
    return length ? scan(redactor, data, length, true, out, &taken) : 0;
}

int pgo_redact_chunk(const pgo_redactor *redactor, pgo_buffer *held, const void *data,
                     size_t length, bool last, pgo_buffer *out) {
    size_t taken;
    int rc = pgo_buffer_append(held, data, length);
    if (rc != 0 || held->length == 0)
        return rc;
    rc = scan(redactor, held->data, held->length, last, out, &taken);
    if (rc != 0)
        return rc;
    memmove(held->data, held->data + taken, held->length - taken);
    held->length -= taken;
    held->data[held->length] = '\0';
    return 0;
}
