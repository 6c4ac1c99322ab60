/* Shared by the unit tests: cmocka, and a loop whose end is proved to be empty. */
#ifndef PGO_TESTS_SUPPORT_H
#define PGO_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/loop.h"

static inline int setup_loop(void **state) {
    pgo_loop *loop = test_malloc(sizeof *loop);
    pgo_err err = PGO_ERR_INIT;
    *state = loop;
    return pgo_loop_init(loop, &err);
}

/* Every test ends here: nothing may be open. */
static inline int teardown_loop(void **state) {
    pgo_loop *loop = *state;
    pgo_loop_run(loop);
    int left = pgo_loop_close(loop, stderr);
    test_free(loop);
    return left;
}

#endif
