/* Builds what Signature Version 4 signs, and signs it. Owns nothing between calls; derived keys are
 * wiped. Never normalises a path: in S3 "a//b" and "a/../b" are names like any other. */
#include "io/s3_sign.h"

#include "io/digest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SHORTEST_LIFE 1
#define LONGEST_LIFE 604800

static int out_of_memory(pgo_err *err) {
    return pgo_fail(err, PGO_E_NOMEM, "out of memory");
}

int pgo_s3_encode(pgo_buffer *out, const char *text, size_t length, bool keep_slash) {
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_.~";
    int rc = pgo_buffer_reserve(out, 3 * length);
    for (size_t i = 0; i < length && rc == 0; i++) {
        char byte = text[i];
        bool plain = (byte == '/' && keep_slash) || (byte != '\0' && strchr(unreserved, byte));
        rc = plain ? pgo_buffer_append(out, &byte, 1)
                   : pgo_buffer_printf(out, "%%%02X", (unsigned char)byte);
    }
    return rc;
}

/* --- the query --- */

struct pair {
    pgo_buffer name, value; /* encoded */
};

/* Encoded text holds no NUL, and is compared byte by byte, as the server does. */
static int compare_pairs(const void *a, const void *b) {
    const struct pair *left = a, *right = b;
    int order =
        strcmp(left->name.data ? left->name.data : "", right->name.data ? right->name.data : "");
    if (order != 0)
        return order;
    return strcmp(left->value.data ? left->value.data : "",
                  right->value.data ? right->value.data : "");
}

static int encode_pairs(struct pair *pairs, const pgo_s3_field *query, size_t count) {
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = pgo_s3_encode(&pairs[i].name, query[i].name, query[i].name_length, false);
        if (rc == 0)
            rc = pgo_s3_encode(&pairs[i].value, query[i].value, query[i].value_length, false);
    }
    return rc;
}

int pgo_s3_query(pgo_buffer *out, const pgo_s3_field *query, size_t count) {
    if (count == 0)
        return pgo_buffer_puts(out, "");
    struct pair *pairs = calloc(count, sizeof *pairs);
    int rc = pairs ? encode_pairs(pairs, query, count) : PGO_E_NOMEM;
    if (rc != 0)
        goto out;
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = pgo_buffer_printf(out, "%s%s=%s", i ? "&" : "",
                               pairs[i].name.data ? pairs[i].name.data : "",
                               pairs[i].value.data ? pairs[i].value.data : "");
out:
    for (size_t i = 0; pairs && i < count; i++) {
        pgo_buffer_free(&pairs[i].name);
        pgo_buffer_free(&pairs[i].value);
    }
    free(pairs);
    return rc;
}

/* --- the headers --- */

static int compare_names(const pgo_s3_field *a, const pgo_s3_field *b) {
    size_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
    int order = strncasecmp(a->name, b->name, shorter);
    if (order != 0)
        return order;
    return (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

/* By name; equal names keep their order (qsort would not), for their values are joined in it. */
static const pgo_s3_field **sorted_headers(const pgo_s3_request *request) {
    const pgo_s3_field **sorted = calloc(request->header_count + 1, sizeof(const pgo_s3_field *));
    for (size_t i = 0; sorted && i < request->header_count; i++) {
        size_t at = i;
        for (; at > 0 && compare_names(sorted[at - 1], &request->headers[i]) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &request->headers[i];
    }
    return sorted;
}

static int append_lower(pgo_buffer *out, const char *text, size_t length) {
    int rc = 0;
    for (size_t i = 0; i < length && rc == 0; i++) {
        char lower = (char)tolower((unsigned char)text[i]);
        rc = pgo_buffer_append(out, &lower, 1);
    }
    return rc;
}

/* Without space at the ends, and with one where there are several. */
static int append_trimmed(pgo_buffer *out, const char *text, size_t length) {
    int rc = 0;
    bool gap = false, begun = false;
    for (size_t i = 0; i < length && rc == 0; i++) {
        bool space = isspace((unsigned char)text[i]);
        if (!space && gap && begun)
            rc = pgo_buffer_append(out, " ", 1);
        if (!space && rc == 0)
            rc = pgo_buffer_append(out, &text[i], 1);
        begun = begun || !space;
        gap = space;
    }
    return rc;
}

static bool same_name(const pgo_s3_field *a, const pgo_s3_field *b) {
    return a && b && compare_names(a, b) == 0;
}

static int signed_names(pgo_buffer *out, const pgo_s3_field **sorted) {
    int rc = 0;
    for (size_t i = 0; sorted[i] && rc == 0; i++) {
        if (i && same_name(sorted[i - 1], sorted[i]))
            continue;
        if (i)
            rc = pgo_buffer_append(out, ";", 1);
        if (rc == 0)
            rc = append_lower(out, sorted[i]->name, sorted[i]->name_length);
    }
    return rc;
}

static int canonical_headers(pgo_buffer *out, const pgo_s3_field **sorted) {
    int rc = 0;
    for (size_t i = 0; sorted[i] && rc == 0; i++) {
        if (i && same_name(sorted[i - 1], sorted[i])) {
            rc = pgo_buffer_append(out, ",", 1);
        } else {
            rc = append_lower(out, sorted[i]->name, sorted[i]->name_length);
            if (rc == 0)
                rc = pgo_buffer_append(out, ":", 1);
        }
        if (rc == 0)
            rc = append_trimmed(out, sorted[i]->value, sorted[i]->value_length);
        if (rc == 0 && !same_name(sorted[i], sorted[i + 1]))
            rc = pgo_buffer_append(out, "\n", 1);
    }
    return rc;
}

/* --- the three stages --- */

int pgo_s3_canonical(pgo_buffer *out, const pgo_s3_request *request) {
    const pgo_s3_field **sorted = sorted_headers(request);
    if (!sorted)
        return PGO_E_NOMEM;
    int rc = pgo_buffer_printf(out, "%s\n", request->method);
    if (rc == 0)
        rc = pgo_s3_encode(out, request->path, request->path_length, true);
    if (rc == 0)
        rc = pgo_buffer_append(out, "\n", 1);
    if (rc == 0)
        rc = pgo_s3_query(out, request->query, request->query_count);
    if (rc == 0)
        rc = pgo_buffer_append(out, "\n", 1);
    if (rc == 0)
        rc = canonical_headers(out, sorted);
    if (rc == 0)
        rc = pgo_buffer_append(out, "\n", 1);
    if (rc == 0)
        rc = signed_names(out, sorted);
    if (rc == 0)
        rc = pgo_buffer_printf(out, "\n%s", request->payload_hash);
    free(sorted);
    return rc;
}

int pgo_s3_string_to_sign(pgo_buffer *out, const pgo_s3_key *key, const char *canonical,
                          size_t length, pgo_err *err) {
    unsigned char digest[PGO_DIGEST_MAX];
    char hex[PGO_DIGEST_HEX];
    size_t got;
    int rc = pgo_digest_of("sha256", canonical, length, digest, &got, err);
    if (rc != 0)
        return rc;
    pgo_hex(digest, got, hex);
    rc = pgo_buffer_printf(out, ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", key->time, key->time,
                           key->region, key->service, hex);
    return rc == 0 ? 0 : out_of_memory(err);
}

int pgo_s3_signing_key(const pgo_s3_key *key, unsigned char out[static 32], pgo_err *err) {
    char date[9] = {0};
    memcpy(date, key->time, strnlen(key->time, 8));
    const char *const links[] = {date, key->region, key->service, "aws4_request"};
    unsigned char chain[PGO_DIGEST_MAX];
    size_t got = key->secret_length + 4;
    char *first = malloc(got);
    if (!first)
        return out_of_memory(err);
    memcpy(first, (const char[]){'A', 'W', 'S', '4'}, 4);
    memcpy(first + 4, key->secret_key, key->secret_length);
    int rc = pgo_hmac("sha256", first, got, links[0], strlen(links[0]), chain, &got, err);
    for (size_t i = 1; i < sizeof links / sizeof *links && rc == 0; i++)
        rc = pgo_hmac("sha256", chain, got, links[i], strlen(links[i]), chain, &got, err);
    if (rc == 0)
        memcpy(out, chain, 32);
    explicit_bzero(first, key->secret_length + 4);
    explicit_bzero(chain, sizeof chain);
    free(first);
    return rc;
}

int pgo_s3_signature(const pgo_s3_key *key, const pgo_s3_request *request, char out[static 65],
                     pgo_err *err) {
    pgo_buffer canonical = {0}, text = {0};
    unsigned char signing[32], digest[PGO_DIGEST_MAX];
    size_t got;
    int rc = pgo_s3_canonical(&canonical, request);
    if (rc != 0) {
        rc = out_of_memory(err);
        goto out;
    }
    rc = pgo_s3_string_to_sign(&text, key, canonical.data, canonical.length, err);
    if (rc == 0)
        rc = pgo_s3_signing_key(key, signing, err);
    if (rc == 0)
        rc = pgo_hmac("sha256", signing, sizeof signing, text.data, text.length, digest, &got, err);
    if (rc == 0)
        pgo_hex(digest, 32, out);
out:
    explicit_bzero(signing, sizeof signing);
    pgo_buffer_free(&canonical);
    pgo_buffer_free(&text);
    return rc;
}

/* --- what is sent --- */

int pgo_s3_authorization(pgo_buffer *out, const pgo_s3_key *key, const pgo_s3_request *request,
                         pgo_err *err) {
    char signature[65];
    int rc = pgo_s3_signature(key, request, signature, err);
    if (rc != 0)
        return rc;
    const pgo_s3_field **sorted = sorted_headers(request);
    if (!sorted)
        return out_of_memory(err);
    rc = pgo_buffer_printf(out, ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=",
                           key->access_key, key->time, key->region, key->service);
    if (rc == 0)
        rc = signed_names(out, sorted);
    if (rc == 0)
        rc = pgo_buffer_printf(out, ", Signature=%s", signature);
    free(sorted);
    return rc == 0 ? 0 : out_of_memory(err);
}

static pgo_s3_field field(const char *name, const pgo_buffer *value) {
    return (pgo_s3_field){name, value->data, strlen(name), value->length};
}

static int presign_values(pgo_buffer values[static 5], const pgo_s3_key *key,
                          const pgo_s3_request *request, long seconds) {
    const pgo_s3_field **sorted = sorted_headers(request);
    int rc = sorted ? pgo_buffer_puts(&values[0], ALGORITHM) : PGO_E_NOMEM;
    if (rc == 0)
        rc = pgo_buffer_printf(&values[1], "%s/%.8s/%s/%s/aws4_request", key->access_key, key->time,
                               key->region, key->service);
    if (rc == 0)
        rc = pgo_buffer_puts(&values[2], key->time);
    if (rc == 0)
        rc = pgo_buffer_printf(&values[3], "%ld", seconds);
    if (rc == 0)
        rc = signed_names(&values[4], sorted);
    free(sorted);
    return rc;
}

int pgo_s3_presign(pgo_buffer *out, const pgo_s3_key *key, const pgo_s3_request *request,
                   long seconds, pgo_err *err) {
    static const char *const names[] = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date",
                                        "X-Amz-Expires", "X-Amz-SignedHeaders"};
    if (seconds < SHORTEST_LIFE || seconds > LONGEST_LIFE)
        return pgo_fail(err, PGO_E_INVALID,
                        "a signed URL lives 1 second to 7 days (604800), not %ld", seconds);
    pgo_buffer values[5] = {0};
    char signature[65];
    pgo_s3_request whole = *request;
    pgo_s3_field *query = calloc(request->query_count + 5, sizeof *query);
    int rc = query ? presign_values(values, key, request, seconds) : PGO_E_NOMEM;
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < 5; i++)
        query[i] = field(names[i], &values[i]);
    if (request->query_count)
        memcpy(query + 5, request->query, request->query_count * sizeof *query);
    whole.query = query;
    whole.query_count += 5;
    whole.payload_hash = PGO_S3_UNSIGNED;
    rc = pgo_s3_signature(key, &whole, signature, err);
    if (rc == 0)
        rc = pgo_s3_query(out, query, whole.query_count);
    if (rc == 0)
        rc = pgo_buffer_printf(out, "&X-Amz-Signature=%s", signature);
out:
    for (size_t i = 0; i < 5; i++)
        pgo_buffer_free(&values[i]);
    free(query);
    return rc == PGO_E_NOMEM ? out_of_memory(err) : rc;
}

void pgo_s3_time(double epoch, char out[static PGO_S3_TIME]) {
    time_t seconds = (time_t)epoch;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(out, PGO_S3_TIME, "%Y%m%dT%H%M%SZ", &parts);
}
