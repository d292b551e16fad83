#include "identity/graph_credential_int.h"

#include "crypt/x509.h"

enum { CREDENTIALS_MAX = 100, SECRET_DAYS = 730, PROOF_SECONDS_MAX = 600 };
#define DAY_USEC (INT64_C(86400) * RF_USEC_PER_SECOND)
#define UPDATE_SECRETS "Update application \xe2\x80\x93 Certificates and secrets management"

static const char *operation_of(const struct graph_entity *entity, bool added)
{
    if (entity == &graph_application) return UPDATE_SECRETS;
    return added ? "Add service principal credentials" : "Remove service principal credentials";
}

/* ---- certificates -------------------------------------------------------------------------------------------------------------------- */

static const struct json_node *credential_by_id(const struct json_node *owner, const char *list,
                                                rf_str key_id)
{
    const struct json_node *items = json_get(owner, list);
    if (!json_is(items, JSON_T_ARRAY) || key_id.len == 0) return NULL;
    for (const struct json_node *c = items->first; c != NULL; c = c->next)
        if (rf_str_eq_nocase(json_text_at(c, "keyId"), key_id)) return c;
    return NULL;
}

/* Base64 of DER; PowerShell's and the portal's clients also send the PEM text so encoded. */
static enum rf_kind read_cert(struct graph_call *call, rf_str text, struct cert_info *cert,
                              struct rf_err *err)
{
    rf_str bytes;
    struct rf_err bad;
    struct public_key *key;
    if (base64_decode(call->arena, text, &bytes, &bad) != RF_OK ||
        cert_read(bytes, call->arena, cert, &bad) != RF_OK)
        return graph_bad(err, "Key value is invalid: it is no base64 of a DER certificate.");
    if (public_key_of_cert(cert->der, &key, &bad) != RF_OK)
        return graph_bad(err, "Key value is invalid: %.200s", bad.text);
    public_key_free(key);
    return RF_OK;
}

static enum rf_kind complete_key(struct graph_call *call, struct json_node *key, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct cert_info cert;
    rf_str type = json_text_at(key, "type"), usage = json_text_at(key, "usage");
    if (!rf_str_is(type, "AsymmetricX509Cert"))
        return graph_bad(err, "Key credentials are of type AsymmetricX509Cert.");
    if (!rf_str_is(usage, "Verify"))
        return graph_bad(err, "Certificates that prove who an application is are for usage "
                              "Verify.");
    RF_TRY(read_cert(call, json_text_at(key, "key"), &cert, err));
    if (!guid_is(json_text_at(key, "keyId")))
        json_set_text(arena, key, "keyId", guid_random(arena));
    if (json_get(key, "displayName") == NULL || json_get(key, "displayName")->type == JSON_T_NULL)
        json_set_text(arena, key, "displayName", cert.subject);
    json_set_text(arena, key, "key", base64_encode(arena, cert.der));
    json_set_text(arena, key, "customKeyIdentifier",
                  base64_encode(arena, rf_str_make(cert.sha1, sizeof cert.sha1)));
    json_set_text(arena, key, "startDateTime", time_graph(arena, cert.not_before));
    return json_set_text(arena, key, "endDateTime", time_graph(arena, cert.not_after)) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind check_key_names(const struct json_node *key, struct rf_err *err)
{
    static const char *const known[] = {"customKeyIdentifier",
                                        "displayName",
                                        "endDateTime",
                                        "key",
                                        "keyId",
                                        "startDateTime",
                                        "type",
                                        "usage",
                                        "hasExtendedValue"};
    for (const struct json_node *m = key->first; m != NULL; m = m->next) {
        bool found = rf_str_find(m->name, RF_S("@"), 0) != SIZE_MAX;
        for (size_t i = 0; i < RF_COUNT(known) && !found; i++) found = rf_str_is(m->name, known[i]);
        if (!found)
            return graph_bad(err, "Invalid property '%.*s' of a key credential.",
                             (int)RF_MIN(m->name.len, 64), (const char *)m->name.ptr);
    }
    return RF_OK;
}

static enum rf_kind put_keys(struct graph_call *call, const struct json_node *doc,
                             const struct json_node *before, struct rf_err *err)
{
    const struct json_node *list = json_get(doc, "keyCredentials");
    if (!json_is(list, JSON_T_ARRAY) || json_equal(list, json_get(before, "keyCredentials")))
        return RF_OK;
    if (list->count > CREDENTIALS_MAX)
        return graph_bad(err, "There are more than %d key credentials.", CREDENTIALS_MAX);
    for (struct json_node *key = list->first; key != NULL; key = key->next) {
        const struct json_node *there =
            credential_by_id(before, "keyCredentials", json_text_at(key, "keyId"));
        RF_TRY(check_key_names(key, err));
        /* Keys are shown without their value; who sends one back so means the one that is there. */
        if (there != NULL && json_text_at(key, "key").len == 0)
            json_set_text(call->arena, key, "key", json_text_at(there, "key"));
        RF_TRY(complete_key(call, key, err));
        for (const struct json_node *k = list->first; k != key; k = k->next)
            if (rf_str_eq_nocase(json_text_at(k, "keyId"), json_text_at(key, "keyId")))
                return graph_bad(err, "Two key credentials have the same keyId.");
    }
    return RF_OK;
}

/* ---- secrets ----------------------------------------------------------------------------------------------------------------------------- */

/* By PATCH secrets can be removed, never made: the list that is stored is cut to the ids that were sent. */
static enum rf_kind put_passwords(struct graph_call *call, struct json_node *doc,
                                  const struct json_node *before, struct rf_err *err)
{
    const struct json_node *list = json_get(doc, "passwordCredentials");
    if (!json_is(list, JSON_T_ARRAY) || json_equal(list, json_get(before, "passwordCredentials")))
        return RF_OK;
    struct json_node *kept = json_new(call->arena, JSON_T_ARRAY);
    for (const struct json_node *c = list->first; c != NULL; c = c->next) {
        const struct json_node *there =
            credential_by_id(before, "passwordCredentials", json_text_at(c, "keyId"));
        if (there == NULL)
            return graph_bad(err, "New password credentials are made with addPassword.");
        json_append(kept, json_clone(call->arena, there));
    }
    return json_set(call->arena, doc, RF_S("passwordCredentials"), kept) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static bool keys_differ(const struct json_node *doc, const struct json_node *before,
                        const char *list)
{
    const struct json_node *now = json_get(doc, list), *then = json_get(before, list);
    return json_is(now, JSON_T_ARRAY) && (then != NULL || now->count > 0) && !json_equal(now, then);
}

enum rf_kind credentials_put(struct graph_call *call, const struct graph_entity *entity,
                             struct json_node *doc, const struct json_node *before,
                             struct rf_err *err)
{
    RF_TRY(put_keys(call, doc, before, err));
    RF_TRY(put_passwords(call, doc, before, err));
    if (before == NULL || !(keys_differ(doc, before, "keyCredentials") ||
                            keys_differ(doc, before, "passwordCredentials")))
        return RF_OK;
    graph_change(call, &(struct trail_change){.operation = operation_of(entity, true),
                                              .verb = "Update",
                                              .service = entity->trail_service,
                                              .category = entity->trail_category,
                                              .type = entity->trail_type,
                                              .target = doc,
                                              .before = before,
                                              .after = doc});
    return RF_OK;
}

static enum rf_kind read_times(struct graph_call *call, const struct json_node *wanted,
                               rf_usec *from, rf_usec *until, struct rf_err *err)
{
    const struct json_node *start = json_get(wanted, "startDateTime");
    const struct json_node *end = json_get(wanted, "endDateTime");
    *from = call->request->now;
    if (start != NULL && start->type != JSON_T_NULL && !time_parse_iso(start->text, from))
        return graph_bad(err, "startDateTime is no date and time.");
    *until = *from + SECRET_DAYS * DAY_USEC;
    if (end != NULL && end->type != JSON_T_NULL && !time_parse_iso(end->text, until))
        return graph_bad(err, "endDateTime is no date and time.");
    if (*until <= *from || *until <= call->request->now)
        return graph_bad(err, "Credential lifetime: endDateTime must be in the future and behind "
                              "startDateTime.");
    return RF_OK;
}

static enum rf_kind append(struct graph_call *call, struct json_node *doc, const char *name,
                           struct json_node *credential, struct rf_err *err)
{
    struct json_node *list = json_get(doc, name);
    if (!json_is(list, JSON_T_ARRAY))
        list = json_set(call->arena, doc, rf_str_of(name), json_new(call->arena, JSON_T_ARRAY));
    if (list == NULL) return graph_memory(call, err);
    if (list->count >= CREDENTIALS_MAX)
        return graph_bad(err, "There are more than %d credentials.", CREDENTIALS_MAX);
    json_append(list, credential);
    return RF_OK;
}

enum rf_kind credential_add_password(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *entity = call->route->entity;
    const struct json_node *wanted = json_get(call->body, "passwordCredential");
    struct json_node *doc, *credential;
    rf_str secret;
    rf_usec from, until;
    RF_TRY(graph_entity_find(call, entity, 0, &doc, err));
    if (json_bool_at(doc, "~builtin", false))
        return graph_bad(err, "A built-in service principal has no credentials.");
    RF_TRY(read_times(call, wanted, &from, &until, err));
    rf_str name = json_text_at(wanted, "displayName");
    if (name.len > 256) return graph_bad(err, "displayName has more than 256 characters.");
    RF_TRY(secret_make(call->identity, json_text_at(doc, "appId"), name, from, until, call->arena,
                       &credential, &secret, err));
    struct json_node *before = json_clone(call->arena, doc);
    struct json_node *shown = graph_public(call->arena, credential);
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(append(call, doc, "passwordCredentials", credential, err));
    RF_TRY(graph_store(call, entity, doc, before, operation_of(entity, true), err));
    if (root == NULL || json_set_text(call->arena, shown, "secretText", secret) == NULL)
        return graph_memory(call, err);
    json_set_text(call->arena, root, "@odata.context",
                  graph_context(call, "microsoft.graph.passwordCredential"));
    root->last->next = shown->first;
    root->last = shown->last;
    root->count += shown->count;
    call->answer = root;
    return RF_OK;
}

/* Takes the credential out of the list; false when it is not there. */
static bool take_out(struct graph_call *call, struct json_node *doc, const char *name, rf_str id,
                     bool *memory)
{
    const struct json_node *list = json_get(doc, name);
    struct json_node *rest = json_new(call->arena, JSON_T_ARRAY);
    bool found = false;
    for (const struct json_node *c = json_is(list, JSON_T_ARRAY) ? list->first : NULL; c != NULL;
         c = c->next) {
        if (rf_str_eq_nocase(json_text_at(c, "keyId"), id))
            found = true;
        else
            json_append(rest, json_clone(call->arena, c));
    }
    *memory = json_set(call->arena, doc, rf_str_of(name), rest) != NULL;
    return found;
}

static enum rf_kind remove_credential(struct graph_call *call, struct json_node *doc,
                                      const char *list, struct rf_err *err)
{
    rf_str id;
    bool memory;
    RF_TRY(graph_text(call->body, "keyId", 64, &id, err));
    struct json_node *before = json_clone(call->arena, doc);
    bool found = take_out(call, doc, list, id, &memory);
    if (!memory || before == NULL) return graph_memory(call, err);
    if (!found)
        return graph_bad(err, "No credential found with keyId '%.*s'.", (int)RF_MIN(id.len, 64),
                         (const char *)id.ptr);
    RF_TRY(graph_store(call, call->route->entity, doc, before,
                       operation_of(call->route->entity, false), err));
    return graph_answer_empty(call, 204);
}

enum rf_kind credential_remove_password(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    return remove_credential(call, doc, "passwordCredentials", err);
}

/* ---- keys, with proof of a key that is there ------------------------------------------------------------------------------------------------ */

/* A token signed with one of the certificates: iss = the object's id, aud = the directory's own application. */
static bool is_proof(struct graph_call *call, const struct json_node *doc, const struct jwt *jwt)
{
    const struct json_node *list = json_get(doc, "keyCredentials");
    int64_t now = call->request->now / RF_USEC_PER_SECOND, exp;
    if (!rf_str_eq_nocase(json_text_at(jwt->claims, "iss"), json_text_at(doc, "id")) ||
        !rf_str_is(json_text_at(jwt->claims, "aud"), "00000002-0000-0000-c000-000000000000") ||
        !json_i64_at(jwt->claims, "exp", &exp) || exp < now || exp > now + PROOF_SECONDS_MAX)
        return false;
    for (const struct json_node *c = json_is(list, JSON_T_ARRAY) ? list->first : NULL; c != NULL;
         c = c->next) {
        struct cert_info cert;
        struct public_key *key;
        struct rf_err bad;
        if (read_cert(call, json_text_at(c, "key"), &cert, &bad) != RF_OK ||
            call->request->now >= cert.not_after ||
            public_key_of_cert(cert.der, &key, &bad) != RF_OK)
            continue;
        bool good = jwt_check(jwt, key, JWT_RS256 | JWT_PS256 | JWT_ES256, &bad) == RF_OK;
        public_key_free(key);
        if (good) return true;
    }
    return false;
}

static enum rf_kind check_proof(struct graph_call *call, const struct json_node *doc,
                                struct rf_err *err)
{
    rf_str proof;
    struct jwt jwt;
    struct rf_err bad;
    RF_TRY(graph_text(call->body, "proof", JWT_BYTES_MAX, &proof, err));
    if (jwt_parse(proof, call->arena, &jwt, &bad) == RF_OK && is_proof(call, doc, &jwt))
        return RF_OK;
    return RF_FAIL(err, RF_INVALID, "Authentication_MissingOrMalformed",
                   "Access Token missing or malformed: the proof is not signed with a key of this "
                   "object, or not for it, or too old.");
}

enum rf_kind credential_add_key(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *entity = call->route->entity;
    const struct json_node *wanted = json_get(call->body, "keyCredential");
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, entity, 0, &doc, err));
    if (!json_is(wanted, JSON_T_OBJECT)) return graph_bad(err, "A keyCredential is required.");
    RF_TRY(check_proof(call, doc, err));
    struct json_node *before = json_clone(call->arena, doc);
    struct json_node *key = graph_public(call->arena, wanted);
    if (key == NULL || before == NULL) return graph_memory(call, err);
    RF_TRY(check_key_names(key, err));
    json_remove(key, RF_S("keyId"));
    RF_TRY(complete_key(call, key, err));
    RF_TRY(append(call, doc, "keyCredentials", key, err));
    RF_TRY(graph_store(call, entity, doc, before, operation_of(entity, true), err));
    struct json_node *shown = json_clone(call->arena, key);
    if (json_set(call->arena, shown, RF_S("key"), json_new(call->arena, JSON_T_NULL)) == NULL)
        return graph_memory(call, err);
    call->answer = shown;
    return RF_OK;
}

enum rf_kind credential_remove_key(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, call->route->entity, 0, &doc, err));
    RF_TRY(check_proof(call, doc, err));
    return remove_credential(call, doc, "keyCredentials", err);
}
