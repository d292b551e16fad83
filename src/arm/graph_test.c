#include "arm/graph_int.h"
#include "authz/route_walk.h"
#include "base/json.h"
#include "test/rf_prop.h"

#define SUBSCRIPTION_ID "99999999-0000-0000-0000-000000000001"
#define SUBSCRIPTION "/subscriptions/" SUBSCRIPTION_ID
#define GROUP SUBSCRIPTION "/resourceGroups/Outer"
#define INNER SUBSCRIPTION "/resourceGroups/inner"
#define STORAGE "/providers/Microsoft.Storage/storageAccounts/"
#define V "?api-version=2023-01-01"
#define GRAPH "/providers/Microsoft.ResourceGraph/resources"
#define OWNER "aaaaaaaa-0000-0000-0000-000000000005"
#define OTHER "aaaaaaaa-0000-0000-0000-000000000003"

struct world {
    struct walk_site site;
    struct arm *arm;
    struct dispatcher *dispatcher;
    rf_str token;
    struct json_node *answer;
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

static int call(struct world *world, enum http_method method, const char *target, const char *body)
{
    struct rf_err err;
    struct walk_call exchange = {
        .method = method, .target = target, .body = body, .authorization = world->token};
    struct http_response last = walk_exchange(&world->site, world->dispatcher, &exchange);
    rf_str text = rf_buf_view(&last.body);
    world->answer = NULL;
    if (text.len > 0)
        cr_assert(json_parse(text, &world->site.arena, &world->answer, &err) == RF_OK, "%.*s",
                  RF_FMT(text));
    return last.status;
}

static void put(struct world *world, const char *id, const char *body)
{
    rf_str target = rf_arena_printf(&world->site.arena, "%s" V "%c", id, 0);
    int status = call(world, HTTP_PUT, (const char *)target.ptr, body);
    cr_assert(status == 200 || status == 201, "%s: %d", id, status);
}

static void world_init(struct world *world)
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
    world->dispatcher = walk_dispatcher(&world->site);
    cr_assert(dispatcher_add(world->dispatcher, arm_service(world->arm), &err) == RF_OK);
    assign(world, OWNER, ROLE_OWNER, "/");
    be(world, OWNER);
    put(world, GROUP, "{\"location\":\"local\",\"tags\":{\"t\":\"g\"}}");
    put(world, INNER, "{\"location\":\"local\"}");
    put(world, GROUP STORAGE "a0",
        "{\"location\":\"West Europe\",\"sku\":{\"name\":\"Standard_LRS\"},\"kind\":\"StorageV2\","
        "\"tags\":{\"ring\":\"outer\"},\"properties\":{\"https\":false,\"n\":1.50,\"list\":[1,2]}"
        "}");
    put(world, GROUP STORAGE "a1",
        "{\"location\":\"local\",\"tags\":{\"ring\":\"inner\"},\"properties\":{\"https\":true}}");
    put(world, INNER STORAGE "a2",
        "{\"location\":\"local\",\"tags\":{\"ring\":\"inner\"},\"properties\":{\"https\":true}}");
    put(world, INNER "/providers/Microsoft.Network/virtualNetworks/net",
        "{\"location\":\"local\",\"properties\":{}}");
}

static void world_done(struct world *world)
{
    dispatcher_free(world->dispatcher);
    arm_free(world->arm);
    walk_site_done(&world->site);
}

/* `more`: further members of the body, with a comma in front. */
static int ask_with(struct world *world, const char *query, const char *more)
{
    struct rf_buf body = rf_buf_in(&world->site.arena);
    rf_buf_str(&body, RF_S("{\"query\":"));
    json_put_string(&body, rf_str_of(query));
    rf_buf_printf(&body, "%s}%c", more, 0);
    return call(world, HTTP_POST, GRAPH "?api-version=2021-03-01", (const char *)body.ptr);
}

static rf_str shown(struct world *world, const char *path)
{
    return json_to_text(&world->site.arena, json_at(world->answer, path));
}

#define expect_at(world, path, wanted)                                                             \
    do {                                                                                           \
        rf_str got_ = shown(world, path);                                                          \
        cr_expect(rf_str_is(got_, wanted), "%s: %.*s", path, RF_FMT(got_));                        \
    } while (0)
#define expect_rows(world, query, wanted)                                                          \
    do {                                                                                           \
        int status_ = ask_with(world, query, "");                                                  \
        cr_expect(status_ == 200, "%s: %d %.*s", query, status_,                                   \
                  RF_FMT(json_to_text(&(world)->site.arena, (world)->answer)));                    \
        rf_str got_ = shown(world, "data");                                                        \
        cr_expect(rf_str_is(got_, wanted), "%s:\n%.*s", query, RF_FMT(got_));                      \
    } while (0)

Test(graph, answers_queries_over_resources)
{
    struct world world;
    world_init(&world);
    expect_rows(&world,
                "Resources | where type =~ 'microsoft.storage/storageAccounts' | project name, "
                "ring=tags.ring, https=properties.https | order by name asc",
                "[{\"name\":\"a0\",\"ring\":\"outer\",\"https\":false},{\"name\":\"a1\",\"ring\":"
                "\"inner\",\"https\":true},{\"name\":\"a2\",\"ring\":\"inner\",\"https\":true}]");
    expect_at(&world, "totalRecords", "3");
    expect_at(&world, "count", "3");
    expect_at(&world, "resultTruncated", "\"false\"");
    expect_rows(&world,
                "resources | where name == 'a0' | project id, name, type, tenantId, kind, "
                "location, resourceGroup, subscriptionId, managedBy, sku, plan, "
                "properties, zones",
                "[{\"id\":\"" GROUP STORAGE "a0\",\"name\":\"a0\",\"type\":\"microsoft.storage/"
                "storageaccounts\",\"tenantId\":\"" WALK_TENANT
                "\",\"kind\":\"StorageV2\",\"location\":\"westeurope\",\"resourceGroup\":\"outer\","
                "\"subscriptionId\":\"" SUBSCRIPTION_ID
                "\",\"managedBy\":\"\",\"sku\":{\"name\":\"Standard_LRS\"},\"plan\":null,"
                "\"properties\":{\"https\":false,\"n\":1.50,\"list\":[1,2],\"provisioningState\":"
                "\"Succeeded\"},\"zones\":null}]");
    expect_rows(&world, "summarize n=count() by type | order by type asc",
                "[{\"type\":\"microsoft.network/virtualnetworks\",\"n\":1},{\"type\":"
                "\"microsoft.storage/storageaccounts\",\"n\":3}]");
    expect_rows(&world, "Resources | where type == 'Microsoft.Storage/storageAccounts' | count",
                "[{\"Count\":0}]");
    expect_rows(&world,
                "Resources | mv-expand p=properties.list | project name, p | order by "
                "name asc, tolong(p) asc",
                "[{\"name\":\"a0\",\"p\":1},{\"name\":\"a0\",\"p\":2},{\"name\":\"a1\",\"p\":null},"
                "{\"name\":\"a2\",\"p\":null},{\"name\":\"net\",\"p\":null}]");
    world_done(&world);
}

Test(graph, containers_roles_and_other_tables)
{
    struct world world;
    world_init(&world);
    expect_rows(
        &world, "ResourceContainers | project type, name | order by type asc, name asc",
        "[{\"type\":\"microsoft.management/managementgroups\",\"name\":\"" WALK_TENANT
        "\"},{\"type\":\"microsoft.resources/subscriptions\",\"name\":\"Ringfort\"},"
        "{\"type\":\"microsoft.resources/subscriptions/resourcegroups\",\"name\":\"Outer\"},"
        "{\"type\":\"microsoft.resources/subscriptions/resourcegroups\",\"name\":\"inner\"}"
        "]");
    expect_rows(&world,
                "Resources | where name == 'a0' | join kind=leftouter (resourcecontainers | where "
                "type == 'microsoft.resources/subscriptions/resourcegroups' | project "
                "resourceGroup=tolower(name), t=tags.t) on resourceGroup | project name, t",
                "[{\"name\":\"a0\",\"t\":\"g\"}]");
    expect_rows(&world,
                "authorizationresources | where type =~ 'Microsoft.Authorization/roleAssignments' "
                "| extend role=tolower(tostring(properties.roleDefinitionId)) | join kind=inner "
                "(AuthorizationResources | where type =~ 'microsoft.authorization/roledefinitions' "
                "| project role=tolower(id), roleName=properties.roleName) on role | where "
                "properties.principalId == '" OWNER "' | project roleName",
                "[{\"roleName\":\"Owner\"}]");
    put(&world, SUBSCRIPTION "/providers/Microsoft.Authorization/policyDefinitions/deny",
        "{\"properties\":{\"policyRule\":{},\"displayName\":\"d\"}}");
    put(&world, GROUP STORAGE "a0/providers/Microsoft.Security/assessments/weak",
        "{\"properties\":{\"status\":{\"code\":\"Unhealthy\"}}}");
    expect_rows(&world, "PolicyResources | project type, n=properties.displayName",
                "[{\"type\":\"microsoft.authorization/policydefinitions\",\"n\":\"d\"}]");
    expect_rows(&world, "SecurityResources | project name, resourceGroup, properties.status.code",
                "[{\"name\":\"weak\",\"resourceGroup\":\"outer\",\"properties_status_code\":"
                "\"Unhealthy\"}]");
    expect_rows(&world, "Resources | where name == 'weak' | count", "[{\"Count\":0}]");
    expect_rows(&world, "ResourceChanges | count", "[{\"Count\":0}]");
    world_done(&world);
}

/* Above and below what is asked. */
Test(graph, scope_filter_of_roles)
{
    struct world world;
    world_init(&world);
    assign(&world, OTHER, ROLE_READER, GROUP);
    static const struct {
        const char *reach, *count;
    } cases[] = {{"AtScopeAndBelow", "[{\"Count\":1}]"},
                 {"AtScopeAndAbove", "[{\"Count\":1}]"},
                 {"AtScopeExact", "[{\"Count\":0}]"},
                 {"AtScopeAboveAndBelow", "[{\"Count\":2}]"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char more[300];
        snprintf(more, sizeof more,
                 ",\"subscriptions\":[\"" SUBSCRIPTION_ID
                 "\"],\"options\":{\"authorizationScopeFilter\":\"%s\"}",
                 cases[i].reach);
        cr_expect(ask_with(&world,
                           "AuthorizationResources | where type contains 'assignment' and "
                           "properties.principalId in ('" OWNER "', '" OTHER "') | count",
                           more) == 200);
        expect_at(&world, "data", cases[i].count);
    }
    world_done(&world);
}

Test(graph, shows_only_what_the_caller_may_read)
{
    struct world world;
    world_init(&world);
    be(&world, OTHER);
    expect_rows(&world, "Resources | count", "[{\"Count\":0}]");
    expect_rows(&world, "ResourceContainers | count", "[{\"Count\":0}]");
    expect_rows(&world, "AuthorizationResources | count", "[{\"Count\":0}]");
    assign(&world, OTHER, ROLE_READER, INNER);
    expect_rows(&world, "Resources | project name", "[{\"name\":\"net\"},{\"name\":\"a2\"}]");
    expect_rows(&world,
                "Resources | where type =~ 'Microsoft.Storage/storageAccounts' | project name",
                "[{\"name\":\"a2\"}]");
    expect_rows(&world, "ResourceContainers | project name", "[{\"name\":\"inner\"}]");
    world_done(&world);
}

Test(graph, pages)
{
    struct world world;
    world_init(&world);
    const char *query = "Resources | project name, id | order by name asc";
    cr_expect(ask_with(&world, query, ",\"options\":{\"$top\":3}") == 200);
    expect_at(&world, "count", "3");
    expect_at(&world, "totalRecords", "4");
    expect_at(&world, "resultTruncated", "\"false\"");
    rf_str token = json_text_at(world.answer, "$skipToken");
    cr_assert(token.len > 0);
    rf_str more = rf_arena_printf(
        &world.site.arena, ",\"options\":{\"$top\":3,\"$skipToken\":\"%.*s\"}%c", RF_FMT(token), 0);
    cr_expect(ask_with(&world, query, (const char *)more.ptr) == 200);
    expect_at(&world, "count", "1");
    expect_at(&world, "data",
              "[{\"name\":\"net\",\"id\":\"" INNER
              "/providers/Microsoft.Network/virtualNetworks/net\"}]");
    cr_expect(json_get(world.answer, "$skipToken") == NULL);
    cr_expect(ask_with(&world, "Resources | project id", (const char *)more.ptr) == 400,
              "a token is good for its query only");
    cr_expect(ask_with(&world, "Resources | project name", ",\"options\":{\"$top\":3}") == 200);
    expect_at(&world, "resultTruncated", "\"true\"");
    cr_expect(json_get(world.answer, "$skipToken") == NULL, "without id there are no pages");
    cr_expect(ask_with(&world, query, ",\"options\":{\"$skip\":9}") == 200);
    expect_at(&world, "data", "[]");
    expect_at(&world, "totalRecords", "4");
    cr_expect(ask_with(&world, "range n from 1 to 300 step 1", "") == 200);
    expect_at(&world, "count", "100");
    world_done(&world);
}

Test(graph, tables_with_types_of_columns)
{
    struct world world;
    world_init(&world);
    cr_expect(ask_with(&world,
                       "print s='a', i=1, r=1.5, d=dynamic({'a':1}), b=true, "
                       "t=datetime(2024-01-02), g=guid(" SUBSCRIPTION_ID
                       "), e=1h, n=real(nan), z=long(null), m=decimal(1.10)",
                       ",\"options\":{\"resultFormat\":\"table\"}") == 200);
    expect_at(&world, "data.columns",
              "[{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"i\",\"type\":\"integer\"},"
              "{\"name\":\"r\",\"type\":\"number\"},{\"name\":\"d\",\"type\":\"object\"},"
              "{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"t\",\"type\":\"datetime\"},"
              "{\"name\":\"g\",\"type\":\"string\"},{\"name\":\"e\",\"type\":\"string\"},"
              "{\"name\":\"n\",\"type\":\"number\"},{\"name\":\"z\",\"type\":\"integer\"},"
              "{\"name\":\"m\",\"type\":\"number\"}]");
    expect_at(&world, "data.rows",
              "[[\"a\",1,1.5,{\"a\":1},true,\"2024-01-02T00:00:00.0000000Z\","
              "\"" SUBSCRIPTION_ID "\",\"01:00:00\",\"NaN\",null,1.10]]");
    cr_expect(call(&world, HTTP_POST, GRAPH "?api-version=2019-04-01",
                   "{\"query\":\"print a=1\"}") == 200);
    expect_at(&world, "data.rows", "[[1]]");
    world_done(&world);
}

Test(graph, facets)
{
    struct world world;
    world_init(&world);
    cr_expect(
        ask_with(&world, "Resources // all",
                 ",\"facets\":[{\"expression\":\"location\"},{\"expression\":"
                 "\"tostring(tags.ring)\",\"options\":{\"sortBy\":\"tags_ring\",\"sortOrder\":"
                 "\"asc\",\"$top\":1,\"filter\":\"type contains 'storage'\"}},"
                 "{\"expression\":\"nonsense\"}]") == 200);
    expect_at(&world, "totalRecords", "4");
    expect_at(
        &world, "facets",
        "[{\"expression\":\"location\",\"data\":[{\"location\":\"local\",\"count\":3},"
        "{\"location\":\"westeurope\",\"count\":1}],\"resultType\":\"FacetResult\","
        "\"totalRecords\":2,\"count\":2},{\"expression\":\"tostring(tags.ring)\",\"data\":"
        "[{\"tags_ring\":\"inner\",\"count\":2}],\"resultType\":\"FacetResult\","
        "\"totalRecords\":2,\"count\":1},{\"expression\":\"nonsense\",\"resultType\":"
        "\"FacetError\",\"errors\":[{\"code\":\"UnknownColumn\",\"message\":\"there is no column "
        "'nonsense' here\"}]}]");
    world_done(&world);
}

Test(graph, errors_say_where)
{
    static const struct {
        const char *query, *code;
        int position; /* -1: none */
        const char *token;
    } cases[] = {
        {"Resources | where", "ParserFailure", 17, "<EOF>"},
        {"where name ==", "ParserFailure", 13, "<EOF>"},
        {"Resources | project nix", "UnknownColumn", 20, "nix"},
        {"project nix", "UnknownColumn", 8, "nix"},
        {"Nowhere | take 1", "UnknownTable", 0, "Nowhere"},
        {"Resources\n| frob 1", "ParserFailure", 2, "frob"},
    };
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        cr_expect(ask_with(&world, cases[i].query, "") == 400, "%s", cases[i].query);
        expect_at(&world, "error.code", "\"BadRequest\"");
        const struct json_node *first = json_at(world.answer, "error.details");
        cr_assert(first != NULL && first->count == 2);
        cr_expect(rf_str_is(json_text_at(first->first, "code"), "InvalidQuery"));
        int64_t position = -1, line = 0;
        (void)json_i64_at(first->last, "characterPositionInLine", &position);
        (void)json_i64_at(first->last, "line", &line);
        cr_expect(rf_str_is(json_text_at(first->last, "code"), cases[i].code), "%s: %.*s",
                  cases[i].query, RF_FMT(json_text_at(first->last, "code")));
        cr_expect(position == cases[i].position, "%s: %d", cases[i].query, (int)position);
        cr_expect(line == (strchr(cases[i].query, '\n') != NULL ? 2 : 1));
        cr_expect(rf_str_is(json_text_at(first->last, "token"), cases[i].token), "%s: %.*s",
                  cases[i].query, RF_FMT(json_text_at(first->last, "token")));
    }
    world_done(&world);
}

static const char large_answer[] =
    "{\"query\":\"range n from 1 to 1000 step 1 | extend s=strrep('0123456789', 1024), "
    "t=strrep('0123456789', 1024)\",\"options\":{\"$top\":1000}}";

Test(graph, refuses_what_it_cannot_read)
{
    static const char *const bad[] = {
        "{}",
        "{\"query\":\"  \"}",
        "{\"query\":7}",
        "[]",
        "{\"query\":\"Resources\",\"options\":{\"$top\":0}}",
        "{\"query\":\"Resources\",\"options\":{\"$top\":1001}}",
        "{\"query\":\"Resources\",\"options\":{\"$skip\":-1}}",
        "{\"query\":\"Resources\",\"options\":{\"resultFormat\":\"xml\"}}",
        "{\"query\":\"Resources\",\"options\":{\"$skipToken\":\"AAAA\"}}",
        "{\"query\":\"Resources\",\"options\":{\"authorizationScopeFilter\":\"x\"}}",
        "{\"query\":\"Resources\",\"subscriptions\":[\"nope\"]}",
        "{\"query\":\"Resources\",\"subscriptions\":[\"00000000-0000-0000-0000-000000000009\"]}",
        "{\"query\":\"Resources\",\"managementGroups\":[\"nope\"]}",
        "{\"query\":\"Resources\",\"facets\":{}}",
        large_answer,
    };
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_expect(call(&world, HTTP_POST, GRAPH "?api-version=2022-10-01", bad[i]) == 400, "%s",
                  bad[i]);
        expect_at(&world, "error.code", "\"BadRequest\"");
    }
    cr_expect(call(&world, HTTP_POST, GRAPH, "{\"query\":\"Resources\"}") == 400);
    expect_at(&world, "error.code", "\"MissingApiVersionParameter\"");
    cr_expect(call(&world, HTTP_POST,
                   "/providers/Microsoft.ResourceGraph/resourcesHistory?api-version=2021-06-01-"
                   "preview",
                   "{}") == 501);
    cr_expect(call(&world, HTTP_GET,
                   "/providers/Microsoft.ResourceGraph/operations?api-version=2021-03-01",
                   NULL) == 200);
    world.token = (rf_str){0};
    cr_expect(call(&world, HTTP_POST, GRAPH "?api-version=2021-03-01", bad[0]) == 401);
    world_done(&world);
}

/* More resources than are read at a time. */
Test(graph, reads_piece_by_piece)
{
    enum { COUNT = 2300 };
    struct world world;
    struct rf_err err;
    world_init(&world);
    for (int i = 0; i < COUNT;) {
        struct rf_arena arena;
        struct arm_call write;
        rf_arena_init(&arena, 64 << 20);
        cr_assert(arm_begin(world.arm, NULL, &arena, &write, &err) == RF_OK);
        for (int end = i + 100; i < end; i++) {
            struct arm_resource made;
            struct json_node *body;
            bool created;
            cr_assert(json_parse(RF_S("{\"location\":\"local\",\"properties\":{\"x\":1}}"), &arena,
                                 &body, &err) == RF_OK);
            cr_assert(arm_put_in(&write, rf_arena_printf(&arena, GROUP STORAGE "many%d", i), body,
                                 &made, &created, &err) == RF_OK,
                      "%s", err.text);
        }
        cr_assert(arm_commit(&write, &err) == RF_OK);
        arm_end(&write);
        rf_arena_done(&arena);
    }
    expect_rows(&world,
                "Resources | where name startswith 'many' | summarize count(), "
                "sum(tolong(properties.x)), dcount(id) > 2200",
                "[{\"count_\":2300,\"sum_properties_x\":2300,\"Column1\":true}]");
    expect_rows(&world, "Resources | take 1500 | count", "[{\"Count\":1500}]");
    expect_rows(&world, "Resources | where type == 'microsoft.network/virtualnetworks' | count",
                "[{\"Count\":1}]");
    world_done(&world);
}
