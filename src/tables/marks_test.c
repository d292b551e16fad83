#include "tables/marks_int.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs_fault.h"
#include "test/rf_prop.h"

#define WS RF_S("11111111-2222-3333-4444-555555555555")
#define TABLE RF_S("T_CL")
#define NOW_TICKS (739500 * TICKS_PER_DAY)
enum { SOURCE = 7, ROWS_MAX = 64 };

/* ---- as text ----------------------------------------------------------------------------------------------------------- */

Test(marks, are_the_same_after_a_round_trip)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct mark_list list = {0}, again = {0};
    struct rf_err err;
    int64_t arrival = 0;
    const struct table_mark marks[] = {
        {UINT64_MAX, UINT32_MAX, -1, INT64_MAX}, {1, 2, -1, 0}, {1, 1, -1, 5}, {1, 2, 0, 9}};
    for (size_t i = 0; i < RF_COUNT(marks); i++)
        cr_assert(marks_move(&list, &marks[i], &err) == RF_OK, "%s", err.text);
    rf_str text = marks_encode(&list, 123, &arena);
    cr_assert(rf_str_is(text, "123 1:1=5 1:2=9 ffffffffffffffff:4294967295=9223372036854775807"));
    cr_assert(marks_decode(text, &arrival, &again, &err) == RF_OK, "%s", err.text);
    cr_assert(arrival == 123 && again.count == 3);
    cr_assert(rf_str_eq(marks_encode(&again, arrival, &arena), text));
    cr_assert(marks_find(&again, 1, 2)->next == 9 && marks_find(&again, 2, 1) == NULL);
    marks_drop(&again, 1);
    cr_assert(again.count == 1);
    marks_free(&list);
    marks_free(&again);
}

Test(marks, positions_of_others_and_damaged_ones)
{
    static const struct {
        const char *text;
        enum rf_kind kind;
        int64_t arrival;
        uint32_t count;
    } cases[] = {
        {"", RF_OK, 0, 0},
        {"ringfort ingest 1\nx", RF_OK, 0, 0},
        {"-5", RF_OK, -5, 0},
        {"638000000000000000", RF_OK, 638000000000000000, 0},
        {"1 a:0=0", RF_OK, 1, 1},
        {"1 ", RF_CORRUPT, 0, 0},
        {"1 a", RF_CORRUPT, 0, 0},
        {"1 a:=1", RF_CORRUPT, 0, 0},
        {"1 a:1=", RF_CORRUPT, 0, 0},
        {"1 a:1=1x", RF_CORRUPT, 0, 0},
        {"1 a:4294967296=1", RF_CORRUPT, 0, 0},
        {"1 a:1=9223372036854775808", RF_CORRUPT, 0, 0},
        {"1 11112222333344445:1=1", RF_CORRUPT, 0, 0},
        {"9223372036854775808", RF_CORRUPT, 0, 0},
        {"1 a:1=1 a:1=2", RF_CONFLICT, 0, 0},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct mark_list list = {0};
        struct rf_err err;
        int64_t arrival = -1;
        cr_expect(marks_decode(rf_str_of(cases[i].text), &arrival, &list, &err) == cases[i].kind,
                  "%s", cases[i].text);
        if (cases[i].kind == RF_OK)
            cr_expect(arrival == cases[i].arrival && list.count == cases[i].count, "%s",
                      cases[i].text);
        marks_free(&list);
    }
}

/* ---- with rows ----------------------------------------------------------------------------------------------------------- */

struct stage {
    char folder[64];
    struct rf_fs *fs;
    struct rf_clock_fixed clock;
    struct tables *tables;
    struct rf_err err;
};

static void stage_open(struct stage *s)
{
    static const struct table_column columns[] = {{{(const uint8_t *)"N", 1}, TYPE_LONG, false}};
    struct tables_options options = {.fs = s->fs, .folder = s->folder, .clock = &s->clock.clock};
    struct table_def def = {.name = TABLE, .columns = columns, .column_count = 1};
    cr_assert(tables_new(&options, &s->tables, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert(tables_define(s->tables, WS, &def, &s->err) == RF_OK, "%s", s->err.text);
}

static void stage_init(struct stage *s, struct rf_fs *fs)
{
    *s = (struct stage){.fs = fs == NULL ? rf_fs_real() : fs};
    rf_clock_fixed_init(&s->clock, (NOW_TICKS - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND, 0);
    (void)snprintf(s->folder, sizeof s->folder, "%s",
                   fs == NULL ? "/tmp/ringfort-marks-XXXXXX" : "/data");
    if (fs == NULL) cr_assert(mkdtemp(s->folder) != NULL);
    stage_open(s);
    if (fs != NULL) cr_assert(rf_fs_sync_dir(fs, "/", &s->err) == RF_OK);
}

static void stage_done(struct stage *s)
{
    tables_free(s->tables);
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", s->folder);
    if (s->fs == rf_fs_real()) cr_assert(system(command) == 0);
}

/* The numbers from `from` up to `next` as rows, with the mark; `rows` false: the mark alone. */
static enum rf_kind give(struct stage *s, int64_t from, int64_t next, bool with_rows)
{
    int64_t cells[ROWS_MAX];
    uint32_t count = with_rows ? (uint32_t)(next - RF_MAX(from, 0)) : 0;
    struct column column = {.name = RF_S("N"), .type = TYPE_LONG};
    struct schema schema = {.columns = &column, .count = 1};
    struct vec vec = {.type = TYPE_LONG, .shape = VEC_FLAT, .data = cells};
    struct batch batch = {.row_count = count, .column_count = 1, .columns = &vec};
    struct rows_in rows = {
        .schema = &schema, .batches = &batch, .batch_count = 1, .now_ticks = NOW_TICKS};
    struct table_mark mark = {SOURCE, 3, from, next};
    cr_assert(count <= ROWS_MAX);
    for (uint32_t i = 0; i < count; i++) cells[i] = RF_MAX(from, 0) + i;
    return tables_append_marked(s->tables, WS, TABLE, &rows, &mark, 1, &s->err);
}

static int64_t mark_of(struct stage *s)
{
    int64_t next = -2;
    if (tables_mark(s->tables, WS, TABLE, SOURCE, 3, &next, &s->err) != RF_OK) return -2;
    return next;
}

/* Each number once: their count and their sum are those of 0..next-1. */
static void expect_rows(struct stage *s, int64_t next)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct tables_view view;
    cr_assert(tables_view(s->tables, WS, &arena, &view, &s->err) == RF_OK, "%s", s->err.text);
    struct source *source = NULL;
    for (uint32_t i = 0; i < view.catalog.source_count; i++)
        if (rf_str_eq(view.catalog.sources[i]->name, TABLE)) source = view.catalog.sources[i];
    cr_assert(source != NULL);
    cr_assert(source_open(source, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert_eq((int64_t)tables_source_stats(source).row_count, next);
    tables_release(s->tables, &view);
}

Test(marks, a_mark_moves_with_its_rows_and_only_from_where_it_is)
{
    struct stage s;
    stage_init(&s, NULL);
    cr_assert_eq(mark_of(&s), -1);
    cr_assert(give(&s, -1, 5, true) == RF_OK, "%s", s.err.text);
    cr_assert_eq(mark_of(&s), 5);
    cr_assert(give(&s, -1, 5, true) == RF_CONFLICT);
    cr_assert_str_eq(s.err.code, "MarkMoved");
    cr_assert(give(&s, 4, 9, true) == RF_CONFLICT);
    cr_assert(give(&s, 5, 9, true) == RF_OK, "%s", s.err.text);
    expect_rows(&s, 9);
    /* Rows of others leave it alone, and so do merging and opening anew. */
    cr_assert(tables_append_json(s.tables, WS, TABLE, RF_S("{\"N\":100}"), NOW_TICKS, NULL,
                                 &s.err) == RF_OK);
    cr_assert_eq(mark_of(&s), 9);
    rf_clock_fixed_pass(&s.clock, TABLES_IDLE_USEC);
    tables_maintain(s.tables);
    tables_free(s.tables);
    stage_open(&s);
    cr_assert_eq(mark_of(&s), 9);
    expect_rows(&s, 10);
    cr_assert(give(&s, 9, 12, false) == RF_OK, "%s", s.err.text);
    tables_free(s.tables);
    stage_open(&s);
    cr_assert_eq(mark_of(&s), 12, "a mark without rows is kept too");
    expect_rows(&s, 10);
    cr_assert(tables_forget_marks(s.tables, WS, TABLE, SOURCE, &s.err) == RF_OK);
    cr_assert_eq(mark_of(&s), -1);
    tables_free(s.tables);
    stage_open(&s);
    cr_assert_eq(mark_of(&s), -1, "without rows behind it");
    expect_rows(&s, 10);
    stage_done(&s);
}

/* The power goes at every sync in turn, with what a disk may lose then; errors of single operations come between. */
RF_PROP(marks_and_rows_survive_together, 25)
{
    struct stage s;
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    stage_init(&s, rf_fs_fault_fs(fault));
    cr_assert(give(&s, -1, 1, true) == RF_OK, "%s", s.err.text);
    int64_t acknowledged = 1;
    for (uint32_t round = 0; round < 12; round++) {
        if (rf_test_below(prng, 2) == 0)
            rf_fs_fault_stop_at_sync(fault, 1 + rf_test_below(prng, 8));
        else
            rf_fs_fault_fail_at(fault, 1 + rf_test_below(prng, 40), EIO, false);
        for (uint32_t i = 0; i < 8; i++) {
            int64_t from = mark_of(&s);
            if (from == -2) continue;
            int64_t next = RF_MAX(from, 0) + 1 + (int64_t)rf_test_below(prng, 20);
            if (give(&s, from, next, true) == RF_OK) acknowledged = next;
            if (rf_test_below(prng, 4) == 0) tables_maintain(s.tables);
        }
        rf_fs_fault_power_loss(fault);
        tables_free(s.tables);
        rf_fs_fault_stop_at_sync(fault, 0);
        rf_fs_fault_fail_at(fault, 0, 0, false);
        rf_clock_fixed_pass(&s.clock, TABLES_IDLE_USEC);
        stage_open(&s);
        int64_t next = mark_of(&s);
        cr_assert(next >= acknowledged, "%lld after %lld: %s", (long long)next,
                  (long long)acknowledged, s.err.text);
        expect_rows(&s, next);
        acknowledged = next;
    }
    stage_done(&s);
    rf_fs_fault_free(fault);
}

/* kill -9, again and again: rows equal the mark. */
Test(marks, a_killed_process_leaves_rows_and_mark_alike)
{
    struct stage s;
    stage_init(&s, NULL);
    tables_free(s.tables);
    for (uint32_t round = 0; round < 8; round++) {
        int pipes[2];
        cr_assert(pipe(pipes) == 0);
        pid_t child = fork();
        if (child == 0) {
            stage_open(&s);
            for (;;) {
                int64_t from = mark_of(&s);
                if (give(&s, from, RF_MAX(from, 0) + 5, true) != RF_OK) _exit(1);
                if (write(pipes[1], "x", 1) != 1) _exit(1);
            }
        }
        close(pipes[1]);
        char acks[64];
        size_t got = 0, wanted = 5 + round * 7;
        while (got < wanted) {
            ssize_t n = read(pipes[0], acks, wanted - got);
            cr_assert(n > 0);
            got += (size_t)n;
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(pipes[0]);
        stage_open(&s);
        int64_t next = mark_of(&s);
        cr_assert_geq(next, (int64_t)got * 5);
        expect_rows(&s, next);
        tables_free(s.tables);
    }
    stage_open(&s);
    stage_done(&s);
}
