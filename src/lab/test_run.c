/* test_run.c - one test: its world is made, its recordings are played, and what came of it is compared. */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/fs.h"
#include "lab/recording.h"
#include "lab/schemas.h"
#include "lab/test.h"
#include "store/reader_stream.h"

enum { DATA_MAX = 200 };
#define STEP_DEFAULT RF_USEC_PER_SECOND
#define START_DEFAULT INT64_C(1704067200) /* seconds: 2024-01-01 */
#define START_WHOLE (300 * RF_USEC_PER_SECOND)
#define SPAN_MAX (400 * INT64_C(86400) * RF_USEC_PER_SECOND)

/* A test while it runs. */
struct run {
    const struct lab_test *test;
    const struct lab_test_options *options;
    struct rf_arena *arena;
    struct lab_result *result;
    struct lab_functions functions;
    struct lab_watchlists lists;
    struct lab_rules rules;
    struct lab_world *world;
    struct lab_recording *recordings;
    const struct json_node **entries; /* of `data`, by recording */
    uint32_t recording_count;
    struct lab_tape tape;
    rf_usec start, end, step, delay;
    bool has_start, has_end;
};

/* Something of the test file is at fault. */
#define BAD(r, node, ...)                                                                          \
    (lab_message_add((r)->result, (r)->arena, (node) == NULL ? (r)->test->line : (node)->line,     \
                     __VA_ARGS__),                                                                 \
     false)

static const char *beside(struct run *r, rf_str path)
{
    return lab_path_beside(r->arena, r->test->path, path);
}

/* ---- words and lists ---------------------------------------------------------------------------------------------------- */

/* Calls `each` with every text of a list, or the one text. */
static bool each_text(struct run *r, const char *member,
                      bool (*each)(struct run *r, const struct json_node *node))
{
    const struct json_node *node = lab_test_get(r->test, member);
    if (node == NULL) return true;
    if (json_is(node, JSON_T_STRING)) return each(r, node);
    if (!json_is(node, JSON_T_ARRAY)) return BAD(r, node, "'%s' is a list of paths", member);
    for (const struct json_node *n = node->first; n != NULL; n = n->next) {
        if (!json_is(n, JSON_T_STRING)) return BAD(r, n, "'%s' is a list of paths", member);
        if (!each(r, n)) return false;
    }
    return true;
}

static bool duration_at(struct run *r, const struct json_node *object, const char *name,
                        rf_usec *out)
{
    const struct json_node *node = json_get(object, name);
    if (node == NULL || lab_parse_duration(node->text, out)) return true;
    return BAD(r, node, "'%s' is a duration such as 30s, 5m, 1h30m, 14d", name);
}

static bool needs_path(struct run *r, const struct json_node *node)
{
    const char *path = beside(r, node->text);
    if (path == NULL || rf_fs_exists(rf_fs_real(), path)) return true;
    r->result->status = LAB_SKIPPED;
    r->result->why = rf_arena_printf(r->arena, "%s is not there", path);
    return false;
}

static bool add_functions(struct run *r, const struct json_node *node)
{
    struct rf_err err = {0};
    const char *path = beside(r, node->text);
    if (path == NULL || lab_functions_add(&r->functions, path, &err) != RF_OK)
        return BAD(r, node, "functions: %s", err.text);
    lab_functions_drop(&r->functions, "_GetWatchlist"); /* there are real ones here */
    lab_functions_drop(&r->functions, "_GetWatchlistAlias");
    return true;
}

static bool add_rules(struct run *r, const struct json_node *node)
{
    struct rf_err err = {0};
    const char *path = beside(r, node->text);
    if (path != NULL && lab_rules_add(&r->rules, path, &err) == RF_OK) return true;
    if (err.line > 0) return BAD(r, node, "rules: %s (line %u)", err.text, err.line);
    return BAD(r, node, "rules: %s", err.text);
}

static bool add_schemas(struct run *r, const struct json_node *node)
{
    struct rf_err err = {0};
    const char *path = beside(r, node->text);
    if (path != NULL && lab_schemas_add(r->world, path, &err) == RF_OK) return true;
    return BAD(r, node, "schemas: %s", err.text);
}

/* ---- watchlists --------------------------------------------------------------------------------------------------------- */

static bool add_list(struct run *r, const struct json_node *node)
{
    static const char *const names[] = {"alias", "file", "key", "items", NULL};
    struct rf_err err = {0};
    const struct json_node *items = json_get(node, "items");
    rf_str file = json_text_at(node, "file"), alias = json_text_at(node, "alias"),
           key = json_text_at(node, "key");
    if (!lab_check_members(node, names, "a watchlist", r->result, r->arena)) return false;
    enum rf_kind kind = RF_INVALID;
    if (file.len > 0)
        kind = lab_watchlists_add_file(&r->lists, beside(r, file), alias, key, &err);
    else if (json_is(items, JSON_T_ARRAY) && alias.len > 0)
        kind = lab_watchlists_add_items(&r->lists, alias, key, items, &err);
    else
        return BAD(r, node, "a watchlist has a file, or an alias and items");
    return kind == RF_OK ? true : BAD(r, node, "watchlists: %s", err.text);
}

static bool add_lists(struct run *r)
{
    struct rf_err err = {0};
    const struct json_node *lists = lab_test_get(r->test, "watchlists");
    if (lists == NULL) return true;
    if (json_is(lists, JSON_T_STRING)) {
        if (lab_watchlists_add(&r->lists, beside(r, lists->text), &err) == RF_OK) return true;
        return BAD(r, lists, "watchlists: %s", err.text);
    }
    if (!json_is(lists, JSON_T_ARRAY))
        return BAD(r, lists, "'watchlists' is a folder or a list of {alias, file, key}");
    for (const struct json_node *n = lists->first; n != NULL; n = n->next)
        if (!add_list(r, n)) return false;
    return true;
}

/* ---- the clock ---------------------------------------------------------------------------------------------------------- */

static bool read_clock(struct run *r)
{
    static const char *const names[] = {"start", "end", "delay", "step", NULL};
    const struct json_node *clock = lab_test_get(r->test, "clock");
    const struct json_node *start = json_get(clock, "start"), *end = json_get(clock, "end");
    r->step = STEP_DEFAULT;
    if (!lab_check_members(clock, names, "'clock'", r->result, r->arena)) return false;
    if (!duration_at(r, clock, "delay", &r->delay) || !duration_at(r, clock, "step", &r->step))
        return false;
    if (r->step < 1 || r->delay < 0)
        return BAD(r, clock, "a step or delay of the clock is positive");
    if (start != NULL && !lab_parse_time(start->text, &r->start))
        return BAD(r, start, "'start' is a time such as 2024-05-31T10:00:00Z");
    r->has_start = start != NULL;
    rf_usec span;
    r->has_end = end != NULL;
    if (end == NULL || lab_parse_time(end->text, &r->end)) return true;
    if (!lab_parse_duration(end->text, &span) || span < 0)
        return BAD(r, end, "'end' is a time, or a duration from the start");
    if (!r->has_start) return BAD(r, end, "an 'end' that is a duration needs a 'start'");
    r->end = r->start + span;
    return true;
}

/* ---- data --------------------------------------------------------------------------------------------------------------- */

static const char *const data_names[] = {"file",  "rows",   "table",      "time",     "transform",
                                         "shift", "arrive", "duplicates", "optional", NULL};

/* Rows that stand in the test go through a file, as all others. */
static const char *write_rows(struct run *r, const struct json_node *rows, struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(r->arena);
    rf_str path = rf_arena_printf(r->arena, "%s/rows-%u.jsonl", lab_world_folder(r->world),
                                  r->recording_count);
    for (const struct json_node *row = rows->first; row != NULL; row = row->next) {
        json_print(&text, row);
        rf_buf_byte(&text, '\n');
    }
    const char *name = (const char *)path.ptr;
    if (name == NULL || text.failed) {
        (void)rf_fail_memory(err, r->arena);
        return NULL;
    }
    enum rf_kind kind = rf_fs_replace(rf_fs_real(), name, rf_buf_view(&text), err);
    return kind == RF_OK ? name : NULL;
}

/* `time`: a column, or several of which the first with a value counts. */
static bool read_times(struct run *r, const struct json_node *node, struct lab_source *out)
{
    const struct json_node *time = json_get(node, "time");
    bool listed = json_is(time, JSON_T_ARRAY);
    uint32_t n = 0;
    if (time == NULL) return true;
    if (!listed && !json_is(time, JSON_T_STRING))
        return BAD(r, time, "'time' is a column, or a list of columns");
    rf_str *names = rf_arena_new(r->arena, rf_str, listed ? time->count : 1);
    if (names == NULL) return BAD(r, time, "no memory");
    if (!listed) names[n++] = time->text;
    for (const struct json_node *t = listed ? time->first : NULL; t != NULL; t = t->next)
        names[n++] = t->text;
    out->times = names;
    out->time_count = n;
    return true;
}

static bool read_recording(struct run *r, const struct json_node *node)
{
    struct rf_err err = {0};
    const struct json_node *rows = json_get(node, "rows");
    rf_str file = json_text_at(node, "file"), table = json_text_at(node, "table");
    if (!lab_check_members(node, data_names, "an entry of 'data'", r->result, r->arena))
        return false;
    if ((file.len > 0) == (rows != NULL) || (rows != NULL && !json_is(rows, JSON_T_ARRAY)))
        return BAD(r, node, "an entry of 'data' has a 'file' or a list of 'rows'");
    const char *path = file.len > 0 ? beside(r, file) : write_rows(r, rows, &err);
    if (path == NULL) return BAD(r, node, "data: %s", err.text);
    if (json_bool_at(node, "optional", false) && !rf_fs_exists(rf_fs_real(), path)) return true;
    if (table.len == 0) table = reader_table_name(rf_str_of(path), r->arena);
    if (rows != NULL && json_text_at(node, "table").len == 0)
        return BAD(r, node, "rows that stand here need a 'table'");
    struct lab_source from = {.table = table,
                              .path = path,
                              .transform = json_text_at(node, "transform"),
                              .functions = &r->functions};
    struct lab_recording *out = &r->recordings[r->recording_count];
    if (!read_times(r, node, &from)) return false;
    if (lab_recording_read(r->world, &from, r->arena, out, &err) != RF_OK)
        return BAD(r, node, "data: %.*s: %s", RF_FMT(file.len > 0 ? file : table), err.text);
    r->entries[r->recording_count++] = node;
    return true;
}

static bool read_data(struct run *r)
{
    const struct json_node *data = lab_test_get(r->test, "data");
    r->recordings = rf_arena_new(r->arena, struct lab_recording, DATA_MAX);
    r->entries = rf_arena_new(r->arena, const struct json_node *, DATA_MAX);
    if (r->recordings == NULL || r->entries == NULL) return BAD(r, data, "no memory");
    if (data == NULL) return true;
    if (!json_is(data, JSON_T_ARRAY)) return BAD(r, data, "'data' is a list of {file, table ...}");
    if (data->count > DATA_MAX) return BAD(r, data, "'data' has at most %d entries", DATA_MAX);
    for (const struct json_node *n = data->first; n != NULL; n = n->next)
        if (!read_recording(r, n)) return false;
    return true;
}

static bool read_number(struct run *r, const struct json_node *object, const char *name,
                        int64_t *out)
{
    const struct json_node *node = json_get(object, name);
    if (node == NULL || (json_i64_at(object, name, out) && *out >= 0)) return true;
    return BAD(r, node, "'%s' is a whole number from 0 on", name);
}

/* `arrive`: a delay, or {delay, jitter, seed, column}. */
static bool read_arrive(struct run *r, const struct lab_recording *recording,
                        const struct json_node *node, struct lab_arrival *out)
{
    static const char *const names[] = {"delay", "jitter", "seed", "column", NULL};
    int64_t seed = 0;
    if (node == NULL) return true;
    if (!json_is(node, JSON_T_OBJECT))
        return lab_parse_duration(node->text, &out->delay)
                   ? true
                   : BAD(r, node,
                         "'arrive' is a delay such as 5m, or {delay, jitter, seed, column}");
    if (!lab_check_members(node, names, "'arrive'", r->result, r->arena)) return false;
    if (!duration_at(r, node, "delay", &out->delay) ||
        !duration_at(r, node, "jitter", &out->jitter) || !read_number(r, node, "seed", &seed))
        return false;
    out->seed = (uint64_t)seed;
    rf_str column = json_text_at(node, "column");
    if (column.len == 0) return true;
    out->column = schema_find(&recording->schema, column);
    if (out->column >= 0 && recording->schema.columns[out->column].type == TYPE_DATETIME)
        return true;
    return BAD(r, node, "'%.*s' is no column of times of the table '%.*s'", RF_FMT(column),
               RF_FMT(recording->table));
}

/* `duplicates`: a number, or {every, after}. */
static bool read_duplicates(struct run *r, const struct json_node *node, struct lab_arrival *out)
{
    static const char *const names[] = {"every", "after", NULL};
    int64_t every = 1;
    if (node == NULL) return true;
    if (!lab_check_members(node, names, "'duplicates'", r->result, r->arena)) return false;
    if (!json_is(node, JSON_T_OBJECT))
        return BAD(r, node, "'duplicates' is {every: 3, after: 10m}: every third row comes again");
    if (!read_number(r, node, "every", &every) || !duration_at(r, node, "after", &out->again_after))
        return false;
    out->again_every = (uint32_t)RF_MIN(every, INT64_C(1000000000));
    return true;
}

/* `shift`: a duration, none, or to-start, which lays the first row of all recordings that say so on the clock's start. */
static bool read_shift(struct run *r, const struct json_node *node, rf_usec first, rf_usec *out)
{
    if (node == NULL || rf_str_is(node->text, "none")) return true;
    if (rf_str_is(node->text, "to-start")) {
        *out = first == INT64_MAX ? 0 : r->start - first;
        return true;
    }
    if (lab_parse_duration(node->text, out)) return true;
    return BAD(r, node, "'shift' is none, to-start, or a duration such as 2h or -30m");
}

static bool is_to_start(const struct json_node *entry)
{
    return rf_str_is(json_text_at(entry, "shift"), "to-start");
}

/* The clock starts where the data does unless it says otherwise. */
static void find_start(struct run *r, rf_usec *first_moved)
{
    rf_usec first = INT64_MAX;
    *first_moved = INT64_MAX;
    for (uint32_t i = 0; i < r->recording_count; i++) {
        const struct lab_recording *recording = &r->recordings[i];
        if (recording->first > recording->last) continue;
        if (is_to_start(r->entries[i]))
            *first_moved = RF_MIN(*first_moved, recording->first);
        else
            first = RF_MIN(first, recording->first);
    }
    if (r->has_start) return;
    r->start = START_DEFAULT * RF_USEC_PER_SECOND;
    if (first != INT64_MAX) r->start = first - first % START_WHOLE;
}

static bool make_tape(struct run *r, rf_usec first_moved)
{
    struct rf_err err = {0};
    r->tape = (struct lab_tape){.arena = r->arena};
    for (uint32_t i = 0; i < r->recording_count; i++) {
        const struct json_node *entry = r->entries[i];
        struct lab_arrival arrival = {.column = -1};
        if (!read_shift(r, json_get(entry, "shift"), first_moved, &arrival.shift) ||
            !read_arrive(r, &r->recordings[i], json_get(entry, "arrive"), &arrival) ||
            !read_duplicates(r, json_get(entry, "duplicates"), &arrival))
            return false;
        if (lab_tape_add(&r->tape, &r->recordings[i], &arrival, r->start, r->step, &err) != RF_OK)
            return BAD(r, entry, "data: %s", err.text);
    }
    lab_tape_sort(&r->tape);
    return true;
}

/* ---- rules -------------------------------------------------------------------------------------------------------------- */

static void replace_rules(struct run *r)
{
    const struct lab_rules *instead = r->options->instead;
    uint32_t kept = 0;
    if (instead == NULL) return;
    for (uint32_t i = 0; i < r->rules.count; i++) {
        const struct lab_rule *other = lab_rules_like(instead, &r->rules.items[i]);
        if (other == NULL) continue;
        rf_str name = r->rules.items[i].name;
        r->rules.items[kept] = *other;
        r->rules.items[kept++].name = name; /* both versions have one id */
    }
    r->rules.count = kept;
}

static bool put_rules(struct run *r)
{
    struct lab_result *result = r->result;
    bool good = true;
    result->rules = rf_arena_new(r->arena, struct lab_rule_use, r->rules.count);
    if (result->rules == NULL) return BAD(r, r->test->node, "no memory");
    for (uint32_t i = 0; i < r->rules.count; i++) {
        struct rf_err err = {0};
        struct lab_rule_use *use = &result->rules[result->rule_count++];
        *use = (struct lab_rule_use){.rule = &r->rules.items[i]};
        if (lab_world_reads(r->world, use->rule->rule.query, r->arena, &use->reads,
                            &use->read_count, &err) != RF_OK) {
            use->reads = NULL;
            use->problem = rf_arena_printf(r->arena, "%s", err.text);
        }
        if (lab_world_add_rule(r->world, use->rule->document, use->rule->name, &err) == RF_OK)
            continue;
        lab_message_add(result, r->arena, 0, "%s", err.text);
        if (result->message_count > 0) {
            struct lab_message *last = &result->messages[result->message_count - 1];
            last->file = use->rule->path;
            last->line = err.line > 0 ? err.line : use->rule->rule.query_line;
        }
        good = false;
    }
    return good;
}

/* Long enough for the run that sees the last row. */
static void find_end(struct run *r)
{
    rf_usec last = r->start, longest = 120 * RF_USEC_PER_SECOND;
    if (r->has_end) return;
    if (r->tape.event_count > 0) last = r->tape.events[r->tape.event_count - 1].at;
    for (uint32_t i = 0; i < r->rules.count; i++) {
        const struct rule *rule = &r->rules.items[i].rule;
        rf_usec frequency = rule->frequency_ticks / TICKS_PER_MICROSECOND;
        longest = RF_MAX(longest, frequency);
    }
    r->end = last + longest + (r->delay > 0 ? r->delay : 30 * RF_USEC_PER_SECOND);
}

/* ---- what came of it ------------------------------------------------------------------------------------------------------ */

static void note_runs(struct run *r)
{
    uint32_t count;
    const struct lab_runs *runs = lab_world_runs(r->world, &count);
    for (uint32_t u = 0; u < r->result->rule_count; u++) {
        struct lab_rule_use *use = &r->result->rules[u];
        for (uint32_t i = 0; i < count; i++) {
            if (!rf_str_eq(runs[i].rule, use->rule->name)) continue;
            use->runs = runs[i].runs;
            use->rows_max = runs[i].rows_max;
            use->failures = runs[i].failures;
            if (runs[i].failures == 0) continue;
            lab_message_add(r->result, r->arena, 0,
                            "a run failed (%llu of %llu), at %.*s first: %.*s",
                            (unsigned long long)runs[i].failures, (unsigned long long)runs[i].runs,
                            RF_FMT(runs[i].failed_at), RF_FMT(runs[i].text));
            struct lab_message *last = &r->result->messages[r->result->message_count - 1];
            last->file = use->rule->path;
            last->line = use->rule->rule.query_line;
        }
    }
}

static void count_for_rules(struct run *r, const struct json_node *list, bool incidents)
{
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        for (uint32_t i = 0; i < r->result->rule_count; i++) {
            struct lab_rule_use *use = &r->result->rules[i];
            if (!rf_str_eq_nocase(json_text_at(n, "rule"), use->rule->name)) continue;
            if (incidents)
                use->incidents++;
            else
                use->alerts++;
        }
}

static void note_data(struct run *r)
{
    struct lab_result *result = r->result;
    result->data = rf_arena_new(r->arena, struct lab_table_data, r->recording_count);
    for (uint32_t i = 0; i < r->recording_count && result->data != NULL; i++) {
        const struct lab_recording *recording = &r->recordings[i];
        struct lab_table_data *data = &result->data[result->data_count++];
        *data = (struct lab_table_data){
            .table = recording->table,
            .rows = rows_count(recording->rows),
            .columns = rf_arena_new(r->arena, rf_str, recording->schema.count)};
        for (uint32_t c = 0; c < recording->schema.count && data->columns != NULL; c++)
            if (recording->filled[c])
                data->columns[data->column_count++] = recording->schema.columns[c].name;
    }
}

static void judge(struct run *r)
{
    struct rf_err err = {0};
    struct lab_result *result = r->result;
    if (lab_world_outcome(r->world, r->arena, &result->outcome, &err) != RF_OK) {
        (void)BAD(r, r->test->node, "%s", err.text);
        return;
    }
    count_for_rules(r, json_get(result->outcome, "incidents"), true);
    count_for_rules(r, json_get(result->outcome, "alerts"), false);
    note_data(r);
    note_runs(r);
    const struct json_node *expect = lab_test_get(r->test, "expect");
    result->expected = lab_expectation(expect, r->world, result->outcome, r->arena);
    if (!r->options->compare) return;
    if (expect == NULL)
        (void)BAD(r, r->test->node,
                  "the test expects nothing: 'expect' is missing; --update writes it");
    else
        lab_match(expect, expect->line, r->world, result, r->arena);
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------- */

static bool check_members(struct run *r)
{
    static const char *const file_names[] = {
        "name",    "description", "rules",  "data",  "clock", "watchlists", "functions",
        "schemas", "needs",       "expect", "cases", "tags",  NULL};
    bool good = lab_check_members(r->test->file, file_names, "a test", r->result, r->arena);
    if (r->test->node != r->test->file)
        good &= lab_check_members(r->test->node, file_names, "a case", r->result, r->arena);
    return good;
}

static bool make_world(struct run *r)
{
    struct rf_err err = {0};
    const struct lab_world_options options = {
        .start = 0, .delay = r->delay, .functions = &r->functions, .lists = &r->lists};
    if (lab_world_new(&options, &r->world, &err) == RF_OK) return true;
    return BAD(r, r->test->node, "%s", err.text);
}

static bool set_scene(struct run *r)
{
    rf_usec first_moved;
    if (!read_clock(r) || !add_lists(r) || !each_text(r, "functions", add_functions) ||
        !each_text(r, "rules", add_rules))
        return false;
    if (r->rules.count == 0)
        return BAD(r, r->test->node, "the test names no rules: 'rules' is missing");
    replace_rules(r);
    if (!make_world(r) || !each_text(r, "schemas", add_schemas) || !read_data(r)) return false;
    find_start(r, &first_moved);
    if (!lab_world_set_clock(r->world, r->start))
        return BAD(r, lab_test_get(r->test, "clock"), "the clock cannot start there");
    if (!make_tape(r, first_moved)) return false;
    find_end(r);
    if (r->end < r->start || r->end - r->start > SPAN_MAX)
        return BAD(
            r, lab_test_get(r->test, "clock"),
            "the clock runs from its start to its end, at most 400 days; 'shift' moves data");
    return true;
}

static bool play(struct run *r)
{
    struct rf_err err = {0};
    if (!put_rules(r)) return false;
    if (lab_tape_play(&r->tape, r->world, r->end, &err) == RF_OK) return true;
    return BAD(r, r->test->node, "%s", err.text);
}

void lab_test_run(const struct lab_test *test, const struct lab_test_options *options,
                  struct rf_arena *arena, struct lab_result *out)
{
    struct run run = {.test = test,
                      .options = options,
                      .arena = arena,
                      .result = out,
                      .functions = {.arena = arena},
                      .lists = {.arena = arena},
                      .rules = {.arena = arena}};
    *out = (struct lab_result){.status = LAB_BROKEN};
    if (test->file == NULL) {
        lab_message_add(out, arena, test->problem.line, "%s", test->problem.text);
        return;
    }
    if (!check_members(&run) || !each_text(&run, "needs", needs_path)) return;
    if (set_scene(&run) && play(&run)) {
        judge(&run);
        out->status = out->message_count == 0 ? LAB_PASSED : LAB_FAILED;
    }
    out->start = run.start;
    out->end = run.end;
    lab_world_free(run.world);
}
