#include "crypt/digest.h"

#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

void digest_sha1(rf_str bytes, uint8_t out[SHA1_BYTES])
{
    RF_ASSERT(SHA1(bytes.ptr, bytes.len, out) != NULL);
}

void digest_sha256(rf_str bytes, uint8_t out[SHA256_BYTES])
{
    RF_ASSERT(SHA256(bytes.ptr, bytes.len, out) != NULL);
}

void digest_hmac_sha256(rf_str key, rf_str bytes, uint8_t out[SHA256_BYTES])
{
    static const uint8_t none[1]; /* OpenSSL reads NULL as "the key of last time" */
    unsigned got = 0;
    RF_ASSERT(key.len <= INT32_MAX);
    RF_ASSERT(HMAC(EVP_sha256(), key.len == 0 ? none : key.ptr, (int)key.len, bytes.ptr, bytes.len,
                   out, &got) != NULL);
    RF_ASSERT(got == SHA256_BYTES);
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
