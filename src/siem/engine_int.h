/* engine_int.h - what runs rules: their list, the runs of scheduled rules, near-real-time rules, the outbox.
 *
 * Threads: runners take the scheduled rule that is due longest; one thread for each workspace with near-real-time rules
 * follows its commits; one keeps house (rows of the outbox, runs that take too long). The list of rules is under
 * engine.lock; an item lives as long as somebody has a reference. */
#ifndef RF_SIEM_ENGINE_INT_H
#define RF_SIEM_ENGINE_INT_H

#include <pthread.h>

#include "siem/alert.h"
#include "siem/incident.h"
#include "siem/position.h"
#include "siem/siem.h"
#include "tables/ask.h"

enum {
    RUNNERS_MAX = 8,
    RULE_FAILURES_MAX = 10, /* runs in a row that failed for good: the rule is disabled */
    RULE_ON_DEMAND_MAX = 16,
    CATCH_UP_RUNS_MAX = 10000, /* runs that were due while nobody ran them */
    RULE_ROWS_MAX = 100000     /* of a result that alerts are made of */
};
#define RULE_MEMORY_BYTES ((size_t)1 << 30)
#define RULE_RUN_USEC (600 * RF_USEC_PER_SECOND)
#define RULE_LATE_USEC (24 * 3600 * RF_USEC_PER_SECOND) /* unless options say something else */
#define RULE_NRT_QUIET_USEC (60 * RF_USEC_PER_SECOND)   /* after alerts: one run a minute */
#define RULE_CHECKPOINT_USEC (5 * RF_USEC_PER_SECOND)

struct place { /* a workspace */
    rf_str id, guid, name, subscription, group;
};

struct engine_rule {
    struct engine_rule *next;
    atomic_uint refs;
    struct rf_arena arena; /* of all texts */
    struct rule rule;
    rf_str id, key; /* ARM id; lower case */
    uint64_t etag;
    struct place place;
    bool looked_at;               /* the query was bound: what follows is known */
    bool by_rows;                 /* each row stands for itself */
    struct row_literals literals; /* of by_rows: what a row must hold to raise an alert */
    rf_str *tables;               /* near-real-time: what the query reads */
    uint32_t table_count;
    /* Under engine.lock. */
    bool gone, running;
    int64_t next_ticks; /* end of the window that is due next */
    rf_usec retry_at;   /* a run failed for the moment: not before, elapsed time; 0: it did not */
    uint32_t tries;
    rf_usec on_demand[RULE_ON_DEMAND_MAX];
    uint32_t on_demand_count;
    rf_usec began; /* elapsed time of the run that is under way */
    atomic_bool cancelled;
};

struct nrt; /* follows the commits of one workspace */

struct engine {
    struct siem_options options;
    rf_usec delay;      /* between the end of a window and its run */
    int64_t late_ticks; /* rows that are older than their window by more come too late */
    pthread_mutex_t lock;
    pthread_cond_t due;   /* rules or their times have changed */
    pthread_cond_t hurry; /* the outbox has rows, or the engine stops */
    struct engine_rule *rules;
    struct nrt *followers;
    bool match_off; /* tests: every near-real-time rule runs on every commit */
    bool stopping;
    bool dirty, reloading; /* rules are to be read anew; one runner does */
    bool outbox_filled;
    bool
        outbox_checked; /* rows left by the process before, or by a write that failed, were looked for in their tables */
    pthread_t runners[RUNNERS_MAX], keeper;
    uint32_t runner_count;
    bool has_keeper;
};

RF_MUST_USE enum rf_kind engine_new(const struct siem_options *options, struct engine **out,
                                    struct rf_err *err);
RF_MUST_USE enum rf_kind engine_start(struct engine *engine, struct rf_err *err);
/* Ends all threads; again is harmless. */
void engine_stop(struct engine *engine);
void engine_free(struct engine *engine); /* NULL is fine */
/* What a runner does in one turn: reads changed rules, or runs one that is due; false when there is nothing to do now. For
 * tests, which start no threads. */
bool engine_step(struct engine *engine);
/* When engine_step has something to do next; INT64_MAX: when rules change. */
rf_usec engine_next(struct engine *engine);
/* Writes the rows that wait in the outbox, as the thread that keeps house does; false: there were none. */
bool engine_settle(struct engine *engine);
/* A rule or workspace was written or deleted. */
void engine_changed(struct engine *engine);
/* One more run, with a window that ends at `at`. RF_NOT_FOUND RuleNotFound, RF_LIMIT TooManyRuns. */
RF_MUST_USE enum rf_kind engine_run_on_demand(struct engine *engine, rf_str rule_key, rf_usec at,
                                              struct rf_err *err);
/* The outbox has got rows. */
void engine_outbox_filled(struct engine *engine);

/* ---- runs.c -------------------------------------------------------------------------------------------------------------- */

static inline int64_t ticks_of(rf_usec usec)
{
    return DATETIME_UNIX_EPOCH + usec * TICKS_PER_MICROSECOND;
}
static inline rf_usec usec_of(int64_t ticks)
{
    return (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
}

/* How a run ended. */
struct run_end {
    enum rf_kind kind;
    struct rf_err err;
    bool for_good; /* of an error: the next run will fail as well */
    uint64_t row_count;
    uint32_t alert_count;
    rf_usec duration;
};
/* The run that is due, and those of windows that late rows fell into. Changes and stores the rule's position; *next is the end of
 * the window that comes then. */
void run_scheduled(struct engine *engine, struct engine_rule *rule, int64_t to_ticks,
                   int64_t *next_ticks, struct run_end *end);
/* A run that somebody asked for. When the scheduled one is due as well, it stands for both. */
void run_on_demand(struct engine *engine, struct engine_rule *rule, rf_usec at, int64_t *next_ticks,
                   struct run_end *end);

/* What is asked by a run, and under which name its alerts are known. */
struct run {
    struct engine *engine;
    struct engine_rule *rule;
    struct rf_arena *arena;
    struct ask_view *view; /* NULL: opened for this run */
    struct ask ask;
    int64_t from_ticks, to_ticks; /* as alerts tell */
    rf_str run_id;
    int64_t windows
        [2]; /* of the schedule, by their ends: what they showed, the run does not show; the first is not after the run */
    uint32_t window_count;
    struct position position;
};
/* Asks. */
RF_MUST_USE enum rf_kind run_ask(struct run *run, struct answer *out, struct rf_err *err);
/* Makes alerts of an answer that triggers, and commits them with the position. *alert_count: how many. */
RF_MUST_USE enum rf_kind run_commit(struct run *run, const struct answer *answer, bool triggers,
                                    uint32_t *alert_count, struct rf_err *err);

/* ---- health.c ------------------------------------------------------------------------------------------------------------ */

/* A row of SentinelHealth about a run. */
void health_run(struct engine *engine, const struct engine_rule *rule, const struct run_end *end,
                int64_t from_ticks, int64_t to_ticks);
/* Disables a rule that failed too often: its name begins with AUTO DISABLED, its description says why. */
void health_disable(struct engine *engine, const struct engine_rule *rule,
                    const struct rf_err *why);

/* ---- nrt.c ---------------------------------------------------------------------------------------------------------------- */

/* Makes a follower for each workspace that has near-real-time rules and none yet, and tells all that rules have changed. */
void nrt_changed(struct engine *engine);
void nrt_stop(struct engine *engine);
/* With options.by_hand: what the followers' threads do in one round, and when the next one is due if no rows come. */
void nrt_step(struct engine *engine);
rf_usec nrt_next(struct engine *engine);

/* ---- outbox.c ------------------------------------------------------------------------------------------------------------ */

/* Appends what is there to its tables; *left: some could not be written. `check`: rows may be there already. */
RF_MUST_USE enum rf_kind outbox_flush(struct state *state, struct tables *tables, bool check,
                                      int64_t now_ticks, bool *left, struct rf_err *err);

/* ---- engine.c ------------------------------------------------------------------------------------------------------------ */

/* Fills in looked_at and what follows it; tables of a near-real-time rule in `arena`. A query that does not bind stays unknown, and
 * says why when it runs. */
void engine_look_at_query(struct engine *engine, struct engine_rule *rule, struct ask_view *view,
                          struct rf_arena *arena);
struct engine_rule *engine_rule_ref(struct engine_rule *rule);
void engine_rule_unref(struct engine_rule *rule);

#endif
