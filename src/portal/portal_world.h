/* portal_world.h - for tests: the portal over a site, tables and hubs of its own, without a socket. */
#ifndef RF_PORTAL_WORLD_H
#define RF_PORTAL_WORLD_H

#include "authz/route_walk.h"
#include "portal/portal_int.h"

#define P_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define P_GROUP P_SUB "/resourceGroups/rg"
#define P_WS P_GROUP "/providers/Microsoft.OperationalInsights/workspaces/ws"
#define P_WS_GUID "99999999-0000-0000-0000-000000000002"
#define P_SPACE P_GROUP "/providers/Microsoft.EventHub/namespaces/portal-ns"
#define P_OWNER "aaaaaaaa-0000-0000-0000-000000000002"    /* a user */
#define P_STRANGER "aaaaaaaa-0000-0000-0000-000000000004" /* one without a role */

struct p_world {
    struct walk_site site;
    struct arm *arm;
    struct tables *tables;
    struct hubs *hubs;
    struct portal *portal;
    struct dispatcher *dispatcher;
    char folder[64], hub_folder[80];
    struct extent_key key;
    rf_str token, archive;
    struct http_response last;
    struct json_node *answer; /* NULL: none, or no JSON */
    struct http_header headers[3];
    uint32_t header_count;
    struct rf_err err;
};

WALK_HELPER void p_be(struct p_world *w, const char *oid)
{
    struct walk_token want = {.oid = oid, .is_user = true};
    w->token = walk_bearer(&w->site, walk_token(&w->site, &want));
}

WALK_HELPER void p_assign(struct p_world *w, const char *oid, const char *role, const char *scope)
{
    struct state_txn *txn;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(authz_assign(w->site.authz, txn, rf_str_of(oid), "User", role, rf_str_of(scope),
                           &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

WALK_HELPER void p_header(struct p_world *w, const char *name, const char *value)
{
    w->headers[w->header_count++] = (struct http_header){rf_str_of(name), rf_str_of(value)};
}

WALK_HELPER int p_call(struct p_world *w, const char *method, const char *target, const char *body)
{
    struct walk_call exchange = {.target = target, .body = body, .authorization = w->token};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (strcmp(http_method_name((enum http_method)m), method) == 0)
            exchange.method = (enum http_method)m;
    for (uint32_t i = 0; i < w->header_count; i++) exchange.headers[i] = w->headers[i];
    w->header_count = 0;
    w->last = walk_exchange(&w->site, w->dispatcher, &exchange);
    w->answer = NULL;
    rf_str text = rf_buf_view(&w->last.body);
    if (rf_str_starts(text, RF_S("{")))
        cr_assert(json_parse(text, &w->site.arena, &w->answer, &w->err) == RF_OK);
    return w->last.status;
}

#define p_expect(w, method, target, sent, wanted)                                                  \
    do {                                                                                           \
        int status_ = p_call(w, method, target, sent);                                             \
        rf_str text_ = rf_buf_view(&(w)->last.body);                                               \
        cr_assert(status_ == (wanted), "%s %s: %d %.*s", method, target, status_,                  \
                  (int)RF_MIN(text_.len, 900), (const char *)text_.ptr);                           \
    } while (0)
#define p_expect_text(w, path, wanted)                                                             \
    do {                                                                                           \
        rf_str got_ = json_text_at((w)->answer, path);                                             \
        cr_assert(rf_str_is(got_, wanted), "%s: '%.*s', not '%s'", path, RF_FMT(got_), wanted);    \
    } while (0)
#define p_expect_i64(w, path, wanted)                                                              \
    do {                                                                                           \
        int64_t got_ = INT64_MIN;                                                                  \
        (void)json_i64_at((w)->answer, path, &got_);                                               \
        cr_assert(got_ == (wanted), "%s: %lld", path, (long long)got_);                            \
    } while (0)
#define p_expect_header(w, name, wanted)                                                           \
    do {                                                                                           \
        rf_str got_ = walk_header(&(w)->last, name);                                               \
        cr_assert(rf_str_is(got_, wanted), "%s: '%.*s'", name, RF_FMT(got_));                      \
    } while (0)

WALK_HELPER void p_put(struct p_world *w, const char *id, const char *body)
{
    struct json_node *doc;
    struct arm_resource made;
    bool created;
    cr_assert(json_parse(rf_str_of(body), &w->site.arena, &doc, &w->err) == RF_OK);
    cr_assert(arm_put(w->arm, rf_str_of(id), doc, NULL, &w->site.arena, &made, &created, &w->err) ==
                  RF_OK,
              "%s: %s", id, w->err.text);
}

/* With the hub "portal-ns/flow" of two partitions, and the owner as the caller. `archive` empty: no pages. */
WALK_HELPER void p_init(struct p_world *w, rf_str archive)
{
    memset(w, 0, sizeof *w);
    walk_site_init(&w->site);
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/rf-portal-XXXXXX");
    cr_assert(mkdtemp(w->folder) != NULL);
    (void)snprintf(w->hub_folder, sizeof w->hub_folder, "%s/hubs", w->folder);
    struct arm_options arm = {.state = w->site.state,
                              .authz = w->site.authz,
                              .site = &w->site.site,
                              .audit = &w->site.audit,
                              .clock = &w->site.clock.clock};
    struct tables_options tables = {
        .fs = rf_fs_real(), .folder = w->folder, .key = &w->key, .clock = &w->site.clock.clock};
    cr_assert(arm_new(&arm, &w->arm, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(tables_new(&tables, &w->tables, &w->err) == RF_OK, "%s", w->err.text);
    struct hubs_options hubs = {.fs = rf_fs_real(),
                                .folder = w->hub_folder,
                                .key = {9},
                                .clock = &w->site.clock.clock,
                                .state = w->site.state,
                                .arm = w->arm,
                                .authz = w->site.authz,
                                .audit = &w->site.audit,
                                .site = &w->site.site};
    cr_assert(hubs_new(&hubs, &w->hubs, &w->err) == RF_OK, "%s", w->err.text);
    struct portal_options portal = {.state = w->site.state,
                                    .arm = w->arm,
                                    .authz = w->site.authz,
                                    .tables = w->tables,
                                    .hubs = w->hubs,
                                    .site = &w->site.site,
                                    .audit = &w->site.audit,
                                    .clock = &w->site.clock.clock,
                                    .version = RF_S("9.9"),
                                    .data = rf_str_of(w->folder),
                                    .archive = archive};
    cr_assert(portal_new(&portal, &w->portal, &w->err) == RF_OK, "%s", w->err.text);
    w->dispatcher = walk_dispatcher(&w->site);
    cr_assert(dispatcher_add(w->dispatcher, portal_service(w->portal), &w->err) == RF_OK, "%s",
              w->err.text);
    p_assign(w, P_OWNER, ROLE_OWNER, "/");
    p_be(w, P_OWNER);
    p_put(w, P_GROUP, "{\"location\":\"local\"}");
    p_put(w, P_SPACE, "{\"location\":\"local\",\"sku\":{\"name\":\"Standard\"}}");
    p_put(w, P_SPACE "/eventhubs/flow", "{\"properties\":{\"partitionCount\":2}}");
}

WALK_HELPER void p_done(struct p_world *w)
{
    char command[100];
    portal_stop(w->portal);
    dispatcher_free(w->dispatcher);
    arm_free(w->arm);
    portal_free(w->portal);
    hubs_free(w->hubs);
    tables_free(w->tables);
    walk_site_done(&w->site);
    (void)snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_assert(system(command) == 0);
}

#endif
