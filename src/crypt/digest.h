/* digest.h - hashes, MACs, random bytes, comparison without a leak: thin words over OpenSSL. */
#ifndef RF_DIGEST_H
#define RF_DIGEST_H

#include "base/rf.h"

enum { SHA1_BYTES = 20, SHA256_BYTES = 32 };
void digest_sha1(rf_str bytes, uint8_t out[SHA1_BYTES]);
void digest_sha256(rf_str bytes, uint8_t out[SHA256_BYTES]);
void digest_hmac_sha256(rf_str key, rf_str bytes, uint8_t out[SHA256_BYTES]);
/* From the operating system; aborts when it has none. */
void random_bytes(void *out, size_t len);
/* Takes the same time whatever the contents; lengths may show. */
bool secret_equal(rf_str a, rf_str b);

#endif
