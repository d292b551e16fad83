/* hec.h - bodies of Splunk's HTTP Event Collector: JSON objects behind each other (or in a list), each an event with what describes
 * it, or raw lines. Pure; any thread. */
#ifndef RF_COLLECT_HEC_H
#define RF_COLLECT_HEC_H

#include "collect/line.h"

/* Splunk's codes of answers. */
enum hec_code {
    HEC_SUCCESS = 0,
    HEC_DISABLED = 1,
    HEC_TOKEN_REQUIRED = 2,
    HEC_BAD_AUTHORIZATION = 3,
    HEC_BAD_TOKEN = 4,
    HEC_NO_DATA = 5,
    HEC_BAD_FORMAT = 6,
    HEC_INTERNAL = 8,
    HEC_BUSY = 9,
    HEC_EVENT_REQUIRED = 12,
    HEC_EVENT_BLANK = 13,
    HEC_NO_ACK = 14,
    HEC_BAD_FIELDS = 15,
    HEC_HEALTHY = 17
};
struct hec_defaults { /* of the query; empty: none */
    rf_str host, source, source_type, index;
};
struct hec_result {
    enum hec_code code;
    uint64_t event;      /* number of the one that is bad, from 0 */
    const char *problem; /* malformed messages in events that were taken, static; NULL: none */
    uint64_t problem_count;
};
/* Rows of HecEvents; texts of events that are CEF, LEEF, syslog (by source type) or Windows events become rows of those tables. RF_INVALID
 * HecRefused: result->code says why, and no event may be taken; RF_LIMIT. */
RF_MUST_USE enum rf_kind hec_read_events(rf_str body, const struct hec_defaults *defaults,
                                         const struct line_source *source, struct rf_arena *arena,
                                         struct rowset *rows, struct hec_result *result,
                                         struct rf_err *err);
/* Each line is an event. */
RF_MUST_USE enum rf_kind hec_read_raw(rf_str body, const struct hec_defaults *defaults,
                                      const struct line_source *source, struct rf_arena *arena,
                                      struct rowset *rows, struct hec_result *result,
                                      struct rf_err *err);

#endif
