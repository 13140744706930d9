/*
 * append_claim.c - claims that callers hold: they fill a record in place, then commit or abort
 */
#include "append/append_private.h"

#include <errno.h>

int logstore_claim(struct logstore *store, size_t size, struct logstore_claim *ret)
{
        struct open_claim *open = NULL;
        struct claim claim;
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (!ret)
                r = detail(-EINVAL, "ret is NULL");
        else if (size > PAYLOAD_BYTES_MAX || !append_fits(store, record_frame_bytes(size), size))
                r = append_too_large(store, size);
        if (r == 0 && !(open = memory_new(&store->memory, sizeof(*open))))
                r = detail(-ENOMEM, "no memory for a claim");
        if (r == 0)
                r = append_claim(store, record_frame_bytes(size), 1, &claim);
        if (r == 0) {
                uint64_t serial = claims_add(&store->claims, open, &claim, (uint32_t)size);

                *ret = (struct logstore_claim){
                        .number = claim.number,
                        .data = append_frame(&claim, claim.offset)->payload,
                        .size = size,
                        .opaque = { (uintptr_t)open, serial },
                };
        } else {
                memory_free(&store->memory, open);
        }
        store_leave();
        return r;
}

static int resolve(struct logstore *store, struct logstore_claim *claim, int64_t size)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (!claim)
                r = detail(-EINVAL, "claim is NULL");
        else if (size >= 0)
                r = append_check_own(store, claim->number - 1);
        if (r == 0)
                r = claims_resolve(&store->claims,
                                   (const struct open_claim *)(uintptr_t)claim->opaque[0],
                                   claim->opaque[1], claim->number, size, append_now(store));
        if (r == 0 && size >= 0)
                r = append_done(store, claim->number);
        store_leave();
        return r;
}

int logstore_commit(struct logstore *store, struct logstore_claim *claim, size_t size)
{
        if (size > PAYLOAD_BYTES_MAX)
                return detail(-EMSGSIZE, "more bytes than were claimed");
        return resolve(store, claim, (int64_t)size);
}

int logstore_abort(struct logstore *store, struct logstore_claim *claim)
{
        return resolve(store, claim, -1);
}

int logstore_cancel_claims(struct logstore *store, uint32_t age_ms)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        r = claims_cancel(&store->claims, age_ms * INT64_C(1000000));
        store_leave();
        return r;
}
