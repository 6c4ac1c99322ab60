/* One statement of the record on its PostgreSQL connection: sent, waited for with an end to the
 * wait, its answer read. Blocks, on the store's thread only. Knows nothing of transactions. */
#include "io/store_postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* The server gives up before we do, at 20 s: then the wait that was too long has a reason. */
enum { ANSWER_SECONDS = 23 };
#define NUMBER_SIZE 32

/* --- sending --- */

/* A NULL has no type of its own: the server takes that of the column. */
enum { OID_UNKNOWN = 0, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };

typedef struct parameters {
    Oid *types;
    const char **values;
    char (*numbers)[NUMBER_SIZE];
} parameters;

static void set_parameter(parameters *to, size_t i, const pgo_store_value *value) {
    to->values[i] = to->numbers[i];
    switch (value->type) {
    case PGO_STORE_INTEGER:
        to->types[i] = OID_INT8;
        snprintf(to->numbers[i], NUMBER_SIZE, "%" PRId64, value->integer);
        return;
    case PGO_STORE_REAL:
        to->types[i] = OID_FLOAT8;
        snprintf(to->numbers[i], NUMBER_SIZE, "%.17g", value->real);
        return;
    case PGO_STORE_TEXT:
        to->types[i] = OID_TEXT;
        to->values[i] = value->text;
        return;
    case PGO_STORE_NULL:
        to->types[i] = OID_UNKNOWN;
        to->values[i] = NULL;
        return;
    }
}

static bool send_statement(pgo_link *link, const pgo_store_statement *statement) {
    size_t count = statement->count;
    if (count == 0) {
        return PQsendQuery(link->conn, statement->sql);
    }
    parameters list = {.types = calloc(count, sizeof *list.types),
                       .values = calloc(count, sizeof *list.values),
                       .numbers = calloc(count, sizeof *list.numbers)};
    bool sent = false;
    if (list.types && list.values && list.numbers) {
        for (size_t i = 0; i < count; i++) {
            set_parameter(&list, i, &statement->params[i]);
        }
        sent = PQsendQueryParams(link->conn, statement->sql, (int)count, list.types, list.values,
                                 NULL, NULL, 0);
    }
    free(list.types);
    free(list.values);
    free(list.numbers);
    return sent;
}

/* PostgreSQL keeps no zero byte in a text; SQLite would. */
static bool has_zero_byte(const pgo_store_statement *statement) {
    for (size_t i = 0; i < statement->count; i++) {
        const pgo_store_value *value = &statement->params[i];
        if (value->type == PGO_STORE_TEXT && memchr(value->text, '\0', value->length)) {
            return true;
        }
    }
    return false;
}

/* --- waiting --- */

/* True when the socket is ready; false when there is no time left. */
static bool wait_ready(pgo_link *link, bool writing, uint64_t deadline) {
    struct pollfd fd = {.fd = PQsocket(link->conn),
                        .events = (short)(POLLIN | (writing ? POLLOUT : 0))};
    for (;;) {
        uint64_t now = uv_hrtime();
        int ready = now < deadline ? poll(&fd, 1, (int)((deadline - now) / 1000000) + 1) : 0;
        if (ready >= 0 || errno != EINTR) {
            return ready > 0;
        }
    }
}

/* False when there is no answer in time. A broken connection is an answer: PQgetResult tells it. */
static bool await_answer(pgo_link *link, uint64_t deadline) {
    for (;;) {
        int unsent = PQflush(link->conn);
        if (unsent < 0 || (unsent == 0 && !PQisBusy(link->conn))) {
            return true;
        }
        if (!wait_ready(link, unsent > 0, deadline)) {
            return false;
        }
        if (!PQconsumeInput(link->conn)) {
            return true;
        }
    }
}

/* --- the answer --- */

typedef struct sink {
    pgo_store_op *op; /* gets rows, changes, errors; with a value only errors */
    bool quiet;
    char *value; /* the first column of the first row; NULL: not wanted */
    size_t size;
} sink;

static int read_value(pgo_store_value *value, const PGresult *result, int row, int column) {
    enum { BOOL = 16, INT2 = 21, INT4 = 23, FLOAT4 = 700 };
    if (PQgetisnull(result, row, column)) {
        return 0; /* as it is */
    }
    const char *text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
    case BOOL:
        *value = (pgo_store_value){.type = PGO_STORE_INTEGER, .integer = text[0] == 't'};
        return 0;
    case INT2:
    case INT4:
    case OID_INT8:
        *value = (pgo_store_value){.type = PGO_STORE_INTEGER, .integer = strtoll(text, NULL, 10)};
        return 0;
    case FLOAT4:
    case OID_FLOAT8:
        *value = (pgo_store_value){.type = PGO_STORE_REAL, .real = strtod(text, NULL)};
        return 0;
    default:
        return pgo_store_value_text(value, text, (size_t)PQgetlength(result, row, column));
    }
}

static int keep_rows(pgo_store_rows *rows, const PGresult *result) {
    int columns = PQnfields(result);
    int status = pgo_store_rows_begin(rows, (size_t)columns);
    for (int i = 0; i < columns && status == 0; i++) {
        status = pgo_store_rows_name(rows, (size_t)i, PQfname(result, i));
    }
    for (int i = 0; i < PQntuples(result) && status == 0; i++) {
        pgo_store_value *row = pgo_store_rows_add(rows);
        status = row ? 0 : PGO_E_NOMEM;
        for (int column = 0; column < columns && status == 0; column++) {
            status = read_value(&row[column], result, i, column);
        }
    }
    return status;
}

static enum pgo_link_end take_rows(sink *to, const PGresult *result) {
    if (to->value && PQntuples(result) > 0) {
        snprintf(to->value, to->size, "%s", PQgetvalue(result, 0, 0));
    }
    if (to->quiet) {
        return PGO_LINK_DONE;
    }
    to->op->touched += PQntuples(result);
    if (keep_rows(&to->op->rows, result) == 0) {
        return PGO_LINK_DONE;
    }
    pgo_store_rows_nomem(to->op);
    return PGO_LINK_REFUSED;
}

static enum pgo_link_end take(pgo_link *link, sink *to, PGresult *result) {
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        return take_rows(to, result);
    case PGRES_COMMAND_OK:
        if (!to->quiet && *PQcmdTuples(result)) {
            to->op->changes = strtoll(PQcmdTuples(result), NULL, 10);
            to->op->touched += to->op->changes;
        }
        return PGO_LINK_DONE;
    case PGRES_EMPTY_QUERY:
        return PGO_LINK_DONE;
    default:
        return pgo_link_failed(link, to->op, result);
    }
}

/* To the end of the answer, so that the connection can take the next statement. The first failure
 * counts. */
static enum pgo_link_end read_answer(pgo_link *link, sink *to) {
    uint64_t deadline = uv_hrtime() + (uint64_t)ANSWER_SECONDS * 1000000000;
    enum pgo_link_end end = PGO_LINK_DONE;
    for (;;) {
        if (!await_answer(link, deadline)) {
            return pgo_link_lost(link, to->op, "the server does not answer");
        }
        PGresult *result = PQgetResult(link->conn);
        if (!result) {
            return end;
        }
        if (end == PGO_LINK_DONE) {
            end = take(link, to, result);
        }
        PQclear(result);
        if (!link->conn) {
            return end;
        }
    }
}

enum pgo_link_end pgo_link_run(pgo_link *link, pgo_store_op *op,
                               const pgo_store_statement *statement) {
    sink to = {.op = op};
    if (has_zero_byte(statement)) {
        pgo_fail(&op->op.err, PGO_E_INVALID, "a text with a zero byte cannot be stored");
        return PGO_LINK_REFUSED;
    }
    if (!send_statement(link, statement)) {
        return pgo_link_lost(link, op, PQerrorMessage(link->conn));
    }
    return read_answer(link, &to);
}

enum pgo_link_end pgo_link_value(pgo_link *link, pgo_store_op *op, const char *sql, char *value,
                                 size_t size) {
    sink to = {.op = op, .quiet = true, .value = value, .size = size};
    if (value) {
        *value = '\0';
    }
    if (!PQsendQuery(link->conn, sql)) {
        return pgo_link_lost(link, op, PQerrorMessage(link->conn));
    }
    return read_answer(link, &to);
}
