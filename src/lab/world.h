/* world.h - a workspace that lives for one experiment: temporary files, a clock of its own, and the detection engine of the server
 * run step by step, so that what rules do here is what they do there. Nothing is synced, no thread runs, and the same rules
 * and rows at the same times lead to the same alerts and incidents, ids included.
 *
 *   lab_world_new; tables, rules; lab_world_append and lab_world_pass in turns; lab_world_outcome; lab_world_free
 *
 * One thread per world; worlds know nothing of each other. */
#ifndef RF_LAB_WORLD_H
#define RF_LAB_WORLD_H

#include "base/clock.h"
#include "lab/functions.h"
#include "lab/watchlists.h"
#include "tables/tables.h"

struct lab_world;
struct lab_world_options {
    rf_usec start;                         /* what the clock says at first; it only goes on */
    rf_usec delay;                         /* as siem_options.rule_delay */
    const struct lab_functions *functions; /* NULL: none; borrowed, as the lists */
    const struct lab_watchlists *lists;
    bool no_suppression; /* rules raise what suppression would keep back */
};
/* Makes its folder under $TMPDIR, or /tmp. */
RF_MUST_USE enum rf_kind lab_world_new(const struct lab_world_options *options,
                                       struct lab_world **out, struct rf_err *err);
void lab_world_free(struct lab_world *world); /* removes the folder; NULL is fine */
const char *lab_world_folder(const struct lab_world *world);
rf_usec lab_world_now(struct lab_world *world);
/* Before there are rules; false: it would go back. */
bool lab_world_set_clock(struct lab_world *world, rf_usec at);

/* As tables_find; the definition lives as long as the world. */
RF_MUST_USE enum rf_kind lab_world_table(struct lab_world *world, rf_str name,
                                         struct table_def *out, struct rf_err *err);
RF_MUST_USE enum rf_kind lab_world_tables(struct lab_world *world, struct rf_arena *arena,
                                          struct table_def **out, uint32_t *count,
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind lab_world_define(struct lab_world *world, const struct table_def *def,
                                          struct rf_err *err);

/* A rule as rule_from_yaml makes it, enabled; `name` is the last segment of its resource id. Refused as the API refuses it. */
RF_MUST_USE enum rf_kind lab_world_add_rule(struct lab_world *world,
                                            const struct json_node *document, rf_str name,
                                            struct rf_err *err);
/* Rows arrive now. */
RF_MUST_USE enum rf_kind lab_world_append(struct lab_world *world, rf_str table,
                                          const struct schema *schema, const struct batch *batch,
                                          struct rf_err *err);
/* Does what is due now. */
void lab_world_step(struct lab_world *world);
/* Sets the clock to the next time at which something is due, at most `until`; false: it is there and nothing is due before. */
bool lab_world_pass(struct lab_world *world, rf_usec until);

/* ---- what came of it --------------------------------------------------------------------------------------------------- */

/* Runs of a rule. */
struct lab_runs {
    rf_str rule; /* the name it was added by */
    uint64_t
        runs; /* that were noted: all of scheduled rules, those with alerts or errors of others */
    uint64_t rows_max; /* of one run's result */
    uint64_t failures;
    rf_str code, text; /* of the first failure */
    rf_str failed_at;  /* its time */
};
/* {"incidents":[...], "alerts":[...]}, both in the order in which they came; alerts are those of all rules. An incident:
 * {"title","severity","status","rule","description","created","first","last","alerts","rows","tactics":[],"techniques":[],
 * "entities":[{"type":"Account",...}],"details":{name:[text...]}}. An alert has the same members but status and alerts, and
 * "incident", the number of its incident from 1 on, 0 when it has none. */
RF_MUST_USE enum rf_kind lab_world_outcome(struct lab_world *world, struct rf_arena *arena,
                                           struct json_node **out, struct rf_err *err);
/* Of each rule that ran, in the order of their first runs; they live as long as the world. */
const struct lab_runs *lab_world_runs(const struct lab_world *world, uint32_t *count);
/* The first table of a query's answer, as [[cell...]...] with texts for all but numbers, truth values, nulls and dynamics. */
RF_MUST_USE enum rf_kind lab_world_ask(struct lab_world *world, rf_str text, struct rf_arena *arena,
                                       struct json_node **columns, struct json_node **rows,
                                       struct rf_err *err);

/* What a query reads: the tables' columns that its scans ask for. */
struct lab_read {
    rf_str table;
    rf_str *columns;
    uint32_t column_count;
};
/* Errors as kql_run. */
RF_MUST_USE enum rf_kind lab_world_reads(struct lab_world *world, rf_str query,
                                         struct rf_arena *arena, struct lab_read **out,
                                         uint32_t *count, struct rf_err *err);

#endif
