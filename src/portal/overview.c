/* overview.c - GET /portal/api/overview: what the first page shows, in one answer. Each part follows the caller's rights: {"denied": the name of a role
 * that would give it} stands for one that he may not see. Costs the open incidents' documents; rows are counted from what the store keeps of extents. */
#include <stdlib.h>

#include "base/encode.h"
#include "portal/portal_int.h"

enum { PRESSING_MAX = 10, MINE_MAX = 50, STREAMS_SHOWN_MAX = 50, RATE_SECONDS = 60 };

static void put_denied(struct json_out *out, const char *name, const char *role)
{
    json_begin_object(out, name);
    json_put_text(out, "denied", rf_str_of(role));
    json_end_object(out);
}

void portal_put_time(struct json_out *out, struct rf_arena *arena, const char *name, rf_usec time)
{
    if (time > 0)
        json_put_text(out, name, time_iso(arena, time));
    else
        json_put_null(out, name);
}

/* ---- incidents ---------------------------------------------------------------------------------------------------------- */

static const char *const severities[] = {"High", "Medium", "Low", "Informational"};

struct open_incident {
    const struct json_node *body;
    size_t severity; /* index of severities; their count: none of them */
    bool is_new;
    int64_t number;
};

static int by_press(const void *a, const void *b)
{
    const struct open_incident *x = a, *y = b;
    if (x->severity != y->severity) return x->severity < y->severity ? -1 : 1;
    if (x->is_new != y->is_new) return x->is_new ? -1 : 1;
    return x->number > y->number ? -1 : x->number < y->number;
}

static enum rf_kind read_open(struct request *request, struct open_incident **out, uint32_t *count,
                              struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = request->arena;
    rf_str key = resource_key(arena, portal_workspace(request->site, arena));
    struct state_scan scan = {.space = "siem.incident",
                              .index = "status",
                              .value = rf_arena_printf(arena, "%.*s|open", RF_FMT(key))};
    struct state_list list;
    RF_TRY(state_begin_read(portal_of(request)->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct open_incident *items = rf_arena_new(arena, struct open_incident, (size_t)list.count + 1);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        rf_str severity = json_text_at(body, "properties.severity");
        items[i] = (struct open_incident){
            .body = body, .is_new = rf_str_is(json_text_at(body, "properties.status"), "New")};
        (void)json_i64_at(body, "properties.incidentNumber", &items[i].number);
        while (items[i].severity < RF_COUNT(severities) &&
               !rf_str_is(severity, severities[items[i].severity]))
            items[i].severity++;
    }
    if (list.count > 1) qsort(items, list.count, sizeof *items, by_press);
    *out = items;
    *count = list.count;
    return RF_OK;
}

static void put_incident(struct json_out *out, const struct open_incident *incident)
{
    const struct json_node *p = json_get(incident->body, "properties");
    json_begin_object(out, NULL);
    json_put_i64(out, "number", incident->number);
    json_put_text(out, "id", json_text_at(incident->body, "id"));
    json_put_text(out, "title", json_text_at(p, "title"));
    json_put_text(out, "severity", json_text_at(p, "severity"));
    json_put_text(out, "status", json_text_at(p, "status"));
    rf_str owner = json_text_at(p, "owner.userPrincipalName");
    json_put_text(out, "owner", owner.len > 0 ? owner : json_text_at(p, "owner.assignedTo"));
    json_put_text(out, "created", json_text_at(p, "createdTimeUtc"));
    json_put_text(out, "lastModified", json_text_at(p, "lastModifiedTimeUtc"));
    json_end_object(out);
}

static bool is_mine(const struct request *request, const struct open_incident *incident)
{
    const struct json_node *owner = json_at(incident->body, "properties.owner");
    const struct principal *me = request->principal;
    rf_str name = json_text_at(owner, "userPrincipalName");
    return rf_str_eq_nocase(json_text_at(owner, "objectId"), me->object_id) ||
           (name.len > 0 && rf_str_eq_nocase(name, me->user_name));
}

static enum rf_kind put_incidents(struct request *request, struct json_out *out, struct rf_err *err)
{
    struct open_incident *items;
    uint32_t count, by_severity[RF_COUNT(severities) + 1] = {0}, fresh = 0, mine = 0;
    if (!request_may(request, RF_S(PORTAL_INCIDENTS_READ),
                     portal_workspace(request->site, request->arena), false)) {
        put_denied(out, "incidents", "Microsoft Sentinel Reader");
        put_denied(out, "mine", "Microsoft Sentinel Reader");
        return RF_OK;
    }
    RF_TRY(read_open(request, &items, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        by_severity[items[i].severity]++;
        fresh += items[i].is_new;
    }
    json_begin_object(out, "incidents");
    json_begin_object(out, "open");
    for (size_t i = 0; i < RF_COUNT(severities); i++)
        json_put_i64(out, severities[i], by_severity[i]);
    json_put_i64(out, "total", count);
    json_put_i64(out, "new", fresh);
    json_end_object(out);
    json_begin_array(out, "pressing");
    for (uint32_t i = 0; i < RF_MIN(count, (uint32_t)PRESSING_MAX); i++)
        put_incident(out, &items[i]);
    json_end_array(out);
    json_end_object(out);
    json_begin_object(out, "mine");
    json_begin_array(out, "incidents");
    for (uint32_t i = 0; i < count; i++)
        if (is_mine(request, &items[i]) && mine++ < MINE_MAX) put_incident(out, &items[i]);
    json_end_array(out);
    json_put_i64(out, "count", mine);
    json_end_object(out);
    return RF_OK;
}

/* ---- sources ------------------------------------------------------------------------------------------------------------ */

static void put_source(struct json_out *out, struct rf_arena *arena, const struct source_fact *fact)
{
    json_begin_object(out, NULL);
    json_put_text(out, "table", fact->table);
    portal_put_time(out, arena, "lastRow", fact->last);
    json_put_i64(out, "rows", (int64_t)fact->rows);
    json_put_i64(out, "rowsDay", (int64_t)fact->rows_day);
    json_put_bool(out, "isEstimate", fact->is_estimate);
    json_put_bool(out, "isOwn", fact->is_own);
    if (fact->usual_usec > 0)
        json_put_i64(out, "usualGapSeconds",
                     (fact->usual_usec + RF_USEC_PER_SECOND - 1) / RF_USEC_PER_SECOND);
    else
        json_put_null(out, "usualGapSeconds");
    json_put_bool(out, "silent", fact->is_silent);
    json_end_object(out);
}

static enum rf_kind put_spark(struct request *request, struct json_out *out, struct rf_err *err)
{
    int64_t *minutes = rf_arena_new(request->arena, int64_t, WATCH_MINUTES);
    if (minutes == NULL) return rf_fail_memory(err, request->arena);
    rf_usec first = watch_minutes(portal_of(request)->watch, minutes);
    json_begin_object(out, "spark");
    json_put_text(out, "start", time_iso(request->arena, first));
    json_put_i64(out, "stepSeconds", 60);
    json_begin_array(out, "rows");
    for (int i = 0; i < WATCH_MINUTES; i++) {
        if (minutes[i] < 0)
            json_put_null(out, NULL);
        else
            json_put_i64(out, NULL, minutes[i]);
    }
    json_end_array(out);
    json_end_object(out);
    return RF_OK;
}

static enum rf_kind put_sources(struct request *request, struct json_out *out, struct rf_err *err)
{
    struct source_facts facts;
    if (!request_may(request, RF_S(PORTAL_ROWS_READ),
                     portal_workspace(request->site, request->arena), false)) {
        put_denied(out, "sources", "Log Analytics Reader");
        put_denied(out, "spark", "Log Analytics Reader");
        return RF_OK;
    }
    RF_TRY(source_facts_read(portal_of(request)->sources, request->arena, &facts, err));
    json_begin_object(out, "sources");
    json_put_i64(out, "count", facts.count);
    json_put_i64(out, "silent", facts.silent_count);
    json_put_i64(out, "rows", (int64_t)facts.rows);
    portal_put_time(out, request->arena, "newestRow", facts.newest);
    json_begin_array(out, "items");
    for (uint32_t i = 0; i < facts.count; i++) put_source(out, request->arena, &facts.items[i]);
    json_end_array(out);
    json_end_object(out);
    return put_spark(request, out, err);
}

/* ---- streams -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_stream(struct request *request, struct json_out *out,
                               const struct portal_hub *found, struct rf_err *err)
{
    struct hub_facts facts;
    struct watch_rate rate;
    struct hub_lag slowest;
    hub_facts(found->hub, &facts);
    rf_str space = hub_namespace_name(found->space);
    RF_TRY(hub_lag_slowest(request, found, &slowest, err));
    json_begin_object(out, NULL);
    json_put_text(out, "hub",
                  rf_arena_printf(request->arena, "%.*s/%.*s", RF_FMT(space), RF_FMT(facts.name)));
    json_put_text(out, "id", found->id);
    json_put_i64(out, "partitions", facts.partition_count);
    if (watch_hub_rate(portal_of(request)->watch, space, facts.name, UINT32_MAX, RATE_SECONDS,
                       &rate))
        portal_put_rate(out, request->arena, &rate);
    if (slowest.group.len > 0) {
        json_put_text(out, "slowestGroup", slowest.group);
        json_put_i64(out, "lag", slowest.lag);
    }
    json_end_object(out);
    return RF_OK;
}

static enum rf_kind put_hub(struct request *request, struct json_out *out, rf_str space,
                            rf_str name, uint32_t *shown, uint32_t *denied, struct rf_err *err)
{
    struct portal_hub found;
    /* Deleted meanwhile. */
    if (portal_hub_find(request, space, name, &found, NULL) != RF_OK) return RF_OK;
    enum rf_kind kind = RF_OK;
    if (!request_may(request, RF_S(PORTAL_HUB_READ), found.id, false))
        ++*denied;
    else if (++*shown <= STREAMS_SHOWN_MAX)
        kind = put_stream(request, out, &found, err);
    hub_unref(found.hub);
    return kind;
}

static enum rf_kind put_hubs(struct request *request, struct json_out *out, uint32_t *shown,
                             uint32_t *denied, struct rf_err *err)
{
    struct hub_namespace **spaces;
    uint32_t space_count = 0, count;
    rf_str *names;
    struct hubs *hubs = portal_of(request)->options.hubs;
    if (hubs != NULL) RF_TRY(hubs_namespaces(hubs, request->arena, &spaces, &space_count, err));
    for (uint32_t s = 0; s < space_count; s++) {
        RF_TRY(hub_names(spaces[s], request->arena, &names, &count, err));
        for (uint32_t i = 0; i < count; i++)
            RF_TRY(
                put_hub(request, out, hub_namespace_name(spaces[s]), names[i], shown, denied, err));
    }
    return RF_OK;
}

static enum rf_kind put_streams(struct request *request, struct json_out *out, struct rf_err *err)
{
    uint32_t shown = 0, denied = 0;
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out items = json_out_to(&buf);
    json_begin_array(&items, NULL);
    RF_TRY(put_hubs(request, &items, &shown, &denied, err));
    json_end_array(&items);
    if (buf.failed) return rf_fail_memory(err, request->arena);
    if (shown == 0 && denied > 0) {
        put_denied(out, "streams", "Reader");
        return RF_OK;
    }
    json_begin_object(out, "streams");
    json_put_i64(out, "count", shown);
    json_put_raw(out, "items", rf_buf_view(&buf));
    json_end_object(out);
    return RF_OK;
}

enum rf_kind overview_get(struct request *request, struct rf_err *err)
{
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "time", time_iso(request->arena, request->now));
    RF_TRY(put_incidents(request, &out, err));
    RF_TRY(put_sources(request, &out, err));
    RF_TRY(put_streams(request, &out, err));
    json_end_object(&out);
    return portal_answer(request, &out, err);
}
