/*
 * ceph_cluster.h - a connection to a Ceph cluster, for any number of buckets and threads
 *
 * Configuration: as Ceph's own tools: the file that CEPH_CONF names, or /etc/ceph/ceph.conf and
 *          the like; then CEPH_ARGS, whose --id or --name says which user this is.
 * Life:    the connection is made when it is needed first, and again after it could not be made.
 * Fails:   a request without an answer ends with -ETIMEDOUT, which is -EAGAIN to the caller.
 */
#ifndef LOGSTORE_CEPH_CLUSTER_H
#define LOGSTORE_CEPH_CLUSTER_H

#include <stdint.h>

#include "remote/ceph_library.h"

#define CEPH_FSID_BYTES 37 /* its text, with a 0 */

struct ceph_cluster;

int ceph_cluster_new(uint32_t patience_ms, struct ceph_cluster **ret);
void ceph_cluster_free(struct ceph_cluster *cluster); /* NULL is fine */

/* The cluster's own identity: from the configuration if it is there, else from the cluster. */
int ceph_cluster_fsid(struct ceph_cluster *cluster, char ret[CEPH_FSID_BYTES]);

/* -ENOENT: no such pool. */
int ceph_cluster_open_pool(struct ceph_cluster *cluster, const char *pool, rados_ioctx_t *ret);

/* What librados said (-errno) as a bucket's outcome, with its line. */
int ceph_failed(int error, const char *what);

#endif
