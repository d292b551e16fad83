/* The first line is the name of the time field, the rest a body of the Data Collector API. */
#include "base/json.h"
#include "logs/collector_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(collector, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct collector_rows rows;
    struct json_event event;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 20);
    size_t end = rf_str_find(text, RF_S("\n"), 0);
    if (end == SIZE_MAX) return;
    rf_str time_field = rf_slice(text, 0, end);
    if (!rf_utf8_valid(time_field)) return;
    text = rf_slice(text, end + 1, text.len);
    if (collector_translate(text, time_field, time_field, &arena, &rows, &err) != RF_OK) return;
    /* What comes out is JSON again, a record a line. */
    struct json_reader reader;
    uint64_t records = 0;
    json_reader_init_many(&reader, rf_buf_view(&rows.json));
    do {
        enum rf_kind kind = json_next(&reader, &event, &err);
        RF_ASSERT(kind == RF_OK);
        if (event.kind == JSON_OBJECT_END) records++;
    } while (event.kind != JSON_END);
    RF_ASSERT(records == rows.row_count);
}
