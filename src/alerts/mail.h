/* mail.h - a message as RFC 5322 and MIME want it, from texts that may hold anything. Pure functions.
 *
 * Nothing of a text reaches a header as it is: what is not printable ASCII goes into encoded words (RFC 2047), line ends
 * with it, and the body is in base64. */
#ifndef RF_ALERTS_MAIL_H
#define RF_ALERTS_MAIL_H

#include "base/clock.h"

/* local@domain with a dot-atom in front and a host name behind, both ASCII, as long as RFC 5321 allows. */
bool mail_address_is(rf_str text);

struct mail {
    rf_str from, to; /* addresses that mail_address_is */
    rf_str subject;  /* any text; cut at 200 characters */
    rf_str id;       /* of letters, digits, '-' */
    rf_str text;     /* UTF-8; what is not becomes U+FFFD */
    rf_usec date;
};
/* Lines end in CRLF, none has more than 78 bytes, and none begins with a dot. ptr NULL on lack of memory. */
rf_str mail_message(const struct mail *mail, struct rf_arena *arena);

#endif
