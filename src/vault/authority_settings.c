/* authority_settings.c - what an issuer of provider Ringfort-CA may be told: "ca" (kept as "caSettings" and "rootSubject"), "acme", and the keys of external accounts.
 *
 * "acmeKeys" of an issuer: [{"kid","name","created","key" (base64)}]. `key` is a data key of the keeper's (crypt/keeper.h), wrapped; in clear it is the HMAC
 * key itself, so that it lies nowhere but in the keeper and, once, with the one who asked for it. */
#include <openssl/crypto.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/authority_int.h"

enum {
    DAYS_MAX = 3650,
    DAYS_DEFAULT = 90,
    ALLOWED_MAX = 100,
    KEYS_MAX = 50,
    KID_BYTES = 16,
    KEY_NAME_CHARS_MAX = 100,
    DNS_BYTES_MAX = 253,
    LABEL_BYTES_MAX = 63,
    HMAC_BYTES = 32
};
static const char label[] = "acme-account";

/* ---- names that may be asked for ------------------------------------------------------------------------------------------ */

static bool is_label(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '-') return false;
    return text.len > 0 && text.len <= LABEL_BYTES_MAX && text.ptr[0] != '-' &&
           text.ptr[text.len - 1] != '-';
}

/* "truck.contoso.test", "*.contoso.test". */
static bool is_pattern(rf_str text)
{
    if (text.len > DNS_BYTES_MAX) return false;
    for (size_t from = rf_str_starts(text, RF_S("*.")) ? 2 : 0; from <= text.len;) {
        size_t dot = rf_str_find(text, RF_S("."), from);
        size_t to = dot == SIZE_MAX ? text.len : dot;
        if (!is_label(rf_slice(text, from, to))) return false;
        from = to + 1;
    }
    return true;
}

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *bytes = rf_arena_alloc(arena, text.len);
    for (size_t i = 0; bytes != NULL && i < text.len; i++) bytes[i] = rf_lower(text.ptr[i]);
    return bytes == NULL ? (rf_str){0} : rf_str_make(bytes, text.len);
}

static enum rf_kind read_allowed(struct vault_call *call, const struct json_node *in,
                                 struct json_node *out, struct rf_err *err)
{
    struct json_node *given, *list = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(vault_member(call, in, "allowedNames", JSON_T_ARRAY, &given, err));
    if (given == NULL) return RF_OK;
    if (given->count > ALLOWED_MAX)
        return vault_bad(call, err,
                         "Property 'acme.allowedNames' has invalid value: at most %d are possible.",
                         ALLOWED_MAX);
    for (const struct json_node *item = given->first; item != NULL; item = item->next) {
        if (item->type != JSON_T_STRING || !is_pattern(item->text))
            return vault_bad(call, err,
                             "Property 'acme.allowedNames' has invalid value: '%.*s' is no host "
                             "name, or one with a single '*.' in front.",
                             (int)RF_MIN(item->text.len, 100), (const char *)item->text.ptr);
        rf_str text = lower(call->arena, item->text);
        if (text.ptr == NULL || json_append(list, json_new_text(call->arena, text)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return json_set(call->arena, out, RF_S("allowedNames"), list) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* ---- settings ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_truth(struct vault_call *call, const struct json_node *in,
                               const char *name, bool fallback, struct json_node *out,
                               struct rf_err *err)
{
    struct json_node *given;
    RF_TRY(vault_member(call, in, name, JSON_T_TRUE, &given, err));
    if (given == NULL && json_get(out, name) != NULL) return RF_OK;
    bool truth = given == NULL ? fallback : given->type == JSON_T_TRUE;
    return json_set_bool(call->arena, out, name, truth) == NULL ? rf_fail_memory(err, call->arena)
                                                                : RF_OK;
}

/* `fallback` 0: none. */
static enum rf_kind read_number(struct vault_call *call, const struct json_node *in,
                                const char *group, const char *name, int64_t most, int64_t fallback,
                                struct json_node *out, struct rf_err *err)
{
    struct json_node *given;
    int64_t number = fallback;
    RF_TRY(vault_member(call, in, name, JSON_T_NUMBER, &given, err));
    if (given == NULL && (fallback == 0 || json_get(out, name) != NULL)) return RF_OK;
    if (given != NULL && (!json_i64_at(in, name, &number) || number < 1 || number > most))
        return vault_bad(call, err,
                         "Property '%s.%s' has invalid value: it is a whole number from 1 to %lld.",
                         group, name, (long long)most);
    return json_set_i64(call->arena, out, name, number) == NULL ? rf_fail_memory(err, call->arena)
                                                                : RF_OK;
}

static enum rf_kind read_acme(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    struct json_node *in;
    RF_TRY(vault_member(call, call->body, "acme", JSON_T_OBJECT, &in, err));
    if (in == NULL) return RF_OK;
    struct json_node *out = json_object_in(call->arena, node, "acme");
    RF_TRY(read_truth(call, in, "enabled", false, out, err));
    RF_TRY(read_truth(call, in, "externalAccountRequired", true, out, err));
    RF_TRY(read_number(call, in, "acme", "validityDays", DAYS_MAX, DAYS_DEFAULT, out, err));
    return read_allowed(call, in, out, err);
}

static enum rf_kind read_subject(struct vault_call *call, const struct json_node *in,
                                 struct json_node *node, struct rf_err *err)
{
    struct json_node *given;
    X509_NAME *subject;
    const char *why;
    RF_TRY(vault_member(call, in, "rootSubject", JSON_T_STRING, &given, err));
    if (given == NULL || rf_str_eq(given->text, json_text_at(node, "rootSubject"))) return RF_OK;
    if (json_get(node, "ca") != NULL)
        return vault_bad(call, err,
                         "Property 'ca.rootSubject' can only be set before the issuer has made its "
                         "root.");
    if (!vault_cert_subject(given->text, &subject, &why))
        return vault_bad(call, err, "Property 'ca.rootSubject' has invalid value: it %s.", why);
    bool is_empty = X509_NAME_entry_count(subject) == 0;
    X509_NAME_free(subject);
    if (is_empty)
        return vault_bad(call, err, "Property 'ca.rootSubject' has invalid value: it is empty.");
    return json_set_text(call->arena, node, "rootSubject", given->text) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

enum rf_kind authority_read_settings(struct vault_call *call, struct json_node *node,
                                     struct rf_err *err)
{
    struct json_node *in;
    RF_TRY(read_acme(call, node, err));
    RF_TRY(vault_member(call, call->body, "ca", JSON_T_OBJECT, &in, err));
    if (in == NULL) return RF_OK;
    struct json_node *out = json_object_in(call->arena, node, "caSettings");
    RF_TRY(read_number(call, in, "ca", "validityMonthsMax", CERT_MONTHS_MAX, 0, out, err));
    return read_subject(call, in, node, err);
}

/* ---- showing -------------------------------------------------------------------------------------------------------------------- */

static bool show_key(struct rf_arena *arena, const struct json_node *key, struct json_node *out)
{
    int64_t created = 0;
    (void)json_i64_at(key, "created", &created);
    return json_set_text(arena, out, "kid", json_text_at(key, "kid")) != NULL &&
           json_set_text(arena, out, "name", json_text_at(key, "name")) != NULL &&
           json_set_i64(arena, out, "created", created) != NULL;
}

static struct json_node *show_keys(struct rf_arena *arena, const struct json_node *issuer)
{
    const struct json_node *keys = json_get(issuer, "acmeKeys");
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (const struct json_node *key = keys == NULL ? NULL : keys->first;
         key != NULL && list != NULL; key = key->next) {
        struct json_node *shown = json_new(arena, JSON_T_OBJECT);
        if (!show_key(arena, key, shown) || json_append(list, shown) == NULL) list = NULL;
    }
    return list;
}

bool authority_show_settings(struct rf_arena *arena, const struct json_node *issuer,
                             struct json_node *out)
{
    const struct json_node *settings = json_get(issuer, "caSettings"),
                           *acme = json_get(issuer, "acme");
    rf_str subject = json_text_at(issuer, "rootSubject");
    bool good = subject.len == 0 || json_set_text(arena, json_object_in(arena, out, "ca"),
                                                  "rootSubject", subject) != NULL;
    for (const struct json_node *m = settings == NULL ? NULL : settings->first; m != NULL;
         m = m->next)
        good = json_set(arena, json_object_in(arena, out, "ca"), m->name, json_clone(arena, m)) !=
                   NULL &&
               good;
    if (acme == NULL) return good;
    struct json_node *shown = json_clone(arena, acme);
    return json_set(arena, shown, RF_S("accountKeys"), show_keys(arena, issuer)) != NULL &&
           json_set(arena, out, RF_S("acme"), shown) != NULL && good;
}

/* ---- keys of external accounts ---------------------------------------------------------------------------------------------------- */

static struct json_node *find_key(const struct json_node *issuer, rf_str kid)
{
    const struct json_node *keys = json_get(issuer, "acmeKeys");
    for (struct json_node *key = keys == NULL ? NULL : keys->first; key != NULL; key = key->next)
        if (rf_str_eq(json_text_at(key, "kid"), kid)) return key;
    return NULL;
}

static enum rf_kind no_key(struct vault_call *call, rf_str kid, struct rf_err *err)
{
    return vault_fail(call, err, 404, "AccountKeyNotFound", NULL,
                      "The issuer has no key of an external account with the id '%.*s'.",
                      (int)RF_MIN(kid.len, 64), (const char *)kid.ptr);
}

static enum rf_kind store(struct vault_call *call, const struct json_node *node, uint64_t *etag,
                          struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_issuer_store(call, txn, json_text_at(node, "name"), node, etag, err));
    return state_finish(&txn, err);
}

struct account_key {
    rf_str name, kid, wrapped;
    struct json_node *found;
};

static enum rf_kind try_add(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct account_key *add = ctx;
    struct rf_arena *arena = call->arena;
    struct json_node *node, *key = json_new(arena, JSON_T_OBJECT);
    uint64_t etag;
    RF_TRY(authority_node(call, call->name, &node, &etag, err));
    struct json_node *keys = json_get(node, "acmeKeys");
    if (keys == NULL) keys = json_set(arena, node, RF_S("acmeKeys"), json_new(arena, JSON_T_ARRAY));
    if (keys != NULL && keys->count >= KEYS_MAX)
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "An issuer has at most %d keys of external accounts: delete some first.",
                          KEYS_MAX);
    rf_str text = base64_encode(arena, add->wrapped);
    bool good = text.ptr != NULL && json_set_text(arena, key, "kid", add->kid) != NULL &&
                json_set_text(arena, key, "name", add->name) != NULL &&
                json_set_i64(arena, key, "created", call->now) != NULL &&
                json_set_text(arena, key, "key", text) != NULL && json_append(keys, key) != NULL;
    add->found = key;
    return good ? store(call, node, &etag, err) : rf_fail_memory(err, arena);
}

static enum rf_kind answer_key(struct vault_call *call, const struct account_key *add,
                               const uint8_t *key, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str text = base64url_encode(arena, rf_str_make(key, HMAC_BYTES));
    bool good = text.ptr != NULL && show_key(arena, add->found, out) &&
                json_set_text(arena, out, "hmacKey", text) != NULL;
    enum rf_kind kind = good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
    if (text.ptr != NULL) vault_wipe(text);
    return kind;
}

enum rf_kind authority_keys_add(struct vault_call *call, struct rf_err *err)
{
    uint8_t wrapped[KEEPER_DATA_KEY_BYTES], key[HMAC_BYTES], id[KID_BYTES];
    struct json_node *name;
    struct account_key add = {.wrapped = rf_str_make(wrapped, sizeof wrapped)};
    RF_TRY(vault_member(call, call->body, "name", JSON_T_STRING, &name, err));
    if (name == NULL || name->text.len == 0 || rf_utf8_count(name->text) > KEY_NAME_CHARS_MAX)
        return vault_bad(call, err,
                         "Property 'name' is required: what the key is for, in at most %d "
                         "characters.",
                         KEY_NAME_CHARS_MAX);
    random_bytes(id, sizeof id);
    add.name = name->text;
    add.kid = hex_encode(call->arena, rf_str_make(id, sizeof id));
    if (add.kid.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (keeper_data_key_new(call->vaults->options.keeper, label, wrapped, key, err) != RF_OK)
        return vault_seal_error(call, err);
    enum rf_kind kind = vault_retry(call, try_add, &add, err);
    if (kind == RF_OK) kind = answer_key(call, &add, key, err);
    OPENSSL_cleanse(key, sizeof key);
    return kind;
}

enum rf_kind authority_keys_list(struct vault_call *call, struct rf_err *err)
{
    struct json_node *node, *out = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(authority_node(call, call->name, &node, NULL, err));
    return json_set(call->arena, out, RF_S("value"), show_keys(call->arena, node)) == NULL
               ? rf_fail_memory(err, call->arena)
               : request_answer(call->request, 200, out);
}

static enum rf_kind try_delete(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct account_key *gone = ctx;
    struct json_node *node, *keys = json_new(call->arena, JSON_T_ARRAY);
    uint64_t etag;
    RF_TRY(authority_node(call, call->name, &node, &etag, err));
    gone->found = find_key(node, gone->kid);
    if (gone->found == NULL) return no_key(call, gone->kid, err);
    for (const struct json_node *key = json_get(node, "acmeKeys")->first; key != NULL;
         key = key->next)
        if (key != gone->found && json_append(keys, json_clone(call->arena, key)) == NULL)
            return rf_fail_memory(err, call->arena);
    gone->found = json_clone(call->arena, gone->found);
    bool good = gone->found != NULL && json_set(call->arena, node, RF_S("acmeKeys"), keys) != NULL;
    return good ? store(call, node, &etag, err) : rf_fail_memory(err, call->arena);
}

enum rf_kind authority_keys_delete(struct vault_call *call, struct rf_err *err)
{
    struct account_key gone = {.kid = call->version};
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    rf_str wrapped, proof;
    if (gone.kid.len == 0) return no_key(call, gone.kid, err);
    RF_TRY(vault_retry(call, try_delete, &gone, err));
    RF_TRY(base64_decode(call->arena, json_text_at(gone.found, "key"), &wrapped, err));
    if (keeper_data_key_destroy(call->vaults->options.keeper, wrapped, label, call->arena, &proof,
                                err) != RF_OK &&
        strcmp(err->code, "SealDestroyed") != 0)
        return vault_seal_error(call, err);
    return show_key(call->arena, gone.found, out) ? request_answer(call->request, 200, out)
                                                  : rf_fail_memory(err, call->arena);
}

/* ---- for the ACME server ------------------------------------------------------------------------------------------------------------ */

struct settings {
    rf_str issuer, id;
    const struct json_node *acme;
};

/* Accounts hang on the id, so it needs the root, which tells this issuer from another one of its name. */
static enum rf_kind try_settings(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct settings *out = ctx;
    struct authority authority;
    struct json_node *node;
    RF_TRY(authority_node(call, out->issuer, &node, NULL, err));
    if (!json_bool_at(node, "attributes.enabled", true))
        return authority_none(call, out->issuer, err);
    if (json_get(node, "ca") == NULL && json_bool_at(node, "acme.enabled", false)) {
        RF_TRY(authority_open(call, out->issuer, &authority, err));
        node = authority.node;
    }
    rf_str name = lower(call->arena, json_text_at(node, "name"));
    rf_str root = json_text_at(node, "ca.item");
    out->acme = json_get(node, "acme");
    out->id = rf_arena_printf(call->arena, "%.*s/%.*s%s%.*s", RF_FMT(call->place.guid),
                              RF_FMT(name), root.len == 0 ? "" : "/", RF_FMT(root));
    return name.ptr == NULL || out->id.ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

enum rf_kind authority_settings(struct vaults *vaults, rf_str vault, rf_str issuer,
                                struct rf_arena *arena, rf_str *id, const struct json_node **acme,
                                struct rf_err *err)
{
    struct vault_call call;
    struct settings settings = {.issuer = issuer};
    RF_TRY(authority_call(vaults, vault, arena, &call, err));
    RF_TRY(vault_retry(&call, try_settings, &settings, err));
    *id = settings.id;
    *acme = settings.acme;
    return RF_OK;
}

enum rf_kind authority_account_key(struct vaults *vaults, rf_str vault, rf_str issuer, rf_str kid,
                                   struct rf_arena *arena, rf_str *key, struct rf_err *err)
{
    struct vault_call call;
    struct json_node *node;
    rf_str wrapped;
    RF_TRY(authority_call(vaults, vault, arena, &call, err));
    RF_TRY(authority_node(&call, issuer, &node, NULL, err));
    const struct json_node *found = find_key(node, kid);
    if (found == NULL) return no_key(&call, kid, err);
    RF_TRY(base64_decode(arena, json_text_at(found, "key"), &wrapped, err));
    uint8_t *out = rf_arena_alloc(arena, HMAC_BYTES);
    if (out == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = keeper_data_key_open(vaults->options.keeper, wrapped, out, err);
    if (kind == RF_DENIED && strcmp(err->code, "SealDestroyed") == 0)
        return no_key(&call, kid, err);
    RF_TRY(kind);
    *key = rf_str_make(out, HMAC_BYTES);
    return RF_OK;
}
