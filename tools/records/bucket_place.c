/*
 * bucket_place.c - the options that say how an object store is reached
 */
#include "records/bucket_place.h"

#include <errno.h>

#include "lib/report.h"

static char *endpoint, *region, *profile, *ca_file;
static int connections, path_style;

struct poptOption bucket_place_options[] = {
        { "endpoint", 0, POPT_ARG_STRING, &endpoint, 0,
          "URL of the server; $AWS_ENDPOINT_URL if not said", "URL" },
        { "region", 0, POPT_ARG_STRING, &region, 0, "$AWS_REGION if not said", "NAME" },
        { "profile", 0, POPT_ARG_STRING, &profile, 0, "in ~/.aws/config; $AWS_PROFILE if not said",
          "NAME" },
        { "ca-file", 0, POPT_ARG_STRING, &ca_file, 0,
          "certificates to trust; the system's if not said", "FILE" },
        { "path-style", 0, POPT_ARG_NONE, &path_style, 0,
          "the bucket is in the URL's path, not in the host's name", NULL },
        { "connections", 0, POPT_ARG_INT, &connections, 0, "at once; 4 if not said", "N" },
        POPT_TABLEEND,
};

struct logstore_remote_options bucket_place(void)
{
        struct logstore_remote_options options = LOGSTORE_REMOTE_OPTIONS_INIT;

        options.endpoint = endpoint;
        options.region = region;
        options.profile = profile;
        options.ca_file = ca_file;
        options.path_style = (uint32_t)path_style;
        options.connections = connections > 0 ? (uint32_t)connections : 0;
        return options;
}

int report_remote(int error, const char *url)
{
        const char *text = logstore_remote_detail();

        report_note("%s", text[0] ? text : url);
        switch (error) {
        case -EPIPE:
                return STATUS_FENCED;
        case -EINVAL:
                return STATUS_USAGE;
        case -EBADMSG:
        case -ENODATA:
                return STATUS_NO;
        case -EAGAIN:
        case -ENOSPC:
        case -EIO:
                return STATUS_IO;
        default:
                return STATUS_STORE;
        }
}
