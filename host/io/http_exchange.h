/* Inside the HTTP server only: the exchange, shared by the daemon's side (http_server.c) and the
 * state machine of one request (http_exchange.c). */
#ifndef PGO_IO_HTTP_EXCHANGE_H
#define PGO_IO_HTTP_EXCHANGE_H

#include "io/http_server.h"

#include <microhttpd.h>
#include <netinet/in.h>

struct pgo_http_server {
    pgo_loop *loop;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    pgo_job kick;
    int spins; /* runs "at once" since a socket was last ready */
    int open_handles;
    enum { PGO_SERVER_OPEN, PGO_SERVER_CLOSING, PGO_SERVER_CLOSED } state;
    uint16_t port;
    pgo_exchange *live;                 /* every exchange that the daemon knows */
    pgo_exchange *first_new, *last_new; /* not accepted yet; one reference each */
    pgo_http_accept *accept;
    pgo_http_close *closing;
    char complaint[256]; /* the daemon's last */
};

enum pgo_exchange_wait { PGO_AWAKE, PGO_WAITS_FOR_ROOM, PGO_WAITS_FOR_ANSWER, PGO_WAITS_FOR_DATA };

struct pgo_exchange {
    int refs;
    pgo_http_server *server; /* NULL once the daemon has forgotten it */
    pgo_exchange *next, **link;
    pgo_exchange *next_new;
    struct MHD_Connection *connection;
    enum pgo_exchange_wait wait;
    bool begun;    /* the headers were seen */
    bool received; /* the whole body was seen */
    bool answered; /* a respond op was started */
    bool cut;      /* to be closed at the daemon's next call */
    pgo_stream *body;
    pgo_respond *respond;
    char *method, *target;
    pgo_buffer headers; /* name NUL value NUL ... */
    char peer[INET6_ADDRSTRLEN];
    uint16_t peer_port;
};

/* The daemon's callbacks; cls is the server. */
void *pgo_exchange_on_line(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result pgo_exchange_on_call(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *length, void **context);
void pgo_exchange_on_end(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why);

/* Suspends the connection until pgo_exchange_wake. Only inside the daemon's callbacks. */
void pgo_exchange_sleep(pgo_exchange *exchange, enum pgo_exchange_wait what);
void pgo_exchange_wake(pgo_exchange *exchange); /* never inside them; fine when awake */
/* Fails the request's body, unless it came whole. */
void pgo_exchange_end_body(pgo_exchange *exchange, const char *why);
/* Hands a reference of a new exchange to whoever accepts. */
void pgo_server_offer(pgo_http_server *server, pgo_exchange *exchange);
void pgo_server_kick(pgo_http_server *server); /* runs the daemon on the loop's next turn */

#endif
