/* tag_names.c - which tags there are in the subscription, and how often: what resources and groups have, and the names and
 * values that were defined beforehand (state, space "tagName": key = lower-case "subscription/name[/value]"). */
#include "arm/arm_int.h"

#include <stdlib.h>

enum { CHUNK = 100, CHUNK_BYTES_MAX = 320 << 20, NAME_CHARS_MAX = 512, VALUE_CHARS_MAX = 256 };

static const char space[] = "tagName";

struct use {
    rf_str name, value; /* value ptr NULL: only the name is defined */
    uint32_t count;     /* 0: defined, not used */
};
struct uses {
    struct use *items;
    size_t count, cap;
};

/* ---- gathering ------------------------------------------------------------------------------------------------------------ */

static bool add_use(struct rf_arena *arena, struct uses *uses, rf_str name, rf_str value,
                    uint32_t count)
{
    if (uses->count == uses->cap) {
        size_t cap = uses->cap * 2 + 64, each = sizeof *uses->items;
        struct use *items = rf_arena_grow(arena, uses->items, uses->cap * each, cap * each);
        if (items == NULL) return false;
        uses->items = items;
        uses->cap = cap;
    }
    struct use *use = &uses->items[uses->count];
    *use = (struct use){.count = count};
    if (!rf_arena_str(arena, name, &use->name)) return false;
    if (value.ptr != NULL && !rf_arena_str(arena, value, &use->value)) return false;
    uses->count++;
    return true;
}

static enum rf_kind add_tags(struct arm_call *call, const struct state_object *object,
                             struct rf_arena *scratch, struct uses *uses, struct rf_err *err)
{
    struct arm_resource resource;
    /* Most documents have no tags, and need not be parsed to know that. */
    if (rf_str_find(object->body, RF_S("\"tags\":{\""), 0) == SIZE_MAX) return RF_OK;
    RF_TRY(arm_resource_of(object, scratch, &resource, err));
    const struct json_node *tags = json_get(resource.body, "tags");
    const struct json_node *first = json_is(tags, JSON_T_OBJECT) ? tags->first : NULL;
    for (const struct json_node *tag = first; tag != NULL; tag = tag->next) {
        rf_str value = tag->text.ptr == NULL ? RF_S("") : tag->text;
        if (!add_use(call->arena, uses, tag->name, value, 1))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind gather(struct arm_call *call, struct state_scan scan, struct uses *uses,
                           struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena chunk;
    rf_arena_init(&chunk, CHUNK_BYTES_MAX);
    struct state_list list;
    scan.limit = CHUNK;
    do {
        rf_arena_reset(&chunk);
        RF_TRY(state_list(call->txn, &scan, &chunk, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            RF_TRY(add_tags(call, &list.items[i], &chunk, uses, err));
        if (list.count > 0 &&
            !rf_arena_str(call->arena, list.items[list.count - 1].key, &scan.after))
            return rf_fail_memory(err, call->arena);
    } while (list.more && list.count > 0);
    return RF_OK;
}

static enum rf_kind gather_defined(struct arm_call *call, rf_str subscription, struct uses *uses,
                                   struct rf_err *err)
{
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(subscription));
    const struct state_scan scan = {.space = space, .prefix = prefix};
    struct state_list list;
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(call->txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, call->arena, &body, err));
        if (!add_use(call->arena, uses, json_text_at(body, "name"), json_text_at(body, "value"), 0))
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

/* ---- showing ------------------------------------------------------------------------------------------------------------------ */

static int compare_nocase(rf_str a, rf_str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++)
        if (rf_lower(a.ptr[i]) != rf_lower(b.ptr[i]))
            return rf_lower(a.ptr[i]) - rf_lower(b.ptr[i]);
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

/* By name without case, then by value; a name alone comes first. */
static int compare_uses(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    int names = compare_nocase(x->name, y->name);
    if (names != 0) return names;
    if (x->value.ptr == NULL || y->value.ptr == NULL)
        return (x->value.ptr != NULL) - (y->value.ptr != NULL);
    return rf_str_cmp(x->value, y->value);
}

static bool put_count(struct rf_arena *arena, struct json_node *shown, uint32_t number)
{
    struct json_node *count = json_object_in(arena, shown, "count");
    json_set_text(arena, count, "type", RF_S("Total"));
    return json_set_i64(arena, count, "value", number) != NULL;
}

static struct json_node *show_name(struct rf_arena *arena, rf_str subscription, rf_str name)
{
    struct json_node *shown = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s/tagNames/%.*s", RF_FMT(subscription),
                                RF_FMT(name));
    json_set_text(arena, shown, "id", id);
    bool done = json_set_text(arena, shown, "tagName", name) != NULL && id.ptr != NULL;
    return done ? shown : NULL;
}

static struct json_node *show_value(struct rf_arena *arena, rf_str subscription, rf_str name,
                                    rf_str value)
{
    struct json_node *shown = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s/tagNames/%.*s/tagValues/%.*s",
                                RF_FMT(subscription), RF_FMT(name), RF_FMT(value));
    json_set_text(arena, shown, "id", id);
    bool done = json_set_text(arena, shown, "tagValue", value) != NULL && id.ptr != NULL;
    return done ? shown : NULL;
}

/* The uses [from, to) of one name. */
static struct json_node *show_uses(struct rf_arena *arena, rf_str subscription,
                                   const struct use *from, const struct use *to)
{
    struct json_node *shown = show_name(arena, subscription, from->name);
    uint32_t total = 0;
    for (const struct use *use = from; use < to; use++) total += use->count;
    if (shown == NULL || !put_count(arena, shown, total)) return NULL;
    struct json_node *values =
        json_set(arena, shown, RF_S("values"), json_new(arena, JSON_T_ARRAY));
    for (const struct use *use = from; use < to;) {
        const struct use *first = use;
        uint32_t count = 0;
        for (; use < to && compare_uses(use, first) == 0; use++) count += use->count;
        if (first->value.ptr == NULL) continue;
        struct json_node *value = show_value(arena, subscription, first->name, first->value);
        if (value == NULL || !put_count(arena, value, count) || json_append(values, value) == NULL)
            return NULL;
    }
    return values == NULL ? NULL : shown;
}

static enum rf_kind gather_all(struct arm_call *call, rf_str scope, struct uses *uses,
                               struct rf_err *err)
{
    const struct state_scan resources = {.space = "resource", .index = "listed", .value = scope};
    const struct state_scan groups = {.space = "resource",
                                      .index = "type",
                                      .value = RF_S("microsoft.resources/resourcegroups"),
                                      .prefix = scope};
    RF_TRY(gather(call, resources, uses, err));
    RF_TRY(gather(call, groups, uses, err));
    return gather_defined(call, scope, uses, err);
}

static enum rf_kind scope_key(struct request *request, rf_str *out, struct rf_err *err)
{
    rf_str scope = rf_arena_printf(request->arena, "/subscriptions/%.*s",
                                   RF_FMT(request_variable(request, "subscription")));
    *out = resource_key(request->arena, scope);
    return scope.ptr == NULL || out->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

enum rf_kind arm_run_tag_names(struct request *request, struct rf_err *err)
{
    struct json_node *list = json_new(request->arena, JSON_T_ARRAY);
    struct uses uses = {0};
    struct arm_call call;
    rf_str scope;
    RF_TRY(scope_key(request, &scope, err));
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = gather_all(&call, scope, &uses, err);
    arm_end(&call);
    RF_TRY(kind);
    if (uses.count > 0) qsort(uses.items, uses.count, sizeof *uses.items, compare_uses);
    const struct use *end = uses.items + uses.count;
    for (const struct use *use = uses.items; use < end;) {
        const struct use *from = use;
        while (use < end && rf_str_eq_nocase(use->name, from->name)) use++;
        struct json_node *shown =
            show_uses(request->arena, request->site->subscription_id, from, use);
        if (json_append(list, shown) == NULL) return rf_fail_memory(err, request->arena);
    }
    return arm_list_answer(request, list, (rf_str){0}, err);
}

/* ---- defining -------------------------------------------------------------------------------------------------------------------- */

struct defined {
    rf_str name, value, key;
    bool has_value;
};

static enum rf_kind read_defined(struct request *request, struct defined *out, struct rf_err *err)
{
    struct defined defined = {.name = request_variable(request, "tag"),
                              .value = request_variable(request, "value")};
    defined.has_value = defined.value.len > 0;
    if (rf_utf8_count(defined.name) > NAME_CHARS_MAX ||
        rf_utf8_count(defined.value) > VALUE_CHARS_MAX)
        return RF_FAIL(err, RF_INVALID, "TagNameTooLong",
                       "A tag name has at most %d characters, a value %d.", NAME_CHARS_MAX,
                       VALUE_CHARS_MAX);
    rf_str scope;
    RF_TRY(scope_key(request, &scope, err));
    rf_str name = resource_key(request->arena, defined.name);
    defined.key = rf_arena_printf(request->arena, "%.*s/%.*s%s%.*s", RF_FMT(scope), RF_FMT(name),
                                  defined.has_value ? "/" : "", RF_FMT(defined.value));
    if (name.ptr == NULL || defined.key.ptr == NULL) return rf_fail_memory(err, request->arena);
    *out = defined;
    return RF_OK;
}

static enum rf_kind define(struct arm_call *call, const struct defined *defined, bool *created,
                           struct rf_err *err)
{
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    bool done = json_set_text(call->arena, body, "name", defined->name) != NULL;
    if (defined->has_value)
        done = done && json_set_text(call->arena, body, "value", defined->value) != NULL;
    rf_str text = {0};
    if (done) text = json_to_text(call->arena, body);
    if (text.ptr == NULL) return rf_fail_memory(err, call->arena);
    const struct state_put put = {.space = space, .key = defined->key, .body = text};
    return state_put(call->txn, &put, NULL, created, err);
}

static enum rf_kind undefine(struct arm_call *call, const struct defined *defined, bool *existed,
                             struct rf_err *err)
{
    enum rf_kind kind = state_delete(call->txn, space, defined->key, err);
    *existed = kind == RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (defined->has_value) return RF_OK;
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(defined->key));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_delete_prefix(call->txn, space, prefix, NULL, err);
}

enum rf_kind arm_run_tag_name(struct request *request, struct rf_err *err)
{
    bool puts = request->http->method == HTTP_PUT, changed = false;
    struct defined defined;
    struct arm_call call;
    RF_TRY(read_defined(request, &defined, err));
    RF_TRY(arm_call_begin(request->service, request, true, &call, err));
    enum rf_kind kind =
        puts ? define(&call, &defined, &changed, err) : undefine(&call, &defined, &changed, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(kind);
    uint16_t status = puts ? (changed ? 201 : 200) : changed ? 200 : 204;
    arm_record(request, rf_str_of(request->route->action), defined.key, status);
    if (!puts) return request_answer_empty(request, status);
    rf_str subscription = request->site->subscription_id;
    struct json_node *shown =
        defined.has_value ? show_value(request->arena, subscription, defined.name, defined.value)
                          : show_name(request->arena, subscription, defined.name);
    if (shown == NULL || !put_count(request->arena, shown, 0))
        return rf_fail_memory(err, request->arena);
    return request_answer(request, status, shown);
}
