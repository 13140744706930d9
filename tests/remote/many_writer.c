/*
 * many_writer.c - writes to many stores: N records a second to each, durable once a second
 *
 *     many_writer PARENT STORES RECORDS SECONDS
 *
 * With SECONDS 0 it makes the stores, with one record in each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "logstore.h"

static void check(int r, const char *what)
{
        if (r == 0)
                return;
        fprintf(stderr, "many_writer: %s: %d: %s\n", what, r, logstore_detail());
        exit(1);
}

static struct logstore *open_store(const char *parent, unsigned which)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        char path[4096];

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = 1 << 20;
        snprintf(path, sizeof(path), "%s/store-%05u", parent, which);
        check(logstore_open(path, &options, &store), path);
        return store;
}

static void append_all(struct logstore **stores, unsigned count)
{
        static const char record[] = "2026-11-30T12:00:00 a line that a service writes, 200";

        for (unsigned i = 0; i < count; i++)
                check(logstore_append(stores[i], record, sizeof(record) - 1, NULL), "append");
}

static void sync_all(struct logstore **stores, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                check(logstore_sync(stores[i], 0), "sync");
}

static double now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
        unsigned count = argc == 5 ? (unsigned)atoi(argv[2]) : 0;
        unsigned each = argc == 5 ? (unsigned)atoi(argv[3]) : 0;
        double end = now() + (argc == 5 ? atoi(argv[4]) : 0);
        struct logstore **stores = calloc(count + 1, sizeof(struct logstore *));
        struct rlimit limit;

        if (argc != 5 || !stores) {
                fprintf(stderr, "usage: many_writer PARENT STORES RECORDS SECONDS\n");
                return 2;
        }
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        for (unsigned i = 0; i < count; i++)
                stores[i] = open_store(argv[1], i);
        append_all(stores, count);
        sync_all(stores, count);
        while (now() < end) {
                double begun = now();

                for (unsigned i = 0; i < each; i++)
                        append_all(stores, count);
                sync_all(stores, count);
                while (now() < begun + 1)
                        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
        }
        for (unsigned i = 0; i < count; i++)
                check(logstore_close(stores[i]), "close");
        free(stores);
        return 0;
}
