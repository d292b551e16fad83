/* activity.h - rows of AzureActivity: who did what on the control plane, and who was refused. */
#ifndef RF_ACTIVITY_H
#define RF_ACTIVITY_H

#include "authz/route.h"

struct activity {
    rf_str action;         /* "Microsoft.Authorization/roleAssignments/write" */
    rf_str operation_name; /* for people: "Create role assignment"; empty: the action */
    rf_str resource_id;    /* casing kept */
    bool is_failure;
    uint16_t status;  /* of the answer: the sub-status is its name */
    rf_str code;      /* of the failure */
    rf_str role;      /* name of the role that gave the right; may be empty */
    rf_str more_json; /* members for Properties, "\"requestbody\":..."; may be empty */
};
/* Writes the row to request->audit; lack of memory is logged. */
void activity_write(struct request *request, const struct activity *activity);

#endif
