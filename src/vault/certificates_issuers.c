/* certificates_issuers.c - issuers and contacts (contract 6.4), space "vault.issuer".
 *
 *   "GUID/issuers/NAME"  as it is shown, without id; "name"; "pwd" {"item" (hex), "key", "sealed" (base64)}: the password, sealed; "ca": authority_int.h;
 *                        "caSettings", "rootSubject", "acme", "acmeKeys": authority_settings.c
 *   "GUID/contacts"      {"contacts":[...]} */
#include "base/encode.h"
#include "vault/acme_client.h"
#include "vault/authority_int.h"

enum { ADMINS_MAX = 20, CONTACTS_MAX = 50, TEXT_CHARS_MAX = 255, PASSWORD_BYTES_MAX = 4096 };
static const char *const admin_members[] = {"first_name", "last_name", "email", "phone"},
                         *const contact_members[] = {"email", "name", "phone"};

/* ---- what is kept ------------------------------------------------------------------------------------------------------- */

static rf_str issuer_key(struct vault_call *call, rf_str name)
{
    rf_str key =
        rf_arena_printf(call->arena, "%.*s/issuers/%.*s", RF_FMT(call->place.guid), RF_FMT(name));
    uint8_t *bytes = rf_arena_alloc(call->arena, key.len);
    if (key.ptr == NULL || bytes == NULL) return (rf_str){0};
    for (size_t i = 0; i < key.len; i++) bytes[i] = rf_lower(key.ptr[i]);
    return rf_str_make(bytes, key.len);
}

enum rf_kind vault_issuer_load(struct vault_call *call, struct state_txn *txn, rf_str name,
                               struct json_node **out, uint64_t *etag, struct rf_err *err)
{
    struct state_object object;
    rf_str key = issuer_key(call, name);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_get(txn, vault_issuer_space, key, call->arena, &object, err));
    if (etag != NULL) *etag = object.etag;
    return json_parse(object.body, call->arena, out, err);
}

static enum rf_kind store(struct vault_call *call, struct state_txn *txn, rf_str key,
                          const struct json_node *node, uint64_t *etag, struct rf_err *err)
{
    rf_str body = json_to_text(call->arena, node);
    if (key.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct state_put put = {.space = vault_issuer_space,
                            .key = key,
                            .body = body,
                            .condition = *etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = *etag};
    enum rf_kind kind = state_put(txn, &put, etag, NULL, err);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "another request has deleted it meanwhile");
}

enum rf_kind vault_issuer_store(struct vault_call *call, struct state_txn *txn, rf_str name,
                                const struct json_node *node, uint64_t *etag, struct rf_err *err)
{
    return store(call, txn, issuer_key(call, name), node, etag, err);
}

static enum rf_kind no_issuer(struct vault_call *call, rf_str name, struct rf_err *err)
{
    return vault_fail(call, err, 404, "CertificateIssuerNotFound", NULL,
                      "A certificate issuer with (name/id) %.*s was not found in this key vault.",
                      RF_FMT(name));
}

enum rf_kind vault_cert_issuer_find(struct vault_call *call, rf_str name, enum cert_issuer *out,
                                    bool *enabled, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *node;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    enum rf_kind kind = vault_issuer_load(call, txn, name, &node, NULL, err);
    if (kind == RF_NOT_FOUND)
        return vault_bad(call, err,
                         "Property 'policy.issuer.name' has invalid value: '%.*s' is no issuer of "
                         "this vault.",
                         RF_FMT(name));
    if (kind != RF_OK) return kind;
    *enabled = json_bool_at(node, "attributes.enabled", true);
    *out = rf_str_eq_nocase(json_text_at(node, "provider"), RF_S("Ringfort-CA"))
               ? CERT_ISSUER_RINGFORT
           : vault_acme_is(node) ? CERT_ISSUER_ACME
                                 : CERT_ISSUER_OTHER;
    return RF_OK;
}

/* ---- showing ---------------------------------------------------------------------------------------------------------------- */

static rf_str issuer_id(struct vault_call *call, const struct json_node *node)
{
    return rf_arena_printf(call->arena, "%.*s/certificates/issuers/%.*s", RF_FMT(call->base),
                           RF_FMT(json_text_at(node, "name")));
}

static enum rf_kind answer(struct vault_call *call, const struct json_node *node,
                           struct rf_err *err)
{
    static const char *const members[] = {"provider", "credentials", "org_details", "attributes"};
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str id = issuer_id(call, node);
    bool good = id.ptr != NULL && json_set_text(arena, out, "id", id) != NULL;
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        const struct json_node *member = json_get(node, members[i]);
        if (member != NULL)
            good = json_set(arena, out, rf_str_of(members[i]), json_clone(arena, member)) != NULL &&
                   good;
    }
    good = authority_show(arena, node, out) &&
           (vault_acme_is(node) ? vault_acme_show_settings : authority_show_settings)(arena, node,
                                                                                      out) &&
           good;
    call->audit_id = id;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind copy_text(struct vault_call *call, const struct json_node *in, const char *name,
                              struct json_node *out, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(call, in, name, JSON_T_STRING, &member, err));
    if (member == NULL) return RF_OK;
    if (rf_utf8_count(member->text) > TEXT_CHARS_MAX)
        return vault_bad(call, err,
                         "Property '%s' has invalid value: at most %d characters are possible.",
                         name, TEXT_CHARS_MAX);
    return json_set_text(call->arena, out, name, member->text) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* An array of objects with these texts. */
static enum rf_kind copy_people(struct vault_call *call, const struct json_node *in,
                                const char *name, const char *const *members, size_t member_count,
                                uint32_t count_max, struct json_node *out, struct rf_err *err)
{
    struct json_node *list, *copy = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(vault_member(call, in, name, JSON_T_ARRAY, &list, err));
    if (list == NULL) return RF_OK;
    if (list->count > count_max)
        return vault_bad(call, err, "Property '%s' has invalid value: at most %u are possible.",
                         name, count_max);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        struct json_node *person = json_new(call->arena, JSON_T_OBJECT);
        if (item->type != JSON_T_OBJECT)
            return vault_bad(call, err,
                             "Property '%s' has invalid value: it is an array of objects.", name);
        for (size_t i = 0; i < member_count; i++)
            RF_TRY(copy_text(call, item, members[i], person, err));
        if (json_append(copy, person) == NULL) return rf_fail_memory(err, call->arena);
    }
    return json_set(call->arena, out, rf_str_of(name), copy) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind read_organization(struct vault_call *call, struct json_node *node,
                                      struct rf_err *err)
{
    struct json_node *in;
    RF_TRY(vault_member(call, call->body, "org_details", JSON_T_OBJECT, &in, err));
    if (in == NULL) return RF_OK;
    struct json_node *out = json_object_in(call->arena, node, "org_details");
    RF_TRY(copy_text(call, in, "id", out, err));
    return copy_people(call, in, "admin_details", admin_members, RF_COUNT(admin_members),
                       ADMINS_MAX, out, err);
}

static bool set_bytes(struct rf_arena *arena, struct json_node *out, const char *name, rf_str bytes)
{
    rf_str text = base64_encode(arena, bytes);
    return text.ptr != NULL && json_set_text(arena, out, name, text) != NULL;
}

/* The password as a secret of its own, whose item stands beside the issuer. */
static enum rf_kind seal_password(struct vault_call *call, rf_str password, struct json_node *node,
                                  struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    struct vault_version version;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed sealed;
    RF_TRY(vault_item_new(call, SEAL_SECRET, call->name, &item, err));
    RF_TRY(vault_version_init(call, &version, err));
    RF_TRY(vault_ring(call, &item, &ring, err));
    vault_head(&version, &head);
    head.material = SEAL_VALUE;
    if (seal_put(call->vaults->options.keeper, call->token, &ring, &head, password, arena, &sealed,
                 err) != RF_OK)
        return vault_seal_error(call, err);
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str id = hex_encode(arena, rf_str_make(item.id, sizeof item.id));
    bool good = id.ptr != NULL && json_set_text(arena, out, "item", id) != NULL &&
                set_bytes(arena, out, "key", sealed.item_key) &&
                set_bytes(arena, out, "sealed", sealed.version) &&
                json_set(arena, node, RF_S("pwd"), out) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_credentials(struct vault_call *call, struct json_node *node,
                                     struct rf_err *err)
{
    struct json_node *in, *password;
    RF_TRY(vault_member(call, call->body, "credentials", JSON_T_OBJECT, &in, err));
    if (in == NULL) return RF_OK;
    RF_TRY(
        copy_text(call, in, "account_id", json_object_in(call->arena, node, "credentials"), err));
    RF_TRY(vault_member(call, in, "pwd", JSON_T_STRING, &password, err));
    if (password == NULL || password->text.len == 0) return RF_OK;
    if (password->text.len > PASSWORD_BYTES_MAX)
        return vault_bad(call, err,
                         "Property 'credentials.pwd' has invalid value: it is too "
                         "long.");
    return seal_password(call, password->text, node, err);
}

static enum rf_kind read_issuer(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *attributes, *enabled, *out;
    RF_TRY(copy_text(call, call->body, "provider", node, err));
    if (json_text_at(node, "provider").len == 0)
        return vault_bad(call, err,
                         "Property 'provider' is required: Ringfort-CA, or the name of "
                         "another authority.");
    RF_TRY(read_credentials(call, node, err));
    RF_TRY(read_organization(call, node, err));
    RF_TRY((vault_acme_is(node) ? vault_acme_read_settings : authority_read_settings)(call, node,
                                                                                      err));
    RF_TRY(vault_member(call, call->body, "attributes", JSON_T_OBJECT, &attributes, err));
    RF_TRY(vault_member(call, attributes, "enabled", JSON_T_TRUE, &enabled, err));
    out = json_object_in(arena, node, "attributes");
    if (enabled != NULL || json_get(out, "enabled") == NULL)
        json_set_bool(arena, out, "enabled", enabled == NULL || enabled->type == JSON_T_TRUE);
    if (json_get(out, "created") == NULL) json_set_i64(arena, out, "created", call->now);
    return json_set_i64(arena, out, "updated", call->now) == NULL ? rf_fail_memory(err, arena)
                                                                  : RF_OK;
}

/* ---- operations ------------------------------------------------------------------------------------------------------------------ */

struct setting {
    bool replaces;
    struct json_node *node;
};

static enum rf_kind load(struct vault_call *call, struct json_node **node, uint64_t *etag,
                         struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return vault_issuer_load(call, txn, call->name, node, etag, err);
}

/* What a PUT begins with: the name, when it was made, and the authority, which certificates hang on. */
static struct json_node *start_over(struct vault_call *call, const struct json_node *old)
{
    static const char *const kept[] = {"ca", "acmeKeys", "rootSubject", "acmeAccount", "acmeEab"};
    struct rf_arena *arena = call->arena;
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    int64_t created;
    rf_str name = old == NULL ? call->name : json_text_at(old, "name");
    bool good = json_set_text(arena, node, "name", name) != NULL;
    for (size_t i = 0; i < RF_COUNT(kept); i++) {
        const struct json_node *member = json_get(old, kept[i]);
        if (member != NULL)
            good = json_set(arena, node, rf_str_of(kept[i]), json_clone(arena, member)) != NULL &&
                   good;
    }
    if (json_i64_at(old, "attributes.created", &created))
        good = json_set_i64(arena, json_object_in(arena, node, "attributes"), "created", created) !=
                   NULL &&
               good;
    return good ? node : NULL;
}

static enum rf_kind try_set(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct setting *set = ctx;
    struct json_node *old = NULL;
    uint64_t etag = 0;
    enum rf_kind kind = load(call, &old, &etag, err);
    if (kind == RF_NOT_FOUND && !set->replaces) return no_issuer(call, call->name, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    set->node = set->replaces ? start_over(call, old) : old;
    if (set->node == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(read_issuer(call, set->node, err));
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_issuer_store(call, txn, call->name, set->node, &etag, err));
    return state_finish(&txn, err);
}

static enum rf_kind set_issuer(struct vault_call *call, bool replaces, struct rf_err *err)
{
    struct setting set = {.replaces = replaces};
    if (rf_str_eq_nocase(call->name, RF_S("Self")) || rf_str_eq_nocase(call->name, RF_S("Unknown")))
        return vault_bad(call, err, "Self and Unknown are names that no issuer can have.");
    RF_TRY(vault_retry(call, try_set, &set, err));
    return answer(call, set.node, err);
}

enum rf_kind vault_issuer_put(struct vault_call *call, struct rf_err *err)
{
    return set_issuer(call, true, err);
}
enum rf_kind vault_issuer_change(struct vault_call *call, struct rf_err *err)
{
    return set_issuer(call, false, err);
}

enum rf_kind vault_issuer_get(struct vault_call *call, struct rf_err *err)
{
    struct json_node *node;
    enum rf_kind kind = load(call, &node, NULL, err);
    if (kind == RF_NOT_FOUND) return no_issuer(call, call->name, err);
    return kind == RF_OK ? answer(call, node, err) : kind;
}

/* The password opens no more, whoever keeps a copy. */
static enum rf_kind destroy_password(struct vault_call *call, const struct json_node *node,
                                     struct rf_err *err)
{
    const struct json_node *sealed = json_get(node, "pwd");
    struct vault_item item;
    struct seal_ring ring;
    rf_str id, proof;
    if (sealed == NULL) return RF_OK;
    RF_TRY(vault_item_new(call, SEAL_SECRET, call->name, &item, err));
    RF_TRY(hex_decode(call->arena, json_text_at(sealed, "item"), &id, err));
    RF_TRY(base64_decode(call->arena, json_text_at(sealed, "key"), &item.key, err));
    if (id.len != SEAL_ID_BYTES) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an issuer");
    memcpy(item.id, id.ptr, id.len);
    RF_TRY(vault_ring(call, &item, &ring, err));
    if (seal_destroy(call->vaults->options.keeper, &ring, call->arena, &proof, err) == RF_OK ||
        strcmp(err->code, "SealDestroyed") == 0)
        return RF_OK;
    return vault_seal_error(call, err);
}

enum rf_kind vault_issuer_delete(struct vault_call *call, struct rf_err *err)
{
    struct json_node *node;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    enum rf_kind kind = vault_issuer_load(call, txn, call->name, &node, NULL, err);
    if (kind == RF_NOT_FOUND) return no_issuer(call, call->name, err);
    if (kind != RF_OK) return kind;
    rf_str id = json_text_at(node, "ca.item");
    RF_TRY(state_delete(txn, vault_issuer_space, issuer_key(call, call->name), err));
    if (id.len > 0) RF_TRY(authority_forget(call, txn, id, err));
    RF_TRY(state_finish(&txn, err));
    RF_TRY(destroy_password(call, node, err));
    RF_TRY(authority_destroy(call, node, err));
    RF_TRY(vault_acme_forget(call, node, err));
    return answer(call, node, err);
}

/* All at once: a vault has a handful. */
enum rf_kind vault_issuer_list(struct vault_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *value = json_new(arena, JSON_T_ARRAY);
    rf_str prefix = issuer_key(call, (rf_str){0});
    if (prefix.ptr == NULL || json_set(arena, out, RF_S("value"), value) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &(struct state_scan){.space = vault_issuer_space, .prefix = prefix},
                      arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *node, *item = json_new(arena, JSON_T_OBJECT);
        RF_TRY(json_parse(list.items[i].body, arena, &node, err));
        rf_str id = issuer_id(call, node);
        if (id.ptr == NULL || json_set_text(arena, item, "id", id) == NULL ||
            json_set_text(arena, item, "provider", json_text_at(node, "provider")) == NULL ||
            json_append(value, item) == NULL)
            return rf_fail_memory(err, arena);
    }
    return json_set(arena, out, RF_S("nextLink"), json_new(arena, JSON_T_NULL)) == NULL
               ? rf_fail_memory(err, arena)
               : request_answer(call->request, 200, out);
}

/* ---- contacts -------------------------------------------------------------------------------------------------------------------------- */

static rf_str contacts_key(struct vault_call *call)
{
    return rf_arena_printf(call->arena, "%.*s/contacts", RF_FMT(call->place.guid));
}

static enum rf_kind answer_contacts(struct vault_call *call, struct json_node *node,
                                    struct rf_err *err)
{
    rf_str id = rf_arena_printf(call->arena, "%.*s/certificates/contacts", RF_FMT(call->base));
    if (id.ptr == NULL || json_set_text(call->arena, node, "id", id) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, node);
}

static enum rf_kind load_contacts(struct vault_call *call, struct state_txn *txn,
                                  struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    rf_str key = contacts_key(call);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_get(txn, vault_issuer_space, key, call->arena, &object, err);
    if (kind == RF_NOT_FOUND)
        return vault_fail(call, err, 404, "ContactsNotFound", NULL,
                          "Contacts for this key vault were not found.");
    return kind == RF_OK ? json_parse(object.body, call->arena, out, err) : kind;
}

enum rf_kind vault_contacts_put(struct vault_call *call, struct rf_err *err)
{
    struct json_node *node = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(copy_people(call, call->body, "contacts", contact_members, RF_COUNT(contact_members),
                       CONTACTS_MAX, node, err));
    const struct json_node *list = json_get(node, "contacts");
    if (list == NULL)
        return vault_bad(call, err, "Property 'contacts' is required: an array of objects.");
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_find(json_text_at(item, "email"), RF_S("@"), 0) == SIZE_MAX)
            return vault_bad(call, err,
                             "Property 'contacts.email' has invalid value: each contact "
                             "has a mail address.");
    rf_str key = contacts_key(call), body = json_to_text(call->arena, node);
    if (key.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct state_put put = {.space = vault_issuer_space, .key = key, .body = body};
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    RF_TRY(state_finish(&txn, err));
    return answer_contacts(call, node, err);
}

enum rf_kind vault_contacts_get(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *node;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(load_contacts(call, txn, &node, err));
    return answer_contacts(call, node, err);
}

enum rf_kind vault_contacts_delete(struct vault_call *call, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *node;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(load_contacts(call, txn, &node, err));
    RF_TRY(state_delete(txn, vault_issuer_space, contacts_key(call), err));
    RF_TRY(state_finish(&txn, err));
    return answer_contacts(call, node, err);
}
