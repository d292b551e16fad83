#include <stdio.h>
#include <stdlib.h>

#include "amqp/engine_int.h"

static const uint8_t sasl_header[8] = {'A', 'M', 'Q', 'P', 3, 1, 0, 0};
static const uint8_t amqp_header[8] = {'A', 'M', 'Q', 'P', 0, 1, 0, 0};

enum { IDLE_MSEC = 240000 };
static const int64_t second = 1000000;

/* ---- calls from outside ---------------------------------------------------------------------------------------------------------- */

/* Every call from outside ends with it. */
static void finish_call(struct amqp_connection *c)
{
    send_resume(c);
    settle_up(c);
}

void amqp_taken(struct amqp_connection *c, size_t bytes, int64_t now)
{
    c->now = now;
    out_take(c, bytes);
    if (bytes > 0) c->sent_at = now;
    if (c->is_busy || c->state != STATE_OPEN) return;
    c->is_busy = true;
    finish_call(c);
    c->is_busy = false;
}

void amqp_push(struct amqp_connection *c)
{
    if (c->is_busy) return; /* the call that is under way sends */
    c->is_busy = true;
    finish_call(c);
    c->is_busy = false;
    if (c->options.push != NULL) c->options.push(c->options.transport);
}

/* ---- close --------------------------------------------------------------------------------------------------------------- */

static void put_open(struct amqp_connection *c)
{
    struct control control;
    control_begin(&control, FRAME_AMQP_TYPE, 0, PERF_OPEN);
    amqp_put_string(&control.buf, c->options.container);
    amqp_put_null(&control.buf); /* hostname */
    amqp_put_uint(&control.buf, AMQP_FRAME_BYTES_MAX);
    amqp_put_ushort(&control.buf, AMQP_CHANNEL_MAX);
    amqp_put_uint(&control.buf, IDLE_MSEC);
    (void)control_end(c, &control, 5);
}

static void leave_sessions(struct amqp_connection *c, enum amqp_ended why)
{
    for (uint32_t i = 0; i < c->session_cap; i++)
        if (c->sessions[i] != NULL) session_leave_links(c->sessions[i], why);
}

static void put_close(struct amqp_connection *c, const struct amqp_error *error)
{
    struct control control;
    control_begin(&control, FRAME_AMQP_TYPE, 0, PERF_CLOSE);
    put_error(c, &control.buf, error);
    (void)control_end(c, &control, 1);
}

void amqp_close(struct amqp_connection *c, const struct amqp_error *error)
{
    if (c->state >= STATE_CLOSING) return;
    if (c->state < STATE_OPEN_WAIT) { /* nothing can be said yet */
        c->state = STATE_OVER;
        return;
    }
    if (c->state == STATE_OPEN_WAIT) put_open(c);
    settle_up(c);
    if (c->state >= STATE_CLOSING) return;
    put_close(c, error);
    if (c->state != STATE_OVER) c->state = STATE_CLOSING;
    c->closing_at = c->now;
    leave_sessions(c, AMQP_BY_SERVER);
}

void connection_fail(struct amqp_connection *c, const char *condition, const char *text)
{
    amqp_close(c, &(struct amqp_error){condition, rf_str_of(text)});
}

/* Behind bytes that are no frames the peer's close cannot be found. */
static void framing_fail(struct amqp_connection *c, const char *text)
{
    connection_fail(c, "amqp:connection:framing-error", text);
    c->state = STATE_OVER;
}

static void on_close(struct amqp_connection *c)
{
    if (c->state == STATE_OPEN) {
        settle_up(c);
        put_close(c, NULL);
        c->state = STATE_OVER;
        leave_sessions(c, AMQP_BY_PEER);
    }
    c->state = STATE_OVER;
}

/* ---- SASL ---------------------------------------------------------------------------------------------------------------- */

static void put_mechanisms(struct amqp_connection *c)
{
    struct control control;
    control_begin(&control, FRAME_SASL_TYPE, 0, PERF_SASL_MECHANISMS);
    amqp_put_array(&control.buf, AMQP_SYMBOL, c->options.mechanisms, c->options.mechanism_count);
    (void)control_end(c, &control, 1);
}

static void put_outcome(struct amqp_connection *c, uint8_t code)
{
    struct control control;
    control_begin(&control, FRAME_SASL_TYPE, 0, PERF_SASL_OUTCOME);
    amqp_put_ubyte(&control.buf, code);
    if (code == 0) amqp_put_binary(&control.buf, RF_S("Welcome!"));
    (void)control_end(c, &control, code == 0 ? 2 : 1);
}

void amqp_sasl_ok(struct amqp_connection *c)
{
    if (c->state != STATE_SASL_WAIT) return;
    if (!c->has_sasl) { /* it came without; the header was answered */
        c->state = STATE_OPEN_WAIT;
        return;
    }
    put_outcome(c, 0);
    c->in_sasl_layer = false;
    if (c->state == STATE_SASL_WAIT) c->state = STATE_AMQP_HEADER;
}

void amqp_sasl_fail(struct amqp_connection *c)
{
    if (c->state != STATE_SASL_WAIT) return;
    if (c->has_sasl) put_outcome(c, 1);
    c->state = STATE_OVER;
}

void amqp_sasl_challenge(struct amqp_connection *c, rf_str challenge)
{
    struct control control;
    if (c->state != STATE_SASL_WAIT) return;
    if (!c->has_sasl) { /* there is nobody to answer it */
        c->state = STATE_OVER;
        return;
    }
    control_begin(&control, FRAME_SASL_TYPE, 0, PERF_SASL_CHALLENGE);
    amqp_put_binary(&control.buf, challenge);
    (void)control_end(c, &control, 1);
    if (c->state == STATE_SASL_WAIT) c->state = STATE_SASL_RESPONSE;
}

static void on_sasl_init(struct amqp_connection *c, struct fields *fields)
{
    rf_str mechanism = field_text(fields), response = field_binary(fields);
    if (fields->is_bad || mechanism.ptr == NULL || mechanism.len > 64) {
        c->state = STATE_OVER;
        return;
    }
    free((void *)(uintptr_t)c->sasl_mechanism.ptr);
    uint8_t *copy = malloc(mechanism.len + 1);
    if (copy == NULL) {
        c->state = STATE_OVER;
        return;
    }
    memcpy(copy, mechanism.ptr, mechanism.len);
    c->sasl_mechanism = rf_str_make(copy, mechanism.len);
    c->state = STATE_SASL_WAIT;
    c->options.handlers->on_sasl(c->options.ctx, c, c->sasl_mechanism, response);
}

static void on_sasl_frame(struct amqp_connection *c, uint64_t code, struct fields *fields)
{
    if (code == PERF_SASL_INIT && c->state == STATE_SASL_INIT) {
        on_sasl_init(c, fields);
    } else if (code == PERF_SASL_RESPONSE && c->state == STATE_SASL_RESPONSE) {
        rf_str response = field_binary(fields);
        c->state = fields->is_bad || response.ptr == NULL ? STATE_OVER : STATE_SASL_WAIT;
        if (c->state == STATE_SASL_WAIT)
            c->options.handlers->on_sasl(c->options.ctx, c, c->sasl_mechanism, response);
    } else {
        c->state = STATE_OVER;
    }
}

/* ---- headers ------------------------------------------------------------------------------------------------------------- */

/* 8: `bytes` begin with the header; 0: they may, when more has come; SIZE_MAX: they do not. */
static size_t match_header(rf_str bytes, const uint8_t header[8])
{
    size_t len = RF_MIN(bytes.len, (size_t)8);
    if (len > 0 && memcmp(bytes.ptr, header, len) != 0) return SIZE_MAX;
    return len == 8 ? 8 : 0;
}

static size_t read_first_header(struct amqp_connection *c, rf_str bytes)
{
    size_t sasl = match_header(bytes, sasl_header), plain = match_header(bytes, amqp_header);
    if (sasl == 8) {
        out_put(c, sasl_header, sizeof sasl_header);
        c->has_sasl = c->in_sasl_layer = true;
        c->state = STATE_SASL_INIT;
        put_mechanisms(c);
        return 8;
    }
    if (plain == 8) {
        out_put(c, amqp_header, sizeof amqp_header);
        c->state = STATE_SASL_WAIT;
        c->options.handlers->on_sasl(c->options.ctx, c, RF_S("ANONYMOUS"), (rf_str){NULL, 0});
        return 8;
    }
    if (sasl == 0 || plain == 0) return 0;
    out_put(c, sasl_header, sizeof sasl_header);
    c->state = STATE_OVER;
    return 0;
}

static size_t read_second_header(struct amqp_connection *c, rf_str bytes)
{
    size_t match = match_header(bytes, amqp_header);
    if (match == 0) return 0;
    out_put(c, amqp_header, sizeof amqp_header);
    c->state = match == 8 ? STATE_OPEN_WAIT : STATE_OVER;
    return match == 8 ? 8 : 0;
}

/* ---- open ---------------------------------------------------------------------------------------------------------------- */

static rf_str text_property(const struct amqp_value *properties, rf_str name)
{
    struct amqp_value value;
    if (properties->type != AMQP_MAP || !amqp_map_find(properties, name, &value) ||
        !amqp_is_text(&value))
        return (rf_str){NULL, 0};
    return value.bytes;
}

static void on_open(struct amqp_connection *c, struct fields *fields)
{
    struct perf_open open;
    struct amqp_error refusal = {0};
    if (!perf_open_read(fields, &open)) {
        connection_fail(c, "amqp:decode-error", "the fields of open are not those of the standard");
        return;
    }
    c->peer_frame_bytes_max = RF_MAX(open.frame_bytes_max, (uint32_t)FRAME_MIN_MAX);
    c->peer_channel_max = open.channel_max;
    c->peer_idle_msec = open.idle_msec;
    struct amqp_open shown = {.container = open.container,
                              .hostname = open.hostname,
                              .user_agent = text_property(&open.properties, RF_S("user-agent")),
                              .product = text_property(&open.properties, RF_S("product")),
                              .properties = open.properties,
                              .frame_bytes_max = c->peer_frame_bytes_max,
                              .idle_msec = open.idle_msec};
    put_open(c);
    c->state = STATE_OPEN;
    c->opened_at = c->linkless_at = c->now;
    if (!c->options.handlers->on_open(c->options.ctx, c, &shown, &refusal)) amqp_close(c, &refusal);
}

/* ---- dispatch ------------------------------------------------------------------------------------------------------------ */

static void on_session_frame(struct amqp_connection *c, uint16_t channel, uint64_t code,
                             struct fields *fields, rf_str payload)
{
    struct session *session = session_at(c, channel);
    struct perf_transfer transfer;
    if (session == NULL) {
        framing_fail(c, "a frame came on a channel without a session");
        return;
    }
    if (session->is_ending && code != PERF_END) return; /* sent before the peer saw the end */
    switch (code) {
    case PERF_ATTACH:
        link_on_attach(c, session, fields);
        break;
    case PERF_FLOW:
        session_on_flow(c, session, fields);
        break;
    case PERF_TRANSFER:
        if (!perf_transfer_read(fields, &transfer)) {
            connection_fail(c, "amqp:decode-error",
                            "the fields of transfer are not those of the standard");
            break;
        }
        transfer.payload = payload;
        link_on_transfer(c, session, &transfer);
        break;
    case PERF_DISPOSITION:
        session_on_disposition(c, session, fields);
        break;
    case PERF_DETACH:
        link_on_detach(c, session, fields);
        break;
    default:
        session_on_end(session);
        break;
    }
}

static void on_amqp_frame(struct amqp_connection *c, const struct frame *frame, uint64_t code,
                          struct fields *fields, rf_str payload)
{
    if (c->state == STATE_OPEN_WAIT) {
        if (code == PERF_OPEN)
            on_open(c, fields);
        else
            framing_fail(c, "the first frame must be open");
        return;
    }
    switch (code) {
    case PERF_OPEN:
        framing_fail(c, "open came twice");
        break;
    case PERF_BEGIN:
        session_on_begin(c, frame->channel, fields);
        break;
    case PERF_ATTACH:
    case PERF_FLOW:
    case PERF_TRANSFER:
    case PERF_DISPOSITION:
    case PERF_DETACH:
    case PERF_END:
        on_session_frame(c, frame->channel, code, fields, payload);
        break;
    case PERF_CLOSE:
        on_close(c);
        break;
    default:
        framing_fail(c, "the performative is unknown");
        break;
    }
}

static void on_frame(struct amqp_connection *c, const struct frame *frame)
{
    uint64_t code;
    struct fields fields;
    rf_str body = frame->body;
    if (frame->type != (c->in_sasl_layer ? FRAME_SASL_TYPE : FRAME_AMQP_TYPE)) {
        framing_fail(c, "the type of the frame does not belong here");
        return;
    }
    if (body.len == 0 && !c->in_sasl_layer) return; /* a heartbeat */
    if (!fields_open(&body, &code, &fields)) {
        connection_fail(c, "amqp:decode-error", "the body of the frame is no performative");
        return;
    }
    if (c->in_sasl_layer)
        on_sasl_frame(c, code, &fields);
    else if (c->state != STATE_CLOSING)
        on_amqp_frame(c, frame, code, &fields, body);
    else if (code == PERF_CLOSE)
        c->state = STATE_OVER;
}

bool amqp_is_waiting(const struct amqp_connection *c)
{
    return c->state == STATE_SASL_WAIT ||
           (c->state != STATE_OVER && out_bytes(c) >= AMQP_OUT_BYTES_SOFT);
}

/* The next header or frame; 0: not all of it is there. */
static size_t feed_one(struct amqp_connection *c, rf_str bytes)
{
    struct frame frame;
    if (c->state == STATE_HEADER) return read_first_header(c, bytes);
    if (c->state == STATE_AMQP_HEADER) return read_second_header(c, bytes);
    switch (frame_read(bytes, AMQP_FRAME_BYTES_MAX, &frame)) {
    case FRAME_MORE:
        return 0;
    case FRAME_BAD:
        framing_fail(c, "the size or the data offset of a frame is out of bounds");
        return 0;
    case FRAME_WHOLE:
        on_frame(c, &frame);
        return frame.bytes;
    }
    return 0;
}

size_t amqp_feed(struct amqp_connection *c, rf_str bytes, int64_t now)
{
    size_t at = 0;
    RF_ASSERT(!c->is_busy);
    c->is_busy = true;
    c->now = now;
    if (bytes.len > c->left_bytes) c->received_at = now;
    while (at < bytes.len && c->state != STATE_OVER && !amqp_is_waiting(c)) {
        size_t taken = feed_one(c, rf_slice(bytes, at, bytes.len));
        if (taken == 0) break;
        at += taken;
    }
    if (c->state == STATE_OPEN && c->options.handlers->on_batch_end != NULL)
        c->options.handlers->on_batch_end(c->options.ctx, c);
    finish_call(c);
    if (c->state == STATE_OVER) at = bytes.len;
    c->left_bytes = bytes.len - at;
    c->is_busy = false;
    return at;
}

enum amqp_phase amqp_phase(const struct amqp_connection *c)
{
    if (c->state < STATE_OPEN) return AMQP_OPENING;
    if (c->state == STATE_OPEN) return AMQP_IS_OPEN;
    return c->state == STATE_CLOSING ? AMQP_CLOSING : AMQP_OVER;
}

/* ---- time ---------------------------------------------------------------------------------------------------------------- */

static int64_t or_default(int64_t usec, int64_t seconds)
{
    return usec > 0 ? usec : seconds * second;
}

/* Half of what the peer allows, as the frame takes time to get there. */
static int64_t heartbeat_usec(const struct amqp_connection *c)
{
    return RF_MAX((int64_t)c->peer_idle_msec * 1000 / 2, (int64_t)50000);
}

static void close_inactive(struct amqp_connection *c, int64_t usec, rf_str container)
{
    char text[256];
    int len =
        snprintf(text, sizeof text,
                 "The connection was inactive for more than the allowed %lld milliseconds and is "
                 "closed by container '%.*s'.",
                 (long long)(usec / 1000), (int)RF_MIN(container.len, (size_t)100),
                 (const char *)container.ptr);
    struct amqp_error error = {"amqp:connection:forced", rf_str_make(text, (size_t)RF_MAX(len, 0))};
    amqp_close(c, &error);
}

/* Returns when it is to be looked at again. */
static int64_t tick_links(struct amqp_connection *c)
{
    const struct amqp_handlers *handlers = c->options.handlers;
    int64_t next = INT64_MAX;
    if (handlers->on_link_idle == NULL) return next;
    for (uint32_t i = 0; i < c->slot_count; i++) {
        struct link *link = c->slots[i].link;
        if (link == NULL || link->state != LINK_OPEN || link->idle_usec == 0) continue;
        if (is_past(c->now, link->used_at, link->idle_usec)) {
            link->used_at = c->now;
            handlers->on_link_idle(c->options.ctx, c, link->user, link->id);
        }
        next = RF_MIN(next, link->used_at + link->idle_usec);
    }
    return next;
}

static void put_heartbeat(struct amqp_connection *c)
{
    static const uint8_t heartbeat[FRAME_HEAD_BYTES] = {0, 0, 0, 8, 2, 0, 0, 0};
    out_put(c, heartbeat, sizeof heartbeat);
    c->sent_at = c->now;
}

/* The earliest moment at which something of an open connection is due. */
static int64_t tick_open(struct amqp_connection *c)
{
    const struct amqp_options *options = &c->options;
    int64_t idle = or_default(options->idle_usec, IDLE_MSEC / 1000);
    int64_t linkless = or_default(options->linkless_usec, 300);
    int64_t unauthorized = or_default(options->unauthorized_usec, 20);
    int64_t due = c->received_at + idle;
    if (is_past(c->now, c->received_at, idle)) {
        close_inactive(c, idle, c->options.container);
        return c->now;
    }
    if (c->link_count == 0 && is_past(c->now, c->linkless_at, linkless)) {
        close_inactive(c, linkless, RF_S("LinkTracker"));
        return c->now;
    }
    if (!c->is_authorized && is_past(c->now, c->opened_at, unauthorized)) {
        connection_fail(c, "amqp:connection:forced",
                        "no valid token was put on the connection in time");
        return c->now;
    }
    if (c->link_count == 0) due = RF_MIN(due, c->linkless_at + linkless);
    if (!c->is_authorized) due = RF_MIN(due, c->opened_at + unauthorized);
    if (c->now >= c->links_due_at) {
        int64_t links = tick_links(c);
        c->links_due_at = RF_MIN(links, c->now + 60 * second); /* links come meanwhile */
    }
    due = RF_MIN(due, c->links_due_at);
    if (c->peer_idle_msec > 0 && c->state == STATE_OPEN) {
        if (out_bytes(c) == 0 && is_past(c->now, c->sent_at, heartbeat_usec(c))) put_heartbeat(c);
        due = RF_MIN(due, RF_MAX(c->sent_at + heartbeat_usec(c), c->now + 10000));
    }
    return due;
}

int64_t amqp_tick(struct amqp_connection *c, int64_t now)
{
    int64_t opening = or_default(c->options.opening_usec, 20), due = now + 60 * second;
    RF_ASSERT(!c->is_busy);
    c->is_busy = true;
    c->now = now;
    if (c->state < STATE_OPEN) {
        due = c->started_at + opening;
        if (now >= due) c->state = STATE_OVER;
    } else if (c->state == STATE_OPEN) {
        due = tick_open(c);
        finish_call(c);
    }
    if (c->state == STATE_CLOSING) {
        due = c->closing_at + CLOSING_USEC;
        if (now >= due) c->state = STATE_OVER;
    }
    c->is_busy = false;
    return RF_MAX(due - now, (int64_t)1000);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

struct amqp_connection *amqp_new(const struct amqp_options *options, int64_t now)
{
    struct amqp_connection *c = calloc(1, sizeof *c);
    uint8_t *container = malloc(options->container.len + 1);
    if (c == NULL || container == NULL) {
        free(c);
        free(container);
        return NULL;
    }
    memcpy(container, options->container.ptr, options->container.len);
    c->options = *options;
    c->container = container;
    c->options.container = rf_str_make(container, options->container.len);
    c->now = c->started_at = c->received_at = c->sent_at = now;
    c->peer_frame_bytes_max = FRAME_MIN_MAX;
    c->peer_channel_max = UINT16_MAX;
    c->free_slot = UINT32_MAX;
    ring_init(&c->to_settle);
    ring_init(&c->to_grant);
    ring_init(&c->blocked);
    return c;
}

void amqp_free(struct amqp_connection *c)
{
    if (c == NULL) return;
    RF_ASSERT(!c->is_busy);
    c->is_busy = true;
    if (c->state < STATE_CLOSING) c->state = STATE_OVER;
    leave_sessions(c, AMQP_LOST);
    for (uint32_t i = 0; i < c->session_cap; i++)
        if (c->sessions[i] != NULL) session_free(c->sessions[i]);
    free(c->sessions);
    free(c->slots);
    free(c->by_handle);
    free(c->out);
    free(c->container);
    free((void *)(uintptr_t)c->sasl_mechanism.ptr);
    free(c);
}

void *amqp_context(const struct amqp_connection *c) { return c->options.ctx; }
void amqp_set_context(struct amqp_connection *c, void *ctx) { c->options.ctx = ctx; }
rf_str amqp_container(const struct amqp_connection *c) { return c->options.container; }

void amqp_set_authorized(struct amqp_connection *c, bool is_authorized)
{
    /* Who loses its last token gets the time of a newcomer to put another. */
    if (c->is_authorized && !is_authorized) c->opened_at = c->now;
    c->is_authorized = is_authorized;
}
