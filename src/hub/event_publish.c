/* event_publish.c - batches that a device produced by Kafka: each record is made to say who sent it, as events of a publisher link do. */
#include "hub/event_int.h"

/* The device's own word about that does not count. */
static uint32_t copy_headers(const struct record *record, rf_str publisher,
                             struct record_header *out)
{
    rf_str rest = record->headers;
    uint32_t count = 0;
    while (count < record->header_count && record_header_next(&rest, &out[count]))
        count += !event_is_publisher_header(out[count].name);
    out[count++] = (struct record_header){RF_S(EVENT_PUBLISHER_HEADER), publisher};
    return count;
}

enum rf_kind event_publish(const struct batch_head *head, rf_str publisher, struct rf_arena *arena,
                           rf_str *out, struct rf_err *err)
{
    struct record_reader reader;
    struct record record;
    struct batch_builder batch;
    struct rf_buf buf = rf_buf_in(arena);
    struct record_header *headers = NULL;
    uint32_t room = 0;
    size_t more_bytes;
    rf_str inflated;
    bool more;
    RF_TRY(batch_inflate(head, arena, &inflated, err));
    if (!rf_mul_size(head->record_count, 2 * publisher.len + sizeof EVENT_PUBLISHER_HEADER + 16,
                     &more_bytes) ||
        !rf_buf_reserve(&buf, inflated.len + more_bytes + 256))
        return rf_fail_memory(err, arena);
    record_reader_init(&reader, head, inflated);
    batch_begin(&batch, &buf);
    for (;;) {
        RF_TRY(record_next(&reader, &record, &more, err));
        if (!more) break;
        if (headers == NULL || record.header_count + 1 > room) {
            room = record.header_count + 8;
            headers = rf_arena_raw(arena, struct record_header, room);
            if (headers == NULL) return rf_fail_memory(err, arena);
        }
        uint32_t count = copy_headers(&record, publisher, headers);
        rf_str key = record.key.ptr == NULL ? publisher : record.key;
        batch_add(&batch, record.time_ms, key, record.value, headers, count);
    }
    struct batch_producer producer = {head->producer_id, head->producer_epoch, head->base_sequence};
    RF_TRY(batch_end(&batch, batch_codec_of(head), head->producer_id < 0 ? NULL : &producer, err));
    *out = rf_buf_view(&buf);
    return RF_OK;
}
