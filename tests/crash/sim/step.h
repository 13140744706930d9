/*
 * step.h - the steps of a machine, for those who draw them
 *
 * Each tells the oracle what it is about to do, does it, and tells it the result, the latter under
 * the disk's lock, where images are drawn.
 */
#ifndef SIM_STEP_H
#define SIM_STEP_H

#include "machine.h"

static inline bool syncs_each(const struct machine *m)
{
        return m->options.sync_policy == LOGSTORE_SYNC_EACH;
}

/* step_append.c */
void step_append(struct machine *m);
void step_batch(struct machine *m);
void step_claim(struct machine *m);
void step_resolve(struct machine *m);
void step_sync(struct machine *m);
void step_durable(struct machine *m);
void step_sync_start(struct machine *m); /* needs threads */
void claim_bytes(struct machine *m, uint32_t size);
void resolve_all(struct machine *m);

/* step_trim.c */
void step_trim(struct machine *m);
void step_trim_all(struct machine *m);
void step_truncate(struct machine *m);
void step_beside(struct machine *m); /* one of these while another thread appends */

/* step.c */
void step_look(struct machine *m);  /* all that was appended is there */
void step_close(struct machine *m); /* and open */
void step_kill(struct machine *m);  /* and open */

/* restore.c */
void step_copy(struct machine *m);    /* of some file, as it is now */
void step_restore(struct machine *m); /* end, put some of them back, open */

/* rival.c */
void step_rival(struct machine *m); /* the control file goes, and another writer gets in */

/* reader.c */
void step_read(struct machine *m); /* a reading process begins, goes on or ends */

_Noreturn void fail_step(struct machine *m, int r);
/*
 * A step was refused. -ENOSPC from a full disk has changed nothing. -EIO is right if a sync has
 * failed, or an unlink without which the log would be another, and then the store is to be opened
 * again. Anything else is wrong.
 */
void take_failure(struct machine *m, int r);

#endif
