#include "collect/hec.h"

#include "base/json.h"
#include "collect/cef.h"
#include "value/text.h"

struct reading {
    const struct hec_defaults *defaults;
    const struct line_source *source;
    struct rf_arena *arena;
    struct rowset *rows;
    struct hec_result *result;
    struct rf_err *err;
};

static enum rf_kind refuse(struct reading *r, enum hec_code code, const char *why)
{
    r->result->code = code;
    return RF_FAIL(r->err, RF_INVALID, "HecRefused", "event %llu: %s",
                   (unsigned long long)r->result->event, why);
}

static rf_str text_or(const struct json_node *event, const char *name, rf_str otherwise)
{
    rf_str text = json_text_at(event, name);
    return text.len > 0 ? text : otherwise;
}

static void put_text(struct json_out *out, const char *name, rf_str text)
{
    if (text.len > 0) json_put_text(out, name, text);
}

/* What the tables of devices are for. */
static bool is_line(rf_str text, rf_str source_type)
{
    size_t at = 0;
    rf_str trimmed = rf_str_trim(text);
    if (cef_begins(trimmed, &at) || rf_str_starts(trimmed, RF_S("<Event"))) return true;
    return rf_str_eq_nocase(source_type, RF_S("syslog")) ||
           (rf_str_eq_nocase(source_type, RF_S("cef")) &&
            rf_str_find(text, RF_S("CEF:"), 0) != SIZE_MAX);
}

static void put_line(struct reading *r, rf_str text, rf_str host)
{
    const char *problem;
    struct line_source source = *r->source;
    source.host = host;
    line_put(&source, text, r->arena, r->rows, &problem);
    if (problem == NULL) return;
    r->result->problem = problem;
    r->result->problem_count++;
}

static void put_event(struct reading *r, const struct json_node *event,
                      const struct json_node *data, rf_str raw)
{
    rf_usec time = r->source->now;
    rf_str host = text_or(event, "host", r->defaults->host);
    rf_str type = text_or(event, "sourcetype", r->defaults->source_type);
    bool is_text = data == NULL || data->type == JSON_T_STRING;
    struct rf_err inner;
    if (data != NULL && is_text) raw = data->text;
    if (is_text && is_line(raw, type)) {
        put_line(r, raw, host);
        return;
    }
    if (json_is(data, JSON_T_OBJECT) && r->source->columns != NULL &&
        rf_str_starts(type, RF_S("XmlWinEventLog")) &&
        winevent_read_json(data, r->source->columns, r->arena, r->rows, &inner) == RF_OK)
        return;
    struct json_out out = rowset_begin(r->rows, RF_S("HecEvents"));
    const struct json_node *said = json_get(event, "time");
    if (json_is(said, JSON_T_NUMBER) || json_is(said, JSON_T_STRING))
        (void)cef_time(said->text, &time);
    rowset_put_time(&out, "TimeGenerated", time);
    put_text(&out, "Host", host);
    put_text(&out, "Source", text_or(event, "source", r->defaults->source));
    put_text(&out, "SourceType", type);
    put_text(&out, "Index", text_or(event, "index", r->defaults->index));
    if (is_text) {
        json_put_text(&out, "Event", raw);
    } else {
        json_put_text(&out, "Event", json_to_text(r->arena, data));
        json_put_node(&out, "EventData", data);
    }
    if (json_get(event, "fields") != NULL) json_put_node(&out, "Fields", json_get(event, "fields"));
    put_text(&out, "SenderIP", r->source->peer);
    rowset_end(r->rows, &out);
}

static enum rf_kind read_event(struct reading *r, const struct json_node *event)
{
    const struct json_node *data = json_get(event, "event"), *fields = json_get(event, "fields");
    if (!json_is(event, JSON_T_OBJECT)) return refuse(r, HEC_BAD_FORMAT, "it is no object");
    /* Metrics have "event":"metric" and their values in fields. */
    if (data == NULL) return refuse(r, HEC_EVENT_REQUIRED, "it has no \"event\"");
    if (data->type == JSON_T_NULL || (data->type == JSON_T_STRING && data->text.len == 0))
        return refuse(r, HEC_EVENT_BLANK, "its \"event\" is blank");
    if (fields != NULL && fields->type != JSON_T_OBJECT)
        return refuse(r, HEC_BAD_FIELDS, "its \"fields\" are no object");
    put_event(r, event, data, (rf_str){0});
    r->result->event++;
    return RF_OK;
}

enum rf_kind hec_read_events(rf_str body, const struct hec_defaults *defaults,
                             const struct line_source *source, struct rf_arena *arena,
                             struct rowset *rows, struct hec_result *result, struct rf_err *err)
{
    struct reading r = {defaults, source, arena, rows, result, err};
    *result = (struct hec_result){.code = HEC_SUCCESS};
    size_t at = 0;
    if (rf_str_trim(body).len == 0) return refuse(&r, HEC_NO_DATA, "the body is empty");
    while (at < body.len) {
        struct json_reader reader;
        struct json_node *node;
        rf_str text;
        while (at < body.len && (rf_is_space(body.ptr[at]) || body.ptr[at] == ',')) at++;
        if (at == body.len) break;
        /* One value after the other: the reader of many would want to see all of them first. */
        json_reader_init_many(&reader, rf_slice(body, at, body.len));
        enum rf_kind kind = json_skip_value(&reader, &text, err);
        if (kind == RF_OK) {
            at = (size_t)(text.ptr + text.len - body.ptr);
            kind = json_parse(text, arena, &node, err);
        }
        if (kind == RF_LIMIT && strcmp(err->code, "MemoryBudgetExceeded") == 0) return kind;
        if (kind != RF_OK) return refuse(&r, HEC_BAD_FORMAT, "it is not JSON");
        if (node->type != JSON_T_ARRAY) {
            RF_TRY(read_event(&r, node));
            continue;
        }
        for (const struct json_node *n = node->first; n != NULL; n = n->next)
            RF_TRY(read_event(&r, n));
    }
    return rowset_failed(rows) ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind hec_read_raw(rf_str body, const struct hec_defaults *defaults,
                          const struct line_source *source, struct rf_arena *arena,
                          struct rowset *rows, struct hec_result *result, struct rf_err *err)
{
    struct reading r = {defaults, source, arena, rows, result, err};
    *result = (struct hec_result){.code = HEC_SUCCESS};
    rf_str trimmed = rf_str_trim(body);
    if (trimmed.len == 0) return refuse(&r, HEC_NO_DATA, "the body is empty");
    if (!rf_utf8_valid(body)) return refuse(&r, HEC_BAD_FORMAT, "it is not UTF-8");
    if (rf_str_starts(trimmed, RF_S("<Event"))) { /* events span lines */
        put_event(&r, NULL, NULL, trimmed);
        return rowset_failed(rows) ? rf_fail_memory(err, arena) : RF_OK;
    }
    for (size_t from = 0; from < body.len; r.result->event++) {
        size_t end = RF_MIN(rf_str_find(body, RF_S("\n"), from), body.len);
        rf_str line = rf_slice(body, from, end);
        from = end + 1;
        while (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
        if (rf_str_trim(line).len > 0) put_event(&r, NULL, NULL, line);
    }
    return rowset_failed(rows) ? rf_fail_memory(err, arena) : RF_OK;
}
