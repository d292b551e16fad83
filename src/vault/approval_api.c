/* approval_api.c - requests for access: asked for, approved or denied, taken back, reviewed, listed. Anybody of the tenant may ask; each other step looks for
 * itself whether the caller is an approver of the vault. */
#include "base/encode.h"
#include "vault/approval_int.h"

enum {
    REASON_CHARS_MAX = 500,
    WAIT_SECONDS = 86400,
    OPEN_MAX = 5, /* of one asker at one vault */
    LOOKS_MAX = 2000
};

/* ---- in the state ----------------------------------------------------------------------------------------------------------------- */

static rf_str key_of(struct vault_call *call, rf_str id)
{
    return rf_arena_printf(call->arena, "%.*s/%.*s", RF_FMT(call->place.guid), RF_FMT(id));
}

rf_str vault_approval_holder(struct vault_call *call, rf_str principal)
{
    rf_str text =
        rf_arena_printf(call->arena, "%.*s/%.*s", RF_FMT(call->place.guid), RF_FMT(principal));
    uint8_t *low = text.ptr == NULL ? NULL : rf_arena_alloc(call->arena, text.len);
    for (size_t i = 0; low != NULL && i < text.len; i++) low[i] = rf_lower(text.ptr[i]);
    return low == NULL ? (rf_str){0} : rf_str_make(low, text.len);
}

static int64_t number_at(const struct json_node *node, const char *name)
{
    int64_t number = 0;
    return json_i64_at(node, name, &number) ? number : 0;
}

/* A request that nobody decided in time is over without anybody having written so. */
static const char *state_now(const struct json_node *node, int64_t now)
{
    rf_str state = json_text_at(node, "state");
    if (rf_str_is(state, "pending"))
        return now >= number_at(node, "created") + WAIT_SECONDS ? "expired" : "pending";
    if (rf_str_is(state, "approved")) {
        if (now < number_at(node, "to")) return "approved";
        return json_get(node, "review") != NULL ? "reviewed" : "ended";
    }
    return "denied";
}

enum rf_kind vault_approval_put(struct vault_call *call, struct state_txn *txn,
                                const struct json_node *node, struct rf_err *err)
{
    rf_str key = key_of(call, json_text_at(node, "id")), body = json_to_text(call->arena, node);
    rf_str holder = vault_approval_holder(call, json_text_at(node, "asker.id"));
    const char *state = state_now(node, call->now);
    bool is_alive = strcmp(state, "pending") == 0 || strcmp(state, "approved") == 0;
    bool is_open =
        rf_str_is(json_text_at(node, "state"), "approved") && json_get(node, "review") == NULL;
    struct state_index indexes[2];
    uint32_t count = 0;
    if (key.ptr == NULL || body.ptr == NULL || holder.ptr == NULL)
        return rf_fail_memory(err, call->arena);
    if (is_alive) indexes[count++] = (struct state_index){"holder", holder};
    if (is_open) indexes[count++] = (struct state_index){"review", RF_S("open")};
    struct state_put put = {.space = vault_request_space,
                            .key = key,
                            .body = body,
                            .indexes = indexes,
                            .index_count = count};
    return state_put(txn, &put, NULL, NULL, err);
}

static const struct json_node *glass_of(const struct vault_call *call)
{
    return json_get(call->place.properties, "breakGlass");
}

static enum rf_kind need_glass(struct vault_call *call, struct rf_err *err)
{
    if (json_is(glass_of(call), JSON_T_OBJECT)) return RF_OK;
    return vault_fail(call, err, 409, "Conflict", "BreakGlassOff",
                      "This vault knows no requests for access: 'breakGlass' is not among its "
                      "properties.");
}

static enum rf_kind no_request(struct vault_call *call, struct rf_err *err)
{
    return vault_fail(call, err, 404, "AccessRequestNotFound", NULL,
                      "There is no request for access with this id that you may see.");
}

static bool is_asker(const struct vault_call *call, const struct json_node *node)
{
    return rf_str_eq_nocase(json_text_at(node, "asker.id"), call->request->principal->object_id);
}

static bool is_approver(const struct vault_call *call)
{
    return vault_approval_is_approver(glass_of(call), call->request->principal);
}

/* One that the caller may see: an approver each, an asker his own. */
static enum rf_kind load(struct vault_call *call, struct state_txn *txn, struct json_node **out,
                         struct rf_err *err)
{
    struct state_object object;
    rf_str key = key_of(call, call->name);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_get(txn, vault_request_space, key, call->arena, &object, err);
    if (kind == RF_NOT_FOUND) return no_request(call, err);
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, call->arena, out, err));
    return is_approver(call) || is_asker(call, *out) ? RF_OK : no_request(call, err);
}

/* ---- shown -------------------------------------------------------------------------------------------------------------------------- */

static struct json_node *show(struct vault_call *call, const struct json_node *node)
{
    struct json_node *out = json_clone(call->arena, node);
    if (json_set_text(call->arena, out, "state", rf_str_of(state_now(node, call->now))) == NULL)
        return NULL;
    json_remove(out, RF_S("vault"));
    return out;
}

static enum rf_kind answer(struct vault_call *call, uint16_t status, const struct json_node *node,
                           struct rf_err *err)
{
    struct json_node *out = show(call, node);
    call->audit_id = rf_arena_printf(call->arena, "%.*s/access-requests/%.*s", RF_FMT(call->base),
                                     RF_FMT(json_text_at(node, "id")));
    if (out == NULL || call->audit_id.ptr == NULL) return rf_fail_memory(err, call->arena);
    return request_answer(call->request, status, out);
}

static bool put_who(struct vault_call *call, struct json_node *out)
{
    const struct principal *who = call->request->principal;
    return json_set_text(call->arena, out, "id", who->object_id) != NULL &&
           json_set_text(call->arena, out, "name", principal_caller(who)) != NULL;
}

/* ---- asking ---------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_scope(struct vault_call *call, struct json_node *out, rf_str *collection,
                               struct rf_err *err)
{
    struct json_node *scope;
    RF_TRY(vault_member(call, call->body, "scope", JSON_T_STRING, &scope, err));
    rf_str text = scope == NULL ? (rf_str){0} : scope->text;
    size_t slash = text.len < 2 ? SIZE_MAX : rf_str_find(text, RF_S("/"), 1);
    bool good = slash != SIZE_MAX && text.ptr[0] == '/' &&
                vault_name_is(rf_slice(text, slash + 1, text.len));
    *collection = good ? rf_slice(text, 1, slash) : (rf_str){0};
    good = good && (rf_str_is(*collection, "secrets") || rf_str_is(*collection, "keys") ||
                    rf_str_is(*collection, "certificates"));
    if (!good)
        return vault_bad(call, err,
                         "Property 'scope' has invalid value: it is /secrets/NAME, /keys/NAME or "
                         "/certificates/NAME.");
    return json_set_text(call->arena, out, "scope", text) == NULL ? rf_fail_memory(err, call->arena)
                                                                  : RF_OK;
}

static enum rf_kind read_actions(struct vault_call *call, rf_str collection, struct json_node *out,
                                 struct rf_err *err)
{
    struct json_node *actions;
    RF_TRY(vault_member(call, call->body, "actions", JSON_T_ARRAY, &actions, err));
    if (actions == NULL || actions->count == 0 || actions->count > 10)
        return vault_bad(call, err,
                         "Property 'actions' has invalid value: it is a list such as "
                         "[\"get\"].");
    for (const struct json_node *n = actions->first; n != NULL; n = n->next)
        if (n->type != JSON_T_STRING || !vault_approval_word(collection, n->text))
            return vault_bad(call, err,
                             "Property 'actions' has invalid value: of secrets and certificates "
                             "'get' can be asked for, of keys get, sign, verify, encrypt, decrypt, "
                             "wrapKey, unwrapKey.");
    return json_set(call->arena, out, RF_S("actions"), json_clone(call->arena, actions)) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind read_text(struct vault_call *call, const char *name, struct json_node *out,
                              struct rf_err *err)
{
    struct json_node *text;
    RF_TRY(vault_member(call, call->body, name, JSON_T_STRING, &text, err));
    if (text == NULL || rf_str_trim(text->text).len == 0 ||
        rf_utf8_count(text->text) > REASON_CHARS_MAX)
        return vault_bad(call, err,
                         "Property '%s' has invalid value: it is a text of 1 to %d characters.",
                         name, REASON_CHARS_MAX);
    return json_set_text(call->arena, out, name, text->text) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind read_minutes(struct vault_call *call, struct json_node *out, struct rf_err *err)
{
    int64_t minutes = 0, most = number_at(glass_of(call), "maxMinutes");
    if (!json_i64_at(call->body, "minutes", &minutes) || minutes < 1 || minutes > most)
        return vault_bad(call, err,
                         "Property 'minutes' has invalid value: it is a whole number from 1 to "
                         "%lld.",
                         (long long)most);
    return json_set_i64(call->arena, out, "minutes", minutes) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

enum rf_kind vault_approval_read(struct vault_call *call, struct json_node *out, struct rf_err *err)
{
    rf_str collection;
    RF_TRY(read_scope(call, out, &collection, err));
    RF_TRY(read_actions(call, collection, out, err));
    RF_TRY(read_text(call, "reason", out, err));
    return read_minutes(call, out, err);
}

/* Time first, so that they lie in their order. */
static rf_str new_id(struct rf_arena *arena)
{
    rf_str hex = vault_version_new(arena);
    if (hex.ptr == NULL) return hex;
    return rf_arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", (const char *)hex.ptr,
                           (const char *)hex.ptr + 8, (const char *)hex.ptr + 12,
                           (const char *)hex.ptr + 16, (const char *)hex.ptr + 20);
}

static enum rf_kind check_open(struct vault_call *call, struct state_txn *txn, struct rf_err *err)
{
    struct state_list list;
    uint32_t open = 0;
    struct state_scan scan = {.space = vault_request_space,
                              .index = "holder",
                              .value =
                                  vault_approval_holder(call, call->request->principal->object_id)};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *node;
        RF_TRY(json_parse(list.items[i].body, call->arena, &node, err));
        const char *state = state_now(node, call->now);
        bool is_alive = strcmp(state, "pending") == 0 || strcmp(state, "approved") == 0;
        open += is_alive;
        if (!is_alive) RF_TRY(vault_approval_put(call, txn, node, err)); /* out of the index */
    }
    if (open < OPEN_MAX) return RF_OK;
    return vault_fail(call, err, 429, "TooManyRequests", NULL,
                      "You have %u requests for access to this vault that are open: at most %d can "
                      "be.",
                      open, OPEN_MAX);
}

static enum rf_kind run_ask(struct vault_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str id = new_id(arena);
    RF_TRY(need_glass(call, err));
    bool good = id.ptr != NULL && json_set_text(arena, node, "id", id) != NULL &&
                json_set_text(arena, node, "vault", call->place.id) != NULL;
    RF_TRY(vault_approval_read(call, node, err));
    good = good && put_who(call, json_object_in(arena, node, "asker")) &&
           json_set_text(arena, node, "state", RF_S("pending")) != NULL &&
           json_set_i64(arena, node, "created", call->now) != NULL &&
           json_set_i64(arena, node, "decideBy", call->now + WAIT_SECONDS) != NULL &&
           json_set(arena, node, RF_S("approvals"), json_new(arena, JSON_T_ARRAY)) != NULL &&
           json_set_i64(arena, node, "useCount", 0) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(check_open(call, txn, err));
    RF_TRY(vault_approval_put(call, txn, node, err));
    RF_TRY(state_finish(&txn, err));
    return answer(call, 201, node, err);
}

/* ---- deciding ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind not_for(struct vault_call *call, struct rf_err *err, const char *why)
{
    return vault_fail(call, err, 409, "Conflict", NULL, "%s", why);
}

static enum rf_kind need_approver(struct vault_call *call, const struct json_node *node,
                                  struct rf_err *err)
{
    if (is_asker(call, node))
        return vault_refuse(call, err, "OwnRequest",
                            RF_S("Nobody decides on a request of his own, or reviews it."));
    if (is_approver(call)) return RF_OK;
    return vault_refuse(call, err, "NotAnApprover",
                        RF_S("You are not among the approvers of this vault."));
}

static bool has_decided(const struct vault_call *call, const struct json_node *node)
{
    const struct json_node *list = json_get(node, "approvals");
    for (const struct json_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next)
        if (rf_str_eq_nocase(json_text_at(n, "id"), call->request->principal->object_id))
            return true;
    return false;
}

static enum rf_kind decide(struct vault_call *call, struct json_node *node, bool allows,
                           struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *list = json_get(node, "approvals"), *one = json_new(arena, JSON_T_OBJECT);
    int64_t allowed = allows, needed = RF_MAX(number_at(glass_of(call), "needed"), 2);
    if (strcmp(state_now(node, call->now), "pending") != 0)
        return not_for(call, err, "This request is decided already, or nobody did in time.");
    if (has_decided(call, node))
        return not_for(call, err, "You have approved this request already: it takes another one.");
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        allowed += json_bool_at(n, "allows", false);
    bool good = put_who(call, one) && json_set_i64(arena, one, "at", call->now) != NULL &&
                json_set_bool(arena, one, "allows", allows) != NULL &&
                json_append(list, one) != NULL;
    if (!allows) good = json_set_text(arena, node, "state", RF_S("denied")) != NULL && good;
    if (allows && allowed >= needed)
        good =
            json_set_text(arena, node, "state", RF_S("approved")) != NULL &&
            json_set_i64(arena, node, "from", call->now) != NULL &&
            json_set_i64(arena, node, "to", call->now + number_at(node, "minutes") * 60) != NULL &&
            good;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind revoke(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    if (strcmp(state_now(node, call->now), "approved") != 0)
        return not_for(call, err, "This request gives nothing that could be taken back.");
    return json_set_i64(call->arena, node, "to", call->now) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind review(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    if (strcmp(state_now(node, call->now), "ended") != 0)
        return not_for(call, err, "What was approved is reviewed once, when its time is over.");
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    RF_TRY(read_text(call, "finding", out, err));
    bool good = put_who(call, out) && json_set_i64(arena, out, "at", call->now) != NULL &&
                json_set(arena, node, RF_S("review"), out) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

enum step { APPROVE, DENY, REVOKE, REVIEW };

static enum rf_kind run_step(struct vault_call *call, enum step step, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *node;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(load(call, txn, &node, err));
    RF_TRY(need_approver(call, node, err));
    RF_TRY(step == REVOKE   ? revoke(call, node, err)
           : step == REVIEW ? review(call, node, err)
                            : decide(call, node, step == APPROVE, err));
    RF_TRY(vault_approval_put(call, txn, node, err));
    RF_TRY(state_finish(&txn, err));
    return answer(call, 200, node, err);
}

static enum rf_kind run_approve(struct vault_call *call, struct rf_err *err)
{
    return run_step(call, APPROVE, err);
}
static enum rf_kind run_deny(struct vault_call *call, struct rf_err *err)
{
    return run_step(call, DENY, err);
}
static enum rf_kind run_revoke(struct vault_call *call, struct rf_err *err)
{
    return run_step(call, REVOKE, err);
}
static enum rf_kind run_review(struct vault_call *call, struct rf_err *err)
{
    return run_step(call, REVIEW, err);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_get(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *node;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(load(call, txn, &node, err));
    return answer(call, 200, node, err);
}

/* One page in the order in which they were made; ?state=ended are those that wait for a review. */
static enum rf_kind run_list(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *value = json_new(arena, JSON_T_ARRAY);
    struct json_node *link = json_new(arena, JSON_T_NULL);
    rf_str prefix = key_of(call, RF_S("")), after = {0}, last = {0};
    rf_str window = rf_arena_printf(arena, "%.*s/access-requests", RF_FMT(call->place.guid));
    rf_str wanted = request_parameter(call->request, "state", NULL);
    struct state_list list;
    uint32_t most;
    if (prefix.ptr == NULL || window.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(vault_window_read(call, window, &after, &most, err));
    struct state_scan scan = {.space = vault_request_space, .prefix = prefix, .limit = LOOKS_MAX};
    if (after.len > 0) scan.after = key_of(call, after);
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    uint32_t i = 0;
    for (; i < list.count && value->count < most; i++) {
        struct json_node *node;
        RF_TRY(json_parse(list.items[i].body, arena, &node, err));
        last = json_text_at(node, "id");
        if (!is_approver(call) && !is_asker(call, node)) continue;
        if (wanted.len > 0 && !rf_str_is(wanted, state_now(node, call->now))) continue;
        if (json_append(value, show(call, node)) == NULL) return rf_fail_memory(err, arena);
    }
    if (i < list.count || list.more) {
        rf_str next = vault_window_next(call, window, last, most);
        link = next.ptr == NULL ? NULL : json_new_text(arena, next);
    }
    bool good = json_set(arena, out, RF_S("value"), value) != NULL &&
                json_set(arena, out, RF_S("nextLink"), link) != NULL;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

/* clang-format off */
const struct vault_operation vault_approval_operations[] = {
    {HTTP_POST, 0, "access-requests", "AccessRequestCreate", NULL, NULL, "", NULL, run_ask},
    {HTTP_GET, VAULT_NO_BODY, "access-requests", "AccessRequestList", NULL, NULL, "", NULL, run_list},
    {HTTP_GET, VAULT_NO_BODY, "access-requests/{name}", "AccessRequestGet", NULL, NULL, "", NULL, run_get},
    {HTTP_POST, 0, "access-requests/{name}/approve", "AccessRequestApprove", NULL, NULL, "", NULL, run_approve},
    {HTTP_POST, 0, "access-requests/{name}/deny", "AccessRequestDeny", NULL, NULL, "", NULL, run_deny},
    {HTTP_POST, 0, "access-requests/{name}/revoke", "AccessRequestRevoke", NULL, NULL, "", NULL, run_revoke},
    {HTTP_POST, 0, "access-requests/{name}/review", "AccessRequestReview", NULL, NULL, "", NULL, run_review},
};
/* clang-format on */
const uint32_t vault_approval_operation_count = RF_COUNT(vault_approval_operations);
