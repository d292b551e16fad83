#include "store/table_remove.h"

#include <errno.h>

#include "base/fs_fault.h"
#include "test/rf_prop.h"

static const struct extent_column columns[] = {
    {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME},
    {{(const uint8_t *)"N", 1}, TYPE_LONG},
};

struct stage {
    struct rf_fs_fault *fault;
    struct rf_budget budget;
    struct rf_clock_fixed clock;
    struct store *store;
    struct rf_err err;
};

static void stage_init(struct stage *s, uint64_t seed)
{
    *s = (struct stage){.fault = rf_fs_fault_new(seed)};
    rf_budget_init(&s->budget, 256 << 20);
    rf_clock_fixed_init(&s->clock, 0, 0);
    struct store_options options = {.fs = rf_fs_fault_fs(s->fault),
                                    .folder = "/data",
                                    .budget = &s->budget,
                                    .writer = true,
                                    .clock = &s->clock.clock};
    cr_assert(store_open(&options, &s->store, &s->err) == RF_OK, "%s", s->err.text);
}

static void stage_done(struct stage *s)
{
    store_close(s->store);
    cr_assert(atomic_load(&s->budget.used_bytes) == 0);
    rf_fs_fault_free(s->fault);
}

static void put(struct stage *s, struct table_writer *w, int64_t from, uint32_t count)
{
    for (uint32_t done = 0; done < count; done += BATCH_ROWS) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 16 << 20);
        uint32_t rows = RF_MIN(count - done, (uint32_t)BATCH_ROWS);
        struct vec v[2];
        cr_assert(vec_flat(&arena, TYPE_DATETIME, rows, &v[0]) &&
                  vec_flat(&arena, TYPE_LONG, rows, &v[1]));
        for (uint32_t i = 0; i < rows; i++) {
            struct value time = value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH + from + done + i);
            struct value n = value_long(from + done + i);
            vec_set(&v[0], i, &time);
            vec_set(&v[1], i, &n);
        }
        struct batch batch = {.row_count = rows, .column_count = 2, .columns = v, .arena = &arena};
        cr_assert(table_append(w, &batch, &s->err) == RF_OK, "%s", s->err.text);
    }
    cr_assert(table_commit(w, RF_S(""), &s->err) == RF_OK, "%s", s->err.text);
}

static enum rf_kind keep_rest(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                              struct rf_err *err)
{
    int64_t divisor = *(const int64_t *)ctx;
    (void)err;
    *kept = 0;
    for (uint32_t i = 0; i < batch->row_count; i++)
        if (vec_i64(&batch->columns[0], i) % divisor != 0) rows[(*kept)++] = i;
    return RF_OK;
}

static const rf_str looked_at[] = {{(const uint8_t *)"N", 1}};

static void sum(struct stage *s, uint64_t *count, int64_t *total)
{
    struct table *t;
    uint32_t wanted = 1;
    *count = 0;
    *total = 0;
    cr_assert(table_open(s->store, RF_S("T"), &t, &s->err) == RF_OK, "%s", s->err.text);
    for (uint32_t part = 0; part < table_part_count(t); part++) {
        struct table_cursor *c;
        struct batch in;
        cr_assert(table_cursor_new(t, part, &wanted, 1, NULL, 0, &s->budget, &c, &s->err) == RF_OK);
        while (table_cursor_next(c, &in, &s->err) == RF_OK && in.row_count > 0) {
            for (uint32_t i = 0; i < in.row_count; i++) *total += vec_i64(&in.columns[0], i);
            *count += in.row_count;
        }
        table_cursor_free(c);
    }
    table_close(t);
}

/* Removes the multiples of `divisor`. */
static enum rf_kind remove_some(struct stage *s, struct table_writer *w, int64_t divisor,
                                struct table_removal *removal)
{
    struct table_keep keep = {
        .columns = looked_at, .column_count = 1, .rows = keep_rest, .ctx = &divisor};
    enum rf_kind kind = RF_OK;
    while (removal->more && kind == RF_OK) kind = table_remove_step(w, &keep, removal, &s->err);
    return kind;
}

Test(table_remove, rows_of_extents_and_of_the_journal_go)
{
    struct stage s;
    struct table_writer *w;
    struct table_removal removal = {.more = true}, again = {.more = true};
    uint64_t count;
    int64_t total;
    stage_init(&s, 1);
    cr_assert(table_writer_open(s.store, RF_S("T"), columns, 2, &w, &s.err) == RF_OK);
    put(&s, w, 0, TABLE_BULK_ROWS); /* an extent */
    put(&s, w, TABLE_BULK_ROWS, 10000);
    cr_assert(remove_some(&s, w, 3, &removal) == RF_OK, "%s", s.err.text);
    sum(&s, &count, &total);
    uint64_t all = TABLE_BULK_ROWS + 10000, gone = (all + 2) / 3;
    cr_assert(removal.row_count == gone, "%llu", (unsigned long long)removal.row_count);
    cr_assert(count == all - gone);
    cr_assert(remove_some(&s, w, 3, &again) == RF_OK);
    cr_assert(again.row_count == 0);
    put(&s, w, 1, 1); /* the writer goes on */
    sum(&s, &count, &total);
    cr_assert(count == all - gone + 1);
    table_writer_close(w);
    stage_done(&s);
}

Test(table_remove, nothing_may_be_left_of_an_extent)
{
    struct stage s;
    struct table_writer *w;
    struct table_removal removal = {.more = true};
    uint64_t count;
    int64_t total;
    stage_init(&s, 2);
    cr_assert(table_writer_open(s.store, RF_S("T"), columns, 2, &w, &s.err) == RF_OK);
    put(&s, w, 0, 5000);
    cr_assert(remove_some(&s, w, 1, &removal) == RF_OK);
    sum(&s, &count, &total);
    cr_assert(count == 0 && removal.row_count == 5000);
    table_writer_close(w);
    stage_done(&s);
}

/* Whatever fails, the table has all of its rows or those that are to stay, and a second run ends it. */
Test(table_remove, a_failure_at_any_write_leaves_a_whole_table)
{
    for (uint32_t nth = 0; nth < 60; nth++) {
        struct stage s;
        struct table_writer *w;
        struct table_removal removal = {.more = true}, again = {.more = true};
        uint64_t count;
        int64_t total;
        stage_init(&s, nth);
        cr_assert(table_writer_open(s.store, RF_S("T"), columns, 2, &w, &s.err) == RF_OK);
        put(&s, w, 0, 3000);
        rf_fs_fault_fail_at(s.fault, nth + 1, EIO, false);
        (void)!remove_some(&s, w, 2, &removal);
        table_writer_close(w);
        rf_fs_fault_fail_at(s.fault, 0, 0, false);
        sum(&s, &count, &total);
        cr_assert(count == 3000 || count == 1500, "%u: %llu", nth, (unsigned long long)count);
        cr_assert(table_writer_open(s.store, RF_S("T"), columns, 2, &w, &s.err) == RF_OK);
        cr_assert(remove_some(&s, w, 2, &again) == RF_OK, "%u: %s", nth, s.err.text);
        sum(&s, &count, &total);
        cr_assert(count == 1500 && total == 1500 * 1500);
        table_writer_close(w);
        stage_done(&s);
    }
}
