/* report_readers.c - who could read or use an object now, and by what; and what a principal could. What a role gives is asked of authz, what an access policy
 * gives of access.c: nothing is decided here. */
#include <stdlib.h>

#include "vault/call_int.h"
#include "vault/search_int.h"

enum { RIGHTS_MAX = 3, PRINCIPALS_MAX = 20000, ID_BYTES_MAX = 64 };

/* What reading or using means: the word that is told, and the right. */
struct power {
    const char *word;
    struct vault_right right;
};
static const struct power powers[][RIGHTS_MAX] = {
    [SEAL_SECRET] = {{"get", {"secrets/getSecret/action", "secrets", "get"}}},
    [SEAL_KEY] = {{"sign", {"keys/sign/action", "keys", "sign"}},
                  {"decrypt", {"keys/decrypt/action", "keys", "decrypt"}},
                  {"unwrapKey", {"keys/unwrap/action", "keys", "unwrapKey"}}},
    /* Whoever may get the secret of a certificate's name has its private key. */
    [SEAL_CERTIFICATE] = {{"get", {"certificates/read", "certificates", "get"}},
                          {"export", {"secrets/getSecret/action", "secrets", "get"}}}};

/* Whether the caller may know who has which right at a vault. */
static bool may_know(struct vaults *vaults, const struct principal *principal,
                     const struct vault_place *place)
{
    return authz_check(vaults->options.authz, principal,
                       place->rbac ? RF_S("Microsoft.Authorization/roleAssignments/read")
                                   : RF_S("Microsoft.KeyVault/vaults/read"),
                       place->id, false);
}

/* ---- who is given it --------------------------------------------------------------------------------------------------------- */

struct reader {
    rf_str id; /* lower case */
    struct json_node *actions, *via;
    bool is_sure; /* one of the ways has no condition */
};
struct readers {
    struct vault_call *call;
    enum seal_kind kind;
    struct vault_item item;
    struct reader *items;
    uint32_t count;
};

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_alloc(arena, text.len);
    for (size_t i = 0; out != NULL && i < text.len; i++) out[i] = rf_lower(text.ptr[i]);
    return out == NULL ? (rf_str){0} : rf_str_make(out, text.len);
}

/* NULL: no memory, or there are too many. */
static struct reader *reader_of(struct readers *r, rf_str id)
{
    struct rf_arena *arena = r->call->arena;
    for (uint32_t i = 0; i < r->count; i++)
        if (rf_str_eq_nocase(r->items[i].id, id)) return &r->items[i];
    if (r->count == PRINCIPALS_MAX) return NULL;
    if (r->items == NULL) r->items = rf_arena_new(arena, struct reader, PRINCIPALS_MAX);
    struct json_node *actions = json_new(arena, JSON_T_ARRAY), *via = json_new(arena, JSON_T_ARRAY);
    rf_str low = lower(arena, id);
    if (r->items == NULL || actions == NULL || via == NULL || low.ptr == NULL) return NULL;
    struct reader *reader = &r->items[r->count++];
    *reader = (struct reader){.id = low, .actions = actions, .via = via};
    return reader;
}

static bool add_word(struct rf_arena *arena, struct json_node *words, const char *word)
{
    for (const struct json_node *n = words->first; n != NULL; n = n->next)
        if (rf_str_is(n->text, word)) return true;
    return json_append(words, json_new_text(arena, rf_str_of(word))) != NULL;
}

/* The way by which it is given: one entry for all actions. */
static struct json_node *way_of(struct rf_arena *arena, struct reader *reader, rf_str id)
{
    for (struct json_node *n = reader->via->first; n != NULL; n = n->next)
        if (rf_str_eq(json_text_at(n, "id"), id)) return n;
    struct json_node *way = json_append(reader->via, json_new(arena, JSON_T_OBJECT));
    return json_set_text(arena, way, "id", id) == NULL ? NULL : way;
}

static bool add_grant(struct readers *r, const struct authz_grant *grant, const char *word)
{
    struct rf_arena *arena = r->call->arena;
    struct reader *reader = reader_of(r, grant->principal);
    struct json_node *way = reader == NULL ? NULL : way_of(arena, reader, grant->assignment);
    if (way == NULL || !add_word(arena, reader->actions, word)) return false;
    reader->is_sure = reader->is_sure || !grant->is_conditional;
    return json_set_text(arena, way, "kind", RF_S("roleAssignment")) != NULL &&
           json_set_text(arena, way, "role", grant->role) != NULL &&
           json_set_text(arena, way, "roleName", grant->role_name) != NULL &&
           json_set_text(arena, way, "scope", grant->scope) != NULL &&
           json_set_bool(arena, way, "conditional", grant->is_conditional) != NULL;
}

static enum rf_kind find_by_roles(struct readers *r, const struct power *power, struct rf_err *err)
{
    struct vault_call *call = r->call;
    struct authz_grant *grants;
    uint32_t count;
    rf_str action =
        rf_arena_printf(call->arena, "Microsoft.KeyVault/vaults/%s", power->right.action);
    rf_str scope = rf_arena_printf(call->arena, "%.*s/%s/%.*s", RF_FMT(call->place.id),
                                   power->right.collection, RF_FMT(r->item.name));
    if (action.ptr == NULL || scope.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(authz_grants(call->vaults->options.authz, action, scope, true, call->arena, &grants,
                        &count, err));
    for (uint32_t i = 0; i < count; i++)
        if (!add_grant(r, &grants[i], power->word)) return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static bool policy_has(const struct json_node *policy, const struct vault_right *right)
{
    const struct json_node *words =
        json_get_nocase(json_get(policy, "permissions"), rf_str_of(right->collection));
    for (const struct json_node *n = json_is(words, JSON_T_ARRAY) ? words->first : NULL; n != NULL;
         n = n->next)
        if (rf_str_eq_nocase(n->text, rf_str_of(right->word)) ||
            rf_str_eq_nocase(n->text, RF_S("all")))
            return true;
    return false;
}

static enum rf_kind find_by_policies(struct readers *r, const struct power *power,
                                     struct rf_err *err)
{
    struct rf_arena *arena = r->call->arena;
    const struct json_node *list = json_get(r->call->place.properties, "accessPolicies");
    for (const struct json_node *p = json_is(list, JSON_T_ARRAY) ? list->first : NULL; p != NULL;
         p = p->next) {
        rf_str object = json_text_at(p, "objectId"), app = json_text_at(p, "applicationId");
        if (object.len == 0 || !policy_has(p, &power->right)) continue;
        struct reader *reader = reader_of(r, object);
        rf_str id = rf_arena_printf(arena, "%.*s %.*s", RF_FMT(object), RF_FMT(app));
        struct json_node *way = reader == NULL || id.ptr == NULL ? NULL : way_of(arena, reader, id);
        if (way == NULL || !add_word(arena, reader->actions, power->word) ||
            json_set_text(arena, way, "kind", RF_S("accessPolicy")) == NULL ||
            (app.len > 0 && json_set_text(arena, way, "applicationId", app) == NULL) ||
            json_set_bool(arena, way, "conditional", app.len > 0) == NULL)
            return rf_fail_memory(err, arena);
        reader->is_sure = reader->is_sure || app.len == 0;
    }
    return RF_OK;
}

/* ---- what they are ------------------------------------------------------------------------------------------------------------- */

/* What the assignment calls its principal: the directory knows no groups by themselves. */
static rf_str type_said(struct vault_call *call, const struct reader *reader)
{
    struct state_object object;
    struct json_node *node;
    struct rf_err ignored;
    rf_str id = json_text_at(reader->via->first, "id");
    if (!call->place.rbac ||
        state_peek(call->vaults->options.state, "roleAssignment", id, call->arena, &object,
                   &ignored) != RF_OK ||
        json_parse(object.body, call->arena, &node, &ignored) != RF_OK)
        return RF_S("Unknown");
    rf_str type = json_text_at(node, "properties.principalType");
    return type.len == 0 ? RF_S("Unknown") : type;
}

/* Of whom the directory knows, what the check itself says: a deny assignment takes away what a role gives. */
static bool put_actions(struct readers *r, const struct reader *reader,
                        const struct principal *principal, struct json_node *out)
{
    struct vault_call *call = r->call;
    struct rf_arena *arena = call->arena;
    struct vault_viewer viewer = {.vaults = call->vaults, .principal = principal};
    struct json_node *may = json_new(arena, JSON_T_ARRAY), *denied = json_new(arena, JSON_T_ARRAY);
    for (size_t i = 0; i < RIGHTS_MAX && powers[r->kind][i].word != NULL; i++) {
        const struct power *power = &powers[r->kind][i];
        bool is_given = false;
        for (const struct json_node *n = reader->actions->first; n != NULL; n = n->next)
            is_given |= rf_str_is(n->text, power->word);
        if (!is_given) continue;
        /* What depends on a condition or on the application that asks cannot be said beforehand. */
        bool holds = !reader->is_sure ||
                     vault_viewer_may(&viewer, &call->place, &power->right, r->item.name, arena);
        if (!add_word(arena, holds ? may : denied, power->word)) return false;
    }
    return json_set(arena, out, RF_S("actions"), may) != NULL &&
           (denied->count == 0 || json_set(arena, out, RF_S("denied"), denied) != NULL);
}

static enum rf_kind show_reader(struct readers *r, const struct reader *reader,
                                struct json_node *list, struct rf_err *err)
{
    struct vault_call *call = r->call;
    struct rf_arena *arena = call->arena;
    const struct directory *directory = call->vaults->options.directory;
    struct principal principal = {.object_id = reader->id};
    rf_usec valid_from;
    struct rf_err why;
    struct json_node *out = json_append(list, json_new(arena, JSON_T_OBJECT));
    enum rf_kind kind = directory == NULL ? RF_NOT_FOUND
                                          : directory->find(directory->ctx, reader->id, arena,
                                                            &principal, &valid_from, &why);
    bool found = kind == RF_OK;
    rf_str type = !found                             ? type_said(call, reader)
                  : principal.type == PRINCIPAL_USER ? RF_S("User")
                                                     : RF_S("ServicePrincipal");
    bool good =
        json_set_text(arena, out, "principalId", reader->id) != NULL &&
        json_set_text(arena, out, "principalType", type) != NULL &&
        (!found || json_set_text(arena, out, "name",
                                 principal.user_name.len > 0 ? principal.user_name
                                                             : principal.display_name) != NULL) &&
        json_set_bool(arena, out, "enabled", kind != RF_DENIED) != NULL &&
        json_set_bool(arena, out, "conditional", !reader->is_sure) != NULL &&
        json_set(arena, out, RF_S("via"), reader->via) != NULL;
    if (good && found) good = put_actions(r, reader, &principal, out);
    if (good && !found) good = json_set(arena, out, RF_S("actions"), reader->actions) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static int compare_readers(const void *a, const void *b)
{
    return rf_str_cmp(((const struct reader *)a)->id, ((const struct reader *)b)->id);
}

static bool put_network(struct vault_call *call, struct json_node *out)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *properties = call->place.properties;
    const struct json_node *rules = json_at(properties, "networkAcls.ipRules");
    struct json_node *network = json_object_in(arena, out, "network");
    bool shut = rf_str_eq_nocase(json_text_at(properties, "publicNetworkAccess"), RF_S("Disabled"));
    bool closed =
        rf_str_eq_nocase(json_text_at(properties, "networkAcls.defaultAction"), RF_S("Deny"));
    struct json_node *list =
        json_is(rules, JSON_T_ARRAY) ? json_clone(arena, rules) : json_new(arena, JSON_T_ARRAY);
    return json_set_text(arena, network, "access",
                         shut     ? RF_S("none")
                         : closed ? RF_S("listedAddresses")
                                  : RF_S("anyAddress")) != NULL &&
           json_set(arena, network, RF_S("ipRules"), list) != NULL;
}

static enum rf_kind answer(struct readers *r, struct rf_err *err)
{
    struct vault_call *call = r->call;
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *list = json_new(arena, JSON_T_ARRAY);
    struct json_node *link = json_new(arena, JSON_T_NULL);
    rf_str id = vault_object_id(call, vault_collection(r->kind), r->item.name, (rf_str){0});
    rf_str window = rf_arena_printf(arena, "%.*s/%s/%.*s/readers", RF_FMT(call->place.guid),
                                    vault_collection(r->kind), RF_FMT(r->item.name));
    rf_str after = {0}, last = {0};
    uint32_t most;
    if (id.ptr == NULL || window.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(vault_window_read(call, window, &after, &most, err));
    if (r->count > 0) qsort(r->items, r->count, sizeof *r->items, compare_readers);
    for (uint32_t i = 0; i < r->count; i++) {
        if (after.len > 0 && rf_str_cmp(r->items[i].id, after) <= 0) continue;
        if (list->count == most) {
            rf_str next = vault_window_next(call, window, last, most);
            link = next.ptr == NULL ? NULL : json_new_text(arena, next);
            break;
        }
        RF_TRY(show_reader(r, &r->items[i], list, err));
        last = r->items[i].id;
    }
    bool good = json_set_text(arena, out, "id", id) != NULL &&
                json_set_text(arena, out, "model",
                              call->place.rbac ? RF_S("roles") : RF_S("accessPolicies")) != NULL &&
                json_set_i64(arena, out, "count", r->count) != NULL && put_network(call, out) &&
                json_set(arena, out, RF_S("value"), list) != NULL &&
                json_set(arena, out, RF_S("nextLink"), link) != NULL;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

static enum rf_kind run(struct vault_call *call, enum seal_kind kind, struct rf_err *err)
{
    struct readers r = {.call = call, .kind = kind};
    if (!may_know(call->vaults, call->request->principal, &call->place))
        return vault_refuse(call, err, call->place.rbac ? "ForbiddenByRbac" : "AccessDenied",
                            RF_S("Who has which right here is told to those who may read the "
                                 "vault's role assignments "
                                 "(Microsoft.Authorization/roleAssignments/read), or the vault "
                                 "itself when it goes by access policies."));
    RF_TRY(vault_item_need(call, NULL, kind, call->name, &r.item, err));
    for (size_t i = 0; i < RIGHTS_MAX && powers[kind][i].word != NULL; i++)
        RF_TRY(call->place.rbac ? find_by_roles(&r, &powers[kind][i], err)
                                : find_by_policies(&r, &powers[kind][i], err));
    return answer(&r, err);
}

enum rf_kind vault_secret_readers(struct vault_call *call, struct rf_err *err)
{
    return run(call, SEAL_SECRET, err);
}
enum rf_kind vault_key_readers(struct vault_call *call, struct rf_err *err)
{
    return run(call, SEAL_KEY, err);
}
enum rf_kind vault_cert_readers(struct vault_call *call, struct rf_err *err)
{
    return run(call, SEAL_CERTIFICATE, err);
}

/* ---- the other way round -------------------------------------------------------------------------------------------------------------- */

struct reaching {
    struct principal principal;
    bool is_self;
    uint8_t *known; /* of each vault: 0 not asked yet, 1 the caller may know, 2 may not */
};

static bool has_power(struct search_run *run, const struct search_hit *hit,
                      const struct power *power, struct rf_arena *arena)
{
    const struct reaching *reaching = run->ctx;
    struct vault_viewer viewer = {.vaults = run->viewer.vaults, .principal = &reaching->principal};
    return power->word != NULL &&
           vault_viewer_may(&viewer, hit->place, &power->right, hit->record->name, arena);
}

static bool is_reached(struct search_run *run, const struct search_hit *hit,
                       struct rf_arena *scratch)
{
    struct reaching *reaching = run->ctx;
    uint8_t *known = &reaching->known[hit->place - run->places];
    if (*known == 0)
        *known =
            reaching->is_self || may_know(run->viewer.vaults, run->viewer.principal, hit->place)
                ? 1
                : 2;
    if (*known == 2) return false;
    for (size_t i = 0; i < RIGHTS_MAX; i++)
        if (has_power(run, hit, &powers[hit->record->kind][i], scratch)) return true;
    return false;
}

static enum rf_kind add_actions(struct search_run *run, const struct search_hit *hit,
                                struct json_node *out, struct rf_err *err)
{
    struct rf_arena *arena = run->request->arena;
    struct json_node *actions = json_new(arena, JSON_T_ARRAY);
    for (size_t i = 0; i < RIGHTS_MAX; i++) {
        const struct power *power = &powers[hit->record->kind][i];
        if (has_power(run, hit, power, arena) && !add_word(arena, actions, power->word))
            return rf_fail_memory(err, arena);
    }
    return json_set(arena, out, RF_S("actions"), actions) == NULL ? rf_fail_memory(err, arena)
                                                                  : RF_OK;
}

enum rf_kind vault_run_reach(struct request *request, struct rf_err *err)
{
    struct vaults *vaults = request->service;
    const struct directory *directory = vaults->options.directory;
    struct search_run run;
    struct search_query query = {.enabled = -1, .top = SEARCH_TOP_DEFAULT};
    struct reaching reaching = {.is_self = false};
    rf_usec valid_from;
    rf_str id = request_parameter(request, "principalId", NULL);
    if (id.len == 0 || id.len > ID_BYTES_MAX || directory == NULL)
        return RF_FAIL(err, RF_INVALID, "InvalidParameter",
                       "Parameter 'principalId' is missing or no object id: whose reach is asked "
                       "for.");
    RF_TRY(search_window(request, &query, err));
    reaching.is_self = rf_str_eq_nocase(id, request->principal->object_id);
    /* One that is not there, or is disabled, reaches nothing: no difference is told to whoever may not know. */
    enum rf_kind kind =
        directory->find(directory->ctx, id, request->arena, &reaching.principal, &valid_from, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND && kind != RF_DENIED) return kind;
    RF_TRY(search_begin(request, &run, err));
    if (kind != RF_OK) run.place_count = 0;
    reaching.known = rf_arena_new(request->arena, uint8_t, run.place_count + 1);
    if (reaching.known == NULL) return rf_fail_memory(err, request->arena);
    run.ctx = &reaching;
    run.wants = is_reached;
    run.show = add_actions;
    return search_answer(&run, &query, err);
}
