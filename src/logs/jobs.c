#include "logs/jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "tables/tables.h"

#define JOB_SPACE "logsJob"
enum { JOB_BYTES_MAX = 64 << 20 };

struct jobs {
    struct logs *logs;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t woken;
    bool due, stopping;
    rf_str current; /* key of the job that runs; empty: none */
    atomic_bool cancelled;
    pthread_mutex_t running; /* one job at a time */
    pthread_t thread;
};

/* ---- in state ---------------------------------------------------------------------------------------------------- */

enum rf_kind job_put(struct state_txn *txn, rf_str key, const struct json_node *body,
                     struct rf_arena *arena, struct rf_err *err)
{
    rf_str text = json_to_text(arena, body);
    if (text.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = JOB_SPACE, .key = key, .body = text};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind job_get(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                     struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_get(txn, JOB_SPACE, key, arena, &object, err));
    return json_parse(object.body, arena, out, err);
}

/* The job goes on only as long as somebody wants it: with its table it goes, too. */
static enum rf_kind set_status(struct logs *logs, rf_str key, struct json_node *body,
                               const char *status, struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *stored;
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    RF_TRY(job_get(txn, key, arena, &stored, err));
    if (!rf_str_is(json_text_at(stored, "status"), JOB_PENDING)) return RF_OK;
    if (json_set_text(arena, body, "status", rf_str_of(status)) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(job_put(txn, key, body, arena, err));
    return state_finish(&txn, err);
}

enum rf_kind job_cancel(struct jobs *jobs, rf_str key, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *body;
    rf_arena_init(&arena, JOB_BYTES_MAX);
    RF_TRY(state_begin_read(jobs->logs->options.state, &txn, err));
    RF_TRY(job_get(txn, key, &arena, &body, err));
    state_end(txn);
    txn = NULL;
    (void)pthread_mutex_lock(&jobs->lock);
    if (rf_str_eq(jobs->current, key)) atomic_store(&jobs->cancelled, true);
    (void)pthread_mutex_unlock(&jobs->lock);
    return set_status(jobs->logs, key, body, JOB_CANCELLED, &arena, err);
}

struct json_node *job_principal_json(struct rf_arena *arena, const struct principal *principal)
{
    struct json_node *object = json_new(arena, JSON_T_OBJECT);
    struct json_node *groups = json_new(arena, JSON_T_ARRAY);
    json_set_text(arena, object, "id", principal->object_id);
    for (uint32_t i = 0; i < principal->group_count; i++)
        if (json_append(groups, json_new_text(arena, principal->groups[i])) == NULL) return NULL;
    return json_set(arena, object, RF_S("groups"), groups) == NULL ? NULL : object;
}

void job_principal_read(const struct json_node *json, struct rf_arena *arena, struct principal *out)
{
    const struct json_node *groups = json_get(json, "groups");
    *out = (struct principal){.object_id = json_text_at(json, "id")};
    if (!json_is(groups, JSON_T_ARRAY)) return;
    rf_str *list = rf_arena_new(arena, rf_str, groups->count);
    for (const struct json_node *n = groups->first; n != NULL && list != NULL; n = n->next)
        list[out->group_count++] = n->text;
    out->groups = list;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* The first job behind `after` that is pending. */
static enum rf_kind next_pending(struct logs *logs, rf_str after, struct rf_arena *arena,
                                 rf_str *key, struct json_node **body, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_scan scan = {.space = JOB_SPACE, .after = after};
    struct state_list list;
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        RF_TRY(json_parse(list.items[i].body, arena, body, err));
        *key = list.items[i].key;
        if (rf_str_is(json_text_at(*body, "status"), JOB_PENDING)) return RF_OK;
    }
    *key = (rf_str){NULL, 0};
    return RF_OK;
}

static bool begin_job(struct jobs *jobs, rf_str key)
{
    (void)pthread_mutex_lock(&jobs->lock);
    bool go = !jobs->stopping;
    jobs->current = key;
    atomic_store(&jobs->cancelled, !go);
    (void)pthread_mutex_unlock(&jobs->lock);
    return go;
}

/* True when the server ends, so that the job is to be run again. */
static bool end_job(struct jobs *jobs)
{
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->current = (rf_str){NULL, 0};
    bool stopping = jobs->stopping;
    (void)pthread_mutex_unlock(&jobs->lock);
    return stopping;
}

static void finish_job(struct job *job, enum rf_kind kind, const struct rf_err *why)
{
    struct rf_err err = {0};
    const char *status = kind == RF_OK ? JOB_COMPLETED : JOB_FAILED;
    if (kind != RF_OK) {
        tables_log_failure("job.failed", job->key, why);
        json_set_text(job->arena, job->body, "error", rf_str_of(why->text));
    }
    kind = set_status(job->logs, job->key, job->body, status, job->arena, &err);
    if (kind != RF_OK && kind != RF_NOT_FOUND)
        tables_log_failure("job.status_lost", job->key, &err);
}

static void run_job(struct jobs *jobs, struct job *job)
{
    struct rf_err err = {0};
    if (!begin_job(jobs, job->key)) return;
    bool purges = rf_str_is(json_text_at(job->body, "kind"), "purge");
    enum rf_kind kind = purges ? purge_run(job, &err) : search_job_run(job, &err);
    if (end_job(jobs) && kind != RF_OK) return;
    finish_job(job, kind, &err);
}

void jobs_run_pending(struct jobs *jobs)
{
    char after[STATE_KEY_BYTES_MAX] = "";
    size_t after_bytes = 0;
    (void)pthread_mutex_lock(&jobs->running);
    for (bool more = true; more;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct rf_err err = {0};
        rf_arena_init(&arena, JOB_BYTES_MAX);
        struct job job = {.logs = jobs->logs, .arena = &arena, .cancelled = &jobs->cancelled};
        enum rf_kind kind = next_pending(jobs->logs, rf_str_make(after, after_bytes), &arena,
                                         &job.key, &job.body, &err);
        if (kind != RF_OK) tables_log_failure("job.list_failed", RF_S(""), &err);
        more = kind == RF_OK && job.key.len > 0;
        if (!more) break;
        after_bytes = RF_MIN(job.key.len, sizeof after);
        memcpy(after, job.key.ptr, after_bytes);
        run_job(jobs, &job);
    }
    (void)pthread_mutex_unlock(&jobs->running);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void *work(void *ctx)
{
    struct jobs *jobs = ctx;
    (void)pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        while (!jobs->due && !jobs->stopping) (void)pthread_cond_wait(&jobs->woken, &jobs->lock);
        jobs->due = false;
        (void)pthread_mutex_unlock(&jobs->lock);
        jobs_run_pending(jobs);
        (void)pthread_mutex_lock(&jobs->lock);
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

enum rf_kind jobs_new(struct logs *logs, struct rf_err *err)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    sigset_t all, before; /* signals are for the thread that waits for them */
    if (jobs == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for jobs");
    jobs->logs = logs;
    jobs->due = true;
    (void)pthread_mutex_init(&jobs->lock, NULL);
    (void)pthread_mutex_init(&jobs->running, NULL);
    (void)pthread_cond_init(&jobs->woken, NULL);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&jobs->thread, NULL, work, jobs);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) {
        logs->jobs = jobs;
        return RF_OK;
    }
    (void)pthread_cond_destroy(&jobs->woken);
    (void)pthread_mutex_destroy(&jobs->running);
    (void)pthread_mutex_destroy(&jobs->lock);
    free(jobs);
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the thread for jobs cannot start");
}

void jobs_wake(struct jobs *jobs)
{
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->due = true;
    (void)pthread_cond_signal(&jobs->woken);
    (void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_free(struct jobs *jobs)
{
    if (jobs == NULL) return;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    atomic_store(&jobs->cancelled, true);
    (void)pthread_cond_signal(&jobs->woken);
    (void)pthread_mutex_unlock(&jobs->lock);
    (void)pthread_join(jobs->thread, NULL);
    (void)pthread_cond_destroy(&jobs->woken);
    (void)pthread_mutex_destroy(&jobs->running);
    (void)pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
