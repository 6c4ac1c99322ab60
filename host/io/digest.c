/* Digests and HMAC over OpenSSL's EVP. Owns only its contexts. The algorithms it offers are the
 * ones that S3, Basic authentication and the archive checks use; it is no general cryptography. */
#include "io/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

struct pgo_digest {
    EVP_MD_CTX *context;
    bool failed;
    char algorithm[16];
};

static const char *const offered[] = {"md5", "sha1", "sha256"};

static int refuse(const char *algorithm, pgo_err *err) {
    for (size_t i = 0; i < sizeof offered / sizeof *offered; i++)
        if (strcmp(algorithm, offered[i]) == 0)
            return pgo_fail(err, PGO_E_INVALID,
                            "OpenSSL refuses %s here; a machine in FIPS mode has no %s", algorithm,
                            algorithm);
    return pgo_fail(err, PGO_E_INVALID, "no such digest: \"%s\" (md5, sha1 or sha256)", algorithm);
}

static const EVP_MD *find(const char *algorithm) {
    for (size_t i = 0; i < sizeof offered / sizeof *offered; i++)
        if (strcmp(algorithm, offered[i]) == 0)
            return EVP_get_digestbyname(algorithm);
    return NULL;
}

int pgo_digest_new(pgo_digest **digest, const char *algorithm, pgo_err *err) {
    const EVP_MD *md = find(algorithm);
    if (!md)
        return refuse(algorithm, err);
    pgo_digest *made = calloc(1, sizeof *made);
    if (made)
        made->context = EVP_MD_CTX_new();
    if (!made || !made->context) {
        free(made);
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    if (EVP_DigestInit_ex(made->context, md, NULL) != 1) {
        pgo_digest_free(made);
        return refuse(algorithm, err);
    }
    strncpy(made->algorithm, algorithm, sizeof made->algorithm - 1);
    *digest = made;
    return 0;
}

void pgo_digest_update(pgo_digest *digest, const void *data, size_t length) {
    if (EVP_DigestUpdate(digest->context, data, length) != 1)
        digest->failed = true;
}

int pgo_digest_finish(pgo_digest *digest, unsigned char out[static PGO_DIGEST_MAX], size_t *length,
                      pgo_err *err) {
    unsigned got = 0;
    if (digest->failed || EVP_DigestFinal_ex(digest->context, out, &got) != 1)
        return pgo_fail(err, PGO_E_BUG, "computing %s failed in OpenSSL", digest->algorithm);
    *length = got;
    return 0;
}

void pgo_digest_free(pgo_digest *digest) {
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

int pgo_digest_of(const char *algorithm, const void *data, size_t length,
                  unsigned char out[static PGO_DIGEST_MAX], size_t *out_length, pgo_err *err) {
    const EVP_MD *md = find(algorithm);
    unsigned got = 0;
    if (!md || EVP_Digest(data, length, out, &got, md, NULL) != 1)
        return refuse(algorithm, err);
    *out_length = got;
    return 0;
}

int pgo_hmac(const char *algorithm, const void *key, size_t key_length, const void *data,
             size_t length, unsigned char out[static PGO_DIGEST_MAX], size_t *out_length,
             pgo_err *err) {
    const EVP_MD *md = find(algorithm);
    unsigned got = 0;
    if (key_length > INT_MAX)
        return pgo_fail(err, PGO_E_INVALID, "the HMAC key is too long");
    /* HMAC() takes a null key as "the one before" */
    if (!md || !HMAC(md, key_length ? key : "", (int)key_length, data, length, out, &got))
        return refuse(algorithm, err);
    *out_length = got;
    return 0;
}

void pgo_hex(const void *data, size_t length, char *out) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) {
        *out++ = "0123456789abcdef"[bytes[i] >> 4];
        *out++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *out = '\0';
}
