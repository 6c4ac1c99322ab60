/* MD5 in lanes against OpenSSL's, for every length around the borders of blocks and every count. */
#include "io/md5_lanes.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LONGEST = 1000 };

static unsigned char messages[PGO_MD5_LANES][LONGEST + 1];

static void fill(void) {
    uint32_t seed = 1;
    for (size_t lane = 0; lane < PGO_MD5_LANES; lane++) {
        for (size_t i = 0; i < sizeof messages[lane]; i++) {
            seed = seed * 1664525u + 1013904223u;
            messages[lane][i] = (unsigned char)(seed >> 24);
        }
    }
}

/* `shift`: the messages begin at odd addresses, too. */
static void compare(size_t count, size_t length, size_t shift) {
    const void *at[PGO_MD5_LANES] = {NULL};
    unsigned char got[PGO_MD5_LANES][PGO_MD5_SIZE], wanted[EVP_MAX_MD_SIZE];
    for (size_t i = 0; i < count; i++) {
        at[i] = messages[i] + shift;
    }
    pgo_md5_lanes(at, count, length, got);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(EVP_Digest(at[i], length, wanted, NULL, EVP_md5(), NULL), 1);
        assert_memory_equal(got[i], wanted, PGO_MD5_SIZE);
    }
}

static void is_openssls_for_every_length(void **state) {
    (void)state;
    fill();
    for (size_t length = 0; length <= 260; length++) {
        compare(PGO_MD5_LANES, length, length % 2);
    }
    compare(PGO_MD5_LANES, LONGEST, 0);
}

static void is_openssls_for_every_count(void **state) {
    (void)state;
    fill();
    for (size_t count = 1; count <= PGO_MD5_LANES; count++) {
        compare(count, 119, 1);
        compare(count, 640, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_openssls_for_every_length),
        cmocka_unit_test(is_openssls_for_every_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
