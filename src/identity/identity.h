/* identity.h - people, applications, devices of the tenant: tokens (OAuth 2.0, OpenID Connect), the Graph subset, managed
 * identity. Contract: Entra ID's.
 *
 * Handlers run on any worker thread. What they read of the directory is cached and dropped when state_version says that the
 * directory has changed, so a write takes effect for the next request. */
#ifndef RF_IDENTITY_H
#define RF_IDENTITY_H

#include "authz/route.h"
#include "crypt/keeper.h"

struct identity;
struct identity_options {
    struct state *state;
    struct authz *authz;
    struct keeper *keeper;
    const struct site *site;
    const struct audit *audit; /* SigninLogs and its sisters, AuditLogs */
    struct rf_clock *clock;
    /* What was logged, in the site's workspace; NULL: it cannot be asked for. */
    struct tables *tables;
    /* A file of SHA-1 hashes of passwords that were stolen (people/password.h); NULL: none. Borrowed. */
    const char *leaked_passwords;

    /* Federated credentials: hosts whose keys may be fetched ("token.actions.githubusercontent.com", "*.example.org"; with a
     * port when it is not 443). None given: the well-known public issuers. Borrowed. */
    const rf_str *federation_hosts;
    uint32_t federation_host_count;
    /* Hosts at loopback or private addresses ("localhost:9443", "10.1.2.3", "localhost:*"), beside those. Only here loopback addresses are
     * taken, and they are believed whatever certificate they show: this machine answers there. Borrowed. */
    const rf_str *federation_private;
    uint32_t federation_private_count;
    rf_str
        federation_ca_pem; /* who vouches for the issuers' servers; empty: the system's certificates */
    /* An assertion is taken once (contract, section 3.2). MSAL for JavaScript sends one assertion for each resource that it
     * asks for within ten minutes; with this one is taken once per resource. */
    bool assertion_once_per_resource;
};
RF_MUST_USE enum rf_kind identity_new(const struct identity_options *options, struct identity **out,
                                      struct rf_err *err);
void identity_free(struct identity *identity);
/* Routes; *count services. */
const struct service *const *identity_services(struct identity *identity, uint32_t *count);
struct directory identity_directory(struct identity *identity);
struct browser_sessions identity_sessions(struct identity *identity);
/* Token-signing keys were rotated: they are read anew for the next token. Any thread. */
void identity_keys_changed(struct identity *identity);

/* ---- first start, inside the caller's write transaction ---------------------------------------------------------- */

/* Makes an application with its service principal; `graph_roles` (names with blanks between) are granted. Texts in `arena`. */
struct identity_app {
    rf_str app_id, object_id /* of the service principal */, secret /* shown this once */;
};
RF_MUST_USE enum rf_kind identity_make_app(struct identity *identity, struct state_txn *txn,
                                           rf_str display_name, const char *graph_roles,
                                           struct rf_arena *arena, struct identity_app *out,
                                           struct rf_err *err);
/* Gives an application a new secret and removes all others: `ringfort bootstrap rotate`. */
RF_MUST_USE enum rf_kind identity_replace_secret(struct identity *identity, struct state_txn *txn,
                                                 rf_str app_id, struct rf_arena *arena,
                                                 rf_str *secret, struct rf_err *err);
/* Makes the managed identity of this host (`resource_id`: its ARM id, xms_mirid in its tokens), or gives the one that is there
 * a new header secret. out->secret is what clients send as X-IDENTITY-HEADER. */
RF_MUST_USE enum rf_kind identity_make_managed_identity(struct identity *identity,
                                                        struct state_txn *txn, rf_str display_name,
                                                        rf_str resource_id, struct rf_arena *arena,
                                                        struct identity_app *out,
                                                        struct rf_err *err);

/* ---- administrators ------------------------------------------------------------------------------------------------ */

enum { ADMIN_LINK_HOURS = 24 };
/* A link for the page /signin/first: whoever opens it first within 24 hours becomes an administrator with a password of his own (Global
 * Administrator, Owner of everything), or, with `user` (an object id), renews that account. *code stands behind "?code="; only its
 * hash is kept. Links that were made before end. In the caller's write transaction. */
RF_MUST_USE enum rf_kind identity_make_admin_link(struct identity *identity, struct state_txn *txn,
                                                  rf_str user, struct rf_arena *arena, rf_str *code,
                                                  struct rf_err *err);
/* Whether it can be used still. */
RF_MUST_USE enum rf_kind identity_admin_link_good(struct identity *identity, struct state_txn *txn,
                                                  rf_str code, struct rf_arena *arena, bool *good,
                                                  struct rf_err *err);
/* Whether somebody is Global Administrator, accounts for emergencies aside. */
RF_MUST_USE enum rf_kind identity_has_administrator(struct state_txn *txn, struct rf_arena *arena,
                                                    bool *has, struct rf_err *err);

#endif
