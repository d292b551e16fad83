/* export_hub.c - exported rows as events: {"records":[row, ...]}, each row an object with its Type, as many as fit. */
#include "logs/export.h"

enum { EVENT_ROWS_BYTES = 256 << 10, EVENT_WRAP_BYTES = 4 << 10 };

struct hub_export {
    struct hub *hub;
    rf_usec now;
    struct rf_arena *arena;
    uint64_t left_out;
};

/* The hub of that name, or of the table ("am-syslog"), which is made as Azure does it. */
static enum rf_kind find_hub(struct logs *logs, rf_str resource_id, rf_str name, rf_str table,
                             struct rf_arena *arena, struct hub **out, struct rf_err *err)
{
    struct resource_id id, above;
    struct hub_namespace *names;
    RF_TRY(resource_id_parse(resource_id, arena, &id, err));
    above = id;
    if (rf_str_eq_nocase(id.type, RF_S("Microsoft.EventHub/namespaces/eventhubs"))) {
        name = id.name;
        RF_TRY(resource_id_parse(id.parent, arena, &above, err));
    }
    bool own = name.len == 0;
    if (own) name = rf_arena_printf(arena, "am-%.*s", RF_FMT(resource_key(arena, table)));
    rf_str host =
        rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(above.name), RF_FMT(logs->options.site->domain));
    if (name.ptr == NULL || host.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(hubs_namespace(logs->options.hubs, host, &names, err));
    struct rf_err why = {0};
    enum rf_kind kind = hub_find(names, name, out, &why);
    if (kind == RF_NOT_FOUND && own) {
        kind = hub_create(names, name, HUB_PARTITIONS_DEFAULT, NULL, err);
        if (kind == RF_OK || kind == RF_CONFLICT) kind = hub_find(names, name, out, err);
        return kind;
    }
    if (kind != RF_OK && err != NULL) *err = why;
    return kind;
}

static enum rf_kind send_event(struct hub_export *e, rf_str body, struct rf_err *err)
{
    struct event_in event;
    struct event_parts parts = {.body = body, .content_type = RF_S("application/json")};
    struct batch_builder batch;
    struct rf_buf bytes = rf_buf_in(e->arena);
    RF_TRY(event_make(&parts, e->arena, &event, err));
    batch_begin(&batch, &bytes);
    event_add(&batch, e->now, &event, (rf_str){0});
    RF_TRY(batch_end(&batch, CODEC_NONE, NULL, err));
    if (bytes.failed) return rf_fail_memory(err, e->arena);
    struct hub_append append = {.batch = bytes.ptr,
                                .len = bytes.len,
                                .count = 1,
                                .kind = FRAME_AMQP,
                                .producer = {.id = -1}};
    return hub_append_wait(e->hub, hub_next_partition(e->hub), &append, err);
}

/* A row that fits no event is left out and counted. */
static enum rf_kind send_lines(struct hub_export *e, rf_str lines, struct rf_err *err)
{
    struct rf_buf body = rf_buf_in(e->arena);
    uint32_t rows = 0;
    for (size_t from = 0; from < lines.len;) {
        size_t end = RF_MIN(rf_str_find(lines, RF_S("\n"), from), lines.len);
        rf_str row = rf_slice(lines, from, end);
        from = end + 1;
        bool fits = row.len + EVENT_WRAP_BYTES <= EVENT_BYTES_MAX;
        e->left_out += !fits;
        if (fits && row.len > 0) {
            bool full = body.len + row.len + EVENT_WRAP_BYTES > EVENT_BYTES_MAX;
            if (full && rows > 0) {
                rf_buf_str(&body, RF_S("]}"));
                RF_TRY(send_event(e, rf_buf_view(&body), err));
                body = rf_buf_in(e->arena);
                rows = 0;
            }
            rf_buf_str(&body, rows++ == 0 ? RF_S("{\"records\":[") : RF_S(","));
            rf_buf_str(&body, row);
        }
        if (rows == 0 || (body.len < EVENT_ROWS_BYTES && from < lines.len)) continue;
        rf_buf_str(&body, RF_S("]}"));
        if (body.failed) return rf_fail_memory(err, e->arena);
        RF_TRY(send_event(e, rf_buf_view(&body), err));
        body = rf_buf_in(e->arena);
        rows = 0;
    }
    return RF_OK;
}

enum rf_kind export_to_hub(struct logs *logs, rf_str resource_id, rf_str name, rf_str table,
                           rf_str lines, struct rf_arena *arena, uint64_t *left_out,
                           struct rf_err *err)
{
    struct hub_export e = {.now = rf_clock_now(logs->options.clock), .arena = arena};
    RF_TRY(find_hub(logs, resource_id, name, table, arena, &e.hub, err));
    enum rf_kind kind = send_lines(&e, lines, err);
    hub_unref(e.hub);
    *left_out = e.left_out;
    return kind;
}
