/* alert.c - the alerts of a run: how many, which rows each stands for, what it is called. */
#include "siem/alert.h"

#include "siem/alert_int.h"
#include "siem/rule_int.h"
#include "value/text.h"

/* ---- cells -------------------------------------------------------------------------------------------------------------- */

rf_str alert_cell(const struct alert_maker *maker, rf_str column, uint64_t row,
                  struct rf_arena *arena, bool *failed)
{
    int at = schema_find(maker->schema, column);
    if (at < 0 || row >= maker->row_count) return (rf_str){NULL, 0};
    struct value v = rows_value(maker->rows, row, (uint32_t)at);
    if (v.null) return (rf_str){NULL, 0};
    if (v.type == TYPE_STRING) return v.s;
    struct rf_buf text = rf_buf_in(arena);
    text_put_value(&text, &v);
    *failed = *failed || text.failed;
    return text.failed ? (rf_str){NULL, 0} : rf_buf_view(&text);
}

/* The text without what passes `bytes_max`, whole characters only. */
static rf_str cut(rf_str text, size_t bytes_max)
{
    if (text.len <= bytes_max) return text;
    size_t to = bytes_max;
    while (to > 0 && (text.ptr[to] & 0xc0) == 0x80) to--;
    return rf_slice(text, 0, to);
}

/* ---- names --------------------------------------------------------------------------------------------------------------- */

/* A format with the values of the first row; `otherwise` when nothing comes of it. */
static enum rf_kind fill(const struct alert_maker *maker, rf_str format, uint64_t row,
                         rf_str otherwise, size_t bytes_max, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(maker->arena);
    size_t at = 0, from = 0, copied = 0;
    bool failed = false;
    rf_str column;
    while (rule_format_next(format, &at, &from, &column)) {
        rf_buf_str(&buf, rf_slice(format, copied, from));
        rf_buf_str(&buf, alert_cell(maker, column, row, maker->arena, &failed));
        copied = at;
    }
    rf_buf_str(&buf, rf_slice(format, copied, format.len));
    if (buf.failed || failed) return rf_fail_memory(maker->err, maker->arena);
    rf_str text = cut(rf_str_trim(rf_buf_view(&buf)), bytes_max);
    *out = text.len == 0 ? otherwise : text;
    return RF_OK;
}

/* What stands between the items of a list, in JSON or not. */
static bool is_mark(uint8_t c) { return c == ',' || c == ';' || c == '[' || c == ']' || c == '"'; }

/* Tactics of a column: a list of JSON, or texts between commas. What is no tactic is left out; none at all changes nothing. */
static enum rf_kind take_tactics(const struct alert_maker *maker, uint64_t row, struct alert *alert)
{
    bool failed = false;
    rf_str text = alert_cell(maker, maker->rule->tactics_column, row, maker->arena, &failed);
    rf_str *found = rf_arena_new(maker->arena, rf_str, text.len / 2 + 1);
    if (failed || found == NULL) return rf_fail_memory(maker->err, maker->arena);
    uint32_t count = 0;
    for (size_t from = 0; from < text.len;) {
        size_t to = from;
        while (to < text.len && !is_mark(text.ptr[to])) to++;
        const char *name = rule_tactic_name(rf_str_trim(rf_slice(text, from, to)));
        if (name != NULL) found[count++] = rf_str_of(name);
        from = to + 1;
    }
    if (count == 0) return RF_OK;
    alert->tactics = found;
    alert->tactic_count = count;
    return RF_OK;
}

static enum rf_kind take_override(const struct alert_maker *maker, const struct alert_span *span,
                                  struct alert *alert)
{
    const struct rule *rule = maker->rule;
    bool failed = false;
    RF_TRY(fill(maker, rule->name_format, span->from, cut(rule->name, RULE_NAME_FORMAT_BYTES_MAX),
                RULE_NAME_FORMAT_BYTES_MAX, &alert->name));
    RF_TRY(fill(maker, rule->description_format, span->from, rule->description,
                RULE_DESCRIPTION_BYTES_MAX, &alert->description));
    alert->severity = rule->severity;
    alert->tactics = rule->tactics;
    alert->tactic_count = rule->tactic_count;
    alert->techniques = rule->techniques;
    alert->technique_count = rule->technique_count;
    alert->sub_techniques = rule->sub_techniques;
    alert->sub_technique_count = rule->sub_technique_count;
    if (rule->severity_column.len > 0) {
        rf_str text = alert_cell(maker, rule->severity_column, span->from, maker->arena, &failed);
        const char *name = rule_severity_name(rf_str_trim(text));
        if (failed) return rf_fail_memory(maker->err, maker->arena);
        if (name != NULL) alert->severity = rf_str_of(name);
    }
    return rule->tactics_column.len == 0 ? RF_OK : take_tactics(maker, span->from, alert);
}

/* ---- custom details ------------------------------------------------------------------------------------------------------- */

static bool has_text(const struct json_node *list, rf_str text)
{
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_eq(item->text, text)) return true;
    return false;
}

/* The different values of one column, as far as the limits let them. */
static bool take_values(const struct alert_maker *maker, rf_str column,
                        const struct alert_span *span, struct rf_arena *scratch,
                        struct json_node *list, size_t *bytes)
{
    bool failed = false;
    if (schema_find(maker->schema, column) < 0) return true;
    for (uint64_t row = span->from; row < span->to && list->count < ALERT_DETAIL_VALUES_MAX;
         row++) {
        rf_arena_reset(scratch);
        rf_str text = alert_cell(maker, column, row, scratch, &failed), kept;
        if (failed) return false;
        if (text.len == 0 || has_text(list, text)) continue;
        if (*bytes + text.len > ALERT_DETAILS_BYTES_MAX) return true;
        *bytes += text.len;
        if (!rf_arena_str(maker->arena, text, &kept) ||
            json_append(list, json_new_text(maker->arena, kept)) == NULL)
            return false;
    }
    return true;
}

static enum rf_kind take_details(const struct alert_maker *maker, const struct alert_span *span,
                                 struct alert *alert)
{
    const struct rule *rule = maker->rule;
    struct rf_arena *arena = maker->arena;
    if (rule->detail_count == 0) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, arena->budget);
    struct json_node *details = json_new(arena, JSON_T_OBJECT);
    size_t bytes = 0;
    for (uint32_t i = 0; i < rule->detail_count; i++) {
        struct json_node *list = json_new(arena, JSON_T_ARRAY);
        if (json_set(arena, details, rule->details[i].name, list) == NULL ||
            !take_values(maker, rule->details[i].column, span, &scratch, list, &bytes))
            return rf_fail_memory(maker->err, arena);
    }
    alert->custom_details = details;
    return RF_OK;
}

/* ---- times -------------------------------------------------------------------------------------------------------------------- */

/* First and last TimeGenerated of the rows, else the window. */
static void take_times(const struct alert_maker *maker, const struct alert_span *span,
                       struct alert *alert)
{
    int at = schema_find(maker->schema, RF_S("TimeGenerated"));
    int64_t first = INT64_MAX, last = INT64_MIN;
    bool timed = at >= 0 && maker->schema->columns[at].type == TYPE_DATETIME;
    for (uint64_t row = span->from; timed && row < span->to; row++) {
        struct value v = rows_value(maker->rows, row, (uint32_t)at);
        if (v.null) continue;
        first = RF_MIN(first, v.i);
        last = RF_MAX(last, v.i);
    }
    bool found = first <= last;
    alert->start_ticks = found ? first : maker->run->from_ticks;
    alert->end_ticks = found ? last : maker->run->to_ticks;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------- */

/* The same rule, run and place have the same id, whenever and however often they are worked out. */
static rf_str make_id(const struct alert_maker *maker, uint32_t place)
{
    const struct alert_run *run = maker->run;
    struct rf_buf text = rf_buf_in(maker->arena);
    for (size_t i = 0; i < run->rule_resource_id.len; i++)
        rf_buf_byte(&text, rf_lower(run->rule_resource_id.ptr[i]));
    rf_buf_printf(&text, "\n%.*s\n%u", RF_FMT(run->run_id), place);
    if (text.failed) return (rf_str){NULL, 0};
    return siem_guid(maker->arena, run->workspace_id, rf_buf_view(&text));
}

static enum rf_kind make_one(const struct alert_maker *maker, const struct alert_span *span,
                             uint32_t place, struct alert *alert)
{
    alert->id = make_id(maker, place);
    if (alert->id.ptr == NULL) return rf_fail_memory(maker->err, maker->arena);
    alert->row_count = span->to - span->from;
    alert->product_name = RF_S("Azure Sentinel");
    take_times(maker, span, alert);
    RF_TRY(take_override(maker, span, alert));
    RF_TRY(take_details(maker, span, alert));
    RF_TRY(alert_make_entities(maker, span, alert));
    return alert_make_row(maker, span, alert);
}

enum rf_kind alerts_make(const struct rule *rule, const struct alert_run *run,
                         const struct schema *schema, const struct rows *rows,
                         struct rf_arena *arena, struct alert **out, uint32_t *count,
                         struct rf_err *err)
{
    const struct alert_maker maker = {.rule = rule,
                                      .run = run,
                                      .schema = schema,
                                      .rows = rows,
                                      .row_count = rows_count(rows),
                                      .arena = arena,
                                      .err = err};
    uint32_t most = rule->kind == RULE_NRT ? ALERTS_PER_NRT_RUN_MAX : ALERTS_PER_RUN_MAX;
    bool each = rule->alert_per_result && maker.row_count > 0;
    uint32_t made = each ? (uint32_t)RF_MIN(maker.row_count, (uint64_t)most) : 1;
    struct alert *alerts = rf_arena_new(arena, struct alert, made);
    if (alerts == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < made; i++) {
        bool is_rest = !each || (i + 1 == most && maker.row_count > most);
        struct alert_span span = {.from = is_rest ? 0 : i,
                                  .to = is_rest ? maker.row_count : (uint64_t)i + 1};
        RF_TRY(make_one(&maker, &span, i, &alerts[i]));
    }
    *out = alerts;
    *count = made;
    return RF_OK;
}
