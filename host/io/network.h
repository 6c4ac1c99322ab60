/* Networks as allow lists write them: "198.51.100.0/24", "2001:db8::/32", or an address alone.
 * Owns nothing. */
#ifndef PGO_IO_NETWORK_H
#define PGO_IO_NETWORK_H

#include "core/error.h"

#include <sys/socket.h>

typedef struct pgo_network {
    int family; /* AF_INET or AF_INET6 */
    unsigned bits;
    unsigned char address[16];
} pgo_network;

/* Fills *network; PGO_E_INVALID names the text. Bits beyond the prefix may be set in the text. */
int pgo_network_parse(pgo_network *network, const char *text, pgo_err *err) PGO_MUSTCHECK;
/* Does it cover the address? Families are never mixed. */
bool pgo_network_covers(const pgo_network *network, const struct sockaddr_storage *address);

#endif
