/* content_templates.c - the rules that a workspace offers: those that the program carries in itself, and those of installed
 * packages, whichever generation their templates are of. Nothing of it is stored; a rule made of one names it. */
#include "base/encode.h"
#include "base/yaml_tree.h"
#include "siem/content_int.h"
#include "siem/rule.h"

enum { TEMPLATES_MAX = 5000, SCAN_CHUNK = 100 };
#define TEMPLATE_TYPE "Microsoft.SecurityInsights/AlertRuleTemplates"

/* Made by tools/embed-files. */
extern const uint8_t content_rules_yaml[], content_rules_yaml_end[];

/* What a list is made of; `only` is the one that is looked for, empty: all. */
struct templates {
    struct arm_call *call;
    rf_str workspace, only;
    struct json_node *out;
};

/* ---- one template -------------------------------------------------------------------------------------------------------- */

static bool is_there(const struct templates *t, rf_str name)
{
    for (const struct json_node *node = t->out->first; node != NULL; node = node->next)
        if (rf_str_eq_nocase(json_text_at(node, "name"), name)) return true;
    return false;
}

/* `properties` belongs to the template then. */
static enum rf_kind add(struct templates *t, rf_str name, rf_str kind, struct json_node *properties,
                        struct rf_err *err)
{
    struct rf_arena *arena = t->call->arena;
    if (name.len == 0 || properties == NULL || is_there(t, name)) return RF_OK;
    if (t->only.len > 0 && !rf_str_eq_nocase(name, t->only)) return RF_OK;
    if (t->out->count >= TEMPLATES_MAX) return RF_OK;
    struct json_node *template = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s/providers/" TEMPLATE_TYPE "/%.*s",
                                RF_FMT(t->workspace), RF_FMT(name));
    if (template == NULL || id.ptr == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, template, "id", id);
    json_set_text(arena, template, "name", name);
    json_set_text(arena, template, "type", RF_S(TEMPLATE_TYPE));
    json_set_text(arena, template, "kind", kind.len > 0 ? kind : RF_S("Scheduled"));
    json_remove(properties, RF_S("enabled"));
    json_remove(properties, RF_S("suppressionEnabled"));
    json_remove(properties, RF_S("suppressionDuration"));
    if (json_get(properties, "status") == NULL)
        json_set_text(arena, properties, "status", RF_S("Available"));
    if (json_get(properties, "requiredDataConnectors") == NULL)
        json_set(arena, properties, RF_S("requiredDataConnectors"), json_new(arena, JSON_T_ARRAY));
    json_set(arena, template, RF_S("properties"), properties);
    if (json_append(t->out, template) == NULL) return rf_fail_memory(err, arena);
    return RF_OK;
}

/* ---- the program's own ----------------------------------------------------------------------------------------------------- */

/* The next text between lines "---"; false at the end. */
static bool next_text(rf_str all, size_t *at, rf_str *out)
{
    size_t from = rf_str_find(all, RF_S("---\n"), *at);
    if (from == SIZE_MAX) return false;
    from += 4;
    size_t to = rf_str_find(all, RF_S("\n---\n"), from);
    *at = to == SIZE_MAX ? all.len : to + 1;
    *out = rf_slice(all, from, *at);
    return true;
}

static rf_str built_in_texts(void)
{
    return rf_str_make(content_rules_yaml,
                       (uintptr_t)content_rules_yaml_end - (uintptr_t)content_rules_yaml);
}

enum rf_kind rule_template_built_in(rf_str id, struct rf_arena *arena, struct json_node **document,
                                    struct rf_err *err)
{
    rf_str all = built_in_texts(), text, own;
    for (size_t at = 0; next_text(all, &at, &text);) {
        struct json_node *yaml, *made;
        if (rf_str_find(text, id, 0) == SIZE_MAX) continue;
        RF_TRY(yaml_parse_texts(text, arena, &yaml, err));
        RF_TRY(rule_from_yaml(yaml, arena, &made, &own, err));
        if (!rf_str_eq(own, id)) continue;
        rf_str version = json_text_at(yaml, "version");
        struct json_node *properties = json_get(made, "properties");
        if (json_set_text(arena, properties, "alertRuleTemplateName", id) == NULL ||
            json_set_text(arena, properties, "templateVersion", version) == NULL)
            return rf_fail_memory(err, arena);
        *document = made;
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "there is no built-in rule '%.*s'",
                   RF_FMT(id));
}

/* What rule_from_yaml leaves aside because rules do not have it. */
static void add_yaml_members(struct rf_arena *arena, const struct json_node *yaml,
                             struct json_node *properties)
{
    static const char *const members[] = {"requiredDataConnectors", "version", "status"};
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        const struct json_node *node = json_get(yaml, members[i]);
        if (node != NULL && (node->type == JSON_T_STRING || node->type == JSON_T_ARRAY))
            json_set(arena, properties, rf_str_of(members[i]), json_clone(arena, node));
    }
}

/* A rule of ours that cannot be read is a fault of the program, which its tests find. */
static enum rf_kind add_built_in(struct templates *t, rf_str text, struct rf_err *err)
{
    struct json_node *yaml, *document;
    struct rf_arena *arena = t->call->arena;
    rf_str id;
    RF_TRY(yaml_parse_texts(text, arena, &yaml, err));
    RF_TRY(rule_from_yaml(yaml, arena, &document, &id, err));
    struct json_node *properties = json_get(document, "properties");
    if (properties != NULL) add_yaml_members(arena, yaml, properties);
    return add(t, id, json_text_at(document, "kind"), properties, err);
}

static enum rf_kind add_built_ins(struct templates *t, struct rf_err *err)
{
    rf_str all = built_in_texts(), text;
    for (size_t at = 0; next_text(all, &at, &text);) {
        /* Reading YAML is dear, so the one that is wanted is found first. */
        if (t->only.len > 0 && rf_str_find(text, t->only, 0) == SIZE_MAX) continue;
        RF_TRY(add_built_in(t, text, err));
    }
    return RF_OK;
}

/* ---- those of packages --------------------------------------------------------------------------------------------------------- */

static bool is_rule_template(const struct json_node *resource)
{
    rf_str type = json_text_at(resource, "type");
    rf_str end = RF_S("/alertruletemplates");
    return type.len > end.len &&
           rf_str_eq_nocase(rf_slice(type, type.len - end.len, type.len), end);
}

/* The rules in a template's own template. A name that is an expression is known only when it is installed. */
static enum rf_kind add_inner(struct templates *t, const struct json_node *properties,
                              struct rf_err *err)
{
    struct rf_arena *arena = t->call->arena;
    const struct json_node *resources = json_at(properties, "mainTemplate.resources");
    if (!json_is(resources, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *resource = resources->first; resource != NULL;
         resource = resource->next) {
        if (!is_rule_template(resource)) continue;
        rf_str name = json_text_at(resource, "name"),
               content = json_text_at(properties, "contentId");
        if (name.len == 0 || name.ptr[0] == '[') name = content;
        struct json_node *inner = json_get(resource, "properties");
        if (!json_is(inner, JSON_T_OBJECT)) continue;
        inner = json_clone(arena, inner);
        if (inner == NULL) return rf_fail_memory(err, arena);
        rf_str version = json_text_at(properties, "version");
        if (version.len > 0 && json_get(inner, "version") == NULL)
            json_set_text(arena, inner, "version", version);
        RF_TRY(add(t, name, json_text_at(resource, "kind"), inner, err));
    }
    return RF_OK;
}

static rf_str tag_of(const struct json_node *document, const char *name)
{
    const struct json_node *tag = json_get_nocase(json_get(document, "tags"), rf_str_of(name));
    return json_is(tag, JSON_T_STRING) ? tag->text : (rf_str){0};
}

/* Of generation 2: template specs that are tagged with the workspace. */
static bool is_spec_of(const struct json_node *document, rf_str workspace)
{
    return rf_str_eq_nocase(tag_of(document, "hidden-sentinelContentType"),
                            RF_S("AnalyticsRule")) &&
           rf_str_eq_nocase(tag_of(document, "hidden-sentinelWorkspaceId"), workspace);
}

static bool is_template_of(const struct json_node *document)
{
    return rf_str_eq_nocase(json_text_at(document, "properties.contentKind"),
                            RF_S("AnalyticsRule"));
}

static enum rf_kind add_stored(struct templates *t, struct state_scan *scan, bool specs,
                               struct rf_err *err)
{
    struct rf_arena *arena = t->call->arena;
    scan->space = "resource";
    scan->limit = SCAN_CHUNK;
    for (bool more = true; more;) {
        struct state_list found;
        RF_TRY(state_list(t->call->txn, scan, arena, &found, err));
        for (uint32_t i = 0; i < found.count; i++) {
            struct json_node *document;
            RF_TRY(json_parse(found.items[i].body, arena, &document, err));
            if (specs ? is_spec_of(document, t->workspace) : is_template_of(document))
                RF_TRY(add_inner(t, json_get(document, "properties"), err));
        }
        more = found.more && found.count > 0;
        if (more) scan->after = found.items[found.count - 1].key;
    }
    return RF_OK;
}

static enum rf_kind add_packages(struct templates *t, struct rf_err *err)
{
    struct rf_arena *arena = t->call->arena;
    struct resource_id id;
    rf_str key = resource_key(arena, t->workspace);
    RF_TRY(resource_id_parse(t->workspace, arena, &id, err));
    rf_str group = rf_arena_printf(arena, "/subscriptions/%.*s/resourcegroups/%.*s/",
                                   RF_FMT(id.subscription), RF_FMT(id.group));
    rf_str templates = rf_arena_printf(
        arena, "%.*s/providers/microsoft.securityinsights/contenttemplates", RF_FMT(key));
    group = resource_key(arena, group);
    if (key.ptr == NULL || group.ptr == NULL || templates.ptr == NULL)
        return rf_fail_memory(err, arena);
    struct state_scan scan = {.index = "collection", .value = templates};
    RF_TRY(add_stored(t, &scan, false, err));
    scan = (struct state_scan){.index = "type",
                               .value = RF_S("microsoft.resources/templatespecs/versions"),
                               .prefix = group};
    return add_stored(t, &scan, true, err);
}

/* ---- how many rules were made of them --------------------------------------------------------------------------------------------- */

static enum rf_kind count_rules(struct templates *t, struct rf_err *err)
{
    struct rf_arena *arena = t->call->arena;
    rf_str key = resource_key(arena, t->workspace);
    rf_str rules =
        rf_arena_printf(arena, "%.*s/providers/microsoft.securityinsights/alertrules", RF_FMT(key));
    const struct state_scan scan = {.space = "resource", .index = "collection", .value = rules};
    struct state_list found;
    if (key.ptr == NULL || rules.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(t->call->txn, &scan, arena, &found, err));
    rf_str *origins = rf_arena_new(arena, rf_str, found.count);
    if (origins == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *rule;
        RF_TRY(json_parse(found.items[i].body, arena, &rule, err));
        origins[i] = json_text_at(rule, "properties.alertRuleTemplateName");
    }
    for (struct json_node *node = t->out->first; node != NULL; node = node->next) {
        rf_str name = json_text_at(node, "name");
        int64_t count = 0;
        for (uint32_t i = 0; i < found.count; i++) count += rf_str_eq_nocase(origins[i], name);
        if (json_set_i64(arena, json_get(node, "properties"), "alertRulesCreatedByTemplateCount",
                         count) == NULL)
            return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

static enum rf_kind find(struct templates *t, struct rf_err *err)
{
    RF_TRY(add_packages(t, err));
    if (t->only.len == 0 || t->out->count == 0) RF_TRY(add_built_ins(t, err));
    return count_rules(t, err);
}

enum rf_kind rule_templates_list(struct arm_call *call, rf_str workspace, struct json_node *out,
                                 struct rf_err *err)
{
    struct templates t = {.call = call, .workspace = workspace, .out = out};
    return find(&t, err);
}

enum rf_kind rule_templates_get(struct arm_call *call, rf_str id, struct json_node **out,
                                struct rf_err *err)
{
    struct resource_id parts;
    struct json_node *found = json_new(call->arena, JSON_T_ARRAY);
    if (found == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(resource_id_parse(id, call->arena, &parts, err));
    struct templates t = {.call = call, .workspace = parts.scope, .only = parts.name, .out = found};
    RF_TRY(find(&t, err));
    if (found->count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "there is no rule template '%.*s'",
                       RF_FMT(parts.name));
    *out = found->first;
    return RF_OK;
}
