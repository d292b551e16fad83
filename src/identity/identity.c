#include <stdlib.h>

#include "identity/graph_int.h"
#include "identity/signin_int.h"
#include "people/lockout.h"
#include "people/password.h"

/* ---- the routes of the authority ------------------------------------------------------------------------------------ */

#define WHY_DISCOVERY "discovery documents and public keys are for everybody"
#define WHY_TOKEN "callers prove who they are in the body"
#define WHY_DEVICE                                                                                 \
    "a device that has nobody yet asks for a code; it gives nothing until a user approves"
#define WHY_USERINFO                                                                               \
    "the access token is checked by the handler, which answers as OpenID Connect says"
#define WHY_SIGNIN "people prove who they are on these pages"
#define WHY_FIRST "a link that was made on the server's machine proves who comes"
#define WHY_ASSET "style and scripts of the pages are for everybody"
#define WHY_LOGOUT "ends the session of the cookie that comes with it"
#define OPEN_GET(where, run_, why)                                                                 \
    {                                                                                              \
        .method = HTTP_GET, .path = (where), .access = ROUTE_OPEN, .why_open = (why),              \
        .run = (run_)                                                                              \
    }
#define OPEN_POST(where, run_, why)                                                                \
    {                                                                                              \
        .method = HTTP_POST, .path = (where), .access = ROUTE_OPEN, .why_open = (why),             \
        .run = (run_), .body_bytes_max = 64 << 10                                                  \
    }

const struct route oauth_routes[] = {
    OPEN_GET("/{tenant}/v2.0/.well-known/openid-configuration", discovery_v2, WHY_DISCOVERY),
    OPEN_GET("/{tenant}/.well-known/openid-configuration", discovery_v1, WHY_DISCOVERY),
    OPEN_GET("/{tenant}/discovery/v2.0/keys", discovery_keys, WHY_DISCOVERY),
    OPEN_GET("/{tenant}/discovery/keys", discovery_keys, WHY_DISCOVERY),
    OPEN_GET("/{tenant}/discovery/instance", discovery_instance, WHY_DISCOVERY),
    OPEN_GET("/{tenant}/userrealm/{upn}", discovery_userrealm, WHY_DISCOVERY),
    OPEN_POST("/{tenant}/oauth2/v2.0/token", token_run, WHY_TOKEN),
    OPEN_POST("/{tenant}/oauth2/token", token_run, WHY_TOKEN),
    OPEN_POST("/{tenant}/oauth2/v2.0/devicecode", device_ask, WHY_DEVICE),
    OPEN_POST("/{tenant}/oauth2/devicecode", device_ask, WHY_DEVICE),
    OPEN_GET("/oidc/userinfo", userinfo_run, WHY_USERINFO),
    OPEN_POST("/oidc/userinfo", userinfo_run, WHY_USERINFO),
};
const uint32_t oauth_route_count = RF_COUNT(oauth_routes);

/* Pages for people. Passwords are hashed there, which takes long. */
#define PAGE_POST_HEAVY(where, run_, why)                                                          \
    {                                                                                              \
        .method = HTTP_POST, .path = (where), .access = ROUTE_OPEN, .why_open = (why),             \
        .run = (run_), .body_bytes_max = 128 << 10, .lane = HTTP_HEAVY                             \
    }
static const struct route signin_routes[] = {
    OPEN_GET("/{tenant}/oauth2/v2.0/authorize", authorize_run, WHY_SIGNIN),
    OPEN_GET("/{tenant}/oauth2/authorize", authorize_run, WHY_SIGNIN),
    OPEN_POST("/{tenant}/oauth2/v2.0/authorize", authorize_run, WHY_SIGNIN),
    OPEN_POST("/{tenant}/oauth2/authorize", authorize_run, WHY_SIGNIN),
    PAGE_POST_HEAVY("/signin/next", signin_next, WHY_SIGNIN),
    OPEN_GET("/signin/first", first_page, WHY_FIRST),
    PAGE_POST_HEAVY("/signin/first", first_taken, WHY_FIRST),
    OPEN_GET("/signin/{asset}", signin_asset, WHY_ASSET),
    OPEN_GET("/devicelogin", device_page, WHY_SIGNIN),
    OPEN_GET("/common/oauth2/deviceauth", device_page, WHY_SIGNIN),
    OPEN_POST("/devicelogin", device_code_typed, WHY_SIGNIN),
    OPEN_GET("/{tenant}/oauth2/v2.0/logout", logout_run, WHY_LOGOUT),
    OPEN_GET("/{tenant}/oauth2/logout", logout_run, WHY_LOGOUT),
    OPEN_POST("/{tenant}/oauth2/v2.0/logout", logout_run, WHY_LOGOUT),
    OPEN_POST("/{tenant}/oauth2/logout", logout_run, WHY_LOGOUT),
    OPEN_GET("/portal/signin", portal_signin, WHY_SIGNIN),
    OPEN_GET("/portal/signed-in", portal_signed_in, WHY_SIGNIN),
    OPEN_POST("/portal/signout", portal_signout, WHY_LOGOUT),
};

/* ---- life ------------------------------------------------------------------------------------------------------------ */

enum { SEED_BYTES_MAX = 16 << 20, ROUTES_BYTES_MAX = 4 << 20 };

static enum rf_kind seed(struct identity *identity, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, SEED_BYTES_MAX);
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_write(identity->options.state, &txn, err));
    RF_TRY(resource_seed(identity, txn, &arena, err));
    RF_TRY(portal_seed(identity, txn, &arena, err));
    struct state_txn *done = txn;
    txn = NULL;
    return state_commit(done, err);
}

static enum rf_kind open_parts(struct identity *identity, struct rf_err *err)
{
    struct rf_arena *arena = &identity->arena;
    identity->tenant = text_lower(arena, identity->options.site->tenant_id);
    identity->domain = text_lower(arena, identity->options.site->domain);
    if (identity->tenant.ptr == NULL || identity->domain.ptr == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(memo_new(&identity->memo, err));
    RF_TRY(guard_new(&identity->guard, err));
    RF_TRY(federation_new(identity, &identity->federation, err));
    const struct passwords_options passwords = {.keeper = identity->options.keeper,
                                                .leaked = identity->options.leaked_passwords};
    RF_TRY(passwords_new(&passwords, &identity->passwords, err));
    RF_TRY(lockout_new(&identity->lockout, err));
    RF_TRY(spray_new(&identity->sprays, err));
    identity->oauth = (struct service){.name = "identity.oauth",
                                       .ctx = identity,
                                       .routes = oauth_routes,
                                       .route_count = oauth_route_count,
                                       .error = oauth_service_error};
    identity->managed = (struct service){.name = "identity.managed",
                                         .ctx = identity,
                                         .routes = managed_routes,
                                         .route_count = managed_route_count,
                                         .error = managed_error};
    RF_TRY(graph_service(identity, arena, &identity->graph, err));
    identity->services[0] = &identity->oauth;
    identity->services[1] = &identity->graph;
    identity->services[2] = &identity->managed;
    identity->signin = (struct service){.name = "identity.signin",
                                        .ctx = identity,
                                        .routes = signin_routes,
                                        .route_count = RF_COUNT(signin_routes),
                                        .error = signin_service_error};
    identity->services[3] = &identity->signin;
    return seed(identity, err);
}

enum rf_kind identity_new(const struct identity_options *options, struct identity **out,
                          struct rf_err *err)
{
    struct identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for identity");
    identity->options = *options;
    rf_arena_init(&identity->arena, ROUTES_BYTES_MAX);
    enum rf_kind kind = open_parts(identity, err);
    if (kind == RF_OK)
        *out = identity;
    else
        identity_free(identity);
    return kind;
}

void identity_free(struct identity *identity)
{
    if (identity == NULL) return;
    spray_free(identity->sprays);
    lockout_free(identity->lockout);
    passwords_free(identity->passwords);
    federation_free(identity->federation);
    guard_free(identity->guard);
    memo_free(identity->memo);
    rf_arena_done(&identity->arena);
    free(identity);
}

const struct service *const *identity_services(struct identity *identity, uint32_t *count)
{
    *count = RF_COUNT(identity->services);
    return identity->services;
}

/* ---- the directory for everybody else ---------------------------------------------------------------------------------- */

struct found_principal {
    struct principal principal;
    rf_usec valid_from;
    bool enabled;
};

static enum rf_kind load_principal(struct identity *identity, rf_str id, struct rf_arena *arena,
                                   struct found_principal *out, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    struct json_node *doc;
    enum rf_kind kind = object_get(txn, "servicePrincipal", id, arena, &doc, err);
    out->principal.type = PRINCIPAL_SERVICE;
    if (kind == RF_NOT_FOUND) {
        kind = object_get(txn, "user", id, arena, &doc, err);
        out->principal.type = PRINCIPAL_USER;
    }
    RF_TRY(kind);
    out->principal.object_id = json_text_at(doc, "id");
    out->principal.app_id = json_text_at(doc, "appId");
    out->principal.display_name = json_text_at(doc, "displayName");
    out->principal.user_name = json_text_at(doc, "userPrincipalName");
    out->enabled = json_bool_at(doc, "accountEnabled", true);
    if (!time_parse_iso(json_text_at(doc, "~validFrom"), &out->valid_from)) out->valid_from = 0;
    rf_str *groups;
    RF_TRY(groups_of(txn, id, arena, &groups, &out->principal.group_count, err));
    out->principal.groups = groups;
    return RF_OK;
}

/* The cache keeps its own copy; callers get theirs, since an entry may go while they still look. */
static bool copy_principal(struct rf_arena *arena, const struct principal *from,
                           struct principal *out)
{
    struct principal p = {.type = from->type, .group_count = from->group_count};
    rf_str *groups = rf_arena_new(arena, rf_str, from->group_count);
    if (groups == NULL || !rf_arena_str(arena, from->object_id, &p.object_id) ||
        !rf_arena_str(arena, from->app_id, &p.app_id) ||
        !rf_arena_str(arena, from->display_name, &p.display_name) ||
        !rf_arena_str(arena, from->user_name, &p.user_name))
        return false;
    for (uint32_t i = 0; i < from->group_count; i++)
        if (!rf_arena_str(arena, from->groups[i], &groups[i])) return false;
    p.groups = groups;
    *out = p;
    return true;
}

static enum rf_kind cached_principal(struct identity *identity, rf_str id, struct memo_entry **out,
                                     struct rf_err *err)
{
    uint64_t stamp = directory_stamp(identity);
    uint8_t room[10 + GUID_TEXT_BYTES] = "principal ";
    for (size_t i = 0; i < GUID_TEXT_BYTES; i++) room[10 + i] = rf_lower(id.ptr[i]);
    rf_str key = rf_str_make(room, sizeof room);
    *out = memo_find(identity->memo, key, stamp);
    if (*out != NULL) return RF_OK;
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, stamp);
    if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for a principal");
    struct found_principal *found = rf_arena_new(&entry->arena, struct found_principal, 1);
    if (found == NULL) return rf_fail_memory(err, &entry->arena);
    RF_TRY(load_principal(identity, rf_slice(key, 10, key.len), &entry->arena, found, err));
    entry->value = found;
    memo_add(identity->memo, entry);
    *out = entry;
    entry = NULL;
    return RF_OK;
}

static enum rf_kind directory_find(void *ctx, rf_str object_id, struct rf_arena *arena,
                                   struct principal *out, rf_usec *valid_from, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    enum rf_kind kind = RF_NOT_FOUND;
    if (guid_is(object_id)) kind = cached_principal(ctx, object_id, &entry, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "PrincipalNotFound",
                       "Principal %.*s does not exist in the directory.",
                       (int)RF_MIN(object_id.len, 64), (const char *)object_id.ptr);
    RF_TRY(kind);
    const struct found_principal *found = entry->value;
    if (!found->enabled)
        return RF_FAIL(err, RF_DENIED, "PrincipalDisabled", "Principal %.*s is disabled.",
                       RF_FMT(object_id));
    if (!copy_principal(arena, &found->principal, out)) return rf_fail_memory(err, arena);
    if (valid_from != NULL) *valid_from = found->valid_from;
    return RF_OK;
}

static enum rf_kind directory_delegated(void *ctx, struct rf_arena *arena, struct principal *user,
                                        struct rf_err *err)
{
    return rights_of_user(ctx, arena, user, err);
}

struct directory identity_directory(struct identity *identity)
{
    return (struct directory){
        .ctx = identity, .find = directory_find, .delegated = directory_delegated};
}
