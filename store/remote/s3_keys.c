/*
 * s3_keys.c - keys in memory, and the sources that need no service
 */
#include "remote/s3_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

#define KEY_MAX_BYTES 16384

static void forget(char *secret)
{
        if (secret)
                explicit_bzero(secret, strlen(secret));
        free(secret);
}

void s3_keys_free(struct s3_keys *keys)
{
        forget(keys->access);
        forget(keys->secret);
        forget(keys->token);
        *keys = (struct s3_keys){ 0 };
}

static bool is_key(const char *text)
{
        for (const char *c = text; *c; c++)
                if (*c <= ' ' || *c > '~' || c - text > KEY_MAX_BYTES)
                        return false;
        return true;
}

int s3_keys_copy(const struct s3_keys *keys, struct s3_keys *ret)
{
        return s3_keys_set("copy", keys->access, keys->secret, keys->token, keys->expires_ns, ret);
}

int s3_keys_set(const char *what, const char *access, const char *secret, const char *token,
                int64_t expires_ns, struct s3_keys *ret)
{
        struct s3_keys keys = { .expires_ns = expires_ns };

        if (!access || !*access || !secret || !*secret)
                return remote_detail(-EACCES, "%s: the key or its secret is missing", what);
        if (!is_key(access) || !is_key(secret) || (token && !is_key(token)))
                return remote_detail(-EACCES, "%s: a key with characters that none has", what);
        keys.access = strdup(access);
        keys.secret = strdup(secret);
        keys.token = strdup(token ? token : "");
        if (!keys.access || !keys.secret || !keys.token) {
                s3_keys_free(&keys);
                return remote_detail(-ENOMEM, "out of memory");
        }
        *ret = keys;
        return 0;
}

/* A profile that the caller names goes before keys of the environment. */
int s3_keys_from_environment(const struct keys_context *context, struct s3_keys *ret)
{
        const char *access = profile_environment("AWS_ACCESS_KEY_ID");
        const char *secret = profile_environment("AWS_SECRET_ACCESS_KEY");

        if (context->profile_given || (!access && !secret))
                return 1;
        return s3_keys_set("the environment", access, secret,
                           profile_environment("AWS_SESSION_TOKEN"), 0, ret);
}

/* What other tools understand and this one does not must not be passed over in silence: keys of
 * another source might belong to somebody else. */
static int check_unknown(const struct profile *profile, const char *setting)
{
        if (!profile_config(profile, setting) && !profile_credential(profile, setting))
                return 1;
        return remote_detail(-EACCES, "profile \"%.100s\": %s is not supported here",
                             profile_name(profile), setting);
}

/* The keys of a profile that names a role are only for assuming it. */
int s3_keys_from_profile(const struct keys_context *context, struct s3_keys *ret)
{
        static const char *const unknown[] = { "credential_process", "sso_session",
                                               "sso_start_url" };
        const struct profile *profile = context->profile;
        int r = check_unknown(profile, "role_arn");

        if (r < 0)
                return r;
        if (profile_credential(profile, "aws_access_key_id"))
                return s3_keys_set("the credentials file",
                                   profile_credential(profile, "aws_access_key_id"),
                                   profile_credential(profile, "aws_secret_access_key"),
                                   profile_credential(profile, "aws_session_token"), 0, ret);
        if (profile_config(profile, "aws_access_key_id"))
                return s3_keys_set("the configuration file",
                                   profile_config(profile, "aws_access_key_id"),
                                   profile_config(profile, "aws_secret_access_key"),
                                   profile_config(profile, "aws_session_token"), 0, ret);
        for (size_t i = 0; r == 1 && i < sizeof(unknown) / sizeof(*unknown); i++)
                r = check_unknown(profile, unknown[i]);
        return r;
}
