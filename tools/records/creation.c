/*
 * creation.c - what a store is made with: size of its segments, mode and group of its files
 *
 * A store's files belong to the group of its directory, so --group is a matter of that alone. It is
 * made private first and opened to the group last; the setgid bit keeps the group whoever writes.
 */
#include "records/creation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "records/session.h"

#define MODE_OF_GROUP 0640

static int group_parse(const char *text, gid_t *ret)
{
        const struct group *group = getgrnam(text);
        uint64_t number;

        if (!group && (number_parse(text, &number) < 0 || number >= (gid_t)-1))
                return -EINVAL;
        *ret = group ? group->gr_gid : (gid_t)number;
        return 0;
}

/* Who may write may read, and what the group may not others may not. */
static bool is_mode(uint32_t mode)
{
        static const uint32_t modes[] = { 0600, 0640, 0644, 0660, 0664 };

        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                if (mode == modes[i])
                        return true;
        return false;
}

int creation_parse(const struct creation *creation, struct logstore_options *options)
{
        const char *mode = creation->mode_text, *group = creation->group_text;
        gid_t id;

        if (mode && (mode_parse(mode, &options->file_mode) < 0 || !is_mode(options->file_mode)))
                return report_usage("--mode %s: wanted 0600, 0640, 0644, 0660 or 0664", mode);
        if (group && group_parse(group, &id) < 0)
                return report_usage("--group %s: there is no such group", group);
        if (group && !mode)
                options->file_mode = MODE_OF_GROUP;
        return session_segment_size(creation->segment_text, options);
}

/* Is there nothing in it? The descriptor stays open. */
static bool is_empty(int directory)
{
        int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;
        bool empty = stream;

        while (empty && (entry = readdir(stream)))
                empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (stream)
                closedir(stream);
        else if (fd >= 0)
                close(fd);
        return empty;
}

/* A group that may read the files may search the directory; one that may write them may create new
 * ones. A directory that everyone may write, as /tmp, is not ours: it keeps its group and mode. */
static int give(int directory, gid_t group, uint32_t mode)
{
        struct stat st;

        if (fstat(directory, &st) < 0)
                return -errno;
        if (st.st_mode & S_IWOTH)
                return 0;
        mode |= (mode & 0444) >> 2;
        if (fchown(directory, (uid_t)-1, group) < 0 || fchmod(directory, S_ISGID | mode) < 0)
                return -errno;
        return 0;
}

int creation_prepare(const struct creation *creation, const char *dir,
                     const struct logstore_options *options)
{
        gid_t group;
        bool made;
        int fd, r;

        if (!creation->group_text || group_parse(creation->group_text, &group) < 0)
                return STATUS_DONE;
        made = mkdir(dir, 0700) == 0;
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
        if (fd < 0) /* the open says why */
                return STATUS_DONE;
        r = is_empty(fd) ? give(fd, group, options->file_mode) : 0;
        close(fd);
        if (r == 0)
                return STATUS_DONE;
        if (made)
                rmdir(dir);
        report_note("%s: --group %s: %s", dir, creation->group_text, strerror(-r));
        return status_of(r);
}

void creation_note(const struct creation *creation, const char *dir,
                   const struct logstore_options *options, struct logstore *store)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct stat st;
        gid_t group;

        if (logstore_info(store, &info) < 0)
                return;
        if (creation->segment_text && info.segment_bytes != options->segment_bytes)
                report_note("%s: exists with segments of %llu bytes; --segment-size is not used",
                            dir, (unsigned long long)info.segment_bytes);
        if (creation->mode_text && info.file_mode != options->file_mode)
                report_note("%s: exists with files of mode %04o; --mode is not used", dir,
                            info.file_mode);
        if (creation->group_text && group_parse(creation->group_text, &group) == 0 &&
            stat(dir, &st) == 0 && st.st_gid != group)
                report_note("%s: exists with another group; --group is not used", dir);
}
