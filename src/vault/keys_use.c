/* keys_use.c - what keys do: encrypt, decrypt, wrap, unwrap, sign, verify, and random bytes. All of it is done by the keeper, which checks the caller's token
 * and what the key is for. */
#include "base/encode.h"
#include "vault/keys_int.h"

enum { VALUE_BYTES_MAX = 32 << 10, RANDOM_BYTES_MAX = 128 };

/* A member in base64url; *out empty: absent. */
static enum rf_kind read_bytes(struct vault_call *call, const char *name, bool needed, rf_str *out,
                               struct rf_err *err)
{
    struct json_node *node;
    *out = (rf_str){0};
    RF_TRY(vault_member(call, call->body, name, JSON_T_STRING, &node, err));
    if (node == NULL && needed) return vault_bad(call, err, "Property '%s' is required.", name);
    if (node == NULL) return RF_OK;
    if (vault_key_bytes(call->arena, node->text, out, NULL) != RF_OK || out->len > VALUE_BYTES_MAX)
        return vault_bad(call, err,
                         "Property '%s' has invalid value: it must be base64url of at most %d "
                         "bytes.",
                         name, VALUE_BYTES_MAX);
    return RF_OK;
}

static enum rf_kind read_use(struct vault_call *call, struct seal_use *use, struct rf_err *err)
{
    struct json_node *algorithm;
    RF_TRY(vault_member(call, call->body, "alg", JSON_T_STRING, &algorithm, err));
    if (algorithm == NULL) return vault_bad(call, err, "Property 'alg' is required.");
    use->algorithm = rf_slice(algorithm->text, 0, RF_MIN(algorithm->text.len, (size_t)40));
    call->audit_algorithm = use->algorithm;
    if (use->op == SEAL_OP_VERIFY) {
        RF_TRY(read_bytes(call, "digest", true, &use->value, err));
        return read_bytes(call, "value", true, &use->signature, err);
    }
    RF_TRY(read_bytes(call, "value", true, &use->value, err));
    RF_TRY(read_bytes(call, "iv", false, &use->iv, err));
    RF_TRY(read_bytes(call, "aad", false, &use->aad, err));
    return read_bytes(call, "tag", false, &use->tag, err);
}

/* Who may only read keys may use the public half of one: a symmetric key has none. */
static enum rf_kind check_half(struct vault_call *call, const struct vault_version *version,
                               struct rf_err *err)
{
    if (!call->by_or || !rf_str_is(json_text_at(version->more, "kty"), "oct")) return RF_OK;
    return vault_fail(call, err, 403, "Forbidden",
                      call->place.rbac ? "ForbiddenByRbac" : "AccessDenied",
                      "Caller is not authorized to perform action on resource.\r\nAction: "
                      "'Microsoft.KeyVault/vaults/%s'\r\nResource: '%.*s/keys/%.*s'\r\nVault: "
                      "%.*s;location=%.*s",
                      call->operation->action, RF_FMT(call->place.id), RF_FMT(call->name),
                      RF_FMT(call->place.name), RF_FMT(call->place.location));
}

static bool put_bytes(struct vault_call *call, struct json_node *out, const char *name,
                      rf_str bytes)
{
    rf_str text = base64url_encode(call->arena, bytes);
    return text.ptr != NULL && json_set_text(call->arena, out, name, text) != NULL;
}

static enum rf_kind answer(struct vault_call *call, const struct vault_item *item,
                           const struct vault_version *version, const struct seal_use *use,
                           const struct seal_used *used, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    bool good;
    if (use->op == SEAL_OP_VERIFY) {
        good = json_set_bool(arena, out, "value", used->verified) != NULL;
    } else {
        rf_str kid = vault_object_id(call, "keys", item->name, version->version);
        good = kid.ptr != NULL && json_set_text(arena, out, "kid", kid) != NULL &&
               put_bytes(call, out, "value", used->value);
        if (good && used->iv.len > 0) good = put_bytes(call, out, "iv", used->iv);
        if (good && used->tag.len > 0) good = put_bytes(call, out, "tag", used->tag);
        if (good && used->tag.len > 0 && use->aad.len > 0)
            good = put_bytes(call, out, "aad", use->aad);
    }
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

static enum rf_kind try_use(struct vault_call *call, void *ctx, struct rf_err *err)
{
    const struct seal_use *use = ctx;
    struct vault_item item;
    struct vault_version version;
    struct seal_ring ring;
    struct seal_used used;
    RF_TRY(vault_key_find(call, &item, &version, err));
    RF_TRY(check_half(call, &version, err));
    RF_TRY(vault_ring(call, &item, &ring, err));
    if (seal_key_use(call->vaults->options.keeper, call->token, &ring, version.sealed, use,
                     call->arena, &used, err) != RF_OK)
        return vault_seal_refused(call, &item, &version, err);
    enum rf_kind kind = answer(call, &item, &version, use, &used, err);
    if (use->op == SEAL_OP_DECRYPT || use->op == SEAL_OP_UNWRAP) vault_wipe(used.value);
    return kind;
}

static enum rf_kind run_use(struct vault_call *call, enum seal_op op, struct rf_err *err)
{
    struct seal_use use = {.op = op};
    RF_TRY(read_use(call, &use, err));
    return vault_retry(call, try_use, &use, err);
}

enum rf_kind vault_key_encrypt(struct vault_call *call, struct rf_err *err)
{
    return run_use(call, SEAL_OP_ENCRYPT, err);
}
enum rf_kind vault_key_decrypt(struct vault_call *call, struct rf_err *err)
{
    return run_use(call, SEAL_OP_DECRYPT, err);
}
enum rf_kind vault_key_wrap(struct vault_call *call, struct rf_err *err)
{
    return run_use(call, SEAL_OP_WRAP, err);
}
enum rf_kind vault_key_unwrap(struct vault_call *call, struct rf_err *err)
{
    return run_use(call, SEAL_OP_UNWRAP, err);
}
enum rf_kind vault_key_sign(struct vault_call *call, struct rf_err *err)
{
    return run_use(call, SEAL_OP_SIGN, err);
}
enum rf_kind vault_key_verify(struct vault_call *call, struct rf_err *err)
{
    return run_use(call, SEAL_OP_VERIFY, err);
}

enum rf_kind vault_random(struct vault_call *call, struct rf_err *err)
{
    uint8_t bytes[RANDOM_BYTES_MAX];
    int64_t count = 0;
    struct json_node *node, *out = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(vault_member(call, call->body, "count", JSON_T_NUMBER, &node, err));
    if (node == NULL || !json_i64_at(call->body, "count", &count) || count < 1 ||
        count > RANDOM_BYTES_MAX)
        return vault_bad(call, err, "Property 'count' has invalid value: it is 1 to %d.",
                         RANDOM_BYTES_MAX);
    if (seal_random(call->vaults->options.keeper, call->token, bytes, (size_t)count, err) != RF_OK)
        return vault_seal_error(call, err);
    if (out == NULL || !put_bytes(call, out, "value", rf_str_make(bytes, (size_t)count)))
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, out);
}
