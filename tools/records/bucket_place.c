/*
 * bucket_place.c - how an object store is reached, and why it was not
 */
#include "records/bucket_place.h"

#include <errno.h>

#include "lib/report.h"
#include "records/remote_words.h"

struct logstore_remote_options bucket_place(void)
{
        struct logstore_remote_options options = LOGSTORE_REMOTE_OPTIONS_INIT;

        options.endpoint = remote_words.endpoint;
        options.region = remote_words.region;
        options.profile = remote_words.profile;
        options.ca_file = remote_words.ca_file;
        options.path_style = (uint32_t)remote_words.path_style;
        if (remote_words.connections > 0)
                options.connections = (uint32_t)remote_words.connections;
        return options;
}

int report_remote(int error, const char *url)
{
        const char *text = logstore_remote_detail();

        if (!text[0])
                text = url;
        if (error == -EINVAL)
                return report_usage("%s", text);
        report_note("%s", text);
        switch (error) {
        case -EPIPE:
                return STATUS_FENCED;
        case -EBADMSG:
        case -ENODATA:
                return STATUS_NO;
        case -EAGAIN:
        case -EREMOTEIO:
        case -ENOSPC:
        case -EIO:
                return STATUS_IO;
        default:
                return STATUS_STORE;
        }
}
