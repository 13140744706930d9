/*
 * s3_keys_web.c - keys for a web identity: a token from a file buys them from STS
 *
 * The file is written by somebody else, who renews it, so it is read each time. The request needs
 * no signature. It goes as a body, because an URL might end in a log.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_clock.h"
#include "remote/remote_detail.h"
#include "remote/remote_file.h"
#include "remote/remote_xml.h"
#include "remote/s3_keys.h"

#define ANSWER_MAX_BYTES (64 << 10)
#define TOKEN_MAX_BYTES (32 << 10)

/* What the environment or the profile asks for. */
struct identity {
        const char *token_file, *role, *session;
};

static bool identity_get(const struct keys_context *context, struct identity *ret)
{
        const struct profile *profile = context->profile;

        if (!context->profile_given && profile_environment("AWS_WEB_IDENTITY_TOKEN_FILE")) {
                ret->token_file = profile_environment("AWS_WEB_IDENTITY_TOKEN_FILE");
                ret->role = profile_environment("AWS_ROLE_ARN");
                ret->session = profile_environment("AWS_ROLE_SESSION_NAME");
        } else {
                ret->token_file = profile_config(profile, "web_identity_token_file");
                ret->role = profile_config(profile, "role_arn");
                ret->session = profile_config(profile, "role_session_name");
        }
        return ret->token_file;
}

static int endpoint(const struct keys_context *context, struct text *ret)
{
        const char *given = profile_environment("AWS_ENDPOINT_URL_STS");

        if (!given)
                given = profile_service(context->profile, "sts.endpoint_url");
        if (given)
                text_printf(ret, "%s%s", given, given[strlen(given) - 1] == '/' ? "" : "/");
        else
                text_printf(ret, "https://sts.%s.amazonaws.com%s/", context->region,
                            strncmp(context->region, "cn-", 3) == 0 ? ".cn" : "");
        return text_check(ret);
}

static int form(const struct identity *identity, struct text *ret)
{
        struct text token = { 0 };
        int r = file_read_small(identity->token_file, TOKEN_MAX_BYTES, &token);

        if (r == 0) {
                while (token.size && strchr("\r\n", token.bytes[token.size - 1]))
                        token.bytes[--token.size] = 0;
                text_add(ret, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=");
                text_add_escaped(ret, identity->role);
                text_add(ret, "&RoleSessionName=");
                text_add_escaped(ret, identity->session ? identity->session : "logstore");
                text_add(ret, "&WebIdentityToken=");
                text_add_escaped(ret, text_string(&token));
                r = text_check(ret);
        }
        text_free(&token);
        return r == -ENOENT || r == -EIO ? -EACCES : r;
}

/* Parts of the answer. */
struct answer_parts {
        struct text access, secret, token, expires, code, message;
};

static int take(void *context, const char *path, const char *text)
{
        static const char credentials[] =
                "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
        struct answer_parts *parts = context;
        const struct {
                const char *name;
                struct text *to;
        } wanted[] = {
                { "AccessKeyId", &parts->access },
                { "SecretAccessKey", &parts->secret },
                { "SessionToken", &parts->token },
                { "Expiration", &parts->expires },
                { "ErrorResponse/Error/Code", &parts->code },
                { "ErrorResponse/Error/Message", &parts->message },
        };

        if (strncmp(path, credentials, strlen(credentials)) == 0)
                path += strlen(credentials);
        for (size_t i = 0; text && i < sizeof(wanted) / sizeof(*wanted); i++) {
                if (strcmp(path, wanted[i].name) == 0) {
                        text_clear(wanted[i].to);
                        text_add(wanted[i].to, text);
                        return text_check(wanted[i].to);
                }
        }
        return 0;
}

static int refused(const struct http_answer *answer, const struct answer_parts *parts)
{
        const char *code = text_string(&parts->code);
        bool later = answer->status >= 500 || answer->status == 429 ||
                     strcmp(code, "IDPCommunicationError") == 0 || strcmp(code, "Throttling") == 0;

        return remote_detail(later ? -EAGAIN : -EACCES, "STS: status %d %.60s: %.300s",
                             answer->status, code, text_string(&parts->message));
}

static int judge(const struct http_answer *answer, struct answer_parts *parts, struct s3_keys *ret)
{
        int r = xml_read(text_string(&answer->body), answer->body.size, take, parts);
        int64_t expires_ns = clock_parse_iso(text_string(&parts->expires));

        if (answer->status != 200)
                return refused(answer, parts);
        if (r < 0)
                return remote_detail_within(-EACCES, "STS");
        if (!expires_ns)
                return remote_detail(-EACCES, "STS: a bad time of expiry");
        return s3_keys_set("STS", text_string(&parts->access), text_string(&parts->secret),
                           text_string(&parts->token), expires_ns, ret);
}

static int ask(struct http *http, const char *url, const struct text *body, struct s3_keys *ret)
{
        static const struct http_header header = { "Content-Type",
                                                   "application/x-www-form-urlencoded" };
        const struct bucket_source source = { .bytes = text_string(body), .size = body->size };
        const struct http_request request = { .method = "POST",
                                              .url = url,
                                              .headers = &header,
                                              .header_count = 1,
                                              .source = &source,
                                              .keep_bytes = ANSWER_MAX_BYTES };
        struct http_answer answer = { 0 };
        struct answer_parts parts = { 0 };
        int r = http_perform(http, &request, &answer);

        r = r < 0 ? remote_detail_within(r, "STS") : judge(&answer, &parts, ret);
        http_answer_free(&answer);
        text_free(&parts.access);
        text_free(&parts.secret);
        text_free(&parts.token);
        text_free(&parts.expires);
        text_free(&parts.code);
        text_free(&parts.message);
        return r;
}

int s3_keys_from_web(const struct keys_context *context, struct s3_keys *ret)
{
        struct text url = { 0 }, body = { 0 };
        struct identity identity;
        int r;

        if (!identity_get(context, &identity))
                return 1;
        if (!identity.role)
                return remote_detail(-EACCES, "a web identity without a role (AWS_ROLE_ARN)");
        r = endpoint(context, &url);
        if (r == 0)
                r = form(&identity, &body);
        if (r == 0)
                r = ask(context->http, text_string(&url), &body, ret);
        text_free(&url);
        text_free(&body);
        return r;
}
