/* otlp.h - OpenTelemetry's export requests (OTLP 1.x over HTTP; opentelemetry-proto: collector/{logs,trace,metrics}/v1), in
 * Protocol Buffers or in their JSON mapping, as rows of OTelLogs, OTelSpans and OTelMetrics. Pure; any thread. */
#ifndef RF_COLLECT_OTLP_H
#define RF_COLLECT_OTLP_H

#include "base/clock.h"
#include "collect/rowset.h"

enum otlp_signal { OTLP_LOGS, OTLP_TRACES, OTLP_METRICS };
struct otlp_result {
    uint64_t rows;
    uint64_t rejected; /* records that are none */
    const char *why;   /* of the first, static */
};
/* `now` is the time of records that say none. RF_INVALID BadJson, BadProtobuf; RF_LIMIT. */
RF_MUST_USE enum rf_kind otlp_read(enum otlp_signal signal, bool is_json, rf_str body, rf_usec now,
                                   struct rf_arena *arena, struct rowset *rows,
                                   struct otlp_result *result, struct rf_err *err);

#endif
