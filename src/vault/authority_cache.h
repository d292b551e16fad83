/* authority_cache.h - signed OCSP answers of the last minutes, for requests of one certificate without a nonce; and how many are signed at most. */
#ifndef RF_VAULT_AUTHORITY_CACHE_H
#define RF_VAULT_AUTHORITY_CACHE_H

#include "base/rf.h"

enum { CACHED_SECONDS = 300, SIGNED_PER_SECOND = 100 };
struct authority_cache;
/* NULL on lack of memory. */
struct authority_cache *authority_cache_new(void);
void authority_cache_free(struct authority_cache *cache); /* NULL is fine */

/* What an answer is for; an answer for another standing of the certificate is none. */
struct cached_answer {
    struct authority_cache *vaults;
    rf_str authority, id; /* CertID, DER */
    int status;
    int64_t revoked, now;
};
/* Into `arena`. Any thread. */
bool authority_cache_get(const struct cached_answer *wanted, struct rf_arena *arena, rf_str *out);
/* Whether one more answer may be signed in this second: each is a line of the keeper's audit log, and anybody may ask. Any thread. */
bool authority_cache_may_sign(struct authority_cache *cache, int64_t now);
/* Copies; takes the place of another one. Does nothing on lack of memory. */
void authority_cache_put(const struct cached_answer *wanted, rf_str answer);

#endif
