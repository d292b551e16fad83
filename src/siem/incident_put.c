/* incident_put.c - one incident: read, created or changed, deleted. */
#include "siem/incident_api_int.h"

#include "base/encode.h"
#include "siem/rule_int.h"

enum { TITLE_CHARS_MAX = 500, TEXT_CHARS_MAX = 5000, LABELS_MAX = 100, LABEL_CHARS_MAX = 200 };

enum rf_kind incident_api_get(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    RF_TRY(api_incident(call, &incident, err));
    struct json_node *body = incident_show(&incident, call->arena);
    return body == NULL ? rf_fail_memory(err, call->arena) : api_answer(call, 200, body, err);
}

/* ---- what a caller may set ------------------------------------------------------------------------------------------------ */

static enum rf_kind one_of(const struct json_node *sent, const char *name, bool required,
                           const char *const *names, rf_str *out, struct rf_err *err)
{
    RF_TRY(api_text(sent, name, required, TEXT_CHARS_MAX, out, err));
    if (out->len == 0) return RF_OK;
    int at = rule_find_name(names, *out);
    if (at < 0)
        return api_bad(err, "properties.%s: '%.*s' is not one of the values that it may have.",
                       name, (int)RF_MIN(out->len, (size_t)100), (const char *)out->ptr);
    *out = rf_str_of(names[at]);
    return RF_OK;
}

/* Sets the text, or removes the member when it is empty. */
static bool set_or_clear(struct rf_arena *arena, struct json_node *p, const char *name, rf_str text)
{
    if (text.len > 0) return json_set_text(arena, p, name, text) != NULL;
    json_remove(p, rf_str_of(name));
    return true;
}

/* TruePositive goes with SuspiciousActivity and so on; Undetermined with none. */
static bool reason_fits(rf_str classification, rf_str reason)
{
    if (reason.len == 0) return true;
    if (rf_str_is(classification, "TruePositive")) return rf_str_is(reason, "SuspiciousActivity");
    if (rf_str_is(classification, "BenignPositive"))
        return rf_str_is(reason, "SuspiciousButExpected");
    return rf_str_is(classification, "FalsePositive") &&
           (rf_str_is(reason, "IncorrectAlertLogic") || rf_str_is(reason, "InaccurateData"));
}

static enum rf_kind set_classification(struct api_call *call, const struct json_node *sent,
                                       rf_str status, struct json_node *p, struct rf_err *err)
{
    rf_str classification = {NULL, 0}, reason = {NULL, 0}, comment = {NULL, 0};
    struct rf_arena *arena = call->arena;
    RF_TRY(one_of(sent, "classification", false, incident_classifications, &classification, err));
    RF_TRY(one_of(sent, "classificationReason", false, incident_reasons, &reason, err));
    RF_TRY(api_text(sent, "classificationComment", false, TEXT_CHARS_MAX, &comment, err));
    if (!reason_fits(classification, reason))
        return api_bad(err,
                       "properties.classificationReason: '%.*s' does not go with the "
                       "classification '%.*s'.",
                       RF_FMT(reason), RF_FMT(classification));
    /* Clients send back what they read: an incident that is opened again loses it. */
    bool is_closed = rf_str_is(status, "Closed");
    if (!is_closed) classification = reason = comment = (rf_str){NULL, 0};
    if (is_closed && classification.len == 0) classification = RF_S("Undetermined");
    bool done = set_or_clear(arena, p, "classification", classification) &&
                set_or_clear(arena, p, "classificationReason", reason) &&
                set_or_clear(arena, p, "classificationComment", comment);
    return done ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind set_owner(struct api_call *call, const struct json_node *sent,
                              struct json_node *p, struct rf_err *err)
{
    static const char *const members[] = {"objectId", "email", "assignedTo", "userPrincipalName"};
    static const char *const types[] = {"Unknown", "User", "Group", NULL};
    struct rf_arena *arena = call->arena;
    const struct json_node *from = json_get(sent, "owner");
    struct json_node *owner = json_new(arena, JSON_T_OBJECT);
    rf_str type = {NULL, 0};
    if (from != NULL && from->type != JSON_T_NULL && from->type != JSON_T_OBJECT)
        return api_bad(err, "properties.owner is not an object.");
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        rf_str text = {NULL, 0};
        RF_TRY(api_text(from, members[i], false, 320, &text, err));
        if (i == 0 && text.len > 0 && !guid_is(text))
            return api_bad(err, "properties.owner.objectId is not a GUID.");
        struct json_node *value =
            text.len == 0 ? json_new(arena, JSON_T_NULL) : json_new_text(arena, text);
        if (json_set(arena, owner, rf_str_of(members[i]), value) == NULL)
            return rf_fail_memory(err, arena);
    }
    RF_TRY(one_of(from, "ownerType", false, types, &type, err));
    if (type.len > 0) json_set_text(arena, owner, "ownerType", type);
    return json_set(arena, p, RF_S("owner"), owner) == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static rf_str label_type(const struct json_node *labels, rf_str name)
{
    for (const struct json_node *l = labels == NULL ? NULL : labels->first; l != NULL; l = l->next)
        if (rf_str_eq_nocase(json_text_at(l, "labelName"), name))
            return json_text_at(l, "labelType");
    return (rf_str){NULL, 0};
}

/* The type of a label is not the caller's to say: those that rules set stay theirs. */
static enum rf_kind set_labels(struct api_call *call, const struct json_node *sent,
                               struct json_node *p, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *from = json_get(sent, "labels"), *before = json_get(p, "labels");
    struct json_node *labels = json_new(arena, JSON_T_ARRAY);
    bool is_list = json_is(from, JSON_T_ARRAY);
    if (from != NULL && from->type != JSON_T_NULL && !is_list)
        return api_bad(err, "properties.labels is not a list.");
    if (is_list && from->count > LABELS_MAX)
        return api_bad(err, "properties.labels has more than %d items.", LABELS_MAX);
    for (const struct json_node *l = is_list ? from->first : NULL; l != NULL; l = l->next) {
        rf_str name = {NULL, 0}, type;
        RF_TRY(api_text(l, "labelName", true, LABEL_CHARS_MAX, &name, err));
        if (label_type(labels, name).len > 0) continue;
        type = label_type(before, name);
        struct json_node *label = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, label, "labelName", name);
        json_set_text(arena, label, "labelType", type.len > 0 ? type : RF_S("User"));
        if (json_append(labels, label) == NULL) return rf_fail_memory(err, arena);
    }
    return json_set(arena, p, RF_S("labels"), labels) == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* Times and where it came from are kept when they are left out. */
static enum rf_kind set_facts(struct api_call *call, const struct json_node *sent,
                              struct json_node *p, struct rf_err *err)
{
    static const char *const times[] = {"firstActivityTimeUtc", "lastActivityTimeUtc"};
    struct rf_arena *arena = call->arena;
    for (size_t i = 0; i < RF_COUNT(times); i++) {
        rf_str time = {NULL, 0};
        RF_TRY(api_time(sent, times[i], arena, &time, err));
        if (time.len > 0 && json_set_text(arena, p, times[i], time) == NULL)
            return rf_fail_memory(err, arena);
    }
    rf_str first = json_text_at(p, times[0]), last = json_text_at(p, times[1]);
    if (first.len > 0 && last.len > 0 && rf_str_cmp(first, last) > 0)
        return api_bad(err, "properties.firstActivityTimeUtc is behind lastActivityTimeUtc.");
    return RF_OK;
}

static enum rf_kind apply(struct api_call *call, const struct json_node *sent, struct json_node *p,
                          struct rf_err *err)
{
    static const char *const severities[] = {"High", "Medium", "Low", "Informational", NULL};
    struct rf_arena *arena = call->arena;
    rf_str title = {NULL, 0}, description = {NULL, 0}, severity = {NULL, 0}, status = {NULL, 0};
    RF_TRY(api_text(sent, "title", true, TITLE_CHARS_MAX, &title, err));
    RF_TRY(api_text(sent, "description", false, TEXT_CHARS_MAX, &description, err));
    RF_TRY(one_of(sent, "severity", true, severities, &severity, err));
    RF_TRY(one_of(sent, "status", true, incident_statuses, &status, err));
    bool done = json_set_text(arena, p, "title", title) != NULL &&
                json_set_text(arena, p, "severity", severity) != NULL &&
                json_set_text(arena, p, "status", status) != NULL &&
                set_or_clear(arena, p, "description", description);
    if (!done) return rf_fail_memory(err, arena);
    RF_TRY(set_classification(call, sent, status, p, err));
    RF_TRY(set_owner(call, sent, p, err));
    RF_TRY(set_labels(call, sent, p, err));
    return set_facts(call, sent, p, err);
}

/* ---- PUT -------------------------------------------------------------------------------------------------------------------- */

enum rf_kind incident_api_put(struct api_call *call, struct rf_err *err)
{
    struct json_node *body, *sent, *before = NULL;
    struct incident incident;
    rf_str name;
    RF_TRY(api_check_name(call, "incident", &name, err));
    RF_TRY(api_properties(call, &body, &sent, err));
    enum rf_kind kind = incident_find(call->txn, &call->place, name, call->arena, &incident, err);
    bool exists = kind == RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    RF_TRY(api_check_etag(call, body, exists ? incident.etag : 0, err));
    if (exists) {
        before = json_clone(call->arena, incident.body);
        if (before == NULL) return rf_fail_memory(err, call->arena);
    } else {
        RF_TRY(incident_new(call->txn, &call->place, name, call->now, call->arena, &incident, err));
    }
    RF_TRY(apply(call, sent, json_get(incident.body, "properties"), err));
    RF_TRY(incident_save(call->txn, &call->place, &incident, before, &call->by, call->now,
                         call->arena, err));
    /* Automation rules may have changed it since. */
    RF_TRY(incident_find(call->txn, &call->place, name, call->arena, &incident, err));
    return api_answer(call, exists ? 200 : 201, incident_show(&incident, call->arena), err);
}

/* ---- DELETE ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind remove_children(struct api_call *call, rf_str name, struct rf_err *err)
{
    static const char *const spaces[] = {SPACE_COMMENT, SPACE_TASK, SPACE_RELATION};
    rf_str prefix = incident_child_key(&call->place, name, RF_S(""), call->arena);
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    for (size_t i = 0; i < RF_COUNT(spaces); i++)
        RF_TRY(state_delete_prefix(call->txn, spaces[i], prefix, NULL, err));
    return RF_OK;
}

enum rf_kind incident_api_delete(struct api_call *call, struct rf_err *err)
{
    struct incident incident;
    enum rf_kind kind = api_incident(call, &incident, err);
    if (kind == RF_NOT_FOUND) return api_answer(call, 204, NULL, err);
    RF_TRY(kind);
    RF_TRY(api_check_etag(call, NULL, incident.etag, err));
    struct json_node *alerts = json_clone(call->arena, json_at(incident.body, "_.alerts"));
    const struct json_node *alert = alerts == NULL ? NULL : alerts->first;
    for (; alert != NULL; alert = alert->next)
        RF_TRY(alert_leave(call->txn, &call->place, &incident, alert->text, call->now, call->arena,
                           err));
    const struct json_node *marks = json_at(incident.body, "_.bookmarks");
    for (const struct json_node *m = marks == NULL ? NULL : marks->first; m != NULL; m = m->next)
        RF_TRY(bookmark_leave(call, m->text, err));
    RF_TRY(remove_children(call, json_text_at(incident.body, "name"), err));
    RF_TRY(state_delete(call->txn, SPACE_INCIDENT, incident.key, err));
    return api_answer(call, 200, NULL, err);
}
