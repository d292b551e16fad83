/* SHA-256 through the functions that OpenSSL 3 calls old: the new ones look an algorithm up by its name at each call, which takes longer than to hash
 * a line of text, and the keeper hashes a dozen of them for a request. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypt/digest.h"

#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

void digest_sha1(rf_str bytes, uint8_t out[SHA1_BYTES])
{
    RF_ASSERT(SHA1(bytes.ptr, bytes.len, out) != NULL);
}

void digest_sha256(rf_str bytes, uint8_t out[SHA256_BYTES])
{
    SHA256_CTX ctx;
    RF_ASSERT(SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, bytes.ptr, bytes.len) == 1 &&
              SHA256_Final(out, &ctx) == 1);
    OPENSSL_cleanse(&ctx, sizeof ctx);
}

/* One half of an HMAC (RFC 2104): the hash of the padded key and `bytes`. */
static void hmac_half(const uint8_t key[SHA256_CBLOCK], uint8_t pad, rf_str bytes,
                      uint8_t out[SHA256_BYTES])
{
    SHA256_CTX ctx;
    uint8_t block[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof block; i++) block[i] = key[i] ^ pad;
    RF_ASSERT(SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, block, sizeof block) == 1 &&
              SHA256_Update(&ctx, bytes.ptr, bytes.len) == 1 && SHA256_Final(out, &ctx) == 1);
    OPENSSL_cleanse(&ctx, sizeof ctx);
    OPENSSL_cleanse(block, sizeof block);
}

void digest_hmac_sha256(rf_str key, rf_str bytes, uint8_t out[SHA256_BYTES])
{
    uint8_t block[SHA256_CBLOCK] = {0}, inner[SHA256_BYTES];
    if (key.len > sizeof block)
        digest_sha256(key, block);
    else if (key.len > 0)
        memcpy(block, key.ptr, key.len);
    hmac_half(block, 0x36, bytes, inner);
    hmac_half(block, 0x5c, rf_str_make(inner, sizeof inner), out);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(inner, sizeof inner);
}

void random_bytes(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR) continue;
        RF_ASSERT(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

bool secret_equal(rf_str a, rf_str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}
