#include "vault/report_int.h"

#include "vault/approval_int.h"

#include <arpa/inet.h>

#define NAMESPACE "Microsoft.KeyVault/vaults/"

/* ---- network rules ---------------------------------------------------------------------------------------------- */

enum { ADDRESS_TEXT_MAX = 64, ADDRESS_BYTES = 16 };

/* Any address as one of IPv6: those of IPv4 lie in ::ffff:0:0/96. */
static bool read_address(rf_str text, uint8_t out[ADDRESS_BYTES], bool *is_four)
{
    char copy[ADDRESS_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (memchr(copy, '\0', text.len) != NULL) return false;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(out, mapped, sizeof mapped);
    *is_four = inet_pton(AF_INET, copy, out + sizeof mapped) == 1;
    return *is_four || inet_pton(AF_INET6, copy, out) == 1;
}

/* The bits of a prefix, of `most`; false when it is none. */
static bool read_prefix(rf_str text, unsigned most, unsigned *bits)
{
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i]) || value > most) return false;
        value = value * 10 + (text.ptr[i] - '0');
    }
    *bits = value;
    return text.len > 0 && value <= most;
}

bool vault_address_in(rf_str address, rf_str range)
{
    uint8_t asked[ADDRESS_BYTES], net[ADDRESS_BYTES];
    bool is_four;
    size_t slash = rf_str_find(range, RF_S("/"), 0);
    rf_str front = slash == SIZE_MAX ? range : rf_slice(range, 0, slash);
    if (!read_address(address, asked, &is_four) || !read_address(front, net, &is_four))
        return false;
    unsigned bits = ADDRESS_BYTES * 8;
    if (slash != SIZE_MAX) {
        if (!read_prefix(rf_slice(range, slash + 1, range.len), is_four ? 32 : 128, &bits))
            return false;
        if (is_four) bits += 96;
    }
    if (memcmp(asked, net, bits / 8) != 0) return false;
    unsigned rest = bits % 8, mask = 0xff00u >> rest & 0xff;
    return rest == 0 || ((asked[bits / 8] ^ net[bits / 8]) & mask) == 0;
}

static bool is_shut(const struct json_node *properties)
{
    return rf_str_eq_nocase(json_text_at(properties, "publicNetworkAccess"), RF_S("Disabled"));
}

/* Virtual networks are none that we could know a caller by, and nobody is trusted for being a service: only addresses count. *by: empty when no rule was needed. */
static bool network_allows(const struct json_node *properties, rf_str address, rf_str *by)
{
    const struct json_node *rules = json_at(properties, "networkAcls.ipRules");
    *by = (rf_str){0};
    if (is_shut(properties)) return false;
    if (!rf_str_eq_nocase(json_text_at(properties, "networkAcls.defaultAction"), RF_S("Deny")))
        return true;
    *by = RF_S("PublicIP");
    for (const struct json_node *rule = json_is(rules, JSON_T_ARRAY) ? rules->first : NULL;
         rule != NULL; rule = rule->next)
        if (vault_address_in(address, json_text_at(rule, "value"))) return true;
    return false;
}

enum rf_kind vault_check_network(struct vault_call *call, struct rf_err *err)
{
    const struct json_node *properties = call->place.properties;
    rf_str address = call->request->http->peer_address, by;
    call->verdict.address_ok = network_allows(properties, address, &by);
    if (call->verdict.address_ok) {
        call->verdict.address_by = by;
        return RF_OK;
    }
    const struct principal *principal = call->request->principal;
    rf_str text = rf_arena_printf(
        call->arena,
        "%s\r\nClient address: %.*s\r\nCaller: appid=%.*s;oid=%.*s;iss=%.*s\r\n"
        "Vault: %.*s;location=%.*s",
        is_shut(properties)
            ? "Public network access is disabled for this vault."
            : "Client address is not authorized and caller is not a trusted service.",
        RF_FMT(address), RF_FMT(principal->app_id), RF_FMT(principal->object_id),
        RF_FMT(json_text_at(principal->claims, "iss")), RF_FMT(call->place.name),
        RF_FMT(call->place.location));
    return vault_refuse(call, err, "ForbiddenByFirewall", text);
}

/* ---- roles ------------------------------------------------------------------------------------------------------ */

/* "{vault}/secrets/foo", "{vault}/databases/foo/roles/bar", or the vault. */
static rf_str scope_of(struct vault_call *call)
{
    const struct vault_operation *operation = call->operation;
    const char *below = operation->scope == NULL ? NULL : strstr(operation->scope, "{name}");
    if (below != NULL)
        return rf_arena_printf(call->arena, "%.*s/%.*s%.*s%s/%.*s", RF_FMT(call->place.id),
                               (int)(below - operation->scope), operation->scope,
                               RF_FMT(call->name), below + strlen("{name}"), RF_FMT(call->sub));
    if (operation->scope == NULL || call->name.len == 0) return call->place.id;
    return rf_arena_printf(call->arena, "%.*s/%s/%.*s", RF_FMT(call->place.id), operation->scope,
                           RF_FMT(call->name));
}

static bool role_allows(struct vault_call *call, const char *action, rf_str scope)
{
    rf_str assignment = {0};
    rf_str whole = rf_arena_printf(call->arena, NAMESPACE "%s", action);
    if (whole.ptr == NULL || !authz_check_by(call->vaults->options.authz, call->request->principal,
                                             whole, scope, true, call->arena, &assignment))
        return false;
    call->verdict.by_rbac = true;
    call->verdict.assignment = assignment;
    if (assignment.len > 0)
        http_set(call->request->response, "x-ms-keyvault-rbac-assignment-id", assignment);
    return true;
}

static enum rf_kind no_role(struct vault_call *call, const struct route_need *need,
                            struct rf_err *err)
{
    const struct principal *principal = call->request->principal;
    rf_str text = rf_arena_printf(
        call->arena,
        "Caller is not authorized to perform action on resource.\r\n"
        "If role assignments, deny assignments or role definitions were changed recently, please "
        "observe propagation time.\r\n"
        "Caller: appid=%.*s;oid=%.*s;iss=%.*s\r\n"
        "Action: '%.*s'\r\nResource: '%.*s'\r\nAssignment: (not found)\r\n"
        "DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC'\r\n"
        "Vault: %.*s;location=%.*s\r\n",
        RF_FMT(principal->app_id), RF_FMT(principal->object_id),
        RF_FMT(json_text_at(principal->claims, "iss")), RF_FMT(need->action), RF_FMT(need->scope),
        RF_FMT(call->place.name), RF_FMT(call->place.location));
    return vault_refuse(call, err, "ForbiddenByRbac", text);
}

/* ---- break-glass: a third way, behind both -------------------------------------------------------------------------------------- */

/* What the row says of it: neither a role nor a policy, and the request's id in the place of the assignment's. */
static bool approval_allows(struct vault_call *call)
{
    rf_str id;
    if (!vault_approval_allows(call, &id)) return false;
    call->verdict.by_rbac = call->verdict.by_policy = false;
    call->verdict.assignment = id;
    http_set(call->request->response, "x-ms-keyvault-access-request-id", id);
    return true;
}

/* ---- access policies -------------------------------------------------------------------------------------------- */

static bool is_subject(const struct principal *principal, const struct json_node *policy,
                       rf_str tenant)
{
    rf_str object = json_text_at(policy, "objectId"), app = json_text_at(policy, "applicationId");
    rf_str home = json_text_at(policy, "tenantId");
    if (home.len > 0 && !rf_str_eq_nocase(home, tenant)) return false;
    if (app.len > 0 && !rf_str_eq_nocase(app, principal->app_id)) return false;
    if (object.len == 0) return false;
    if (rf_str_eq_nocase(object, principal->object_id)) return true;
    for (uint32_t i = 0; i < principal->group_count; i++)
        if (rf_str_eq_nocase(object, principal->groups[i])) return true;
    return false;
}

static bool has_word(const struct json_node *words, rf_str word)
{
    if (!json_is(words, JSON_T_ARRAY)) return false;
    for (const struct json_node *item = words->first; item != NULL; item = item->next)
        if (item->type == JSON_T_STRING &&
            (rf_str_eq_nocase(item->text, word) || rf_str_eq_nocase(item->text, RF_S("all"))))
            return true;
    return false;
}

/* Cuts the first word off. */
static rf_str next_word(rf_str *text)
{
    size_t blank = rf_str_find(*text, RF_S(" "), 0);
    size_t end = RF_MIN(blank, text->len);
    rf_str word = rf_slice(*text, 0, end);
    *text = rf_slice(*text, RF_MIN(end + 1, text->len), text->len);
    return word;
}

static bool policy_allows(const struct vault_place *place, const struct principal *principal,
                          rf_str collection, rf_str word)
{
    const struct json_node *list = json_get(place->properties, "accessPolicies");
    for (const struct json_node *policy = json_is(list, JSON_T_ARRAY) ? list->first : NULL;
         policy != NULL; policy = policy->next) {
        if (!is_subject(principal, policy, place->tenant_id)) continue;
        const struct json_node *permissions = json_get(policy, "permissions");
        if (has_word(json_get_nocase(permissions, collection), word)) return true;
    }
    return false;
}

static enum rf_kind check_policies(struct vault_call *call, struct rf_err *err)
{
    rf_str words = rf_str_of(call->operation->policy);
    rf_str collection = next_word(&words), first = next_word(&words);
    const struct principal *principal = call->request->principal;
    call->verdict.by_policy = policy_allows(&call->place, principal, collection, first);
    if (call->verdict.by_policy) return RF_OK;
    while (words.len > 0 && !call->by_or)
        call->by_or = policy_allows(&call->place, principal, collection, next_word(&words));
    call->verdict.by_policy = call->by_or;
    if (call->by_or || approval_allows(call)) return RF_OK;
    rf_str text = rf_arena_printf(
        call->arena,
        "The user, group or application 'appid=%.*s;oid=%.*s;iss=%.*s' does not have %.*s %.*s "
        "permission on key vault '%.*s;location=%.*s'. An entry of its access policies can give "
        "it.",
        RF_FMT(principal->app_id), RF_FMT(principal->object_id),
        RF_FMT(json_text_at(principal->claims, "iss")), RF_FMT(collection), RF_FMT(first),
        RF_FMT(call->place.name), RF_FMT(call->place.location));
    return vault_refuse(call, err, "AccessDenied", text);
}

enum rf_kind vault_check_access(struct vault_call *call, struct route_need *need,
                                struct rf_err *err)
{
    const struct vault_operation *operation = call->operation;
    need->is_data = true;
    if (operation->action == NULL) { /* whoever is of the tenant: the handler looks closer */
        need->scope = call->place.id;
        return RF_OK;
    }
    need->action = rf_arena_printf(call->arena, NAMESPACE "%s", operation->action);
    need->scope = scope_of(call);
    if (need->action.ptr == NULL || need->scope.ptr == NULL)
        return rf_fail_memory(err, call->arena);
    if (!call->place.rbac) return check_policies(call, err);
    if (role_allows(call, operation->action, need->scope)) return RF_OK;
    call->by_or =
        operation->or_action != NULL && role_allows(call, operation->or_action, need->scope);
    return call->by_or || approval_allows(call) ? RF_OK : no_role(call, need, err);
}

/* ---- for reports: no request of the vault's own, so nothing is refused or noted ----------------------------------------------------- */

bool vault_viewer_reaches(const struct vault_viewer *viewer, const struct vault_place *place)
{
    rf_str by;
    return network_allows(place->properties, viewer->address, &by);
}

bool vault_viewer_may(const struct vault_viewer *viewer, const struct vault_place *place,
                      const struct vault_right *right, rf_str name, struct rf_arena *arena)
{
    if (!place->rbac)
        return policy_allows(place, viewer->principal, rf_str_of(right->collection),
                             rf_str_of(right->word));
    rf_str action = rf_arena_printf(arena, NAMESPACE "%s", right->action), scope = place->id;
    if (name.len > 0)
        scope = rf_arena_printf(arena, "%.*s/%s/%.*s", RF_FMT(place->id), right->collection,
                                RF_FMT(name));
    return action.ptr != NULL && scope.ptr != NULL &&
           authz_check(viewer->vaults->options.authz, viewer->principal, action, scope, true);
}
