/* token_int.h - access tokens: who asks, proven by a signature (identity contract 4.3).
 *
 * A token that passed is remembered under its SHA-256 until it expires or the keys change, so that its signature is paid
 * for once; its times, its audience and the state of its owner are looked at each time. Any thread. */
#ifndef RF_TOKEN_INT_H
#define RF_TOKEN_INT_H

#include "authz/route.h"

struct token_verifier;
RF_MUST_USE enum rf_kind token_verifier_new(const struct site *site, struct token_verifier **out,
                                            struct rf_err *err);
void token_verifier_free(struct token_verifier *verifier);
/* See dispatcher_set_keys. */
RF_MUST_USE enum rf_kind token_set_keys(struct token_verifier *verifier,
                                        const struct token_key *keys, uint32_t count,
                                        struct rf_err *err);

/* What a token says; lives until token_release. */
struct token_facts {
    atomic_uint refs;
    struct rf_arena arena;
    const struct json_node *claims;
    enum principal_type type;
    rf_str object_id, app_id, audience, token_id, display_name, user_name;
    rf_str *roles;
    uint32_t role_count;
    unsigned audiences; /* the sets that `aud` belongs to */
    int64_t issued_sec, valid_sec, expires_sec;
    uint64_t generation; /* of the keys that it was verified with */
    uint8_t digest[32];
};
/* RF_DENIED with the codes of the contract, section 9: InvalidAuthenticationToken, ExpiredAuthenticationToken,
 * InvalidAuthenticationTokenAudience, InvalidAuthenticationTokenTenant. Texts hold nothing of the token but its times, and
 * its audience once the signature was good. *step: where that was. */
RF_MUST_USE enum rf_kind token_verify(struct token_verifier *verifier, rf_str token,
                                      unsigned audiences, rf_usec now, struct token_facts **out,
                                      enum token_step *step, struct rf_err *err);
void token_release(struct token_facts *facts);

/* The sets of audiences that a name belongs to; 0: none. */
unsigned token_audiences(const struct site *site, rf_str name);

#endif
