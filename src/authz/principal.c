#include "authz/principal.h"

bool principal_has_role(const struct principal *principal, const char *role)
{
    rf_str wanted = rf_str_of(role);
    for (uint32_t i = 0; i < principal->role_count; i++)
        if (rf_str_eq(principal->roles[i], wanted)) return true;
    return false;
}

rf_str principal_caller(const struct principal *principal)
{
    if (principal == NULL) return (rf_str){0};
    return principal->user_name.len > 0 ? principal->user_name : principal->object_id;
}
