#include "crypt/device.h"

#include <openssl/evp.h>

#include "test/rf_fuzz.h"

/* Whatever is taken has one key that is taken again, and a name that could be a device's or none. */
RF_FUZZ(device, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct csr csr;
    EVP_PKEY *key;
    rf_arena_init(&arena, 1 << 20);
    if (device_key_read(text, &key, NULL) == RF_OK) EVP_PKEY_free(key);
    if (csr_read(text, &arena, &csr, NULL) != RF_OK) return;
    RF_ASSERT(csr.common_name.len == 0 || device_name_is_good(csr.common_name));
    RF_ASSERT(csr.public_key.len <= DEVICE_KEY_BYTES_MAX);
    enum rf_kind kind = device_key_read(csr.public_key, &key, NULL);
    RF_ASSERT(kind == RF_OK);
    EVP_PKEY_free(key);
}
