#include "base/fs.h"
#include "siem/content_int.h"
#include "siem/siem_world_test_util.h"

#define TEMPLATES S_P "/alertRuleTemplates" S_V

struct content_world {
    struct siem_world w;
    struct siem siem;
};

static void c_init(struct content_world *c)
{
    memset(c, 0, sizeof *c);
    s_init(&c->w);
    c->siem.options =
        (struct siem_options){.arm = c->w.arm, .state = c->w.site.state, .site = &c->w.site.site};
    c->siem.type_count = content_types(&c->siem, c->siem.types);
    cr_assert(arm_register(c->w.arm, c->siem.types, c->siem.type_count, &c->w.err) == RF_OK, "%s",
              c->w.err.text);
    cr_assert(dispatcher_add(c->w.dispatcher, content_service(&c->siem), &c->w.err) == RF_OK, "%s",
              c->w.err.text);
}

static void c_done(struct content_world *c) { s_done(&c->w); }

static int put(struct content_world *c, const char *name, const char *body)
{
    rf_str target = rf_arena_printf(&c->w.site.arena, S_P "/%s" S_V "%c", name, 0);
    return s_call(&c->w, "PUT", (const char *)target.ptr, body);
}

static const struct json_node *found(struct content_world *c, const char *name)
{
    const struct json_node *list = json_get(c->w.answer, "value");
    cr_assert(list != NULL);
    for (const struct json_node *node = list->first; node != NULL; node = node->next)
        if (rf_str_is(json_text_at(node, "name"), name)) return node;
    return NULL;
}

#define BITS "92cd1538-9276-5a1e-958b-5183f5edadb4"

Test(content, rules_of_the_program_are_offered)
{
    struct content_world c;
    c_init(&c);
    cr_assert(s_call(&c.w, "GET", TEMPLATES, NULL) == 200);
    const struct json_node *list = json_get(c.w.answer, "value");
    cr_assert(list->count > 40, "%u", list->count);
    for (const struct json_node *node = list->first; node != NULL; node = node->next) {
        struct json_node *rule = json_clone(&c.w.site.arena, node);
        struct rule parsed;
        cr_expect(json_text_at(node, "kind").len > 0 &&
                  json_text_at(node, "properties.displayName").len > 0);
        cr_expect(
            rf_str_is(json_text_at(node, "type"), "Microsoft.SecurityInsights/AlertRuleTemplates"));
        /* A rule can be made of each. */
        struct json_node *properties = json_get(rule, "properties");
        json_set_bool(&c.w.site.arena, properties, "enabled", true);
        json_set_bool(&c.w.site.arena, properties, "suppressionEnabled", false);
        json_set_text(&c.w.site.arena, properties, "suppressionDuration", RF_S("PT1H"));
        cr_expect(rule_parse(rule, RF_S("r"), &c.w.site.arena, &parsed, &c.w.err) == RF_OK,
                  "%.*s: %s", RF_FMT(json_text_at(node, "name")), c.w.err.text);
    }
    const struct json_node *bits = found(&c, BITS);
    cr_assert(bits != NULL);
    cr_expect(rf_str_is(json_text_at(bits, "properties.queryFrequency"), "PT1H"));
    cr_expect(rf_str_is(json_text_at(bits, "properties.triggerOperator"), "GreaterThan"));
    cr_expect(json_get(json_get(bits, "properties"), "enabled") == NULL);
    cr_expect(s_call(&c.w, "GET", S_P "/alertRuleTemplates/" BITS S_V, NULL) == 200);
    cr_expect(rf_str_is(json_text_at(c.w.answer, "name"), BITS));
    cr_expect(s_call(&c.w, "GET", S_P "/alertRuleTemplates/none" S_V, NULL) == 404);
    cr_expect(put(&c, "alertRuleTemplates/mine", "{\"kind\":\"Scheduled\",\"properties\":{}}") ==
              405);
    c_done(&c);
}

#define RULE_TEMPLATE                                                                              \
    "\"mainTemplate\":{\"resources\":[{\"type\":\"Microsoft.SecurityInsights/"                     \
    "AlertRuleTemplates\","                                                                        \
    "\"name\":\"ar1\",\"kind\":\"NRT\",\"properties\":{\"displayName\":\"From a "                  \
    "package\",\"enabled\":false,\"query\":\"T\"}}]}"
#define TEMPLATE(version)                                                                          \
    "{\"properties\":{\"contentId\":\"ar1\",\"contentKind\":\"AnalyticsRule\",\"displayName\":"    \
    "\"t\",\"version\":\"1.2.0\",\"packageId\":\"pack\",\"packageVersion\":\"" version             \
    "\"," RULE_TEMPLATE "}}"
#define PACKAGE(version)                                                                           \
    "{\"properties\":{\"contentId\":\"pack\",\"contentKind\":\"Solution\",\"contentProductId\":"   \
    "\"pack-sl-x\",\"displayName\":\"Pack\",\"version\":\"" version "\"}}"

Test(content, packages_bring_templates_and_take_them_along)
{
    struct content_world c;
    c_init(&c);
    cr_expect(put(&c, "contentTemplates/t1", TEMPLATE("1.0.0")) == 201);
    cr_expect(put(&c, "contentPackages/pack", PACKAGE("1.0.0")) == 201);
    cr_expect(put(&c, "alertRules/made",
                  "{\"kind\":\"NRT\",\"properties\":{\"alertRuleTemplateName\":\"ar1\"}}") == 201);
    cr_assert(s_call(&c.w, "GET", TEMPLATES, NULL) == 200);
    const struct json_node *mine = found(&c, "ar1");
    int64_t made = 0;
    cr_assert(mine != NULL);
    cr_expect(rf_str_is(json_text_at(mine, "kind"), "NRT"));
    cr_expect(rf_str_is(json_text_at(mine, "properties.version"), "1.2.0"));
    cr_expect(json_i64_at(mine, "properties.alertRulesCreatedByTemplateCount", &made) && made == 1);
    cr_expect(s_call(&c.w, "GET", S_P "/alertRuleTemplates/AR1" S_V, NULL) == 200);
    /* An upgrade leaves what it brought and what it keeps. */
    cr_expect(put(&c, "contentTemplates/t2", TEMPLATE("2.0.0")) == 201);
    cr_expect(put(&c, "contentPackages/pack", PACKAGE("1.0.0")) == 200);
    cr_expect(s_call(&c.w, "GET", S_P "/contentTemplates/t1" S_V, NULL) == 200);
    cr_expect(put(&c, "contentPackages/pack", PACKAGE("2.0.0")) == 200);
    cr_expect(s_call(&c.w, "GET", S_P "/contentTemplates/t1" S_V, NULL) == 404);
    cr_expect(s_call(&c.w, "GET", S_P "/contentTemplates/t2" S_V, NULL) == 200);
    cr_expect(s_call(&c.w, "DELETE", S_P "/contentPackages/pack" S_V, NULL) == 200);
    cr_expect(s_call(&c.w, "GET", S_P "/contentTemplates/t2" S_V, NULL) == 404);
    cr_expect(s_call(&c.w, "GET", S_P "/alertRules/made" S_V, NULL) == 200, "what was made stays");
    c_done(&c);
}

/* What the package's template holds is deployed; the package is stored without it. */
Test(content, a_package_that_brings_its_content_is_deployed)
{
    struct content_world c;
    c_init(&c);
    cr_expect(
        put(&c, "contentPackages/whole",
            "{\"properties\":{\"contentId\":\"whole\",\"contentKind\":\"Solution\","
            "\"contentProductId\":\"whole-sl-x\",\"displayName\":\"Whole\",\"version\":\"1.0.0\","
            "\"packagedContent\":{\"$schema\":\"https://schema.management.azure.com/schemas/"
            "2019-04-01/deploymentTemplate.json#\",\"contentVersion\":\"1.0.0.0\",\"parameters\":{"
            "\"workspace\":{\"type\":\"string\"},\"workspace-location\":{\"type\":\"string\"}},"
            "\"resources\":[{\"type\":\"Microsoft.OperationalInsights/workspaces/providers/"
            "contentTemplates\",\"apiVersion\":\"2023-04-01-preview\",\"name\":\"[concat("
            "parameters('workspace'),'/Microsoft.SecurityInsights/in1')]\",\"properties\":{"
            "\"contentId\":\"in1\",\"contentKind\":\"AnalyticsRule\",\"displayName\":\"t\","
            "\"version\":\"1.0.0\",\"packageId\":\"whole\"}}]}}}") == 201);
    cr_expect(json_at(c.w.answer, "properties.packagedContent") == NULL);
    const char *made = S_GROUP "/providers/Microsoft.Resources/deployments/install-whole?api-"
                               "version=2024-03-01";
    const char *state = "";
    for (int i = 0; i < 100000 && strcmp(state, "Succeeded") != 0; i++) {
        cr_assert(s_call(&c.w, "GET", made, NULL) == 200);
        state = s_text(&c.w, "properties.provisioningState");
        cr_assert(strcmp(state, "Failed") != 0, "%s", s_text(&c.w, "properties.error.message"));
    }
    cr_expect(s_call(&c.w, "GET", S_P "/contentTemplates/in1" S_V, NULL) == 200);
    c_done(&c);
}

Test(content, template_specs_of_the_workspace_count_too)
{
    struct content_world c;
    c_init(&c);
    const char *spec =
        S_GROUP "/providers/Microsoft.Resources/templateSpecs/s?api-version=2022-02-01";
    cr_expect(s_call(&c.w, "PUT", spec, "{\"location\":\"local\",\"properties\":{}}") == 201);
    for (int other = 0; other < 2; other++) {
        rf_str target = rf_arena_printf(
            &c.w.site.arena,
            S_GROUP "/providers/Microsoft.Resources/templateSpecs/s/versions/%d?api-version=2022-"
                    "02-01%c",
            other, 0);
        rf_str body = rf_arena_printf(
            &c.w.site.arena,
            "{\"location\":\"local\",\"tags\":{\"hidden-sentinelContentType\":\"AnalyticsRule\","
            "\"hidden-sentinelWorkspaceId\":\"%s\"},\"properties\":{\"mainTemplate\":{"
            "\"resources\":"
            "[{\"type\":\"Microsoft.SecurityInsights/AlertRuleTemplates\",\"name\":\"spec%d\","
            "\"kind\":\"Scheduled\",\"properties\":{\"displayName\":\"S\"}}]}}}%c",
            other == 0 ? S_WS : S_WS "other", other, 0);
        cr_expect(s_call(&c.w, "PUT", (const char *)target.ptr, (const char *)body.ptr) == 201);
    }
    cr_assert(s_call(&c.w, "GET", TEMPLATES, NULL) == 200);
    cr_expect(found(&c, "spec0") != NULL && found(&c, "spec1") == NULL);
    c_done(&c);
}

Test(content, versions_compare_as_numbers)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {{"1.0.0", "1.0.0", 0},  {"1.0", "1.0.0", 0}, {"1.9.0", "1.10.0", -1},
                 {"2", "1.99.99", 1},    {"3.0.1", "3.0", 1}, {"", "0.0", 0},
                 {"1.0.0-b", "1.0.0", 0}};
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_expect(content_version_cmp(rf_str_of(cases[i].a), rf_str_of(cases[i].b)) ==
                      cases[i].order,
                  "%s %s", cases[i].a, cases[i].b);
}

Test(content, documents_are_checked)
{
    static const struct {
        const char *name, *body;
        int status;
    } cases[] = {
        {"onboardingStates/default", "{}", 201},
        {"onboardingStates/other", "{}", 400},
        {"onboardingStates/default", "{\"properties\":{\"customerManagedKey\":1}}", 400},
        {"settings/Ueba", "{\"kind\":\"Ueba\",\"properties\":{\"dataSources\":[\"AuditLogs\"]}}",
         200},
        {"settings/Ueba", "{\"kind\":\"Ueba\",\"properties\":{\"dataSources\":[\"Nope\"]}}", 400},
        {"settings/Ueba", "{\"kind\":\"EyesOn\",\"properties\":{}}", 400},
        {"settings/EyesOn", "{\"kind\":\"EyesOn\",\"properties\":{}}", 200},
        {"settings/Other", "{\"kind\":\"Other\",\"properties\":{}}", 400},
        {"metadata/m", "{\"properties\":{\"parentId\":\"" S_RULE "\",\"kind\":\"AnalyticsRule\"}}",
         201},
        {"metadata/m", "{\"properties\":{\"kind\":\"AnalyticsRule\"}}", 400},
        {"metadata/m", "{\"properties\":{\"parentId\":\"x\",\"kind\":\"AnalyticsRule\"}}", 400},
        {"metadata/m", "{\"properties\":{\"parentId\":\"" S_RULE "\",\"kind\":\"Nope\"}}", 400},
        {"contentPackages/p", "{\"properties\":{\"contentId\":\"p\"}}", 400},
        {"contentTemplates/t", "{\"properties\":{\"contentId\":\"p\"}}", 400},
        {"dataConnectors/d", "{\"kind\":\"Office365\",\"properties\":{}}", 201},
        {"dataConnectors/d", "{\"kind\":\"GenericUI\",\"properties\":{}}", 409},
        {"dataConnectors/e", "{\"kind\":\"Nope\",\"properties\":{}}", 400},
        {"dataConnectorDefinitions/d",
         "{\"kind\":\"Customizable\",\"properties\":{\"connectorUiConfig\":{}}}", 201},
        {"dataConnectorDefinitions/e", "{\"kind\":\"Customizable\",\"properties\":{}}", 400},
        {"fileImports/f",
         "{\"properties\":{\"ingestionMode\":\"IngestAnyValidRecords\",\"contentType\":"
         "\"StixIndicator\",\"source\":\"s\",\"importFile\":{\"fileName\":\"a\"}}}",
         201},
        {"fileImports/f",
         "{\"properties\":{\"ingestionMode\":\"IngestAnyValidRecords\",\"contentType\":"
         "\"StixIndicator\",\"source\":\"s\",\"importFile\":{\"fileName\":\"a\"}}}",
         201},
        {"fileImports/g", "{\"properties\":{}}", 400},
        {"hunts/h", "{\"properties\":{\"displayName\":\"h\",\"description\":\"d\"}}", 201},
        {"hunts/h", "{\"properties\":{\"displayName\":\"h\"}}", 400},
        {"sourcecontrols/s", "{\"properties\":{\"displayName\":\"h\"}}", 400},
        {"securityMLAnalyticsSettings/a",
         "{\"kind\":\"Anomaly\",\"properties\":{\"displayName\":\"a\",\"enabled\":true,"
         "\"frequency\":\"PT1H\",\"settingsStatus\":\"Production\",\"isDefaultSettings\":true}}",
         201},
        {"securityMLAnalyticsSettings/b", "{\"kind\":\"Anomaly\",\"properties\":{}}", 400},
    };
    struct content_world c;
    c_init(&c);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int status = put(&c, cases[i].name, cases[i].body);
        cr_expect(status == cases[i].status, "%s %s: %d %s", cases[i].name, cases[i].body, status,
                  status >= 400 ? s_text(&c.w, "error.message") : "");
    }
    cr_expect(s_call(&c.w, "GET", S_P "/settings/EyesOn" S_V, NULL) == 200);
    cr_expect(json_bool_at(c.w.answer, "properties.isEnabled", false));
    cr_expect(s_call(&c.w, "DELETE", S_P "/onboardingStates/default" S_V, NULL) == 200);
    cr_expect(s_call(&c.w, "DELETE", S_P "/onboardingStates/default" S_V, NULL) == 204);
    c_done(&c);
}

Test(content, secrets_of_connectors_are_not_shown)
{
    struct content_world c;
    c_init(&c);
    cr_expect(put(&c, "dataConnectors/poll",
                  "{\"kind\":\"RestApiPoller\",\"properties\":{\"auth\":{\"type\":\"APIKey\","
                  "\"ApiKey\":\"hunter2\"},\"request\":{\"apiEndpoint\":\"https://x\"}}}") == 201);
    cr_expect(s_call(&c.w, "GET", S_P "/dataConnectors/poll" S_V, NULL) == 200);
    rf_str text = rf_buf_view(&c.w.last.body);
    cr_expect(rf_str_find(text, RF_S("hunter2"), 0) == SIZE_MAX);
    cr_expect(rf_str_find(text, RF_S("apiEndpoint"), 0) != SIZE_MAX);
    cr_expect(s_call(&c.w, "GET", S_P "/dataConnectors" S_V, NULL) == 200);
    cr_expect(rf_str_find(rf_buf_view(&c.w.last.body), RF_S("hunter2"), 0) == SIZE_MAX);
    cr_expect(s_call(&c.w, "POST", S_P "/dataConnectorsCheckRequirements" S_V,
                     "{\"kind\":\"Office365\",\"properties\":{}}") == 200);
    cr_expect(strcmp(s_text(&c.w, "authorizationState"), "Valid") == 0);
    cr_expect(s_call(&c.w, "POST", S_P "/dataConnectorsCheckRequirements" S_V, "{}") == 400);
    s_be(&c.w, S_READER);
    cr_expect(s_call(&c.w, "POST", S_P "/dataConnectorsCheckRequirements" S_V,
                     "{\"kind\":\"Office365\"}") == 403);
    c_done(&c);
}

#define LOGIC(when, conditions)                                                                    \
    "\"triggeringLogic\":{\"isEnabled\":true,\"triggersOn\":\"Incidents\",\"triggersWhen\":"       \
    "\"" when "\",\"conditions\":[" conditions "]}"
#define LOWER                                                                                      \
    "{\"order\":1,\"actionType\":\"ModifyProperties\",\"actionConfiguration\":{\"severity\":"      \
    "\"Low\"}}"
#define AUTOMATION(logic, actions)                                                                 \
    "{\"properties\":{\"displayName\":\"a\",\"order\":1," logic ",\"actions\":[" actions "]}}"
#define TITLE                                                                                      \
    "{\"conditionType\":\"Property\",\"conditionProperties\":{\"propertyName\":\"IncidentTitle\"," \
    "\"operator\":\"Contains\",\"propertyValues\":[\"x\"]}}"
#define SEVERITY_CHANGED                                                                           \
    "{\"conditionType\":\"PropertyChanged\",\"conditionProperties\":{\"propertyName\":"            \
    "\"IncidentSeverity\",\"changeType\":\"ChangedTo\",\"operator\":\"Equals\","                   \
    "\"propertyValues\":[\"High\"]}}"
#define BOOLEAN(inner)                                                                             \
    "{\"conditionType\":\"Boolean\",\"conditionProperties\":{\"operator\":\"Or\","                 \
    "\"innerConditions\":[" inner "]}}"

Test(content, automation_rules_are_checked)
{
    static const struct {
        const char *body;
        int status;
    } cases[] = {
        {AUTOMATION(LOGIC("Created", TITLE), LOWER), 201},
        {AUTOMATION(LOGIC("Created", BOOLEAN(TITLE "," TITLE)), LOWER), 200},
        {AUTOMATION(LOGIC("Updated", SEVERITY_CHANGED), LOWER), 200},
        {AUTOMATION(LOGIC("Created", SEVERITY_CHANGED), LOWER), 400},
        {AUTOMATION(LOGIC("Created", BOOLEAN(BOOLEAN(BOOLEAN(BOOLEAN(TITLE))))), LOWER), 400},
        {AUTOMATION(LOGIC("Sometimes", ""), LOWER), 400},
        {AUTOMATION(LOGIC("Created", "{\"conditionType\":\"Other\"}"), LOWER), 400},
        {AUTOMATION(LOGIC("Created", ""), ""), 400},
        {AUTOMATION(LOGIC("Created", ""), "{\"order\":1,\"actionType\":\"Other\"}"), 400},
        {AUTOMATION(LOGIC("Created", ""),
                    "{\"order\":1,\"actionType\":\"RunPlaybook\",\"actionConfiguration\":{}}"),
         400},
        {AUTOMATION(LOGIC("Created", ""),
                    "{\"order\":1,\"actionType\":\"AddIncidentTask\",\"actionConfiguration\":{"
                    "\"title\":\"look\"}}"),
         200},
        {AUTOMATION(LOGIC("Created", ""),
                    "{\"order\":1,\"actionType\":\"ModifyProperties\",\"actionConfiguration\":{"
                    "\"status\":\"Closed\",\"classification\":\"TruePositive\","
                    "\"classificationReason\":\"InaccurateData\"}}"),
         400},
        {AUTOMATION("\"triggeringLogic\":{\"isEnabled\":true,\"triggersOn\":\"Alerts\","
                    "\"triggersWhen\":\"Created\"}",
                    LOWER),
         400},
        {"{\"properties\":{\"displayName\":\"a\",\"order\":1001," LOGIC(
             "Created", "") ",\"actions\":[" LOWER "]}}",
         400},
        {"{}", 400},
    };
    struct content_world c;
    c_init(&c);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int status = put(&c, "automationRules/a1", cases[i].body);
        cr_expect(status == cases[i].status, "%s: %d %s", cases[i].body, status,
                  status >= 400 ? s_text(&c.w, "error.message") : "");
    }
    cr_expect(s_call(&c.w, "GET", S_P "/automationRules/a1" S_V, NULL) == 200);
    cr_expect(strlen(s_text(&c.w, "properties.createdTimeUtc")) > 0);
    cr_expect(strcmp(s_text(&c.w, "properties.createdBy.objectId"), S_OWNER) == 0);
    c_done(&c);
}

/* ---- the catalogue ---------------------------------------------------------------------------------------------------- */

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[300];
    struct rf_err err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    cr_assert(rf_fs_mkdirs(rf_fs_real(), path, &err) == RF_OK);
    *slash = '/';
    cr_assert(rf_fs_replace(rf_fs_real(), path, rf_str_of(text), &err) == RF_OK, "%s", err.text);
}

#define V3(version)                                                                                \
    "\xef\xbb\xbf{\"variables\":{\"_v\":\"" version                                                \
    "\",\"v\":\"[variables('_v')]\"},\"resources\":[{\"type\":\"Microsoft.OperationalInsights/"    \
    "workspaces/providers/"                                                                        \
    "contentPackages\",\"name\":\"x\",\"properties\":{\"contentId\":\"three\",\""                  \
    "version\":\"[variables('v')]\",\"displayName\":\"Three\",\"contentProductId\":\"[concat('a')" \
    "]\",\""                                                                                       \
    "support\":{\"tier\":\"Community\"},\"author\":{\"name\":\"[concat('x')]\"}}}]}"
#define V2                                                                                         \
    "{\"variables\":{\"_solutionName\":\"Two\",\"_solutionVersion\":\"2.1.0\",\"solutionId\":"     \
    "\"two\"},"                                                                                    \
    "\"resources\":[{\"type\":\"Microsoft.OperationalInsights/workspaces/providers/metadata\","    \
    "\"properties\":{\"kind\":\"Solution\",\"contentId\":\"[variables('solutionId')]\"}}]}"

Test(content, the_catalogue_offers_packages_of_folders)
{
    char folder[] = "/tmp/rf_content_XXXXXX";
    struct content_world c;
    cr_assert(mkdtemp(folder) != NULL);
    write_text(folder, "a/mainTemplate.json", V3("1.0.9"));
    write_text(folder, "b/Package/mainTemplate.json", V3("1.0.10"));
    write_text(folder, "two/package/mainTemplate.json", V2);
    write_text(folder, "bad/mainTemplate.json", "{");
    write_text(folder, "other/mainTemplate.json", "{\"resources\":[]}");
    write_text(folder, "README.md", "nothing");
    c_init(&c);
    const rf_str folders[] = {rf_str_of(folder)};
    cr_assert(catalogue_new(folders, 1, &c.siem.catalogue, &c.w.err) == RF_OK, "%s", c.w.err.text);
    cr_assert(s_call(&c.w, "GET", S_P "/contentProductPackages" S_V, NULL) == 200);
    cr_expect(s_count(&c.w) == 2);
    const struct json_node *two = found(&c, "two"), *three = found(&c, "three");
    cr_assert(two != NULL && three != NULL);
    cr_expect(rf_str_is(json_text_at(two, "properties.displayName"), "Two"));
    cr_expect(rf_str_is(json_text_at(two, "properties.version"), "2.1.0"));
    cr_expect(rf_str_is(json_text_at(three, "properties.version"), "1.0.10"), "the higher one");
    cr_expect(rf_str_is(json_text_at(three, "properties.support.tier"), "Community"));
    cr_expect(json_at(three, "properties.author") == NULL, "it is not known before it is deployed");
    cr_expect(json_at(three, "properties.packagedContent") == NULL);
    cr_expect(put(&c, "contentPackages/three",
                  "{\"properties\":{\"contentId\":\"three\",\"contentKind\":\"Solution\","
                  "\"contentProductId\":\"p\",\"displayName\":\"T\",\"version\":\"1.0.0\"}}") ==
              201);
    cr_expect(s_call(&c.w, "GET", S_P "/contentProductPackages/three" S_V, NULL) == 200);
    cr_expect(json_at(c.w.answer, "properties.packagedContent.resources") != NULL);
    cr_expect(strcmp(s_text(&c.w, "properties.installedVersion"), "1.0.0") == 0);
    cr_expect(s_call(&c.w, "GET", S_P "/contentProductPackages/none" S_V, NULL) == 404);
    cr_expect(put(&c, "contentProductPackages/mine", "{\"properties\":{}}") == 405);
    catalogue_free(c.siem.catalogue);
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect(system(command) == 0);
    const rf_str missing[] = {RF_S("/nonexistent/folder")};
    cr_expect(catalogue_new(missing, 1, &c.siem.catalogue, &c.w.err) != RF_OK);
    c_done(&c);
}
