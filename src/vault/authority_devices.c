/* authority_devices.c - authorities of vaults that issue certificates of devices (hub/device_issuer.h). */
#include "hub/device_issuer.h"
#include "vault/authority_int.h"
#include "vault/report_int.h"

static enum rf_kind read_name(rf_str text, rf_str *vault, rf_str *issuer, struct rf_err *err)
{
    if (vault_label_read(text, vault, issuer)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest",
                   "'%.*s' is no issuer of certificates: write vault://VAULT/ISSUER.",
                   (int)RF_MIN(text.len, (size_t)100), (const char *)text.ptr);
}

/* As the register has it: whole bytes. */
static rf_str whole_serial(rf_str serial, struct rf_arena *arena)
{
    return serial.len % 2 == 0 ? serial : rf_arena_printf(arena, "0%.*s", RF_FMT(serial));
}

static enum rf_kind may(void *ctx, struct state_txn *txn, const struct principal *principal,
                        rf_str text, struct rf_arena *arena, struct rf_err *err)
{
    static const struct vault_right right = {"certificatecas/write", "certificates", "setissuers"};
    const struct vault_viewer viewer = {.vaults = ctx, .principal = principal};
    struct vault_place place;
    rf_str vault, issuer;
    RF_TRY(read_name(text, &vault, &issuer, err));
    RF_TRY(vault_place_find(ctx, txn, vault, arena, &place, err));
    if (principal != NULL && vault_viewer_may(&viewer, &place, &right, (rf_str){0}, arena))
        return RF_OK;
    return RF_FAIL(err, RF_DENIED, "AuthorizationFailed",
                   "The caller may not have certificates issued by authorities of the vault "
                   "'%.*s': that takes the right to set its issuers "
                   "(Microsoft.KeyVault/vaults/certificatecas/write).",
                   RF_FMT(place.name));
}

/* The first of the certificates behind the leaf. */
static enum rf_kind authority_of(const struct authority_issued *issued, rf_str *out,
                                 struct rf_err *err)
{
    const uint8_t *from = issued->chain.ptr + issued->leaf.len, *at = from,
                  *end = issued->chain.ptr + issued->chain.len;
    X509 *cert = at < end ? d2i_X509(NULL, &at, end - at) : NULL;
    X509_free(cert);
    if (cert == NULL)
        return RF_FAIL(err, RF_CONFLICT, "IssuerTooOld",
                       "The issuer has no intermediate authority; make a new one for devices.");
    *out = rf_str_make(from, (size_t)(at - from));
    return RF_OK;
}

static enum rf_kind issue(void *ctx, rf_str text, const struct device_order *order,
                          struct rf_arena *arena, rf_str *der, rf_str *authority,
                          struct rf_err *err)
{
    const struct vaults *vaults = ctx;
    rf_str vault, issuer;
    struct authority_issued issued;
    struct authority_wanted wanted = {
        .public_key = order->public_key,
        .subject = rf_arena_printf(arena, "CN=%.*s", RF_FMT(order->name)),
        .not_after = rf_clock_now(vaults->options.clock) / RF_USEC_PER_SECOND + order->seconds,
        .is_client = true,
        .by = rf_arena_printf(arena, "device:%.*s", RF_FMT(order->name))};
    if (wanted.subject.ptr == NULL || wanted.by.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(read_name(text, &vault, &issuer, err));
    RF_TRY(authority_issue(ctx, vault, issuer, &wanted, arena, &issued, err));
    RF_TRY(authority_of(&issued, authority, err));
    *der = issued.leaf;
    return RF_OK;
}

static enum rf_kind holds(void *ctx, rf_str text, rf_str serial, struct rf_arena *arena,
                          struct rf_err *err)
{
    rf_str vault, issuer, whole = whole_serial(serial, arena);
    struct authority_record record = {.revoked = 0};
    if (whole.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(read_name(text, &vault, &issuer, err));
    enum rf_kind kind = authority_find(ctx, vault, issuer, whole, arena, &record, err);
    if (kind == RF_OK && record.revoked == 0) return RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_DENIED, "PublisherRevoked",
                   "The certificate %.*s has been revoked by its authority, or the authority is "
                   "gone.",
                   RF_FMT(serial));
}

static enum rf_kind revoke(void *ctx, rf_str text, rf_str serial, struct rf_arena *arena,
                           struct rf_err *err)
{
    rf_str vault, issuer, whole = whole_serial(serial, arena);
    struct rf_err why = {.code = ""};
    if (whole.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(read_name(text, &vault, &issuer, err));
    enum rf_kind kind = authority_revoke(ctx, vault, issuer, whole, 0, arena, &why);
    if (kind == RF_NOT_FOUND || (kind == RF_CONFLICT && strcmp(why.code, "AlreadyRevoked") == 0))
        return RF_OK;
    if (kind != RF_OK && err != NULL) *err = why;
    return kind;
}

void vaults_device_issuer(struct vaults *vaults, struct device_issuer *out)
{
    *out = (struct device_issuer){
        .ctx = vaults, .may = may, .issue = issue, .holds = holds, .revoke = revoke};
}
