/* The store's thread, its queue, and the way back to the loop. What happens on the thread is in
 * store_sqlite.c or store_postgres.c. Owns the thread, the queue and one uv_async; never blocks the
 * loop, but for the join of an idle thread when the last reference goes. */
#include "io/store.h"

#include "io/store_home.h"

#include <stdlib.h>
#include <string.h>

struct pgo_store {
    pgo_loop *loop;
    uv_async_t async;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t wake;
    pgo_store_op *waiting, *waiting_tail; /* guarded by mutex */
    pgo_store_op *served, *served_tail;   /* guarded by mutex */
    bool ending;                          /* guarded by mutex */
    pgo_store_home *home;                 /* the thread's own; NULL: not open */
    unsigned references, pending;         /* the loop's own */
};

static void append(pgo_store_op **head, pgo_store_op **tail, pgo_store_op *op) {
    op->next = NULL;
    if (*tail) {
        (*tail)->next = op;
    } else {
        *head = op;
    }
    *tail = op;
}

static pgo_store_op *take(pgo_store *store) {
    uv_mutex_lock(&store->mutex);
    while (!store->waiting && !store->ending) {
        uv_cond_wait(&store->wake, &store->mutex);
    }
    pgo_store_op *op = store->waiting;
    if (op) {
        store->waiting = op->next;
        if (!store->waiting) {
            store->waiting_tail = NULL;
        }
    }
    uv_mutex_unlock(&store->mutex);
    return op;
}

static bool is_postgres(const char *place) {
    return strncmp(place, "postgres://", 11) == 0 || strncmp(place, "postgresql://", 13) == 0;
}

static int serve_one(pgo_store *store, pgo_store_op *op) {
    if (op->kind != PGO_STORE_OPEN) {
        return store->home ? store->home->serve(store->home, op)
                           : pgo_fail(&op->op.err, PGO_E_CLOSED, "the record of runs is not open");
    }
    if (store->home) {
        return pgo_fail(&op->op.err, PGO_E_BUG, "the store is open already");
    }
    return is_postgres(op->place) ? pgo_store_postgres(&store->home, op)
                                  : pgo_store_sqlite(&store->home, op);
}

static void serve(void *arg) {
    pgo_store *store = arg;
    for (pgo_store_op *op = take(store); op; op = take(store)) {
        op->status = serve_one(store, op);
        uv_mutex_lock(&store->mutex);
        append(&store->served, &store->served_tail, op);
        uv_mutex_unlock(&store->mutex);
        uv_async_send(&store->async);
    }
    if (store->home) {
        store->home->shut(store->home);
    }
}

static void on_served(uv_async_t *async) {
    pgo_store *store = async->data;
    uv_mutex_lock(&store->mutex);
    pgo_store_op *op = store->served;
    store->served = store->served_tail = NULL;
    uv_mutex_unlock(&store->mutex);
    while (op) {
        pgo_store_op *next = op->next;
        if (--store->pending == 0) {
            uv_unref((uv_handle_t *)&store->async);
        }
        pgo_op_complete(&op->op, op->status);
        op = next;
    }
}

static void on_closed(uv_handle_t *handle) {
    pgo_store *store = handle->data;
    uv_cond_destroy(&store->wake);
    uv_mutex_destroy(&store->mutex);
    free(store);
}

int pgo_store_new(pgo_store **out, pgo_loop *loop, pgo_err *err) {
    pgo_store *store = calloc(1, sizeof *store);
    if (!store) {
        return pgo_fail(err, PGO_E_NOMEM, "no memory for the store");
    }
    store->loop = loop;
    store->references = 1;
    uv_mutex_init(&store->mutex);
    uv_cond_init(&store->wake);
    int status = uv_async_init(&loop->uv, &store->async, on_served);
    if (status < 0) {
        uv_cond_destroy(&store->wake);
        uv_mutex_destroy(&store->mutex);
        free(store);
        return pgo_fail_uv(err, PGO_E_STORE, status, "the store's wake-up handle");
    }
    store->async.data = store;
    uv_unref((uv_handle_t *)&store->async); /* an idle store keeps no loop running */
    status = uv_thread_create(&store->thread, serve, store);
    if (status < 0) {
        uv_close((uv_handle_t *)&store->async, on_closed);
        return pgo_fail_uv(err, PGO_E_STORE, status, "the store's thread");
    }
    *out = store;
    return 0;
}

pgo_store *pgo_store_ref(pgo_store *store) {
    store->references++;
    return store;
}

void pgo_store_unref(pgo_store *store) {
    if (!store || --store->references > 0) {
        return;
    }
    uv_mutex_lock(&store->mutex);
    store->ending = true;
    uv_cond_signal(&store->wake);
    uv_mutex_unlock(&store->mutex);
    uv_thread_join(&store->thread);
    uv_close((uv_handle_t *)&store->async, on_closed);
}

static void start(pgo_op *base) {
    pgo_store_op *op = (pgo_store_op *)base;
    pgo_store *store = op->store;
    if (store->pending++ == 0) {
        uv_ref((uv_handle_t *)&store->async);
    }
    uv_mutex_lock(&store->mutex);
    append(&store->waiting, &store->waiting_tail, op);
    uv_cond_signal(&store->wake);
    uv_mutex_unlock(&store->mutex);
}

static void free_statement(pgo_store_statement *statement) {
    for (size_t i = 0; i < statement->count; i++) {
        free(statement->params[i].text);
    }
    free(statement->params);
    free(statement->sql);
}

static void release(pgo_op *base) {
    pgo_store_op *op = (pgo_store_op *)base;
    for (size_t i = 0; i < op->count; i++) {
        free_statement(&op->statements[i]);
    }
    free(op->statements);
    if (op->place) {
        explicit_bzero(op->place, strlen(op->place)); /* there may be a password in it */
        free(op->place);
    }
    pgo_store_rows_clear(&op->rows);
    pgo_store_unref(op->store);
    op->statements = NULL;
    op->count = op->capacity = 0;
    op->place = NULL;
    op->store = NULL;
}

/* A write that has begun is finished: half a record is of no use to anyone, so there is no cancel.
 */
static const pgo_op_type store_type = {
    .name = "store",
    .start = start,
    .release = release,
};

void pgo_store_begin(pgo_store_op *op, pgo_store *store, int kind) {
    pgo_op_init(&op->op, &store_type, store->loop);
    op->store = pgo_store_ref(store);
    op->kind = (unsigned)kind;
    op->place = NULL;
    op->statements = NULL;
    op->count = op->capacity = 0;
    op->rows = (pgo_store_rows){0};
    op->changes = op->touched = 0;
    op->status = 0;
    op->next = NULL;
}

int pgo_store_open(pgo_store_op *op, pgo_store *store, const char *place) {
    pgo_store_begin(op, store, PGO_STORE_OPEN);
    op->place = strdup(place);
    return op->place ? 0 : PGO_E_NOMEM;
}

int pgo_store_add(pgo_store_op *op, const char *sql) {
    if (op->count == op->capacity) {
        size_t capacity = op->capacity ? op->capacity * 2 : 4;
        pgo_store_statement *grown = realloc(op->statements, capacity * sizeof *grown);
        if (!grown) {
            return PGO_E_NOMEM;
        }
        op->statements = grown;
        op->capacity = capacity;
    }
    char *copy = strdup(sql);
    if (!copy) {
        return PGO_E_NOMEM;
    }
    op->statements[op->count++] = (pgo_store_statement){.sql = copy};
    return 0;
}

void pgo_store_needs(pgo_store_op *op, int code) {
    op->statements[op->count - 1].needs = code;
}

/* The next parameter of the last statement, NULL when there is no memory for it. */
static pgo_store_value *next_param(pgo_store_op *op) {
    pgo_store_statement *statement = &op->statements[op->count - 1];
    if (statement->count == statement->capacity) {
        size_t capacity = statement->capacity ? statement->capacity * 2 : 8;
        pgo_store_value *grown = realloc(statement->params, capacity * sizeof *grown);
        if (!grown) {
            return NULL;
        }
        statement->params = grown;
        statement->capacity = capacity;
    }
    pgo_store_value *value = &statement->params[statement->count++];
    *value = (pgo_store_value){.type = PGO_STORE_NULL};
    return value;
}

int pgo_store_bind_null(pgo_store_op *op) {
    return next_param(op) ? 0 : PGO_E_NOMEM;
}

int pgo_store_bind_integer(pgo_store_op *op, int64_t integer) {
    pgo_store_value *value = next_param(op);
    if (!value) {
        return PGO_E_NOMEM;
    }
    value->type = PGO_STORE_INTEGER;
    value->integer = integer;
    return 0;
}

int pgo_store_bind_real(pgo_store_op *op, double real) {
    pgo_store_value *value = next_param(op);
    if (!value) {
        return PGO_E_NOMEM;
    }
    value->type = PGO_STORE_REAL;
    value->real = real;
    return 0;
}

int pgo_store_bind_text(pgo_store_op *op, const char *text, size_t length) {
    pgo_store_value *value = next_param(op);
    if (!value) {
        return PGO_E_NOMEM;
    }
    return pgo_store_value_text(value, text, length);
}
