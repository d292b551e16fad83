/* signin_int.h - what the files of sign-in for people share: the authorize request, the pages and what lies between them, tokens of users
 * (contract identity, sections 3, 4, 6). */
#ifndef RF_IDENTITY_SIGNIN_INT_H
#define RF_IDENTITY_SIGNIN_INT_H

#include "identity/identity_int.h"
#include "identity/risk_int.h"
#include "people/grant.h"
#include "people/page.h"
#include "people/policy.h"
#include "people/session.h"

/* ---- scope.c: what is asked for (section 3.3) ------------------------------------------------------------------------- */

struct scopes {
    bool openid, profile, email, offline;
    bool all;        /* .default: whatever was consented to */
    rf_str audience; /* the resource's name as asked; of Graph when there is none */
    rf_str
        names; /* of the resource's scopes, blanks between, without its name; empty: only the above */
    struct memo_entry *entry;
    const struct resource *resource;
};
/* RF_INVALID 70011, 28000; RF_NOT_FOUND 500011. The caller releases scopes->entry. */
RF_MUST_USE enum rf_kind scopes_read(struct identity *identity, rf_str text, rf_str origin,
                                     struct rf_arena *arena, struct scopes *out,
                                     struct rf_err *err);
/* What of it was consented to by the user or for all; *granted: scp of the token (blanks between, openid ones too); *missing: what was not. */
RF_MUST_USE enum rf_kind scopes_consent(struct identity *identity, struct state_txn *txn,
                                        const struct client *client, rf_str user,
                                        const struct scopes *scopes, struct rf_arena *arena,
                                        rf_str *granted, rf_str *missing, struct rf_err *err);
/* The user agrees: kept as an oauth2PermissionGrant. */
RF_MUST_USE enum rf_kind scopes_agree(struct identity *identity, struct state_txn *txn,
                                      const struct client *client, rf_str user,
                                      const struct scopes *scopes, rf_str missing,
                                      struct rf_arena *arena, struct rf_err *err);
bool scope_has(rf_str list, rf_str name); /* a word of a list with blanks between */
bool scope_needs_admin(const struct scopes *scopes, rf_str missing);

/* ---- person.c: users ----------------------------------------------------------------------------------------------------- */

struct person {
    const struct json_node *doc;
    rf_str id, name, display_name; /* object id, userPrincipalName */
    bool enabled, must_change;
    rf_usec valid_from; /* what was proved before does not count */
};
/* By userPrincipalName. RF_NOT_FOUND 50034. */
RF_MUST_USE enum rf_kind person_by_name(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                                        struct person *out, struct rf_err *err);
RF_MUST_USE enum rf_kind person_by_id(struct state_txn *txn, rf_str id, struct rf_arena *arena,
                                      struct person *out, struct rf_err *err);
/* RF_DENIED 50057 disabled, 50173 signed out since. */
RF_MUST_USE enum rf_kind person_still(const struct person *person, rf_usec proved,
                                      struct rf_err *err);

/* ---- user_token.c -------------------------------------------------------------------------------------------------------- */

struct user_token_request {
    const struct client *client;
    const struct scopes *scopes;
    const struct person *person;
    const struct grant *grant; /* proofs and times, sid */
    rf_str scp;                /* as granted */
    rf_str origin, address;
    const char *client_strength; /* "0" public, "1", "2" */
    rf_str nonce;                /* of the ID token; empty: none */
    bool tell_auth_time, cae;
    rf_usec now;
};
RF_MUST_USE enum rf_kind user_access_token(struct identity *identity,
                                           const struct user_token_request *wanted,
                                           struct rf_arena *arena, struct access_token *out,
                                           struct rf_err *err);
RF_MUST_USE enum rf_kind user_id_token(struct identity *identity,
                                       const struct user_token_request *wanted,
                                       struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* The user's subject at an application: pairwise, stable. */
RF_MUST_USE enum rf_kind user_subject(struct identity *identity, rf_str user, rf_str app_id,
                                      struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* A token of ours by its signature, issuer and times. RF_DENIED 50013, 500133. */
RF_MUST_USE enum rf_kind own_token_read(struct identity *identity, rf_str text, rf_str origin,
                                        rf_usec now, struct rf_arena *arena,
                                        const struct json_node **claims, struct rf_err *err);

/* ---- authorize.c: the request of section 6.1 ------------------------------------------------------------------------------- */

enum redirect_kind { REDIRECT_NONE, REDIRECT_WEB, REDIRECT_SPA, REDIRECT_PUBLIC };
struct authorize {
    rf_str query; /* as sent; carried from page to page */
    struct form form;
    rf_str tenant; /* as in the path */
    rf_str client_id, redirect_uri, state, nonce, mode, login_hint, challenge;
    bool prompt_none, prompt_login, prompt_select, prompt_consent;
    bool wants_mfa;  /* amr_values=mfa: a second factor, whatever policies say */
    int64_t max_age; /* -1: none given */
    struct memo_entry *client_entry;
    const struct client *client;
    enum redirect_kind redirect; /* NONE: nothing may be sent there */
    struct scopes scopes;
};
/* Reads and checks a query; what is wrong with it goes to the redirect address when authorize->redirect says that it may. */
RF_MUST_USE enum rf_kind authorize_read(struct identity *identity, rf_str query, rf_str tenant,
                                        rf_str origin, struct rf_arena *arena,
                                        struct authorize *out, struct rf_err *err);
void authorize_done(struct authorize *authorize);
enum rf_kind authorize_run(struct request *request, struct rf_err *err);

/* ---- signin.c: from page to page ---------------------------------------------------------------------------------------------- */

enum signin_for { FOR_APP, FOR_DEVICE, FOR_FIRST /* behind an administrator's link */ };
enum signin_step {
    STEP_USER,
    STEP_PASSWORD,
    STEP_CODE,
    STEP_RECOVERY,
    STEP_PASSKEY,
    STEP_PASS,
    STEP_CHANGE,
    STEP_ENROLL,
    STEP_CODES_SHOWN,
    STEP_KEEP,
    STEP_CONSENT,
    STEP_CONFIRM,
    STEP_ACCOUNT,
    STEP_ENROLL_PASSKEY
};
struct signin {
    struct identity *identity;
    struct request *request;
    struct rf_arena *arena;
    struct form form; /* of the page that was sent */
    /* Carried from page to page, under a MAC that is bound to a cookie. */
    enum signin_for what;
    enum signin_step step;
    rf_str query, tenant; /* FOR_APP */
    rf_str user_code;     /* FOR_DEVICE */
    rf_str typed;         /* name as typed */
    rf_str user;          /* object id, once something was proved */
    unsigned proofs;
    rf_usec proved, second_proved, begun;
    bool keep, kept_asked, agreed;
    bool changed; /* the password, on these pages */
    bool fresh;   /* something was proved on these pages, so that there is a session to be made */
    rf_str extra; /* of the step: a challenge, a secret that is being registered */
    rf_str correlation_id;
    /* Found out anew for each request. */
    struct authorize authorize;
    struct device_grant device;
    struct scopes scopes; /* FOR_DEVICE */
    struct memo_entry *client_entry;
    const struct client *client;
    rf_str cookie; /* of the browser's way through the pages */
    rf_str session_cookie;
    struct session session;
    bool has_session;
    struct person person;
    bool has_person;
    struct risk risk;
    const struct json_node *risk_doc; /* of the user, when the sign-in settled some of it */
    bool leaked;                      /* the password is in the list of leaked ones */
    struct policy_verdict verdict;
    bool has_verdict;
    rf_usec step_time;
    rf_str method_detail;
};
enum rf_kind signin_next(struct request *request, struct rf_err *err); /* POST /signin/next */
/* Goes on as far as it can: answers with a page, or with what the application waits for. */
enum rf_kind signin_go_on(struct signin *signin, enum page_error error, rf_str detail,
                          struct rf_err *err);
void signin_done(struct signin *signin);
/* What a device's code, signin->user_code, stands for. RF_NOT_FOUND 70018. */
RF_MUST_USE enum rf_kind signin_load_device(struct signin *signin, struct rf_err *err);
/* signin_passkey.c */
enum rf_kind signin_show_passkey(struct signin *signin, enum page_error error, struct rf_err *err);
enum rf_kind signin_take_passkey(struct signin *signin, struct rf_err *err);

/* signin_context.c */
RF_MUST_USE enum rf_kind signin_seal(struct signin *signin, rf_str *out, struct rf_err *err);
/* RF_DENIED SigninExpired: forged, of another browser, or too old. */
RF_MUST_USE enum rf_kind signin_open(struct signin *signin, rf_str sealed, struct rf_err *err);
#define FLOW_COOKIE "__Host-rf_flow"
#define SESSION_COOKIE "__Host-rf_session"
void cookie_set(struct request *request, const char *name, rf_str value,
                int64_t max_age_seconds /* -1: until the browser ends; 0: delete */);
/* Reads the session of the browser's cookie, if there is a good one. */
RF_MUST_USE enum rf_kind signin_load_session(struct signin *signin, struct rf_err *err);

/* signin_answer.c: pages, redirects */
enum rf_kind signin_page(struct signin *signin, struct page *page, struct rf_err *err);
void signin_headers(struct request *request, rf_str form_target, const rf_str *frames,
                    uint32_t frame_count);
enum rf_kind signin_write_page(struct request *request, struct page *page, uint16_t status);
enum rf_kind signin_error_page(struct request *request, const char *code, rf_str text);
/* Sends fields to the redirect address in the way that was asked for. */
enum rf_kind authorize_answer(struct request *request, const struct authorize *authorize,
                              const struct page_field *fields, uint32_t count, struct rf_err *err);
enum rf_kind authorize_answer_error(struct request *request, const struct authorize *authorize,
                                    const char *error, const struct rf_err *why,
                                    struct rf_err *err);
/* For struct service: pages, not JSON. */
void signin_service_error(struct request *request, uint16_t status, const struct rf_err *err);
enum page_language signin_language(const struct request *request, const struct form *form);

/* ---- grant_user.c: the token endpoint for users ---------------------------------------------------------------------------------- */

bool client_is_public(const struct client *client);
enum rf_kind grant_code(struct token_call *call, struct rf_err *err);
enum rf_kind grant_refresh(struct token_call *call, struct rf_err *err);
enum rf_kind grant_device(struct token_call *call, struct rf_err *err);
enum rf_kind grant_behalf(struct token_call *call, struct rf_err *err);

/* signin_first.c: an administrator's link */
enum rf_kind first_page(struct request *request, struct rf_err *err);  /* GET /signin/first */
enum rf_kind first_taken(struct request *request, struct rf_err *err); /* POST /signin/first */
/* FOR_FIRST: what signin_go_on is for the others, and what one of its pages brings. */
enum rf_kind signin_first_go_on(struct signin *signin, enum page_error error, rf_str detail,
                                struct rf_err *err);
enum rf_kind signin_first_next(struct signin *signin, struct rf_err *err);

/* device.c, logout.c */
enum rf_kind device_ask(struct request *request, struct rf_err *err);
enum rf_kind device_page(struct request *request, struct rf_err *err);
enum rf_kind device_code_typed(struct request *request, struct rf_err *err);
enum rf_kind logout_run(struct request *request, struct rf_err *err);
enum rf_kind userinfo_run(struct request *request, struct rf_err *err);
enum rf_kind signin_asset(struct request *request, struct rf_err *err);

/* ---- portal.c: our own application ----------------------------------------------------------------------------------------------- */

#define PORTAL_APP_ID                                                                              \
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c" /* as policies and rules know the portal */
RF_MUST_USE enum rf_kind portal_seed(struct identity *identity, struct state_txn *txn,
                                     struct rf_arena *arena, struct rf_err *err);
/* Whether it is the portal's own reply address at the origin that was asked. */
bool portal_redirects_to(rf_str app_id, rf_str uri, rf_str origin);
enum rf_kind portal_signin(struct request *request, struct rf_err *err);
enum rf_kind portal_signed_in(struct request *request, struct rf_err *err);
enum rf_kind portal_signout(struct request *request, struct rf_err *err);

/* ---- role_rights.c ------------------------------------------------------------------------------------------------------------------- */

/* See struct directory, `delegated`. */
RF_MUST_USE enum rf_kind rights_of_user(struct identity *identity, struct rf_arena *arena,
                                        struct principal *user, struct rf_err *err);

/* ---- trail_person.c ------------------------------------------------------------------------------------------------------------------ */

struct person_sign_in {
    struct request *request;
    rf_str correlation_id, uti;
    const struct client *client;
    const struct resource *resource;
    const struct person *person; /* NULL: nobody of that name */
    rf_str typed;
    const char *result; /* "0", "50126" ... */
    rf_str description;
    bool interactive;
    unsigned proofs;
    const char *method; /* of the step: "Password"; NULL: previously satisfied */
    bool method_good;
    const struct policy_verdict *verdict; /* NULL: not looked at */
    const struct risk *risk;              /* NULL: not looked at */
    const char *protocol;                 /* "oAuth2", "deviceCode" ... */
    rf_str session_id;
};
void trail_person(struct identity *identity, const struct person_sign_in *what);

#endif
