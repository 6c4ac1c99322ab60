/* One connection of a relay: the client's socket, the server's, and a flow of bytes either way. A
 * flow has one block: it reads into it, and reads on when the block has been written. Until the
 * client is let in there is no server's side, and what it sends stays in its block. */
#include "io/relay_inner.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 * 1024 };

enum { UP, DOWN };

typedef struct flow {
    pgo_relay_link *link;
    uv_tcp_t *from, *to;
    uv_write_t write;
    uv_shutdown_t shutdown;
    size_t length; /* bytes in the block */
    bool reading, writing;
    bool ended;  /* `from` sends no more */
    bool passed; /* ... and `to` has been told */
    char block[BLOCK];
} flow;

struct pgo_relay_link {
    pgo_relay *relay;
    pgo_relay_link *next, *prev;
    uv_tcp_t client, server;
    struct sockaddr_storage peer;
    uv_connect_t connect;
    unsigned open_handles;
    enum { OUTSIDE, CONNECTING, INSIDE, CUT } state;
    flow flows[2];
};

static void pump(flow *it);

/* --- the end of a link --- */

static void on_closed(uv_handle_t *handle) {
    pgo_relay_link *link = handle->data;
    if (--link->open_handles > 0) {
        return;
    }
    pgo_relay *relay = link->relay;
    *(link->prev ? &link->prev->next : &relay->links) = link->next;
    if (link->next) {
        link->next->prev = link->prev;
    }
    free(link);
    pgo_relay_free_if_over(relay);
}

/* A socket with a shutdown on its way cannot be reset: it is closed. */
static void reset(uv_tcp_t *socket) {
    if (uv_tcp_close_reset(socket, on_closed) != 0) {
        uv_close((uv_handle_t *)socket, on_closed);
    }
}

static void count_out(pgo_relay_link *link) {
    pgo_relay_counts *counts = &link->relay->counts;
    if (link->state == OUTSIDE) {
        counts->dropped--;
    } else {
        counts->open--;
    }
    link->state = CUT;
}

void pgo_relay_link_cut(pgo_relay_link *link) {
    if (link->state == CUT) {
        return;
    }
    bool has_server = link->state != OUTSIDE;
    count_out(link);
    reset(&link->client);
    if (has_server) {
        reset(&link->server);
    }
}

/* Both sides have said all, and it has been passed on. */
static void close_if_over(pgo_relay_link *link) {
    if (link->state == INSIDE && link->flows[UP].passed && link->flows[DOWN].passed) {
        count_out(link);
        uv_close((uv_handle_t *)&link->client, on_closed);
        uv_close((uv_handle_t *)&link->server, on_closed);
    }
}

/* --- a flow --- */

/* Bytes count when they are read from a socket that has a way on. What goes beyond the budget is
 * lost with the connections. */
static void on_spent(pgo_relay *relay, size_t length) {
    if (relay->budget < 0) {
        return;
    }
    relay->budget -= (int64_t)length;
    if (relay->budget <= 0) {
        relay->budget = -1;
        pgo_relay_cut(relay);
    }
}

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *memory) {
    pgo_relay_link *link = handle->data;
    flow *it = &link->flows[handle == (uv_handle_t *)&link->client ? UP : DOWN];
    (void)suggested;
    *memory = uv_buf_init(it->block + it->length, (unsigned)(BLOCK - it->length));
}

static void on_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *memory) {
    pgo_relay_link *link = handle->data;
    flow *it = &link->flows[handle == (uv_stream_t *)&link->client ? UP : DOWN];
    (void)memory;
    if (length == UV_EOF && link->state != OUTSIDE) {
        it->ended = true;
        it->reading = false;
        uv_read_stop(handle);
    } else if (length < 0 && length != UV_ENOBUFS) {
        pgo_relay_link_cut(link);
        return;
    } else if (length > 0) {
        it->length += (size_t)length;
    }
    pump(it);
}

static void set_reading(flow *it, bool wanted) {
    if (it->reading == wanted) {
        return;
    }
    it->reading = wanted;
    if (!wanted) {
        uv_read_stop((uv_stream_t *)it->from);
    } else if (uv_read_start((uv_stream_t *)it->from, give_memory, on_read) != 0) {
        pgo_relay_link_cut(it->link);
    }
}

static void on_written(uv_write_t *write, int status) {
    flow *it = write->data;
    it->writing = false;
    it->length = 0;
    if (it->link->state == CUT) {
        return;
    }
    if (status < 0) {
        pgo_relay_link_cut(it->link);
    } else {
        pump(it);
    }
}

static void on_shutdown(uv_shutdown_t *shutdown, int status) {
    flow *it = shutdown->data;
    (void)status; /* a side that is gone needs not be told */
    it->passed = true;
    close_if_over(it->link);
}

static void pass_end(flow *it) {
    it->shutdown.data = it;
    it->writing = true; /* nothing follows */
    if (uv_shutdown(&it->shutdown, (uv_stream_t *)it->to, on_shutdown) != 0) {
        pgo_relay_link_cut(it->link);
    }
}

/* Cuts what a budget does not cover any more off the block. */
static void spend(flow *it) {
    pgo_relay *relay = it->link->relay;
    if (relay->budget >= 0 && (int64_t)it->length > relay->budget) {
        it->length = (size_t)relay->budget;
    }
    *(it == &it->link->flows[UP] ? &relay->counts.up : &relay->counts.down) += it->length;
}

/* What does not fit into the socket is written when there is room; nothing is read until then. */
static void send_block(flow *it) {
    spend(it);
    size_t length = it->length;
    uv_buf_t memory = uv_buf_init(it->block, (unsigned)length);
    int sent = uv_try_write((uv_stream_t *)it->to, &memory, 1);
    if (sent == (int)length) {
        it->length = 0;
    } else {
        size_t done = sent > 0 ? (size_t)sent : 0;
        memory = uv_buf_init(it->block + done, (unsigned)(length - done));
        it->write.data = it;
        it->writing = true;
        set_reading(it, false);
        if (uv_write(&it->write, (uv_stream_t *)it->to, &memory, 1, on_written) != 0) {
            pgo_relay_link_cut(it->link);
        }
    }
    on_spent(it->link->relay, length);
}

/* Moves on what the block holds, then reads again. Outside it reads as well, to see the client
 * leave. */
static void pump(flow *it) {
    pgo_relay_link *link = it->link;
    bool open = link->state == INSIDE && !link->relay->frozen;
    if (open && it->length > 0 && !it->writing) {
        send_block(it);
    }
    if (link->state == CUT || it->writing) {
        return;
    }
    if (open && it->ended) {
        pass_end(it);
    } else {
        set_reading(it, (open || link->state == OUTSIDE) && !it->ended && it->length < BLOCK);
    }
}

/* --- being let in --- */

static void on_connected(uv_connect_t *connect, int status) {
    pgo_relay_link *link = connect->data;
    if (link->state == CUT) {
        return;
    }
    if (status < 0) { /* no server there: refused, as it would refuse */
        pgo_relay_link_cut(link);
        return;
    }
    link->state = INSIDE;
    uv_tcp_nodelay(&link->server, 1);
    pgo_relay_link_look(link);
}

static void let_in(pgo_relay_link *link) {
    pgo_relay *relay = link->relay;
    if (uv_tcp_init(&relay->loop->uv, &link->server) != 0) {
        pgo_relay_link_cut(link);
        return;
    }
    link->open_handles++;
    link->server.data = link->connect.data = link;
    link->state = CONNECTING;
    relay->counts.dropped--;
    relay->counts.open++;
    relay->counts.let_in++;
    set_reading(&link->flows[UP], false);
    if (uv_tcp_connect(&link->connect, &link->server, (const struct sockaddr *)&relay->server,
                       on_connected) != 0) {
        pgo_relay_link_cut(link);
    }
}

void pgo_relay_link_look(pgo_relay_link *link) {
    pgo_relay *relay = link->relay;
    if (link->state == OUTSIDE && !relay->frozen && pgo_relay_lets_in(relay, &link->peer)) {
        let_in(link);
        return;
    }
    pump(&link->flows[UP]);
    if (link->state == INSIDE) {
        pump(&link->flows[DOWN]);
    }
}

static void join(flow *it, pgo_relay_link *link, uv_tcp_t *from, uv_tcp_t *to) {
    it->link = link;
    it->from = from;
    it->to = to;
}

void pgo_relay_link_accept(pgo_relay *relay, uv_stream_t *listener) {
    pgo_relay_link *link = calloc(1, sizeof *link);
    if (!link || uv_tcp_init(&relay->loop->uv, &link->client) != 0) {
        free(link);
        return; /* no memory: libuv keeps this client, and takes no other at this listener */
    }
    link->relay = relay;
    join(&link->flows[UP], link, &link->client, &link->server);
    join(&link->flows[DOWN], link, &link->server, &link->client);
    link->client.data = link;
    link->open_handles = 1;
    link->next = relay->links;
    if (link->next) {
        link->next->prev = link;
    }
    relay->links = link;
    relay->counts.dropped++;
    int length = sizeof link->peer;
    if (uv_accept(listener, (uv_stream_t *)&link->client) != 0 ||
        uv_tcp_getpeername(&link->client, (struct sockaddr *)&link->peer, &length) != 0) {
        pgo_relay_link_cut(link);
        return;
    }
    uv_tcp_nodelay(&link->client, 1);
    pgo_relay_link_look(link);
}

bool pgo_relay_link_is_in(const pgo_relay_link *link) {
    return link->state == CONNECTING || link->state == INSIDE;
}

const struct sockaddr_storage *pgo_relay_link_peer(const pgo_relay_link *link) {
    return &link->peer;
}

pgo_relay_link *pgo_relay_link_next(const pgo_relay_link *link) {
    return link->next;
}
