#include <stdio.h>

#include "identity/identity_int.h"

static enum rf_kind load(const struct identity *identity, rf_str app_id, struct rf_arena *arena,
                         struct client *out, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    struct json_node *principal, *application = NULL;
    RF_TRY(object_find(txn, "servicePrincipal", "appId", app_id, arena, &principal, err));
    if (json_bool_at(principal, "~builtin", false))
        return RF_FAIL(err, RF_NOT_FOUND, "ObjectNotFound", "a built-in resource is no client");
    enum rf_kind kind = object_find(txn, "application", "appId", app_id, arena, &application, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *out = (struct client){.app_id = json_text_at(principal, "appId"),
                           .id = json_text_at(principal, "id"),
                           .display_name = json_text_at(principal, "displayName"),
                           .type = json_text_at(principal, "servicePrincipalType"),
                           .enabled = json_bool_at(principal, "accountEnabled", true),
                           .application = application,
                           .principal = principal};
    return RF_OK;
}

enum rf_kind client_find(struct identity *identity, rf_str app_id, struct memo_entry **out,
                         struct rf_err *err)
{
    uint64_t stamp = directory_stamp(identity);
    char room[GUID_TEXT_BYTES + 8] = "client ";
    rf_str key = rf_str_make(room, 7 + GUID_TEXT_BYTES);
    enum rf_kind kind = RF_NOT_FOUND;
    if (guid_is(app_id)) {
        for (size_t i = 0; i < GUID_TEXT_BYTES; i++) room[7 + i] = (char)rf_lower(app_id.ptr[i]);
        *out = memo_find(identity->memo, key, stamp);
        if (*out != NULL) return RF_OK;
        RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, stamp);
        if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for a client");
        struct client *client = rf_arena_new(&entry->arena, struct client, 1);
        if (client == NULL) return rf_fail_memory(err, &entry->arena);
        kind = load(identity, app_id, &entry->arena, client, err);
        if (kind == RF_OK) {
            entry->value = client;
            memo_add(identity->memo, entry);
            *out = entry;
            entry = NULL;
            return RF_OK;
        }
    }
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_DENIED, "700016",
                   "Application with identifier '%.*s' was not found in the directory '%.*s'. This "
                   "can happen if the application has not been installed by the administrator of "
                   "the tenant.",
                   (int)RF_MIN(app_id.len, 64), (const char *)app_id.ptr, RF_FMT(identity->tenant));
}

/* ---- roles --------------------------------------------------------------------------------------------------------- */

static bool is_for_applications(const struct json_node *role)
{
    const struct json_node *types = json_get(role, "allowedMemberTypes");
    if (!json_is(types, JSON_T_ARRAY) || !json_bool_at(role, "isEnabled", true)) return false;
    for (const struct json_node *t = types->first; t != NULL; t = t->next)
        if (t->type == JSON_T_STRING && rf_str_eq_nocase(t->text, RF_S("Application"))) return true;
    return false;
}

static enum rf_kind load_roles(const struct identity *identity, rf_str principal_id,
                               const struct resource *resource, struct rf_arena *arena,
                               struct role_list *out, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    struct object_list list;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    RF_TRY(object_list(txn, "appRoleAssignment", "principalId", principal_id, arena, &list, err));
    out->values = rf_arena_new(arena, rf_str, list.count);
    if (out->values == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        if (!rf_str_eq_nocase(json_text_at(list.items[i], "resourceId"), resource->id)) continue;
        const struct json_node *role =
            app_role_by_id(resource->roles, json_text_at(list.items[i], "appRoleId"));
        rf_str value = json_text_at(role, "value");
        if (value.len == 0 || !is_for_applications(role)) continue;
        /* The resource is another cache entry, which may go before this one. */
        if (!rf_arena_str(arena, value, &out->values[out->count++]))
            return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

enum rf_kind client_roles(struct identity *identity, rf_str principal_id,
                          const struct resource *resource, struct memo_entry **out,
                          struct rf_err *err)
{
    uint64_t stamp = directory_stamp(identity);
    char room[2 * GUID_TEXT_BYTES + 16];
    int len =
        snprintf(room, sizeof room, "roles %.*s %.*s", RF_FMT(principal_id), RF_FMT(resource->id));
    if (len < 0 || (size_t)len >= sizeof room)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an object id is no GUID");
    rf_str key = rf_str_make(room, (size_t)len);
    *out = memo_find(identity->memo, key, stamp);
    if (*out != NULL) return RF_OK;
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, stamp);
    if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for roles");
    struct role_list *roles = rf_arena_new(&entry->arena, struct role_list, 1);
    if (roles == NULL) return rf_fail_memory(err, &entry->arena);
    RF_TRY(load_roles(identity, principal_id, resource, &entry->arena, roles, err));
    entry->value = roles;
    memo_add(identity->memo, entry);
    *out = entry;
    entry = NULL;
    return RF_OK;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------- */

enum { SECRET_BYTES = 32 };
#define SECRET_PURPOSE KEEPER_MAC_SECRET

/* What the MAC is of: "<application id in lower case>:<secret>". */
static bool secret_input(rf_str app_id, rf_str secret, struct rf_buf *buf)
{
    if (!rf_buf_reserve(buf, app_id.len + secret.len + 1)) return false;
    for (size_t i = 0; i < app_id.len; i++) rf_buf_byte(buf, rf_lower(app_id.ptr[i]));
    rf_buf_byte(buf, ':');
    rf_buf_str(buf, secret);
    return true;
}

static enum rf_kind secret_mac(struct identity *identity, rf_str app_id, rf_str secret,
                               struct rf_arena *arena, char out[2 * SHA256_BYTES + 1],
                               struct rf_err *err)
{
    uint8_t mac[SHA256_BYTES];
    struct rf_buf buf = rf_buf_in(arena);
    if (!secret_input(app_id, secret, &buf)) return rf_fail_memory(err, arena);
    enum rf_kind kind =
        keeper_mac(identity->options.keeper, SECRET_PURPOSE, rf_buf_view(&buf), mac, err);
    explicit_bzero(buf.ptr, buf.len);
    if (kind != RF_OK) return kind;
    rf_str hex = hex_encode(arena, rf_str_make(mac, sizeof mac));
    explicit_bzero(mac, sizeof mac);
    if (hex.ptr == NULL) return rf_fail_memory(err, arena);
    memcpy(out, hex.ptr, hex.len);
    out[hex.len] = '\0';
    explicit_bzero((void *)(uintptr_t)hex.ptr, hex.len);
    return RF_OK;
}

enum rf_kind secret_make(struct identity *identity, rf_str app_id, rf_str display_name,
                         rf_usec from, rf_usec until, struct rf_arena *arena,
                         struct json_node **credential, rf_str *text, struct rf_err *err)
{
    uint8_t raw[SECRET_BYTES];
    char mac[2 * SHA256_BYTES + 1];
    random_bytes(raw, sizeof raw);
    *text = base64url_encode(arena, rf_str_make(raw, sizeof raw));
    explicit_bzero(raw, sizeof raw);
    if (text->ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(secret_mac(identity, app_id, *text, arena, mac, err));
    rf_str mac_text;
    if (!rf_arena_str(arena, rf_str_of(mac), &mac_text)) return rf_fail_memory(err, arena);
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set(arena, doc, RF_S("customKeyIdentifier"), json_new(arena, JSON_T_NULL));
    if (display_name.len > 0)
        json_set_text(arena, doc, "displayName", display_name);
    else
        json_set(arena, doc, RF_S("displayName"), json_new(arena, JSON_T_NULL));
    json_set_text(arena, doc, "endDateTime", time_iso(arena, until));
    json_set_text(arena, doc, "hint", rf_slice(*text, 0, 3));
    json_set_text(arena, doc, "keyId", guid_random(arena));
    json_set(arena, doc, RF_S("secretText"), json_new(arena, JSON_T_NULL));
    json_set_text(arena, doc, "startDateTime", time_iso(arena, from));
    if (json_set_text(arena, doc, "~mac", mac_text) == NULL) return rf_fail_memory(err, arena);
    *credential = doc;
    return RF_OK;
}

struct secret_match {
    const struct json_node *valid, *expired;
};

enum secret_state { SECRET_EARLY, SECRET_VALID, SECRET_EXPIRED };
static enum secret_state secret_state(const struct json_node *credential, rf_usec now)
{
    rf_usec from = 0, until = 0;
    (void)time_parse_iso(json_text_at(credential, "startDateTime"), &from);
    bool has_end = time_parse_iso(json_text_at(credential, "endDateTime"), &until);
    if (!has_end || now >= until) return SECRET_EXPIRED;
    return now >= from ? SECRET_VALID : SECRET_EARLY;
}

static void match_secrets(const struct json_node *owner, rf_str mac, rf_usec now,
                          struct secret_match *match)
{
    const struct json_node *list = json_get(owner, "passwordCredentials");
    if (!json_is(list, JSON_T_ARRAY)) return;
    for (const struct json_node *c = list->first; c != NULL; c = c->next) {
        if (!secret_equal(json_text_at(c, "~mac"), mac)) continue;
        enum secret_state state = secret_state(c, now);
        if (state == SECRET_EXPIRED) match->expired = c;
        if (state == SECRET_VALID) match->valid = c;
    }
}

/* False when there are too many. */
static bool add_macs(const struct json_node *owner, rf_usec now, struct rf_arena *arena,
                     struct rf_buf *macs, struct secret_proof *out)
{
    const struct json_node *list = json_get(owner, "passwordCredentials");
    if (!json_is(list, JSON_T_ARRAY)) return true;
    for (const struct json_node *c = list->first; c != NULL; c = c->next) {
        rf_str mac;
        if (secret_state(c, now) != SECRET_VALID ||
            hex_decode(arena, json_text_at(c, "~mac"), &mac, NULL) != RF_OK ||
            mac.len != KEEPER_MAC_BYTES)
            continue;
        size_t count = macs->len / KEEPER_MAC_BYTES;
        if (count == SECRET_PROOF_MACS_MAX) return false;
        out->key_ids[count] = json_text_at(c, "keyId");
        rf_buf_str(macs, mac);
    }
    return !macs->failed;
}

bool client_secret_proof(const struct client *client, rf_str secret, rf_usec now,
                         struct rf_arena *arena, struct secret_proof *out)
{
    struct rf_buf macs = rf_buf_in(arena), input = rf_buf_in(arena);
    if (!add_macs(client->application, now, arena, &macs, out) ||
        !add_macs(client->principal, now, arena, &macs, out) || macs.len == 0 ||
        !secret_input(client->app_id, secret, &input))
        return false;
    out->keeper = (struct keeper_proof){
        .purpose = SECRET_PURPOSE, .bytes = rf_buf_view(&input), .macs = rf_buf_view(&macs)};
    return true;
}

void secret_proof_done(struct secret_proof *proof)
{
    explicit_bzero((void *)(uintptr_t)proof->keeper.bytes.ptr, proof->keeper.bytes.len);
}

enum rf_kind client_check_secret(struct identity *identity, const struct client *client,
                                 rf_str secret, rf_usec now, struct rf_arena *arena, rf_str *key_id,
                                 struct rf_err *err)
{
    char mac[2 * SHA256_BYTES + 1];
    struct secret_match match = {0};
    RF_TRY(secret_mac(identity, client->app_id, secret, arena, mac, err));
    match_secrets(client->application, rf_str_make(mac, sizeof mac - 1), now, &match);
    match_secrets(client->principal, rf_str_make(mac, sizeof mac - 1), now, &match);
    explicit_bzero(mac, sizeof mac);
    if (match.valid != NULL) {
        *key_id = json_text_at(match.valid, "keyId");
        return RF_OK;
    }
    if (match.expired != NULL)
        return RF_FAIL(
            err, RF_DENIED, "7000222",
            "The provided client secret keys for app '%.*s' are expired. Create new keys "
            "for your app, or use certificate credentials for added security.",
            RF_FMT(client->app_id));
    return RF_FAIL(err, RF_DENIED, "7000215",
                   "Invalid client secret provided. Ensure the secret being sent in the request is "
                   "the client secret value, not the client secret ID, for a secret added to app "
                   "'%.*s'.",
                   RF_FMT(client->app_id));
}
