/* session.h - who is signed in at which browser (contract identity, section 6.3).
 *
 * Space "session" of the state: key = hex SHA-256 of the cookie's value, indexes "user" and "sid". The cookie is 256 random bits; who reads the state
 * cannot make one. A session ends after 24 h without use, or 90 days when the user stays signed in, and counts only while the user was not
 * signed out everywhere since (the caller compares `proved` with that time). */
#ifndef RF_SESSION_H
#define RF_SESSION_H

#include "state/state.h"

enum { SESSION_COOKIE_BYTES = 43, SESSION_IDLE_SECONDS = 86400, SESSION_KEPT_SECONDS = 90 * 86400 };
struct session {
    rf_str sid;            /* a GUID: sid of tokens, id in lists */
    rf_str user;           /* object id */
    rf_str address, agent; /* where it began */
    unsigned proofs;       /* PROOF_* of policy.h */
    rf_usec proved,
        second_proved; /* when the password or passkey, and when the second factor, was given; 0: never */
    rf_usec created, seen;
    bool kept; /* beyond the browser's end */
};
/* Stores it under a new cookie; sid, created and seen are filled in. `before` (may be empty): the cookie of a session that this one replaces, whose
 * sid it keeps. */
RF_MUST_USE enum rf_kind session_make(struct state_txn *txn, struct session *session, rf_str before,
                                      rf_usec now, struct rf_arena *arena, rf_str *cookie,
                                      struct rf_err *err);
/* RF_NOT_FOUND SessionOver: none, or it is over. */
RF_MUST_USE enum rf_kind session_find(struct state_txn *txn, rf_str cookie, rf_usec now,
                                      struct rf_arena *arena, struct session *out,
                                      struct rf_err *err);
/* Notes that it was used; writes at most once in ten minutes, *due says whether that is to be called. */
bool session_is_stale(const struct session *session, rf_usec now);
RF_MUST_USE enum rf_kind session_touch(struct state_txn *txn, rf_str cookie, rf_usec now,
                                       struct rf_arena *arena, struct rf_err *err);
struct session_list {
    struct session *items;
    uint32_t count;
};
/* Those of a user that are not over. */
RF_MUST_USE enum rf_kind sessions_of(struct state_txn *txn, rf_str user, rf_usec now,
                                     struct rf_arena *arena, struct session_list *out,
                                     struct rf_err *err);
/* Ends the one with that sid; no error when there is none. */
RF_MUST_USE enum rf_kind session_end(struct state_txn *txn, rf_str sid, struct rf_arena *arena,
                                     struct rf_err *err);
RF_MUST_USE enum rf_kind sessions_end_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                         struct rf_err *err);
/* Deletes at most `limit` that are over; *left: there may be more. */
RF_MUST_USE enum rf_kind sessions_sweep(struct state_txn *txn, rf_usec now, uint32_t limit,
                                        struct rf_arena *arena, bool *left, struct rf_err *err);

#endif
