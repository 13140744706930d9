/*
 * verify.c - the verdict on a store, for a caller that names its path
 */
#include <errno.h>

#include "store.h"
#include "verify/verdict.h"

int logstore_verify(const char *path, const struct logstore_verify_hooks *hooks,
                    struct logstore_verify_report *ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct verdict verdict = { 0 };
        struct logstore *store;
        struct fault lost;
        int r;

        options.flags = LOGSTORE_READ_ONLY | LOGSTORE_NETWORK_OK | LOGSTORE_SHARED_DIR_OK;
        r = logstore_open(path, &options, &store);
        if (r == -EBADMSG) { /* there is no control page to read anything by */
                fault_last(r, &lost);
                verdict_hook(hooks, &lost, true);
                verdict.report.faults = 1;
                if (ret)
                        *ret = verdict.report;
        }
        if (r < 0)
                return r;
        guard_enter();
        r = verify_store(store, hooks, &verdict);
        guard_leave();
        if (ret)
                *ret = verdict.report;
        logstore_close(store); /* read-only, and nothing is open in it: cannot fail */
        return r;
}
