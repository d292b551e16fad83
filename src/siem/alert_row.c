/* alert_row.c - an alert as a row of SecurityAlert (contracts/sentinel section 2). */
#include "siem/alert_int.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "siem/rule_int.h"
#include "value/text.h"

static rf_usec usec_of(int64_t ticks)
{
    return (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
}

static void put_time(struct json_out *out, const char *name, int64_t ticks, struct rf_arena *arena)
{
    struct rf_buf text = rf_buf_in(arena);
    text_put_datetime(&text, ticks);
    json_put_text(out, name, rf_buf_view(&text));
}

/* ["T1110","T1078"]; empty when there are none. */
static void put_list(struct json_out *out, const char *name, const rf_str *items, uint32_t count,
                     struct rf_arena *arena)
{
    struct rf_buf text = rf_buf_in(arena);
    struct json_out list = json_out_to(&text);
    json_begin_array(&list, NULL);
    for (uint32_t i = 0; i < count; i++) json_put_text(&list, NULL, items[i]);
    json_end_array(&list);
    json_put_text(out, name, count == 0 ? RF_S("") : rf_buf_view(&text));
}

static void put_tactics(struct json_out *out, const struct alert *alert, struct rf_arena *arena)
{
    struct rf_buf text = rf_buf_in(arena);
    for (uint32_t i = 0; i < alert->tactic_count; i++)
        rf_buf_printf(&text, "%s%.*s", i == 0 ? "" : ", ", RF_FMT(alert->tactics[i]));
    json_put_text(out, "Tactics", rf_buf_view(&text));
}

/* ---- ExtendedProperties ------------------------------------------------------------------------------------------------ */

static rf_str list_text(rf_str item, struct rf_arena *arena)
{
    struct rf_buf text = rf_buf_in(arena);
    struct json_out list = json_out_to(&text);
    json_begin_array(&list, NULL);
    json_put_text(&list, NULL, item);
    json_end_array(&list);
    return rf_buf_view(&text);
}

static rf_str segment_behind(rf_str id, const char *word)
{
    rf_str mark = rf_str_of(word);
    for (size_t at = 0; at + mark.len < id.len; at++) {
        if (!rf_str_eq_nocase(rf_slice(id, at, at + mark.len), mark)) continue;
        size_t end = rf_str_find(id, RF_S("/"), at + mark.len);
        return rf_slice(id, at + mark.len, end == SIZE_MAX ? id.len : end);
    }
    return (rf_str){NULL, 0};
}

/* 2024-05-05 10:30:22Z */
static rf_str clock_text(int64_t ticks, struct rf_arena *arena)
{
    rf_str iso = time_iso(arena, usec_of(ticks));
    if (iso.len < 19) return iso;
    return rf_arena_printf(arena, "%.10s %.8sZ", (const char *)iso.ptr, (const char *)iso.ptr + 11);
}

static void put_query(struct json_out *out, const struct alert_maker *maker)
{
    struct rf_arena *arena = maker->arena;
    const struct alert_run *run = maker->run;
    struct rf_buf query = rf_buf_in(arena), period = rf_buf_in(arena);
    rf_str now = time_iso(arena, usec_of(run->to_ticks));
    rf_buf_printf(&query,
                  "// query_now is the time (in UTC) for which the rule ran when it raised this "
                  "alert.\nset query_now = datetime(%.*s);\n",
                  RF_FMT(now));
    rf_buf_str(&query, maker->rule->query);
    text_put_timespan(&period, maker->rule->period_ticks);
    json_put_text(out, "Query Period", rf_buf_view(&period));
    json_put_text(out, "Trigger Operator",
                  rf_str_of(rule_operator_names[maker->rule->trigger_operator]));
    json_put_text(out, "Trigger Threshold",
                  rf_arena_printf(arena, "%lld", (long long)maker->rule->trigger_threshold));
    json_put_text(out, "Correlation Id",
                  siem_guid(arena, run->workspace_id,
                            rf_arena_printf(arena, "%.*s\n%.*s", RF_FMT(run->rule_resource_id),
                                            RF_FMT(run->run_id))));
    json_put_text(out, "Search Query Results Overall Count",
                  rf_arena_printf(arena, "%llu", (unsigned long long)maker->row_count));
    json_put_text(out, "Data Sources",
                  list_text(segment_behind(run->rule_resource_id, "/workspaces/"), arena));
    json_put_text(out, "Query", rf_buf_view(&query));
    json_put_text(out, "Query Start Time UTC", clock_text(run->from_ticks, arena));
    json_put_text(out, "Query End Time UTC", clock_text(run->to_ticks, arena));
}

static rf_str extended(const struct alert_maker *maker, const struct alert *alert)
{
    const struct rule *rule = maker->rule;
    struct rf_buf text = rf_buf_in(maker->arena);
    struct json_out out = json_out_to(&text);
    json_begin_object(&out, NULL);
    put_query(&out, maker);
    json_put_text(&out, "Analytic Rule Ids", list_text(rule->id, maker->arena));
    json_put_text(&out, "Event Grouping", rf_str_of(rule_grouping_names[rule->alert_per_result]));
    json_put_text(&out, "Analytic Rule Name", rule->name);
    json_put_text(&out, "ProcessedBySentinel", RF_S("True"));
    json_put_text(&out, "Alert generation status", RF_S("Full alert created"));
    json_put_text(&out, "OriginalQuery", rule->query);
    if (alert->custom_details != NULL)
        json_put_text(&out, "Custom Details", json_to_text(maker->arena, alert->custom_details));
    json_end_object(&out);
    return rf_buf_view(&text);
}

/* ---- properties that the rule takes from columns ------------------------------------------------------------------------------- */

struct own_properties {
    rf_str link, confidence, score, links, component, product, provider, remediation, techniques,
        sub_techniques;
};

static bool read_own(const struct alert_maker *maker, const struct alert_span *span,
                     struct own_properties *own)
{
    rf_str *const places[] = {
        &own->link,    &own->confidence, &own->score,       &own->links,      &own->component,
        &own->product, &own->provider,   &own->remediation, &own->techniques, &own->sub_techniques};
    bool failed = false;
    for (uint32_t i = 0; i < maker->rule->property_count; i++) {
        const struct rule_property *property = &maker->rule->properties[i];
        rf_str text = alert_cell(maker, property->column, span->from, maker->arena, &failed);
        int at = rule_find_name(rule_property_names, property->property);
        if (at >= 0 && (size_t)at < RF_COUNT(places) && text.len > 0) *places[at] = text;
    }
    return !failed;
}

static rf_str or_else(rf_str text, const char *otherwise)
{
    return text.len > 0 ? text : rf_str_of(otherwise);
}

static void put_who(struct json_out *out, const struct alert_maker *maker,
                    const struct own_properties *own)
{
    bool is_nrt = maker->rule->kind == RULE_NRT;
    json_put_text(out, "ProviderName",
                  or_else(own->provider, is_nrt ? "ASI NRT Alerts" : "ASI Scheduled Alerts"));
    json_put_text(out, "VendorName", RF_S("Microsoft"));
    json_put_text(out, "ProductName", or_else(own->product, "Azure Sentinel"));
    json_put_text(out, "ProductComponentName",
                  or_else(own->component, is_nrt ? "NRT Alerts" : "Scheduled Alerts"));
    json_put_text(out, "AlertType",
                  rf_arena_printf(maker->arena, "%.*s_%.*s", RF_FMT(maker->run->workspace_id),
                                  RF_FMT(maker->rule->id)));
    json_put_text(out, "ConfidenceLevel", own->confidence);
    double score;
    if (own->score.len > 0 && text_to_real(own->score, &score) && score >= 0 && score <= 100)
        json_put_raw(out, "ConfidenceScore", rf_arena_printf(maker->arena, "%.6g", score));
    json_put_text(out, "AlertLink", own->link);
    json_put_text(out, "ExtendedLinks", own->links);
    json_put_text(out, "RemediationSteps", own->remediation);
}

static rf_str entities_text(const struct alert_maker *maker, const struct alert *alert)
{
    struct rf_buf text = rf_buf_in(maker->arena);
    struct json_out out = json_out_to(&text);
    json_begin_array(&out, NULL);
    for (uint32_t i = 0; i < alert->entity_count; i++)
        json_put_node(&out, NULL, alert->entities[i].body);
    json_end_array(&out);
    return rf_buf_view(&text);
}

static void put_what(struct json_out *out, const struct alert_maker *maker,
                     const struct alert *alert, const struct own_properties *own)
{
    struct rf_arena *arena = maker->arena;
    json_put_text(out, "DisplayName", alert->name);
    json_put_text(out, "AlertName", alert->name);
    json_put_text(out, "AlertSeverity", alert->severity);
    json_put_text(out, "Description", alert->description);
    json_put_text(out, "SystemAlertId", alert->id);
    json_put_text(out, "VendorOriginalId", alert->id);
    json_put_text(out, "Status", RF_S("New"));
    json_put_bool(out, "IsIncident", false);
    put_tactics(out, alert, arena);
    if (own->techniques.len > 0)
        json_put_text(out, "Techniques", own->techniques);
    else
        put_list(out, "Techniques", alert->techniques, alert->technique_count, arena);
    if (own->sub_techniques.len > 0)
        json_put_text(out, "SubTechniques", own->sub_techniques);
    else
        put_list(out, "SubTechniques", alert->sub_techniques, alert->sub_technique_count, arena);
    json_put_text(out, "Entities", entities_text(maker, alert));
    json_put_text(out, "ExtendedProperties", extended(maker, alert));
}

enum rf_kind alert_make_row(const struct alert_maker *maker, const struct alert_span *span,
                            struct alert *alert)
{
    struct rf_arena *arena = maker->arena;
    const struct alert_run *run = maker->run;
    struct own_properties own = {.link = {NULL, 0}};
    if (!read_own(maker, span, &own)) return rf_fail_memory(maker->err, arena);
    if (own.product.len > 0) alert->product_name = own.product;
    struct rf_buf row = rf_buf_in(arena);
    struct json_out out = json_out_to(&row);
    rf_str now = time_iso(arena, run->now);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", now);
    put_what(&out, maker, alert, &own);
    put_who(&out, maker, &own);
    put_time(&out, "StartTime", alert->start_ticks, arena);
    put_time(&out, "EndTime", alert->end_ticks, arena);
    json_put_text(&out, "ProcessingEndTime", now);
    json_put_text(&out, "SourceSystem", RF_S("Detection"));
    json_put_text(&out, "WorkspaceSubscriptionId", run->subscription_id);
    json_put_text(&out, "WorkspaceResourceGroup", run->group);
    json_end_object(&out);
    if (row.failed || now.ptr == NULL) return rf_fail_memory(maker->err, arena);
    alert->row = rf_buf_view(&row);
    return RF_OK;
}
