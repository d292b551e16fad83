/* webauthn.c - the relying party's steps of WebAuthn level 2, sections 7.1 (registering) and 7.2 (signing in). */
#include "people/webauthn.h"

#include <openssl/crypto.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "people/cbor.h"
#include "people/webauthn_int.h"

enum {
    JSON_BYTES_MAX = 16 << 10,
    FLAG_UP = 1,
    FLAG_UV = 4,
    FLAG_BE = 8,
    FLAG_BS = 16,
    FLAG_AT = 64,
    FLAG_ED = 128,
    AUTH_DATA_BYTES_MIN = 37,
    AAGUID_BYTES = 16
};

static enum rf_kind bad(struct rf_err *err, enum rf_kind kind, const char *step)
{
    return RF_FAIL(err, kind, kind == RF_INVALID ? "BadCredential" : "BadAssertion",
                   "the passkey's answer does not hold: %s", step);
}

/* ---- what the browser says ---------------------------------------------------------------------------------------------- */

static bool bytes_at(const struct json_node *answer, const char *path, struct rf_arena *arena,
                     rf_str *out)
{
    struct rf_err ignored;
    rf_str text = json_text_at(answer, path);
    return text.len > 0 && text.len <= 2 * JSON_BYTES_MAX &&
           base64url_decode(arena, text, out, &ignored) == RF_OK;
}

static const char *check_client_data(const struct webauthn_party *party, rf_str client_data,
                                     const char *type, const uint8_t *challenge,
                                     struct rf_arena *arena)
{
    struct json_node *doc;
    struct rf_err ignored;
    rf_str told;
    if (client_data.len > JSON_BYTES_MAX || json_parse(client_data, arena, &doc, &ignored) != RF_OK)
        return "clientDataJSON is no JSON";
    if (!rf_str_is(json_text_at(doc, "type"), type)) return "type";
    if (!bytes_at(doc, "challenge", arena, &told) || told.len != WEBAUTHN_CHALLENGE_BYTES ||
        CRYPTO_memcmp(told.ptr, challenge, WEBAUTHN_CHALLENGE_BYTES) != 0)
        return "challenge";
    rf_str origin = json_text_at(doc, "origin");
    bool known = false;
    for (uint32_t i = 0; i < party->origin_count; i++)
        known |= rf_str_eq(origin, party->origins[i]);
    if (!known) return "origin";
    /* Absent or false: what is no boolean counts as true. */
    bool inside = json_get(doc, "crossOrigin") != NULL && json_bool_at(doc, "crossOrigin", true);
    return inside ? "crossOrigin" : NULL;
}

/* ---- what the authenticator says ------------------------------------------------------------------------------------------- */

struct auth_data {
    uint8_t flags;
    uint32_t counter;
    const uint8_t *aaguid;
    rf_str credential_id, public_key;
    int32_t algorithm;
    EVP_PKEY *key; /* of a credential that is registered; freed by the caller */
};

static const char *check_flags(const struct auth_data *data)
{
    if (!(data->flags & FLAG_UP)) return "nobody was there (UP)";
    if (!(data->flags & FLAG_UV)) return "the user was not verified (UV)";
    if ((data->flags & FLAG_BS) && !(data->flags & FLAG_BE)) return "backed up but not eligible";
    return NULL;
}

static const char *read_credential(rf_str bytes, size_t *at, struct auth_data *out)
{
    if (bytes.len - *at < AAGUID_BYTES + 2) return "authenticator data are cut off";
    out->aaguid = bytes.ptr + *at;
    size_t id_bytes =
        (size_t)bytes.ptr[*at + AAGUID_BYTES] << 8 | bytes.ptr[*at + AAGUID_BYTES + 1];
    *at += AAGUID_BYTES + 2;
    if (id_bytes == 0 || id_bytes > WEBAUTHN_ID_BYTES_MAX) return "length of the credential's id";
    if (bytes.len - *at < id_bytes) return "authenticator data are cut off";
    out->credential_id = rf_slice(bytes, *at, *at + id_bytes);
    *at += id_bytes;
    size_t end;
    out->key = cose_key_read(bytes, *at, &end, &out->algorithm);
    if (out->key == NULL) return "the public key is none that we take";
    out->public_key = rf_slice(bytes, *at, end);
    *at = end;
    return NULL;
}

/* Everything is used up: nothing stands behind. */
static const char *read_auth_data(const struct webauthn_party *party, rf_str bytes, bool registers,
                                  struct auth_data *out)
{
    uint8_t hash[SHA256_BYTES];
    size_t at = AUTH_DATA_BYTES_MIN;
    *out = (struct auth_data){.flags = 0};
    if (bytes.len < AUTH_DATA_BYTES_MIN) return "authenticator data are cut off";
    digest_sha256(party->rp_id, hash);
    if (CRYPTO_memcmp(hash, bytes.ptr, sizeof hash) != 0) return "rpIdHash";
    out->flags = bytes.ptr[32];
    out->counter = (uint32_t)bytes.ptr[33] << 24 | (uint32_t)bytes.ptr[34] << 16 |
                   (uint32_t)bytes.ptr[35] << 8 | bytes.ptr[36];
    const char *step = check_flags(out);
    if (step != NULL) return step;
    if (registers != ((out->flags & FLAG_AT) != 0))
        return registers ? "no credential in it (AT)" : "a credential in it (AT)";
    if (registers) step = read_credential(bytes, &at, out);
    if (step != NULL) return step;
    if ((out->flags & FLAG_ED) != 0) {
        struct cbor_item item;
        size_t from = at;
        if (!cbor_next(bytes, &from, &item) || item.type != CBOR_MAP || !cbor_skip(bytes, &at))
            return "extensions";
    }
    return at == bytes.len ? NULL : "bytes behind the authenticator data";
}

/* ---- registering ------------------------------------------------------------------------------------------------------------ */

static bool text_at(rf_str object, const char *key, rf_str *out)
{
    struct cbor_item item;
    size_t at;
    if (!cbor_find_text(object, 0, key, &at) || !cbor_next(object, &at, &item) ||
        item.type != CBOR_TEXT)
        return false;
    *out = item.bytes;
    return true;
}

static bool data_at(rf_str object, size_t map, const char *key, rf_str *out)
{
    struct cbor_item item;
    size_t at;
    if (!cbor_find_text(object, map, key, &at) || !cbor_next(object, &at, &item) ||
        item.type != CBOR_BYTES)
        return false;
    *out = item.bytes;
    return true;
}

static bool number_at(rf_str object, size_t map, const char *key, int64_t *out)
{
    struct cbor_item item;
    size_t at;
    if (!cbor_find_text(object, map, key, &at) || !cbor_next(object, &at, &item) ||
        item.type != CBOR_INT)
        return false;
    *out = item.number;
    return true;
}

/* "packed" by the credential's own key (section 8.2, self attestation): signed are the authenticator's data and the hash of the client's. One with a
 * certificate of the maker says more than anybody here asks: its signature is looked at only where attestation is needed, which we refuse then. */
static const char *check_self(rf_str object, size_t statement, const struct auth_data *data,
                              rf_str auth_data, rf_str client_data, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES];
    int64_t alg;
    rf_str signature;
    if (!number_at(object, statement, "alg", &alg) || alg != data->algorithm ||
        !data_at(object, statement, "sig", &signature))
        return "attestation statement";
    digest_sha256(client_data, hash);
    struct rf_buf bytes = rf_buf_in(arena);
    rf_buf_str(&bytes, auth_data);
    rf_buf_put(&bytes, hash, sizeof hash);
    if (bytes.failed ||
        !cose_key_verify(data->key, data->algorithm, rf_buf_view(&bytes), signature))
        return "attestation signature";
    return NULL;
}

static const char *check_attestation(rf_str object, const struct auth_data *data, rf_str auth_data,
                                     rf_str client_data, bool needed, struct rf_arena *arena,
                                     const char **format)
{
    struct cbor_item map;
    rf_str name;
    size_t statement, at, chain;
    if (!text_at(object, "fmt", &name) || !cbor_find_text(object, 0, "attStmt", &statement))
        return "attestation object";
    at = statement;
    if (!cbor_next(object, &at, &map) || map.type != CBOR_MAP) return "attestation statement";
    if (rf_str_is(name, "none")) {
        *format = "none";
        if (map.number != 0) return "attestation 'none' that says something";
        return needed ? "an attestation is asked for" : NULL;
    }
    if (!rf_str_is(name, "packed")) return needed ? "format of the attestation" : NULL;
    *format = "packed";
    if (cbor_find_text(object, statement, "x5c", &chain))
        return needed ? "no makers of authenticators are trusted here" : NULL;
    return check_self(object, statement, data, auth_data, client_data, arena);
}

static const char *check_object(const struct webauthn_party *party, rf_str object,
                                rf_str client_data, bool needed, struct rf_arena *arena,
                                struct auth_data *data, const char **format)
{
    size_t end = 0;
    rf_str auth_data;
    if (!cbor_skip(object, &end) || end != object.len) return "attestation object";
    if (!data_at(object, 0, "authData", &auth_data)) return "attestation object";
    const char *step = read_auth_data(party, auth_data, true, data);
    if (step != NULL) return step;
    *format = "other";
    return check_attestation(object, data, auth_data, client_data, needed, arena, format);
}

enum rf_kind webauthn_register(const struct webauthn_party *party,
                               const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                               const struct json_node *answer, bool need_attestation,
                               struct rf_arena *arena, struct webauthn_credential *out,
                               struct rf_err *err)
{
    rf_str client_data, object, raw_id;
    struct auth_data data = {.flags = 0};
    const char *format = "none", *step = NULL;
    if (!rf_str_is(json_text_at(answer, "type"), "public-key") ||
        !bytes_at(answer, "response.clientDataJSON", arena, &client_data) ||
        !bytes_at(answer, "response.attestationObject", arena, &object) ||
        !bytes_at(answer, "rawId", arena, &raw_id))
        return bad(err, RF_INVALID, "a member is missing or no base64url");
    step = check_client_data(party, client_data, "webauthn.create", challenge, arena);
    if (step == NULL)
        step = check_object(party, object, client_data, need_attestation, arena, &data, &format);
    EVP_PKEY_free(data.key);
    if (step == NULL && !rf_str_eq(raw_id, data.credential_id)) step = "rawId";
    if (step != NULL) return bad(err, RF_INVALID, step);
    *out = (struct webauthn_credential){.id = data.credential_id,
                                        .public_key = data.public_key,
                                        .algorithm = data.algorithm,
                                        .counter = data.counter,
                                        .backup_eligible = (data.flags & FLAG_BE) != 0,
                                        .backed_up = (data.flags & FLAG_BS) != 0,
                                        .format = format};
    memcpy(out->aaguid, data.aaguid, sizeof out->aaguid);
    return RF_OK;
}

/* ---- signing in ---------------------------------------------------------------------------------------------------------------- */

enum rf_kind webauthn_read_claim(const struct json_node *answer, struct rf_arena *arena,
                                 struct webauthn_claim *out, struct rf_err *err)
{
    *out = (struct webauthn_claim){.user_handle = {0}};
    if (!rf_str_is(json_text_at(answer, "type"), "public-key") ||
        !bytes_at(answer, "rawId", arena, &out->credential_id) ||
        out->credential_id.len > WEBAUTHN_ID_BYTES_MAX)
        return bad(err, RF_DENIED, "rawId");
    if (json_text_at(answer, "response.userHandle").len > 0 &&
        !bytes_at(answer, "response.userHandle", arena, &out->user_handle))
        return bad(err, RF_DENIED, "userHandle");
    return RF_OK;
}

static const char *check_signature(const struct webauthn_credential *stored, rf_str auth_data,
                                   rf_str client_data, rf_str signature, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES];
    int32_t algorithm;
    size_t end;
    EVP_PKEY *key = cose_key_read(stored->public_key, 0, &end, &algorithm);
    if (key == NULL) return "the stored public key";
    digest_sha256(client_data, hash);
    struct rf_buf bytes = rf_buf_in(arena);
    rf_buf_str(&bytes, auth_data);
    rf_buf_put(&bytes, hash, sizeof hash);
    bool good = !bytes.failed && algorithm == stored->algorithm &&
                cose_key_verify(key, algorithm, rf_buf_view(&bytes), signature);
    EVP_PKEY_free(key);
    return good ? NULL : "signature";
}

enum rf_kind webauthn_authenticate(const struct webauthn_party *party,
                                   const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                   const struct webauthn_credential *stored,
                                   const struct json_node *answer, struct rf_arena *arena,
                                   uint32_t *counter, bool *backed_up, struct rf_err *err)
{
    rf_str client_data, auth_data, signature;
    struct auth_data data;
    if (!bytes_at(answer, "response.clientDataJSON", arena, &client_data) ||
        !bytes_at(answer, "response.authenticatorData", arena, &auth_data) ||
        !bytes_at(answer, "response.signature", arena, &signature))
        return bad(err, RF_DENIED, "a member is missing or no base64url");
    const char *step = check_client_data(party, client_data, "webauthn.get", challenge, arena);
    if (step == NULL) step = read_auth_data(party, auth_data, false, &data);
    if (step == NULL && stored->backup_eligible != ((data.flags & FLAG_BE) != 0))
        step = "backup eligibility has changed";
    if (step == NULL) step = check_signature(stored, auth_data, client_data, signature, arena);
    if (step != NULL) return bad(err, RF_DENIED, step);
    if ((data.counter != 0 || stored->counter != 0) && data.counter <= stored->counter)
        return RF_FAIL(err, RF_CONFLICT, "CloneRisk",
                       "the passkey's counter did not grow: there may be a copy of it");
    *counter = data.counter;
    *backed_up = (data.flags & FLAG_BS) != 0;
    return RF_OK;
}

/* ---- options ---------------------------------------------------------------------------------------------------------------------- */

static struct json_node *descriptors(struct rf_arena *arena, const rf_str *ids, uint32_t count)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < count && list != NULL; i++) {
        struct json_node *item = json_append(list, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, item, "type", RF_S("public-key"));
        if (json_set_text(arena, item, "id", base64url_encode(arena, ids[i])) == NULL) return NULL;
    }
    return list;
}

struct json_node *webauthn_creation_options(struct rf_arena *arena,
                                            const struct webauthn_party *party, rf_str user_handle,
                                            rf_str user_name, rf_str display_name,
                                            const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                            const rf_str *exclude, uint32_t exclude_count)
{
    static const int64_t algorithms[] = {COSE_ES256, COSE_EDDSA, COSE_ES384, COSE_RS256};
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *rp = json_new(arena, JSON_T_OBJECT),
                     *user = json_new(arena, JSON_T_OBJECT), *list = json_new(arena, JSON_T_ARRAY),
                     *choice = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, rp, "id", party->rp_id);
    json_set_text(arena, rp, "name", RF_S("Ringfort"));
    json_set_text(arena, user, "id", base64url_encode(arena, user_handle));
    json_set_text(arena, user, "name", user_name);
    json_set_text(arena, user, "displayName", display_name);
    for (size_t i = 0; i < RF_COUNT(algorithms) && list != NULL; i++) {
        struct json_node *item = json_append(list, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, item, "type", RF_S("public-key"));
        json_set_i64(arena, item, "alg", algorithms[i]);
    }
    json_set_text(arena, choice, "residentKey", RF_S("required"));
    json_set_bool(arena, choice, "requireResidentKey", true);
    json_set_text(arena, choice, "userVerification", RF_S("required"));
    json_set(arena, out, RF_S("rp"), rp);
    json_set(arena, out, RF_S("user"), user);
    json_set_text(arena, out, "challenge",
                  base64url_encode(arena, rf_str_make(challenge, WEBAUTHN_CHALLENGE_BYTES)));
    json_set(arena, out, RF_S("pubKeyCredParams"), list);
    json_set_i64(arena, out, "timeout", 300000);
    json_set_text(arena, out, "attestation", RF_S("none"));
    json_set(arena, out, RF_S("excludeCredentials"), descriptors(arena, exclude, exclude_count));
    return json_set(arena, out, RF_S("authenticatorSelection"), choice) == NULL ? NULL : out;
}

struct json_node *webauthn_request_options(struct rf_arena *arena,
                                           const struct webauthn_party *party,
                                           const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                           const rf_str *allow, uint32_t allow_count)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, out, "challenge",
                  base64url_encode(arena, rf_str_make(challenge, WEBAUTHN_CHALLENGE_BYTES)));
    json_set_text(arena, out, "rpId", party->rp_id);
    json_set_i64(arena, out, "timeout", 300000);
    json_set_text(arena, out, "userVerification", RF_S("required"));
    return json_set(arena, out, RF_S("allowCredentials"), descriptors(arena, allow, allow_count)) ==
                   NULL
               ? NULL
               : out;
}
