#include "people/cbor.h"
#include "test/rf_fuzz.h"

/* What is found in a map lies within what is passed over. */
RF_FUZZ(cbor, text)
{
    size_t end = 0, value;
    bool whole = cbor_skip(text, &end);
    RF_ASSERT(end <= text.len);
    for (int64_t key = -3; key <= 3; key++) {
        if (!cbor_find_int(text, 0, key, &value)) continue;
        RF_ASSERT(whole);
        RF_ASSERT(value < end);
        RF_ASSERT(cbor_skip(text, &value) && value <= end);
    }
    if (!cbor_find_text(text, 0, "fmt", &value)) return;
    RF_ASSERT(whole);
    RF_ASSERT(value < end);
}
