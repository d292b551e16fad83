/* principal.h - who asks. */
#ifndef RF_PRINCIPAL_H
#define RF_PRINCIPAL_H

#include "base/clock.h"
#include "base/json_tree.h"

enum principal_type { PRINCIPAL_SERVICE, PRINCIPAL_USER };
struct principal {
    enum principal_type type;
    rf_str object_id;     /* oid */
    rf_str app_id;        /* of the application that asked for the token */
    rf_str display_name;  /* of the user or service principal */
    rf_str user_name;     /* user principal name; empty for services */
    const rf_str *groups; /* object ids, transitive */
    uint32_t group_count;
    const rf_str *roles; /* app roles in the token: Graph permissions */
    uint32_t role_count;
    rf_str audience, token_id; /* aud, uti */
    const struct json_node *claims;
};
bool principal_has_role(const struct principal *principal, const char *role);
/* As audit rows name it: the user principal name, else the object id; empty for NULL. */
rf_str principal_caller(const struct principal *principal);

/* Where principals are looked up; given by the identity service. */
struct directory {
    void *ctx;
    /* The principal with this object id as it is now: type, names, groups. RF_NOT_FOUND PrincipalNotFound; RF_DENIED
     * PrincipalDisabled. Tokens issued before *valid_from are revoked; as tokens tell whole seconds, so are those compared.
     * `out->object_id` is in lower case. Allocates in `arena`. */
    enum rf_kind (*find)(void *ctx, rf_str object_id, struct rf_arena *arena, struct principal *out,
                         rf_usec *valid_from, struct rf_err *err);
    /* Sets the roles of a user whose token is for Graph: the app roles that his directory roles stand for, as far as the token's scopes go. NULL: users
     * have no roles there. */
    enum rf_kind (*delegated)(void *ctx, struct rf_arena *arena, struct principal *user,
                              struct rf_err *err);
};

#endif
