#include "authz/route_walk.h"
#include "test/rf_prop.h"

#define SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define AUTH "/providers/Microsoft.Authorization/"
#define V "?api-version=2022-04-01"
#define NAME_1 "10000000-0000-0000-0000-000000000001"
#define NAME_2 "10000000-0000-0000-0000-000000000002"
#define ROLE_1 "20000000-0000-0000-0000-000000000001"
#define OTHER "aaaaaaaa-0000-0000-0000-000000000003"
#define USER "aaaaaaaa-0000-0000-0000-000000000002"
#define STRANGER "dddddddd-0000-0000-0000-000000000001"

struct house {
    struct walk_site walk;
    const struct service *service;
    struct dispatcher *dispatcher;
    rf_str owner, other;
};

static void assign(struct house *house, const char *principal, const char *role, const char *scope)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(house->walk.state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(house->walk.authz, txn, rf_str_of(principal), "ServicePrincipal", role,
                           rf_str_of(scope), &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

static void house_open(struct house *house)
{
    struct rf_err err;
    walk_site_init(&house->walk);
    cr_assert(authz_service(house->walk.authz, &house->walk.directory, &house->service, &err) ==
              RF_OK);
    house->dispatcher = walk_dispatcher(&house->walk);
    cr_assert(dispatcher_add(house->dispatcher, house->service, &err) == RF_OK, "%s", err.text);
    house->owner = walk_bearer(&house->walk, walk_token(&house->walk, &(struct walk_token){0}));
    house->other =
        walk_bearer(&house->walk, walk_token(&house->walk, &(struct walk_token){.oid = OTHER}));
    assign(house, WALK_OID, ROLE_OWNER, SUB);
}

static void house_close(struct house *house)
{
    dispatcher_free(house->dispatcher);
    walk_site_done(&house->walk);
}

static struct http_response ask(struct house *house, rf_str who, enum http_method method,
                                const char *target, const char *body)
{
    return walk_exchange(
        &house->walk, house->dispatcher,
        &(struct walk_call){
            .method = method, .target = target, .authorization = who, .body = body});
}

#define CHECK(response, wanted, text)                                                              \
    do {                                                                                           \
        struct http_response got_ = (response);                                                    \
        cr_assert(got_.status == (wanted), "%u %.*s", got_.status,                                 \
                  RF_FMT(rf_buf_view(&got_.body)));                                                \
        cr_assert(walk_body_has(&got_, (text)), "%.*s", RF_FMT(rf_buf_view(&got_.body)));          \
    } while (0)

#define ASSIGNMENT(role, principal, more)                                                          \
    "{\"properties\":{\"roleDefinitionId\":\"" SUB AUTH "roleDefinitions/" role                    \
    "\",\"principalId\":\"" principal "\"" more "}}"

static uint32_t count_of(struct house *house, rf_str who, const char *target)
{
    struct http_response response = ask(house, who, HTTP_GET, target, NULL);
    struct json_node *body;
    struct rf_err err;
    cr_assert(response.status == 200, "%s: %u %.*s", target, response.status,
              RF_FMT(rf_buf_view(&response.body)));
    cr_assert(json_parse(rf_buf_view(&response.body), &house->walk.arena, &body, &err) == RF_OK);
    return json_get(body, "value")->count;
}

Test(rbac, every_route_is_checked)
{
    struct house house;
    house_open(&house);
    cr_assert(route_walk(&house.walk, &house.service, 1) == 12);
    house_close(&house);
}

Test(rbac, an_assignment_is_made_shown_and_taken_away)
{
    struct house house;
    house_open(&house);
    const char *at = SUB AUTH "roleAssignments/" NAME_1 V;
    CHECK(ask(&house, house.owner, HTTP_GET, at, NULL), 404, "RoleAssignmentNotFound");
    CHECK(ask(&house, house.other, HTTP_GET, SUB AUTH "roleAssignments" V, NULL), 403,
          "AuthorizationFailed");
    CHECK(ask(&house, house.owner, HTTP_PUT, "/" SUB AUTH "roleAssignments/" NAME_1 V,
              ASSIGNMENT(ROLE_READER, OTHER, "")),
          201, "\"principalType\":\"ServicePrincipal\"");
    cr_assert(rf_str_find(house.walk.last_row,
                          RF_S("MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(house.walk.last_row, RF_S("requestbody"), 0) != SIZE_MAX);
    CHECK(ask(&house, house.other, HTTP_GET, SUB AUTH "roleAssignments" V, NULL), 200, NAME_1);
    CHECK(ask(&house, house.other, HTTP_GET, at, NULL), 200,
          "\"id\":\"" SUB AUTH "roleAssignments/" NAME_1 "\"");
    CHECK(ask(&house, house.owner, HTTP_PUT, at,
              ASSIGNMENT(ROLE_READER, OTHER, ",\"description\":\"why\"")),
          200, "\"description\":\"why\"");
    CHECK(ask(&house, house.owner, HTTP_PUT, at, ASSIGNMENT(ROLE_OWNER, OTHER, "")), 409,
          "RoleAssignmentUpdateNotPermitted");
    CHECK(ask(&house, house.owner, HTTP_PUT, at, ASSIGNMENT(ROLE_READER, USER, "")), 409,
          "RoleAssignmentUpdateNotPermitted");
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "roleAssignments/" NAME_2 V,
              ASSIGNMENT(ROLE_READER, OTHER, "")),
          409, "RoleAssignmentExists");
    CHECK(ask(&house, house.other, HTTP_PUT, SUB AUTH "roleAssignments/" NAME_2 V,
              ASSIGNMENT(ROLE_OWNER, OTHER, "")),
          403, "roleAssignments/write");
    CHECK(ask(&house, house.other, HTTP_DELETE, at, NULL), 403, "roleAssignments/delete");
    CHECK(ask(&house, house.owner, HTTP_DELETE, at, NULL), 200, NAME_1);
    CHECK(ask(&house, house.owner, HTTP_DELETE, at, NULL), 204, "");
    CHECK(ask(&house, house.other, HTTP_GET, SUB AUTH "roleAssignments" V, NULL), 403, "");
    house_close(&house);
}

Test(rbac, refuses_assignments_that_make_no_sense)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *target, *body;
        uint16_t status;
        const char *code;
    } table[] = {
        {NAME_1, ASSIGNMENT(ROLE_READER, OTHER, ""), 400, "MissingApiVersionParameter"},
        {NAME_1 "?api-version=now", ASSIGNMENT(ROLE_READER, OTHER, ""), 400,
         "InvalidApiVersionParameter"},
        {"name" V, ASSIGNMENT(ROLE_READER, OTHER, ""), 400, "InvalidRoleAssignmentId"},
        {NAME_1 V, "", 400, "InvalidRequestContent"},
        {NAME_1 V, "{", 400, "InvalidRequestContent"},
        {NAME_1 V, "[]", 400, "InvalidCreateRoleAssignmentRequest"},
        {NAME_1 V, "{\"properties\":1}", 400, "InvalidCreateRoleAssignmentRequest"},
        {NAME_1 V, ASSIGNMENT(ROLE_READER, "me", ""), 400, "InvalidPrincipalId"},
        {NAME_1 V, ASSIGNMENT("reader", OTHER, ""), 400, "InvalidRoleDefinitionId"},
        {NAME_1 V, ASSIGNMENT(NAME_2, OTHER, ""), 404, "RoleDefinitionDoesNotExist"},
        {NAME_1 V, ASSIGNMENT(ROLE_READER, STRANGER, ""), 400, "PrincipalNotFound"},
        {NAME_1 V, ASSIGNMENT(ROLE_READER, OTHER, ",\"principalType\":\"User\""), 400,
         "UnmatchedPrincipalType"},
        {NAME_1 V, ASSIGNMENT(ROLE_READER, OTHER, ",\"principalType\":\"Robot\""), 400,
         "InvalidPrincipalType"},
        {NAME_1 V, ASSIGNMENT(ROLE_READER, OTHER, ",\"condition\":\"(\""), 400, "InvalidCondition"},
        {NAME_1 V,
         ASSIGNMENT(ROLE_READER, OTHER,
                    ",\"condition\":\"ActionMatches{'a/b'}\",\"conditionVersion\":\"3.0\""),
         400, "InvalidConditionVersion"},
        {NAME_1 V, ASSIGNMENT(ROLE_READER, STRANGER, ",\"principalType\":\"Group\""), 201,
         STRANGER},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        char target[256];
        snprintf(target, sizeof target, SUB AUTH "roleAssignments/%s", table[i].target);
        struct http_response response = ask(&house, house.owner, HTTP_PUT, target, table[i].body);
        cr_assert(response.status == table[i].status && walk_body_has(&response, table[i].code),
                  "case %zu: %u %.*s", i, response.status, RF_FMT(rf_buf_view(&response.body)));
    }
    house_close(&house);
}

Test(rbac, lists_are_cut_by_scope_filter_and_page)
{
    struct house house;
    house_open(&house);
    const char *group = "eeeeeeee-0000-0000-0000-000000000001";
    assign(&house, WALK_OID, ROLE_READER, "/");
    assign(&house, OTHER, ROLE_READER, SUB "/resourceGroups/RG");
    assign(&house, OTHER, ROLE_CONTRIBUTOR, SUB "/resourceGroups/rg/providers/A.b/c/d");
    assign(&house, group, ROLE_READER, SUB "/resourceGroups/rg2");
#define LIST SUB AUTH "roleAssignments" V
    cr_assert(count_of(&house, house.owner, LIST) == 5);
    cr_assert(count_of(&house, house.owner, LIST "&%24filter=atScope()") == 2);
    cr_assert(count_of(&house, house.owner, LIST "&$filter=principalId%20eq%20%27" OTHER "%27") ==
              2);
    cr_assert(count_of(&house, house.owner, LIST "&$filter=principalId+eq+" OTHER) == 2);
    cr_assert(count_of(&house, house.owner, SUB "/resourcegroups/rg" AUTH "roleAssignments" V) ==
              4);
    cr_assert(count_of(&house, house.owner,
                       SUB "/resourcegroups/rg" AUTH "roleAssignments" V
                           "&$filter=atScope()") == 3);
    house.walk.groups[0] = rf_str_of(group);
    house.walk.group_count = 1;
    cr_assert(count_of(&house, house.owner, LIST "&$filter=assignedTo('" OTHER "')") == 3);
    cr_assert(
        count_of(&house, house.owner, LIST "&$filter=atScope() and assignedTo('" OTHER "')") == 0);
    cr_assert(count_of(&house, house.owner, LIST "&$filter=asTarget()") == 3);
    static const char *const bad[] = {"x",
                                      "principalId",
                                      "principalId ne 'x'",
                                      "atScope() or y()",
                                      "atScope() and",
                                      "principalId eq 'x",
                                      "roleName eq 'x'"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        rf_str target = rf_arena_printf(&house.walk.arena, LIST "&$filter=%s%c", bad[i], '\0');
        CHECK(ask(&house, house.owner, HTTP_GET, (const char *)target.ptr, NULL), 400,
              "InvalidFilter");
    }
    house_close(&house);
}

Test(rbac, pages_hold_every_assignment_once)
{
    struct house house;
    house_open(&house);
    for (int i = 0; i < 10; i++) {
        char scope[128];
        snprintf(scope, sizeof scope, SUB "/resourceGroups/g%d", i);
        assign(&house, OTHER, ROLE_READER, scope);
    }
    const char *target = LIST "&$top=3&$filter=principalId eq '" OTHER "'";
    uint32_t seen = 0, pages = 0;
    while (target != NULL) {
        struct http_response response = ask(&house, house.owner, HTTP_GET, target, NULL);
        struct json_node *body;
        struct rf_err err;
        cr_assert(response.status == 200);
        cr_assert(json_parse(rf_buf_view(&response.body), &house.walk.arena, &body, &err) == RF_OK);
        seen += json_get(body, "value")->count;
        pages++;
        rf_str link = json_text_at(body, "nextLink"), origin = RF_S("https://localhost:8443");
        cr_assert(link.len == 0 || rf_str_starts(link, origin));
        target = link.len == 0
                     ? NULL
                     : rf_arena_cstr(&house.walk.arena, rf_slice(link, origin.len, link.len));
    }
    cr_assert(seen == 10 && pages == 4, "%u in %u", seen, pages);
    CHECK(ask(&house, house.owner, HTTP_GET, LIST "&$top=0", NULL), 400, "InvalidParameter");
    CHECK(ask(&house, house.owner, HTTP_GET, LIST "&$skipToken=*", NULL), 400, "InvalidSkipToken");
    house_close(&house);
}

#define DEFINITION(name, action, scope)                                                            \
    "{\"properties\":{\"roleName\":\"" name "\",\"type\":\"CustomRole\",\"description\":\"d\","    \
    "\"assignableScopes\":[\"" scope "\"],\"permissions\":[{\"actions\":[\"" action                \
    "\"],\"notActions\":[],\"dataActions\":[],\"notDataActions\":[]}]}}"

Test(rbac, custom_roles_work_at_once)
{
    struct house house;
    house_open(&house);
    const char *at = SUB AUTH "roleDefinitions/" ROLE_1 V;
    CHECK(ask(&house, house.owner, HTTP_PUT, at,
              DEFINITION("Auditor", "Microsoft.Authorization/*/read", SUB)),
          201, "\"type\":\"CustomRole\"");
    CHECK(ask(&house, house.owner, HTTP_GET, at, NULL), 200, "\"roleName\":\"Auditor\"");
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "roleDefinitions/" NAME_2 V,
              DEFINITION("auditor", "*/read", SUB)),
          409, "RoleDefinitionWithSameNameExists");
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "roleDefinitions/" NAME_2 V,
              DEFINITION("Reader", "*/read", SUB)),
          409, "RoleDefinitionWithSameNameExists");
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "roleAssignments/" NAME_1 V,
              ASSIGNMENT(ROLE_1, OTHER, "")),
          201, ROLE_1);
    CHECK(ask(&house, house.other, HTTP_GET, LIST, NULL), 200, NAME_1);
    CHECK(ask(&house, house.owner, HTTP_PUT, at,
              DEFINITION("Auditor", "Microsoft.Other/*/read", SUB)),
          201, "Microsoft.Other");
    CHECK(ask(&house, house.other, HTTP_GET, LIST, NULL), 403, "AuthorizationFailed");
    CHECK(ask(&house, house.owner, HTTP_DELETE, at, NULL), 409, "RoleDefinitionHasAssignments");
    CHECK(ask(&house, house.owner, HTTP_DELETE, SUB AUTH "roleAssignments/" NAME_1 V, NULL), 200,
          NAME_1);
    CHECK(ask(&house, house.owner, HTTP_DELETE, at, NULL), 200, ROLE_1);
    CHECK(ask(&house, house.owner, HTTP_DELETE, at, NULL), 204, "");
    CHECK(ask(&house, house.owner, HTTP_GET, at, NULL), 404, "RoleDefinitionDoesNotExist");
    house_close(&house);
}

Test(rbac, refuses_definitions_that_make_no_sense)
{
    struct house house;
    house_open(&house);
#define ACTIONS "\"permissions\":[{\"actions\":[\"a/read\"]}]"
#define SCOPES "\"assignableScopes\":[\"" SUB "\"]"
    static const struct {
        const char *name, *body;
        uint16_t status;
        const char *code;
    } table[] = {
        {"x", DEFINITION("X", "a/read", SUB), 400, "InvalidRoleDefinitionId"},
        {ROLE_READER, DEFINITION("X", "a/read", SUB), 409, "CannotModifyBuiltInRole"},
        {ROLE_1, "{}", 400, "InvalidRoleDefinition"},
        {ROLE_1, DEFINITION("", "a/read", SUB), 400, "InvalidRoleDefinition"},
        {ROLE_1, DEFINITION("X", "read", SUB), 400, "InvalidActionOrNotAction"},
        {ROLE_1, DEFINITION("X", "a/re ad", SUB), 400, "InvalidActionOrNotAction"},
        {ROLE_1, DEFINITION("X", "/read", SUB), 400, "InvalidActionOrNotAction"},
        {ROLE_1, DEFINITION("X", "a/read", "nowhere"), 400, "LinkedInvalidPropertyId"},
        {ROLE_1, DEFINITION("X", "a/read", "/"), 403, "LinkedAuthorizationFailed"},
        {ROLE_1, DEFINITION("X", "a/read", "/subscriptions/other"), 403,
         "LinkedAuthorizationFailed"},
        {ROLE_1, "{\"properties\":{\"roleName\":\"X\"," SCOPES ",\"permissions\":[]}}", 400,
         "InvalidRoleDefinition"},
        {ROLE_1, "{\"properties\":{\"roleName\":\"X\"," SCOPES ",\"permissions\":[{}]}}", 400,
         "InvalidRoleDefinition"},
        {ROLE_1, "{\"properties\":{\"roleName\":\"X\"," ACTIONS ",\"assignableScopes\":[]}}", 400,
         "InvalidRoleDefinition"},
        {ROLE_1,
         "{\"properties\":{\"roleName\":\"X\",\"type\":\"BuiltInRole\"," ACTIONS "," SCOPES "}}",
         400, "InvalidRoleDefinition"},
        {ROLE_1,
         "{\"properties\":{\"roleName\":\"X\"," SCOPES
         ",\"permissions\":[{\"actions\":[\"a/b\"],\"condition\":\"x\"}]}}",
         400, "InvalidRoleDefinition"},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        char target[256];
        snprintf(target, sizeof target, SUB AUTH "roleDefinitions/%s" V, table[i].name);
        struct http_response response = ask(&house, house.owner, HTTP_PUT, target, table[i].body);
        cr_assert(response.status == table[i].status && walk_body_has(&response, table[i].code),
                  "case %zu: %u %.*s", i, response.status, RF_FMT(rf_buf_view(&response.body)));
    }
    house_close(&house);
}

Test(rbac, lists_definitions_by_name_type_and_scope)
{
    struct house house;
    house_open(&house);
#define DEFS SUB AUTH "roleDefinitions" V
    uint32_t builtins = count_of(&house, house.owner, DEFS);
    cr_assert(builtins > 30);
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "roleDefinitions/" ROLE_1 V,
              DEFINITION("Deep", "a/read", SUB "/resourceGroups/rg")),
          201, ROLE_1);
    cr_assert(count_of(&house, house.owner, DEFS) == builtins);
    cr_assert(count_of(&house, house.owner, DEFS "&$filter=atScopeAndBelow()") == builtins + 1);
    cr_assert(count_of(&house, house.owner, SUB "/resourceGroups/rg" AUTH "roleDefinitions" V) ==
              builtins + 1);
    cr_assert(count_of(&house, house.owner,
                       SUB "/resourceGroups/rg" AUTH "roleDefinitions" V
                           "&$filter=type eq 'CustomRole'") == 1);
    cr_assert(count_of(&house, house.owner, DEFS "&$filter=type eq 'BuiltInRole'") == builtins);
    CHECK(ask(&house, house.owner, HTTP_GET, DEFS "&$filter=roleName eq 'Reader'", NULL), 200,
          "\"id\":\"" SUB AUTH "roleDefinitions/" ROLE_READER "\"");
    cr_assert(count_of(&house, house.owner, DEFS "&$filter=roleName eq 'reader'") == 1);
    cr_assert(count_of(&house, house.owner, DEFS "&$top=7") == 7);
    assign(&house, WALK_OID, ROLE_READER, "/");
    CHECK(ask(&house, house.owner, HTTP_GET, AUTH "roleDefinitions/" ROLE_READER V, NULL), 200,
          "\"id\":\"" AUTH "roleDefinitions/" ROLE_READER "\"");
    CHECK(ask(&house, house.owner, HTTP_PUT,
              SUB "/resourceGroups/rg2" AUTH "roleAssignments/" NAME_1 V,
              ASSIGNMENT(ROLE_1, OTHER, "")),
          400, "RoleAssignmentScopeNotAssignableToRoleDefinition");
    house_close(&house);
}

Test(rbac, a_limited_administrator_gives_only_the_roles_of_its_condition)
{
    struct house house;
    house_open(&house);
    assign(&house, OTHER, "8b54135c-b56d-4d72-a534-26097cfdc8d8", SUB);
    const char *at = SUB AUTH "roleAssignments/" NAME_1 V;
    CHECK(ask(&house, house.other, HTTP_PUT, at, ASSIGNMENT(ROLE_OWNER, OTHER, "")), 403,
          "AuthorizationFailed");
    CHECK(ask(&house, house.other, HTTP_PUT, at, "{"), 403, "AuthorizationFailed");
    CHECK(ask(&house, house.other, HTTP_PUT, at,
              ASSIGNMENT("4633458b-17de-408a-b874-0445c86b69e6", USER, "")),
          201, "\"principalType\":\"User\"");
    CHECK(ask(&house, house.other, HTTP_DELETE, at, NULL), 200, NAME_1);
    CHECK(ask(&house, house.owner, HTTP_PUT, at, ASSIGNMENT(ROLE_READER, USER, "")), 201, "");
    CHECK(ask(&house, house.other, HTTP_DELETE, at, NULL), 403, "AuthorizationFailed");
    CHECK(ask(&house, house.other, HTTP_DELETE, SUB AUTH "roleAssignments/" NAME_2 V, NULL), 403,
          "AuthorizationFailed");
    house_close(&house);
}

Test(rbac, a_condition_on_the_type_of_principal_judges_the_true_one)
{
    struct house house;
    house_open(&house);
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "roleAssignments/" NAME_1 V,
              ASSIGNMENT("f58310d9-a9f6-439a-9e8d-f62e7b41a168", OTHER,
                         ",\"condition\":\"(!(ActionMatches{'Microsoft.Authorization/"
                         "roleAssignments/write'})) OR (@Request[Microsoft.Authorization/"
                         "roleAssignments:PrincipalType] StringEqualsIgnoreCase "
                         "'User')\",\"conditionVersion\":\"2.0\"")),
          201, "");
    const char *at = SUB AUTH "roleAssignments/" NAME_2 V;
    CHECK(ask(&house, house.other, HTTP_PUT, at,
              ASSIGNMENT(ROLE_READER, OTHER, ",\"principalType\":\"User\"")),
          403, "AuthorizationFailed");
    CHECK(ask(&house, house.other, HTTP_PUT, at, ASSIGNMENT(ROLE_READER, USER, "")), 201, "User");
    house_close(&house);
}

Test(rbac, permissions_are_those_of_the_caller)
{
    struct house house;
    house_open(&house);
    cr_assert(count_of(&house, house.owner, SUB AUTH "permissions" V) == 1);
    cr_assert(count_of(&house, house.owner, SUB "/resourcegroups/rg" AUTH "permissions" V) == 1);
    cr_assert(count_of(&house, house.other, SUB AUTH "permissions" V) == 0);
    cr_assert(count_of(&house, house.owner, AUTH "permissions" V) == 0);
    cr_assert(count_of(&house, house.owner, SUB AUTH "classicAdministrators" V) == 0);
    house_close(&house);
}

static void put_deny(struct house *house, const char *principal, const char *excluded,
                     const char *action, const char *scope)
{
    struct state_txn *txn;
    struct rf_err err;
    rf_str body = rf_arena_printf(
        &house->walk.arena,
        "{\"id\":\"%s" AUTH "denyAssignments/" NAME_1 "\",\"name\":\"" NAME_1
        "\",\"properties\":{\"scope\":\"%s\",\"principals\":[{\"id\":\"%s\",\"type\":\"X\"}],"
        "\"excludePrincipals\":[{\"id\":\"%s\"}],\"permissions\":[{\"actions\":[\"%s\"]}]}}",
        scope, scope, principal, excluded, action);
    struct state_put put = {.space = "denyAssignment",
                            .key =
                                RF_S("/providers/microsoft.authorization/denyassignments/" NAME_1),
                            .body = body};
    cr_assert(state_begin_write(house->walk.state, &txn, &err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &err) == RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

Test(rbac, a_deny_assignment_takes_what_a_role_gives)
{
    struct house house;
    house_open(&house);
    const char *everybody = "00000000-0000-0000-0000-000000000000";
    assign(&house, OTHER, ROLE_OWNER, SUB);
    put_deny(&house, everybody, WALK_OID, "*/roleAssignments/read", SUB);
    CHECK(ask(&house, house.other, HTTP_GET, LIST, NULL), 403, "AuthorizationFailed");
    CHECK(ask(&house, house.owner, HTTP_GET, LIST, NULL), 200, "");
    CHECK(ask(&house, house.owner, HTTP_GET, SUB AUTH "denyAssignments" V, NULL), 200, NAME_1);
    CHECK(ask(&house, house.owner, HTTP_GET, SUB AUTH "denyAssignments/" NAME_1 V, NULL), 200,
          NAME_1);
    CHECK(ask(&house, house.owner, HTTP_GET, SUB AUTH "denyAssignments/" NAME_2 V, NULL), 404,
          "DenyAssignmentNotFound");
    CHECK(ask(&house, house.owner, HTTP_PUT, SUB AUTH "denyAssignments/" NAME_1 V, "{}"), 405, "");
    put_deny(&house, OTHER, STRANGER, "*", SUB "/resourceGroups/rg");
    CHECK(ask(&house, house.other, HTTP_GET, LIST, NULL), 200, "");
    CHECK(ask(&house, house.other, HTTP_GET, SUB "/resourcegroups/RG/x/y" AUTH "roleAssignments" V,
              NULL),
          403, "");
    house_close(&house);
}

Test(rbac, templates_assign_with_the_rights_of_their_caller)
{
    struct house house;
    struct rf_err err;
    house_open(&house);
    struct rf_arena *arena = &house.walk.arena;
    struct principal owner = {.object_id = RF_S(WALK_OID)}, other = {.object_id = RF_S(OTHER)};
    struct http_request http = {.method = HTTP_PUT, .peer_address = RF_S("192.0.2.1")};
    struct request request = {.http = &http,
                              .arena = arena,
                              .site = &house.walk.site,
                              .principal = &owner,
                              .audit = &house.walk.audit};
    struct json_node *body, *out;
    bool created;
    rf_str id = RF_S("/" SUB "/resourceGroups/rg" AUTH "roleAssignments/" NAME_1);
    cr_assert(json_parse(RF_S(ASSIGNMENT(ROLE_READER, OTHER, "")), arena, &body, &err) == RF_OK);
    cr_assert(authz_put_assignment(house.walk.authz, &request, id, body, &out, &created, &err) ==
              RF_OK);
    cr_assert(created && rf_str_is(json_text_at(out, "id"),
                                   SUB "/resourceGroups/rg" AUTH "roleAssignments/" NAME_1));
    cr_assert(house.walk.rows == 1);
    cr_assert(authz_put_assignment(house.walk.authz, &request, id, body, &out, &created, &err) ==
                  RF_OK &&
              !created);
    request.principal = &other;
    cr_assert(authz_put_assignment(house.walk.authz, &request, id, body, &out, &created, &err) ==
              RF_DENIED);
    request.principal = &owner;
    cr_assert(authz_put_assignment(house.walk.authz, &request, RF_S(SUB "/x/" NAME_1), body, &out,
                                   &created, &err) == RF_INVALID);
    cr_assert(authz_put_assignment(house.walk.authz, &request, RF_S(AUTH "roleAssignments/" NAME_1),
                                   body, &out, &created, &err) == RF_DENIED,
              "the owner of a subscription is none of the tenant");
    house_close(&house);
}
