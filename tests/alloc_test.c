/* Every allocation of a small workload fails in turn: rows are ingested, merged, asked for and checked. Each time the failure must
 * be told as lack of memory, everything must be given back, what was acknowledged must be there, and a second try
 * must bring the store to the state that it has without a failure.
 *
 * The linker sends our own calls of malloc and its kin here (--wrap in meson.build); those of libraries go on as ever. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "kql/kql.h"
#include "kql/source_store.h"
#include "store/table_ingest.h"

enum { MEMORY_BYTES = 256 << 20, ROWS = 60, LANES = 2 };

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__wrap_strdup(const char *text);

/* Allocations until the one that fails; below 1: none does. Workers of a query allocate as well. */
static atomic_llong countdown;

static bool fails(void) { return atomic_fetch_sub(&countdown, 1) == 1; }

void *__wrap_malloc(size_t bytes) { return fails() ? NULL : __real_malloc(bytes); }
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}
void *__wrap_realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __real_realloc(old, bytes);
}
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

/* Nothing here asks what survives a loss of power, and waiting for the disk would take most of the time. */
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}
int __wrap_fdatasync(int fd) { return __wrap_fsync(fd); }

/* ---- the workload --------------------------------------------------------------------------------------------------- */

static void remove_files(struct rf_arena *arena, const char *folder)
{
    rf_str *names;
    size_t count;
    if (rf_fs_list(rf_fs_real(), folder, arena, &names, &count, NULL) != RF_OK) return;
    for (size_t i = 0; i < count; i++) {
        rf_str path = rf_arena_printf(arena, "%s/%.*s", folder, RF_FMT(names[i]));
        (void)rf_fs_unlink(rf_fs_real(), rf_arena_cstr(arena, path), NULL);
    }
    cr_assert(rf_fs_rmdir(rf_fs_real(), folder, NULL) == RF_OK);
}

static void remove_store(struct rf_arena *arena, const char *folder)
{
    rf_str table = rf_arena_printf(arena, "%s/T", folder);
    remove_files(arena, rf_arena_cstr(arena, table));
    remove_files(arena, folder);
}

/* Two files, the second with a column that the first lacks, and a line that is no row. */
static rf_str make_text(struct rf_arena *arena, bool second)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (int i = 0; i < ROWS; i++) {
        rf_buf_printf(&buf,
                      "{\"TimeGenerated\":\"2025-01-01T00:%02d:00Z\",\"Number\":%d,\"Host\":\"host-"
                      "%d\",\"Line\":"
                      "\"needle in line %d\",\"Bag\":{\"n\":[%d,null]}",
                      i % 60, i, i % 3, i, i);
        rf_buf_str(&buf, second ? RF_S(",\"Late\":1.5}\n") : RF_S("}\n"));
    }
    if (second) rf_buf_str(&buf, RF_S("no row\n"));
    cr_assert(!buf.failed);
    return rf_buf_view(&buf);
}

struct stage {
    const char *folder;
    struct rf_budget budget;
    struct extent_key key;
    const char *files[2];
    struct store *store;
    uint64_t rows; /* acknowledged */
    bool merged;
};

static enum rf_kind ingest(struct stage *s, size_t file, struct rf_err *err)
{
    struct ingest_options options = {.store = s->store,
                                     .table = RF_S("T"),
                                     .input = {.path = s->files[file]},
                                     .name = rf_str_of(s->files[file])};
    struct ingest_result result;
    RF_TRY(table_ingest(&options, &result, err));
    s->rows += result.progress.rows;
    return RF_OK;
}

static enum rf_kind merge(struct stage *s, struct rf_err *err)
{
    static const struct extent_column number = {{(const uint8_t *)"Number", 6}, TYPE_LONG};
    struct table_writer *w;
    RF_TRY(table_writer_open(s->store, RF_S("T"), &number, 1, &w, err));
    enum rf_kind kind = table_merge(w, err);
    table_writer_close(w);
    return kind;
}

static enum rf_kind sink_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

struct sum {
    struct kql_sink sink;
    int64_t value; /* of the last row's first column */
};

static enum rf_kind sink_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct value v = vec_value(&batch->columns[0], batch->row_count - 1);
    (void)err;
    ((struct sum *)sink)->value = v.null ? -1 : v.i;
    return RF_OK;
}

static enum rf_kind sink_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static enum rf_kind ask(struct stage *s, const char *text, int64_t *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    struct source *source = source_store_new(s->store, RF_S("T"), &arena);
    if (source == NULL) return rf_fail_memory(err, &arena);
    struct catalog catalog = {.sources = &source, .source_count = 1};
    struct kql_request request = {
        .text = rf_str_of(text), .catalog = &catalog, .lane_count = LANES};
    struct sum sum = {.sink = {.begin = sink_begin, .push = sink_push, .end = sink_end}};
    enum rf_kind kind = kql_run(&request, &sum.sink, NULL, err);
    source_store_close(source);
    if (kind == RF_OK) *out = sum.value;
    return kind;
}

static enum rf_kind open_store(struct stage *s, struct rf_err *err)
{
    struct store_options options = {.fs = rf_fs_real(),
                                    .folder = s->folder,
                                    .key = s->key.present ? &s->key : NULL,
                                    .budget = &s->budget,
                                    .writer = true};
    return store_open(&options, &s->store, err);
}

static const struct {
    const char *text;
    int64_t answer;
} questions[] = {
    {"T | count", 2 * ROWS},
    {"T | where Line has 'needle' and Host == 'host-1' | count", 2 * ROWS / 3},
    {"T | summarize n = count(), d = dcount(Number) by Host | join kind=inner (T | distinct Host) "
     "on Host"
     " | sort by Host asc | summarize sum(n)",
     2 * ROWS},
    {"T | extend x = parse_json(tostring(Bag)).n[0] | mv-expand Bag.n | where isnotnull(Late) and "
     "Line matches regex "
     "'line [0-9]+$' | summarize make_set(x), dcount(Number) | project array_length(set_x)",
     ROWS},
};

static enum rf_kind work(struct stage *s, struct rf_err *err)
{
    RF_TRY(open_store(s, err));
    RF_TRY(ingest(s, 0, err));
    RF_TRY(merge(s, err));
    RF_TRY(ingest(s, 1, err));
    for (size_t i = 0; i < RF_COUNT(questions); i++) {
        int64_t answer = 0;
        RF_TRY(ask(s, questions[i].text, &answer, err));
        cr_assert(answer == questions[i].answer, "%s: %lld", questions[i].text, (long long)answer);
    }
    RF_TRY(merge(s, err));
    return table_fsck(s->store, RF_S("T"), NULL, NULL, err);
}

/* What was acknowledged is there, and a second try completes it. */
static void check_state(struct stage *s, long long nth)
{
    struct rf_err err;
    int64_t rows = 0;
    cr_assert(open_store(s, &err) == RF_OK, "%lld: %s", nth, err.text);
    if (s->rows > 0) {
        cr_assert(ask(s, "T | count", &rows, &err) == RF_OK, "%lld: %s", nth, err.text);
        /* The one that failed may have been stored and not told. */
        cr_assert(rows == (int64_t)s->rows || rows == (int64_t)s->rows + ROWS,
                  "%lld: %lld rows, not %llu", nth, (long long)rows, (unsigned long long)s->rows);
    }
    store_close(s->store);
    s->store = NULL;
    cr_assert(work(s, &err) == RF_OK, "%lld: %s", nth, err.text);
}

/* False when the workload has fewer than `nth` allocations. */
static bool nth_fails(struct stage *s, long long nth)
{
    struct rf_err err = {0};
    s->key.present = nth % 2 == 0;
    s->rows = 0;
    atomic_store(&countdown, nth);
    enum rf_kind kind = work(s, &err);
    bool met = atomic_exchange(&countdown, 0) <= 0;
    store_close(s->store);
    s->store = NULL;
    /* What can do without the memory may go on. */
    if (kind != RF_OK) {
        cr_assert(met, "%lld: %s", nth, err.text);
        cr_assert(kind == RF_LIMIT, "%lld: %s: %s", nth, err.code, err.text);
    }
    cr_assert(atomic_load(&s->budget.used_bytes) == 0, "%lld: memory is kept", nth);
    check_state(s, nth);
    store_close(s->store);
    s->store = NULL;
    cr_assert(atomic_load(&s->budget.used_bytes) == 0, "%lld: memory is kept", nth);
    return met;
}

Test(alloc, each_may_fail, .timeout = 600)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    char base[] = "/tmp/ringfort-alloc-XXXXXX";
    char store[64], first[64], second[64];
    rf_arena_init(&arena, 1 << 20);
    cr_assert(mkdtemp(base) != NULL);
    (void)snprintf(store, sizeof store, "%s/store", base);
    (void)snprintf(first, sizeof first, "%s/first.jsonl", base);
    (void)snprintf(second, sizeof second, "%s/second.jsonl", base);
    struct stage s = {.folder = store, .files = {first, second}};
    rf_budget_init(&s.budget, MEMORY_BYTES);
    for (size_t i = 0; i < 2; i++)
        cr_assert(rf_fs_replace(rf_fs_real(), s.files[i], make_text(&arena, i == 1), NULL) ==
                  RF_OK);
    long long nth = 1;
    while (nth_fails(&s, nth)) {
        nth++;
        rf_arena_reset(&arena);
        remove_store(&arena, store);
    }
    remove_store(&arena, store);
    remove_files(&arena, base);
    cr_assert(nth > 100, "%lld allocations", nth);
    fprintf(stderr, "%lld allocations, each failed once\n", nth - 1);
}
