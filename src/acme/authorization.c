/* authorization.c - authorizations and their challenges (RFC 8555, 7.1.4, 7.1.5, 7.5). */
#include "acme/acme_int.h"
#include "base/encode.h"

static const char *const types[] = {"http-01", "tls-alpn-01", "dns-01"};

static bool is_offered(const struct json_node *authorization, const char *type)
{
    return !json_bool_at(authorization, "wildcard", false) || strcmp(type, "dns-01") == 0;
}

/* ---- showing -------------------------------------------------------------------------------------------------------------------- */

static const char *challenge_status(const struct json_node *authorization, const char *type)
{
    rf_str status = json_text_at(authorization, "status");
    if (!rf_str_is(json_text_at(authorization, "type"), type)) return "pending";
    if (rf_str_is(status, "pending")) return "processing";
    return rf_str_is(status, "invalid") ? "invalid" : "valid";
}

static struct json_node *show_challenge(struct acme_call *call, rf_str order, rf_str n,
                                        const struct json_node *authorization, const char *type)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    const char *status = challenge_status(authorization, type);
    rf_str url = rf_arena_printf(arena, "%.*s/chall/%.*s/%.*s/%s", RF_FMT(call->base),
                                 RF_FMT(order), RF_FMT(n), type);
    bool good = url.ptr != NULL && json_set_text(arena, out, "type", rf_str_of(type)) != NULL &&
                json_set_text(arena, out, "url", url) != NULL &&
                json_set_text(arena, out, "token", json_text_at(authorization, "token")) != NULL &&
                json_set_text(arena, out, "status", rf_str_of(status)) != NULL;
    int64_t validated;
    if (strcmp(status, "valid") == 0 && json_i64_at(authorization, "validated", &validated)) {
        rf_str text = acme_time(arena, validated);
        good = text.ptr != NULL && json_set_text(arena, out, "validated", text) != NULL && good;
    }
    const struct json_node *error = json_get(authorization, "error");
    if (strcmp(status, "invalid") == 0 && error != NULL)
        good = json_set(arena, out, RF_S("error"), json_clone(arena, error)) != NULL && good;
    return good ? out : NULL;
}

static struct json_node *shown(struct acme_call *call, rf_str id, rf_str n,
                               const struct json_node *order, const struct json_node *authorization)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    struct json_node *name = json_object_in(arena, out, "identifier");
    const char *status = acme_authorization_status(order, authorization, call->now);
    int64_t expires = 0;
    (void)json_i64_at(order, "expires", &expires);
    rf_str until = acme_time(arena, expires);
    bool good = until.ptr != NULL && json_set_text(arena, name, "type", RF_S("dns")) != NULL &&
                json_set_text(arena, name, "value", json_text_at(authorization, "name")) != NULL &&
                json_set_text(arena, out, "status", rf_str_of(status)) != NULL &&
                json_set_text(arena, out, "expires", until) != NULL;
    if (json_bool_at(authorization, "wildcard", false))
        good = json_set_bool(arena, out, "wildcard", true) != NULL && good;
    struct json_node *challenges =
        json_set(arena, out, RF_S("challenges"), json_new(arena, JSON_T_ARRAY));
    for (size_t i = 0; i < RF_COUNT(types); i++) {
        /* Behind an answer only the challenge that was answered counts. */
        rf_str tried = json_text_at(authorization, "type");
        if (!is_offered(authorization, types[i]) || (tried.len > 0 && !rf_str_is(tried, types[i])))
            continue;
        good =
            json_append(challenges, show_challenge(call, id, n, authorization, types[i])) != NULL &&
            good;
    }
    return good ? out : NULL;
}

/* ---- finding ---------------------------------------------------------------------------------------------------------------------- */

static bool read_number(rf_str text, uint32_t *out)
{
    *out = 0;
    if (text.len == 0 || text.len > 3) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        *out = *out * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return true;
}

static enum rf_kind find(struct acme_call *call, struct json_node **order, struct json_node **out,
                         uint32_t *n, struct rf_err *err)
{
    RF_TRY(acme_order_mine(call, request_variable(call->request, "order"), order, err));
    *out = read_number(request_variable(call->request, "n"), n)
               ? acme_order_authorization(*order, *n)
               : NULL;
    if (*out != NULL) return RF_OK;
    return acme_fail(call, err, 404, "malformed", "The order has no such authorization.");
}

/* ---- authorizations ----------------------------------------------------------------------------------------------------------------- */

struct edit {
    struct acme_call *call;
    uint32_t n;
    const char *type;
};
static enum rf_kind deactivate(void *ctx, struct json_node *order, struct rf_arena *arena,
                               struct rf_err *err)
{
    const struct edit *edit = ctx;
    struct json_node *authorization = acme_order_authorization(order, edit->n);
    rf_str status = json_text_at(authorization, "status");
    if (!rf_str_is(status, "valid") && !rf_str_is(status, "pending")) return RF_OK;
    if (json_set_text(arena, authorization, "status", RF_S("deactivated")) == NULL)
        return rf_fail_memory(err, arena);
    return RF_OK;
}

enum rf_kind acme_authorization(struct acme_call *call, struct rf_err *err)
{
    struct json_node *order, *authorization;
    struct edit edit = {.call = call};
    rf_str id = request_variable(call->request, "order"), n = request_variable(call->request, "n");
    RF_TRY(find(call, &order, &authorization, &edit.n, err));
    if (json_get(call->payload, "status") != NULL) {
        if (!rf_str_is(json_text_at(call->payload, "status"), "deactivated"))
            return acme_fail(
                call, err, 400, "malformed",
                "The status of an authorization can be changed to \"deactivated\" only.");
        RF_TRY(acme_order_change(call->acme, id, deactivate, &edit, call->arena, &order, err));
        authorization = acme_order_authorization(order, edit.n);
    }
    return acme_answer(call, 200, (rf_str){0}, shown(call, id, n, order, authorization), err);
}

/* ---- challenges --------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind begin(void *ctx, struct json_node *order, struct rf_arena *arena,
                          struct rf_err *err)
{
    const struct edit *edit = ctx;
    struct json_node *authorization = acme_order_authorization(order, edit->n);
    const char *status = acme_authorization_status(order, authorization, edit->call->now);
    /* Told again, or too late: it stays as it is. */
    if (strcmp(status, "pending") != 0 || json_get(authorization, "type") != NULL) return RF_OK;
    if (json_set_text(arena, authorization, "type", rf_str_of(edit->type)) == NULL)
        return rf_fail_memory(err, arena);
    return RF_OK;
}

enum rf_kind acme_challenge(struct acme_call *call, struct rf_err *err)
{
    struct json_node *order, *authorization;
    struct edit edit = {.call = call};
    rf_str id = request_variable(call->request, "order"), n = request_variable(call->request, "n");
    rf_str type = request_variable(call->request, "type");
    RF_TRY(find(call, &order, &authorization, &edit.n, err));
    for (size_t i = 0; i < RF_COUNT(types); i++)
        if (rf_str_is(type, types[i]) && is_offered(authorization, types[i])) edit.type = types[i];
    if (edit.type == NULL)
        return acme_fail(call, err, 404, "malformed", "The authorization has no such challenge.");
    if (call->payload != NULL) { /* {}: the proof is in its place */
        RF_TRY(acme_order_change(call->acme, id, begin, &edit, call->arena, &order, err));
        authorization = acme_order_authorization(order, edit.n);
        if (rf_str_is(json_text_at(authorization, "type"), edit.type) &&
            rf_str_is(json_text_at(authorization, "status"), "pending"))
            acme_checks_add(call->acme, id, edit.n);
    }
    rf_str up = rf_arena_printf(call->arena, "<%.*s/authz/%.*s/%.*s>;rel=\"up\"",
                                RF_FMT(call->base), RF_FMT(id), RF_FMT(n));
    if (up.ptr == NULL) return rf_fail_memory(err, call->arena);
    http_add(call->request->response, "Link", up);
    if (strcmp(challenge_status(authorization, edit.type), "processing") == 0)
        http_set_literal(call->request->response, "Retry-After", "1");
    return acme_answer(call, 200, (rf_str){0},
                       show_challenge(call, id, n, authorization, edit.type), err);
}
