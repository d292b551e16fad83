#include <stdlib.h>

#include "kafka/kafka_int.h"

enum { EAGER_BYTES = 2 << 20 }; /* larger requests get memory as their bytes come */

/* ---- its life ------------------------------------------------------------------------------------------------------------- */

void kafka_conn_unref(struct kafka_conn *conn)
{
    if (atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) != 1) return;
    struct kafka *kafka = conn->kafka;
    kafka_login_unref(conn->login);
    kafka_device_forget(conn);
    stream_mailbox_unref(conn->mailbox);
    if (conn->host.ptr != kafka->host.ptr) free((void *)(uintptr_t)conn->host.ptr);
    free(conn);
    pthread_mutex_lock(&kafka->lock);
    if (--kafka->conn_count == 0) pthread_cond_broadcast(&kafka->changed);
    pthread_mutex_unlock(&kafka->lock);
}

void kafka_call_unref(struct kafka_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1) return;
    struct kafka_conn *conn = call->conn;
    if (call->drop != NULL) call->drop(call);
    kafka_login_unref(call->granted);
    rf_budget_give(&call->kafka->memory, call->cap);
    kafka_login_unref(call->login);
    rf_arena_done(&call->arena);
    free(call->splices);
    free(call->bytes);
    free(call);
    kafka_conn_unref(conn);
}

void kafka_call_ref(struct kafka_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

bool kafka_call_room(struct kafka_call *call, size_t bytes)
{
    if (bytes <= call->cap) return true;
    if (!rf_budget_take(&call->kafka->memory, bytes - call->cap)) return false;
    uint8_t *grown = realloc(call->bytes, bytes);
    if (grown == NULL) {
        rf_budget_give(&call->kafka->memory, bytes - call->cap);
        return false;
    }
    call->bytes = grown;
    call->cap = bytes;
    return true;
}

struct kafka_call *kafka_call_new(struct kafka_conn *conn, size_t len)
{
    struct kafka_call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    atomic_init(&call->refs, 1);
    atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
    call->conn = conn;
    call->kafka = conn->kafka;
    call->len = len;
    rf_arena_init_shared(&call->arena, &conn->kafka->memory);
    if (kafka_call_room(call, RF_MIN(len, (size_t)EAGER_BYTES))) return call;
    kafka_call_unref(call);
    return NULL;
}

size_t kafka_call_out_bytes(const struct kafka_call *call)
{
    size_t bytes = call->out.len;
    for (uint32_t i = 0; i < call->splice_count; i++) bytes += call->splices[i].bytes.len;
    return bytes;
}

void kafka_call_splice(struct kafka_call *call, rf_str bytes)
{
    if (bytes.len == 0 || call->out.failed) return;
    if (call->splice_count == call->splice_cap) {
        uint32_t cap = call->splice_cap * 2 + 8;
        struct kafka_splice *grown = realloc(call->splices, cap * sizeof *grown);
        if (grown == NULL) {
            call->out.failed = true;
            return;
        }
        call->splices = grown;
        call->splice_cap = cap;
    }
    call->splices[call->splice_count++] =
        (struct kafka_splice){.at = call->out.len, .bytes = bytes};
}

/* The head of the answer; its length is set when it is sent. */
void kafka_call_rewind(struct kafka_call *call)
{
    call->out = call->out.ptr == NULL ? rf_buf_in(&call->arena) : call->out;
    call->out.len = 0;
    call->splice_count = 0;
    kafka_put_i32(&call->out, 0);
    if (call->api != NULL) kafka_put_i32(&call->out, call->correlation_id);
}

/* ---- sending it ------------------------------------------------------------------------------------------------------ */

/* What of the answer comes next; empty: it is all sent. */
static rf_str next_piece(const struct kafka_call *call)
{
    size_t end = call->out.len;
    if (call->splice_at < call->splice_count) {
        const struct kafka_splice *splice = &call->splices[call->splice_at];
        if (splice->at == call->sent)
            return rf_slice(splice->bytes, call->splice_sent, splice->bytes.len);
        end = splice->at;
    }
    return rf_slice(rf_buf_view(&call->out), call->sent, end);
}

static void piece_sent(struct kafka_call *call, size_t bytes)
{
    if (call->splice_at < call->splice_count && call->splices[call->splice_at].at == call->sent) {
        call->splice_sent += bytes;
        if (call->splice_sent < call->splices[call->splice_at].bytes.len) return;
        call->splice_at++;
        call->splice_sent = 0;
    } else {
        call->sent += bytes;
    }
}

bool kafka_call_send(struct kafka_call *call, struct stream *stream)
{
    for (rf_str piece; (piece = next_piece(call)).len > 0;) {
        size_t bytes = RF_MIN(piece.len, (size_t)KAFKA_OUT_BYTES_MAX);
        if (!stream_send(stream, rf_slice(piece, 0, bytes))) {
            bytes = RF_MIN(stream_room(stream), bytes);
            if (bytes == 0 || !stream_send(stream, rf_slice(piece, 0, bytes))) return false;
        }
        piece_sent(call, bytes);
    }
    return true;
}

bool kafka_call_seal(struct kafka_call *call)
{
    if (call->sent > 0 || call->splice_at > 0 || call->splice_sent > 0) return true;
    size_t bytes = kafka_call_out_bytes(call);
    if (call->out.failed || bytes - KAFKA_LENGTH_BYTES > INT32_MAX) return false;
    kafka_set_i32(&call->out, 0, (int32_t)(bytes - KAFKA_LENGTH_BYTES));
    return true;
}

/* ---- running it ------------------------------------------------------------------------------------------------------ */

bool kafka_call_read_head(struct kafka_call *call)
{
    struct kafka_conn *conn = call->conn;
    call->login = conn->login == NULL ? NULL : kafka_login_ref(conn->login);
    if (conn->sasl == SASL_BARE) return true; /* the whole frame is the token */
    struct kafka_reader in = kafka_reader_of(rf_str_make(call->bytes, call->len));
    int16_t key = kafka_get_i16(&in);
    call->version = kafka_get_i16(&in);
    call->correlation_id = kafka_get_i32(&in);
    call->client_id = kafka_get_nullable(&in);
    call->api = kafka_api(key);
    if (in.bad || call->api == NULL) return false;
    call->is_foreign_version = call->version < call->api->min || call->version > call->api->max;
    if (call->is_foreign_version) return key == KAFKA_API_VERSIONS; /* which knows what to say */
    if (key == KAFKA_API_VERSIONS && call->version >= 3) kafka_skip_tags(&in);
    call->body_at = call->len - in.rest.len;
    if (in.bad) return false;
    if (call->api->before_login) return true;
    if (!hub_namespace_takes_kafka(conn->space)) return false;
    if (call->login == NULL) {
        kafka_device_log_in(conn);
        call->login = conn->login == NULL ? NULL : kafka_login_ref(conn->login);
    }
    if (kafka_device_is(call->login))
        return true; /* what ends with it is told (kafka_device_look) */
    return call->login != NULL && rf_clock_now(conn->kafka->clock) < call->login->grant.expires;
}

enum kafka_outcome kafka_call_run(struct kafka_call *call)
{
    if (call->own == NULL) {
        call->in = kafka_reader_of(
            rf_slice(rf_str_make(call->bytes, call->len), call->body_at, call->len));
        kafka_call_rewind(call);
        kafka_device_look(call);
    }
    return call->api == NULL ? kafka_sasl_bare(call) : call->api->run(call);
}

void kafka_call_wake_at(struct kafka_call *call, rf_usec at,
                        bool (*on_wake)(struct kafka_call *call))
{
    call->wake_at = at;
    call->on_wake = on_wake;
}
