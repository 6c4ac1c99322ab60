/* The spellings under which a secret may turn up in text: as it is, percent-encoded, base64, JSON,
 * SQL. */
#ifndef PGO_CORE_SECRET_FORMS_H
#define PGO_CORE_SECRET_FORMS_H

#include <stddef.h>

/* Takes one spelling (copied by the callee if it wants to keep it). 0, or a negative code that ends
 * the walk. */
typedef int (*pgo_form_fn)(void *arg, const char *form, size_t length);

/* Calls fn for each spelling; the same one may come more than once. Values above 16 KiB are given
 * as they are only: nobody spells those otherwise. Returns 0, fn's code, or PGO_E_NOMEM. */
int pgo_secret_forms(const char *data, size_t length, pgo_form_fn fn, void *arg);

#endif
