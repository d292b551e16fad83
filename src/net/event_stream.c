#include "net/event_stream.h"

#include "net/stream_int.h"

enum rf_kind event_stream_open(struct http_response *response,
                               const struct stream_handlers *handlers, void *ctx,
                               struct rf_err *err)
{
    RF_ASSERT(handlers->on_bytes != NULL);
    struct http_upgrade *upgrade = rf_arena_new(response->arena, struct http_upgrade, 1);
    if (upgrade == NULL) return rf_fail_memory(err, response->arena);
    *upgrade = (struct http_upgrade){.plain = handlers, .ctx = ctx};
    response->status = 200;
    http_set_literal(response, "Content-Type", "text/event-stream");
    http_set_literal(response, "Cache-Control", "no-store");
    response->upgrade = upgrade;
    return RF_OK;
}

void event_stream_drop(struct http_response *response)
{
    if (response->upgrade != NULL) upgrade_drop(response->upgrade);
    response->upgrade = NULL;
}
