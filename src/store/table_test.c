#include "store/table.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs_fault.h"
#include "store/table_ingest.h"
#include "test/rf_prop.h"
#include "value/dyn.h"

enum { T0_DAYS = 739000 }; /* some day of 2024 */

struct stage {
    struct rf_fs_fault *fault;
    struct rf_fs *fs;
    struct rf_budget budget;
    struct rf_clock_fixed clock;
    struct rf_arena arena;
    struct extent_key key;
    struct store *store;
    struct rf_err err;
};

static void stage_store(struct stage *s, bool encrypted)
{
    struct store_options options = {.fs = s->fs,
                                    .folder = "/data",
                                    .budget = &s->budget,
                                    .writer = true,
                                    .clock = &s->clock.clock,
                                    .key = encrypted ? &s->key : NULL};
    cr_assert(store_open(&options, &s->store, &s->err) == RF_OK, "%s", s->err.text);
}

static void stage_init(struct stage *s, uint64_t seed, bool encrypted)
{
    *s = (struct stage){.fault = rf_fs_fault_new(seed), .key = {.present = true}};
    s->fs = rf_fs_fault_fs(s->fault);
    rf_budget_init(&s->budget, 256 << 20);
    rf_arena_init(&s->arena, 256 << 20);
    rf_clock_fixed_init(&s->clock, 0, 0);
    stage_store(s, encrypted);
    cr_assert(rf_fs_sync_dir(s->fs, "/", &s->err) == RF_OK);
}

static void stage_done(struct stage *s)
{
    store_close(s->store);
    cr_assert(atomic_load(&s->budget.used_bytes) == 0, "%zu bytes are kept",
              (size_t)atomic_load(&s->budget.used_bytes));
    rf_arena_done(&s->arena);
    rf_fs_fault_free(s->fault);
}

static const struct extent_column columns[] = {
    {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME},
    {{(const uint8_t *)"Number", 6}, TYPE_LONG},
    {{(const uint8_t *)"Text", 4}, TYPE_STRING},
};
enum { COLUMNS = RF_COUNT(columns) };

/* Rows from..from+count-1: a row's number tells its other values. */
static struct batch some_rows(struct rf_arena *arena, int64_t from, uint32_t count)
{
    struct vec *v = rf_arena_new(arena, struct vec, COLUMNS);
    cr_assert(vec_flat(arena, TYPE_DATETIME, count, &v[0]) &&
              vec_flat(arena, TYPE_LONG, count, &v[1]) &&
              vec_flat(arena, TYPE_STRING, count, &v[2]));
    for (uint32_t i = 0; i < count; i++) {
        struct value time =
            value_i64(TYPE_DATETIME, T0_DAYS * TICKS_PER_DAY + (from + i) * TICKS_PER_HOUR);
        struct value number = value_long(from + i);
        struct value text =
            value_str(rf_arena_printf(arena, "row %lld of many", (long long)(from + i)));
        vec_set(&v[0], i, &time);
        vec_set(&v[1], i, &number);
        vec_set(&v[2], i, &text);
    }
    return (struct batch){
        .row_count = count, .column_count = COLUMNS, .columns = v, .arena = arena};
}

static enum rf_kind append(struct table_writer *w, int64_t from, uint32_t count, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    for (uint32_t at = 0; at < count; at += BATCH_ROWS) {
        rf_arena_reset(&arena);
        struct batch batch = some_rows(&arena, from + at, RF_MIN(count - at, (uint32_t)BATCH_ROWS));
        RF_TRY(table_append(w, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind commit(struct table_writer *w, int64_t next, struct rf_err *err)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%lld", (long long)next);
    return table_commit(w, rf_str_make(text, (size_t)len), err);
}

static enum rf_kind open_writer(struct stage *s, struct table_writer **w)
{
    return table_writer_open(s->store, RF_S("T"), columns, COLUMNS, w, &s->err);
}

/* Reads all rows; each of 0..count-1 must come exactly once, with its values. */
static enum rf_kind read_all(struct stage *s, uint64_t *count)
{
    struct table *t;
    struct rf_arena arena;
    RF_TRY(table_open(s->store, RF_S("T"), &t, &s->err));
    rf_arena_init(&arena, 256 << 20);
    struct table_stats stats = table_stats(t);
    uint8_t *seen = rf_arena_new(&arena, uint8_t, stats.row_count);
    static const uint32_t all[] = {1, 0, 2};
    *count = 0;
    enum rf_kind kind = RF_OK;
    for (uint32_t part = 0; kind == RF_OK && part < table_part_count(t); part++) {
        struct table_cursor *c = NULL;
        uint64_t rows = 0;
        kind = table_cursor_new(t, part, all, COLUMNS, NULL, 0, &s->budget, &c, &s->err);
        while (kind == RF_OK) {
            struct batch b;
            kind = table_cursor_next(c, &b, &s->err);
            if (kind != RF_OK || b.row_count == 0) break;
            for (uint32_t i = 0; i < b.row_count; i++) {
                char text[40];
                int64_t number = vec_i64(&b.columns[0], i);
                int len = snprintf(text, sizeof text, "row %lld of many", (long long)number);
                cr_assert(number >= 0 && (uint64_t)number < stats.row_count && !seen[number],
                          "row %lld", (long long)number);
                cr_assert(vec_i64(&b.columns[1], i) ==
                          T0_DAYS * TICKS_PER_DAY + number * TICKS_PER_HOUR);
                cr_assert(rf_str_eq(vec_str(&b.columns[2], i), rf_str_make(text, (size_t)len)));
                seen[number] = 1;
            }
            rows += b.row_count;
        }
        if (kind == RF_OK) cr_assert(rows == table_part_rows(t, part));
        table_cursor_free(c);
        *count += rows;
    }
    if (kind == RF_OK) cr_assert(*count == stats.row_count);
    table_close(t);
    rf_arena_done(&arena);
    return kind;
}

static uint64_t rows_of(struct stage *s)
{
    uint64_t count;
    cr_assert(read_all(s, &count) == RF_OK, "%s", s->err.text);
    return count;
}

/* What is said to be stored, and what was on its way when a failure came. */
struct progress {
    int64_t acknowledged, attempted;
};

static int64_t position_of(struct stage *s, struct table_writer *w)
{
    rf_str position;
    cr_assert(table_position(w, &s->arena, &position, &s->err) == RF_OK);
    const char *text = rf_arena_cstr(&s->arena, position);
    return text[0] == '\0' ? 0 : strtoll(text, NULL, 10);
}

/* ---- ordinary life --------------------------------------------------------------------------------------------- */

static void ordinary(bool encrypted)
{
    struct stage s;
    struct table_writer *w, *other;
    stage_init(&s, 1, encrypted);
    cr_assert(read_all(&s, &(uint64_t){0}) == RF_NOT_FOUND);
    cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
    cr_assert(table_writer_open(s.store, RF_S("T"), columns, COLUMNS, &other, &s.err) ==
              RF_CONFLICT);
    cr_assert(strcmp(s.err.code, "TableLocked") == 0);
    cr_assert(rows_of(&s) == 0);
    cr_assert(append(w, 0, 100, &s.err) == RF_OK);
    cr_assert(rows_of(&s) == 0, "rows are seen before their commit");
    cr_assert(commit(w, 100, &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(rows_of(&s) == 100);
    cr_assert(append(w, 100, 5000, &s.err) == RF_OK && commit(w, 5100, &s.err) == RF_OK);
    cr_assert(rows_of(&s) == 5100);
    /* Many rows become an extent; what stays uncommitted is gone. */
    cr_assert(append(w, 5100, TABLE_BULK_ROWS + 10, &s.err) == RF_OK &&
              commit(w, 5110 + TABLE_BULK_ROWS, &s.err) == RF_OK);
    cr_assert(append(w, 5110 + TABLE_BULK_ROWS, 10, &s.err) == RF_OK);
    table_writer_close(w);
    uint64_t all = 5110 + TABLE_BULK_ROWS;
    cr_assert(rows_of(&s) == all);
    cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
    cr_assert(position_of(&s, w) == (int64_t)all);
    cr_assert(table_merge(w, &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(rows_of(&s) == all);
    cr_assert(append(w, (int64_t)all, 1, &s.err) == RF_OK && table_merge(w, &s.err) == RF_CONFLICT);
    table_writer_close(w);
    cr_assert(table_fsck(s.store, RF_S("T"), NULL, NULL, &s.err) == RF_OK, "%s", s.err.text);
    struct table *t;
    cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
    struct table_stats stats = table_stats(t);
    cr_assert(stats.extent_count == 1 && stats.journal_rows == 0 && stats.row_count == all);
    cr_assert(stats.time_min == T0_DAYS * TICKS_PER_DAY);
    table_close(t);
    rf_str *names;
    uint32_t count;
    cr_assert(store_tables(s.store, &s.arena, &names, &count, &s.err) == RF_OK && count == 1 &&
              rf_str_is(names[0], "T"));
    /* Of all the files that were made only those of the present state are left. */
    size_t files;
    cr_assert(rf_fs_list(s.fs, "/data/T", &s.arena, &names, &files, &s.err) == RF_OK);
    cr_assert(files == 3, "%zu files", files);
    stage_done(&s);
}

Test(table, rows_come_and_go_as_told) { ordinary(false); }
Test(table, rows_come_and_go_as_told_when_encrypted) { ordinary(true); }

Test(table, a_key_is_needed_and_must_be_the_right_one)
{
    struct stage s;
    struct table_writer *w;
    stage_init(&s, 1, true);
    cr_assert(open_writer(&s, &w) == RF_OK && append(w, 0, 10, &s.err) == RF_OK &&
              commit(w, 10, &s.err) == RF_OK);
    table_writer_close(w);
    store_close(s.store);
    stage_store(&s, false);
    cr_assert(read_all(&s, &(uint64_t){0}) == RF_DENIED && strcmp(s.err.code, "KeyNeeded") == 0);
    cr_assert(open_writer(&s, &w) == RF_DENIED);
    store_close(s.store);
    s.key.bytes[0] = 1;
    stage_store(&s, true);
    cr_assert(read_all(&s, &(uint64_t){0}) == RF_DENIED && strcmp(s.err.code, "WrongKey") == 0);
    s.key.bytes[0] = 0;
    stage_done(&s);
}

Test(table, columns_are_added_and_keep_their_types)
{
    static const struct extent_column more[] = {{{(const uint8_t *)"Extra", 5}, TYPE_REAL},
                                                {{(const uint8_t *)"Number", 6}, TYPE_LONG},
                                                {{(const uint8_t *)"Note", 4}, TYPE_STRING}};
    static const struct extent_column other_type[] = {{{(const uint8_t *)"Number", 6}, TYPE_REAL}};
    struct stage s;
    struct table_writer *w;
    stage_init(&s, 1, false);
    cr_assert(open_writer(&s, &w) == RF_OK && append(w, 0, 10, &s.err) == RF_OK &&
              commit(w, 10, &s.err) == RF_OK);
    cr_assert(table_merge(w, &s.err) == RF_OK);
    table_writer_close(w);
    cr_assert(table_writer_open(s.store, RF_S("T"), other_type, 1, &w, &s.err) == RF_CONFLICT &&
              strcmp(s.err.code, "ColumnTypeConflict") == 0);
    for (int merged = 0; merged < 2; merged++) {
        cr_assert(table_writer_open(s.store, RF_S("T"), more, 3, &w, &s.err) == RF_OK, "%s",
                  s.err.text);
        struct vec v[3];
        struct value real = value_real(1.5), number = value_long(77),
                     note = value_str(RF_S("seen"));
        cr_assert(vec_const(&s.arena, &real, &v[0]) && vec_const(&s.arena, &number, &v[1]) &&
                  vec_const(&s.arena, &note, &v[2]));
        struct batch b = {.row_count = 3, .column_count = 3, .columns = v, .arena = &s.arena};
        cr_assert(table_append(w, &b, &s.err) == RF_OK &&
                  table_commit(w, RF_S(""), &s.err) == RF_OK);
        if (merged) cr_assert(table_merge(w, &s.err) == RF_OK, "%s", s.err.text);
        table_writer_close(w);
        struct table *t;
        uint32_t count, extras = 0, rows = 0;
        cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
        const struct extent_column *have = table_columns(t, &count);
        cr_assert(count == 5 && rf_str_is(have[3].name, "Extra") &&
                  rf_str_is(have[4].name, "Note"));
        static const uint32_t wanted[] = {3, 4, 1};
        for (uint32_t part = 0; part < table_part_count(t); part++) {
            struct table_cursor *c;
            struct batch got;
            cr_assert(table_cursor_new(t, part, wanted, 3, NULL, 0, &s.budget, &c, &s.err) ==
                      RF_OK);
            while (table_cursor_next(c, &got, &s.err) == RF_OK && got.row_count > 0)
                for (uint32_t i = 0; i < got.row_count; i++, rows++) {
                    bool old = vec_i64(&got.columns[2], i) < 10;
                    cr_assert(vec_null(&got.columns[0], i) == old);
                    cr_assert(rf_str_is(vec_str(&got.columns[1], i), old ? "" : "seen"));
                    extras += !old;
                }
            table_cursor_free(c);
        }
        cr_assert(rows == 13u + 3u * (uint32_t)merged && extras == 3u + 3u * (uint32_t)merged);
        table_close(t);
    }
    stage_done(&s);
}

Test(table, retention_drops_what_is_older)
{
    struct stage s;
    struct table_writer *w;
    stage_init(&s, 1, false);
    cr_assert(open_writer(&s, &w) == RF_OK);
    /* Two extents, a year apart by their rows' numbers. */
    cr_assert(append(w, 0, 24, &s.err) == RF_OK && commit(w, 0, &s.err) == RF_OK &&
              table_merge(w, &s.err) == RF_OK);
    cr_assert(table_set_retention(w, 30 * TICKS_PER_DAY, &s.err) == RF_OK);
    int64_t now = (T0_DAYS * TICKS_PER_DAY - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
    rf_clock_fixed_jump(&s.clock, now + 20 * 86400 * RF_USEC_PER_SECOND);
    cr_assert(table_merge(w, &s.err) == RF_OK && rows_of(&s) == 24);
    rf_clock_fixed_jump(&s.clock, now + 32 * 86400 * RF_USEC_PER_SECOND);
    cr_assert(table_merge(w, &s.err) == RF_OK && rows_of(&s) == 0);
    table_writer_close(w);
    stage_done(&s);
}

/* Extents and the journal, while the writer is open; the copy has the rows of that moment and takes further ones. */
Test(table, a_copy_is_a_table_of_its_own)
{
    struct stage s;
    struct table_writer *w, *other;
    uint64_t bytes = 0;
    stage_init(&s, 1, true);
    cr_assert(open_writer(&s, &w) == RF_OK);
    cr_assert(append(w, 0, 50, &s.err) == RF_OK && commit(w, 50, &s.err) == RF_OK &&
              table_merge(w, &s.err) == RF_OK);
    cr_assert(append(w, 50, 30, &s.err) == RF_OK && commit(w, 80, &s.err) == RF_OK);
    cr_assert(append(w, 80, 5, &s.err) == RF_OK, "appended, not committed");
    cr_assert(rf_fs_mkdirs(s.fs, "/copy", &s.err) == RF_OK);
    cr_assert(table_copy(s.store, RF_S("T"), "/copy/T", &bytes, &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(bytes > 0);
    cr_assert(table_copy(s.store, RF_S("T"), "/copy/T", &bytes, &s.err) == RF_CONFLICT,
              "a copy is not written over");
    cr_assert(table_copy(s.store, RF_S("U"), "/copy/U", &bytes, &s.err) == RF_NOT_FOUND);
    cr_assert(commit(w, 85, &s.err) == RF_OK);
    table_writer_close(w);
    cr_assert(rows_of(&s) == 85);

    struct store *original = s.store;
    struct store_options options = {.fs = s.fs,
                                    .folder = "/copy",
                                    .budget = &s.budget,
                                    .writer = true,
                                    .clock = &s.clock.clock,
                                    .key = &s.key};
    cr_assert(store_open(&options, &s.store, &s.err) == RF_OK);
    cr_assert(rows_of(&s) == 80);
    cr_assert(open_writer(&s, &other) == RF_OK);
    cr_assert(position_of(&s, other) == 80);
    cr_assert(append(other, 80, 10, &s.err) == RF_OK && commit(other, 90, &s.err) == RF_OK &&
              table_merge(other, &s.err) == RF_OK);
    table_writer_close(other);
    cr_assert(rows_of(&s) == 90);
    store_close(original);
    stage_done(&s);
}

Test(table, a_reader_keeps_its_view_while_the_writer_goes_on)
{
    struct stage s;
    struct table_writer *w;
    struct table *t;
    uint64_t rows = 0;
    stage_init(&s, 1, false);
    cr_assert(open_writer(&s, &w) == RF_OK && append(w, 0, 3000, &s.err) == RF_OK &&
              commit(w, 3000, &s.err) == RF_OK);
    cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
    cr_assert(append(w, 3000, 3000, &s.err) == RF_OK && commit(w, 6000, &s.err) == RF_OK &&
              table_merge(w, &s.err) == RF_OK);
    table_writer_close(w);
    cr_assert(open_writer(&s, &w) == RF_OK && table_merge(w, &s.err) == RF_OK);
    for (uint32_t part = 0; part < table_part_count(t); part++) {
        static const uint32_t one[] = {1};
        struct table_cursor *c;
        struct batch b;
        cr_assert(table_cursor_new(t, part, one, 1, NULL, 0, &s.budget, &c, &s.err) == RF_OK, "%s",
                  s.err.text);
        while (table_cursor_next(c, &b, &s.err) == RF_OK && b.row_count > 0) rows += b.row_count;
        table_cursor_free(c);
    }
    cr_assert(rows == 3000);
    table_close(t);
    /* The old journal is there still: a writer that came later cannot know that nobody reads it, until time has passed. */
    cr_assert(rf_fs_exists(s.fs, "/data/T/journal-1.rfj"));
    rf_clock_fixed_jump(&s.clock, TABLE_GRACE_USEC);
    cr_assert(append(w, 6000, 1, &s.err) == RF_OK && commit(w, 6001, &s.err) == RF_OK);
    cr_assert(!rf_fs_exists(s.fs, "/data/T/journal-1.rfj"));
    cr_assert(rows_of(&s) == 6001);
    table_writer_close(w);
    stage_done(&s);
}

/* ---- faults ------------------------------------------------------------------------------------------------------- */

static enum rf_kind add_rows(struct table_writer *w, struct progress *p, uint32_t count,
                             struct rf_err *err)
{
    int64_t from = p->acknowledged;
    RF_TRY(append(w, from, count, err));
    p->attempted = from + count;
    RF_TRY(commit(w, p->attempted, err));
    p->acknowledged = p->attempted;
    return RF_OK;
}

/* One step of a merge, before and behind whose work rows are committed: `count` of them, and few. */
static enum rf_kind merge_amid(struct table_writer *w, struct progress *p, uint32_t count,
                               struct rf_err *err)
{
    struct table_merge *m;
    RF_TRY(table_merge_begin(w, false, &m, err));
    cr_assert(m != NULL);
    enum rf_kind kind = add_rows(w, p, count, err), worked = RF_OK;
    if (kind == RF_OK) worked = table_merge_work(m, err);
    if (kind == RF_OK && worked == RF_OK) kind = add_rows(w, p, 2, err);
    if (kind == RF_OK) return table_merge_end(m, worked, err);
    table_merge_forget(m); /* the writer is to be closed */
    return kind;
}

/* Opens, appends in small and, once, in many rows, merges. Ends at the first error. */
static enum rf_kind workload(struct stage *s, struct progress *p, bool bulk)
{
    struct table_writer *w;
    struct rf_err *err = &s->err;
    RF_TRY(open_writer(s, &w));
    enum rf_kind kind = RF_OK;
    for (int step = 0; step < 5 && kind == RF_OK; step++) {
        uint32_t count = bulk && step == 2 ? TABLE_BULK_ROWS : 3;
        kind = add_rows(w, p, count, err);
        if (kind == RF_OK && step == 1) kind = table_merge(w, err);
        if (kind == RF_OK && (step == 0 || step == 4)) kind = merge_amid(w, p, 4, err);
        if (kind == RF_OK && step == 3) {
            table_writer_close(w);
            RF_TRY(open_writer(s, &w));
        }
    }
    if (kind == RF_OK) kind = table_merge(w, err);
    if (kind != RF_OK) { /* nothing more is taken after a failure */
        struct rf_err second;
        cr_assert(table_commit(w, RF_S("x"), &second) != RF_OK || kind == RF_OK);
    }
    table_writer_close(w);
    return kind;
}

/* The table holds the acknowledged rows, or those of the commit that failed too, and goes on. */
static void expect_state(struct stage *s, const struct progress *p, const char *what, uint64_t n)
{
    struct table_writer *w;
    uint64_t rows = 0;
    enum rf_kind kind = read_all(s, &rows);
    if (kind == RF_NOT_FOUND && strcmp(s->err.code, "TableNotFound") == 0 && p->acknowledged == 0)
        kind = RF_OK;
    cr_assert(kind == RF_OK, "%s %llu: %s", what, (unsigned long long)n, s->err.text);
    cr_assert(rows == (uint64_t)p->acknowledged || rows == (uint64_t)p->attempted,
              "%s %llu: %llu rows, not %lld", what, (unsigned long long)n, (unsigned long long)rows,
              (long long)p->acknowledged);
    cr_assert(open_writer(s, &w) == RF_OK, "%s %llu: %s", what, (unsigned long long)n, s->err.text);
    cr_assert(position_of(s, w) == (int64_t)rows, "%s %llu: position %lld of %llu rows", what,
              (unsigned long long)n, (long long)position_of(s, w), (unsigned long long)rows);
    cr_assert(append(w, (int64_t)rows, 2, &s->err) == RF_OK &&
              commit(w, (int64_t)rows + 2, &s->err) == RF_OK);
    table_writer_close(w);
    cr_assert(rows_of(s) == rows + 2);
    cr_assert(table_fsck(s->store, RF_S("T"), NULL, NULL, &s->err) == RF_OK, "%s", s->err.text);
}

static void nth_operation_fails(bool sticky, bool power)
{
    for (uint64_t nth = 1;; nth++) {
        struct stage s;
        struct progress p = {0, 0};
        stage_init(&s, nth, nth % 2 == 0);
        rf_fs_fault_fail_at(s.fault, nth, nth % 3 == 0 ? ENOSPC : EIO, sticky);
        enum rf_kind kind = workload(&s, &p, false);
        uint64_t operations = rf_fs_fault_ops(s.fault);
        rf_fs_fault_fail_at(s.fault, 0, 0, false);
        if (kind != RF_OK) cr_assert(s.err.text[0] != '\0' && s.err.code != NULL);
        if (power) rf_fs_fault_power_loss(s.fault);
        expect_state(&s, &p, "operation", nth);
        stage_done(&s);
        if (kind == RF_OK && nth > operations) break;
    }
}

Test(table, any_operation_may_fail_once) { nth_operation_fails(false, false); }
Test(table, any_operation_may_fail_and_all_behind_it) { nth_operation_fails(true, false); }
Test(table, any_operation_may_fail_and_then_the_power) { nth_operation_fails(false, true); }

static void power_goes_at_every_sync(bool bulk, uint64_t seeds)
{
    bool done = false;
    for (uint64_t stop = 1; !done; stop++)
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            struct stage s;
            struct progress p = {0, 0};
            stage_init(&s, seed * 1000 + stop, false);
            rf_fs_fault_stop_at_sync(s.fault, stop);
            done = workload(&s, &p, bulk) == RF_OK;
            rf_fs_fault_power_loss(s.fault);
            expect_state(&s, &p, "sync", stop);
            stage_done(&s);
        }
}

Test(table, the_power_may_go_at_every_sync) { power_goes_at_every_sync(false, 12); }
Test(table, the_power_may_go_at_every_sync_of_a_large_commit) { power_goes_at_every_sync(true, 1); }

Test(table, a_full_disk_stops_writing_and_nothing_else)
{
    for (uint64_t room = 2000; room < 60000; room += 1999) {
        struct stage s;
        struct table_writer *w;
        struct progress p = {0, 0};
        stage_init(&s, room, false);
        rf_fs_fault_disk_bytes(s.fault, room);
        enum rf_kind kind = open_writer(&s, &w);
        while (kind == RF_OK) {
            kind = append(w, p.acknowledged, 50, &s.err);
            p.attempted = p.acknowledged + 50;
            if (kind == RF_OK) kind = commit(w, p.attempted, &s.err);
            if (kind == RF_OK) p.acknowledged = p.attempted;
            if (kind == RF_OK && p.acknowledged % 500 == 0) kind = table_merge(w, &s.err);
            if (kind != RF_OK) table_writer_close(w);
        }
        cr_assert(kind == RF_LIMIT && strcmp(s.err.code, "DiskFull") == 0, "%s", s.err.text);
        if (p.acknowledged > 0) {
            uint64_t rows = rows_of(&s); /* queries go on */
            cr_assert(rows == (uint64_t)p.acknowledged || rows == (uint64_t)p.attempted);
        }
        rf_fs_fault_disk_bytes(s.fault, 1 << 30);
        expect_state(&s, &p, "room", room);
        stage_done(&s);
    }
}

Test(table, memory_may_run_out_anywhere)
{
    bool done = false;
    for (size_t limit = 1024; !done; limit += limit / 16 + 512) {
        struct stage s;
        struct progress p = {0, 0};
        stage_init(&s, limit, limit % 3 == 0);
        s.budget.limit_bytes = limit;
        enum rf_kind kind = workload(&s, &p, false);
        cr_assert(kind == RF_OK || kind == RF_LIMIT, "%zu bytes: %s", limit, s.err.text);
        done = kind == RF_OK;
        s.budget.limit_bytes = 256 << 20;
        expect_state(&s, &p, "budget", limit);
        stage_done(&s);
    }
}

Test(table, flipped_bits_are_reported_or_harmless)
{
    struct stage s;
    struct table_writer *w;
    stage_init(&s, 1, false);
    cr_assert(open_writer(&s, &w) == RF_OK && append(w, 0, 500, &s.err) == RF_OK &&
              commit(w, 500, &s.err) == RF_OK);
    cr_assert(table_merge(w, &s.err) == RF_OK && append(w, 500, 20, &s.err) == RF_OK &&
              commit(w, 520, &s.err) == RF_OK);
    table_writer_close(w);
    rf_str *names;
    size_t count, flips = 0, found = 0;
    cr_assert(rf_fs_list(s.fs, "/data/T", &s.arena, &names, &count, &s.err) == RF_OK);
    struct rf_prng prng = {.state = 5, .size = 100};
    for (size_t i = 0; i < count; i++) {
        rf_str path = rf_arena_printf(&s.arena, "/data/T/%.*s", RF_FMT(names[i]));
        struct rf_fs_stat stat;
        cr_assert(rf_fs_stat(s.fs, (const char *)path.ptr, &stat, &s.err) == RF_OK);
        for (int n = 0; n < 400 && stat.bytes > 0; n++) {
            uint64_t at = rf_test_below(&prng, stat.bytes), rows = 0;
            unsigned bit = (unsigned)rf_test_below(&prng, 8);
            cr_assert(rf_fs_fault_flip(s.fault, (const char *)path.ptr, at, bit));
            enum rf_kind kind = read_all(&s, &rows);
            if (kind == RF_OK)
                cr_assert(rows == 520, "%.*s byte %llu", RF_FMT(path), (unsigned long long)at);
            else
                cr_assert(kind == RF_CORRUPT || kind == RF_INVALID || kind == RF_DENIED,
                          "kind %d: %s", kind, s.err.text);
            found += kind != RF_OK;
            flips++;
            /* fsck knows each file's digest: only what no reader looks at may escape it. */
            if (n % 8 == 0 && kind != RF_OK)
                cr_assert(table_fsck(s.store, RF_S("T"), NULL, NULL, &s.err) == RF_CORRUPT, "%s",
                          s.err.text);
            cr_assert(rf_fs_fault_flip(s.fault, (const char *)path.ptr, at, bit));
        }
    }
    cr_assert(found * 10 > flips * 6, "%zu of %zu found", found,
              flips); /* the rest: the term index, digests */
    stage_done(&s);
}

Test(table, table_names_may_hold_anything_and_leave_the_folder_alone)
{
    static const char *const good[] = {
        "T", "a b", "../../etc/passwd", ".hidden", "\xc3\xa9t\xc3\xa9", "x%2Fy", "a/b"};
    struct stage s;
    stage_init(&s, 1, false);
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        struct table_writer *w;
        cr_assert(table_writer_open(s.store, rf_str_of(good[i]), columns, COLUMNS, &w, &s.err) ==
                      RF_OK,
                  "%s", s.err.text);
        table_writer_close(w);
    }
    rf_str *names;
    uint32_t count;
    cr_assert(store_tables(s.store, &s.arena, &names, &count, &s.err) == RF_OK &&
              count == RF_COUNT(good));
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        bool found = false;
        for (uint32_t k = 0; k < count; k++) found |= rf_str_is(names[k], good[i]);
        cr_assert(found, "%s", good[i]);
    }
    struct table_writer *w;
    cr_assert(table_writer_open(s.store, RF_S(""), columns, COLUMNS, &w, &s.err) == RF_INVALID);
    cr_assert(table_writer_open(s.store, RF_S("\xff"), columns, COLUMNS, &w, &s.err) == RF_INVALID);
    stage_done(&s);
}

/* ---- ingestion ------------------------------------------------------------------------------------------------------ */

static struct ingest_result ingest(struct stage *s, const char *name, rf_str text)
{
    struct rf_file *file;
    char path[64];
    struct ingest_result result;
    (void)snprintf(path, sizeof path, "/%s", name);
    cr_assert(rf_fs_open(s->fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE, &file,
                         &s->err) == RF_OK);
    cr_assert(rf_file_write(file, text.ptr, text.len, &s->err) == RF_OK);
    rf_file_close(file);
    struct ingest_options o = {.store = s->store,
                               .table = RF_S("T"),
                               .input = {.fs = s->fs, .path = path},
                               .name = rf_str_of(name)};
    cr_assert(table_ingest(&o, &result, &s->err) == RF_OK, "%s", s->err.text);
    return result;
}

Test(table_ingest, a_file_is_taken_once_and_its_growth_after_it)
{
    struct stage s;
    stage_init(&s, 1, false);
    rf_str two = RF_S("{\"a\":1}\n{\"a\":2}\n"),
           three = RF_S("{\"a\":1}\n{\"a\":2}\n{\"a\":3,\"b\":\"new\"}\n");
    cr_assert(ingest(&s, "x.jsonl", two).progress.rows == 2);
    cr_assert(ingest(&s, "x.jsonl", two).already);
    struct ingest_result grown = ingest(&s, "x.jsonl", three);
    cr_assert(grown.progress.rows == 1 && grown.resumed_rows == 2 && !grown.already);
    cr_assert(ingest(&s, "renamed.jsonl", three).already);
    cr_assert(ingest(&s, "y.csv", RF_S("a,c\n5,6\n")).progress.rows == 1);
    cr_assert(ingest(&s, "x.jsonl", three).already, "other files are remembered too");
    struct table *t;
    uint32_t count;
    cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
    const struct extent_column *have = table_columns(t, &count);
    cr_assert(count == 3 && rf_str_is(have[1].name, "b") && have[1].type == TYPE_STRING &&
              have[2].type == TYPE_LONG);
    cr_assert(table_stats(t).row_count == 4);
    table_close(t);
    stage_done(&s);
}

static void count_reject(void *state, const struct reader_reject *reject)
{
    uint64_t *lines = state;
    lines[0]++;
    lines[1] = reject->line;
}

Test(table_ingest, new_fields_become_columns_and_bad_rows_are_told_once)
{
    struct stage s;
    struct ingest_result result;
    struct rf_buf text = rf_buf_in(&s.arena);
    uint64_t rejects[2] = {0, 0};
    stage_init(&s, 1, false);
    text.arena = &s.arena;
    for (int i = 0; i < 9000; i++) {
        if (i % 3000 == 2999)
            rf_buf_printf(&text, "{\"n\":%d,\"field%d\":%d}\n", i, i / 3000, i);
        else if (i == 4500)
            rf_buf_printf(&text, "{\"n\": oops}\n");
        else
            rf_buf_printf(&text, "{\"n\":%d}\n", i);
    }
    /* From memory, as a pipe: there is no looking ahead beyond the text at hand. */
    struct ingest_options o = {.store = s.store,
                               .table = RF_S("T"),
                               .input = {.memory = rf_buf_view(&text)},
                               .reject = count_reject,
                               .state = rejects};
    cr_assert(table_ingest(&o, &result, &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(result.progress.rows == 8999 && result.progress.rejected == 1);
    cr_assert(rejects[0] == 1 && rejects[1] == 4501, "%llu rejects, line %llu",
              (unsigned long long)rejects[0], (unsigned long long)rejects[1]);
    struct table *t;
    uint32_t count;
    cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
    (void)table_columns(t, &count);
    cr_assert(count == 4 && table_stats(t).row_count == 8999);
    table_close(t);
    /* The same text again, into a table that knows no `extra`. */
    rf_buf_printf(&text,
                  "{\"n\":1,\"extra\":true}\n{\"n\": bad}\n{\"n\":2,\"more\":{\"deep\":[1]}}\n");
    o.input.memory = rf_buf_view(&text);
    rejects[0] = 0;
    cr_assert(table_ingest(&o, &result, &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(result.progress.rows == 9001 && rejects[0] == 2 && rejects[1] == 9002);
    cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
    const struct extent_column *have = table_columns(t, &count);
    cr_assert(count == 6 && have[4].type == TYPE_BOOL && have[5].type == TYPE_DYNAMIC);
    cr_assert(table_stats(t).row_count == 18000);
    table_close(t);
    stage_done(&s);
}

Test(table_ingest, an_interrupted_file_goes_on_exactly_once)
{
    struct stage first;
    stage_init(&first, 1, false);
    struct rf_buf text = rf_buf_in(&first.arena);
    for (int i = 0; i < 300000; i++) {
        rf_buf_printf(&text,
                      "{\"Number\":%d,\"Text\":\"row %d of "
                      "many\",\"TimeGenerated\":\"2024-05-01T00:00:00Z\"}\n",
                      i, i);
        if (i % 1000 == 7) rf_buf_printf(&text, "broken\n");
    }
    rf_str all = rf_buf_view(&text);
    for (uint64_t stop = 1; stop < 40; stop += 6) {
        struct stage s;
        stage_init(&s, stop, false);
        struct rf_file *file;
        cr_assert(rf_fs_open(s.fs, "/x.jsonl", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &s.err) ==
                  RF_OK);
        cr_assert(rf_file_write(file, all.ptr, all.len, &s.err) == RF_OK &&
                  rf_file_sync(file, &s.err) == RF_OK);
        rf_file_close(file);
        cr_assert(rf_fs_sync_dir(s.fs, "/", &s.err) == RF_OK);
        uint64_t rejects[2] = {0, 0};
        struct ingest_result result;
        struct ingest_options o = {.store = s.store,
                                   .table = RF_S("T"),
                                   .input = {.fs = s.fs, .path = "/x.jsonl"},
                                   .name = RF_S("x.jsonl"),
                                   .reject = count_reject,
                                   .state = rejects};
        rf_fs_fault_stop_at_sync(s.fault, stop);
        (void)!table_ingest(&o, &result, &s.err);
        rf_fs_fault_power_loss(s.fault);
        cr_assert(table_ingest(&o, &result, &s.err) == RF_OK, "stop %u: %s", (unsigned)stop,
                  s.err.text);
        struct table *t;
        cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
        cr_assert(table_stats(t).row_count == 300000);
        table_close(t);
        stage_done(&s);
    }
    stage_done(&first);
}

/* ---- two processes --------------------------------------------------------------------------------------------------- */

Test(table, another_process_reads_while_one_writes)
{
    struct stage s = {.fs = rf_fs_real()};
    char folder[] = "/tmp/rf_table_test.XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    rf_budget_init(&s.budget, 256 << 20);
    rf_arena_init(&s.arena, 256 << 20);
    struct store_options options = {
        .fs = s.fs, .folder = folder, .budget = &s.budget, .writer = true};
    cr_assert(store_open(&options, &s.store, &s.err) == RF_OK);
    struct table_writer *w;
    cr_assert(open_writer(&s, &w) == RF_OK);
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        /* Reads until it has seen all; what it sees never shrinks and is never half a commit. */
        uint64_t seen = 0, rows = 0;
        for (int tries = 0; tries < 100000 && seen < 20000; tries++) {
            if (read_all(&s, &rows) != RF_OK) {
                fprintf(stderr, "reader: %s\n", s.err.text);
                _exit(2);
            }
            if (rows < seen || rows % 100 != 0) _exit(3);
            seen = rows;
        }
        _exit(seen == 20000 ? 0 : 4);
    }
    for (int64_t at = 0; at < 20000; at += 100) {
        cr_assert(append(w, at, 100, &s.err) == RF_OK && commit(w, at + 100, &s.err) == RF_OK, "%s",
                  s.err.text);
        if (at % 1000 == 900) cr_assert(table_merge(w, &s.err) == RF_OK, "%s", s.err.text);
    }
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the reader ended with %d",
              WEXITSTATUS(status));
    table_writer_close(w);
    store_close(s.store);
    rf_arena_done(&s.arena);
    char command[80];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(system(command) == 0);
}

/* Rows that are committed while a merge works, to the journal or to an extent, stay what they are. */
Test(table, rows_come_while_a_merge_works)
{
    static const uint32_t counts[] = {5, 5000, TABLE_BULK_ROWS + 5};
    for (size_t i = 0; i < RF_COUNT(counts); i++) {
        struct stage s;
        struct table_writer *w;
        struct progress p = {0, 0};
        stage_init(&s, i, i % 2 == 0);
        cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
        cr_assert(add_rows(w, &p, 7000, &s.err) == RF_OK, "%s", s.err.text);
        for (int step = 0; step < 4;
             step++) { /* of the journal, and of extents where there are two */
            cr_assert(merge_amid(w, &p, counts[i], &s.err) == RF_OK, "%s", s.err.text);
            cr_assert(rows_of(&s) == (uint64_t)p.acknowledged);
            cr_assert(position_of(&s, w) == p.acknowledged);
        }
        table_writer_close(w);
        cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
        cr_assert(position_of(&s, w) == p.acknowledged);
        cr_assert(table_merge(w, &s.err) == RF_OK, "%s", s.err.text);
        table_writer_close(w);
        cr_assert(rows_of(&s) == (uint64_t)p.acknowledged);
        cr_assert(table_fsck(s.store, RF_S("T"), NULL, NULL, &s.err) == RF_OK, "%s", s.err.text);
        stage_done(&s);
    }
}

Test(table, a_merge_is_given_up)
{
    struct stage s;
    struct table_writer *w;
    struct table_merge *m;
    struct progress p = {0, 0};
    stage_init(&s, 1, false);
    cr_assert(open_writer(&s, &w) == RF_OK && add_rows(w, &p, 5000, &s.err) == RF_OK);
    cr_assert(table_merge_begin(w, false, &m, &s.err) == RF_OK && m != NULL);
    table_merge_cancel(m);
    cr_assert(table_merge_work(m, &s.err) == RF_CANCELLED);
    table_merge_forget(m);
    table_writer_close(w);
    /* One whose work was done, but whose writer was closed before its end. */
    cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
    cr_assert(table_merge_begin(w, false, &m, &s.err) == RF_OK && m != NULL);
    cr_assert(table_merge_work(m, &s.err) == RF_OK, "%s", s.err.text);
    table_writer_close(w);
    table_merge_forget(m);
    cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
    cr_assert(table_writer_recovery(w).files_removed == 1);
    cr_assert(add_rows(w, &p, 10, &s.err) == RF_OK);
    table_writer_close(w);
    cr_assert(rows_of(&s) == 5010);
    stage_done(&s);
}

/* A merge that has others to think of leaves few small extents alone. */
Test(table, few_small_extents_stay_for_a_lazy_merge)
{
    struct stage s;
    struct table_writer *w;
    struct progress p = {0, 0};
    stage_init(&s, 1, false);
    cr_assert(open_writer(&s, &w) == RF_OK, "%s", s.err.text);
    for (uint32_t extents = 1; extents <= 4; extents++) {
        struct table_merge *m;
        cr_assert(add_rows(w, &p, 100, &s.err) == RF_OK, "%s", s.err.text);
        cr_assert(table_merge_begin(w, true, &m, &s.err) == RF_OK && m != NULL);
        cr_assert(table_merge_end(m, table_merge_work(m, &s.err), &s.err) == RF_OK);
        cr_assert(table_merge_begin(w, true, &m, &s.err) == RF_OK);
        cr_assert((m != NULL) == (extents == 4));
        if (m != NULL) cr_assert(table_merge_end(m, table_merge_work(m, &s.err), &s.err) == RF_OK);
    }
    table_writer_close(w);
    struct table *t;
    cr_assert(table_open(s.store, RF_S("T"), &t, &s.err) == RF_OK);
    cr_assert(table_stats(t).extent_count == 1 && table_stats(t).row_count == 400);
    table_close(t);
    stage_done(&s);
}
