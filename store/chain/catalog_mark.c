/*
 * catalog_mark.c - what was trimmed and what was durable, by the control page and by the chain
 *
 * Fallback:    neither slot of the page is valid. What the chain says takes its place.
 * Cap:         a mark belongs to its epoch. What a segment of a later epoch cut off is not missing.
 * Copied back: a backup of a closed store was put over the longer log that it had become.
 * Sealed:      all before the newest seal was durable, whatever the mark says. The page may be an
 *              old copy that somebody has put back.
 */
#include "chain/catalog_private.h"
#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"

static void take_mark(struct control_slot *slot, const struct control_slot *from)
{
        slot->mark_number = from->mark_number;
        slot->mark_id = from->mark_id;
        slot->mark_offset = from->mark_offset;
}

/* A truncation's new head may have become durable before its control page. */
static void cap(const struct catalog *catalog, struct control_slot *slot)
{
        if (slot->epoch < catalog->cap.epoch && slot->mark_number > catalog->cap.mark_number)
                take_mark(slot, &catalog->cap);
        if (slot->epoch <= catalog->sealed.epoch &&
            slot->mark_number < catalog->sealed.mark_number) /* else it was cut since */
                take_mark(slot, &catalog->sealed);
}

void catalog_slot_locked(const struct catalog *catalog, struct control_slot *ret)
{
        if (control_read(catalog->control, ret) < 0)
                *ret = catalog->fallback;
        else
                cap(catalog, ret);
}

int catalog_load_slot(struct catalog *catalog, struct control_slot *ret)
{
        int known = control_read(catalog->control, ret), r = catalog_load(catalog);

        if (r < 0)
                return r;
        if (known < 0)
                *ret = catalog->fallback;
        else
                cap(catalog, ret);
        return known == 0;
}

void catalog_slot(struct catalog *catalog, struct control_slot *ret)
{
        if (control_read(catalog->control, ret) == 0 &&
            ret->epoch >= atomic_load(&catalog->capped_epoch) &&
            ret->mark_number >= atomic_load(&catalog->sealed_number))
                return; /* nearly always: the chain has nothing to add */
        pthread_mutex_lock(&catalog->lock);
        catalog_slot_locked(catalog, ret);
        pthread_mutex_unlock(&catalog->lock);
}

void catalog_sealed(struct catalog *catalog, struct control_slot *ret)
{
        pthread_mutex_lock(&catalog->lock);
        *ret = catalog->sealed;
        pthread_mutex_unlock(&catalog->lock);
}

static bool is_sealed(const struct catalog *catalog, size_t at)
{
        return segment_is_sealed(catalog->directory, catalog->uuid, catalog->entries[at].id);
}

/* No frame is committed at @offset of the segment, so nothing was ever appended there. */
static bool ends_at(struct catalog *catalog, uint64_t id, uint64_t offset)
{
        uint64_t word = 0;
        size_t got;
        char name[32];
        int fd, r;

        segment_name(id, name);
        fd = file_open(catalog->directory, name, OS_READ, NULL);
        if (fd < 0)
                return false;
        r = os_read(fd, &word, sizeof(word), offset, &got);
        return os_close(fd) == 0 && r == 0 && (uint32_t)word == 0;
}

/*
 * A writer takes the flag of a clean close back before it appends anything. The flag is set here,
 * and the segment of the mark ends at the mark. If a newer segment continues it from further on,
 * then both the control file and this segment are copies of an older time. If somebody copied only
 * one of them back, the other one tells.
 */
int catalog_end_at_close(struct catalog *catalog, const struct control_slot *slot)
{
        size_t at = catalog_find_id(catalog, slot->mark_id);
        struct segment_brief brief;

        if (!(slot->flags & CONTROL_CLEAN) || slot->flags & CONTROL_FAILED || slot->mark_id == 0 ||
            at + 1 >= catalog->count || catalog->entries[at].id != slot->mark_id ||
            catalog_is_broken(catalog, UINT64_MAX) ||
            segment_brief_read(catalog->directory, catalog->uuid, slot->mark_id, &brief) < 0 ||
            !brief.started || brief.sealed || brief.start.epoch > slot->epoch ||
            !ends_at(catalog, brief.id, slot->mark_offset))
                return 0;
        for (size_t newer = at + 1; newer < catalog->count; newer++) {
                const struct catalog_entry *entry = &catalog->entries[newer];

                if (catalog_fill(catalog, &catalog->entries[newer]) < 0 ||
                    entry->previous_id != brief.id || entry->previous_salt != brief.salt)
                        continue;
                if (entry->previous_end <= slot->mark_offset)
                        break;
                catalog->copied_back = true;
                catalog_fill_from(&catalog->entries[at], &brief);
                return catalog_leave_out(catalog, at + 1, catalog->count);
        }
        return 0;
}

/* A close seals what is full. A full segment without a seal, as a recovery on a full disk leaves
 * it, was read by nobody. Nobody goes on behind a seal: a sealed head is of another time than the
 * slot. If newer files are left out, a new segment must first say where the log ends. Else a power
 * cut during their unlinks could leave some of them on a chain. */
bool catalog_closed_cleanly(struct catalog *catalog, const struct control_slot *slot)
{
        size_t head = catalog->count - 1;

        if (!(slot->flags & CONTROL_CLEAN) || slot->flags & CONTROL_FAILED || catalog->count == 0 ||
            catalog->entries[head].id != slot->mark_id || catalog->copied_back ||
            is_sealed(catalog, head))
                return false;
        return head == 0 || is_sealed(catalog, head - 1);
}

void catalog_fall_back(struct catalog *catalog)
{
        struct catalog_entry *oldest = NULL;

        for (size_t at = 0; at < catalog->count && !oldest; at++)
                if (catalog_fill(catalog, &catalog->entries[at]) == 0)
                        oldest = &catalog->entries[at];
        catalog->fallback = (struct control_slot){
                .first_number = catalog->control->page->fixed.first_number,
        };
        if (oldest) {
                catalog->fallback.first_number = oldest->first_number;
                catalog->fallback.epoch = catalog->entries[catalog->count - 1].epoch;
        }
        catalog->epoch = catalog->fallback.epoch;
        catalog->first_number = catalog->fallback.first_number;
}

/* Set the mark of *slot behind what the newest seal says, if there is one. The seal of the head may
 * not fit its frames. Even so, all before the head was sealed first. */
static int find_sealed(struct catalog *catalog, struct control_slot *slot)
{
        for (size_t at = catalog->count; at > 0; at--) {
                struct catalog_entry *entry = &catalog->entries[at - 1];
                struct segment_brief brief;
                int r = segment_brief_read(catalog->directory, catalog->uuid, entry->id, &brief);

                if (r < 0)
                        return r;
                if (!brief.sealed)
                        continue;
                if (catalog->misfit && at == catalog->count) {
                        if (brief.start.previous_id == 0)
                                return 0;
                        slot->mark_number = brief.start.first_number - 1;
                        slot->mark_id = brief.start.previous_id;
                        slot->mark_offset = brief.start.previous_end;
                        return 0;
                }
                slot->mark_number = brief.seal.last_number;
                slot->mark_id = entry->id;
                slot->mark_offset = brief.seal.end;
                if (at < catalog->count && catalog_fits(&entry[1], &brief)) {
                        slot->mark_number = entry[1].first_number - 1;
                        slot->mark_offset = entry[1].previous_end;
                }
                return 0;
        }
        return 0;
}

int catalog_find_mark(struct catalog *catalog)
{
        int r = find_sealed(catalog, &catalog->fallback);

        return r == -EBADMSG || r == -EPERM || r == -ENOENT ? 0 : r; /* its reader is told */
}

/* The reader of a segment is told if its header cannot be used. */
static void note_sealed(struct catalog *catalog, const struct control_slot *slot)
{
        uint64_t newest = catalog->entries[catalog->count - 1].epoch;

        catalog->sealed = (struct control_slot){ 0 };
        find_sealed(catalog, &catalog->sealed);
        catalog->sealed.epoch = newest > slot->epoch ? newest : slot->epoch;
}

int catalog_find_cap(struct catalog *catalog, const struct control_slot *slot)
{
        note_sealed(catalog, slot);
        catalog->cap = (struct control_slot){ 0 };
        for (size_t at = catalog->count; at > 0; at--) {
                struct catalog_entry *entry = &catalog->entries[at - 1];
                int r = catalog_fill(catalog, entry);

                if (r < 0)
                        return catalog_broken(catalog, entry->id, r);
                if (entry->epoch <= slot->epoch)
                        return 0;
                catalog->cap.epoch = entry->epoch;
                catalog->cap.mark_number = entry->first_number - 1;
                /* If nothing older is left, nobody has looked at what the link says. */
                catalog->cap.mark_id =
                        at > 1 && entry[-1].id == entry->previous_id ? entry->previous_id : 0;
                catalog->cap.mark_offset = entry->previous_end;
        }
        return 0;
}
