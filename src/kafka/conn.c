#include <stdlib.h>

#include "base/log.h"
#include "kafka/kafka_int.h"

enum {
    REQUEST_BYTES_MIN = 8,
    LOGIN_SECONDS_MAX = 20,
    RETRY_MS = 10,
    SMALL_BYTES = 4 << 10,
    /* A peer that asks and does not read: with so much to be sent no further call of its begins. */
    ANSWERED_BYTES_MAX = 4 << 20,
};
static const int64_t idle_usec_max = 15 * 60 * RF_USEC_PER_SECOND;

/* ---- when something has to be looked at again --------------------------------------------------------------------- */

static rf_usec sooner(rf_usec a, rf_usec b) { return a == 0 || (b != 0 && b < a) ? b : a; }

static void schedule(struct kafka_conn *conn)
{
    if (conn->stream == NULL) return;
    rf_usec at = conn->retry_at;
    if (conn->login == NULL) at = sooner(at, conn->login_by);
    for (struct kafka_call *call = conn->first; call != NULL; call = call->next)
        if (call->is_later && !call->is_running) at = sooner(at, call->wake_at);
    rf_usec now = rf_clock_elapsed(conn->kafka->clock);
    stream_wake_in(conn->stream, at == 0 ? 0 : at <= now ? 1 : at - now);
}

static void retry_soon(struct kafka_conn *conn)
{
    conn->retry_at = rf_clock_elapsed(conn->kafka->clock) + RETRY_MS * RF_USEC_PER_MS;
}

static void close_conn(struct kafka_conn *conn)
{
    if (conn->is_closing || conn->stream == NULL) return;
    conn->is_closing = true;
    stream_close(conn->stream, 0);
}

/* ---- sending ----------------------------------------------------------------------------------------------------------- */

/* What is behind a call that waits could not be answered in time. */
static void stop_when_idle(struct kafka_conn *conn)
{
    const struct kafka_call *call = conn->first;
    bool waits = call != NULL && !call->is_finished && call->api != NULL && call->api->waits;
    if (conn->is_stopping && (call == NULL || (waits && !call->is_running))) close_conn(conn);
}

/* Sends what is finished, in order. */
static void flush(struct kafka_conn *conn)
{
    struct kafka_call *call;
    while (!conn->is_closing && (call = conn->first) != NULL && call->is_finished) {
        if (!call->is_silent) {
            if (!kafka_call_seal(call)) {
                rf_log(RF_WARN, "kafka.answer_lost", RF_KV_U64("key", (uint64_t)call->api->key));
                close_conn(conn);
                return;
            }
            if (!kafka_call_send(call, conn->stream)) return;
        }
        conn->first = call->next;
        if (conn->first == NULL) conn->last = NULL;
        conn->call_count--;
        conn->answered_bytes -= kafka_call_out_bytes(call);
        bool closes = call->closes;
        kafka_call_unref(call);
        if (closes) close_conn(conn);
    }
    if (conn->is_paused && !conn->is_stopping && conn->call_count < KAFKA_CALLS_MAX / 2 &&
        !conn->is_closing && conn->retry_at == 0) {
        conn->is_paused = false;
        stream_resume(conn->stream);
    }
    stop_when_idle(conn);
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

static void go_on(struct kafka_conn *conn);

static void run_on_worker(struct stream_task *task, const atomic_bool *gone)
{
    struct kafka_call *call =
        (struct kafka_call *)(void *)((uint8_t *)task - offsetof(struct kafka_call, work));
    (void)gone;
    call->may_block = true;
    call->outcome = kafka_call_run(call);
}

static void apply(struct kafka_conn *conn, struct kafka_call *call, enum kafka_outcome outcome);

/* The connection has ended and the call is LATER: whoever it waits for is told, or the promise is kept until it is finished. */
static void abandon(struct kafka_call *call)
{
    if (call->cancel != NULL && call->cancel(call)) kafka_call_unref(call);
}

static void deliver_work(struct stream_task *task, struct stream *stream, void *state)
{
    struct kafka_call *call =
        (struct kafka_call *)(void *)((uint8_t *)task - offsetof(struct kafka_call, work));
    struct kafka_conn *conn = call->conn;
    (void)state;
    if (stream == NULL) {
        if (call->outcome == KAFKA_LATER && !call->is_early)
            abandon(call);
        else
            kafka_call_unref(call);
    } else {
        call->is_running = false;
        apply(conn, call, call->outcome);
        go_on(conn);
    }
    kafka_call_unref(call);
}

static void put_to_work(struct kafka_conn *conn, struct kafka_call *call)
{
    call->work.run = run_on_worker;
    call->work.deliver = deliver_work;
    kafka_call_ref(call);
    call->is_running = true;
    call->is_work_due = false;
    uint64_t who = rf_hash(conn->peer, strlen(conn->peer), 0);
    if (stream_work(conn->stream, &call->work, HTTP_QUICK, who)) return;
    call->is_running = false;
    call->is_work_due = true;
    kafka_call_unref(call);
    retry_soon(conn);
}

/* The call's handler is to run, on the loop first; the promise is made. */
static void run_call(struct kafka_conn *conn, struct kafka_call *call)
{
    call->may_block = false;
    call->is_later = false;
    call->holds = false;
    call->wake_at = 0;
    bool blocks = call->api == NULL || call->api->blocks;
    apply(conn, call, blocks ? KAFKA_ON_WORKER : kafka_call_run(call));
}

static void pass_on(struct kafka_conn *conn, struct kafka_call *call)
{
    if (conn->starting == call) conn->starting = call->next;
}

static void end_call(struct kafka_conn *conn, struct kafka_call *call)
{
    call->is_finished = true;
    conn->answered_bytes += kafka_call_out_bytes(call);
    kafka_call_unref(call); /* the promise; the queue's is left */
    pass_on(conn, call);
}

static void install_login(struct kafka_conn *conn, struct kafka_call *call)
{
    kafka_login_unref(conn->login);
    conn->login = call->granted;
    conn->sasl = SASL_DONE;
    call->granted = NULL;
}

static void apply(struct kafka_conn *conn, struct kafka_call *call, enum kafka_outcome outcome)
{
    if (outcome == KAFKA_DONE && call->granted != NULL) install_login(conn, call);
    switch (outcome) {
    case KAFKA_SILENT:
        call->is_silent = true;
        __attribute__((fallthrough));
    case KAFKA_DONE:
        end_call(conn, call);
        return;
    case KAFKA_LATER:
        if (call->is_early) {
            call->is_early = false;
            if (call->post_resumes) {
                if (!call->holds) pass_on(conn, call);
                put_to_work(conn, call); /* not run here: that could go on for ever */
                return;
            }
            end_call(conn, call);
            return;
        }
        call->is_later = true;
        if (!call->holds) pass_on(conn, call);
        return;
    case KAFKA_ON_WORKER:
        RF_ASSERT(!call->may_block);
        put_to_work(conn, call);
        return;
    case KAFKA_BAD:
        call->is_silent = call->closes = true;
        end_call(conn, call);
        return;
    }
}

static bool may_start(const struct kafka_conn *conn)
{
    return !conn->is_closing && conn->starting != NULL && !conn->starting->is_begun &&
           conn->answered_bytes < ANSWERED_BYTES_MAX;
}

static void start_calls(struct kafka_conn *conn)
{
    while (may_start(conn)) {
        struct kafka_call *call = conn->starting;
        call->is_begun = true;
        kafka_call_ref(call); /* the promise */
        if (kafka_call_read_head(call))
            run_call(conn, call);
        else
            apply(conn, call, KAFKA_BAD);
    }
}

/* Sends make room for further calls, and those have answers to send. */
static void go_on(struct kafka_conn *conn)
{
    do {
        start_calls(conn);
        flush(conn);
    } while (may_start(conn));
    schedule(conn);
}

/* ---- what comes back from other threads -------------------------------------------------------------------------- */

static void deliver_post(struct stream_task *task, struct stream *stream, void *state)
{
    struct kafka_call *call =
        (struct kafka_call *)(void *)((uint8_t *)task - offsetof(struct kafka_call, post));
    struct kafka_conn *conn = call->conn;
    (void)state;
    if (stream == NULL) {
        kafka_call_unref(call);
        return;
    }
    if (call->is_running) {
        call->is_early = true;
        return;
    }
    if (call->post_resumes) {
        run_call(conn, call);
    } else {
        call->is_later = false;
        end_call(conn, call);
    }
    go_on(conn);
}

static void post(struct kafka_call *call, bool resumes)
{
    call->post_resumes = resumes;
    call->post.deliver = deliver_post;
    struct stream_mailbox *mailbox = call->conn->mailbox;
    if (mailbox == NULL || !stream_post(mailbox, &call->post)) kafka_call_unref(call);
}

void kafka_call_finish(struct kafka_call *call) { post(call, false); }
void kafka_call_resume(struct kafka_call *call) { post(call, true); }

/* ---- rights that have changed -------------------------------------------------------------------------------------- */

static void look_at_calls(struct kafka_conn *conn)
{
    for (struct kafka_call *call = conn->first; call != NULL; call = call->next) {
        bool waits = call->is_later && !call->is_running && call->wake_at != 0;
        if (waits && call->api != NULL && call->api->waits && call->on_wake(call))
            run_call(conn, call);
    }
}

static void deliver_look(struct stream_task *task, struct stream *stream, void *state)
{
    struct kafka_conn *conn =
        (struct kafka_conn *)(void *)((uint8_t *)task - offsetof(struct kafka_conn, look));
    (void)state;
    atomic_store(&conn->is_look_due, false);
    if (stream != NULL) {
        /* Who has not logged in yet is told why not when he does. */
        if (conn->login != NULL && !hub_namespace_takes_kafka(conn->space)) close_conn(conn);
        if (!conn->is_closing) look_at_calls(conn);
        go_on(conn);
    }
    kafka_conn_unref(conn);
}

void kafka_access_changed(void *ctx)
{
    struct kafka *kafka = ctx;
    pthread_mutex_lock(&kafka->lock);
    for (struct kafka_conn *conn = kafka->conns; conn != NULL; conn = conn->next) {
        if (atomic_exchange(&conn->is_look_due, true)) continue;
        conn->look.deliver = deliver_look;
        atomic_fetch_add(&conn->refs, 1);
        if (stream_post(conn->mailbox, &conn->look)) continue;
        atomic_store(&conn->is_look_due, false);
        atomic_fetch_sub(&conn->refs, 1); /* not the last: it is in the list */
    }
    pthread_mutex_unlock(&kafka->lock);
}

static void enlist(struct kafka_conn *conn)
{
    struct kafka *kafka = conn->kafka;
    pthread_mutex_lock(&kafka->lock);
    conn->next = kafka->conns;
    if (conn->next != NULL) conn->next->link = &conn->next;
    conn->link = &kafka->conns;
    kafka->conns = conn;
    pthread_mutex_unlock(&kafka->lock);
}

static void delist(struct kafka_conn *conn)
{
    pthread_mutex_lock(&conn->kafka->lock);
    *conn->link = conn->next;
    if (conn->next != NULL) conn->next->link = conn->link;
    pthread_mutex_unlock(&conn->kafka->lock);
}

/* ---- the stream -------------------------------------------------------------------------------------------------------- */

static struct hub_namespace *space_of(struct kafka *kafka, rf_str host)
{
    struct rf_err err;
    struct hub_namespace *space;
    return host.len > 0 && hubs_namespace(kafka->hubs, host, &space, &err) == RF_OK ? space : NULL;
}

/* Peers that asked for another namespace's name are to come back by that name. Names that mean none, such as a gateway's, mean the first. */
static bool find_space(struct kafka_conn *conn, rf_str server_name)
{
    struct kafka *kafka = conn->kafka;
    struct hub_namespace *own = space_of(kafka, kafka->host), *asked = space_of(kafka, server_name);
    if (own == NULL) own = space_of(kafka, RF_S("localhost"));
    conn->host = kafka->host;
    conn->space = asked != NULL ? asked : own;
    if (asked == NULL || asked == own) return conn->space != NULL;
    uint8_t *name = malloc(server_name.len);
    if (name == NULL) return false;
    memcpy(name, server_name.ptr, server_name.len);
    conn->host = rf_str_make(name, server_name.len);
    return true;
}

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    struct kafka *kafka = ctx;
    if (!atomic_load(&kafka->is_started)) return NULL;
    struct kafka_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) return NULL;
    atomic_init(&conn->refs, 1);
    conn->kafka = kafka;
    conn->stream = stream;
    pthread_mutex_lock(&kafka->lock);
    kafka->conn_count++;
    pthread_mutex_unlock(&kafka->lock);
    conn->mailbox = stream_mailbox(stream);
    size_t len = RF_MIN(peer->address.len, sizeof conn->peer - 1);
    memcpy(conn->peer, peer->address.ptr, len);
    if (conn->mailbox == NULL || !find_space(conn, peer->server_name) ||
        !kafka_device_keep(conn, peer->certificate)) {
        kafka_conn_unref(conn);
        return NULL;
    }
    conn->login_by = rf_clock_elapsed(kafka->clock) + LOGIN_SECONDS_MAX * RF_USEC_PER_SECOND;
    enlist(conn);
    schedule(conn);
    return conn;
}

static void pause_reading(struct kafka_conn *conn)
{
    conn->is_paused = true;
    stream_pause(conn->stream);
}

/* A frame begins whose length has come; false: not now, or never. */
static bool begin_frame(struct kafka_conn *conn)
{
    struct kafka_reader in = kafka_reader_of(rf_str_make(conn->head, KAFKA_LENGTH_BYTES));
    int32_t len = kafka_get_i32(&in);
    int32_t max = conn->login == NULL ? KAFKA_UNKNOWN_REQUEST_BYTES_MAX : KAFKA_REQUEST_BYTES_MAX;
    if (len < REQUEST_BYTES_MIN || len > max) {
        close_conn(conn);
        return false;
    }
    conn->incoming = kafka_call_new(conn, (size_t)len);
    conn->incoming_bytes = 0;
    if (conn->incoming != NULL) return true;
    pause_reading(conn);
    retry_soon(conn);
    return false;
}

static void enqueue(struct kafka_conn *conn, struct kafka_call *call)
{
    if (conn->last == NULL)
        conn->first = call;
    else
        conn->last->next = call;
    conn->last = call;
    if (conn->starting == NULL) conn->starting = call;
    conn->call_count++;
}

/* Takes bytes of the frame that comes; 0: there is no memory for them now. */
static size_t take_body(struct kafka_conn *conn, rf_str bytes)
{
    struct kafka_call *call = conn->incoming;
    size_t count = RF_MIN(bytes.len, call->len - conn->incoming_bytes);
    if (conn->incoming_bytes + count > call->cap) {
        size_t cap = RF_MAX(call->cap * 2, conn->incoming_bytes + count);
        if (!kafka_call_room(call, RF_MIN(cap, call->len))) {
            pause_reading(conn);
            retry_soon(conn);
            return 0;
        }
    }
    memcpy(call->bytes + conn->incoming_bytes, bytes.ptr, count);
    conn->incoming_bytes += count;
    if (conn->incoming_bytes < call->len) return count;
    conn->incoming = NULL;
    conn->head_bytes = 0;
    enqueue(conn, call);
    return count;
}

static size_t on_bytes(struct stream *stream, void *state, rf_str bytes, bool is_end)
{
    struct kafka_conn *conn = state;
    size_t at = 0;
    (void)is_end;
    /* librdkafka writes a small request in several TLS records, and waits for the first to be confirmed. */
    if (bytes.len < SMALL_BYTES) stream_ack(stream);
    while (at < bytes.len && !conn->is_paused && !conn->is_closing) {
        if (conn->incoming != NULL) {
            at += take_body(conn, rf_slice(bytes, at, bytes.len));
        } else if (conn->head_bytes < KAFKA_LENGTH_BYTES) {
            conn->head[conn->head_bytes++] = bytes.ptr[at++];
        }
        if (conn->incoming == NULL && conn->call_count >= KAFKA_CALLS_MAX) {
            pause_reading(conn);
        } else if (conn->incoming == NULL && conn->head_bytes == KAFKA_LENGTH_BYTES) {
            start_calls(conn); /* what came before says how long it may be */
            if (!begin_frame(conn)) break;
        }
    }
    go_on(conn);
    return conn->is_closing ? bytes.len : at;
}

static void on_writable(struct stream *stream, void *state)
{
    (void)stream;
    go_on(state);
}

static void retry(struct kafka_conn *conn)
{
    conn->retry_at = 0;
    for (struct kafka_call *call = conn->first; call != NULL; call = call->next)
        if (call->is_work_due) put_to_work(conn, call);
    if (!conn->is_paused || conn->is_stopping || conn->call_count >= KAFKA_CALLS_MAX) return;
    conn->is_paused = false;
    stream_resume(conn->stream);
}

static void wake_calls(struct kafka_conn *conn, rf_usec now)
{
    for (struct kafka_call *call = conn->first; call != NULL; call = call->next) {
        if (!call->is_later || call->is_running || call->wake_at == 0 || call->wake_at > now)
            continue;
        call->wake_at = 0;
        if (call->on_wake(call)) run_call(conn, call);
    }
}

static void on_wake(struct stream *stream, void *state)
{
    struct kafka_conn *conn = state;
    rf_usec now = rf_clock_elapsed(conn->kafka->clock);
    (void)stream;
    if (conn->login == NULL && now >= conn->login_by) {
        close_conn(conn);
        return;
    }
    if (conn->retry_at != 0 && conn->retry_at <= now) retry(conn);
    wake_calls(conn, now);
    go_on(conn);
}

static void on_stop(struct stream *stream, void *state)
{
    struct kafka_conn *conn = state;
    (void)stream;
    conn->is_stopping = true;
    if (!conn->is_paused) pause_reading(conn);
    for (struct kafka_call *call = conn->first; call != NULL; call = call->next) {
        if (!call->is_later || call->is_running || call->wake_at == 0) continue;
        call->hurries = true;
        if (call->on_wake(call)) run_call(conn, call);
    }
    flush(conn);
}

static void on_close(void *state, enum stream_end why, uint16_t code)
{
    struct kafka_conn *conn = state;
    (void)why;
    (void)code;
    delist(conn);
    conn->stream = NULL;
    atomic_store(&conn->is_gone, true);
    while (conn->first != NULL) {
        struct kafka_call *call = conn->first;
        conn->first = call->next;
        if (call->is_later && !call->is_running) abandon(call);
        if (call->is_work_due) kafka_call_unref(call); /* of no worker: its promise */
        kafka_call_unref(call);
    }
    conn->last = conn->starting = NULL;
    if (conn->incoming != NULL) kafka_call_unref(conn->incoming);
    conn->incoming = NULL;
    kafka_conn_unref(conn);
}

const struct stream_handlers *kafka_stream_handlers(void)
{
    static const struct stream_handlers handlers = {.on_open = on_open,
                                                    .on_bytes = on_bytes,
                                                    .on_writable = on_writable,
                                                    .on_wake = on_wake,
                                                    .on_stop = on_stop,
                                                    .on_close = on_close,
                                                    .in_bytes_max = 256 << 10,
                                                    .out_bytes_max = KAFKA_OUT_BYTES_MAX,
                                                    .idle_usec_max = idle_usec_max};
    return &handlers;
}
