/*
 * s3_list.c - the objects of a bucket in order, a page of at most 1,000 at a time
 *
 * The next page begins behind the last key of the one before, as the first does behind what the
 * caller says: that works like a continuation token and needs no other code. Keys must come in
 * order, which also means that the list has an end whatever the server sends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_clock.h"
#include "remote/remote_detail.h"
#include "remote/remote_xml.h"
#include "remote/s3.h"

#define PAGE_MAX 1000
#define KEY_MAX_BYTES 1024

struct entry {
        char *key;
        uint64_t size;
        int64_t changed_ns;
};

struct page {
        struct entry entries[PAGE_MAX];
        size_t count;
        struct entry now; /* the one being read */
        bool has_size, is_list, is_truncated, is_escaped;
};

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* With encoding-type=url: so that also keys that no XML can have do not break the list. */
static int unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from; from++) {
                int high, low;

                if (*from == '+') {
                        *to++ = ' ';
                        continue;
                }
                if (*from != '%') {
                        *to++ = *from;
                        continue;
                }
                high = hex_digit(from[1]);
                low = high < 0 ? -1 : hex_digit(from[2]);
                if (low < 0 || (high == 0 && low == 0))
                        return remote_detail(-EIO, "a key with a bad escape");
                *to++ = (char)(high << 4 | low);
                from += 2;
        }
        *to = 0;
        return 0;
}

static int take_key(struct page *page, const char *text)
{
        if (strlen(text) > 3 * KEY_MAX_BYTES || page->now.key)
                return remote_detail(-EIO, "a list with a bad key");
        page->now.key = strdup(text);
        return page->now.key ? 0 : remote_detail(-ENOMEM, "out of memory");
}

static int take_size(struct page *page, const char *text)
{
        char *end;

        errno = 0;
        page->now.size = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno)
                return remote_detail(-EIO, "a list with a bad size");
        page->has_size = true;
        return 0;
}

static int end_entry(struct page *page)
{
        if (!page->now.key || !page->has_size)
                return remote_detail(-EIO, "a list with half an entry");
        if (page->count == PAGE_MAX)
                return remote_detail(-EIO, "a list of more entries than were asked for");
        page->entries[page->count++] = page->now;
        page->now = (struct entry){ 0 };
        page->has_size = false;
        return 0;
}

static int take(void *context, const char *path, const char *text)
{
        struct page *page = context;

        if (strcmp(path, "ListBucketResult/Contents") == 0)
                return end_entry(page);
        if (strcmp(path, "ListBucketResult") == 0)
                page->is_list = true;
        if (!text)
                return 0;
        if (strcmp(path, "ListBucketResult/Contents/Key") == 0)
                return take_key(page, text);
        if (strcmp(path, "ListBucketResult/Contents/Size") == 0)
                return take_size(page, text);
        if (strcmp(path, "ListBucketResult/Contents/LastModified") == 0)
                page->now.changed_ns = clock_parse_iso(text);
        else if (strcmp(path, "ListBucketResult/IsTruncated") == 0)
                page->is_truncated = strcmp(text, "true") == 0;
        else if (strcmp(path, "ListBucketResult/EncodingType") == 0)
                page->is_escaped = strcmp(text, "url") == 0;
        return 0;
}

static void page_free(struct page *page)
{
        for (size_t i = 0; i < page->count; i++)
                free(page->entries[i].key);
        free(page->now.key);
        free(page);
}

/* One pass over the objects. */
struct listing {
        struct s3 *s3;
        const char *prefix;
        struct text last; /* the key that the next page begins behind; "": none */
        size_t left;      /* that may still be told */
        int (*each)(void *context, const struct bucket_listed *listed);
        void *context;
};

static int check_order(struct listing *listing, struct page *page)
{
        const char *last = text_string(&listing->last);

        for (size_t i = 0; i < page->count; i++) {
                char *key = page->entries[i].key;
                int r = page->is_escaped ? unescape(key) : 0;

                if (r < 0)
                        return r;
                if (strcmp(key, last) <= 0 || strlen(key) > KEY_MAX_BYTES)
                        return remote_detail(-EIO, "the server's list is not in order");
                last = key;
        }
        if (page->is_truncated && !page->count)
                return remote_detail(-EIO, "the server's list has more, but does not go on");
        return 0;
}

static int read_page(struct listing *listing, const struct text *body, struct page *page)
{
        int r = xml_read(text_string(body), body->size, take, page);

        if (r == 0 && !page->is_list)
                r = remote_detail(-EIO, "the server's answer is no list");
        return r == 0 ? check_order(listing, page) : r;
}

static int make_query(const struct listing *listing, struct text *ret)
{
        size_t most = listing->left < PAGE_MAX ? listing->left : PAGE_MAX;

        text_printf(ret, "encoding-type=url&list-type=2&max-keys=%zu&prefix=", most);
        text_add_escaped(ret, text_string(&listing->s3->place.prefix));
        text_add_escaped(ret, listing->prefix);
        if (listing->last.size) {
                text_add(ret, "&start-after=");
                text_add_escaped(ret, text_string(&listing->last));
        }
        return text_check(ret);
}

static int load_page(struct listing *listing, struct page *page, struct bucket_reply *ret_reply)
{
        struct text query = { 0 };
        struct s3_call call = { .s3 = listing->s3,
                                .method = "GET",
                                .name = "",
                                .job.request.keep_bytes = S3_LIST_MAX_BYTES };
        int r = make_query(listing, &query);

        call.query = text_string(&query);
        if (r == 0)
                r = s3_call(&call, ret_reply);
        if (r == 0)
                r = read_page(listing, &call.job.answer.body, page);
        s3_call_free(&call);
        text_free(&query);
        return r;
}

/* Names are relative to our prefix. Others' keys are passed over. */
static int tell(struct listing *listing, const struct page *page)
{
        const struct text *ours = &listing->s3->place.prefix;
        int r = 0;

        for (size_t i = 0; r == 0 && listing->left && i < page->count; i++) {
                const struct entry *entry = &page->entries[i];
                const char *name = entry->key + ours->size;
                struct bucket_listed listed = { name, entry->size, entry->changed_ns };

                if (strncmp(entry->key, text_string(ours), ours->size) != 0 ||
                    strncmp(name, listing->prefix, strlen(listing->prefix)) != 0)
                        return remote_detail(-EIO, "the server did not heed the prefix");
                if (!bucket_name_is_valid(name))
                        continue;
                r = listing->each(listing->context, &listed);
                listing->left--;
        }
        text_clear(&listing->last);
        if (page->count)
                text_add(&listing->last, page->entries[page->count - 1].key);
        return r ? r : text_check(&listing->last);
}

static int list_pages(struct listing *listing, struct bucket_reply *ret_reply)
{
        bool more = true;
        int r = 0;

        while (r == 0 && more && listing->left) {
                struct page *page = calloc(1, sizeof(*page));

                if (!page)
                        return remote_detail(-ENOMEM, "out of memory");
                r = load_page(listing, page, ret_reply);
                if (r == 0)
                        r = tell(listing, page);
                more = page->is_truncated;
                page_free(page);
        }
        return r;
}

int s3_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
            int (*each)(void *context, const struct bucket_listed *listed), void *context,
            struct bucket_reply *ret_reply)
{
        struct listing listing = { .s3 = (struct s3 *)bucket,
                                   .prefix = prefix,
                                   .left = most,
                                   .each = each,
                                   .context = context };
        int r;

        if (after)
                text_printf(&listing.last, "%s%s", text_string(&listing.s3->place.prefix), after);
        r = text_check(&listing.last);
        if (r == 0)
                r = list_pages(&listing, ret_reply);
        text_free(&listing.last);
        return r;
}
