/* deploy_int.h - what the files of template deployments share.
 *
 * A deployment is a resource of the type Microsoft.Resources/deployments, whose document is what the API shows; its template and
 * its operations are in state, space "deployment", under the same key: {"template","operations"}.
 *
 * A PUT checks and expands the template, stores the deployment as Accepted and hands it to one of the engine's threads. The
 * request waits a while for the end, so that most clients see it in the first answer, and else tells to ask again. Every write
 * of a deployment is a request of its own for the caller (request_run_part): the same checks, hooks and rows as if the caller
 * had sent it. What was running when the program ended shows as Failed. */
#ifndef RF_DEPLOY_INT_H
#define RF_DEPLOY_INT_H

#include <pthread.h>

#include "arm/arm_int.h"
#include "arm/template.h"

enum {
    DEPLOY_THREADS = 2,
    DEPLOY_QUEUE_MAX = 64,
    DEPLOY_WAITERS_MAX = 3, /* requests that wait for the end: each holds a worker of the server */
    DEPLOY_WAIT_SECONDS = 20,
    DEPLOY_KEPT_MAX = 800, /* of a scope */
    DEPLOY_MEMORY_MAX = 256 << 20,
    DEPLOY_PART_MEMORY_MAX = 64 << 20,
    DEPLOY_RESULTS_MAX = 64, /* of what-if, kept in memory */
    DEPLOY_ENDED_MAX = 64,
    DEPLOY_RESULT_SECONDS = 600,
    DEPLOY_NAME_MAX = 64
};

/* ---- deploy_part.c: requests within a deployment ----------------------------------------------------------------------- */

/* Who asks and from where, as far as it outlives the request. */
struct deploy_caller {
    struct arm *arm;
    struct dispatcher *dispatcher;
    const struct principal *principal;
    const struct site *site;
    struct authz *authz;
    const struct audit *audit;
    rf_str origin, host, peer_address, correlation_id;
    bool is_loopback;
    const atomic_bool *gone;
};
/* The caller of a request; views live as long as it. */
struct deploy_caller deploy_caller_of(const struct request *request);
/* A copy in `arena`. */
RF_MUST_USE enum rf_kind deploy_caller_keep(const struct deploy_caller *caller,
                                            struct rf_arena *arena, struct deploy_caller *out,
                                            struct rf_err *err);

struct deploy_answer {
    uint16_t status;
    struct json_node *body; /* NULL: none */
    rf_str code, message;   /* of an error */
};
/* Asks for METHOD id/action?api-version=version and waits; version empty: the newest of the type. Everything of the answer is in
 * `arena`. Fails only for lack of memory or a bad id: an error that is answered is in *out. */
RF_MUST_USE enum rf_kind deploy_ask(const struct deploy_caller *caller, enum http_method method,
                                    rf_str id, rf_str action, rf_str version,
                                    const struct json_node *body, struct rf_arena *arena,
                                    struct deploy_answer *out, struct rf_err *err);
/* RF_DENIED AuthorizationFailed unless the caller may do that to the resource; also the errors of what nobody serves. */
RF_MUST_USE enum rf_kind deploy_may(const struct deploy_caller *caller, enum http_method method,
                                    rf_str id, rf_str version, struct rf_arena *arena,
                                    struct rf_err *err);
/* The world of templates: ctx is a deploy_world. */
struct deploy_world {
    const struct deploy_caller *caller;
    struct rf_arena *arena;
};
struct template_world deploy_world_of(struct deploy_world *world);
/* Documents and types whose id names them; status by kind. */
struct json_node *deploy_error(struct rf_arena *arena, rf_str code, rf_str message,
                               struct json_node *details);

/* ---- deploy_record.c: what is stored and shown ------------------------------------------------------------------------- */

extern const struct arm_type arm_type_deployment;
struct deploy_record {
    rf_str id, name;
    rf_str location;              /* empty: none */
    const struct json_node *tags; /* NULL: none */
    struct json_node *properties;
    const struct json_node *template, *operations; /* NULL: as stored before */
};
RF_MUST_USE enum rf_kind deploy_store(struct arm *arm, const struct principal *principal,
                                      const struct deploy_record *record, struct rf_arena *arena,
                                      bool *created, struct json_node **document,
                                      struct rf_err *err);
/* {"template","operations"}; NULL when there is none. */
RF_MUST_USE enum rf_kind deploy_load_side(struct arm_call *call, rf_str key, struct json_node **out,
                                          struct rf_err *err);
/* Deletes the oldest ended ones beyond DEPLOY_KEPT_MAX at the scope of `id`. */
RF_MUST_USE enum rf_kind deploy_prune(struct arm *arm, rf_str id, struct rf_arena *arena,
                                      struct rf_err *err);
/* properties of a deployment that begins: mode, hash, parameters, providers, dependencies. */
RF_MUST_USE enum rf_kind deploy_properties(struct template_run *run,
                                           const struct template_plan *plan, rf_str mode,
                                           rf_str correlation_id, rf_str state,
                                           struct json_node **out, struct rf_err *err);
rf_str deploy_duration(struct rf_arena *arena, rf_usec usec); /* "PT1.2S" */

/* ---- deploy_run.c: the engine -------------------------------------------------------------------------------------------- */

struct deploy_job {
    struct rf_arena arena;
    struct deploy_caller caller;
    struct deploy_world world;
    struct template_run run;
    struct template_plan *plan;
    rf_str id, key, name, location, mode;
    struct json_node *properties; /* as stored last */
    const struct json_node *tags;
    struct json_node *operations; /* array; under the engine's lock */
    atomic_bool cancelled;
    bool ready, done; /* under the engine's lock */
    bool stored;      /* its end is */
    uint32_t holders;
    rf_usec begun;
    struct deploy_job *next;
};
struct deploy_result { /* of a what-if */
    rf_str id, owner, text;
    rf_usec ends;
    struct rf_arena arena;
};
struct deploy_engine {
    pthread_mutex_t lock;
    pthread_cond_t work, ended;
    pthread_t threads[DEPLOY_THREADS];
    uint32_t thread_count, job_count, waiters;
    bool stops;
    struct deploy_job *first, *last; /* that wait for a thread */
    struct deploy_job *running[DEPLOY_THREADS];
    uint64_t ended_keys[DEPLOY_ENDED_MAX]; /* hashes; those that ended last */
    uint32_t ended_at;
    struct deploy_result *results[DEPLOY_RESULTS_MAX]; /* NULL: none yet */
    uint32_t result_at;
};
struct deploy_engine *deploy_engine_new(void); /* NULL on lack of memory */
void deploy_result_free(struct deploy_result *result);
/* Cancels what runs, waits for it and frees. NULL is fine. */
void deploy_engine_free(struct deploy_engine *engine);
/* RF_CONFLICT DeploymentActive when one of the key waits or runs. */
RF_MUST_USE enum rf_kind deploy_check_active(struct deploy_engine *engine, rf_str key,
                                             struct rf_err *err);
/* Takes its place in the queue, where nobody runs it yet. RF_CONFLICT DeploymentActive; RF_AGAIN TooManyDeployments. */
RF_MUST_USE enum rf_kind deploy_enter(struct deploy_engine *engine, struct deploy_job *job,
                                      struct rf_err *err);
/* Lets it run, or (`run` false) takes it out of the queue and leaves it to the caller. */
void deploy_release(struct deploy_engine *engine, struct deploy_job *job, bool run);
/* Waits for its end when `may_wait`; then gives up the job. */
void deploy_finish(struct deploy_engine *engine, struct deploy_job *job, bool may_wait);
void deploy_job_free(struct deploy_job *job);
/* False when none of the key waits or runs. */
bool deploy_cancel(struct deploy_engine *engine, rf_str key);
bool deploy_is_active(struct deploy_engine *engine, rf_str key);
/* True when its end was stored lately, perhaps after the transaction began in which somebody looks at it. */
bool deploy_has_just_ended(struct deploy_engine *engine, rf_str key);
/* The operations so far, copied; NULL when it does not run. */
RF_MUST_USE enum rf_kind deploy_live_operations(struct deploy_engine *engine, rf_str key,
                                                struct rf_arena *arena, struct json_node **out,
                                                struct rf_err *err);
void deploy_job_run(struct deploy_job *job, struct deploy_engine *engine);

/* ---- deploy_whatif.c ------------------------------------------------------------------------------------------------------- */

/* {"status","properties":{"changes":[..]}} of a plan that is expanded. */
RF_MUST_USE enum rf_kind deploy_predict(struct template_run *run, struct template_plan *plan,
                                        const struct deploy_caller *caller, bool complete,
                                        bool ids_only, struct json_node **out, struct rf_err *err);

/* ---- deploy.c: routes -------------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind arm_run_deployment_put(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_get(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_delete(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_validate(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_what_if(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_cancel(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_export(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_deployment_operations(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_template_hash(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_what_if_result(struct request *request, struct rf_err *err);
/* The id of the deployment that a route names. */
RF_MUST_USE enum rf_kind arm_deployment_scope(struct request *request, rf_str *out,
                                              struct rf_err *err);

#endif
