#include "crypt/jwt.h"
#include "test/rf_fuzz.h"

/* What is accepted is checked too, against a key of each kind (RFC 7515 appendix A). */
static struct public_key *key_of(const char *text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct json_node *jwk;
    struct public_key *key = NULL;
    RF_ASSERT(json_parse(rf_str_of(text), &arena, &jwk, NULL) == RF_OK);
    RF_ASSERT(public_key_of_jwk(jwk, &key, NULL) == RF_OK);
    return key;
}

RF_FUZZ(jwt, text)
{
    static struct public_key *ec;
    if (ec == NULL)
        ec = key_of("{\"kty\":\"EC\",\"crv\":\"P-256\","
                    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct jwt jwt;
    struct json_node *jwk;
    struct public_key *key;
    rf_arena_init(&arena, 1 << 20);
    if (jwt_parse(text, &arena, &jwt, NULL) == RF_OK) {
        RF_ASSERT(jwt.header != NULL && jwt.claims != NULL);
        (void)!jwt_check(&jwt, ec, JWT_RS256 | JWT_PS256 | JWT_ES256, NULL);
    }
    if (json_parse(text, &arena, &jwk, NULL) == RF_OK &&
        public_key_of_jwk(jwk, &key, NULL) == RF_OK)
        public_key_free(key);
}
