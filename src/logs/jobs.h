/* jobs.h - work of a workspace that takes its time: purges, search jobs, restores of tables.
 *
 * A job is an object in state, space "logsJob": {"kind","status","workspaceId","workspace","table",...,"created"}, under a key
 * of its own ("purge-<guid>", or "table:" and the lower-case id of the table that it fills). Status is pending, completed, failed
 * or cancelled. A thread runs what is pending, one after another; what a crash cut short is still pending and runs again from
 * its start, which must do no harm. */
#ifndef RF_JOBS_H
#define RF_JOBS_H

#include "logs/logs_int.h"

#define JOB_PENDING "pending"
#define JOB_COMPLETED "completed"
#define JOB_FAILED "failed"
#define JOB_CANCELLED "cancelled"

/* Starts the thread, which looks for what is pending at once. */
RF_MUST_USE enum rf_kind jobs_new(struct logs *logs, struct rf_err *err);
/* Ends the job that runs: it stays pending. NULL is fine. */
void jobs_free(struct jobs *jobs);
/* There is a new job, committed. */
void jobs_wake(struct jobs *jobs);
/* Runs what is pending in this thread, and waits for what runs in the other. */
void jobs_run_pending(struct jobs *jobs);

/* Stores a job, within a transaction of the caller. */
RF_MUST_USE enum rf_kind job_put(struct state_txn *txn, rf_str key, const struct json_node *body,
                                 struct rf_arena *arena, struct rf_err *err);
/* RF_NOT_FOUND ObjectNotFound. */
RF_MUST_USE enum rf_kind job_get(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                                 struct json_node **out, struct rf_err *err);
/* A pending job is cancelled; one that runs is told, and ends with what it has. In a transaction of its own. */
RF_MUST_USE enum rf_kind job_cancel(struct jobs *jobs, rf_str key, struct rf_err *err);

/* What runs. `body` may be given members, which are stored with the job's end. */
struct job {
    struct logs *logs;
    rf_str key;
    struct json_node *body;
    struct rf_arena *arena;
    const atomic_bool *cancelled; /* by job_cancel, or the server ends */
};
/* {"id","type","groups"} of who asked, for jobs that act with these rights; NULL: no memory. */
struct json_node *job_principal_json(struct rf_arena *arena, const struct principal *principal);
void job_principal_read(const struct json_node *json, struct rf_arena *arena,
                        struct principal *out);

/* purge.c, search_job.c */
RF_MUST_USE enum rf_kind purge_run(struct job *job, struct rf_err *err);
RF_MUST_USE enum rf_kind search_job_run(struct job *job, struct rf_err *err);

#endif
