/* acme_int.h - the parts of the ACME server: a request taken apart (call.c, jws.c, nonce.c), what is kept (store.c), the objects of the protocol (account.c,
 * order.c, authorization.c, revoke.c), and the looking for proofs (check*.c). */
#ifndef RF_ACME_INT_H
#define RF_ACME_INT_H

#include <sys/socket.h>

#include "acme/acme.h"

enum {
    ACME_BODY_BYTES_MAX = 64 << 10,
    ACME_NAMES_MAX = 100,           /* of an order */
    ACME_NAME_BYTES_MAX = 253,      /* without "*." */
    ACME_ORDER_SECONDS = 86400,     /* how long an order may stay unfinished */
    ACME_KEEP_SECONDS = 30 * 86400, /* how long it can be read */
    ACME_PENDING_MAX = 300          /* unfinished orders of an account */
};

struct acme_nonces;
struct acme_checks;
struct acme_limits;
struct acme {
    struct acme_options options;
    struct service service;
    struct acme_nonces *nonces; /* nonce.c */
    struct acme_limits *limits; /* limits.c */
    struct acme_checks *checks; /* check.c; NULL: not started */
};

/* ---- nonces (nonce.c): any thread ---------------------------------------------------------------------------------------------- */

enum { ACME_NONCE_CHARS = 32 };
RF_MUST_USE enum rf_kind acme_nonces_new(struct acme_nonces **out, struct rf_err *err);
void acme_nonces_free(struct acme_nonces *nonces);
void acme_nonce_make(struct acme_nonces *nonces, char out[ACME_NONCE_CHARS + 1]);
/* Whether it was made here, lately, and was not taken yet. */
bool acme_nonce_take(struct acme_nonces *nonces, rf_str text);

/* ---- how often an address may do what costs (limits.c): any thread ------------------------------------------------------------- */

RF_MUST_USE enum rf_kind acme_limits_new(struct acme_limits **out, struct rf_err *err);
void acme_limits_free(struct acme_limits *limits);
/* Counts one new account of an address; false when it has made too many within three hours. */
bool acme_limits_account(struct acme_limits *limits, rf_str address, int64_t now);

/* ---- signed requests (jws.c) --------------------------------------------------------------------------------------------------- */

struct acme_jws {
    rf_str alg, nonce, url, kid; /* kid empty: there is a jwk */
    const struct json_node *jwk; /* NULL: there is a kid */
    rf_str payload, signed_part, signature;
};
/* Flattened JSON (RFC 7515, 7.2.2) as RFC 8555, 6.2 narrows it. Views of `arena`. RF_INVALID with ACME's error as code (malformed, badSignatureAlgorithm). `is_mac`: of an external
 * account, which has "kid" and HS256 and no nonce. `is_inner`: of a change of keys, without a nonce. */
enum acme_jws_use { ACME_JWS_REQUEST, ACME_JWS_MAC, ACME_JWS_INNER };
RF_MUST_USE enum rf_kind acme_jws_read(const struct json_node *object, enum acme_jws_use use,
                                       struct rf_arena *arena, struct acme_jws *out,
                                       struct rf_err *err);
/* RF_INVALID badPublicKey, malformed (the signature is none of this key). */
RF_MUST_USE enum rf_kind acme_jws_check(const struct acme_jws *jws, const struct json_node *jwk,
                                        struct rf_err *err);
/* Whether the key of this certificate (DER) has made the signature. */
bool acme_jws_is_by(const struct acme_jws *jws, rf_str cert);
/* HS256. */
bool acme_jws_check_mac(const struct acme_jws *jws, rf_str key);
/* Of a JWK: base64url of SHA-256 over its needed members (RFC 7638). RF_INVALID badPublicKey; *needed: a JWK of these members alone, NULL is fine. */
RF_MUST_USE enum rf_kind acme_thumbprint(const struct json_node *jwk, struct rf_arena *arena,
                                         rf_str *out, struct json_node **needed,
                                         struct rf_err *err);

/* ---- names (name.c) ------------------------------------------------------------------------------------------------------------ */

/* A DNS name in lower case, in `arena`; a "*." in front is cut off and told. *why: what is wrong with it. */
bool acme_name_read(rf_str text, struct rf_arena *arena, rf_str *name, bool *wildcard,
                    const char **why);
/* Whether a list of names, each with "*." in front or not, lets this one be asked for: "*.a" means all below a, and the wildcards there. */
bool acme_name_allowed(const struct json_node *allowed, rf_str name, bool wildcard);

/* ---- what is asked to be signed (csr.c) ------------------------------------------------------------------------------------------ */

struct acme_csr {
    rf_str public_key; /* SubjectPublicKeyInfo */
    rf_str *names;     /* lower case, "*." kept; each once; the common name among them */
    uint32_t name_count;
};
/* PKCS #10, signed by its own key. RF_INVALID badCSR. */
RF_MUST_USE enum rf_kind acme_csr_read(rf_str der, struct rf_arena *arena, struct acme_csr *out,
                                       struct rf_err *err);

/* ---- what is kept (store.c) --------------------------------------------------------------------------------------------------------
 *
 *   acme.account  "ID/ACCOUNT"   {"status","contact","jwk","eab","created"}   index "key" = "ID/THUMBPRINT"
 *   acme.order    "ORDER"        below                                        indexes "account" = "ID/ACCOUNT", "work" = "1": a proof is to be looked for
 *
 * ID is authority_settings'; ORDER begins with the time, so that old ones stand in front. An order has its authorizations in it:
 *   {"id" (ID),"vault","issuer","account","status","created","expires","notBefore","notAfter","error","serial","chain" (base64),
 *    "authorizations":[{"name","wildcard","status","token","type","validated","error"}]}
 * "type": the challenge that the client has answered; absent: none yet. */

struct acme_account {
    rf_str id;     /* of the path */
    rf_str status; /* "valid", "deactivated", "revoked" */
    rf_str thumbprint;
    struct json_node *node;
};
rf_str acme_random_id(struct rf_arena *arena); /* ptr NULL on lack of memory */
/* RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind acme_account_get(struct acme *acme, rf_str authority, rf_str account,
                                          struct rf_arena *arena, struct acme_account *out,
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind acme_account_of_key(struct acme *acme, rf_str authority, rf_str thumbprint,
                                             struct rf_arena *arena, struct acme_account *out,
                                             struct rf_err *err);
/* A new one, unless its key has one: RF_CONFLICT AccountExists then. */
RF_MUST_USE enum rf_kind acme_account_add(struct acme *acme, rf_str authority,
                                          const struct acme_account *account,
                                          struct rf_arena *arena, struct rf_err *err);
/* Replaces it, with another key too. RF_CONFLICT AccountExists when that key is another's. */
RF_MUST_USE enum rf_kind acme_account_put(struct acme *acme, rf_str authority,
                                          const struct acme_account *account,
                                          struct rf_arena *arena, struct rf_err *err);

/* RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind acme_order_get(struct acme *acme, rf_str order, struct rf_arena *arena,
                                        struct json_node **out, struct rf_err *err);
/* Also drops some that nobody can read any more. */
RF_MUST_USE enum rf_kind acme_order_add(struct acme *acme, rf_str order,
                                        const struct json_node *node, struct rf_arena *arena,
                                        struct rf_err *err);
/* In one write transaction: the order as it is now, `change` on it, and back. What `change` returns other than RF_OK is returned, and nothing is written. */
typedef enum rf_kind acme_order_edit(void *ctx, struct json_node *order, struct rf_arena *arena,
                                     struct rf_err *err);
RF_MUST_USE enum rf_kind acme_order_change(struct acme *acme, rf_str order, acme_order_edit *change,
                                           void *ctx, struct rf_arena *arena,
                                           struct json_node **out, struct rf_err *err);
/* Ids of orders in `arena`: of an account (behind `after`; *more), or those with a proof to be looked for (account empty). */
RF_MUST_USE enum rf_kind acme_order_list(struct acme *acme, rf_str authority, rf_str account,
                                         rf_str after, uint32_t limit, struct rf_arena *arena,
                                         struct state_list *out, struct rf_err *err);

/* ---- one request (call.c) ------------------------------------------------------------------------------------------------------------ */

struct acme_call {
    struct acme *acme;
    struct request *request;
    struct rf_arena *arena;
    rf_str vault, issuer;             /* of the path */
    rf_str authority;                 /* ID */
    const struct json_node *settings; /* the issuer's "acme"; enabled */
    rf_str base;                      /* "https://HOST/acme/VAULT/ISSUER" */
    int64_t now;
    /* Of a signed request: */
    struct acme_jws jws;
    struct json_node *payload;   /* an object; NULL: it is empty ("POST-as-GET") */
    struct acme_account account; /* of its kid; id empty: it has a jwk */
    struct json_node *jwk;       /* of its jwk, the needed members; else NULL */
    rf_str thumbprint;           /* of the key that signed */
};
enum acme_signer { ACME_ACCOUNT, ACME_KEY, ACME_EITHER };
typedef enum rf_kind acme_handler(struct acme_call *call, struct rf_err *err);
/* Takes the request apart, checks who signed it, and runs `handler`; the answer has a nonce and the index. */
enum rf_kind acme_run_signed(struct request *request, enum acme_signer signer,
                             acme_handler *handler, struct rf_err *err);
/* For requests that nobody signs. */
enum rf_kind acme_run_open(struct request *request, acme_handler *handler, struct rf_err *err);
/* An error of the protocol; `type` without its urn, static. */
enum rf_kind acme_fail(struct acme_call *call, struct rf_err *err, uint16_t status,
                       const char *type, const char *fmt, ...) RF_PRINTF(5, 6);
/* service.error: problem documents (RFC 7807). */
void acme_error(struct request *request, uint16_t status, const struct rf_err *err);
/* Sets Location and answers. */
enum rf_kind acme_answer(struct acme_call *call, uint16_t status, rf_str location,
                         const struct json_node *body, struct rf_err *err);
rf_str acme_url(struct acme_call *call, const char *kind, rf_str id);
/* Text of seconds since 1970 as RFC 3339; ptr NULL on lack of memory. */
rf_str acme_time(struct rf_arena *arena, int64_t seconds);

/* ---- handlers -------------------------------------------------------------------------------------------------------------------- */

acme_handler acme_directory, acme_new_nonce, acme_new_account, acme_account, acme_account_orders,
    acme_key_change, acme_new_order, acme_order, acme_finalize, acme_certificate,
    acme_authorization, acme_challenge, acme_revoke;

/* An order of the account that asks; 404 and 403 as ACME has them. */
RF_MUST_USE enum rf_kind acme_order_mine(struct acme_call *call, rf_str order,
                                         struct json_node **out, struct rf_err *err);
/* The n-th authorization; NULL: there is none. */
struct json_node *acme_order_authorization(const struct json_node *order, uint32_t n);
/* What the order's state is by its authorizations and the time: "pending", "ready", "valid", "invalid". */
const char *acme_order_status(const struct json_node *order, int64_t now);
/* The same of an authorization: "pending", "valid", "invalid", "expired", "deactivated". */
const char *acme_authorization_status(const struct json_node *order,
                                      const struct json_node *authorization, int64_t now);

/* ---- looking for proofs (check.c) -------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind acme_checks_start(struct acme *acme, struct rf_err *err);
void acme_checks_stop(struct acme *acme);
/* To be looked at now; what does not fit into the queue is found in the state later. */
void acme_checks_add(struct acme *acme, rf_str order, uint32_t n);

struct acme_check {
    const struct acme_network *network;
    struct rf_arena *arena;
    rf_str name;  /* lower case, without "*." */
    rf_str token; /* of the challenge */
    rf_str key_authorization;
};
/* RF_OK: the proof is there. Else ACME's error as code (dns, connection, tls, unauthorized, incorrectResponse) and a text for the client; kind RF_AGAIN: trying once more may help. */
RF_MUST_USE enum rf_kind acme_check_http(const struct acme_check *check, struct rf_err *err);
RF_MUST_USE enum rf_kind acme_check_tls(const struct acme_check *check, struct rf_err *err);
RF_MUST_USE enum rf_kind acme_check_dns(const struct acme_check *check, struct rf_err *err);

/* ---- names to addresses (resolve.c) ------------------------------------------------------------------------------------------------ */

enum { ACME_ADDRESSES_MAX = 4 };
struct acme_addresses {
    uint32_t count;
    char text[ACME_ADDRESSES_MAX][64];
};
/* Those that may be asked. RF_AGAIN dns; RF_DENIED dns: it has none but such as are not asked. */
RF_MUST_USE enum rf_kind acme_resolve(const struct acme_network *network, rf_str host,
                                      struct acme_addresses *out, struct rf_err *err);
/* TXT records of a name, joined texts, at most 64. RF_AGAIN dns. */
struct acme_texts {
    rf_str items[64];
    uint32_t count;
};
RF_MUST_USE enum rf_kind acme_resolve_texts(const struct acme_network *network, rf_str name,
                                            struct rf_arena *arena, struct acme_texts *out,
                                            struct rf_err *err);
/* Whether an address may be asked for a proof. */
bool acme_address_allowed(const struct acme_network *network, const struct sockaddr *address);

#endif
