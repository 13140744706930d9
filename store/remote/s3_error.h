/*
 * s3_error.h - what an answer that is no success means
 */
#ifndef LOGSTORE_S3_ERROR_H
#define LOGSTORE_S3_ERROR_H

#include "remote/http.h"

/* The outcome, as bucket.h has it, with a line that has the server's own words. @region is the one
 * that was asked. 1: the credentials have expired, and the line says so. */
int s3_error(const struct http_answer *answer, const char *region);

/* Of a body that is an <Error> although the status was a success; 0: it is none. */
int s3_error_inside(const struct http_answer *answer, const char *region);

/* 404 because of the bucket, not of the object. */
bool s3_error_is_bucket(const struct http_answer *answer);

#endif
