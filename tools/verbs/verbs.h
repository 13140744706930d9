/*
 * verbs.h - one row a verb: what dispatch, argument counts, help and completion read
 */
#ifndef TOOL_VERBS_H
#define TOOL_VERBS_H

#include <popt.h>
#include <stdbool.h>

enum verb_flags {
        VERB_SESSIONS = 1 << 0,  /* it takes session_options, too */
        VERB_ELSEWHERE = 1 << 1, /* another program has it: elsewhere.c */
        VERB_URLS = 1 << 2, /* DIR may be a URL, with url_options; the other program has those */
};

struct verb {
        const char *name;
        const char *arguments; /* "DIR [FILE...]": also says how many there may be */
        const char *help;
        int (*run)(int count, char **arguments); /* returns an exit status */
        struct poptOption *options;
        unsigned flags; /* enum verb_flags */
};

int verb_append(int count, char **arguments);
int verb_read(int count, char **arguments);
int verb_get(int count, char **arguments);
int verb_info(int count, char **arguments);
int verb_segments(int count, char **arguments);
int verb_verify(int count, char **arguments);
int verb_repair(int count, char **arguments);
int verb_trim(int count, char **arguments);
int verb_copy(int count, char **arguments);
int verb_mem(int count, char **arguments);
int verb_warm(int count, char **arguments);
int verb_evict(int count, char **arguments);
int verb_ship(int count, char **arguments);
int verb_fetch(int count, char **arguments);

/* Become the program that has the verb, or that reads the URL among its words, if it is another
 * one. Returns if that cannot be run, or is not needed. */
void elsewhere_run(const struct verb *verb, char **argv);

/* It could not be run: a line, and a status. */
int elsewhere_failed(void);

extern struct poptOption append_options[];
extern struct poptOption read_options[];
extern struct poptOption get_options[];
extern struct poptOption info_options[];
extern struct poptOption segments_options[];
extern struct poptOption verify_options[];
extern struct poptOption repair_options[];
extern struct poptOption trim_options[];
extern struct poptOption copy_options[];
extern struct poptOption mem_options[];
extern struct poptOption warm_options[];

#endif
