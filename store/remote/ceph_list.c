/*
 * ceph_list.c - a bucket in RADOS: its objects in order
 *
 * The map is sorted by the bytes of its keys, so a page is one read.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "remote/ceph.h"
#include "remote/remote_detail.h"

#define PAGE_NAMES 1000 /* an OSD gives 1,024 at most */

struct listing {
        struct ceph_bucket *bucket;
        size_t most, told;
        int (*each)(void *context, const struct bucket_listed *listed);
        void *context;
        char last[BUCKET_NAME_MAX + 3]; /* the last key that was read, */
};

/* or, if it is longer than any of ours, behind all that begin like it. */
static void note_last(struct listing *list, const char *key)
{
        const size_t most = BUCKET_NAME_MAX + 1;

        if (strlen(key) <= most)
                strcpy(list->last, key);
        else
                snprintf(list->last, sizeof(list->last), "%.*s\xff", (int)most, key);
}

/* What has no time as yet was put just now, as far as anybody knows. */
static int64_t changed_ns(const struct ceph_entry *entry, int64_t now_ns)
{
        if (entry->changed_ns)
                return entry->changed_ns;
        return now_ns ? now_ns : INT64_MAX;
}

static int tell(struct listing *list, struct ceph_answer *answer)
{
        const char *key;
        const void *value;
        size_t size;
        int r = 0;

        while (r == 0 && list->told < list->most && ceph_answer_next(answer, &key, &value, &size)) {
                struct bucket_listed listed = { .name = key + 1 };
                struct ceph_entry entry;

                note_last(list, key);
                if (!bucket_name_is_valid(listed.name))
                        continue;
                r = ceph_entry_read(value, size, &entry);
                if (r < 0)
                        return remote_detail(r, "the index has a bad entry for %s", listed.name);
                listed.size = entry.size;
                listed.changed_ns = changed_ns(&entry, answer->server_ns);
                list->told++;
                r = list->each(list->context, &listed);
        }
        return r;
}

/* 1: there is more. */
static int list_page(struct listing *list, const char *prefix, struct bucket_reply *ret_reply,
                     bool *ret_more)
{
        size_t left = list->most - list->told;
        const struct ceph_question question = { .prefix = prefix,
                                                .after = list->last,
                                                .most = left < PAGE_NAMES ? left : PAGE_NAMES };
        struct ceph_answer answer;
        int64_t sent_ns = 0;
        int r = ceph_ask(list->bucket, &question, true, &answer, &sent_ns);

        *ret_more = false;
        if (ret_reply)
                *ret_reply = (struct bucket_reply){ sent_ns, r == 0 ? answer.server_ns : 0 };
        if (r != 0)
                return r == CEPH_NO_INDEX ? 0 : r;
        *ret_more = answer.more;
        r = tell(list, &answer);
        ceph_answer_free(&answer);
        return r;
}

int ceph_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
              int (*each)(void *context, const struct bucket_listed *listed), void *context,
              struct bucket_reply *ret_reply)
{
        struct listing list = { .bucket = (struct ceph_bucket *)bucket,
                                .most = most,
                                .each = each,
                                .context = context };
        char key_prefix[BUCKET_NAME_MAX + 2];
        bool more = true;
        int r = 0;

        snprintf(key_prefix, sizeof(key_prefix), "%c%s", CEPH_ENTRY, prefix);
        if (after)
                snprintf(list.last, sizeof(list.last), "%c%s", CEPH_ENTRY, after);
        while (r == 0 && more && list.told < most)
                r = list_page(&list, key_prefix, ret_reply, &more);
        return r;
}
