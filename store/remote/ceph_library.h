/*
 * ceph_library.h - the functions of librados, which is loaded when a bucket needs it first
 *
 * It is not linked. Linked it costs 20 ms and 12 MiB at each start, also of programs that never
 * come to RADOS, and none of them could be installed without it.
 */
#ifndef LOGSTORE_CEPH_LIBRARY_H
#define LOGSTORE_CEPH_LIBRARY_H

#include <rados/librados.h>

/* Without "rados_". */
#define CEPH_LIBRARY_CALLS(X)             \
        X(aio_create_completion2)         \
        X(aio_get_return_value)           \
        X(aio_read)                       \
        X(aio_release)                    \
        X(aio_remove)                     \
        X(aio_wait_for_complete)          \
        X(aio_write_full)                 \
        X(cluster_fsid)                   \
        X(conf_get)                       \
        X(conf_parse_env)                 \
        X(conf_read_file)                 \
        X(conf_set)                       \
        X(connect)                        \
        X(create2)                        \
        X(create_read_op)                 \
        X(create_write_op)                \
        X(ioctx_create)                   \
        X(ioctx_destroy)                  \
        X(ioctx_set_namespace)            \
        X(omap_get_end)                   \
        X(omap_get_next2)                 \
        X(read_op_exec_user_buf)          \
        X(read_op_omap_get_vals2)         \
        X(read_op_omap_get_vals_by_keys2) \
        X(read_op_operate)                \
        X(release_read_op)                \
        X(release_write_op)               \
        X(set_pool_full_try)              \
        X(shutdown)                       \
        X(write_op_create)                \
        X(write_op_omap_cmp2)             \
        X(write_op_omap_rm_keys2)         \
        X(write_op_omap_set2)             \
        X(write_op_operate2)

#define CEPH_LIBRARY_MEMBER(name) __typeof__(&rados_##name) name;
struct ceph_library {
        CEPH_LIBRARY_CALLS(CEPH_LIBRARY_MEMBER)
};
#undef CEPH_LIBRARY_MEMBER

/* Set once ceph_library_load() has returned 0. */
extern struct ceph_library librados;

/* -EOPNOTSUPP: it is not installed. It stays loaded. */
int ceph_library_load(void);

#endif
