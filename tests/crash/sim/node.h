/*
 * node.h - one file of a simulated disk; what disk.c needs beyond disk.h
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "disk.h"

/* How a power cut treats the pages that differ. */
enum page_mood {
        PAGES_LOTTERY, /* each old, new or torn */
        PAGES_OLD,     /* nothing came through that no sync carried */
        PAGES_NEW,     /* everything did */
        PAGES_ONE_NEW, /* all old but about one */
        PAGES_ONE_OLD, /* all new but about one */
        PAGES_TORN,    /* each torn */
        PAGE_MOODS,
};

struct node *node_new(struct disk *disk, uint32_t mode);
struct node *node_after_power_cut(const struct node *node, struct disk *disk, enum page_mood mood,
                                  struct rng *rng);
struct node *node_after_kill(const struct node *node, struct disk *disk, struct rng *rng);
void node_write_back(struct node *node, struct rng *rng);

#endif
