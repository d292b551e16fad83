/* passkey.h - passkeys of users as they are stored (people/factor.h, kind "fido2"). */
#ifndef RF_PASSKEY_H
#define RF_PASSKEY_H

#include "people/factor.h"
#include "people/webauthn.h"

/* What users are called towards authenticators: 32 bytes that tell nothing of a person, the same for a user each time. */
enum { PASSKEY_HANDLE_BYTES = 32 };
RF_MUST_USE enum rf_kind passkey_handle(struct keeper *keeper, rf_str user,
                                        uint8_t out[PASSKEY_HANDLE_BYTES], struct rf_err *err);
/* Ids of the user's passkeys, for allowCredentials and excludeCredentials. */
struct passkey_ids {
    rf_str *items;
    uint32_t count;
};
RF_MUST_USE enum rf_kind passkey_ids_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                        struct passkey_ids *out, struct rf_err *err);
/* Stores a credential that was registered. RF_CONFLICT PasskeyExists: somebody has it. */
RF_MUST_USE enum rf_kind passkey_store(struct state_txn *txn, rf_str user, rf_str display_name,
                                       const struct webauthn_credential *credential, rf_usec now,
                                       struct rf_arena *arena, rf_str *id, struct rf_err *err);
/* Checks an assertion by the credential that it names, and stores the counter. `user`: whose it must be; empty: whoever's (the handle must be
 * theirs then). *owner: object id. RF_DENIED BadAssertion, also for a credential that nobody has; RF_CONFLICT CloneRisk. */
RF_MUST_USE enum rf_kind passkey_take(struct keeper *keeper, struct state_txn *txn,
                                      const struct webauthn_party *party,
                                      const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                      const struct json_node *answer, rf_str user, rf_usec now,
                                      struct rf_arena *arena, rf_str *owner, struct rf_err *err);

#endif
