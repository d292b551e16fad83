/* smtp_reply.h - reads replies of a mail server (RFC 5321 section 4.2). Knows no socket. */
#ifndef RF_ALERTS_SMTP_REPLY_H
#define RF_ALERTS_SMTP_REPLY_H

#include "base/rf.h"

enum { SMTP_LINE_BYTES_MAX = 2048, SMTP_LINES_MAX = 100, SMTP_TEXT_BYTES_MAX = 8192 };

struct smtp_reply { /* zeros at first */
    uint16_t code;  /* 0: no line is there */
    uint32_t line_count;
    char text
        [SMTP_TEXT_BYTES_MAX]; /* of the lines behind their codes, each with '\n'; what is not printable is '?' */
    size_t text_len;
};
enum smtp_step { SMTP_MORE, SMTP_DONE, SMTP_BAD };
/* Takes lines from `in`; *used bytes are behind it. SMTP_MORE: what is left of `in` must come again with more behind it.
 * SMTP_BAD: this is no SMTP, or too long. */
enum smtp_step smtp_reply_read(struct smtp_reply *reply, rf_str in, size_t *used);

struct smtp_abilities { /* of a reply to EHLO */
    bool start_tls, auth_plain, auth_login;
};
struct smtp_abilities smtp_abilities_of(const struct smtp_reply *reply);

#endif
