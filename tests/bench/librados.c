/* What a pass asks, with nothing around it: connects by librados, asks `status` and `osd tree`, leaves.
 *
 * The least that the librados way of petanotify could cost. Build: cc -O2 -o FILE librados.c -l:librados.so.2
 * Use: FILE CONF NAME KEYRING. The declarations are those of librados.h, whose package need not be there. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void *rados_t;

int rados_create2(rados_t *cluster, const char *cluster_name, const char *name, uint64_t flags);
int rados_conf_read_file(rados_t cluster, const char *path);
int rados_conf_set(rados_t cluster, const char *option, const char *value);
int rados_connect(rados_t cluster);
void rados_shutdown(rados_t cluster);
int rados_mon_command(rados_t cluster, const char **commands, size_t count, const char *input, size_t input_length,
                      char **answer, size_t *answer_length, char **words, size_t *words_length);
void rados_buffer_free(char *buffer);

static int ask(rados_t cluster, const char *command)
{
    char *answer = NULL, *words = NULL;
    size_t answer_length = 0, words_length = 0;
    int result = rados_mon_command(cluster, &command, 1, NULL, 0, &answer, &answer_length, &words, &words_length);

    if (result == 0)
        fwrite(answer, 1, answer_length, stdout);
    rados_buffer_free(answer);
    rados_buffer_free(words);
    return result;
}

int main(int argc, char **argv)
{
    rados_t cluster;
    int result;

    if (argc != 4)
        return 2;
    result = rados_create2(&cluster, "ceph", argv[2], 0);
    if (result == 0) {
        result = rados_conf_read_file(cluster, argv[1]);
        if (result == 0)
            result = rados_conf_set(cluster, "keyring", argv[3]);
        if (result == 0)
            result = rados_connect(cluster);
        if (result == 0)
            result = ask(cluster, "{\"prefix\":\"status\",\"format\":\"json\"}");
        if (result == 0)
            result = ask(cluster, "{\"prefix\":\"osd tree\",\"format\":\"json\"}");
        rados_shutdown(cluster);
    }
    if (result != 0)
        fprintf(stderr, "%s\n", strerror(-result));
    return result != 0;
}
