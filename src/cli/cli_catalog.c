#include "cli/cli_catalog.h"

#include <limits.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/cli_text.h"
#include "kql/ast.h"
#include "kql/source_file.h"
#include "store/reader_stream.h"
#include "value/dyn.h"

enum { SCHEMA_BYTES_MAX = 16 << 20 };

struct cli_catalog cli_catalog_in(struct rf_arena *arena)
{
    return (struct cli_catalog){
        .arena = arena, .functions = {.arena = arena}, .lists = {.arena = arena}};
}

/* Makes room for one more item of a list that doubles. */
static bool room_for(struct rf_arena *arena, void *list, uint32_t count, uint32_t *cap,
                     size_t bytes_each)
{
    if (count < *cap) return true;
    void *old;
    memcpy(&old, list, sizeof old);
    uint32_t grown = RF_MAX(*cap * 2, 32u);
    void *items = rf_arena_array_raw(arena, grown, bytes_each);
    if (items == NULL) return false;
    if (count > 0) memcpy(items, old, count * bytes_each);
    memcpy(list, &items, sizeof items);
    *cap = grown;
    return true;
}

static bool known(const struct cli_catalog *catalog, rf_str name)
{
    for (uint32_t i = 0; i < catalog->catalog.source_count; i++)
        if (rf_str_eq(catalog->catalog.sources[i]->name, name)) return true;
    return false;
}

bool cli_catalog_add_source(struct cli_catalog *catalog, struct source *source)
{
    struct catalog *c = &catalog->catalog;
    if (source == NULL) return false;
    if (!room_for(catalog->arena, &c->sources, c->source_count, &catalog->source_cap,
                  sizeof(struct source *)))
        return false;
    c->sources[c->source_count++] = source;
    return true;
}

/* ---- schema files -------------------------------------------------------------------------------------------- */

static enum rf_kind read_json(struct cli_catalog *catalog, const char *path, rf_str *out,
                              struct rf_err *err)
{
    rf_str text;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, SCHEMA_BYTES_MAX, catalog->arena, &text, err));
    struct rf_buf buf = rf_buf_in(catalog->arena);
    struct rf_err why;
    enum rf_kind kind = dyn_parse_json(text, &buf, &why);
    if (kind != RF_OK) return RF_FAIL(err, kind, why.code, "%s: %s", path, why.text);
    *out = dyn_done(&buf);
    return RF_OK;
}

/* Reads [{"name":..,"type":..}, ...]. */
static enum rf_kind read_columns(struct cli_catalog *catalog, rf_str array, const char *path,
                                 struct ast_column **out, uint32_t *count, struct rf_err *err)
{
    uint32_t n = dyn_count(array);
    struct ast_column *columns = rf_arena_new(catalog->arena, struct ast_column, n);
    if (columns == NULL) return rf_fail_memory(err, catalog->arena);
    for (uint32_t i = 0; i < n; i++) {
        rf_str item = dyn_item(array, i), type_text = dyn_string(dyn_get(item, RF_S("type")));
        enum type type;
        columns[i].name = dyn_string(dyn_get(item, RF_S("name")));
        if (columns[i].name.len == 0)
            return RF_FAIL(err, RF_INVALID, "BadSchema", "%s: column %u has no name", path, i + 1);
        if (!type_parse(type_text, &type))
            return RF_FAIL(err, RF_INVALID, "BadSchema",
                           "%s: column '%.*s' has the unknown type '%.*s'", path,
                           RF_FMT(columns[i].name), RF_FMT(type_text));
        columns[i].type = (uint8_t)type;
    }
    *out = columns;
    *count = n;
    return RF_OK;
}

static enum rf_kind add_schema(struct cli_catalog *catalog, struct cli_schema schema,
                               struct rf_err *err)
{
    if (!room_for(catalog->arena, &catalog->schemas, catalog->schema_count, &catalog->schema_cap,
                  sizeof schema))
        return rf_fail_memory(err, catalog->arena);
    catalog->schemas[catalog->schema_count++] = schema;
    return RF_OK;
}

/* The names of Resource Graph tables are written in any case; the usual spellings besides the official one are all small
 * and with a small first letter. */
static enum rf_kind add_other_cases(struct cli_catalog *catalog, struct cli_schema schema,
                                    struct rf_err *err)
{
    rf_str official = schema.name;
    for (int all = 0; all < 2; all++) {
        uint8_t *name = rf_arena_alloc(catalog->arena, official.len);
        if (name == NULL) return rf_fail_memory(err, catalog->arena);
        for (size_t i = 0; i < official.len; i++)
            name[i] = all == 1 || i == 0 ? rf_lower(official.ptr[i]) : official.ptr[i];
        schema.name = rf_str_make(name, official.len);
        if (rf_str_eq(schema.name, official)) continue;
        if (all == 1 && rf_str_eq(schema.name, catalog->schemas[catalog->schema_count - 1].name))
            continue;
        RF_TRY(add_schema(catalog, schema, err));
    }
    return RF_OK;
}

static bool looks_like_schema(rf_str json)
{
    rf_str columns = dyn_get(json, RF_S("columns"));
    rf_str first = dyn_item(columns, 0);
    return dyn_tag(dyn_get(json, RF_S("name"))) == DYN_STRING && dyn_tag(columns) == DYN_ARRAY &&
           (dyn_count(columns) == 0 || dyn_tag(dyn_get(first, RF_S("type"))) == DYN_STRING);
}

static enum rf_kind read_schema(struct cli_catalog *catalog, const char *path, rf_str json,
                                struct cli_schema *schema, struct rf_err *err)
{
    schema->name = dyn_string(dyn_get(json, RF_S("name")));
    return read_columns(catalog, dyn_get(json, RF_S("columns")), path, &schema->columns,
                        &schema->column_count, err);
}

enum rf_kind cli_catalog_read_schema(struct cli_catalog *catalog, const char *path,
                                     struct cli_schema *out, struct rf_err *err)
{
    rf_str json;
    RF_TRY(read_json(catalog, path, &json, err));
    if (!looks_like_schema(json))
        return RF_FAIL(
            err, RF_INVALID, "BadSchema",
            "%s is no schema: {\"name\": .., \"columns\": [{\"name\": .., \"type\": ..}, ..]}",
            path);
    return read_schema(catalog, path, json, out, err);
}

/* ---- saved functions and watchlists --------------------------------------------------------------------------- */

enum rf_kind cli_catalog_add_functions(struct cli_catalog *catalog, const char *path,
                                       struct rf_err *err)
{
    return lab_functions_add(&catalog->functions, path, err);
}

enum rf_kind cli_catalog_add_watchlists(struct cli_catalog *catalog, const char *path,
                                        struct rf_err *err)
{
    return lab_watchlists_add(&catalog->lists, path, err);
}

static enum rf_kind call_watchlist(void *ctx, rf_str name, const struct value *args,
                                   uint32_t arg_count, struct source **out, struct rf_err *err)
{
    const struct cli_catalog *catalog = ctx;
    return lab_watchlists_call(&catalog->lists, name, args, arg_count, catalog->arena, out, err);
}

/* Watchlists that are there take the place of what schemas know of their readers. */
static void finish_functions(struct cli_catalog *catalog)
{
    if (catalog->lists.count > 0) {
        lab_functions_drop(&catalog->functions, "_GetWatchlist");
        lab_functions_drop(&catalog->functions, "_GetWatchlistAlias");
        catalog->catalog.call = call_watchlist;
        catalog->catalog.call_ctx = catalog;
    }
    catalog->catalog.functions = catalog->functions.items;
    catalog->catalog.function_count = catalog->functions.count;
}

/* ---- places outside ---------------------------------------------------------------------------------------------------- */

enum rf_kind cli_catalog_allow(struct cli_catalog *catalog, const char *place, struct rf_err *err)
{
    struct external_places *places = &catalog->external;
    uint32_t host_count = places->egress.host_count;
    if (places->folder_count + host_count == CLI_PLACES_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyPlaces", "--external: more than %d places",
                       CLI_PLACES_MAX);
    if (strchr(place, '/') != NULL || place[0] == '.') {
        char path[PATH_MAX];
        if (realpath(place, path) == NULL)
            return RF_FAIL(err, RF_NOT_FOUND, "NoSuchFolder",
                           "--external %s: there is no such folder; a folder has a slash in its "
                           "name (./lists), a host none",
                           place);
        const char *kept = rf_arena_cstr(catalog->arena, rf_str_of(path));
        if (kept == NULL) return rf_fail_memory(err, catalog->arena);
        catalog->external_folders[places->folder_count++] = kept;
    } else {
        catalog->external_hosts[host_count++] = rf_str_of(place);
    }
    places->folders = catalog->external_folders;
    /* Who asks here may reach what this machine reaches. */
    places->egress = (struct egress){.hosts = catalog->external_hosts,
                                     .host_count = host_count,
                                     .inside = catalog->external_hosts,
                                     .inside_count = host_count};
    external_places_init(places);
    catalog->catalog.external = &places->external;
    return RF_OK;
}

/* ---- folders of schemas ---------------------------------------------------------------------------------------- */

enum rf_kind cli_catalog_add_schemas(struct cli_catalog *catalog, const char *folder,
                                     struct rf_err *err)
{
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_list(rf_fs_real(), folder, catalog->arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (!rf_str_ends(names[i], RF_S(".json"))) continue;
        rf_str path = rf_arena_printf(catalog->arena, "%s/%.*s", folder, RF_FMT(names[i])), json;
        if (path.ptr == NULL) return rf_fail_memory(err, catalog->arena);
        if (rf_str_is(names[i], "functions.json")) {
            RF_TRY(cli_catalog_add_functions(catalog, (const char *)path.ptr, err));
            continue;
        }
        RF_TRY(read_json(catalog, (const char *)path.ptr, &json, err));
        if (!looks_like_schema(json)) continue;
        struct cli_schema schema;
        RF_TRY(read_schema(catalog, (const char *)path.ptr, json, &schema, err));
        RF_TRY(add_schema(catalog, schema, err));
        if (dyn_tag(dyn_get(json, RF_S("case_insensitive"))) == DYN_TRUE)
            RF_TRY(add_other_cases(catalog, schema, err));
    }
    return RF_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

struct cli_schema *cli_catalog_find_schema(struct cli_catalog *catalog, rf_str name)
{
    for (uint32_t i = 0; i < catalog->schema_count; i++)
        if (rf_str_eq(catalog->schemas[i].name, name)) return &catalog->schemas[i];
    return NULL;
}

/* A schema file beside the data: in the file's folder, named as the table. */
static enum rf_kind schema_beside(struct cli_catalog *catalog, const char *path, rf_str name,
                                  struct cli_schema *schema, bool *found, struct rf_err *err)
{
    *found = false;
    const char *slash = strrchr(path, '/');
    rf_str folder =
        slash == NULL ? (rf_str){NULL, 0} : rf_str_make(path, (size_t)(slash - path) + 1);
    rf_str beside = rf_arena_printf(catalog->arena, "%.*s%.*s.json", RF_FMT(folder), RF_FMT(name)),
           json;
    if (beside.ptr == NULL) return rf_fail_memory(err, catalog->arena);
    const char *schema_path = (const char *)beside.ptr;
    struct rf_fs_stat stat;
    if (strcmp(schema_path, path) == 0 ||
        rf_fs_stat(rf_fs_real(), schema_path, &stat, NULL) != RF_OK)
        return RF_OK;
    if (!stat.is_file || stat.bytes > SCHEMA_BYTES_MAX) return RF_OK;
    if (read_json(catalog, schema_path, &json, NULL) != RF_OK || !looks_like_schema(json))
        return RF_OK;
    *found = true;
    return read_schema(catalog, schema_path, json, schema, err);
}

static enum rf_kind add_file(struct cli_catalog *catalog, const char *path, rf_str name,
                             struct rf_err *err)
{
    struct source_file_options options = {.name = name, .path = path};
    struct cli_schema beside, *schema = NULL;
    bool found = false;
    if (strcmp(path, "-") != 0) RF_TRY(schema_beside(catalog, path, name, &beside, &found, err));
    schema = found ? &beside : cli_catalog_find_schema(catalog, name);
    if (schema != NULL) {
        options.columns = schema->columns;
        options.column_count = schema->column_count;
    }
    struct source *source = source_file_new(&options, catalog->arena);
    return cli_catalog_add_source(catalog, source) ? RF_OK : rf_fail_memory(err, catalog->arena);
}

enum rf_kind cli_catalog_add_file(struct cli_catalog *catalog, const char *spec, struct rf_err *err)
{
    struct rf_fs *fs = rf_fs_real();
    const char *path = spec, *equals = strrchr(spec, '=');
    rf_str name = {NULL, 0};
    if (equals != NULL && !rf_fs_exists(fs, spec)) {
        path = rf_arena_cstr(catalog->arena, rf_str_make(spec, (size_t)(equals - spec)));
        name = rf_str_of(equals + 1);
    } else {
        name = strcmp(path, "-") == 0 ? RF_S("stdin")
                                      : reader_table_name(rf_str_of(path), catalog->arena);
    }
    if (path == NULL || name.ptr == NULL) return rf_fail_memory(err, catalog->arena);
    if (name.len == 0)
        return RF_FAIL(err, RF_INVALID, "BadTableName", "--file %s gives the table no name", spec);
    if (strcmp(path, "-") != 0) {
        struct rf_fs_stat stat;
        RF_TRY(rf_fs_stat(fs, path, &stat, err));
        if (stat.is_dir)
            return RF_FAIL(err, RF_INVALID, "NotAFile",
                           "%s is a folder; --tables %s makes every file in it a table", path,
                           path);
    }
    if (known(catalog, name))
        return RF_FAIL(err, RF_CONFLICT, "TableExists",
                       "two files make a table called %.*s; write --file %s=OTHERNAME",
                       RF_FMT(name), path);
    return add_file(catalog, path, name, err);
}

/* Whether a .json file of a folder of tables is rather the schema of one. */
static bool is_schema_file(struct cli_catalog *catalog, const char *path)
{
    struct rf_fs_stat stat;
    rf_str json;
    return rf_fs_stat(rf_fs_real(), path, &stat, NULL) == RF_OK && stat.bytes <= SCHEMA_BYTES_MAX &&
           read_json(catalog, path, &json, NULL) == RF_OK && looks_like_schema(json);
}

enum rf_kind cli_catalog_add_folder(struct cli_catalog *catalog, const char *folder,
                                    struct rf_err *err)
{
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_list(rf_fs_real(), folder, catalog->arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (names[i].ptr[0] == '.' || !reader_is_table_name(names[i])) continue;
        rf_str path = rf_arena_printf(catalog->arena, "%s/%.*s", folder, RF_FMT(names[i]));
        rf_str name = reader_table_name(names[i], catalog->arena);
        if (path.ptr == NULL || name.ptr == NULL) return rf_fail_memory(err, catalog->arena);
        const char *file = (const char *)path.ptr;
        if (rf_str_ends(names[i], RF_S(".json")) && is_schema_file(catalog, file)) continue;
        if (known(catalog, name)) {
            cli_say("%s is left out: the table %.*s is there already", file, RF_FMT(name));
            continue;
        }
        RF_TRY(add_file(catalog, file, name, err));
    }
    return RF_OK;
}

enum rf_kind cli_catalog_finish(struct cli_catalog *catalog, struct rf_err *err)
{
    uint32_t with_data = catalog->catalog.source_count;
    finish_functions(catalog);
    for (uint32_t i = 0; i < catalog->schema_count; i++) {
        struct cli_schema *schema = &catalog->schemas[i];
        bool taken = false;
        for (uint32_t s = 0; s < with_data && !taken; s++)
            taken = rf_str_eq(catalog->catalog.sources[s]->name, schema->name);
        if (taken) continue;
        struct source *source =
            source_empty_new(schema->name, schema->columns, schema->column_count, catalog->arena);
        if (!cli_catalog_add_source(catalog, source)) return rf_fail_memory(err, catalog->arena);
    }
    return RF_OK;
}

void cli_say_misfits(const char *path, rf_str column, enum type type,
                     const struct reader_misfits *misfits)
{
    bool one = misfits->count == 1;
    fprintf(stderr, "ringfort: %s: %llu value%s of column \"", path,
            (unsigned long long)misfits->count, one ? "" : "s");
    (void)cli_text_print(stderr, column, UINT32_MAX);
    fprintf(stderr, "\" %s not %s %s and became null; %s line %llu: \"", one ? "was" : "were",
            type == TYPE_INT ? "an" : "a", type_name(type), one ? "in" : "first in",
            (unsigned long long)misfits->line);
    (void)cli_text_print(stderr, rf_str_make(misfits->text, misfits->text_bytes), UINT32_MAX);
    fputs("\"\n", stderr);
}

static void say_file_misfits(const struct source *source)
{
    uint32_t said = 0, more = 0;
    const char *path = source_file_rejects(source).path;
    for (uint32_t i = 0; i < source->column_count; i++) {
        struct reader_misfits misfits = source_file_misfits(source, i);
        if (misfits.count == 0) continue;
        if (said++ < CLI_MISFIT_COLUMNS)
            cli_say_misfits(path, source->columns[i].name, (enum type)source->columns[i].type,
                            &misfits);
        else
            more++;
    }
    if (more > 0) cli_say("%s: %u more columns have such values", path, more);
}

void cli_catalog_say_rejects(const struct cli_catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->catalog.source_count; i++) {
        const struct source *source = catalog->catalog.sources[i];
        if (!source_is_file(source)) continue;
        say_file_misfits(source);
        struct source_file_rejects rejects = source_file_rejects(source);
        if (rejects.count == 0) continue;
        cli_say("%s: %llu row%s left out; the first in line %llu: %s", rejects.path,
                (unsigned long long)rejects.count, rejects.count == 1 ? " was" : "s were",
                (unsigned long long)rejects.line, rejects.reason);
    }
}
