/*
 * s3_profile.c - settings from the environment and from the shared configuration files
 */
#include "remote/s3_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/s3_ini.h"

struct profile {
        char *name;
        struct ini config, credentials;
};

const char *profile_environment(const char *variable)
{
        const char *value = getenv(variable);

        return value && *value ? value : NULL;
}

static int add_home(const char *path, struct text *ret)
{
        const char *home = profile_environment("HOME");

        if (home)
                text_printf(ret, "%s/%s", home, path);
        return text_check(ret);
}

/* @variable names a file, else it is @usual in the home directory. */
static int load_file(const char *variable, const char *usual, struct ini *ret)
{
        const char *given = profile_environment(variable);
        struct text path = { 0 };
        int r = 0;

        if (given && strncmp(given, "~/", 2) == 0)
                r = add_home(given + 2, &path);
        else if (given)
                text_add(&path, given);
        else
                r = add_home(usual, &path);
        if (r == 0)
                r = text_check(&path);
        if (r == 0 && path.size)
                r = ini_load(text_string(&path), ret);
        text_free(&path);
        return r == -ENOENT ? 0 : r;
}

static const char *config_of(const struct profile *profile, const char *kind, const char *name,
                             const char *setting)
{
        struct text section = { 0 };
        const char *value = NULL;

        text_printf(&section, "%s %s", kind, name);
        if (text_check(&section) == 0)
                value = ini_value(&profile->config, text_string(&section), setting);
        text_free(&section);
        return value;
}

/* The default profile's section is [default], but some tools write [profile default]. */
const char *profile_config(const struct profile *profile, const char *setting)
{
        const char *value = NULL;

        if (strcmp(profile->name, "default") == 0)
                value = ini_value(&profile->config, "default", setting);
        return value ? value : config_of(profile, "profile", profile->name, setting);
}

const char *profile_credential(const struct profile *profile, const char *setting)
{
        return ini_value(&profile->credentials, profile->name, setting);
}

const char *profile_service(const struct profile *profile, const char *setting)
{
        const char *services = profile_config(profile, "services");

        return services ? config_of(profile, "services", services, setting) : NULL;
}

const char *profile_name(const struct profile *profile)
{
        return profile->name;
}

static bool is_there(const struct profile *profile)
{
        struct text section = { 0 };
        bool there = ini_has(&profile->credentials, profile->name);

        text_printf(&section, "profile %s", profile->name);
        there |= ini_has(&profile->config, text_string(&section));
        text_free(&section);
        return there || strcmp(profile->name, "default") == 0;
}

static int load(struct profile *profile)
{
        int r = load_file("AWS_CONFIG_FILE", ".aws/config", &profile->config);

        if (r == 0)
                r = load_file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials",
                              &profile->credentials);
        if (r == 0 && !is_there(profile))
                r = remote_detail(-EACCES, "no configuration file has the profile \"%.100s\"",
                                  profile->name);
        return r;
}

int profile_load(const char *name, struct profile **ret)
{
        struct profile *profile = calloc(1, sizeof(*profile));
        int r;

        if (!profile)
                return remote_detail(-ENOMEM, "out of memory");
        if (!name)
                name = profile_environment("AWS_PROFILE");
        profile->name = strdup(name ? name : "default");
        r = profile->name ? load(profile) : remote_detail(-ENOMEM, "out of memory");
        if (r < 0) {
                profile_free(profile);
                return r;
        }
        *ret = profile;
        return 0;
}

void profile_free(struct profile *profile)
{
        if (!profile)
                return;
        ini_free(&profile->config);
        ini_free(&profile->credentials);
        free(profile->name);
        free(profile);
}
