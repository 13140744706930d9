/*
 * cursor_file.c - the last record that was printed, kept in a file between runs
 *
 * The file is one line of fixed width. One pwrite(2) overwrites it in place, and a kill cannot
 * split that. The file is made exclusively and never replaced, so no other file is harmed, whatever
 * lies at its name. A kill right after it was made leaves it empty, which means that nothing was
 * printed. A lock on it keeps a second run away.
 *
 * It is written only after the output was, so no record is ever lost. A kill between the two would
 * print records twice. If the output is a file, its size tells how far the printing got: the next
 * run compares those bytes and leaves them out, or refuses if it cannot. Into a pipe such a kill
 * may print a record twice.
 */
#include "records/cursor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/report.h"
#include "lib/text.h"

#define LINE_BYTES 256

static void line_print(const struct cursor_file *file, char line[LINE_BYTES], int *ret_size)
{
        *ret_size = snprintf(line, LINE_BYTES,
                             "logstore-cursor 1 store %s number %020" PRIu64 " time %020" PRId64
                             " output %016" PRIx64 ":%016" PRIx64 " offset %020" PRIu64 "\n",
                             file->store, file->number, file->time_ns, file->device, file->inode,
                             file->offset);
}

static int line_parse(const char *line, struct cursor_file *ret)
{
        int taken = 0;

        if (sscanf(line,
                   "logstore-cursor 1 store %32s number %20" SCNu64 " time %20" SCNd64
                   " output %16" SCNx64 ":%16" SCNx64 " offset %20" SCNu64 "%n",
                   ret->store, &ret->number, &ret->time_ns, &ret->device, &ret->inode, &ret->offset,
                   &taken) != 6 ||
            line[taken] != '\n')
                return -EINVAL;
        return 0;
}

static void look_at_output(struct cursor_file *file)
{
        struct stat st;

        file->output_is_file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
        file->device = file->output_is_file ? (uint64_t)st.st_dev : 0;
        file->inode = file->output_is_file ? (uint64_t)st.st_ino : 0;
}

/* Where the next byte of output goes; 0 if the output is no file. */
static uint64_t output_offset(const struct cursor_file *file)
{
        int flags = fcntl(STDOUT_FILENO, F_GETFL);
        struct stat st;
        off_t offset;

        if (!file->output_is_file)
                return 0;
        if (flags >= 0 && flags & O_APPEND)
                return fstat(STDOUT_FILENO, &st) < 0 ? 0 : (uint64_t)st.st_size;
        offset = lseek(STDOUT_FILENO, 0, SEEK_CUR);
        return offset < 0 ? 0 : (uint64_t)offset;
}

static int load(struct cursor_file *file, const char *store)
{
        char line[LINE_BYTES];
        ssize_t n = pread(file->fd, line, sizeof(line) - 1, 0);

        if (n < 0)
                return report_file(-errno, file->path);
        if (n == 0)
                return STATUS_DONE; /* made by mktemp(1) or a killed run: nothing was printed yet */
        line[n] = 0;
        if (line_parse(line, file) < 0)
                return report_usage("%s: is no cursor file", file->path);
        if (strcmp(file->store, store) != 0) {
                report_note("%s: belongs to another store", file->path);
                return STATUS_STORE;
        }
        file->found = true;
        return STATUS_DONE;
}

static int report_busy(const struct cursor_file *file)
{
        report_note("%s: another run uses it", file->path);
        return STATUS_IO;
}

static int lock(const struct cursor_file *file)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0)
                return STATUS_DONE;
        if (errno != EAGAIN && errno != EACCES)
                return report_file(-errno, file->path);
        return report_busy(file);
}

static int refuse(const struct cursor_file *file)
{
        report_note("%s: is no regular file", file->path);
        return STATUS_IO;
}

/* Looks before it opens: to open a device may do something to it. */
static int open_existing(struct cursor_file *file)
{
        struct stat st;
        bool is_link;

        if (lstat(file->path, &st) < 0)
                return errno == ENOENT ? STATUS_DONE : report_file(-errno, file->path);
        is_link = S_ISLNK(st.st_mode);
        if (stat(file->path, &st) < 0) {
                if (errno != ENOENT)
                        return report_file(-errno, file->path);
                if (!is_link)
                        return STATUS_DONE; /* gone meanwhile */
                report_note("%s: is a link to a file that is not there", file->path);
                return STATUS_IO;
        }
        if (!S_ISREG(st.st_mode))
                return refuse(file);
        file->fd = open(file->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (file->fd < 0 || fstat(file->fd, &st) < 0)
                return report_file(-errno, file->path);
        if (!S_ISREG(st.st_mode))
                return refuse(file);
        look_at_output(file);
        if (file->output_is_file && file->device == st.st_dev && file->inode == st.st_ino)
                return report_usage("%s: is the output itself", file->path);
        return lock(file);
}

int cursor_file_go_over(struct cursor_file *file, const struct source *source)
{
        uint8_t uuid[16];
        int r = source_uuid(source, uuid);

        if (r == 0)
                *text_hex(file->store, uuid, sizeof(uuid)) = 0;
        return r;
}

int cursor_file_open(struct cursor_file *file, const char *path, const struct source *source)
{
        uint8_t bytes[16];
        char uuid[33];
        int r = source_uuid(source, bytes);

        *file = (struct cursor_file){ .path = path, .fd = -1 };
        if (r < 0)
                return source_report(source, r);
        *text_hex(uuid, bytes, sizeof(bytes)) = 0;
        r = open_existing(file);
        if (r == STATUS_DONE && file->fd >= 0)
                r = load(file, uuid);
        if (r != STATUS_DONE)
                return r;
        memcpy(file->store, uuid, sizeof(uuid));
        return STATUS_DONE;
}

void cursor_file_close(struct cursor_file *file)
{
        if (file->fd >= 0)
                close(file->fd);
        file->fd = -1;
}

int cursor_file_check(const struct cursor_file *file, const struct source *source,
                      const struct logstore_bounds *bounds)
{
        uint64_t number = file->number;
        struct logstore_record record;
        int r;

        if (number > bounds->tail && file->time_ns != CURSOR_FILE_NONE)
                return report_no("%s: record %" PRIu64 " was printed, but the log now ends at "
                                 "%" PRIu64,
                                 source->name, number, bounds->tail);
        if (number + 1 < bounds->first)
                return report_no("%s: records %" PRIu64 " to %" PRIu64 " were trimmed before they "
                                 "were read",
                                 source->name, number + 1, bounds->first - 1);
        if (file->time_ns == CURSOR_FILE_NONE)
                return STATUS_DONE;
        r = source_get(source, number, &record);
        if (r == 0 && record.time_ns != file->time_ns)
                return report_no("%s: record %" PRIu64 " is not the one that was printed: the log "
                                 "was cut back and written again",
                                 source->name, number);
        return r < 0 && r != -ESTALE ? source_report(source, r) : STATUS_DONE;
}

/* A descriptor by which the output can be read; -errno. */
static int readable_output(void)
{
        int flags = fcntl(STDOUT_FILENO, F_GETFL);

        if (flags >= 0 && (flags & O_ACCMODE) == O_RDWR)
                return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
}

/* An output opened anew for reading and writing (1<>FILE) begins at its start, where we would write
 * over what was printed. Go to its end. */
static void go_to_end(const struct cursor_file *file)
{
        struct stat st;
        off_t offset = lseek(STDOUT_FILENO, 0, SEEK_CUR);

        if (offset >= 0 && (uint64_t)offset < file->offset && fstat(STDOUT_FILENO, &st) == 0 &&
            (uint64_t)st.st_size >= file->offset)
                (void)lseek(STDOUT_FILENO, 0, SEEK_END);
}

int cursor_file_skip_printed(const struct cursor_file *file, struct buffer *buffer)
{
        struct cursor_file now = *file;
        uint64_t offset;

        look_at_output(&now);
        if (!file->found || !now.output_is_file || now.device != file->device ||
            now.inode != file->inode)
                return STATUS_DONE;
        go_to_end(file);
        offset = output_offset(&now);
        if (offset <= file->offset)
                return STATUS_DONE;
        buffer->compare_fd = readable_output();
        if (buffer->compare_fd < 0) {
                report_note("standard output: %s: what is in it behind byte %" PRIu64
                            " cannot be compared: open it for reading too (1<>FILE), or cut it "
                            "there",
                            strerror(errno), file->offset);
                return STATUS_IO;
        }
        buffer->compare_offset = file->offset;
        buffer->skip_bytes = offset - file->offset;
        return STATUS_DONE;
}

/* A status. */
static int write_line(struct cursor_file *file, const char *line, int size)
{
        ssize_t n = pwrite(file->fd, line, (size_t)size, 0);

        if (n == size)
                return STATUS_DONE;
        return report_file(n < 0 ? -errno : -ENOSPC, file->path);
}

/* Write the first line, also into an empty file. On failure leave no part of it behind. */
static int write_first(struct cursor_file *file, const char *line, int size)
{
        bool is_new = file->fd < 0;
        int status = STATUS_DONE;

        if (is_new) {
                file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (file->fd < 0)
                        return errno == EEXIST ? report_busy(file)
                                               : report_file(-errno, file->path);
                status = lock(file);
                if (status != STATUS_DONE)
                        return status;
        }
        status = write_line(file, line, size);
        if (status == STATUS_DONE && fsync(file->fd) < 0)
                status = report_file(-errno, file->path);
        if (status == STATUS_DONE)
                file->found = true;
        else if (ftruncate(file->fd, 0) == 0 && is_new)
                unlink(file->path);
        return status;
}

int cursor_file_save(struct cursor_file *file, const struct buffer *buffer, uint64_t number,
                     int64_t time_ns)
{
        const struct cursor_file before = *file;
        char line[LINE_BYTES];
        int size;

        look_at_output(file);
        file->number = number;
        file->time_ns = time_ns;
        file->offset = output_offset(file) - buffer->skip_bytes;
        line_print(file, line, &size);
        if (!file->found)
                return write_first(file, line, size);
        if (number == before.number && file->offset == before.offset &&
            file->device == before.device && file->inode == before.inode)
                return STATUS_DONE;
        return write_line(file, line, size);
}
