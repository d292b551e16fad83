/* graph_elevate.c - directory roles for a while: an administrator makes somebody eligible, who asks for the role when it is needed, with a reason and for
 * some hours; another administrator approves, and the clock ends it. As roleEligibilityScheduleRequests and roleAssignmentScheduleRequests of Graph.
 *
 * Spaces: roleEligibility (who may ask), roleActivation (who has it now), roleActivationRequest; bodies as Graph shows them, "~until" in microseconds (0:
 * no end). What is over does not count (access_roles_of) and goes with the next write here. */
#include "identity/graph_policy_int.h"

enum { TEXT_BYTES_MAX = 500, HOURS_MAX = 8, MINUTES_MIN = 5, DAYS_MAX = 365 };
#define BASE "roleManagement/directory/"
#define ROLE_WRITE "RoleManagement.ReadWrite.Directory"
#define DAY ((rf_usec)86400 * RF_USEC_PER_SECOND)

/* ---- what a request says ------------------------------------------------------------------------------------------------- */

struct wish {
    rf_str action, justification;
    struct json_node *principal, *role;
    const struct graph_entity *kind; /* of the principal */
    rf_str principal_id, role_id;
    rf_usec start, until; /* until 0: no end */
};

static bool is_admin(const struct graph_call *call)
{
    return principal_has_role(call->request->principal, ROLE_WRITE);
}

static enum rf_kind denied(struct graph_call *call, struct rf_err *err)
{
    return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                        "Insufficient privileges to complete the operation.");
}

static enum rf_kind read_schedule(struct graph_call *call, rf_usec least, rf_usec most,
                                  bool may_be_endless, struct wish *wish, struct rf_err *err)
{
    const struct json_node *info = json_get(call->body, "scheduleInfo");
    rf_str start = json_text_at(info, "startDateTime"),
           type = json_text_at(info, "expiration.type"),
           duration = json_text_at(info, "expiration.duration"),
           end = json_text_at(info, "expiration.endDateTime");
    rf_usec now = call->request->now, length = 0;
    wish->start = now;
    if (start.len > 0 && (!time_parse_iso(start, &wish->start) || wish->start > now + DAY))
        return graph_bad(err, "scheduleInfo.startDateTime is a time, now or within a day.");
    wish->start = RF_MAX(wish->start, now);
    if (rf_str_eq_nocase(type, RF_S("afterDuration"))) {
        if (!duration_parse_iso(duration, &length))
            return graph_bad(err, "scheduleInfo.expiration.duration is a duration, as PT2H.");
    } else if (rf_str_eq_nocase(type, RF_S("afterDateTime"))) {
        if (!time_parse_iso(end, &length))
            return graph_bad(err, "scheduleInfo.expiration.endDateTime is a time.");
        length -= wish->start;
    } else if (may_be_endless && (type.len == 0 || rf_str_eq_nocase(type, RF_S("noExpiration")))) {
        return RF_OK;
    } else {
        return graph_bad(err, "scheduleInfo.expiration.type is afterDuration or afterDateTime%s.",
                         may_be_endless ? ", or noExpiration" : "");
    }
    if (length < least || length > most)
        return graph_bad(err,
                         "The role policy validation failed: ExpirationRule. It can last %lld "
                         "minutes to %lld hours.",
                         (long long)(least / (60 * RF_USEC_PER_SECOND)),
                         (long long)(most / (3600 * RF_USEC_PER_SECOND)));
    wish->until = wish->start + length;
    return RF_OK;
}

static enum rf_kind read_wish(struct graph_call *call, struct wish *wish, struct rf_err *err)
{
    rf_str scope = json_text_at(call->body, "directoryScopeId");
    *wish = (struct wish){.action = json_text_at(call->body, "action"),
                          .justification = rf_str_trim(json_text_at(call->body, "justification"))};
    if (call->body == NULL) return graph_bad(err, "A body is required.");
    if (scope.len > 0 && !rf_str_is(scope, "/"))
        return graph_bad(err, "directoryScopeId can be '/' only: there are no administrative "
                              "units.");
    if (wish->justification.len > TEXT_BYTES_MAX)
        return graph_bad(err, "justification has at most %d bytes.", TEXT_BYTES_MAX);
    RF_TRY(graph_role_definition(call, json_text_at(call->body, "roleDefinitionId"), &wish->role,
                                 err));
    RF_TRY(graph_object(call, json_text_at(call->body, "principalId"), &wish->kind,
                        &wish->principal, err));
    if (wish->kind != &graph_user && wish->kind != &graph_group)
        return graph_bad(err, "principalId is a user or a group.");
    wish->principal_id = json_text_at(wish->principal, "id");
    wish->role_id = json_text_at(wish->role, "id");
    return RF_OK;
}

/* ---- what there is ---------------------------------------------------------------------------------------------------------- */

static bool is_over(const struct graph_call *call, const struct json_node *doc)
{
    int64_t until = 0;
    (void)json_i64_at(doc, "~until", &until);
    return until != 0 && until <= call->request->now;
}

static enum rf_kind find(struct graph_call *call, const char *space, rf_str principal, rf_str role,
                         struct json_node **out, struct rf_err *err)
{
    struct object_list list;
    *out = NULL;
    RF_TRY(object_list(call->txn, space, "principalId", principal, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_eq_nocase(json_text_at(list.items[i], "roleDefinitionId"), role) &&
            !is_over(call, list.items[i]))
            *out = list.items[i];
    return RF_OK;
}

/* As himself, or by a group. */
static enum rf_kind find_eligibility(struct graph_call *call, rf_str user, rf_str role,
                                     struct json_node **out, struct rf_err *err)
{
    rf_str *groups;
    uint32_t count;
    RF_TRY(find(call, "roleEligibility", user, role, out, err));
    if (*out != NULL) return RF_OK;
    RF_TRY(groups_of(call->txn, user, call->arena, &groups, &count, err));
    for (uint32_t i = 0; i < count && *out == NULL; i++)
        RF_TRY(find(call, "roleEligibility", groups[i], role, out, err));
    return RF_OK;
}

static void note(struct graph_call *call, const char *operation, const struct json_node *principal,
                 const struct json_node *role, rf_str reason)
{
    graph_change(call, &(struct trail_change){.operation = operation,
                                              .verb = "Assign",
                                              .service = "PIM",
                                              .category = "RoleManagement",
                                              .type = "User",
                                              .target = principal,
                                              .other = role,
                                              .other_type = "Role",
                                              .reason = rf_arena_cstr(call->arena, reason)});
}

/* Deletes what is over, with a row for each that nobody has ended. */
static enum rf_kind sweep(struct graph_call *call, struct rf_err *err)
{
    enum { AT_ONCE = 8 }; /* the rest another time */
    struct object_list list;
    uint32_t count = 0;
    RF_TRY(object_list(call->txn, "roleActivation", NULL, (rf_str){0}, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count && count < AT_ONCE; i++) {
        struct json_node *doc = list.items[i], *principal, *role;
        const struct graph_entity *kind;
        if (!is_over(call, doc)) continue;
        count++;
        RF_TRY(object_delete(call->txn, "roleActivation", json_text_at(doc, "id"), err));
        if (graph_object(call, json_text_at(doc, "principalId"), &kind, &principal, err) != RF_OK ||
            graph_role_definition(call, json_text_at(doc, "roleDefinitionId"), &role, err) != RF_OK)
            continue;
        note(call, "Remove member from role (PIM activation expired)", principal, role,
             json_text_at(doc, "endDateTime"));
    }
    return RF_OK;
}

/* ---- documents ------------------------------------------------------------------------------------------------------------------ */

static struct json_node *new_doc(struct graph_call *call, const struct wish *wish)
{
    struct rf_arena *arena = call->arena;
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", guid_random(arena));
    json_set_text(arena, doc, "createdDateTime", time_graph(arena, call->request->now));
    json_set_text(arena, doc, "principalId", wish->principal_id);
    json_set_text(arena, doc, "roleDefinitionId", wish->role_id);
    return json_set_text(arena, doc, "directoryScopeId", RF_S("/")) == NULL ? NULL : doc;
}

static bool set_times(struct graph_call *call, struct json_node *doc, rf_usec start, rf_usec until)
{
    struct rf_arena *arena = call->arena;
    json_set_text(arena, doc, "startDateTime", time_graph(arena, start));
    if (until == 0)
        json_set(arena, doc, RF_S("endDateTime"), json_new(arena, JSON_T_NULL));
    else
        json_set_text(arena, doc, "endDateTime", time_graph(arena, until));
    return json_set_i64(arena, doc, "~until", until) != NULL;
}

static struct json_node *request_doc(struct graph_call *call, const struct wish *wish,
                                     const char *status)
{
    struct rf_arena *arena = call->arena;
    const struct principal *who = call->request->principal;
    struct json_node *doc = new_doc(call, wish), *by = json_object_in(arena, doc, "createdBy");
    bool user = who->type == PRINCIPAL_USER;
    struct json_node *one = json_object_in(arena, by, user ? "user" : "application");
    const struct json_node *info = json_get(call->body, "scheduleInfo");
    json_set_text(arena, one, "id", who->object_id);
    json_set_text(arena, one, "displayName", who->display_name);
    json_set_text(arena, doc, "action", wish->action);
    json_set_text(arena, doc, "justification", wish->justification);
    json_set_text(arena, doc, "status", rf_str_of(status));
    if (info != NULL) json_set(arena, doc, RF_S("scheduleInfo"), json_clone(arena, info));
    return json_set_bool(arena, doc, "isValidationOnly", false) == NULL ? NULL : doc;
}

static enum rf_kind answer(struct graph_call *call, const struct json_node *doc, uint16_t status,
                           struct rf_err *err)
{
    call->answer = graph_public(call->arena, doc);
    call->status = status;
    return call->answer == NULL ? graph_memory(call, err) : RF_OK;
}

/* ---- eligibility ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind request_eligibility(struct graph_call *call, struct rf_err *err)
{
    struct wish wish;
    struct json_node *there, *doc, *request;
    RF_TRY(read_wish(call, &wish, err));
    RF_TRY(find(call, "roleEligibility", wish.principal_id, wish.role_id, &there, err));
    if (rf_str_is(wish.action, "adminAssign")) {
        if (there != NULL)
            return RF_FAIL(err, RF_INVALID, "RoleAssignmentExists",
                           "The Role assignment already exists.");
        RF_TRY(read_schedule(call, DAY / 24, DAYS_MAX * DAY, true, &wish, err));
        doc = new_doc(call, &wish);
        if (doc == NULL || !set_times(call, doc, wish.start, wish.until))
            return graph_memory(call, err);
        RF_TRY(object_put(call->txn, "roleEligibility", doc, call->arena, err));
        note(call, "Add eligible member to role in PIM completed (permanent)", wish.principal,
             wish.role, wish.justification);
    } else if (rf_str_is(wish.action, "adminRemove")) {
        if (there == NULL)
            return RF_FAIL(err, RF_INVALID, "RoleAssignmentDoesNotExist",
                           "The Role assignment does not exist.");
        RF_TRY(object_delete(call->txn, "roleEligibility", json_text_at(there, "id"), err));
        note(call, "Remove eligible member from role in PIM completed (permanent)", wish.principal,
             wish.role, wish.justification);
    } else {
        return graph_bad(err, "action is adminAssign or adminRemove.");
    }
    request = request_doc(call, &wish, "Provisioned");
    return request == NULL ? graph_memory(call, err) : answer(call, request, 201, err);
}

/* ---- activation -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind find_pending(struct graph_call *call, const struct wish *wish, bool *pending,
                                 struct rf_err *err)
{
    struct object_list list;
    *pending = false;
    RF_TRY(object_list(call->txn, "roleActivationRequest", "principalId", wish->principal_id,
                       call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_eq(json_text_at(list.items[i], "roleDefinitionId"), wish->role_id) &&
            rf_str_is(json_text_at(list.items[i], "status"), "PendingApproval"))
            *pending = true;
    return RF_OK;
}

static enum rf_kind self_activate(struct graph_call *call, struct wish *wish,
                                  struct json_node **out, struct rf_err *err)
{
    struct json_node *eligible, *active;
    bool pending;
    if (wish->justification.len == 0)
        return RF_FAIL(err, RF_INVALID, "RoleAssignmentRequestPolicyValidationFailed",
                       "The role policy validation failed: JustificationRule. Say what the role is "
                       "needed for.");
    RF_TRY(read_schedule(call, (rf_usec)MINUTES_MIN * 60 * RF_USEC_PER_SECOND,
                         (rf_usec)HOURS_MAX * 3600 * RF_USEC_PER_SECOND, false, wish, err));
    RF_TRY(find_eligibility(call, wish->principal_id, wish->role_id, &eligible, err));
    if (eligible == NULL)
        return RF_FAIL(err, RF_INVALID, "RoleAssignmentDoesNotExist",
                       "You are not eligible for this role.");
    RF_TRY(find(call, "roleActivation", wish->principal_id, wish->role_id, &active, err));
    if (active != NULL)
        return RF_FAIL(err, RF_INVALID, "RoleAssignmentExists",
                       "The Role assignment already exists.");
    RF_TRY(find_pending(call, wish, &pending, err));
    if (pending)
        return RF_FAIL(err, RF_INVALID, "PendingRoleAssignmentRequest",
                       "There is already an existing pending Role assignment request.");
    struct json_node *doc = request_doc(call, wish, "PendingApproval");
    if (doc == NULL) return graph_memory(call, err);
    json_set_text(call->arena, doc, "approvalId", json_text_at(doc, "id"));
    json_set_i64(call->arena, doc, "~length", wish->until - wish->start);
    if (json_set_i64(call->arena, doc, "~start", wish->start) == NULL)
        return graph_memory(call, err);
    note(call, "Add member to role requested (PIM activation)", wish->principal, wish->role,
         wish->justification);
    *out = doc;
    return object_put(call->txn, "roleActivationRequest", doc, call->arena, err);
}

static enum rf_kind deactivate(struct graph_call *call, const struct wish *wish,
                               struct json_node **out, struct rf_err *err)
{
    struct json_node *active;
    RF_TRY(find(call, "roleActivation", wish->principal_id, wish->role_id, &active, err));
    if (active == NULL)
        return RF_FAIL(err, RF_INVALID, "RoleAssignmentDoesNotExist",
                       "The Role assignment does not exist.");
    RF_TRY(object_delete(call->txn, "roleActivation", json_text_at(active, "id"), err));
    note(call, "Remove member from role (PIM deactivate)", wish->principal, wish->role,
         wish->justification);
    *out = request_doc(call, wish, "Revoked");
    return *out == NULL ? graph_memory(call, err) : RF_OK;
}

static enum rf_kind request_activation(struct graph_call *call, struct rf_err *err)
{
    struct wish wish;
    struct json_node *doc;
    const struct principal *who = call->request->principal;
    rf_str action = json_text_at(call->body, "action");
    bool self = rf_str_is(action, "selfActivate") || rf_str_is(action, "selfDeactivate");
    if (!self && !rf_str_is(action, "adminRemove"))
        return graph_bad(err, "action is selfActivate, selfDeactivate or adminRemove.");
    /* Before anything is looked up: who may not ask is not told who there is. */
    if (self ? who->type != PRINCIPAL_USER ||
                   !rf_str_eq_nocase(who->object_id, json_text_at(call->body, "principalId"))
             : !is_admin(call))
        return denied(call, err);
    RF_TRY(sweep(call, err));
    RF_TRY(read_wish(call, &wish, err));
    if (rf_str_is(action, "selfActivate"))
        RF_TRY(self_activate(call, &wish, &doc, err));
    else
        RF_TRY(deactivate(call, &wish, &doc, err));
    return answer(call, doc, 201, err);
}

/* ---- approval ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_request(struct graph_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    enum rf_kind kind =
        object_get(call->txn, "roleActivationRequest", call->ids[0], call->arena, out, err);
    return kind == RF_NOT_FOUND ? graph_not_found(call->ids[0], err) : kind;
}

static enum rf_kind check_pending(const struct json_node *doc, struct rf_err *err)
{
    return rf_str_is(json_text_at(doc, "status"), "PendingApproval")
               ? RF_OK
               : RF_FAIL(err, RF_INVALID, "RequestNotPending",
                         "The request was decided already, or taken back.");
}

static enum rf_kind activate(struct graph_call *call, const struct json_node *doc,
                             const struct wish *wish, struct rf_err *err)
{
    int64_t length = 0, start = 0;
    struct json_node *active = new_doc(call, wish), *eligible;
    (void)json_i64_at(doc, "~length", &length);
    (void)json_i64_at(doc, "~start", &start);
    RF_TRY(find_eligibility(call, wish->principal_id, wish->role_id, &eligible, err));
    if (eligible == NULL)
        return RF_FAIL(err, RF_INVALID, "RoleAssignmentDoesNotExist",
                       "The one who asked is not eligible any more.");
    /* It lasts from when it can be used. */
    start = RF_MAX(start, (int64_t)call->request->now);
    json_set_text(call->arena, active, "assignmentType", RF_S("Activated"));
    json_set_text(call->arena, active, "requestId", json_text_at(doc, "id"));
    if (json_set_i64(call->arena, active, "~from", start) == NULL ||
        !set_times(call, active, start, start + length))
        return graph_memory(call, err);
    return object_put(call->txn, "roleActivation", active, call->arena, err);
}

static enum rf_kind review(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    struct wish wish = {.until = 0};
    const struct principal *who = call->request->principal;
    rf_str result = json_text_at(call->body, "reviewResult"),
           reason = rf_str_trim(json_text_at(call->body, "justification"));
    bool approve = rf_str_is(result, "Approve");
    RF_TRY(sweep(call, err));
    RF_TRY(load_request(call, &doc, err));
    RF_TRY(check_pending(doc, err));
    /* Four eyes: a person, and another one. */
    if (who->type != PRINCIPAL_USER ||
        rf_str_eq_nocase(who->object_id, json_text_at(doc, "principalId")))
        return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                            "Another administrator, signed in as a user, has to decide.");
    if (!approve && !rf_str_is(result, "Deny"))
        return graph_bad(err, "reviewResult is Approve or Deny.");
    if (reason.len == 0 || reason.len > TEXT_BYTES_MAX)
        return graph_bad(err, "justification is a text of 1 to %d bytes.", TEXT_BYTES_MAX);
    RF_TRY(graph_object(call, json_text_at(doc, "principalId"), &wish.kind, &wish.principal, err));
    RF_TRY(graph_role_definition(call, json_text_at(doc, "roleDefinitionId"), &wish.role, err));
    wish.principal_id = json_text_at(wish.principal, "id");
    wish.role_id = json_text_at(wish.role, "id");
    if (approve) RF_TRY(activate(call, doc, &wish, err));
    json_set_text(call->arena, doc, "status", approve ? RF_S("Provisioned") : RF_S("Denied"));
    json_set_text(call->arena, doc, "completedDateTime",
                  time_graph(call->arena, call->request->now));
    json_set_text(call->arena, doc, "reviewJustification", reason);
    if (json_set_text(call->arena, doc, "reviewedBy", who->object_id) == NULL)
        return graph_memory(call, err);
    RF_TRY(object_put(call->txn, "roleActivationRequest", doc, call->arena, err));
    note(call,
         approve ? "Add member to role request approved (PIM activation)"
                 : "Add member to role request denied (PIM activation)",
         wish.principal, wish.role, reason);
    if (approve)
        note(call, "Add member to role completed (PIM activation)", wish.principal, wish.role,
             json_text_at(doc, "justification"));
    return graph_answer_empty(call, 204);
}

static enum rf_kind cancel(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    const struct principal *who = call->request->principal;
    RF_TRY(load_request(call, &doc, err));
    if (!rf_str_eq_nocase(who->object_id, json_text_at(doc, "principalId")))
        return graph_not_found(call->ids[0], err);
    RF_TRY(check_pending(doc, err));
    if (json_set_text(call->arena, doc, "status", RF_S("Canceled")) == NULL)
        return graph_memory(call, err);
    RF_TRY(object_put(call->txn, "roleActivationRequest", doc, call->arena, err));
    return graph_answer_empty(call, 204);
}

/* ---- lists: all for administrators, one's own for everybody ------------------------------------------------------------------------------- */

static enum rf_kind list_of(struct graph_call *call, const char *space, const char *context,
                            struct rf_err *err)
{
    struct object_list all;
    const struct principal *who = call->request->principal;
    bool sees_all = is_admin(call) || principal_has_role(who, "RoleManagement.Read.Directory") ||
                    principal_has_role(who, "Directory.Read.All") ||
                    principal_has_role(who, "Directory.ReadWrite.All");
    uint32_t count = 0;
    RF_TRY(object_list(call->txn, space, NULL, (rf_str){0}, call->arena, &all, err));
    for (uint32_t i = 0; i < all.count; i++) {
        rf_str principal = json_text_at(all.items[i], "principalId");
        bool own = rf_str_eq_nocase(principal, who->object_id);
        for (uint32_t g = 0; g < who->group_count; g++)
            own = own || rf_str_eq_nocase(principal, who->groups[g]);
        if (is_over(call, all.items[i]) || !(own || sees_all)) continue;
        all.items[count] = graph_public(call->arena, all.items[i]);
        if (all.items[count++] == NULL) return graph_memory(call, err);
    }
    const struct graph_items items = {.docs = all.items, .count = count, .context = context};
    return graph_list_items(call, &items, err);
}

static enum rf_kind list_eligible(struct graph_call *call, struct rf_err *err)
{
    return list_of(call, "roleEligibility", BASE "roleEligibilityScheduleInstances", err);
}
static enum rf_kind list_active(struct graph_call *call, struct rf_err *err)
{
    return list_of(call, "roleActivation", BASE "roleAssignmentScheduleInstances", err);
}
static enum rf_kind list_requests(struct graph_call *call, struct rf_err *err)
{
    return list_of(call, "roleActivationRequest", BASE "roleAssignmentScheduleRequests", err);
}

const struct graph_route graph_elevate_routes[] = {
    {HTTP_POST, 0, BASE "roleEligibilityScheduleRequests", ROLE_WRITE, request_eligibility, NULL},
    {HTTP_GET, 0, BASE "roleEligibilityScheduleInstances", NULL, list_eligible, NULL},
    {HTTP_GET, 0, BASE "roleAssignmentScheduleInstances", NULL, list_active, NULL},
    {HTTP_GET, 0, BASE "roleAssignmentScheduleRequests", NULL, list_requests, NULL},
    {HTTP_POST, 0, BASE "roleAssignmentScheduleRequests", NULL, request_activation, NULL},
    {HTTP_POST, 0, BASE "roleAssignmentScheduleRequests/{}/cancel", NULL, cancel, NULL},
    {HTTP_PATCH, 0, BASE "roleAssignmentApprovals/{}/steps/{}", ROLE_WRITE, review, NULL},
    {.path = NULL},
};
