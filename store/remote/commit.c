/*
 * commit.c - one commit: made, named, and checked when it comes back
 */
#include "remote/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/object.h"
#include "remote/remote_detail.h"
#include "segment/hash.h"

void commit_free(struct commit *commit)
{
        free(commit->bytes);
        *commit = (struct commit){ 0 };
}

static uint64_t payload_check(const struct commit_header *header)
{
        const uint8_t *behind = (const uint8_t *)(header + 1);
        uint64_t bytes = header->entry_count * sizeof(struct remote_entry) + header->payload_bytes;

        return hash_seeded(header->nonce, behind, bytes);
}

static struct commit describe(uint8_t *bytes, size_t size)
{
        struct commit_header *header = (struct commit_header *)bytes;
        struct remote_entry *entries = (struct remote_entry *)(header + 1);

        return (struct commit){ bytes, size, header, entries,
                                (const uint8_t *)(entries + header->entry_count) };
}

int commit_make(const struct commit_header *header, const struct remote_entry *entries,
                uint32_t entry_count, const void *payload, uint64_t payload_bytes,
                struct commit *ret)
{
        size_t entry_bytes = entry_count * sizeof(*entries);
        size_t size = sizeof(*header) + entry_bytes + payload_bytes;
        uint8_t *bytes = malloc(size);
        struct commit_header *made = (struct commit_header *)bytes;

        if (!bytes)
                return remote_detail(-ENOMEM, "no memory for a commit of %zu bytes", size);
        *made = *header;
        memcpy(made->magic, COMMIT_MAGIC, sizeof(made->magic));
        made->version = REMOTE_VERSION;
        made->entry_count = entry_count;
        made->payload_bytes = payload_bytes;
        if (entry_count)
                memcpy(bytes + sizeof(*header), entries, entry_bytes);
        if (payload_bytes)
                memcpy(bytes + sizeof(*header) + entry_bytes, payload, payload_bytes);
        made->payload_check = payload_check(made);
        made->check = hash_seeded(0, made, offsetof(struct commit_header, check));
        *ret = describe(bytes, size);
        return 0;
}

static bool is_place(const struct remote_place *place)
{
        return place->id <= ID_MAX && place->offset <= SEGMENT_BYTES_MAX &&
               place->number <= NUMBER_MAX && (place->id != 0 || place->offset == 0);
}

bool remote_entry_valid(const struct remote_entry *entry)
{
        bool whole = entry->object_bytes != 0;

        return entry->seq >= 1 && entry->seq <= COMMIT_SEQ_MAX && entry->id >= 1 &&
               entry->id <= ID_MAX && entry->from < entry->to && entry->to <= SEGMENT_BYTES_MAX &&
               entry->from % FRAME_ALIGN == 0 && entry->to % FRAME_ALIGN == 0 &&
               (!whole || entry->from == 0) && (whole || (!entry->sealed && !entry->codec)) &&
               (!whole || entry->codec || entry->object_bytes == entry->to) &&
               entry->first_number >= 1 && entry->first_number <= NUMBER_MAX &&
               entry->last_number >= entry->first_number - 1 && entry->last_number <= NUMBER_MAX &&
               entry->segment_number >= 1 && entry->segment_number <= entry->first_number &&
               entry->previous_id < entry->id && entry->previous_end <= SEGMENT_BYTES_MAX &&
               entry->codec <= CODEC_ZSTD && entry->sealed <= 1 && entry->term >= 1 &&
               entry->blocks <= SEGMENT_BYTES_MAX / BLOCK_SPAN;
}

static bool counts_fit(const struct commit_header *header, size_t size)
{
        return header->entry_count <= COMMIT_ENTRIES_MAX &&
               header->payload_bytes <= COMMIT_PAYLOAD_MAX &&
               size == sizeof(*header) + header->entry_count * sizeof(struct remote_entry) +
                               header->payload_bytes;
}

static bool entries_valid(const struct commit *commit)
{
        const struct commit_header *header = commit->header;
        uint64_t seq = header->checkpoint_seq;

        for (uint32_t i = 0; i < header->entry_count; i++) {
                const struct remote_entry *entry = &commit->entries[i];
                if (!remote_entry_valid(entry) || entry->seq <= seq || entry->seq > header->seq ||
                    entry->blocks != 0)
                        return false;
                seq = entry->seq;
        }
        return true;
}

/* A TAIL and a WHOLE bring the last entry, up to the end; a TAIL has its bytes with it, a WHOLE its
 * directory. */
static bool brings_what_it_says(const struct commit *commit)
{
        const struct commit_header *header = commit->header;
        const struct remote_entry *own;

        if (header->kind == COMMIT_CLAIM || header->kind == COMMIT_TRIM)
                return header->payload_bytes == 0 || header->payload_bytes == COMMIT_CUT_BYTES;
        if (header->entry_count == 0)
                return false;
        own = &commit->entries[header->entry_count - 1];
        if (own->seq != header->seq || (own->object_bytes != 0) != (header->kind == COMMIT_WHOLE))
                return false;
        if (header->kind == COMMIT_TAIL)
                return header->payload_bytes == own->to - own->from && header->end.id == own->id &&
                       header->end.salt == own->salt && header->end.offset == own->to;
        return header->payload_bytes % sizeof(struct remote_block) == 0 &&
               header->payload_bytes / sizeof(struct remote_block) <=
                       SEGMENT_BYTES_MAX / BLOCK_SPAN;
}

static bool is_valid(const struct commit *commit, uint64_t seq)
{
        const struct commit_header *header = commit->header;

        return header->seq == seq && header->term >= 1 && header->term <= seq &&
               header->term <= UINT32_MAX && header->kind >= COMMIT_CLAIM &&
               header->kind <= COMMIT_TRIM && is_place(&header->end) &&
               header->tail_bytes <= header->end.offset && header->first_number >= 1 &&
               header->first_number <= NUMBER_MAX &&
               (header->end.id == 0 || header->first_number <= header->end.number + 1) &&
               header->epoch <= NUMBER_MAX && header->checkpoint_seq < seq && header->base <= seq &&
               header->checkpoint_number <= NUMBER_MAX && entries_valid(commit) &&
               brings_what_it_says(commit);
}

int commit_take(uint8_t *bytes, size_t size, uint64_t seq, struct commit *ret)
{
        const struct commit_header *header = (const struct commit_header *)bytes;
        struct commit commit;
        char name[COMMIT_NAME_BYTES];
        const char *why = NULL;
        int r = -EBADMSG;

        commit_name(name, seq);
        if (size < sizeof(*header) ||
            memcmp(header->magic, COMMIT_MAGIC, sizeof(header->magic)) != 0)
                why = "it is no commit";
        else if (header->check != hash_seeded(0, header, offsetof(struct commit_header, check)))
                why = "its header's checksum does not hold";
        else if (header->version != REMOTE_VERSION)
                why = "it is of another version of the format", r = -EPROTONOSUPPORT;
        else if (!counts_fit(header, size))
                why = "its size is not what its header says";
        else if (header->payload_check != payload_check(header))
                why = "its payload's checksum does not hold";
        if (!why) {
                commit = describe(bytes, size);
                if (is_valid(&commit, seq)) {
                        *ret = commit;
                        return 0;
                }
                why = "it says what no shipper writes";
        }
        free(bytes);
        return remote_detail(r, "%s: %s", name, why);
}

int commit_read(struct bucket *bucket, uint64_t seq, struct commit *ret,
                struct bucket_reply *ret_reply)
{
        size_t most = sizeof(struct commit_header) +
                      COMMIT_ENTRIES_MAX * sizeof(struct remote_entry) + COMMIT_PAYLOAD_MAX;
        char name[COMMIT_NAME_BYTES];
        uint8_t *bytes;
        size_t size;
        int r;

        commit_name(name, seq);
        r = object_read(bucket, name, 0, UINT64_MAX, most, &bytes, &size, ret_reply);
        return r < 0 ? r : commit_take(bytes, size, seq, ret);
}

int commit_judge_missing(struct bucket *bucket, uint64_t seq, const char *what)
{
        uint64_t newest, checkpoint, number;
        int r = commit_find_newest(bucket, &newest, &checkpoint, &number, NULL);

        if (r < 0)
                return r;
        if (newest != seq)
                return COMMIT_CHANGED;
        return remote_detail(-EBADMSG, "%s: the %s of commit %" PRIu64 " is missing", bucket->url,
                             what, seq);
}
