/*
 * test_profile.c - settings from files, also hostile ones, and the URL that comes of them
 */
#include "remote/s3_place.h"
#include "remote/s3_profile.h"
#include "support.h"

static struct profile *profile;

static int load(const char *config, const char *credentials, const char *name)
{
        save(path("config"), config);
        save(path("credentials"), credentials);
        setenv("AWS_CONFIG_FILE", path("config"), 1);
        setenv("AWS_SHARED_CREDENTIALS_FILE", path("credentials"), 1);
        return profile_load(name, &profile);
}

static const struct {
        const char *what, *config, *profile, *setting, *want;
} settings[] = {
        { "default", "[default]\nregion = a\n", NULL, "region", "a" },
        { "default, long", "[profile default]\nregion = a\n", NULL, "region", "a" },
        { "no such setting", "[default]\nregion = a\n", NULL, "ca_bundle", NULL },
        { "a profile", "[default]\nregion=a\n[profile b]\nregion=b\n", "b", "region", "b" },
        { "spaces", "[ profile \t b ]\n\n region=x\nregion =  b c \r\n", "b", "region", "b c" },
        { "the last counts", "[default]\nregion=a\nregion=b\n", NULL, "region", "b" },
        { "twice a section", "[default]\na=b\n[x]\n[default]\nregion=a\n", NULL, "region", "a" },
        { "comments", "# region=x\n[default] ; y\nregion=a #b\n;c\n", NULL, "region", "a" },
        { "no comment", "[default]\nregion=a#b\n", NULL, "region", "a#b" },
        { "below", "[default]\ns3 =\n  addressing_style = path\n", NULL, "s3.addressing_style",
          "path" },
        { "below no more", "[default]\ns3 =\n  a = b\nregion = c\n", NULL, "s3.region", NULL },
        { "no end of line", "[default]\nregion=a", NULL, "region", "a" },
        { "empty value", "[default]\nregion=\n", NULL, "region", NULL },
        { "no name", "[default]\n=a\nregion=b\n", NULL, "region", "b" },
        { "not closed", "[default\nregion=a\n", NULL, "region", NULL },
        { "before all sections", "region=a\n", NULL, "region", NULL },
        { "nothing", "", NULL, "region", NULL },
        { "noise", "\x01\xff[[[]]]===\n[]\n=\n]\n[default]\nregion=a\n", NULL, "region", "a" },
};

START_TEST(settings_are_found)
{
        const char *got;

        expect_ok(load(settings[_i].config, "", settings[_i].profile));
        got = profile_config(profile, settings[_i].setting);
        if (settings[_i].want)
                ck_assert_msg(got && strcmp(got, settings[_i].want) == 0, "%s: %s",
                              settings[_i].what, got);
        else
                ck_assert_msg(!got, "%s: %s", settings[_i].what, got);
        profile_free(profile);
}
END_TEST

START_TEST(a_profile_that_is_nowhere_is_refused)
{
        expect(load("[profile a]\n", "[b]\n", "c"), -EACCES);
        expect_ok(load("[profile a]\n", "[b]\n", "a"));
        profile_free(profile);
        expect_ok(load("[profile a]\n", "[b]\n", "b"));
        profile_free(profile);
        setenv("AWS_PROFILE", "c", 1);
        expect(load("[profile a]\n", "[b]\n", NULL), -EACCES);
}
END_TEST

static void save_long(const char *file)
{
        FILE *stream = fopen(file, "w");

        for (int i = 0; i < 1 << 18; i++)
                fputs("[a]\nb=c\n", stream);
        fclose(stream);
}

START_TEST(files_that_are_none_are_refused)
{
        setenv("AWS_CONFIG_FILE", path("missing"), 1);
        setenv("AWS_SHARED_CREDENTIALS_FILE", path("it"), 1);
        expect_ok(profile_load(NULL, &profile));
        profile_free(profile);
        ck_assert_int_eq(mkdir(path("it"), 0700), 0);
        expect(profile_load(NULL, &profile), -EIO);
        ck_assert_int_eq(rmdir(path("it")), 0);
        ck_assert_int_eq(mkfifo(path("it"), 0600), 0);
        expect(profile_load(NULL, &profile), -EIO);
        ck_assert_int_eq(unlink(path("it")), 0);
        save_long(path("it"));
        expect(profile_load(NULL, &profile), -EIO);
        setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero", 1);
        expect(profile_load(NULL, &profile), -EIO);
}
END_TEST

/* Any bytes: no crash, and no reading outside, which the sanitizers see. */
START_TEST(random_files_are_read)
{
        static const char pieces[][12] = { "[",        "]", "\n", "=",       " ",  "#",
                                           "profile ", "a", "\t", "default", "s3", "\r\n" };
        uint32_t dice = 1;

        for (int i = 0; i < 2000; i++) {
                char text[256] = "";

                for (int j = 0; j < 20; j++) {
                        dice = dice * 1664525 + 1013904223;
                        strcat(text, pieces[(dice >> 16) % 12]);
                }
                expect_ok(load(text, text, NULL));
                profile_config(profile, "a");
                profile_config(profile, "s3.a");
                profile_service(profile, "a");
                profile_free(profile);
        }
}
END_TEST

static const struct {
        const char *what, *url;
        struct bucket_options options;
        const char *environment, *config; /* AWS_ENDPOINT_URL */
        const char *want;                 /* of the object "c/1" */
} places[] = {
        { "S3 itself",
          "//bucket/p/q",
          { 0 },
          NULL,
          "",
          "https://bucket.s3.us-east-1.amazonaws.com/p/q/c/1" },
        { "a region",
          "//bucket",
          { .region = "eu-west-1" },
          NULL,
          "",
          "https://bucket.s3.eu-west-1.amazonaws.com/c/1" },
        { "the profile's region",
          "//bucket/",
          { 0 },
          NULL,
          "[default]\nregion=cn-north-1\n",
          "https://bucket.s3.cn-north-1.amazonaws.com.cn/c/1" },
        { "a dot in the bucket",
          "//my.bucket/p",
          { 0 },
          NULL,
          "",
          "https://s3.us-east-1.amazonaws.com/my.bucket/p/c/1" },
        { "an endpoint",
          "//bucket/p",
          { .endpoint = "http://h:80/" },
          NULL,
          "",
          "http://h/bucket/p/c/1" },
        { "an endpoint with a path",
          "//bucket/p",
          { .endpoint = "https://h:8443/s3/" },
          NULL,
          "",
          "https://h:8443/s3/bucket/p/c/1" },
        { "an endpoint, in the host",
          "//bucket/p",
          { .endpoint = "http://h", .path_style = 2 },
          NULL,
          "",
          "http://bucket.h/p/c/1" },
        { "the environment's endpoint",
          "//bucket",
          { 0 },
          "http://e:1",
          "",
          "http://e:1/bucket/c/1" },
        { "the file's endpoint",
          "//bucket",
          { 0 },
          NULL,
          "[default]\nendpoint_url=http://f\n",
          "http://f/bucket/c/1" },
        { "the service's endpoint",
          "//bucket",
          { 0 },
          NULL,
          "[default]\nservices=x\nendpoint_url=http://f\n[services x]\ns3=\n "
          "endpoint_url=http://g\n",
          "http://g/bucket/c/1" },
        { "style of the file",
          "//bucket",
          { .endpoint = "http://h" },
          NULL,
          "[default]\ns3=\n addressing_style=virtual\n",
          "http://bucket.h/c/1" },
        { "IPv6",
          "//bucket",
          { .endpoint = "http://[::1]:9000" },
          NULL,
          "",
          "http://[::1]:9000/bucket/c/1" },
};

START_TEST(the_url_of_an_object)
{
        struct s3_place place;
        struct text url = { 0 };

        expect_ok(load(places[_i].config, "", NULL));
        if (places[_i].environment)
                setenv("AWS_ENDPOINT_URL", places[_i].environment, 1);
        expect_ok(s3_place_init(places[_i].url, &places[_i].options, profile, &place));
        text_add(&url, text_string(&place.origin));
        expect_ok(s3_place_path(&place, "c/1", &url));
        ck_assert_msg(strcmp(text_string(&url), places[_i].want) == 0, "%s: %s", places[_i].what,
                      text_string(&url));
        text_free(&url);
        s3_place_free(&place);
        profile_free(profile);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { settings_are_found, CASES(settings) },
                { a_profile_that_is_nowhere_is_refused, 0 },
                { files_that_are_none_are_refused, 0 },
                { random_files_are_read, 0 },
                { the_url_of_an_object, CASES(places) },
        };

        return RUN_TESTS("profile", tests);
}
