/* postgres.h - a blocking client of PostgreSQL (protocol 3.0, servers of version 10 and later) for one thread: no dependency but OpenSSL.
 *
 * It logs in by SCRAM-SHA-256, bound to the server's certificate where both can, and by a password in clear only where that is allowed, over TLS.
 * MD5, and servers that let in whoever comes, are refused. What the server says is limited in size and time. Texts of errors never hold a statement,
 * a parameter or a password. */
#ifndef RF_POSTGRES_H
#define RF_POSTGRES_H

#include "net/egress.h"

enum postgres_tls {
    POSTGRES_TLS_FULL, /* a certificate for the host's name, by `ca_pem` or the system's authorities */
    POSTGRES_TLS_PINNED, /* the very certificate whose DER has the hash `pin` */
    POSTGRES_TLS_NONE    /* loopback only */
};
struct postgres_options { /* borrowed for the call */
    const char *host;     /* without brackets; lower case */
    uint16_t port;        /* 0: 5432 */
    rf_str database, user, password;
    const struct egress *egress; /* NULL: anywhere */
    enum postgres_tls tls;
    rf_str ca_pem;
    uint8_t pin[32];      /* SHA-256 */
    bool clear_allowed;   /* the server may ask for the password in clear, over TLS */
    int64_t timeout_usec; /* of each silence, and a quarter of what one call may take; 0: 30 s */
};
struct postgres;
/* As dial_open and dial_tls. RF_DENIED PostgresDenied: by the server (wrong password, no such database ...); PostgresUnsafe: what it asks for, or TLS
 * that it lacks, is not safe; TlsPinMismatch; BadScram. RF_CORRUPT PostgresProtocol, BadScram. RF_INVALID BadParameter, BadCertificate. */
RF_MUST_USE enum rf_kind postgres_open(const struct postgres_options *options,
                                       struct postgres **out, struct rf_err *err);
/* One or more statements without results that matter. RF_INVALID PostgresFailed: the server's SQLSTATE is in the text; its own words are too, unless
 * `secret`, as they may repeat a part of the statement. RF_IO PostgresGone, TimedOut: whether it was done is not known. */
RF_MUST_USE enum rf_kind postgres_run(struct postgres *pg, rf_str sql, bool secret,
                                      struct rf_err *err);
struct postgres_rows {
    rf_str *cells; /* rows one behind the other; ptr NULL: NULL */
    uint32_t rows, columns;
};
/* One statement, with `count` parameters ($1 ...) as texts; results as texts in `arena`. Errors as `secret` above; RF_LIMIT PostgresTooMuch,
 * MemoryBudgetExceeded, behind which the connection is of no use. */
RF_MUST_USE enum rf_kind postgres_query(struct postgres *pg, rf_str sql, const rf_str *parameters,
                                        uint32_t count, struct rf_arena *arena,
                                        struct postgres_rows *out, struct rf_err *err);
/* Five characters of the last refusal, "" when there was none. */
const char *postgres_sqlstate(const struct postgres *pg);
bool postgres_is_bound(const struct postgres *pg); /* the login was bound to the certificate */
void postgres_close(struct postgres *pg);          /* NULL is fine */

#endif
