/* access_lockout.c - whether policies leave a way in for those who could change them. */
#include "identity/access_policy_int.h"

enum { ADMINS_MAX = 8, ADDRESSES_MAX = 8 };

/* Places from which an administrator might come, and what with. */
struct tries {
    rf_str addresses[ADDRESSES_MAX];
    uint32_t address_count;
    rf_usec now;
};

static void add_address(struct tries *tries, rf_str address)
{
    if (address.len == 0 || tries->address_count == ADDRESSES_MAX) return;
    tries->addresses[tries->address_count++] = address;
}

static void find_addresses(const struct access_policies *set, rf_str here, struct tries *tries)
{
    add_address(tries, here);
    for (uint32_t i = 0; i < set->location_count; i++) {
        const struct json_node *ranges = json_get(set->locations[i], "ipRanges");
        if (!json_is(ranges, JSON_T_ARRAY) || ranges->first == NULL) continue;
        rf_str range = json_text_at(ranges->first, "cidrAddress");
        size_t slash = rf_str_find(range, RF_S("/"), 0);
        if (slash != SIZE_MAX) add_address(tries, rf_slice(range, 0, slash));
    }
}

static enum rf_kind passes(const struct access_policies *set, const struct policy_input *input,
                           bool *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct policy_verdict verdict;
    RF_TRY(policy_evaluate(set->policies, set->policy_count, set->locations, set->location_count,
                           input, &arena, &verdict, err));
    *out = !verdict.blocked && verdict.asks == 0;
    return RF_OK;
}

/* With every proof that there is, at no risk, for Graph. */
static enum rf_kind gets_in(const struct access_policies *set, const struct tries *tries,
                            struct policy_input *input, bool *out, struct rf_err *err)
{
    static const char *const platforms[] = {"", "windows", "linux", "macOS", "android", "iOS"};
    static const enum policy_client clients[] = {POLICY_BROWSER, POLICY_MOBILE_DESKTOP};
    input->resource_app = RF_S(GRAPH_APP_ID);
    input->proofs = PROOF_PASSWORD | PROOF_TOTP | PROOF_PASSKEY;
    input->proved_at = input->second_proved_at = input->now = tries->now;
    input->fresh_password = true;
    *out = false;
    for (uint32_t a = 0; a < tries->address_count; a++) {
        for (size_t way = 0; way < RF_COUNT(platforms) * RF_COUNT(clients); way++) {
            input->address = tries->addresses[a];
            input->platform = rf_str_of(platforms[way / RF_COUNT(clients)]);
            input->client = clients[way % RF_COUNT(clients)];
            RF_TRY(passes(set, input, out, err));
            if (*out) return RF_OK;
        }
    }
    return RF_OK;
}

/* ---- Global Administrators ----------------------------------------------------------------------------------------------------------- */

struct admins {
    rf_str ids[ADMINS_MAX];
    uint32_t count;
};

static enum rf_kind add_admin(struct state_txn *txn, rf_str id, struct rf_arena *arena,
                              struct admins *out, struct rf_err *err)
{
    struct json_node *user;
    if (out->count == ADMINS_MAX) return RF_OK;
    for (uint32_t i = 0; i < out->count; i++)
        if (rf_str_eq_nocase(out->ids[i], id)) return RF_OK;
    enum rf_kind kind = object_get(txn, "user", id, arena, &user, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    if (json_bool_at(user, "accountEnabled", true)) out->ids[out->count++] = id;
    return RF_OK;
}

/* Users that have the role, and members of groups that have it. */
static enum rf_kind find_admins(struct state_txn *txn, struct rf_arena *arena, struct admins *out,
                                struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(txn, "directoryRoleAssignment", "roleDefinitionId",
                       RF_S(ROLE_GLOBAL_ADMINISTRATOR), arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct link_list members;
        rf_str principal = json_text_at(list.items[i], "principalId");
        RF_TRY(add_admin(txn, principal, arena, out, err));
        RF_TRY(link_list(txn, "member", principal, (rf_str){0}, arena, &members, err));
        for (uint32_t m = 0; m < members.count; m++)
            RF_TRY(add_admin(txn, members.items[m].member, arena, out, err));
    }
    return RF_OK;
}

static enum rf_kind admins_get_in(struct state_txn *txn, const struct access_policies *set,
                                  const struct tries *tries, const struct admins *admins,
                                  struct rf_arena *arena, bool *out, struct rf_err *err)
{
    *out = false;
    for (uint32_t i = 0; i < admins->count && !*out; i++) {
        struct policy_input input = {.user = admins->ids[i]};
        RF_TRY(access_person(txn, set, arena, &input, err));
        RF_TRY(gets_in(set, tries, &input, out, err));
    }
    return RF_OK;
}

/* ---- applications that may change policies ------------------------------------------------------------------------------------------------ */

static enum rf_kind apps_get_in(struct identity *identity, struct state_txn *txn,
                                const struct access_policies *set, const struct tries *tries,
                                struct rf_arena *arena, bool *out, struct rf_err *err)
{
    struct object_list list;
    const char *role = graph_role_id(RF_S("Policy.ReadWrite.ConditionalAccess"));
    rf_str graph = guid_named(arena, identity->tenant, RF_S(GRAPH_APP_ID));
    uint32_t tried = 0;
    RF_ASSERT(role != NULL);
    if (graph.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(object_list(txn, "appRoleAssignment", "resourceId", graph, arena, &list, err));
    for (uint32_t i = 0; i < list.count && tried < ADMINS_MAX; i++) {
        if (!rf_str_eq_nocase(json_text_at(list.items[i], "appRoleId"), rf_str_of(role))) continue;
        struct policy_input input = {.service_principal =
                                         json_text_at(list.items[i], "principalId")};
        tried++;
        RF_TRY(gets_in(set, tries, &input, out, err));
        if (*out) return RF_OK;
    }
    *out = tried == 0;
    return RF_OK;
}

enum rf_kind access_reachable(struct identity *identity, struct state_txn *txn,
                              const struct access_policies *set, rf_str address, rf_usec now,
                              struct rf_arena *arena, bool *reachable, struct rf_err *err)
{
    struct tries tries = {.now = now};
    struct admins admins = {.count = 0};
    find_addresses(set, address, &tries);
    if (tries.address_count == 0) add_address(&tries, RF_S("127.0.0.1"));
    RF_TRY(find_admins(txn, arena, &admins, err));
    return admins.count > 0 ? admins_get_in(txn, set, &tries, &admins, arena, reachable, err)
                            : apps_get_in(identity, txn, set, &tries, arena, reachable, err);
}
