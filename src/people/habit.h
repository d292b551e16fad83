/* habit.h - from where and with what a person signs in, and what of a new sign-in does not fit.
 *
 * Space "habit" of the state: key = object id of the user, body {"seen": [{"address", "device", "last", "count"}], "last": the sign-in before}. Of the
 * last 30 days, at most HABIT_ROWS: small, and nothing of it is shown but to say why something is unfamiliar. */
#ifndef RF_HABIT_H
#define RF_HABIT_H

#include "people/place.h"
#include "people/policy.h"
#include "state/state.h"

enum { HABIT_ROWS = 40, HABIT_DAYS = 30, HABIT_SIGN_INS_MIN = 5 };
struct habit_look {
    rf_str user;           /* object id */
    rf_str address, agent; /* of the peer; the User-Agent header */
    struct place place;
    rf_usec now;
};
struct habit_finding {
    uint32_t compared;            /* sign-ins; below HABIT_SIGN_INS_MIN nothing is unfamiliar yet */
    bool new_network, new_device; /* NONE fits; see below */
    enum risk_level unfamiliar;   /* medium: both are new; low: the network is */
    /* Faster than one flies: between the sign-in before and this one. NONE also where a place is not known. */
    enum risk_level travel;
    bool place_known; /* of both */
    double km, hours;
    rf_str before_address, before_place;
    rf_usec before_time;
};
RF_MUST_USE enum rf_kind habit_find(struct state_txn *txn, const struct habit_look *look,
                                    struct rf_arena *arena, struct habit_finding *out,
                                    struct rf_err *err);
/* A sign-in that succeeded. */
RF_MUST_USE enum rf_kind habit_learn(struct state_txn *txn, const struct habit_look *look,
                                     struct rf_arena *arena, struct rf_err *err);
/* The user is deleted; no error when there is nothing. */
RF_MUST_USE enum rf_kind habit_forget(struct state_txn *txn, rf_str user, struct rf_err *err);

#endif
