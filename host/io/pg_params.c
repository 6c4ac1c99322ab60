/* How to connect: what the caller gave, checked and completed with what pgorch always wants.
 * Owns the only copies of the password and the CA that a connection keeps, and wipes them. */
#include "io/pg_private.h"

#include <stdlib.h>
#include <string.h>

/* A dead peer is noticed after about 70 s, during a long COPY too, instead of after two hours. */
static const char *const always[] = {
    "application_name",
    "pgorch",
    "client_encoding",
    "UTF8",
    "gssencmode",
    "disable",
    "keepalives",
    "1",
    "keepalives_idle",
    "10",
    "keepalives_interval",
    "10",
    "keepalives_count",
    "6",
    NULL,
};

/* Set by the connection itself, last of all. */
static const char *const own[] = {"host", "hostaddr", "port", "connect_timeout", NULL};

static bool is_own(const char *keyword) {
    for (size_t i = 0; own[i]; i++) {
        if (strcmp(own[i], keyword) == 0) {
            return true;
        }
    }
    return false;
}

static char *copy(const char *text) {
    return strdup(text ? text : "");
}

static void wipe(char *text) {
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

/* A keyword given again replaces its value. */
static int put(pgo_pg_params *params, const char *keyword, const char *value) {
    if (!value || !*value) {
        return 0;
    }
    char *fresh = copy(value);
    if (!fresh) {
        return PGO_E_NOMEM;
    }
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(params->keywords[i], keyword) == 0) {
            wipe(params->values[i]);
            params->values[i] = fresh;
            return 0;
        }
    }
    params->keywords[params->count] = copy(keyword);
    params->values[params->count] = fresh;
    return params->keywords[params->count++] ? 0 : PGO_E_NOMEM;
}

static size_t pairs(const char *const *list) {
    size_t count = 0;
    while (list && list[2 * count]) {
        count++;
    }
    return count;
}

static int put_all(pgo_pg_params *params, const pgo_pg_options *options) {
    for (size_t i = 0; always[i]; i += 2) {
        if (put(params, always[i], always[i + 1])) {
            return PGO_E_NOMEM;
        }
    }
    for (size_t i = 0; options->extra && options->extra[i]; i += 2) {
        if (!is_own(options->extra[i]) && put(params, options->extra[i], options->extra[i + 1])) {
            return PGO_E_NOMEM;
        }
    }
    const char *sslmode = options->sslmode;
    if ((!sslmode || !*sslmode) && options->ca_pem && *options->ca_pem) {
        sslmode = "verify-full";
    }
    if (put(params, "user", options->user) || put(params, "password", options->password) ||
        put(params, "dbname", options->dbname) || put(params, "sslmode", sslmode)) {
        return PGO_E_NOMEM;
    }
    return 0;
}

static size_t list_length(const char *list) {
    size_t count = 1;
    for (; *list; list++) {
        count += *list == ',';
    }
    return count;
}

/* The text of a wrong port is not shown: a password with a '/' in a URI ends up there. */
static int check_ports(const pgo_pg_params *params, pgo_err *err) {
    size_t ports = list_length(params->port);
    if (ports != 1 && ports != list_length(params->host)) {
        return pgo_fail(err, PGO_E_INVALID, "%zu ports were given for %zu hosts", ports,
                        list_length(params->host));
    }
    for (const char *at = params->port; *at; at += *at == ',') {
        char *end = (char *)at;
        unsigned long port = *at == ',' ? 5432 : strtoul(at, &end, 10);
        bool digit = *at == ',' || (*at >= '0' && *at <= '9');
        if (!digit || port < 1 || port > 65535 || (*end && *end != ',')) {
            return pgo_fail(err, PGO_E_INVALID, "a database port must be a number from 1 to 65535");
        }
        at = end;
    }
    return 0;
}

static int check_host(const pgo_pg_params *params, pgo_err *err) {
    if (strchr(params->host, '@') && params->host[0] != '@') {
        return pgo_fail(err, PGO_E_INVALID,
                        "a database host holds an '@': percent-encode the "
                        "characters @ : / ? # %% in the password of a database URI");
    }
    return 0;
}

static int describe(pgo_pg_params *params, const pgo_pg_options *options) {
    pgo_buffer where = {0};
    const char *host = *params->host ? params->host : "local socket";
    bool bare = strchr(host, ':') && !strchr(host, ','); /* an IPv6 address */
    int status = pgo_buffer_printf(&where, bare ? "[%s]:%s/%s" : "%s:%s/%s", host,
                                   *params->port ? params->port : "5432",
                                   options->dbname ? options->dbname : "");
    if (status == 0 && options->user && *options->user) {
        status = pgo_buffer_printf(&where, " as %s", options->user);
    }
    params->where = where.data;
    return status;
}

int pgo_pg_params_new(pgo_pg_params **out, const pgo_pg_options *options, pgo_err *err) {
    pgo_pg_params *params = calloc(1, sizeof *params);
    int status = PGO_E_NOMEM;
    if (!params) {
        goto out;
    }
    params->refs = 1;
    size_t most = pairs(always) + pairs(options->extra) + 5;
    const char *host = options->host && *options->host ? options->host : getenv("PGHOST");
    params->host = copy(host);
    params->port = copy(options->port);
    params->keywords = calloc(most, sizeof *params->keywords);
    params->values = calloc(most, sizeof *params->values);
    params->timeout = options->connect_timeout > 0 ? options->connect_timeout : 10;
    if (!params->host || !params->port || !params->keywords || !params->values) {
        goto out;
    }
    if (options->ca_pem && *options->ca_pem && !(params->ca_pem = copy(options->ca_pem))) {
        goto out;
    }
    if (put_all(params, options) || describe(params, options)) {
        goto out;
    }
    status = check_host(params, err);
    if (status == 0) {
        status = check_ports(params, err);
    }
out:
    if (status == 0) {
        *out = params;
        return 0;
    }
    pgo_pg_params_unref(params);
    return status == PGO_E_NOMEM ? pgo_fail(err, status, "out of memory") : status;
}

pgo_pg_params *pgo_pg_params_ref(pgo_pg_params *params) {
    params->refs++;
    return params;
}

void pgo_pg_params_unref(pgo_pg_params *params) {
    if (!params || --params->refs > 0) {
        return;
    }
    for (size_t i = 0; i < params->count; i++) {
        free(params->keywords[i]);
        wipe(params->values[i]);
    }
    free(params->keywords);
    free(params->values);
    free(params->host);
    free(params->port);
    free(params->ca_pem);
    free(params->where);
    free(params);
}
