#include <semaphore.h>
#include <unistd.h>

#include "arm/deploy_int.h"
#include "authz/route_walk.h"
#include "test/rf_prop.h"

#define SUBSCRIPTION "/subscriptions/99999999-0000-0000-0000-000000000001"
#define GROUP SUBSCRIPTION "/resourceGroups/rg"
#define OTHER_GROUP SUBSCRIPTION "/resourceGroups/other"
#define AT(scope, name) scope "/providers/Microsoft.Resources/deployments/" name
#define V "?api-version=2021-04-01"
#define STORAGE "/providers/Microsoft.Storage/storageAccounts/"
#define OWNER "aaaaaaaa-0000-0000-0000-000000000005"
#define OTHER "aaaaaaaa-0000-0000-0000-000000000003"

/* ---- a control plane without a socket ------------------------------------------------------------------------------- */

struct world {
    struct walk_site site;
    struct arm *arm;
    struct dispatcher *dispatcher;
    rf_str token;
    struct http_response last;
    struct json_node *answer; /* NULL: none */
    rf_str prefer;
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

/* JSON is written with ` for its quotes, as templates are full of '. */
static const char *json(struct world *world, const char *text)
{
    char *copy = rf_arena_cstr(&world->site.arena, rf_str_of(text));
    for (char *c = copy; *c != 0; c++)
        if (*c == '`') *c = '"';
    return copy;
}

static int call(struct world *world, const char *method, const char *target, const char *body)
{
    struct walk_call exchange = {.target = target,
                                 .body = body == NULL ? NULL : json(world, body),
                                 .authorization = world->token};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++)
        if (strcmp(http_method_name((enum http_method)m), method) == 0)
            exchange.method = (enum http_method)m;
    if (world->prefer.len > 0)
        exchange.headers[0] = (struct http_header){RF_S("Prefer"), world->prefer};
    world->last = walk_exchange(&world->site, world->dispatcher, &exchange);
    world->answer = NULL;
    struct rf_err err;
    rf_str text = rf_buf_view(&world->last.body);
    if (text.len > 0)
        cr_assert(json_parse(text, &world->site.arena, &world->answer, &err) == RF_OK, "%s: %.*s",
                  target, RF_FMT(text));
    return world->last.status;
}

static const char *text_at(struct world *world, const char *path)
{
    return rf_arena_cstr(&world->site.arena, json_text_at(world->answer, path));
}

#define expect(world, method, target, sent, wanted)                                                \
    do {                                                                                           \
        int status_ = call(world, method, target, sent);                                           \
        rf_str text_ = rf_buf_view(&(world)->last.body);                                           \
        cr_assert(status_ == (wanted), "%s %s: %d %.*s", method, target, status_,                  \
                  (int)RF_MIN(text_.len, 900), (const char *)text_.ptr);                           \
    } while (0)
#define expect_code(world, method, target, sent, wanted, code)                                     \
    do {                                                                                           \
        expect(world, method, target, sent, wanted);                                               \
        cr_assert(strcmp(text_at(world, "error.code"), code) == 0, "%s %s: %s: %s", method,        \
                  target, text_at(world, "error.code"), text_at(world, "error.message"));          \
    } while (0)
#define expect_text(world, path, wanted)                                                           \
    cr_assert(strcmp(text_at(world, path), wanted) == 0, "%s: '%s', not '%s' in %.*s", path,       \
              text_at(world, path), wanted, (int)RF_MIN((world)->last.body.len, 2000),             \
              (const char *)(world)->last.body.ptr)
#define expect_json(world, path, wanted)                                                           \
    do {                                                                                           \
        rf_str got_ = json_to_text(&(world)->site.arena, json_at((world)->answer, path));          \
        cr_assert(rf_str_is(got_, json(world, wanted)), "%s: %.*s", path, RF_FMT(got_));           \
    } while (0)

/* A type that refuses a document with "bad", answers listKeys, and waits where "wait" is said. */
static sem_t entered, released;

static enum rf_kind put_fussy(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    (void)call;
    (void)before;
    if (json_bool_at(resource->body, "properties.wait", false)) {
        sem_post(&entered);
        sem_wait(&released);
    }
    if (!json_bool_at(resource->body, "properties.bad", false)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "TooFussy", "this will not do: %.*s",
                   RF_FMT(json_text_at(resource->body, "properties.secret")));
}

static enum rf_kind list_keys(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    (void)err;
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, body, "primary", resource->name);
    return request_answer(call->request, 200, body);
}

static const char *const versions[] = {"2020-01-01", NULL};
static const struct arm_action actions[] = {
    {.name = "listKeys", .method = HTTP_POST, .run = list_keys}};
static const struct arm_type types[] = {{.name = "Microsoft.Fussy/things",
                                         .versions = versions,
                                         .put = put_fussy,
                                         .actions = actions,
                                         .action_count = 1}};

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
    cr_assert(arm_register(world->arm, types, RF_COUNT(types), &err) == RF_OK, "%s", err.text);
    world->dispatcher = walk_dispatcher(&world->site);
    cr_assert(dispatcher_add(world->dispatcher, arm_service(world->arm), &err) == RF_OK, "%s",
              err.text);
    const struct service *rbac;
    cr_assert(authz_service(world->site.authz, &world->site.directory, &rbac, &err) == RF_OK);
    cr_assert(dispatcher_add(world->dispatcher, rbac, &err) == RF_OK, "%s", err.text);
    cr_assert(sem_init(&entered, 0, 0) == 0 && sem_init(&released, 0, 0) == 0);
    assign(world, OWNER, ROLE_OWNER, "/");
    be(world, OWNER);
    expect(world, "PUT", GROUP V, "{`location`:`local`}", 201);
    expect(world, "PUT", OTHER_GROUP V, "{`location`:`local`}", 201);
}

static void world_done(struct world *world)
{
    arm_stop(world->arm);
    dispatcher_free(world->dispatcher);
    arm_free(world->arm);
    walk_site_done(&world->site);
}

#define DEPLOY(members)                                                                            \
    "{`properties`:{`mode`:`Incremental`,`template`:{`contentVersion`:`1.0.0.0`," members "}}}"
#define ACCOUNT(name, more)                                                                        \
    "{`type`:`Microsoft.Storage/storageAccounts`,`apiVersion`:`2023-01-01`,`name`:`" name          \
    "`,`location`:`local`,`sku`:{`name`:`Standard_LRS`},`kind`:`StorageV2`" more "}"
#define THING(name, properties, more)                                                              \
    "{`type`:`Microsoft.Fussy/things`,`apiVersion`:`2020-01-01`,`name`:`" name                     \
    "`,`properties`:{" properties "}" more "}"

static bool exists(struct world *world, const char *target)
{
    return call(world, "GET", target, NULL) == 200;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

Test(deploy, a_deployment_and_what_is_asked_of_it)
{
    struct world world;
    world_init(&world);
    expect(
        &world, "PUT", AT(GROUP, "one") V,
        "{`properties`:{`mode`:`Incremental`,`parameters`:{`stem`:{`value`:`acc`},`key`:{`value`:"
        "`hush-hush`}},`template`:{`contentVersion`:`1.0.0.0`,`parameters`:{`stem`:{`type`:"
        "`string`},`key`:{`type`:`secureString`}},`variables`:{`n`:2},`resources`:["
        "{`type`:`Microsoft.Storage/storageAccounts`,`apiVersion`:`2023-01-01`,`name`:`[concat("
        "parameters('stem'), copyIndex())]`,`location`:`[resourceGroup().location]`,`copy`:{"
        "`name`:`loop`,`count`:`[variables('n')]`},`properties`:{`even`:`[equals(mod(copyIndex()"
        ", 2), 0)]`}}," THING(
            "t", "`secret`:`[parameters('key')]`",
            ",`dependsOn`:[`loop`]") "],"
                                     "`outputs`:{`even`:{`type`:`bool`,`value`:`[reference("
                                     "resourceId('Microsoft.Storage/"
                                     "storageAccounts', "
                                     "'acc0')).even]`},`keys`:{`type`:`string`,`value`:`[listKeys("
                                     "resourceId("
                                     "'Microsoft.Fussy/things', 't'), "
                                     "'2020-01-01').primary]`},`hidden`:{`type`:`securestring`,"
                                     "`value`:`[parameters('key')]`}}}}}",
        201);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect_json(&world, "properties.parameters",
                "{`stem`:{`type`:`String`,`value`:`acc`},`key`:{`type`:`SecureString`}}");
    expect_json(
        &world, "properties.outputs",
        "{`even`:{`type`:`Bool`,`value`:true},`keys`:{`type`:`String`,`value`:`t`},`hidden`:{"
        "`type`:`SecureString`}}");
    expect_json(&world, "properties.outputResources",
                "[{`id`:`" GROUP STORAGE "acc0`},{`id`:`" GROUP STORAGE "acc1`},{`id`:`" GROUP
                "/providers/Microsoft.Fussy/things/t`}]");
    cr_assert(rf_str_find(rf_buf_view(&world.last.body), RF_S("hush"), 0) == SIZE_MAX);
    expect(&world, "GET", GROUP "/deployments/one/operations" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 4);
    cr_assert(rf_str_find(rf_buf_view(&world.last.body), RF_S("hush"), 0) == SIZE_MAX);
    rf_str first = json_text_at(json_get(world.answer, "value")->first, "operationId");
    rf_str one = rf_arena_printf(&world.site.arena, AT(GROUP, "one") "/operations/%.*s" V "%c",
                                 RF_FMT(first), 0);
    expect(&world, "GET", (const char *)one.ptr, NULL, 200);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect(&world, "POST", AT(GROUP, "one") "/exportTemplate" V, NULL, 200);
    cr_assert(json_at(world.answer, "template.resources")->count == 2);
    expect(&world, "GET", GROUP "/providers/Microsoft.Resources/deployments/" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 1);
    expect(&world, "GET",
           GROUP "/providers/Microsoft.Resources/deployments" V
                 "&$filter=provisioningState%20eq%20'Failed'",
           NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 0);
    expect(&world, "GET", GROUP "/resources" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 3,
              "the deployment is no resource of these");
    expect(&world, "HEAD", AT(GROUP, "one") V, NULL, 204);
    expect(&world, "HEAD", AT(GROUP, "none") V, NULL, 404);
    expect(&world, "DELETE", AT(GROUP, "one") V, NULL, 204);
    expect_code(&world, "GET", AT(GROUP, "one") V, NULL, 404, "DeploymentNotFound");
    expect(&world, "DELETE", AT(GROUP, "one") V, NULL, 204);
    cr_assert(exists(&world, GROUP STORAGE "acc1" V), "what was deployed stays");
    world_done(&world);
}

Test(deploy, what_fails_takes_down_what_needs_it_only)
{
    struct world world;
    world_init(&world);
    expect(
        &world, "PUT", AT(GROUP, "f") V,
        "{`properties`:{`mode`:`Incremental`,`parameters`:{`k`:{`value`:`hush-hush`}},`template`:{"
        "`contentVersion`:`1.0.0.0`,`parameters`:{`k`:{`type`:`securestring`}},`resources`:[" THING(
            "bad", "`bad`:true,`secret`:`[parameters('k')]`",
            "") "," ACCOUNT("behind", ",`dependsOn`:[`bad`]") "," ACCOUNT("beside", "") "]}}}",
        201);
    expect_text(&world, "properties.provisioningState", "Failed");
    expect_text(&world, "properties.error.code", "DeploymentFailed");
    const struct json_node *detail = json_at(world.answer, "properties.error.details")->first;
    cr_assert(rf_str_is(json_text_at(detail, "code"), "TooFussy"));
    cr_assert(rf_str_find(rf_buf_view(&world.last.body), RF_S("hush"), 0) == SIZE_MAX);
    cr_assert(exists(&world, GROUP STORAGE "beside" V));
    cr_assert(!exists(&world, GROUP STORAGE "behind" V));
    expect(&world, "GET", AT(GROUP, "f") "/operations" V, NULL, 200);
    cr_assert(json_get(world.answer, "value")->count == 2);
    cr_assert(rf_str_find(rf_buf_view(&world.last.body), RF_S("hush"), 0) == SIZE_MAX);
    world_done(&world);
}

/* ---- bad templates ----------------------------------------------------------------------------------------------------- */

#define BAD(what)                                                                                  \
    {                                                                                              \
        what, "InvalidTemplate"                                                                    \
    }
static const struct {
    const char *members, *code;
} bad_templates[] = {
    BAD("`parameters`:{`need`:{`type`:`string`}},`resources`:[]"),
    BAD("`parameters`:{`n`:{`type`:`what`,`defaultValue`:1}},`resources`:[]"),
    BAD("`parameters`:{`n`:{`type`:`int`,`maxValue`:3,`defaultValue`:9}},`resources`:[]"),
    BAD("`parameters`:{`n`:{`type`:`string`,`allowedValues`:[`a`],`defaultValue`:`b`}},`resources`:"
        "[]"),
    BAD("`parameters`:{`n`:{`type`:`string`,`minLength`:3,`defaultValue`:`b`}},`resources`:[]"),
    BAD("`parameters`:{`n`:{`type`:`int`,`defaultValue`:`x`}},`resources`:[]"),
    BAD("`parameters`:{`n`:{`type`:`string`,`defaultValue`:`[parameters('n')]`}},`resources`:[]"),
    BAD("`resources`:[],`outputs`:{`x`:{`type`:`string`,`value`:`[nosuch('a')]`}}"),
    BAD("`resources`:[],`outputs`:{`x`:{`type`:`int`,`value`:`text`}}"),
    BAD("`resources`:[],`outputs`:{`x`:{`type`:`string`,`value`:`[newGuid()]`}}"),
    BAD("`variables`:{`a`:`[variables('b')]`,`b`:`[variables('a')]`},`resources`:[],`outputs`:{`x`:"
        "{"
        "`type`:`string`,`value`:`[variables('a')]`}}"),
    BAD("`variables`:{`a`:`[reference('x')]`},`resources`:[],`outputs`:{`x`:{`type`:`string`,`"
        "value`:"
        "`[variables('a')]`}}"),
    BAD("`outputs`:{}"),
    BAD("`resources`:{`s`:" ACCOUNT("x", "") "}"),
    BAD("`resources`:[{`type`:`A.B/c`,`name`:`x`}]"),
    BAD("`resources`:[{`type`:`A.B/c`,`apiVersion`:`2020-01-01`,`name`:`x/y`}]"),
    BAD("`resources`:[{`type`:`A.B/"
        "c`,`apiVersion`:`2020-01-01`,`name`:`x`,`dependsOn`:[`[resourceId("
        "'A.B/c', 'missing')]`]}]"),
    BAD("`resources`:[" ACCOUNT("a", ",`dependsOn`:[`b`]") "," ACCOUNT("b",
                                                                       ",`dependsOn`:[`a`]") "]"),
    BAD("`resources`:[" ACCOUNT("a", "") "," ACCOUNT("A", "") "]"),
    BAD("`resources`:[" ACCOUNT("[concat('a', copyIndex())]",
                                ",`copy`:{`name`:`l`,`count`:801}") "]"),
    BAD("`resources`:[" ACCOUNT("a", ",`condition`:`maybe`") "]"),
    BAD("`resources`:[" ACCOUNT("[reference('b').name]", "") "]"),
    BAD("`resources`:[{`type`:`Microsoft.Resources/"
        "deployments`,`apiVersion`:`2021-04-01`,`name`:`n`,"
        "`properties`:{`mode`:`Incremental`}}]"),
    {"`resources`:[{`type`:`Nobody.Knows/this`,`apiVersion`:`2020-01-01`,`name`:`x`}]",
     "InvalidTemplateDeployment"},
    {"`resources`:[{`type`:`Microsoft.Resources/deployments`,`apiVersion`:`2021-04-01`,`name`:`n`,"
     "`properties`:{`mode`:`Incremental`,`templateLink`:{`uri`:`https://example.org/x.json`}}}]",
     "InvalidTemplateLink"},
};

Test(deploy, bad_templates_are_refused_before_anything_is_done)
{
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < RF_COUNT(bad_templates); i++) {
        rf_str body = rf_arena_printf(&world.site.arena,
                                      "{`properties`:{`mode`:`Incremental`,`template`:{"
                                      "`contentVersion`:`1.0.0.0`,%s}}}%c",
                                      bad_templates[i].members, 0);
        int status = call(&world, "PUT", AT(GROUP, "bad") V, (const char *)body.ptr);
        rf_str text = rf_buf_view(&world.last.body);
        cr_expect(status == 400, "%s: %d %.*s", bad_templates[i].members, status, RF_FMT(text));
        cr_expect(strcmp(text_at(&world, "error.code"), bad_templates[i].code) == 0, "%s: %.*s",
                  bad_templates[i].members, RF_FMT(text));
        status = call(&world, "POST", AT(GROUP, "bad") "/validate" V, (const char *)body.ptr);
        cr_expect(status == 400, "validate %s: %d", bad_templates[i].members, status);
    }
    expect(&world, "GET", AT(GROUP, "bad") V, NULL, 404);
    expect_code(&world, "PUT", AT(GROUP, "bad") V,
                "{`properties`:{`templateLink`:{`uri`:`https://x`}}}", 400, "InvalidContentLink");
    expect_code(
        &world, "PUT", AT(GROUP, "bad") V,
        "{`properties`:{`parameters`:{`p`:{`reference`:{`keyVault`:{`id`:`x`},`secretName`:`s`"
        "}}},`template`:{`contentVersion`:`1.0.0.0`,`parameters`:{`p`:{`type`:`string`}},"
        "`resources`:[]}}}",
        400, "KeyVaultParameterReferenceNotSupported");
    expect_code(
        &world, "PUT", AT(GROUP, "bad") V,
        "{`properties`:{`parameters`:{`q`:{`value`:1}},`template`:{`contentVersion`:`1.0.0.0`,"
        "`resources`:[]}}}",
        400, "InvalidTemplate");
    expect_code(&world, "PUT", AT(SUBSCRIPTION, "bad") V, DEPLOY("`resources`:[]"), 400,
                "LocationRequired");
    expect_code(&world, "PUT", AT(SUBSCRIPTION "/resourceGroups/none", "bad") V,
                DEPLOY("`resources`:[]"), 404, "ResourceGroupNotFound");
    expect_code(&world, "PUT", AT(GROUP, "b%20ad") V, DEPLOY("`resources`:[]"), 400,
                "InvalidDeploymentName");
    world_done(&world);
}

/* ---- the language of documents ------------------------------------------------------------------------------------------ */

/* Outputs of a template without resources, as JSON. */
static const struct {
    const char *members, *outputs;
} documents[] = {
    {"`resources`:[],/* a comment */`outputs`:{`a`:{`type`:`string`,// "
     "another\n`value`:`two\nlines`}}",
     "{`a`:{`type`:`String`,`value`:`two\\nlines`}}"},
    {"`RESOURCES`:[],`Outputs`:{`a`:{`TYPE`:`STRING`,`Value`:`[[literal]`},`b`:{`type`:`string`,"
     "`value`:`[not one`}}",
     "{`a`:{`type`:`String`,`value`:`[literal]`},`b`:{`type`:`String`,`value`:`[not one`}}"},
    {"`variables`:{`copy`:[{`name`:`n`,`count`:2,`input`:`[concat('x', "
     "copyIndex('n'))]`}],`o`:{`copy`"
     ":[{`name`:`p`,`count`:2,`input`:{`i`:`[copyIndex('p', "
     "1)]`}}]}},`resources`:[],`outputs`:{`n`:{"
     "`type`:`array`,`value`:`[variables('n')]`},`o`:{`type`:`object`,`value`:`[variables('o')]`},`"
     "c`:"
     "{`type`:`array`,`copy`:{`count`:3,`input`:`[copyIndex()]`}},`no`:{`condition`:false,`type`:"
     "`string`,`value`:`[fail('x')]`}}",
     "{`n`:{`type`:`Array`,`value`:[`x0`,`x1`]},`o`:{`type`:`Object`,`value`:{`p`:[{`i`:1},{`i`:2}]"
     "}},"
     "`c`:{`type`:`Array`,`value`:[0,1,2]}}"},
    {"`functions`:[{`namespace`:`c`,`members`:{`twice`:{`parameters`:[{`name`:`x`,`type`:`string`}]"
     ","
     "`output`:{`type`:`string`,`value`:`[concat(parameters('x'), parameters('x'))]`}},`four`:{"
     "`parameters`:[{`name`:`x`,`type`:`string`}],`output`:{`type`:`string`,`value`:`[c.twice(c."
     "twice("
     "parameters('x')))]`}}}}],`resources`:[],`outputs`:{`a`:{`type`:`string`,`value`:`[c.four('ab'"
     ")]`}}",
     "{`a`:{`type`:`String`,`value`:`abababab`}}"},
    /* Once evaluated, a text is never looked at again. */
    {"`variables`:{`blank`:`[replace('b','b','')]`},`resources`:[],`outputs`:{`a`:{`type`:`string`,"
     "`value`:`[concat(variables('blank'), '[parameters(''x'')]')]`}}",
     "{`a`:{`type`:`String`,`value`:`[parameters('x')]`}}"},
    {"`parameters`:{`a`:{`type`:`int`,`defaultValue`:`[add(parameters('b'), "
     "1)]`},`b`:{`type`:`int`,"
     "`defaultValue`:1},`o`:{`type`:`object`,`nullable`:true}},`resources`:[],`outputs`:{`a`:{`"
     "type`:"
     "`int`,`value`:`[parameters('a')]`},`n`:{`type`:`bool`,`value`:`[equals(parameters('o'), "
     "null())]`}}",
     "{`a`:{`type`:`Int`,`value`:2},`n`:{`type`:`Bool`,`value`:true}}"},
};

Test(deploy, documents)
{
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < RF_COUNT(documents); i++) {
        rf_str body = rf_arena_printf(&world.site.arena,
                                      "\xef\xbb\xbf{`properties`:{`mode`:`Incremental`,`template`:{"
                                      "`contentVersion`:`1.0.0.0`,%s}}}%c",
                                      documents[i].members, 0);
        int status = call(&world, "PUT", AT(GROUP, "doc") V, (const char *)body.ptr);
        rf_str text = rf_buf_view(&world.last.body);
        cr_assert(status == 200 || status == 201, "%s: %.*s", documents[i].members, RF_FMT(text));
        expect_json(&world, "properties.outputs", documents[i].outputs);
    }
    world_done(&world);
}

Test(deploy, children_scopes_and_symbolic_names)
{
    struct world world;
    world_init(&world);
    expect(
        &world, "PUT", AT(GROUP, "s") V,
        "{`properties`:{`template`:{`contentVersion`:`1.0.0.0`,`languageVersion`:`2.0`,`"
        "resources`:{"
        "`acc`:" ACCOUNT(
            "main",
            ",`resources`:[{`type`:`blobServices`,`apiVersion`:`2023-01-01`,"
            "`name`:`default`,`properties`:{`x`:1}}]") ","
                                                       "`lock`:{`type`:`Microsoft."
                                                       "Authorization/"
                                                       "locks`,`apiVersion`:`2020-"
                                                       "05-01`,`name`:`l`,`scope`:"
                                                       "`[resourceId('Microsoft."
                                                       "Storage/storageAccounts', "
                                                       "'main')]`,`dependsOn`:[`"
                                                       "acc`],`properties`:"
                                                       "{`level`:`CanNotDelete`}},`"
                                                       "many`:" ACCOUNT(
                                                           "[format('m{0}', "
                                                           "copyIndex())]",
                                                           ",`copy`:{`name`:`many`,"
                                                           "`count`:3,`mode`:`"
                                                           "serial`,"
                                                           "`batchSize`:1},`tags`:{"
                                                           "`i`:`[string(copyIndex("
                                                           "))]`}") ",`none`"
                                                                    ":" ACCOUNT(
                                                                        "[f"
                                                                        "or"
                                                                        "ma"
                                                                        "t("
                                                                        "'z"
                                                                        "{0"
                                                                        "}'"
                                                                        ", "
                                                                        "co"
                                                                        "py"
                                                                        "In"
                                                                        "de"
                                                                        "x("
                                                                        "))"
                                                                        "]",
                                                                        ",`"
                                                                        "co"
                                                                        "py"
                                                                        "`:"
                                                                        "{`"
                                                                        "na"
                                                                        "me"
                                                                        "`:"
                                                                        "`n"
                                                                        "on"
                                                                        "e`"
                                                                        ",`"
                                                                        "co"
                                                                        "un"
                                                                        "t`"
                                                                        ":0"
                                                                        "}") ","
                                                                             "`there`:{`existing`:"
                                                                             "true,`type`:`"
                                                                             "Microsoft.Storage/"
                                                                             "storageAccounts`,`"
                                                                             "apiVersion`:`2023-01-"
                                                                             "01`,"
                                                                             "`name`:`main`,`"
                                                                             "dependsOn`:[`none`,`"
                                                                             "many`]}},`outputs`:{`"
                                                                             "k`:{`type`:`string`,`"
                                                                             "value`:"
                                                                             "`[reference('there', "
                                                                             "'2023-01-01', "
                                                                             "'full').kind]`},`t`:{"
                                                                             "`type`:`array`,`"
                                                                             "value`:`[map("
                                                                             "references('many', "
                                                                             "'full'), lambda('r', "
                                                                             "lambdaVariables('r')."
                                                                             "tags.i))]`}}}}}",
        201);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect_json(
        &world, "properties.outputs",
        "{`k`:{`type`:`String`,`value`:`StorageV2`},`t`:{`type`:`Array`,`value`:[`0`,`1`,`2`]}}");
    cr_assert(exists(&world, GROUP STORAGE "main/blobServices/default" V));
    cr_assert(exists(&world, GROUP STORAGE "main/providers/Microsoft.Authorization/locks/l" V));
    world_done(&world);
}

#define NESTED(name, more, options, inner)                                                         \
    "{`type`:`Microsoft.Resources/deployments`,`apiVersion`:`2021-04-01`,`name`:`" name "`" more   \
    ",`properties`:{`mode`:`Incremental`" options ",`template`:{`contentVersion`:`1.0.0.0`," inner \
    "}}}"

Test(deploy, nested_deployments)
{
    struct world world;
    world_init(&world);
    expect(&world, "PUT", AT(GROUP, "n") V,
           DEPLOY("`variables`:{`v`:`outer`},`resources`:[" NESTED(
               "in", ",`resourceGroup`:`other`",
               ",`expressionEvaluationOptions`:{`scope`:`inner`},`parameters`:{`p`:{`value`:"
               "`[variables('v')]`}}",
               "`parameters`:{`p`:{`type`:`string`}},`variables`:{`v`:`inner`},`resources`:"
               "[" ACCOUNT(
                   "fromin",
                   ",`tags`:{`v`:`[variables('v')]`}") "],`outputs`:{`o`:{`type`:"
                                                       "`string`,`value`:`["
                                                       "concat(parameters('p'), "
                                                       "'-', variables('v'), "
                                                       "'-', "
                                                       "resourceGroup().name)]`}"
                                                       "}") "," NESTED("out", "", "",
                                                                       "`variable"
                                                                       "s`:{`v`:`"
                                                                       "inner`},`"
                                                                       "resources"
                                                                       "`:"
                                                                       "[" ACCOUNT(
                                                                           "fromo"
                                                                           "ut",
                                                                           ",`"
                                                                           "tags`"
                                                                           ":{`v`"
                                                                           ":`["
                                                                           "varia"
                                                                           "bles("
                                                                           "'v')]"
                                                                           "`}") "],`outputs`:{`o`:"
                                                                                 "{`type`:`string`,"
                                                                                 "`value`:`["
                                                                                 "variables('v')]`}"
                                                                                 "}") "],`outputs`:"
                                                                                      "{`i`:{`type`"
                                                                                      ":`string`,`"
                                                                                      "value`:`["
                                                                                      "reference('"
                                                                                      "in')."
                                                                                      "outputs.o."
                                                                                      "value]`},`o`"
                                                                                      ":{"
                                                                                      "`type`:`"
                                                                                      "string`,`"
                                                                                      "value`:`["
                                                                                      "reference('"
                                                                                      "out')."
                                                                                      "outputs.o."
                                                                                      "value]`}}"),
           201);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect_text(&world, "properties.outputs.i.value", "outer-inner-other");
    expect_text(&world, "properties.outputs.o.value", "outer");
    expect(&world, "GET", OTHER_GROUP STORAGE "fromin" V, NULL, 200);
    expect_text(&world, "tags.v", "inner");
    expect(&world, "GET", GROUP STORAGE "fromout" V, NULL, 200);
    expect_text(&world, "tags.v", "outer");
    expect(&world, "GET", AT(OTHER_GROUP, "in") V, NULL, 200);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    /* A template at the subscription makes a group and deploys into it. */
    expect(
        &world, "PUT", AT(SUBSCRIPTION, "sub") V,
        "{`location`:`local`,`properties`:{`template`:{`contentVersion`:`1.0.0.0`,`resources`:[{`"
        "type`:"
        "`Microsoft.Resources/resourceGroups`,`apiVersion`:`2021-04-01`,`name`:`made`,`location`:"
        "`local`}," NESTED(
            "deep", ",`resourceGroup`:`made`,`dependsOn`:[`made`]",
            ",`expressionEvaluationOptions`:{`scope`:`inner`}",
            "`resources`:[" ACCOUNT("indeep", ",`tags`:{`g`:`[resourceGroup().name]`}") "]") "]}}}",
        201);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect(&world, "GET", SUBSCRIPTION "/resourceGroups/made" STORAGE "indeep" V, NULL, 200);
    expect_text(&world, "tags.g", "made");
    world_done(&world);
}

Test(deploy, every_scope)
{
    struct world world;
    world_init(&world);
    const char *body =
        "{`location`:`local`,`tags`:{`a`:`b`},`properties`:{`template`:{`contentVersion`:"
        "`1.0.0.0`,`resources`:[],`outputs`:{`x`:{`type`:`string`,`value`:`[tenantResourceId("
        "'A.B/c', 'd')]`}}}}}";
    static const char *const scopes[] = {
        "", "/providers/Microsoft.Management/managementGroups/11111111-2222-3333-4444-555555555555",
        SUBSCRIPTION, GROUP};
    for (size_t i = 0; i < RF_COUNT(scopes); i++) {
        rf_str target = rf_arena_printf(
            &world.site.arena, "%s/providers/Microsoft.Resources/deployments/d%c", scopes[i], 0);
        rf_str url = rf_arena_printf(&world.site.arena, "%s" V "%c", (const char *)target.ptr, 0);
        if (call(&world, "PUT", (const char *)url.ptr, body) == 404) {
            cr_assert(i == 1, "%s", scopes[i]); /* there is no such management group */
            continue;
        }
        expect(&world, "GET", (const char *)url.ptr, NULL, 200);
        expect_text(&world, "properties.provisioningState", "Succeeded");
        expect_text(&world, "properties.outputs.x.value", "/providers/A.B/c/d");
        expect_text(&world, "id", (const char *)target.ptr);
        expect_text(&world, "tags.a", "b");
        expect(&world, "DELETE", (const char *)url.ptr, NULL, 204);
    }
    world_done(&world);
}

/* ---- rights --------------------------------------------------------------------------------------------------------------- */

Test(deploy, a_template_reaches_what_its_caller_may_reach)
{
    struct world world;
    world_init(&world);
    expect(&world, "PUT", OTHER_GROUP STORAGE "secret" V,
           "{`location`:`local`,`sku`:{`name`:`Standard_LRS`},`kind`:`StorageV2`,`properties`:{`x`:"
           "`y`}}",
           201);
    assign(&world, OTHER, ROLE_CONTRIBUTOR, GROUP);
    be(&world, OTHER);
    expect(&world, "PUT", AT(GROUP, "own") V, DEPLOY("`resources`:[" ACCOUNT("mine", "") "]"), 201);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect_code(&world, "PUT", AT(OTHER_GROUP, "own") V, DEPLOY("`resources`:[]"), 403,
                "AuthorizationFailed");
    expect_code(&world, "PUT", AT(GROUP, "n") V,
                DEPLOY("`resources`:[" NESTED("n", ",`resourceGroup`:`other`", "",
                                              "`resources`:[" ACCOUNT("reach", "") "]") "]"),
                403, "InvalidTemplateDeployment");
    expect_code(
        &world, "PUT", AT(GROUP, "r") V,
        DEPLOY("`resources`:[{`type`:`Microsoft.Authorization/roleAssignments`,`apiVersion`:"
               "`2022-04-01`,`name`:`[guid('a')]`,`properties`:{`principalId`:`" OTHER "`}}]"),
        403, "InvalidTemplateDeployment");
    expect(&world, "PUT", AT(GROUP, "read") V,
           DEPLOY("`resources`:[],`outputs`:{`x`:{`type`:`string`,`value`:`[reference('" OTHER_GROUP
                      STORAGE "secret', '2023-01-01').x]`}}"),
           201);
    expect_text(&world, "properties.provisioningState", "Failed");
    cr_assert(rf_str_find(rf_buf_view(&world.last.body), RF_S("AuthorizationFailed"), 0) !=
              SIZE_MAX);
    expect(&world, "POST", AT(GROUP, "w") "/whatIf" V,
           DEPLOY("`resources`:[" ACCOUNT("mine", "") "]"), 202);
    be(&world, OWNER);
    cr_assert(!exists(&world, OTHER_GROUP STORAGE "reach" V));
    world_done(&world);
}

/* ---- mode Complete, locks --------------------------------------------------------------------------------------------------- */

Test(deploy, complete_deletes_the_rest_and_heeds_locks)
{
    struct world world;
    world_init(&world);
    expect(&world, "PUT", AT(GROUP, "c") V,
           DEPLOY("`resources`:[" ACCOUNT("a", "") "," ACCOUNT("b", "") "," ACCOUNT("c", "") "]"),
           201);
    expect(&world, "PUT", GROUP STORAGE "c/providers/Microsoft.Authorization/locks/l" V,
           "{`properties`:{`level`:`CanNotDelete`}}", 201);
    const char *complete =
        "{`properties`:{`mode`:`Complete`,`template`:{`contentVersion`:`1.0.0.0`,"
        "`resources`:[" ACCOUNT("a", "") "," ACCOUNT("b", ",`condition`:false") "]}}}";
    expect(&world, "PUT", AT(GROUP, "c") V, complete, 200);
    expect_text(&world, "properties.provisioningState", "Failed");
    const struct json_node *detail = json_at(world.answer, "properties.error.details")->first;
    cr_assert(rf_str_is(json_text_at(detail, "code"), "ScopeLocked"));
    cr_assert(exists(&world, GROUP STORAGE "a" V) && exists(&world, GROUP STORAGE "c" V));
    cr_assert(!exists(&world, GROUP STORAGE "b" V));
    expect(&world, "DELETE", GROUP STORAGE "c/providers/Microsoft.Authorization/locks/l" V, NULL,
           200);
    expect(&world, "PUT", AT(GROUP, "c") V, complete, 200);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    cr_assert(!exists(&world, GROUP STORAGE "c" V));
    expect_code(&world, "PUT", AT(SUBSCRIPTION, "c") V,
                "{`location`:`local`,`properties`:{`mode`:`Complete`,`template`:{`contentVersion`:"
                "`1.0.0.0`,`resources`:[]}}}",
                400, "InvalidTemplateDeployment");
    world_done(&world);
}

/* ---- what-if ------------------------------------------------------------------------------------------------------------------ */

static const struct json_node *change_of(struct world *world, const char *name)
{
    const struct json_node *c = json_at(world->answer, "properties.changes")->first;
    while (c != NULL && !rf_str_ends(json_text_at(c, "resourceId"), rf_str_of(name))) c = c->next;
    cr_assert(c != NULL, "no change of %s", name);
    return c;
}

Test(deploy, what_if_tells_and_changes_nothing)
{
    struct world world;
    world_init(&world);
    expect(&world, "PUT", AT(GROUP, "w") V, DEPLOY("`resources`:[" ACCOUNT("/same", "") "]"), 400);
    expect(&world, "PUT", AT(GROUP, "w") V,
           DEPLOY("`resources`:[" ACCOUNT("same", ",`tags`:{`t`:`1`}") "," ACCOUNT(
               "diff", ",`tags`:{`t`:`1`,`gone`:`x`},`properties`:{`l`:[1,{`"
                       "a`:1}],`old`:true}") "," ACCOUNT("rest", "") "]"),
           201);
    expect(&world, "POST", AT(GROUP, "w") "/whatIf" V,
           "{`properties`:{`mode`:`Complete`,`parameters`:{`s`:{`value`:`hush-hush`}},`template`:{"
           "`contentVersion`:`1.0.0.0`,`parameters`:{`s`:{`type`:`securestring`}},`resources`:"
           "[" ACCOUNT("same", ",`tags`:{`t`:`1`}") "," ACCOUNT(
               "diff",
               ",`tags`:{`t`:`2`},`"
               "properties`:{`l`:[1,{`a`:"
               "2},3],`s`:`[parameters('s'"
               ")]`}") "," ACCOUNT("new", ",`properties`:{`r`:`[reference('same').x]`}") "]}}}",
           202);
    rf_str location = {0};
    for (uint32_t i = 0; i < world.last.header_count; i++)
        if (rf_str_is(world.last.headers[i].name, "Location"))
            location = world.last.headers[i].value;
    size_t path = rf_str_find(location, RF_S("/subscriptions/"), 0);
    cr_assert(path != SIZE_MAX);
    const char *result = rf_arena_cstr(&world.site.arena, rf_slice(location, path, location.len));
    be(&world, OTHER);
    expect(&world, "GET", result, NULL, 404);
    be(&world, OWNER);
    expect(&world, "GET", result, NULL, 200);
    expect_text(&world, "status", "Succeeded");
    cr_assert(rf_str_is(json_text_at(change_of(&world, "/same"), "changeType"), "NoChange"));
    cr_assert(rf_str_is(json_text_at(change_of(&world, "/new"), "changeType"), "Create"));
    cr_assert(rf_str_is(json_text_at(change_of(&world, "/rest"), "changeType"), "Delete"));
    const struct json_node *diff = change_of(&world, "/diff");
    cr_assert(rf_str_is(json_text_at(diff, "changeType"), "Modify"));
    rf_str delta = json_to_text(&world.site.arena, json_get(diff, "delta"));
    cr_assert(
        rf_str_is(
            delta,
            json(
                &world,
                "[{`path`:`tags.t`,`propertyChangeType`:`Modify`,`before`:`1`,`after`:`2`,`"
                "children`:null},"
                "{`path`:`tags.gone`,`propertyChangeType`:`Delete`,`before`:`x`,`children`:null},"
                "{`path`:`properties.l`,`propertyChangeType`:`Array`,`before`:[1,{`a`:1}],`after`:["
                "1,{"
                "`a`:2},3],`children`:[{`path`:`1`,`propertyChangeType`:`Modify`,`before`:{`a`:1},"
                "`after`:{`a`:2},`children`:[{`path`:`a`,`propertyChangeType`:`Modify`,`before`:1,"
                "`after`:2,`children`:null}]},{`path`:`2`,`propertyChangeType`:`Create`,`after`:3,"
                "`children`:null}]},{`path`:`properties.s`,`propertyChangeType`:`Create`,`after`:"
                "`*******`,`children`:null},{`path`:`properties.old`,`propertyChangeType`:`Delete`,"
                "`before`:true,`children`:null}]")),
        "%.*s", RF_FMT(delta));
    cr_assert(rf_str_find(rf_buf_view(&world.last.body), RF_S("hush"), 0) == SIZE_MAX);
    cr_assert(!exists(&world, GROUP STORAGE "new" V) && exists(&world, GROUP STORAGE "rest" V));
    expect(&world, "POST", AT(GROUP, "v") "/validate" V,
           DEPLOY("`resources`:[" ACCOUNT("v", "") "]"), 200);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    expect_json(&world, "properties.validatedResources", "[{`id`:`" GROUP STORAGE "v`}]");
    cr_assert(!exists(&world, GROUP STORAGE "v" V) && !exists(&world, AT(GROUP, "v") V));
    expect(&world, "POST", "/providers/Microsoft.Resources/calculateTemplateHash" V, "{ `a`: 1 }",
           200);
    expect_text(&world, "minifiedTemplate", "{\"a\":1}");
    world_done(&world);
}

/* ---- under way ---------------------------------------------------------------------------------------------------------------- */

static void await_end(struct world *world, const char *target, const char *state)
{
    do {
        (void)usleep(1000); /* each answer stays in the arena */
        expect(world, "GET", target, NULL, 200);
    } while (strcmp(text_at(world, "properties.provisioningState"), "Accepted") == 0);
    expect_text(world, "properties.provisioningState", state);
}

Test(deploy, one_at_a_time_and_cancelled)
{
    struct world world;
    world_init(&world);
    const char *body = DEPLOY("`resources`:[" THING("w", "`wait`:true", "") "," ACCOUNT(
        "behind", ",`dependsOn`:[`w`]") "]");
    world.prefer = RF_S("respond-async");
    expect(&world, "PUT", AT(GROUP, "busy") V, body, 201);
    expect_text(&world, "properties.provisioningState", "Accepted");
    sem_wait(&entered);
    expect_code(&world, "PUT", AT(GROUP, "BUSY") V, body, 409, "DeploymentActive");
    expect_code(&world, "DELETE", AT(GROUP, "busy") V, NULL, 409, "DeploymentActive");
    expect(&world, "GET", AT(GROUP, "busy") "/operations" V, NULL, 200);
    expect(&world, "POST", AT(GROUP, "busy") "/cancel" V, NULL, 204);
    sem_post(&released);
    await_end(&world, AT(GROUP, "busy") V, "Canceled");
    cr_assert(!exists(&world, GROUP STORAGE "behind" V));
    while (call(&world, "POST", AT(GROUP, "busy") "/cancel" V, NULL) == 204) (void)usleep(1000);
    cr_assert(strcmp(text_at(&world, "error.code"), "DeploymentCannotBeCancelled") == 0);
    expect(&world, "PUT", AT(GROUP, "busy") V, body, 200);
    sem_wait(&entered);
    sem_post(&released);
    await_end(&world, AT(GROUP, "busy") V, "Succeeded");
    world_done(&world);
}

Test(deploy, what_a_restart_cut_off_shows_as_failed)
{
    struct world world;
    struct rf_err err;
    struct json_node *ignored;
    bool created;
    world_init(&world);
    struct json_node *properties = json_new(&world.site.arena, JSON_T_OBJECT);
    json_set_text(&world.site.arena, properties, "provisioningState", RF_S("Accepted"));
    const struct deploy_record record = {
        .id = RF_S(AT(GROUP, "cut")), .name = RF_S("cut"), .properties = properties};
    cr_assert(deploy_store(world.arm, NULL, &record, &world.site.arena, &created, &ignored, &err) ==
                  RF_OK,
              "%s", err.text);
    expect(&world, "GET", AT(GROUP, "cut") V, NULL, 200);
    expect_text(&world, "properties.provisioningState", "Failed");
    expect_text(&world, "properties.error.code", "DeploymentInterrupted");
    expect(&world, "PUT", AT(GROUP, "cut") V, DEPLOY("`resources`:[]"), 200);
    expect_text(&world, "properties.provisioningState", "Succeeded");
    world_done(&world);
}
