/* report.h - results of tests for machines. Nothing in them depends on when or how fast the tests ran. */
#ifndef RF_LAB_REPORT_H
#define RF_LAB_REPORT_H

#include "lab/test.h"

struct lab_counts {
    uint32_t passed, failed, broken, skipped;
};
struct lab_counts lab_count(const struct lab_result *results, uint32_t count);
const char *lab_status_name(enum lab_status status); /* passed, failed, broken, skipped */

/* {"tests":[{"name","file","line","status","why","messages":[{"file","line","text"}],"clock":{"start","end"},"rules":[...],
 * "incidents":[...],"alerts":[...]}],"passed","failed","broken","skipped"}; `coverage` (may be NULL) becomes a member. NULL: no memory. */
struct json_node *lab_report_json(const struct lab_tests *tests, const struct lab_result *results,
                                  const struct json_node *coverage, struct rf_arena *arena);
/* JUnit's XML, as continuous integration reads it: a testsuite for each file. */
void lab_report_junit(struct rf_buf *buf, const struct lab_tests *tests,
                      const struct lab_result *results);
/* "file:line: text" of a message. */
void lab_put_message(struct rf_buf *buf, const struct lab_test *test,
                     const struct lab_message *message);

#endif
