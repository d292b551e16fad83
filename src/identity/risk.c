#include "identity/risk_int.h"

#include <stdio.h>

enum { SEEN_MAX = 20, OPEN_MAX = 20 };
static const char space[] = "riskyUser";
static const char *const level_names[] = {"none", "low", "medium", "high"};

const char *risk_level_name(enum risk_level level) { return level_names[level]; }

static enum risk_level level_of(const struct json_node *doc, const char *name)
{
    rf_str text = json_text_at(doc, name);
    for (size_t i = 0; i < RF_COUNT(level_names); i++)
        if (rf_str_is(text, level_names[i])) return (enum risk_level)i;
    return RISK_NONE;
}

static enum rf_kind load(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                         struct json_node **out, struct rf_err *err)
{
    *out = NULL;
    enum rf_kind kind = object_get(txn, space, user, arena, out, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* ---- the user ---------------------------------------------------------------------------------------------------------- */

static bool counts(const struct json_node *doc)
{
    rf_str state = json_text_at(doc, "riskState");
    return rf_str_is(state, "atRisk") || rf_str_is(state, "confirmedCompromised");
}

enum rf_kind risk_user_level(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                             enum risk_level *out, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(load(txn, user, arena, &doc, err));
    *out = counts(doc) ? level_of(doc, "riskLevel") : RISK_NONE;
    return RF_OK;
}

static struct json_node *new_doc(const struct json_node *user, struct rf_arena *arena)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", json_text_at(user, "id"));
    json_set_bool(arena, doc, "isDeleted", false);
    json_set_bool(arena, doc, "isProcessing", false);
    return json_set_text(arena, doc, "riskState", RF_S("none")) == NULL ? NULL : doc;
}

static struct json_node *list_in(struct json_node *doc, const char *name, struct rf_arena *arena)
{
    struct json_node *list = json_get(doc, name);
    if (json_is(list, JSON_T_ARRAY)) return list;
    return json_set(arena, doc, rf_str_of(name), json_new(arena, JSON_T_ARRAY));
}

static void drop_first(struct json_node *list, uint32_t most)
{
    while (list->count > most) {
        list->first = list->first->next;
        list->count--;
    }
}

static bool was_seen(const struct json_node *doc, rf_str id)
{
    const struct json_node *seen = json_get(doc, "~seen");
    for (const struct json_node *s = seen == NULL ? NULL : seen->first; s != NULL; s = s->next)
        if (rf_str_eq(s->text, id)) return true;
    return false;
}

/* Level and state follow from what is open. */
static enum rf_kind store(struct state_txn *txn, struct json_node *doc, const char *state,
                          const char *detail, rf_usec now, struct rf_arena *arena,
                          struct rf_err *err)
{
    enum risk_level level = RISK_NONE;
    const struct json_node *open = json_get(doc, "~open");
    bool confirmed = rf_str_is(json_text_at(doc, "riskState"), "confirmedCompromised");
    for (const struct json_node *o = open == NULL ? NULL : open->first; o != NULL; o = o->next)
        level = RF_MAX(level, level_of(o, "level"));
    bool at_risk = level != RISK_NONE;
    if (at_risk && confirmed) state = "confirmedCompromised";
    if (at_risk && !confirmed && strcmp(state, "confirmedCompromised") != 0) state = "atRisk";
    json_set_text(arena, doc, "riskLevel", rf_str_of(level_names[level]));
    json_set_text(arena, doc, "riskState", rf_str_of(state));
    json_set_text(arena, doc, "riskDetail", rf_str_of(detail));
    if (json_set_text(arena, doc, "riskLastUpdatedDateTime", time_graph(arena, now)) == NULL)
        return rf_fail_memory(err, arena);
    return object_put(txn, space, doc, arena, err);
}

static enum rf_kind add(struct json_node *doc, rf_str id, const char *type, enum risk_level level,
                        struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *open = list_in(doc, "~open", arena), *seen = list_in(doc, "~seen", arena),
                     *item = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, item, "id", id);
    json_set_text(arena, item, "type", rf_str_of(type));
    if (json_set_text(arena, item, "level", rf_str_of(level_names[level])) == NULL ||
        json_append(open, item) == NULL || json_append(seen, json_new_text(arena, id)) == NULL)
        return rf_fail_memory(err, arena);
    drop_first(open, OPEN_MAX);
    drop_first(seen, SEEN_MAX);
    return RF_OK;
}

static enum rf_kind name_user(struct json_node *doc, const struct json_node *user,
                              struct rf_arena *arena, struct rf_err *err)
{
    json_set_text(arena, doc, "userDisplayName", json_text_at(user, "displayName"));
    return json_set_text(arena, doc, "userPrincipalName",
                         json_text_at(user, "userPrincipalName")) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

enum rf_kind risk_raise(struct state_txn *txn, const struct json_node *user,
                        const struct risk *risk, rf_usec now, struct rf_arena *arena,
                        struct json_node **out, bool *raised, struct rf_err *err)
{
    struct json_node *doc;
    *raised = false;
    RF_TRY(load(txn, json_text_at(user, "id"), arena, &doc, err));
    if (doc == NULL) doc = new_doc(user, arena);
    if (doc == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < risk->count; i++) {
        const struct risk_detection *d = &risk->items[i];
        if (was_seen(doc, d->id)) continue;
        RF_TRY(add(doc, d->id, d->type, d->level, arena, err));
        *raised = true;
    }
    *out = doc;
    if (!*raised) return RF_OK;
    RF_TRY(name_user(doc, user, arena, err));
    return store(txn, doc, "atRisk", "none", now, arena, err);
}

static bool is_meant(const struct risk_settling *s, const struct json_node *open)
{
    if (s->only != NULL) {
        for (uint32_t i = 0; i < s->only->count; i++)
            if (!s->only->items[i].offline &&
                rf_str_eq(s->only->items[i].id, json_text_at(open, "id")))
                return true;
        return false;
    }
    for (const char *const *type = s->types; type != NULL && *type != NULL; type++)
        if (rf_str_is(json_text_at(open, "type"), *type)) return true;
    return s->types == NULL;
}

enum rf_kind risk_settle(struct state_txn *txn, const struct risk_settling *settling, rf_usec now,
                         struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct json_node *doc, *left = json_new(arena, JSON_T_ARRAY);
    *out = NULL;
    RF_TRY(load(txn, settling->user, arena, &doc, err));
    const struct json_node *open = json_get(doc, "~open");
    if (!json_is(open, JSON_T_ARRAY) || open->count == 0) return RF_OK;
    uint32_t before = open->count;
    for (const struct json_node *o = open->first; o != NULL; o = o->next)
        if (!is_meant(settling, o) && json_append(left, json_clone(arena, o)) == NULL)
            return rf_fail_memory(err, arena);
    if (left == NULL) return rf_fail_memory(err, arena);
    if (left->count == before) return RF_OK;
    if (json_set(arena, doc, RF_S("~open"), left) == NULL) return rf_fail_memory(err, arena);
    RF_TRY(store(txn, doc, settling->state, settling->detail, now, arena, err));
    *out = doc;
    return RF_OK;
}

enum rf_kind risk_confirm(struct state_txn *txn, const struct json_node *user, rf_usec now,
                          struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct json_node *doc;
    rf_str id = guid_random(arena);
    RF_TRY(load(txn, json_text_at(user, "id"), arena, &doc, err));
    if (doc == NULL) doc = new_doc(user, arena);
    if (doc == NULL || id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(name_user(doc, user, arena, err));
    RF_TRY(add(doc, id, "adminConfirmedUserCompromised", RISK_HIGH, arena, err));
    RF_TRY(
        store(txn, doc, "confirmedCompromised", "adminConfirmedUserCompromised", now, arena, err));
    *out = doc;
    return RF_OK;
}

enum rf_kind risk_password_changed(struct state_txn *txn, rf_str user, bool all, const char *detail,
                                   rf_usec now, struct rf_arena *arena, struct rf_err *err)
{
    static const char *const of_passwords[] = {RISK_LEAKED, RISK_SPRAY, NULL};
    const struct risk_settling settling = {
        .user = user, .types = all ? NULL : of_passwords, .state = "remediated", .detail = detail};
    struct json_node *doc;
    return risk_settle(txn, &settling, now, arena, &doc, err);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------- */

void risk_put_place(struct json_out *out, const struct place *place)
{
    json_begin_object(out, NULL);
    if (place->city.len > 0) json_put_text(out, "city", place->city);
    if (place->country.len > 0) json_put_text(out, "countryOrRegion", place->country);
    if (place->has_point) {
        char text[96];
        int len = snprintf(text, sizeof text, "{\"latitude\":%.6f,\"longitude\":%.6f}",
                           place->latitude / 1e6, place->longitude / 1e6);
        json_put_raw(out, "geoCoordinates", rf_str_make((const uint8_t *)text, (size_t)len));
    }
    json_end_object(out);
}

static void put_info(struct json_out *out, const char *key, rf_str value, bool raw)
{
    json_begin_object(out, NULL);
    json_put_text(out, "Key", rf_str_of(key));
    if (raw)
        json_put_raw(out, "Value", value);
    else
        json_put_text(out, "Value", value);
    json_end_object(out);
}

void risk_tell_detection(struct identity *identity, struct request *request,
                         const struct json_node *user, rf_str correlation_id,
                         const struct risk *risk, const struct risk_detection *d, const char *state,
                         const char *detail)
{
    struct rf_buf buf = rf_buf_in(request->arena), place = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf), where = json_out_to(&place);
    rf_str at = time_iso(request->arena, request->now);
    risk_put_place(&where, &risk->place);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", at);
    json_put_text(&out, "Activity", d->offline ? RF_S("user") : RF_S("signin"));
    json_put_text(&out, "ActivityDateTime", at);
    json_begin_array(&out, "AdditionalInfo");
    put_info(&out, "riskReasons", d->reasons, true);
    put_info(&out, "explanation", d->explanation, false);
    put_info(&out, "userAgent", http_header(request->http, "User-Agent", NULL), false);
    json_end_array(&out);
    json_put_text(&out, "CorrelationId", correlation_id);
    json_put_text(&out, "DetectedDateTime", at);
    json_put_text(&out, "LastUpdatedDateTime", at);
    json_put_text(&out, "DetectionTimingType", RF_S("realtime"));
    json_put_text(&out, "Id", d->id);
    json_put_text(&out, "IpAddress", request->http->peer_address);
    json_put_raw(&out, "Location", rf_buf_view(&place));
    json_put_text(&out, "OperationName", RF_S("User Risk Detection"));
    json_put_text(&out, "RequestId", request->request_id);
    json_put_text(&out, "RiskDetail", rf_str_of(detail));
    json_put_text(&out, "RiskEventType", rf_str_of(d->type));
    json_put_text(&out, "RiskLevel", rf_str_of(level_names[d->level]));
    json_put_text(&out, "RiskState", rf_str_of(state));
    json_put_text(&out, "Source", RF_S("IdentityProtection"));
    json_put_text(&out, "TokenIssuerType", RF_S("AzureAD"));
    json_put_text(&out, "UserDisplayName", json_text_at(user, "displayName"));
    json_put_text(&out, "UserId", json_text_at(user, "id"));
    json_put_text(&out, "UserPrincipalName", json_text_at(user, "userPrincipalName"));
    json_end_object(&out);
    if (!buf.failed && !place.failed)
        audit_row(identity->options.audit, "AADUserRiskEvents", rf_buf_view(&buf));
}

void risk_tell_user(struct identity *identity, struct request *request, const struct json_node *doc)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(request->arena, request->now));
    json_put_text(&out, "CorrelationId", request->client_request_id);
    json_put_text(&out, "Id", json_text_at(doc, "id"));
    json_put_bool(&out, "IsDeleted", false);
    json_put_bool(&out, "IsProcessing", false);
    json_put_text(&out, "OperationName", RF_S("Risky user"));
    json_put_text(&out, "RiskDetail", json_text_at(doc, "riskDetail"));
    json_put_text(&out, "RiskLastUpdatedDateTime", json_text_at(doc, "riskLastUpdatedDateTime"));
    json_put_text(&out, "RiskLevel", json_text_at(doc, "riskLevel"));
    json_put_text(&out, "RiskState", json_text_at(doc, "riskState"));
    json_put_text(&out, "UserDisplayName", json_text_at(doc, "userDisplayName"));
    json_put_text(&out, "UserPrincipalName", json_text_at(doc, "userPrincipalName"));
    json_end_object(&out);
    if (!buf.failed) audit_row(identity->options.audit, "AADRiskyUsers", rf_buf_view(&buf));
}
