/* An HTTP/1.1 server on loopback, for stand-ins and tests: requests are taken one by one with an
 * accept op, each is an exchange whose request body is a stream and which is answered with a
 * respond op.
 *
 * All on the loop's thread. The server holds two uv handles from open until the close op is done.
 */
#ifndef PGO_IO_HTTP_SERVER_H
#define PGO_IO_HTTP_SERVER_H

#include "core/buffer.h"
#include "core/op.h"
#include "core/stream.h"

#include <stdint.h>

typedef struct pgo_http_server pgo_http_server;
typedef struct pgo_exchange pgo_exchange;

/* --- server --- */

/* Listens at once. `host` is 127.x.y.z, ::1 or localhost: anything else is refused, since stand-ins
 * trust whoever can reach them. port 0: a free one. With both PEM texts it speaks TLS. Strings are
 * copied. */
int pgo_http_server_open(pgo_http_server **server, pgo_loop *loop, const char *host, uint16_t port,
                         const char *cert_pem, const char *key_pem, pgo_err *err) PGO_MUSTCHECK;
uint16_t pgo_http_server_port(const pgo_http_server *server);
/* Frees the memory. Only before open succeeded, or after a close op is done. NULL is fine. */
void pgo_http_server_free(pgo_http_server *server);

/* Stops listening, cuts every exchange that is not over (its respond op ends with sent = false),
 * ends a waiting accept. May be asked for more than once. */
typedef struct pgo_http_close pgo_http_close;
struct pgo_http_close {
    pgo_op op;
    pgo_http_server *server;
    pgo_http_close *next;
};
void pgo_http_close_init(pgo_http_close *close, pgo_loop *loop, pgo_http_server *server);
bool pgo_http_server_closed(const pgo_http_server *server); /* a close op is done */

/* Waits for the next request. One accept at a time. The server must outlive it. */
typedef struct pgo_http_accept {
    pgo_op op;
    pgo_http_server *server;
    pgo_exchange
        *exchange; /* result: a reference (take it by setting NULL), or NULL: the server closed */
} pgo_http_accept;
void pgo_http_accept_init(pgo_http_accept *accept, pgo_loop *loop, pgo_http_server *server);

/* --- exchange --- */

bool pgo_exchange_over(const pgo_exchange *exchange); /* the connection has done with it */
/* Ends the connection now; harmless when the exchange is over. */
void pgo_exchange_cut(pgo_exchange *exchange);
/* Dropping the last reference of an exchange that was never answered cuts its connection. */
void pgo_exchange_unref(pgo_exchange *exchange);
const char *pgo_exchange_method(const pgo_exchange *exchange);
const char *pgo_exchange_target(const pgo_exchange *exchange); /* as sent: "/a%20b?x=%2F" */
/* In the order and with the case in which they came; NULL after the last. */
const char *pgo_exchange_header(const pgo_exchange *exchange, size_t index, const char **value);
/* The request's body; borrowed. Fails with PGO_E_NET if the client leaves in mid-body. */
pgo_stream *pgo_exchange_body(const pgo_exchange *exchange);
const char *pgo_exchange_peer(const pgo_exchange *exchange, uint16_t *port);

/* --- answer --- */

typedef struct pgo_reply {
    unsigned status;
    const char *data; /* the body, copied; or NULL */
    size_t size;
    pgo_stream *stream; /* or the body as a stream (a reference is taken); or NULL */
    int64_t
        length; /* of the stream, or of what a HEAD stands for; negative: unknown, sent in chunks */
    int64_t cut_after; /* cut the connection after so many bytes of the body; negative: do not */
    bool drop;         /* cut the connection without an answer */
} pgo_reply;

struct MHD_Response;
/* What is left of the request's body is read and dropped first: libmicrohttpd cannot answer in
 * mid-body. */
typedef struct pgo_respond {
    pgo_op op;
    uint64_t bytes; /* result: bytes of a streamed body that went to the client */
    bool sent;      /* result: all of it went out; false: cut, by either side */
    pgo_exchange *exchange;
    unsigned status;
    bool drop;
    int64_t left; /* before the cut; negative: no cut */
    pgo_stream *stream;
    struct MHD_Response *response;
} pgo_respond;

/* Sets up a zeroed op; headers are added next, then it is started. An exchange is answered once. */
int pgo_respond_init(pgo_respond *respond, pgo_loop *loop, pgo_exchange *exchange,
                     const pgo_reply *reply, pgo_err *err) PGO_MUSTCHECK;
int pgo_respond_header(pgo_respond *respond, const char *name, const char *value,
                       pgo_err *err) PGO_MUSTCHECK;

#endif
