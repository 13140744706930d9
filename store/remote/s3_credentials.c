/*
 * s3_credentials.c - the keys of this moment, from the first source that has some
 */
#include "remote/s3_credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define RENEW_BEFORE_NS (300 * NS_PER_S)
#define AGAIN_AFTER_NS (30 * NS_PER_S)
#define NEAR_PATIENCE_MS 2000

struct s3_credentials {
        pthread_mutex_t lock;
        pthread_cond_t renewed;
        bool renewing;          /* a thread asks the sources, without the lock */
        struct s3_keys keys;    /* access NULL: none yet */
        bool expired;           /* the server said so */
        struct s3_keys refused; /* the ones of which it said so last */
        int64_t next_try_ns;    /* boot clock: a renewal failed */
        struct keys_context context;
        char *profile, *region;
};

static const struct {
        const char *name;
        int (*get)(const struct keys_context *context, struct s3_keys *ret);
} sources[] = {
        { "environment", s3_keys_from_environment }, { "web identity", s3_keys_from_web },
        { "profile", s3_keys_from_profile },         { "container", s3_keys_from_container },
        { "instance", s3_keys_from_instance },
};

static int init(struct s3_credentials *credentials, const char *profile, const char *region,
                const char *ca_file, uint32_t patience_ms)
{
        struct http_options options = { .ca_file = ca_file, .patience_ms = patience_ms };
        int r;

        credentials->region = strdup(region);
        credentials->profile = profile ? strdup(profile) : NULL;
        if (!credentials->region || (profile && !credentials->profile))
                return remote_detail(-ENOMEM, "out of memory");
        credentials->context.region = credentials->region;
        credentials->context.profile_given = credentials->profile;
        r = http_new(&options, &credentials->context.http);
        if (r < 0)
                return r;
        options.direct = true;
        if (patience_ms > NEAR_PATIENCE_MS)
                options.patience_ms = NEAR_PATIENCE_MS;
        return http_new(&options, &credentials->context.near);
}

int s3_credentials_new(const char *profile, const char *region, const char *ca_file,
                       uint32_t patience_ms, struct s3_credentials **ret)
{
        struct s3_credentials *credentials = calloc(1, sizeof(*credentials));
        int r;

        if (!credentials)
                return remote_detail(-ENOMEM, "out of memory");
        pthread_mutex_init(&credentials->lock, NULL);
        pthread_cond_init(&credentials->renewed, NULL);
        r = init(credentials, profile, region, ca_file, patience_ms);
        if (r < 0) {
                s3_credentials_free(credentials);
                return r;
        }
        *ret = credentials;
        return 0;
}

void s3_credentials_free(struct s3_credentials *credentials)
{
        if (!credentials)
                return;
        http_free(credentials->context.http);
        http_free(credentials->context.near);
        s3_keys_free(&credentials->keys);
        s3_keys_free(&credentials->refused);
        pthread_cond_destroy(&credentials->renewed);
        pthread_mutex_destroy(&credentials->lock);
        free(credentials->profile);
        free(credentials->region);
        free(credentials);
}

/* A machine that has no such service does not answer either. That is no reason to ask again, unless
 * keys came from there before. */
static int nothing_found(int r, bool had_some)
{
        if (r == -EAGAIN && had_some)
                return r;
        if (r == 1)
                return remote_detail(-EACCES, "no credentials in environment, configuration files, "
                                              "container or instance");
        return remote_detail_within(-EACCES, "no credentials in environment and configuration "
                                             "files");
}

static int ask_sources(struct s3_credentials *credentials, bool had_some, struct s3_keys *ret)
{
        const size_t count = sizeof(sources) / sizeof(*sources);
        struct keys_context context = credentials->context;
        int r = profile_load(context.profile_given, &context.profile);

        if (r < 0)
                return r == -EIO ? -EACCES : r;
        r = 1;
        for (size_t i = 0; r == 1 && i < count; i++) {
                r = sources[i].get(&context, ret);
                if (i == count - 1 && r != 0)
                        r = nothing_found(r, had_some);
        }
        profile_free(context.profile);
        return r;
}

static bool have_valid(const struct s3_credentials *credentials, int64_t now_ns)
{
        const struct s3_keys *keys = &credentials->keys;

        return keys->access && !credentials->expired &&
               (!keys->expires_ns || keys->expires_ns > now_ns);
}

static bool is_renewal_due(const struct s3_credentials *credentials, int64_t now_ns)
{
        const struct s3_keys *keys = &credentials->keys;

        if (!have_valid(credentials, now_ns))
                return true;
        return keys->expires_ns && keys->expires_ns - now_ns <= RENEW_BEFORE_NS &&
               clock_boot_ns() >= credentials->next_try_ns;
}

/* With the lock, which is free while the sources are asked. */
static int renew(struct s3_credentials *credentials)
{
        bool had_some = credentials->keys.access;
        struct s3_keys keys;
        int r;

        credentials->renewing = true;
        pthread_mutex_unlock(&credentials->lock);
        r = ask_sources(credentials, had_some, &keys);
        pthread_mutex_lock(&credentials->lock);
        credentials->renewing = false;
        pthread_cond_broadcast(&credentials->renewed);
        if (r < 0) {
                credentials->next_try_ns = clock_boot_ns() + AGAIN_AFTER_NS;
                return r;
        }
        s3_keys_free(&credentials->keys);
        credentials->keys = keys;
        credentials->expired = false;
        return 0;
}

/* With the lock. */
static int make_valid(struct s3_credentials *credentials, int64_t now_ns)
{
        int r = 0;

        while (credentials->renewing && !have_valid(credentials, now_ns))
                pthread_cond_wait(&credentials->renewed, &credentials->lock);
        if (!credentials->renewing && is_renewal_due(credentials, now_ns))
                r = renew(credentials);
        if (have_valid(credentials, now_ns))
                return 0; /* maybe the old ones, which still serve */
        if (r == 0)
                r = remote_detail(-EAGAIN, "the credentials that came have expired already");
        return r;
}

int s3_credentials_get(struct s3_credentials *credentials, int64_t now_ns, struct s3_keys *ret)
{
        int r;

        pthread_mutex_lock(&credentials->lock);
        r = make_valid(credentials, now_ns);
        if (r == 0)
                r = s3_keys_copy(&credentials->keys, ret);
        pthread_mutex_unlock(&credentials->lock);
        return r;
}

static bool same(const struct s3_keys *a, const struct s3_keys *b)
{
        return a->access && b->access && strcmp(a->access, b->access) == 0 &&
               strcmp(a->token, b->token) == 0;
}

bool s3_credentials_expired(struct s3_credentials *credentials, const struct s3_keys *keys)
{
        bool again;

        pthread_mutex_lock(&credentials->lock);
        again = !same(&credentials->refused, keys);
        if (same(&credentials->keys, keys)) {
                credentials->expired = true;
                s3_keys_free(&credentials->refused);
                if (s3_keys_copy(keys, &credentials->refused) < 0)
                        again = false;
        }
        pthread_mutex_unlock(&credentials->lock);
        return again;
}
