/* acme_client.h - certificates from an authority outside, by ACME (RFC 8555): issuers of provider ACME.
 *
 * acme_settings.c   what an issuer says, and its keys, which the keeper makes and uses
 * acme_wire.c       requests: nonces, signatures, problems
 * acme_order.c      one order, from step to step; all that a step needs is in the operation, so a process that comes later goes on
 * acme_challenge.c  what the authority looks for: answers over HTTP and TLS, records by a hook
 *
 * An issuer's node: "acme" {"directory","email","challenge","ca","hook","waitSeconds","eab" {"kid"}}; "acmeEab" {"item" (hex), "key", "sealed" (base64)}, the HMAC
 * key; "acmeAccount", the same with "public" and, once there is an account, "url".
 * An operation ("pending" of the certificate): "acme" {"order","finalize","begun","at","tries","polls","records" [{"name","value","at"}]}. */
#ifndef RF_VAULT_ACME_CLIENT_H
#define RF_VAULT_ACME_CLIENT_H

#include "net/client.h"
#include "vault/certificates_int.h"

enum {
    ACME_BODY_BYTES_MAX = 1 << 20,
    ACME_URL_BYTES_MAX = 2048,
    ACME_NAMES_MAX = 100,
    ACME_DIGEST_BYTES = 32
};

/* ---- settings --------------------------------------------------------------------------------------------------------- */

bool vault_acme_is(const struct json_node *issuer); /* of provider ACME */
/* "acme" of the body into the issuer's node. 400 BadParameter. */
RF_MUST_USE enum rf_kind vault_acme_read_settings(struct vault_call *call, struct json_node *node,
                                                  struct rf_err *err);
bool vault_acme_show_settings(struct rf_arena *arena, const struct json_node *node,
                              struct json_node *out);
/* The issuer is deleted: its keys open no more. */
RF_MUST_USE enum rf_kind vault_acme_forget(struct vault_call *call, const struct json_node *node,
                                           struct rf_err *err);
/* Makes the account's key when there is none. *made: the node was changed. */
RF_MUST_USE enum rf_kind vault_acme_account_key(struct vault_call *call, struct json_node *node,
                                                bool *made, struct rf_err *err);
/* Signs "header.payload" with a key of the issuer: `member` is "acmeAccount" or "acmeEab". The bare signature. */
RF_MUST_USE enum rf_kind vault_acme_sign(struct vault_call *call, const struct json_node *node,
                                         const char *member, rf_str input, rf_str *out,
                                         struct rf_err *err);
/* The account's public key: a JWK whose members are in the order of RFC 7638, and the base64url digest of that text. */
RF_MUST_USE enum rf_kind vault_acme_jwk(struct vault_call *call, const struct json_node *node,
                                        rf_str *jwk, rf_str *thumbprint, struct rf_err *err);

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

struct acme_session {
    struct vault_call *call;
    struct http_client *client;
    struct json_node *issuer;
    rf_str issuer_name;
    uint64_t issuer_etag;
    rf_str jwk, thumbprint, account; /* account: its URL, empty: none yet */
    const struct json_node *directory;
    rf_str nonce;          /* empty: one must be fetched */
    int64_t retry_after;   /* seconds, of the last answer; 0: it said nothing */
    struct egress *egress; /* of vaults->acme */
    rf_usec begun;         /* elapsed time: nobody else's work waits for ever */
};
struct acme_reply {
    uint16_t status;
    rf_str body, location;
    const struct json_node *json; /* NULL: no JSON object */
};
/* Loads the issuer, and asks for the directory. */
RF_MUST_USE enum rf_kind acme_session_open(struct vault_call *call, rf_str issuer,
                                           struct acme_session *out, struct rf_err *err);
void acme_session_close(struct acme_session *s);
/* A signed request; `payload` empty: POST-as-GET. By the account's URL, or with `by_key` by the key itself. Errors: RF_INVALID AcmeError, the problem as text: of no use to be
 * tried again; RF_AGAIN AcmeLimited, AcmeUnavailable: later (s->retry_after); RF_NOT_FOUND AcmeGone: the URL, or the account, is no longer known. */
RF_MUST_USE enum rf_kind acme_post(struct acme_session *s, rf_str url, rf_str payload, bool by_key,
                                   struct acme_reply *out, struct rf_err *err);
/* The account, made when there is none. */
RF_MUST_USE enum rf_kind acme_session_account(struct acme_session *s, struct rf_err *err);
/* The authority knows the account no more. */
RF_MUST_USE enum rf_kind acme_session_forget(struct acme_session *s, struct rf_err *err);
/* For the hook alone: the directory is not asked for. */
RF_MUST_USE enum rf_kind acme_session_hook(struct vault_call *call, rf_str issuer,
                                           struct acme_session *out, struct rf_err *err);
/* POST of plain JSON to the issuer's hook. */
RF_MUST_USE enum rf_kind acme_hook(struct acme_session *s, rf_str url, rf_str name, rf_str value,
                                   const char *action, struct rf_err *err);
/* "type: detail" of a problem document (RFC 7807), its subproblems behind; in `arena`, at most some 800 bytes, without control characters. */
rf_str acme_problem_text(struct rf_arena *arena, const struct json_node *problem);
/* Seconds of a Retry-After (RFC 9110, 10.2.3), a number or a date; 0: it is none. At most a day. */
int64_t acme_retry_after(rf_str value, int64_t now);

/* ---- challenges --------------------------------------------------------------------------------------------------------- */

struct vault_acme; /* vaults->acme: what is answered at the moment */
RF_MUST_USE enum rf_kind vault_acme_new(const struct vaults_options *options,
                                        struct vault_acme **out, struct rf_err *err);
void vault_acme_free(struct vault_acme *acme);
struct egress *vault_acme_egress(struct vault_acme *acme);
/* For an hour: at "/.well-known/acme-challenge/TOKEN" this text stands, and who asks for `name` by "acme-tls/1" gets its digest. */
RF_MUST_USE enum rf_kind vault_acme_expose(struct vault_acme *acme, rf_str name, rf_str token,
                                           rf_str authorization, struct rf_err *err);

/* ---- orders ------------------------------------------------------------------------------------------------------------- */

/* Goes on with the operation of an item that vault_cert_open and vault_cert_pending_load read, as far as it comes; stores what it did and, in the item's
 * `due`, when to go on. Errors are final but those of vault_retry. */
RF_MUST_USE enum rf_kind vault_acme_step(struct vault_call *call, struct cert_making *making,
                                         struct rf_err *err);
/* Whether an operation that was cancelled or failed left records with a hook; has them removed. */
bool vault_acme_leaves(const struct vault_item *item);
RF_MUST_USE enum rf_kind vault_acme_clean(struct vault_call *call, struct vault_item *item,
                                          struct rf_err *err);
/* When the operation goes on; 0: it is none of ACME, or has ended. */
int64_t vault_acme_next(const struct vault_item *item);
/* The names of a policy as an order has them, and the alternative names that its request must have. RF_INVALID AcmeError. */
struct acme_names {
    rf_str names[ACME_NAMES_MAX];
    uint32_t count;
};
RF_MUST_USE enum rf_kind acme_names_of(const struct cert_policy *policy, struct rf_arena *arena,
                                       struct acme_names *out, struct rf_err *err);

#endif
