/* report_diff.c - what changed between two versions of an object. Both are shown as the API shows them, and the two documents are compared member by member;
 * values of secrets are opened by the caller's own token, compared in constant time, and never given out. */
#include <openssl/err.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "vault/certificates_int.h"
#include "vault/keys_int.h"
#include "vault/report_int.h"

enum { DEPTH_MAX = 8, PATH_BYTES_MAX = 512, SCRATCH_BYTES_MAX = 64 << 20 };

struct diff {
    struct vault_call *call;
    struct vault_item item;
    struct vault_version from, to;
    struct json_node *out, *changes;
};

/* ---- two documents -------------------------------------------------------------------------------------------------------- */

/* A member that one of them lacks is null. */
static struct json_node *side(struct rf_arena *arena, const struct json_node *node)
{
    return node == NULL ? json_new(arena, JSON_T_NULL) : json_clone(arena, node);
}

static bool add_change(struct diff *d, rf_str path, const struct json_node *from,
                       const struct json_node *to)
{
    struct rf_arena *arena = d->call->arena;
    struct json_node *change = json_new(arena, JSON_T_OBJECT);
    return json_set_text(arena, change, "property", path) != NULL &&
           json_set(arena, change, RF_S("from"), side(arena, from)) != NULL &&
           json_set(arena, change, RF_S("to"), side(arena, to)) != NULL &&
           json_append(d->changes, change) != NULL;
}

/* What differs in any two versions, or is told elsewhere. */
static bool is_left_out(rf_str path)
{
    static const char *const names[] = {
        "id",    "kid",   "sid",   "tags", "attributes.created", "attributes.updated", "key.kid",
        "key.n", "key.x", "key.y", "key.e"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_is(path, names[i])) return true;
    return false;
}

static bool compare(struct diff *d, rf_str path, const struct json_node *from,
                    const struct json_node *to, int depth);

static bool compare_member(struct diff *d, rf_str path, const struct json_node *from,
                           const struct json_node *to, rf_str name, int depth)
{
    rf_str inner = path.len == 0
                       ? name
                       : rf_arena_printf(d->call->arena, "%.*s.%.*s", RF_FMT(path), RF_FMT(name));
    if (inner.ptr == NULL) return false;
    return is_left_out(inner) || inner.len > PATH_BYTES_MAX ||
           compare(d, inner, json_get_str(from, name), json_get_str(to, name), depth + 1);
}

/* Our own documents are as deep as we make them; what lies deeper is compared as one. */
static bool compare(struct diff *d, rf_str path, const struct json_node *from,
                    const struct json_node *to, int depth)
{
    bool from_object = json_is(from, JSON_T_OBJECT), to_object = json_is(to, JSON_T_OBJECT);
    bool inside = (from_object || from == NULL) && (to_object || to == NULL) && from != to;
    if (!inside || depth == DEPTH_MAX)
        return from == to || (from != NULL && to != NULL && json_equal(from, to)) ||
               add_change(d, path, from, to);
    for (const struct json_node *m = from_object ? from->first : NULL; m != NULL; m = m->next)
        if (!compare_member(d, path, from, to, m->name, depth)) return false;
    for (const struct json_node *m = to_object ? to->first : NULL; m != NULL; m = m->next)
        if (json_get_str(from, m->name) == NULL &&
            !compare_member(d, path, from, to, m->name, depth))
            return false;
    return true;
}

/* ---- tags: their names may hold dots, so they stand apart -------------------------------------------------------------------- */

static bool put_tag(struct rf_arena *arena, struct json_node *tags, const char *list,
                    const struct json_node *tag)
{
    return json_set(arena, json_object_in(arena, tags, list), tag->name, json_clone(arena, tag)) !=
           NULL;
}

static bool put_changed_tag(struct rf_arena *arena, struct json_node *tags,
                            const struct json_node *from, const struct json_node *to)
{
    struct json_node *pair = json_new(arena, JSON_T_OBJECT);
    return json_set_text(arena, pair, "from", from->text) != NULL &&
           json_set_text(arena, pair, "to", to->text) != NULL &&
           json_set(arena, json_object_in(arena, tags, "changed"), to->name, pair) != NULL;
}

static bool compare_tags(struct diff *d)
{
    struct rf_arena *arena = d->call->arena;
    struct json_node *tags = json_object_in(arena, d->out, "tags");
    const struct json_node *from = d->from.tags, *to = d->to.tags;
    if (json_object_in(arena, tags, "added") == NULL ||
        json_object_in(arena, tags, "removed") == NULL ||
        json_object_in(arena, tags, "changed") == NULL)
        return false;
    for (const struct json_node *t = to == NULL ? NULL : to->first; t != NULL; t = t->next) {
        const struct json_node *was = json_get_str(from, t->name);
        if (was == NULL && !put_tag(arena, tags, "added", t)) return false;
        if (was != NULL && !rf_str_eq(was->text, t->text) && !put_changed_tag(arena, tags, was, t))
            return false;
    }
    for (const struct json_node *t = from == NULL ? NULL : from->first; t != NULL; t = t->next)
        if (json_get_str(to, t->name) == NULL && !put_tag(arena, tags, "removed", t)) return false;
    return true;
}

/* ---- which two ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind version_before(struct diff *d, struct state_txn *txn, rf_str *out,
                                   struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct vault_call own = *d->call;
    struct vault_versions list;
    rf_str last = {0};
    own.arena = &scratch;
    RF_TRY(vault_versions_list(&own, txn, &d->item, (rf_str){0}, 0, &list, err));
    for (uint32_t i = 0; i < list.count && !rf_str_eq(list.items[i].version, d->to.version); i++)
        last = list.items[i].version;
    if (last.len == 0)
        return vault_bad(d->call, err,
                         "The version '%.*s' is the first of '%.*s': there is none before it. "
                         "Name another one with 'from'.",
                         RF_FMT(d->to.version), RF_FMT(d->item.name));
    return rf_arena_str(d->call->arena, last, out) ? RF_OK : rf_fail_memory(err, d->call->arena);
}

static enum rf_kind version_asked(struct vault_call *call, const char *name, rf_str *out,
                                  struct rf_err *err)
{
    bool found;
    rf_str text = request_parameter(call->request, name, &found);
    uint8_t *low = rf_arena_raw(call->arena, uint8_t, text.len + 1);
    if (low == NULL) return rf_fail_memory(err, call->arena);
    for (size_t i = 0; i < text.len; i++) low[i] = rf_lower(text.ptr[i]);
    *out = rf_str_make(low, text.len);
    if (text.len == 0 || vault_version_is(*out)) return RF_OK;
    return vault_bad(call, err, "Parameter '%s' is no version: it has 32 hex digits.", name);
}

static enum rf_kind load(struct diff *d, enum seal_kind kind, struct rf_err *err)
{
    struct vault_call *call = d->call;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str from, to;
    RF_TRY(version_asked(call, "from", &from, err));
    RF_TRY(version_asked(call, "to", &to, err));
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, kind, call->name, &d->item, err));
    if (d->item.latest.len == 0) return vault_not_found(call, kind, call->name, err);
    RF_TRY(vault_version_get(call, txn, &d->item, to, &d->to, err));
    if (from.len == 0) RF_TRY(version_before(d, txn, &from, err));
    return vault_version_get(call, txn, &d->item, from, &d->from, err);
}

static bool begin(struct diff *d)
{
    struct rf_arena *arena = d->call->arena;
    const char *collection = vault_collection(d->item.kind);
    d->out = json_new(arena, JSON_T_OBJECT);
    d->changes = json_new(arena, JSON_T_ARRAY);
    rf_str id = vault_object_id(d->call, collection, d->item.name, (rf_str){0});
    d->call->audit_id = vault_object_id(d->call, collection, d->item.name, d->to.version);
    return id.ptr != NULL && d->call->audit_id.ptr != NULL &&
           json_set_text(arena, d->out, "id", id) != NULL &&
           json_set_text(arena, d->out, "from", d->from.version) != NULL &&
           json_set_text(arena, d->out, "to", d->to.version) != NULL &&
           json_set(arena, d->out, RF_S("changes"), d->changes) != NULL && compare_tags(d);
}

static enum rf_kind finish(struct diff *d, const char *equal, struct json_node *is_equal,
                           struct rf_err *err)
{
    if (json_set(d->call->arena, d->out, rf_str_of(equal), is_equal) == NULL)
        return rf_fail_memory(err, d->call->arena);
    return request_answer(d->call->request, 200, d->out);
}

/* ---- secrets ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind values_equal(struct diff *d, struct json_node **out, struct rf_err *err)
{
    rf_str first = {0}, second = {0};
    /* A disabled one is opened for nobody, so nobody learns whether it is the same. */
    *out = json_new(d->call->arena, JSON_T_NULL);
    if (!d->from.enabled || !d->to.enabled) return RF_OK;
    enum rf_kind kind = vault_secret_value(d->call, &d->item, &d->from, &first, err);
    if (kind == RF_OK) kind = vault_secret_value(d->call, &d->item, &d->to, &second, err);
    if (kind == RF_OK) *out = json_new_bool(d->call->arena, secret_equal(first, second));
    vault_wipe(first);
    vault_wipe(second);
    return kind;
}

static enum rf_kind try_secret(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct diff d = {.call = call};
    struct json_node *is_equal;
    (void)ctx;
    RF_TRY(load(&d, SEAL_SECRET, err));
    const struct json_node *from = vault_secret_show(call, &d.item, &d.from);
    const struct json_node *to = vault_secret_show(call, &d.item, &d.to);
    if (from == NULL || to == NULL || !begin(&d) || !compare(&d, (rf_str){0}, from, to, 0))
        return rf_fail_memory(err, call->arena);
    RF_TRY(values_equal(&d, &is_equal, err));
    return finish(&d, "valueEqual", is_equal, err);
}

enum rf_kind vault_secret_diff(struct vault_call *call, struct rf_err *err)
{
    return vault_retry(call, try_secret, NULL, err);
}

/* ---- keys ---------------------------------------------------------------------------------------------------------------------- */

/* By their public halves; of oct keys nothing is known outside of the keeper. */
static struct json_node *keys_equal(struct diff *d)
{
    static const char *const halves[] = {"kty", "crv", "n", "e", "x", "y"};
    bool is_equal = true, is_known = false;
    for (size_t i = 0; i < RF_COUNT(halves); i++) {
        rf_str from = json_text_at(d->from.more, halves[i]);
        rf_str to = json_text_at(d->to.more, halves[i]);
        is_known = is_known || (i > 1 && from.len + to.len > 0);
        is_equal = is_equal && rf_str_eq(from, to);
    }
    return is_known ? json_new_bool(d->call->arena, is_equal)
                    : json_new(d->call->arena, JSON_T_NULL);
}

/* The size of a key is seen in its modulus alone. */
static bool put_size(struct rf_arena *arena, struct json_node *shown,
                     const struct vault_version *version)
{
    struct seal_head head;
    if (version->sealed.len == 0 || seal_head_get(version->sealed, &head, NULL) != RF_OK ||
        head.bits == 0)
        return true;
    return json_set_i64(arena, json_object_in(arena, shown, "key"), "key_size", head.bits) != NULL;
}

enum rf_kind vault_key_diff(struct vault_call *call, struct rf_err *err)
{
    struct diff d = {.call = call};
    RF_TRY(load(&d, SEAL_KEY, err));
    struct json_node *from = vault_key_show(call, &d.item, &d.from);
    struct json_node *to = vault_key_show(call, &d.item, &d.to);
    if (from == NULL || to == NULL || !put_size(call->arena, from, &d.from) ||
        !put_size(call->arena, to, &d.to) || !begin(&d) || !compare(&d, (rf_str){0}, from, to, 0))
        return rf_fail_memory(err, call->arena);
    return finish(&d, "keyEqual", keys_equal(&d), err);
}

/* ---- certificates ---------------------------------------------------------------------------------------------------------------- */

/* As the policy that it would be of, with its issuer's name and its key. Policies themselves have no versions. */
static bool describe_x509(struct rf_arena *arena, X509 *cert, struct json_node *out, rf_str *key)
{
    uint8_t *spki = NULL;
    EVP_PKEY *public = X509_get0_pubkey(cert);
    int len = public == NULL ? 0 : i2d_PUBKEY(public, &spki);
    bool good = len > 0 && rf_arena_str(arena, rf_str_make(spki, (size_t)len), key);
    OPENSSL_free(spki);
    if (!good) return false;
    const struct json_node *jwk = vault_cert_jwk(arena, *key);
    struct json_node *policy = vault_cert_policy_derive(arena, cert, SEAL_RSA, 0, SEAL_PFX);
    rf_str issuer = vault_cert_subject_text(arena, X509_get_issuer_name(cert));
    struct json_node *props = json_new(arena, JSON_T_OBJECT);
    json_remove(policy, RF_S("secret_props"));
    json_remove(policy, RF_S("issuer"));
    if (json_get(jwk, "crv") != NULL) json_set_text(arena, props, "crv", json_text_at(jwk, "crv"));
    return json_set_text(arena, props, "kty", json_text_at(jwk, "kty")) != NULL &&
           json_set_i64(arena, props, "key_size", EVP_PKEY_get_bits(public)) != NULL &&
           json_set(arena, policy, RF_S("key_props"), props) != NULL &&
           json_set_text(arena, out, "issuer", issuer) != NULL &&
           json_set(arena, out, RF_S("policy"), policy) != NULL;
}

static enum rf_kind describe(struct diff *d, const struct vault_version *version,
                             struct json_node **out, rf_str *key, struct rf_err *err)
{
    struct rf_arena *arena = d->call->arena;
    rf_str der = {0};
    *out = json_new(arena, JSON_T_OBJECT);
    if (vault_put_attributes(d->call, *out, &d->item, version, true) == NULL)
        return rf_fail_memory(err, arena);
    if (base64_decode(arena, json_text_at(version->more, "cer"), &der, NULL) != RF_OK ||
        der.len == 0)
        return RF_OK; /* not issued yet */
    X509 *cert = vault_cert_parse(der);
    if (cert == NULL)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a version of '%.*s' is no certificate",
                       RF_FMT(d->item.name));
    bool good = describe_x509(arena, cert, *out, key);
    X509_free(cert);
    ERR_clear_error();
    return good ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind vault_cert_diff(struct vault_call *call, struct rf_err *err)
{
    struct diff d = {.call = call};
    struct json_node *from, *to;
    rf_str from_key = {0}, to_key = {0};
    RF_TRY(load(&d, SEAL_CERTIFICATE, err));
    RF_TRY(describe(&d, &d.from, &from, &from_key, err));
    RF_TRY(describe(&d, &d.to, &to, &to_key, err));
    if (!begin(&d) || !compare(&d, (rf_str){0}, from, to, 0))
        return rf_fail_memory(err, call->arena);
    return finish(&d, "keyEqual", json_new_bool(call->arena, rf_str_eq(from_key, to_key)), err);
}
