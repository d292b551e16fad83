/* list.c - lists, page by page. A page begins behind the last name (or version) of the one before, so that it is right whatever was written or deleted in
 * between.
 *
 * $skiptoken: base64url of 8 bytes of SHA-256 over "ringfort vault page", the list and the name, each behind its length, and the name. It names a place in a list that its bearer may read
 * as a whole; so it is checked against slips and swaps, not kept from being made. */
#include <stdio.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/store_int.h"

enum {
    PAGE_MAX = 25,
    PAGE_CHUNK = 50,   /* items read at a time */
    PAGE_LOOKS = 1000, /* at so many the page ends, even when few of them belong on it */
    CHECK_BYTES = 8,
    LAST_BYTES_MAX = 127
};

/* ---- $skiptoken ---------------------------------------------------------------------------------------------------------- */

static bool check_of(struct rf_arena *arena, rf_str list, rf_str last, uint8_t out[SHA256_BYTES])
{
    rf_str text = rf_arena_printf(arena, "ringfort vault page %zu %.*s %zu %.*s", list.len,
                                  RF_FMT(list), last.len, RF_FMT(last));
    if (text.ptr != NULL) digest_sha256(text, out);
    return text.ptr != NULL;
}

rf_str vault_skip_token(struct rf_arena *arena, rf_str list, rf_str last)
{
    uint8_t bytes[SHA256_BYTES + LAST_BYTES_MAX];
    RF_ASSERT(last.len <= LAST_BYTES_MAX);
    if (!check_of(arena, list, last, bytes)) return (rf_str){0};
    memcpy(bytes + CHECK_BYTES, last.ptr, last.len);
    return base64url_encode(arena, rf_str_make(bytes, CHECK_BYTES + last.len));
}

bool vault_skip_read(struct rf_arena *arena, rf_str list, rf_str token, rf_str *last)
{
    uint8_t check[SHA256_BYTES];
    rf_str bytes;
    if (token.len > 2 * (LAST_BYTES_MAX + CHECK_BYTES)) return false;
    if (base64url_decode(arena, token, &bytes, NULL) != RF_OK) return false;
    if (bytes.len <= CHECK_BYTES || bytes.len > LAST_BYTES_MAX + CHECK_BYTES) return false;
    rf_str text = rf_slice(bytes, CHECK_BYTES, bytes.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != rf_lower(text.ptr[i])) return false;
    if (!vault_name_is(text) || !check_of(arena, list, text, check)) return false;
    if (!secret_equal(rf_slice(bytes, 0, CHECK_BYTES), rf_str_make(check, CHECK_BYTES)))
        return false;
    *last = text;
    return true;
}

/* ---- the window asked for ----------------------------------------------------------------------------------------------------- */

struct page {
    const struct vault_list *list;
    rf_str
        name; /* "GUID/secrets/live", "GUID/secrets/live/foo": tells lists apart; the first is the value of the index too */
    rf_str after;
    uint32_t count_max;
    struct json_node *value;
    rf_str last; /* key of the last one that was looked at, when more follow */
};

enum rf_kind vault_window_read(struct vault_call *call, rf_str list, rf_str *after,
                               uint32_t *count_max, struct rf_err *err)
{
    bool found;
    rf_str size = request_parameter(call->request, "maxresults", &found);
    *count_max = PAGE_MAX;
    if (found) {
        uint32_t number = 0;
        for (size_t i = 0; i < size.len && number <= PAGE_MAX; i++)
            number = rf_is_digit(size.ptr[i]) ? number * 10 + (uint32_t)(size.ptr[i] - '0')
                                              : PAGE_MAX + 1;
        if (number < 1 || number > PAGE_MAX)
            return vault_bad(call, err,
                             "Invalid value '%.*s' for maxresults: it is a whole number from 1 "
                             "to %d.",
                             (int)RF_MIN(size.len, 40), (const char *)size.ptr, PAGE_MAX);
        *count_max = number;
    }
    rf_str token = request_parameter(call->request, "$skiptoken", &found);
    if (!found || token.len == 0) return RF_OK;
    if (vault_skip_read(call->arena, list, token, after)) return RF_OK;
    return vault_bad(call, err,
                     "The $skiptoken is not one that was given out for this list. Begin without "
                     "it.");
}

/* ---- one page -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind show(struct vault_call *call, struct page *page, const struct vault_item *item,
                         const struct vault_version *version, struct rf_err *err)
{
    struct json_node *node = json_new(call->arena, JSON_T_OBJECT);
    if (json_append(page->value, node) == NULL) return rf_fail_memory(err, call->arena);
    page->list->show(call, node, item, version);
    if (page->list->deleted) vault_put_deleted(call, node, item);
    return RF_OK;
}

static enum rf_kind consider(struct vault_call *call, struct state_txn *txn, struct page *page,
                             const struct state_object *object, struct rf_err *err)
{
    struct vault_item item;
    struct vault_version version;
    struct json_node *node;
    RF_TRY(json_parse(object->body, call->arena, &node, err));
    RF_TRY(vault_item_of(node, call->arena, &item, err));
    item.etag = object->etag;
    if (page->list->deleted && item.managed) return RF_OK;
    if (page->list->wants != NULL && !page->list->wants(call, &item)) return RF_OK;
    if (item.latest.len > 0)
        RF_TRY(vault_version_get(call, txn, &item, (rf_str){0}, &version, err));
    return show(call, page, &item, item.latest.len > 0 ? &version : NULL, err);
}

/* The last segment of a key. */
static rf_str key_end(rf_str key)
{
    size_t at = key.len;
    while (at > 0 && key.ptr[at - 1] != '/') at--;
    return rf_slice(key, at, key.len);
}

static enum rf_kind fill_items(struct vault_call *call, struct state_txn *txn, struct page *page,
                               struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str prefix = rf_arena_printf(arena, "%.*s/%s/", RF_FMT(call->place.guid),
                                    vault_collection(page->list->kind));
    struct state_scan scan = {.space = vault_item_space,
                              .prefix = prefix,
                              .index = "state",
                              .value = page->name,
                              .limit = PAGE_CHUNK};
    if (page->after.len > 0) {
        scan.after = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(prefix), RF_FMT(page->after));
        if (scan.after.ptr == NULL) return rf_fail_memory(err, arena);
    }
    if (prefix.ptr == NULL) return rf_fail_memory(err, arena);
    for (uint32_t looks = PAGE_CHUNK;; looks += PAGE_CHUNK) {
        struct state_list found;
        RF_TRY(state_list(txn, &scan, arena, &found, err));
        for (uint32_t i = 0; i < found.count; i++) {
            RF_TRY(consider(call, txn, page, &found.items[i], err));
            if (page->value->count < page->count_max) continue;
            if (i + 1 < found.count || found.more) page->last = key_end(found.items[i].key);
            return RF_OK;
        }
        if (!found.more || found.count == 0) return RF_OK;
        scan.after = found.items[found.count - 1].key;
        if (looks >= PAGE_LOOKS) {
            page->last = key_end(scan.after);
            return RF_OK;
        }
    }
}

static enum rf_kind fill_versions(struct vault_call *call, struct state_txn *txn, struct page *page,
                                  struct rf_err *err)
{
    struct vault_item item;
    struct vault_versions versions;
    RF_TRY(vault_item_need(call, txn, page->list->kind, call->name, &item, err));
    RF_TRY(vault_versions_list(call, txn, &item, page->after, page->count_max, &versions, err));
    for (uint32_t i = 0; i < versions.count; i++)
        RF_TRY(show(call, page, &item, &versions.items[i], err));
    if (versions.more) page->last = versions.items[versions.count - 1].version;
    return RF_OK;
}

/* ---- nextLink ---------------------------------------------------------------------------------------------------------------------- */

/* The request's own URL with the page's size and the next $skiptoken. */
rf_str vault_window_next(struct vault_call *call, rf_str list, rf_str last, uint32_t count_max)
{
    struct rf_arena *arena = call->arena;
    const struct request *request = call->request;
    struct rf_buf link = rf_buf_in(arena);
    rf_str token = vault_skip_token(arena, list, last);
    rf_buf_str(&link, call->base);
    rf_buf_str(&link, request->http->path);
    char sign = '?';
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct route_variable *parameter = &request->parameters[i];
        if (rf_str_eq_nocase(parameter->name, RF_S("$skiptoken"))) continue;
        if (rf_str_eq_nocase(parameter->name, RF_S("maxresults"))) continue;
        rf_str name = percent_encode(arena, parameter->name);
        rf_str value = percent_encode(arena, parameter->value);
        if (name.ptr == NULL || value.ptr == NULL) return (rf_str){0};
        rf_buf_printf(&link, "%c%.*s=%.*s", sign, RF_FMT(name), RF_FMT(value));
        sign = '&';
    }
    rf_buf_printf(&link, "%c$skiptoken=%.*s&maxresults=%u", sign, RF_FMT(token), count_max);
    if (link.failed || token.ptr == NULL) return (rf_str){0};
    return rf_buf_view(&link);
}

enum rf_kind vault_answer_list(struct vault_call *call, const struct vault_list *list,
                               struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct page page = {.list = list, .value = json_new(arena, JSON_T_ARRAY)};
    RF_ASSERT(!list->versions || !list->deleted);
    if (list->versions) RF_TRY(vault_check_name(call, call->name, err));
    page.name = rf_arena_printf(arena, "%.*s/%s/%s", RF_FMT(call->place.guid),
                                vault_collection(list->kind), list->deleted ? "deleted" : "live");
    if (list->versions)
        page.name = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(page.name), RF_FMT(call->name));
    if (page.name.ptr == NULL || json_set(arena, body, RF_S("value"), page.value) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(vault_window_read(call, page.name, &page.after, &page.count_max, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(list->versions ? fill_versions(call, txn, &page, err)
                          : fill_items(call, txn, &page, err));
    struct json_node *link = json_new(arena, JSON_T_NULL);
    if (page.last.len > 0) {
        rf_str next = vault_window_next(call, page.name, page.last, page.count_max);
        link = next.ptr == NULL ? NULL : json_new_text(arena, next);
    }
    if (json_set(arena, body, RF_S("nextLink"), link) == NULL) return rf_fail_memory(err, arena);
    return request_answer(call->request, 200, body);
}
