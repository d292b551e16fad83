#include <stdlib.h>

#include "amqp/engine_int.h"

/* The bytes that wait to be sent, and the frames that are made whole before they are put there. */

enum { OUT_BYTES_LEAST = 4 << 10 };

uint8_t *out_reserve(struct amqp_connection *c, size_t bytes)
{
    if (c->state == STATE_OVER && c->is_cut) return NULL;
    if (c->out_cap - c->out_len < bytes && c->out_head > 0) {
        memmove(c->out, c->out + c->out_head, out_bytes(c));
        c->out_len -= c->out_head;
        c->out_head = 0;
    }
    if (c->out_cap - c->out_len < bytes) {
        size_t need = c->out_len + bytes, cap = RF_MAX(c->out_cap, (size_t)OUT_BYTES_LEAST);
        while (cap < need) cap *= 2;
        uint8_t *grown = need > OUT_BYTES_HARD ? NULL : realloc(c->out, cap);
        if (grown == NULL) {
            /* The peer asks and asks, and does not read; or memory is used up. */
            c->state = STATE_OVER;
            c->is_cut = true;
            c->out_head = c->out_len = 0;
            return NULL;
        }
        c->out = grown;
        c->out_cap = cap;
    }
    uint8_t *at = c->out + c->out_len;
    c->out_len += bytes;
    return at;
}

void out_put(struct amqp_connection *c, const void *bytes, size_t len)
{
    uint8_t *at = out_reserve(c, len);
    if (at != NULL) memcpy(at, bytes, len);
}

rf_str amqp_output(const struct amqp_connection *c)
{
    return out_bytes(c) == 0 ? (rf_str){NULL, 0} : rf_str_make(c->out + c->out_head, out_bytes(c));
}

void out_take(struct amqp_connection *c, size_t bytes)
{
    RF_ASSERT(bytes <= out_bytes(c));
    c->out_head += bytes;
    if (out_bytes(c) > 0) return;
    free(c->out); /* a connection that is idle holds no buffer */
    c->out = NULL;
    c->out_head = c->out_len = c->out_cap = 0;
}

/* ---- frames that are not transfers ------------------------------------------------------------------------------------- */

void control_begin(struct control *control, enum frame_type type, uint16_t channel,
                   enum performative code)
{
    rf_arena_init(&control->arena, CONTROL_BYTES_MAX);
    control->buf = rf_buf_in(&control->arena);
    control->frame = frame_begin(&control->buf, type, channel);
    amqp_put_descriptor(&control->buf, code);
    control->list = amqp_put_begin(&control->buf);
}

bool control_end(struct amqp_connection *c, struct control *control, uint32_t count)
{
    amqp_put_end(&control->buf, control->list, AMQP_LIST, count);
    size_t bytes = frame_end(&control->buf, control->frame);
    bool fits = !control->buf.failed && bytes <= c->peer_frame_bytes_max;
    if (fits) out_put(c, control->buf.ptr + control->frame, bytes);
    rf_arena_done(&control->arena);
    return fits;
}

void put_error(const struct amqp_connection *c, struct rf_buf *buf, const struct amqp_error *error)
{
    if (error == NULL || error->condition == NULL) {
        amqp_put_null(buf);
        return;
    }
    /* The least frame of 512 bytes leaves room for a condition and some hundred bytes of text. */
    size_t room = RF_MIN((size_t)AMQP_DESCRIPTION_BYTES_MAX,
                         (size_t)c->peer_frame_bytes_max - FRAME_MIN_MAX + 320);
    rf_str text = error->description;
    if (text.len > room) {
        size_t cut = room;
        while (cut > 0 && (text.ptr[cut] & 0xc0) == 0x80) cut--; /* at a character's border */
        text = rf_slice(text, 0, cut);
    }
    amqp_put_descriptor(buf, PERF_ERROR);
    size_t list = amqp_put_begin(buf);
    amqp_put_symbol(buf, rf_str_of(error->condition));
    amqp_put_string(buf, text);
    amqp_put_end(buf, list, AMQP_LIST, 2);
}
