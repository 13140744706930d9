/*
 * bucket.c - finds the backend of a URL, checks names, and says of which object a failure tells
 */
#include "remote/bucket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/bucket_options.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define PUT_NEW_MAX_BYTES (UINT64_C(16) << 20)

static const struct bucket_backend *const backends[] = {
        &bucket_file_backend,
        &bucket_s3_backend,
#ifdef LOGSTORE_RADOS
        &bucket_rados_backend,
#endif
        NULL,
};

static bool is_name_character(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-';
}

static bool part_is_valid(const char *part, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!is_name_character(part[i]))
                        return false;
        return size && strncmp(part, "..", size) != 0; /* nor "." */
}

bool bucket_name_is_valid(const char *name)
{
        const char *slash = strchr(name, '/');

        if (strlen(name) > BUCKET_NAME_MAX)
                return false;
        if (!slash)
                return part_is_valid(name, strlen(name));
        return part_is_valid(name, (size_t)(slash - name)) &&
               part_is_valid(slash + 1, strlen(slash + 1));
}

static bool prefix_is_valid(const char *prefix)
{
        size_t slashes = 0;

        if (strlen(prefix) > BUCKET_NAME_MAX)
                return false;
        for (const char *c = prefix; *c; c++) {
                slashes += *c == '/';
                if (*c != '/' && !is_name_character(*c))
                        return false;
        }
        return slashes <= 1 && *prefix != '/';
}

static int check_name(const char *name)
{
        if (!bucket_name_is_valid(name))
                return remote_detail(-EINVAL, "\"%.200s\" is no name for an object", name);
        return 0;
}

/* Before the backend's line goes what was to be done. */
static int told(int r, const struct bucket *bucket, const char *what, const char *name)
{
        const char *slash = bucket->url[strlen(bucket->url) - 1] == '/' ? "" : "/";

        if (r >= 0)
                return r;
        return remote_detail_within(r, "%s %s%s%s", what, bucket->url, slash, name);
}

static const struct bucket_backend *backend_of(const char *url, const char **ret_place)
{
        for (size_t i = 0; backends[i]; i++) {
                size_t size = strlen(backends[i]->scheme);

                if (strncmp(url, backends[i]->scheme, size) == 0 && url[size] == ':') {
                        *ret_place = url + size + 1;
                        return backends[i];
                }
        }
        return NULL;
}

int bucket_open(const char *url, const struct bucket_options *options, struct bucket **ret)
{
        static const struct bucket_options none;
        const struct bucket_backend *backend;
        struct bucket *bucket;
        const char *place;
        char *copy;
        int r;

        backend = backend_of(url, &place);
        if (!backend && strncmp(url, "rados:", 6) == 0)
                return remote_detail(-EOPNOTSUPP, "%.200s: built without RADOS", url);
        if (!backend)
                return remote_detail(-EINVAL,
                                     "%.200s: not s3://BUCKET/PREFIX, file:/DIRECTORY or "
                                     "rados:POOL/PREFIX",
                                     url);
        copy = strdup(url);
        if (!copy)
                return remote_detail(-ENOMEM, "out of memory");
        r = backend->open(place, options ? options : &none, &bucket);
        if (r < 0) {
                free(copy);
                return remote_detail_within(r, "%.200s", url);
        }
        bucket->backend = backend;
        bucket->url = copy;
        *ret = bucket;
        return 0;
}

int bucket_open_below(struct bucket *bucket, const char *name, struct bucket **ret)
{
        size_t size = strlen(bucket->url);
        struct bucket *below;
        char *url = NULL;
        int r;

        if (strlen(name) > BUCKET_NAME_MAX || !part_is_valid(name, strlen(name)))
                return remote_detail(-EINVAL,
                                     "\"%.200s\" is no name below %s: letters, digits, '.' and '-'",
                                     name, bucket->url);
        while (size > 1 && bucket->url[size - 1] == '/')
                size--;
        if (asprintf(&url, "%.*s/%s", (int)size, bucket->url, name) < 0)
                return remote_detail(-ENOMEM, "out of memory");
        r = bucket->backend->below(bucket, name, &below);
        if (r < 0) {
                free(url);
                return r;
        }
        below->backend = bucket->backend;
        below->url = url;
        *ret = below;
        return 0;
}

void bucket_close(struct bucket *bucket)
{
        char *url;

        if (!bucket)
                return;
        url = bucket->url;
        bucket->backend->close(bucket);
        free(url);
}

int bucket_identity(const struct bucket *bucket, char **ret)
{
        int size = bucket->backend->place(bucket, NULL, 0), again;
        char *place;

        if (size < 0)
                return told(size, bucket, "look for", "");
        place = malloc((size_t)size + 1);
        if (!place)
                return remote_detail(-ENOMEM, "no memory for the name of a place");
        again = bucket->backend->place(bucket, place, (size_t)size + 1);
        if (again != size) {
                free(place);
                return again < 0 ? told(again, bucket, "look for", "")
                                 : remote_detail(-EIO, "%s: another place now", bucket->url);
        }
        *ret = place;
        return 0;
}

int bucket_cut_range(uint64_t object_bytes, uint64_t offset, uint64_t *size)
{
        if (*size == UINT64_MAX && offset == 0)
                *size = object_bytes;
        else if (offset >= object_bytes)
                return remote_detail(-ERANGE, "the object ends at %ju", (uintmax_t)object_bytes);
        else if (*size == UINT64_MAX)
                *size = object_bytes - offset;
        else if (*size > object_bytes - offset)
                return remote_detail(-ERANGE, "the object ends at %ju", (uintmax_t)object_bytes);
        return 0;
}

int bucket_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                   struct bucket_reply *ret_reply)
{
        struct bucket_reply reply = { 0 };
        int r = check_name(name);

        if (r == 0 && source->size > PUT_NEW_MAX_BYTES)
                r = remote_detail(-EMSGSIZE, "more than 16 MiB");
        if (r == 0)
                r = bucket->backend->put_new(bucket, name, source, &reply);
        if (ret_reply)
                *ret_reply = reply;
        return told(r, bucket, "create", name);
}

int bucket_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
               struct bucket_reply *ret_reply)
{
        struct bucket_reply reply = { 0 };
        int r = check_name(name);

        if (r == 0)
                r = bucket->backend->put(bucket, name, source, &reply);
        if (ret_reply)
                *ret_reply = reply;
        return told(r, bucket, "put", name);
}

/* ---- reading ---- */

/* What the caller's own function returned is no failure of the bucket's, and has its own line. What
 * has come is kept, for a bucket with patience to go on behind it. */
struct watched {
        const struct bucket_sink *sink;
        int (*each)(void *context, const struct bucket_listed *listed);
        void *context;
        int result;
        uint64_t bytes, names;
        char last[BUCKET_NAME_MAX + 1];
        int64_t moved_ns; /* when something came */
        unsigned tries;   /* since then */
};

static void note_move(struct watched *watched)
{
        watched->moved_ns = clock_boot_ns();
        watched->tries = 0;
}

static int watch_write(void *context, const void *bytes, size_t size)
{
        struct watched *watched = context;

        watched->bytes += size;
        note_move(watched);
        watched->result = watched->sink->write(watched->sink->context, bytes, size);
        return watched->result;
}

static int watch_each(void *context, const struct bucket_listed *listed)
{
        struct watched *watched = context;

        watched->names++;
        snprintf(watched->last, sizeof(watched->last), "%s", listed->name);
        note_move(watched);
        watched->result = watched->each(watched->context, listed);
        return watched->result;
}

/* Is it to be asked again? Then some time has passed on return. */
static bool asks_again(const struct bucket *bucket, struct watched *watched, int r)
{
        int64_t ns = clock_backoff_ns(watched->tries);

        if (r != -EAGAIN || watched->result != 0 ||
            clock_boot_ns() - watched->moved_ns > bucket->patience_ns - ns)
                return false;
        watched->tries++;
        return clock_sleep(ns, bucket->stopped);
}

/* Where the connection broke after the last byte, or name, nothing is left. */
static int get_rest(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                    struct watched *watched, struct bucket_reply *ret_reply)
{
        const struct bucket_sink watching = { watch_write, watched };
        uint64_t rest = size == UINT64_MAX ? size : size - watched->bytes;

        return rest ? bucket->backend->get(bucket, name, offset + watched->bytes, rest, &watching,
                                           ret_reply)
                    : 0;
}

static int list_rest(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                     struct watched *watched, struct bucket_reply *ret_reply)
{
        const char *from = watched->names ? watched->last : after;

        return most > watched->names
                       ? bucket->backend->list(bucket, prefix, from, most - watched->names,
                                               watch_each, watched, ret_reply)
                       : 0;
}

/* Whoever does not ask for times is spared the work that they cost some backends. */
int bucket_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
               const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        struct watched watched = { .sink = sink };
        int r = check_name(name);

        if (ret_reply)
                *ret_reply = (struct bucket_reply){ 0 };
        if (r == 0 && (size == 0 || (size != UINT64_MAX && offset > UINT64_MAX - size)))
                r = remote_detail(-EINVAL, "no such range");
        note_move(&watched);
        if (r == 0) {
                do
                        r = get_rest(bucket, name, offset, size, &watched, ret_reply);
                while (asks_again(bucket, &watched, r));
        }
        return watched.result ? watched.result : told(r, bucket, "get", name);
}

int bucket_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                int (*each)(void *context, const struct bucket_listed *listed), void *context,
                struct bucket_reply *ret_reply)
{
        struct watched watched = { .each = each, .context = context };
        int r = after ? check_name(after) : 0;

        if (ret_reply)
                *ret_reply = (struct bucket_reply){ 0 };
        if (r == 0 && !prefix_is_valid(prefix))
                r = remote_detail(-EINVAL, "\"%.200s\" begins no name of an object", prefix);
        note_move(&watched);
        if (r == 0 && most) {
                do
                        r = list_rest(bucket, prefix, after, most, &watched, ret_reply);
                while (asks_again(bucket, &watched, r));
        }
        return watched.result ? watched.result : told(r, bucket, "list", prefix);
}

int bucket_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply)
{
        int r = check_name(name);

        if (ret_reply)
                *ret_reply = (struct bucket_reply){ 0 };
        if (r == 0)
                r = bucket->backend->remove(bucket, name, ret_reply);
        return told(r, bucket, "remove", name);
}
