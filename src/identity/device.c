/* device.c - signing in a device that has no browser (contract identity, section 6.5; RFC 8628). */
#include "identity/signin_int.h"

enum { TRIES_PER_MINUTE = 5 };

/* ---- the device asks --------------------------------------------------------------------------------------------------- */

static void write_codes(struct request *request, const struct device_grant *device, rf_str code,
                        rf_str correlation_id)
{
    struct rf_arena *arena = request->arena;
    rf_str page = rf_arena_printf(arena, "%.*s/devicelogin", RF_FMT(request->origin));
    rf_str filled =
        rf_arena_printf(arena, "%.*s?otc=%.*s", RF_FMT(page), RF_FMT(device->user_code));
    rf_str message = rf_arena_printf(
        arena,
        "To sign in, use a web browser to open the page %.*s and enter the code %.*s to "
        "authenticate.",
        RF_FMT(page), RF_FMT(device->user_code));
    if (page.ptr == NULL || filled.ptr == NULL || message.ptr == NULL)
        request->response->failed = true;
    oauth_headers(request);
    http_set(request->response, "client-request-id", correlation_id);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "user_code", device->user_code);
    json_put_text(&out, "device_code", code);
    json_put_text(&out, "verification_uri", page);
    json_put_text(&out, "verification_uri_complete", filled);
    json_put_i64(&out, "expires_in", DEVICE_LIFE_SECONDS);
    json_put_i64(&out, "interval", DEVICE_INTERVAL_SECONDS);
    json_put_text(&out, "message", message);
    json_end_object(&out);
}

static enum rf_kind make_codes(struct identity *identity, struct request *request,
                               const struct form *form, rf_str correlation_id, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *client_entry = NULL;
    struct scopes scopes = {.openid = false};
    bool shared;
    rf_str client_id = form_get(form, "client_id", NULL), scope = form_get(form, "scope", NULL);
    rf_str resource = form_get(form, "resource", NULL), code;
    RF_TRY(tenant_find(identity, request_variable(request, "tenant"), &shared, err));
    if (client_id.len == 0)
        return RF_FAIL(err, RF_INVALID, "900144",
                       "The request body must contain the following parameter: 'client_id'.");
    RF_TRY(client_find(identity, client_id, &client_entry, err));
    const struct client *client = client_entry->value;
    if (!client->enabled)
        return RF_FAIL(err, RF_DENIED, "7000112", "Application '%.*s'(%.*s) is disabled.",
                       RF_FMT(client->app_id), RF_FMT(client->display_name));
    if (scope.len == 0 && resource.len > 0)
        scope = rf_arena_printf(request->arena, "%.*s/.default openid offline_access",
                                RF_FMT(resource));
    if (scope.len == 0)
        return RF_FAIL(err, RF_INVALID, "900144",
                       "The request body must contain the following parameter: 'scope'.");
    RF_TRY(scopes_read(identity, scope, request->origin, request->arena, &scopes, err));
    memo_release(&scopes.entry);
    struct device_grant device = {.grant = {.client = client->app_id, .scope = scope},
                                  .address = request->http->peer_address};
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(identity->options.state, &txn, err));
    RF_TRY(device_make(txn, &device, request->now, request->arena, &code, err));
    RF_TRY(state_finish(&txn, err));
    write_codes(request, &device, code, correlation_id);
    return RF_OK;
}

enum rf_kind device_ask(struct request *request, struct rf_err *err)
{
    (void)err; /* every outcome is an answer of this endpoint's own shape */
    struct identity *identity = identity_of(request);
    struct form form = {.count = 0};
    struct rf_err failure = {.kind = RF_OK};
    rf_str correlation_id = correlation_of(request);
    enum rf_kind kind = form_parse(request->http->body, request->arena, &form, &failure);
    /* Anybody may ask, and each answer is kept for a while: so many from one address and no more. */
    rf_str who =
        rf_arena_printf(request->arena, "device %.*s", RF_FMT(request->http->peer_address));
    rf_usec now = rf_clock_elapsed(identity->options.clock);
    if (kind == RF_OK && who.ptr != NULL && !request->http->is_loopback) {
        if (guard_wait(identity->guard, who, now) > 0)
            kind = RF_FAIL(&failure, RF_AGAIN, "50196", "Too many device codes are asked for.");
        else
            guard_failed(identity->guard, who, now);
    }
    if (kind == RF_OK) kind = make_codes(identity, request, &form, correlation_id, &failure);
    if (kind != RF_OK) oauth_answer_error(request, correlation_id, &failure);
    return RF_OK;
}

/* ---- the user types the code --------------------------------------------------------------------------------------------- */

static enum rf_kind show(struct request *request, enum page_error error, rf_str typed)
{
    struct page page = {.kind = PAGE_DEVICE,
                        .language = signin_language(request, NULL),
                        .error = error,
                        .action = RF_S("/devicelogin"),
                        .organisation = identity_of(request)->domain,
                        .secret = typed,
                        .request_id = request->request_id,
                        .time = time_graph(request->arena, request->now)};
    signin_headers(request, (rf_str){0}, NULL, 0);
    http_set_literal(request->response, "Content-Type", "text/html; charset=utf-8");
    if (!page_write(&page, &request->response->body)) request->response->failed = true;
    return RF_OK;
}

enum rf_kind device_page(struct request *request, struct rf_err *err)
{
    (void)err;
    rf_str typed = request_parameter(request, "otc", NULL);
    return show(request, PAGE_NO_ERROR, rf_slice(typed, 0, RF_MIN(typed.len, (size_t)16)));
}

/* Codes have some 43 bits and live for 15 minutes; five wrong ones a minute from an address are enough for people. */
static bool may_try(struct identity *identity, const struct request *request, bool failed)
{
    rf_usec now = rf_clock_elapsed(identity->options.clock);
    rf_str who = rf_arena_printf(request->arena, "usercode %.*s /%lld",
                                 RF_FMT(request->http->peer_address), 0LL);
    if (who.ptr == NULL) return false;
    if (failed)
        for (int i = 0; i < GUARD_FAILURES_MAX / TRIES_PER_MINUTE; i++)
            guard_failed(identity->guard, who, now);
    return guard_wait(identity->guard, who, now) == 0;
}

enum rf_kind device_code_typed(struct request *request, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    struct signin s = {.identity = identity,
                       .request = request,
                       .arena = request->arena,
                       .what = FOR_DEVICE,
                       .begun = request->now,
                       .correlation_id = correlation_of(request)};
    RF_TRY(form_parse(request->http->body, request->arena, &s.form, err));
    s.user_code = form_get(&s.form, "otc", NULL);
    struct rf_err why;
    enum rf_kind kind = RF_NOT_FOUND;
    if (may_try(identity, request, false)) kind = signin_load_device(&s, &why);
    if (kind == RF_NOT_FOUND) {
        signin_done(&s);
        (void)may_try(identity, request, true);
        return show(request, PAGE_E_DEVICE_CODE, (rf_str){0});
    }
    if (kind != RF_OK) *err = why;
    if (kind == RF_OK) kind = signin_load_session(&s, err);
    if (kind == RF_OK) kind = signin_go_on(&s, PAGE_NO_ERROR, (rf_str){0}, err);
    signin_done(&s);
    return kind;
}
