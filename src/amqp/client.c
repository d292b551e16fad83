#include "amqp/client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "amqp/client_pipe.h"
#include "amqp/frame.h"

enum {
    CLIENT_FRAME_BYTES = 65536,
    OUT_BYTES = 128 << 10, /* collected before they are written */
    IN_BYTES = 256 << 10,
    WINDOW = 1 << 20, /* transfers that the server may send: credit bounds them */
    REPLY_CREDIT = 10,
    CBS_REQUEST = 0, /* the numbers of the links to $cbs */
    CBS_REPLY = 1,
    CHANNEL = 0,
};

struct client_link {
    bool is_open, is_refused, is_receiver;
    uint32_t credit; /* left; of a sender what the peer gave, of a receiver what it has */
    uint32_t wanted; /* a receiver's */
    uint32_t delivery_count;
};

struct amqp_client {
    struct pipe *pipe;
    struct rf_arena arena;
    struct rf_buf out, part; /* part: a message of several frames */
    uint8_t *in;
    size_t in_from, in_len;
    uint32_t frame_bytes; /* that the server takes */
    uint32_t next_id;     /* of outgoing deliveries */
    uint32_t next_incoming;
    uint32_t window; /* transfers that the server takes */
    uint64_t sent, settled, accepted;
    struct client_link links[AMQP_CLIENT_LINKS_MAX];
    uint32_t link_count;
    bool is_open, has_session, has_outcome, is_broken, has_message;
    bool owes_credit; /* to receivers that got none yet */
    uint8_t outcome;
    bool has_reply;
    uint32_t reply_status;
    uint32_t message_link;
    uint32_t requests;
    struct rf_err failure; /* of the server: kind RF_OK: none */
};

/* ---- frames out ------------------------------------------------------------------------------------------------- */

struct draft {
    size_t frame, list;
};

static struct draft draft_begin(struct amqp_client *c, enum frame_type type, enum performative code)
{
    struct draft draft = {.frame = frame_begin(&c->out, type, CHANNEL)};
    amqp_put_descriptor(&c->out, code);
    draft.list = amqp_put_begin(&c->out);
    return draft;
}

static void draft_end(struct amqp_client *c, struct draft draft, uint32_t fields)
{
    amqp_put_end(&c->out, draft.list, AMQP_LIST, fields);
    (void)frame_end(&c->out, draft.frame);
}

static void put_open(struct amqp_client *c, rf_str hostname)
{
    struct draft draft = draft_begin(c, FRAME_AMQP_TYPE, PERF_OPEN);
    rf_buf_printf(&c->part, "ringfort-%p", (void *)c);
    amqp_put_string(&c->out, rf_buf_view(&c->part));
    c->part.len = 0;
    amqp_put_string(&c->out, hostname);
    amqp_put_uint(&c->out, CLIENT_FRAME_BYTES);
    draft_end(c, draft, 3);
}

static void put_session(struct amqp_client *c)
{
    struct draft draft = draft_begin(c, FRAME_AMQP_TYPE, PERF_BEGIN);
    amqp_put_null(&c->out);
    amqp_put_uint(&c->out, 0);
    amqp_put_uint(&c->out, WINDOW);
    amqp_put_uint(&c->out, WINDOW);
    amqp_put_uint(&c->out, AMQP_CLIENT_LINKS_MAX);
    draft_end(c, draft, 5);
}

/* A source or target with nothing but an address, and a filter. */
static void put_terminus(struct amqp_client *c, enum performative code, rf_str address,
                         rf_str selector)
{
    amqp_put_descriptor(&c->out, code);
    size_t list = amqp_put_begin(&c->out);
    amqp_put_string(&c->out, address);
    if (selector.len > 0) {
        for (int i = 0; i < 6; i++) amqp_put_null(&c->out);
        size_t map = amqp_put_begin(&c->out);
        amqp_put_symbol(&c->out, RF_S("apache.org:selector-filter:string"));
        amqp_put_descriptor(&c->out, UINT64_C(0x468C00000004));
        amqp_put_string(&c->out, selector);
        amqp_put_end(&c->out, map, AMQP_MAP, 2);
    }
    amqp_put_end(&c->out, list, AMQP_LIST, selector.len > 0 ? 8 : 1);
}

static void put_attach(struct amqp_client *c, uint32_t handle, rf_str source, rf_str target,
                       rf_str selector)
{
    bool is_receiver = c->links[handle].is_receiver;
    struct draft draft = draft_begin(c, FRAME_AMQP_TYPE, PERF_ATTACH);
    rf_buf_printf(&c->part, "link-%u", handle);
    amqp_put_string(&c->out, rf_buf_view(&c->part));
    c->part.len = 0;
    amqp_put_uint(&c->out, handle);
    amqp_put_bool(&c->out, is_receiver);
    amqp_put_ubyte(&c->out, is_receiver ? 1 : 0);
    amqp_put_ubyte(&c->out, 0);
    put_terminus(c, PERF_SOURCE, source, selector);
    put_terminus(c, PERF_TARGET, target, (rf_str){0});
    if (!is_receiver) {
        amqp_put_null(&c->out);
        amqp_put_null(&c->out);
        amqp_put_uint(&c->out, 0);
    }
    draft_end(c, draft, is_receiver ? 7 : 10);
}

static void put_credit(struct amqp_client *c, uint32_t handle)
{
    struct client_link *link = &c->links[handle];
    struct draft draft = draft_begin(c, FRAME_AMQP_TYPE, PERF_FLOW);
    link->credit = link->wanted;
    amqp_put_uint(&c->out, c->next_incoming);
    amqp_put_uint(&c->out, WINDOW);
    amqp_put_uint(&c->out, c->next_id);
    amqp_put_uint(&c->out, WINDOW);
    amqp_put_uint(&c->out, handle);
    amqp_put_uint(&c->out, link->delivery_count);
    amqp_put_uint(&c->out, link->credit);
    draft_end(c, draft, 7);
}

static enum rf_kind io_failed(struct amqp_client *c, enum dial_io io, struct rf_err *err)
{
    c->is_broken = true;
    if (io == DIAL_TIMED_OUT) return RF_FAIL(err, RF_IO, "TimedOut", "the server does not answer");
    return RF_FAIL(err, RF_IO, "BadAnswer", "the server ended the connection");
}

static enum rf_kind write_out(struct amqp_client *c, struct rf_err *err)
{
    if (c->out.failed) return rf_fail_memory(err, &c->arena);
    if (c->out.len == 0) return RF_OK;
    enum dial_io io = pipe_write(c->pipe, rf_buf_view(&c->out));
    c->out.len = 0;
    return io == DIAL_OK ? RF_OK : io_failed(c, io, err);
}

/* ---- frames in -------------------------------------------------------------------------------------------------- */

static enum rf_kind kind_of(rf_str condition)
{
    if (rf_str_is(condition, "amqp:not-found")) return RF_NOT_FOUND;
    if (rf_str_is(condition, "amqp:unauthorized-access") ||
        rf_str_is(condition, "com.microsoft:publisher-revoked"))
        return RF_DENIED;
    if (rf_str_is(condition, "amqp:link:message-size-exceeded") ||
        rf_str_is(condition, "amqp:resource-limit-exceeded"))
        return RF_LIMIT;
    return RF_INVALID;
}

/* Notes the error of a close, end, detach or rejection, unless one was noted before. */
static void note_error(struct amqp_client *c, const struct amqp_value *described, const char *what)
{
    struct amqp_value list, condition = {0}, text = {0};
    if (c->failure.kind != RF_OK) return;
    if (described->type == AMQP_DESCRIBED && amqp_inner(described, &list)) {
        struct amqp_items items = amqp_items_of(&list);
        if (amqp_item(&items, &condition)) (void)amqp_item(&items, &text);
    }
    if (condition.type == AMQP_NONE) condition.bytes = RF_S("no condition");
    (void)RF_FAIL(&c->failure, kind_of(condition.bytes), "AmqpError", "%s: %.*s: %.*s", what,
                  RF_FMT(condition.bytes), amqp_is_text(&text) ? (int)text.bytes.len : 0,
                  (const char *)text.bytes.ptr);
}

static void on_flow(struct amqp_client *c, struct fields *fields)
{
    struct perf_flow flow;
    if (!perf_flow_read(fields, &flow)) return;
    uint32_t next = flow.has_next_incoming_id ? flow.next_incoming_id : 0;
    c->window = next + flow.incoming_window - c->next_id;
    if (!flow.has_handle || flow.handle >= c->link_count) return;
    struct client_link *link = &c->links[flow.handle];
    if (!link->is_receiver && flow.has_credit)
        link->credit = flow.delivery_count + flow.credit - link->delivery_count;
}

static void on_disposition(struct amqp_client *c, struct fields *fields)
{
    struct perf_disposition d;
    if (!perf_disposition_read(fields, &d) || !d.is_receiver || !d.is_settled) return;
    uint32_t count = d.last - d.first + 1;
    c->settled += count;
    if (amqp_descriptor(&d.state) == PERF_ACCEPTED) {
        c->accepted += count;
        return;
    }
    struct amqp_value list, error = {0};
    if (d.state.type == AMQP_DESCRIBED && amqp_inner(&d.state, &list)) {
        struct amqp_items items = amqp_items_of(&list);
        (void)amqp_item(&items, &error);
    }
    note_error(c, &error, "a message was refused");
}

static void on_reply(struct amqp_client *c)
{
    rf_str message = rf_buf_view(&c->part);
    struct amqp_section section;
    struct amqp_value status, text;
    c->has_reply = true;
    while (amqp_section_next(&message, &section)) {
        int64_t code;
        if (section.code != AMQP_APPLICATION_PROPERTIES) continue;
        if (amqp_map_find(&section.value, RF_S("status-code"), &status) &&
            amqp_as_i64(&status, &code))
            c->reply_status = (uint32_t)code;
        if (c->reply_status / 100 != 2 && c->failure.kind == RF_OK &&
            amqp_map_find(&section.value, RF_S("status-description"), &text))
            (void)RF_FAIL(&c->failure, RF_DENIED, "TokenRefused", "%.*s", RF_FMT(text.bytes));
    }
    c->part.len = 0;
}

static void on_transfer(struct amqp_client *c, struct fields *fields, rf_str payload)
{
    struct perf_transfer t;
    if (!perf_transfer_read(fields, &t) || t.handle >= c->link_count) return;
    struct client_link *link = &c->links[t.handle];
    c->next_incoming++;
    rf_buf_put(&c->part, payload.ptr, payload.len);
    if (t.more) return;
    link->delivery_count++;
    link->credit -= link->credit > 0;
    if (t.handle == CBS_REPLY && c->links[CBS_REPLY].is_receiver && c->requests > 0)
        on_reply(c);
    else
        c->has_message = true, c->message_link = t.handle;
    if (link->credit <= link->wanted / 2) put_credit(c, t.handle);
}

static void on_frame(struct amqp_client *c, const struct frame *frame)
{
    rf_str body = frame->body;
    uint64_t code;
    struct fields fields;
    struct perf_open open;
    struct perf_attach attach;
    struct perf_begin begin;
    struct amqp_value error;
    if (body.len == 0 || !fields_open(&body, &code, &fields)) return;
    switch (code) {
    case PERF_SASL_OUTCOME:
        c->has_outcome = true;
        error = field_any(&fields);
        c->outcome = (uint8_t)error.u;
        break;
    case PERF_OPEN:
        c->is_open = perf_open_read(&fields, &open);
        c->frame_bytes = RF_MIN(open.frame_bytes_max, (uint32_t)CLIENT_FRAME_BYTES);
        break;
    case PERF_BEGIN:
        c->has_session = perf_begin_read(&fields, &begin);
        c->window = begin.incoming_window;
        break;
    case PERF_ATTACH:
        if (perf_attach_read(&fields, &attach) && attach.handle < c->link_count)
            c->links[attach.handle].is_open = true;
        break;
    case PERF_FLOW:
        on_flow(c, &fields);
        break;
    case PERF_TRANSFER:
        on_transfer(c, &fields, body);
        break;
    case PERF_DISPOSITION:
        on_disposition(c, &fields);
        break;
    case PERF_DETACH:
        (void)field_uint(&fields, 0, NULL);
        (void)field_bool(&fields, false, NULL);
        error = field_any(&fields);
        note_error(c, &error, "the link was refused");
        break;
    case PERF_END:
    case PERF_CLOSE:
        error = field_any(&fields);
        note_error(c, &error, "the server closed");
        break;
    default:
        break;
    }
}

/* Handles whole frames that have come; stops behind a message. */
static enum rf_kind take_frames(struct amqp_client *c, struct rf_err *err)
{
    while (!c->has_message) {
        struct frame frame;
        rf_str bytes = rf_str_make(c->in + c->in_from, c->in_len - c->in_from);
        if (bytes.len >= 8 && memcmp(bytes.ptr, "AMQP", 4) == 0) {
            c->in_from += 8;
            continue;
        }
        enum frame_step step = frame_read(bytes, CLIENT_FRAME_BYTES, &frame);
        if (step == FRAME_BAD) return io_failed(c, DIAL_BROKEN, err);
        if (step == FRAME_MORE) break;
        on_frame(c, &frame);
        c->in_from += frame.bytes;
    }
    if (c->failure.kind == RF_OK) return RF_OK;
    *err = c->failure;
    c->is_broken = true;
    return c->failure.kind;
}

/* Reads what comes next, waiting for it. */
static enum rf_kind read_more(struct amqp_client *c, struct rf_err *err)
{
    size_t got = 0;
    RF_TRY(write_out(c, err));
    memmove(c->in, c->in + c->in_from, c->in_len - c->in_from);
    c->in_len -= c->in_from;
    c->in_from = 0;
    enum dial_io io = pipe_read(c->pipe, c->in + c->in_len, IN_BYTES - c->in_len, &got);
    if (io != DIAL_OK) return io_failed(c, io, err);
    c->in_len += got;
    return take_frames(c, err);
}

static enum rf_kind await(struct amqp_client *c, const bool *what, struct rf_err *err)
{
    RF_TRY(take_frames(c, err));
    while (!*what) RF_TRY(read_more(c, err));
    return RF_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static void put_sasl(struct amqp_client *c, const struct amqp_client_options *options)
{
    bool is_plain = options->user.len > 0, is_device = options->certificate_pem.len > 0;
    rf_buf_put(&c->out, "AMQP\3\1\0\0", 8);
    struct draft draft = draft_begin(c, FRAME_SASL_TYPE, PERF_SASL_INIT);
    amqp_put_symbol(&c->out, is_plain    ? RF_S("PLAIN")
                             : is_device ? RF_S("EXTERNAL")
                                         : RF_S("ANONYMOUS"));
    if (is_plain) {
        rf_buf_byte(&c->part, 0);
        rf_buf_str(&c->part, options->user);
        rf_buf_byte(&c->part, 0);
        rf_buf_str(&c->part, options->password);
        amqp_put_binary(&c->out, rf_buf_view(&c->part));
        if (c->part.ptr != NULL) explicit_bzero(c->part.ptr, c->part.len);
        c->part.len = 0;
    }
    draft_end(c, draft, is_plain ? 2 : 1);
}

static enum rf_kind handshake(struct amqp_client *c, const struct amqp_client_options *options,
                              struct rf_err *err)
{
    rf_str host = options->hostname.len > 0 ? options->hostname : rf_str_of(options->host);
    put_sasl(c, options);
    RF_TRY(await(c, &c->has_outcome, err));
    if (c->outcome != 0)
        return RF_FAIL(err, RF_DENIED, "TokenRefused", "the server refused the login");
    rf_buf_put(&c->out, "AMQP\0\1\0\0", 8);
    put_open(c, host);
    put_session(c);
    return await(c, &c->has_session, err);
}

enum rf_kind amqp_client_open(const struct amqp_client_options *options, struct amqp_client **out,
                              struct rf_err *err)
{
    struct amqp_client *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    rf_arena_init(&c->arena, 64 << 20);
    c->out = c->part = rf_buf_in(&c->arena);
    c->in = rf_arena_raw(&c->arena, uint8_t, IN_BYTES);
    c->frame_bytes = FRAME_MIN_MAX;
    enum rf_kind kind = c->in == NULL ? rf_fail_memory(err, &c->arena) : RF_OK;
    if (kind == RF_OK) kind = pipe_open(options, &c->pipe, err);
    if (kind == RF_OK) kind = handshake(c, options, err);
    if (kind == RF_OK) {
        *out = c;
        return RF_OK;
    }
    c->is_broken = true;
    amqp_client_close(c);
    return kind;
}

void amqp_client_close(struct amqp_client *c)
{
    struct rf_err ignored;
    if (c == NULL) return;
    if (!c->is_broken && c->is_open) {
        struct draft draft = draft_begin(c, FRAME_AMQP_TYPE, PERF_CLOSE);
        draft_end(c, draft, 0);
        (void)write_out(c, &ignored);
    }
    pipe_close(c->pipe);
    rf_arena_done(&c->arena);
    free(c);
}

/* ---- links ------------------------------------------------------------------------------------------------------ */

static enum rf_kind attach(struct amqp_client *c, bool is_receiver, rf_str source, rf_str target,
                           rf_str selector, uint32_t credit, uint32_t *link, struct rf_err *err)
{
    if (c->link_count == AMQP_CLIENT_LINKS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyLinks", "more than %d links", AMQP_CLIENT_LINKS_MAX);
    uint32_t handle = c->link_count++;
    c->links[handle] = (struct client_link){.is_receiver = is_receiver, .wanted = credit};
    put_attach(c, handle, source, target, selector);
    RF_TRY(await(c, &c->links[handle].is_open, err));
    /* Others' messages would come between what the next links are asked and their answers. */
    if (is_receiver && rf_str_is(source, "$cbs"))
        put_credit(c, handle);
    else if (is_receiver)
        c->owes_credit = true;
    *link = handle;
    /* A refusal follows the answer; a sender knows that it is none when it has credit. */
    while (!is_receiver && c->links[handle].credit == 0) RF_TRY(read_more(c, err));
    return write_out(c, err);
}

enum rf_kind amqp_client_sender(struct amqp_client *c, rf_str target, uint32_t *link,
                                struct rf_err *err)
{
    return attach(c, false, RF_S("client"), target, (rf_str){0}, 0, link, err);
}

enum rf_kind amqp_client_receiver(struct amqp_client *c, rf_str source, rf_str selector,
                                  uint32_t credit, uint32_t *link, struct rf_err *err)
{
    return attach(c, true, source, RF_S("client"), selector, credit, link, err);
}

enum rf_kind amqp_client_put_token(struct amqp_client *c, rf_str audience, rf_str type,
                                   rf_str token, struct rf_err *err)
{
    uint32_t link;
    if (c->link_count == 0) {
        RF_TRY(attach(c, false, RF_S("client"), RF_S("$cbs"), (rf_str){0}, 0, &link, err));
        RF_TRY(attach(c, true, RF_S("$cbs"), RF_S("cbs-reply"), (rf_str){0}, REPLY_CREDIT, &link,
                      err));
    } else if (!c->links[CBS_REPLY].is_receiver || c->requests == 0) {
        return RF_FAIL(err, RF_INVALID, "OutOfOrder", "tokens are put before links are made");
    }
    struct rf_buf message = rf_buf_in(&c->arena);
    amqp_put_descriptor(&message, AMQP_PROPERTIES);
    size_t list = amqp_put_begin(&message);
    rf_buf_printf(&c->part, "%u", c->requests);
    amqp_put_string(&message, rf_buf_view(&c->part));
    c->part.len = 0;
    amqp_put_null(&message);
    amqp_put_string(&message, RF_S("$cbs"));
    amqp_put_null(&message);
    amqp_put_string(&message, RF_S("cbs-reply"));
    amqp_put_end(&message, list, AMQP_LIST, 5);
    const rf_str pairs[] = {RF_S("operation"), RF_S("put-token"), RF_S("type"), type,
                            RF_S("name"),      audience};
    amqp_put_descriptor(&message, AMQP_APPLICATION_PROPERTIES);
    size_t map = amqp_put_begin(&message);
    for (size_t i = 0; i < RF_COUNT(pairs); i++) amqp_put_string(&message, pairs[i]);
    amqp_put_end(&message, map, AMQP_MAP, RF_COUNT(pairs));
    amqp_put_descriptor(&message, AMQP_BODY_VALUE);
    amqp_put_string(&message, token);
    if (message.failed) return rf_fail_memory(err, &c->arena);
    c->requests++;
    c->has_reply = false;
    RF_TRY(amqp_client_send(c, CBS_REQUEST, 0, rf_buf_view(&message), err));
    return await(c, &c->has_reply, err);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void put_transfer(struct amqp_client *c, uint32_t handle, uint32_t format, uint32_t id,
                         bool more, rf_str piece)
{
    uint8_t tag[4];
    size_t frame = frame_begin(&c->out, FRAME_AMQP_TYPE, CHANNEL);
    amqp_put_descriptor(&c->out, PERF_TRANSFER);
    size_t list = amqp_put_begin(&c->out);
    amqp_put_uint(&c->out, handle);
    amqp_put_uint(&c->out, id);
    amqp_set_u32(tag, id);
    amqp_put_binary(&c->out, rf_str_make(tag, sizeof tag));
    amqp_put_uint(&c->out, format);
    amqp_put_bool(&c->out, false);
    amqp_put_bool(&c->out, more);
    amqp_put_end(&c->out, list, AMQP_LIST, 6);
    rf_buf_str(&c->out, piece);
    (void)frame_end(&c->out, frame);
}

enum rf_kind amqp_client_flush(struct amqp_client *c, struct rf_err *err)
{
    RF_TRY(write_out(c, err));
    while (!c->has_message && !pipe_is_quiet(c->pipe)) RF_TRY(read_more(c, err));
    return RF_OK;
}

enum rf_kind amqp_client_send(struct amqp_client *c, uint32_t handle, uint32_t format,
                              rf_str message, struct rf_err *err)
{
    enum { TRANSFER_HEAD_BYTES = 64 };
    struct client_link *link = &c->links[handle];
    size_t piece = c->frame_bytes - TRANSFER_HEAD_BYTES;
    uint32_t id = c->next_id++;
    while (link->credit == 0 || c->window == 0) RF_TRY(read_more(c, err));
    do {
        rf_str now = rf_slice(message, 0, RF_MIN(piece, message.len));
        message = rf_slice(message, now.len, message.len);
        put_transfer(c, handle, format, id, message.len > 0, now);
        c->window -= c->window > 0;
    } while (message.len > 0);
    link->credit--;
    link->delivery_count++;
    c->sent++;
    return c->out.len < OUT_BYTES ? RF_OK : amqp_client_flush(c, err);
}

enum rf_kind amqp_client_settle(struct amqp_client *c, struct rf_err *err)
{
    RF_TRY(write_out(c, err));
    RF_TRY(take_frames(c, err));
    while (c->settled < c->sent) RF_TRY(read_more(c, err));
    return RF_OK;
}

uint64_t amqp_client_accepted(const struct amqp_client *c) { return c->accepted - c->requests; }

static void give_credit(struct amqp_client *c)
{
    for (uint32_t i = 0; i < c->link_count; i++)
        if (c->links[i].is_receiver && c->links[i].credit == 0 && c->links[i].delivery_count == 0)
            put_credit(c, i);
    c->owes_credit = false;
}

enum rf_kind amqp_client_receive(struct amqp_client *c, int64_t wait_usec, uint32_t *link,
                                 rf_str *message, struct rf_err *err)
{
    int64_t end = rf_clock_elapsed(rf_clock_real()) + wait_usec;
    if (c->owes_credit) give_credit(c);
    if (c->has_message) c->has_message = false, c->part.len = 0;
    RF_TRY(take_frames(c, err));
    RF_TRY(write_out(c, err));
    while (!c->has_message) {
        if (pipe_is_quiet(c->pipe)) {
            if (rf_clock_elapsed(rf_clock_real()) >= end)
                return RF_FAIL(err, RF_AGAIN, "NothingCame", "no message came");
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            continue;
        }
        RF_TRY(read_more(c, err));
    }
    if (c->part.failed) return rf_fail_memory(err, &c->arena);
    *link = c->message_link;
    *message = rf_buf_view(&c->part);
    return RF_OK;
}

void amqp_message(struct rf_buf *buf, rf_str body, rf_str partition_key)
{
    if (partition_key.len > 0) {
        amqp_put_descriptor(buf, AMQP_MESSAGE_ANNOTATIONS);
        size_t map = amqp_put_begin(buf);
        amqp_put_symbol(buf, RF_S("x-opt-partition-key"));
        amqp_put_string(buf, partition_key);
        amqp_put_end(buf, map, AMQP_MAP, 2);
    }
    amqp_message_member(buf, body);
}

void amqp_message_member(struct rf_buf *buf, rf_str message)
{
    amqp_put_descriptor(buf, AMQP_DATA);
    amqp_put_binary(buf, message);
}
