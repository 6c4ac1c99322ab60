/* Connecting: names to addresses by the uv pool, then libpq over every address, under our own limit
 * of time (libpq's connect_timeout is for its blocking calls only). libpq never gets to look up a
 * name: it would block. Owns the lookup, the timer and the CA's memory until the attempt has ended.
 */
#include "io/pg_private.h"

#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define USER_TIMEOUT_MS 60000

/* Outlives the op when it is given up: a lookup cannot be interrupted. */
struct pgo_pg_lookup {
    uv_getaddrinfo_t request;
    pgo_pg_connect *owner; /* NULL: given up */
    char *host;
};

static void next_host(pgo_pg_connect *connect);

static pgo_pg_connect *from_op(pgo_op *op) {
    return (pgo_pg_connect *)(void *)op;
}

/* --- the end --- */

static void settle(pgo_pg_connect *connect) {
    pgo_pg_timer_stop(&connect->timer);
    if (connect->lookup) {
        connect->lookup->owner = NULL;
        uv_cancel((uv_req_t *)&connect->lookup->request);
        connect->lookup = NULL;
    }
    if (*connect->ca_path) {
        close(connect->ca_fd);
        *connect->ca_path = '\0';
    }
    if (connect->conn) {
        connect->conn->step = NULL;
        connect->conn->user = NULL;
    }
}

/* op.err is filled. */
static void give_up(pgo_pg_connect *connect) {
    settle(connect);
    pgo_pg_unref(connect->conn);
    connect->conn = NULL;
    pgo_op_complete(&connect->op, connect->op.err.code);
}

static void out_of_memory(pgo_pg_connect *connect) {
    pgo_fail(&connect->op.err, PGO_E_NOMEM, "out of memory");
    give_up(connect);
}

static void timed_out(uv_timer_t *timer) {
    pgo_pg_connect *connect = timer->data;
    if (connect->lookup) {
        pgo_fail(&connect->op.err, PGO_E_DNS, "looking up the host %s took more than %g s",
                 connect->lookup->host, connect->timeout);
    } else {
        pgo_fail(&connect->op.err, PGO_E_PG_CONNECT,
                 "cannot connect to %s: no answer within %g s "
                 "(is this machine's address in the database's allow list?)",
                 connect->params->where, connect->timeout);
    }
    connect->op.err.retryable = true;
    give_up(connect);
}

/* --- libpq --- */

static void connected(pgo_pg_connect *connect) {
    pgo_pg *conn = connect->conn;
#ifdef TCP_USER_TIMEOUT
    /* While connecting it was each address's share of the time. */
    unsigned limit = USER_TIMEOUT_MS;
    if (PQsocket(conn->pg) >= 0) { /* fails on a socket directory, where it has no meaning */
        (void)setsockopt(PQsocket(conn->pg), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
    }
#endif
    PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
    if (PQsetnonblocking(conn->pg, 1) != 0) {
        pgo_pg_fail_connect(&connect->op.err, connect->params, PQerrorMessage(conn->pg));
        give_up(connect);
        return;
    }
    settle(connect);
    pgo_op_complete(&connect->op, 0);
}

static void wait_for(pgo_pg_connect *connect, int events) {
    if (pgo_pg_watch(connect->conn, events, &connect->op.err)) {
        give_up(connect);
    }
}

/* PQconnectPoll may close the socket and open another, under the same number too. */
static void connect_step(pgo_pg *conn, pgo_op *op) {
    pgo_pg_connect *connect = from_op(op);
    pgo_pg_unwatch(conn);
    switch (PQconnectPoll(conn->pg)) {
    case PGRES_POLLING_OK:
        connected(connect);
        break;
    case PGRES_POLLING_READING:
        wait_for(connect, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        wait_for(connect, UV_WRITABLE);
        break;
    default:
        pgo_pg_fail_connect(&connect->op.err, connect->params, PQerrorMessage(conn->pg));
        give_up(connect);
    }
}

static PGconn *start_libpq(pgo_pg_connect *connect, const char *user_timeout) {
    const pgo_pg_params *params = connect->params;
    const char **keywords = calloc(params->count + 6, sizeof *keywords);
    const char **values = calloc(params->count + 6, sizeof *values);
    PGconn *pg = NULL;
    if (keywords && values) {
        const char *place[][2] = {
            {"host", connect->hosts.data},     {"hostaddr", connect->addresses.data},
            {"port", connect->ports.data},     {"tcp_user_timeout", user_timeout},
            {"sslrootcert", connect->ca_path},
        };
        size_t at = 0;
        for (size_t i = 0; i < params->count; i++, at++) {
            keywords[at] = params->keywords[i];
            values[at] = params->values[i];
        }
        for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
            if (place[i][1] && *place[i][1]) { /* of a keyword given twice, libpq takes the last */
                keywords[at] = place[i][0];
                values[at++] = place[i][1];
            }
        }
        pg = PQconnectStartParams(keywords, values, 0);
    }
    free(keywords);
    free(values);
    return pg;
}

static void begin(pgo_pg_connect *connect) {
    char user_timeout[32];
    double share = connect->timeout * 1000 / (double)connect->count;
    snprintf(user_timeout, sizeof user_timeout, "%d",
             share < 2000      ? 2000
             : share > INT_MAX ? INT_MAX
                               : (int)share);
    const char *pem = connect->params->ca_pem;
    if (pem && pgo_pg_ca_open(pem, &connect->ca_fd, connect->ca_path, sizeof connect->ca_path,
                              &connect->op.err)) {
        give_up(connect);
        return;
    }
    pgo_pg *conn = pgo_pg_new(connect->op.loop, connect->params);
    connect->conn = conn;
    if (!conn || !(conn->pg = start_libpq(connect, user_timeout))) {
        out_of_memory(connect);
        return;
    }
    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        pgo_pg_fail_connect(&connect->op.err, connect->params, PQerrorMessage(conn->pg));
        give_up(connect);
        return;
    }
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE); /* the only way to an SQLSTATE here */
    PQsetNoticeReceiver(conn->pg, pgo_pg_notice_receive, conn);
    conn->user = &connect->op;
    conn->step = connect_step;
    wait_for(connect, UV_WRITABLE);
}

/* --- names --- */

static int add_address(pgo_pg_connect *connect, const char *host, const char *address,
                       const char *port) {
    const char *comma = connect->count ? "," : "";
    if (pgo_buffer_printf(&connect->hosts, "%s%s", comma, host) ||
        pgo_buffer_printf(&connect->addresses, "%s%s", comma, address) ||
        pgo_buffer_printf(&connect->ports, "%s%s", comma, port)) {
        return PGO_E_NOMEM;
    }
    connect->count++;
    return 0;
}

/* The index-th entry of a comma list, in fresh memory; of a list of one, always that. */
static char *entry(const char *list, size_t index) {
    if (!strchr(list, ',')) {
        return strdup(list);
    }
    for (; index > 0; index--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return strndup(list, strcspn(list, ","));
}

static int add_found(pgo_pg_connect *connect, const char *host, struct addrinfo *found) {
    char *port = entry(connect->params->port, connect->next - 1);
    int status = port ? 0 : PGO_E_NOMEM;
    for (struct addrinfo *one = found; one && status == 0; one = one->ai_next) {
        char address[NI_MAXHOST];
        if (getnameinfo(one->ai_addr, one->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            status = add_address(connect, host, address, port);
        }
    }
    free(port);
    return status;
}

static void looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    struct pgo_pg_lookup *lookup = request->data;
    pgo_pg_connect *connect = lookup->owner;
    if (connect) {
        connect->lookup = NULL;
        if (status < 0) { /* counts only if no other host of the list can be found */
            pgo_fail(&connect->lookup_err, PGO_E_DNS, "the host %s was not found: %s", lookup->host,
                     uv_strerror(status));
            connect->lookup_err.retryable = status == UV_EAI_AGAIN;
        }
        if (status == 0 && add_found(connect, lookup->host, found)) {
            out_of_memory(connect);
        } else {
            next_host(connect);
        }
    }
    uv_freeaddrinfo(found);
    free(lookup->host);
    free(lookup);
}

static void look_up(pgo_pg_connect *connect, const char *host) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct pgo_pg_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup || !(lookup->host = strdup(host))) {
        free(lookup);
        out_of_memory(connect);
        return;
    }
    lookup->owner = connect;
    lookup->request.data = lookup;
    int status =
        uv_getaddrinfo(&connect->op.loop->uv, &lookup->request, looked_up, host, NULL, &hints);
    if (status < 0) { /* a name that cannot be one at all */
        pgo_fail(&connect->lookup_err, PGO_E_DNS, "the host %s was not found: %s", host,
                 uv_strerror(status));
        free(lookup->host);
        free(lookup);
        next_host(connect);
        return;
    }
    connect->lookup = lookup;
}

static bool needs_lookup(const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    return *host && *host != '/' && *host != '@' && uv_inet_pton(AF_INET, host, address) != 0 &&
           uv_inet_pton(AF_INET6, host, address) != 0;
}

static size_t host_count(const char *list) {
    size_t count = 1;
    for (; *list; list++) {
        count += *list == ',';
    }
    return count;
}

static void next_host(pgo_pg_connect *connect) {
    const pgo_pg_params *params = connect->params;
    while (connect->next < host_count(params->host)) {
        char *host = entry(params->host, connect->next);
        char *port = entry(params->port, connect->next);
        bool numeric = host && *host && *host != '/' && *host != '@';
        int status = host && port ? 0 : PGO_E_NOMEM;
        connect->next++;
        if (status == 0 && needs_lookup(host)) {
            look_up(connect, host);
            free(host);
            free(port);
            return;
        }
        if (status == 0) {
            status = add_address(connect, host, numeric ? host : "", port);
        }
        free(host);
        free(port);
        if (status) {
            out_of_memory(connect);
            return;
        }
    }
    if (connect->count == 0) {
        pgo_err_move(&connect->op.err, &connect->lookup_err);
        give_up(connect);
        return;
    }
    begin(connect);
}

/* --- the op --- */

static void connect_start(pgo_op *op) {
    pgo_pg_connect *connect = from_op(op);
    connect->timer = pgo_pg_timer(op->loop, connect->timeout, timed_out, connect);
    if (!connect->timer) {
        out_of_memory(connect);
        return;
    }
    next_host(connect);
}

static void connect_cancel(pgo_op *op) {
    pgo_fail(&op->err, PGO_E_CANCELED, "connecting was cancelled");
    give_up(from_op(op));
}

static void connect_release(pgo_op *op) {
    pgo_pg_connect *connect = from_op(op);
    pgo_pg_unref(connect->conn);
    connect->conn = NULL;
    pgo_pg_params_unref(connect->params);
    connect->params = NULL;
    pgo_buffer_free(&connect->hosts);
    pgo_buffer_free(&connect->addresses);
    pgo_buffer_free(&connect->ports);
    pgo_err_clear(&connect->lookup_err);
}

static const pgo_op_type connect_type = {"pg.connect", connect_start, connect_cancel,
                                         connect_release};

int pgo_pg_connect_init(pgo_pg_connect *connect, pgo_loop *loop, const pgo_pg_options *options,
                        pgo_err *err) {
    memset(connect, 0, sizeof *connect);
    pgo_op_init(&connect->op, &connect_type, loop);
    int status = pgo_pg_params_new(&connect->params, options, err);
    connect->timeout = status == 0 ? connect->params->timeout : 0;
    return status;
}

void pgo_pg_connect_init_like(pgo_pg_connect *connect, const pgo_pg *like, double timeout) {
    memset(connect, 0, sizeof *connect);
    pgo_op_init(&connect->op, &connect_type, like->loop);
    connect->params = pgo_pg_params_ref(like->params);
    connect->timeout = timeout;
}

int pgo_pg_library_version(void) {
    return PQlibVersion();
}
