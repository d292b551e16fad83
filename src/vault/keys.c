/* keys.c - keys: made, imported, shown, changed, listed. */
#include "vault/keys_int.h"

#include "vault/certificates_int.h"
#include "vault/report_int.h"

enum { BITS_DEFAULT_RSA = 2048, BITS_DEFAULT_OCT = 256, OPS_MAX = 16 };

/* ---- words ------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    unsigned op;
} op_words[] = {
    {"encrypt", SEAL_OP_ENCRYPT},
    {"decrypt", SEAL_OP_DECRYPT},
    {"sign", SEAL_OP_SIGN},
    {"verify", SEAL_OP_VERIFY},
    {"wrapKey", SEAL_OP_WRAP},
    {"unwrapKey", SEAL_OP_UNWRAP},
    {"import", 0},
    {"export", 0}, /* without release they mean nothing */
};

static const struct {
    const char *curve;
    enum seal_material material;
} curves[] = {{"P-256", SEAL_P256},
              {"P-384", SEAL_P384},
              {"P-521", SEAL_P521},
              {"P-256K", SEAL_P256K},
              {"SECP256K1", SEAL_P256K}};

const char *vault_key_curve(enum seal_material material)
{
    for (size_t i = 0; i < RF_COUNT(curves); i++)
        if (curves[i].material == material) return curves[i].curve;
    return NULL;
}

static unsigned default_ops(enum seal_material material)
{
    unsigned all = SEAL_OP_ENCRYPT | SEAL_OP_DECRYPT | SEAL_OP_SIGN | SEAL_OP_VERIFY |
                   SEAL_OP_WRAP | SEAL_OP_UNWRAP;
    return material == SEAL_RSA || material == SEAL_OCT ? all : SEAL_OP_SIGN | SEAL_OP_VERIFY;
}

static struct json_node *words_of(struct rf_arena *arena, unsigned ops)
{
    struct json_node *out = json_new(arena, JSON_T_ARRAY);
    for (size_t i = 0; out != NULL && i < RF_COUNT(op_words); i++)
        if ((ops & op_words[i].op) != 0 &&
            json_append(out, json_new_text(arena, rf_str_of(op_words[i].word))) == NULL)
            return NULL;
    return out;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------------ */

static struct json_node *put_attributes(struct vault_call *call, struct json_node *out,
                                        const struct vault_item *item,
                                        const struct vault_version *version, bool list)
{
    struct seal_head head;
    struct json_node *attributes = vault_put_attributes(call, out, item, version, list);
    if (attributes == NULL || version->sealed.len == 0) return attributes;
    if (seal_head_get(version->sealed, &head, NULL) != RF_OK) return NULL;
    if (json_set_bool(call->arena, attributes, "exportable", head.exportable) == NULL) return NULL;
    if (call->api >= 750 &&
        json_set_text(call->arena, attributes, "hsmPlatform", RF_S("0")) == NULL)
        return NULL;
    return item->managed ? json_set_bool(call->arena, out, "managed", true) : attributes;
}

/* "key": what the version's `more` has, behind its id. */
static struct json_node *put_key(struct vault_call *call, struct json_node *out,
                                 const struct vault_item *item, const struct vault_version *version)
{
    struct rf_arena *arena = call->arena;
    struct json_node *key = json_object_in(arena, out, "key");
    rf_str kid = vault_object_id(call, "keys", item->name, version->version);
    if (key == NULL || kid.ptr == NULL || json_set_text(arena, key, "kid", kid) == NULL)
        return NULL;
    const struct json_node *from = version->more == NULL ? NULL : version->more->first;
    for (; from != NULL; from = from->next) {
        struct json_node *copy = json_clone(arena, from);
        if (copy == NULL || json_set(arena, key, from->name, copy) == NULL) return NULL;
    }
    /* Keys of certificates have no words of their own: the head says what they are for. */
    struct seal_head head;
    if (json_get(key, "key_ops") == NULL && version->sealed.len > 0 &&
        seal_head_get(version->sealed, &head, NULL) == RF_OK &&
        json_set(arena, key, RF_S("key_ops"), words_of(arena, head.ops)) == NULL)
        return NULL;
    return key;
}

struct json_node *vault_key_show(struct vault_call *call, const struct vault_item *item,
                                 const struct vault_version *version)
{
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    if (out == NULL || version == NULL) return out;
    if (put_key(call, out, item, version) == NULL) return NULL;
    return put_attributes(call, out, item, version, false) == NULL ? NULL : out;
}

static void show_item(struct vault_call *call, struct json_node *out, const struct vault_item *item,
                      const struct vault_version *version)
{
    rf_str kid = vault_object_id(call, "keys", item->name, (rf_str){0});
    if (kid.ptr != NULL) json_set_text(call->arena, out, "kid", kid);
    if (version != NULL) (void)put_attributes(call, out, item, version, true);
}

static void show_version(struct vault_call *call, struct json_node *out,
                         const struct vault_item *item, const struct vault_version *version)
{
    rf_str kid = vault_object_id(call, "keys", item->name, version->version);
    if (kid.ptr != NULL) json_set_text(call->arena, out, "kid", kid);
    (void)put_attributes(call, out, item, version, true);
}

/* What the audit row says of a version. */
static enum rf_kind note(struct vault_call *call, const struct vault_item *item,
                         const struct vault_version *version, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str kty = json_text_at(version->more, "kty");
    bool good = json_set_text(arena, out, "type", kty) != NULL &&
                vault_put_attributes(call, out, item, version, false) != NULL;
    json_remove(out, RF_S("tags"));
    call->audit_id = vault_object_id(call, "keys", item->name, version->version);
    if (!good || call->audit_id.ptr == NULL) return rf_fail_memory(err, arena);
    call->audit_properties = out;
    return RF_OK;
}

static enum rf_kind answer(struct vault_call *call, const struct vault_item *item,
                           const struct vault_version *version, struct rf_err *err)
{
    RF_TRY(note(call, item, version, err));
    struct json_node *out = vault_key_show(call, item, version);
    return out == NULL ? rf_fail_memory(err, call->arena) : request_answer(call->request, 200, out);
}

enum rf_kind vault_key_find(struct vault_call *call, struct vault_item *item,
                            struct vault_version *version, struct rf_err *err)
{
    RF_TRY(vault_item_need(call, NULL, SEAL_KEY, call->name, item, err));
    RF_TRY(vault_version_get(call, NULL, item, call->version, version, err));
    return note(call, item, version, err);
}

static enum rf_kind run_get(struct vault_call *call, struct rf_err *err)
{
    struct vault_item item;
    struct vault_version version;
    RF_TRY(vault_key_find(call, &item, &version, err));
    return answer(call, &item, &version, err);
}

/* ---- what a body says of a key ------------------------------------------------------------------------------------------ */

static enum rf_kind bad_property(struct vault_call *call, const char *name, const char *what,
                                 struct rf_err *err)
{
    return vault_bad(call, err, "Property '%s' has invalid value: %s.", name, what);
}

/* "key_ops" of `object`; the words are kept as they were given, each once. *words NULL: there are none. */
static enum rf_kind read_ops(struct vault_call *call, const struct json_node *object, unsigned *ops,
                             struct json_node **words, struct rf_err *err)
{
    struct json_node *given, *kept = json_new(call->arena, JSON_T_ARRAY);
    *words = NULL;
    RF_TRY(vault_member(call, object, "key_ops", JSON_T_ARRAY, &given, err));
    if (given == NULL) return RF_OK;
    if (kept == NULL) return rf_fail_memory(err, call->arena);
    unsigned seen = 0;
    *ops = 0;
    for (const struct json_node *n = given->first; n != NULL; n = n->next) {
        size_t i = 0;
        while (i < RF_COUNT(op_words) &&
               !(json_is(n, JSON_T_STRING) && rf_str_is(n->text, op_words[i].word)))
            i++;
        if (i == RF_COUNT(op_words))
            return bad_property(call, "key_ops",
                                "its words are encrypt, decrypt, sign, verify, wrapKey, unwrapKey, "
                                "import, export",
                                err);
        if ((seen & 1u << i) != 0) continue;
        seen |= 1u << i;
        *ops |= op_words[i].op;
        if (json_append(kept, json_new_text(call->arena, rf_str_of(op_words[i].word))) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    *words = kept;
    return RF_OK;
}

/* An elliptic key cannot encrypt, and nothing symmetric is public. */
static enum rf_kind check_ops(struct vault_call *call, const struct seal_head *head,
                              struct rf_err *err)
{
    if ((head->ops & ~default_ops(head->material)) == 0) return RF_OK;
    return bad_property(call, "key_ops", "a key of this type cannot do one of them", err);
}

static enum rf_kind read_size(struct vault_call *call, uint32_t *bits, const char *allowed,
                              const uint32_t *sizes, struct rf_err *err)
{
    struct json_node *size;
    int64_t wanted;
    RF_TRY(vault_member(call, call->body, "key_size", JSON_T_NUMBER, &size, err));
    if (size == NULL) return RF_OK;
    for (size_t i = 0; i < 3 && json_i64_at(call->body, "key_size", &wanted); i++)
        if (wanted == (int64_t)sizes[i]) {
            *bits = sizes[i];
            return RF_OK;
        }
    return bad_property(call, "key_size", allowed, err);
}

static enum rf_kind read_rsa(struct vault_call *call, struct seal_head *head, struct rf_err *err)
{
    static const uint32_t sizes[] = {2048, 3072, 4096};
    struct json_node *exponent;
    int64_t e = 65537;
    head->material = SEAL_RSA;
    head->bits = BITS_DEFAULT_RSA;
    RF_TRY(vault_member(call, call->body, "public_exponent", JSON_T_NUMBER, &exponent, err));
    if (exponent != NULL && (!json_i64_at(call->body, "public_exponent", &e) || e != 65537))
        return bad_property(call, "public_exponent", "only 65537 is possible", err);
    return read_size(call, &head->bits, "RSA keys have 2048, 3072 or 4096 bits", sizes, err);
}

static enum rf_kind read_curve(struct vault_call *call, struct seal_head *head, struct rf_err *err)
{
    struct json_node *curve;
    head->material = SEAL_P256;
    RF_TRY(vault_member(call, call->body, "crv", JSON_T_STRING, &curve, err));
    if (curve == NULL) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(curves); i++)
        if (rf_str_eq_nocase(curve->text, rf_str_of(curves[i].curve))) {
            head->material = curves[i].material;
            return RF_OK;
        }
    return bad_property(call, "crv", "curves are P-256, P-384, P-521, P-256K", err);
}

static enum rf_kind read_oct(struct vault_call *call, struct seal_head *head, struct rf_err *err)
{
    static const uint32_t sizes[] = {128, 192, 256};
    head->material = SEAL_OCT;
    head->bits = BITS_DEFAULT_OCT;
    return read_size(call, &head->bits, "oct keys have 128, 192 or 256 bits", sizes, err);
}

static enum rf_kind no_hardware(struct vault_call *call, struct rf_err *err)
{
    return bad_property(call, "kty",
                        "keys of hardware (-HSM) need a vault of SKU premium and a configured "
                        "hardware token",
                        err);
}

static enum rf_kind read_kind(struct vault_call *call, struct seal_head *head, struct rf_err *err)
{
    struct json_node *kty;
    RF_TRY(vault_member(call, call->body, "kty", JSON_T_STRING, &kty, err));
    if (kty != NULL && rf_str_is(kty->text, "RSA")) return read_rsa(call, head, err);
    if (kty != NULL && rf_str_is(kty->text, "EC")) return read_curve(call, head, err);
    if (kty != NULL && rf_str_is(kty->text, "oct")) return read_oct(call, head, err);
    if (kty != NULL && rf_str_ends(kty->text, RF_S("-HSM"))) return no_hardware(call, err);
    return bad_property(call, "kty", "types are RSA, EC, oct", err);
}

/* What create and import share. `ops_in` is the object that has "key_ops". */
static enum rf_kind read_rest(struct vault_call *call, const struct json_node *ops_in,
                              struct key_making *making, struct rf_err *err)
{
    struct json_node *words, *attributes, *policy;
    making->head.ops = default_ops(making->head.material);
    RF_TRY(read_ops(call, ops_in, &making->head.ops, &words, err));
    RF_TRY(check_ops(call, &making->head, err));
    RF_TRY(vault_member(call, call->body, "release_policy", JSON_T_OBJECT, &policy, err));
    RF_TRY(vault_member(call, call->body, "attributes", JSON_T_OBJECT, &attributes, err));
    RF_TRY(vault_read_attributes(call, true, &making->version, err));
    making->head.exportable = json_bool_at(attributes, "exportable", false);
    if (policy != NULL || making->head.exportable)
        return vault_bad(call, err,
                         "Property '%s' has invalid value: keys are not released from this vault.",
                         policy != NULL ? "release_policy" : "attributes.exportable");
    if (words == NULL) words = words_of(call->arena, making->head.ops);
    making->version.more = json_new(call->arena, JSON_T_OBJECT);
    if (words == NULL || making->version.more == NULL ||
        json_set(call->arena, making->version.more, RF_S("key_ops"), words) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_key_describe(struct vault_call *call, struct key_making *making,
                                rf_str public_key, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *more = making->version.more, *jwk, *all = json_new(arena, JSON_T_OBJECT);
    jwk = public_key.len == 0 ? json_new(arena, JSON_T_OBJECT) : vault_cert_jwk(arena, public_key);
    if (all == NULL || jwk == NULL) return rf_fail_memory(err, arena);
    if (public_key.len == 0) json_set_text(arena, jwk, "kty", RF_S("oct"));
    struct json_node *kty = json_get(jwk, "kty"), *ops = json_get(more, "key_ops");
    bool good = kty != NULL && ops != NULL &&
                json_set(arena, all, RF_S("kty"), json_clone(arena, kty)) != NULL &&
                json_set(arena, all, RF_S("key_ops"), json_clone(arena, ops)) != NULL;
    for (const struct json_node *n = jwk->first; good && n != NULL; n = n->next)
        if (!rf_str_is(n->name, "kty"))
            good = json_set(arena, all, n->name, json_clone(arena, n)) != NULL;
    making->version.more = all;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind vault_key_seal(struct vault_call *call, struct key_making *making, struct rf_err *err)
{
    struct keeper *keeper = call->vaults->options.keeper;
    struct seal_head head;
    struct seal_ring ring;
    struct sealed sealed;
    RF_TRY(vault_ring(call, &making->item, &ring, err));
    vault_head(&making->version, &head);
    head.material = making->head.material;
    head.bits = making->head.bits;
    head.ops = making->head.ops;
    head.exportable = making->head.exportable;
    enum rf_kind kind =
        making->material.len > 0
            ? seal_put(keeper, call->token, &ring, &head, making->material, call->arena, &sealed,
                       err)
            : seal_key_new(keeper, call->token, &ring, &head, call->arena, &sealed, err);
    if (kind != RF_OK) return vault_seal_refused(call, &making->item, NULL, err);
    making->version.sealed = sealed.version;
    making->item.key = sealed.item_key;
    return vault_key_describe(call, making, sealed.public_key, err);
}

enum rf_kind vault_key_store(struct vault_call *call, struct key_making *making, bool same_etag,
                             struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, same_etag, &making->item, err));
    making->item.latest = making->version.version;
    making->item.updated = call->now;
    making->item.due = vault_key_next(&making->item, &making->version, call->now);
    RF_TRY(vault_version_put(call, txn, &making->item, &making->version, err));
    RF_TRY(vault_item_put(call, txn, &making->item, err));
    RF_TRY(vault_publish(call, txn, "Microsoft.KeyVault.KeyNewVersionCreated", SEAL_KEY,
                         making->item.name, &making->version, err));
    return state_finish(&txn, err);
}

static enum rf_kind open_item(struct vault_call *call, struct key_making *making,
                              struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_open(call, txn, SEAL_KEY, &making->item, err));
    return making->item.managed ? vault_is_managed(call, &making->item, err) : RF_OK;
}

static enum rf_kind try_make(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct key_making *making = ctx;
    RF_TRY(open_item(call, making, err));
    RF_TRY(vault_key_seal(call, making, err));
    return vault_key_store(call, making, false, err);
}

static enum rf_kind make(struct vault_call *call, struct key_making *making, struct rf_err *err)
{
    RF_TRY(vault_retry(call, try_make, making, err));
    return answer(call, &making->item, &making->version, err);
}

static enum rf_kind run_create(struct vault_call *call, struct rf_err *err)
{
    struct key_making making = {.material = {0}};
    RF_TRY(vault_check_name(call, call->name, err));
    RF_TRY(vault_version_init(call, &making.version, err));
    RF_TRY(read_kind(call, &making.head, err));
    RF_TRY(read_rest(call, call->body, &making, err));
    return make(call, &making, err);
}

static enum rf_kind run_import(struct vault_call *call, struct rf_err *err)
{
    struct key_making making = {.material = {0}};
    struct json_node *jwk, *hsm;
    RF_TRY(vault_check_name(call, call->name, err));
    RF_TRY(vault_version_init(call, &making.version, err));
    RF_TRY(vault_member(call, call->body, "Hsm", JSON_T_TRUE, &hsm, err));
    if (hsm != NULL && json_bool_at(call->body, "Hsm", false)) return no_hardware(call, err);
    RF_TRY(vault_member(call, call->body, "key", JSON_T_OBJECT, &jwk, err));
    if (jwk == NULL) return bad_property(call, "key", "a JSON Web Key is needed", err);
    if (rf_str_ends(json_text_at(jwk, "kty"), RF_S("-HSM"))) return no_hardware(call, err);
    struct rf_err why;
    enum rf_kind kind = vault_jwk_read(jwk, call->arena, &making.head, &making.material, &why);
    if (kind == RF_INVALID)
        return vault_bad(call, err, "Property 'key' has invalid value: %s", why.text);
    if (kind != RF_OK) {
        *err = why;
        return kind;
    }
    kind = read_rest(call, jwk, &making, err);
    if (kind == RF_OK) kind = make(call, &making, err);
    vault_wipe(making.material);
    return kind;
}

/* ---- changing ----------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_change(struct vault_call *call, struct key_making *making,
                                struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, SEAL_KEY, call->name, &making->item, err));
    if (making->item.managed) return vault_is_managed(call, &making->item, err);
    RF_TRY(vault_version_get(call, txn, &making->item, call->version, &making->version, err));
    if (seal_head_get(making->version.sealed, &making->head, err) != RF_OK)
        return vault_seal_error(call, err);
    return RF_OK;
}

/* The keeper heeds what is in the head, so a change of that is sealed too. */
static enum rf_kind reseal(struct vault_call *call, struct key_making *making, struct rf_err *err)
{
    struct seal_ring ring;
    struct sealed sealed;
    struct vault_version *version = &making->version;
    RF_TRY(vault_ring(call, &making->item, &ring, err));
    making->head.enabled = version->enabled;
    making->head.not_before = version->not_before;
    making->head.expires = version->expires;
    making->head.generation++;
    if (seal_change(call->vaults->options.keeper, call->token, &ring, version->sealed,
                    &making->head, call->arena, &sealed, err) != RF_OK)
        return vault_seal_refused(call, &making->item, version, err);
    version->sealed = sealed.version;
    return RF_OK;
}

static enum rf_kind store_change(struct vault_call *call, struct key_making *making,
                                 struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_item *item = &making->item;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, false, item, err));
    RF_TRY(vault_version_put(call, txn, item, &making->version, err));
    if (rf_str_eq(item->latest, making->version.version)) {
        item->due = vault_key_next(item, &making->version, call->now);
        item->updated = call->now;
        RF_TRY(vault_item_put(call, txn, item, err));
    }
    return state_finish(&txn, err);
}

static enum rf_kind read_change(struct vault_call *call, struct key_making *making,
                                struct rf_err *err)
{
    struct json_node *words;
    RF_TRY(read_ops(call, call->body, &making->head.ops, &words, err));
    RF_TRY(check_ops(call, &making->head, err));
    RF_TRY(vault_read_attributes(call, true, &making->version, err));
    making->version.updated = call->now;
    if (words == NULL) return RF_OK;
    /* The document is the state's own. */
    making->version.more = json_clone(call->arena, making->version.more);
    return json_set(call->arena, making->version.more, RF_S("key_ops"), words) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind try_change(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct key_making *making = ctx;
    RF_TRY(load_change(call, making, err));
    struct seal_head was = making->head;
    RF_TRY(read_change(call, making, err));
    const struct vault_version *next = &making->version;
    if (was.ops != making->head.ops || was.enabled != next->enabled ||
        was.not_before != next->not_before || was.expires != next->expires)
        RF_TRY(reseal(call, making, err));
    return store_change(call, making, err);
}

static enum rf_kind run_change(struct vault_call *call, struct rf_err *err)
{
    struct key_making making = {.material = {0}};
    RF_TRY(vault_retry(call, try_change, &making, err));
    return answer(call, &making.item, &making.version, err);
}

/* ---- what all collections do --------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_list(struct vault_call *call, struct rf_err *err)
{
    return vault_answer_list(call, &(struct vault_list){.kind = SEAL_KEY, .show = show_item}, err);
}
static enum rf_kind run_versions(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_KEY, .versions = true, .show = show_version};
    return vault_answer_list(call, &list, err);
}
static enum rf_kind run_list_deleted(struct vault_call *call, struct rf_err *err)
{
    struct vault_list list = {.kind = SEAL_KEY, .deleted = true, .show = show_item};
    return vault_answer_list(call, &list, err);
}
static enum rf_kind run_delete(struct vault_call *call, struct rf_err *err)
{
    return vault_delete(call, SEAL_KEY, vault_key_show, err);
}
static enum rf_kind run_get_deleted(struct vault_call *call, struct rf_err *err)
{
    return vault_deleted_get(call, SEAL_KEY, vault_key_show, err);
}
static enum rf_kind run_recover(struct vault_call *call, struct rf_err *err)
{
    return vault_recover(call, SEAL_KEY, vault_key_show, err);
}
static enum rf_kind run_purge(struct vault_call *call, struct rf_err *err)
{
    return vault_purge(call, SEAL_KEY, err);
}
static enum rf_kind run_backup(struct vault_call *call, struct rf_err *err)
{
    return vault_backup(call, SEAL_KEY, err);
}
static enum rf_kind run_restore(struct vault_call *call, struct rf_err *err)
{
    return vault_restore(call, SEAL_KEY, vault_key_show, err);
}
static enum rf_kind run_release(struct vault_call *call, struct rf_err *err)
{
    return vault_bad(call, err,
                     "Release and attestation of keys are not supported: keys do not leave this "
                     "vault.");
}

/* clang-format off */
const struct vault_operation vault_key_operations[] = {
    {HTTP_POST, VAULT_LARGE_BODY, "keys/restore", "KeyRestore", "keys/restore/action", NULL, "keys restore", NULL, run_restore},
    {HTTP_GET, VAULT_NO_BODY, "keys", "KeyList", "keys/read", NULL, "keys list", NULL, run_list},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/versions", "KeyListVersions", "keys/read", NULL, "keys list", "keys", run_versions},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/activity", "KeyActivityGet", "keys/read", NULL, "keys list", "keys", vault_key_activity},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/readers", "KeyReadersGet", "keys/read", NULL, "keys list", "keys", vault_key_readers},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/diff", "KeyVersionDiff", "keys/read", NULL, "keys get", "keys", vault_key_diff},
    {HTTP_POST, 0, "keys/{name}/create", "KeyCreate", "keys/create/action", NULL, "keys create", "keys", run_create},
    {HTTP_PUT, 0, "keys/{name}", "KeyImport", "keys/import/action", NULL, "keys import", "keys", run_import},
    {HTTP_DELETE, VAULT_NO_BODY, "keys/{name}", "KeyDelete", "keys/delete", NULL, "keys delete", "keys", run_delete},
    {HTTP_POST, VAULT_NO_BODY, "keys/{name}/backup", "KeyBackup", "keys/backup/action", NULL, "keys backup", "keys", run_backup},
    {HTTP_POST, VAULT_NO_BODY, "keys/{name}/rotate", "KeyRotate", "keys/rotate/action", NULL, "keys rotate", "keys", vault_key_rotate},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/rotationpolicy", "KeyRotationPolicyGet", "keyrotationpolicies/read", NULL, "keys getrotationpolicy", "keys", vault_key_policy_get},
    {HTTP_PUT, 0, "keys/{name}/rotationpolicy", "KeyRotationPolicySet", "keyrotationpolicies/write", NULL, "keys setrotationpolicy", "keys", vault_key_policy_put},
    {HTTP_POST, 0, "keys/{name}/{version}/encrypt", "KeyEncrypt", "keys/encrypt/action", "keys/read", "keys encrypt", "keys", vault_key_encrypt},
    {HTTP_POST, 0, "keys/{name}/{version}/decrypt", "KeyDecrypt", "keys/decrypt/action", NULL, "keys decrypt", "keys", vault_key_decrypt},
    {HTTP_POST, 0, "keys/{name}/{version}/wrapkey", "KeyWrap", "keys/wrap/action", "keys/read", "keys wrapKey", "keys", vault_key_wrap},
    {HTTP_POST, 0, "keys/{name}/{version}/unwrapkey", "KeyUnwrap", "keys/unwrap/action", NULL, "keys unwrapKey", "keys", vault_key_unwrap},
    {HTTP_POST, 0, "keys/{name}/{version}/sign", "KeySign", "keys/sign/action", NULL, "keys sign", "keys", vault_key_sign},
    {HTTP_POST, 0, "keys/{name}/{version}/verify", "KeyVerify", "keys/verify/action", "keys/read", "keys verify", "keys", vault_key_verify},
    {HTTP_POST, 0, "keys/{name}/{version}/release", "KeyRelease", "keys/release/action", NULL, "keys release", "keys", run_release},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/{version}/attestation", "KeyGet", "keys/read", NULL, "keys get", "keys", run_release},
    {HTTP_GET, VAULT_NO_BODY, "keys/{name}/{version}", "KeyGet", "keys/read", NULL, "keys get", "keys", run_get},
    {HTTP_PATCH, 0, "keys/{name}/{version}", "KeyUpdate", "keys/update/action", NULL, "keys update", "keys", run_change},
    {HTTP_GET, VAULT_NO_BODY, "deletedkeys", "KeyListDeleted", "keys/read", NULL, "keys list", NULL, run_list_deleted},
    {HTTP_GET, VAULT_NO_BODY, "deletedkeys/{name}", "KeyGetDeleted", "keys/read", NULL, "keys get", "keys", run_get_deleted},
    {HTTP_POST, VAULT_NO_BODY, "deletedkeys/{name}/recover", "KeyRecover", "keys/recover/action", NULL, "keys recover", "keys", run_recover},
    {HTTP_DELETE, VAULT_NO_BODY, "deletedkeys/{name}", "KeyPurge", "keys/purge/action", NULL, "keys purge", "keys", run_purge},
    {HTTP_POST, 0, "rng", "RandomBytesGet", "keys/read", NULL, "keys get", NULL, vault_random},
};
/* clang-format on */
const uint32_t vault_key_operation_count = RF_COUNT(vault_key_operations);
