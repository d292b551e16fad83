/* driver.c - what tests/flip/run starts: builds a small store, flips one random bit at a time in a random file of it, and asks
 * questions after each.
 *
 *   driver build DIR                 makes the store in DIR/data and its key in DIR/key
 *   driver flip DIR FLIPS SEED       flips bits; prints how each ended, as counts
 *   driver damage DIR SEED           flips one bit, for good, where a reader must see it, and prints where
 *
 * An answer must be the one that the sound store gives, or an error that names a file of the store. When a question fails,
 * fsck must find a fault too. The flip at hand stands in DIR/flip, so that it is known after a crash or a hang: a flip has
 * SECONDS_MAX seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/sample.h"
#include "kql/kql.h"
#include "kql/source_store.h"

enum {
    MEMORY_BYTES = 512 << 20,
    PATH_BYTES_MAX = 4096,
    FILES_MAX = 256,
    SECONDS_MAX = 60,
    ROWS = 2500,            /* of a table of all types */
    LONG_ROWS = 131500,     /* more than two blocks, so that lanes share them */
    RANDOM_ROWS_MAX = 1000, /* of a commit to the journal */
};

/* ---- the store ------------------------------------------------------------------------------------------------- */

/* Of the table that has more rows. */
static const uint8_t long_columns[] = {SAMPLE_TIME, SAMPLE_NUMBER, SAMPLE_HOST, SAMPLE_LINE};

enum { TABLES = 5 };
static const struct table_kind {
    const char *name;
    bool sealed; /* encrypted */
    int level;   /* of compression */
    bool no_extents, is_long;
} tables[TABLES] = {
    {.name = "Plain", .level = 1},      {.name = "Quick", .level = -1},
    {.name = "Sealed", .sealed = true}, {.name = "Fresh", .sealed = true, .no_extents = true},
    {.name = "Long", .is_long = true},
};

static const struct extent_key key = {.bytes = "a key of thirty-two bytes, no mo", .present = true};

static void build_table(struct store *store, const struct table_kind *kind)
{
    struct sample_writer b;
    uint8_t all[SAMPLE_FIELD_COUNT];
    for (uint32_t i = 0; i < SAMPLE_FIELD_COUNT; i++) all[i] = (uint8_t)i;
    if (kind->is_long)
        sample_open(&b, store, kind->name, long_columns, RF_COUNT(long_columns));
    else
        sample_open(&b, store, kind->name, all, RF_COUNT(all));
    if (!kind->no_extents) {
        sample_append(&b, kind->is_long ? LONG_ROWS : ROWS);
        sample_commit(&b);
        sample_merge(&b);
    }
    for (uint32_t rows = 1; rows < RANDOM_ROWS_MAX; rows = rows * 3 + 2) {
        sample_append(&b, rows);
        sample_commit(&b);
    }
    table_writer_close(b.w);
}

static struct store *open_store(const char *folder, bool with_key, bool writer, int level,
                                struct rf_budget *budget, struct rf_err *err)
{
    struct store *store = NULL;
    struct store_options options = {.fs = rf_fs_real(),
                                    .folder = folder,
                                    .key = with_key ? &key : NULL,
                                    .budget = budget,
                                    .writer = writer,
                                    .compression_level = level};
    return store_open(&options, &store, err) == RF_OK ? store : NULL;
}

static void build(const char *dir)
{
    char path[PATH_BYTES_MAX];
    struct rf_budget budget;
    struct rf_err err;
    rf_budget_init(&budget, MEMORY_BYTES);
    (void)snprintf(path, sizeof path, "%s/key", dir);
    if (rf_fs_replace(rf_fs_real(), path, rf_str_make(key.bytes, sizeof key.bytes), &err) != RF_OK)
        sample_die("key", &err);
    (void)snprintf(path, sizeof path, "%s/data", dir);
    for (size_t i = 0; i < TABLES; i++) {
        struct store *store =
            open_store(path, tables[i].sealed, true, tables[i].level, &budget, &err);
        if (store == NULL) sample_die("store", &err);
        build_table(store, &tables[i]);
        store_close(store);
    }
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

/* What stands behind the table's name. The first looks at every cell, the others at what leaves out extents, blocks and granules. */
static const char *const questions[] = {
    "",
    " | where Line has \"needle\" | project Number, Line",
    " | where Host == \"host-3.contoso.com\" and Number between (100 .. 2400)",
    " | where TimeGenerated > datetime(2022-09-28T22:40:00Z) | summarize count(), sum(Number)",
    " | count",
};
enum { QUESTIONS = RF_COUNT(questions) };

/* Rows in any order: the sum of their hashes. */
struct answer {
    struct kql_sink sink;
    uint64_t rows, hash;
};

static enum rf_kind answer_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

static uint64_t hash_of(const struct value *v, uint64_t seed)
{
    if (v->null) return rf_hash_mix(seed, 1);
    switch (v->type) {
    case TYPE_BOOL:
        return rf_hash(&v->b, sizeof v->b, seed);
    case TYPE_DECIMAL:
        return rf_hash(&v->d, sizeof v->d, seed);
    case TYPE_GUID:
        return rf_hash(&v->g, sizeof v->g, seed);
    case TYPE_STRING:
    case TYPE_DYNAMIC:
        return rf_hash(v->s.ptr, v->s.len, seed);
    default:
        return rf_hash(&v->i, sizeof v->i, seed);
    }
}

static enum rf_kind answer_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    struct answer *answer = (struct answer *)sink;
    (void)err;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        uint64_t hash = batch->column_count;
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value v = vec_value(&batch->columns[c], row);
            hash = rf_hash_mix(hash, hash_of(&v, c));
        }
        answer->hash += hash;
    }
    answer->rows += batch->row_count;
    return RF_OK;
}

static enum rf_kind answer_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static enum rf_kind ask(struct store *store, const struct table_kind *table, size_t question,
                        uint32_t lanes, struct answer *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    char text[256];
    (void)snprintf(text, sizeof text, "%s%s", table->name, questions[question]);
    struct source *source = source_store_new(store, rf_str_of(table->name), &arena);
    RF_ASSERT(source != NULL);
    struct catalog catalog = {.sources = &source, .source_count = 1};
    struct kql_request request = {.text = rf_str_of(text),
                                  .catalog = &catalog,
                                  .memory_bytes = MEMORY_BYTES,
                                  .lane_count = lanes};
    *out = (struct answer){.sink = {.begin = answer_begin, .push = answer_push, .end = answer_end}};
    enum rf_kind kind = kql_run(&request, &out->sink, NULL, err);
    source_store_close(source);
    return kind;
}

/* ---- flips -------------------------------------------------------------------------------------------------------- */

struct flip {
    char path[PATH_BYTES_MAX];
    size_t table;
    uint64_t number, at, bytes;
    unsigned bit;
};

struct outcome {
    uint64_t harmless;  /* every answer right, fsck content */
    uint64_t fsck_only; /* every answer right, fsck reports */
    uint64_t reported;  /* at least one answer was an error */
    uint64_t questions_failed, bad;
};

struct run {
    const char *dir;
    char data[PATH_BYTES_MAX];
    struct rf_arena arena;
    uint64_t random;
    struct {
        rf_str path;
        size_t table;
        uint64_t bytes;
    } files[FILES_MAX];
    size_t file_count;
    uint64_t bytes; /* of all files */
    struct answer right[TABLES][QUESTIONS];
    struct flip flip;
    struct outcome outcome;
};

static uint64_t next_random(struct run *run)
{
    run->random += UINT64_C(0x9e3779b97f4a7c15);
    return rf_hash_u64(run->random);
}

static void list_files(struct run *run)
{
    struct rf_err err;
    for (size_t t = 0; t < TABLES; t++) {
        rf_str folder = sample_text(&run->arena, "%s/%s", run->data, tables[t].name), *names;
        const char *path = rf_arena_cstr(&run->arena, folder);
        size_t count;
        if (rf_fs_list(rf_fs_real(), path, &run->arena, &names, &count, &err) != RF_OK)
            sample_die("list", &err);
        for (size_t i = 0; i < count; i++) {
            struct rf_fs_stat stat;
            rf_str name = sample_text(&run->arena, "%s/%.*s", path, RF_FMT(names[i]));
            const char *file = rf_arena_cstr(&run->arena, name);
            if (rf_fs_stat(rf_fs_real(), file, &stat, &err) != RF_OK) sample_die("stat", &err);
            if (stat.bytes == 0) continue; /* the writer's lock */
            RF_ASSERT(run->file_count < FILES_MAX);
            run->files[run->file_count].path = rf_str_of(file);
            run->files[run->file_count].bytes = stat.bytes;
            run->files[run->file_count++].table = t;
            run->bytes += stat.bytes;
        }
    }
}

/* Turns the bit of run->flip. */
static void turn(const struct run *run)
{
    const struct flip *flip = &run->flip;
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    struct rf_err err;
    uint8_t byte;
    if (rf_fs_open(rf_fs_real(), flip->path, RF_OPEN_READ | RF_OPEN_WRITE, &file, &err) != RF_OK ||
        rf_file_pread_all(file, &byte, 1, flip->at, &err) != RF_OK)
        sample_die("flip", &err);
    byte ^= (uint8_t)(1u << flip->bit);
    if (rf_file_pwrite(file, &byte, 1, flip->at, &err) != RF_OK) sample_die("flip", &err);
}

/* What stands in DIR/flip. */
static void note(const struct run *run)
{
    const struct flip *f = &run->flip;
    char text[PATH_BYTES_MAX + 128], path[PATH_BYTES_MAX];
    int len = snprintf(text, sizeof text,
                       "flip %" PRIu64 ": %s: bit %u of byte %" PRIu64 " of %" PRIu64 "\n",
                       f->number, f->path, f->bit, f->at, f->bytes);
    (void)snprintf(path, sizeof path, "%s/flip", run->dir);
    FILE *file = fopen(path, "w");
    RF_ASSERT(file != NULL);
    (void)fwrite(text, 1, (size_t)len, file);
    RF_ASSERT(fclose(file) == 0);
}

/* Every second time each byte of the store is as likely as any other, else each file: manifests are small. */
static void draw(struct run *run, uint64_t number)
{
    struct flip *f = &run->flip;
    size_t i = (size_t)(next_random(run) % run->file_count);
    uint64_t at = next_random(run) % run->files[i].bytes;
    if (number % 2 == 0)
        for (i = 0, at = next_random(run) % run->bytes; at >= run->files[i].bytes; i++)
            at -= run->files[i].bytes;
    *f = (struct flip){.table = run->files[i].table,
                       .number = number,
                       .at = at,
                       .bytes = run->files[i].bytes,
                       .bit = (unsigned)(next_random(run) % 8)};
    (void)snprintf(f->path, sizeof f->path, "%.*s", RF_FMT(run->files[i].path));
}

static void bad(struct run *run, const char *question, const char *what, const char *text)
{
    const struct flip *f = &run->flip;
    fprintf(stderr, "flip %" PRIu64 ": %s: bit %u of byte %" PRIu64 " of %" PRIu64 ": %s: %s%s%s\n",
            f->number, f->path, f->bit, f->at, f->bytes, question, what,
            text[0] == '\0' ? "" : ": ", text);
    run->outcome.bad++;
}

/* An error must say where to look: the text names a file of the store. */
static void check_error(struct run *run, const char *question, enum rf_kind kind,
                        const struct rf_err *err)
{
    bool fitting = kind == RF_CORRUPT || kind == RF_INVALID || kind == RF_DENIED ||
                   kind == RF_NOT_FOUND || kind == RF_IO;
    if (!fitting) bad(run, question, "an error that does not fit", err->text);
    if (strstr(err->text, run->data) == NULL) bad(run, question, "no file is named", err->text);
}

/* True when it answered. */
static bool check_question(struct run *run, struct store *store, size_t question)
{
    struct answer answer;
    struct rf_err err;
    const struct answer *right = &run->right[run->flip.table][question];
    enum rf_kind kind = ask(store, &tables[run->flip.table], question,
                            1 + (uint32_t)(run->flip.number % 2), &answer, &err);
    if (kind != RF_OK) {
        check_error(run, questions[question], kind, &err);
        return false;
    }
    if (answer.rows != right->rows || answer.hash != right->hash)
        bad(run, questions[question], "another answer", "");
    return true;
}

static void check_flip(struct run *run)
{
    struct rf_budget budget;
    struct rf_err err;
    rf_budget_init(&budget, MEMORY_BYTES);
    struct store *store = open_store(run->data, true, false, 0, &budget, &err);
    if (store == NULL) sample_die("store", &err);
    uint64_t failed = 0;
    for (size_t q = 0; q < QUESTIONS; q++) failed += !check_question(run, store, q);
    enum rf_kind kind =
        table_fsck(store, rf_str_of(tables[run->flip.table].name), NULL, NULL, &err);
    if (kind != RF_OK) check_error(run, "fsck", kind, &err);
    if (kind == RF_OK && failed > 0) bad(run, "fsck", "it finds nothing, but questions fail", "");
    store_close(store);
    if (atomic_load(&budget.used_bytes) != 0) bad(run, "close", "memory is kept", "");
    run->outcome.questions_failed += failed;
    if (failed > 0)
        run->outcome.reported++;
    else if (kind != RF_OK)
        run->outcome.fsck_only++;
    else
        run->outcome.harmless++;
}

static void learn_answers(struct run *run)
{
    struct rf_budget budget;
    struct rf_err err;
    rf_budget_init(&budget, MEMORY_BYTES);
    struct store *store = open_store(run->data, true, false, 0, &budget, &err);
    if (store == NULL) sample_die("store", &err);
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t q = 0; q < QUESTIONS; q++) {
            if (ask(store, &tables[t], q, 1, &run->right[t][q], &err) != RF_OK)
                sample_die(questions[q], &err);
            RF_ASSERT(run->right[t][q].rows > 0);
        }
        if (table_fsck(store, rf_str_of(tables[t].name), NULL, NULL, &err) != RF_OK)
            sample_die("fsck", &err);
    }
    store_close(store);
}

static void run_init(struct run *run, const char *dir, const char *seed)
{
    *run = (struct run){.dir = dir, .random = strtoull(seed, NULL, 10)};
    (void)snprintf(run->data, sizeof run->data, "%s/data", dir);
    rf_arena_init(&run->arena, 16 << 20);
    list_files(run);
}

static int flip_bits(const char *dir, uint64_t flips, const char *seed)
{
    static struct run run;
    run_init(&run, dir, seed);
    learn_answers(&run);
    for (uint64_t i = 1; i <= flips; i++) {
        alarm(SECONDS_MAX);
        draw(&run, i);
        note(&run);
        turn(&run);
        check_flip(&run);
        turn(&run);
    }
    alarm(0);
    rf_arena_done(&run.arena);
    const struct outcome *o = &run.outcome;
    printf("%" PRIu64 " flips in %zu files of %d tables: %" PRIu64 " met by a question, %" PRIu64
           " by fsck alone, %" PRIu64 " harmless; %" PRIu64 " of %" PRIu64
           " questions failed; %" PRIu64 " faults\n",
           flips, run.file_count, (int)TABLES, o->reported, o->fsck_only, o->harmless,
           o->questions_failed, flips * QUESTIONS, o->bad);
    return o->bad == 0 ? 0 : 1;
}

/* Draws until the question for all cells fails, leaves that bit turned and names the table. */
static int damage(const char *dir, const char *seed)
{
    static struct run run;
    run_init(&run, dir, seed);
    for (uint64_t i = 1;; i++) {
        struct rf_budget budget;
        struct answer answer;
        struct rf_err err;
        rf_budget_init(&budget, MEMORY_BYTES);
        draw(&run, i);
        turn(&run);
        struct store *store = open_store(run.data, true, false, 0, &budget, &err);
        if (store == NULL) sample_die("store", &err);
        bool answered = ask(store, &tables[run.flip.table], 0, 1, &answer, &err) == RF_OK;
        store_close(store);
        if (!answered) break;
        turn(&run);
    }
    printf("%s\n", tables[run.flip.table].name);
    rf_arena_done(&run.arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "build") == 0) {
        build(argv[2]);
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "flip") == 0)
        return flip_bits(argv[2], strtoull(argv[3], NULL, 10), argv[4]);
    if (argc == 4 && strcmp(argv[1], "damage") == 0) return damage(argv[2], argv[3]);
    fprintf(stderr,
            "usage: driver build DIR | driver flip DIR FLIPS SEED | driver damage DIR SEED\n");
    return 2;
}
