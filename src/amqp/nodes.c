#include "amqp/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "amqp/nodes_int.h"
#include "base/encode.h"

/* ---- peers ------------------------------------------------------------------------------------------------------ */

struct peer *peer_ref(struct peer *peer)
{
    atomic_fetch_add(&peer->refs, 1);
    return peer;
}

void peer_unref(struct peer *peer)
{
    struct amqp_nodes *nodes = peer->nodes;
    if (atomic_fetch_sub(&peer->refs, 1) != 1) return;
    send_drop(peer);
    for (uint32_t i = 0; i < peer->proof_count; i++) proof_free(peer->proofs[i]);
    stream_mailbox_unref(peer->mailbox);
    pthread_mutex_destroy(&peer->lock);
    free((void *)(uintptr_t)peer->certificate.ptr);
    free(peer);
    pthread_mutex_lock(&nodes->lock);
    nodes->peer_count--;
    pthread_cond_broadcast(&nodes->idle);
    pthread_mutex_unlock(&nodes->lock);
}

/* On the loop: everything that others left. */
static void look_around(struct peer *peer)
{
    struct amqp_link at = {0};
    uint64_t version = hubs_version(peer->nodes->hubs);
    send_finished(peer);
    peer->version = version;
    access_look(peer);
    while (amqp_link_next(peer->connection, &at)) {
        struct node_link *link = amqp_link_user(peer->connection, at);
        if (link == NULL || link->kind != NODE_RECEIVER) continue;
        if (!atomic_exchange(&link->is_woken, false)) continue;
        link->waits = false;
        receive_pump(link);
    }
    amqp_push(peer->connection);
}

static void woken(struct stream_task *task, struct stream *stream, void *state)
{
    struct peer *peer = (struct peer *)((uint8_t *)task - offsetof(struct peer, wake));
    (void)state;
    atomic_store(&peer->is_posted, false);
    if (stream != NULL && peer->stream != NULL) look_around(peer);
    peer_unref(peer);
}

void peer_wake(struct peer *peer)
{
    if (atomic_exchange(&peer->is_posted, true)) return;
    peer->wake.deliver = woken;
    (void)peer_ref(peer);
    if (stream_post(peer->mailbox, &peer->wake)) return;
    atomic_store(&peer->is_posted, false);
    peer_unref(peer);
}

void node_link_free(struct node_link *link)
{
    if (link == NULL) return;
    request_drop(link);
    hub_unref(link->hub);
    rf_arena_done(&link->message_arena);
    rf_arena_done(&link->frames_arena);
    rf_arena_done(&link->arena);
    free(link);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

void job_free(struct job *job)
{
    if (job == NULL) return;
    if (job->drop != NULL) job->drop(job);
    node_link_free(job->made);
    rf_arena_done(&job->arena);
    peer_unref(job->peer);
    free(job);
}

static void job_run(struct stream_task *task, const atomic_bool *gone)
{
    struct job *job = (struct job *)task;
    (void)gone;
    job->kind = job->run(job, &job->err);
}

static void job_back(struct stream_task *task, struct stream *stream, void *state)
{
    struct job *job = (struct job *)task;
    (void)state;
    if (stream != NULL && job->peer->stream != NULL) {
        job->done(job);
        amqp_push(job->peer->connection);
    }
    job_free(job);
}

struct job *job_new(struct peer *peer)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) return NULL;
    rf_arena_init(&job->arena, JOB_BYTES_MAX);
    job->peer = peer_ref(peer);
    job->task.run = job_run;
    job->task.deliver = job_back;
    return job;
}

void job_start(struct job *job)
{
    struct peer *peer = job->peer;
    if (stream_work(peer->stream, &job->task, HTTP_QUICK, (uint64_t)(uintptr_t)peer)) return;
    job->kind = job->run(job, &job->err);
    job->done(job);
    job_free(job);
}

/* ---- the engine's handlers -------------------------------------------------------------------------------------- */

static void on_sasl_key_done(struct job *job)
{
    if (job->kind == RF_OK) {
        amqp_set_authorized(job->peer->connection, true);
        amqp_sasl_ok(job->peer->connection);
    } else {
        amqp_sasl_fail(job->peer->connection);
    }
}

static bool decode_percent(rf_str text, struct rf_arena *arena, rf_str *out)
{
    struct rf_err ignored;
    return percent_decode(arena, text, false, out, &ignored) == RF_OK;
}

static enum rf_kind run_sasl(struct job *job, struct rf_err *err)
{
    struct peer *peer = job->peer;
    struct proof *proof = proof_new();
    rf_str rule;
    enum rf_kind kind;
    if (proof == NULL) return rf_fail_memory(err, &job->arena);
    if (rf_str_is(job->type, "EXTERNAL")) {
        kind = hub_grant_certificate(peer->space, peer->certificate, &proof->arena, &proof->grant,
                                     err);
    } else {
        size_t user = rf_str_find(job->token, RF_S("\0"), 0);
        size_t password = user == SIZE_MAX ? user : rf_str_find(job->token, RF_S("\0"), user + 1);
        if (password == SIZE_MAX ||
            !decode_percent(rf_slice(job->token, user + 1, password), &job->arena, &rule))
            kind = RF_FAIL(err, RF_DENIED, "InvalidSignature", "the login is malformed");
        else
            kind = hub_grant_key(peer->space, RF_S(""), rule,
                                 rf_slice(job->token, password + 1, job->token.len), &proof->arena,
                                 &proof->grant, err);
        explicit_bzero((void *)(uintptr_t)job->token.ptr, job->token.len);
    }
    if (kind != RF_OK) {
        proof_free(proof);
        return kind;
    }
    proof->audience = RF_S("");
    return access_add(peer, proof) ? RF_OK : rf_fail_memory(err, &job->arena);
}

static void on_sasl(void *ctx, struct amqp_connection *connection, rf_str mechanism,
                    rf_str response)
{
    struct peer *peer = ctx;
    bool is_plain = rf_str_is(mechanism, "PLAIN");
    if (rf_str_is(mechanism, "ANONYMOUS") || rf_str_is(mechanism, "MSSBCBS")) {
        amqp_sasl_ok(connection);
        return;
    }
    struct job *job = NULL;
    if (peer->space != NULL &&
        (is_plain || (rf_str_is(mechanism, "EXTERNAL") && peer->certificate.len > 0)))
        job = job_new(peer);
    if (job == NULL || !rf_arena_str(&job->arena, mechanism, &job->type) ||
        !rf_arena_str(&job->arena, response, &job->token)) {
        job_free(job);
        amqp_sasl_fail(connection);
        return;
    }
    job->run = run_sasl;
    job->done = on_sasl_key_done;
    job_start(job);
}

static rf_str without_port(rf_str host)
{
    size_t colon = host.len;
    while (colon > 0 && rf_is_digit(host.ptr[colon - 1])) colon--;
    return colon > 0 && host.ptr[colon - 1] == ':' ? rf_slice(host, 0, colon - 1) : host;
}

static bool on_open(void *ctx, struct amqp_connection *connection, const struct amqp_open *open,
                    struct amqp_error *refusal)
{
    struct peer *peer = ctx;
    struct hub_namespace *space;
    struct rf_err err;
    rf_str host = without_port(open->hostname);
    (void)connection;
    /* A name that is none of ours may be that of a gateway in front: then the name that TLS was asked for counts. */
    if (host.len > 0 && hubs_namespace(peer->nodes->hubs, host, &space, &err) == RF_OK)
        peer->space = space;
    if (peer->space != NULL) return true;
    *refusal = (struct amqp_error){"amqp:not-found", RF_S("there is no such namespace here")};
    return false;
}

static bool is_node(rf_str address, const char *name)
{
    if (address.len > 0 && address.ptr[0] == '/') address = rf_slice(address, 1, address.len);
    return rf_str_eq_nocase(address, rf_str_of(name));
}

/* "$management", also below a hub. */
static bool is_management(rf_str address)
{
    size_t len = strlen("$management");
    if (address.len < len) return false;
    return is_node(rf_slice(address, address.len - len, address.len), "$management") &&
           (address.len == len || address.ptr[address.len - len - 1] == '/');
}

static void on_attach(void *ctx, struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_attach *attach)
{
    struct peer *peer = ctx;
    rf_str address = attach->is_sender ? attach->source : attach->target;
    struct amqp_error refusal = {"amqp:not-found", RF_S("the link names no node")};
    if (is_node(address, "$cbs")) {
        request_attach(peer, link, attach, NODE_CBS);
    } else if (is_management(address)) {
        request_attach(peer, link, attach, NODE_MANAGEMENT);
    } else if (address.ptr == NULL || attach->is_dynamic || attach->is_coordinator) {
        if (attach->is_dynamic || attach->is_coordinator)
            refusal = (struct amqp_error){"amqp:not-implemented",
                                          RF_S("there are no dynamic nodes and transactions here")};
        amqp_link_refuse(connection, link, &refusal);
    } else if (attach->is_sender) {
        receive_attach(peer, link, attach);
    } else {
        send_attach(peer, link, attach);
    }
}

static void on_message(void *ctx, struct amqp_connection *connection, void *user,
                       struct amqp_delivery delivery, uint32_t format, rf_str message, bool settled)
{
    struct node_link *link = user;
    (void)ctx, (void)connection;
    if (link->kind == NODE_SENDER)
        send_message(link, delivery, format, message, settled);
    else
        request_message(link, delivery, message, settled);
}

static void on_credit(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link at, uint32_t credit, bool drain)
{
    struct node_link *link = user;
    (void)ctx, (void)credit;
    if (link->kind != NODE_RECEIVER) {
        request_pump(link);
        if (drain) amqp_drained(connection, at);
        return;
    }
    link->drains = drain;
    receive_pump(link);
}

static void on_detach(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link at, enum amqp_ended why)
{
    struct node_link *link = user;
    (void)ctx, (void)connection, (void)at, (void)why;
    if (link == NULL) return;
    owners_leave(link->peer->nodes->owners, link);
    if (link->kind == NODE_SENDER) send_submit(link);
    if (link->kind == NODE_RECEIVER)
        receive_detached(link);
    else
        node_link_free(link);
}

static void on_link_idle(void *ctx, struct amqp_connection *connection, void *user,
                         struct amqp_link at)
{
    const struct node_link *link = user;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    (void)RF_FAIL(&err, RF_LIMIT, "amqp:link:detach-forced", "%s",
                  link->kind == NODE_SENDER
                      ? "The link is force detached. Details: Detach origin: "
                        "AmqpEventHubPublisher.IdleTimerExpired: Idle timeout: 00:30:00."
                      : "The link was idle for more than 10 minutes.");
    rf_arena_init(&arena, 1 << 16);
    struct amqp_error error = node_error(link, ctx, &err, &arena);
    amqp_detach(connection, at, &error);
}

static void on_batch_end(void *ctx, struct amqp_connection *connection)
{
    struct amqp_link at = {0};
    (void)ctx;
    while (amqp_link_next(connection, &at)) {
        struct node_link *link = amqp_link_user(connection, at);
        if (link != NULL && link->kind == NODE_SENDER) send_submit(link);
    }
}

static const struct amqp_handlers handlers = {.on_sasl = on_sasl,
                                              .on_open = on_open,
                                              .on_attach = on_attach,
                                              .on_message = on_message,
                                              .on_credit = on_credit,
                                              .on_detach = on_detach,
                                              .on_link_idle = on_link_idle,
                                              .on_batch_end = on_batch_end};

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void *on_connect(void *owner, struct amqp_connection *connection, struct stream *stream,
                        const struct stream_peer *from)
{
    struct amqp_nodes *nodes = owner;
    struct rf_err ignored;
    if (nodes->hubs == NULL) return NULL;
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) return NULL;
    peer->mailbox = stream_mailbox(stream);
    if (peer->mailbox == NULL) {
        free(peer);
        return NULL;
    }
    if (from->certificate.len > 0) {
        uint8_t *copy = malloc(from->certificate.len);
        if (copy != NULL) {
            memcpy(copy, from->certificate.ptr, from->certificate.len);
            peer->certificate = rf_str_make(copy, from->certificate.len);
        }
    }
    peer->nodes = nodes;
    peer->connection = connection;
    peer->stream = stream;
    atomic_init(&peer->refs, 1);
    (void)pthread_mutex_init(&peer->lock, NULL);
    rf_str host = from->server_name.len > 0 ? from->server_name : RF_S("localhost");
    if (hubs_namespace(nodes->hubs, host, &peer->space, &ignored) != RF_OK) peer->space = NULL;
    pthread_mutex_lock(&nodes->lock);
    nodes->peer_count++;
    peer->next = nodes->peers;
    if (peer->next != NULL) peer->next->link = &peer->next;
    peer->link = &nodes->peers;
    nodes->peers = peer;
    pthread_mutex_unlock(&nodes->lock);
    return peer;
}

static void on_disconnect(void *ctx)
{
    struct peer *peer = ctx;
    pthread_mutex_lock(&peer->nodes->lock);
    *peer->link = peer->next;
    if (peer->next != NULL) peer->next->link = peer->link;
    pthread_mutex_unlock(&peer->nodes->lock);
    peer->stream = NULL;
    peer->connection = NULL;
    peer_unref(peer);
}

/* ---- looks at rights -------------------------------------------------------------------------------------------- */

static void on_change(void *ctx)
{
    struct amqp_nodes *nodes = ctx;
    pthread_mutex_lock(&nodes->lock);
    nodes->changed = true;
    pthread_cond_broadcast(&nodes->wake);
    pthread_mutex_unlock(&nodes->lock);
}

enum { LOOK_MSEC = 500, PRINCIPAL_ROUNDS = 20 };

/* Wakes peers whose links may have lost their rights: something changed, a token has ended, or now and then, as another process that shares
 * the state changes roles without a word. */
static void *look_after(void *arg)
{
    struct amqp_nodes *nodes = arg;
    pthread_mutex_lock(&nodes->lock);
    for (uint32_t round = 0; !nodes->stops; round++) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MSEC * 1000000L;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        if (!nodes->changed) pthread_cond_timedwait(&nodes->wake, &nodes->lock, &until);
        bool all = nodes->changed || round % PRINCIPAL_ROUNDS == 0;
        nodes->changed = false;
        rf_usec now = rf_clock_now(nodes->clock);
        for (struct peer *p = nodes->peers; p != NULL && !nodes->stops; p = p->next)
            if (all || access_expires(p) <= now) peer_wake(p);
    }
    pthread_mutex_unlock(&nodes->lock);
    return NULL;
}

/* ---- as a whole ------------------------------------------------------------------------------------------------- */

enum rf_kind amqp_nodes_new(const struct amqp_nodes_options *options, struct amqp_nodes **out,
                            struct rf_err *err)
{
    static const rf_str mechanisms[] = {{(const uint8_t *)"MSSBCBS", 7},
                                        {(const uint8_t *)"PLAIN", 5},
                                        {(const uint8_t *)"ANONYMOUS", 9},
                                        {(const uint8_t *)"EXTERNAL", 8}};
    struct amqp_nodes *nodes = calloc(1, sizeof *nodes);
    if (nodes == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for AMQP");
    nodes->clock = options->clock;
    (void)pthread_mutex_init(&nodes->lock, NULL);
    (void)pthread_cond_init(&nodes->wake, NULL);
    (void)pthread_cond_init(&nodes->idle, NULL);
    nodes->owners = owners_new();
    const struct amqp_front_options front = {.handlers = &handlers,
                                             .mechanisms = mechanisms,
                                             .mechanism_count = RF_COUNT(mechanisms),
                                             .on_connect = on_connect,
                                             .on_disconnect = on_disconnect,
                                             .owner = nodes,
                                             .clock = options->clock};
    enum rf_kind kind = nodes->owners == NULL
                            ? RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for AMQP")
                            : amqp_front_new(&front, &nodes->front, err);
    *out = nodes;
    if (kind == RF_OK) return RF_OK;
    amqp_nodes_free(nodes);
    *out = NULL;
    return kind;
}

enum rf_kind amqp_nodes_listen(struct amqp_nodes *nodes, struct server *server, rf_str address,
                               struct tls_context *tls, uint16_t *port, struct rf_err *err)
{
    return amqp_front_listen(nodes->front, server, address, tls, port, err);
}

enum rf_kind amqp_nodes_start(struct amqp_nodes *nodes, struct hubs *hubs, struct rf_err *err)
{
    nodes->hubs = hubs;
    hubs_on_access(hubs, on_change, nodes);
    if (pthread_create(&nodes->thread, NULL, look_after, nodes) != 0)
        return RF_FAIL(err, RF_LIMIT, "TooManyThreads", "no thread for AMQP can be made");
    nodes->has_thread = true;
    return RF_OK;
}

const struct service *amqp_nodes_service(struct amqp_nodes *nodes)
{
    return amqp_front_service(nodes->front);
}

void amqp_nodes_stop(struct amqp_nodes *nodes)
{
    if (nodes == NULL) return;
    pthread_mutex_lock(&nodes->lock);
    nodes->stops = true;
    pthread_cond_broadcast(&nodes->wake);
    pthread_mutex_unlock(&nodes->lock);
    if (nodes->has_thread) (void)pthread_join(nodes->thread, NULL);
    nodes->has_thread = false;
    pthread_mutex_lock(&nodes->lock);
    while (nodes->peer_count > 0) pthread_cond_wait(&nodes->idle, &nodes->lock);
    pthread_mutex_unlock(&nodes->lock);
}

void amqp_nodes_free(struct amqp_nodes *nodes)
{
    if (nodes == NULL) return;
    amqp_front_free(nodes->front);
    owners_free(nodes->owners);
    pthread_cond_destroy(&nodes->idle);
    pthread_cond_destroy(&nodes->wake);
    pthread_mutex_destroy(&nodes->lock);
    free(nodes);
}
