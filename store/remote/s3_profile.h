/*
 * s3_profile.h - settings from the environment and from the shared configuration files
 *
 * Files: AWS_CONFIG_FILE, else ~/.aws/config, where a profile's section is [profile NAME], except
 *        [default]; and AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials, where it is [NAME].
 *        A missing file is empty. Both are read once. Lines that are neither section, setting nor
 *        comment are skipped, as the tools of S3 do.
 * Names: a setting below another, like endpoint_url below "s3 =", is named "s3.endpoint_url".
 */
#ifndef LOGSTORE_S3_PROFILE_H
#define LOGSTORE_S3_PROFILE_H

#include <stdbool.h>

struct profile;

/* @name NULL: AWS_PROFILE, else "default". -EACCES: a file cannot be read, or a profile that was
 * asked for is in none. -EIO: a file is too long. */
int profile_load(const char *name, struct profile **ret);
void profile_free(struct profile *profile); /* NULL is fine */

const char *profile_name(const struct profile *profile);

/* Settings of the profile; NULL: it has none of that name, or an empty one. */
const char *profile_config(const struct profile *profile, const char *setting);
const char *profile_credential(const struct profile *profile, const char *setting);

/* A setting of the section [services NAME] that the profile names, like "s3.endpoint_url". */
const char *profile_service(const struct profile *profile, const char *setting);

/* The environment's; NULL also if it is empty. */
const char *profile_environment(const char *variable);

#endif
