/* risk_signin.c - what a sign-in looks like beside those before it. Looked at as soon as something is proved: a stranger who has the password and stops
 * at the second factor is seen as well. */
#include <stdio.h>

#include "identity/access_policy_int.h"
#include "identity/risk_int.h"
#include "identity/signin_int.h"
#include "people/habit.h"

/* ---- what there is to look at ------------------------------------------------------------------------------------------- */

static enum rf_kind find_place(struct signin *s, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    RF_TRY(identity_policies(s->identity, &entry, err));
    const struct access_policies *set = entry->value;
    struct place place =
        place_of_address(set->locations, set->location_count, s->request->http->peer_address);
    if (!rf_arena_str(s->arena, place.name, &place.name) ||
        !rf_arena_str(s->arena, place.country, &place.country) ||
        !rf_arena_str(s->arena, place.city, &place.city))
        return rf_fail_memory(err, s->arena);
    s->risk.place = place;
    return RF_OK;
}

static struct habit_look look_of(const struct signin *s)
{
    return (struct habit_look){.user = s->person.id,
                               .address = s->request->http->peer_address,
                               .agent = http_header(s->request->http, "User-Agent", NULL),
                               .place = s->risk.place,
                               .now = s->request->now};
}

/* ---- what does not fit ----------------------------------------------------------------------------------------------------- */

/* The same sign-in finds the same thing on each of its pages: so its id is made of it. */
static bool add(struct signin *s, const char *type, enum risk_level level, rf_str reasons,
                rf_str explanation, bool offline)
{
    struct risk *risk = &s->risk;
    rf_str name = rf_arena_printf(s->arena, "risk/%s/%.*s/%.*s/%lld", type, RF_FMT(s->person.id),
                                  RF_FMT(s->correlation_id), (long long)s->begun);
    RF_ASSERT(risk->count < RISK_DETECTIONS_MAX);
    struct risk_detection *d = &risk->items[risk->count];
    *d = (struct risk_detection){.type = type,
                                 .level = level,
                                 .reasons = reasons,
                                 .explanation = explanation,
                                 .offline = offline};
    if (name.ptr == NULL || reasons.ptr == NULL || explanation.ptr == NULL) return false;
    d->id = guid_named(s->arena, s->identity->tenant, name);
    risk->count++;
    if (!offline) risk->sign_in = RF_MAX(risk->sign_in, level);
    risk->user = RF_MAX(risk->user, level);
    return d->id.ptr != NULL;
}

static bool add_unfamiliar(struct signin *s, const struct habit_finding *f)
{
    rf_str address = s->request->http->peer_address;
    rf_str what = f->new_device
                      ? rf_arena_printf(s->arena, "Neither the network of %.*s nor this browser",
                                        RF_FMT(address))
                      : rf_arena_printf(s->arena, "The network of %.*s", RF_FMT(address));
    rf_str text = rf_arena_printf(
        s->arena, "%.*s was %sin the %u sign-ins of the last %d days. %s", RF_FMT(what),
        f->new_device ? "" : "not ", f->compared, HABIT_DAYS,
        f->place_known ? "" : "How far it is from the sign-in before is not known.");
    return add(s, RISK_UNFAMILIAR, f->unfamiliar,
               f->new_device
                   ? RF_S("[\"UnfamiliarIP\",\"UnfamiliarTenantIPsubnet\",\"UnfamiliarBrowser\"]")
                   : RF_S("[\"UnfamiliarIP\",\"UnfamiliarTenantIPsubnet\"]"),
               text, false);
}

static bool add_travel(struct signin *s, const struct habit_finding *f)
{
    rf_str text = rf_arena_printf(
        s->arena,
        "%.*s (%.*s) is %.0f km from %.*s (%.*s), where the sign-in before was %.0f minutes "
        "earlier.",
        RF_FMT(s->risk.place.name), RF_FMT(s->request->http->peer_address), f->km,
        RF_FMT(f->before_place), RF_FMT(f->before_address), f->hours * 60);
    return add(s, RISK_TRAVEL, f->travel, RF_S("[\"ImpossibleTravel\"]"), text, false);
}

static enum rf_kind find(struct signin *s, struct rf_err *err)
{
    struct habit_finding finding;
    const struct habit_look look = look_of(s);
    bool good = true;
    {
        IDENTITY_TXN txn = NULL;
        RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
        RF_TRY(risk_user_level(txn, s->person.id, s->arena, &s->risk.user, err));
        if (!s->fresh) return RF_OK; /* a session of before: this is no sign-in */
        RF_TRY(habit_find(txn, &look, s->arena, &finding, err));
    }
    if (finding.unfamiliar != RISK_NONE) good = good && add_unfamiliar(s, &finding);
    if (finding.travel != RISK_NONE) good = good && add_travel(s, &finding);
    if (spray_has(s->identity->sprays, look.address, rf_clock_elapsed(s->identity->options.clock)))
        good =
            good &&
            add(s, RISK_SPRAY, RISK_HIGH, RF_S("[\"PasswordSpray\"]"),
                rf_arena_printf(s->arena, "From %.*s many accounts were tried within the last day.",
                                RF_FMT(look.address)),
                false);
    if (s->leaked)
        good = good &&
               add(s, RISK_LEAKED, RISK_HIGH, RF_S("[\"LeakedCredentials\"]"),
                   RF_S("The password is in the list of those that were stolen elsewhere."), true);
    return good ? RF_OK : rf_fail_memory(err, s->arena);
}

/* ---- told ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind raise(struct signin *s, struct json_node **doc, bool *raised,
                          struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(s->identity->options.state, &txn, err));
    RF_TRY(risk_raise(txn, s->person.doc, &s->risk, s->request->now, s->arena, doc, raised, err));
    return *raised ? state_finish(&txn, err) : RF_OK;
}

enum rf_kind risk_look(struct signin *s, struct rf_err *err)
{
    struct json_node *doc;
    bool raised;
    s->risk = (struct risk){.count = 0};
    RF_TRY(find_place(s, err));
    RF_TRY(find(s, err));
    if (s->risk.count == 0) return RF_OK;
    RF_TRY(raise(s, &doc, &raised, err));
    if (!raised) return RF_OK;
    for (uint32_t i = 0; i < s->risk.count; i++)
        risk_tell_detection(s->identity, s->request, s->person.doc, s->correlation_id, &s->risk,
                            &s->risk.items[i], "atRisk", "none");
    risk_tell_user(s->identity, s->request, doc);
    return RF_OK;
}

/* ---- the end of a sign-in -------------------------------------------------------------------------------------------------------- */

#define PASSED "userPassedMFADrivenByRiskBasedPolicy"

enum rf_kind risk_learn(struct signin *s, struct state_txn *txn, struct rf_err *err)
{
    struct json_node *doc;
    const struct habit_look look = look_of(s);
    bool proved = proof_is_mfa(s->proofs);
    if (!s->fresh) return RF_OK;
    /* Who has the password alone does not make a habit of what is strange. */
    if (proved || s->risk.sign_in < RISK_MEDIUM) RF_TRY(habit_learn(txn, &look, s->arena, err));
    if (!proved || s->risk.count == 0) return RF_OK;
    const struct risk_settling settling = {
        .user = s->person.id, .only = &s->risk, .state = "remediated", .detail = PASSED};
    RF_TRY(risk_settle(txn, &settling, s->request->now, s->arena, &doc, err));
    s->risk.passed = true;
    s->risk_doc = doc;
    return RF_OK;
}

void risk_tell_passed(const struct signin *s)
{
    if (!s->risk.passed) return;
    for (uint32_t i = 0; i < s->risk.count; i++)
        if (!s->risk.items[i].offline)
            risk_tell_detection(s->identity, s->request, s->person.doc, s->correlation_id, &s->risk,
                                &s->risk.items[i], "remediated", PASSED);
    if (s->risk_doc != NULL) risk_tell_user(s->identity, s->request, s->risk_doc);
}

void risk_tell_spray(struct signin *s)
{
    struct json_node *target = json_new(s->arena, JSON_T_OBJECT);
    rf_str address = s->request->http->peer_address;
    json_set_text(s->arena, target, "id", address);
    if (json_set_text(s->arena, target, "displayName", address) == NULL) return;
    trail_audit(s->identity, s->request,
                &(struct trail_change){
                    .operation = "Password spray detected",
                    .verb = "Update",
                    .service = "Identity Protection",
                    .category = "IdentityProtection",
                    .type = "Other",
                    .target = target,
                    .reason = "Sign-ins to many accounts failed from this address within a while; "
                              "it has to wait, and what succeeds from it within a day is at risk.",
                    .failed = true});
}
