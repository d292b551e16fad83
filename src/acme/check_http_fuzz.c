#include "acme/check_http.h"
#include "test/rf_fuzz.h"

RF_FUZZ(check_http, bytes)
{
    struct acme_reply reply;
    if (!acme_reply_read(bytes, &reply)) return;
    RF_ASSERT(reply.status <= 999 && reply.body.len <= bytes.len &&
              reply.location.len <= bytes.len);
}
