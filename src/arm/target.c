/* target.c - what a request is about: from method and path to verb, resource, and what the caller must be allowed to do. */
#include "arm/arm_int.h"

#include "base/encode.h"

/* ---- targets ------------------------------------------------------------------------------------------------------------ */

/* `text` with its last type replaced by the casing that the type has. */
static enum rf_kind with_casing(const struct arm_type *type, struct rf_arena *arena,
                                struct resource_id *id, struct rf_err *err)
{
    rf_str name = rf_str_of(type->name);
    if (id->type.len == 0 || rf_str_eq(name, id->type)) return RF_OK;
    RF_ASSERT(name.len == id->type.len);
    /* The words of the type stand in the id one by one, behind the scope: each is found in turn. */
    uint8_t *text = rf_arena_alloc(arena, id->text.len);
    if (text == NULL) return rf_fail_memory(err, arena);
    memcpy(text, id->text.ptr, id->text.len);
    size_t at = (id->scope.len == 1 ? 0 : id->scope.len) + strlen("/providers/");
    for (size_t from = 0; from < name.len;) {
        size_t to = from;
        while (to < name.len && name.ptr[to] != '/') to++;
        memcpy(text + at, name.ptr + from, to - from);
        at += to - from + 1;
        /* A name stands behind every word but the namespace. */
        if (from > 0)
            while (at < id->text.len && id->text.ptr[at++] != '/') continue;
        from = to + 1;
    }
    size_t scope = id->scope.len, parent = id->parent.len;
    id->text = rf_str_make(text, id->text.len);
    if (scope > 1) id->scope = rf_slice(id->text, 0, scope);
    if (parent > 1) id->parent = rf_slice(id->text, 0, parent);
    id->type = name;
    size_t slash = rf_str_find(name, RF_S("/"), 0);
    id->ns = rf_slice(name, 0, slash);
    return RF_OK;
}

enum rf_kind arm_target_of(const struct arm *arm, rf_str text, struct rf_arena *arena,
                           struct arm_target *out, struct rf_err *err)
{
    struct arm_target target = {0};
    RF_TRY(resource_id_parse(text, arena, &target.id, err));
    RF_TRY(arm_types_of(arm, &target.id, arena, &target.type, err));
    RF_TRY(with_casing(target.type, arena, &target.id, err));
    target.key = resource_key(arena, target.id.text);
    target.parent_key = resource_key(arena, target.id.parent);
    if (target.key.ptr == NULL || target.parent_key.ptr == NULL) return rf_fail_memory(err, arena);
    size_t end = target.key.len;
    if (!target.id.is_type) end -= target.id.name.len + 1;
    target.collection = rf_slice(target.key, 0, end);
    *out = target;
    return RF_OK;
}

/* ---- plans --------------------------------------------------------------------------------------------------------------- */

static const struct arm_action *find_action(const struct arm_type *type, rf_str name,
                                            enum http_method method)
{
    for (uint32_t i = 0; i < type->action_count; i++)
        if (type->actions[i].method == method &&
            rf_str_eq_nocase(rf_str_of(type->actions[i].name), name))
            return &type->actions[i];
    return NULL;
}

/* The type as authorization knows it. */
static rf_str need_type(const struct arm_type *type)
{
    if (type == &arm_type_group) return RF_S("Microsoft.Resources/subscriptions/resourceGroups");
    return rf_str_of(type->name);
}

static rf_str last_segment(rf_str text)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '/') at--;
    return rf_slice(text, at, text.len);
}

/* A path that ends in a type: the list of a collection, or an action that is asked of the resource before. */
static enum rf_kind plan_collection(const struct arm *arm, enum http_method method,
                                    struct rf_arena *arena, const struct resource_id *id,
                                    struct arm_plan *plan, struct rf_err *err)
{
    rf_str word = last_segment(id->text);
    bool is_child = !rf_str_eq(id->parent, id->scope);
    if (is_child) {
        struct arm_target holder;
        RF_TRY(arm_target_of(arm, id->parent, arena, &holder, err));
        plan->action = find_action(holder.type, word, method);
        if (plan->action != NULL || method == HTTP_POST) {
            plan->target = holder;
            plan->verb = VERB_ACTION;
            plan->action_name = plan->action == NULL ? word : rf_str_of(plan->action->name);
            return RF_OK;
        }
    }
    RF_TRY(arm_target_of(arm, id->text, arena, &plan->target, err));
    plan->verb = method == HTTP_POST ? VERB_ACTION : VERB_LIST;
    plan->action_name = word;
    if (method == HTTP_GET || method == HTTP_POST) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "MethodNotAllowed",
                   "%s is not possible on a collection: the path ends in a type, without a name",
                   http_method_name(method));
}

static enum rf_kind plan_tags(const struct arm *arm, struct rf_arena *arena,
                              const struct resource_id *id, struct arm_plan *plan,
                              struct rf_err *err)
{
    if (id->is_type || !rf_str_eq_nocase(id->name, RF_S("default")))
        return RF_FAIL(err, RF_INVALID, "InvalidResourceName",
                       "the tags of a scope are a resource named 'default'");
    plan->is_tags = true;
    return arm_target_of(arm, id->scope, arena, &plan->target, err);
}

static const char *const verb_words[] = {[VERB_READ] = "read",
                                         [VERB_LIST] = "read",
                                         [VERB_PUT] = "write",
                                         [VERB_PATCH] = "write",
                                         [VERB_DELETE] = "delete"};

static enum rf_kind name_need(struct rf_arena *arena, struct arm_plan *plan, struct rf_err *err)
{
    const struct arm_target *target = &plan->target;
    rf_str type = plan->is_tags ? RF_S("Microsoft.Resources/tags") : need_type(target->type);
    bool on_collection = !plan->is_tags && target->id.is_type;
    if (plan->verb == VERB_ACTION && on_collection)
        plan->need = rf_arena_printf(arena, "%.*s/action", RF_FMT(type));
    else if (plan->verb == VERB_ACTION)
        plan->need =
            rf_arena_printf(arena, "%.*s/%.*s/action", RF_FMT(type), RF_FMT(plan->action_name));
    else
        plan->need = rf_arena_printf(arena, "%.*s/%s", RF_FMT(type), verb_words[plan->verb]);
    plan->scope = on_collection ? target->id.parent : target->id.text;
    return plan->need.ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* A GET action only reads; who may read the resource may ask for it. */
static bool is_reading_action(const struct arm_plan *plan)
{
    return plan->action != NULL &&
           (plan->action->method == HTTP_GET || plan->action->method == HTTP_HEAD);
}

static enum rf_kind path_of(struct request *request, rf_str *out, struct rf_err *err)
{
    return percent_decode(request->arena, request->http->path, false, out, err);
}

enum rf_kind arm_plan_read(struct request *request, struct arm_plan *out, struct rf_err *err)
{
    static const enum arm_verb verbs[HTTP_METHOD_COUNT] = {
        [HTTP_GET] = VERB_READ,     [HTTP_HEAD] = VERB_READ,     [HTTP_PUT] = VERB_PUT,
        [HTTP_PATCH] = VERB_PATCH,  [HTTP_DELETE] = VERB_DELETE, [HTTP_POST] = VERB_ACTION,
        [HTTP_OPTIONS] = VERB_READ,
    };
    const struct arm *arm = request->service;
    enum http_method method = request->http->method;
    struct arm_plan plan = {.verb = verbs[method]};
    struct resource_id id;
    rf_str path;
    RF_TRY(path_of(request, &path, err));
    RF_TRY(resource_id_parse(path, request->arena, &id, err));
    if (rf_str_eq_nocase(id.type, RF_S("Microsoft.Resources/tags")))
        RF_TRY(plan_tags(arm, request->arena, &id, &plan, err));
    else if (id.is_type)
        RF_TRY(plan_collection(arm, method, request->arena, &id, &plan, err));
    else
        RF_TRY(arm_target_of(arm, id.text, request->arena, &plan.target, err));
    if (plan.verb == VERB_ACTION && !id.is_type)
        return RF_FAIL(err, RF_INVALID, "MethodNotAllowed",
                       "POST asks for an action, whose name comes behind that of the resource");
    RF_TRY(name_need(request->arena, &plan, err));
    if (is_reading_action(&plan)) {
        rf_str type = need_type(plan.target.type);
        plan.need = rf_arena_printf(request->arena, "%.*s/read", RF_FMT(type));
        if (plan.need.ptr == NULL) return rf_fail_memory(err, request->arena);
    }
    *out = plan;
    return RF_OK;
}

/* ---- what every request must have ---------------------------------------------------------------------------------------- */

enum rf_kind arm_require_version(struct request *request, rf_str *version, struct rf_err *err)
{
    bool found;
    *version = rf_str_trim(request_parameter(request, "api-version", &found));
    if (found && version->len > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "MissingApiVersionParameter",
                   "The api-version query parameter (?api-version=) is required for all requests.");
}

enum rf_kind arm_require_subscription(const struct arm *arm, rf_str subscription,
                                      struct rf_err *err)
{
    if (!guid_is(subscription))
        return RF_FAIL(err, RF_INVALID, "InvalidSubscriptionId",
                       "The provided subscription identifier '%.*s' is malformed or invalid.",
                       (int)RF_MIN(subscription.len, 100), (const char *)subscription.ptr);
    if (rf_str_eq_nocase(subscription, arm->options.site->subscription_id)) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "SubscriptionNotFound",
                   "The subscription '%.*s' could not be found.", RF_FMT(subscription));
}

enum rf_kind arm_plan_of(struct request *request, struct arm_plan *out, struct rf_err *err)
{
    rf_str version;
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(arm_plan_read(request, out, err));
    RF_TRY(
        arm_types_check_version(out->is_tags ? &arm_type_group : out->target.type, version, err));
    rf_str subscription = out->target.id.subscription;
    return subscription.len == 0 ? RF_OK
                                 : arm_require_subscription(request->service, subscription, err);
}
