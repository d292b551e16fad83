/* rbac_int.h - the API of Microsoft.Authorization: shared by rbac.c, rbac_assignment.c, rbac_definition.c, rbac_filter.c. */
#ifndef RF_RBAC_INT_H
#define RF_RBAC_INT_H

#include "authz/authz_int.h"
#include "authz/route.h"

struct rbac { /* ctx of the service; belongs to authz */
    struct authz *authz;
    const struct directory *directory;
    struct service service;
};
struct rbac *authz_rbac(struct authz *authz);

#define RBAC_ASSIGNMENT_READ "Microsoft.Authorization/roleAssignments/read"
#define RBAC_ASSIGNMENT_WRITE "Microsoft.Authorization/roleAssignments/write"
#define RBAC_ASSIGNMENT_DELETE "Microsoft.Authorization/roleAssignments/delete"
#define RBAC_DEFINITION_READ "Microsoft.Authorization/roleDefinitions/read"
#define RBAC_DEFINITION_WRITE "Microsoft.Authorization/roleDefinitions/write"
#define RBAC_DEFINITION_DELETE "Microsoft.Authorization/roleDefinitions/delete"

/* ---- rbac.c ---- */
/* The scope of the request's path: one slash in front, casing kept. ptr NULL on lack of memory. */
rf_str rbac_scope(const struct request *request);
/* RF_INVALID MissingApiVersionParameter, InvalidApiVersionParameter. */
RF_MUST_USE enum rf_kind rbac_version(struct request *request, struct rf_err *err);
/* Resources of a list, page by page: keys in order. */
struct rbac_page {
    struct json_node *body, *value;
    rf_str after; /* keys behind this one */
    uint32_t most, count;
    rf_str last; /* key of the last one taken */
    bool more;
};
RF_MUST_USE enum rf_kind rbac_page_begin(struct request *request, struct rbac_page *page,
                                         struct rf_err *err);
/* Whether the resource of this key goes on the page; sets `more` when the page is full. */
bool rbac_page_wants(struct rbac_page *page, rf_str key);
/* RF_LIMIT on lack of memory (a NULL document). */
RF_MUST_USE enum rf_kind rbac_page_add(struct request *request, struct rbac_page *page, rf_str key,
                                       struct json_node *document, struct rf_err *err);
RF_MUST_USE enum rf_kind rbac_page_end(struct request *request, struct rbac_page *page,
                                       struct rf_err *err);

/* ---- rbac_filter.c: "atScope() and principalId eq '...'" ---- */
enum { FILTER_TERMS_MAX = 8 };
struct rbac_filter {
    struct rbac_term {
        rf_str name;      /* of the function or property */
        bool is_function; /* name(value), else name eq value */
        rf_str value;
    } terms[FILTER_TERMS_MAX];
    uint32_t count;
};
/* RF_INVALID InvalidFilter. An empty text has no terms. `names`: functions ("atScope()") and properties that are known. */
RF_MUST_USE enum rf_kind rbac_filter_parse(rf_str text, const char *const *names,
                                           struct rf_arena *arena, struct rbac_filter *out,
                                           struct rf_err *err);
/* The term of that name; NULL: none. */
const struct rbac_term *rbac_filter_term(const struct rbac_filter *filter, const char *name);

/* ---- handlers ---- */
enum rf_kind rbac_assignment_list(struct request *request, struct rf_err *err);
enum rf_kind rbac_assignment_get(struct request *request, struct rf_err *err);
enum rf_kind rbac_assignment_put(struct request *request, struct rf_err *err);
enum rf_kind rbac_assignment_delete(struct request *request, struct rf_err *err);
enum rf_kind rbac_assignment_may_put(struct request *request, struct route_need *need,
                                     struct rf_err *err);
enum rf_kind rbac_assignment_may_delete(struct request *request, struct route_need *need,
                                        struct rf_err *err);
enum rf_kind rbac_definition_list(struct request *request, struct rf_err *err);
enum rf_kind rbac_definition_get(struct request *request, struct rf_err *err);
enum rf_kind rbac_definition_put(struct request *request, struct rf_err *err);
enum rf_kind rbac_definition_delete(struct request *request, struct rf_err *err);

#endif
