/* A request to send: the first line is BrokerProperties, the second a property's text, the rest the body, read as an event and as a list. */
#include "hub/http_int.h"
#include "test/rf_fuzz.h"

static rf_str cut_line(rf_str *rest)
{
    size_t end = rf_str_find(*rest, RF_S("\n"), 0);
    rf_str line = end == SIZE_MAX ? *rest : rf_slice(*rest, 0, end);
    *rest = end == SIZE_MAX ? (rf_str){0} : rf_slice(*rest, end + 1, rest->len);
    return line;
}

/* What is taken can be made a message, or is refused; a message that was made can be read. */
static void make(const struct http_events *events, struct rf_arena *arena)
{
    struct event_in in, again;
    struct rf_err err;
    for (uint32_t i = 0; i < events->count; i++) {
        struct rf_buf buf = rf_buf_in(arena);
        if (event_make(&events->items[i], arena, &in, &err) != RF_OK) continue;
        rf_buf_str(&buf, in.properties);
        rf_buf_str(&buf, in.application);
        rf_buf_str(&buf, in.body);
        if (!buf.failed)
            RF_ASSERT(event_read_amqp(rf_buf_view(&buf), arena, &again, &err) == RF_OK ||
                      err.kind == RF_LIMIT);
    }
}

RF_FUZZ(http_event, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16u << 20);
    struct http_header headers[] = {{RF_S("BrokerProperties"), cut_line(&text)},
                                    {RF_S("Thing"), cut_line(&text)},
                                    {RF_S("Content-Type"), RF_S(HUB_BATCH_TYPE)}};
    struct http_request request = {
        .method = HTTP_POST, .headers = headers, .header_count = 2, .body = text};
    struct http_events events;
    if (http_events_read(&request, &arena, &events, NULL) == RF_OK) {
        RF_ASSERT(events.count == 1);
        make(&events, &arena);
    }
    request.header_count = 3;
    if (http_events_read(&request, &arena, &events, NULL) == RF_OK) {
        RF_ASSERT(events.count > 0 && events.count <= HUB_HTTP_EVENTS_MAX);
        make(&events, &arena);
    }
}
