/*
 * test_sign.c - signatures, against the published vectors, and the times in them
 */
#include "remote/s3_sign.h"
#include "support.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* From the test suite of Signature Version 4: what is to be signed, and the signature. */
#define SUITE_HOST                              \
        {                                       \
                "host", "example.amazonaws.com" \
        }
#define SUITE_DATE                               \
        {                                        \
                "x-amz-date", "20150830T123600Z" \
        }
static const struct {
        const char *name, *method, *path, *query, *body_hash;
        struct sign_header headers[6];
        const char *signature;
} suite[] = {
        { "get-vanilla",
          "GET",
          "/",
          "",
          EMPTY,
          { SUITE_HOST, SUITE_DATE },
          "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
        { "get-header-value-trim",
          "GET",
          "/",
          "",
          EMPTY,
          { { "my-header2", " \"a   b   c\"" },
            { "my-header1", " value1 " },
            SUITE_HOST,
            SUITE_DATE },
          "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
        { "get-vanilla-query-order-key-case",
          "GET",
          "/",
          "Param2=value2&Param1=value1",
          EMPTY,
          { SUITE_HOST, SUITE_DATE },
          "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
        { "get-vanilla-query-order-encoded",
          "GET",
          "/",
          "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
          EMPTY,
          { SUITE_DATE, SUITE_HOST },
          "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac" },
        { "get-unreserved",
          "GET",
          "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
          "",
          EMPTY,
          { SUITE_HOST, SUITE_DATE },
          "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
        { "post-vanilla-query",
          "POST",
          "/",
          "Param1=value1",
          EMPTY,
          { SUITE_HOST, SUITE_DATE },
          "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
        { "get-vanilla-with-session-token",
          "GET",
          "/",
          "",
          EMPTY,
          { SUITE_HOST,
            SUITE_DATE,
            { "x-amz-security-token",
              "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" } },
          "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8" },
        { "post-x-www-form-urlencoded",
          "POST",
          "/",
          "",
          "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
          { { "content-type", "application/x-www-form-urlencoded" },
            SUITE_HOST,
            { "content-length", "13" },
            { "x-amz-content-sha256",
              "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e" },
            SUITE_DATE },
          "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b" },
};

static size_t count_of(const struct sign_header *headers, size_t most)
{
        size_t count = 0;

        while (count < most && headers[count].name)
                count++;
        return count;
}

static void check(const struct sign_scope *scope, const struct sign_request *request,
                  const char *name, const char *signature)
{
        struct text got = { 0 };
        const char *at;

        expect_ok(sign_authorization(scope, request, &got));
        at = strstr(text_string(&got), "Signature=");
        ck_assert_ptr_nonnull(at);
        ck_assert_msg(strcmp(at + 10, signature) == 0, "%s: %s", name, text_string(&got));
        text_free(&got);
}

START_TEST(the_suite_s_vectors)
{
        const struct sign_scope scope = { .access_key = "AKIDEXAMPLE",
                                          .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                          .region = "us-east-1",
                                          .service = "service",
                                          .time_ns = clock_parse_iso("2015-08-30T12:36:00Z") };
        const struct sign_request request = { suite[_i].method,
                                              suite[_i].path,
                                              suite[_i].query,
                                              suite[_i].headers,
                                              count_of(suite[_i].headers, 6),
                                              suite[_i].body_hash };

        check(&scope, &request, suite[_i].name, suite[_i].signature);
}
END_TEST

/* From the documents of S3. */
#define S3_HOST                                          \
        {                                                \
                "host", "examplebucket.s3.amazonaws.com" \
        }
#define S3_DATE                                  \
        {                                        \
                "x-amz-date", "20130524T000000Z" \
        }
#define S3_EMPTY                              \
        {                                     \
                "x-amz-content-sha256", EMPTY \
        }
#define PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
static const struct {
        const char *name, *method, *path, *query, *body_hash;
        struct sign_header headers[6];
        const char *signature;
} s3[] = {
        { "a range of an object",
          "GET",
          "/test.txt",
          "",
          EMPTY,
          { S3_HOST, { "range", "bytes=0-9" }, S3_EMPTY, S3_DATE },
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
        { "an object put",
          "PUT",
          "/test%24file.text",
          "",
          PUT_HASH,
          { { "date", "Fri, 24 May 2013 00:00:00 GMT" },
            S3_HOST,
            { "x-amz-content-sha256", PUT_HASH },
            S3_DATE,
            { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
        { "a parameter without a value",
          "GET",
          "/",
          "lifecycle",
          EMPTY,
          { S3_HOST, S3_EMPTY, S3_DATE },
          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
        { "a list",
          "GET",
          "/",
          "prefix=J&max-keys=2",
          EMPTY,
          { S3_HOST, S3_EMPTY, S3_DATE },
          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};

START_TEST(the_examples_of_s3)
{
        const struct sign_scope scope = { .access_key = "AKIAIOSFODNN7EXAMPLE",
                                          .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                          .region = "us-east-1",
                                          .service = "s3",
                                          .time_ns = clock_parse_iso("2013-05-24T00:00:00Z") };
        const struct sign_request request = { s3[_i].method,
                                              s3[_i].path,
                                              s3[_i].query,
                                              s3[_i].headers,
                                              count_of(s3[_i].headers, 6),
                                              s3[_i].body_hash };

        check(&scope, &request, s3[_i].name, s3[_i].signature);
}
END_TEST

static const struct {
        const char *text;
        int64_t want_ns;
} iso[] = {
        { "1970-01-01T00:00:01Z", NS_PER_S },
        { "2026-11-30T10:11:12.678Z", 1796033472678 * NS_PER_MS },
        { "2026-11-30T10:11:12.Z", 0 },
        { "2026-13-30T10:11:12Z", 0 },
        { "2026-11-30T10:11:12", 0 },
        { "2026-11-30T10:11:12Z ", 0 },
        { "2026-11-30 10:11:12Z", 0 },
        { "", 0 },
        { "20", 0 },
        { "9999-99-99T99:99:99Z", 0 },
};

START_TEST(times_as_iso_has_them)
{
        ck_assert_msg(clock_parse_iso(iso[_i].text) == iso[_i].want_ns, "%s: %" PRId64,
                      iso[_i].text, clock_parse_iso(iso[_i].text));
}
END_TEST

static const struct {
        const char *text;
        int64_t want_ns;
} http[] = {
        { "Mon, 30 Nov 2026 10:11:12 GMT", 1796033472 * NS_PER_S },
        { "Mon, 30 Nov 2026 10:11:12 CET", 0 },
        { "Monday, 30-Nov-26 10:11:12 GMT", 0 },
        { "Mon, 30 Foo 2026 10:11:12 GMT", 0 },
        { "Mon, 30 Nov 2026 10:11", 0 },
        { ",", 0 },
        { "", 0 },
};

START_TEST(times_as_http_has_them)
{
        ck_assert_msg(clock_parse_http(http[_i].text) == http[_i].want_ns, "%s: %" PRId64,
                      http[_i].text, clock_parse_http(http[_i].text));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { the_suite_s_vectors, CASES(suite) },
                { the_examples_of_s3, CASES(s3) },
                { times_as_iso_has_them, CASES(iso) },
                { times_as_http_has_them, CASES(http) },
        };

        return RUN_TESTS("sign", tests);
}
