/* The redactor: every spelling of a secret is masked, however the text is cut, and nothing else is.
 */
#include "core/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) {
    *state = pgo_redactor_new();
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    pgo_redactor_free(*state);
    return 0;
}

static void know(pgo_redactor *redactor, const char *value) {
    pgo_secret *secret = pgo_secret_new(redactor, value, strlen(value));
    assert_non_null(secret);
    pgo_secret_unref(secret);
}

static void expect(const pgo_redactor *redactor, const char *text, const char *redacted) {
    pgo_buffer out = {0};
    assert_int_equal(pgo_redact(redactor, text, strlen(text), &out), 0);
    assert_string_equal(out.length ? out.data : "", redacted);
    pgo_buffer_free(&out);
}

static void every_spelling_is_masked(void **state) {
    know(*state, "p@ss/w'o\\r\"d&\n<ü>");
    static const char *const spelled[] = {
        "p@ss/w'o\\r\"d&\n<ü>",
        "p%40ss%2Fw%27o%5Cr%22d%26%0A%3C%C3%BC%3E",
        "p%40ss%2fw%27o%5cr%22d%26%0a%3c%c3%bc%3e",
        "p%40ss/w%27o%5Cr%22d%26%0A%3C%C3%BC%3E",
        "p%40ss/w%27o%5cr%22d%26%0a%3c%c3%bc%3e",
        "p@ss/w'o\\\\r\\\"d&\\n<ü>",
        "p@ss/w'o\\\\r\\\"d\\u0026\\n\\u003cü\\u003e",
        "p@ss\\/w'o\\\\r\\\"d&\\n<ü>",
        "p@ss/w''o\\r\"d&\n<ü>",
        "p@ss/w''o\\\\r\"d&\n<ü>",
        "p@ss/w\\'o\\\\r\"d&\n<ü>",
    };
    for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++) {
        char text[256];
        snprintf(text, sizeof text, "a %s z", spelled[i]);
        expect(*state, text, "a [secret] z");
    }
}

static void the_habits_of_url_writers_are_known(void **state) {
    know(*state, "it's (a) $ecret & more");
    expect(*state, "u:it's%20(a)%20%24ecret%20%26%20more@h", "u:[secret]@h");   /* JavaScript */
    expect(*state, "u:it%27s%20%28a%29%20$ecret%20&%20more@h", "u:[secret]@h"); /* Go */
    expect(*state, "p=it%27s+%28a%29+%24ecret+%26+more&x", "p=[secret]&x");     /* a form */
}

/* Whether the heap holds the text anywhere, in freed memory too. */
static bool heap_holds(const char *text, size_t length) {
    char line[256];
    unsigned long long from = 0, to = 0;
    FILE *maps = fopen("/proc/self/maps", "r"), *memory = fopen("/proc/self/mem", "r");
    assert_non_null(maps);
    assert_non_null(memory);
    while (fgets(line, sizeof line, maps)) {
        if (strstr(line, "[heap]")) /* a sanitizer's is elsewhere: then nothing is found */
            sscanf(line, "%llx-%llx", &from, &to);
    }
    static char heap[4 << 20];
    size_t size = to - from < sizeof heap ? (size_t)(to - from) : sizeof heap;
    bool there = size > 0 && fseek(memory, (long)from, SEEK_SET) == 0;
    size = there ? fread(heap, 1, size, memory) : 0;
    fclose(maps);
    fclose(memory);
    return memmem(heap, size, text, length) != NULL;
}

static void a_buffer_that_grows_leaves_nothing_behind(void **state) {
    (void)state;
    pgo_buffer buffer = {0};
    char needle[] = "xnuug`,atm`-m/f"; /* not as it is looked for */
    char filler[4096] = {0};
    assert_int_equal(pgo_buffer_append(&buffer, filler, 2000), 0);
    for (size_t i = 0; i + 1 < sizeof needle; i++)
        needle[i] = (char)(needle[i] ^ 1);
    assert_int_equal(pgo_buffer_append(&buffer, needle, sizeof needle - 1), 0);
    void *fence = malloc(64); /* so that the block cannot grow where it is */
    for (int i = 0; i < 30; i++)
        assert_int_equal(pgo_buffer_append(&buffer, filler, sizeof filler), 0);
    pgo_buffer_wipe(&buffer);
    assert_false(heap_holds(needle, sizeof needle - 1));
    free(fence);
}

static void base64_is_masked_at_each_alignment(void **state) {
    know(*state, "correct horse");
    expect(*state, "Y29ycmVjdCBob3JzZQ==", "[secret]");
    expect(*state, "Y29ycmVjdCBob3JzZQ", "[secret]");
    expect(*state, "OmNvcnJlY3QgaG9yc2U=", "[secret]");        /* :value */
    expect(*state, "YTpjb3JyZWN0IGhvcnNl", "YT[secret]");      /* a:value */
    expect(*state, "YWI6Y29ycmVjdCBob3JzZQ==", "YWI[secret]"); /* ab:value */
    expect(*state, "YWJjOmNvcnJlY3QgaG9yc2U=", "YWJj[secret]");
    expect(*state, "eGNvcnJlY3QgaG9yc2VpbnNpZGU=", "eG[secret]VpbnNpZGU="); /* x value inside */
}

static void short_values_are_left_alone(void **state) {
    know(*state, "1234567");
    expect(*state, "port 1234567", "port 1234567");
    know(*state, "");
    expect(*state, "", "");
    know(*state, "12345678");
    expect(*state, "12345678", "[secret]");
}

static void the_longest_wins_and_overlaps_are_one(void **state) {
    know(*state, "password");
    know(*state, "postgres://u:password@host/db");
    know(*state, "wordplay-is-fun");
    expect(*state, "see postgres://u:password@host/db now", "see [secret] now");
    expect(*state, "see postgres://u:password@host now", "see postgres://u:[secret]@host now");
    expect(*state, "passwordplay-is-fun!", "[secret]!");
    expect(*state, "passwordpassword", "[secret][secret]");
}

/* Every way to cut the text in three gives the same result as the whole. */
static void chunk_borders_do_not_matter(void **state) {
    know(*state, "password");
    know(*state, "wordplay-is-fun");
    know(*state, "p@ssw0rd/1");
    const char *text =
        "x passwor password, passwordplay-is-fu passwordplay-is-fun p%40ssw0rd%2F1 p%40ssw0rd%2";
    const char *redacted = "x passwor [secret], [secret]play-is-fu [secret] [secret] p%40ssw0rd%2";
    size_t length = strlen(text);
    for (size_t a = 0; a <= length; a++) {
        for (size_t b = a; b <= length; b++) {
            pgo_buffer held = {0}, out = {0};
            assert_int_equal(pgo_redact_chunk(*state, &held, text, a, false, &out), 0);
            assert_null(out.length ? strstr(out.data, "password") : NULL);
            assert_int_equal(pgo_redact_chunk(*state, &held, text + a, b - a, false, &out), 0);
            assert_int_equal(pgo_redact_chunk(*state, &held, text + b, length - b, true, &out), 0);
            assert_string_equal(out.data, redacted);
            assert_int_equal(held.length, 0);
            pgo_buffer_free(&held);
            pgo_buffer_free(&out);
        }
    }
}

static void one_byte_at_a_time(void **state) {
    know(*state, "password");
    pgo_buffer held = {0}, out = {0};
    for (const char *at = "my password is a passwor"; *at; at++)
        assert_int_equal(pgo_redact_chunk(*state, &held, at, 1, false, &out), 0);
    assert_string_equal(out.data, "my [secret] is a ");
    assert_int_equal(pgo_redact_chunk(*state, &held, "", 0, true, &out), 0);
    assert_string_equal(out.data, "my [secret] is a passwor");
    pgo_buffer_free(&held);
    pgo_buffer_free(&out);
}

static void a_marker_is_recognised(void **state) {
    pgo_secret *one = pgo_secret_new(*state, "hunter2", 7),
               *two = pgo_secret_new(*state, "hunter2", 7);
    char marker[48], other[48], text[128];
    pgo_secret_marker(one, marker);
    pgo_secret_marker(two, other);
    assert_string_not_equal(marker, other);
    assert_true(strncmp(marker, "[secret ", 8) == 0);
    snprintf(text, sizeof text, "postgres://u:%s@h", marker);
    assert_true(pgo_redactor_has_marker(*state, text, strlen(text)));
    snprintf(text, sizeof text, "%%5Bsecret%%20%s", marker + 8);
    assert_true(pgo_redactor_has_marker(*state, text, strlen(text)));
    assert_false(pgo_redactor_has_marker(*state, "[secret 0123456789abcdef#1]", 27));
    assert_false(pgo_redactor_has_marker(*state, "[secret]", 8));
    assert_false(pgo_redactor_has_marker(*state, "", 0));

    pgo_redactor *foreign = pgo_redactor_new();
    assert_false(pgo_redactor_has_marker(foreign, marker, strlen(marker)));
    pgo_redactor_free(foreign);
    pgo_secret_unref(one);
    pgo_secret_unref(two);
}

static void a_secret_outlives_its_references_in_the_redactor(void **state) {
    pgo_secret *secret = pgo_secret_new(*state, "a\0bcdefgh", 9);
    size_t length;
    assert_memory_equal(pgo_secret_data(pgo_secret_ref(secret), &length), "a\0bcdefgh", 10);
    assert_int_equal(length, 9);
    pgo_secret_unref(secret);
    assert_memory_equal(pgo_secret_data(secret, NULL), "a\0bcdefgh", 10);
    pgo_secret_unref(secret);
    pgo_buffer out = {0};
    assert_int_equal(pgo_redact(*state, "<a\0bcdefgh>", 11, &out), 0);
    assert_string_equal(out.data, "<[secret]>");
    pgo_buffer_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_spelling_is_masked),
        TEST(the_habits_of_url_writers_are_known),
        TEST(a_buffer_that_grows_leaves_nothing_behind),
        TEST(base64_is_masked_at_each_alignment),
        TEST(short_values_are_left_alone),
        TEST(the_longest_wins_and_overlaps_are_one),
        TEST(chunk_borders_do_not_matter),
        TEST(one_byte_at_a_time),
        TEST(a_marker_is_recognised),
        TEST(a_secret_outlives_its_references_in_the_redactor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
