/* incident_api_int.h - what the handlers of the API share. A handler runs in one transaction of state; api_run begins and ends it,
 * leaves the row in AzureActivity and writes the answer. */
#ifndef RF_SIEM_INCIDENT_API_INT_H
#define RF_SIEM_INCIDENT_API_INT_H

#include "siem/incident_int.h"

struct incidents {
    struct incidents_options options;
    struct service service;
};

struct api_call {
    struct incidents *incidents;
    struct request *request;
    struct rf_arena *arena;
    struct state_txn *txn;
    struct incident_place place;
    struct incident_by by; /* who asks */
    rf_usec now;
    /* The answer: a body, or none when `body` is NULL. */
    uint16_t status;
    struct json_node *body;
};
typedef enum rf_kind api_handler(struct api_call *call, struct rf_err *err);

RF_MUST_USE enum rf_kind api_run(struct request *request, bool writes, api_handler *handler,
                                 struct rf_err *err);
#define API_READ(name, handler)                                                                    \
    static enum rf_kind name(struct request *request, struct rf_err *err)                          \
    {                                                                                              \
        return api_run(request, false, handler, err);                                              \
    }
#define API_WRITE(name, handler)                                                                   \
    static enum rf_kind name(struct request *request, struct rf_err *err)                          \
    {                                                                                              \
        return api_run(request, true, handler, err);                                               \
    }

/* The incident in the path; 404. */
RF_MUST_USE enum rf_kind api_incident(struct api_call *call, struct incident *out,
                                      struct rf_err *err);
/* The body of a request, an object; its "properties". */
RF_MUST_USE enum rf_kind api_properties(struct api_call *call, struct json_node **body,
                                        struct json_node **properties, struct rf_err *err);
/* If-Match, If-None-Match and the etag of `body` (may be NULL) against what is stored; etag 0: nothing. 412, or 409 for the
 * body's. */
RF_MUST_USE enum rf_kind api_check_etag(struct api_call *call, const struct json_node *body,
                                        uint64_t etag, struct rf_err *err);
/* A name in a path: letters, digits, '-', '_', '.', at most 128; 400. */
RF_MUST_USE enum rf_kind api_check_name(const struct api_call *call, const char *variable,
                                        rf_str *out, struct rf_err *err);
enum rf_kind api_answer(struct api_call *call, uint16_t status, struct json_node *body,
                        struct rf_err *err);
/* Answers with a list, of which $top and $skipToken (a number) show a part. */
enum rf_kind api_answer_list(struct api_call *call, struct json_node *list, struct rf_err *err);
/* $top: 1..most; `otherwise` when it is not there. */
RF_MUST_USE enum rf_kind api_top(const struct request *request, uint32_t otherwise, uint32_t most,
                                 uint32_t *out, struct rf_err *err);
/* {"value":list,"nextLink"}; `next`: the token of the next page, empty on the last. */
struct json_node *api_page(struct request *request, struct json_node *list, rf_str next);
/* {"objectId","email","name","userPrincipalName"} of who asks. */
struct json_node *api_client_info(const struct api_call *call);
/* A member of text: *out stays when it is absent and may be; 400. */
RF_MUST_USE enum rf_kind api_text(const struct json_node *properties, const char *name,
                                  bool required, size_t chars_max, rf_str *out, struct rf_err *err);
/* A time as ISO 8601 in UTC with seven digits. */
RF_MUST_USE enum rf_kind api_time(const struct json_node *properties, const char *name,
                                  struct rf_arena *arena, rf_str *out, struct rf_err *err);
enum rf_kind api_bad(struct rf_err *err, const char *fmt, ...) RF_PRINTF(2, 3);

/* ---- the handlers by file --------------------------------------------------------------------------------------------- */

api_handler incident_api_list;                                       /* incident_list.c */
api_handler incident_api_get, incident_api_put, incident_api_delete; /* incident_put.c */
api_handler incident_api_alerts, incident_api_entities,
    incident_api_bookmarks; /* incident_show.c */
api_handler incident_api_playbook;
api_handler incident_comments, incident_comment_get, incident_comment_put, incident_comment_delete;
api_handler incident_tasks, incident_task_get, incident_task_put, incident_task_delete;
api_handler incident_relations, incident_relation_get, incident_relation_put,
    incident_relation_delete;
api_handler bookmark_list, bookmark_get, bookmark_put, bookmark_delete, bookmark_expand;
api_handler bookmark_relations, bookmark_relation_get, bookmark_relation_put,
    bookmark_relation_delete;
api_handler entity_list, entity_get, entity_expand, entity_timeline, entity_queries,
    entity_insights, entity_relations, entity_relation_get;

api_handler watchlist_items_list, watchlist_item_get, watchlist_item_put, watchlist_item_delete;

/* ---- what one file lends the others --------------------------------------------------------------------------------------- */

/* Loads a bookmark; RF_NOT_FOUND BookmarkNotFound. */
RF_MUST_USE enum rf_kind bookmark_load(struct api_call *call, rf_str name, uint64_t *etag,
                                       struct json_node **out, struct rf_err *err);
/* A relation's document, from what it leads to. */
struct json_node *relation_document(struct api_call *call, rf_str owner_id, rf_str name,
                                    rf_str related_id, uint64_t etag);
/* Makes or removes the relation between an incident and a bookmark or alert, with all that hangs on it. */
RF_MUST_USE enum rf_kind relation_make(struct api_call *call, struct incident *incident,
                                       rf_str name, rf_str related_id, bool *created,
                                       uint64_t *etag, struct rf_err *err);
RF_MUST_USE enum rf_kind relation_remove(struct api_call *call, struct incident *incident,
                                         rf_str name, bool *existed, struct rf_err *err);
/* Takes what a bookmark knows of its incident off it. */
RF_MUST_USE enum rf_kind bookmark_leave(struct api_call *call, rf_str bookmark, struct rf_err *err);
/* Removes the relations of everything to a bookmark that is being deleted. */
RF_MUST_USE enum rf_kind relation_remove_bookmark(struct api_call *call, rf_str bookmark_id,
                                                  struct rf_err *err);
/* The segment behind "/bookmarks/" or "/entities/" of an id in this workspace; empty: it is none. */
rf_str related_name(const struct api_call *call, rf_str id, const char *collection);
/* An alert as the entity that the API shows. */
struct json_node *alert_to_api(struct api_call *call, const struct json_node *alert);
/* The entities of an alert: parsed Entities and their keys. */
struct entity_view alert_entities(struct api_call *call, const struct json_node *alert);

#endif
