/* acme_settings.c - what an issuer of provider ACME is told, and the keys of its account, which the keeper makes and uses. */
#include <openssl/crypto.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/acme_client.h"
#include "vault/call_int.h"

enum {
    EMAIL_BYTES_MAX = 254,
    KID_BYTES_MAX = 512,
    PEM_BYTES_MAX = 64 << 10,
    HMAC_BLOCK_BYTES =
        64, /* zeros behind a shorter key change nothing, a longer one is hashed (RFC 2104) */
    WAIT_SECONDS_MAX = 3600,
    WAIT_SECONDS = 30,
    POINT_BYTES = 65
};

bool vault_acme_is(const struct json_node *issuer)
{
    return rf_str_eq_nocase(json_text_at(issuer, "provider"), RF_S("ACME"));
}

/* ---- keys ----------------------------------------------------------------------------------------------------------------- */

static bool set_bytes(struct rf_arena *arena, struct json_node *out, const char *name, rf_str bytes)
{
    rf_str text = base64_encode(arena, bytes);
    return text.ptr != NULL && json_set_text(arena, out, name, text) != NULL;
}

static enum rf_kind keep(struct vault_call *call, struct json_node *node, const char *member,
                         const struct vault_item *item, const struct sealed *sealed,
                         struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str id = hex_encode(arena, rf_str_make(item->id, sizeof item->id));
    bool good = id.ptr != NULL && json_set_text(arena, out, "item", id) != NULL &&
                set_bytes(arena, out, "key", sealed->item_key) &&
                set_bytes(arena, out, "sealed", sealed->version) &&
                set_bytes(arena, out, "public", sealed->public_key) &&
                json_set(arena, node, rf_str_of(member), out) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

/* An item of its own, beside the issuer: neither for certificates, nor for the API of keys (ops is 0). */
static enum rf_kind new_item(struct vault_call *call, rf_str name, struct vault_item *item,
                             struct seal_ring *ring, struct seal_head *head, struct rf_err *err)
{
    struct vault_version version;
    RF_TRY(vault_item_new(call, SEAL_CERTIFICATE, name, item, err));
    RF_TRY(vault_version_init(call, &version, err));
    RF_TRY(vault_ring(call, item, ring, err));
    vault_head(&version, head);
    head->managed = true;
    head->ops = 0;
    return RF_OK;
}

enum rf_kind vault_acme_account_key(struct vault_call *call, struct json_node *node, bool *made,
                                    struct rf_err *err)
{
    struct vault_item item;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    *made = json_get(node, "acmeAccount") == NULL;
    if (!*made) return RF_OK;
    RF_TRY(new_item(call, json_text_at(node, "name"), &item, &ring, &head, err));
    head.material = SEAL_P256;
    if (seal_key_new(call->vaults->options.keeper, call->token, &ring, &head, call->arena, &sealed,
                     err) != RF_OK)
        return vault_seal_error(call, err);
    RF_TRY(keep(call, node, "acmeAccount", &item, &sealed, err));
    return json_set_text(call->arena, json_get(node, "acmeAccount"), "directory",
                         json_text_at(node, "acme.directory")) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind ring_of(struct vault_call *call, const struct json_node *node,
                            const char *member, struct vault_item *item, struct seal_ring *ring,
                            rf_str *sealed, struct rf_err *err)
{
    const struct json_node *kept = json_get(node, member);
    rf_str id;
    RF_TRY(vault_item_new(call, SEAL_CERTIFICATE, json_text_at(node, "name"), item, err));
    RF_TRY(hex_decode(call->arena, json_text_at(kept, "item"), &id, err));
    RF_TRY(base64_decode(call->arena, json_text_at(kept, "key"), &item->key, err));
    RF_TRY(base64_decode(call->arena, json_text_at(kept, "sealed"), sealed, err));
    if (id.len != SEAL_ID_BYTES) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an issuer");
    memcpy(item->id, id.ptr, id.len);
    return vault_ring(call, item, ring, err);
}

enum rf_kind vault_acme_sign(struct vault_call *call, const struct json_node *node,
                             const char *member, rf_str input, rf_str *out, struct rf_err *err)
{
    struct vault_item item;
    struct seal_ring ring;
    rf_str sealed;
    RF_TRY(ring_of(call, node, member, &item, &ring, &sealed, err));
    return seal_certify(call->vaults->options.keeper, call->token, &ring, sealed, SEAL_SIGN_JWS,
                        (rf_str){0}, input, call->arena, out, err);
}

enum rf_kind vault_acme_jwk(struct vault_call *call, const struct json_node *node, rf_str *jwk,
                            rf_str *thumbprint, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    uint8_t digest[SHA256_BYTES];
    rf_str der;
    RF_TRY(base64_decode(arena, json_text_at(node, "acmeAccount.public"), &der, err));
    if (der.len < POINT_BYTES || der.ptr[der.len - POINT_BYTES] != 4 /* uncompressed */)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the account of an issuer");
    rf_str point = rf_slice(der, der.len - POINT_BYTES + 1, der.len);
    rf_str x = base64url_encode(arena, rf_slice(point, 0, 32)),
           y = base64url_encode(arena, rf_slice(point, 32, 64));
    *jwk =
        rf_arena_printf(arena, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                        RF_FMT(x), RF_FMT(y));
    if (x.ptr == NULL || y.ptr == NULL || jwk->ptr == NULL) return rf_fail_memory(err, arena);
    digest_sha256(*jwk, digest);
    *thumbprint = base64url_encode(arena, rf_str_make(digest, sizeof digest));
    return thumbprint->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind destroy(struct vault_call *call, const struct json_node *node,
                            const char *member, struct rf_err *err)
{
    struct vault_item item;
    struct seal_ring ring;
    rf_str sealed, proof;
    if (json_get(node, member) == NULL) return RF_OK;
    RF_TRY(ring_of(call, node, member, &item, &ring, &sealed, err));
    if (seal_destroy(call->vaults->options.keeper, &ring, call->arena, &proof, err) == RF_OK ||
        strcmp(err->code, "SealDestroyed") == 0)
        return RF_OK;
    return vault_seal_error(call, err);
}

enum rf_kind vault_acme_forget(struct vault_call *call, const struct json_node *node,
                               struct rf_err *err)
{
    RF_TRY(destroy(call, node, "acmeAccount", err));
    return destroy(call, node, "acmeEab", err);
}

/* ---- the key of an external account, out of a secret of the vault ------------------------------------------------------------ */

/* Whoever sets the issuer up must be one who may read the secret. */
static enum rf_kind may_read(const struct vault_call *call, rf_str secret, struct rf_err *err)
{
    static const struct vault_operation get = {
        .action = "secrets/getSecret/action", .policy = "secrets get", .scope = "secrets"};
    struct vault_call reading = *call;
    struct route_need need = {.is_data = true};
    reading.operation = &get;
    reading.name = secret;
    return vault_check_access(&reading, &need, err);
}

static enum rf_kind open_secret(struct vault_call *call, rf_str name, rf_str *value,
                                struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    struct vault_version version;
    struct seal_ring ring;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, SEAL_SECRET, name, &item, err));
    RF_TRY(vault_version_get(call, txn, &item, (rf_str){0}, &version, err));
    RF_TRY(vault_ring(call, &item, &ring, err));
    if (seal_open(call->vaults->options.keeper, call->token, &ring, version.sealed, call->arena,
                  value, err) != RF_OK)
        return vault_seal_refused(call, &item, &version, err);
    return RF_OK;
}

static enum rf_kind seal_hmac(struct vault_call *call, struct json_node *node, rf_str key,
                              struct rf_err *err)
{
    uint8_t block[HMAC_BLOCK_BYTES] = {0};
    struct vault_item item;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    RF_TRY(new_item(call, json_text_at(node, "name"), &item, &ring, &head, err));
    head.material = SEAL_OCT;
    head.bits = 8 * HMAC_BLOCK_BYTES;
    if (key.len > HMAC_BLOCK_BYTES)
        digest_sha256(key, block);
    else
        memcpy(block, key.ptr, key.len);
    enum rf_kind kind = seal_put(call->vaults->options.keeper, call->token, &ring, &head,
                                 rf_str_make(block, sizeof block), call->arena, &sealed, err);
    OPENSSL_cleanse(block, sizeof block);
    if (kind != RF_OK) return vault_seal_error(call, err);
    return keep(call, node, "acmeEab", &item, &sealed, err);
}

static enum rf_kind read_hmac(struct vault_call *call, rf_str secret, struct json_node *node,
                              struct rf_err *err)
{
    rf_str value, key = {0};
    RF_TRY(vault_check_name(call, secret, err));
    RF_TRY(may_read(call, secret, err));
    RF_TRY(open_secret(call, secret, &value, err));
    struct rf_err ignored;
    bool good = base64url_decode(call->arena, value, &key, &ignored) == RF_OK && key.len > 0;
    enum rf_kind kind = good ? seal_hmac(call, node, key, err)
                             : vault_bad(call, err,
                                         "Property 'acme.eab.secret' has invalid value: the secret "
                                         "'%.*s' holds no HMAC key in base64url.",
                                         RF_FMT(secret));
    vault_wipe(key);
    vault_wipe(value);
    return kind;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind bad(struct vault_call *call, const char *name, const char *why,
                        struct rf_err *err)
{
    return vault_bad(call, err, "Property 'acme.%s' has invalid value: %s.", name, why);
}

static bool is_url(rf_str url)
{
    if (!rf_str_starts(url, RF_S("https://")) || url.len > ACME_URL_BYTES_MAX) return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f || url.ptr[i] == '"' || url.ptr[i] == '\\')
            return false;
    return url.len > 8 && url.ptr[8] != '/';
}

/* *given: what the body has, ptr NULL when that is nothing. */
static enum rf_kind copy(struct vault_call *call, const struct json_node *in, const char *name,
                         size_t bytes_max, struct json_node *out, rf_str *given, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(call, in, name, JSON_T_STRING, &member, err));
    *given = member == NULL ? (rf_str){0} : member->text;
    if (member == NULL) return RF_OK;
    if (given->len > bytes_max) return bad(call, name, "it is too long", err);
    return json_set_text(call->arena, out, name, *given) == NULL ? rf_fail_memory(err, call->arena)
                                                                 : RF_OK;
}

static enum rf_kind read_eab(struct vault_call *call, const struct json_node *in,
                             struct json_node *out, struct json_node *node, struct rf_err *err)
{
    struct json_node *eab, *secret;
    rf_str kid;
    RF_TRY(vault_member(call, in, "eab", JSON_T_OBJECT, &eab, err));
    if (eab == NULL) return RF_OK;
    RF_TRY(
        copy(call, eab, "kid", KID_BYTES_MAX, json_object_in(call->arena, out, "eab"), &kid, err));
    RF_TRY(vault_member(call, eab, "secret", JSON_T_STRING, &secret, err));
    if (kid.len == 0 || secret == NULL)
        return bad(call, "eab",
                   "kid and secret are required, the id that the authority gave and the name of "
                   "the secret in this vault that holds its HMAC key",
                   err);
    return read_hmac(call, secret->text, node, err);
}

static enum rf_kind read_wait(struct vault_call *call, const struct json_node *in,
                              struct json_node *out, struct rf_err *err)
{
    struct json_node *given;
    int64_t seconds = WAIT_SECONDS;
    RF_TRY(vault_member(call, in, "waitSeconds", JSON_T_NUMBER, &given, err));
    if (given == NULL && json_get(out, "waitSeconds") != NULL) return RF_OK;
    if (given != NULL &&
        (!json_i64_at(in, "waitSeconds", &seconds) || seconds < 0 || seconds > WAIT_SECONDS_MAX))
        return bad(call, "waitSeconds", "it is a whole number from 0 to 3600", err);
    return json_set_i64(call->arena, out, "waitSeconds", seconds) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind check_challenge(struct vault_call *call, const struct json_node *out,
                                    struct rf_err *err)
{
    static const char *const types[] = {"http-01", "tls-alpn-01", "dns-01"};
    rf_str type = json_text_at(out, "challenge"), hook = json_text_at(out, "hook");
    bool known = false;
    for (size_t i = 0; i < RF_COUNT(types); i++) known |= rf_str_is(type, types[i]);
    if (!known) return bad(call, "challenge", "it is http-01, tls-alpn-01 or dns-01", err);
    if (hook.len > 0 && !is_url(hook)) return bad(call, "hook", "it is no URL of https", err);
    if (rf_str_is(type, "dns-01") && hook.len == 0)
        return bad(call, "hook",
                   "dns-01 needs the URL to which {name, value, action} is posted, which adds and "
                   "removes the TXT record",
                   err);
    return RF_OK;
}

static enum rf_kind check_trust(struct vault_call *call, rf_str pem, struct rf_err *err)
{
    struct http_client *client;
    struct rf_err why;
    if (pem.len == 0) return RF_OK;
    struct http_client_options options = {.ca_pem = pem};
    if (http_client_new(&options, &client, &why) != RF_OK)
        return bad(call, "ca", "it holds no certificates in PEM", err);
    http_client_free(client);
    return RF_OK;
}

enum rf_kind vault_acme_read_settings(struct vault_call *call, struct json_node *node,
                                      struct rf_err *err)
{
    struct json_node *in;
    rf_str directory, text, ca, before;
    RF_TRY(vault_member(call, call->body, "acme", JSON_T_OBJECT, &in, err));
    bool is_new = json_get(node, "acme") == NULL;
    if (in == NULL && !is_new) return RF_OK;
    struct json_node *out = json_object_in(call->arena, node, "acme");
    if (out == NULL) return rf_fail_memory(err, call->arena);
    before = json_text_at(node, "acmeAccount.directory");
    RF_TRY(copy(call, in, "directory", ACME_URL_BYTES_MAX, out, &directory, err));
    RF_TRY(copy(call, in, "email", EMAIL_BYTES_MAX, out, &text, err));
    RF_TRY(copy(call, in, "challenge", 32, out, &text, err));
    RF_TRY(copy(call, in, "hook", ACME_URL_BYTES_MAX, out, &text, err));
    RF_TRY(copy(call, in, "ca", PEM_BYTES_MAX, out, &ca, err));
    RF_TRY(read_wait(call, in, out, err));
    directory = json_text_at(out, "directory");
    if (!is_url(directory))
        return bad(call, "directory", "the authority's directory is a URL of https", err);
    text = json_text_at(out, "email");
    if (text.len > 0 && rf_str_find(text, RF_S("@"), 0) == SIZE_MAX)
        return bad(call, "email", "it is a mail address", err);
    RF_TRY(check_challenge(call, out, err));
    RF_TRY(check_trust(call, json_text_at(out, "ca"), err));
    RF_TRY(read_eab(call, in, out, node, err));
    /* An account is one authority's, and belongs to one external account. */
    if (json_get(node, "acmeAccount") != NULL &&
        (!rf_str_eq(before, directory) || json_get(in, "eab") != NULL))
        json_remove(node, RF_S("acmeAccount"));
    return RF_OK;
}

bool vault_acme_show_settings(struct rf_arena *arena, const struct json_node *node,
                              struct json_node *out)
{
    const struct json_node *acme = json_get(node, "acme");
    rf_str url = json_text_at(node, "acmeAccount.url");
    if (acme == NULL) return true;
    struct json_node *shown = json_clone(arena, acme);
    if (url.len > 0 && json_set_text(arena, shown, "account", url) == NULL) return false;
    return json_set(arena, out, RF_S("acme"), shown) != NULL;
}
