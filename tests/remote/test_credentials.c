/*
 * test_credentials.c - keys from each source, in their order, renewed in time
 */
#include <pthread.h>

#include "remote/s3_credentials.h"
#include "support.h"

static struct s3_credentials *credentials;
static struct s3_keys keys;

static int get_at(int64_t now_ns)
{
        s3_keys_free(&keys);
        return s3_credentials_get(credentials, now_ns, &keys);
}

static int ask(const char *profile)
{
        s3_credentials_free(credentials);
        credentials = NULL;
        expect_ok(s3_credentials_new(profile, "us-east-1", NULL, 1000, &credentials));
        return get_at(clock_real_ns());
}

static void expect_keys(const char *access, const char *secret, const char *token)
{
        ck_assert_str_eq(keys.access, access);
        ck_assert_str_eq(keys.secret, secret);
        ck_assert_str_eq(keys.token, token);
}

static void use_server(const char *variable, const char *below)
{
        char url[128];

        if (!*server_url)
                start_server();
        snprintf(url, sizeof(url), "%s%s", server_url, below);
        setenv(variable, url, 1);
}

static void use_files(const char *config, const char *file)
{
        save(path("config"), config);
        save(path("credentials"), file);
        setenv("AWS_CONFIG_FILE", path("config"), 1);
        setenv("AWS_SHARED_CREDENTIALS_FILE", path("credentials"), 1);
}

static void use_web(const char *token)
{
        save(path("web-token"), token);
        setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path("web-token"), 1);
        setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/a+b", 1);
        use_server("AWS_ENDPOINT_URL_STS", "/sts");
}

static void use_container(void)
{
        use_server("AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in", 1);
}

static void use_instance(void)
{
        unsetenv("AWS_EC2_METADATA_DISABLED");
        use_server("AWS_EC2_METADATA_SERVICE_ENDPOINT", "/imds/");
}

START_TEST(none_are_told_as_none)
{
        expect(ask(NULL), -EACCES);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "no credentials"));
}
END_TEST

START_TEST(the_environment_is_first)
{
        use_keys("AKENV", "secret");
        setenv("AWS_SESSION_TOKEN", "token", 1);
        use_files("", "[default]\naws_access_key_id=AKFILE\naws_secret_access_key=s\n");
        expect_ok(ask(NULL));
        expect_keys("AKENV", "secret", "token");
        unsetenv("AWS_SECRET_ACCESS_KEY");
        expect(ask(NULL), -EACCES);
}
END_TEST

START_TEST(a_profile_that_is_asked_for_goes_before_the_environment)
{
        use_keys("AKENV", "secret");
        use_files("[profile b]\naws_access_key_id=AKB\naws_secret_access_key=sb\n",
                  "[a]\naws_access_key_id = AKA\naws_secret_access_key = sa\n"
                  "aws_session_token = ta\n");
        expect_ok(ask("a"));
        expect_keys("AKA", "sa", "ta");
        expect_ok(ask("b"));
        expect_keys("AKB", "sb", "");
        expect(ask("c"), -EACCES);
}
END_TEST

static const char *const unknown[] = { "role_arn = r\nsource_profile = x", "credential_process = x",
                                       "sso_session = x" };

/* Else another source's keys, maybe of another account, would be taken. */
START_TEST(what_is_not_supported_is_said)
{
        char config[128];

        snprintf(config, sizeof(config), "[default]\n%s\n", unknown[_i]);
        use_files(config, "");
        use_instance();
        expect(ask(NULL), -EACCES);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "not supported"));
}
END_TEST

START_TEST(a_web_identity_buys_keys)
{
        use_web("a web/token\n");
        expect_ok(ask(NULL));
        expect_keys("AKSTS", "arn:aws:iam::1:role/a+b", "session");
        ck_assert_int_gt(keys.expires_ns, clock_real_ns() + 3000 * NS_PER_S);
        save(path("web-token"), "another");
        expect(ask(NULL), -EACCES);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "InvalidIdentityToken: no such token"));
        unlink(path("web-token"));
        expect(ask(NULL), -EACCES);
        unsetenv("AWS_ROLE_ARN");
        expect(ask(NULL), -EACCES);
}
END_TEST

START_TEST(a_profile_s_web_identity_buys_keys)
{
        char config[900];

        use_web("a web/token");
        unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
        unsetenv("AWS_ROLE_ARN");
        snprintf(config, sizeof(config),
                 "[profile a]\nrole_arn = r\nweb_identity_token_file = %s\n", path("web-token"));
        use_files(config, "");
        expect_ok(ask("a"));
        expect_keys("AKSTS", "r", "session");
}
END_TEST

START_TEST(a_container_gives_keys)
{
        use_container();
        expect_ok(ask(NULL));
        expect_keys("AKCONTAINER1", "secret", "token");
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in\r\nX-Evil: 1", 1);
        expect(ask(NULL), -EACCES);
        save(path("token"), "let me in\n");
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path("token"), 1);
        expect_ok(ask(NULL));
        save(path("token"), "who am I");
        expect(ask(NULL), -EACCES);
}
END_TEST

static const char *const uris[] = { "http://example.com/", "http://127.0.0.1.example.com/",
                                    "http://127.0.0.1:1@example.com/", "ftp://127.0.0.1/", "x" };

START_TEST(keys_are_not_asked_for_just_anywhere)
{
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uris[_i], 1);
        expect(ask(NULL), -EACCES);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "neither https"));
}
END_TEST

START_TEST(an_instance_gives_keys)
{
        use_instance();
        expect_ok(ask(NULL));
        expect_keys("AKIMDS1", "secret", "token");
        ck_assert_int_gt(keys.expires_ns, clock_real_ns() + 3000 * NS_PER_S);
}
END_TEST

START_TEST(an_instance_that_is_none_is_said)
{
        unsetenv("AWS_EC2_METADATA_DISABLED");
        setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
        expect(ask(NULL), -EACCES);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "no credentials"));
}
END_TEST

START_TEST(sources_have_an_order)
{
        use_instance();
        use_container();
        expect_ok(ask(NULL));
        ck_assert_str_eq(keys.access, "AKCONTAINER1");
        use_files("[default]\naws_access_key_id=AKCONFIG\naws_secret_access_key=s\n", "");
        expect_ok(ask(NULL));
        ck_assert_str_eq(keys.access, "AKCONFIG");
        use_files("[default]\naws_access_key_id=AKCONFIG\naws_secret_access_key=s\n",
                  "[default]\naws_access_key_id=AKFILE\naws_secret_access_key=s\n");
        expect_ok(ask(NULL));
        ck_assert_str_eq(keys.access, "AKFILE");
        use_web("a web/token");
        expect_ok(ask(NULL));
        ck_assert_str_eq(keys.access, "AKSTS");
        use_keys("AKENV", "s");
        expect_ok(ask(NULL));
        ck_assert_str_eq(keys.access, "AKENV");
}
END_TEST

/* The server's keys live for an hour. */
START_TEST(keys_are_renewed_before_they_expire)
{
        int64_t now_ns = clock_real_ns();

        use_instance();
        expect_ok(ask(NULL));
        expect_ok(get_at(now_ns + 3200 * NS_PER_S));
        ck_assert_str_eq(keys.access, "AKIMDS1");
        expect_ok(get_at(now_ns + 3310 * NS_PER_S));
        ck_assert_str_eq(keys.access, "AKIMDS2");
}
END_TEST

START_TEST(old_keys_serve_while_renewal_fails)
{
        int64_t now_ns = clock_real_ns();

        use_instance();
        expect_ok(ask(NULL));
        setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
        expect_ok(get_at(now_ns + 3310 * NS_PER_S));
        ck_assert_str_eq(keys.access, "AKIMDS1");
        expect(get_at(now_ns + 3610 * NS_PER_S), -EAGAIN);
        use_instance();
        expect_ok(get_at(now_ns + 3000 * NS_PER_S));
}
END_TEST

START_TEST(keys_that_the_server_calls_expired_are_renewed_once)
{
        use_instance();
        expect_ok(ask(NULL));
        ck_assert(s3_credentials_expired(credentials, &keys));
        expect_ok(get_at(clock_real_ns()));
        ck_assert_str_eq(keys.access, "AKIMDS2");
        use_keys("AKENV", "s");
        expect_ok(ask(NULL));
        ck_assert(s3_credentials_expired(credentials, &keys));
        expect_ok(get_at(clock_real_ns()));
        ck_assert(!s3_credentials_expired(credentials, &keys));
}
END_TEST

static void *ask_often(void *argument)
{
        int64_t from_ns = clock_real_ns();

        (void)argument;
        for (int i = 0; i < 200; i++) {
                struct s3_keys own = { 0 };

                expect_ok(s3_credentials_get(credentials, from_ns + i * 17 * NS_PER_S, &own));
                ck_assert_int_eq(strncmp(own.access, "AKIMDS", 6), 0);
                s3_keys_free(&own);
        }
        return NULL;
}

START_TEST(many_threads_share_them)
{
        pthread_t threads[8];

        use_instance();
        expect_ok(ask(NULL));
        for (int i = 0; i < 8; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
        for (int i = 0; i < 8; i++)
                pthread_join(threads[i], NULL);
}
END_TEST

static const struct {
        const char *what, *json;
        int want;
} jsons[] = {
        { "good", "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Token\":\"c\"}", 0 },
        { "no token", "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}", 0 },
        { "no secret", "{\"AccessKeyId\":\"a\"}", -EACCES },
        { "a number", "{\"AccessKeyId\":1,\"SecretAccessKey\":\"hush\"}", -EACCES },
        { "a line break", "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\\r\\nX: y\"}",
          -EACCES },
        { "a bad time", "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":\"x\"}",
          -EACCES },
        { "a failure", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", -EACCES },
        { "no JSON", "hush", -EACCES },
        { "a list", "[]", -EACCES },
        { "nothing", "", -EACCES },
};

START_TEST(the_answer_of_a_service_is_checked)
{
        struct text text = { 0 };
        int r;

        text_add(&text, jsons[_i].json);
        r = s3_keys_from_json("it", &text, &keys);
        ck_assert_msg(r == jsons[_i].want, "%s: %d", jsons[_i].what, r);
        ck_assert_ptr_null(strstr(remote_detail_line(), "hush"));
        text_free(&text);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { none_are_told_as_none, 0 },
                { the_environment_is_first, 0 },
                { a_profile_that_is_asked_for_goes_before_the_environment, 0 },
                { what_is_not_supported_is_said, CASES(unknown) },
                { a_web_identity_buys_keys, 0 },
                { a_profile_s_web_identity_buys_keys, 0 },
                { a_container_gives_keys, 0 },
                { keys_are_not_asked_for_just_anywhere, CASES(uris) },
                { an_instance_gives_keys, 0 },
                { an_instance_that_is_none_is_said, 0 },
                { sources_have_an_order, 0 },
                { keys_are_renewed_before_they_expire, 0 },
                { old_keys_serve_while_renewal_fails, 0 },
                { keys_that_the_server_calls_expired_are_renewed_once, 0 },
                { many_threads_share_them, 0 },
                { the_answer_of_a_service_is_checked, CASES(jsons) },
        };

        return RUN_TESTS("credentials", tests);
}
