/* Where a user is signed in: what is shown to whom, and that the end of a session ends what it gave. */
#include "test/rf_prop.h"

#include "identity/browser_int.h"

static const char *authorize_at(struct world *w)
{
    uint8_t hash[SHA256_BYTES];
    digest_sha256(RF_S(VERIFIER), hash);
    return bench_text(&w->b,
                      "/" BENCH_TENANT "/oauth2/v2.0/authorize?client_id=%.*s&response_type=code"
                      "&redirect_uri=https%%3A%%2F%%2Fapp.example%%2Fcb&scope=openid%%20profile%%20"
                      "offline_access&code_challenge=%.*s&code_challenge_method=S256",
                      RF_FMT(w->app_id),
                      RF_FMT(base64url_encode(&w->b.arena, rf_str_make(hash, sizeof hash))));
}

struct tokens {
    rf_str access, refresh;
};

static struct tokens sign_in_at(struct world *w, struct browser *v)
{
    browse(v, HTTP_GET, authorize_at(w), (rf_str){0});
    if (shows(v, "name=\"loginfmt\"")) send_page(v, "loginfmt", w->name);
    if (shows(v, "name=\"passwd\"")) send_page(v, "passwd", RF_S(PASSWORD));
    if (shows(v, "id=\"idBtn_Back\"")) send_page(v, "keep", RF_S("no"));
    if (shows(v, "id=\"idBtn_Accept\"")) send_page(v, "decision", RF_S("accept"));
    rf_str code = between(location(v), "code=", "&");
    struct bench_answer a = bench_form(
        &w->b, BENCH_TOKEN,
        rf_arena_printf(&w->b.arena,
                        "grant_type=authorization_code&client_id=%.*s&redirect_uri="
                        "https%%3A%%2F%%2Fapp.example%%2Fcb&code=%.*s&code_verifier=" VERIFIER,
                        RF_FMT(w->app_id), RF_FMT(code)));
    cr_assert(a.status == 200, "%.*s", RF_FMT(a.text));
    return (struct tokens){json_text_at(a.json, "access_token"),
                           json_text_at(a.json, "refresh_token")};
}

static bool refreshes(struct world *w, rf_str token)
{
    struct bench_answer a = bench_form(
        &w->b, BENCH_TOKEN,
        rf_arena_printf(&w->b.arena, "grant_type=refresh_token&client_id=%.*s&refresh_token=%.*s",
                        RF_FMT(w->app_id), RF_FMT(token)));
    return a.status == 200;
}

static uint32_t count_of(const struct bench_answer *a)
{
    cr_assert(a->status == 200, "%.*s", RF_FMT(a->text));
    return json_get(a->json, "value")->count;
}

#define MINE "/v1.0/me/ringfort.sessions"
Test(graph_session, ones_own)
{
    struct world w;
    open_world(&w);
    struct browser one = {.b = &w.b}, two = {.b = &w.b};
    struct tokens first = sign_in_at(&w, &one), second = sign_in_at(&w, &two);
    struct bench_answer a = bench_graph_as(&w.b, first.access, HTTP_GET, MINE, NULL);
    cr_assert(count_of(&a) == 2, "%.*s", RF_FMT(a.text));
    rf_str other = {0};
    unsigned current = 0;
    for (const struct json_node *s = json_get(a.json, "value")->first; s != NULL; s = s->next) {
        cr_assert(rf_str_is(json_text_at(s, "ipAddress"), "127.0.0.1"));
        cr_assert(rf_str_find(json_text_at(s, "userAgent"), RF_S("Firefox"), 0) != SIZE_MAX);
        cr_assert(rf_str_is(json_get(s, "authenticationMethods")->first->text, "password"));
        cr_assert(rf_str_eq(json_text_at(json_get(s, "applications")->first, "appId"), w.app_id));
        if (json_bool_at(s, "isCurrent", false))
            current++;
        else
            other = json_text_at(s, "id");
    }
    cr_assert(current == 1 && other.len > 0);
    a = bench_graph_as(&w.b, first.access, HTTP_DELETE,
                       bench_text(&w.b, MINE "/%.*s", RF_FMT(other)), NULL);
    cr_assert(a.status == 204, "%.*s", RF_FMT(a.text));
    cr_assert(!refreshes(&w, second.refresh), "what it gave has ended");
    cr_assert(refreshes(&w, first.refresh));
    browse(&two, HTTP_GET, authorize_at(&w), (rf_str){0});
    cr_assert(shows(&two, "name=\"loginfmt\""), "the browser has to sign in anew");
    a = bench_graph_as(&w.b, first.access, HTTP_GET, MINE, NULL);
    cr_assert(count_of(&a) == 1);
    a = bench_graph_as(&w.b, first.access, HTTP_DELETE,
                       bench_text(&w.b, MINE "/%.*s", RF_FMT(other)), NULL);
    cr_assert(a.status == 404);
    static const char *const row[] = {"\"OperationName\":\"Revoke user session\"",
                                      "maeve@ringfort.localhost", NULL};
    cr_assert(bench_has_row(&w.b, "AuditLogs", row));
    bench_close(&w.b);
}

Test(graph_session, of_others)
{
    struct world w;
    open_world(&w);
    struct browser one = {.b = &w.b};
    struct tokens mine = sign_in_at(&w, &one);
    struct bench_answer a =
        bench_graph(&w.b, HTTP_POST, "/v1.0/users",
                    "{\"accountEnabled\":true,\"displayName\":\"Orla\",\"mailNickname\":\"orla\","
                    "\"userPrincipalName\":\"orla@ringfort.localhost\",\"passwordProfile\":"
                    "{\"password\":\"" PASSWORD "\"}}");
    cr_assert(a.status == 201);
    /* A person sees no other's, and learns nothing of who there is. */
    static const char *const others[] = {"orla@ringfort.localhost", "nobody@ringfort.localhost"};
    for (size_t i = 0; i < RF_COUNT(others); i++) {
        a = bench_graph_as(&w.b, mine.access, HTTP_GET,
                           bench_text(&w.b, "/v1.0/users/%s/ringfort.sessions", others[i]), NULL);
        cr_assert(a.status == 403, "%.*s", RF_FMT(a.text));
    }
    a = bench_graph(&w.b, HTTP_GET,
                    bench_text(&w.b, "/v1.0/users/%.*s/ringfort.sessions", RF_FMT(w.name)), NULL);
    cr_assert(count_of(&a) == 1);
    rf_str sid = json_text_at(json_get(a.json, "value")->first, "id");
    /* A session is ended below its own user only. */
    a = bench_graph(
        &w.b, HTTP_DELETE,
        bench_text(&w.b, "/v1.0/users/orla@ringfort.localhost/ringfort.sessions/%.*s", RF_FMT(sid)),
        NULL);
    cr_assert(a.status == 404);
    struct identity_app reader = bench_app(&w.b, "reader", "User.Read.All");
    rf_str token = bench_graph_token(&w.b, &reader);
    const char *path =
        bench_text(&w.b, "/v1.0/users/%.*s/ringfort.sessions/%.*s", RF_FMT(w.user), RF_FMT(sid));
    cr_assert(bench_graph_as(&w.b, token, HTTP_DELETE, path, NULL).status == 403);
    cr_assert(bench_graph(&w.b, HTTP_DELETE, path, NULL).status == 204);
    cr_assert(!refreshes(&w, mine.refresh));
    bench_close(&w.b);
}

/* The browser's session is over after a day; what applications hold goes on, and is shown. */
Test(graph_session, applications_outlive_the_browser)
{
    struct world w;
    open_world(&w);
    struct bench_answer a = bench_graph(
        &w.b, HTTP_PATCH, bench_text(&w.b, "/v1.0/applications/%.*s", RF_FMT(w.app)),
        "{\"spa\":{\"redirectUris\":[]},\"publicClient\":{\"redirectUris\":[\"" REDIRECT "\"]}}");
    cr_assert(a.status == 204, "%.*s", RF_FMT(a.text));
    struct browser one = {.b = &w.b};
    struct tokens mine = sign_in_at(&w, &one);
    rf_clock_fixed_pass(&w.b.clock, (rf_usec)25 * 3600 * RF_USEC_PER_SECOND);
    w.b.token = bench_graph_token(&w.b, &w.b.app);
    const char *path = bench_text(&w.b, "/v1.0/users/%.*s/ringfort.sessions", RF_FMT(w.user));
    a = bench_graph(&w.b, HTTP_GET, path, NULL);
    cr_assert(count_of(&a) == 1, "%.*s", RF_FMT(a.text));
    const struct json_node *s = json_get(a.json, "value")->first;
    cr_assert(!json_bool_at(s, "isBrowserSession", true));
    a = bench_graph(&w.b, HTTP_POST,
                    bench_text(&w.b, "/v1.0/users/%.*s/revokeSignInSessions", RF_FMT(w.user)),
                    NULL);
    cr_assert(a.status == 200, "%.*s", RF_FMT(a.text));
    a = bench_graph(&w.b, HTTP_GET, path, NULL);
    cr_assert(count_of(&a) == 0, "%.*s", RF_FMT(a.text));
    cr_assert(!refreshes(&w, mine.refresh));
    bench_close(&w.b);
}
