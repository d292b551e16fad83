#include "sigma/event.h"
#include "test/rf_fuzz.h"

static bool visit(void *ctx, rf_str text)
{
    *(size_t *)ctx += text.len;
    return false;
}

/* The first byte chooses the layout, the rest are lines of events. */
RF_FUZZ(event, text)
{
    static const rf_str fields[] = {
        {(const uint8_t *)"Channel", 7},        {(const uint8_t *)"EventID", 7},
        {(const uint8_t *)"Image", 5},          {(const uint8_t *)"a.b", 3},
        {(const uint8_t *)"Provider_Name", 13}, {(const uint8_t *)"msg", 3}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    if (text.len == 0) return;
    const struct layout *layout = &layouts[text.ptr[0] % layout_count()];
    struct event_reader *reader;
    struct rf_err err;
    if (event_reader_new(layout, fields, RF_COUNT(fields), &arena, &reader, &err) != RF_OK) return;
    /* Bytes behind the text are readable, as the reader asks. */
    uint8_t *bytes = rf_arena_zalloc(&arena, text.len + 64);
    if (bytes != NULL) {
        memcpy(bytes, text.ptr, text.len);
        event_feed(reader, rf_str_make(bytes + 1, text.len - 1), true);
        size_t sum = 0;
        rf_usec time;
        for (enum event_step step; (step = event_next(reader)) == EVENT_ONE || step == EVENT_BAD;) {
            if (step == EVENT_BAD) continue;
            for (uint32_t i = 0; i < RF_COUNT(fields); i++)
                for (const struct sigma_value *v = event_value(reader, i); v != NULL; v = v->more)
                    if (v->kind == VALUE_TEXT) sum += v->text.len;
            (void)event_each_text(reader, visit, &sum);
            (void)event_time(reader, &time);
            (void)layout_of_line(event_text(reader));
        }
    }
    event_reader_done(reader);
}
