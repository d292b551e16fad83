#include "crypt/tls_message.h"
#include "test/rf_fuzz.h"

/* What a captured server may want to have signed: two bytes of a scheme, then the message. */
RF_FUZZ(tls_message, text)
{
    if (text.len < 2) return;
    const struct tls_scheme_facts *scheme = tls_scheme_find(rf_get_u16le(text.ptr));
    rf_str message = rf_slice(text, 2, text.len);
    if (scheme == NULL || !tls_message_fits(message, scheme)) return;
    RF_ASSERT(message.len >= 64 + 4 + 32);
    RF_ASSERT(message.len <= 64 + 4 + 97);
    RF_ASSERT(message.ptr[64] == 'T' || message.ptr[64] == 3);
}
