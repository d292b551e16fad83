/* Directory roles for a while: who may ask, who may decide, and that the clock ends them. */
#include "test/rf_prop.h"

#include "identity/browser_int.h"

#define GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"
#define SECURITY_READER "5d6b6bb7-de71-4623-b4af-96380a352509"
#define BASE "/v1.0/roleManagement/directory/"

/* ---- people in the portal ------------------------------------------------------------------------------------------------ */

static void follow(struct browser *v)
{
    rf_str to = location(v), origin = RF_S(BENCH_ORIGIN);
    cr_assert(to.len > 0, "no way on: %.*s", RF_FMT(v->page.text));
    if (rf_str_starts(to, origin)) to = rf_slice(to, origin.len, to.len);
    browse(v, HTTP_GET, bench_text(v->b, "%.*s", RF_FMT(to)), (rf_str){0});
}

static void enter(struct browser *v, const char *name)
{
    browse(v, HTTP_GET, "/portal/signin", (rf_str){0});
    follow(v);
    send_page(v, "loginfmt", rf_arena_printf(&v->b->arena, "%s@ringfort.localhost", name));
    send_page(v, "passwd", RF_S(PASSWORD));
    if (shows(v, "id=\"idBtn_Back\"")) send_page(v, "keep", RF_S("no"));
    follow(v);
    v->script = true;
}

static uint16_t call(struct browser *v, enum http_method method, const char *target,
                     const char *body)
{
    browse(v, method, target, body == NULL ? (rf_str){0} : rf_str_of(body));
    return v->page.status;
}

struct office {
    struct world w;
    struct browser maeve, orla;
    rf_str orla_id;
};

/* Orla is Global Administrator, Maeve is nothing yet. */
static void open_office(struct office *o)
{
    memset(o, 0, sizeof *o);
    struct world *w = &o->w;
    open_world(w);
    struct bench_answer a =
        bench_graph(&w->b, HTTP_POST, "/v1.0/users",
                    "{\"accountEnabled\":true,\"displayName\":\"Orla\",\"mailNickname\":\"orla\","
                    "\"userPrincipalName\":\"orla@ringfort.localhost\",\"passwordProfile\":"
                    "{\"password\":\"" PASSWORD "\",\"forceChangePasswordNextSignIn\":false}}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    o->orla_id = json_text_at(a.json, "id");
    w->b.app = bench_app(&w->b, "giver", "RoleManagement.ReadWrite.Directory");
    w->b.token = bench_graph_token(&w->b, &w->b.app);
    a = bench_graph(
        &w->b, HTTP_POST, BASE "roleAssignments",
        bench_text(&w->b,
                   "{\"principalId\":\"%.*s\",\"roleDefinitionId\":\"" GLOBAL_ADMINISTRATOR
                   "\",\"directoryScopeId\":\"/\"}",
                   RF_FMT(o->orla_id)));
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    o->maeve.b = o->orla.b = &w->b;
    enter(&o->maeve, "maeve");
    enter(&o->orla, "orla");
}

static const char *eligible(struct office *o, const char *action)
{
    return bench_text(
        &o->w.b,
        "{\"action\":\"%s\",\"principalId\":\"%.*s\",\"roleDefinitionId\":\"" SECURITY_READER
        "\",\"directoryScopeId\":\"/\",\"justification\":\"on call\","
        "\"scheduleInfo\":{\"expiration\":{\"type\":\"noExpiration\"}}}",
        action, RF_FMT(o->w.user));
}

static const char *activate(struct office *o, const char *action, rf_str user, const char *duration,
                            const char *why)
{
    return bench_text(
        &o->w.b,
        "{\"action\":\"%s\",\"principalId\":\"%.*s\",\"roleDefinitionId\":\"" SECURITY_READER
        "\",\"directoryScopeId\":\"/\",\"justification\":\"%s\","
        "\"scheduleInfo\":{\"expiration\":{\"type\":\"afterDuration\",\"duration\":"
        "\"%s\"}}}",
        action, RF_FMT(user), why, duration);
}

#define REQUESTS BASE "roleAssignmentScheduleRequests"
#define ELIGIBLE BASE "roleEligibilityScheduleRequests"
#define PROTECTED "/v1.0/users"

static uint32_t count_at(struct browser *v, const char *target)
{
    cr_assert(call(v, HTTP_GET, target, NULL) == 200, "%.*s", RF_FMT(v->page.text));
    return json_get(v->page.json, "value")->count;
}

static const char *step_of(struct office *o, rf_str id)
{
    return bench_text(&o->w.b, BASE "roleAssignmentApprovals/%.*s/steps/%.*s", RF_FMT(id),
                      RF_FMT(id));
}

#define APPROVE "{\"reviewResult\":\"Approve\",\"justification\":\"incident 7\"}"

Test(elevate, asked_approved_and_over)
{
    struct office o;
    open_office(&o);
    rf_str me = o.w.user;
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403);
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                   activate(&o, "selfActivate", me, "PT1H", "look")) == 400,
              "not eligible");
    cr_assert(call(&o.maeve, HTTP_POST, ELIGIBLE, eligible(&o, "adminAssign")) == 403);
    cr_assert(call(&o.orla, HTTP_POST, ELIGIBLE, eligible(&o, "adminAssign")) == 201, "%.*s",
              RF_FMT(o.orla.page.text));
    cr_assert(call(&o.orla, HTTP_POST, ELIGIBLE, eligible(&o, "adminAssign")) == 400, "twice");
    cr_assert(count_at(&o.maeve, BASE "roleEligibilityScheduleInstances") == 1);
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403, "eligible is not active");
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                   activate(&o, "selfActivate", me, "PT1H", "incident 7")) == 201,
              "%.*s", RF_FMT(o.maeve.page.text));
    cr_assert(rf_str_is(json_text_at(o.maeve.page.json, "status"), "PendingApproval"));
    rf_str id = json_text_at(o.maeve.page.json, "id");
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403, "not before it was approved");
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                   activate(&o, "selfActivate", me, "PT1H", "again")) == 400,
              "one at a time");
    cr_assert(call(&o.maeve, HTTP_PATCH, step_of(&o, id), APPROVE) == 403);
    /* An application is no second pair of eyes. */
    struct bench_answer a = bench_graph(&o.w.b, HTTP_PATCH, step_of(&o, id), APPROVE);
    cr_assert(a.status == 403, "%.*s", RF_FMT(a.text));
    cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id), "{\"reviewResult\":\"Approve\"}") == 400);
    rf_clock_fixed_pass(&o.w.b.clock, (rf_usec)600 * RF_USEC_PER_SECOND);
    cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id), APPROVE) == 204, "%.*s",
              RF_FMT(o.orla.page.text));
    cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id), APPROVE) == 400, "decided already");
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 200, "%.*s", RF_FMT(o.maeve.page.text));
    cr_assert(count_at(&o.maeve, BASE "roleAssignmentScheduleInstances") == 1);
    /* It lasts an hour from the approval, to the second. */
    rf_clock_fixed_pass(&o.w.b.clock, (rf_usec)3599 * RF_USEC_PER_SECOND);
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 200);
    rf_clock_fixed_pass(&o.w.b.clock, (rf_usec)1 * RF_USEC_PER_SECOND);
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403, "over");
    cr_assert(count_at(&o.maeve, BASE "roleAssignmentScheduleInstances") == 0);
    /* What comes next leaves the row of the end. */
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                   activate(&o, "selfActivate", me, "PT30M", "incident 8")) == 201);
    static const char *const rows[][3] = {
        {"Add member to role requested (PIM activation)", "\"ResultReason\":\"incident 7\"", NULL},
        {"Add member to role request approved (PIM activation)", "orla@ringfort.localhost", NULL},
        {"Add member to role completed (PIM activation)", "Security Reader", NULL},
        {"Remove member from role (PIM activation expired)", "maeve@ringfort.localhost", NULL}};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_assert(bench_has_row(&o.w.b, "AuditLogs", rows[i]), "%zu", i);
    bench_close(&o.w.b);
}

Test(elevate, denied_taken_back_ended)
{
    struct office o;
    open_office(&o);
    rf_str me = o.w.user;
    cr_assert(call(&o.orla, HTTP_POST, ELIGIBLE, eligible(&o, "adminAssign")) == 201);
    static const struct {
        const char *duration, *why;
    } wrong[] = {{"PT9H", "x"}, {"PT1M", "x"}, {"", "x"}, {"5", "x"}, {"PT1H", ""}, {"PT1H", "  "}};
    for (size_t i = 0; i < RF_COUNT(wrong); i++)
        cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                       activate(&o, "selfActivate", me, wrong[i].duration, wrong[i].why)) == 400,
                  "%zu", i);
    /* For oneself only. */
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                   activate(&o, "selfActivate", o.orla_id, "PT1H", "x")) == 403);
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS,
                   activate(&o, "adminRemove", o.orla_id, "PT1H", "x")) == 403);
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS, activate(&o, "adminAssign", me, "PT1H", "x")) ==
              400);
    const char *ask = activate(&o, "selfActivate", me, "PT1H", "look");
    /* Denied. */
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS, ask) == 201);
    rf_str id = json_text_at(o.maeve.page.json, "id");
    cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id),
                   "{\"reviewResult\":\"Deny\",\"justification\":\"no\"}") == 204);
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403);
    /* Taken back, by who asked alone. */
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS, ask) == 201);
    id = json_text_at(o.maeve.page.json, "id");
    const char *cancel = bench_text(&o.w.b, REQUESTS "/%.*s/cancel", RF_FMT(id));
    cr_assert(call(&o.orla, HTTP_POST, cancel, "{}") == 404);
    cr_assert(call(&o.maeve, HTTP_POST, cancel, "{}") == 204);
    cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id), APPROVE) == 400);
    /* Approved, and ended by hand. */
    for (int i = 0; i < 2; i++) {
        cr_assert(call(&o.maeve, HTTP_POST, REQUESTS, ask) == 201, "%.*s",
                  RF_FMT(o.maeve.page.text));
        id = json_text_at(o.maeve.page.json, "id");
        cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id), APPROVE) == 204);
        cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 200);
        struct browser *who = i == 0 ? &o.maeve : &o.orla;
        cr_assert(call(who, HTTP_POST, REQUESTS,
                       activate(&o, i == 0 ? "selfDeactivate" : "adminRemove", me, "PT1H",
                                "done")) == 201,
                  "%.*s", RF_FMT(who->page.text));
        cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403);
    }
    /* Not eligible any more while it was asked: approval gives nothing. */
    cr_assert(call(&o.maeve, HTTP_POST, REQUESTS, ask) == 201);
    id = json_text_at(o.maeve.page.json, "id");
    cr_assert(call(&o.orla, HTTP_POST, ELIGIBLE, eligible(&o, "adminRemove")) == 201);
    cr_assert(call(&o.orla, HTTP_PATCH, step_of(&o, id), APPROVE) == 400);
    cr_assert(call(&o.maeve, HTTP_GET, PROTECTED, NULL) == 403);
    /* Administrators see all requests, people their own. */
    cr_assert(count_at(&o.orla, REQUESTS) == 5);
    cr_assert(count_at(&o.maeve, REQUESTS) == 5);
    o.maeve.count = 0;
    bench_close(&o.w.b);
}
