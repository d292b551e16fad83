/* types_items.c - secrets and keys of a vault as ARM resources, so that templates can make them: values go in and never come out. What is made goes the way of
 * the vault's own API, so that one set of checks holds. */
#include "base/encode.h"
#include "vault/store_int.h"
#include "vault/types_int.h"

#define INNER_API "2025-07-01"

/* ---- the call that the vault's own parts want ------------------------------------------------------------------------------- */

static enum rf_kind find_place(struct vaults *vaults, struct state_txn *txn, rf_str vault_id,
                               struct rf_arena *arena, rf_usec now, struct vault_call *out,
                               struct rf_err *err)
{
    struct resource_id id;
    RF_TRY(resource_id_parse(vault_id, arena, &id, err));
    struct vault_call call = {
        .vaults = vaults, .arena = arena, .api = VAULT_API_2025, .now = now / RF_USEC_PER_SECOND};
    RF_TRY(vault_place_find(vaults, txn, id.name, arena, &call.place, err));
    /* A name is of one vault only, but the path may tell of another group. */
    if (!rf_str_eq_nocase(call.place.id, id.text))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "The Resource '%.*s' was not found.",
                       (int)RF_MIN(id.text.len, (size_t)400), (const char *)id.text.ptr);
    rf_str uri = vault_uri(vaults, call.place.name, arena);
    if (uri.ptr == NULL) return rf_fail_memory(err, arena);
    call.base = rf_slice(uri, 0, uri.len - 1);
    *out = call;
    return RF_OK;
}

/* ---- documents ----------------------------------------------------------------------------------------------------------------- */

static void put_time(struct rf_arena *arena, struct json_node *out, const char *name, int64_t time)
{
    if (time != SEAL_NO_TIME) json_set_i64(arena, out, name, time);
}

static const char *type_of(enum seal_material material)
{
    return material == SEAL_RSA ? "RSA" : material == SEAL_OCT ? "oct" : "EC";
}

static const char *curve_of(enum seal_material material)
{
    switch (material) {
    case SEAL_P256:
        return "P-256";
    case SEAL_P384:
        return "P-384";
    case SEAL_P521:
        return "P-521";
    case SEAL_P256K:
        return "P-256K";
    default:
        return NULL;
    }
}

/* What the seal says of a key: nothing else is as sure. */
static enum rf_kind put_key(struct rf_arena *arena, struct json_node *out, rf_str sealed,
                            struct rf_err *err)
{
    static const struct {
        enum seal_op op;
        const char *name;
    } ops[] = {{SEAL_OP_ENCRYPT, "encrypt"}, {SEAL_OP_DECRYPT, "decrypt"},
               {SEAL_OP_SIGN, "sign"},       {SEAL_OP_VERIFY, "verify"},
               {SEAL_OP_WRAP, "wrapKey"},    {SEAL_OP_UNWRAP, "unwrapKey"}};
    struct seal_head head;
    RF_TRY(seal_head_get(sealed, &head, err));
    json_set_text(arena, out, "kty", rf_str_of(type_of(head.material)));
    struct json_node *list = json_set(arena, out, RF_S("keyOps"), json_new(arena, JSON_T_ARRAY));
    if (list == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < RF_COUNT(ops); i++)
        if ((head.ops & ops[i].op) != 0)
            json_append(list, json_new_text(arena, rf_str_of(ops[i].name)));
    const char *curve = curve_of(head.material);
    if (curve != NULL)
        json_set_text(arena, out, "curveName", rf_str_of(curve));
    else
        json_set_i64(arena, out, "keySize", head.bits);
    return RF_OK;
}

static struct json_node *attributes_of(struct rf_arena *arena, const struct vault_version *version)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    json_set_bool(arena, out, "enabled", version->enabled);
    put_time(arena, out, "nbf", version->not_before);
    put_time(arena, out, "exp", version->expires);
    json_set_i64(arena, out, "created", version->created);
    json_set_i64(arena, out, "updated", version->updated);
    return out;
}

static enum rf_kind item_document(const struct vault_call *call, const struct vault_item *item,
                                  const struct vault_version *version, bool of_version,
                                  struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    bool is_key = item->kind == SEAL_KEY;
    const char *word = is_key ? "keys" : "secrets";
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "%.*s/%s/%.*s%s%.*s", RF_FMT(call->place.id), word,
                                RF_FMT(item->name), of_version ? "/versions/" : "",
                                (int)(of_version ? version->version.len : 0),
                                (const char *)version->version.ptr);
    rf_str uri =
        rf_arena_printf(arena, "%.*s/%s/%.*s", RF_FMT(call->base), word, RF_FMT(item->name));
    rf_str whole = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(uri), RF_FMT(version->version));
    if (id.ptr == NULL || uri.ptr == NULL || whole.ptr == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", of_version ? version->version : item->name);
    json_set_text(arena, body, "type",
                  of_version ? RF_S("Microsoft.KeyVault/vaults/keys/versions")
                  : is_key   ? RF_S("Microsoft.KeyVault/vaults/keys")
                             : RF_S("Microsoft.KeyVault/vaults/secrets"));
    json_set_text(arena, body, "location", call->place.location);
    if (version->tags != NULL)
        json_set(arena, body, RF_S("tags"), json_clone(arena, version->tags));
    struct json_node *properties = body == NULL ? NULL : json_object_in(arena, body, "properties");
    if (properties == NULL) return rf_fail_memory(err, arena);
    json_set(arena, properties, RF_S("attributes"), attributes_of(arena, version));
    if (is_key) RF_TRY(put_key(arena, properties, version->sealed, err));
    if (!is_key && version->content_type.len > 0)
        json_set_text(arena, properties, "contentType", version->content_type);
    json_set_text(arena, properties, is_key ? "keyUri" : "secretUri", uri);
    *out = body;
    return json_set_text(arena, properties, is_key ? "keyUriWithVersion" : "secretUriWithVersion",
                         whole) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind get_item(struct arm_call *call, enum seal_kind kind, rf_str text,
                             struct json_node **body, struct rf_err *err)
{
    struct vault_call inner;
    struct vault_item item;
    struct vault_version version;
    struct resource_id id;
    RF_TRY(resource_id_parse(text, call->arena, &id, err));
    RF_TRY(find_place(call->ctx, call->txn, id.parent, call->arena, call->now, &inner, err));
    RF_TRY(vault_item_need(&inner, call->txn, kind, id.name, &item, err));
    RF_TRY(vault_version_get(&inner, call->txn, &item, (rf_str){0}, &version, err));
    return item_document(&inner, &item, &version, false, body, err);
}

static enum rf_kind get_secret(struct arm_call *call, rf_str id, struct json_node **body,
                               struct rf_err *err)
{
    return get_item(call, SEAL_SECRET, id, body, err);
}

static enum rf_kind get_key(struct arm_call *call, rf_str id, struct json_node **body,
                            struct rf_err *err)
{
    return get_item(call, SEAL_KEY, id, body, err);
}

static enum rf_kind get_key_version(struct arm_call *call, rf_str text, struct json_node **body,
                                    struct rf_err *err)
{
    struct vault_call inner;
    struct vault_item item;
    struct vault_version version;
    struct resource_id id, key;
    RF_TRY(resource_id_parse(text, call->arena, &id, err));
    RF_TRY(resource_id_parse(id.parent, call->arena, &key, err));
    RF_TRY(find_place(call->ctx, call->txn, key.parent, call->arena, call->now, &inner, err));
    RF_TRY(vault_item_need(&inner, call->txn, SEAL_KEY, key.name, &item, err));
    RF_TRY(vault_version_get(&inner, call->txn, &item, id.name, &version, err));
    return item_document(&inner, &item, &version, true, body, err);
}

/* Live items of a kind; those of certificates are theirs. */
static enum rf_kind list_items(struct arm_call *call, enum seal_kind kind, rf_str vault_id,
                               struct json_node *out, struct rf_err *err)
{
    struct vault_call inner;
    struct state_list list;
    RF_TRY(find_place(call->ctx, call->txn, vault_id, call->arena, call->now, &inner, err));
    rf_str value = rf_arena_printf(call->arena, "%.*s/%s/live", RF_FMT(inner.place.guid),
                                   vault_collection(kind));
    if (value.ptr == NULL) return rf_fail_memory(err, call->arena);
    const struct state_scan scan = {.space = vault_item_space, .index = "state", .value = value};
    RF_TRY(state_list(call->txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *node, *body;
        struct vault_item item;
        struct vault_version version;
        RF_TRY(json_parse(list.items[i].body, call->arena, &node, err));
        RF_TRY(vault_item_of(node, call->arena, &item, err));
        if (item.managed || item.latest.len == 0) continue;
        RF_TRY(vault_version_get(&inner, call->txn, &item, item.latest, &version, err));
        RF_TRY(item_document(&inner, &item, &version, false, &body, err));
        if (json_append(out, body) == NULL) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind list_secrets(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                 struct rf_err *err)
{
    return list_items(call, SEAL_SECRET, parent_id, out, err);
}

static enum rf_kind list_keys(struct arm_call *call, rf_str parent_id, struct json_node *out,
                              struct rf_err *err)
{
    return list_items(call, SEAL_KEY, parent_id, out, err);
}

static enum rf_kind list_key_versions(struct arm_call *call, rf_str parent_id,
                                      struct json_node *out, struct rf_err *err)
{
    struct vault_call inner;
    struct vault_item item;
    struct vault_versions versions;
    struct resource_id key;
    RF_TRY(resource_id_parse(parent_id, call->arena, &key, err));
    RF_TRY(find_place(call->ctx, call->txn, key.parent, call->arena, call->now, &inner, err));
    RF_TRY(vault_item_need(&inner, call->txn, SEAL_KEY, key.name, &item, err));
    RF_TRY(vault_versions_list(&inner, call->txn, &item, (rf_str){0}, 0, &versions, err));
    for (uint32_t i = 0; i < versions.count; i++) {
        struct json_node *body;
        RF_TRY(item_document(&inner, &item, &versions.items[i], true, &body, err));
        if (json_append(out, body) == NULL) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------------- */

static const struct vault_operation *operation_of(const struct vault_operation *items,
                                                  uint32_t count, const char *audit)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(items[i].audit, audit) == 0) return &items[i];
    return NULL;
}

/* A request to the vault itself, as it would come from the caller of `outer`; no token, which would be one for another audience. */
struct inner {
    struct http_request http;
    struct http_response response;
    struct route_variable version;
    struct request request;
    struct vault_call call;
};

static enum rf_kind inner_init(struct inner *inner, struct request *outer, rf_str word,
                               struct rf_err *err)
{
    struct vaults *vaults = outer->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str name = request_variable(outer, "item");
    rf_str vault = rf_arena_printf(
        outer->arena,
        "/subscriptions/%.*s/resourceGroups/%.*s/providers/Microsoft.KeyVault/vaults/%.*s",
        RF_FMT(request_variable(outer, "subscription")), RF_FMT(request_variable(outer, "group")),
        RF_FMT(request_variable(outer, "vault")));
    rf_str path = rf_arena_printf(outer->arena, "/%.*s/%.*s", RF_FMT(word), RF_FMT(name));
    if (vault.ptr == NULL || path.ptr == NULL) return rf_fail_memory(err, outer->arena);
    inner->http = *outer->http;
    inner->http.target = inner->http.path = path;
    inner->http.query = inner->http.body = (rf_str){0};
    inner->http.headers = NULL;
    inner->http.header_count = 0;
    inner->response = (struct http_response){
        .arena = outer->arena, .status = 200, .body = rf_buf_in(outer->arena)};
    inner->version = (struct route_variable){RF_S("api-version"), RF_S(INNER_API)};
    inner->request = *outer;
    inner->request.http = &inner->http;
    inner->request.response = &inner->response;
    inner->request.parameters = &inner->version;
    inner->request.parameter_count = 1;
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(find_place(vaults, txn, vault, outer->arena, outer->now, &inner->call, err));
    inner->call.request = &inner->request;
    inner->call.name = name;
    inner->request.prepared = &inner->call;
    return RF_OK;
}

/* Who may was checked as a right of the control plane. The vault's row tells of it as if it had come there. */
static enum rf_kind inner_run(struct inner *inner, struct request *outer,
                              const struct vault_operation *operation, const struct json_node *body,
                              struct rf_err *err)
{
    struct rf_err row_err;
    if (operation == NULL)
        return RF_FAIL(err, RF_INVALID, "NotImplemented", "The vault does not offer this.");
    inner->call.operation = operation;
    inner->call.body = body;
    inner->call.verdict = (struct vault_verdict){.by_rbac = true, .address_ok = true};
    enum rf_kind kind = operation->run(&inner->call, err);
    uint16_t failed = inner->request.fail_status;
    uint16_t status = kind == RF_OK ? inner->response.status
                      : failed != 0 ? failed
                                    : request_status_of(kind);
    enum rf_kind noted = vault_audit(&inner->call, status, kind == RF_OK ? NULL : err, &row_err);
    if (inner->response.body.len > 0) /* a secret's value may be in it */
        vault_wipe(rf_buf_view(&inner->response.body));
    if (kind == RF_OK && noted != RF_OK) {
        *err = row_err;
        return noted;
    }
    outer->fail_status = failed;
    return kind;
}

static enum rf_kind answer_item(struct request *request, enum seal_kind kind, const char *action,
                                struct rf_err *err)
{
    struct vaults *vaults = request->service;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *body;
    rf_str id = rf_arena_printf(
        request->arena,
        "/subscriptions/%.*s/resourceGroups/%.*s/providers/Microsoft.KeyVault/vaults/%.*s/%s/%.*s",
        RF_FMT(request_variable(request, "subscription")),
        RF_FMT(request_variable(request, "group")), RF_FMT(request_variable(request, "vault")),
        vault_collection(kind), RF_FMT(request_variable(request, "item")));
    if (id.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    struct arm_call call = {.arm = vaults->options.arm,
                            .txn = txn,
                            .arena = request->arena,
                            .ctx = vaults,
                            .now = request->now};
    RF_TRY(get_item(&call, kind, id, &body, err));
    RF_TRY(request_answer(request, 200, body));
    vault_record(request, action, json_text_at(body, "id"));
    return RF_OK;
}

/* Copies members that have other names in the vault's own API. */
static bool rename_members(struct rf_arena *arena, const struct json_node *from,
                           struct json_node *into, const char *const (*names)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct json_node *member = json_get_nocase(from, rf_str_of(names[i][0]));
        if (member == NULL || member->type == JSON_T_NULL) continue;
        if (json_set(arena, into, rf_str_of(names[i][1]), json_clone(arena, member)) == NULL)
            return false;
    }
    return true;
}

static enum rf_kind read_sent(struct request *request, const char *const (*names)[2], size_t count,
                              struct json_node **out, struct rf_err *err)
{
    static const char *const tags[][2] = {{"tags", "tags"}};
    struct json_node *sent, *body = json_new(request->arena, JSON_T_OBJECT);
    RF_TRY(request_json(request, false, &sent, err));
    const struct json_node *properties = json_get_nocase(sent, RF_S("properties"));
    if (!json_is(properties, JSON_T_OBJECT))
        return BAD_VAULT(err, "'properties' is missing, or is no object.");
    if (body == NULL || !rename_members(request->arena, properties, body, names, count) ||
        !rename_members(request->arena, sent, body, tags, 1))
        return rf_fail_memory(err, request->arena);
    *out = body;
    return RF_OK;
}

enum rf_kind vault_run_put_secret(struct request *request, struct rf_err *err)
{
    static const char *const names[][2] = {
        {"value", "value"}, {"contentType", "contentType"}, {"attributes", "attributes"}};
    struct inner inner;
    struct json_node *body;
    RF_TRY(read_sent(request, names, RF_COUNT(names), &body, err));
    RF_TRY(inner_init(&inner, request, RF_S("secrets"), err));
    /* Without a value only what stands around it changes. */
    const char *what = json_get(body, "value") != NULL ? "SecretSet" : "SecretUpdate";
    if (request->http->method == HTTP_PUT) what = "SecretSet";
    RF_TRY(inner_run(&inner, request,
                     operation_of(vault_secret_operations, vault_secret_operation_count, what),
                     body, err));
    return answer_item(request, SEAL_SECRET, "Microsoft.KeyVault/vaults/secrets/write", err);
}

/* A key that is there already stays as it is. */
static enum rf_kind has_key(struct inner *inner, bool *out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item item;
    RF_TRY(state_begin_read(inner->call.vaults->options.state, &txn, err));
    enum rf_kind kind = vault_item_get(&inner->call, txn, SEAL_KEY, inner->call.name, &item, err);
    *out = kind == RF_OK && item.deleted == 0;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind vault_run_put_key(struct request *request, struct rf_err *err)
{
    static const char *const names[][2] = {{"kty", "kty"},
                                           {"keyOps", "key_ops"},
                                           {"keySize", "key_size"},
                                           {"curveName", "crv"},
                                           {"attributes", "attributes"}};
    struct inner inner;
    struct json_node *body;
    bool there;
    RF_TRY(read_sent(request, names, RF_COUNT(names), &body, err));
    RF_TRY(inner_init(&inner, request, RF_S("keys"), err));
    RF_TRY(has_key(&inner, &there, err));
    if (!there)
        RF_TRY(inner_run(&inner, request,
                         operation_of(vault_key_operations, vault_key_operation_count, "KeyCreate"),
                         body, err));
    return answer_item(request, SEAL_KEY, "Microsoft.KeyVault/vaults/keys/write", err);
}

/* ---- types ------------------------------------------------------------------------------------------------------------------------ */

static struct arm_type item_type(struct vaults *vaults, const char *name)
{
    return (struct arm_type){
        .name = name, .versions = vault_versions, .flags = ARM_NO_STATE, .ctx = vaults};
}

struct arm_type vault_secret_type(struct vaults *vaults)
{
    struct arm_type type = item_type(vaults, "Microsoft.KeyVault/vaults/secrets");
    type.virtual_get = get_secret;
    type.list = list_secrets;
    return type;
}

struct arm_type vault_key_type(struct vaults *vaults)
{
    struct arm_type type = item_type(vaults, "Microsoft.KeyVault/vaults/keys");
    type.virtual_get = get_key;
    type.list = list_keys;
    return type;
}

struct arm_type vault_key_version_type(struct vaults *vaults)
{
    struct arm_type type = item_type(vaults, "Microsoft.KeyVault/vaults/keys/versions");
    type.virtual_get = get_key_version;
    type.list = list_key_versions;
    return type;
}
