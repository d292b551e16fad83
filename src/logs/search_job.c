#include "logs/search_job.h"

#include "base/encode.h"
#include "base/pool.h"
#include "logs/jobs.h"
#include "logs/query_int.h"
#include "tables/tables_remove.h"

enum {
    SEARCH_ROWS_MAX = 1000000,
    FLUSH_ROWS = 32768, /* rows of one commit */
    ROWS_BYTES_MAX = 512 << 20,
    NAME_BYTES_MAX = 100,
};
#define SEARCH_WAIT (24 * 3600 * RF_USEC_PER_SECOND)

bool search_job_owns(rf_str table)
{
    return rf_str_ends(table, RF_S("_SRCH")) || rf_str_ends(table, RF_S("_RST"));
}

static bool restores(rf_str table) { return rf_str_ends(table, RF_S("_RST")); }

static rf_str job_key(struct rf_arena *arena, rf_str resource_id)
{
    rf_str key = resource_key(arena, resource_id);
    return key.ptr == NULL ? key : rf_arena_printf(arena, "table:%.*s", RF_FMT(key));
}

/* ---- the query --------------------------------------------------------------------------------------------------- */

struct search {
    struct logs *logs;
    struct principal principal;
    struct workspace workspace;
    rf_str text;
    int64_t from_ticks, to_ticks;
    int64_t limit;
    bool restores;
    const atomic_bool *cancelled;
};

/* What the results' columns are called in the table; ptr NULL: not kept, as the table fills it in. */
static rf_str kept_name(const struct search *search, rf_str name)
{
    static const char *const original[][2] = {{"TimeGenerated", "_OriginalTimeGenerated"},
                                              {"Type", "_OriginalType"},
                                              {"_ItemId", "_OriginalItemId"}};
    if (rf_str_is(name, "TenantId")) return (rf_str){NULL, 0};
    if (search->restores) return rf_str_is(name, "Type") ? (rf_str){NULL, 0} : name;
    for (size_t i = 0; i < RF_COUNT(original); i++)
        if (rf_str_is(name, original[i][0])) return rf_str_of(original[i][1]);
    return name;
}

struct search_sink {
    struct kql_sink sink;
    const struct search *search;
    const struct query_view *view;
    struct rf_arena *arena; /* of schema and places */
    struct schema schema;   /* as it is kept */
    uint32_t *places;       /* of these columns in the results */
    bool begun;
    /* Of a run that stores its rows: */
    rf_str table;
    struct rf_arena rows_arena;
    struct rows *rows;
    uint8_t *types;
    int64_t now_ticks;
    uint64_t row_count; /* stored or waiting */
};

static enum rf_kind sink_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct search_sink *s = (struct search_sink *)sink;
    (void)name, (void)render;
    if (s->view->narrowed)
        return RF_FAIL(err, RF_DENIED, "AuthorizationFailed",
                       "a search job or restore needs the right to read all rows of its tables");
    if (s->begun)
        return RF_FAIL(err, RF_INVALID, "InvalidParameter", "the query must have one result");
    s->begun = true;
    s->schema.columns = rf_arena_new(s->arena, struct column, schema->count);
    s->places = rf_arena_new(s->arena, uint32_t, schema->count);
    s->types = rf_arena_new(s->arena, uint8_t, schema->count);
    if (s->schema.columns == NULL || s->places == NULL || s->types == NULL)
        return rf_fail_memory(err, s->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column *column = &schema->columns[i];
        struct column kept = {.name = kept_name(s->search, column->name), .type = column->type};
        if (kept.name.ptr == NULL) continue;
        if (column->type == TYPE_TIMESPAN || column->type == TYPE_DECIMAL)
            return RF_FAIL(err, RF_INVALID, "InvalidParameter",
                           "a table has no column of type %s ('%.*s'): use tostring() or toreal()",
                           type_name((enum type)column->type), RF_FMT(column->name));
        if (!rf_arena_str(s->arena, kept.name, &kept.name)) return rf_fail_memory(err, s->arena);
        s->places[s->schema.count] = i;
        s->types[s->schema.count] = column->type;
        s->schema.columns[s->schema.count++] = kept;
    }
    return RF_OK;
}

static enum rf_kind sink_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static enum rf_kind sink_ignore(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    (void)batch, (void)err;
    sink->enough = true;
    return RF_OK;
}

static enum rf_kind run_query(const struct search *search, struct search_sink *sink,
                              uint32_t lane_count, struct kql_stats *stats, struct rf_err *err)
{
    struct request asker = {.principal = &search->principal};
    struct logs *logs = search->logs;
    struct query_view view;
    int64_t now = DATETIME_UNIX_EPOCH + rf_clock_now(logs->options.clock) * TICKS_PER_MICROSECOND;
    sink->search = search;
    sink->view = &view;
    enum rf_kind kind = query_view_open(logs, &asker, sink->arena, &search->workspace, 1,
                                        (rf_str){NULL, 0}, &view, err);
    struct kql_request request = {.text = search->text,
                                  .catalog = &view.catalog,
                                  .memory_bytes = logs->options.query_memory_bytes,
                                  .lane_count = lane_count,
                                  .now_ticks = now,
                                  .has_timespan = true,
                                  .from_ticks = search->from_ticks,
                                  .to_ticks = search->to_ticks,
                                  .cancelled = search->cancelled};
    if (kind == RF_OK) kind = kql_run(&request, &sink->sink, stats, err);
    query_view_close(&view);
    return kind;
}

/* ---- storing rows ------------------------------------------------------------------------------------------------ */

static enum rf_kind flush(struct search_sink *s, struct rf_err *err)
{
    uint64_t count = s->rows == NULL ? 0 : rows_count(s->rows);
    uint32_t made = 0;
    if (count == 0) return RF_OK;
    struct batch *batches = rf_arena_new(&s->rows_arena, struct batch, count / BATCH_ROWS + 1);
    if (batches == NULL) return rf_fail_memory(err, &s->rows_arena);
    for (uint64_t from = 0; from < count; from += BATCH_ROWS) {
        if (!rows_batch(s->rows, from, &s->rows_arena, &batches[made]))
            return rf_fail_memory(err, &s->rows_arena);
        batches[made++].arena = &s->rows_arena;
    }
    struct rows_in in = {
        .schema = &s->schema, .batches = batches, .batch_count = made, .now_ticks = s->now_ticks};
    RF_TRY(tables_append(s->search->logs->options.tables, s->search->workspace.guid, s->table, &in,
                         err));
    s->rows = NULL;
    rf_arena_reset(&s->rows_arena);
    return RF_OK;
}

static enum rf_kind sink_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct search_sink *s = (struct search_sink *)sink;
    uint64_t room = (uint64_t)s->search->limit - s->row_count;
    struct batch kept = {.row_count = (uint32_t)RF_MIN((uint64_t)batch->row_count, room),
                         .column_count = s->schema.count,
                         .arena = batch->arena};
    kept.columns = rf_arena_new(batch->arena, struct vec, kept.column_count);
    if (s->rows == NULL) s->rows = rows_new(&s->rows_arena, s->types, s->schema.count);
    if (kept.columns == NULL || s->rows == NULL) return rf_fail_memory(err, &s->rows_arena);
    for (uint32_t i = 0; i < kept.column_count; i++) kept.columns[i] = batch->columns[s->places[i]];
    if (!rows_append(s->rows, &kept)) return rf_fail_memory(err, &s->rows_arena);
    s->row_count += kept.row_count;
    sink->enough = s->row_count >= (uint64_t)s->search->limit;
    return rows_count(s->rows) >= FLUSH_ROWS ? flush(s, err) : RF_OK;
}

static enum rf_kind keep_none(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                              struct rf_err *err)
{
    (void)ctx, (void)batch, (void)rows, (void)err;
    *kept = 0;
    return RF_OK;
}

static enum rf_kind read_search(const struct job *job, struct search *out, struct rf_err *err)
{
    rf_usec from, to;
    *out = (struct search){.logs = job->logs,
                           .text = json_text_at(job->body, "query"),
                           .limit = SEARCH_ROWS_MAX,
                           .restores = rf_str_is(json_text_at(job->body, "kind"), "restore"),
                           .cancelled = job->cancelled};
    job_principal_read(json_get(job->body, "principal"), job->arena, &out->principal);
    (void)json_i64_at(job->body, "limit", &out->limit);
    if (!time_parse_iso(json_text_at(job->body, "from"), &from) ||
        !time_parse_iso(json_text_at(job->body, "to"), &to))
        return RF_FAIL(err, RF_CORRUPT, "JobDamaged", "a job without times");
    out->from_ticks = DATETIME_UNIX_EPOCH + from * TICKS_PER_MICROSECOND;
    out->to_ticks = DATETIME_UNIX_EPOCH + to * TICKS_PER_MICROSECOND;
    return workspace_find(job->logs, json_text_at(job->body, "workspace"), job->arena,
                          &out->workspace, err);
}

enum rf_kind search_job_run(struct job *job, struct rf_err *err)
{
    struct search search;
    struct kql_stats stats = {0};
    struct table_keep nothing = {.rows = keep_none};
    uint64_t left = 0;
    struct search_sink sink = {.sink = {.begin = sink_begin, .push = sink_push, .end = sink_end},
                               .arena = job->arena,
                               .table = json_text_at(job->body, "table"),
                               .now_ticks =
                                   DATETIME_UNIX_EPOCH +
                                   rf_clock_now(job->logs->options.clock) * TICKS_PER_MICROSECOND};
    RF_TRY(read_search(job, &search, err));
    /* What a run that was cut short has left. */
    RF_TRY(tables_remove_rows(job->logs->options.tables, search.workspace.guid, sink.table,
                              &nothing, job->cancelled, &left, err));
    rf_arena_init(&sink.rows_arena, ROWS_BYTES_MAX);
    enum rf_kind kind = run_query(&search, &sink, pool_processors(), &stats, err);
    if (kind == RF_OK || (kind == RF_CANCELLED && atomic_load(job->cancelled))) {
        struct rf_err lost;
        enum rf_kind flushed = flush(&sink, kind == RF_OK ? err : &lost);
        if (kind == RF_OK) kind = flushed;
    }
    rf_arena_done(&sink.rows_arena);
    json_set_i64(job->arena, job->body, "ingestedRecords", (int64_t)sink.row_count);
    json_set_i64(job->arena, job->body, "scannedBytes", (int64_t)stats.bytes_scanned);
    return kind;
}

/* ---- the wish ---------------------------------------------------------------------------------------------------- */

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    bool fine = name.len <= NAME_BYTES_MAX && rf_is_alpha(name.ptr[0]);
    for (size_t i = 0; i < name.len; i++) fine &= rf_is_alnum(name.ptr[i]) || name.ptr[i] == '_';
    if (fine) return RF_OK;
    return RF_FAIL(
        err, RF_INVALID, "InvalidTableName",
        "The name '%.*s' must begin with a letter, consist of at most %d letters, digits "
        "and '_', and end in _SRCH or _RST.",
        (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr, NAME_BYTES_MAX);
}

static enum rf_kind read_times(const struct json_node *wish, const char *from_name,
                               const char *to_name, struct search *search, struct rf_err *err)
{
    rf_usec from, to;
    if (!time_parse_iso(json_text_at(wish, from_name), &from) ||
        !time_parse_iso(json_text_at(wish, to_name), &to) || from >= to)
        return BAD_PARAMETER(err, "'%s' and '%s' must be dates, the first before the second.",
                             from_name, to_name);
    search->from_ticks = DATETIME_UNIX_EPOCH + from * TICKS_PER_MICROSECOND;
    search->to_ticks = DATETIME_UNIX_EPOCH + to * TICKS_PER_MICROSECOND;
    return RF_OK;
}

static enum rf_kind read_restore(struct arm_call *call, const struct json_node *wish,
                                 struct search *search, struct rf_err *err)
{
    rf_str source = json_text_at(wish, "sourceTable");
    struct table_def def;
    search->restores = true;
    search->limit = INT64_MAX;
    RF_TRY(read_times(wish, "startRestoreTime", "endRestoreTime", search, err));
    if (tables_find(search->logs->options.tables, search->workspace.guid, source, call->arena, &def,
                    NULL) != RF_OK ||
        search_job_owns(def.name))
        return BAD_PARAMETER(err, "There is no table '%.*s' to restore rows of.",
                             (int)RF_MIN(source.len, (size_t)100), (const char *)source.ptr);
    search->text = rf_arena_printf(call->arena, "table(\"%.*s\")", RF_FMT(def.name));
    return search->text.ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind read_wish(struct arm_call *call, const struct json_node *wish, bool restore,
                              struct search *search, struct rf_err *err)
{
    if (!json_is(wish, JSON_T_OBJECT))
        return BAD_PARAMETER(err, "The table needs '%s', which says what rows it is to have.",
                             restore ? "restoredLogs" : "searchResults");
    if (restore) return read_restore(call, wish, search, err);
    const struct json_node *limit = json_get(wish, "limit");
    search->text = json_text_at(wish, "query");
    search->limit = SEARCH_ROWS_MAX;
    RF_TRY(read_times(wish, "startSearchTime", "endSearchTime", search, err));
    if (search->text.len == 0) return BAD_PARAMETER(err, "'searchResults' needs a 'query'.");
    if (limit == NULL || limit->type == JSON_T_NULL) return RF_OK;
    if (json_i64_at(wish, "limit", &search->limit) && search->limit > 0 &&
        search->limit <= SEARCH_ROWS_MAX)
        return RF_OK;
    return BAD_PARAMETER(err, "'limit' must be 1 to %d rows.", SEARCH_ROWS_MAX);
}

static const char *arm_type_name(enum type type)
{
    return type == TYPE_BOOL ? "boolean" : type == TYPE_DATETIME ? "dateTime" : type_name(type);
}

/* The query's columns, by running it over no time at all with the caller's rights. */
static enum rf_kind find_schema(struct arm_call *call, const struct search *wanted,
                                struct json_node *schema, struct rf_err *err)
{
    struct search search = *wanted;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    struct search_sink sink = {.sink = {.begin = sink_begin, .push = sink_ignore, .end = sink_end},
                               .arena = call->arena};
    search.to_ticks = search.from_ticks;
    RF_TRY(run_query(&search, &sink, 1, NULL, err));
    for (uint32_t i = 0; i < sink.schema.count; i++) {
        const struct column *column = &sink.schema.columns[i];
        struct json_node *item = json_append(list, json_new(call->arena, JSON_T_OBJECT));
        json_set_text(call->arena, item, "name", column->name);
        if (json_set_text(call->arena, item, "type",
                          rf_str_of(arm_type_name((enum type)column->type))) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return json_set(call->arena, schema, RF_S("columns"), list) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind store_job(struct arm_call *call, const struct arm_resource *resource,
                              const struct search *search, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "kind", search->restores ? RF_S("restore") : RF_S("search"));
    json_set_text(arena, body, "status", RF_S(JOB_PENDING));
    json_set_text(arena, body, "workspaceId", search->workspace.id);
    json_set_text(arena, body, "workspace", search->workspace.guid);
    json_set_text(arena, body, "table", resource->name);
    json_set_text(arena, body, "query", search->text);
    json_set_text(
        arena, body, "from",
        time_iso(arena, (search->from_ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND));
    json_set_text(
        arena, body, "to",
        time_iso(arena, (search->to_ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND));
    json_set_i64(arena, body, "limit", search->limit);
    json_set(arena, body, RF_S("principal"), job_principal_json(arena, call->principal));
    if (json_set_text(arena, body, "created", time_iso(arena, call->now)) == NULL)
        return rf_fail_memory(err, arena);
    return job_put(call->txn, job_key(arena, resource->id), body, arena, err);
}

static enum rf_kind same_wish(struct arm_call *call, struct json_node *properties,
                              const struct arm_resource *before, const char *name,
                              struct rf_err *err)
{
    static const char *const words[] = {"query",       "startSearchTime",  "endSearchTime",
                                        "sourceTable", "startRestoreTime", "endRestoreTime"};
    const struct json_node *was = json_get(json_get(before->body, "properties"), name);
    const struct json_node *is = json_get(properties, name);
    for (size_t i = 0; i < RF_COUNT(words) && is != NULL; i++) {
        rf_str said = json_text_at(is, words[i]);
        if (said.len > 0 && !rf_str_eq(said, json_text_at(was, words[i])))
            return BAD_PARAMETER(err, "'%s' of '%s' cannot be changed: make another table.",
                                 words[i], name);
    }
    json_set(call->arena, properties, rf_str_of(name), json_clone(call->arena, was));
    struct json_node *schema = json_clone(call->arena, json_at(before->body, "properties.schema"));
    return json_set(call->arena, properties, RF_S("schema"), schema) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

enum rf_kind search_job_put(struct arm_call *call, struct arm_resource *resource,
                            const struct arm_resource *before, struct rf_err *err)
{
    struct logs *logs = call->ctx;
    bool restore = restores(resource->name);
    const char *name = restore ? "restoredLogs" : "searchResults";
    struct json_node *properties = json_get(resource->body, "properties");
    struct search search = {.logs = logs};
    rf_str guid;
    json_remove(properties, RF_S("resultStatistics"));
    if (before != NULL) return same_wish(call, properties, before, name, err);
    RF_TRY(check_name(resource->name, err));
    if (call->principal == NULL)
        return BAD_PARAMETER(err, "A search job or restore needs somebody who asks for it.");
    search.principal = *call->principal;
    RF_TRY(workspace_of_child(call, resource->id, &guid, NULL, err));
    RF_TRY(workspace_find(logs, guid, call->arena, &search.workspace, err));
    RF_TRY(read_wish(call, json_get(properties, name), restore, &search, err));
    json_remove(properties, RF_S("schema"));
    struct json_node *schema = json_object_in(call->arena, properties, "schema");
    if (json_set_text(call->arena, schema, "name", resource->name) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(find_schema(call, &search, schema, err));
    RF_TRY(tables_clear(logs->options.tables, guid, resource->name, err));
    return store_job(call, resource, &search, err);
}

enum rf_kind search_job_remove(struct arm_call *call, const struct arm_resource *resource,
                               struct rf_err *err)
{
    rf_str key = job_key(call->arena, resource->id);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_delete(call->txn, "logsJob", key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* ---- what is shown ----------------------------------------------------------------------------------------------- */

enum rf_kind search_job_show(struct arm_call *call, struct arm_resource *resource,
                             struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *job = NULL, *properties = json_object_in(arena, resource->body, "properties");
    struct json_node *schema = json_object_in(arena, properties, "schema");
    int64_t records = 0, bytes = 0;
    enum rf_kind kind = job_get(call->txn, job_key(arena, resource->id), arena, &job, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    bool pending = job != NULL && rf_str_is(json_text_at(job, "status"), JOB_PENDING);
    if (job != NULL) {
        (void)json_i64_at(job, "ingestedRecords", &records);
        (void)json_i64_at(job, "scannedBytes", &bytes);
    }
    struct json_node *statistics = json_object_in(arena, properties, "resultStatistics");
    json_set_i64(arena, statistics, "progress", pending ? 0 : 100);
    json_set_i64(arena, statistics, "ingestedRecords", records);
    json_set(arena, statistics, RF_S("scannedGb"), json_new_i64(arena, bytes >> 30));
    json_set_text(arena, properties, "provisioningState",
                  pending ? RF_S("InProgress") : RF_S("Succeeded"));
    json_set_text(arena, schema, "tableSubType", RF_S("Any"));
    return json_set_text(arena, schema, "tableType",
                         restores(resource->name) ? RF_S("RestoredLogs") : RF_S("SearchResults")) ==
                   NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

enum rf_kind search_job_cancel(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct logs *logs = call->ctx;
    if (!rf_str_ends(resource->name, RF_S("_SRCH")))
        return BAD_PARAMETER(err, "The table '%.*s' is not filled by a search job.",
                             RF_FMT(resource->name));
    enum rf_kind kind = job_cancel(logs->jobs, job_key(call->arena, resource->id), err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return request_answer_empty(call->request, 200);
}
