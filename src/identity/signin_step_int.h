/* signin_step_int.h - what the files of the steps of a sign-in share: signin.c (which page is next), signin_show.c (pages), signin_prove.c (passwords
 * and codes), signin_end.c (consent, and what the application gets). */
#ifndef RF_IDENTITY_SIGNIN_STEP_INT_H
#define RF_IDENTITY_SIGNIN_STEP_INT_H

#include "identity/signin_int.h"
#include "people/factor.h"
#include "people/lockout.h"
#include "people/password.h"
#include "people/webauthn.h"

struct signin_outcome {
    const char *result; /* "0", "50126" */
    const char *text;
    const char *method; /* of this step */
    bool method_good;
};
/* Leaves the row of a step that ends in an answer. */
void signin_tell(const struct signin *signin, const struct signin_outcome *outcome);
const struct scopes *signin_scopes(const struct signin *signin);
/* By object id once something was proved, else by the name that was typed. RF_NOT_FOUND 50034. */
RF_MUST_USE enum rf_kind signin_load_person(struct signin *signin, struct rf_err *err);
bool signin_is_silent(const struct signin *signin); /* prompt=none */
/* The error goes to the application. */
enum rf_kind signin_answer_silently(struct signin *signin, const char *error, const char *code,
                                    const char *text, struct rf_err *err);
/* There is no way on: a page that says why, or the error for the application that wants no page. */
enum rf_kind signin_refuse(struct signin *signin, const char *code, const char *text,
                           struct rf_err *err);

/* ---- signin_show.c */
struct signin_ways { /* of a second step that the person has */
    bool totp, passkey, recovery;
    bool any; /* there is a method, be it one that the tenant has switched off */
};
RF_MUST_USE enum rf_kind signin_load_ways(struct signin *signin, struct signin_ways *out,
                                          struct rf_err *err);
enum rf_kind signin_show(struct signin *signin, enum signin_step step, struct page *page,
                         struct rf_err *err);
enum rf_kind signin_show_user(struct signin *signin, enum page_error error, struct rf_err *err);
enum rf_kind signin_show_password(struct signin *signin, enum page_error error, struct rf_err *err);
enum rf_kind signin_show_code(struct signin *signin, enum page_error error, struct rf_err *err);
enum rf_kind signin_show_recovery(struct signin *signin, enum page_error error, struct rf_err *err);
enum rf_kind signin_show_change(struct signin *signin, enum page_error error, rf_str detail,
                                struct rf_err *err);
enum rf_kind signin_show_enroll(struct signin *signin, enum page_error error, struct rf_err *err);
/* The page of signin->step once more. */
enum rf_kind signin_show_again(struct signin *signin, enum page_error error, rf_str detail,
                               struct rf_err *err);

/* ---- signin_prove.c: what a page brought, then signin_go_on */
bool signin_may_try(struct signin *signin, bool code);
void signin_note_failure(struct signin *signin, bool code, const uint8_t *mark);
void signin_note_success(struct signin *signin, unsigned proof);
enum rf_kind signin_take_password(struct signin *signin, struct rf_err *err);
enum rf_kind signin_take_second(struct signin *signin, unsigned proof, const char *field,
                                enum page_error wrong, struct rf_err *err);
enum rf_kind signin_take_enrolled(struct signin *signin, struct rf_err *err);
enum rf_kind signin_take_new_password(struct signin *signin, struct rf_err *err);

/* ---- signin_passkey.c */
struct webauthn_party signin_party(const struct signin *signin, rf_str *origin);
/* A new challenge, kept in signin->extra. */
RF_MUST_USE enum rf_kind signin_make_challenge(struct signin *signin, uint8_t *challenge,
                                               struct rf_err *err);
/* What the page asked with; false when it is too old, or none. */
bool signin_read_challenge(struct signin *signin, rf_str *out);

/* ---- signin_end.c */
/* Makes the session of the browser in `txn`, unless the one that is there will do. */
RF_MUST_USE enum rf_kind signin_keep_session(struct signin *signin, struct state_txn *txn,
                                             struct rf_err *err);
enum rf_kind signin_end(struct signin *signin, struct rf_err *err);
enum rf_kind signin_finish_device(struct signin *signin, bool approved, struct rf_err *err);

#endif
