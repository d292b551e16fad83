/* content_int.h - what the files of the content hub share (contracts/content.md section 2, contracts/arm.md section 8). */
#ifndef RF_SIEM_CONTENT_INT_H
#define RF_SIEM_CONTENT_INT_H

#include "siem/content_catalogue.h"
#include "siem/siem_int.h"

#define CONTENT_P "Microsoft.SecurityInsights/"

/* ---- content_check.c: what members a document must have ------------------------------------------------------------------ */

enum member_type {
    MEMBER_TEXT,
    MEMBER_TRUTH,
    MEMBER_WHOLE, /* a whole number within [least, most] */
    MEMBER_LIST,  /* an array of at most `most` values, of any when it is 0 */
    MEMBER_OBJECT,
    MEMBER_TIME,   /* a date in ISO 8601 */
    MEMBER_VERSION /* dotted numbers: 1.0.2 */
};
struct member {
    const char *path; /* from the document: "properties.contentId" */
    enum member_type type;
    bool required;
    const char *const *values; /* NULL: any; else what a text, or each text of a list, must be */
    int64_t least, most;       /* MEMBER_TEXT: characters at most, 0: any */
};
/* RF_INVALID BadRequest names the member. Ends at the first without a path. */
RF_MUST_USE enum rf_kind content_check(const struct json_node *document,
                                       const struct member *members, struct rf_err *err);
/* One value of a fixed set; `what` names it in the error. */
RF_MUST_USE enum rf_kind content_check_word(const struct json_node *node, const char *const *values,
                                            const char *what, struct rf_err *err);
/* The workspace on which a resource stands. RF_INVALID BadRequest when it is none. */
RF_MUST_USE enum rf_kind content_workspace(struct arm_call *call, rf_str id, rf_str *workspace,
                                           struct rf_err *err);

/* ---- content_templates.c: alertRuleTemplates ------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind rule_templates_list(struct arm_call *call, rf_str workspace,
                                             struct json_node *out, struct rf_err *err);
RF_MUST_USE enum rf_kind rule_templates_get(struct arm_call *call, rf_str id,
                                            struct json_node **out, struct rf_err *err);

/* The document for a rule that the program carries in itself, by its id. RF_NOT_FOUND ResourceNotFound. */
RF_MUST_USE enum rf_kind rule_template_built_in(rf_str id, struct rf_arena *arena,
                                                struct json_node **document, struct rf_err *err);

/* ---- content_default.c: rules that a workspace has by itself ---------------------------------------------------------------- */

/* Makes them for a workspace for which that was not done before: who changes or deletes one is not undone. In a write transaction. */
RF_MUST_USE enum rf_kind content_put_defaults(struct arm_call *call, rf_str workspace,
                                              struct rf_err *err);
/* The same for every workspace that is onboarded. */
RF_MUST_USE enum rf_kind content_start_defaults(struct siem *siem, struct rf_err *err);

/* ---- content_packages.c: contentPackages, contentTemplates ----------------------------------------------------------------- */

RF_MUST_USE enum rf_kind content_put_package(struct arm_call *call, struct arm_resource *resource,
                                             const struct arm_resource *before, struct rf_err *err);
/* Takes its templates along; what was made from them stays. */
RF_MUST_USE enum rf_kind content_remove_package(struct arm_call *call,
                                                struct arm_resource *resource, struct rf_err *err);
/* Deploys what the request's body brought along (properties.packagedContent), for its caller. */
void content_package_changed(struct arm_call *call, struct arm_resource *resource);
RF_MUST_USE enum rf_kind content_put_template(struct arm_call *call, struct arm_resource *resource,
                                              const struct arm_resource *before,
                                              struct rf_err *err);

/* ---- content_products.c: contentProductPackages ---------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind content_products_list(struct arm_call *call, rf_str workspace,
                                               struct json_node *out, struct rf_err *err);
RF_MUST_USE enum rf_kind content_products_get(struct arm_call *call, rf_str id,
                                              struct json_node **out, struct rf_err *err);

/* ---- content_automation.c: automationRules ---------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind automation_put(struct arm_call *call, struct arm_resource *resource,
                                        const struct arm_resource *before, struct rf_err *err);

/* ---- content.c ---------------------------------------------------------------------------------------------------------------- */

extern const char *const content_kinds[]; /* of templates and metadata */
/* The workspace that came with the first start is onboarded once. */
RF_MUST_USE enum rf_kind content_start(struct siem *siem, struct rf_err *err);
const struct service *content_service(struct siem *siem);

#endif
