#include "collect/framing.h"
#include "test/rf_fuzz.h"

RF_FUZZ(framing, text)
{
    struct framing framing = {0};
    size_t at = 0;
    for (size_t step = 0; at < text.len; step++) {
        rf_str message;
        size_t used;
        enum framing_result result =
            framing_next(&framing, rf_slice(text, at, text.len), true, &used, &message);
        RF_ASSERT(used <= text.len - at);
        if (result == FRAMING_BAD || result == FRAMING_MORE) return;
        RF_ASSERT(used > 0);
        RF_ASSERT(message.len <= FRAMING_MESSAGE_BYTES_MAX);
        at += used;
    }
}
