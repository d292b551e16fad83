/* vault_seal.h - how the material of vaults is sealed, and what the server may ask of the keeper about it.
 *
 * Root key -> key of a vault -> key of an item (all versions of one name) -> material of a version. Each step is AES-256-GCM; what is
 * sealed lies with the server, which can open none of it:
 *
 *   wrapped key, WRAPPED_KEY_BYTES: 0 1 format (1), 1 1 step (enum seal_step), 2 2 zero, 4 4 generation of the root key (0 when another
 *     key wraps), 8 12 nonce, 20 32 sealed key, 52 16 tag.
 *     Additional data: the first 8 bytes; of a vault's key its id; of an item's key the vault's id, kind, item's id and the name in lower case.
 *   sealed version: the head (SEAL_HEAD_BYTES, in clear), 12 nonce, the material, 16 tag.
 *     Additional data: the item's id and the head. So nothing can be swapped between vaults, items and versions, and no attribute that the
 *     keeper heeds can be changed without it.
 *
 * An item whose key is destroyed (seal_destroy) is gone, whoever keeps copies of what was sealed. The head's generation grows with each change of
 * a version; the keeper remembers the highest that it has opened and refuses older ones (RF_DENIED SealRolledBack).
 *
 * Every call that uses or gives out material carries the caller's access token, which the keeper checks itself: signature of one of its own
 * keys, time, and that it was made for vaults. What the program does by itself (renewal, rotation) carries none, and gets nothing that
 * could be read: calls that may go without a token say so. Who may do what with which item the server decides (Azure RBAC).
 *
 * Errors of all: RF_DENIED SealToken (the token), SealBroken (a seal, or its place, does not hold), SealRolledBack, SealDestroyed, SealDisabled,
 * SealNotYet, SealExpired, SealOperation (the head forbids it); RF_INVALID SealArgument, SealAlgorithm, SealInput (one answer for whatever cannot be
 * decrypted); RF_LIMIT SealRate, MessageTooLarge; RF_AGAIN KeeperGone, KeeperSlow, VaultSealed (no root key yet). Refusals are lines of the keeper's audit log, and so is each use
 * of material, on the disk before the answer. */
#ifndef RF_VAULT_SEAL_H
#define RF_VAULT_SEAL_H

#include "crypt/keeper.h"

enum {
    SEAL_ID_BYTES = 16,
    WRAPPED_KEY_BYTES = 68,
    SEAL_HEAD_BYTES = 64,
    SEAL_MATERIAL_BYTES_MAX = 48 << 10
};
enum seal_step { SEAL_STEP_VAULT = 1, SEAL_STEP_ITEM, SEAL_STEP_BACKUP, SEAL_STEP_DATA };
enum seal_kind { SEAL_SECRET = 1, SEAL_KEY, SEAL_CERTIFICATE };
/* Material: of a secret its value (UTF-8), of keys PKCS #8 (RSA, EC) or the bytes themselves (oct). */
enum seal_material {
    SEAL_VALUE = 1,
    SEAL_RSA,
    SEAL_P256,
    SEAL_P384,
    SEAL_P521,
    SEAL_P256K,
    SEAL_OCT
};
enum seal_op { /* bits of seal_head.ops */
               SEAL_OP_ENCRYPT = 1,
               SEAL_OP_DECRYPT = 2,
               SEAL_OP_SIGN = 4,
               SEAL_OP_VERIFY = 8,
               SEAL_OP_WRAP = 16,
               SEAL_OP_UNWRAP = 32
};
#define SEAL_NO_TIME INT64_MIN

/* The head: 0 1 format (1), 1 1 material, 2 1 flags (1 enabled, 2 exportable, 4 managed), 3 1 ops, 4 4 bits of the key (RSA, oct; else 0),
 * 8 16 version's id, 24 8 generation, 32 8 not before, 40 8 expires (seconds since 1970, SEAL_NO_TIME: none), 48 16 zero. */
struct seal_head {
    enum seal_material material;
    bool enabled, exportable, managed;
    unsigned ops;
    uint32_t bits;
    uint8_t version[SEAL_ID_BYTES];
    uint64_t generation; /* 1 at first */
    int64_t not_before, expires;
};
void seal_head_put(const struct seal_head *head, uint8_t out[SEAL_HEAD_BYTES]);
/* Of a sealed version. RF_INVALID SealArgument. */
RF_MUST_USE enum rf_kind seal_head_get(rf_str sealed, struct seal_head *out, struct rf_err *err);

/* Where an item stands, and the keys on the way to it. */
struct seal_ring {
    uint8_t vault_id[SEAL_ID_BYTES], item_id[SEAL_ID_BYTES];
    enum seal_kind kind;
    rf_str name; /* lower case */
    rf_str vault_key,
        item_key; /* wrapped; item_key empty: the call makes the item, and gives its key */
};

/* The key of a new vault: wrapped, in `arena`. No token. */
RF_MUST_USE enum rf_kind seal_vault_new(struct keeper *keeper,
                                        const uint8_t vault_id[SEAL_ID_BYTES],
                                        struct rf_arena *arena, rf_str *vault_key,
                                        struct rf_err *err);

struct sealed {        /* in the arena of the call */
    rf_str item_key;   /* the wrapped key of the item: the ring's, or that of an item made now */
    rf_str version;    /* sealed */
    rf_str public_key; /* of an asymmetric key: SubjectPublicKeyInfo, DER; else empty */
};
/* Seals material that is given: a secret's value, an imported key (checked: form, size, public half fits private; the head's material and bits
 * must be what the key is). `token` may be empty for a value only. */
RF_MUST_USE enum rf_kind seal_put(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                                  const struct seal_head *head, rf_str material,
                                  struct rf_arena *arena, struct sealed *out, struct rf_err *err);
/* Gives a secret's value. Only SEAL_VALUE that is enabled. Never without a token. `out` is in `arena`; the caller wipes it. */
RF_MUST_USE enum rf_kind seal_open(struct keeper *keeper, rf_str token,
                                   const struct seal_ring *ring, rf_str sealed,
                                   struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* The same material under another head: version, material, bits and exportable as they were, generation one more. */
RF_MUST_USE enum rf_kind seal_change(struct keeper *keeper, rf_str token,
                                     const struct seal_ring *ring, rf_str sealed,
                                     const struct seal_head *head, struct rf_arena *arena,
                                     struct sealed *out, struct rf_err *err);
/* Makes a key as the head says. Without a token too. */
RF_MUST_USE enum rf_kind seal_key_new(struct keeper *keeper, rf_str token,
                                      const struct seal_ring *ring, const struct seal_head *head,
                                      struct rf_arena *arena, struct sealed *out,
                                      struct rf_err *err);

/* One operation with a key; never without a token. `algorithm` as the API names it ("RS256", "A256GCM"); what must be checked of lengths and fit is
 * (contracts/keyvault.md, 5.2). All results in `arena`. */
struct seal_use {
    enum seal_op op;
    rf_str algorithm;
    rf_str value; /* digest, plaintext, ciphertext, key; for SEAL_OP_VERIFY the digest or message */
    rf_str signature; /* SEAL_OP_VERIFY */
    rf_str iv, aad, tag;
};
struct seal_used {
    rf_str value;
    rf_str iv, tag; /* AES */
    bool verified;
};
RF_MUST_USE enum rf_kind seal_key_use(struct keeper *keeper, rf_str token,
                                      const struct seal_ring *ring, rf_str sealed,
                                      const struct seal_use *use, struct rf_arena *arena,
                                      struct seal_used *out, struct rf_err *err);

/* Signs a certificate or a request: `der` is a whole one whose signature is of no account, the keeper signs it anew and gives it in DER.
 *   SEAL_SIGN_SELF     a certificate for this key, issued by itself
 *   SEAL_SIGN_REQUEST  a PKCS #10 request for this key
 *   SEAL_SIGN_ISSUE    a certificate for another key, issued by `issuer` (this key's certificate, DER, which must be of an authority): the issuer's
 *                      name fits, it ends no later, and it is no authority unless issuer's path length lets it
 *   SEAL_SIGN_CRL      a revocation list of version 2 of `issuer`, with a number
 *   SEAL_SIGN_OCSP     what `issuer` says of its own certificates; `issuer` may be two certificates, one behind another: that of a responder (this key's,
 *                      for OCSP alone), and the authority's that issued it
 *   SEAL_SIGN_JWS      no certificate: the signing input (header.payload) of a message to an ACME server, by a key of an account there; `out` is the bare
 *                      signature. Such keys stand in items of kind SEAL_CERTIFICATE, which sign nothing else: P-256 (ES256), or an oct key that proves an
 *                      external account (HS256)
 * Digest: SHA-256, with P-384 SHA-384, with P-521 SHA-512. Without a token too. */
enum seal_sign {
    SEAL_SIGN_SELF = 1,
    SEAL_SIGN_REQUEST,
    SEAL_SIGN_ISSUE,
    SEAL_SIGN_CRL,
    SEAL_SIGN_OCSP,
    SEAL_SIGN_JWS
};
RF_MUST_USE enum rf_kind seal_certify(struct keeper *keeper, rf_str token,
                                      const struct seal_ring *ring, rf_str sealed,
                                      enum seal_sign what, rf_str issuer, rf_str der,
                                      struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* Makes the secret of a certificate: key and chain as a PFX (in standard base64, empty password, AES-256 and SHA-256) or PEM (PKCS #8, then the certificates), sealed as the
 * value of `secret`. A key that is not exportable is left out. `chain`: DER certificates one behind another, the leaf, whose public key
 * must be the key's, first. Without a token too. */
enum seal_format { SEAL_PFX = 1, SEAL_PEM };
RF_MUST_USE enum rf_kind seal_bundle(struct keeper *keeper, rf_str token,
                                     const struct seal_ring *key, rf_str sealed, rf_str chain,
                                     enum seal_format format, const struct seal_ring *secret,
                                     const struct seal_head *head, struct rf_arena *arena,
                                     struct sealed *out, struct rf_err *err);

/* Backup: the item's key wrapped for backups of this tenant, bound to `about` (the blob's head: kind, tenant ...) and to the item's id, and a fresh key
 * for the rest of the blob, in clear and wrapped (bound to `about`). */
struct seal_backup {
    rf_str item_key, content_key; /* wrapped, SEAL_STEP_BACKUP */
    uint8_t key[32];              /* content_key in clear; the caller wipes it */
};
RF_MUST_USE enum rf_kind seal_backup_make(struct keeper *keeper, rf_str token,
                                          const struct seal_ring *ring, rf_str about,
                                          struct rf_arena *arena, struct seal_backup *out,
                                          struct rf_err *err);
/* The way back: the blob's content is opened with the key; then each version is moved into an item of its own, with a new id. So a blob can be restored
 * when the item that it was made of has been destroyed, or lives on, and as often as one likes; what is destroyed stays so for
 * everything but the blob. */
RF_MUST_USE enum rf_kind seal_backup_open(struct keeper *keeper, rf_str token, rf_str content_key,
                                          rf_str about, uint8_t key[32], struct rf_err *err);
/* Where a version of a backup comes from. */
struct seal_backup_from {
    rf_str item_key;                /* seal_backup.item_key */
    rf_str about;                   /* as it was given to seal_backup_make */
    uint8_t item_id[SEAL_ID_BYTES]; /* of the item that the backup was made of */
};
/* Seals the version's material under the item of `ring` (item_key empty: makes the item, its key is in `out`), with the very head it has; kinds must be the
 * same. Neither destruction nor generations of the old item count, and the generations known of the new one begin with what is put. `out` as of seal_put, public key too. */
RF_MUST_USE enum rf_kind seal_backup_put(struct keeper *keeper, rf_str token,
                                         const struct seal_backup_from *from, rf_str sealed,
                                         const struct seal_ring *ring, struct rf_arena *arena,
                                         struct sealed *out, struct rf_err *err);

/* Purge: nothing that was sealed under the item opens any more, not even from copies; `proof` (text, in `arena`) names the line of the audit log that says so.
 * Of a whole vault: item_id all zero, kind and name of no account. No token: what a purge may is checked before. */
RF_MUST_USE enum rf_kind seal_destroy(struct keeper *keeper, const struct seal_ring *ring,
                                      struct rf_arena *arena, rf_str *proof, struct rf_err *err);
/* n bytes of the keeper's random numbers, at most 128. */
RF_MUST_USE enum rf_kind seal_random(struct keeper *keeper, rf_str token, uint8_t *out, size_t n,
                                     struct rf_err *err);

#endif
