#include "authz/rbac_int.h"

#include "base/encode.h"

/* ---- what all routes share ------------------------------------------------------------------------------- */

rf_str rbac_scope(const struct request *request)
{
    return rf_arena_printf(request->arena, "/%.*s", RF_FMT(request_variable(request, "scope")));
}

static bool is_version(rf_str text)
{
    static const char form[] = "0000-00-00";
    if (text.len < sizeof form - 1) return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? !rf_is_digit(text.ptr[i]) : text.ptr[i] != (uint8_t)form[i])
            return false;
    rf_str rest = rf_slice(text, sizeof form - 1, text.len);
    return rest.len == 0 || rf_str_eq_nocase(rest, RF_S("-preview"));
}

enum rf_kind rbac_version(struct request *request, struct rf_err *err)
{
    rf_str version = request_parameter(request, "api-version", NULL);
    if (version.len == 0)
        return RF_FAIL(err, RF_INVALID, "MissingApiVersionParameter",
                       "The api-version query parameter (?api-version=) is required for all "
                       "requests.");
    if (!is_version(version))
        return RF_FAIL(err, RF_INVALID, "InvalidApiVersionParameter",
                       "The api-version '%.*s' is invalid. It must be a date such as 2022-04-01.",
                       (int)RF_MIN(version.len, 64), (const char *)version.ptr);
    return RF_OK;
}

static enum rf_kind scope_of(struct request *request, rf_str *scope, struct rf_err *err)
{
    *scope = rbac_scope(request);
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* ---- pages ----------------------------------------------------------------------------------------------- */

enum { PAGE_DEFAULT = 500, PAGE_MAX = 1000 };

static uint32_t read_top(rf_str text)
{
    uint32_t top = 0;
    for (size_t i = 0; i < text.len && top <= PAGE_MAX; i++) {
        if (!rf_is_digit(text.ptr[i])) return 0;
        top = top * 10 + (text.ptr[i] - '0');
    }
    return RF_MIN(top, (uint32_t)PAGE_MAX);
}

enum rf_kind rbac_page_begin(struct request *request, struct rbac_page *page, struct rf_err *err)
{
    bool has_top, has_token;
    rf_str top = request_parameter(request, "$top", &has_top);
    rf_str token = request_parameter(request, "$skipToken", &has_token);
    *page = (struct rbac_page){.most = has_top ? read_top(top) : PAGE_DEFAULT};
    if (page->most == 0)
        return RF_FAIL(err, RF_INVALID, "InvalidParameter", "$top must be 1 to %d.", PAGE_MAX);
    if (has_token && base64url_decode(request->arena, token, &page->after, NULL) != RF_OK)
        return RF_FAIL(err, RF_INVALID, "InvalidSkipToken", "The $skipToken is none of ours.");
    page->body = json_new(request->arena, JSON_T_OBJECT);
    page->value = json_new(request->arena, JSON_T_ARRAY);
    if (json_set(request->arena, page->body, RF_S("value"), page->value) == NULL)
        return rf_fail_memory(err, request->arena);
    return RF_OK;
}

bool rbac_page_wants(struct rbac_page *page, rf_str key)
{
    if (page->after.len > 0 && rf_str_cmp(key, page->after) <= 0) return false;
    if (page->count == page->most) page->more = true;
    return !page->more;
}

enum rf_kind rbac_page_add(struct request *request, struct rbac_page *page, rf_str key,
                           struct json_node *document, struct rf_err *err)
{
    if (json_append(page->value, document) == NULL) return rf_fail_memory(err, request->arena);
    page->last = key;
    page->count++;
    return RF_OK;
}

/* The request's own address with another $skipToken. */
static rf_str next_link(struct request *request, rf_str key)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    rf_str path = request->http->path;
    while (path.len > 1 && path.ptr[1] == '/') path = rf_slice(path, 1, path.len);
    rf_buf_str(&buf, request->origin);
    rf_buf_str(&buf, path);
    char sign = '?';
    for (uint32_t i = 0; i < request->parameter_count; i++, sign = '&') {
        const struct route_variable *p = &request->parameters[i];
        if (rf_str_eq_nocase(p->name, RF_S("$skipToken"))) continue;
        rf_buf_printf(&buf, "%c%.*s=%.*s", sign, RF_FMT(percent_encode(request->arena, p->name)),
                      RF_FMT(percent_encode(request->arena, p->value)));
    }
    rf_buf_printf(&buf, "%c%%24skipToken=%.*s", sign,
                  RF_FMT(base64url_encode(request->arena, key)));
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

enum rf_kind rbac_page_end(struct request *request, struct rbac_page *page, struct rf_err *err)
{
    if (page->more) {
        rf_str link = next_link(request, page->last);
        if (link.ptr == NULL) return rf_fail_memory(err, request->arena);
        json_set_text(request->arena, page->body, "nextLink", link);
    }
    return request_answer(request, 200, page->body);
}

/* ---- what the caller may do ------------------------------------------------------------------------------- */

static bool is_caller(const struct principal *principal, rf_str id)
{
    if (rf_str_eq_nocase(principal->object_id, id)) return true;
    for (uint32_t i = 0; i < principal->group_count; i++)
        if (rf_str_eq_nocase(principal->groups[i], id)) return true;
    return false;
}

static struct json_node *words_json(struct rf_arena *arena, const struct words *words)
{
    struct json_node *array = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; array != NULL && i < words->count; i++)
        if (json_append(array, json_new_text(arena, words->items[i])) == NULL) return NULL;
    return array;
}

struct json_node *permission_json(struct rf_arena *arena, const struct permission *permission)
{
    struct json_node *object = json_new(arena, JSON_T_OBJECT);
    json_set(arena, object, RF_S("actions"), words_json(arena, &permission->actions));
    json_set(arena, object, RF_S("notActions"), words_json(arena, &permission->not_actions));
    json_set(arena, object, RF_S("dataActions"), words_json(arena, &permission->data_actions));
    if (permission->condition_text.len > 0) {
        json_set_text(arena, object, "conditionVersion", RF_S("2.0"));
        json_set_text(arena, object, "condition", permission->condition_text);
    }
    struct json_node *last = json_set(arena, object, RF_S("notDataActions"),
                                      words_json(arena, &permission->not_data_actions));
    return last == NULL ? NULL : object;
}

static enum rf_kind put_permissions(struct request *request, const struct snapshot *snapshot,
                                    rf_str scope, struct json_node *list, struct rf_err *err)
{
    for (uint32_t i = 0; i < snapshot->assignment_count; i++) {
        const struct assignment *assignment = &snapshot->assignments[i];
        if (assignment->role == NULL || !scope_covers(assignment->scope, scope) ||
            !is_caller(request->principal, assignment->principal))
            continue;
        for (uint32_t p = 0; p < assignment->role->permission_count; p++) {
            struct json_node *one =
                permission_json(request->arena, &assignment->role->permissions[p]);
            if (json_append(list, one) == NULL) return rf_fail_memory(err, request->arena);
        }
    }
    return RF_OK;
}

static enum rf_kind list_permissions(struct request *request, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    struct json_node *body = json_new(request->arena, JSON_T_OBJECT);
    struct json_node *value = json_new(request->arena, JSON_T_ARRAY);
    rf_str scope = scope_key(request->arena, rbac_scope(request));
    RF_TRY(rbac_version(request, err));
    if (scope.ptr == NULL || json_set(request->arena, body, RF_S("value"), value) == NULL)
        return rf_fail_memory(err, request->arena);
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    RF_TRY(put_permissions(request, snapshot, scope, value, err));
    return request_answer(request, 200, body);
}

/* ---- deny assignments -------------------------------------------------------------------------------------- */

static bool words_have(const struct words *words, rf_str word)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (rf_str_eq_nocase(words->items[i], word)) return true;
    return false;
}

static bool deny_fits(const struct deny *deny, const struct rbac_filter *filter, rf_str scope)
{
    bool is_above = scope_covers(deny->scope, scope), is_below = scope_covers(scope, deny->scope);
    if (rbac_filter_term(filter, "atScope") != NULL ? !is_above : !is_above && !is_below)
        return false;
    const struct rbac_term *principal = rbac_filter_term(filter, "principalId");
    if (principal == NULL) principal = rbac_filter_term(filter, "gdprExportPrincipalId");
    return principal == NULL || words_have(&deny->principals, principal->value);
}

static enum rf_kind list_denies(struct request *request, struct rf_err *err)
{
    static const char *const names[] = {"atScope()", "principalId", "gdprExportPrincipalId", NULL};
    struct rbac *rbac = request->service;
    struct rbac_filter filter;
    struct rbac_page page;
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_TRY(rbac_version(request, err));
    RF_TRY(rbac_filter_parse(request_parameter(request, "$filter", NULL), names, request->arena,
                             &filter, err));
    RF_TRY(rbac_page_begin(request, &page, err));
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    rf_str scope = scope_key(request->arena, rbac_scope(request));
    if (scope.ptr == NULL) return rf_fail_memory(err, request->arena);
    for (uint32_t i = 0; i < snapshot->deny_count; i++) {
        const struct deny *deny = &snapshot->denies[i];
        struct json_node *body;
        if (!deny_fits(deny, &filter, scope) || !rbac_page_wants(&page, deny->key)) continue;
        RF_TRY(json_parse(deny->body, request->arena, &body, err));
        RF_TRY(rbac_page_add(request, &page, deny->key, body, err));
    }
    return rbac_page_end(request, &page, err);
}

static enum rf_kind get_deny(struct request *request, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    rf_str name = request_variable(request, "name"), scope = rbac_scope(request);
    RF_TRY(rbac_version(request, err));
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    rf_str key = scope_key(request->arena, scope);
    if (key.ptr == NULL) return rf_fail_memory(err, request->arena);
    for (uint32_t i = 0; i < snapshot->deny_count; i++) {
        const struct deny *deny = &snapshot->denies[i];
        struct json_node *body;
        if (!rf_str_eq_nocase(last_segment(deny->key), name) || !rf_str_eq(deny->scope, key))
            continue;
        RF_TRY(json_parse(deny->body, request->arena, &body, err));
        return request_answer(request, 200, body);
    }
    return RF_FAIL(err, RF_NOT_FOUND, "DenyAssignmentNotFound",
                   "The deny assignment '%.*s' is not found.", (int)RF_MIN(name.len, 64),
                   (const char *)name.ptr);
}

/* There are no classic administrators here, as there are none in Azure any more. */
static enum rf_kind list_classic(struct request *request, struct rf_err *err)
{
    struct rbac_page page;
    RF_TRY(rbac_version(request, err));
    RF_TRY(rbac_page_begin(request, &page, err));
    return rbac_page_end(request, &page, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------ */

#define BASE "/{scope*}/providers/Microsoft.Authorization/"
enum { RBAC_BODY_BYTES_MAX = 256 << 10 };

static const struct route routes[] = {
    {.method = HTTP_GET,
     .path = BASE "roleAssignments",
     .access = ROUTE_ACTION,
     .action = RBAC_ASSIGNMENT_READ,
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = rbac_assignment_list},
    {.method = HTTP_GET,
     .path = BASE "roleAssignments/{name}",
     .access = ROUTE_ACTION,
     .action = RBAC_ASSIGNMENT_READ,
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = rbac_assignment_get},
    {.method = HTTP_PUT,
     .path = BASE "roleAssignments/{name}",
     .access = ROUTE_RESOLVE,
     .audiences = AUDIENCE_ARM,
     .resolve = rbac_assignment_may_put,
     .run = rbac_assignment_put,
     .body_bytes_max = RBAC_BODY_BYTES_MAX},
    {.method = HTTP_DELETE,
     .path = BASE "roleAssignments/{name}",
     .access = ROUTE_RESOLVE,
     .audiences = AUDIENCE_ARM,
     .resolve = rbac_assignment_may_delete,
     .run = rbac_assignment_delete},
    {.method = HTTP_GET,
     .path = BASE "roleDefinitions",
     .access = ROUTE_ACTION,
     .action = RBAC_DEFINITION_READ,
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = rbac_definition_list},
    {.method = HTTP_GET,
     .path = BASE "roleDefinitions/{name}",
     .access = ROUTE_ACTION,
     .action = RBAC_DEFINITION_READ,
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = rbac_definition_get},
    {.method = HTTP_PUT,
     .path = BASE "roleDefinitions/{name}",
     .access = ROUTE_ACTION,
     .action = RBAC_DEFINITION_WRITE,
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = rbac_definition_put,
     .body_bytes_max = RBAC_BODY_BYTES_MAX},
    {.method = HTTP_DELETE,
     .path = BASE "roleDefinitions/{name}",
     .access = ROUTE_ACTION,
     .action = RBAC_DEFINITION_DELETE,
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = rbac_definition_delete},
    {.method = HTTP_GET,
     .path = BASE "permissions",
     .access = ROUTE_MEMBER,
     .audiences = AUDIENCE_ARM,
     .run = list_permissions},
    {.method = HTTP_GET,
     .path = BASE "denyAssignments",
     .access = ROUTE_ACTION,
     .action = "Microsoft.Authorization/denyAssignments/read",
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = list_denies},
    {.method = HTTP_GET,
     .path = BASE "denyAssignments/{name}",
     .access = ROUTE_ACTION,
     .action = "Microsoft.Authorization/denyAssignments/read",
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = get_deny},
    {.method = HTTP_GET,
     .path = BASE "classicAdministrators",
     .access = ROUTE_ACTION,
     .action = "Microsoft.Authorization/classicAdministrators/read",
     .audiences = AUDIENCE_ARM,
     .scope = scope_of,
     .run = list_classic},
};

enum rf_kind authz_service(struct authz *authz, const struct directory *directory,
                           const struct service **out, struct rf_err *err)
{
    (void)err;
    struct rbac *rbac = authz_rbac(authz);
    *rbac = (struct rbac){.authz = authz,
                          .directory = directory,
                          .service = {.name = "authorization",
                                      .ctx = rbac,
                                      .routes = routes,
                                      .route_count = RF_COUNT(routes)}};
    *out = &rbac->service;
    return RF_OK;
}
