/*
 * chain_mark.c - what was trimmed and what was durable, by the control page and by the chain
 *
 * Fallback:    neither slot of the page is valid. What the chain says takes its place.
 * Cap:         a mark belongs to its epoch. What a segment of a later epoch cut off is not missing.
 * Copied back: a backup of a closed store was put over the longer log that it had become.
 * Sealed:      all before the newest seal was durable, whatever the mark says. The page may be an
 *              old copy that somebody has put back.
 */
#include "chain/chain_private.h"
#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"

static void take_mark(struct control_slot *slot, const struct control_slot *from)
{
        control_slot_set_mark(slot, from->mark_number, from->mark_id, from->mark_offset);
}

/* A truncation's new head may have become durable before its control page. */
static void cap(const struct chain *chain, struct control_slot *slot)
{
        if (slot->epoch < chain->cap.epoch && slot->mark_number > chain->cap.mark_number)
                take_mark(slot, &chain->cap);
        if (slot->epoch <= chain->sealed.epoch &&
            slot->mark_number < chain->sealed.mark_number) /* else it was cut since */
                take_mark(slot, &chain->sealed);
}

void chain_slot_locked(const struct chain *chain, struct control_slot *ret)
{
        if (control_read(chain->control, ret) < 0)
                *ret = chain->fallback;
        else
                cap(chain, ret);
}

int chain_load_slot(struct chain *chain, struct control_slot *ret)
{
        int known = control_read(chain->control, ret), r = chain_load(chain);

        if (r < 0)
                return r;
        if (known < 0)
                *ret = chain->fallback;
        else
                cap(chain, ret);
        return known == 0;
}

void chain_slot(struct chain *chain, struct control_slot *ret)
{
        if (control_read(chain->control, ret) == 0 &&
            ret->epoch >= atomic_load(&chain->capped_epoch) &&
            ret->mark_number >= atomic_load(&chain->sealed_number))
                return; /* nearly always: the chain has nothing to add */
        pthread_mutex_lock(&chain->lock);
        chain_slot_locked(chain, ret);
        pthread_mutex_unlock(&chain->lock);
}

void chain_sealed(struct chain *chain, struct control_slot *ret)
{
        pthread_mutex_lock(&chain->lock);
        *ret = chain->sealed;
        pthread_mutex_unlock(&chain->lock);
}

static bool is_sealed(const struct chain *chain, size_t at)
{
        return segment_is_sealed(chain->directory, chain->uuid, chain->entries[at].id);
}

/* No frame is committed at @offset of the segment, so nothing was ever appended there. */
static bool ends_at(struct chain *chain, uint64_t id, uint64_t offset)
{
        uint64_t word = 0;
        size_t got;
        char name[32];
        int fd, r;

        segment_name(id, name);
        fd = file_open(chain->directory, name, OS_READ, NULL);
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
int chain_end_at_close(struct chain *chain, const struct control_slot *slot)
{
        size_t at = chain_find_id(chain, slot->mark_id);
        struct segment_brief brief;

        if (!(slot->flags & CONTROL_CLEAN) || slot->flags & CONTROL_FAILED || slot->mark_id == 0 ||
            at + 1 >= chain->count || chain->entries[at].id != slot->mark_id ||
            chain_is_broken(chain, UINT64_MAX) ||
            segment_brief_read(chain->directory, chain->uuid, slot->mark_id, &brief) < 0 ||
            !brief.started || brief.sealed || brief.start.epoch > slot->epoch ||
            !ends_at(chain, brief.id, slot->mark_offset))
                return 0;
        for (size_t newer = at + 1; newer < chain->count; newer++) {
                const struct chain_entry *entry = &chain->entries[newer];

                if (chain_fill(chain, &chain->entries[newer]) < 0 ||
                    entry->previous_id != brief.id || entry->previous_salt != brief.salt)
                        continue;
                if (entry->previous_end <= slot->mark_offset)
                        break;
                chain->copied_back = true;
                chain_fill_from(&chain->entries[at], &brief);
                return chain_leave_out(chain, at + 1, chain->count);
        }
        return 0;
}

/* A close seals what is full. A full segment without a seal, as a recovery on a full disk leaves
 * it, was read by nobody. Nobody goes on behind a seal: a sealed head is of another time than the
 * slot. If newer files are left out, a new segment must first say where the log ends. Else a power
 * cut during their unlinks could leave some of them on a chain. */
bool chain_closed_cleanly(struct chain *chain, const struct control_slot *slot)
{
        size_t head = chain->count - 1;

        if (!(slot->flags & CONTROL_CLEAN) || slot->flags & CONTROL_FAILED || chain->count == 0 ||
            chain->entries[head].id != slot->mark_id || chain->copied_back ||
            is_sealed(chain, head))
                return false;
        return head == 0 || is_sealed(chain, head - 1);
}

void chain_fall_back(struct chain *chain)
{
        struct chain_entry *oldest = NULL;

        for (size_t at = 0; at < chain->count && !oldest; at++)
                if (chain_fill(chain, &chain->entries[at]) == 0)
                        oldest = &chain->entries[at];
        chain->fallback = (struct control_slot){
                .first_number = chain->control->page->fixed.first_number,
        };
        if (oldest) {
                chain->fallback.first_number = oldest->first_number;
                chain->fallback.epoch = chain->entries[chain->count - 1].epoch;
        }
        chain->epoch = chain->fallback.epoch;
        chain->first_number = chain->fallback.first_number;
}

/* Set the mark of *slot to where a start frame's link says that the log before @first_number ends.
 * @id 0: nobody has looked at that. No slot may hold a place between frames, so a link that tells
 * one tells the number alone. */
static void mark_by_link(struct control_slot *slot, uint64_t first_number, uint64_t id,
                         uint64_t end)
{
        control_slot_set_mark(slot, first_number - 1, end % FRAME_ALIGN == 0 ? id : 0,
                              end % FRAME_ALIGN == 0 ? end : 0);
}

/* Set the mark of *slot behind what the newest seal says, if there is one. The seal of the head may
 * not fit its frames. Even so, all before the head was sealed first. */
static int find_sealed(struct chain *chain, struct control_slot *slot)
{
        for (size_t at = chain->count; at > 0; at--) {
                struct chain_entry *entry = &chain->entries[at - 1];
                struct segment_brief brief;
                int r = segment_brief_read(chain->directory, chain->uuid, entry->id, &brief);

                if (r < 0)
                        return r;
                if (!brief.sealed)
                        continue;
                if (chain->misfit && at == chain->count) {
                        if (brief.start.previous_id != 0)
                                mark_by_link(slot, brief.start.first_number,
                                             brief.start.previous_id, brief.start.previous_end);
                } else if (at < chain->count && chain_fits(&entry[1], &brief)) {
                        mark_by_link(slot, entry[1].first_number, entry->id, entry[1].previous_end);
                } else {
                        control_slot_set_mark(slot, brief.seal.last_number, entry->id,
                                              brief.seal.end);
                }
                return 0;
        }
        return 0;
}

int chain_find_mark(struct chain *chain)
{
        int r = find_sealed(chain, &chain->fallback);

        return chain_is_damage(r) || r == -ENOENT ? 0 : r; /* its reader is told */
}

/* The reader of a segment is told if its header cannot be used. */
static void note_sealed(struct chain *chain, const struct control_slot *slot)
{
        uint64_t newest = chain->entries[chain->count - 1].epoch;

        chain->sealed = (struct control_slot){ 0 };
        find_sealed(chain, &chain->sealed);
        chain->sealed.epoch = newest > slot->epoch ? newest : slot->epoch;
}

int chain_find_cap(struct chain *chain, const struct control_slot *slot)
{
        note_sealed(chain, slot);
        chain->cap = (struct control_slot){ 0 };
        for (size_t at = chain->count; at > 0; at--) {
                struct chain_entry *entry = &chain->entries[at - 1];
                int r = chain_fill(chain, entry);

                if (r < 0)
                        return chain_broken(chain, entry->id, r);
                if (entry->epoch <= slot->epoch)
                        return 0;
                chain->cap.epoch = entry->epoch;
                /* If nothing older is left, nobody has looked at what the link says. */
                mark_by_link(&chain->cap, entry->first_number,
                             at > 1 && entry[-1].id == entry->previous_id ? entry->previous_id : 0,
                             entry->previous_end);
        }
        return 0;
}
