/* authority_crl.c - revocation lists (RFC 5280, 5): each authority of an issuer has its own, made when it is asked for and has changed, or is an hour old. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/encode.h"
#include "vault/authority_int.h"

enum {
    LIVES_SECONDS = 86400,
    REFRESH_SECONDS = 3600,
    KEPT_SECONDS = 2 * 86400 /* behind the end of a certificate (RFC 5280, 5.1.2.6) */
};

static enum rf_kind crypto_failed(struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not build a revocation list");
}

/* ---- building -------------------------------------------------------------------------------------------------------------- */

static bool set_reason(X509_REVOKED *revoked, int reason)
{
    if (reason == 0) return true; /* unspecified is not said (5.3.1) */
    ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();
    bool good = value != NULL && ASN1_ENUMERATED_set(value, reason) == 1 &&
                X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, value, 0, 0) == 1;
    ASN1_ENUMERATED_free(value);
    return good;
}

static bool add_entry(X509_CRL *crl, const struct authority_record *record)
{
    X509 *cert = vault_cert_parse(record->leaf);
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)record->revoked);
    bool good = cert != NULL && revoked != NULL && time != NULL &&
                X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(cert)) == 1 &&
                X509_REVOKED_set_revocationDate(revoked, time) == 1 &&
                set_reason(revoked, record->reason) && X509_CRL_add0_revoked(crl, revoked) == 1;
    if (!good) X509_REVOKED_free(revoked);
    ASN1_TIME_free(time);
    X509_free(cert);
    return good;
}

static bool set_times(X509_CRL *crl, int64_t now)
{
    ASN1_TIME *made = ASN1_TIME_set(NULL, (time_t)now),
              *next = ASN1_TIME_set(NULL, (time_t)(now + LIVES_SECONDS));
    bool good = made != NULL && next != NULL && X509_CRL_set1_lastUpdate(crl, made) == 1 &&
                X509_CRL_set1_nextUpdate(crl, next) == 1;
    ASN1_TIME_free(made);
    ASN1_TIME_free(next);
    return good;
}

static bool set_extensions(X509_CRL *crl, X509 *issuer, uint64_t number)
{
    X509V3_CTX context;
    ASN1_INTEGER *value = ASN1_INTEGER_new();
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *key =
        X509V3_EXT_nconf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    bool good = value != NULL && key != NULL && X509_CRL_add_ext(crl, key, -1) == 1 &&
                ASN1_INTEGER_set_uint64(value, number) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, value, 0, 0) == 1;
    X509_EXTENSION_free(key);
    ASN1_INTEGER_free(value);
    return good;
}

struct listing {
    const struct authority_signer *signer;
    const struct authority_entry *entries;
    uint32_t count;
    uint64_t number;
    int64_t now;
};

static bool fill(X509_CRL *crl, X509 *issuer, const struct listing *listing)
{
    bool good = X509_CRL_set_version(crl, 1) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
                set_times(crl, listing->now) && set_extensions(crl, issuer, listing->number);
    for (uint32_t i = 0; good && i < listing->count; i++)
        if (listing->entries[i].record.not_after + KEPT_SECONDS > listing->now)
            good = add_entry(crl, &listing->entries[i].record);
    return good && X509_CRL_sort(crl) == 1;
}

/* With a signature by a key that is thrown away: the keeper signs it anew. */
static enum rf_kind build(const struct listing *listing, struct rf_arena *arena, rf_str *out,
                          struct rf_err *err)
{
    X509 *issuer = vault_cert_parse(listing->signer->der);
    X509_CRL *crl = X509_CRL_new();
    EVP_PKEY *placeholder = EVP_EC_gen("P-256");
    uint8_t *der = NULL;
    bool good = issuer != NULL && crl != NULL && placeholder != NULL &&
                fill(crl, issuer, listing) && X509_CRL_sign(crl, placeholder, EVP_sha256()) > 0;
    int len = good ? i2d_X509_CRL(crl, &der) : 0;
    enum rf_kind kind = len <= 0 ? crypto_failed(err)
                        : rf_arena_str(arena, rf_str_make(der, (size_t)len), out)
                            ? RF_OK
                            : rf_fail_memory(err, arena);
    OPENSSL_free(der);
    EVP_PKEY_free(placeholder);
    X509_CRL_free(crl);
    X509_free(issuer);
    return kind;
}

/* ---- as it is kept ------------------------------------------------------------------------------------------------------------ */

struct kept {
    rf_str key;
    struct json_node *node;
    uint64_t etag; /* 0: none yet */
    int64_t number, made;
};

static enum rf_kind read_kept(struct vault_call *call, struct state_txn *txn,
                              const struct authority *authority, uint32_t number, struct kept *out,
                              struct rf_err *err)
{
    struct state_object object;
    *out = (struct kept){.number = 0};
    out->key = rf_arena_printf(call->arena, "%.*s/%.*s/%u", RF_FMT(call->place.guid),
                               RF_FMT(authority->id), number);
    if (out->key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_get(txn, vault_crl_space, out->key, call->arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, call->arena, &out->node, err));
    (void)json_i64_at(out->node, "number", &out->number);
    (void)json_i64_at(out->node, "made", &out->made);
    out->etag = object.etag;
    return RF_OK;
}

static bool is_fresh(const struct kept *kept, int64_t now)
{
    return kept->made != 0 && !json_bool_at(kept->node, "stale", false) && now >= kept->made &&
           now < kept->made + REFRESH_SECONDS;
}

static enum rf_kind store(struct vault_call *call, const struct kept *kept,
                          const struct listing *listing, rf_str der, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str text = base64_encode(arena, der);
    bool good = text.ptr != NULL &&
                json_set_i64(arena, node, "number", (int64_t)listing->number) != NULL &&
                json_set_i64(arena, node, "made", listing->now) != NULL &&
                json_set_text(arena, node, "der", text) != NULL;
    rf_str body = good ? json_to_text(arena, node) : (rf_str){0};
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = vault_crl_space,
                            .key = kept->key,
                            .body = body,
                            .condition = kept->etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = kept->etag};
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    enum rf_kind kind = state_put(txn, &put, NULL, NULL, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "the issuer was deleted meanwhile");
    RF_TRY(kind);
    return state_finish(&txn, err);
}

/* ---- giving ---------------------------------------------------------------------------------------------------------------------- */

struct wanted {
    rf_str issuer;
    uint32_t number;
    struct authority_list out;
};

/* What stands on the list, and the list before it, as of one moment. */
static enum rf_kind gather(struct vault_call *call, const struct authority *authority,
                           uint32_t number, struct kept *kept, struct authority_entry **entries,
                           uint32_t *count, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(read_kept(call, txn, authority, number, kept, err));
    if (is_fresh(kept, call->now)) return RF_OK;
    return authority_entries_revoked(call, txn, authority->id, number, entries, count, err);
}

static enum rf_kind try_list(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct wanted *wanted = ctx;
    struct authority authority;
    struct authority_signer signer;
    struct authority_entry *entries = NULL;
    uint32_t count = 0;
    struct kept kept;
    rf_str der;
    RF_TRY(authority_load(call, wanted->issuer, &authority, err));
    RF_TRY(authority_signer(call, &authority, wanted->number, &signer, err));
    RF_TRY(gather(call, &authority, wanted->number, &kept, &entries, &count, err));
    wanted->out.made = kept.made;
    wanted->out.next = kept.made + LIVES_SECONDS;
    if (is_fresh(&kept, call->now))
        return base64_decode(call->arena, json_text_at(kept.node, "der"), &wanted->out.der, err);
    struct listing listing = {.signer = &signer,
                              .entries = entries,
                              .count = count,
                              .number = (uint64_t)kept.number + 1,
                              .now = call->now};
    RF_TRY(build(&listing, call->arena, &der, err));
    if (seal_certify(call->vaults->options.keeper, (rf_str){0}, &signer.ring, signer.sealed,
                     SEAL_SIGN_CRL, signer.der, der, call->arena, &wanted->out.der, err) != RF_OK)
        return vault_seal_error(call, err);
    wanted->out.made = call->now;
    wanted->out.next = call->now + LIVES_SECONDS;
    return store(call, &kept, &listing, wanted->out.der, err);
}

enum rf_kind authority_crl(struct vault_call *call, rf_str issuer, uint32_t number,
                           struct authority_list *out, struct rf_err *err)
{
    struct wanted wanted = {.issuer = issuer, .number = number};
    RF_TRY(vault_retry(call, try_list, &wanted, err));
    *out = wanted.out;
    return RF_OK;
}
