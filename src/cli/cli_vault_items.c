/* cli_vault_items.c - what secrets, keys and certificates have in common: how they are listed, and their way from deletion to the
 * end or back. */
#include <stdio.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/cli_list.h"
#include "cli/cli_vault.h"

/* ---- shown ------------------------------------------------------------------------------------------------------------ */

static rf_str tags_of(const struct json_node *item, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    const struct json_node *tags = json_get(item, "tags");
    for (const struct json_node *t = json_is(tags, JSON_T_OBJECT) ? tags->first : NULL; t != NULL;
         t = t->next) {
        if (buf.len > 0) rf_buf_str(&buf, RF_S(", "));
        rf_buf_str(&buf, t->name);
        rf_buf_byte(&buf, '=');
        rf_buf_str(&buf, t->text);
    }
    return rf_buf_view(&buf);
}

static rf_str time_at(const struct json_node *item, const char *path, struct rf_arena *arena)
{
    int64_t seconds;
    return json_i64_at(item, path, &seconds) ? cli_vault_iso(arena, seconds) : (rf_str){NULL, 0};
}

/* A row of the table; members that the kind lacks stay empty. */
static struct json_node *row_of(const struct cli_vault *v, const struct json_node *item)
{
    struct rf_arena *arena = v->arena;
    struct json_node *row = json_new(arena, JSON_T_OBJECT);
    rf_str name, version, type = json_text_at(item, "contentType");
    bool enabled = json_bool_at(json_get(item, "attributes"), "enabled", true);
    cli_vault_id(item, &name, &version);
    if (json_get(item, "key") != NULL) type = json_text_at(item, "key.kty");
    if (json_text_at(item, "key.crv").len > 0) type = json_text_at(item, "key.crv");
    if (json_text_at(item, "subject").len > 0) type = json_text_at(item, "subject");
    if (json_text_at(item, "policy.x509_props.subject").len > 0)
        type = json_text_at(item, "policy.x509_props.subject");
    json_set_text(arena, row, "name", name);
    json_set_text(arena, row, "version", version);
    json_set_text(arena, row, "enabled", enabled ? RF_S("yes") : RF_S("no"));
    json_set_text(arena, row, "type", type);
    json_set_text(arena, row, "managed",
                  json_bool_at(item, "managed", false) ? RF_S("yes") : RF_S(""));
    json_set_text(arena, row, "created", time_at(item, "attributes.created", arena));
    json_set_text(arena, row, "expires", time_at(item, "attributes.exp", arena));
    json_set_text(arena, row, "deleted", time_at(item, "deletedDate", arena));
    json_set_text(arena, row, "purged", time_at(item, "scheduledPurgeDate", arena));
    json_set_text(arena, row, "tags", tags_of(item, arena));
    return row;
}

static bool any(const struct json_node *rows, const char *member)
{
    for (const struct json_node *row = rows->first; row != NULL; row = row->next)
        if (json_text_at(row, member).len > 0) return true;
    return false;
}

/* Columns that are empty in all rows are left out, but for those that are always there. */
static enum rf_kind print_rows(const struct cli_vault *v, const struct json_node *rows,
                               struct rf_err *err)
{
    static const char *const names[] = {"name",    "version", "enabled", "type",   "managed",
                                        "created", "expires", "deleted", "purged", "tags"};
    static const char *const always[] = {"name", "enabled", "type", "created", "expires"};
    struct cli_list_column columns[RF_COUNT(names)];
    size_t count = 0;
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        bool shown = any(rows, names[i]);
        for (size_t k = 0; k < RF_COUNT(always); k++) shown |= strcmp(always[k], names[i]) == 0;
        if (shown)
            columns[count++] = (struct cli_list_column){
                .name = rf_str_of(names[i]), .path = names[i], .kind = CLI_LIST_TEXT};
    }
    return cli_list_print(rows, rf_str_of(v->command->collection), columns, count, v->format,
                          v->arena, err);
}

enum rf_kind cli_vault_print(const struct cli_vault *v, const struct json_node *items,
                             struct rf_err *err)
{
    if (v->format == CLI_JSON || v->format == CLI_JSONL)
        return cli_list_print(items, (rf_str){NULL, 0}, NULL, 0, v->format, v->arena, err);
    struct json_node *rows = json_new(v->arena, JSON_T_ARRAY);
    for (const struct json_node *item = items->first; item != NULL; item = item->next)
        (void)json_append(rows, row_of(v, item));
    return rows == NULL ? rf_fail_memory(err, v->arena) : print_rows(v, rows, err);
}

enum rf_kind cli_vault_print_one(const struct cli_vault *v, const struct json_node *item,
                                 struct rf_err *err)
{
    if (v->format == CLI_JSON) {
        cli_print_json(item, v->arena);
        return RF_OK;
    }
    struct json_node *list = json_new(v->arena, JSON_T_ARRAY);
    if (list == NULL || json_append(list, json_clone(v->arena, item)) == NULL)
        return rf_fail_memory(err, v->arena);
    return cli_vault_print(v, list, err);
}

/* ---- attributes ------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_time(const struct cli_vault *v, int option, const char *member,
                             struct json_node *attributes, struct rf_err *err)
{
    int64_t seconds;
    if (option < 0 || v->values[option] == NULL) return RF_OK;
    if (!cli_vault_time(v->values[option], &seconds))
        return cli_vault_wrong(v, err,
                               "--%s: '%s' is no time; write 2027-01-31T12:00 (UTC) or P90D, from "
                               "now",
                               v->command->usage.options[option].name, v->values[option]);
    return json_set_i64(v->arena, attributes, member, seconds) == NULL
               ? rf_fail_memory(err, v->arena)
               : RF_OK;
}

static enum rf_kind put_tags(const struct cli_vault *v, int option, struct json_node *body,
                             struct rf_err *err)
{
    struct json_node *tags = json_object_in(v->arena, body, "tags");
    for (uint32_t i = 0; i < v->many_count; i++) {
        if (v->many[i].option != option) continue;
        rf_str text = rf_str_of(v->many[i].value);
        size_t equals = rf_str_find(text, RF_S("="), 0);
        if (equals == SIZE_MAX || equals == 0)
            return cli_vault_wrong(v, err, "--tag: '%s' is not NAME=VALUE", v->many[i].value);
        struct json_node *value = json_new_text(v->arena, rf_slice(text, equals + 1, text.len));
        if (json_set(v->arena, tags, rf_slice(text, 0, equals), value) == NULL)
            return rf_fail_memory(err, v->arena);
    }
    return RF_OK;
}

enum rf_kind cli_vault_attributes(const struct cli_vault *v,
                                  const struct cli_vault_attributes *options,
                                  struct json_node *body, struct rf_err *err)
{
    struct json_node *attributes = json_object_in(v->arena, body, "attributes");
    if (attributes == NULL) return rf_fail_memory(err, v->arena);
    RF_TRY(put_time(v, options->expires, "exp", attributes, err));
    RF_TRY(put_time(v, options->not_before, "nbf", attributes, err));
    if (options->disabled >= 0 && v->values[options->disabled] != NULL &&
        json_set_bool(v->arena, attributes, "enabled", false) == NULL)
        return rf_fail_memory(err, v->arena);
    if (options->tag < 0 || v->values[options->tag] == NULL) return RF_OK;
    return put_tags(v, options->tag, body, err);
}

/* ---- lists ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind list_path(struct cli_vault *v, const char *path, struct rf_err *err)
{
    struct json_node *list;
    RF_TRY(cli_vault_pages(&v->at, rf_str_of(path), &list, err));
    return cli_vault_print(v, list, err);
}

enum rf_kind cli_vault_list(struct cli_vault *v, struct rf_err *err)
{
    bool deleted = cli_vault_option(v, "deleted") != NULL;
    bool certs = strcmp(v->command->collection, "certificates") == 0;
    rf_str path =
        rf_arena_printf(v->arena, "/%s%s%s", deleted ? "deleted" : "", v->command->collection,
                        certs && !deleted ? "?includePending=true" : "");
    const char *text = path.ptr == NULL ? NULL : rf_arena_cstr(v->arena, path);
    return text == NULL ? rf_fail_memory(err, v->arena) : list_path(v, text, err);
}

enum rf_kind cli_vault_versions(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    RF_TRY(cli_vault_path(v->arena, v->command->collection, rf_str_of(v->words[0]),
                          (rf_str){NULL, 0}, "/versions", &path, err));
    const char *text = rf_arena_cstr(v->arena, path);
    return text == NULL ? rf_fail_memory(err, v->arena) : list_path(v, text, err);
}

/* ---- the end, and back -------------------------------------------------------------------------------------------------- */

static enum rf_kind path_of(struct cli_vault *v, bool deleted, const char *behind, rf_str *out,
                            struct rf_err *err)
{
    rf_str path;
    RF_TRY(cli_vault_path(v->arena, v->command->collection, rf_str_of(v->words[0]),
                          (rf_str){NULL, 0}, behind, &path, err));
    *out = deleted ? rf_arena_printf(v->arena, "/deleted%.*s", RF_FMT(rf_slice(path, 1, path.len)))
                   : path;
    return out->ptr == NULL ? rf_fail_memory(err, v->arena) : RF_OK;
}

enum rf_kind cli_vault_delete(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    struct json_node *gone;
    RF_TRY(path_of(v, false, NULL, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "DELETE", path, NULL, &gone, err));
    rf_str until = time_at(gone, "scheduledPurgeDate", v->arena);
    cli_say("deleted the %s '%s'; 'ringfort %s recover %s' brings it back until %.*s",
            v->command->kind, v->words[0], v->command->usage.command, v->words[0], RF_FMT(until));
    return RF_OK;
}

enum rf_kind cli_vault_recover(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    RF_TRY(path_of(v, true, "/recover", &path, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, NULL, NULL, err));
    cli_say("the %s '%s' is back", v->command->kind, v->words[0]);
    return RF_OK;
}

enum rf_kind cli_vault_purge(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    RF_TRY(path_of(v, true, NULL, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "DELETE", path, NULL, NULL, err));
    cli_say("the %s '%s' is destroyed", v->command->kind, v->words[0]);
    return RF_OK;
}

enum rf_kind cli_vault_backup(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    struct json_node *blob;
    const char *out = cli_vault_option(v, "out");
    bool force = cli_vault_option(v, "force") != NULL;
    if (out == NULL) return cli_vault_wrong(v, err, "--out FILE says where it goes");
    RF_TRY(path_of(v, false, "/backup", &path, err));
    RF_TRY(cli_vault_may_write(out, force, err));
    RF_TRY(cli_vault_ask(&v->at, "POST", path, NULL, &blob, err));
    RF_TRY(cli_vault_write(out, json_text_at(blob, "value"), 0600, force, err));
    cli_say("the backup of the %s '%s' is in %s; only this installation opens it", v->command->kind,
            v->words[0], out);
    return RF_OK;
}

enum rf_kind cli_vault_restore(struct cli_vault *v, struct rf_err *err)
{
    rf_str text, path = rf_arena_printf(v->arena, "/%s/restore", v->command->collection);
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *item;
    const char *file = cli_vault_option(v, "file");
    if (file == NULL) return cli_vault_wrong(v, err, "--file FILE says which backup");
    RF_TRY(cli_vault_read(file, v->arena, &text, err));
    if (path.ptr == NULL || json_set_text(v->arena, body, "value", rf_str_trim(text)) == NULL)
        return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &item, err));
    return cli_vault_print_one(v, item, err);
}

static enum rf_kind switch_it(struct cli_vault *v, bool on, struct rf_err *err)
{
    rf_str path, version = cli_vault_text(cli_vault_option(v, "version"));
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *item;
    struct json_node *attributes = json_object_in(v->arena, body, "attributes");
    RF_TRY(cli_vault_path(v->arena, v->command->collection, rf_str_of(v->words[0]),
                          version.len > 0 ? version : RF_S(""), NULL, &path, err));
    if (json_set_bool(v->arena, attributes, "enabled", on) == NULL)
        return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_ask(&v->at, "PATCH", path, body, &item, err));
    return cli_vault_print_one(v, item, err);
}

enum rf_kind cli_vault_enable(struct cli_vault *v, struct rf_err *err)
{
    return switch_it(v, true, err);
}

enum rf_kind cli_vault_disable(struct cli_vault *v, struct rf_err *err)
{
    return switch_it(v, false, err);
}
