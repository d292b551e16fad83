/* archive_turn.c - a turn of one partition: events from its log into its window. */
#include "base/json_out.h"
#include "base/log.h"
#include "hub/archive_int.h"

enum {
    READ_BYTES = 1 << 20,
    BLOCK_BYTES = 256 << 10, /* of events, as they stand in a file */
    TURN_BYTES = 64 << 20,   /* then others have their turn */
    FRAMES_MEMORY = 256 << 20,
    RUN_MEMORY = 64 << 20,
};
#define RETRY_USEC (5 * RF_USEC_PER_SECOND)
/* A partition to which much comes is looked at this often, so that blocks are not of single events. */
#define GATHER_USEC (1 * RF_USEC_PER_SECOND)
#define REMIND_USEC (3600 * RF_USEC_PER_SECOND)

struct fill {
    struct archive_run *run;
    struct rf_arena frames, scratch, bufs;
    struct rf_buf one, block; /* an event; those that wait */
    uint64_t count;           /* that wait */
    int64_t next;             /* behind them */
    uint64_t taken;           /* bytes of this turn */
    bool full;                /* the next event is the next window's */
};

/* ---- losses ----------------------------------------------------------------------------------------------------------------- */

static void tell_loss(const struct archive_part *part, int64_t from, int64_t to)
{
    const struct archive_source *s = part->source;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 10);
    struct rf_buf row = rf_buf_in(&arena);
    struct json_out out = json_out_to(&row);
    rf_log(RF_WARN, "archive.lost", RF_KV_STR("hub", s->name),
           RF_KV_U64("partition", part->partition), RF_KV_I64("from", from), RF_KV_I64("to", to));
    json_begin_object(&out, NULL);
    json_put_text(&out, "Reason",
                  rf_arena_printf(&arena,
                                  "retention removed %lld events, from this number on, before "
                                  "capture had written them to a file",
                                  (long long)(to - from)));
    json_put_text(&out, "EventHub", s->name);
    json_put_text(&out, "ConsumerGroup", RF_S("$Capture"));
    json_put_i64(&out, "Partition", part->partition);
    json_put_i64(&out, "SequenceNumber", from);
    json_end_object(&out);
    if (!row.failed)
        audit_row(s->archives->hubs->options.audit, "RingfortDeadLetter", rf_buf_view(&row));
}

/* Retention does not wait for capture. A log that is shorter than it was (a hub whose durability is "os", after a power cut) gives
 * its numbers to other events, which are captured in their turn. */
static void fit_log(struct archive_part *part, const struct hub_partition_info *info)
{
    if (part->next > info->end) {
        rf_log(RF_WARN, "archive.log_is_shorter", RF_KV_STR("hub", part->source->name),
               RF_KV_U64("partition", part->partition), RF_KV_I64("captured", part->next),
               RF_KV_I64("end", info->end));
        part->next = info->end;
    }
    if (part->read > info->end || part->read < part->next) archive_window_restart(part);
    if (part->read >= info->begin) return;
    tell_loss(part, part->read, info->begin);
    part->read = info->begin;
    if (part->events == 0) part->next = part->read;
}

/* ---- filling ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind flush(struct fill *f, struct rf_err *err)
{
    struct archive_part *part = f->run->part;
    enum archive_encoding encoding = part->source->settings.encoding;
    rf_str bytes = rf_buf_view(&f->block);
    if (f->count == 0) {
        /* Numbers that compaction has left out. */
        part->read = f->next;
        return RF_OK;
    }
    RF_CLEANUP(rf_arena_done) struct rf_arena packed;
    rf_arena_init(&packed, RUN_MEMORY);
    if (encoding != ARCHIVE_JSON_LINES) {
        /* The marker is made with the file. */
        if (part->temp == NULL)
            RF_TRY(archive_window_write(f->run, 0, (rf_str){0}, part->read, err));
        struct rf_buf out = rf_buf_in(&packed);
        avro_put_block(&out, f->count, bytes,
                       encoding == ARCHIVE_AVRO_DEFLATE ? AVRO_CODEC_DEFLATE : AVRO_CODEC_NULL,
                       part->marker);
        if (out.failed) return rf_fail_memory(err, &packed);
        bytes = rf_buf_view(&out);
    }
    RF_TRY(archive_window_write(f->run, f->count, bytes, f->next, err));
    f->block.len = 0;
    f->count = 0;
    return RF_OK;
}

/* Whether another event of `more` bytes still fits into the window, should nothing get smaller. */
static bool fits(const struct fill *f, size_t more)
{
    const struct archive_part *part = f->run->part;
    uint64_t file =
        RF_MAX(part->bytes, (uint64_t)archive_head_bytes(part->source->settings.encoding));
    uint64_t waits = f->block.len + more;
    return file + waits + avro_block_overhead(waits) <= part->source->settings.bytes_max;
}

static enum rf_kind take_event(struct fill *f, const struct event_out *event, struct rf_err *err)
{
    struct archive_part *part = f->run->part;
    rf_arena_reset(&f->scratch);
    f->one.len = 0;
    archive_put_event(&f->one, event, part->source->settings.encoding, &f->scratch);
    if (f->one.failed) return rf_fail_memory(err, &f->bufs);
    if (f->count > 0 && (f->block.len + f->one.len > BLOCK_BYTES || !fits(f, f->one.len)))
        RF_TRY(flush(f, err));
    if (part->events > 0 && !fits(f, f->one.len)) {
        f->full = true;
        return RF_OK;
    }
    rf_buf_put(&f->block, f->one.ptr, f->one.len);
    if (f->block.failed) return rf_fail_memory(err, &f->bufs);
    f->count++;
    f->next = event->number + 1;
    f->taken += f->one.len;
    return RF_OK;
}

static enum rf_kind take_frame(struct fill *f, const struct log_frame *frame, struct rf_err *err)
{
    struct event_frame_reader reader;
    struct event_out event;
    bool more;
    RF_TRY(event_frame_open(&reader, frame, &f->frames, err));
    for (;;) {
        RF_TRY(event_frame_next(&reader, &event, &more, err));
        if (!more) break;
        if (event.number < f->next) continue;
        RF_TRY(take_event(f, &event, err));
        if (f->full) return RF_OK;
    }
    f->next = RF_MAX(f->next, frame->first + frame->count);
    return RF_OK;
}

static enum rf_kind take_all(struct fill *f, int64_t end, struct rf_err *err)
{
    const struct archive_part *part = f->run->part;
    struct log_frames frames;
    while (f->next < end && !f->full && f->taken < TURN_BYTES &&
           !atomic_load(&f->run->archives->stopping)) {
        rf_arena_reset(&f->frames);
        RF_TRY(hub_read(part->source->hub, part->partition, f->next, READ_BYTES, true, &f->frames,
                        &frames, err));
        if (frames.count == 0) break;
        for (uint32_t i = 0; i < frames.count && !f->full; i++)
            RF_TRY(take_frame(f, &frames.items[i], err));
    }
    return RF_OK;
}

/* The hub was deleted, or receiving is switched off: what it gave until then is all there is. */
static bool is_shut(enum rf_kind kind, const struct rf_err *err)
{
    return (kind == RF_NOT_FOUND && strcmp(err->code, "HubNotFound") == 0) ||
           (kind == RF_DENIED && strcmp(err->code, "EntityDisabled") == 0);
}

/* Up to `end`, or until the window is full. */
static enum rf_kind fill(struct archive_run *run, int64_t end, bool *full, bool *shut,
                         struct rf_err *err)
{
    struct fill f = {.run = run, .next = run->part->read};
    rf_arena_init(&f.frames, FRAMES_MEMORY);
    rf_arena_init(&f.scratch, FRAMES_MEMORY);
    rf_arena_init(&f.bufs, FRAMES_MEMORY);
    f.one = rf_buf_in(&f.bufs);
    f.block = rf_buf_in(&f.bufs);
    enum rf_kind kind = take_all(&f, end, err);
    *shut = is_shut(kind, err);
    if (kind == RF_OK || *shut) kind = flush(&f, err);
    *full = f.full;
    rf_arena_done(&f.frames);
    rf_arena_done(&f.scratch);
    rf_arena_done(&f.bufs);
    return kind;
}

/* ---- the turn ------------------------------------------------------------------------------------------------------------------- */

static void failed(struct archive_part *part, const struct rf_err *err)
{
    struct archives *archives = part->source->archives;
    rf_usec now = rf_clock_elapsed(archives->clock);
    (void)pthread_mutex_lock(&archives->lock);
    part->not_before = now + RETRY_USEC;
    part->ready = true;
    (void)pthread_mutex_unlock(&archives->lock);
    if (part->told != 0 && now - part->told < REMIND_USEC) return;
    part->told = RF_MAX(now, 1);
    rf_log(RF_WARN, "archive.failed", RF_KV_STR("hub", part->source->name),
           RF_KV_U64("partition", part->partition), RF_KV_STR("error", rf_str_of(err->text)));
}

static enum rf_kind look(struct archive_part *part, int64_t *end, struct rf_err *err)
{
    struct hub_partition_info info;
    enum rf_kind kind = hub_partition_info(part->source->hub, part->partition, &info, err);
    *end = part->read;
    if (is_shut(kind, err)) return RF_OK;
    RF_TRY(kind);
    fit_log(part, &info);
    *end = info.end;
    return RF_OK;
}

static enum rf_kind run_turn(struct archive_run *run, bool closing, bool *more, bool *drained,
                             struct rf_err *err)
{
    struct archive_part *part = run->part;
    bool full = false, shut = false;
    int64_t end;
    RF_TRY(archive_window_load(run, err));
    RF_TRY(look(part, &end, err));
    bool due = rf_clock_elapsed(run->archives->clock) >= part->deadline;
    RF_TRY(fill(run, end, &full, &shut, err));
    bool all = shut || part->read >= end;
    if (full || (all && due && !closing)) {
        RF_TRY(archive_window_end(run, full, err));
    } else if (all && closing) {
        if (part->events > 0) RF_TRY(archive_window_end(run, false, err));
        *drained = true;
    }
    *more = full || !all;
    return RF_OK;
}

bool archive_turn(struct archive_part *part)
{
    struct rf_err err = {0};
    struct archives *archives = part->source->archives;
    struct archive_run run = {.part = part, .archives = archives};
    bool more = false, drained = false;
    rf_arena_init(&run.arena, RUN_MEMORY);
    (void)pthread_mutex_lock(&archives->lock);
    bool closing = part->source->closing;
    (void)pthread_mutex_unlock(&archives->lock);
    enum rf_kind kind = run_turn(&run, closing, &more, &drained, &err);
    rf_file_close(run.file);
    rf_arena_done(&run.arena);
    if (kind != RF_OK) {
        failed(part, &err);
        return false;
    }
    part->told = 0;
    (void)pthread_mutex_lock(&archives->lock);
    part->drained |= drained;
    part->not_before = rf_clock_elapsed(archives->clock) + GATHER_USEC;
    (void)pthread_mutex_unlock(&archives->lock);
    return more;
}
