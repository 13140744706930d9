/*
 * pattern.c - extended POSIX expressions over bytes
 *
 * regcomp(3) follows nesting by recursion, and writes repetitions out: a short pattern can ask for any
 * amount of memory. So it works on a thread whose stack is enough for every pattern of the length that
 * is taken, whatever the stack's limit, and under a limit of memory, at which it gives up in order.
 */
#include "pattern.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "report.h"

#define STACK_BYTES ((size_t)16 << 20)
#define MEMORY_BYTES ((rlim_t)256 << 20)

struct compilation {
        regex_t *pattern;
        const char *text;
        int flags, result;
};

static void *compile(void *context)
{
        struct compilation *compilation = context;
        struct rlimit before, limit;
        int r = getrlimit(RLIMIT_DATA, &before);

        limit = before;
        if (limit.rlim_cur > MEMORY_BYTES)
                limit.rlim_cur = MEMORY_BYTES;
        if (r == 0)
                (void)setrlimit(RLIMIT_DATA, &limit); /* lowering may fail nowhere */
        compilation->result =
                regcomp(compilation->pattern, compilation->text, REG_EXTENDED | compilation->flags);
        if (r == 0)
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
        if (compilation.result == 0)
                return STATUS_DONE;
        regerror(compilation.result, pattern, why, sizeof(why));
        return report_usage("%s %s: %s", option, text, why);
}

int pattern_find(const regex_t *pattern, const void *data, size_t from, size_t size,
                 regmatch_t *ret)
{
        regmatch_t match = { .rm_so = (regoff_t)from, .rm_eo = (regoff_t)size };
        int r;

        if (size > INT_MAX)
                return -EFBIG;
        r = regexec(pattern, data, 1, &match, REG_STARTEND | (from ? REG_NOTBOL : 0));
        if (r == 0)
                *ret = match;
        return r == 0 ? 1 : r == REG_NOMATCH ? 0 : -ENOMEM;
}
