#include "acme/acme_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(csr, der)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct acme_csr csr;
    struct rf_err err;
    rf_arena_init(&arena, 4 << 20);
    if (acme_csr_read(der, &arena, &csr, &err) == RF_OK)
        RF_ASSERT(csr.name_count > 0 && csr.name_count <= ACME_NAMES_MAX && csr.public_key.len > 0);
    else
        RF_ASSERT(err.code[0] != '\0');
}
