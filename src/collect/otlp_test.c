#include "collect/otlp.h"
#include "test/rf_prop.h"

#include "base/encode.h"
#include "collect/otlp_fields.h"

#define NOW INT64_C(1769860800000000)

static const char *lines(enum otlp_signal signal, bool is_json, rf_str body, struct rf_arena *arena)
{
    struct rowset rows = rowset_in(arena);
    struct otlp_result result;
    struct rf_err err;
    cr_assert(otlp_read(signal, is_json, body, NOW, arena, &rows, &result, &err) == RF_OK, "%s",
              err.text);
    if (rows.table_count == 0) return "";
    cr_assert(rows.table_count == 1);
    rf_buf_byte(&rows.tables[0].lines, 0);
    return (const char *)rows.tables[0].lines.ptr;
}

#define LOGS_JSON                                                                                  \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"      \
    "\"stringValue\":\"shop\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1\"}," \
    "\"logRecords\":[{\"timeUnixNano\":\"1544712660300000100\",\"severityNumber\":9,"              \
    "\"severityText\":\"Info\",\"body\":{\"stringValue\":\"hello\"},\"attributes\":[{\"key\":"     \
    "\"n\",\"value\":{\"intValue\":\"7\"}},{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[" \
    "{\"boolValue\":true},{\"doubleValue\":1.5}]}}}],\"traceId\":"                                 \
    "\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\"}]}]}]}"
#define LOGS_ROW                                                                                   \
    "{\"ServiceName\":\"shop\",\"ResourceAttributes\":{\"service.name\":\"shop\"},"                \
    "\"ScopeName\":\"lib\",\"ScopeVersion\":\"1\",\"ScopeAttributes\":{},\"TimeGenerated\":"       \
    "\"2018-12-13T14:51:00.3000001Z\",\"SeverityNumber\":9,\"SeverityText\":\"Info\","             \
    "\"Body\":\"hello\",\"Attributes\":{\"n\":7,\"l\":[true,1.5]},\"TraceId\":"                    \
    "\"5b8efff798038103d269b633813fc60c\",\"SpanId\":\"eee19b7ec3c1b174\"}\n"

Test(otlp, logs_of_json)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    cr_assert_str_eq(lines(OTLP_LOGS, true, RF_S(LOGS_JSON), &arena), LOGS_ROW);
    cr_assert_str_eq(lines(OTLP_LOGS, true, RF_S("{}"), &arena), "");
    const char *row = lines(OTLP_LOGS, true,
                            RF_S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
                                 "\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{"
                                 "\"intValue\":1}}]}}}]}]}]}"),
                            &arena);
    cr_assert(strstr(row, "\"Body\":\"{\\\"a\\\":1}\",\"BodyData\":{\"a\":1}") != NULL, "%s", row);
    cr_assert(strstr(row, "\"TimeGenerated\":\"2026-01-31T12:00:00.0000000Z\"") != NULL, "%s", row);
}

/* The same request in the other form, put together by hand from the numbers of the .proto files. */
static rf_str message(struct rf_arena *arena, uint32_t number, rf_str inner, rf_str more)
{
    struct rf_buf out = rf_buf_in(arena);
    protobuf_put_bytes(&out, number, inner);
    rf_buf_str(&out, more);
    return rf_buf_view(&out);
}

static rf_str text_value(struct rf_arena *arena, const char *text)
{
    return message(arena, 1, rf_str_of(text), RF_S(""));
}

static rf_str key_value(struct rf_arena *arena, const char *key, rf_str value)
{
    return message(arena, 1, rf_str_of(key), message(arena, 2, value, RF_S("")));
}

static rf_str logs_protobuf(struct rf_arena *arena)
{
    struct rf_buf record = rf_buf_in(arena), number = rf_buf_in(arena), list = rf_buf_in(arena);
    uint64_t nano = UINT64_C(1544712660300000100);
    rf_str id;
    struct rf_err err;
    rf_buf_byte(&record, 1 << 3 | 1);
    rf_buf_put(&record, &nano, 8);
    protobuf_put_varint(&record, 2, 9);
    protobuf_put_bytes(&record, 3, RF_S("Info"));
    protobuf_put_bytes(&record, 5, text_value(arena, "hello"));
    protobuf_put_varint(&number, 3, 7);
    protobuf_put_bytes(&record, 6, key_value(arena, "n", rf_buf_view(&number)));
    rf_str truth = RF_S("\x10\x01"), real = RF_S("\x21\0\0\0\0\0\0\xf8\x3f");
    protobuf_put_bytes(&list, 1, truth);
    protobuf_put_bytes(&list, 1, real);
    protobuf_put_bytes(&record, 6,
                       key_value(arena, "l", message(arena, 5, rf_buf_view(&list), RF_S(""))));
    cr_assert(hex_decode(arena, RF_S("5b8efff798038103d269b633813fc60c"), &id, &err) == RF_OK);
    protobuf_put_bytes(&record, 9, id);
    cr_assert(hex_decode(arena, RF_S("eee19b7ec3c1b174"), &id, &err) == RF_OK);
    protobuf_put_bytes(&record, 10, id);
    protobuf_put_bytes(&record, 99, RF_S("a field that is not known"));
    rf_str scope = message(arena, 1, RF_S("lib"), message(arena, 2, RF_S("1"), RF_S("")));
    rf_str scoped = message(arena, 1, scope, message(arena, 2, rf_buf_view(&record), RF_S("")));
    rf_str resource =
        message(arena, 1, key_value(arena, "service.name", text_value(arena, "shop")), RF_S(""));
    return message(arena, 1, message(arena, 1, resource, message(arena, 2, scoped, RF_S(""))),
                   RF_S(""));
}

Test(otlp, logs_of_protobuf_are_those_of_json)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    cr_assert_str_eq(lines(OTLP_LOGS, false, logs_protobuf(&arena), &arena), LOGS_ROW);
    cr_assert_str_eq(lines(OTLP_LOGS, false, RF_S(""), &arena), "");
}

Test(otlp, every_cut_is_refused_or_a_request)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    rf_str whole = logs_protobuf(&arena);
    for (size_t len = 1; len < whole.len; len++) {
        struct rowset rows = rowset_in(&arena);
        struct otlp_result result;
        struct rf_err err = {0};
        enum rf_kind kind =
            otlp_read(OTLP_LOGS, false, rf_slice(whole, 0, len), NOW, &arena, &rows, &result, &err);
        cr_assert(kind == RF_INVALID, "%zu", len);
        cr_assert_str_eq(err.code, "BadProtobuf");
    }
}

Test(otlp, depth_is_limited)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *node;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    rf_str value = text_value(&arena, "x");
    for (int i = 0; i < PROTOBUF_DEPTH_MAX; i++) /* a list in a list in a list */
        value = message(&arena, 5, message(&arena, 1, value, RF_S("")), RF_S(""));
    rf_str record = message(&arena, 5, value, RF_S(""));
    rf_str body = message(
        &arena, 1, message(&arena, 2, message(&arena, 2, record, RF_S("")), RF_S("")), RF_S(""));
    cr_assert(protobuf_read(body, otlp_logs_fields, &arena, &node, &err) == RF_LIMIT);
    cr_assert_str_eq(err.code, "ProtobufTooDeep");
}

Test(otlp, spans_and_metrics)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    const char *span = lines(
        OTLP_TRACES, true,
        RF_S("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"aa\",\"spanId\":"
             "\"bb\",\"name\":\"GET /\",\"kind\":2,\"startTimeUnixNano\":\"1544712660000000000\","
             "\"endTimeUnixNano\":\"1544712661500000000\",\"status\":{\"code\":2,\"message\":"
             "\"no\"},\"events\":[{\"name\":\"e\",\"timeUnixNano\":\"1544712660000000000\"}]}]}]}"
             "]}"),
        &arena);
    const char *const of_span[] = {
        "\"DurationMs\":1500.0", "\"Kind\":\"Server\"", "\"StatusCode\":\"Error\"",
        "\"Name\":\"GET /\"",
        ("\"Events\":[{\"Time\":\"2018-12-13T14:51:00.0000000Z\",\"Name\":"
         "\"e\",\"Attributes\":{}}]")};
    for (size_t i = 0; i < RF_COUNT(of_span); i++)
        cr_expect(strstr(span, of_span[i]) != NULL, "%s in %s", of_span[i], span);
    const char *metric = lines(
        OTLP_METRICS, true,
        RF_S("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"unit\":"
             "\"1\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":[{"
             "\"asInt\":\"5\",\"timeUnixNano\":\"1544712660000000000\"}]}},{\"name\":\"h\","
             "\"histogram\":{\"dataPoints\":[{\"count\":\"3\",\"sum\":4.5,\"bucketCounts\":[\"1\","
             "\"2\"],\"explicitBounds\":[1]}]}}]}]}]}"),
        &arena);
    const char *const of_metric[] = {"\"Value\":5,", "\"AggregationTemporality\":\"Cumulative\"",
                                     "\"IsMonotonic\":true", "\"Count\":3,\"Sum\":4.5",
                                     "\"BucketCounts\":[\"1\",\"2\"]"};
    for (size_t i = 0; i < RF_COUNT(of_metric); i++)
        cr_expect(strstr(metric, of_metric[i]) != NULL, "%s in %s", of_metric[i], metric);
}
