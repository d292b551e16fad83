/* incident.h - incidents: what the engine does with an alert, how they are kept and changed, and the API.
 *
 * State:
 *   "siem.incident"  key = lower-case id of the workspace "|" 9999999999 less the number, ten digits: newest first; body = the
 *                    incident as the API shows it, and under "_" what it does not: {"alerts":[SystemAlertId],"bookmarks":[name],
 *                    "rule":"lower-case id of the rule","group":"what alerts must be alike in","firstModified","closed"};
 *                    indexes: "name" = workspace|guid, "group" = workspace|group, "rule" = workspace|rule, "status" =
 *                    workspace|status in lower case, and workspace|open while it is not Closed
 *   "siem.alert"     key = SystemAlertId, body = {"row":{..},"keys":[keys of its entities],"workspace":"its ARM id",
 *                    "incidents":[guid]}: what incidents show of their alerts without asking tables; indexes: "workspace" = its
 *                    lower-case id, "entity" = workspace|name of an entity, "due" = the day (2024-05-31) of an alert that no
 *                    incident names. Kept while an incident names it, and 30 days otherwise
 *   "siem.comment", "siem.task", "siem.relation"  key = workspace|incident guid|name; body = the document
 *   "siem.bookmark"  key = workspace|name in lower case; body = the document
 *   "siem.counter"   key = "incident|" workspace, body = {"number","created"}: the last ones given out
 *
 * Times of creation never go back within a workspace, those of change grow within an incident, whatever the clock does. */
#ifndef RF_SIEM_INCIDENT_H
#define RF_SIEM_INCIDENT_H

#include "arm/arm.h"
#include "siem/alert.h"
#include "siem/outbox.h"

enum {
    INCIDENT_ALERTS_MAX = 150, /* by grouping; then a new incident is made */
    INCIDENT_COMMENTS_MAX = 100,
    INCIDENT_COMMENT_CHARS_MAX = 30000,
    INCIDENT_TASKS_MAX = 40,
    ALERT_KEPT_DAYS = 30
};

/* Who changed it. */
enum incident_source {
    INCIDENT_BY_USER,
    INCIDENT_BY_APPLICATION,
    INCIDENT_BY_RULE,     /* made from an alert */
    INCIDENT_BY_GROUPING, /* an alert joined it */
    INCIDENT_BY_AUTOMATION,
    INCIDENT_BY_PLAYBOOK
};
struct incident_by {
    enum incident_source source;
    rf_str name; /* ModifiedBy */
};

struct incident_place;
/* Called for every change, in its transaction: automation rules decide there what is to be done. `before` is NULL for a new
 * incident; both are documents with "_". It may call incident_save, which calls it again: look at by->source. An error
 * undoes the change. */
struct incident_hook {
    void *ctx;
    enum rf_kind (*changed)(void *ctx, struct state_txn *txn, const struct incident_place *place,
                            const struct json_node *before, const struct json_node *after,
                            const struct incident_by *by, rf_usec now, struct rf_arena *arena,
                            struct rf_err *err);
};

/* Where an incident belongs. */
struct incident_place {
    rf_str workspace_id;              /* GUID */
    rf_str workspace;                 /* ARM id, casing kept */
    rf_str tenant_id, origin;         /* for incidentUrl */
    const struct incident_hook *hook; /* NULL: none */
};

/* Takes an alert in the write transaction of the engine: keeps it, and when the rule makes incidents joins it to one as the
 * rule's grouping says, or makes a new one. An alert that was taken before (same id) changes nothing: *incident is then what
 * it was. Rows of SecurityAlert and SecurityIncident go to the outbox in the same transaction. `incident` (may be NULL): the
 * incident's GUID, empty when the rule makes none; *created (may be NULL) tells whether it is new. */
RF_MUST_USE enum rf_kind incident_take_alert(struct state_txn *txn,
                                             const struct incident_place *place,
                                             const struct rule *rule, rf_str rule_resource_id,
                                             const struct alert *alert, rf_usec now,
                                             struct rf_arena *arena, rf_str *incident,
                                             bool *created, struct rf_err *err);

/* An incident as it is stored. */
struct incident {
    rf_str key;
    uint64_t etag;
    struct json_node *body; /* with "_" */
};
/* RF_NOT_FOUND IncidentNotFound. */
RF_MUST_USE enum rf_kind incident_find(struct state_txn *txn, const struct incident_place *place,
                                       rf_str name, struct rf_arena *arena, struct incident *out,
                                       struct rf_err *err);
/* Stores what was changed in `incident->body` since `before` (a copy of the body that was found), with counts, times, indexes, the
 * row of SecurityIncident and the hook. incident->etag is the new one. */
RF_MUST_USE enum rf_kind incident_save(struct state_txn *txn, const struct incident_place *place,
                                       struct incident *incident, const struct json_node *before,
                                       const struct incident_by *by, rf_usec now,
                                       struct rf_arena *arena, struct rf_err *err);

/* Deletes alerts that no incident names and whose 30 days are over, at most 500 at once; *more: call again. */
RF_MUST_USE enum rf_kind incident_expire_alerts(struct state_txn *txn, rf_usec now,
                                                struct rf_arena *arena, bool *more,
                                                struct rf_err *err);

/* Deletes all that belongs to a workspace: incidents with what is below them, alerts, bookmarks, counters, rows that wait. It begins
 * anew with number 1 should one of its name be made again. */
RF_MUST_USE enum rf_kind incident_forget_workspace(struct state_txn *txn, rf_str workspace,
                                                   rf_str workspace_id, struct rf_arena *arena,
                                                   struct rf_err *err);

/* ---- the API ----------------------------------------------------------------------------------------------------------- */

struct incidents;
struct incidents_options {
    struct state *state;
    struct arm *arm; /* workspaces are looked up there */
    const struct site *site;
    const struct audit *audit;        /* rows of Watchlist; may be NULL */
    const struct incident_hook *hook; /* NULL: none */
    /* Runs a playbook on an incident (document with "_"); NULL: there are none, and the API says so. */
    enum rf_kind (*run_playbook)(void *ctx, struct request *request, rf_str playbook_id,
                                 const struct json_node *incident, struct rf_err *err);
    void *playbook_ctx;
};
RF_MUST_USE enum rf_kind incidents_new(const struct incidents_options *options,
                                       struct incidents **out, struct rf_err *err);
void incidents_free(struct incidents *incidents); /* NULL is fine */
/* Incidents with comments, tasks, relations, alerts; bookmarks; entities. */
const struct service *incidents_service(struct incidents *incidents);

#endif
