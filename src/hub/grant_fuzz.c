/* Signatures and connection strings: what they are taken apart into lies within them or is their decoding. */
#include "hub/types_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(grant, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct sas_fields sas;
    struct connection_string parts;
    if (sas_read(text, &arena, &sas, NULL) == RF_OK) {
        RF_ASSERT(sas.resource.len > 0 && sas.rule.len > 0);
        RF_ASSERT(sas.expires >= 0 && sas.uri.len <= sas.resource.len);
    }
    if (connection_string_read(text, &parts, NULL) == RF_OK)
        RF_ASSERT(parts.key.len > 0 || parts.signature.len > 0);
}
