/* grant.h - what a sign-in gave to an application, until it becomes tokens and as long as it gives new ones: authorization codes, refresh tokens,
 * device codes (contract identity, sections 6.1, 6.4, 6.5). Bearer texts are kept as hashes or not at all. Each take changes what is stored in the
 * caller's transaction: it counts when that is committed, and nothing may be told before.
 *
 * Spaces of the state: "grant.code" (key: hex SHA-256 of the code), "grant.family" (key: a GUID; indexes "user", "sid"), "grant.device" (key: hex
 * SHA-256 of the device code; index "code": the user's code). */
#ifndef RF_GRANT_H
#define RF_GRANT_H

#include "crypt/keeper.h"
#include "state/state.h"

enum {
    CODE_LIFE_SECONDS = 60,
    REFRESH_GRACE_SECONDS = 10,
    REFRESH_IDLE_SECONDS = 90 * 86400,
    REFRESH_SPA_SECONDS = 86400,
    DEVICE_LIFE_SECONDS = 900,
    DEVICE_INTERVAL_SECONDS = 5
};

/* Who may do what for whom. */
struct grant {
    rf_str client;   /* app id */
    rf_str user;     /* object id; empty: a device code that nobody has approved */
    rf_str sid;      /* of the session */
    rf_str scope;    /* as granted, blanks between */
    unsigned proofs; /* PROOF_* of policy.h */
    rf_usec proved, second_proved;
    bool spa;          /* the redirect address is of a single-page application */
    bool confidential; /* it is of a server, which proves itself each time */
};

/* ---- authorization codes ------------------------------------------------------------------------------------------------ */

struct code_grant {
    struct grant grant;
    rf_str redirect_uri, challenge, nonce; /* challenge: base64url SHA-256 of the verifier */
    rf_str family;                         /* of the refresh tokens that it gave or would give */
    bool told_auth_time;                   /* auth_time belongs into the ID token */
};
RF_MUST_USE enum rf_kind code_make(struct state_txn *txn, struct code_grant *code, rf_usec now,
                                   struct rf_arena *arena, rf_str *text, struct rf_err *err);
/* Takes it: a second time is RF_CONFLICT 54005 (out is set, so that what it gave can be ended), late RF_DENIED 70008, unknown RF_NOT_FOUND 70000. */
RF_MUST_USE enum rf_kind code_take(struct state_txn *txn, rf_str text, rf_usec now,
                                   struct rf_arena *arena, struct code_grant *out,
                                   struct rf_err *err);

/* ---- refresh tokens --------------------------------------------------------------------------------------------------------
 * A family is all refresh tokens of one sign-in to one application, each the successor of the one before. A token is "1." and base64url of the family's
 * id (16 bytes), its number (4) and keeper_mac("refresh", id, number, salt): 256 bits that nobody can make without the keeper, so nothing of
 * a token is stored but its number, and the same successor can be told twice within the time of grace. */

struct family {
    struct grant grant;
    rf_str id;
    uint32_t number; /* of the token that is good now */
    rf_usec created, used;
    rf_usec rotated; /* when the one before became old */
    bool reused;     /* the token at hand is the one before, within the time of grace */
};
/* Begins one under the id `family` (a GUID); *token is its first. */
RF_MUST_USE enum rf_kind family_make(struct keeper *keeper, struct state_txn *txn,
                                     const struct grant *grant, rf_str family, rf_usec now,
                                     struct rf_arena *arena, rf_str *token, struct rf_err *err);
/* Looks a token up and changes nothing. RF_DENIED 70000: no token of ours; 70008: over by time; 700084: of a single-page application, over;
 * RF_CONFLICT 50173: an old one was used again, and the family (*out is set) is to be ended. */
RF_MUST_USE enum rf_kind family_find(struct keeper *keeper, struct state_txn *txn, rf_str token,
                                     rf_usec now, struct rf_arena *arena, struct family *out,
                                     struct rf_err *err);
/* The successor of what family_find has found in the same transaction; `scope` (may be empty): narrower from now on is not meant, it stays. */
RF_MUST_USE enum rf_kind family_rotate(struct keeper *keeper, struct state_txn *txn,
                                       struct family *family, rf_usec now, struct rf_arena *arena,
                                       rf_str *token, struct rf_err *err);
RF_MUST_USE enum rf_kind family_end(struct state_txn *txn, rf_str id,
                                    struct rf_err *err); /* no error when there is none */
RF_MUST_USE enum rf_kind family_is_there(struct state_txn *txn, rf_str id, struct rf_arena *arena,
                                         bool *there, struct rf_err *err);
/* Changes whenever a family of anybody begins, goes on or ends. Any thread. */
uint64_t family_version(struct state *state);
RF_MUST_USE enum rf_kind families_end_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                         struct rf_err *err);
/* Those of a session. */
RF_MUST_USE enum rf_kind families_end_sid(struct state_txn *txn, rf_str sid, struct rf_arena *arena,
                                          struct rf_err *err);
struct family_list {
    struct family *items;
    uint32_t count;
};
/* Those of a user, also such as are over by time. */
RF_MUST_USE enum rf_kind families_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                     struct family_list *out, struct rf_err *err);

struct grant_clients {
    rf_str *items; /* app ids, each once */
    uint32_t count;
};
/* The applications that a session was used for: those that have a code or refresh tokens of it. */
RF_MUST_USE enum rf_kind grants_clients_of(struct state_txn *txn, rf_str sid,
                                           struct rf_arena *arena, struct grant_clients *out,
                                           struct rf_err *err);

/* ---- device codes ------------------------------------------------------------------------------------------------------------ */

enum device_state { DEVICE_WAITS, DEVICE_APPROVED, DEVICE_DECLINED };
struct device_grant {
    struct grant grant;
    enum device_state state;
    rf_str address, user_code;
    rf_usec created, polled;
};
RF_MUST_USE enum rf_kind device_make(struct state_txn *txn, struct device_grant *device,
                                     rf_usec now, struct rf_arena *arena, rf_str *device_code,
                                     struct rf_err *err);
/* By the code that the user types; case, blanks and dashes do not matter. RF_NOT_FOUND 70018. */
RF_MUST_USE enum rf_kind device_find(struct state_txn *txn, rf_str user_code, rf_usec now,
                                     struct rf_arena *arena, struct device_grant *out,
                                     struct rf_err *err);
/* The user has decided: state and grant are stored. */
RF_MUST_USE enum rf_kind device_decide(struct state_txn *txn, const struct device_grant *device,
                                       struct rf_arena *arena, struct rf_err *err);
/* Of the device, for the client that asked: RF_AGAIN 70016 pending; RF_DENIED declined; RF_NOT_FOUND 70018, 70020 expired, 70000. An approved one is
 * taken: it is gone then. */
RF_MUST_USE enum rf_kind device_take(struct state_txn *txn, rf_str device_code, rf_str client,
                                     rf_usec now, struct rf_arena *arena, struct device_grant *out,
                                     struct rf_err *err);

/* Notes that a challenge was answered: a second time is RF_CONFLICT ChallengeUsed. Space "grant.challenge", key as of codes. */
RF_MUST_USE enum rf_kind challenge_take(struct state_txn *txn, rf_str challenge, rf_usec now,
                                        struct rf_arena *arena, struct rf_err *err);

/* Deletes at most `limit` codes, families, device codes and challenges that are over. */
RF_MUST_USE enum rf_kind grants_sweep(struct state_txn *txn, rf_usec now, uint32_t limit,
                                      struct rf_arena *arena, bool *left, struct rf_err *err);

#endif
