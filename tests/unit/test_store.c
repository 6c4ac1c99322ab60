/* The store below Lua: what is committed is there, what failed left nothing, and a file that cannot
 * be used is refused with a reason. */
#include "io/store.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    pgo_loop loop;
    pgo_store *store;
    char folder[64];
    char path[96];
} fixture;

static int set_up(void **state) {
    fixture *it = calloc(1, sizeof *it);
    strcpy(it->folder, "/tmp/pgorch-store-XXXXXX");
    assert_non_null(mkdtemp(it->folder));
    snprintf(it->path, sizeof it->path, "%s/a/b/state.db", it->folder);
    assert_int_equal(pgo_loop_init(&it->loop, NULL), 0);
    assert_int_equal(pgo_store_new(&it->store, &it->loop, NULL), 0);
    *state = it;
    return 0;
}

static int tear_down(void **state) {
    fixture *it = *state;
    pgo_store_unref(it->store);
    pgo_loop_run(&it->loop);
    assert_int_equal(pgo_loop_close(&it->loop, stderr), 0);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", it->folder);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    free(it);
    return 0;
}

static void on_done(pgo_op *op, void *arg) {
    (void)op;
    *(bool *)arg = true;
}

/* Runs it to its end; the caller releases it. */
static int finish(fixture *it, pgo_store_op *op) {
    bool done = false;
    pgo_op_start(&op->op, on_done, &done);
    pgo_loop_run_until(&it->loop, &done);
    assert_true(done);
    return op->op.status;
}

static int open_path(fixture *it, const char *path, char *message, size_t size) {
    pgo_store_op op = {0};
    assert_int_equal(pgo_store_open(&op, it->store, path), 0);
    int status = finish(it, &op);
    snprintf(message, size, "%s", op.op.err.message ? op.op.err.message : "");
    pgo_op_release(&op.op);
    return status;
}

static void open_store(fixture *it) {
    char message[512];
    assert_int_equal(open_path(it, it->path, message, sizeof message), 0);
}

static int run(fixture *it, int kind, const char *sql) {
    pgo_store_op op = {0};
    pgo_store_begin(&op, it->store, kind);
    assert_int_equal(pgo_store_add(&op, sql), 0);
    int status = finish(it, &op);
    pgo_op_release(&op.op);
    return status;
}

static int64_t count(fixture *it) {
    pgo_store_op op = {0};
    pgo_store_begin(&op, it->store, PGO_STORE_QUERY);
    assert_int_equal(pgo_store_add(&op, "select count(*) as n from t"), 0);
    assert_int_equal(finish(it, &op), 0);
    assert_int_equal(op.rows.count, 1);
    assert_string_equal(op.rows.names[0], "n");
    int64_t n = op.rows.values[0].integer;
    pgo_op_release(&op.op);
    return n;
}

static void values_come_back_as_they_went(void **state) {
    fixture *it = *state;
    open_store(it);
    assert_int_equal(run(it, PGO_STORE_BATCH, "create table t (a bigint, b text, c real, d text)"),
                     0);
    pgo_store_op op = {0};
    pgo_store_begin(&op, it->store, PGO_STORE_BATCH);
    /* $2 twice and out of order: the number counts, not the place */
    assert_int_equal(pgo_store_add(&op, "insert into t values ($1, $3, $2, $4)"), 0);
    assert_int_equal(pgo_store_bind_integer(&op, INT64_MAX), 0);
    assert_int_equal(pgo_store_bind_real(&op, 0.25), 0);
    assert_int_equal(pgo_store_bind_text(&op, "caf\xc3\xa9", 5), 0);
    assert_int_equal(pgo_store_bind_null(&op), 0);
    assert_int_equal(pgo_store_add(&op, "select * from t"), 0);
    assert_int_equal(finish(it, &op), 0);
    assert_int_equal(op.changes, 1);
    assert_int_equal(op.rows.count, 1);
    const pgo_store_value *row = op.rows.values;
    assert_true(row[0].integer == INT64_MAX);
    assert_string_equal(row[1].text, "caf\xc3\xa9");
    assert_true(row[2].real == 0.25);
    assert_int_equal(row[3].type, PGO_STORE_NULL);
    pgo_op_release(&op.op);
}

static void a_batch_that_fails_leaves_nothing(void **state) {
    fixture *it = *state;
    open_store(it);
    assert_int_equal(run(it, PGO_STORE_BATCH, "create table t (a bigint primary key)"), 0);
    const char *twice = "insert into t values (1); insert into t values (1)";
    assert_int_equal(run(it, PGO_STORE_BATCH, twice), PGO_E_STORE);
    assert_int_equal(count(it), 0);
    assert_int_equal(run(it, PGO_STORE_BATCH, "insert into t values (1)"), 0);
    assert_int_equal(count(it), 1);
}

static void files_are_for_their_owner_alone(void **state) {
    fixture *it = *state;
    open_store(it);
    assert_int_equal(run(it, PGO_STORE_BATCH, "create table t (a bigint)"), 0);
    struct stat st;
    assert_int_equal(stat(it->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", it->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(wal, sizeof wal, "%s/a", it->folder);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_file_that_is_no_database_is_refused(void **state) {
    fixture *it = *state;
    char path[128], message[512];
    snprintf(path, sizeof path, "%s/garbage", it->folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 500; i++) {
        fprintf(file, "this is no database %d\n", i);
    }
    fclose(file);
    assert_int_equal(open_path(it, path, message, sizeof message), PGO_E_STORE);
    assert_non_null(strstr(message, "no SQLite database"));
    assert_int_equal(run(it, PGO_STORE_QUERY, "select 1"), PGO_E_CLOSED);
}

static void a_place_that_cannot_be_written_is_refused(void **state) {
    fixture *it = *state;
    char message[512];
    assert_int_equal(open_path(it, "/proc/pgorch/state.db", message, sizeof message), PGO_E_STORE);
    assert_non_null(strstr(message, "/proc/pgorch"));
    open_store(it);
    assert_int_equal(run(it, PGO_STORE_BATCH, "create table t (a text)"), 0);
    assert_int_equal(run(it, PGO_STORE_QUERY, "pragma query_only = on"), 0);
    assert_int_equal(run(it, PGO_STORE_BATCH, "insert into t values ('x')"), PGO_E_STORE);
}

static void a_full_disk_is_named_and_loses_nothing(void **state) {
    fixture *it = *state;
    open_store(it);
    assert_int_equal(
        run(it, PGO_STORE_BATCH, "create table t (a text); insert into t values ('x')"), 0);
    assert_int_equal(run(it, PGO_STORE_QUERY, "pragma max_page_count = 8"), 0);
    pgo_store_op op = {0};
    pgo_store_begin(&op, it->store, PGO_STORE_BATCH);
    assert_int_equal(pgo_store_add(&op, "insert into t values (zeroblob(1000000))"), 0);
    assert_int_equal(finish(it, &op), PGO_E_STORE);
    assert_non_null(strstr(op.op.err.message, "disk is full"));
    pgo_op_release(&op.op);
    assert_int_equal(count(it), 1);
}

static void a_missing_parameter_is_a_bug_not_a_null(void **state) {
    fixture *it = *state;
    open_store(it);
    assert_int_equal(run(it, PGO_STORE_QUERY, "select $1"), PGO_E_BUG);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(values_come_back_as_they_went),
        CASE(a_batch_that_fails_leaves_nothing),
        CASE(files_are_for_their_owner_alone),
        CASE(a_file_that_is_no_database_is_refused),
        CASE(a_place_that_cannot_be_written_is_refused),
        CASE(a_full_disk_is_named_and_loses_nothing),
        CASE(a_missing_parameter_is_a_bug_not_a_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
