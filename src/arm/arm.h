/* arm.h - the control plane: every resource is read and written through one API shape.
 *
 * A type is an entry that a service registers: name, versions, what is checked and filled in at PUT, what happens after.
 * Resources live in state, space "resource": key = lower-case id, body = the document
 *   {"id","name","type","location","tags","kind","sku","identity","plan","properties":{...},"systemData":{...}}
 * indexes: "type" = lower-case type, "group" = lower-case id of the resource group (or subscription), "parent" = lower-case
 * id of the scope that holds it, "collection" = the key without its last segment, "listed" = group and subscription of what
 * /resources shows, "lock" = the scope of a lock. Namespaces that nobody registered are kept as generic resources when
 * arm/types knows the namespace (Microsoft.Storage and the like), else refused. Resource groups are resources of the type
 * Microsoft.Resources/resourceGroups, the subscription is one of Microsoft.Resources/subscriptions: arm_get and arm_put take
 * their ids too.
 *
 * Threads: types are registered before the service runs; all else may be called from any thread. A write is one state
 * transaction: checks, hooks and the document commit together or not at all. Who holds a write transaction of state must
 * call arm_put_in and arm_delete_in, never arm_put. */
#ifndef RF_ARM_H
#define RF_ARM_H

#include "authz/route.h"

struct arm;
struct arm_options {
    struct state *state;
    struct authz *authz;
    const struct site *site;
    const struct audit *audit; /* every write leaves a row in AzureActivity */
    struct rf_clock *clock;
};
RF_MUST_USE enum rf_kind arm_new(const struct arm_options *options, struct arm **out,
                                 struct rf_err *err);
/* Cancels deployments and waits for them: before the dispatcher goes, through which they ask. No requests may come any more. */
void arm_stop(struct arm *arm);
void arm_free(struct arm *arm); /* stops too */

/* A resource, as hooks see it. */
struct arm_resource {
    rf_str id;              /* casing kept */
    rf_str key;             /* lower case */
    rf_str name;            /* last segment */
    rf_str type;            /* "Microsoft.OperationalInsights/workspaces/tables" */
    struct json_node *body; /* the document */
    uint64_t etag;          /* 0: not stored yet */
};

/* What a hook gets to work with. */
struct arm_call {
    struct arm *arm;
    struct state_txn *txn; /* write transaction in `put`, `remove`; read in others */
    struct rf_arena *arena;
    const struct principal *principal; /* NULL: the program itself (first start) */
    struct request *request;           /* NULL likewise */
    void *ctx;                         /* of the type */
    rf_usec now;
    struct arm_changes *changes; /* arm's own: what `changed` hooks are due */
};

struct arm_action { /* POST {id}/{name}, or another method */
    const char *name;
    enum http_method method;
    enum rf_kind (*run)(struct arm_call *call, struct arm_resource *resource, struct rf_err *err);
    enum http_lane lane; /* not heeded yet: what is heavy needs a route of its own */
};

enum {
    ARM_TRACKED = 1,        /* has location and tags; location is required at PUT */
    ARM_EXTENSION = 2,      /* may stand on any scope */
    ARM_PUT_201_ALWAYS = 4, /* see contracts: status strictness of generated clients */
    ARM_PUT_200_ALWAYS = 8,
    ARM_BODY_ETAG = 16,   /* "etag" is a member of the document */
    ARM_PARENT_FREE = 32, /* the parent resource need not exist */
    ARM_NO_STATE = 64,    /* properties.provisioningState is not filled in */
    ARM_STAYS =
        128 /* cannot be moved to another group: something outside its document knows it by its id */
};
struct arm_type {
    const char *name;            /* "Namespace/type[/subtype]" */
    const char *const *versions; /* oldest first, NULL at the end */
    const char *shown_type;      /* the "type" in answers when it is not `name`; NULL */
    /* Names that `properties` has at any depth, blanks between them: a document's members that differ in case only are renamed
     * before `put` sees them. "name{}" holds names of the user's own, which stay as they are. NULL: none. */
    const char *members;
    /* Checks a document that is to be stored, and fills in defaults and read-only members. `resource->body` is the new document,
     * `before` the stored one (NULL: created). Errors give their code and 400. NULL: anything goes. */
    enum rf_kind (*put)(struct arm_call *call, struct arm_resource *resource,
                        const struct arm_resource *before, struct rf_err *err);
    /* Before it is deleted; may refuse. Children are deleted with it. */
    enum rf_kind (*remove)(struct arm_call *call, struct arm_resource *resource,
                           struct rf_err *err);
    /* After the write or deletion (resource->body NULL) was committed; must not fail. A move to another group is seen as a
     * write of the new id only; it skips `put` and `remove`. */
    void (*changed)(struct arm_call *call, struct arm_resource *resource);
    /* Adds members that are computed when it is shown. */
    enum rf_kind (*show)(struct arm_call *call, struct arm_resource *resource, struct rf_err *err);
    /* A resource of this type that exists without being stored (a standard table), by its key and casing-kept id; RF_NOT_FOUND
     * when there is none. PUT and PATCH of such a one store it. `virtual_list` appends those under a parent to `out` (array of
     * documents), leaving out names that are stored. Both NULL: none. */
    enum rf_kind (*virtual_get)(struct arm_call *call, rf_str id, struct json_node **body,
                                struct rf_err *err);
    enum rf_kind (*virtual_list)(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                 struct rf_err *err);
    const struct arm_action *actions;
    unsigned flags;
    uint32_t action_count;
    void *ctx;
    /* Takes the place of the list of a collection: appends the documents under a parent to `out` itself. NULL: what is
     * stored, then virtual_list. */
    enum rf_kind (*list)(struct arm_call *call, rf_str parent_id, struct json_node *out,
                         struct rf_err *err);
};
/* In `changed` call->txn is a read transaction that sees the write; in `put` and `remove` of a resource that goes with its
 * parent call->request is the request for the parent. `types` must outlive arm. RF_CONFLICT TypeRegistered when a name is there already. */
RF_MUST_USE enum rf_kind arm_register(struct arm *arm, const struct arm_type *types, uint32_t count,
                                      struct rf_err *err);

/* Who keeps something about resources of another service's type: `removed` is called before such a resource is deleted, with its
 * parent or alone, in the same transaction, behind the `remove` of its type. */
struct arm_watch {
    const char *type; /* "Namespace/type", ASCII case ignored */
    enum rf_kind (*removed)(struct arm_call *call, struct arm_resource *resource,
                            struct rf_err *err);
    void *ctx;
    struct arm_watch *next; /* arm's own */
};
/* Before the service runs; `watch` must outlive arm. */
void arm_watch(struct arm *arm, struct arm_watch *watch);

/* The routes of the control plane. */
const struct service *arm_service(struct arm *arm);

/* ---- for services: the same paths that the API takes, without HTTP ------------------------------------------------ */

/* What is stored, or a type's virtual resource; computed members (`show`) are not there. `txn` NULL, for types without virtual resources: as it is now (state_peek). RF_NOT_FOUND ResourceNotFound,
 * ResourceGroupNotFound, SubscriptionNotFound. */
RF_MUST_USE enum rf_kind arm_get(struct arm *arm, struct state_txn *txn, rf_str id,
                                 struct rf_arena *arena, struct arm_resource *out,
                                 struct rf_err *err);
/* Creates or replaces, through the type's hooks; commits. `principal` NULL: the program itself. */
RF_MUST_USE enum rf_kind arm_put(struct arm *arm, rf_str id, struct json_node *body,
                                 const struct principal *principal, struct rf_arena *arena,
                                 struct arm_resource *out, bool *created, struct rf_err *err);
/* Deletes with its children; *existed may be NULL. */
RF_MUST_USE enum rf_kind arm_delete(struct arm *arm, rf_str id, const struct principal *principal,
                                    struct rf_arena *arena, bool *existed, struct rf_err *err);
/* Several writes in one transaction:
 *   RF_TRY(arm_begin(arm, principal, arena, &call, err));   call.txn is the write transaction, for other spaces too
 *   kind = arm_put_in(&call, ...); ...                      hooks may call these with their own call as well
 *   if (kind == RF_OK) kind = arm_commit(&call, err);       runs the `changed` hooks
 *   arm_end(&call);                                         undoes what was not committed */
RF_MUST_USE enum rf_kind arm_begin(struct arm *arm, const struct principal *principal,
                                   struct rf_arena *arena, struct arm_call *out,
                                   struct rf_err *err);
RF_MUST_USE enum rf_kind arm_commit(struct arm_call *call, struct rf_err *err);
void arm_end(struct arm_call *call);
RF_MUST_USE enum rf_kind arm_put_in(struct arm_call *call, rf_str id, struct json_node *body,
                                    struct arm_resource *out, bool *created, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_delete_in(struct arm_call *call, rf_str id, bool *existed,
                                       struct rf_err *err);

/* The stored resources of a type, in the order of their keys. */
RF_MUST_USE enum rf_kind arm_list(struct arm *arm, struct state_txn *txn, const char *type,
                                  struct rf_arena *arena, struct arm_resource **out,
                                  uint32_t *count, struct rf_err *err);

/* For handlers of the control plane: answers with an error that has more than code and message: `target` (empty: none),
 * `details` (an array; NULL: none). Leaves a row in AzureActivity as other failures do. Gives RF_OK. `request->service` must be
 * arm, as it is in actions. */
enum rf_kind arm_answer_error(struct request *request, uint16_t status, const char *code,
                              rf_str message, rf_str target, const struct json_node *details);

/* ---- resource ids ---------------------------------------------------------------------------------------------------- */

struct resource_id {
    rf_str text;         /* normalised: one slash in front, none at the end, casing kept */
    rf_str subscription; /* empty: tenant level */
    rf_str group;        /* empty: none */
    rf_str scope;        /* what the last /providers/ stands on; "/" at tenant level */
    rf_str ns,
        type; /* "Microsoft.X", "Microsoft.X/a/b"; empty when the id is a subscription or group */
    rf_str name;   /* the last segment */
    rf_str parent; /* the id without the last type and name; the scope for a top-level type */
    bool is_type;  /* it ends in a type: a list or a collection */
};
/* RF_INVALID InvalidResourceId and the like, as in contracts/arm section 1. Allocates in `arena`. */
RF_MUST_USE enum rf_kind resource_id_parse(rf_str path, struct rf_arena *arena,
                                           struct resource_id *out, struct rf_err *err);
/* ASCII lower case; in `arena`, ptr NULL on lack of memory. */
rf_str resource_key(struct rf_arena *arena, rf_str id);

#endif
