#include "tables/tables.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs_fault.h"
#include "kql/kql.h"
#include "tables/activity.h"
#include "tables/tables_int.h"
#include "test/rf_prop.h"

#define WS RF_S("11111111-2222-3333-4444-555555555555")
enum { NOW_DAYS = 739500 };
#define NOW_TICKS (NOW_DAYS * TICKS_PER_DAY)

struct stage {
    char folder[64];
    struct rf_fs *fs; /* NULL: the real one, under `folder` */
    struct rf_clock_fixed clock;
    struct tables *tables;
    struct rf_arena arena;
    struct rf_err err;
};

static void stage_open(struct stage *s)
{
    struct tables_options options = {.fs = s->fs, .folder = s->folder, .clock = &s->clock.clock};
    cr_assert(tables_new(&options, &s->tables, &s->err) == RF_OK, "%s", s->err.text);
}

static void stage_init(struct stage *s, struct rf_fs *fs)
{
    *s = (struct stage){.fs = fs == NULL ? rf_fs_real() : fs};
    rf_clock_fixed_init(&s->clock, (NOW_TICKS - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND, 0);
    rf_arena_init(&s->arena, 256 << 20);
    (void)snprintf(s->folder, sizeof s->folder, "%s",
                   fs == NULL ? "/tmp/ringfort-tables-XXXXXX" : "/data");
    if (fs == NULL) cr_assert(mkdtemp(s->folder) != NULL);
    stage_open(s);
}

static void stage_done(struct stage *s)
{
    tables_free(s->tables);
    rf_arena_done(&s->arena);
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", s->folder);
    if (s->fs == rf_fs_real()) cr_assert(system(command) == 0);
}

static void define(struct stage *s, const char *name, const struct table_column *columns,
                   uint32_t count)
{
    struct table_def def = {.name = rf_str_of(name), .columns = columns, .column_count = count};
    cr_assert(tables_define(s->tables, WS, &def, &s->err) == RF_OK, "%s", s->err.text);
}

#define COLUMN(text, of)                                                                           \
    {                                                                                              \
        {(const uint8_t *)text, sizeof text - 1}, of, false                                        \
    }
static const struct table_column number_columns[] = {COLUMN("N", TYPE_LONG),
                                                     COLUMN("S", TYPE_STRING)};

static void put(struct stage *s, const char *table, const char *json)
{
    cr_assert(tables_append_json(s->tables, WS, rf_str_of(table), rf_str_of(json), NOW_TICKS, NULL,
                                 &s->err) == RF_OK,
              "%s", s->err.text);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------- */

struct answer {
    struct kql_sink sink;
    struct rf_arena *arena;
    struct rf_buf text;
};

static enum rf_kind begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

static enum rf_kind push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)err;
    struct rf_buf *out = &((struct answer *)sink)->text;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            if (i > 0) rf_buf_byte(out, ' ');
            if (v.null)
                rf_buf_str(out, RF_S("null"));
            else if (v.type == TYPE_STRING)
                rf_buf_str(out, v.s);
            else
                rf_buf_printf(out, "%lld", v.type == TYPE_BOOL ? v.b : (long long)v.i);
        }
        rf_buf_byte(out, ';');
    }
    return RF_OK;
}

static enum rf_kind end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static enum rf_kind ask_kind(struct stage *s, const char *query, rf_str *out)
{
    struct tables_view view;
    cr_assert(tables_view(s->tables, WS, &s->arena, &view, &s->err) == RF_OK);
    struct answer answer = {.sink = {.begin = begin, .push = push, .end = end},
                            .text = rf_buf_in(&s->arena)};
    struct kql_request request = {
        .text = rf_str_of(query), .catalog = &view.catalog, .now_ticks = NOW_TICKS};
    struct kql_stats stats = {0};
    enum rf_kind kind = kql_run(&request, &answer.sink, &stats, &s->err);
    tables_release(s->tables, &view);
    rf_buf_byte(&answer.text, 0);
    *out = rf_str_make(answer.text.ptr, answer.text.len - 1);
    return kind;
}

static const char *ask(struct stage *s, const char *query)
{
    rf_str out;
    cr_assert(ask_kind(s, query, &out) == RF_OK, "%s: %s", query, s->err.text);
    return (const char *)out.ptr;
}

#define ASK(query, expected) cr_assert_str_eq(ask(&s, query), expected)

/* ---- definitions ------------------------------------------------------------------------------------------------------ */

Test(tables, standard_tables_are_there_and_empty)
{
    struct stage s;
    stage_init(&s, NULL);
    struct table_def def;
    cr_assert(tables_find(s.tables, WS, RF_S("securityevent"), &s.arena, &def, &s.err) == RF_OK);
    cr_assert(rf_str_is(def.name, "SecurityEvent") && def.standard);
    cr_assert(rf_str_is(def.columns[def.column_count - 2].name, "TenantId"));
    cr_assert(rf_str_is(def.columns[def.column_count - 1].name, "Type"));
    cr_assert(tables_find(s.tables, WS, RF_S("Nothing"), &s.arena, &def, &s.err) == RF_NOT_FOUND);
    cr_assert(tables_find(s.tables, RF_S("../.."), RF_S("Syslog"), &s.arena, &def, &s.err) ==
              RF_NOT_FOUND);
    ASK("SecurityEvent | count", "0;");
    ASK("SecurityEvent | where EventID == 4624 | project Account, Type", "");
    ASK("search 'nothing' | count", "0;");
    stage_done(&s);
}

Test(tables, every_table_of_content_has_columns_of_different_names)
{
    struct content *content;
    struct rf_err err;
    uint32_t count;
    cr_assert(content_new(&content, &err) == RF_OK, "%s", err.text);
    const struct table_def *tables = content_tables(content, &count);
    cr_assert_gt(count, 300);
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t i = 0; i < tables[t].column_count; i++)
            for (uint32_t k = 0; k < i; k++)
                cr_assert(!rf_str_eq(tables[t].columns[i].name, tables[t].columns[k].name), "%.*s",
                          RF_FMT(tables[t].name));
    cr_assert(content_find(content, RF_S("ringforthardening")) != NULL);
    cr_assert(content_find(content, RF_S("ZZZ")) == NULL);
    content_free(content);
}

Test(tables, a_damaged_list_of_tables_is_told)
{
    static const char *const bad[] = {"A\n",       "A\tb:nothing\n",
                                      "A\tb\n",    "B\tb:int\nA\tb:int\n",
                                      "\tb:int\n", "a\tb:int\nA\tb:int\n"};
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        struct content *content;
        cr_assert(content_parse(rf_str_of(bad[i]), &content, &err) == RF_CORRUPT, "%s", bad[i]);
    }
}

Test(tables, a_table_gains_columns_and_keeps_its_rows)
{
    struct stage s;
    stage_init(&s, NULL);
    struct table_column more[] = {COLUMN("N", TYPE_LONG), COLUMN("Extra", TYPE_STRING)};
    struct table_column other[] = {COLUMN("N", TYPE_STRING)};
    define(&s, "T_CL", number_columns, 2);
    ASK("T_CL | count", "0;");
    put(&s, "T_CL", "[{\"N\":1,\"S\":\"a\"}]");
    define(&s, "T_CL", more, 2);
    ASK("T_CL | project N, S, Extra", "1 a ;");
    put(&s, "T_CL", "{\"N\":2,\"Extra\":\"x\"}");
    ASK("T_CL | sort by N asc | project N, S, Extra, Type, TenantId, TimeGenerated == now()",
        "1 a  T_CL 11111111-2222-3333-4444-555555555555 1;"
        "2  x T_CL 11111111-2222-3333-4444-555555555555 1;");
    ASK("T_CL | getschema | project ColumnName", "N;S;TimeGenerated;Extra;TenantId;Type;");
    struct table_def wrong = {.name = RF_S("T_CL"), .columns = other, .column_count = 1};
    cr_assert(tables_define(s.tables, WS, &wrong, &s.err) == RF_CONFLICT);
    cr_assert_str_eq(s.err.code, "ColumnTypeConflict");
    stage_done(&s);
}

/* A newer program knows more columns of a table than the files have. */
Test(tables, a_table_gains_columns_while_nobody_looks)
{
    struct stage s;
    stage_init(&s, NULL);
    struct table_column more[] = {COLUMN("N", TYPE_LONG), COLUMN("Extra", TYPE_STRING)};
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    tables_free(s.tables);
    stage_open(&s);
    rf_str nothing;
    cr_assert(ask_kind(&s, "T_CL", &nothing) == RF_INVALID, "nobody defined it yet");
    define(&s, "T_CL", more, 2);
    ASK("T_CL | project N, Extra", "1 ;");
    stage_done(&s);
}

Test(tables, a_dropped_table_is_gone_with_its_rows)
{
    struct stage s;
    stage_init(&s, NULL);
    struct table_column other[] = {COLUMN("N", TYPE_STRING)};
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    cr_assert(tables_drop(s.tables, WS, RF_S("t_cl"), &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(tables_drop(s.tables, WS, RF_S("T_CL"), &s.err) == RF_NOT_FOUND);
    cr_assert(tables_drop(s.tables, WS, RF_S("Syslog"), &s.err) == RF_INVALID);
    cr_assert(tables_append_json(s.tables, WS, RF_S("T_CL"), RF_S("{}"), NOW_TICKS, NULL, &s.err) ==
              RF_NOT_FOUND);
    define(&s, "T_CL", other, 1);
    ASK("T_CL | count", "0;");
    put(&s, "T_CL", "{\"N\":\"text\"}");
    ASK("T_CL | project N", "text;");
    stage_done(&s);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

Test(tables, values_find_their_types)
{
    struct stage s;
    stage_init(&s, NULL);
    static const struct table_column all[] = {COLUMN("B", TYPE_BOOL),    COLUMN("I", TYPE_INT),
                                              COLUMN("L", TYPE_LONG),    COLUMN("G", TYPE_GUID),
                                              COLUMN("D", TYPE_DYNAMIC), COLUMN("S", TYPE_STRING)};
    define(&s, "T_CL", all, RF_COUNT(all));
    uint64_t count = 0;
    rf_str json =
        RF_S("[{\"TimeGenerated\":\"2024-03-01T10:20:30Z\",\"B\":true,\"I\":\"7\",\"L\":8,"
             "\"D\":{\"a\":[1]},\"S\":\"zw\\u00f6lf\"},"
             "{\"TimeGenerated\":\"no time\",\"I\":\"x\",\"S\":5,\"Unknown\":{}},"
             "{\"TimeGenerated\":null,\"S\":null}]");
    cr_assert(tables_append_json(s.tables, WS, RF_S("T_CL"), json, NOW_TICKS, &count, &s.err) ==
              RF_OK);
    cr_assert_eq(count, 3);
    ASK("T_CL | sort by TimeGenerated asc, S | project TimeGenerated == datetime(2024-03-01 "
        "10:20:30), "
        "TimeGenerated == now(), B, I, L, G, tostring(D.a), S",
        "1 0 1 7 8 null [1] zw\xc3\xb6lf;0 1 null null null null  5;0 1 null null null null  ;");
    stage_done(&s);
}

Test(tables, the_two_names_of_the_time_agree)
{
    struct stage s;
    stage_init(&s, NULL);
    put(&s, "DeviceProcessEvents", "{\"Timestamp\":\"2024-03-01T10:20:30Z\",\"FileName\":\"a\"}");
    put(&s, "DeviceProcessEvents",
        "{\"TimeGenerated\":\"2024-03-02T10:20:30Z\",\"FileName\":\"b\"}");
    put(&s, "DeviceProcessEvents", "{\"FileName\":\"c\"}");
    ASK("DeviceProcessEvents | where TimeGenerated == Timestamp | summarize count(), "
        "dcount(Timestamp)",
        "3 3;");
    stage_done(&s);
}

Test(tables, bad_json_stores_nothing)
{
    struct stage s;
    stage_init(&s, NULL);
    define(&s, "T_CL", number_columns, 2);
    static const char *const bad[] = {"[{\"N\":1},7]", "{\"N\":1", "[{\"N\":1},{\"N\":}]",
                                      "nothing"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert(tables_append_json(s.tables, WS, RF_S("T_CL"), rf_str_of(bad[i]), NOW_TICKS, NULL,
                                     &s.err) == RF_INVALID,
                  "%s", bad[i]);
        cr_assert_str_eq(s.err.code, "BadJson");
    }
    ASK("T_CL | count", "0;");
    stage_done(&s);
}

Test(tables, rows_must_fit_the_table)
{
    struct stage s;
    stage_init(&s, NULL);
    define(&s, "T_CL", number_columns, 2);
    struct column columns[] = {{.name = RF_S("M"), .type = TYPE_LONG}};
    struct schema schema = {.columns = columns, .count = 1};
    struct rows_in rows = {.schema = &schema};
    cr_assert(tables_append(s.tables, WS, RF_S("T_CL"), &rows, &s.err) == RF_INVALID);
    cr_assert_str_eq(s.err.code, "UnknownColumn");
    columns[0] = (struct column){.name = RF_S("N"), .type = TYPE_INT};
    cr_assert(tables_append(s.tables, WS, RF_S("T_CL"), &rows, &s.err) == RF_CONFLICT);
    stage_done(&s);
}

Test(tables, a_query_sees_what_was_there_when_it_looked)
{
    struct stage s;
    stage_init(&s, NULL);
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    struct tables_view view, again;
    cr_assert(tables_view(s.tables, WS, &s.arena, &view, &s.err) == RF_OK);
    struct source *source = catalog_find(&view.catalog, RF_S("T_CL"));
    cr_assert(source_open(source, &s.err) == RF_OK);
    put(&s, "T_CL", "{\"N\":2}");
    cr_assert(tables_view(s.tables, WS, &s.arena, &again, &s.err) == RF_OK);
    struct answer answer = {.sink = {.begin = begin, .push = push, .end = end},
                            .text = rf_buf_in(&s.arena)};
    struct kql_request request = {.text = RF_S("T_CL | count"), .catalog = &view.catalog};
    struct kql_stats stats;
    cr_assert(kql_run(&request, &answer.sink, &stats, &s.err) == RF_OK);
    request.catalog = &again.catalog;
    cr_assert(kql_run(&request, &answer.sink, &stats, &s.err) == RF_OK);
    cr_assert_eq(answer.text.len, 4);
    cr_assert(memcmp(answer.text.ptr, "1;2;", 4) == 0);
    tables_release(s.tables, &view);
    tables_release(s.tables, &again);
    stage_done(&s);
}

/* Queries between two commits share one view. */
Test(tables, a_view_is_kept_until_the_next_commit)
{
    struct stage s;
    stage_init(&s, NULL);
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    cr_assert(entry_find(s.tables, WS, RF_S("T_CL"), &e, &s.err) == RF_OK);
    ASK("T_CL | count", "1;");
    struct table_view *first = e->view;
    cr_assert(first != NULL);
    ASK("T_CL | count", "1;");
    cr_assert(e->view == first);
    put(&s, "T_CL", "{\"N\":1}");
    cr_assert(e->view == NULL);
    ASK("T_CL | count", "2;");
    rf_clock_fixed_pass(&s.clock, TABLES_IDLE_USEC);
    tables_maintain(s.tables);
    cr_assert(e->view == NULL, "nobody asked for a while");
    cr_assert(e->writer == NULL);
    ASK("T_CL | count", "2;");
    entry_unref(e);
    e = NULL;
    stage_done(&s);
}

/* ---- many threads ------------------------------------------------------------------------------------------------------- */

struct sender {
    pthread_t thread;
    struct tables *tables;
    uint64_t seed;
    uint32_t size;
    uint64_t count, sum; /* of what was acknowledged */
};
static const char *const sender_tables[] = {"A_CL", "B_CL"};

static void *send_rows(void *ctx)
{
    struct sender *sender = ctx;
    struct rf_prng prng = {.state = sender->seed, .size = sender->size};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    for (uint32_t round = 0; round < 12; round++) {
        struct rf_buf json = rf_buf_in(&arena);
        uint64_t rows = rf_test_below(&prng, sender->size * 40), sum = 0, count = 0;
        rf_buf_byte(&json, '[');
        for (uint64_t i = 0; i < rows; i++) {
            uint64_t n = rf_test_below(&prng, 1000000);
            rf_buf_printf(&json, "%s{\"N\":%llu,\"S\":\"text %llu\\n\"}", i == 0 ? "" : ",",
                          (unsigned long long)n, (unsigned long long)(n % 7));
            sum += n;
        }
        rf_buf_byte(&json, ']');
        const char *table = sender_tables[rf_test_below(&prng, 2)];
        struct rf_err err;
        cr_assert(tables_append_json(sender->tables, WS, rf_str_of(table), rf_buf_view(&json),
                                     NOW_TICKS, &count, &err) == RF_OK,
                  "%s", err.text);
        cr_assert_eq(count, rows);
        sender->count += rows;
        sender->sum += sum;
        rf_arena_reset(&arena);
    }
    return NULL;
}

RF_PROP(rows_of_many_threads_are_all_there, 8)
{
    enum { SENDERS = 6 };
    struct stage s;
    struct sender senders[SENDERS];
    uint64_t count = 0, sum = 0;
    stage_init(&s, NULL);
    define(&s, "A_CL", number_columns, 2);
    define(&s, "B_CL", number_columns, 2);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){
            .tables = s.tables, .seed = rf_test_u64(prng), .size = (uint32_t)prng->size};
        cr_assert(pthread_create(&senders[i].thread, NULL, send_rows, &senders[i]) == 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        (void)ask(&s, "union A_CL, B_CL | summarize count()");
        pthread_join(senders[i].thread, NULL);
        count += senders[i].count;
        sum += senders[i].sum;
    }
    char expected[100];
    (void)snprintf(expected, sizeof expected, "%llu %llu;", (unsigned long long)count,
                   (unsigned long long)sum);
    const char *query = "union A_CL, B_CL | where S == strcat('text ', N % 7, '\\n') "
                        "| summarize count(), coalesce(sum(N), 0)";
    ASK(query, expected);
    /* Merged, and opened anew, they are the same. */
    rf_clock_fixed_pass(&s.clock, TABLES_IDLE_USEC);
    tables_maintain(s.tables);
    ASK(query, expected);
    tables_free(s.tables);
    stage_open(&s);
    define(&s, "A_CL", number_columns, 2);
    define(&s, "B_CL", number_columns, 2);
    ASK(query, expected);
    stage_done(&s);
}

/* ---- failures -------------------------------------------------------------------------------------------------------------- */

/* What a killed process acknowledged is there; at most what was under way is there too. */
Test(tables, acknowledged_rows_survive_a_kill)
{
    struct stage s;
    stage_init(&s, NULL);
    tables_free(s.tables);
    int pipes[2];
    cr_assert(pipe(pipes) == 0);
    pid_t child = fork();
    if (child == 0) {
        stage_open(&s);
        define(&s, "T_CL", number_columns, 2);
        for (int i = 0;; i++) {
            char json[64];
            (void)snprintf(json, sizeof json, "{\"N\":%d}", i);
            put(&s, "T_CL", json);
            if (write(pipes[1], "x", 1) != 1) _exit(1);
        }
    }
    close(pipes[1]);
    char acks[40];
    size_t got = 0;
    while (got < sizeof acks) {
        ssize_t n = read(pipes[0], acks, sizeof acks - got);
        cr_assert(n > 0);
        got += (size_t)n;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ssize_t more = read(pipes[0], acks, sizeof acks); /* acknowledged before the kill came */
    long long acked = (long long)got + (more > 0 ? more : 0);
    stage_open(&s);
    define(&s, "T_CL", number_columns, 2);
    long long there = atoll(ask(&s, "T_CL | count"));
    cr_assert(there >= acked, "%lld of %lld rows", there, acked);
    ASK("T_CL | summarize count() == max(N) + 1 and dcount(N, 4) == count()", "1;");
    close(pipes[0]);
    stage_done(&s);
}

Test(tables, a_failed_commit_is_told_and_the_next_one_stands)
{
    struct stage s;
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    stage_init(&s, rf_fs_fault_fs(fault));
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    uint32_t failed = 0;
    for (uint64_t nth = 0; nth < 12; nth++) {
        rf_fs_fault_fail_at(fault, nth + 1, EIO, false);
        failed += tables_append_json(s.tables, WS, RF_S("T_CL"), RF_S("{\"N\":100}"), NOW_TICKS,
                                     NULL, &s.err) != RF_OK;
        rf_fs_fault_fail_at(fault, 0, EIO, false);
    }
    cr_assert_gt(failed, 0);
    put(&s, "T_CL", "{\"N\":3}");
    ASK("T_CL | where N < 100 | summarize count(), sum(N)", "2 4;");
    /* A failed sync leaves open whether its rows come back, never more of them than were sent. */
    ASK("T_CL | where N == 100 | summarize count() <= 11", "1;");
    stage_done(&s);
    rf_fs_fault_free(fault);
}

Test(tables, old_rows_go_when_their_time_is_over)
{
    struct stage s;
    stage_init(&s, NULL);
    struct table_def def = {.name = RF_S("T_CL"),
                            .columns = number_columns,
                            .column_count = 2,
                            .retention_ticks = 30 * TICKS_PER_DAY};
    cr_assert(tables_define(s.tables, WS, &def, &s.err) == RF_OK);
    put(&s, "T_CL", "{\"N\":1}");
    rf_clock_fixed_pass(&s.clock, 2 * TABLES_RETENTION_USEC);
    tables_maintain(s.tables);
    ASK("T_CL | count", "1;");
    rf_clock_fixed_pass(&s.clock, 31 * 24 * 3600 * RF_USEC_PER_SECOND);
    tables_maintain(s.tables);
    ASK("T_CL | count", "0;");
    stage_done(&s);
}

/* A deletion that was cut short leaves files; a new table of that name must not find them. */
Test(tables, a_table_can_be_cleared_before_it_is_defined)
{
    struct stage s;
    stage_init(&s, NULL);
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    cr_assert(tables_clear(s.tables, WS, RF_S("T_CL"), &s.err) == RF_OK);
    ASK("T_CL | count", "1;");
    tables_free(s.tables);
    stage_open(&s);
    cr_assert(tables_clear(s.tables, WS, RF_S("T_CL"), &s.err) == RF_OK, "%s", s.err.text);
    define(&s, "T_CL", number_columns, 2);
    ASK("T_CL | count", "0;");
    stage_done(&s);
}

Test(tables, a_dropped_workspace_may_come_again)
{
    struct stage s;
    stage_init(&s, NULL);
    define(&s, "T_CL", number_columns, 2);
    put(&s, "T_CL", "{\"N\":1}");
    put(&s, "Syslog", "{\"HostName\":\"a\"}");
    ASK("Syslog | count", "1;");
    cr_assert(tables_drop_workspace(s.tables, WS, &s.err) == RF_OK, "%s", s.err.text);
    ASK("Syslog | count", "0;");
    struct table_def def;
    cr_assert(tables_find(s.tables, WS, RF_S("T_CL"), &s.arena, &def, &s.err) == RF_NOT_FOUND);
    put(&s, "Syslog", "{\"HostName\":\"b\"}");
    ASK("Syslog | project HostName", "b;");
    define(&s, "T_CL", number_columns, 2);
    ASK("T_CL | count", "0;");
    stage_done(&s);
}

/* ---- what comes in --------------------------------------------------------------------------------------------------------- */

Test(tables, tell_what_comes_in)
{
    struct stage s;
    struct table_activity *list;
    uint32_t count;
    uint64_t rows;
    stage_init(&s, NULL);
    rf_usec start = rf_clock_now(&s.clock.clock);
    int64_t day_ago = NOW_TICKS - TICKS_PER_DAY;
    cr_assert(tables_activity(s.tables, WS, day_ago, &s.arena, &list, &count, &s.err) == RF_OK);
    cr_assert(count == 0);
    define(&s, "T_CL", number_columns, 2);
    for (int i = 0; i < 3; i++) {
        rf_str two = RF_S("[{\"N\":1},{\"N\":2}]");
        cr_assert(tables_append_json(s.tables, WS, RF_S("T_CL"), two,
                                     NOW_TICKS + i * 10 * TICKS_PER_SECOND, NULL, &s.err) == RF_OK);
        rf_clock_fixed_pass(&s.clock, (i == 0 ? 80 : 8) * RF_USEC_PER_SECOND);
    }
    cr_assert(tables_rows_committed(s.tables, WS, &rows, &s.err) == RF_OK && rows == 6);
    cr_assert(tables_activity(s.tables, WS, day_ago, &s.arena, &list, &count, &s.err) == RF_OK);
    cr_assert(count == 1 && rf_str_is(list[0].name, "T_CL"));
    cr_assert(list[0].row_count == 6 && list[0].rows_since == 6 && list[0].disk_bytes > 0);
    cr_assert(list[0].commits == 3 && !list[0].is_estimate);
    cr_assert(list[0].last == start + 88 * RF_USEC_PER_SECOND);
    cr_assert(list[0].pause_usec == 70 * RF_USEC_PER_SECOND, "80 less an eighth: %lld",
              (long long)list[0].pause_usec);
    /* Rows that lie across the limit are shared out. */
    int64_t since = list[0].time_min + (list[0].time_max - list[0].time_min) / 2;
    cr_assert(tables_activity(s.tables, WS, since, &s.arena, &list, &count, &s.err) == RF_OK);
    cr_assert(list[0].is_estimate && list[0].rows_since == 3);
    cr_assert(tables_activity(s.tables, WS, list[0].time_max + 1, &s.arena, &list, &count,
                              &s.err) == RF_OK);
    cr_assert(list[0].rows_since == 0 && !list[0].is_estimate);
    /* After a start the counts begin anew, and the store is as it was. */
    tables_free(s.tables);
    stage_open(&s);
    define(&s, "T_CL", number_columns, 2);
    cr_assert(tables_activity(s.tables, WS, day_ago, &s.arena, &list, &count, &s.err) == RF_OK);
    cr_assert(count == 1 && list[0].row_count == 6 && list[0].commits == 0 && list[0].last == 0);
    stage_done(&s);
}
