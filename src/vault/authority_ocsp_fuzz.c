#include "test/rf_fuzz.h"
#include "vault/authority_int.h"

/* What anybody may send to an OCSP responder. */
RF_FUZZ(authority_ocsp, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct ocsp_asked asked;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    if (authority_ocsp_read(text, &arena, &asked, &err) != RF_OK) {
        RF_ASSERT(err.kind != RF_INVALID || err.code != NULL);
        return;
    }
    RF_ASSERT(asked.count >= 1 && asked.count <= OCSP_ASKED_MAX);
    RF_ASSERT(asked.nonce.len <= OCSP_NONCE_BYTES_MAX);
    for (uint32_t i = 0; i < asked.count; i++) {
        RF_ASSERT(asked.items[i].name_hash.len == (asked.items[i].is_sha256 ? 32 : 20));
        RF_ASSERT(asked.items[i].key_hash.len == asked.items[i].name_hash.len);
        RF_ASSERT(asked.items[i].serial.len >= 2 &&
                  asked.items[i].serial.len <= AUTHORITY_SERIAL_CHARS);
        RF_ASSERT(asked.items[i].id.len > 0);
    }
}
