/* risk_int.h - what of a sign-in tells that it may not be its owner's, and which users are at risk (contract identity: riskDetections, riskyUsers).
 *
 * Everything that raises a risk says why: in AdditionalInfo of its row, as riskReasons and a sentence.
 *
 * Space riskyUser: key = object id, body as Graph shows a riskyUser, and "~open": the detections that are not settled, [{"id", "type", "level"}],
 * "~seen": ids of the last ones. The user's level is the highest of the open ones. */
#ifndef RF_IDENTITY_RISK_INT_H
#define RF_IDENTITY_RISK_INT_H

#include "identity/identity_int.h"
#include "people/place.h"
#include "people/policy.h"

#define RISK_UNFAMILIAR "unfamiliarFeatures"
#define RISK_TRAVEL "impossibleTravel"
#define RISK_SPRAY "passwordSpray"
#define RISK_LEAKED "leakedCredentials"

struct risk_detection {
    const char *type;
    enum risk_level level;
    rf_str id;
    rf_str reasons;     /* an array of JSON: ["UnfamiliarIP"] */
    rf_str explanation; /* a sentence */
    bool offline;       /* of the user, not of this sign-in */
};
enum { RISK_DETECTIONS_MAX = 4 };
struct risk {
    enum risk_level sign_in, user; /* user: as it was before, and with what was found now */
    struct risk_detection items[RISK_DETECTIONS_MAX];
    uint32_t count;
    struct place place; /* of the address; in the arena of the request */
    bool passed;        /* the sign-in went on with a second factor */
};
const char *risk_level_name(enum risk_level level); /* "none", "medium" */

/* What policies are told of the user. RISK_NONE: nothing is known against him. */
RF_MUST_USE enum rf_kind risk_user_level(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                         enum risk_level *out, struct rf_err *err);
/* Notes detections that are new; *doc: the user's document as it is then. *raised: it was changed. */
RF_MUST_USE enum rf_kind risk_raise(struct state_txn *txn, const struct json_node *user,
                                    const struct risk *risk, rf_usec now, struct rf_arena *arena,
                                    struct json_node **doc, bool *raised, struct rf_err *err);
/* Settles open detections of the types in `types` (NULL: all; ended by NULL), or those of `only`; nothing when none are open. *doc NULL: nothing was
 * changed. `state`: "remediated", "dismissed". */
struct risk_settling {
    rf_str user;
    const char *const *types;
    const struct risk *only;
    const char *state, *detail;
};
RF_MUST_USE enum rf_kind risk_settle(struct state_txn *txn, const struct risk_settling *settling,
                                     rf_usec now, struct rf_arena *arena, struct json_node **doc,
                                     struct rf_err *err);
/* An administrator knows that somebody else had the account. */
RF_MUST_USE enum rf_kind risk_confirm(struct state_txn *txn, const struct json_node *user,
                                      rf_usec now, struct rf_arena *arena, struct json_node **doc,
                                      struct rf_err *err);
/* The password is another one: what was leaked or guessed is of no use any more; with `all`, nothing is. */
RF_MUST_USE enum rf_kind risk_password_changed(struct state_txn *txn, rf_str user, bool all,
                                               const char *detail, rf_usec now,
                                               struct rf_arena *arena, struct rf_err *err);

/* ---- rows: AADUserRiskEvents, AADRiskyUsers */
void risk_tell_detection(struct identity *identity, struct request *request,
                         const struct json_node *user, rf_str correlation_id,
                         const struct risk *risk, const struct risk_detection *detection,
                         const char *state, const char *detail);
void risk_tell_user(struct identity *identity, struct request *request,
                    const struct json_node *doc);
/* {"city", "countryOrRegion", "geoCoordinates"}: {} when nothing is known. */
void risk_put_place(struct json_out *out, const struct place *place);

/* ---- risk_spray.c: addresses that tried many accounts lately. In memory; any thread */
struct spray_list;
RF_MUST_USE enum rf_kind spray_new(struct spray_list **out, struct rf_err *err);
void spray_free(struct spray_list *list);
void spray_note(struct spray_list *list, rf_str address, rf_usec elapsed);
bool spray_has(struct spray_list *list, rf_str address, rf_usec elapsed);

/* ---- risk_signin.c */
struct signin;
/* Looks at what was proved so far, notes and tells what is new of it: signin->risk. */
RF_MUST_USE enum rf_kind risk_look(struct signin *signin, struct rf_err *err);
/* The sign-in succeeds, in the transaction that makes its session: it becomes a habit, and a second factor settles what was found. */
RF_MUST_USE enum rf_kind risk_learn(struct signin *signin, struct state_txn *txn,
                                    struct rf_err *err);
/* Behind the commit. */
void risk_tell_passed(const struct signin *signin);
void risk_tell_spray(struct signin *signin);

#endif
