/* libpq's error texts and SQLSTATEs as pgorch errors. Never a password, never a statement's text.
 * While connecting libpq gives no SQLSTATE except inside its verbose text: it is read from there.
 */
#include "core/utf8.h"
#include "io/pg_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "FATAL:  28P01: password ..." : the colon and two spaces stay when the severity is translated. */
static const char *find_sqlstate(const char *text) {
    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  ")) {
        const char *code = at + 3;
        size_t length = strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (length == 5 && code[5] == ':' && code[6] == ' ') {
            return code;
        }
    }
    return NULL;
}

/* Drops "LOCATION:  auth_failed, auth.c:338" and turns line ends into "; " or a space. */
char *pgo_pg_one_line(const char *text) {
    char *line = malloc(2 * strlen(text) + 1);
    size_t out = 0;
    if (!line) {
        return NULL;
    }
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length > 0 && strncmp(text, "LOCATION:  ", 11) != 0) {
            if (out > 0) {
                line[out++] = ';';
                line[out++] = ' ';
            }
            for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)text[i];
                bool blank = c == '\t' || c == ' ' || c == '\r';
                if (!(blank && out > 0 && line[out - 1] == ' ')) {
                    line[out++] = iscntrl(c) ? ' ' : (char)c;
                }
            }
        }
        text += length + (text[length] == '\n');
    }
    line[out] = '\0';
    return line;
}

static bool any(const char *text, const char *const *words) {
    for (; *words; words++) {
        if (strstr(text, *words)) {
            return true;
        }
    }
    return false;
}

/* With sslmode=prefer libpq tries again without TLS after a connection was lost in the handshake.
 * That the server takes nobody without TLS is then not what went wrong. */
static bool tls_was_lost(const char *text) {
    static const char *const lost[] = {"Connection reset", "unexpectedly", "EOF detected", NULL};
    return strstr(text, "no pg_hba.conf entry") && strstr(text, "no encryption") && any(text, lost);
}

static int connect_code(const char *text, const char *sqlstate) {
    static const char *const auth[] = {"password authentication failed", "no password supplied",
                                       "SCRAM", NULL};
    static const char *const net[] = {
        "Connection refused", "Connection reset", "timed out", "unreachable",
        "No route to host",   "EOF detected",     NULL};
    static const char *const tls[] = {"SSL", "certificate", "TLS", "server does not support", NULL};
    static const char *const invalid[] = {"invalid connection option",
                                          "invalid sslmode value",
                                          "invalid integer value",
                                          "invalid channel_binding value",
                                          "invalid target_session_attrs value",
                                          "could not match",
                                          "invalid ssl_min_protocol_version",
                                          NULL};
    if (sqlstate) {
        bool refused = strncmp(sqlstate, "28", 2) == 0;
        return refused ? PGO_E_PG_AUTH : PGO_E_PG_CONNECT;
    }
    if (any(text, invalid)) {
        return PGO_E_INVALID;
    }
    if (any(text, auth)) {
        return PGO_E_PG_AUTH;
    }
    return !any(text, net) && any(text, tls) ? PGO_E_TLS : PGO_E_PG_CONNECT;
}

static bool connect_retryable(const char *text, const char *sqlstate) {
    static const char *const passing[] = {"refused",      "reset",        "timed out",
                                          "unreachable",  "No route",     "unexpectedly",
                                          "EOF detected", "No such file", NULL};
    static const char *const states[] = {"57P03", "53300", "57P01", "57P02",
                                         "08006", "08001", NULL};
    return sqlstate ? any(sqlstate, states) : any(text, passing);
}

/* `connection to server at "h" (1.2.3.4), port 5432 failed: ` says again what our message says. */
static const char *skip_prefix(const char *text) {
    static const char begin[] = "connection to server ";
    static const char end[] = " failed: ";
    const char *at = strstr(text, end);
    bool once = strncmp(text, begin, sizeof begin - 1) == 0 && at && !strstr(at + 1, begin);
    return once ? at + sizeof end - 1 : text;
}

static void cut_sqlstate(char *text, const char *sqlstate) {
    for (char *at = strstr(text, sqlstate); at; at = strstr(at, sqlstate)) {
        if (strncmp(at + 5, ": ", 2) == 0) {
            memmove(at, at + 7, strlen(at + 7) + 1);
        } else {
            at += 5;
        }
    }
}

/* To the server, "müller" in Latin-1 is another password than in UTF-8, though both look right. */
static const char *password_doubt(const pgo_pg_params *params) {
    for (size_t i = 0; i < params->count; i++) {
        const char *value = params->values[i];
        if (strcmp(params->keywords[i], "password") == 0 && !pgo_utf8_valid(value, strlen(value))) {
            return " (the password is not valid UTF-8: was it written down in another encoding?)";
        }
    }
    return "";
}

int pgo_pg_fail_connect(pgo_err *err, const pgo_pg_params *params, const char *text) {
    const char *found = find_sqlstate(text);
    char sqlstate[6] = "";
    char *line = pgo_pg_one_line(text);
    if (!line) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    if (found) {
        memcpy(sqlstate, found, 5);
        cut_sqlstate(line, sqlstate);
    }
    bool tls_lost = tls_was_lost(text);
    if (tls_lost) {
        found = NULL;
        sqlstate[0] = '\0';
    }
    int code = tls_lost ? PGO_E_PG_CONNECT : connect_code(text, found ? sqlstate : NULL);
    bool slow = strstr(text, "timed out") != NULL;
    const char *hint = slow ? " (is this machine's address in the database's allow list?)"
                       : code == PGO_E_PG_AUTH ? password_doubt(params)
                                               : "";
    pgo_fail(err, code, "cannot connect to %s: %s%s", params->where, skip_prefix(line), hint);
    err->retryable = code == PGO_E_PG_CONNECT && connect_retryable(text, found ? sqlstate : NULL);
    memcpy(err->sqlstate, sqlstate, sizeof sqlstate);
    free(line);
    return code;
}

/* After FATAL the server closes the connection, though libpq may not have seen that yet. */
static bool says_lost(const PGresult *result) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static bool query_retryable(const char *sqlstate) {
    static const char *const states[] = {"40001", "40P01", "55P03", "53300", NULL};
    return any(sqlstate, states);
}

static int add_field(pgo_buffer *out, const char *title, const char *value) {
    if (!value || !*value) {
        return 0;
    }
    return pgo_buffer_printf(out, "%s%s: %s", out->length ? "\n" : "", title, value);
}

static void set_detail(pgo_err *err, const PGresult *result) {
    pgo_buffer detail = {0};
    if (add_field(&detail, "DETAIL", PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL)) == 0 &&
        add_field(&detail, "HINT", PQresultErrorField(result, PG_DIAG_MESSAGE_HINT)) == 0 &&
        add_field(&detail, "CONTEXT", PQresultErrorField(result, PG_DIAG_CONTEXT)) == 0 &&
        detail.length > 0) {
        pgo_err_detail(err, detail.data);
    }
    pgo_buffer_free(&detail);
}

int pgo_pg_fail_query(pgo_err *err, const pgo_pg *conn, const PGresult *result) {
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!text) {
        text = result ? PQresultErrorMessage(result) : conn->pg ? PQerrorMessage(conn->pg) : "";
    }
    bool broken = !conn->pg || PQstatus(conn->pg) == CONNECTION_BAD;
    bool lost = broken || (result && says_lost(result));
    char *line = pgo_pg_one_line(text);
    if (!line) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    int code = lost ? PGO_E_PG_LOST : PGO_E_PG_QUERY;
    if (lost) {
        pgo_fail(err, code, "the connection to %s was lost: %s", conn->params->where, line);
    } else {
        pgo_fail(err, code, "%s", line);
    }
    free(line);
    err->retryable = lost || (sqlstate && query_retryable(sqlstate));
    if (sqlstate && strlen(sqlstate) == 5) {
        memcpy(err->sqlstate, sqlstate, 6);
    }
    if (result) {
        set_detail(err, result);
    }
    return code;
}
