#include "arm/arm.h"
#include "test/rf_prop.h"

#define S "/subscriptions/11111111-2222-3333-4444-555555555555"

struct id_case {
    const char *path;
    const char *text, *subscription, *group, *scope, *type, *name, *parent;
    bool is_type;
};
static const struct id_case good[] = {
    {"/", "/", "", "", "/", "", "", "/", false},
    {S, S, "11111111-2222-3333-4444-555555555555", "", S, "",
     "11111111-2222-3333-4444-555555555555", "/", false},
    {S "/resourcegroups/Rg-1/", S "/resourceGroups/Rg-1", "11111111-2222-3333-4444-555555555555",
     "Rg-1", S "/resourceGroups/Rg-1", "", "Rg-1", S, false},
    {S "/resourceGroups", S "/resourceGroups", "11111111-2222-3333-4444-555555555555", "",
     S "/resourceGroups", "", "", S, true},
    {"//SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/a(b)/PROVIDERS/"
     "Microsoft.Storage//storageAccounts/x",
     S "/resourceGroups/a(b)/providers/Microsoft.Storage/storageAccounts/x",
     "11111111-2222-3333-4444-555555555555", "a(b)", S "/resourceGroups/a(b)",
     "Microsoft.Storage/storageAccounts", "x", S "/resourceGroups/a(b)", false},
    {S "/resourceGroups/g/providers/Microsoft.X/a/n1/b/n 2",
     S "/resourceGroups/g/providers/Microsoft.X/a/n1/b/n 2", "11111111-2222-3333-4444-555555555555",
     "g", S "/resourceGroups/g", "Microsoft.X/a/b", "n 2",
     S "/resourceGroups/g/providers/Microsoft.X/a/n1", false},
    {S "/resourceGroups/g/providers/Microsoft.X/a/n1/b",
     S "/resourceGroups/g/providers/Microsoft.X/a/n1/b", "11111111-2222-3333-4444-555555555555",
     "g", S "/resourceGroups/g", "Microsoft.X/a/b", "",
     S "/resourceGroups/g/providers/Microsoft.X/a/n1", true},
    {S "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/"
       "Microsoft.SecurityInsights/alertRules/r/actions/SecurityInsights(ws)",
     S "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/"
       "Microsoft.SecurityInsights/alertRules/r/actions/SecurityInsights(ws)",
     "11111111-2222-3333-4444-555555555555", "g",
     S "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w",
     "Microsoft.SecurityInsights/alertRules/actions", "SecurityInsights(ws)",
     S "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/"
       "Microsoft.SecurityInsights/alertRules/r",
     false},
    {S "/providers/Microsoft.Authorization/locks/$default",
     S "/providers/Microsoft.Authorization/locks/$default", "11111111-2222-3333-4444-555555555555",
     "", S, "Microsoft.Authorization/locks", "$default", S, false},
    {"/providers/Microsoft.Management/managementGroups/root/providers/Microsoft.Authorization/"
     "policyAssignments",
     "/providers/Microsoft.Management/managementGroups/root/providers/Microsoft.Authorization/"
     "policyAssignments",
     "", "", "/providers/Microsoft.Management/managementGroups/root",
     "Microsoft.Authorization/policyAssignments", "",
     "/providers/Microsoft.Management/managementGroups/root", true},
    {"providers/Microsoft.Portal/tenantConfigurations/default",
     "/providers/Microsoft.Portal/tenantConfigurations/default", "", "", "/",
     "Microsoft.Portal/tenantConfigurations", "default", "/", false},
};

static void same(const char *what, rf_str got, const char *wanted, const char *path)
{
    cr_assert(rf_str_is(got, wanted), "%s of %s: '%.*s', not '%s'", what, path, RF_FMT(got),
              wanted);
}

Test(resource_id, knows_every_kind_of_scope)
{
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        const struct id_case *want = &good[i];
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct resource_id id;
        struct rf_err err;
        cr_assert(resource_id_parse(rf_str_of(want->path), &arena, &id, &err) == RF_OK, "%s: %s",
                  want->path, err.text);
        same("text", id.text, want->text, want->path);
        same("subscription", id.subscription, want->subscription, want->path);
        same("group", id.group, want->group, want->path);
        same("scope", id.scope, want->scope, want->path);
        same("type", id.type, want->type, want->path);
        same("name", id.name, want->name, want->path);
        same("parent", id.parent, want->parent, want->path);
        cr_assert(id.is_type == want->is_type, "%s", want->path);
    }
}

Test(resource_id, refuses_what_is_no_id)
{
    static const struct {
        const char *path, *code;
    } bad[] = {
        {"/subscriptions", "InvalidSubscriptionId"},
        {"/subscriptions/nonsense", "InvalidSubscriptionId"},
        {"/subscriptions/11111111-2222-3333-4444-55555555555g", "InvalidSubscriptionId"},
        {S "/resourceGroups/ends.", "InvalidResourceGroup"},
        {S "/resourceGroups/a b", "InvalidResourceGroup"},
        {S "/resourceGroups/a%b", "InvalidResourceGroup"},
        {S "/resourceGroups/"
           "123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
           "5678901",
         "InvalidResourceGroup"},
        {S "/things/x", "InvalidResourceId"},
        {S "/resourceGroups/g/things", "InvalidResourceId"},
        {S "/providers", "InvalidResourceId"},
        {S "/providers/Microsoft.X", "InvalidResourceId"},
        {S "/providers/Microsoft.X/a/b/providers", "InvalidResourceId"},
        {S "/providers/Micro soft/a/b", "InvalidResourceNamespace"},
        {S "/providers/Microsoft.X/a$/b", "InvalidResourceType"},
        {S "/providers/Microsoft.X/a/..", "InvalidResourceId"},
        {S "/providers/Microsoft.X/a/./b/c", "InvalidResourceId"},
        {S "/providers/Microsoft.X/a/x\ny", "InvalidResourceId"},
        {S "/providers/Microsoft.X/a/\xff", "InvalidResourceId"},
        {"/things", "InvalidResourceId"},
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct resource_id id;
        struct rf_err err = {.code = "none"};
        cr_assert(resource_id_parse(rf_str_of(bad[i].path), &arena, &id, &err) == RF_INVALID, "%s",
                  bad[i].path);
        cr_assert(strcmp(err.code, bad[i].code) == 0, "%s: %s", bad[i].path, err.code);
    }
}

Test(resource_id, has_limits)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct resource_id id;
    struct rf_err err;
    struct rf_buf path = rf_buf_in(&arena);
    rf_buf_printf(&path, "%s", S "/providers/M.X");
    for (int i = 0; i < 40; i++) rf_buf_printf(&path, "/t/n");
    cr_assert(resource_id_parse(rf_buf_view(&path), &arena, &id, &err) == RF_INVALID);
    path.len = 0;
    rf_buf_printf(&path, "%s", S "/providers/M.X/t/");
    for (int i = 0; i < 401; i++) rf_buf_byte(&path, 'n');
    cr_assert(resource_id_parse(rf_buf_view(&path), &arena, &id, &err) == RF_INVALID);
    for (int i = 0; i < 3000; i++) rf_buf_byte(&path, i % 50 == 0 ? '/' : 'n');
    cr_assert(resource_id_parse(rf_buf_view(&path), &arena, &id, &err) == RF_INVALID);
}

Test(resource_id, group_names_hold_letters_of_every_script)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct resource_id id;
    struct rf_err err;
    rf_str path = RF_S(S "/resourceGroups/gr\xc3\xbc\xc3\x9f"
                         "e_-.()x");
    cr_assert(resource_id_parse(path, &arena, &id, &err) == RF_OK);
    cr_assert(id.group.len == 13);
}

/* Property: what is read from an id is read again from its text, and every part is where it says. */
RF_PROP(resource_id_text_is_a_fixed_point, 3000)
{
    static const char *const words[] = {
        "providers", "Providers", "resourceGroups", "Microsoft.X", "a", "$default", "x y",
        "",          "A.b",       "subscriptions"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct rf_buf path = rf_buf_in(&arena);
    if (rf_test_bool(prng)) rf_buf_printf(&path, "%s", S);
    if (rf_test_bool(prng)) rf_buf_printf(&path, "%s", "/resourceGroups/g");
    if (rf_test_bool(prng)) rf_buf_printf(&path, "%s", "/providers/Microsoft.X");
    uint64_t count = rf_test_below(prng, 9);
    for (uint64_t i = 0; i < count; i++)
        rf_buf_printf(&path, "/%s", words[rf_test_below(prng, RF_COUNT(words))]);
    struct resource_id id, again;
    struct rf_err err;
    if (resource_id_parse(rf_buf_view(&path), &arena, &id, &err) != RF_OK) return;
    cr_assert(resource_id_parse(id.text, &arena, &again, &err) == RF_OK);
    cr_assert(rf_str_eq(id.text, again.text));
    cr_assert(rf_str_eq(id.type, again.type));
    cr_assert(id.is_type == again.is_type);
    cr_assert(rf_str_eq(id.parent, RF_S("/")) || rf_str_starts(id.text, id.parent));
    cr_assert(rf_str_eq(id.scope, RF_S("/")) || rf_str_starts(id.text, id.scope));
    cr_assert(id.is_type ? id.name.len == 0 : id.text.len == 1 || rf_str_ends(id.text, id.name));
}
