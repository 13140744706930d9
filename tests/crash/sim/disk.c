/*
 * disk.c - names of files, and disks as they are after a power cut or a kill
 */
#include "disk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "node.h"

#define DISKS 4096u

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct disk *disks[DISKS];
static uint64_t last_id;

void disk_lock(void)
{
        pthread_mutex_lock(&mutex);
}

void disk_unlock(void)
{
        pthread_mutex_unlock(&mutex);
}

_Noreturn void disk_refuse(const char *what)
{
        fprintf(stderr, "crash-sim: the simulator itself: %s\n", what);
        abort();
}

struct disk *disk_find(uint64_t id)
{
        struct disk *disk = disks[id % DISKS];

        return disk && disk->id == id ? disk : NULL;
}

struct disk *disk_new(uint64_t seed)
{
        struct disk *disk = malloc(sizeof(*disk));
        uint32_t tries = 0;

        if (!disk)
                disk_refuse("no memory for a disk");
        while (disks[++last_id % DISKS])
                if (++tries > DISKS)
                        disk_refuse("too many disks at once");
        /* Lists of names and changes are not cleared: their counts are. */
        disk->id = last_id;
        disk->exists = disk->media_exists = false;
        disk->now.count = disk->media.count = disk->pending_count = 0;
        disk->descriptors = disk->mappings = 0;
        disk->slow = false;
        disk->changes = 0;
        disk->syncs_to_fail = disk->syncs_failed = 0;
        disk->growth_to_refuse = disk->growth_refused = 0;
        disk->unlinks_to_refuse = disk->unlinks_refused = 0;
        disk->rng.state = seed;
        disk->watch = NULL;
        disk->watcher = NULL;
        disks[last_id % DISKS] = disk;
        return disk;
}

/* ---- lists of names ---- */

static int names_find(const struct names *names, const char *text)
{
        for (uint32_t i = 0; i < names->count; i++)
                if (strcmp(names->list[i].text, text) == 0)
                        return (int)i;
        return -1;
}

static void names_remove(struct names *names, int at)
{
        node_put(names->list[at].node);
        names->list[at] = names->list[--names->count];
}

/* Takes over the caller's reference of @node; replaces what had the name. */
static void names_set(struct names *names, const char *text, struct node *node)
{
        int at = names_find(names, text);

        if (at >= 0)
                names_remove(names, at);
        if (names->count == DISK_NAMES)
                disk_refuse("too many names");
        snprintf(names->list[names->count].text, DISK_NAME_BYTES, "%s", text);
        names->list[names->count++].node = node;
}

static void names_apply(struct names *names, const struct change *change)
{
        int at = names_find(names, change->from);

        if (change->kind == CHANGE_CREATE) {
                node_get(change->node);
                names_set(names, change->from, change->node);
        } else if (at < 0) {
                disk_refuse("a change of names out of order");
        } else if (change->kind == CHANGE_UNLINK) {
                names_remove(names, at);
        } else {
                struct node *node = names->list[at].node;
                node_get(node);
                names_remove(names, at);
                names_set(names, change->to, node);
        }
}

static void names_clear(struct names *names)
{
        while (names->count > 0)
                names_remove(names, (int)names->count - 1);
}

/* ---- changes of names ---- */

static void note_change(struct disk *disk, enum change_kind kind, const char *from, const char *to,
                        struct node *node)
{
        struct change *change = &disk->pending[disk->pending_count];

        if (disk->pending_count == DISK_PENDING)
                disk_refuse("too many names changed without a sync of the directory");
        disk->pending_count++;
        change->kind = kind;
        change->node = node;
        if (node)
                node_get(node);
        snprintf(change->from, DISK_NAME_BYTES, "%s", from);
        snprintf(change->to, DISK_NAME_BYTES, "%s", to);
        names_apply(&disk->now, change);
}

struct node *disk_look_up(const struct disk *disk, const char *name)
{
        int at = names_find(&disk->now, name);

        return at < 0 ? NULL : disk->now.list[at].node;
}

struct node *disk_create(struct disk *disk, const char *name, uint32_t mode)
{
        struct node *node = node_new(disk, mode);

        note_change(disk, CHANGE_CREATE, name, "", node);
        node_put(node);
        return node;
}

void disk_link(struct disk *disk, const char *from, const char *to)
{
        note_change(disk, CHANGE_CREATE, to, "", disk_look_up(disk, from));
}

void disk_rename(struct disk *disk, const char *from, const char *to)
{
        note_change(disk, CHANGE_RENAME, from, to, NULL);
}

void disk_unlink(struct disk *disk, const char *name)
{
        note_change(disk, CHANGE_UNLINK, name, "", NULL);
}

static void forget_changes(struct disk *disk)
{
        for (uint32_t i = 0; i < disk->pending_count; i++)
                if (disk->pending[i].node)
                        node_put(disk->pending[i].node);
        disk->pending_count = 0;
}

void disk_sync_names(struct disk *disk)
{
        for (uint32_t i = 0; i < disk->pending_count; i++)
                names_apply(&disk->media, &disk->pending[i]);
        forget_changes(disk);
}

static bool share_a_name(const struct change *a, const struct change *b)
{
        return strcmp(a->from, b->from) == 0 || strcmp(a->from, b->to) == 0 ||
               (a->to[0] && (strcmp(a->to, b->from) == 0 || strcmp(a->to, b->to) == 0));
}

/* Draw which of the pending changes happened; one that did takes the earlier of its names along. */
static void draw_changes(const struct disk *disk, struct rng *rng, bool happened[DISK_PENDING])
{
        uint32_t mood = rng_below(rng, 4), count = disk->pending_count;
        uint32_t only = count ? rng_below(rng, count) : 0;

        for (uint32_t i = 0; i < count; i++)
                happened[i] = mood == 0   ? rng_one_in(rng, 2)
                              : mood == 1 ? i < only
                              : mood == 2 ? i == only
                                          : i != only;
        for (uint32_t i = count; i-- > 0;)
                for (uint32_t k = i + 1; k < count && !happened[i]; k++)
                        happened[i] =
                                happened[k] && share_a_name(&disk->pending[i], &disk->pending[k]);
}

struct disk *disk_after_power_cut(const struct disk *disk, struct rng *rng)
{
        struct disk *cut = disk_new(rng_next(rng));
        enum page_mood mood = (enum page_mood)rng_below(rng, PAGE_MOODS);
        const struct node *made_of[DISK_NAMES];
        bool happened[DISK_PENDING];

        cut->exists = disk->media_exists || (disk->exists && rng_one_in(rng, 2));
        cut->media_exists = cut->exists;
        if (!cut->exists)
                return cut;
        for (uint32_t i = 0; i < disk->media.count; i++) {
                node_get(disk->media.list[i].node);
                names_set(&cut->now, disk->media.list[i].text, disk->media.list[i].node);
        }
        draw_changes(disk, rng, happened);
        for (uint32_t i = 0; i < disk->pending_count; i++)
                if (happened[i])
                        names_apply(&cut->now, &disk->pending[i]);
        /* Until here the names are of the old disk's files. */
        for (uint32_t i = 0; i < cut->now.count; i++) {
                struct node *old = cut->now.list[i].node, *node = NULL;
                for (uint32_t k = 0; k < i && !node; k++) /* a file has two names, or one */
                        if (made_of[k] == old)
                                node = cut->now.list[k].node;
                if (node)
                        node_get(node);
                else
                        node = node_after_power_cut(old, cut, mood, rng);
                made_of[i] = old;
                node_put(old);
                cut->now.list[i].node = node;
                node_get(node);
                names_set(&cut->media, cut->now.list[i].text, node);
        }
        return cut;
}

/* ---- a kill ---- */

static struct node *copy_of(struct node *node, struct disk *disk, struct rng *rng)
{
        if (!node)
                return NULL;
        if (!node->copy)
                node->copy = node_after_kill(node, disk, rng);
        else
                node_get(node->copy);
        return node->copy;
}

static void copy_names(struct names *to, const struct names *from, struct disk *disk,
                       struct rng *rng)
{
        to->count = from->count;
        for (uint32_t i = 0; i < from->count; i++) {
                to->list[i] = from->list[i];
                to->list[i].node = copy_of(from->list[i].node, disk, rng);
        }
}

static void forget_copies(const struct disk *disk)
{
        for (uint32_t i = 0; i < disk->now.count; i++)
                disk->now.list[i].node->copy = NULL;
        for (uint32_t i = 0; i < disk->media.count; i++)
                disk->media.list[i].node->copy = NULL;
        for (uint32_t i = 0; i < disk->pending_count; i++)
                if (disk->pending[i].node)
                        disk->pending[i].node->copy = NULL;
}

struct disk *disk_after_kill(const struct disk *disk, struct rng *rng)
{
        struct disk *copy = disk_new(rng_next(rng));

        copy->exists = disk->exists;
        copy->media_exists = disk->media_exists;
        copy_names(&copy->now, &disk->now, copy, rng);
        copy_names(&copy->media, &disk->media, copy, rng);
        for (uint32_t i = 0; i < disk->pending_count; i++) {
                copy->pending[i] = disk->pending[i];
                copy->pending[i].node = copy_of(disk->pending[i].node, copy, rng);
        }
        copy->pending_count = disk->pending_count;
        forget_copies(disk);
        return copy;
}

bool disk_has_lost_pages(const struct disk *disk)
{
        for (uint32_t i = 0; i < disk->now.count; i++)
                if (disk->now.list[i].node->lost_pages)
                        return true;
        return false;
}

void disk_write_back(struct disk *disk, struct rng *rng)
{
        for (uint32_t i = 0; i < disk->now.count; i++)
                node_write_back(disk->now.list[i].node, rng);
}

void disk_free(struct disk *disk)
{
        if (disk->descriptors || disk->mappings)
                disk_refuse("a disk in use is thrown away");
        names_clear(&disk->now);
        names_clear(&disk->media);
        forget_changes(disk);
        disks[disk->id % DISKS] = NULL;
        free(disk);
}
