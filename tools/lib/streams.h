/*
 * streams.h - stdio on descriptors that others made non-blocking
 */
#ifndef TOOL_STREAMS_H
#define TOOL_STREAMS_H

/* To be called first: whatever is printed to standard output and error waits for room. */
void streams_prepare(void);

#endif
