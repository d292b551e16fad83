/* graph_int.h - what the files of the Graph subset share (section 8 of the contract).
 *
 * A request is matched a second time here, by the table of graph_route: so that keys in parentheses, both versions and the
 * parts of a $batch take one path, with one check of app roles. */
#ifndef RF_IDENTITY_GRAPH_INT_H
#define RF_IDENTITY_GRAPH_INT_H

#include "identity/graph_filter_int.h"
#include "identity/identity_int.h"

/* Fills *out; its routes are made in `arena`. */
RF_MUST_USE enum rf_kind graph_service(struct identity *identity, struct rf_arena *arena,
                                       struct service *out, struct rf_err *err);

enum { GRAPH_SEGMENTS_MAX = 12, GRAPH_IDS_MAX = 4, GRAPH_CHANGES_MAX = 24 };

struct graph_entity;
struct graph_call {
    struct identity *identity;
    struct request *request;
    struct rf_arena *arena;
    const struct graph_route *route;
    enum http_method method;
    rf_str version;                      /* "v1.0", "beta" */
    rf_str path;                         /* as asked, for links to the next page */
    rf_str segments[GRAPH_SEGMENTS_MAX]; /* behind the version, decoded */
    uint32_t segment_count;
    bool is_own;               /* the path began with "me" */
    rf_str ids[GRAPH_IDS_MAX]; /* what stands for {..} in the route, in order */
    uint32_t id_count;
    struct state_txn
        *txn; /* a write transaction unless the method is GET or the route only reads */
    struct json_node *body;                         /* of POST, PATCH, PUT; NULL: none */
    struct trail_change changes[GRAPH_CHANGES_MAX]; /* written to AuditLogs after the commit */
    uint32_t change_count;
    /* The answer. */
    uint16_t status;
    struct json_node *answer; /* NULL: no body */
    rf_str plain;             /* text/plain instead, of $count */
};

enum {
    GRAPH_READS = 1, /* a POST that changes nothing */
    GRAPH_OWN = 2    /* as /me also by who has signed in to the portal anew, with all that he has */
};
struct graph_route {
    enum http_method method;
    unsigned flags;    /* GRAPH_* */
    const char *path;  /* "applications/{}/addPassword" */
    const char *roles; /* one of these app roles is needed; NULL: any member of the tenant */
    enum rf_kind (*run)(struct graph_call *call, struct rf_err *err);
    const struct graph_entity *entity;
};

#define DIRECTORY_READ "Directory.Read.All Directory.ReadWrite.All"
#define DIRECTORY_WRITE "Directory.ReadWrite.All"
#define APPLICATION_WRITE "Application.ReadWrite.All " DIRECTORY_WRITE
#define APPLICATION_READ "Application.Read.All Application.ReadWrite.All " DIRECTORY_READ
#define USER_WRITE "User.ReadWrite.All " DIRECTORY_WRITE
#define USER_READ "User.Read.All User.ReadWrite.All " DIRECTORY_READ
#define GROUP_WRITE "Group.ReadWrite.All " DIRECTORY_WRITE
#define GROUP_READ "Group.Read.All Group.ReadWrite.All " DIRECTORY_READ
#define MEMBER_WRITE "GroupMember.ReadWrite.All " GROUP_WRITE
#define MEMBER_READ "GroupMember.Read.All GroupMember.ReadWrite.All " GROUP_READ

/* Tables of the other files, ended by an entry without a path. */
extern const struct graph_route graph_application_routes[];
extern const struct graph_route graph_principal_routes[];
extern const struct graph_route graph_user_routes[];
extern const struct graph_route graph_group_routes[];
extern const struct graph_route graph_tenant_routes[];
extern const struct graph_route graph_policy_routes[];
extern const struct graph_route graph_factor_routes[];
extern const struct graph_route graph_admin_routes[];
extern const struct graph_route graph_log_routes[];
extern const struct graph_route graph_session_routes[];
extern const struct graph_route graph_risk_routes[];
extern const struct graph_route graph_elevate_routes[];

/* Matches, checks app roles, runs and commits: the whole of one request. `call` has identity, request, arena, method, version,
 * path and segments. */
RF_MUST_USE enum rf_kind graph_run_call(struct graph_call *call, struct rf_err *err);
/* Splits a path behind the version into segments: "applications(appId='x')/owners" gives "applications", "appId='x'",
 * "owners". */
RF_MUST_USE enum rf_kind graph_split(struct graph_call *call, rf_str path, struct rf_err *err);
enum rf_kind graph_batch(struct graph_call *call, struct rf_err *err);
/* RF_DENIED: the caller is no person in the portal's pages, or did not prove himself with a second factor within the last minutes. */
RF_MUST_USE enum rf_kind graph_signed_in_anew(struct graph_call *call, struct rf_err *err);

/* ---- errors ------------------------------------------------------------------------------------------------------------------ */

static inline enum rf_kind graph_not_found(rf_str id, struct rf_err *err)
{
    return RF_FAIL(
        err, RF_NOT_FOUND, "Request_ResourceNotFound",
        "Resource '%.*s' does not exist or one of its queried reference-property objects "
        "are not present.",
        (int)RF_MIN(id.len, (size_t)128), (const char *)id.ptr);
}
#define graph_bad(err, ...) RF_FAIL((err), RF_INVALID, "Request_BadRequest", __VA_ARGS__)
#define graph_memory(call, err) rf_fail_memory((err), (call)->arena)
/* {"error":{...}} of a failed call. */
struct json_node *graph_error_json(struct rf_arena *arena, const struct request *request,
                                   const char *code, const char *text);

/* ---- entities (graph_entity.c) ------------------------------------------------------------------------------------------------ */

enum property_type { P_TEXT, P_TRUTH, P_NUMBER, P_TEXTS, P_OBJECT, P_OBJECTS, P_ANY };
enum { P_REQUIRED = 1 /* at creation */, P_READ_ONLY = 2, P_FIXED = 4 /* not in PATCH */ };
struct graph_property {
    const char *name;
    enum property_type type;
    unsigned flags;
};
struct graph_entity {
    const char *space, *set, *type; /* "application", "applications", "application" */
    const struct graph_property *properties;
    uint32_t property_count;
    const char
        *alternate; /* member by which it can be addressed too: appId, userPrincipalName; NULL */
    const char *trail_type, *trail_category,
        *trail_service;                    /* "Application", "ApplicationManagement" */
    const char *added, *updated, *deleted; /* OperationName */
    /* Checks and completes a document before it is stored; `before` NULL: it is new. May be NULL. */
    enum rf_kind (*put)(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err);
    /* Before it is deleted. May be NULL. */
    enum rf_kind (*remove)(struct graph_call *call, const struct json_node *doc,
                           struct rf_err *err);
    /* Adds computed members to a copy that is shown. May be NULL. */
    enum rf_kind (*show)(struct graph_call *call, struct json_node *shown, struct rf_err *err);
    /* Fills $expand=`name` into `shown`; RF_NOT_FOUND: no such relation. May be NULL. */
    enum rf_kind (*expand)(struct graph_call *call, struct json_node *shown, rf_str name,
                           struct rf_err *err);
};
extern const struct graph_entity graph_application, graph_service_principal, graph_user,
    graph_group;
/* The entity of a space of directory objects; NULL: none. */
const struct graph_entity *graph_entity_of(rf_str space);

/* graph_user.c: what may stand before the @ of a user name. */
bool graph_is_local_part(rf_str text);
/* graph_user.c: checks a password by the rules and stores it in the document. */
RF_MUST_USE enum rf_kind graph_user_set_password(struct graph_call *call, struct json_node *doc,
                                                 rf_str password, bool must_change,
                                                 struct rf_err *err);
enum rf_kind graph_entity_list(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_entity_get(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_entity_create(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_entity_update(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_entity_remove(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_entity_count(struct graph_call *call, struct rf_err *err);
/* The entity that call->ids[index] names: by id, "appId='..'", or its alternate name. */
RF_MUST_USE enum rf_kind graph_entity_find(struct graph_call *call,
                                           const struct graph_entity *entity, uint32_t index,
                                           struct json_node **out, struct rf_err *err);
/* Copies the members of `body` that the entity knows into `doc` after checking their types. */
RF_MUST_USE enum rf_kind graph_apply(struct graph_call *call, const struct graph_entity *entity,
                                     const struct json_node *body, struct json_node *doc,
                                     bool creating, struct rf_err *err);
/* Stores an entity's changed document and notes the change. */
RF_MUST_USE enum rf_kind graph_store(struct graph_call *call, const struct graph_entity *entity,
                                     struct json_node *doc, const struct json_node *before,
                                     const char *operation, struct rf_err *err);
/* A copy without our own members, with what `show` adds and with @odata.type when `typed`. */
RF_MUST_USE enum rf_kind graph_show(struct graph_call *call, const struct graph_entity *entity,
                                    const struct json_node *doc, bool typed, struct json_node **out,
                                    struct rf_err *err);
/* Answers with one entity, $select and $expand applied. */
enum rf_kind graph_answer_entity(struct graph_call *call, const struct graph_entity *entity,
                                 const struct json_node *doc, uint16_t status, struct rf_err *err);
/* A copy without members that begin with '~'. */
struct json_node *graph_public(struct rf_arena *arena, const struct json_node *node);
/* "A/v1.0/$metadata#..." */
rf_str graph_context(const struct graph_call *call, const char *what);
void graph_change(struct graph_call *call, const struct trail_change *change);
enum rf_kind graph_answer_empty(struct graph_call *call, uint16_t status);
/* The member as a text of 1..max bytes; RF_INVALID otherwise. */
RF_MUST_USE enum rf_kind graph_text(const struct json_node *body, const char *name, size_t max,
                                    rf_str *out, struct rf_err *err);
/* Deletes what hangs on a directory object: links, assignments, grants. */
RF_MUST_USE enum rf_kind graph_unlink(struct graph_call *call, rf_str id, struct rf_err *err);
/* Refuses a value of an indexed member that another object has. */
RF_MUST_USE enum rf_kind graph_unique(struct graph_call *call, const char *space,
                                      const char *member, rf_str value, rf_str own_id,
                                      struct rf_err *err);

/* ---- lists (graph_page.c) ------------------------------------------------------------------------------------------------------ */

/* Every document of the entity's space, or those that an index gives. */
enum rf_kind graph_list_space(struct graph_call *call, const struct graph_entity *entity,
                              struct rf_err *err);
/* Documents that are at hand; `entity` NULL: each of a kind of its own (`entities`), or plain documents. */
struct graph_items {
    struct json_node **docs;
    const struct graph_entity **entities; /* NULL: none of the directory's kinds */
    uint32_t count;
    const char *context; /* "groups" */
};
enum rf_kind graph_list_items(struct graph_call *call, const struct graph_items *items,
                              struct rf_err *err);
/* The text of a query option; with or without its dollar sign. */
rf_str graph_option(const struct graph_call *call, const char *name, bool *found);
/* Leaves the members that $select names (and @odata ones); all when there is no $select. */
void graph_select(const struct graph_call *call, struct json_node *shown);

/* ---- links (graph_group.c) ------------------------------------------------------------------------------------------------------ */

/* The directory object with that id, of whatever kind. RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind graph_object(struct graph_call *call, rf_str id,
                                      const struct graph_entity **entity, struct json_node **out,
                                      struct rf_err *err);
/* The object that {"@odata.id": URL} names. */
RF_MUST_USE enum rf_kind graph_reference(struct graph_call *call, rf_str url,
                                         const struct graph_entity **entity, struct json_node **out,
                                         struct rf_err *err);
RF_MUST_USE enum rf_kind graph_link_items(struct graph_call *call, const char *space, rf_str object,
                                          rf_str member, struct graph_items *out,
                                          struct rf_err *err);
enum rf_kind graph_owners_list(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_owners_add(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_owners_remove(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_owned_list(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_member_of(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_transitive_member_of(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_member_groups(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_check_groups(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_assignments_list(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_assignments_add(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_assignments_get(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_assignments_remove(struct graph_call *call, struct rf_err *err);
enum rf_kind graph_grants_of(struct graph_call *call, struct rf_err *err);
/* Puts the items as an array under `name`. */
RF_MUST_USE enum rf_kind graph_expand_items(struct graph_call *call, struct json_node *shown,
                                            const char *name, const struct graph_items *items,
                                            struct rf_err *err);

#endif
