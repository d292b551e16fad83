/* list.c - lists: collections of a type, /resources of a group or subscription, resource groups; page by page.
 *
 * A page begins behind the key in $skiptoken, so that it is right whatever was written or deleted in between. */
#include "arm/arm_int.h"

#include "base/encode.h"

enum {
    CHUNK = 200, /* objects read at a time */
    CHUNK_BYTES_MAX = 64 << 20,
    SCRATCH_BYTES_MAX = 256 << 20, /* for one document, parsed */
    RESOURCES_PAGE = 1000,         /* of /resources, as in Azure */
    COLLECTION_PAGE = 10000,       /* some clients of collections know no further pages */
    TOP_MAX = 10000
};

static const char space[] = "resource";

/* ---- one page ---------------------------------------------------------------------------------------------------------------- */

static bool may_read(const struct arm_call *call, const struct arm_target *target)
{
    if (call->request == NULL) return true;
    rf_str type = target->type == &arm_type_group
                      ? RF_S("Microsoft.Resources/subscriptions/resourceGroups")
                      : rf_str_of(target->type->name);
    rf_str need = rf_arena_printf(call->arena, "%.*s/read", RF_FMT(type));
    return need.ptr != NULL && request_may(call->request, need, target->id.text, false);
}

/* Without what /resources leaves out; with what $expand asks for. */
static bool make_slim(struct arm_call *call, const struct state_object *object,
                      struct json_node *document)
{
    rf_str expand = request_parameter(call->request, "$expand", NULL);
    rf_str state = json_text_at(document, "properties.provisioningState");
    json_remove(document, RF_S("properties"));
    json_remove(document, RF_S("systemData"));
    json_remove(document, RF_S("etag"));
    struct rf_arena *arena = call->arena;
    bool done = true;
    if (rf_str_find(expand, RF_S("createdTime"), 0) != SIZE_MAX)
        done = json_set_text(arena, document, "createdTime",
                             time_iso(arena, object->created_usec)) != NULL;
    if (done && rf_str_find(expand, RF_S("changedTime"), 0) != SIZE_MAX)
        done = json_set_text(arena, document, "changedTime",
                             time_iso(arena, object->changed_usec)) != NULL;
    if (done && state.len > 0 && rf_str_find(expand, RF_S("provisioningState"), 0) != SIZE_MAX)
        done = json_set_text(arena, document, "provisioningState", state) != NULL;
    return done;
}

/* Appends one object when it belongs on the page. What is read on the way lies in call->arena, what stays in `keep`. */
static enum rf_kind consider(struct arm_call *call, const struct arm_list_scan *list,
                             const struct state_object *object, struct rf_arena *keep,
                             struct json_node *value, struct rf_err *err)
{
    struct arm_resource resource;
    struct arm_target target;
    RF_TRY(arm_resource_of(object, call->arena, &resource, err));
    if (!arm_filter_passes(list->filter, resource.body)) return RF_OK;
    RF_TRY(arm_target_of(call->arm, resource.id, call->arena, &target, err));
    if (list->slim && !arm_is_listed(&target, resource.body)) return RF_OK;
    if (list->only_readable && !may_read(call, &target)) return RF_OK;
    if (!list->slim)
        RF_TRY(arm_resource_show(call, &target, &resource, err));
    else if (!make_slim(call, object, resource.body))
        return rf_fail_memory(err, call->arena);
    if (json_append(value, json_clone(keep, resource.body)) == NULL)
        return rf_fail_memory(err, keep);
    return RF_OK;
}

/* Reads the next objects into `chunk`; fewer when they are so large that as many do not fit. */
static enum rf_kind read_chunk(struct arm_call *call, struct state_scan *scan,
                               struct rf_arena *chunk, struct state_list *found, struct rf_err *err)
{
    for (;;) {
        rf_arena_reset(chunk);
        enum rf_kind kind = state_list(call->txn, scan, chunk, found, err);
        if (kind != RF_LIMIT || scan->limit <= 1) return kind;
        scan->limit = scan->limit / 8 + 1;
    }
}

/* Fills the page from one chunk. *last: the key of the one that filled it when more follow, else empty. */
static enum rf_kind take_chunk(struct arm_call *call, const struct arm_list_scan *list,
                               const struct state_list *found, struct rf_arena *keep,
                               uint32_t count_max, struct json_node *value, rf_str *last,
                               struct rf_err *err)
{
    *last = (rf_str){0};
    for (uint32_t i = 0; i < found->count; i++) {
        rf_arena_reset(call->arena);
        RF_TRY(consider(call, list, &found->items[i], keep, value, err));
        if (value->count < count_max) continue;
        if (i + 1 < found->count || found->more) *last = found->items[i].key;
        return RF_OK;
    }
    return RF_OK;
}

enum rf_kind arm_list_page(struct arm_call *call, struct arm_list_scan *list,
                           struct json_node *value, rf_str *next, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena chunk;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&chunk, CHUNK_BYTES_MAX);
    rf_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct arm_call own = *call;
    own.arena = &scratch;
    uint32_t count_max = value->count + list->page;
    *next = (rf_str){0};
    for (;;) {
        struct state_list found;
        rf_str last;
        list->scan.limit = CHUNK;
        RF_TRY(read_chunk(call, &list->scan, &chunk, &found, err));
        RF_TRY(take_chunk(&own, list, &found, call->arena, count_max, value, &last, err));
        if (value->count == count_max) {
            if (!rf_arena_str(call->arena, last, next)) return rf_fail_memory(err, call->arena);
            return RF_OK;
        }
        if (!found.more || found.count == 0) return RF_OK;
        if (!rf_arena_str(call->arena, found.items[found.count - 1].key, &list->scan.after))
            return rf_fail_memory(err, call->arena);
    }
}

/* ---- $top, $skiptoken, nextLink ------------------------------------------------------------------------------------------------ */

static bool read_number(rf_str text, uint32_t *out)
{
    uint32_t number = 0;
    if (text.len == 0 || text.len > 6) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out = number;
    return true;
}

enum rf_kind arm_list_window(struct request *request, struct arm_list_scan *list,
                             struct rf_err *err)
{
    bool found;
    rf_str top = request_parameter(request, "$top", &found);
    if (found && (!read_number(top, &list->page) || list->page == 0 || list->page > TOP_MAX))
        return RF_FAIL(err, RF_INVALID, "InvalidTopInQueryString",
                       "Invalid $top query parameter '%.*s': it is a number from 1 to %d.",
                       (int)RF_MIN(top.len, 40), (const char *)top.ptr, TOP_MAX);
    rf_str token = request_parameter(request, "$skiptoken", &found);
    if (!found || token.len == 0) return RF_OK;
    struct rf_err inner;
    if (base64url_decode(request->arena, token, &list->scan.after, &inner) == RF_OK) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidSkipToken",
                   "The $skiptoken query parameter is not one that was given out.");
}

/* The request's own URL with another $skiptoken. */
static rf_str next_link(const struct request *request, rf_str next)
{
    struct rf_arena *arena = request->arena;
    struct rf_buf link = rf_buf_in(arena);
    rf_buf_str(&link, request->origin);
    rf_buf_str(&link, request->http->path);
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct route_variable *parameter = &request->parameters[i];
        if (rf_str_eq_nocase(parameter->name, RF_S("$skiptoken"))) continue;
        rf_str name = percent_encode(arena, parameter->name);
        rf_str value = percent_encode(arena, parameter->value);
        if (name.ptr == NULL || value.ptr == NULL) return (rf_str){0};
        rf_buf_byte(&link, i == 0 ? '?' : '&');
        rf_buf_printf(&link, "%.*s=%.*s", RF_FMT(name), RF_FMT(value));
    }
    bool first = memchr(link.ptr, '?', link.len) == NULL;
    rf_str token = base64url_encode(arena, next);
    rf_buf_printf(&link, "%s%%24skiptoken=%.*s", first ? "?" : "&", RF_FMT(token));
    if (link.failed || token.ptr == NULL) return (rf_str){0};
    return rf_buf_view(&link);
}

enum rf_kind arm_list_answer(struct request *request, struct json_node *value, rf_str next,
                             struct rf_err *err)
{
    struct json_node *body = json_new(request->arena, JSON_T_OBJECT);
    bool done = json_set(request->arena, body, RF_S("value"), value) != NULL;
    if (done && next.len > 0) {
        rf_str link = next_link(request, next);
        done = link.ptr != NULL && json_set_text(request->arena, body, "nextLink", link) != NULL;
    }
    return done ? request_answer(request, 200, body) : rf_fail_memory(err, request->arena);
}

/* ---- collections ------------------------------------------------------------------------------------------------------------------- */

/* Seen from the subscription or the tenant, the collection of a type that lives in groups is all there is of it. */
static bool is_wide(const struct arm_target *target)
{
    const struct resource_id *id = &target->id;
    bool at_top = rf_str_eq(id->parent, id->scope);
    bool is_subscription = id->group.len == 0 && id->subscription.len > 0 &&
                           id->scope.len == strlen("/subscriptions/") + id->subscription.len;
    return at_top && is_subscription && (target->type->flags & ARM_EXTENSION) == 0;
}

/* The holder of a collection must be there, else the list is not empty but wrong. */
static enum rf_kind require_holder(struct arm_call *call, const struct arm_target *target,
                                   struct rf_err *err)
{
    struct arm_target holder;
    struct arm_resource resource;
    if (target->id.parent.len <= 1) return RF_OK;
    RF_TRY(arm_target_of(call->arm, target->id.parent, call->arena, &holder, err));
    enum rf_kind kind = arm_resource_load(call, &holder, &resource, err);
    bool is_free = (target->type->flags & ARM_PARENT_FREE) != 0;
    return kind == RF_NOT_FOUND && is_free ? RF_OK : kind;
}

static enum rf_kind list_collection(struct request *request, struct arm_call *call,
                                    const struct arm_target *target, struct json_node *value,
                                    rf_str *next, struct rf_err *err)
{
    const struct arm_type *type = target->type;
    struct arm_call own = arm_call_for(call, type);
    RF_TRY(require_holder(call, target, err));
    if (type->list != NULL) return type->list(&own, target->id.parent, value, err);
    struct arm_list_scan list = {.scan = {.space = space}, .page = COLLECTION_PAGE};
    if (is_wide(target)) {
        list.scan.index = "type";
        list.scan.value = resource_key(request->arena, rf_str_of(type->name));
        list.scan.prefix = rf_arena_printf(request->arena, "%.*s/", RF_FMT(target->parent_key));
        if (list.scan.value.ptr == NULL || list.scan.prefix.ptr == NULL)
            return rf_fail_memory(err, request->arena);
    } else {
        list.scan.index = "collection";
        list.scan.value = target->collection;
    }
    RF_TRY(arm_list_window(request, &list, err));
    RF_TRY(arm_list_page(call, &list, value, next, err));
    if (next->len > 0 || type->virtual_list == NULL) return RF_OK;
    return type->virtual_list(&own, target->id.parent, value, err);
}

enum rf_kind arm_run_collection(struct request *request, const struct arm_plan *plan,
                                struct rf_err *err)
{
    struct json_node *value = json_new(request->arena, JSON_T_ARRAY);
    struct arm_call call;
    rf_str next = {0};
    if (value == NULL) return rf_fail_memory(err, request->arena);
    if (request->http->method == HTTP_HEAD)
        return RF_FAIL(err, RF_INVALID, "MethodNotAllowed", "HEAD is not possible on a collection");
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = list_collection(request, &call, &plan->target, value, &next, err);
    arm_end(&call);
    RF_TRY(kind);
    return arm_list_answer(request, value, next, err);
}

/* ---- /resources, /resourceGroups ---------------------------------------------------------------------------------------------------- */

/* Who may read nothing of it learns that, rather than of a list that happens to be empty. */
static enum rf_kind check_empty(struct request *request, const struct json_node *value, rf_str next,
                                rf_str action, rf_str scope, struct rf_err *err)
{
    if (value->count > 0 || next.len > 0 || request_may(request, action, scope, false))
        return RF_OK;
    return authz_denied(request->principal, action, scope, err);
}

/* A filter that wants one type needs to look at resources of that type only. */
static enum rf_kind scan_one_type(struct request *request, struct arm_list_scan *list,
                                  struct rf_err *err)
{
    rf_str type = arm_filter_type(list->filter);
    if (type.len == 0) return RF_OK;
    list->scan.prefix = rf_arena_printf(request->arena, "%.*s/", RF_FMT(list->scan.value));
    list->scan.index = "type";
    list->scan.value = resource_key(request->arena, type);
    bool done = list->scan.prefix.ptr != NULL && list->scan.value.ptr != NULL;
    return done ? RF_OK : rf_fail_memory(err, request->arena);
}

static enum rf_kind scan_filtered(struct request *request, struct arm_list_scan *list,
                                  struct json_node *value, rf_str *next, struct rf_err *err)
{
    struct filter *filter;
    struct arm_call call;
    rf_str text = request_parameter(request, "$filter", NULL);
    RF_TRY(arm_filter_parse(text, request->arena, &filter, err));
    list->filter = filter;
    list->only_readable = true;
    if (list->slim) RF_TRY(scan_one_type(request, list, err));
    RF_TRY(arm_list_window(request, list, err));
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = arm_list_page(&call, list, value, next, err);
    arm_end(&call);
    return kind;
}

static enum rf_kind require_this_group(struct request *request, rf_str id, struct rf_err *err)
{
    struct arm_target target;
    struct arm_call call;
    struct arm_resource group;
    RF_TRY(arm_target_of(request->service, id, request->arena, &target, err));
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = arm_resource_load(&call, &target, &group, err);
    arm_end(&call);
    return kind;
}

enum rf_kind arm_run_resources(struct request *request, struct rf_err *err)
{
    struct json_node *value = json_new(request->arena, JSON_T_ARRAY);
    rf_str subscription = request_variable(request, "subscription"), next = {0}, version;
    rf_str group = request_variable(request, "group");
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(arm_require_subscription(request->service, subscription, err));
    rf_str scope =
        group.len == 0
            ? rf_arena_printf(request->arena, "/subscriptions/%.*s", RF_FMT(subscription))
            : rf_arena_printf(request->arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                              RF_FMT(subscription), RF_FMT(group));
    rf_str key = resource_key(request->arena, scope);
    if (value == NULL || scope.ptr == NULL || key.ptr == NULL)
        return rf_fail_memory(err, request->arena);
    struct arm_list_scan list = {.scan = {.space = space, .index = "listed", .value = key},
                                 .slim = true,
                                 .page = RESOURCES_PAGE};
    RF_TRY(scan_filtered(request, &list, value, &next, err));
    rf_str action = RF_S("Microsoft.Resources/subscriptions/resources/read");
    if (group.len > 0)
        action = RF_S("Microsoft.Resources/subscriptions/resourceGroups/resources/read");
    RF_TRY(check_empty(request, value, next, action, scope, err));
    if (value->count == 0 && group.len > 0) RF_TRY(require_this_group(request, scope, err));
    return arm_list_answer(request, value, next, err);
}

enum rf_kind arm_run_groups(struct request *request, struct rf_err *err)
{
    struct json_node *value = json_new(request->arena, JSON_T_ARRAY);
    rf_str subscription = request_variable(request, "subscription"), next = {0}, version;
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(arm_require_subscription(request->service, subscription, err));
    rf_str scope = rf_arena_printf(request->arena, "/subscriptions/%.*s", RF_FMT(subscription));
    rf_str prefix = resource_key(request->arena, scope);
    if (value == NULL || scope.ptr == NULL || prefix.ptr == NULL)
        return rf_fail_memory(err, request->arena);
    struct arm_list_scan list = {.scan = {.space = space,
                                          .index = "type",
                                          .value = RF_S("microsoft.resources/resourcegroups"),
                                          .prefix = prefix},
                                 .page = RESOURCES_PAGE};
    RF_TRY(scan_filtered(request, &list, value, &next, err));
    RF_TRY(check_empty(request, value, next,
                       RF_S("Microsoft.Resources/subscriptions/resourceGroups/read"), scope, err));
    return arm_list_answer(request, value, next, err);
}
