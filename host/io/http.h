/* The HTTP client: libcurl's multi interface on the loop. One multi per host holds the connections;
 * a request is an op. Bodies come from memory or a stream and go to memory or a stream, with
 * back-pressure. TLS is always verified; a redirect is an answer like any other. Messages name
 * scheme, host and port of a URL, nothing else of it. All of it runs on the loop's thread. */
#ifndef PGO_IO_HTTP_H
#define PGO_IO_HTTP_H

#include "core/buffer.h"
#include "core/op.h"
#include "core/stream.h"

#include <stdint.h>

/* --- connections --- */

typedef struct pgo_http_multi pgo_http_multi;

int pgo_http_multi_new(pgo_http_multi **multi, pgo_loop *loop, pgo_err *err) PGO_MUSTCHECK;
/* No request may be running. Closes the kept connections; needs one more run of the loop. */
void pgo_http_multi_free(pgo_http_multi *multi);

/* --- URLs --- */

typedef struct pgo_http_origin {
    char text[320]; /* "https://host" or "http://host:8080": fit to be shown */
    bool tls;
    bool loopback;    /* localhost, 127.0.0.0/8, ::1 */
    bool credentials; /* the URL holds a user or a password */
} pgo_http_origin;

/* PGO_E_INVALID when it is no http or https URL; the message does not show it. */
int pgo_http_parse_origin(const char *url, pgo_http_origin *origin, pgo_err *err) PGO_MUSTCHECK;
/* Where `location` (which may be relative) leads from `base`. Owned by the caller; NULL: nowhere.
 */
char *pgo_http_join(const char *base, const char *location);

/* --- a request --- */

enum { PGO_HTTP_ERROR_BODY = 64 * 1024 };

typedef struct pgo_http_request {
    const char *method, *url; /* copied */
    const void *data;         /* the body; borrowed until the op is done */
    size_t length;
    pgo_stream *body;    /* or the body as a stream; the op takes its own reference */
    int64_t body_length; /* of the stream; negative: not known, sent in chunks */
    pgo_stream *into;    /* for the body of a 2xx answer; NULL: memory. Its own reference too */
    size_t limit;        /* of an answer in memory */
    double timeout, connect_timeout,
        stall_timeout;  /* seconds; 0: none. Stalled: neither side sends a
                         * byte, though we are not the ones who wait */
    bool confidential;  /* the URL or the body is secret: as with credentials, see prepare */
    bool http1;         /* no HTTP/2: uploads that pause are safer without */
    bool compressed;    /* ask for a compressed answer and unpack it */
    const char *ca_pem; /* the only authorities to trust; copied. NULL: those of the system */
    size_t ca_pem_length;
} pgo_http_request;

typedef struct pgo_http {
    pgo_op op;

    /* The answer. A status other than 2xx is an answer, not a failure; of its body at most
     * PGO_HTTP_ERROR_BODY bytes are kept, and none goes into the stream. */
    long status;
    pgo_buffer body;
    pgo_buffer headers; /* "name\0value\0...", names in lower case */
    double seconds;
    uint64_t sent, received; /* bytes of the bodies so far; may be read at any time */

    /* Private. */
    pgo_http_multi *multi;
    struct pgo_http *next, *previous; /* of the running ones */
    void *easy;
    struct curl_slist *lines;
    pgo_http_origin origin;
    const char *data;
    size_t length, at, limit;
    pgo_stream *from, *into;
    int64_t from_length;
    pgo_buffer held; /* what `into` had no room for: at most one chunk */
    bool send_paused, receive_paused, has_credentials, delivered;
    double stall_timeout;
    uint64_t moved, moved_at; /* bytes at the last look, and when that was */
    char reason[256];         /* libcurl's */
} pgo_http;

/* In this order: init, add headers, prepare, pgo_op_start. Release it even if one of them failed.
 * After a 2xx answer `into` has been ended; after anything else that is left to the caller, who may
 * want to try again (is it still empty?). A body stream that was not read to its end is closed. */
void pgo_http_init(pgo_http *http, pgo_http_multi *multi);
/* The op's type, for who wraps it in one of their own between init and start. */
extern const pgo_op_type pgo_http_type;
/* `credential`: it must not be sent over http except to loopback. Authorization and Cookie are
 * credentials anyway. PGO_E_INVALID for characters that cannot be in a header. */
int pgo_http_add_header(pgo_http *http, const char *name, const char *value, size_t length,
                        bool credential, pgo_err *err) PGO_MUSTCHECK;
/* PGO_E_INVALID: a bad URL, or credentials that would travel in the clear. */
int pgo_http_prepare(pgo_http *http, const pgo_http_request *request, pgo_err *err) PGO_MUSTCHECK;

/* Walks over the answer's headers: start with *at = 0; NULL at the end. Borrowed. */
const char *pgo_http_next_header(const pgo_http *http, size_t *at, const char **value);

#endif
