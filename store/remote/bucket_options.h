/*
 * bucket_options.h - how a bucket is reached
 *
 * What is NULL or 0 is taken from the environment, then from the shared configuration files, then
 * from the service itself, as the tools of S3 do. Secrets never come from a command line and never
 * go into a message.
 */
#ifndef LOGSTORE_BUCKET_OPTIONS_H
#define LOGSTORE_BUCKET_OPTIONS_H

#include <stdint.h>

struct bucket_options {
        const char *endpoint; /* URL of the server; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL */
        const char *region;   /* AWS_REGION, AWS_DEFAULT_REGION; "us-east-1" */
        const char *profile;  /* AWS_PROFILE; "default" */
        const char *ca_file;  /* AWS_CA_BUNDLE; the system's */
        uint32_t path_style;  /* 0: as the endpoint needs; 1: bucket in the path; 2: in the host */
        uint32_t connections; /* parts of one object on their way at once; 0: 4 */
        uint32_t patience_ms; /* for tests; 0: BUCKET_PATIENCE_MS */
        uint64_t part_bytes;  /* of large objects, 5 MiB at least; 0: 16 MiB */
};

#endif
