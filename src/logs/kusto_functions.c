/* kusto_functions.c - stored functions of a workspace, which are its saved searches that have an alias. */
#include "base/encode.h"
#include "logs/kusto_int.h"

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"

static rf_str tag_of(const struct json_node *body, const char *name)
{
    const struct json_node *tags = json_at(body, "properties.tags");
    for (const struct json_node *t = json_is(tags, JSON_T_ARRAY) ? tags->first : NULL; t != NULL;
         t = t->next)
        if (rf_str_eq_nocase(json_text_at(t, "name"), rf_str_of(name)))
            return json_text_at(t, "value");
    return RF_S("");
}

static enum rf_kind list_searches(struct kusto_host *h, struct arm_resource **out, uint32_t *count,
                                  struct rf_err *err)
{
    struct state_txn *txn;
    struct arm_resource *list;
    uint32_t all, own = 0;
    rf_str prefix = rf_arena_printf(h->arena, "%.*s/savedsearches/", RF_FMT(h->workspace.id));
    if (prefix.ptr == NULL) return rf_fail_memory(err, h->arena);
    prefix = resource_key(h->arena, prefix);
    RF_TRY(state_begin_read(h->logs->options.state, &txn, err));
    enum rf_kind kind = arm_list(h->logs->options.arm, txn, WORKSPACES "/savedSearches", h->arena,
                                 &list, &all, err);
    state_end(txn);
    RF_TRY(kind);
    for (uint32_t i = 0; i < all; i++)
        if (rf_str_starts(list[i].key, prefix) &&
            json_text_at(list[i].body, "properties.functionAlias").len > 0)
            list[own++] = list[i];
    *out = list;
    *count = own;
    return RF_OK;
}

enum rf_kind kusto_functions(struct command_host *base, struct command_function **out,
                             uint32_t *count, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct arm_resource *list;
    uint32_t own, n = 0;
    const struct catalog *catalog = base->catalog;
    if (base->command->entry->right == COMMAND_DEFINES)
        RF_TRY(kusto_require(h, WORKSPACES "/savedSearches/write", h->workspace.id, err));
    RF_TRY(list_searches(h, &list, &own, err));
    struct command_function *f =
        rf_arena_new(h->arena, struct command_function, (size_t)own + catalog->function_count);
    if (f == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < own; i++) {
        const struct json_node *body = list[i].body;
        rf_str category = json_text_at(body, "properties.category");
        f[n++] = (struct command_function){
            .name = json_text_at(body, "properties.functionAlias"),
            .parameters = json_text_at(body, "properties.functionParameters"),
            .body = rf_str_trim(json_text_at(body, "properties.query")),
            .folder = rf_str_is(category, "Functions") ? RF_S("") : category,
            .docstring = tag_of(body, "description")};
    }
    /* What others than saved searches give. */
    for (uint32_t i = 0; i < catalog->function_count; i++) {
        uint32_t k = 0;
        while (k < own && !rf_str_eq(f[k].name, catalog->functions[i].name)) k++;
        if (k < own) continue;
        f[n] = (struct command_function){
            .name = catalog->functions[i].name, .folder = RF_S(""), .docstring = RF_S("")};
        command_split_function(catalog->functions[i].text, &f[n].parameters, &f[n].body);
        n++;
    }
    *out = f;
    *count = n;
    return RF_OK;
}

static enum rf_kind find_search(struct kusto_host *h, rf_str name, rf_str *id, struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    *id = (rf_str){NULL, 0};
    RF_TRY(list_searches(h, &list, &count, err));
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(json_text_at(list[i].body, "properties.functionAlias"), name))
            *id = list[i].id;
    return RF_OK;
}

enum rf_kind kusto_put_function(struct command_host *base, const struct command_function *f,
                                struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct rf_arena *arena = h->arena;
    rf_str id;
    RF_TRY(kusto_require(h, WORKSPACES "/savedSearches/write", h->workspace.id, err));
    RF_TRY(find_search(h, f->name, &id, err));
    if (id.len == 0)
        id = rf_arena_printf(arena, "%.*s/savedSearches/%.*s", RF_FMT(h->workspace.id),
                             RF_FMT(f->name));
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "category", f->folder.len > 0 ? f->folder : RF_S("Functions"));
    json_set_text(arena, properties, "displayName", f->name);
    json_set_text(arena, properties, "query", f->body);
    json_set_text(arena, properties, "functionAlias", f->name);
    json_set_text(arena, properties, "functionParameters", f->parameters);
    if (f->docstring.len > 0) {
        struct json_node *tags =
            json_set(arena, properties, RF_S("tags"), json_new(arena, JSON_T_ARRAY));
        struct json_node *tag = json_append(tags, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, tag, "name", RF_S("description"));
        json_set_text(arena, tag, "value", f->docstring);
    }
    if (json_set_i64(arena, properties, "version", 2) == NULL) return rf_fail_memory(err, arena);
    struct arm_resource made;
    bool created;
    return arm_put(h->logs->options.arm, id, body, h->request->principal, arena, &made, &created,
                   err);
}

enum rf_kind kusto_drop_function(struct command_host *base, rf_str name, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    rf_str id;
    RF_TRY(kusto_require(h, WORKSPACES "/savedSearches/delete", h->workspace.id, err));
    RF_TRY(find_search(h, name, &id, err));
    if (id.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                       "Function '%.*s' could not be found.", RF_FMT(name));
    return arm_delete(h->logs->options.arm, id, h->request->principal, h->arena, NULL, err);
}
