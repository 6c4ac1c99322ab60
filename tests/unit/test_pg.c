/* PostgreSQL without a server: URIs, literals, what libpq's texts become, settings that cannot be
 * right. */
#include "io/pg.h"
#include "io/pg_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static pgo_pg_params *make_params(const pgo_pg_options *options) {
    pgo_pg_params *params = NULL;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_pg_params_new(&params, options, &err), 0);
    return params;
}

static const char *value_of(const pgo_pg_params *params, const char *keyword) {
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(params->keywords[i], keyword) == 0) {
            return params->values[i];
        }
    }
    return NULL;
}

static void settings_have_defaults_that_can_be_replaced(void **state) {
    (void)state;
    const char *const extra[] = {"application_name", "mine", "hostaddr", "10.0.0.1", NULL};
    pgo_pg_options options = {.host = "h", .ca_pem = "-----BEGIN", .extra = extra};
    pgo_pg_params *params = make_params(&options);
    assert_string_equal(value_of(params, "application_name"), "mine");
    assert_string_equal(value_of(params, "sslmode"), "verify-full");
    assert_string_equal(value_of(params, "client_encoding"), "UTF8");
    assert_string_equal(value_of(params, "gssencmode"), "disable");
    assert_null(value_of(params, "hostaddr")); /* ours: it comes from the lookup */
    pgo_pg_params_unref(params);
}

static void messages_name_host_database_and_user_only(void **state) {
    (void)state;
    pgo_pg_options options = {
        .host = "::1", .port = "6543", .user = "u", .password = "hunter2hunter2", .dbname = "d"};
    pgo_pg_params *params = make_params(&options);
    assert_string_equal(params->where, "[::1]:6543/d as u");
    pgo_pg_params_unref(params);
}

static void wrong_settings_are_refused(void **state) {
    (void)state;
    const pgo_pg_options wrong[] = {
        {.host = "h", .port = "0"},       {.host = "h", .port = "65536"},
        {.host = "h", .port = "hunter2"}, {.host = "h", .port = "1,2"},
        {.host = "h", .port = "5432x"},   {.host = "hunter2@h"},
        {.host = "h", .port = "-1"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        pgo_pg_params *params = NULL;
        pgo_err err = PGO_ERR_INIT;
        assert_int_equal(pgo_pg_params_new(&params, &wrong[i], &err), PGO_E_INVALID);
        assert_null(strstr(err.message, "hunter2"));
        pgo_err_clear(&err);
    }
    pgo_pg_options list = {.host = "a,b", .port = ",6543"};
    pgo_pg_params_unref(make_params(&list));
}

static void expect_connect_error(const char *text, int code, const char *sqlstate, bool retryable,
                                 const char *message) {
    pgo_pg_options options = {.host = "h", .user = "u", .dbname = "d"};
    pgo_pg_params *params = make_params(&options);
    pgo_err err = PGO_ERR_INIT;
    pgo_pg_fail_connect(&err, params, text);
    assert_string_equal(pgo_error_id(err.code), pgo_error_id(code));
    assert_string_equal(err.sqlstate, sqlstate);
    assert_int_equal(err.retryable, retryable);
    assert_non_null(strstr(err.message, message));
    assert_null(strchr(err.message, '\n'));
    pgo_err_clear(&err);
    pgo_pg_params_unref(params);
}

#define PLACE "connection to server at \"h\" (10.0.0.1), port 5432 failed: "

static void connect_errors_are_told_apart(void **state) {
    (void)state;
    expect_connect_error(PLACE "FATAL:  28P01: password authentication failed for user \"u\"\n"
                               "LOCATION:  auth_failed, auth.c:338\n",
                         PGO_E_PG_AUTH, "28P01", false,
                         "cannot connect to h:5432/d as u: FATAL: password authentication failed");
    expect_connect_error(PLACE "FATALE:  57P03: il database si sta avviando\n", PGO_E_PG_CONNECT,
                         "57P03", true, "si sta avviando");
    expect_connect_error(PLACE "FATAL:  3D000: database \"d\" does not exist\n", PGO_E_PG_CONNECT,
                         "3D000", false, "does not exist");
    expect_connect_error(
        PLACE
        "could not receive data from server: Connection reset by peer\n" PLACE
        "FATAL:  28000: no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", no encryption\n",
        PGO_E_PG_CONNECT, "", true, "Connection reset by peer");
    expect_connect_error(
        PLACE
        "SSL connection has been closed unexpectedly\n" PLACE
        "FATAL:  28000: no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", no encryption\n",
        PGO_E_PG_CONNECT, "", true, "closed unexpectedly");
    expect_connect_error(
        PLACE "FATAL:  28000: no pg_hba.conf entry for host \"h\", user \"reset\", no encryption\n",
        PGO_E_PG_AUTH, "28000", false, "no encryption");
    expect_connect_error(PLACE "fe_sendauth: no password supplied\n", PGO_E_PG_AUTH, "", false,
                         "supplied");
    expect_connect_error(PLACE "Connection refused\n\tIs the server running?\n", PGO_E_PG_CONNECT,
                         "", true, "Connection refused; Is the server running?");
    expect_connect_error(PLACE "Connection timed out\n", PGO_E_PG_CONNECT, "", true, "allow list");
    expect_connect_error(PLACE "SSL error: certificate verify failed\n", PGO_E_TLS, "", false,
                         "verify");
    expect_connect_error(PLACE "could not send SSL negotiation packet: Connection reset by peer\n",
                         PGO_E_PG_CONNECT, "", true, "reset");
    expect_connect_error(PLACE "server does not support SSL, but SSL was required\n", PGO_E_TLS, "",
                         false, "required");
    expect_connect_error("invalid connection option \"x\"\n", PGO_E_INVALID, "", false, "option");
}

static void count(void *arg, const char *keyword, const char *value) {
    (void)keyword;
    (void)value;
    ++*(int *)arg;
}

static void uris_are_parsed_or_refused_without_a_word(void **state) {
    (void)state;
    int visited = 0;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(
        pgo_pg_uri_parse("postgres://u:p%40@[::1]:1/d?sslmode=require&options=-c%20a%3Db", count,
                         &visited, &err),
        0);
    assert_int_equal(visited, 7);
    assert_int_equal(pgo_pg_uri_parse("postgres://h/d?user=x@y", count, &visited, &err), 0);
    static const char *const wrong[] = {
        "postgres://u:hunter%g@h/d", "postgres://u:hunter2@x@h/d",   "postgres://u:12/hunter2@h",
        "postgres://u:p@[hunter2/d", "postgres://u:p@h/d?hunter2=1", "hunter2",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(pgo_pg_uri_parse(wrong[i], count, &visited, &err), PGO_E_INVALID);
        assert_null(strstr(err.message, "hunter"));
        pgo_err_clear(&err);
    }
}

static void literals_are_quoted(void **state) {
    (void)state;
    pgo_buffer out = {0};
    assert_int_equal(pgo_pg_literal(&out, "it's", 4), 0);
    assert_string_equal(out.data, "'it''s'");
    pgo_buffer_clear(&out);
    assert_int_equal(pgo_pg_literal(&out, "a\\'b", 4), 0);
    assert_string_equal(out.data, " E'a\\\\''b'");
    pgo_buffer_free(&out);
}

static void a_ca_lies_in_a_file_of_its_own(void **state) {
    (void)state;
    char *path = NULL;
    pgo_err err = PGO_ERR_INIT;
    struct stat info;
    assert_int_equal(pgo_pg_ca_write("/tmp", "-----BEGIN CERTIFICATE-----\n", &path, &err), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    unlink(path);
    free(path);
    assert_int_equal(pgo_pg_ca_write("/tmp", "nonsense", &path, &err), PGO_E_INVALID);
    pgo_err_clear(&err);
}

/* Messages of the server's: a letter, the length in four bytes, which counts itself, the body. */
#define NOTICE "N\0\0\0\x0dSNOTICE\0\0"
#define PARAMETER                                                                                  \
    "S\0\0\0\x08"                                                                                  \
    "a\0b\0"
#define ERROR "E\0\0\0\x0cSERROR\0\0"
#define READY "Z\0\0\0\x05I"

static bool tells(const char *bytes, size_t size) {
    return pgo_pg_tells_the_end((const unsigned char *)bytes, size - 1);
}
#define TELLS(bytes) tells(bytes, sizeof(bytes))

static void the_end_of_a_copy_is_told_from_what_passes(void **state) {
    (void)state;
    assert_true(TELLS(ERROR));
    assert_true(TELLS(READY));
    assert_true(TELLS(NOTICE PARAMETER NOTICE ERROR READY));
    assert_true(TELLS(NOTICE "E\0\0\1\0S")); /* the rest of it has not come */
    assert_false(TELLS(""));
    assert_false(TELLS(NOTICE PARAMETER));
    assert_false(TELLS(NOTICE "E\0\0\0"));
    assert_false(TELLS("N\0\0\1\0S" ERROR)); /* inside a long notice */
    assert_false(TELLS("EMERGENCY " ERROR)); /* in the middle of one */
    assert_false(TELLS("N\0\0\0\0" ERROR));  /* nonsense does not hold it up */
    assert_false(TELLS("N\xff\xff\xff\xffS" ERROR));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_have_defaults_that_can_be_replaced),
        cmocka_unit_test(messages_name_host_database_and_user_only),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(connect_errors_are_told_apart),
        cmocka_unit_test(uris_are_parsed_or_refused_without_a_word),
        cmocka_unit_test(literals_are_quoted),
        cmocka_unit_test(the_end_of_a_copy_is_told_from_what_passes),
        cmocka_unit_test(a_ca_lies_in_a_file_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
