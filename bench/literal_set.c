/* bench/literal_set.c - how fast many literals are looked for at once, by one core.
 *
 *   build/bench_literal_set LITERALS TEXTS
 *
 * Two files: a literal a line, a text a line. Prints a line for each size of text: the best of many passes over the file, as others
 * may use the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/literal_set.h"

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Of this thread. */
static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static rf_str read_file(const char *path, struct rf_arena *arena)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = rf_arena_alloc(arena, 64 << 20);
    if (file == NULL || bytes == NULL) die(path);
    size_t len = fread(bytes, 1, 64 << 20, file);
    (void)fclose(file);
    return rf_str_make(bytes, len);
}

/* Behind the line that begins at `at`. */
static size_t line_end(rf_str text, size_t at)
{
    const uint8_t *end = memchr(text.ptr + at, '\n', text.len - at);
    return end == NULL ? text.len : (size_t)(end - text.ptr) + 1;
}

/* In pieces of `bytes`; 0: by line. */
static void measure(const struct literal_set *set, struct literal_hits *hits, rf_str all,
                    size_t bytes)
{
    uint64_t found = 0, count = 0, seen = 0;
    double best = 0;
    for (double begun = cpu_seconds(), from = begun; from - begun < 2;) {
        for (size_t at = 0; at < all.len; count++) {
            size_t end = bytes == 0 ? line_end(all, at) : RF_MIN(at + bytes, all.len);
            literal_set_find(set, rf_slice(all, at, end), hits);
            found += hits->count;
            literal_hits_reset(hits);
            at = end;
        }
        double now = cpu_seconds();
        best = RF_MAX(best, (double)all.len / (now - from) / 1e9);
        from = now;
        seen += all.len;
    }
    printf("%8s %5zu bytes a text  %6.3f GB/s  %7.3f found a text\n",
           bytes == 0 ? "lines" : "pieces", (size_t)(seen / count), best,
           (double)found / (double)count);
}

int main(int argc, char **argv)
{
    struct rf_arena arena;
    struct literal_builder builder;
    const struct literal_set *set;
    struct literal_hits hits;
    struct rf_err err;
    rf_arena_init(&arena, (size_t)1 << 30);
    literal_builder_init(&builder, &arena);
    if (argc != 3) die("usage: bench_literal_set LITERALS TEXTS");
    rf_str rest = read_file(argv[1], &arena), all = read_file(argv[2], &arena);
    uint32_t count = 0;
    for (size_t at = 0, end; at < rest.len; at = end) {
        end = line_end(rest, at);
        literal_builder_add(&builder, rf_str_trim(rf_slice(rest, at, end)), LITERAL_NOCASE,
                            count++);
    }
    double begun = cpu_seconds();
    if (literal_set_build(&builder, &set, &err) != RF_OK) die(err.text);
    double built = cpu_seconds() - begun;
    if (literal_hits_init(&hits, set, &arena, &err) != RF_OK) die(err.text);
    printf("%u literals, built in %.1f ms\n", literal_set_count(set), built * 1e3);
    measure(set, &hits, all, 0);
    measure(set, &hits, all, 4096);
    measure(set, &hits, all, 65536);
    rf_arena_done(&arena);
    return 0;
}
