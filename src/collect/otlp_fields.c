/* otlp_fields.c - numbers and kinds as in opentelemetry-proto v1 (common, resource, logs, trace, metrics). */
#include "collect/otlp_fields.h"

#define END                                                                                        \
    {                                                                                              \
        .number = 0                                                                                \
    }
#define MESSAGE(number_, name_, fields_)                                                           \
    {                                                                                              \
        .number = number_, .kind = PROTOBUF_MESSAGE, .name = name_, .message = fields_             \
    }
#define MESSAGES(number_, name_, fields_)                                                          \
    {                                                                                              \
        .number = number_, .kind = PROTOBUF_MESSAGE, .repeated = true, .name = name_,              \
        .message = fields_                                                                         \
    }
#define ONE(number_, kind_, name_)                                                                 \
    {                                                                                              \
        .number = number_, .kind = kind_, .name = name_                                            \
    }
#define LIST(number_, kind_, name_)                                                                \
    {                                                                                              \
        .number = number_, .kind = kind_, .repeated = true, .name = name_                          \
    }

/* ---- common --------------------------------------------------------------------------------------------------------------- */

static const struct protobuf_field any_value[8];
static const struct protobuf_field key_value[] = {ONE(1, PROTOBUF_STRING, "key"),
                                                  MESSAGE(2, "value", any_value), END};
static const struct protobuf_field array_value[] = {MESSAGES(1, "values", any_value), END};
static const struct protobuf_field key_value_list[] = {MESSAGES(1, "values", key_value), END};
static const struct protobuf_field any_value[8] = {
    ONE(1, PROTOBUF_STRING, "stringValue"), ONE(2, PROTOBUF_BOOL, "boolValue"),
    ONE(3, PROTOBUF_INT, "intValue"),       ONE(4, PROTOBUF_DOUBLE, "doubleValue"),
    MESSAGE(5, "arrayValue", array_value),  MESSAGE(6, "kvlistValue", key_value_list),
    ONE(7, PROTOBUF_BASE64, "bytesValue"),  END};
static const struct protobuf_field scope[] = {
    ONE(1, PROTOBUF_STRING, "name"), ONE(2, PROTOBUF_STRING, "version"),
    MESSAGES(3, "attributes", key_value), ONE(4, PROTOBUF_UINT, "droppedAttributesCount"), END};
static const struct protobuf_field resource[] = {
    MESSAGES(1, "attributes", key_value), ONE(2, PROTOBUF_UINT, "droppedAttributesCount"), END};

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

static const struct protobuf_field log_record[] = {
    ONE(1, PROTOBUF_FIXED64, "timeUnixNano"), ONE(2, PROTOBUF_INT, "severityNumber"),
    ONE(3, PROTOBUF_STRING, "severityText"),  MESSAGE(5, "body", any_value),
    MESSAGES(6, "attributes", key_value),     ONE(7, PROTOBUF_UINT, "droppedAttributesCount"),
    ONE(8, PROTOBUF_FIXED32, "flags"),        ONE(9, PROTOBUF_HEX, "traceId"),
    ONE(10, PROTOBUF_HEX, "spanId"),          ONE(11, PROTOBUF_FIXED64, "observedTimeUnixNano"),
    ONE(12, PROTOBUF_STRING, "eventName"),    END};
static const struct protobuf_field scope_logs[] = {MESSAGE(1, "scope", scope),
                                                   MESSAGES(2, "logRecords", log_record),
                                                   ONE(3, PROTOBUF_STRING, "schemaUrl"), END};
static const struct protobuf_field resource_logs[] = {MESSAGE(1, "resource", resource),
                                                      MESSAGES(2, "scopeLogs", scope_logs),
                                                      ONE(3, PROTOBUF_STRING, "schemaUrl"), END};
const struct protobuf_field otlp_logs_fields[] = {MESSAGES(1, "resourceLogs", resource_logs), END};

/* ---- traces ------------------------------------------------------------------------------------------------------------------ */

static const struct protobuf_field event[] = {
    ONE(1, PROTOBUF_FIXED64, "timeUnixNano"), ONE(2, PROTOBUF_STRING, "name"),
    MESSAGES(3, "attributes", key_value), ONE(4, PROTOBUF_UINT, "droppedAttributesCount"), END};
static const struct protobuf_field span_link[] = {ONE(1, PROTOBUF_HEX, "traceId"),
                                                  ONE(2, PROTOBUF_HEX, "spanId"),
                                                  ONE(3, PROTOBUF_STRING, "traceState"),
                                                  MESSAGES(4, "attributes", key_value),
                                                  ONE(5, PROTOBUF_UINT, "droppedAttributesCount"),
                                                  ONE(6, PROTOBUF_FIXED32, "flags"),
                                                  END};
static const struct protobuf_field status[] = {ONE(2, PROTOBUF_STRING, "message"),
                                               ONE(3, PROTOBUF_INT, "code"), END};
static const struct protobuf_field span[] = {ONE(1, PROTOBUF_HEX, "traceId"),
                                             ONE(2, PROTOBUF_HEX, "spanId"),
                                             ONE(3, PROTOBUF_STRING, "traceState"),
                                             ONE(4, PROTOBUF_HEX, "parentSpanId"),
                                             ONE(5, PROTOBUF_STRING, "name"),
                                             ONE(6, PROTOBUF_INT, "kind"),
                                             ONE(7, PROTOBUF_FIXED64, "startTimeUnixNano"),
                                             ONE(8, PROTOBUF_FIXED64, "endTimeUnixNano"),
                                             MESSAGES(9, "attributes", key_value),
                                             ONE(10, PROTOBUF_UINT, "droppedAttributesCount"),
                                             MESSAGES(11, "events", event),
                                             MESSAGES(13, "links", span_link),
                                             MESSAGE(15, "status", status),
                                             ONE(16, PROTOBUF_FIXED32, "flags"),
                                             END};
static const struct protobuf_field scope_spans[] = {MESSAGE(1, "scope", scope),
                                                    MESSAGES(2, "spans", span),
                                                    ONE(3, PROTOBUF_STRING, "schemaUrl"), END};
static const struct protobuf_field resource_spans[] = {MESSAGE(1, "resource", resource),
                                                       MESSAGES(2, "scopeSpans", scope_spans),
                                                       ONE(3, PROTOBUF_STRING, "schemaUrl"), END};
const struct protobuf_field otlp_traces_fields[] = {MESSAGES(1, "resourceSpans", resource_spans),
                                                    END};

/* ---- metrics ------------------------------------------------------------------------------------------------------------------ */

static const struct protobuf_field number_point[] = {ONE(2, PROTOBUF_FIXED64, "startTimeUnixNano"),
                                                     ONE(3, PROTOBUF_FIXED64, "timeUnixNano"),
                                                     ONE(4, PROTOBUF_DOUBLE, "asDouble"),
                                                     ONE(6, PROTOBUF_SFIXED64, "asInt"),
                                                     MESSAGES(7, "attributes", key_value),
                                                     ONE(8, PROTOBUF_UINT, "flags"),
                                                     END};
static const struct protobuf_field histogram_point[] = {
    ONE(2, PROTOBUF_FIXED64, "startTimeUnixNano"),
    ONE(3, PROTOBUF_FIXED64, "timeUnixNano"),
    ONE(4, PROTOBUF_FIXED64, "count"),
    ONE(5, PROTOBUF_DOUBLE, "sum"),
    LIST(6, PROTOBUF_FIXED64, "bucketCounts"),
    LIST(7, PROTOBUF_DOUBLE, "explicitBounds"),
    MESSAGES(9, "attributes", key_value),
    ONE(10, PROTOBUF_UINT, "flags"),
    ONE(11, PROTOBUF_DOUBLE, "min"),
    ONE(12, PROTOBUF_DOUBLE, "max"),
    END};
static const struct protobuf_field buckets[] = {ONE(1, PROTOBUF_SINT, "offset"),
                                                LIST(2, PROTOBUF_UINT, "bucketCounts"), END};
static const struct protobuf_field exponential_point[] = {
    MESSAGES(1, "attributes", key_value),
    ONE(2, PROTOBUF_FIXED64, "startTimeUnixNano"),
    ONE(3, PROTOBUF_FIXED64, "timeUnixNano"),
    ONE(4, PROTOBUF_FIXED64, "count"),
    ONE(5, PROTOBUF_DOUBLE, "sum"),
    ONE(6, PROTOBUF_SINT, "scale"),
    ONE(7, PROTOBUF_FIXED64, "zeroCount"),
    MESSAGE(8, "positive", buckets),
    MESSAGE(9, "negative", buckets),
    ONE(10, PROTOBUF_UINT, "flags"),
    ONE(12, PROTOBUF_DOUBLE, "min"),
    ONE(13, PROTOBUF_DOUBLE, "max"),
    ONE(14, PROTOBUF_DOUBLE, "zeroThreshold"),
    END};
static const struct protobuf_field quantile[] = {ONE(1, PROTOBUF_DOUBLE, "quantile"),
                                                 ONE(2, PROTOBUF_DOUBLE, "value"), END};
static const struct protobuf_field summary_point[] = {ONE(2, PROTOBUF_FIXED64, "startTimeUnixNano"),
                                                      ONE(3, PROTOBUF_FIXED64, "timeUnixNano"),
                                                      ONE(4, PROTOBUF_FIXED64, "count"),
                                                      ONE(5, PROTOBUF_DOUBLE, "sum"),
                                                      MESSAGES(6, "quantileValues", quantile),
                                                      MESSAGES(7, "attributes", key_value),
                                                      ONE(8, PROTOBUF_UINT, "flags"),
                                                      END};
static const struct protobuf_field gauge[] = {MESSAGES(1, "dataPoints", number_point), END};
static const struct protobuf_field sum[] = {MESSAGES(1, "dataPoints", number_point),
                                            ONE(2, PROTOBUF_INT, "aggregationTemporality"),
                                            ONE(3, PROTOBUF_BOOL, "isMonotonic"), END};
static const struct protobuf_field histogram[] = {MESSAGES(1, "dataPoints", histogram_point),
                                                  ONE(2, PROTOBUF_INT, "aggregationTemporality"),
                                                  END};
static const struct protobuf_field exponential[] = {MESSAGES(1, "dataPoints", exponential_point),
                                                    ONE(2, PROTOBUF_INT, "aggregationTemporality"),
                                                    END};
static const struct protobuf_field summary[] = {MESSAGES(1, "dataPoints", summary_point), END};
static const struct protobuf_field metric[] = {ONE(1, PROTOBUF_STRING, "name"),
                                               ONE(2, PROTOBUF_STRING, "description"),
                                               ONE(3, PROTOBUF_STRING, "unit"),
                                               MESSAGE(5, "gauge", gauge),
                                               MESSAGE(7, "sum", sum),
                                               MESSAGE(9, "histogram", histogram),
                                               MESSAGE(10, "exponentialHistogram", exponential),
                                               MESSAGE(11, "summary", summary),
                                               END};
static const struct protobuf_field scope_metrics[] = {MESSAGE(1, "scope", scope),
                                                      MESSAGES(2, "metrics", metric),
                                                      ONE(3, PROTOBUF_STRING, "schemaUrl"), END};
static const struct protobuf_field resource_metrics[] = {MESSAGE(1, "resource", resource),
                                                         MESSAGES(2, "scopeMetrics", scope_metrics),
                                                         ONE(3, PROTOBUF_STRING, "schemaUrl"), END};
const struct protobuf_field otlp_metrics_fields[] = {
    MESSAGES(1, "resourceMetrics", resource_metrics), END};
