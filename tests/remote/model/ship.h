/*
 * ship.h - what the steps of ship.pml do; included in the verifier that spin makes of it
 *
 * A rule of the protocol is a line of RULES. REMOVED=NAME in the environment leaves it out.
 */
#include <stdlib.h>
#include <string.h>

extern void (*Uerror)(char *); /* of pan.c: a counterexample */

enum { CLAIM = 1, TAIL, WHOLE, TRIM };
enum { OURS = 1, LOOK_ANEW, FENCED, LOST, NOTHING, CHOSEN, REFUSED, CREATED, EXISTS, TRIMMED };
enum { RECORDS = sizeof(now.path) - 1, COMMITS = sizeof(now.object) - 1 };
#define GRACE 1     /* ticks that a checkpoint is old before others go */
#define SUSPICION 0 /* ticks that may pass without a look at the list */

/* ---- bounds and rules ---- */

static struct {
        int records, commits, seqs, starts, cuts, checkpoints, clock, shippers;
        int copies, kills, lose, late, lag, trims, gaps, bucket_trims, fetches;
} bound;

#define RULES(RULE)                                                                             \
        RULE(CONDITION)     /* of creations under one name one succeeds */                      \
        RULE(NONCE)         /* after a 412 the nonce tells whose it is */                       \
        RULE(OWN_412)       /* and ours counts as created */                                    \
        RULE(SAME_BYTES)    /* a request is sent again as it was */                             \
        RULE(LIST_AFTER)    /* after a long time the list tells whether a creation counts */    \
        RULE(HOUR)          /* only a checkpoint that is old lets others go */                  \
        RULE(CONFIRMED_AGE) /* by the time of the collector's own confirmation */               \
        RULE(NAMED)         /* and only one that a commit has named */                          \
        RULE(BASE_STAYS)    /* commits from its base on stay */                                 \
        RULE(OBJECTS_NAMED) /* objects stay that it, or the table, names */                     \
        RULE(COMPARE)       /* the end that was shipped is on the local log */                  \
        RULE(PROOF)         /* and the bytes before it are the same */                          \
        RULE(EXCUSE)        /* or a truncation cut it off */                                    \
        RULE(POSITIONS)     /* that a position names */                                         \
        RULE(EXCUSE_PROOF)  /* with the same bytes */                                           \
        RULE(NEXT)          /* a position names the end before it is tried */                   \
        RULE(CLAIM_KEEPS)   /* a claim says the end that it found; a second one, the cut */     \
        RULE(TURNS)         /* the next end does not take the place of the one in the bucket */ \
        RULE(FLOOR)         /* nothing is trimmed that is not shipped */                        \
        RULE(DURABLE)       /* only what is durable is shipped */                               \
        RULE(OBJECT_FIRST)  /* an object is there before its WHOLE */                           \
        RULE(OBJECT_NONCE)  /* and has a name of its own */                                     \
        RULE(PUT_FIRST)     /* a checkpoint is there before it is named */                      \
        RULE(DROP_FROM_END) /* the log is what the end leads back to */                         \
        RULE(LIVE)          /* and only what is on it tells with which segment to begin */      \
        RULE(BEHIND)        /* a WHOLE behind the end leaves the end */                         \
        RULE(GAP)           /* behind records that are trimmed unshipped the log begins anew */ \
        RULE(TRIM_OF_OURS)  /* a TRIM of our term takes nothing from us */                      \
        RULE(FROM_FIRST)    /* the table goes back to the segment with the first record */      \
        RULE(ANEW)          /* cut below what was trimmed there, the log begins anew */         \
        RULE(TRIM_LATE)     /* a trim leaves objects whose commit may still come */             \
        RULE(WHOLE_AGAIN)   /* what was cut in a segment is replaced before it goes on there */ \
        RULE(FETCH_AGAIN)   /* what is gone was replaced: look anew */

enum rule {
        NO_RULE,
#define ENUM(name) name,
        RULES(ENUM)
};
static enum rule without;

static int removed(enum rule rule)
{
        return without == rule;
}

static int number(const char *name, int otherwise)
{
        const char *text = getenv(name);

        return text ? atoi(text) : otherwise;
}

static void read_bounds(void)
{
        static const char *const names[] = { "",
#define TEXT(name) #name,
                                             RULES(TEXT) };
        const char *text = getenv("REMOVED");

        for (size_t i = 1; text && i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(text, names[i]) == 0)
                        without = (enum rule)i;
        if (text && *text && without == NO_RULE)
                Uerror("no such rule");
        bound.records = number("RECORDS", 3);
        bound.commits = number("COMMITS", 8);
        bound.seqs = number("SEQS", 5);
        bound.starts = number("STARTS", 2);
        bound.cuts = number("CUTS", 0);
        bound.checkpoints = number("CHECKPOINTS", 1);
        bound.clock = number("CLOCK", 1);
        bound.shippers = number("SHIPPERS", 1);
        bound.copies = number("COPIES", 0);
        bound.kills = number("KILLS", 1);
        bound.lose = number("LOSE", 1);
        bound.late = number("LATE", 0);
        bound.lag = number("LAG", 0);
        bound.trims = number("TRIMS", 0);
        bound.gaps = number("GAPS", 0);
        bound.bucket_trims = number("BUCKET_TRIMS", 0);
        bound.fetches = number("FETCHES", 0);
}

/* Tell a counterexample: only where pan replays one. */
extern int readtrail;
#define TELL(...) (readtrail ? (void)printf(__VA_ARGS__) : (void)0)

static void must(int holds, const char *what)
{
        if (!holds)
                Uerror((char *)what);
}

/* ---- records ---- */

/* Is record @a on the log that ends with @b? */
static int on(int a, int b)
{
        return a == 0 || (now.path[b] >> a & 1);
}

/* Where two logs part: parents have smaller numbers. */
static int meet(int a, int b)
{
        int both = now.path[a] & now.path[b], r = RECORDS;

        while (r > 0 && !(both >> r & 1))
                r--;
        return r;
}

/* How many records has the segment, up to this one? */
static int nth(int a)
{
        int count = a != 0;

        while (a != 0 && now.parent[a] != 0 && now.segment[now.parent[a]] == now.segment[a])
                a = now.parent[a], count++;
        return count;
}

/* Copies of a store may go on in the same segment: then two records are at the same place. */
static int same_place(int a, int b)
{
        return now.segment[a] == now.segment[b] && nth(a) == nth(b);
}

/* The record of the log at @end that is at the place of @a; 0: none. */
static int at_place(int a, int end)
{
        while (end != 0 && !same_place(a, end))
                end = now.parent[end];
        return end;
}

/* ---- what befalls directories ---- */

/* @way 0: in the segment that is there; 1: in a new one; 2: the seal of the old one lags. */
static void append(int d, int way)
{
        struct Directory *dir = &now.dir[d];
        int r = ++now.record_count, last = dir->end;

        now.parent[r] = last;
        now.path[r] = now.path[last] | 1 << r;
        if (last == 0 || way != 0) {
                if (way == 2)
                        dir->lag = now.segment[last];
                now.segment[r] = r;
                now.id[r] = ++dir->top;
        } else {
                now.segment[r] = now.segment[last];
                now.id[r] = now.id[last];
        }
        TELL("%c: append %d behind %d, segment %d\n", 'A' + d, r, last, now.id[r]);
        dir->end = r;
        dir->fresh = 0;
}

/* COPIES=2: the copy is made when there is one record, and not at any time. COPIES=3: and both have
 * gone on, in the same segment. */
static void begin(void)
{
        read_bounds();
        if (bound.copies >= 2) {
                append(0, 0);
                now.dir[1] = now.dir[0];
                now.copied = 1;
        }
        for (int d = 0; d < 2 && bound.copies == 3; d++)
                append(d, 0);
}

static int may_cut(int d, int q)
{
        return q >= 1 && on(now.dir[d].trimmed, q);
}

/* The segment that the log goes on in exists at once, so an id is used even if no record comes. */
static void truncate_after(int d, int q, int lags)
{
        struct Directory *dir = &now.dir[d];

        dir->cut |= now.path[dir->end] & ~now.path[q];
        TELL("%c: truncate to %d\n", 'A' + d, q);
        dir->end = q;
        dir->fresh = 1;
        dir->lag = lags ? now.segment[q] : 0;
}

static void lose(int d)
{
        struct Directory *dir = &now.dir[d];

        dir->lost |= 1 << dir->end;
        TELL("%c: record %d is lost in a crash\n", 'A' + d, dir->end);
        dir->end = now.parent[dir->end];
        dir->fresh = 1;
        dir->lag = 0;
}

/* The last record of the segment of @a on the log at @end. */
static int last_of_segment(int a, int end)
{
        while (now.segment[end] != now.segment[a])
                end = now.parent[end];
        return end;
}

/* The oldest record that is not trimmed. */
static int oldest(int d)
{
        int r = now.dir[d].end;

        while (r != 0 && now.parent[r] != now.dir[d].trimmed)
                r = now.parent[r];
        return r;
}

/* Whole segments are trimmed, but not the one that the floor is in. Before the first end was
 * shipped there is no floor, and nothing is promised. */
static int may_trim(int d)
{
        const struct Directory *dir = &now.dir[d];
        int r = oldest(d), floor = meet(dir->shipped, dir->end);

        if (r == 0 || dir->shipped == 0 || now.segment[r] == now.segment[dir->end])
                return 0;
        return removed(FLOOR) || bound.gaps ||
               (floor != 0 && now.segment[r] != now.segment[floor] && on(r, floor));
}

static void trim(int d)
{
        struct Directory *dir = &now.dir[d];

        dir->trimmed = last_of_segment(oldest(d), dir->end);
        TELL("%c: trim up to %d\n", 'A' + d, dir->trimmed);
        must((now.path[dir->trimmed] & ~now.told) == 0 || bound.gaps, "trimmed, and not shipped");
}

/* ---- the table: table.c, table_pack.c ---- */

struct line {
        int commit, from, to;
        int whole;
};

struct table {
        int count;
        struct line lines[COMMITS + 1];
};

static void keep_segments(struct table *table, int segments)
{
        int kept = 0;

        for (int i = 0; i < table->count; i++)
                if (segments >> now.segment[table->lines[i].to] & 1)
                        table->lines[kept++] = table->lines[i];
        table->count = kept;
}

static int newest_of(const struct table *table, int id)
{
        for (int i = table->count; i > 0; i--)
                if (now.id[table->lines[i - 1].to] == id)
                        return table->lines[i - 1].to;
        return 0;
}

static int length_of(int a)
{
        return __builtin_popcount(now.path[a]);
}

/* The segments that the newest leads back to, up to the one with the first record. */
static void drop_dead(struct table *table, int commit)
{
        const struct Commit *made = &now.made[commit];
        int id = 0, live = 0, to = 0, before, end = made->end;

        if (table->count == 0)
                return;
        for (int i = 0; i < table->count; i++)
                if (now.id[table->lines[i].to] > id)
                        id = now.id[table->lines[i].to];
        to = newest_of(table, id);
        if (!removed(DROP_FROM_END))
                for (int i = 0; i < table->count; i++)
                        if (now.segment[table->lines[i].to] == now.segment[end])
                                to = end;
        if (made->none)
                to = 0;
        while (to != 0) {
                live |= 1 << now.segment[to];
                before = now.parent[now.segment[to]];
                if (length_of(before) <= length_of(made->gone) && !removed(FROM_FIRST))
                        break;
                to = before ? newest_of(table, now.id[before]) : 0;
        }
        keep_segments(table, live);
}

static void add_line(struct table *table, int commit)
{
        const struct Commit *made = &now.made[commit];

        if (made->kind == WHOLE)
                keep_segments(table, ~(1 << now.segment[made->to]));
        table->lines[table->count++] =
                (struct line){ commit, made->from, made->to, made->kind == WHOLE };
}

/* What the entries of the commit say, on top of the checkpoint that it names. */
static void table_at(int commit, struct table *table)
{
        int list[COMMITS + 1], count = 0, named = now.made[commit].named;

        for (int c = commit; c != named; c = now.made[c].previous)
                list[count++] = c;
        table->count = 0;
        if (named) {
                table_at(named, table);
                drop_dead(table, named);
        }
        while (count-- > 0)
                if (now.made[list[count]].kind == TAIL || now.made[list[count]].kind == WHOLE)
                        add_line(table, list[count]);
}

static int base(const struct table *table)
{
        for (int i = 0; i < table->count; i++)
                if (!table->lines[i].whole)
                        return now.made[table->lines[i].commit].seq;
        return 0;
}

/* An object's name. Without a nonce in it all objects of a segment have the same. */
static int name_of(int commit)
{
        int other = 1;

        if (!removed(OBJECT_NONCE))
                return now.made[commit].nonce;
        while (now.made[other].kind != WHOLE ||
               now.segment[now.made[other].to] != now.segment[now.made[commit].to])
                other++;
        return other;
}

/* ---- fetch: remote_log.c, fetch_segment.c, fetch_check.c ---- */

static int find_newest(void)
{
        int seq = bound.seqs;

        while (seq > 0 && now.commit[seq] == 0)
                seq--;
        return now.commit[seq];
}

static int checkpoint_is_there(int commit)
{
        int named = now.made[commit].named;

        return named == 0 || now.checkpoint[now.made[named].seq] == named;
}

static int has_line(const struct line *line)
{
        if (line->whole)
                return now.object[name_of(line->commit)] == line->to;
        return now.commit[now.made[line->commit].seq] == line->commit;
}

static void log_table(int commit, struct table *table)
{
        table_at(commit, table);
        drop_dead(table, commit);
}

static int is_there(int commit)
{
        return now.commit[now.made[commit].seq] == commit;
}

static int line_count(int commit)
{
        struct table table;

        log_table(commit, &table);
        return table.count;
}

/* Line 0 stands for the checkpoint. */
static int line_is_there(int commit, int which)
{
        struct table table;

        if (which == 0)
                return checkpoint_is_there(commit);
        log_table(commit, &table);
        return has_line(&table.lines[which - 1]);
}

/* The bytes that the lines with this id give, from first to last. -1: not one segment without a
 * gap. */
static int join(const struct table *table, int id)
{
        int end = 0, any = 0;

        for (int i = 0; i < table->count; i++) {
                const struct line *line = &table->lines[i];

                if (now.id[line->to] != id)
                        continue;
                if (any && now.segment[end] != now.segment[line->to])
                        return -1;
                if (!line->whole && line->from != end)
                        return -1;
                end = line->to;
                any = 1;
        }
        return end;
}

/* Fetch all; the records of the log go to *ret. Returns what is wrong, or NULL. */
static const char *fetch_all(int commit, int *ret)
{
        const struct Commit *made = &now.made[commit];
        struct table table;
        int before = 0, log = 0, beyond;

        if (!checkpoint_is_there(commit))
                return "the checkpoint is missing";
        log_table(commit, &table);
        for (int i = 0; i < table.count; i++)
                if (!has_line(&table.lines[i]))
                        return table.lines[i].whole ? "an object is missing, or another"
                                                    : "a commit is missing, or another";
        for (int id = 1; id <= RECORDS; id++) {
                int end = join(&table, id), begin = end > 0 ? now.segment[end] : 0;

                if (end < 0)
                        return "a segment is mixed, or has a gap";
                if (end == 0)
                        continue;
                if (now.segment[end] == now.segment[made->end] && on(made->end, end))
                        end = made->end; /* what lies behind it was cut off */
                if (before != 0 && (now.parent[begin] == 0 ||
                                    now.segment[now.parent[begin]] != now.segment[before] ||
                                    !on(now.parent[begin], before)))
                        return "a segment does not lead to the next";
                for (int r = end; r != now.parent[begin]; r = now.parent[r])
                        log |= 1 << r;
                before = end;
        }
        if (before != made->end && !made->none)
                return "the end is missing";
        beyond = now.path[before];
        for (int r = before; r != 0; r = now.parent[r])
                if (length_of(r) <= length_of(made->gone))
                        beyond &= ~(1 << r);
        *ret = log & now.path[before];
        if (length_of(made->end) < length_of(made->gone))
                return "the log ends before it begins";
        if ((*ret & now.path[before] & ~beyond) != 0)
                return "what was trimmed is still there";
        return (beyond & ~*ret) == 0 ? NULL : "the beginning is missing";
}

/* Whatever was told is fetched now, if it was not truncated, nor trimmed in the bucket. */
static void judge(void)
{
        int newest = find_newest(), log = 0;
        const char *wrong;

        if (newest == 0) {
                must(now.told == 0, "nothing is left");
                return;
        }
        wrong = fetch_all(newest, &log);
        must(!wrong, wrong);
        must((now.told & ~log & ~now.made[newest].cut & ~now.made[newest].off) == 0,
             "what was told is not there");
}

/* ---- shippers ---- */

#define SELF struct Shipper *self = &now.ship[i]

static int can_make(int i)
{
        return now.made_count < bound.commits && now.made[now.ship[i].last].seq < bound.seqs;
}

/* Is there anything of what is in the bucket before the cut? Else it begins with what is here. */
static void begin_anew(struct Shipper *self, const struct Directory *dir)
{
        struct table table;

        log_table(self->last, &table);
        for (int k = 0; k < table.count; k++)
                if (now.segment[table.lines[k].to] == now.segment[self->end] &&
                    nth(table.lines[k].to) >= nth(self->end))
                        return;
        if (removed(ANEW))
                return;
        self->end = dir->trimmed;
        self->none = 1;
}

/* Retention went on without us (GAPS): is there more of the log in the bucket than here, and are
 * records missing between the two? */
static void give_up(struct Shipper *self, const struct Directory *dir)
{
        if (!on(self->end, dir->trimmed) || self->end == dir->trimmed || removed(GAP))
                return;
        self->end = dir->trimmed;
        self->none = 1;
}

/* ship_compare(). A truncation sets the end to the cut. */
static int compare(int i, int d)
{
        SELF;
        const struct Directory *dir = &now.dir[d];
        const unsigned char positions[] = { dir->next, dir->another };
        int here;

        self->end = now.made[self->last].end;
        self->none = now.made[self->last].none;
        here = at_place(self->end, dir->end);
        if (self->end == 0 || removed(COMPARE))
                return 0;
        if (here == self->end || (here && removed(PROOF))) {
                self->end = here;
                give_up(self, dir);
                return 0;
        }
        if (here)
                return REFUSED;
        for (int k = 0; k < 2 && !removed(EXCUSE); k++) {
                int place = positions[k], was = place == self->end;

                if (removed(EXCUSE_PROOF))
                        was = place != 0 && same_place(place, self->end);
                if ((was && !(dir->lost >> place & 1)) || (removed(POSITIONS) && dir->cut != 0)) {
                        self->end = meet(place, dir->end);
                        if (removed(POSITIONS))
                                self->end = meet(self->end, dir->end);
                        begin_anew(self, dir);
                        give_up(self, dir);
                        return 0;
                }
        }
        must(now.copied || bound.shippers > 1, "refused, although nobody else ever shipped");
        return REFUSED;
}

static int look(int i, int d)
{
        SELF;

        *self = (struct Shipper){ .last = find_newest() };
        self->end = now.made[self->last].end;
        self->known = now.made[self->last].named;
        self->confirmed = now.clk;
        TELL("S%d: looks: c%d, end %d\n", i, now.made[self->last].seq, self->end);
        return compare(i, d);
}

static struct Commit *make(int i, int d, int kind)
{
        SELF;
        const struct Commit *last = &now.made[self->last];
        struct Commit *made = &now.made[++now.made_count];

        self->ours = now.made_count;
        *made = (struct Commit){
                .seq = last->seq + 1,
                .term = last->term,
                .kind = kind,
                .previous = self->last,
                .end = self->end,
                .named = self->known,
                .nonce = self->ours,
                .cut = last->cut | now.dir[d].cut,
                .gone = last->gone,
                .off = last->off,
        };
        return made;
}

/* Two positions: the end that is in the bucket, and the one that is tried. */
static void set_next(int i, int d, int place)
{
        struct Directory *dir = &now.dir[d];

        if (place == 0)
                return;
        if (dir->next == now.made[now.ship[i].last].end && !removed(TURNS))
                dir->another = place;
        else
                dir->next = place;
}

static void make_claim(int i, int d)
{
        SELF;
        struct Commit *made = make(i, d, CLAIM);

        made->term++;
        made->none = self->none;
        if (self->none) {
                made->gone = now.dir[d].trimmed;
                made->off |= now.path[made->gone];
        }
}

/* Whose requests are late is fenced by the first claim, which needs no position of its own. */
static void make_first_claim(int i, int d)
{
        SELF;
        const struct Commit *last = &now.made[self->last];
        int end = self->end;

        if (removed(CLAIM_KEEPS) && end != last->end && !self->none)
                set_next(i, d, end);
        if (!removed(CLAIM_KEEPS)) {
                self->end = last->end;
                self->none = last->none;
        }
        make_claim(i, d);
        if (last->none && self->none) {
                now.made[self->ours].gone = last->gone;
                now.made[self->ours].off = last->off;
        }
}

/* Somebody's TRIM has the number of ours. */
static void make_behind(int i)
{
        SELF;
        int trim = now.commit[now.made[self->ours].seq];
        const struct Commit *last = &now.made[trim];
        struct Commit *made = &now.made[++now.made_count];

        *made = now.made[self->ours];
        self->last = trim;
        if (now.made[last->named].seq > now.made[self->known].seq)
                self->known = last->named;
        self->ours = now.made_count;
        made->seq = last->seq + 1;
        made->previous = trim;
        made->named = self->known;
        made->gone = last->gone;
        made->off = last->off;
        if (made->kind != WHOLE) /* whose object is there */
                made->nonce = self->ours;
        TELL("S%d: goes on behind the TRIM c%d\n", i, last->seq);
}

static void build_anew(int i)
{
        SELF;

        now.made[++now.made_count] = now.made[self->ours];
        if (now.made[self->ours].kind == WHOLE) { /* its object has the name already */
                now.object[now.made_count] = now.object[self->ours];
                now.object_at[now.made_count] = now.object_at[self->ours];
        }
        self->ours = now.made_count;
}

/* ---- which segment is next: ship_round.c ---- */

static int is_sealed(int d, int a)
{
        const struct Directory *dir = &now.dir[d];

        if (now.segment[a] == dir->lag)
                return 0;
        return dir->fresh || now.segment[a] != now.segment[dir->end];
}

static int begin_with(const struct Shipper *self, const struct table *table)
{
        for (int i = 0; i < table->count; i++)
                if (!table->lines[i].whole)
                        return now.id[table->lines[i].to];
        return now.made[self->last].none ? 0 : now.id[self->end];
}

static int has_whole(const struct table *table, int to)
{
        for (int i = 0; i < table->count; i++)
                if (table->lines[i].whole && table->lines[i].to == to)
                        return 1;
        return 0;
}

/* Another copy has cut the segment of @end, and what lies behind is still there. */
static int goes_beyond(const struct table *table, int end)
{
        for (int i = 0; i < table->count; i++)
                if (end && now.segment[table->lines[i].to] == now.segment[end] &&
                    nth(table->lines[i].to) > nth(end))
                        return 1;
        return 0;
}

/* Make the commit that brings the segment up to @to, or return 0: it is there. */
static int ship_extent(int i, int d, const struct table *table, int to)
{
        SELF;
        int sealed = is_sealed(d, to), end = self->end, whole;
        struct Commit *made;

        if (sealed && has_whole(table, to))
                return 0;
        if (!sealed &&
            (now.id[to] < now.id[end] || (now.id[to] == now.id[end] && nth(to) <= nth(end))))
                return 0;
        whole = sealed || (goes_beyond(table, end) && now.segment[end] == now.segment[to] &&
                           !removed(WHOLE_AGAIN));
        made = make(i, d, whole ? WHOLE : TAIL);
        made->to = to;
        made->cut &= ~now.path[to];
        if (!whole)
                made->from = now.segment[end] == now.segment[to] ? end : 0;
        if (!sealed || removed(BEHIND) || now.id[end] <= now.id[to])
                made->end = to;
        return 1;
}

static int choose(int i, int d)
{
        SELF;
        struct table table;
        int first;

        if (compare(i, d) != 0)
                return REFUSED;
        if (self->end != now.made[self->last].end || self->none != now.made[self->last].none) {
                make_claim(i, d);
                return CHOSEN;
        }
        table_at(self->last, &table);
        if (!removed(LIVE) || self->known == self->last)
                drop_dead(&table, self->last);
        first = begin_with(self, &table);
        for (int r = 1; r <= now.record_count; r++) { /* segments in order */
                int to;

                if (now.segment[r] != r || !on(r, now.dir[d].end) || now.id[r] < first ||
                    (r != now.dir[d].trimmed && on(r, now.dir[d].trimmed)) ||
                    r == now.dir[d].trimmed)
                        continue;
                to = last_of_segment(r, now.dir[d].end);
                if (!ship_extent(i, d, &table, to))
                        continue;
                if (now.made[self->ours].kind == WHOLE && !removed(OBJECT_FIRST)) {
                        now.object[name_of(self->ours)] = to;
                        now.object_at[name_of(self->ours)] = now.clk;
                }
                return CHOSEN;
        }
        must(self->end == now.dir[d].end, "not all is there, and nothing is shipped");
        return NOTHING;
}

/* ---- ship_commit.c ---- */

static int note_next(int i, int d)
{
        int place = now.made[now.ship[i].ours].end;

        if (now.made[now.ship[i].ours].none)
                return 0;
        if (!on(place, now.dir[d].end))
                return LOOK_ANEW;
        if (!removed(NEXT))
                set_next(i, d, place);
        TELL("S%d: next is %d; c%d is to be kind %d, term %d, end %d, to %d\n", i, place,
             now.made[now.ship[i].ours].seq, now.made[now.ship[i].ours].kind,
             now.made[now.ship[i].ours].term, place, now.made[now.ship[i].ours].to);
        return 0;
}

/* What the server does with a creation. */
static int create(int n)
{
        const struct Commit *made = &now.made[n];
        const struct Commit *newest = &now.made[find_newest()];

        TELL("   create c%d, kind %d, end %d: %d\n", made->seq, made->kind, made->end,
             now.commit[made->seq] ? 412 : 200);
        if (now.commit[made->seq] != 0 && !removed(CONDITION))
                return EXISTS;
        if (made->seq > newest->seq)
                must(made->term == newest->term ||
                             (made->kind == CLAIM && made->term > newest->term),
                     "a term falls, or grows without a claim");
        now.commit[made->seq] = n;
        return CREATED;
}

static int accept(int i, int answer)
{
        SELF;
        int seq = now.made[self->ours].seq, there = now.commit[seq];

        if (answer == EXISTS && !removed(NONCE)) {
                if (there != self->ours || removed(OWN_412)) {
                        if (now.made[self->ours].kind == CLAIM || now.made[self->ours].kind == TRIM)
                                return LOOK_ANEW;
                        if (now.made[there].kind == TRIM && !removed(TRIM_OF_OURS) &&
                            now.made[there].term == now.made[self->last].term)
                                return TRIMMED;
                        must(now.made[there].kind != TRIM || bound.shippers > 1,
                             "fenced by a trim");
                        must(now.made[there].previous != self->last ||
                                     now.made[there].to != now.made[self->ours].to ||
                                     now.made[there].kind == CLAIM || bound.shippers > 1,
                             "fenced by oneself");
                        return FENCED;
                }
        }
        if (now.clk - self->confirmed > SUSPICION && !removed(LIST_AFTER)) {
                if (now.made[find_newest()].seq != seq)
                        return LOOK_ANEW;
                self->confirmed = now.clk;
        } else if (answer == CREATED) {
                self->confirmed = now.clk;
        }
        return OURS;
}

static void adopt(int i)
{
        SELF;
        const struct Commit *made = &now.made[self->ours];

        self->last = self->ours;
        self->end = made->end;
        self->ours = 0;
        TELL("S%d: tells %d\n", i, self->end);
        now.told |= now.path[self->end] & ~made->cut & ~1;
        if (made->kind == WHOLE && removed(OBJECT_FIRST) && now.object[self->last] == 0) {
                now.object[self->last] = made->to;
                now.object_at[self->last] = now.clk;
        }
}

static int note_shipped(int i, int d)
{
        SELF;

        if (on(self->end, now.dir[d].end)) {
                if (self->end && !now.made[self->last].none) {
                        now.dir[d].shipped = self->end;
                        if (now.dir[d].next != self->end && now.dir[d].another != self->end)
                                set_next(i, d, self->end);
                }
                return 0;
        }
        return now.made[self->last].kind == CLAIM ? 0 : LOOK_ANEW;
}

/* ---- ship_checkpoint.c, ship_collect.c ---- */

static int may_checkpoint(int i)
{
        SELF;

        return self->known != self->last && now.made[self->last].kind != CLAIM;
}

static void put_checkpoint(int i)
{
        SELF;
        int seq = now.made[self->last].seq;

        self->known = self->last;
        if (removed(PUT_FIRST))
                return;
        TELL("S%d: checkpoint of c%d\n", i, seq);
        now.checkpoint[seq] = self->last;
        now.checkpoint_at[seq] = now.clk;
}

static int age(const struct Shipper *self, int since)
{
        return (removed(CONFIRMED_AGE) ? now.clk : self->confirmed) - since;
}

/* The newest checkpoint that is old enough, and named. */
static int find_old(const struct Shipper *self)
{
        int seq = bound.seqs, named = now.made[now.made[self->last].named].seq;

        while (seq > 0 && (now.checkpoint[seq] == 0 || (seq > named && !removed(NAMED)) ||
                           (age(self, now.checkpoint_at[seq]) < GRACE && !removed(HOUR))))
                seq--;
        return now.checkpoint[seq];
}

static int is_named(const struct table *table, int name)
{
        for (int i = 0; i < table->count; i++)
                if (table->lines[i].whole && name_of(table->lines[i].commit) == name)
                        return 1;
        return 0;
}

static int is_trimmer(int i)
{
        return i == 2 && bound.bucket_trims;
}

/* May a commit of the newest term still name the object? */
static int may_come(int i, int n, const struct table *table)
{
        int oldest = RECORDS + 1;

        if (!is_trimmer(i) || removed(TRIM_LATE))
                return age(&now.ship[i], now.object_at[n]) < 2 * GRACE;
        for (int k = 0; k < table->count; k++)
                if (now.id[table->lines[k].to] < oldest)
                        oldest = now.id[table->lines[k].to];
        return now.id[now.object[n]] >= oldest;
}

/* One that may be removed: its kind goes to *ret_kind. 0: none. */
static int find_victim(int i, int *ret_kind)
{
        SELF;
        struct table kept, table;
        int old = find_old(self), from;

        if (old == 0)
                return 0;
        table_at(old, &kept);
        drop_dead(&kept, old);
        log_table(self->last, &table);
        from = base(&kept) && !removed(BASE_STAYS) ? base(&kept) : now.made[old].seq + 1;
        *ret_kind = 0;
        for (int seq = 1; seq < from; seq++)
                if (now.commit[seq] != 0 && now.commit[seq] != find_newest())
                        return seq;
        *ret_kind = 1;
        for (int seq = 1; seq < now.made[old].seq && seq <= from; seq++)
                if (now.checkpoint[seq] != 0)
                        return seq;
        *ret_kind = 2;
        for (int n = 1; n <= now.made_count; n++)
                if (now.object[n] != 0 &&
                    (removed(OBJECTS_NAMED) || (!is_named(&kept, n) && !is_named(&table, n))) &&
                    age(self, now.object_at[n]) >= GRACE &&
                    (now.made[n].term < now.made[self->last].term || !may_come(i, n, &table)))
                        return n;
        return 0;
}

static int may_collect(int i)
{
        int kind;

        return find_victim(i, &kind) != 0;
}

static void collect(int i)
{
        int kind, n = find_victim(i, &kind);

        TELL("S%d: removes %s %d\n", i, kind == 0 ? "c" : kind == 1 ? "checkpoint" : "object", n);
        if (kind == 0)
                now.commit[n] = 0;
        else if (kind == 1)
                now.checkpoint[n] = now.checkpoint_at[n] = 0;
        else
                now.object[n] = now.object_at[n] = 0;
}

/* ---- ship_trim.c ---- */

static void look_to_trim(int i)
{
        SELF;

        *self = (struct Shipper){ .last = find_newest() };
        self->end = now.made[self->last].end;
        self->known = now.made[self->last].named;
        self->confirmed = now.clk;
}

/* The last record of the oldest segment, if that is one object and not the last one; 0. */
static int oldest_whole(const struct table *table)
{
        int oldest = 0, next = 0;

        for (int k = 0; k < table->count; k++)
                if (oldest == 0 || now.id[table->lines[k].to] < now.id[table->lines[oldest - 1].to])
                        oldest = k + 1;
        for (int k = 0; k < table->count; k++) {
                int id = now.id[table->lines[k].to];

                if (k + 1 != oldest && id == now.id[table->lines[oldest - 1].to])
                        return 0; /* tails */
                if (k + 1 != oldest && (next == 0 || id < now.id[table->lines[next - 1].to]))
                        next = k + 1;
        }
        if (next == 0 || !table->lines[oldest - 1].whole)
                return 0;
        return now.parent[now.segment[table->lines[next - 1].to]];
}

static int may_take_off(int i)
{
        SELF;
        struct table table;

        if (self->last == 0 || !can_make(i))
                return 0;
        log_table(self->last, &table);
        return oldest_whole(&table) != 0;
}

static void make_trim(int i, int gone)
{
        SELF;
        const struct Commit *last = &now.made[self->last];
        struct Commit *made = &now.made[++now.made_count];

        *made = *last;
        self->ours = now.made_count;
        made->seq = last->seq + 1;
        made->kind = TRIM;
        made->previous = self->last;
        made->from = made->to = 0;
        made->named = self->known;
        made->nonce = self->ours;
        made->gone = gone;
        made->off |= now.path[gone];
        TELL("T: c%d is to be a TRIM up to %d, end %d\n", made->seq, gone, made->end);
}

static void take_off(int i)
{
        SELF;
        struct table table;

        log_table(self->last, &table);
        make_trim(i, oldest_whole(&table));
}

/* The second TRIM names the checkpoint as of the first. */
static int names(int i)
{
        SELF;

        return now.made[now.made[self->last].named].kind == TRIM &&
               now.made[self->last].named == now.made[self->last].previous;
}

static void name_it(int i)
{
        SELF;

        make_trim(i, now.made[self->last].gone);
}

static void adopt_trim(int i)
{
        SELF;

        self->last = self->ours;
        self->ours = 0;
}
