/* dial.h - a blocking connection to a server by name: plain at first, TLS from when it is asked for. One thread.
 *
 * localhost and *.localhost are the loopback address without asking anybody (RFC 6761). The time limit holds for connecting
 * and for each silence. */
#ifndef RF_DIAL_H
#define RF_DIAL_H

#include "base/clock.h"
#include "net/egress.h"
#include "net/tls.h"

struct dial;
struct dial_options {
    const char *host; /* without brackets; lower case */
    uint16_t port;
    int64_t timeout_usec;        /* 0: 30 s */
    const struct egress *egress; /* NULL: anywhere */
    const char *
        address; /* connect there, whatever the host's name resolves to; NULL: resolve it. Not beside `egress` */
};
/* RF_NOT_FOUND UnknownHost; RF_IO ConnectFailed, TimedOut; RF_DENIED HostNotAllowed, AddressNotAllowed: by `egress`. Ignores
 * SIGPIPE in the whole process, because OpenSSL writes to sockets that may be closed. */
RF_MUST_USE enum rf_kind dial_open(const struct dial_options *options, struct dial **out,
                                   struct rf_err *err);
/* From now on TLS, for the host's name. `trust_any`: any certificate will do. `tls` outlives the connection. RF_IO TlsFailed
 * (says why), TimedOut. */
RF_MUST_USE enum rf_kind dial_tls(struct dial *dial, struct tls_context *tls, bool trust_any,
                                  struct rf_err *err);
enum dial_io { DIAL_OK, DIAL_EOF, DIAL_TIMED_OUT, DIAL_BROKEN };
enum dial_io dial_write(struct dial *dial, rf_str bytes); /* all of them */
/* At least one byte with DIAL_OK. Behind TLS DIAL_EOF is the peer's word that nothing follows. */
enum dial_io dial_read(struct dial *dial, void *out, size_t cap, size_t *got);
/* Nothing has come that was not read, and the peer has not gone away. */
bool dial_is_quiet(const struct dial *dial);
bool dial_is_tls(const struct dial *dial);
/* The certificate that the peer showed (DER), a copy in `arena`; false: none, or no memory. */
bool dial_certificate(const struct dial *dial, struct rf_arena *arena, rf_str *out);
int dial_fd(
    const struct dial
        *dial); /* stays its own; before dial_tls, for those who speak TLS in a way of their own */
void dial_close(struct dial *dial); /* NULL is fine */

#endif
