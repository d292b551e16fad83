/* rf_fuzz.h - a fuzz target, which is also a test.
 *
 *   RF_FUZZ(term_split, text) { ... text is an rf_str of any bytes ... }
 *
 * `make fuzz T=term_split SECS=60` lets libFuzzer drive it. Compiled with -DRF_FUZZ_REPLAY it is a
 * program of its own that runs every file of the folders (and every file) named on its command
 * line, so that `make test` replays the corpus fuzz/term_split/ with any compiler. */
#ifndef RF_TEST_FUZZ_H
#define RF_TEST_FUZZ_H

#include "base/rf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#ifdef RF_FUZZ_REPLAY

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The bytes in an allocation of just their size, so that a sanitizer sees a read past the end. */
static int rf_fuzz_replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        perror(path);
        return 1;
    }
    size_t len = (size_t)status.st_size;
    uint8_t *bytes = malloc(len + (len == 0));
    if (bytes == NULL || fread(bytes, 1, len, file) != len) {
        perror(path);
        return 1;
    }
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last line before a crash names the file */
    (void)LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
    return 0;
}

static int rf_fuzz_replay(const char *path, size_t *count)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        ++*count;
        return rf_fuzz_replay_file(path);
    }
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.') continue;
        int len = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof name) continue;
        failed |= rf_fuzz_replay_file(name);
        ++*count;
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    int failed = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) failed |= rf_fuzz_replay(argv[i], &count);
    printf("replayed %zu inputs\n", count);
    return failed;
}

#endif

#define RF_FUZZ(name, text)                                                                        \
    static void rf_fuzz_##name(rf_str text);                                                       \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)                                   \
    {                                                                                              \
        rf_fuzz_##name(rf_str_make(bytes, len));                                                   \
        return 0;                                                                                  \
    }                                                                                              \
    static void rf_fuzz_##name(rf_str text)

#endif
