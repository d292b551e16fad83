/* factor.h - what people prove themselves with beside a password: authenticator codes (TOTP), passkeys, recovery codes, temporary access passes.
 *
 * Space "factor" of the state: key "<user id>/<kind>/<id>", body JSON {"id", "createdDateTime", "displayName", ...} with material under names that begin
 * with '~' and are sealed or hashed:
 *   totp      "~secret": base64url of AES-256-GCM under a key of keeper_mac("factor", user id), "~step": the last step that was taken
 *   fido2     "credentialId" (base64url), "publicKey" (COSE, base64url), "counter", "backedUp", "aaguid", "lastUsed"; index "credential": credentialId
 *   recovery  "~macs": hex of keeper_mac("recovery", "<user id>:<code>"), one for each code that is left
 *   pass      temporary access pass: "~mac", "startDateTime", "lifetimeInMinutes", "isUsableOnce", "used"
 * Codes are compared in constant time. A code is taken in the write transaction that the caller goes on with: one that was used is used. */
#ifndef RF_FACTOR_H
#define RF_FACTOR_H

#include "base/json_tree.h"
#include "crypt/keeper.h"
#include "state/state.h"

struct factor {
    const char *kind; /* "totp", "fido2", "recovery", "pass" */
    rf_str id;
    struct json_node *body; /* with '~' members */
};
struct factor_list {
    struct factor *items;
    uint32_t count;
};
RF_MUST_USE enum rf_kind factors_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                    struct factor_list *out, struct rf_err *err);
/* Creates or replaces. */
RF_MUST_USE enum rf_kind factor_put(struct state_txn *txn, rf_str user, const char *kind,
                                    const struct json_node *body, struct rf_arena *arena,
                                    struct rf_err *err);
/* RF_NOT_FOUND ObjectNotFound. */
RF_MUST_USE enum rf_kind factor_delete(struct state_txn *txn, rf_str user, const char *kind,
                                       rf_str id, struct rf_arena *arena, struct rf_err *err);
/* All of them: the user is deleted. */
RF_MUST_USE enum rf_kind factors_delete(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                        struct rf_err *err);

/* ---- authenticator codes (RFC 6238: SHA-1, 6 digits, 30 s) ---------------------------------------------------------------- */

enum { TOTP_SECRET_BYTES = 20, TOTP_STEP_SECONDS = 30 };
/* A new method; `secret` in base32 (16 to 128 characters), empty: a random one. *out_secret: base32. RF_INVALID BadSecret. */
RF_MUST_USE enum rf_kind totp_make(struct keeper *keeper, struct state_txn *txn, rf_str user,
                                   rf_str display_name, rf_str secret, rf_usec now,
                                   struct rf_arena *arena, rf_str *id, rf_str *out_secret,
                                   struct rf_err *err);
rf_str totp_base32(struct rf_arena *arena,
                   rf_str bytes); /* RFC 4648 without padding; ptr NULL on lack of memory */
/* otpauth://totp/... of section 11.3 */
rf_str totp_uri(struct rf_arena *arena, rf_str user_name, rf_str secret);
/* Takes a code of any of the user's methods: steps -1, 0, +1, each once. *fits says whether it was one. */
RF_MUST_USE enum rf_kind totp_take(struct keeper *keeper, struct state_txn *txn, rf_str user,
                                   rf_str code, rf_usec now, struct rf_arena *arena, bool *fits,
                                   struct rf_err *err);
/* The code of a secret (base32) for a time: for a registration that is being proved. False: no secret. */
bool totp_proves(rf_str secret, rf_str code, rf_usec now, uint64_t *step);

/* ---- recovery codes, temporary access passes (section 11.5) ------------------------------------------------------------------ */

enum { RECOVERY_CODES = 10 };
/* New codes in place of all before: "XXXX-XXXX-XXXX-XXXX" (80 bits, base32). */
RF_MUST_USE enum rf_kind recovery_make(struct keeper *keeper, struct state_txn *txn, rf_str user,
                                       rf_usec now, struct rf_arena *arena,
                                       rf_str codes[RECOVERY_CODES], struct rf_err *err);
/* *left: how many there are then. */
RF_MUST_USE enum rf_kind recovery_take(struct keeper *keeper, struct state_txn *txn, rf_str user,
                                       rf_str code, struct rf_arena *arena, bool *fits,
                                       uint32_t *left, struct rf_err *err);
/* 10 to 480 minutes. RF_INVALID BadLifetime. */
RF_MUST_USE enum rf_kind pass_make(struct keeper *keeper, struct state_txn *txn, rf_str user,
                                   uint32_t minutes, bool once, rf_usec start,
                                   struct rf_arena *arena, rf_str *id, rf_str *text,
                                   struct rf_err *err);
RF_MUST_USE enum rf_kind pass_take(struct keeper *keeper, struct state_txn *txn, rf_str user,
                                   rf_str text, rf_usec now, struct rf_arena *arena, bool *fits,
                                   struct rf_err *err);

#endif
