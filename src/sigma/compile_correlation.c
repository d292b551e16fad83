/* Correlations as KQL: the events of all rules side by side, the windows that end with each of their times, and the times at
 * which the condition begins to hold (see correlate.h). A window of one timespan touches two bins of that width, so that a
 * join by bins finds its events. */
#include "sigma/compile_int.h"

struct chain {
    struct rf_buf *buf;
    struct rf_arena *arena;
    struct rf_err *err;
    const struct compile_options *options;
    uint32_t count;              /* correlations written so far */
    const struct layout *layout; /* of the first rule */
    rf_str table;
};

#define no_memory(c) rf_fail_memory((c)->err, (c)->arena)

static long long span_seconds(const struct sigma_correlation *k)
{
    return (long long)(k->timespan_usec / RF_USEC_PER_SECOND);
}

/* ", User, ['c-ip']": each behind `separator`. */
static void put_groups(struct rf_buf *buf, const struct sigma_correlation *k, const char *before,
                       const char *after)
{
    for (uint32_t g = 0; g < k->group_count; g++) {
        rf_buf_printf(buf, "%s", before);
        compile_name(buf, k->groups[g].name);
        rf_buf_printf(buf, "%s", after);
    }
}

static bool is_number(enum sigma_correlation_type type)
{
    return type == SIGMA_VALUE_SUM || type == SIGMA_VALUE_AVG || type == SIGMA_VALUE_PERCENTILE;
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

static void put_value(struct rf_buf *buf, const struct sigma_correlation *k, const rf_str *columns)
{
    if (k->value_count == 0) return;
    rf_buf_str(buf, RF_S(",\n        SigmaValue = "));
    if (is_number(k->type)) {
        rf_buf_printf(buf, "toreal(%.*s)", RF_FMT(columns[0]));
    } else if (k->value_count == 1) {
        rf_buf_str(buf, columns[0]);
    } else {
        /* A tuple with an empty part is none. */
        rf_buf_str(buf, RF_S("iff("));
        for (uint32_t v = 0; v < k->value_count; v++)
            rf_buf_printf(buf, "%sisempty(%.*s)", v == 0 ? "" : " or ", RF_FMT(columns[v]));
        rf_buf_str(buf, RF_S(", '', strcat("));
        for (uint32_t v = 0; v < k->value_count; v++)
            rf_buf_printf(buf, "%s%.*s", v == 0 ? "" : ", '\\u001f', ", RF_FMT(columns[v]));
        rf_buf_str(buf, RF_S("))"));
    }
}

static void put_project(struct rf_buf *buf, const struct sigma_correlation *k, uint32_t position,
                        const char *time, const rf_str *groups, const rf_str *values)
{
    rf_buf_printf(buf, "\n    | project SigmaTime = %s,\n        SigmaRule = %u", time, position);
    for (uint32_t g = 0; g < k->group_count; g++) {
        rf_buf_str(buf, RF_S(",\n        "));
        compile_name(buf, k->groups[g].name);
        rf_buf_printf(buf, " = %.*s", RF_FMT(groups[g]));
    }
    put_value(buf, k, values);
}

static rf_str column_of(struct compiler *c, rf_str name)
{
    const struct compile_field *field = compile_field(c, name);
    if (field == NULL) return (rf_str){NULL, 0};
    if (!field->number) return field->column;
    return rf_arena_printf(c->arena, "tostring(%.*s)", RF_FMT(field->column));
}

static enum rf_kind put_rule(struct chain *chain, const struct sigma_correlation *k,
                             uint32_t position)
{
    struct compiler c = {.arena = chain->arena, .err = chain->err};
    struct layout_bounds bounds;
    rf_str groups[SIGMA_GROUP_FIELDS_MAX], values[SIGMA_GROUP_FIELDS_MAX], table;
    const struct sigma_rule *rule = k->rules[position];
    c.fields_end = &c.fields;
    RF_TRY(compile_choose(rule, chain->options->layout, &c.layout, &bounds, chain->err));
    c.service_only = rule->logsource.category.len == 0;
    for (uint32_t g = 0; g < k->group_count; g++) {
        groups[g] = column_of(&c, k->groups[g].fields[position]);
        if (groups[g].ptr == NULL) return no_memory(chain);
    }
    for (uint32_t v = 0; v < k->value_count; v++) {
        values[v] = column_of(&c, k->values[v]);
        if (values[v].ptr == NULL) return no_memory(chain);
    }
    RF_TRY(compile_rule(&c, chain->buf, rule, &bounds, chain->options->table, &table));
    put_project(chain->buf, k, position, c.layout->time_column, groups, values);
    if (chain->layout == NULL) {
        chain->layout = c.layout;
        chain->table = table;
    }
    return RF_OK;
}

static enum rf_kind put_fired(struct chain *chain, const struct sigma_correlation *k,
                              uint32_t position, uint32_t number)
{
    rf_str groups[SIGMA_GROUP_FIELDS_MAX], values[SIGMA_GROUP_FIELDS_MAX];
    for (uint32_t i = 0; i < k->group_count + k->value_count; i++) {
        struct rf_buf name = rf_buf_in(chain->arena);
        bool group = i < k->group_count;
        compile_name(&name, group ? k->groups[i].fields[position] : k->values[i - k->group_count]);
        if (name.failed) return no_memory(chain);
        *(group ? &groups[i] : &values[i - k->group_count]) = rf_buf_view(&name);
    }
    rf_buf_printf(chain->buf, "SigmaFired%u", number);
    put_project(chain->buf, k, position, "SigmaTime", groups, values);
    return RF_OK;
}

static enum rf_kind put_events(struct chain *chain, const struct sigma_correlation *k,
                               const uint32_t *numbers, uint32_t own)
{
    struct rf_buf *buf = chain->buf;
    rf_buf_printf(buf, "let SigmaEvents%u = %s", own, k->rule_count > 1 ? "union\n    (" : "");
    for (uint32_t r = 0; r < k->rule_count; r++) {
        if (r > 0) rf_buf_str(buf, RF_S("),\n    ("));
        if (k->rules[r]->correlation != NULL)
            RF_TRY(put_fired(chain, k, r, numbers[r]));
        else
            RF_TRY(put_rule(chain, k, r));
    }
    if (k->rule_count > 1) rf_buf_byte(buf, ')');
    rf_buf_str(buf, RF_S("\n| where isnotnull(SigmaTime)"));
    put_groups(buf, k, " and isnotempty(", ")");
    if (k->value_count > 0)
        rf_buf_str(buf, is_number(k->type) ? RF_S(" and isnotnull(SigmaValue)")
                                           : RF_S(" and isnotempty(SigmaValue)"));
    rf_buf_str(buf, RF_S(";\n"));
    return RF_OK;
}

/* ---- windows ------------------------------------------------------------------------------------------------------- */

static void put_limits(struct rf_buf *buf, const struct sigma_correlation *k)
{
    static const char *const signs[] = {[SIGMA_LT] = "<",   [SIGMA_LTE] = "<=", [SIGMA_GT] = ">",
                                        [SIGMA_GTE] = ">=", [SIGMA_EQ] = "==",  [SIGMA_NEQ] = "!="};
    if (k->limit_count == 0) rf_buf_printf(buf, "SigmaCount == %u", k->rule_count);
    for (uint32_t i = 0; i < k->limit_count; i++)
        rf_buf_printf(buf, "%sSigmaCount %s %.17g", i == 0 ? "" : " and ",
                      signs[k->limits[i].compare], k->limits[i].number);
}

static void put_aggregate(struct rf_buf *buf, const struct sigma_correlation *k)
{
    switch (k->type) {
    case SIGMA_VALUE_COUNT:
        rf_buf_str(buf, RF_S("count_distinct(SigmaValue)"));
        break;
    case SIGMA_TEMPORAL:
        rf_buf_str(buf, RF_S("count_distinct(SigmaRule)"));
        break;
    case SIGMA_VALUE_SUM:
        rf_buf_str(buf, RF_S("sum(SigmaValue)"));
        break;
    case SIGMA_VALUE_AVG:
        rf_buf_str(buf, RF_S("avg(SigmaValue)"));
        break;
    case SIGMA_VALUE_PERCENTILE:
        rf_buf_printf(buf, "percentile(SigmaValue, %.17g)", k->percentile);
        break;
    default:
        rf_buf_str(buf, RF_S("count()"));
    }
}

static void put_windows(struct rf_buf *buf, const struct sigma_correlation *k, uint32_t own)
{
    long long span = span_seconds(k);
    rf_buf_printf(buf, "let SigmaWindows%u = SigmaEvents%u\n| distinct SigmaTime", own, own);
    put_groups(buf, k, ", ", "");
    rf_buf_printf(
        buf,
        "\n| extend SigmaBin = pack_array(bin(SigmaTime, %llds), bin(SigmaTime, %llds) - %llds)"
        "\n| mv-expand SigmaBin to typeof(datetime)"
        "\n| join kind=inner (\n    SigmaEvents%u\n    | extend SigmaBin = bin(SigmaTime, %llds)"
        "\n    | project-rename SigmaEventTime = SigmaTime) on SigmaBin",
        span, span, span, own, span);
    put_groups(buf, k, ", ", "");
    rf_buf_printf(buf,
                  "\n| where SigmaEventTime between ((SigmaTime - %llds) .. SigmaTime)"
                  "\n| summarize SigmaCount = ",
                  span);
    put_aggregate(buf, k);
    rf_buf_str(buf, RF_S(" by SigmaTime"));
    put_groups(buf, k, ", ", "");
    rf_buf_str(buf, RF_S("\n| extend SigmaMet = "));
    put_limits(buf, k);
    rf_buf_str(buf, RF_S(";\n"));
}

/* For each rule of the order the latest time at which a run of the rules up to it began. */
static void put_ordered(struct rf_buf *buf, const struct sigma_correlation *k, uint32_t own)
{
    rf_buf_printf(buf, "let SigmaWindows%u = SigmaEvents%u\n| extend SigmaKey = strcat(''", own,
                  own);
    put_groups(buf, k, ", ", ", '\\u001f'");
    rf_buf_str(buf, RF_S(")\n| sort by SigmaKey asc, SigmaTime asc, SigmaRule asc\n| scan declare "
                         "(SigmaLast: string = ''"));
    for (uint32_t i = 0; i < k->rule_count; i++) rf_buf_printf(buf, ", SigmaStart%u: datetime", i);
    rf_buf_str(buf, RF_S(") with (step s: true => SigmaLast = SigmaKey"));
    for (uint32_t i = 0; i < k->rule_count; i++) {
        if (i == 0)
            rf_buf_str(buf, RF_S(",\n    SigmaStart0 = iff(SigmaRule == 0, SigmaTime, "));
        else
            rf_buf_printf(
                buf,
                ",\n    SigmaStart%u = iff(SigmaRule == %u and s.SigmaLast == SigmaKey and "
                "isnotnull(s.SigmaStart%u), s.SigmaStart%u, ",
                i, i, i - 1, i - 1);
        rf_buf_printf(buf, "iff(s.SigmaLast == SigmaKey, s.SigmaStart%u, datetime(null)))", i);
    }
    rf_buf_printf(buf,
                  ";)\n| extend SigmaMet = coalesce(SigmaRule == %u and SigmaTime - SigmaStart%u "
                  "<= %llds, false)"
                  "\n| summarize SigmaCount = %u, SigmaMet = countif(SigmaMet) > 0 by SigmaTime",
                  k->rule_count - 1, k->rule_count > 1 ? k->rule_count - 2 : 0, span_seconds(k),
                  k->rule_count);
    put_groups(buf, k, ", ", "");
    rf_buf_str(buf, RF_S(";\n"));
}

static void put_firing(struct rf_buf *buf, const struct sigma_correlation *k, uint32_t own)
{
    rf_buf_printf(buf, "let SigmaFired%u = SigmaWindows%u\n| sort by ", own, own);
    put_groups(buf, k, "", " asc, ");
    rf_buf_str(buf, RF_S("SigmaTime asc\n| extend SigmaGoesOn = prev(SigmaMet, 1, false)"));
    for (uint32_t g = 0; g < k->group_count; g++) {
        rf_buf_str(buf, RF_S(" and prev("));
        compile_name(buf, k->groups[g].name);
        rf_buf_str(buf, RF_S(") == "));
        compile_name(buf, k->groups[g].name);
    }
    rf_buf_printf(buf,
                  " and SigmaTime - prev(SigmaTime) <= %llds\n| where SigmaMet and "
                  "not(coalesce(SigmaGoesOn, false))"
                  "\n| project SigmaTime",
                  span_seconds(k));
    put_groups(buf, k, ", ", "");
    rf_buf_str(buf, RF_S(", SigmaCount;\n"));
}

/* Writes the correlations that this one is made of, and then its own. Chains are bounded, so the recursion is. */
static enum rf_kind put_correlation(struct chain *chain, const struct sigma_rule *rule,
                                    uint32_t *number)
{
    const struct sigma_correlation *k = rule->correlation;
    uint32_t *numbers = rf_arena_new(chain->arena, uint32_t, k->rule_count);
    if (numbers == NULL) return no_memory(chain);
    for (uint32_t r = 0; r < k->rule_count; r++)
        if (k->rules[r]->correlation != NULL)
            RF_TRY(put_correlation(chain, k->rules[r], &numbers[r]));
    uint32_t own = ++chain->count;
    RF_TRY(put_events(chain, k, numbers, own));
    if (k->type == SIGMA_TEMPORAL_ORDERED)
        put_ordered(chain->buf, k, own);
    else
        put_windows(chain->buf, k, own);
    put_firing(chain->buf, k, own);
    *number = own;
    return RF_OK;
}

enum rf_kind compile_correlation(struct rf_buf *buf, const struct sigma_rule *rule,
                                 const struct compile_options *options, struct rf_arena *arena,
                                 struct compiled *out, struct rf_err *err)
{
    struct chain chain = {.buf = buf, .arena = arena, .err = err, .options = options};
    uint32_t number;
    RF_TRY(put_correlation(&chain, rule, &number));
    rf_buf_printf(buf, "SigmaFired%u", number);
    out->layout = chain.layout;
    out->table = chain.table;
    return RF_OK;
}
