/* password.h - passwords of people: what is stored of one, whether one fits, which are good enough (NIST SP 800-63B).
 *
 * Stored is a text of ours: Argon2id's parameters, a salt, and a MAC of the tag, made by the keeper: whoever steals the directory has nothing to
 * guess against. A hash takes 64 MiB and some 100 ms, so few run at one time and few may wait. Any thread; calls block. */
#ifndef RF_PASSWORD_H
#define RF_PASSWORD_H

#include "crypt/keeper.h"

struct passwords;
struct passwords_options {
    struct keeper *keeper;
    uint32_t memory_kib, passes;   /* 0: 65536, 3; never below 19456, 2 */
    uint32_t at_once, waiting_max; /* 0: half of the processors, at least 1; 16 for each of those */
    const char *
        leaked; /* a file of SHA-1 hashes in hex, sorted ("HASH" or "HASH:count" lines); NULL: none. Not copied */
};
RF_MUST_USE enum rf_kind passwords_new(const struct passwords_options *options,
                                       struct passwords **out, struct rf_err *err);
void passwords_free(struct passwords *passwords); /* NULL is fine */

/* What is stored of a password; `owner` (an object id) is bound in. RF_AGAIN PasswordsBusy: too many wait, try in a second. */
RF_MUST_USE enum rf_kind password_make(struct passwords *passwords, rf_str owner, rf_str password,
                                       struct rf_arena *arena, rf_str *stored, struct rf_err *err);
enum password_match {
    PASSWORD_WRONG,
    PASSWORD_FITS,
    PASSWORD_FITS_AGED /* stored under older parameters, or as an older program did: store it anew */
};
/* `stored` empty (nobody of that name, no password): takes as long, and is wrong. Also takes the MAC alone that older programs stored (64 hex
 * digits of keeper_mac("password", "<owner>:<password>")). Errors as above. */
RF_MUST_USE enum rf_kind password_check(struct passwords *passwords, rf_str owner, rf_str stored,
                                        rf_str password, struct rf_arena *arena,
                                        enum password_match *out, struct rf_err *err);
/* Keyed hash of a password for "the same wrong one again", 16 bytes. */
RF_MUST_USE enum rf_kind password_mark(struct passwords *passwords, rf_str owner, rf_str password,
                                       struct rf_arena *arena, uint8_t out[16], struct rf_err *err);

struct password_rules {
    uint32_t chars_min; /* 12; 8 where a second factor is always asked for */
    const rf_str *
        names; /* of the user, the tenant, the product: none of four letters or more may stand in it, case ignored */
    uint32_t name_count;
};
/* RF_INVALID PasswordTooShort, PasswordTooLong (256), PasswordNotText, PasswordHasName, PasswordCommon, PasswordLeaked; the text tells what to do. */
RF_MUST_USE enum rf_kind password_accept(struct passwords *passwords,
                                         const struct password_rules *rules, rf_str password,
                                         struct rf_arena *arena, struct rf_err *err);
/* Whether it is in the list of leaked ones; false without a list. RF_IO InputOutput. */
RF_MUST_USE enum rf_kind password_is_leaked(const struct passwords *passwords, rf_str password,
                                            bool *leaked, struct rf_err *err);

#endif
