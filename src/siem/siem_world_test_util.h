/* siem_world_test_util.h - for tests: a workspace with the API of incidents over a real state, without a socket. */
#ifndef RF_SIEM_WORLD_H
#define RF_SIEM_WORLD_H

#include "authz/route_walk.h"
#include "siem/incident_int.h"
#include "siem/outbox_int.h"

#define S_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define S_GROUP S_SUB "/resourceGroups/rg"
#define S_WS S_GROUP "/providers/Microsoft.OperationalInsights/workspaces/ws"
#define S_GUID "99999999-0000-0000-0000-000000000002"
#define S_P S_WS "/providers/Microsoft.SecurityInsights"
#define S_V "?api-version=2023-02-01"
#define S_RULE S_P "/alertRules/r1"
#define S_OWNER "aaaaaaaa-0000-0000-0000-000000000006" /* a user */
#define S_READER "aaaaaaaa-0000-0000-0000-000000000008"

struct siem_world {
    struct walk_site site;
    struct arm *arm;
    struct incidents *incidents;
    struct dispatcher *dispatcher;
    struct incident_place place;
    const char *who;
    rf_str token;
    rf_usec token_made;
    struct http_header headers[3];
    uint32_t header_count;
    struct http_response last;
    struct json_node *answer; /* NULL: none */
    struct rf_err err;
};

WALK_HELPER void s_be(struct siem_world *w, const char *oid)
{
    rf_usec now = rf_clock_now(&w->site.clock.clock);
    struct walk_token want = {.oid = oid, .is_user = true};
    w->token = walk_bearer(&w->site, walk_token(&w->site, &want));
    w->who = oid;
    w->token_made = now;
}

WALK_HELPER void s_assign(struct siem_world *w, const char *oid, const char *role)
{
    struct state_txn *txn;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(authz_assign(w->site.authz, txn, rf_str_of(oid), "User", role, RF_S("/"), &w->err) ==
              RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

WALK_HELPER void s_init(struct siem_world *w)
{
    struct json_node *body;
    struct arm_resource made;
    bool created;
    memset(w, 0, sizeof *w);
    walk_site_init(&w->site);
    struct arm_options arm = {.state = w->site.state,
                              .authz = w->site.authz,
                              .site = &w->site.site,
                              .audit = &w->site.audit,
                              .clock = &w->site.clock.clock};
    cr_assert(arm_new(&arm, &w->arm, &w->err) == RF_OK, "%s", w->err.text);
    struct incidents_options options = {
        .state = w->site.state, .arm = w->arm, .site = &w->site.site};
    cr_assert(incidents_new(&options, &w->incidents, &w->err) == RF_OK);
    w->dispatcher = walk_dispatcher(&w->site);
    cr_assert(dispatcher_add(w->dispatcher, arm_service(w->arm), &w->err) == RF_OK);
    cr_assert(dispatcher_add(w->dispatcher, incidents_service(w->incidents), &w->err) == RF_OK,
              "%s", w->err.text);
    s_assign(w, S_OWNER, ROLE_OWNER);
    s_assign(w, S_READER, ROLE_READER);
    s_be(w, S_OWNER);
    const char *const ids[] = {S_GROUP, S_WS};
    for (size_t i = 0; i < RF_COUNT(ids); i++) {
        cr_assert(json_parse(RF_S("{\"location\":\"local\",\"properties\":{\"customerId\":\"" S_GUID
                                  "\"}}"),
                             &w->site.arena, &body, &w->err) == RF_OK);
        if (i == 0) json_remove(body, RF_S("properties"));
        cr_assert(arm_put(w->arm, rf_str_of(ids[i]), body, NULL, &w->site.arena, &made, &created,
                          &w->err) == RF_OK,
                  "%s", w->err.text);
    }
    w->place = (struct incident_place){.workspace_id = RF_S(S_GUID),
                                       .workspace = RF_S(S_WS),
                                       .tenant_id = RF_S(WALK_TENANT),
                                       .origin = RF_S("https://localhost:8443")};
}

WALK_HELPER void s_done(struct siem_world *w)
{
    dispatcher_free(w->dispatcher);
    incidents_free(w->incidents);
    arm_free(w->arm);
    walk_site_done(&w->site);
}

WALK_HELPER int s_call(struct siem_world *w, const char *method, const char *target,
                       const char *body)
{
    if (w->token_made != rf_clock_now(&w->site.clock.clock)) s_be(w, w->who);
    struct walk_call call = {.target = target, .body = body, .authorization = w->token};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (strcmp(http_method_name((enum http_method)m), method) == 0)
            call.method = (enum http_method)m;
    for (uint32_t i = 0; i < w->header_count; i++) call.headers[i] = w->headers[i];
    w->header_count = 0;
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    w->answer = NULL;
    rf_str text = rf_buf_view(&w->last.body);
    if (text.len > 0)
        cr_assert(json_parse(text, &w->site.arena, &w->answer, &w->err) == RF_OK, "%s: %.*s",
                  target, RF_FMT(text));
    return w->last.status;
}

WALK_HELPER const char *s_text(struct siem_world *w, const char *path)
{
    return rf_arena_cstr(&w->site.arena, json_text_at(w->answer, path));
}

WALK_HELPER int64_t s_number(struct siem_world *w, const char *path)
{
    int64_t number = INT64_MIN;
    (void)json_i64_at(w->answer, path, &number);
    return number;
}

WALK_HELPER uint32_t s_count(struct siem_world *w)
{
    const struct json_node *value = json_get(w->answer, "value");
    return value == NULL ? UINT32_MAX : value->count;
}

#define s_expect(w, method, target, sent, wanted)                                                  \
    do {                                                                                           \
        int status_ = s_call(w, method, target, sent);                                             \
        rf_str text_ = rf_buf_view(&(w)->last.body);                                               \
        cr_assert(status_ == (wanted), "%s %s %s: %d %.*s", method, target, sent, status_,         \
                  (int)RF_MIN(text_.len, 900), (const char *)text_.ptr);                           \
    } while (0)

/* The rows that wait for a table, oldest first, as one array. */
WALK_HELPER struct json_node *s_rows(struct siem_world *w, const char *table)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = OUTBOX_SPACE};
    struct json_node *rows = json_new(&w->site.arena, JSON_T_ARRAY);
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_list(txn, &scan, &w->site.arena, &list, &w->err) == RF_OK);
    state_end(txn);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        cr_assert(json_parse(list.items[i].body, &w->site.arena, &body, &w->err) == RF_OK);
        if (rf_str_is(json_text_at(body, "table"), table)) json_append(rows, json_get(body, "row"));
    }
    return rows;
}

#endif
