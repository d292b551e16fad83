/* rule_health.c - how a log alert rule fares: rows of SentinelHealth when it falls ill, is given up for Unavailable and is well again,
 * and what its document shows. */
#include "alerts/alerts_int.h"
#include "base/encode.h"
#include "base/json_out.h"

static const char *status_of(int64_t failures)
{
    return failures == 0 ? "Available" : failures < RULE_FAILURES_MAX ? "Degraded" : "Unavailable";
}

void rule_health_row(const struct rule_run *run, int64_t failures, const struct rf_err *why)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf row = rf_buf_in(&arena);
    struct json_out out = json_out_to(&row);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(&arena, run->now));
    json_put_text(&out, "OperationName", RF_S("Log alert rule run"));
    json_put_text(&out, "Status", failures == 0 ? RF_S("Success") : RF_S("Failure"));
    json_put_text(&out, "Reason", rf_str_of(why == NULL || why->code == NULL ? "" : why->code));
    json_put_text(&out, "Description", rf_str_of(why == NULL ? "The rule runs again." : why->text));
    json_put_text(&out, "RecordId", guid_random(&arena));
    json_put_text(&out, "SentinelResourceName", run->rule->name);
    json_put_text(&out, "SentinelResourceId", run->rule_id);
    json_put_text(&out, "SentinelResourceType", RF_S("Log alert rule"));
    json_put_text(&out, "SentinelResourceKind", RF_S("LogAlert"));
    json_put_text(&out, "WorkspaceId", run->place.guid);
    json_put_text(&out, "SourceSystem", RF_S("Ringfort"));
    json_begin_object(&out, "ExtendedProperties");
    json_put_text(&out, "Availability", rf_str_of(status_of(failures)));
    json_put_i64(&out, "Failures", failures);
    json_end_object(&out);
    json_end_object(&out);
    if (!row.failed) audit_row(run->alerts->options.audit, "SentinelHealth", rf_buf_view(&row));
}

enum rf_kind rule_health_show(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    struct rule_state state;
    RF_TRY(rule_state_get(call->txn, resource->key, call->arena, &state, err));
    struct json_node *p = json_get(resource->body, "properties");
    if (state.failures == 0 || !json_is(p, JSON_T_OBJECT)) return RF_OK;
    struct json_node *health = json_object_in(call->arena, p, "ringfortHealth");
    if (health == NULL) return rf_fail_memory(err, call->arena);
    json_set_text(call->arena, health, "availability", rf_str_of(status_of(state.failures)));
    json_set_i64(call->arena, health, "failures", state.failures);
    json_set_text(call->arena, health, "code", state.code);
    return json_set_text(call->arena, health, "message", state.error) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}
