#include "people/passkey.h"

#include <openssl/crypto.h>

#include "people/factor_int.h"

enum rf_kind passkey_handle(struct keeper *keeper, rf_str user, uint8_t out[PASSKEY_HANDLE_BYTES],
                            struct rf_err *err)
{
    uint8_t low[64];
    if (user.len == 0 || user.len > sizeof low)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a user's id is no GUID");
    for (size_t i = 0; i < user.len; i++) low[i] = rf_lower(user.ptr[i]);
    return keeper_mac(keeper, "passkey-handle", rf_str_make(low, user.len), out, err);
}

enum rf_kind passkey_ids_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                            struct passkey_ids *out, struct rf_err *err)
{
    struct factor_list list;
    RF_TRY(factors_of_kind(txn, user, "fido2", arena, &list, err));
    *out = (struct passkey_ids){.items = rf_arena_new(arena, rf_str, list.count)};
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(base64url_decode(arena, json_text_at(list.items[i].body, "credentialId"),
                                &out->items[out->count++], err));
    return RF_OK;
}

/* The factor whose credential has that id; *owner: whose it is. */
static enum rf_kind find(struct state_txn *txn, rf_str credential_id, struct rf_arena *arena,
                         struct json_node **body, rf_str *owner, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {
        .space = "factor", .index = "credential", .value = base64url_encode(arena, credential_id)};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    if (list.count == 0) return RF_FAIL(err, RF_NOT_FOUND, "ObjectNotFound", "no such passkey");
    size_t slash = RF_MIN(rf_str_find(list.items[0].key, RF_S("/"), 0), list.items[0].key.len);
    *owner = rf_slice(list.items[0].key, 0, slash);
    return json_parse(list.items[0].body, arena, body, err);
}

enum rf_kind passkey_store(struct state_txn *txn, rf_str user, rf_str display_name,
                           const struct webauthn_credential *credential, rf_usec now,
                           struct rf_arena *arena, rf_str *id, struct rf_err *err)
{
    struct json_node *there;
    rf_str owner;
    enum rf_kind kind = find(txn, credential->id, arena, &there, &owner, err);
    if (kind == RF_OK)
        return RF_FAIL(err, RF_CONFLICT, "PasskeyExists", "This passkey is registered already.");
    if (kind != RF_NOT_FOUND) return kind;
    struct json_node *body = factor_new(arena, display_name, now, id);
    if (body == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, body, "credentialId", base64url_encode(arena, credential->id));
    json_set_text(arena, body, "publicKey", base64url_encode(arena, credential->public_key));
    json_set_i64(arena, body, "algorithm", credential->algorithm);
    json_set_i64(arena, body, "counter", credential->counter);
    json_set_bool(arena, body, "backupEligible", credential->backup_eligible);
    json_set_bool(arena, body, "backedUp", credential->backed_up);
    json_set_text(arena, body, "format", rf_str_of(credential->format));
    if (json_set_text(arena, body, "aaguid",
                      hex_encode(arena, rf_str_make(credential->aaguid, 16))) == NULL)
        return rf_fail_memory(err, arena);
    return factor_put(txn, user, "fido2", body, arena, err);
}

static enum rf_kind denied(struct rf_err *err, const char *step)
{
    return RF_FAIL(err, RF_DENIED, "BadAssertion", "the passkey's answer does not hold: %s", step);
}

static enum rf_kind read_stored(const struct json_node *body, rf_str credential_id,
                                struct rf_arena *arena, struct webauthn_credential *out,
                                struct rf_err *err)
{
    int64_t algorithm = 0, counter = 0;
    (void)json_i64_at(body, "algorithm", &algorithm);
    (void)json_i64_at(body, "counter", &counter);
    *out = (struct webauthn_credential){.id = credential_id,
                                        .algorithm = (int32_t)algorithm,
                                        .counter = (uint32_t)counter,
                                        .backup_eligible =
                                            json_bool_at(body, "backupEligible", false)};
    return base64url_decode(arena, json_text_at(body, "publicKey"), &out->public_key, err);
}

static enum rf_kind check_handle(struct keeper *keeper, const struct webauthn_claim *claim,
                                 rf_str owner, bool must, struct rf_err *err)
{
    uint8_t handle[PASSKEY_HANDLE_BYTES];
    if (claim->user_handle.len == 0) return must ? denied(err, "userHandle") : RF_OK;
    RF_TRY(passkey_handle(keeper, owner, handle, err));
    bool same = claim->user_handle.len == sizeof handle &&
                CRYPTO_memcmp(claim->user_handle.ptr, handle, sizeof handle) == 0;
    return same ? RF_OK : denied(err, "userHandle");
}

enum rf_kind passkey_take(struct keeper *keeper, struct state_txn *txn,
                          const struct webauthn_party *party,
                          const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                          const struct json_node *answer, rf_str user, rf_usec now,
                          struct rf_arena *arena, rf_str *owner, struct rf_err *err)
{
    struct webauthn_claim claim;
    struct webauthn_credential stored;
    struct json_node *body;
    uint32_t counter;
    bool backed_up;
    RF_TRY(webauthn_read_claim(answer, arena, &claim, err));
    enum rf_kind kind = find(txn, claim.credential_id, arena, &body, owner, err);
    if (kind == RF_NOT_FOUND) return denied(err, "nobody has this passkey");
    RF_TRY(kind);
    if (user.len > 0 && !rf_str_eq_nocase(user, *owner)) return denied(err, "it is another user's");
    RF_TRY(check_handle(keeper, &claim, *owner, user.len == 0, err));
    RF_TRY(read_stored(body, claim.credential_id, arena, &stored, err));
    RF_TRY(
        webauthn_authenticate(party, challenge, &stored, answer, arena, &counter, &backed_up, err));
    rf_str at = time_iso(arena, now);
    json_set_i64(arena, body, "counter", counter);
    json_set_bool(arena, body, "backedUp", backed_up);
    if (at.ptr == NULL || json_set_text(arena, body, "lastUsed", at) == NULL)
        return rf_fail_memory(err, arena);
    return factor_put(txn, *owner, "fido2", body, arena, err);
}
