/*
 * judge.c - the same verdict, number, place and records from all, and a repair that ends all damage
 */
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "grow.h"
#include "party.h"

struct judging {
        const struct tree *tree;
        const char *path;
        struct verdict v[PARTY_COUNT];
        void (*tell)(void *context, const char *kind, const char *text);
        void *context;
        bool agreed;
};

static void differ(struct judging *j, const char *kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void differ(struct judging *j, const char *kind, const char *format, ...)
{
        char text[1000];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        j->agreed = false;
        j->tell(j->context, kind, text);
}

static const char *said(const struct verdict *v)
{
        return v->error == 0 ? "sound" : v->text;
}

/* Is the damage in a frame of a sealed segment? An open for writing does not read those. */
static bool is_in_sealed(const struct judging *j, const struct verdict *v)
{
        const struct tree_file *file = tree_find((struct tree *)j->tree, v->file);

        return file && v->offset > 4096 && file->bytes > 4096 &&
               memcmp(file->data + 512, "LOGSEAL1", 8) == 0;
}

/* Is it behind all that the segment has, by what the one that claims the number, too, says? */
static bool is_in_link(const struct judging *j, const struct verdict *v)
{
        const struct tree_file *file;

        for (size_t i = 0; i < j->tree->count; i++) {
                file = &j->tree->files[i];
                if (strstr(file->name, ".log") && strcmp(file->name, v->file) > 0 &&
                    file->bytes >= 4224 && tree_get(file->data + 4120) <= v->number)
                        return true;
        }
        return v->offset <= 4096;
}

/* Is there something like the frame of the number all the same, elsewhere than where it is due? An
 * index may lead there. */
static bool is_elsewhere(const struct judging *j, const struct verdict *v)
{
        const struct tree_file *file = tree_find((struct tree *)j->tree, v->file);
        uint32_t ordinal, word;

        if (!file || file->bytes < 4224 || !strstr(file->name, ".log"))
                return false;
        for (size_t at = 4096; at + 24 <= file->bytes; at += 8) {
                memcpy(&word, file->data + at, sizeof(word));
                memcpy(&ordinal, file->data + at + 4, sizeof(ordinal));
                if (at != v->offset && word >> 30 != 0 &&
                    ordinal == v->number + 1 - tree_get(file->data + 4120))
                        return true;
        }
        return false;
}

/* A sound void is wrong only by the frame before it, which is of a batch. */
static bool is_void(const struct judging *j, const struct verdict *v)
{
        const struct tree_file *file = tree_find((struct tree *)j->tree, v->file);
        uint32_t word = 0;

        if (file && v->offset >= 4224 && v->offset + 24 <= file->bytes)
                memcpy(&word, file->data + v->offset, sizeof(word));
        return word >> 30 == 3;
}

/* By number whatever is there is found, also behind a link or a frame that leads astray. */
static bool is_found(const struct judging *j, const struct verdict *v)
{
        return is_in_link(j, v) || is_elsewhere(j, v) || is_void(j, v);
}

static bool is_excused(const struct judging *j, enum party party)
{
        const struct verdict *forward = &j->v[PARTY_FORWARD], *v = &j->v[party];

        if (party == PARTY_WRITER && v->error == 0)
                return forward->error == -EBADMSG && is_in_sealed(j, forward);
        if (party == PARTY_WRITER && v->error == -EOVERFLOW) /* no number is left to go on with */
                return true;
        if (party == PARTY_PYTHON && forward->error == -ENOENT && v->error == -EMEDIUMTYPE)
                return true; /* no store, or none any more */
        if (party == PARTY_GET && v->error == 0)
                return (forward->error == -EBADMSG || forward->error == -EPROTONOSUPPORT) &&
                       is_found(j, forward);
        /* Damage, and something of another version behind it: either is refused. */
        return v->error != 0 && forward->error != 0 &&
               (v->error == -EPROTONOSUPPORT || forward->error == -EPROTONOSUPPORT);
}

/* Sound, damaged or refused: as the forward reader has it, whom nobody else asks. */
static void judge_errors(struct judging *j)
{
        const struct verdict *forward = &j->v[PARTY_FORWARD];
        char kind[64];

        for (int p = 0; p < PARTY_COUNT; p++) {
                const struct verdict *v = &j->v[p];

                if (v->error == forward->error || is_excused(j, (enum party)p))
                        continue;
                snprintf(kind, sizeof(kind), "%s %d, forward %d", party_names[p], v->error,
                         forward->error);
                differ(j, kind, "forward: %s; %s: %s", said(forward), party_names[p], said(v));
        }
}

static void judge_places(struct judging *j)
{
        const struct verdict *forward = &j->v[PARTY_FORWARD];
        char kind[64];

        for (int p = 0; p < PARTY_COUNT; p++) {
                const struct verdict *v = &j->v[p];

                if (p == PARTY_BACKWARD || v->error != -EBADMSG || forward->error != -EBADMSG ||
                    (p == PARTY_GET && is_found(j, forward)))
                        continue;
                if (v->number != forward->number) {
                        snprintf(kind, sizeof(kind), "number: %s", party_names[p]);
                        differ(j, kind, "forward: %s; %s: %s", forward->text, party_names[p],
                               v->text);
                } else if (strcmp(v->file, forward->file) != 0 || v->offset != forward->offset) {
                        snprintf(kind, sizeof(kind), "place: %s", party_names[p]);
                        differ(j, kind, "forward: %s; %s: %s", forward->text, party_names[p],
                               v->text);
                }
        }
}

static void judge_records(struct judging *j)
{
        const struct verdict *forward = &j->v[PARTY_FORWARD];
        char kind[64];

        for (int p = 0; p < PARTY_COUNT; p++) {
                const struct verdict *v = &j->v[p];

                if (!v->counted || v->error != forward->error ||
                    (v->error != 0 &&
                     (p == PARTY_BACKWARD || (p == PARTY_GET && is_found(j, forward)))))
                        continue;
                if (v->records == forward->records && v->sum == forward->sum)
                        continue;
                snprintf(kind, sizeof(kind), "records: %s", party_names[p]);
                differ(j, kind, "forward %" PRIu64 ", %s %" PRIu64 "; forward: %s; %s: %s",
                       forward->records, party_names[p], v->records, said(forward), party_names[p],
                       said(v));
        }
        if (j->v[PARTY_WRITER].error == 0 && forward->error == 0 &&
            j->v[PARTY_WRITER].last != forward->last)
                differ(j, "writer goes on elsewhere",
                       "forward ends with %" PRIu64 ", a writer goes on behind %" PRIu64,
                       forward->last, j->v[PARTY_WRITER].last);
}

static void ask_all(struct judging *j)
{
        for (int p = 0; p < PARTY_COUNT; p++)
                party_ask((enum party)p, j->path, &j->v[p]);
}

/* Behind a writer that has appended one, or a repair, all are content with as many records. */
static void judge_after(struct judging *j, const char *what, uint64_t records)
{
        const struct verdict *forward = &j->v[PARTY_FORWARD];
        char kind[64];

        for (int p = 0; p < PARTY_COUNT; p++) {
                party_ask((enum party)p, j->path, &j->v[p]);
                if (j->v[p].error == 0 || j->v[p].error == -EOVERFLOW)
                        continue;
                snprintf(kind, sizeof(kind), "after %s: %s %d", what, party_names[p],
                         j->v[p].error);
                differ(j, kind, "%s", j->v[p].text);
        }
        if (j->agreed)
                judge_records(j);
        /* A reader serves part of a batch, up to the damaged frame; repair does not keep the part.
         * If a batch's last record has become another kind, two batches join. */
        if (forward->error == 0 && forward->records + 2 * BATCH_MAX <= records) {
                snprintf(kind, sizeof(kind), "after %s: records", what);
                differ(j, kind, "%" PRIu64 " instead of %" PRIu64, forward->records, records);
        }
}

static bool is_segment_size(uint64_t bytes)
{
        return bytes % 65536 == 0 && bytes >= 65536 && bytes <= UINT64_C(1) << 32;
}

/* With a valid header: a control file is made anew from them. */
static bool has_segments(const struct tree *tree)
{
        for (size_t i = 0; i < tree->count; i++)
                if (strstr(tree->files[i].name, ".log") && tree->files[i].bytes >= 512 &&
                    memcmp(tree->files[i].data, "LOGSEGMT\1\0\0\0", 12) == 0 &&
                    XXH3_64bits(tree->files[i].data, 504) == tree_get(tree->files[i].data + 504) &&
                    is_segment_size(tree_get(tree->files[i].data + 56)))
                        return true;
        return false;
}

bool judge(const struct tree *tree, const char *path,
           void (*tell)(void *context, const char *kind, const char *text), void *context)
{
        struct judging j = { tree, path, { { 0 } }, tell, context, true };
        uint64_t records;
        bool sound, damaged;
        char text[320];
        int r;

        tree_store(tree, path);
        ask_all(&j);
        judge_errors(&j);
        judge_places(&j);
        judge_records(&j);
        records = j.v[PARTY_FORWARD].records;
        sound = j.v[PARTY_FORWARD].error == 0;
        damaged = j.v[PARTY_FORWARD].error == -EBADMSG;
        if (!j.agreed)
                return false;
        if (sound) {
                judge_after(&j, "writer", records + 1);
        }
        if (sound || damaged) {
                tree_store(tree, path);
                r = party_repair(path, text, sizeof(text));
                /* What is not understood is never cut; nor is there a number to go on with. */
                if (r == -EPROTONOSUPPORT || r == -EOVERFLOW)
                        return j.agreed;
                if (r < 0 && has_segments(tree))
                        differ(&j, "repair fails", "%s", text);
                else if (r < 0)
                        return j.agreed;
                else
                        judge_after(&j, "repair", records);
        }
        return j.agreed;
}
