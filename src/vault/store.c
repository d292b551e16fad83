/* store.c - items and versions in state.
 *
 *   vault.item     "GUID/secrets/NAME"          {"kind","name","id","key","latest","created","updated","deleted","purgeAt","purging","due","managed","more"}
 *   vault.version  "GUID/secrets/NAME/VERSION"  {"version","created","updated","enabled","nbf","exp","contentType","tags","sealed","managed","more"}
 *
 * GUID: of the vault; NAME in lower case. "id" is hex, "key" and "sealed" are base64, times are seconds; members that would be false, 0 or empty are left out. */
#include <openssl/crypto.h>
#include <time.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/approval_int.h"
#include "vault/database_int.h"
#include "vault/search_int.h"

enum {
    ATTEMPTS_MAX = 100,
    VERSION_TIME_BYTES = 7, /* microseconds since 1970, most significant first */
    PAUSE_NSEC_MAX = 8000000
};

const char vault_item_space[] = "vault.item", vault_version_space[] = "vault.version",
           vault_wrap_space[] = "vault.wrap", vault_issuer_space[] = "vault.issuer",
           vault_issued_space[] = "vault.issued", vault_crl_space[] = "vault.crl";

/* ---- keys -------------------------------------------------------------------------------------------------------- */

const char *vault_collection(enum seal_kind kind)
{
    static const char *const names[] = {
        [SEAL_SECRET] = "secrets", [SEAL_KEY] = "keys", [SEAL_CERTIFICATE] = "certificates"};
    return names[kind];
}

bool vault_name_is(rf_str name)
{
    if (name.len == 0 || name.len > 127) return false;
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '-') return false;
    return true;
}

bool vault_version_is(rf_str text)
{
    if (text.len != (size_t)2 * SEAL_ID_BYTES) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i]) && (text.ptr[i] < 'a' || text.ptr[i] > 'f')) return false;
    return true;
}

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_alloc(arena, text.len);
    if (out == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len; i++) out[i] = rf_lower(text.ptr[i]);
    return rf_str_make(out, text.len);
}

static rf_str item_key(const struct vault_call *call, enum seal_kind kind, rf_str name)
{
    rf_str low = lower(call->arena, name);
    if (low.ptr == NULL) return low;
    return rf_arena_printf(call->arena, "%.*s/%s/%.*s", RF_FMT(call->place.guid),
                           vault_collection(kind), RF_FMT(low));
}

static rf_str version_key(const struct vault_call *call, const struct vault_item *item,
                          rf_str version)
{
    rf_str key = item_key(call, item->kind, item->name);
    if (key.ptr == NULL) return key;
    return rf_arena_printf(call->arena, "%.*s/%.*s", RF_FMT(key), RF_FMT(version));
}

/* ---- as JSON --------------------------------------------------------------------------------------------------------- */

static bool put_i64(struct rf_arena *arena, struct json_node *node, const char *name,
                    int64_t number, int64_t none)
{
    return number == none || json_set_i64(arena, node, name, number) != NULL;
}

static bool put_true(struct rf_arena *arena, struct json_node *node, const char *name, bool truth)
{
    return !truth || json_set_bool(arena, node, name, true) != NULL;
}

static bool put_text(struct rf_arena *arena, struct json_node *node, const char *name, rf_str text)
{
    return text.len == 0 || json_set_text(arena, node, name, text) != NULL;
}

static bool put_bytes(struct rf_arena *arena, struct json_node *node, const char *name,
                      rf_str bytes)
{
    if (bytes.len == 0) return true;
    rf_str text = base64_encode(arena, bytes);
    return text.ptr != NULL && json_set_text(arena, node, name, text) != NULL;
}

/* A copy, as a node stands in one tree only. */
static bool put_node(struct rf_arena *arena, struct json_node *node, const char *name,
                     const struct json_node *value)
{
    if (value == NULL) return true;
    return json_set(arena, node, rf_str_of(name), json_clone(arena, value)) != NULL;
}

struct json_node *vault_item_json(struct rf_arena *arena, const struct vault_item *item)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str id = hex_encode(arena, rf_str_make(item->id, sizeof item->id));
    bool good = node != NULL && id.ptr != NULL &&
                put_text(arena, node, "kind", rf_str_of(vault_collection(item->kind))) &&
                put_text(arena, node, "name", item->name) && put_text(arena, node, "id", id) &&
                put_bytes(arena, node, "key", item->key) &&
                put_text(arena, node, "latest", item->latest) &&
                put_i64(arena, node, "created", item->created, 0) &&
                put_i64(arena, node, "updated", item->updated, 0) &&
                put_i64(arena, node, "deleted", item->deleted, 0) &&
                put_i64(arena, node, "purgeAt", item->purge_at, 0) &&
                put_true(arena, node, "purging", item->purging) &&
                put_i64(arena, node, "due", item->due, 0) &&
                put_true(arena, node, "managed", item->managed) &&
                put_node(arena, node, "more", item->more);
    return good ? node : NULL;
}

struct json_node *vault_version_json(struct rf_arena *arena, const struct vault_version *version)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    bool good = node != NULL && put_text(arena, node, "version", version->version) &&
                put_i64(arena, node, "created", version->created, 0) &&
                put_i64(arena, node, "updated", version->updated, 0) &&
                put_true(arena, node, "enabled", version->enabled) &&
                put_i64(arena, node, "nbf", version->not_before, SEAL_NO_TIME) &&
                put_i64(arena, node, "exp", version->expires, SEAL_NO_TIME) &&
                put_text(arena, node, "contentType", version->content_type) &&
                put_node(arena, node, "tags", version->tags) &&
                put_bytes(arena, node, "sealed", version->sealed) &&
                put_true(arena, node, "managed", version->managed) &&
                put_node(arena, node, "more", version->more);
    return good ? node : NULL;
}

/* What is read of one object; the first member of a wrong form stays in `wrong`. */
struct reading {
    const struct json_node *node;
    struct rf_arena *arena;
    const char *wrong;
};

static const struct json_node *read_member(struct reading *r, const char *name, enum json_type type)
{
    const struct json_node *member = json_get(r->node, name);
    if (member != NULL && member->type != type) {
        r->wrong = name;
        return NULL;
    }
    return member;
}

static rf_str read_text(struct reading *r, const char *name)
{
    const struct json_node *member = read_member(r, name, JSON_T_STRING);
    return member == NULL ? (rf_str){0} : member->text;
}

static rf_str read_bytes(struct reading *r, const char *name)
{
    rf_str bytes = {0}, text = read_text(r, name);
    if (text.len > 0 && base64_decode(r->arena, text, &bytes, NULL) != RF_OK) r->wrong = name;
    return bytes;
}

static int64_t read_i64(struct reading *r, const char *name, int64_t none)
{
    int64_t number;
    if (json_get(r->node, name) == NULL) return none;
    if (json_i64_at(r->node, name, &number)) return number;
    r->wrong = name;
    return none;
}

static bool read_true(struct reading *r, const char *name)
{
    return read_member(r, name, JSON_T_TRUE) != NULL;
}

static struct json_node *read_object(struct reading *r, const char *name)
{
    return read_member(r, name, JSON_T_OBJECT) == NULL ? NULL : json_get(r->node, name);
}

static enum rf_kind read_done(const struct reading *r, const char *what, struct rf_err *err)
{
    if (r->wrong == NULL) return RF_OK;
    return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "%s of a vault: '%s' is not as it was written",
                   what, r->wrong);
}

static bool read_id(rf_str text, struct rf_arena *arena, uint8_t id[SEAL_ID_BYTES])
{
    rf_str bytes;
    if (!vault_version_is(text) || hex_decode(arena, text, &bytes, NULL) != RF_OK) return false;
    memcpy(id, bytes.ptr, SEAL_ID_BYTES);
    return true;
}

static bool read_kind(rf_str text, enum seal_kind *out)
{
    for (int kind = SEAL_SECRET; kind <= SEAL_CERTIFICATE; kind++) {
        if (!rf_str_is(text, vault_collection((enum seal_kind)kind))) continue;
        *out = (enum seal_kind)kind;
        return true;
    }
    return false;
}

enum rf_kind vault_item_of(const struct json_node *node, struct rf_arena *arena,
                           struct vault_item *out, struct rf_err *err)
{
    struct reading r = {.node = node, .arena = arena};
    struct vault_item item = {.name = read_text(&r, "name"),
                              .key = read_bytes(&r, "key"),
                              .latest = read_text(&r, "latest"),
                              .created = read_i64(&r, "created", 0),
                              .updated = read_i64(&r, "updated", 0),
                              .deleted = read_i64(&r, "deleted", 0),
                              .purge_at = read_i64(&r, "purgeAt", 0),
                              .purging = read_true(&r, "purging"),
                              .due = read_i64(&r, "due", 0),
                              .managed = read_true(&r, "managed"),
                              .more = read_object(&r, "more")};
    if (!read_kind(read_text(&r, "kind"), &item.kind)) r.wrong = "kind";
    if (!read_id(read_text(&r, "id"), arena, item.id)) r.wrong = "id";
    if (!vault_name_is(item.name)) r.wrong = "name";
    if (item.latest.len > 0 && !vault_version_is(item.latest)) r.wrong = "latest";
    if (item.key.len > 0 && item.key.len != WRAPPED_KEY_BYTES) r.wrong = "key";
    RF_TRY(read_done(&r, "an item", err));
    *out = item;
    return RF_OK;
}

enum rf_kind vault_version_of(const struct json_node *node, struct rf_arena *arena,
                              struct vault_version *out, struct rf_err *err)
{
    struct reading r = {.node = node, .arena = arena};
    struct vault_version version = {.version = read_text(&r, "version"),
                                    .created = read_i64(&r, "created", 0),
                                    .updated = read_i64(&r, "updated", 0),
                                    .enabled = read_true(&r, "enabled"),
                                    .not_before = read_i64(&r, "nbf", SEAL_NO_TIME),
                                    .expires = read_i64(&r, "exp", SEAL_NO_TIME),
                                    .content_type = read_text(&r, "contentType"),
                                    .tags = read_object(&r, "tags"),
                                    .sealed = read_bytes(&r, "sealed"),
                                    .more = read_object(&r, "more"),
                                    .managed = read_true(&r, "managed")};
    if (!vault_version_is(version.version)) r.wrong = "version";
    RF_TRY(read_done(&r, "a version", err));
    *out = version;
    return RF_OK;
}

/* ---- items ------------------------------------------------------------------------------------------------------------- */

static bool is_beaten(const struct rf_err *err)
{
    return strcmp(err->code, "EtagMismatch") == 0 || strcmp(err->code, "ObjectExists") == 0;
}

/* Whoever was beaten often waits a little, for as long as chance says, so that two do not keep step. */
static void pause_after(uint32_t attempt)
{
    uint32_t chance;
    if (attempt < 2) return;
    random_bytes(&chance, sizeof chance);
    struct timespec wait = {.tv_nsec = (long)(chance % (RF_MIN(attempt, 8u) * 1000000u))};
    RF_ASSERT(wait.tv_nsec < PAUSE_NSEC_MAX);
    (void)nanosleep(&wait, NULL);
}

enum rf_kind vault_retry(struct vault_call *call, vault_attempt *attempt, void *ctx,
                         struct rf_err *err)
{
    for (uint32_t i = 0;; i++) {
        enum rf_kind kind = attempt(call, ctx, err);
        if (kind != RF_CONFLICT || !is_beaten(err)) return kind;
        if (i + 1 == ATTEMPTS_MAX)
            return RF_FAIL(err, RF_AGAIN, "ServiceUnavailable",
                           "Too many others write to '%.*s' at this time. Try again.",
                           RF_FMT(call->name));
        pause_after(i);
    }
}

rf_str vault_version_new(struct rf_arena *arena)
{
    uint8_t id[SEAL_ID_BYTES];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t usec = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    random_bytes(id, sizeof id);
    for (int i = VERSION_TIME_BYTES - 1; i >= 0; i--, usec >>= 8) id[i] = (uint8_t)usec;
    return hex_encode(arena, rf_str_make(id, sizeof id));
}

enum rf_kind vault_version_init(struct vault_call *call, struct vault_version *out,
                                struct rf_err *err)
{
    rf_str id = vault_version_new(call->arena);
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    *out = (struct vault_version){.version = id,
                                  .created = call->now,
                                  .updated = call->now,
                                  .enabled = true,
                                  .not_before = SEAL_NO_TIME,
                                  .expires = SEAL_NO_TIME};
    return RF_OK;
}

enum rf_kind vault_item_new(struct vault_call *call, enum seal_kind kind, rf_str name,
                            struct vault_item *out, struct rf_err *err)
{
    RF_TRY(vault_check_name(call, name, err));
    *out =
        (struct vault_item){.kind = kind, .name = name, .created = call->now, .updated = call->now};
    random_bytes(out->id, sizeof out->id);
    return RF_OK;
}

static enum rf_kind item_of_object(const struct state_object *object, struct rf_arena *arena,
                                   struct vault_item *out, struct rf_err *err)
{
    struct json_node *node;
    RF_TRY(json_parse(object->body, arena, &node, err));
    RF_TRY(vault_item_of(node, arena, out, err));
    out->etag = object->etag;
    return RF_OK;
}

static enum rf_kind get_object(struct vault_call *call, struct state_txn *txn, const char *space,
                               rf_str key, struct state_object *out, struct rf_err *err)
{
    if (txn == NULL)
        return state_peek(call->vaults->options.state, space, key, call->arena, out, err);
    return state_get(txn, space, key, call->arena, out, err);
}

enum rf_kind vault_item_get(struct vault_call *call, struct state_txn *txn, enum seal_kind kind,
                            rf_str name, struct vault_item *out, struct rf_err *err)
{
    struct state_object object;
    RF_TRY(vault_check_name(call, name, err));
    rf_str key = item_key(call, kind, name);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(get_object(call, txn, vault_item_space, key, &object, err));
    RF_TRY(item_of_object(&object, call->arena, out, err));
    if (out->kind != kind)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an item of a vault is of another kind");
    return RF_OK;
}

enum rf_kind vault_item_need(struct vault_call *call, struct state_txn *txn, enum seal_kind kind,
                             rf_str name, struct vault_item *out, struct rf_err *err)
{
    struct vault_item item;
    enum rf_kind found = vault_item_get(call, txn, kind, name, &item, err);
    if (found == RF_NOT_FOUND || (found == RF_OK && item.deleted != 0))
        return vault_not_found(call, kind, name, err);
    if (found == RF_OK) *out = item;
    return found;
}

enum rf_kind vault_item_open(struct vault_call *call, struct state_txn *txn, enum seal_kind kind,
                             struct vault_item *out, struct rf_err *err)
{
    struct vault_item item;
    enum rf_kind found = vault_item_get(call, txn, kind, call->name, &item, err);
    if (found == RF_NOT_FOUND) return vault_item_new(call, kind, call->name, out, err);
    if (found != RF_OK) return found;
    if (item.deleted != 0) return vault_is_deleted(call, kind, item.name, err);
    *out = item;
    return RF_OK;
}

static enum rf_kind beaten(struct rf_err *err)
{
    return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "another request has changed it meanwhile");
}

enum rf_kind vault_item_again(struct vault_call *call, struct state_txn *txn, bool same_etag,
                              struct vault_item *item, struct rf_err *err)
{
    struct vault_item now;
    enum rf_kind found = vault_item_get(call, txn, item->kind, item->name, &now, err);
    if (found == RF_NOT_FOUND) return item->etag == 0 ? RF_OK : beaten(err);
    if (found != RF_OK) return found;
    if (item->etag == 0 || memcmp(now.id, item->id, sizeof now.id) != 0) return beaten(err);
    if (now.deleted != item->deleted || now.purging != item->purging) return beaten(err);
    if (same_etag && now.etag != item->etag) return beaten(err);
    *item = now;
    return RF_OK;
}

static const char *state_of(const struct vault_item *item)
{
    if (item->purging) return "purging";
    return item->deleted != 0 ? "deleted" : "live";
}

enum rf_kind vault_item_put(struct vault_call *call, struct state_txn *txn, struct vault_item *item,
                            struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str key = item_key(call, item->kind, item->name);
    rf_str state = rf_arena_printf(arena, "%.*s/%s/%s", RF_FMT(call->place.guid),
                                   vault_collection(item->kind), state_of(item));
    struct json_node *node = vault_item_json(arena, item);
    rf_str body = node == NULL ? (rf_str){0} : json_to_text(arena, node);
    if (key.ptr == NULL || state.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_index indexes[] = {{"state", state}, {"due", call->place.guid}};
    struct state_put put = {.space = vault_item_space,
                            .key = key,
                            .body = body,
                            .indexes = indexes,
                            .index_count = item->due != 0 ? 2 : 1,
                            .condition = item->etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = item->etag};
    search_index_mark(call->vaults->search, call->vaults->options.state, key);
    enum rf_kind kind = state_put(txn, &put, &item->etag, NULL, err);
    return kind == RF_NOT_FOUND ? beaten(err) : kind;
}

enum rf_kind vault_item_remove(struct vault_call *call, struct state_txn *txn,
                               const struct vault_item *item, struct rf_err *err)
{
    rf_str key = item_key(call, item->kind, item->name);
    rf_str versions = version_key(call, item, (rf_str){0});
    if (key.ptr == NULL || versions.ptr == NULL) return rf_fail_memory(err, call->arena);
    search_index_mark(call->vaults->search, call->vaults->options.state, key);
    RF_TRY(state_delete_prefix(txn, vault_version_space, versions, NULL, err));
    enum rf_kind kind = state_delete(txn, vault_activity_space, key, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return state_delete(txn, vault_item_space, key, err);
}

enum rf_kind vault_store_forget(struct state_txn *txn, rf_str guid, struct rf_arena *arena,
                                struct rf_err *err)
{
    const char *const spaces[] = {vault_item_space,     vault_version_space, vault_wrap_space,
                                  vault_issuer_space,   vault_issued_space,  vault_crl_space,
                                  vault_activity_space, vault_request_space};
    rf_str prefix = rf_arena_printf(arena, "%.*s/", RF_FMT(guid));
    if (prefix.ptr == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < RF_COUNT(spaces); i++)
        RF_TRY(state_delete_prefix(txn, spaces[i], prefix, NULL, err));
    return vault_databases_forget(txn, guid, arena, err);
}

/* ---- versions -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind version_of_object(const struct state_object *object, struct rf_arena *arena,
                                      struct vault_version *out, struct rf_err *err)
{
    struct json_node *node;
    RF_TRY(json_parse(object->body, arena, &node, err));
    RF_TRY(vault_version_of(node, arena, out, err));
    out->etag = object->etag;
    return RF_OK;
}

enum rf_kind vault_version_get(struct vault_call *call, struct state_txn *txn,
                               const struct vault_item *item, rf_str version,
                               struct vault_version *out, struct rf_err *err)
{
    struct state_object object;
    rf_str wanted = lower(call->arena, version.len == 0 ? item->latest : version);
    if (wanted.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (!vault_version_is(wanted)) return vault_not_found(call, item->kind, item->name, err);
    rf_str key = version_key(call, item, wanted);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = get_object(call, txn, vault_version_space, key, &object, err);
    if (kind == RF_NOT_FOUND) return vault_not_found(call, item->kind, item->name, err);
    if (kind != RF_OK) return kind;
    return version_of_object(&object, call->arena, out, err);
}

enum rf_kind vault_version_put(struct vault_call *call, struct state_txn *txn,
                               const struct vault_item *item, const struct vault_version *version,
                               struct rf_err *err)
{
    RF_ASSERT(vault_version_is(version->version));
    struct rf_arena *arena = call->arena;
    rf_str key = version_key(call, item, version->version);
    struct json_node *node = vault_version_json(arena, version);
    rf_str body = node == NULL ? (rf_str){0} : json_to_text(arena, node);
    if (key.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = vault_version_space,
                            .key = key,
                            .body = body,
                            .condition = version->etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = version->etag};
    search_index_mark(call->vaults->search, call->vaults->options.state,
                      item_key(call, item->kind, item->name));
    enum rf_kind kind = state_put(txn, &put, NULL, NULL, err);
    return kind == RF_NOT_FOUND ? beaten(err) : kind;
}

enum rf_kind vault_versions_list(struct vault_call *call, struct state_txn *txn,
                                 const struct vault_item *item, rf_str after, uint32_t limit,
                                 struct vault_versions *out, struct rf_err *err)
{
    struct state_list list;
    rf_str prefix = version_key(call, item, (rf_str){0});
    rf_str behind = after.len == 0 ? (rf_str){0} : version_key(call, item, after);
    if (prefix.ptr == NULL || (after.len > 0 && behind.ptr == NULL))
        return rf_fail_memory(err, call->arena);
    struct state_scan scan = {
        .space = vault_version_space, .prefix = prefix, .after = behind, .limit = limit};
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    struct vault_version *items = rf_arena_new(call->arena, struct vault_version, list.count);
    if (items == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(version_of_object(&list.items[i], call->arena, &items[i], err));
    *out = (struct vault_versions){.items = items, .count = list.count, .more = list.more};
    return RF_OK;
}

/* ---- for the keeper ------------------------------------------------------------------------------------------------------------ */

/* Whether item and version are still as they were read. */
static bool is_same(struct vault_call *call, const struct vault_item *item,
                    const struct vault_version *version)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item_now;
    struct vault_version version_now;
    struct rf_err ignored;
    if (state_begin_read(call->vaults->options.state, &txn, &ignored) != RF_OK) return true;
    enum rf_kind kind = vault_item_get(call, txn, item->kind, item->name, &item_now, &ignored);
    if (kind != RF_OK) return kind != RF_NOT_FOUND;
    if (memcmp(item_now.id, item->id, sizeof item->id) != 0 || item_now.deleted != item->deleted ||
        item_now.purging != item->purging)
        return false;
    if (version == NULL || version->etag == 0) return true;
    kind = vault_version_get(call, txn, item, version->version, &version_now, &ignored);
    if (kind != RF_OK) return kind != RF_NOT_FOUND;
    return version_now.etag == version->etag;
}

enum rf_kind vault_seal_refused(struct vault_call *call, const struct vault_item *item,
                                const struct vault_version *version, struct rf_err *err)
{
    static const char *const causes[] = {"SealRolledBack", "SealDestroyed", "SealDisabled",
                                         "SealNotYet", "SealExpired"};
    for (size_t i = 0; i < RF_COUNT(causes); i++)
        if (strcmp(err->code, causes[i]) == 0 && !is_same(call, item, version)) return beaten(err);
    return vault_seal_error(call, err);
}

enum rf_kind vault_ring(struct vault_call *call, const struct vault_item *item,
                        struct seal_ring *out, struct rf_err *err)
{
    rf_str name = lower(call->arena, item->name);
    if (name.ptr == NULL) return rf_fail_memory(err, call->arena);
    *out = (struct seal_ring){
        .kind = item->kind, .name = name, .vault_key = call->place.key, .item_key = item->key};
    memcpy(out->vault_id, call->place.guid_bytes, SEAL_ID_BYTES);
    memcpy(out->item_id, item->id, SEAL_ID_BYTES);
    return RF_OK;
}

static uint8_t hex_digit(uint8_t c) { return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10); }

void vault_head(const struct vault_version *version, struct seal_head *out)
{
    RF_ASSERT(vault_version_is(version->version));
    *out = (struct seal_head){.enabled = version->enabled,
                              .managed = version->managed,
                              .generation = 1,
                              .not_before = version->not_before,
                              .expires = version->expires};
    const uint8_t *text = version->version.ptr;
    for (size_t i = 0; i < SEAL_ID_BYTES; i++)
        out->version[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
}
