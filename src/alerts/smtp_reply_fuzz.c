#include "alerts/smtp_reply.h"

#include <stdlib.h>

#include "test/rf_fuzz.h"

RF_FUZZ(smtp_reply, text)
{
    struct smtp_reply *reply = calloc(1, sizeof *reply);
    RF_ASSERT(reply != NULL);
    size_t used;
    enum smtp_step step = smtp_reply_read(reply, text, &used);
    RF_ASSERT(used <= text.len);
    RF_ASSERT(reply->text_len < SMTP_TEXT_BYTES_MAX);
    if (step == SMTP_DONE) {
        RF_ASSERT(reply->code >= 200);
        (void)smtp_abilities_of(reply);
    }
    free(reply);
}
