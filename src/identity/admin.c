#include "identity/admin_int.h"

#include "identity/access_policy_int.h"
#include "people/factor.h"

enum { CODE_BYTES = 32, CODE_TEXT_BYTES = 43 };
static const char space[] = "adminLink";

/* ---- links ------------------------------------------------------------------------------------------------------------- */

static rf_str key_of(rf_str code, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(code, hash);
    return hex_encode(arena, rf_str_make(hash, sizeof hash));
}

enum rf_kind identity_make_admin_link(struct identity *identity, struct state_txn *txn, rf_str user,
                                      struct rf_arena *arena, rf_str *code, struct rf_err *err)
{
    uint8_t raw[CODE_BYTES];
    random_bytes(raw, sizeof raw);
    rf_str text = base64url_encode(arena, rf_str_make(raw, sizeof raw));
    explicit_bzero(raw, sizeof raw);
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "user", user);
    if (text.ptr == NULL ||
        json_set_i64(arena, doc, "expires",
                     rf_clock_now(identity->options.clock) / RF_USEC_PER_SECOND +
                         (int64_t)ADMIN_LINK_HOURS * 3600) == NULL)
        return rf_fail_memory(err, arena);
    const struct state_put put = {
        .space = space, .key = key_of(text, arena), .body = json_to_text(arena, doc)};
    if (put.key.ptr == NULL || put.body.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_delete_prefix(txn, space, (rf_str){0}, NULL, err));
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    *code = text;
    return RF_OK;
}

static enum rf_kind over(struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "LinkOver", "the link was used, is too old, or is none");
}

enum rf_kind admin_link_find(struct state_txn *txn, rf_str code, rf_usec now,
                             struct rf_arena *arena, struct admin_link *out, struct rf_err *err)
{
    struct state_object object;
    struct json_node *doc;
    int64_t expires;
    if (code.len != CODE_TEXT_BYTES) return over(err);
    rf_str key = key_of(code, arena);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_get(txn, space, key, arena, &object, err);
    if (kind == RF_NOT_FOUND) return over(err);
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &doc, err));
    if (!json_i64_at(doc, "expires", &expires) || now / RF_USEC_PER_SECOND >= expires)
        return over(err);
    *out = (struct admin_link){.key = key, .user = json_text_at(doc, "user")};
    return RF_OK;
}

enum rf_kind admin_link_take(struct state_txn *txn, const struct admin_link *link,
                             struct rf_err *err)
{
    return state_delete(txn, space, link->key, err);
}

enum rf_kind identity_admin_link_good(struct identity *identity, struct state_txn *txn, rf_str code,
                                      struct rf_arena *arena, bool *good, struct rf_err *err)
{
    struct admin_link link;
    enum rf_kind kind =
        admin_link_find(txn, code, rf_clock_now(identity->options.clock), arena, &link, err);
    *good = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* ---- who is one ---------------------------------------------------------------------------------------------------------- */

enum rf_kind identity_has_administrator(struct state_txn *txn, struct rf_arena *arena, bool *has,
                                        struct rf_err *err)
{
    struct object_list list;
    *has = false;
    RF_TRY(object_list(txn, "directoryRoleAssignment", "roleDefinitionId",
                       RF_S(ROLE_GLOBAL_ADMINISTRATOR), arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *user;
        enum rf_kind kind =
            object_get(txn, "user", json_text_at(list.items[i], "principalId"), arena, &user, err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        if (!json_bool_at(user, "~breakGlass", false)) *has = true;
    }
    return RF_OK;
}

/* ---- accounts ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind set_password(struct json_node *doc, rf_str password, rf_usec now,
                                 struct rf_arena *arena, struct rf_err *err)
{
    json_remove(doc, RF_S("~verifier"));
    json_set_text(arena, doc, "lastPasswordChangeDateTime", time_graph(arena, now));
    json_set_bool(arena, doc, "~mustChange", false);
    json_set_bool(arena, doc, "accountEnabled", true);
    return json_set_text(arena, doc, "~password", password) == NULL ? rf_fail_memory(err, arena)
                                                                    : RF_OK;
}

enum rf_kind admin_user_json(const struct admin_account *account, rf_usec now,
                             struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    static const char *const nulls[] = {"givenName",   "jobTitle",       "mail",
                                        "mobilePhone", "officeLocation", "preferredLanguage",
                                        "surname"};
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    rf_str at = time_graph(arena, now), name = account->name;
    json_set_text(arena, doc, "id", account->id);
    json_set_text(arena, doc, "createdDateTime", at);
    json_set_text(arena, doc, "displayName", account->display_name);
    json_set_text(arena, doc, "mailNickname", rf_slice(name, 0, rf_str_find(name, RF_S("@"), 0)));
    json_set_text(arena, doc, "userPrincipalName", name);
    json_set_text(arena, doc, "userType", RF_S("Member"));
    json_set_text(arena, doc, "signInSessionsValidFromDateTime", at);
    for (size_t i = 0; i < RF_COUNT(nulls); i++)
        json_set(arena, doc, rf_str_of(nulls[i]), json_new(arena, JSON_T_NULL));
    if (account->break_glass) json_set_bool(arena, doc, "~breakGlass", true);
    if (json_set(arena, doc, RF_S("businessPhones"), json_new(arena, JSON_T_ARRAY)) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(set_password(doc, account->password, now, arena, err));
    *out = doc;
    return RF_OK;
}

enum rf_kind admin_renew(struct state_txn *txn, struct json_node *user, rf_str password,
                         rf_usec now, struct rf_arena *arena, struct rf_err *err)
{
    rf_str id = json_text_at(user, "id");
    /* The next whole second: times in tokens have no fractions, and those of this second shall end too. */
    rf_str from = time_graph(arena, now - now % RF_USEC_PER_SECOND + RF_USEC_PER_SECOND);
    json_set_text(arena, user, "signInSessionsValidFromDateTime", from);
    if (json_set_text(arena, user, "~validFrom", from) == NULL) return rf_fail_memory(err, arena);
    RF_TRY(set_password(user, password, now, arena, err));
    RF_TRY(factors_delete(txn, id, arena, err));
    RF_TRY(sessions_end_of(txn, id, arena, err));
    RF_TRY(families_end_of(txn, id, arena, err));
    return object_put(txn, "user", user, arena, err);
}

static enum rf_kind give_directory_role(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                                        struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(txn, "directoryRoleAssignment", "principalId", user, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_is(json_text_at(list.items[i], "roleDefinitionId"), ROLE_GLOBAL_ADMINISTRATOR))
            return RF_OK;
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", guid_random(arena));
    json_set_text(arena, doc, "principalId", user);
    json_set_text(arena, doc, "roleDefinitionId", RF_S(ROLE_GLOBAL_ADMINISTRATOR));
    if (json_set_text(arena, doc, "directoryScopeId", RF_S("/")) == NULL)
        return rf_fail_memory(err, arena);
    return object_put(txn, "directoryRoleAssignment", doc, arena, err);
}

enum rf_kind admin_give_rights(struct identity *identity, struct state_txn *txn, rf_str user,
                               struct rf_arena *arena, struct rf_err *err)
{
    /* Owner is of the control plane; what Azure keeps apart as data actions is granted by name. */
    static const char *const roles[] = {
        ROLE_OWNER, "00482a5a-887f-4fb3-b363-3b7fe8e74483", /* Key Vault Administrator */
        "f526a384-b230-433a-b45c-95f59c4a2dec",             /* Azure Event Hubs Data Owner */
    };
    RF_TRY(give_directory_role(txn, user, arena, err));
    for (size_t i = 0; i < RF_COUNT(roles); i++)
        RF_TRY(authz_assign(identity->options.authz, txn, user, "User", roles[i], RF_S("/"), err));
    return RF_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

struct json_node *admin_role_json(struct rf_arena *arena)
{
    struct json_node *role = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, role, "id", RF_S(ROLE_GLOBAL_ADMINISTRATOR));
    return json_set_text(arena, role, "displayName", RF_S("Global Administrator")) == NULL ? NULL
                                                                                           : role;
}

void admin_tell(struct identity *identity, struct request *request,
                const struct admin_change *change)
{
    struct rf_arena *arena = request->arena;
    const struct json_node *user = change->after;
    const struct principal who = {.type = PRINCIPAL_USER,
                                  .object_id = json_text_at(user, "id"),
                                  .display_name = json_text_at(user, "displayName"),
                                  .user_name = json_text_at(user, "userPrincipalName")},
                           *before = request->principal;
    struct json_node *role = admin_role_json(arena), *given = json_new(arena, JSON_T_OBJECT),
                     *none = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, given, "Role.DisplayName", RF_S("Global Administrator"));
    json_set_text(arena, given, "Role.TemplateId", RF_S(ROLE_GLOBAL_ADMINISTRATOR));
    json_set(arena, none, RF_S("Role.DisplayName"), json_new(arena, JSON_T_NULL));
    struct trail_change rows[] = {
        {.operation = change->before == NULL ? "Add user" : "Reset user password",
         .verb = change->before == NULL ? "Add" : "Update",
         .service = "Core Directory",
         .category = "UserManagement",
         .type = "User",
         .target = user,
         .before = change->before,
         .after = user},
        {.operation = "Add member to role",
         .verb = "Assign",
         .service = "Core Directory",
         .category = "RoleManagement",
         .type = "User",
         .target = user,
         .before = none,
         .after = given,
         .other = role,
         .other_type = "Role"},
        {.operation = "Use administrator link",
         .verb = "Update",
         .service = "Core Directory",
         .category = "UserManagement",
         .type = "User",
         .target = user},
    };
    request->principal = &who;
    for (size_t i = 0; i < RF_COUNT(rows); i++) trail_audit(identity, request, &rows[i]);
    request->principal = before;
}
