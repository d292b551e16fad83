/* secrets.c - secrets: set, read, change, list; what is due of them. */
#include <openssl/crypto.h>

#include "vault/report_int.h"

enum {
    VALUE_BYTES_MAX = 25600,
    TYPE_CHARS_MAX = 255,
    NEAR_SECONDS = 30 * 86400,
    SCRATCH_BYTES_MAX = 256 << 20
};

static const char type_pfx[] = "application/x-pkcs12", type_pem[] = "application/x-pem-file";

/* ---- shapes ------------------------------------------------------------------------------------------------------------- */

static bool put_common(struct vault_call *call, struct json_node *out,
                       const struct vault_item *item, const struct vault_version *version,
                       bool list)
{
    struct rf_arena *arena = call->arena;
    bool good = true;
    if (version->content_type.len > 0)
        good = json_set_text(arena, out, "contentType", version->content_type) != NULL;
    good = vault_put_attributes(call, out, item, version, list) != NULL && good;
    if (item->managed && !list) {
        rf_str kid = vault_object_id(call, "keys", item->name, version->version);
        good = kid.ptr != NULL && json_set_text(arena, out, "kid", kid) != NULL && good;
    }
    if (item->managed) good = json_set_bool(arena, out, "managed", true) != NULL && good;
    return good;
}

struct json_node *vault_secret_show(struct vault_call *call, const struct vault_item *item,
                                    const struct vault_version *version)
{
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    rf_str id = vault_object_id(call, "secrets", item->name,
                                version == NULL ? (rf_str){0} : version->version);
    if (id.ptr == NULL || json_set_text(call->arena, out, "id", id) == NULL) return NULL;
    if (version != NULL && !put_common(call, out, item, version, false)) return NULL;
    return out;
}

static void show_item(struct vault_call *call, struct json_node *out, const struct vault_item *item,
                      const struct vault_version *version)
{
    rf_str id = vault_object_id(call, "secrets", item->name, (rf_str){0});
    if (id.ptr != NULL) json_set_text(call->arena, out, "id", id);
    if (version != NULL) (void)put_common(call, out, item, version, true);
}

static void show_version(struct vault_call *call, struct json_node *out,
                         const struct vault_item *item, const struct vault_version *version)
{
    rf_str id = vault_object_id(call, "secrets", item->name, version->version);
    if (id.ptr != NULL) json_set_text(call->arena, out, "id", id);
    (void)put_common(call, out, item, version, true);
}

/* What the audit row says of a version: never its value. */
static enum rf_kind note(struct vault_call *call, const struct vault_item *item,
                         const struct vault_version *version, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    bool good = json_set_text(arena, out, "type", version->content_type) != NULL &&
                vault_put_attributes(call, out, item, version, false) != NULL;
    json_remove(out, RF_S("tags"));
    call->audit_id = vault_object_id(call, "secrets", item->name, version->version);
    if (!good || call->audit_id.ptr == NULL) return rf_fail_memory(err, arena);
    call->audit_properties = out;
    return RF_OK;
}

/* ---- reading a value ---------------------------------------------------------------------------------------------------------- */

void vault_wipe(rf_str text)
{
    if (text.len > 0) OPENSSL_cleanse((void *)(uintptr_t)text.ptr, text.len);
}

enum rf_kind vault_secret_find(struct vault_call *call, rf_str name, rf_str version,
                               struct vault_item *item, struct vault_version *out,
                               struct rf_err *err)
{
    RF_TRY(vault_item_need(call, NULL, SEAL_SECRET, name, item, err));
    RF_TRY(vault_version_get(call, NULL, item, version, out, err));
    RF_TRY(note(call, item, out, err));
    if (out->enabled) return RF_OK;
    return vault_fail(call, err, 403, "Forbidden", "SecretDisabled",
                      "Operation get is not allowed on a disabled secret.");
}

enum rf_kind vault_secret_value(struct vault_call *call, const struct vault_item *item,
                                const struct vault_version *version, rf_str *out,
                                struct rf_err *err)
{
    struct seal_ring ring;
    RF_TRY(vault_ring(call, item, &ring, err));
    enum rf_kind kind = seal_open(call->vaults->options.keeper, call->token, &ring, version->sealed,
                                  call->arena, out, err);
    return kind == RF_OK ? kind : vault_seal_refused(call, item, version, err);
}

/* A certificate's PFX as PEM, when the caller asks for that. */
static enum rf_kind convert(struct vault_call *call, const struct vault_item *item,
                            struct vault_version *version, rf_str *value, struct rf_err *err)
{
    bool found = false;
    rf_str wanted = request_parameter(call->request, "outContentType", &found), pem;
    if (!found || wanted.len == 0 || call->api < VAULT_API_2025 ||
        rf_str_eq_nocase(wanted, version->content_type))
        return RF_OK;
    /* Only what the keeper has made: a stranger's PFX may ask for any number of rounds. */
    if (!item->managed || !rf_str_eq_nocase(wanted, rf_str_of(type_pem)) ||
        !rf_str_eq_nocase(version->content_type, rf_str_of(type_pfx)))
        return vault_bad(call, err,
                         "outContentType '%.*s' is not possible here: only certificates' secrets "
                         "of type %s are converted, to %s.",
                         (int)RF_MIN(wanted.len, 100), (const char *)wanted.ptr, type_pfx,
                         type_pem);
    if (vault_convert_bundle(*value, call->arena, &pem, err) != RF_OK)
        return vault_bad(call, err, "The value of this secret is no PFX without a password.");
    vault_wipe(*value);
    *value = pem;
    version->content_type = rf_str_of(type_pem);
    return RF_OK;
}

/* The version before this one of a certificate's secret. */
static enum rf_kind find_previous(struct vault_call *call, const struct vault_item *item,
                                  rf_str version, rf_str *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct vault_call own = *call;
    struct vault_versions list;
    rf_str last = {0};
    own.arena = &scratch;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_versions_list(&own, txn, item, (rf_str){0}, 0, &list, err));
    for (uint32_t i = 0; i < list.count && !rf_str_eq(list.items[i].version, version); i++)
        last = list.items[i].version;
    return rf_arena_str(call->arena, last, out) ? RF_OK : rf_fail_memory(err, call->arena);
}

enum rf_kind vault_secret_answer(struct vault_call *call, const struct vault_item *item,
                                 const struct vault_version *version, rf_str value,
                                 struct rf_err *err)
{
    rf_str previous = {0};
    struct json_node *out = vault_secret_show(call, item, version);
    if (item->managed && call->api >= VAULT_API_2025)
        RF_TRY(find_previous(call, item, version->version, &previous, err));
    bool good = json_set_text(call->arena, out, "value", value) != NULL;
    if (previous.len > 0)
        good = json_set_text(call->arena, out, "previousVersion", previous) != NULL && good;
    if (!good) return rf_fail_memory(err, call->arena);
    http_setf(call->request->response, "ETag", "\"%.*s\"", RF_FMT(version->version));
    return request_answer(call->request, 200, out);
}

static enum rf_kind try_get(struct vault_call *call, void *ctx, struct rf_err *err)
{
    (void)ctx;
    struct vault_item item;
    struct vault_version version;
    rf_str value;
    RF_TRY(vault_secret_find(call, call->name, call->version, &item, &version, err));
    RF_TRY(vault_secret_value(call, &item, &version, &value, err));
    enum rf_kind kind = convert(call, &item, &version, &value, err);
    if (kind == RF_OK) kind = vault_secret_answer(call, &item, &version, value, err);
    vault_wipe(value);
    return kind;
}

static enum rf_kind run_get(struct vault_call *call, struct rf_err *err)
{
    return vault_retry(call, try_get, NULL, err);
}

/* ---- setting ---------------------------------------------------------------------------------------------------------------------- */

/* When the job is to look at a secret that ends at `expires`. */
static int64_t due_of(int64_t expires, int64_t now)
{
    if (expires == SEAL_NO_TIME || expires <= now) return 0;
    return RF_MAX(expires - NEAR_SECONDS, now);
}

/* Whether If-Match, when there is one, names the latest version; without a secret it cannot. */
static enum rf_kind check_match(struct vault_call *call, const struct vault_item *item,
                                struct rf_err *err)
{
    bool found, fits = false;
    rf_str rest = http_header(call->request->http, "If-Match", &found);
    if (!found) return RF_OK;
    while (rest.len > 0 && !fits) {
        size_t comma = rf_str_find(rest, RF_S(","), 0);
        rf_str tag = rf_str_trim(rf_slice(rest, 0, comma == SIZE_MAX ? rest.len : comma));
        rest = comma == SIZE_MAX ? (rf_str){0} : rf_slice(rest, comma + 1, rest.len);
        if (tag.len >= 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"')
            tag = rf_slice(tag, 1, tag.len - 1);
        fits = item->etag != 0 && item->latest.len > 0 &&
               (rf_str_is(tag, "*") || rf_str_eq_nocase(tag, item->latest));
    }
    if (fits) return RF_OK;
    return vault_fail(call, err, 412, "PreconditionFailed", NULL,
                      "The latest version of '%.*s' is none that If-Match names: it was changed "
                      "meanwhile, or is not there.",
                      RF_FMT(call->name));
}

static enum rf_kind read_type(struct vault_call *call, struct vault_version *version,
                              struct rf_err *err)
{
    struct json_node *type;
    RF_TRY(vault_member(call, call->body, "contentType", JSON_T_STRING, &type, err));
    if (type == NULL) return RF_OK;
    if (rf_utf8_count(type->text) > TYPE_CHARS_MAX)
        return vault_bad(call, err,
                         "Property 'contentType' has invalid value: it is at most %d characters "
                         "long.",
                         TYPE_CHARS_MAX);
    version->content_type = type->text;
    return RF_OK;
}

struct setting {
    rf_str value;
    struct vault_item item;
    struct vault_version version;
};

static enum rf_kind read_setting(struct vault_call *call, struct setting *set, struct rf_err *err)
{
    struct json_node *value;
    RF_TRY(vault_member(call, call->body, "value", JSON_T_STRING, &value, err));
    if (value == NULL || value->text.len == 0)
        return vault_bad(call, err, "Property 'value' has invalid value: it must not be empty.");
    if (value->text.len > VALUE_BYTES_MAX)
        return vault_bad(call, err,
                         "Property 'value' has invalid value: it has %zu bytes, at most %d are "
                         "possible.",
                         value->text.len, VALUE_BYTES_MAX);
    set->value = value->text;
    RF_TRY(vault_version_init(call, &set->version, err));
    RF_TRY(read_type(call, &set->version, err));
    return vault_read_attributes(call, true, &set->version, err);
}

/* Behind the keeper's answer: a new version of what is there now. */
static enum rf_kind store_setting(struct vault_call *call, struct setting *set, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, false, &set->item, err));
    RF_TRY(check_match(call, &set->item, err));
    set->item.latest = set->version.version;
    set->item.updated = call->now;
    set->item.due = due_of(set->version.expires, call->now);
    RF_TRY(vault_version_put(call, txn, &set->item, &set->version, err));
    RF_TRY(vault_item_put(call, txn, &set->item, err));
    RF_TRY(vault_publish(call, txn, "Microsoft.KeyVault.SecretNewVersionCreated", SEAL_SECRET,
                         set->item.name, &set->version, err));
    return state_finish(&txn, err);
}

static enum rf_kind open_setting(struct vault_call *call, struct setting *set, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_open(call, txn, SEAL_SECRET, &set->item, err));
    if (set->item.managed) return vault_is_managed(call, &set->item, err);
    return check_match(call, &set->item, err);
}

static enum rf_kind try_set(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct setting *set = ctx;
    struct seal_head head;
    struct seal_ring ring;
    struct sealed sealed;
    RF_TRY(open_setting(call, set, err));
    RF_TRY(vault_ring(call, &set->item, &ring, err));
    vault_head(&set->version, &head);
    head.material = SEAL_VALUE;
    if (seal_put(call->vaults->options.keeper, call->token, &ring, &head, set->value, call->arena,
                 &sealed, err) != RF_OK)
        return vault_seal_refused(call, &set->item, NULL, err);
    set->version.sealed = sealed.version;
    set->item.key = sealed.item_key;
    return store_setting(call, set, err);
}

static enum rf_kind run_set(struct vault_call *call, struct rf_err *err)
{
    struct setting set = {0};
    RF_TRY(vault_check_name(call, call->name, err));
    RF_TRY(read_setting(call, &set, err));
    RF_TRY(vault_retry(call, try_set, &set, err));
    RF_TRY(note(call, &set.item, &set.version, err));
    return vault_secret_answer(call, &set.item, &set.version, set.value, err);
}

/* ---- changing ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_change(struct vault_call *call, struct vault_item *item,
                                struct vault_version *version, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, SEAL_SECRET, call->name, item, err));
    if (item->managed) return vault_is_managed(call, item, err);
    return vault_version_get(call, txn, item, call->version, version, err);
}

/* The keeper heeds what it finds in the head, so a change of that is sealed too. */
static enum rf_kind reseal(struct vault_call *call, const struct vault_item *item,
                           struct vault_version *next, struct rf_err *err)
{
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    RF_TRY(vault_ring(call, item, &ring, err));
    if (seal_head_get(next->sealed, &head, err) != RF_OK) return vault_seal_error(call, err);
    head.enabled = next->enabled;
    head.not_before = next->not_before;
    head.expires = next->expires;
    head.generation++;
    if (seal_change(call->vaults->options.keeper, call->token, &ring, next->sealed, &head,
                    call->arena, &sealed, err) != RF_OK)
        return vault_seal_refused(call, item, next, err);
    next->sealed = sealed.version;
    return RF_OK;
}

static enum rf_kind store_change(struct vault_call *call, struct vault_item *item,
                                 const struct vault_version *next, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, false, item, err));
    RF_TRY(vault_version_put(call, txn, item, next, err));
    if (rf_str_eq(item->latest, next->version)) {
        item->due = due_of(next->expires, call->now);
        item->updated = call->now;
        RF_TRY(vault_item_put(call, txn, item, err));
    }
    return state_finish(&txn, err);
}

static enum rf_kind try_change(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct setting *set = ctx;
    struct vault_version was;
    RF_TRY(load_change(call, &set->item, &was, err));
    set->version = was;
    RF_TRY(read_type(call, &set->version, err));
    RF_TRY(vault_read_attributes(call, true, &set->version, err));
    set->version.updated = call->now;
    if (was.enabled != set->version.enabled || was.not_before != set->version.not_before ||
        was.expires != set->version.expires)
        RF_TRY(reseal(call, &set->item, &set->version, err));
    return store_change(call, &set->item, &set->version, err);
}

static enum rf_kind run_change(struct vault_call *call, struct rf_err *err)
{
    struct setting set = {0};
    RF_TRY(vault_retry(call, try_change, &set, err));
    RF_TRY(note(call, &set.item, &set.version, err));
    struct json_node *out = vault_secret_show(call, &set.item, &set.version);
    if (out == NULL) return rf_fail_memory(err, call->arena);
    http_setf(call->request->response, "ETag", "\"%.*s\"", RF_FMT(set.version.version));
    return request_answer(call->request, 200, out);
}

/* ---- what all collections do ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_list(struct vault_call *call, struct rf_err *err)
{
    return vault_answer_list(call, &(struct vault_list){.kind = SEAL_SECRET, .show = show_item},
                             err);
}
static enum rf_kind run_versions(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_SECRET, .versions = true, .show = show_version};
    return vault_answer_list(call, &list, err);
}
static enum rf_kind run_list_deleted(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_SECRET, .deleted = true, .show = show_item};
    return vault_answer_list(call, &list, err);
}
static enum rf_kind run_delete(struct vault_call *call, struct rf_err *err)
{
    return vault_delete(call, SEAL_SECRET, vault_secret_show, err);
}
static enum rf_kind run_get_deleted(struct vault_call *call, struct rf_err *err)
{
    return vault_deleted_get(call, SEAL_SECRET, vault_secret_show, err);
}
static enum rf_kind run_recover(struct vault_call *call, struct rf_err *err)
{
    return vault_recover(call, SEAL_SECRET, vault_secret_show, err);
}
static enum rf_kind run_purge(struct vault_call *call, struct rf_err *err)
{
    return vault_purge(call, SEAL_SECRET, err);
}
static enum rf_kind run_backup(struct vault_call *call, struct rf_err *err)
{
    return vault_backup(call, SEAL_SECRET, err);
}
static enum rf_kind run_restore(struct vault_call *call, struct rf_err *err)
{
    return vault_restore(call, SEAL_SECRET, vault_secret_show, err);
}

/* clang-format off */
const struct vault_operation vault_secret_operations[] = {
    {HTTP_POST, VAULT_LARGE_BODY, "secrets/restore", "SecretRestore", "secrets/restore/action", NULL, "secrets restore", NULL, run_restore},
    {HTTP_GET, VAULT_NO_BODY, "secrets", "SecretList", "secrets/readMetadata/action", NULL, "secrets list", NULL, run_list},
    {HTTP_GET, VAULT_NO_BODY, "secrets/{name}/versions", "SecretListVersions", "secrets/readMetadata/action", NULL, "secrets list", "secrets", run_versions},
    {HTTP_GET, VAULT_NO_BODY, "secrets/{name}/activity", "SecretActivityGet", "secrets/readMetadata/action", NULL, "secrets list", "secrets", vault_secret_activity},
    {HTTP_GET, VAULT_NO_BODY, "secrets/{name}/readers", "SecretReadersGet", "secrets/readMetadata/action", NULL, "secrets list", "secrets", vault_secret_readers},
    {HTTP_GET, VAULT_NO_BODY, "secrets/{name}/diff", "SecretVersionDiff", "secrets/getSecret/action", NULL, "secrets get", "secrets", vault_secret_diff},
    {HTTP_PUT, 0, "secrets/{name}", "SecretSet", "secrets/setSecret/action", NULL, "secrets set", "secrets", run_set},
    {HTTP_DELETE, VAULT_NO_BODY, "secrets/{name}", "SecretDelete", "secrets/delete", NULL, "secrets delete", "secrets", run_delete},
    {HTTP_POST, VAULT_NO_BODY, "secrets/{name}/backup", "SecretBackup", "secrets/backup/action", NULL, "secrets backup", "secrets", run_backup},
    {HTTP_POST, 0, "secrets/{name}/{version}/wrap", "SecretWrap", "secrets/getSecret/action", NULL, "secrets get", "secrets", vault_secret_wrap},
    {HTTP_POST, 0, "unwrap", "SecretUnwrap", NULL, NULL, "", NULL, vault_secret_unwrap},
    {HTTP_GET, VAULT_NO_BODY, "secrets/{name}/{version}", "SecretGet", "secrets/getSecret/action", NULL, "secrets get", "secrets", run_get},
    {HTTP_PATCH, 0, "secrets/{name}/{version}", "SecretUpdate", "secrets/update/action", NULL, "secrets set", "secrets", run_change},
    {HTTP_GET, VAULT_NO_BODY, "deletedsecrets", "SecretListDeleted", "secrets/readMetadata/action", NULL, "secrets list", NULL, run_list_deleted},
    {HTTP_GET, VAULT_NO_BODY, "deletedsecrets/{name}", "SecretGetDeleted", "secrets/readMetadata/action", NULL, "secrets get", "secrets", run_get_deleted},
    {HTTP_POST, VAULT_NO_BODY, "deletedsecrets/{name}/recover", "SecretRecover", "secrets/recover/action", NULL, "secrets recover", "secrets", run_recover},
    {HTTP_DELETE, VAULT_NO_BODY, "deletedsecrets/{name}", "SecretPurge", "secrets/purge/action", NULL, "secrets purge", "secrets", run_purge},
};
/* clang-format on */
const uint32_t vault_secret_operation_count = RF_COUNT(vault_secret_operations);

/* ---- on time ------------------------------------------------------------------------------------------------------------------------------ */

/* `due` is 30 days before the end at first, then the end itself; *event: what is to be told now. Gives the next. */
static int64_t next_due(const struct vault_item *item, int64_t expires, int64_t now,
                        const char **event)
{
    *event = NULL;
    if (item->managed || expires == SEAL_NO_TIME) return 0;
    if (item->due == VAULT_DUE_LOOK) return due_of(expires, now);
    if (now < expires - NEAR_SECONDS) return expires - NEAR_SECONDS;
    if (item->due < expires) *event = "Microsoft.KeyVault.SecretNearExpiry";
    if (item->due < expires || now < expires) return expires;
    *event = "Microsoft.KeyVault.SecretExpired";
    return 0;
}

enum rf_kind vault_secret_due(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    struct vault_version version;
    const char *event;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, true, item, err));
    RF_TRY(vault_version_get(call, txn, item, (rf_str){0}, &version, err));
    item->due = next_due(item, version.expires, call->now, &event);
    RF_TRY(vault_item_put(call, txn, item, err));
    if (event != NULL)
        RF_TRY(vault_publish(call, txn, event, SEAL_SECRET, item->name, &version, err));
    return state_finish(&txn, err);
}
