/* rule.h - an analytics rule as the detection engine needs it, read from either of its two spellings: the document of the
 * API (contracts: Microsoft.SecurityInsights/alertRules, kinds Scheduled and NRT) and the YAML of public collections, which
 * rule_from_yaml turns into the former.
 *
 * Pure functions: no state, no clock, any thread. */
#ifndef RF_SIEM_RULE_H
#define RF_SIEM_RULE_H

#include "base/json_tree.h"

enum rule_kind { RULE_SCHEDULED, RULE_NRT };
enum rule_operator { RULE_GT, RULE_LT, RULE_EQ, RULE_NE };
enum rule_match { RULE_MATCH_ALL_ENTITIES, RULE_MATCH_ANY_ALERT, RULE_MATCH_SELECTED };
enum {
    RULE_QUERY_CHARS_MAX = 10000, /* code points */
    RULE_THRESHOLD_MAX = 10000,
    RULE_ENTITIES_MAX = 10,
    RULE_FIELDS_MAX = 3,
    RULE_DETAILS_MAX = 20,
    RULE_NAME_FORMAT_BYTES_MAX = 256,
    RULE_DESCRIPTION_BYTES_MAX = 5000,
    RULE_FORMAT_COLUMNS_MAX = 3 /* {{Column}} in each of the two formats */
};

struct rule_field { /* one identifier of an entity: FullName <- AccountName */
    rf_str identifier, column;
};
struct rule_entity { /* entityMappings */
    rf_str type;     /* with the casing of the contract: "Account", "IP" */
    struct rule_field *fields;
    uint32_t field_count;
};
struct rule_detail { /* customDetails: name <- column */
    rf_str name, column;
};
struct rule_property { /* alertDetailsOverride.alertDynamicProperties */
    rf_str property, column;
};

/* Texts that name one of a fixed set (severity, tactics, entity types) have the casing of the contract. */
struct rule {
    rf_str id; /* last segment of the resource id; of YAML: its id */
    rf_str name, description, severity, query;
    rf_str name_format, description_format, tactics_column, severity_column; /* empty: not given */
    int64_t frequency_ticks, period_ticks; /* NRT: one minute both */
    int64_t trigger_threshold;
    int64_t start_usec; /* startTimeUtc; 0: none */
    int64_t suppression_ticks, lookback_ticks;
    rf_str *tactics, *techniques, *sub_techniques;
    struct rule_entity *entities;
    rf_str *sentinel_entity_columns; /* sentinelEntitiesMappings */
    struct rule_detail *details;
    struct rule_property *properties;
    rf_str *match_entities, *match_alert_details, *match_custom_details;
    uint32_t tactic_count, technique_count, sub_technique_count;
    uint32_t entity_count, sentinel_entity_count, detail_count, property_count;
    uint32_t match_entity_count, match_alert_detail_count, match_custom_detail_count;
    uint32_t query_line; /* in a file of YAML, 1-based; 0: not known */
    enum rule_kind kind;
    enum rule_operator trigger_operator; /* NRT: more than 0 */
    enum rule_match match;
    bool enabled, suppression, alert_per_result;
    bool create_incident, group,
        reopen_closed; /* incidentConfiguration; create_incident true by default */
};

/* Reads {"kind","properties":{...}} whose rule may be stored. Everything is in `arena` or a view of `document`. RF_INVALID
 * BadRequest (the API answers 400) with the member at fault in the text, and its line in a document made of YAML: what
 * contracts/sentinel section 1 says of required members, ranges, names and counts. Whether the query binds, and whether mapped
 * columns exist, is not looked at here. */
RF_MUST_USE enum rf_kind rule_parse(const struct json_node *document, rf_str id,
                                    struct rf_arena *arena, struct rule *out, struct rf_err *err);
/* The same for a rule that is only to be run over recorded data, such as a hunting query: nothing but the query is required
 * (frequency_ticks and period_ticks are 0 then), ranges and counts are not looked at, and names that are not known stay as they
 * are. What is there must still have its form. */
RF_MUST_USE enum rf_kind rule_read_loose(const struct json_node *document, rf_str id,
                                         struct rf_arena *arena, struct rule *out,
                                         struct rf_err *err);
/* Fills in what the API shows of members that were left out (eventGroupingSettings, incidentConfiguration ...). */
RF_MUST_USE enum rf_kind rule_defaults(struct json_node *document, struct rf_arena *arena,
                                       struct rf_err *err);
/* The document of the API for a rule in YAML (a tree of yaml_parse_texts, of yaml_parse, or the same as JSON): short durations become ISO ones,
 * gt GreaterThan, relevantTechniques techniques and subTechniques, tactics lose their blanks; enabled is true and
 * suppression off unless given. Nothing else is filled in, so that rule_parse says what the file lacks. RF_INVALID NotARule
 * without a query; RF_INVALID BadRule names the member. A rule without kind is Scheduled. `id` (may be NULL): the rule's own. */
RF_MUST_USE enum rf_kind rule_from_yaml(const struct json_node *yaml, struct rf_arena *arena,
                                        struct json_node **document, rf_str *id,
                                        struct rf_err *err);
/* Whether so many rows trigger it. */
bool rule_triggers(const struct rule *rule, uint64_t row_count);

/* ---- the columns that a rule needs in its query's result ---------------------------------------------------------------- */

/* The number-th column that mappings, details and formats name, in the order of the document, repeats included; false when
 * there are no more. *what (may be NULL): the member that names it, such as "entityMappings" (static). */
bool rule_column(const struct rule *rule, uint32_t number, rf_str *column, const char **what);
/* The next {{Column}} of a format at or after *at, which moves behind it; false when there is none. `from` (may be NULL):
 * where it begins. */
bool rule_format_next(rf_str format, size_t *at, size_t *from, rf_str *column);

/* ---- names that other parts of detection check, too ---------------------------------------------------------------------- */

/* The name with the casing of the contract, NULL when it is none. */
const char *rule_severity_name(rf_str text);       /* High, Medium, Low, Informational */
const char *rule_tactic_name(rf_str text);         /* blanks and hyphens are left aside */
bool rule_is_technique(rf_str text, bool *is_sub); /* T1110, T1110.001 */

#endif
