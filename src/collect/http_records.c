/* http_records.c - POST /collect/tables/{table}: records of any shape for one table, as Fluent Bit's and Vector's http outputs send them.
 *
 *   Fluent Bit   format msgpack (its default), json (a list), json_lines, json_stream
 *   Vector       codec json with its default framing (a list), newline_delimited, character_delimited (commas), bytes
 *
 * The body says by its type whether it is MessagePack; JSON may come as lists, objects behind one another, with line ends, commas or
 * nothing between. */
#include "base/encode.h"
#include "base/json.h"
#include "collect/cef.h"
#include "collect/http_int.h"
#include "collect/msgpack.h"

enum rf_kind call_answer_count(struct call *call)
{
    struct json_node *answer = json_new(call->request->arena, JSON_T_OBJECT);
    (void)json_set_i64(call->request->arena, answer, "rows", (int64_t)call->counts.rows);
    return request_answer(call->request, 200, answer);
}

enum rf_kind call_each_record(struct call *call, rf_str body,
                              enum rf_kind (*take)(struct call *call, struct json_node *record,
                                                   struct rf_err *err),
                              struct rf_err *err)
{
    for (size_t at = 0;;) {
        struct json_reader reader;
        struct json_node *node;
        rf_str text;
        while (at < body.len && rf_is_space(body.ptr[at])) at++;
        if (at == body.len) return RF_OK;
        json_reader_init_many(&reader, rf_slice(body, at, body.len));
        RF_TRY(json_skip_value(&reader, &text, err));
        at = (size_t)(text.ptr + text.len - body.ptr);
        RF_TRY(json_parse(text, &call->arena, &node, err));
        struct json_node *first = node->type == JSON_T_ARRAY ? node->first : node;
        for (struct json_node *n = first, *next; n != NULL; n = next) {
            next = node->type == JSON_T_ARRAY ? n->next : NULL;
            if (n->type != JSON_T_OBJECT)
                return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                               "The body must be JSON objects: a list, or one behind another.");
            RF_TRY(take(call, n, err));
        }
        while (at < body.len && rf_is_space(body.ptr[at])) at++;
        if (at < body.len && body.ptr[at] == ',') at++;
    }
}

/* ---- records ------------------------------------------------------------------------------------------------------------------ */

/* The row's time: the member that "time" names ("date" of Fluent Bit, "timestamp" of Vector), else its own TimeGenerated, else the
 * time of the event around it. */
static enum rf_kind set_time(struct call *call, struct json_node *record,
                             const struct msgpack_record *event, struct rf_err *err)
{
    rf_usec time;
    bool has_name;
    rf_str name = request_parameter(call->request, "time", &has_name);
    const struct json_node *node = has_name ? json_get_str(record, name) : NULL;
    bool found = node != NULL && (node->type == JSON_T_STRING || node->type == JSON_T_NUMBER) &&
                 cef_time(node->text, &time);
    if (!found && event != NULL && event->has_time && json_get(record, "TimeGenerated") == NULL) {
        time = event->time;
        found = true;
    }
    if (found &&
        json_set_text(&call->arena, record, "TimeGenerated", time_iso(&call->arena, time)) == NULL)
        return rf_fail_memory(err, &call->arena);
    return RF_OK;
}

static enum rf_kind put_record(struct call *call, struct json_node *record,
                               const struct msgpack_record *event, struct rf_err *err)
{
    RF_TRY(set_time(call, record, event, err));
    struct json_out out = rowset_begin(&call->rows, request_variable(call->request, "table"));
    for (const struct json_node *m = record->first; m != NULL; m = m->next) {
        char *key = rf_arena_cstr(&call->arena, m->name);
        if (key == NULL) return rf_fail_memory(err, &call->arena);
        json_put_node(&out, key, m);
    }
    rowset_end(&call->rows, &out);
    return RF_OK;
}

static enum rf_kind take_record(struct call *call, struct json_node *record, struct rf_err *err)
{
    return put_record(call, record, NULL, err);
}

static enum rf_kind take_msgpack(struct call *call, rf_str body, struct rf_err *err)
{
    struct msgpack_records records = {0};
    for (;;) {
        struct msgpack_record record;
        RF_TRY(msgpack_next_record(body, &records, &call->arena, &record, err));
        if (record.fields == NULL) return RF_OK;
        RF_TRY(put_record(call, record.fields, &record, err));
    }
}

static bool is_msgpack(const struct request *request)
{
    static const char *const types[] = {"application/msgpack", "application/x-msgpack",
                                        "application/vnd.msgpack"};
    bool is = false;
    for (size_t i = 0; i < RF_COUNT(types); i++) is |= request_is_type(request, types[i]);
    return is;
}

/* ---- the call ------------------------------------------------------------------------------------------------------------------ */

/* Without anything to be done to each record the body goes to the table as it is: that costs a third. */
static enum rf_kind append_body(struct call *call, rf_str body, struct rf_err *err)
{
    struct request *request = call->request;
    call->is_storing = true;
    RF_TRY(sink_append(&call->collect->sink, &call->route, request_variable(request, "table"), body,
                       request->now, &call->counts.rows, err));
    call->counts.bytes = body.len;
    call_note(call, NULL);
    return call_answer_count(call);
}

static enum rf_kind tables_call(struct call *call, struct rf_err *err)
{
    bool has_time;
    struct request *request = call->request;
    rf_str body = request->http->body;
    (void)request_parameter(request, "time", &has_time);
    if (is_msgpack(request) && body.len > 0) {
        RF_TRY(take_msgpack(call, body, err));
    } else if (rf_str_trim(body).len == 0) {
        return request_fail(request, err, 400, "InvalidPayload", "The body is empty.");
    } else if (has_time || call->route.rule.len > 0) {
        RF_TRY(call_each_record(call, body, take_record, err));
    } else {
        return append_body(call, body, err);
    }
    RF_TRY(call_store(call, err));
    return call_answer_count(call);
}

enum rf_kind run_tables(struct request *request, struct rf_err *err)
{
    return call_run(request, USE_TABLES, "http-json", tables_call, err);
}
