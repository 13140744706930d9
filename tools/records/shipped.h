/*
 * shipped.h - what shippers have noted in the store
 */
#ifndef TOOL_SHIPPED_H
#define TOOL_SHIPPED_H

#include "logstore.h"

/* Up to which record the log is in an object store, by the position that each shipper sets; the
 * least, if it is shipped to several. LOGSTORE_UNKNOWN: it is shipped to none. */
uint64_t shipped_number(struct logstore *store);

#endif
