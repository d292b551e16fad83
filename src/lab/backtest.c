#include "lab/backtest.h"

#include <stdlib.h>

#include "base/encode.h"
#include "kql/ast.h"
#include "lab/recording.h"
#include "lab/schemas.h"
#include "lab/test.h"
#include "lab/world_int.h"

enum { DAYS_MAX = 800, ENTITIES_SHOWN = 10 };
#define DAY (INT64_C(86400) * RF_USEC_PER_SECOND)
#define START_WHOLE (300 * RF_USEC_PER_SECOND)
#define SHORT_SPAN (2 * DAY)

struct run {
    const struct lab_backtest *b;
    struct rf_arena *arena;
    struct lab_recording *recordings;
    uint32_t recording_count;
    rf_str *problems; /* by rule; empty: it runs */
    rf_usec from, to, longest, period;
};

/* ---- what is to be read ------------------------------------------------------------------------------------------------- */

static enum rf_kind define_source(struct lab_world *world, struct source *source,
                                  struct rf_arena *arena, struct rf_err *err)
{
    struct table_def known;
    enum rf_kind kind = lab_world_table(world, source->name, &known, err);
    if (kind != RF_NOT_FOUND) return kind;
    RF_TRY(source_open(source, err));
    struct table_column *columns = rf_arena_new(arena, struct table_column, source->column_count);
    struct table_def def = {.name = source->name, .columns = columns};
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < source->column_count; i++)
        if (source->columns[i].name.len > 0 && source->columns[i].name.ptr[0] != '$' &&
            !rf_str_is(source->columns[i].name, "TenantId") &&
            !rf_str_is(source->columns[i].name, "Type"))
            columns[def.column_count++] = (struct table_column){.name = source->columns[i].name,
                                                                .type = source->columns[i].type};
    return lab_world_define(world, &def, err);
}

static enum rf_kind open_world(struct run *r, bool no_suppression, rf_usec start,
                               struct lab_world **out, struct rf_err *err)
{
    const struct lab_world_options options = {.start = start,
                                              .delay = r->b->delay,
                                              .functions = r->b->functions,
                                              .lists = r->b->lists,
                                              .no_suppression = no_suppression};
    struct lab_world *world;
    RF_TRY(lab_world_new(&options, &world, err));
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < r->b->schema_count && kind == RF_OK; i++)
        kind = lab_schemas_add(world, r->b->schemas[i], err);
    for (uint32_t i = 0; i < r->b->source_count && kind == RF_OK; i++)
        kind = define_source(world, r->b->sources[i], r->arena, err);
    if (kind != RF_OK) {
        lab_world_free(world);
        return kind;
    }
    *out = world;
    return RF_OK;
}

/* Marks the sources whose tables some rule reads; notes rules that cannot be run. */
static enum rf_kind find_reads(struct run *r, struct lab_world *world, bool *wanted,
                               struct rf_err *err)
{
    for (uint32_t i = 0; i < r->b->rules->count; i++) {
        const struct rule *rule = &r->b->rules->items[i].rule;
        struct rf_err why = {0};
        struct lab_read *reads;
        uint32_t count;
        if (lab_world_reads(world, rule->query, r->arena, &reads, &count, &why) != RF_OK) {
            r->problems[i] = rf_arena_printf(r->arena, "%s", why.text);
            if (r->problems[i].ptr == NULL) return rf_fail_memory(err, r->arena);
            continue;
        }
        r->longest = RF_MAX(r->longest, rule->frequency_ticks / TICKS_PER_MICROSECOND);
        r->period = RF_MAX(r->period, rule->period_ticks / TICKS_PER_MICROSECOND);
        for (uint32_t k = 0; k < count; k++)
            for (uint32_t s = 0; s < r->b->source_count; s++)
                wanted[s] |= rf_str_eq_nocase(r->b->sources[s]->name, reads[k].table);
    }
    return RF_OK;
}

/* Only what the clock and the rules' periods before it need. */
static rf_str cut_text(const struct run *r, struct source *source)
{
    struct rf_buf text = rf_buf_in(r->arena);
    bool timed = false;
    for (uint32_t c = 0; c < source->column_count; c++)
        timed |= rf_str_is(source->columns[c].name, "TimeGenerated") &&
                 source->columns[c].type == TYPE_DATETIME;
    lab_put_name(&text, source->name);
    if (timed && r->b->has_from)
        rf_buf_printf(&text, "\n| where TimeGenerated >= datetime(%.*s)",
                      RF_FMT(time_iso(r->arena, r->from - r->period)));
    if (timed && r->b->has_to)
        rf_buf_printf(&text, "\n| where TimeGenerated <= datetime(%.*s)",
                      RF_FMT(time_iso(r->arena, r->to)));
    return text.failed ? (rf_str){NULL, 0} : rf_buf_view(&text);
}

static enum rf_kind read_sources(struct run *r, struct lab_world *world, const bool *wanted,
                                 struct rf_err *err)
{
    rf_usec first = INT64_MAX, last = INT64_MIN;
    for (uint32_t s = 0; s < r->b->source_count; s++) {
        struct source *source = r->b->sources[s];
        struct lab_recording *recording = &r->recordings[r->recording_count];
        if (!wanted[s]) continue;
        RF_TRY(source_open(source, err));
        const struct lab_source from = {
            .table = source->name, .source = source, .transform = cut_text(r, source)};
        RF_TRY(lab_recording_read(world, &from, r->arena, recording, err));
        r->recording_count++;
        if (recording->first > recording->last) continue;
        first = RF_MIN(first, recording->first);
        last = RF_MAX(last, recording->last);
    }
    if (first > last) first = last = r->b->has_from ? r->from : 0;
    if (!r->b->has_from) r->from = first - first % START_WHOLE;
    if (!r->b->has_to) {
        rf_usec delay = r->b->delay > 0 ? r->b->delay : 30 * RF_USEC_PER_SECOND;
        r->to = RF_MAX(last, r->from) + RF_MAX(r->longest, 120 * RF_USEC_PER_SECOND) + delay;
    }
    if (r->to >= r->from && r->to - r->from <= DAYS_MAX * DAY && r->from >= 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadSpan",
                   "the clock would run from %.*s to %.*s: --from and --to choose at most %d days",
                   RF_FMT(time_iso(r->arena, r->from)), RF_FMT(time_iso(r->arena, r->to)),
                   DAYS_MAX);
}

/* ---- playing ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind add_rules(struct run *r, struct lab_world *world, struct rf_err *err)
{
    for (uint32_t i = 0; i < r->b->rules->count; i++) {
        const struct lab_rule *rule = &r->b->rules->items[i];
        struct rf_err why = {0};
        if (r->problems[i].len > 0) continue;
        enum rf_kind kind = lab_world_add_rule(world, rule->document, rule->name, &why);
        if (kind == RF_OK) continue;
        r->problems[i] = rf_arena_printf(r->arena, "%s", why.text);
        if (r->problems[i].ptr == NULL) return rf_fail_memory(err, r->arena);
    }
    return RF_OK;
}

static enum rf_kind play_in(struct run *r, struct lab_world *world, struct json_node **outcome,
                            struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, (size_t)2 << 30);
    struct lab_tape tape = {.arena = &arena};
    const struct lab_arrival arrival = {.column = -1};
    /* Over a long time it does not matter to the second when a row came. */
    rf_usec step = r->to - r->from <= SHORT_SPAN ? RF_USEC_PER_SECOND : 60 * RF_USEC_PER_SECOND;
    for (uint32_t i = 0; i < r->recording_count; i++) {
        RF_TRY(lab_recording_define(world, &r->recordings[i], err));
        RF_TRY(lab_tape_add(&tape, &r->recordings[i], &arrival, r->from, step, err));
    }
    lab_tape_sort(&tape);
    RF_TRY(add_rules(r, world, err));
    RF_TRY(lab_tape_play(&tape, world, r->to, err));
    return lab_world_outcome(world, r->arena, outcome, err);
}

static enum rf_kind play(struct run *r, bool no_suppression, struct json_node **outcome,
                         struct lab_runs **runs, uint32_t *run_count, struct rf_err *err)
{
    struct lab_world *world;
    RF_TRY(open_world(r, no_suppression, r->from, &world, err));
    enum rf_kind kind = play_in(r, world, outcome, err);
    const struct lab_runs *own = lab_world_runs(world, run_count);
    struct lab_runs *copy = rf_arena_new(r->arena, struct lab_runs, *run_count);
    if (kind == RF_OK && copy == NULL) kind = rf_fail_memory(err, r->arena);
    for (uint32_t i = 0; i < *run_count && kind == RF_OK; i++) {
        copy[i] = own[i];
        if (!rf_arena_str(r->arena, own[i].rule, &copy[i].rule) ||
            !rf_arena_str(r->arena, own[i].text, &copy[i].text))
            kind = rf_fail_memory(err, r->arena);
    }
    *runs = copy;
    lab_world_free(world);
    return kind;
}

/* ---- counting ----------------------------------------------------------------------------------------------------------- */

struct day {
    uint32_t alerts, incidents, without; /* without suppression */
};

static uint32_t day_of(const struct run *r, const struct json_node *item)
{
    rf_usec at = r->from;
    (void)lab_parse_time(json_text_at(item, "created"), &at);
    return (uint32_t)(at / DAY - r->from / DAY);
}

struct named_count {
    rf_str name;
    uint32_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct named_count *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return rf_str_cmp(x->name, y->name);
}
static int by_name(const void *a, const void *b)
{
    return rf_str_cmp(((const struct named_count *)a)->name, ((const struct named_count *)b)->name);
}

/* The entities that the rule's alerts name most. */
static struct json_node *top_entities(struct rf_arena *arena, const struct json_node *alerts,
                                      rf_str rule)
{
    struct json_node *out = json_new(arena, JSON_T_ARRAY);
    size_t room = 0;
    uint32_t n = 0, kept = 0;
    for (const struct json_node *a = alerts->first; a != NULL; a = a->next)
        room += json_get(a, "entities")->count;
    struct named_count *all = rf_arena_new(arena, struct named_count, room);
    if (all == NULL) return NULL;
    for (const struct json_node *a = alerts->first; a != NULL; a = a->next) {
        if (!rf_str_eq_nocase(json_text_at(a, "rule"), rule)) continue;
        for (const struct json_node *e = json_get(a, "entities")->first; e != NULL; e = e->next) {
            struct rf_buf text = rf_buf_in(arena);
            lab_put_entity(&text, e);
            all[n++] = (struct named_count){.name = rf_buf_view(&text), .count = 1};
        }
    }
    if (n > 0) qsort(all, n, sizeof *all, by_name);
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && rf_str_eq(all[kept - 1].name, all[i].name))
            all[kept - 1].count++;
        else
            all[kept++] = all[i];
    }
    if (kept > 0) qsort(all, kept, sizeof *all, by_count);
    for (uint32_t i = 0; i < kept && i < ENTITIES_SHOWN; i++) {
        struct json_node *made = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, made, "entity", all[i].name);
        json_set_i64(arena, made, "alerts", all[i].count);
        json_append(out, made);
    }
    return out;
}

static void count_days(const struct run *r, const struct json_node *outcome, rf_str rule,
                       bool without, struct day *days, uint32_t day_count)
{
    for (const struct json_node *a = json_get(outcome, "alerts")->first; a != NULL; a = a->next) {
        uint32_t day = day_of(r, a);
        if (day >= day_count || !rf_str_eq_nocase(json_text_at(a, "rule"), rule)) continue;
        if (without)
            days[day].without++;
        else
            days[day].alerts++;
    }
    for (const struct json_node *i = json_get(outcome, "incidents")->first; i != NULL && !without;
         i = i->next) {
        uint32_t day = day_of(r, i);
        if (day < day_count && rf_str_eq_nocase(json_text_at(i, "rule"), rule))
            days[day].incidents++;
    }
}

static struct json_node *put_days(const struct run *r, const struct day *days, uint32_t day_count,
                                  struct json_node *rule)
{
    struct rf_arena *arena = r->arena;
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    int64_t alerts = 0, incidents = 0, suppressed = 0;
    for (uint32_t d = 0; d < day_count; d++) {
        struct json_node *made = json_new(arena, JSON_T_OBJECT);
        int64_t kept_back = RF_MAX((int64_t)days[d].without - days[d].alerts, INT64_C(0));
        rf_str day = time_iso(arena, (r->from / DAY + d) * DAY);
        json_set_text(arena, made, "day", rf_slice(day, 0, RF_MIN(day.len, (size_t)10)));
        json_set_i64(arena, made, "alerts", days[d].alerts);
        json_set_i64(arena, made, "incidents", days[d].incidents);
        json_set_i64(arena, made, "suppressed", kept_back);
        json_append(list, made);
        alerts += days[d].alerts;
        incidents += days[d].incidents;
        suppressed += kept_back;
    }
    json_set_i64(arena, rule, "alerts", alerts);
    json_set_i64(arena, rule, "incidents", incidents);
    json_set_i64(arena, rule, "suppressed", suppressed);
    return json_set(arena, rule, RF_S("days"), list);
}

static void put_runs(const struct run *r, const struct lab_runs *runs, uint32_t count, rf_str name,
                     struct json_node *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!rf_str_eq_nocase(runs[i].rule, name)) continue;
        json_set_i64(r->arena, out, "runs", (int64_t)runs[i].runs);
        json_set_i64(r->arena, out, "failures", (int64_t)runs[i].failures);
        if (runs[i].failures > 0) json_set_text(r->arena, out, "failure", runs[i].text);
    }
}

static enum rf_kind put_rule(const struct run *r, uint32_t at, const struct json_node *with,
                             const struct json_node *without, const struct lab_runs *runs,
                             uint32_t run_count, struct json_node *list, struct rf_err *err)
{
    struct rf_arena *arena = r->arena;
    const struct lab_rule *rule = &r->b->rules->items[at];
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    uint32_t day_count = (uint32_t)(r->to / DAY - r->from / DAY) + 1;
    struct day *days = rf_arena_new(arena, struct day, day_count);
    if (days == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, out, "rule", rule->name);
    json_set_text(arena, out, "title", rule->rule.name);
    json_set_text(arena, out, "path", rf_str_of(rule->path));
    json_set_text(arena, out, "severity", rule->rule.severity);
    if (r->problems[at].len > 0) {
        json_set_text(arena, out, "problem", r->problems[at]);
        return json_append(list, out) == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    json_set_i64(arena, out, "runs", 0);
    put_runs(r, runs, run_count, rule->name, out);
    count_days(r, with, rule->name, false, days, day_count);
    if (without != NULL) count_days(r, without, rule->name, true, days, day_count);
    json_set(arena, out, RF_S("entities"),
             top_entities(arena, json_get(with, "alerts"), rule->name));
    if (put_days(r, days, day_count, out) == NULL || json_append(list, out) == NULL)
        return rf_fail_memory(err, arena);
    return RF_OK;
}

static enum rf_kind put_all(const struct run *r, const struct json_node *with,
                            const struct json_node *without, const struct lab_runs *runs,
                            uint32_t run_count, struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = r->arena;
    struct json_node *all = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, all, "from", time_iso(arena, r->from));
    json_set_text(arena, all, "to", time_iso(arena, r->to));
    struct json_node *tables = json_set(arena, all, RF_S("tables"), json_new(arena, JSON_T_ARRAY));
    struct json_node *rules = json_set(arena, all, RF_S("rules"), json_new(arena, JSON_T_ARRAY));
    for (uint32_t i = 0; i < r->recording_count; i++) {
        struct json_node *table = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, table, "table", r->recordings[i].table);
        json_set_i64(arena, table, "rows", (int64_t)rows_count(r->recordings[i].rows));
        json_append(tables, table);
    }
    if (rules == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < r->b->rules->count; i++)
        RF_TRY(put_rule(r, i, with, without, runs, run_count, rules, err));
    *out = all;
    return RF_OK;
}

enum rf_kind lab_backtest_run(const struct lab_backtest *b, struct rf_arena *arena,
                              struct json_node **out, struct rf_err *err)
{
    struct run r = {.b = b, .arena = arena, .from = b->from, .to = b->to};
    struct lab_world *world;
    struct json_node *with, *without = NULL;
    struct lab_runs *runs, *ignored;
    uint32_t run_count, ignored_count;
    bool any_suppression = false;
    bool *wanted = rf_arena_new(arena, bool, b->source_count);
    r.recordings = rf_arena_new(arena, struct lab_recording, b->source_count);
    r.problems = rf_arena_new(arena, rf_str, b->rules->count);
    if (wanted == NULL || r.recordings == NULL || r.problems == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(open_world(&r, false, 0, &world, err));
    enum rf_kind kind = find_reads(&r, world, wanted, err);
    if (kind == RF_OK) kind = read_sources(&r, world, wanted, err);
    lab_world_free(world);
    if (kind != RF_OK) return kind;
    RF_TRY(play(&r, false, &with, &runs, &run_count, err));
    for (uint32_t i = 0; i < b->rules->count; i++)
        any_suppression |= b->rules->items[i].rule.suppression;
    if (any_suppression) RF_TRY(play(&r, true, &without, &ignored, &ignored_count, err));
    return put_all(&r, with, without, runs, run_count, out, err);
}
