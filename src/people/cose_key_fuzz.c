#include "people/webauthn_int.h"
#include "test/rf_fuzz.h"

/* A key that is taken is one of the four kinds, and a signature that nobody made is not its. */
RF_FUZZ(cose_key, text)
{
    size_t end;
    int32_t algorithm;
    EVP_PKEY *key = cose_key_read(text, 0, &end, &algorithm);
    if (key == NULL) return;
    RF_ASSERT(end <= text.len);
    RF_ASSERT(algorithm == COSE_ES256 || algorithm == COSE_EDDSA || algorithm == COSE_ES384 ||
              algorithm == COSE_RS256);
    RF_ASSERT(!cose_key_verify(key, algorithm, text, RF_S("no signature")));
    EVP_PKEY_free(key);
}
