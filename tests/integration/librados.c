/* A stand-in for librados.so.2. $LIBRADOS_FOLDER holds what it is to answer and do: a file for each command's prefix, or
 * none where the monitor says no; `connect` with an error number, `hang` or `crash`. The calls are written to `calls`. */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *path_of(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", getenv("LIBRADOS_FOLDER"), name);
    return path;
}

static void note(const char *format, ...)
{
    FILE *calls = fopen(path_of("calls"), "a");
    va_list arguments;

    va_start(arguments, format);
    vfprintf(calls, format, arguments);
    va_end(arguments);
    fputc('\n', calls);
    fclose(calls);
}

static char *content(const char *name, size_t *length)
{
    FILE *file = fopen(path_of(name), "r");
    char *text;

    if (!file)
        return NULL;
    text = malloc(1 << 20);
    *length = fread(text, 1, (1 << 20) - 1, file);
    text[*length] = 0;
    fclose(file);
    return text;
}

void rados_version(int *major, int *minor, int *extra)
{
    *major = 3;
    *minor = 0;
    *extra = 0;
}

int rados_create2(void **cluster, const char *cluster_name, const char *name, uint64_t flags)
{
    (void)flags;
    note("create2 %s %s", cluster_name, name);
    *cluster = malloc(1);
    return strchr(name, '.') ? 0 : -EINVAL;
}

int rados_conf_read_file(void *cluster, const char *path)
{
    const char *environment = getenv("CEPH_CONF");

    (void)cluster;
    path = path ? path : environment ? environment : "(default)";
    note("conf_read_file %s", path);
    return strcmp(path, "/missing") ? 0 : -ENOENT;
}

int rados_conf_parse_argv(void *cluster, int count, const char **arguments)
{
    (void)cluster;
    for (int i = 1; i < count; i++)
        note("argument %s", arguments[i]);
    return 0;
}

int rados_conf_set(void *cluster, const char *option, const char *value)
{
    (void)cluster;
    note("set %s %s", option, value);
    return 0;
}

int rados_connect(void *cluster)
{
    size_t length;
    char *what = content("connect", &length);
    int error;

    (void)cluster;
    note("connect");
    if (!what)
        return 0;
    if (!strcmp(what, "hang"))
        for (;;)
            pause();
    if (!strcmp(what, "crash"))
        abort();
    error = atoi(what);
    free(what);
    return -error;
}

void rados_shutdown(void *cluster)
{
    note("shutdown");
    free(cluster);
}

#ifndef TOO_OLD
int rados_mon_command(void *cluster, const char **commands, size_t count, const char *input, size_t input_length,
                      char **answer, size_t *answer_length, char **words, size_t *words_length)
{
    const char *names[] = {"status", "osd tree"};
    char prefix[64];

    (void)cluster, (void)count, (void)input, (void)input_length;
    note("mon_command %s", commands[0]);
    for (int i = 0; i < 2; i++) {
        snprintf(prefix, sizeof prefix, "\"prefix\":\"%s\"", names[i]);
        if (strstr(commands[0], prefix) && (*answer = content(names[i], answer_length)))
            return 0;
    }
    *words = strdup("access denied");
    *words_length = strlen(*words);
    return -EACCES;
}
#endif

void rados_buffer_free(char *buffer)
{
    free(buffer);
}
