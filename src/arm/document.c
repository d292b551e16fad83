/* document.c - the rules that every document keeps, whatever its type (contracts/arm section 3, 7). */
#include "arm/arm_int.h"

#include "base/encode.h"

enum {
    TAGS_MAX = 50,
    TAG_NAME_CHARS_MAX = 512,
    TAG_VALUE_CHARS_MAX = 256,
    NAME_CHARS_MAX = 260,
    LOCATION_BYTES_MAX = 90
};

/* ---- tags --------------------------------------------------------------------------------------------------------------- */

static bool holds_any(rf_str text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f || strchr(bytes, text.ptr[i]) != NULL)
            return true;
    return false;
}

static enum rf_kind check_tag(const struct json_node *tag, struct rf_err *err)
{
    if (tag->name.len == 0 || rf_utf8_count(tag->name) > TAG_NAME_CHARS_MAX)
        return RF_FAIL(err, RF_INVALID, "TagNameTooLong",
                       "The name of a tag has 1 to %d characters.", TAG_NAME_CHARS_MAX);
    if (holds_any(tag->name, "<>%&\\?/"))
        return RF_FAIL(err, RF_INVALID, "InvalidTagNameCharacters",
                       "The tag name '%.*s' holds one of the characters '<,>,%%,&,\\,?,/' or a "
                       "control character.",
                       (int)RF_MIN(tag->name.len, 200), (const char *)tag->name.ptr);
    if (tag->type != JSON_T_STRING)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The value of the tag '%.*s' is not a text.",
                       (int)RF_MIN(tag->name.len, 200), (const char *)tag->name.ptr);
    if (rf_utf8_count(tag->text) <= TAG_VALUE_CHARS_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "TagValueTooLong",
                   "The value of the tag '%.*s' has more than %d characters.",
                   (int)RF_MIN(tag->name.len, 200), (const char *)tag->name.ptr,
                   TAG_VALUE_CHARS_MAX);
}

enum rf_kind arm_tags_check(const struct json_node *tags, struct rf_err *err)
{
    if (tags == NULL || tags->type == JSON_T_NULL) return RF_OK;
    if (tags->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent", "'tags' is not an object.");
    if (tags->count > TAGS_MAX)
        return RF_FAIL(err, RF_INVALID, "TooManyTags",
                       "A resource has at most %d tags, and %u are given.", TAGS_MAX, tags->count);
    for (const struct json_node *tag = tags->first; tag != NULL; tag = tag->next) {
        RF_TRY(check_tag(tag, err));
        for (const struct json_node *other = tag->next; other != NULL; other = other->next)
            if (rf_str_eq_nocase(tag->name, other->name))
                return RF_FAIL(err, RF_INVALID, "DuplicateTagNames",
                               "The tag name '%.*s' comes twice: case does not count.",
                               (int)RF_MIN(tag->name.len, 200), (const char *)tag->name.ptr);
    }
    return RF_OK;
}

/* ---- names and places ------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    if (rf_utf8_count(name) > NAME_CHARS_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidResourceName",
                       "The resource name has more than %d characters.", NAME_CHARS_MAX);
    uint8_t last = name.ptr[name.len - 1];
    if (!holds_any(name, "<>%&\\?/#") && last != ' ' && last != '.') return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidResourceName",
                   "The resource name '%.*s' is invalid: it holds one of '<>%%&\\?/#' or ends in a "
                   "blank or a dot.",
                   (int)RF_MIN(name.len, 200), (const char *)name.ptr);
}

/* "West Europe" and "westeurope" are one place; the second form is kept. */
static rf_str normal_location(struct rf_arena *arena, rf_str location)
{
    uint8_t *text = rf_arena_alloc(arena, location.len);
    size_t len = 0;
    if (text == NULL) return (rf_str){0};
    for (size_t i = 0; i < location.len; i++)
        if (location.ptr[i] != ' ') text[len++] = rf_lower(location.ptr[i]);
    return rf_str_make(text, len);
}

static enum rf_kind check_location(const struct json_node *sent, rf_str id, struct rf_err *err)
{
    if (sent->type != JSON_T_STRING || sent->text.len == 0 || sent->text.len > LOCATION_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidLocation",
                       "The location of '%.*s' is not a text of 1 to %d bytes.", RF_FMT(id),
                       LOCATION_BYTES_MAX);
    for (size_t i = 0; i < sent->text.len; i++) {
        uint8_t c = sent->text.ptr[i];
        if (!rf_is_alnum(c) && c != ' ' && c != '-' && c != '_')
            return RF_FAIL(err, RF_INVALID, "LocationNotAvailableForResourceType",
                           "The provided location '%.*s' is not available.", RF_FMT(sent->text));
    }
    return RF_OK;
}

static enum rf_kind set_location(const struct arm_target *target, struct rf_arena *arena,
                                 const struct json_node *sent, const struct json_node *before,
                                 bool merge, struct json_node *document, struct rf_err *err)
{
    rf_str stored = json_text_at(before, "location");
    bool tracked = (target->type->flags & ARM_TRACKED) != 0;
    if (sent == NULL || sent->type == JSON_T_NULL) {
        if (tracked && !(merge && stored.len > 0))
            return RF_FAIL(err, RF_INVALID, "LocationRequired",
                           "The location property is required for this definition.");
        if (stored.len > 0) json_set_text(arena, document, "location", stored);
        return RF_OK;
    }
    RF_TRY(check_location(sent, target->id.text, err));
    rf_str location = normal_location(arena, sent->text);
    if (location.ptr == NULL) return rf_fail_memory(err, arena);
    if (stored.len > 0 && !rf_str_eq(location, stored))
        return RF_FAIL(err, RF_CONFLICT, "InvalidResourceLocation",
                       "The resource '%.*s' already exists in location '%.*s'. A resource with the "
                       "same name cannot be created in location '%.*s'. Please select a new "
                       "resource name.",
                       RF_FMT(target->id.name), RF_FMT(stored), RF_FMT(location));
    json_set_text(arena, document, "location", location);
    return RF_OK;
}

/* ---- who and when -------------------------------------------------------------------------------------------------------------- */

static void set_actor(struct rf_arena *arena, struct json_node *data, const char *by,
                      const char *by_type, const char *at, const struct principal *principal,
                      rf_usec now)
{
    rf_str who = RF_S("Ringfort"), type = RF_S("Application");
    if (principal != NULL && principal->type == PRINCIPAL_USER) {
        who = principal->user_name;
        type = RF_S("User");
    } else if (principal != NULL) {
        who = principal->app_id.len > 0 ? principal->app_id : principal->object_id;
    }
    json_set_text(arena, data, by, who);
    json_set_text(arena, data, by_type, type);
    json_set_text(arena, data, at, time_iso(arena, now));
}

static struct json_node *system_data(const struct arm_call *call, const struct json_node *before)
{
    struct json_node *data = json_new(call->arena, JSON_T_OBJECT);
    const struct json_node *old = json_get(before, "systemData");
    static const char *const kept[] = {"createdBy", "createdByType", "createdAt"};
    if (data == NULL) return NULL;
    if (old == NULL)
        set_actor(call->arena, data, kept[0], kept[1], kept[2], call->principal, call->now);
    for (uint32_t i = 0; i < RF_COUNT(kept); i++)
        if (json_get(old, kept[i]) != NULL)
            json_set_text(call->arena, data, kept[i], json_text_at(old, kept[i]));
    set_actor(call->arena, data, "lastModifiedBy", "lastModifiedByType", "lastModifiedAt",
              call->principal, call->now);
    return data;
}

/* ---- putting it together -------------------------------------------------------------------------------------------------------- */

/* Members that are ours to set, whatever a caller sends. */
static bool is_ours(rf_str name)
{
    static const char *const ours[] = {"id",   "name",       "type", "location",
                                       "tags", "systemData", "etag", "properties"};
    for (uint32_t i = 0; i < RF_COUNT(ours); i++)
        if (rf_str_is(name, ours[i])) return true;
    return false;
}

/* Copies the members of `from`; at the top those that are not ours to set. */
static bool copy_members(struct rf_arena *arena, const struct json_node *from,
                         struct json_node *into, bool top)
{
    const struct json_node *first = from == NULL ? NULL : from->first;
    for (const struct json_node *member = first; member != NULL; member = member->next) {
        if (top && is_ours(member->name)) continue;
        if (json_set(arena, into, member->name, json_clone(arena, member)) == NULL) return false;
    }
    return true;
}

/* RFC 7396 one level deep: a null takes the member away, anything else takes its place. */
static bool merge_members(struct rf_arena *arena, const struct json_node *patch,
                          struct json_node *into, bool top)
{
    const struct json_node *first = patch == NULL ? NULL : patch->first;
    for (const struct json_node *member = first; member != NULL; member = member->next) {
        if (top && is_ours(member->name)) continue;
        if (member->type == JSON_T_NULL)
            json_remove(into, member->name);
        else if (json_set(arena, into, member->name, json_clone(arena, member)) == NULL)
            return false;
    }
    return true;
}

static enum rf_kind check_shape(const struct json_node *sent, struct rf_err *err)
{
    if (!json_is(sent, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The request content was invalid and could not be deserialized: it is not "
                       "an object.");
    const struct json_node *properties = json_get(sent, "properties");
    if (properties != NULL && properties->type != JSON_T_OBJECT && properties->type != JSON_T_NULL)
        return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                       "The request content was invalid and could not be deserialized: "
                       "'properties' is not an object.");
    return arm_tags_check(json_get(sent, "tags"), err);
}

static bool set_tags(struct rf_arena *arena, const struct json_node *sent,
                     const struct json_node *before, bool merge, struct json_node *document)
{
    const struct json_node *tags = json_get(sent, "tags");
    if (tags == NULL && merge) tags = json_get(before, "tags");
    if (tags == NULL || tags->type == JSON_T_NULL) return true;
    return json_set(arena, document, RF_S("tags"), json_clone(arena, tags)) != NULL;
}

static bool set_properties(const struct arm_target *target, struct rf_arena *arena,
                           const struct json_node *sent, const struct json_node *before, bool merge,
                           struct json_node *document)
{
    const struct json_node *given = json_get(sent, "properties");
    const struct json_node *old = merge ? json_get(before, "properties") : NULL;
    bool states = (target->type->flags & ARM_NO_STATE) == 0;
    if (given == NULL && old == NULL && !states) return true;
    struct json_node *properties = json_object_in(arena, document, "properties");
    if (properties == NULL || !copy_members(arena, old, properties, false)) return false;
    bool done = merge ? merge_members(arena, given, properties, false)
                      : copy_members(arena, given, properties, false);
    if (!done) return false;
    return !states || json_set_text(arena, properties, "provisioningState", RF_S("Succeeded"));
}

enum rf_kind arm_document_make(struct arm_call *call, const struct arm_target *target, rf_str id,
                               const struct json_node *sent, const struct json_node *before,
                               bool merge, struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    RF_TRY(check_shape(sent, err));
    if (before == NULL) RF_TRY(check_name(target->id.name, err));
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    if (document == NULL) return rf_fail_memory(err, arena);
    const char *shown = target->type->shown_type;
    rf_str type = rf_str_of(shown != NULL ? shown : target->type->name);
    rf_str name = json_text_at(before, "name");
    json_set_text(arena, document, "id", id);
    json_set_text(arena, document, "name", name.len > 0 ? name : target->id.name);
    json_set_text(arena, document, "type", type);
    RF_TRY(set_location(target, arena, json_get(sent, "location"), before, merge, document, err));
    bool done = set_tags(arena, sent, before, merge, document);
    if (merge) done = done && copy_members(arena, before, document, true);
    done = done && (merge ? merge_members(arena, sent, document, true)
                          : copy_members(arena, sent, document, true));
    done = done && set_properties(target, arena, sent, before, merge, document);
    struct json_node *data = system_data(call, before);
    done = done && json_set(arena, document, RF_S("systemData"), data) != NULL;
    if (!done) return rf_fail_memory(err, arena);
    *out = document;
    return RF_OK;
}
