/* The portal's session: how it begins, what its cookie stands for and for whom, and how it ends. */
#include "test/rf_prop.h"

#include "identity/browser_int.h"

#define GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"
#define SECURITY_READER "5d6b6bb7-de71-4623-b4af-96380a352509"

static void give_role(struct world *w, const char *role)
{
    struct identity_app giver = bench_app(&w->b, "giver", "RoleManagement.ReadWrite.Directory");
    rf_str before = w->b.token;
    w->b.token = bench_graph_token(&w->b, &giver);
    struct bench_answer a =
        bench_graph(&w->b, HTTP_POST, "/v1.0/roleManagement/directory/roleAssignments",
                    bench_text(&w->b,
                               "{\"principalId\":\"%.*s\",\"roleDefinitionId\":\"%s\","
                               "\"directoryScopeId\":\"/\"}",
                               RF_FMT(w->user), role));
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    w->b.token = before;
}

static void follow(struct browser *v)
{
    rf_str to = location(v), origin = RF_S(BENCH_ORIGIN);
    cr_assert(to.len > 0, "no way on: %.*s", RF_FMT(v->page.text));
    if (rf_str_starts(to, origin)) to = rf_slice(to, origin.len, to.len);
    browse(v, HTTP_GET, bench_text(v->b, "%.*s", RF_FMT(to)), (rf_str){0});
}

/* From /portal/signin to the answer with the code, not yet taken. */
static void to_code(struct world *w, struct browser *v, const char *page)
{
    browse(v, HTTP_GET, bench_text(&w->b, "/portal/signin?return=%s", page), (rf_str){0});
    follow(v);
    if (shows(v, "name=\"loginfmt\"")) {
        send_page(v, "loginfmt", w->name);
        send_page(v, "passwd", RF_S(PASSWORD));
    }
    if (shows(v, "id=\"idBtn_Back\"")) send_page(v, "keep", RF_S("no"));
    cr_assert(rf_str_starts(location(v), RF_S(BENCH_ORIGIN "/portal/signed-in?code=")), "%.*s",
              RF_FMT(v->page.text));
}

static void enter(struct world *w, struct browser *v)
{
    to_code(w, v, "%2Fportal%2Fincidents%3Fsel%3D1");
    follow(v);
    cr_assert(rf_str_is(location(v), "/portal/incidents?sel=1"), "%.*s", RF_FMT(v->page.text));
}

static uint16_t ask(struct browser *v, const char *target)
{
    v->script = true;
    browse(v, HTTP_GET, target, (rf_str){0});
    v->script = false;
    return v->page.status;
}

Test(portal, the_cookie_stands_for_the_person)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    enter(&w, &v);
    cr_assert(ask(&v, "/v1.0/me") == 200, "%.*s", RF_FMT(v.page.text));
    cr_assert(rf_str_eq(json_text_at(v.page.json, "id"), w.user));
    cr_assert(ask(&v, "/v1.0/users") == 403, "no directory role, no right");
    give_role(&w, SECURITY_READER);
    cr_assert(ask(&v, "/v1.0/users") == 200, "%.*s", RF_FMT(v.page.text));
    cr_assert(ask(&v, "/v1.0/identity/conditionalAccess/policies") == 200);
    v.script = true;
    browse(&v, HTTP_POST, "/v1.0/groups",
           RF_S("{\"displayName\":\"g\",\"mailEnabled\":false,\"mailNickname\":\"g\","
                "\"securityEnabled\":true}"));
    cr_assert(v.page.status == 403, "%.*s", RF_FMT(v.page.text));
    give_role(&w, GLOBAL_ADMINISTRATOR);
    browse(&v, HTTP_POST, "/v1.0/groups",
           RF_S("{\"displayName\":\"g\",\"mailEnabled\":false,\"mailNickname\":\"g\","
                "\"securityEnabled\":true}"));
    cr_assert(v.page.status == 201, "%.*s", RF_FMT(v.page.text));
    static const char *const row[] = {"\"AppDisplayName\":\"Azure Portal\"", "\"ResultType\":\"0\"",
                                      NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", row));
    bench_close(&w.b);
}

Test(portal, only_its_own_pages_may_use_the_cookie)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    enter(&w, &v);
    browse(&v, HTTP_GET, "/v1.0/me", (rf_str){0});
    cr_assert(v.page.status == 401, "a link or a form of another site adds no header");
    v.site = "cross-site";
    cr_assert(ask(&v, "/v1.0/me") == 401);
    v.site = "same-site";
    cr_assert(ask(&v, "/v1.0/me") == 401);
    v.site = "same-origin";
    cr_assert(ask(&v, "/v1.0/me") == 200);
    browse(&v, HTTP_POST, "/portal/signout", (rf_str){0});
    cr_assert(v.page.status == 400, "signing somebody out takes the header too");
    bench_close(&w.b);
}

Test(portal, answers_that_nobody_asked_for_are_refused)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b}, other = {.b = &w.b};
    to_code(&w, &v, "%2Fportal%2F");
    rf_str answer = rf_slice(location(&v), sizeof BENCH_ORIGIN - 1, location(&v).len);
    browse(&other, HTTP_GET, bench_text(&w.b, "%.*s", RF_FMT(answer)), (rf_str){0});
    cr_assert(other.page.status == 403 && shows(&other, "belongs to no sign-in"), "%.*s",
              RF_FMT(other.page.text));
    rf_str path = RF_S("/portal/signed-in?"), rest = rf_slice(answer, path.len, answer.len);
    browse(&v, HTTP_GET, bench_text(&w.b, "/portal/signed-in?state=x&%.*s", RF_FMT(rest)),
           (rf_str){0});
    cr_assert(v.page.status == 403 && location(&v).len == 0, "another state");
    browse(&v, HTTP_GET, "/portal/signin?return=https%3A%2F%2Fevil.example%2F", (rf_str){0});
    follow(&v);
    follow(&v);
    cr_assert(rf_str_is(location(&v), "/portal/"), "%.*s", RF_FMT(location(&v)));
    rf_str bad[] = {RF_S("//evil.example"), RF_S("/%5Cevil.example"), RF_S("/signin/x"),
                    RF_S("/portal/%0d%0aSet-Cookie:x")};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        browse(&v, HTTP_GET, bench_text(&w.b, "/portal/signin?return=%.*s", RF_FMT(bad[i])),
               (rf_str){0});
        follow(&v);
        follow(&v);
        cr_assert(rf_str_is(location(&v), "/portal/"), "%.*s", RF_FMT(location(&v)));
    }
    bench_close(&w.b);
}

Test(portal, sessions_end)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    enter(&w, &v);
    cr_assert(ask(&v, "/v1.0/me") == 200);
    struct browser thief = v;
    v.script = true;
    browse(&v, HTTP_POST, "/portal/signout", (rf_str){0});
    cr_assert(v.page.status == 200 && rf_str_is(json_text_at(v.page.json, "next"),
                                                "/" BENCH_TENANT "/oauth2/v2.0/logout"),
              "%.*s", RF_FMT(v.page.text));
    v.script = false;
    cr_assert(ask(&thief, "/v1.0/me") == 401, "a copy of the cookie ends with it");

    struct browser again = {.b = &w.b};
    enter(&w, &again);
    cr_assert(ask(&again, "/v1.0/me") == 200);
    rf_clock_fixed_pass(&w.b.clock, 2 * RF_USEC_PER_SECOND);
    struct bench_answer a =
        bench_graph(&w.b, HTTP_POST,
                    bench_text(&w.b, "/v1.0/users/%.*s/revokeSignInSessions", RF_FMT(w.user)), "");
    cr_assert(a.status == 200, "%.*s", RF_FMT(a.text));
    cr_assert(ask(&again, "/v1.0/me") == 401, "signed out everywhere");
    bench_close(&w.b);
}

Test(portal, streams_learn_that_a_session_is_over)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b}, other = {.b = &w.b};
    enter(&w, &v);
    enter(&w, &other);
    struct browser_sessions sessions = identity_sessions(w.b.identity);
    rf_str cookie = {0};
    for (uint32_t i = 0; i < v.count; i++)
        if (rf_str_is(v.names[i], PORTAL_COOKIE)) cookie = v.values[i];
    uint64_t before = sessions.version(sessions.ctx);
    cr_assert(sessions.stands(sessions.ctx, cookie));
    cr_assert(!sessions.stands(sessions.ctx, RF_S("another text")));
    v.script = true;
    browse(&v, HTTP_POST, "/portal/signout", (rf_str){0});
    cr_assert(v.page.status == 200, "%.*s", RF_FMT(v.page.text));
    cr_assert(sessions.version(sessions.ctx) != before);
    cr_assert(!sessions.stands(sessions.ctx, cookie));
    cr_assert(ask(&other, "/v1.0/me") == 200, "the other one goes on");
    bench_close(&w.b);
}

Test(portal, the_cookie_is_no_refresh_token)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    enter(&w, &v);
    rf_str cookie = {0};
    for (uint32_t i = 0; i < v.count; i++)
        if (rf_str_is(v.names[i], PORTAL_COOKIE)) cookie = v.values[i];
    cr_assert(cookie.len > 0);
    struct bench_answer a = bench_form(
        &w.b, BENCH_TOKEN,
        rf_arena_printf(&w.b.arena,
                        "grant_type=refresh_token&client_id=c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
                        "&refresh_token=%.*s",
                        RF_FMT(cookie)));
    cr_assert(a.status == 401 || a.status == 400, "%.*s", RF_FMT(a.text));
    cr_assert(json_text_at(a.json, "access_token").len == 0);
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), cookie, 0) == SIZE_MAX, "told to no log");
    bench_close(&w.b);
}

/* What a page asks with the portal's header. */
static uint16_t act(struct browser *v, enum http_method method, const char *target, rf_str body)
{
    v->script = true;
    browse(v, method, target, body);
    v->script = false;
    return v->page.status;
}

#define OWN "/v1.0/me/authentication/"
Test(portal, own_factors_are_changed_behind_a_sign_in_with_all_of_them, .timeout = 120)
{
    struct world w;
    open_world(&w);
    struct browser v = {.b = &w.b};
    enter(&w, &v);
    cr_assert(act(&v, HTTP_GET, OWN "methods", (rf_str){0}) == 200);
    cr_assert(act(&v, HTTP_POST, OWN "recoveryCodes", RF_S("{}")) == 403, "%.*s",
              RF_FMT(v.page.text));
    cr_assert(rf_str_is(json_text_at(v.page.json, "error.code"), "FreshSignInRequired"), "%.*s",
              RF_FMT(v.page.text));
    /* The link signs in anew although there is a session, and asks for a second factor; who has none sets one up. */
    browse(&v, HTTP_GET, "/portal/signin?return=%2Fportal%2Faccount&strong=1", (rf_str){0});
    follow(&v);
    if (shows(&v, "name=\"loginfmt\"")) send_page(&v, "loginfmt", w.name);
    cr_assert(shows(&v, "name=\"passwd\""), "%.*s", RF_FMT(v.page.text));
    send_page(&v, "passwd", RF_S(PASSWORD));
    cr_assert(shows(&v, "class=\"secret\""), "%.*s", RF_FMT(v.page.text));
    rf_str secret = between(v.page.text, "secret=", "&amp;");
    send_page(&v, "otc", code_of(&w, secret));
    if (shows(&v, "id=\"idBtn_Back\"")) send_page(&v, "keep", RF_S("no"));
    follow(&v);
    cr_assert(rf_str_is(location(&v), "/portal/account"), "%.*s", RF_FMT(v.page.text));
    cr_assert(act(&v, HTTP_POST, OWN "recoveryCodes", RF_S("{}")) == 201, "%.*s",
              RF_FMT(v.page.text));
    cr_assert(act(&v, HTTP_GET, OWN "fido2Methods/creationOptions", (rf_str){0}) == 200);
    cr_assert(act(&v, HTTP_POST, OWN "temporaryAccessPassMethods", RF_S("{}")) == 403,
              "a pass is an administrator's to give");
    cr_assert(act(&v, HTTP_POST,
                  bench_text(&w.b, "/v1.0/users/%.*s/authentication/recoveryCodes", RF_FMT(w.user)),
                  RF_S("{}")) == 403,
              "as /me only");
    static const char *const row[] = {"\"OperationName\":\"User registered security info\"", NULL};
    cr_assert(bench_has_row(&w.b, "AuditLogs", row));
    /* A quarter of an hour later it takes another sign-in. */
    rf_clock_fixed_pass(&w.b.clock, 901 * RF_USEC_PER_SECOND);
    cr_assert(act(&v, HTTP_POST, OWN "recoveryCodes", RF_S("{}")) == 403);
    /* And with the password alone it does not come. */
    browse(&v, HTTP_GET, "/portal/signin?return=%2Fportal%2Faccount&strong=1", (rf_str){0});
    follow(&v);
    if (shows(&v, "name=\"loginfmt\"")) send_page(&v, "loginfmt", w.name);
    send_page(&v, "passwd", RF_S(PASSWORD));
    cr_assert(shows(&v, "idSubmit_SAOTCC_Continue"), "%.*s", RF_FMT(v.page.text));
    bench_close(&w.b);
}
