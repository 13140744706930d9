/*
 * pattern.c - extended POSIX expressions over bytes
 *
 * regcomp(3) follows nesting by recursion, and writes repetitions out: a short pattern can ask for
 * any amount of memory. So it works on a thread of its own. The thread's stack is enough for every
 * pattern of the accepted length, whatever the process's limit. Under a limit of memory regcomp(3)
 * gives up in order. A search that has to follow \1 to \9 may also ask for any amount, and works
 * under such a limit.
 */
#include "lib/pattern.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/report.h"

#define STACK_BYTES ((size_t)16 << 20)
#define MEMORY_BYTES ((rlim_t)256 << 20)

static bool refers_back; /* one of the patterns may */

struct compilation {
        regex_t *pattern;
        const char *text;
        int flags, result;
};

/* What the limit counts at this moment; 0 if nobody tells. */
static rlim_t data_bytes(void)
{
        FILE *file = fopen("/proc/self/statm", "re");
        unsigned long long pages = 0;

        if (!file)
                return 0;
        if (fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
                pages = 0;
        fclose(file);
        return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Allow MEMORY_BYTES more than @used. false: nothing was changed. */
static bool limit_set(rlim_t used, struct rlimit *ret_before)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_DATA, ret_before) < 0)
                return false;
        limit = *ret_before;
        if (limit.rlim_cur > used + MEMORY_BYTES)
                limit.rlim_cur = used + MEMORY_BYTES;
        return setrlimit(RLIMIT_DATA, &limit) == 0;
}

static void *compile(void *context)
{
        struct compilation *compilation = context;
        struct rlimit before;
        bool limited = limit_set(data_bytes(), &before);

        compilation->result =
                regcomp(compilation->pattern, compilation->text, REG_EXTENDED | compilation->flags);
        if (limited)
                (void)setrlimit(RLIMIT_DATA, &before);
        return NULL;
}

static int compile_apart(struct compilation *compilation)
{
        pthread_attr_t attributes;
        pthread_t thread;
        int r = pthread_attr_init(&attributes);

        if (r == 0) {
                r = pthread_attr_setstacksize(&attributes, STACK_BYTES);
                if (r == 0)
                        r = pthread_create(&thread, &attributes, compile, compilation);
                pthread_attr_destroy(&attributes);
        }
        return r == 0 ? pthread_join(thread, NULL) : r;
}

/* Outside of brackets, but to be wrong about that costs little. */
static bool may_refer_back(const char *text)
{
        for (; *text; text++)
                if (*text == '\\' && text[1] >= '1' && text[1] <= '9')
                        return true;
        return false;
}

int pattern_compile(regex_t *pattern, const char *text, int flags, const char *option)
{
        struct compilation compilation = { .pattern = pattern, .text = text, .flags = flags };
        char why[256];
        int r;

        if (strlen(text) > PATTERN_BYTES)
                return report_usage("%s: a pattern has %d bytes at most", option, PATTERN_BYTES);
        r = compile_apart(&compilation);
        if (r != 0)
                return report_file(-r, option);
        refers_back |= may_refer_back(text);
        if (compilation.result == 0)
                return STATUS_DONE;
        regerror(compilation.result, pattern, why, sizeof(why));
        return report_usage("%s %s: %s", option, text, why);
}

/* regexec(3) calls it no match when it has no memory; re_search() tells one from the other. */
static int search(const regex_t *pattern, const void *data, size_t from, size_t size,
                  regmatch_t *ret)
{
        regex_t copy = *pattern;
        struct re_registers whole = { .num_regs = 1, .start = &ret->rm_so, .end = &ret->rm_eo };

        copy.not_bol = from > 0;
        copy.regs_allocated = REGS_FIXED;
        return re_search(&copy, data, (regoff_t)size, (regoff_t)from, (regoff_t)(size - from),
                         &whole);
}

static int search_limited(const regex_t *pattern, const void *data, size_t from, size_t size,
                          regmatch_t *ret)
{
        static rlim_t used; /* what is mapped later is little */
        struct rlimit before;
        bool limited;
        int r;

        if (!used)
                used = data_bytes();
        limited = used && limit_set(used, &before);
        r = search(pattern, data, from, size, ret);
        if (limited)
                (void)setrlimit(RLIMIT_DATA, &before);
        return r;
}

int pattern_find(const regex_t *pattern, const void *data, size_t from, size_t size,
                 regmatch_t *ret)
{
        int r;

        if (size > INT_MAX)
                return -EFBIG;
        r = (refers_back ? search_limited : search)(pattern, data, from, size, ret);
        return r >= 0 ? 1 : r == -1 ? 0 : -ENOMEM;
}
