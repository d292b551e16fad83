#include "crypt/jwt.h"

#include "base/encode.h"

/* The header names no key of ours, or none that can be believed. */
static enum rf_kind bad_algorithm(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadTokenAlgorithm", "the token %s", what);
}

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadToken", "the token %s", what);
}

/* Reads a part. The errors of the readers below quote what they found; a token's must not, so only lack of memory is passed
 * on. */
static enum rf_kind read_bytes(rf_str part, struct rf_arena *arena, const char *wrong, rf_str *out,
                               struct rf_err *err)
{
    enum rf_kind kind = base64url_decode(arena, part, out, err);
    return kind == RF_OK || kind == RF_LIMIT ? kind : bad(wrong, err);
}

static enum rf_kind read_object(rf_str part, struct rf_arena *arena, const char *wrong,
                                const struct json_node **out, struct rf_err *err)
{
    struct rf_err why = {0};
    struct json_node *node = NULL;
    rf_str text;
    RF_TRY(read_bytes(part, arena, wrong, &text, err));
    enum rf_kind kind = json_parse(text, arena, &node, &why);
    if (kind == RF_LIMIT && strcmp(why.code, "MemoryBudgetExceeded") == 0)
        return rf_fail_memory(err, arena);
    if (kind != RF_OK || node->type != JSON_T_OBJECT) return bad(wrong, err);
    *out = node;
    return RF_OK;
}

static enum rf_kind read_header(struct jwt *jwt, struct rf_err *err)
{
    static const struct {
        const char *name;
        enum jwt_alg alg;
    } algs[] = {{"RS256", JWT_RS256}, {"PS256", JWT_PS256}, {"ES256", JWT_ES256}};
    /* Each names or holds a key of the sender's choice, or changes what the token means (b64: RFC 7797). */
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "b64", "zip", "enc"};
    for (size_t i = 0; i < RF_COUNT(refused); i++)
        if (json_get(jwt->header, refused[i]) != NULL)
            return bad_algorithm("has a header with a member that is not accepted", err);
    static const char *const texts[] = {"alg", "kid", "x5t", "x5t#S256", "typ", "cty"};
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        const struct json_node *member = json_get(jwt->header, texts[i]);
        if (member != NULL && member->type != JSON_T_STRING)
            return bad("has a header with a member of the wrong type", err);
    }
    const struct json_node *alg = json_get(jwt->header, "alg");
    for (size_t i = 0; alg != NULL && i < RF_COUNT(algs); i++)
        if (rf_str_is(alg->text, algs[i].name)) jwt->alg = algs[i].alg;
    if (jwt->alg == 0) return bad_algorithm("names no algorithm that is accepted", err);
    const struct json_node *kid = json_get(jwt->header, "kid"), *x5t = json_get(jwt->header, "x5t"),
                           *s256 = json_get(jwt->header, "x5t#S256");
    if (kid != NULL) jwt->kid = kid->text;
    if (x5t != NULL) jwt->x5t = x5t->text;
    if (s256 != NULL) jwt->x5t_s256 = s256->text;
    return RF_OK;
}

enum rf_kind jwt_parse(rf_str text, struct rf_arena *arena, struct jwt *out, struct rf_err *err)
{
    struct jwt jwt = {0};
    if (text.len > JWT_BYTES_MAX) return bad("is too long", err);
    size_t first = rf_str_find(text, RF_S("."), 0);
    size_t second = first == SIZE_MAX ? SIZE_MAX : rf_str_find(text, RF_S("."), first + 1);
    /* A third dot falls to the base64 of the last part. */
    if (second == SIZE_MAX) return bad("does not have three parts", err);
    if (first == 0 || second == first + 1 || second + 1 == text.len)
        return bad("has an empty part", err);
    RF_TRY(read_object(rf_slice(text, 0, first), arena, "has a header that cannot be read",
                       &jwt.header, err));
    RF_TRY(read_header(&jwt, err));
    RF_TRY(read_object(rf_slice(text, first + 1, second), arena, "has claims that cannot be read",
                       &jwt.claims, err));
    RF_TRY(read_bytes(rf_slice(text, second + 1, text.len), arena,
                      "has a signature that cannot be read", &jwt.signature, err));
    jwt.signed_part = rf_slice(text, 0, second);
    *out = jwt;
    return RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

rf_str jwt_signing_input(struct rf_arena *arena, const struct json_node *header,
                         const struct json_node *claims)
{
    rf_str parts[2] = {json_to_text(arena, header), json_to_text(arena, claims)};
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t i = 0; i < RF_COUNT(parts); i++) {
        if (parts[i].ptr != NULL) parts[i] = base64url_encode(arena, parts[i]);
        if (parts[i].ptr == NULL) return (rf_str){0};
    }
    rf_buf_str(&buf, parts[0]);
    rf_buf_byte(&buf, '.');
    rf_buf_str(&buf, parts[1]);
    if (buf.failed) return (rf_str){0};
    return rf_buf_view(&buf);
}

rf_str jwt_assemble(struct rf_arena *arena, rf_str signing_input, rf_str signature)
{
    rf_str text = base64url_encode(arena, signature);
    struct rf_buf buf = rf_buf_in(arena);
    if (text.ptr == NULL) return text;
    rf_buf_str(&buf, signing_input);
    rf_buf_byte(&buf, '.');
    rf_buf_str(&buf, text);
    if (buf.failed) return (rf_str){0};
    return rf_buf_view(&buf);
}
