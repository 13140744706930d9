/*
 * s3_place.c - which URL a bucket's objects have
 */
#include "remote/s3_place.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "remote/remote_detail.h"

/* Neither servers nor signatures agree on other characters, or on "." and "..". */
static int add_prefix(const char *from, struct text *ret)
{
        while (*from) {
                size_t size = strcspn(from, "/");

                if (!size || strncmp(from, "..", size) == 0 || size > 255 ||
                    !text_only_has(from, size, "-._~"))
                        return remote_detail(-EINVAL,
                                             "a prefix has letters, digits, '-', '.', '_', '~' "
                                             "and single '/'");
                text_add_bytes(ret, from, size);
                text_add(ret, "/");
                from += size + (from[size] == '/');
        }
        if (ret->size > 700)
                return remote_detail(-EINVAL, "the prefix has more than 700 characters");
        return text_check(ret);
}

static int split(const char *place, struct s3_place *ret)
{
        size_t size;

        if (strncmp(place, "//", 2) != 0)
                return remote_detail(-EINVAL, "not s3://BUCKET/PREFIX");
        place += 2;
        size = strcspn(place, "/");
        if (size < 3 || size > 63 || !text_only_has(place, size, "-._") || *place == '.')
                return remote_detail(-EINVAL, "no name for a bucket");
        text_add_bytes(&ret->bucket, place, size);
        return add_prefix(place + size + (place[size] == '/'), &ret->prefix);
}

static const char *first(const char *a, const char *b, const char *c, const char *d)
{
        return a ? a : b ? b : c ? c : d;
}

static int find_region(const struct bucket_options *options, const struct profile *profile,
                       struct text *ret)
{
        const char *region =
                first(options->region, profile_environment("AWS_REGION"),
                      profile_environment("AWS_DEFAULT_REGION"), profile_config(profile, "region"));

        text_add(ret, region ? region : "us-east-1");
        if (ret->size > 60 || !text_only_has(text_string(ret), ret->size, "-"))
                return remote_detail(-EINVAL, "\"%.60s\" is no region", region);
        return text_check(ret);
}

static const char *find_endpoint(const struct bucket_options *options,
                                 const struct profile *profile)
{
        const char *ignore = profile_environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        const char *endpoint;

        if (options->endpoint || (ignore && strcasecmp(ignore, "true") == 0))
                return options->endpoint;
        endpoint = first(profile_environment("AWS_ENDPOINT_URL_S3"),
                         profile_environment("AWS_ENDPOINT_URL"),
                         profile_service(profile, "s3.endpoint_url"),
                         profile_config(profile, "endpoint_url"));
        return endpoint;
}

static bool bucket_fits_host(const struct s3_place *place)
{
        for (const char *c = text_string(&place->bucket); *c; c++)
                if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-'))
                        return false; /* a '.' would not match the server's certificate */
        return true;
}

static bool wants_path(const struct bucket_options *options, const struct profile *profile,
                       const struct s3_place *place, bool own_endpoint)
{
        const char *style = profile_config(profile, "s3.addressing_style");

        if (options->path_style)
                return options->path_style == 1;
        if (style && strcmp(style, "path") == 0)
                return true;
        if (style && strcmp(style, "virtual") == 0)
                return false;
        return own_endpoint || !bucket_fits_host(place);
}

struct parts {
        char *scheme, *host, *port, *path, *user, *query, *fragment;
};

static void parts_free(struct parts *parts)
{
        curl_free(parts->scheme);
        curl_free(parts->host);
        curl_free(parts->port);
        curl_free(parts->path);
        curl_free(parts->user);
        curl_free(parts->query);
        curl_free(parts->fragment);
}

static bool parts_are_good(const struct parts *parts)
{
        return parts->scheme && parts->host && parts->path && !parts->user && !parts->query &&
               !parts->fragment && text_only_has(parts->path, strlen(parts->path), "/-._~") &&
               (strcmp(parts->scheme, "http") == 0 || strcmp(parts->scheme, "https") == 0);
}

static int parse(const char *endpoint, struct parts *ret)
{
        CURLU *url = curl_url();
        const struct {
                CURLUPart what;
                char **to;
        } wanted[] = {
                { CURLUPART_SCHEME, &ret->scheme },     { CURLUPART_HOST, &ret->host },
                { CURLUPART_PORT, &ret->port },         { CURLUPART_PATH, &ret->path },
                { CURLUPART_USER, &ret->user },         { CURLUPART_QUERY, &ret->query },
                { CURLUPART_FRAGMENT, &ret->fragment },
        };

        if (!url)
                return remote_detail(-ENOMEM, "out of memory");
        if (curl_url_set(url, CURLUPART_URL, endpoint, CURLU_PATH_AS_IS) == CURLUE_OK)
                for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
                        curl_url_get(url, wanted[i].what, wanted[i].to, 0); /* or it stays NULL */
        curl_url_cleanup(url);
        if (!parts_are_good(ret)) /* the text itself may have a password */
                return remote_detail(-EINVAL, "the endpoint is not http(s)://HOST[:PORT][/PATH]");
        return 0;
}

static void compose(const struct parts *parts, bool in_path, struct s3_place *ret)
{
        const char *bucket = text_string(&ret->bucket);
        size_t size = strlen(parts->path);

        ret->tls = strcmp(parts->scheme, "https") == 0;
        if (!in_path)
                text_printf(&ret->host, "%s.", bucket);
        text_add(&ret->host, parts->host);
        if (parts->port && strcmp(parts->port, ret->tls ? "443" : "80") != 0)
                text_printf(&ret->host, ":%s", parts->port);
        text_printf(&ret->origin, "%s://%s", parts->scheme, text_string(&ret->host));
        while (size && parts->path[size - 1] == '/')
                size--;
        text_add_bytes(&ret->base, parts->path, size);
        if (in_path)
                text_printf(&ret->base, "/%s", bucket);
}

static int locate(const struct bucket_options *options, const struct profile *profile,
                  struct s3_place *ret)
{
        const char *given = find_endpoint(options, profile);
        const char *region = text_string(&ret->region);
        struct text usual = { 0 };
        struct parts parts = { 0 };
        int r;

        text_printf(&usual, "https://s3.%s.amazonaws.com%s", region,
                    strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
        r = text_check(&usual);
        if (r == 0)
                r = parse(given ? given : text_string(&usual), &parts);
        if (r == 0)
                compose(&parts, wants_path(options, profile, ret, given != NULL), ret);
        parts_free(&parts);
        text_free(&usual);
        return r;
}

int s3_place_init(const char *place, const struct bucket_options *options,
                  const struct profile *profile, struct s3_place *ret)
{
        int r;

        *ret = (struct s3_place){ 0 };
        r = split(place, ret);
        if (r == 0)
                r = find_region(options, profile, &ret->region);
        if (r == 0)
                r = locate(options, profile, ret);
        if (r == 0 &&
            (ret->bucket.failed || ret->origin.failed || ret->host.failed || ret->base.failed))
                r = remote_detail(-ENOMEM, "out of memory");
        if (r < 0)
                s3_place_free(ret);
        return r;
}

int s3_place_below(const struct s3_place *place, const char *name, struct s3_place *ret)
{
        *ret = (struct s3_place){ .tls = place->tls };
        text_add(&ret->bucket, text_string(&place->bucket));
        text_printf(&ret->prefix, "%s%s/", text_string(&place->prefix), name);
        text_add(&ret->origin, text_string(&place->origin));
        text_add(&ret->host, text_string(&place->host));
        text_add(&ret->base, text_string(&place->base));
        text_add(&ret->region, text_string(&place->region));
        if (ret->bucket.failed || ret->prefix.failed || ret->origin.failed || ret->host.failed ||
            ret->base.failed || ret->region.failed) {
                s3_place_free(ret);
                return remote_detail(-ENOMEM, "out of memory");
        }
        return 0;
}

void s3_place_free(struct s3_place *place)
{
        text_free(&place->bucket);
        text_free(&place->prefix);
        text_free(&place->origin);
        text_free(&place->host);
        text_free(&place->base);
        text_free(&place->region);
}

int s3_place_path(const struct s3_place *place, const char *name, struct text *ret)
{
        text_add(ret, text_string(&place->base));
        if (*name)
                text_printf(ret, "/%s%s", text_string(&place->prefix), name);
        else if (!place->base.size)
                text_add(ret, "/");
        return text_check(ret);
}
