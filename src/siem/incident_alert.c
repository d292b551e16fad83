/* incident_alert.c - alerts as they are kept in state, and how they belong to incidents. */
#include "siem/incident_int.h"

#include "base/encode.h"
#include "siem/entity_int.h"

enum { EXPIRE_AT_ONCE = 500 };

enum rf_kind alert_load(struct state_txn *txn, const struct incident_place *place, rf_str id,
                        struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    struct rf_buf key = rf_buf_in(arena);
    struct json_node *body = NULL;
    for (size_t i = 0; i < id.len; i++) rf_buf_byte(&key, rf_lower(id.ptr[i]));
    if (key.failed) return rf_fail_memory(err, arena);
    enum rf_kind kind = id.len == 0 || id.len > 100
                            ? RF_NOT_FOUND
                            : state_get(txn, SPACE_ALERT, rf_buf_view(&key), arena, &object, err);
    if (kind == RF_OK) RF_TRY(json_parse(object.body, arena, &body, err));
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    bool is_ours =
        body != NULL && rf_str_eq_nocase(json_text_at(body, "workspace"), place->workspace);
    if (!is_ours)
        return RF_FAIL(err, RF_NOT_FOUND, "AlertNotFound", "The alert '%.*s' was not found.",
                       (int)RF_MIN(id.len, 100), (const char *)id.ptr);
    *out = body;
    return RF_OK;
}

/* ---- storing -------------------------------------------------------------------------------------------------------------- */

static uint32_t add_entity_words(const struct incident_place *place, const struct json_node *keys,
                                 struct rf_arena *arena, struct state_index *indexes)
{
    uint32_t n = 0;
    for (const struct json_node *key = keys == NULL ? NULL : keys->first; key != NULL;
         key = key->next)
        indexes[n++] = (struct state_index){
            "entity",
            incident_word(place, entity_name(place->workspace_id, key->text, arena), arena)};
    return n;
}

enum rf_kind alert_store(struct state_txn *txn, const struct incident_place *place,
                         struct json_node *body, rf_usec now, struct rf_arena *arena,
                         struct rf_err *err)
{
    const struct json_node *keys = json_get(body, "keys"), *incidents = json_get(body, "incidents");
    uint32_t count = (keys == NULL ? 0 : keys->count) + 2;
    struct state_index *indexes = rf_arena_new(arena, struct state_index, count);
    rf_str text = json_to_text(arena, body), day = time_iso(arena, now);
    if (indexes == NULL || text.ptr == NULL || day.len < 10) return rf_fail_memory(err, arena);
    uint32_t n = add_entity_words(place, keys, arena, indexes);
    indexes[n++] = (struct state_index){"workspace", resource_key(arena, place->workspace)};
    if (incidents == NULL || incidents->count == 0)
        indexes[n++] = (struct state_index){"due", rf_slice(day, 0, 10)};
    for (uint32_t i = 0; i < n; i++)
        if (indexes[i].value.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = SPACE_ALERT,
                            .key = json_text_at(body, "row.SystemAlertId"),
                            .body = text,
                            .indexes = indexes,
                            .index_count = n};
    return state_put(txn, &put, NULL, NULL, err);
}

/* ---- belonging to an incident ------------------------------------------------------------------------------------------------- */

static bool stretch(struct json_node *p, const char *member, rf_str time, int sign,
                    struct rf_arena *arena)
{
    rf_str there = json_text_at(p, member), kept;
    if (time.len == 0) return true;
    if (there.len > 0 && rf_str_cmp(time, there) * sign <= 0) return true;
    return rf_arena_str(arena, time, &kept) && json_set_text(arena, p, member, kept) != NULL;
}

static bool take_over(struct incident *incident, const struct json_node *row,
                      struct rf_arena *arena)
{
    struct json_node *p = json_object_in(arena, incident->body, "properties");
    struct json_node *more = json_object_in(arena, p, "additionalData");
    struct json_node *alerts = incident_list_in(incident_private(incident, arena), "alerts", arena);
    return more != NULL && alerts != NULL &&
           incident_add_text(alerts, json_text_at(row, "SystemAlertId"), arena) &&
           incident_add_words(incident_list_in(more, "tactics", arena),
                              json_text_at(row, "Tactics"), arena) &&
           incident_add_words(incident_list_in(more, "techniques", arena),
                              json_text_at(row, "Techniques"), arena) &&
           incident_add_text(incident_list_in(more, "alertProductNames", arena),
                             json_text_at(row, "ProductName"), arena) &&
           stretch(p, "firstActivityTimeUtc", json_text_at(row, "StartTime"), -1, arena) &&
           stretch(p, "lastActivityTimeUtc", json_text_at(row, "EndTime"), 1, arena);
}

enum rf_kind alert_join(struct state_txn *txn, const struct incident_place *place,
                        struct incident *incident, struct json_node *alert, rf_usec now,
                        struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *incidents = incident_list_in(alert, "incidents", arena);
    if (incidents == NULL || !take_over(incident, json_get(alert, "row"), arena) ||
        !incident_add_text(incidents, json_text_at(incident->body, "name"), arena))
        return rf_fail_memory(err, arena);
    return alert_store(txn, place, alert, now, arena, err);
}

enum rf_kind alert_leave(struct state_txn *txn, const struct incident_place *place,
                         struct incident *incident, rf_str alert_id, rf_usec now,
                         struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *alert = NULL;
    struct json_node *alerts = incident_list_in(incident_private(incident, arena), "alerts", arena);
    if (alerts == NULL) return rf_fail_memory(err, arena);
    (void)incident_drop_text(alerts, alert_id);
    enum rf_kind kind = alert_load(txn, place, alert_id, arena, &alert, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    struct json_node *incidents = incident_list_in(alert, "incidents", arena);
    if (incidents == NULL) return rf_fail_memory(err, arena);
    (void)incident_drop_text(incidents, json_text_at(incident->body, "name"));
    return alert_store(txn, place, alert, now, arena, err);
}

/* ---- the end of those that nobody names ------------------------------------------------------------------------------------------ */

static enum rf_kind expire_day(struct state_txn *txn, rf_str day, struct rf_arena *arena,
                               bool *more, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {
        .space = SPACE_ALERT, .index = "due", .value = day, .limit = EXPIRE_AT_ONCE};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(state_delete(txn, SPACE_ALERT, list.items[i].key, err));
    *more = list.more;
    return RF_OK;
}

enum rf_kind incident_expire_alerts(struct state_txn *txn, rf_usec now, struct rf_arena *arena,
                                    bool *more, struct rf_err *err)
{
    /* Days are words of an index and looked at one by one; a server that stood still for longer keeps what is older. */
    enum { DAYS_BACK = 400 };
    const rf_usec day_usec = 86400 * RF_USEC_PER_SECOND;
    *more = false;
    for (int back = DAYS_BACK; back > 0 && !*more; back--) {
        rf_str day = time_iso(arena, now - (ALERT_KEPT_DAYS + back) * day_usec);
        if (day.len < 10) return rf_fail_memory(err, arena);
        RF_TRY(expire_day(txn, rf_slice(day, 0, 10), arena, more, err));
    }
    return RF_OK;
}
