#include "crypt/digest.h"
#include "crypt/keeper_seal.h"
#include "test/rf_fuzz.h"

/* The bytes of a slot, with a check that holds, so that what is behind it is reached. */
RF_FUZZ(keeper_seal, text)
{
    uint8_t slot[ROOT_SLOT_BYTES] = {0}, again[ROOT_SLOT_BYTES];
    struct root_slot got;
    char description[ROOT_DESCRIPTION_BYTES];
    (void)!root_slot_read(text, &got, NULL);
    size_t kept = sizeof slot - SHA256_BYTES;
    if (text.len > 0) memcpy(slot, text.ptr, RF_MIN(text.len, kept));
    digest_sha256(rf_str_make(slot, kept), slot + kept);
    if (root_slot_read(rf_str_make(slot, sizeof slot), &got, NULL) != RF_OK) return;
    root_slot_put(&got, again);
    RF_ASSERT(memcmp(slot, again, sizeof slot) == 0);
    root_slot_describe(&got, description);
}
