/*
 * repair_private.h - what the files of repair share
 */
#ifndef LOGSTORE_REPAIR_PRIVATE_H
#define LOGSTORE_REPAIR_PRIVATE_H

#include "care/copy.h"
#include "store.h"
#include "writer/recovery.h"

struct repair {
        const struct logstore_verify_hooks *hooks;
        struct logstore_repair_report report;
        struct logstore *store; /* opened read-only; locked, if anything may be changed */
        struct control_slot slot;
        struct fault control; /* why there was no control file; .error 0: there was one */
        bool damaged;
        uint64_t begin;           /* the kept log begins with this number, */
        struct recovery keep;     /* and ends here */
        struct unsealed anew;     /* how its last segment is sealed anew, if it was sealed */
        uint64_t last_known;      /* highest number of which there is a trace */
        const char *salvage_path; /* NULL: none is wanted */
        struct copy salvage;      /* opened once there is a record for it */
        uint64_t disk_bytes;      /* taken by the segments */
};

/* Read all, also behind damage. Count it, and copy it to the salvage if one is wanted. */
int repair_read(struct repair *repair);

#endif
