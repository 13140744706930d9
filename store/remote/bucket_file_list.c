/*
 * bucket_file_list.c - a bucket that is a directory: its objects in order
 *
 * Names come from the directories in no order. So all that qualify are gathered and sorted; if only
 * the first few are wanted, the others are thrown away from time to time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote/bucket_file.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define GATHER_AT_LEAST 1024

/* The names that qualify. */
struct gathered {
        const char *prefix, *after;
        size_t most;
        char **names;
        size_t count, room;
        bool cut; /* names behind the last were thrown away */
};

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_and_cut(struct gathered *all)
{
        if (all->count)
                qsort(all->names, all->count, sizeof(*all->names), compare);
        while (all->count > all->most) {
                free(all->names[--all->count]);
                all->cut = true;
        }
}

static int grow(struct gathered *all)
{
        size_t room = all->room ? 2 * all->room : GATHER_AT_LEAST;
        char **names;

        if (all->count < all->room)
                return 0;
        if (all->most < all->room / 2) {
                sort_and_cut(all);
                return 0;
        }
        names = reallocarray(all->names, room, sizeof(*names));
        if (!names)
                return remote_detail(-ENOMEM, "out of memory");
        all->names = names;
        all->room = room;
        return 0;
}

static int keep(struct gathered *all, const char *name)
{
        int r;

        if (strncmp(name, all->prefix, strlen(all->prefix)) != 0 ||
            (all->after && strcmp(name, all->after) <= 0) || !bucket_name_is_valid(name))
                return 0;
        r = grow(all);
        if (r < 0)
                return r;
        if (asprintf(&all->names[all->count], "%s", name) < 0)
                return remote_detail(-ENOMEM, "out of memory");
        all->count++;
        return 0;
}

static unsigned char kind_of(int directory, const struct dirent *entry)
{
        struct stat st;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type;
        if (fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return DT_UNKNOWN;
        return IFTODT(st.st_mode);
}

static int gather_below(int top, const char *name, struct gathered *all);

/* @above: "", or "NAME/" of the directory that @fd is. Takes @fd. */
static int gather_in(int fd, const char *above, struct gathered *all)
{
        DIR *directory = fdopendir(fd);
        int r = 0;

        if (!directory) {
                close(fd);
                return file_failed(errno, "opendir");
        }
        while (r == 0) {
                char name[BUCKET_NAME_MAX + NAME_MAX + 3]; /* longer ones are no names anyway */
                struct dirent *entry;

                errno = 0;
                entry = readdir(directory);
                if (!entry) {
                        r = errno ? file_failed(errno, "readdir") : 0;
                        break;
                }
                snprintf(name, sizeof(name), "%s%s", above, entry->d_name);
                if (!bucket_name_is_valid(name))
                        continue;
                switch (kind_of(fd, entry)) {
                case DT_REG:
                        r = keep(all, name);
                        break;
                case DT_DIR:
                        r = *above ? 0 : gather_below(fd, name, all);
                        break;
                }
        }
        closedir(directory);
        return r;
}

/* Only if names in there can have the prefix. */
static int gather_below(int top, const char *name, struct gathered *all)
{
        char above[2 * NAME_MAX + 4];
        size_t size = strlen(name) + 1, prefix_size = strlen(all->prefix);
        int fd;

        snprintf(above, sizeof(above), "%s/", name);
        if (strncmp(above, all->prefix, size < prefix_size ? size : prefix_size) != 0)
                return 0;
        fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) /* removed, or replaced by something else */
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                               ? 0
                               : file_failed(errno, "open");
        return gather_in(fd, above, all);
}

static int gather(int top, struct gathered *all)
{
        int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

        if (fd < 0)
                return file_failed(errno, "open");
        r = gather_in(fd, "", all);
        if (r == 0)
                sort_and_cut(all);
        return r;
}

static void drop(struct gathered *all)
{
        for (size_t i = 0; i < all->count; i++)
                free(all->names[i]);
        free(all->names);
}

/* 1: it is gone, or no object any more. */
static int look(int top, const char *name, struct bucket_listed *ret)
{
        struct stat st;

        if (fstatat(top, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT || errno == ENOTDIR ? 1 : file_failed(errno, "stat");
        if (!S_ISREG(st.st_mode))
                return 1;
        *ret = (struct bucket_listed){
                .name = name,
                .size = (uint64_t)st.st_size,
                .changed_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec,
        };
        return 0;
}

/* Tell of @all, and count how many that were. */
static int tell(int top, const struct gathered *all,
                int (*each)(void *context, const struct bucket_listed *listed), void *context,
                size_t *told)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < all->count; i++) {
                struct bucket_listed listed;

                r = look(top, all->names[i], &listed);
                if (r == 1) {
                        r = 0;
                        continue;
                }
                if (r == 0)
                        r = each(context, &listed);
                ++*told;
        }
        return r;
}

/* If some were removed meanwhile, the next ones take their places. */
static int list_top(int top, const char *prefix, const char *after, size_t most,
                    int (*each)(void *context, const struct bucket_listed *listed), void *context)
{
        char last[BUCKET_NAME_MAX + 1];
        size_t told = 0;
        int r = 0;

        for (bool more = true; r == 0 && more && told < most;) {
                struct gathered all = { .prefix = prefix, .after = after, .most = most - told };

                r = gather(top, &all);
                if (r == 0)
                        r = tell(top, &all, each, context, &told);
                more = all.cut && all.count;
                if (more)
                        after = strcpy(last, all.names[all.count - 1]);
                drop(&all);
        }
        return r;
}

int file_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
              int (*each)(void *context, const struct bucket_listed *listed), void *context,
              struct bucket_reply *ret_reply)
{
        int top, r = file_open_top(file_bucket_of(bucket), false, &top);

        if (r < 0)
                return r;
        if (ret_reply) {
                ret_reply->sent_ns = clock_boot_ns();
                ret_reply->server_ns = file_time_ns(top);
        }
        r = list_top(top, prefix, after, most, each, context);
        close(top);
        return r;
}
