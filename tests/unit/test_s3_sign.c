/* Signatures against the vectors that AWS publishes (the S3 examples, and header and query cases of
 * the Signature Version 4 suite), and encodings that only go wrong with awkward names. */
#include "io/s3_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/digest.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_HOST F("host", "examplebucket.s3.amazonaws.com")
#define S3_DATE F("x-amz-date", "20130524T000000Z")
#define S3_EMPTY F("x-amz-content-sha256", EMPTY)
#define SUITE_HOST F("Host", "example.amazonaws.com")
#define SUITE_DATE F("X-Amz-Date", "20150830T123600Z")
#define F(name, value)                                                                             \
    { name, value, sizeof name - 1, sizeof value - 1 }
#define COUNT(array) (sizeof array / sizeof *array)

static const pgo_s3_key s3_key = {
    .access_key = "AKIAIOSFODNN7EXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .secret_length = 40,
    .region = "us-east-1",
    .service = "s3",
    .time = "20130524T000000Z",
};

static const pgo_s3_key suite_key = {
    .access_key = "AKIDEXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    .secret_length = 40,
    .region = "us-east-1",
    .service = "service",
    .time = "20150830T123600Z",
};

static pgo_s3_request request(const char *method, const char *path, const pgo_s3_field *query,
                              size_t query_count, const pgo_s3_field *headers,
                              size_t header_count) {
    return (pgo_s3_request){.method = method,
                            .path = path,
                            .path_length = strlen(path),
                            .query = query,
                            .query_count = query_count,
                            .headers = headers,
                            .header_count = header_count,
                            .payload_hash = EMPTY};
}

static void expect(const pgo_s3_key *key, const pgo_s3_request *wanted, const char *signature) {
    char got[65];
    assert_int_equal(pgo_s3_signature(key, wanted, got, NULL), 0);
    assert_string_equal(got, signature);
}

static void the_signing_key_of_the_s3_examples(void **state) {
    (void)state;
    unsigned char key[32];
    char hex[65];
    assert_int_equal(pgo_s3_signing_key(&s3_key, key, NULL), 0);
    pgo_hex(key, sizeof key, hex);
    assert_string_equal(hex, "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378");
}

static void s3_get_with_a_range(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {S3_HOST, F("Range", "bytes=0-9"), S3_EMPTY, S3_DATE};
    pgo_s3_request get = request("GET", "/test.txt", NULL, 0, headers, COUNT(headers));
    expect(&s3_key, &get, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_authorization(&out, &s3_key, &get, NULL), 0);
    assert_string_equal(
        out.data, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                  "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                  "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    pgo_buffer_free(&out);
}

static void s3_put_of_a_name_with_a_dollar(void **state) {
    (void)state;
    const char *body = "Welcome to Amazon S3.";
    unsigned char digest[PGO_DIGEST_MAX];
    char hash[PGO_DIGEST_HEX];
    size_t length;
    assert_int_equal(pgo_digest_of("sha256", body, strlen(body), digest, &length, NULL), 0);
    pgo_hex(digest, length, hash);
    const pgo_s3_field headers[] = {
        F("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        S3_HOST,
        S3_DATE,
        F("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        {"x-amz-content-sha256", hash, 20, 64},
    };
    pgo_s3_request put = request("PUT", "/test$file.text", NULL, 0, headers, COUNT(headers));
    put.payload_hash = hash;
    expect(&s3_key, &put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void s3_queries(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {S3_HOST, S3_EMPTY, S3_DATE};
    const pgo_s3_field lifecycle[] = {F("lifecycle", "")};
    pgo_s3_request get = request("GET", "/", lifecycle, 1, headers, COUNT(headers));
    expect(&s3_key, &get, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    const pgo_s3_field list[] = {F("prefix", "J"), F("max-keys", "2")};
    get = request("GET", "/", list, 2, headers, COUNT(headers));
    expect(&s3_key, &get, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void s3_presigned_get(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {S3_HOST};
    pgo_s3_request get = request("GET", "/test.txt", NULL, 0, headers, 1);
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_presign(&out, &s3_key, &get, 86400, NULL), 0);
    assert_string_equal(out.data,
                        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE"
                        "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
                        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    pgo_buffer_free(&out);
}

static void a_url_lives_a_second_to_seven_days(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {S3_HOST};
    pgo_s3_request get = request("GET", "/test.txt", NULL, 0, headers, 1);
    pgo_buffer out = {0};
    pgo_err err = PGO_ERR_INIT;
    static const long refused[] = {0, -1, 604801};
    for (size_t i = 0; i < COUNT(refused); i++) {
        int rc = pgo_s3_presign(&out, &s3_key, &get, refused[i], &err);
        assert_int_equal(rc, PGO_E_INVALID);
        assert_int_equal(err.code, PGO_E_INVALID);
        pgo_err_clear(&err);
    }
    assert_int_equal(pgo_s3_presign(&out, &s3_key, &get, 1, &err), 0);
    assert_int_equal(pgo_s3_presign(&out, &s3_key, &get, 604800, &err), 0);
    pgo_buffer_free(&out);
}

static void suite_headers(void **state) {
    (void)state;
    const pgo_s3_field same[] = {SUITE_HOST, F("My-Header1", "value2"), F("My-Header1", "value2"),
                                 F("My-Header1", "value1"), SUITE_DATE};
    pgo_s3_request get = request("GET", "/", NULL, 0, same, COUNT(same));
    expect(&suite_key, &get, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    const pgo_s3_field order[] = {SUITE_HOST,
                                  F("My-Header1", "value4"),
                                  F("My-Header1", "value1"),
                                  F("My-Header1", "value3"),
                                  F("My-Header1", "value2"),
                                  SUITE_DATE};
    get = request("GET", "/", NULL, 0, order, COUNT(order));
    expect(&suite_key, &get, "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01");
    const pgo_s3_field trim[] = {SUITE_HOST, F("My-Header1", " value1"),
                                 F("My-Header2", " \"a   b   c\""), SUITE_DATE};
    get = request("GET", "/", NULL, 0, trim, COUNT(trim));
    expect(&suite_key, &get, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void suite_paths_and_queries(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {SUITE_HOST, SUITE_DATE};
    pgo_s3_request get = request("GET", "/ሴ", NULL, 0, headers, 2);
    expect(&suite_key, &get, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    get = request("GET", "//example//", NULL, 0, headers, 2);
    expect(&suite_key, &get, "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5");
    const pgo_s3_field order[] = {F("Param2", "value2"), F("Param1", "value1")};
    get = request("GET", "/", order, 2, headers, 2);
    expect(&suite_key, &get, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    const pgo_s3_field utf8[] = {F("ሴ", "bar")};
    get = request("GET", "/", utf8, 1, headers, 2);
    expect(&suite_key, &get, "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04");
}

/* The suite hashes the empty body where S3 has UNSIGNED-PAYLOAD, so its URL is signed by hand here.
 */
static void suite_query_form(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {F("My-Header1", "value2"), F("My-Header1", "value2"),
                                    F("My-Header1", "value1"), SUITE_HOST};
    const pgo_s3_field query[] = {
        F("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        F("X-Amz-Credential", "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"),
        F("X-Amz-Date", "20150830T123600Z"),
        F("X-Amz-SignedHeaders", "host;my-header1"),
        F("X-Amz-Expires", "3600"),
    };
    pgo_s3_request get = request("GET", "/", query, COUNT(query), headers, COUNT(headers));
    expect(&suite_key, &get, "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97");
}

static void a_presigned_url_names_each_signed_header_once(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {F("X-B", "1"), F("x-b", "2"), SUITE_HOST};
    const pgo_s3_field query[] = {F("response-content-type", "a/b")};
    pgo_s3_request get = request("GET", "/", query, 1, headers, COUNT(headers));
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_presign(&out, &suite_key, &get, 3600, NULL), 0);
    assert_non_null(strstr(out.data, "&X-Amz-SignedHeaders=host%3Bx-b&response-content-type=a%2Fb"
                                     "&X-Amz-Signature="));
    pgo_buffer_free(&out);
}

static void expect_path(const char *path, const char *encoded) {
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_encode(&out, path, strlen(path), true), 0);
    assert_string_equal(out.data, encoded);
    pgo_buffer_free(&out);
}

static void paths_are_encoded_once_and_kept(void **state) {
    (void)state;
    expect_path("/b/obj 1+ü=&.bin", "/b/obj%201%2B%C3%BC%3D%26.bin");
    expect_path("/b//a/../c/./", "/b//a/../c/./");
    expect_path("/b/50%25", "/b/50%2525");
    expect_path("/b/~a_b-c.d*!'()", "/b/~a_b-c.d%2A%21%27%28%29");
    expect_path("/b/\xf0\x9f\x90\x98", "/b/%F0%9F%90%98");
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_encode(&out, "a\0/b", 4, false), 0);
    assert_string_equal(out.data, "a%00%2Fb");
    pgo_buffer_free(&out);
}

static void queries_are_sorted_by_name_then_value(void **state) {
    (void)state;
    const pgo_s3_field query[] = {
        F("b", "2"),     F("a", "z"), F("a", ""),  F("a", "b c"),
        F("a-b", "+/="), F("B", "ü"), F("a", "B"),
    };
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_query(&out, query, COUNT(query)), 0);
    assert_string_equal(out.data, "B=%C3%BC&a=&a=B&a=b%20c&a=z&a-b=%2B%2F%3D&b=2");
    pgo_buffer_free(&out);
    assert_int_equal(pgo_s3_query(&out, NULL, 0), 0);
    assert_int_equal(out.length, 0);
    pgo_buffer_free(&out);
}

/* "a" before "a%20": by the encoded text, so '=' between name and value must not take part. */
static void a_name_sorts_before_a_longer_one(void **state) {
    (void)state;
    const pgo_s3_field query[] = {F("a b", "1"), F("a", "2"), F("a0", "3")};
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_query(&out, query, COUNT(query)), 0);
    assert_string_equal(out.data, "a=2&a%20b=1&a0=3");
    pgo_buffer_free(&out);
}

static void the_canonical_request_is_spelled_out(void **state) {
    (void)state;
    const pgo_s3_field headers[] = {F("X-Amz-Meta-Note", "  two   words "), F("HOST", "h:9000"),
                                    F("x-amz-meta", "")};
    const pgo_s3_field query[] = {F("uploads", "")};
    pgo_s3_request post = request("POST", "/b/k", query, 1, headers, COUNT(headers));
    post.payload_hash = PGO_S3_UNSIGNED;
    pgo_buffer out = {0};
    assert_int_equal(pgo_s3_canonical(&out, &post), 0);
    assert_string_equal(out.data, "POST\n/b/k\nuploads=\nhost:h:9000\nx-amz-meta:\n"
                                  "x-amz-meta-note:two words\n\n"
                                  "host;x-amz-meta;x-amz-meta-note\nUNSIGNED-PAYLOAD");
    pgo_buffer_free(&out);
}

static void times_are_spelled_in_utc(void **state) {
    (void)state;
    char time[PGO_S3_TIME];
    pgo_s3_time(1369353600.9, time);
    assert_string_equal(time, "20130524T000000Z");
    pgo_s3_time(4102444799, time);
    assert_string_equal(time, "20991231T235959Z");
}

static void an_unknown_digest_is_refused(void **state) {
    (void)state;
    pgo_digest *digest = NULL;
    pgo_err err = PGO_ERR_INIT;
    int rc = pgo_digest_new(&digest, "crc32", &err);
    assert_int_equal(rc, PGO_E_INVALID);
    assert_non_null(strstr(err.message, "crc32"));
    pgo_err_clear(&err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signing_key_of_the_s3_examples),
        cmocka_unit_test(s3_get_with_a_range),
        cmocka_unit_test(s3_put_of_a_name_with_a_dollar),
        cmocka_unit_test(s3_queries),
        cmocka_unit_test(s3_presigned_get),
        cmocka_unit_test(a_url_lives_a_second_to_seven_days),
        cmocka_unit_test(suite_headers),
        cmocka_unit_test(suite_paths_and_queries),
        cmocka_unit_test(suite_query_form),
        cmocka_unit_test(a_presigned_url_names_each_signed_header_once),
        cmocka_unit_test(paths_are_encoded_once_and_kept),
        cmocka_unit_test(queries_are_sorted_by_name_then_value),
        cmocka_unit_test(a_name_sorts_before_a_longer_one),
        cmocka_unit_test(the_canonical_request_is_spelled_out),
        cmocka_unit_test(times_are_spelled_in_utc),
        cmocka_unit_test(an_unknown_digest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
