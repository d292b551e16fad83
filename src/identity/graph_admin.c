/* graph_admin.c - accounts that may do everything, made from the server's machine: the link for an administrator, the account for emergencies. The
 * cloud has neither. Whoever asks has the rights that come out of it already: he gives app roles, and assigns roles at the root. */
#include "identity/admin_int.h"
#include "identity/graph_policy_int.h"
#include "people/password.h"

#define ADMIN_WRITE "AppRoleAssignment.ReadWrite.All"
#define LINK_PATH "/signin/first"
#define BREAK_GLASS_NAME "break-glass"

static enum rf_kind check_rights(struct graph_call *call, struct rf_err *err)
{
    if (request_may(call->request, RF_S("Microsoft.Authorization/roleAssignments/write"), RF_S("/"),
                    false))
        return RF_OK;
    return request_fail(
        call->request, err, 403, "Authorization_RequestDenied",
        "This needs the role Owner, or User Access Administrator, at the scope '/'.");
}

/* The account of that name; *user NULL: there is none. */
static enum rf_kind find_user(struct graph_call *call, rf_str name, struct json_node **user,
                              struct rf_err *err)
{
    *user = NULL;
    enum rf_kind kind =
        object_find(call->txn, "user", "userPrincipalName", name, call->arena, user, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* The body's userPrincipalName, lower case; `fallback` when there is none. */
static enum rf_kind read_name(struct graph_call *call, const char *fallback, rf_str *out,
                              struct rf_err *err)
{
    const struct json_node *given = json_get(call->body, "userPrincipalName");
    *out = (rf_str){0};
    if (given != NULL && given->type != JSON_T_NULL) {
        if (given->type != JSON_T_STRING || given->text.len == 0)
            return graph_bad(err, "userPrincipalName must be a text.");
        *out = text_lower(call->arena, given->text);
    } else if (fallback != NULL) {
        *out = rf_arena_printf(call->arena, "%s@%.*s", fallback, RF_FMT(call->identity->domain));
    } else {
        return RF_OK;
    }
    if (out->ptr == NULL) return graph_memory(call, err);
    if (rf_str_find(*out, RF_S("@"), 0) == SIZE_MAX)
        *out =
            rf_arena_printf(call->arena, "%.*s@%.*s", RF_FMT(*out), RF_FMT(call->identity->domain));
    return out->ptr == NULL ? graph_memory(call, err) : RF_OK;
}

/* ---- the link ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind make_link(struct graph_call *call, struct rf_err *err)
{
    rf_str name, code;
    struct json_node *user = NULL, *root = json_new(call->arena, JSON_T_OBJECT),
                     *target = json_new(call->arena, JSON_T_OBJECT);
    RF_TRY(check_rights(call, err));
    RF_TRY(read_name(call, NULL, &name, err));
    if (name.len > 0) {
        RF_TRY(find_user(call, name, &user, err));
        if (user == NULL) return graph_not_found(name, err);
    }
    RF_TRY(identity_make_admin_link(call->identity, call->txn, json_text_at(user, "id"),
                                    call->arena, &code, err));
    json_set_text(call->arena, root, "@odata.context",
                  graph_context(call, "ringfort.administratorLink"));
    json_set_text(call->arena, root, "link",
                  rf_arena_printf(call->arena, "%.*s" LINK_PATH "?code=%.*s",
                                  RF_FMT(call->request->origin), RF_FMT(code)));
    json_set_text(call->arena, target, "id", RF_S("administratorLink"));
    json_set_text(call->arena, target, "displayName", RF_S("Administrator link"));
    if (json_set_text(
            call->arena, root, "expirationDateTime",
            time_graph(call->arena, call->request->now + (rf_usec)ADMIN_LINK_HOURS * 3600 *
                                                             RF_USEC_PER_SECOND)) == NULL)
        return graph_memory(call, err);
    graph_change(call, &(struct trail_change){.operation = "Create administrator link",
                                              .verb = "Add",
                                              .service = "Core Directory",
                                              .category = "UserManagement",
                                              .type = user == NULL ? "Other" : "User",
                                              .target = user == NULL ? target : user});
    call->status = 201;
    call->answer = root;
    return RF_OK;
}

/* ---- the account for emergencies ----------------------------------------------------------------------------------------- */

/* 160 bits in eight groups, to be typed from paper. */
static rf_str long_password(struct rf_arena *arena)
{
    static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789-"; /* none like another */
    enum { GROUPS = 8, GROUP_LETTERS = 4, LETTERS = 31 };
    struct rf_buf out = rf_buf_in(arena);
    for (unsigned i = 0; i < GROUPS * GROUP_LETTERS;) {
        uint8_t byte;
        random_bytes(&byte, 1);
        if (byte >= 256 - 256 % LETTERS) continue;
        if (i > 0 && i % GROUP_LETTERS == 0) rf_buf_byte(&out, '-');
        rf_buf_byte(&out, (uint8_t)letters[byte % LETTERS]);
        i++;
    }
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

static void note(struct graph_call *call, const char *operation, const char *verb,
                 const struct json_node *before, const struct json_node *after)
{
    graph_change(call, &(struct trail_change){.operation = operation,
                                              .verb = verb,
                                              .service = "Core Directory",
                                              .category = "UserManagement",
                                              .type = "User",
                                              .target = after,
                                              .before = before,
                                              .after = after});
}

static enum rf_kind make_break_glass(struct graph_call *call, struct rf_err *err)
{
    rf_str name, id, stored, password = long_password(call->arena);
    struct json_node *user, *before = NULL, *root = json_new(call->arena, JSON_T_OBJECT);
    rf_usec now = call->request->now;
    RF_TRY(check_rights(call, err));
    RF_TRY(read_name(call, BREAK_GLASS_NAME, &name, err));
    RF_TRY(find_user(call, name, &user, err));
    size_t at = rf_str_find(name, RF_S("@"), 0);
    if (!graph_is_local_part(rf_slice(name, 0, at)) ||
        !rf_str_eq(rf_slice(name, at + 1, name.len), call->identity->domain))
        return graph_bad(err, "Property userPrincipalName is invalid.");
    if (user != NULL && !json_bool_at(user, "~breakGlass", false))
        return graph_bad(err,
                         "'%.*s' is somebody's account and no break-glass account: take another "
                         "userPrincipalName.",
                         RF_FMT(name));
    id = user != NULL ? json_text_at(user, "id") : guid_random(call->arena);
    if (password.ptr == NULL || id.ptr == NULL) return graph_memory(call, err);
    RF_TRY(password_make(call->identity->passwords, id, password, call->arena, &stored, err));
    if (user != NULL) {
        before = json_clone(call->arena, user);
        RF_TRY(admin_renew(call->txn, user, stored, now, call->arena, err));
    } else {
        const struct admin_account account = {.id = id,
                                              .name = name,
                                              .display_name = RF_S("Break-glass account"),
                                              .password = stored,
                                              .break_glass = true};
        RF_TRY(admin_user_json(&account, now, call->arena, &user, err));
        RF_TRY(object_put(call->txn, "user", user, call->arena, err));
    }
    RF_TRY(admin_give_rights(call->identity, call->txn, id, call->arena, err));
    note(call, before == NULL ? "Add break-glass account" : "Renew break-glass account",
         before == NULL ? "Add" : "Update", before, user);
    json_set_text(call->arena, root, "@odata.context",
                  graph_context(call, "ringfort.breakGlassAccount"));
    json_set_text(call->arena, root, "id", id);
    json_set_text(call->arena, root, "userPrincipalName", name);
    if (json_set_text(call->arena, root, "password", password) == NULL)
        return graph_memory(call, err);
    call->status = 201;
    call->answer = root;
    return RF_OK;
}

const struct graph_route graph_admin_routes[] = {
    {HTTP_POST, 0, "directory/ringfort.administratorLink", ADMIN_WRITE, make_link, NULL},
    {HTTP_POST, 0, "directory/ringfort.breakGlassAccount", ADMIN_WRITE, make_break_glass, NULL},
    {.path = NULL},
};
