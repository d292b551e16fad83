#include "daemon/roles.h"
#include "test/rf_fuzz.h"

/* The first byte says whether a descriptor came along. */
RF_FUZZ(roles, text)
{
    static struct role_message message;
    bool has_fd = text.len > 0 && (text.ptr[0] & 1) != 0;
    rf_str datagram = rf_slice(text, text.len > 0, text.len);
    if (role_message_read(datagram, has_fd, &message, NULL) != RF_OK) return;
    RF_ASSERT(message.text_bytes <= ROLE_TEXT_BYTES_MAX);
    RF_ASSERT(message.text_bytes + ROLE_HEADER_BYTES == datagram.len);
}
