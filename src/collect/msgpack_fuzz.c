#include "collect/msgpack.h"
#include "test/rf_fuzz.h"

RF_FUZZ(msgpack, bytes)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct msgpack_records records = {0};
    struct msgpack_record record;
    struct json_node *again;
    struct rf_err err;
    rf_arena_init(&arena, 32 << 20);
    for (;;) {
        size_t before = records.at;
        bool listed = records.waiting != NULL;
        if (msgpack_next_record(bytes, &records, &arena, &record, &err) != RF_OK) return;
        RF_ASSERT(records.at <= bytes.len);
        if (record.fields == NULL) return;
        RF_ASSERT(listed || records.at > before);
        RF_ASSERT(!record.has_time || record.time >= 0);
        rf_str text = json_to_text(&arena, record.fields);
        if (text.ptr == NULL) return;
        enum rf_kind kind = json_parse(text, &arena, &again, &err);
        RF_ASSERT(kind == RF_OK || kind == RF_LIMIT || strcmp(err.code, "DuplicateKey") == 0);
    }
}
