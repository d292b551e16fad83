/* jwt.h - JSON Web Tokens in compact form (RFC 7515, 7519): strict reading, and checking against a key.
 *
 * Rejected: anything but three parts of base64url, repeated members, trailing bytes, tokens over JWT_BYTES_MAX, `crit`, `jku`,
 * `jwk`, `x5u` in the header, algorithms other than RS256, PS256, ES256. The algorithm is checked against the kind of the
 * key that the caller found, never chosen by the token alone. */
#ifndef RF_JWT_H
#define RF_JWT_H

#include "base/json_tree.h"

enum { JWT_BYTES_MAX = 16 << 10 };
enum jwt_alg { JWT_RS256 = 1, JWT_PS256 = 2, JWT_ES256 = 4 }; /* bits, for sets */

struct jwt {
    enum jwt_alg alg;
    const struct json_node *header, *claims;
    rf_str kid, x5t, x5t_s256; /* of the header; empty when absent */
    rf_str signed_part, signature;
};
/* Allocates in `arena`; views of `text`. RF_INVALID BadToken, or BadTokenAlgorithm (the header asks for an
 * algorithm or a key that is not accepted); the text says what is wrong and holds nothing of the token. */
RF_MUST_USE enum rf_kind jwt_parse(rf_str text, struct rf_arena *arena, struct jwt *out,
                                   struct rf_err *err);

struct public_key; /* RSA (2048..8192 bits) or P-256 */
RF_MUST_USE enum rf_kind public_key_of_cert(rf_str der, struct public_key **out,
                                            struct rf_err *err);
/* Of a JWK: {"kty":"RSA","n","e"} or {"kty":"EC","crv":"P-256","x","y"}. */
RF_MUST_USE enum rf_kind public_key_of_jwk(const struct json_node *jwk, struct public_key **out,
                                           struct rf_err *err);
void public_key_free(struct public_key *key);
/* The modulus and exponent of an RSA key, big endian; false for others. */
bool public_key_rsa(const struct public_key *key, struct rf_arena *arena, rf_str *n, rf_str *e);

/* RF_DENIED BadSignature; also when alg is not in `allowed` or does not suit the key. Any thread. */
RF_MUST_USE enum rf_kind jwt_check(const struct jwt *jwt, const struct public_key *key,
                                   unsigned allowed, struct rf_err *err);

/* base64url(header) "." base64url(claims): what is to be signed. */
rf_str jwt_signing_input(struct rf_arena *arena, const struct json_node *header,
                         const struct json_node *claims);
/* The whole token. */
rf_str jwt_assemble(struct rf_arena *arena, rf_str signing_input, rf_str signature);

#endif
