/* seal_key_int.h - what the files of seal_key share: the key, its idle tools, the table of algorithms. */
#ifndef RF_SEAL_KEY_INT_H
#define RF_SEAL_KEY_INT_H

#include <pthread.h>

#include <openssl/evp.h>

#include "crypt/seal_key.h"

enum {
    SEAL_RSA_BYTES_MAX = 512,
    SEAL_EC_BYTES_MAX = 66,     /* of a coordinate */
    SEAL_PUBLIC_BYTES_MAX = 600 /* SubjectPublicKeyInfo of RSA 4096 has 550 */
};

/* OpenSSL 3 takes a tenth of a signature's time, and more than an AES operation's, to set a context up: so a key keeps a few that are set up
 * for the algorithms it was last used with. One thread at a time has one. */
struct seal_tool {
    struct seal_tool *next;
    const struct seal_algorithm *algorithm;
    bool forward;       /* encrypt, wrap, sign */
    EVP_PKEY_CTX *pkey; /* one of the three */
    EVP_CIPHER_CTX *cipher;
    EVP_MAC_CTX *mac;
};

struct seal_key {
    enum seal_material material;
    uint32_t bits;
    size_t bytes;   /* of the modulus, a coordinate, or the key itself (oct) */
    EVP_PKEY *pkey; /* NULL: oct */
    uint8_t *oct;
    uint8_t public_key[SEAL_PUBLIC_BYTES_MAX]; /* SubjectPublicKeyInfo */
    size_t public_bytes;
    pthread_mutex_t lock;
    struct seal_tool *idle; /* the one used last comes first */
};

struct seal_job {
    struct seal_key *key;
    const struct seal_algorithm *algorithm;
    struct seal_tool *tool;
    const struct seal_use *use;
    struct rf_arena *arena;
};
struct seal_algorithm {
    const char *name;
    enum seal_material material;
    uint32_t bits; /* of an oct key; 0: any */
    unsigned ops;
    const char *primitive; /* OpenSSL's name of the digest, or the cipher's mode */
    size_t digest_bytes;   /* of what is signed; 0: any */
    bool (*prepare)(const struct seal_key *key, struct seal_tool *tool);
    enum rf_kind (*run)(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
};

/* prepare and run of the families. */
bool seal_prepare_pkcs1_sign(const struct seal_key *key, struct seal_tool *tool);
bool seal_prepare_pss(const struct seal_key *key, struct seal_tool *tool);
bool seal_prepare_ec(const struct seal_key *key, struct seal_tool *tool);
bool seal_prepare_hmac(const struct seal_key *key, struct seal_tool *tool);
enum rf_kind seal_run_rsa_sign(const struct seal_job *job, struct seal_used *out,
                               struct rf_err *err);
enum rf_kind seal_run_ec(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
enum rf_kind seal_run_hmac(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
bool seal_prepare_rsa15(const struct seal_key *key, struct seal_tool *tool);
bool seal_prepare_oaep(const struct seal_key *key, struct seal_tool *tool);
enum rf_kind seal_run_rsa15(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
enum rf_kind seal_run_oaep(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
bool seal_prepare_aes(const struct seal_key *key, struct seal_tool *tool);
enum rf_kind seal_run_gcm(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
enum rf_kind seal_run_cbc(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
enum rf_kind seal_run_cbcpad(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
enum rf_kind seal_run_kw(const struct seal_job *job, struct seal_used *out, struct rf_err *err);
enum rf_kind seal_run_kwp(const struct seal_job *job, struct seal_used *out, struct rf_err *err);

/* A number whose value the compiler cannot reason about: else it may turn masks into branches. */
static inline uint32_t seal_opaque(uint32_t x)
{
    __asm__("" : "+r"(x));
    return x;
}
/* The one answer for whatever cannot be decrypted or unwrapped: it does not say why. */
enum rf_kind seal_undecryptable(struct rf_err *err);
/* RF_IO CryptoFailed: OpenSSL could not do what it should always do. */
enum rf_kind seal_crypto_failed(const char *what, struct rf_err *err);
/* Whether, since seal_begin in this thread, OpenSSL lacked memory, which the keeper's bounded heap makes possible: then what it said is no verdict on
 * what was given. Empties OpenSSL's queue of errors. */
void seal_begin(void);
bool seal_lacks_memory(void);
/* Whether `der`, SubjectPublicKeyInfo, is this key's. */
bool seal_key_owns(const struct seal_key *key, rf_str der);

#endif
