/* signin_show.c - the pages of a sign-in. */
#include "identity/access_policy_int.h"
#include "identity/signin_step_int.h"

/* ---- pages by step ------------------------------------------------------------------------------------------------------------- */

enum rf_kind signin_show(struct signin *s, enum signin_step step, struct page *page,
                         struct rf_err *err)
{
    s->step = step;
    return signin_page(s, page, err);
}

static rf_str switch_url(const struct signin *s)
{
    if (s->what != FOR_APP) return (rf_str){0};
    return rf_arena_printf(s->arena, "/%.*s/oauth2/v2.0/authorize?%.*s&rf_other=1",
                           RF_FMT(s->tenant), RF_FMT(s->query));
}

enum rf_kind signin_show_user(struct signin *s, enum page_error error, struct rf_err *err)
{
    struct page page = {
        .kind = PAGE_USER, .error = error, .user_name = s->typed, .can_passkey = true};
    return signin_show(s, STEP_USER, &page, err);
}

enum rf_kind signin_show_password(struct signin *s, enum page_error error, struct rf_err *err)
{
    struct page page = {.kind = PAGE_PASSWORD,
                        .error = error,
                        .user_name = s->typed,
                        .can_passkey = true,
                        .can_pass = true,
                        .switch_url = switch_url(s)};
    return signin_show(s, STEP_PASSWORD, &page, err);
}

/* A way that the tenant has switched off is none. */
static enum rf_kind load_way(struct signin *s, const char *method, bool *way, struct rf_err *err)
{
    bool enabled = true;
    if (*way) RF_TRY(access_method_enabled(s->identity, method, &enabled, err));
    *way = *way && enabled;
    return RF_OK;
}

enum rf_kind signin_load_ways(struct signin *s, struct signin_ways *out, struct rf_err *err)
{
    struct factor_list list;
    *out = (struct signin_ways){.totp = false};
    {
        IDENTITY_TXN txn = NULL;
        RF_TRY(state_begin_read(s->identity->options.state, &txn, err));
        RF_TRY(factors_of(txn, s->person.id, s->arena, &list, err));
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (strcmp(list.items[i].kind, "totp") == 0) out->totp = true;
        if (strcmp(list.items[i].kind, "fido2") == 0) out->passkey = true;
        if (strcmp(list.items[i].kind, "recovery") == 0) out->recovery = true;
    }
    out->any = list.count > 0;
    RF_TRY(load_way(s, "SoftwareOath", &out->totp, err));
    RF_TRY(load_way(s, "Fido2", &out->passkey, err));
    return load_way(s, "RecoveryCode", &out->recovery, err);
}

static rf_str policy_name(const struct signin *s)
{
    return s->has_verdict ? json_text_at(s->verdict.asked_by, "displayName") : (rf_str){0};
}

enum rf_kind signin_show_code(struct signin *s, enum page_error error, struct rf_err *err)
{
    struct signin_ways ways;
    RF_TRY(signin_load_ways(s, &ways, err));
    struct page page = {.kind = PAGE_CODE,
                        .error = error,
                        .why = policy_name(s),
                        .can_passkey = ways.passkey,
                        .can_recover = ways.recovery,
                        .switch_url = switch_url(s)};
    return signin_show(s, STEP_CODE, &page, err);
}

enum rf_kind signin_show_recovery(struct signin *s, enum page_error error, struct rf_err *err)
{
    struct page page = {.kind = PAGE_RECOVERY, .error = error, .can_code = true};
    return signin_show(s, STEP_RECOVERY, &page, err);
}

enum rf_kind signin_show_change(struct signin *s, enum page_error error, rf_str detail,
                                struct rf_err *err)
{
    struct page page = {.kind = PAGE_CHANGE, .error = error, .detail = detail};
    return signin_show(s, STEP_CHANGE, &page, err);
}

/* A secret for an authenticator, shown until a code proves that it was taken over; it travels with the page, and is nobody's yet. */
enum rf_kind signin_show_enroll(struct signin *s, enum page_error error, struct rf_err *err)
{
    if (s->extra.len == 0 || s->step != STEP_ENROLL) {
        uint8_t raw[TOTP_SECRET_BYTES];
        random_bytes(raw, sizeof raw);
        s->extra = totp_base32(s->arena, rf_str_make(raw, sizeof raw));
        explicit_bzero(raw, sizeof raw);
        if (s->extra.ptr == NULL) return rf_fail_memory(err, s->arena);
    }
    struct page page = {.kind = PAGE_ENROLL,
                        .error = error,
                        .why = policy_name(s),
                        .secret = s->extra,
                        .uri = totp_uri(s->arena, s->person.name, s->extra)};
    if (s->what == FOR_FIRST) {
        page.optional = true;
        RF_TRY(access_method_enabled(s->identity, "Fido2", &page.can_passkey, err));
    }
    if (page.uri.ptr == NULL) return rf_fail_memory(err, s->arena);
    return signin_show(s, STEP_ENROLL, &page, err);
}

enum rf_kind signin_show_again(struct signin *s, enum page_error error, rf_str detail,
                               struct rf_err *err)
{
    switch (s->step) {
    case STEP_PASSWORD:
        return signin_show_password(s, error, err);
    case STEP_CODE:
        return signin_show_code(s, error, err);
    case STEP_RECOVERY:
        return signin_show_recovery(s, error, err);
    case STEP_PASSKEY:
        return signin_show_passkey(s, error, err);
    case STEP_CHANGE:
        return signin_show_change(s, error, detail, err);
    case STEP_ENROLL:
        return signin_show_enroll(s, error, err);
    case STEP_PASS: {
        struct page page = {.kind = PAGE_PASS, .error = error};
        return signin_show(s, STEP_PASS, &page, err);
    }
    default:
        return signin_show_user(s, error, err);
    }
}
