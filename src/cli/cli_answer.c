#include "cli/cli_answer.h"

#include "base/json.h"
#include "kql/ast.h"
#include "value/dyn.h"
#include "value/text.h"

static enum rf_kind bad(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the server cannot be read: %s",
                   what);
}

/* An error of the reader's, told as the server's fault. */
static enum rf_kind bad_json(struct rf_err *err, const struct rf_err *why)
{
    if (why->kind == RF_LIMIT) {
        if (err != NULL) *err = *why;
        return RF_LIMIT;
    }
    return bad(err, why->text);
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

struct part {
    const char *name;
    rf_str *text;
};

/* Texts of the members that are wanted of the object that comes next. */
static enum rf_kind find_parts(rf_str object, const struct part *parts, size_t count,
                               struct rf_err *err)
{
    struct json_reader reader;
    struct json_event event;
    struct rf_err why = {0};
    json_reader_init(&reader, object);
    if (json_next(&reader, &event, &why) != RF_OK) return bad_json(err, &why);
    if (event.kind != JSON_OBJECT_BEGIN) return bad(err, "an object is missing");
    for (;;) {
        if (json_next(&reader, &event, &why) != RF_OK) return bad_json(err, &why);
        if (event.kind == JSON_OBJECT_END) return RF_OK;
        rf_str text;
        if (json_skip_value(&reader, &text, &why) != RF_OK) return bad_json(err, &why);
        for (size_t i = 0; i < count; i++)
            if (rf_str_is(event.text, parts[i].name)) *parts[i].text = text;
    }
}

static enum rf_kind parse_part(rf_str text, struct rf_arena *arena, const struct json_node **out,
                               struct rf_err *err)
{
    struct json_node *node = NULL;
    struct rf_err why = {0};
    if (text.len > 0 && json_parse(text, arena, &node, &why) != RF_OK) return bad_json(err, &why);
    *out = json_is(node, JSON_T_NULL) ? NULL : node;
    return RF_OK;
}

enum rf_kind cli_answer_parse(rf_str body, struct rf_arena *arena, struct cli_answer *out,
                              struct rf_err *err)
{
    struct cli_answer answer = {0};
    rf_str render = {NULL, 0}, statistics = {NULL, 0}, error = {NULL, 0};
    struct part parts[] = {{"tables", &answer.tables},
                           {"render", &render},
                           {"statistics", &statistics},
                           {"error", &error}};
    const struct json_node *fault;
    RF_TRY(find_parts(body, parts, RF_COUNT(parts), err));
    RF_TRY(parse_part(render, arena, &answer.render, err));
    RF_TRY(parse_part(statistics, arena, &answer.statistics, err));
    RF_TRY(parse_part(error, arena, &fault, err));
    if (fault != NULL) {
        struct json_node *object = json_new(arena, JSON_T_OBJECT);
        if (json_set(arena, object, RF_S("error"), json_clone(arena, fault)) == NULL)
            return rf_fail_memory(err, arena);
        answer.error = object;
    }
    *out = answer;
    return RF_OK;
}

/* ---- render ------------------------------------------------------------------------------------------------------ */

static bool render_value(const struct json_node *node, struct rf_buf *buf)
{
    if (node->type == JSON_T_STRING || node->type == JSON_T_NUMBER) {
        rf_buf_str(buf, node->text);
    } else if (node->type == JSON_T_ARRAY) {
        for (const struct json_node *item = node->first; item != NULL; item = item->next) {
            if (item != node->first) rf_buf_byte(buf, ',');
            rf_buf_str(buf, item->text);
        }
    }
    return buf->len > 0;
}

/* What `render` said, as the charts know it: parameters are names in lower case with a text each. */
static enum rf_kind make_render(const struct json_node *object, struct rf_arena *arena,
                                struct render **out, struct rf_err *err)
{
    rf_str kind = json_text_at(object, "visualization");
    *out = NULL;
    if (kind.len == 0 || !json_is(object, JSON_T_OBJECT)) return RF_OK;
    struct render *render = rf_arena_new(arena, struct render, 1);
    struct ast *asts = rf_arena_new(arena, struct ast, object->count);
    struct ast_param *params = rf_arena_new(arena, struct ast_param, object->count);
    if (render == NULL || asts == NULL || params == NULL) return rf_fail_memory(err, arena);
    uint32_t count = 0;
    for (const struct json_node *node = object->first; node != NULL; node = node->next) {
        struct rf_buf name = rf_buf_in(arena), value = rf_buf_in(arena);
        for (size_t i = 0; i < node->name.len; i++) rf_buf_byte(&name, rf_lower(node->name.ptr[i]));
        if (!render_value(node, &value)) continue;
        if (name.failed || value.failed) return rf_fail_memory(err, arena);
        asts[count] = (struct ast){.kind = AST_LITERAL, .value = value_str(rf_buf_view(&value))};
        params[count] = (struct ast_param){.name = rf_buf_view(&name), .value = &asts[count]};
        count++;
    }
    *render = (struct render){.kind = kind, .params = params, .param_count = count};
    *out = render;
    return RF_OK;
}

/* ---- columns ------------------------------------------------------------------------------------------------------- */

static enum rf_kind make_schema(rf_str columns, struct rf_arena *arena, struct schema *out,
                                struct rf_err *err)
{
    const struct json_node *list;
    RF_TRY(parse_part(columns, arena, &list, err));
    if (!json_is(list, JSON_T_ARRAY)) return bad(err, "a table has no columns");
    struct schema schema = {.columns = rf_arena_new(arena, struct column, list->count)};
    if (schema.columns == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *node = list->first; node != NULL; node = node->next) {
        enum type type;
        if (!type_parse(json_text_at(node, "type"), &type))
            return bad(err, "a column has a type that is not known");
        schema.columns[schema.count].name = json_text_at(node, "name");
        schema.columns[schema.count++].type = (uint8_t)type;
    }
    *out = schema;
    return RF_OK;
}

/* ---- cells ----------------------------------------------------------------------------------------------------------- */

struct pusher {
    struct kql_sink *sink;
    const struct schema *schema;
    struct json_reader reader;
    struct batch batch;
    struct rf_arena arena; /* of the batch */
};

/* A number or a text as a value of a type that is written so. */
static bool scalar_of(const struct json_event *event, rf_str text, enum type type,
                      struct value *out)
{
    struct value v = {.type = (uint8_t)type};
    bool good = false, truth;
    switch (type) {
    case TYPE_BOOL:
        good = text_to_bool(text, &truth);
        v.b = good && truth;
        break;
    case TYPE_INT:
    case TYPE_LONG:
        good = text_to_long(text, &v.i);
        break;
    case TYPE_REAL:
        good = text_to_real(text, &v.r);
        break;
    case TYPE_DECIMAL:
        good = text_to_decimal(text, &v.d);
        break;
    case TYPE_DATETIME:
        good = event->kind == JSON_STRING && text_to_datetime(text, &v.i);
        break;
    case TYPE_TIMESPAN:
        good = event->kind == JSON_STRING && text_to_timespan(text, &v.i);
        break;
    case TYPE_GUID:
        good = event->kind == JSON_STRING && text_to_guid(text, &v.g);
        break;
    default:
        v.s = text;
        good = type == TYPE_STRING;
        break;
    }
    if (good) *out = v;
    return good;
}

static enum rf_kind dynamic_of(struct pusher *p, const struct json_event *event, rf_str text,
                               struct value *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(&p->arena);
    struct rf_err why = {0};
    if (event->kind == JSON_STRING) {
        if (!dyn_from_text(text, &buf)) return rf_fail_memory(err, &p->arena);
    } else if (dyn_read_json(&p->reader, event, &buf, &why) != RF_OK) {
        return bad_json(err, &why);
    }
    if (buf.failed) return rf_fail_memory(err, &p->arena);
    *out = dyn_is_null(dyn_done(&buf)) ? value_null(TYPE_DYNAMIC) : value_dyn(dyn_done(&buf));
    return RF_OK;
}

static enum rf_kind read_cell(struct pusher *p, const struct json_event *event, enum type type,
                              struct value *out, struct rf_err *err)
{
    rf_str text = event->text;
    if (event->kind == JSON_NULL) {
        *out = value_null(type);
        return RF_OK;
    }
    if (event->kind == JSON_STRING && !json_text(event, &p->arena, &text))
        return rf_fail_memory(err, &p->arena);
    if (type == TYPE_DYNAMIC) return dynamic_of(p, event, text, out, err);
    if (event->kind == JSON_TRUE) text = RF_S("true");
    if (event->kind == JSON_FALSE) text = RF_S("false");
    if (event->kind == JSON_OBJECT_BEGIN || event->kind == JSON_ARRAY_BEGIN ||
        !scalar_of(event, text, type, out))
        return RF_FAIL(err, RF_INVALID, "BadAnswer",
                       "the answer of the server cannot be read: a cell is no %s", type_name(type));
    return RF_OK;
}

static enum rf_kind begin_batch(struct pusher *p, struct rf_err *err)
{
    rf_arena_reset(&p->arena);
    uint32_t count = p->schema->count;
    struct vec *columns = rf_arena_new(&p->arena, struct vec, count);
    if (columns == NULL) return rf_fail_memory(err, &p->arena);
    for (uint32_t i = 0; i < count; i++)
        if (!vec_flat(&p->arena, (enum type)p->schema->columns[i].type, BATCH_ROWS, &columns[i]) ||
            vec_need_nulls(&p->arena, &columns[i], BATCH_ROWS) == NULL)
            return rf_fail_memory(err, &p->arena);
    p->batch = (struct batch){.column_count = count, .columns = columns, .arena = &p->arena};
    return RF_OK;
}

static enum rf_kind push_batch(struct pusher *p, struct rf_err *err)
{
    if (p->batch.row_count > 0) RF_TRY(p->sink->push(p->sink, &p->batch, err));
    return begin_batch(p, err);
}

/* The cells of a row; its '[' has been read. */
static enum rf_kind read_row(struct pusher *p, struct rf_err *err)
{
    struct json_event event;
    struct rf_err why = {0};
    for (uint32_t i = 0;; i++) {
        if (json_next(&p->reader, &event, &why) != RF_OK) return bad_json(err, &why);
        if (event.kind == JSON_ARRAY_END && i == p->schema->count) break;
        if (event.kind == JSON_ARRAY_END || i == p->schema->count)
            return bad(err, "a row has not as many cells as there are columns");
        struct value v;
        RF_TRY(read_cell(p, &event, (enum type)p->schema->columns[i].type, &v, err));
        vec_set(&p->batch.columns[i], p->batch.row_count, &v);
    }
    p->batch.row_count++;
    return p->batch.row_count == BATCH_ROWS ? push_batch(p, err) : RF_OK;
}

static enum rf_kind read_rows(struct pusher *p, rf_str rows, struct rf_err *err)
{
    struct json_event event;
    struct rf_err why = {0};
    json_reader_init(&p->reader, rows);
    RF_TRY(begin_batch(p, err));
    if (json_next(&p->reader, &event, &why) != RF_OK) return bad_json(err, &why);
    if (event.kind != JSON_ARRAY_BEGIN) return bad(err, "a table has no rows");
    for (;;) {
        if (json_next(&p->reader, &event, &why) != RF_OK) return bad_json(err, &why);
        if (event.kind == JSON_ARRAY_END) return push_batch(p, err);
        if (event.kind != JSON_ARRAY_BEGIN) return bad(err, "a row is no array");
        RF_TRY(read_row(p, err));
    }
}

static enum rf_kind push_table(rf_str table, const struct render *render, struct kql_sink *sink,
                               struct rf_arena *arena, struct rf_err *err)
{
    rf_str name = {NULL, 0}, columns = {NULL, 0}, rows = {NULL, 0};
    struct part parts[] = {{"name", &name}, {"columns", &columns}, {"rows", &rows}};
    const struct json_node *title;
    struct schema *schema = rf_arena_new(arena, struct schema, 1);
    if (schema == NULL) return rf_fail_memory(err, arena);
    RF_TRY(find_parts(table, parts, RF_COUNT(parts), err));
    RF_TRY(parse_part(name, arena, &title, err));
    RF_TRY(make_schema(columns, arena, schema, err));
    struct pusher p = {.sink = sink, .schema = schema};
    rf_arena_init_shared(&p.arena, arena->budget);
    rf_str shown = title != NULL ? title->text : (rf_str){NULL, 0};
    enum rf_kind kind = sink->begin(sink, shown, schema, render, err);
    if (kind == RF_OK) kind = read_rows(&p, rows, err);
    rf_arena_done(&p.arena);
    return kind == RF_OK ? sink->end(sink, err) : kind;
}

enum rf_kind cli_answer_push(const struct cli_answer *answer, struct kql_sink *sink,
                             struct rf_arena *arena, struct rf_err *err)
{
    struct render *render;
    struct json_reader reader;
    struct json_event event;
    struct rf_err why = {0};
    RF_TRY(make_render(answer->render, arena, &render, err));
    if (answer->tables.len == 0) return bad(err, "it has no tables");
    json_reader_init(&reader, answer->tables);
    if (json_next(&reader, &event, &why) != RF_OK) return bad_json(err, &why);
    if (event.kind != JSON_ARRAY_BEGIN) return bad(err, "its tables are no array");
    for (;;) {
        size_t from = json_offset(&reader);
        if (json_next(&reader, &event, &why) != RF_OK) return bad_json(err, &why);
        if (event.kind == JSON_ARRAY_END) return RF_OK;
        if (event.kind != JSON_OBJECT_BEGIN) return bad(err, "a table is no object");
        if (json_skip_container(&reader, &why) != RF_OK) return bad_json(err, &why);
        rf_str table = rf_slice(answer->tables, from, json_offset(&reader));
        size_t lead = 0; /* what stands between two tables */
        while (lead < table.len && table.ptr[lead] != '{') lead++;
        RF_TRY(push_table(rf_slice(table, lead, table.len), render, sink, arena, err));
    }
}
