/* smtp.h - hands one message to a mail server (RFC 5321, 3207, 4954), blocking.
 *
 * Nothing is said without TLS but to this machine itself, and no password then either. */
#ifndef RF_ALERTS_SMTP_H
#define RF_ALERTS_SMTP_H

#include "base/clock.h"
#include "net/egress.h"
#include "net/tls.h"

struct smtp_options {
    const char *host;
    uint16_t port;
    bool tls_at_once; /* port 465 (RFC 8314); else STARTTLS */
    const struct egress *egress;
    struct tls_context *tls; /* of a client */
    rf_str name;             /* of this machine, for EHLO */
    rf_str user, password;   /* user empty: no login */
    int64_t timeout_usec;    /* of each silence; 0: 30 s */
};
/* `from`, `to`: addresses that mail_address_is. RF_OK: the server has taken the message. RF_INVALID MailRefused: it never will
 * (5xx); RF_AGAIN MailDelayed (4xx); RF_DENIED MailNoTls, MailNoLogin, HostNotAllowed, AddressNotAllowed; RF_IO MailBroken,
 * ConnectFailed, TlsFailed, TimedOut. */
RF_MUST_USE enum rf_kind smtp_send(const struct smtp_options *options, rf_str from, rf_str to,
                                   rf_str message, struct rf_arena *arena, struct rf_err *err);

#endif
