/* database_settings.c - what is said of databases: where they are, who logs in there, which roles they have. */
#include "vault/database_int.h"

#include "vault/acme_client.h"

enum {
    HOST_BYTES_MAX = 253,
    NAME_BYTES_MAX = 63,
    PASSWORD_BYTES_MAX = 1000,
    PEM_BYTES_MAX = 64 << 10,
    PIN_CHARS = 64,
    ROLES_MAX = 100,
    PORT = 5432
};
const char vault_database_space[] = "vault.database", vault_role_space[] = "vault.database_role";

/* ---- in the state ------------------------------------------------------------------------------------------------------------- */

rf_str vault_database_lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *bytes = rf_arena_alloc(arena, text.len + 1);
    for (size_t i = 0; bytes != NULL && i < text.len; i++) bytes[i] = rf_lower(text.ptr[i]);
    return bytes == NULL ? (rf_str){0} : rf_str_make(bytes, text.len);
}

static rf_str key_of(struct rf_arena *arena, rf_str guid, rf_str name)
{
    return rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(guid), RF_FMT(name));
}

enum rf_kind vault_database_get(struct vaults *vaults, struct state_txn *txn, rf_str guid,
                                rf_str name, struct rf_arena *arena, struct database *out,
                                struct rf_err *err)
{
    struct state_object object;
    rf_str low = vault_database_lower(arena, name), key = key_of(arena, guid, low);
    if (low.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(txn == NULL
               ? state_peek(vaults->options.state, vault_database_space, key, arena, &object, err)
               : state_get(txn, vault_database_space, key, arena, &object, err));
    *out = (struct database){.guid = guid, .name = low, .etag = object.etag};
    return json_parse(object.body, arena, &out->node, err);
}

static enum rf_kind not_found(struct vault_call *call, struct rf_err *err)
{
    return vault_fail(call, err, 404, "DatabaseNotFound", NULL,
                      "A database with the name %.*s was not found in this vault.",
                      RF_FMT(call->name));
}

enum rf_kind vault_database_need(struct vault_call *call, struct state_txn *txn,
                                 struct database *out, struct rf_err *err)
{
    enum rf_kind kind =
        vault_database_get(call->vaults, txn, call->place.guid, call->name, call->arena, out, err);
    return kind == RF_NOT_FOUND ? not_found(call, err) : kind;
}

enum rf_kind vault_database_put(struct vaults *vaults, struct state_txn *txn,
                                struct rf_arena *arena, struct database *db, struct rf_err *err)
{
    rf_str key = key_of(arena, db->guid, db->name), body = json_to_text(arena, db->node);
    (void)vaults;
    if (key.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = vault_database_space,
                            .key = key,
                            .body = body,
                            .condition = db->etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = db->etag};
    return state_put(txn, &put, &db->etag, NULL, err);
}

bool vault_database_allows(const struct database *db, rf_str role)
{
    const struct json_node *list = json_get(db->node, "allowedRoles");
    if (!json_is(list, JSON_T_ARRAY)) return true;
    for (const struct json_node *r = list->first; r != NULL; r = r->next)
        if (rf_str_eq_nocase(r->text, role) || rf_str_is(r->text, "*")) return true;
    return false;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

rf_str vault_database_clean(struct rf_arena *arena, rf_str text, size_t bytes_max)
{
    size_t len = RF_MIN(text.len, bytes_max);
    uint8_t *bytes = rf_arena_alloc(arena, len + 1);
    for (size_t i = 0; bytes != NULL && i < len; i++)
        bytes[i] = text.ptr[i] < ' ' || text.ptr[i] >= 0x7f ? '?' : text.ptr[i];
    return bytes == NULL ? (rf_str){0} : rf_str_make(bytes, len);
}

static enum rf_kind bad(struct vault_call *call, const char *name, const char *why,
                        struct rf_err *err)
{
    return vault_bad(call, err, "Property '%s' has invalid value: %s.", name, why);
}

enum rf_kind vault_database_texts(struct vault_call *call, const char *name, uint32_t count_max,
                                  size_t bytes_max, struct json_node **out, struct rf_err *err)
{
    struct json_node *list;
    RF_TRY(vault_member(call, call->body, name, JSON_T_ARRAY, &list, err));
    *out = NULL;
    if (list == NULL) return RF_OK;
    if (list->count > count_max)
        return vault_bad(call, err, "Property '%s' has invalid value: it has at most %u items.",
                         name, count_max);
    uint32_t index = 0;
    for (const struct json_node *item = list->first; item != NULL; item = item->next, index++)
        if (item->type != JSON_T_STRING || item->text.len == 0 || item->text.len > bytes_max)
            return vault_bad(call, err,
                             "Property '%s[%u]' has invalid value: it is a text of 1 to "
                             "%zu bytes.",
                             name, index, bytes_max);
    *out = json_clone(call->arena, list);
    return *out == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

enum rf_kind vault_database_number(struct vault_call *call, const char *name, int64_t least,
                                   int64_t most, int64_t fallback, int64_t *out, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(call, call->body, name, JSON_T_NUMBER, &member, err));
    *out = fallback;
    if (member == NULL) return RF_OK;
    if (json_i64_at(call->body, name, out) && *out >= least && *out <= most) return RF_OK;
    return vault_bad(call, err,
                     "Property '%s' has invalid value: it is a whole number from %lld to %lld.",
                     name, (long long)least, (long long)most);
}

/* A text of the body; what is absent stays as it is in `node`. */
static enum rf_kind read_text(struct vault_call *call, struct json_node *node, const char *name,
                              size_t bytes_max, bool needed, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(call, call->body, name, JSON_T_STRING, &member, err));
    rf_str text = member == NULL ? json_text_at(node, name) : member->text;
    if (text.len == 0 && needed) return vault_bad(call, err, "Property '%s' is required.", name);
    if (text.len > bytes_max)
        return vault_bad(call, err, "Property '%s' has invalid value: it has at most %zu bytes.",
                         name, bytes_max);
    if (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL)
        return bad(call, name, "it holds a zero byte", err);
    if (text.len == 0) {
        json_remove(node, rf_str_of(name));
        return RF_OK;
    }
    return json_set_text(call->arena, node, name, text) == NULL ? rf_fail_memory(err, call->arena)
                                                                : RF_OK;
}

static enum rf_kind check_host(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    rf_str host = vault_database_lower(call->arena, json_text_at(node, "host"));
    if (host.ptr == NULL) return rf_fail_memory(err, call->arena);
    for (size_t i = 0; i < host.len; i++)
        if (!rf_is_alnum(host.ptr[i]) && memchr("-._:", host.ptr[i], 4) == NULL)
            return bad(call, "host", "it is a host name, or an address without brackets", err);
    return json_set_text(call->arena, node, "host", host) == NULL ? rf_fail_memory(err, call->arena)
                                                                  : RF_OK;
}

static rf_str authority_of(struct rf_arena *arena, const struct json_node *node)
{
    int64_t port = PORT;
    rf_str host = json_text_at(node, "host");
    (void)json_i64_at(node, "port", &port);
    bool six = rf_str_find(host, RF_S(":"), 0) != SIZE_MAX;
    return rf_arena_printf(arena, six ? "[%.*s]:%lld" : "%.*s:%lld", RF_FMT(host), (long long)port);
}

static enum rf_kind check_reach(struct vault_call *call, const struct json_node *node,
                                struct rf_err *err)
{
    rf_str authority = authority_of(call->arena, node);
    if (authority.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (rf_str_is(json_text_at(node, "tls"), "none") && !egress_is_loopback(authority))
        return bad(call, "tls", "'none' is for this machine's loopback addresses only", err);
    if (egress_way(vault_acme_egress(call->vaults->acme), authority) != EGRESS_NONE) return RF_OK;
    return vault_bad(call, err,
                     "Property 'host' has invalid value: the server may not connect to %.*s. "
                     "Whoever runs it names it in the setting outbound.hosts.",
                     RF_FMT(authority));
}

static bool is_pin(rf_str pin)
{
    for (size_t i = 0; i < pin.len; i++)
        if (!rf_is_digit(pin.ptr[i]) && (pin.ptr[i] < 'a' || pin.ptr[i] > 'f')) return false;
    return pin.len == PIN_CHARS;
}

static enum rf_kind read_tls(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    RF_TRY(read_text(call, node, "tls", 8, false, err));
    RF_TRY(read_text(call, node, "caPem", PEM_BYTES_MAX, false, err));
    RF_TRY(read_text(call, node, "pin", PIN_CHARS, false, err));
    rf_str tls = json_text_at(node, "tls"), pin = json_text_at(node, "pin");
    if (tls.len == 0) tls = RF_S("full");
    bool pinned = rf_str_is(tls, "pinned");
    if (!rf_str_is(tls, "full") && !pinned && !rf_str_is(tls, "none"))
        return bad(call, "tls", "it is full, pinned or none", err);
    if (pinned) {
        rf_str low = vault_database_lower(call->arena, pin);
        if (low.ptr == NULL) return rf_fail_memory(err, call->arena);
        if (!is_pin(low))
            return bad(call, "pin",
                       "with tls 'pinned' it is the SHA-256 of the server's certificate (DER), 64 "
                       "hex digits",
                       err);
        if (json_set_text(call->arena, node, "pin", low) == NULL)
            return rf_fail_memory(err, call->arena);
    } else {
        json_remove(node, RF_S("pin"));
    }
    if (!rf_str_is(tls, "full")) json_remove(node, RF_S("caPem"));
    return json_set_text(call->arena, node, "tls", tls) == NULL ? rf_fail_memory(err, call->arena)
                                                                : RF_OK;
}

static enum rf_kind read_clear(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    struct json_node *member;
    RF_TRY(vault_member(call, call->body, "clearPassword", JSON_T_TRUE, &member, err));
    bool clear = json_bool_at(node, "clearPassword", false);
    if (member != NULL) clear = member->type == JSON_T_TRUE;
    return json_set_bool(call->arena, node, "clearPassword", clear) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind read_roles(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    struct json_node *list;
    RF_TRY(vault_database_texts(call, "allowedRoles", ROLES_MAX, 127, &list, err));
    if (list == NULL) return RF_OK;
    for (const struct json_node *role = list->first; role != NULL; role = role->next)
        if (!vault_name_is(role->text) && !rf_str_is(role->text, "*"))
            return bad(call, "allowedRoles", "a role has 1 to 127 letters, digits and dashes", err);
    return json_set(call->arena, node, RF_S("allowedRoles"), list) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* Members that say who hears the password: a change of one needs the password anew, as it could be had by naming another server. */
static const char *const trusted[] = {"host", "user", "tls", "caPem", "pin"};

static bool same_port(const struct json_node *a, const struct json_node *b)
{
    int64_t x = PORT, y = PORT;
    (void)json_i64_at(a, "port", &x);
    (void)json_i64_at(b, "port", &y);
    return x == y;
}

static bool same_ears(const struct json_node *a, const struct json_node *b)
{
    for (size_t i = 0; i < RF_COUNT(trusted); i++)
        if (!rf_str_eq(json_text_at(a, trusted[i]), json_text_at(b, trusted[i]))) return false;
    /* Clear text, once allowed, may be taken back by anybody. */
    return same_port(a, b) &&
           (json_bool_at(a, "clearPassword", false) || !json_bool_at(b, "clearPassword", false));
}

enum rf_kind vault_database_read(struct vault_call *call, struct json_node *node, rf_str *password,
                                 bool *moved, struct rf_err *err)
{
    struct json_node *given, *before = json_clone(call->arena, node);
    int64_t port = PORT;
    if (before == NULL) return rf_fail_memory(err, call->arena);
    bool is_new = json_get(node, "login") == NULL;
    RF_TRY(read_text(call, node, "host", HOST_BYTES_MAX, true, err));
    RF_TRY(check_host(call, node, err));
    (void)json_i64_at(node, "port", &port);
    RF_TRY(vault_database_number(call, "port", 1, 65535, port, &port, err));
    if (json_set_i64(call->arena, node, "port", port) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(read_text(call, node, "database", NAME_BYTES_MAX, true, err));
    RF_TRY(read_text(call, node, "user", NAME_BYTES_MAX, true, err));
    RF_TRY(read_tls(call, node, err));
    RF_TRY(read_clear(call, node, err));
    RF_TRY(read_roles(call, node, err));
    RF_TRY(check_reach(call, node, err));
    RF_TRY(vault_member(call, call->body, "password", JSON_T_STRING, &given, err));
    *password = given == NULL ? (rf_str){0} : given->text;
    *moved =
        !is_new && (!same_port(before, node) ||
                    !rf_str_eq(json_text_at(before, "host"), json_text_at(node, "host")) ||
                    !rf_str_eq(json_text_at(before, "database"), json_text_at(node, "database")));
    if (password->len > PASSWORD_BYTES_MAX || rf_str_find(*password, RF_S("\0"), 0) != SIZE_MAX)
        return bad(call, "password", "it has at most 1000 bytes and no zero byte", err);
    if (password->len > 0 || (!is_new && same_ears(before, node))) return RF_OK;
    if (is_new) return vault_bad(call, err, "Property 'password' is required.");
    return vault_bad(call, err,
                     "Property 'password' is required when host, port, user, tls, caPem, pin or "
                     "clearPassword change.");
}
