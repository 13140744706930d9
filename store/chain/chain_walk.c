/*
 * chain_walk.c - from the head back along the links to where the log begins
 *
 * Each start frame names its predecessor by id, salt and numbers. We follow the names to the oldest
 * segment, sealed or not. A segment that no start frame names is off the chain. Behind a broken
 * link we go on with the newest segment that can be served.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "chain/chain_private.h"
#include "logstore.h"
#include "os/detail.h"

static int missing(const struct chain_entry *next)
{
        return chain_damaged_file(next->previous_id, 0,
                                  "the segment is missing, with the records before %" PRIu64,
                                  next->first_number);
}

/* Does @next continue the segment at @at? If so, fill its entry. *ret_sealed stays set once it is:
 * all before a sealed segment is sealed. */
static int check_link(struct chain *chain, size_t at, const struct chain_entry *next,
                      bool *ret_sealed)
{
        struct segment_brief brief;
        int r = segment_brief_read(chain->directory, chain->uuid, chain->entries[at].id, &brief);

        if (r == 0 && !brief.started)
                r = chain_fill(chain, &chain->entries[at]);
        if (r < 0)
                return r;
        if (!chain_fits(next, &brief))
                return chain_damaged_file(brief.id, HEADER_BYTES,
                                          "not the segment that id %" PRIu64
                                          " continues: one of them was replaced or damaged",
                                          next->id);
        chain->unsealed |= *ret_sealed && !brief.sealed;
        if (!chain_sealed_as(&brief, next))
                chain->missealed = brief.id;
        *ret_sealed |= brief.sealed;
        return chain_fill_from(&chain->entries[at], &brief);
}

/* A listing is no picture of one moment: it may miss a file that was made while we read the
 * directory, and have others around it. So we look for the name before we call the file missing. */
static int add_unlisted(struct chain *chain, size_t at, uint64_t id)
{
        struct chain_entry *entries;
        struct os_stat st;
        char name[32];
        int r;

        segment_name(id, name);
        r = os_stat_name(chain->directory, name, &st);
        if (r == 0)
                r = chain_grow(chain, (void **)&chain->entries, &chain->room, chain->count,
                               sizeof(*chain->entries));
        if (r < 0)
                return r;
        entries = chain->entries;
        memmove(&entries[at + 1], &entries[at], (chain->count - at) * sizeof(*entries));
        entries[at] = (struct chain_entry){ .id = id };
        chain->count++;
        return 0;
}

/* Find the entry that the one at *at continues, and check its link. On failure *ret is where the
 * older entries end; nothing from there up to *at is known to be of this log. */
static int find_previous(struct chain *chain, size_t *at, size_t *ret, bool *ret_sealed)
{
        struct chain_entry *entry = &chain->entries[*at];
        size_t previous = chain_find_id(chain, entry->previous_id);
        int r;

        *ret = *at;
        if (entry->previous_id >= entry->id)
                return chain_damaged_file(entry->id, HEADER_BYTES,
                                          "continues id %" PRIu64 ", which is not older",
                                          entry->previous_id);
        *ret = previous;
        if (chain->entries[previous].id != entry->previous_id) {
                r = add_unlisted(chain, previous, entry->previous_id);
                if (r < 0)
                        return r == -ENOENT ? missing(entry) : r;
                entry = &chain->entries[++*at];
        }
        return check_link(chain, previous, entry, ret_sealed);
}

/* In a reader beside a writer that trims: was all before the entry at @at trimmed since the load
 * began? */
static bool was_trimmed(struct chain *chain, size_t at)
{
        struct control_slot now;
        struct fault told;
        bool trimmed;

        fault_last(-EBADMSG, &told);
        trimmed = control_read(chain->control, &now) == 0 && now.epoch == chain->epoch &&
                  now.first_number >= chain->entries[at].first_number;
        if (trimmed)
                chain->first_number = now.first_number;
        else /* the look has left its own detail */
                fault_tell(&told);
        return trimmed;
}

/* Behind a broken link: find the newest entry before @before that can be served and has numbers
 * below @number. The fault of the link stands for those passed over. They are no leftovers, since
 * nobody knows what they are. */
static size_t find_older(struct chain *chain, size_t before, uint64_t number, bool meant)
{
        size_t at = before;

        while (at-- > 0) {
                struct chain_entry *entry = &chain->entries[at];

                if (chain_fill(chain, entry) == 0 && entry->first_number < number + meant)
                        break;
                meant = false;
        }
        chain_remove(chain, at + 1, before); /* all in one step, for there may be many */
        return at;
}

/* The named segment may be the right one, with only the rest of the link wrong. */
static bool is_meant(struct chain *chain, size_t at, const struct chain_entry *next)
{
        struct segment_brief brief;

        return chain->entries[at].id == next->previous_id &&
               segment_brief_read(chain->directory, chain->uuid, next->previous_id, &brief) == 0 &&
               brief.salt == next->previous_salt;
}

/* The predecessor of the entry at @at cannot be used: find another one, from *older on. */
static int pass_over(struct chain *chain, size_t at, bool sealed, int error, size_t *older)
{
        uint64_t number = chain->entries[at].first_number;
        int r = error == -EIO && !sealed ? error
                                         : chain_broken(chain, chain->entries[at].id, error);
        bool there;

        if (r < 0)
                return r;
        there = *older < at && is_meant(chain, *older, &chain->entries[at]);
        if (*older < at)
                chain_remove(chain, *older + there, at);
        *older = find_older(chain, *older + there, number, there);
        return 0;
}

/*
 * Follow the links to the oldest segment, and leave out what lies between. Ids without a gap prove
 * nothing: a restore may put a file back under the name of one that was cut. Only the link of its
 * successor, which is known to be on the chain, tells that. So we need each first page at once.
 * Whether a link further back holds decides if the log may be written to. And a search by number
 * that landed in what was put back would give records of another log.
 *
 * Once a link is broken, nothing older becomes a leftover, for that would be deleted.
 */
int chain_walk_back(struct chain *chain)
{
        size_t at = chain->count - 1;
        bool broken = false, sealed = false;

        while (at != SIZE_MAX) {
                struct chain_entry *entry = &chain->entries[at];
                size_t previous;
                int r;

                /* The log begins here: a truncation says so, or all before it is trimmed. */
                if (entry->previous_id == 0 || entry->first_number <= chain->first_number) {
                        if (!broken)
                                return chain_leave_out(chain, 0, at);
                        chain_remove(chain, 0, at);
                        return 0;
                }
                r = find_previous(chain, &at, &previous, &sealed);
                if (r < 0 && was_trimmed(chain, at))
                        continue;
                if (r < 0) {
                        r = pass_over(chain, at, sealed, r, &previous);
                        broken = true;
                } else if (broken) {
                        chain_remove(chain, previous + 1, at);
                } else {
                        r = chain_leave_out(chain, previous + 1, at);
                }
                if (r < 0)
                        return r;
                at = previous;
        }
        return 0;
}

int chain_check_oldest(struct chain *chain, bool known)
{
        int r;

        r = chain_leave_out(chain, 0, chain_before(chain, chain->first_number));
        if (r < 0 || chain->count == 0)
                return r;
        r = chain_fill(chain, &chain->entries[0]);
        if (r == 0 && chain->entries[0].first_number > chain->first_number) {
                if (chain->entries[0].previous_id != 0)
                        r = missing(&chain->entries[0]);
                else
                        chain->first_number = chain->entries[0].first_number;
        }
        if (r == 0 && !known &&
            chain->entries[0].first_number < chain->control->page->fixed.first_number) {
                r = chain_damaged_file(chain->entries[0].id, HEADER_BYTES,
                                       "begins before the first number ever, %" PRIu64,
                                       chain->control->page->fixed.first_number);
                chain_remove(chain, 0, chain->count); /* none of it belongs to this store */
                return chain_broken(chain, UINT64_MAX, r);
        }
        return r < 0 ? chain_broken(chain, chain->entries[0].id, r) : 0;
}
