/* content_default.c - rules that every workspace has as soon as Sentinel is enabled on it: of the templates that the program carries in
 * itself those that watch over the installation rather than over attacks. They are alert rules as any other.
 *
 * State, space "siem.default": key = lower-case id of the workspace, "|", the rule's id: it was made once. */
#include "base/log.h"
#include "siem/content_int.h"

static const char *const default_rules[] = {
    "6a1f6c0e-52d1-5b0e-9a53-0f5b7d1f9c11", /* a source went silent */
    "d8895242-62a8-55e7-84e0-953217098ef9", /* the account for emergencies was used */
};

static enum rf_kind put_default(struct arm_call *call, rf_str workspace, rf_str rule,
                                struct rf_err *err)
{
    struct state_object noted;
    struct arm_resource there;
    struct json_node *document;
    rf_str id = rf_arena_printf(call->arena, "%.*s/providers/" CONTENT_P "alertRules/%.*s",
                                RF_FMT(workspace), RF_FMT(rule));
    rf_str key = rf_arena_printf(call->arena, "%.*s|%.*s", RF_FMT(workspace), RF_FMT(rule));
    if (key.ptr != NULL) key = resource_key(call->arena, key);
    if (id.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_get(call->txn, "siem.default", key, call->arena, &noted, NULL);
    if (kind == RF_OK) return RF_OK;
    kind = arm_get(call->arm, call->txn, id, call->arena, &there, NULL);
    if (kind == RF_NOT_FOUND) {
        RF_TRY(rule_template_built_in(rule, call->arena, &document, err));
        RF_TRY(arm_put_in(call, id, document, &there, NULL, err));
    }
    const struct state_put note = {.space = "siem.default", .key = key, .body = RF_S("{}")};
    return state_put(call->txn, &note, NULL, NULL, err);
}

enum rf_kind content_put_defaults(struct arm_call *call, rf_str workspace, struct rf_err *err)
{
    for (size_t i = 0; i < RF_COUNT(default_rules); i++)
        RF_TRY(put_default(call, workspace, rf_str_of(default_rules[i]), err));
    return RF_OK;
}

/* In a transaction of its own, so that one workspace does not keep another from having its rules. */
static enum rf_kind start_one(struct siem *siem, rf_str id, struct rf_arena *arena,
                              struct rf_err *err)
{
    struct arm_call call;
    rf_str workspace;
    RF_TRY(arm_begin(siem->options.arm, NULL, arena, &call, err));
    enum rf_kind kind = content_workspace(&call, id, &workspace, err);
    if (kind == RF_OK) kind = content_put_defaults(&call, workspace, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}

enum rf_kind content_start_defaults(struct siem *siem, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_txn *txn;
    struct arm_resource *list;
    uint32_t count;
    rf_arena_init(&arena, 64 << 20);
    RF_TRY(state_begin_read(siem->options.state, &txn, err));
    enum rf_kind kind =
        arm_list(siem->options.arm, txn, CONTENT_P "onboardingStates", &arena, &list, &count, err);
    state_end(txn);
    RF_TRY(kind);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err inner = {0};
        if (start_one(siem, list[i].id, &arena, &inner) != RF_OK)
            rf_log(RF_WARN, "siem.default_rules_missing", RF_KV_STR("workspace", list[i].id),
                   RF_KV_STR("error", rf_str_of(inner.text)));
    }
    return RF_OK;
}
