/* entity.c - one entity: its members from texts, its key, and how the API shows it. */
#include "siem/alert.h"

#include "base/json.h"
#include "crypt/digest.h"
#include "siem/entity_int.h"
#include "value/text.h"

/* ---- members from texts ------------------------------------------------------------------------------------------------ */

static bool set_text(struct json_node *entity, const char *name, rf_str text,
                     struct rf_arena *arena)
{
    if (text.len == 0) return true;
    return json_set_text(arena, entity, name, text) != NULL;
}

static bool looks_like_sid(rf_str text)
{
    if (text.len < 6 || !rf_str_starts(text, RF_S("S-1-"))) return false;
    for (size_t i = 4; i < text.len; i++)
        if (text.ptr[i] != '-' && !rf_is_digit(text.ptr[i])) return false;
    return true;
}

static size_t last_of(rf_str text, uint8_t c)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != c) at--;
    return at == 0 ? SIZE_MAX : at - 1;
}

/* DOMAIN\name, name@suffix, both, or a SID. */
static bool split_account(struct json_node *entity, rf_str text, struct rf_arena *arena)
{
    if (looks_like_sid(text)) return set_text(entity, "Sid", text, arena);
    size_t slash = rf_str_find(text, RF_S("\\"), 0);
    if (slash != SIZE_MAX) {
        if (!set_text(entity, "NTDomain", rf_slice(text, 0, slash), arena)) return false;
        text = rf_slice(text, slash + 1, text.len);
    }
    size_t at = last_of(text, '@');
    bool has_suffix = at != SIZE_MAX && at > 0 && at + 1 < text.len;
    if (!has_suffix) return set_text(entity, "Name", text, arena);
    return set_text(entity, "Name", rf_slice(text, 0, at), arena) &&
           set_text(entity, "UPNSuffix", rf_slice(text, at + 1, text.len), arena);
}

/* An address has dots, but no domain behind the first of them. */
static bool is_address(rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ':') return true;
        if (!rf_is_digit(text.ptr[i]) && text.ptr[i] != '.') return false;
    }
    return true;
}

static bool split_host(struct json_node *entity, rf_str text, struct rf_arena *arena)
{
    size_t slash = rf_str_find(text, RF_S("\\"), 0);
    if (slash != SIZE_MAX) {
        if (!set_text(entity, "NTDomain", rf_slice(text, 0, slash), arena)) return false;
        text = rf_slice(text, slash + 1, text.len);
    }
    size_t dot = is_address(text) ? SIZE_MAX : rf_str_find(text, RF_S("."), 0);
    if (dot == SIZE_MAX || dot == 0) return set_text(entity, "HostName", text, arena);
    return set_text(entity, "HostName", rf_slice(text, 0, dot), arena) &&
           set_text(entity, "DnsDomain", rf_slice(text, dot + 1, text.len), arena);
}

/* A list is JSON, or one text. */
static struct json_node *list_of(rf_str text, struct rf_arena *arena)
{
    struct json_node *list = NULL;
    bool is_json = text.ptr[0] == '[' && json_parse(text, arena, &list, NULL) == RF_OK;
    if (is_json && json_is(list, JSON_T_ARRAY)) return list;
    list = json_new(arena, JSON_T_ARRAY);
    return json_append(list, json_new_text(arena, text)) == NULL ? NULL : list;
}

/* What json_number_i64 may be given. */
static bool is_whole(rf_str text)
{
    size_t digits = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    for (size_t i = digits; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i])) return false;
    return text.len > digits && text.len < 16;
}

static struct json_node *value_of(enum entity_value value, rf_str text, struct rf_arena *arena)
{
    bool truth;
    int64_t number;
    switch (value) {
    case ENTITY_BOOL:
        if (text_to_bool(text, &truth)) return json_new_bool(arena, truth);
        break;
    case ENTITY_NUMBER:
        if (is_whole(text) && json_number_i64(text, &number)) return json_new_i64(arena, number);
        break;
    case ENTITY_LIST:
        return list_of(text, arena);
    case ENTITY_TEXT:
        break;
    }
    return json_new_text(arena, text);
}

bool entity_set(const struct entity_type *type, struct json_node *entity, rf_str identifier,
                rf_str text, struct rf_arena *arena)
{
    text = rf_str_trim(text);
    if (text.len == 0) return true;
    if (type->full_name && rf_str_eq_nocase(identifier, RF_S("FullName")))
        return type == &entity_types[0] ? split_account(entity, text, arena)
                                        : split_host(entity, text, arena);
    const struct entity_field *field = entity_field_of(type, identifier);
    if (field == NULL) return true;
    return json_set(arena, entity, rf_str_of(field->name), value_of(field->value, text, arena)) !=
           NULL;
}

bool entity_is_generic(const struct entity_type *type, const struct json_node *entity)
{
    static const char *const generic[] = {"ADMIN",       "ADMINISTRATOR",  "SYSTEM",
                                          "ROOT",        "ANONYMOUS",      "AUTHENTICATED USER",
                                          "NETWORK",     "NULL",           "LOCAL SYSTEM",
                                          "LOCALSYSTEM", "NETWORK SERVICE"};
    if (type != &entity_types[0]) return false;
    rf_str name = json_text_at(entity, "Name");
    for (const struct json_node *m = entity->first; m != NULL; m = m->next)
        if (!rf_str_is(m->name, "$id") && !rf_str_is(m->name, "Name") &&
            !rf_str_is(m->name, "Type") && !rf_str_is(m->name, "Host") &&
            !rf_str_is(m->name, "DisplayName"))
            return false;
    for (size_t i = 0; i < RF_COUNT(generic); i++)
        if (rf_str_eq_nocase(name, rf_str_of(generic[i]))) return true;
    return false;
}

/* ---- the key ------------------------------------------------------------------------------------------------------------- */

/* What a member of an entity refers to: an item of `all`, or what stands in its place. *index: of the item. */
static const struct json_node *referred(const struct json_node *entity, const char *name,
                                        const struct json_node *all, uint32_t *index)
{
    const struct json_node *member = json_get(entity, name);
    rf_str ref = json_text_at(member, "$ref");
    const struct json_node *item = ref.len == 0 || all == NULL ? NULL : all->first;
    for (*index = 0; item != NULL; item = item->next, (*index)++)
        if (item != entity && rf_str_eq(json_text_at(item, "$id"), ref)) return item;
    /* Alerts of others hold what they refer to first in its place. */
    *index = UINT32_MAX;
    return json_is(member, JSON_T_OBJECT) && ref.len == 0 ? member : NULL;
}

/* "|name=value"; a separator inside a value is doubled, so that no two entities can look alike. */
static void put_part(struct rf_buf *buf, const char *name, rf_str value)
{
    rf_buf_byte(buf, '|');
    for (const char *c = name; *c != '\0'; c++) rf_buf_byte(buf, rf_lower((uint8_t)*c));
    rf_buf_byte(buf, '=');
    for (size_t i = 0; i < value.len; i++) {
        rf_buf_byte(buf, rf_lower(value.ptr[i]));
        if (value.ptr[i] == '|') rf_buf_byte(buf, '|');
    }
}

static rf_str scalar_text(const struct json_node *node, struct rf_arena *arena)
{
    if (node == NULL) return (rf_str){NULL, 0};
    if (node->type == JSON_T_STRING || node->type == JSON_T_NUMBER) return node->text;
    return json_to_text(arena, node);
}

/* The value of an identifier, or the key of what is referred to; empty: there is none. */
static rf_str part_of(const struct entity_type *type, const char *name,
                      const struct json_node *entity, const struct entity_refs *refs,
                      struct rf_arena *arena)
{
    if (entity_field_of(type, rf_str_of(name)) != NULL)
        return scalar_text(json_get(entity, name), arena);
    return strcmp(name, "Host") == 0 ? refs->host : refs->key;
}

static bool has_all(const struct entity_type *type, const char *const *names,
                    const struct json_node *entity, const struct entity_refs *refs,
                    struct rf_arena *arena)
{
    for (uint32_t i = 0; i < ENTITY_STRONG_FIELDS_MAX && names[i] != NULL; i++)
        if (part_of(type, names[i], entity, refs, arena).len == 0) return false;
    return true;
}

rf_str entity_key_of(const struct entity_type *type, const struct json_node *entity,
                     const struct entity_refs *refs, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    const char *const *names = NULL;
    rf_buf_str(&buf, rf_str_of(type->type));
    for (uint32_t s = 0; names == NULL && type->strong[s][0] != NULL; s++)
        if (has_all(type, type->strong[s], entity, refs, arena)) names = type->strong[s];
    for (uint32_t i = 0; names != NULL && i < ENTITY_STRONG_FIELDS_MAX && names[i] != NULL; i++)
        put_part(&buf, names[i], part_of(type, names[i], entity, refs, arena));
    if (names == NULL) rf_buf_str(&buf, RF_S("|~")); /* nothing strong: all that is known */
    for (const struct entity_field *f = type->fields; names == NULL && f->name != NULL; f++) {
        rf_str value = scalar_text(json_get(entity, f->name), arena);
        if (value.len > 0) put_part(&buf, f->name, value);
    }
    if (names == NULL && refs->host.len > 0) put_part(&buf, "Host", refs->host);
    if (names == NULL && refs->key.len > 0) put_part(&buf, "Key", refs->key);
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

/* References are followed once: what they lead to is told by its own identifiers. */
static rf_str key_of_reference(const struct json_node *entity, const char *name,
                               const struct json_node *all, struct rf_arena *arena)
{
    static const struct entity_refs none = {.host = {NULL, 0}};
    uint32_t index;
    const struct json_node *other = referred(entity, name, all, &index);
    const struct entity_type *type = entity_type_of_alert(json_text_at(other, "Type"));
    return type == NULL ? (rf_str){NULL, 0} : entity_key_of(type, other, &none, arena);
}

rf_str entity_key(const struct json_node *entity, const struct json_node *all,
                  struct rf_arena *arena)
{
    const struct entity_type *type = entity_type_of_alert(json_text_at(entity, "Type"));
    if (type == NULL) return RF_S("");
    const struct entity_refs refs = {.host = key_of_reference(entity, "Host", all, arena),
                                     .key = key_of_reference(entity, "Key", all, arena)};
    return entity_key_of(type, entity, &refs, arena);
}

rf_str siem_guid(struct rf_arena *arena, rf_str space, rf_str text)
{
    struct rf_buf buf = rf_buf_in(arena);
    uint8_t digest[SHA256_BYTES];
    rf_buf_printf(&buf, "%zu:", space.len);
    rf_buf_str(&buf, space);
    rf_buf_str(&buf, text);
    if (buf.failed) return (rf_str){NULL, 0};
    digest_sha256(rf_buf_view(&buf), digest);
    digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0f));
    digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3f));
    struct guid guid;
    struct rf_buf out = rf_buf_in(arena);
    memcpy(guid.bytes, digest, sizeof guid.bytes);
    text_put_guid(&out, &guid);
    return out.failed ? (rf_str){NULL, 0} : rf_buf_view(&out);
}

rf_str entity_name(rf_str workspace_id, rf_str key, struct rf_arena *arena)
{
    return siem_guid(arena, workspace_id, key);
}

/* ---- as the API shows it ---------------------------------------------------------------------------------------------------- */

static rf_str key_at(const struct entity_view *view, uint32_t index)
{
    const struct json_node *key = view->keys == NULL ? NULL : view->keys->first;
    while (key != NULL && index-- > 0) key = key->next;
    return json_is(key, JSON_T_STRING) ? key->text : (rf_str){NULL, 0};
}

static rf_str entity_id(const struct entity_view *view, rf_str name, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "%.*s/Entities/%.*s", RF_FMT(view->scope), RF_FMT(name));
}

static bool show_reference(const struct entity_view *view, const struct json_node *entity,
                           const char *member, const char *shown, struct json_node *properties,
                           struct rf_arena *arena)
{
    uint32_t index = 0;
    rf_str ref = json_text_at(json_get(entity, member), "$ref");
    if (ref.len == 0 || referred(entity, member, view->entities, &index) == NULL) return true;
    RF_ASSERT(index != UINT32_MAX);
    rf_str name = entity_name(view->workspace_id, key_at(view, index), arena);
    rf_str id = entity_id(view, name, arena);
    return name.ptr != NULL && id.ptr != NULL &&
           json_set_text(arena, properties, shown, id) != NULL;
}

/* What people call it: the first of its identifiers, with which its list begins. */
static rf_str friendly_name(const struct entity_type *type, const struct json_node *entity,
                            struct rf_arena *arena)
{
    static const char *const first[] = {"Name",        "HostName",    "NetBiosName",
                                        "Address",     "Url",         "ResourceId",
                                        "DomainName",  "Value",       "Key",
                                        "CommandLine", "DisplayName", "MailboxPrimaryAddress",
                                        "Subject"};
    for (size_t i = 0; i < RF_COUNT(first); i++)
        if (json_is(json_get(entity, first[i]), JSON_T_STRING))
            return json_text_at(entity, first[i]);
    for (const struct entity_field *f = type->fields; f->name != NULL; f++)
        if (json_get(entity, f->name) != NULL) return scalar_text(json_get(entity, f->name), arena);
    return rf_str_of(type->kind);
}

static bool show_resource(const struct json_node *entity, struct json_node *properties,
                          struct rf_arena *arena)
{
    rf_str id = json_text_at(entity, "ResourceId"), mark = RF_S("/subscriptions/");
    if (id.len <= mark.len || !rf_str_eq_nocase(rf_slice(id, 0, mark.len), mark)) return true;
    size_t end = rf_str_find(id, RF_S("/"), mark.len);
    return set_text(properties, "subscriptionId",
                    rf_slice(id, mark.len, end == SIZE_MAX ? id.len : end), arena);
}

static bool show_members(const struct entity_view *view, const struct entity_type *type,
                         const struct json_node *entity, struct json_node *properties,
                         struct rf_arena *arena)
{
    for (const struct entity_field *f = type->fields; f->name != NULL; f++) {
        const struct json_node *own = json_get(entity, f->name);
        if (own == NULL || f->shown == NULL || own->type == JSON_T_OBJECT) continue;
        if (json_set(arena, properties, rf_str_of(f->shown), json_clone(arena, own)) == NULL)
            return false;
    }
    return show_reference(view, entity, "Host", "hostEntityId", properties, arena) &&
           show_reference(view, entity, "Key", "keyEntityId", properties, arena) &&
           show_resource(entity, properties, arena) &&
           json_set_text(arena, properties, "friendlyName", friendly_name(type, entity, arena)) !=
               NULL;
}

struct json_node *entity_to_api(const struct entity_view *view, uint32_t index,
                                struct rf_arena *arena)
{
    const struct json_node *entity = view->entities == NULL ? NULL : view->entities->first;
    for (uint32_t i = index; entity != NULL && i > 0; i--) entity = entity->next;
    const struct entity_type *type = entity_type_of_alert(json_text_at(entity, "Type"));
    if (type == NULL) return NULL;
    rf_str name = entity_name(view->workspace_id, key_at(view, index), arena);
    rf_str id = entity_id(view, name, arena);
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    if (name.ptr == NULL || id.ptr == NULL) return NULL;
    json_set_text(arena, made, "id", id);
    json_set_text(arena, made, "name", name);
    json_set_text(arena, made, "type", RF_S("Microsoft.SecurityInsights/Entities"));
    json_set_text(arena, made, "kind", rf_str_of(type->kind));
    struct json_node *properties = json_object_in(arena, made, "properties");
    if (properties == NULL) return NULL;
    return show_members(view, type, entity, properties, arena) ? made : NULL;
}
