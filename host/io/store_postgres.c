/* The record of runs in a PostgreSQL database: transactions, and what is repeated when a connection
 * is lost. Runs on the store's thread only.
 *
 * A lost connection is opened again, and what was begun is done again if it surely left nothing: a
 * read, or a batch whose COMMIT was not sent. Where the answer to a COMMIT was lost, the batch may
 * be there. The next connection waits for the writers' lock, which the old transaction holds to its
 * end, whatever that is, and then asks the server for the fate of its transaction id. */
#include "io/store_postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { PATIENCE_SECONDS = 15, MOST_TRIES = 12, ID_SIZE = 32 };

/* One writer at a time, as in SQLite: what a batch has seen still holds when it commits. The lock
 * is the database's, so another record in the same server does not wait. */
#define BEGIN                                                                                      \
    "begin isolation level read committed read write;"                                             \
    "select pg_advisory_xact_lock(1885826930, 2);"

typedef struct attempt {
    pgo_link *link;
    pgo_store_op *op;
    char id[ID_SIZE];    /* of the transaction */
    bool commit_is_open; /* COMMIT was sent, and its answer has not come */
} attempt;

static void begin_again(pgo_store_op *op) {
    pgo_err_clear(&op->op.err);
    pgo_store_rows_clear(&op->rows);
    op->changes = 0;
}

/* Rolls back; a connection that cannot is given up, which does the same. */
static enum pgo_link_end roll_back(attempt *at, enum pgo_link_end end) {
    pgo_err reason = PGO_ERR_INIT;
    pgo_err_move(&reason, &at->op->op.err);
    if (at->link->conn && pgo_link_value(at->link, at->op, "rollback", NULL, 0) != PGO_LINK_DONE) {
        pgo_link_drop(at->link);
    }
    pgo_err_move(&at->op->op.err, &reason);
    return end;
}

static enum pgo_link_end run_statements(attempt *at) {
    pgo_store_op *op = at->op;
    for (size_t i = 0; i < op->count; i++) {
        op->touched = 0;
        enum pgo_link_end end = pgo_link_run(at->link, op, &op->statements[i]);
        if (end == PGO_LINK_DONE && pgo_store_touched(op, &op->statements[i]) < 0) {
            end = PGO_LINK_REFUSED;
        }
        if (end != PGO_LINK_DONE) {
            return end;
        }
    }
    return PGO_LINK_DONE;
}

static enum pgo_link_end commit(attempt *at) {
    at->commit_is_open = true;
    enum pgo_link_end end = pgo_link_value(at->link, at->op, "commit", NULL, 0);
    if (end != PGO_LINK_LOST) {
        at->commit_is_open = false; /* a refused COMMIT has rolled back */
    }
    return end;
}

/* Whether the COMMIT without an answer was done. DONE: it was. AGAIN: it was not. */
static enum pgo_link_end settle(attempt *at) {
    char sql[sizeof BEGIN + 80 + ID_SIZE], fate[16];
    snprintf(sql, sizeof sql, BEGIN "select pg_xact_status('%s'::xid8)", at->id);
    enum pgo_link_end end = pgo_link_value(at->link, at->op, sql, fate, sizeof fate);
    end = roll_back(at, end);
    if (end != PGO_LINK_DONE) {
        return end;
    }
    if (strcmp(fate, "committed") == 0) {
        pgo_err_clear(&at->op->op.err);
        return PGO_LINK_DONE;
    }
    if (strcmp(fate, "aborted") == 0) {
        at->commit_is_open = false;
        return PGO_LINK_AGAIN;
    }
    pgo_fail(&at->op->op.err, PGO_E_STORE,
             "the record of runs in %s: it is not known whether the last write arrived",
             at->link->where);
    return PGO_LINK_REFUSED;
}

static enum pgo_link_end try_batch(attempt *at) {
    enum pgo_link_end end = pgo_link_connect(at->link, at->op);
    if (end != PGO_LINK_DONE) {
        return end;
    }
    if (at->commit_is_open) {
        return settle(at);
    }
    begin_again(at->op);
    end = pgo_link_value(at->link, at->op, BEGIN "select pg_current_xact_id()", at->id, ID_SIZE);
    if (end == PGO_LINK_DONE) {
        end = run_statements(at);
    }
    if (end != PGO_LINK_DONE) {
        return roll_back(at, end);
    }
    return commit(at);
}

static enum pgo_link_end try_query(attempt *at) {
    enum pgo_link_end end = pgo_link_connect(at->link, at->op);
    if (end == PGO_LINK_DONE) {
        begin_again(at->op);
        end = run_statements(at);
    }
    return end;
}

/* A twentieth of a second, then twice as long each time, up to two seconds. */
static void rest(unsigned tries) {
    unsigned milliseconds = 50U << (tries < 6 ? tries : 6);
    uv_sleep(milliseconds < 2000 ? milliseconds : 2000);
}

static int serve(pgo_store_home *home, pgo_store_op *op) {
    attempt at = {.link = (pgo_link *)home, .op = op};
    uint64_t deadline = uv_hrtime() + (uint64_t)PATIENCE_SECONDS * 1000000000;
    for (unsigned tries = 0;; tries++) {
        enum pgo_link_end end = op->kind == PGO_STORE_BATCH ? try_batch(&at) : try_query(&at);
        if (end == PGO_LINK_DONE || end == PGO_LINK_REFUSED) {
            at.link->given_up = false;
            return end == PGO_LINK_DONE ? 0 : op->op.err.code;
        }
        if (at.link->given_up || tries >= MOST_TRIES || uv_hrtime() > deadline) {
            at.link->given_up = true;
            return op->op.err.code;
        }
        if (end == PGO_LINK_LOST || tries > 0) {
            rest(tries);
        }
    }
}

static void shut(pgo_store_home *home) {
    pgo_link_free((pgo_link *)home);
    free(home);
}

int pgo_store_postgres(pgo_store_home **home, pgo_store_op *op) {
    pgo_link *link = calloc(1, sizeof *link);
    if (!link) {
        return pgo_fail(&op->op.err, PGO_E_NOMEM, "no memory for the record of runs");
    }
    link->home = (pgo_store_home){.serve = serve, .shut = shut};
    int status = pgo_link_init(link, op);
    if (status == 0 && pgo_link_connect(link, op) != PGO_LINK_DONE) {
        status = op->op.err.code;
    }
    if (status < 0) {
        shut(&link->home);
        return status;
    }
    *home = &link->home;
    return 0;
}
