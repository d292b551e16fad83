#include "crypt/keeper_share.h"
#include "test/rf_fuzz.h"

/* Whatever is read has one text, which reads as the same. */
RF_FUZZ(keeper_share, text)
{
    struct share share, again;
    char out[SHARE_TEXT_BYTES];
    if (share_read(text, &share, NULL) != RF_OK) return;
    share_text(&share, out);
    RF_ASSERT(share_read(rf_str_of(out), &again, NULL) == RF_OK);
    RF_ASSERT(memcmp(&share, &again, sizeof share) == 0);
}
