/* shape.c - what the three collections read and show alike: names, attributes, tags, ids. */
#include "vault/store_int.h"

enum {
    TAGS_MAX = 15,
    TAG_CHARS_MAX = 256,
    RECOVERY_DAYS_FULL = 90 /* fewer: the level is called customized */
};
#define TIME_MAX INT64_C(253402300799) /* the last second of 9999 */

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

enum rf_kind vault_check_name(struct vault_call *call, rf_str name, struct rf_err *err)
{
    if (vault_name_is(name)) return RF_OK;
    return vault_bad(call, err,
                     "The request URI contains an invalid name: '%.*s'. A name is 1 to 127 "
                     "letters (a-z), digits and dashes.",
                     (int)RF_MIN(name.len, 200), (const char *)name.ptr);
}

static const char *type_name(enum json_type type)
{
    switch (type) {
    case JSON_T_TRUE:
    case JSON_T_FALSE:
        return "a truth value";
    case JSON_T_NUMBER:
        return "a number";
    case JSON_T_STRING:
        return "a text";
    case JSON_T_ARRAY:
        return "an array";
    case JSON_T_OBJECT:
        return "an object";
    default:
        return "null";
    }
}

enum rf_kind vault_member(struct vault_call *call, const struct json_node *object, const char *name,
                          enum json_type type, struct json_node **out, struct rf_err *err)
{
    struct json_node *member = json_get(object, name);
    if (json_is(member, JSON_T_NULL)) member = NULL;
    bool fits = member == NULL || member->type == type ||
                (type == JSON_T_TRUE && member->type == JSON_T_FALSE);
    if (!fits)
        return vault_bad(call, err, "Property '%s' has invalid value: it must be %s.", name,
                         type_name(type));
    *out = member;
    return RF_OK;
}

static enum rf_kind read_time(struct vault_call *call, const struct json_node *attributes,
                              const char *name, bool free, int64_t *out, struct rf_err *err)
{
    struct json_node *member;
    int64_t time;
    RF_TRY(vault_member(call, attributes, name, JSON_T_NUMBER, &member, err));
    if (member == NULL) return RF_OK;
    if (!json_i64_at(attributes, name, &time) || time < 0 || time > TIME_MAX)
        return vault_bad(call, err,
                         "Property 'attributes.%s' has invalid value: it must be seconds since "
                         "1970-01-01, a whole number from 0 to %lld.",
                         name, (long long)TIME_MAX);
    if (!free && time != *out)
        return vault_bad(call, err,
                         "Property 'attributes.%s' cannot be set: it is that of the X.509 "
                         "certificate.",
                         name);
    *out = time;
    return RF_OK;
}

static enum rf_kind read_tags(struct vault_call *call, struct json_node *tags, struct rf_err *err)
{
    if (tags->count > TAGS_MAX)
        return vault_bad(call, err, "Property 'tags' has invalid value: %u tags, at most %d.",
                         tags->count, TAGS_MAX);
    for (const struct json_node *tag = tags->first; tag != NULL; tag = tag->next) {
        if (tag->type != JSON_T_STRING)
            return vault_bad(call, err, "Property 'tags' has invalid value: each must be a text.");
        if (rf_utf8_count(tag->name) > TAG_CHARS_MAX || rf_utf8_count(tag->text) > TAG_CHARS_MAX)
            return vault_bad(call, err,
                             "Property 'tags' has invalid value: names and values are at most %d "
                             "characters long.",
                             TAG_CHARS_MAX);
    }
    return RF_OK;
}

enum rf_kind vault_read_attributes(struct vault_call *call, bool times,
                                   struct vault_version *version, struct rf_err *err)
{
    struct json_node *attributes, *tags, *enabled;
    struct vault_version next = *version;
    RF_TRY(vault_member(call, call->body, "attributes", JSON_T_OBJECT, &attributes, err));
    RF_TRY(vault_member(call, call->body, "tags", JSON_T_OBJECT, &tags, err));
    RF_TRY(vault_member(call, attributes, "enabled", JSON_T_TRUE, &enabled, err));
    RF_TRY(read_time(call, attributes, "nbf", times, &next.not_before, err));
    RF_TRY(read_time(call, attributes, "exp", times, &next.expires, err));
    if (enabled != NULL) next.enabled = enabled->type == JSON_T_TRUE;
    if (next.not_before != SEAL_NO_TIME && next.expires != SEAL_NO_TIME &&
        next.expires < next.not_before)
        return vault_bad(call, err,
                         "Property 'attributes' has invalid value: exp lies before nbf.");
    if (tags != NULL) {
        RF_TRY(read_tags(call, tags, err));
        next.tags = tags->count > 0 ? tags : NULL;
    }
    *version = next;
    return RF_OK;
}

/* ---- showing ------------------------------------------------------------------------------------------------------------- */

static rf_str recovery_level(const struct vault_call *call)
{
    const struct vault_place *place = &call->place;
    bool is_custom = place->retention_days < RECOVERY_DAYS_FULL && call->api != VAULT_API_7_0;
    if (is_custom)
        return place->purge_protection ? RF_S("CustomizedRecoverable")
                                       : RF_S("CustomizedRecoverable+Purgeable");
    return place->purge_protection ? RF_S("Recoverable") : RF_S("Recoverable+Purgeable");
}

struct json_node *vault_put_attributes(struct vault_call *call, struct json_node *out,
                                       const struct vault_item *item,
                                       const struct vault_version *version, bool list)
{
    struct rf_arena *arena = call->arena;
    struct json_node *node = json_object_in(arena, out, "attributes");
    bool good = json_set_bool(arena, node, "enabled", version->enabled) != NULL;
    if (version->not_before != SEAL_NO_TIME)
        good = json_set_i64(arena, node, "nbf", version->not_before) != NULL && good;
    if (version->expires != SEAL_NO_TIME)
        good = json_set_i64(arena, node, "exp", version->expires) != NULL && good;
    good = json_set_i64(arena, node, "created", version->created) != NULL && good;
    good = json_set_i64(arena, node, "updated", version->updated) != NULL && good;
    if (!list || item->kind != SEAL_CERTIFICATE) {
        good = json_set_text(arena, node, "recoveryLevel", recovery_level(call)) != NULL && good;
        if (call->api != VAULT_API_7_0)
            good =
                json_set_i64(arena, node, "recoverableDays", call->place.retention_days) != NULL &&
                good;
    }
    if (version->tags != NULL)
        good = json_set(arena, out, RF_S("tags"), json_clone(arena, version->tags)) != NULL && good;
    return good ? node : NULL;
}

rf_str vault_object_id(struct vault_call *call, const char *collection, rf_str name, rf_str version)
{
    return rf_arena_printf(call->arena, "%.*s/%s/%.*s%s%.*s", RF_FMT(call->base), collection,
                           RF_FMT(name), version.len > 0 ? "/" : "", RF_FMT(version));
}

void vault_put_deleted(struct vault_call *call, struct json_node *out,
                       const struct vault_item *item)
{
    struct rf_arena *arena = call->arena;
    rf_str id = rf_arena_printf(arena, "%.*s/deleted%s/%.*s", RF_FMT(call->base),
                                vault_collection(item->kind), RF_FMT(item->name));
    if (id.ptr != NULL) json_set_text(arena, out, "recoveryId", id);
    json_set_i64(arena, out, "deletedDate", item->deleted);
    json_set_i64(arena, out, "scheduledPurgeDate", item->purge_at);
}
