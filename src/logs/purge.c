#include "logs/purge.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "logs/jobs.h"
#include "tables/tables_remove.h"
#include "value/dyn.h"
#include "value/text.h"

#define PURGE_ACTION "Microsoft.OperationalInsights/workspaces/purge/action"
enum { FILTERS_MAX = 32, VALUES_MAX = 1000 };

/* ---- filters ----------------------------------------------------------------------------------------------------- */

enum purge_operator { EQUAL, EQUAL_NOCASE, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, BETWEEN };
struct filter {
    enum type type; /* of what is compared: the column's, or text for a member of a dynamic */
    enum type column_type;
    rf_str key; /* of a dynamic column; empty: none */
    enum purge_operator op;
    struct value *values; /* one of them must fit; BETWEEN: from, to */
    uint32_t value_count;
};
struct filters {
    struct filter items[FILTERS_MAX];
    rf_str columns[FILTERS_MAX];
    uint32_t count;
};

static bool read_operator(rf_str text, enum purge_operator *out, bool *list)
{
    static const struct {
        const char *name;
        enum purge_operator op;
        bool list;
    } known[] = {
        {"==", EQUAL, false},        {"=~", EQUAL_NOCASE, false},  {"in", EQUAL, true},
        {"in~", EQUAL_NOCASE, true}, {"<", LESS, false},           {"<=", LESS_EQUAL, false},
        {">", GREATER, false},       {">=", GREATER_EQUAL, false}, {"between", BETWEEN, true}};
    for (size_t i = 0; i < RF_COUNT(known); i++) {
        if (!rf_str_is(text, known[i].name)) continue;
        *out = known[i].op;
        *list = known[i].list;
        return true;
    }
    return false;
}

/* "datetime(2024-01-01)" and the like stand for what is in the brackets. */
static rf_str bare(rf_str text)
{
    size_t open = rf_str_find(text, RF_S("("), 0);
    if (open == SIZE_MAX || !rf_str_ends(text, RF_S(")"))) return text;
    return rf_str_trim(rf_slice(text, open + 1, text.len - 1));
}

static bool read_value(rf_str text, enum type type, struct value *out)
{
    *out = (struct value){.type = (uint8_t)type};
    bool flag;
    switch (type) {
    case TYPE_STRING:
        *out = value_str(text);
        return true;
    case TYPE_BOOL:
        if (!text_to_bool(text, &flag)) return false;
        *out = value_bool(flag);
        return true;
    case TYPE_INT:
    case TYPE_LONG:
        return text_to_long(text, &out->i);
    case TYPE_REAL:
        return text_to_real(text, &out->r);
    case TYPE_DATETIME:
        return text_to_datetime(bare(text), &out->i);
    case TYPE_TIMESPAN:
        return text_to_timespan(bare(text), &out->i);
    case TYPE_GUID: {
        struct guid guid;
        if (!text_to_guid(bare(text), &guid)) return false;
        *out = value_guid(guid);
        return true;
    }
    default:
        return false;
    }
}

static enum rf_kind add_value(const struct json_node *node, rf_str column, struct filter *filter,
                              struct rf_arena *arena, struct rf_err *err)
{
    rf_str text = node->type == JSON_T_STRING ? node->text : json_to_text(arena, node);
    bool scalar = node->type == JSON_T_STRING || node->type == JSON_T_NUMBER ||
                  node->type == JSON_T_TRUE || node->type == JSON_T_FALSE;
    if (filter->value_count == VALUES_MAX)
        return BAD_PARAMETER(err, "A filter has at most %d values.", VALUES_MAX);
    if (scalar && read_value(text, filter->type, &filter->values[filter->value_count++]))
        return RF_OK;
    return BAD_PARAMETER(err, "A value of the filter on '%.*s' is no %s.", RF_FMT(column),
                         type_name(filter->type));
}

static const struct table_column *find_column(const struct table_def *def, rf_str name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (rf_str_eq(def->columns[i].name, name)) return &def->columns[i];
    return NULL;
}

static enum rf_kind read_filter(const struct json_node *node, const struct table_def *def,
                                struct filters *out, struct rf_arena *arena, struct rf_err *err)
{
    rf_str name = json_text_at(node, "column"), op = json_text_at(node, "operator");
    const struct json_node *value = json_get(node, "value");
    const struct table_column *column = find_column(def, name);
    struct filter *filter = &out->items[out->count];
    bool list;
    *filter = (struct filter){.key = json_text_at(node, "key")};
    if (column == NULL)
        return BAD_PARAMETER(err, "The table '%.*s' has no column '%.*s'.", RF_FMT(def->name),
                             (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
    if (!read_operator(op, &filter->op, &list))
        return BAD_PARAMETER(err,
                             "The operator '%.*s' is none of ==, =~, in, in~, >, >=, <, <=, "
                             "between.",
                             (int)RF_MIN(op.len, (size_t)20), (const char *)op.ptr);
    bool member = filter->key.len > 0;
    if (member != (column->type == TYPE_DYNAMIC))
        return BAD_PARAMETER(err,
                             "A filter needs a 'key' when its column is dynamic ('%.*s'), "
                             "and only then.",
                             RF_FMT(name));
    if (value == NULL || list != (value->type == JSON_T_ARRAY))
        return BAD_PARAMETER(err, "The filter on '%.*s' needs %s.", RF_FMT(name),
                             list ? "a list of values" : "one value");
    filter->column_type = (enum type)column->type;
    filter->type = member ? TYPE_STRING : filter->column_type;
    if (filter->op == EQUAL_NOCASE && filter->type != TYPE_STRING)
        return BAD_PARAMETER(err, "=~ and in~ compare texts; '%.*s' is none.", RF_FMT(name));
    filter->values = rf_arena_new(arena, struct value, list ? value->count : 1);
    if (filter->values == NULL) return rf_fail_memory(err, arena);
    if (!list) RF_TRY(add_value(value, name, filter, arena, err));
    for (const struct json_node *v = list ? value->first : NULL; v != NULL; v = v->next)
        RF_TRY(add_value(v, name, filter, arena, err));
    if (filter->op == BETWEEN ? filter->value_count != 2 : filter->value_count == 0)
        return BAD_PARAMETER(err, "The filter on '%.*s' has too few or too many values.",
                             RF_FMT(name));
    out->columns[out->count++] = column->name;
    return RF_OK;
}

static enum rf_kind read_filters(const struct json_node *list, const struct table_def *def,
                                 struct filters *out, struct rf_arena *arena, struct rf_err *err)
{
    *out = (struct filters){0};
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0 || list->count > FILTERS_MAX)
        return BAD_PARAMETER(err,
                             "A purge needs 1 to %d 'filters'; to delete all of a custom "
                             "table, delete the table.",
                             FILTERS_MAX);
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        RF_TRY(read_filter(n, def, out, arena, err));
    return RF_OK;
}

static bool compare(const struct filter *f, const struct value *v, const struct value *with)
{
    if (f->op == EQUAL_NOCASE) return rf_str_eq_nocase(v->s, with->s);
    int order = value_cmp(v, with);
    switch (f->op) {
    case LESS:
        return order < 0;
    case LESS_EQUAL:
        return order <= 0;
    case GREATER:
        return order > 0;
    case GREATER_EQUAL:
        return order >= 0;
    default:
        return order == 0;
    }
}

/* `scratch` takes texts of members. */
static bool fits(const struct filter *f, const struct vec *column, uint32_t row,
                 struct rf_buf *scratch)
{
    if (column->type != f->column_type || vec_null(column, row)) return false;
    struct value v = vec_value(column, row);
    if (f->key.len > 0) {
        rf_str member = dyn_get(v.s, f->key);
        if (member.len == 0) return false;
        struct value is = dyn_to_value(member);
        scratch->len = 0;
        text_put_value(scratch, &is);
        v = value_str(rf_buf_view(scratch));
    }
    if (f->op == BETWEEN)
        return value_cmp(&v, &f->values[0]) >= 0 && value_cmp(&v, &f->values[1]) <= 0;
    for (uint32_t i = 0; i < f->value_count; i++)
        if (compare(f, &v, &f->values[i])) return true;
    return false;
}

static enum rf_kind keep_others(void *ctx, const struct batch *batch, uint32_t *rows,
                                uint32_t *kept, struct rf_err *err)
{
    const struct filters *filters = ctx;
    struct rf_buf scratch = rf_buf_in(batch->arena);
    *kept = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        uint32_t met = 0;
        while (met < filters->count &&
               fits(&filters->items[met], &batch->columns[met], row, &scratch))
            met++;
        if (met < filters->count) rows[(*kept)++] = row;
    }
    return scratch.failed ? rf_fail_memory(err, batch->arena) : RF_OK;
}

/* ---- the job ----------------------------------------------------------------------------------------------------- */

static void leave_row(const struct job *job, uint64_t removed)
{
    struct rf_buf row = rf_buf_in(job->arena);
    struct json_out out = json_out_to(&row);
    rf_str proof = json_text_at(job->body, "proof");
    rf_str more =
        rf_arena_printf(job->arena, "{\"operationId\":\"%.*s\",\"removedRows\":%llu%s%.*s%s%.*s%s}",
                        RF_FMT(job->key), (unsigned long long)removed,
                        proof.len == 0 ? "" : ",\"proof\":", RF_FMT(proof),
                        proof.len == 0 ? "" : ",\"proofDigest\":\"",
                        RF_FMT(json_text_at(job->body, "proofDigest")), proof.len == 0 ? "" : "\"");
    json_begin_object(&out, NULL);
    json_put_text(&out, "OperationNameValue", RF_S(PURGE_ACTION));
    json_put_text(&out, "OperationName", RF_S("Purge rows of a table"));
    json_put_text(&out, "ActivityStatusValue", RF_S("Success"));
    json_put_text(&out, "CategoryValue", RF_S("Administrative"));
    json_put_text(&out, "Level", RF_S("Warning"));
    json_put_text(&out, "Caller", json_text_at(job->body, "caller"));
    json_put_text(&out, "_ResourceId", json_text_at(job->body, "workspaceId"));
    json_put_text(&out, "Properties", more);
    json_put_raw(&out, "Properties_d", more);
    json_end_object(&out);
    if (!row.failed) audit_row(job->logs->options.audit, "AzureActivity", rf_buf_view(&row));
}

enum rf_kind purge_run(struct job *job, struct rf_err *err)
{
    struct tables *tables = job->logs->options.tables;
    rf_str workspace = json_text_at(job->body, "workspace");
    struct table_def def;
    struct filters filters;
    uint64_t removed = 0;
    RF_TRY(tables_find(tables, workspace, json_text_at(job->body, "table"), job->arena, &def, err));
    if (json_get(job->body, "predicate") != NULL) {
        RF_TRY(purge_run_predicate(job, &def, &removed, err));
        leave_row(job, removed);
        return RF_OK;
    }
    RF_TRY(read_filters(json_get(job->body, "filters"), &def, &filters, job->arena, err));
    struct table_keep keep = {.columns = filters.columns,
                              .column_count = filters.count,
                              .rows = keep_others,
                              .ctx = &filters};
    RF_TRY(tables_remove_rows(tables, workspace, def.name, &keep, job->cancelled, &removed, err));
    json_set_i64(job->arena, job->body, "removedRows", (int64_t)removed);
    leave_row(job, removed);
    return RF_OK;
}

/* ---- the control plane ------------------------------------------------------------------------------------------- */

static enum rf_kind store_purge(struct arm_call *call, const struct arm_resource *workspace,
                                const struct json_node *asked, rf_str id, struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    json_set_text(call->arena, body, "kind", RF_S("purge"));
    json_set_text(call->arena, body, "status", RF_S(JOB_PENDING));
    json_set_text(call->arena, body, "workspaceId", workspace->id);
    json_set_text(call->arena, body, "workspace",
                  json_text_at(workspace->body, "properties.customerId"));
    json_set_text(call->arena, body, "table", json_text_at(asked, "table"));
    json_set(call->arena, body, RF_S("filters"),
             json_clone(call->arena, json_get(asked, "filters")));
    json_set_text(call->arena, body, "caller", principal_caller(call->principal));
    if (json_set_text(call->arena, body, "created", time_iso(call->arena, call->now)) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    RF_TRY(job_put(txn, id, body, call->arena, err));
    return state_finish(&txn, err);
}

enum rf_kind purge_start(struct arm_call *call, struct arm_resource *workspace, struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct json_node *asked, *answer = json_new(call->arena, JSON_T_OBJECT);
    struct table_def def;
    struct filters filters;
    RF_TRY(request_json(call->request, false, &asked, err));
    rf_str table = json_text_at(asked, "table"), guid = guid_random(call->arena);
    if (tables_find(logs->options.tables, json_text_at(workspace->body, "properties.customerId"),
                    table, call->arena, &def, NULL) != RF_OK)
        return BAD_PARAMETER(err, "The workspace has no table '%.*s'.",
                             (int)RF_MIN(table.len, (size_t)100), (const char *)table.ptr);
    RF_TRY(read_filters(json_get(asked, "filters"), &def, &filters, call->arena, err));
    rf_str id = rf_arena_printf(call->arena, "purge-%.*s", RF_FMT(guid));
    if (guid.ptr == NULL || id.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(store_purge(call, workspace, asked, id, err));
    jobs_wake(logs->jobs);
    http_setf(call->request->response, "x-ms-status-location",
              "%.*s%.*s/operations/%.*s?api-version=2020-08-01", RF_FMT(call->request->origin),
              RF_FMT(workspace->id), RF_FMT(id));
    if (json_set_text(call->arena, answer, "operationId", id) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 202, answer);
}

static enum rf_kind get_operation(struct arm_call *call, rf_str id, struct json_node **body,
                                  struct rf_err *err)
{
    size_t from = id.len;
    struct json_node *job, *out = json_new(call->arena, JSON_T_OBJECT);
    rf_str guid;
    while (from > 0 && id.ptr[from - 1] != '/') from--;
    rf_str key = resource_key(call->arena, rf_slice(id, from, id.len));
    RF_TRY(workspace_of_child(call, id, &guid, NULL, err));
    enum rf_kind kind = rf_str_starts(key, RF_S("purge-"))
                            ? job_get(call->txn, key, call->arena, &job, err)
                            : RF_NOT_FOUND;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_NOT_FOUND || !rf_str_eq_nocase(json_text_at(job, "workspace"), guid))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                       "The workspace has no operation '%.*s'.", (int)RF_MIN(key.len, (size_t)100),
                       (const char *)key.ptr);
    json_set_text(call->arena, out, "id", id);
    json_set_text(call->arena, out, "name", key);
    json_set_text(call->arena, out, "type",
                  RF_S("Microsoft.OperationalInsights/workspaces/operations"));
    *body =
        json_set_text(call->arena, out, "status", json_text_at(job, "status")) == NULL ? NULL : out;
    return *body == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind put_operation(struct arm_call *call, struct arm_resource *resource,
                                  const struct arm_resource *before, struct rf_err *err)
{
    (void)call, (void)resource, (void)before;
    return BAD_PARAMETER(err, "An operation comes of a purge; it cannot be written.");
}

static enum rf_kind no_operations(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                  struct rf_err *err)
{
    (void)call, (void)parent_id, (void)out, (void)err;
    return RF_OK;
}

struct arm_type purge_operation_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/workspaces/operations",
                             .versions = workspace_versions,
                             .flags = ARM_NO_STATE,
                             .put = put_operation,
                             .virtual_get = get_operation,
                             .virtual_list = no_operations,
                             .ctx = logs};
}
