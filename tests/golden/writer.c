/* writer.c - what tests/golden/make starts: a small store in today's formats.
 *
 *   writer DIR            DIR/plain: a table with all encodings, one whose texts are packed by zstd, one with more than a
 *                         block; DIR/sealed: with a key, which is in DIR/key. Each table has an extent and a journal
 *   writer fresh DIR      the same rows, all in journals
 *
 * What is written again is not the same to the byte: journals have a random salt, encrypted files a random id. */
#include "../lib/sample.h"

enum {
    MEMORY_BYTES = 256 << 20,
    PATH_BYTES_MAX = 4096,
    ROWS = 2060, /* more than a page */
    SEALED_ROWS = 150,
    FEW_ROWS = 250,
    LONG_ROWS = 66000, /* more than a block */
};

static const uint8_t text_columns[] = {SAMPLE_TIME, SAMPLE_NUMBER, SAMPLE_REAL, SAMPLE_LINE,
                                       SAMPLE_BAG};
static const uint8_t long_columns[] = {SAMPLE_TIME, SAMPLE_NUMBER, SAMPLE_RUNS};

static const struct golden_table {
    const char *store, *name;
    uint32_t rows;
    int level;              /* of compression */
    const uint8_t *columns; /* NULL: all */
    uint32_t column_count;
} tables[] = {
    {"plain", "Every", ROWS, 0, NULL, 0},
    {"plain", "Packed", FEW_ROWS, 9, text_columns, RF_COUNT(text_columns)},
    {"plain", "Long", LONG_ROWS, 0, long_columns, RF_COUNT(long_columns)},
    {"sealed", "Every", SEALED_ROWS, 0, NULL, 0},
};
static const uint32_t commits[] = {1, 5, 30}; /* rows that stay in the journal */

static const struct extent_key key = {.bytes = "a key of thirty-two bytes, no mo", .present = true};

static void build_table(struct store *store, const struct golden_table *t, bool fresh)
{
    uint8_t all[SAMPLE_FIELD_COUNT];
    struct sample_writer w;
    for (uint32_t i = 0; i < RF_COUNT(all); i++) all[i] = (uint8_t)i;
    if (t->columns != NULL)
        sample_open(&w, store, t->name, t->columns, t->column_count);
    else
        sample_open(&w, store, t->name, all, RF_COUNT(all));
    sample_append(&w, t->rows);
    sample_commit(&w);
    if (!fresh) sample_merge(&w);
    for (size_t i = 0; i < RF_COUNT(commits); i++) {
        sample_append(&w, commits[i]);
        sample_commit(&w);
    }
    table_writer_close(w.w);
}

static void build(const char *dir, const struct golden_table *t, bool fresh)
{
    char path[PATH_BYTES_MAX];
    struct rf_budget budget;
    struct store *store;
    struct rf_err err;
    bool sealed = strcmp(t->store, "sealed") == 0;
    rf_budget_init(&budget, MEMORY_BYTES);
    (void)snprintf(path, sizeof path, "%s/%s", dir, t->store);
    struct store_options options = {.fs = rf_fs_real(),
                                    .folder = path,
                                    .key = sealed ? &key : NULL,
                                    .budget = &budget,
                                    .writer = true,
                                    .compression_level = t->level};
    if (store_open(&options, &store, &err) != RF_OK) sample_die("store", &err);
    build_table(store, t, fresh);
    store_close(store);
}

int main(int argc, char **argv)
{
    char path[PATH_BYTES_MAX];
    struct rf_err err;
    bool fresh = argc == 3 && strcmp(argv[1], "fresh") == 0;
    if (argc != 2 && !fresh) {
        fprintf(stderr, "usage: writer [fresh] DIR\n");
        return 2;
    }
    const char *dir = argv[argc - 1];
    (void)snprintf(path, sizeof path, "%s/key", dir);
    if (rf_fs_replace(rf_fs_real(), path, rf_str_make(key.bytes, sizeof key.bytes), &err) != RF_OK)
        sample_die("key", &err);
    for (size_t i = 0; i < RF_COUNT(tables); i++) build(dir, &tables[i], fresh);
    return 0;
}
