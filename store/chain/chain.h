/*
 * chain.h - the chain of segments: which there are, which one holds a number
 */
#ifndef LOGSTORE_CHAIN_H
#define LOGSTORE_CHAIN_H

#include <pthread.h>
#include <stdbool.h>

#include "chain/control.h"
#include "os/detail.h"
#include "segment/judge.h"

/* How many of a segment's first numbers are voids, as far as its frames were walked. Zero: no frame
 * was. */
struct chain_counted {
        uint64_t offset; /* behind the frame of the last number counted */
        uint32_t numbers, voids;
};

/* One segment of the chain. Its first page is read when it is first needed. */
struct chain_entry {
        uint64_t id;
        uint64_t first_number; /* 0: the first page was not read yet */
        uint64_t previous_id;
        uint64_t previous_salt;
        uint64_t previous_end;
        uint64_t previous_records;
        uint64_t epoch;
        int64_t started_ns;
        struct chain_counted counted;
        struct segment *segment; /* NULL: not mapped */
        int error;               /* why its first page cannot be used; 0: none */
};

/* Why nothing of the log can be reached before segment @before (UINT64_MAX: behind the newest). */
struct chain_fault {
        uint64_t before;
        struct fault fault;
};

struct chain {
        pthread_mutex_t lock;
        struct memory *memory;
        const struct control *control;
        int directory;
        uint8_t uuid[16];
        struct chain_entry *entries; /* sorted by id, the order of the log */
        /* Without the lock, count and epoch are hints. */
        _Atomic size_t count;
        size_t room;
        struct segment **mapped; /* the longest unused without a pin is closed first */
        size_t mapped_count, mapped_limit, mapped_room;
        enum os_map_kind kind; /* how segments are mapped: shared to read, or private */
        uint64_t pins_ever;
        _Atomic uint64_t epoch;       /* of the control page when the chain was read */
        uint64_t first_number;        /* records below it are trimmed */
        struct control_slot fallback; /* what the chain tells if neither control slot is valid */
        /* If its epoch is later than the page's, marks beyond its mark are of a cut log. */
        struct control_slot cap;
        struct control_slot sealed; /* all up to its mark was durable when the chain was read */
        _Atomic uint64_t capped_epoch, sealed_number; /* copies to look at without the lock */
        bool writes;                                  /* may write missing index files */
        uint64_t head_missing;      /* announced, but lost in a crash: no reason to look again */
        uint64_t highest_id;        /* of any file seen, so that no name is used twice */
        int fault;                  /* not 0: the chain is broken, which keeps a writer out */
        struct chain_fault *faults; /* each place where the chain is broken, newest first */
        size_t fault_count, fault_room;
        bool misfit;         /* the seal of the head does not fit its frames */
        bool unsealed;       /* a segment older than a sealed one is not sealed */
        uint64_t missealed;  /* the oldest whose seal is not as the next one's link says; 0: none */
        bool copied_back;    /* the log is a copy of the beginning of newer files' log */
        bool vanished;       /* a listed file is gone: read the chain anew */
        uint64_t *leftovers; /* ids of segment files off the chain, ascending, */
        size_t leftover_first, leftover_count; /* from the first position to before the other */
        size_t leftover_room;
};

void chain_init(struct chain *chain, struct memory *memory, const struct control *control,
                int directory, size_t mapped_limit);
void chain_free(struct chain *chain);

/* Give the slot of the control page. If neither is valid, give what the chain tells: .generation is
 * 0 then, and nothing is known to have been durable. */
void chain_slot(struct chain *chain, struct control_slot *ret);

/* Give the place behind the newest seal when the chain was read. .mark_id 0: nothing was sealed. */
void chain_sealed(struct chain *chain, struct control_slot *ret);

/* Is the chain broken before segment @before (UINT64_MAX: behind the newest)? @ret may be NULL. */
bool chain_fault_before(struct chain *chain, uint64_t before, struct fault *ret);

/* The chain is broken before segment @before (as above). Return the id of the file that the fault
 * names, if that lies behind @after and is off the chain; else 0. */
uint64_t chain_damaged_between(struct chain *chain, uint64_t after, uint64_t before);

/* Fail with the fault before segment @before. 0: the chain is not broken there. Record @number is
 * the first one missing. */
int chain_tell_before(struct chain *chain, uint64_t before, uint64_t number);
/* Fail with the faults before @number up to the next records that there are; with @exactly, only
 * with the fault where @number would begin a segment. */
int chain_tell_at(struct chain *chain, uint64_t number, bool exactly);
/* Fail with the fault behind segment @id. */
int chain_tell_behind(struct chain *chain, uint64_t id, uint64_t number);

/* Read the directory and find the chain. A broken chain is no error, but leaves faults. On failure
 * the chain stays as it was. */
int chain_load(struct chain *chain);

/* Load a chain that no other thread uses, and give the slot as it was just before. So the chain
 * contains all that this slot says to be durable, whatever a writer does meanwhile. Returns whether
 * a slot is valid: 1, 0 or an error. */
int chain_load_slot(struct chain *chain, struct control_slot *ret);

/* In a reading process: look at what the writer has changed since. */
int chain_refresh(struct chain *chain);

/*
 * Pin the segment that holds @number, or would hold it: the last one whose first number is not
 * beyond it. -ESTALE: before the first. -EBADMSG: its segment is missing or damaged. -EAGAIN:
 * behind the end.
 */
int chain_pin(struct chain *chain, uint64_t number, struct segment **ret);
int chain_pin_id(struct chain *chain, uint64_t id, struct segment **ret); /* -ESTALE */

/* Pin the segment after a pinned one. -ENOENT: there is none. */
int chain_pin_next(struct chain *chain, const struct segment *segment, struct segment **ret);
/* Give the greatest time in the log before the first record of @segment, as far as it is known. The
 * start frame's time was written while claims may have been open. The seal before it knows better,
 * unless the log was cut below that seal's end. */
int64_t chain_greatest_before(struct chain *chain, const struct segment *segment);
/* The same, and that of its own records before @end. -EBADMSG, -EIO: no frames lead there. */
int chain_greatest_until(struct chain *chain, struct segment *segment, uint64_t end, int64_t *ret);

/* Add a pin to a pinned segment. */
void chain_hold(struct chain *chain, struct segment *segment);
void chain_unpin(struct chain *chain, struct segment *segment);

/* Look again where a pinned segment ends, once it has a successor. False: it is off the chain, and
 * nothing is known of its end. */
bool chain_find_end(struct chain *chain, struct segment *segment);

/* Give an id for one more segment; no file has it. Above ID_MAX: none is left. */
uint64_t chain_next_id(struct chain *chain);

/* In the writer: a mapped, started segment becomes the newest. Its predecessor ends where it says.
 * Entries between the two become leftovers. The caller gets one pin. */
int chain_reserve(struct chain *chain); /* before, so that chain_add() cannot fail */
void chain_add(struct chain *chain, struct segment *segment);

/* In the writer: go on in the newest segment, which the caller has mapped. The caller gets one
 * pin. */
int chain_adopt(struct chain *chain, struct segment *segment);

/* After a seal: later pins map the file anew, read-only, with its sealed index. */
void chain_forget(struct chain *chain, struct segment *segment);

/* Take entries that lie entirely before @number off the front, never the last one. They become
 * leftovers. Returns the first number afterwards. */
uint64_t chain_trim(struct chain *chain, uint64_t number);

/* Seal a segment, or seal it anew, where the log ends in it. The seal is durable on return. The
 * caller has synced everything before @end, and started and synced the segment that says so.
 * Nothing happens if the segment is trimmed. Without @was_read nobody read its frames: then a seal
 * that is there is only cut back. */
int chain_seal(struct chain *chain, uint64_t id, uint64_t records, uint64_t end,
               int64_t greatest_ns, bool was_read);

/* For an open, with the log's end durable: seal each segment as the one behind it says. An old copy
 * that was put back has its old seal, or none. Were the link behind it ever lost, what was cut
 * would seem to be part of the log. */
int chain_seal_copies(struct chain *chain);

/* Unlink leftovers with their indexes, then sync the directory. Trimmed ones go oldest first,
 * others newest first. The second call unlinks @most of them and returns LEFTOVERS_REMAIN if there
 * may be more. One thread at a time. */
enum { LEFTOVERS_REMAIN = 1 };
int chain_drop_leftovers(struct chain *chain);
int chain_drop_some(struct chain *chain, size_t most);

/* At an open for writing: unlink indexes whose segment is gone. */
void chain_drop_indexes(struct chain *chain);

/* Up to which number was nothing cut since @epoch? A cursor at a higher number has passed what was
 * cut. UINT64_MAX: nothing was cut. @passed_id is the segment in which it stood last; 0: none or
 * not known. */
uint64_t chain_rewound(struct chain *chain, uint64_t epoch, uint64_t passed_id);

/* The segment that @number is in, if it is there; 0: it is before the first. */
uint64_t chain_id_of(struct chain *chain, uint64_t number);

/* The log's first number, as of the last look. */
uint64_t chain_first(struct chain *chain);

/* Is a file gone that was there at the last look? A refresh reads the chain anew. */
bool chain_is_outdated(struct chain *chain);

/* Is the error about what lies on the disk, and not about the call? So is a segment that is no
 * regular file. */
static inline bool chain_is_damage(int error)
{
        return error == -EBADMSG || error == -EPERM;
}

bool chain_is_empty(struct chain *chain);

/* Measure the segments' regular files: their lengths, and their blocks on the disk. */
void chain_measure(struct chain *chain, uint64_t *ret_bytes, uint64_t *ret_disk_bytes);

/* Give the epoch in which the newest segment was started. It changes once the chain was cut. */
uint64_t chain_newest_epoch(struct chain *chain);

/* Give the lowest first number of a segment that is not below @number. UINT64_MAX: there is
 * none. */
uint64_t chain_first_after(struct chain *chain, uint64_t number);

/* May the head go on at the mark, with nothing but the head read? */
bool chain_closed_cleanly(struct chain *chain, const struct control_slot *slot);

/* Give the last number below @number that a segment may hold, and in *ret_first the first number of
 * that segment. 0: there is none. If the segment cannot be used, give the number before it. */
uint64_t chain_last_before(struct chain *chain, uint64_t number, uint64_t *ret_first);

/* judge_link() of an entry whose first page was read. */
bool chain_fits(const struct chain_entry *next, const struct segment_brief *brief);

struct scan;

/* What does it mean where @scan of the segment ended, which @next (NULL: none) continues? Returns
 * enum judgement, and in *ret_number the first number that is not served for it; or why the segment
 * could not be looked at again. */
int chain_judge_scan(struct chain *chain, const struct control_slot *slot,
                     const struct segment_brief *brief, const struct scan *scan,
                     const struct chain_entry *next, uint64_t *ret_number);

/* Copy the last entry with an id below @id, with its first page read. -ENOENT: there is none. On
 * another error ret->id says whose page cannot be used. Ids, unlike positions, stay while a trim
 * goes on. */
int chain_entry_before(struct chain *chain, uint64_t id, struct chain_entry *ret);
void chain_set_counted(struct chain *chain, uint64_t id, const struct chain_counted *counted);
int chain_entry_after(struct chain *chain, uint64_t id, struct chain_entry *ret);

/* Copy entry @at with its first page read, where nothing changes the chain. -ENOENT: there are
 * fewer. */
int chain_entry_at(struct chain *chain, size_t at, struct chain_entry *ret);

/* What of a segment is durable. */
struct chain_extent {
        struct segment_brief brief;
        uint64_t end;         /* 0: only @last_number is known */
        uint64_t last_number; /* of the durable ones; first - 1 if there is none */
        bool marked;          /* the durable mark is in it: .end is what the control page says */
        bool sealed;          /* it has a seal that is durable and where the log leaves it */
};

/*
 * Describe the first segment behind @after of which something is durable. -ENOENT: there is none.
 * @number: the first one missing, if the chain is broken there. @follows: in a reading process.
 * There it returns CHAIN_MOVED if the chain is older than the control page: refresh it, and ask
 * again. In the writer the caller keeps truncations and trims out.
 */
enum { CHAIN_MOVED = 1 };
int chain_extent_after(struct chain *chain, bool follows, uint64_t after, uint64_t number,
                       struct chain_extent *ret);

/* A place between two frames that somebody has kept. */
struct chain_place {
        uint64_t id, salt, offset; /* behind the frame of the record before @number; id 0: none */
        uint64_t number;           /* of the record that is due there */
        uint64_t epoch;            /* newest on the chain when it was taken */
};

enum chain_place_state { PLACE_HERE, PLACE_CUT, PLACE_TRIMMED };

struct chain_found {
        enum chain_place_state state;
        /* Where the log goes on: the place, the cut, or the first record. Number UINT64_MAX: at the
         * end of the log. Id 0: only the number is known. */
        struct chain_place place;
        bool present;  /* the segment of the place is on the chain */
        uint64_t keep; /* who lets go of no record from here on keeps the place's last bytes */
};

/* Is the place still there? CHAIN_MOVED: refresh the chain, and ask again. -EBADMSG: no such place
 * was ever there, or damage. */
int chain_find_place(struct chain *chain, const struct chain_place *place, struct chain_found *ret);

#endif
