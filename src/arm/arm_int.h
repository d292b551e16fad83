/* arm_int.h - what the files of arm/ share. */
#ifndef RF_ARM_INT_H
#define RF_ARM_INT_H

#include "arm/arm.h"

struct arm {
    struct arm_options options;
    const struct arm_type **types; /* in the order of their names, case folded */
    uint32_t type_count, type_cap;
    struct arm_watch *watches;
    struct service service;
    struct deploy_engine *deploys;
};

/* ---- types.c: which types there are ------------------------------------------------------------------------------------ */

extern const struct arm_type arm_type_group, arm_type_subscription, arm_type_management_group,
    arm_type_lock;

RF_MUST_USE enum rf_kind arm_types_init(struct arm *arm, struct rf_err *err);
/* The type of that name, case ignored; NULL: none that anybody told of. */
const struct arm_type *arm_types_find(const struct arm *arm, rf_str name);
/* The type that an id names. Types of a known namespace that nobody told of are made on the spot. RF_INVALID
 * InvalidResourceNamespace, InvalidResourceType. */
RF_MUST_USE enum rf_kind arm_types_of(const struct arm *arm, const struct resource_id *id,
                                      struct rf_arena *arena, const struct arm_type **out,
                                      struct rf_err *err);
/* RF_INVALID InvalidApiVersionParameter, NoRegisteredProviderFound. */
RF_MUST_USE enum rf_kind arm_types_check_version(const struct arm_type *type, rf_str version,
                                                 struct rf_err *err);
/* The namespace with its casing, or false. */
bool arm_types_namespace(const struct arm *arm, rf_str ns, rf_str *out);
/* The namespaces in order, each once: *at is 0 at first; false at the end. */
bool arm_types_next_namespace(const struct arm *arm, uint32_t *at, rf_str *out);

/* ---- target.c: what a request is about ------------------------------------------------------------------------------------ */

struct arm_target {
    struct resource_id id; /* namespace and type with the casing of the type */
    rf_str key, parent_key;
    rf_str collection; /* the key without its last segment; of a list: the key itself */
    const struct arm_type *type;
};
RF_MUST_USE enum rf_kind arm_target_of(const struct arm *arm, rf_str id, struct rf_arena *arena,
                                       struct arm_target *out, struct rf_err *err);

enum arm_verb { VERB_READ, VERB_LIST, VERB_PUT, VERB_PATCH, VERB_DELETE, VERB_ACTION };
struct arm_plan {
    enum arm_verb verb;
    struct arm_target target; /* of an action: the resource that it is asked of */
    const struct arm_action *action;
    bool is_tags;       /* Microsoft.Resources/tags/default: target is what it stands on */
    rf_str need, scope; /* what the caller must be allowed to do, and where */
    rf_str action_name; /* of VERB_ACTION: as asked for */
};
/* From method and path; checks api-version and subscription. */
RF_MUST_USE enum rf_kind arm_plan_of(struct request *request, struct arm_plan *out,
                                     struct rf_err *err);
/* The same without these checks, for the record of what failed. */
RF_MUST_USE enum rf_kind arm_plan_read(struct request *request, struct arm_plan *out,
                                       struct rf_err *err);
/* api-version is there and a date; RF_INVALID MissingApiVersionParameter, InvalidApiVersionParameter. */
RF_MUST_USE enum rf_kind arm_require_version(struct request *request, rf_str *version,
                                             struct rf_err *err);
/* RF_NOT_FOUND SubscriptionNotFound; RF_INVALID InvalidSubscriptionId. */
RF_MUST_USE enum rf_kind arm_require_subscription(const struct arm *arm, rf_str subscription,
                                                  struct rf_err *err);

/* ---- store.c: documents, inside the caller's transaction ------------------------------------------------------------------- */

struct arm_condition { /* If-Match, If-None-Match */
    bool must_exist, must_not_exist, has_etag;
    uint64_t etag; /* UINT64_MAX: of no resource */
};
/* The stored or virtual document. RF_NOT_FOUND ResourceNotFound, ResourceGroupNotFound. */
RF_MUST_USE enum rf_kind arm_resource_load(struct arm_call *call, const struct arm_target *target,
                                           struct arm_resource *out, struct rf_err *err);
/* `merge`: PATCH. RF_CONFLICT PreconditionFailed is a 412. */
RF_MUST_USE enum rf_kind arm_resource_store(struct arm_call *call, const struct arm_target *target,
                                            struct json_node *body, bool merge,
                                            const struct arm_condition *condition,
                                            struct arm_resource *out, bool *created,
                                            struct rf_err *err);
RF_MUST_USE enum rf_kind arm_resource_erase(struct arm_call *call, const struct arm_target *target,
                                            const struct arm_condition *condition, bool *existed,
                                            struct rf_err *err);
/* Writes a document as it is, without the type's `put`: what moved, or names what moved. */
RF_MUST_USE enum rf_kind arm_resource_rewrite(struct arm_call *call,
                                              const struct arm_target *target,
                                              struct arm_resource *resource, struct rf_err *err);
/* A document as callers see it: computed members, etag. */
RF_MUST_USE enum rf_kind arm_resource_show(struct arm_call *call, const struct arm_target *target,
                                           struct arm_resource *resource, struct rf_err *err);
/* Whether /resources shows it. */
bool arm_is_listed(const struct arm_target *target, const struct json_node *body);
/* A stored object as a resource. */
RF_MUST_USE enum rf_kind arm_resource_of(const struct state_object *object, struct rf_arena *arena,
                                         struct arm_resource *out, struct rf_err *err);
/* The call that hooks of `type` get. */
static inline struct arm_call arm_call_for(const struct arm_call *call, const struct arm_type *type)
{
    struct arm_call other = *call;
    other.ctx = type->ctx;
    return other;
}
/* `"0000000000000012"` with the quotes, as headers and documents have it. */
rf_str arm_etag_text(struct rf_arena *arena, uint64_t etag);
struct arm_condition arm_condition_of(const struct request *request);
RF_MUST_USE enum rf_kind arm_condition_check(const struct arm_condition *condition, bool exists,
                                             uint64_t etag, struct rf_err *err);

/* A request's call: a read or write transaction; arm_commit and arm_end end it. */
RF_MUST_USE enum rf_kind arm_call_begin(struct arm *arm, struct request *request, bool writes,
                                        struct arm_call *out, struct rf_err *err);

/* ---- casing.c ------------------------------------------------------------------------------------------------------------------- */

/* A document whose names differ from the type's by case only gives place to a copy that is spelled as they are. Where both
 * spellings are there, nothing is renamed. */
RF_MUST_USE enum rf_kind arm_casing_fix(const struct arm_type *type, struct json_node **body,
                                        struct rf_arena *arena, struct rf_err *err);

/* ---- document.c: the rules for documents -------------------------------------------------------------------------------------- */

/* The document to store, from what was sent and what was stored (NULL: nothing), with id, name, type, location, tags and
 * systemData in their places. */
RF_MUST_USE enum rf_kind arm_document_make(struct arm_call *call, const struct arm_target *target,
                                           rf_str id, const struct json_node *sent,
                                           const struct json_node *before, bool merge,
                                           struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_tags_check(const struct json_node *tags, struct rf_err *err);

/* ---- list_filter.c: $filter ----------------------------------------------------------------------------------------------------------- */

struct filter;
/* RF_INVALID InvalidFilterInQueryString. An empty text gives a filter that lets everything pass. */
RF_MUST_USE enum rf_kind arm_filter_parse(rf_str text, struct rf_arena *arena, struct filter **out,
                                          struct rf_err *err);
bool arm_filter_passes(const struct filter *filter, const struct json_node *document);
/* The resource type that everything that passes has; empty: none. */
rf_str arm_filter_type(const struct filter *filter);

/* ---- list.c -------------------------------------------------------------------------------------------------------------------------- */

/* Where a list is looked for. */
struct arm_list_scan {
    struct state_scan scan;
    const struct filter *filter; /* NULL: all */
    bool only_readable;          /* leaves out what the caller may not read */
    bool slim;                   /* without properties, as /resources has it */
    uint32_t page;               /* resources of a page when $top does not say */
};
/* Appends the documents of a page to `value`; *next: the key behind which the next page begins, empty on the last. */
RF_MUST_USE enum rf_kind arm_list_page(struct arm_call *call, struct arm_list_scan *list,
                                       struct json_node *value, rf_str *next, struct rf_err *err);
/* Reads $top and $skiptoken into the scan. */
RF_MUST_USE enum rf_kind arm_list_window(struct request *request, struct arm_list_scan *list,
                                         struct rf_err *err);
/* {"value":[...],"nextLink":...} */
enum rf_kind arm_list_answer(struct request *request, struct json_node *value, rf_str next,
                             struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_collection(struct request *request, const struct arm_plan *plan,
                                            struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_resources(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_groups(struct request *request, struct rf_err *err);

/* ---- crud.c: generic verbs ------------------------------------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind arm_run_generic(struct request *request, struct rf_err *err);
/* Turns codes that have a status of their own (412, 405, 501) into that; gives `kind`. */
enum rf_kind arm_shape_error(struct request *request, enum rf_kind kind, struct rf_err *err);

/* ---- locks.c ---------------------------------------------------------------------------------------------------------------------------- */

/* RF_CONFLICT ScopeLocked when a lock at or above `key` (and, for a deletion, below it) forbids it. */
RF_MUST_USE enum rf_kind arm_locks_check(struct arm_call *call, rf_str key, bool deletes,
                                         struct rf_err *err);

/* ---- tags.c ------------------------------------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind arm_run_tags(struct request *request, const struct arm_plan *plan,
                                      struct rf_err *err);

/* ---- tag_names.c: which tags there are ---------------------------------------------------------- */

RF_MUST_USE enum rf_kind arm_run_tag_names(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_tag_name(struct request *request, struct rf_err *err);

/* ---- operations.c: what was answered with 202 ------------------------------------------------------------------------------------------ */

/* Remembers that the request's work is done (code NULL) or failed, and sets Location, Azure-AsyncOperation and Retry-After of
 * the answer. Kept for a day. */
RF_MUST_USE enum rf_kind arm_operation_record(struct arm_call *call, rf_str resource_id,
                                              struct rf_err *err);
/* The same, with the status that asking for the result then gives; 200 is usual. */
RF_MUST_USE enum rf_kind arm_operation_record_as(struct arm_call *call, rf_str resource_id,
                                                 uint16_t result, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_operation_result(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_operation_status(struct request *request, struct rf_err *err);

/* ---- providers.c: subscriptions, tenants, providers, endpoints -------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind arm_run_subscriptions(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_subscription(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_locations(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_tenants(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_providers(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_provider(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_resource_types(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_endpoints(struct request *request, struct rf_err *err);
/* The subscription as a document. */
struct json_node *arm_subscription_document(const struct arm *arm, struct rf_arena *arena);

/* ---- groups.c ---------------------------------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind arm_run_export_template(struct request *request, struct rf_err *err);

/* ---- move.c: moving resources to another group ------------------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind arm_run_move(struct request *request, struct rf_err *err);
RF_MUST_USE enum rf_kind arm_run_validate_move(struct request *request, struct rf_err *err);

/* ---- errors.c ------------------------------------------------------------------------------------------------------------------------------ */

/* A row of AzureActivity for a write, deletion or action that was done. */
void arm_record(struct request *request, rf_str action, rf_str resource_id, uint16_t status);
/* The service's `error`: the body, and a row for what would have changed something. */
void arm_write_error(struct request *request, uint16_t status, const struct rf_err *err);

#endif
