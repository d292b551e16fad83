/* check.c - threads that look for proofs. What is to be done stands in the state (index "work"), so that a later process takes it up; the queue only says
 * where to look first. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "acme/acme_int.h"
#include "base/log.h"

enum {
    THREADS = 4,
    QUEUE_MAX = 1024,
    ID_CHARS_MAX = 63,
    TRIES = 4,
    PAUSE_SECONDS = 2,
    LOOK_SECONDS = 30,
    LOOK_MAX = 256,
    ARENA_BYTES = 1 << 20
};

struct job {
    uint32_t n;
    char order[ID_CHARS_MAX + 1];
};
struct acme_checks {
    struct acme *acme;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job queue[QUEUE_MAX]; /* a ring */
    uint32_t first, count;
    struct job busy[THREADS]; /* order empty: idle */
    time_t looked;
    atomic_bool stop;
    pthread_t threads[THREADS];
    uint32_t thread_count;
};

/* ---- one proof -------------------------------------------------------------------------------------------------------------------- */

struct outcome {
    uint32_t n;
    int64_t now;
    enum rf_kind kind;
    const struct rf_err *why;
};

static struct json_node *problem(struct rf_arena *arena, const struct rf_err *why)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    bool ours = why->code[0] >= 'a' && why->code[0] <= 'z';
    rf_str type = rf_arena_printf(arena, "urn:ietf:params:acme:error:%s",
                                  ours ? why->code : "serverInternal");
    rf_str text;
    bool good = type.ptr != NULL && rf_arena_str(arena, rf_str_of(why->text), &text) &&
                json_set_text(arena, out, "type", type) != NULL &&
                json_set_text(arena, out, "detail", text) != NULL &&
                json_set_i64(arena, out, "status", ours ? 403 : 500) != NULL;
    return good ? out : NULL;
}

static enum rf_kind note(void *ctx, struct json_node *order, struct rf_arena *arena,
                         struct rf_err *err)
{
    const struct outcome *outcome = ctx;
    struct json_node *authorization = acme_order_authorization(order, outcome->n);
    bool good;
    if (!rf_str_is(json_text_at(authorization, "status"), "pending")) return RF_OK;
    if (outcome->kind == RF_OK) {
        good = json_set_text(arena, authorization, "status", RF_S("valid")) != NULL &&
               json_set_i64(arena, authorization, "validated", outcome->now) != NULL;
    } else {
        struct json_node *error = problem(arena, outcome->why);
        good = json_set_text(arena, authorization, "status", RF_S("invalid")) != NULL &&
               json_set(arena, authorization, RF_S("error"), error) != NULL &&
               json_set(arena, order, RF_S("error"), json_clone(arena, error)) != NULL;
    }
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static void pause_for(struct acme_checks *checks, int seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    (void)pthread_mutex_lock(&checks->mutex);
    while (!atomic_load(&checks->stop) &&
           pthread_cond_timedwait(&checks->changed, &checks->mutex, &until) == 0) {
    }
    (void)pthread_mutex_unlock(&checks->mutex);
}

static enum rf_kind look_once(const struct acme_check *check, rf_str type, struct rf_err *err)
{
    if (rf_str_is(type, "http-01")) return acme_check_http(check, err);
    if (rf_str_is(type, "tls-alpn-01")) return acme_check_tls(check, err);
    return acme_check_dns(check, err);
}

static enum rf_kind look(struct acme_checks *checks, const struct json_node *order, uint32_t n,
                         struct rf_arena *arena, struct rf_err *err)
{
    const struct json_node *authorization = acme_order_authorization(order, n);
    rf_str token = json_text_at(authorization, "token");
    struct acme_check check = {.network = &checks->acme->options.network,
                               .arena = arena,
                               .name = json_text_at(authorization, "name"),
                               .token = token};
    check.key_authorization = rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(token),
                                              RF_FMT(json_text_at(order, "thumbprint")));
    if (check.key_authorization.ptr == NULL) return rf_fail_memory(err, arena);
    for (int i = 1;; i++) {
        enum rf_kind kind = look_once(&check, json_text_at(authorization, "type"), err);
        if (kind != RF_AGAIN || i == TRIES || atomic_load(&checks->stop)) return kind;
        pause_for(checks, PAUSE_SECONDS);
    }
}

static enum rf_kind do_job(struct acme_checks *checks, const struct job *job,
                           struct rf_arena *arena, struct rf_err *err)
{
    struct acme *acme = checks->acme;
    struct json_node *order;
    struct rf_err why = {0};
    rf_str id = rf_str_of(job->order);
    enum rf_kind kind = acme_order_get(acme, id, arena, &order, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    if (kind != RF_OK) return kind;
    const struct json_node *authorization = acme_order_authorization(order, job->n);
    if (json_get(authorization, "type") == NULL ||
        !rf_str_is(json_text_at(authorization, "status"), "pending"))
        return RF_OK;
    struct outcome outcome = {.n = job->n, .why = &why};
    outcome.kind = look(checks, order, job->n, arena, &why);
    if (outcome.kind != RF_OK && atomic_load(&checks->stop))
        return RF_OK; /* the next process looks again */
    outcome.now = acme->options.clock->now(acme->options.clock) / RF_USEC_PER_SECOND;
    RF_TRY(acme_order_change(acme, id, note, &outcome, arena, &order, err));
    authorization = acme_order_authorization(order, job->n);
    rf_log(outcome.kind == RF_OK ? RF_INFO : RF_WARN, "acme.checked",
           RF_KV_STR("name", json_text_at(authorization, "name")),
           RF_KV_STR("by", json_text_at(authorization, "type")),
           RF_KV_BOOL("valid", outcome.kind == RF_OK), RF_KV_STR("why", rf_str_of(why.text)));
    return RF_OK;
}

/* ---- the queue ---------------------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct job *a, const struct job *b)
{
    return a->n == b->n && strcmp(a->order, b->order) == 0;
}

/* With the mutex. */
static void enqueue(struct acme_checks *checks, const struct job *job)
{
    for (uint32_t i = 0; i < THREADS; i++)
        if (is_same(&checks->busy[i], job)) return;
    for (uint32_t i = 0; i < checks->count; i++)
        if (is_same(&checks->queue[(checks->first + i) % QUEUE_MAX], job)) return;
    if (checks->count == QUEUE_MAX) return;
    checks->queue[(checks->first + checks->count++) % QUEUE_MAX] = *job;
    (void)pthread_cond_broadcast(&checks->changed);
}

static bool make_job(rf_str order, uint32_t n, struct job *out)
{
    *out = (struct job){.n = n};
    if (order.len == 0 || order.len > ID_CHARS_MAX) return false;
    memcpy(out->order, order.ptr, order.len);
    return true;
}

void acme_checks_add(struct acme *acme, rf_str order, uint32_t n)
{
    struct acme_checks *checks = acme->checks;
    struct job job;
    if (checks == NULL || !make_job(order, n, &job)) return;
    (void)pthread_mutex_lock(&checks->mutex);
    enqueue(checks, &job);
    (void)pthread_mutex_unlock(&checks->mutex);
}

/* What another process left, or found no room in the queue. */
static void look_into_state(struct acme_checks *checks, struct rf_arena *arena)
{
    struct state_list list;
    struct rf_err err;
    rf_str none = {0};
    if (acme_order_list(checks->acme, none, none, none, LOOK_MAX, arena, &list, &err) != RF_OK) {
        rf_log(RF_WARN, "acme.state_failed", RF_KV_STR("why", rf_str_of(err.text)));
        return;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *order;
        const struct json_node *a;
        struct job job;
        if (json_parse(list.items[i].body, arena, &order, NULL) != RF_OK) continue;
        for (uint32_t n = 0; (a = acme_order_authorization(order, n)) != NULL; n++)
            if (json_get(a, "type") != NULL && rf_str_is(json_text_at(a, "status"), "pending") &&
                make_job(list.items[i].key, n, &job)) {
                (void)pthread_mutex_lock(&checks->mutex);
                enqueue(checks, &job);
                (void)pthread_mutex_unlock(&checks->mutex);
            }
    }
}

/* False: stop. *job's order is empty when it is time to look into the state. */
static bool next_job(struct acme_checks *checks, uint32_t me, struct job *job)
{
    struct timespec now;
    (void)pthread_mutex_lock(&checks->mutex);
    checks->busy[me].order[0] = '\0';
    *job = (struct job){0};
    while (!atomic_load(&checks->stop)) {
        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (checks->count > 0) {
            *job = checks->queue[checks->first];
            checks->first = (checks->first + 1) % QUEUE_MAX;
            checks->count--;
            checks->busy[me] = *job;
            break;
        }
        if (me == 0 && now.tv_sec - checks->looked >= LOOK_SECONDS) {
            checks->looked = now.tv_sec;
            break;
        }
        now.tv_sec += LOOK_SECONDS;
        (void)pthread_cond_timedwait(&checks->changed, &checks->mutex, &now);
    }
    bool goes_on = !atomic_load(&checks->stop);
    (void)pthread_mutex_unlock(&checks->mutex);
    return goes_on;
}

struct started {
    struct acme_checks *checks;
    uint32_t me;
};
static void *run(void *ctx)
{
    struct started started = *(struct started *)ctx;
    struct job job;
    free(ctx);
    while (next_job(started.checks, started.me, &job)) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct rf_err err;
        rf_arena_init(&arena, job.order[0] == '\0' ? 64 * (size_t)ARENA_BYTES : ARENA_BYTES);
        if (job.order[0] == '\0')
            look_into_state(started.checks, &arena);
        else if (do_job(started.checks, &job, &arena, &err) != RF_OK)
            rf_log(RF_WARN, "acme.check_failed", RF_KV_STR("order", rf_str_of(job.order)),
                   RF_KV_STR("why", rf_str_of(err.text)));
    }
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind acme_checks_start(struct acme *acme, struct rf_err *err)
{
    struct acme_checks *checks = calloc(1, sizeof *checks);
    struct acme_network *network = &acme->options.network;
    if (checks == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "looking for proofs");
    if (network->http_port == 0) network->http_port = 80;
    if (network->tls_port == 0) network->tls_port = 443;
    checks->acme = acme;
    (void)pthread_mutex_init(&checks->mutex, NULL);
    (void)pthread_cond_init(&checks->changed, NULL);
    acme->checks = checks;
    for (uint32_t i = 0; i < THREADS; i++) {
        struct started *started = malloc(sizeof *started);
        if (started != NULL) *started = (struct started){checks, i};
        if (started == NULL || pthread_create(&checks->threads[i], NULL, run, started) != 0) {
            free(started);
            acme_checks_stop(acme);
            return RF_FAIL(err, RF_LIMIT, "ThreadFailed", "no thread for looking for proofs");
        }
        checks->thread_count++;
    }
    return RF_OK;
}

void acme_checks_stop(struct acme *acme)
{
    struct acme_checks *checks = acme->checks;
    if (checks == NULL) return;
    (void)pthread_mutex_lock(&checks->mutex);
    atomic_store(&checks->stop, true);
    (void)pthread_cond_broadcast(&checks->changed);
    (void)pthread_mutex_unlock(&checks->mutex);
    for (uint32_t i = 0; i < checks->thread_count; i++)
        (void)pthread_join(checks->threads[i], NULL);
    acme->checks = NULL;
    (void)pthread_mutex_destroy(&checks->mutex);
    (void)pthread_cond_destroy(&checks->changed);
    free(checks);
}
