/* graph_answer.c - a page of a result as JSON: an array of objects, or columns and rows. */
#include "arm/graph_int.h"

#include "base/json_out.h"
#include "value/dyn.h"
#include "value/text.h"

enum { ANSWER_BYTES_MAX = 16 << 20 }; /* as in Azure */

/* What Resource Graph calls the types of columns. */
static const char *const type_names[TYPE_COUNT] = {
    [TYPE_BOOL] = "boolean",    [TYPE_INT] = "integer",    [TYPE_LONG] = "integer",
    [TYPE_REAL] = "number",     [TYPE_DECIMAL] = "number", [TYPE_DATETIME] = "datetime",
    [TYPE_TIMESPAN] = "string", [TYPE_GUID] = "string",    [TYPE_STRING] = "string",
    [TYPE_DYNAMIC] = "object",
};

/* ---- cells ---------------------------------------------------------------------------------------------------------------- */

/* Types whose text is a JSON string without escapes. */
static void put_quoted(struct rf_buf *buf, const struct value *v)
{
    rf_buf_byte(buf, '"');
    text_put_value(buf, v);
    rf_buf_byte(buf, '"');
}

static void put_cell(struct rf_buf *buf, const struct value *v)
{
    if (v->null && v->type != TYPE_STRING) {
        rf_buf_str(buf, RF_S("null"));
        return;
    }
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        rf_buf_str(buf, v->b != 0 ? RF_S("true") : RF_S("false"));
        break;
    case TYPE_INT:
    case TYPE_LONG:
        text_put_i64(buf, v->i);
        break;
    case TYPE_REAL:
        if (v->r - v->r == 0)
            text_put_real(buf, v->r, true);
        else
            put_quoted(buf, v); /* JSON has no number for it */
        break;
    case TYPE_DECIMAL:
        text_put_decimal(buf, &v->d);
        break;
    case TYPE_STRING:
        json_put_string(buf, v->s);
        break;
    case TYPE_DYNAMIC:
        dyn_put_json(v->s, buf);
        break;
    default:
        put_quoted(buf, v);
        break;
    }
}

static void put_row(struct graph_answer *a, const struct batch *batch, uint32_t row)
{
    rf_buf_str(a->buf, a->shown_count > 0 ? RF_S(",") : RF_S(""));
    rf_buf_byte(a->buf, a->as_table ? '[' : '{');
    for (uint32_t i = 0; i < batch->column_count; i++) {
        struct value value = vec_value(&batch->columns[i], row);
        if (i > 0) rf_buf_byte(a->buf, ',');
        if (!a->as_table) rf_buf_str(a->buf, a->names[i]);
        put_cell(a->buf, &value);
    }
    rf_buf_byte(a->buf, a->as_table ? ']' : '}');
}

/* ---- the sink -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind take_names(struct graph_answer *a, const struct schema *schema,
                               struct rf_err *err)
{
    a->names = rf_arena_new(a->arena, rf_str, schema->count);
    if (a->names == NULL) return rf_fail_memory(err, a->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        struct rf_buf name = rf_buf_in(a->arena);
        json_put_string(&name, schema->columns[i].name);
        rf_buf_byte(&name, ':');
        if (name.failed) return rf_fail_memory(err, a->arena);
        a->names[i] = rf_buf_view(&name);
        if (rf_str_is(schema->columns[i].name, "id")) a->has_id = true;
    }
    return RF_OK;
}

static void put_columns(struct graph_answer *a, const struct schema *schema)
{
    struct json_out out = json_out_to(a->buf);
    rf_buf_byte(a->buf, '{');
    json_begin_array(&out, "columns");
    for (uint32_t i = 0; i < schema->count; i++) {
        json_begin_object(&out, NULL);
        json_put_text(&out, "name", schema->columns[i].name);
        json_put_text(&out, "type", rf_str_of(type_names[schema->columns[i].type]));
        json_end_object(&out);
    }
    json_end_array(&out);
    rf_buf_str(a->buf, RF_S(",\"rows\":"));
}

static enum rf_kind begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                          const struct render *render, struct rf_err *err)
{
    struct graph_answer *a = (struct graph_answer *)sink;
    (void)name, (void)render;
    if (a->table_count++ > 0) return RF_OK; /* a query has one result */
    RF_TRY(take_names(a, schema, err));
    if (a->as_table) put_columns(a, schema);
    rf_buf_byte(a->buf, '[');
    return RF_OK;
}

static enum rf_kind push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct graph_answer *a = (struct graph_answer *)sink;
    if (a->table_count > 1) return RF_OK;
    for (uint32_t row = 0; row < batch->row_count && a->shown_count < a->top; row++) {
        if (a->row_count + row < a->skip) continue;
        put_row(a, batch, row);
        a->shown_count++;
        if (a->buf->len > a->byte_limit)
            return RF_FAIL(err, RF_LIMIT, "ResponsePayloadTooLarge",
                           "The answer has more than %zu bytes: ask for fewer records ($top) or "
                           "fewer columns (project).",
                           a->byte_limit);
    }
    a->row_count += batch->row_count;
    return a->buf->failed ? rf_fail_memory(err, a->arena) : RF_OK;
}

static enum rf_kind end(struct kql_sink *sink, struct rf_err *err)
{
    struct graph_answer *a = (struct graph_answer *)sink;
    if (a->table_count > 1) return RF_OK;
    rf_buf_byte(a->buf, ']');
    if (a->as_table) rf_buf_byte(a->buf, '}');
    return a->buf->failed ? rf_fail_memory(err, a->arena) : RF_OK;
}

void graph_answer_init(struct graph_answer *answer, struct rf_buf *buf, struct rf_arena *arena,
                       bool as_table, uint64_t skip, uint32_t top)
{
    *answer = (struct graph_answer){.sink = {.begin = begin, .push = push, .end = end},
                                    .buf = buf,
                                    .arena = arena,
                                    .as_table = as_table,
                                    .skip = skip,
                                    .top = top,
                                    .byte_limit = buf->len + ANSWER_BYTES_MAX};
}
