/* alert.h - from the rows that a rule's query gave to alerts: entities, custom details, names made of columns.
 *
 * Pure functions over rows in memory; the same input gives the same alerts, ids included, so that a run that is repeated after
 * a crash is recognised. Any thread. Limits: contracts/sentinel section 1. */
#ifndef RF_SIEM_ALERT_H
#define RF_SIEM_ALERT_H

#include "base/clock.h"
#include "kql/plan.h"
#include "siem/rule.h"

enum {
    ALERTS_PER_RUN_MAX = 150, /* the last one stands for all rows when there are more */
    ALERTS_PER_NRT_RUN_MAX = 30,
    ALERT_ENTITIES_MAX = 500, /* shared equally by the mappings */
    ALERT_ENTITIES_BYTES_MAX = 64 << 10,
    ALERT_DETAIL_VALUES_MAX = 50,
    ALERT_DETAILS_BYTES_MAX = 2 << 10
};

/* One run of one rule. */
struct alert_run {
    rf_str workspace_id;           /* GUID */
    rf_str subscription_id, group; /* of the workspace */
    rf_str rule_resource_id;       /* ARM id of the rule */
    rf_str run_id; /* names this run for ever: position or due time; alert ids are made of it */
    int64_t from_ticks, to_ticks; /* window of the query */
    rf_usec now;                  /* TimeGenerated and ProcessingEndTime */
};

struct alert_entity {
    rf_str type; /* as in SecurityAlert.Entities: "account", "ip" */
    rf_str
        key; /* lower-case text that is equal exactly when two entities are the same: strong identifiers */
    struct json_node *body; /* {"$id","Name",...,"Type"} */
};
struct alert {
    rf_str id; /* SystemAlertId, GUID in lower case, made of rule, run and place */
    rf_str name, description, severity;
    rf_str *tactics, *techniques, *sub_techniques;
    uint32_t tactic_count, technique_count, sub_technique_count;
    rf_str product_name;
    int64_t start_ticks, end_ticks;
    struct alert_entity *entities;
    uint32_t entity_count;
    struct json_node *custom_details; /* {"name":["v",...]}; NULL: none */
    uint64_t row_count;               /* that it stands for */
    rf_str row;                       /* JSON object: the row of SecurityAlert */
};

/* The alerts of a run whose rule triggered (rule_triggers): one, or one for each row as eventGroupingSettings say; a rule that
 * triggers on no rows has one alert without entities. `schema` and `rows` are the query's result; a column that is not there
 * counts as empty. Everything in `arena`. RF_LIMIT MemoryBudgetExceeded only: what does not fit a limit of the contract is
 * cut, as Sentinel does. */
RF_MUST_USE enum rf_kind alerts_make(const struct rule *rule, const struct alert_run *run,
                                     const struct schema *schema, const struct rows *rows,
                                     struct rf_arena *arena, struct alert **out, uint32_t *count,
                                     struct rf_err *err);

/* ---- entities ------------------------------------------------------------------------------------------------------- */

/* The names with the casing of the contract, case ignored in the text; NULL: a mapping may not name it. `type` as mapped. */
const char *entity_type_name(rf_str type);
const char *entity_identifier_name(rf_str type, rf_str identifier);

/* Entities as alerts keep them: the array of SecurityAlert.Entities, and beside it their keys as texts. */
struct entity_view {
    const struct json_node *entities, *keys;
    rf_str workspace_id; /* GUID */
    rf_str scope;        /* .../providers/Microsoft.SecurityInsights */
};
/* The entity at `index` as the API shows it: {"id","name","type","kind","properties"}; references become ids of entities. NULL
 * on lack of memory and for an index out of range. */
struct json_node *entity_to_api(const struct entity_view *view, uint32_t index,
                                struct rf_arena *arena);
/* Its name there: a GUID made of workspace and key. ptr NULL on lack of memory. */
rf_str entity_name(rf_str workspace_id, rf_str key, struct rf_arena *arena);
/* The key of an entity of SecurityAlert.Entities. `all` (may be NULL) is the array that its references point into. ptr NULL on
 * lack of memory; empty when it is no entity of a type that we know. */
rf_str entity_key(const struct json_node *entity, const struct json_node *all,
                  struct rf_arena *arena);
/* The type as rules and incidents name it ("Account", "IP") of a type in SecurityAlert.Entities; NULL: unknown. */
const char *entity_mapping_of(rf_str type);

/* A GUID (version 8, RFC 9562) that is made of two texts; in lower case, ptr NULL on lack of memory. */
rf_str siem_guid(struct rf_arena *arena, rf_str space, rf_str text);

#endif
