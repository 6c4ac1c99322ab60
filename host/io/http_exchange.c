/* One request and its answer, as libmicrohttpd calls for them: body into a stream, answer out of a
 * stream or a block. A connection that has to wait is suspended, and always resumed before it is
 * let go: the daemon cannot stop over one that sleeps. Nothing here is called back from inside:
 * streams and ops are deferred. */
#include "io/http_exchange.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* --- life --- */

static void forget(pgo_exchange *exchange) {
    if (exchange->link) {
        *exchange->link = exchange->next;
        if (exchange->next) {
            exchange->next->link = exchange->link;
        }
    }
    exchange->link = NULL;
    exchange->connection = NULL;
    exchange->server = NULL;
}

static void unref(pgo_exchange *exchange) {
    if (--exchange->refs) {
        return;
    }
    pgo_stream_unref(exchange->body);
    pgo_buffer_free(&exchange->headers);
    free(exchange->method);
    free(exchange->target);
    free(exchange);
}

void pgo_exchange_unref(pgo_exchange *exchange) {
    if (!exchange) {
        return;
    }
    /* the daemon's own reference is the other one: nobody is left to answer */
    if (exchange->refs == 2 && exchange->connection && !exchange->answered) {
        pgo_exchange_cut(exchange);
    }
    unref(exchange);
}

void pgo_exchange_sleep(pgo_exchange *exchange, enum pgo_exchange_wait what) {
    exchange->wait = what;
    MHD_suspend_connection(exchange->connection);
}

void pgo_exchange_wake(pgo_exchange *exchange) {
    if (exchange->wait == PGO_AWAKE) {
        return;
    }
    exchange->wait = PGO_AWAKE;
    MHD_resume_connection(exchange->connection);
    pgo_server_kick(exchange->server);
}

/* The daemon has no call that closes one connection; it does so when a callback of ours refuses,
 * and notices a socket that is shut down. Both together reach it in every state. */
void pgo_exchange_cut(pgo_exchange *exchange) {
    if (!exchange->connection || exchange->cut) {
        return;
    }
    exchange->cut = true;
    pgo_exchange_wake(exchange);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info) {
        shutdown(info->connect_fd, SHUT_RDWR);
    }
    pgo_server_kick(exchange->server);
}

/* --- the request --- */

/* Called with the request line, before the daemon decodes the path in place. */
void *pgo_exchange_on_line(void *cls, const char *uri, struct MHD_Connection *connection) {
    pgo_http_server *server = cls;
    pgo_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        return NULL;
    }
    exchange->refs = 1;
    exchange->server = server;
    exchange->connection = connection;
    exchange->target = strdup(uri);
    exchange->body = pgo_stream_new(server->loop, 0);
    exchange->next = server->live;
    exchange->link = &server->live;
    if (server->live) {
        server->live->link = &exchange->next;
    }
    server->live = exchange;
    return exchange;
}

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    pgo_exchange *exchange = cls;
    (void)kind;
    bool fine = pgo_buffer_append(&exchange->headers, name, strlen(name) + 1) == 0 &&
                pgo_buffer_append(&exchange->headers, value ? value : "",
                                  value ? strlen(value) + 1 : 1) == 0;
    return fine ? MHD_YES : MHD_NO;
}

static void note_peer(pgo_exchange *exchange) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) {
        return;
    }
    if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)info->client_addr;
        inet_ntop(AF_INET6, &six->sin6_addr, exchange->peer, sizeof exchange->peer);
        exchange->peer_port = ntohs(six->sin6_port);
    } else {
        const struct sockaddr_in *four = (const void *)info->client_addr;
        inet_ntop(AF_INET, &four->sin_addr, exchange->peer, sizeof exchange->peer);
        exchange->peer_port = ntohs(four->sin_port);
    }
}

static void on_room(pgo_stream *stream, void *arg) {
    pgo_exchange *exchange = arg;
    (void)stream;
    if (exchange->wait == PGO_WAITS_FOR_ROOM) {
        pgo_exchange_wake(exchange);
    }
}

static enum MHD_Result begin(pgo_exchange *exchange, const char *method) {
    exchange->begun = true;
    exchange->method = strdup(method);
    int seen =
        MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, add_header, exchange);
    int sent = MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, NULL, NULL);
    if (!exchange->method || !exchange->target || !exchange->body || seen != sent) {
        return MHD_NO; /* out of memory: the daemon closes the connection */
    }
    note_peer(exchange);
    pgo_stream_on_room(exchange->body, on_room, exchange);
    exchange->refs++;
    pgo_server_offer(exchange->server, exchange);
    return MHD_YES;
}

/* What is not taken here stays with the daemon and comes again after the connection is resumed. */
static enum MHD_Result take_body(pgo_exchange *exchange, const char *data, size_t *length) {
    if (exchange->answered || pgo_stream_closed(exchange->body)) {
        *length = 0;
        return MHD_YES;
    }
    size_t taken = pgo_stream_write(exchange->body, data, *length);
    *length -= taken;
    if (*length) {
        pgo_exchange_sleep(exchange, PGO_WAITS_FOR_ROOM);
    }
    return MHD_YES;
}

static enum MHD_Result queue_answer(pgo_exchange *exchange) {
    pgo_respond *respond = exchange->respond;
    return MHD_queue_response(exchange->connection, respond->status, respond->response);
}

/* Called once with the headers, then with each piece of the body, then with no bytes when it is
 * complete. */
enum MHD_Result pgo_exchange_on_call(void *cls, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *length, void **context) {
    pgo_exchange *exchange = *context;
    (void)cls, (void)connection, (void)url, (void)version;
    if (!exchange || exchange->cut) {
        return MHD_NO;
    }
    if (!exchange->begun) {
        return begin(exchange, method);
    }
    if (*length) {
        return take_body(exchange, data, length);
    }
    if (!exchange->received) {
        exchange->received = true;
        pgo_stream_end(exchange->body, NULL);
    }
    if (exchange->answered) {
        return queue_answer(exchange);
    }
    pgo_exchange_sleep(exchange, PGO_WAITS_FOR_ANSWER);
    return MHD_YES;
}

void pgo_exchange_end_body(pgo_exchange *exchange, const char *why) {
    pgo_err err = PGO_ERR_INIT;
    if (exchange->received || !exchange->body) {
        return;
    }
    pgo_stream_on_room(exchange->body, NULL, NULL);
    pgo_fail(&err, PGO_E_NET, "%s", why);
    pgo_stream_end(exchange->body, &err);
    pgo_err_clear(&err);
}

void pgo_exchange_on_end(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why) {
    pgo_exchange *exchange = *context;
    (void)cls, (void)connection;
    if (!exchange) {
        return;
    }
    *context = NULL;
    if (!exchange->answered) {
        pgo_exchange_end_body(exchange, "the client left before its request was complete");
    }
    if (exchange->body) {
        pgo_stream_on_room(exchange->body, NULL, NULL);
    }
    pgo_respond *respond = exchange->respond;
    exchange->respond = NULL;
    if (respond) {
        if (respond->stream) {
            pgo_stream_on_data(respond->stream, NULL, NULL);
            pgo_stream_close(respond->stream);
        }
        respond->sent = why == MHD_REQUEST_TERMINATED_COMPLETED_OK && !exchange->cut;
        if (respond->op.cancel_requested) {
            pgo_op_fail(&respond->op, PGO_E_CANCELED, "cancelled: the answer to %s %s",
                        exchange->method, exchange->target);
        } else {
            pgo_op_complete(&respond->op, 0);
        }
    }
    forget(exchange);
    unref(exchange);
}

/* --- what the request says --- */

bool pgo_exchange_over(const pgo_exchange *exchange) {
    return exchange->connection == NULL;
}

const char *pgo_exchange_method(const pgo_exchange *exchange) {
    return exchange->method;
}

const char *pgo_exchange_target(const pgo_exchange *exchange) {
    return exchange->target;
}

const char *pgo_exchange_header(const pgo_exchange *exchange, size_t index, const char **value) {
    const char *at = exchange->headers.data, *end = at + exchange->headers.length;
    while (at < end) {
        const char *name = at;
        *value = name + strlen(name) + 1;
        if (index-- == 0) {
            return name;
        }
        at = *value + strlen(*value) + 1;
    }
    return NULL;
}

pgo_stream *pgo_exchange_body(const pgo_exchange *exchange) {
    return exchange->body;
}

const char *pgo_exchange_peer(const pgo_exchange *exchange, uint16_t *port) {
    *port = exchange->peer_port;
    return exchange->peer;
}
