/* The record's connection to a PostgreSQL server, and what errors mean to a user. Blocks, on the
 * store's thread only. Says host, port, database and user in its errors, never the password. */
#include "io/store_postgres.h"

#include "io/pg.h"
#include "io/pg_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_SERVER = 130000 };

/* The server's own limits, and reads that cannot write: a batch says `read write`. */
static const char session_settings[] =
    "set statement_timeout = 20000; set lock_timeout = 15000;"
    "set idle_in_transaction_session_timeout = 10000; set default_transaction_read_only = on;"
    "set default_transaction_isolation = 'read committed'; set synchronous_commit = on;"
    "set client_min_messages = warning; set search_path = pgorch";

/* A keyword and its value, which the URL may replace with its own; NULL: it may not. A server that
 * is silent is given up after about 25 s, in the middle of a write after 15 s. */
static const char *const always[][2] = {
    {"application_name", "pgorch record"},
    {"connect_timeout", "10"},
    {"keepalives", "1"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},
};
static const char *const imposed[][2] = {{"client_encoding", "UTF8"}, {"gssencmode", "disable"}};

/* --- what errors mean --- */

static const char *why(const char *sqlstate) {
    static const struct {
        const char *state, *reason;
    } reasons[] = {
        {"28", "the server refused the user or the password"},
        {"3D000", "there is no such database"},
        {"42501",
         "the role lacks a right: it needs CREATE on the database once, or a schema pgorch "
         "that is its own"},
        {"53100", "the server's disk is full"},
        {"53200", "the server has no memory"},
        {"53300", "the server has no free connection"},
        {"25006", "it cannot be written: the server is read-only"},
        {"55P03", "another process has held it for too long"},
        {"57014", "the server took too long"},
        {"57P03", "the server is starting up or shutting down"},
    };
    for (size_t i = 0; sqlstate && i < sizeof reasons / sizeof *reasons; i++) {
        if (strncmp(sqlstate, reasons[i].state, strlen(reasons[i].state)) == 0) {
            return reasons[i].reason;
        }
    }
    return NULL;
}

static enum pgo_link_end end_of(const char *sqlstate) {
    static const char *const lost[] = {"08", "57P01", "57P02", "57P03", "25P03", "57P05"};
    if (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0) {
        return PGO_LINK_AGAIN;
    }
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        if (strncmp(sqlstate, lost[i], strlen(lost[i])) == 0) {
            return PGO_LINK_LOST;
        }
    }
    return PGO_LINK_REFUSED;
}

/* libpq's text in one line: as the reason, or as its detail where we know better words. */
static void fail(pgo_link *link, pgo_store_op *op, const char *sqlstate, const char *text) {
    pgo_err *err = &op->op.err;
    const char *reason = why(sqlstate);
    char *line = pgo_pg_one_line(text ? text : "");
    pgo_fail(err, PGO_E_STORE, "the record of runs in %s: %s", link->where,
             reason          ? reason
             : line && *line ? line
                             : "the server gave no reason");
    if (reason) {
        pgo_err_detail(err, line);
    }
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate ? sqlstate : "");
    free(line);
}

enum pgo_link_end pgo_link_lost(pgo_link *link, pgo_store_op *op, const char *text) {
    fail(link, op, NULL, text);
    op->op.err.retryable = true;
    pgo_link_drop(link);
    return PGO_LINK_LOST;
}

enum pgo_link_end pgo_link_failed(pgo_link *link, pgo_store_op *op, const PGresult *result) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!sqlstate || PQstatus(link->conn) == CONNECTION_BAD) {
        return pgo_link_lost(link, op, PQresultErrorMessage(result));
    }
    enum pgo_link_end end = end_of(sqlstate);
    fail(link, op, sqlstate, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    op->op.err.retryable =
        end != PGO_LINK_REFUSED || strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "57014") == 0;
    return end;
}

/* --- settings --- */

static void wipe(char *text) {
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static const char *get(const pgo_link *link, const char *keyword) {
    for (size_t i = 0; i < link->count; i++) {
        if (link->keywords[i] && strcmp(link->keywords[i], keyword) == 0) {
            return link->values[i];
        }
    }
    return NULL;
}

/* Counts what it could not keep too: pgo_link_init looks for that. */
static void put(void *arg, const char *keyword, const char *value) {
    pgo_link *link = arg;
    if (link->count < PGO_LINK_SETTINGS) {
        link->keywords[link->count] = strdup(keyword);
        link->values[link->count++] = strdup(value);
    }
}

static void replace(pgo_link *link, const char *keyword, const char *value) {
    for (size_t i = 0; i < link->count; i++) {
        if (link->keywords[i] && strcmp(link->keywords[i], keyword) == 0) {
            wipe(link->values[i]);
            link->values[i] = strdup(value);
            return;
        }
    }
    put(link, keyword, value);
}

static int describe(pgo_link *link) {
    const char *host = get(link, "host"), *port = get(link, "port"), *user = get(link, "user");
    const char *dbname = get(link, "dbname");
    pgo_buffer where = {0};
    int status =
        pgo_buffer_printf(&where, "%s:%s/%s", host ? host : "local socket", port ? port : "5432",
                          dbname ? dbname
                          : user ? user
                                 : "");
    if (status == 0 && user) {
        status = pgo_buffer_printf(&where, " as %s", user);
    }
    link->where = where.data;
    return status;
}

static bool is_whole(const pgo_link *link) {
    for (size_t i = 0; i < link->count; i++) {
        if (!link->keywords[i] || !link->values[i]) {
            return false;
        }
    }
    return true;
}

int pgo_link_init(pgo_link *link, pgo_store_op *op) {
    int status = pgo_pg_uri_parse(op->place, put, link, &op->op.err);
    if (status < 0) {
        return status;
    }
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (!get(link, always[i][0])) {
            put(link, always[i][0], always[i][1]);
        }
    }
    for (size_t i = 0; i < sizeof imposed / sizeof *imposed; i++) {
        replace(link, imposed[i][0], imposed[i][1]);
    }
    return is_whole(link) && describe(link) == 0
               ? 0
               : pgo_fail(&op->op.err, PGO_E_NOMEM, "no memory for the record of runs");
}

void pgo_link_free(pgo_link *link) {
    pgo_link_drop(link);
    for (size_t i = 0; i < link->count; i++) {
        free(link->keywords[i]);
        wipe(link->values[i]);
    }
    free(link->where);
}

/* --- connecting --- */

static void no_notice(void *arg, const PGresult *result) {
    (void)arg;
    (void)result;
}

static enum pgo_link_end refuse(pgo_link *link, pgo_store_op *op, const char *reason) {
    pgo_fail(&op->op.err, PGO_E_STORE, "the record of runs in %s: %s", link->where, reason);
    return PGO_LINK_REFUSED;
}

/* Once connected, a server that cannot be reached may be back in a moment; a wrong password stays
 * one.
 */
static enum pgo_link_end not_connected(pgo_link *link, pgo_store_op *op, const char *text) {
    pgo_pg_params shown = {.where = link->where,
                           .keywords = link->keywords,
                           .values = link->values,
                           .count = link->count};
    pgo_err reason = PGO_ERR_INIT;
    int code = pgo_pg_fail_connect(&reason, &shown, text);
    pgo_fail(&op->op.err, PGO_E_STORE, "the record of runs: %s",
             reason.message ? reason.message : "no connection");
    op->op.err.retryable = reason.retryable;
    pgo_err_clear(&reason);
    return code == PGO_E_PG_CONNECT ? PGO_LINK_LOST : PGO_LINK_REFUSED;
}

static enum pgo_link_end check_server(pgo_link *link, pgo_store_op *op) {
    const char *encoding = PQparameterStatus(link->conn, "server_encoding");
    const char *standby = PQparameterStatus(link->conn, "in_hot_standby");
    if (PQserverVersion(link->conn) < OLDEST_SERVER) {
        return refuse(link, op, "the server is older than PostgreSQL 13");
    }
    if (encoding && strcmp(encoding, "UTF8") != 0) {
        return refuse(link, op, "the database's encoding is not UTF8");
    }
    if (standby && strcmp(standby, "on") == 0) {
        return refuse(link, op, why("25006"));
    }
    return PGO_LINK_DONE;
}

enum pgo_link_end pgo_link_connect(pgo_link *link, pgo_store_op *op) {
    if (link->conn) {
        return PGO_LINK_DONE;
    }
    link->conn = PQconnectdbParams((const char *const *)link->keywords,
                                   (const char *const *)link->values, 0);
    enum pgo_link_end end;
    if (PQstatus(link->conn) != CONNECTION_OK) {
        end = not_connected(link, op, link->conn ? PQerrorMessage(link->conn) : "out of memory");
    } else {
        PQsetNoticeReceiver(link->conn, no_notice, NULL);
        PQsetnonblocking(link->conn, 1); /* a large text must not wait for ever to be taken */
        end = check_server(link, op);
        if (end == PGO_LINK_DONE) {
            end = pgo_link_value(link, op, session_settings, NULL, 0);
        }
    }
    if (end != PGO_LINK_DONE) {
        pgo_link_drop(link);
    }
    return end;
}

void pgo_link_drop(pgo_link *link) {
    PQfinish(link->conn); /* NULL is fine */
    link->conn = NULL;
}
