#include <pthread.h>

#include "arm/arm_int.h"
#include "authz/route_walk.h"
#include "base/json_out.h"
#include "test/rf_prop.h"

#define SUBSCRIPTION "/subscriptions/99999999-0000-0000-0000-000000000001"
#define GROUP SUBSCRIPTION "/resourceGroups/rg"
#define STORAGE GROUP "/providers/Microsoft.Storage/storageAccounts/"
#define V "?api-version=2023-01-01"
#define OWNER "aaaaaaaa-0000-0000-0000-000000000005"
#define OTHER "aaaaaaaa-0000-0000-0000-000000000003"

/* ---- a control plane without a socket ------------------------------------------------------------------------ */

struct world {
    struct walk_site site;
    struct arm *arm;
    struct dispatcher *dispatcher;
    rf_str token;
    struct http_response last;
    struct json_node *answer; /* NULL: none */
    struct http_header headers[3];
    uint32_t header_count;
};

static void assign(struct world *world, const char *oid, const char *role, const char *scope)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(world->site.state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(world->site.authz, txn, rf_str_of(oid), "ServicePrincipal", role,
                           rf_str_of(scope), &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

static void be(struct world *world, const char *oid)
{
    struct walk_token want = {.oid = oid};
    world->token = walk_bearer(&world->site, walk_token(&world->site, &want));
}

static int call(struct world *world, const char *method, const char *target, const char *body)
{
    struct walk_call exchange = {.target = target, .body = body, .authorization = world->token};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (strcmp(http_method_name((enum http_method)m), method) == 0)
            exchange.method = (enum http_method)m;
    for (uint32_t i = 0; i < world->header_count; i++) exchange.headers[i] = world->headers[i];
    world->header_count = 0;
    world->last = walk_exchange(&world->site, world->dispatcher, &exchange);
    world->answer = NULL;
    struct rf_err err;
    rf_str text = rf_buf_view(&world->last.body);
    if (text.len > 0)
        cr_assert(json_parse(text, &world->site.arena, &world->answer, &err) == RF_OK, "%s: %.*s",
                  target, RF_FMT(text));
    return world->last.status;
}

static void with_header(struct world *world, const char *name, rf_str value)
{
    world->headers[world->header_count++] = (struct http_header){rf_str_of(name), value};
}

static const char *text_at(struct world *world, const char *path)
{
    rf_str text = json_text_at(world->answer, path);
    return (const char *)rf_arena_cstr(&world->site.arena, text);
}

#define expect(world, method, target, sent, wanted)                                                \
    do {                                                                                           \
        int status_ = call(world, method, target, sent);                                           \
        rf_str text_ = rf_buf_view(&(world)->last.body);                                           \
        cr_assert(status_ == (wanted), "%s %s: %d %.*s", method, target, status_,                  \
                  (int)RF_MIN(text_.len, 400), (const char *)text_.ptr);                           \
    } while (0)
#define expect_code(world, method, target, sent, wanted, code)                                     \
    do {                                                                                           \
        expect(world, method, target, sent, wanted);                                               \
        cr_assert(strcmp(text_at(world, "error.code"), code) == 0, "%s %s: %s", method, target,    \
                  text_at(world, "error.code"));                                                   \
        cr_assert(json_text_at((world)->answer, "error.message").len > 0);                         \
    } while (0)
#define expect_text(world, path, wanted)                                                           \
    cr_assert(strcmp(text_at(world, path), wanted) == 0, "%s: '%s', not '%s'", path,               \
              text_at(world, path), wanted)

/* The text of the answer's member. */
static rf_str printed(struct world *world, const char *path)
{
    return json_to_text(&world->site.arena, json_at(world->answer, path));
}

#define expect_json(world, path, wanted)                                                           \
    do {                                                                                           \
        rf_str got_ = printed(world, path);                                                        \
        cr_assert(rf_str_is(got_, wanted), "%s: %.*s", path, RF_FMT(got_));                        \
    } while (0)

static void world_init(struct world *world, const struct arm_type *types, uint32_t count)
{
    struct rf_err err;
    memset(world, 0, sizeof *world);
    walk_site_init(&world->site);
    const struct arm_options options = {.state = world->site.state,
                                        .authz = world->site.authz,
                                        .site = &world->site.site,
                                        .audit = &world->site.audit,
                                        .clock = &world->site.clock.clock};
    cr_assert(arm_new(&options, &world->arm, &err) == RF_OK);
    cr_assert(arm_register(world->arm, types, count, &err) == RF_OK, "%s", err.text);
    world->dispatcher = walk_dispatcher(&world->site);
    cr_assert(dispatcher_add(world->dispatcher, arm_service(world->arm), &err) == RF_OK, "%s",
              err.text);
    assign(world, OWNER, ROLE_OWNER, "/");
    be(world, OWNER);
    expect(world, "PUT", GROUP V, "{\"location\":\"local\"}", 201);
}

static void world_done(struct world *world)
{
    dispatcher_free(world->dispatcher);
    arm_free(world->arm);
    walk_site_done(&world->site);
}

#define ACCOUNT                                                                                    \
    "{\"location\":\"local\",\"sku\":{\"name\":\"Standard_LRS\"},\"kind\":\"StorageV2\","          \
    "\"tags\":{\"owner\":\"acc\"},\"properties\":{\"a\":1,\"b\":{\"c\":[1,{\"x\":null}]}}}"

/* ---- groups ------------------------------------------------------------------------------------------------------- */

Test(arm, resource_group_life_cycle)
{
    struct world world;
    world_init(&world, NULL, 0);
    const char *group = SUBSCRIPTION "/resourcegroups/Acc-Rg";
    rf_str path = rf_arena_printf(&world.site.arena, "%s" V "%c", group, 0);
    const char *target = (const char *)path.ptr;
    expect(&world, "HEAD", target, NULL, 404);
    expect_code(&world, "PUT", target, "{}", 400, "LocationRequired");
    expect(&world, "PUT", target, "{\"location\":\"West Europe\",\"tags\":{\"a\":\"1\"}}", 201);
    expect_text(&world, "id", SUBSCRIPTION "/resourceGroups/Acc-Rg");
    expect_text(&world, "name", "Acc-Rg");
    expect_text(&world, "type", "Microsoft.Resources/resourceGroups");
    expect_text(&world, "location", "westeurope");
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect(&world, "PUT", target, "{\"location\":\"westeurope\",\"tags\":{\"a\":\"1\"}}", 200);
    expect_code(&world, "PUT", target, "{\"location\":\"eastus\"}", 409, "InvalidResourceLocation");
    expect(&world, "PATCH", target, "{\"tags\":{\"b\":\"2\"}}", 200);
    expect_json(&world, "tags", "{\"b\":\"2\"}");
    expect(&world, "HEAD", target, NULL, 204);
    expect(&world, "GET", SUBSCRIPTION "/resourceGroups/ACC-RG" V, NULL, 200);
    expect_text(&world, "name", "Acc-Rg");
    expect(&world, "GET", SUBSCRIPTION "/resourcegroups" V "&$filter=tagName%20eq%20%27B%27", NULL,
           200);
    cr_assert(json_get(world.answer, "value")->count == 1);
    expect(&world, "DELETE", target, NULL, 202);
    rf_str location = walk_header(&world.last, "Location");
    rf_str status = walk_header(&world.last, "Azure-AsyncOperation");
    cr_assert(rf_str_starts(location, RF_S("https://localhost:8443/subscriptions/")));
    cr_assert(walk_header(&world.last, "Retry-After").len > 0);
    size_t origin = strlen("https://localhost:8443");
    location = rf_slice(location, origin, location.len);
    status = rf_slice(status, origin, status.len);
    expect(&world, "GET", rf_arena_cstr(&world.site.arena, location), NULL, 200);
    expect(&world, "GET", rf_arena_cstr(&world.site.arena, status), NULL, 200);
    expect_text(&world, "status", "Succeeded");
    assign(&world, OTHER, ROLE_OWNER, "/");
    be(&world, OTHER);
    expect_code(&world, "GET", rf_arena_cstr(&world.site.arena, location), NULL, 404,
                "OperationNotFound");
    be(&world, OWNER);
    expect_code(&world, "GET", target, NULL, 404, "ResourceGroupNotFound");
    expect_code(&world, "DELETE", target, NULL, 404, "ResourceGroupNotFound");
    world_done(&world);
}

Test(arm, outcomes_are_kept_for_a_day)
{
    struct world world;
    world_init(&world, NULL, 0);
    const char *group = SUBSCRIPTION "/resourceGroups/gone" V, *old = NULL;
    for (int day = 0; day < 2; day++) {
        expect(&world, "PUT", group, "{\"location\":\"local\"}", 201);
        expect(&world, "DELETE", group, NULL, 202);
        rf_str url = walk_header(&world.last, "Location");
        const char *target = rf_arena_cstr(
            &world.site.arena, rf_slice(url, strlen("https://localhost:8443"), url.len));
        expect(&world, "GET", target, NULL, 200);
        if (old != NULL) expect_code(&world, "GET", old, NULL, 404, "OperationNotFound");
        old = target;
        rf_clock_fixed_pass(&world.site.clock, INT64_C(25) * 3600 * RF_USEC_PER_SECOND);
        be(&world, OWNER);
    }
    world_done(&world);
}

Test(arm, deleting_a_group_deletes_all_that_is_in_it)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "one" V, ACCOUNT, 201);
    expect(&world, "PUT", STORAGE "one/blobServices/default" V, "{}", 201);
    expect(&world, "PUT", STORAGE "one/providers/Microsoft.Insights/diagnosticSettings/d" V, "{}",
           201);
    assign(&world, OTHER, ROLE_READER, STORAGE "one");
    struct state_txn *txn;
    struct state_list list;
    struct rf_err err;
    expect(&world, "DELETE", GROUP V, NULL, 202);
    cr_assert(state_begin_read(world.site.state, &txn, &err) == RF_OK);
    static const char *const spaces[] = {"resource", "roleAssignment"};
    for (size_t i = 0; i < RF_COUNT(spaces); i++) {
        const struct state_scan scan = {.space = spaces[i], .prefix = RF_S(SUBSCRIPTION)};
        cr_assert(state_list(txn, &scan, &world.site.arena, &list, &err) == RF_OK);
        cr_assert(list.count == 0, "%s: %.*s", spaces[i], RF_FMT(list.items[0].key));
    }
    state_end(txn);
    world_done(&world);
}

/* ---- resources ------------------------------------------------------------------------------------------------------ */

Test(arm, generic_resources_are_written_and_read)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT",
           SUBSCRIPTION "/resourcegroups/RG/providers/microsoft.storage/STORAGEACCOUNTS/Acc1" V,
           ACCOUNT, 201);
    expect_text(&world, "id", STORAGE "Acc1");
    expect_text(&world, "type", "Microsoft.Storage/storageAccounts");
    expect_text(&world, "name", "Acc1");
    expect_text(&world, "systemData.createdByType", "Application");
    expect(&world, "GET", STORAGE "acc1" V, NULL, 200);
    expect_json(&world, "properties",
                "{\"a\":1,\"b\":{\"c\":[1,{\"x\":null}]},\"provisioningState\":\"Succeeded\"}");
    expect_json(&world, "sku", "{\"name\":\"Standard_LRS\"}");
    expect(&world, "HEAD", STORAGE "acc1" V, NULL, 204);
    expect(&world, "PATCH", STORAGE "acc1" V,
           "{\"tags\":{\"owner\":\"x\"},\"properties\":{\"a\":null,\"d\":2},\"id\":\"/x\"}", 200);
    expect_json(&world, "properties",
                "{\"b\":{\"c\":[1,{\"x\":null}]},\"provisioningState\":\"Succeeded\",\"d\":2}");
    expect_json(&world, "tags", "{\"owner\":\"x\"}");
    expect_text(&world, "kind", "StorageV2");
    expect_text(&world, "id", STORAGE "Acc1");
    expect(&world, "PUT", STORAGE "ACC1" V, "{\"location\":\"LOCAL\"}", 200);
    expect_json(&world, "properties", "{\"provisioningState\":\"Succeeded\"}");
    cr_assert(json_get(world.answer, "tags") == NULL);
    expect_text(&world, "name", "Acc1");
    expect(&world, "DELETE", STORAGE "acc1" V, NULL, 200);
    expect(&world, "DELETE", STORAGE "acc1" V, NULL, 204);
    expect(&world, "HEAD", STORAGE "acc1" V, NULL, 404);
    world_done(&world);
}

Test(arm, errors_have_codes_and_statuses)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "there" V, ACCOUNT, 201);
    static const struct {
        const char *method, *target, *body;
        int status;
        const char *code;
    } cases[] = {
        {"GET", GROUP "/providers/Microsoft.Storage/storageAccounts", NULL, 400,
         "MissingApiVersionParameter"},
        {"GET", GROUP "?api-version=", NULL, 400, "MissingApiVersionParameter"},
        {"GET", GROUP "?api-version=yesterday", NULL, 400, "InvalidApiVersionParameter"},
        {"GET", GROUP "?api-version=2021-13-01", NULL, 400, "InvalidApiVersionParameter"},
        {"GET", STORAGE "there?api-version=2009-01-01", NULL, 400, "NoRegisteredProviderFound"},
        {"GET", "/subscriptions/00000000-0000-0000-0000-00000000dead/resourceGroups" V, NULL, 404,
         "SubscriptionNotFound"},
        {"GET", "/subscriptions/00000000-0000-0000-0000-00000000dead" V, NULL, 404,
         "SubscriptionNotFound"},
        {"GET", "/subscriptions/nonsense/resourceGroups" V, NULL, 400, "InvalidSubscriptionId"},
        {"PUT", "/subscriptions/00000000-0000-0000-0000-00000000dead/resourceGroups/x" V,
         "{\"location\":\"local\"}", 404, "SubscriptionNotFound"},
        {"GET", SUBSCRIPTION "/resourceGroups/nope/providers/Microsoft.Storage/storageAccounts/x" V,
         NULL, 404, "ResourceGroupNotFound"},
        {"PUT", SUBSCRIPTION "/resourceGroups/nope/providers/Microsoft.Storage/storageAccounts/x" V,
         ACCOUNT, 404, "ResourceGroupNotFound"},
        {"GET", SUBSCRIPTION "/resourceGroups/nope/resources" V, NULL, 404,
         "ResourceGroupNotFound"},
        {"GET", SUBSCRIPTION "/resourceGroups/nope/providers/Microsoft.Storage/storageAccounts" V,
         NULL, 404, "ResourceGroupNotFound"},
        {"GET", STORAGE "absent" V, NULL, 404, "ResourceNotFound"},
        {"PATCH", STORAGE "absent" V, "{}", 404, "ResourceNotFound"},
        {"GET", GROUP "/providers/No.SuchNamespace/things/x" V, NULL, 400,
         "InvalidResourceNamespace"},
        {"GET", GROUP "/providers/Microsoft.Storage/noSuchType/x" V, NULL, 400,
         "InvalidResourceType"},
        {"PUT", STORAGE "x" V, "{not json", 400, "InvalidRequestContent"},
        {"PUT", STORAGE "x" V, "", 400, "InvalidRequestContent"},
        {"PUT", STORAGE "x" V, "[]", 400, "InvalidRequestContent"},
        {"PUT", STORAGE "x" V, "{\"location\":\"local\",\"properties\":7}", 400,
         "InvalidRequestContent"},
        {"PUT", STORAGE "x" V, "{}", 400, "LocationRequired"},
        {"PUT", STORAGE "x" V, "{\"location\":7}", 400, "InvalidLocation"},
        {"PUT", STORAGE "x" V, "{\"location\":\"no/where\"}", 400,
         "LocationNotAvailableForResourceType"},
        {"PUT", STORAGE "there" V, "{\"location\":\"elsewhere\"}", 409, "InvalidResourceLocation"},
        {"PUT", STORAGE "bad%3Cname" V, ACCOUNT, 400, "InvalidResourceName"},
        {"PUT", STORAGE "ends." V, ACCOUNT, 400, "InvalidResourceName"},
        {"PUT", STORAGE "absent/blobServices/default" V, "{}", 404, "ParentResourceNotFound"},
        {"PUT", STORAGE "absent/providers/Microsoft.Insights/diagnosticSettings/d" V, "{}", 404,
         "ResourceNotFound"},
        {"PUT", STORAGE "x" V, "{\"location\":\"local\",\"tags\":{\"a\":7}}", 400,
         "InvalidRequestContent"},
        {"PUT", STORAGE "x" V, "{\"location\":\"local\",\"tags\":{\"a\":\"1\",\"A\":\"2\"}}", 400,
         "DuplicateTagNames"},
        {"PUT", STORAGE "x" V, "{\"location\":\"local\",\"tags\":{\"a/b\":\"1\"}}", 400,
         "InvalidTagNameCharacters"},
        {"PUT", GROUP "/providers/Microsoft.Storage/storageAccounts" V, ACCOUNT, 405,
         "MethodNotAllowed"},
        {"POST", STORAGE "there/dance" V, NULL, 404, "ActionNotFound"},
        {"POST", STORAGE "absent/dance" V, NULL, 404, "ResourceNotFound"},
        {"POST", STORAGE "there" V, NULL, 405, "MethodNotAllowed"},
        {"PUT", GROUP "/providers/Microsoft.Authorization/locks/l" V,
         "{\"properties\":{\"level\":\"Tight\"}}", 400, "LockLevelNotSupported"},
        {"GET", SUBSCRIPTION "/providers/No.Such" V, NULL, 404, "InvalidResourceNamespace"},
        {"GET", GROUP "/resources" V "&$filter=name", NULL, 400, "InvalidFilterInQueryString"},
        {"GET", GROUP "/resources" V "&$top=0", NULL, 400, "InvalidTopInQueryString"},
        {"GET", GROUP "/resources" V "&$skiptoken=***", NULL, 400, "InvalidSkipToken"},
        {"GET", SUBSCRIPTION "/operationresults/none" V, NULL, 404, "OperationNotFound"},
        {"PATCH", GROUP "/providers/Microsoft.Resources/tags/default" V,
         "{\"operation\":\"Stir\",\"properties\":{\"tags\":{}}}", 400, "InvalidTagPatchOperation"},
        {"PUT", GROUP "/providers/Microsoft.Resources/tags/other" V,
         "{\"properties\":{\"tags\":{}}}", 400, "InvalidResourceName"},
        {"GET", SUBSCRIPTION "/things/x" V, NULL, 400, "InvalidResourceId"},
        {"PUT", GROUP "/providers/Microsoft.Resources/resourceGroups/x" V, "{}", 400,
         "InvalidResourceType"},
        {"PUT", GROUP "/providers/Microsoft.Resources/deployments/x" V, "{}", 400,
         "InvalidRequestContent"},
        {"PUT", "/providers/Microsoft.Resources/subscriptions/x" V, "{}", 400,
         "InvalidResourceType"},
        {"PUT",
         "/providers/Microsoft.Management/managementGroups/none/providers/"
         "Microsoft.Authorization/policyAssignments/p" V,
         "{}", 404, "ResourceNotFound"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        expect_code(&world, cases[i].method, cases[i].target, cases[i].body, cases[i].status,
                    cases[i].code);
    world.token = (rf_str){0};
    expect_code(&world, "GET", SUBSCRIPTION V, NULL, 401, "AuthenticationFailed");
    cr_assert(rf_str_starts(walk_header(&world.last, "WWW-Authenticate"), RF_S("Bearer ")));
    world_done(&world);
}

Test(arm, conditions_are_kept)
{
    struct world world;
    world_init(&world, NULL, 0);
    with_header(&world, "If-Match", RF_S("*"));
    expect_code(&world, "PUT", STORAGE "x" V, ACCOUNT, 412, "PreconditionFailed");
    with_header(&world, "If-None-Match", RF_S("*"));
    expect(&world, "PUT", STORAGE "x" V, ACCOUNT, 201);
    rf_str first = walk_header(&world.last, "ETag");
    cr_assert(first.len > 2);
    with_header(&world, "If-None-Match", RF_S("*"));
    expect_code(&world, "PUT", STORAGE "x" V, ACCOUNT, 412, "PreconditionFailed");
    with_header(&world, "If-Match", first);
    expect(&world, "PATCH", STORAGE "x" V, "{\"tags\":{}}", 200);
    rf_str second = walk_header(&world.last, "ETag");
    cr_assert(!rf_str_eq(first, second));
    with_header(&world, "If-Match", first);
    expect_code(&world, "DELETE", STORAGE "x" V, NULL, 412, "PreconditionFailed");
    with_header(&world, "If-None-Match", second);
    expect(&world, "GET", STORAGE "x" V, NULL, 304);
    with_header(&world, "If-Match", RF_S("\"nonsense\""));
    expect_code(&world, "PUT", STORAGE "x" V, ACCOUNT, 412, "PreconditionFailed");
    with_header(&world, "If-Match", second);
    expect(&world, "DELETE", STORAGE "x" V, NULL, 200);
    world_done(&world);
}

/* ---- tags, locks ---------------------------------------------------------------------------------------------------------- */

#define TAGS "/providers/Microsoft.Resources/tags/default" V

Test(arm, tags_of_every_scope)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "x" V, ACCOUNT, 201);
    expect(&world, "PATCH", STORAGE "x" TAGS,
           "{\"operation\":\"Merge\",\"properties\":{\"tags\":{\"env\":\"test\"}}}", 200);
    expect_text(&world, "id", STORAGE "x/providers/Microsoft.Resources/tags/default");
    expect_text(&world, "type", "Microsoft.Resources/tags");
    expect_json(&world, "properties", "{\"tags\":{\"owner\":\"acc\",\"env\":\"test\"}}");
    expect(&world, "PATCH", STORAGE "x" TAGS,
           "{\"operation\":\"merge\",\"properties\":{\"tags\":{\"ENV\":\"prod\"}}}", 200);
    expect_json(&world, "properties.tags", "{\"owner\":\"acc\",\"env\":\"prod\"}");
    expect(
        &world, "PATCH", STORAGE "x" TAGS,
        "{\"operation\":\"Delete\",\"properties\":{\"tags\":{\"OWNER\":\"acc\",\"env\":\"no\"}}}",
        200);
    expect(&world, "GET", STORAGE "x" V, NULL, 200);
    expect_json(&world, "tags", "{\"env\":\"prod\"}");
    expect_json(&world, "sku", "{\"name\":\"Standard_LRS\"}");
    expect(&world, "PUT", STORAGE "x" TAGS, "{\"properties\":{\"tags\":{\"only\":\"1\"}}}", 200);
    expect(&world, "GET", STORAGE "x" TAGS, NULL, 200);
    expect_json(&world, "properties.tags", "{\"only\":\"1\"}");
    expect(&world, "DELETE", STORAGE "x" TAGS, NULL, 200);
    expect(&world, "GET", STORAGE "x" TAGS, NULL, 200);
    expect_json(&world, "properties.tags", "{}");
    static const char *const scopes[] = {GROUP TAGS, SUBSCRIPTION TAGS};
    for (size_t i = 0; i < RF_COUNT(scopes); i++) {
        expect(&world, "PUT", scopes[i], "{\"properties\":{\"tags\":{\"s\":\"1\"}}}", 200);
        expect(&world, "GET", scopes[i], NULL, 200);
        expect_json(&world, "properties.tags", "{\"s\":\"1\"}");
    }
    expect(&world, "GET", SUBSCRIPTION V, NULL, 200);
    expect_json(&world, "tags", "{\"s\":\"1\"}");
    expect_text(&world, "state", "Enabled");
    expect_code(&world, "GET", STORAGE "absent" TAGS, NULL, 404, "ResourceNotFound");
    world_done(&world);
}

Test(arm, tags_have_limits)
{
    struct world world;
    world_init(&world, NULL, 0);
    struct rf_buf body = rf_buf_in(&world.site.arena);
    for (int count = 50; count <= 51; count++) {
        body.len = 0;
        rf_buf_printf(&body, "{\"location\":\"local\",\"tags\":{");
        for (int i = 0; i < count; i++) rf_buf_printf(&body, "%s\"t%d\":\"v\"", i ? "," : "", i);
        rf_buf_printf(&body, "}}%c", 0);
        expect(&world, "PUT", STORAGE "x" V, (const char *)body.ptr, count == 50 ? 201 : 400);
    }
    expect_text(&world, "error.code", "TooManyTags");
    for (int len = 256; len <= 257; len++) {
        body.len = 0;
        rf_buf_printf(&body, "{\"location\":\"local\",\"tags\":{\"t\":\"%0*d\"}}%c", len, 1, 0);
        expect(&world, "PUT", STORAGE "x" V, (const char *)body.ptr, len == 256 ? 200 : 400);
    }
    world_done(&world);
}

#define LOCK(scope, name) scope "/providers/Microsoft.Authorization/locks/" name V
#define KEEP "{\"properties\":{\"level\":\"CanNotDelete\",\"notes\":\"n\"}}"
#define FREEZE "{\"properties\":{\"level\":\"ReadOnly\"}}"

Test(arm, locks_stop_deletion_and_writing)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "x" V, ACCOUNT, 201);
    expect(&world, "PUT", LOCK(STORAGE "x", "keep"), KEEP, 201);
    expect_text(&world, "properties.level", "CanNotDelete");
    cr_assert(json_at(world.answer, "properties.provisioningState") == NULL);
    expect_code(&world, "DELETE", STORAGE "x" V, NULL, 409, "ScopeLocked");
    expect_code(&world, "DELETE", GROUP V, NULL, 409, "ScopeLocked");
    expect(&world, "PATCH", STORAGE "x" V, "{\"tags\":{\"still\":\"writable\"}}", 200);
    expect(&world, "PUT", LOCK(STORAGE "x", "freeze"), FREEZE, 201);
    expect_code(&world, "PUT", STORAGE "x" V, ACCOUNT, 409, "ScopeLocked");
    expect_code(&world, "PATCH", STORAGE "x" V, "{}", 409, "ScopeLocked");
    expect_code(&world, "PUT", STORAGE "x" TAGS, "{\"properties\":{\"tags\":{}}}", 409,
                "ScopeLocked");
    expect_code(&world, "PUT", STORAGE "x/blobServices/default" V, "{}", 409, "ScopeLocked");
    expect_code(&world, "POST", STORAGE "x/listKeys" V, NULL, 409, "ScopeLocked");
    expect(&world, "GET", STORAGE "x/providers/Microsoft.Authorization/locks" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 2);
    expect(&world, "PUT", LOCK(GROUP, "above"), FREEZE, 201);
    expect(&world, "GET", STORAGE "x/providers/Microsoft.Authorization/locks" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 2);
    expect(&world, "GET",
           STORAGE "x/providers/Microsoft.Authorization/locks" V "&$filter=atScope()", NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 3);
    expect(&world, "GET", SUBSCRIPTION "/providers/Microsoft.Authorization/locks" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 3);
    expect(&world, "DELETE", LOCK(STORAGE "x", "freeze"), NULL, 200);
    expect(&world, "DELETE", LOCK(STORAGE "x", "keep"), NULL, 200);
    expect(&world, "DELETE", LOCK(STORAGE "x", "keep"), NULL, 204);
    expect_code(&world, "PUT", STORAGE "y" V, ACCOUNT, 409, "ScopeLocked");
    expect_code(&world, "DELETE", STORAGE "x" V, NULL, 409, "ScopeLocked");
    expect(&world, "DELETE", LOCK(GROUP, "above"), NULL, 200);
    expect(&world, "DELETE", STORAGE "x" V, NULL, 200);
    world_done(&world);
}

/* ---- lists ----------------------------------------------------------------------------------------------------------------- */

static uint32_t count_of(struct world *world, const char *target)
{
    expect(world, "GET", target, NULL, 200);
    cr_assert(json_is(json_get(world->answer, "value"), JSON_T_ARRAY), "%s", target);
    return json_get(world->answer, "value")->count;
}

/* Follows nextLink from `target`; names that were seen, each with a blank behind, are added to `names`. */
static uint32_t follow(struct world *world, const char *target, struct rf_buf *names)
{
    uint32_t pages = 0;
    for (; target != NULL; pages++) {
        expect(world, "GET", target, NULL, 200);
        const struct json_node *value = json_get(world->answer, "value");
        for (const struct json_node *r = value->first; r != NULL; r = r->next)
            rf_buf_printf(names, "%.*s ", RF_FMT(json_text_at(r, "name")));
        rf_str next = json_text_at(world->answer, "nextLink");
        rf_str origin = RF_S("https://localhost:8443");
        cr_assert(next.len == 0 || rf_str_starts(next, origin));
        target = next.len == 0
                     ? NULL
                     : rf_arena_cstr(&world->site.arena, rf_slice(next, origin.len, next.len));
    }
    return pages;
}

Test(arm, lists_come_in_pages)
{
    struct world world;
    world_init(&world, NULL, 0);
    for (int i = 0; i < 7; i++) {
        rf_str path = rf_arena_printf(&world.site.arena, STORAGE "acc%d" V "%c", i, 0);
        expect(&world, "PUT", (const char *)path.ptr, ACCOUNT, 201);
    }
    expect(&world, "PUT", STORAGE "acc0/blobServices/default" V, "{}", 201);
    static const struct {
        const char *target, *names;
        uint32_t pages;
    } cases[] = {
        {GROUP "/resources" V "&$top=3", "acc0 acc1 acc2 acc3 acc4 acc5 acc6 ", 3},
        {GROUP "/resources" V "&$top=7", "acc0 acc1 acc2 acc3 acc4 acc5 acc6 ", 1},
        {SUBSCRIPTION "/resources" V "&%24top=6", "acc0 acc1 acc2 acc3 acc4 acc5 acc6 ", 2},
        {GROUP "/resources" V "&$top=2&$filter=name%20ne%20'acc2'%20and%20(name%20eq%20'ACC2'%20"
               "or%20substringof('c',name))",
         "acc0 acc1 acc3 acc4 acc5 acc6 ", 3},
        {GROUP "/providers/Microsoft.Storage/storageAccounts" V "&$top=4",
         "acc0 acc1 acc2 acc3 acc4 acc5 acc6 ", 2},
        {SUBSCRIPTION "/providers/Microsoft.Storage/storageAccounts" V,
         "acc0 acc1 acc2 acc3 acc4 acc5 acc6 ", 1},
        {STORAGE "acc0/blobServices" V, "default ", 1},
        {STORAGE "acc1/blobServices" V, "", 1},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_buf names = rf_buf_in(&world.site.arena);
        uint32_t pages = follow(&world, cases[i].target, &names);
        cr_assert(rf_str_is(rf_buf_view(&names), cases[i].names), "%s: %.*s", cases[i].target,
                  (int)names.len, (const char *)names.ptr);
        cr_assert(pages == cases[i].pages, "%s: %u pages", cases[i].target, pages);
    }
    world_done(&world);
}

Test(arm, resources_are_filtered)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "a" V,
           "{\"location\":\"local\",\"tags\":{\"T\":\"1\",\"u\":\"2\"}}", 201);
    expect(&world, "PUT", GROUP "/providers/Microsoft.Compute/virtualMachines/b" V,
           "{\"location\":\"remote\",\"tags\":{\"t\":\"2\"}}", 201);
    static const struct {
        const char *filter;
        uint32_t count;
    } cases[] = {
        {"", 2},
        {"resourceType%20eq%20'microsoft.storage/storageaccounts'", 1},
        {"resourceType%20ne%20'microsoft.storage/storageaccounts'", 1},
        {"name%20eq%20'B'", 1},
        {"location%20eq%20'remote'", 1},
        {"tagName%20eq%20't'", 2},
        {"tagName%20eq%20't'%20and%20tagValue%20eq%20'2'", 1},
        {"tagValue%20eq%20'2'", 2},
        {"tagName%20eq%20'u'%20or%20name%20eq%20'b'", 2},
        {"resourceGroup%20eq%20'RG'", 2},
        {"resourceGroup%20eq%20'other'", 0},
        {"startswith(name,'A')", 1},
        {"substringof('irtual',resourceType)", 1},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str path = rf_arena_printf(
            &world.site.arena, SUBSCRIPTION "/resources" V "&$filter=%s%c", cases[i].filter, 0);
        uint32_t count = count_of(&world, (const char *)path.ptr);
        cr_assert(count == cases[i].count, "%s: %u", cases[i].filter, count);
    }
    cr_assert(count_of(&world, GROUP "/resources" V "&$expand=createdTime,provisioningState") == 2);
    const struct json_node *first = json_get(world.answer, "value")->first;
    cr_assert(json_get(first, "properties") == NULL);
    cr_assert(json_text_at(first, "createdTime").len > 0);
    cr_assert(json_text_at(first, "changedTime").len == 0);
    cr_assert(rf_str_is(json_text_at(first, "provisioningState"), "Succeeded"));
    world_done(&world);
}

/* ---- who may ---------------------------------------------------------------------------------------------------------------- */

Test(arm, rights_decide_what_is_done_and_shown)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "mine" V, ACCOUNT, 201);
    expect(&world, "PUT", STORAGE "yours" V, ACCOUNT, 201);
    be(&world, OTHER);
    expect_code(&world, "GET", STORAGE "mine" V, NULL, 403, "AuthorizationFailed");
    expect_code(&world, "GET", GROUP "/resources" V, NULL, 403, "AuthorizationFailed");
    expect_code(&world, "GET", STORAGE "absent" V, NULL, 403, "AuthorizationFailed");
    cr_assert(count_of(&world, "/subscriptions" V) == 0);
    expect_code(&world, "GET", SUBSCRIPTION V, NULL, 403, "AuthorizationFailed");
    assign(&world, OTHER, ROLE_READER, STORAGE "mine");
    expect(&world, "GET", STORAGE "mine" V, NULL, 200);
    cr_assert(count_of(&world, "/subscriptions" V) == 1, "there is something in it");
    expect(&world, "GET", SUBSCRIPTION V, NULL, 200);
    cr_assert(count_of(&world, GROUP "/resources" V) == 1);
    expect_code(&world, "GET", STORAGE "yours" V, NULL, 403, "AuthorizationFailed");
    expect_code(&world, "DELETE", STORAGE "mine" V, NULL, 403, "AuthorizationFailed");
    expect_code(&world, "PUT", STORAGE "mine" TAGS, "{}", 403, "AuthorizationFailed");
    expect_code(&world, "PUT", LOCK(STORAGE "mine", "l"), KEEP, 403, "AuthorizationFailed");
    expect_code(&world, "GET", GROUP "/providers/Microsoft.Storage/storageAccounts" V, NULL, 403,
                "AuthorizationFailed");
    /* Contributors change resources, and not who or what may change them. */
    assign(&world, OTHER, ROLE_CONTRIBUTOR, GROUP);
    expect(&world, "PUT", STORAGE "mine" V, ACCOUNT, 200);
    expect_code(&world, "PUT", LOCK(STORAGE "mine", "l"), KEEP, 403, "AuthorizationFailed");
    expect_code(&world, "PUT", SUBSCRIPTION "/resourceGroups/other" V, "{\"location\":\"local\"}",
                403, "AuthorizationFailed");
    world_done(&world);
}

Test(arm, changes_leave_rows)
{
    struct world world;
    world_init(&world, NULL, 0);
    uint32_t before = world.site.rows;
    expect(&world, "PUT", STORAGE "x" V, ACCOUNT, 201);
    cr_assert(world.site.rows == before + 1);
    cr_assert(strcmp(world.site.last_table, "AzureActivity") == 0);
    struct rf_err err;
    cr_assert(json_parse(world.site.last_row, &world.site.arena, &world.answer, &err) == RF_OK);
    expect_text(&world, "OperationNameValue", "MICROSOFT.STORAGE/STORAGEACCOUNTS/WRITE");
    expect_text(&world, "ActivityStatusValue", "Success");
    expect_text(&world, "ResourceId", STORAGE "x");
    expect_text(&world, "Caller", OWNER);
    expect(&world, "GET", STORAGE "x" V, NULL, 200);
    cr_assert(world.site.rows == before + 1, "reading leaves none");
    expect(&world, "PUT", STORAGE "x" V, "{}", 400);
    cr_assert(world.site.rows == before + 2);
    cr_assert(json_parse(world.site.last_row, &world.site.arena, &world.answer, &err) == RF_OK);
    expect_text(&world, "ActivityStatusValue", "Failure");
    expect(&world, "DELETE", STORAGE "x" V, NULL, 200);
    cr_assert(world.site.rows == before + 3);
    be(&world, OTHER);
    expect(&world, "DELETE", STORAGE "x" V, NULL, 403);
    cr_assert(world.site.rows == before + 4, "a refusal is recorded once");
    world_done(&world);
}

Test(arm, no_route_runs_without_its_check)
{
    struct world world;
    world_init(&world, NULL, 0);
    const struct service *services[] = {arm_service(world.arm)};
    cr_assert(route_walk(&world.site, services, 1) > 30);
    world_done(&world);
}

/* ---- what is there ------------------------------------------------------------------------------------------------------------ */

Test(arm, the_installation_describes_itself)
{
    struct world world;
    world_init(&world, NULL, 0);
    cr_assert(count_of(&world, "/subscriptions" V) == 1);
    const struct json_node *first = json_get(world.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(first, "id"), SUBSCRIPTION));
    cr_assert(rf_str_is(json_text_at(first, "state"), "Enabled"));
    cr_assert(count_of(&world, "/tenants" V) == 1);
    cr_assert(count_of(&world, SUBSCRIPTION "/locations" V) == 1);
    cr_assert(count_of(&world, SUBSCRIPTION "/providers" V) > 50);
    cr_assert(count_of(&world, "/providers" V) > 50);
    expect(&world, "GET", SUBSCRIPTION "/providers/microsoft.operationalinsights" V, NULL, 200);
    expect_text(&world, "namespace", "Microsoft.OperationalInsights");
    expect_text(&world, "registrationState", "Registered");
    expect(&world, "POST", SUBSCRIPTION "/providers/Microsoft.Storage/register" V, NULL, 200);
    cr_assert(count_of(&world, SUBSCRIPTION "/providers/Microsoft.Storage/resourceTypes" V) > 1);
    cr_assert(count_of(&world, "/providers/Microsoft.Management/managementGroups" V) == 1);
    const char *assignment = "/providers/Microsoft.Management/managementGroups/" WALK_TENANT
                             "/providers/Microsoft.Authorization/policyAssignments/p" V;
    expect(&world, "PUT", assignment, "{}", 201);
    expect(&world, "PUT", assignment, "{}", 201);
    world.token = (rf_str){0};
    expect(&world, "GET", "/metadata/endpoints?api-version=2022-09-01", NULL, 200);
    expect_text(&world, "authentication.loginEndpoint", "https://localhost:8443/");
    expect_text(&world, "resourceManager", "https://localhost:8443");
    world_done(&world);
}

/* ---- what services bring -------------------------------------------------------------------------------------------------- */

struct notes {
    struct rf_buf text; /* what hooks were called, in order */
    bool refuse;
};

static void note(struct arm_call *call, const char *what, const struct arm_resource *resource)
{
    struct notes *notes = call->ctx;
    rf_buf_printf(&notes->text, "%s(%.*s) ", what, RF_FMT(resource->name));
}

static enum rf_kind thing_put(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    note(call, before == NULL ? "make" : "change", resource);
    if (json_at(resource->body, "properties.bad") != NULL)
        return RF_FAIL(err, RF_INVALID, "BadThing", "bad");
    struct json_node *properties = json_get(resource->body, "properties");
    if (json_at(resource->body, "properties.child") != NULL) {
        struct arm_resource child;
        rf_str id = rf_arena_printf(call->arena, "%.*s/parts/born", RF_FMT(resource->id));
        json_remove(properties, RF_S("child"));
        /* The parent is not written yet, so the part's type does without it. */
        RF_TRY(arm_put_in(call, id, json_new(call->arena, JSON_T_OBJECT), &child, NULL, err));
    }
    json_set_text(call->arena, properties, "made", RF_S("yes"));
    return RF_OK;
}

static enum rf_kind thing_remove(struct arm_call *call, struct arm_resource *resource,
                                 struct rf_err *err)
{
    struct notes *notes = call->ctx;
    note(call, "remove", resource);
    if (notes->refuse) return RF_FAIL(err, RF_CONFLICT, "ThingInUse", "in use");
    return RF_OK;
}

static void thing_changed(struct arm_call *call, struct arm_resource *resource)
{
    struct arm_resource there;
    cr_assert(call->txn != NULL);
    bool found = arm_get(call->arm, call->txn, resource->id, call->arena, &there, NULL) == RF_OK;
    note(call, found ? "there" : "gone", resource);
    cr_assert(found == (resource->body != NULL));
}

static enum rf_kind thing_show(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    (void)err;
    json_set_text(call->arena, json_object_in(call->arena, resource->body, "properties"), "shown",
                  RF_S("yes"));
    return RF_OK;
}

static enum rf_kind thing_virtual(struct arm_call *call, rf_str id, struct json_node **body,
                                  struct rf_err *err)
{
    if (!rf_str_ends(id, RF_S("/standard")))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "none");
    *body = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, *body, "id", id);
    json_set_text(call->arena, *body, "name", RF_S("standard"));
    json_set_text(call->arena, json_object_in(call->arena, *body, "properties"), "virtual",
                  RF_S("yes"));
    return RF_OK;
}

static enum rf_kind thing_virtual_list(struct arm_call *call, rf_str parent_id,
                                       struct json_node *out, struct rf_err *err)
{
    struct json_node *body;
    struct arm_resource stored;
    rf_str id = rf_arena_printf(call->arena, "%.*s/things/standard", RF_FMT(parent_id));
    if (arm_get(call->arm, call->txn, id, call->arena, &stored, NULL) == RF_OK && stored.etag != 0)
        return RF_OK;
    RF_TRY(thing_virtual(call, id, &body, err));
    json_append(out, body);
    return RF_OK;
}

static enum rf_kind thing_poke(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    (void)err;
    note(call, "poke", resource);
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, answer, "poked", resource->name);
    return request_answer(call->request, 200, answer);
}

static const char *const thing_versions[] = {"2020-01-01", "2021-01-01-preview", NULL};
static const struct arm_action thing_actions[] = {
    {.name = "poke", .method = HTTP_POST, .run = thing_poke},
    {.name = "look", .method = HTTP_GET, .run = thing_poke},
};

static const char thing_members[] = "displayName details{} list name";

/* Boxes hold things, which hold parts. */
static void make_types(struct arm_type *types, struct notes *notes)
{
    types[0] = (struct arm_type){
        .name = "Ringfort.Test/boxes", .versions = thing_versions, .flags = ARM_TRACKED};
    types[1] = (struct arm_type){.name = "Ringfort.Test/boxes/things",
                                 .versions = thing_versions,
                                 .members = thing_members,
                                 .flags = ARM_PUT_201_ALWAYS | ARM_BODY_ETAG,
                                 .shown_type = "Ringfort.Test/things",
                                 .put = thing_put,
                                 .remove = thing_remove,
                                 .changed = thing_changed,
                                 .show = thing_show,
                                 .virtual_get = thing_virtual,
                                 .virtual_list = thing_virtual_list,
                                 .actions = thing_actions,
                                 .action_count = RF_COUNT(thing_actions),
                                 .ctx = notes};
    types[2] = (struct arm_type){.name = "Ringfort.Test/boxes/things/parts",
                                 .versions = thing_versions,
                                 .flags = ARM_PUT_200_ALWAYS | ARM_PARENT_FREE | ARM_NO_STATE,
                                 .remove = thing_remove,
                                 .changed = thing_changed,
                                 .ctx = notes};
}

#define BOX GROUP "/providers/Ringfort.Test/boxes/box"

static void expect_notes(struct notes *notes, const char *wanted)
{
    cr_assert(rf_str_is(rf_buf_view(&notes->text), wanted), "'%.*s', not '%s'",
              (int)notes->text.len, (const char *)notes->text.ptr, wanted);
    notes->text.len = 0;
}

static void world_with_things(struct world *world, struct notes *notes, struct arm_type *types)
{
    make_types(types, notes);
    world_init(world, types, 3);
    *notes = (struct notes){.text = rf_buf_in(&world->site.arena)};
    expect(world, "PUT", BOX V, "{\"location\":\"local\"}", 201);
}

Test(arm, hooks_run_in_order_and_inside_the_transaction)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3];
    world_with_things(&world, &notes, types);
    expect(&world, "PUT", BOX "/things/a" V, "{\"properties\":{\"child\":1}}", 201);
    expect_notes(&notes, "make(a) there(born) there(a) ");
    expect_text(&world, "type", "Ringfort.Test/things");
    expect_text(&world, "properties.made", "yes");
    expect_text(&world, "properties.shown", "yes");
    expect(&world, "GET", BOX "/things/a/parts/born" V, NULL, 200);
    cr_assert(json_get(world.answer, "properties") == NULL);
    expect(&world, "PUT", BOX "/things/a" V, "{}", 201);
    expect_notes(&notes, "change(a) there(a) ");
    expect(&world, "PUT", BOX "/things/a/parts/born" V, "{}", 200);
    expect_notes(&notes, "there(born) ");
    expect_code(&world, "PUT", BOX "/things/b" V, "{\"properties\":{\"child\":1,\"bad\":1}}", 400,
                "BadThing");
    expect_notes(&notes, "make(b) ");
    expect(&world, "GET", BOX "/things/b/parts/born" V, NULL, 404);
    notes.refuse = true;
    expect_code(&world, "DELETE", BOX V, NULL, 409, "ThingInUse");
    expect_notes(&notes, "remove(born) ");
    expect(&world, "GET", BOX "/things/a/parts/born" V, NULL, 200);
    notes.refuse = false;
    expect(&world, "DELETE", BOX V, NULL, 200);
    expect_notes(&notes, "remove(born) remove(a) gone(born) gone(a) ");
    world_done(&world);
}

Test(arm, virtual_resources_are_there_until_stored_ones_take_their_place)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3];
    world_with_things(&world, &notes, types);
    expect(&world, "GET", BOX "/things/Standard" V, NULL, 404);
    expect(&world, "GET", BOX "/things/standard" V, NULL, 200);
    expect_text(&world, "properties.virtual", "yes");
    expect(&world, "GET", BOX "/things/other" V, NULL, 404);
    cr_assert(count_of(&world, BOX "/things" V) == 1);
    expect(&world, "PATCH", BOX "/things/standard" V, "{\"properties\":{\"more\":1}}", 200);
    expect_json(
        &world, "properties",
        "{\"virtual\":\"yes\",\"more\":1,\"provisioningState\":\"Succeeded\",\"made\":\"yes\","
        "\"shown\":\"yes\"}");
    cr_assert(count_of(&world, BOX "/things" V) == 1);
    world_done(&world);
}

Test(arm, actions_are_asked_of_resources_that_are_there)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3];
    world_with_things(&world, &notes, types);
    expect(&world, "POST", BOX "/things/standard/POKE" V, NULL, 200);
    expect_text(&world, "poked", "standard");
    expect(&world, "GET", BOX "/things/standard/look" V, NULL, 200);
    expect_notes(&notes, "poke(standard) poke(standard) ");
    expect_code(&world, "POST", BOX "/things/other/poke" V, NULL, 404, "ResourceNotFound");
    expect_code(&world, "POST", BOX "/things/standard/look" V, NULL, 404, "ActionNotFound");
    be(&world, OTHER);
    assign(&world, OTHER, ROLE_READER, GROUP);
    expect_code(&world, "POST", BOX "/things/standard/poke" V, NULL, 403, "AuthorizationFailed");
    expect(&world, "GET", BOX "/things/standard/look" V, NULL, 200);
    world_done(&world);
}

Test(arm, names_are_read_in_any_case)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3];
    world_with_things(&world, &notes, types);
    expect(
        &world, "PUT", BOX "/things/a" V,
        "{\"Properties\":{\"DISPLAYNAME\":\"x\",\"Unknown\":1,\"Details\":{\"Name\":2,\"name\":3,"
        "\"List\":4},\"list\":[{\"Name\":5}],\"List\":6}}",
        201);
    expect_json(
        &world, "properties",
        "{\"displayName\":\"x\",\"Unknown\":1,\"details\":{\"Name\":2,\"name\":3,\"List\":4},"
        "\"list\":[{\"name\":5}],\"List\":6,\"provisioningState\":\"Succeeded\","
        "\"made\":\"yes\",\"shown\":\"yes\"}");
    world_done(&world);
}

Test(arm, etags_in_documents_are_conditions)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3];
    world_with_things(&world, &notes, types);
    struct rf_arena *arena = &world.site.arena;
    expect(&world, "PUT", BOX "/things/a" V, "{\"etag\":\"*\"}", 201);
    rf_str first = printed(&world, "etag");
    rf_str body = rf_arena_printf(arena, "{\"etag\":%.*s}%c", RF_FMT(first), 0);
    expect(&world, "PUT", BOX "/things/a" V, (const char *)body.ptr, 201);
    cr_assert(!rf_str_eq(printed(&world, "etag"), first));
    expect_code(&world, "PUT", BOX "/things/a" V, (const char *)body.ptr, 412,
                "PreconditionFailed");
    expect(&world, "PUT", BOX "/things/a" V, "{}", 201);
    world_done(&world);
}

Test(arm, services_write_without_http)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3];
    world_with_things(&world, &notes, types);
    struct rf_arena *arena = &world.site.arena;
    struct arm_resource resource;
    struct arm_call call_;
    struct rf_err err;
    bool created = false, existed = true;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "location", RF_S("local"));
    rf_str group = RF_S(SUBSCRIPTION "/resourceGroups/made");
    cr_assert(arm_put(world.arm, group, body, NULL, arena, &resource, &created, &err) == RF_OK);
    cr_assert(created && rf_str_eq(resource.id, group) && resource.etag != 0);
    cr_assert(rf_str_is(json_text_at(resource.body, "systemData.createdBy"), "Ringfort"));
    cr_assert(arm_put(world.arm, group, body, NULL, arena, &resource, &created, &err) == RF_OK);
    cr_assert(!created);
    cr_assert(arm_put(world.arm, RF_S(BOX "/things"), body, NULL, arena, &resource, NULL, &err) ==
              RF_INVALID);
    /* Two writes, of which neither stays. */
    cr_assert(arm_begin(world.arm, NULL, arena, &call_, &err) == RF_OK);
    cr_assert(arm_put_in(&call_, RF_S(BOX "/things/a"), json_new(arena, JSON_T_OBJECT), &resource,
                         NULL, &err) == RF_OK);
    cr_assert(arm_delete_in(&call_, group, &existed, &err) == RF_OK && existed);
    arm_end(&call_);
    expect_notes(&notes, "make(a) ");
    expect(&world, "GET", BOX "/things/a" V, NULL, 404);
    cr_assert(arm_delete(world.arm, group, NULL, arena, &existed, &err) == RF_OK && existed);
    cr_assert(arm_delete(world.arm, group, NULL, arena, &existed, &err) == RF_OK && !existed);
    struct state_txn *txn;
    struct arm_resource *list;
    uint32_t count;
    cr_assert(state_begin_read(world.site.state, &txn, &err) == RF_OK);
    cr_assert(arm_get(world.arm, txn, group, arena, &resource, &err) == RF_NOT_FOUND);
    cr_assert(strcmp(err.code, "ResourceGroupNotFound") == 0);
    cr_assert(arm_list(world.arm, txn, "ringfort.test/BOXES", arena, &list, &count, &err) == RF_OK);
    cr_assert(count == 1 && rf_str_is(list[0].id, BOX));
    state_end(txn);
    world_done(&world);
}

Test(arm, a_type_is_registered_once)
{
    struct world world;
    struct notes notes;
    struct arm_type types[3], own = {.name = "microsoft.storage/StorageAccounts"};
    struct rf_err err;
    world_with_things(&world, &notes, types);
    cr_assert(arm_register(world.arm, types, 1, &err) == RF_CONFLICT);
    cr_assert(arm_register(world.arm, &own, 1, &err) == RF_OK, "a generic type gives way");
    cr_assert(arm_register(world.arm, &own, 1, &err) == RF_CONFLICT);
    expect_code(&world, "GET", BOX "?api-version=2019-12-31", NULL, 400,
                "NoRegisteredProviderFound");
    expect(&world, "GET", BOX "?api-version=2020-01-01-preview", NULL, 200);
    expect(&world, "GET", BOX "?api-version=2031-01-01", NULL, 200);
    world_done(&world);
}

Test(arm, tag_names_are_counted)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "a" V, "{\"location\":\"local\",\"tags\":{\"T\":\"1\"}}", 201);
    expect(&world, "PUT", STORAGE "b" V, "{\"location\":\"local\",\"tags\":{\"t\":\"2\"}}", 201);
    expect(&world, "PATCH", GROUP V, "{\"tags\":{\"t\":\"2\"}}", 200);
    expect(&world, "PUT", SUBSCRIPTION "/tagNames/later" V, NULL, 201);
    expect(&world, "PUT", SUBSCRIPTION "/tagNames/later" V, NULL, 200);
    expect(&world, "PUT", SUBSCRIPTION "/tagNames/later/tagValues/v" V, NULL, 201);
    expect_text(&world, "tagValue", "v");
    cr_assert(count_of(&world, SUBSCRIPTION "/tagNames" V) == 2);
    const struct json_node *later = json_get(world.answer, "value")->first, *t = later->next;
    cr_assert(rf_str_is(json_text_at(later, "tagName"), "later"));
    cr_assert(json_get(later, "values")->count == 1);
    int64_t count = 0;
    cr_assert(json_i64_at(t, "count.value", &count) && count == 3);
    cr_assert(json_get(t, "values")->count == 2);
    cr_assert(json_i64_at(json_get(t, "values")->last, "count.value", &count) && count == 2);
    expect(&world, "DELETE", SUBSCRIPTION "/tagNames/later" V, NULL, 200);
    expect(&world, "DELETE", SUBSCRIPTION "/tagNames/later" V, NULL, 204);
    cr_assert(count_of(&world, SUBSCRIPTION "/tagNames" V) == 1);
    world_done(&world);
}

Test(arm, a_group_is_exported_as_a_template)
{
    struct world world;
    world_init(&world, NULL, 0);
    expect(&world, "PUT", STORAGE "a" V,
           "{\"location\":\"local\",\"properties\":{\"x\":\"[not()]\"}}", 201);
    expect(&world, "PUT", STORAGE "a/blobServices/default" V, "{}", 201);
    expect(&world, "PUT", STORAGE "a/providers/Microsoft.Insights/diagnosticSettings/d" V, "{}",
           201);
    expect(&world, "POST", GROUP "/exportTemplate" V, "{\"resources\":[\"*\"]}", 200);
    expect_json(&world, "template.parameters", "{}");
    const struct json_node *first = json_at(world.answer, "template.resources")->first;
    cr_assert(json_at(world.answer, "template.resources")->count == 3);
    cr_assert(rf_str_is(json_text_at(first, "properties.x"), "[[not()]"));
    cr_assert(json_at(first, "properties.provisioningState") == NULL);
    cr_assert(rf_str_is(json_text_at(first->next, "name"), "a/default"));
    cr_assert(rf_str_is(json_text_at(first->next, "type"),
                        "Microsoft.Storage/storageAccounts/blobServices"));
    cr_assert(
        rf_str_is(json_text_at(first->next->next, "scope"), "Microsoft.Storage/storageAccounts/a"));
    expect(&world, "POST", GROUP "/exportTemplate" V, "{\"resources\":[\"" STORAGE "A\"]}", 200);
    cr_assert(json_at(world.answer, "template.resources")->count == 1);
    expect_code(&world, "POST", SUBSCRIPTION "/resourceGroups/no/exportTemplate" V, "{}", 404,
                "ResourceGroupNotFound");
    world_done(&world);
}

/* ---- moving -------------------------------------------------------------------------------------------------------------------- */

#define RG2 SUBSCRIPTION "/resourceGroups/Rg2"
#define STORAGE2 RG2 "/providers/Microsoft.Storage/storageAccounts/"
#define MOVE GROUP "/moveResources" V
#define VALIDATE GROUP "/validateMoveResources" V
#define WISH(target, ids) "{\"targetResourceGroup\":\"" target "\",\"resources\":[" ids "]}"

static void two_groups(struct world *world)
{
    world_init(world, NULL, 0);
    expect(world, "PUT", RG2 V, "{\"location\":\"local\"}", 201);
    expect(world, "PUT", STORAGE "Mine" V, "{\"location\":\"local\",\"tags\":{\"a\":\"1\"}}", 201);
}

/* The answer of what was answered with 202. */
static void expect_finished(struct world *world, int wanted)
{
    rf_str url = walk_header(&world->last, "Location");
    url = rf_slice(url, strlen("https://localhost:8443"), url.len);
    expect(world, "GET", rf_arena_cstr(&world->site.arena, url), NULL, wanted);
}

Test(arm, a_resource_moves_with_all_that_hangs_on_it)
{
    struct world world;
    two_groups(&world);
    expect(&world, "PUT", STORAGE "Mine/blobServices/default" V, "{}", 201);
    expect(&world, "PUT", STORAGE "Mine/providers/Microsoft.Insights/diagnosticSettings/d" V,
           "{\"properties\":{\"of\":\"" STORAGE "MINE/blobServices/default\"}}", 201);
    /* Of others: one names it, one has a name that only begins alike. */
    expect(&world, "PUT", STORAGE "Mine2" V,
           "{\"location\":\"local\",\"properties\":{\"peer\":\"" STORAGE
           "mine\",\"self\":\"" STORAGE "mine2\"}}",
           201);
    assign(&world, OTHER, ROLE_READER, STORAGE "Mine");
    expect(&world, "POST", VALIDATE, WISH(RG2, "\"" STORAGE "mine\""), 202);
    expect_finished(&world, 204);
    expect(&world, "GET", STORAGE "mine" V, NULL, 200);
    uint32_t before = world.site.rows;
    expect(&world, "POST", MOVE, WISH(RG2, "\"" STORAGE "mine\",\"" STORAGE "MINE\""), 202);
    cr_assert(world.site.rows == before + 2, "a row for each group");
    expect_finished(&world, 204);
    expect_code(&world, "GET", STORAGE "mine" V, NULL, 404, "ResourceNotFound");
    expect_code(&world, "GET", STORAGE "mine/blobServices/default" V, NULL, 404,
                "ResourceNotFound");
    expect(&world, "GET", STORAGE2 "mine" V, NULL, 200);
    expect_text(&world, "id", STORAGE2 "Mine");
    expect_text(&world, "tags.a", "1");
    expect(&world, "GET", STORAGE2 "mine/blobServices/default" V, NULL, 200);
    expect_text(&world, "id", STORAGE2 "Mine/blobServices/default");
    expect(&world, "GET", STORAGE2 "mine/providers/Microsoft.Insights/diagnosticSettings/d" V, NULL,
           200);
    expect_text(&world, "properties.of", STORAGE2 "Mine/blobServices/default");
    expect(&world, "GET", STORAGE "mine2" V, NULL, 200);
    expect_text(&world, "properties.peer", STORAGE2 "Mine");
    expect_text(&world, "properties.self", STORAGE "mine2");
    cr_assert(count_of(&world, RG2 "/resources" V) == 1);
    cr_assert(count_of(&world, GROUP "/resources" V) == 1);
    /* The assignment at it has ended: nobody gets it back by a new resource of the old name. */
    expect(&world, "PUT", STORAGE "Mine" V, ACCOUNT, 201);
    be(&world, OTHER);
    expect(&world, "GET", STORAGE "Mine" V, NULL, 403);
    expect(&world, "GET", STORAGE2 "Mine" V, NULL, 403);
    world_done(&world);
}

Test(arm, a_move_is_refused_as_a_whole)
{
    static const struct {
        const char *body;
        int status;
        const char *code;
    } rows[] = {
        {"{}", 400, "InvalidRequestContent"},
        {WISH(RG2, ""), 400, "InvalidRequestContent"},
        {WISH(RG2, "7"), 400, "InvalidRequestContent"},
        {WISH("", "\"" STORAGE "mine\""), 400, "InvalidRequestContent"},
        {WISH(GROUP, "\"" STORAGE "mine\""), 400, "InvalidRequestContent"},
        {WISH(STORAGE "mine", "\"" STORAGE "mine\""), 400, "InvalidRequestContent"},
        {WISH(SUBSCRIPTION "/resourceGroups/no", "\"" STORAGE "mine\""), 404,
         "ResourceGroupNotFound"},
        {WISH(RG2, "\"" STORAGE "mine\",\"" STORAGE "no\""), 404, "ResourceNotFound"},
        {WISH(RG2, "\"" STORAGE2 "taken\""), 400, "InvalidRequestContent"},
        {WISH(RG2, "\"" GROUP "\""), 400, "InvalidRequestContent"},
        {WISH(RG2, "\"" STORAGE "\""), 400, NULL},
        {WISH(RG2, "\"" STORAGE "mine\",\"" STORAGE "taken\""), 409,
         "ResourceMoveProviderValidationFailed"},
        {WISH(RG2, "\"" STORAGE "mine/blobServices/default\""), 400, "ResourceMoveNotSupported"},
        {WISH(RG2, "\"" STORAGE "mine/providers/Microsoft.Insights/diagnosticSettings/d\""), 400,
         "ResourceMoveNotSupported"},
        {WISH(RG2, "\"" GROUP "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i\""),
         400, "ResourceMoveNotSupported"},
    };
    struct world world;
    two_groups(&world);
    expect(&world, "PUT", STORAGE "mine/blobServices/default" V, "{}", 201);
    expect(&world, "PUT", STORAGE "taken" V, ACCOUNT, 201);
    expect(&world, "PUT", STORAGE2 "taken" V, ACCOUNT, 201);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        static const char *const targets[] = {MOVE, VALIDATE};
        for (size_t t = 0; t < RF_COUNT(targets); t++) {
            int status = call(&world, "POST", targets[t], rows[i].body);
            cr_assert(status == rows[i].status, "%s: %d %.*s", rows[i].body, status,
                      RF_FMT(rf_buf_view(&world.last.body)));
            if (rows[i].code != NULL) expect_text(&world, "error.code", rows[i].code);
        }
    }
    expect(&world, "GET", STORAGE "mine" V, NULL, 200);
    cr_assert(count_of(&world, RG2 "/resources" V) == 1);
    world_done(&world);
}

Test(arm, locks_and_rights_stop_a_move)
{
    static const char *const scopes[] = {STORAGE "mine", STORAGE "mine/blobServices/default", GROUP,
                                         RG2};
    const char *wish = WISH(RG2, "\"" STORAGE "mine\"");
    struct world world;
    two_groups(&world);
    expect(&world, "PUT", STORAGE "mine/blobServices/default" V, "{}", 201);
    for (size_t i = 0; i < RF_COUNT(scopes); i++) {
        const char *lock = rf_arena_cstr(
            &world.site.arena,
            rf_arena_printf(&world.site.arena,
                            "%s/providers/Microsoft.Authorization/locks/l?api-version=2020-05-01",
                            scopes[i]));
        expect(&world, "PUT", lock, "{\"properties\":{\"level\":\"ReadOnly\"}}", 201);
        expect_code(&world, "POST", MOVE, wish, 409, "ScopeLocked");
        expect(&world, "DELETE", lock, NULL, 200);
    }
    assign(&world, OTHER, ROLE_CONTRIBUTOR, GROUP);
    be(&world, OTHER);
    expect_code(&world, "POST", MOVE, wish, 403, "AuthorizationFailed");
    be(&world, OWNER);
    assign(&world, OTHER, ROLE_CONTRIBUTOR, RG2);
    be(&world, OTHER);
    expect(&world, "POST", MOVE, wish, 202);
    world_done(&world);
}

/* ---- many at once ---------------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 30 };
struct worker {
    struct arm *arm;
    int number;
    atomic_uint *created;
    bool failed;
    char why[200];
};

static enum rf_kind work_once(struct worker *worker, struct rf_arena *arena, int round,
                              struct rf_err *err)
{
    struct arm_resource resource;
    bool created, existed;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "location", RF_S("local"));
    rf_str own = rf_arena_printf(arena, STORAGE "own%d-%d", worker->number, round);
    RF_TRY(arm_put(worker->arm, own, body, NULL, arena, &resource, &created, err));
    if (!created) return RF_FAIL(err, RF_CONFLICT, "Test", "made before");
    RF_TRY(
        arm_put(worker->arm, RF_S(STORAGE "shared"), body, NULL, arena, &resource, &created, err));
    if (created) atomic_fetch_add(worker->created, 1);
    RF_TRY(arm_delete(worker->arm, RF_S(STORAGE "shared"), NULL, arena, &existed, err));
    if (existed) atomic_fetch_sub(worker->created, 1);
    return RF_OK;
}

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    for (int round = 0; round < ROUNDS && !worker->failed; round++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 16u << 20);
        struct rf_err err;
        worker->failed = work_once(worker, &arena, round, &err) != RF_OK;
        if (worker->failed) snprintf(worker->why, sizeof worker->why, "%.150s", err.text);
    }
    return NULL;
}

Test(arm, threads_write_side_by_side)
{
    struct world world;
    world_init(&world, NULL, 0);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    atomic_uint created = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.arm = world.arm, .number = i, .created = &created};
        cr_assert(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert(pthread_join(threads[i], NULL) == 0);
        cr_assert(!workers[i].failed, "%s", workers[i].why);
    }
    cr_assert(created == 0, "each making was undone by one deletion");
    cr_assert(count_of(&world, GROUP "/resources" V) == THREADS * ROUNDS);
    world_done(&world);
}

/* ---- a model ----------------------------------------------------------------------------------------------------------------- */

/* Two groups with two accounts each, which may have one child; a lock of each level on each group and account. What is there
 * decides what every request must be answered. */
enum { MODEL_GROUPS = 2, MODEL_ACCOUNTS = 2 };
enum { LEVEL_KEEP, LEVEL_FREEZE, LEVELS };
struct model_account {
    bool there, child, locks[LEVELS];
    uint64_t tag;
};
struct model_group {
    bool there, locks[LEVELS];
    struct model_account accounts[MODEL_ACCOUNTS];
};

static bool is_frozen(const struct model_group *group, const struct model_account *account)
{
    return group->locks[LEVEL_FREEZE] || (account != NULL && account->locks[LEVEL_FREEZE]);
}

static bool is_kept(const struct model_group *group, const struct model_account *account)
{
    if (group->locks[LEVEL_KEEP] || group->locks[LEVEL_FREEZE]) return true;
    if (account != NULL) return account->locks[LEVEL_KEEP] || account->locks[LEVEL_FREEZE];
    for (int a = 0; a < MODEL_ACCOUNTS; a++)
        if (group->accounts[a].locks[LEVEL_KEEP] || group->accounts[a].locks[LEVEL_FREEZE])
            return true;
    return false;
}

struct move {
    const char *method;
    rf_str path;
    rf_str body;
    int status;
};

static const char *const level_names[] = {"CanNotDelete", "ReadOnly"};

static void move_account(struct rf_prng *prng, struct world *world, struct model_group *group,
                         struct model_account *account, struct move *move)
{
    bool frozen = is_frozen(group, account);
    uint64_t tag = rf_test_below(prng, 1000);
    switch (rf_test_below(prng, 5)) {
    case 0:
        move->method = "PUT";
        move->body = rf_arena_printf(&world->site.arena,
                                     "{\"location\":\"local\",\"tags\":{\"t\":\"%d\"}}", (int)tag);
        move->status = !group->there ? 404 : frozen ? 409 : account->there ? 200 : 201;
        if (move->status < 300) account->there = true, account->tag = tag;
        return;
    case 1:
        move->method = "PATCH";
        move->body = rf_arena_printf(&world->site.arena, "{\"tags\":{\"t\":\"%d\"}}", (int)tag);
        move->status = !account->there ? 404 : frozen ? 409 : 200;
        if (move->status < 300) account->tag = tag;
        return;
    case 2:
        move->method = "DELETE";
        move->status = !account->there ? 204 : is_kept(group, account) ? 409 : 200;
        if (move->status == 200) *account = (struct model_account){0};
        return;
    case 3:
        move->method = "PUT";
        move->path =
            rf_arena_printf(&world->site.arena, "%.*s/blobServices/default", RF_FMT(move->path));
        move->body = RF_S("{}");
        move->status = !account->there ? 404 : frozen ? 409 : account->child ? 200 : 201;
        if (move->status < 300) account->child = true;
        return;
    default:
        move->method = "GET";
        move->status = account->there ? 200 : 404;
        return;
    }
}

static void move_lock(struct rf_prng *prng, struct world *world, bool there, bool *locks,
                      struct move *move)
{
    uint64_t level = rf_test_below(prng, LEVELS);
    bool put = rf_test_one_in(prng, 3);
    move->path =
        rf_arena_printf(&world->site.arena, "%.*s/providers/Microsoft.Authorization/locks/%s",
                        RF_FMT(move->path), level_names[level]);
    move->method = put ? "PUT" : "DELETE";
    move->body = rf_arena_printf(&world->site.arena, "{\"properties\":{\"level\":\"%s\"}}",
                                 level_names[level]);
    if (put) {
        move->status = !there ? 404 : locks[level] ? 200 : 201;
        if (there) locks[level] = true;
    } else {
        move->status = locks[level] ? 200 : 204;
        locks[level] = false;
    }
}

static void move_group(struct rf_prng *prng, struct model_group *group, struct move *move)
{
    if (rf_test_bool(prng)) {
        move->method = "PUT";
        move->body = RF_S("{\"location\":\"local\"}");
        move->status = is_frozen(group, NULL) ? 409 : group->there ? 200 : 201;
        group->there = true;
        return;
    }
    move->method = "DELETE";
    move->status = !group->there ? 404 : is_kept(group, NULL) ? 409 : 202;
    if (move->status == 202) *group = (struct model_group){0};
}

static void compare_with_model(struct world *world, const struct model_group *groups)
{
    for (int g = 0; g < MODEL_GROUPS; g++) {
        rf_str target = rf_arena_printf(&world->site.arena,
                                        SUBSCRIPTION "/resourceGroups/g%d/resources" V "%c", g, 0);
        uint32_t wanted = 0;
        for (int a = 0; a < MODEL_ACCOUNTS; a++) wanted += groups[g].accounts[a].there;
        if (!groups[g].there)
            expect(world, "GET", (const char *)target.ptr, NULL, 404);
        else
            cr_assert(count_of(world, (const char *)target.ptr) == wanted);
        for (int a = 0; a < MODEL_ACCOUNTS; a++) {
            target = rf_arena_printf(&world->site.arena,
                                     SUBSCRIPTION "/resourceGroups/g%d/providers/Microsoft.Storage/"
                                                  "storageAccounts/a%d" V "%c",
                                     g, a, 0);
            if (call(world, "GET", (const char *)target.ptr, NULL) != 200) continue;
            rf_str tag = rf_arena_printf(&world->site.arena, "%d", (int)groups[g].accounts[a].tag);
            cr_assert(rf_str_eq(json_text_at(world->answer, "tags.t"), tag));
        }
    }
}

RF_PROP(arm_keeps_to_the_model, 8)
{
    struct world world;
    world_init(&world, NULL, 0);
    struct model_group groups[MODEL_GROUPS] = {0};
    uint32_t count = 20 + prng->size * 2;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t g = rf_test_below(prng, MODEL_GROUPS), a = rf_test_below(prng, MODEL_ACCOUNTS);
        struct model_group *group = &groups[g];
        struct model_account *account = &group->accounts[a];
        struct move move = {0};
        rf_str in = rf_arena_printf(&world.site.arena, SUBSCRIPTION "/resourceGroups/g%d", (int)g);
        rf_str on = rf_arena_printf(&world.site.arena,
                                    "%.*s/providers/Microsoft.Storage/storageAccounts/a%d",
                                    RF_FMT(in), (int)a);
        uint64_t kind = rf_test_below(prng, 10);
        move.path = kind < 6 || kind == 6 ? on : in;
        if (kind < 6)
            move_account(prng, &world, group, account, &move);
        else if (kind == 6)
            move_lock(prng, &world, account->there, account->locks, &move);
        else if (kind == 7)
            move_lock(prng, &world, group->there, group->locks, &move);
        else
            move_group(prng, group, &move);
        rf_str target = rf_arena_printf(&world.site.arena, "%.*s" V "%c", RF_FMT(move.path), 0);
        const char *body = rf_arena_cstr(&world.site.arena, move.body);
        expect(&world, move.method, (const char *)target.ptr, body, move.status);
    }
    compare_with_model(&world, groups);
    world_done(&world);
}
