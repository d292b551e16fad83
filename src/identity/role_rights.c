/* role_rights.c - what the directory roles of a user let him do in Graph, said in the app roles that its routes ask for. */
#include "identity/access_policy_int.h"
#include "identity/signin_int.h"

#define READ_DIRECTORY                                                                             \
    "Directory.Read.All User.Read.All Group.Read.All GroupMember.Read.All Application.Read.All "   \
    "Organization.Read.All Domain.Read.All RoleManagement.Read.Directory"
#define READ_SECURITY                                                                              \
    "Policy.Read.All AuditLog.Read.All IdentityRiskyUser.Read.All IdentityRiskEvent.Read.All"

/* Administrators of users and of their methods may not touch those who have roles themselves; as Graph's routes do not tell whom they touch before
 * they run, these two read only. */
static const struct role_right {
    const char *role, *rights; /* template id; app roles, NULL: all there are */
} role_rights[] = {
    {ROLE_GLOBAL_ADMINISTRATOR, NULL},
    {"f2ef992c-3afb-46b9-b7cf-a126ee74c451", /* Global Reader */
     READ_DIRECTORY " " READ_SECURITY " UserAuthenticationMethod.Read.All"},
    {"194ae4cb-b126-40b2-bd5b-6091b380977d", /* Security Administrator */
     READ_DIRECTORY " " READ_SECURITY " Policy.ReadWrite.ConditionalAccess "
                    "Policy.ReadWrite.AuthenticationMethod User.RevokeSessions.All"},
    {"5d6b6bb7-de71-4623-b4af-96380a352509",
     READ_DIRECTORY " " READ_SECURITY},                       /* Security Reader */
    {"fe930be7-5e62-47db-91af-98c3a49a38b1", READ_DIRECTORY}, /* User Administrator */
    {"c4e39bd9-1100-46d3-8c65-fb160da0071f",                  /* Authentication Administrator */
     READ_DIRECTORY " UserAuthenticationMethod.Read.All"},
    {"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", /* Application Administrator */
     READ_DIRECTORY " Application.ReadWrite.All AppRoleAssignment.ReadWrite.All"},
    {"e8611ab8-c189-46e8-94e1-60213ab1f814", /* Privileged Role Administrator */
     READ_DIRECTORY " RoleManagement.ReadWrite.Directory"},
    {"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", /* Conditional Access Administrator */
     READ_DIRECTORY " Policy.Read.All Policy.ReadWrite.ConditionalAccess"},
    {"4a5d8f65-41da-4de4-8968-e035b65339cf", "AuditLog.Read.All"}, /* Reports Reader */
};

static const struct role_right *right_of(rf_str role)
{
    for (size_t i = 0; i < RF_COUNT(role_rights); i++)
        if (rf_str_eq_nocase(role, rf_str_of(role_rights[i].role))) return &role_rights[i];
    return NULL;
}

struct gathering {
    rf_str scp;  /* of the token */
    bool all;    /* it lets the application do whatever the user may */
    rf_str *out; /* room for every app role there is */
    uint32_t count, cap;
};

static void add(struct gathering *g, rf_str right)
{
    if (!g->all && !scope_has(g->scp, right)) return;
    for (uint32_t i = 0; i < g->count; i++)
        if (rf_str_eq(g->out[i], right)) return;
    if (g->count < g->cap) g->out[g->count++] = right;
}

static void add_words(struct gathering *g, rf_str words)
{
    for (size_t at = 0; at < words.len;) {
        size_t end = RF_MIN(rf_str_find(words, RF_S(" "), at), words.len);
        if (end > at) add(g, rf_slice(words, at, end));
        at = end + 1;
    }
}

static void add_all(struct gathering *g)
{
    const char *name;
    for (size_t i = 0; (name = graph_role_name(i)) != NULL; i++) add(g, rf_str_of(name));
}

enum rf_kind rights_of_user(struct identity *identity, struct rf_arena *arena,
                            struct principal *user, struct rf_err *err)
{
    enum { RIGHTS_MAX = 64 };
    rf_str *roles;
    uint32_t count;
    struct gathering g = {.scp = json_text_at(user->claims, "scp"), .cap = RIGHTS_MAX};
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    RF_TRY(access_roles_of(txn, user->object_id, user->groups, user->group_count,
                           rf_clock_now(identity->options.clock), arena, &roles, &count, err));
    g.all = scope_has(g.scp, RF_S("Directory.AccessAsUser.All"));
    g.out = rf_arena_new(arena, rf_str, RIGHTS_MAX);
    if (g.out == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        const struct role_right *right = right_of(roles[i]);
        if (right == NULL) continue;
        if (right->rights == NULL)
            add_all(&g);
        else
            add_words(&g, rf_str_of(right->rights));
    }
    user->roles = g.out;
    user->role_count = g.count;
    return RF_OK;
}
