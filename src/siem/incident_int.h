/* incident_int.h - what the files about incidents share. */
#ifndef RF_SIEM_INCIDENT_INT_H
#define RF_SIEM_INCIDENT_INT_H

#include "siem/incident.h"

#define SPACE_INCIDENT "siem.incident"
#define SPACE_ALERT "siem.alert"
#define SPACE_COMMENT "siem.comment"
#define SPACE_TASK "siem.task"
#define SPACE_RELATION "siem.relation"
#define SPACE_BOOKMARK "siem.bookmark"
#define SPACE_COUNTER "siem.counter"
#define PROVIDER_PATH "/providers/Microsoft.SecurityInsights"

enum { INCIDENT_NUMBER_MAX = 2147483647 }; /* IncidentNumber is an int */

extern const char *const incident_statuses[];        /* New, Active, Closed */
extern const char *const incident_classifications[]; /* Undetermined ... */
extern const char *const incident_reasons[];

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

/* "workspace|part", in lower case; ptr NULL on lack of memory. */
rf_str incident_word(const struct incident_place *place, rf_str part, struct rf_arena *arena);
/* Of comments, tasks and relations. */
rf_str incident_child_key(const struct incident_place *place, rf_str incident, rf_str name,
                          struct rf_arena *arena);
rf_str incident_number_key(const struct incident_place *place, int64_t number,
                           struct rf_arena *arena);
rf_str incident_scope(const struct incident_place *place, struct rf_arena *arena);
/* `"0000000000000012"` with its quotes. */
rf_str incident_etag(struct rf_arena *arena, uint64_t etag);
/* A new incident with what it always has; title and the like are still to be set. Its number is taken. */
RF_MUST_USE enum rf_kind incident_new(struct state_txn *txn, const struct incident_place *place,
                                      rf_str name, rf_usec now, struct rf_arena *arena,
                                      struct incident *out, struct rf_err *err);
/* A body as the API shows it. */
struct json_node *incident_show(const struct incident *incident, struct rf_arena *arena);
/* What was read under a key; RF_OK for all that state_list gives. */
RF_MUST_USE enum rf_kind incident_of(const struct state_object *object, struct rf_arena *arena,
                                     struct incident *out, struct rf_err *err);
struct json_node *incident_private(struct incident *incident, struct rf_arena *arena);
struct json_node *incident_list_in(struct json_node *object, const char *name,
                                   struct rf_arena *arena);
/* Appends a text to a list unless it is there, ASCII case ignored. */
bool incident_add_text(struct json_node *list, rf_str text, struct rf_arena *arena);
bool incident_drop_text(struct json_node *list, rf_str text);
bool incident_has_text(const struct json_node *list, rf_str text);
/* Appends the items of a column: "A, B" or ["A","B"]. False: no memory. */
bool incident_add_words(struct json_node *list, rf_str text, struct rf_arena *arena);

/* ---- incident_alert.c: alerts as they are kept ---------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind alert_load(struct state_txn *txn, const struct incident_place *place,
                                    rf_str id, struct rf_arena *arena, struct json_node **out,
                                    struct rf_err *err);
/* Stores the body under its id, with its indexes. */
RF_MUST_USE enum rf_kind alert_store(struct state_txn *txn, const struct incident_place *place,
                                     struct json_node *body, rf_usec now, struct rf_arena *arena,
                                     struct rf_err *err);
/* Joins an alert to an incident's document, or takes it off: lists, tactics, times; the alert itself is stored. */
RF_MUST_USE enum rf_kind alert_join(struct state_txn *txn, const struct incident_place *place,
                                    struct incident *incident, struct json_node *alert, rf_usec now,
                                    struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind alert_leave(struct state_txn *txn, const struct incident_place *place,
                                     struct incident *incident, rf_str alert_id, rf_usec now,
                                     struct rf_arena *arena, struct rf_err *err);

/* ---- incident_row.c ----------------------------------------------------------------------------------------------------------- */

/* Puts the row of SecurityIncident into the outbox. */
RF_MUST_USE enum rf_kind incident_write_row(struct state_txn *txn,
                                            const struct incident_place *place,
                                            const struct json_node *body,
                                            const struct incident_by *by, struct rf_arena *arena,
                                            struct rf_err *err);

#endif
