/*
 * test_tls.c - servers that speak TLS: who is trusted, and what need not be hashed then
 */
#include <fcntl.h>

#include "support.h"

static void run(const char *command)
{
        ck_assert_msg(system(command) == 0, "%s", command);
}

/* A certificate of its own for 127.0.0.1, or for another name. */
static const char *make_certificate(const char *name, const char *subject)
{
        const char *file = path("%s.pem", name);
        char command[2000];

        snprintf(command, sizeof(command),
                 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                 "-days 2 -subj /CN=test -addext subjectAltName=%s -keyout %s.key -out %s.crt "
                 "2>%s.log && cat %s.crt %s.key >%s",
                 subject, file, file, file, file, file, file);
        run(command);
        return file;
}

static int put_with(const char *ca_file, uint64_t size)
{
        const struct bucket_options options = {
                .endpoint = server_url, .ca_file = ca_file, .patience_ms = 5000, .part_bytes = 1
        };
        struct bucket_source source = { .size = size };
        struct bucket *bucket;
        int r;

        source.fd = open(path("source"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_eq(ftruncate(source.fd, (off_t)size), 0);
        use_keys("AKTEST", "SKTEST0123456789");
        expect_ok(bucket_open("s3://bucket/a", &options, &bucket));
        r = bucket_put(bucket, "b", &source, NULL);
        bucket_close(bucket);
        close(source.fd);
        return r;
}

START_TEST(a_server_that_is_trusted_is_used)
{
        const char *file = make_certificate("good", "IP:127.0.0.1");

        start_server_with(file);
        expect_ok(put_with(file, 1000));
        expect_ok(put_with(file, 11 << 20));
        setenv("AWS_CA_BUNDLE", file, 1);
        expect_ok(put_with(NULL, 1000));
}
END_TEST

START_TEST(a_server_that_is_not_trusted_is_refused)
{
        const char *good = make_certificate("good", "IP:127.0.0.1");
        const char *other = make_certificate("other", "IP:127.0.0.1");

        start_server_with(good);
        expect(put_with(NULL, 1000), -EIO);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "certificate"));
        expect(put_with(other, 1000), -EIO);
        expect(put_with(path("missing"), 1000), -EIO);
}
END_TEST

START_TEST(a_server_of_another_name_is_refused)
{
        const char *file = make_certificate("name", "DNS:example.com");

        start_server_with(file);
        expect(put_with(file, 1000), -EIO);
}
END_TEST

START_TEST(a_server_without_tls_is_refused)
{
        start_server();
        memmove(server_url + 5, server_url + 4, strlen(server_url + 4) + 1);
        server_url[4] = 's';
        expect(put_with(NULL, 1000), -EIO);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_server_that_is_trusted_is_used, 0 },
                { a_server_that_is_not_trusted_is_refused, 0 },
                { a_server_of_another_name_is_refused, 0 },
                { a_server_without_tls_is_refused, 0 },
        };

        return RUN_TESTS("tls", tests);
}
