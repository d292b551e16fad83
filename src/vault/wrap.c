/* wrap.c - a secret handed over by a token that opens it once: whoever may read a version wraps it, whoever holds the token (and any good token of the
 * tenant) reads it, one time, until it ends.
 *
 * The token is base64url of 8 bytes end (seconds since 1970, most significant first) and 32 random bytes. Of it only the hash is kept:
 *
 *   vault.wrap  "GUID/END/HASH", END 16 hex digits, HASH hex SHA-256 of the token    {"name","item","version","by"}
 *
 * so that ended ones stand in front. What it names is read when it is opened: a secret that was disabled, deleted or made anew meanwhile is not given. */
#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/store_int.h"

enum {
    END_BYTES = 8,
    RANDOM_BYTES = 32,
    TOKEN_BYTES = END_BYTES + RANDOM_BYTES,
    TTL_MAX = 7 * 86400,
    SWEEP_MAX = 64
};

static rf_str wrap_key(struct vault_call *call, const uint8_t bytes[TOKEN_BYTES])
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(rf_str_make(bytes, TOKEN_BYTES), hash);
    rf_str end = hex_encode(call->arena, rf_str_make(bytes, END_BYTES));
    rf_str text = hex_encode(call->arena, rf_str_make(hash, sizeof hash));
    if (end.ptr == NULL || text.ptr == NULL) return (rf_str){0};
    return rf_arena_printf(call->arena, "%.*s/%.*s/%.*s", RF_FMT(call->place.guid), RF_FMT(end),
                           RF_FMT(text));
}

static void put_end(uint8_t out[END_BYTES], int64_t end)
{
    for (int i = END_BYTES - 1; i >= 0; i--, end >>= 8) out[i] = (uint8_t)end;
}

static int64_t get_end(const uint8_t bytes[END_BYTES])
{
    uint64_t end = 0;
    for (int i = 0; i < END_BYTES; i++) end = end << 8 | bytes[i];
    return end > INT64_MAX ? INT64_MAX : (int64_t)end;
}

/* ---- wrapping -------------------------------------------------------------------------------------------------------------- */

/* Deletes some that have ended: more than one wrap adds. */
static enum rf_kind sweep(struct vault_call *call, struct state_txn *txn, struct rf_err *err)
{
    struct state_list list;
    uint8_t now[END_BYTES];
    put_end(now, call->now);
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(call->place.guid));
    rf_str end = hex_encode(call->arena, rf_str_make(now, sizeof now));
    if (prefix.ptr == NULL || end.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct state_scan scan = {.space = vault_wrap_space, .prefix = prefix, .limit = SWEEP_MAX};
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        rf_str key = list.items[i].key;
        if (rf_str_cmp(rf_slice(key, prefix.len, prefix.len + end.len), end) > 0) break;
        RF_TRY(state_delete(txn, vault_wrap_space, key, err));
    }
    return RF_OK;
}

static enum rf_kind store(struct vault_call *call, rf_str key, const struct vault_item *item,
                          const struct vault_version *version, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str id = hex_encode(arena, rf_str_make(item->id, sizeof item->id));
    bool good =
        id.ptr != NULL && json_set_text(arena, node, "name", item->name) != NULL &&
        json_set_text(arena, node, "item", id) != NULL &&
        json_set_text(arena, node, "version", version->version) != NULL &&
        json_set_text(arena, node, "by", principal_caller(call->request->principal)) != NULL;
    rf_str body = good ? json_to_text(arena, node) : (rf_str){0};
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(sweep(call, txn, err));
    struct state_put put = {
        .space = vault_wrap_space, .key = key, .body = body, .condition = STATE_ABSENT};
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    return state_finish(&txn, err);
}

enum rf_kind vault_secret_wrap(struct vault_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    struct vault_version version;
    struct json_node *member;
    uint8_t bytes[TOKEN_BYTES];
    int64_t ttl;
    RF_TRY(vault_member(call, call->body, "ttl", JSON_T_NUMBER, &member, err));
    if (member == NULL || !json_i64_at(call->body, "ttl", &ttl) || ttl < 1 || ttl > TTL_MAX)
        return vault_bad(call, err,
                         "Property 'ttl' has invalid value: it is for how many seconds the token "
                         "is good, a whole number from 1 to %d.",
                         TTL_MAX);
    RF_TRY(vault_secret_find(call, call->name, call->version, &item, &version, err));
    put_end(bytes, call->now + ttl);
    random_bytes(bytes + END_BYTES, RANDOM_BYTES);
    rf_str token = base64url_encode(arena, rf_str_make(bytes, sizeof bytes));
    rf_str key = wrap_key(call, bytes);
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    bool good = token.ptr != NULL && key.ptr != NULL &&
                json_set_text(arena, out, "token", token) != NULL &&
                json_set_text(arena, out, "id", call->audit_id) != NULL &&
                json_set_i64(arena, out, "ttl", ttl) != NULL &&
                json_set_i64(arena, out, "expires", call->now + ttl) != NULL;
    vault_wipe(rf_str_make(bytes, sizeof bytes));
    if (!good) return rf_fail_memory(err, arena);
    RF_TRY(store(call, key, &item, &version, err));
    enum rf_kind kind = request_answer(call->request, 200, out);
    vault_wipe(token);
    return kind;
}

/* ---- unwrapping -------------------------------------------------------------------------------------------------------------- */

/* One answer for a token that never was, has ended, was used, or whose secret is another now. */
static enum rf_kind unknown(struct vault_call *call, struct rf_err *err)
{
    return vault_fail(call, err, 404, "WrappingTokenNotFound", NULL,
                      "The token opens nothing: it was never given out for this vault, has been "
                      "used, has ended, or its secret is gone. Ask for a new one.");
}

static enum rf_kind find(struct vault_call *call, rf_str key, struct vault_item *item,
                         struct vault_version *version, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object object;
    struct json_node *node;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    enum rf_kind kind = state_get(txn, vault_wrap_space, key, call->arena, &object, err);
    if (kind == RF_NOT_FOUND) return unknown(call, err);
    if (kind != RF_OK) return kind;
    RF_TRY(json_parse(object.body, call->arena, &node, err));
    state_end(txn);
    txn = NULL;
    kind = vault_secret_find(call, json_text_at(node, "name"), json_text_at(node, "version"), item,
                             version, err);
    if (kind == RF_NOT_FOUND) return unknown(call, err);
    if (kind != RF_OK) return kind;
    rf_str id = hex_encode(call->arena, rf_str_make(item->id, sizeof item->id));
    if (!rf_str_eq(id, json_text_at(node, "item"))) return unknown(call, err);
    struct json_node *properties = json_clone(call->arena, call->audit_properties);
    if (json_set_text(call->arena, properties, "wrappedBy", json_text_at(node, "by")) == NULL)
        return rf_fail_memory(err, call->arena);
    call->audit_properties = properties;
    return RF_OK;
}

/* Whoever deletes it has it. */
static enum rf_kind take(struct vault_call *call, rf_str key, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    enum rf_kind kind = state_delete(txn, vault_wrap_space, key, err);
    if (kind == RF_NOT_FOUND) return unknown(call, err);
    if (kind != RF_OK) return kind;
    return state_finish(&txn, err);
}

static enum rf_kind try_unwrap(struct vault_call *call, void *ctx, struct rf_err *err)
{
    const rf_str key = *(const rf_str *)ctx;
    struct vault_item item;
    struct vault_version version;
    rf_str value;
    RF_TRY(find(call, key, &item, &version, err));
    RF_TRY(vault_secret_value(call, &item, &version, &value, err));
    enum rf_kind kind = take(call, key, err);
    if (kind == RF_OK) kind = vault_secret_answer(call, &item, &version, value, err);
    vault_wipe(value);
    return kind;
}

enum rf_kind vault_secret_unwrap(struct vault_call *call, struct rf_err *err)
{
    struct json_node *token;
    rf_str bytes;
    RF_TRY(vault_member(call, call->body, "token", JSON_T_STRING, &token, err));
    if (token == NULL)
        return vault_bad(call, err, "Property 'token' is missing: it is what the wrapping gave.");
    if (token->text.len > 2 * TOKEN_BYTES ||
        base64url_decode(call->arena, token->text, &bytes, NULL) != RF_OK ||
        bytes.len != TOKEN_BYTES || get_end(bytes.ptr) <= call->now)
        return unknown(call, err);
    rf_str key = wrap_key(call, bytes.ptr);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    return vault_retry(call, try_unwrap, &key, err);
}
