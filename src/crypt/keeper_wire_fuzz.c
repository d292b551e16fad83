#include "crypt/keeper_wire.h"
#include "test/rf_fuzz.h"

/* What can be read is written again as the same bytes: no message has two forms. */
static void check(rf_str text, enum rf_kind kind, const uint8_t *again, size_t len)
{
    RF_ASSERT(kind == RF_OK);
    RF_ASSERT(rf_str_eq(text, rf_str_make(again, len)));
}

RF_FUZZ(keeper_wire, text)
{
    static uint8_t again[KEEPER_MESSAGE_BYTES_MAX];
    struct keeper_request request;
    struct keeper_answer answer;
    size_t len = 0;
    if (keeper_wire_read_request(text, &request, NULL) == RF_OK) {
        enum rf_kind kind = keeper_wire_put_request(&request, again, &len, NULL);
        check(text, kind, again, len);
    }
    if (keeper_wire_read_answer(text, &answer, NULL) == RF_OK) {
        enum rf_kind kind = keeper_wire_put_answer(&answer, again, &len, NULL);
        check(text, kind, again, len);
    }
}
