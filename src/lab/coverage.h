/* coverage.h - what tests say about a repository of rules: which fired, which never did, which never could, and the techniques of
 * ATT&CK that they stand for. */
#ifndef RF_LAB_COVERAGE_H
#define RF_LAB_COVERAGE_H

#include "lab/test.h"

/* {"rules":[{"rule","title","path","tests","alerts","state","why"}], "techniques":[{"technique","tactics":[],"rules","tested",
 * "fired"}]} in the order of paths and techniques; "state" is fired, silent (tested, never fired), blind (tested, and could not:
 * no table that it reads has rows, or its one table lacks values that it asks for) or untested; "why" names the tables without
 * rows and the columns without values of those that did not fire. `rules` are those of the repository; the tests' come
 * on top. Everything in `arena`. */
RF_MUST_USE enum rf_kind lab_coverage(const struct lab_rules *rules,
                                      const struct lab_result *results, uint32_t result_count,
                                      struct rf_arena *arena, struct json_node **out,
                                      struct rf_err *err);
/* A layer for the ATT&CK Navigator: the score is the share of a technique's rules that fired, in per cent. */
RF_MUST_USE enum rf_kind lab_navigator_layer(const struct json_node *coverage,
                                             struct rf_arena *arena, struct json_node **out,
                                             struct rf_err *err);

/* What changed between two outcomes (lab_world_outcome), incidents and alerts without one: [{"change":"added"|"removed"|"changed",
 * "kind":"incident"|"alert", "item":{...}, "fields":[{"name","old","new"}]}]. */
RF_MUST_USE enum rf_kind lab_diff(const struct json_node *old, const struct json_node *new,
                                  struct rf_arena *arena, struct json_node **out,
                                  struct rf_err *err);

#endif
