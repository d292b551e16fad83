/* logs_world.h - for tests: a control plane with workspaces, tables and rules, and the APIs over them, without a socket. */
#ifndef RF_LOGS_WORLD_H
#define RF_LOGS_WORLD_H

#include "authz/route_walk.h"
#include "hub/hub.h"
#include "kql/kql.h"
#include "logs/logs_int.h"
#include "tables/tables.h"

#define W_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define W_GROUP W_SUB "/resourceGroups/rg"
#define W_WS W_GROUP "/providers/Microsoft.OperationalInsights/workspaces/ws"
#define W_GUID "99999999-0000-0000-0000-000000000002"
#define W_RULES W_GROUP "/providers/Microsoft.Insights/dataCollectionRules/"
#define W_ENDPOINTS W_GROUP "/providers/Microsoft.Insights/dataCollectionEndpoints/"
#define W_V "?api-version=2022-10-01"
#define W_RULE_V "?api-version=2023-03-11"
#define W_OWNER "aaaaaaaa-0000-0000-0000-000000000005"
#define W_SENDER "aaaaaaaa-0000-0000-0000-000000000007"

struct world {
    struct walk_site site;
    struct arm *arm;
    struct tables *tables;
    struct logs *logs;
    struct dispatcher *dispatcher;
    struct extent_key key;
    char folder[64];
    rf_str token;
    struct http_response last;
    struct json_node *answer; /* NULL: none */
    struct http_header headers[3];
    uint32_t header_count;
    const struct export_folder *export_folders; /* as of the next w_open */
    uint32_t export_folder_count;
    bool with_hubs; /* as of the next w_open; captures by hand */
    struct hubs *hubs;
    struct rf_fs *tables_fs; /* the same; NULL: the real one */
    struct rf_err err;
};

WALK_HELPER void w_assign(struct world *w, const char *oid, const char *role, const char *scope)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(w->site.state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(w->site.authz, txn, rf_str_of(oid), "ServicePrincipal", role,
                           rf_str_of(scope), &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

WALK_HELPER void w_be(struct world *w, const char *oid, const char *audience)
{
    struct walk_token want = {.oid = oid, .audience = audience};
    w->token = walk_bearer(&w->site, walk_token(&w->site, &want));
}

WALK_HELPER void w_header(struct world *w, const char *name, const char *value)
{
    w->headers[w->header_count++] = (struct http_header){rf_str_of(name), rf_str_of(value)};
}

WALK_HELPER int w_call(struct world *w, const char *method, const char *target, const char *body)
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
    if (text.len > 0)
        cr_assert(json_parse(text, &w->site.arena, &w->answer, &w->err) == RF_OK, "%s: %.*s",
                  target, RF_FMT(text));
    return w->last.status;
}

WALK_HELPER const char *w_text(struct world *w, const char *path)
{
    return rf_arena_cstr(&w->site.arena, json_text_at(w->answer, path));
}

#define w_expect(w, method, target, sent, wanted)                                                  \
    do {                                                                                           \
        int status_ = w_call(w, method, target, sent);                                             \
        rf_str text_ = rf_buf_view(&(w)->last.body);                                               \
        cr_assert(status_ == (wanted), "%s %s: %d %.*s", method, target, status_,                  \
                  (int)RF_MIN(text_.len, 900), (const char *)text_.ptr);                           \
    } while (0)
#define w_expect_code(w, method, target, sent, wanted, code)                                       \
    do {                                                                                           \
        w_expect(w, method, target, sent, wanted);                                                 \
        cr_assert(strcmp(w_text(w, "error.code"), code) == 0, "%s %s: %s, not %s: %s", method,     \
                  target, w_text(w, "error.code"), code, w_text(w, "error.message"));              \
        cr_assert(json_text_at((w)->answer, "error.message").len > 0);                             \
    } while (0)
#define w_expect_text(w, path, wanted)                                                             \
    cr_assert(strcmp(w_text(w, path), wanted) == 0, "%s: '%s', not '%s'", path, w_text(w, path),   \
              wanted)
#define w_expect_i64(w, path, wanted)                                                              \
    do {                                                                                           \
        int64_t got_ = INT64_MIN;                                                                  \
        (void)json_i64_at((w)->answer, path, &got_);                                               \
        cr_assert(got_ == (wanted), "%s: %lld", path, (long long)got_);                            \
    } while (0)
#define w_expect_json(w, path, wanted)                                                             \
    do {                                                                                           \
        rf_str got_ = json_to_text(&(w)->site.arena, json_at((w)->answer, path));                  \
        cr_assert(rf_str_is(got_, wanted), "%s: %.*s", path, RF_FMT(got_));                        \
    } while (0)

WALK_HELPER void w_open_hubs(struct world *w)
{
    if (!w->with_hubs) return;
    char folder[80];
    (void)snprintf(folder, sizeof folder, "%s/hubs", w->folder);
    struct hubs_options hubs = {.fs = rf_fs_real(),
                                .folder = folder,
                                .key = {9},
                                .clock = &w->site.clock.clock,
                                .state = w->site.state,
                                .arm = w->arm,
                                .authz = w->site.authz,
                                .audit = &w->site.audit,
                                .site = &w->site.site};
    cr_assert(hubs_new(&hubs, &w->hubs, &w->err) == RF_OK, "%s", w->err.text);
}

WALK_HELPER void w_open(struct world *w)
{
    struct arm_options arm = {.state = w->site.state,
                              .authz = w->site.authz,
                              .site = &w->site.site,
                              .audit = &w->site.audit,
                              .clock = &w->site.clock.clock};
    struct tables_options tables = {.fs = w->tables_fs == NULL ? rf_fs_real() : w->tables_fs,
                                    .folder = w->folder,
                                    .key = &w->key,
                                    .clock = &w->site.clock.clock};
    cr_assert(arm_new(&arm, &w->arm, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(tables_new(&tables, &w->tables, &w->err) == RF_OK, "%s", w->err.text);
    w_open_hubs(w);
    struct logs_options logs = {.hubs = w->hubs,
                                .captures_by_hand = true,
                                .state = w->site.state,
                                .arm = w->arm,
                                .authz = w->site.authz,
                                .tables = w->tables,
                                .site = &w->site.site,
                                .audit = &w->site.audit,
                                .clock = &w->site.clock.clock,
                                .export_folders = w->export_folders,
                                .export_folder_count = w->export_folder_count};
    cr_assert(logs_new(&logs, &w->logs, &w->err) == RF_OK, "%s", w->err.text);
    w->dispatcher = walk_dispatcher(&w->site);
    cr_assert(dispatcher_add(w->dispatcher, arm_service(w->arm), &w->err) == RF_OK);
    uint32_t count;
    const struct service *const *services = logs_services(w->logs, &count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(dispatcher_add(w->dispatcher, services[i], &w->err) == RF_OK, "%s", w->err.text);
}

WALK_HELPER void w_close(struct world *w)
{
    dispatcher_free(w->dispatcher);
    logs_stop(w->logs);
    arm_free(w->arm);
    logs_free(w->logs);
    hubs_free(w->hubs);
    w->hubs = NULL;
    tables_free(w->tables);
}

/* With a workspace "ws", and whoever owns all of it as the caller. */
WALK_HELPER void w_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    walk_site_init(&w->site);
    w->key.present = true;
    memset(w->key.bytes, 7, sizeof w->key.bytes);
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/ringfort-logs-XXXXXX");
    cr_assert(mkdtemp(w->folder) != NULL);
    w_open(w);
    w_assign(w, W_OWNER, ROLE_OWNER, "/");
    w_assign(w, W_SENDER, ROLE_METRICS_PUBLISHER, W_GROUP);
    w_be(w, W_OWNER, NULL);
    w_expect(w, "PUT", W_GROUP W_V, "{\"location\":\"local\"}", 201);
    struct json_node *body;
    struct arm_resource made;
    bool created;
    cr_assert(json_parse(RF_S("{\"location\":\"local\",\"properties\":{}}"), &w->site.arena, &body,
                         &w->err) == RF_OK);
    cr_assert(arm_put(w->arm, RF_S(W_WS), body, NULL, &w->site.arena, &made, &created, &w->err) ==
                  RF_OK,
              "%s", w->err.text);
}

WALK_HELPER void w_done(struct world *w)
{
    char command[100];
    w_close(w);
    walk_site_done(&w->site);
    (void)snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_assert(system(command) == 0);
}

/* ---- rows as text ------------------------------------------------------------------------------------------------------ */

struct w_answer {
    struct kql_sink sink;
    struct rf_buf text;
};

WALK_HELPER enum rf_kind w_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}

WALK_HELPER enum rf_kind w_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    (void)err;
    struct rf_buf *out = &((struct w_answer *)sink)->text;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            if (i > 0) rf_buf_byte(out, ' ');
            if (v.null)
                rf_buf_str(out, RF_S("null"));
            else if (v.type == TYPE_STRING)
                rf_buf_str(out, v.s);
            else if (v.type == TYPE_REAL)
                rf_buf_printf(out, "%g", v.r);
            else
                rf_buf_printf(out, "%lld", v.type == TYPE_BOOL ? v.b : (long long)v.i);
        }
        rf_buf_byte(out, ';');
    }
    return RF_OK;
}

WALK_HELPER enum rf_kind w_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* "a b;c d;": the rows of the workspace "ws". */
WALK_HELPER const char *w_rows(struct world *w, const char *query)
{
    struct tables_view view;
    cr_assert(tables_view(w->tables, RF_S(W_GUID), &w->site.arena, &view, &w->err) == RF_OK);
    struct w_answer answer = {.sink = {.begin = w_begin, .push = w_push, .end = w_end},
                              .text = rf_buf_in(&w->site.arena)};
    struct kql_request request = {.text = rf_str_of(query),
                                  .catalog = &view.catalog,
                                  .now_ticks =
                                      DATETIME_UNIX_EPOCH +
                                      rf_clock_now(&w->site.clock.clock) * TICKS_PER_MICROSECOND};
    enum rf_kind kind = kql_run(&request, &answer.sink, NULL, &w->err);
    cr_assert(kind == RF_OK, "%s: %s", query, w->err.text);
    tables_release(w->tables, &view);
    rf_buf_byte(&answer.text, 0);
    return (const char *)answer.text.ptr;
}

#define w_expect_rows(w, query, wanted) cr_assert_str_eq(w_rows(w, query), wanted)

#endif
