/* backup.c - one object as a blob, and back.
 *
 *   0    8  magic "RFBACKUP"
 *   8    1  format (1)
 *   9    1  kind (enum seal_kind)
 *   10   6  zero
 *   16  16  tenant
 *   32  16  subscription                                     so far `about`, to which the keeper binds its keys
 *   48  68  key of the content, wrapped for backups; names the generation of the root key that it hangs on
 *   116 12  nonce
 *   128     content, AES-256-GCM under that key, all before as additional data
 *        16 tag
 *
 * Content: {"items":[{"item":{...},"key":base64,"versions":[{...}]}]}, items and versions as store.c writes them. "key" is the item's key, wrapped for backups; what is
 * sealed stays sealed. The object itself comes first, then a certificate's key and secret.
 *
 * A restore makes new items: the keeper moves each version into its new one (vault_seal.h). */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/store_int.h"

enum {
    AT_FORMAT = 8,
    AT_KIND = 9,
    AT_ZERO = 10,
    AT_TENANT = 16,
    AT_SUBSCRIPTION = 32,
    FORMAT = 1,
    VERSIONS_CHUNK = 200,         /* read at a time */
    CONTENT_BYTES_MAX = 11 << 20, /* as base64url it fits into VAULT_RESTORE_BODY_MAX */
    SEALED_BYTES_MAX = SEAL_HEAD_BYTES + 12 + SEAL_MATERIAL_BYTES_MAX + 16
};
static const char magic[8] = "RFBACKUP"; /* without an end */
_Static_assert((BLOB_HEAD_BYTES + CONTENT_BYTES_MAX + BLOB_TAG_BYTES) / 3 * 4 + 1024 <
                   VAULT_RESTORE_BODY_MAX,
               "what a backup gives must fit into a restore");

/* ---- AES-256-GCM ------------------------------------------------------------------------------------------------------------ */

/* Seals or opens `from` into `to`, as many bytes. */
static bool crypt_content(const uint8_t key[32], rf_str nonce, rf_str head, bool seals, rf_str from,
                          uint8_t *to, uint8_t tag[BLOB_TAG_BYTES])
{
    int got = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good =
        ctx != NULL && nonce.len == BLOB_NONCE_BYTES && from.len <= INT32_MAX &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce.ptr, seals ? 1 : 0) == 1 &&
        EVP_CipherUpdate(ctx, NULL, &got, head.ptr, (int)head.len) == 1 &&
        EVP_CipherUpdate(ctx, to, &got, from.ptr, (int)from.len) == 1 &&
        (seals || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, BLOB_TAG_BYTES, tag) == 1) &&
        EVP_CipherFinal_ex(ctx, to + got, &rest) == 1 &&
        (!seals || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, BLOB_TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* ---- the head ------------------------------------------------------------------------------------------------------------------ */

/* The bytes of a GUID in text. */
static bool guid_of(rf_str text, uint8_t out[SEAL_ID_BYTES])
{
    uint32_t digits = 0;
    if (!guid_is(text)) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = rf_lower(text.ptr[i]);
        if (c == '-') continue;
        uint8_t digit = (uint8_t)(rf_is_digit(c) ? c - '0' : c - 'a' + 10);
        out[digits / 2] = (uint8_t)(digits % 2 == 0 ? digit << 4 : out[digits / 2] | digit);
        digits++;
    }
    return true;
}

/* The subscription in an ARM id. */
static rf_str subscription_of(rf_str id)
{
    rf_str front = RF_S("/subscriptions/");
    size_t end = front.len + GUID_TEXT_BYTES;
    return id.len < end ? (rf_str){0} : rf_slice(id, front.len, end);
}

static enum rf_kind make_about(struct vault_call *call, enum seal_kind kind,
                               uint8_t out[BLOB_ABOUT_BYTES], struct rf_err *err)
{
    memset(out, 0, BLOB_ABOUT_BYTES);
    memcpy(out, magic, sizeof magic);
    out[AT_FORMAT] = FORMAT;
    out[AT_KIND] = (uint8_t)kind;
    bool good = guid_of(call->place.tenant_id, out + AT_TENANT) &&
                guid_of(subscription_of(call->place.id), out + AT_SUBSCRIPTION);
    return good ? RF_OK
                : RF_FAIL(err, RF_CORRUPT, "StateCorrupt",
                          "the vault '%.*s' has no tenant or subscription",
                          RF_FMT(call->place.name));
}

enum rf_kind vault_blob_read(rf_str bytes, struct vault_blob *out, struct rf_err *err)
{
    static const uint8_t zero[AT_TENANT - AT_ZERO];
    if (bytes.len < BLOB_HEAD_BYTES + BLOB_TAG_BYTES ||
        bytes.len > BLOB_HEAD_BYTES + CONTENT_BYTES_MAX + BLOB_TAG_BYTES ||
        memcmp(bytes.ptr, magic, sizeof magic) != 0)
        return RF_FAIL(err, RF_INVALID, "BadBackup", "it is no backup of this service");
    if (bytes.ptr[AT_FORMAT] != FORMAT || bytes.ptr[AT_KIND] < SEAL_SECRET ||
        bytes.ptr[AT_KIND] > SEAL_CERTIFICATE ||
        memcmp(bytes.ptr + AT_ZERO, zero, sizeof zero) != 0)
        return RF_FAIL(err, RF_INVALID, "BadBackup", "it has a form that is not known here");
    size_t at = BLOB_ABOUT_BYTES;
    *out = (struct vault_blob){.kind = (enum seal_kind)bytes.ptr[AT_KIND],
                               .about = rf_slice(bytes, 0, at),
                               .content_key = rf_slice(bytes, at, at + WRAPPED_KEY_BYTES)};
    at += WRAPPED_KEY_BYTES;
    out->nonce = rf_slice(bytes, at, at + BLOB_NONCE_BYTES);
    out->head = rf_slice(bytes, 0, BLOB_HEAD_BYTES);
    out->sealed = rf_slice(bytes, BLOB_HEAD_BYTES, bytes.len);
    memcpy(out->tenant, bytes.ptr + AT_TENANT, SEAL_ID_BYTES);
    memcpy(out->subscription, bytes.ptr + AT_SUBSCRIPTION, SEAL_ID_BYTES);
    return RF_OK;
}

/* ---- the content --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind bad_content(struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadBackup", "its content is not whole");
}

static bool has_version(const struct vault_blob_item *part, rf_str version)
{
    for (uint32_t i = 0; i < part->count; i++)
        if (rf_str_eq(part->versions[i].version, version)) return true;
    return false;
}

static bool is_whole(const struct vault_blob_item *part, enum seal_kind kind, bool is_first)
{
    const struct vault_item *item = &part->item;
    if (is_first ? item->kind != kind || item->managed
                 : kind != SEAL_CERTIFICATE || item->kind == kind || !item->managed)
        return false;
    if (item->deleted != 0 || item->purging) return false;
    if (part->backup_key.len != 0 && part->backup_key.len != WRAPPED_KEY_BYTES) return false;
    if (part->count == 0 ? item->latest.len > 0 : !has_version(part, item->latest)) return false;
    for (uint32_t i = 0; i < part->count; i++) {
        const struct vault_version *version = &part->versions[i];
        /* They come in their order, so each is there once. */
        if (i > 0 && rf_str_cmp(part->versions[i - 1].version, version->version) >= 0) return false;
        if (version->sealed.len > SEALED_BYTES_MAX) return false;
        if (version->sealed.len > 0 && part->backup_key.len == 0) return false;
        if (version->sealed.len == 0 && item->kind != SEAL_CERTIFICATE) return false;
    }
    return true;
}

static enum rf_kind read_part(const struct json_node *node, struct rf_arena *arena,
                              struct vault_blob_item *out, struct rf_err *err)
{
    const struct json_node *versions = json_get(node, "versions");
    rf_str key = json_text_at(node, "key");
    *out = (struct vault_blob_item){0};
    if (!json_is(json_get(node, "item"), JSON_T_OBJECT) || !json_is(versions, JSON_T_ARRAY) ||
        versions->count > BLOB_VERSIONS_MAX)
        return bad_content(err);
    if (vault_item_of(json_get(node, "item"), arena, &out->item, NULL) != RF_OK)
        return bad_content(err);
    if (key.len > 0 && base64_decode(arena, key, &out->backup_key, NULL) != RF_OK)
        return bad_content(err);
    out->versions = rf_arena_new(arena, struct vault_version, versions->count);
    if (out->versions == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *each = versions->first; each != NULL; each = each->next)
        if (vault_version_of(each, arena, &out->versions[out->count++], NULL) != RF_OK)
            return bad_content(err);
    return RF_OK;
}

enum rf_kind vault_blob_items(rf_str content, enum seal_kind kind, struct rf_arena *arena,
                              struct vault_blob_item out[BLOB_ITEMS_MAX], uint32_t *count,
                              struct rf_err *err)
{
    struct json_node *root;
    if (json_parse(content, arena, &root, NULL) != RF_OK) return bad_content(err);
    const struct json_node *items = json_get(root, "items");
    if (!json_is(items, JSON_T_ARRAY) || items->count == 0 || items->count > BLOB_ITEMS_MAX)
        return bad_content(err);
    uint32_t at = 0;
    for (const struct json_node *each = items->first; each != NULL; each = each->next, at++) {
        RF_TRY(read_part(each, arena, &out[at], err));
        if (!is_whole(&out[at], kind, at == 0)) return bad_content(err);
        if (at > 0 && !rf_str_eq_nocase(out[at].item.name, out[0].item.name))
            return bad_content(err);
        if (at > 1 && out[at].item.kind == out[1].item.kind) return bad_content(err);
    }
    *count = at;
    return RF_OK;
}

static struct json_node *part_json(struct rf_arena *arena, const struct vault_blob_item *part)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    struct json_node *versions = json_new(arena, JSON_T_ARRAY);
    bool good = json_set(arena, node, RF_S("item"), vault_item_json(arena, &part->item)) != NULL;
    if (part->backup_key.len > 0) {
        rf_str key = base64_encode(arena, part->backup_key);
        good = key.ptr != NULL && json_set_text(arena, node, "key", key) != NULL && good;
    }
    for (uint32_t i = 0; i < part->count; i++)
        good = json_append(versions, vault_version_json(arena, &part->versions[i])) != NULL && good;
    return json_set(arena, node, RF_S("versions"), versions) != NULL && good ? node : NULL;
}

/* ---- backup ------------------------------------------------------------------------------------------------------------------------ */

struct parts {
    struct vault_blob_item items[BLOB_ITEMS_MAX];
    uint32_t count;
};

static bool append_versions(struct rf_arena *arena, struct vault_blob_item *part,
                            const struct vault_versions *list)
{
    size_t each = sizeof part->versions[0];
    part->versions = rf_arena_grow(arena, part->versions, part->count * each,
                                   (part->count + list->count) * each);
    if (part->versions == NULL) return false;
    memcpy(part->versions + part->count, list->items, list->count * each);
    part->count += list->count;
    return true;
}

static enum rf_kind load_part(struct vault_call *call, struct state_txn *txn, struct parts *parts,
                              size_t *bytes, struct rf_err *err)
{
    struct vault_blob_item *part = &parts->items[parts->count];
    struct vault_versions list = {.more = true};
    rf_str after = {0};
    while (list.more) {
        RF_TRY(vault_versions_list(call, txn, &part->item, after, VERSIONS_CHUNK, &list, err));
        /* In base64, and the JSON around it. */
        for (uint32_t i = 0; i < list.count; i++) *bytes += list.items[i].sealed.len / 3 * 4 + 256;
        if (part->count + list.count > BLOB_VERSIONS_MAX || *bytes > CONTENT_BYTES_MAX)
            return vault_bad(call, err,
                             "'%.*s' has too many versions for a backup: %d MiB and %d versions "
                             "are possible.",
                             RF_FMT(part->item.name), CONTENT_BYTES_MAX >> 20, BLOB_VERSIONS_MAX);
        if (list.count == 0) break;
        after = list.items[list.count - 1].version;
        if (!append_versions(call->arena, part, &list)) return rf_fail_memory(err, call->arena);
    }
    parts->count++;
    return RF_OK;
}

static enum rf_kind check_may_back_up(struct vault_call *call, const struct vault_blob_item *part,
                                      struct rf_err *err)
{
    const struct vault_item *item = &part->item;
    for (uint32_t i = 0; i < part->count; i++) {
        const struct vault_version *version = &part->versions[i];
        if (item->kind == SEAL_SECRET && rf_str_eq(version->version, item->latest) &&
            !version->enabled)
            return vault_fail(call, err, 403, "Forbidden", "SecretDisabled",
                              "Operation backup is not allowed on a disabled secret.");
    }
    return RF_OK;
}

static enum rf_kind load_parts(struct vault_call *call, enum seal_kind kind, struct parts *out,
                               struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    static const enum seal_kind followers[] = {SEAL_KEY, SEAL_SECRET};
    size_t bytes = 0;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, kind, call->name, &out->items[0].item, err));
    if (out->items[0].item.managed)
        return vault_bad(call, err,
                         "'%.*s' belongs to the certificate of that name: back up the "
                         "certificate, which takes it along.",
                         RF_FMT(call->name));
    RF_TRY(load_part(call, txn, out, &bytes, err));
    RF_TRY(check_may_back_up(call, &out->items[0], err));
    if (kind != SEAL_CERTIFICATE) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(followers); i++) {
        struct vault_item *item = &out->items[out->count].item;
        enum rf_kind found = vault_item_get(call, txn, followers[i], call->name, item, err);
        if (found != RF_OK && found != RF_NOT_FOUND) return found;
        if (found == RF_OK && item->managed) RF_TRY(load_part(call, txn, out, &bytes, err));
    }
    return RF_OK;
}

/* Keys for each part; that of the content is the first one's. */
static enum rf_kind wrap_parts(struct vault_call *call, rf_str about, struct parts *parts,
                               rf_str *content_key, uint8_t key[32], struct rf_err *err)
{
    *content_key = (rf_str){0};
    for (uint32_t i = 0; i < parts->count; i++) {
        struct vault_blob_item *part = &parts->items[i];
        struct seal_ring ring;
        struct seal_backup made;
        if (part->item.key.len == 0) continue;
        RF_TRY(vault_ring(call, &part->item, &ring, err));
        if (seal_backup_make(call->vaults->options.keeper, call->token, &ring, about, call->arena,
                             &made, err) != RF_OK)
            return vault_seal_refused(call, &part->item, NULL, err);
        part->backup_key = made.item_key;
        if (content_key->len == 0) {
            *content_key = made.content_key;
            memcpy(key, made.key, sizeof made.key);
        }
        OPENSSL_cleanse(made.key, sizeof made.key);
    }
    if (content_key->len == WRAPPED_KEY_BYTES) return RF_OK;
    return vault_bad(call, err, "'%.*s' has nothing yet that could be backed up.",
                     RF_FMT(call->name));
}

/* The content as JSON. What is of this vault alone stays here: the items' keys, and when they are due. */
static enum rf_kind make_content(struct vault_call *call, const struct parts *parts, rf_str *out,
                                 struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *root = json_new(arena, JSON_T_OBJECT), *items = json_new(arena, JSON_T_ARRAY);
    bool good = json_set(arena, root, RF_S("items"), items) != NULL;
    for (uint32_t i = 0; i < parts->count; i++) {
        struct vault_blob_item part = parts->items[i];
        part.item.key = (rf_str){0};
        part.item.due = 0;
        good = json_append(items, part_json(arena, &part)) != NULL && good;
    }
    *out = good ? json_to_text(arena, root) : (rf_str){0};
    if (out->ptr == NULL) return rf_fail_memory(err, arena);
    if (out->len > CONTENT_BYTES_MAX)
        return vault_bad(call, err, "'%.*s' is too large for a backup.", RF_FMT(call->name));
    return RF_OK;
}

static enum rf_kind seal_content(struct vault_call *call, rf_str about, rf_str content_key,
                                 const uint8_t key[32], rf_str content, rf_str *blob,
                                 struct rf_err *err)
{
    size_t bytes = BLOB_HEAD_BYTES + content.len + BLOB_TAG_BYTES;
    uint8_t *out = rf_arena_alloc(call->arena, bytes);
    if (out == NULL) return rf_fail_memory(err, call->arena);
    memcpy(out, about.ptr, BLOB_ABOUT_BYTES);
    memcpy(out + BLOB_ABOUT_BYTES, content_key.ptr, WRAPPED_KEY_BYTES);
    uint8_t *nonce = out + BLOB_ABOUT_BYTES + WRAPPED_KEY_BYTES;
    random_bytes(nonce, BLOB_NONCE_BYTES);
    if (!crypt_content(key, rf_str_make(nonce, BLOB_NONCE_BYTES), rf_str_make(out, BLOB_HEAD_BYTES),
                       true, content, out + BLOB_HEAD_BYTES, out + BLOB_HEAD_BYTES + content.len))
        return RF_FAIL(err, RF_IO, "SealFailed", "a backup could not be sealed");
    *blob = rf_str_make(out, bytes);
    return RF_OK;
}

static enum rf_kind try_backup(struct vault_call *call, void *ctx, struct rf_err *err)
{
    const enum seal_kind kind = *(const enum seal_kind *)ctx;
    struct parts parts = {0};
    uint8_t about[BLOB_ABOUT_BYTES], key[32];
    rf_str content_key, content, blob;
    rf_str head = rf_str_make(about, sizeof about);
    RF_TRY(make_about(call, kind, about, err));
    RF_TRY(load_parts(call, kind, &parts, err));
    enum rf_kind done = wrap_parts(call, head, &parts, &content_key, key, err);
    if (done == RF_OK) done = make_content(call, &parts, &content, err);
    if (done == RF_OK) done = seal_content(call, head, content_key, key, content, &blob, err);
    OPENSSL_cleanse(key, sizeof key);
    if (done != RF_OK) return done;
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    rf_str text = base64url_encode(call->arena, blob);
    if (text.ptr == NULL || json_set_text(call->arena, body, "value", text) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, body);
}

enum rf_kind vault_backup(struct vault_call *call, enum seal_kind kind, struct rf_err *err)
{
    return vault_retry(call, try_backup, &kind, err);
}

/* ---- restore ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind bad_blob(struct vault_call *call, struct rf_err *err, const char *why)
{
    return vault_bad(call, err,
                     "Property 'value' has invalid value: %s. It must be what a backup of such an "
                     "object of this tenant and subscription gave, unchanged.",
                     why);
}

/* Base64 of either alphabet, with padding or without. */
static bool read_base64(struct rf_arena *arena, rf_str text, rf_str *out)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '=') text.len--;
    uint8_t *url = rf_arena_alloc(arena, text.len);
    if (url == NULL) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        url[i] = (uint8_t)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    return base64url_decode(arena, rf_str_make(url, text.len), out, NULL) == RF_OK;
}

static enum rf_kind read_blob(struct vault_call *call, enum seal_kind kind, struct vault_blob *out,
                              struct rf_err *err)
{
    struct json_node *value;
    uint8_t about[BLOB_ABOUT_BYTES];
    rf_str bytes;
    struct rf_err inner;
    RF_TRY(vault_member(call, call->body, "value", JSON_T_STRING, &value, err));
    if (value == NULL) return vault_bad(call, err, "Property 'value' is missing.");
    if (!read_base64(call->arena, value->text, &bytes))
        return bad_blob(call, err, "it is not in base64url");
    if (vault_blob_read(bytes, out, &inner) != RF_OK) return bad_blob(call, err, inner.text);
    if (out->kind != kind) return bad_blob(call, err, "it is of an object of another kind");
    RF_TRY(make_about(call, kind, about, err));
    if (!rf_str_eq(out->about, rf_str_make(about, sizeof about)))
        return bad_blob(call, err, "it is of another tenant or subscription");
    return RF_OK;
}

/* What the keeper refuses of a blob is the blob's fault, unless it is the keeper's or the token's. */
static enum rf_kind keeper_said(struct vault_call *call, struct rf_err *err)
{
    static const char *const faults[] = {"SealBroken", "SealArgument", "SealInput"};
    for (size_t i = 0; i < RF_COUNT(faults); i++)
        if (strcmp(err->code, faults[i]) == 0)
            return bad_blob(call, err, "it is damaged, or of another installation");
    if (strcmp(err->code, "SealGeneration") == 0) {
        struct rf_err why = *err; /* names the generation */
        return bad_blob(call, err, why.text);
    }
    return vault_seal_error(call, err);
}

static enum rf_kind open_content(struct vault_call *call, const struct vault_blob *blob,
                                 rf_str *out, struct rf_err *err)
{
    uint8_t key[32], tag[BLOB_TAG_BYTES];
    size_t len = blob->sealed.len - BLOB_TAG_BYTES;
    uint8_t *content = rf_arena_alloc(call->arena, len);
    if (content == NULL) return rf_fail_memory(err, call->arena);
    if (seal_backup_open(call->vaults->options.keeper, call->token, blob->content_key, blob->about,
                         key, err) != RF_OK)
        return keeper_said(call, err);
    memcpy(tag, blob->sealed.ptr + len, sizeof tag);
    bool good = crypt_content(key, blob->nonce, blob->head, false, rf_slice(blob->sealed, 0, len),
                              content, tag);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return bad_blob(call, err, "it is damaged");
    *out = rf_str_make(content, len);
    return RF_OK;
}

/* 409 unless all names are free. */
static enum rf_kind check_free(struct vault_call *call, struct state_txn *txn,
                               const struct parts *parts, struct rf_err *err)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        const struct vault_item *wanted = &parts->items[i].item;
        struct vault_item there;
        enum rf_kind kind = vault_item_get(call, txn, wanted->kind, wanted->name, &there, err);
        if (kind == RF_NOT_FOUND) continue;
        if (kind != RF_OK) return kind;
        if (there.deleted != 0) return vault_is_deleted(call, wanted->kind, there.name, err);
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "'%.*s' is there already in %s of this vault: a backup is restored under "
                          "its own name, which must be free.",
                          RF_FMT(there.name), vault_collection(wanted->kind));
    }
    return RF_OK;
}

static enum rf_kind check_free_now(struct vault_call *call, const struct parts *parts,
                                   struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return check_free(call, txn, parts, err);
}

/* Moves what is sealed into a new item. */
static enum rf_kind move_part(struct vault_call *call, const struct vault_blob *blob,
                              struct vault_blob_item *part, struct rf_err *err)
{
    struct vault_item *item = &part->item;
    struct seal_backup_from from = {.item_key = part->backup_key, .about = blob->about};
    memcpy(from.item_id, item->id, sizeof from.item_id);
    random_bytes(item->id, sizeof item->id);
    item->key = (rf_str){0};
    item->due = VAULT_DUE_LOOK;
    for (uint32_t i = 0; i < part->count; i++) {
        struct vault_version *version = &part->versions[i];
        struct seal_ring ring;
        struct sealed sealed;
        if (version->sealed.len == 0) continue;
        RF_TRY(vault_ring(call, item, &ring, err));
        if (seal_backup_put(call->vaults->options.keeper, call->token, &from, version->sealed,
                            &ring, call->arena, &sealed, err) != RF_OK)
            return keeper_said(call, err);
        item->key = sealed.item_key;
        version->sealed = sealed.version;
    }
    return RF_OK;
}

static enum rf_kind store_parts(struct vault_call *call, struct parts *parts, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(check_free(call, txn, parts, err));
    for (uint32_t i = 0; i < parts->count; i++) {
        struct vault_blob_item *part = &parts->items[i];
        for (uint32_t k = 0; k < part->count; k++)
            RF_TRY(vault_version_put(call, txn, &part->item, &part->versions[k], err));
        RF_TRY(vault_item_put(call, txn, &part->item, err));
    }
    return state_finish(&txn, err);
}

static enum rf_kind answer_restored(struct vault_call *call, const struct vault_blob_item *part,
                                    vault_show *show, struct rf_err *err)
{
    const struct vault_version *latest = NULL;
    for (uint32_t i = 0; i < part->count; i++)
        if (rf_str_eq(part->versions[i].version, part->item.latest)) latest = &part->versions[i];
    struct json_node *body = show(call, &part->item, latest);
    call->audit_id = vault_object_id(call, vault_collection(part->item.kind), part->item.name,
                                     part->item.latest);
    if (body == NULL || call->audit_id.ptr == NULL) return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, body);
}

enum rf_kind vault_restore(struct vault_call *call, enum seal_kind kind, vault_show *show,
                           struct rf_err *err)
{
    struct vault_blob blob;
    struct parts parts = {0};
    struct rf_err inner;
    rf_str content;
    RF_TRY(read_blob(call, kind, &blob, err));
    RF_TRY(open_content(call, &blob, &content, err));
    if (vault_blob_items(content, kind, call->arena, parts.items, &parts.count, &inner) != RF_OK) {
        if (inner.kind == RF_LIMIT) return rf_fail_memory(err, call->arena);
        return bad_blob(call, err, inner.text);
    }
    RF_TRY(check_free_now(call, &parts, err));
    for (uint32_t i = 0; i < parts.count; i++) RF_TRY(move_part(call, &blob, &parts.items[i], err));
    RF_TRY(store_parts(call, &parts, err));
    return answer_restored(call, &parts.items[0], show, err);
}
