/* Risk as a whole: what a browser elsewhere sets off, what policies make of it, what Graph and the rows tell, and how it ends. */
#include "test/rf_prop.h"

#include <openssl/evp.h>

#include "base/fs.h"
#include "identity/browser_int.h"
#include "people/factor.h"
#include "people/habit.h"

/* ---- a browser at a place -------------------------------------------------------------------------------------------------- */

struct away {
    struct world *w;
    const char *agent;
    rf_str names[8], values[8];
    uint32_t count;
    struct bench_answer page;
    bool remote;
};

static void ask(struct away *v, enum http_method method, const char *target, rf_str body)
{
    struct bench *b = &v->w->b;
    struct rf_buf cookies = rf_buf_in(&b->arena);
    for (uint32_t i = 0; i < v->count; i++)
        rf_buf_printf(&cookies, "%s%.*s=%.*s", i == 0 ? "" : "; ", RF_FMT(v->names[i]),
                      RF_FMT(v->values[i]));
    struct http_header headers[] = {
        BENCH_HEADER("Content-Type", "application/x-www-form-urlencoded"),
        {.name = RF_S("User-Agent"), .value = rf_str_of(v->agent)},
        {.name = RF_S("Cookie"), .value = rf_buf_view(&cookies)}};
    const struct bench_ask request = {.method = method,
                                      .target = target,
                                      .body = body,
                                      .headers = headers,
                                      .header_count = RF_COUNT(headers),
                                      .remote = v->remote};
    v->page = bench_send(b, &request);
    for (uint32_t i = 0; i < v->page.header_count; i++) {
        if (!rf_str_eq_nocase(v->page.headers[i].name, RF_S("Set-Cookie"))) continue;
        rf_str text = v->page.headers[i].value;
        size_t equals = rf_str_find(text, RF_S("="), 0), end = rf_str_find(text, RF_S(";"), 0);
        uint32_t at = 0;
        while (at < v->count && !rf_str_eq(v->names[at], rf_slice(text, 0, equals))) at++;
        v->names[at] = rf_slice(text, 0, equals);
        v->values[at] = rf_slice(text, equals + 1, end);
        v->count = RF_MAX(v->count, at + 1);
    }
}

static bool sees(const struct away *v, const char *text)
{
    return rf_str_find(v->page.text, rf_str_of(text), 0) != SIZE_MAX;
}

static void answer(struct away *v, const char *name, rf_str value)
{
    struct rf_arena *arena = &v->w->b.arena;
    rf_str context = between(v->page.text, "name=\"ctx\" value=\"", "\"");
    cr_assert(context.len > 0, "%.*s", RF_FMT(v->page.text));
    ask(v, HTTP_POST, "/signin/next",
        rf_arena_printf(arena, "ctx=%.*s&%s=%.*s", RF_FMT(context), name,
                        RF_FMT(percent_encode(arena, value))));
}

static void begin(struct away *v, rf_str name, const char *password)
{
    struct world *w = v->w;
    uint8_t hash[SHA256_BYTES];
    digest_sha256(RF_S(VERIFIER), hash);
    ask(v, HTTP_GET,
        bench_text(&w->b,
                   "/" BENCH_TENANT "/oauth2/v2.0/authorize?client_id=%.*s&response_type=code"
                   "&redirect_uri=https%%3A%%2F%%2Fapp.example%%2Fcb&scope=openid"
                   "&code_challenge=%.*s&code_challenge_method=S256",
                   RF_FMT(w->app_id),
                   RF_FMT(base64url_encode(&w->b.arena, rf_str_make(hash, sizeof hash)))),
        (rf_str){0});
    if (sees(v, "name=\"loginfmt\"")) answer(v, "loginfmt", name);
    answer(v, "passwd", rf_str_of(password));
}

static bool finish(struct away *v)
{
    if (sees(v, "id=\"idBtn_Back\"")) answer(v, "keep", RF_S("no"));
    if (sees(v, "id=\"idBtn_Accept\"")) answer(v, "decision", RF_S("accept"));
    return v->page.status == 303;
}

#define LINUX "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"
#define WINDOWS "Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/126.0"

static bool signs_in(struct world *w, const char *agent, bool remote)
{
    struct away v = {.w = w, .agent = agent, .remote = remote};
    begin(&v, w->name, PASSWORD);
    return finish(&v);
}

/* Signs in so often that there is a habit. */
static void settle_in(struct world *w)
{
    for (int i = 0; i < HABIT_SIGN_INS_MIN; i++) {
        cr_assert(signs_in(w, LINUX, false));
        rf_clock_fixed_pass(&w->b.clock, (rf_usec)3600 * RF_USEC_PER_SECOND);
    }
    w->b.token = bench_graph_token(&w->b, &w->b.app);
}

static void open_risk(struct world *w)
{
    open_world(w);
    w->b.app = bench_app(&w->b, "admin2",
                         "User.ReadWrite.All Directory.ReadWrite.All Policy.Read.All "
                         "Policy.ReadWrite.ConditionalAccess IdentityRiskyUser.ReadWrite.All "
                         "UserAuthenticationMethod.ReadWrite.All");
    w->b.token = bench_graph_token(&w->b, &w->b.app);
}

static const struct json_node *risky(struct world *w)
{
    struct bench_answer a = bench_graph(
        &w->b, HTTP_GET,
        bench_text(&w->b, "/v1.0/identityProtection/riskyUsers/%.*s", RF_FMT(w->user)), NULL);
    return a.status == 200 ? a.json : NULL;
}

/* ---- what does not fit -------------------------------------------------------------------------------------------------------- */

Test(risk, unfamiliar_and_why)
{
    struct world w;
    open_risk(&w);
    settle_in(&w);
    cr_assert(risky(&w) == NULL, "what is as ever is no risk");
    cr_assert(signs_in(&w, WINDOWS, true));
    static const char *const row[] = {"\"RiskLevelDuringSignIn\":\"medium\"",
                                      "unfamiliarFeatures",
                                      "\"IsRisky\":true",
                                      "\"RiskState\":\"atRisk\"",
                                      "203.0.113.7",
                                      NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", row));
    static const char *const event[] = {"\"RiskEventType\":\"unfamiliarFeatures\"",
                                        "UnfamiliarBrowser",
                                        "Neither the network of 203.0.113.7 nor this browser was "
                                        "in the 5 sign-ins of the last 30 days.",
                                        "is not known", NULL};
    cr_assert(bench_has_row(&w.b, "AADUserRiskEvents", event));
    const struct json_node *user = risky(&w);
    cr_assert(rf_str_is(json_text_at(user, "riskLevel"), "medium"));
    cr_assert(rf_str_is(json_text_at(user, "riskState"), "atRisk"));
    cr_assert(json_get(user, "~open") == NULL, "nothing of ours is shown");
    /* Dismissed: it counts no more, and the list says so. */
    const char *body = bench_text(&w.b, "{\"userIds\":[\"%.*s\"]}", RF_FMT(w.user));
    struct bench_answer a =
        bench_graph(&w.b, HTTP_POST, "/v1.0/identityProtection/riskyUsers/dismiss", body);
    cr_assert(a.status == 204, "%.*s", RF_FMT(a.text));
    user = risky(&w);
    cr_assert(rf_str_is(json_text_at(user, "riskState"), "dismissed"));
    cr_assert(rf_str_is(json_text_at(user, "riskLevel"), "none"));
    a = bench_graph(&w.b, HTTP_POST, "/v1.0/identityProtection/riskyUsers/confirmCompromised",
                    body);
    cr_assert(a.status == 204, "%.*s", RF_FMT(a.text));
    user = risky(&w);
    cr_assert(rf_str_is(json_text_at(user, "riskState"), "confirmedCompromised"));
    cr_assert(rf_str_is(json_text_at(user, "riskLevel"), "high"));
    a = bench_graph(&w.b, HTTP_GET,
                    "/v1.0/identityProtection/riskyUsers?$filter=riskLevel%20eq%20'high'", NULL);
    cr_assert(json_get(a.json, "value")->count == 1, "%.*s", RF_FMT(a.text));
    static const char *const wrong[] = {"{}", "{\"userIds\":[]}", "{\"userIds\":[\"x\"]}",
                                        "{\"userIds\":\"x\"}"};
    for (size_t i = 0; i < RF_COUNT(wrong); i++)
        cr_assert(bench_graph(&w.b, HTTP_POST,
                              "/v1.0/identityProtection/riskyUsers/confirmCompromised", wrong[i])
                          .status == 400,
                  "%zu", i);
    /* An administrator's new password ends it. */
    a = bench_graph(&w.b, HTTP_POST,
                    bench_text(&w.b,
                               "/v1.0/users/%.*s/authentication/passwordMethods/"
                               "28c10230-6103-485e-b985-444c60001490/resetPassword",
                               RF_FMT(w.user)),
                    "{\"newPassword\":\"quite-another-phrase\"}");
    cr_assert(a.status == 202, "%.*s", RF_FMT(a.text));
    cr_assert(rf_str_is(json_text_at(risky(&w), "riskState"), "remediated"));
    bench_close(&w.b);
}

Test(risk, policies_ask_for_it)
{
    struct world w;
    open_risk(&w);
    settle_in(&w);
    struct bench_answer a = bench_graph(
        &w.b, HTTP_POST, "/v1.0/identity/conditionalAccess/policies?$force=true",
        "{\"displayName\":\"Strange sign-ins\",\"state\":\"enabled\",\"conditions\":{\"users\":{"
        "\"includeUsers\":[\"All\"]},\"applications\":{\"includeApplications\":[\"All\"]},"
        "\"clientAppTypes\":[\"all\"],\"signInRiskLevels\":[\"medium\",\"high\"]},"
        "\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"]}}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    cr_assert(signs_in(&w, LINUX, false), "as ever: nothing more is asked");
    a = bench_graph(
        &w.b, HTTP_POST,
        bench_text(&w.b, "/v1.0/users/%.*s/authentication/softwareOathMethods", RF_FMT(w.user)),
        "{}");
    cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    rf_str secret = json_text_at(a.json, "secretKey"), code = {0};
    struct away v = {.w = &w, .agent = WINDOWS, .remote = true};
    begin(&v, w.name, PASSWORD);
    cr_assert(sees(&v, "name=\"otc\""), "%.*s", RF_FMT(v.page.text));
    /* Whoever stops here has been seen. */
    cr_assert(rf_str_is(json_text_at(risky(&w), "riskState"), "atRisk"));
    for (unsigned i = 0; i < 1000000 && code.len == 0; i++) {
        char text[8];
        uint64_t step;
        snprintf(text, sizeof text, "%06u", i);
        if (totp_proves(secret, rf_str_of(text), w.b.clock.now, &step))
            code = rf_arena_printf(&w.b.arena, "%s", text);
    }
    answer(&v, "otc", code);
    cr_assert(finish(&v), "%.*s", RF_FMT(v.page.text));
    const struct json_node *user = risky(&w);
    cr_assert(rf_str_is(json_text_at(user, "riskState"), "remediated"));
    cr_assert(rf_str_is(json_text_at(user, "riskDetail"), "userPassedMFADrivenByRiskBasedPolicy"));
    static const char *const row[] = {"\"RiskState\":\"remediated\"", "\"ResultType\":\"0\"",
                                      "203.0.113.7", NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", row));
    /* It is a habit from now on. */
    cr_assert(signs_in(&w, WINDOWS, true));
    bench_close(&w.b);
}

Test(risk, places_and_travel)
{
    struct world w;
    open_risk(&w);
    static const char *const places[] = {
        "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"Dublin\","
        "\"ipRanges\":[{\"@odata.type\":\"#microsoft.graph.iPv4CidrRange\",\"cidrAddress\":"
        "\"127.0.0.0/8\"}],\"countryOrRegion\":\"IE\",\"geoCoordinates\":{\"latitude\":53.3498,"
        "\"longitude\":-6.2603}}",
        "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"Sydney\","
        "\"ipRanges\":[{\"@odata.type\":\"#microsoft.graph.iPv4CidrRange\",\"cidrAddress\":"
        "\"203.0.113.0/24\"}],\"countryOrRegion\":\"AU\",\"city\":\"Sydney\",\"geoCoordinates\":{"
        "\"latitude\":-33.8688,\"longitude\":151.2093}}"};
    for (size_t i = 0; i < RF_COUNT(places); i++) {
        struct bench_answer a = bench_graph(
            &w.b, HTTP_POST, "/v1.0/identity/conditionalAccess/namedLocations", places[i]);
        cr_assert(a.status == 201, "%.*s", RF_FMT(a.text));
    }
    struct bench_answer a = bench_graph(
        &w.b, HTTP_POST, "/v1.0/identity/conditionalAccess/namedLocations",
        "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"x\",\"ipRanges\":"
        "[{\"cidrAddress\":\"10.0.0.0/8\"}],\"geoCoordinates\":{\"latitude\":99,\"longitude\":0}}");
    cr_assert(a.status == 400, "%.*s", RF_FMT(a.text));
    cr_assert(signs_in(&w, LINUX, false));
    rf_clock_fixed_pass(&w.b.clock, (rf_usec)1800 * RF_USEC_PER_SECOND);
    cr_assert(signs_in(&w, LINUX, true));
    static const char *const event[] = {"\"RiskEventType\":\"impossibleTravel\"",
                                        "Sydney (203.0.113.7) is 172", "km from Dublin (127.0.0.1)",
                                        "30 minutes earlier", NULL};
    cr_assert(bench_has_row(&w.b, "AADUserRiskEvents", event));
    static const char *const row[] = {"\"countryOrRegion\":\"AU\"", "\"Location\":\"AU\"",
                                      "impossibleTravel", NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", row));
    bench_close(&w.b);
}

Test(risk, a_spray_and_what_follows)
{
    struct world w;
    open_risk(&w);
    static const char *const row[] = {"\"OperationName\":\"Password spray detected\"",
                                      "203.0.113.7", "\"Result\":\"failure\"", NULL};
    struct away v = {.w = &w, .agent = WINDOWS, .remote = true};
    for (int i = 0; i < 60 && !bench_has_row(&w.b, "AuditLogs", row); i++) {
        struct away one = v;
        begin(&one, rf_arena_printf(&w.b.arena, "user%d@ringfort.localhost", i),
              "wrong-wrong-wrong");
        rf_clock_fixed_pass(&w.b.clock, (rf_usec)5 * RF_USEC_PER_SECOND);
    }
    cr_assert(bench_has_row(&w.b, "AuditLogs", row), "nobody was told");
    rf_clock_fixed_pass(&w.b.clock, (rf_usec)2 * 3600 * RF_USEC_PER_SECOND);
    w.b.token = bench_graph_token(&w.b, &w.b.app);
    cr_assert(signs_in(&w, WINDOWS, true));
    static const char *const in[] = {"\"RiskLevelDuringSignIn\":\"high\"", "passwordSpray",
                                     "\"ResultType\":\"0\"", NULL};
    cr_assert(bench_has_row(&w.b, "SigninLogs", in));
    cr_assert(rf_str_is(json_text_at(risky(&w), "riskLevel"), "high"));
    bench_close(&w.b);
}

Test(risk, a_password_that_was_stolen)
{
    struct world w;
    struct rf_err err;
    char path[] = "/tmp/rf-leaked-XXXXXX";
    cr_assert(close(mkstemp(path)) == 0);
    rf_str empty = RF_S("0000000000000000000000000000000000000000:1\n");
    cr_assert(rf_fs_replace(rf_fs_real(), path, empty, &err) == RF_OK);
    open_world_with(&w, &(struct identity_options){.leaked_passwords = path});
    w.b.app = bench_app(&w.b, "admin2", "IdentityRiskyUser.Read.All");
    w.b.token = bench_graph_token(&w.b, &w.b.app);
    cr_assert(signs_in(&w, LINUX, false));
    cr_assert(risky(&w) == NULL);
    uint8_t hash[20];
    cr_assert(EVP_Digest(PASSWORD, strlen(PASSWORD), hash, NULL, EVP_sha1(), NULL) == 1);
    rf_str hex = hex_encode(&w.b.arena, rf_str_make(hash, sizeof hash));
    cr_assert(rf_fs_replace(rf_fs_real(), path,
                            rf_arena_printf(&w.b.arena, "%.*s:7\n", RF_FMT(hex)), &err) == RF_OK);
    cr_assert(signs_in(&w, LINUX, false));
    const struct json_node *user = risky(&w);
    cr_assert(rf_str_is(json_text_at(user, "riskLevel"), "high"));
    static const char *const event[] = {"\"RiskEventType\":\"leakedCredentials\"", NULL};
    cr_assert(bench_has_row(&w.b, "AADUserRiskEvents", event));
    cr_assert(rf_str_find(rf_buf_view(&w.b.rows), hex, 0) == SIZE_MAX);
    cr_assert(unlink(path) == 0);
    bench_close(&w.b);
}
