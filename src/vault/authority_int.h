/* authority_int.h - what the files of the authority behind issuers of provider Ringfort-CA share.
 *
 * "ca" of an issuer (certificates_issuers.c): {"item" (hex), "key","sealed","cer" (base64),"x5t","responder"} of the root, and "issuing", the intermediates in
 * the order in which they were made: [{"number" (from 1 on),"item","key","sealed","cer","x5t","begins","ends","revoked","full","responder"}].
 * "responder": {"item","key","sealed","cer","x5t"}, what signs OCSP answers. The root of an issuer that was made before there were intermediates has
 * path length 0 and issues by itself. Numbers tell the authorities of an issuer apart; the root is 0. */
#ifndef RF_VAULT_AUTHORITY_INT_H
#define RF_VAULT_AUTHORITY_INT_H

#include "vault/authority.h"
#include "vault/certificates_int.h"

enum {
    AUTHORITY_ISSUING_MAX = 32,   /* intermediates that an issuer keeps */
    AUTHORITY_REVOKED_FULL = 400, /* at so many a new intermediate takes over */
    AUTHORITY_REVOKED_MAX =
        800, /* of one intermediate: a CRL must fit into a message to the keeper */
    AUTHORITY_ID_CHARS = 2 * SEAL_ID_BYTES
};

/* A key that signs, and its certificate. */
struct authority_signer {
    uint32_t number;
    struct seal_ring ring;
    rf_str sealed, der;
    int64_t not_before, not_after;
    struct json_node *node;
};
struct authority {
    rf_str name; /* of the issuer, as it was first written */
    rf_str
        id; /* hex of the root's item: tells issuers of one name that came after each other apart */
    struct json_node *node; /* of the issuer */
    uint64_t etag;
    struct authority_signer root, issuing; /* issuing: what signs now; may be the root itself */
};

/* ---- authorities (authority_ca.c) ----------------------------------------------------------------------------------------- */

/* A call of the program itself. RF_NOT_FOUND VaultNotFound. */
RF_MUST_USE enum rf_kind authority_call(struct vaults *vaults, rf_str vault, struct rf_arena *arena,
                                        struct vault_call *out, struct rf_err *err);
/* The node of an issuer of our provider. RF_NOT_FOUND IssuerNotFound. */
RF_MUST_USE enum rf_kind authority_node(struct vault_call *call, rf_str name,
                                        struct json_node **out, uint64_t *etag, struct rf_err *err);
/* With root and intermediate made when there is none yet, or it is time for a new one. Within vault_retry. */
RF_MUST_USE enum rf_kind authority_open(struct vault_call *call, rf_str name, struct authority *out,
                                        struct rf_err *err);
/* As it is, with nothing made; `issuing` is the root when there is no intermediate. RF_NOT_FOUND IssuerNotFound, too, when it has no root yet. */
RF_MUST_USE enum rf_kind authority_load(struct vault_call *call, rf_str name, struct authority *out,
                                        struct rf_err *err);
/* One of its authorities by number. RF_NOT_FOUND AuthorityNotFound. */
RF_MUST_USE enum rf_kind authority_signer(struct vault_call *call,
                                          const struct authority *authority, uint32_t number,
                                          struct authority_signer *out, struct rf_err *err);
/* The highest number. */
uint32_t authority_last(const struct authority *authority);
/* The responder of an authority, made when there is none or its end is near. Within vault_retry. */
RF_MUST_USE enum rf_kind authority_responder(struct vault_call *call, struct authority *authority,
                                             const struct authority_signer *signer,
                                             struct authority_signer *out, struct rf_err *err);
/* Destroys what is sealed beside the issuer, but for its password. */
RF_MUST_USE enum rf_kind authority_destroy(struct vault_call *call, const struct json_node *issuer,
                                           struct rf_err *err);
/* Adds "ca" as everybody may see it. */
bool authority_show(struct rf_arena *arena, const struct json_node *issuer, struct json_node *out);
/* "https://host/pki/VAULT/ISSUER" + `rest`; ptr NULL on lack of memory. */
rf_str authority_url(struct vault_call *call, rf_str issuer, const char *rest);
/* What a new certificate of this authority names: CRL, OCSP, the authority's certificate. */
RF_MUST_USE enum rf_kind authority_set_urls(struct vault_call *call, rf_str issuer, uint32_t number,
                                            struct cert_build *build, struct rf_err *err);
/* 404 IssuerNotFound. */
enum rf_kind authority_none(struct vault_call *call, rf_str name, struct rf_err *err);

/* ---- the register (authority_register.c) ---------------------------------------------------------------------------------- */

/* Space "vault.issued", key "GUID/AUTHORITY/END/SERIAL", END 16 hex digits: ended ones stand in front. Indexes: "serial" = "GUID/AUTHORITY/SERIAL"; of revoked ones "state" =
 * "GUID/AUTHORITY/revoked" and "revoked" = "GUID/AUTHORITY/NUMBER" of who signed. Body: {"serial","signer","authority","subject","names","by","created","begins","ends","revoked","reason","der"}. */
struct authority_entry {
    struct authority_record record;
    uint32_t signer;    /* number of the authority that signed it */
    uint32_t authority; /* of an intermediate: its own; else 0 */
    struct json_node *node;
    rf_str key;
    uint64_t etag;
};
/* Drops some that ended a while ago, and adds this one. */
RF_MUST_USE enum rf_kind authority_register(struct vault_call *call,
                                            const struct authority *authority, uint32_t signer,
                                            uint32_t number, rf_str by, rf_str der,
                                            struct rf_err *err);
/* RF_NOT_FOUND CertificateNotFound. */
RF_MUST_USE enum rf_kind authority_entry_find(struct vault_call *call, struct state_txn *txn,
                                              rf_str authority_id, rf_str serial,
                                              struct authority_entry *out, struct rf_err *err);
/* Those that are revoked, of one signer. */
RF_MUST_USE enum rf_kind authority_entries_revoked(struct vault_call *call, struct state_txn *txn,
                                                   rf_str authority_id, uint32_t signer,
                                                   struct authority_entry **out, uint32_t *count,
                                                   struct rf_err *err);
/* Revokes an entry and marks the CRL; once within vault_retry. */
RF_MUST_USE enum rf_kind authority_revoke_serial(struct vault_call *call, rf_str issuer,
                                                 rf_str serial, int reason,
                                                 struct authority_entry *out, struct rf_err *err);
/* In the order of their ends. */
struct authority_page {
    rf_str after; /* the end of a key, "END/SERIAL": behind that; empty: from the start */
    uint32_t limit;
    bool revoked; /* these alone */
};
RF_MUST_USE enum rf_kind authority_entries_list(struct vault_call *call, struct state_txn *txn,
                                                rf_str authority_id,
                                                const struct authority_page *page,
                                                struct authority_entry **out, uint32_t *count,
                                                bool *more, struct rf_err *err);
/* All that is kept of an issuer. */
RF_MUST_USE enum rf_kind authority_forget(struct vault_call *call, struct state_txn *txn,
                                          rf_str authority_id, struct rf_err *err);
bool authority_reason_is(int64_t reason);

/* ---- issuing (authority_issue.c) ------------------------------------------------------------------------------------------- */

/* Fills build's issuer, URLs and times, has it signed, and registers it. *chain: leaf, intermediate; `with_root`: and the root. */
RF_MUST_USE enum rf_kind authority_sign(struct vault_call *call, const struct authority *authority,
                                        struct cert_build *build, rf_str by, bool with_root,
                                        rf_str *leaf, rf_str *chain, struct rf_err *err);

/* ---- revocation lists (authority_crl.c), answers (authority_ocsp.c) ----------------------------------------------------------- */

/* Space "vault.crl", key "GUID/AUTHORITY/NUMBER": {"number","made","stale","der"}. */
struct authority_list {
    rf_str der;
    int64_t made, next; /* when the next one is due at the latest */
};
/* The list of one authority, as it stands or made anew. RF_NOT_FOUND IssuerNotFound, AuthorityNotFound. */
RF_MUST_USE enum rf_kind authority_crl(struct vault_call *call, rf_str issuer, uint32_t number,
                                       struct authority_list *out, struct rf_err *err);

enum { OCSP_ASKED_MAX = 8, OCSP_REQUEST_BYTES_MAX = 8 << 10, OCSP_NONCE_BYTES_MAX = 32 };
struct ocsp_asked {
    struct {
        bool is_sha256;                     /* else SHA-1 */
        rf_str name_hash, key_hash, serial; /* serial: lower-case hex */
        rf_str id;                          /* CertID, DER */
    } items[OCSP_ASKED_MAX];
    uint32_t count;
    rf_str nonce; /* empty: none */
};
/* Reads an OCSPRequest (RFC 6960, 4.1); all in `arena`. RF_INVALID MalformedRequest, OtherDigest: a digest that is neither of the two. A signature of the request is not looked at. */
RF_MUST_USE enum rf_kind authority_ocsp_read(rf_str der, struct rf_arena *arena,
                                             struct ocsp_asked *out, struct rf_err *err);
/* The OCSPResponse to a request, also to one that cannot be answered; *max_age: for how many seconds it may be kept, 0: not at all. Errors are of the memory and the state alone. */
RF_MUST_USE enum rf_kind authority_ocsp(struct vault_call *call, rf_str issuer, rf_str request,
                                        rf_str *out, int64_t *max_age, struct rf_err *err);
/* Settings and account keys (authority_settings.c). */
RF_MUST_USE enum rf_kind authority_read_settings(struct vault_call *call, struct json_node *node,
                                                 struct rf_err *err);
bool authority_show_settings(struct rf_arena *arena, const struct json_node *issuer,
                             struct json_node *out);
enum rf_kind authority_keys_add(struct vault_call *call, struct rf_err *err);
enum rf_kind authority_keys_list(struct vault_call *call, struct rf_err *err);
enum rf_kind authority_keys_delete(struct vault_call *call, struct rf_err *err);

/* ---- operations (authority_api.c) --------------------------------------------------------------------------------------------- */

enum rf_kind authority_api_issued(struct vault_call *call, struct rf_err *err);
enum rf_kind authority_api_revoke(struct vault_call *call, struct rf_err *err);
enum rf_kind authority_api_revoke_version(struct vault_call *call, struct rf_err *err);

#endif
