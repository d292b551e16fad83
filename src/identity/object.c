#include <stdlib.h>

#include "identity/identity_int.h"

static const struct {
    const char *space, *member;
} object_indexes[] = {
    {"application", "appId"},
    {"application", "identifierUris"},
    {"application", "displayName"},
    {"servicePrincipal", "appId"},
    {"servicePrincipal", "displayName"},
    {"servicePrincipal", "servicePrincipalNames"},
    {"servicePrincipal", "servicePrincipalType"},
    {"user", "userPrincipalName"},
    {"user", "displayName"},
    {"user", "mail"},
    {"group", "displayName"},
    {"group", "mailNickname"},
    {"appRoleAssignment", "principalId"},
    {"appRoleAssignment", "resourceId"},
    {"oauth2PermissionGrant", "clientId"},
    {"oauth2PermissionGrant", "resourceId"},
    {"directoryRoleAssignment", "principalId"},
    {"directoryRoleAssignment", "roleDefinitionId"},
    {"roleEligibility", "principalId"},
    {"roleActivation", "principalId"},
    {"roleActivationRequest", "principalId"},
};

bool object_indexed(const char *space, rf_str member)
{
    for (size_t i = 0; i < RF_COUNT(object_indexes); i++)
        if (strcmp(object_indexes[i].space, space) == 0 &&
            rf_str_is(member, object_indexes[i].member))
            return true;
    return false;
}

rf_str text_lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_alloc(arena, text.len);
    if (out == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len; i++) out[i] = rf_lower(text.ptr[i]);
    return (rf_str){out, text.len};
}

rf_str guid_named(struct rf_arena *arena, rf_str tenant, rf_str name)
{
    uint8_t hash[SHA256_BYTES];
    rf_str both = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(tenant), RF_FMT(name));
    if (both.ptr == NULL) return both;
    digest_sha256(both, hash);
    hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80);
    hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
    rf_str hex = hex_encode(arena, rf_str_make(hash, 16));
    if (hex.ptr == NULL) return hex;
    const char *h = (const char *)hex.ptr;
    return rf_arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
}

rf_str time_graph(struct rf_arena *arena, rf_usec time)
{
    rf_str iso = time_iso(arena, time);
    return iso.len < 20 ? iso : rf_arena_printf(arena, "%.19sZ", (const char *)iso.ptr);
}

enum rf_kind object_get(struct state_txn *txn, const char *space, rf_str id, struct rf_arena *arena,
                        struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    rf_str key = text_lower(arena, id);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_get(txn, space, key, arena, &object, err));
    return json_parse(object.body, arena, out, err);
}

enum rf_kind object_list(struct state_txn *txn, const char *space, const char *member, rf_str value,
                         struct rf_arena *arena, struct object_list *out, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = space, .index = member};
    if (member != NULL) {
        scan.value = text_lower(arena, value);
        if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct json_node **items = rf_arena_new(arena, struct json_node *, list.count);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(json_parse(list.items[i].body, arena, &items[i], err));
    *out = (struct object_list){.items = items, .count = list.count};
    return RF_OK;
}

enum rf_kind object_find(struct state_txn *txn, const char *space, const char *member, rf_str value,
                         struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = space, .index = member, .limit = 1};
    scan.value = text_lower(arena, value);
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    if (list.count == 0) return RF_FAIL(err, RF_NOT_FOUND, "ObjectNotFound", "no such %s", space);
    return json_parse(list.items[0].body, arena, out, err);
}

enum { OBJECT_INDEX_VALUES_MAX = 256 };

static enum rf_kind add_index(struct state_index *indexes, uint32_t *count, const char *name,
                              const struct json_node *value, struct rf_arena *arena,
                              struct rf_err *err)
{
    if (!json_is(value, JSON_T_STRING)) return RF_OK;
    if (*count == OBJECT_INDEX_VALUES_MAX)
        return RF_FAIL(err, RF_LIMIT, "Request_BadRequest", "more than %d names",
                       OBJECT_INDEX_VALUES_MAX);
    rf_str low = text_lower(arena, value->text);
    if (low.ptr == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(indexes[i].name, name) == 0 && rf_str_eq(indexes[i].value, low)) return RF_OK;
    indexes[(*count)++] = (struct state_index){.name = name, .value = low};
    return RF_OK;
}

enum rf_kind object_put(struct state_txn *txn, const char *space, const struct json_node *doc,
                        struct rf_arena *arena, struct rf_err *err)
{
    struct state_index *indexes = rf_arena_new(arena, struct state_index, OBJECT_INDEX_VALUES_MAX);
    if (indexes == NULL) return rf_fail_memory(err, arena);
    uint32_t count = 0;
    for (size_t i = 0; i < RF_COUNT(object_indexes); i++) {
        const char *member = object_indexes[i].member;
        if (strcmp(object_indexes[i].space, space) != 0) continue;
        const struct json_node *value = json_get(doc, member);
        if (json_is(value, JSON_T_ARRAY))
            for (const struct json_node *v = value->first; v != NULL; v = v->next)
                RF_TRY(add_index(indexes, &count, member, v, arena, err));
        else
            RF_TRY(add_index(indexes, &count, member, value, arena, err));
    }
    struct state_put put = {.space = space, .indexes = indexes, .index_count = count};
    put.key = text_lower(arena, json_text_at(doc, "id"));
    put.body = json_to_text(arena, doc);
    if (put.body.ptr == NULL || put.key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_ASSERT(put.key.len > 0);
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind object_delete(struct state_txn *txn, const char *space, rf_str id, struct rf_err *err)
{
    enum rf_kind kind = state_delete(txn, space, id, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* ---- links ----------------------------------------------------------------------------------------------------- */

static rf_str link_key(struct rf_arena *arena, rf_str object, rf_str member)
{
    rf_str key = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(object), RF_FMT(member));
    return key.ptr == NULL ? key : text_lower(arena, key);
}

enum rf_kind link_put(struct state_txn *txn, const char *space, rf_str object, rf_str member,
                      const char *kind, bool *created, struct rf_arena *arena, struct rf_err *err)
{
    struct state_index index = {.name = "member", .value = text_lower(arena, member)};
    struct state_put put = {.space = space, .indexes = &index, .index_count = 1};
    put.key = link_key(arena, object, member);
    put.body = rf_arena_printf(arena, "{\"kind\":\"%s\"}", kind);
    if (put.key.ptr == NULL || put.body.ptr == NULL || index.value.ptr == NULL)
        return rf_fail_memory(err, arena);
    return state_put(txn, &put, NULL, created, err);
}

enum rf_kind link_delete(struct state_txn *txn, const char *space, rf_str object, rf_str member,
                         bool *existed, struct rf_arena *arena, struct rf_err *err)
{
    rf_str key = link_key(arena, object, member);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_delete(txn, space, key, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (existed != NULL) *existed = kind == RF_OK;
    return RF_OK;
}

enum rf_kind link_list(struct state_txn *txn, const char *space, rf_str object, rf_str member,
                       struct rf_arena *arena, struct link_list *out, struct rf_err *err)
{
    RF_ASSERT((object.len == 0) != (member.len == 0));
    struct state_scan scan = {.space = space};
    if (object.len > 0) {
        scan.prefix = link_key(arena, object, RF_S(""));
        if (scan.prefix.ptr == NULL) return rf_fail_memory(err, arena);
    } else {
        scan.index = "member";
        scan.value = text_lower(arena, member);
        if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    }
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct link *items = rf_arena_new(arena, struct link, list.count);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        rf_str key = list.items[i].key;
        size_t slash = rf_str_find(key, RF_S("/"), 0);
        struct json_node *body;
        if (slash == SIZE_MAX)
            return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a link without a member");
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        items[i] = (struct link){.object = rf_slice(key, 0, slash),
                                 .member = rf_slice(key, slash + 1, key.len),
                                 .kind = json_text_at(body, "kind")};
    }
    *out = (struct link_list){.items = items, .count = list.count};
    return RF_OK;
}

/* Groups may hold each other in a circle, so each is visited once. */
enum { GROUPS_MAX = 4096 };

static bool is_among(const rf_str *items, uint32_t count, rf_str item)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(items[i], item)) return true;
    return false;
}

enum rf_kind groups_of(struct state_txn *txn, rf_str id, struct rf_arena *arena, rf_str **out,
                       uint32_t *out_count, struct rf_err *err)
{
    rf_str *found = NULL;
    uint32_t count = 0, cap = 0, looked = 0;
    for (rf_str at = id;; at = found[looked++]) {
        struct link_list links;
        RF_TRY(link_list(txn, "member", (rf_str){0}, at, arena, &links, err));
        for (uint32_t i = 0; i < links.count; i++) {
            if (is_among(found, count, links.items[i].object)) continue;
            if (count == GROUPS_MAX)
                return RF_FAIL(err, RF_LIMIT, "TooManyGroups", "more than %d groups", GROUPS_MAX);
            if (count == cap) {
                uint32_t more = cap == 0 ? 16 : cap * 2;
                found = rf_arena_grow(arena, found, cap * sizeof *found, more * sizeof *found);
                if (found == NULL) return rf_fail_memory(err, arena);
                cap = more;
            }
            found[count++] = links.items[i].object;
        }
        if (looked == count) break;
    }
    *out = found;
    *out_count = count;
    return RF_OK;
}
