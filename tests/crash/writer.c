/* writer.c - what tests/crash/run kills: writes numbered rows into a table of a store, in commits small and large,
 * merging now and then, and says what was acknowledged.
 *
 *   writer write DIR SEED   goes on behind the rows that are there; a line "N" for each commit: rows 0..N-1 are stored
 *   writer check DIR N      every row of 0..k-1 must be there exactly once, with k at least N; prints k */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/table.h"

enum { MEMORY_BYTES = 192 << 20, SMALL_ROWS_MAX = 3000, LARGE_ROWS = TABLE_BULK_ROWS + 5000 };

static const struct extent_column columns[] = {
    {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME},
    {{(const uint8_t *)"Number", 6}, TYPE_LONG},
    {{(const uint8_t *)"Text", 4}, TYPE_STRING},
};

static void die(const struct rf_err *err)
{
    fprintf(stderr, "writer: %s: %s\n", err->code, err->text);
    exit(1);
}

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return rf_hash_u64(*state);
}

/* Where row `number` lies in time: mostly forward, so that extents overlap a little. */
static int64_t time_of(int64_t number)
{
    int64_t jitter = (int64_t)(rf_hash_u64((uint64_t)number) % 100000);
    return INT64_C(638000000000000000) + number * 1000 + jitter;
}

static int text_of(int64_t number, char out[64])
{
    return snprintf(out, 64, "row %" PRId64 " from host-%d", number, (int)(number % 17));
}

static void append(struct table_writer *w, int64_t from, uint32_t count)
{
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    for (uint32_t at = 0; at < count; at += BATCH_ROWS) {
        uint32_t rows = RF_MIN(count - at, (uint32_t)BATCH_ROWS);
        struct vec v[3];
        rf_arena_reset(&arena);
        if (!vec_flat(&arena, TYPE_DATETIME, rows, &v[0]) ||
            !vec_flat(&arena, TYPE_LONG, rows, &v[1]) ||
            !vec_flat(&arena, TYPE_STRING, rows, &v[2]))
            exit(1);
        for (uint32_t i = 0; i < rows; i++) {
            char text[64];
            int64_t number = from + at + i;
            struct value time = value_i64(TYPE_DATETIME, time_of(number)), n = value_long(number),
                         s = value_str((rf_str){NULL, 0});
            if (!rf_arena_str(&arena, rf_str_make(text, (size_t)text_of(number, text)), &s.s))
                exit(1);
            vec_set(&v[0], i, &time);
            vec_set(&v[1], i, &n);
            vec_set(&v[2], i, &s);
        }
        struct batch batch = {.row_count = rows, .column_count = 3, .columns = v, .arena = &arena};
        if (table_append(w, &batch, &err) != RF_OK) die(&err);
    }
    rf_arena_done(&arena);
}

static int64_t position_of(struct table_writer *w)
{
    struct rf_arena arena;
    struct rf_err err;
    rf_str text;
    int64_t number = 0;
    rf_arena_init(&arena, 1 << 16);
    if (table_position(w, &arena, &text, &err) != RF_OK) die(&err);
    for (size_t i = 0; i < text.len; i++) number = number * 10 + (text.ptr[i] - '0');
    rf_arena_done(&arena);
    return number;
}

static void write_rows(struct store *store, uint64_t random)
{
    struct table_writer *w;
    struct rf_err err;
    if (table_writer_open(store, RF_S("T"), columns, 3, &w, &err) != RF_OK) die(&err);
    int64_t at = position_of(w);
    for (;;) {
        uint64_t r = next_random(&random);
        uint32_t count = r % 23 == 0 ? LARGE_ROWS : 1 + (uint32_t)(r >> 8) % SMALL_ROWS_MAX;
        char position[32];
        append(w, at, count);
        at += count;
        int len = snprintf(position, sizeof position, "%" PRId64, at);
        if (table_commit(w, rf_str_make(position, (size_t)len), &err) != RF_OK) die(&err);
        position[len++] = '\n';
        if (write(STDOUT_FILENO, position, (size_t)len) != len)
            exit(1); /* at once: it is a promise */
        if (r % 7 == 0 && table_merge(w, &err) != RF_OK) die(&err);
    }
}

static void check_batch(const struct batch *b, uint8_t *seen, uint64_t row_count)
{
    for (uint32_t i = 0; i < b->row_count; i++) {
        char text[64];
        int64_t number = vec_i64(&b->columns[1], i);
        bool fine =
            number >= 0 && (uint64_t)number < row_count && !seen[number] &&
            vec_i64(&b->columns[0], i) == time_of(number) &&
            rf_str_eq(vec_str(&b->columns[2], i), rf_str_make(text, (size_t)text_of(number, text)));
        if (!fine) {
            fprintf(stderr, "writer: row %" PRId64 " of %" PRIu64 " is wrong or comes twice\n",
                    number, row_count);
            exit(1);
        }
        seen[number] = 1;
    }
}

static void check_rows(struct store *store, uint64_t acknowledged, struct rf_budget *budget)
{
    static const uint32_t all[] = {0, 1, 2};
    struct table *t;
    struct rf_err err;
    enum rf_kind kind = table_open(store, RF_S("T"), &t, &err);
    if (kind == RF_NOT_FOUND && acknowledged == 0) {
        printf("0\n");
        return;
    }
    if (kind != RF_OK) die(&err);
    struct table_stats stats = table_stats(t);
    uint8_t *seen = calloc(stats.row_count + 1, 1);
    if (seen == NULL) exit(1);
    for (uint32_t part = 0; part < table_part_count(t); part++) {
        struct table_cursor *c;
        struct batch b;
        if (table_cursor_new(t, part, all, 3, NULL, 0, budget, &c, &err) != RF_OK) die(&err);
        while ((kind = table_cursor_next(c, &b, &err)) == RF_OK && b.row_count > 0)
            check_batch(&b, seen, stats.row_count);
        if (kind != RF_OK) die(&err);
        table_cursor_free(c);
    }
    for (uint64_t i = 0; i < stats.row_count; i++) {
        if (seen[i]) continue;
        fprintf(stderr, "writer: row %" PRIu64 " is missing\n", i);
        exit(1);
    }
    if (stats.row_count < acknowledged) {
        fprintf(stderr, "writer: %" PRIu64 " rows were acknowledged, %" PRIu64 " are there\n",
                acknowledged, stats.row_count);
        exit(1);
    }
    table_close(t);
    if (table_fsck(store, RF_S("T"), NULL, NULL, &err) != RF_OK) die(&err);
    free(seen);
    printf("%" PRIu64 "\n", stats.row_count);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: writer write DIR SEED | writer check DIR ROWS\n");
        return 2;
    }
    bool writing = strcmp(argv[1], "write") == 0;
    struct rf_budget budget;
    struct rf_err err;
    struct store *store;
    rf_budget_init(&budget, MEMORY_BYTES);
    struct store_options options = {
        .fs = rf_fs_real(), .folder = argv[2], .budget = &budget, .writer = writing};
    if (store_open(&options, &store, &err) != RF_OK) die(&err);
    uint64_t number = strtoull(argv[3], NULL, 10);
    if (writing)
        write_rows(store, number);
    else
        check_rows(store, number, &budget);
    store_close(store);
    return 0;
}
