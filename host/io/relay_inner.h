/* What relay.c (listening, the list, the end) and relay_link.c (one connection) share. */
#ifndef PGO_IO_RELAY_INNER_H
#define PGO_IO_RELAY_INNER_H

#include "io/network.h"
#include "io/relay.h"

typedef struct pgo_relay_link pgo_relay_link;

typedef struct pgo_network_list {
    pgo_network *items; /* owned */
    size_t count;
} pgo_network_list;

struct pgo_relay {
    pgo_loop *loop;
    uv_tcp_t listeners[2]; /* 127.0.0.1 and, if there is IPv6, ::1 */
    unsigned listening;
    uv_timer_t timer; /* until `next` takes the place of `list` */
    unsigned open_handles;
    struct sockaddr_storage server;
    uint16_t port;
    pgo_network_list list, next;
    pgo_relay_link *links;
    bool frozen;
    int64_t budget; /* bytes before the cut; negative: none was asked for */
    pgo_relay_counts counts;
    bool closing;
};

bool pgo_relay_lets_in(const pgo_relay *relay, const struct sockaddr_storage *address);
/* A link has gone, memory and all: the relay may have waited for it. */
void pgo_relay_free_if_over(pgo_relay *relay);

/* Takes one waiting client from a listener. */
void pgo_relay_link_accept(pgo_relay *relay, uv_stream_t *listener);
/* The list, or the frost, has changed: a client may come in, bytes may move. */
void pgo_relay_link_look(pgo_relay_link *link);
/* Ends both sides with a reset; the memory goes when the handles have closed. Idempotent. */
void pgo_relay_link_cut(pgo_relay_link *link);
bool pgo_relay_link_is_in(const pgo_relay_link *link);
const struct sockaddr_storage *pgo_relay_link_peer(const pgo_relay_link *link);
pgo_relay_link *pgo_relay_link_next(const pgo_relay_link *link);

#endif
