/* health.c - what rules did, as rows of SentinelHealth; rules that fail for good are disabled. */
#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"
#include "siem/engine_int.h"

static void put_ticks(struct json_out *out, const char *name, int64_t ticks, struct rf_arena *arena)
{
    json_put_text(out, name, time_iso(arena, usec_of(ticks)));
}

static void put_details(struct json_out *out, const struct engine_rule *rule,
                        const struct run_end *end, int64_t from_ticks, int64_t to_ticks,
                        struct rf_arena *arena)
{
    json_begin_object(out, "ExtendedProperties");
    put_ticks(out, "QueryStartTimeUTC", from_ticks, arena);
    put_ticks(out, "QueryEndTimeUTC", to_ticks, arena);
    json_put_i64(out, "AlertsGeneratedAmount", end->alert_count);
    json_put_i64(out, "ResultsAmount", (int64_t)RF_MIN(end->row_count, (uint64_t)INT32_MAX));
    json_put_i64(out, "DurationMs", end->duration / RF_USEC_PER_MS);
    json_put_text(out, "RuleId", rule->rule.id);
    if (end->kind != RF_OK) {
        json_begin_array(out, "Issues");
        json_begin_object(out, NULL);
        json_put_text(out, "Code", rf_str_of(end->err.code));
        json_put_text(out, "Description", rf_str_of(end->err.text));
        json_end_object(out);
        json_end_array(out);
    }
    json_end_object(out);
}

static void put_rule(struct json_out *out, const struct engine_rule *rule)
{
    json_put_text(out, "SentinelResourceName", rule->rule.name);
    json_put_text(out, "SentinelResourceId", rule->id);
    json_put_text(out, "SentinelResourceType", RF_S("Analytics Rule"));
    json_put_text(out, "SentinelResourceKind",
                  rule->rule.kind == RULE_NRT ? RF_S("NRT") : RF_S("Scheduled"));
    json_put_text(out, "WorkspaceId", rule->place.guid);
    json_put_text(out, "SourceSystem", RF_S("Ringfort"));
}

void health_run(struct engine *engine, const struct engine_rule *rule, const struct run_end *end,
                int64_t from_ticks, int64_t to_ticks)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    struct rf_buf row = rf_buf_in(&arena);
    struct json_out out = json_out_to(&row);
    bool ok = end->kind == RF_OK;
    if (end->kind == RF_CANCELLED && engine->stopping) return; /* it is run after the restart */
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(&arena, rf_clock_now(engine->options.clock)));
    json_put_text(&out, "OperationName",
                  rule->rule.kind == RULE_NRT ? RF_S("NRT analytics rule run")
                                              : RF_S("Scheduled analytics rule run"));
    json_put_text(&out, "Status", ok ? RF_S("Success") : RF_S("Failure"));
    json_put_text(&out, "Reason", ok ? RF_S("") : rf_str_of(end->err.code));
    json_put_text(&out, "Description",
                  ok              ? RF_S("Rule executed successfully.")
                  : end->for_good ? RF_S("Rule execution failed.")
                                  : RF_S("Rule execution failed and is tried again."));
    json_put_text(&out, "RecordId", guid_random(&arena));
    put_rule(&out, rule);
    put_details(&out, rule, end, from_ticks, to_ticks, &arena);
    json_end_object(&out);
    if (!row.failed) audit_row(engine->options.audit, "SentinelHealth", rf_buf_view(&row));
    if (!ok)
        rf_log(RF_WARN, "siem.rule_failed", RF_KV_STR("rule", rule->id),
               RF_KV_STR("code", rf_str_of(end->err.code)),
               RF_KV_STR("error", rf_str_of(end->err.text)));
}

/* ---- rules that fail for good ------------------------------------------------------------------------------------------ */

static enum rf_kind disable(struct engine *engine, const struct engine_rule *rule,
                            const struct rf_err *why, struct rf_arena *arena, struct rf_err *err)
{
    struct arm_resource stored, out;
    struct arm_call call;
    RF_TRY(arm_begin(engine->options.arm, NULL, arena, &call, err));
    enum rf_kind kind = arm_get(engine->options.arm, call.txn, rule->id, arena, &stored, err);
    struct json_node *properties = kind == RF_OK ? json_get(stored.body, "properties") : NULL;
    if (kind == RF_OK && stored.etag == rule->etag && properties != NULL) {
        rf_str name = rf_arena_printf(arena, "AUTO DISABLED %.*s", RF_FMT(rule->rule.name));
        rf_str text = rf_arena_printf(
            arena, "The rule was disabled after %d runs in a row that failed: %s (%s)\n\n%.*s",
            RULE_FAILURES_MAX, why->text, why->code, RF_FMT(rule->rule.description));
        bool fits = name.ptr != NULL && text.ptr != NULL &&
                    json_set_bool(arena, properties, "enabled", false) != NULL &&
                    json_set_text(arena, properties, "displayName", name) != NULL &&
                    json_set_text(arena, properties, "description", text) != NULL;
        kind = fits ? arm_put_in(&call, rule->id, stored.body, &out, NULL, err)
                    : rf_fail_memory(err, arena);
        if (kind == RF_OK) kind = arm_commit(&call, err);
    }
    arm_end(&call);
    return kind;
}

void health_disable(struct engine *engine, const struct engine_rule *rule, const struct rf_err *why)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    rf_arena_init(&arena, 16 << 20);
    if (disable(engine, rule, why, &arena, &err) != RF_OK)
        rf_log(RF_ERROR, "siem.rule_not_disabled", RF_KV_STR("rule", rule->id),
               RF_KV_STR("error", rf_str_of(err.text)));
}
