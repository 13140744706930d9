/*
 * target_header.c - what is said of a store without reading its records: open, info, verify
 */
#include "fuzz.h"

static int look_at_segment(void *context, const struct logstore_segment_info *info)
{
        uint64_t *count = context;

        if (info->used_bytes > info->file_bytes && info->state != LOGSTORE_SEGMENT_DAMAGED)
                fuzz_wrong("segment %s uses more than it has", info->name);
        return ++*count > 1000;
}

static void look_at_fault(void *context, const struct logstore_fault *fault)
{
        uint64_t *count = context;

        if (!fault->file || !fault->what || fault->error > 0 || (fault->fatal && fault->error == 0))
                fuzz_wrong("a fault without file, text or error");
        ++*count;
}

void fuzz_target(const char *path)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        uint64_t segments = 0, faults = 0;
        struct logstore_verify_hooks hooks = { .fault = look_at_fault, .context = &faults };
        struct logstore_verify_report report = { 0 };
        struct logstore *store;
        int64_t r;

        if (fuzz_open(path, LOGSTORE_READ_ONLY, &store) == 0) {
                fuzz_result(logstore_info(store, &info));
                fuzz_result(logstore_segments(store, look_at_segment, &segments));
                fuzz_result(logstore_bounds(store, &info.bounds));
                if (info.bounds.tail + 1 < info.bounds.first)
                        fuzz_wrong("the tail is before the first");
                if (logstore_close(store) < 0)
                        fuzz_wrong("a reader does not close");
        }
        r = fuzz_result(logstore_verify(path, &hooks, &report));
        if (r == 0 && report.faults > 0)
                fuzz_wrong("verify found faults and says healthy");
}
