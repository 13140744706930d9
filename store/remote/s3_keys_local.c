/*
 * s3_keys_local.c - keys from services of the machine: of a container, of an instance
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "remote/remote_clock.h"
#include "remote/remote_detail.h"
#include "remote/remote_file.h"
#include "remote/s3_keys.h"

#define ANSWER_MAX_BYTES (64 << 10)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int s3_keys_ask(struct http *http, const struct http_request *request, const char *what,
                struct http_answer *ret_answer)
{
        int r = http_perform(http, request, ret_answer);

        if (r < 0)
                return remote_detail_within(r, "%s", what);
        if (ret_answer->status == 200)
                return 0;
        r = ret_answer->status >= 500 || ret_answer->status == 408 || ret_answer->status == 429
                    ? -EAGAIN
                    : -EACCES;
        return remote_detail(r, "%s: status %d", what, ret_answer->status);
}

static int64_t expiration(const json_t *json)
{
        const char *text = json_string_value(json_object_get(json, "Expiration"));

        return text ? clock_parse_iso(text) : 0;
}

static int keys_of(const char *what, const json_t *json, struct s3_keys *ret)
{
        const char *code = json_string_value(json_object_get(json, "Code"));
        int64_t expires_ns = expiration(json);

        if (code && strcmp(code, "Success") != 0)
                return remote_detail(-EACCES, "%s: %.100s", what, code);
        if (json_object_get(json, "Expiration") && !expires_ns)
                return remote_detail(-EACCES, "%s: a bad time of expiry", what);
        return s3_keys_set(what, json_string_value(json_object_get(json, "AccessKeyId")),
                           json_string_value(json_object_get(json, "SecretAccessKey")),
                           json_string_value(json_object_get(json, "Token")), expires_ns, ret);
}

int s3_keys_from_json(const char *what, const struct text *json, struct s3_keys *ret)
{
        json_error_t error; /* has a piece of the text, which may be a secret */
        json_t *root = json_loadb(text_string(json), json->size, 0, &error);
        int r = root ? keys_of(what, root, ret) : remote_detail(-EACCES, "%s: not JSON", what);

        json_decref(root);
        return r;
}

static int ask_for_keys(struct http *http, const struct http_request *request, const char *what,
                        struct s3_keys *ret)
{
        struct http_answer answer = { 0 };
        int r = s3_keys_ask(http, request, what, &answer);

        if (r == 0)
                r = s3_keys_from_json(what, &answer.body, ret);
        http_answer_free(&answer);
        return r;
}

/* Without TLS only to the machine itself and to the addresses that such services have. */
static bool may_ask(const char *url)
{
        static const char *const hosts[] = { "127.0.0.1",     "localhost",      "[::1]",
                                             "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]" };

        if (strncasecmp(url, "https://", 8) == 0)
                return true;
        if (strncasecmp(url, "http://", 7) != 0)
                return false;
        for (size_t i = 0; i < COUNT(hosts); i++) {
                size_t size = strlen(hosts[i]);

                if (strncasecmp(url + 7, hosts[i], size) == 0 && strchr("/:", url[7 + size]))
                        return strchr(url + 7, '@') == NULL;
        }
        return false;
}

static int container_url(struct text *ret)
{
        const char *relative = profile_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        const char *full = profile_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");

        if (!relative && !full)
                return 1;
        if (relative && *relative != '/')
                return remote_detail(-EACCES, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: no path");
        text_printf(ret, "%s%s", relative ? "http://169.254.170.2" : "",
                    relative ? relative : full);
        if (text_check(ret) == 0 && !may_ask(text_string(ret)))
                return remote_detail(-EACCES, "AWS_CONTAINER_CREDENTIALS_FULL_URI: neither https "
                                              "nor a service of this machine");
        return text_check(ret);
}

/* A token that a header may have; "" if there is none. The file changes: it is read each time. */
static int container_token(struct text *ret)
{
        const char *path = profile_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        const char *token = profile_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        int r = 0;

        if (path)
                r = file_read_small(path, ANSWER_MAX_BYTES, ret);
        else if (token)
                text_add(ret, token);
        if (r == 0)
                r = text_check(ret);
        while (path && ret->size && strchr("\r\n", ret->bytes[ret->size - 1]))
                ret->bytes[--ret->size] = 0;
        if (r == 0 && strpbrk(text_string(ret), "\r\n"))
                r = remote_detail(-EACCES, "the container's token has more than one line");
        return r == -ENOENT || r == -EIO ? -EACCES : r;
}

int s3_keys_from_container(const struct keys_context *context, struct s3_keys *ret)
{
        struct text url = { 0 }, token = { 0 };
        struct http_header header = { "Authorization", NULL };
        struct http_request request = { .method = "GET", .keep_bytes = ANSWER_MAX_BYTES };
        int r = container_url(&url);

        if (r == 0)
                r = container_token(&token);
        if (r == 0) {
                header.value = text_string(&token);
                request.url = text_string(&url);
                request.headers = &header;
                request.header_count = token.size ? 1 : 0;
                r = ask_for_keys(context->near, &request, "the container's credentials", ret);
        }
        text_free(&url);
        text_free(&token);
        return r;
}

static const char *instance_base(void)
{
        const char *given = profile_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        const char *mode = profile_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

        if (given)
                return given;
        return mode && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                     : "http://169.254.169.254";
}

/* One request to the instance's metadata; the answer's first line is *@ret. */
static int ask_instance(struct http *http, const char *method, const char *path,
                        const struct http_header *header, struct text *ret)
{
        static const char what[] = "the instance's metadata";
        const char *base = instance_base();
        const char *slash = base[strlen(base) - 1] == '/' ? "" : "/";
        struct http_request request = { .method = method, .keep_bytes = ANSWER_MAX_BYTES };
        const struct bucket_source nothing = { .bytes = "" };
        struct http_answer answer = { 0 };
        struct text url = { 0 };
        int r;

        text_printf(&url, "%s%s%s", base, slash, path);
        request.url = text_string(&url);
        request.headers = header;
        request.header_count = 1;
        request.source = strcmp(method, "PUT") == 0 ? &nothing : NULL;
        r = text_check(&url);
        if (r == 0)
                r = s3_keys_ask(http, &request, what, &answer);
        if (r == 0) {
                text_add_bytes(ret, text_string(&answer.body), answer.body.size);
                r = text_check(ret);
        }
        http_answer_free(&answer);
        text_free(&url);
        return r;
}

/* The token, or the role's name: one line, which goes into a header or a path. */
static int check_line(struct text *line)
{
        if (line->bytes)
                line->size = strcspn(line->bytes, "\r\n");
        if (line->size)
                line->bytes[line->size] = 0;
        for (size_t i = 0; i < line->size; i++)
                if (line->bytes[i] <= ' ' || line->bytes[i] > '~')
                        return remote_detail(-EACCES, "the instance's metadata make no sense");
        return line->size ? 0 : remote_detail(-EACCES, "the instance has no role");
}

static int keys_of_role(struct http *http, const struct http_header *token, struct s3_keys *ret)
{
        struct text role = { 0 }, path = { 0 }, json = { 0 };
        int r;

        text_add(&path, "latest/meta-data/iam/security-credentials/");
        r = text_check(&path);
        if (r == 0)
                r = ask_instance(http, "GET", text_string(&path), token, &role);
        if (r == 0)
                r = check_line(&role);
        if (r == 0) {
                text_add_escaped(&path, text_string(&role));
                r = text_check(&path);
        }
        if (r == 0)
                r = ask_instance(http, "GET", text_string(&path), token, &json);
        if (r == 0)
                r = s3_keys_from_json("the instance's metadata", &json, ret);
        text_free(&role);
        text_free(&path);
        text_free(&json);
        return r;
}

/* Only the second version of the protocol, which begins with a token. */
int s3_keys_from_instance(const struct keys_context *context, struct s3_keys *ret)
{
        static const struct http_header life = { "X-aws-ec2-metadata-token-ttl-seconds", "21600" };
        const char *disabled = profile_environment("AWS_EC2_METADATA_DISABLED");
        struct http_header header = { "X-aws-ec2-metadata-token", NULL };
        struct text token = { 0 };
        int r;

        if (disabled && strcasecmp(disabled, "true") == 0)
                return 1;
        r = ask_instance(context->near, "PUT", "latest/api/token", &life, &token);
        if (r == 0)
                r = check_line(&token);
        header.value = text_string(&token);
        if (r == 0)
                r = keys_of_role(context->near, &header, ret);
        text_free(&token);
        return r;
}
