/*
 * s3_credentials.h - the keys of this moment, from the first source that has some
 *
 * Order:   environment (not if the caller names a profile), web identity, credentials file,
 *          configuration file, container, instance.
 * Renewal: five minutes before they expire, by the thread that asks then. Others take the old ones
 *          meanwhile; they wait only if there are none. If renewal fails, the old ones serve until
 *          they expire, and it is tried again each half minute.
 * Threads: any number.
 */
#ifndef LOGSTORE_S3_CREDENTIALS_H
#define LOGSTORE_S3_CREDENTIALS_H

#include "remote/s3_keys.h"

struct s3_credentials;

/* @profile may be NULL. */
int s3_credentials_new(const char *profile, const char *region, const char *ca_file,
                       uint32_t patience_ms, struct s3_credentials **ret);
void s3_credentials_free(struct s3_credentials *credentials); /* NULL is fine */

/* A copy of the keys to sign with at @now_ns since 1970. -EACCES: there are none. -EAGAIN: a
 * service that may have them does not answer. */
int s3_credentials_get(struct s3_credentials *credentials, int64_t now_ns, struct s3_keys *ret);

/* The server says that @keys have expired. Returns whether asking again may bring others. */
bool s3_credentials_expired(struct s3_credentials *credentials, const struct s3_keys *keys);

#endif
