/*
 * report.h - what the tool says on standard error, and the exit status that goes with it
 */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

enum tool_status {
        STATUS_DONE = 0,
        STATUS_NO = 1,     /* a true "no": damage found, no such record, a record refused */
        STATUS_USAGE = 2,  /* wrong arguments */
        STATUS_STORE = 3,  /* the store cannot be used: missing, locked, other version */
        STATUS_IO = 4,     /* disk full, disk failed, input or output failed, no answer */
        STATUS_FENCED = 5, /* another shipper has taken over */
};

/* Named in front of each line: "logstore VERB". */
void report_verb(const char *name);

/* A line that changes no status. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line and STATUS_NO, or STATUS_USAGE with a hint at the help. */
int report_no(const char *format, ...) __attribute__((format(printf, 1, 2)));
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A failure of the library: its detail if it left one, else the text of @error. */
int report_store(int error, const char *dir);

/* The same where its advice may be followed by an option: session_options, or --budget. */
int report_open(int error, const char *dir);

/* A failure of an input or output file. A closed pipe is not mentioned. */
int report_file(int error, const char *name);

/* Flush standard output, for verbs that print by stdio: a status. Dies quietly of a closed pipe. */
int report_stdout(void);

/* The status that a negative errno of the library means. */
int status_of(int error);

/* Keep the first status that is not done. */
int status_first(int first, int next);

#endif
