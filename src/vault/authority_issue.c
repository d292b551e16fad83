/* authority_issue.c - certificates by an issuer's authority: for vaults' own, and for whoever calls authority_issue. */
#include <openssl/err.h>

#include "base/encode.h"
#include "vault/authority_int.h"

enum {
    USAGE_SIGN = 1,
    USAGE_ENCIPHER = 1 << 2,
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 4096,
    BY_BYTES_MAX = 200
};
#define SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

/* ---- by an authority ------------------------------------------------------------------------------------------------------- */

static int64_t months_from(int64_t now, int64_t months)
{
    struct cert_policy policy = {.months = months};
    int64_t begins, ends;
    vault_cert_times(&policy, now, &begins, &ends);
    return ends;
}

/* Not before the authority itself, not after it, and not longer than the issuer's settings have it. */
static void cut_times(struct vault_call *call, const struct authority *authority,
                      struct cert_build *build)
{
    const struct authority_signer *signer = &authority->issuing;
    int64_t months;
    build->not_before = RF_MAX(build->not_before, signer->not_before);
    build->not_after = RF_MIN(build->not_after, signer->not_after);
    if (json_i64_at(authority->node, "caSettings.validityMonthsMax", &months))
        build->not_after = RF_MIN(build->not_after, months_from(call->now, months));
}

enum rf_kind authority_sign(struct vault_call *call, const struct authority *authority,
                            struct cert_build *build, rf_str by, bool with_root, rf_str *leaf,
                            rf_str *chain, struct rf_err *err)
{
    const struct authority_signer *signer = &authority->issuing;
    rf_str der;
    cut_times(call, authority, build);
    if (build->not_after <= build->not_before)
        return vault_cert_bad(err,
                              "A certificate by the issuer '%.*s' would end before it begins: its "
                              "times lie outside of the authority's.",
                              RF_FMT(authority->name));
    build->issuer = signer->der;
    RF_TRY(authority_set_urls(call, authority->name, signer->number, build, err));
    RF_TRY(vault_cert_build(build, call->arena, &der, err));
    if (seal_certify(call->vaults->options.keeper, call->token, &signer->ring, signer->sealed,
                     SEAL_SIGN_ISSUE, signer->der, der, call->arena, leaf, err) != RF_OK)
        return vault_seal_error(call, err);
    RF_TRY(authority_register(call, authority, signer->number, 0, by, *leaf, err));
    struct rf_buf all = rf_buf_in(call->arena);
    rf_buf_str(&all, *leaf);
    if (signer->number != 0) rf_buf_str(&all, signer->der);
    if (with_root) rf_buf_str(&all, authority->root.der);
    if (all.failed) return rf_fail_memory(err, call->arena);
    *chain = rf_buf_view(&all);
    return RF_OK;
}

/* A vault's own certificate: its secret has the root too. */
enum rf_kind vault_cert_issue(struct vault_call *call, struct cert_making *making,
                              struct rf_err *err)
{
    struct authority authority;
    struct cert_build build = {.policy = &making->policy,
                               .public_key = making->key_public,
                               .not_before = making->version.not_before,
                               .not_after = making->version.expires};
    rf_str by = rf_arena_printf(call->arena, "certificates/%.*s/%.*s", RF_FMT(making->cert.name),
                                RF_FMT(making->version.version));
    if (by.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(authority_open(call, making->policy.issuer, &authority, err));
    return authority_sign(call, &authority, &build, by, true, &making->leaf, &making->chain, err);
}

/* ---- for others ----------------------------------------------------------------------------------------------------------- */

/* Kinds of keys that are good enough; *is_rsa: they may encipher too. */
static bool is_good_key(rf_str der, bool *is_rsa)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    const uint8_t *at = der.ptr;
    char group[80];
    size_t len;
    bool good = false;
    EVP_PKEY *key = der.len == 0 || der.len > 4096 ? NULL : d2i_PUBKEY(NULL, &at, (long)der.len);
    bool whole = key != NULL && at == der.ptr + der.len;
    *is_rsa = whole && EVP_PKEY_is_a(key, "RSA");
    if (*is_rsa)
        good = EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
    else if (whole && EVP_PKEY_is_a(key, "ED25519"))
        good = true;
    else if (whole && EVP_PKEY_is_a(key, "EC") &&
             EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1)
        for (size_t i = 0; i < RF_COUNT(curves); i++) good |= strcmp(group, curves[i]) == 0;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

static bool add_texts(struct rf_arena *arena, struct json_node *sans, const char *member,
                      const rf_str *texts, uint32_t count)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < count; i++)
        if (json_append(list, json_new_text(arena, texts[i])) == NULL) return false;
    return count == 0 || json_set(arena, sans, rf_str_of(member), list) != NULL;
}

/* A host name with at most one "*." in front. */
static enum rf_kind check_names(const struct authority_wanted *wanted, struct rf_err *err)
{
    if (wanted->dns_count > AUTHORITY_NAMES_MAX || wanted->address_count > AUTHORITY_NAMES_MAX)
        return vault_cert_bad(err, "A certificate has at most %d names of a sort.",
                              AUTHORITY_NAMES_MAX);
    for (uint32_t i = 0; i < wanted->dns_count; i++) {
        rf_str name = wanted->dns[i];
        size_t from = rf_str_starts(name, RF_S("*.")) ? 2 : 0;
        if (name.len == from || name.len > 253 ||
            rf_str_find(rf_slice(name, from, name.len), RF_S("*"), 0) != SIZE_MAX)
            return vault_cert_bad(err, "'%.*s' is no host name.", (int)RF_MIN(name.len, 100),
                                  (const char *)name.ptr);
    }
    if (wanted->dns_count + wanted->address_count + wanted->subject.len == 0)
        return vault_cert_bad(err, "A certificate needs a subject or a name.");
    return RF_OK;
}

static enum rf_kind check_texts(const struct cert_policy *policy, struct rf_err *err)
{
    const char *why = NULL;
    X509_NAME *subject;
    if (!vault_cert_subject(policy->subject, &subject, &why))
        return vault_cert_bad(err, "The subject %s.", why);
    X509_NAME_free(subject);
    GENERAL_NAMES *names = vault_cert_sans(policy->sans, &why);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return why == NULL ? RF_OK : vault_cert_bad(err, "The names cannot be: %s.", why);
}

static enum rf_kind make_policy(const struct authority_wanted *wanted, struct rf_arena *arena,
                                struct cert_policy *out, struct rf_err *err)
{
    struct json_node *sans = json_new(arena, JSON_T_OBJECT), *ekus = json_new(arena, JSON_T_ARRAY);
    bool is_rsa, both = wanted->is_server == wanted->is_client, good = true;
    if (!is_good_key(wanted->public_key, &is_rsa))
        return vault_cert_bad(err, "The public key must be RSA of 2048 to 4096 bits, P-256, P-384, "
                                   "P-521 or Ed25519.");
    RF_TRY(check_names(wanted, err));
    if (both || wanted->is_server)
        good = json_append(ekus, json_new_text(arena, RF_S(SERVER_AUTH))) != NULL;
    if (both || wanted->is_client)
        good = json_append(ekus, json_new_text(arena, RF_S(CLIENT_AUTH))) != NULL && good;
    good = good && add_texts(arena, sans, "dns_names", wanted->dns, wanted->dns_count) &&
           add_texts(arena, sans, "ipAddresses", wanted->addresses, wanted->address_count);
    if (!good) return rf_fail_memory(err, arena);
    *out = (struct cert_policy){.subject = wanted->subject,
                                .sans = sans,
                                .ekus = ekus,
                                .usage = USAGE_SIGN | (is_rsa ? USAGE_ENCIPHER : 0)};
    return check_texts(out, err);
}

struct issuing {
    rf_str issuer;
    const struct authority_wanted *wanted;
    struct cert_policy policy;
    struct authority_issued out;
};

static enum rf_kind try_issue(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct issuing *issuing = ctx;
    struct authority authority;
    struct cert_facts facts;
    const struct authority_wanted *wanted = issuing->wanted;
    rf_str by = rf_slice(wanted->by, 0, RF_MIN(wanted->by.len, BY_BYTES_MAX));
    struct cert_build build = {.policy = &issuing->policy,
                               .public_key = wanted->public_key,
                               .not_before = wanted->not_before != 0
                                                 ? wanted->not_before
                                                 : call->now - CERT_BACKDATE_SECONDS,
                               .not_after = wanted->not_after != 0 ? wanted->not_after : INT64_MAX};
    RF_TRY(authority_open(call, issuing->issuer, &authority, err));
    if (!json_bool_at(authority.node, "attributes.enabled", true))
        return vault_fail(call, err, 403, "IssuerDisabled", NULL, "The issuer '%.*s' is disabled.",
                          RF_FMT(authority.name));
    struct authority_issued *out = &issuing->out;
    RF_TRY(authority_sign(call, &authority, &build, by, false, &out->leaf, &out->chain, err));
    RF_TRY(vault_cert_facts(out->leaf, call->arena, &facts, err));
    out->serial = facts.serial;
    out->not_before = facts.not_before;
    out->not_after = facts.not_after;
    return RF_OK;
}

enum rf_kind authority_issue(struct vaults *vaults, rf_str vault, rf_str issuer,
                             const struct authority_wanted *wanted, struct rf_arena *arena,
                             struct authority_issued *out, struct rf_err *err)
{
    struct vault_call call;
    struct issuing issuing = {.issuer = issuer, .wanted = wanted};
    RF_TRY(authority_call(vaults, vault, arena, &call, err));
    RF_TRY(make_policy(wanted, arena, &issuing.policy, err));
    RF_TRY(vault_retry(&call, try_issue, &issuing, err));
    *out = issuing.out;
    return RF_OK;
}
