/* locks.c - Microsoft.Authorization/locks: what is locked cannot be deleted (CanNotDelete) or changed at all (ReadOnly). A lock
 * holds for its scope and all below, and stops the deletion of everything above. */
#include "arm/arm_int.h"

static const char space[] = "resource";
static const char *const versions[] = {"2015-01-01", "2016-09-01", "2017-04-01", "2020-05-01",
                                       NULL};

static enum rf_kind put_lock(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    (void)before;
    rf_str level = json_text_at(resource->body, "properties.level");
    rf_str shown = {0};
    static const char *const levels[] = {"CanNotDelete", "ReadOnly"};
    for (uint32_t i = 0; i < RF_COUNT(levels); i++)
        if (rf_str_eq_nocase(level, rf_str_of(levels[i]))) shown = rf_str_of(levels[i]);
    if (shown.len == 0)
        return RF_FAIL(err, RF_INVALID, "LockLevelNotSupported",
                       "The lock level '%.*s' is not one of CanNotDelete and ReadOnly.",
                       (int)RF_MIN(level.len, 60), (const char *)level.ptr);
    const struct json_node *notes = json_at(resource->body, "properties.notes");
    if (notes != NULL && notes->type == JSON_T_STRING && rf_utf8_count(notes->text) > 512)
        return RF_FAIL(err, RF_INVALID, "LockNotesTooLong",
                       "The notes of a lock have at most 512 characters.");
    struct json_node *properties = json_get(resource->body, "properties");
    if (json_set_text(call->arena, properties, "level", shown) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* Appends locks that a scan finds; those that `under` leaves out are not wanted. */
static enum rf_kind append(struct arm_call *call, const struct state_scan *scan,
                           struct json_node *out, struct rf_err *err)
{
    struct state_list list;
    RF_TRY(state_list(call->txn, scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct arm_resource lock;
        RF_TRY(arm_resource_of(&list.items[i], call->arena, &lock, err));
        if (json_append(out, lock.body) == NULL) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

/* The scopes above `key`, itself at first: each cut ends before a "/providers/", a pair of segments, or at the tenant. */
static bool next_above(rf_str *key)
{
    if (key->len <= 1) return false;
    size_t at = key->len;
    for (int slashes = 0; slashes < 2 && at > 0;)
        if (key->ptr[--at] == '/') slashes++;
    *key = at == 0 ? RF_S("/") : rf_slice(*key, 0, at);
    return true;
}

/* Locks of one very scope. */
static struct state_scan at_scope(rf_str key)
{
    return (struct state_scan){.space = space, .index = "lock", .value = key};
}

static enum rf_kind list_locks(struct arm_call *call, rf_str parent_id, struct json_node *out,
                               struct rf_err *err)
{
    rf_str key = resource_key(call->arena, parent_id);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    rf_str filter = {0};
    if (call->request != NULL) filter = request_parameter(call->request, "$filter", NULL);
    if (rf_str_eq_nocase(rf_str_trim(filter), RF_S("atScope()"))) {
        rf_str above = key;
        do {
            const struct state_scan scan = at_scope(above);
            RF_TRY(append(call, &scan, out, err));
        } while (next_above(&above));
        return RF_OK;
    }
    /* The locks of the scope itself are below it by their keys too. */
    rf_str prefix = key.len == 1 ? key : rf_arena_printf(call->arena, "%.*s/", RF_FMT(key));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    const struct state_scan scan = {.space = space,
                                    .prefix = prefix,
                                    .index = "type",
                                    .value = RF_S("microsoft.authorization/locks")};
    return append(call, &scan, out, err);
}

const struct arm_type arm_type_lock = {.name = "Microsoft.Authorization/locks",
                                       .versions = versions,
                                       .flags = ARM_EXTENSION | ARM_NO_STATE,
                                       .put = put_lock,
                                       .list = list_locks};

/* ---- checking -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind fail_locked(rf_str key, bool deletes, const struct state_object *object,
                                struct rf_arena *arena, struct rf_err *err)
{
    struct arm_resource lock;
    RF_TRY(arm_resource_of(object, arena, &lock, err));
    size_t end = rf_str_find(object->key, RF_S("/providers/microsoft.authorization/locks/"), 0);
    rf_str scope = end == SIZE_MAX ? lock.id : rf_slice(lock.id, 0, RF_MIN(end, lock.id.len));
    return RF_FAIL(err, RF_CONFLICT, "ScopeLocked",
                   "The scope '%.*s' cannot perform %s operation because following scope(s) are "
                   "locked: '%.*s'. Please remove the lock and try again.",
                   RF_FMT(key), deletes ? "delete" : "write", RF_FMT(scope));
}

static bool forbids(const struct state_object *object, bool deletes)
{
    /* The document is ours and printed without blanks, so its level can be seen without reading it all; a note cannot look
     * like that, as quotes in texts are escaped. */
    return deletes || rf_str_find(object->body, RF_S("\"level\":\"ReadOnly\""), 0) != SIZE_MAX;
}

enum rf_kind arm_locks_check(struct arm_call *call, rf_str key, bool deletes, struct rf_err *err)
{
    struct state_list list;
    rf_str above = key;
    do {
        const struct state_scan scan = at_scope(above);
        RF_TRY(state_list(call->txn, &scan, call->arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            if (forbids(&list.items[i], deletes))
                return fail_locked(key, deletes, &list.items[i], call->arena, err);
    } while (next_above(&above));
    if (!deletes) return RF_OK;
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(key));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    const struct state_scan below = {.space = space,
                                     .prefix = prefix,
                                     .index = "type",
                                     .value = RF_S("microsoft.authorization/locks"),
                                     .limit = 1};
    RF_TRY(state_list(call->txn, &below, call->arena, &list, err));
    return list.count == 0 ? RF_OK : fail_locked(key, true, &list.items[0], call->arena, err);
}
