/* authority.h - issuers of provider Ringfort-CA, for those who issue to clients outside of the vault's own API: ACME, devices, listeners.
 *
 * The private keys are the keeper's; names are as in `PUT /certificates/issuers/NAME`. Every certificate that an issuer signs is in its register, by serial
 * number, until a while after its end; what is revoked comes into its CRL and its OCSP answers (RFC 5280, RFC 6960). */
#ifndef RF_VAULT_AUTHORITY_H
#define RF_VAULT_AUTHORITY_H

#include "base/clock.h"
#include "base/json_tree.h"
#include "vault/vault.h"

enum { AUTHORITY_NAMES_MAX = 100, AUTHORITY_SERIAL_CHARS = 40 };

struct authority_wanted {
    rf_str
        public_key; /* SubjectPublicKeyInfo, DER: RSA 2048 to 4096, P-256, P-384, P-521, Ed25519 */
    rf_str subject; /* RFC 4514 text; may be empty: then the names are critical */
    const rf_str *dns; /* a wildcard in front is fine */
    uint32_t dns_count;
    const rf_str *addresses; /* "192.0.2.1", "2001:db8::1" */
    uint32_t address_count;
    int64_t not_before,
        not_after; /* seconds since 1970; 0: ten minutes ago; what the issuer gives at most. Cut to the issuer's own end */
    bool is_server, is_client; /* extended key usages; neither: both */
    rf_str by;                 /* who asked, for the register: "acme:ACCOUNT", an object id */
};
struct authority_issued {
    rf_str leaf;   /* DER */
    rf_str chain;  /* DER one behind another: leaf, intermediate; without the root */
    rf_str serial; /* lower-case hex */
    int64_t not_before, not_after;
};
/* `vault` empty: the default one. RF_NOT_FOUND VaultNotFound, IssuerNotFound; RF_DENIED IssuerDisabled; RF_INVALID BadParameter with what is wrong. Does what the
 * keeper takes to sign, some ms; on a worker. */
RF_MUST_USE enum rf_kind authority_issue(struct vaults *vaults, rf_str vault, rf_str issuer,
                                         const struct authority_wanted *wanted,
                                         struct rf_arena *arena, struct authority_issued *out,
                                         struct rf_err *err);

struct authority_record {
    rf_str serial, by, leaf;
    int64_t not_before, not_after;
    int64_t revoked; /* 0: it is not */
    int reason;      /* CRLReason */
};
/* RF_NOT_FOUND CertificateNotFound. */
RF_MUST_USE enum rf_kind authority_find(struct vaults *vaults, rf_str vault, rf_str issuer,
                                        rf_str serial, struct rf_arena *arena,
                                        struct authority_record *out, struct rf_err *err);
/* Reasons of RFC 5280, 5.3.1 but 7 (unused), 8 (removeFromCRL); else RF_INVALID BadParameter. RF_CONFLICT AlreadyRevoked. Answers of OCSP say it at once, and so does the next CRL
 * that is asked for. */
RF_MUST_USE enum rf_kind authority_revoke(struct vaults *vaults, rf_str vault, rf_str issuer,
                                          rf_str serial, int reason, struct rf_arena *arena,
                                          struct rf_err *err);
/* What the issuer's "acme" says (an object; NULL: nothing), for the ACME server. *id: "GUID/ISSUER" of the vault and the issuer's "ca.x5t" or the like: lower case, without a slash at
 * its end, another one when either of them was made anew under its old name (accounts hang on it); makes the root when there is none and "acme" is enabled. RF_NOT_FOUND VaultNotFound, IssuerNotFound, also for a
 * disabled one and for one of another provider. */
RF_MUST_USE enum rf_kind authority_settings(struct vaults *vaults, rf_str vault, rf_str issuer,
                                            struct rf_arena *arena, rf_str *id,
                                            const struct json_node **acme, struct rf_err *err);
/* The HMAC key of an external account (RFC 8555, 7.3.4), opened by the keeper; the caller wipes it. RF_NOT_FOUND AccountKeyNotFound. */
RF_MUST_USE enum rf_kind authority_account_key(struct vaults *vaults, rf_str vault, rf_str issuer,
                                               rf_str kid, struct rf_arena *arena, rf_str *key,
                                               struct rf_err *err);

/* Open routes for who checks a certificate, below /pki/VAULT/ISSUER/: ca.cer, intermediate.cer, crl, root.crl, those that certificates name (N.cer, N.crl), and POST
 * ocsp. For dispatcher_add. */
const struct service *authority_service(struct vaults *vaults);
/* GET /pki/VAULT/ISSUER/ocsp/REQUEST, whose base64 may hold slashes. For dispatcher_add_claiming. */
const struct service *authority_ocsp_service(struct vaults *vaults);
int authority_ocsp_claim(void *ctx, const struct http_request *head);

#endif
