/* acme.h - an ACME server (RFC 8555): certificates from the vault's authorities (issuers of provider Ringfort-CA) for clients such as certbot.
 *
 *   https://HOST:PORT/acme/VAULT/ISSUER/directory
 *
 * An issuer takes part when its "acme" says so (vault/authority.h), and only for the names that it lists there. Control of a name is proved by http-01,
 * tls-alpn-01 (RFC 8737) or dns-01; wildcards by dns-01 alone. Identifiers are DNS names. */
#ifndef RF_ACME_H
#define RF_ACME_H

#include "authz/route.h"
#include "state/state.h"
#include "vault/authority.h"

/* The authority behind the server: functions of vault/authority.h with `vaults` as ctx; tests put their own. */
struct acme_authority {
    struct vaults *ctx;
    enum rf_kind (*settings)(struct vaults *ctx, rf_str vault, rf_str issuer,
                             struct rf_arena *arena, rf_str *id, const struct json_node **acme,
                             struct rf_err *err);
    enum rf_kind (*issue)(struct vaults *ctx, rf_str vault, rf_str issuer,
                          const struct authority_wanted *wanted, struct rf_arena *arena,
                          struct authority_issued *out, struct rf_err *err);
    enum rf_kind (*find)(struct vaults *ctx, rf_str vault, rf_str issuer, rf_str serial,
                         struct rf_arena *arena, struct authority_record *out, struct rf_err *err);
    enum rf_kind (*revoke)(struct vaults *ctx, rf_str vault, rf_str issuer, rf_str serial,
                           int reason, struct rf_arena *arena, struct rf_err *err);
    enum rf_kind (*account_key)(struct vaults *ctx, rf_str vault, rf_str issuer, rf_str kid,
                                struct rf_arena *arena, rf_str *key, struct rf_err *err);
};

/* Where proofs are looked for. */
struct acme_network {
    rf_str resolver;              /* ADDRESS or ADDRESS:PORT; empty: the system's */
    uint16_t http_port, tls_port; /* 0: 80, 443 */
    const rf_str *addresses;      /* loopback and link-local ones that may be asked nevertheless */
    uint32_t address_count;
};
struct acme_options {
    struct state *state;
    const struct site *site;
    struct rf_clock *clock;
    struct acme_authority authority;
    struct acme_network network; /* borrowed texts */
};
struct acme;
RF_MUST_USE enum rf_kind acme_new(const struct acme_options *options, struct acme **out,
                                  struct rf_err *err);
/* Starts the threads that look for proofs, and takes up what a process before left. */
RF_MUST_USE enum rf_kind acme_start(struct acme *acme, struct rf_err *err);
void acme_stop(struct acme *acme); /* waits for a look under way, some seconds; NULL is fine */
void acme_free(struct acme *acme); /* stops too */
const struct service *acme_service(struct acme *acme);

#endif
