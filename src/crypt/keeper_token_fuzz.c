#include "crypt/keeper_token.h"
#include "test/rf_fuzz.h"

/* What a broken or hostile helper may answer. */
RF_FUZZ(keeper_token, text)
{
    struct token_message got;
    uint8_t again[TOKEN_MESSAGE_BYTES_MAX];
    for (enum token_verb verb = TOKEN_WRAP; verb <= TOKEN_UNWRAP; verb++) {
        if (token_answer_read(text, verb, &got, NULL) != RF_OK) continue;
        RF_ASSERT(got.body.len > 0);
        RF_ASSERT(token_put(got.what, got.body, again) == text.len);
        RF_ASSERT(memcmp(again, text.ptr, text.len) == 0);
    }
    (void)!token_request_read(text, &got, NULL);
}
