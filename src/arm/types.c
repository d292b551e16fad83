/* types.c - the types of resources: registered by services, known as generic ones, or made up within a known namespace. */
#include "arm/arm_int.h"
#include "arm/deploy_int.h"
#include "arm/types_data.h"

#include <stdlib.h>

static const char *const resource_versions[] = {
    "2015-01-01", "2016-06-01", "2018-05-01", "2019-10-01", "2020-06-01",
    "2021-04-01", "2022-09-01", "2024-11-01", "2025-04-01", NULL};

const struct arm_type arm_type_group = {.name = "Microsoft.Resources/resourceGroups",
                                        .versions = resource_versions,
                                        .flags = ARM_TRACKED};
const struct arm_type arm_type_subscription = {.name = "Microsoft.Resources/subscriptions",
                                               .versions = resource_versions,
                                               .flags = ARM_NO_STATE};

static int compare_nocase(rf_str a, rf_str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int difference = rf_lower(a.ptr[i]) - rf_lower(b.ptr[i]);
        if (difference != 0) return difference;
    }
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

/* The place of the first type whose name is not below `name`. */
static uint32_t place_of(const struct arm *arm, rf_str name)
{
    uint32_t low = 0, high = arm->type_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_nocase(rf_str_of(arm->types[middle]->name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct arm *arm, uint32_t place, rf_str name)
{
    return place < arm->type_count && rf_str_eq_nocase(rf_str_of(arm->types[place]->name), name);
}

static bool is_known(const struct arm_type *type)
{
    return type >= arm_known_types && type < arm_known_types + arm_known_type_count;
}

static enum rf_kind insert(struct arm *arm, const struct arm_type *type, struct rf_err *err)
{
    rf_str name = rf_str_of(type->name);
    uint32_t place = place_of(arm, name);
    if (is_at(arm, place, name)) {
        if (!is_known(arm->types[place]))
            return RF_FAIL(err, RF_CONFLICT, "TypeRegistered", "the type %s is registered already",
                           type->name);
        arm->types[place] = type;
        return RF_OK;
    }
    if (arm->type_count == arm->type_cap) {
        uint32_t cap = arm->type_cap * 2 + 64;
        const struct arm_type **types = realloc(arm->types, cap * sizeof *types);
        if (types == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "%u types", cap);
        arm->types = types;
        arm->type_cap = cap;
    }
    memmove(arm->types + place + 1, arm->types + place,
            (arm->type_count - place) * sizeof *arm->types);
    arm->types[place] = type;
    arm->type_count++;
    return RF_OK;
}

enum rf_kind arm_register(struct arm *arm, const struct arm_type *types, uint32_t count,
                          struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) RF_TRY(insert(arm, &types[i], err));
    return RF_OK;
}

enum rf_kind arm_types_init(struct arm *arm, struct rf_err *err)
{
    RF_TRY(arm_register(arm, arm_known_types, arm_known_type_count, err));
    RF_TRY(arm_register(arm, &arm_type_group, 1, err));
    RF_TRY(arm_register(arm, &arm_type_subscription, 1, err));
    RF_TRY(arm_register(arm, &arm_type_management_group, 1, err));
    RF_TRY(arm_register(arm, &arm_type_deployment, 1, err));
    return arm_register(arm, &arm_type_lock, 1, err);
}

const struct arm_type *arm_types_find(const struct arm *arm, rf_str name)
{
    uint32_t place = place_of(arm, name);
    return is_at(arm, place, name) ? arm->types[place] : NULL;
}

/* ---- namespaces ---------------------------------------------------------------------------------------------------- */

static rf_str namespace_of(rf_str type)
{
    size_t slash = rf_str_find(type, RF_S("/"), 0);
    return slash == SIZE_MAX ? type : rf_slice(type, 0, slash);
}

static const struct known_namespace *find_known(rf_str ns)
{
    uint32_t low = 0, high = arm_known_namespace_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_nocase(rf_str_of(arm_known_namespaces[middle].name), ns);
        if (order == 0) return &arm_known_namespaces[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool arm_types_namespace(const struct arm *arm, rf_str ns, rf_str *out)
{
    const struct known_namespace *known = find_known(ns);
    if (known != NULL) {
        *out = rf_str_of(known->name);
        return true;
    }
    /* A '/' sorts behind the dot, so types of namespaces that begin alike may come between. */
    for (uint32_t at = place_of(arm, ns); at < arm->type_count; at++) {
        rf_str other = namespace_of(rf_str_of(arm->types[at]->name));
        if (rf_str_eq_nocase(other, ns)) {
            *out = other;
            return true;
        }
        if (other.len < ns.len || !rf_str_eq_nocase(rf_slice(other, 0, ns.len), ns)) return false;
    }
    return false;
}

bool arm_types_next_namespace(const struct arm *arm, uint32_t *at, rf_str *out)
{
    for (; *at < arm->type_count; ++*at) {
        rf_str ns = namespace_of(rf_str_of(arm->types[*at]->name));
        if (*at > 0 && rf_str_eq_nocase(ns, namespace_of(rf_str_of(arm->types[*at - 1]->name))))
            continue;
        *out = ns;
        ++*at;
        return true;
    }
    return false;
}

/* ---- the type of an id ------------------------------------------------------------------------------------------------ */

static bool is_top_level(rf_str type)
{
    size_t slash = rf_str_find(type, RF_S("/"), 0);
    return slash != SIZE_MAX && rf_str_find(type, RF_S("/"), slash + 1) == SIZE_MAX;
}

/* A type of which only the namespace is known. A child's parent may be one that stands for nothing, so it need not exist. */
static enum rf_kind make_generic(const struct resource_id *id, const struct known_namespace *known,
                                 rf_str ns, struct rf_arena *arena, const struct arm_type **out,
                                 struct rf_err *err)
{
    struct arm_type *type = rf_arena_new(arena, struct arm_type, 1);
    rf_str rest = rf_slice(id->type, id->ns.len, id->type.len);
    rf_str name = rf_arena_printf(arena, "%.*s%.*s%c", RF_FMT(ns), RF_FMT(rest), 0);
    if (type == NULL || name.ptr == NULL) return rf_fail_memory(err, arena);
    type->name = (const char *)name.ptr;
    type->versions = known == NULL ? resource_versions : known->versions;
    *out = type;
    return RF_OK;
}

enum rf_kind arm_types_of(const struct arm *arm, const struct resource_id *id,
                          struct rf_arena *arena, const struct arm_type **out, struct rf_err *err)
{
    if (id->type.len == 0) {
        *out = id->group.len > 0 || id->is_type ? &arm_type_group : &arm_type_subscription;
        if (id->subscription.len > 0) return RF_OK;
        return RF_FAIL(err, RF_INVALID, "InvalidResourceId", "the id names no resource");
    }
    rf_str ns;
    *out = arm_types_find(arm, id->type);
    /* Groups and subscriptions have paths of their own. */
    bool is_scope = *out == &arm_type_group || *out == &arm_type_subscription;
    if (*out != NULL && !is_scope) return RF_OK;
    if (!arm_types_namespace(arm, id->ns, &ns))
        return RF_FAIL(err, RF_INVALID, "InvalidResourceNamespace",
                       "The resource namespace '%.*s' is invalid.", RF_FMT(id->ns));
    const struct known_namespace *known = find_known(ns);
    if (known != NULL && known->closed && is_top_level(id->type))
        return RF_FAIL(err, RF_INVALID, "InvalidResourceType",
                       "The resource type '%.*s' could not be found in the namespace '%.*s'.",
                       RF_FMT(rf_slice(id->type, id->ns.len + 1, id->type.len)), RF_FMT(ns));
    return make_generic(id, known, ns, arena, out, err);
}

/* ---- versions ------------------------------------------------------------------------------------------------------------ */

enum { DATE_BYTES = 10 }; /* YYYY-MM-DD */

static bool is_version(rf_str version)
{
    static const char shape[] = "dddd-dd-dd";
    if (version.len < DATE_BYTES || version.len > 40) return false;
    for (size_t i = 0; i < DATE_BYTES; i++)
        if (shape[i] == 'd' ? !rf_is_digit(version.ptr[i]) : version.ptr[i] != '-') return false;
    int month = (version.ptr[5] - '0') * 10 + version.ptr[6] - '0';
    int day = (version.ptr[8] - '0') * 10 + version.ptr[9] - '0';
    if (month < 1 || month > 12 || day < 1 || day > 31) return false;
    if (version.len > DATE_BYTES && (version.ptr[DATE_BYTES] != '-' || version.len < 12))
        return false;
    for (size_t i = DATE_BYTES; i < version.len; i++)
        if (!rf_is_alnum(version.ptr[i]) && version.ptr[i] != '-' && version.ptr[i] != '.')
            return false;
    return true;
}

/* "2020-01-01, 2021-01-01" in `text`, cut off when there are too many. */
static void list_versions(const struct arm_type *type, char *text, size_t cap)
{
    size_t len = 0;
    text[0] = 0;
    for (const char *const *version = type->versions; version != NULL && *version != NULL;
         version++) {
        size_t more = strlen(*version) + 2;
        if (len + more + 1 > cap) return;
        memcpy(text + len, len == 0 ? *version : ", ", len == 0 ? more - 1 : 3);
        if (len > 0) memcpy(text + len + 2, *version, more - 1);
        len += len == 0 ? more - 2 : more;
    }
}

enum rf_kind arm_types_check_version(const struct arm_type *type, rf_str version,
                                     struct rf_err *err)
{
    char supported[600];
    list_versions(type, supported, sizeof supported);
    if (!is_version(version))
        return RF_FAIL(err, RF_INVALID, "InvalidApiVersionParameter",
                       "The api-version '%.*s' is invalid. The supported versions are '%s'.",
                       (int)RF_MIN(version.len, 60), (const char *)version.ptr, supported);
    if (type->versions == NULL || type->versions[0] == NULL) return RF_OK;
    /* Previews count as their date, and dates compare as texts. */
    if (memcmp(version.ptr, type->versions[0], DATE_BYTES) >= 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "NoRegisteredProviderFound",
                   "No registered resource provider found for API version '%.*s' for type '%s'. "
                   "The supported api-versions are '%s'.",
                   RF_FMT(version), strchr(type->name, '/') + 1, supported);
}
