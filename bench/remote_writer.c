/*
 * remote_writer.c - appends now and then, and says when each record was shipped
 *
 *     remote_writer DIRECTORY PER_SECOND SECONDS
 *
 * Makes a store with one record. Once that is shipped it prints "begun" and waits for a line on
 * standard input. Then it appends as many records a second as it is told to, on average, at random
 * times that do not depend on what is shipped when. Each is synced. Another thread waits for each
 * to be shipped. At the end there is a line for each record: its number, and the times in ns
 * (CLOCK_MONOTONIC) before its append, when it was durable, and when it was shipped. The record
 * itself is its number and the first of these.
 */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "logstore-remote.h"

#define RECORDS_MAX 100000

static struct {
        uint64_t append_ns, durable_ns, shipped_ns;
} times[RECORDS_MAX + 1];
static struct logstore *store;
static unsigned records; /* that come */
static sem_t durable;

static void check(int r, const char *what, const char *detail)
{
        if (r == 0)
                return;
        fprintf(stderr, "remote_writer: %s: %d: %s\n", what, r, detail);
        exit(1);
}

static uint64_t now_ns(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void append(uint64_t which)
{
        uint64_t number;
        char text[64];

        times[which].append_ns = now_ns();
        snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, which, times[which].append_ns);
        check(logstore_append(store, text, strlen(text), &number), "append", logstore_detail());
        check(number != which, "not this number", text);
        check(logstore_sync(store, number), "sync", logstore_detail());
        times[which].durable_ns = now_ns();
}

static void wait_for(uint64_t which)
{
        check(logstore_ship_wait(store, which, -1), "wait", logstore_remote_detail());
        times[which].shipped_ns = now_ns();
}

static void *wait_for_all(void *unused)
{
        for (unsigned i = 0; i < records; i++) {
                while (sem_wait(&durable) != 0)
                        ;
                wait_for(i + 2);
        }
        return unused;
}

static void append_all(double per_second)
{
        double due_ns = (double)now_ns();

        for (unsigned i = 0; i < records; i++) {
                struct timespec time;

                due_ns -= log(1 - drand48()) / per_second * 1e9;
                time.tv_sec = (time_t)(due_ns / 1e9);
                time.tv_nsec = (long)(due_ns - (double)time.tv_sec * 1e9);
                while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
                        ;
                append(i + 2);
                sem_post(&durable);
        }
}

int main(int argc, char **argv)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        double per_second = argc == 4 ? atof(argv[2]) : 0;
        double wanted = per_second * (argc == 4 ? atof(argv[3]) : 0);
        pthread_t waiter;

        if (!(wanted >= 1) || wanted > RECORDS_MAX - 1) {
                fprintf(stderr, "usage: remote_writer DIRECTORY PER_SECOND SECONDS\n");
                return 2;
        }
        records = (unsigned)wanted;
        srand48((long)now_ns());
        options.flags = LOGSTORE_CREATE;
        check(logstore_open(argv[1], &options, &store), argv[1], logstore_detail());
        append(1);
        wait_for(1);
        puts("begun");
        fflush(stdout);
        if (getchar() == EOF)
                return 1;
        sem_init(&durable, 0, 0);
        check(pthread_create(&waiter, NULL, wait_for_all, NULL), "thread", "");
        append_all(per_second);
        pthread_join(waiter, NULL);
        for (unsigned i = 2; i <= records + 1; i++)
                printf("%u %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", i, times[i].append_ns,
                       times[i].durable_ns, times[i].shipped_ns);
        check(logstore_close(store), "close", logstore_detail());
        return 0;
}
