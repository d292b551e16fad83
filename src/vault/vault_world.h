/* vault_world.h - for tests: a control plane with a vault, the routes over it and a keeper in a thread, without a socket. Tokens are signed by the
 * keeper, which checks them itself. */
#ifndef RF_VAULT_WORLD_H
#define RF_VAULT_WORLD_H

#include <pthread.h>
#include <sys/socket.h>

#include "authz/route_walk.h"
#include "base/encode.h"
#include "crypt/keeper_serve.h"
#include "vault/authority.h"
#include "vault/call_int.h"

#define V_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define V_GROUP V_SUB "/resourceGroups/rg"
#define V_VAULTS V_GROUP "/providers/Microsoft.KeyVault/vaults/"
#define V_NAME "kv1"
#define V_ID V_VAULTS V_NAME /* the default vault */
#define V_ADMIN "aaaaaaaa-0000-0000-0000-000000000005"
#define V_OTHER "aaaaaaaa-0000-0000-0000-000000000007"
#define V_APP "bbbbbbbb-0000-0000-0000-000000000001" /* appid of every token */
#define V_AUDIENCE "https://vault.azure.net"
#define V_ROLE_ADMIN "00482a5a-887f-4fb3-b363-3b7fe8e74483"
#define V_ROLE_SECRETS_OFFICER "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
#define V_ROLE_SECRETS_USER "4633458b-17de-408a-b874-0445c86b69e6"
#define V_ROLE_CRYPTO_USER "12338af0-0e69-4776-bea7-57ae8d297424"
#define V_ROLE_READER "21090545-7ca7-4776-b22c-e363652d74d2"

struct vault_world {
    struct walk_site site;
    char folder[64];
    struct keeper_core *core;
    struct keeper *keeper;
    int served;
    pthread_t thread;
    struct arm *arm;
    struct vaults *vaults;
    struct dispatcher *dispatcher;
    rf_str kid;       /* of the keeper's signing key */
    rf_str token;     /* "Bearer ..." of the next calls; empty: none */
    const char *host; /* of the next calls; NULL: localhost:8443 */
    const char *peer; /* NULL: 192.0.2.1 */
    const char *api;  /* "7.6" */
    struct http_response last;
    struct json_node *answer; /* NULL: none, or no JSON */
    struct http_header headers[4];
    uint32_t header_count;
    uint32_t events; /* that were published */
    rf_str event;    /* the last */
    struct rf_err err;
};

/* ---- who calls -------------------------------------------------------------------------------------------------- */

WALK_HELPER void v_assign(struct vault_world *w, const char *oid, const char *role,
                          const char *scope)
{
    struct state_txn *txn;
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(authz_assign(w->site.authz, txn, rf_str_of(oid), "ServicePrincipal", role,
                           rf_str_of(scope), &w->err) == RF_OK,
              "%s", w->err.text);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

/* Signed by the keeper; `want` as in walk_token, with the vault's audience unless it names one. */
WALK_HELPER rf_str v_jwt(struct vault_world *w, const struct walk_token *want)
{
    struct rf_arena *arena = &w->site.arena;
    struct walk_token token = *want;
    struct json_node *header = json_new(arena, JSON_T_OBJECT);
    rf_str signature;
    if (token.audience == NULL) token.audience = V_AUDIENCE;
    json_set_text(arena, header, "typ", RF_S("JWT"));
    json_set_text(arena, header, "alg", RF_S("RS256"));
    json_set_text(arena, header, "kid", w->kid);
    rf_str input = jwt_signing_input(arena, header, walk_claims(&w->site, &token));
    cr_assert(keeper_jwt_sign(w->keeper, input, arena, &signature, &w->err) == RF_OK, "%s",
              w->err.text);
    return jwt_assemble(arena, input, signature);
}

/* The next calls are of this principal; NULL: of nobody. */
WALK_HELPER void v_be(struct vault_world *w, const char *oid)
{
    w->token = (rf_str){0};
    if (oid == NULL) return;
    bool is_user = ((uint8_t)oid[strlen(oid) - 1] & 1) == 0;
    w->token =
        walk_bearer(&w->site, v_jwt(w, &(struct walk_token){.oid = oid, .is_user = is_user}));
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

WALK_HELPER void v_header(struct vault_world *w, const char *name, const char *value)
{
    cr_assert(w->header_count < RF_COUNT(w->headers));
    w->headers[w->header_count++] = (struct http_header){rf_str_of(name), rf_str_of(value)};
}

/* As it stands: nothing is added to the target. */
WALK_HELPER int v_raw(struct vault_world *w, const char *method, const char *target,
                      const char *body)
{
    struct walk_call call = {.target = target,
                             .body = body,
                             .authorization = w->token,
                             .host = w->host,
                             .peer = w->peer};
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

/* With w->api unless the target names one. */
WALK_HELPER int v_call(struct vault_world *w, const char *method, const char *target,
                       const char *body)
{
    rf_str whole = rf_str_of(target);
    if (strstr(target, "api-version=") == NULL && strstr(target, "api%2Dversion=") == NULL)
        whole = rf_arena_printf(&w->site.arena, "%s%sapi-version=%s", target,
                                strchr(target, '?') == NULL ? "?" : "&", w->api);
    return v_raw(w, method, rf_arena_cstr(&w->site.arena, whole), body);
}

#define v_expect(w, method, target, sent, wanted)                                                  \
    do {                                                                                           \
        int status_ = v_call(w, method, target, sent);                                             \
        rf_str text_ = rf_buf_view(&(w)->last.body);                                               \
        cr_assert(status_ == (wanted), "%s %s: %d %.*s", method, target, status_,                  \
                  (int)RF_MIN(text_.len, 900), (const char *)text_.ptr);                           \
    } while (0)
#define v_expect_text(w, path, wanted)                                                             \
    cr_assert(rf_str_is(json_text_at((w)->answer, path), wanted), "%s: '%.*s', not '%s'", path,    \
              RF_FMT(json_text_at((w)->answer, path)), wanted)
/* Fails with this code, and inner code unless it is NULL. */
#define v_expect_error(w, method, target, sent, wanted, code, inner)                               \
    do {                                                                                           \
        v_expect(w, method, target, sent, wanted);                                                 \
        v_expect_text(w, "error.code", code);                                                      \
        v_expect_text(w, "error.innererror.code", (inner) == NULL ? "" : (const char *)(inner));   \
    } while (0)

/* ---- the vault -------------------------------------------------------------------------------------------------- */

/* Makes or replaces a vault. `properties` go over those that it must have: "\"enableRbacAuthorization\":false"; may be empty. */
WALK_HELPER void v_vault(struct vault_world *w, const char *name, const char *properties)
{
    struct rf_arena *arena = &w->site.arena;
    struct json_node *body, *more;
    struct arm_resource made;
    rf_str id = rf_arena_printf(arena, V_VAULTS "%s", name);
    rf_str text = rf_arena_printf(arena, "{%s}", properties);
    cr_assert(json_parse(RF_S("{\"location\":\"local\",\"properties\":{\"tenantId\":\"" WALK_TENANT
                              "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"},"
                              "\"accessPolicies\":[]}}"),
                         arena, &body, &w->err) == RF_OK);
    cr_assert(json_parse(text, arena, &more, &w->err) == RF_OK, "%s", w->err.text);
    for (const struct json_node *m = more->first; m != NULL; m = m->next)
        json_set(arena, json_get(body, "properties"), m->name, json_clone(arena, m));
    cr_assert(arm_put(w->arm, id, body, NULL, arena, &made, NULL, &w->err) == RF_OK, "%s",
              w->err.text);
}

WALK_HELPER void v_published(void *ctx, rf_str vault_id, rf_str event)
{
    struct vault_world *w = ctx;
    (void)vault_id;
    w->events++;
    cr_assert(rf_arena_str(&w->site.arena, event, &w->event));
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

WALK_HELPER void *v_serve(void *ctx)
{
    struct vault_world *w = ctx;
    struct rf_err err;
    (void)!keeper_core_serve(w->core, w->served, &err);
    return NULL;
}

WALK_HELPER void v_open_keeper(struct vault_world *w)
{
    int pair[2];
    rf_str folder = rf_arena_printf(&w->site.arena, "%s/keeper%c", w->folder, '\0');
    struct keeper_core_options options = {.folder = (const char *)folder.ptr,
                                          .domain = RF_S("ringfort.localhost"),
                                          .clock = &w->site.clock.clock};
    cr_assert(keeper_core_new(&options, &w->core, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    w->served = pair[1];
    cr_assert(pthread_create(&w->thread, NULL, v_serve, w) == 0);
    cr_assert(keeper_connect(pair[0], &w->keeper, &w->err) == RF_OK, "%s", w->err.text);
}

WALK_HELPER void v_close_keeper(struct vault_world *w)
{
    keeper_free(w->keeper);
    pthread_join(w->thread, NULL);
    close(w->served);
    keeper_core_free(w->core);
}

WALK_HELPER void v_trust_keeper(struct vault_world *w)
{
    struct keeper_jwt_key *keys;
    struct token_key trusted[8];
    uint32_t count;
    cr_assert(keeper_jwt_keys(w->keeper, &w->site.arena, &keys, &count, &w->err) == RF_OK);
    cr_assert(count > 0 && count <= RF_COUNT(trusted));
    for (uint32_t i = 0; i < count; i++) {
        trusted[i] = (struct token_key){keys[i].kid, keys[i].cert};
        if (keys[i].signing) w->kid = keys[i].kid;
    }
    cr_assert(dispatcher_set_keys(w->dispatcher, trusted, count, &w->err) == RF_OK);
}

WALK_HELPER void v_open(struct vault_world *w)
{
    struct arm_options arm = {.state = w->site.state,
                              .authz = w->site.authz,
                              .site = &w->site.site,
                              .audit = &w->site.audit,
                              .clock = &w->site.clock.clock};
    cr_assert(arm_new(&arm, &w->arm, &w->err) == RF_OK, "%s", w->err.text);
    struct vaults_options vaults = {.state = w->site.state,
                                    .arm = w->arm,
                                    .authz = w->site.authz,
                                    .directory = &w->site.directory,
                                    .site = &w->site.site,
                                    .audit = &w->site.audit,
                                    .keeper = w->keeper,
                                    .clock = &w->site.clock.clock,
                                    .publish = v_published,
                                    .publish_ctx = w};
    cr_assert(vaults_new(&vaults, &w->vaults, &w->err) == RF_OK, "%s", w->err.text);
    w->dispatcher = walk_dispatcher(&w->site);
    cr_assert(dispatcher_add(w->dispatcher, arm_service(w->arm), &w->err) == RF_OK);
    cr_assert(dispatcher_add(w->dispatcher, vaults_arm_service(w->vaults), &w->err) == RF_OK, "%s",
              w->err.text);
    cr_assert(dispatcher_add(w->dispatcher, authority_service(w->vaults), &w->err) == RF_OK);
    cr_assert(dispatcher_add_claiming(w->dispatcher, vaults_service(w->vaults), vaults_claim,
                                      &w->err) == RF_OK,
              "%s", w->err.text);
    cr_assert(dispatcher_add_claiming(w->dispatcher, authority_ocsp_service(w->vaults),
                                      authority_ocsp_claim, &w->err) == RF_OK);
    v_trust_keeper(w);
}

WALK_HELPER void v_close(struct vault_world *w)
{
    dispatcher_free(w->dispatcher);
    vaults_stop(w->vaults);
    arm_free(w->arm);
    vaults_free(w->vaults);
}

/* With the vault V_NAME, which is the default one and goes by roles, and its administrator as the caller. */
WALK_HELPER void v_init(struct vault_world *w)
{
    struct json_node *body;
    struct arm_resource made;
    memset(w, 0, sizeof *w);
    walk_site_init(&w->site);
    w->site.site.vault_name = RF_S(V_NAME);
    w->api = "7.6";
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/ringfort-vault-XXXXXX");
    cr_assert(mkdtemp(w->folder) != NULL);
    v_open_keeper(w);
    v_open(w);
    cr_assert(json_parse(RF_S("{\"location\":\"local\"}"), &w->site.arena, &body, &w->err) ==
              RF_OK);
    cr_assert(arm_put(w->arm, RF_S(V_GROUP), body, NULL, &w->site.arena, &made, NULL, &w->err) ==
                  RF_OK,
              "%s", w->err.text);
    v_vault(w, V_NAME, "\"enableRbacAuthorization\":true");
    v_assign(w, V_ADMIN, V_ROLE_ADMIN, V_ID);
    v_be(w, V_ADMIN);
}

WALK_HELPER void v_done(struct vault_world *w)
{
    char command[100];
    v_close(w);
    v_close_keeper(w);
    walk_site_done(&w->site);
    (void)snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_assert(system(command) == 0);
}

/* Time goes on; tokens that were made before may end. */
WALK_HELPER void v_pass(struct vault_world *w, int64_t seconds)
{
    rf_clock_fixed_pass(&w->site.clock, seconds * RF_USEC_PER_SECOND);
}

#endif
