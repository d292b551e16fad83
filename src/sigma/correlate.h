/* correlate.h - correlation rules over the matches of rules in one file.
 *
 * The matching events are collected with their times, groups and values, and looked at in the order of time when the file
 * has ended. A window ends with each time at which the group has an event, and holds the events of [t - timespan, t]. A correlation
 * fires at t when that window meets the condition and the one before it did not, or lies more than the timespan back: a burst counts
 * once. To fire is an event itself, with the group's fields, for correlations of correlations.
 *
 * What must be exact in KQL (compile_correlation.c) is defined by times alone: events of one time are one step.
 *
 * An event takes no part when it has no time, lacks a field of group-by or has it empty, or lacks the value that the condition looks
 * at (for sums, averages and percentiles: a number). */
#ifndef RF_SIGMA_CORRELATE_H
#define RF_SIGMA_CORRELATE_H

#include "sigma/match.h"

struct correlator;

/* Gives the fields of groups and conditions their slots; once per matcher, before the first run. */
RF_MUST_USE enum rf_kind correlator_add_fields(const struct sigma_set *set, struct matcher *matcher,
                                               struct rf_err *err);
/* *out is NULL when the set has no correlation. Allocates in `arena`. */
RF_MUST_USE enum rf_kind correlator_new(const struct sigma_set *set, struct matcher *matcher,
                                        struct rf_arena *arena, struct correlator **out,
                                        struct rf_err *err);
/* Takes the rules that the reader's present event matches. Counts into *without_time an event that a correlation wants and
 * that has no time. Errors: MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind correlator_add(struct correlator *correlator, struct event_reader *reader,
                                        const uint32_t *numbers, uint32_t count,
                                        uint64_t *without_time, struct rf_err *err);
/* At the end: calls fired(ctx, rule, line of the last event of that time) in the order of time for each correlation. */
RF_MUST_USE enum rf_kind correlator_finish(struct correlator *correlator,
                                           enum rf_kind (*fired)(void *ctx, uint32_t rule,
                                                                 uint64_t line, struct rf_err *err),
                                           void *ctx, struct rf_err *err);

#endif
