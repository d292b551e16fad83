/* jws.c - signed requests: flattened JSON Web Signatures (RFC 7515, 7.2.2; RFC 8555, 6.2). */
#include "acme/acme_int.h"
#include "base/encode.h"
#include "crypt/digest.h"
#include "crypt/jwt.h"

static enum rf_kind malformed(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_INVALID, "malformed", "The JWS %s.", what);
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

/* A member that must be a text of base64url. */
static enum rf_kind part(const struct json_node *object, const char *name, struct rf_arena *arena,
                         rf_str *text, rf_str *bytes, struct rf_err *err)
{
    const struct json_node *member = json_get(object, name);
    if (!json_is(member, JSON_T_STRING))
        return RF_FAIL(err, RF_INVALID, "malformed", "The JWS needs \"%s\", a text.", name);
    *text = member->text;
    if (base64url_decode(arena, member->text, bytes, NULL) != RF_OK)
        return RF_FAIL(err, RF_INVALID, "malformed",
                       "\"%s\" of the JWS is no base64url without padding.", name);
    return RF_OK;
}

static enum rf_kind check_algorithm(rf_str alg, enum acme_jws_use use, struct rf_err *err)
{
    if (use == ACME_JWS_MAC) {
        if (rf_str_is(alg, "HS256")) return RF_OK;
        return RF_FAIL(err, RF_INVALID, "badSignatureAlgorithm",
                       "An external account is bound with HS256.");
    }
    if (rf_str_is(alg, "ES256") || rf_str_is(alg, "RS256")) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "badSignatureAlgorithm",
                   "Signatures are of ES256 (a key of P-256) or RS256 (RSA of 2048 bits or more).");
}

static enum rf_kind read_header(rf_str text, enum acme_jws_use use, struct rf_arena *arena,
                                struct acme_jws *out, struct rf_err *err)
{
    struct json_node *header;
    if (json_parse(text, arena, &header, NULL) != RF_OK || header->type != JSON_T_OBJECT)
        return malformed(err, "has a protected header that is no JSON object");
    if (json_get(header, "crit") != NULL || json_get(header, "b64") != NULL)
        return malformed(err, "has a header that asks for an extension (crit, b64)");
    const struct json_node *kid = json_get(header, "kid"), *jwk = json_get(header, "jwk");
    out->alg = json_text_at(header, "alg");
    out->nonce = json_text_at(header, "nonce");
    out->url = json_text_at(header, "url");
    out->kid = json_text_at(header, "kid");
    out->jwk = json_is(jwk, JSON_T_OBJECT) ? jwk : NULL;
    RF_TRY(check_algorithm(out->alg, use, err));
    if ((kid != NULL) == (jwk != NULL))
        return malformed(err, "names its key by \"jwk\" or by \"kid\", one of them");
    if (kid != NULL ? out->kid.len == 0 : out->jwk == NULL)
        return malformed(err, "has a \"kid\" that is no text, or a \"jwk\" that is no object");
    if (out->url.len == 0) return malformed(err, "needs \"url\" in its protected header");
    if (use == ACME_JWS_REQUEST ? out->nonce.len == 0 : json_get(header, "nonce") != NULL)
        return malformed(err, use == ACME_JWS_REQUEST ? "needs \"nonce\" in its protected header"
                                                      : "within the request has no nonce");
    return RF_OK;
}

enum rf_kind acme_jws_read(const struct json_node *object, enum acme_jws_use use,
                           struct rf_arena *arena, struct acme_jws *out, struct rf_err *err)
{
    rf_str header_text, header, payload_text, signature_text;
    *out = (struct acme_jws){0};
    if (!json_is(object, JSON_T_OBJECT)) return malformed(err, "is no JSON object");
    if (json_get(object, "header") != NULL || json_get(object, "signatures") != NULL)
        return malformed(err, "is a flattened one without an unprotected header");
    RF_TRY(part(object, "protected", arena, &header_text, &header, err));
    RF_TRY(part(object, "payload", arena, &payload_text, &out->payload, err));
    RF_TRY(part(object, "signature", arena, &signature_text, &out->signature, err));
    RF_TRY(read_header(header, use, arena, out, err));
    out->signed_part =
        rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(header_text), RF_FMT(payload_text));
    return out->signed_part.ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- checking ------------------------------------------------------------------------------------------------------------------- */

static bool is_by(const struct acme_jws *jws, const struct public_key *key)
{
    struct jwt jwt = {.alg = rf_str_is(jws->alg, "ES256") ? JWT_ES256 : JWT_RS256,
                      .signed_part = jws->signed_part,
                      .signature = jws->signature};
    return jwt_check(&jwt, key, JWT_ES256 | JWT_RS256, NULL) == RF_OK;
}

enum rf_kind acme_jws_check(const struct acme_jws *jws, const struct json_node *jwk,
                            struct rf_err *err)
{
    struct public_key *key;
    struct rf_err why;
    if (public_key_of_jwk(jwk, &key, &why) != RF_OK) {
        if (strcmp(why.code, "MemoryBudgetExceeded") == 0) {
            if (err != NULL) *err = why;
            return RF_LIMIT;
        }
        return RF_FAIL(err, RF_INVALID, "badPublicKey", "The key is not taken: %s.", why.text);
    }
    bool good = is_by(jws, key);
    public_key_free(key);
    return good ? RF_OK : malformed(err, "has a signature that is not this key's");
}

bool acme_jws_is_by(const struct acme_jws *jws, rf_str cert)
{
    struct public_key *key;
    if (public_key_of_cert(cert, &key, NULL) != RF_OK) return false;
    bool good = is_by(jws, key);
    public_key_free(key);
    return good;
}

bool acme_jws_check_mac(const struct acme_jws *jws, rf_str key)
{
    uint8_t mac[SHA256_BYTES];
    digest_hmac_sha256(key, jws->signed_part, mac);
    return secret_equal(rf_str_make(mac, sizeof mac), jws->signature);
}

enum rf_kind acme_thumbprint(const struct json_node *jwk, struct rf_arena *arena, rf_str *out,
                             struct json_node **needed, struct rf_err *err)
{
    /* In the order of RFC 7638. */
    static const char *const of_ec[] = {"crv", "kty", "x", "y"}, *const of_rsa[] = {"e", "kty",
                                                                                    "n"};
    bool is_ec = rf_str_is(json_text_at(jwk, "kty"), "EC");
    const char *const *members = is_ec ? of_ec : of_rsa;
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    if (!is_ec && !rf_str_is(json_text_at(jwk, "kty"), "RSA"))
        return RF_FAIL(err, RF_INVALID, "badPublicKey",
                       "The key is not taken: its kty is neither EC nor RSA.");
    for (size_t i = 0; i < (is_ec ? RF_COUNT(of_ec) : RF_COUNT(of_rsa)); i++) {
        rf_str value = json_text_at(jwk, members[i]);
        if (value.len == 0)
            return RF_FAIL(err, RF_INVALID, "badPublicKey",
                           "The key is not taken: it has no \"%s\".", members[i]);
        if (json_set_text(arena, node, members[i], value) == NULL)
            return rf_fail_memory(err, arena);
    }
    uint8_t digest[SHA256_BYTES];
    rf_str text = json_to_text(arena, node);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    digest_sha256(text, digest);
    *out = base64url_encode(arena, rf_str_make(digest, sizeof digest));
    if (needed != NULL) *needed = node;
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}
