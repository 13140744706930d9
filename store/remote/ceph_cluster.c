/*
 * ceph_cluster.c - a connection to a Ceph cluster, for any number of buckets and threads
 */
#include "remote/ceph_cluster.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

#define USER_BYTES 128

struct ceph_cluster {
        uint32_t patience_ms;
        pthread_mutex_t lock; /* of all below */
        rados_t rados;        /* NULL: not configured */
        bool connected;
};

static int outcome_of(int error)
{
        switch (error) {
        case -ENOENT:
        case -EEXIST:
        case -ENOMEM:
        case -EOPNOTSUPP:
        case -EMSGSIZE:
                return error;
        case -EFBIG:
                return -EMSGSIZE;
        case -ENOSPC:
        case -EDQUOT:
                return -ENOSPC;
        case -EACCES:
        case -EPERM:
        case -EROFS:
        case -ESHUTDOWN: /* this client is on the cluster's block list */
                return -EACCES;
        case -EAGAIN:
        case -EBUSY:
        case -EINTR:
        case -ENOTCONN:
        case -ETIMEDOUT:
                return -EAGAIN;
        default:
                return -EIO;
        }
}

int ceph_failed(int error, const char *what)
{
        const char *hint = "";

        if (error == -EOPNOTSUPP)
                hint = " (the pool must be a replicated one, with osd_class_load_list as usual)";
        else if (error == -ESHUTDOWN)
                hint = " (the cluster has blocklisted this client)";
        return remote_detail(outcome_of(error), "%s: %s%s", what, strerrordesc_np(-error), hint);
}

int ceph_cluster_new(uint32_t patience_ms, struct ceph_cluster **ret)
{
        struct ceph_cluster *cluster = calloc(1, sizeof(*cluster));

        if (!cluster)
                return remote_detail(-ENOMEM, "out of memory");
        cluster->patience_ms = patience_ms;
        pthread_mutex_init(&cluster->lock, NULL);
        *ret = cluster;
        return 0;
}

static void disconnect(struct ceph_cluster *cluster)
{
        if (cluster->rados)
                librados.shutdown(cluster->rados);
        cluster->rados = NULL;
        cluster->connected = false;
}

void ceph_cluster_free(struct ceph_cluster *cluster)
{
        if (!cluster)
                return;
        disconnect(cluster);
        pthread_mutex_destroy(&cluster->lock);
        free(cluster);
}

/* ---- configuration ---- */

/* The value of the option at @*at, if that is named @name: "NAME=VALUE" or "NAME VALUE". */
static bool is_option(char *word, const char *name, char **rest, char **ret_value)
{
        size_t size = strlen(name);

        if (strncmp(word, name, size) != 0)
                return false;
        if (word[size] == '=' && name[1] == '-')
                *ret_value = word + size + 1;
        else if (word[size] == '\0')
                *ret_value = strtok_r(NULL, " \t", rest);
        else
                return false;
        return *ret_value != NULL;
}

static int find_user_in(char *arguments, char ret[USER_BYTES])
{
        static const struct {
                const char *name, *before; /* of the value: the user's type */
        } options[] = {
                { "--id", "client." }, { "--user", "client." },
                { "-i", "client." },   { "--name", "" },
                { "-n", "" },
        };
        char *rest, *word, *value;
        int size = 0;

        for (word = strtok_r(arguments, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
                for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
                        if (is_option(word, options[i].name, &rest, &value)) {
                                size = snprintf(ret, USER_BYTES, "%s%s", options[i].before, value);
                                break;
                        }
        return size < USER_BYTES ? 0 : remote_detail(-EINVAL, "CEPH_ARGS: the user is too long");
}

/* librados reads options of the configuration from CEPH_ARGS, but not who we are. */
static int find_user(char ret[USER_BYTES])
{
        const char *arguments = getenv("CEPH_ARGS");
        char *copy;
        int r;

        strcpy(ret, "client.admin");
        if (!arguments)
                return 0;
        copy = strdup(arguments);
        if (!copy)
                return remote_detail(-ENOMEM, "out of memory");
        r = find_user_in(copy, ret);
        free(copy);
        return r;
}

static int set_patience(const struct ceph_cluster *cluster)
{
        static const char *const names[] = { "client_mount_timeout", "rados_mon_op_timeout",
                                             "rados_osd_op_timeout" };
        char seconds[16];
        int r = 0;

        snprintf(seconds, sizeof(seconds), "%u", (cluster->patience_ms + 999) / 1000);
        for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(*names); i++)
                r = librados.conf_set(cluster->rados, names[i], seconds);
        return r < 0 ? ceph_failed(r, "timeouts") : 0;
}

static int configure(struct ceph_cluster *cluster)
{
        char user[USER_BYTES];
        int r = find_user(user);

        if (r < 0 || cluster->rados)
                return r;
        r = ceph_library_load();
        if (r < 0)
                return r;
        r = librados.create2(&cluster->rados, "ceph", user, 0);
        if (r < 0) {
                cluster->rados = NULL;
                return r == -EINVAL ? remote_detail(r, "\"%s\" is no user of Ceph", user)
                                    : ceph_failed(r, "librados");
        }
        r = librados.conf_read_file(cluster->rados, NULL);
        if (r == -ENOENT && !getenv("CEPH_CONF"))
                r = 0; /* CEPH_ARGS may say all that is needed */
        if (r < 0)
                r = remote_detail(-EINVAL, "cannot read the configuration of Ceph: %s",
                                  strerrordesc_np(-r));
        if (r == 0 && librados.conf_parse_env(cluster->rados, NULL) < 0)
                r = remote_detail(-EINVAL, "CEPH_ARGS is not understood");
        if (r == 0)
                r = set_patience(cluster);
        if (r < 0)
                disconnect(cluster);
        return r;
}

/* ---- use ---- */

static int connect_failed(int error)
{
        if (error == -ENOENT)
                return remote_detail(-EACCES, "cannot connect: no monitor is configured, or there "
                                              "is no keyring (see CEPH_CONF and CEPH_ARGS)");
        return ceph_failed(error, "cannot connect");
}

static int be_connected(struct ceph_cluster *cluster)
{
        int r = configure(cluster);

        if (r < 0 || cluster->connected)
                return r;
        r = librados.connect(cluster->rados);
        if (r < 0) {
                r = connect_failed(r);
                disconnect(cluster);
                return r;
        }
        cluster->connected = true;
        return 0;
}

static int ask_fsid(struct ceph_cluster *cluster, char ret[CEPH_FSID_BYTES])
{
        static const char none[] = "00000000-0000-0000-0000-000000000000";
        int r = configure(cluster);

        if (r < 0)
                return r;
        if (librados.conf_get(cluster->rados, "fsid", ret, CEPH_FSID_BYTES) == 0 && *ret &&
            strcmp(ret, none) != 0)
                return 0;
        r = be_connected(cluster);
        if (r < 0)
                return r;
        r = librados.cluster_fsid(cluster->rados, ret, CEPH_FSID_BYTES);
        return r < 0 ? ceph_failed(r, "identity of the cluster") : 0;
}

int ceph_cluster_fsid(struct ceph_cluster *cluster, char ret[CEPH_FSID_BYTES])
{
        int r;

        pthread_mutex_lock(&cluster->lock);
        r = ask_fsid(cluster, ret);
        pthread_mutex_unlock(&cluster->lock);
        return r;
}

static int open_pool(struct ceph_cluster *cluster, const char *pool, rados_ioctx_t *ret)
{
        int r = be_connected(cluster);

        if (r < 0)
                return r;
        r = librados.ioctx_create(cluster->rados, pool, ret);
        if (r < 0)
                return ceph_failed(r, "pool");
        /* Else a write to a full pool would wait until there is room. */
        librados.set_pool_full_try(*ret);
        return 0;
}

int ceph_cluster_open_pool(struct ceph_cluster *cluster, const char *pool, rados_ioctx_t *ret)
{
        int r;

        pthread_mutex_lock(&cluster->lock);
        r = open_pool(cluster, pool, ret);
        pthread_mutex_unlock(&cluster->lock);
        return r;
}
