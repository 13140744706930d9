/*
 * reader_private.h - what the files of the reader share
 *
 * View:   a struct remote_log as of some look. At first there is only what a list showed. A record
 *         that the newest checkpoint knows is found by that alone, if the list shows no cut behind
 *         it. All else needs the newest commit, and replaces the view by the whole one.
 * Change: `generation` counts views. A cursor keeps its place as segment, salt and offset, and
 *         finds it again in the next view, or is stale.
 * Gone:   -ENOENT from the bucket inside of a call means that the view is old, or that an object is
 *         missing: reader_again() finds out which.
 */
#ifndef LOGSTORE_READER_PRIVATE_H
#define LOGSTORE_READER_PRIVATE_H

#include "logstore-remote.h"
#include "remote/remote_log.h"
#include "remote/window.h"
#include "segment/brief.h"

struct logstore_remote {
        struct logstore_read_options options;
        struct bucket *bucket;
        struct pieces *pieces;
        struct commit_listed listed;
        bool is_listed; /* nobody has looked since that list */
        struct remote_log log;
        bool has_view;
        uint64_t generation;                /* of the view */
        uint8_t uuid[16];                   /* of the store, once there was a view */
        int64_t looked_ns;                  /* when, by the boot clock */
        struct logstore_remote_cursor *own; /* of logstore_remote_get() */
};

/* A frame that begins a batch or stands alone, where a walk may begin. */
struct mark {
        uint64_t offset;
        uint32_t ordinal; /* that is due there */
};

/* A record before the place of a cursor that goes back. */
struct before {
        uint32_t offset8, ordinal;
};

struct logstore_remote_cursor {
        struct logstore_remote *remote;
        uint64_t generation; /* of the view that the place was found in; 0: none */
        bool stale;
        uint64_t number; /* that next would give */
        /* The place: in this segment where the walk stands. id 0: there is no segment. */
        size_t segment;
        uint64_t id, salt;
        struct walk walk;
        struct window window;
        /* Records between some mark and the place, ascending, if before_count is not 0. */
        struct before *before;
        size_t before_count, before_room;
        /* How many pieces it went through one after the other, and in which direction. */
        unsigned run;
        int direction;
        uint64_t last_from; /* of the last piece that was counted */
};

/* ---- views ---- */

/* All zero: nothing was asked in vain as yet. */
struct patience {
        int64_t begun_ns;
        unsigned tries, changes;
};

/* @r is what a request gave. Is the same to be asked again, since there was no answer, or the
 * bucket changed meanwhile? It sleeps if so. */
bool reader_ask_again(const struct logstore_remote *remote, int r, struct patience *patience);

/* Look at the list alone. -ENODATA: there is no commit. */
int reader_list(struct logstore_remote *remote);

/* Have the whole view. */
int reader_look_whole(struct logstore_remote *remote);

/* Have a view that can tell of record @number. */
int reader_look_for(struct logstore_remote *remote, uint64_t number);

/* @error is that of a step in the present view. 1: a newer view is there, try again. Else what is
 * to be told. *tries counts from 0. */
int reader_again(struct logstore_remote *remote, int error, unsigned *tries);

struct logstore_bounds reader_bounds(const struct logstore_remote *remote);

/* ---- marks ---- */

/* Have the directory of an object that segment @which begins with. */
int reader_directory(struct logstore_remote *remote, size_t which);

/* The last mark at or before record @number of segment @which, and where the mark behind it is, or
 * the line's end. */
int reader_floor(struct logstore_remote *remote, size_t which, uint64_t number, struct mark *ret,
                 uint64_t *ret_next);

/* The mark behind @offset, if the segment has one. */
bool reader_mark_behind(const struct remote_segment *segment, uint64_t offset, struct mark *ret);

/* Read and check the first page of segment @which, which gives its records their numbers. The
 * window lies over the segment. */
int reader_start(struct logstore_remote *remote, size_t which, struct window *window,
                 struct segment_brief *ret);

/* Ask for @bytes of the log from @offset of segment @which on. */
void reader_ask_forward(struct logstore_remote *remote, size_t which, uint64_t offset,
                        uint64_t bytes);

/* ---- places ---- */

int reader_check(const struct logstore_remote_cursor *cursor, const void *ret);

/* Stand in segment @which of the view; the window lies over it. */
int reader_place(struct logstore_remote_cursor *cursor, size_t which, struct mark at,
                 uint64_t number);

/* A place that is kept while another is tried. */
struct reader_was {
        uint64_t id, salt, number;
        struct walk_place at;
        bool stale;
};
struct reader_was reader_where(const struct logstore_remote_cursor *cursor);
void reader_put_back(struct logstore_remote_cursor *cursor, const struct reader_was *was);

/* Find the place in the whole view, which may be newer. -ESTALE. */
bool reader_is_settled(const struct logstore_remote_cursor *cursor);
int reader_settle(struct logstore_remote_cursor *cursor);

/* Stand before @number, which is in first..tail + 1, or in the view. */
int reader_stand(struct logstore_remote_cursor *cursor, uint64_t number);

/* One step in the present view, without a second try. Errors as the public ones, and -ENOENT. */
int reader_step(struct logstore_remote_cursor *cursor, struct logstore_record *ret);
int reader_step_back(struct logstore_remote_cursor *cursor, struct logstore_record *ret);

/* The walk did not get on: the error, and a line that names object, offset and record. */
int reader_fault(const struct logstore_remote_cursor *cursor, int step);

/* A piece or a stretch between marks was entered at @offset: read ahead in that direction. */
void reader_went(struct logstore_remote_cursor *cursor, int direction, uint64_t offset);

static inline const struct remote_segment *
reader_segment(const struct logstore_remote_cursor *cursor)
{
        return &cursor->remote->log.segments[cursor->segment];
}

#endif
