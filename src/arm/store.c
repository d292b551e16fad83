/* store.c - resources in state: reading, writing and deleting one with all that hangs on it, inside a transaction of the
 * caller. Hooks run here; the `changed` ones wait in a list until the transaction has been committed. */
#include "arm/deploy_int.h"

#include "base/encode.h"

#include <stdlib.h>

enum { DOCUMENT_BYTES_MAX = 4 << 20, ERASE_CHUNK = 64, ERASE_BYTES_MAX = 320 << 20 };

static const char space[] = "resource";

/* ---- what `changed` hooks are due ------------------------------------------------------------------------------------------ */

struct change {
    const struct arm_type *type;
    struct arm_resource resource;
    struct change *next;
};
struct arm_changes {
    struct rf_arena
        *arena; /* of the call that began; a call for a hook may have a shorter-lived one */
    struct change *first, *last;
};

static bool copy_names(struct rf_arena *arena, struct arm_resource *resource)
{
    return rf_arena_str(arena, resource->id, &resource->id) &&
           rf_arena_str(arena, resource->key, &resource->key) &&
           rf_arena_str(arena, resource->name, &resource->name) &&
           rf_arena_str(arena, resource->type, &resource->type);
}

static enum rf_kind note_change(struct arm_call *call, const struct arm_type *type,
                                const struct arm_resource *resource, bool gone, struct rf_err *err)
{
    if (type->changed == NULL) return RF_OK;
    struct rf_arena *arena = call->changes->arena;
    struct change *change = rf_arena_new(arena, struct change, 1);
    if (change == NULL) return rf_fail_memory(err, arena);
    change->type = type;
    change->resource = *resource;
    change->resource.body = NULL;
    if (!copy_names(arena, &change->resource)) return rf_fail_memory(err, arena);
    if (!gone) {
        change->resource.body = json_clone(arena, resource->body);
        if (change->resource.body == NULL) return rf_fail_memory(err, arena);
    }
    if (call->changes->last == NULL)
        call->changes->first = change;
    else
        call->changes->last->next = change;
    call->changes->last = change;
    return RF_OK;
}

static void run_changes(struct arm_call *call)
{
    if (call->changes->first == NULL) return;
    struct rf_err err;
    /* A hook that needs to look further does so in this transaction; without one it still learns of the change. */
    if (state_begin_read(call->arm->options.state, &call->txn, &err) != RF_OK) call->txn = NULL;
    for (struct change *change = call->changes->first; change != NULL; change = change->next) {
        struct arm_call own = arm_call_for(call, change->type);
        change->type->changed(&own, &change->resource);
    }
    state_end(call->txn);
    call->txn = NULL;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind begin(struct arm_call *call, bool writes, struct rf_err *err)
{
    call->changes = rf_arena_new(call->arena, struct arm_changes, 1);
    if (call->changes == NULL) return rf_fail_memory(err, call->arena);
    call->changes->arena = call->arena;
    struct state *state = call->arm->options.state;
    return writes ? state_begin_write(state, &call->txn, err)
                  : state_begin_read(state, &call->txn, err);
}

enum rf_kind arm_call_begin(struct arm *arm, struct request *request, bool writes,
                            struct arm_call *out, struct rf_err *err)
{
    *out = (struct arm_call){.arm = arm,
                             .arena = request->arena,
                             .principal = request->principal,
                             .request = request,
                             .now = request->now};
    return begin(out, writes, err);
}

enum rf_kind arm_begin(struct arm *arm, const struct principal *principal, struct rf_arena *arena,
                       struct arm_call *out, struct rf_err *err)
{
    *out = (struct arm_call){.arm = arm,
                             .arena = arena,
                             .principal = principal,
                             .now = rf_clock_now(arm->options.clock)};
    return begin(out, true, err);
}

enum rf_kind arm_commit(struct arm_call *call, struct rf_err *err)
{
    struct state_txn *txn = call->txn;
    call->txn = NULL;
    RF_TRY(state_commit(txn, err));
    run_changes(call);
    return RF_OK;
}

void arm_end(struct arm_call *call)
{
    state_end(call->txn);
    call->txn = NULL;
}

/* ---- etags ---------------------------------------------------------------------------------------------------------------------- */

rf_str arm_etag_text(struct rf_arena *arena, uint64_t etag)
{
    return rf_arena_printf(arena, "\"%016llx\"", (unsigned long long)etag);
}

/* The number of an etag that we gave out, weak or strong, with or without its quotes; else one that no resource has. */
static uint64_t etag_number(rf_str text)
{
    if (rf_str_starts(text, RF_S("W/"))) text = rf_slice(text, 2, text.len);
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = rf_slice(text, 1, text.len - 1);
    uint64_t number = 0;
    if (text.len != 16) return UINT64_MAX;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = rf_lower(text.ptr[i]);
        if (!rf_is_digit(c) && (c < 'a' || c > 'f')) return UINT64_MAX;
        number = number << 4 | (uint64_t)(rf_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return number;
}

struct arm_condition arm_condition_of(const struct request *request)
{
    struct arm_condition condition = {0};
    bool found;
    rf_str match = http_header(request->http, "If-Match", &found);
    if (found && rf_str_is(match, "*")) condition.must_exist = true;
    if (found && match.len > 0 && !condition.must_exist) {
        condition.has_etag = true;
        condition.etag = etag_number(match);
    }
    if (rf_str_is(http_header(request->http, "If-None-Match", NULL), "*"))
        condition.must_not_exist = true;
    return condition;
}

enum rf_kind arm_condition_check(const struct arm_condition *condition, bool exists, uint64_t etag,
                                 struct rf_err *err)
{
    const char *why = NULL;
    if (condition == NULL) return RF_OK;
    if (condition->must_not_exist && exists) why = "the resource exists already";
    if ((condition->must_exist || condition->has_etag) && !exists) why = "there is no resource yet";
    if (condition->has_etag && exists && condition->etag != etag)
        why = "the resource has changed since its etag was read";
    if (why == NULL) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "PreconditionFailed",
                   "The condition of the request is not met: %s.", why);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------- */

enum rf_kind arm_resource_of(const struct state_object *object, struct rf_arena *arena,
                             struct arm_resource *out, struct rf_err *err)
{
    struct json_node *body;
    enum rf_kind kind = json_parse(object->body, arena, &body, err);
    if (kind != RF_OK)
        return RF_FAIL(err, kind == RF_LIMIT ? kind : RF_CORRUPT, "ResourceCorrupt",
                       "the stored document of a resource cannot be read");
    *out = (struct arm_resource){.id = json_text_at(body, "id"),
                                 .key = object->key,
                                 .name = json_text_at(body, "name"),
                                 .type = json_text_at(body, "type"),
                                 .body = body,
                                 .etag = object->etag};
    return RF_OK;
}

/* Without a transaction: as it is now (arm_get). */
static enum rf_kind get_object(struct arm_call *call, rf_str key, struct state_object *out,
                               struct rf_err *err)
{
    if (call->txn == NULL)
        return state_peek(call->arm->options.state, space, key, call->arena, out, err);
    return state_get(call->txn, space, key, call->arena, out, err);
}

/* The stored one; *found false when there is none. */
static enum rf_kind find_stored(struct arm_call *call, rf_str key, struct arm_resource *out,
                                bool *found, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = get_object(call, key, &object, err);
    *found = kind == RF_OK;
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return arm_resource_of(&object, call->arena, out, err);
}

static enum rf_kind find_virtual(struct arm_call *call, const struct arm_target *target,
                                 struct arm_resource *out, bool *found, struct rf_err *err)
{
    const struct arm_type *type = target->type;
    struct arm_call own = arm_call_for(call, type);
    struct json_node *body = NULL;
    *found = false;
    if (type == &arm_type_subscription) {
        if (arm_require_subscription(call->arm, target->id.subscription, NULL) != RF_OK)
            return RF_OK;
        body = arm_subscription_document(call->arm, call->arena);
        if (body == NULL) return rf_fail_memory(err, call->arena);
    } else if (type->virtual_get != NULL) {
        enum rf_kind kind = type->virtual_get(&own, target->id.text, &body, err);
        if (kind == RF_NOT_FOUND) return RF_OK;
        RF_TRY(kind);
    } else {
        return RF_OK;
    }
    rf_str id = json_text_at(body, "id"), name = json_text_at(body, "name");
    *out = (struct arm_resource){.id = id.len > 0 ? id : target->id.text,
                                 .key = target->key,
                                 .name = name.len > 0 ? name : target->id.name,
                                 .type = rf_str_of(type->name),
                                 .body = body};
    *found = true;
    return RF_OK;
}

static enum rf_kind find(struct arm_call *call, const struct arm_target *target,
                         struct arm_resource *out, bool *found, struct rf_err *err)
{
    RF_TRY(find_stored(call, target->key, out, found, err));
    return *found ? RF_OK : find_virtual(call, target, out, found, err);
}

static enum rf_kind fail_group(const struct arm_target *target, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "ResourceGroupNotFound",
                   "Resource group '%.*s' could not be found.", RF_FMT(target->id.group));
}

/* The group of an id must be there before anything in it. */
static enum rf_kind require_group(struct arm_call *call, const struct arm_target *target,
                                  struct rf_err *err)
{
    const struct resource_id *id = &target->id;
    if (id->subscription.len > 0)
        RF_TRY(arm_require_subscription(call->arm, id->subscription, err));
    if (id->group.len == 0 || target->type == &arm_type_group) return RF_OK;
    size_t end = strlen("/subscriptions//resourcegroups/") + id->subscription.len + id->group.len;
    struct state_object object;
    enum rf_kind kind = get_object(call, rf_slice(target->key, 0, end), &object, err);
    return kind == RF_NOT_FOUND ? fail_group(target, err) : kind;
}

enum rf_kind arm_resource_load(struct arm_call *call, const struct arm_target *target,
                               struct arm_resource *out, struct rf_err *err)
{
    bool found;
    RF_TRY(find(call, target, out, &found, err));
    if (found) return RF_OK;
    if (target->type == &arm_type_group) return fail_group(target, err);
    RF_TRY(require_group(call, target, err));
    if (target->id.group.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                       "The Resource '%.*s/%.*s' was not found.", RF_FMT(target->id.type),
                       RF_FMT(target->id.name));
    return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                   "The Resource '%.*s/%.*s' under resource group '%.*s' was not found.",
                   RF_FMT(target->id.type), RF_FMT(target->id.name), RF_FMT(target->id.group));
}

enum rf_kind arm_resource_show(struct arm_call *call, const struct arm_target *target,
                               struct arm_resource *resource, struct rf_err *err)
{
    const struct arm_type *type = target->type;
    struct arm_call own = arm_call_for(call, type);
    if (type->show != NULL) RF_TRY(type->show(&own, resource, err));
    if ((type->flags & ARM_BODY_ETAG) != 0 && resource->etag != 0 &&
        json_set_text(call->arena, resource->body, "etag",
                      arm_etag_text(call->arena, resource->etag)) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* ---- parents ------------------------------------------------------------------------------------------------------------------------ */

/* Types whose names are places or fixed words: nothing is stored under them, yet children stand there. */
static bool is_fixed_word(rf_str type)
{
    static const char *const words[] = {"locations", "providers", "operations"};
    size_t slash = rf_str_find(type, RF_S("/"), 0);
    rf_str rest = slash == SIZE_MAX ? type : rf_slice(type, slash + 1, type.len);
    for (uint32_t i = 0; i < RF_COUNT(words); i++)
        if (rf_str_eq_nocase(rest, rf_str_of(words[i]))) return true;
    return false;
}

static enum rf_kind fail_parent(const struct arm_target *target, struct rf_err *err)
{
    bool is_child = !rf_str_eq(target->id.parent, target->id.scope);
    if (!is_child)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                       "The Resource '%.*s', on which '%.*s' is to stand, was not found.",
                       RF_FMT(target->id.scope), RF_FMT(target->id.name));
    return RF_FAIL(err, RF_NOT_FOUND, "ParentResourceNotFound",
                   "Failed to perform 'write' on resource(s) of type '%.*s', because the parent "
                   "resource '%.*s' could not be found.",
                   RF_FMT(target->id.type), RF_FMT(target->id.parent));
}

/* The id with the casing that its parent was made with; the parent must be there. */
static enum rf_kind place(struct arm_call *call, const struct arm_target *target, rf_str *id,
                          struct rf_err *err)
{
    RF_TRY(require_group(call, target, err));
    *id = target->id.text;
    if (target->id.parent.len <= 1) return RF_OK; /* tenant level */
    struct arm_target parent;
    struct arm_resource resource;
    bool found = false;
    RF_TRY(arm_target_of(call->arm, target->id.parent, call->arena, &parent, err));
    RF_TRY(find(call, &parent, &resource, &found, err));
    if (!found) {
        bool free = (target->type->flags & ARM_PARENT_FREE) != 0;
        if (free || is_fixed_word(parent.id.type)) return RF_OK;
        return fail_parent(target, err);
    }
    if (resource.id.len != target->id.parent.len) return RF_OK;
    rf_str rest = rf_slice(target->id.text, target->id.parent.len, target->id.text.len);
    *id = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(resource.id), RF_FMT(rest));
    return id->ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------- */

/* What /resources shows: tracked resources, and what else stands right in a group. */
bool arm_is_listed(const struct arm_target *target, const struct json_node *body)
{
    if (target->type == &arm_type_group || target->type == &arm_type_subscription) return false;
    if (target->id.subscription.len == 0 || target->type == &arm_type_deployment) return false;
    if (json_get(body, "location") != NULL) return true;
    if (target->id.group.len == 0 || (target->type->flags & ARM_EXTENSION) != 0) return false;
    size_t group = strlen("/subscriptions//resourceGroups/") + target->id.subscription.len +
                   target->id.group.len;
    return target->id.parent.len == group;
}

enum { INDEXES_MAX = 8 };

static enum rf_kind write_object(struct arm_call *call, const struct arm_target *target,
                                 struct arm_resource *resource, struct rf_err *err)
{
    const struct resource_id *id = &target->id;
    rf_str type = resource_key(call->arena, rf_str_of(target->type->name));
    rf_str body = json_to_text(call->arena, resource->body);
    if (type.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (body.len > DOCUMENT_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "RequestContentTooLarge",
                       "the document has %zu bytes, and at most %d are allowed", body.len,
                       DOCUMENT_BYTES_MAX);
    size_t subscription = strlen("/subscriptions/") + id->subscription.len;
    size_t group = subscription + strlen("/resourcegroups/") + id->group.len;
    bool in_group = id->group.len > 0 && target->type != &arm_type_group;
    rf_str of_subscription = rf_slice(target->key, 0, id->subscription.len > 0 ? subscription : 0);
    rf_str of_group = in_group ? rf_slice(target->key, 0, group) : of_subscription;
    struct state_index indexes[INDEXES_MAX];
    uint32_t count = 0;
    indexes[count++] = (struct state_index){"type", type};
    indexes[count++] = (struct state_index){"parent", target->parent_key};
    indexes[count++] = (struct state_index){"collection", target->collection};
    if (of_group.len > 0) indexes[count++] = (struct state_index){"group", of_group};
    if (arm_is_listed(target, resource->body)) {
        indexes[count++] = (struct state_index){"listed", of_subscription};
        if (in_group) indexes[count++] = (struct state_index){"listed", of_group};
    }
    if (target->type == &arm_type_lock)
        indexes[count++] = (struct state_index){"lock", target->parent_key};
    RF_ASSERT(count <= INDEXES_MAX);
    const struct state_put put = {
        .space = space, .key = target->key, .body = body, .indexes = indexes, .index_count = count};
    return state_put(call->txn, &put, &resource->etag, NULL, err);
}

enum rf_kind arm_resource_rewrite(struct arm_call *call, const struct arm_target *target,
                                  struct arm_resource *resource, struct rf_err *err)
{
    RF_TRY(write_object(call, target, resource, err));
    return note_change(call, target->type, resource, false, err);
}

/* A stale etag in the document of a type that carries it there counts as If-Match. */
static enum rf_kind check_body_etag(const struct arm_target *target, const struct json_node *body,
                                    bool exists, uint64_t etag, struct rf_err *err)
{
    rf_str given = json_text_at(body, "etag");
    if ((target->type->flags & ARM_BODY_ETAG) == 0 || given.len == 0) return RF_OK;
    if (rf_str_is(given, "*") || !exists || etag == 0) return RF_OK;
    struct arm_condition condition = {.has_etag = true, .etag = etag_number(given)};
    return arm_condition_check(&condition, exists, etag, err);
}

enum rf_kind arm_resource_store(struct arm_call *call, const struct arm_target *target,
                                struct json_node *body, bool merge,
                                const struct arm_condition *condition, struct arm_resource *out,
                                bool *created, struct rf_err *err)
{
    struct arm_resource before = {0}, resource;
    bool exists, stored;
    RF_ASSERT(!target->id.is_type);
    RF_TRY(arm_casing_fix(target->type, &body, call->arena, err));
    RF_TRY(find_stored(call, target->key, &before, &exists, err));
    stored = exists;
    if (!exists) RF_TRY(find_virtual(call, target, &before, &exists, err));
    if (!exists && merge) return arm_resource_load(call, target, &resource, err);
    RF_TRY(arm_condition_check(condition, exists, before.etag, err));
    RF_TRY(check_body_etag(target, body, exists, before.etag, err));
    rf_str id = before.id;
    if (!exists) RF_TRY(place(call, target, &id, err));
    if (target->type != &arm_type_lock) RF_TRY(arm_locks_check(call, target->key, false, err));
    resource = (struct arm_resource){.id = id,
                                     .key = target->key,
                                     .name = exists ? before.name : target->id.name,
                                     .type = rf_str_of(target->type->name)};
    RF_TRY(arm_document_make(call, target, id, body, before.body, merge, &resource.body, err));
    struct arm_call own = arm_call_for(call, target->type);
    if (target->type->put != NULL)
        RF_TRY(target->type->put(&own, &resource, exists ? &before : NULL, err));
    json_remove(resource.body, RF_S("etag"));
    RF_TRY(write_object(call, target, &resource, err));
    RF_TRY(note_change(call, target->type, &resource, false, err));
    *created = !stored;
    *out = resource;
    return RF_OK;
}

/* ---- deleting -------------------------------------------------------------------------------------------------------------------------- */

void arm_watch(struct arm *arm, struct arm_watch *watch)
{
    watch->next = arm->watches;
    arm->watches = watch;
}

static bool is_watched(const struct arm_watch *watch, const struct arm_type *type)
{
    return rf_str_eq_nocase(rf_str_of(watch->type), rf_str_of(type->name));
}

static enum rf_kind run_remove(struct arm_call *call, const struct arm_type *type, rf_str key,
                               struct rf_err *err)
{
    struct arm_resource resource;
    bool found, watched = false;
    for (const struct arm_watch *w = call->arm->watches; w != NULL; w = w->next)
        watched |= is_watched(w, type);
    if (type->remove == NULL && type->changed == NULL && !watched) return RF_OK;
    RF_TRY(find_stored(call, key, &resource, &found, err));
    if (!found) return RF_OK;
    struct arm_call own = arm_call_for(call, type);
    if (type->remove != NULL) RF_TRY(type->remove(&own, &resource, err));
    for (const struct arm_watch *w = call->arm->watches; w != NULL; w = w->next) {
        own.ctx = w->ctx;
        if (is_watched(w, type)) RF_TRY(w->removed(&own, &resource, err));
    }
    return note_change(call, type, &resource, true, err);
}

static enum rf_kind erase_one(struct arm_call *call, rf_str key, struct rf_err *err)
{
    struct arm_target target;
    RF_TRY(arm_target_of(call->arm, key, call->arena, &target, err));
    RF_TRY(run_remove(call, target.type, key, err));
    /* A hook may have deleted it already, with something else that it belongs to. */
    enum rf_kind kind = state_delete(call->txn, space, key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* The keys below a resource; the documents are not kept, as there may be very many. */
struct key_list {
    rf_str *items;
    size_t count, cap;
};

static bool push_key(struct rf_arena *arena, struct key_list *keys, rf_str key)
{
    if (keys->count == keys->cap) {
        size_t cap = keys->cap * 2 + 64, each = sizeof *keys->items;
        rf_str *items = rf_arena_grow(arena, keys->items, keys->cap * each, cap * each);
        if (items == NULL) return false;
        keys->items = items;
        keys->cap = cap;
    }
    return rf_arena_str(arena, key, &keys->items[keys->count++]);
}

static enum rf_kind keys_below(struct arm_call *call, struct rf_arena *scratch, rf_str prefix,
                               struct key_list *out, struct rf_err *err)
{
    struct state_scan scan = {.space = space, .prefix = prefix, .limit = ERASE_CHUNK};
    struct state_list list;
    do {
        rf_arena_reset(scratch);
        RF_TRY(state_list(call->txn, &scan, scratch, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            if (!push_key(call->arena, out, list.items[i].key))
                return rf_fail_memory(err, call->arena);
        if (list.count > 0) scan.after = out->items[out->count - 1];
    } while (list.more && list.count > 0);
    return RF_OK;
}

/* Children come before their parents: the keys below a resource in reverse order. */
static enum rf_kind erase_below(struct arm_call *call, rf_str prefix, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, ERASE_BYTES_MAX);
    struct key_list keys = {0};
    struct arm_call own = *call;
    own.arena = &scratch;
    RF_TRY(keys_below(call, &scratch, prefix, &keys, err));
    for (size_t i = keys.count; i > 0; i--) {
        rf_arena_reset(&scratch);
        RF_TRY(erase_one(&own, keys.items[i - 1], err));
    }
    return state_delete_prefix(call->txn, "roleAssignment", prefix, NULL, err);
}

enum rf_kind arm_resource_erase(struct arm_call *call, const struct arm_target *target,
                                const struct arm_condition *condition, bool *existed,
                                struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(call->txn, space, target->key, call->arena, &object, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *existed = kind == RF_OK;
    if (condition != NULL && (condition->must_exist || condition->has_etag))
        RF_TRY(arm_condition_check(condition, *existed, *existed ? object.etag : 0, err));
    if (!*existed) return RF_OK;
    if (target->type != &arm_type_lock) RF_TRY(arm_locks_check(call, target->key, true, err));
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(target->key));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(erase_below(call, prefix, err));
    return erase_one(call, target->key, err);
}

/* ---- for services ------------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind named(struct arm *arm, rf_str id, struct rf_arena *arena,
                          struct arm_target *out, struct rf_err *err)
{
    RF_TRY(arm_target_of(arm, id, arena, out, err));
    if (!out->id.is_type) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidResourceId", "the id ends in a type, without a name");
}

enum rf_kind arm_get(struct arm *arm, struct state_txn *txn, rf_str id, struct rf_arena *arena,
                     struct arm_resource *out, struct rf_err *err)
{
    struct arm_target target;
    RF_TRY(named(arm, id, arena, &target, err));
    struct arm_call call = {
        .arm = arm, .txn = txn, .arena = arena, .now = rf_clock_now(arm->options.clock)};
    return arm_resource_load(&call, &target, out, err);
}

enum rf_kind arm_put_in(struct arm_call *call, rf_str id, struct json_node *body,
                        struct arm_resource *out, bool *created, struct rf_err *err)
{
    struct arm_target target;
    bool is_new;
    RF_TRY(named(call->arm, id, call->arena, &target, err));
    RF_TRY(arm_resource_store(call, &target, body, false, NULL, out, &is_new, err));
    if (created != NULL) *created = is_new;
    return RF_OK;
}

enum rf_kind arm_delete_in(struct arm_call *call, rf_str id, bool *existed, struct rf_err *err)
{
    struct arm_target target;
    bool was_there;
    RF_TRY(named(call->arm, id, call->arena, &target, err));
    RF_TRY(arm_resource_erase(call, &target, NULL, &was_there, err));
    if (existed != NULL) *existed = was_there;
    return RF_OK;
}

enum rf_kind arm_put(struct arm *arm, rf_str id, struct json_node *body,
                     const struct principal *principal, struct rf_arena *arena,
                     struct arm_resource *out, bool *created, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_begin(arm, principal, arena, &call, err));
    bool is_new = false;
    enum rf_kind kind = arm_put_in(&call, id, body, out, &is_new, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    if (kind == RF_OK && created != NULL) *created = is_new;
    return kind;
}

enum rf_kind arm_delete(struct arm *arm, rf_str id, const struct principal *principal,
                        struct rf_arena *arena, bool *existed, struct rf_err *err)
{
    struct arm_call call;
    RF_TRY(arm_begin(arm, principal, arena, &call, err));
    enum rf_kind kind = arm_delete_in(&call, id, existed, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}

enum rf_kind arm_list(struct arm *arm, struct state_txn *txn, const char *type,
                      struct rf_arena *arena, struct arm_resource **out, uint32_t *count,
                      struct rf_err *err)
{
    (void)arm;
    rf_str key = resource_key(arena, rf_str_of(type));
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_scan scan = {.space = space, .index = "type", .value = key};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct arm_resource *resources = rf_arena_new(arena, struct arm_resource, list.count);
    if (resources == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(arm_resource_of(&list.items[i], arena, &resources[i], err));
    *out = resources;
    *count = list.count;
    return RF_OK;
}
