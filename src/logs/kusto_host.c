/* kusto_host.c - what management commands act on: the workspace's tables and functions, by way of the control plane, so that there is
 * one truth; rows by way of ingestion. Every function checks what the caller may do before it looks. */
#include "base/encode.h"
#include "base/json.h"
#include "crypt/digest.h"
#include "kql/ast.h"
#include "kql/source_store.h"
#include "logs/jobs.h"
#include "logs/kusto_int.h"
#include "logs/purge.h"
#include "tables/ask.h"
#include "tables/tables_remove.h"
#include "value/text.h"

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"
#define FOLDER_SPACE "kustoTable"
enum { NOTES_MAX = 100000, DAYS_MAX = 4383 };

/* Folder and docstring of a table. */
struct kusto_note {
    rf_str table, folder, docstring;
};

enum rf_kind kusto_require(struct kusto_host *h, const char *action, rf_str scope,
                           struct rf_err *err)
{
    if (scope.ptr == NULL) return rf_fail_memory(err, h->arena);
    return authz_require(h->logs->options.authz, h->request->principal, rf_str_of(action), scope,
                         false, err);
}

static rf_str table_id(struct kusto_host *h, rf_str table)
{
    return rf_arena_printf(h->arena, "%.*s/tables/%.*s", RF_FMT(h->workspace.id), RF_FMT(table));
}

static int64_t now_ticks(const struct kusto_host *h)
{
    return DATETIME_UNIX_EPOCH + h->base.now * TICKS_PER_MICROSECOND;
}

/* ---- what is known of tables ------------------------------------------------------------------------------------- */

/* The right that the command needs, at the table: so nobody learns from errors what there is. */
static enum rf_kind require_for(struct kusto_host *h, rf_str table, struct rf_err *err)
{
    switch (h->base.command->entry->right) {
    case COMMAND_DEFINES:
        return kusto_require(h, WORKSPACES "/tables/write", table_id(h, table), err);
    case COMMAND_INGESTS:
        return kusto_may_ingest(h->logs, h->request, h->arena, &h->workspace, table, err);
    case COMMAND_PURGES:
        return kusto_require(h, WORKSPACES "/purge/action", h->workspace.id, err);
    default:
        return RF_OK;
    }
}

static enum rf_kind no_table(rf_str table, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_EntityNotFound",
                   "Table '%.*s' could not be found.", (int)RF_MIN(table.len, (size_t)100),
                   (const char *)table.ptr);
}

static enum rf_kind read_notes(struct kusto_host *h, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct arm_resource *docs;
    struct state_list list;
    uint32_t count;
    if (h->has_notes) return RF_OK;
    rf_str prefix = rf_arena_printf(h->arena, "%.*s/tables/", RF_FMT(h->workspace.id));
    rf_str folders = rf_arena_printf(h->arena, "%.*s/", RF_FMT(h->workspace.guid));
    if (prefix.ptr == NULL || folders.ptr == NULL) return rf_fail_memory(err, h->arena);
    prefix = resource_key(h->arena, prefix);
    struct state_scan scan = {.space = FOLDER_SPACE, .prefix = folders, .limit = NOTES_MAX};
    RF_TRY(state_begin_read(h->logs->options.state, &txn, err));
    RF_TRY(arm_list(h->logs->options.arm, txn, WORKSPACES "/tables", h->arena, &docs, &count, err));
    RF_TRY(state_list(txn, &scan, h->arena, &list, err));
    h->notes = rf_arena_new(h->arena, struct kusto_note, (size_t)count + list.count);
    if (h->notes == NULL || prefix.ptr == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_starts(docs[i].key, prefix))
            h->notes[h->note_count++] = (struct kusto_note){
                .table = docs[i].name,
                .docstring = json_text_at(docs[i].body, "properties.schema.description")};
    for (uint32_t i = 0; i < list.count; i++)
        h->notes[h->note_count++] = (struct kusto_note){
            .table = rf_slice(list.items[i].key, folders.len, list.items[i].key.len),
            .folder = list.items[i].body};
    h->has_notes = true;
    return RF_OK;
}

static enum rf_kind find_note(struct kusto_host *h, rf_str table, rf_str *folder, rf_str *docstring,
                              struct rf_err *err)
{
    *folder = *docstring = RF_S("");
    RF_TRY(read_notes(h, err));
    for (uint32_t i = 0; i < h->note_count; i++) {
        if (!rf_str_eq_nocase(h->notes[i].table, table)) continue;
        if (h->notes[i].folder.len > 0) *folder = h->notes[i].folder;
        if (h->notes[i].docstring.len > 0) *docstring = h->notes[i].docstring;
    }
    return RF_OK;
}

static enum rf_kind put_folder(struct kusto_host *h, rf_str table, rf_str folder,
                               struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str key = rf_arena_printf(h->arena, "%.*s/%.*s", RF_FMT(h->workspace.guid), RF_FMT(table));
    if (key.ptr == NULL) return rf_fail_memory(err, h->arena);
    struct state_put put = {
        .space = FOLDER_SPACE, .key = resource_key(h->arena, key), .body = folder};
    if (put.key.ptr == NULL) return rf_fail_memory(err, h->arena);
    h->has_notes = false;
    h->note_count = 0;
    RF_TRY(state_begin_write(h->logs->options.state, &txn, err));
    if (folder.len > 0) {
        RF_TRY(state_put(txn, &put, NULL, NULL, err));
    } else {
        enum rf_kind kind = state_delete(txn, FOLDER_SPACE, put.key, err);
        if (kind == RF_NOT_FOUND) return RF_OK;
        RF_TRY(kind);
    }
    return state_finish(&txn, err);
}

static enum rf_kind find(struct command_host *base, rf_str table, struct command_def *out,
                         struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct table_def def;
    RF_TRY(require_for(h, table, err));
    enum rf_kind kind =
        tables_find(h->logs->options.tables, h->workspace.guid, table, h->arena, &def, err);
    if (kind == RF_NOT_FOUND) return no_table(table, err);
    RF_TRY(kind);
    struct ast_column *columns = rf_arena_new(h->arena, struct ast_column, def.column_count);
    if (columns == NULL) return rf_fail_memory(err, h->arena);
    *out = (struct command_def){.name = def.name, .columns = columns};
    for (uint32_t i = 0; i < def.column_count; i++) {
        const struct table_column *c = &def.columns[i];
        if (rf_str_is(c->name, "TenantId") || rf_str_is(c->name, "Type")) continue;
        columns[out->column_count++] = (struct ast_column){.name = c->name, .type = c->type};
    }
    return find_note(h, def.name, &out->folder, &out->docstring, err);
}

static enum rf_kind describe(struct command_host *base, rf_str table, struct command_info *out,
                             struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct source *source = catalog_find_own(base->catalog, table);
    *out = (struct command_info){0};
    RF_TRY(find_note(h, table, &out->folder, &out->docstring, err));
    /* How many rows there are is told only to who sees them all. */
    if (source == NULL || h->base.command->verb != COMMAND_SHOW_TABLES_DETAILS ||
        query_view_narrows(&h->view, source))
        return RF_OK;
    out->stats = tables_source_stats(source);
    out->has_stats = true;
    return RF_OK;
}

static enum rf_kind extents(struct command_host *base, struct source *source,
                            struct command_rows *out, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    (void)err;
    if (query_view_narrows(&h->view, source)) return RF_OK;
    command_extents(base->database, source->name, tables_source_table(source), out);
    return RF_OK;
}

/* ---- changing tables --------------------------------------------------------------------------------------------- */

/* As the control plane names types; NULL: it has no such column. */
static const char *arm_type(enum type type)
{
    switch (type) {
    case TYPE_BOOL:
        return "boolean";
    case TYPE_DATETIME:
        return "dateTime";
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_REAL:
    case TYPE_GUID:
    case TYPE_STRING:
    case TYPE_DYNAMIC:
        return type_name(type);
    default:
        return NULL;
    }
}

/* The workspace fills these in by itself; a definition does not name them. */
static bool is_own(rf_str name)
{
    return rf_str_is(name, "TenantId") || rf_str_is(name, "Type") ||
           rf_str_is(name, "_ResourceId") || rf_str_is(name, "_SubscriptionId") ||
           rf_str_is(name, "_ItemId");
}

/* The properties of the table's document as it is, or new ones. */
static enum rf_kind document(struct kusto_host *h, rf_str id, struct json_node **body,
                             struct json_node **properties, struct rf_err *err)
{
    struct state_txn *txn;
    struct arm_resource was;
    *body = json_new(h->arena, JSON_T_OBJECT);
    RF_TRY(state_begin_read(h->logs->options.state, &txn, err));
    enum rf_kind kind = arm_get(h->logs->options.arm, txn, id, h->arena, &was, err);
    state_end(txn);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    const struct json_node *before = kind == RF_OK ? json_get(was.body, "properties") : NULL;
    *properties = before == NULL
                      ? json_object_in(h->arena, *body, "properties")
                      : json_set(h->arena, *body, RF_S("properties"), json_clone(h->arena, before));
    return *properties == NULL ? rf_fail_memory(err, h->arena) : RF_OK;
}

static enum rf_kind put_document(struct kusto_host *h, rf_str id, struct json_node *body,
                                 struct rf_err *err)
{
    struct arm_resource made;
    bool created;
    RF_TRY(arm_put(h->logs->options.arm, id, body, h->request->principal, h->arena, &made, &created,
                   err));
    h->has_notes = false;
    h->note_count = 0;
    return RF_OK;
}

static bool is_standard(const struct table_def *def, rf_str name)
{
    for (uint32_t i = 0; def != NULL && i < def->column_count; i++)
        if (rf_str_eq_nocase(def->columns[i].name, name))
            return def->columns[i].standard && !rf_str_is(name, "TimeGenerated");
    return false;
}

/* Every table of a workspace has a TimeGenerated: it is added where the command names none. */
static enum rf_kind add_columns(struct kusto_host *h, const struct command_def *def,
                                const struct table_def *before, struct json_node *list,
                                struct rf_err *err)
{
    bool timed = false;
    for (uint32_t i = 0; i < def->column_count; i++)
        timed |= rf_str_is(def->columns[i].name, "TimeGenerated");
    timed |= before != NULL && before->standard;
    for (uint32_t i = 0; i < def->column_count + !timed; i++) {
        bool added = i == def->column_count;
        rf_str column = added ? RF_S("TimeGenerated") : def->columns[i].name;
        enum type type = added ? TYPE_DATETIME : (enum type)def->columns[i].type;
        bool given = before != NULL && before->standard && rf_str_is(column, "TimeGenerated");
        if (is_own(column) || given || is_standard(before, column)) continue;
        if (arm_type(type) == NULL)
            return RF_FAIL(err, RF_INVALID, "NotSupported",
                           "a table of a workspace has no column of type %s ('%.*s')",
                           type_name(type), RF_FMT(column));
        struct json_node *item = json_append(list, json_new(h->arena, JSON_T_OBJECT));
        json_set_text(h->arena, item, "name", column);
        if (json_set_text(h->arena, item, "type", rf_str_of(arm_type(type))) == NULL)
            return rf_fail_memory(err, h->arena);
    }
    return RF_OK;
}

static enum rf_kind put(struct command_host *base, const struct command_def *def,
                        struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct json_node *body, *properties;
    struct table_def before;
    rf_str id = table_id(h, def->name);
    RF_TRY(kusto_require(h, WORKSPACES "/tables/write", id, err));
    bool there = tables_find(h->logs->options.tables, h->workspace.guid, def->name, h->arena,
                             &before, NULL) == RF_OK;
    RF_TRY(document(h, id, &body, &properties, err));
    struct json_node *schema = json_object_in(h->arena, properties, "schema");
    struct json_node *list =
        json_set(h->arena, schema, RF_S("columns"), json_new(h->arena, JSON_T_ARRAY));
    if (list == NULL) return rf_fail_memory(err, h->arena);
    if (json_get(properties, "plan") == NULL)
        json_set_text(h->arena, properties, "plan", RF_S("Analytics"));
    json_set_text(h->arena, schema, "name", def->name);
    if (def->docstring.ptr != NULL) json_set_text(h->arena, schema, "description", def->docstring);
    RF_TRY(add_columns(h, def, there ? &before : NULL, list, err));
    RF_TRY(put_document(h, id, body, err));
    return def->folder.ptr == NULL ? RF_OK : put_folder(h, def->name, def->folder, err);
}

static enum rf_kind drop(struct command_host *base, rf_str table, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    bool existed = false;
    rf_str id = table_id(h, table);
    RF_TRY(kusto_require(h, WORKSPACES "/tables/delete", id, err));
    enum rf_kind kind =
        arm_delete(h->logs->options.arm, id, h->request->principal, h->arena, &existed, err);
    if (kind == RF_NOT_FOUND || (kind == RF_OK && !existed)) return no_table(table, err);
    RF_TRY(kind);
    return put_folder(h, table, RF_S(""), err);
}

static enum rf_kind keep_none(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                              struct rf_err *err)
{
    (void)ctx, (void)batch, (void)rows, (void)err;
    *kept = 0;
    return RF_OK;
}

static enum rf_kind clear(struct command_host *base, rf_str table, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct table_keep keep = {.rows = keep_none};
    uint64_t removed = 0;
    RF_TRY(kusto_require(h, WORKSPACES "/purge/action", h->workspace.id, err));
    return tables_remove_rows(h->logs->options.tables, h->workspace.guid, table, &keep,
                              h->request->gone, &removed, err);
}

/* ---- retention --------------------------------------------------------------------------------------------------- */

static enum rf_kind retention(struct command_host *base, rf_str table, int64_t *ticks,
                              struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct state_txn *txn;
    struct arm_resource workspace;
    struct table_def def;
    RF_TRY(tables_find(h->logs->options.tables, h->workspace.guid, table, h->arena, &def, err));
    *ticks = def.retention_ticks;
    if (*ticks != TABLE_RETENTION_DEFAULT) return RF_OK;
    RF_TRY(state_begin_read(h->logs->options.state, &txn, err));
    enum rf_kind kind =
        arm_get(h->logs->options.arm, txn, h->workspace.id, h->arena, &workspace, err);
    state_end(txn);
    RF_TRY(kind);
    const struct json_node *days = json_at(workspace.body, "properties.retentionInDays");
    int64_t number = 0;
    if (json_is(days, JSON_T_NUMBER)) (void)text_to_long(days->text, &number);
    *ticks = RF_MAX(number, 0) * TICKS_PER_DAY;
    return RF_OK;
}

/* Whole days, upwards: rows are kept rather too long. */
static enum rf_kind set_retention(struct command_host *base, rf_str table, int64_t ticks,
                                  struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct json_node *body, *properties;
    rf_str id = table_id(h, table);
    int64_t days = ticks / TICKS_PER_DAY + (ticks % TICKS_PER_DAY != 0);
    RF_TRY(kusto_require(h, WORKSPACES "/tables/write", id, err));
    if (days > DAYS_MAX)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "a table keeps its rows for %d days at most",
                       DAYS_MAX);
    RF_TRY(document(h, id, &body, &properties, err));
    json_remove(properties, RF_S("totalRetentionInDays"));
    json_remove(properties, RF_S("retentionInDays"));
    if (days > 0 && json_set_i64(h->arena, properties, "retentionInDays", days) == NULL)
        return rf_fail_memory(err, h->arena);
    return put_document(h, id, body, err);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static enum rf_kind may_ingest(struct command_host *base, rf_str table, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    return kusto_may_ingest(h->logs, h->request, h->arena, &h->workspace, table, err);
}

static enum rf_kind ingest(struct command_host *base, const struct command *c, uint64_t *count,
                           struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    rf_str format = command_property(c, "format");
    rf_str mapping = command_property(c, "ingestionMappingReference");
    struct kusto_ingest in = {.workspace = &h->workspace,
                              .table = c->name,
                              .format = format.len > 0 ? format : RF_S("csv"),
                              .mapping = mapping.len > 0 ? mapping
                                                         : command_property(c, "mappingReference"),
                              .mapping_text = command_property(c, "ingestionMapping"),
                              .ignore_first = command_flag(c, "ignoreFirstRecord"),
                              .data = rf_str_trim(c->body),
                              .now_ticks = now_ticks(h)};
    return kusto_ingest(h->logs, h->arena, &in, count, err);
}

static enum rf_kind query(struct command_host *base, rf_str text, struct kql_sink *sink,
                          struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct query_want want = {.text = text,
                              .span = h->ask->scope,
                              .workspaces = &h->workspace,
                              .workspace_count = 1,
                              .wait_usec = h->ask->wait_usec,
                              .now_ticks = h->ask->now_ticks,
                              .target = h->request->http->path,
                              .correlation_id = h->request->request_id};
    struct query_result result;
    if (want.now_ticks == 0) want.now_ticks = now_ticks(h);
    query_run(h->logs, h->request, h->arena, &want, sink, &result);
    query_audit(h->logs, h->request, h->arena, &want, &result, result.kind == RF_OK ? 200 : 400);
    if (result.kind != RF_OK && err != NULL) *err = result.err;
    return result.kind;
}

/* A question of the program itself about a table: the first row's first columns. */
static enum rf_kind ask_numbers(struct kusto_host *h, rf_str text, int64_t *numbers, uint32_t count,
                                struct rf_err *err)
{
    struct ask_view *view;
    struct answer answer;
    struct ask ask = {.text = text, .now_ticks = now_ticks(h), .cancelled = h->request->gone};
    RF_TRY(ask_open(h->logs->options.tables, h->workspace.guid, h->workspace.name, NULL, 0, &view,
                    err));
    enum rf_kind kind = ask_run(view, &ask, h->arena, &answer, err);
    for (uint32_t i = 0; i < count && kind == RF_OK; i++)
        numbers[i] = rows_count(answer.rows) == 0 ? 0 : rows_value(answer.rows, 0, i).i;
    ask_close(view);
    return kind;
}

/* Rows that had arrived by then go. */
struct older {
    int64_t until;
};
static enum rf_kind keep_newer(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    const struct older *older = ctx;
    const struct vec *arrival = &batch->columns[0];
    (void)err;
    *kept = 0;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        bool known = arrival->type == TYPE_DATETIME && !vec_null(arrival, i);
        if (known && vec_value(arrival, i).i > older->until) rows[(*kept)++] = i;
    }
    return RF_OK;
}

/* The new rows come first: what goes wrong between the two leaves rows too many and none too few. */
static enum rf_kind append(struct command_host *base, rf_str table, const struct schema *schema,
                           const struct rows *rows, bool replaces, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct older older = {0};
    uint64_t removed = 0;
    if (replaces) {
        RF_TRY(kusto_require(h, WORKSPACES "/purge/action", h->workspace.id, err));
        rf_str text = rf_arena_printf(
            h->arena, "['%.*s'] | summarize a = max(tolong(ingestion_time()))", RF_FMT(table));
        if (text.ptr == NULL) return rf_fail_memory(err, h->arena);
        RF_TRY(ask_numbers(h, text, &older.until, 1, err));
    }
    RF_TRY(kusto_append(h->logs, &h->workspace, table, schema, rows, now_ticks(h), h->arena, err));
    if (!replaces) return RF_OK;
    rf_str column = RF_S(ARRIVAL_COLUMN);
    struct table_keep keep = {
        .columns = &column, .column_count = 1, .rows = keep_newer, .ctx = &older};
    return tables_remove_rows(h->logs->options.tables, h->workspace.guid, table, &keep, NULL,
                              &removed, err);
}

/* ---- purges ------------------------------------------------------------------------------------------------------ */

/* Counting tells about rows: only who sees all of them may ask. */
static enum rf_kind purge_count(struct command_host *base, rf_str table, rf_str predicate,
                                uint64_t *count, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    struct source *source = catalog_find_own(base->catalog, table);
    int64_t number = 0;
    RF_TRY(kusto_require(h, WORKSPACES "/purge/action", h->workspace.id, err));
    if (source == NULL || query_view_narrows(&h->view, source))
        return RF_FAIL(err, RF_DENIED, "Forbidden",
                       "how many rows a purge meets is told to who may read the whole table; "
                       "with (noregrets='true') purges without telling");
    rf_str text =
        rf_arena_printf(h->arena, "['%.*s']\n| %.*s\n| count", RF_FMT(table), RF_FMT(predicate));
    if (text.ptr == NULL) return rf_fail_memory(err, h->arena);
    RF_TRY(ask_numbers(h, text, &number, 1, err));
    *count = (uint64_t)RF_MAX(number, 0);
    return RF_OK;
}

static enum rf_kind purge(struct command_host *base, rf_str table, rf_str predicate,
                          struct command_purge *out, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    RF_TRY(kusto_require(h, WORKSPACES "/purge/action", h->workspace.id, err));
    return purge_start_predicate(h->logs, &h->workspace, h->request, table, predicate, h->arena,
                                 out, err);
}

static enum rf_kind purges(struct command_host *base, struct command_purge **out, uint32_t *count,
                           struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    RF_TRY(kusto_require(h, WORKSPACES "/purge/action", h->workspace.id, err));
    return purge_list(h->logs, &h->workspace, h->arena, out, count, err);
}

/* Made with the key of the workspaces' tables, for this caller. */
static enum rf_kind token(struct command_host *base, rf_str text, rf_str *out, struct rf_err *err)
{
    struct kusto_host *h = kusto_host_of(base);
    const struct extent_key *key = tables_key(h->logs->options.tables);
    const struct principal *p = h->request->principal;
    uint8_t mac[SHA256_BYTES];
    rf_str all =
        rf_arena_printf(h->arena, "purge token\n%.*s\n%.*s\n%.*s", RF_FMT(h->workspace.guid),
                        RF_FMT(p == NULL ? RF_S("") : p->object_id), RF_FMT(text));
    static const uint8_t none[32];
    bool keyed = key != NULL && key->present;
    rf_str secret = rf_str_make(keyed ? key->bytes : none, sizeof none);
    if (all.ptr == NULL) return rf_fail_memory(err, h->arena);
    digest_hmac_sha256(secret, all, mac);
    *out = hex_encode(h->arena, rf_str_make(mac, sizeof mac));
    return out->ptr == NULL ? rf_fail_memory(err, h->arena) : RF_OK;
}

static enum rf_kind other(struct command_host *base, const struct command *c,
                          struct command_rows *out, bool *known, struct rf_err *err)
{
    return kusto_show(kusto_host_of(base), c, out, known, err);
}

/* A table's folder is its name, so rename and rewrite are not offered: rules, exports and permissions name tables too. */
static const struct command_ops ops = {.find = find,
                                       .put = put,
                                       .describe = describe,
                                       .drop = drop,
                                       .clear = clear,
                                       .retention = retention,
                                       .set_retention = set_retention,
                                       .may_ingest = may_ingest,
                                       .append = append,
                                       .ingest = ingest,
                                       .extents = extents,
                                       .functions = kusto_functions,
                                       .put_function = kusto_put_function,
                                       .drop_function = kusto_drop_function,
                                       .query = query,
                                       .purge_count = purge_count,
                                       .purge = purge,
                                       .purges = purges,
                                       .token = token,
                                       .other = other};

static bool needs_view(const struct command *c)
{
    if (c->verb == COMMAND_SHOW_SCHEMA || c->verb == COMMAND_SHOW_SCHEMA_JSON)
        return !c->everywhere;
    return c->verb == COMMAND_SHOW_DATABASE || c->verb == COMMAND_SHOW_MAPPINGS ||
           (c->verb >= COMMAND_SHOW_SCHEMA_SCRIPT && c->verb <= COMMAND_SHOW_FUNCTION);
}

enum rf_kind kusto_host_init(struct kusto_host *h, struct request *request,
                             const struct kusto_ask *ask, const struct command *command,
                             struct rf_err *err)
{
    struct logs *logs = request->service;
    *h = (struct kusto_host){.base = {.ops = &ops,
                                      .arena = request->arena,
                                      .now = rf_clock_now(logs->options.clock),
                                      .where = COMMAND_SERVER,
                                      .command = command},
                             .logs = logs,
                             .request = request,
                             .arena = request->arena,
                             .ask = ask};
    /* What names a database is about that one. */
    rf_str name = command->database.len > 0 ? command->database : ask->db;
    RF_TRY(kusto_database(logs, request, request->arena, name, &h->workspace, err));
    h->base.database = h->workspace.name;
    h->base.catalog = &h->none;
    enum rf_kind kind = query_view_open(logs, request, request->arena, &h->workspace, 1,
                                        (rf_str){NULL, 0}, &h->view, err);
    if (kind == RF_OK) h->base.catalog = &h->view.catalog;
    /* Who may write and not read sees nothing, and is told so only when it asks to see. */
    return kind == RF_DENIED && !needs_view(command) ? RF_OK : kind;
}

void kusto_host_done(struct kusto_host *h) { query_view_close(&h->view); }
