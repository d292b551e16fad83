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
    if (http_events_read(&request, &arena, &events, NULL) == RF_OK) RF_ASSERT(events.count == 1);
    request.header_count = 3;
    if (http_events_read(&request, &arena, &events, NULL) == RF_OK)
        RF_ASSERT(events.count > 0 && events.count <= HUB_HTTP_EVENTS_MAX);
}
