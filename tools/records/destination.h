/*
 * destination.h - a new store, which has its name only once it is whole
 */
#ifndef TOOL_DESTINATION_H
#define TOOL_DESTINATION_H

struct destination {
        const char *name; /* as the user wrote it */
        char *path;       /* of the whole store */
        char *partial;    /* where it is written */
};

/* There must be nothing at @name but an empty directory. A status, its line printed. */
int destination_open(struct destination *destination, const char *name);
void destination_close(struct destination *destination);

/* The store at @partial is whole, closed and durable: give it its name, durably. A status. */
int destination_keep(struct destination *destination);

/* It is not: remove it. */
void destination_discard(struct destination *destination);

#endif
