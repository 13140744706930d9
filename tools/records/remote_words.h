/*
 * remote_words.h - the options of the verbs for object stores, and what was said
 *
 * They are apart from the verbs: the tool itself lists and completes them, though another program
 * runs those verbs.
 */
#ifndef TOOL_REMOTE_WORDS_H
#define TOOL_REMOTE_WORDS_H

#include <popt.h>

extern struct remote_words {
        int follow, takeover, repair, all;
        char *interval, *compress, *max_lag, *progress, *cache;
        /* How the object store is reached. Keys are no options: they would show. */
        char *endpoint, *region, *profile, *ca_file;
        int connections, path_style;
} remote_words;

extern struct poptOption ship_options[], fetch_options[];

/* Of the verbs that read a DIR or a URL. */
extern struct poptOption url_options[];

/* One of url_options that was given, with its dashes; NULL: none was. */
const char *url_option_given(void);

#endif
