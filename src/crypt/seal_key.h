/* seal_key.h - keys of vaults in clear: made, checked, used. For the keeper's inside only: nothing of this knows messages, tokens or seals.
 *
 * Errors of all beside those below: RF_IO CryptoFailed, mostly as OpenSSL's bounded memory is used up (giving keys back may help; never taken for a fault
 * of the input), RF_LIMIT MemoryBudgetExceeded of the arena. */
#ifndef RF_SEAL_KEY_H
#define RF_SEAL_KEY_H

#include "crypt/vault_seal.h"

/* A key that is ready for use; may be used by several threads at a time. */
struct seal_key;
/* `material` as vault_seal.h says: PKCS #8 or bytes. Checks that it is what the head says (kind, bits, curve), that it is whole and that its public half fits.
 * RSA: all eight numbers, multiplied and compared, and a random one there and back. RF_INVALID SealArgument. Cost: 2 ms for RSA 2048, 7 for 4096, 0.5 for P-256,
 * 2 for P-384; 8 to 15 KiB of OpenSSL's memory with tools for RSA, 5 for others. */
RF_MUST_USE enum rf_kind seal_key_load(const struct seal_head *head, rf_str material,
                                       struct seal_key **out, struct rf_err *err);
void seal_key_free(struct seal_key *key); /* wipes; NULL is fine */
/* Material of a new key as the head says, in `arena`; the caller wipes it. */
RF_MUST_USE enum rf_kind seal_key_make(const struct seal_head *head, struct rf_arena *arena,
                                       rf_str *material, struct rf_err *err);
/* SubjectPublicKeyInfo in DER, in `arena`; empty for SEAL_OCT. */
RF_MUST_USE enum rf_kind seal_key_public(const struct seal_key *key, struct rf_arena *arena,
                                         rf_str *der, struct rf_err *err);
/* One operation; what the head allows was checked before. Errors: RF_INVALID SealAlgorithm (unknown, or not for this key or operation), SealInput: a length
 * that does not fit, an iv given to GCM; one text for every value that cannot be decrypted or unwrapped. A bad signature is no error. */
RF_MUST_USE enum rf_kind seal_key_apply(struct seal_key *key, const struct seal_use *use,
                                        struct rf_arena *arena, struct seal_used *out,
                                        struct rf_err *err);
/* seal_certify and seal_bundle with the key in clear. *out in `arena`; what a bundle holds the caller wipes. RF_INVALID SealArgument says what is wrong with
 * the certificates; RF_LIMIT MessageTooLarge: a bundle above SEAL_MATERIAL_BYTES_MAX. Beyond vault_seal.h: names fit byte for byte, version 3, a serial
 * above 0 of at most 20 bytes, no extension twice; issued ones obey the issuer's name constraints, key usage and key identifier. A chain has at most 16. */
RF_MUST_USE enum rf_kind seal_key_certify(struct seal_key *key, enum seal_sign what, rf_str issuer,
                                          rf_str der, struct rf_arena *arena, rf_str *out,
                                          struct rf_err *err);
/* SEAL_SIGN_JWS. RF_INVALID SealArgument: the header is none of a message of ACME, or not for this key. */
RF_MUST_USE enum rf_kind seal_key_jws(struct seal_key *key, rf_str input, struct rf_arena *arena,
                                      rf_str *out, struct rf_err *err);
RF_MUST_USE enum rf_kind seal_key_bundle(struct seal_key *key, bool exportable, rf_str chain,
                                         enum seal_format format, struct rf_arena *arena,
                                         rf_str *out, struct rf_err *err);

#endif
