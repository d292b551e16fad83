#include "siem/incident_filter.h"
#include "test/rf_fuzz.h"

static const char incident_text[] =
    "{\"name\":\"n\",\"properties\":{\"title\":\"t\",\"severity\":\"Low\",\"status\":\"New\","
    "\"incidentNumber\":7,\"createdTimeUtc\":\"2024-01-01T00:00:00.0000000Z\",\"labels\":[{"
    "\"labelName\":\"l\"}],\"owner\":{\"email\":null},\"additionalData\":{\"alertsCount\":1,"
    "\"tactics\":[\"Impact\"]}}}";

/* What passes must lie within the bounds of its filter. */
RF_FUZZ(incident_filter, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct incident_filter *filter;
    struct json_node *incident;
    struct rf_err err;
    if (incident_filter_parse(text, &arena, &filter, &err) != RF_OK) return;
    RF_ASSERT(json_parse(rf_str_of(incident_text), &arena, &incident, &err) == RF_OK);
    if (!incident_filter_passes(filter, incident)) return;
    struct incident_bounds bounds = incident_filter_bounds(filter);
    RF_ASSERT((bounds.statuses & 1) != 0);
    RF_ASSERT(bounds.number_least <= 7);
    RF_ASSERT(bounds.number_most >= 7);
    RF_ASSERT(bounds.created_least <= INT64_C(1704067200000000));
}
