/* tags.c - the tags of any scope as a resource of their own (.../providers/Microsoft.Resources/tags/default), and the names and
 * values that tags have in the subscription. */
#include "arm/arm_int.h"

static struct json_node *empty_object(struct rf_arena *arena)
{
    return json_new(arena, JSON_T_OBJECT);
}

static enum rf_kind answer_tags(struct request *request, const struct arm_resource *resource,
                                struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *body = empty_object(arena);
    rf_str id = rf_arena_printf(arena, "%.*s/providers/Microsoft.Resources/tags/default",
                                RF_FMT(resource->id));
    const struct json_node *tags = json_get(resource->body, "tags");
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", RF_S("default"));
    if (json_set_text(arena, body, "type", RF_S("Microsoft.Resources/tags")) == NULL)
        return rf_fail_memory(err, arena);
    struct json_node *properties = json_object_in(arena, body, "properties");
    struct json_node *shown =
        json_is(tags, JSON_T_OBJECT) ? json_clone(arena, tags) : empty_object(arena);
    if (json_set(arena, properties, RF_S("tags"), shown) == NULL || id.ptr == NULL)
        return rf_fail_memory(err, arena);
    return request_answer(request, 200, body);
}

static struct json_node *find_tag(const struct json_node *tags, rf_str name)
{
    return json_get_nocase(tags, name);
}

/* A tag keeps the casing that it was first given. */
static bool merge_tags(struct rf_arena *arena, struct json_node *tags,
                       const struct json_node *given)
{
    for (const struct json_node *tag = given->first; tag != NULL; tag = tag->next) {
        const struct json_node *there = find_tag(tags, tag->name);
        rf_str name = there == NULL ? tag->name : there->name;
        if (json_set(arena, tags, name, json_clone(arena, tag)) == NULL) return false;
    }
    return true;
}

/* A tag goes when its name is given, and with a value only when it has that value. */
static void delete_tags(struct json_node *tags, const struct json_node *given)
{
    for (const struct json_node *tag = given->first; tag != NULL; tag = tag->next) {
        const struct json_node *there = find_tag(tags, tag->name);
        bool any = tag->type != JSON_T_STRING || tag->text.len == 0;
        if (there != NULL && (any || rf_str_eq(there->text, tag->text)))
            json_remove(tags, there->name);
    }
}

enum tag_change { TAGS_REPLACE, TAGS_MERGE, TAGS_DELETE };

static enum rf_kind read_change(struct request *request, enum tag_change *change,
                                struct json_node **given, struct rf_err *err)
{
    struct json_node *body;
    static const char *const words[] = {
        [TAGS_REPLACE] = "Replace", [TAGS_MERGE] = "Merge", [TAGS_DELETE] = "Delete"};
    RF_TRY(request_json(request, false, &body, err));
    *change = TAGS_REPLACE;
    if (request->http->method == HTTP_PATCH) {
        rf_str word = json_text_at(body, "operation");
        uint32_t i = 0;
        while (i < RF_COUNT(words) && !rf_str_eq_nocase(word, rf_str_of(words[i]))) i++;
        if (i == RF_COUNT(words))
            return RF_FAIL(err, RF_INVALID, "InvalidTagPatchOperation",
                           "The operation '%.*s' is not one of Merge, Replace and Delete.",
                           (int)RF_MIN(word.len, 40), (const char *)word.ptr);
        *change = (enum tag_change)i;
    }
    *given = json_at(body, "properties.tags");
    if (json_is(*given, JSON_T_OBJECT)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                   "The request content was invalid: 'properties.tags' is not an object.");
}

/* The tags as they are to be. */
static enum rf_kind change_tags(struct request *request, const struct json_node *stored,
                                struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *given, *tags = empty_object(arena);
    enum tag_change change;
    *out = tags;
    if (tags == NULL) return rf_fail_memory(err, arena);
    if (request->http->method == HTTP_DELETE) return RF_OK;
    RF_TRY(read_change(request, &change, &given, err));
    if (change != TAGS_REPLACE && json_is(stored, JSON_T_OBJECT))
        *out = tags = json_clone(arena, stored);
    else if (change == TAGS_REPLACE)
        *out = tags = json_clone(arena, given);
    if (tags == NULL) return rf_fail_memory(err, arena);
    if (change == TAGS_MERGE && !merge_tags(arena, tags, given)) return rf_fail_memory(err, arena);
    if (change == TAGS_DELETE) delete_tags(tags, given);
    return RF_OK;
}

static enum rf_kind write_tags(struct request *request, const struct arm_plan *plan,
                               struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct json_node *tags, *patch = empty_object(call->arena);
    bool created;
    RF_TRY(change_tags(request, json_get(resource->body, "tags"), &tags, err));
    if (json_set(call->arena, patch, RF_S("tags"), tags) == NULL)
        return rf_fail_memory(err, call->arena);
    return arm_resource_store(call, &plan->target, patch, true, NULL, resource, &created, err);
}

enum rf_kind arm_run_tags(struct request *request, const struct arm_plan *plan, struct rf_err *err)
{
    bool writes = plan->verb != VERB_READ;
    struct arm_resource resource;
    struct arm_call call;
    RF_TRY(arm_call_begin(request->service, request, writes, &call, err));
    enum rf_kind kind = arm_resource_load(&call, &plan->target, &resource, err);
    if (kind == RF_OK && writes) kind = write_tags(request, plan, &call, &resource, err);
    if (kind == RF_OK && writes) kind = arm_commit(&call, err);
    arm_end(&call);
    RF_TRY(kind);
    if (request->http->method == HTTP_HEAD) return request_answer_empty(request, 204);
    if (writes) arm_record(request, plan->need, resource.id, 200);
    return answer_tags(request, &resource, err);
}
