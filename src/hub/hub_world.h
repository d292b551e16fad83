/* hub_world.h - for tests: a control plane with a namespace of event hubs and the routes over them, without a socket. */
#ifndef RF_HUB_WORLD_H
#define RF_HUB_WORLD_H

#include "authz/route_walk.h"
#include "base/encode.h"
#include "crypt/digest.h"
#include "hub/types_int.h"

#define H_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define H_GROUP H_SUB "/resourceGroups/rg"
#define H_NS H_GROUP "/providers/Microsoft.EventHub/namespaces/ringfort"
#define H_HUB H_NS "/eventhubs/telemetry"
#define H_V "?api-version=2024-01-01"
#define H_OWNER "aaaaaaaa-0000-0000-0000-000000000005"
#define H_SENDER "aaaaaaaa-0000-0000-0000-000000000007"
#define H_ROLE_DATA_SENDER "2b629674-e913-4c01-ae53-ef4638d8f975"
#define H_KEY "QmFzZTY0U2FtcGxlS2V5Rm9yRG9jdW1lbnRhdGlvbiE="
#define H_ROOT "RootManageSharedAccessKey"

struct hub_world {
    struct walk_site site;
    struct arm *arm;
    struct hubs *hubs;
    struct keeper *keeper; /* NULL: no authority over devices */
    rf_str certificate;    /* that the next calls show */
    struct hub_namespace *space;
    struct dispatcher *dispatcher;
    char folder[64];
    rf_str token;
    struct http_response last;
    struct json_node *answer; /* NULL: none, or no JSON */
    struct http_header headers[4];
    uint32_t header_count;
    struct rf_err err;
};

WALK_HELPER void h_assign(struct hub_world *w, const char *oid, const char *role, const char *scope)
{
    struct state_txn *txn;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(authz_assign(w->site.authz, txn, rf_str_of(oid), "ServicePrincipal", role,
                           rf_str_of(scope), &w->err) == RF_OK,
              "%s", w->err.text);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

WALK_HELPER rf_str h_jwt(struct hub_world *w, const char *oid, const char *audience)
{
    struct walk_token want = {.oid = oid, .audience = audience};
    return walk_token(&w->site, &want);
}

WALK_HELPER void h_be(struct hub_world *w, const char *oid)
{
    w->token = walk_bearer(&w->site, h_jwt(w, oid, NULL));
}

WALK_HELPER void h_header(struct hub_world *w, const char *name, const char *value)
{
    w->headers[w->header_count++] = (struct http_header){rf_str_of(name), rf_str_of(value)};
}

WALK_HELPER int h_call(struct hub_world *w, const char *method, const char *target,
                       const char *body)
{
    struct walk_call call = {
        .target = target, .body = body, .authorization = w->token, .certificate = w->certificate};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (strcmp(http_method_name((enum http_method)m), method) == 0)
            call.method = (enum http_method)m;
    for (uint32_t i = 0; i < w->header_count; i++) call.headers[i] = w->headers[i];
    w->header_count = 0;
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    w->answer = NULL;
    rf_str text = rf_buf_view(&w->last.body);
    if (text.len == 0 || json_parse(text, &w->site.arena, &w->answer, &w->err) != RF_OK)
        w->answer = NULL;
    return w->last.status;
}

#define h_expect(w, method, target, sent, wanted)                                                  \
    do {                                                                                           \
        int status_ = h_call(w, method, target, sent);                                             \
        rf_str text_ = rf_buf_view(&(w)->last.body);                                               \
        cr_assert(status_ == (wanted), "%s %s: %d %.*s", method, target, status_,                  \
                  (int)RF_MIN(text_.len, 900), (const char *)text_.ptr);                           \
    } while (0)
#define h_expect_text(w, path, wanted)                                                             \
    cr_assert(rf_str_is(json_text_at((w)->answer, path), wanted), "%s: '%.*s', not '%s'", path,    \
              RF_FMT(json_text_at((w)->answer, path)), wanted)

WALK_HELPER void h_open(struct hub_world *w)
{
    char folder[96];
    const struct service *service;
    struct arm_options arm = {.state = w->site.state,
                              .authz = w->site.authz,
                              .site = &w->site.site,
                              .audit = &w->site.audit,
                              .clock = &w->site.clock.clock};
    cr_assert(arm_new(&arm, &w->arm, &w->err) == RF_OK, "%s", w->err.text);
    (void)snprintf(folder, sizeof folder, "%s/hubs", w->folder);
    struct hubs_options hubs = {.fs = rf_fs_real(),
                                .folder = folder,
                                .key = {9},
                                .clock = &w->site.clock.clock,
                                .state = w->site.state,
                                .arm = w->arm,
                                .authz = w->site.authz,
                                .directory = &w->site.directory,
                                .audit = &w->site.audit,
                                .site = &w->site.site,
                                .keeper = w->keeper};
    cr_assert(hubs_new(&hubs, &w->hubs, &w->err) == RF_OK, "%s", w->err.text);
    w->dispatcher = walk_dispatcher(&w->site);
    hub_grant_dispatcher(w->hubs, w->dispatcher);
    cr_assert(dispatcher_add(w->dispatcher, arm_service(w->arm), &w->err) == RF_OK);
    cr_assert(hub_service(w->hubs, &service, &w->err) == RF_OK);
    cr_assert(dispatcher_add(w->dispatcher, service, &w->err) == RF_OK, "%s", w->err.text);
}

WALK_HELPER void h_close(struct hub_world *w)
{
    dispatcher_free(w->dispatcher);
    arm_free(w->arm);
    hubs_free(w->hubs);
}

WALK_HELPER void h_reopen(struct hub_world *w)
{
    h_close(w);
    h_open(w);
    cr_assert(hubs_namespace(w->hubs, RF_S("localhost"), &w->space, &w->err) == RF_OK);
}

/* With the namespace "ringfort", whose root rule has the primary key H_KEY, the hub "telemetry" of 4 partitions, and whoever owns
 * all of it as the caller. */
WALK_HELPER void h_init_with(struct hub_world *w, struct keeper *keeper)
{
    memset(w, 0, sizeof *w);
    w->keeper = keeper;
    walk_site_init(&w->site);
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/ringfort-hub-XXXXXX");
    cr_assert(mkdtemp(w->folder) != NULL);
    h_open(w);
    h_assign(w, H_OWNER, ROLE_OWNER, "/");
    h_be(w, H_OWNER);
    h_expect(w, "PUT", H_GROUP "?api-version=2021-04-01", "{\"location\":\"local\"}", 201);
    h_expect(w, "PUT", H_NS H_V, "{\"location\":\"local\"}", 201);
    h_expect(w, "PUT", H_HUB H_V, "{\"properties\":{\"partitionCount\":4}}", 200);
    h_expect(w, "POST", H_NS "/authorizationRules/" H_ROOT "/regenerateKeys" H_V,
             "{\"keyType\":\"PrimaryKey\",\"key\":\"" H_KEY "\"}", 200);
    cr_assert(hubs_namespace(w->hubs, RF_S("localhost"), &w->space, &w->err) == RF_OK);
}

WALK_HELPER void h_init(struct hub_world *w) { h_init_with(w, NULL); }

WALK_HELPER void h_done(struct hub_world *w)
{
    char command[100];
    h_close(w);
    walk_site_done(&w->site);
    (void)snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_assert(system(command) == 0);
}

/* A signature of a uri that ends `seconds` after now. */
WALK_HELPER rf_str h_sas(struct hub_world *w, const char *uri, const char *rule, rf_str key,
                         int seconds)
{
    struct rf_arena *arena = &w->site.arena;
    uint8_t mac[SHA256_BYTES];
    rf_str resource = percent_encode(arena, rf_str_of(uri));
    int64_t end = rf_clock_now(&w->site.clock.clock) / RF_USEC_PER_SECOND + seconds;
    rf_str text = rf_arena_printf(arena, "%.*s\n%lld", RF_FMT(resource), (long long)end);
    digest_hmac_sha256(key, text, mac);
    rf_str sig = percent_encode(arena, base64_encode(arena, rf_str_make(mac, sizeof mac)));
    return rf_arena_printf(arena, "SharedAccessSignature sr=%.*s&sig=%.*s&se=%lld&skn=%s",
                           RF_FMT(resource), RF_FMT(sig), (long long)end, rule);
}

#endif
