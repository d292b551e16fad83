/* rewrap.c - what state keeps wrapped by the root, under the newest one (crypt/rewrap.h): keys of vaults, live and deleted, of ACME accounts, and of databases' passwords. Items hang on their
 * vault's key, and stay as they are. A few objects are read, shown without a transaction, and stored in one, each if its etag is what it was. */
#include "crypt/rewrap.h"

#include "base/encode.h"
#include "vault/database_int.h"
#include "vault/store_int.h"
#include "vault/types_int.h"

enum { PAGE = 32, PAGE_BYTES = 64 << 20 };

struct page {
    struct vaults *vaults;
    struct rewrap_sweep *sweep;
    const char *space;
    struct rf_arena arena;
    struct state_list list;
    struct change {
        const struct state_object *object;
        rf_str body;
        struct rewrapped *keys;
        uint32_t count;
    } changes[PAGE];
    uint32_t count;
};

static struct rewrapped *next_key(struct page *page, struct change *change)
{
    struct rewrapped *keys = rf_arena_new(&page->arena, struct rewrapped, change->count + 1);
    if (keys == NULL) return NULL;
    if (change->count > 0) memcpy(keys, change->keys, change->count * sizeof *keys);
    change->keys = keys;
    return &keys[change->count];
}

/* The member "key" of `node`. */
static enum rf_kind show(struct page *page, struct change *change, struct json_node *node,
                         const uint8_t *vault_id, struct rf_err *err)
{
    rf_str wrapped;
    struct rf_err why = {0};
    if (base64_decode(&page->arena, json_text_at(node, "key"), &wrapped, &why) != RF_OK) {
        rewrap_unread(page->sweep, change->object->key, &why);
        return RF_OK;
    }
    struct rewrapped *key = next_key(page, change);
    if (key == NULL) return rf_fail_memory(err, &page->arena);
    RF_TRY(rewrap_show(page->sweep, vault_id, wrapped, change->object->key, key, err));
    if (!key->is_other) return RF_OK;
    rf_str text = base64_encode(&page->arena, rf_str_make(key->bytes, key->len));
    if (text.ptr == NULL || json_set_text(&page->arena, node, "key", text) == NULL)
        return rf_fail_memory(err, &page->arena);
    change->count++;
    return RF_OK;
}

static enum rf_kind show_object(struct page *page, struct change *change, struct rf_err *err)
{
    struct json_node *node;
    struct rf_err why = {0};
    uint8_t id[SEAL_ID_BYTES];
    bool issuer = page->space == vault_issuer_space, database = page->space == vault_database_space;
    if (json_parse(change->object->body, &page->arena, &node, &why) != RF_OK ||
        (!issuer && !database && !vault_guid_bytes(json_text_at(node, "guid"), &page->arena, id))) {
        rewrap_unread(page->sweep, change->object->key, &why);
        return RF_OK;
    }
    const struct json_node *keys = issuer ? json_get(node, "acmeKeys") : NULL;
    struct json_node *logins[] = {json_get(node, "login"), json_get(node, "next")};
    if (!issuer && !database) RF_TRY(show(page, change, node, id, err));
    for (size_t i = 0; i < RF_COUNT(logins) && database; i++)
        if (logins[i] != NULL) RF_TRY(show(page, change, logins[i], NULL, err));
    for (struct json_node *key = keys == NULL ? NULL : keys->first; key != NULL; key = key->next)
        RF_TRY(show(page, change, key, NULL, err));
    if (change->count == 0) return RF_OK;
    change->body = json_to_text(&page->arena, node);
    return change->body.ptr == NULL ? rf_fail_memory(err, &page->arena) : RF_OK;
}

/* Who changed one meanwhile wins: the next sweep finds it. */
static enum rf_kind store(struct page *page, struct rf_err whys[PAGE], struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(page->vaults->options.state, &txn, err));
    for (uint32_t i = 0; i < page->count; i++) {
        const struct change *change = &page->changes[i];
        struct state_put put = {.space = page->space,
                                .key = change->object->key,
                                .body = change->body,
                                .condition = STATE_ETAG,
                                .etag = change->object->etag};
        enum rf_kind kind = state_put(txn, &put, NULL, NULL, &whys[i]);
        if (kind == RF_OK || kind == RF_CONFLICT || kind == RF_NOT_FOUND) continue;
        if (err != NULL) *err = whys[i];
        return kind;
    }
    return state_finish(&txn, err);
}

static enum rf_kind turn_page(struct page *page, struct rf_err *err)
{
    struct rf_err whys[PAGE] = {{0}}, why = {0};
    enum rf_kind shown = RF_OK, kind = RF_OK;
    page->count = 0;
    for (uint32_t i = 0; i < page->list.count && shown == RF_OK; i++) {
        struct change *change = &page->changes[page->count];
        *change = (struct change){.object = &page->list.items[i]};
        shown = show_object(page, change, err);
        if (shown == RF_OK && change->count > 0) page->count++;
    }
    if (page->count > 0) kind = store(page, whys, &why);
    for (uint32_t i = 0; i < page->count; i++) {
        const struct change *change = &page->changes[i];
        const struct rf_err *failed = kind != RF_OK ? &why : whys[i].code != NULL ? &whys[i] : NULL;
        for (uint32_t k = 0; k < change->count; k++)
            rewrap_settle(page->sweep, &change->keys[k], change->object->key, failed);
    }
    return shown;
}

static enum rf_kind next_page(struct page *page, rf_str after, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    const struct state_scan scan = {.space = page->space, .after = after, .limit = PAGE};
    RF_TRY(state_begin_read(page->vaults->options.state, &txn, err));
    return state_list(txn, &scan, &page->arena, &page->list, err);
}

static enum rf_kind sweep_space(struct page *page, struct rf_err *err)
{
    char last[STATE_KEY_BYTES_MAX];
    size_t last_bytes = 0;
    enum rf_kind kind = RF_OK;
    for (bool more = true; more && kind == RF_OK;) {
        rf_arena_reset(&page->arena);
        kind = next_page(page, rf_str_make((const uint8_t *)last, last_bytes), err);
        if (kind != RF_OK || page->list.count == 0) break;
        more = page->list.more;
        rf_str key = page->list.items[page->list.count - 1].key;
        RF_ASSERT(key.len <= sizeof last);
        memcpy(last, key.ptr, key.len);
        last_bytes = key.len;
        kind = turn_page(page, err);
    }
    return kind;
}

enum rf_kind vaults_rewrap(struct vaults *vaults, struct rewrap_sweep *sweep, struct rf_err *err)
{
    const char *const spaces[] = {vault_place_space, vault_gone_space, vault_issuer_space,
                                  vault_database_space};
    struct page page = {.vaults = vaults, .sweep = sweep};
    enum rf_kind kind = vault_places_complete(vaults, err);
    rf_arena_init(&page.arena, PAGE_BYTES);
    for (size_t i = 0; i < RF_COUNT(spaces) && kind == RF_OK; i++) {
        page.space = spaces[i];
        kind = sweep_space(&page, err);
    }
    rf_arena_done(&page.arena);
    return kind;
}
