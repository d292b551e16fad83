/* hub_rig.h - for tests of this folder, behind test/rf_prop.h: a broker on files in memory, without ARM, and events for it. */
#ifndef RF_HUB_HUB_RIG_H
#define RF_HUB_HUB_RIG_H

#include "hub/hub_int.h"

#include <sched.h>

#include "base/fs_fault.h"

/* ---- a broker in memory ----------------------------------------------------------------------------------------------- */

struct rig {
    struct rf_fs_fault *disk;
    struct rf_clock_fixed clock;
    struct state *state;
    struct hubs *hubs;
    struct hub_namespace *space;
    struct hubs_options options;
    struct site site;
    char folder[32];
};

RF_TEST_HELPER void set_hub(struct rig *rig, const char *name, const char *id,
                            uint32_t partition_count)
{
    struct rf_err err;
    struct hub_settings settings = {.name = rf_str_of(name),
                                    .id = rf_str_of(id),
                                    .partition_count = partition_count,
                                    .durable = true};
    cr_assert(hubs_set_hub(rig->space, &settings, &err) == RF_OK, "%s", err.text);
}

RF_TEST_HELPER void start(struct rig *rig)
{
    struct rf_err err;
    cr_assert(hubs_new(&rig->options, &rig->hubs, &err) == RF_OK, "%s", err.text);
    struct hub_namespace_settings settings = {.name = RF_S("Plant"), .id = RF_S("/plant")};
    cr_assert(hubs_set_namespace(rig->hubs, &settings, &rig->space, &err) == RF_OK);
    set_hub(rig, "Flow", "f10", 2);
}

RF_TEST_HELPER void rig_init(struct rig *rig, bool by_hand)
{
    *rig = (struct rig){.site = {.domain = RF_S("ringfort.localhost")}};
    rig->disk = rf_fs_fault_new(7);
    rf_clock_fixed_init(&rig->clock, INT64_C(1700000000000000), 1);
    rig->options = (struct hubs_options){.fs = rf_fs_fault_fs(rig->disk),
                                         .folder = "/hubs",
                                         .clock = &rig->clock.clock,
                                         .site = &rig->site,
                                         .by_hand = by_hand};
    start(rig);
}

RF_TEST_HELPER void rig_done(struct rig *rig)
{
    hubs_free(rig->hubs);
    state_close(rig->state);
    rf_fs_fault_free(rig->disk);
}

RF_TEST_HELPER void restart(struct rig *rig)
{
    hubs_free(rig->hubs);
    start(rig);
}

RF_TEST_HELPER struct hub *find_hub(struct rig *rig, const char *name)
{
    struct rf_err err;
    struct hub *hub;
    cr_assert(hub_find(rig->space, rf_str_of(name), &hub, &err) == RF_OK, "%s", err.text);
    return hub;
}

/* ---- events ----------------------------------------------------------------------------------------------------------- */

struct sent {
    struct hub_append append; /* first */
    struct rf_arena arena;
    atomic_int done_count;
};

RF_TEST_HELPER void note_done(struct hub_append *append)
{
    (void)atomic_fetch_add(&((struct sent *)append)->done_count, 1);
}

/* `count` events whose values begin with `tag`. */
RF_TEST_HELPER void make(struct sent *sent, uint64_t tag, uint32_t count,
                         const struct batch_producer *producer)
{
    struct rf_err err;
    memset(sent, 0, sizeof *sent);
    rf_arena_init(&sent->arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&sent->arena);
    struct batch_builder builder;
    batch_begin(&builder, &buf);
    for (uint32_t i = 0; i < count; i++) {
        rf_str value = rf_arena_printf(&sent->arena, "%llu.%u", (unsigned long long)tag, i);
        batch_add(&builder, 1000, (rf_str){NULL, 0}, value, NULL, 0);
    }
    cr_assert(batch_end(&builder, CODEC_NONE, producer, &err) == RF_OK, "%s", err.text);
    sent->append = (struct hub_append){.batch = buf.ptr,
                                       .len = buf.len,
                                       .count = count,
                                       .kind = FRAME_KAFKA,
                                       .producer = {.id = -1, .epoch = -1, .sequence = -1},
                                       .done = note_done};
    if (producer != NULL) sent->append.producer = *producer;
}

RF_TEST_HELPER void sent_done(struct sent *sent) { rf_arena_done(&sent->arena); }

RF_TEST_HELPER enum rf_kind send_one(struct hub *hub, uint32_t partition, uint64_t tag,
                                     uint32_t count, const struct batch_producer *producer,
                                     int64_t *first, struct rf_err *err)
{
    struct sent sent;
    make(&sent, tag, count, producer);
    enum rf_kind kind = hub_append_wait(hub, partition, &sent.append, err);
    if (first != NULL) *first = sent.append.first;
    cr_assert(atomic_load(&sent.done_count) == 0, "the caller is not told twice");
    sent_done(&sent);
    return kind;
}

RF_TEST_HELPER void must_send(struct hub *hub, uint32_t partition, uint64_t tag, uint32_t count,
                              int64_t expected)
{
    struct rf_err err;
    int64_t first;
    cr_assert(send_one(hub, partition, tag, count, NULL, &first, &err) == RF_OK, "%s", err.text);
    cr_assert(first == expected, "%lld instead of %lld", (long long)first, (long long)expected);
}

RF_TEST_HELPER struct hub_partition_info info_of(struct hub *hub, uint32_t partition)
{
    struct rf_err err;
    struct hub_partition_info info;
    cr_assert(hub_partition_info(hub, partition, &info, &err) == RF_OK, "%s", err.text);
    return info;
}

RF_TEST_HELPER uint64_t tag_of(const struct log_frame *frame)
{
    struct rf_err err;
    struct batch_head head;
    struct record record;
    struct record_reader reader;
    bool more;
    cr_assert(batch_read(frame->batch, &head, &err) == RF_OK, "%s", err.text);
    cr_assert(head.base_offset == frame->first);
    record_reader_init(&reader, &head, head.records);
    cr_assert(record_next(&reader, &record, &more, &err) == RF_OK && more);
    cr_assert(record.offset == frame->first);
    return strtoull((const char *)record.value.ptr, NULL, 10);
}

#endif
