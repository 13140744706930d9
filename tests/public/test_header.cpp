/*
 * test_header.cpp - logstore.h is valid C++17; it need only compile
 */
#include "logstore.h"

int open_for_reading(const char *path, logstore **ret)
{
        logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_READ_ONLY;
        return logstore_open(path, &options, ret);
}
