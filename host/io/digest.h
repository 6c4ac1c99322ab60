/* Message digests by name ("md5", "sha1", "sha256"): whole, or piece by piece; HMAC; hex.
 * All may run on any thread, each pgo_digest on one at a time. */
#ifndef PGO_IO_DIGEST_H
#define PGO_IO_DIGEST_H

#include "core/error.h"

#include <stddef.h>

#define PGO_DIGEST_MAX 64 /* bytes of the longest digest */
#define PGO_DIGEST_HEX (2 * PGO_DIGEST_MAX + 1)

typedef struct pgo_digest pgo_digest;

/* Fails when OpenSSL does not offer the algorithm (MD5 in FIPS mode). The caller frees *digest. */
int pgo_digest_new(pgo_digest **digest, const char *algorithm, pgo_err *err) PGO_MUSTCHECK;
/* A failure is kept and reported by pgo_digest_finish. */
void pgo_digest_update(pgo_digest *digest, const void *data, size_t length);
/* Once per digest. */
int pgo_digest_finish(pgo_digest *digest, unsigned char out[static PGO_DIGEST_MAX], size_t *length,
                      pgo_err *err) PGO_MUSTCHECK;
void pgo_digest_free(pgo_digest *digest); /* NULL is fine */

int pgo_digest_of(const char *algorithm, const void *data, size_t length,
                  unsigned char out[static PGO_DIGEST_MAX], size_t *out_length,
                  pgo_err *err) PGO_MUSTCHECK;
int pgo_hmac(const char *algorithm, const void *key, size_t key_length, const void *data,
             size_t length, unsigned char out[static PGO_DIGEST_MAX], size_t *out_length,
             pgo_err *err) PGO_MUSTCHECK;

/* Lower-case, NUL-terminated: out has room for 2 * length + 1. */
void pgo_hex(const void *data, size_t length, char *out);

#endif
