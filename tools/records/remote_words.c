/*
 * remote_words.c - the options of the verbs for object stores, and what was said
 */
#include "records/remote_words.h"

#include "lib/progress.h"

struct remote_words remote_words;

static struct poptOption place_options[] = {
        { "endpoint", 0, POPT_ARG_STRING, &remote_words.endpoint, 0,
          "URL of the server; $AWS_ENDPOINT_URL if not said", "URL" },
        { "region", 0, POPT_ARG_STRING, &remote_words.region, 0, "$AWS_REGION if not said",
          "NAME" },
        { "profile", 0, POPT_ARG_STRING, &remote_words.profile, 0,
          "in ~/.aws/config; $AWS_PROFILE if not said", "NAME" },
        { "ca-file", 0, POPT_ARG_STRING, &remote_words.ca_file, 0,
          "certificates to trust; the system's if not said", "FILE" },
        { "path-style", 0, POPT_ARG_NONE, &remote_words.path_style, 0,
          "the bucket is in the URL's path, not in the host's name", NULL },
        { "connections", 0, POPT_ARG_INT, &remote_words.connections, 0, "at once; 4 if not said",
          "N" },
        POPT_TABLEEND,
};
#define PLACE_OPTIONS                                                                    \
        {                                                                                \
                NULL, 0, POPT_ARG_INCLUDE_TABLE, place_options, 0, "Object store:", NULL \
        }

struct poptOption ship_options[] = {
        { "follow", 'f', POPT_ARG_NONE, &remote_words.follow, 0, "go on as the log grows", NULL },
        { "all", 0, POPT_ARG_NONE, &remote_words.all, 0,
          "DIR has many stores: each goes to URL/NAME", NULL },
        { "interval", 0, POPT_ARG_STRING, &remote_words.interval, 0,
          "how often to look for something new; 1s if not said", "DURATION" },
        { "compress", 0, POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL, &remote_words.compress, 0,
          "pack sealed segments with zstd, LEVEL 1 to 22; 3 if not said", "LEVEL" },
        { "max-lag", 0, POPT_ARG_STRING, &remote_words.max_lag, 0,
          "keep from being trimmed no more than this that is not shipped, like 10G or 30min; all "
          "if "
          "not said",
          "SIZE|DURATION" },
        { "takeover", 0, POPT_ARG_NONE, &remote_words.takeover, 0,
          "also if another host shipped lately; that one stops", NULL },
        { "repair", 0, POPT_ARG_NONE, &remote_words.repair, 0,
          "check all that is there first, and put again what is damaged or missing", NULL },
        PROGRESS_OPTION(remote_words.progress),
        PLACE_OPTIONS,
        POPT_TABLEEND,
};

struct poptOption fetch_options[] = {
        PROGRESS_OPTION(remote_words.progress),
        PLACE_OPTIONS,
        POPT_TABLEEND,
};

struct poptOption url_options[] = {
        { "interval", 0, POPT_ARG_STRING, &remote_words.interval, 0,
          "how often to look for something new; 1s if not said", "DURATION" },
        { "cache", 0, POPT_ARG_STRING, &remote_words.cache, 0,
          "memory for what was read or will be; 32M if not said", "SIZE" },
        { NULL, 0, POPT_ARG_INCLUDE_TABLE, place_options, 0, NULL, NULL },
        POPT_TABLEEND,
};

const char *url_option_given(void)
{
        return remote_words.interval      ? "--interval"
               : remote_words.cache       ? "--cache"
               : remote_words.endpoint    ? "--endpoint"
               : remote_words.region      ? "--region"
               : remote_words.profile     ? "--profile"
               : remote_words.ca_file     ? "--ca-file"
               : remote_words.path_style  ? "--path-style"
               : remote_words.connections ? "--connections"
                                          : NULL;
}
