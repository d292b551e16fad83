/* deploy_record.c - what is stored and shown of deployments. */
#include "arm/deploy_int.h"

#include "base/encode.h"

#include <stdlib.h>

static const char space[] = "resource";
static const char side_space[] = "deployment";

/* ---- the type --------------------------------------------------------------------------------------------------------------- */

static bool has_ended(rf_str state)
{
    return rf_str_is(state, "Succeeded") || rf_str_is(state, "Failed") ||
           rf_str_is(state, "Canceled");
}

/* What nobody works on any more was cut off by a restart; it is told so rather than resumed, as what it did is known only in
 * part. One that ended since the transaction began is shown as it was then. */
static enum rf_kind show(struct arm_call *call, struct arm_resource *resource, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *properties = json_get(resource->body, "properties");
    json_remove(resource->body, RF_S("systemData"));
    if (has_ended(json_text_at(properties, "provisioningState"))) return RF_OK;
    if (properties == NULL || deploy_is_active(call->arm->deploys, resource->key)) return RF_OK;
    if (deploy_has_just_ended(call->arm->deploys, resource->key)) return RF_OK;
    struct json_node *error =
        deploy_error(arena, RF_S("DeploymentInterrupted"),
                     RF_S("The deployment was interrupted by a restart of the server. Deploy "
                          "again: what is there already is left as it is or replaced."),
                     NULL);
    json_set_text(arena, properties, "provisioningState", RF_S("Failed"));
    return json_set(arena, properties, RF_S("error"), error) == NULL ? rf_fail_memory(err, arena)
                                                                     : RF_OK;
}

static enum rf_kind remove_side(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    enum rf_kind kind = state_delete(call->txn, side_space, resource->key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* "provisioningState eq 'Failed'": the only filter that lists of deployments have. */
static rf_str wanted_state(const struct request *request)
{
    if (request == NULL) return (rf_str){0};
    rf_str filter = rf_str_trim(request_parameter(request, "$filter", NULL));
    rf_str word = RF_S("provisioningState");
    if (filter.len < word.len || !rf_str_eq_nocase(rf_slice(filter, 0, word.len), word))
        return (rf_str){0};
    size_t from = rf_str_find(filter, RF_S("'"), 0);
    size_t to = from == SIZE_MAX ? from : rf_str_find(filter, RF_S("'"), from + 1);
    return to == SIZE_MAX ? (rf_str){0} : rf_slice(filter, from + 1, to);
}

static int newest_first(const void *a, const void *b)
{
    struct json_node *const *x = a, *const *y = b;
    return rf_str_cmp(json_text_at(*y, "properties.timestamp"),
                      json_text_at(*x, "properties.timestamp"));
}

static enum rf_kind collection_of(struct arm_call *call, rf_str parent_id, rf_str *out,
                                  struct rf_err *err)
{
    rf_str id =
        rf_arena_printf(call->arena, "%.*s/providers/Microsoft.Resources/deployments",
                        parent_id.len > 1 ? (int)parent_id.len : 0, (const char *)parent_id.ptr);
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    *out = resource_key(call->arena, id);
    return out->ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind list(struct arm_call *call, rf_str parent_id, struct json_node *out,
                         struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct state_scan scan = {.space = space, .index = "collection"};
    struct state_list found;
    rf_str state = wanted_state(call->request);
    int64_t top = INT64_MAX;
    if (call->request != NULL &&
        !template_whole(request_parameter(call->request, "$top", NULL), &top))
        top = INT64_MAX;
    RF_TRY(collection_of(call, parent_id, &scan.value, err));
    RF_TRY(state_list(call->txn, &scan, arena, &found, err));
    struct json_node **documents = rf_arena_new(arena, struct json_node *, found.count + 1);
    uint32_t count = 0;
    if (documents == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < found.count; i++) {
        struct arm_resource resource;
        RF_TRY(arm_resource_of(&found.items[i], arena, &resource, err));
        RF_TRY(show(call, &resource, err));
        rf_str is = json_text_at(resource.body, "properties.provisioningState");
        if (state.len == 0 || rf_str_eq_nocase(is, state)) documents[count++] = resource.body;
    }
    qsort(documents, count, sizeof(struct json_node *), newest_first);
    for (uint32_t i = 0; i < count && i < top; i++)
        if (json_append(out, documents[i]) == NULL) return rf_fail_memory(err, arena);
    return RF_OK;
}

static const char *const versions[] = {"2015-11-01", "2017-05-10", "2018-05-01", "2019-05-10",
                                       "2019-10-01", "2020-06-01", "2021-04-01", "2022-09-01",
                                       "2024-03-01", "2025-03-01", "2025-04-01", NULL};
const struct arm_type arm_type_deployment = {
    .name = "Microsoft.Resources/deployments",
    .versions = versions,
    .flags = ARM_EXTENSION | ARM_NO_STATE | ARM_STAYS,
    .remove = remove_side,
    .show = show,
    .list = list,
};

/* ---- storing --------------------------------------------------------------------------------------------------------------- */

enum rf_kind deploy_load_side(struct arm_call *call, rf_str key, struct json_node **out,
                              struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(call->txn, side_space, key, call->arena, &object, err);
    *out = NULL;
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return json_parse(object.body, call->arena, out, err);
}

static enum rf_kind store_side(struct arm_call *call, rf_str key,
                               const struct deploy_record *record, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *side = NULL;
    if (record->template == NULL && record->operations == NULL) return RF_OK;
    if (record->template == NULL) RF_TRY(deploy_load_side(call, key, &side, err));
    if (side == NULL) side = json_new(arena, JSON_T_OBJECT);
    if (record->template != NULL)
        json_set(arena, side, RF_S("template"), template_share(arena, record->template));
    struct json_node *operations = record->operations != NULL
                                       ? template_share(arena, record->operations)
                                       : json_new(arena, JSON_T_ARRAY);
    if (json_set(arena, side, RF_S("operations"), operations) == NULL)
        return rf_fail_memory(err, arena);
    rf_str text = json_to_text(arena, side);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = side_space, .key = key, .body = text};
    return state_put(call->txn, &put, NULL, NULL, err);
}

static struct json_node *document_of(struct rf_arena *arena, const struct deploy_record *record)
{
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, document, "id", record->id);
    json_set_text(arena, document, "name", record->name);
    json_set_text(arena, document, "type", RF_S("Microsoft.Resources/deployments"));
    if (record->location.len > 0) json_set_text(arena, document, "location", record->location);
    if (record->tags != NULL)
        json_set(arena, document, RF_S("tags"), template_share(arena, record->tags));
    struct json_node *properties = template_share(arena, record->properties);
    return json_set(arena, document, RF_S("properties"), properties) == NULL ? NULL : document;
}

/* The record of what was done is no resource of the user's: a lock does not keep it from being written. */
static enum rf_kind store_in(struct arm_call *call, const struct deploy_record *record,
                             bool *created, struct json_node **document, struct rf_err *err)
{
    struct arm_target target;
    struct state_object before;
    RF_TRY(arm_target_of(call->arm, record->id, call->arena, &target, err));
    enum rf_kind kind = state_get(call->txn, space, target.key, call->arena, &before, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *created = kind == RF_NOT_FOUND;
    struct arm_resource resource = {.id = target.id.text,
                                    .key = target.key,
                                    .name = record->name,
                                    .type = rf_str_of(target.type->name),
                                    .body = document_of(call->arena, record)};
    if (resource.body == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(arm_resource_rewrite(call, &target, &resource, err));
    *document = resource.body;
    return store_side(call, target.key, record, err);
}

enum rf_kind deploy_store(struct arm *arm, const struct principal *principal,
                          const struct deploy_record *record, struct rf_arena *arena, bool *created,
                          struct json_node **document, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_begin(arm, principal, arena, &call, err));
    enum rf_kind kind = store_in(&call, record, created, document, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}

static enum rf_kind prune_in(struct arm_call *call, rf_str id, struct rf_err *err)
{
    struct arm_target target;
    struct state_scan scan = {.space = space, .index = "collection"};
    struct state_list found;
    RF_TRY(arm_target_of(call->arm, id, call->arena, &target, err));
    scan.value = target.collection;
    RF_TRY(state_list(call->txn, &scan, call->arena, &found, err));
    while (found.count > DEPLOY_KEPT_MAX) {
        uint32_t oldest = 0;
        for (uint32_t i = 1; i < found.count; i++)
            if (found.items[i].changed_usec < found.items[oldest].changed_usec) oldest = i;
        rf_str key = found.items[oldest].key;
        if (!deploy_is_active(call->arm->deploys, key)) {
            enum rf_kind kind = state_delete(call->txn, space, key, err);
            if (kind == RF_OK) kind = state_delete(call->txn, side_space, key, err);
            if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
        }
        found.items[oldest] = found.items[--found.count];
    }
    return RF_OK;
}

enum rf_kind deploy_prune(struct arm *arm, rf_str id, struct rf_arena *arena, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_begin(arm, NULL, arena, &call, err));
    enum rf_kind kind = prune_in(&call, id, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}

/* ---- properties ---------------------------------------------------------------------------------------------------------------- */

rf_str deploy_duration(struct rf_arena *arena, rf_usec usec)
{
    if (usec < 0) usec = 0;
    return rf_arena_printf(arena, "PT%lld.%06lldS", (long long)(usec / RF_USEC_PER_SECOND),
                           (long long)(usec % RF_USEC_PER_SECOND));
}

/* "Microsoft.X" and "a/b" of a type. */
static void split_type(rf_str type, rf_str *ns, rf_str *rest)
{
    size_t slash = rf_str_find(type, RF_S("/"), 0);
    *ns = rf_slice(type, 0, slash == SIZE_MAX ? type.len : slash);
    *rest = slash == SIZE_MAX ? (rf_str){0} : rf_slice(type, slash + 1, type.len);
}

static bool add_type(struct rf_arena *arena, struct json_node *providers,
                     const struct template_resource *r)
{
    rf_str ns, rest;
    split_type(r->type, &ns, &rest);
    struct json_node *provider = providers->first;
    while (provider != NULL && !rf_str_eq_nocase(json_text_at(provider, "namespace"), ns))
        provider = provider->next;
    if (provider == NULL) {
        provider = json_append(providers, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, provider, "namespace", ns);
        json_set(arena, provider, RF_S("resourceTypes"), json_new(arena, JSON_T_ARRAY));
    }
    struct json_node *types = json_get(provider, "resourceTypes");
    if (types == NULL) return false;
    for (const struct json_node *t = types->first; t != NULL; t = t->next)
        if (rf_str_eq_nocase(json_text_at(t, "resourceType"), rest)) return true;
    struct json_node *type = json_append(types, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, type, "resourceType", rest);
    struct json_node *locations =
        json_set(arena, type, RF_S("locations"), json_new(arena, JSON_T_ARRAY));
    const struct json_node *location = json_get(r->body, "location");
    struct json_node *place = json_is(location, JSON_T_STRING) ? template_share(arena, location)
                                                               : json_new(arena, JSON_T_NULL);
    return json_append(locations, place) != NULL;
}

static struct json_node *basic(struct rf_arena *arena, const struct template_resource *r)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, node, "id", r->id);
    json_set_text(arena, node, "resourceType", r->type);
    return json_set_text(arena, node, "resourceName", r->name) == NULL ? NULL : node;
}

static bool add_needs(struct rf_arena *arena, struct json_node *all,
                      const struct template_plan *plan, uint32_t at)
{
    struct json_node *needs = json_new(arena, JSON_T_ARRAY);
    if (needs == NULL) return false;
    for (uint32_t n = 0; n < plan->count; n++)
        if (template_needs(plan, at, n) &&
            json_append(needs, basic(arena, &plan->resources[n])) == NULL)
            return false;
    if (needs->count == 0) return true;
    struct json_node *entry = basic(arena, &plan->resources[at]);
    json_set(arena, entry, RF_S("dependsOn"), needs);
    return json_append(all, entry) != NULL;
}

enum rf_kind deploy_properties(struct template_run *run, const struct template_plan *plan,
                               rf_str mode, rf_str correlation_id, rf_str state,
                               struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = run->arena;
    struct json_node *properties = json_new(arena, JSON_T_OBJECT), *parameters;
    struct json_node *providers = json_new(arena, JSON_T_ARRAY);
    struct json_node *dependencies = json_new(arena, JSON_T_ARRAY);
    if (properties == NULL || providers == NULL || dependencies == NULL)
        return rf_fail_memory(err, arena);
    json_set_text(arena, properties, "templateHash", template_hash(arena, plan->env->document));
    if (plan->env->around == NULL) {
        RF_TRY(template_parameters(run, plan->env, &parameters, err));
        json_set(arena, properties, RF_S("parameters"), parameters);
    }
    json_set_text(arena, properties, "mode", mode);
    json_set_text(arena, properties, "provisioningState", state);
    json_set_text(arena, properties, "timestamp", time_iso(arena, run->now));
    json_set_text(arena, properties, "duration", RF_S("PT0S"));
    json_set_text(arena, properties, "correlationId", correlation_id);
    bool done = true;
    for (uint32_t i = 0; i < plan->count && done; i++) {
        const struct template_resource *r = &plan->resources[i];
        if (r->is_skipped) continue;
        done = add_type(arena, providers, r) && add_needs(arena, dependencies, plan, i);
    }
    done = done && json_set(arena, properties, RF_S("providers"), providers) != NULL &&
           json_set(arena, properties, RF_S("dependencies"), dependencies) != NULL;
    if (!done) return rf_fail_memory(err, arena);
    *out = properties;
    return RF_OK;
}
