/* node_receive.c - links by which events leave (contract, section 5): positions, delivery against credit, waiting for what comes. */
#include <stdlib.h>

#include "amqp/nodes_int.h"

enum { FRAMES_BYTES_MAX = 16 << 20, MESSAGE_BYTES_ROOM = 4 << 20, AT_ONCE_MAX = 2000 };

/* ---- delivery --------------------------------------------------------------------------------------------------- */

static void on_woken(struct hub_waiter *waiter)
{
    struct node_link *link =
        (struct node_link *)((uint8_t *)waiter - offsetof(struct node_link, waiter));
    atomic_store(&link->is_woken, true);
    peer_wake(link->peer);
}

static void await_more(struct node_link *link)
{
    if (link->waits) return;
    link->waits = true;
    link->waiter.woken = on_woken;
    hub_wait(link->hub, link->partition, link->at, &link->waiter);
}

static void fail(struct node_link *link, const struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct amqp_error error = node_error(link, link->peer, err, &arena);
    amqp_detach(link->peer->connection, link->link, &error);
}

/* The next event into link->event. False at the end of what was read, or when what was read is spoiled (*err says so). */
static bool next_event(struct node_link *link, struct rf_err *err)
{
    bool more;
    err->kind = RF_OK;
    for (;;) {
        if (!link->has_reader) {
            if (link->frame_at == link->frames.count) return false;
            if (event_frame_open(&link->reader, &link->frames.items[link->frame_at],
                                 &link->frames_arena, err) != RF_OK)
                return false;
            link->has_reader = true;
        }
        if (event_frame_next(&link->reader, &link->event, &more, err) != RF_OK) return false;
        if (!more) {
            link->has_reader = false;
            link->frame_at++;
            continue;
        }
        if (link->event.number < link->at) continue; /* the frame began before the position */
        link->has_event = true;
        return true;
    }
}

static void put_message(struct node_link *link)
{
    struct event_runtime runtime;
    struct hub_partition_info info;
    struct rf_err ignored;
    rf_arena_reset(&link->message_arena);
    link->message = rf_buf_in(&link->message_arena);
    if (link->has_runtime &&
        hub_partition_info(link->hub, link->partition, &info, &ignored) == RF_OK) {
        runtime = (struct event_runtime){.last_number = info.end - 1,
                                         .last_enqueued = info.last_enqueued,
                                         .now = rf_clock_now(link->peer->nodes->clock)};
        event_put_amqp(&link->message, &link->event, &runtime);
    } else {
        event_put_amqp(&link->message, &link->event, NULL);
    }
}

static void forget_frames(struct node_link *link)
{
    link->frames = (struct log_frames){0};
    link->frame_at = 0;
    link->has_reader = false;
    rf_arena_reset(&link->frames_arena);
}

static enum rf_kind read_frames(struct node_link *link, bool may_block, struct rf_err *err)
{
    forget_frames(link);
    enum rf_kind kind = hub_read(link->hub, link->partition, link->at, READ_BYTES, may_block,
                                 &link->frames_arena, &link->frames, err);
    if (kind == RF_OK || strcmp(err->code, "OffsetOutOfRange") != 0) return kind;
    /* Retention has overtaken the reader: on with the first that is left. */
    struct hub_partition_info info;
    RF_TRY(hub_partition_info(link->hub, link->partition, &info, err));
    if (link->at >= info.begin) return RF_FAIL(err, RF_INVALID, "ArgumentError", "position lost");
    link->at = info.begin;
    return hub_read(link->hub, link->partition, link->at, READ_BYTES, may_block,
                    &link->frames_arena, &link->frames, err);
}

static struct node_link *reader_of(const struct job *job)
{
    return (struct node_link *)(void *)(uintptr_t)job->name.ptr;
}

static enum rf_kind run_read(struct job *job, struct rf_err *err)
{
    return read_frames(reader_of(job), true, err);
}

/* A link that is detached while a worker reads for it is freed by the job (receive_detached). */
static void read_drop(struct job *job)
{
    struct node_link *link = reader_of(job);
    link->is_reading = false;
    if (link->is_over) node_link_free(link);
}

static void read_done(struct job *job)
{
    struct node_link *link = reader_of(job);
    job->drop = NULL;
    link->is_reading = false;
    if (link->is_over) {
        node_link_free(link);
        return;
    }
    if (job->kind == RF_OK)
        receive_pump(link);
    else
        fail(link, &job->err);
}

static bool start_reading(struct node_link *link)
{
    struct job *job = job_new(link->peer);
    if (job == NULL) return false;
    link->is_reading = true;
    job->link = link->link;
    job->name.ptr = (const uint8_t *)link;
    job->run = run_read;
    job->done = read_done;
    job->drop = read_drop;
    job_start(job);
    return true;
}

/* True: there are frames to send from. */
static bool have_frames(struct node_link *link)
{
    struct rf_err err = {0};
    enum rf_kind kind = read_frames(link, false, &err);
    if (kind == RF_OK && link->frames.count > 0) return true;
    if (kind == RF_OK) {
        if (link->drains) {
            link->drains = false;
            amqp_drained(link->peer->connection, link->link);
        }
        await_more(link);
        return false;
    }
    if (kind == RF_AGAIN && start_reading(link)) return false;
    fail(link, &err);
    return false;
}

void receive_pump(struct node_link *link)
{
    struct amqp_connection *connection = link->peer->connection;
    struct amqp_link at = link->link;
    struct rf_err err = {0};
    for (uint32_t sent = 0; !link->is_reading && !link->waits; sent++) {
        if (sent == AT_ONCE_MAX) { /* others on this loop want their turn */
            atomic_store(&link->is_woken, true);
            peer_wake(link->peer);
            return;
        }
        if (amqp_link_credit_left(connection, at) == 0) return;
        if (!link->has_event && !next_event(link, &err)) {
            if (err.kind != RF_OK) {
                fail(link, &err);
                return;
            }
            if (!have_frames(link)) return;
            continue;
        }
        put_message(link);
        enum amqp_sent result = amqp_send(connection, at, 0, rf_buf_view(&link->message));
        if (result == AMQP_NO_CREDIT || result == AMQP_FULL) return;
        if (result == AMQP_GONE) return;
        link->has_event = false;
        link->at = link->event.number + 1;
    }
    if (link->drains && link->waits) {
        link->drains = false;
        amqp_drained(connection, at);
    }
}

void receive_detached(struct node_link *link)
{
    if (link->waits) hub_unwait(&link->waiter);
    link->is_over = true;
    if (!link->is_reading) node_link_free(link);
}

/* ---- positions -------------------------------------------------------------------------------------------------- */

static bool starts(rf_str *text, const char *word)
{
    rf_str w = rf_str_of(word);
    if (!rf_str_starts(*text, w)) return false;
    *text = rf_str_trim(rf_slice(*text, w.len, text->len));
    return true;
}

/* False: it is none. What is too large for any position is as good as the largest. */
static bool whole_number(rf_str text, int64_t *out)
{
    bool minus = text.len > 0 && text.ptr[0] == '-';
    int64_t number = 0;
    if (minus) text = rf_slice(text, 1, text.len);
    if (text.len == 0) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, text.ptr[i] - '0', &number))
            number = INT64_MAX;
    }
    *out = minus ? -number : number;
    return true;
}

static enum rf_kind bad_selector(rf_str selector, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "ArgumentError",
                   "The filter '%.*s' is invalid: amqp.annotation.x-opt-offset, "
                   "x-opt-sequence-number or x-opt-enqueued-time, then > or >=, then a value.",
                   RF_FMT(selector));
}

static enum rf_kind beyond(const char *what, rf_str value, int64_t last, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "ArgumentError",
                   "The supplied %s '%.*s' is invalid. The last %s in the system is '%lld'", what,
                   RF_FMT(value), what, (long long)last);
}

enum rf_kind node_selector_read(rf_str text, struct node_selector *out, struct rf_err *err)
{
    static const char *const names[] = {[SELECT_OFFSET] = "x-opt-offset",
                                        [SELECT_NUMBER] = "x-opt-sequence-number",
                                        [SELECT_TIME] = "x-opt-enqueued-time"};
    struct node_selector selector = {.by = SELECT_ALL};
    rf_str rest = rf_str_trim(text);
    *out = selector;
    if (rest.len == 0) return RF_OK;
    if (!starts(&rest, "amqp.annotation.")) return bad_selector(text, err);
    for (int by = SELECT_OFFSET; by <= SELECT_TIME && selector.by == SELECT_ALL; by++)
        if (starts(&rest, names[by])) selector.by = (enum node_select)by;
    if (selector.by == SELECT_ALL) return bad_selector(text, err);
    selector.is_inclusive = starts(&rest, ">=");
    if (!selector.is_inclusive && !starts(&rest, ">")) return bad_selector(text, err);
    bool quoted = rest.len >= 2 && rest.ptr[0] == '\'' && rest.ptr[rest.len - 1] == '\'';
    selector.value = quoted ? rf_slice(rest, 1, rest.len - 1) : rest;
    if (selector.by == SELECT_OFFSET && rf_str_is(selector.value, "@latest"))
        selector.by = SELECT_END;
    else if (!whole_number(selector.value, &selector.number))
        return bad_selector(text, err);
    *out = selector;
    return RF_OK;
}

static enum rf_kind position_of(struct node_link *link, rf_str text, struct rf_err *err)
{
    struct hub_partition_info info;
    struct node_selector selector;
    RF_TRY(hub_partition_info(link->hub, link->partition, &info, err));
    RF_TRY(node_selector_read(text, &selector, err));
    int64_t number = selector.number;
    link->at = selector.by == SELECT_END ? info.end : info.begin;
    if (selector.by == SELECT_ALL || selector.by == SELECT_END) return RF_OK;
    if (selector.by == SELECT_TIME) {
        /* Strictly later than the millisecond; with >= from it on. */
        int64_t from = number;
        if (__builtin_add_overflow(from, selector.is_inclusive ? 0 : 1, &from) ||
            __builtin_mul_overflow(from, 1000, &from))
            from = number < 0 ? INT64_MIN : INT64_MAX;
        return hub_find_time(link->hub, link->partition, from, &link->at, err);
    }
    if (number < 0) return RF_OK;
    if (number > info.end - 1)
        return beyond(selector.by == SELECT_OFFSET ? "offset" : "sequence number", selector.value,
                      info.end - 1, err);
    link->at = RF_MAX(info.begin, selector.is_inclusive ? number : number + 1);
    return RF_OK;
}

/* ---- attaching -------------------------------------------------------------------------------------------------- */

/* The selector among the filters: by its name, described by number or symbol. */
static rf_str selector_of(const struct amqp_value *filter)
{
    struct amqp_value value, inner;
    if (filter->type != AMQP_MAP ||
        !amqp_map_find(filter, RF_S("apache.org:selector-filter:string"), &value))
        return (rf_str){0};
    if (value.type == AMQP_DESCRIBED && amqp_inner(&value, &inner)) value = inner;
    return amqp_is_text(&value) ? value.bytes : RF_S("?");
}

static enum rf_kind run_attach(struct job *job, struct rf_err *err)
{
    RF_TRY(node_resolve(job, job->made->address, RIGHT_LISTEN, err));
    return position_of(job->made, job->message, err);
}

static void attached(struct job *job)
{
    struct peer *peer = job->peer;
    struct node_link *link = job->made;
    static const char *const runtime[] = {"com.microsoft:enable-receiver-runtime-metric", NULL};
    /* Last of all: a link that is refused for anything else displaces nobody. */
    if (job->kind == RF_OK) job->kind = owners_admit(peer->nodes->owners, link, &job->err);
    if (job->kind != RF_OK) {
        struct amqp_error error = node_error(link, peer, &job->err, &job->arena);
        amqp_link_refuse(peer->connection, job->link, &error);
        return;
    }
    if (link->has_runtime) job->terms.capabilities = runtime;
    if (!amqp_link_accept(peer->connection, job->link, &job->terms, link)) {
        owners_leave(peer->nodes->owners, link);
        return;
    }
    job->made = NULL;
    if (atomic_load(&link->is_displaced)) peer_wake(peer);
}

static void read_properties(struct node_link *link, const struct amqp_attach *attach)
{
    struct amqp_value value;
    if (attach->properties.type != AMQP_MAP) return;
    if (amqp_map_find(&attach->properties, RF_S("com.microsoft:epoch"), &value))
        link->has_epoch = amqp_as_i64(&value, &link->epoch);
    if (amqp_map_find(&attach->properties, RF_S("com.microsoft:receiver-name"), &value) &&
        amqp_is_text(&value))
        (void)rf_arena_str(&link->arena, value.bytes, &link->receiver);
}

void receive_attach(struct peer *peer, struct amqp_link at, const struct amqp_attach *attach)
{
    struct job *job = job_new(peer);
    struct node_link *link = calloc(1, sizeof *link);
    if (link != NULL) {
        *link = (struct node_link){.kind = NODE_RECEIVER,
                                   .is_out = true,
                                   .peer = peer,
                                   .link = at,
                                   .partition = UINT32_MAX};
        rf_arena_init(&link->arena, 1 << 16);
        rf_arena_init(&link->frames_arena, FRAMES_BYTES_MAX);
        rf_arena_init(&link->message_arena, MESSAGE_BYTES_ROOM);
    }
    if (job == NULL || link == NULL ||
        !rf_arena_str(&link->arena, attach->source, &link->address) ||
        !rf_arena_str(&link->arena, attach->name, &link->name) ||
        !rf_arena_str(&job->arena, selector_of(&attach->filter), &job->message)) {
        struct amqp_error error = {"amqp:internal-error", RF_S("memory is used up")};
        amqp_link_refuse(peer->connection, at, &error);
        node_link_free(link);
        job_free(job);
        return;
    }
    read_properties(link, attach);
    link->has_runtime = amqp_attach_desires(attach, "com.microsoft:enable-receiver-runtime-metric");
    job->made = link;
    job->link = at;
    job->run = run_attach;
    job->done = attached;
    job_start(job);
}
