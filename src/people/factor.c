#include "people/factor_int.h"

static const char space[] = "factor";
static const char *const kinds[] = {"totp", "fido2", "recovery", "pass"};

static const char *kind_of(rf_str text)
{
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (rf_str_is(text, kinds[i])) return kinds[i];
    return NULL;
}

static rf_str key_of(struct rf_arena *arena, rf_str user, const char *kind, rf_str id)
{
    rf_str key = rf_arena_printf(arena, "%.*s/%s/%.*s", RF_FMT(user), kind, RF_FMT(id));
    if (key.ptr == NULL) return key;
    uint8_t *low = rf_arena_raw(arena, uint8_t, key.len);
    if (low == NULL) return (rf_str){0};
    for (size_t i = 0; i < key.len; i++) low[i] = rf_lower(key.ptr[i]);
    return rf_str_make(low, key.len);
}

static rf_str prefix_of(struct rf_arena *arena, rf_str user)
{
    rf_str key = key_of(arena, user, "", (rf_str){0});
    if (key.len > 0) key.len--; /* one slash, not two */
    return key;
}

enum rf_kind factors_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                        struct factor_list *out, struct rf_err *err)
{
    struct state_scan scan = {.space = space, .prefix = prefix_of(arena, user)};
    struct state_list list;
    if (scan.prefix.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    *out = (struct factor_list){.items = rf_arena_new(arena, struct factor, list.count)};
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        rf_str rest = rf_slice(list.items[i].key, scan.prefix.len, list.items[i].key.len);
        size_t slash = rf_str_find(rest, RF_S("/"), 0);
        const char *kind = slash == SIZE_MAX ? NULL : kind_of(rf_slice(rest, 0, slash));
        struct json_node *body;
        if (kind == NULL) continue;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        out->items[out->count++] =
            (struct factor){.kind = kind, .id = json_text_at(body, "id"), .body = body};
    }
    return RF_OK;
}

enum rf_kind factor_put(struct state_txn *txn, rf_str user, const char *kind,
                        const struct json_node *body, struct rf_arena *arena, struct rf_err *err)
{
    rf_str credential = json_text_at(body, "credentialId");
    const struct state_index index = {"credential", credential};
    struct state_put put = {.space = space,
                            .key = key_of(arena, user, kind, json_text_at(body, "id")),
                            .body = json_to_text(arena, body),
                            .indexes = &index,
                            .index_count = credential.len > 0};
    if (put.key.ptr == NULL || put.body.ptr == NULL) return rf_fail_memory(err, arena);
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind factor_delete(struct state_txn *txn, rf_str user, const char *kind, rf_str id,
                           struct rf_arena *arena, struct rf_err *err)
{
    rf_str key = key_of(arena, user, kind, id);
    return key.ptr == NULL ? rf_fail_memory(err, arena) : state_delete(txn, space, key, err);
}

enum rf_kind factors_delete(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                            struct rf_err *err)
{
    rf_str prefix = prefix_of(arena, user);
    return prefix.ptr == NULL ? rf_fail_memory(err, arena)
                              : state_delete_prefix(txn, space, prefix, NULL, err);
}

enum rf_kind factors_of_kind(struct state_txn *txn, rf_str user, const char *kind,
                             struct rf_arena *arena, struct factor_list *out, struct rf_err *err)
{
    uint32_t count = 0;
    RF_TRY(factors_of(txn, user, arena, out, err));
    for (uint32_t i = 0; i < out->count; i++)
        if (strcmp(out->items[i].kind, kind) == 0) out->items[count++] = out->items[i];
    out->count = count;
    return RF_OK;
}

struct json_node *factor_new(struct rf_arena *arena, rf_str display_name, rf_usec now, rf_str *id)
{
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    *id = guid_random(arena);
    rf_str at = time_iso(arena, now);
    if (id->ptr == NULL || at.len < 20) return NULL;
    json_set_text(arena, body, "id", *id);
    json_set_text(arena, body, "displayName", display_name);
    return json_set_text(arena, body, "createdDateTime",
                         rf_arena_printf(arena, "%.19sZ", (const char *)at.ptr)) == NULL
               ? NULL
               : body;
}
