/* The relay: its listeners, the list and its delayed change, the trouble that can be asked for, and
 * the close. Owns the links, which are relay_link.c. */
#include "io/relay_inner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 128, PORT_TRIES = 20 };

/* --- opening --- */

static int loopback(const char *host, uint16_t port, struct sockaddr_storage *address,
                    pgo_err *err) {
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    memset(address, 0, sizeof *address);
    if (uv_ip4_addr(host, port, four) == 0 && ntohl(four->sin_addr.s_addr) >> 24 == 127) {
        return 0;
    }
    if (strcmp(host, "::1") == 0 && uv_ip6_addr(host, port, (struct sockaddr_in6 *)address) == 0) {
        return 0;
    }
    return pgo_fail(err, PGO_E_INVALID, "a relay leads to this machine only, not to %s", host);
}

static void on_client(uv_stream_t *listener, int status) {
    pgo_relay *relay = listener->data;
    if (status == 0 && !relay->closing) {
        pgo_relay_link_accept(relay, listener);
    }
}

/* One more listener, at relay->port or at a free one. libuv may report a port that is taken only
 * when listening. */
static int add_listener(pgo_relay *relay, const char *host) {
    struct sockaddr_storage address;
    int length = sizeof address;
    uv_tcp_t *listener = &relay->listeners[relay->listening];
    if (uv_ip4_addr(host, relay->port, (struct sockaddr_in *)&address) != 0) {
        uv_ip6_addr(host, relay->port, (struct sockaddr_in6 *)&address);
    }
    int failed = uv_tcp_init(&relay->loop->uv, listener);
    if (failed != 0) {
        return failed;
    }
    listener->data = relay;
    relay->listening++;
    relay->open_handles++;
    failed = uv_tcp_bind(listener, (struct sockaddr *)&address, 0);
    failed = failed ? failed : uv_listen((uv_stream_t *)listener, BACKLOG, on_client);
    failed = failed ? failed : uv_tcp_getsockname(listener, (struct sockaddr *)&address, &length);
    if (failed == 0) { /* the port is at the same place in both kinds of address */
        relay->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    }
    return failed;
}

/* Both addresses need the same port: a client that knows a name tries one after the other. */
static int listen_on_both(pgo_relay *relay) {
    int failed = add_listener(relay, "127.0.0.1");
    if (failed != 0) {
        return failed;
    }
    failed = add_listener(relay, "::1");
    if (failed == UV_EADDRINUSE) {
        return failed;
    }
    return 0; /* this machine has no IPv6: one is enough */
}

static pgo_relay *new_relay(pgo_loop *loop, const struct sockaddr_storage *server) {
    pgo_relay *relay = calloc(1, sizeof *relay);
    if (relay) {
        relay->loop = loop;
        relay->server = *server;
        relay->budget = -1;
        relay->open_handles = 1;
        uv_timer_init(&loop->uv, &relay->timer);
        relay->timer.data = relay;
    }
    return relay;
}

int pgo_relay_open(pgo_relay **made, pgo_loop *loop, const char *host, uint16_t port,
                   pgo_err *err) {
    struct sockaddr_storage server;
    *made = NULL;
    if (loopback(host, port, &server, err) < 0) {
        return err->code;
    }
    int failed = 0;
    for (int i = 0; i < PORT_TRIES; i++) {
        pgo_relay *relay = new_relay(loop, &server);
        if (!relay) {
            return pgo_fail(err, PGO_E_NOMEM, "out of memory");
        }
        failed = listen_on_both(relay);
        if (failed == 0) {
            *made = relay;
            return 0;
        }
        pgo_relay_close(relay);
    }
    return pgo_fail_uv(err, PGO_E_NET, failed, "listen on loopback");
}

uint16_t pgo_relay_port(const pgo_relay *relay) {
    return relay->port;
}

pgo_relay_counts pgo_relay_count(const pgo_relay *relay) {
    return relay->counts;
}

/* --- the list --- */

static void forget(pgo_network_list *list) {
    free(list->items);
    *list = (pgo_network_list){0};
}

bool pgo_relay_lets_in(const pgo_relay *relay, const struct sockaddr_storage *address) {
    for (size_t i = 0; i < relay->list.count; i++) {
        if (pgo_network_covers(&relay->list.items[i], address)) {
            return true;
        }
    }
    return false;
}

static void look_at_all(pgo_relay *relay) {
    for (pgo_relay_link *link = relay->links; link; link = pgo_relay_link_next(link)) {
        pgo_relay_link_look(link);
    }
}

static void on_due(uv_timer_t *timer) {
    pgo_relay *relay = timer->data;
    forget(&relay->list);
    relay->list = relay->next;
    relay->next = (pgo_network_list){0};
    look_at_all(relay);
}

static int read_list(pgo_network_list *list, const char *const *texts, size_t count, pgo_err *err) {
    list->items = calloc(count + 1, sizeof *list->items);
    if (!list->items) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    for (; list->count < count; list->count++) {
        if (pgo_network_parse(&list->items[list->count], texts[list->count], err) < 0) {
            forget(list);
            return err->code;
        }
    }
    return 0;
}

int pgo_relay_allow(pgo_relay *relay, const char *const *networks, size_t count, double after,
                    pgo_err *err) {
    pgo_network_list list = {0};
    if (read_list(&list, networks, count, err) < 0) {
        return err->code;
    }
    forget(&relay->next);
    relay->next = list;
    uv_timer_stop(&relay->timer);
    if (after > 0) {
        uv_timer_start(&relay->timer, on_due, pgo_milliseconds(after), 0);
    } else {
        on_due(&relay->timer);
    }
    return 0;
}

/* --- trouble --- */

void pgo_relay_cut(pgo_relay *relay) {
    for (pgo_relay_link *link = relay->links; link; link = pgo_relay_link_next(link)) {
        if (pgo_relay_link_is_in(link)) {
            pgo_relay_link_cut(link);
        }
    }
}

void pgo_relay_cut_unlisted(pgo_relay *relay) {
    for (pgo_relay_link *link = relay->links; link; link = pgo_relay_link_next(link)) {
        if (pgo_relay_link_is_in(link) && !pgo_relay_lets_in(relay, pgo_relay_link_peer(link))) {
            pgo_relay_link_cut(link);
        }
    }
}

void pgo_relay_freeze(pgo_relay *relay, bool frozen) {
    relay->frozen = frozen;
    look_at_all(relay);
}

void pgo_relay_cut_after(pgo_relay *relay, int64_t bytes) {
    relay->budget = bytes;
}

/* --- the end --- */

void pgo_relay_free_if_over(pgo_relay *relay) {
    if (relay->open_handles == 0 && !relay->links) {
        forget(&relay->list);
        forget(&relay->next);
        free(relay);
    }
}

static void on_handle_closed(uv_handle_t *handle) {
    pgo_relay *relay = handle->data;
    relay->open_handles--;
    pgo_relay_free_if_over(relay);
}

void pgo_relay_close(pgo_relay *relay) {
    if (!relay) {
        return;
    }
    relay->closing = true;
    for (unsigned i = 0; i < relay->listening; i++) {
        uv_close((uv_handle_t *)&relay->listeners[i], on_handle_closed);
    }
    uv_close((uv_handle_t *)&relay->timer, on_handle_closed);
    for (pgo_relay_link *link = relay->links; link; link = pgo_relay_link_next(link)) {
        pgo_relay_link_cut(link);
    }
}
