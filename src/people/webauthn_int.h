/* webauthn_int.h - what the files of passkeys share. */
#ifndef RF_WEBAUTHN_INT_H
#define RF_WEBAUTHN_INT_H

#include <openssl/evp.h>

#include "people/webauthn.h"

enum { COSE_ES256 = -7, COSE_EDDSA = -8, COSE_ES384 = -35, COSE_RS256 = -257 };
/* The key of a COSE_Key (RFC 9053) as it stands from `at` on; *end is behind it. NULL: none that we take. */
EVP_PKEY *cose_key_read(rf_str text, size_t at, size_t *end, int32_t *algorithm);
/* Whether `signature` is the key's over `bytes`. */
bool cose_key_verify(EVP_PKEY *key, int32_t algorithm, rf_str bytes, rf_str signature);

#endif
