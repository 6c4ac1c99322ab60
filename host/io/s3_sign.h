/* AWS Signature Version 4, as S3 wants it: the path is encoded once and never normalised, the
 * payload hash is always a header. `service` is a parameter so that the published vectors can be
 * run. Pure functions; nothing here knows of a connection or a clock. */
#ifndef PGO_IO_S3_SIGN_H
#define PGO_IO_S3_SIGN_H

#include "core/buffer.h"

#define PGO_S3_UNSIGNED "UNSIGNED-PAYLOAD"
#define PGO_S3_TIME 17 /* "20130524T000000Z" and NUL */

/* A query parameter or a header, as the user means it: not encoded. Need not be NUL-terminated. */
typedef struct pgo_s3_field {
    const char *name, *value;
    size_t name_length, value_length;
} pgo_s3_field;

typedef struct pgo_s3_request {
    const char *method;
    const char *path; /* "/bucket/key", UTF-8, not encoded */
    size_t path_length;
    const pgo_s3_field *query;
    size_t query_count;
    const pgo_s3_field *headers; /* the ones to sign; host must be among them */
    size_t header_count;
    const char *payload_hash; /* hex SHA-256 of the body, or PGO_S3_UNSIGNED */
} pgo_s3_request;

typedef struct pgo_s3_key {
    const char *access_key, *secret_key;
    size_t secret_length;
    const char *region, *service;
    const char *time; /* "20130524T000000Z" */
} pgo_s3_key;

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ (and '/' when keep_slash), upper-case hex. */
int pgo_s3_encode(pgo_buffer *out, const char *text, size_t length, bool keep_slash) PGO_MUSTCHECK;
/* "a=1&b=": encoded, then sorted by name and value. What is sent must be this same text. */
int pgo_s3_query(pgo_buffer *out, const pgo_s3_field *query, size_t count) PGO_MUSTCHECK;

/* The three stages, each appended to `out`; fields of `key` that a stage does not use may be NULL.
 */
int pgo_s3_canonical(pgo_buffer *out, const pgo_s3_request *request) PGO_MUSTCHECK;
int pgo_s3_string_to_sign(pgo_buffer *out, const pgo_s3_key *key, const char *canonical,
                          size_t length, pgo_err *err) PGO_MUSTCHECK;
int pgo_s3_signing_key(const pgo_s3_key *key, unsigned char out[static 32],
                       pgo_err *err) PGO_MUSTCHECK;
/* Hex, 64 digits and NUL. */
int pgo_s3_signature(const pgo_s3_key *key, const pgo_s3_request *request, char out[static 65],
                     pgo_err *err) PGO_MUSTCHECK;

/* The value of the Authorization header. */
int pgo_s3_authorization(pgo_buffer *out, const pgo_s3_key *key, const pgo_s3_request *request,
                         pgo_err *err) PGO_MUSTCHECK;
/* The query (without '?') of a URL that is valid for so many seconds, 1 to 604800. request->query
 * holds what else it shall have; its payload hash is taken as PGO_S3_UNSIGNED. */
int pgo_s3_presign(pgo_buffer *out, const pgo_s3_key *key, const pgo_s3_request *request,
                   long seconds, pgo_err *err) PGO_MUSTCHECK;

/* "20130524T000000Z" of seconds since 1970. */
void pgo_s3_time(double epoch, char out[static PGO_S3_TIME]);

#endif
