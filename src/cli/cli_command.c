/* cli_command.c - what management commands act on where there is no server: a store in a folder, or files, which they only show. */
#include "cli/cli_command.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/cli_store.h"
#include "crypt/digest.h"
#include "kql/ast.h"
#include "kql/command.h"
#include "kql/source_file.h"
#include "store/table_remove.h"
#include "value/text.h"

/* What a rewrite leaves when it is cut short; no command makes tables of such names. */
#define NEW_SUFFIX "$new"
#define OLD_SUFFIX "$old"
#define ASIDE_SUFFIX "$renamed"

static enum rf_kind no_table(rf_str table, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "TableNotFound", "Table '%.*s' could not be found.",
                   (int)RF_MIN(table.len, (size_t)100), (const char *)table.ptr);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static rf_str with_suffix(struct cli_host *h, rf_str table, const char *suffix)
{
    return rf_arena_printf(h->arena, "%.*s%s", RF_FMT(table), suffix);
}

static bool is_named(const rf_str *names, uint32_t count, rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(names[i], name)) return true;
    return false;
}

/* A renaming in a circle that was cut short goes on. */
static enum rf_kind finish_renaming(struct cli_host *h, const rf_str *names, uint32_t count,
                                    struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!rf_str_ends(names[i], RF_S(ASIDE_SUFFIX))) continue;
        rf_str to = rf_slice(names[i], 0, names[i].len - strlen(ASIDE_SUFFIX));
        if (!is_named(names, count, to)) RF_TRY(table_rename(h->store, names[i], to, err));
    }
    return RF_OK;
}

/* A rewrite that was cut short: what was in place stays, and what was to take its place goes. */
static enum rf_kind recover(struct cli_host *h, struct rf_err *err)
{
    rf_str *names;
    uint32_t count;
    RF_TRY(store_tables(h->store, h->arena, &names, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        bool is_old = rf_str_ends(names[i], RF_S(OLD_SUFFIX));
        if (!is_old && !rf_str_ends(names[i], RF_S(NEW_SUFFIX))) continue;
        rf_str table = rf_slice(names[i], 0, names[i].len - strlen(OLD_SUFFIX));
        if (is_old && !is_named(names, count, table))
            RF_TRY(table_rename(h->store, names[i], table, err));
        else
            RF_TRY(table_drop(h->store, names[i], err));
    }
    return finish_renaming(h, names, count, err);
}

/* Opens the store for writing, once. */
enum rf_kind cli_host_writing(struct cli_host *h, struct rf_err *err)
{
    if (h->store != NULL) return RF_OK;
    if (h->command->data == NULL)
        return RF_FAIL(err, RF_INVALID, "NoStore",
                       "a command that changes something needs a store: --data DIR");
    rf_str path = rf_arena_printf(h->arena, "%s/catalog.lock", h->command->data);
    const char *lock = rf_arena_cstr(h->arena, path);
    if (lock == NULL) return rf_fail_memory(err, h->arena);
    struct store_options options = {.budget = &h->budget, .writer = true};
    rf_budget_init(&h->budget, CLI_STORE_BYTES_MAX);
    struct store *store;
    RF_TRY(cli_store_open(h->command->data, h->command->key_file, options, &store, err));
    enum rf_kind kind = rf_fs_open(rf_fs_real(), lock,
                                   RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE, &h->lock, err);
    if (kind == RF_OK) kind = rf_file_lock(h->lock, false, err);
    if (kind != RF_OK) {
        store_close(store);
        return kind != RF_CONFLICT
                   ? kind
                   : RF_FAIL(err, RF_CONFLICT, "StoreLocked",
                             "another command is changing %s; try again when it is done",
                             h->command->data);
    }
    h->store = store;
    RF_TRY(recover(h, err));
    return cli_host_resume_purge(h, err);
}

/* To read, by whichever is open. */
static struct store *reading(struct cli_host *h)
{
    return h->store != NULL ? h->store : h->command->catalog->store;
}

static enum rf_kind note_of(struct cli_host *h, rf_str table, rf_str *folder, rf_str *docstring,
                            struct rf_err *err)
{
    struct json_node *notes;
    *folder = *docstring = RF_S("");
    if (h->command->data == NULL) return RF_OK;
    RF_TRY(cli_notes_read(h->command->data, "tables.json", h->arena, &notes, err));
    const struct json_node *note =
        json_is(notes, JSON_T_OBJECT) ? json_get_str(notes, table) : NULL;
    if (note == NULL) return RF_OK;
    if (json_text_at(note, "folder").len > 0) *folder = json_text_at(note, "folder");
    if (json_text_at(note, "docstring").len > 0) *docstring = json_text_at(note, "docstring");
    return RF_OK;
}

/* `folder` and `docstring` NULL: as they were. `to`: the note goes there; empty: it stays. */
static enum rf_kind change_note(struct cli_host *h, rf_str table, rf_str folder, rf_str docstring,
                                struct rf_err *err)
{
    struct json_node *notes;
    RF_TRY(cli_notes_read(h->command->data, "tables.json", h->arena, &notes, err));
    if (!json_is(notes, JSON_T_OBJECT)) notes = json_new(h->arena, JSON_T_OBJECT);
    struct json_node *note = notes == NULL ? NULL : json_new(h->arena, JSON_T_OBJECT);
    if (note == NULL) return rf_fail_memory(err, h->arena);
    json_set_text(h->arena, note, "folder", folder);
    json_set_text(h->arena, note, "docstring", docstring);
    json_remove(notes, table);
    if (folder.len > 0 || docstring.len > 0) json_set(h->arena, notes, table, note);
    return cli_notes_write(h->command->data, "tables.json", h->arena, notes, err);
}

enum rf_kind cli_host_find(struct command_host *base, rf_str table, struct command_def *out,
                           struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table *t;
    uint32_t count;
    RF_TRY(cli_host_writing(h, err));
    enum rf_kind kind = table_open(reading(h), table, &t, err);
    if (kind == RF_NOT_FOUND) return no_table(table, err);
    RF_TRY(kind);
    const struct extent_column *columns = table_columns(t, &count);
    struct ast_column *copy = rf_arena_new(h->arena, struct ast_column, count);
    bool room = copy != NULL;
    for (uint32_t i = 0; i < count && room; i++) {
        copy[i] = (struct ast_column){.type = columns[i].type};
        room = rf_arena_str(h->arena, columns[i].name, &copy[i].name);
    }
    table_close(t);
    if (!room) return rf_fail_memory(err, h->arena);
    *out = (struct command_def){.name = table, .columns = copy, .column_count = count};
    return note_of(h, table, &out->folder, &out->docstring, err);
}

static enum rf_kind describe(struct command_host *base, rf_str table, struct command_info *out,
                             struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table *t;
    *out = (struct command_info){0};
    RF_TRY(note_of(h, table, &out->folder, &out->docstring, err));
    bool details = base->command->verb == COMMAND_SHOW_TABLES_DETAILS;
    if (!details || reading(h) == NULL || table_open(reading(h), table, &t, NULL) != RF_OK)
        return RF_OK;
    out->stats = table_stats(t);
    out->has_stats = true;
    table_close(t);
    return RF_OK;
}

static enum rf_kind extents(struct command_host *base, struct source *source,
                            struct command_rows *out, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table *t;
    (void)err;
    if (reading(h) == NULL || table_open(reading(h), source->name, &t, NULL) != RF_OK)
        return RF_OK; /* a file */
    command_extents(base->database, source->name, t, out);
    table_close(t);
    return RF_OK;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static enum rf_kind writer_of(struct cli_host *h, rf_str table, const struct ast_column *columns,
                              uint32_t count, struct table_writer **out, struct rf_err *err)
{
    struct extent_column *copy = rf_arena_new(h->arena, struct extent_column, count);
    if (copy == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = (struct extent_column){.name = columns[i].name, .type = columns[i].type};
    return table_writer_open(h->store, table, copy, count, out, err);
}

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    if (rf_str_find(name, RF_S("$"), 0) == SIZE_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadTableName", "a table's name has no '$'");
}

static enum rf_kind put(struct command_host *base, const struct command_def *def,
                        struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table_writer *w;
    rf_str folder, docstring;
    RF_TRY(check_name(def->name, err));
    RF_TRY(cli_host_writing(h, err));
    RF_TRY(writer_of(h, def->name, def->columns, def->column_count, &w, err));
    table_writer_close(w); /* opening wrote the manifest */
    if (def->folder.ptr == NULL && def->docstring.ptr == NULL) return RF_OK;
    RF_TRY(note_of(h, def->name, &folder, &docstring, err));
    return change_note(h, def->name, def->folder.ptr == NULL ? folder : def->folder,
                       def->docstring.ptr == NULL ? docstring : def->docstring, err);
}

static enum rf_kind drop(struct command_host *base, rf_str table, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    RF_TRY(cli_host_writing(h, err));
    enum rf_kind kind = table_drop(h->store, table, err);
    if (kind == RF_NOT_FOUND) return no_table(table, err);
    RF_TRY(kind);
    return change_note(h, table, RF_S(""), RF_S(""), err);
}

static enum rf_kind move_note(struct cli_host *h, rf_str from, rf_str to, struct rf_err *err)
{
    rf_str folder, docstring;
    RF_TRY(note_of(h, from, &folder, &docstring, err));
    RF_TRY(change_note(h, from, RF_S(""), RF_S(""), err));
    return change_note(h, to, folder, docstring, err);
}

/* Names may go in a circle: those whose new name is still taken step aside first. */
static enum rf_kind rename_tables(struct command_host *base, const struct command_pair *pairs,
                                  uint32_t count, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    RF_TRY(cli_host_writing(h, err));
    for (uint32_t i = 0; i < count; i++) RF_TRY(check_name(pairs[i].to, err));
    bool circle = count > 1;
    for (uint32_t i = 0; i < count && circle; i++) {
        rf_str aside = with_suffix(h, pairs[i].to, ASIDE_SUFFIX);
        if (aside.ptr == NULL) return rf_fail_memory(err, h->arena);
        RF_TRY(table_rename(h->store, pairs[i].from, aside, err));
        RF_TRY(move_note(h, pairs[i].from, aside, err));
    }
    for (uint32_t i = 0; i < count; i++) {
        rf_str from = circle ? with_suffix(h, pairs[i].to, ASIDE_SUFFIX) : pairs[i].from;
        if (from.ptr == NULL) return rf_fail_memory(err, h->arena);
        RF_TRY(table_rename(h->store, from, pairs[i].to, err));
        RF_TRY(move_note(h, from, pairs[i].to, err));
    }
    return RF_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* The table T$new takes the place of T, whose retention it gets. */
static enum rf_kind swap_in(struct cli_host *h, rf_str table, struct rf_err *err)
{
    rf_str new = with_suffix(h, table, NEW_SUFFIX), old = with_suffix(h, table, OLD_SUFFIX);
    if (new.ptr == NULL || old.ptr == NULL) return rf_fail_memory(err, h->arena);
    RF_TRY(table_rename(h->store, table, old, err));
    RF_TRY(table_rename(h->store, new, table, err));
    return table_drop(h->store, old, err);
}

/* Rows go into a table as they come. */
struct table_sink {
    struct kql_sink sink;
    struct cli_host *host;
    rf_str table;
    struct table_writer *writer;
    uint64_t count;
};

static enum rf_kind into_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct table_sink *s = (struct table_sink *)sink;
    struct ast_column *columns = rf_arena_new(s->host->arena, struct ast_column, schema->count);
    (void)name, (void)render;
    if (s->writer != NULL)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "the command's query has several results");
    if (columns == NULL) return rf_fail_memory(err, s->host->arena);
    for (uint32_t i = 0; i < schema->count; i++)
        columns[i] =
            (struct ast_column){.name = schema->columns[i].name, .type = schema->columns[i].type};
    return writer_of(s->host, s->table, columns, schema->count, &s->writer, err);
}
static enum rf_kind into_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct table_sink *s = (struct table_sink *)sink;
    RF_TRY(table_append(s->writer, batch, err));
    s->count += batch->row_count;
    return table_wants_commit(s->writer) ? table_commit(s->writer, (rf_str){NULL, 0}, err) : RF_OK;
}
static enum rf_kind into_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static bool has_function(const struct catalog *catalog, rf_str name)
{
    for (uint32_t i = 0; i < catalog->function_count; i++)
        if (rf_str_eq(catalog->functions[i].name, name)) return true;
    return false;
}

/* What the command's start knew but for the store, then the store as it is by now: a script has changed it. */
static enum rf_kind merge_catalogs(struct cli_host *h, const struct cli_catalog *now,
                                   struct catalog *out, struct rf_err *err)
{
    const struct catalog *was = &h->command->catalog->catalog, *is = &now->catalog;
    *out = *was;
    out->sources =
        rf_arena_new(h->arena, struct source *, (size_t)was->source_count + is->source_count);
    out->functions = rf_arena_new(h->arena, struct stored_function,
                                  (size_t)was->function_count + is->function_count);
    if (out->sources == NULL || out->functions == NULL) return rf_fail_memory(err, h->arena);
    out->source_count = out->function_count = 0;
    for (uint32_t i = 0; i < was->source_count; i++)
        if (source_is_file(was->sources[i])) out->sources[out->source_count++] = was->sources[i];
    for (uint32_t i = 0; i < is->source_count; i++)
        out->sources[out->source_count++] = is->sources[i];
    for (uint32_t i = 0; i < is->function_count; i++)
        out->functions[out->function_count++] = is->functions[i];
    for (uint32_t i = 0; i < was->function_count; i++)
        if (!has_function(is, was->functions[i].name))
            out->functions[out->function_count++] = was->functions[i];
    return RF_OK;
}

static enum rf_kind query(struct command_host *base, rf_str text, struct kql_sink *sink,
                          struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct cli_catalog now = cli_catalog_in(h->arena);
    struct catalog merged;
    struct kql_request request = *h->command->request;
    struct kql_stats stats = {0};
    request.text = text;
    request.catalog = &merged;
    enum rf_kind kind = cli_catalog_add_store(&now, h->command->data, h->command->key_file, err);
    if (kind == RF_OK) kind = cli_catalog_finish(&now, err);
    if (kind == RF_OK) kind = merge_catalogs(h, &now, &merged, err);
    if (kind == RF_OK) kind = kql_run(&request, sink, &stats, err);
    cli_catalog_done(&now);
    return kind;
}

static enum rf_kind retention(struct command_host *base, rf_str table, int64_t *ticks,
                              struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table *t;
    *ticks = 0;
    if (reading(h) == NULL) return RF_OK;
    enum rf_kind kind = table_open(reading(h), table, &t, err);
    if (kind == RF_NOT_FOUND) return RF_OK; /* a file */
    RF_TRY(kind);
    *ticks = table_stats(t).retention_ticks;
    table_close(t);
    return RF_OK;
}

static enum rf_kind set_retention(struct command_host *base, rf_str table, int64_t ticks,
                                  struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table_writer *w;
    RF_TRY(cli_host_writing(h, err));
    RF_TRY(table_writer_open(h->store, table, NULL, 0, &w, err));
    enum rf_kind kind = table_set_retention(w, ticks, err);
    table_writer_close(w);
    return kind;
}

/* Ends what fills T$new. */
static enum rf_kind finish_new(struct cli_host *h, rf_str table, struct table_writer *w,
                               enum rf_kind kind, struct rf_err *err)
{
    int64_t ticks = 0;
    if (kind == RF_OK) kind = table_commit(w, (rf_str){NULL, 0}, err);
    if (kind == RF_OK) kind = retention(&h->base, table, &ticks, err);
    if (kind == RF_OK && ticks > 0) kind = table_set_retention(w, ticks, err);
    table_writer_close(w);
    return kind == RF_OK ? swap_in(h, table, err) : kind;
}

static enum rf_kind rewrite(struct command_host *base, rf_str table, rf_str text,
                            struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table_sink s = {.sink = {.begin = into_begin, .push = into_push, .end = into_end},
                           .host = h,
                           .table = with_suffix(h, table, NEW_SUFFIX)};
    RF_TRY(cli_host_writing(h, err));
    if (s.table.ptr == NULL) return rf_fail_memory(err, h->arena);
    enum rf_kind kind = query(base, text, &s.sink, err);
    if (s.writer == NULL)
        return kind != RF_OK ? kind
                             : RF_FAIL(err, RF_INVALID, "BadRequest", "the query has no result");
    return finish_new(h, table, s.writer, kind, err);
}

static enum rf_kind append_rows(struct table_writer *w, const struct rows *rows,
                                struct rf_arena *arena, struct rf_err *err)
{
    uint64_t count = rows_count(rows);
    for (uint64_t at = 0; at < count; at += BATCH_ROWS) {
        struct batch batch;
        if (!rows_batch(rows, at, arena, &batch)) return rf_fail_memory(err, arena);
        RF_TRY(table_append(w, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind append(struct command_host *base, rf_str table, const struct schema *schema,
                           const struct rows *rows, bool replaces, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct table_writer *w;
    struct command_def def;
    rf_str position = {NULL, 0}, into = table;
    struct ast_column *columns = rf_arena_new(h->arena, struct ast_column, schema->count);
    if (columns == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < schema->count; i++)
        columns[i] =
            (struct ast_column){.name = schema->columns[i].name, .type = schema->columns[i].type};
    RF_TRY(cli_host_writing(h, err));
    if (replaces) {
        into = with_suffix(h, table, NEW_SUFFIX);
        if (into.ptr == NULL) return rf_fail_memory(err, h->arena);
        RF_TRY(cli_host_find(base, table, &def, err));
        RF_TRY(writer_of(h, into, def.columns, def.column_count, &w, err));
        table_writer_close(w);
    }
    RF_TRY(writer_of(h, into, columns, schema->count, &w, err));
    enum rf_kind kind = append_rows(w, rows, h->arena, err);
    if (replaces) return finish_new(h, table, w, kind, err);
    /* How far files were read stays as it was. */
    if (kind == RF_OK) kind = table_position(w, h->arena, &position, err);
    if (kind == RF_OK) kind = table_commit(w, position, err);
    table_writer_close(w);
    return kind;
}

static enum rf_kind clear(struct command_host *base, rf_str table, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct command_def def;
    struct table_writer *w;
    rf_str new = with_suffix(h, table, NEW_SUFFIX);
    RF_TRY(cli_host_writing(h, err));
    RF_TRY(cli_host_find(base, table, &def, err));
    if (new.ptr == NULL) return rf_fail_memory(err, h->arena);
    RF_TRY(writer_of(h, new, def.columns, def.column_count, &w, err));
    return finish_new(h, table, w, RF_OK, err);
}

static enum rf_kind may_ingest(struct command_host *base, rf_str table, struct rf_err *err)
{
    RF_TRY(check_name(table, err));
    return cli_host_writing(cli_host_of(base), err);
}

static enum rf_kind ingest(struct command_host *base, const struct command *c, uint64_t *count,
                           struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct command_def def;
    struct schema schema;
    struct rows *rows;
    rf_str format = command_property(c, "format");
    RF_TRY(cli_host_find(base, c->name, &def, err));
    struct command_data data = {.format = format.len > 0 ? format : RF_S("csv"),
                                .data = rf_str_trim(c->body),
                                .mapping = command_property(c, "ingestionMapping"),
                                .ignore_first = command_flag(c, "ignoreFirstRecord"),
                                .columns = def.columns,
                                .column_count = def.column_count};
    RF_TRY(command_read_data(&data, h->arena, &schema, &rows, err));
    *count = rows_count(rows);
    return *count == 0 ? RF_OK : append(base, c->name, &schema, rows, false, err);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void show_database(struct cli_host *h, struct command_rows *out)
{
    struct value none = command_literal("");
    rf_str path = h->command->data == NULL ? RF_S("") : rf_str_of(h->command->data);
    command_rows_init(out, h->arena, COMMAND_DATABASE_COLUMNS);
    command_rows_add(out,
                     (struct value[]){command_text(h->base.database), command_text(path),
                                      command_literal("v1.0"), value_bool(true),
                                      command_literal(path.len > 0 ? "ReadWrite" : "ReadOnly"),
                                      none, value_bool(true), value_null(TYPE_GUID), none, none});
}

static void show_machine(struct cli_host *h, bool cluster, struct command_rows *out)
{
    if (cluster) {
        command_rows_init(out, h->arena,
                          "NodeId:string, Address:string, Name:string, StartTime:datetime, "
                          "IsAdmin:bool, MachineTotalMemory:long, MachineAvailableMemory:long, "
                          "ProcessorCount:int, EnvironmentDescription:string");
        command_rows_add(
            out, (struct value[]){command_literal("local"), command_literal(""),
                                  command_literal("Ringfort"), value_null(TYPE_DATETIME),
                                  value_bool(true), value_null(TYPE_LONG), value_null(TYPE_LONG),
                                  value_i64(TYPE_INT, pool_processors()), command_literal("")});
        return;
    }
    command_rows_init(out, h->arena,
                      "BuildVersion:string, BuildTime:datetime, ServiceType:string, "
                      "ProductVersion:string, ServiceOffering:string");
    command_rows_add(out, (struct value[]){command_literal(COMMAND_VERSION),
                                           value_null(TYPE_DATETIME), command_literal("Embedded"),
                                           command_literal("Ringfort " COMMAND_VERSION),
                                           command_literal("{\"Type\":\"Ringfort\"}")});
}

static void show_capacity(struct cli_host *h, struct command_rows *out)
{
    uint64_t workers = h->command->request->lane_count;
    command_rows_init(out, h->arena,
                      "Resource:string, Total:long, Consumed:long, Remaining:long, Origin:string");
    command_rows_add(out, (struct value[]){command_literal("QueryWorkers"), command_number(workers),
                                           command_number(0), command_number(workers),
                                           command_literal("processors")});
}

static enum rf_kind other(struct command_host *base, const struct command *c,
                          struct command_rows *out, bool *known, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    *known = true;
    if (c->database.len > 0 && !rf_str_eq_nocase(c->database, base->database) &&
        !rf_str_is(c->database, "NetDefaultDB"))
        return RF_FAIL(err, RF_NOT_FOUND, "DatabaseNotFound",
                       "Database '%.*s' could not be found; there is '%.*s'.", RF_FMT(c->database),
                       RF_FMT(base->database));
    switch (c->verb) {
    case COMMAND_SHOW_VERSION:
    case COMMAND_SHOW_CLUSTER:
        show_machine(h, c->verb == COMMAND_SHOW_CLUSTER, out);
        return RF_OK;
    case COMMAND_SHOW_CAPACITY:
        show_capacity(h, out);
        return RF_OK;
    case COMMAND_SHOW_DATABASE:
    case COMMAND_SHOW_DATABASES:
        show_database(h, out);
        return RF_OK;
    default:
        *known = false;
        return RF_OK;
    }
}

static const struct command_ops ops = {.find = cli_host_find,
                                       .put = put,
                                       .describe = describe,
                                       .drop = drop,
                                       .rename = rename_tables,
                                       .rewrite = rewrite,
                                       .clear = clear,
                                       .retention = retention,
                                       .set_retention = set_retention,
                                       .may_ingest = may_ingest,
                                       .append = append,
                                       .ingest = ingest,
                                       .extents = extents,
                                       .functions = cli_host_functions,
                                       .put_function = cli_host_put_function,
                                       .drop_function = cli_host_drop_function,
                                       .query = query,
                                       .purge_count = cli_host_purge_count,
                                       .purge = cli_host_purge,
                                       .purges = cli_host_purges,
                                       .token = cli_host_token,
                                       .other = other};

/* The folder's name; without a store "files". */
static rf_str database_name(const char *data)
{
    if (data == NULL) return RF_S("files");
    rf_str path = rf_str_of(data);
    while (path.len > 1 && path.ptr[path.len - 1] == '/') path.len--;
    size_t from = path.len;
    while (from > 0 && path.ptr[from - 1] != '/') from--;
    rf_str name = rf_slice(path, from, path.len);
    return name.len == 0 || rf_str_is(name, ".") ? RF_S("store") : name;
}

enum rf_kind cli_management_run(const struct cli_management *command, struct kql_sink *sink,
                                struct kql_stats *stats, struct rf_err *err)
{
    struct command c;
    struct command_rows rows;
    struct cli_host h = {.base = {.ops = &ops,
                                  .arena = command->arena,
                                  .catalog = &command->catalog->catalog,
                                  .database = database_name(command->data),
                                  .now = rf_clock_now(rf_clock_real()),
                                  .where = COMMAND_EMBEDDED},
                         .command = command,
                         .arena = command->arena};
    RF_TRY(command_parse(command->request->text, command->arena, &c, err));
    enum rf_kind kind = command_run(&h.base, &c, &rows, err);
    store_close(h.store);
    rf_file_close(h.lock);
    RF_TRY(kind);
    return command_pipe(command->request, &c, &rows, sink, stats, err);
}
