/* Secrets, and the redactor that keeps them out of everything printed, stored or reported.
 * A secret's bytes are wiped when the last reference goes. Every secret made is known to the
 * redactor of its host for the life of the host. */
#ifndef PGO_CORE_SECRET_H
#define PGO_CORE_SECRET_H

#include "core/buffer.h"

typedef struct pgo_secret pgo_secret;
typedef struct pgo_redactor pgo_redactor;

pgo_redactor *pgo_redactor_new(void); /* NULL: out of memory */
void pgo_redactor_free(pgo_redactor *redactor);

/* A new secret, one reference. Values of 8 bytes and more are redacted from now on: as they are,
 * percent-encoded, base64, JSON-escaped, and as an SQL literal. */
pgo_secret *pgo_secret_new(pgo_redactor *redactor, const void *data, size_t length);
pgo_secret *pgo_secret_ref(pgo_secret *secret);
void pgo_secret_unref(pgo_secret *secret);
const char *pgo_secret_data(const pgo_secret *secret,
                            size_t *length); /* NUL follows; length may be NULL */

/* What stands for it in text: "[secret 7c1f…#3]". Unique to this process, so that a mask can never
 * be mistaken for a value: outward calls refuse text that holds one (pgo_redactor_has_marker). */
void pgo_secret_marker(const pgo_secret *secret, char marker[static 48]);
bool pgo_redactor_has_marker(const pgo_redactor *redactor, const void *data, size_t length);

/* Appends `data` to `out` with every known secret replaced by "[secret]". */
int pgo_redact(const pgo_redactor *redactor, const void *data, size_t length,
               pgo_buffer *out) PGO_MUSTCHECK;

/* For text that comes in chunks (a child's stderr): what could be the beginning of a secret is held
 * back in `held` until the next chunk, or `last`. */
int pgo_redact_chunk(const pgo_redactor *redactor, pgo_buffer *held, const void *data,
                     size_t length, bool last, pgo_buffer *out) PGO_MUSTCHECK;

#endif
