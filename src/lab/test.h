/* test.h - tests of rules: read from *.test.yaml, run in a world of their own, compared with what they expect. The form of the
 * files is described in docs/rule-tests.md. */
#ifndef RF_LAB_TEST_H
#define RF_LAB_TEST_H

#include "lab/rules.h"
#include "lab/world.h"

/* One case of a file. */
struct lab_test {
    const char *path;
    rf_str name;                  /* "file's name" or "file's name > case" */
    uint32_t line;                /* where the case begins */
    const struct json_node *file; /* NULL: the file cannot be read, `problem` says why */
    const struct json_node *node; /* the case; the file itself when it has no cases */
    struct rf_err problem;
};
struct lab_tests {
    struct rf_arena *arena;
    struct lab_test *items;
    uint32_t count, cap;
};
/* The file, or every test file of the folder and those below it, in the order of names. A file that cannot be read is a test
 * that fails. */
RF_MUST_USE enum rf_kind lab_tests_add(struct lab_tests *tests, const char *path,
                                       struct rf_err *err);

enum lab_status { LAB_PASSED, LAB_FAILED, LAB_BROKEN, LAB_SKIPPED };

struct lab_message {  /* why a test is not passed */
    uint32_t line;    /* of the test's file; 0: of the whole */
    const char *file; /* of another file, such as the rule's; NULL: the test's */
    rf_str text;
};
struct lab_table_data { /* what was recorded of a table */
    rf_str table;
    rf_str *columns; /* that some row fills */
    uint32_t column_count;
    uint64_t rows;
};
struct lab_rule_use {
    const struct lab_rule *rule;
    uint64_t runs, rows_max, failures;
    uint32_t alerts, incidents;
    struct lab_read *reads; /* what its query reads; NULL: it does not bind */
    uint32_t read_count;
    rf_str problem; /* why it does not bind */
};
struct lab_result {
    enum lab_status status;
    struct lab_message *messages;
    uint32_t message_count, message_cap;
    rf_str why;                 /* skipped: the word */
    struct json_node *outcome;  /* of lab_world_outcome; NULL: it was not run */
    struct json_node *expected; /* what --update writes */
    struct lab_rule_use *rules;
    uint32_t rule_count;
    struct lab_table_data *data;
    uint32_t data_count;
    rf_usec start, end;
};
struct lab_test_options {
    const struct lab_rules
        *instead; /* other versions of the rules; NULL: those that the test names */
    bool compare; /* with what is expected */
};
/* Runs it; everything in `arena`, rules included. Whatever goes wrong is in the result. One thread per arena. */
void lab_test_run(const struct lab_test *test, const struct lab_test_options *options,
                  struct rf_arena *arena, struct lab_result *out);

/* All of them, `jobs` at once: results[i] and arenas[i], which are initialised here and which the caller ends, are those of
 * tests->items[i]. What comes out does not depend on `jobs`. */
void lab_tests_run(const struct lab_tests *tests, const struct lab_test_options *options,
                   uint32_t jobs, struct rf_arena *arenas, struct lab_result *results);

/* ---- for the files of this module -------------------------------------------------------------------------------------- */

/* A member of the case, or else of the file. */
const struct json_node *lab_test_get(const struct lab_test *test, const char *name);
void lab_message_add(struct lab_result *result, struct rf_arena *arena, uint32_t line,
                     const char *fmt, ...) RF_PRINTF(4, 5);
/* Compares; adds messages. `world` answers the queries of `expect`. */
void lab_match(const struct json_node *expect, uint32_t line, struct lab_world *world,
               struct lab_result *result, struct rf_arena *arena);
/* What the outcome would be expected as; NULL: no memory. Keeps `exact`, `others` and queries of what was expected before. */
struct json_node *lab_expectation(const struct json_node *before, struct lab_world *world,
                                  const struct json_node *outcome, struct rf_arena *arena);
/* One line: Account {Name: ivo, UPNSuffix: contoso.com} */
void lab_put_entity(struct rf_buf *buf, const struct json_node *entity);
/* Only these members may be there: adds a message and gives false otherwise. */
bool lab_check_members(const struct json_node *node, const char *const *names, const char *what,
                       struct lab_result *result, struct rf_arena *arena);
/* 5m, 1h30m, 14d, PT5M, P1DT12H. */
bool lab_parse_duration(rf_str text, rf_usec *out);
/* 2024-05-31, 2024-05-31T10:00:00Z; also without Z, then UTC. */
bool lab_parse_time(rf_str text, rf_usec *out);

/* ---- --update ----------------------------------------------------------------------------------------------------------- */

/* The text of a test's file with `expected` in the place of the case's expectation, everything else as it was. Tests of one file
 * are given together, in the order of the file. */
RF_MUST_USE enum rf_kind lab_update_text(rf_str text, const struct lab_test *const *tests,
                                         const struct json_node *const *expected, uint32_t count,
                                         struct rf_arena *arena, rf_str *out, struct rf_err *err);

#endif
