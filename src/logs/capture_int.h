/* capture_int.h - what the files of capture share. */
#ifndef RF_CAPTURE_INT_H
#define RF_CAPTURE_INT_H

#include <pthread.h>

#include "logs/capture.h"

enum {
    CAPTURE_THREADS = 2,
    CAPTURE_EVENTS_MAX = 1 << 15,   /* of a batch */
    CAPTURE_READ_BYTES = 4 << 20,   /* the same, as they lie in the log */
    CAPTURE_BATCH_BYTES = 512 << 20 /* memory of a batch */
};

/* One flow into one table. */
struct capture_target {
    const struct rule_flow *flow;
    rf_str workspace;
    uint64_t source; /* of its mark */
    int64_t next;    /* -1: none yet */
};

struct capture_source;
struct capture_part {
    struct capture_source *source;
    uint32_t partition;
    /* Under captures->lock. */
    bool ready, busy, waiting;
    uint64_t turn;
    rf_usec not_before; /* elapsed: it failed */
    struct hub_waiter waiter;
    /* Of who has it busy. */
    struct rf_arena arena; /* of the targets */
    struct rule *rule;     /* the targets are its; NULL: not read yet */
    struct capture_target *targets;
    uint32_t target_count;
    int64_t dead_next; /* the mark of its dead letters */
    int64_t next;      /* all targets have what lies before it */
    uint32_t take; /* events of the next batch at most: fewer while one is looked for that fails */
    rf_usec told;  /* elapsed: when a failure was told last; 0: it works */
};
struct capture_source {
    struct capture_source *next;
    struct captures *captures;
    struct rf_arena arena;
    rf_str name; /* rule|hub id|group: what marks are made of */
    rf_str rule, stream, group;
    struct hub *hub;
    struct capture_part **parts;
    uint32_t part_count;
    bool gone;
};
struct captures {
    struct logs *logs;
    pthread_mutex_t lock;
    pthread_cond_t changes;
    struct capture_source *sources;
    uint64_t turns;
    bool due, refreshing;
    atomic_bool stopping;
    pthread_t threads[CAPTURE_THREADS];
    uint32_t thread_count;
};

/* Captures some events. False: there is nothing more at the moment, or it failed and waits. */
bool capture_batch(struct capture_part *part);

/* capture_marks.c: notes where the marks of its source are, before the first of them is made; `dead`: of its dead letters. */
RF_MUST_USE enum rf_kind capture_note_marks(const struct capture_part *part, uint64_t dead,
                                            struct rf_err *err);
/* Marks of rules that are gone go too. No source of theirs is at work. */
RF_MUST_USE enum rf_kind capture_forget_marks(struct logs *logs, struct rf_err *err);

/* Makes rows of the dead letter table of the events that are marked, with numbers from `from` on; *batch_count 0: none is. */
RF_MUST_USE enum rf_kind capture_dead_rows(const struct capture_part *part,
                                           const struct capture_event *events, uint32_t count,
                                           int64_t from, int64_t now_ticks, struct rf_arena *arena,
                                           struct schema *schema, struct batch **out,
                                           uint32_t *batch_count, struct rf_err *err);

#endif
