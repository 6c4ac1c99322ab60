/* The environment that a child gets: a list of NAME=value that is wiped when it is freed, because
 * passwords travel in it. Never changes this process's own environment. */
#include "io/process.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

static void wipe_entry(char *entry) {
    if (entry)
        explicit_bzero(entry, strlen(entry));
    free(entry);
}

static size_t find(const pgo_env *env, const char *name, size_t length) {
    size_t i = 0;
    while (i < env->count &&
           !(strncmp(env->list[i], name, length) == 0 && env->list[i][length] == '='))
        i++;
    return i;
}

/* Takes `entry`, also when it fails. */
static int add(pgo_env *env, char *entry) {
    char **list = entry ? realloc(env->list, (env->count + 2) * sizeof *list) : NULL;
    if (!list) {
        wipe_entry(entry);
        return PGO_E_NOMEM;
    }
    env->list = list;
    list[env->count++] = entry;
    list[env->count] = NULL;
    return 0;
}

static bool is_dropped(const char *entry, const char *const *drop) {
    for (; drop && *drop; drop++) {
        size_t length = strlen(*drop);
        if (strncmp(entry, *drop, length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

int pgo_env_inherit(pgo_env *env, const char *const *drop) {
    for (char **entry = environ; entry && *entry; entry++) {
        if (is_dropped(*entry, drop))
            continue;
        int failed = add(env, strdup(*entry));
        if (failed)
            return failed;
    }
    return 0;
}

int pgo_env_set(pgo_env *env, const char *name, const char *value, size_t length) {
    size_t name_length = strlen(name);
    if (name_length == 0 || strchr(name, '=') || memchr(value, 0, length))
        return PGO_E_INVALID;
    char *entry = malloc(name_length + length + 2);
    if (!entry)
        return PGO_E_NOMEM;
    memcpy(entry, name, name_length);
    entry[name_length] = '=';
    memcpy(entry + name_length + 1, value, length);
    entry[name_length + 1 + length] = 0;
    pgo_env_remove(env, name);
    return add(env, entry);
}

void pgo_env_remove(pgo_env *env, const char *name) {
    size_t at = find(env, name, strlen(name));
    if (at == env->count)
        return;
    wipe_entry(env->list[at]);
    memmove(env->list + at, env->list + at + 1, (env->count - at) * sizeof *env->list);
    env->count--;
}

const char *pgo_env_get(const pgo_env *env, const char *name) {
    size_t length = strlen(name), at = find(env, name, length);
    return at < env->count ? env->list[at] + length + 1 : NULL;
}

void pgo_env_wipe(pgo_env *env) {
    for (size_t i = 0; i < env->count; i++)
        wipe_entry(env->list[i]);
    free(env->list);
    *env = (pgo_env){0};
}
