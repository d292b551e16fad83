/* identity_int.h - what the files of identity/ share.
 *
 * Spaces of the state that identity owns. Bodies are JSON in Graph's shape; members that begin with '~' are ours and never
 * shown. Keys are object ids in lower case unless said otherwise. Indexes bear the name of the member whose values they hold,
 * in lower case.
 *
 *   application         appId, identifierUris, displayName. "passwordCredentials" hold "~mac": hex of keeper_mac over
 *                       "<appId>:<secret>"; "keyCredentials" hold the certificate in "key"; "~federated": the federated
 *                       credentials
 *   servicePrincipal    appId, displayName, servicePrincipalNames, servicePrincipalType. Credentials as above. "~builtin": a
 *                       resource of section 3.3, whose "appRoles" stand in it; "~validFrom": tokens issued before are revoked;
 *                       "~header": hex of keeper_mac of a managed identity's header secret
 *   user                userPrincipalName, displayName, mail. "~verifier": hex of keeper_mac over "<id>:<password>" until the
 *                       password service takes it over; "~validFrom"
 *   group               displayName, mailNickname
 *   member, owner       key "<object>/<member>", index "member"; body {"kind": space of the member}
 *   appRoleAssignment   principalId, resourceId
 *   oauth2PermissionGrant      clientId, resourceId
 *   conditionalAccessPolicy, namedLocation
 *   adminLink           links for administrators (admin_int.h); riskyUser (risk_int.h); habit (people/habit.h)
 *   roleEligibility, roleActivation, roleActivationRequest      graph_elevate.c
 *   assertion           key "<exp as 10 digits>/<hex SHA-256 of client id and jti>": those that were taken */
#ifndef RF_IDENTITY_INT_H
#define RF_IDENTITY_INT_H

#include "base/encode.h"
#include "base/json_out.h"
#include "crypt/digest.h"
#include "crypt/jwt.h"
#include "identity/identity.h"

#define GRAPH_APP_ID "00000003-0000-0000-c000-000000000000"

struct identity {
    struct identity_options options;
    rf_str tenant, domain;
    struct memo *memo;
    struct guard *guard;
    struct federation *federation;
    struct passwords *passwords;
    struct lockout *lockout;
    struct spray_list *sprays;
    _Atomic uint64_t keys_epoch;
    struct rf_arena arena; /* of the route table */
    struct service oauth, graph, managed, signin;
    const struct service *services[4];
};

/* ---- memo.c: a cache of what was made of the directory -------------------------------------------------------------- */

/* One cached thing: immutable once it was added, kept alive by whoever holds it. */
struct memo_entry {
    struct rf_arena arena;
    rf_str key;
    uint64_t stamp;
    void *value; /* in arena */
    struct memo_entry *next;
    atomic_uint refs;
};
struct memo;
RF_MUST_USE enum rf_kind memo_new(struct memo **out, struct rf_err *err);
void memo_free(struct memo *memo);
/* The entry of that key and stamp, held for the caller, or NULL. */
struct memo_entry *memo_find(struct memo *memo, rf_str key, uint64_t stamp);
/* A new entry, held by the caller; NULL on lack of memory. */
struct memo_entry *memo_entry_new(rf_str key, uint64_t stamp);
/* Others find it from now on. */
void memo_add(struct memo *memo, struct memo_entry *entry);
void memo_release(struct memo_entry **entry); /* *entry NULL is fine */
/* Changes whenever anything in the directory changes. */
uint64_t directory_stamp(struct identity *identity);

/* ---- object.c: documents of the directory -------------------------------------------------------------------------- */

/* RF_NOT_FOUND ObjectNotFound. */
RF_MUST_USE enum rf_kind object_get(struct state_txn *txn, const char *space, rf_str id,
                                    struct rf_arena *arena, struct json_node **out,
                                    struct rf_err *err);
/* The first whose index `member` holds `value`, case ignored. RF_NOT_FOUND ObjectNotFound. */
RF_MUST_USE enum rf_kind object_find(struct state_txn *txn, const char *space, const char *member,
                                     rf_str value, struct rf_arena *arena, struct json_node **out,
                                     struct rf_err *err);
/* All of them, or those whose index `member` (NULL: all) holds `value`. */
struct object_list {
    struct json_node **items;
    uint32_t count;
};
RF_MUST_USE enum rf_kind object_list(struct state_txn *txn, const char *space, const char *member,
                                     rf_str value, struct rf_arena *arena, struct object_list *out,
                                     struct rf_err *err);
/* Creates or replaces the document under its "id". */
RF_MUST_USE enum rf_kind object_put(struct state_txn *txn, const char *space,
                                    const struct json_node *doc, struct rf_arena *arena,
                                    struct rf_err *err);
/* Deletes it; no error when it is not there. */
RF_MUST_USE enum rf_kind object_delete(struct state_txn *txn, const char *space, rf_str id,
                                       struct rf_err *err);
/* Whether the space keeps an index of that member. */
bool object_indexed(const char *space, rf_str member);
/* A link of the spaces member and owner. *created, *existed may be NULL. */
RF_MUST_USE enum rf_kind link_put(struct state_txn *txn, const char *space, rf_str object,
                                  rf_str member, const char *kind, bool *created,
                                  struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind link_delete(struct state_txn *txn, const char *space, rf_str object,
                                     rf_str member, bool *existed, struct rf_arena *arena,
                                     struct rf_err *err);
struct link {
    rf_str object, member, kind;
};
struct link_list {
    struct link *items;
    uint32_t count;
};
/* The members of `object`, or the objects that `member` is a member of (the other one empty). */
RF_MUST_USE enum rf_kind link_list(struct state_txn *txn, const char *space, rf_str object,
                                   rf_str member, struct rf_arena *arena, struct link_list *out,
                                   struct rf_err *err);
/* Every group that `id` is in, directly or through others. */
RF_MUST_USE enum rf_kind groups_of(struct state_txn *txn, rf_str id, struct rf_arena *arena,
                                   rf_str **out, uint32_t *count, struct rf_err *err);
rf_str text_lower(struct rf_arena *arena, rf_str text); /* ASCII; ptr NULL on lack of memory */
/* The id that an object has by its name alone in this tenant: a GUID of SHA-256 (version 8). */
rf_str guid_named(struct rf_arena *arena, rf_str tenant, rf_str name);
rf_str time_graph(struct rf_arena *arena, rf_usec time); /* 2026-01-31T12:00:00Z */

/* ---- resource.c: what tokens are for --------------------------------------------------------------------------------- */

/* Puts the built-in resource principals into the directory. */
RF_MUST_USE enum rf_kind resource_seed(struct identity *identity, struct state_txn *txn,
                                       struct rf_arena *arena, struct rf_err *err);
struct resource {
    rf_str id, app_id, display_name; /* of its service principal */
    bool version2;                   /* requestedAccessTokenVersion 2 */
    bool assignment_required;
    const struct json_node *roles; /* array: appRoles */
};
/* The resource that `name` (what stands before "/.default") names, as a memo entry whose value is a struct resource.
 * RF_NOT_FOUND "500011". */
RF_MUST_USE enum rf_kind resource_find(struct identity *identity, rf_str name, rf_str origin,
                                       struct memo_entry **out, struct rf_err *err);
/* The app role of a built-in application by its value, or NULL; its id as a GUID. */
const char *graph_role_id(rf_str value);
const char *graph_role_name(size_t index); /* every value in turn; NULL behind the last */
/* "appRoles" of a service principal: its own or its application's. */
const struct json_node *app_roles_of(const struct json_node *principal,
                                     const struct json_node *application);
const struct json_node *app_role_by_id(const struct json_node *roles, rf_str id);

/* ---- first_start.c ------------------------------------------------------------------------------------------------------- */

/* Makes an application that has no secret, with its service principal. */
RF_MUST_USE enum rf_kind app_put_named(struct identity *identity, struct state_txn *txn,
                                       rf_str app_id, rf_str display_name, struct rf_arena *arena,
                                       struct rf_err *err);

/* ---- client.c: applications that ask ----------------------------------------------------------------------------------- */

struct client {
    rf_str app_id, id, display_name, type; /* of the service principal */
    bool enabled;
    const struct json_node *application; /* NULL: it has none here */
    const struct json_node *principal;
};
/* RF_DENIED "700016". */
RF_MUST_USE enum rf_kind client_find(struct identity *identity, rf_str app_id,
                                     struct memo_entry **out, struct rf_err *err);
/* Values of the app roles that were assigned to the principal at the resource. The entry's value is a struct role_list. */
struct role_list {
    rf_str *values;
    uint32_t count;
};
RF_MUST_USE enum rf_kind client_roles(struct identity *identity, rf_str principal_id,
                                      const struct resource *resource, struct memo_entry **out,
                                      struct rf_err *err);
/* Compares a secret with those of the application and its service principal, all of them in the same time; *key_id is the
 * credential's. RF_DENIED "7000215", "7000222". */
RF_MUST_USE enum rf_kind client_check_secret(struct identity *identity, const struct client *client,
                                             rf_str secret, rf_usec now, struct rf_arena *arena,
                                             rf_str *key_id, struct rf_err *err);
/* What the keeper compares a secret with before it signs: those of the client that are valid now. False when there are none, or too
 * many for one message, or no memory: client_check_secret says then what is wrong. */
enum { SECRET_PROOF_MACS_MAX = 64 };
struct secret_proof {
    struct keeper_proof keeper;
    rf_str key_ids[SECRET_PROOF_MACS_MAX];
};
RF_MUST_USE bool client_secret_proof(const struct client *client, rf_str secret, rf_usec now,
                                     struct rf_arena *arena, struct secret_proof *out);
void secret_proof_done(struct secret_proof *proof); /* wipes the secret */
/* A new secret for the application `app_id`: its "passwordCredential" with keyId, hint and "~mac", and the text. */
RF_MUST_USE enum rf_kind secret_make(struct identity *identity, rf_str app_id, rf_str display_name,
                                     rf_usec from, rf_usec until, struct rf_arena *arena,
                                     struct json_node **credential, rf_str *text,
                                     struct rf_err *err);

/* ---- guard.c: failures by application and address ----------------------------------------------------------------------- */

enum { GUARD_FAILURES_MAX = 10 };
RF_MUST_USE enum rf_kind guard_new(struct guard **out, struct rf_err *err);
void guard_free(struct guard *guard);
/* Seconds that `who` has to wait; 0: it may try. */
uint32_t guard_wait(struct guard *guard, rf_str who, rf_usec elapsed);
void guard_failed(struct guard *guard, rf_str who, rf_usec elapsed);

/* ---- keys.c: token-signing keys ---------------------------------------------------------------------------------------- */

struct signing_key {
    rf_str kid, n, e, x5c; /* texts for the key set */
};
struct signing_keys {
    struct signing_key *items;
    uint32_t count;
    rf_str header; /* base64url of the token header for the key that signs now */
};
RF_MUST_USE enum rf_kind signing_keys(struct identity *identity, struct memo_entry **out,
                                      struct rf_err *err);

/* ---- access_token.c ------------------------------------------------------------------------------------------------------ */

enum { TOKEN_LIFE_SECONDS = 3600, UTI_BYTES = 22 };
struct access_token_request {
    const struct client *client;
    const struct resource *resource;
    const struct role_list *roles;
    rf_str audience; /* the resource's name as requested */
    rf_str origin;
    const char *client_strength;      /* appidacr: "1" secret, "2" certificate or federated */
    bool cae;                         /* the client can take claims challenges */
    const struct keeper_proof *proof; /* without it no token is made; NULL: there is one already */
    rf_usec now;
};
struct access_token {
    rf_str text, uti;
    int64_t not_before, expires; /* seconds */
    uint64_t match;              /* of the proof; KEEPER_NO_MATCH: no token was made */
};
/* For an application that acts for itself. */
RF_MUST_USE enum rf_kind access_token_make(struct identity *identity,
                                           const struct access_token_request *wanted,
                                           struct rf_arena *arena, struct access_token *out,
                                           struct rf_err *err);

/* ---- form.c -------------------------------------------------------------------------------------------------------------- */

enum { FORM_FIELDS_MAX = 64 };
struct form_field {
    rf_str name, value;
};
struct form {
    struct form_field fields[FORM_FIELDS_MAX];
    uint32_t count;
};
/* application/x-www-form-urlencoded, strictly: no name twice, valid UTF-8. RF_INVALID "9002313". */
RF_MUST_USE enum rf_kind form_parse(rf_str body, struct rf_arena *arena, struct form *out,
                                    struct rf_err *err);
/* The value; empty and *found false (found may be NULL) when it is absent. */
rf_str form_get(const struct form *form, const char *name, bool *found);

/* ---- oauth.c: answers of the token endpoint ----------------------------------------------------------------------------- */

/* Errors of the OAuth endpoints carry the AADSTS number as their code: RF_FAIL(err, RF_DENIED, "7000215", ...). */
struct oauth_error {
    const char *code; /* digits */
    uint16_t status;
    const char *error;
};
const struct oauth_error *oauth_error_of(const struct rf_err *err);
extern const struct oauth_error oauth_errors[];
extern const uint32_t oauth_error_count;
/* Writes the error's JSON with its status; `correlation_id` is a GUID. */
void oauth_answer_error(struct request *request, rf_str correlation_id, const struct rf_err *err);
void oauth_headers(struct request *request);
/* The client's GUID for this exchange, else ours. */
rf_str correlation_of(const struct request *request);
/* For struct service. */
void oauth_service_error(struct request *request, uint16_t status, const struct rf_err *err);
/* RF_NOT_FOUND "90002" unless `name` is our tenant: GUID, verified domain, common, organizations. */
RF_MUST_USE enum rf_kind tenant_find(const struct identity *identity, rf_str name, bool *shared,
                                     struct rf_err *err);

/* ---- token.c, grant_client.c -------------------------------------------------------------------------------------------- */

/* How the client proved who it is. */
struct client_proof {
    rf_str key_id, thumbprint, federated_id;
    const char *strength;
    const char *type; /* for the log: ClientSecret, ClientAssertion, FederatedIdentityCredential */
};
struct token_call {
    struct identity *identity;
    struct request *request;
    struct form form;
    bool v1;
    rf_str tenant; /* as in the path */
    rf_str correlation_id;
    rf_str grant_type, client_id, secret;
    bool has_secret, unproven;
    /* what was found out, for the log too */
    struct memo_entry *client_entry, *resource_entry;
    const struct client *client;
    const struct resource *resource;
    rf_str audience;
    struct client_proof proof;
    rf_str uti;
    bool told; /* its row was written */
};
enum rf_kind token_run(struct request *request, struct rf_err *err);
/* Finds the application and has it prove who it is. A secret waits (call->unproven) until the keeper compares it and signs in one
 * go; nothing may be told to the client before. RF_DENIED with the AADSTS number. */
RF_MUST_USE enum rf_kind client_authenticate(struct token_call *call, struct rf_err *err);
/* Compares the secret now. */
RF_MUST_USE enum rf_kind client_prove_secret(struct token_call *call, struct rf_err *err);
RF_MUST_USE enum rf_kind grant_client_credentials(struct token_call *call, struct rf_err *err);
/* The one resource of scope= or resource=. */
RF_MUST_USE enum rf_kind token_resource(struct token_call *call, struct rf_err *err);

/* ---- assertion.c, federation.c ------------------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind assertion_check(struct token_call *call, rf_str text, struct rf_err *err);
/* Notes that the assertion was used. RF_CONFLICT "700025" when it was before. */
RF_MUST_USE enum rf_kind assertion_take(struct identity *identity, rf_str client_id, rf_str jti,
                                        int64_t exp, rf_usec now, struct rf_arena *arena,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind federation_new(struct identity *identity, struct federation **out,
                                        struct rf_err *err);
void federation_free(struct federation *federation);
/* Checks the signature with the issuer's keys. RF_DENIED "700027", RF_AGAIN "90033". */
RF_MUST_USE enum rf_kind federation_check(struct federation *federation, rf_str issuer,
                                          const struct jwt *jwt, struct rf_arena *arena,
                                          struct rf_err *err);
/* Whether keys may be fetched from this https URL. */
bool federation_may_fetch(const struct federation *federation, rf_str url);

/* ---- trail.c: rows about sign-ins and changes ---------------------------------------------------------------------------- */

/* AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs; `err` NULL: it succeeded. */
void trail_sign_in(const struct token_call *call, const struct rf_err *err);
void trail_managed(struct identity *identity, struct request *request, const struct client *client,
                   const struct resource *resource, rf_str uti, const char *result,
                   const char *description);
struct trail_change {
    const char *operation; /* "Add user" */
    const char *verb;      /* Add, Update, Delete, Assign, Unassign */
    const char *service;   /* "Core Directory" */
    const char *category;  /* "UserManagement" */
    const char *type;      /* "User" */
    const struct json_node *target;
    const struct json_node *before, *after; /* for modifiedProperties; may be NULL */
    const struct json_node
        *other; /* a second target: the group of "Add member to group"; may be NULL */
    const char *other_type;
    const char *reason; /* ResultReason; NULL: none */
    bool failed;        /* Result */
};
void trail_audit(struct identity *identity, struct request *request,
                 const struct trail_change *change);

/* ---- the routes ---------------------------------------------------------------------------------------------------------- */

extern const struct route oauth_routes[];
extern const uint32_t oauth_route_count;
extern const struct route managed_routes[];
extern const uint32_t managed_route_count;
void managed_error(struct request *request, uint16_t status, const struct rf_err *err);
enum rf_kind discovery_v2(struct request *request, struct rf_err *err);
enum rf_kind discovery_v1(struct request *request, struct rf_err *err);
enum rf_kind discovery_keys(struct request *request, struct rf_err *err);
enum rf_kind discovery_instance(struct request *request, struct rf_err *err);
enum rf_kind discovery_userrealm(struct request *request, struct rf_err *err);

static inline struct identity *identity_of(const struct request *request)
{
    return request->service;
}
static inline void state_end_txn(struct state_txn **txn)
{
    if (*txn != NULL) state_end(*txn);
}
#define IDENTITY_TXN RF_CLEANUP(state_end_txn) struct state_txn *

#endif
