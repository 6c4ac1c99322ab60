/* A TCP relay on loopback in front of one server, with a list of networks that are let in: the
 * firewall of a managed database, for stand-ins and tests. Bytes go through as they are, TLS end to
 * end. Who is not on the list is treated as by a firewall that drops: connected (by the kernel),
 * never answered, and nothing of it reaches the server. A list that lets it in later lets it
 * through, as a repeated SYN would come through.
 *
 * All on the loop's thread. Memory for each connection is bounded: one block in either direction,
 * and who sends waits until it has gone on. */
#ifndef PGO_IO_RELAY_H
#define PGO_IO_RELAY_H

#include "core/loop.h"

#include <stdint.h>

typedef struct pgo_relay pgo_relay;

/* Listens at once on a free port of 127.0.0.1, and of ::1 where there is IPv6; lets nobody in.
 * `host` and `port` name the server: an address of this machine (127.x.y.z or ::1). */
int pgo_relay_open(pgo_relay **relay, pgo_loop *loop, const char *host, uint16_t port,
                   pgo_err *err) PGO_MUSTCHECK;
uint16_t pgo_relay_port(const pgo_relay *relay);
/* Stops listening and resets every connection. The relay is not to be used any more: its memory
 * goes when its handles have closed. NULL is fine. */
void pgo_relay_close(pgo_relay *relay);

/* --- the list --- */

/* Replaces the list, `after` seconds from now (0: at once); a change that was still to come is
 * forgotten. Texts are read now: PGO_E_INVALID leaves everything as it was. Connections that were
 * let in go on. */
int pgo_relay_allow(pgo_relay *relay, const char *const *networks, size_t count, double after,
                    pgo_err *err) PGO_MUSTCHECK;

/* --- trouble --- */

void pgo_relay_cut(pgo_relay *relay); /* resets all that were let in, now */
/* Resets those whose address the list does not cover (any more). */
void pgo_relay_cut_unlisted(pgo_relay *relay);
/* Nothing moves until the thaw: what has been read stays here, new connections wait. */
void pgo_relay_freeze(pgo_relay *relay, bool frozen);
/* Resets all that were let in once so many more bytes have gone through, both ways together; the
 * rest of what is being read then is lost. Once; negative: not any more. */
void pgo_relay_cut_after(pgo_relay *relay, int64_t bytes);

typedef struct pgo_relay_counts {
    uint64_t up, down; /* bytes to the server, bytes from it */
    uint64_t let_in;   /* connections that were let in so far */
    unsigned open;     /* of them, those that are there now */
    unsigned dropped;  /* clients that wait for an answer which does not come */
} pgo_relay_counts;
pgo_relay_counts pgo_relay_count(const pgo_relay *relay);

#endif
