/*
 * claim.c - claims that are committed, given up, cancelled and left
 */
#include "world.h"

const struct scenario scenarios_claim[] = {
        { .name = "claim-append", .actors = { ACTOR(claim), ACTOR(append) } },
        { .name = "claim-truncate",
          .actors = { ACTOR(claim), ACTOR(truncate_10), ACTOR(claim_left) } },
        { .name = "claim-roll", .actors = { ACTOR(claim_left), ACTOR(roll), ACTOR(cancel_old) } },
        { .name = "claim-cancel", .actors = { ACTOR(claim), ACTOR(cancel_all), ACTOR(claim) } },
        { .name = "claim-cancel-refused", .actors = { ACTOR(claim_too_much), ACTOR(cancel_all) } },
        { .name = "claim-end",
          .actors = { ACTOR(claim_abandoned), ACTOR(roll_unsynced), ACTOR(cancel_all),
                      ACTOR(append_timed) } },
        { .name = "claim-sync",
          .actors = { ACTOR(claim_left), ACTOR(sync_all), ACTOR(append_timed) } },
        { .name = "claim-cursor", .actors = { ACTOR(claim_left), ACTOR(cursor), ACTOR(tail) } },
        { .name = "claim-trim", .big_records = 60, .actors = { ACTOR(claim_left), ACTOR(trim) } },
        { .name = "claim-snapshot", .actors = { ACTOR(claim_left), ACTOR(snapshot) } },
        { .name = NULL },
};
