/* scan.h - rules over a file of events: what each rule matches, and what correlations make of that. */
#ifndef RF_SIGMA_SCAN_H
#define RF_SIGMA_SCAN_H

#include "sigma/match.h"

enum { SCAN_FIRST_LINES = 5, SCAN_LAYOUTS_MAX = 16 };

/* What one rule of the set found in one file. */
struct scan_result {
    uint64_t matches;
    uint64_t first_lines[SCAN_FIRST_LINES];
};

/* A set of rules, compiled for each layout that comes along. Safe from any thread. */
struct scan_rules;
RF_MUST_USE enum rf_kind scan_rules_new(const struct sigma_set *set, struct scan_rules **out,
                                        struct rf_err *err);
void scan_rules_free(struct scan_rules *rules); /* NULL is fine */

/* What one thread keeps from file to file. */
struct scan_worker;
RF_MUST_USE enum rf_kind scan_worker_new(struct scan_rules *rules, struct scan_worker **out,
                                         struct rf_err *err);
void scan_worker_free(struct scan_worker *worker); /* NULL is fine */
struct match_stats scan_worker_stats(const struct scan_worker *worker);

struct scan_job {
    const char *path;            /* "-" is standard input */
    const struct layout *layout; /* NULL: recognised by the first lines; set then */
    struct scan_result *results; /* by the rules' numbers; zeroed by the caller */
    uint64_t events, bad_lines, first_bad_line, without_time;
    const char *bad_reason;
    /* May be NULL. Called in the order of lines; the text is the event's line. An error ends the scan. */
    enum rf_kind (*on_match)(void *ctx, struct scan_job *job, uint32_t rule, uint64_t line,
                             rf_str event, struct rf_err *err);
    void *ctx;
};
/* Errors: those of input.h; RF_INVALID UnknownLayout; RF_LIMIT LineTooLong, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind scan_file(struct scan_worker *worker, struct scan_job *job,
                                   struct rf_err *err);

#endif
