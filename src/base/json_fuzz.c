#include "base/json.h"
#include "test/rf_fuzz.h"

/* Reading and skipping agree on what is JSON; texts unescape to UTF-8 that reads back. */
RF_FUZZ(json, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct json_reader reader;
    struct json_event event = {.kind = JSON_NULL};
    json_reader_init(&reader, text);
    enum rf_kind read = RF_OK, skipped;
    while (read == RF_OK && event.kind != JSON_END) {
        read = json_next(&reader, &event, NULL);
        if (read != RF_OK) break;
        rf_str content;
        if (event.kind != JSON_KEY && event.kind != JSON_STRING) continue;
        if (!json_text(&event, &arena, &content)) return;
        RF_ASSERT(rf_utf8_valid(content));
        struct rf_buf again = rf_buf_in(&arena);
        json_put_string(&again, content);
        if (again.failed) return;
        struct json_reader second;
        json_reader_init(&second, rf_buf_view(&again));
        RF_ASSERT(json_next(&second, &event, NULL) == RF_OK && event.kind == JSON_STRING);
        rf_str back;
        if (!json_text(&event, &arena, &back)) return;
        RF_ASSERT(rf_str_eq(content, back));
    }
    size_t stop = json_offset(&reader);
    RF_ASSERT(stop <= text.len);
    json_reader_init(&reader, text);
    skipped = json_skip_value(&reader, NULL, NULL);
    if (skipped == RF_OK) skipped = json_next(&reader, &event, NULL);
    RF_ASSERT(skipped == read);
    RF_ASSERT(json_offset(&reader) == stop);
}
