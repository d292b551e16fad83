/* move.c - moveResources and validateMoveResources: resources of one group get their place in another.
 *
 * A resource moves with all that stands below it, in one transaction: its documents get new ids and keep what is in them, and
 * documents anywhere in the estate that name the old ids name the new ones. What services keep of it they keep under other
 * names (a workspace's tables under its customer id), so it stays reachable; a type that cannot promise that is marked
 * ARM_STAYS and refused. As in Azure, role assignments at the resource itself do not move and end, and a lock at the resource,
 * above or below it stops the move. Who may: the action at the source, checked by the route, and writing the target group. */
#include "arm/arm_int.h"
#include "authz/authz.h"

enum { RESOURCES_MAX = 800, CHUNK = 64, SCRATCH_BYTES_MAX = 320 << 20, FINISHED_STATUS = 204 };

static const char space[] = "resource";

struct moved {
    rf_str id, key; /* before */
    rf_str new_id, new_key;
};
struct move {
    struct arm_call *call;
    struct arm_resource source, target; /* the groups */
    struct moved *items;
    uint32_t count;
};

/* ---- what is asked for ------------------------------------------------------------------------------------------------------ */

static enum rf_kind bad(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                   "The request to move resources is not valid: %s.", why);
}

static enum rf_kind load_group(struct arm_call *call, rf_str id, struct arm_resource *out,
                               struct rf_err *err)
{
    struct arm_target target;
    RF_TRY(arm_target_of(call->arm, id, call->arena, &target, err));
    if (target.type != &arm_type_group || target.id.is_type)
        return bad(err, "'targetResourceGroup' must be the id of a resource group");
    RF_TRY(arm_require_subscription(call->arm, target.id.subscription, err));
    return arm_resource_load(call, &target, out, err);
}

static enum rf_kind read_groups(struct move *move, const struct json_node *body, struct rf_err *err)
{
    struct arm_call *call = move->call;
    const struct request *request = call->request;
    rf_str target = json_text_at(body, "targetResourceGroup");
    rf_str source = rf_arena_printf(call->arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                                    RF_FMT(request_variable(request, "subscription")),
                                    RF_FMT(request_variable(request, "group")));
    if (source.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (target.len == 0) return bad(err, "'targetResourceGroup' is needed");
    RF_TRY(load_group(call, source, &move->source, err));
    RF_TRY(load_group(call, target, &move->target, err));
    if (!rf_str_eq(move->source.key, move->target.key)) return RF_OK;
    return bad(err, "'targetResourceGroup' is the group in which the resources are");
}

/* Only what stands right in the group can be named: children go with it, and what stands on it too. */
static enum rf_kind check_place(const struct move *move, const struct arm_target *target,
                                struct rf_err *err)
{
    rf_str group = move->source.key;
    if (target->id.is_type || target->id.type.len == 0 || target->key.len <= group.len ||
        !rf_str_starts(target->key, group) || target->key.ptr[group.len] != '/')
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "'%.*s' is no resource of the resource group '%.*s'.",
                       RF_FMT(target->id.text), RF_FMT(move->source.name));
    bool stays = (target->type->flags & (ARM_EXTENSION | ARM_STAYS)) != 0;
    if (!stays && rf_str_eq(target->parent_key, group)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "ResourceMoveNotSupported",
                   "Resource move is not supported for resource types '%s'%s.", target->type->name,
                   stays ? "" : "; a child moves with its parent");
}

static enum rf_kind check_state(const struct arm_resource *resource, struct rf_err *err)
{
    rf_str state = json_text_at(resource->body, "properties.provisioningState");
    if (state.len == 0 || rf_str_eq_nocase(state, RF_S("Succeeded"))) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "MoveCannotProceedWithResourcesNotInSucceededState",
                   "'%.*s' is in the provisioning state '%.*s'; only resources that are in "
                   "'Succeeded' can be moved.",
                   RF_FMT(resource->id), RF_FMT(state));
}

static enum rf_kind check_free(struct arm_call *call, const struct moved *item, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(call->txn, space, item->new_key, call->arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return RF_FAIL(err, RF_CONFLICT, "ResourceMoveProviderValidationFailed",
                   "The target resource group already has a resource '%.*s'.",
                   RF_FMT(item->new_id));
}

static bool is_named_twice(const struct move *move, rf_str key)
{
    for (uint32_t i = 0; i < move->count; i++)
        if (rf_str_eq(move->items[i].key, key)) return true;
    return false;
}

static enum rf_kind read_resource(struct move *move, const struct json_node *node,
                                  struct rf_err *err)
{
    struct arm_call *call = move->call;
    struct arm_target target;
    struct arm_resource resource;
    if (node->type != JSON_T_STRING) return bad(err, "'resources' must be a list of ids");
    RF_TRY(arm_target_of(call->arm, node->text, call->arena, &target, err));
    RF_TRY(check_place(move, &target, err));
    if (is_named_twice(move, target.key)) return RF_OK;
    RF_TRY(arm_resource_load(call, &target, &resource, err));
    RF_TRY(check_state(&resource, err));
    RF_TRY(arm_locks_check(call, target.key, true, err));
    struct moved *item = &move->items[move->count];
    rf_str rest = rf_slice(resource.id, move->source.id.len, resource.id.len);
    *item = (struct moved){
        .id = resource.id,
        .key = target.key,
        .new_id = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(move->target.id), RF_FMT(rest))};
    if (item->new_id.ptr != NULL) item->new_key = resource_key(call->arena, item->new_id);
    if (item->new_key.ptr == NULL) return rf_fail_memory(err, call->arena);
    move->count++;
    return check_free(call, item, err);
}

/* Everything that can stop the move is found here, so that validation says what the move would. */
static enum rf_kind prepare(struct move *move, const struct json_node *body, struct rf_err *err)
{
    struct arm_call *call = move->call;
    struct request *request = call->request;
    const struct json_node *list = json_get(body, "resources");
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0)
        return bad(err, "'resources' must be a list of ids");
    if (list->count > RESOURCES_MAX)
        return RF_FAIL(err, RF_INVALID, "ResourceMoveLimitExceeded",
                       "At most %d resources can be moved at once.", RESOURCES_MAX);
    RF_TRY(read_groups(move, body, err));
    RF_TRY(authz_require(request->authz, request->principal,
                         RF_S("Microsoft.Resources/subscriptions/resourceGroups/write"),
                         move->target.id, false, err));
    RF_TRY(arm_locks_check(call, move->source.key, false, err));
    RF_TRY(arm_locks_check(call, move->target.key, false, err));
    move->items = rf_arena_new(call->arena, struct moved, list->count);
    if (move->items == NULL) return rf_fail_memory(err, call->arena);
    for (const struct json_node *node = list->first; node != NULL; node = node->next)
        RF_TRY(read_resource(move, node, err));
    return RF_OK;
}

/* ---- moving ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind move_object(struct arm_call *call, const struct moved *item,
                                const struct state_object *object, struct rf_err *err)
{
    struct arm_resource resource;
    struct arm_target target;
    RF_TRY(arm_resource_of(object, call->arena, &resource, err));
    rf_str rest = rf_slice(resource.id, item->id.len, resource.id.len);
    rf_str id = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(item->new_id), RF_FMT(rest));
    if (id.ptr == NULL || json_set_text(call->arena, resource.body, "id", id) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(arm_target_of(call->arm, id, call->arena, &target, err));
    if ((target.type->flags & ARM_STAYS) != 0)
        return RF_FAIL(
            err, RF_INVALID, "ResourceMoveNotSupported",
            "Resource move is not supported for resource types '%s', of which '%.*s' has "
            "one.",
            target.type->name, RF_FMT(item->id));
    rf_str old_key = object->key;
    resource.id = id;
    resource.key = target.key;
    RF_TRY(arm_resource_rewrite(call, &target, &resource, err));
    return state_delete(call->txn, space, old_key, err);
}

/* The resource and all below. What was moved is gone from where the scan looks, so each chunk is the first. */
static enum rf_kind move_one(struct arm_call *call, const struct moved *item,
                             struct rf_arena *scratch, struct rf_err *err)
{
    struct arm_call own = *call;
    struct state_object object;
    own.arena = scratch;
    rf_arena_reset(scratch);
    RF_TRY(state_get(call->txn, space, item->key, scratch, &object, err));
    RF_TRY(move_object(&own, item, &object, err));
    rf_str below = rf_arena_printf(call->arena, "%.*s/", RF_FMT(item->key));
    if (below.ptr == NULL) return rf_fail_memory(err, call->arena);
    const struct state_scan scan = {.space = space, .prefix = below, .limit = CHUNK};
    struct state_list list;
    do {
        rf_arena_reset(scratch);
        RF_TRY(state_list(call->txn, &scan, scratch, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            RF_TRY(move_object(&own, item, &list.items[i], err));
    } while (list.more);
    return state_delete_prefix(call->txn, "roleAssignment", below, NULL, err);
}

/* ---- who names them ------------------------------------------------------------------------------------------------------------ */

/* The new id for a text that is an old one, or one below it; false when it is none. */
static bool renamed(const struct move *move, struct rf_arena *arena, rf_str text, rf_str *out)
{
    for (uint32_t i = 0; i < move->count; i++) {
        const struct moved *item = &move->items[i];
        if (text.len < item->id.len ||
            !rf_str_eq_nocase(rf_slice(text, 0, item->id.len), item->id) ||
            (text.len > item->id.len && text.ptr[item->id.len] != '/'))
            continue;
        *out = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(item->new_id),
                               RF_FMT(rf_slice(text, item->id.len, text.len)));
        return true;
    }
    return false;
}

/* Depth is that of a parsed document. False: no memory. */
static bool rename_texts(const struct move *move, struct rf_arena *arena, struct json_node *node,
                         bool *changed)
{
    rf_str text;
    if (node->type == JSON_T_STRING && renamed(move, arena, node->text, &text)) {
        node->text = text;
        *changed = true;
        return text.ptr != NULL;
    }
    for (struct json_node *child = node->first; child != NULL; child = child->next)
        if (!rename_texts(move, arena, child, changed)) return false;
    return true;
}

static enum rf_kind rename_in(const struct move *move, struct arm_call *call,
                              const struct state_object *object, struct rf_err *err)
{
    struct arm_resource resource;
    struct arm_target target;
    bool changed = false;
    rf_str lower = resource_key(call->arena, object->body);
    if (lower.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (rf_str_find(lower, move->source.key, 0) == SIZE_MAX) return RF_OK;
    RF_TRY(arm_resource_of(object, call->arena, &resource, err));
    if (!rename_texts(move, call->arena, resource.body, &changed))
        return rf_fail_memory(err, call->arena);
    if (!changed) return RF_OK;
    RF_TRY(arm_target_of(call->arm, resource.id, call->arena, &target, err));
    return arm_resource_rewrite(call, &target, &resource, err);
}

/* Rules that send to a workspace, settings that name a hub: they go on meaning the same one. */
static enum rf_kind rename_everywhere(const struct move *move, struct rf_arena *scratch,
                                      struct rf_err *err)
{
    struct arm_call own = *move->call;
    struct state_scan scan = {.space = space, .limit = CHUNK};
    struct state_list list;
    own.arena = scratch;
    do {
        rf_arena_reset(scratch);
        RF_TRY(state_list(own.txn, &scan, scratch, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            RF_TRY(rename_in(move, &own, &list.items[i], err));
        if (list.count > 0 &&
            !rf_arena_str(move->call->arena, list.items[list.count - 1].key, &scan.after))
            return rf_fail_memory(err, move->call->arena);
    } while (list.more && list.count > 0);
    return RF_OK;
}

static enum rf_kind move_all(const struct move *move, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, SCRATCH_BYTES_MAX);
    for (uint32_t i = 0; i < move->count; i++)
        RF_TRY(move_one(move->call, &move->items[i], &scratch, err));
    return rename_everywhere(move, &scratch, err);
}

/* ---- the requests --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run(struct request *request, bool only_checks, struct rf_err *err)
{
    struct arm_call call;
    struct json_node *body;
    struct move move = {.call = &call};
    RF_TRY(request_json(request, false, &body, err));
    RF_TRY(arm_call_begin(request->service, request, true, &call, err));
    enum rf_kind kind = prepare(&move, body, err);
    if (kind == RF_OK && !only_checks) kind = move_all(&move, err);
    if (kind == RF_OK) kind = arm_operation_record_as(&call, move.source.id, FINISHED_STATUS, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(kind);
    arm_record(request, rf_str_of(request->route->action), move.source.id, 202);
    if (!only_checks) arm_record(request, rf_str_of(request->route->action), move.target.id, 202);
    return request_answer_empty(request, 202);
}

enum rf_kind arm_run_move(struct request *request, struct rf_err *err)
{
    return run(request, false, err);
}

enum rf_kind arm_run_validate_move(struct request *request, struct rf_err *err)
{
    return run(request, true, err);
}
