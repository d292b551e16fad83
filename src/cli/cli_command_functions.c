/* cli_command_functions.c - functions of a store: functions.json beside its tables. */
#include "base/json.h"
#include "cli/cli_command.h"

static enum rf_kind read_functions(struct cli_host *h, struct json_node **out, struct rf_err *err)
{
    *out = NULL;
    if (h->command->data != NULL)
        RF_TRY(cli_notes_read(h->command->data, "functions.json", h->arena, out, err));
    if (!json_is(*out, JSON_T_ARRAY)) *out = json_new(h->arena, JSON_T_ARRAY);
    return *out == NULL ? rf_fail_memory(err, h->arena) : RF_OK;
}

/* Those of the store, then others that queries see here. */
enum rf_kind cli_host_functions(struct command_host *base, struct command_function **out,
                                uint32_t *count, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct json_node *list;
    uint32_t n = 0;
    const struct catalog *catalog = base->catalog;
    RF_TRY(read_functions(h, &list, err));
    struct command_function *f = rf_arena_new(h->arena, struct command_function,
                                              (size_t)list->count + catalog->function_count);
    if (f == NULL) return rf_fail_memory(err, h->arena);
    for (const struct json_node *node = list->first; node != NULL; node = node->next)
        f[n++] = (struct command_function){.name = json_text_at(node, "name"),
                                           .parameters = json_text_at(node, "parameters"),
                                           .body = json_text_at(node, "body"),
                                           .folder = json_text_at(node, "folder"),
                                           .docstring = json_text_at(node, "docstring")};
    uint32_t own = n;
    bool only_own = command_changes(base->command);
    for (uint32_t i = 0; i < catalog->function_count && !only_own; i++) {
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

/* The list without the function. */
static struct json_node *without(struct cli_host *h, const struct json_node *list, rf_str name,
                                 bool *found)
{
    struct json_node *out = json_new(h->arena, JSON_T_ARRAY);
    *found = false;
    for (const struct json_node *node = list->first; node != NULL && out != NULL;
         node = node->next) {
        bool it = rf_str_eq(json_text_at(node, "name"), name);
        *found |= it;
        if (!it) json_append(out, json_clone(h->arena, node));
    }
    return out;
}

enum rf_kind cli_host_put_function(struct command_host *base, const struct command_function *f,
                                   struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct json_node *list;
    bool found;
    RF_TRY(cli_host_writing(h, err));
    RF_TRY(read_functions(h, &list, err));
    list = without(h, list, f->name, &found);
    struct json_node *node =
        list == NULL ? NULL : json_append(list, json_new(h->arena, JSON_T_OBJECT));
    if (node == NULL) return rf_fail_memory(err, h->arena);
    json_set_text(h->arena, node, "name", f->name);
    json_set_text(h->arena, node, "parameters", f->parameters);
    json_set_text(h->arena, node, "body", f->body);
    json_set_text(h->arena, node, "folder", f->folder);
    if (json_set_text(h->arena, node, "docstring", f->docstring) == NULL)
        return rf_fail_memory(err, h->arena);
    return cli_notes_write(h->command->data, "functions.json", h->arena, list, err);
}

enum rf_kind cli_host_drop_function(struct command_host *base, rf_str name, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct json_node *list;
    bool found;
    RF_TRY(cli_host_writing(h, err));
    RF_TRY(read_functions(h, &list, err));
    list = without(h, list, name, &found);
    if (list == NULL) return rf_fail_memory(err, h->arena);
    if (!found)
        return RF_FAIL(err, RF_NOT_FOUND, "FunctionNotFound", "Function '%.*s' could not be found.",
                       RF_FMT(name));
    return cli_notes_write(h->command->data, "functions.json", h->arena, list, err);
}
