/* certificates_int.h - what the files of the certificates share.
 *
 * Three items of one name, whose versions share their ids: the certificate (nothing sealed), the managed key, the managed secret. `more` of the
 * certificate's item: "policy" as it is shown, without id; "pending", the operation (certificates_pending.c); "first", the id of a version that was never
 * finished; "told", what was published of the latest version. `more` of its versions: "cer" (base64), "x5t", "subject", "chain" (base64 of DER, those
 * behind the leaf; absent: none). */
#ifndef RF_VAULT_CERTIFICATES_INT_H
#define RF_VAULT_CERTIFICATES_INT_H

#include <openssl/x509v3.h>

#include "vault/store_int.h"

enum {
    CERT_CHAIN_MAX = 16, /* certificates in a secret, as the keeper takes them */
    CERT_ACTIONS_MAX = 2,
    CERT_NAMES_MAX = 100, /* of each sort of alternative names */
    CERT_SUBJECT_BYTES_MAX = 4096,
    CERT_BACKDATE_SECONDS = 600,
    CERT_USAGES = 9,
    CERT_EKUS_MAX = 50,
    CERT_MONTHS_MAX = 1200
};

/* ---- policies (certificates_policy.c) ------------------------------------------------------------------------------------- */

struct cert_action {
    bool renews;                     /* AutoRenew, else EmailContacts */
    int64_t percentage, days_before; /* one of them is 0 */
};
struct cert_policy { /* views of its JSON */
    enum seal_material material;
    uint32_t bits; /* RSA; else 0 */
    bool exportable, reuse_key, is_ca;
    enum seal_format format;
    rf_str subject, issuer;
    const struct json_node *sans, *ekus; /* an object, an array of texts */
    unsigned usage;                      /* bit n: bit n of KeyUsage (RFC 5280, 4.2.1.3) */
    int64_t months;
    struct cert_action actions[CERT_ACTIONS_MAX];
    uint32_t action_count;
};
/* `given` over `base` (NULL: the defaults), checked and made whole: contract 6.1. 400 BadParameter. `parsed` may be NULL. */
RF_MUST_USE enum rf_kind vault_cert_policy_read(struct vault_call *call,
                                                const struct json_node *given,
                                                const struct json_node *base,
                                                struct json_node **out, struct cert_policy *parsed,
                                                struct rf_err *err);
/* Of a policy that is stored. */
RF_MUST_USE enum rf_kind vault_cert_policy_of(struct vault_call *call,
                                              const struct json_node *stored,
                                              struct cert_policy *out, struct rf_err *err);
/* As it is shown, with its id; NULL on lack of memory. */
struct json_node *vault_cert_policy_show(struct vault_call *call, const struct vault_item *item);
/* The policy that a certificate which is imported has: for vault_cert_policy_read, as the base. NULL on lack of memory. */
struct json_node *vault_cert_policy_derive(struct rf_arena *arena, X509 *cert,
                                           enum seal_material material, uint32_t bits,
                                           enum seal_format format);
/* Words of KeyUsage, bit by bit. */
extern const char *const vault_cert_usages[CERT_USAGES];
/* Operations of a key whose certificate has this usage. */
unsigned vault_cert_ops(const struct cert_policy *policy);
bool vault_cert_is_self(const struct cert_policy *policy);
bool vault_cert_is_unknown(const struct cert_policy *policy);
/* Words of the API for a key: "RSA", "P-256" (NULL: RSA). */
const char *vault_cert_curve(enum seal_material material);

/* ---- X.509 (certificates_x509.c, certificates_subject.c) ----------------------------------------------------------------------- */

/* A subject as text (RFC 4514, quotes too): the last part comes first in X.509. *why: what is wrong. The caller frees *out. */
bool vault_cert_subject(rf_str text, X509_NAME **out, const char **why);
/* The way back; ptr NULL on lack of memory. */
rf_str vault_cert_subject_text(struct rf_arena *arena, const X509_NAME *name);
/* The alternative names of a policy; NULL when there are none (*why NULL), or one is wrong. */
GENERAL_NAMES *vault_cert_sans(const struct json_node *sans, const char **why);
/* "1.3.6.1.5.5.7.3.1": at least two numbers. */
bool vault_cert_is_oid(rf_str text);

struct cert_build {
    const struct cert_policy *policy;
    rf_str public_key; /* SubjectPublicKeyInfo */
    rf_str issuer;     /* DER; empty: itself */
    bool is_authority;
    int path_length;                      /* of an authority */
    bool is_responder;                    /* RFC 6960, 4.2.2.2.1: is itself not looked up */
    rf_str crl_url, ocsp_url, issuer_url; /* empty: none */
    int64_t not_before, not_after;
};
/* not_before: ten minutes ago; not_after: as many months later. */
void vault_cert_times(const struct cert_policy *policy, int64_t now, int64_t *not_before,
                      int64_t *not_after);
/* A whole certificate or request whose signature is of no account: for seal_certify. RF_INVALID BadParameter. */
RF_MUST_USE enum rf_kind vault_cert_build(const struct cert_build *build, struct rf_arena *arena,
                                          rf_str *der, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_cert_request(const struct cert_policy *policy, rf_str public_key,
                                            struct rf_arena *arena, rf_str *der,
                                            struct rf_err *err);
/* What a certificate says; all in `arena`. RF_INVALID BadParameter. */
struct cert_facts {
    rf_str der, cer, x5t, subject, public_key,
        serial; /* cer: base64; x5t: base64url; serial: hex */
    int64_t not_before, not_after;
};
RF_MUST_USE enum rf_kind vault_cert_facts(rf_str der, struct rf_arena *arena,
                                          struct cert_facts *out, struct rf_err *err);
/* The whole of `der`, or NULL. */
X509 *vault_cert_parse(rf_str der);
/* DER of the certificates one behind another, leaf (the one with this key, SubjectPublicKeyInfo) first; `keep_order`: the others as they are, else each behind whom it issued. */
RF_MUST_USE enum rf_kind vault_cert_chain(STACK_OF(X509) * certs, rf_str public_key,
                                          bool keep_order, struct rf_arena *arena, rf_str *chain,
                                          rf_str *leaf, struct rf_err *err);
/* Members of a public key as the key's `more` has them (JWK); NULL on lack of memory, or when it is none. */
struct json_node *vault_cert_jwk(struct rf_arena *arena, rf_str public_key);
enum rf_kind vault_cert_bad(struct rf_err *err, const char *fmt, ...) RF_PRINTF(2, 3);

/* ---- a version in the making (certificates_make.c) -------------------------------------------------------------------------------- */

struct cert_making {
    struct vault_item cert, key, secret;
    struct json_node *policy_node;
    struct cert_policy policy;
    struct vault_version
        version; /* of the certificate; what it shares with the others is taken from it */
    rf_str key_sealed, key_public;
    rf_str chain, leaf; /* DER */
};
/* The three items of call->name, to be written to: 409 when one is deleted, or key or secret are somebody's own. */
RF_MUST_USE enum rf_kind vault_cert_open(struct vault_call *call, struct state_txn *txn,
                                         struct cert_making *out, struct rf_err *err);
/* The key: that of the latest version if the policy has it so, else a new one. */
RF_MUST_USE enum rf_kind vault_cert_make_key(struct vault_call *call, struct cert_making *making,
                                             struct rf_err *err);
/* A request for the key, signed by it. */
RF_MUST_USE enum rf_kind vault_cert_make_request(struct vault_call *call,
                                                 struct cert_making *making, rf_str *der,
                                                 struct rf_err *err);
/* Seals the secret, and stores all three in one transaction. The item's `more` is as the caller has set it. */
RF_MUST_USE enum rf_kind vault_cert_store(struct vault_call *call, struct cert_making *making,
                                          struct rf_err *err);

/* ---- showing (certificates.c) ------------------------------------------------------------------------------------------------------ */

/* With status `status` and what the audit row says. */
enum rf_kind vault_cert_answer(struct vault_call *call, uint16_t status,
                               const struct vault_item *item, const struct vault_version *version,
                               struct rf_err *err);
vault_show vault_cert_show;
RF_MUST_USE enum rf_kind vault_cert_need(struct vault_call *call, struct state_txn *txn,
                                         struct vault_item *out, struct rf_err *err);
/* The member of the item's `more`, NULL: none. */
struct json_node *vault_cert_more(const struct vault_item *item, const char *name);
/* Sets or (value NULL) removes it. False on lack of memory. */
bool vault_cert_set_more(struct vault_call *call, struct vault_item *item, const char *name,
                         struct json_node *value);

/* ---- operations (certificates_pending.c, certificates_merge.c) --------------------------------------------------------------------- */

enum rf_kind vault_cert_create(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_pending_get(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_pending_change(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_pending_delete(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_merge(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_cert_import(struct vault_call *call, struct rf_err *err);
bool vault_cert_in_progress(const struct json_node *pending);
/* In progress, and neither for a merge nor for anybody else to go on with. */
bool vault_cert_waits_for_us(const struct json_node *pending);
/* The certificate's item, if nobody has changed it meanwhile: RF_CONFLICT EtagMismatch. */
RF_MUST_USE enum rf_kind vault_cert_put(struct vault_call *call, struct vault_item *item,
                                        struct rf_err *err);
/* The key of the making into the operation: vault_cert_pending_load reads it. */
RF_MUST_USE enum rf_kind vault_cert_keep_key(struct vault_call *call,
                                             const struct cert_making *making,
                                             struct json_node *pending, struct rf_err *err);
/* A new operation for a version; NULL on lack of memory. */
struct json_node *vault_cert_pending_new(struct vault_call *call,
                                         const struct vault_version *version, rf_str issuer);
/* Finishes an operation that waits for nobody outside; `item` is then as it is stored. */
RF_MUST_USE enum rf_kind vault_cert_finish(struct vault_call *call, struct vault_item *item,
                                           struct rf_err *err);
/* Reads key and version out of the operation. */
RF_MUST_USE enum rf_kind vault_cert_pending_load(struct vault_call *call,
                                                 struct cert_making *making, struct rf_err *err);
/* When the latest version of the item is to be looked at; 0: never. */
int64_t vault_cert_next_due(const struct cert_policy *policy, const struct vault_version *version,
                            const struct json_node *told, int64_t now);
/* The moment of an action. */
int64_t vault_cert_action_time(const struct cert_action *action,
                               const struct vault_version *version);

/* Takes "vault://VAULT/NAME" apart; views. False: it is none. */
bool vault_label_read(rf_str label, rf_str *vault, rf_str *name);

/* ---- listeners (listener.c) -------------------------------------------------------------------------------------- */

enum rf_kind vault_listener_show(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_listener_bind(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_listener_unbind(struct vault_call *call, struct rf_err *err);

/* ---- issuers, contacts (certificates_issuers.c) ------------------------------------------------------------------ */

enum cert_issuer { CERT_ISSUER_NONE, CERT_ISSUER_RINGFORT, CERT_ISSUER_ACME, CERT_ISSUER_OTHER };
/* What a configured issuer is. */
RF_MUST_USE enum rf_kind vault_cert_issuer_find(struct vault_call *call, rf_str name,
                                                enum cert_issuer *out, bool *enabled,
                                                struct rf_err *err);
/* Issues for making->key_public by an issuer of provider Ringfort-CA (authority_issue.c). */
RF_MUST_USE enum rf_kind vault_cert_issue(struct vault_call *call, struct cert_making *making,
                                          struct rf_err *err);
enum rf_kind vault_issuer_put(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_issuer_change(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_issuer_get(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_issuer_delete(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_issuer_list(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_contacts_put(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_contacts_get(struct vault_call *call, struct rf_err *err);
enum rf_kind vault_contacts_delete(struct vault_call *call, struct rf_err *err);
/* The node of an issuer; RF_NOT_FOUND without a text. *etag may be NULL. */
RF_MUST_USE enum rf_kind vault_issuer_load(struct vault_call *call, struct state_txn *txn,
                                           rf_str name, struct json_node **out, uint64_t *etag,
                                           struct rf_err *err);
/* Stored only if it is as it was read (*etag; 0: absent), else RF_CONFLICT. *etag becomes the new one. */
RF_MUST_USE enum rf_kind vault_issuer_store(struct vault_call *call, struct state_txn *txn,
                                            rf_str name, const struct json_node *node,
                                            uint64_t *etag, struct rf_err *err);

/* ---- what is imported (certificates_read.c) ------------------------------------------------------------------------------------------ */

struct cert_import {
    rf_str key; /* PKCS #8; the caller wipes it */
    STACK_OF(X509) * certs;
    enum seal_format format;
};
/* `value`: a PFX (standard base64) or PEM, by its content; `password` may be empty. RF_INVALID BadParameter. On success the caller frees certs. */
RF_MUST_USE enum rf_kind vault_cert_read(rf_str value, rf_str password, struct rf_arena *arena,
                                         struct cert_import *out, struct rf_err *err);
void vault_cert_import_done(struct cert_import *import);
/* PEM alone, PFX (DER) alone; for the fuzz targets. */
RF_MUST_USE enum rf_kind vault_cert_read_pem(rf_str text, struct rf_arena *arena,
                                             struct cert_import *out, struct rf_err *err);
RF_MUST_USE enum rf_kind vault_cert_read_pfx(rf_str der, rf_str password, struct rf_arena *arena,
                                             struct cert_import *out, struct rf_err *err);
/* A PKCS #8 key's material; false for one that no vault takes. *public_key: SubjectPublicKeyInfo. */
bool vault_cert_key_kind(rf_str pkcs8, struct rf_arena *arena, enum seal_material *material,
                         uint32_t *bits, rf_str *public_key);

#endif
