/*
 * each_file.c - one file of a store is lost, emptied, cut, zeroed or replaced by an old copy
 *
 * For every file of five stores and every harm: all parties agree whether the store is damaged, and
 * `repair --yes` ends in a store that all call sound, with every record that could be had. The test
 * counts these from the frames: those before the harm; those behind it, if the oldest segment is
 * gone; all, if the file is no segment.
 */
#include <logstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format.h"
#include "judge.h"
#include "party.h"

#define RECORD_BYTES 20000u /* three in a segment */
#define RECORDS_BEFORE 8u
#define RECORDS_AFTER 7u
#define BATCH 3u

enum kind { CLEAN, CRASHED, TRIMMED, TRUNCATED, BATCHES, KINDS };
static const char *const kinds[] = { "clean", "crashed", "trimmed", "truncated", "batches" };
enum harm { LOST, EMPTIED, CUT, ZEROED, OLDER, HARMS };
static const char *const harms[] = { "lost", "emptied", "cut", "zeroed", "as it was before" };

static unsigned told, judged;

static void must(int r, const char *what)
{
        if (r >= 0)
                return;
        fprintf(stderr, "each_file: %s: %s\n", what, logstore_detail());
        _exit(2);
}

static void append(struct logstore *store, enum kind kind, unsigned count)
{
        static char bytes[RECORD_BYTES];
        struct logstore_entry entries[BATCH];

        memset(bytes, 'x', sizeof(bytes));
        for (unsigned i = 0; i < BATCH; i++)
                entries[i] = (struct logstore_entry){ bytes, RECORD_BYTES / (BATCH + 1), 0 };
        for (unsigned i = 0; i < count; i++)
                must(kind == BATCHES ? logstore_append_batch(store, entries, BATCH, NULL)
                                     : logstore_append(store, bytes, sizeof(bytes), NULL),
                     "append");
}

static void live(const char *path, enum kind kind, bool second)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_RING | LOGSTORE_NO_THREAD;
        options.segment_bytes = 64 << 10;
        must(logstore_open(path, &options, &store), "open");
        append(store, kind, second ? RECORDS_AFTER : RECORDS_BEFORE);
        if (second && kind == TRIMMED)
                must(logstore_trim_before(store, 6, NULL), "trim");
        if (second && kind == TRUNCATED) {
                must(logstore_truncate_after(store, 10, 0), "truncate");
                append(store, kind, RECORDS_AFTER);
        }
        if (second && kind == CRASHED)
                _exit(0);
        must(logstore_close(store), "close");
        _exit(0);
}

static void run_life(const char *path, enum kind kind, bool second)
{
        int status = -1;
        pid_t child = fork();

        if (child == 0)
                live(path, kind, second);
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
                exit(2);
}

/* ---- what could be had ---- */

static bool is_segment(const struct tree_file *file)
{
        size_t length = strlen(file->name);

        return length > 4 && strcmp(file->name + length - 4, ".log") == 0;
}

static uint64_t first_of(const struct tree_file *segment)
{
        struct start_payload start;

        memcpy(&start, segment->data + HEADER_BYTES + FRAME_HEADER_BYTES, sizeof(start));
        return start.first_number;
}

/* The next segment in the order of ids, which is that of names; NULL behind the last. */
static const struct tree_file *segment_behind(const struct tree *tree, const char *name)
{
        const struct tree_file *found = NULL;

        for (size_t i = 0; i < tree->count; i++)
                if (is_segment(&tree->files[i]) && strcmp(tree->files[i].name, name) > 0 &&
                    (!found || strcmp(tree->files[i].name, found->name) < 0))
                        found = &tree->files[i];
        return found;
}

/* Count the records of whole batches before @limit in a segment. A missing frame ends the count. */
static uint64_t records_before(const struct tree_file *segment, size_t limit)
{
        uint64_t records = 0, whole = 0;
        size_t offset = FRAMES_OFFSET;
        uint32_t word;

        while (limit >= FRAMES_OFFSET && offset + sizeof(word) <= segment->bytes) {
                memcpy(&word, segment->data + offset, sizeof(word));
                if (word == 0)
                        break;
                if (word >> FRAME_KIND_SHIFT == FRAME_PAD) {
                        offset += word & FRAME_SIZE_MASK;
                        continue;
                }
                offset += (FRAME_HEADER_BYTES + (word & FRAME_SIZE_MASK) + FRAME_ALIGN - 1) /
                          FRAME_ALIGN * FRAME_ALIGN;
                if (offset > limit)
                        break;
                records++;
                if (word >> FRAME_KIND_SHIFT != FRAME_MORE)
                        whole = records;
        }
        return whole;
}

/* With @harm done to @file, of which then @left bytes are as they were. */
static uint64_t could_be_had(const struct tree *tree, const struct tree_file *file,
                             const struct tree_file *left, size_t left_bytes, uint64_t tail)
{
        const struct tree_file *oldest = segment_behind(tree, ""), *next;
        uint64_t first = first_of(oldest), own, has;

        if (!is_segment(file))
                return tail - first + 1;
        next = segment_behind(tree, file->name);
        own = (next ? first_of(next) : tail + 1) - first_of(file);
        has = records_before(left, left_bytes);
        if (left_bytes < FRAMES_OFFSET && file == oldest)
                return next ? tail - first_of(next) + 1 : 0;
        if (has >= own) /* what was cut off is none of the log */
                return tail - first + 1;
        return first_of(file) - first + has;
}

/* ---- harms ---- */

/* False: there is nothing to do. *ret_left: so many bytes of *ret_as are there. */
static bool harm_file(struct tree *tree, size_t at, enum harm harm, const struct tree *before,
                      const struct tree_file **ret_as, size_t *ret_left)
{
        struct tree_file *file = &tree->files[at];
        struct tree_file *older = tree_find((struct tree *)before, file->name);

        *ret_left = 0;
        switch (harm) {
        case LOST:
                free(file->data);
                memmove(file, file + 1, (tree->count - at - 1) * sizeof(*file));
                tree->count--;
                return true;
        case EMPTIED:
                file->bytes = 0;
                return true;
        case CUT:
                file->bytes = is_segment(file) ? FRAMES_OFFSET + RECORD_BYTES + RECORD_BYTES / 2
                                               : file->bytes / 2;
                *ret_left = file->bytes;
                return true;
        case ZEROED:
                memset(file->data, 0, file->bytes);
                return true;
        default:
                if (!older || (older->bytes == file->bytes &&
                               memcmp(older->data, file->data, file->bytes) == 0))
                        return false;
                free(file->data);
                file->data = malloc(older->bytes + 1);
                memcpy(file->data, older->data, older->bytes);
                file->bytes = *ret_left = older->bytes;
                *ret_as = older;
                return true;
        }
}

static void tell(void *context, const char *kind, const char *text)
{
        printf("# %s: %s: %s\n", (const char *)context, kind, text);
        told++;
}

static void judge_harm(const struct tree *now, const struct tree *before, size_t at, enum harm harm,
                       uint64_t tail, const char *path, char *what)
{
        const struct tree_file *file = &now->files[at], *as = file;
        struct verdict forward, verify;
        struct tree tree;
        uint64_t want;
        size_t left;
        char text[320];

        tree_copy(now, &tree);
        if (!harm_file(&tree, at, harm, before, &as, &left)) {
                tree_free(&tree);
                return;
        }
        judged++;
        want = could_be_had(now, file, as, left, tail);
        judge(&tree, path, tell, what);
        tree_store(&tree, path);
        if (party_repair(path, text, sizeof(text)) < 0)
                tell(what, "repair", text);
        party_ask(PARTY_VERIFY, path, &verify);
        party_ask(PARTY_FORWARD, path, &forward);
        snprintf(text, sizeof(text), "%llu records, of %llu that could be had; verify: %d %.100s",
                 (unsigned long long)forward.records, (unsigned long long)want, verify.error,
                 verify.text);
        if (forward.records != want || forward.error || verify.error)
                tell(what, "repair", text);
        party_ask(PARTY_WRITER, path, &verify);
        if (verify.error)
                tell(what, "a writer after repair", verify.text);
        tree_free(&tree);
}

static void judge_kind(enum kind kind, const char *path)
{
        struct tree before = { 0 }, now = { 0 };
        struct verdict sound;

        tree_remove(path);
        run_life(path, kind, false);
        tree_load(path, &before);
        run_life(path, kind, true);
        tree_load(path, &now);
        party_ask(PARTY_FORWARD, path, &sound);
        if (sound.error)
                tell((void *)kinds[kind], "unharmed", sound.text);
        for (size_t at = 0; at < now.count; at++)
                for (enum harm harm = 0; harm < HARMS; harm++) {
                        char what[100];

                        snprintf(what, sizeof(what), "%s, %s %s", kinds[kind], now.files[at].name,
                                 harms[harm]);
                        judge_harm(&now, &before, at, harm, sound.last, path, what);
                }
        tree_free(&before);
        tree_free(&now);
}

int main(int argc, char **argv)
{
        char path[200];

        if (argc != 2) {
                fprintf(stderr, "usage: each_file READER_PARTY\n");
                return 2;
        }
        snprintf(path, sizeof(path), "%s/store", tree_scratch("each-file"));
        party_start(argv[1]);
        printf("1..%d\n", KINDS);
        for (enum kind kind = 0; kind < KINDS; kind++) {
                unsigned so_far = told;

                judge_kind(kind, path);
                printf("%s %d - %s: every file, every harm\n", told == so_far ? "ok" : "not ok",
                       (int)kind + 1, kinds[kind]);
                fflush(stdout);
        }
        printf("# %u harms\n", judged);
        party_end();
        return told != 0;
}
