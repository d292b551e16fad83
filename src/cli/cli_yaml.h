/* cli_yaml.h - Sentinel's YAML for analytics rules and hunting queries. */
#ifndef RF_CLI_YAML_H
#define RF_CLI_YAML_H

#include "base/rf.h"

struct cli_rule_field { /* one identifier of an entity: FullName <- AccountName */
    rf_str identifier, column;
};
struct cli_rule_entity { /* entityMappings */
    rf_str type;
    struct cli_rule_field *fields;
    uint32_t field_count;
};
struct cli_rule_detail { /* customDetails: name <- column */
    rf_str name, column;
};

enum cli_rule_operator { RULE_GT, RULE_LT, RULE_EQ, RULE_NE };

/* What a rule file says; texts are empty and numbers 0 where it says nothing. */
struct cli_rule {
    rf_str id, name, description, kind, severity, query;
    uint32_t
        query_line; /* line of the file on which the query's first line stands; 0 when unknown */
    int64_t frequency_ticks, period_ticks; /* queryFrequency, queryPeriod */
    enum cli_rule_operator trigger_operator;
    int64_t trigger_threshold;
    bool enabled;
    rf_str *tactics;
    uint32_t tactic_count;
    rf_str *techniques;
    uint32_t technique_count;
    struct cli_rule_entity *entities;
    uint32_t entity_count;
    struct cli_rule_detail *details;
    uint32_t detail_count;
};

/* Reads one rule from YAML text. Everything is allocated in `arena`.
 * Errors: RF_INVALID BadYaml with line and column, BadRule naming the field, NotARule when there is no query; RF_LIMIT
 * YamlTooDeep, YamlTooLarge, MemoryBudgetExceeded. Fields it does not know are left aside. Aliases are refused: no rule needs them, and they
 * are how a small file becomes a huge one. */
RF_MUST_USE enum rf_kind cli_rule_parse(rf_str yaml, struct rf_arena *arena, struct cli_rule *out,
                                        struct rf_err *err);

#endif
