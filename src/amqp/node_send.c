/* node_send.c - links by which events come (contract, section 4). What one read of the socket brought for one partition becomes one
 * append; outcomes are told when it is safe. */
#include <stdlib.h>

#include "amqp/nodes_int.h"

enum { GATHERED_BYTES = 768 << 10, GATHERED_MAX = 4096, BUSY_NSEC = 3000000 };

struct waiting { /* a message whose outcome is awaited */
    struct amqp_delivery delivery;
    bool is_settled;
};

/* An append of a peer: gathered, under way, or finished. */
struct appending {
    struct hub_append append;
    struct appending *next;
    struct peer *peer;
    struct hub *hub; /* a reference */
    uint32_t partition;
    struct rf_arena arena;
    struct rf_buf buf;
    struct batch_builder batch;
    struct waiting *waiting;
    uint32_t waiting_count, waiting_cap;
    struct batch_producer producer; /* of its first event; id -1: none */
};

static void appending_free(struct appending *a)
{
    hub_unref(a->hub);
    rf_arena_done(&a->arena);
    free(a->waiting);
    free(a);
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

static void reject(struct peer *peer, struct amqp_delivery delivery, const struct node_link *link,
                   const struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct amqp_error error = node_error(link, peer, err, &arena);
    amqp_delivery_reject(peer->connection, delivery, &error);
}

static void tell(struct peer *peer, const struct appending *a)
{
    for (uint32_t i = 0; i < a->waiting_count; i++) {
        const struct waiting *w = &a->waiting[i];
        if (w->is_settled) continue;
        if (a->append.kind_of_end == RF_OK)
            amqp_delivery_accept(peer->connection, w->delivery);
        else
            reject(peer, w->delivery, NULL, &a->append.err);
    }
}

static void on_done(struct hub_append *append)
{
    struct appending *a = (struct appending *)append;
    struct peer *peer = a->peer;
    pthread_mutex_lock(&peer->lock);
    a->next = peer->finished;
    peer->finished = a;
    pthread_mutex_unlock(&peer->lock);
    peer_wake(peer);
    peer_unref(peer); /* the one of submit */
}

/* ---- into the hub ----------------------------------------------------------------------------------------------- */

static enum rf_kind try_append(struct appending *a)
{
    struct rf_err err;
    (void)peer_ref(a->peer);
    enum rf_kind kind = hub_append(a->hub, a->partition, &a->append, &err);
    if (kind == RF_OK) {
        a->peer->appends++;
        return RF_OK;
    }
    peer_unref(a->peer);
    a->append.kind_of_end = kind;
    a->append.err = err;
    return kind;
}

struct nap { /* a moment's wait when no append of ours is under way that would tell */
    struct stream_task task;
    struct peer *peer;
};

static void nap_run(struct stream_task *task, const atomic_bool *gone)
{
    (void)task, (void)gone;
    (void)nanosleep(&(struct timespec){.tv_nsec = BUSY_NSEC}, NULL);
}

static void nap_back(struct stream_task *task, struct stream *stream, void *state)
{
    struct nap *nap = (struct nap *)task;
    (void)state;
    if (stream != NULL && nap->peer->stream != NULL) {
        nap->peer->busy_sleeps = false;
        send_finished(nap->peer);
        amqp_push(nap->peer->connection);
    }
    peer_unref(nap->peer);
    free(nap);
}

static void sleep_a_moment(struct peer *peer)
{
    if (peer->appends > 0 || peer->busy_sleeps) return;
    struct nap *nap = calloc(1, sizeof *nap);
    if (nap == NULL) return;
    nap->task.run = nap_run;
    nap->task.deliver = nap_back;
    nap->peer = peer_ref(peer);
    peer->busy_sleeps = true;
    if (stream_work(peer->stream, &nap->task, HTTP_QUICK, (uint64_t)(uintptr_t)peer)) return;
    peer->busy_sleeps = false;
    peer_unref(peer);
    free(nap);
}

/* In their order: while one waits that the hub had no room for, those behind it wait too. Credit runs out meanwhile, which holds up
 * the peer. */
static void push_on(struct peer *peer)
{
    while (peer->busy_first != NULL) {
        struct appending *a = peer->busy_first,
                         *next = a->next; /* the hub may be done with `a` at once */
        enum rf_kind kind = try_append(a);
        if (kind == RF_AGAIN) {
            sleep_a_moment(peer);
            return;
        }
        peer->busy_first = next;
        if (peer->busy_first == NULL) peer->busy_last = NULL;
        if (kind == RF_OK) continue;
        tell(peer, a);
        appending_free(a);
    }
}

void send_finished(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    struct appending *list = peer->finished, *ordered = NULL;
    peer->finished = NULL;
    pthread_mutex_unlock(&peer->lock);
    while (list != NULL) { /* newest first: turned round */
        struct appending *next = list->next;
        list->next = ordered;
        ordered = list;
        list = next;
    }
    while (ordered != NULL) {
        struct appending *next = ordered->next;
        peer->appends--;
        tell(peer, ordered);
        appending_free(ordered);
        ordered = next;
    }
    push_on(peer);
}

void send_drop(struct peer *peer)
{
    for (struct appending *a = peer->finished, *next; a != NULL; a = next) {
        next = a->next;
        appending_free(a);
    }
    for (struct appending *a = peer->busy_first, *next; a != NULL; a = next) {
        next = a->next;
        appending_free(a);
    }
}

void send_submit(struct node_link *link)
{
    struct appending *a = link->gathering;
    struct peer *peer = link->peer;
    struct rf_err err = {0};
    if (a == NULL) return;
    link->gathering = NULL;
    bool has_producer = a->producer.id >= 0;
    enum rf_kind kind = batch_end(&a->batch, CODEC_NONE, has_producer ? &a->producer : NULL, &err);
    if (kind != RF_OK) {
        a->append.kind_of_end = kind;
        a->append.err = err;
        tell(peer, a);
        appending_free(a);
        return;
    }
    a->append.batch = a->buf.ptr;
    a->append.len = a->buf.len;
    a->append.count = a->batch.count;
    a->append.kind = FRAME_AMQP;
    a->append.producer = a->producer;
    a->append.done = on_done;
    a->next = NULL;
    if (peer->busy_last != NULL)
        peer->busy_last->next = a;
    else
        peer->busy_first = a;
    peer->busy_last = a;
    push_on(peer);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static bool note_waiting(struct appending *a, struct amqp_delivery delivery, bool settled)
{
    if (a->waiting_count == a->waiting_cap) {
        uint32_t cap = a->waiting_cap == 0 ? 16 : a->waiting_cap * 2;
        struct waiting *more = realloc(a->waiting, cap * sizeof *more);
        if (more == NULL) return false;
        a->waiting = more;
        a->waiting_cap = cap;
    }
    a->waiting[a->waiting_count++] = (struct waiting){delivery, settled};
    return true;
}

static struct appending *appending_new(struct node_link *link, uint32_t partition)
{
    struct appending *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    rf_arena_init(&a->arena, 16 << 20);
    a->buf = rf_buf_in(&a->arena);
    a->peer = link->peer;
    a->hub = hub_ref(link->hub);
    a->partition = partition;
    a->producer = (struct batch_producer){-1, -1, -1};
    batch_begin(&a->batch, &a->buf);
    return a;
}

/* What is gathered for the partition; what is gathered for another is sent off first. */
static struct appending *gather(struct node_link *link, uint32_t partition, size_t bytes)
{
    struct appending *a = link->gathering;
    if (a != NULL && (a->partition != partition || a->buf.len + bytes > GATHERED_BYTES ||
                      a->waiting_count >= GATHERED_MAX || link->is_idempotent))
        send_submit(link);
    if (link->gathering == NULL) link->gathering = appending_new(link, partition);
    return link->gathering;
}

struct arrived { /* the events of one message */
    struct event_in *events;
    uint32_t count;
    rf_str key; /* of the envelope, or of the first event that has one */
};

static enum rf_kind take_apart(uint32_t format, rf_str message, struct rf_arena *arena,
                               struct arrived *out, struct rf_err *err)
{
    struct event_list list = {.messages = &message, .count = 1};
    if (format == EVENT_BATCH_FORMAT)
        RF_TRY(event_read_batch(message, arena, &list, err));
    else if (format != 0)
        return RF_FAIL(err, RF_INVALID, "amqp:not-implemented",
                       "the message format %u is not known", format);
    if (list.count == 0)
        return RF_FAIL(err, RF_INVALID, "amqp:decode-error", "the batch holds no event");
    *out = (struct arrived){.events = rf_arena_new(arena, struct event_in, list.count),
                            .count = list.count,
                            .key = list.partition_key};
    if (out->events == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        RF_TRY(event_read_amqp(list.messages[i], arena, &out->events[i], err));
        if (out->key.len == 0) out->key = out->events[i].partition_key;
    }
    return RF_OK;
}

static uint32_t partition_for(const struct node_link *link, const struct arrived *arrived)
{
    struct hub_facts facts;
    if (link->partition != UINT32_MAX) return link->partition;
    rf_str key = arrived->key.len > 0 ? arrived->key : link->publisher;
    hub_facts(link->hub, &facts);
    if (key.len > 0) return partition_of_key(key, facts.partition_count);
    /* What one read of the socket brought goes to one partition, the next read to the next one. */
    return link->gathering != NULL ? link->gathering->partition : hub_next_partition(link->hub);
}

static enum rf_kind take(struct node_link *link, struct amqp_delivery delivery, uint32_t format,
                         rf_str message, bool settled, struct rf_arena *arena, struct rf_err *err)
{
    struct arrived arrived;
    RF_TRY(take_apart(format, message, arena, &arrived, err));
    uint32_t partition = partition_for(link, &arrived);
    struct appending *a = gather(link, partition, message.len);
    if (a == NULL || !note_waiting(a, delivery, settled))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "memory is used up");
    rf_usec now = rf_clock_now(link->peer->nodes->clock);
    if (link->is_idempotent && arrived.events[0].has_producer)
        a->producer = arrived.events[0].producer;
    for (uint32_t i = 0; i < arrived.count; i++) {
        struct event_in *event = &arrived.events[i];
        if (event->partition_key.len == 0) event->partition_key = arrived.key;
        event_add(&a->batch, now, event, link->publisher);
    }
    return RF_OK;
}

void send_message(struct node_link *link, struct amqp_delivery delivery, uint32_t format,
                  rf_str message, bool settled)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 20);
    if (take(link, delivery, format, message, settled, &arena, &err) == RF_OK || settled) return;
    reject(link->peer, delivery, link, &err);
}

/* ---- attaching -------------------------------------------------------------------------------------------------- */

static const char *const producer_names[] = {"com.microsoft:producer-id",
                                             "com.microsoft:producer-epoch",
                                             "com.microsoft:producer-sequence-number"};

/* All three of the attach's properties, or none; null lets the server choose. */
static enum rf_kind read_producer(struct node_link *link, const struct amqp_value *properties,
                                  struct rf_err *err)
{
    int64_t numbers[3] = {-1, -1, -1};
    uint32_t found = 0, nulls = 0;
    struct amqp_value value;
    for (int i = 0; i < 3 && properties->type == AMQP_MAP; i++) {
        if (!amqp_map_find(properties, rf_str_of(producer_names[i]), &value)) continue;
        found++;
        if (value.type == AMQP_NULL)
            nulls++;
        else if (!amqp_as_i64(&value, &numbers[i]))
            found = 4;
    }
    if ((found != 0 && found != 3) || link->partition == UINT32_MAX)
        return RF_FAIL(err, RF_INVALID, "ArgumentError",
                       "an idempotent link names a partition, and all of producer id, epoch and "
                       "sequence number or none");
    link->producer = (struct batch_producer){numbers[0], (int16_t)numbers[1], (int32_t)numbers[2]};
    if (nulls > 0 || found == 0) link->producer.id = -1;
    return RF_OK;
}

static enum rf_kind settle_producer(struct job *job, struct rf_err *err)
{
    struct node_link *link = job->made;
    struct batch_producer *p = &link->producer;
    if (p->id < 0) {
        RF_TRY(hub_new_producer(job->peer->space, &p->id, err));
        p->epoch = 0;
        p->sequence = -1;
    } else {
        int16_t epoch;
        int32_t sequence;
        RF_TRY(hub_producer_state(link->hub, link->partition, p->id, &epoch, &sequence, err));
        if (epoch > p->epoch)
            return RF_FAIL(err, RF_CONFLICT, "ProducerFenced",
                           "a producer with the epoch %d has taken over", epoch);
        if (epoch == p->epoch && sequence > p->sequence) p->sequence = sequence;
    }
    struct rf_buf map = rf_buf_in(&job->arena);
    size_t start = amqp_put_begin(&map);
    amqp_put_symbol(&map, rf_str_of(producer_names[0]));
    amqp_put_long(&map, p->id);
    amqp_put_symbol(&map, rf_str_of(producer_names[1]));
    amqp_put_short(&map, p->epoch);
    amqp_put_symbol(&map, rf_str_of(producer_names[2]));
    amqp_put_int(&map, p->sequence);
    amqp_put_end(&map, start, AMQP_MAP, 6);
    if (map.failed) return rf_fail_memory(err, &job->arena);
    job->terms.properties = rf_buf_view(&map);
    return RF_OK;
}

static enum rf_kind run_attach(struct job *job, struct rf_err *err)
{
    RF_TRY(node_resolve(job, job->made->address, RIGHT_SEND, err));
    if (job->made->is_idempotent && job->made->partition == UINT32_MAX)
        return RF_FAIL(err, RF_INVALID, "ArgumentError",
                       "an idempotent link must name a partition");
    return job->made->is_idempotent ? settle_producer(job, err) : RF_OK;
}

static void attached(struct job *job)
{
    struct peer *peer = job->peer;
    static const char *const idempotent[] = {"com.microsoft:idempotent-producer", NULL};
    if (job->kind != RF_OK) {
        struct amqp_error error = node_error(job->made, peer, &job->err, &job->arena);
        amqp_link_refuse(peer->connection, job->link, &error);
        return;
    }
    job->terms.message_bytes_max = HUB_BYTES_MAX;
    job->terms.credit = NODE_CREDIT;
    job->terms.unsettled_max = NODE_UNSETTLED_MAX;
    job->terms.idle_usec = SENDER_IDLE_USEC;
    if (job->made->is_idempotent) job->terms.capabilities = idempotent;
    if (!amqp_link_accept(peer->connection, job->link, &job->terms, job->made)) return;
    if (job->made->is_idempotent) owners_take_over(peer->nodes->owners, job->made);
    job->made = NULL;
}

void send_attach(struct peer *peer, struct amqp_link at, const struct amqp_attach *attach)
{
    struct job *job = job_new(peer);
    struct node_link *link = calloc(1, sizeof *link);
    struct rf_err err = {.kind = RF_LIMIT, .code = "MemoryBudgetExceeded"};
    if (job == NULL || link == NULL) goto no_memory;
    *link = (struct node_link){.kind = NODE_SENDER,
                               .peer = peer,
                               .link = at,
                               .partition = UINT32_MAX,
                               .producer = {-1, -1, -1}};
    rf_arena_init(&link->arena, 1 << 16);
    job->made = link;
    job->link = at;
    job->run = run_attach;
    job->done = attached;
    if (!rf_arena_str(&link->arena, attach->target, &link->address) ||
        !rf_arena_str(&link->arena, attach->name, &link->name))
        goto no_memory;
    link->is_idempotent = amqp_attach_desires(attach, "com.microsoft:idempotent-producer");
    if (link->is_idempotent) {
        link->partition = 0; /* the address is looked at on the worker */
        if (read_producer(link, &attach->properties, &err) != RF_OK) goto refuse;
        link->partition = UINT32_MAX;
    }
    job_start(job);
    return;
no_memory:
    (void)RF_FAIL(&err, RF_LIMIT, "MemoryBudgetExceeded", "memory is used up");
refuse : {
    struct amqp_error error = {node_condition(&err), rf_str_of(err.text)};
    amqp_link_refuse(peer->connection, at, &error);
    if (job == NULL || job->made == NULL) node_link_free(link);
    job_free(job);
}
}
