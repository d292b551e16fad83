/* incident_row.c - an incident as a row of SecurityIncident, one for each change (contracts/sentinel section 3). */
#include "siem/incident_int.h"

#include "base/json_out.h"

/* What a column of a table may hold; of more comments the newest are shown. */
enum { COMMENTS_BYTES_MAX = 32 << 10 };

static void put_member(struct json_out *out, const char *column, const struct json_node *p,
                       const char *member)
{
    json_put_text(out, column, json_text_at(p, member));
}

/* A time that may be absent: the column is null then. */
static void put_time(struct json_out *out, const char *column, rf_str time)
{
    if (time.len > 0) json_put_text(out, column, time);
}

static void put_list(struct json_out *out, const char *column, const struct json_node *list)
{
    if (json_is(list, JSON_T_ARRAY))
        json_put_node(out, column, list);
    else
        json_put_raw(out, column, RF_S("[]"));
}

/* The properties of what belongs to the incident, as far as they fit. */
static enum rf_kind put_children(struct json_out *out, const char *column, struct state_txn *txn,
                                 const struct incident_place *place, const char *space,
                                 rf_str incident, struct rf_arena *arena, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = space,
                              .prefix = incident_child_key(place, incident, RF_S(""), arena)};
    size_t bytes = 0;
    if (scan.prefix.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    /* Newest first as long as they fit; there are no more than a hundred. */
    for (uint32_t i = 1; i < list.count; i++)
        for (uint32_t k = i; k > 0 && list.items[k].created_usec > list.items[k - 1].created_usec;
             k--) {
            struct state_object swap = list.items[k];
            list.items[k] = list.items[k - 1];
            list.items[k - 1] = swap;
        }
    json_begin_array(out, column);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        bytes += list.items[i].body.len;
        if (bytes > COMMENTS_BYTES_MAX) break;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        struct json_node *properties = json_get(body, "properties");
        if (properties != NULL) json_put_node(out, NULL, properties);
    }
    json_end_array(out);
    return RF_OK;
}

static void put_properties(struct json_out *out, const struct json_node *p)
{
    int64_t number = 0;
    (void)json_i64_at(p, "incidentNumber", &number);
    put_member(out, "Title", p, "title");
    put_member(out, "Description", p, "description");
    put_member(out, "Severity", p, "severity");
    put_member(out, "Status", p, "status");
    put_member(out, "Classification", p, "classification");
    put_member(out, "ClassificationComment", p, "classificationComment");
    put_member(out, "ClassificationReason", p, "classificationReason");
    put_member(out, "ProviderName", p, "providerName");
    put_member(out, "ProviderIncidentId", p, "providerIncidentId");
    put_member(out, "IncidentUrl", p, "incidentUrl");
    json_put_i64(out, "IncidentNumber", number);
    put_time(out, "FirstActivityTime", json_text_at(p, "firstActivityTimeUtc"));
    put_time(out, "LastActivityTime", json_text_at(p, "lastActivityTimeUtc"));
    put_time(out, "CreatedTime", json_text_at(p, "createdTimeUtc"));
    put_list(out, "RelatedAnalyticRuleIds", json_get(p, "relatedAnalyticRuleIds"));
    put_list(out, "Labels", json_get(p, "labels"));
    if (json_get(p, "owner") != NULL) json_put_node(out, "Owner", json_get(p, "owner"));
    if (json_get(p, "additionalData") != NULL)
        json_put_node(out, "AdditionalData", json_get(p, "additionalData"));
}

enum rf_kind incident_write_row(struct state_txn *txn, const struct incident_place *place,
                                const struct json_node *body, const struct incident_by *by,
                                struct rf_arena *arena, struct rf_err *err)
{
    const struct json_node *p = json_get(body, "properties"), *own = json_get(body, "_");
    rf_str name = json_text_at(body, "name"), time = json_text_at(p, "lastModifiedTimeUtc");
    struct rf_buf row = rf_buf_in(arena);
    struct json_out out = json_out_to(&row);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time);
    json_put_text(&out, "IncidentName", name);
    put_properties(&out, p);
    put_time(&out, "LastModifiedTime", time);
    put_time(&out, "FirstModifiedTime", json_text_at(own, "firstModified"));
    put_time(&out, "ClosedTime", json_text_at(own, "closed"));
    put_list(&out, "AlertIds", json_get(own, "alerts"));
    put_list(&out, "BookmarkIds", json_get(own, "bookmarks"));
    RF_TRY(put_children(&out, "Comments", txn, place, SPACE_COMMENT, name, arena, err));
    RF_TRY(put_children(&out, "Tasks", txn, place, SPACE_TASK, name, arena, err));
    json_put_text(&out, "ModifiedBy", by->name);
    json_put_text(&out, "SourceSystem", RF_S("Azure"));
    json_end_object(&out);
    rf_str id = rf_arena_printf(arena, "%.*s|%.*s", RF_FMT(name), RF_FMT(time));
    if (row.failed || id.ptr == NULL) return rf_fail_memory(err, arena);
    return outbox_add(txn, place->workspace_id, "SecurityIncident",
                      "strcat(IncidentName, '|', LastModifiedTime)", id, rf_buf_view(&row), err);
}
