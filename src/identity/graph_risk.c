/* graph_risk.c - riskyUsers of Graph: who may be somebody else, and what administrators say to it. */
#include "identity/graph_int.h"
#include "identity/risk_int.h"

static enum rf_kind list(struct graph_call *call, struct rf_err *err)
{
    struct object_list all;
    RF_TRY(object_list(call->txn, "riskyUser", NULL, (rf_str){0}, call->arena, &all, err));
    for (uint32_t i = 0; i < all.count; i++) {
        all.items[i] = graph_public(call->arena, all.items[i]);
        if (all.items[i] == NULL) return graph_memory(call, err);
    }
    const struct graph_items items = {
        .docs = all.items, .count = all.count, .context = "identityProtection/riskyUsers"};
    return graph_list_items(call, &items, err);
}

static enum rf_kind get(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    enum rf_kind kind = object_get(call->txn, "riskyUser", call->ids[0], call->arena, &doc, err);
    if (kind == RF_NOT_FOUND) return graph_not_found(call->ids[0], err);
    RF_TRY(kind);
    call->answer = graph_public(call->arena, doc);
    return json_set_text(call->arena, call->answer, "@odata.context",
                         graph_context(call, "identityProtection/riskyUsers/$entity")) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind change(struct graph_call *call, const struct json_node *user, bool dismiss,
                           struct rf_err *err)
{
    rf_usec now = call->request->now;
    struct json_node *doc;
    const struct risk_settling settling = {.user = json_text_at(user, "id"),
                                           .state = "dismissed",
                                           .detail = "adminDismissedAllRiskForUser"};
    if (dismiss)
        RF_TRY(risk_settle(call->txn, &settling, now, call->arena, &doc, err));
    else
        RF_TRY(risk_confirm(call->txn, user, now, call->arena, &doc, err));
    if (doc == NULL) return RF_OK;
    graph_change(call,
                 &(struct trail_change){.operation = dismiss ? "DismissUser" : "ConfirmCompromised",
                                        .verb = "Update",
                                        .service = "Identity Protection",
                                        .category = "IdentityProtection",
                                        .type = "User",
                                        .target = user});
    /* Nothing behind it can fail but the commit itself. */
    risk_tell_user(call->identity, call->request, doc);
    return RF_OK;
}

/* All are looked up before anything is changed. */
static enum rf_kind change_all(struct graph_call *call, bool dismiss, struct rf_err *err)
{
    const struct json_node *ids = json_get(call->body, "userIds");
    struct json_node *users[GRAPH_CHANGES_MAX];
    uint32_t count = 0;
    if (!json_is(ids, JSON_T_ARRAY) || ids->count == 0 || ids->count > GRAPH_CHANGES_MAX)
        return graph_bad(err, "userIds must be a list of 1 to %d ids.", GRAPH_CHANGES_MAX);
    for (const struct json_node *id = ids->first; id != NULL; id = id->next) {
        if (!guid_is(id->text)) return graph_bad(err, "userIds holds something that is no id.");
        enum rf_kind kind =
            object_get(call->txn, "user", id->text, call->arena, &users[count++], err);
        if (kind == RF_NOT_FOUND) return graph_not_found(id->text, err);
        RF_TRY(kind);
    }
    for (uint32_t i = 0; i < count; i++) RF_TRY(change(call, users[i], dismiss, err));
    return graph_answer_empty(call, 204);
}

static enum rf_kind dismiss(struct graph_call *call, struct rf_err *err)
{
    return change_all(call, true, err);
}
static enum rf_kind confirm(struct graph_call *call, struct rf_err *err)
{
    return change_all(call, false, err);
}

#define RISKY_WRITE "IdentityRiskyUser.ReadWrite.All"
#define RISKY_READ "IdentityRiskyUser.Read.All " RISKY_WRITE
#define BASE "identityProtection/riskyUsers"
const struct graph_route graph_risk_routes[] = {
    {HTTP_GET, 0, BASE, RISKY_READ, list, NULL},
    {HTTP_GET, 0, BASE "/{}", RISKY_READ, get, NULL},
    {HTTP_POST, 0, BASE "/confirmCompromised", RISKY_WRITE, confirm, NULL},
    {HTTP_POST, 0, BASE "/dismiss", RISKY_WRITE, dismiss, NULL},
    {.path = NULL},
};
