/* lockout.h - who must wait after wrong passwords or codes (contract identity, section 11.2). In memory; any thread. Times are elapsed time.
 *
 * An account: 10 failures, then 1 min, doubling to 1 h. Failures from places that the account never signed in from are counted apart from those of known
 * ones, so that strangers cannot lock out the owner. The same wrong password again does not count twice. An address: a limit of its own, and
 * many accounts from one address is a spray; loopback addresses are exempt from that. */
#ifndef RF_LOCKOUT_H
#define RF_LOCKOUT_H

#include "base/clock.h"

struct lockout;
RF_MUST_USE enum rf_kind lockout_new(struct lockout **out, struct rf_err *err);
void lockout_free(struct lockout *lockout);
struct lockout_try {
    rf_str account; /* object id, or the name as typed when nobody has it */
    rf_str address; /* of the peer */
    bool known_place;
    bool code;           /* of a second factor: 5 wrong ones lock that factor for 15 min */
    const uint8_t *mark; /* 16 bytes of password_mark, or NULL */
};
struct lockout_verdict {
    uint32_t wait_seconds; /* 0: may try */
    bool by_account, by_address;
    bool spray; /* this failure made it one: tell of it once */
};
void lockout_look(struct lockout *lockout, const struct lockout_try *who, rf_usec elapsed,
                  struct lockout_verdict *out);
void lockout_failed(struct lockout *lockout, const struct lockout_try *who, rf_usec elapsed,
                    struct lockout_verdict *out);
void lockout_passed(struct lockout *lockout, const struct lockout_try *who);

#endif
