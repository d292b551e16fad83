/* query_test_util.h - a workspace with rows behind its routes, without a socket. For query_test.c and kusto_test.c. */
#ifndef RF_QUERY_TEST_UTIL_H
#define RF_QUERY_TEST_UTIL_H

#include <pthread.h>

#include "authz/route_walk.h"
#include "logs/query_int.h"
#include "test/rf_prop.h"
#include "value/text.h"

#define OWNER "aaaaaaaa-0000-0000-0000-000000000001"
#define OTHER "aaaaaaaa-0000-0000-0000-000000000003"
#define GROUP "/subscriptions/99999999-0000-0000-0000-000000000001/resourceGroups/rg"
#define WS_ARM GROUP "/providers/Microsoft.OperationalInsights/workspaces/ws-one"
#define WS_ARM2 GROUP "/providers/Microsoft.OperationalInsights/workspaces/ws-two"

struct stage {
    struct walk_site walk;
    pthread_mutex_t audit_lock; /* a batch's queries write their rows side by side */
    struct audit audit;
    struct arm *arm;
    struct tables *tables;
    struct logs *logs;
    struct dispatcher *dispatcher;
    char folder[64];
    rf_str token;
    const char *guid, *guid2; /* of the two workspaces */
    struct http_response last;
    struct json_node *answer;
    struct http_header headers[3];
    uint32_t header_count;
};

RF_TEST_HELPER void stage_row(void *ctx, const char *table, rf_str row)
{
    struct stage *s = ctx;
    pthread_mutex_lock(&s->audit_lock);
    walk_row(&s->walk, table, row);
    pthread_mutex_unlock(&s->audit_lock);
}

RF_TEST_HELPER void be(struct stage *s, const char *oid)
{
    struct walk_token want = {.oid = oid};
    s->token = walk_bearer(&s->walk, walk_token(&s->walk, &want));
}

RF_TEST_HELPER void assign(struct stage *s, const char *oid, const char *role, const char *scope)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(s->walk.state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(s->walk.authz, txn, rf_str_of(oid), "ServicePrincipal", role,
                           rf_str_of(scope), &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

RF_TEST_HELPER int call(struct stage *s, const char *method, const char *target, const char *body)
{
    struct walk_call exchange = {.target = target, .body = body, .authorization = s->token};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (strcmp(http_method_name((enum http_method)m), method) == 0)
            exchange.method = (enum http_method)m;
    for (uint32_t i = 0; i < s->header_count; i++) exchange.headers[i] = s->headers[i];
    s->header_count = 0;
    s->last = walk_exchange(&s->walk, s->dispatcher, &exchange);
    s->answer = NULL;
    struct rf_err err;
    rf_str text = rf_buf_view(&s->last.body);
    if (text.len > 0)
        cr_assert(json_parse(text, &s->walk.arena, &s->answer, &err) == RF_OK, "%s: %.*s", target,
                  (int)RF_MIN(text.len, 400), (const char *)text.ptr);
    return s->last.status;
}

#define expect(s, method, target, sent, wanted)                                                    \
    do {                                                                                           \
        int status_ = call(s, method, target, sent);                                               \
        rf_str text_ = rf_buf_view(&(s)->last.body);                                               \
        cr_assert(status_ == (wanted), "%s %s %s: %d %.*s", method, target, sent, status_,         \
                  (int)RF_MIN(text_.len, 600), (const char *)text_.ptr);                           \
    } while (0)

RF_TEST_HELPER void with_header(struct stage *s, const char *name, const char *value)
{
    s->headers[s->header_count++] = (struct http_header){rf_str_of(name), rf_str_of(value)};
}

RF_TEST_HELPER const char *text_at(struct stage *s, const char *path)
{
    return rf_arena_cstr(&s->walk.arena, json_text_at(s->answer, path));
}

RF_TEST_HELPER void put_workspace(struct stage *s, const char *id, const char **guid)
{
    rf_str target = rf_arena_printf(&s->walk.arena, "%s?api-version=2022-10-01", id);
    int status = call(s, "PUT", (const char *)rf_arena_cstr(&s->walk.arena, target),
                      "{\"location\":\"local\",\"properties\":{}}");
    cr_assert(status == 200 || status == 201 || status == 202, "%d %.*s", status,
              RF_FMT(rf_buf_view(&s->last.body)));
    *guid = text_at(s, "properties.customerId");
    cr_assert(strlen(*guid) == 36);
}

RF_TEST_HELPER void put_table(struct stage *s, const char *workspace, const char *name,
                              const char *columns)
{
    rf_str target =
        rf_arena_printf(&s->walk.arena, "%s/tables/%s?api-version=2022-10-01", workspace, name);
    rf_str body = rf_arena_printf(&s->walk.arena,
                                  "{\"properties\":{\"plan\":\"Analytics\",\"schema\":{\"name\":\"%"
                                  "s\",\"columns\":[{\"name\":"
                                  "\"TimeGenerated\",\"type\":\"dateTime\"},%s]}}}",
                                  name, columns);
    int status =
        call(s, "PUT", rf_arena_cstr(&s->walk.arena, target), rf_arena_cstr(&s->walk.arena, body));
    cr_assert(status == 200 || status == 201 || status == 202, "%d %.*s", status,
              RF_FMT(rf_buf_view(&s->last.body)));
}

RF_TEST_HELPER void put_rows(struct stage *s, const char *guid, const char *table, const char *json)
{
    struct rf_err err;
    int64_t now = DATETIME_UNIX_EPOCH + WALK_NOW * TICKS_PER_SECOND;
    cr_assert(tables_append_json(s->tables, rf_str_of(guid), rf_str_of(table), rf_str_of(json), now,
                                 NULL, &err) == RF_OK,
              "%s", err.text);
}

RF_TEST_HELPER void stage_init(struct stage *s)
{
    struct rf_err err;
    uint32_t count;
    memset(s, 0, sizeof *s);
    walk_site_init(&s->walk);
    pthread_mutex_init(&s->audit_lock, NULL);
    s->audit = (struct audit){.ctx = s, .row = stage_row};
    struct arm_options arm_options = {.state = s->walk.state,
                                      .authz = s->walk.authz,
                                      .site = &s->walk.site,
                                      .audit = &s->walk.audit,
                                      .clock = &s->walk.clock.clock};
    cr_assert(arm_new(&arm_options, &s->arm, &err) == RF_OK, "%s", err.text);
    snprintf(s->folder, sizeof s->folder, "/tmp/ringfort-query-XXXXXX");
    cr_assert(mkdtemp(s->folder) != NULL);
    struct tables_options tables_options = {
        .fs = rf_fs_real(), .folder = s->folder, .clock = &s->walk.clock.clock};
    cr_assert(tables_new(&tables_options, &s->tables, &err) == RF_OK, "%s", err.text);
    struct logs_options options = {.state = s->walk.state,
                                   .arm = s->arm,
                                   .authz = s->walk.authz,
                                   .tables = s->tables,
                                   .site = &s->walk.site,
                                   .audit = &s->audit,
                                   .clock = &s->walk.clock.clock,
                                   .query_lanes = 2};
    cr_assert(logs_new(&options, &s->logs, &err) == RF_OK, "%s", err.text);
    s->dispatcher = walk_dispatcher(&s->walk);
    cr_assert(dispatcher_add(s->dispatcher, arm_service(s->arm), &err) == RF_OK, "%s", err.text);
    const struct service *const *services = logs_services(s->logs, &count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(dispatcher_add(s->dispatcher, services[i], &err) == RF_OK, "%s", err.text);
    assign(s, OWNER, ROLE_OWNER, "/");
    be(s, OWNER);
    expect(s, "PUT", GROUP "?api-version=2021-04-01", "{\"location\":\"local\"}", 201);
    put_workspace(s, WS_ARM, &s->guid);
    put_table(s, WS_ARM, "App_CL",
              "{\"name\":\"N\",\"type\":\"long\"},{\"name\":\"S\",\"type\":\"string\"},"
              "{\"name\":\"D\",\"type\":\"dynamic\"}");
}

RF_TEST_HELPER void stage_done(struct stage *s)
{
    dispatcher_free(s->dispatcher);
    logs_free(s->logs);
    tables_free(s->tables);
    arm_free(s->arm);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert(system(command) == 0);
    walk_site_done(&s->walk);
}

/* Rows of the first table of the last answer, as JSON. */
RF_TEST_HELPER rf_str rows_text(struct stage *s)
{
    const struct json_node *tables = json_get(s->answer, "tables");
    cr_assert(json_is(tables, JSON_T_ARRAY) && tables->count > 0);
    return json_to_text(&s->walk.arena, json_get(tables->first, "rows"));
}

/* POSTs the query to the first workspace. */
RF_TEST_HELPER int ask(struct stage *s, const char *query, const char *more)
{
    struct rf_buf buf = rf_buf_in(&s->walk.arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "query", rf_str_of(query));
    if (more != NULL) rf_buf_printf(&buf, ",%s", more);
    json_end_object(&out);
    rf_buf_byte(&buf, 0);
    rf_str target = rf_arena_printf(&s->walk.arena, "/v1/workspaces/%s/query", s->guid);
    return call(s, "POST", rf_arena_cstr(&s->walk.arena, target), (const char *)buf.ptr);
}

#define expect_rows(s, query, more, wanted)                                                        \
    do {                                                                                           \
        int status_ = ask(s, query, more);                                                         \
        rf_str text_ = rf_buf_view(&(s)->last.body);                                               \
        cr_assert(status_ == 200, "%s: %d %.*s", query, status_, (int)RF_MIN(text_.len, 600),      \
                  (const char *)text_.ptr);                                                        \
        rf_str rows_ = rows_text(s);                                                               \
        cr_assert(rf_str_is(rows_, wanted), "%s: %.*s", query, RF_FMT(rows_));                     \
    } while (0)

#endif
