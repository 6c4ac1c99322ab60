/* The SQLite half of the store: opening, transactions, rows, and what its errors mean to a user.
 * Runs on the store's thread only; owns nothing but the statement at hand. */
#include "io/store_home.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MILLISECONDS = 15000 };

static const char *why(int code) {
    switch (code & 0xff) {
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "it cannot be written: the file or its folder is read-only";
    case SQLITE_CANTOPEN:
        return "it cannot be opened: check the folder and its permissions";
    case SQLITE_CORRUPT:
        return "the file is damaged";
    case SQLITE_NOTADB:
        return "the file is no SQLite database, or it is damaged";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another process has held it for too long";
    case SQLITE_IOERR:
        return "the disk gave an error";
    default:
        return NULL;
    }
}

static int fail(sqlite3 *db, pgo_store_op *op) {
    int code = sqlite3_extended_errcode(db);
    const char *file = sqlite3_db_filename(db, "main");
    const char *reason = why(code);
    if ((code & 0xff) == SQLITE_NOMEM) {
        return pgo_fail(&op->op.err, PGO_E_NOMEM, "no memory for the record of runs");
    }
    pgo_fail(&op->op.err, PGO_E_STORE, "the record of runs %s: %s", file ? file : "",
             reason ? reason : sqlite3_errmsg(db));
    if (reason) {
        pgo_err_detail(&op->op.err, sqlite3_errmsg(db));
    }
    op->op.err.retryable = (code & 0xff) == SQLITE_BUSY;
    return PGO_E_STORE;
}

/* --- one statement --- */

static int bind_one(sqlite3_stmt *statement, int index, const pgo_store_value *value) {
    switch (value->type) {
    case PGO_STORE_INTEGER:
        return sqlite3_bind_int64(statement, index, value->integer);
    case PGO_STORE_REAL:
        return sqlite3_bind_double(statement, index, value->real);
    case PGO_STORE_TEXT:
        return sqlite3_bind_text64(statement, index, value->text, value->length, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case PGO_STORE_NULL:
        break;
    }
    return sqlite3_bind_null(statement, index);
}

/* "$3" is a *name* to SQLite, so that the same SQL serves PostgreSQL; its number is in the name. */
static int bind_all(sqlite3_stmt *statement, const pgo_store_statement *from) {
    int many = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= many; i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        size_t number = name && name[0] == '$' ? strtoul(name + 1, NULL, 10) : 0;
        if (number == 0 || number > from->count) {
            return SQLITE_RANGE;
        }
        int status = bind_one(statement, i, &from->params[number - 1]);
        if (status != SQLITE_OK) {
            return status;
        }
    }
    return SQLITE_OK;
}

static int start_rows(pgo_store_rows *rows, sqlite3_stmt *statement) {
    size_t columns = (size_t)sqlite3_column_count(statement);
    int status = pgo_store_rows_begin(rows, columns);
    for (size_t i = 0; i < columns && status == 0; i++) {
        status = pgo_store_rows_name(rows, i, sqlite3_column_name(statement, (int)i));
    }
    return status;
}

static int read_column(pgo_store_value *value, sqlite3_stmt *statement, int column) {
    *value = (pgo_store_value){.type = PGO_STORE_NULL};
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        value->type = PGO_STORE_INTEGER;
        value->integer = sqlite3_column_int64(statement, column);
        return 0;
    case SQLITE_FLOAT:
        value->type = PGO_STORE_REAL;
        value->real = sqlite3_column_double(statement, column);
        return 0;
    case SQLITE_NULL:
        return 0;
    default: {
        const void *text = sqlite3_column_text(statement, column);
        size_t length = (size_t)sqlite3_column_bytes(statement, column);
        return text ? pgo_store_value_text(value, text, length) : PGO_E_NOMEM;
    }
    }
}

static int add_row(pgo_store_rows *rows, sqlite3_stmt *statement) {
    pgo_store_value *row = pgo_store_rows_add(rows);
    for (size_t i = 0; row && i < rows->columns; i++) {
        if (read_column(&row[i], statement, (int)i) < 0) {
            return PGO_E_NOMEM;
        }
    }
    return row ? 0 : PGO_E_NOMEM;
}

static int step_all(sqlite3 *db, sqlite3_stmt *statement, pgo_store_op *op) {
    bool gives_rows = sqlite3_column_count(statement) > 0;
    if (gives_rows && start_rows(&op->rows, statement) < 0) {
        return pgo_store_rows_nomem(op);
    }
    int status = sqlite3_step(statement);
    for (; status == SQLITE_ROW; status = sqlite3_step(statement)) {
        if (add_row(&op->rows, statement) < 0) {
            return pgo_store_rows_nomem(op);
        }
        op->touched++;
    }
    if (status != SQLITE_DONE) {
        return fail(db, op);
    }
    if (!sqlite3_stmt_readonly(statement)) {
        op->changes = sqlite3_changes64(db);
        op->touched += op->changes;
    }
    return 0;
}

/* Runs every statement of the text. */
static int run_text(sqlite3 *db, pgo_store_op *op, const pgo_store_statement *from) {
    const char *rest = from->sql;
    int status = 0;
    while (status == 0 && *rest) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(db, rest, -1, &statement, &rest) != SQLITE_OK) {
            return fail(db, op);
        }
        if (!statement) {
            continue; /* blanks or a comment */
        }
        if (bind_all(statement, from) != SQLITE_OK) {
            status = pgo_fail(&op->op.err, PGO_E_BUG, "a parameter is missing for: %s", from->sql);
        } else {
            status = step_all(db, statement, op);
        }
        sqlite3_finalize(statement);
    }
    return status;
}

static int run_sql(sqlite3 *db, pgo_store_op *op, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, op);
}

/* --- the requests --- */

static int run_statements(sqlite3 *db, pgo_store_op *op) {
    int status = 0;
    for (size_t i = 0; i < op->count && status == 0; i++) {
        op->touched = 0;
        status = run_text(db, op, &op->statements[i]);
        if (status == 0) {
            status = pgo_store_touched(op, &op->statements[i]);
        }
    }
    return status;
}

static int run_batch(sqlite3 *db, pgo_store_op *op) {
    int status = run_sql(db, op, "begin immediate");
    if (status < 0) {
        return status;
    }
    status = run_statements(db, op);
    if (status == 0) {
        status = run_sql(db, op, "commit");
    }
    if (status < 0 && !sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    }
    return status;
}

/* Makes the folders above the file, each 0700; those that exist are left as they are. */
static int make_folders(const char *path, pgo_err *err) {
    char *copy = strdup(path);
    if (!copy) {
        return pgo_fail(err, PGO_E_NOMEM, "no memory for a path");
    }
    int status = 0;
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
            status = pgo_fail(err, PGO_E_STORE, "the folder %s for the record of runs: %s", copy,
                              strerror(errno));
            break;
        }
        *slash = '/';
    }
    free(copy);
    return status;
}

/* SQLite would create the file readable by others; the WAL takes the mode of the file. */
static int make_file(const char *path, pgo_err *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        return pgo_fail(err, PGO_E_STORE, "the record of runs %s: %s", path, strerror(errno));
    }
    close(fd);
    return 0;
}

static int configure(sqlite3 *db, pgo_store_op *op) {
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MILLISECONDS);
    return run_sql(db, op,
                   "pragma journal_mode = wal; pragma synchronous = full;"
                   "pragma foreign_keys = on; select count(*) from sqlite_master");
}

static int open_database(sqlite3 **db, pgo_store_op *op) {
    pgo_err *err = &op->op.err;
    int status = make_folders(op->place, err);
    if (status == 0) {
        status = make_file(op->place, err);
    }
    if (status < 0) {
        return status;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(op->place, db, flags, NULL) != SQLITE_OK) {
        return *db ? fail(*db, op) : pgo_fail(err, PGO_E_NOMEM, "no memory for SQLite");
    }
    return configure(*db, op);
}

typedef struct sqlite_home {
    pgo_store_home home;
    sqlite3 *db;
} sqlite_home;

static int serve(pgo_store_home *home, pgo_store_op *op) {
    sqlite3 *db = ((sqlite_home *)home)->db;
    return op->kind == PGO_STORE_BATCH ? run_batch(db, op) : run_statements(db, op);
}

static void shut(pgo_store_home *home) {
    sqlite3_close_v2(((sqlite_home *)home)->db);
    free(home);
}

int pgo_store_sqlite(pgo_store_home **home, pgo_store_op *op) {
    sqlite_home *it = calloc(1, sizeof *it);
    if (!it) {
        return pgo_fail(&op->op.err, PGO_E_NOMEM, "no memory for the record of runs");
    }
    it->home = (pgo_store_home){.serve = serve, .shut = shut};
    int status = open_database(&it->db, op);
    if (status < 0) {
        shut(&it->home);
        return status;
    }
    *home = &it->home;
    return 0;
}
