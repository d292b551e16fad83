/* cli_rules.h - detection rules in files: loading a folder, running one rule at one time. */
#ifndef RF_CLI_RULES_H
#define RF_CLI_RULES_H

#include "kql/kql.h"
#include "siem/rule.h"

struct cli_rules {
    struct rule *items;
    const char **paths; /* the file of each */
    uint32_t count, cap;
};

/* Reads one rule, or hunting query, from YAML as rule_read_loose does. Errors: those of yaml_parse_texts, rule_from_yaml and
 * rule_read_loose, with the line. */
RF_MUST_USE enum rf_kind cli_rule_parse(rf_str yaml, struct rf_arena *arena, struct rule *out,
                                        struct rf_err *err);
/* Reads every .yaml and .yml file of the folder and the folders below it, or the one file that `path` names, in the
 * order of their names. A file without a query is left aside. Errors name the file. */
RF_MUST_USE enum rf_kind cli_rules_load(const char *path, struct rf_arena *arena,
                                        struct cli_rules *out, struct rf_err *err);

/* What one run of a rule gave. */
struct cli_rule_run {
    struct schema schema;
    struct rows *rows;
    bool triggered; /* the number of rows meets the rule's trigger */
};
/* Runs the rule's query over the rows of (at - queryPeriod, at]. `request` gives everything but text and times. The result is
 * allocated in `arena`. */
RF_MUST_USE enum rf_kind cli_rule_run(const struct rule *rule, const struct kql_request *request,
                                      int64_t at_ticks, struct rf_arena *arena,
                                      struct cli_rule_run *out, struct rf_err *err);

#endif
