#include "lab/schemas.h"

#include "base/fs.h"

enum { SCHEMA_BYTES_MAX = 16 << 20 };

static enum rf_kind define(struct lab_world *world, const char *path,
                           const struct json_node *schema, struct rf_arena *arena,
                           struct rf_err *err)
{
    const struct json_node *list = json_get(schema, "columns");
    struct table_column *columns = rf_arena_new(arena, struct table_column, list->count);
    struct table_def def = {.name = json_text_at(schema, "name"), .columns = columns}, known;
    if (columns == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = lab_world_table(world, def.name, &known, err);
    if (kind == RF_OK) return RF_OK;
    if (kind != RF_NOT_FOUND) return kind;
    for (const struct json_node *c = list->first; c != NULL; c = c->next) {
        rf_str name = json_text_at(c, "name"), type_text = json_text_at(c, "type");
        enum type type;
        if (rf_str_is(name, "TenantId") || rf_str_is(name, "Type")) continue;
        if (name.len == 0 || !type_parse(type_text, &type))
            return RF_FAIL(err, RF_INVALID, "BadSchema",
                           "%s: the column '%.*s' has the unknown type '%.*s'", path, RF_FMT(name),
                           RF_FMT(type_text));
        columns[def.column_count++] = (struct table_column){.name = name, .type = (uint8_t)type};
    }
    return lab_world_define(world, &def, err);
}

static enum rf_kind add_file(struct lab_world *world, const char *path, bool asked_for,
                             struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *schema = NULL;
    rf_str text;
    rf_arena_init(&arena, 64 << 20);
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, SCHEMA_BYTES_MAX, &arena, &text, err));
    bool good = json_parse(text, &arena, &schema, NULL) == RF_OK &&
                json_text_at(schema, "name").len > 0 &&
                json_is(json_get(schema, "columns"), JSON_T_ARRAY);
    if (good) return define(world, path, schema, &arena, err);
    if (!asked_for) return RF_OK;
    return RF_FAIL(
        err, RF_INVALID, "BadSchema",
        "%s is no schema: {\"name\": .., \"columns\": [{\"name\": .., \"type\": ..}, ..]}", path);
}

enum rf_kind lab_schemas_add(struct lab_world *world, const char *path, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_fs_stat stat;
    rf_str *names;
    size_t count;
    rf_arena_init(&arena, 16 << 20);
    RF_TRY(rf_fs_stat(rf_fs_real(), path, &stat, err));
    if (!stat.is_dir) return add_file(world, path, true, err);
    RF_TRY(rf_fs_list(rf_fs_real(), path, &arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (!rf_str_ends(names[i], RF_S(".json"))) continue;
        rf_str full = rf_arena_printf(&arena, "%s/%.*s", path, RF_FMT(names[i]));
        if (full.ptr == NULL) return rf_fail_memory(err, &arena);
        RF_TRY(add_file(world, (const char *)full.ptr, false, err));
    }
    return RF_OK;
}
