/* engine_test_util.h - a peer of the engine for tests: writes frames from a short notation, shows what the server says as text, and
 * has handlers that note what they are told. */
#ifndef RF_AMQP_ENGINE_TEST_UTIL_H
#define RF_AMQP_ENGINE_TEST_UTIL_H

#include "amqp/engine.h"
#include "amqp/frame.h"
#include "test/rf_prop.h"

struct rig {
    struct rf_arena arena;
    struct amqp_connection *connection;
    struct rf_buf in;   /* what the peer has written and the engine not taken */
    struct rf_buf seen; /* what handlers were told */
    int64_t now;
    uint32_t credit, unsettled_max; /* of links that are accepted */
    uint32_t message_bytes_max;
    bool accepts_late, refuses, settles_late, fails_sasl, waits_sasl, sends;
    struct amqp_link last_link;
    struct amqp_delivery last_delivery;
    uint32_t message_count, send_count;
    size_t cut; /* bytes that are fed at once; 0: all */
};

static const rf_str rig_mechanisms[] = {{(const uint8_t *)"MSSBCBS", 7},
                                        {(const uint8_t *)"PLAIN", 5},
                                        {(const uint8_t *)"ANONYMOUS", 9},
                                        {(const uint8_t *)"EXTERNAL", 8}};

/* ---- values as text --------------------------------------------------------------------------------------------------- */

RF_TEST_HELPER void rig_show(struct rf_buf *out, const struct amqp_value *value, int depth);

RF_TEST_HELPER void rig_show_items(struct rf_buf *out, const struct amqp_value *value, char open,
                                   char close, int depth)
{
    struct amqp_items items = amqp_items_of(value);
    struct amqp_value item;
    rf_buf_byte(out, (uint8_t)open);
    for (uint32_t i = 0; depth > 0 && amqp_item(&items, &item); i++) {
        if (i > 0) rf_buf_byte(out, ' ');
        rig_show(out, &item, depth - 1);
    }
    rf_buf_byte(out, (uint8_t)close);
}

RF_TEST_HELPER void rig_show(struct rf_buf *out, const struct amqp_value *value, int depth)
{
    struct amqp_value inner;
    switch (value->type) {
    case AMQP_NULL:
        rf_buf_byte(out, '-');
        break;
    case AMQP_BOOLEAN:
        rf_buf_printf(out, value->u != 0 ? "true" : "false");
        break;
    case AMQP_STRING:
    case AMQP_SYMBOL:
        rf_buf_printf(out, "%s%.*s", value->type == AMQP_SYMBOL ? ":" : "", RF_FMT(value->bytes));
        break;
    case AMQP_BINARY:
        rf_buf_byte(out, '#');
        for (size_t i = 0; i < value->bytes.len; i++)
            rf_buf_printf(out, "%02x", value->bytes.ptr[i]);
        break;
    case AMQP_LIST:
        rig_show_items(out, value, '[', ']', depth);
        break;
    case AMQP_MAP:
        rig_show_items(out, value, '{', '}', depth);
        break;
    case AMQP_ARRAY:
        rig_show_items(out, value, '(', ')', depth);
        break;
    case AMQP_DESCRIBED:
        rf_buf_printf(out, "@%llx", (unsigned long long)amqp_descriptor(value));
        if (depth > 0 && amqp_inner(value, &inner)) rig_show(out, &inner, depth - 1);
        break;
    default:
        rf_buf_printf(out, "%lld", (long long)value->i);
    }
}

/* ---- handlers --------------------------------------------------------------------------------------------------------- */

RF_TEST_HELPER void rig_on_sasl(void *ctx, struct amqp_connection *connection, rf_str mechanism,
                                rf_str response)
{
    struct rig *rig = (struct rig *)ctx;
    rf_buf_printf(&rig->seen, "sasl %.*s %d\n", RF_FMT(mechanism),
                  response.ptr == NULL ? -1 : (int)response.len);
    if (rig->waits_sasl) return;
    if (rig->fails_sasl)
        amqp_sasl_fail(connection);
    else if (rf_str_is(mechanism, "PLAIN") && response.ptr == NULL)
        amqp_sasl_challenge(connection, RF_S(""));
    else
        amqp_sasl_ok(connection);
}

RF_TEST_HELPER bool rig_on_open(void *ctx, struct amqp_connection *connection,
                                const struct amqp_open *open, struct amqp_error *refusal)
{
    struct rig *rig = (struct rig *)ctx;
    rf_buf_printf(&rig->seen, "open %.*s at %.*s\n", RF_FMT(open->container),
                  RF_FMT(open->hostname));
    amqp_set_authorized(connection, true);
    if (rf_str_is(open->hostname, "anyone")) amqp_set_authorized(connection, false);
    if (!rf_str_is(open->hostname, "nowhere")) return true;
    *refusal = (struct amqp_error){"amqp:not-found", RF_S("no such namespace")};
    return false;
}

RF_TEST_HELPER void rig_accept(struct rig *rig, struct amqp_link link)
{
    static const char *const capabilities[] = {"offered", NULL};
    struct amqp_terms terms = {.credit = rig->credit,
                               .unsettled_max = rig->unsettled_max,
                               .message_bytes_max = rig->message_bytes_max,
                               .capabilities = capabilities,
                               .idle_usec = 30000000};
    (void)amqp_link_accept(rig->connection, link, &terms, rig);
}

RF_TEST_HELPER void rig_on_attach(void *ctx, struct amqp_connection *connection,
                                  struct amqp_link link, const struct amqp_attach *attach)
{
    struct rig *rig = (struct rig *)ctx;
    rf_buf_printf(&rig->seen, "attach %.*s %s %.*s\n", RF_FMT(attach->name),
                  attach->is_sender ? "from" : "to",
                  RF_FMT(attach->is_sender ? attach->source : attach->target));
    rig->last_link = link;
    if (rig->refuses)
        amqp_link_refuse(connection, link,
                         &(struct amqp_error){"amqp:not-found", RF_S("no such node")});
    else if (!rig->accepts_late)
        rig_accept(rig, link);
}

RF_TEST_HELPER void rig_on_message(void *ctx, struct amqp_connection *connection, void *user,
                                   struct amqp_delivery delivery, uint32_t format, rf_str message,
                                   bool settled)
{
    struct rig *rig = (struct rig *)ctx;
    (void)user;
    rig->message_count++;
    rf_buf_printf(&rig->seen, "message %u format %x %zu bytes%s\n", delivery.id, format,
                  message.len, settled ? " settled" : "");
    rig->last_delivery = delivery;
    if (!settled && !rig->settles_late) amqp_delivery_accept(connection, delivery);
}

RF_TEST_HELPER void rig_on_credit(void *ctx, struct amqp_connection *connection, void *user,
                                  struct amqp_link link, uint32_t credit, bool drain)
{
    struct rig *rig = (struct rig *)ctx;
    (void)user;
    rf_buf_printf(&rig->seen, "credit %u%s\n", credit, drain ? " drain" : "");
    while (rig->sends && amqp_send(connection, link, 0, RF_S("hello")) == AMQP_SENT)
        rig->send_count++;
    if (drain) amqp_drained(connection, link);
}

RF_TEST_HELPER void rig_on_detach(void *ctx, struct amqp_connection *connection, void *user,
                                  struct amqp_link link, enum amqp_ended why)
{
    static const char *const names[] = {"peer", "server", "stolen", "lost"};
    struct rig *rig = (struct rig *)ctx;
    (void)connection;
    (void)link;
    rf_buf_printf(&rig->seen, "detach by %s%s\n", names[why], user == NULL ? " unanswered" : "");
}

RF_TEST_HELPER void rig_on_link_idle(void *ctx, struct amqp_connection *connection, void *user,
                                     struct amqp_link link)
{
    struct rig *rig = (struct rig *)ctx;
    (void)user;
    rf_buf_printf(&rig->seen, "idle\n");
    amqp_detach(connection, link,
                &(struct amqp_error){"amqp:link:detach-forced", RF_S("idle for too long")});
}

RF_TEST_HELPER void rig_init(struct rig *rig)
{
    static const struct amqp_handlers handlers = {.on_sasl = rig_on_sasl,
                                                  .on_open = rig_on_open,
                                                  .on_attach = rig_on_attach,
                                                  .on_message = rig_on_message,
                                                  .on_credit = rig_on_credit,
                                                  .on_detach = rig_on_detach,
                                                  .on_link_idle = rig_on_link_idle};
    struct amqp_options options = {.container = RF_S("server"),
                                   .mechanisms = rig_mechanisms,
                                   .mechanism_count = RF_COUNT(rig_mechanisms),
                                   .handlers = &handlers,
                                   .ctx = rig};
    memset(rig, 0, sizeof *rig);
    rf_arena_init(&rig->arena, 256u << 20);
    rig->in = rf_buf_in(&rig->arena);
    rig->seen = rf_buf_in(&rig->arena);
    rig->credit = 10;
    rig->now = 1000000;
    rig->connection = amqp_new(&options, rig->now);
    cr_assert(rig->connection != NULL);
}

RF_TEST_HELPER void rig_done(struct rig *rig)
{
    amqp_free(rig->connection);
    rf_arena_done(&rig->arena);
}

/* ---- the peer --------------------------------------------------------------------------------------------------------- */

/* Hands over what the peer wrote. */
RF_TEST_HELPER void rig_feed(struct rig *rig)
{
    size_t at = 0, shown = 0;
    while (shown < rig->in.len) {
        size_t more = rig->cut == 0 ? rig->in.len - shown : RF_MIN(rig->cut, rig->in.len - shown);
        shown += more;
        at += amqp_feed(rig->connection, rf_str_make(rig->in.ptr + at, shown - at), rig->now);
    }
    if (at > 0) memmove(rig->in.ptr, rig->in.ptr + at, rig->in.len - at);
    rig->in.len -= at;
}

RF_TEST_HELPER void rig_raw(struct rig *rig, const void *bytes, size_t len)
{
    rf_buf_put(&rig->in, bytes, len);
    rig_feed(rig);
}

/* Writes a frame: `format` has a letter for each field: - null, b bool, u uint, h ushort, B ubyte, U ulong, s string, y symbol,
 * t binary of four bytes, x encoded (rf_str), [ n ] a list of n fields, @ descriptor. p behind the fields: payload (rf_str). */
RF_TEST_HELPER void rig_vwrite(struct rig *rig, enum frame_type type, uint16_t channel,
                               uint64_t code, const char *format, va_list args)
{
    struct rf_buf *buf = &rig->in;
    size_t frame = frame_begin(buf, type, channel), starts[8];
    uint32_t counts[8] = {0}, depth = 0;
    uint8_t tag[4];
    amqp_put_descriptor(buf, code);
    starts[0] = amqp_put_begin(buf);
    rf_str payload = {NULL, 0};
    for (; *format != '\0'; format++) {
        if (*format == 'p') {
            payload = va_arg(args, rf_str);
            continue;
        }
        if (*format == ']') {
            amqp_put_end(buf, starts[depth], AMQP_LIST, counts[depth]);
            depth--;
            continue;
        }
        if (*format == '@') {
            amqp_put_descriptor(buf, va_arg(args, unsigned));
            continue;
        }
        counts[depth]++;
        switch (*format) {
        case '-':
            amqp_put_null(buf);
            break;
        case 'b':
            amqp_put_bool(buf, va_arg(args, int) != 0);
            break;
        case 'u':
            amqp_put_uint(buf, va_arg(args, unsigned));
            break;
        case 'h':
            amqp_put_ushort(buf, (uint16_t)va_arg(args, int));
            break;
        case 'B':
            amqp_put_ubyte(buf, (uint8_t)va_arg(args, int));
            break;
        case 'U':
            amqp_put_ulong(buf, va_arg(args, uint64_t));
            break;
        case 's':
            amqp_put_string(buf, rf_str_of(va_arg(args, const char *)));
            break;
        case 'y':
            amqp_put_symbol(buf, rf_str_of(va_arg(args, const char *)));
            break;
        case 'x':
            rf_buf_str(buf, va_arg(args, rf_str));
            break;
        case 't':
            amqp_set_u32(tag, va_arg(args, unsigned));
            amqp_put_binary(buf, rf_str_make(tag, 4));
            break;
        case '[':
            depth++;
            counts[depth] = 0;
            starts[depth] = amqp_put_begin(buf);
            break;
        default:
            cr_assert(false);
        }
    }
    amqp_put_end(buf, starts[0], AMQP_LIST, counts[0]);
    rf_buf_str(buf, payload);
    (void)frame_end(buf, frame);
}

RF_TEST_HELPER void rig_write(struct rig *rig, uint16_t channel, uint64_t code, const char *format,
                              ...)
{
    va_list args;
    va_start(args, format);
    rig_vwrite(rig, FRAME_AMQP_TYPE, channel, code, format, args);
    va_end(args);
}

RF_TEST_HELPER void rig_sasl(struct rig *rig, uint64_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rig_vwrite(rig, FRAME_SASL_TYPE, 0, code, format, args);
    va_end(args);
    rig_feed(rig);
}

RF_TEST_HELPER const char *rig_name(uint64_t code)
{
    static const char *const names[] = {"open",        "begin",  "attach", "flow", "transfer",
                                        "disposition", "detach", "end",    "close"};
    static const char *const sasl[] = {"mechanisms", "init", "challenge", "response", "outcome"};
    if (code >= PERF_OPEN && code <= PERF_CLOSE) return names[code - PERF_OPEN];
    if (code >= PERF_SASL_MECHANISMS && code <= PERF_SASL_OUTCOME)
        return sasl[code - PERF_SASL_MECHANISMS];
    return "?";
}

/* What the server has said since, a line for each frame: "CHANNEL name[fields] payload-bytes". */
RF_TEST_HELPER const char *rig_out(struct rig *rig)
{
    struct rf_buf out = rf_buf_in(&rig->arena);
    rf_str bytes;
    while ((bytes = amqp_output(rig->connection)).len > 0) {
        struct frame frame;
        size_t taken = 8;
        if (bytes.ptr[0] == 'A') {
            rf_buf_printf(&out, "AMQP %d\n", bytes.ptr[4]);
        } else {
            struct amqp_value described, fields;
            cr_assert(frame_read(bytes, SIZE_MAX, &frame) == FRAME_WHOLE);
            taken = frame.bytes;
            rf_str body = frame.body;
            if (body.len == 0) {
                rf_buf_printf(&out, "heartbeat\n");
            } else {
                cr_assert(amqp_read(&body, &described) && amqp_check(described.whole));
                cr_assert(amqp_inner(&described, &fields));
                rf_buf_printf(&out, "%d %s", frame.channel, rig_name(amqp_descriptor(&described)));
                rig_show(&out, &fields, 8);
                if (body.len > 0) rf_buf_printf(&out, " %zu", body.len);
                rf_buf_byte(&out, '\n');
            }
        }
        amqp_taken(rig->connection, taken, rig->now);
    }
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

RF_TEST_HELPER const char *rig_seen(struct rig *rig)
{
    rf_buf_byte(&rig->seen, 0);
    const char *text = (const char *)rig->seen.ptr;
    rig->seen = rf_buf_in(&rig->arena);
    return text;
}

#define rig_expect(got, ...)                                                                       \
    do {                                                                                           \
        const char *rig_got = (got);                                                               \
        cr_assert(strcmp(rig_got, (__VA_ARGS__)) == 0, "got:\n%s\nexpected:\n%s", rig_got,         \
                  (__VA_ARGS__));                                                                  \
    } while (0)

/* Headers, SASL ANONYMOUS, open, one session on channel 0; nothing of it is left to be read. */
RF_TEST_HELPER void rig_open(struct rig *rig, uint32_t frame_bytes_max, uint32_t window)
{
    rig_raw(rig, "AMQP\3\1\0\0", 8);
    rig_sasl(rig, PERF_SASL_INIT, "y", "ANONYMOUS");
    rig_raw(rig, "AMQP\0\1\0\0", 8);
    rig_write(rig, 0, PERF_OPEN, "ssu", "peer", "host", frame_bytes_max);
    rig_write(rig, 0, PERF_BEGIN, "-uuuu", 0u, window, 2048u, 255u);
    rig_feed(rig);
    (void)rig_out(rig);
    (void)rig_seen(rig);
}

/* A link of the peer: `receives`: to the peer. Credit of the server is 10 then. */
RF_TEST_HELPER void rig_attach(struct rig *rig, const char *name, uint32_t handle, bool receives)
{
    rig_write(rig, 0, PERF_ATTACH, "subBB@[s]@[s]--u", name, handle, (int)receives, 2, 0,
              (unsigned)PERF_SOURCE, "here", (unsigned)PERF_TARGET, "there", 0u);
    rig_feed(rig);
}

#endif
