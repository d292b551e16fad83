/* postgres_scram.h - the client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677): texts only.
 *
 * Passwords are taken as their bytes are; those beyond ASCII must be in the form that SASLprep gives. */
#ifndef RF_POSTGRES_SCRAM_H
#define RF_POSTGRES_SCRAM_H

#include "base/rf.h"

enum { SCRAM_HASH_BYTES = 32, SCRAM_ROUNDS_MIN = 4096, SCRAM_ROUNDS_MAX = 1 << 20 };
struct scram {
    struct rf_arena *arena;
    rf_str user;     /* PostgreSQL wants it empty: it has it from the startup message */
    rf_str password; /* borrowed until scram_answer */
    rf_str binding;  /* of the certificate, RFC 5929 section 4.1; empty: none */
    /* Whether the server was asked for TLS and offered no binding: a server that can, and did not, will then see that somebody stands between. */
    bool could_bind;
    rf_str nonce; /* printable, without commas */
    rf_str first_bare, gs2;
    uint8_t server_signature[SCRAM_HASH_BYTES];
    bool answered;
};
/* The first message; ptr NULL on lack of memory. */
rf_str scram_first(struct scram *scram);
/* What answers the server's first. RF_CORRUPT BadScram, RF_LIMIT MemoryBudgetExceeded. Cost: the rounds that the server asks for. */
RF_MUST_USE enum rf_kind scram_answer(struct scram *scram, rf_str server_first, rf_str *out,
                                      struct rf_err *err);
/* The server's last: it knows the password, too. RF_DENIED BadScram: it does not. */
RF_MUST_USE enum rf_kind scram_finish(struct scram *scram, rf_str server_last, struct rf_err *err);

#endif
