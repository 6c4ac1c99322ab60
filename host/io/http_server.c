/* The daemon: listening, its epoll descriptor under uv_poll, the queue of new requests, and the
 * close. Owns the listening socket and two uv handles; what happens in one request is
 * http_exchange.c. */
#include "io/http_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of a connection's one buffer: headers must fit, and uploads are read by about half of it at
 * a time. */
enum { CONNECTION_MEMORY = 256 * 1024 };

/* --- running the daemon --- */

static void on_timer(uv_timer_t *timer);

/* How often the daemon may ask to be run again at once before it has to wait a millisecond: during
 * a TLS handshake it asks for ever, until the peer has sent something. */
enum { MAX_SPINS = 64 };

/* "At once" goes through the ready queue: libuv runs a timer of 0 ms that is set in its own
 * callback again in the same pass, and would never come back to the sockets. */
static void run_again(pgo_http_server *server, uint64_t wait) {
    if (wait == 0 && server->spins++ < MAX_SPINS) {
        pgo_server_kick(server);
    } else {
        uv_timer_start(&server->timer, on_timer, wait > 0 ? wait : 1, 0);
    }
}

static void run(pgo_http_server *server) {
    MHD_UNSIGNED_LONG_LONG wait = 0;
    if (server->state != PGO_SERVER_OPEN) {
        return;
    }
    MHD_run(server->daemon);
    uv_timer_stop(&server->timer);
    if (MHD_get_timeout(server->daemon, &wait) == MHD_YES) {
        run_again(server, wait);
    }
}

static void on_timer(uv_timer_t *timer) {
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    pgo_http_server *server = poll->data;
    server->spins = 0;
    run(server);
}

static void on_kick(pgo_job *job) {
    run(job->arg);
}

void pgo_server_kick(pgo_http_server *server) {
    if (server->state == PGO_SERVER_OPEN) {
        pgo_loop_post(server->loop, &server->kick);
    }
}

static void complain(void *cls, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void complain(void *cls, const char *format, va_list args) {
    pgo_http_server *server = cls;
    vsnprintf(server->complaint, sizeof server->complaint, format, args);
    server->complaint[strcspn(server->complaint, "\r\n")] = '\0';
}

/* --- opening --- */

static int loopback(const char *host, uint16_t port, struct sockaddr_storage *address,
                    pgo_err *err) {
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    memset(address, 0, sizeof *address);
    if (uv_ip4_addr(name, port, four) == 0 && ntohl(four->sin_addr.s_addr) >> 24 == 127) {
        return 0;
    }
    if (strcmp(name, "::1") == 0 && uv_ip6_addr(name, port, (struct sockaddr_in6 *)address) == 0) {
        return 0;
    }
    return pgo_fail(err, PGO_E_INVALID,
                    "a server listens on loopback only (127.x.y.z or ::1), not on %s", host);
}

static int listen_on(const char *host, uint16_t *port, pgo_err *err) {
    struct sockaddr_storage address;
    if (loopback(host, *port, &address, err)) {
        return -1;
    }
    socklen_t length =
        address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int yes = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        bind(fd, (struct sockaddr *)&address, length) || listen(fd, 511) ||
        getsockname(fd, (struct sockaddr *)&address, &length)) {
        pgo_fail(err, PGO_E_NET, "listen on %s port %u: %s", host, *port, uv_strerror(-errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    /* the port is at the same place in both kinds of address */
    *port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return fd;
}

static int start_daemon(pgo_http_server *server, int fd, const char *cert, const char *key,
                        pgo_err *err) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
        {MHD_OPTION_END, 0, NULL},
    };
    bool secure = cert && key;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    server->daemon = MHD_start_daemon(
        secure ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, pgo_exchange_on_call, server,
        MHD_OPTION_EXTERNAL_LOGGER, complain, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, pgo_exchange_on_line, server, MHD_OPTION_NOTIFY_COMPLETED,
        pgo_exchange_on_end, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_ARRAY, secure ? tls : tls + 2, MHD_OPTION_END);
    if (server->daemon) {
        return 0;
    }
    return pgo_fail(err, PGO_E_NET, "the HTTP server did not start: %s", server->complaint);
}

int pgo_http_server_open(pgo_http_server **made, pgo_loop *loop, const char *host, uint16_t port,
                         const char *cert_pem, const char *key_pem, pgo_err *err) {
    *made = NULL;
    int fd = listen_on(host, &port, err);
    if (fd < 0) {
        return err->code;
    }
    pgo_http_server *server = calloc(1, sizeof *server);
    if (!server) {
        close(fd);
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    server->loop = loop;
    server->port = port;
    server->kick = (pgo_job){.run = on_kick, .arg = server};
    if (start_daemon(server, fd, cert_pem, key_pem, err)) {
        free(server); /* the socket went with the daemon */
        return err->code;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int failed = uv_poll_init(&loop->uv, &server->poll, info->epoll_fd);
    if (failed) {
        MHD_stop_daemon(server->daemon);
        free(server);
        return pgo_fail_uv(err, PGO_E_NET, failed, "watch the HTTP server");
    }
    uv_timer_init(&loop->uv, &server->timer);
    server->open_handles = 2;
    server->poll.data = server->timer.data = server;
    uv_poll_start(&server->poll, UV_READABLE, on_poll);
    *made = server;
    return 0;
}

uint16_t pgo_http_server_port(const pgo_http_server *server) {
    return server->port;
}

bool pgo_http_server_closed(const pgo_http_server *server) {
    return server->state == PGO_SERVER_CLOSED;
}

void pgo_http_server_free(pgo_http_server *server) {
    free(server);
}

/* --- accepting --- */

void pgo_server_offer(pgo_http_server *server, pgo_exchange *exchange) {
    if (server->accept) {
        server->accept->exchange = exchange;
        pgo_op_complete(&server->accept->op, 0);
        server->accept = NULL;
        return;
    }
    if (server->last_new) {
        server->last_new->next_new = exchange;
    } else {
        server->first_new = exchange;
    }
    server->last_new = exchange;
}

static pgo_exchange *take_new(pgo_http_server *server) {
    pgo_exchange *exchange = server->first_new;
    if (exchange) {
        server->first_new = exchange->next_new;
        exchange->next_new = NULL;
        if (!server->first_new) {
            server->last_new = NULL;
        }
    }
    return exchange;
}

static void start_accept(pgo_op *op) {
    pgo_http_accept *accept = (pgo_http_accept *)op;
    pgo_http_server *server = accept->server;
    if (server->accept) {
        pgo_op_fail(op, PGO_E_INVALID, "another task accepts from this server already");
        return;
    }
    accept->exchange = take_new(server);
    if (accept->exchange || server->state != PGO_SERVER_OPEN) {
        pgo_op_complete(op, 0);
    } else {
        server->accept = accept;
    }
}

static void cancel_accept(pgo_op *op) {
    ((pgo_http_accept *)op)->server->accept = NULL;
    pgo_op_fail(op, PGO_E_CANCELED, "cancelled: waiting for a request");
}

static void release_accept(pgo_op *op) {
    pgo_http_accept *accept = (pgo_http_accept *)op;
    pgo_exchange_unref(accept->exchange);
    accept->exchange = NULL;
}

static const pgo_op_type accept_type = {"http.accept", start_accept, cancel_accept, release_accept};

void pgo_http_accept_init(pgo_http_accept *accept, pgo_loop *loop, pgo_http_server *server) {
    pgo_op_init(&accept->op, &accept_type, loop);
    accept->server = server;
}

/* --- closing --- */

static void on_closed(uv_handle_t *handle) {
    pgo_http_server *server = handle->data;
    if (--server->open_handles) {
        return;
    }
    server->state = PGO_SERVER_CLOSED;
    while (server->closing) {
        pgo_http_close *first = server->closing;
        server->closing = first->next;
        pgo_op_complete(&first->op, 0);
    }
}

/* Every sleeping connection is woken first; the stop then ends each one through
 * pgo_exchange_on_end. */
static void stop(pgo_http_server *server) {
    server->state = PGO_SERVER_CLOSING;
    pgo_loop_unpost(server->loop, &server->kick);
    for (pgo_exchange *one = server->live; one; one = one->next) {
        pgo_exchange_cut(one);
    }
    uv_poll_stop(&server->poll);
    uv_timer_stop(&server->timer);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    for (pgo_exchange *one = take_new(server); one; one = take_new(server)) {
        pgo_exchange_unref(one);
    }
    if (server->accept) {
        pgo_op_complete(&server->accept->op, 0);
    }
    server->accept = NULL;
    uv_close((uv_handle_t *)&server->poll, on_closed);
    uv_close((uv_handle_t *)&server->timer, on_closed);
}

static void start_close(pgo_op *op) {
    pgo_http_close *close_op = (pgo_http_close *)op;
    pgo_http_server *server = close_op->server;
    if (server->state == PGO_SERVER_CLOSED) {
        pgo_op_complete(op, 0);
        return;
    }
    close_op->next = server->closing;
    server->closing = close_op;
    if (server->state == PGO_SERVER_OPEN) {
        stop(server);
    }
}

static const pgo_op_type close_type = {"http.close", start_close, NULL, NULL};

void pgo_http_close_init(pgo_http_close *close_op, pgo_loop *loop, pgo_http_server *server) {
    pgo_op_init(&close_op->op, &close_type, loop);
    close_op->server = server;
}
