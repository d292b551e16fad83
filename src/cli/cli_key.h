/* cli_key.h - between the files of ringfort key. */
#ifndef RF_CLI_KEY_H
#define RF_CLI_KEY_H

#include "cli/cli_vault.h"

/* A PEM private key (RSA, EC; PKCS #8 or the older forms) as the JWK that a vault imports. `passphrase`: of an encrypted one; empty: none is
 * known. RF_INVALID BadKey. */
RF_MUST_USE enum rf_kind cli_key_jwk(rf_str pem, rf_str passphrase, struct rf_arena *arena,
                                     struct json_node **out, struct rf_err *err);
/* A vault's public key (kty, n, e or crv, x, y) as PEM (SubjectPublicKeyInfo). RF_INVALID BadKey: of another type. */
RF_MUST_USE enum rf_kind cli_key_pem(const struct json_node *jwk, struct rf_arena *arena,
                                     rf_str *out, struct rf_err *err);

/* What a key is used for (cli_key_use.c). */
struct cli_key_use {
    const char *algorithm, *file, *out, *signature, *aad;
    rf_str version;
    bool raw, is_digest, force;
};
enum rf_kind cli_key_sign(struct cli_vault *v, const struct cli_key_use *use, struct rf_err *err);
enum rf_kind cli_key_verify(struct cli_vault *v, const struct cli_key_use *use, struct rf_err *err);
/* `operation`: encrypt or wrapkey; decrypt or unwrapkey. */
enum rf_kind cli_key_hide(struct cli_vault *v, const struct cli_key_use *use, const char *operation,
                          struct rf_err *err);
enum rf_kind cli_key_open(struct cli_vault *v, const struct cli_key_use *use, const char *operation,
                          struct rf_err *err);
/* Cuts what cli_key_hide wrote, by the algorithm: AES-GCM iv (12), text, tag (16); AES-CBC iv (16), text; else the text alone. False: it is too
 * short. */
bool cli_key_cut(rf_str algorithm, rf_str blob, rf_str *iv, rf_str *text, rf_str *tag);

#endif
