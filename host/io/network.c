/* Reads and compares networks. */
#include "io/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const char *text, pgo_err *err) {
    return pgo_fail(err, PGO_E_INVALID, "%.60s is not an address or a network", text);
}

/* "24" -> 24; more than `most`, or anything but digits, is refused. */
static int parse_bits(const char *text, unsigned most, unsigned *bits) {
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > most) {
        return -1;
    }
    *bits = (unsigned)value;
    return 0;
}

int pgo_network_parse(pgo_network *network, const char *text, pgo_err *err) {
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "/");
    if (length >= sizeof address) {
        return refuse(text, err);
    }
    memcpy(address, text, length);
    address[length] = '\0';
    memset(network, 0, sizeof *network);
    network->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    network->bits = network->family == AF_INET ? 32 : 128;
    if (inet_pton(network->family, address, network->address) != 1) {
        return refuse(text, err);
    }
    if (text[length] == '/' && parse_bits(text + length + 1, network->bits, &network->bits) < 0) {
        return refuse(text, err);
    }
    return 0;
}

bool pgo_network_covers(const pgo_network *network, const struct sockaddr_storage *address) {
    if (address->ss_family != network->family) {
        return false;
    }
    const void *at = network->family == AF_INET
                         ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                         : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address, at, whole) != 0) {
        return false;
    }
    unsigned char mask = (unsigned char)(0xff00u >> rest);
    return rest == 0 ||
           ((network->address[whole] ^ ((const unsigned char *)at)[whole]) & mask) == 0;
}
