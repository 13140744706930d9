/*
 * catalog_private.h - what catalog.c and catalog_load.c share; all under the catalog's lock
 */
#ifndef LOGSTORE_CATALOG_PRIVATE_H
#define LOGSTORE_CATALOG_PRIVATE_H

#include "catalog.h"

size_t catalog_find_id(const struct catalog *catalog, uint64_t id);
int catalog_fill(struct catalog *catalog, struct catalog_entry *entry);
int catalog_pin_at(struct catalog *catalog, size_t at, struct segment **ret);
void catalog_set_end(struct catalog *catalog, size_t at, struct segment *segment);
int catalog_remember(struct catalog *catalog, struct segment *segment);
void catalog_detach(struct catalog *catalog, struct catalog_entry *entry);

#endif
