/* clock.h - what time it is, through a seam, so that tests and replays choose it. */
#ifndef RF_CLOCK_H
#define RF_CLOCK_H

#include "base/rf.h"

typedef int64_t
    rf_usec; /* microseconds; a point in time counts from 1970 UTC, durations say so by name */

#define RF_USEC_PER_MS INT64_C(1000)
#define RF_USEC_PER_SECOND INT64_C(1000000)

struct rf_clock {
    rf_usec (*now)(struct rf_clock *clock);     /* UTC; may jump when somebody sets the clock */
    rf_usec (*elapsed)(struct rf_clock *clock); /* never goes back; counts from anywhere */
};

static inline rf_usec rf_clock_now(struct rf_clock *clock) { return clock->now(clock); }
static inline rf_usec rf_clock_elapsed(struct rf_clock *clock) { return clock->elapsed(clock); }

/* The operating system's clock. Never freed. */
struct rf_clock *rf_clock_real(void);
/* CPU time that this process has used so far, all threads. */
rf_usec rf_clock_cpu(void);

/* A clock that stands still, or moves by `step` with each look at it; set and jumped at will. Safe
 * from any thread. */
struct rf_clock_fixed {
    struct rf_clock clock;
    _Atomic rf_usec now, elapsed, step;
};
void rf_clock_fixed_init(struct rf_clock_fixed *fixed, rf_usec now, rf_usec step);
/* Time passes: both the date and the elapsed time move on. */
void rf_clock_fixed_pass(struct rf_clock_fixed *fixed, rf_usec duration_usec);
/* Somebody sets the date; no time passes. */
void rf_clock_fixed_jump(struct rf_clock_fixed *fixed, rf_usec now);

#endif
