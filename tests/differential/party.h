/*
 * party.h - who says what of a store: one verdict each
 */
#ifndef DIFFERENTIAL_PARTY_H
#define DIFFERENTIAL_PARTY_H

#include <stdbool.h>
#include <stdint.h>

enum party {
        PARTY_FORWARD,  /* a cursor from the first record on */
        PARTY_BACKWARD, /* from the tail on */
        PARTY_GET,      /* each number between the bounds */
        PARTY_VERIFY,
        PARTY_REPAIR, /* a dry run */
        PARTY_PYTHON, /* tests/format/reader.py */
        PARTY_WRITER, /* an open for writing: the records that it goes on behind */
        PARTY_COUNT,
};
extern const char *const party_names[];

struct verdict {
        int error;        /* 0: sound; -EBADMSG: damaged; others: refused */
        char file[64];    /* of the first damage, "" if it is not about a file */
        uint64_t offset;  /* in it */
        uint64_t number;  /* from which on records are missing; 0: not told */
        bool counted;     /* records and sum are known */
        uint64_t records; /* that are given before the damage (backward: behind) */
        uint64_t sum;     /* of numbers, times and bytes, in any order */
        uint64_t last;    /* number of the last record or void before the end */
        char text[320];   /* of the first damage */
};

/* What @party says of the store at @path; PARTY_WRITER changes it, the others do not. */
void party_ask(enum party party, const char *path, struct verdict *ret);

/* Repair it with --yes: 0 or an error, the detail in @text. */
int party_repair(const char *path, char *text, unsigned capacity);

/* Start and end tests/differential/reader_party, which PARTY_PYTHON needs. */
void party_start(const char *program);
void party_end(void);

#endif
