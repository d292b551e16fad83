/* approval.c - whether a request for access holds at this moment, and what a vault must say for it. It is asked for and decided in approval_api.c. */
#include "vault/approval_int.h"

#include "authz/reach.h"
#include "base/encode.h"
#include "base/log.h"

const char vault_request_space[] = "vault.request";

enum {
    APPROVERS_MAX = 50,
    NEEDED_LEAST = 2,
    MINUTES_MAX = 1440,
    USES_KEPT = 200,
    REQUESTS_MAX = 50,
    TOLD_MAX = 1000,
    SCRATCH_BYTES_MAX = 32 << 20
};

/* ---- what a vault says -------------------------------------------------------------------------------------------------------- */

#define BAD_GLASS(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

static enum rf_kind check_approvers(const struct json_node *list, struct rf_err *err)
{
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0 || list->count > APPROVERS_MAX)
        return BAD_GLASS(err,
                         "'properties.breakGlass.approvers' is a list of 1 to %d object ids of "
                         "users and groups.",
                         APPROVERS_MAX);
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        if (n->type != JSON_T_STRING || !guid_is(n->text))
            return BAD_GLASS(err, "'properties.breakGlass.approvers' has an entry that is no "
                                  "object id.");
    return RF_OK;
}

enum rf_kind vault_break_glass_check(const struct principal *principal, struct authz *authz,
                                     rf_str vault_id, const struct json_node *properties,
                                     const struct json_node *before, struct rf_err *err)
{
    const struct json_node *now = json_get(properties, "breakGlass");
    const struct json_node *was = json_get(before, "breakGlass");
    int64_t needed = 0, minutes = 0;
    if (now == NULL || json_is(now, JSON_T_NULL)) return RF_OK;
    if (!json_is(now, JSON_T_OBJECT))
        return BAD_GLASS(err, "'properties.breakGlass' is an object.");
    RF_TRY(check_approvers(json_get(now, "approvers"), err));
    if (!json_i64_at(now, "needed", &needed) || needed < NEEDED_LEAST || needed > APPROVERS_MAX)
        return BAD_GLASS(err, "'properties.breakGlass.needed' is a whole number from %d to %d.",
                         NEEDED_LEAST, APPROVERS_MAX);
    if (!json_i64_at(now, "maxMinutes", &minutes) || minutes < 1 || minutes > MINUTES_MAX)
        return BAD_GLASS(err, "'properties.breakGlass.maxMinutes' is a whole number from 1 to %d.",
                         MINUTES_MAX);
    if (principal == NULL || (was != NULL && json_equal(was, now))) return RF_OK;
    /* Who names the approvers gives rights away, as who gives a role does. */
    return authz_require(authz, principal, RF_S("Microsoft.Authorization/roleAssignments/write"),
                         vault_id, false, err);
}

/* ---- whether it holds ------------------------------------------------------------------------------------------------------------ */

/* What may be asked for. Not what would outlive the minutes: no one-time links, no backups, nothing that gives rights. */
static const struct {
    const char *collection, *word, *operation;
} grants[] = {{"secrets", "get", "SecretGet"},
              {"keys", "get", "KeyGet"},
              {"keys", "sign", "KeySign"},
              {"keys", "verify", "KeyVerify"},
              {"keys", "encrypt", "KeyEncrypt"},
              {"keys", "decrypt", "KeyDecrypt"},
              {"keys", "wrapKey", "KeyWrap"},
              {"keys", "unwrapKey", "KeyUnwrap"},
              {"certificates", "get", "CertificateGet"}};

bool vault_approval_word(rf_str collection, rf_str word)
{
    for (size_t i = 0; i < RF_COUNT(grants); i++)
        if (rf_str_is(collection, grants[i].collection) && rf_str_is(word, grants[i].word))
            return true;
    return false;
}

static bool names_operation(const struct json_node *node, const struct vault_call *call)
{
    const struct json_node *actions = json_get(node, "actions");
    rf_str scope = json_text_at(node, "scope");
    for (size_t i = 0; i < RF_COUNT(grants); i++) {
        if (strcmp(grants[i].operation, call->operation->audit) != 0) continue;
        rf_str wanted =
            rf_arena_printf(call->arena, "/%s/%.*s", grants[i].collection, RF_FMT(call->name));
        if (wanted.ptr == NULL || !rf_str_eq_nocase(wanted, scope)) continue;
        for (const struct json_node *n = actions == NULL ? NULL : actions->first; n != NULL;
             n = n->next)
            if (rf_str_is(n->text, grants[i].word)) return true;
    }
    return false;
}

bool vault_approval_is_approver(const struct json_node *glass, const struct principal *principal)
{
    const struct json_node *list = json_get(glass, "approvers");
    for (const struct json_node *n = json_is(list, JSON_T_ARRAY) ? list->first : NULL; n != NULL;
         n = n->next) {
        if (rf_str_eq_nocase(n->text, principal->object_id)) return true;
        for (uint32_t i = 0; i < principal->group_count; i++)
            if (rf_str_eq_nocase(n->text, principal->groups[i])) return true;
    }
    return false;
}

/* Those who approved and still may: neither disabled nor gone, nor out of the group that made them approvers. */
static int64_t count_approvals(struct vault_call *call, const struct json_node *node)
{
    const struct directory *directory = call->vaults->options.directory;
    const struct json_node *glass = json_get(call->place.properties, "breakGlass");
    const struct json_node *list = json_get(node, "approvals");
    int64_t count = 0;
    if (directory == NULL) return 0;
    for (const struct json_node *n = json_is(list, JSON_T_ARRAY) ? list->first : NULL; n != NULL;
         n = n->next) {
        struct principal who;
        struct rf_err ignored;
        rf_usec valid_from;
        rf_str id = json_text_at(n, "id");
        if (!json_bool_at(n, "allows", false) ||
            rf_str_eq_nocase(id, json_text_at(node, "asker.id")) ||
            directory->find(directory->ctx, id, call->arena, &who, &valid_from, &ignored) != RF_OK)
            continue;
        count += vault_approval_is_approver(glass, &who);
    }
    return count;
}

static bool holds(struct vault_call *call, const struct json_node *node)
{
    const struct json_node *glass = json_get(call->place.properties, "breakGlass");
    int64_t from, to, needed;
    if (!rf_str_is(json_text_at(node, "state"), "approved") || !json_i64_at(node, "from", &from) ||
        !json_i64_at(node, "to", &to) || !json_i64_at(glass, "needed", &needed))
        return false;
    if (call->now < from || call->now >= to) return false;
    if (!rf_str_eq_nocase(json_text_at(node, "asker.id"), call->request->principal->object_id))
        return false;
    return names_operation(node, call) && count_approvals(call, node) >= RF_MAX(needed, 2);
}

/* ---- using it ----------------------------------------------------------------------------------------------------------------------- */

static bool add_use(struct vault_call *call, struct json_node *node)
{
    struct rf_arena *arena = call->arena;
    struct json_node *uses = json_get(node, "uses"), *use = json_new(arena, JSON_T_OBJECT);
    int64_t count = 0;
    (void)json_i64_at(node, "useCount", &count);
    if (uses == NULL) uses = json_set(arena, node, RF_S("uses"), json_new(arena, JSON_T_ARRAY));
    if (uses == NULL || json_set_i64(arena, node, "useCount", count + 1) == NULL) return false;
    if (uses->count >= USES_KEPT) return true; /* counted, and in the audit rows */
    return json_set_i64(arena, use, "at", call->now) != NULL &&
           json_set_text(arena, use, "operation", rf_str_of(call->operation->audit)) != NULL &&
           json_set_text(arena, use, "version", call->version) != NULL &&
           json_set_text(arena, use, "address", call->request->http->peer_address) != NULL &&
           json_append(uses, use) != NULL;
}

/* Looks once more where nobody else writes, so that what was revoked meanwhile is not used. */
static bool write_use(struct vault_call *call, rf_str key)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    struct json_node *node;
    struct rf_err err;
    if (state_begin_write(call->vaults->options.state, &txn, &err) != RF_OK ||
        state_get(txn, vault_request_space, key, call->arena, &object, &err) != RF_OK ||
        json_parse(object.body, call->arena, &node, &err) != RF_OK || !holds(call, node) ||
        !add_use(call, node))
        return false;
    return vault_approval_put(call, txn, node, &err) == RF_OK && state_finish(&txn, &err) == RF_OK;
}

bool vault_approval_allows(struct vault_call *call, rf_str *id)
{
    struct rf_arena *arena = call->arena;
    struct rf_err err;
    struct state_list list;
    if (!json_is(json_get(call->place.properties, "breakGlass"), JSON_T_OBJECT)) return false;
    const struct principal *principal = call->request->principal;
    rf_str action = rf_arena_printf(arena, "Microsoft.KeyVault/vaults/%s", call->operation->action);
    rf_str scope = rf_arena_printf(arena, "%.*s/%s/%.*s", RF_FMT(call->place.id),
                                   call->operation->scope == NULL ? "" : call->operation->scope,
                                   RF_FMT(call->name));
    rf_str holder = vault_approval_holder(call, principal->object_id);
    if (action.ptr == NULL || scope.ptr == NULL || holder.ptr == NULL ||
        authz_denies(call->vaults->options.authz, principal, action, scope, true))
        return false;
    struct state_txn *txn = NULL;
    struct state_scan scan = {
        .space = vault_request_space, .index = "holder", .value = holder, .limit = REQUESTS_MAX};
    enum rf_kind kind = state_begin_read(call->vaults->options.state, &txn, &err);
    if (kind == RF_OK) kind = state_list(txn, &scan, arena, &list, &err);
    state_end(txn);
    for (uint32_t i = 0; kind == RF_OK && i < list.count; i++) {
        struct json_node *node;
        if (json_parse(list.items[i].body, arena, &node, &err) != RF_OK || !holds(call, node))
            continue;
        if (!write_use(call, list.items[i].key)) continue;
        *id = json_text_at(node, "id");
        return true;
    }
    return false;
}

/* ---- in the log -------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_approval_daily(struct vaults *vaults, int64_t now, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {
        .space = vault_request_space, .index = "review", .value = RF_S("open"), .limit = TOLD_MAX};
    uint64_t open = 0, used = 0;
    rf_arena_init(&arena, SCRATCH_BYTES_MAX);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, &arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *node;
        int64_t to = 0, uses = 0;
        RF_TRY(json_parse(list.items[i].body, &arena, &node, err));
        if (json_i64_at(node, "to", &to) && to > now) continue;
        (void)json_i64_at(node, "useCount", &uses);
        open++;
        used += uses > 0;
    }
    if (open > 0)
        rf_log(RF_WARN, "vault.access_unreviewed", RF_KV_U64("requests", open),
               RF_KV_U64("used", used));
    return RF_OK;
}
