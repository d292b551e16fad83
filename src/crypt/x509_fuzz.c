#include "crypt/jwt.h"
#include "crypt/x509.h"
#include "test/rf_fuzz.h"

RF_FUZZ(x509, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cert_info info, again;
    struct public_key *key;
    rf_arena_init(&arena, 1 << 20);
    if (cert_read(text, &arena, &info, NULL) != RF_OK) return;
    /* Its PEM is the same certificate. */
    RF_ASSERT(cert_read(cert_pem(&arena, info.der), &arena, &again, NULL) == RF_OK);
    RF_ASSERT(rf_str_eq(info.der, again.der));
    RF_ASSERT(rf_utf8_valid(info.subject));
    if (public_key_of_cert(info.der, &key, NULL) == RF_OK) public_key_free(key);
}
