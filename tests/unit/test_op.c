/* The op contract and the task tree: one completion, never from inside start or cancel; cancel goes
 * down the tree, stops at a shield, and stays. */
#include "support.h"

#include "core/task.h"

#include <string.h>

typedef struct {
    pgo_op op;
    bool at_once; /* complete inside start */
    bool obeys;   /* complete when asked to cancel */
    int released;
} fake_op;

static void fake_start(pgo_op *op) {
    if (((fake_op *)op)->at_once) {
        pgo_op_complete(op, 0);
    }
}

static void fake_cancel(pgo_op *op) {
    if (((fake_op *)op)->obeys) {
        pgo_op_fail(op, PGO_E_CANCELED, "cancelled");
    }
}

static void fake_release(pgo_op *op) {
    ((fake_op *)op)->released++;
}

static const pgo_op_type fake_type = {"fake", fake_start, fake_cancel, fake_release};

static void count(pgo_op *op, void *arg) {
    (void)op;
    ++*(int *)arg;
}

static void completion_is_deferred(void **state) {
    fake_op op = {.at_once = false};
    int done = 0;
    pgo_op_init(&op.op, &fake_type, *state);
    op.at_once = true;
    pgo_op_start(&op.op, count, &done);
    assert_int_equal(done, 0);
    pgo_loop_run(*state);
    assert_int_equal(done, 1);
    pgo_op_release(&op.op);
    pgo_op_release(&op.op);
    assert_int_equal(op.released, 1);
}

typedef struct {
    pgo_job job;
    pgo_loop *loop;
    pgo_job *other; /* posted by this one, or taken out */
    int runs;
} ring_job;

static void post_other(pgo_job *job) {
    ring_job *it = (ring_job *)job;
    if (++it->runs < 1000) {
        pgo_loop_post(it->loop, it->other);
    }
}

static void unpost_other(pgo_job *job) {
    ring_job *it = (ring_job *)job;
    pgo_loop_unpost(it->loop, it->other);
}

/* Two jobs that post each other must not keep the loop from its sockets and timers, though the one
 * that was last in the queue has been taken out meanwhile. */
static void jobs_that_post_each_other_leave_room(void **state) {
    ring_job ping = {.job = {.run = post_other}, .loop = *state};
    ring_job pong = {.job = {.run = post_other}, .loop = *state, .other = &ping.job};
    ring_job last = {.job = {.run = post_other}, .loop = *state, .runs = 1000};
    ring_job first = {.job = {.run = unpost_other}, .loop = *state, .other = &last.job};
    ping.other = &pong.job;
    pgo_loop_post(*state, &first.job);
    pgo_loop_post(*state, &ping.job);
    pgo_loop_post(*state, &last.job);
    uv_run(&((pgo_loop *)*state)->uv, UV_RUN_NOWAIT);
    assert_int_equal(ping.runs, 1);
    pgo_loop_run(*state);
    assert_int_equal(ping.runs, 1000);
}

static void cancel_is_a_request(void **state) {
    fake_op op;
    int done = 0;
    pgo_op_init(&op.op, &fake_type, *state);
    op.at_once = op.obeys = false;
    op.released = 0;
    pgo_op_start(&op.op, count, &done);
    pgo_op_cancel(&op.op);
    pgo_op_cancel(&op.op);
    pgo_loop_run(*state);
    assert_int_equal(done, 0);
    pgo_op_complete(&op.op, 0); /* the real result still arrives */
    pgo_loop_run(*state);
    assert_int_equal(done, 1);
    assert_int_equal(op.op.status, 0);
    pgo_op_release(&op.op);
}

static int resumed;

static void on_resume(pgo_task *task) {
    assert_null(task->op);
    resumed++;
}

static void a_shield_stops_a_cancellation(void **state) {
    pgo_loop *loop = *state;
    pgo_scope root, shield, inner;
    pgo_scope_init(&root, loop, NULL, false);
    pgo_scope_init(&shield, loop, &root, true);
    pgo_scope_init(&inner, loop, &shield, false);
    pgo_task task;
    pgo_task_init(&task, &inner, on_resume);
    fake_op op;
    pgo_op_init(&op.op, &fake_type, loop);
    op.at_once = false;
    op.obeys = true;
    op.released = 0;
    resumed = 0;
    pgo_task_wait(&task, &op.op);
    pgo_scope_cancel(&root, "stop");
    pgo_loop_run(loop);
    assert_int_equal(resumed, 0);
    assert_null(pgo_scope_cause(&inner));
    pgo_scope_cancel(&shield, "now");
    pgo_loop_run(loop);
    assert_int_equal(resumed, 1);
    assert_int_equal(op.op.status, PGO_E_CANCELED);
    assert_ptr_equal(pgo_scope_cause(&inner), &shield);
    pgo_op_release(&op.op);
    pgo_task_leave(&task);
    pgo_scope_close(&inner);
    pgo_scope_close(&shield);
    assert_string_equal(root.reason, "stop");
    pgo_scope_close(&root);
}

static void a_deadline_cancels_its_scope_alone(void **state) {
    pgo_loop *loop = *state;
    pgo_scope root, limited;
    pgo_err err = PGO_ERR_INIT;
    pgo_scope_init(&root, loop, NULL, false);
    pgo_scope_init(&limited, loop, &root, false);
    assert_int_equal(pgo_scope_deadline(&limited, 0.01, &err), 0);
    pgo_loop_run(loop);
    assert_true(limited.cancelled);
    assert_true(limited.timed_out);
    assert_false(root.cancelled);
    pgo_scope_close(&limited);
    pgo_scope_close(&root);
}

static void a_task_moves_between_scopes(void **state) {
    pgo_scope root, inner;
    pgo_scope_init(&root, *state, NULL, false);
    pgo_scope_init(&inner, *state, &root, false);
    pgo_task a, b;
    pgo_task_init(&a, &root, on_resume);
    pgo_task_init(&b, &root, on_resume);
    pgo_task_enter(&a, &inner);
    assert_ptr_equal(inner.first_task, &a);
    assert_ptr_equal(root.first_task, &b);
    pgo_task_leave(&a);
    pgo_task_leave(&b);
    pgo_scope_close(&inner);
    pgo_scope_close(&root);
}

static void errors_keep_their_parts_when_copied(void **state) {
    (void)state;
    pgo_err a = PGO_ERR_INIT, b = PGO_ERR_INIT;
    assert_int_equal(pgo_fail(&a, PGO_E_PG_QUERY, "no table %s", "t"), PGO_E_PG_QUERY);
    pgo_err_detail(&a, "HINT: make it");
    pgo_err_copy(&b, &a);
    pgo_err_clear(&a);
    assert_string_equal(b.message, "no table t");
    assert_string_equal(b.detail, "HINT: make it");
    assert_string_equal(pgo_error_id(b.code), "PGO-PG-QUERY");
    assert_int_equal(pgo_error_find("PGO-PG-QUERY"), PGO_E_PG_QUERY);
    assert_int_equal(pgo_error_find("PGO-NO-SUCH"), 0);
    pgo_err_clear(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(completion_is_deferred, setup_loop, teardown_loop),
        cmocka_unit_test_setup_teardown(jobs_that_post_each_other_leave_room, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(cancel_is_a_request, setup_loop, teardown_loop),
        cmocka_unit_test_setup_teardown(a_shield_stops_a_cancellation, setup_loop, teardown_loop),
        cmocka_unit_test_setup_teardown(a_deadline_cancels_its_scope_alone, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(a_task_moves_between_scopes, setup_loop, teardown_loop),
        cmocka_unit_test(errors_keep_their_parts_when_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
