/* Hubs until the power goes, again and again: what was acknowledged is there once under its number, what producers were told of holds,
 * and neither numbers nor times begin anew. */
#include "test/rf_prop.h"

#include <errno.h>

#include "hub/hub_rig.h"

enum { HUBS = 3, PARTS = 2, PRODUCERS = 3, EVENTS_MAX = 4000, KEPT = 4, ROUNDS = 4 };
static const rf_usec HOUR = 3600 * RF_USEC_PER_SECOND;

static const struct hub_settings wanted[HUBS] = {
    {.name = {(const uint8_t *)"Flow", 4}, .id = {(const uint8_t *)"f10", 3}, .durable = true},
    {.name = {(const uint8_t *)"brief", 5},
     .id = {(const uint8_t *)"b20", 3},
     .durable = true,
     .retention_usec = INT64_C(3600000000)},
    {.name = {(const uint8_t *)"loose", 5}, .id = {(const uint8_t *)"c30", 3}},
};

struct batch_known {
    int32_t sequence;
    uint32_t count;
    uint64_t tag;
    int64_t first;
};
/* A client with sequence numbers, which sends a batch again until it is told of it. */
struct client {
    struct batch_known last[KEPT]; /* acknowledged, the newest first */
    uint32_t last_count;
    struct batch_known waiting; /* count 0: none */
    int32_t next;
};
struct event_known {
    uint64_t tag;
    rf_usec enqueued;
};
struct part {
    struct event_known events[EVENTS_MAX];
    int64_t begin, begin_max, end; /* end: behind the last that was acknowledged */
    struct client clients[PRODUCERS];
    int32_t stored[PRODUCERS]; /* the last sequence number in what was read */
    uint64_t in_doubt[64];     /* tags of batches without an answer that nobody sends again */
    uint32_t in_doubt_count;
};
struct story {
    struct rig rig;
    struct part parts[HUBS][PARTS];
    uint64_t tags;
};
static struct story the_story;

static struct hub *hub_at(struct story *s, uint32_t index)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%.*s", RF_FMT(wanted[index].name));
    return find_hub(&s->rig, name);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

/* Notes events from number `first` on. */
static void note_events(struct part *part, int64_t first, uint32_t count, uint64_t tag,
                        rf_usec enqueued)
{
    cr_assert(first == part->end, "%lld follows %lld", (long long)first, (long long)part->end - 1);
    cr_assert(first + count <= EVENTS_MAX);
    cr_assert(first == 0 || enqueued >= part->events[first - 1].enqueued);
    for (uint32_t i = 0; i < count; i++)
        part->events[first + i] = (struct event_known){tag, enqueued};
    part->end = first + count;
}

static enum rf_kind send_batch(struct hub *hub, uint32_t index, struct batch_known *batch,
                               const struct batch_producer *producer, struct hub_append *told,
                               struct rf_err *err)
{
    struct sent sent;
    make(&sent, batch->tag, batch->count, producer);
    if (producer != NULL && producer->id % 2 == 1) sent.append.kind = FRAME_AMQP;
    enum rf_kind kind = hub_append_wait(hub, index, &sent.append, err);
    *told = sent.append;
    batch->first = kind == RF_OK ? sent.append.first : -1;
    sent_done(&sent);
    return kind;
}

static bool send_plain(struct story *s, struct rf_prng *prng, uint32_t h, uint32_t index)
{
    struct part *part = &s->parts[h][index];
    struct batch_known batch = {.tag = ++s->tags, .count = 1 + (uint32_t)rf_test_below(prng, 3)};
    struct hub *hub = hub_at(s, h);
    struct hub_append told;
    struct rf_err err;
    enum rf_kind kind = send_batch(hub, index, &batch, NULL, &told, &err);
    hub_unref(hub);
    if (kind == RF_OK) {
        note_events(part, batch.first, batch.count, batch.tag, told.enqueued);
        return true;
    }
    if (part->in_doubt_count < RF_COUNT(part->in_doubt))
        part->in_doubt[part->in_doubt_count++] = batch.tag;
    return false;
}

static void client_told(struct client *client)
{
    memmove(client->last + 1, client->last, (KEPT - 1) * sizeof client->last[0]);
    client->last[0] = client->waiting;
    client->last_count = RF_MIN(client->last_count + 1, (uint32_t)KEPT);
    client->next += (int32_t)client->waiting.count;
    client->waiting.count = 0;
}

static bool send_as_client(struct story *s, struct rf_prng *prng, uint32_t h, uint32_t index,
                           uint32_t c)
{
    struct part *part = &s->parts[h][index];
    struct client *client = &part->clients[c];
    struct batch_producer producer = {.id = 5000 + c};
    struct hub_append told;
    struct rf_err err;
    if (client->waiting.count == 0)
        client->waiting = (struct batch_known){.sequence = client->next,
                                               .tag = ++s->tags,
                                               .count = 1 + (uint32_t)rf_test_below(prng, 3)};
    producer.sequence = client->waiting.sequence;
    struct hub *hub = hub_at(s, h);
    enum rf_kind kind = send_batch(hub, index, &client->waiting, &producer, &told, &err);
    hub_unref(hub);
    cr_assert(kind != RF_CONFLICT, "%s", err.text);
    if (kind != RF_OK) return false;
    if (!told.repeated)
        note_events(part, told.first, told.count, client->waiting.tag, told.enqueued);
    else
        cr_assert(
            told.first >= 0 && told.first < part->end &&
            (told.first < part->begin || part->events[told.first].tag == client->waiting.tag));
    client_told(client);
    return true;
}

/* What a client was told of it is told again. */
static void check_repeats(struct story *s, uint32_t h, uint32_t index)
{
    struct part *part = &s->parts[h][index];
    struct hub *hub = hub_at(s, h);
    for (uint32_t c = 0; c < PRODUCERS; c++) {
        struct client *client = &part->clients[c];
        for (uint32_t i = client->last_count; i-- > 0;) {
            struct batch_known again = client->last[i];
            struct batch_producer producer = {.id = 5000 + c, .sequence = again.sequence};
            struct hub_append told;
            struct rf_err err;
            cr_assert(send_batch(hub, index, &again, &producer, &told, &err) == RF_OK, "%s",
                      err.text);
            cr_assert(told.repeated && told.first == client->last[i].first,
                      "%.*s/%u, producer %u: sequence %d was stored at %lld, and now at %lld",
                      RF_FMT(wanted[h].name), index, c, again.sequence,
                      (long long)client->last[i].first, (long long)told.first);
        }
    }
    hub_unref(hub);
}

/* ---- what passes ------------------------------------------------------------------------------------------------ */

static int64_t first_since(const struct part *part, rf_usec time)
{
    int64_t number = part->begin;
    while (number < part->end && part->events[number].enqueued < time) number++;
    return number;
}

static void keep(struct story *s)
{
    rf_usec now = rf_clock_now(&s->rig.clock.clock) + RF_USEC_PER_SECOND; /* it goes on meanwhile */
    for (uint32_t h = 0; h < HUBS; h++)
        for (uint32_t i = 0; i < PARTS && wanted[h].retention_usec > 0; i++) {
            struct part *part = &s->parts[h][i];
            part->begin_max =
                RF_MAX(part->begin_max, first_since(part, now - wanted[h].retention_usec));
        }
    hub_keeper_step(s->rig.hubs);
}

static bool cut(struct story *s, struct rf_prng *prng, uint32_t index)
{
    struct part *part = &s->parts[0][index];
    struct hub *hub = hub_at(s, 0);
    struct rf_err err;
    int64_t number = rf_test_between(prng, part->begin, part->end);
    part->begin_max = RF_MAX(part->begin_max, number);
    enum rf_kind kind = hub_cut_front(hub, index, number, &err);
    hub_unref(hub);
    if (kind == RF_OK) part->begin = RF_MAX(part->begin, number);
    return kind == RF_OK;
}

static void pass_time(struct story *s, struct rf_prng *prng)
{
    rf_usec now = rf_clock_now(&s->rig.clock.clock);
    switch (rf_test_below(prng, 12)) {
    case 0: /* somebody sets the clock back */
        rf_clock_fixed_jump(&s->rig.clock, now - (rf_usec)rf_test_below(prng, 30) * HOUR);
        break;
    case 1:
        rf_clock_fixed_pass(&s->rig.clock, (rf_usec)rf_test_below(prng, 26) * HOUR);
        break;
    default:
        rf_clock_fixed_pass(&s->rig.clock, (rf_usec)rf_test_below(prng, 40) * RF_USEC_PER_SECOND);
    }
}

static bool act(struct story *s, struct rf_prng *prng)
{
    uint32_t h = (uint32_t)rf_test_below(prng, HUBS), index = (uint32_t)rf_test_below(prng, PARTS);
    switch (rf_test_below(prng, 12)) {
    case 0:
        keep(s);
        return true;
    case 1:
        pass_time(s, prng);
        return true;
    case 2:
        return cut(s, prng, index);
    case 3:
    case 4:
    case 5:
        return send_plain(s, prng, h, index);
    default:
        return send_as_client(s, prng, h, index, (uint32_t)rf_test_below(prng, PRODUCERS));
    }
}

/* ---- after the power came back ---------------------------------------------------------------------------------- */

/* A batch that was on its way when the power went may be there: at once a client's, which will be told that it is. */
static bool was_on_its_way(struct part *part, uint64_t tag)
{
    for (uint32_t i = 0; i < part->in_doubt_count; i++)
        if (part->in_doubt[i] == tag) return true;
    for (uint32_t c = 0; c < PRODUCERS; c++)
        if (part->clients[c].waiting.count > 0 && part->clients[c].waiting.tag == tag) return true;
    return false;
}

static void check_frame(struct part *part, const struct log_frame *frame, rf_usec *last)
{
    uint64_t tag = tag_of(frame);
    struct batch_head head;
    struct rf_err err;
    cr_assert(batch_read(frame->batch, &head, &err) == RF_OK, "%s", err.text);
    if (head.producer_id >= 5000)
        part->stored[head.producer_id - 5000] = head.base_sequence + head.last_offset_delta;
    cr_assert(frame->enqueued >= *last);
    *last = frame->enqueued;
    if (frame->first >= part->end) {
        cr_assert(was_on_its_way(part, tag), "number %lld was never sent", (long long)frame->first);
        for (int64_t i = part->begin; i < part->end; i++)
            cr_assert(part->events[i].tag != tag, "number %lld is number %lld again",
                      (long long)frame->first, (long long)i);
        note_events(part, frame->first, frame->count, tag, frame->enqueued);
    }
    for (uint32_t i = 0; i < frame->count; i++) {
        const struct event_known *known = &part->events[frame->first + i];
        cr_assert(known->tag == tag && known->enqueued == frame->enqueued,
                  "number %lld is another event", (long long)frame->first + i);
    }
}

static void check_events(struct story *s, uint32_t h, uint32_t index)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct part *part = &s->parts[h][index];
    struct hub *hub = hub_at(s, h);
    struct hub_partition_info info = info_of(hub, index);
    struct rf_err err;
    rf_usec last = 0;
    for (uint32_t c = 0; c < PRODUCERS; c++) part->stored[c] = -1;
    cr_assert(info.begin >= part->begin && info.begin <= part->begin_max, "begins at %lld",
              (long long)info.begin);
    if (!wanted[h].durable) part->end = RF_MIN(part->end, info.end);
    cr_assert(info.end >= part->end, "%lld were acknowledged, %lld are there", (long long)part->end,
              (long long)info.end);
    for (int64_t from = info.begin; from < info.end;) {
        struct log_frames frames;
        rf_arena_reset(&arena);
        cr_assert(hub_read(hub, index, from, 20000, true, &arena, &frames, &err) == RF_OK, "%s",
                  err.text);
        cr_assert(frames.count > 0);
        for (uint32_t i = 0; i < frames.count; i++) check_frame(part, &frames.items[i], &last);
        from = frames.items[frames.count - 1].first + frames.items[frames.count - 1].count;
    }
    cr_assert(info.end == part->end);
    cr_assert(part->end == 0 || info.last_enqueued >= part->events[part->end - 1].enqueued);
    part->begin = info.begin;
    part->in_doubt_count = 0;
    hub_unref(hub);
}

/* What is not synced before it is acknowledged may be lost, and then its producer goes on from what is there: all of it, as nothing
 * else is taken away from such a hub here. */
static void lose(struct story *s, uint32_t h, uint32_t index)
{
    struct part *part = &s->parts[h][index];
    struct hub *hub = hub_at(s, h);
    for (uint32_t c = 0; c < PRODUCERS; c++) {
        struct client *client = &part->clients[c];
        uint32_t lost = 0;
        int16_t epoch;
        int32_t sequence;
        struct rf_err err;
        cr_assert(hub_producer_state(hub, index, 5000 + c, &epoch, &sequence, &err) == RF_OK);
        cr_assert(sequence == part->stored[c],
                  "producer %u: sequence %d is known, %d was stored last", c, sequence,
                  part->stored[c]);
        while (lost < client->last_count && client->last[lost].first >= part->end) lost++;
        if (lost == 0) continue;
        client->last_count -= lost;
        memmove(client->last, client->last + lost, client->last_count * sizeof client->last[0]);
        client->waiting.count = 0;
        client->next = sequence + 1;
    }
    hub_unref(hub);
}

static void begin_again(struct story *s)
{
    struct rf_err err;
    start(&s->rig);
    for (uint32_t h = 0; h < HUBS; h++) {
        struct hub_settings settings = wanted[h];
        settings.partition_count = PARTS;
        cr_assert(hubs_set_hub(s->rig.space, &settings, &err) == RF_OK, "%s", err.text);
    }
    for (uint32_t h = 0; h < HUBS; h++)
        for (uint32_t i = 0; i < PARTS; i++) {
            check_events(s, h, i);
            if (!wanted[h].durable) lose(s, h, i);
            check_repeats(s, h, i);
        }
}

static void story_begin(struct story *s, struct rf_prng *prng)
{
    memset(s, 0, sizeof *s);
    rig_init(&s->rig, true);
    hubs_free(s->rig.hubs);
    rf_fs_fault_free(s->rig.disk);
    s->rig.disk = rf_fs_fault_new(rf_test_u64(prng));
    s->rig.options.fs = rf_fs_fault_fs(s->rig.disk);
    begin_again(s);
}

RF_PROP(hubs_keep_their_word_whenever_the_power_goes, 60)
{
    struct story *s = &the_story;
    story_begin(s, prng);
    for (int round = 0; round < ROUNDS; round++) {
        rf_fs_fault_stop_at_sync(s->rig.disk, 1 + rf_test_below(prng, 2 * prng->size));
        for (uint32_t i = 0; i < 2 * prng->size && act(s, prng); i++) continue;
        if (!rf_test_one_in(prng, 5)) rf_fs_fault_stop_at_sync(s->rig.disk, 1);
        hubs_free(s->rig.hubs);
        rf_fs_fault_power_loss(s->rig.disk);
        begin_again(s);
    }
    rig_done(&s->rig);
}

/* ---- a full disk ------------------------------------------------------------------------------------------------ */

/* Whatever is sent is refused with DiskFull, nothing of it is there, and with room again everything goes on where it was. */
RF_PROP(hubs_refuse_what_a_full_disk_cannot_hold, 40)
{
    struct story *s = &the_story;
    uint64_t used = 0;
    story_begin(s, prng);
    for (int round = 0; round < ROUNDS; round++) {
        rf_fs_fault_disk_bytes(s->rig.disk, used += 2000 + rf_test_below(prng, 8000));
        uint32_t refused = 0;
        for (uint32_t i = 0; i < 400 && refused < 5; i++) {
            struct part *part = &s->parts[0][0];
            struct batch_known batch = {.tag = ++s->tags, .count = 1};
            struct hub *hub = hub_at(s, 0);
            struct hub_append told;
            struct rf_err err;
            enum rf_kind kind = send_batch(hub, 0, &batch, NULL, &told, &err);
            if (kind == RF_OK) {
                note_events(part, batch.first, 1, batch.tag, told.enqueued);
            } else {
                cr_assert(kind == RF_LIMIT && strcmp(err.code, "DiskFull") == 0, "%s %s", err.code,
                          err.text);
                cr_assert(info_of(hub, 0).end == part->end);
                refused++;
            }
            if (rf_test_one_in(prng, 9)) keep(s);
            hub_unref(hub);
        }
        cr_assert(refused > 0);
        /* Room again: the same program goes on, or another one after the power went. */
        rf_fs_fault_disk_bytes(s->rig.disk, UINT64_MAX);
        if (rf_test_bool(prng)) {
            rf_fs_fault_stop_at_sync(s->rig.disk, 1);
            hubs_free(s->rig.hubs);
            rf_fs_fault_power_loss(s->rig.disk);
            begin_again(s);
        }
        cr_assert(send_plain(s, prng, 0, 0) && send_as_client(s, prng, 0, 0, 1));
        check_events(s, 0, 0);
    }
    rig_done(&s->rig);
}
