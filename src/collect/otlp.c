#include "collect/otlp.h"

#include "base/json.h"
#include "collect/otlp_fields.h"
#include "value/text.h"

enum { VALUE_DEPTH_MAX = 32, UINT64_DIGITS = 20 };

/* What the rows of one scope have in common. */
struct origin {
    rf_str service, host;
    rf_str resource; /* attributes as JSON */
    rf_str scope_name, scope_version, scope;
};

struct reading {
    struct rf_arena *arena;
    struct rowset *rows;
    struct otlp_result *result;
    rf_usec now;
    struct origin origin;
};

/* ---- values ------------------------------------------------------------------------------------------------------------------ */

static bool is_whole(rf_str text)
{
    int64_t number;
    return text.len > 0 && text.len <= UINT64_DIGITS && text_to_long(text, &number) &&
           (rf_is_digit(text.ptr[0]) || text.ptr[0] == '-') && (text.len < 2 || text.ptr[1] != 'x');
}

static void put_attributes(struct rf_buf *out, const struct json_node *list, int depth);

/* AnyValue as plain JSON. Recursion ends at VALUE_DEPTH_MAX: what lies deeper is null. */
static void put_any(struct rf_buf *out, const struct json_node *any, int depth)
{
    const struct json_node *text = json_get(any, "stringValue"),
                           *number = json_get(any, "intValue");
    const struct json_node *list = json_get(any, "arrayValue"), *bag = json_get(any, "kvlistValue");
    const struct json_node *real = json_get(any, "doubleValue"),
                           *truth = json_get(any, "boolValue");
    if (text == NULL) text = json_get(any, "bytesValue");
    if (depth > VALUE_DEPTH_MAX) {
        rf_buf_str(out, RF_S("null"));
    } else if (number != NULL && is_whole(number->text)) {
        rf_buf_str(out, number->text);
    } else if (list != NULL) {
        const struct json_node *values = json_get(list, "values");
        rf_buf_byte(out, '[');
        for (const struct json_node *v = values == NULL ? NULL : values->first; v != NULL;
             v = v->next) {
            put_any(out, v, depth + 1);
            if (v->next != NULL) rf_buf_byte(out, ',');
        }
        rf_buf_byte(out, ']');
    } else if (bag != NULL) {
        put_attributes(out, json_get(bag, "values"), depth + 1);
    } else if (text != NULL && text->type == JSON_T_STRING) {
        json_put_string(out, text->text);
    } else if (real != NULL || truth != NULL) {
        json_print(out, real != NULL ? real : truth);
    } else {
        rf_buf_str(out, RF_S("null"));
    }
}

static void put_attributes(struct rf_buf *out, const struct json_node *list, int depth)
{
    bool comma = false;
    rf_buf_byte(out, '{');
    for (const struct json_node *kv = list == NULL ? NULL : list->first; kv != NULL;
         kv = kv->next) {
        if (kv->type != JSON_T_OBJECT) continue;
        if (comma) rf_buf_byte(out, ',');
        comma = true;
        json_put_string(out, json_text_at(kv, "key"));
        rf_buf_byte(out, ':');
        put_any(out, json_get(kv, "value"), depth);
    }
    rf_buf_byte(out, '}');
}

static rf_str attributes_text(struct rf_arena *arena, const struct json_node *object)
{
    struct rf_buf buf = rf_buf_in(arena);
    put_attributes(&buf, json_get(object, "attributes"), 0);
    return rf_buf_view(&buf);
}

static rf_str attribute(const struct json_node *object, const char *key)
{
    const struct json_node *list = json_get(object, "attributes");
    for (const struct json_node *kv = list == NULL ? NULL : list->first; kv != NULL; kv = kv->next)
        if (rf_str_is(json_text_at(kv, "key"), key)) return json_text_at(kv, "value.stringValue");
    return (rf_str){0};
}

/* A whole number that may stand as a text, as 64-bit numbers do in JSON. */
static bool number_at(const struct json_node *object, const char *name, int64_t *out)
{
    const struct json_node *node = json_get(object, name);
    return node != NULL && (node->type == JSON_T_NUMBER || node->type == JSON_T_STRING) &&
           is_whole(node->text) && text_to_long(node->text, out);
}

/* Nanoseconds since 1970 as ticks; false when there are none. */
static bool time_at(const struct json_node *object, const char *name, int64_t *ticks)
{
    enum { NANOSECONDS_PER_TICK = 100 };
    int64_t nano;
    if (!number_at(object, name, &nano) || nano <= 0) return false;
    *ticks = DATETIME_UNIX_EPOCH + nano / NANOSECONDS_PER_TICK;
    return true;
}

static void put_time(struct json_out *out, const char *name, const struct json_node *object,
                     const char *member)
{
    int64_t ticks;
    if (time_at(object, member, &ticks)) rowset_put_ticks(out, name, ticks);
}

static void put_number(struct json_out *out, const char *name, const struct json_node *object,
                       const char *member)
{
    int64_t number;
    if (number_at(object, member, &number)) json_put_i64(out, name, number);
}

static void put_text(struct json_out *out, const char *name, rf_str text)
{
    if (text.len > 0) json_put_text(out, name, text);
}

static void put_node(struct json_out *out, const char *name, const struct json_node *node)
{
    if (node != NULL && node->type != JSON_T_STRING) json_put_node(out, name, node);
}

/* JSON has enums as numbers; some senders write their names. */
static rf_str enum_at(const struct json_node *object, const char *member, const char *prefix,
                      const char *const *names, size_t count)
{
    int64_t number;
    rf_str text = json_text_at(object, member), front = rf_str_of(prefix);
    if (number_at(object, member, &number))
        return number >= 0 && number < (int64_t)count ? rf_str_of(names[number]) : (rf_str){0};
    if (!rf_str_starts(text, front)) return text;
    for (size_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(rf_slice(text, front.len, text.len), rf_str_of(names[i])))
            return rf_str_of(names[i]);
    return text;
}

/* The time of the first of the named members that has one, else now. */
static int64_t first_time(const struct reading *r, const struct json_node *object, const char *one,
                          const char *other)
{
    int64_t ticks;
    if (time_at(object, one, &ticks) || time_at(object, other, &ticks)) return ticks;
    return DATETIME_UNIX_EPOCH + r->now * TICKS_PER_MICROSECOND;
}

static struct json_out begin_row(struct reading *r, rf_str table)
{
    struct json_out out = rowset_begin(r->rows, table);
    put_text(&out, "ServiceName", r->origin.service);
    put_text(&out, "HostName", r->origin.host);
    json_put_raw(&out, "ResourceAttributes", r->origin.resource);
    put_text(&out, "ScopeName", r->origin.scope_name);
    put_text(&out, "ScopeVersion", r->origin.scope_version);
    json_put_raw(&out, "ScopeAttributes", r->origin.scope);
    return out;
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

static void put_body(struct reading *r, struct json_out *out, const struct json_node *body)
{
    const struct json_node *text = json_get(body, "stringValue");
    if (json_is(text, JSON_T_STRING)) {
        json_put_text(out, "Body", text->text);
        return;
    }
    if (!json_is(body, JSON_T_OBJECT) || body->count == 0) return;
    struct rf_buf buf = rf_buf_in(r->arena);
    put_any(&buf, body, 0);
    json_put_text(out, "Body", rf_buf_view(&buf));
    json_put_raw(out, "BodyData", rf_buf_view(&buf));
}

static void read_log(struct reading *r, const struct json_node *record)
{
    struct json_out out = begin_row(r, RF_S("OTelLogs"));
    int64_t number;
    rowset_put_ticks(&out, "TimeGenerated",
                     first_time(r, record, "timeUnixNano", "observedTimeUnixNano"));
    put_time(&out, "ObservedTime", record, "observedTimeUnixNano");
    if (number_at(record, "severityNumber", &number)) json_put_i64(&out, "SeverityNumber", number);
    put_text(&out, "SeverityText", json_text_at(record, "severityText"));
    put_body(r, &out, json_get(record, "body"));
    put_text(&out, "EventName", json_text_at(record, "eventName"));
    json_put_raw(&out, "Attributes", attributes_text(r->arena, record));
    put_text(&out, "TraceId", json_text_at(record, "traceId"));
    put_text(&out, "SpanId", json_text_at(record, "spanId"));
    put_number(&out, "TraceFlags", record, "flags");
    put_number(&out, "DroppedAttributesCount", record, "droppedAttributesCount");
    rowset_end(r->rows, &out);
}

/* ---- traces ------------------------------------------------------------------------------------------------------------------ */

static void put_parts(struct reading *r, struct json_out *out, const char *name,
                      const struct json_node *list)
{
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0) return;
    json_begin_array(out, name);
    for (const struct json_node *part = list->first; part != NULL; part = part->next) {
        json_begin_object(out, NULL);
        put_time(out, "Time", part, "timeUnixNano");
        put_text(out, "Name", json_text_at(part, "name"));
        put_text(out, "TraceId", json_text_at(part, "traceId"));
        put_text(out, "SpanId", json_text_at(part, "spanId"));
        json_put_raw(out, "Attributes", attributes_text(r->arena, part));
        json_end_object(out);
    }
    json_end_array(out);
}

static void read_span(struct reading *r, const struct json_node *span)
{
    static const char *const kinds[] = {"Unspecified", "Internal", "Server",
                                        "Client",      "Producer", "Consumer"};
    static const char *const codes[] = {"Unset", "Ok", "Error"};
    struct json_out out = begin_row(r, RF_S("OTelSpans"));
    const struct json_node *status = json_get(span, "status");
    int64_t from = first_time(r, span, "startTimeUnixNano", "endTimeUnixNano"), to;
    rowset_put_ticks(&out, "TimeGenerated", from);
    if (time_at(span, "endTimeUnixNano", &to)) {
        struct rf_buf buf = rf_buf_in(r->arena);
        rowset_put_ticks(&out, "EndTime", to);
        text_put_real(&buf, (double)(to - from) / (double)TICKS_PER_MS, true);
        if (!buf.failed) json_put_raw(&out, "DurationMs", rf_buf_view(&buf));
    }
    put_text(&out, "Name", json_text_at(span, "name"));
    put_text(&out, "Kind", enum_at(span, "kind", "SPAN_KIND_", kinds, RF_COUNT(kinds)));
    rf_str code = enum_at(status, "code", "STATUS_CODE_", codes, RF_COUNT(codes));
    json_put_text(&out, "StatusCode", code.len > 0 ? code : RF_S("Unset"));
    put_text(&out, "StatusMessage", json_text_at(status, "message"));
    put_text(&out, "TraceId", json_text_at(span, "traceId"));
    put_text(&out, "SpanId", json_text_at(span, "spanId"));
    put_text(&out, "ParentSpanId", json_text_at(span, "parentSpanId"));
    put_text(&out, "TraceState", json_text_at(span, "traceState"));
    json_put_raw(&out, "Attributes", attributes_text(r->arena, span));
    put_parts(r, &out, "Events", json_get(span, "events"));
    put_parts(r, &out, "Links", json_get(span, "links"));
    rowset_end(r->rows, &out);
}

/* ---- metrics ------------------------------------------------------------------------------------------------------------------ */

static void put_real(struct json_out *out, const char *name, const struct json_node *point,
                     const char *member)
{
    const struct json_node *node = json_get(point, member);
    if (json_is(node, JSON_T_NUMBER)) json_put_node(out, name, node);
}

static void read_point(struct reading *r, const struct json_node *metric, const char *type,
                       const struct json_node *data, const struct json_node *point)
{
    static const char *const temporalities[] = {"Unspecified", "Delta", "Cumulative"};
    struct json_out out = begin_row(r, RF_S("OTelMetrics"));
    int64_t whole;
    rowset_put_ticks(&out, "TimeGenerated",
                     first_time(r, point, "timeUnixNano", "startTimeUnixNano"));
    put_time(&out, "StartTime", point, "startTimeUnixNano");
    put_text(&out, "MetricName", json_text_at(metric, "name"));
    put_text(&out, "Description", json_text_at(metric, "description"));
    put_text(&out, "Unit", json_text_at(metric, "unit"));
    json_put_text(&out, "MetricType", rf_str_of(type));
    if (number_at(point, "asInt", &whole))
        json_put_i64(&out, "Value", whole);
    else
        put_real(&out, "Value", point, "asDouble");
    put_number(&out, "Count", point, "count");
    put_real(&out, "Sum", point, "sum");
    put_real(&out, "Min", point, "min");
    put_real(&out, "Max", point, "max");
    put_node(&out, "BucketCounts", json_get(point, "bucketCounts"));
    put_node(&out, "ExplicitBounds", json_get(point, "explicitBounds"));
    put_node(&out, "Quantiles", json_get(point, "quantileValues"));
    put_number(&out, "Scale", point, "scale");
    put_number(&out, "ZeroCount", point, "zeroCount");
    put_node(&out, "Positive", json_get(point, "positive"));
    put_node(&out, "Negative", json_get(point, "negative"));
    put_text(&out, "AggregationTemporality",
             enum_at(data, "aggregationTemporality", "AGGREGATION_TEMPORALITY_", temporalities,
                     RF_COUNT(temporalities)));
    if (json_get(data, "isMonotonic") != NULL)
        json_put_bool(&out, "IsMonotonic", json_bool_at(data, "isMonotonic", false));
    json_put_raw(&out, "Attributes", attributes_text(r->arena, point));
    rowset_end(r->rows, &out);
}

static void read_metric(struct reading *r, const struct json_node *metric)
{
    static const struct {
        const char *member, *type;
    } kinds[] = {{"gauge", "Gauge"},
                 {"sum", "Sum"},
                 {"histogram", "Histogram"},
                 {"exponentialHistogram", "ExponentialHistogram"},
                 {"summary", "Summary"}};
    for (size_t i = 0; i < RF_COUNT(kinds); i++) {
        const struct json_node *data = json_get(metric, kinds[i].member);
        const struct json_node *points = json_get(data, "dataPoints");
        for (const struct json_node *p = points == NULL ? NULL : points->first; p != NULL;
             p = p->next)
            read_point(r, metric, kinds[i].type, data, p);
    }
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------ */

static const struct {
    const struct protobuf_field *fields;
    const char *resources, *scopes, *records;
    void (*read)(struct reading *r, const struct json_node *record);
} signals[] = {
    [OTLP_LOGS] = {otlp_logs_fields, "resourceLogs", "scopeLogs", "logRecords", read_log},
    [OTLP_TRACES] = {otlp_traces_fields, "resourceSpans", "scopeSpans", "spans", read_span},
    [OTLP_METRICS] = {otlp_metrics_fields, "resourceMetrics", "scopeMetrics", "metrics",
                      read_metric},
};

static const struct json_node *first_of(const struct json_node *object, const char *name)
{
    const struct json_node *list = json_get(object, name);
    return json_is(list, JSON_T_ARRAY) ? list->first : NULL;
}

static void read_scope(struct reading *r, enum otlp_signal signal, const struct json_node *in)
{
    const struct json_node *scope = json_get(in, "scope");
    r->origin.scope_name = json_text_at(scope, "name");
    r->origin.scope_version = json_text_at(scope, "version");
    r->origin.scope = attributes_text(r->arena, scope);
    for (const struct json_node *record = first_of(in, signals[signal].records); record != NULL;
         record = record->next) {
        if (record->type == JSON_T_OBJECT) {
            signals[signal].read(r, record);
            continue;
        }
        r->result->rejected++;
        r->result->why = "a record is no object";
    }
}

enum rf_kind otlp_read(enum otlp_signal signal, bool is_json, rf_str body, rf_usec now,
                       struct rf_arena *arena, struct rowset *rows, struct otlp_result *result,
                       struct rf_err *err)
{
    struct reading r = {.arena = arena, .rows = rows, .result = result, .now = now};
    struct json_node *root;
    *result = (struct otlp_result){.why = NULL};
    RF_TRY(is_json ? json_parse(body, arena, &root, err)
                   : protobuf_read(body, signals[signal].fields, arena, &root, err));
    if (root->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "BadJson", "the export request must be an object");
    for (const struct json_node *in = first_of(root, signals[signal].resources); in != NULL;
         in = in->next) {
        const struct json_node *resource = json_get(in, "resource");
        r.origin.service = attribute(resource, "service.name");
        r.origin.host = attribute(resource, "host.name");
        r.origin.resource = attributes_text(arena, resource);
        for (const struct json_node *scope = first_of(in, signals[signal].scopes); scope != NULL;
             scope = scope->next)
            read_scope(&r, signal, scope);
    }
    result->rows = rowset_count(rows);
    return rowset_failed(rows) ? rf_fail_memory(err, arena) : RF_OK;
}
